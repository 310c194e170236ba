//! Events are looked through for those who do not want all: whoever has taken least time for that is next (`http::shares`).

use std::time::Instant;

use super::group::Kind;
use super::seat::Place;
use super::sweep::{News, look};
use super::visits::Visit;
use super::{Reactor, SLICE};
use crate::sieve::SieveKey;

/// For whom.
#[derive(Debug, Clone, Copy)]
pub enum Look {
    /// For all of a group, once.
    ForAll(Kind),
    /// For one that is behind.
    ForOne(Visit),
}

impl Reactor {
    /// A group has news, and they are to be looked through. Nothing has to be asked again for it meanwhile.
    pub(super) fn will_look(&mut self, kind: Kind) -> bool {
        if let (Some(group), Some(sieve)) = (self.groups.get_mut(&kind), kind.sieve)
            && !std::mem::replace(&mut group.is_due, true)
        {
            self.looks.add(sieve, Look::ForAll(kind));
        }
        false
    }

    /// Looks through events until there is nothing more, or the time is over: then sockets and bells are asked again, and who has come meanwhile and has had
    /// less goes first. One look takes as long as an event takes, or [`SLICE`].
    pub(super) fn look_through(&mut self) {
        if self.looks.is_empty() {
            return;
        }
        let began = Instant::now();
        while let Some((sieve, look)) = self.looks.next() {
            match look {
                Look::ForAll(kind) => self.look_for_all(sieve, kind),
                Look::ForOne(visit) => self.look_for_one(sieve, visit),
            }
            if began.elapsed() > SLICE {
                return;
            }
        }
    }

    /// What counts is the looking: that many are sent what passes is not the sieve's cost.
    fn look_for_all(&mut self, sieve: SieveKey, kind: Kind) {
        let began = Instant::now();
        let Some(group) = self.groups.get_mut(&kind) else { return };
        let news = look(group, kind);
        self.looks.charge(sieve, began.elapsed());
        group.is_due = !matches!(news, News::CaughtUp);
        if self.spread(kind, news) {
            self.looks.add(sieve, Look::ForAll(kind));
        }
        self.let_fall();
    }

    fn look_for_one(&mut self, sieve: SieveKey, visit: Visit) {
        if self.seat_of(visit).is_some_and(|seat| matches!(seat.place, Place::Behind)) {
            let began = Instant::now();
            self.give_turn(visit.0);
            self.looks.charge(sieve, began.elapsed());
        }
    }
}
