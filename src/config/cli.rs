//! The command line: syntax only. What it means together is decided in [`super::Config::check`].
//!
//! The options are a [`Layer`], which can be said elsewhere as well. The comments are the help that users read.
#![allow(clippy::doc_markdown, rustdoc::bare_urls, rustdoc::broken_intra_doc_links, reason = "the help is plain text")]

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgMatches, Args, CommandFactory, Parser, Subcommand};

use super::cat::Cat;
use super::command::RunLayer;
use super::healthcheck::Healthcheck;
use super::layer::{Layer, SourceLayer};
use super::{ConfigError, invalid, said};

/// What is said on the command line.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "sse-bridge",
    version,
    about = "Any command's output and any log file, live in a browser: lines become a Server-Sent Events stream",
    after_help = "Examples:\n  make 2>&1 | sse-bridge                     open http://127.0.0.1:8080/\n  \
                  sse-bridge 'web=/var/log/nginx/*.log'       follow files, through every rotation\n  \
                  sse-bridge fifo:/run/app.fifo               a pipe that programs write to\n  \
                  sse-bridge run --pty -- make -j2            a command, run once for everybody\n  \
                  curl -N http://127.0.0.1:8080/events        the same stream in a terminal\n  \
                  sse-bridge history /var/lib/sse-bridge      what a state directory holds\n\n\
                  Sizes take 512KiB, 16MiB, 1GiB; durations take 500ms, 15s, 10m, 2h.",
    disable_help_subcommand = true,
    args_conflicts_with_subcommands = true,
    max_term_width = 100
)]
pub struct Arguments {
    /// What is asked for instead of serving, if anything is.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Where lines come from: `-` (standard input), a file or a named pipe, a quoted glob ('/var/log/**/*.log') for all files that match now and
    /// later, fifo:PATH (a pipe that is made if it is missing), file:PATH (a name as it stands), 'exec:COMMAND LINE' (what a shell makes of it). NAME= names the channel [default: -]
    #[arg(value_name = "[NAME=]SOURCE")]
    sources: Vec<OsString>,

    /// The options.
    #[command(flatten)]
    layer: Layer,
}

impl Arguments {
    /// All that is said of serving: by these arguments, of which the matches are `matches`, over variables, over files.
    ///
    /// # Errors
    /// A file cannot be read, or something that it or a variable says cannot be.
    pub fn layer(&self, matches: &ArgMatches, variables: &[(String, OsString)]) -> Result<Layer, ConfigError> {
        let own = self.clone().into_layer();
        let mut layer = elsewhere(own.config, variables)?;
        layer.hear(matches.subcommand().map_or(matches, |(_, of_subcommand)| of_subcommand));
        if !own.sources.is_empty() || !own.run.command.is_empty() {
            (layer.sources, layer.run.command) = (own.sources, own.run.command);
        }
        Ok(layer)
    }

    /// All that they say of serving by themselves.
    #[must_use]
    pub fn into_layer(self) -> Layer {
        match self.command {
            Some(Command::Run(run)) => run.into_layer(),
            _ => Layer { sources: self.sources.into_iter().map(SourceLayer::from).collect(), ..self.layer },
        }
    }
}

/// All that is said of serving beside the command line: by variables, over these files, or those that variables name.
///
/// # Errors
/// A file cannot be read, or something that it or a variable says cannot be.
pub fn elsewhere(files: Vec<PathBuf>, variables: &[(String, OsString)]) -> Result<Layer, ConfigError> {
    let from_variables = said::variables::files(variables).into_iter().map(PathBuf::from);
    let files = if files.is_empty() { from_variables.collect() } else { files };
    let mut layer = Layer::default();
    said::file::over(&mut layer, &files)?;
    said::variables::over(&mut layer, variables)?;
    layer.config = files;
    Ok(layer)
}

/// Behind an option the name of a subcommand would be taken for a source, and waited for.
pub(super) fn check_no_subcommand(sources: &[SourceLayer]) -> Result<(), ConfigError> {
    let subcommands = Arguments::command();
    let is_one = |layer: &&SourceLayer| subcommands.get_subcommands().any(|known| *layer.source == *known.get_name());
    let Some(found) = sources.iter().find(is_one) else { return Ok(()) };
    let found = found.source.display();
    Err(invalid(
        format!("'{found}' is not a source here, and only the first word can be a subcommand"),
        format!("sse-bridge {found} [OPTIONS] ...; a file of that name is ./{found}"),
    ))
}

/// What is asked for instead of serving: the first word, bare. A file of that name is `./history`.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Run a command once for all viewers, and serve what it writes
    Run(Box<Run>),
    /// Say what a state directory holds, and whether it is as it was written
    History(History),
    /// Follow streams in a terminal, a script or a pipe, through restarts and lost networks
    Cat(Box<Cat>),
    /// Ask the daemon of this machine whether it serves, for containers
    Healthcheck(Healthcheck),
}

/// A command to run, and the options of serving.
#[derive(Debug, Clone, Args)]
#[command(
    about = "Run a command once for all viewers, and serve what it writes",
    long_about = "Runs a command once for all viewers. Its standard output is the channel NAME/stdout and its standard error NAME/stderr; with --pty both are \
                  the one channel NAME. NAME is the command's file name, or --name. Begin and end of each run are events of the type 'run'; the event \
                  'end' with the exit code follows the last one.\n\n\
                  Lines of one stream come in the order in which they were written. Lines of the two streams come in the order in which the kernel \
                  found them to be there: a burst to both may come as a block of the one and then a block of the other. With --pty there is one \
                  stream, and one order.\n\n\
                  When the command has ended, so do the processes that it has left in its process group: they are sent TERM, and KILL after \
                  --kill-after. INT and TERM stop the daemon and are passed on, as are HUP, QUIT, USR1, USR2 and WINCH.",
    after_help = "Examples:\n  sse-bridge run -- make -j2                       once; the daemon goes on serving\n  \
                  sse-bridge run --exit-on-eof -- make -j2         its exit code is that of make\n  \
                  sse-bridge run --pty --size 200x50 -- top        colours and progress bars\n  \
                  sse-bridge run --restart on-failure -- ./server  started again after growing pauses\n  \
                  sse-bridge 'a=exec:ping ::1' 'b=exec:vmstat 1'   several\n\n\
                  Exit codes: with --exit-on-eof that of the command, 128 and the number of the signal if one ended it; 127 if there is no such \
                  program, 126 if it cannot be run; otherwise those of the daemon.",
    max_term_width = 100
)]
pub struct Run {
    /// The command and its arguments; options of sse-bridge stand before it
    #[arg(value_name = "COMMAND", required = true, trailing_var_arg = true)]
    command: Vec<OsString>,

    /// The options.
    #[command(flatten)]
    layer: Layer,
}

impl Run {
    fn into_layer(self) -> Layer {
        let run = RunLayer { command: self.command, ..self.layer.run };
        Layer { run, ..self.layer }
    }
}

/// What is asked of a state directory.
#[derive(Debug, Clone, Args)]
#[command(
    about = "Say what a state directory holds, and whether it is as it was written",
    long_about = "Says what each channel holds, by name: how many events, the ids and the times of the first and the last, bytes and segments on disk; \
                  how many events are gone (let go or lost before the first), how many are lost between, and how many files repairs have set aside. \
                  Changes nothing, and may be used while a daemon uses the directory.",
    after_help = "What is found is said in lines before the table:\n  \
                  damage: FILE: at byte N: ...  it is not as it was written; the next start repairs it\n  \
                  unreadable: FILE: ...         nobody can say\n  \
                  note: FILE: ...               what is not finished, or was set aside by a repair (*.damaged)\n\n\
                  Exit codes: 0 all is well, also after earlier repairs and losses; 1 damage was found; 2 DIR is no state directory, or one of a \
                  newer version; 75 it, or something in it, cannot be read. sse-bridge-state(5) describes the format."
)]
pub struct History {
    /// The state directory
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,

    /// Read every record and compare its checksum [default: the ends of each file]
    #[arg(long)]
    pub verify: bool,

    /// Write an object of JSON a line, for programs [default: a table]
    #[arg(long)]
    pub json: bool,
}
