//! The manuals and the completions say what the program does, and nothing else.
#![allow(
    clippy::pedantic,
    clippy::type_complexity,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests panic and print on purpose, and read like sessions"
)]

#[path = "../harness/mod.rs"]
mod harness;

/// A page as it was written.
mod page;

/// `sse-bridge(1)`: options, subcommands, examples.
mod options;

/// `sse-bridge.toml(5)`: keys, examples, what a reload changes.
mod keys;

/// `sse-bridge(7)`: URLs, parameters, control events.
mod stream;

/// Completions of shells.
mod completions;
