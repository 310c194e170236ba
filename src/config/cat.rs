//! What is asked of `sse-bridge cat`: syntax only; its plan says what is possible.
//!
//! The comments are the help that users read.
#![allow(clippy::doc_markdown, rustdoc::bare_urls, rustdoc::broken_intra_doc_links, reason = "the help is plain text")]

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum};

use super::value;
use crate::event::ChannelName;

/// What is asked of a client for the shell.
#[derive(Debug, Clone, Default, Args)]
#[command(
    about = "Follow streams in a terminal, a script or a pipe, through restarts and lost networks",
    long_about = "Writes the lines of streams to standard output, each once and in order. Whatever breaks, it comes back behind the last line that it has \
                  written: after restarts of the daemon, lost connections and silence, from everywhere but a finished stream and a refusal. What can no \
                  longer be had is told as a gap, on standard error. With --state it also goes on where it was after a restart of its own.",
    after_help = "Examples:\n  sse-bridge cat :8080                                    the newest 10 lines, and what comes\n  \
                  sse-bridge cat --label http://logs:8080/events/web      below web, each with its channel\n  \
                  sse-bridge cat --state pos --tail all :8080 | sse-bridge --port 8081\n                                                          \
                  a daemon fed by another; nothing is lost or repeated\n  \
                  sse-bridge cat --grep ERROR --exec 'mail-each-line' :8080\n\n\
                  Exit codes: 0 the streams have ended for good, or the reader has left; 2 the command line; 3 refused by a server; 4 a gap, with --strict; \
                  75 no stream for --max-wait, or no use of the file of --state; 129, 130, 143 stopped by HUP, INT, TERM; 1 anything else. \
                  With --exec the command's own, 128 + N if signal N ended it.",
    max_term_width = 100
)]
#[allow(clippy::struct_excessive_bools, reason = "options without a value are said or not")]
pub struct Cat {
    /// Where streams are: http://HOST:PORT (all of it) or http://HOST:PORT/events/NAME, with a query if need be; http:// may be
    /// left out before HOST:PORT and :PORT
    #[arg(value_name = "URL", required = true)]
    pub urls: Vec<String>,

    /// Begin with the newest N lines, or all [default: what the daemon gives, usually 10]
    #[arg(long, value_name = "N", value_parser = value::tail_text)]
    pub tail: Option<String>,

    /// Begin with what came since then: 10m (ago), an RFC 3339 time or Unix milliseconds [default: as --tail]
    #[arg(long, value_name = "TIME", value_parser = value::since_text)]
    pub since: Option<String>,

    /// This channel and those below it, beside those of the URL's path; may be repeated [default: all of the URL]
    #[arg(long, value_name = "NAME")]
    pub channel: Vec<ChannelName>,

    /// Only lines that match; all of several must [default: every line]
    #[arg(long, value_name = "REGEX")]
    pub grep: Vec<String>,

    /// No lines that match; none of several may [default: every line]
    #[arg(long, value_name = "REGEX")]
    pub grep_v: Vec<String>,

    /// --grep and --grep-v take capitals and small letters as the same [default: off]
    #[arg(short, long)]
    pub ignore_case: bool,

    /// End with what there is, and do not wait for more [default: follow]
    #[arg(long)]
    pub no_follow: bool,

    /// Write an object of JSON a line, gaps and ends included [default: the lines]
    #[arg(long, conflicts_with = "label")]
    pub ndjson: bool,

    /// Write the channel before each line [default: off]
    #[arg(long)]
    pub label: bool,

    /// Whether channels of --label are in colour: auto (on a terminal, unless NO_COLOR is set), always, never [default: auto]
    #[arg(long, value_name = "WHEN", value_enum)]
    pub color: Option<Color>,

    /// Run COMMAND with sh -c and write to its standard input; its end is the end [default: standard output]
    #[arg(long, value_name = "COMMAND")]
    pub exec: Option<OsString>,

    /// Remember in FILE, once half a second, what has been written, and go on behind it the next time [default: off]
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,

    /// Stop before the first gap, with exit code 4 [default: say it and go on]
    #[arg(long)]
    pub strict: bool,

    /// Give up, with exit code 75, when there was no stream for so long [default: try for ever]
    #[arg(long, value_name = "TIME", value_parser = value::duration)]
    pub max_wait: Option<Duration>,

    /// Show the server the token in the first line of FILE (Authorization: Bearer), read anew for each connection [default: none]
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,

    /// A longer event is left out, and told as a gap [default: 64MiB]
    #[arg(long, value_name = "SIZE", value_parser = value::size)]
    pub max_line: Option<u64>,

    /// Say only what is wrong; twice only what ends it [default: gaps, ends and lost connections]
    #[arg(short, long, action = ArgAction::Count)]
    pub quiet: u8,
}

/// Whether there are colours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal.
    #[default]
    Auto,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
}
