//! Everything that the real binary promises, over real pipes and sockets.
#![allow(
    clippy::pedantic,
    clippy::type_complexity,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests panic and print on purpose, and read like sessions"
)]

mod harness;

/// What a client of `/events` sees.
#[path = "integration/stream.rs"]
mod stream;

/// Coming back with an id.
#[path = "integration/resume.rs"]
mod resume;

/// What it costs to hold and to be held.
#[path = "integration/memory.rs"]
mod memory;

/// Real commands, whole.
#[path = "integration/real_use.rs"]
mod real_use;

/// The house keeps its own rules.
#[path = "integration/house.rs"]
mod house;

/// Words said twice.
#[path = "integration/words.rs"]
mod words;

/// A connection byte for byte, and the counters meanwhile.
#[path = "integration/wire.rs"]
mod wire;

/// HTTP/2 by hand.
#[path = "integration/frames.rs"]
mod frames;

/// The daemon as shells start it.
#[path = "integration/shell.rs"]
mod shell;

/// Streams leave hyper, and their connections come back.
#[path = "integration/takeover.rs"]
mod takeover;

/// Clients of streams leave, in every way.
#[path = "integration/leaving.rs"]
mod leaving;

/// Many clients at once.
#[path = "integration/crowd.rs"]
mod crowd;

/// What clients cost.
#[path = "integration/cost.rs"]
mod cost;

/// Nobody holds up anybody.
#[path = "integration/fairness.rs"]
mod fairness;

/// What the kernel knows of the daemon.
#[path = "integration/process.rs"]
mod process;

/// Health, channels, metrics.
#[path = "integration/status.rs"]
mod status;

/// The table of URLs.
#[path = "integration/http.rs"]
mod http;

/// What the page is made of.
#[path = "integration/assets.rs"]
mod assets;

/// What a URL asks for.
#[path = "integration/queries.rs"]
mod queries;

/// Odd, old and hostile requests.
#[path = "integration/requests.rs"]
mod requests;

/// Pages of other origins.
#[path = "integration/cross_origin.rs"]
mod cross_origin;

/// HTTP/2 with prior knowledge.
#[path = "integration/http2.rs"]
mod http2;

/// Limits, and places that come back.
#[path = "integration/limits.rs"]
mod limits;

/// How it ends.
#[path = "integration/stop.rs"]
mod stop;

/// What is said on the command line.
#[path = "integration/command_line.rs"]
mod command_line;

/// What a state directory holds.
#[path = "integration/history.rs"]
mod history;

/// The manual of the state directory.
#[path = "integration/manual.rs"]
mod manual;

/// Where it listens.
#[path = "integration/listening.rs"]
mod listening;

/// What it writes.
#[path = "integration/output.rs"]
mod output;
