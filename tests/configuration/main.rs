//! What the daemon is told elsewhere than on the command line, and told again while it runs.
#![allow(
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests panic and print on purpose, and read like sessions"
)]

#[path = "../harness/mod.rs"]
mod harness;

/// Files and variables at the start.
mod said;

/// SIGHUP.
mod reload;

/// Sources that come and go at random, under load.
mod restless;
