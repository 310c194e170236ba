//! How a client reads its view: from its cursor to the newest event, with a gap where something is missing.
//!
//! A cursor is a number: everything at or below it is done with. Beside it stands, while it matters, what the client has
//! already been told: a channel may have dropped events whose numbers lie *between* retained events of other channels, and a
//! client that was told of them once, in one gap, is not told again on its way past them. And a client that is owed no old
//! lines skips them, held or dropped, without a word.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Serialize;

use super::archived::{Ahead, Archived};
use super::dropped::Told;
use super::index::{Index, View, ViewKey};
use super::order::Ages;
use super::state::ChannelKey;
use crate::event::{ChannelName, EventId, Position};

/// Where a client is in its view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// Everything at or below this number is done with.
    pub(super) number: u64,
    /// The last place at or below it that verifies itself when the client comes back with it.
    pub(super) known: Position,
    /// The last number that the client wants; `u64::MAX` for a stream that goes on.
    pub(super) until: u64,
    /// Which lines it wants.
    pub(super) ages: Ages,
    /// For channels of which the client was told a loss: what that was.
    pub(super) told: BTreeMap<ChannelKey, Told>,
    /// Of how many channels that are gone for good the client was told; see [`super::roster::Floor`].
    pub(super) burials: u64,
    /// How many gaps it was told of.
    pub(super) gaps: u32,
    /// The newest progress state that it has seen.
    pub(super) progress: u64,
}

/// What comes next for a client.
#[derive(Debug)]
pub enum Reading {
    /// Encoded events, in order.
    Events(Vec<Bytes>),
    /// Nothing before these have been read from the disk.
    Archived(Archived),
    /// Something is missing; retained events go on behind this.
    Gap(Gap),
    /// The newest states of unfinished lines, encoded.
    Progress(Vec<Bytes>),
    /// Nothing until the next publication.
    CaughtUp,
    /// Nothing ever: all that was asked for has been read.
    Finished,
}

/// Events that a client should have had and can no longer get; or, as an event of a channel, what its source should have
/// given and can no longer give.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// The channels that lost them.
    pub channels: Vec<ChannelName>,
    /// Why.
    pub reason: Reason,
    /// The last that the client had; `None` if it had nothing.
    pub from: Option<EventId>,
    /// Where the stream goes on: just below the first event behind the gap. The client's position from here on. In the gap
    /// of a source: its own position.
    pub to: Position,
    /// How many; `None` where it cannot be known.
    pub lost: Option<u64>,
}

/// Why something is missing: the first three of a client, the others of a source, for everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// Dropped from the history before the client asked.
    Dropped,
    /// Dropped from the history while the client was connected and did not take it.
    Slow,
    /// The client's id is from another life of the daemon.
    Restart,
    /// The file became shorter than what was read of it: what was written in between is gone.
    Truncated,
    /// What was read of the file is no longer what stands there: it was written anew, at least as long as before.
    Overwritten,
    /// The file went away before it was read to its end.
    Vanished,
    /// The daemon was killed between taking bytes out of a pipe and storing them.
    Crash,
    /// The source gave more than its `--rate-limit`.
    RateLimit,
    /// The event stream that is the source has a gap itself.
    Upstream,
}

impl Cursor {
    /// Everything at or below this number is done with.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Which lines the client wants.
    #[must_use]
    pub fn ages(&self) -> Ages {
        self.ages
    }

    /// A place that the client can come back with, and loses nothing.
    #[must_use]
    pub fn known(&self) -> Position {
        self.known
    }

    /// Moves on to this number; not back.
    pub(super) fn pass(&mut self, number: u64) {
        self.number = self.number.max(number);
    }

    /// The same place, moved on to this one; not back.
    #[must_use]
    pub fn moved_to(&self, to: Position) -> Self {
        let mut moved = self.clone();
        moved.move_on(to);
        moved
    }

    /// Moves on to this place, which verifies itself; not back.
    pub(super) fn move_on(&mut self, to: Position) {
        if to.number > self.number {
            (self.number, self.known) = (to.number, to);
        }
    }
}

impl Index {
    /// Reads on from a cursor: at most `room` bytes of events, or one event if that is larger.
    pub fn read(&self, view: ViewKey, cursor: &mut Cursor, room: usize) -> Reading {
        self.read_to(view, cursor, room, u64::MAX)
    }

    /// Reads on as [`Self::read`] does, but not past the event `to` if the cursor is before it.
    pub fn read_to(&self, view: ViewKey, cursor: &mut Cursor, room: usize, to: u64) -> Reading {
        if let Some(gap) = self.gap(view, cursor, Reason::Slow, |cursor| Some(self.id_at(cursor))) {
            return Reading::Gap(gap);
        }
        let to = if to > cursor.number { cursor.until.min(to) } else { cursor.until };
        match self.events_to(view, cursor, room, to) {
            Err(archived) => return Reading::Archived(archived),
            Ok(events) if !events.is_empty() => return Reading::Events(events),
            Ok(_) => {}
        }
        if cursor.until != u64::MAX {
            return Reading::Finished;
        }
        let progress = self.unseen_progress(view, cursor);
        if !progress.is_empty() {
            return Reading::Progress(progress);
        }
        if Self::is_finished(self.view(view)) { Reading::Finished } else { Reading::CaughtUp }
    }

    /// Whether nothing waits for a client at this cursor but news.
    #[must_use]
    pub fn is_caught_up(&self, view: ViewKey, cursor: &Cursor) -> bool {
        matches!(self.read(view, &mut cursor.clone(), 0), Reading::CaughtUp)
    }

    /// The events that were read from the cursor `before` up to `to`, once more: the same bytes, because what is held never changes.
    /// `None` if any of them has been dropped since.
    #[must_use]
    pub fn read_again(&self, view: ViewKey, before: &Cursor, to: u64) -> Option<Vec<Bytes>> {
        let mut cursor = Cursor { until: to, ..before.clone() };
        let is_archived = Self::seam_above(self.view(view), before.number).is_some();
        let gap = self.gap(view, &mut cursor, Reason::Slow, |_| None);
        (gap.is_none() && !is_archived).then(|| self.events(view, &mut cursor, usize::MAX))
    }

    /// Whether something is missing that the client at this cursor was not told of.
    #[must_use]
    pub fn has_gap(&self, view: ViewKey, cursor: &Cursor) -> bool {
        self.gap(view, &mut cursor.clone(), Reason::Slow, |_| None).is_some()
    }

    /// Whether any events of the view above `after` and up to `through` may be retained nowhere any more.
    #[must_use]
    pub fn has_lost(&self, view: ViewKey, after: u64, through: u64) -> bool {
        let (known, ages) = (self.began, Ages::All);
        let mut cursor =
            Cursor { number: after, known, until: through, ages, told: BTreeMap::new(), burials: 0, gaps: 0, progress: 0 };
        self.gap(view, &mut cursor, Reason::Dropped, |_| None).is_some()
    }

    /// The encoded event at the cursor, if it is still held.
    #[must_use]
    pub fn event_at(&self, cursor: &Cursor) -> Option<Bytes> {
        let batch = self.merged.at_or_below(cursor.number).filter(|batch| batch.numbers().contains(&cursor.number))?;
        Some(batch.part(cursor.number - 1, cursor.number))
    }

    /// Whether anything waits for the client at this cursor.
    pub(super) fn has_events(&self, view: ViewKey, cursor: &Cursor) -> bool {
        let view = self.view(view);
        let is_in_memory = self.order(view).first_above(cursor.number, cursor.ages).is_some_and(|first| first <= cursor.until);
        is_in_memory || self.wants_archived(view, cursor)
    }

    /// Takes events from the view that are not above `to`, as long as none are to be read from the disk before.
    fn events_to(&self, view: ViewKey, cursor: &mut Cursor, room: usize, to: u64) -> Result<Vec<Bytes>, Archived> {
        loop {
            let last = match self.archived_ahead(self.view(view), cursor, to) {
                Ahead::Archived(archived) => return Err(archived),
                Ahead::InMemory { through } => through.min(to),
            };
            let until = std::mem::replace(&mut cursor.until, last);
            let events = self.events(view, cursor, room);
            cursor.until = until;
            if !events.is_empty() || last == to {
                return Ok(events);
            }
            cursor.pass(last);
        }
    }

    /// Takes events from the view, moves the cursor behind them and behind those that the client does not want.
    fn events(&self, view: ViewKey, cursor: &mut Cursor, room: usize) -> Vec<Bytes> {
        let mut parts = Vec::new();
        let mut taken = 0;
        for batch in self.order(self.view(view)).above(cursor.number) {
            let is_wanted = cursor.ages.contain(batch.age());
            let part = if is_wanted { batch.part(cursor.number, cursor.until) } else { Bytes::new() };
            // The cursor stays at an event larger than the room, which goes out in pieces.
            let is_full = taken > 0 && (taken > room || taken + part.len() > room);
            if is_full || (is_wanted && part.is_empty()) {
                break;
            }
            if is_wanted {
                taken += part.len();
                parts.push(part);
            }
            cursor.number = cursor.until.min(*batch.numbers().end());
            cursor.known = Position { number: cursor.number, time: batch.time() };
        }
        parts
    }

    /// If a channel of the view has dropped events that the client should have had and was not told of: tells it, and moves
    /// the cursor to just below the first event that it can still get.
    pub(super) fn gap(
        &self,
        view: ViewKey,
        cursor: &mut Cursor,
        reason: Reason,
        from: impl FnOnce(&Cursor) -> Option<EventId>,
    ) -> Option<Gap> {
        let view = self.view(view);
        let is_below_floor = view.floor.through.number > cursor.number && view.floor.burials > cursor.burials;
        let (channels, lost) = match self.losses(view, cursor) {
            _ if is_below_floor && cursor.number < cursor.until => (self.living(view), None),
            (losers, lost) if !losers.is_empty() => (losers, lost),
            _ => return None,
        };
        let from = from(cursor);
        let to = self.resume_behind_gap(view, cursor);
        Some(Gap { channels, reason, from, to, lost })
    }

    /// The channels that have dropped events that the client should have had and was not told of, and how many these are.
    fn losses(&self, view: &View, cursor: &mut Cursor) -> (Vec<ChannelName>, Option<u64>) {
        let (mut losers, mut lost) = (Vec::new(), Some(0));
        let mut above = view.lossy.range((cursor.number + 1, 0)..).peekable();
        if above.peek().is_none() {
            cursor.told.clear();
        }
        for &(through, key) in above {
            let channel = self.channel(key);
            let skipped = if cursor.ages == Ages::New { channel.old_through } else { 0 };
            let after = cursor.number.max(skipped);
            let told = cursor.told.get(&key).copied().unwrap_or_default();
            let missed = channel.dropped.between(after, cursor.until, told);
            if through > after && missed != Some(0) {
                losers.push(channel.name.clone());
                lost = lost.zip(missed).map(|(sum, missed)| sum + missed);
            }
        }
        (losers, lost)
    }

    /// The client was told of everything dropped so far, or did not ask for it.
    pub(super) fn tell_everything(&self, view: &View, cursor: &mut Cursor) {
        let above = view.lossy.range((cursor.number + 1, 0)..);
        cursor.told = above.map(|&(_, key)| (key, self.channel(key).dropped.told())).collect();
        cursor.burials = view.floor.burials;
    }

    /// Moves a cursor to just below the first event of the view that it wants and can still get (the newest if there is none),
    /// as told of everything dropped so far. Which is the first that the disk has, nobody knows: then it stays where it is.
    pub(super) fn resume_behind_gap(&self, view: &View, cursor: &mut Cursor) -> Position {
        cursor.gaps = cursor.gaps.wrapping_add(1);
        if self.wants_archived(view, cursor) {
            self.tell_everything(view, cursor);
            return cursor.known;
        }
        let first = self.order(view).first_above(cursor.number, cursor.ages).filter(|first| *first <= cursor.until);
        self.place(cursor, first.map_or(self.newest.number.min(cursor.until).max(cursor.number), |first| first - 1));
        self.tell_everything(view, cursor);
        cursor.known
    }

    fn unseen_progress(&self, view: ViewKey, cursor: &mut Cursor) -> Vec<Bytes> {
        if cursor.progress == self.progress_version {
            return Vec::new();
        }
        let seen = std::mem::replace(&mut cursor.progress, self.progress_version);
        let members = &self.view(view).members;
        let unseen = self.progress.range(seen + 1..).map(|(_, state)| state);
        unseen.filter(|(key, _)| members.contains(key)).map(|(_, encoded)| encoded.clone()).collect()
    }

    /// Puts a cursor behind the event `number`; not back.
    pub(super) fn place(&self, cursor: &mut Cursor, number: u64) {
        if number > cursor.number {
            cursor.known = cursor.known.max(self.known_until(number));
            cursor.number = number;
        }
    }

    /// The id of the event at a cursor, or its position if it is no longer in memory.
    pub(super) fn id_at(&self, cursor: &Cursor) -> EventId {
        let number = cursor.number;
        let held = self.merged.at_or_below(number).filter(|batch| batch.numbers().contains(&number));
        EventId { position: cursor.known, channel: held.map(|batch| batch.channel().clone()) }
    }
}
