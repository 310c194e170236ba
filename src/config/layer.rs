//! One layer of what the daemon is told: everything is optional, so that what is not said can be said elsewhere, or has a default.
//!
//! The comments are the help that users read.
#![allow(clippy::doc_markdown, rustdoc::bare_urls, rustdoc::broken_intra_doc_links, reason = "the help is plain text")]

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, ArgMatches, Args, FromArgMatches, ValueEnum};

use super::command::RunLayer;
use super::value;
use super::way::WayLayer;
use crate::channel::Tail;
use crate::http::listener::Listen;
use crate::store::Sync;

/// What is said of serving.
#[derive(Debug, Clone, Default, Args)]
#[allow(clippy::struct_excessive_bools, reason = "options without a value are said or not")]
pub struct Layer {
    /// Where lines come from; on the command line they stand alone.
    #[arg(skip)]
    pub sources: Vec<SourceLayer>,

    /// A configuration file, or a directory of *.toml files; may be repeated. What stands here says more than a file [default: none]
    #[arg(long, value_name = "FILE")]
    pub config: Vec<PathBuf>,

    /// The command of `run`, if it is asked for.
    #[command(flatten)]
    pub run: RunLayer,

    /// The port of every --listen that names none; 0 picks a free one [default: 8080]
    #[arg(long, value_name = "PORT", value_parser = value::port)]
    pub port: Option<u16>,

    /// An address to listen on: IP, IP:PORT, [IP6]:PORT or NAME:PORT; may be repeated [default: 127.0.0.1 and ::1]
    #[arg(long, value_name = "ADDR")]
    pub listen: Vec<Listen>,

    /// How many of the newest lines a client gets that asks for nothing: N or all [default: 10]
    #[arg(long, value_name = "N", value_parser = value::tail)]
    pub tail: Option<Tail>,

    /// Memory for lines that clients can come back to, over all channels [default: 64MiB, or a quarter of the cgroup's limit]
    #[arg(long, value_name = "SIZE", value_parser = value::size)]
    pub history: Option<u64>,

    /// Where history and the places in files survive: a directory that is made if it is missing, one for each daemon
    /// [default: the first in $STATE_DIRECTORY; without it nothing survives]
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,

    /// When history is made safe from a power cut: never (the kernel decides), interval (once a second), always (before
    /// anybody sees it) [default: interval]
    #[arg(long, value_name = "WHEN", value_parser = value::sync)]
    pub sync: Option<Sync>,

    /// How much history is kept on disk, over all channels, from 1MiB on [default: 1GiB]
    #[arg(long, value_name = "SIZE", value_parser = value::size)]
    pub keep_size: Option<u64>,

    /// How old history on disk becomes, from 1s on: 12h, 7d [default: no limit]
    #[arg(long, value_name = "TIME", value_parser = value::age)]
    pub keep_age: Option<Duration>,

    /// How long a file that was rotated away is kept open after it grew last, up to 1h [default: 5s]
    #[arg(long, value_name = "TIME", value_parser = value::duration)]
    pub rotate_wait: Option<Duration>,

    /// Look at files four times a second instead of asking the kernel for hints [default: off]
    #[arg(long, num_args = 0..=1, require_equals = true, value_name = "no", default_missing_value = "yes", value_parser = value::switch)]
    pub poll: Option<bool>,

    /// Silence after which a stream gives a sign of life, from 1s to 1h [default: 15s]
    #[arg(long, value_name = "TIME", value_parser = value::duration)]
    pub heartbeat: Option<Duration>,

    /// When browsers come back after a lost connection, from 500ms to 24h [default: 2s]
    #[arg(long, value_name = "TIME", value_parser = value::duration)]
    pub retry: Option<Duration>,

    /// Streams that may be open at once; one more is told to come back later [default: 1000]
    #[arg(long, value_name = "N", value_parser = value::count)]
    pub max_clients: Option<usize>,

    /// A client that takes nothing for so long is cut, from 1s on [default: 10m]
    #[arg(long, value_name = "TIME", value_parser = value::duration)]
    pub write_timeout: Option<Duration>,

    /// Stop when every source that can end has ended and clients have got everything, after TIME at most [default: go on serving; TIME: 10s]
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = "10s", value_parser = value::duration)]
    pub exit_on_eof: Option<Duration>,

    /// Copy standard input to standard output, every byte, at once; a slow reader there slows the input [default: off]
    #[arg(short, long, num_args = 0..=1, require_equals = true, value_name = "no", default_missing_value = "yes", value_parser = value::switch)]
    pub tee: Option<bool>,

    /// What is said of all sources.
    #[command(flatten)]
    pub way: WayLayer,

    /// The title of the page [default: the source and the host, with its port if that is not 8080]
    #[arg(long, value_name = "TEXT")]
    pub title: Option<String>,

    /// A name by which clients or a proxy may ask: NAME, .NAME with all below it, or *; may be repeated [default: this machine's]
    #[arg(long, value_name = "NAME")]
    pub allow_host: Vec<String>,

    /// Let everybody read who reaches an address that is not loopback [default: off]
    #[arg(long, num_args = 0..=1, require_equals = true, value_name = "no", default_missing_value = "yes", value_parser = value::switch)]
    pub allow_anonymous: Option<bool>,

    /// Pages of this origin (https://example.com, or *) may read the streams; may be repeated [default: none]
    #[arg(long, value_name = "ORIGIN")]
    pub cors_origin: Vec<String>,

    /// The form of messages on standard error [default: text]
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub log_format: Option<LogFormat>,

    /// Say more; twice says everything [default: what an administrator wants to know]
    #[arg(short, long, action = ArgAction::Count, conflicts_with = "quiet")]
    pub verbose: u8,

    /// Say only what is wrong; twice only what ends the daemon. The addresses are said in any case [default: off]
    #[arg(short, long, action = ArgAction::Count)]
    pub quiet: u8,

    /// Check the command line and the configuration, touch nothing, and exit [default: off]
    #[arg(long)]
    pub check: bool,
}

impl Layer {
    /// These matches say more than what was said before.
    pub fn hear(&mut self, matches: &ArgMatches) {
        let (verbose, quiet) = (self.verbose, self.quiet);
        self.update_from_arg_matches(matches).expect("the parser has read each value");
        // Counts are always there. Who says nothing of messages says nothing.
        if self.verbose == 0 && self.quiet == 0 {
            (self.verbose, self.quiet) = (verbose, quiet);
        }
    }
}

/// One source, and what is said of it alone.
#[derive(Debug, Clone, Default)]
pub struct SourceLayer {
    /// `[NAME=]SPEC`.
    pub source: OsString,
    /// What is not said here is as for all sources.
    pub way: Option<WayLayer>,
}

impl From<OsString> for SourceLayer {
    fn from(source: OsString) -> Self {
        Self { source, way: None }
    }
}

/// The form of messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}
