//! Named pipes and inherited descriptors.

mod halves;
mod places;
mod writers;

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};

use crate::harness::{Bridge, Get};
use crate::sources::{Ground, eventually, start};

/// Opens a pipe that somebody reads, for writing; never waits.
fn writer(path: &str) -> File {
    eventually(
        "a reader of the pipe",
        || OpenOptions::new().write(true).custom_flags(nix::libc::O_NONBLOCK).open(path).map_err(|error| error.to_string()),
        Result::is_ok,
    )
    .unwrap()
}

/// Opens a pipe, writes, and goes.
fn say(path: &str, text: &str) {
    writer(path).write_all(text.as_bytes()).unwrap();
}

fn is_pipe(path: &str) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo())
}

/// A pipe `p` and who follows it, with a stream of what comes from now on.
fn followed(flags: &[&str]) -> (Ground, String, Bridge, Get) {
    let ground = Ground::new();
    let pipe = ground.pipe("p");
    let bridge = start(&[flags, &[&format!("p={pipe}")]].concat());
    let mut client = bridge.get("/events/p");
    assert_eq!(client.events(1)[0].event, "start");
    (ground, pipe, bridge, client)
}
