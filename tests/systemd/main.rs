//! The daemon and systemd: the units as they are shipped, the words that are spoken between the two, and a real systemd that runs the real
//! service. The last needs root (it boots containers); without it those tests say so and fail.
#![allow(
    clippy::pedantic,
    clippy::type_complexity,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests panic and print on purpose"
)]

mod guest;
#[path = "../harness/mod.rs"]
mod harness;
mod manager;
mod package;
mod real;
mod units;
mod words;

/// Where the units are.
pub const UNITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/systemd");
