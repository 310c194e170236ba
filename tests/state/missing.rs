//! What was sent to clients and is not on the disk: at the end of a channel, where its source says it again; and while memory alone has it.

use std::fs;
use std::io::Write;

use crate::directory::Directory;
use crate::harness::bytes::{cut, length};
use crate::harness::parser::Message;
use crate::harness::{Bridge, eventually, lines};
use crate::pipes::{Pipes, metric, wait_for_lines};
use crate::seen::number_of;

fn append(path: &str, lines: &[String]) {
    fs::OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(lines.concat().as_bytes()).unwrap();
}

fn many(name: &str, from: usize, to: usize, size: usize) -> Vec<String> {
    (from..to).map(|number| format!("{name} {number} {}\n", "x".repeat(size))).collect()
}

fn wait_for(bridge: &Bridge, count: u64) {
    eventually("all lines", || metric(bridge, "input_lines_total"), |lines| *lines == count);
}

fn stop(mut bridge: Bridge) {
    bridge.signal("TERM");
    assert_eq!(bridge.wait(), 0);
}

fn everything(bridge: &Bridge) -> Vec<Message> {
    bridge.get("/events?tail=all&follow=0").rest().into_iter().filter(|event| event.event == "message").collect()
}

/// Whoever was there before is told a gap first, in any view and however it brings its id, and whoever comes later is not.
#[track_caller]
fn assert_told_first(bridge: &Bridge, seen: &[Message], views: &[&str]) {
    for view in views {
        for at in [0, seen.len() / 2, seen.len() - 2, seen.len() - 1] {
            let id = &seen[at].id;
            let by_header = bridge.get_with(&format!("{view}?follow=0"), &[("Last-Event-ID", id)]).rest();
            let by_query = bridge.get(&format!("{view}?follow=0&lastEventId={}", id.replace('/', "%2F"))).rest();
            for back in [by_header, by_query] {
                let gaps = back.iter().filter(|event| event.event == "gap").count();
                assert!(back[0].event == "gap" && gaps == 1, "{view} behind {id}: {gaps} gaps, first {:?}", back[0]);
            }
        }
    }
}

#[track_caller]
fn assert_not_told(bridge: &Bridge, id: &str) {
    let back = bridge.get_with("/events?follow=0", &[("Last-Event-ID", id)]).rest();
    assert!(back.iter().all(|event| event.event != "gap"), "behind {id}: {:?}", back[0]);
}

/// The directory of one channel cannot be written until the daemon ends: its file is read again from where that was noted last.
#[test]
fn what_could_not_be_written_is_said_again_behind_a_gap() {
    let place = Directory::new();
    let (a, b) = (place.at("a.log"), place.at("b.log"));
    let sources = [format!("web/a={a}"), format!("b={b}")];
    let options: Vec<_> = ["--from", "start"].into_iter().chain(sources.iter().map(String::as_str)).collect();
    append(&a, &many("a", 0, 5, 10));
    append(&b, &many("b", 0, 5, 10));
    let bridge = place.start(&options);
    wait_for(&bridge, 10);
    let (directory, aside) = (place.of_channel("web/a"), place.at("aside"));
    fs::rename(&directory, &aside).unwrap();
    fs::write(&directory, "a file\n").unwrap();
    // It begins a new segment when the one that it has is gone.
    eventually("the loss", || bridge.get("/channels").text(), |text| text.contains(r#""failing":""#));
    append(&a, &many("a", 5, 10, 10));
    wait_for(&bridge, 15);
    append(&b, &many("b", 5, 6, 10));
    wait_for(&bridge, 16);
    let seen = everything(&bridge);
    assert_eq!(seen.len(), 16, "the stream goes on");
    stop(bridge);
    fs::remove_file(&directory).unwrap();
    fs::rename(&aside, &directory).unwrap();

    let bridge = place.start(&options);
    wait_for(&bridge, 5);
    let again = everything(&bridge);
    assert_eq!(lines(&again).iter().filter(|line| line.starts_with("a 7 ")).count(), 1);
    assert_told_first(&bridge, &seen, &["/events", "/events/web", "/events/web/a"]);
    let last = again.last().unwrap().id.clone();
    assert!(seen.iter().all(|event| number_of(&event.id) < number_of(&last)));
    assert_not_told(&bridge, &last);
    stop(bridge);
    // Also when they come later; but nobody who has been there since.
    let bridge = place.start(&options);
    assert_told_first(&bridge, &seen, &["/events", "/events/web"]);
    assert_not_told(&bridge, &last);
    stop(bridge);
}

/// Half of the newest segment is cut off while the daemon is stopped, though it was safe.
#[test]
fn what_was_cut_off_is_said_again_behind_a_gap() {
    let place = Directory::new();
    let (a, b) = (place.at("a.log"), place.at("b.log"));
    let sources = [format!("a={a}"), format!("b={b}")];
    let options: Vec<_> = ["--from", "start"].into_iter().chain(sources.iter().map(String::as_str)).collect();
    append(&a, &many("a", 0, 1000, 300));
    append(&b, &[]);
    let bridge = place.start(&options);
    wait_for(&bridge, 1000);
    append(&b, &many("b", 0, 1, 10));
    wait_for(&bridge, 1001);
    let seen = everything(&bridge);
    stop(bridge);
    // Without harm nobody is told anything.
    let bridge = place.start(&options);
    seen.iter().step_by(100).chain(seen.last()).for_each(|event| assert_not_told(&bridge, &event.id));
    stop(bridge);
    let newest = place.segments("a").pop().unwrap();
    cut(&newest, length(&newest) / 2);
    let bridge = place.start(&options);
    eventually("all lines", || everything(&bridge).len(), |count| *count == 1001);
    assert_told_first(&bridge, &seen, &["/events", "/events/a"]);
    let last = everything(&bridge).pop().unwrap().id;
    assert_not_told(&bridge, &last);
    stop(bridge);
}

/// The newest so many are so many, also where some between them could not be written.
#[test]
fn the_newest_of_disk_and_memory_are_as_many_as_were_asked_for() {
    let place = Directory::new();
    let mut pipes = Pipes::new(&place, &["good", "bad"]);
    place.obstruct("bad");
    let bridge = place.start(&pipes.arguments(&["--history", "256KiB"]));
    for number in 0..20 {
        for name in ["bad", "good"] {
            pipes.write(name, &format!("{name} {number}\n"));
            wait_for_lines(&bridge, pipes.lines);
        }
    }
    for part in 0..40 {
        pipes.write("good", &many("good", part * 100, part * 100 + 100, 100).concat());
        wait_for_lines(&bridge, pipes.lines);
    }
    let all = everything(&bridge);
    assert_eq!(all.len(), 4040);
    let ids = |events: &[Message]| events.iter().map(|event| event.id.clone()).collect::<Vec<_>>();
    for count in [0, 1, 10, 4000, 4001, 4002, 4010, 4015, 4039, 4040, 5000] {
        let got = bridge.get(&format!("/events?follow=0&tail={count}")).rest();
        let got: Vec<_> = got.into_iter().filter(|event| event.event == "message").collect();
        assert_eq!(ids(&got), ids(&all[all.len().saturating_sub(count)..]), "tail={count}");
    }
    for (at, count) in [(45, 3), (45, 10), (45, 30), (38, 7), (20, 30)] {
        let got = bridge.get(&format!("/events?before={}&tail={count}", all[at].id.replace('/', "%2F"))).rest();
        assert_eq!(ids(&got), ids(&all[at.saturating_sub(count)..at]), "before event {at}, tail={count}");
    }
    stop(bridge);
}
