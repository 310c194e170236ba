//! Several files at once, and short cases without a scene.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::CLOCK_STEP;
use super::judge::{CHANNEL, number, text};
use super::scene::{appending, ending};
use crate::harness::{Bridge, Get, scale};
use crate::sources::unprivileged;

/// A daemon that follows several files in channels of their own, and the lines of each.
struct Several {
    bridge: Bridge,
    gets: Vec<Get>,
    paths: Vec<PathBuf>,
    next: Vec<usize>,
}

impl Several {
    fn begin(directory: &Path, names: &[&str], options: &[&str]) -> Self {
        Self::by(Bridge::start, directory, names, options)
    }

    /// Starts the daemon by a function that gets its arguments.
    fn by(start: impl FnOnce(&[&str]) -> Bridge, directory: &Path, names: &[&str], options: &[&str]) -> Self {
        let paths: Vec<_> = names.iter().map(|name| directory.join(name)).collect();
        let sources: Vec<_> = names.iter().zip(&paths).map(|(name, path)| format!("{name}={}", path.display())).collect();
        let bridge = start(&[&["--from", "start"], options, &sources.iter().map(String::as_str).collect::<Vec<_>>()].concat());
        let gets = names.iter().map(|name| bridge.get(&format!("/events/{name}?tail=all"))).collect();
        Self { bridge, gets, next: vec![1; paths.len()], paths }
    }

    fn write(&mut self, index: usize) {
        self.write_to(&appending(&self.paths[index]), index);
    }

    /// Writes by a file that is open already.
    fn write_to(&mut self, mut file: &File, index: usize) {
        file.write_all(format!("{}\n", text(self.next[index])).as_bytes()).unwrap();
        self.next[index] += 1;
    }

    /// The next line of a file is `number`.
    fn expect(&mut self, index: usize, number: usize) {
        let mut message = self.gets[index].events(1).remove(0);
        while message.event == "start" {
            message = self.gets[index].events(1).remove(0);
        }
        assert_eq!((message.event.as_str(), message.data), ("message", text(number)), "in {}", self.paths[index].display());
    }

    /// Nothing came but what has been expected.
    fn end(self) {
        thread::sleep(Duration::from_millis(1300)); // what is doubled comes with the next look
        for (path, next) in self.paths.iter().zip(&self.next) {
            let name = path.file_name().unwrap().display().to_string();
            let all = self.bridge.get(&format!("/events/{name}?tail=all&follow=0")).rest();
            assert_eq!(all.len() + 1, *next, "in {name}: {:?}", all.last());
        }
    }
}

const BOTH: [&[&str]; 2] = [&[], &["--poll"]];

/// Coreutils do this fifty times.
#[test]
fn a_file_that_is_moved_over_by_another_one_again_and_again() {
    for options in BOTH {
        let directory = tempfile::tempdir().unwrap();
        let mut several = Several::begin(directory.path(), &["k"], options);
        for round in 1..=scale(50, 500) {
            several.write(0);
            several.expect(0, 2 * round - 1);
            let other = directory.path().join("x");
            let number = several.next[0];
            fs::write(&other, format!("{}\n", text(number))).unwrap();
            several.next[0] += 1;
            fs::rename(&other, &several.paths[0]).unwrap();
            several.expect(0, number);
        }
        several.end();
    }
}

/// File systems give the inode of a deleted file to the next one, whatever its name.
#[test]
fn files_that_come_and_go_under_the_same_names_many_times() {
    for options in BOTH {
        let directory = tempfile::tempdir().unwrap();
        let mut several = Several::begin(directory.path(), &["a", "b", "c"], &[options, &["--rotate-wait", "0s"]].concat());
        for round in 0..scale(30, 300) {
            let indices = [round % 3, (round + 1) % 3];
            for index in indices {
                several.write(index);
                several.write(index);
            }
            for index in indices {
                let next = several.next[index];
                several.expect(index, next - 2);
                several.expect(index, next - 1);
                fs::remove_file(&several.paths[index]).unwrap();
            }
        }
        several.end();
    }
}

#[test]
fn two_files_written_in_turn_while_the_daemon_is_stopped() {
    for options in BOTH {
        let directory = tempfile::tempdir().unwrap();
        let mut several = Several::begin(directory.path(), &["a", "b"], options);
        for round in 0..scale(3, 50) {
            several.bridge.signal("STOP");
            (0..40).for_each(|line| several.write((line + round) % 2));
            several.bridge.signal("CONT");
            for index in 0..2 {
                (20 * round + 1..=20 * round + 20).for_each(|number| several.expect(index, number));
            }
        }
        several.end();
    }
}

#[test]
fn several_files_that_are_rotated_fast() {
    for options in BOTH {
        let directory = tempfile::tempdir().unwrap();
        let mut several = Several::begin(directory.path(), &["a", "b", "c", "d"], options);
        for rotation in 0..scale(20, 200) {
            for index in 0..4 {
                (0..3).for_each(|_| several.write(index));
            }
            thread::sleep(CLOCK_STEP);
            for path in &several.paths {
                fs::rename(path, ending(path, &format!(".{rotation}"))).unwrap();
            }
        }
        for index in 0..4 {
            (1..several.next[index]).for_each(|number| several.expect(index, number));
        }
        several.end();
    }
}

/// Which file stands there first is decided by time; from the first line that comes on, none is missing.
#[test]
fn a_file_that_is_replaced_while_the_daemon_starts() {
    for options in BOTH {
        for _ in 0..scale(5, 50) {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("app.log");
            let (ends, writer) = (AtomicBool::new(false), path.clone());
            thread::scope(|scope| {
                let writer = scope.spawn(|| {
                    let mut next = 1;
                    for rotation in 0.. {
                        for _ in 0..3 {
                            appending(&writer).write_all(format!("{}\n", text(next)).as_bytes()).unwrap();
                            next += 1;
                        }
                        if ends.load(Ordering::SeqCst) {
                            return next - 1;
                        }
                        thread::sleep(CLOCK_STEP);
                        fs::rename(&writer, ending(&writer, &format!(".{rotation}"))).unwrap();
                    }
                    unreachable!()
                });
                let source = format!("{CHANNEL}={}", path.display());
                let bridge = Bridge::start(&[&["--from", "start", source.as_str()], options].concat());
                let mut get = bridge.get("/events?tail=all");
                let mut come = lines_of(&mut get, 30);
                ends.store(true, Ordering::SeqCst);
                let last = writer.join().unwrap();
                while come.last() != Some(&last) {
                    come.extend(lines_of(&mut get, 1));
                }
                let expected: Vec<_> = (come[0]..=last).collect();
                assert_eq!(come, expected);
            });
        }
    }
}

/// The numbers of the next lines.
fn lines_of(get: &mut Get, count: usize) -> Vec<usize> {
    let messages = std::iter::from_fn(|| get.next_event()).filter(|message| message.event != "start");
    messages.take(count).map(|message| number(&message).unwrap_or_else(|| panic!("no line: {message:?}"))).collect()
}

/// A log that nobody may change but by appending: the daemon needs no right to it but to read.
#[test]
fn a_file_that_may_only_grow() {
    for options in BOTH {
        let directory = tempfile::tempdir().unwrap();
        let start = |arguments: &[&str]| Bridge::spawn(unprivileged(arguments));
        let mut several = Several::by(start, directory.path(), &["a"], options);
        several.write(0);
        several.expect(0, 1);
        let writer = appending(&several.paths[0]);
        let guard = OnlyGrowing::make(&several.paths[0]);
        for number in 2..10 {
            several.write_to(&writer, 0);
            several.expect(0, number);
        }
        drop(guard);
        fs::rename(&several.paths[0], directory.path().join("a.1")).unwrap();
        several.write(0);
        several.expect(0, 10);
        several.end();
    }
}

/// A file that may be written to only by who has it open already. Where the kernel lets the tests do it (it wants root, and more of it than containers have),
/// the file has the attribute `a` of ext4 and others as well: then not even root opens it but for appending, and nobody renames or removes it.
struct OnlyGrowing(PathBuf);

impl OnlyGrowing {
    fn make(path: &Path) -> Self {
        fs::set_permissions(path, Permissions::from_mode(0o444)).unwrap();
        chattr("+a", path);
        Self(path.to_owned())
    }
}

impl Drop for OnlyGrowing {
    fn drop(&mut self) {
        chattr("-a", &self.0); // nobody could remove the file
        let _ = fs::set_permissions(&self.0, Permissions::from_mode(0o644));
    }
}

/// Changes an attribute, if the kernel allows it.
fn chattr(change: &str, path: &Path) {
    Command::new("chattr").arg(change).arg(path).output().expect("chattr (tests/install)");
}
