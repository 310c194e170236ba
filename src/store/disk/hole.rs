//! Where events are missing, and how many.

use super::book::Book;
use crate::event::Position;

/// A part of the events that a channel has had and does not hold any more: between two that it holds, or before or behind all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hole {
    /// The last event before it; 0 if it is at the beginning.
    pub after: u64,
    /// The last of those that are missing, or a place that none of them is above.
    pub through: Position,
    /// Which of the two it is.
    pub bound: Bound,
    /// How many there were.
    pub count: u64,
}

/// How well the end of a hole is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// It is the channel's own last missing event: what comes next was written by somebody who knew it. So it is after a write that failed, after
    /// letting go, and where files are missing.
    Exact,
    /// No missing event is above it: what comes next was found behind damage.
    AtMost,
}

/// The holes of a channel that has had `total` events, the last of them `latest` if that is known.
pub(super) fn holes(book: &Book, total: u64, latest: Option<Position>) -> Vec<Hole> {
    let mut holes: Vec<Hole> = Vec::new();
    let (mut after, mut held) = (0, 0);
    let mut note = |after, count, through: Option<Position>, at_most| {
        let bound = if through.is_some() { Bound::Exact } else { Bound::AtMost };
        let hole = Hole { after, through: through.unwrap_or(at_most), bound, count };
        match holes.last_mut().filter(|before| before.after == after) {
            // Nothing but the source's position is between them.
            Some(before) => *before = Hole { count: before.count + count, ..hole },
            None => holes.push(hole),
        }
    };
    for segment in book.iter() {
        if segment.before > held {
            let below = Position { number: segment.first.number.saturating_sub(1), time: segment.first.time };
            note(after, segment.before - held, segment.preceding, below);
        }
        (after, held) = (segment.last_number().unwrap_or(after), segment.total);
    }
    if total > held {
        let reach = book.last().map_or(Position { number: 0, time: 0 }, |last| last.reach);
        note(after, total - held, latest, reach);
    }
    holes
}
