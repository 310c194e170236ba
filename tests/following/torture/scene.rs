//! A file, who writes it, who reads it, and what is expected.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::judge::{CHANNEL, Item, number, text};
use super::{CLOCK_STEP, Mode};
use crate::harness::parser::Message;
use crate::harness::{Bridge, Get, PATIENCE, Random, command};

/// How lines end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Lf,
    CrLf,
}

/// A file, who writes it, who reads it, and what is expected.
pub struct Scene {
    pub directory: tempfile::TempDir,
    /// What the daemon follows.
    pub path: PathBuf,
    /// Where the writer's bytes go.
    pub file: Option<File>,
    pub bridge: Bridge,
    pub get: Get,
    pub random: Random,
    pub ending: Ending,
    pub expected: Vec<Item>,
    pub seen: Vec<Message>,
    pub next: usize,
    /// How many rotations there were.
    pub rotations: usize,
    /// The newest line that has been seen; it stands for all before it.
    pub newest_seen: Option<usize>,
    pub is_stopped: bool,
    /// Whether the daemon is stopped across events.
    pub stops: bool,
    /// After so long, what is doubled has come: with the next look, or when a rotated file is given up.
    pub until_quiet: Duration,
}

/// How a case begins.
#[derive(Clone, Copy)]
pub struct Setting {
    pub ending: Ending,
    /// Makes what leads to the file, and says where the file is.
    pub prepare: fn(&Path) -> PathBuf,
    /// Whether the daemon runs as somebody who may not read everything.
    pub as_nobody: bool,
}

pub const PLAIN: Setting = Setting { ending: Ending::Lf, prepare: |directory| directory.join("app.log"), as_nobody: false };

impl Scene {
    pub fn begin(mode: Mode, setting: Setting, seed: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(&directory, Permissions::from_mode(0o755)).unwrap();
        let path = (setting.prepare)(directory.path());
        let mut random = Random::new(seed);
        let source = format!("{CHANNEL}={}", path.display());
        // Shorter, and a writer that the machine delays would be late.
        let (wait, until_quiet) = [("2s", 2300), ("5s", 1300)][random.below(2)];
        let mut arguments = vec!["--port", "0", "--from", "start", "--verbose", "--rotate-wait", wait];
        arguments.extend(mode.polls.then_some("--poll"));
        arguments.push(&source);
        let bridge = Bridge::spawn(if setting.as_nobody {
            as_nobody(&directory.path().join("bin"), &arguments)
        } else {
            command(&arguments)
        });
        let get = bridge.get("/events?tail=all");
        assert_eq!(get.status(), 200, "{}", get.head);
        let mut scene = Self {
            directory,
            path,
            file: None,
            bridge,
            get,
            random,
            ending: setting.ending,
            expected: Vec::new(),
            seen: Vec::new(),
            next: 1,
            rotations: 0,
            newest_seen: None,
            is_stopped: false,
            stops: mode.stops,
            until_quiet: Duration::from_millis(until_quiet),
        };
        scene.open();
        scene
    }

    // The writer.

    /// Opens the file, or makes it, as loggers do.
    pub fn open(&mut self) {
        self.file = Some(appending(&self.path));
        self.expected.push(Item::Other);
    }

    /// A number of lines; some are long, some come in two pieces.
    pub fn write(&mut self) {
        for _ in 0..self.random.below(40) + 1 {
            self.write_line(true);
        }
    }

    pub fn write_line(&mut self, is_sure: bool) {
        let number = self.next_line(is_sure);
        let bytes = self.bytes(number);
        let cut = if self.random.below(4) == 0 { self.random.below(bytes.len() + 1) } else { 0 };
        self.write_bytes(&bytes[..cut]);
        self.write_bytes(&bytes[cut..]);
    }

    pub fn next_line(&mut self, is_sure: bool) -> usize {
        let number = self.next;
        self.next += 1;
        self.expected.push(Item::Line { number, is_sure });
        number
    }

    pub fn bytes(&self, number: usize) -> Vec<u8> {
        let ending = if self.ending == Ending::CrLf { "\r\n" } else { "\n" };
        format!("{}{ending}", text(number)).into_bytes()
    }

    pub fn write_bytes(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.file.as_mut().expect("the writer has a file").write_all(bytes).unwrap();
        }
    }

    /// What is on disk now and unread is about to be destroyed.
    pub fn doubt_unread(&mut self) {
        let seen = self.newest_seen;
        for item in &mut self.expected {
            if let Item::Line { number, is_sure } = item {
                *is_sure &= seen.is_some_and(|seen| *number <= seen);
            }
        }
    }

    /// A name beside the file, as rotation gives it: numbered anew each time, or by date.
    pub fn rotated_name(&mut self, path: &Path) -> PathBuf {
        thread::sleep(CLOCK_STEP); // what the test is about begins behind it: rotations that time can tell apart
        self.rotations += 1;
        if self.rotations.is_multiple_of(3) {
            return ending(path, &format!("-20261121-{:04}", self.rotations));
        }
        for number in (1..=self.rotations).rev() {
            let old = ending(path, &format!(".{number}"));
            if old.exists() {
                fs::rename(old, ending(path, &format!(".{}", number + 1))).unwrap();
            }
        }
        ending(path, ".1")
    }

    /// The file gets another name; the writer goes on writing to it for a while, and makes a new one.
    pub fn rename_and_create(&mut self) {
        let path = fs::canonicalize(&self.path).unwrap();
        let name = self.rotated_name(&path);
        fs::rename(&path, name).unwrap();
        if self.random.below(2) == 0 {
            self.write();
        }
        thread::sleep(CLOCK_STEP);
        self.file = Some(appending(&path));
        self.expected.push(Item::Other);
    }

    /// The file is copied, and cut.
    pub fn copy_and_truncate(&mut self, copy: &Path) {
        fs::copy(&self.path, copy).unwrap();
        for _ in 0..self.random.below(3) {
            self.write_line(false);
        }
        thread::sleep(CLOCK_STEP);
        self.truncate();
    }

    pub fn truncate(&mut self) {
        OpenOptions::new().write(true).truncate(true).open(&self.path).unwrap();
        self.expected.push(Item::Cut);
    }

    // The daemon.

    pub fn stop(&mut self) {
        if self.stops {
            self.bridge.signal("STOP");
            let status = format!("/proc/{}/status", self.bridge.pid());
            let deadline = Instant::now() + PATIENCE;
            while !fs::read_to_string(&status).unwrap().contains("State:\tT") {
                assert!(Instant::now() < deadline, "the daemon does not stop");
                thread::sleep(Duration::from_millis(1)); // the kernel tells its parent alone
            }
            self.is_stopped = true;
        }
    }

    pub fn go_on(&mut self) {
        if std::mem::take(&mut self.is_stopped) {
            self.bridge.signal("CONT");
        }
    }

    // The client.

    /// Waits for the newest line.
    pub fn see(&mut self) {
        let newest = self.next - 1;
        while self.newest_seen != Some(newest) {
            let deadline = Instant::now() + PATIENCE;
            let message = self.get.next_event().unwrap_or_else(|| panic!("the stream ended before line {newest}"));
            assert!(Instant::now() < deadline);
            self.take(message);
        }
    }

    fn take(&mut self, message: Message) {
        if ["start", "progress"].contains(&message.event.as_str()) {
            return;
        }
        if let Some(number) = number(&message) {
            self.newest_seen = self.newest_seen.max(Some(number));
        }
        self.seen.push(message);
    }
}

/// The daemon as somebody without rights, from a copy that he may run. Whoever runs the tests without rights is somebody like that.
fn as_nobody(directory: &Path, arguments: &[&str]) -> Command {
    let original = command(arguments);
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return original;
    }
    fs::create_dir(directory).unwrap();
    let copy = directory.join("sse-bridge");
    // By another process: a file that this one has open for writing, and any child of it for a moment, cannot be run.
    assert!(Command::new("cp").arg(original.get_program()).arg(&copy).status().unwrap().success());
    fs::set_permissions(directory, Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&copy, Permissions::from_mode(0o755)).unwrap();
    let mut nobody = Command::new("setpriv");
    nobody.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]).arg(copy).args(arguments);
    nobody
}

pub fn ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

pub fn appending(path: &Path) -> File {
    OpenOptions::new().append(true).create(true).open(path).unwrap()
}
