//! What is seen of an event, in little room: hundreds of megabytes pass through some of these tests.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use crate::harness::parser::Message;

/// From this length on data is kept as its beginning, its length and its hash, in bytes.
const SHORT: usize = 48;

/// An event that a client has seen, or that lies in a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub id: String,
    pub event: String,
    /// The data; that of a line abridged.
    pub data: String,
}

impl Seen {
    pub fn of(message: &Message) -> Self {
        let data = if message.event == "message" { abridged(&message.data) } else { message.data.clone() };
        Self { id: message.id.clone(), event: message.event.clone(), data }
    }

    /// The channel that the id names; empty for a position.
    pub fn channel(&self) -> &str {
        self.id.split_once('/').map_or("", |(_, channel)| channel)
    }

    pub fn number(&self) -> u64 {
        number_of(&self.id)
    }
}

/// The number of an id or a position.
pub fn number_of(id: &str) -> u64 {
    let position = id.split('/').next().and_then(|position| position.split_once('-'));
    position.and_then(|(_, number)| number.parse().ok()).unwrap_or_else(|| panic!("no number in the id {id:?}"))
}

/// Short data as it is; of longer data enough to know it by.
pub fn abridged(data: &str) -> String {
    if data.len() < SHORT {
        return data.to_owned();
    }
    let mut hasher = DefaultHasher::new();
    data.hash(&mut hasher);
    let beginning: String = data.chars().take(16).collect();
    format!("{beginning}.. {} bytes #{:016x}", data.len(), hasher.finish())
}

/// The data of the lines among these events, by channel.
pub fn lines_by_channel(seen: &[Seen]) -> BTreeMap<&str, Vec<&str>> {
    let mut lines: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for seen in seen.iter().filter(|seen| seen.event == "message") {
        lines.entry(seen.channel()).or_default().push(&*seen.data);
    }
    lines
}

/// Two lists are the same; otherwise says where they part.
#[track_caller]
pub fn assert_same<A: std::fmt::Debug + PartialEq<B>, B: std::fmt::Debug>(what: &str, seen: &[A], expected: &[B]) {
    let parts = seen.iter().zip(expected).position(|(seen, expected)| *seen != *expected);
    let at = match parts {
        None if seen.len() == expected.len() => return,
        None => seen.len().min(expected.len()),
        Some(at) => at,
    };
    let around = at.saturating_sub(2)..at + 4;
    let some_seen: Vec<_> = seen.iter().enumerate().filter(|(index, _)| around.contains(index)).collect();
    let some_expected: Vec<_> = expected.iter().enumerate().filter(|(index, _)| around.contains(index)).collect();
    panic!(
        "{what}: {} came, {} were expected; they part at {at}\n  came:     {some_seen:?}\n  expected: {some_expected:?}",
        seen.len(),
        expected.len()
    );
}

/// Ids grow from one event to the next.
#[track_caller]
pub fn assert_in_order(what: &str, seen: &[Seen]) {
    for two in seen.windows(2) {
        assert!(two[0].number() < two[1].number(), "{what}: {:?} came before {:?}", two[0], two[1]);
    }
}
