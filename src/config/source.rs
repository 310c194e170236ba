//! What a source on the command line means: `[NAME=]SPEC`.
//!
//! | SPEC | what |
//! | --- | --- |
//! | `-` `stdin:` `/dev/stdin` | standard input |
//! | `exec:COMMAND LINE` | what a shell makes of the line |
//! | `/dev/fd/N` | an inherited descriptor, as `<(COMMAND)` of a shell opens one |
//! | `fifo:PATH` | a named pipe, made if it is missing |
//! | `file:PATH` | a file, there or not, whatever its name looks like |
//! | a path with `*`, `?`, `[` or `{` | all files that match, now and later |
//! | a path | what is there: a named pipe or a file; if nothing is there yet, a file |

mod together;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::FileTypeExt;
use std::path::{Component, Path, PathBuf};

use nix::sys::statfs::{self, statfs};

use super::command;
use super::way::WayLayer;
use super::world::{StdinKind, World};
use super::{ConfigError, invalid};
use crate::channel::{self, Expected, Segment};
use crate::event::{BadName, ChannelName};
use crate::source::command::{Command, Restart, What};
use crate::source::fifo::Make;
use crate::source::file::{Files, Glob, Part, is_wild};
use crate::source::naming::{absolute, channel_name, segment};

/// A source that can be read.
#[derive(Debug, Clone)]
pub enum Source {
    /// Standard input.
    Stdin {
        /// The channel of its lines.
        channel: ChannelName,
    },
    /// An inherited descriptor, read until it ends.
    Descriptor {
        /// The channel of its lines.
        channel: ChannelName,
        /// `/dev/fd/N`.
        path: PathBuf,
    },
    /// A named pipe.
    Fifo {
        /// The channel of its lines.
        channel: ChannelName,
        /// Its path.
        path: PathBuf,
        /// Whether it is made.
        make: Make,
    },
    /// Files.
    Files(Files),
    /// A command.
    Command {
        /// What it is called.
        name: ChannelName,
        /// The channels of what it writes to: standard output and standard error, or its terminal.
        channels: Vec<ChannelName>,
        /// It.
        command: Command,
    },
}

impl Source {
    /// Whether it can end for good.
    #[must_use]
    pub fn ends(&self) -> bool {
        match self {
            Self::Stdin { .. } | Self::Descriptor { .. } => true,
            Self::Fifo { .. } | Self::Files(_) => false,
            Self::Command { command, .. } => command.manner.restart != Restart::Always,
        }
    }

    /// Whether it is run.
    #[must_use]
    pub fn is_command(&self) -> bool {
        matches!(self, Self::Command { .. })
    }

    /// The names that its channels could have, also those of files that are not there yet.
    #[must_use]
    pub fn expected(&self) -> Expected {
        let start: Vec<_> = match self.names() {
            Names::One(name) | Names::Below(name) | Names::Streams(name, _) => {
                name.as_str().split('/').map(str::to_owned).collect()
            }
            Names::Paths(glob) => glob.base.iter().skip(1).map(segment).collect(),
        };
        let parts = match self {
            Self::Files(Files::Matching { glob, .. }) => &*glob.parts,
            _ => &[],
        };
        Expected::new(start.into_iter().map(Segment::Literal).chain(parts.iter().map(expected_part)).collect())
    }

    /// What monitors call it: its name, or that of its one channel, or else its glob.
    #[must_use]
    pub fn called(&self) -> String {
        match self.names() {
            Names::One(name) | Names::Below(name) | Names::Streams(name, _) => name.to_string(),
            Names::Paths(glob) => glob.whole.display().to_string(),
        }
    }

    /// The names that its channels can have.
    #[must_use]
    pub fn yields(&self) -> Vec<Expected> {
        let Self::Command { channels, .. } = self else { return vec![self.expected()] };
        let literal = |segment: &str| Segment::Literal(segment.to_owned());
        channels.iter().map(|channel| Expected::new(channel.as_str().split('/').map(literal).collect())).collect()
    }

    fn names(&self) -> Names<'_> {
        match self {
            Self::Stdin { channel }
            | Self::Descriptor { channel, .. }
            | Self::Fifo { channel, .. }
            | Self::Files(Files::One { channel, .. }) => Names::One(channel),
            Self::Files(Files::Matching { name: Some(name), .. }) => Names::Below(name),
            Self::Files(Files::Matching { name: None, glob }) => Names::Paths(glob),
            Self::Command { name, channels, .. } => Names::Streams(name, channels),
        }
    }

    /// Whether its name is that of its path: a glob that finds this very path gives it the same one.
    fn is_named_after_its_path(&self) -> bool {
        let (Self::Fifo { channel, path, .. } | Self::Files(Files::One { channel, path })) = self else { return false };
        // A glob never finds a path with `..` in it, but another one by the same name.
        *channel == own_name(path) && *path == absolute(Path::new("/"), path)
    }

    /// The path of the one thing that it reads.
    fn path(&self) -> Option<&Path> {
        match self {
            Self::Stdin { .. } => Some(Path::new("/dev/stdin")),
            Self::Descriptor { path, .. } | Self::Fifo { path, .. } | Self::Files(Files::One { path, .. }) => Some(path),
            Self::Files(Files::Matching { .. }) | Self::Command { .. } => None,
        }
    }

    /// The one thing that it reads, as a message says it.
    fn shown(&self) -> String {
        match (self, self.path()) {
            (Self::Stdin { .. }, _) | (_, None) => "standard input".to_owned(),
            (_, Some(path)) => format!("'{}'", path.display()),
        }
    }
}

/// How the channels of a source are named.
enum Names<'a> {
    /// Its one channel so.
    One(&'a ChannelName),
    /// The NAME of a command, and its channels: below it, or it alone.
    Streams(&'a ChannelName, &'a [ChannelName]),
    /// Below this NAME, by the path below the glob's literal part.
    Below(&'a ChannelName),
    /// By the paths of the files that match.
    Paths(&'a Glob),
}

fn expected_part(part: &Part) -> Segment {
    match part {
        Part::Literal(name) => Segment::Literal(segment(name)),
        Part::AnyDepth => Segment::AnyDepth,
        Part::Wild(wild) => {
            let wild = wild.clone();
            Segment::Glob(channel::Glob::new(move |name| wild.matches_bytes(name)))
        }
    }
}

const SOURCES: &str = "a source is '-' (standard input), a path, a quoted glob, fifo:PATH, file:PATH or exec:COMMAND LINE, with NAME= before it for \
                       a name of its own";

/// Standard input, where nobody says anything else; these are the files that could have.
///
/// # Errors
/// Somebody would have to type the lines; or it is a service whose files name no source: it would serve nothing, and nobody would know why.
pub(super) fn standard_input(files: &[PathBuf], world: &World) -> Result<Source, ConfigError> {
    if let (StdinKind::Null | StdinKind::Closed, Some(file)) = (world.stdin, files.last()) {
        return Err(invalid(
            format!("nothing to read: '{}' names no source, and there is no standard input", file.display()),
            "[[source]] on a line of its own in that file, and below it read = \"/var/log/app.log\"; then start it again",
        ));
    }
    if world.stdin == StdinKind::Terminal {
        return Err(invalid(
            "nothing to read: standard input is a terminal",
            "COMMAND | sse-bridge, a FILE to follow, or '-' to type the lines",
        ));
    }
    Ok(Source::Stdin { channel: stdin_name() })
}

/// What each source may say alone and not beside the others.
///
/// # Errors
/// They would share the lines of one pipe, or come to the same name; or standard input gives none.
pub(super) fn check_together(sources: &[&Source], world: &World) -> Result<(), ConfigError> {
    together::check_together(sources)?;
    if sources.iter().any(|source| matches!(source, Source::Stdin { .. })) {
        check_stdin(world.stdin)?;
    }
    Ok(())
}

pub(super) fn stdin_name() -> ChannelName {
    "stdin".parse().expect("'stdin' is a channel name")
}

fn check_stdin(stdin: StdinKind) -> Result<(), ConfigError> {
    match stdin {
        StdinKind::Closed => Err(invalid("nothing to read: standard input is closed", "COMMAND | sse-bridge")),
        StdinKind::Directory => Err(invalid("nothing to read: standard input is a directory", "COMMAND | sse-bridge")),
        StdinKind::Terminal | StdinKind::Pipe | StdinKind::Readable | StdinKind::Null => Ok(()),
    }
}

/// Reads one source: commands are run, and pipes made, as it is said.
///
/// # Errors
/// It is none.
pub(super) fn source(text: &OsStr, world: &World, said: &WayLayer) -> Result<Source, ConfigError> {
    let (name, spec) = split_name(text);
    let name = name.map(parse_name).transpose()?;
    let (scheme, rest) = split_scheme(spec);
    if matches!((scheme, rest.as_bytes()), (None, b"-") | (Some("stdin"), b"")) {
        return Ok(Source::Stdin { channel: name.unwrap_or_else(stdin_name) });
    }
    if rest.as_bytes().trim_ascii().is_empty() || scheme == Some("stdin") {
        return Err(invalid(format!("could not use '{}' as a source", text.display()), SOURCES));
    }
    if scheme == Some("exec") {
        return command::source(name, Command { what: What::Line(rest.to_owned()), manner: said.manner.check()? });
    }
    let path = whole(&world.directory, Path::new(rest));
    match scheme {
        None if descriptor(&path) == Some(0) => Ok(Source::Stdin { channel: name.unwrap_or_else(stdin_name) }),
        None if descriptor(&path).is_some() => inherited(name, path),
        _ if rest.as_bytes().ends_with(b"/") && !path.is_dir() => Err(invalid(
            format!("could not use '{}' as a source: it ends in '/'", text.display()),
            "'DIR/*.log' (quoted) follows the files of a directory",
        )),
        None if is_wild(rest) => matching(name, &absolute(&world.directory, Path::new(rest)), text),
        Some("fifo") => fifo(name, path, said.rights()),
        _ => file(name, path, scheme),
    }
}

/// What stands before the first `=` is a name only if it has no `:` and does not begin with `/`, `.` or `~`.
fn split_name(text: &OsStr) -> (Option<&OsStr>, &OsStr) {
    let bytes = text.as_bytes();
    let Some(at) = bytes.iter().position(|byte| *byte == b'=') else { return (None, text) };
    let (name, spec) = (&bytes[..at], &bytes[at + 1..]);
    if name.contains(&b':') || name.first().is_some_and(|first| b"/.~".contains(first)) {
        return (None, text);
    }
    (Some(OsStr::from_bytes(name)), OsStr::from_bytes(spec))
}

fn parse_name(name: &OsStr) -> Result<ChannelName, ConfigError> {
    let shown = name.display();
    let text = name.to_str().ok_or(BadName::Byte);
    let parsed = text.and_then(str::parse);
    parsed.map_err(|bad| {
        invalid(
            format!("'{shown}' is not a channel name: {bad}"),
            "such as web or web/access.log; a path that has '=' in it begins with ./",
        )
    })
}

/// `fifo:PATH`: a known word before the first colon.
fn split_scheme(spec: &OsStr) -> (Option<&'static str>, &OsStr) {
    for scheme in ["stdin", "fifo", "file", "exec"] {
        if let Some(rest) = spec.as_bytes().strip_prefix(scheme.as_bytes()).and_then(|rest| rest.strip_prefix(b":")) {
            return (Some(scheme), OsStr::from_bytes(rest));
        }
    }
    (None, spec)
}

/// The name of what has none of its own, by its path.
pub(super) fn own_name(path: &Path) -> ChannelName {
    channel_name(None, Some(&absolute(Path::new("/"), path)))
}

/// The path from the root. `..` behind a link leads where the link leads, so it is not taken by its words.
pub(super) fn whole(directory: &Path, path: &Path) -> PathBuf {
    let has_parents = path.components().any(|part| part == Component::ParentDir);
    if has_parents { directory.join(path) } else { absolute(directory, path) }
}

/// The number of an inherited descriptor, by its path.
fn descriptor(path: &Path) -> Option<u32> {
    if path == Path::new("/dev/stdin") {
        return Some(0);
    }
    let number = path.strip_prefix("/dev/fd").or_else(|_| path.strip_prefix("/proc/self/fd")).ok()?;
    number.to_str()?.parse().ok()
}

fn inherited(name: Option<ChannelName>, path: PathBuf) -> Result<Source, ConfigError> {
    let shown = path.display();
    let refuse = |why: &str, hint: &str| Err(invalid(format!("could not use '{shown}' as a source: {why}"), hint));
    match fs::metadata(&path).map(|metadata| metadata.file_type()) {
        Err(_) => refuse("no such descriptor is open", "a shell opens one for <(COMMAND)"),
        Ok(kind) if kind.is_dir() => refuse("it is a directory", "<(COMMAND) is a pipe"),
        Ok(kind) if kind.is_socket() => refuse("it is a socket", "cat <&N | sse-bridge"),
        Ok(_) => {
            let channel = name.unwrap_or_else(|| own_name(&path));
            Ok(Source::Descriptor { channel, path })
        }
    }
}

fn fifo(name: Option<ChannelName>, path: PathBuf, fifo_mode: u32) -> Result<Source, ConfigError> {
    if let Ok(metadata) = fs::metadata(&path)
        && !metadata.file_type().is_fifo()
    {
        let shown = path.display();
        return Err(invalid(
            format!("could not use '{shown}' as a named pipe: it is none"),
            format!("file:{shown} follows a file"),
        ));
    }
    let channel = name.unwrap_or_else(|| own_name(&path));
    Ok(Source::Fifo { channel, path, make: Make::Missing(fifo_mode) })
}

fn file(name: Option<ChannelName>, path: PathBuf, scheme: Option<&str>) -> Result<Source, ConfigError> {
    let shown = path.display();
    let channel = name.unwrap_or_else(|| own_name(&path));
    let refuse = |why: &str, hint: String| Err(invalid(format!("could not use '{shown}' as a source: {why}"), hint));
    let kind = fs::metadata(&path).map(|metadata| metadata.file_type());
    match kind {
        Ok(kind) if kind.is_fifo() && scheme.is_none() => Ok(Source::Fifo { channel, path, make: Make::Never }),
        Ok(kind) if kind.is_fifo() => refuse("it is a named pipe", format!("fifo:{shown} follows it")),
        Ok(kind) if kind.is_dir() => refuse(
            "it is a directory",
            format!("'{}/*.log' (quoted) follows the files in it", shown.to_string().trim_end_matches('/')),
        ),
        Ok(kind) if kind.is_socket() => {
            refuse("it is a socket", "programs connect to it; pipe one of them into sse-bridge".to_owned())
        }
        Ok(kind) if !kind.is_file() => refuse("it is a device", format!("cat {shown} | sse-bridge")),
        Ok(_) if is_made_up(&path) => {
            refuse("the kernel makes it up when it is read", format!("while cat {shown}; do sleep 1; done | sse-bridge"))
        }
        // What is not there, or may not be looked at, is waited for.
        _ => Ok(Source::Files(Files::One { channel, path })),
    }
}

/// Whether a file has no bytes of its own: in procfs and its like sizes are 0 and nothing is appended.
fn is_made_up(path: &Path) -> bool {
    let kinds =
        [statfs::PROC_SUPER_MAGIC, statfs::SYSFS_MAGIC, statfs::CGROUP2_SUPER_MAGIC, statfs::DEBUGFS_MAGIC, statfs::TRACEFS_MAGIC];
    statfs(path).is_ok_and(|found| kinds.contains(&found.filesystem_type()))
}

fn matching(name: Option<ChannelName>, path: &Path, text: &OsStr) -> Result<Source, ConfigError> {
    let glob = Glob::parse(path).map_err(|bad| {
        let shown = OsString::from_vec(text.as_bytes().to_vec());
        invalid(
            format!("could not use '{}' as a glob: {bad}", shown.display()),
            "such as '/var/log/**/*.log'; file:PATH takes a name as it stands",
        )
    })?;
    Ok(Source::Files(Files::Matching { name, glob }))
}
