//! What is not as it was written: each kind of damage between two runs, after an orderly end and after SIGKILL. The daemon starts, says what it found, sets aside
//! what is damaged, serves the rest, tells a gap to whoever comes back with an id before it; and no number is given twice.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use crate::directory::{Directory, files_below};
use crate::harness::bytes::{cut, flip, length, overwrite};
use crate::harness::{Bridge, Random, command, eventually, how_to_repeat, run_to_end, scale, seed};
use crate::kernel::{allow, unprivileged};
use crate::past::{End, LINES, OPTIONS, Past, after_each_end, everything};
use crate::pipes::metric;

#[test]
fn without_harm_nothing_is_missing() {
    after_each_end("no harm", |_| {}, |what, found| found.assert_nothing(what));
}

#[test]
fn a_flipped_bit_costs_the_records_in_which_it_lies() {
    after_each_end(
        "a flipped bit in the middle of the second segment",
        |past| flip(&past.segment(1), length(&past.segment(1)) / 2),
        |what, found| {
            found.assert_damage(what, 300);
            assert!(found.missing > 0, "{what}: {found:?}");
        },
    );
}

#[test]
fn damage_in_two_places_of_the_newest_segment_is_told_in_full() {
    after_each_end(
        "flipped bits in the first and the last record of the newest segment",
        |past| {
            let newest = past.newest_segment();
            flip(&newest, 100);
            flip(&newest, length(&newest) - 100);
        },
        |what, found| found.assert_damage(what, 600),
    );
}

#[test]
fn bits_flipped_anywhere_cost_little_and_are_told() {
    let seed = seed();
    let mut random = Random::new(seed);
    for round in 0..scale(6, 200) {
        let past = Past::new(if round % 2 == 0 { End::Term } else { End::Kill });
        let mut places = Vec::new();
        for _ in 0..=random.below(3) {
            let segments = past.place.segments("stdin");
            let segment = &segments[random.below(segments.len())];
            let at = match random.below(3) {
                0 => random.below(100),                                                 // in the head
                1 => usize::try_from(length(segment)).unwrap() - 1 - random.below(100), // at the end
                _ => random.below(usize::try_from(length(segment)).unwrap()),
            };
            flip(segment, at as u64);
            places.push((segment.file_name().unwrap().to_owned(), at));
        }
        let what = format!("bits flipped at {places:?}; {}", how_to_repeat(seed));
        let found = past.judge(&what);
        assert!(found.missing <= 300 * places.len(), "{what}: {found:?}");
        assert!(found.missing == 0 || found.damage > 0, "{what}: {found:?}");
    }
}

#[test]
fn a_cut_tail() {
    // After an orderly end all of it was synced, and is known to be missing.
    for (cut_off, most) in [(1, 100), (50, 100), (5000, 300)] {
        after_each_end(
            &format!("{cut_off} bytes cut off"),
            |past| cut(&past.newest_segment(), length(&past.newest_segment()) - cut_off),
            |what, found| assert!((1..=most).contains(&found.missing), "{what}: {found:?}"),
        );
    }
}

#[test]
fn a_tail_of_zeros() {
    after_each_end(
        "zeros behind the end",
        |past| overwrite(&past.newest_segment(), length(&past.newest_segment()), &[0; 5000]),
        |what, found| {
            assert_eq!(found.missing, 0, "{what}: {found:?}");
            assert!(found.said.contains("5000 bytes at the end"), "{what}: {found:?}");
        },
    );
    after_each_end(
        "the last block is zeros",
        |past| {
            let (path, length) = (past.newest_segment(), length(&past.newest_segment()));
            overwrite(&path, length.saturating_sub(4096), &vec![0; usize::try_from(length.min(4096)).unwrap()]);
        },
        |what, found| assert!((1..=200).contains(&found.missing), "{what}: {found:?}"),
    );
}

#[test]
fn half_of_a_record_behind_the_end() {
    after_each_end(
        "half of a record",
        |past| {
            overwrite(&past.newest_segment(), length(&past.newest_segment()), b"id: 1795306231108-9999/stdin\ndata: not committed")
        },
        |what, found| {
            assert_eq!(found.missing, 0, "{what}: {found:?}");
            assert!(found.set_aside.is_empty(), "{what}: {found:?}");
        },
    );
}

#[test]
fn a_segment_that_is_gone() {
    for which in ["first", "middle", "newest"] {
        let path = move |past: &Past| match which {
            "first" => past.segment(0),
            "middle" => past.segment(2),
            _ => past.newest_segment(),
        };
        after_each_end(
            &format!("the {which} segment is gone"),
            |past| fs::remove_file(path(past)).unwrap(),
            |what, found| assert!((1..LINES / 2).contains(&found.missing), "{what}: {found:?}"),
        );
    }
}

#[test]
fn the_small_files_can_go() {
    for name in ["@synced", "@life", "@lock"] {
        let what = format!("{name} is gone");
        // One that has not been written yet may be missing anyway.
        after_each_end(&what, |past| _ = fs::remove_file(past.place.state().join(name)), |what, found| found.assert_nothing(what));
        let what = format!("{name} is nonsense");
        after_each_end(
            &what,
            |past| fs::write(past.place.state().join(name), "nonsense\n").unwrap(),
            |what, found| {
                assert!(found.missing == 0 && found.set_aside.is_empty(), "{what}: {found:?}");
            },
        );
    }
}

#[test]
fn a_segment_that_may_not_be_read() {
    for end in [End::Term, End::Kill] {
        let past = Past::new(end);
        allow(&past.segment(1), 0);
        let bridge = Bridge::spawn(unprivileged(&past.place.command(0, OPTIONS)));
        let found = past.judge_started("a segment that may not be read", bridge);
        assert!(
            (1..LINES / 2).contains(&found.missing) && found.said.to_lowercase().contains("permission denied") && found.damage > 0,
            "{found:?}"
        );
        // It is kept, for whoever may read it.
        assert!(found.set_aside.iter().any(|path| fs::metadata(path).unwrap().permissions().mode() & 0o777 == 0), "{found:?}");
    }
}

#[test]
fn a_directory_or_a_link_in_the_place_of_a_segment() {
    for name in ["directory", "link to nowhere", "pipe"] {
        after_each_end(
            &format!("a {name} in the place of a segment"),
            |past| {
                let path = past.segment(2);
                fs::remove_file(&path).unwrap();
                match name {
                    "directory" => fs::create_dir(&path).unwrap(),
                    "pipe" => nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRUSR).unwrap(),
                    _ => std::os::unix::fs::symlink("/nowhere", &path).unwrap(),
                }
            },
            |what, found| assert!((1..LINES / 2).contains(&found.missing), "{what}: {found:?}"),
        );
    }
}

#[test]
fn what_does_not_belong_there_is_left_alone() {
    after_each_end(
        "strange files",
        |past| {
            let channel = past.place.of_channel("stdin");
            fs::write(channel.join("notes.txt"), "mine").unwrap();
            fs::write(past.place.state().join("README"), "mine").unwrap();
            fs::create_dir_all(past.place.state().join("empty/below")).unwrap();
            fs::write(channel.join("1795306231108-00000000000000000001.sse~"), "mine").unwrap();
        },
        |what, found| found.assert_nothing(what),
    );
}

/// What a version of later has written is not touched, and nothing is served.
#[test]
fn a_newer_version() {
    for which in ["a segment", "@life"] {
        let past = Past::new(End::Term);
        if which == "@life" {
            let life = fs::read_to_string(past.place.state().join("@life")).unwrap();
            let text = format!("sse-bridge 2 {}", life.split(' ').nth(2).unwrap());
            fs::write(past.place.state().join("@life"), format!("{text} {:08x}\n", crc32fast::hash(text.as_bytes()))).unwrap();
        } else {
            let path = past.newest_segment();
            let content = fs::read_to_string(&path).unwrap();
            let (head, rest) = content.split_once('\n').unwrap();
            let fields = head.strip_prefix(": sse-bridge 1 ").unwrap().rsplit_once(' ').unwrap().0;
            let text = format!("2 {fields}");
            fs::write(&path, format!(": sse-bridge {text} {:08x}\n{rest}", crc32fast::hash(text.as_bytes()))).unwrap();
        }
        let content = || {
            files_below(&past.place.state())
                .into_iter()
                .filter(|path| !path.ends_with("@lock"))
                .map(|path| fs::read(path).unwrap())
                .collect::<Vec<_>>()
        };
        let before = content();
        let (code, _, said) = run_to_end(&["--port", "0", "--state-dir", &past.place.at("state")], Stdio::null());
        assert_eq!((code, said.lines().count()), (2, 1), "{which}: {said}");
        assert!(said.contains("newer") && said.contains("; hint: "), "{which}: {said}");
        assert!(content() == before, "{which}: something was changed");
    }
}

/// The stored time lies ahead of the clock: a little, and it goes on; much, and a new life begins.
#[test]
fn a_clock_that_was_set_back() {
    for (ahead, is_new) in [(30 * 60, false), (3 * 3600, true)] {
        let place = Directory::new();
        let now = u64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
        let before = written_ahead(&place, now + ahead * 1000);
        let mut bridge = place.start(OPTIONS);
        bridge.feed(b"new\n");
        eventually("the new line", || metric(&bridge, "input_lines_total"), |lines| *lines == 1);
        let all = everything(&bridge);
        let back = bridge.get_with("/events?follow=0", &[("Last-Event-ID", &before[1])]).rest();
        let shown: Vec<_> = back.iter().map(|event| (&*event.event, &*event.data)).collect();
        let said = bridge.stderr();
        if is_new {
            assert_eq!(all.len(), 1, "{all:?}");
            assert!(said.contains("ahead of the clock") && !place.set_aside().is_empty(), "{said}");
            assert!(shown.len() == 2 && shown[0].0 == "gap" && shown[0].1.contains(r#""reason":"restart""#), "{shown:?}");
        } else {
            let ids: Vec<_> = all.iter().map(|seen| seen.id.clone()).collect();
            assert!(ids[..3] == before && all.len() == 4, "{ids:?}");
            let time = |id: &str| id.split('-').next().unwrap().parse::<u64>().unwrap();
            assert!(time(&ids[3]) >= time(&ids[2]), "time goes back: {ids:?}");
            assert_eq!(shown, [("message", "three"), ("message", "new")]);
        }
        assert_eq!(shown.last().unwrap().1, "new");
        bridge.signal("TERM");
        assert_eq!(bridge.wait(), 0);
        place.assert_verified("after a clock that was set back");
    }
}

/// A history of three lines that arrived at this time; their ids.
fn written_ahead(place: &Directory, time: u64) -> Vec<String> {
    use sse_bridge::event::{Age, Event, Position};
    use sse_bridge::sse::{self, Ids};
    use sse_bridge::store::Keep;
    use sse_bridge::store::disk::{archive::Archive, log::Entry, volume::Kernel};
    let keep = Keep { size: 1 << 20, age: None };
    let (mut archive, _) = Archive::open(std::sync::Arc::new(Kernel), &place.state(), time - 1000, keep).unwrap();
    let channel = "stdin".parse().unwrap();
    let (mut events, mut ids) = (Vec::new(), Ids::default());
    ids.set(time, &channel);
    for (number, data) in (1..).zip(["one", "two", "three"]) {
        sse::event(&mut events, &ids, number, Event { kind: None, data: data.as_bytes() });
    }
    let entry = Entry { last: Position { time, number: 3 }, count: 3, events: &events, age: Age::New };
    archive.append(&channel, &[entry], None).unwrap();
    (1..=3).map(|number| format!("{time}-{number}/stdin")).collect()
}

/// A file where the directory of a channel, or the state directory itself, should be.
#[test]
fn a_file_in_the_place_of_a_directory() {
    let place = Directory::new();
    place.obstruct("stdin");
    let mut bridge = place.start(OPTIONS);
    bridge.feed(b"one\ntwo\n");
    eventually("history that cannot be written", || metric(&bridge, "stored_failing"), |failing| *failing == 1);
    assert_eq!(everything(&bridge).len(), 2, "the stream goes on");
    drop(bridge);
    assert_eq!(fs::read_to_string(place.state().join("stdin")).unwrap(), "a file\n");

    let output = Command::new("timeout")
        .arg("20")
        .arg(command(&[]).get_program())
        .args(["--port", "0", "--state-dir", &place.at("state/stdin")])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), said.lines().count()), (Some(75), 1), "{said}");
    assert!(said.contains("it is no directory"), "{said}");
}
