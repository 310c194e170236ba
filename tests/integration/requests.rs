//! Requests as odd, old and hostile clients make them.

use crate::assets::asset;
use crate::harness::{Bridge, Get, Random, scale, seed};
use crate::wire::{Wire, field, get, status, wait_for_metric};

#[test]
fn http_1_0_streams_end_with_their_connection() {
    let mut bridge = Bridge::start(&[]);
    bridge.feed(b"one\n");
    bridge.end_input();
    bridge.wait_for_stderr("standard input ended");
    let over_1_1 = bridge.get("/events").text();
    for fields in
        ["", "Host: localhost\r\n", "Connection: keep-alive\r\n", "Host: [::1]\r\nConnection: keep-alive\r\nKeep-Alive: 300\r\n"]
    {
        for path in ["/events", "/events?format=text", "/healthz", "/nothing", "/events?tail=x"] {
            let mut wire = Wire::to(&bridge);
            wire.send(format!("GET {path} HTTP/1.0\r\n{fields}\r\n"));
            let answer = wire.rest();
            assert!(answer.starts_with("HTTP/1.0 "), "{path} {fields:?}: {answer}");
            assert_eq!(field(&answer, "connection"), Some("close"), "{path} {fields:?}: {answer}");
            assert_eq!(field(&answer, "transfer-encoding"), None, "{path} {fields:?}: {answer}");
            if path == "/events" {
                assert_eq!(answer.split_once("\r\n\r\n").unwrap().1, over_1_1, "{fields:?}");
            }
        }
    }
}

#[test]
fn a_live_http_1_0_stream_begins_at_once() {
    let mut bridge = Bridge::start(&[]);
    let mut wire = Wire::to(&bridge);
    wire.send("GET /events HTTP/1.0\r\n\r\n").until("\r\n\r\n: sse-bridge\nretry: 2000\n");
    bridge.feed(b"one\n");
    wire.until("\ndata: one\n\n");
}

#[test]
fn a_request_needs_one_good_host() {
    let bridge = Bridge::start(&["--allow-host", "*"]);
    for hosts in [
        "",
        "Host: localhost\r\nHost: localhost\r\n",
        "Host: localhost\r\nhost: 127.0.0.1\r\n",
        "Host:\r\n",
        "Host: a b\r\n",
        "Host: user@localhost\r\n",
        "Host: user:pass@localhost\r\n",
        "Host: localhost/path\r\n",
        "Host: http://localhost\r\n",
        "Host: localhost, evil.example\r\n",
        "Host: localhost:80:80\r\n",
        "Host: localhost:port\r\n",
        "Host: [::1]x\r\n",
        "Host: ..\r\n",
        "Host: [::1\r\n",
        "Host: ::1\r\n",
        "Host: \u{e4}.example\r\n",
        "Host: local\thost\r\n",
    ] {
        for path in ["/", "/channels", "/nothing"] {
            let mut wire = Wire::to(&bridge);
            wire.send(format!("GET {path} HTTP/1.1\r\nConnection: close\r\n{hosts}\r\n"));
            assert_eq!(status(&wire.rest()), 400, "{path} {hosts:?}");
        }
    }
}

#[test]
fn a_whole_url_as_target_must_agree_with_the_host() {
    let bridge = Bridge::start(&[]);
    for (target, host, expected) in [
        ("http://localhost/healthz", "localhost", 200),
        ("http://localhost:8080/channels", "LOCALHOST:8080", 200),
        ("https://127.0.0.1/channels", "127.0.0.1", 200),
        ("http://localhost", "localhost", 200),
        ("http://localhost?x", "localhost", 200),
        ("http://localhost/channels", "127.0.0.1", 400),
        ("http://localhost:80/channels", "localhost:81", 400),
        ("http://evil.example/channels", "localhost", 400),
        ("http://localhost/channels", "evil.example", 400),
        ("http://user@localhost/channels", "localhost", 400),
        ("http://evil.example/channels", "evil.example", 421),
        ("http://evil.example/healthz", "localhost", 200),
        ("channels", "localhost", 400),
        ("", "localhost", 400),
    ] {
        let mut wire = Wire::to(&bridge);
        wire.send(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"));
        assert_eq!(status(&wire.rest()), expected, "{target} {host}");
    }
}

#[test]
fn addresses_and_our_own_names_pass_and_others_are_told_how() {
    let machine = nix::unistd::gethostname().unwrap().into_string().unwrap();
    let bridge = Bridge::start(&["--allow-host", "logs.example", "--allow-host", ".apps.example"]);
    let own = [
        "localhost",
        "LocalHost:1",
        "localhost.",
        "a.b.localhost:80",
        "127.0.0.1",
        "127.0.0.1:65535",
        "10.1.2.3",
        "[::1]",
        "[::1]:80",
        "[fe80::1]",
        "[::ffff:127.0.0.1]:8080",
        &machine,
        &machine.to_uppercase(),
        &format!("{machine}.local:8080"),
        "logs.example",
        "LOGS.example.:443",
        "apps.example",
        "x.y.apps.example",
    ];
    for host in own {
        assert_eq!(bridge.get_with("/channels", &[("Host", host)]).status(), 200, "{host}");
    }
    let script = asset(&bridge, "viewer.js");
    for host in [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "notlocalhost",
        "x.logs.example",
        "xapps.example",
        "2130706433",
        "0x7f.0.0.1",
        "127.1",
        &format!("{machine}.evil.example"),
    ] {
        for path in ["/events", "/", &script, "/sse-bridge.js", "/channels", "/metrics", "/nothing"] {
            let mut get = bridge.get_with(path, &[("Host", host)]);
            assert_eq!(get.status(), 421, "{path} {host}");
            let text = get.text();
            assert!(text.contains(&format!("--allow-host {host}")) && text.lines().count() == 1, "{host}: {text}");
        }
    }
}

#[test]
fn any_name_passes_where_the_user_says_so() {
    let bridge = Bridge::start(&["--allow-host", "*"]);
    assert_eq!(bridge.get_with("/channels", &[("Host", "evil.example:80")]).status(), 200);
}

#[test]
fn a_foreign_name_is_logged_once() {
    let bridge = Bridge::start(&[]);
    for host in ["one.example", "one.example:80", "ONE.example", "two.example", "one.example", "last.example"] {
        assert_eq!(bridge.get_with("/", &[("Host", host)]).status(), 421);
    }
    let log = bridge.wait_for_stderr("--allow-host last.example");
    assert_eq!(log.matches("--allow-host one.example").count(), 1, "{log}");
    assert_eq!(log.matches("--allow-host").count(), 3, "{log}");
}

#[test]
fn a_body_or_a_doubtful_length_is_refused_unread_and_ends_the_connection() {
    let bridge = Bridge::start(&[]);
    for (fields, expected) in [
        ("Content-Length: 5\r\nContent-Length: 6\r\n", 400),
        ("Content-Length: 0\r\nContent-Length: 6\r\n", 400),
        ("Content-Length: 5, 6\r\n", 400),
        ("Content-Length: -1\r\n", 400),
        ("Content-Length: +5\r\n", 400),
        ("Content-Length: 0x5\r\n", 400),
        ("Content-Length: 5 5\r\n", 400),
        ("Content-Length:\r\n", 400),
        ("Content-Length: 99999999999999999999\r\n", 400),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 400),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", 400),
        ("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", 400),
        ("Transfer-Encoding: chunked\r\n", 400),
        ("Transfer-Encoding: identity\r\n", 400),
        ("Transfer-Encoding: chunked, identity\r\n", 400),
        ("Transfer-Encoding: gzip, chunked\r\n", 400),
        ("Transfer-Encoding:\tchunked\r\n", 400),
        ("Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n", 400),
        ("Content-Length: 44\r\n", 413),
        ("Content-Length: 44\r\nExpect: 100-continue\r\n", 413),
        ("Content-Length: 44\r\nContent-Length: 44\r\n", 413),
    ] {
        for path in ["/events", "/healthz", "/"] {
            let mut wire = Wire::to(&bridge);
            wire.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n")).send(get("/metrics"));
            let answer = wire.rest();
            assert_eq!(status(&answer), expected, "{path} {fields:?}: {answer}");
            assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{path} {fields:?}: the body was read as a request: {answer}");
        }
    }
}

#[test]
fn who_sends_a_large_body_is_told_so_before_it_is_through() {
    let bridge = Bridge::start(&[]);
    let mut wire = Wire::to(&bridge);
    wire.send("GET /events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\n");
    wire.send(vec![b'x'; 1 << 20]);
    assert_eq!(status(&wire.rest()), 413);
}

#[test]
fn what_is_not_http_is_400() {
    let bridge = Bridge::start(&[]);
    let with_field = |field: &str| format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{field}\r\n\r\n").into_bytes();
    for request in [
        with_field("X: a\r\n b"),
        with_field("X: a\r\n\tb"),
        with_field(" X: a"),
        with_field("X : a"),
        with_field("X\t: a"),
        with_field(": a"),
        with_field("X"),
        with_field("X: a\0b"),
        with_field("X: a\rb"),
        with_field("X: a\u{1}b"),
        with_field("X\u{e4}: a"),
        with_field("X Y: a"),
        b"GET /healthz\r\n\r\n".to_vec(),
        b"GET /healthz HTTP/1.2\r\nHost: localhost\r\n\r\n".to_vec(),
        b"GET /healthz HTTP/2.0\r\nHost: localhost\r\n\r\n".to_vec(),
        b"GET /healthz HTTP/3\r\nHost: localhost\r\n\r\n".to_vec(),
        b"GET /healthz http/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        b"GET /heal thz HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        b"GET /heal\0thz HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        b"GET  /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        b"G(T /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        b" GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a browser that tries https \r\n\r\n".to_vec(),
        b"\0\0\0\0\0\0\0\0\r\n\r\n".to_vec(),
        b"hello\n\n".to_vec(),
    ] {
        let mut wire = Wire::to(&bridge);
        let answer = wire.send(&request).send(get("/metrics")).rest();
        let shown = String::from_utf8_lossy(&request);
        assert_eq!(status(&answer), 400, "{shown:?}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{shown:?}: it was read on: {answer}");
    }
}

#[test]
fn what_is_odd_but_http_is_answered() {
    let bridge = Bridge::start(&[]);
    for request in [
        "\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /healthz HTTP/1.1\nHost: localhost\n\n",
        "GET /healthz HTTP/1.1\r\nHOST:localhost\r\nX:\r\nY:  \t a \t \r\n\r\n",
        "GET /healthz?a=%00%ff&b='() HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: \u{e4}\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 000\r\n\r\n",
    ] {
        assert_eq!(Wire::to(&bridge).send(request).answer().body, "ok\n", "{request:?}");
    }
    let mut slow = Wire::to(&bridge);
    get("/healthz").bytes().for_each(|byte| {
        slow.send([byte]);
    });
    assert_eq!(slow.answer().body, "ok\n", "byte by byte");
}

#[test]
fn heads_and_targets_have_limits() {
    let bridge = Bridge::start(&[]);
    let head = |length: usize| format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(length));
    let count = |count: usize| format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "X: y\r\n".repeat(count));
    let target = |length: usize| get(&format!("/healthz?{}", "x".repeat(length)));
    for (what, request, expected) in [
        ("a head of 15 KiB", head(15 * 1024), &[200][..]),
        ("a head of 17 KiB", head(17 * 1024), &[431]),
        ("a head of 1 MiB", head(1 << 20), &[431]),
        ("60 fields", count(60), &[200]),
        ("70 fields", count(70), &[431]),
        ("5000 fields", count(5000), &[431]),
        ("a target of 4000 bytes", target(4000), &[200]),
        ("a target of 4100 bytes", target(4100), &[414]),
        ("a target of 15 KiB", target(15 * 1024), &[414]),
        ("a target of 100 KiB", target(100 * 1024), &[414, 431]), // it is a part of the head
        ("a head without end", "GET /".to_owned() + &"x".repeat(1 << 20), &[414, 431]),
    ] {
        let mut wire = Wire::to(&bridge);
        wire.send(request);
        let answer = if expected == [200] { wire.head() } else { wire.rest() };
        assert!(expected.contains(&status(&answer)), "{what}: {answer}");
    }
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let mut bridge = Bridge::start(&[]);
    bridge.feed(b"one\n");
    bridge.end_input();
    bridge.get("/events").rest();
    let mut wire = Wire::to(&bridge);
    let style = asset(&bridge, "viewer.css");
    let paths = ["/healthz", "/nothing", "/channels", "/events?tail=x", "/readyz", &style, "/metrics"];
    let requests: Vec<_> = paths.iter().map(|path| get(path)).collect();
    wire.send(requests.concat());
    let answers = paths.map(|_| wire.answer());
    assert_eq!(answers.map(|answer| answer.status()), [200, 404, 200, 400, 200, 200, 200]);

    // Also behind a stream, once it has ended.
    wire.send([get("/events"), get("/nothing"), get("/events?format=text"), get("/healthz")].concat());
    wire.until("0\r\n\r\n");
    assert_eq!(wire.answer().status(), 404);
    assert!(wire.until("0\r\n\r\n").ends_with("\r\n\r\n4\r\none\n\r\n0\r\n\r\n"));
    assert_eq!(wire.answer().body, "ok\n");
}

#[test]
fn a_connection_outlives_its_errors() {
    let mut bridge = Bridge::start(&[]);
    bridge.end_input();
    let end = bridge.get("/events").rest().pop().unwrap().id;
    let mut wire = Wire::to(&bridge);
    for (request, expected) in [
        (get("/nothing"), 404),
        (get("/events/other"), 404),
        (get("/events?tail=x"), 400),
        (get("/").replace("localhost", "evil.example"), 421),
        (get("/events").replace("\r\n\r\n", "\r\nOrigin: null\r\n\r\n"), 403),
        (get(&format!("/events?lastEventId={end}")), 204),
        (get("*").replace("GET", "OPTIONS"), 204),
        (get("/healthz"), 200),
    ] {
        assert_eq!(wire.send(&request).answer().status(), expected, "{request}");
    }
}

#[test]
fn a_client_that_wants_its_connection_closed_gets_that() {
    let mut bridge = Bridge::start(&[]);
    bridge.end_input();
    bridge.get("/events").rest();
    for path in ["/healthz", "/events", "/nothing", "/"] {
        let mut wire = Wire::to(&bridge);
        wire.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
        assert_eq!(field(&wire.rest(), "connection"), Some("close"), "{path}");
    }
}

#[test]
fn mutilated_requests_hurt_nobody() {
    let mut bridge = Bridge::start(&[]);
    bridge.end_input();
    bridge.get("/events").rest();
    let mut random = Random::new(seed());
    let whole = b"GET /events?tail=3&since=1h&channel=stdin HTTP/1.1\r\nHost: localhost:8080\r\nAccept: text/plain, */*;q=0.5\r\n\
        Origin: https://a.example\r\nSec-Fetch-Site: cross-site\r\nLast-Event-ID: 1763660000123-4821/stdin\r\n\
        Content-Length: 0\r\nConnection: keep-alive\r\nExpect: 100-continue\r\n\r\nHEAD /metrics HTTP/1.0\r\n\r\n";
    for _ in 0..scale(300, 20_000) {
        let mut request = whole.to_vec();
        for _ in 0..=random.below(4) {
            let at = random.below(request.len());
            match random.below(4) {
                0 => request[at] = u8::try_from(random.below(256)).unwrap(),
                1 => request[at] = b"\r\n :\0/%,;-0"[random.below(11)],
                2 => drop(request.drain(at..(at + random.below(20)).min(request.len()))),
                _ => request = [&request[..at], &request[random.below(at + 1)..]].concat(),
            }
            if request.is_empty() {
                request.push(b'G');
            }
        }
        let mut wire = Wire::to(&bridge);
        let answer = wire.send(&request).half_close().rest();
        let is_http = answer.is_empty() || answer.starts_with("HTTP/1.");
        assert!(is_http, "{:?}: {answer:?}", String::from_utf8_lossy(&request));
    }
    assert_eq!(Wire::to(&bridge).send(get("/healthz")).answer().status(), 200);
    wait_for_metric(&bridge, "clients", 0);
    assert!(!bridge.stderr().contains("panicked"), "{}", bridge.stderr());
}

#[test]
fn a_hundred_connections_at_once_are_all_answered() {
    let bridge = Bridge::start(&["--max-clients", "200"]);
    let mut streams: Vec<Get> = (0..100).map(|_| bridge.get("/events")).collect();
    let mut bridge = bridge;
    bridge.feed(b"one\n");
    for stream in &mut streams {
        assert_eq!(stream.events(2)[1].data, "one");
    }
}
