//! Every filter on a stream that has ended.

use std::process::Command;

use crate::directory::Directory;
use crate::harness::parser::Parser;
use crate::harness::{Bridge, Random, lines as data_of, scale, seed};
use crate::model::{FILTERS, Filter, all, lines, names, newest, passing, whole, wire};
use crate::pipes::{Pipes, wait_for_lines};

/// Two daemons that have ended their inputs: one has all in memory, the other most on the disk.
fn ended(random: &mut Random, count: usize) -> [(Bridge, Directory); 2] {
    let (old, new) = (lines(random, count / 2), lines(random, count - count / 2));
    [false, true].map(|has_state| {
        let place = Directory::new();
        let bridge = if has_state {
            let mut before = place.start(&[]);
            feed_and_end(&mut before, &old);
            before.signal("TERM");
            assert_eq!(before.wait(), 0);
            let mut bridge = place.start(&[]);
            feed_and_end(&mut bridge, &new);
            bridge
        } else {
            let mut bridge = Bridge::start(&[]);
            feed_and_end(&mut bridge, &(old.clone() + &new));
            bridge
        };
        (bridge, place)
    })
}

fn feed_and_end(bridge: &mut Bridge, text: &str) {
    for part in text.split_inclusive('\n').collect::<Vec<_>>().chunks(7) {
        bridge.feed(part.concat().as_bytes());
    }
    bridge.end_input();
    bridge.wait_for_stderr("ended after");
}

#[test]
fn large_events_with_context_reach_clients_that_take_them_in_pieces() {
    let mut bridge = Bridge::start(&["--max-line", "4MiB"]);
    let large = |number: usize| format!("BIG {number} {}", "x".repeat(3_000_000));
    feed_and_end(&mut bridge, &(0..4).map(|number| large(number) + "\n").collect::<String>());
    // Several at once: what is kept for one is no other's.
    let clients: Vec<_> = (0..4).map(|_| bridge.get("/events?follow=0&tail=all&grep=BIG&context=1")).collect();
    for mut client in clients {
        let events = client.rest();
        let lengths: Vec<_> = data_of(&events).iter().map(|data| data.len()).collect();
        assert_eq!(lengths, [large(0).len(); 4]);
    }
}

#[test]
fn a_filtered_stream_is_what_passes_of_the_stream() {
    let mut random = Random::new(seed());
    for round in 0..scale(2, 40) {
        for (bridge, _place) in &ended(&mut random, 40 + round * 7) {
            let stream = whole(bridge);
            for Filter { query, matches } in &FILTERS {
                for reach in 0..4 {
                    let get = |more: &str| bridge.get(&format!("/events?{query}&context={reach}&{more}"));
                    let expected = passing(&stream, *matches, reach);
                    assert_eq!(names(&all(get("tail=all"))), names(&expected), "{query} context={reach}");
                    let tail = random.below(12);
                    let expected = newest(&stream, *matches, reach, tail);
                    assert_eq!(
                        names(&all(get(&format!("tail={tail}&follow=0")))),
                        names(&expected),
                        "{query} context={reach} tail={tail}"
                    );
                    // Pages backwards, as far as they go.
                    let before = &stream[random.below(stream.len())];
                    let earlier = &stream[..stream.iter().position(|message| message.id == before.id).unwrap()];
                    let expected = newest(earlier, *matches, reach, 3);
                    assert_eq!(
                        names(&all(get(&format!("tail=3&before={}", before.id)))),
                        names(&expected),
                        "{query} context={reach} before={}",
                        before.id
                    );
                    // Back with any id, of an event that was sent or not; around what was not sent nobody has asked.
                    let at = random.below(stream.len());
                    let id = &stream[at].id;
                    if reach == 0 {
                        let expected = passing(&stream[at + 1..], *matches, 0);
                        assert_eq!(names(&all(get(&format!("lastEventId={id}")))), names(&expected), "{query} behind {id}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_client_cut_after_every_byte_comes_back_and_has_each_event_once() {
    let mut random = Random::new(seed());
    for (bridge, _place) in &ended(&mut random, 30) {
        let stream = whole(bridge);
        for (which, reach) in [(0, 0), (0, 2), (3, 1), (2, 3)] {
            let Filter { query, matches } = &FILTERS[which];
            let path = format!("/events?tail=all&{query}&context={reach}");
            let expected = names(&passing(&stream, *matches, reach));
            let whole = wire(bridge, &path);
            for cut in (0..=whole.len()).step_by(scale(11, 1)) {
                let mut parser = Parser::new();
                let mut got = parser.push(&whole[..cut]);
                let id = parser.last_event_id().to_owned();
                if id.is_empty() {
                    got.clear();
                }
                got.extend(all(bridge.get_with(&path, &[("Last-Event-ID", &id)])));
                assert_eq!(names(&got), expected, "{path} cut after byte {cut}, back with {id:?}");
            }
        }
    }
}

/// With `tail`, nothing is sent that is around none of the newest matches.
#[test]
fn the_newest_matches_come_with_what_is_around_them_and_nothing_else() {
    let place = Directory::new();
    let mut before = place.start(&[]);
    feed_and_end(&mut before, "x\nmatch 1\ny\n");
    before.signal("TERM");
    assert_eq!(before.wait(), 0);
    let mut bridge = place.start(&[]);
    let large = "x".repeat(40_000);
    feed_and_end(&mut bridge, &format!("z\nmatch 2\na\nmatch 3\nmatch 4 {large}\n{large}\nmatch 5\n"));
    let tail = |count: usize, reach: usize| {
        let events = all(bridge.get(&format!("/events?follow=0&grep=match&tail={count}&context={reach}")));
        data_of(&events)
            .iter()
            .filter(|data| !data.starts_with('{'))
            .map(|data| data[..data.len().min(7)].to_owned())
            .collect::<Vec<_>>()
    };
    let rest = ["match 4", "xxxxxxx", "match 5"];
    assert_eq!(tail(4, 1), [&["z", "match 2", "a", "match 3"][..], &rest].concat(), "a control event stands before it");
    for reach in [3, 4, 5, 6] {
        assert_eq!(tail(4, reach), [&["z", "match 2", "a", "match 3"][..], &rest].concat(), "context={reach} ends at it");
    }
    assert_eq!(tail(3, 2), [&["match 2", "a", "match 3"][..], &rest].concat(), "an older match is one of those around");
    assert_eq!(tail(1, 2), rest[1..], "no more than can be held back for a match");
}

#[test]
fn every_version_of_http_gives_the_same() {
    let mut random = Random::new(seed());
    for (bridge, _place) in &ended(&mut random, 200) {
        for format in ["sse", "text", "ndjson"] {
            for (Filter { query, .. }, reach) in FILTERS.iter().zip([0, 1, 0, 2, 0, 3, 1, 0, 1]) {
                let path = format!("/events?tail=all&{query}&context={reach}&format={format}");
                let expected = wire(bridge, &path);
                for version in ["--http1.0", "--http1.1", "--http2-prior-knowledge"] {
                    let mut curl = Command::new("curl");
                    curl.args([version, "-gsSN", "--noproxy", "*", "--max-time", "20"]).arg(bridge.url(&path));
                    let output = curl.output().expect("curl is installed");
                    assert!(output.status.success(), "{version} {path}: {output:?}");
                    let (got, expected) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&expected));
                    assert_eq!(got, expected, "{version} {path}");
                }
            }
        }
    }
}

#[test]
fn lines_and_objects_are_of_the_same_events() {
    let mut random = Random::new(seed());
    for (bridge, _place) in &ended(&mut random, 60) {
        for Filter { query, .. } in &FILTERS {
            let path = format!("/events?tail=all&{query}&context=1");
            let messages = all(bridge.get(&path));
            let expected: String = data_of(&messages).iter().map(|data| format!("{data}\n")).collect();
            assert_eq!(String::from_utf8(wire(bridge, &format!("{path}&format=text"))).unwrap(), expected, "{path}");
            let objects = String::from_utf8(wire(bridge, &format!("{path}&format=ndjson"))).unwrap();
            let objects: Vec<serde_json::Value> = objects.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            assert_eq!(objects.len(), messages.len(), "{path}");
            for (object, message) in objects.iter().zip(&messages) {
                assert_eq!(object["id"], message.id.as_str(), "{path}");
                assert_eq!(object["type"].as_str().unwrap_or("message"), message.event, "{path}");
                let data = object["data"].as_str().map_or_else(|| object["data"].to_string(), str::to_owned);
                let is_same = data == message.data
                    || serde_json::from_str(&message.data).is_ok_and(|data: serde_json::Value| data == object["data"]);
                assert!(is_same, "{path}: {object} for {message:?}");
            }
        }
    }
}

#[test]
fn several_channels_are_one_order_and_types_are_asked_for() {
    let place = Directory::new();
    let mut pipes = Pipes::new(&place, &["web/a", "web/b", "db"]);
    let bridge = Bridge::start(&pipes.arguments(&["--event-type", "tick"]));
    let mut random = Random::new(seed());
    for _ in 0..60 {
        let channel = ["web/a", "web/b", "db"][random.below(3)];
        let some = 1 + random.below(3);
        pipes.write(channel, &lines(&mut random, some));
    }
    wait_for_lines(&bridge, pipes.lines);
    for channels in ["/events?", "/events/web?", "/events?channel=db&channel=web/b&"] {
        let stream = all(bridge.get(&format!("{channels}tail=all&follow=0")));
        for Filter { query, matches } in &FILTERS {
            for (types, reach) in [("&type=tick", 2), ("&type=tick&type=", 0), ("", 1)] {
                let path = format!("{channels}tail=all&follow=0&{query}{types}&context={reach}");
                assert_eq!(names(&all(bridge.get(&path))), names(&passing(&stream, *matches, reach)), "{path}");
            }
        }
        for none in ["type=", "type=tock", "type=tick&grep=nowhere"] {
            assert_eq!(names(&all(bridge.get(&format!("{channels}tail=all&follow=0&{none}")))), [], "{none}");
        }
    }
}

/// Farther back than a page, and than what is looked through at once.
#[test]
fn the_newest_that_match_are_found_however_far_back_they_are() {
    let far = [3, 4, 150, 151, 152, 4000, 12_000, 19_990];
    let line = |number: u64| {
        if far.contains(&number) { format!("match {number}\n") } else { format!("miss {number} {}\n", "x".repeat(60)) }
    };
    let text: String = (1..=20_000).map(line).collect();
    for is_restarted in [false, true] {
        let place = Directory::new();
        let mut bridge = if is_restarted { place.start(&["--history", "256KiB"]) } else { Bridge::start(&[]) };
        for part in text.as_bytes().chunks(50_000) {
            bridge.feed(part);
        }
        bridge.end_input();
        bridge.wait_for_stderr("ended after");
        let stream = whole(&bridge);
        assert_eq!(stream.len(), 20_001);
        let matches: fn(&str) -> bool = |data| data.starts_with("match");
        for count in [1, 2, 3, 5, 8, 9] {
            for reach in [0, 2] {
                let path = format!("/events?tail={count}&grep=%5Ematch&context={reach}");
                assert_eq!(names(&all(bridge.get(&path))), names(&newest(&stream, matches, reach, count)), "{path}");
                let before = &stream[11_998];
                let path = format!("{path}&before={}", before.id);
                assert_eq!(names(&all(bridge.get(&path))), names(&newest(&stream[..11_998], matches, reach, count)), "{path}");
            }
        }
        assert_eq!(data_of(&all(bridge.get("/events?grep=%5Ematch&since=2000-01-01T00:00:00Z&tail=1"))), ["match 19990"]);
        // After each id that was sent, with what stood around it on the disk or in memory.
        let expected = names(&passing(&stream, matches, 2));
        for (at, (id, _)) in expected.iter().enumerate() {
            let rest = names(&all(bridge.get(&format!("/events?grep=%5Ematch&context=2&lastEventId={id}"))));
            assert_eq!(rest, expected[at + 1..], "behind {id}");
        }
    }
}
