//! JSON, one object a line.

use serde_json::{Value, json};

use crate::harness::Bridge;

fn objects(text: &str) -> Vec<Value> {
    assert!(text.is_empty() || text.ends_with('\n'), "{text:?}");
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

#[test]
fn the_form_is_the_one_that_is_liked_best() {
    let bridge = Bridge::start(&[]);
    for (accept, expected) in [
        ("application/x-ndjson, text/event-stream", "application/x-ndjson"),
        ("text/event-stream, application/x-ndjson", "text/event-stream"),
        ("*/*, application/x-ndjson", "application/x-ndjson"),
        ("text/event-stream;Q=0.1, text/plain;q=0.2", "text/plain; charset=utf-8"),
        ("*/*", "text/event-stream"),
    ] {
        let get = bridge.get_with("/events?tail=0", &[("Accept", accept)]);
        assert_eq!(get.header("content-type").as_deref(), Some(expected), "{accept}");
    }
}

#[test]
fn each_event_is_an_object_with_its_id_time_channel_type_and_data() {
    let mut bridge = Bridge::start(&["--event-type", "tick"]);
    bridge.feed("first \"quoted\"\nsecond\rpart\nthird \u{2028}\n".as_bytes());
    bridge.end_input();
    bridge.wait_for_stderr("ended after");
    let events = bridge.get("/events?tail=all").rest();
    for headers in [&[("Accept", "application/x-ndjson")][..], &[("Accept", "application/x-ndjson, text/event-stream;q=0.5")]] {
        let mut get = bridge.get_with("/events", headers);
        assert_eq!(get.header("content-type").as_deref(), Some("application/x-ndjson"));
        assert_eq!(get.header("vary").as_deref(), Some("Accept"));
        let got = objects(&get.text());
        let ids: Vec<_> = got.iter().map(|object| object["id"].as_str().unwrap()).collect();
        assert_eq!(ids, events.iter().map(|event| event.id.as_str()).collect::<Vec<_>>());
        assert_eq!(got[1]["data"], "second\npart");
        assert_eq!(
            (&got[2]["data"], &got[2]["channel"], &got[2]["type"]),
            (&json!("third \u{2028}"), &json!("stdin"), &json!("tick"))
        );
        assert_eq!((&got[3]["type"], &got[3]["data"]["reason"]), (&json!("end"), &json!("eof")));
        for object in &got {
            let time: jiff::Timestamp = object["time"].as_str().unwrap().parse().unwrap();
            assert_eq!(object["id"].as_str().unwrap().split('-').next().unwrap(), time.as_millisecond().to_string());
            assert_eq!(object["time"].as_str().unwrap().len(), "2025-11-20T17:33:20.123Z".len());
        }
    }
    // The URL wins over the header, and resume works by query.
    assert_eq!(bridge.get_with("/events?format=sse", &[("Accept", "application/x-ndjson")]).rest().len(), 4);
    let rest = objects(&bridge.get(&format!("/events?format=ndjson&lastEventId={}", events[1].id)).text());
    assert_eq!(rest.len(), 2);
    assert_eq!(bridge.get_with("/events?format=text", &[("Last-Event-ID", &events[2].id)]).text(), "");
    assert_eq!(bridge.get(&format!("/events?format=text&lastEventId={}", events[0].id)).text(), "second\npart\nthird \u{2028}\n");
}

#[test]
fn a_gap_and_a_start_are_objects() {
    let mut bridge = Bridge::start(&["--history", "256KiB"]);
    let start = {
        let mut get = bridge.get("/events?format=ndjson");
        objects(&String::from_utf8(get.next_piece().unwrap()).unwrap()).remove(0)
    };
    assert_eq!((&start["type"], &start["channel"], &start["data"]["channels"]), (&json!("start"), &Value::Null, &json!(["stdin"])));
    for _ in 0..60 {
        bridge.feed(("x".repeat(10_000) + "\n").as_bytes());
    }
    bridge.end_input();
    bridge.wait_for_stderr("ended after");
    let got = objects(&bridge.get(&format!("/events?format=ndjson&lastEventId={}", start["id"].as_str().unwrap())).text());
    assert_eq!((&got[0]["type"], &got[0]["data"]["reason"]), (&json!("gap"), &json!("dropped")));
    let lost = got[0]["data"]["lost"].as_u64().unwrap();
    assert_eq!(lost + got.len() as u64 - 1, 61, "{}", got[0]);
}
