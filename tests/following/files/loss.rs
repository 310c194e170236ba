//! What a file has lost is told.

use std::fs;

use serde_json::Value;

use super::{Mode, empty_file, lines};
use crate::harness::parser::Message;
use crate::sources::metric;

in_both_modes! {
    a_gap_of_a_source_is_an_event_with_an_id
    a_file_that_is_rewritten_with_the_same_size_is_told
}

fn number_of(id: &str) -> u64 {
    id.split(['-', '/']).nth(1).and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no number in {id:?}"))
}

fn a_gap_of_a_source_is_an_event_with_an_id(mode: Mode) {
    let (ground, bridge, mut stream) = empty_file(mode, &[]);
    ground.append("a.log", b"one\ntwo\n");
    let before = stream.events(2);
    fs::write(ground.path("a.log"), "").unwrap();
    let gap = stream.next_event().unwrap();
    assert_gap(&gap, "truncated", &before[1].id);
    ground.append("a.log", b"three\n");
    let after = stream.next_event().unwrap();
    assert_eq!((after.data.as_str(), number_of(&after.id)), ("three", number_of(&gap.id) + 1));
    assert_eq!(metric(&bridge, "source_gaps_total"), 1);
    // It is one of the stream's events: who comes back at the line before it gets it again.
    let mut again = bridge.get_with("/events", &[("Last-Event-ID", &before[1].id)]);
    let told: Vec<_> = again.events(2).into_iter().map(|event| Message { retry: None, ..event }).collect();
    assert_eq!(told, [gap, after.clone()]);

    // Rewritten, and longer than before, between two looks.
    bridge.signal("STOP");
    fs::write(ground.path("a.log"), "a whole new content, longer than the old\n").unwrap();
    bridge.signal("CONT");
    assert_gap(&stream.next_event().unwrap(), "overwritten", &after.id);
    assert_eq!(lines(&mut stream, 1), ["a whole new content, longer than the old"]);
    assert_eq!(metric(&bridge, "source_gaps_total"), 2);
}

fn assert_gap(gap: &Message, reason: &str, before: &str) {
    assert_eq!((gap.event.as_str(), gap.has_own_id), ("gap", true), "{gap:?}");
    let data: Value = serde_json::from_str(&gap.data).unwrap();
    assert_eq!(data["channels"], serde_json::json!(["f"]), "{gap:?}");
    assert_eq!(data["reason"], reason, "{gap:?}");
    assert_eq!(data["lost"], Value::Null, "{gap:?}");
    assert_eq!(number_of(&gap.id), number_of(before) + 1, "{gap:?}");
    assert_eq!(data["from"].as_str(), Some(before), "{gap:?}");
    assert_eq!(data["to"].as_str(), gap.id.strip_suffix("/f"), "{gap:?}");
    let fields: Vec<_> = data.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields.len(), 5, "{fields:?}");
}

/// Same inode, same size, other bytes.
fn a_file_that_is_rewritten_with_the_same_size_is_told(mode: Mode) {
    let (ground, bridge, mut stream) = empty_file(mode, &[]);
    ground.append("a.log", b"one\n");
    assert_eq!(lines(&mut stream, 1), ["one"]);
    bridge.signal("STOP");
    fs::write(ground.path("a.log"), "two\n").unwrap();
    bridge.signal("CONT");
    assert_eq!(stream.next_event().unwrap().event, "gap");
    assert_eq!(lines(&mut stream, 1), ["two"]);
}
