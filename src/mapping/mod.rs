//! Lines to events.
//!
//! Today a line is an event as it stands, with the type that the user chose for all of them. Formats (JSON, CRI, ...) are
//! further mappings beside [`text`](Mapper), one file each.

use std::str::FromStr;

use crate::event::{Event, RESERVED_TYPES};

/// Turns the lines of one source into events.
#[derive(Debug, Clone, Default)]
pub struct Mapper {
    /// The type of every event, if the user gave one.
    pub event_type: Option<EventType>,
}

impl Mapper {
    /// The event of a line; borrows both.
    #[must_use]
    pub fn map<'a>(&'a self, line: &'a [u8]) -> Event<'a> {
        Event { kind: self.event_type.as_ref().map(|kind| kind.0.as_str()), data: line }
    }
}

/// An event type that may stand in a stream: one line, not empty, and none that the protocol keeps for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventType(String);

/// Why a text is not an event type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadEventType {
    /// An empty type means none.
    #[error("an event type is not empty")]
    Empty,
    /// It would end the line and forge a field.
    #[error("an event type has no line break and no NUL")]
    LineBreak,
    /// A control event's, or one that browsers deliver to other listeners.
    #[error("it is reserved; reserved are {}", RESERVED_TYPES.join(", "))]
    Reserved,
}

impl FromStr for EventType {
    type Err = BadEventType;

    fn from_str(text: &str) -> Result<Self, BadEventType> {
        match text {
            "" => Err(BadEventType::Empty),
            _ if text.contains(['\r', '\n', '\0']) => Err(BadEventType::LineBreak),
            _ if RESERVED_TYPES.contains(&text) => Err(BadEventType::Reserved),
            _ => Ok(Self(text.to_owned())),
        }
    }
}

impl AsRef<str> for EventType {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_that_would_harm_the_stream_are_refused() {
        assert_eq!("x\ny".parse::<EventType>(), Err(BadEventType::LineBreak));
        assert_eq!("x\ry".parse::<EventType>(), Err(BadEventType::LineBreak));
        assert_eq!("".parse::<EventType>(), Err(BadEventType::Empty));
        for reserved in RESERVED_TYPES {
            assert_eq!(reserved.parse::<EventType>(), Err(BadEventType::Reserved), "{reserved}");
        }
        assert_eq!("tick €".parse::<EventType>().unwrap().as_ref(), "tick €");
    }
}
