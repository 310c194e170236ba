//! Numbered lines through every rotation.
//!
//! A [`Scene`] writes lines that carry their number, does to their file what programs do, and notes what must come of it: which lines must arrive,
//! which may be lost because no byte of them is left anywhere, and where a `gap` may or must stand. The oracle ([`Scene::judge`]): every number once, in
//! order, or a gap exactly at the place of the loss; nothing doubled, nothing changed.
//!
//! When the operating system makes loss unavoidable:
//! - A truncation destroys what was not read before it, unless a copy beside the file (`NAME.*`, `NAME-*`) holds it. Wherever anything of the
//!   content before it has come, it is a gap, whether or not something was lost: nobody can know. A content that came and went between two looks
//!   never was, and no gap tells of it.
//! - What is written between the copy and the truncation is in no copy.
//! - A file that was made and unlinked between two looks never was. So here each file that will be deleted, or that its path leaves for a place
//!   that is not beside it, has been seen by the daemon before; from then on its descriptor keeps every byte.
//!
//! Everything else must arrive. Files that were finished in one step of the kernel's clock cannot be put in order, so there is at least one step between
//! two rotations.
//!
//! Each case runs with and without watching, and with and without a daemon that is stopped (SIGSTOP) before the event and goes on after it.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::parser::Message;
use crate::harness::{Bridge, Get, PATIENCE, Random, command, scale, seed};

/// What the channel of the file is called.
const CHANNEL: &str = "torture";

/// Longer than a step of the clock with which the kernel stamps files.
const CLOCK_STEP: Duration = Duration::from_millis(12);

/// How many daemons run at once.
const BRIDGES: usize = 8;

/// What must come, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Item {
    /// A line; a sure one is on disk until it has been read.
    Line { number: usize, is_sure: bool },
    /// The content ended with a truncation. If any line of it has come, a gap must follow.
    Cut,
    /// Another file follows.
    Other,
}

impl Item {
    /// What it is, for people.
    fn label(&self) -> Result<usize, String> {
        match self {
            Self::Line { number, is_sure: true } => Ok(*number),
            Self::Line { number, is_sure: false } => Err(format!("({number})")),
            Self::Cut => Err("CUT".to_owned()),
            Self::Other => Err("OTHER".to_owned()),
        }
    }
}

/// How lines end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Lf,
    CrLf,
}

/// A file, who writes it, who reads it, and what is expected.
struct Scene {
    directory: tempfile::TempDir,
    /// What the daemon follows.
    path: PathBuf,
    /// Where the writer's bytes go.
    file: Option<File>,
    bridge: Bridge,
    get: Get,
    random: Random,
    ending: Ending,
    expected: Vec<Item>,
    seen: Vec<Message>,
    next: usize,
    /// How many rotations there were.
    rotations: usize,
    /// The newest line that has been seen; it stands for all before it.
    newest_seen: Option<usize>,
    is_stopped: bool,
    /// Whether the daemon is stopped across events.
    stops: bool,
    /// After so long, what is doubled has come: with the next look, or when a rotated file is given up.
    until_quiet: Duration,
}

/// One of the ways to run a case.
#[derive(Debug, Clone, Copy)]
struct Mode {
    polls: bool,
    stops: bool,
}

const MODES: [Mode; 4] = [
    Mode { polls: false, stops: false },
    Mode { polls: false, stops: true },
    Mode { polls: true, stops: false },
    Mode { polls: true, stops: true },
];

/// How a case begins.
#[derive(Clone, Copy)]
struct Setting {
    ending: Ending,
    /// Makes what leads to the file, and says where the file is.
    prepare: fn(&Path) -> PathBuf,
    /// Whether the daemon runs as somebody who may not read everything.
    as_nobody: bool,
}

const PLAIN: Setting = Setting { ending: Ending::Lf, prepare: |directory| directory.join("app.log"), as_nobody: false };

impl Scene {
    fn begin(mode: Mode, setting: Setting, seed: u64) -> Self {
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
    fn open(&mut self) {
        self.file = Some(appending(&self.path));
        self.expected.push(Item::Other);
    }

    /// A number of lines; some are long, some come in two pieces.
    fn write(&mut self) {
        for _ in 0..self.random.below(40) + 1 {
            self.write_line(true);
        }
    }

    fn write_line(&mut self, is_sure: bool) {
        let number = self.next_line(is_sure);
        let bytes = self.bytes(number);
        let cut = if self.random.below(4) == 0 { self.random.below(bytes.len() + 1) } else { 0 };
        self.write_bytes(&bytes[..cut]);
        self.write_bytes(&bytes[cut..]);
    }

    fn next_line(&mut self, is_sure: bool) -> usize {
        let number = self.next;
        self.next += 1;
        self.expected.push(Item::Line { number, is_sure });
        number
    }

    fn bytes(&self, number: usize) -> Vec<u8> {
        let ending = if self.ending == Ending::CrLf { "\r\n" } else { "\n" };
        format!("{}{ending}", text(number)).into_bytes()
    }

    fn write_bytes(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.file.as_mut().expect("the writer has a file").write_all(bytes).unwrap();
        }
    }

    /// What is on disk now and unread is about to be destroyed.
    fn doubt_unread(&mut self) {
        let seen = self.newest_seen;
        for item in &mut self.expected {
            if let Item::Line { number, is_sure } = item {
                *is_sure &= seen.is_some_and(|seen| *number <= seen);
            }
        }
    }

    /// A name beside the file, as rotation gives it: numbered anew each time, or by date.
    fn rotated_name(&mut self, path: &Path) -> PathBuf {
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
    fn rename_and_create(&mut self) {
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
    fn copy_and_truncate(&mut self, copy: &Path) {
        fs::copy(&self.path, copy).unwrap();
        for _ in 0..self.random.below(3) {
            self.write_line(false);
        }
        thread::sleep(CLOCK_STEP);
        self.truncate();
    }

    fn truncate(&mut self) {
        OpenOptions::new().write(true).truncate(true).open(&self.path).unwrap();
        self.expected.push(Item::Cut);
    }

    // The daemon.

    fn stop(&mut self) {
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

    fn go_on(&mut self) {
        if std::mem::take(&mut self.is_stopped) {
            self.bridge.signal("CONT");
        }
    }

    // The client.

    /// Waits for the newest line.
    fn see(&mut self) {
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

    /// Sees a last line, and judges all that came.
    fn judge(mut self) {
        self.write();
        self.see();
        thread::sleep(self.until_quiet);
        self.write_line(true);
        self.see();
        self.get.assert_strict();
        let all: Vec<_> =
            self.bridge.get("/events?tail=all&follow=0").rest().into_iter().map(|message| (message.id, message.data)).collect();
        let seen: Vec<_> = self.seen.iter().map(|message| (message.id.clone(), message.data.clone())).collect();
        assert_eq!(seen, all, "a client from the beginning and one from the end see the same");
        if let Err(fault) = check(&self.expected, &self.seen) {
            let (expected, seen) = (in_short(self.expected.iter().map(Item::label)), in_short(self.seen.iter().map(label)));
            panic!(
                "{fault}\nexpected: {expected}\nseen: {seen}\nin '{}' {:#?}",
                self.path.display(),
                listing(self.directory.path())
            );
        }
    }
}

/// Compares what came with what was expected.
fn check(expected: &[Item], seen: &[Message]) -> Result<(), String> {
    let mut at = 0; // of what is expected
    let mut gaps = 0; // since the last line
    let mut last = None;
    let mut has_come = false; // any line of the content in hand
    for message in seen {
        if message.event == "gap" {
            check_gap(message)?;
            gaps += 1;
            continue;
        }
        let number = number(message).ok_or_else(|| format!("this is no line: {message:?}, after {last:?}"))?;
        if message.data != text(number) {
            return Err(format!("line {number} has become {:?}, after {last:?}", message.data));
        }
        let found = expected[at..].iter().position(|item| matches!(item, Item::Line { number: this, .. } if *this == number));
        let Some(found) = found else {
            return Err(format!("line {number} came again, or too late: after {last:?}"));
        };
        check_between(&expected[at..at + found], gaps, &mut has_come)
            .map_err(|fault| format!("{fault}, between lines {last:?} and {number}"))?;
        at += found + 1;
        gaps = 0;
        has_come = true;
        last = Some(number);
    }
    check_between(&expected[at..], gaps, &mut has_come).map_err(|fault| format!("{fault}, after line {last:?}"))
}

/// What lies between two lines that came: the ends of contents, and lines that may be lost.
fn check_between(skipped: &[Item], gaps: usize, has_come: &mut bool) -> Result<(), String> {
    let (mut lost, mut cuts, mut least) = (0, 0, 0);
    for item in skipped {
        match item {
            Item::Line { number, is_sure: true } => {
                return Err(format!("line {number} is on disk but did not come ({gaps} gaps there)"));
            }
            Item::Line { .. } => lost += 1,
            Item::Cut => {
                cuts += 1;
                least += usize::from(std::mem::take(has_come));
            }
            Item::Other => *has_come = false,
        }
    }
    if (least..=cuts).contains(&gaps) { Ok(()) } else { Err(format!("{gaps} gaps, not {least} to {cuts} ({lost} lines lost)")) }
}

/// What a message is, for people: a line's number, and when it came.
fn label(message: &Message) -> Result<usize, String> {
    number(message).ok_or_else(|| format!("{} {} {:.120}", message.event, message.id, message.data))
}

/// Numbers as ranges.
fn in_short(items: impl Iterator<Item = Result<usize, String>>) -> String {
    let mut ranges: Vec<Result<(usize, usize), String>> = Vec::new();
    for item in items {
        match (item, ranges.last_mut()) {
            (Ok(number), Some(Ok((_, last)))) if *last + 1 == number => *last = number,
            (Ok(number), _) => ranges.push(Ok((number, number))),
            (Err(other), _) => ranges.push(Err(other)),
        }
    }
    let words = ranges.into_iter().map(|range| range.map_or_else(|other| other, |(first, last)| format!("{first}-{last}")));
    words.collect::<Vec<_>>().join(" | ")
}

/// The files of a directory: names, sizes, times.
fn listing(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    let mut files: Vec<_> = entries
        .map(|entry| {
            let metadata = fs::symlink_metadata(entry.path()).unwrap();
            let time = |time: std::io::Result<std::time::SystemTime>| {
                time.unwrap().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis()
            };
            let (name, size) = (entry.file_name().display().to_string(), metadata.len());
            format!("{name}: {size} bytes, born {}, modified {}", time(metadata.created()), time(metadata.modified()))
        })
        .collect();
    files.sort();
    files
}

fn check_gap(message: &Message) -> Result<(), String> {
    let data: Value = serde_json::from_str(&message.data).map_err(|error| format!("{error}: {message:?}"))?;
    let reason = data["reason"].as_str().unwrap_or_default();
    let is_good = ["truncated", "overwritten", "vanished"].contains(&reason)
        && data["channels"] == serde_json::json!([CHANNEL])
        && message.has_own_id
        && message.id.ends_with(&format!("/{CHANNEL}"));
    if is_good { Ok(()) } else { Err(format!("no gap of a source: {message:?}")) }
}

fn number(message: &Message) -> Option<usize> {
    let (number, _) = (message.event == "message").then(|| message.data.split_once(' '))??;
    number.parse().ok()
}

/// What line `number` says. Its bytes differ from those of every other line all along: where they did not, nobody could tell a file that has
/// regrown from one that has not changed.
fn text(number: usize) -> String {
    let mut text = format!("{number} word");
    let length = match number % 50 {
        0 => 9000,
        n if n % 10 == 3 => 500,
        n => n,
    };
    while text.len() < length {
        text.push_str(&format!(" {number}"));
    }
    text
}

fn ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn appending(path: &Path) -> File {
    OpenOptions::new().append(true).create(true).open(path).unwrap()
}

/// The daemon as somebody without rights, from a copy that he may run. Whoever runs the tests without rights is somebody like that.
fn as_nobody(directory: &Path, arguments: &[&str]) -> std::process::Command {
    let original = command(arguments);
    if fs::metadata("/proc/self").map(|metadata| std::os::unix::fs::MetadataExt::uid(&metadata)).unwrap() != 0 {
        return original;
    }
    fs::create_dir(directory).unwrap();
    let copy = directory.join("sse-bridge");
    // By another process: a file that this one has open for writing, and any child of it for a moment, cannot be run.
    assert!(std::process::Command::new("cp").arg(original.get_program()).arg(&copy).status().unwrap().success());
    fs::set_permissions(directory, Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&copy, Permissions::from_mode(0o755)).unwrap();
    let mut nobody = std::process::Command::new("setpriv");
    nobody.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]).arg(copy).args(arguments);
    nobody
}

/// A place among the daemons that run at once.
struct Turn;

/// How many run.
static RUNNING: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

impl Turn {
    fn take() -> Self {
        let running = RUNNING.0.lock().unwrap();
        *RUNNING.1.wait_while(running, |running| *running >= BRIDGES).unwrap() += 1;
        Self
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *RUNNING.0.lock().unwrap() -= 1;
        RUNNING.1.notify_one();
    }
}

/// What happens to the file in one round: the daemon may be stopped in it, and what is unread then is on disk.
type Event = fn(&mut Scene);

/// Whether the daemon must have seen the file before the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    /// It must: without it nothing would be left of the file.
    Seen,
    /// It need not: everything can be found.
    Any,
}

/// Runs a case in every mode.
fn torture(setting: Setting, before: Before, event: Event) {
    let seed = seed();
    thread::scope(|scope| {
        let runs: Vec<_> = MODES
            .into_iter()
            .zip(seed..)
            .map(|(mode, seed)| {
                scope.spawn(move || {
                    let _turn = Turn::take();
                    let mut scene = Scene::begin(mode, setting, seed);
                    for _ in 0..scale(2, 50) {
                        round(&mut scene, before, event);
                    }
                    scene.judge();
                })
            })
            .collect();
        let failed: Vec<_> = runs.into_iter().zip(MODES).filter_map(|(run, mode)| run.join().err().map(|_| mode)).collect();
        assert!(failed.is_empty(), "failed: {failed:?}");
    });
}

fn round(scene: &mut Scene, before: Before, event: Event) {
    scene.write();
    if before == Before::Seen || scene.random.below(2) == 0 {
        scene.see();
    }
    scene.stop();
    if scene.random.below(2) == 0 {
        scene.write();
    }
    event(scene);
    scene.write();
    scene.go_on();
    if scene.random.below(2) == 0 {
        scene.see();
    }
}

#[test]
fn a_file_that_is_renamed_and_made_anew() {
    torture(PLAIN, Before::Any, Scene::rename_and_create);
}

#[test]
fn two_and_three_renames_between_two_looks() {
    torture(PLAIN, Before::Any, rename_twice_or_more);
}

fn rename_twice_or_more(scene: &mut Scene) {
    for _ in 0..scene.random.below(2) + 1 {
        scene.rename_and_create();
        scene.write();
    }
    scene.rename_and_create();
}

#[test]
fn a_file_that_is_copied_and_truncated() {
    torture(PLAIN, Before::Any, copy_and_truncate);
}

fn copy_and_truncate(scene: &mut Scene) {
    for _ in 0..scene.random.below(2) + 1 {
        let name = scene.rotated_name(&scene.path.clone());
        scene.copy_and_truncate(&name);
        scene.write();
    }
}

#[test]
fn a_file_that_is_copied_and_truncated_whose_writer_keeps_its_offset() {
    torture(PLAIN, Before::Any, |scene| {
        let mut file = OpenOptions::new().write(true).open(&scene.path).unwrap();
        file.seek(SeekFrom::End(0)).unwrap();
        scene.file = Some(file);
        scene.write();
        for _ in 0..scene.random.below(2) + 1 {
            let name = scene.rotated_name(&scene.path.clone());
            scene.copy_and_truncate(&name);
            scene.write();
        }
    });
}

/// What was copied cannot be found, so what was unread is lost.
#[test]
fn a_file_that_is_copied_elsewhere_and_truncated() {
    torture(PLAIN, Before::Any, |scene| {
        scene.doubt_unread();
        let name = scene.directory.path().join("elsewhere");
        scene.copy_and_truncate(&name);
    });
}

/// What was unread is lost. The file is shorter than before, or longer.
#[test]
fn a_file_that_is_truncated_and_grows_again() {
    torture(PLAIN, Before::Any, truncate_and_grow);
}

fn truncate_and_grow(scene: &mut Scene) {
    scene.doubt_unread();
    let length = fs::metadata(&scene.path).unwrap().len();
    scene.truncate();
    if scene.random.below(2) == 0 {
        while fs::metadata(&scene.path).unwrap().len() <= length {
            scene.write();
        }
    }
}

#[test]
fn a_file_that_is_deleted_and_made_again() {
    torture(PLAIN, Before::Seen, delete_and_make);
}

fn delete_and_make(scene: &mut Scene) {
    fs::remove_file(&scene.path).unwrap();
    if scene.random.below(2) == 0 {
        scene.write(); // to the file without a name
    }
    thread::sleep(CLOCK_STEP);
    scene.open();
}

#[test]
fn a_file_that_is_replaced_by_another_one() {
    torture(PLAIN, Before::Seen, replace);
}

fn replace(scene: &mut Scene) {
    let new = scene.directory.path().join("new");
    let mut file = appending(&new);
    if scene.random.below(2) == 0 {
        scene.write(); // still to the old one
    }
    scene.expected.push(Item::Other);
    let number = scene.next_line(true);
    file.write_all(&scene.bytes(number)).unwrap();
    thread::sleep(CLOCK_STEP);
    fs::rename(&new, &scene.path).unwrap();
    scene.file = Some(file);
}

#[test]
fn a_link_that_is_led_to_another_file() {
    let setting = Setting {
        prepare: |directory| {
            symlink("v0.txt", directory.join("app.log")).unwrap();
            directory.join("app.log")
        },
        ..PLAIN
    };
    torture(setting, Before::Seen, |scene| {
        scene.rotations += 1;
        let target = format!("v{}.txt", scene.rotations);
        let directory = scene.directory.path().to_owned();
        if scene.random.below(2) == 0 {
            symlink(&target, directory.join("link")).unwrap();
            fs::rename(directory.join("link"), &scene.path).unwrap();
        } else {
            fs::remove_file(&scene.path).unwrap();
            scene.write(); // to the old target
            symlink(&target, &scene.path).unwrap();
        }
        scene.open();
    });
}

#[test]
fn a_rotation_behind_a_link() {
    let setting = Setting {
        prepare: |directory| {
            fs::create_dir(directory.join("pod")).unwrap();
            symlink("pod/0.log", directory.join("container.log")).unwrap();
            directory.join("container.log")
        },
        ..PLAIN
    };
    torture(setting, Before::Any, |scene| {
        scene.rename_and_create();
        if scene.random.below(2) == 0 {
            scene.write();
            scene.rename_and_create();
        }
    });
}

/// Makes version `number` of the directory that Kubernetes mounts, and leads `..data` to it.
fn swap_data(directory: &Path, number: usize) {
    let version = format!("..v{number}");
    fs::create_dir(directory.join(&version)).unwrap();
    File::create(directory.join(&version).join("app.log")).unwrap();
    symlink(&version, directory.join("..data_tmp")).unwrap();
    fs::rename(directory.join("..data_tmp"), directory.join("..data")).unwrap();
}

#[test]
fn the_data_directory_of_kubernetes_is_swapped() {
    let setting = Setting {
        prepare: |directory| {
            swap_data(directory, 0);
            symlink("..data/app.log", directory.join("app.log")).unwrap();
            directory.join("app.log")
        },
        ..PLAIN
    };
    torture(setting, Before::Seen, |scene| {
        let old = scene.rotations;
        scene.rotations += 1;
        swap_data(scene.directory.path(), scene.rotations);
        if scene.random.below(2) == 0 {
            fs::remove_dir_all(scene.directory.path().join(format!("..v{old}"))).unwrap();
        }
        scene.open();
    });
}

#[test]
fn a_directory_that_is_removed_and_made_again() {
    let setting = Setting {
        prepare: |directory| {
            fs::create_dir_all(directory.join("a/b")).unwrap();
            directory.join("a/b/app.log")
        },
        ..PLAIN
    };
    torture(setting, Before::Seen, |scene| {
        let top = scene.directory.path().join("a");
        if scene.random.below(2) == 0 {
            fs::remove_dir_all(&top).unwrap();
        } else {
            scene.rotations += 1;
            fs::rename(&top, scene.directory.path().join(format!("away{}", scene.rotations))).unwrap();
        }
        if scene.random.below(2) == 0 {
            scene.write(); // to the file without this name
        }
        thread::sleep(CLOCK_STEP);
        fs::create_dir_all(scene.path.parent().unwrap()).unwrap();
        scene.open();
    });
}

#[test]
fn a_file_whose_rights_go_and_come_back() {
    torture(Setting { as_nobody: true, ..PLAIN }, Before::Any, |scene| {
        let (directory, path) = (scene.directory.path().to_owned(), scene.path.clone());
        match scene.random.below(3) {
            0 => chmod(&path, 0o000),
            1 => chmod(&directory, 0o700), // nobody may not look into it
            _ => {
                scene.rename_and_create();
                chmod(&path, 0o000);
            }
        }
        scene.write();
        if !scene.is_stopped && scene.random.below(2) == 0 {
            scene.bridge.get("/channels").text(); // a moment to notice
            thread::sleep(Duration::from_millis(300));
        }
        scene.write();
        chmod(&path, 0o644);
        chmod(&directory, 0o755);
    });
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_line_that_is_finished_later() {
    torture(PLAIN, Before::Any, finish_a_line_later);
}

fn finish_a_line_later(scene: &mut Scene) {
    let number = scene.next_line(true);
    let bytes = scene.bytes(number);
    let (first, second) = (scene.random.below(bytes.len()), scene.random.below(bytes.len()));
    scene.write_bytes(&bytes[..first]);
    if !scene.is_stopped {
        thread::sleep(Duration::from_millis(scene.random.below(600) as u64)); // a look or two fall in between, or none
    }
    let second = second.max(first);
    scene.write_bytes(&bytes[first..second]);
    if scene.random.below(2) == 0 {
        let name = scene.rotated_name(&scene.path.clone());
        fs::rename(&scene.path, name).unwrap();
        scene.write_bytes(&bytes[second..]);
        scene.open();
    } else {
        scene.write_bytes(&bytes[second..]);
    }
}

#[test]
fn lines_that_end_in_cr_and_lf() {
    torture(Setting { ending: Ending::CrLf, ..PLAIN }, Before::Any, |scene| {
        let number = scene.next_line(true);
        let bytes = scene.bytes(number);
        let (most, last) = bytes.split_at(bytes.len() - 1);
        scene.write_bytes(most); // all but the LF
        if !scene.is_stopped {
            thread::sleep(Duration::from_millis(scene.random.below(300) as u64)); // a look falls in between, or none
        }
        scene.write_bytes(last);
        if scene.random.below(2) == 0 {
            scene.rename_and_create();
        }
    });
}

#[test]
fn a_file_that_becomes_a_directory_and_a_file_again() {
    torture(PLAIN, Before::Seen, become_a_directory);
}

fn become_a_directory(scene: &mut Scene) {
    if scene.random.below(2) == 0 {
        fs::remove_file(&scene.path).unwrap();
    } else {
        let name = scene.rotated_name(&scene.path.clone());
        fs::rename(&scene.path, name).unwrap();
    }
    fs::create_dir(&scene.path).unwrap();
    if scene.random.below(2) == 0 {
        scene.write(); // to the file without this name
    }
    if !scene.is_stopped && scene.random.below(2) == 0 {
        scene.bridge.wait_for_stderr("it is a directory");
    }
    thread::sleep(CLOCK_STEP);
    fs::remove_dir(&scene.path).unwrap();
    scene.open();
}

/// All of it, in any order, to one file.
#[test]
fn everything_in_any_order() {
    torture(PLAIN, Before::Seen, |scene| {
        let events: [Event; 8] = [
            Scene::rename_and_create,
            rename_twice_or_more,
            copy_and_truncate,
            truncate_and_grow,
            delete_and_make,
            replace,
            finish_a_line_later,
            become_a_directory,
        ];
        let event = events[scene.random.below(events.len())];
        event(scene);
    });
}

/// A daemon that follows several files in channels of their own, and the lines of each.
struct Several {
    bridge: Bridge,
    gets: Vec<Get>,
    paths: Vec<PathBuf>,
    next: Vec<usize>,
}

impl Several {
    fn begin(directory: &Path, names: &[&str], options: &[&str]) -> Self {
        let paths: Vec<_> = names.iter().map(|name| directory.join(name)).collect();
        let sources: Vec<_> = names.iter().zip(&paths).map(|(name, path)| format!("{name}={}", path.display())).collect();
        let bridge =
            Bridge::start(&[&["--from", "start"], options, &sources.iter().map(String::as_str).collect::<Vec<_>>()].concat());
        let gets = names.iter().map(|name| bridge.get(&format!("/events/{name}?tail=all"))).collect();
        Self { bridge, gets, next: vec![1; paths.len()], paths }
    }

    fn write(&mut self, index: usize) {
        let line = format!("{}\n", text(self.next[index]));
        appending(&self.paths[index]).write_all(line.as_bytes()).unwrap();
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
            let (ends, writer) = (std::sync::atomic::AtomicBool::new(false), path.clone());
            thread::scope(|scope| {
                let writer = scope.spawn(|| {
                    let mut next = 1;
                    for rotation in 0.. {
                        for _ in 0..3 {
                            appending(&writer).write_all(format!("{}\n", text(next)).as_bytes()).unwrap();
                            next += 1;
                        }
                        if ends.load(std::sync::atomic::Ordering::SeqCst) {
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
                ends.store(true, std::sync::atomic::Ordering::SeqCst);
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

/// A file with the attribute `a` of ext4 and others may be opened for appending alone, and is neither renamed nor removed.
#[test]
fn a_file_that_may_only_grow() {
    for options in BOTH {
        let directory = tempfile::tempdir().unwrap();
        let mut several = Several::begin(directory.path(), &["a"], options);
        several.write(0);
        several.expect(0, 1);
        let guard = OnlyGrowing::make(&several.paths[0]);
        for number in 2..10 {
            several.write(0);
            several.expect(0, number);
        }
        drop(guard);
        fs::rename(&several.paths[0], directory.path().join("a.1")).unwrap();
        several.write(0);
        several.expect(0, 10);
        several.end();
    }
}

/// Takes the attribute away again: nobody could remove the file.
struct OnlyGrowing(PathBuf);

impl OnlyGrowing {
    fn make(path: &Path) -> Self {
        let made = std::process::Command::new("chattr").arg("+a").arg(path).output().unwrap();
        if !made.status.success() {
            println!("not here, only appended to: {}", String::from_utf8_lossy(&made.stderr));
        }
        Self(path.to_owned())
    }
}

impl Drop for OnlyGrowing {
    fn drop(&mut self) {
        let _ = std::process::Command::new("chattr").arg("-a").arg(&self.0).output();
    }
}
