//! What is said of commands: `sse-bridge run`, and sources of the form `exec:COMMAND LINE`.
#![allow(clippy::doc_markdown, rustdoc::bare_urls, rustdoc::broken_intra_doc_links, reason = "the help is plain text")]

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use clap::Args;

use super::source::Source;
use super::world::StdinKind;
use super::{ConfigError, invalid, time_within, value};
use crate::event::ChannelName;
use crate::source::command::{Command, Input, Manner, Output, Restart, Size, What};
use crate::source::naming::{MAX_COMMAND_NAME, command_name};

/// The size of a terminal where nobody says otherwise.
const SIZE: Size = Size { columns: 120, rows: 30 };

/// How long a group has after TERM where nobody says otherwise.
const KILL_AFTER: Duration = Duration::from_secs(10);

/// The bounds of `--kill-after`: the daemon's own stop waits for it.
const KILL_AFTER_BOUNDS: (Duration, Duration) = (Duration::ZERO, Duration::from_secs(3600));

/// What is said of the command of `run`.
#[derive(Debug, Clone, Default, Args)]
pub struct RunLayer {
    /// It and its arguments; on the command line they stand alone.
    #[arg(skip)]
    pub command: Vec<OsString>,

    /// The name of the command of `run`: its channels are NAME/stdout and NAME/stderr, with --pty NAME [default: its file name]
    #[arg(long, value_name = "NAME")]
    pub name: Option<ChannelName>,
}

/// What is said of how commands are run.
#[derive(Debug, Clone, Default, PartialEq, Args)]
pub struct MannerLayer {
    /// Give commands a terminal: they neither hold their output back nor drop colours and progress bars, and write to one channel [default: off]
    #[arg(long, num_args = 0..=1, require_equals = true, value_name = "no", default_missing_value = "yes", value_parser = value::switch)]
    pub pty: Option<bool>,

    /// The size of that terminal: COLSxROWS [default: 120x30]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub size: Option<Size>,

    /// When a command that has ended is started again, after growing pauses of 100ms to 30s: never, on-failure, always [default: never]
    #[arg(long, value_name = "WHEN", value_parser = restart)]
    pub restart: Option<Restart>,

    /// How long a command and what it has started may take to end after a signal before they are killed, up to 1h [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = value::duration)]
    pub kill_after: Option<Duration>,

    /// Pass the daemon's standard input on to the command [default: it reads /dev/null]
    #[arg(long, num_args = 0..=1, require_equals = true, value_name = "no", default_missing_value = "yes", value_parser = value::switch)]
    pub stdin: Option<bool>,
}

/// `120x30`.
fn size(text: &str) -> Result<Size, String> {
    let number = |text: &str| text.parse().ok().filter(|count: &u16| *count > 0 && text.starts_with(|c: char| c.is_ascii_digit()));
    let size = text.split_once('x').and_then(|(columns, rows)| Some(Size { columns: number(columns)?, rows: number(rows)? }));
    size.ok_or_else(|| "expected COLSxROWS such as 120x30".to_owned())
}

/// `never`, `on-failure` or `always`.
fn restart(text: &str) -> Result<Restart, String> {
    match text {
        "never" => Ok(Restart::Never),
        "on-failure" => Ok(Restart::OnFailure),
        "always" => Ok(Restart::Always),
        _ => Err("expected never, on-failure or always".to_owned()),
    }
}

impl MannerLayer {
    /// These words, and where they say nothing those of `below`.
    pub(super) fn over(self, below: &Self) -> Self {
        Self {
            pty: self.pty.or(below.pty),
            size: self.size.or(below.size),
            restart: self.restart.or(below.restart),
            kill_after: self.kill_after.or(below.kill_after),
            stdin: self.stdin.or(below.stdin),
        }
    }

    /// What it means.
    pub(super) fn check(&self) -> Result<Manner, ConfigError> {
        let has_terminal = self.pty == Some(true);
        if self.size.is_some() && !has_terminal {
            return Err(invalid("--size is about a terminal, and there is none", "--pty gives commands one"));
        }
        Ok(Manner {
            output: if has_terminal { Output::Terminal(self.size.unwrap_or(SIZE)) } else { Output::Pipes },
            input: if self.stdin == Some(true) { Input::Passed } else { Input::Nothing },
            restart: self.restart.unwrap_or_default(),
            grace: time_within("--kill-after", self.kill_after.unwrap_or(KILL_AFTER), KILL_AFTER_BOUNDS)?,
        })
    }

    /// An option that says something of commands; if it is said where there is none, somebody is mistaken.
    fn said(&self) -> Option<&'static str> {
        let said = [
            ("--pty", self.pty.is_some()),
            ("--size", self.size.is_some()),
            ("--restart", self.restart.is_some()),
            ("--kill-after", self.kill_after.is_some()),
            ("--stdin", self.stdin.is_some()),
        ];
        said.into_iter().find_map(|(name, is_said)| is_said.then_some(name))
    }

    /// Nothing is said of commands by who has none.
    pub(super) fn refuse_without_command(&self) -> Result<(), ConfigError> {
        let refuse = |option| {
            Err(invalid(
                format!("{option} is about commands, and none is run"),
                "sse-bridge run -- COMMAND, or NAME=exec:COMMAND LINE as a source",
            ))
        };
        self.said().map_or(Ok(()), refuse)
    }
}

impl RunLayer {
    /// The command, if one is asked for.
    pub(super) fn check(&self, manner: Manner) -> Result<Option<Source>, ConfigError> {
        match (self.command.split_first(), &self.name) {
            (Some((program, arguments)), name) => {
                let what = What::Program(program.clone(), arguments.to_vec());
                source(name.clone(), Command { what, manner }).map(Some)
            }
            (None, None) => Ok(None),
            (None, Some(name)) => Err(invalid(
                format!("--name {name} names the command of `sse-bridge run`, which is not asked for"),
                "NAME=SOURCE names a source",
            )),
        }
    }
}

/// Standard input goes to one reader.
pub(super) fn check_input<'a>(sources: impl Iterator<Item = &'a Source>, stdin: StdinKind) -> Result<(), ConfigError> {
    let (mut passed, mut is_read) = (0, false);
    for source in sources {
        match source {
            Source::Stdin { .. } => is_read = true,
            Source::Command { command, .. } if command.manner.input == Input::Passed => passed += 1,
            _ => {}
        }
    }
    let refuse = |why: &str, hint: &str| Err(invalid(format!("--stdin cannot pass standard input on: {why}"), hint));
    match stdin {
        _ if passed == 0 => Ok(()),
        _ if is_read => refuse("it is a source of its own", "leave '-' or --stdin out"),
        _ if passed > 1 => refuse("there are several commands", "its bytes go to one reader only; run one command"),
        StdinKind::Terminal => refuse(
            "it is a terminal, which a command in a process group of its own may not read",
            "pipe the input in, or leave --stdin out",
        ),
        StdinKind::Closed => refuse("it is closed", "leave --stdin out"),
        StdinKind::Directory => refuse("it is a directory", "leave --stdin out"),
        StdinKind::Pipe | StdinKind::Readable | StdinKind::Null => Ok(()),
    }
}

/// The source of a command, by this NAME or the one that its program has.
pub(super) fn source(name: Option<ChannelName>, command: Command) -> Result<Source, ConfigError> {
    let name = name.map_or_else(|| own_name(&command.what), Ok)?;
    let channels = match command.manner.output {
        Output::Terminal(_) => vec![name.clone()],
        Output::Pipes => {
            ["stdout", "stderr"].into_iter().map(|stream| format!("{name}/{stream}").parse()).collect::<Result<_, _>>().map_err(
                |_| {
                    invalid(
                        format!("the name '{name}' is too long for a command"),
                        format!("with /stdout and /stderr behind it, it has at most {MAX_COMMAND_NAME} bytes"),
                    )
                },
            )?
        }
    };
    Ok(Source::Command { name, channels, command })
}

/// The file name of the program; that of a line is its first word, if that is a plain one.
fn own_name(what: &What) -> Result<ChannelName, ConfigError> {
    let program = match what {
        What::Program(program, _) => Some(program.clone()),
        What::Line(line) => first_word(&line.to_string_lossy()),
    };
    let file_name = program.as_deref().and_then(|program| Path::new(program).file_name());
    file_name
        .map(command_name)
        .ok_or_else(|| invalid(format!("'{what}' tells no name"), "NAME=exec:COMMAND LINE, or run --name NAME"))
}

fn first_word(line: &str) -> Option<OsString> {
    let word = line.split_ascii_whitespace().next()?;
    let is_plain = word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._~+-/".contains(&byte));
    is_plain.then(|| word.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::cli::Arguments;
    use crate::config::way::WayLayer;
    use crate::config::world::World;
    use crate::config::{Config, source};
    use clap::Parser;

    fn check_with(arguments: &[&str], stdin: StdinKind) -> Result<Vec<Source>, String> {
        let arguments = Arguments::try_parse_from([&["sse-bridge"], arguments].concat()).map_err(|error| error.to_string())?;
        let world = World { directory: "/srv/dir".into(), stdin, ..World::default() };
        let checked = Config::check(&arguments.into_layer(), &world);
        checked.map(|config| config.feeds.into_iter().map(|feed| feed.source).collect()).map_err(|error| match error {
            ConfigError::Invalid { what, hint } => format!("{what}; {hint}"),
            ConfigError::Resolve(other) => other.to_string(),
        })
    }

    fn check(arguments: &[&str]) -> Result<Vec<Source>, String> {
        check_with(arguments, StdinKind::Readable)
    }

    fn names(arguments: &[&str]) -> Vec<String> {
        let sources = check(arguments).unwrap_or_else(|error| panic!("{arguments:?}: {error}"));
        let channels = sources.iter().flat_map(|source| match source {
            Source::Command { channels, .. } => channels.clone(),
            _ => Vec::new(),
        });
        channels.map(|name| name.to_string()).collect()
    }

    #[test]
    fn channels_are_named_after_the_command_or_as_it_is_said() {
        for (arguments, channels) in [
            (&["run", "make", "-j2"][..], &["make/stdout", "make/stderr"][..]),
            (&["run", "--", "/usr/bin/make"], &["make/stdout", "make/stderr"]),
            (&["run", "--pty", "./my prog"], &["my%20prog"]),
            (&["run", "--name", "a/b", "--", "make"], &["a/b/stdout", "a/b/stderr"]),
            (&["exec:/bin/ping -c 3 ::1"], &["ping/stdout", "ping/stderr"]),
            (&["p=exec:(ping ::1)", "--pty", "x=exec:true"], &["p", "x"]),
        ] {
            assert_eq!(names(arguments), channels, "{arguments:?}");
        }
    }

    #[test]
    fn what_follows_the_command_is_its_own() {
        let sources = check(&["run", "--restart", "always", "ls", "--port", "x", "--", "--pty"]).unwrap();
        let [Source::Command { command, .. }] = &sources[..] else { panic!("{sources:?}") };
        assert_eq!(command.what.to_string(), "ls --port x -- --pty");
        assert_eq!((command.manner.restart, command.manner.output), (Restart::Always, Output::Pipes));
    }

    #[test]
    fn sizes_are_two_numbers() {
        assert_eq!(size("80x24"), Ok(Size { columns: 80, rows: 24 }));
        for bad in ["", "80", "80x", "x24", "0x1", "80x24x1", "+80x24", "80X24", "70000x1", "-1x1"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let long = "x".repeat(84);
        for (arguments, words) in [
            (&["run"][..], "COMMAND"),
            (&["--port", "0", "run", "--", "x"], "sse-bridge run [OPTIONS] ...; a file of that name is ./run"),
            (&["run", "--size", "80x24", "x"], "--pty gives commands one"),
            (&["run", "--kill-after", "2h", "x"], "--kill-after 7200s is out of bounds"),
            (&["run", "--restart", "often", "x"], "never, on-failure or always"),
            (&["run", "--name", &long, "x"], "at most 83 bytes"),
            (&["run", "/"], "'/' tells no name"),
            (&["--pty", "-"], "--pty is about commands, and none is run"),
            (&["--kill-after", "1s"], "--kill-after is about commands"),
            (&["--name", "x", "-"], "names the command of `sse-bridge run`"),
            (&["exec:"], "could not use 'exec:' as a source"),
            (&["exec:  "], "could not use 'exec:  ' as a source"),
            (&["exec:$(x)"], "'$(x)' tells no name"),
            (&["exec:a b", "exec:a c"], "the name 'a' is given twice"),
            (&["exec:a b", "a=-"], "the name 'a' is given twice"),
            (&["exec:a b", "a/stderr=/x"], "the name 'a/stderr' is given twice"),
            (&["exec:a b", "a=/x/*"], "the name 'a' is given twice"),
            (&["a/b=exec:x", "a=/x/*"], "the name 'a/b' lies below 'a'"),
            (&["x/y=exec:a", "/x/*/s*"], "may also be that of a file"),
            (&["exec:a", "-", "--stdin"], "it is a source of its own"),
            (&["exec:a", "exec:b", "--stdin"], "several commands"),
            (&["exec:a", "--restart", "always", "--exit-on-eof"], "none of these ends"),
        ] {
            let refused = check(arguments).expect_err(&format!("{arguments:?}"));
            assert!(refused.contains(words), "{arguments:?}: {refused}");
        }
        let refused = check_with(&["run", "--stdin", "x"], StdinKind::Terminal).unwrap_err();
        assert!(refused.contains("it is a terminal"), "{refused}");
        assert!(check_with(&["run", "x"], StdinKind::Terminal).is_ok(), "it is not read");
    }

    #[test]
    fn an_assignment_is_a_part_of_a_line() {
        let source = source::source("exec:A=1 x".as_ref(), &World::default(), &WayLayer::default());
        assert!(source.is_err_and(|error| error.to_string().contains("'A=1 x' tells no name")));
    }
}
