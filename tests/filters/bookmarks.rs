//! How a client learns how far it has come while nothing passes.

use std::time::Duration;

use crate::harness::{Bridge, PATIENCE, eventually, lines};
use crate::pipes::{metric, wait_for_lines};

/// Feeds so many lines that do not match.
fn feed_misses(bridge: &mut Bridge, from: u64, count: u64) {
    bridge.feed((from..from + count).map(|number| format!("miss {number}\n")).collect::<String>().as_bytes());
    wait_for_lines(bridge, from + count);
}

#[test]
fn a_stream_without_a_match_begins_with_its_place() {
    let mut bridge = Bridge::start(&[]);
    feed_misses(&mut bridge, 0, 5);
    for query in ["", "&tail=all", "&since=1h", "&context=2", "&tail=all&context=2", "&tail=0"] {
        let start = bridge.get(&format!("/events?grep=match{query}")).events(1).remove(0);
        assert_eq!(start.event, "start", "{query}");
        bridge.feed(b"match\n");
        let back = bridge.get_with("/events?grep=match", &[("Last-Event-ID", &start.id)]).events(1).remove(0);
        assert_eq!(back.data, "match", "{query}");
        let all = bridge.get("/events?tail=all&follow=0").rest().len() as u64;
        // All that matched is out of the way of the next one.
        let history = bridge.get_with("/events?follow=0&grep=match", &[("Last-Event-ID", &back.id)]).rest();
        assert_eq!((lines(&history), all > 5), (Vec::<&str>::new(), true));
        bridge = Bridge::start(&[]);
        feed_misses(&mut bridge, 0, 5);
    }
}

#[test]
fn silence_is_broken_by_the_place_that_was_reached() {
    for (format, version) in [("sse", "1.1"), ("ndjson", "1.1"), ("sse", "2"), ("ndjson", "2")] {
        for context in [0, 3] {
            let mut bridge = Bridge::start(&["--heartbeat", "1s", "--history", "64KiB"]);
            feed_misses(&mut bridge, 0, 10);
            let path = format!("/events?grep=match&format={format}&context={context}");
            let mut curl = std::process::Command::new("curl");
            curl.args([if version == "2" { "--http2-prior-knowledge" } else { "--http1.1" }, "-sN", "--noproxy", "*"])
                .arg(bridge.url(&path));
            let mut curl = curl.stdout(std::process::Stdio::piped()).spawn().expect("curl is installed");
            let shown = crate::harness::Collected::of(curl.stdout.take().unwrap());
            let starts = |seen: &[u8]| {
                String::from_utf8_lossy(seen).matches(if format == "sse" { "event: start\n" } else { "\"type\":\"start\"" }).count()
            };
            shown.wait("the first place", |seen| starts(seen) == 1);
            let mut fed = 10;
            for so_many in 2..4 {
                feed_misses(&mut bridge, fed, 2000);
                fed += 2000;
                shown.wait("the next place", |seen| starts(seen) == so_many);
            }
            let text = shown.text();
            let id = if format == "sse" {
                text.lines().filter_map(|line| line.strip_prefix("id: ")).last().unwrap().to_owned()
            } else {
                let last = serde_json::from_str::<serde_json::Value>(text.lines().last().unwrap()).unwrap();
                last["id"].as_str().unwrap().to_owned()
            };
            let number: u64 = id.split('-').nth(1).unwrap().parse().unwrap();
            assert!(number >= fed - context && number <= fed, "{path} over {version}: {id} of {fed}");
            // What was left out has been dropped meanwhile, and that is no gap.
            let mut back = bridge.get_with("/events?grep=match&context=2", &[("Last-Event-ID", &id)]);
            bridge.feed(b"match\n");
            let events = back.events(1);
            assert!(events[0].event == "message", "{events:?}");
            // Nothing new to say is said as always.
            let before = shown.bytes().len();
            if format == "sse" {
                shown.wait("a match and a heartbeat", |seen| seen[before..].ends_with(b"\n\n:\n"));
            }
            curl.kill().unwrap();
            curl.wait().unwrap();
        }
    }
}

#[test]
fn lines_alone_stay_silent_and_the_page_sees_pings() {
    let mut bridge = Bridge::start(&["--heartbeat", "1s"]);
    feed_misses(&mut bridge, 0, 10);
    let mut text = bridge.get("/events?grep=match&format=text");
    let mut objects = bridge.get("/events?tail=0&format=ndjson&ping=1");
    let first = String::from_utf8(objects.next_piece().unwrap()).unwrap();
    assert!(first.contains("\"type\":\"start\""), "{first}");
    let ping = String::from_utf8(objects.next_piece().unwrap()).unwrap();
    assert_eq!(ping, "{\"id\":null,\"time\":null,\"channel\":null,\"type\":\"ping\",\"data\":{}}\n");
    bridge.feed(b"match\n");
    assert_eq!(text.next_piece().unwrap(), b"match\n");
}

/// Looking through much takes long; who waits is told meanwhile, and nobody else waits.
#[test]
fn who_looks_through_much_gives_signs_of_life_and_holds_nobody_up() {
    let mut bridge = Bridge::start(&["--heartbeat", "1s", "--history", "64MiB"]);
    let line = "x".repeat(1000) + "\n";
    let count = 20_000;
    for _ in 0..count / 100 {
        bridge.feed(line.repeat(100).as_bytes());
    }
    wait_for_lines(&bridge, count);
    // An expression for which the fast ways do not do.
    let slow = "/events?tail=all&grep=(x%7Cy)*x(x%7Cy)%7B60%7Dz";
    let before = metric(&bridge, "filter_bytes_total");
    let mut get = bridge.get(slow);
    let mut live = bridge.get("/events?tail=0");
    live.events(1);
    eventually("looking through", || metric(&bridge, "filter_bytes_total"), |bytes| *bytes > before);
    for number in 0..5 {
        let began = std::time::Instant::now();
        bridge.feed(format!("line {number}\n").as_bytes());
        assert_eq!(live.events(1)[0].data, format!("line {number}"));
        assert!(began.elapsed() < PATIENCE / 10, "a line took {:?}", began.elapsed());
    }
    let began = std::time::Instant::now();
    let piece = get.next_piece().unwrap();
    assert!(!piece.is_empty() && began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let first = get.events(1);
    assert_eq!(first[0].event, "start", "{first:?}");
}
