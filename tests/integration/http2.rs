//! HTTP/2 with prior knowledge, as proxies and curl speak it.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::frames::{
    DATA, END_STREAM, GOAWAY, HEADERS, Http2, INITIAL_WINDOW_SIZE, PING, PREFACE, RST_STREAM, SETTINGS, WINDOW_UPDATE,
};
use crate::harness::{Bridge, Collected, Random, scale, seed};
use crate::wire::{Wire, get, metric, wait_for_metric};

/// What curl says of a URL over HTTP/2, head and body; it must call the end clean.
fn curl(bridge: &Bridge, arguments: &[&str], path: &str) -> String {
    let output = curl_command(bridge, arguments, path).output().expect("curl is installed");
    assert!(output.status.success(), "{path}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn curl_command(bridge: &Bridge, arguments: &[&str], path: &str) -> Command {
    let mut curl = Command::new("curl");
    curl.args(["--http2-prior-knowledge", "-sSN", "--noproxy", "*", "--max-time", "20"]).args(arguments).arg(bridge.url(path));
    curl
}

#[test]
fn what_curl_gets_over_http_2_is_what_it_gets_over_http_1() {
    let mut bridge = Bridge::start(&[]);
    bridge.feed(b"one\n\xff\n\ntwo");
    bridge.end_input();
    bridge.get("/events").rest();
    for (path, status) in [
        ("/events", "HTTP/2 200 "),
        ("/events?format=text", "HTTP/2 200 "),
        ("/events/stdin?tail=1&follow=0", "HTTP/2 200 "),
        ("/", "HTTP/2 200 "),
        ("/channels", "HTTP/2 200 "),
        ("/healthz", "HTTP/2 200 "),
        ("/nothing", "HTTP/2 404 "),
        ("/events/other", "HTTP/2 404 "),
        ("/events?tail=x", "HTTP/2 400 "),
    ] {
        let answer = curl(&bridge, &["-i"], path);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with(status), "{path}: {head}");
        let mut over_1 = bridge.get(path);
        assert_eq!(body, over_1.text(), "{path}");
        for field in over_1.head.lines().skip(1).filter_map(|line| line.split_once(": ")) {
            let is_same = head.lines().any(|line| line == format!("{}: {}", field.0, field.1));
            assert!(is_same || matches!(field.0, "date" | "transfer-encoding"), "{path}: {field:?} is not in {head}");
        }
        assert!(!head.contains("transfer-encoding") && !head.contains("connection:"), "{path}: {head}");
    }
}

#[test]
fn a_live_stream_flows_and_ends_cleanly() {
    let mut bridge = Bridge::start(&[]);
    let mut curl = curl_command(&bridge, &["-i"], "/events").stdout(Stdio::piped()).spawn().expect("curl is installed");
    let shown = Collected::of(curl.stdout.take().unwrap());
    shown.wait_for("\r\n\r\n: sse-bridge\nretry: 2000\nid: ");
    bridge.feed(b"one\n");
    shown.wait_for("data: one\n\n");
    bridge.end_input();
    shown.wait_for("event: end\n");
    assert!(curl.wait().unwrap().success(), "curl calls a stream that is cut an error");
}

#[test]
fn head_and_options_open_no_stream() {
    let bridge = Bridge::start(&[]);
    let head = curl(&bridge, &["--head"], "/events");
    assert!(head.starts_with("HTTP/2 200 ") && head.contains("content-type: text/event-stream\r\n"), "{head}");
    assert!(curl(&bridge, &["-i", "-X", "OPTIONS"], "/events").starts_with("HTTP/2 204 "));
    let refused = curl(&bridge, &["-i", "-X", "DELETE"], "/events");
    assert!(refused.starts_with("HTTP/2 405 ") && refused.contains("allow: GET, HEAD, OPTIONS\r\n"), "{refused}");
    assert_eq!(metric(&bridge, "streams_total"), 0);
}

#[test]
fn the_authority_is_checked_like_a_host() {
    let bridge = Bridge::start(&[]);
    let foreign = curl(&bridge, &["-i", "-H", "Host: evil.example"], "/events");
    assert!(foreign.starts_with("HTTP/2 421 ") && foreign.contains("--allow-host evil.example"), "{foreign}");
    let health = curl(&bridge, &["-i", "-H", "Host: evil.example"], "/healthz");
    assert!(health.starts_with("HTTP/2 200 "), "{health}");

    let mut connection = Http2::to(&bridge, &[]);
    for (stream, fields, expected) in [
        (1, &[(":authority", "localhost"), ("host", "localhost")][..], 200),
        (3, &[(":authority", "localhost"), ("host", "evil.example")], 400),
        (5, &[(":authority", "evil.example"), ("host", "localhost")], 400),
        (7, &[(":authority", "user@localhost")], 400),
        (9, &[(":authority", "[::1]:80")], 200),
    ] {
        connection.get(stream, "/channels", fields);
        assert_eq!(connection.status_of(stream), expected, "{fields:?}");
    }
}

#[test]
fn a_page_of_our_own_may_read_over_http_2_too() {
    let bridge = Bridge::start(&[]);
    let mut connection = Http2::to(&bridge, &[]);
    let cases = [
        (":authority", "localhost:8080", "origin", "http://localhost:8080"),
        // Behind a proxy that speaks TLS.
        (":authority", "localhost", "origin", "https://localhost"),
    ];
    for (number, (authority, host, origin, page)) in (0..).zip(cases) {
        let stream = 1 + 2 * number;
        connection.get(stream, "/channels", &[(authority, host), (origin, page)]);
        assert_eq!(connection.status_of(stream), 200, "{page} of {host}");
    }
}

#[test]
fn many_streams_share_a_connection_and_each_is_a_client() {
    let mut bridge = Bridge::start(&["--max-clients", "3"]);
    let mut connection = Http2::to(&bridge, &[]);
    for stream in [1, 3, 5] {
        connection.get(stream, "/events", &[]);
        connection.until(stream, "event: start\n");
    }
    assert_eq!(metric(&bridge, "clients"), 3);
    connection.get(7, "/events", &[("accept", "text/event-stream")]);
    assert_eq!(connection.status_of(7), 200);
    let busy = String::from_utf8(connection.frame_of(7).payload).unwrap();
    assert!(busy.contains("\nevent: busy\n"), "{busy}");

    // A place is free as soon as its stream is.
    connection.send(RST_STREAM, 0, 3, &8_u32.to_be_bytes());
    wait_for_metric(&bridge, "clients", 2);
    connection.get(9, "/events", &[]);
    connection.until(9, "event: start\n");

    bridge.feed(b"one\n");
    bridge.end_input();
    let mut told = std::collections::HashMap::from([(1, String::new()), (5, String::new()), (9, String::new())]);
    let mut ended = 0;
    while ended < told.len() {
        let frame = connection.frame().expect("the streams end before their connection");
        if let Some(seen) = told.get_mut(&frame.stream) {
            assert_eq!(frame.kind, DATA, "{frame:?}");
            seen.push_str(&String::from_utf8(frame.payload).unwrap());
            ended += usize::from(frame.flags & END_STREAM);
        }
    }
    assert!(told.values().all(|seen| seen.contains("data: one\n\nid: ") && seen.contains("\nevent: end\n")), "{told:?}");
    wait_for_metric(&bridge, "clients", 0);
}

#[test]
fn a_connection_that_goes_away_frees_all_its_places_at_once() {
    // No heartbeat would notice in time.
    let bridge = Bridge::start(&["--heartbeat", "1h"]);
    for last_words in [None, Some(WINDOW_UPDATE), Some(PING)] {
        let mut connection = Http2::to(&bridge, &[]);
        for stream in [1, 3, 5, 7] {
            connection.get(stream, "/events", &[]);
            connection.until(stream, "event: start\n");
        }
        assert_eq!(metric(&bridge, "clients"), 4);
        match last_words {
            Some(WINDOW_UPDATE) => connection.open_window(0, 1000),
            Some(kind) => connection.send(kind, 0, 0, &[0; 8]),
            None => {}
        }
        let began = Instant::now();
        drop(connection);
        wait_for_metric(&bridge, "clients", 0);
        assert!(began.elapsed() < Duration::from_secs(5), "{last_words:?}: after {:?}", began.elapsed());
    }
}

#[test]
fn a_stop_ends_streams_and_then_the_connection() {
    let mut bridge = Bridge::start(&[]);
    let mut connection = Http2::to(&bridge, &[]);
    connection.get(1, "/events", &[]);
    connection.until(1, "event: start\n");
    bridge.signal("TERM");
    assert!(connection.ends_cleanly(1), "END_STREAM, and no reset");
    while connection.frame().is_some() {}
    assert_eq!(bridge.wait(), 0);
}

#[test]
fn a_stream_whose_window_stays_closed_is_cut_and_others_are_served() {
    let mut bridge = Bridge::start(&["--write-timeout", "1s", "--heartbeat", "1s"]);
    let mut closed = Http2::to(&bridge, &[(INITIAL_WINDOW_SIZE, 0)]);
    closed.get(1, "/events", &[]);
    assert_eq!(closed.status_of(1), 200, "heads have no window");
    // One that was open once, for the beginning alone.
    let mut narrow = Http2::to(&bridge, &[(INITIAL_WINDOW_SIZE, 100)]);
    narrow.get(1, "/events", &[]);
    narrow.until(1, "event: start\n");
    let mut open = Http2::to(&bridge, &[]);
    open.get(1, "/events", &[]);
    open.until(1, "event: start\n");
    let mut over_1 = bridge.get("/events");
    for number in 0..50 {
        bridge.feed(format!("{number}\n").as_bytes());
        open.until(1, &format!("data: {number}\n"));
        over_1.events(1 + usize::from(number == 0));
    }
    assert!(!closed.ends_cleanly(1) && !narrow.ends_cleanly(1), "they were cut, not ended");
    wait_for_metric(&bridge, "stalled_connections_total", 2);
    bridge.feed(b"still\n");
    open.until(1, "data: still\n");
    assert_eq!(over_1.events(1)[0].data, "still");
    assert_eq!(metric(&bridge, "clients"), 2);
}

#[test]
fn silence_is_no_stall() {
    let mut bridge = Bridge::start(&["--write-timeout", "1s", "--heartbeat", "1s"]);
    let mut connection = Http2::to(&bridge, &[]);
    connection.get(1, "/events", &[]);
    connection.get(3, "/events?ping=1", &[]);
    // Longer than the write timeout and a heartbeat together.
    for _ in 0..scale(3, 6) {
        connection.until(3, "event: ping\n");
    }
    bridge.feed(b"one\n");
    connection.until(1, "data: one\n");
}

#[test]
fn silence_of_plain_text_which_has_no_heartbeat_is_no_stall() {
    let mut bridge = Bridge::start(&["--write-timeout", "1s", "--heartbeat", "1s"]);
    let mut clock = bridge.get("/events?ping=1");
    let mut connection = Http2::to(&bridge, &[]);
    connection.get(1, "/events?format=text", &[]);
    assert_eq!(connection.status_of(1), 200);
    clock.events(1 + scale(3, 6)); // start, and a ping a second
    bridge.feed(b"one\n");
    connection.until(1, "one\n");
}

#[test]
fn a_slow_reader_of_a_long_line_is_no_stall() {
    let mut bridge = Bridge::start(&["--write-timeout", "1s", "--heartbeat", "1s"]);
    let mut clock = bridge.get("/events?ping=1");
    let mut connection = Http2::to(&bridge, &[]);
    connection.get(1, "/events", &[]);
    connection.until(1, "event: start\n");
    let length = scale(250_000, 1_000_000);
    bridge.feed(&[vec![b'x'; length], b"\n".to_vec()].concat());
    let (mut taken, mut window) = (0, 60_000);
    while taken < length {
        let frame = connection.frame_of(1);
        assert!(frame.kind == DATA && frame.flags == 0, "{frame:?}");
        taken += frame.payload.len();
        if taken >= window {
            // A second later it takes some more: never all at once, and never for long nothing.
            while clock.next_event().expect("the clock goes on").event != "ping" {}
            connection.open_window(0, 60_000);
            connection.open_window(1, 60_000);
            window += 60_000;
        }
    }
}

#[test]
fn what_only_looks_like_http_2_ends_its_connection_alone() {
    let bridge = Bridge::start(&[]);
    let mut other = Http2::to(&bridge, &[]);
    other.get(1, "/events", &[]);
    other.until(1, "event: start\n");
    let settings = [0, 0, 0, SETTINGS, 0, 0, 0, 0, 0];
    for junk in [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        vec![0xff; 100],
        vec![0; 100],
        [&settings[..], &[0, 0, 1, DATA, 0, 0, 0, 0, 0, 1]].concat(), // data of the connection
        [&settings[..], &[0, 0, 1, HEADERS, 5, 0, 0, 0, 2, 0x82]].concat(), // a stream of the server's
        [&settings[..], &[0, 0, 3, HEADERS, 5, 0, 0, 0, 1, 0xff, 0xff, 0xff]].concat(), // no such entry
    ] {
        let mut wire = Wire::to(&bridge);
        let mut whole = PREFACE.to_vec();
        whole.extend_from_slice(&junk);
        wire.send(&whole).half_close();
        wire.rest();
    }
    other.get(3, "/healthz", &[]);
    assert_eq!(other.status_of(3), 200);
    assert_eq!(Wire::to(&bridge).send(get("/healthz")).answer().status(), 200);
}

#[test]
fn mutilated_frames_hurt_nobody() {
    let bridge = Bridge::start(&[]);
    let mut random = Random::new(seed());
    let get = [&[0, 0, 22, HEADERS, 5, 0, 0, 0, 1, 0x82, 0x86, 0x04, 7][..], b"/events", &[0x01, 9], b"localhost"].concat();
    let ping = [&[0, 0, 8, 6, 0, 0, 0, 0, 0][..], &[0; 8]].concat();
    let window = [0, 0, 4, WINDOW_UPDATE, 0, 0, 0, 0, 0, 0, 0, 1, 0];
    for _ in 0..scale(300, 20_000) {
        let mut session =
            [&[0, 0, 0, SETTINGS, 0, 0, 0, 0, 0][..], &get, &ping, &window, &get, &[0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 8]]
                .concat();
        for _ in 0..=random.below(4) {
            let at = random.below(session.len());
            session[at] = u8::try_from(random.below(256)).unwrap();
        }
        let mut wire = Wire::to(&bridge);
        wire.send([PREFACE, &session[..random.below(session.len()) + 1]].concat()).half_close().rest();
    }
    wait_for_metric(&bridge, "clients", 0);
    assert!(!bridge.stderr().contains("panicked"), "{}", bridge.stderr());
}

#[test]
fn who_says_goodbye_gets_his_streams_to_their_end() {
    let mut bridge = Bridge::start(&[]);
    let mut connection = Http2::to(&bridge, &[]);
    connection.get(1, "/events", &[]);
    connection.until(1, "event: start\n");
    connection.send(GOAWAY, 0, 0, &[0; 8]);
    bridge.feed(b"one\n");
    connection.until(1, "data: one\n");
    bridge.end_input();
    assert!(connection.ends_cleanly(1));
}
