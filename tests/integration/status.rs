//! What it says of itself: health, channels, metrics.

use std::collections::HashSet;
use std::io::Write;
use std::net::TcpListener;

use serde_json::Value;

use crate::harness::Bridge;
use crate::shell::shell;
use crate::wire::{Wire, is_one_line, metric, reset, wait_for_metric};

#[test]
fn health_is_told_to_whoever_asks_and_names_nothing() {
    let bridge = Bridge::start(&[]);
    for path in ["/healthz", "/readyz", "/readyz?strict", "/healthz?x=y"] {
        for hosts in ["Host: evil.example\r\n", "", "Host: a\r\nHost: b\r\n", "Origin: https://evil.example\r\nHost: 10.0.0.1\r\n"]
        {
            let mut wire = Wire::to(&bridge);
            let answer = wire.send(format!("GET {path} HTTP/1.1\r\n{hosts}\r\n")).answer();
            assert_eq!((answer.status(), &*answer.body), (200, "ok\n"), "{path} {hosts:?}");
        }
    }
}

#[test]
fn a_source_that_failed_is_seen_by_strict_readiness_alone() {
    let source = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = source.local_addr().unwrap().port();
    let bridge = Bridge::spawn(shell(&format!("exec sse-bridge --port 0 </dev/tcp/127.0.0.1/{port}")));
    let (mut writer, _) = source.accept().unwrap();
    let mut client = bridge.get("/events");
    writer.write_all(b"one\n").unwrap();
    client.events(2);
    assert_eq!(bridge.get("/readyz?strict").status(), 200);

    reset(writer);
    client.rest();
    let channel = &json(&bridge)["channels"][0];
    assert_eq!((channel["state"].as_str(), channel["reason"].as_str()), (Some("ended"), Some("error")), "{channel}");
    assert!(bridge.wait_for_stderr("could not read standard input: ").contains("still serving"));
    assert_eq!((bridge.get("/readyz").status(), bridge.get("/healthz?strict").status()), (200, 200));
    let mut strict = bridge.get("/readyz?strict");
    assert_eq!(strict.status(), 503);
    assert!(is_one_line(&strict.text()));
}

#[test]
fn channels_are_told_as_json() {
    let mut bridge = Bridge::start(&["web/access.log=-"]);
    let empty = json(&bridge);
    let fields: HashSet<_> = empty["channels"][0].as_object().unwrap().keys().map(String::as_str).collect();
    let expected =
        ["name", "state", "reason", "events", "dropped", "retained", "retained_bytes", "oldest", "newest", "clients"].into();
    assert_eq!(fields, expected);
    assert_eq!(empty["channels"][0]["oldest"], Value::Null);

    let mut client = bridge.get("/events?tail=all");
    bridge.feed(b"one\ntwo\nthree\n");
    let ids: Vec<_> = client.events(4).into_iter().map(|event| event.id).collect();
    let full = json(&bridge);
    let channel = &full["channels"][0];
    assert_eq!((&channel["name"], &channel["state"], &channel["reason"]), (&"web/access.log".into(), &"open".into(), &Value::Null));
    assert_eq!((&channel["events"], &channel["retained"], &channel["dropped"]), (&3.into(), &3.into(), &0.into()));
    assert_eq!((&channel["oldest"], &channel["newest"]), (&ids[1].clone().into(), &ids[3].clone().into()));
    assert_eq!(channel["clients"], 1);
    assert_eq!(full["newest"], ids[3].split('/').next().unwrap());
    assert!(full["history_bytes"].as_u64() >= channel["retained_bytes"].as_u64(), "{full}");

    bridge.end_input();
    client.rest();
    let ended = &json(&bridge)["channels"][0];
    assert_eq!((&ended["state"], &ended["reason"], &ended["events"]), (&"ended".into(), &"eof".into(), &4.into()));
}

#[test]
fn metrics_count_what_happens() {
    let mut bridge = Bridge::start(&["--max-line", "16"]);
    let mut clients = [bridge.get("/events"), bridge.get("/events"), bridge.get("/events?format=text")];
    bridge.feed(b"one\ntwo\n12345678901234567890\n");
    clients[0].events(5);
    wait_for_metric(&bridge, "long_lines_total", 1); // counted behind the events
    for (name, value) in [
        ("clients", 3),
        ("streams_total", 3),
        ("input_bytes_total", 29),
        ("input_lines_total", 4),
        ("long_lines_total", 1),
        ("channels", 1),
        ("gaps_total", 0),
        ("refusals_total", 0),
        ("dropped_events_total", 0),
        ("stalled_connections_total", 0),
    ] {
        assert_eq!(metric(&bridge, name), value, "{name}");
    }
    bridge.get_with("/", &[("Host", "evil.example")]);
    bridge.get_with("/events", &[("Origin", "https://evil.example")]);
    let refused = |reason| metric(&bridge, &format!("refusals_total{{reason=\"{reason}\"}}"));
    assert_eq!((refused("host"), refused("origin")), (1, 1));
    drop(clients);
    wait_for_metric(&bridge, "clients", 0);
}

fn json(bridge: &Bridge) -> Value {
    serde_json::from_str(&bridge.get("/channels").text()).unwrap()
}
