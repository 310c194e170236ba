//! What a stream's URL and header fields ask for.

use crate::harness::{Bridge, Get, lines};
use crate::wire::{Wire, get, is_one_line};

/// A daemon that has read twenty lines, `1` to `20`, and the ids of all events: of the lines and of the end.
fn bridge() -> (Bridge, Vec<String>) {
    let mut bridge = Bridge::start(&["web/access.log=-"]);
    let text: Vec<_> = (1..=20).map(|number| format!("{number}\n")).collect();
    bridge.feed(text.concat().as_bytes());
    bridge.end_input();
    bridge.get("/events").rest(); // until the end has been read
    let ids: Vec<_> = bridge.get("/events?tail=all").rest().into_iter().map(|event| event.id).collect();
    assert_eq!(ids.len(), 21);
    (bridge, ids)
}

/// The lines of a stream that ends.
fn told(get: &mut Get) -> Vec<u32> {
    assert_eq!(get.status(), 200, "{}", get.head);
    lines(&get.rest()).iter().map(|line| line.parse().unwrap()).collect()
}

#[test]
fn every_parameter_does_what_it_says() {
    let (bridge, ids) = bridge();
    let id = |line: usize| &ids[line - 1];
    let numbers = |range: std::ops::RangeInclusive<u32>| range.collect::<Vec<_>>();
    for (query, expected) in [
        (String::new(), numbers(12..=20)), // ten events: the end is one
        ("tail=3".to_owned(), numbers(19..=20)),
        ("tail=all".to_owned(), numbers(1..=20)),
        ("tail=100".to_owned(), numbers(1..=20)),
        ("tail=0".to_owned(), vec![]),
        ("since=1h".to_owned(), numbers(1..=20)),
        ("since=0".to_owned(), numbers(1..=20)),
        ("since=1999-12-31T23:59:59%2B02:00".to_owned(), numbers(1..=20)),
        ("since=2099-01-01T00:00:00Z".to_owned(), vec![]),
        ("since=99999999999999".to_owned(), vec![]),
        ("since=0ms&tail=2".to_owned(), vec![]),
        ("since=1h&tail=2".to_owned(), numbers(20..=20)),
        (format!("before={}&tail=4", id(11)), numbers(7..=10)),
        (format!("before={}&tail=all", id(4)), numbers(1..=3)),
        (format!("before={}", id(1)), vec![]),
        ("follow=0".to_owned(), numbers(12..=20)),
        ("follow=0&tail=all".to_owned(), numbers(1..=20)),
        ("channel=web&tail=2".to_owned(), numbers(20..=20)),
        ("channel=web/access.log&channel=web&tail=2".to_owned(), numbers(20..=20)),
        ("channel=web%2Faccess.log&tail=2".to_owned(), numbers(20..=20)),
        (format!("lastEventId={}", id(17)), numbers(18..=20)),
        (format!("lastEventId={}", id(17).replace('/', "%2F")), numbers(18..=20)),
        (format!("lastEventId={}&tail=all", id(17)), numbers(18..=20)),
        ("ping=1&tail=2".to_owned(), numbers(20..=20)),
        ("format=sse&tail=2".to_owned(), numbers(20..=20)),
    ] {
        assert_eq!(told(&mut bridge.get(&format!("/events?{query}"))), expected, "{query}");
    }
}

#[test]
fn the_header_wins_over_the_parameter() {
    let (bridge, ids) = bridge();
    let path = format!("/events?lastEventId={}", ids[4]);
    assert_eq!(told(&mut bridge.get_with(&path, &[("Last-Event-ID", &ids[17])])), [19, 20]);
    assert_eq!(told(&mut bridge.get_with(&path, &[("last-event-id", &ids[17])])), [19, 20]);
}

#[test]
fn plain_text_is_the_lines_alone() {
    let mut bridge = Bridge::start(&["--event-type", "tick"]);
    bridge.feed(b"one\n\ndata: two\r\nthr\ree\n\xff\0\n");
    bridge.end_input();
    bridge.get("/events").rest();
    let plain = "one\n\ndata: two\nthr\nee\n\u{fffd}\u{fffd}\n";
    for (path, accept) in [
        ("/events?format=text", "*/*"),
        ("/events?format=text", "text/event-stream"),
        ("/events", "text/plain"),
        ("/events/stdin", "TEXT/PLAIN"),
        ("/events", "text/plain;charset=utf-8"),
        ("/events", "text/event-stream;q=0.5, text/plain"),
        ("/events", "text/event-stream;q=0, text/plain;q=0.1"),
        ("/events?follow=0", "text/plain"),
    ] {
        let mut get = bridge.get_with(path, &[("Accept", accept)]);
        assert_eq!(get.header("content-type").as_deref(), Some("text/plain; charset=utf-8"), "{path} {accept}");
        assert_eq!(get.text(), plain, "{path} {accept}");
    }
    for accept in ["*/*", "text/*", "text/event-stream", "text/event-stream, text/plain", "text/plain;q=0", "text/html", "", ","] {
        let get = bridge.get_with("/events?format=sse", &[("Accept", accept)]);
        assert_eq!(get.header("content-type").as_deref(), Some("text/event-stream"), "{accept}");
        let get = bridge.get_with("/events", &[("Accept", accept)]);
        assert_eq!(get.header("content-type").as_deref(), Some("text/event-stream"), "{accept}");
    }
    assert_eq!(
        bridge.get_with("/events?format=sse", &[("Accept", "text/plain")]).header("content-type").unwrap(),
        "text/event-stream"
    );
}

#[test]
fn plain_text_flows_as_it_comes_and_is_never_padded() {
    let mut bridge = Bridge::start(&["--heartbeat", "1s"]);
    let mut text = bridge.get("/events?format=text");
    let mut pinged = bridge.get("/events?ping=1");
    pinged.events(2); // start, and a ping after a second
    bridge.feed(b"one\n");
    assert_eq!(text.next_piece().unwrap(), b"one\n", "no heartbeat stands in plain text");
    bridge.end_input();
    assert_eq!(text.text(), "one\n");
}

#[test]
fn a_bad_value_of_a_known_parameter_is_told_in_one_line() {
    let bridge = Bridge::start(&[]);
    for (name, values) in [
        ("tail", &["", "x", "-1", "1.5", "+1e3", "18446744073709551616", "ALL", "%00"][..]),
        ("since", &["", "x", "-5m", "yesterday", "99999999999999999999h", "2025-13-01T00:00:00Z", "2025-01-01", "%0A10m%0D"]),
        ("before", &["", "x", "5", "5-", "-5", "5-5/", "5-5/../x", "1e3-5"]),
        ("follow", &["", "x", "2", "yes", "00"]),
        ("format", &["", "x", "json", "TEXT"]),
        ("ping", &["", "x", "2", "-1"]),
    ] {
        for value in values {
            let mut get = bridge.get(&format!("/events?{name}={value}"));
            assert_eq!((get.status(), get.header("content-type").unwrap()), (400, "text/plain; charset=utf-8".to_owned()));
            let text = get.text();
            assert!(text.starts_with("bad value '") && text.contains(name), "{name}={value}: {text}");
            assert!(is_one_line(&text), "{name}={value}: {text:?}");
        }
        assert_eq!(bridge.get(&format!("/events?{name}")).status(), 400, "{name} without a value");
    }
}

#[test]
fn extreme_values_are_answered() {
    let (bridge, _) = bridge();
    let most = u64::MAX;
    for query in [
        format!("tail={most}"),
        format!("since={most}"),
        "since=5000000000h".to_owned(),
        "since=9999-12-30T22:00:00Z".to_owned(),
        "since=-009999-01-02T01:59:59Z".to_owned(),
        format!("before={most}-{most}"),
        format!("before=0-{most}&tail={most}"),
        "before=0-0".to_owned(),
        format!("lastEventId={most}-{most}"),
        format!("lastEventId={most}-0&before=0-0"),
        format!("lastEventId=0-{most}"),
        format!("since={most}&tail=0&before=1-1&follow=1"),
        format!("channel={}", vec!["web"; 300].join("&channel=")),
    ] {
        let mut get = bridge.get(&format!("/events?{query}"));
        assert_eq!(get.status(), 200, "{query}: {}", get.text());
        get.rest();
    }
}

#[test]
fn unknown_parameters_and_ids_that_are_not_ours_are_ignored() {
    let bridge = Bridge::start(&[]);
    for query in [
        "_=1763660000",
        "Tail=x",
        "tail[]=x",
        "&&",
        "=",
        "&=&x",
        "token=a%ZZ",
        "%",
        "since_=x",
        "lastEventId=garbage",
        "lastEventId=",
    ] {
        assert_eq!(bridge.get(&format!("/events?{query}")).events(1)[0].event, "start", "{query}");
    }
    let long = "9".repeat(8000);
    for id in ["garbage", "", " ", "1-1/a b", "\u{e4}", "5", "-", "1-1/../..", &long] {
        assert_eq!(bridge.get_with("/events", &[("Last-Event-ID", id)]).events(1)[0].event, "start", "{id}");
    }
}

#[test]
fn a_client_that_has_everything_of_a_finished_stream_is_told_to_stay_away() {
    let (bridge, ids) = bridge();
    let end = ids.last().unwrap();
    let bare = end.split('/').next().unwrap();
    for (path, id) in [
        ("/events".to_owned(), &**end),
        ("/events/web".to_owned(), end),
        ("/events?tail=all".to_owned(), end),
        ("/events?format=text".to_owned(), end),
        ("/events".to_owned(), bare),
        (format!("/events?lastEventId={end}"), ""),
    ] {
        let headers: Vec<_> = [("Last-Event-ID", id)].into_iter().filter(|(_, id)| !id.is_empty()).collect();
        assert_eq!(bridge.get_with(&path, &headers).status(), 204, "{path} {id}");
    }
    let mut wire = Wire::to(&bridge);
    wire.send(get(&format!("/events?lastEventId={end}"))).send(get("/healthz"));
    assert_eq!((wire.head().split(' ').nth(1), wire.answer().body), (Some("204"), "ok\n".to_owned()), "a 204 has no body");
}

#[test]
fn nobody_else_is_told_to_stay_away() {
    let (bridge, ids) = bridge();
    let last_line = &ids[19];
    let (time, number) = ids[20].split('/').next().unwrap().split_once('-').unwrap();
    let of_another_life = format!("{}-{number}", time.parse::<u64>().unwrap() - 100_000);
    let newer_than_the_newest = format!("{time}-{}", number.parse::<u64>().unwrap() + 1);
    let ahead = format!("{}-{number}", time.parse::<u64>().unwrap() + 100_000);
    for (id, first) in [
        ("", "message"),
        ("garbage", "message"),
        (last_line, "end"),
        (&of_another_life, "gap"),
        (&newer_than_the_newest, "gap"),
        (&ahead, "gap"),
        ("0-0", "gap"),
    ] {
        let mut get = bridge.get_with("/events", &[("Last-Event-ID", id)]);
        assert_eq!(get.status(), 200, "{id}");
        assert_eq!(get.rest()[0].event, first, "{id}");
    }

    let mut open = Bridge::start(&[]);
    let mut live = open.get("/events");
    open.feed(b"one\n");
    let newest = live.events(2).pop().unwrap().id;
    assert_eq!(open.get_with("/events", &[("Last-Event-ID", &newest)]).status(), 200, "more may come");
}
