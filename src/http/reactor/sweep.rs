//! News go to all who wait for them.

use std::cell::OnceCell;
use std::ops::Bound;
use std::sync::Arc;

use super::group::{Group, Kind};
use super::seat::{Kept, Part, Pending, Sent};
use super::wire::Wire;
use super::{Fallen, GONE, Reactor};
use crate::batch::MAX_BATCH;
use crate::channel::{Reading, ViewKey};
use crate::http::client::Chunk;
use crate::http::sifting::Enough;

/// What a look at a group's view leads to.
pub(super) enum News {
    /// This is sent to all.
    Chunk(Chunk),
    /// There is something, but not for them.
    Nothing,
    /// No more.
    CaughtUp,
    /// Each has to be told for itself.
    Apart,
}

impl Reactor {
    /// Sweeps every group whose view has news. Where they have to be looked through first, that is left for later.
    pub(super) fn sweep_all(&mut self) {
        self.door.bell.take(&mut self.rung);
        self.rung.sort_unstable();
        self.rung.dedup();
        let mut again = std::mem::take(&mut self.swept);
        let mut rung = std::mem::take(&mut self.rung);
        for view in rung.drain(..) {
            let (mut is_more, mut from) = (false, Bound::Included(Kind::first_of(view)));
            while let Some(kind) = self.next_group(view, from) {
                from = Bound::Excluded(kind);
                is_more |= if kind.sieve.is_some() { self.will_look(kind) } else { self.sweep(kind) };
            }
            if is_more {
                again.push(view); // there may be more by then
            }
        }
        (self.swept, self.rung) = (rung, again);
        self.let_fall();
    }

    fn next_group(&self, view: ViewKey, from: Bound<Kind>) -> Option<Kind> {
        let (kind, _) = self.groups.range((from, Bound::Unbounded)).next()?;
        (kind.view == view).then_some(*kind)
    }

    /// Sends a group what is new; false if it has everything.
    fn sweep(&mut self, kind: Kind) -> bool {
        let news = self.groups.get_mut(&kind).map_or(News::CaughtUp, |group| look(group, kind));
        self.spread(kind, news)
    }

    /// Sends all of a group what a look has led to; false if they have everything.
    pub(super) fn spread(&mut self, kind: Kind, news: News) -> bool {
        match news {
            News::CaughtUp => return false,
            News::Apart => self.apart.push(kind),
            News::Nothing => {}
            News::Chunk(chunk) => self.send_to_all(kind, &chunk),
        }
        true
    }

    fn send_to_all(&mut self, kind: Kind, chunk: &Chunk) {
        let Some(group) = self.groups.get(&kind) else { return };
        self.wire.fill(&[], chunk, kind.framing);
        self.equipment.metrics.stream_bytes.add((chunk.length() * group.seats.len()) as u64);
        self.sweeps = self.sweeps.wrapping_add(1);
        let kept = OnceCell::new();
        let keep = || kept.get_or_init(|| self.room.keep(&self.wire, &chunk.again)).clone();
        let fallen = group.members_from(self.sweeps).filter_map(|number| {
            let sent = self.seats[number as usize].send(&self.wire, 0, self.now);
            fallen(number, sent, &self.wire, chunk, keep)
        });
        self.fallen.extend(fallen);
    }

    /// Those who did not take what all were sent leave their groups.
    pub(super) fn let_fall(&mut self) {
        let mut fallen = std::mem::take(&mut self.fallen);
        for (number, pending) in fallen.drain(..) {
            match pending {
                Some(pending) => {
                    self.leave_group(number);
                    self.stall(number, pending);
                }
                None => self.dismiss(number, GONE),
            }
        }
        self.fallen = fallen;
        while let Some(kind) = self.apart.pop() {
            if let Some(group) = self.groups.remove(&kind) {
                self.part(group);
            }
        }
    }
}

/// A member who did not take all that it was sent, and what is pending for it.
fn fallen(number: u32, sent: Sent, wire: &Wire, chunk: &Chunk, keep: impl Fn() -> Option<Arc<Kept>>) -> Option<Fallen> {
    match sent {
        Sent::All => None,
        Sent::Part(count) => Some((number, Some(Box::new(Pending::of(wire, &[], chunk, Part::Inner, count, keep()))))),
        Sent::Gone => Some((number, None)),
    }
}

/// Reads on for a group.
pub(super) fn look(group: &mut Group, kind: Kind) -> News {
    let from = group.edge.clone();
    match group.hanging.read(&mut group.edge, MAX_BATCH) {
        Reading::Events(events) => {
            let chunk = match &mut group.sifting {
                None => Chunk::of_events(Vec::new(), events, from, group.edge.number(), kind.format),
                Some(sifting) => {
                    let mut passed = Vec::new();
                    if let Some(reached) = sifting.sift(&events, &mut Enough::of_a_turn(), &mut passed) {
                        group.edge = from.moved_to(reached);
                    }
                    sifting.chunk(Vec::new(), passed, from, group.edge.number(), kind.format)
                }
            };
            if chunk.is_empty() { News::Nothing } else { News::Chunk(chunk) }
        }
        Reading::Progress(_) if group.sifting.is_some() => News::Nothing,
        Reading::Progress(states) => {
            let chunk = Chunk::of_progress(Vec::new(), &states, kind.format);
            if chunk.is_empty() { News::Nothing } else { News::Chunk(chunk) }
        }
        Reading::CaughtUp => News::CaughtUp,
        Reading::Archived(_) | Reading::Gap(_) | Reading::Finished => {
            group.edge = from;
            News::Apart
        }
    }
}
