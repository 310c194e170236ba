//! The command line: syntax only. What it means together is decided in [`super::Config::check`].
//!
//! The options are a [`Layer`], which can be said elsewhere as well. The comments are the help that users read.
#![allow(clippy::doc_markdown, rustdoc::bare_urls, rustdoc::broken_intra_doc_links, reason = "the help is plain text")]

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::cat::Cat;
use super::layer::Layer;

/// What is said on the command line.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "sse-bridge",
    version,
    about = "Any command's output and any log file, live in a browser: lines become a Server-Sent Events stream",
    after_help = "Examples:\n  make 2>&1 | sse-bridge                     open http://127.0.0.1:8080/\n  \
                  sse-bridge 'web=/var/log/nginx/*.log'       follow files, through every rotation\n  \
                  sse-bridge fifo:/run/app.fifo               a pipe that programs write to\n  \
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
    /// later, fifo:PATH (a pipe that is made if it is missing), file:PATH (a name as it stands). NAME= names the channel [default: -]
    #[arg(value_name = "[NAME=]SOURCE")]
    sources: Vec<OsString>,

    /// The options.
    #[command(flatten)]
    layer: Layer,
}

impl Arguments {
    /// All that they say of serving.
    #[must_use]
    pub fn into_layer(self) -> Layer {
        Layer { sources: self.sources, ..self.layer }
    }
}

/// What is asked for instead of serving: the first word, bare. A file of that name is `./history`.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Say what a state directory holds, and whether it is as it was written
    History(History),
    /// Follow streams in a terminal, a script or a pipe, through restarts and lost networks
    Cat(Box<Cat>),
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
