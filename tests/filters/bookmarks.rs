//! How a client learns how far it has come while nothing passes.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::harness::{Bridge, Collected, PATIENCE, eventually, lines};
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
    std::thread::scope(|scope| {
        for (format, version) in [
            ("sse", "--http1.1"),
            ("ndjson", "--http1.1"),
            ("sse", "--http2-prior-knowledge"),
            ("ndjson", "--http2-prior-knowledge"),
        ] {
            for context in [0, 3] {
                scope.spawn(move || silence_is_broken(format, version, context));
            }
        }
    });
}

fn silence_is_broken(format: &str, version: &str, context: u64) {
    let mut bridge = Bridge::start(&["--heartbeat", "1s", "--history", "1MiB"]);
    feed_misses(&mut bridge, 0, 10);
    let path = format!("/events?grep=match&format={format}&context={context}");
    let mut curl = Command::new("curl");
    curl.args([version, "-sN", "--noproxy", "*"]).arg(bridge.url(&path));
    let mut curl = curl.stdout(Stdio::piped()).spawn().expect("curl is installed");
    let shown = Collected::of(curl.stdout.take().unwrap());
    let start = if format == "sse" { "event: start\n" } else { "\"type\":\"start\"" };
    let starts = |seen: &[u8]| String::from_utf8_lossy(seen).matches(start).count();
    shown.wait("the first place", |seen| starts(seen) == 1);
    let mut fed = 10;
    for so_many in 2..6 {
        feed_misses(&mut bridge, fed, 8000);
        fed += 8000;
        shown.wait("the next place", |seen| starts(seen) >= so_many);
    }
    let is_there = |seen: &[u8]| number_of(&last_id(&String::from_utf8_lossy(seen), format)) >= fed - context;
    let text = String::from_utf8(shown.wait("the last place", is_there)).unwrap();
    let id = last_id(&text, format);
    assert!(number_of(&id) <= fed && !text.contains("gap"), "{path} over {version}: {id} of {fed}");
    // What was left out has been dropped meanwhile, and that is no gap.
    let mut back = bridge.get_with("/events?grep=match&context=2", &[("Last-Event-ID", &id)]);
    bridge.feed(b"match\n");
    let events = back.events(1);
    assert!(events[0].event == "message", "{events:?}");
    // Where there is nothing new to say, it is said as always.
    if format == "sse" {
        shown.wait_for("data: match\n\n:\n");
    }
    curl.kill().unwrap();
    curl.wait().unwrap();
}

/// The last id of whole events in a stream; the beginning if there is none.
fn last_id(text: &str, format: &str) -> String {
    let (whole, _) = text.rsplit_once('\n').unwrap_or(("", ""));
    let last = if format == "sse" {
        whole.lines().filter_map(|line| line.strip_prefix("id: ")).next_back().map(str::to_owned)
    } else {
        let object = whole.lines().last().and_then(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        object.and_then(|object| object["id"].as_str().map(str::to_owned))
    };
    last.unwrap_or_else(|| "0-0".to_owned())
}

fn number_of(id: &str) -> u64 {
    id.split('-').nth(1).unwrap().split('/').next().unwrap().parse().unwrap_or(0)
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
