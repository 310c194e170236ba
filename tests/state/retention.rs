//! What is let go, and what that costs whom.

use std::fs;
use std::thread;

use serde_json::Value;

use crate::directory::Directory;
use crate::harness::bytes::length;
use crate::harness::parser::Message;
use crate::harness::{Bridge, eventually, lines, scale};
use crate::pipes::{Pipes, metric, wait_for_lines};

/// Far less memory than is written, so that what is let go is retained nowhere.
const LITTLE: &[&str] = &["--keep-size", "1MiB", "--history", "256KiB"];

/// The smallest segment, in bytes: each channel may hold one that cannot go yet.
const SEGMENT: u64 = 64 << 10;

fn many(name: &str, from: usize, to: usize) -> String {
    (from..to).map(|number| format!("{name} {number} {}\n", "x".repeat(number % 200))).collect()
}

fn stop(mut bridge: Bridge) {
    bridge.signal("TERM");
    assert_eq!(bridge.wait(), 0);
}

/// The one gap that comes first, and how many events it says are lost; and the events behind it.
#[track_caller]
fn gap_first(events: &[Message]) -> (u64, &[Message]) {
    let (first, rest) = events.split_first().expect("something comes");
    assert!(first.event == "gap" && rest.iter().all(|event| event.event != "gap"), "not one gap: {first:?}");
    let told: Value = serde_json::from_str(&first.data).unwrap();
    (told["lost"].as_u64().unwrap_or_else(|| panic!("nobody knows how much: {told}")), rest)
}

/// A client of each channel and one of all, which come back to the very beginning.
#[track_caller]
fn assert_counted(bridge: &Bridge, beginning: &str, written: &[(&str, u64)]) {
    let back = |path: &str| bridge.get_with(&format!("{path}?follow=0"), &[("Last-Event-ID", beginning)]).rest();
    for (channel, total) in written {
        let back = back(&format!("/events/{channel}"));
        if *channel == "quiet" {
            assert_eq!(lines(&back).len() as u64, *total, "a quiet channel loses nothing: {:?}", back.first());
            continue;
        }
        let (lost, rest) = gap_first(&back);
        assert_eq!(lost + rest.len() as u64, *total, "{channel}: {:?}", back[0]);
    }
    let back = back("/events");
    let (lost, rest) = gap_first(&back);
    assert_eq!(lost + rest.len() as u64, written.iter().map(|(_, count)| count).sum::<u64>(), "a client of all: {:?}", back[0]);
}

/// The position at which a stream begins before there is anything.
fn beginning(bridge: &Bridge) -> String {
    bridge.get("/events").events(1).remove(0).id
}

#[test]
fn a_directory_stays_within_its_size_and_a_busy_channel_takes_nothing_from_a_quiet_one() {
    let place = Directory::new();
    let mut pipes = Pipes::new(&place, &["busy", "quiet"]);
    let bridge = place.start(&pipes.arguments(LITTLE));
    let (beginning, mut most) = (beginning(&bridge), 0);
    let (rounds, per_round) = (scale(100, 1000), 800);
    for round in 0..rounds {
        pipes.write("busy", &many("busy", round * per_round, (round + 1) * per_round));
        if round % 5 == 0 {
            pipes.write("quiet", &many("quiet", round, round + 3));
        }
        wait_for_lines(&bridge, pipes.lines);
        // What is let go is removed behind the append.
        let bound = (1 << 20) + 2 * SEGMENT;
        let held = eventually("a directory within its size", || place.held(), |held| *held <= bound);
        most = most.max(held);
    }
    assert!(most > 700 << 10, "only {most} bytes were ever there");
    let written = [("busy", (rounds * per_round) as u64), ("quiet", (rounds.div_ceil(5) * 3) as u64)];
    assert_counted(&bridge, &beginning, &written);
    let oldest = bridge.get("/channels").text();
    stop(bridge);
    place.assert_verified("after much was let go");
    let again = place.start(&pipes.arguments(LITTLE));
    assert_counted(&again, &beginning, &written);
    let ids = |text: &str| -> Vec<(Value, Value, Value)> {
        let channels = serde_json::from_str::<Value>(text).unwrap()["channels"].clone();
        let of = |channel: &Value| (channel["name"].clone(), channel["oldest"].clone(), channel["newest"].clone());
        let mut all: Vec<_> = channels.as_array().unwrap().iter().map(of).collect();
        all.sort_by_key(|(name, ..)| name.to_string());
        all
    };
    assert_eq!(ids(&again.get("/channels").text()), ids(&oldest), "names, oldest and newest in /channels");
    assert!(place.held() <= (1 << 20) + 2 * SEGMENT);
}

/// A client that stays within what is kept is told nothing; one that comes back to the middle of what was let go is told exactly how much.
#[test]
fn whoever_comes_back_to_the_middle_of_what_was_let_go_is_told_how_much() {
    let place = Directory::new();
    let mut bridge = place.start(LITTLE);
    let mut ids = Vec::new();
    let mut stream = bridge.get("/events?tail=0");
    stream.events(1);
    for part in 0..30 {
        bridge.feed(many("x", part * 1000, (part + 1) * 1000).as_bytes());
        ids.extend(stream.events(1000).into_iter().map(|event| event.id));
    }
    stream.assert_strict();
    let ask = |bridge: &Bridge, at: usize| {
        let back = bridge.get_with("/events?follow=0", &[("Last-Event-ID", &ids[at])]).rest();
        if back.first().is_some_and(|first| first.event == "gap") {
            let (lost, rest) = gap_first(&back);
            assert_eq!(at as u64 + 1 + lost + rest.len() as u64, ids.len() as u64, "behind event {at}: {:?}", back[0]);
            return true;
        }
        assert_eq!(at + 1 + back.len(), ids.len(), "behind event {at}");
        false
    };
    let told = |bridge: &Bridge| (0..ids.len()).step_by(531).filter(|at| ask(bridge, *at)).count();
    let before = told(&bridge);
    assert!(before > 10 && before < ids.len() / 531, "{before} were told a gap");
    stop(bridge);
    let again = place.start(LITTLE);
    assert_eq!(told(&again), before, "as many are told after a restart");
}

/// While what is let go is being removed, which takes as long as the disk takes, it is neither sent nor forgotten: whoever asks then is told.
#[test]
fn whoever_asks_while_history_is_let_go_is_told() {
    let place = Directory::new();
    let slow = ["fsync:delay_enter=200000", "fdatasync:delay_enter=200000"]; // microseconds
    let mut bridge = Bridge::spawn(crate::kernel::answered(&place.command(0, LITTLE), &slow));
    let beginning = beginning(&bridge);
    let mut ids = Vec::new();
    let mut stream = bridge.get("/events?tail=0");
    stream.events(1);
    for part in 0..60 {
        bridge.feed(many("x", part * 400, (part + 1) * 400).as_bytes());
        ids.extend(stream.events(400).into_iter().map(|event| event.id));
        for id in [&beginning, &ids[ids.len() / 2]] {
            let brings = crate::seen::number_of(id);
            let back = bridge.get_with("/events?follow=0", &[("Last-Event-ID", id)]).rest();
            let (lost, rest) = if back[0].event == "gap" { gap_first(&back) } else { (0, &back[..]) };
            let numbers: Vec<_> = rest.iter().map(|event| crate::seen::number_of(&event.id)).collect();
            let jump = numbers.windows(2).find(|two| two[0] + 1 != two[1]);
            assert_eq!(
                brings + lost + rest.len() as u64,
                ids.len() as u64,
                "part {part}, behind {id}: {:?}, then from {:?} with a jump at {jump:?}",
                back[0],
                numbers.first()
            );
        }
    }
}

/// What is read of a file at once may be more than its channel's share: it is let go before anybody is sent it, and nobody misses it without a word.
#[test]
fn a_burst_that_is_larger_than_the_share_of_its_channel_is_told_as_far_as_it_is_lost() {
    let place = Directory::new();
    let path = |channel: usize| place.at(&format!("{channel}.log"));
    let append = |channel: usize, text: &str| {
        use std::io::Write;
        fs::OpenOptions::new().append(true).create(true).open(path(channel)).unwrap().write_all(text.as_bytes()).unwrap();
    };
    let lines = |from: usize, to: usize, size: usize| -> String {
        (from..to).map(|number| format!("{number} {}\n", "x".repeat(size))).collect()
    };
    let sources: Vec<_> = (0..20).map(|channel| format!("c{channel}={}", path(channel))).collect();
    (0..20).for_each(|channel| append(channel, ""));
    let options = ["--keep-size", "1MiB", "--history", "2MiB"].into_iter().chain(sources.iter().map(String::as_str));
    let bridge = place.start(&options.collect::<Vec<_>>());
    let mut read = 0;
    let mut write = |channel: usize, from: usize, to: usize, size: usize| {
        append(channel, &lines(from, to, size));
        read += (to - from) as u64;
        eventually("all lines", || metric(&bridge, "input_lines_total"), |lines| *lines == read);
    };
    (0..20).for_each(|channel| write(channel, 0, 480, 60));
    let total = 5480;
    write(0, 480, total, 300);
    let held = bridge.get("/events/c0?tail=all&follow=0").rest();
    let events: Vec<_> = held.iter().filter(|event| event.event == "message").collect();
    let told = |back: &[Message]| if back[0].event == "gap" { gap_first(back).0 } else { 0 };
    let sent = |back: &[Message]| back.iter().filter(|event| event.event == "message").count() as u64;
    let assert_told = |bridge: &Bridge, when: &str| {
        for event in events.iter().step_by(97) {
            let back = bridge.get_with("/events/c0?follow=0", &[("Last-Event-ID", &event.id)]).rest();
            let had = event.data.split(' ').next().unwrap().parse::<usize>().unwrap() as u64 + 1;
            assert_eq!(had + told(&back) + sent(&back), total as u64, "{when}, behind line {}: {:?}", had - 1, back[0]);
        }
    };
    assert_eq!(told(&held) + sent(&held), total as u64, "{:?}", held[0]);
    assert_told(&bridge, "while memory has it");
    // Until memory has let go of it.
    (0..30).for_each(|part| write(1, 480 + part * 500, 980 + part * 500, 300));
    let held = bridge.get("/events/c0?tail=all&follow=0").rest();
    assert!(told(&held) > 0, "nothing has gone");
    assert_told(&bridge, "when memory has not");
    assert!(place.held() <= (1 << 20) + 20 * SEGMENT);
    stop(bridge);
}

#[test]
fn what_is_too_old_goes_and_is_told() {
    let options = ["--keep-age", "2s", "--history", "256KiB"];
    let place = Directory::new();
    let mut bridge = place.start(&options);
    // So much that nothing of the beginning is in memory.
    bridge.feed(many("x", 0, 6000).as_bytes());
    eventually("all read", || metric(&bridge, "input_lines_total"), |read| *read == 6000);
    let first = bridge.get("/events?tail=all&follow=0").rest();
    let id = first.iter().find(|event| event.event == "message").unwrap().id.clone();
    let before = crate::seen::number_of(&id);
    eventually("old history to be gone", || place.held(), |held| *held < SEGMENT / 8);
    bridge.feed(b"new\n");
    eventually("the new line", || metric(&bridge, "input_lines_total"), |read| *read == 6001);
    // What memory has is retained as well.
    let back = bridge.get_with("/events?follow=0", &[("Last-Event-ID", &id)]).rest();
    let (lost, rest) = gap_first(&back);
    assert_eq!((before + lost + rest.len() as u64, lines(rest).last().copied()), (6001, Some("new")), "{:?}", back[0]);
    stop(bridge);
    let again = place.start(&options);
    let back = again.get_with("/events?follow=0", &[("Last-Event-ID", &id)]).rest();
    let (lost, rest) = gap_first(&back);
    assert_eq!(before + lost + rest.len() as u64, 6001, "{back:?}");
    place.assert_verified("after all has become too old");
}

/// The descriptors of a daemon that lead below a directory.
fn open_below(bridge: &Bridge, directory: &std::path::Path) -> usize {
    let entries = fs::read_dir(format!("/proc/{}/fd", bridge.pid())).unwrap();
    let links = entries.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    links.filter(|link| link.starts_with(directory)).count()
}

#[test]
fn thousands_of_channels_need_few_descriptors() {
    const ROUNDS: usize = 3;
    let files = scale(2000, 5000);
    let place = Directory::new();
    fs::create_dir(place.above().join("logs")).unwrap();
    let path = |number: usize| place.above().join(format!("logs/{number:04}.log"));
    let write = |number: usize, round: usize| {
        use std::io::Write;
        let mut file = fs::OpenOptions::new().append(true).create(true).open(path(number)).unwrap();
        writeln!(file, "{number} {round}").unwrap();
    };
    (0..files).for_each(|number| write(number, 0));
    let bridge = place.start(&["--from", "start", "--history", "256KiB", &format!("logs={}", place.at("logs/*.log"))]);
    let mut most = 0;
    for round in 1..=ROUNDS {
        eventually(
            "all lines",
            || {
                most = most.max(open_below(&bridge, &place.state()));
                metric(&bridge, "input_lines_total")
            },
            |read| *read == (files * round) as u64,
        );
        if round < ROUNDS {
            (0..files).for_each(|number| write(number, round));
        }
    }
    assert!((3..=64 + 8).contains(&most), "{most} files of the state directory were open at once");
    assert!(!place.segments("logs/0000.log").is_empty());
    let all = bridge.get("/events?tail=all&follow=0").rest();
    assert_eq!(all.len(), files * ROUNDS, "{:?}", all.first());
    stop(bridge);
    // Without its sources: what is stored is there.
    let again = place.start(&["--history", "256KiB"]);
    let stored = again.get("/events?tail=all&follow=0").rest();
    assert!(
        stored.iter().map(|event| &event.id).eq(all.iter().map(|event| &event.id)),
        "{} of {} are there",
        stored.len(),
        all.len()
    );
    assert!(open_below(&again, &place.state()) <= 64 + 8);
    let one = again.get("/events/logs/0007.log?tail=all&follow=0").rest();
    assert_eq!(lines(&one), (0..ROUNDS).map(|round| format!("7 {round}")).collect::<Vec<_>>());
    // Many at once read all channels, and their files are open only while they are read.
    let port = again.port;
    let readers =
        (0..8).map(|_| thread::spawn(move || crate::harness::Get::new(port, "/events?tail=all&follow=0", &[]).rest().len()));
    assert!(readers.collect::<Vec<_>>().into_iter().all(|reader| reader.join().unwrap() == files * ROUNDS));
    eventually("few open files", || open_below(&again, &place.state()), |open| *open <= 64 + 8);
    assert!(length(&place.segments("logs/0000.log")[0]) > 0);
}
