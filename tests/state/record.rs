//! What a client has seen, and been told that it has missed.

use crate::harness::parser::Message;
use crate::seen::Seen;

/// What a client has seen.
#[derive(Debug, Default)]
pub struct Record {
    /// Events with an id of their own that names a channel, in the order in which they came.
    pub seen: Vec<Seen>,
    /// Its own gaps, in full: what it was told that it has missed.
    pub gaps: Vec<Message>,
    /// Where it would go on.
    pub last_id: String,
    /// How many streams it has been given.
    pub streams: usize,
    /// Whether it is in one now.
    pub is_connected: bool,
    /// It was told that nothing will ever come.
    pub is_over: bool,
    /// What must not happen has.
    pub failure: Option<String>,
}

impl Record {
    /// The events that its own gaps say are lost; none if one cannot say. A client that is cut behind a gap is told it again in the next stream, which
    /// begins at the same position: of all that is lost there by then.
    pub fn lost(&self) -> Option<u64> {
        let (mut before, mut here, mut position) = (0, 0, "");
        for gap in &self.gaps {
            let lost = serde_json::from_str::<serde_json::Value>(&gap.data).unwrap()["lost"].as_u64()?;
            let begins_stream = gap.retry.is_some();
            if position != gap.id {
                (before, here, position) = (before + here, lost, &gap.id);
            } else if begins_stream {
                here = lost;
            } else {
                here += lost;
            }
        }
        Some(before + here)
    }

    /// Writes down what has come.
    pub fn take(&mut self, message: &Message) {
        let names_channel = message.has_own_id && message.id.contains('/');
        match message.event.as_str() {
            "progress" | "ping" => return,
            "gap" if !names_channel => self.gaps.push(message.clone()),
            _ if names_channel => self.seen.push(Seen::of(message)),
            "start" => {}
            _ => self.failure = Some(format!("an event without an id of its own: {message:?}")),
        }
        self.last_id.clone_from(&message.id);
    }
}
