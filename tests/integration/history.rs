//! `sse-bridge history DIR`: what a state directory holds, whether it is as it was written, and with which code that ends.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use serde_json::Value;
use sse_bridge::event::{Age, Event, Position};
use sse_bridge::sse::{self, Ids};
use sse_bridge::store::Keep;
use sse_bridge::store::disk::archive::{self, Archive};
use sse_bridge::store::disk::lock::Lock;
use sse_bridge::store::disk::log::Entry;
use sse_bridge::store::disk::retention;
use sse_bridge::store::disk::volume::Kernel;

use crate::harness::bytes::{flip, length};
use crate::harness::{command, run_to_end};
use crate::shell::shell;

/// When the numbering of these tests began: 2025-11-20T17:33:20Z.
const BEGAN: u64 = 1_763_660_000_000;

/// A state directory as a daemon leaves it.
struct State {
    _above: tempfile::TempDir,
    path: PathBuf,
    archive: Archive,
    newest: Position,
}

impl State {
    fn new() -> Self {
        let above = tempfile::tempdir().unwrap();
        let path = above.path().join("state");
        drop(Lock::take(&path).unwrap());
        let (archive, _) = Archive::open(Arc::new(Kernel), &path, BEGAN, Keep { size: 512 << 10, age: None }).unwrap();
        Self { _above: above, path, archive, newest: Position { number: 0, time: BEGAN } }
    }

    /// Three channels: `web` with three segments of 40, 40 and 20 events, `web/a` with two events, `x.sse` with one.
    fn with_three_channels() -> Self {
        let mut state = Self::new();
        for _ in 0..5 {
            state.append("web", 20, 1500);
        }
        state.append("web/a", 2, 10);
        state.append("x.sse", 1, 10);
        assert_eq!(state.segments("web").len(), 3);
        state
    }

    /// All of it is safe from a power cut.
    fn sync(&mut self) {
        let taken = self.archive.take_unsynced();
        archive::sync(&Kernel, &self.path, &taken).unwrap();
    }

    /// The names of all files, and how long they are.
    fn snapshot_of_files(&self) -> Vec<(PathBuf, u64)> {
        let (mut found, mut directories) = (Vec::new(), vec![self.path.clone()]);
        while let Some(directory) = directories.pop() {
            for path in fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()) {
                found.push((path.clone(), length_of(&path)));
                directories.extend(path.is_dir().then_some(path));
            }
        }
        found.sort();
        found
    }

    /// What is too much goes.
    fn let_go(&mut self) {
        for gone in self.archive.let_go(self.newest.time).unwrap() {
            retention::remove(&Kernel, &self.path, &gone).unwrap();
        }
    }

    fn append(&mut self, channel: &str, count: u64, size: usize) {
        let channel = channel.parse().unwrap();
        let (mut events, mut ids) = (Vec::new(), Ids::default());
        let time = self.newest.time + 1000;
        ids.set(time, &channel);
        for number in self.newest.number + 1..=self.newest.number + count {
            let data = format!("{number} {}", "x".repeat(size));
            sse::event(&mut events, &ids, number, Event { kind: None, data: data.as_bytes() });
        }
        self.newest = Position { time, number: self.newest.number + count };
        let entry = Entry { last: self.newest, count, events: &events, age: Age::New };
        self.archive.append(&channel, &[entry], Some("here")).unwrap();
    }

    /// The segments in a channel's directory, oldest first.
    fn segments(&self, directory: &str) -> Vec<PathBuf> {
        let files = fs::read_dir(self.path.join(directory)).unwrap().map(|entry| entry.unwrap().path());
        let mut segments: Vec<_> = files.filter(|path| path.extension().is_some_and(|ending| ending == "sse")).collect();
        segments.sort();
        segments
    }

    fn ask(&self, options: &[&str]) -> (i32, String) {
        let (code, out, err) = run_to_end(&[&["history", self.path.to_str().unwrap()], options].concat(), Stdio::null());
        assert!(err.is_empty(), "{err}");
        (code, out)
    }

    /// The lines of what is found, without the path of the state directory.
    fn findings(&self, options: &[&str]) -> (i32, Vec<String>) {
        let (code, out) = self.ask(options);
        let (found, table) = out.split_once("CHANNEL").expect("there is a table");
        assert!(table.contains("\ntotal "), "{out}");
        let path = format!("{}/", self.path.display());
        (code, found.lines().map(|line| line.replace(&path, "")).collect())
    }

    /// Everything there, with what the kernel knows of it.
    fn snapshot(&self) -> BTreeMap<PathBuf, (Vec<u8>, u32, i64, i64)> {
        let mut found = BTreeMap::new();
        let mut directories = vec![self.path.clone()];
        while let Some(directory) = directories.pop() {
            for path in fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()) {
                let known = fs::metadata(&path).unwrap();
                let bytes = if known.is_dir() { Vec::new() } else { fs::read(&path).unwrap() };
                if known.is_dir() {
                    directories.push(path.clone());
                }
                found.insert(path, (bytes, known.mode(), known.mtime(), known.mtime_nsec()));
            }
        }
        found
    }
}

fn length_of(path: &Path) -> u64 {
    fs::metadata(path).unwrap().len()
}

fn append_bytes(path: &Path, bytes: &[u8]) {
    File::options().append(true).open(path).unwrap().write_all(bytes).unwrap();
}

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

#[test]
fn a_table_says_what_each_channel_holds() {
    let state = State::with_three_channels();
    let before = state.snapshot();
    for (options, words) in
        [(&[][..], "only the ends of files were read (--verify reads all)"), (&["--verify"], "every record was read")]
    {
        let (code, out) = state.ask(options);
        assert_eq!(code, 0, "{out}");
        let rows: Vec<Vec<_>> = out.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows[0], ["CHANNEL", "EVENTS", "FIRST", "AT", "LAST", "AT", "SIZE", "SEGMENTS", "GONE", "LOST", "ASIDE"]);
        assert_eq!(rows[1][..5], ["web", "100", "1763660001000-1", "2025-11-20T17:33:21.000Z", "1763660005000-100"], "{out}");
        assert_eq!(rows[1][8..], ["3", "0", "0", "0"], "{out}");
        assert_eq!(rows[2][..5], ["web/a", "2", "1763660006000-101", "2025-11-20T17:33:26.000Z", "1763660006000-102"]);
        assert_eq!(rows[3][..2], ["x.sse", "1"]);
        assert_eq!(rows[4][..2], ["total", "103"]);
        assert_eq!(out.lines().last().unwrap(), format!("no damage found; {words}"));
        assert_eq!(rows.len(), 6, "{out}");
    }
    assert_eq!(state.snapshot(), before, "nothing was changed");
}

#[test]
fn programs_get_an_object_a_line() {
    let state = State::with_three_channels();
    flip(&state.segments("web")[1], 200);
    fs::write(state.path.join("web/old.sse.damaged"), "kept").unwrap();
    let (code, out) = state.ask(&["--json", "--verify"]);
    assert_eq!(code, 1);
    let objects: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<_> = objects.iter().map(|object| object["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["finding", "finding", "channel", "channel", "channel", "total"], "{out}");
    let damage = objects.iter().find(|object| object["kind"] == "damage").unwrap();
    assert_eq!(damage["file"], state.segments("web")[1].to_str().unwrap());
    assert!(damage["offset"].as_u64().is_some_and(|offset| offset < 200) && damage["what"].as_str().is_some(), "{damage}");
    let web = &objects[2];
    assert_eq!((&web["channel"], &web["events"], &web["lost"], &web["aside"]), (&"web".into(), &80.into(), &20.into(), &1.into()));
    assert_eq!((&web["segments"], &web["gone"]), (&3.into(), &0.into()));
    assert_eq!(web["bytes"], state.segments("web").iter().map(|path| length(path)).sum::<u64>());
    assert_eq!(web["first"]["id"], "1763660001000-1/web");
    assert_eq!(web["last"]["time"], "2025-11-20T17:33:25.000Z");
    let total = &objects[5];
    assert_eq!((&total["channels"], &total["events"], &total["damaged"]), (&3.into(), &83.into(), &1.into()));
}

#[test]
fn what_was_let_go_is_gone_and_not_lost() {
    let mut state = State::with_three_channels();
    for _ in 0..40 {
        state.append("web", 20, 1500);
    }
    state.let_go();
    let (code, out) = state.ask(&["--json", "--verify"]);
    let web: Value = serde_json::from_str(out.lines().next().unwrap()).unwrap();
    let (events, gone) = (web["events"].as_u64().unwrap(), web["gone"].as_u64().unwrap());
    assert!(code == 0 && gone > 0 && events + gone == 900 && web["lost"] == 0, "{out}");
    // A segment that somebody has deleted is lost, and that is damage until a start has said so.
    fs::remove_file(&state.segments("web")[2]).unwrap();
    let (code, out) = state.ask(&["--json", "--verify"]);
    let web: Value = serde_json::from_str(out.lines().next().unwrap()).unwrap();
    assert!(code == 1 && web["lost"] == 40 && web["events"] == events - 40 && web["gone"] == gone, "{out}");
}

/// What is done to a state directory of which all is safe.
type Loss = fn(&State, &[PathBuf]);

const LOSSES: [(&str, Loss, &str); 7] = [
    (
        "all segments cut to ten bytes",
        |_, web| web.iter().for_each(|path| File::options().write(true).open(path).unwrap().set_len(10).unwrap()),
        "nothing in it is as it was written, 10 bytes",
    ),
    ("the newest deleted", |_, web| fs::remove_file(&web[2]).unwrap(), "20 events are missing that were safe"),
    (
        "its end cut off",
        |_, web| File::options().write(true).open(&web[2]).unwrap().set_len(length(&web[2]) - 10).unwrap(),
        "20 events are missing that were safe",
    ),
    (
        "a directory in its place",
        |_, web| {
            fs::remove_file(&web[2]).unwrap();
            fs::create_dir(&web[2]).unwrap();
        },
        "20 events are missing that were safe",
    ),
    (
        "a pipe in the place of one in the middle",
        |_, web| {
            fs::remove_file(&web[1]).unwrap();
            nix::unistd::mkfifo(&web[1], nix::sys::stat::Mode::S_IRUSR).unwrap();
        },
        "40 events are missing between others",
    ),
    ("one in the middle deleted", |_, web| fs::remove_file(&web[1]).unwrap(), "40 events are missing between others"),
    (
        "garbage in @uncounted",
        |state, _| fs::write(state.path.join("@uncounted"), "garbage").unwrap(),
        "'@uncounted' is not as it was written",
    ),
];

#[test]
fn what_was_safe_and_is_not_there_is_damage_until_a_start_has_dealt_with_it() {
    for (what, lose, words) in LOSSES {
        let mut state = State::with_three_channels();
        state.sync();
        lose(&state, &state.segments("web"));
        let before = state.snapshot_of_files();
        let (code, found) = state.findings(&["--verify"]);
        assert!(
            code == 1 && found.iter().any(|line| line.starts_with("damage: ") && line.contains(words)),
            "{what}: {code} {found:#?}"
        );
        assert_eq!(state.snapshot_of_files(), before, "{what}: nothing was changed");
        let archive =
            Archive::open(Arc::new(Kernel), &state.path, state.newest.time, Keep { size: 512 << 10, age: None }).unwrap().0;
        if !what.contains("@uncounted") {
            let (code, found) = state.findings(&["--verify"]);
            assert_eq!(code, 0, "{what}: after the next start: {found:#?}");
        }
        drop(archive);
    }
}

#[test]
fn what_a_kill_or_a_power_cut_leaves_is_no_damage() {
    let mut state = State::with_three_channels();
    state.sync();
    state.append("web", 5, 100);
    state.append("web/a", 5, 100);
    assert_eq!(state.findings(&["--verify"]), (0, Vec::new()));
    // The end of one that was not safe, although what came after it in another channel is there.
    let path = &state.segments("web")[2];
    File::options().write(true).open(path).unwrap().set_len(length(path) - 10).unwrap();
    let (code, found) = state.findings(&["--verify"]);
    assert!(code == 0 && found.len() == 1 && found[0].starts_with("note: "), "{found:#?}");
}

#[test]
fn a_pipe_in_the_place_of_a_small_file_is_not_waited_for() {
    for name in ["@life", "@synced", "@uncounted", "@missing"] {
        let state = State::with_three_channels();
        let _ = fs::remove_file(state.path.join(name));
        nix::unistd::mkfifo(&state.path.join(name), nix::sys::stat::Mode::S_IRUSR | nix::sys::stat::Mode::S_IWUSR).unwrap();
        let (code, out) = state.ask(&["--verify"]);
        assert!(out.contains("total") && (code == 0 || name == "@life"), "{name}: {code} {out}");
    }
}

/// Where the last line of a segment begins, which commits.
fn last_line(path: &Path) -> u64 {
    let bytes = fs::read(path).unwrap();
    memchr::memmem::rfind(&bytes, b"\n:= ").unwrap() as u64 + 1
}

/// Where the first record of a segment begins, and how many bytes it has.
fn first_record(path: &Path) -> (usize, usize) {
    let bytes = fs::read(path).unwrap();
    let start = memchr::memchr(b'\n', &bytes).unwrap() + 1;
    let commit = memchr::memmem::find(&bytes, b"\n:= ").unwrap() + 1;
    (start, commit + memchr::memchr(b'\n', &bytes[commit..]).unwrap() + 1 - start)
}

/// What is done to a state directory with these segments of `web`, and what is said of it.
type Damage = fn(&State, &[PathBuf]) -> String;

const DAMAGES: [Damage; 10] = [
    |_, web| {
        flip(&web[0], 3);
        format!("web/{}: at byte 0: its head is not as it was written", name(&web[0]))
    },
    |_, web| {
        let (start, length) = first_record(&web[1]);
        flip(&web[1], start as u64 + 12);
        format!("web/{}: at byte {start}: {length} bytes are not as they were written", name(&web[1]))
    },
    |_, web| {
        let (start, length) = first_record(&web[1]);
        flip(&web[1], (start + length) as u64 - 3); // the source's position
        format!("web/{}: at byte {start}: {length} bytes are not as they were written", name(&web[1]))
    },
    |_, web| {
        fs::copy(&web[0], &web[1]).unwrap();
        format!("web/{}: at byte {}: event 1 is before the name of the segment", name(&web[1]), first_record(&web[1]).0)
    },
    |_, web| {
        append_bytes(&web[0], b"id: 1\n");
        let end = length(&web[0]) - 6;
        format!("web/{}: at byte {end}: its last 6 bytes were not committed, and it is not the newest segment", name(&web[0]))
    },
    |_, web| {
        let (file, whole) = (File::options().write(true).open(&web[1]).unwrap(), length(&web[1]));
        file.set_len(whole - 10).unwrap();
        let (start, first) = first_record(&web[1]);
        let left = whole as usize - 10 - start - first;
        format!("web/{}: at byte {}: its last {left} bytes were not committed", name(&web[1]), start + first)
    },
    |state, _| {
        fs::copy(&state.segments("web/a")[0], state.path.join("web/1-00000000000000000001.sse")).unwrap();
        "web/1-00000000000000000001.sse: at byte 0: it belongs to the channel 'web/a'".to_owned()
    },
    |_, web| {
        fs::rename(&web[2], format!("{}.mending", web[2].display())).unwrap();
        format!("web/{}.mending: its repair was interrupted; the next start finishes it", name(&web[2]))
    },
    |state, _| {
        flip(&state.path.join("@life"), 3);
        "@life: '@life' is not as it was written".to_owned()
    },
    |state, _| {
        fs::remove_file(state.path.join("@life")).unwrap();
        fs::write(state.path.join("@synced"), "").unwrap();
        "@life: '@life' is missing".to_owned()
    },
];

#[test]
fn each_kind_of_damage_is_a_line_that_says_where() {
    for damage in DAMAGES {
        let state = State::with_three_channels();
        let line = format!("damage: {}", damage(&state, &state.segments("web")));
        let before = state.snapshot();
        let (code, found) = state.findings(&["--verify"]);
        assert!(code == 1 && found.iter().any(|found| found.starts_with(&line)), "{code}, no {line:?} in {found:#?}");
        assert_eq!(state.snapshot(), before, "nothing was changed");
    }
}

#[test]
fn damage_in_the_middle_is_for_those_who_verify() {
    let state = State::with_three_channels();
    flip(&state.segments("web")[0], 200);
    assert_eq!(state.findings(&[]), (0, Vec::new()));
    assert_eq!(state.findings(&["--verify"]).0, 1);
    // Ends are looked at in any case.
    let path = &state.segments("web")[1];
    flip(path, last_line(path) + ":= 1763660004000".len() as u64);
    let (code, found) = state.findings(&[]);
    let line = format!("damage: web/{}: at byte {}: the line that commits a record is not", name(path), last_line(path));
    assert!(code == 1 && found.len() == 1 && found[0].starts_with(&line), "{found:?}");
}

#[test]
fn what_is_not_finished_or_was_repaired_is_a_note() {
    let state = State::with_three_channels();
    append_bytes(&state.segments("web")[2], b"id: 1-1/web\ndata: torn");
    append_bytes(&state.segments("web/a")[0], &[0; 5000]);
    fs::write(state.path.join("web/a/1763660099000-00000000000000000999.sse"), ": sse-bri").unwrap();
    fs::write(state.path.join("x%2Esse/1-00000000000000000001.sse.damaged"), "kept").unwrap();
    fs::write(state.path.join("@synced"), "no").unwrap();
    for options in [&[][..], &["--verify"]] {
        let (code, found) = state.findings(options);
        // The tail of zeros is not at the end of the newest any more.
        assert_eq!((code, found.iter().filter(|line| line.starts_with("note: ")).count()), (1, 4), "{found:#?}");
        assert!(found.iter().any(|line| line.contains("the last 22 bytes are not committed")), "{found:#?}");
        assert!(found.iter().any(|line| line.contains("nothing in it is committed, 9 bytes")), "{found:#?}");
        assert!(found.iter().any(|line| line.contains("set aside by an earlier repair, 4 bytes")), "{found:#?}");
        assert!(found.iter().any(|line| line.starts_with("damage: ") && line.contains("its last 5000 bytes were not committed")));
    }
    fs::remove_file(state.path.join("web/a/1763660099000-00000000000000000999.sse")).unwrap();
    let (code, found) = state.findings(&["--verify"]);
    assert!(code == 0 && found.iter().any(|line| line.contains("the last 5000 bytes are not committed")), "{found:#?}");
}

#[test]
fn a_newer_version_is_2() {
    for (file, format, words) in [
        ("@life", "sse-bridge 2 1763660000000 ", "the format 2 of"),
        ("web/1763660001000-00000000000000000001.sse", ": sse-bridge 9 what nobody knows ", "the format 9 of"),
    ] {
        let state = State::with_three_channels();
        let summed = format.trim_start_matches(": sse-bridge ").trim_end();
        fs::write(state.path.join(file), format!("{format}{:08x}\n", crc32fast::hash(summed.as_bytes()))).unwrap();
        let (code, out, err) = run_to_end(&["history", state.path.to_str().unwrap()], Stdio::null());
        assert!(code == 2 && out.is_empty() && err.lines().count() == 1, "{code} {out} {err}");
        assert!(err.contains(words) && err.contains(file) && err.contains("; hint: use the version that wrote it"), "{err}");
    }
}

#[test]
fn what_is_no_state_directory_is_2() {
    let above = tempfile::tempdir().unwrap();
    let path = |name: &str| above.path().join(name).to_str().unwrap().to_owned();
    fs::create_dir(path("empty")).unwrap();
    fs::create_dir(path("other")).unwrap();
    fs::write(path("other/file"), "x").unwrap();
    fs::write(path("file"), "x").unwrap();
    symlink("nowhere", path("link")).unwrap();
    drop(Lock::take(Path::new(&path("locked"))).unwrap());
    for (name, words) in [
        ("empty", "no daemon has used it as a state directory: there is no '@life' in it"),
        ("other", "no daemon has used it"),
        ("locked", "no daemon has used it"),
        ("file", "it is no directory"),
        ("link", "it does not exist"),
        ("nowhere", "it does not exist"),
    ] {
        for options in [&[][..], &["--verify"], &["--json"]] {
            let (code, out, err) = run_to_end(&[&["history", &path(name)], options].concat(), Stdio::null());
            assert_eq!((code, &*out), (2, ""), "{name}: {err}");
            assert!(err.starts_with(&format!("sse-bridge: could not show the history in '{}': {words}", path(name))), "{err}");
            assert!(err.lines().count() == 1 && err.contains("; hint: "), "{err}");
        }
    }
    let state = State::new();
    assert_eq!(state.findings(&["--verify"]), (0, Vec::new()), "one without events is one");
}

/// As a user that may read nothing of it.
#[test]
fn what_cannot_be_read_is_75() {
    const NOBODY: u32 = 65_534;
    let state = State::with_three_channels();
    let readable = |path: &Path, rights: u32| fs::set_permissions(path, fs::Permissions::from_mode(rights)).unwrap();
    readable(state.path.parent().unwrap(), 0o755);
    let binary = state.path.parent().unwrap().join("sse-bridge");
    fs::copy(command(&[]).get_program(), &binary).unwrap();
    let ask = |state: &State| {
        let mut asked = std::process::Command::new(&binary);
        asked.arg("history").arg(&state.path);
        if nix::unistd::geteuid().is_root() {
            asked.uid(NOBODY).gid(NOBODY);
        }
        let output = asked.output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    readable(&state.path, 0o000);
    let (code, out, err) = ask(&state);
    assert!(code == 75 && out.is_empty() && err.contains("it could not be read: permission denied; hint: "), "{code} {out} {err}");
    // One file of another owner: the rest is told.
    readable(&state.path, 0o755);
    for (path, _) in state.snapshot() {
        let rights = if path.is_dir() { 0o755 } else { 0o644 };
        readable(&path, rights);
    }
    readable(&state.segments("web")[2], 0o000);
    let (code, out, err) = ask(&state);
    let line = format!("unreadable: {}: could not be read: permission denied\n", state.segments("web")[2].display());
    assert!(code == 75 && out.starts_with(&line) && err.is_empty(), "{code} {out} {err}");
    assert!(out.lines().any(|line| line.split_whitespace().take(2).eq(["web", "80"])), "{out}");
    assert!(out.contains("\nno damage found, but 1 of its files could not be read; "), "{out}");
    // Damage is certain.
    flip(&state.segments("web")[0], 3);
    assert_eq!(ask(&state).0, 1);
}

#[test]
fn a_reader_who_leaves_is_no_error() {
    let mut state = State::with_three_channels();
    for channel in 0..2000 {
        state.append(&format!("c/{channel:04}/with-a-long-name-that-fills-the-pipe"), 1, 1);
    }
    for options in ["", "--verify", "--json"] {
        let script = format!("sse-bridge history {} {options} | head -n 1; exit ${{PIPESTATUS[0]}}", state.path.display());
        let cut = shell(&script).output().unwrap();
        assert!(
            cut.status.code() == Some(0) && cut.stderr.is_empty() && cut.stdout.iter().filter(|b| **b == b'\n').count() == 1,
            "{cut:?}"
        );
    }
    let full = shell(&format!("exec sse-bridge history {} >/dev/full", state.path.display())).output().unwrap();
    let said = String::from_utf8(full.stderr).unwrap();
    assert!(
        full.status.code() == Some(75) && said.contains("could not write to standard output: no space left on device"),
        "{said}"
    );
}

#[test]
fn it_may_be_asked_while_a_daemon_writes() {
    let mut state = State::with_three_channels();
    let _held = Lock::take(&state.path).unwrap();
    let path = state.path.to_str().unwrap().to_owned();
    let asking = std::thread::spawn(move || {
        for _ in 0..10 {
            let (code, out, err) = run_to_end(&["history", &path, "--verify"], Stdio::null());
            assert!(code == 0 && err.is_empty() && !out.contains("damage: "), "{code} {out} {err}");
        }
    });
    while !asking.is_finished() {
        state.append("web", 20, 1500);
        state.append("web/a", 1, 100);
        state.let_go();
    }
    asking.join().unwrap();
}

#[test]
fn only_the_first_word_bare_is_the_command() {
    let directory = tempfile::tempdir().unwrap();
    let check = |arguments: &[&str]| {
        let output = command(arguments).current_dir(&directory).stdin(Stdio::null()).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, err) = check(&["--check", "./history"]);
    assert!(code == 0 && err.contains("the configuration is good"), "{err}");
    for sources in [&["--check", "history"][..], &["--check", "--", "history"], &["--check", "a", "history"]] {
        let (code, err) = check(sources);
        assert!(code == 2 && err.contains("a file of that name is ./history"), "{sources:?}: {err}");
    }
    for (arguments, words) in [
        (&["history"][..], "<DIR>"),
        (&["history", "a", "b"], "'b'"),
        (&["history", "a", "--port", "0"], "'--port'"),
        (&["history", "a", "--verfy"], "'--verify'"),
    ] {
        let (code, err) = check(arguments);
        assert!(code == 2 && err.contains(words) && err.lines().count() == 1, "{arguments:?}: {err}");
    }
    let (code, out, err) = run_to_end(&["history", "--help"], Stdio::null());
    assert_eq!((code, &*err), (0, ""));
    for words in ["Usage: sse-bridge history [OPTIONS] <DIR>", "--verify", "--json", "Exit codes: 0 ", "sse-bridge-state(5)"] {
        assert!(out.contains(words), "{words}: {out}");
    }
}
