//! One file, and what happens to it: each case with hints of the kernel, and with `--poll`.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::parser::Message;
use crate::harness::{Bridge, Get, PATIENCE, Random, scale, seed};

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
            $(#[test] fn $name() { super::$name(super::Mode::Watching); })*
        }
        mod polling {
            $(#[test] fn $name() { super::$name(super::Mode::Polling); })*
        }
    };
}

in_both_modes! {
    lines_end_in_lf_or_crlf
    empty_lines_are_events
    a_byte_order_mark_is_no_content
    every_split_of_awkward_bytes_gives_the_same_lines
    lines_of_a_mebibyte_are_whole_and_one_byte_more_is_two
    bytes_that_are_not_utf8_are_shown_as_such
    a_hole_of_a_stale_writer_is_no_content
    a_sparse_hole_at_the_beginning_is_no_content
    space_reserved_with_fallocate_is_not_read
    compressed_and_hidden_files_are_left_out_of_globs
    offsets_beyond_four_gibibytes
    the_last_lines_beyond_four_gibibytes
    a_partial_line_is_one_event_when_it_ends
    a_partial_line_is_not_given_at_the_stop
    the_partial_line_of_a_rotated_file_waits_until_it_is_over
    late_lines_of_a_renamed_file_come_and_then_it_is_closed
    the_space_of_a_deleted_file_is_given_back
    a_gap_of_a_source_is_an_event_with_an_id
    files_renamed_onto_each_other_go_on_under_their_names
    an_editors_save_replaces_the_file
    growing_by_truncate_is_no_content_and_no_loss
    a_file_in_memory_is_followed_as_any
    names_of_255_bytes_are_followed
    rapid_rotation_by_rename_under_a_glob_that_matches_the_rotated_names
    copytruncate_under_a_glob_that_matches_the_copies
    a_file_that_is_rewritten_with_the_same_size_is_told
}

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
        append(&self.path(name), bytes);
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

fn append(path: &Path, bytes: &[u8]) {
    OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(bytes).unwrap();
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

fn counter(bridge: &Bridge, name: &str) -> u64 {
    let text = bridge.get("/metrics").text();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name} in\n{text}"))
}

/// The files that a daemon holds open below a directory, as the kernel names them.
fn open_below(bridge: &Bridge, directory: &Path) -> Vec<String> {
    let descriptors = fs::read_dir(format!("/proc/{}/fd", bridge.pid())).unwrap();
    let links = descriptors.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    links.map(|link| link.display().to_string()).filter(|link| link.starts_with(directory.to_str().unwrap())).collect()
}

/// Waits until something is so that only looking can tell.
fn wait_until<T: std::fmt::Debug>(what: &str, look: impl Fn() -> T, is_so: impl Fn(&T) -> bool) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let seen = look();
        if is_so(&seen) {
            return seen;
        }
        assert!(Instant::now() < deadline, "waited for {what}; seen last: {seen:?}");
        thread::sleep(Duration::from_millis(20)); // nothing tells
    }
}

fn lines_end_in_lf_or_crlf(mode: Mode) {
    let ground = Ground::new(mode);
    ground.append("a.log", b"old\r\n");
    let bridge = ground.follow("a.log", &[]);
    let mut stream = bridge.get("/events?tail=all");
    assert_eq!(lines(&mut stream, 1), ["old"]);
    ground.append("a.log", b"one\r\ntwo\nthree\r");
    assert_eq!(lines(&mut stream, 2), ["one", "two"]);
    ground.append("a.log", b"\nfour\r\r\n");
    assert_eq!(lines(&mut stream, 2), ["three", "four\n"], "a CR inside a line is a line break of its event");
    stream.assert_strict();
}

fn empty_lines_are_events(mode: Mode) {
    const COUNT: usize = 10_000;
    let ground = Ground::new(mode);
    ground.append("a.log", b"");
    let bridge = ground.follow("a.log", &[]);
    let mut stream = live(&bridge);
    ground.append("a.log", &b"\n".repeat(COUNT));
    ground.append("a.log", b"last\n");
    let seen = lines(&mut stream, COUNT + 1);
    assert!(seen[..COUNT].iter().all(String::is_empty));
    assert_eq!(seen[COUNT], "last");
    assert_eq!(channel(&bridge)["events"], COUNT as u64 + 1);
}

fn a_byte_order_mark_is_no_content(mode: Mode) {
    let ground = Ground::new(mode);
    ground.append("a.log", b"\xef\xbb\xbfold\n");
    let bridge = ground.follow("*.log", &["--from", "start"]);
    let mut stream = bridge.get("/events?tail=all");
    assert_eq!(lines(&mut stream, 1), ["old"]);
    ground.append("b.log", b"\xef\xbb");
    ground.append("b.log", b"\xbfnew\n\xef\xbb\xbfinside\n");
    assert_eq!(lines(&mut stream, 2), ["new", "\u{feff}inside"], "only the first bytes of a file are a mark");
}

/// Each split in a file of its own, all under one glob.
fn every_split_of_awkward_bytes_gives_the_same_lines(mode: Mode) {
    const BYTES: &[u8] = b"a\r\nb\rc\0\xff\n";
    let ground = Ground::new(mode);
    let bridge = ground.follow("*.log", &[]);
    let mut stream = live(&bridge);
    let pieces: Vec<_> = (1..BYTES.len()).map(|at| BYTES.split_at(at)).collect();
    for (at, (first, _)) in pieces.iter().enumerate() {
        ground.append(&format!("{at}.log"), first);
    }
    // All firsts have been read before the first second comes; a NUL at the end of a file may be space to be filled, and waits.
    let read: usize = pieces.iter().map(|(first, _)| first.len() - usize::from(first.ends_with(b"\0"))).sum();
    wait_until("the first pieces", || counter(&bridge, "sse_bridge_input_bytes_total"), |bytes| *bytes >= read as u64);
    for (at, (_, second)) in pieces.iter().enumerate() {
        ground.append(&format!("{at}.log"), second);
    }
    let mut seen = vec![Vec::new(); pieces.len()];
    let mut count = 0;
    while count < 2 * pieces.len() {
        let event = stream.next_event().unwrap();
        if event.event == "progress" {
            continue; // a line that was overwritten shows its state
        }
        assert_eq!(event.event, "message", "{event:?}");
        let at: usize = event.id.rsplit('/').next().unwrap().trim_end_matches(".log").parse().unwrap();
        seen[at].push(event.data);
        count += 1;
    }
    for (at, seen) in seen.iter().enumerate() {
        assert_eq!(seen, &["a", "b\nc\u{fffd}\u{fffd}"], "split before byte {}", at + 1);
    }
    stream.assert_strict();
}

fn lines_of_a_mebibyte_are_whole_and_one_byte_more_is_two(mode: Mode) {
    const LIMIT: usize = 1 << 20;
    let ground = Ground::new(mode);
    ground.append("a.log", b"");
    let bridge = ground.follow("a.log", &[]);
    let mut stream = live(&bridge);
    for (length, ending, expected) in [
        (LIMIT - 1, &b"\n"[..], vec![LIMIT - 1]),
        (LIMIT, b"\n", vec![LIMIT]),
        (LIMIT, b"\r\n", vec![LIMIT]),
        (LIMIT + 1, b"\n", vec![LIMIT, 1]),
        (2 * LIMIT + 1, b"\r\n", vec![LIMIT, LIMIT, 1]),
    ] {
        // In pieces that fit nothing.
        let content = [b"x".repeat(length), ending.to_vec()].concat();
        content.chunks(99_991).for_each(|piece| ground.append("a.log", piece));
        let seen: Vec<_> = lines(&mut stream, expected.len()).iter().map(String::len).collect();
        assert_eq!(seen, expected, "{length} bytes and {ending:?}");
    }
    assert_eq!(counter(&bridge, "sse_bridge_long_lines_total"), 2);
}

fn bytes_that_are_not_utf8_are_shown_as_such(mode: Mode) {
    let ground = Ground::new(mode);
    ground.append("a.log", b"");
    let bridge = ground.follow("a.log", &[]);
    let mut stream = live(&bridge);
    ground.append("a.log", b"latin \xe9t\xe9\nhalf \xe2\x82");
    assert_eq!(lines(&mut stream, 1), ["latin \u{fffd}t\u{fffd}"]);
    ground.append("a.log", b"\xac whole\n\xff\xfe\0\n");
    assert_eq!(lines(&mut stream, 2), ["half \u{20ac} whole", "\u{fffd}\u{fffd}\u{fffd}"]);
}

/// A writer without `O_APPEND` goes on at its old offset after the file was cut.
fn a_hole_of_a_stale_writer_is_no_content(mode: Mode) {
    let ground = Ground::new(mode);
    for (round, length) in [100, 5_000, 100_000, 1_000_000].into_iter().enumerate() {
        let name = format!("{round}.log");
        let mut writer = File::create(ground.path(&name)).unwrap();
        let bridge = ground.follow(&name, &[]);
        let mut stream = live(&bridge);
        writer.write_all(format!("{}\n", "x".repeat(length)).as_bytes()).unwrap();
        assert_eq!(lines(&mut stream, 1)[0].len(), length);
        OpenOptions::new().write(true).open(ground.path(&name)).unwrap().set_len(0).unwrap();
        let gap = stream.next_event().unwrap();
        assert_eq!(gap.event, "gap", "{gap:?}");
        writer.write_all(b"after\n").unwrap();
        assert_eq!(lines(&mut stream, 1), ["after"], "cut at {length}");
        writer.write_all(b"more\n").unwrap();
        assert_eq!(lines(&mut stream, 1), ["more"], "cut at {length}");
        // Cut and written between two looks.
        bridge.signal("STOP");
        OpenOptions::new().write(true).open(ground.path(&name)).unwrap().set_len(0).unwrap();
        writer.write_all(b"unseen cut\n").unwrap();
        bridge.signal("CONT");
        let gap = stream.next_event().unwrap();
        assert_eq!(gap.event, "gap", "{gap:?}");
        assert_eq!(lines(&mut stream, 1), ["unseen cut"], "cut at {length}");
        assert_eq!(counter(&bridge, "sse_bridge_source_gaps_total"), 2);
    }
}

fn a_sparse_hole_at_the_beginning_is_no_content(mode: Mode) {
    let ground = Ground::new(mode);
    let make = |name: &str, hole: u64| {
        let mut file = File::create(ground.path(name)).unwrap();
        file.seek(SeekFrom::Start(hole)).unwrap();
        file.write_all(b"behind\n").unwrap();
    };
    make("a.log", 10 << 20);
    let bridge = ground.follow("*.log", &["--from", "start"]);
    let mut stream = bridge.get("/events?tail=all");
    assert_eq!(lines(&mut stream, 1), ["behind"]);
    make("b.log", 3 << 20);
    assert_eq!(lines(&mut stream, 1), ["behind"]);
}

fn fallocate(path: &Path, length: u64, keeps_size: bool) {
    let mut command = Command::new("fallocate");
    if keeps_size {
        command.arg("--keep-size");
    }
    assert!(command.arg("--length").arg(length.to_string()).arg(path).status().unwrap().success());
}

fn space_reserved_with_fallocate_is_not_read(mode: Mode) {
    let ground = Ground::new(mode);
    for (round, keeps_size) in [(0, false), (1, true)] {
        let name = format!("{round}.log");
        fs::write(ground.path(&name), "old\n").unwrap();
        fallocate(&ground.path(&name), 1 << 20, keeps_size);
        let bridge = ground.follow(&name, &[]);
        let mut stream = bridge.get("/events?tail=all");
        assert_eq!(lines(&mut stream, 1), ["old"]);
        let file = OpenOptions::new().write(true).open(ground.path(&name)).unwrap();
        let mut at = 4;
        for number in 0..50 {
            let line = format!("line {number} {}\n", "x".repeat(number * 40));
            file.write_all_at(line.as_bytes(), at).unwrap();
            at += line.len() as u64;
            assert_eq!(lines(&mut stream, 1), [line.trim_end_matches('\n')], "keeps its size: {keeps_size}");
        }
        // The rest of the space is given back when the file is closed.
        file.set_len(at).unwrap();
        file.write_all_at(b"end\n", at).unwrap();
        assert_eq!(lines(&mut stream, 1), ["end"]);
        assert_eq!(counter(&bridge, "sse_bridge_source_gaps_total"), 0);
    }
}

fn compressed_and_hidden_files_are_left_out_of_globs(mode: Mode) {
    let ground = Ground::new(mode);
    let unread = ["a.log.gz", "a.log.xz", "a.log.zst", "a.log.bz2", "a.log.1.gz", ".a.log", ".a.log.swp"];
    unread.iter().for_each(|name| ground.append(name, b"unread\n"));
    ground.append("a.log", b"read\n");
    let bridge = ground.follow("*", &["--from", "start"]);
    let mut stream = bridge.get("/events?tail=all");
    assert_eq!(lines(&mut stream, 1), ["read"]);
    unread.iter().for_each(|name| ground.append(&format!("{}x{name}", if name.starts_with('.') { "." } else { "" }), b"unread\n"));
    ground.append("b.log.1", b"also read\n");
    assert_eq!(lines(&mut stream, 1), ["also read"]);
    thread::sleep(QUIET); // that nothing comes can only be waited for
    assert_eq!(counter(&bridge, "sse_bridge_input_lines_total"), 2);
    // Who names one gets it.
    let named = ground.follow(".a.log", &["--from", "start"]);
    assert_eq!(lines(&mut named.get("/events?tail=all"), 1), ["unread"]);
}

/// A sparse file with lines behind so many bytes.
fn giant(path: &Path, hole: u64) -> File {
    let mut file = File::create(path).unwrap();
    file.seek(SeekFrom::Start(hole)).unwrap();
    file.write_all(b"\none\ntwo\nthree\n").unwrap();
    file
}

const FIVE_GIB: u64 = 5 << 30;

fn offsets_beyond_four_gibibytes(mode: Mode) {
    let ground = Ground::new(mode);
    let mut writer = giant(&ground.path("a.log"), FIVE_GIB);
    let bridge = ground.follow("a.log", &["--from", "end"]);
    let mut stream = live(&bridge);
    for number in 0..20 {
        writer.write_all(format!("beyond {number}\n").as_bytes()).unwrap();
        assert_eq!(lines(&mut stream, 1), [format!("beyond {number}")]);
    }
    assert_eq!(channel(&bridge)["events"], 20);
    // From its start the hole is passed over, not read.
    let from_start = ground.follow("a.log", &["--from", "start"]);
    assert_eq!(lines(&mut from_start.get("/events?tail=all"), 5), ["", "one", "two", "three", "beyond 0"]);
    // It is cut behind that mark.
    writer.set_len(FIVE_GIB + 5).unwrap();
    assert_eq!(stream.next_event().unwrap().event, "gap");
}

fn the_last_lines_beyond_four_gibibytes(mode: Mode) {
    let ground = Ground::new(mode);
    let mut writer = giant(&ground.path("a.log"), FIVE_GIB);
    let bridge = ground.follow("a.log", &["--from", "-2"]);
    let mut stream = bridge.get("/events?tail=all");
    assert_eq!(lines(&mut stream, 2), ["two", "three"]);
    writer.write_all(b"four\n").unwrap();
    assert_eq!(lines(&mut stream, 1), ["four"]);
}

fn a_partial_line_is_one_event_when_it_ends(mode: Mode) {
    let ground = Ground::new(mode);
    ground.append("a.log", b"old partial");
    let bridge = ground.follow("a.log", &["--from", "end"]);
    let mut stream = live(&bridge);
    ground.append("a.log", b", continued");
    thread::sleep(scale(3, 90) * Duration::from_secs(1)); // a slow writer
    assert_quiet(&bridge, 0);
    ground.append("a.log", b", ended\nnext ");
    assert_eq!(lines(&mut stream, 1), ["old partial, continued, ended"]);
    for piece in ["in ", "many ", "pieces", "\n"] {
        ground.append("a.log", piece.as_bytes());
        thread::sleep(Duration::from_millis(300)); // so that each is read by itself
    }
    assert_eq!(lines(&mut stream, 1), ["next in many pieces"]);
}

fn a_partial_line_is_not_given_at_the_stop(mode: Mode) {
    let ground = Ground::new(mode);
    ground.append("a.log", b"whole\n");
    let mut bridge = ground.follow("a.log", &[]);
    let mut stream = bridge.get("/events?tail=all");
    assert_eq!(lines(&mut stream, 1), ["whole"]);
    ground.append("a.log", b"half");
    wait_until("the half line", || counter(&bridge, "sse_bridge_input_bytes_total"), |bytes| *bytes == 10);
    bridge.signal("TERM");
    assert_eq!(stream.rest().iter().filter(|event| event.event == "message").count(), 0, "an unfinished line is still in its file");
    assert_eq!(bridge.wait(), 0);
    ground.append("a.log", b" line\n");
    let again = ground.follow("a.log", &["--from", "-1"]);
    assert_eq!(lines(&mut again.get("/events?tail=all"), 1), ["half line"]);
}

fn the_partial_line_of_a_rotated_file_waits_until_it_is_over(mode: Mode) {
    let ground = Ground::new(mode);
    ground.append("a.log", b"");
    let bridge = ground.follow("a.log", &["--rotate-wait", "4s"]);
    let mut stream = live(&bridge);
    ground.append("a.log", b"begun");
    wait_until("the begun line", || counter(&bridge, "sse_bridge_input_bytes_total"), |bytes| *bytes == 5);
    ground.rename("a.log", "a.log.1");
    let began = Instant::now();
    ground.append("a.log", b"new\n");
    assert_eq!(lines(&mut stream, 1), ["new"]);
    assert_eq!(lines(&mut stream, 1), ["begun"]);
    assert!(began.elapsed() >= Duration::from_secs(4), "given up after {:?}", began.elapsed());
    assert_eq!(counter(&bridge, "sse_bridge_source_gaps_total"), 0);
    // One that is finished in time is whole.
    ground.append("a.log", b"again begun,");
    wait_until("the begun line", || counter(&bridge, "sse_bridge_input_bytes_total"), |bytes| *bytes == 21);
    ground.rename("a.log", "a.log.2");
    ground.append("a.log.2", b" and ended\n");
    assert_eq!(lines(&mut stream, 1), ["again begun, and ended"]);
}

fn late_lines_of_a_renamed_file_come_and_then_it_is_closed(mode: Mode) {
    let ground = Ground::new(mode);
    ground.append("a.log", b"");
    let bridge = ground.follow("a.log", &["--rotate-wait", "2s"]);
    let mut stream = live(&bridge);
    ground.append("a.log", b"first\n");
    assert_eq!(lines(&mut stream, 1), ["first"]);
    let mut late = OpenOptions::new().append(true).open(ground.path("a.log")).unwrap();
    ground.rename("a.log", "a.log.1");
    ground.append("a.log", b"new\n");
    assert_eq!(lines(&mut stream, 1), ["new"]);
    // Each of them begins the wait anew: together they take longer than it.
    for number in 0..6 {
        late.write_all(format!("late {number}\n").as_bytes()).unwrap();
        assert_eq!(lines(&mut stream, 1), [format!("late {number}")]);
        thread::sleep(Duration::from_millis(500)); // a slow writer
    }
    let is_open = |links: &Vec<String>| links.iter().any(|link| link.ends_with("a.log.1"));
    wait_until("the old file to be closed", || open_below(&bridge, ground.directory.path()), |links| !is_open(links));
    late.write_all(b"too late\n").unwrap();
    ground.append("a.log", b"last\n");
    assert_eq!(lines(&mut stream, 1), ["last"]);
}

fn the_space_of_a_deleted_file_is_given_back(mode: Mode) {
    let ground = Ground::new(mode);
    ground.append("a.log", b"");
    let bridge = ground.follow("a.log", &["--rotate-wait", "1s"]);
    let mut stream = live(&bridge);
    let mut writer = OpenOptions::new().append(true).open(ground.path("a.log")).unwrap();
    writer.write_all(b"first\n").unwrap();
    assert_eq!(lines(&mut stream, 1), ["first"]);
    fs::remove_file(ground.path("a.log")).unwrap();
    writer.write_all(b"behind the deletion\n").unwrap();
    assert_eq!(lines(&mut stream, 1), ["behind the deletion"]);
    drop(writer);
    let deleted = |links: &Vec<String>| links.iter().any(|link| link.ends_with("(deleted)"));
    wait_until("the deleted file to be closed", || open_below(&bridge, ground.directory.path()), |links| !deleted(links));
    wait_until(
        "the channel to wait",
        || channel(&bridge),
        |channel| channel["state"] == "waiting" && channel["reason"].is_string(),
    );
    ground.append("a.log", b"came back\n");
    assert_eq!(lines(&mut stream, 1), ["came back"]);
    assert_eq!(channel(&bridge)["state"], "open");
    assert_eq!(counter(&bridge, "sse_bridge_source_gaps_total"), 0);
}

fn number_of(id: &str) -> u64 {
    id.split(['-', '/']).nth(1).and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no number in {id:?}"))
}

fn a_gap_of_a_source_is_an_event_with_an_id(mode: Mode) {
    let ground = Ground::new(mode);
    ground.append("a.log", b"");
    let bridge = ground.follow("a.log", &[]);
    let mut stream = live(&bridge);
    ground.append("a.log", b"one\ntwo\n");
    let before = stream.events(2);
    fs::write(ground.path("a.log"), "").unwrap();
    let gap = stream.next_event().unwrap();
    assert_gap(&gap, "truncated", &before[1].id);
    ground.append("a.log", b"three\n");
    let after = stream.next_event().unwrap();
    assert_eq!((after.data.as_str(), number_of(&after.id)), ("three", number_of(&gap.id) + 1));
    assert_eq!(counter(&bridge, "sse_bridge_source_gaps_total"), 1);
    // It is one of the stream's events: who comes back at the line before it gets it again.
    let mut again = bridge.get_with("/events", &[("Last-Event-ID", &before[1].id)]);
    let told: Vec<_> = again.events(2).into_iter().map(|event| Message { retry: None, ..event }).collect();
    assert_eq!(told, [gap, after.clone()]);

    // Rewritten, and longer than before, between two looks.
    bridge.signal("STOP");
    fs::write(ground.path("a.log"), "a whole new content, longer than the old\n").unwrap();
    bridge.signal("CONT");
    assert_gap(&stream.next_event().unwrap(), "overwritten", &after.id);
    assert_eq!(lines(&mut stream, 1), ["a whole new content, longer than the old"]);
    assert_eq!(counter(&bridge, "sse_bridge_source_gaps_total"), 2);
}

fn assert_gap(gap: &Message, reason: &str, before: &str) {
    assert_eq!((gap.event.as_str(), gap.has_own_id), ("gap", true), "{gap:?}");
    let data: Value = serde_json::from_str(&gap.data).unwrap();
    assert_eq!(data["channels"], serde_json::json!(["f"]), "{gap:?}");
    assert_eq!(data["reason"], reason, "{gap:?}");
    assert_eq!(data["lost"], Value::Null, "{gap:?}");
    assert_eq!(number_of(&gap.id), number_of(before) + 1, "{gap:?}");
    assert_eq!(data["from"].as_str(), Some(before), "{gap:?}");
    assert_eq!(data["to"].as_str(), gap.id.strip_suffix("/f"), "{gap:?}");
    let fields: Vec<_> = data.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields.len(), 5, "{fields:?}");
}

fn files_renamed_onto_each_other_go_on_under_their_names(mode: Mode) {
    let ground = Ground::new(mode);
    ground.append("a.log", b"");
    ground.append("b.log", b"");
    let bridge = ground.follow("*.log", &["--rotate-wait", "1s"]);
    let mut stream = live(&bridge);
    let mut expected = 0;
    for round in 0..scale(3, 20) {
        ground.append("a.log", format!("a {round}\n").as_bytes());
        ground.append("b.log", format!("b {round}\n").as_bytes());
        let mut seen = lines(&mut stream, 2);
        seen.sort();
        assert_eq!(seen, [format!("a {round}"), format!("b {round}")]);
        ground.rename("a.log", "b.log");
        ground.append("b.log", format!("the old a as b {round}\n").as_bytes());
        assert_eq!(lines(&mut stream, 1), [format!("the old a as b {round}")]);
        ground.append("a.log", format!("the new a {round}\n").as_bytes());
        assert_eq!(lines(&mut stream, 1), [format!("the new a {round}")]);
        expected += 1;
    }
    // Exchanged by way of a third name.
    ground.rename("a.log", "c");
    ground.rename("b.log", "a.log");
    ground.rename("c", "b.log");
    ground.append("a.log", b"once b\n");
    ground.append("b.log", b"once a\n");
    let mut seen = lines(&mut stream, 2);
    seen.sort();
    assert_eq!(seen, ["once a", "once b"]);
    // Lines are counted just after they are sent.
    let count = 4 * expected + 2;
    wait_until("the count of all lines", || counter(&bridge, "sse_bridge_input_lines_total"), |lines| *lines >= count);
    thread::sleep(QUIET); // that nothing comes can only be waited for
    assert_eq!(counter(&bridge, "sse_bridge_input_lines_total"), count, "lines were read twice");
    assert_eq!(counter(&bridge, "sse_bridge_source_gaps_total"), 0);
}

/// Written beside it and renamed over it: another file, read from its beginning.
fn an_editors_save_replaces_the_file(mode: Mode) {
    let ground = Ground::new(mode);
    ground.append("a.log", b"one\n");
    let bridge = ground.follow("a.log", &["--from", "end", "--rotate-wait", "200ms"]);
    let mut stream = live(&bridge);
    for round in 0..scale(10, 50) {
        let content = format!("one\nsave {round}\n");
        fs::write(ground.path(".a.log.tmp"), &content).unwrap();
        ground.rename(".a.log.tmp", "a.log");
        assert_eq!(lines(&mut stream, 2), ["one", &format!("save {round}")]);
    }
    // The other way: the old one is moved aside, the new one written in its place.
    ground.rename("a.log", "a.log~");
    fs::write(ground.path("a.log"), "backed up\n").unwrap();
    assert_eq!(lines(&mut stream, 1), ["backed up"]);
    assert_eq!(counter(&bridge, "sse_bridge_source_gaps_total"), 0);
}

fn growing_by_truncate_is_no_content_and_no_loss(mode: Mode) {
    let ground = Ground::new(mode);
    ground.append("a.log", b"");
    let bridge = ground.follow("a.log", &[]);
    let mut stream = live(&bridge);
    ground.append("a.log", b"one\n");
    assert_eq!(lines(&mut stream, 1), ["one"]);
    let status = Command::new("truncate").args(["-s", "1M"]).arg(ground.path("a.log")).status().unwrap();
    assert!(status.success());
    assert_quiet(&bridge, 1);
    ground.append("a.log", b"behind the space\n");
    assert_eq!(lines(&mut stream, 1), ["behind the space"]);
    assert_eq!(counter(&bridge, "sse_bridge_source_gaps_total"), 0);
}

fn a_file_in_memory_is_followed_as_any(mode: Mode) {
    let directory = tempfile::tempdir_in("/dev/shm").unwrap();
    let ground = Ground { directory, mode };
    ground.append("a.log", b"old\n");
    let bridge = ground.follow("a.log", &["--rotate-wait", "1s"]);
    let mut stream = bridge.get("/events?tail=all");
    assert_eq!(lines(&mut stream, 1), ["old"]);
    for round in 0..scale(5, 50) {
        ground.append("a.log", format!("last {round}\n").as_bytes());
        ground.rename("a.log", "a.log.1");
        ground.append("a.log", format!("first {round}\n").as_bytes());
        assert_eq!(lines(&mut stream, 2), [format!("last {round}"), format!("first {round}")]);
    }
    fs::write(ground.path("a.log"), "").unwrap();
    assert_eq!(stream.next_event().unwrap().event, "gap");
    // Space reserved in memory.
    fallocate(&ground.path("a.log"), 100_000, false);
    let file = OpenOptions::new().write(true).open(ground.path("a.log")).unwrap();
    file.write_all_at(b"into the space\n", 0).unwrap();
    assert_eq!(lines(&mut stream, 1), ["into the space"]);
    file.write_all_at(b"and more\n", 15).unwrap();
    assert_eq!(lines(&mut stream, 1), ["and more"]);
}

fn names_of_255_bytes_are_followed(mode: Mode) {
    let ground = Ground::new(mode);
    let long = "n".repeat(251);
    let deep = ["d".repeat(255), "e".repeat(255), format!("{long}.log")].join("/");
    fs::create_dir_all(ground.path(&deep).parent().unwrap()).unwrap();
    ground.append(&format!("{long}.log"), b"old\n");
    ground.append(&deep, b"old and deep\n");
    let bridge = ground.follow("**/*.log", &["--from", "start"]);
    let mut stream = bridge.get("/events?tail=all");
    let mut seen = stream.events(2);
    seen.sort_by(|a, b| a.data.cmp(&b.data));
    assert_eq!(seen.iter().map(|event| event.data.as_str()).collect::<Vec<_>>(), ["old", "old and deep"]);
    for event in &seen {
        let channel = event.id.split_once('/').unwrap().1;
        assert!(channel.starts_with("f") && channel.len() <= 90, "{channel}");
    }
    // The name is full: what rotation makes of it is another one.
    ground.rename(&format!("{long}.log"), "short.1");
    ground.append(&format!("{long}.log"), b"new\n");
    assert_eq!(lines(&mut stream, 1), ["new"]);
    ground.append(&deep, b"more\n");
    let event = stream.next_event().unwrap();
    assert_eq!(event.data, "more");
    let path = format!("/events/{}?tail=all&follow=0", event.id.split_once('/').unwrap().1);
    assert_eq!(lines(&mut bridge.get(&path), 2), ["old and deep", "more"], "the channel is found by its name");
}

/// `app.log*` matches what rotation makes of `app.log`: the same bytes under another name are not read again.
fn rapid_rotation_by_rename_under_a_glob_that_matches_the_rotated_names(mode: Mode) {
    const KEPT: usize = 4;
    let rounds = scale(40, 400);
    let mut random = Random::new(seed());
    let ground = Ground::new(mode);
    ground.append("app.log", b"");
    let bridge = ground.follow("app.log*", &["--rotate-wait", "1s"]);
    let mut stream = live(&bridge);
    let mut number = 0;
    let mut write = |count: usize| {
        for _ in 0..count {
            ground.append("app.log", format!("{number}\n").as_bytes());
            number += 1;
        }
        number
    };
    let mut seen = Vec::new();
    for _ in 0..rounds {
        let written = write(1 + random.below(5));
        // Before a file is deleted it must have been read, or nobody could.
        seen.extend(lines(&mut stream, written - seen.len()));
        for old in (1..KEPT).rev().filter(|old| ground.path(&format!("app.log.{old}")).exists()) {
            ground.rename(&format!("app.log.{old}"), &format!("app.log.{}", old + 1));
        }
        write(1 + random.below(3));
        ground.rename("app.log", "app.log.1");
        write(random.below(3));
    }
    let written = write(1);
    seen.extend(lines(&mut stream, written - seen.len()));
    thread::sleep(QUIET); // that nothing comes can only be waited for
    assert_eq!(counter(&bridge, "sse_bridge_input_lines_total"), written as u64, "lines were read twice");
    assert_eq!(counter(&bridge, "sse_bridge_source_gaps_total"), 0);
    let mut in_order: Vec<usize> = seen.iter().map(|line| line.parse().unwrap()).collect();
    in_order.sort_unstable();
    assert_eq!(in_order, (0..written).collect::<Vec<_>>(), "each once");
}

/// A copy is a file of its own, with other bytes of the same names: the hardest of all, and what everybody's manual warns of.
fn copytruncate_under_a_glob_that_matches_the_copies(mode: Mode) {
    let rounds = scale(10, 100);
    let ground = Ground::new(mode);
    ground.append("app.log", b"");
    let bridge = ground.follow("app.log*", &["--rotate-wait", "1s"]);
    let mut stream = live(&bridge);
    let mut number = 0;
    for round in 0..rounds {
        for _ in 0..5 {
            ground.append("app.log", format!("{number}\n").as_bytes());
            number += 1;
        }
        fs::copy(ground.path("app.log"), ground.path(&format!("app.log.{round}"))).unwrap();
        fs::write(ground.path("app.log"), "").unwrap();
    }
    ground.append("app.log", b"end\n");
    let mut seen = lines_before(&mut stream, "end");
    thread::sleep(QUIET); // that nothing comes can only be waited for
    ground.append("app.log", b"the very end\n");
    seen.extend(lines_before(&mut stream, "the very end"));
    let mut numbers: Vec<usize> = seen.iter().map(|line| line.parse().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..number).collect::<Vec<_>>(), "each once, out of {seen:?}");
}

/// Same inode, same size, other bytes.
fn a_file_that_is_rewritten_with_the_same_size_is_told(mode: Mode) {
    let ground = Ground::new(mode);
    ground.append("a.log", b"");
    let bridge = ground.follow("a.log", &[]);
    let mut stream = live(&bridge);
    ground.append("a.log", b"one\n");
    assert_eq!(lines(&mut stream, 1), ["one"]);
    bridge.signal("STOP");
    fs::write(ground.path("a.log"), "two\n").unwrap();
    bridge.signal("CONT");
    assert_eq!(stream.next_event().unwrap().event, "gap");
    assert_eq!(lines(&mut stream, 1), ["two"]);
}
