//! Clients who have everything: those of one view who are sent the same wait as one.
//!
//! None of them has a cursor that counts. They stand at the *edge* of their group, and what comes next is read once, put on the wire once and sent
//! to each. Who does not take it leaves the group and has a cursor of its own again, until it has everything.

use crate::channel::{Ages, Cursor, Hanging, ViewKey};
use crate::http::query::Format;
use crate::http::sifting::Sifting;
use crate::sieve::SieveKey;

use super::wire::Framing;

/// What the members of a group have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    pub view: ViewKey,
    pub format: Format,
    pub framing: Framing,
    pub ages: Ages,
    /// What they do not want, if they do not want all.
    pub sieve: Option<SieveKey>,
    /// The guest, if what it is sent depends on what it was sent before: then it is alone. 0 for all others.
    pub alone: u32,
}

impl Kind {
    /// The first of all that a view can have.
    #[must_use]
    pub fn first_of(view: ViewKey) -> Self {
        Self { view, format: Format::EventStream, framing: Framing::Chunked, ages: Ages::All, sieve: None, alone: 0 }
    }
}

/// Clients who wait for the same.
#[derive(Debug)]
pub struct Group {
    /// Rings when the view has news.
    pub hanging: Hanging,
    /// Where they all are.
    pub edge: Cursor,
    /// What they do not want, and where they are with it.
    pub sifting: Option<Box<Sifting>>,
    /// It has news that are still to be looked through.
    pub is_due: bool,
    /// Their seats, at least one.
    pub seats: Vec<u32>,
}

impl Group {
    /// All members, beginning with another one each time: who is served last has waited for all others.
    pub fn members_from(&self, turn: usize) -> impl Iterator<Item = u32> {
        let (before, behind) = self.seats.split_at(turn % self.seats.len());
        behind.iter().chain(before).copied()
    }
}
