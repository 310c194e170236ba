//! Named pipes and files, through everything that happens to them: the real binary, real files, real rotation.
#![allow(
    clippy::pedantic,
    clippy::type_complexity,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests panic and print on purpose, and read like sessions"
)]

mod harness;

/// What the kernel knows of a running daemon.
#[path = "following/process.rs"]
mod process;

/// A kernel that refuses, or keeps silent.
#[path = "following/kernel.rs"]
mod kernel;

/// Numbered lines through every rotation: each once, in order, or a gap at its place.
#[path = "following/torture/mod.rs"]
mod torture;

/// logrotate and nginx.
#[path = "following/tools.rs"]
mod tools;

/// What other tailers test, and where it is tested here.
#[path = "following/lists/mod.rs"]
mod lists;

/// When watching fails.
#[path = "following/watching.rs"]
mod watching;

/// Thousands of files.
#[path = "following/scale.rs"]
mod scale;

/// Many files, few descriptors, all rotated at once.
#[path = "following/scarce.rs"]
mod scarce;

/// Named pipes and inherited descriptors.
#[path = "following/pipes/mod.rs"]
mod pipes;

/// Sources, their names, and what is no source.
#[path = "following/sources.rs"]
mod sources;

/// Lines that were there before.
#[path = "following/old_lines.rs"]
mod old_lines;

/// One file, and what happens to it.
#[path = "following/files/mod.rs"]
mod files;

/// What comes back, or is not what it was at the first look.
#[path = "following/returns.rs"]
mod returns;
