//! Packages: what is in them, and what they do to a machine. They are made of the program of this build, so that no release build is needed.
#![allow(
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests panic and print on purpose, and read like sessions"
)]

/// How they are made.
mod making;

/// What is in them.
mod contents;

/// What README.md says, done.
mod quick_start;

/// What they do to a machine.
mod installing;
