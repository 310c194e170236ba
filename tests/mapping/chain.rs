//! One daemon reads another.

use std::thread::{self, JoinHandle};

use serde_json::Value;

use crate::harness::{Bridge, Get, eventually};
use crate::scene::{event, metric, retained, shown, wait_for};

/// Copies a stream to the input of the second, as `curl -N` does behind a pipe, until it ends.
fn pipe(mut from: Get, into: &Bridge, mut input: std::process::ChildStdin) -> JoinHandle<std::process::ChildStdin> {
    let _ = into;
    thread::spawn(move || {
        while let Some(piece) = from.next_piece() {
            std::io::Write::write_all(&mut input, &piece).unwrap();
        }
        input
    })
}

#[test]
fn types_and_lines_go_on_and_what_is_missing_is_told() {
    let mut first = Bridge::start(&["--format=json", "--event-type-field=t", "--data-field=d"]);
    let mut second = Bridge::start(&["--format=sse", "--event-type=plain", "up/stream=-"]);
    let input = second.take_stdin();
    let piping = pipe(first.get("/events?tail=all&ping=1"), &second, input);
    first.feed(b"{\"t\":\"tick\",\"d\":\"one\\ntwo\"}\n{\"d\":\"three\"}\n{\"t\":\"tick\",\"d\":\"\"}\n");
    let expected = [event("tick", "one\ntwo"), event("plain", "three"), event("tick", "")];
    assert_eq!(wait_for(&second, 3), expected);
    let last = retained(&first).pop().unwrap().id;
    // The first dies, and another one begins in its place: whoever comes back to it is told that there may be more.
    first.signal("KILL");
    drop(first);
    let input = piping.join().unwrap();
    let mut other = Bridge::start(&[]);
    let piping = pipe(other.get_with("/events", &[("Last-Event-ID", &last)]), &second, input);
    other.feed(b"after it\n");
    other.end_input();
    drop(piping.join().unwrap());
    let events = eventually("the end", || shown(&retained(&second)), |events| events.iter().any(|(kind, _)| kind == "end"));
    assert_eq!(events.len(), 6, "{events:?}");
    let gap: Value = serde_json::from_str(&events[3].1).unwrap();
    assert_eq!(
        (events[3].0.as_str(), &gap["reason"], &gap["lost"], &gap["channels"][0]),
        ("gap", &"upstream".into(), &Value::Null, &"up/stream".into())
    );
    assert_eq!(events[4], event("plain", "after it"));
    assert!(events[5].1.contains("up/stream"), "its own end, and not the other's: {events:?}");
    assert_eq!(metric(&second, "source_gaps_total"), 1);
}

#[test]
fn how_many_are_missing_is_passed_on() {
    let mut first = Bridge::start(&["--rate-limit=10"]);
    let mut second = Bridge::start(&["--format=sse"]);
    let input = second.take_stdin();
    let piping = pipe(first.get("/events?tail=all"), &second, input);
    first.feed("x\n".repeat(100).as_bytes());
    first.end_input();
    drop(piping.join().unwrap());
    let events = eventually("the end", || shown(&retained(&second)), |events| events.iter().any(|(kind, _)| kind == "end"));
    let gap = events.iter().find(|(kind, _)| kind == "gap").unwrap_or_else(|| panic!("no gap in {events:?}"));
    let gap: Value = serde_json::from_str(&gap.1).unwrap();
    let lines = events.iter().filter(|(kind, _)| kind == "message").count() as u64;
    assert_eq!((lines + gap["lost"].as_u64().unwrap(), gap["reason"].as_str()), (100, Some("upstream")));
}

#[test]
fn reserved_types_of_a_stranger_are_none_and_half_an_event_is_said() {
    let mut bridge = Bridge::start(&["--format=sse"]);
    bridge.feed(b"\xef\xbb\xbf: hello\r\nevent: open\r\ndata: a\r\n\r\nid: 5\nevent:x\ndata:b\ndata\n\nevent: message\ndata: c\n\ndata: half");
    bridge.end_input();
    let events = eventually("the end", || shown(&retained(&bridge)), |events| events.iter().any(|(kind, _)| kind == "end"));
    assert_eq!(events[..3], [event("message", "a"), event("x", "b\n"), event("message", "c")]);
    assert_eq!(events.len(), 4, "{events:?}");
    assert_eq!((metric(&bridge, "refused_types_total"), metric(&bridge, "cut_events_total")), (1, 1));
    bridge.wait_for_stderr("an event on the input was cut");
}
