//! The limits: how many clients, how long anybody may be silent or take nothing, and that places come back.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::frames::PREFACE;
use crate::harness::{Bridge, Get, connect, scale};
use crate::wire::{Wire, eventually, get, metric, reset, wait_for_metric};

/// Connections beyond `--max-clients`, for pages and for hearing that the house is full.
const SPARE: usize = 64;

/// How long a client may take for its first bytes, and for each head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// What an `EventSource` says of itself.
const EVENT_SOURCE: [(&str, &str); 2] = [("Accept", "text/event-stream"), ("Cache-Control", "no-cache")];

#[test]
fn a_full_house_asks_an_event_source_to_come_back_later() {
    let bridge = Bridge::start(&["--max-clients", "2"]);
    let _places = [bridge.get("/events"), bridge.get("/events?format=text")];
    let mut waits = Vec::new();
    for _ in 0..scale(20, 200) {
        let mut busy = bridge.get_with("/events", &EVENT_SOURCE);
        assert_eq!((busy.status(), busy.header("content-type").unwrap()), (200, "text/event-stream".to_owned()));
        let events = busy.rest();
        let [only] = &events[..] else { panic!("one block and the end: {events:?}") };
        assert_eq!((&*only.event, only.has_own_id), ("busy", false));
        let retry = only.retry.unwrap();
        assert!((15_000..=60_000).contains(&retry), "{retry}");
        assert_eq!(only.data, format!("{{\"retry\":{retry},\"reason\":\"clients\"}}"));
        waits.push(retry);
    }
    waits.sort_unstable();
    waits.dedup();
    assert!(waits.len() > 5, "those who were refused together come back together: {waits:?}");

    let mut wire = Wire::to(&bridge);
    wire.send(get("/events").replace("\r\n\r\n", "\r\nAccept: text/event-stream\r\n\r\n"));
    assert!(wire.rest().contains("\r\nconnection: close\r\n"), "and the connection is closed");
}

#[test]
fn a_full_house_tells_others_503() {
    let bridge = Bridge::start(&["--max-clients", "1"]);
    let mut place = bridge.get("/events");
    for (path, accept) in [("/events", "*/*"), ("/events/stdin", "text/plain"), ("/events?format=text", "text/html,*/*;q=0.8")] {
        let mut wire = Wire::to(&bridge);
        wire.send(get(path).replace("\r\n\r\n", &format!("\r\nAccept: {accept}\r\n\r\n")));
        let answer = wire.answer();
        assert_eq!((answer.status(), answer.header("connection")), (503, Some("close")), "{path}");
        let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((15..=60).contains(&wait), "{wait}");
        assert!(answer.body.contains("--max-clients") && answer.body.lines().count() == 1, "{}", answer.body);
        assert_eq!(wire.rest(), "");
    }
    // What is no stream is answered as ever.
    for (method, path) in [("HEAD", "/events"), ("OPTIONS", "/events"), ("GET", "/"), ("GET", "/channels"), ("GET", "/readyz")] {
        assert!(Get::request(bridge.port, method, path, &[]).status() < 300, "{method} {path}");
    }
    assert_eq!(bridge.get("/events?tail=x").status(), 400);
    assert_eq!(bridge.get("/events/other").status(), 404);
    assert_eq!((metric(&bridge, "refusals_total{reason=\"clients\"}"), metric(&bridge, "clients")), (3, 1));
    assert_eq!(place.events(1)[0].event, "start");
}

/// The ways in which a client can leave. Each takes its connection with a stream on it.
const WAYS_OUT: [(&str, fn(TcpStream)); 4] = [
    ("it closes the connection", drop),
    ("it resets the connection", reset),
    ("it says that it will send nothing more", |socket| {
        socket.shutdown(Shutdown::Write).unwrap();
        // Still reading, until the daemon has closed its side too.
        let _ = (&socket).read_to_end(&mut Vec::new());
    }),
    ("it hears nothing more and says so", |socket| socket.shutdown(Shutdown::Both).unwrap()),
];

#[test]
fn a_client_that_leaves_gives_its_place_back_at_once() {
    // No heartbeat would notice in time.
    let bridge = Bridge::start(&["--max-clients", "1", "--heartbeat", "1h"]);
    for (way, leave) in WAYS_OUT {
        for path in ["/events", "/events?format=text"] {
            let stream = bridge.get(path);
            assert_eq!(metric(&bridge, "clients"), 1);
            let began = Instant::now();
            leave(stream.into_socket());
            wait_for_metric(&bridge, "clients", 0);
            assert!(began.elapsed() < Duration::from_secs(5), "{way}: its place came back after {:?}", began.elapsed());
        }
    }
}

#[test]
fn a_place_that_came_back_is_taken_by_the_next() {
    let bridge = Bridge::start(&["--max-clients", "1"]);
    for _ in 0..scale(20, 500) {
        let place = bridge.get("/events");
        drop(place);
        eventually("a place", || {
            bridge.get_with("/events", &EVENT_SOURCE).next_event().is_some_and(|event| event.event == "start")
        });
        wait_for_metric(&bridge, "clients", 0);
    }
}

#[test]
fn a_request_is_answered_though_its_client_sends_nothing_more() {
    let mut bridge = Bridge::start(&[]);
    bridge.feed(b"one\n");
    bridge.end_input();
    bridge.wait_for_stderr("standard input ended");
    for path in ["/healthz", "/", "/channels", "/nothing", "/events?format=text", "/events?follow=0"] {
        for is_read_as_one in [false, true] {
            let mut wire = Wire::to(&bridge);
            if is_read_as_one {
                // Asleep while both come: then it reads the request and the end of the connection together.
                bridge.signal("STOP");
                wire.send(get(path)).half_close();
                bridge.signal("CONT");
            } else {
                wire.send(get(path)).half_close();
            }
            let answer = wire.rest();
            assert!(answer.starts_with("HTTP/1.1 "), "{path}, read as one: {is_read_as_one}: {answer:?}");
            assert!(!path.starts_with("/events") || answer.ends_with("\r\n0\r\n\r\n"), "{path}: {answer:?}");
        }
    }
}

#[test]
fn who_leaves_in_the_middle_of_a_request_holds_nothing() {
    let bridge = Bridge::start(&["--max-clients", "1", "--listen", "127.0.0.1"]);
    for piece in ["", "P", "GET /events", "GET /events HTTP/1.1\r\nHost: local", "PRI * HTTP/2.0\r\n"] {
        Wire::to(&bridge).send(piece).half_close().rest(); // at once
        // As many as may be connected, and none of them is there any more.
        for _ in 0..SPARE + 1 {
            Wire::to(&bridge).send(piece);
        }
        assert_eq!(Wire::to(&bridge).send(get("/healthz")).answer().status(), 200, "{piece:?}");
    }
    // The same behind an answer.
    let mut wire = Wire::to(&bridge);
    wire.send(get("/healthz")).answer();
    assert_eq!(wire.send("GET /").half_close().rest(), "");
}

#[test]
fn what_is_pipelined_behind_a_stream_does_not_keep_its_place_for_ever() {
    let bridge = Bridge::start(&["--heartbeat", "1s"]);
    let ways = [(vec![b'x'; 10], drop as fn(TcpStream)), (vec![0; 100_000], drop), (get("/healthz").into_bytes(), reset)];
    let sockets = ways.map(|(garbage, leave)| {
        let socket = bridge.get("/events").into_socket();
        (&socket).write_all(&garbage).unwrap();
        (socket, leave)
    });
    assert_eq!(metric(&bridge, "clients"), 3);
    for (socket, leave) in sockets {
        leave(socket);
    }
    // The first heartbeat is answered with a reset, the second cannot be sent.
    wait_for_metric(&bridge, "clients", 0);
}

#[test]
fn what_is_pipelined_behind_plain_text_does_not_keep_its_place_for_ever() {
    let bridge = Bridge::start(&["--heartbeat", "1s"]);
    let socket = bridge.get("/events?format=text").into_socket();
    (&socket).write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    assert_eq!(metric(&bridge, "clients"), 1);
    drop(socket);
    wait_for_metric(&bridge, "clients", 0); // though plain text has no heartbeat that could fail
}

#[test]
fn a_client_that_takes_nothing_is_cut_and_nobody_else_notices() {
    let mut bridge = Bridge::start(&["--write-timeout", "1s", "--max-line", "1MiB"]);
    let stalled = [bridge.get("/events"), bridge.get("/events?format=text"), bridge.get("/events?ping=1")];
    let mut reader = bridge.get("/events");
    reader.events(1);
    // More than all buffers between us hold.
    let line = [vec![b'x'; 256 * 1024], b"\n".to_vec()].concat();
    let mut stdin = bridge.take_stdin();
    let feeding = thread::spawn(move || {
        for _ in 0..64 {
            stdin.write_all(&line).unwrap();
        }
        stdin
    });
    for _ in 0..64 {
        assert_eq!(reader.events(1)[0].data.len(), 256 * 1024);
    }
    let _stdin = feeding.join().unwrap();
    wait_for_metric(&bridge, "stalled_connections_total", 3);
    wait_for_metric(&bridge, "clients", 1);
    for mut stalled in stalled {
        while stalled.next_piece().is_some() {}
        assert_eq!(stalled.end, Some(crate::harness::End::Cut), "so that it comes back for the rest");
    }
}

#[test]
fn a_slow_reader_that_takes_something_now_and_then_is_not_cut() {
    // The kernel lets us write again only when a good part of its buffers is free: megabytes, which take seconds here.
    let mut bridge = Bridge::start(&["--write-timeout", "5s", "--heartbeat", "1s"]);
    let mut clock = bridge.get("/events?ping=1&tail=0");
    let mut slow = bridge.get("/events?format=text").into_socket();
    bridge.feed(&[vec![b'x'; 900_000], b"\n".to_vec()].concat().repeat(24));
    let mut taken = 0;
    for _ in 0..scale(7, 14) {
        while clock.next_event().expect("the clock goes on").event != "ping" {}
        let mut block = vec![0; 1 << 20];
        slow.read_exact(&mut block).unwrap();
        taken += block.len();
    }
    assert_eq!(metric(&bridge, "stalled_connections_total"), 0, "after {taken} bytes");
}

#[test]
fn connections_beyond_the_limit_wait_and_are_served_when_others_leave() {
    // One listener: each holds the place of the connection that it will accept next.
    let bridge = Bridge::start(&["--max-clients", "1", "--listen", "127.0.0.1"]);
    let mut inside: Vec<_> = (0..SPARE + 1).map(|_| Wire::to(&bridge)).collect();
    for wire in &mut inside {
        assert_eq!(wire.send(get("/healthz")).answer().status(), 200);
    }
    let mut waiting: Vec<_> = (0..10).map(|_| Wire::to(&bridge)).collect();
    for wire in &mut waiting {
        wire.send(get("/healthz"));
    }
    assert!(waiting[0].is_silent_for(Duration::from_millis(300)), "more were accepted than there may be");
    for wire in &mut waiting {
        inside.pop();
        assert_eq!(wire.answer().status(), 200, "the first that waits comes first");
    }
}

/// What clients send that never come to the end of a head, and how often they send a byte more.
const SLOW: [(&[u8], Option<Duration>); 9] = [
    (b"", None),
    (b"P", None),
    (b"GET /events HTTP/1.1\r\nHost: local", None),
    (b"PRI * HTTP/2.0\r\n", None),
    (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", None),
    (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET ", None),
    (b"GET /events HTTP/1.1\r\nHost: localhost\r\nX: ", Some(Duration::from_millis(500))),
    (b"", Some(Duration::from_millis(500))),
    (b"\r\n", Some(Duration::from_millis(500))),
];

#[test]
fn nobody_holds_a_connection_without_a_request() {
    let bridge = Bridge::start(&[]);
    let forms = scale(&SLOW[..6], &SLOW[..]);
    let clients: Vec<_> = forms.iter().map(|&(bytes, pace)| (bytes, hold(connect(bridge.port), bytes, pace))).collect();
    for (bytes, client) in clients {
        let held = client.join().unwrap();
        let shown = String::from_utf8_lossy(bytes);
        // The first bytes have a limit, and then the head has.
        assert!(held > HEAD_TIMEOUT.mul_f32(0.8) && held < HEAD_TIMEOUT.mul_f32(2.5), "{shown:?} held a connection for {held:?}");
    }
    assert_eq!(bridge.get("/healthz").status(), 200);
}

/// Sends bytes, then the letter `x` again and again at this pace, until the connection ends; tells how long that took.
fn hold(mut socket: TcpStream, bytes: &'static [u8], pace: Option<Duration>) -> thread::JoinHandle<Duration> {
    thread::spawn(move || {
        let began = Instant::now();
        socket.write_all(bytes).unwrap();
        socket.set_read_timeout(Some(pace.unwrap_or(HEAD_TIMEOUT * 3))).unwrap();
        let mut block = [0; 4096];
        loop {
            match socket.read(&mut block) {
                Ok(0) => return began.elapsed(),
                Ok(_) => {}
                Err(error)
                    if error.kind() == std::io::ErrorKind::WouldBlock && pace.is_some() && began.elapsed() < HEAD_TIMEOUT * 3 =>
                {
                    if socket.write_all(b"x").is_err() {
                        return began.elapsed();
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return began.elapsed(),
                Err(error) => panic!("{:?} is held for ever: {error}", String::from_utf8_lossy(bytes)),
            }
        }
    })
}

#[test]
fn a_preface_in_pieces_is_http_2_and_a_false_one_is_not() {
    let bridge = Bridge::start(&[]);
    let mut wire = Wire::to(&bridge);
    for byte in PREFACE {
        wire.send([*byte]);
    }
    wire.send([0, 0, 0, 4, 0, 0, 0, 0, 0]);
    let mut settings = [0; 9];
    wire.socket().read_exact(&mut settings).unwrap();
    assert_eq!(settings[3], 4, "the server's settings come first");

    let mut post = Wire::to(&bridge);
    post.send("P").send("UT /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(post.answer().status(), 405);
}
