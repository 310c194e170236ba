//! Where a client is: what its reader has taken.

use crate::event::{EventId, Position};

/// The place of one stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The id of the last event of which everything was taken; empty at first. Whatever the server has said, of ours or not.
    pub id: Vec<u8>,
    /// An event behind it of which only a part was taken, because the reader stood still when it was time to stop.
    pub part: Option<Part>,
}

/// A part of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The id of the event.
    pub id: Vec<u8>,
    /// The output of it that was not taken: whoever goes on needs nothing else for it, no server, no history, and no shape.
    pub rest: Vec<u8>,
}

/// What has been read up to now, in the order of one server: time first, for in one life both orders are the same, and between lives only the
/// time tells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mark(Option<Position>);

impl Mark {
    /// Behind this id, if it is one of ours.
    #[must_use]
    pub fn behind(id: &[u8]) -> Self {
        Self(read(id).map(|id| id.position))
    }

    /// Whether the event of this id was read before: only of ids that name their event.
    #[must_use]
    pub fn has(&self, id: &[u8]) -> bool {
        let named = read(id).filter(|id| id.channel.is_some());
        named.zip(self.0).is_some_and(|(id, mark)| order(id.position) <= order(mark))
    }

    /// Moves on to this id; not back.
    pub fn move_on(&mut self, id: &[u8]) {
        if let Some(id) = read(id)
            && self.0.is_none_or(|mark| order(mark) < order(id.position))
        {
            self.0 = Some(id.position);
        }
    }
}

fn order(position: Position) -> (u64, u64) {
    (position.time, position.number)
}

/// An id of ours.
#[must_use]
pub fn read(id: &[u8]) -> Option<EventId> {
    std::str::from_utf8(id).ok()?.parse().ok()
}

/// Whether it is an id of ours that names an event. What looks like a position may be another server's: so look the ids of Redis.
#[must_use]
pub fn names_event(id: &[u8]) -> bool {
    read(id).is_some_and(|id| id.channel.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_is_known_again() {
        let mut mark = Mark::default();
        assert!(!mark.has(b"5-3/a"));
        mark.move_on(b"5-3/a");
        assert!(mark.has(b"5-3/a") && mark.has(b"5-2/b") && mark.has(b"4-9/a") && !mark.has(b"5-4/a") && !mark.has(b"6-1/a"));
        mark.move_on(b"5-1/a");
        assert!(mark.has(b"5-3/a"));
    }

    #[test]
    fn ids_of_others_are_never_known() {
        let mut mark = Mark::behind(b"9-9");
        for id in [&b"1-1"[..], b"7", b"", b"\xff", b"1-1/"] {
            assert!(!mark.has(id), "{id:?}");
            mark.move_on(id);
        }
        assert_eq!(mark, Mark::behind(b"9-9"));
    }
}
