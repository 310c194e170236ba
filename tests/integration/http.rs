//! The table of URLs: what each answers, to every method, with which head.

use std::collections::BTreeSet;

use crate::assets::asset;
use crate::harness::{Bridge, Get};
use crate::wire::{Wire, field, get, is_one_line, metric, status};

/// Every URL there is, and its type.
const URLS: [(&str, &str); 10] = [
    ("/", "text/html; charset=utf-8"),
    ("/sse-bridge.js", "text/javascript; charset=utf-8"),
    ("/events", "text/event-stream"),
    ("/events/web", "text/event-stream"),
    ("/events/web/access.log", "text/event-stream"),
    ("/events?format=text", "text/plain; charset=utf-8"),
    ("/channels", "application/json"),
    ("/metrics", "text/plain; version=0.0.4; charset=utf-8"),
    ("/healthz", "text/plain; charset=utf-8"),
    ("/readyz", "text/plain; charset=utf-8"),
];

/// A daemon whose one channel lies in a tree.
fn bridge() -> Bridge {
    Bridge::start(&["web/access.log=-"])
}

#[test]
fn every_url_answers_with_its_type() {
    let bridge = bridge();
    for (url, kind) in URLS {
        let get = bridge.get(url);
        assert_eq!((get.status(), get.header("content-type").as_deref()), (200, Some(kind)), "{url}");
    }
}

#[test]
fn every_other_path_is_404_with_one_line() {
    let bridge = bridge();
    for url in [
        "/nothing",
        "/Events",
        "//events",
        "/events/",
        "/eventsx",
        "/events/we",
        "/events/web/",
        "/events/web/access",
        "/events/web/access.log/below",
        "/events/stdin",
        "/events/..",
        "/events/web%2Faccess.log",
        "/events?channel=other",
        "/events?channel=a%0Ab%0Dc",
        "/events/web?channel=web&channel=other",
        "/healthz/",
        "/viewer/",
        "/viewer/nothing.js",
        "/viewer/../viewer/viewer.js",
        "/favicon.ico",
    ] {
        let mut get = bridge.get(url);
        assert_eq!((get.status(), get.header("content-type").as_deref()), (404, Some("text/plain; charset=utf-8")), "{url}");
        assert!(is_one_line(&get.text()), "{url}");
    }
}

#[test]
fn head_has_the_header_fields_of_get_and_no_body() {
    let bridge = bridge();
    for (url, _) in URLS.into_iter().chain([("/nothing", ""), ("/events?tail=x", ""), (&asset(&bridge, "viewer.js"), "")]) {
        let [mut from_get, from_head] = ["GET", "HEAD"].map(|method| fields(&Get::request(bridge.port, method, url, &[]).head));
        from_get.remove(&("transfer-encoding".to_owned(), "chunked".to_owned())); // nothing is transferred
        assert_eq!(from_head, from_get, "{url}");
    }
    let mut wire = Wire::to(&bridge);
    wire.send("HEAD /channels HTTP/1.1\r\nHost: localhost\r\n\r\n").send(get("/healthz"));
    assert!(wire.head().starts_with("HTTP/1.1 200 "));
    assert_eq!(wire.answer().body, "ok\n", "the next answer follows the head of the first at once");
}

#[test]
fn head_opens_no_stream() {
    let bridge = bridge();
    for _ in 0..5 {
        Get::request(bridge.port, "HEAD", "/events", &[]);
    }
    assert_eq!((metric(&bridge, "streams_total"), metric(&bridge, "clients")), (0, 0));
    assert!(bridge.get("/channels").text().contains("\"clients\":0"));
}

#[test]
fn options_tells_the_methods() {
    let bridge = bridge();
    for url in URLS.iter().map(|(url, _)| *url).chain(["*"]) {
        let answer = Get::request(bridge.port, "OPTIONS", url, &[]);
        assert_eq!((answer.status(), answer.header("allow").as_deref()), (204, Some("GET, HEAD, OPTIONS")), "{url}");
        assert_eq!(answer.header("content-length"), None, "{url}: a 204 has no length");
    }
    assert_eq!(Get::request(bridge.port, "OPTIONS", "/nothing", &[]).status(), 404);
}

#[test]
fn every_other_method_is_405_and_told_which_there_are() {
    let bridge = bridge();
    for method in ["POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "FOO", "get"] {
        for url in ["/events", "/", "/healthz", "/nothing", "*"] {
            let mut answer = Get::request(bridge.port, method, url, &[]);
            let allow = answer.header("allow");
            assert_eq!((answer.status(), allow.as_deref()), (405, Some("GET, HEAD, OPTIONS")), "{method} {url}");
            assert!(is_one_line(&answer.text()), "{method}");
        }
    }
    let mut tunnel = Wire::to(&bridge);
    tunnel.send("CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\n");
    assert_eq!(status(&tunnel.rest()), 405);
}

#[test]
fn a_method_with_a_body_is_405_too() {
    let bridge = bridge();
    for (method, body) in
        [("POST", "Content-Length: 5\r\n\r\nhello"), ("PUT", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")]
    {
        let mut wire = Wire::to(&bridge);
        wire.send(format!("{method} /events HTTP/1.1\r\nHost: localhost\r\n{body}"));
        let answer = wire.rest();
        assert_eq!((status(&answer), field(&answer, "allow")), (405, Some("GET, HEAD, OPTIONS")), "{method}");
    }
}

#[test]
fn the_head_of_a_stream_is_exactly_this() {
    let bridge = bridge();
    let stream = |kind| {
        BTreeSet::from([
            ("cache-control".to_owned(), "no-store, no-transform".to_owned()),
            ("content-type".to_owned(), String::from(kind)),
            ("cross-origin-resource-policy".to_owned(), "same-origin".to_owned()),
            ("referrer-policy".to_owned(), "no-referrer".to_owned()),
            ("transfer-encoding".to_owned(), "chunked".to_owned()),
            ("vary".to_owned(), "Accept".to_owned()),
            ("x-accel-buffering".to_owned(), "no".to_owned()),
            ("x-content-type-options".to_owned(), "nosniff".to_owned()),
        ])
    };
    assert_eq!(fields(&bridge.get("/events").head), stream("text/event-stream"));
    assert_eq!(fields(&bridge.get("/events?format=text").head), stream("text/plain; charset=utf-8"));
}

#[test]
fn no_data_may_be_kept_or_guessed() {
    let bridge = bridge();
    for url in ["/channels", "/metrics", "/healthz", "/readyz", "/nothing", "/events/other", "/events?tail=x"] {
        let head = bridge.get(url).head;
        assert_eq!(field(&head, "cache-control"), Some("no-store, no-transform"), "{url}");
        assert_eq!(field(&head, "x-content-type-options"), Some("nosniff"), "{url}");
        assert_eq!(field(&head, "referrer-policy"), Some("no-referrer"), "{url}");
    }
}

#[test]
fn ranges_conditions_expectations_and_upgrades_are_ignored() {
    let bridge = bridge();
    let plain = fields(&bridge.get("/events").head);
    for header in [
        ("Range", "bytes=0-0"),
        ("Range", "lines=1-2"),
        ("If-Range", "\"x\""),
        ("If-Match", "\"x\""),
        ("If-None-Match", "*"),
        ("If-Modified-Since", "Thu, 20 Nov 2036 10:00:00 GMT"),
        ("If-Unmodified-Since", "Thu, 20 Nov 1999 10:00:00 GMT"),
        ("Expect", "100-continue"),
        ("Expect", "a-miracle"),
        ("Accept", "application/json"),
        ("Accept", "image/*;q=0.5, nonsense;;;q=x,"),
        ("Accept-Encoding", "gzip, br"),
        ("TE", "trailers"),
        ("Upgrade", "h2c"),
        ("Upgrade", "websocket"),
        ("Content-Length", "0"),
        ("Cookie", "a=b"),
    ] {
        let get = bridge.get_with("/events", &[header]);
        assert!(get.head.starts_with("HTTP/1.1 200 OK\r\n"), "{header:?}: {}", get.head);
        assert_eq!(fields(&get.head), plain, "{header:?}");
    }
}

#[test]
fn the_first_bytes_come_at_once_and_with_the_head() {
    let bridge = bridge();
    for url in ["/events", "/events?channel=web", "/events?tail=all", "/events?since=1h"].into_iter().cycle().take(20) {
        let mut wire = Wire::to(&bridge);
        let burst = wire.send(get(url)).burst();
        let (_, body) = burst.split_once("\r\n\r\n").expect("a head");
        let (size, chunk) = body.split_once("\r\n").unwrap_or_else(|| panic!("{url}: the head came alone: {burst}"));
        assert_eq!(chunk.len(), usize::from_str_radix(size, 16).unwrap() + 2, "{url}: not the whole chunk: {burst}");
        // No blank line before the first data: some clients would make an event of it.
        assert!(chunk.starts_with(": sse-bridge\nretry: 2000\nid: "), "{url}: {chunk}");
        assert!(chunk.contains("\nevent: start\ndata: {\"channels\":[\"web/access.log\"],"), "{url}: {chunk}");
        assert_eq!(chunk.matches("\n\n").count(), 1, "{url}: {chunk}");
    }
}

#[test]
fn a_stream_with_lines_to_send_begins_with_them() {
    let mut bridge = Bridge::start(&["--retry", "90s"]);
    let mut live = bridge.get("/events");
    bridge.feed(b"one\ntwo\n");
    live.events(3);
    let mut late = bridge.get("/events");
    let first = &late.events(2)[0];
    assert_eq!((&*first.data, first.retry), ("one", Some(90_000)));
    assert!(late.body.starts_with(b": sse-bridge\nretry: 90000\nid: "), "{}", String::from_utf8_lossy(&late.body));
    late.assert_strict();
}

#[test]
fn a_stream_that_ends_says_so_and_leaves_its_connection_open() {
    let mut bridge = bridge();
    bridge.feed(b"one\n");
    bridge.end_input();
    let mut wire = Wire::to(&bridge);
    wire.send(get("/events")).until("\nevent: end\n");
    let end = wire.until("0\r\n\r\n");
    assert!(end.ends_with("\n\n\r\n0\r\n\r\n"), "a last chunk behind the last event, and no trailer: {end:?}");
    assert_eq!(wire.send(get("/healthz")).answer().status(), 200, "the connection serves on");
    wire.send("GET /events?format=text HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert!(wire.rest().ends_with("\r\n4\r\none\n\r\n0\r\n\r\n"));
}

/// The header fields of an answer, but for those that change by themselves.
pub fn fields(head: &str) -> BTreeSet<(String, String)> {
    let fields = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    let lasting = fields.filter(|(name, _)| *name != "date" && (*name != "content-length" || !head.contains("version=0.0.4")));
    lasting.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
