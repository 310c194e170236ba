//! A directory with a file that is followed, and daemons that follow it.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::harness::parser::Message;
use crate::harness::{Bridge, eventually};

pub struct Scene {
    above: TempDir,
}

impl Scene {
    pub fn new() -> Self {
        Self { above: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.above.path().join(name)
    }

    /// The file that is followed.
    pub fn log(&self) -> PathBuf {
        self.path("app.log")
    }

    pub fn append(&self, text: &str) {
        append(&self.log(), text);
    }

    /// Follows the file, with these options, from its beginning.
    pub fn follow(&self, options: &[&str]) -> Bridge {
        let log = format!("app={}", self.log().display());
        Bridge::start(&[options, &["--from", "start", &log]].concat())
    }

    /// The same with a state directory.
    pub fn follow_with_state(&self, options: &[&str]) -> Bridge {
        let state = self.path("state").display().to_string();
        self.follow(&[options, &["--state-dir", &state]].concat())
    }

    /// How much is stored of the file's channel.
    pub fn stored_of_channel(&self) -> u64 {
        let entries = fs::read_dir(self.path("state/app")).into_iter().flatten().map(Result::unwrap);
        entries.map(|entry| entry.metadata().unwrap().len()).sum()
    }

    /// All bytes of the state directory.
    pub fn stored(&self) -> Vec<u8> {
        fn all(directory: &Path, into: &mut Vec<u8>) {
            for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
                if entry.path().is_dir() {
                    all(&entry.path(), into);
                } else {
                    into.extend(fs::read(entry.path()).unwrap());
                }
            }
        }
        let mut bytes = Vec::new();
        all(&self.path("state"), &mut bytes);
        bytes
    }
}

pub fn append(path: &Path, text: &str) {
    OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

/// What is held of all events now.
pub fn retained(bridge: &Bridge) -> Vec<Message> {
    bridge.get("/events?tail=all&follow=0").rest().into_iter().filter(|message| message.event != "start").collect()
}

/// Type and data of each.
pub fn shown(messages: &[Message]) -> Vec<(String, String)> {
    messages.iter().map(|message| (message.event.clone(), message.data.clone())).collect()
}

/// Waits until so many events are held, and gives type and data of each.
#[track_caller]
pub fn wait_for(bridge: &Bridge, count: usize) -> Vec<(String, String)> {
    eventually(&format!("{count} events"), || shown(&retained(bridge)), |events| events.len() >= count)
}

/// A number of `/metrics`.
pub fn metric(bridge: &Bridge, name: &str) -> u64 {
    let text = bridge.get("/metrics").text();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("sse_bridge_{name} ")));
    line.unwrap_or_else(|| panic!("no {name} in\n{text}")).parse().unwrap()
}

pub fn event(kind: &str, data: &str) -> (String, String) {
    (kind.to_owned(), data.to_owned())
}
