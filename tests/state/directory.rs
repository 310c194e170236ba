//! A state directory, and what lies in it, read as anybody could: by names, and as an event stream.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tempfile::TempDir;

use crate::harness::bytes::length;
use crate::harness::parser::{Fault, Message, parse};
use crate::harness::{Bridge, command, run_to_end};
use crate::seen::Seen;

/// A place for a state directory and for the files that feed it.
pub struct Directory {
    above: TempDir,
}

impl Directory {
    pub fn new() -> Self {
        Self { above: tempfile::tempdir().unwrap() }
    }

    /// The directory beside which the state lies.
    pub fn above(&self) -> &Path {
        self.above.path()
    }

    /// The path of a name beside the state.
    pub fn at(&self, name: &str) -> String {
        self.above().join(name).into_os_string().into_string().unwrap()
    }

    /// The state directory; the first daemon makes it.
    pub fn state(&self) -> PathBuf {
        self.above().join("state")
    }

    /// Makes a state that was used before, and puts a file where the directory of a channel would be.
    pub fn obstruct(&self, channel: &str) {
        fs::create_dir(self.state()).unwrap();
        fs::write(self.state().join("@lock"), "").unwrap();
        fs::write(self.state().join(channel), "a file\n").unwrap();
    }

    /// The options that say it, and more.
    pub fn options<'a>(&self, more: &[&'a str]) -> Vec<std::borrow::Cow<'a, str>> {
        let own = ["--state-dir".into(), self.at("state").into()];
        own.into_iter().chain(more.iter().map(|option| (*option).into())).collect()
    }

    /// Starts a daemon on a free port, reading its standard input if `more` names no source.
    pub fn start(&self, more: &[&str]) -> Bridge {
        self.start_on(0, more)
    }

    /// Starts a daemon on a port of an earlier one.
    pub fn start_on(&self, port: u16, more: &[&str]) -> Bridge {
        Bridge::spawn(self.command(port, more))
    }

    pub fn command(&self, port: u16, more: &[&str]) -> std::process::Command {
        let mut command = command(&["--port", &port.to_string()]);
        command.args(self.options(more).iter().map(AsRef::as_ref));
        command
    }

    /// Where a channel's segments are.
    pub fn of_channel(&self, channel: &str) -> PathBuf {
        self.state().join(channel)
    }

    /// The segments of a channel, oldest first.
    pub fn segments(&self, channel: &str) -> Vec<PathBuf> {
        segments_in(&self.of_channel(channel))
    }

    /// What `cat STATE/CHANNEL/*.sse` is to a strict parser.
    pub fn cat(&self, channel: &str) -> Vec<Message> {
        strictly_parsed(&self.segments(channel).iter().flat_map(|path| fs::read(path).unwrap()).collect::<Vec<_>>())
    }

    /// The same in little room.
    pub fn history(&self, channel: &str) -> Vec<Seen> {
        self.cat(channel).iter().map(Seen::of).collect()
    }

    /// The bytes of all segments below, and the names of what was set aside.
    pub fn held(&self) -> u64 {
        files_below(&self.state()).iter().filter(|path| is_segment(path)).map(|path| length(path)).sum()
    }

    /// What was set aside as damaged.
    pub fn set_aside(&self) -> Vec<PathBuf> {
        let files = files_below(&self.state()).into_iter();
        files.filter(|path| path.extension().is_some_and(|ending| ending == "damaged")).collect()
    }

    /// `sse-bridge history --verify`: its exit code, and all that it says.
    pub fn verify(&self) -> (i32, String) {
        let (code, out, err) = run_to_end(&["history", "--verify", &self.at("state")], Stdio::null());
        (code, out + &err)
    }

    /// Nothing in it is damaged, says `sse-bridge history --verify`.
    #[track_caller]
    pub fn assert_verified(&self, when: &str) {
        let (code, said) = self.verify();
        assert_eq!(code, 0, "history --verify {when}:\n{said}");
    }
}

/// The messages of an event stream in files: without violations but for the lines that commit, which are comments of a form of their own.
#[track_caller]
pub fn strictly_parsed(stream: &[u8]) -> Vec<Message> {
    let mut parsed = parse(stream);
    parsed.violations.retain(|violation| !matches!(&violation.fault, Fault::Form(line) if line.starts_with(":= ")));
    parsed.strict()
}

/// The segments in a directory, oldest first.
pub fn segments_in(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().map(|entry| entry.unwrap().path());
    let found: BTreeSet<_> = entries.filter(|path| is_segment(path)).collect();
    found.into_iter().collect()
}

fn is_segment(path: &Path) -> bool {
    path.is_file() && path.extension().is_some_and(|ending| ending == "sse")
}

/// All files below a directory. What goes meanwhile is not there.
pub fn files_below(directory: &Path) -> Vec<PathBuf> {
    let (mut found, mut directories) = (Vec::new(), vec![directory.to_owned()]);
    while let Some(directory) = directories.pop() {
        for path in fs::read_dir(&directory).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())) {
            if path.is_dir() { directories.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}
