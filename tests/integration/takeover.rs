//! hyper's connection can be taken apart between a request and the first byte of its response: exactly this use, so that an
//! update of hyper that breaks it is seen. hyper reads the request, a reactor writes the stream, and hyper gets the connection
//! back with all that the client has sent meanwhile.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

use crate::harness::{Bridge, Random, in_background, scale, seed};
use crate::wire::{Wire, field, get, status};

/// All that is there, and then the end.
const WHOLE: &str = "/events?tail=all&follow=0";

/// A daemon that has read these lines.
fn fed(lines: &[&str]) -> Bridge {
    let mut bridge = Bridge::start(&[]);
    bridge.feed(lines.iter().flat_map(|line| [line, "\n"]).collect::<String>().as_bytes());
    let mut client = bridge.get("/events?tail=all");
    while client.next_event().expect("the stream goes on").data != lines[lines.len() - 1] {}
    bridge
}

/// The next answer whose body comes in chunks: its head, and its body without them.
fn stream(wire: &mut Wire) -> (String, String) {
    let head = wire.head();
    assert_eq!((status(&head), field(&head, "transfer-encoding")), (200, Some("chunked")), "{head}");
    (head, without_chunks(&wire.until("\r\n0\r\n\r\n")))
}

/// A body without the frames of its chunks; it must be whole.
fn without_chunks(framed: &str) -> String {
    let (mut body, mut rest) = (String::new(), framed);
    loop {
        let (size, behind) = rest.split_once("\r\n").unwrap_or_else(|| panic!("no size in {rest:?} of {framed:?}"));
        let size = usize::from_str_radix(size, 16).unwrap_or_else(|error| panic!("{error}: {size:?} in {framed:?}"));
        assert_eq!(&behind[size..size + 2], "\r\n", "behind a chunk of {size} in {framed:?}");
        if size == 0 {
            assert_eq!(behind, "\r\n", "behind the last chunk of {framed:?}");
            return body;
        }
        body.push_str(&behind[..size]);
        rest = &behind[size + 2..];
    }
}

/// A request with more fields, each ended by CR LF.
fn with_fields(request: &str, fields: &str) -> String {
    request.replacen("\r\n\r\n", &format!("\r\n{fields}\r\n"), 1)
}

/// A head in which only the time is not told.
fn without_date(head: &str) -> String {
    let date = field(head, "date").unwrap_or_else(|| panic!("no date in {head}"));
    let form = date.bytes().map(|byte| if byte.is_ascii_digit() { '0' } else { char::from(byte) }).collect::<String>();
    assert!(form[3..].starts_with(", 00 ") && form.ends_with(" 0000 00:00:00 GMT") && form.len() == 29, "{date}");
    head.replacen(date, "DATE", 1)
}

#[test]
fn a_request_in_any_pieces_becomes_the_same_stream() {
    let bridge = fed(&["one", "two"]);
    let request = get(WHOLE);
    let expected = stream(Wire::to(&bridge).send(&request)).1;
    assert!(expected.starts_with(": sse-bridge\n") && expected.ends_with("data: two\n\n"), "{expected}");
    for cut in 1..request.len() {
        let mut wire = Wire::to(&bridge);
        wire.send(&request[..cut]).send(&request[cut..]);
        assert_eq!(stream(&mut wire).1, expected, "cut behind byte {cut}");
        assert_eq!(wire.send(get("/healthz")).answer().body, "ok\n", "cut behind byte {cut}");
    }
    let mut slow = Wire::to(&bridge);
    request.bytes().for_each(|byte| _ = slow.send([byte]));
    assert_eq!(stream(&mut slow).1, expected, "byte by byte");
}

#[test]
fn a_request_of_many_fields_and_of_nearly_the_limit_becomes_a_stream() {
    let bridge = fed(&["one"]);
    let many: String = (0..60).map(|number| format!("X-{number}: {}\r\n", "y".repeat(number * 5))).collect();
    let large = format!("X: {}\r\n", "y".repeat(15 * 1024));
    for fields in [many, large] {
        let mut wire = Wire::to(&bridge);
        wire.send(with_fields(&get(WHOLE), &fields)).send(get("/healthz"));
        assert!(stream(&mut wire).1.ends_with("data: one\n\n"), "{} bytes of fields", fields.len());
        assert_eq!(wire.answer().body, "ok\n", "{} bytes of fields", fields.len());
    }
}

#[test]
fn what_comes_in_one_packet_with_a_stream_is_answered_behind_it() {
    let bridge = fed(&["one"]);
    let expected = stream(Wire::to(&bridge).send(get(WHOLE))).1;
    let mut wire = Wire::to(&bridge);
    wire.send([get(WHOLE), get("/healthz"), get(WHOLE), get(WHOLE), get("/nothing")].concat());
    assert_eq!(stream(&mut wire).1, expected);
    assert_eq!(wire.answer().body, "ok\n");
    assert_eq!(stream(&mut wire).1, expected);
    assert_eq!(stream(&mut wire).1, expected);
    assert_eq!(wire.answer().status(), 404);
    // Only a part of the next request comes with it.
    let next = get("/healthz");
    for cut in 1..next.len() {
        wire.send(get(WHOLE) + &next[..cut]);
        assert_eq!(stream(&mut wire).1, expected, "with {cut} bytes behind it");
        assert_eq!(wire.send(&next[cut..]).answer().body, "ok\n", "with {cut} bytes behind it");
    }
}

#[test]
fn what_comes_while_a_stream_runs_is_answered_behind_it() {
    let mut bridge = Bridge::start(&[]);
    let mut wire = Wire::to(&bridge);
    wire.send(get("/events")).until("event: start\n");
    let requests = [get("/healthz"), get("/nothing"), get(WHOLE)].concat();
    for (number, piece) in requests.as_bytes().chunks(7).enumerate() {
        bridge.feed(format!("line {number}\n").as_bytes());
        wire.send(piece).until(&format!("data: line {number}\n\n"));
    }
    wire.until("\r\n"); // of the chunk
    assert!(wire.is_silent_for(Duration::from_millis(100)), "nothing is answered before its end");
    bridge.end_input();
    wire.until("event: end\n");
    wire.until("\r\n0\r\n\r\n");
    assert_eq!(wire.answer().body, "ok\n");
    assert_eq!(wire.answer().status(), 404);
    assert!(stream(&mut wire).1.contains("data: line 3\n\n"));
}

#[test]
fn many_and_large_requests_behind_a_stream_are_answered_behind_it() {
    let mut bridge = Bridge::start(&[]);
    let padded = |size: usize| with_fields(&get("/healthz"), &format!("X: {}\r\n", "y".repeat(size)));
    let mut many = Wire::to(&bridge);
    many.send(get("/events")).until("event: start\n");
    let (count, size) = (scale(40, 100), 3000); // far more than the daemon keeps while the stream runs
    (0..count).for_each(|_| _ = many.send(padded(size)));
    let mut large = Wire::to(&bridge);
    large.send(get("/events")).until("event: start\n");
    large.send(padded(15 * 1024)).send(padded(15 * 1024));
    let mut too_large = Wire::to(&bridge);
    too_large.send(get("/events") + &padded(17 * 1024)).until("event: start\n");
    bridge.feed(b"one\n");
    for wire in [&mut many, &mut large, &mut too_large] {
        wire.until("data: one\n\n");
    }
    bridge.end_input();
    for (wire, answers) in [(&mut many, count), (&mut large, 2)] {
        wire.until("\r\n0\r\n\r\n");
        for number in 0..answers {
            assert_eq!(wire.answer().body, "ok\n", "answer {number} of {answers}");
        }
    }
    too_large.until("\r\n0\r\n\r\n");
    assert_eq!(status(&too_large.rest()), 431, "as without a stream before it");
}

#[test]
fn a_body_behind_a_stream_is_refused_and_not_read_as_a_request() {
    let mut bridge = Bridge::start(&[]);
    let refused = with_fields(&get("/healthz"), "Content-Length: 44\r\n") + &get("/metrics");
    let mut together = Wire::to(&bridge);
    together.send(get("/events") + &refused).until("event: start\n");
    let mut pieces = Wire::to(&bridge);
    pieces.send(get("/events")).until("event: start\n");
    for (number, piece) in refused.as_bytes().chunks(11).enumerate() {
        bridge.feed(format!("line {number}\n").as_bytes());
        pieces.send(piece).until(&format!("data: line {number}\n\n"));
    }
    bridge.end_input();
    for mut wire in [together, pieces] {
        wire.until("\r\n0\r\n\r\n");
        let answer = wire.rest();
        assert_eq!((status(&answer), answer.matches("HTTP/1.1 ").count()), (413, 1), "{answer}");
    }
}

#[test]
fn a_hundred_streams_go_over_one_connection_among_other_answers() {
    let mut bridge = fed(&["one", "two"]);
    bridge.end_input();
    let end = bridge.get("/events").rest().pop().unwrap().id;
    let streams = [WHOLE, "/events", "/events/stdin?tail=2&format=text"].map(|path| {
        let expected = stream(Wire::to(&bridge).send(get(path))).1;
        (get(path), expected)
    });
    let others = [
        (get("/healthz"), 200),
        (get("/nothing"), 404),
        (get("/events/nothing"), 404),
        (get("/events?tail=x"), 400),
        (get(&format!("/events?lastEventId={end}")), 204),
        (get("/events").replace("GET", "OPTIONS"), 204),
        (get("*").replace("GET", "OPTIONS"), 204),
    ];
    let mut random = Random::new(seed());
    let mut wire = Wire::to(&bridge);
    for number in 0..scale(100, 2_000) {
        for _ in 0..random.below(3) {
            let (request, expected) = &others[random.below(others.len())];
            assert_eq!(wire.send(request).answer().status(), *expected, "before stream {number}: {request}");
        }
        if random.below(3) == 0 {
            let head = wire.send(get(WHOLE).replace("GET", "HEAD")).head();
            assert_eq!((status(&head), field(&head, "content-type")), (200, Some("text/event-stream")), "{head}");
        }
        let (request, expected) = &streams[random.below(streams.len())];
        assert_eq!(&stream(wire.send(request)).1, expected, "stream {number}: {request}");
    }
}

#[test]
fn over_http_1_0_a_stream_is_plain_and_ends_with_its_connection() {
    let mut bridge = fed(&["one", "two"]);
    let mut live = Vec::new();
    for path in [WHOLE, "/events?tail=all&follow=0&format=text"] {
        let expected = stream(Wire::to(&bridge).send(get(path))).1;
        for fields in
            ["", "Connection: keep-alive\r\n", "Connection: Keep-Alive\r\nKeep-Alive: timeout=5\r\n", "Connection: close\r\n"]
        {
            let request = with_fields(&get(path).replace("HTTP/1.1", "HTTP/1.0"), fields);
            // What stands behind it is not answered: nobody could tell where the stream ends.
            let answer = Wire::to(&bridge).send(request.clone() + &get("/healthz")).rest();
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.starts_with("HTTP/1.0 200 ") && !head.contains("transfer-encoding"), "{request}{answer}");
            assert_eq!((field(&answer, "connection"), body), (Some("close"), &*expected), "{request}{answer}");
            let mut wire = Wire::to(&bridge);
            wire.send(request.replace("&follow=0", "")).until("two\n");
            live.push(wire);
        }
    }
    bridge.feed(b"three\n");
    for wire in &mut live {
        wire.until("three\n");
    }
    bridge.end_input();
    for mut wire in live {
        let rest = wire.rest();
        assert!(rest.trim().is_empty() || rest.contains("event: end\n"), "{rest:?}");
    }
}

/// All ways to say, or not to say, that the connection is to be closed.
const CONNECTION_FIELDS: [&str; 14] = [
    "",
    "Connection: close\r\n",
    "Connection: Close\r\n",
    "connection: CLOSE\r\n",
    "Connection: keep-alive, close\r\n",
    "Connection: keep-alive,close\r\n",
    "Connection: close , keep-alive\r\n",
    "Connection: \tclose \t\r\n",
    "Connection: keep-alive\r\nConnection: close\r\n",
    "Connection: close\r\nConnection: keep-alive\r\n",
    "Connection: keep-alive\r\n",
    "Connection: closed\r\n",
    "Connection: \"close\"\r\n",
    "Connection: upgrade\r\nUpgrade: h2c\r\n",
];

/// hyper still answers HEAD.
#[test]
fn a_streams_head_is_what_hyper_writes_and_so_is_what_becomes_of_its_connection() {
    let bridge = fed(&["one"]);
    for path in [WHOLE, "/events/stdin?follow=0&format=text"] {
        for (version, fields) in
            ["HTTP/1.1", "HTTP/1.0"].into_iter().flat_map(|version| CONNECTION_FIELDS.map(|fields| (version, fields)))
        {
            let request = with_fields(&get(path).replace("HTTP/1.1", version), fields);
            let (mut ours, mut hypers) = (Wire::to(&bridge), Wire::to(&bridge));
            let expected = without_date(&hypers.send(request.replace("GET", "HEAD")).head());
            let head = without_date(&ours.send(&request).head());
            if version == "HTTP/1.0" {
                assert_eq!(head, expected, "{request}");
                continue;
            }
            let chunked = expected.replacen("date: ", "transfer-encoding: chunked\r\ndate: ", 1);
            assert_eq!(head, chunked, "{request}");
            ours.until("\r\n0\r\n\r\n");
            let closes = field(&head, "connection") == Some("close");
            for wire in [&mut ours, &mut hypers] {
                let next = wire.send(with_fields(&get("/healthz"), "Connection: close\r\n")).rest();
                assert_eq!(next.is_empty(), closes, "{request}{next}");
            }
        }
    }
}

#[test]
fn other_forms_of_a_request_become_the_same_stream() {
    let bridge = fed(&["one"]);
    let expected = stream(Wire::to(&bridge).send(get(WHOLE))).1;
    for request in [
        with_fields(&get(WHOLE), "Expect: 100-continue\r\n"),
        with_fields(&get(WHOLE), "Content-Length: 0\r\n"),
        with_fields(&get(WHOLE), "TE: trailers\r\nAccept-Encoding: gzip\r\n"),
        with_fields(&get(WHOLE), "Upgrade: websocket\r\nConnection: upgrade\r\n"),
        get(&format!("http://localhost{WHOLE}")),
        format!("\r\n{}", get(WHOLE)),
        get(WHOLE).replace("\r\n", "\n"),
    ] {
        let mut wire = Wire::to(&bridge);
        let (head, body) = stream(wire.send(&request));
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{request:?}: {head}");
        assert_eq!(body, expected, "{request:?}");
        assert_eq!(wire.send(get("/healthz")).answer().body, "ok\n", "behind {request:?}");
    }
}

/// The loss that plain text is told of in its head stands there as hyper would write it.
#[test]
fn a_head_with_a_field_of_its_own_is_whole() {
    let mut bridge = Bridge::start(&["--history", "256KiB"]);
    let first = bridge.get("/events?tail=0").events(1).remove(0).id;
    let mut lines = String::new();
    (0..20_000).for_each(|number| writeln!(lines, "line {number}").unwrap());
    bridge.feed(lines.as_bytes());
    bridge.end_input();
    bridge.wait_for_stderr("ended after 20,000 lines");
    let mut wire = Wire::to(&bridge);
    let (head, body) = stream(wire.send(get(&format!("/events?format=text&follow=0&lastEventId={first}"))));
    let gap: serde_json::Value = serde_json::from_str(field(&head, "sse-bridge-gap").unwrap()).unwrap();
    let held = u64::try_from(body.lines().count()).unwrap();
    assert_eq!(gap["lost"], 20_000 - held, "{head}");
}

/// Lines alone have no gaps, so the stream is cut; but the head comes before that.
#[test]
fn a_client_of_lines_that_falls_behind_at_once_gets_a_head() {
    let mut bridge = Bridge::start(&["--history", "256KiB"]);
    let mut stdin = bridge.take_stdin();
    let lines = b"a line of some length, as logs have them\n".repeat(1000);
    // It ends with the daemon.
    let _flood = in_background(move || while stdin.write_all(&lines).is_ok() {});
    for number in 0..scale(50, 500) {
        let head = Wire::to(&bridge).send(get("/events?tail=all&format=text")).burst();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "client {number} got {head:?}");
    }
}

/// What was sent before the client said that it has no more to say is answered, streams and all, however much came at once.
#[test]
fn all_requests_of_a_client_that_says_no_more_are_answered() {
    let bridge = fed(&["one"]);
    for requests in [[WHOLE, "/healthz", "/healthz"], [WHOLE, "/healthz", WHOLE], ["/healthz", WHOLE, "/healthz"], [WHOLE; 3]] {
        let mut wire = Wire::to(&bridge);
        wire.send(requests.map(get).concat()).half_close();
        for request in requests {
            if request == WHOLE {
                assert!(stream(&mut wire).1.ends_with("data: one\n\n"), "{request} of {requests:?}");
            } else {
                assert_eq!(wire.answer().body, "ok\n", "{request} of {requests:?}");
            }
        }
        assert_eq!(wire.rest(), "", "{requests:?}");
    }
}

#[test]
fn who_has_seen_the_end_of_its_stream_finds_its_place_free() {
    let mut bridge = Bridge::start(&["--max-clients", "1"]);
    bridge.feed(b"one\n");
    let mut wire = Wire::to(&bridge);
    for round in 0..scale(200, 2_000) {
        if round % 2 == 0 {
            wire = Wire::to(&bridge);
        }
        let body = stream(wire.send(get("/events?follow=0"))).1;
        assert!(!body.contains("event: busy"), "round {round}: {body}");
    }
}
