//! A filter as a person would apply it to the messages of the whole stream.

use crate::harness::parser::Message;
use crate::harness::{Bridge, End, Get, Random};

/// Words that lines are made of. Carriage returns make events of several lines.
const WORDS: [&str; 10] = ["a", "b", "C", "error", "\r", "\r\n", "é", "warn", " ", "7"];

/// A filter: its part of the URL, and what it lets pass.
pub struct Filter {
    pub query: &'static str,
    pub matches: fn(&str) -> bool,
}

pub const FILTERS: [Filter; 9] = [
    Filter { query: "grep=error", matches: |data| data.contains("error") },
    Filter { query: "grep=a&grep=b", matches: |data| data.contains('a') && data.contains('b') },
    Filter { query: "grep-v=a", matches: |data| !data.contains('a') },
    Filter {
        query: "grep=c%7CERR&i=1&grep-v=WARN",
        matches: |data| {
            let small = data.to_lowercase();
            (small.contains('c') || small.contains("err")) && !small.contains("warn")
        },
    },
    Filter { query: "grep=%5Ea", matches: |data| data.starts_with('a') },
    Filter { query: "grep=(?m)%5Ea$", matches: |data| data.split('\n').any(|line| line == "a") },
    Filter { query: "grep=%5Cn&i", matches: |data| data.contains('\n') },
    Filter { query: "grep=%C3%A9%5Cd", matches: |data| data.contains("é7") },
    Filter { query: "grep=nowhere", matches: |_| false },
];

/// Random lines.
pub fn lines(random: &mut Random, count: usize) -> String {
    let line = |random: &mut Random| {
        let words = random.below(5);
        (0..words).map(|_| WORDS[random.below(WORDS.len())]).collect::<String>() + "\n"
    };
    (0..count).map(|_| line(random)).collect()
}

/// Whether an event of the stream is one of its control events.
pub fn is_control(message: &Message) -> bool {
    matches!(message.event.as_str(), "gap" | "end" | "run")
}

/// What passes of a whole stream, with so many events around each match.
pub fn passing(stream: &[Message], matches: fn(&str) -> bool, reach: usize) -> Vec<Message> {
    around(stream, &matching(stream, matches), 0, reach)
}

/// The newest `count` that match, each with so many events around it; an older match among those is one of them. If fewer match, everything that passes.
pub fn newest(stream: &[Message], matches: fn(&str) -> bool, reach: usize, count: usize) -> Vec<Message> {
    let matching = matching(stream, matches);
    if count == 0 {
        return Vec::new();
    }
    let Some(index) = matching.len().checked_sub(count) else { return passing(stream, matches, reach) };
    let first = matching[index];
    let before = (first.saturating_sub(reach)..first).rev().take_while(|at| !is_control(&stream[*at]));
    around(stream, &matching[index..], before.last().unwrap_or(first), reach)
}

fn matching(stream: &[Message], matches: fn(&str) -> bool) -> Vec<usize> {
    (0..stream.len()).filter(|at| !is_control(&stream[*at]) && matches(&stream[*at].data)).collect()
}

/// The events around these, and control events, from one on.
fn around(stream: &[Message], matching: &[usize], from: usize, reach: usize) -> Vec<Message> {
    let is_near = |one: usize, other: usize| {
        let (low, high) = (one.min(other), one.max(other));
        high - low <= reach && !stream[low..=high].iter().any(is_control)
    };
    let is_sent = |at: &usize| is_control(&stream[*at]) || matching.iter().any(|of| is_near(*at, *of));
    (from..stream.len()).filter(is_sent).map(|at| stream[at].clone()).collect()
}

/// What makes events these events: ids and data; control events that are not of the stream say nothing of it.
pub fn names(messages: &[Message]) -> Vec<(String, String)> {
    let of_stream =
        messages.iter().filter(|message| message.event != "start" && (message.event != "gap" || message.id.contains('/')));
    of_stream.map(|message| (message.id.clone(), message.data.clone())).collect()
}

/// All of a stream that ends, or none if there is nothing more.
pub fn all(mut get: Get) -> Vec<Message> {
    match get.status() {
        204 => Vec::new(),
        200 => get.rest(),
        other => panic!("{other}: {}", get.text()),
    }
}

/// The whole stream as it is without a filter.
pub fn whole(bridge: &Bridge) -> Vec<Message> {
    let whole = all(bridge.get("/events?tail=all&follow=0"));
    whole.into_iter().filter(|message| message.event != "start").collect()
}

/// The bytes of a stream that ends.
pub fn wire(bridge: &Bridge, path: &str) -> Vec<u8> {
    let mut get = bridge.get(path);
    assert_eq!(get.status(), 200, "{path}: {}", get.head);
    while get.next_piece().is_some() {}
    assert_eq!(get.end, Some(End::Clean), "{path}");
    get.body
}
