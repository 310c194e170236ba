//! Mapping and shaping: formats, groups, secrets, limits; the real binary, real files, real sockets.
#![allow(
    clippy::pedantic,
    clippy::type_complexity,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests panic and print on purpose, and read like sessions"
)]

mod harness;

/// A directory with a file that is followed.
#[path = "mapping/scene.rs"]
mod scene;

/// What a line is.
#[path = "mapping/formats.rs"]
mod formats;

/// Stack traces, through kills.
#[path = "mapping/groups.rs"]
mod groups;

/// What nobody may see.
#[path = "mapping/secrets.rs"]
mod secrets;

/// What is left out.
#[path = "mapping/left_out.rs"]
mod left_out;

/// One daemon reads another.
#[path = "mapping/chain.rs"]
mod chain;

/// What cannot be is refused, and the manual's examples work.
#[path = "mapping/words.rs"]
mod words;
