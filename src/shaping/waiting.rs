//! Events that wait until it is known what is secret in them, in their order.
//!
//! What is given always ends at a clean cut: no event that waits is made of bytes of one that was given, and nothing secret lies across. So a source
//! that goes on behind what was given shows nothing of a secret, and repeats nothing.

use std::collections::VecDeque;

use super::chain::Shown;
use crate::event::Age;
use crate::mapping::{LANES, Lane, Seam};

/// What an event costs beside its data, in bytes.
const COST: usize = 128;

/// Events that wait.
#[derive(Debug, Default)]
pub struct Waiting {
    events: VecDeque<Event>,
    /// The number of the first.
    first: u64,
    /// What they cost, without what is not known yet.
    cost: usize,
}

/// One of them.
#[derive(Debug)]
pub struct Event {
    /// Its type.
    pub kind: Option<String>,
    /// What may be shown.
    pub data: Vec<u8>,
    /// As in [`crate::mapping::Mapped`].
    pub bytes: (u64, u64),
    /// What it is a line of.
    pub lane: Lane,
    /// What its data goes on with.
    pub seam: Seam,
    /// Whether the next event is made of the same bytes.
    pub is_beside_next: bool,
    /// Whether it was there before the daemon.
    pub age: Age,
    /// What is known of it.
    pub state: State,
}

/// What is known of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Not all.
    Unknown,
    /// All.
    Known {
        /// A secret goes on in the next event of its lane.
        crosses: bool,
        /// It is nothing but the rest of a secret.
        is_gone: bool,
    },
}

impl Waiting {
    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// What is held, in bytes, without what is not known yet.
    #[must_use]
    pub fn cost(&self) -> usize {
        self.cost
    }

    /// The first byte of what waits.
    #[must_use]
    pub fn first(&self) -> Option<u64> {
        self.events.front().map(|event| event.bytes.0)
    }

    /// Adds an event of which nothing is known, and tells its number.
    pub fn push(&mut self, event: Event) -> u64 {
        self.cost += COST + event.kind.as_ref().map_or(0, String::len);
        self.events.push_back(event);
        self.first + self.events.len() as u64 - 1
    }

    /// An event is known.
    pub fn show(&mut self, Shown { number, data, is_gone, crosses }: Shown) {
        let at = number.checked_sub(self.first).and_then(|at| usize::try_from(at).ok());
        if let Some(event) = at.and_then(|at| self.events.get_mut(at)) {
            self.cost += data.len();
            (event.data, event.state) = (data, State::Known { crosses, is_gone });
        }
    }

    /// How many of the first end at a clean cut.
    #[must_use]
    pub fn whole(&self) -> usize {
        let (mut whole, mut across) = (0, [false; LANES.len()]);
        for (count, event) in (1..).zip(&self.events) {
            let State::Known { crosses, .. } = event.state else { break };
            across[event.lane.index()] = crosses;
            if !event.is_beside_next && !across.contains(&true) {
                whole = count;
            }
        }
        whole
    }

    /// How many of the first are known.
    #[must_use]
    pub fn known(&self) -> usize {
        self.events.iter().take_while(|event| event.state != State::Unknown).count()
    }

    /// Takes the first.
    pub fn pop(&mut self) -> Option<Event> {
        let event = self.events.pop_front()?;
        self.first += 1;
        self.cost -= COST + event.kind.as_ref().map_or(0, String::len) + event.data.len();
        Some(event)
    }
}
