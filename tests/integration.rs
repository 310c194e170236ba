//! Everything that the real binary promises, over real pipes and sockets.
#![allow(
    clippy::pedantic,
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
