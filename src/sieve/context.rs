//! Events around those that match: so many before and after, in the order of the view, each once.
//!
//! An event that misses is sent if it is among the `reach` events behind a match; if not, it is *withheld* until it is among the `reach` events
//! before a match, or too far back to become that. A control event stands between: nothing before it is around anything behind it. The same is true
//! of a client's own gap, of which nobody knows how many events are missing in it.
//!
//! # Why a client that comes back gets exactly the rest
//! Let `s` be an event that the client has, and its id what it comes back with.
//! - *Nothing at or below `s` is owed any more.* Say `u` before `s` was left out, and a match `m` behind `s` had it around. No control event lies
//!   between `u` and `m`, so `s` is a match or was sent because it is around one. If `s` matched, or stood behind a match, then at the moment at which
//!   `s` was sent `u` was withheld or had been let go. Withheld events are sent before a match, so `u` had been let go, or lay before the match behind
//!   which `s` stands, and was let go then: more than `reach` events before the match at or before `s`, so more than `reach` before `m`. If `s` stood
//!   before a match `n`, all that was withheld was sent with it, `u` not among them: it was let go before `n`, and `m` is `n` or lies behind it.
//!   So sent ids only grow, and what is withheld always lies above the last one sent.
//! - *What stood behind a match is found again.* How many events behind `s` are still around a match at or before `s` depends only on which of the
//!   `reach` events up to `s` matched, and on the last control event among them. That is looked up when the client comes back ([`Context::behind`]).
//!   For a match before the first event that the client was ever sent this gives no more than the client had in any case: events behind `s` up to the
//!   match before which `s` stood.
//! - *A position is no event.* The ids of `start` and of a client's own gap have no channel. Where such an id is sent, nothing is around a match
//!   before it: at the beginning and behind a gap by definition, and as a bookmark because it is the place of an event that was let go.
//!
//! What is withheld has a bound in bytes beside its number. It is the longest run of events up to the last one that keeps both, wherever reading began,
//! so the bound changes nothing of the above.

use std::collections::VecDeque;

use bytes::Bytes;

use super::Verdict;
use crate::event::Position;
use crate::sse;

/// What may be withheld for one client, in bytes.
pub const MAX_WITHHELD: usize = 64 * 1024;

/// Where one client is between matches.
#[derive(Debug, Clone)]
pub struct Context {
    /// How many events before and after a match are around it.
    reach: usize,
    /// How many of the next are around the last match.
    following: usize,
    /// Events that could still be before a match, in memory of their own.
    withheld: VecDeque<Bytes>,
    held: usize,
    /// All up to here has been sent, or will not be.
    decided: Position,
}

impl Context {
    /// The state at a place where `following` of the next events are around a match before it.
    #[must_use]
    pub fn behind(decided: Position, reach: usize, following: usize) -> Self {
        Self { reach, following, withheld: VecDeque::new(), held: 0, decided }
    }

    /// The state behind a gap.
    pub fn begin_anew(&mut self, decided: Position) {
        *self = Self::behind(decided, self.reach, 0);
    }

    /// The place up to which all has been sent or will not be: a client that comes back with it gets exactly the rest.
    #[must_use]
    pub fn decided(&self) -> Position {
        self.decided
    }

    /// Takes the next event, and gives what is to be sent now.
    pub fn take(&mut self, event: Bytes, verdict: Verdict, out: &mut Vec<Bytes>) {
        match verdict {
            Verdict::Match => {
                out.extend(self.withheld.drain(..));
                (self.held, self.following) = (0, self.reach);
            }
            Verdict::Control => {
                self.withheld.clear();
                (self.held, self.following) = (0, 0);
            }
            Verdict::Miss if self.following > 0 => self.following -= 1,
            Verdict::Miss => return self.withhold(&event),
        }
        self.decide(&event);
        out.push(event);
    }

    fn withhold(&mut self, event: &Bytes) {
        self.held += event.len();
        // A few bytes must not hold a batch.
        self.withheld.push_back(if event.len() > MAX_WITHHELD { event.clone() } else { Bytes::copy_from_slice(event) });
        while self.withheld.len() > self.reach || self.held > MAX_WITHHELD {
            let Some(oldest) = self.withheld.pop_front() else { return };
            self.held -= oldest.len();
            self.decide(&oldest);
        }
    }

    fn decide(&mut self, event: &[u8]) {
        self.decided = sse::position_of(event).unwrap_or(self.decided);
    }
}
