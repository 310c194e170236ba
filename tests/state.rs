//! What survives: a state directory through restarts, crashes, damage and disks that fail; the real binary, real files, real sockets.
#![allow(
    clippy::pedantic,
    clippy::type_complexity,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests panic and print on purpose, and read like sessions"
)]

mod harness;

/// What is seen of an event, in little room.
#[path = "state/seen.rs"]
mod seen;

/// A state directory, and what lies in it.
#[path = "state/directory.rs"]
mod directory;

/// What a client has seen.
#[path = "state/record.rs"]
mod record;

/// Clients that come back.
#[path = "state/client.rs"]
mod client;

/// Named pipes as sources, for whoever needs several channels.
#[path = "state/pipes.rs"]
mod pipes;

/// Files that are written and rotated under load.
#[path = "state/writing.rs"]
mod writing;

/// What the kernel is made to refuse.
#[path = "state/kernel.rs"]
mod kernel;

/// SIGKILL at any moment.
#[path = "state/crash.rs"]
mod crash;

/// Restarts as a service manager makes them.
#[path = "state/service.rs"]
mod service;

/// A daemon whose disk is about to fail.
#[path = "state/scene.rs"]
mod scene;

/// The disk fails while the daemon runs.
#[path = "state/disk_fails.rs"]
mod disk_fails;

/// A state directory before it comes to harm, and the judge of what becomes of it.
#[path = "state/past.rs"]
mod past;

/// What is not as it was written.
#[path = "state/damage.rs"]
mod damage;

/// States in which a daemon starts nevertheless, and those in which it does not.
#[path = "state/starts.rs"]
mod starts;

/// More is wanted than the kernel gives.
#[path = "state/scarce.rs"]
mod scarce;

/// The same questions to memory and to the disk.
#[path = "state/questions.rs"]
mod questions;

/// From far back to the live edge.
#[path = "state/replay.rs"]
mod replay;

/// What is let go, and what that costs whom.
#[path = "state/retention.rs"]
mod retention;

/// What is missing at the end of a channel, or is in memory alone.
#[path = "state/missing.rs"]
mod missing;
