//! One file, and what happens to it: each case with hints of the kernel, and with `--poll`.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{Bridge, Get};

/// How the daemon learns of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Watching,
    Polling,
}

/// How long something is awaited that must not come: two looks of any kind.
const QUIET: Duration = Duration::from_millis(1500);

/// Plays a case in both modes.
macro_rules! in_both_modes {
    ($($(#[$about:meta])* $name:ident)*) => {
        mod watching {
            $(#[test] fn $name() { super::$name(crate::files::Mode::Watching); })*
        }
        mod polling {
            $(#[test] fn $name() { super::$name(crate::files::Mode::Polling); })*
        }
    };
}

mod content;
mod loss;
mod names;
mod rotation;
mod space;

/// A directory, and a daemon that follows something in it.
struct Ground {
    directory: TempDir,
    mode: Mode,
}

impl Ground {
    fn new(mode: Mode) -> Self {
        Self { directory: tempfile::tempdir().unwrap(), mode }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn append(&self, name: &str, bytes: &[u8]) {
        OpenOptions::new().append(true).create(true).open(self.path(name)).unwrap().write_all(bytes).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    /// Follows `name` (or a glob) in the channel `f`, or below it.
    fn follow(&self, name: &str, options: &[&str]) -> Bridge {
        let source = format!("f={}/{name}", self.directory.path().display());
        let mut arguments = options.to_vec();
        if self.mode == Mode::Polling {
            arguments.push("--poll");
        }
        arguments.push(&source);
        Bridge::start(&arguments)
    }
}

/// An empty file `a.log` and who follows it, with a stream of what comes from now on.
fn empty_file(mode: Mode, options: &[&str]) -> (Ground, Bridge, Get) {
    let ground = Ground::new(mode);
    ground.append("a.log", b"");
    let bridge = ground.follow("a.log", options);
    let stream = live(&bridge);
    (ground, bridge, stream)
}

/// A stream of what comes from now on.
fn live(bridge: &Bridge) -> Get {
    let mut stream = bridge.get("/events?tail=0");
    assert_eq!(stream.next_event().unwrap().event, "start");
    stream
}

/// The next lines; anything else is told, but for the state of a line that was overwritten.
fn lines(stream: &mut Get, count: usize) -> Vec<String> {
    let mut seen = Vec::new();
    while seen.len() < count {
        let event = stream.next_event().unwrap_or_else(|| panic!("it ended; seen {seen:?}"));
        match event.event.as_str() {
            "message" => seen.push(event.data),
            "progress" => {}
            _ => panic!("{event:?} after {seen:?}"),
        }
    }
    seen
}

/// The lines up to this one, without it; gaps are left out.
fn lines_before(stream: &mut Get, last: &str) -> Vec<String> {
    let mut seen = Vec::new();
    loop {
        let event = stream.next_event().unwrap_or_else(|| panic!("it ended; seen {seen:?}"));
        match event.event.as_str() {
            "message" if event.data == last => return seen,
            "message" => seen.push(event.data),
            "gap" => {}
            _ => panic!("{event:?} after {seen:?}"),
        }
    }
}

/// Nothing has come by now beyond `count` events.
fn assert_quiet(bridge: &Bridge, count: u64) {
    thread::sleep(QUIET); // that nothing comes can only be waited for
    assert_eq!(channel(bridge)["events"], count, "{}", bridge.get("/events?tail=all&follow=0").text());
}

fn channel(bridge: &Bridge) -> Value {
    let text = bridge.get("/channels").text();
    let channels = serde_json::from_str::<Value>(&text).unwrap()["channels"].clone();
    assert_eq!(channels.as_array().unwrap().len(), 1, "{text}");
    channels[0].clone()
}

fn fallocate(path: &Path, length: u64, keeps_size: bool) {
    let mut command = Command::new("fallocate");
    if keeps_size {
        command.arg("--keep-size");
    }
    assert!(command.arg("--length").arg(length.to_string()).arg(path).status().unwrap().success());
}
