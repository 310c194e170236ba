//! Commands that the real binary runs: what is read of them, how they begin and end, and that nothing of them stays behind.
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

/// What the tests ask of the daemon and of the kernel.
mod scene;

/// How it is started, and what is said where it cannot be.
mod starting;

/// What is read, and in which order.
mod reading;

/// With a terminal.
mod terminal;

/// How it ends, and what ends with it.
mod ending;

/// Again and again.
mod restarts;

/// Signals, and the end of the daemon.
mod signals;

/// As the first process of a container.
mod init;

/// Programs that people run.
mod real;
