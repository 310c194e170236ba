//! Bytes that nobody wrote, and those that lie far behind.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use super::{Ground, Mode, assert_quiet, channel, empty_file, fallocate, lines, live};
use crate::sources::metric;

in_both_modes! {
    a_hole_of_a_stale_writer_is_no_content
    a_sparse_hole_at_the_beginning_is_no_content
    space_reserved_with_fallocate_is_not_read
    growing_by_truncate_is_no_content_and_no_loss
    offsets_beyond_four_gibibytes
    the_last_lines_beyond_four_gibibytes
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
        assert_eq!(metric(&bridge, "source_gaps_total"), 2);
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
        assert_eq!(metric(&bridge, "source_gaps_total"), 0);
    }
}

fn growing_by_truncate_is_no_content_and_no_loss(mode: Mode) {
    let (ground, bridge, mut stream) = empty_file(mode, &[]);
    ground.append("a.log", b"one\n");
    assert_eq!(lines(&mut stream, 1), ["one"]);
    let status = Command::new("truncate").args(["-s", "1M"]).arg(ground.path("a.log")).status().unwrap();
    assert!(status.success());
    assert_quiet(&bridge, 1);
    ground.append("a.log", b"behind the space\n");
    assert_eq!(lines(&mut stream, 1), ["behind the space"]);
    assert_eq!(metric(&bridge, "source_gaps_total"), 0);
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
