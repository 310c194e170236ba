//! A file that is renamed, copied, deleted or replaced.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::thread;
use std::time::Duration;

use super::{Ground, Mode, QUIET, channel, empty_file, fallocate, lines, lines_before, live};
use crate::harness::{Random, scale, seed};
use crate::kernel::memory;
use crate::process::open_below;
use crate::sources::{eventually, metric};

in_both_modes! {
    late_lines_of_a_renamed_file_come_and_then_it_is_closed
    the_space_of_a_deleted_file_is_given_back
    files_renamed_onto_each_other_go_on_under_their_names
    an_editors_save_replaces_the_file
    a_file_in_memory_is_followed_as_any
    rapid_rotation_by_rename_under_a_glob_that_matches_the_rotated_names
    copytruncate_under_a_glob_that_matches_the_copies
}

fn late_lines_of_a_renamed_file_come_and_then_it_is_closed(mode: Mode) {
    let (ground, bridge, mut stream) = empty_file(mode, &["--rotate-wait", "2s"]);
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
    eventually("the old file to be closed", || open_below(&bridge, ground.directory.path()), |links| !is_open(links));
    late.write_all(b"too late\n").unwrap();
    ground.append("a.log", b"last\n");
    assert_eq!(lines(&mut stream, 1), ["last"]);
}

fn the_space_of_a_deleted_file_is_given_back(mode: Mode) {
    let (ground, bridge, mut stream) = empty_file(mode, &["--rotate-wait", "1s"]);
    let mut writer = OpenOptions::new().append(true).open(ground.path("a.log")).unwrap();
    writer.write_all(b"first\n").unwrap();
    assert_eq!(lines(&mut stream, 1), ["first"]);
    fs::remove_file(ground.path("a.log")).unwrap();
    writer.write_all(b"behind the deletion\n").unwrap();
    assert_eq!(lines(&mut stream, 1), ["behind the deletion"]);
    drop(writer);
    let deleted = |links: &Vec<String>| links.iter().any(|link| link.ends_with("(deleted)"));
    eventually("the deleted file to be closed", || open_below(&bridge, ground.directory.path()), |links| !deleted(links));
    eventually(
        "the channel to wait",
        || channel(&bridge),
        |channel| channel["state"] == "waiting" && channel["reason"].is_string(),
    );
    ground.append("a.log", b"came back\n");
    assert_eq!(lines(&mut stream, 1), ["came back"]);
    assert_eq!(channel(&bridge)["state"], "open");
    assert_eq!(metric(&bridge, "source_gaps_total"), 0);
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
    eventually("the count of all lines", || metric(&bridge, "input_lines_total"), |lines| *lines >= count);
    thread::sleep(QUIET); // that nothing comes can only be waited for
    assert_eq!(metric(&bridge, "input_lines_total"), count, "lines were read twice");
    assert_eq!(metric(&bridge, "source_gaps_total"), 0);
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
    assert_eq!(metric(&bridge, "source_gaps_total"), 0);
}

fn a_file_in_memory_is_followed_as_any(mode: Mode) {
    let directory = tempfile::tempdir_in(memory()).unwrap();
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
    assert_eq!(metric(&bridge, "input_lines_total"), written as u64, "lines were read twice");
    assert_eq!(metric(&bridge, "source_gaps_total"), 0);
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
