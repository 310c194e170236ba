//! What a client of `/events` sees: lines, control events, progress, silence, and the ways to ask.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::harness::{Bridge, End, Get, lines};

/// A daemon that has read these lines and whose input has ended.
fn ended(input: &[u8], arguments: &[&str]) -> Bridge {
    let mut bridge = Bridge::start(arguments);
    bridge.feed(input);
    bridge.end_input();
    bridge.wait_for_stderr("standard input");
    bridge
}

/// The numbers of the given events' ids.
fn numbers(get: &mut Get) -> Vec<u64> {
    get.rest().iter().map(|event| number(&event.id)).collect()
}

fn number(id: &str) -> u64 {
    let position = id.split('/').next().unwrap();
    position.split('-').nth(1).unwrap().parse().unwrap()
}

fn now() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()
}

#[test]
fn a_line_is_an_event_with_its_id() {
    let before = now();
    let mut get = ended(b"hello\n", &[]).get("/events");
    let events = get.rest();
    assert_eq!(lines(&events), ["hello"]);
    let (time, rest) = events[0].id.split_once('-').unwrap();
    assert_eq!(rest, "1/stdin");
    assert!((before..=now()).contains(&time.parse().unwrap()), "{time}");
    assert_eq!(events[1].event, "end");
    assert_eq!(events[1].data, r#"{"channel":"stdin","reason":"eof","exit":null}"#);
    assert_eq!(get.end, Some(End::Clean));
}

#[test]
fn a_name_and_a_type_are_the_users() {
    let bridge = ended(b"x\n", &["web/log=-", "--event-type", "tick"]);
    for path in ["/events", "/events/web", "/events/web/log", "/events?channel=web", "/events/%77eb"] {
        let events = bridge.get(path).rest();
        assert_eq!((events[0].event.as_str(), events[0].data.as_str()), ("tick", "x"), "{path}");
        assert!(events[0].id.ends_with("-1/web/log"), "{}", events[0].id);
    }
    assert_eq!(bridge.get("/events/we").status(), 404);
}

#[test]
fn a_stream_without_anything_to_send_starts_with_its_position() {
    let mut bridge = Bridge::start(&[]);
    let mut get = bridge.get("/events");
    let start = get.events(1).remove(0);
    assert_eq!(start.event, "start");
    assert_eq!(start.data, r#"{"channels":["stdin"],"newest":null}"#);
    assert!(start.id.ends_with("-0"), "{}", start.id);
    bridge.feed(b"one\n");
    assert_eq!(get.events(1)[0].data, "one");

    let mut late = bridge.get("/events?tail=0");
    let start = late.events(1).remove(0);
    assert_eq!(number(&start.id), 1);
    assert!(start.data.contains(r#""newest":""#) && start.data.contains("-1/stdin"), "{}", start.data);
    late.assert_strict();
}

#[test]
fn tail_since_before_and_follow_choose() {
    let mut bridge = ended(&(1..=30).map(|n| format!("line {n}\n")).collect::<String>().into_bytes(), &[]);
    bridge.end_input();
    // The end event is number 31.
    assert_eq!(numbers(&mut bridge.get("/events")), (22..=31).collect::<Vec<_>>());
    assert_eq!(numbers(&mut bridge.get("/events?tail=3")), [29, 30, 31]);
    assert_eq!(numbers(&mut bridge.get("/events?tail=1000")).len(), 31);
    assert_eq!(numbers(&mut bridge.get("/events?tail=all")).len(), 31);
    assert_eq!(numbers(&mut bridge.get("/events?since=1h")).len(), 31);
    assert_eq!(numbers(&mut bridge.get("/events?since=1h&tail=2")), [30, 31]);
    let all = bridge.get("/events?tail=all").rest();
    let page = format!("/events?before={}&tail=4", all[9].id);
    assert_eq!(numbers(&mut bridge.get(&page)), [6, 7, 8, 9]);
    assert!(numbers(&mut bridge.get(&format!("/events?before={}&tail=4", all[0].id))).is_empty());
    assert_eq!(numbers(&mut bridge.get(&format!("/events?since={}&tail=all", now() + 60_000))).len(), 1, "only `start`");
}

#[test]
fn since_separates_what_came_before_a_moment_from_what_came_after() {
    let mut bridge = Bridge::start(&[]);
    let mut live = bridge.get("/events?tail=all");
    bridge.feed(b"early\n");
    let early = live.events(2).remove(1);
    let moment: u128 = early.id.split('-').next().unwrap().parse().unwrap();
    while now() <= moment + 1 {
        std::hint::spin_loop();
    }
    bridge.feed(b"late\n");
    live.events(1);
    let since = format!("/events?follow=0&since={}", moment + 1);
    assert_eq!(lines(&bridge.get(&since).rest()), ["late"]);
}

#[test]
fn follow_0_ends_while_the_input_goes_on() {
    let mut bridge = Bridge::start(&[]);
    let mut live = bridge.get("/events");
    bridge.feed(b"a\nb\n");
    live.events(3);
    let mut get = bridge.get("/events?follow=0");
    assert_eq!(lines(&get.rest()), ["a", "b"]);
    assert_eq!(bridge.get("/events?follow=0&tail=0").rest()[0].event, "start");
}

#[test]
fn the_lines_alone() {
    let bridge = ended(b"a\rb\n\nlast", &[]);
    assert_eq!(bridge.get("/events?format=text").text(), "a\nb\n\nlast\n");
    let mut get = bridge.get_with("/events", &[("Accept", "text/plain")]);
    assert_eq!(get.header("content-type").unwrap(), "text/plain; charset=utf-8");
    assert_eq!(get.text(), "a\nb\n\nlast\n");
}

#[test]
fn silence_is_broken_by_comments_or_by_pings() {
    let bridge = Bridge::start(&["--heartbeat", "1s"]);
    let mut comments = bridge.get("/events");
    let mut pings = bridge.get("/events?ping=1");
    comments.events(1);
    pings.events(1);
    assert_eq!(comments.next_piece().unwrap(), b":\n");
    assert_eq!(comments.next_piece().unwrap(), b":\n");
    let ping = pings.events(1).remove(0);
    assert_eq!((ping.event.as_str(), ping.data.as_str()), ("ping", "{}"));
    assert!(!ping.has_own_id);
    comments.assert_strict();
    pings.assert_strict();
}

#[test]
fn the_first_bytes_come_before_the_first_line() {
    let bridge = Bridge::start(&["--retry", "3s"]);
    let first = bridge.get("/events").next_piece().unwrap();
    let text = String::from_utf8(first).unwrap();
    assert!(text.starts_with(": sse-bridge\nretry: 3000\nid: "), "{text:?}");
}

#[test]
fn progress_moves_and_becomes_one_line() {
    let mut bridge = Bridge::start(&[]);
    let mut get = bridge.get("/events");
    get.events(1);
    bridge.feed(b"10%\r20%");
    let progress = get.events(1).remove(0);
    assert_eq!((progress.event.as_str(), progress.data.as_str()), ("progress", r#"{"channel":"stdin","text":"20%"}"#));
    assert!(!progress.has_own_id, "progress is not stored");
    assert_eq!(bridge.get("/events").events(2)[1].event, "progress", "a new client sees the newest state");
    bridge.feed(b"\r30%\r100%\n");
    let mut whole = get.events(1).remove(0);
    while whole.event == "progress" {
        whole = get.events(1).remove(0);
    }
    assert_eq!(whole.data, "10%\n20%\n30%\n100%");
    get.assert_strict();
}

#[test]
fn progress_comes_at_most_five_times_a_second() {
    let mut bridge = Bridge::start(&[]);
    let mut get = bridge.get("/events");
    get.events(1);
    let started = std::time::Instant::now();
    let mut states = 0;
    let mut stdin = bridge.take_stdin();
    let writer = crate::harness::in_background(move || {
        use std::io::Write;
        while started.elapsed().as_millis() < 1500 {
            write!(stdin, "\r{}", started.elapsed().as_micros()).unwrap();
            std::thread::sleep(std::time::Duration::from_millis(1)); // the subject is time itself
        }
        writeln!(stdin).unwrap();
    });
    while get.events(1)[0].event == "progress" {
        states += 1;
    }
    writer.recv().unwrap();
    assert!((3..=9).contains(&states), "{states} states in 1.5 s");
}

#[test]
fn a_crlf_cut_between_two_reads_is_no_progress() {
    let mut bridge = Bridge::start(&[]);
    let mut get = bridge.get("/events");
    get.events(1);
    for line in 0..50 {
        bridge.feed(format!("line {line}\r").as_bytes());
        bridge.feed(b"\n");
        assert_eq!(get.events(1)[0].data, format!("line {line}"));
    }
}

#[test]
fn a_line_that_is_not_finished_waits_for_its_end() {
    let mut bridge = Bridge::start(&["--heartbeat", "1s"]);
    let mut get = bridge.get("/events");
    get.events(1);
    bridge.feed(b"first ha");
    assert_eq!(get.next_piece().unwrap(), b":\n", "only a heartbeat, a second later");
    bridge.feed(b"lf\nsecond");
    assert_eq!(get.events(1)[0].data, "first half");
    bridge.end_input();
    let rest = get.rest();
    assert_eq!(rest[0].data, "second");
    assert_eq!(rest[1].event, "end");
}

#[test]
fn empty_input_is_said_and_served() {
    let bridge = ended(b"", &[]);
    let said = bridge.stderr();
    assert!(said.contains("standard input was empty") && said.contains("still serving"), "{said}");
    assert_eq!(bridge.get("/events").rest()[0].event, "end");
}
