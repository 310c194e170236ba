//! The house keeps its own rules: who may use whom, and what the pure modules may not know. `src/lib.rs` says them in words.

use std::fs;
use std::path::{Path, PathBuf};

/// For each room: the rooms it may use.
const MAY_USE: [(&str, &[&str]); 23] = [
    ("framing", &[]),
    ("event", &[]),
    ("metrics", &[]),
    ("errno", &[]),
    ("pause", &[]),
    ("pulse", &[]),
    ("source", &["errno", "event", "pause", "pulse"]),
    ("clock", &["event"]),
    ("expression", &[]),
    ("mapping", &["event", "framing", "sse"]),
    ("shaping", &["event", "mapping"]),
    ("sieve", &["event", "expression", "metrics", "sse"]),
    ("sse", &["event"]),
    ("batch", &["event", "sse"]),
    ("store", &["batch", "errno", "event", "sse"]),
    ("channel", &["batch", "event", "sse"]),
    ("pipeline", &["source", "framing", "mapping", "shaping", "store", "channel", "event", "metrics", "clock", "sse"]),
    ("http", &["channel", "store", "batch", "errno", "event", "mapping", "pulse", "sieve", "sse", "metrics", "clock"]),
    ("config", &["channel", "errno", "event", "expression", "http", "mapping", "pipeline", "shaping", "source", "store"]),
    ("cat", &["config", "daemon", "errno", "event", "expression", "pause", "sse"]),
    ("healthcheck", &["cat", "config", "errno"]),
    ("history", &["config", "errno", "event", "store"]),
    (
        "daemon",
        &[
            "cat",
            "config",
            "errno",
            "healthcheck",
            "history",
            "source",
            "pipeline",
            "mapping",
            "store",
            "channel",
            "http",
            "metrics",
            "clock",
            "event",
            "pulse",
            "sieve",
        ],
    ),
];

/// What knows no runtime, no I/O and no clock.
const PURE: [&str; 46] = [
    "framing.rs",
    "event.rs",
    "sse/mod.rs",
    "sse/parse.rs",
    "sse/ndjson.rs",
    "expression.rs",
    "mapping/cri.rs",
    "mapping/field.rs",
    "mapping/grouping.rs",
    "mapping/json.rs",
    "mapping/kind.rs",
    "mapping/stream.rs",
    "shaping/escapes.rs",
    "shaping/made.rs",
    "shaping/chain.rs",
    "shaping/redaction.rs",
    "shaping/search.rs",
    "shaping/waiting.rs",
    "sieve/mod.rs",
    "sieve/context.rs",
    "sieve/memo.rs",
    "sieve/recipe.rs",
    "batch.rs",
    "channel/index.rs",
    "channel/order.rs",
    "channel/dropped.rs",
    "channel/filter.rs",
    "channel/reading.rs",
    "channel/opening.rs",
    "channel/roster.rs",
    "channel/state.rs",
    "channel/status.rs",
    "channel/archived.rs",
    "channel/beside.rs",
    "channel/expected.rs",
    "store/disk/layout.rs",
    "store/disk/record.rs",
    "cat/address.rs",
    "cat/block.rs",
    "cat/filtering.rs",
    "cat/notice.rs",
    "cat/place.rs",
    "cat/question.rs",
    "cat/reader.rs",
    "cat/shape.rs",
    "cat/sieve.rs",
];

/// The same, but that they are given a moment or a duration; they do not ask for one.
const GIVEN_A_MOMENT: [&str; 7] = [
    "pause.rs",
    "mapping/mod.rs",
    "mapping/pending.rs",
    "shaping/mod.rs",
    "shaping/rate.rs",
    "pipeline/middle.rs",
    "source/command/leave.rs",
];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// A file without its tests.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned()
}

/// All files of a room: `src/ROOM.rs`, or everything below `src/ROOM/` but its tests.
fn files(room: &str) -> Vec<PathBuf> {
    let file = source().join(format!("{room}.rs"));
    if file.is_file() { vec![file] } else { files_below(&source().join(room)) }
}

fn files_below(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("no room {}: {error}", directory.display()));
    let (directories, files): (Vec<_>, Vec<_>) = entries.map(|entry| entry.unwrap().path()).partition(|path| path.is_dir());
    let files = files.into_iter().filter(|path| path.extension().is_some_and(|kind| kind == "rs") && !path.ends_with("tests.rs"));
    let directories = directories.into_iter().filter(|directory| !directory.ends_with("tests"));
    files.chain(directories.flat_map(|directory| files_below(&directory))).collect()
}

#[test]
fn rooms_use_only_the_rooms_they_may() {
    for (room, allowed) in MAY_USE {
        for file in files(room) {
            for used in code(&file).split("crate::").skip(1) {
                let used = used.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap();
                assert!(used == room || allowed.contains(&used), "{} uses {used}, which {room} may not", file.display());
            }
        }
    }
}

#[test]
fn every_room_has_its_rule() {
    let map = code(&source().join("lib.rs"));
    let rooms = map.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    for room in rooms {
        assert!(MAY_USE.iter().any(|(known, _)| *known == room), "no rule for {room}");
    }
}

#[test]
fn the_middle_is_pure() {
    const IMPURE: [&str; 7] = ["tokio", "std::io", "std::fs", "std::net", "std::thread", "SystemTime", "tracing"];
    for (files, clocks) in [(&PURE[..], &["std::time", "Instant"][..]), (&GIVEN_A_MOMENT, &["Instant::now", ".elapsed("])] {
        for file in files {
            let code = code(&source().join(file));
            for impure in IMPURE.iter().chain(clocks) {
                let uses = code.lines().filter(|line| !line.trim_start().starts_with("//")).any(|line| line.contains(impure));
                assert!(!uses, "{file} knows {impure}");
            }
        }
    }
}

#[test]
fn files_have_a_size_that_a_person_holds_in_mind() {
    for (room, _) in MAY_USE {
        for file in files(room) {
            let lines = code(&file).lines().count();
            assert!(lines <= 420, "{} has {lines} lines without its tests", file.display());
        }
    }
}

#[test]
fn unsafe_code_has_one_room() {
    let is_unsafe =
        |path: &PathBuf| code(path).lines().any(|line| line.trim_start().starts_with("unsafe") || line.contains("unsafe_code"));
    let files: Vec<_> = files_below(&source()).into_iter().filter(is_unsafe).collect();
    assert_eq!(files, [source().join("daemon/heap.rs")]);
}
