//! How a client reads its view: from its cursor to the newest event, with a gap where something is missing.
//!
//! A cursor is a number: everything at or below it is done with. Beside it stands, while it matters, what the client has
//! already been told: a channel may have dropped events whose numbers lie *between* retained events of other channels, and a
//! client that was told of them once, in one gap, is not told again on its way past them. And a client that is owed no old
//! lines skips them, held or dropped, without a word.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Serialize;

use super::index::{Index, View, ViewKey};
use super::order::Ages;
use super::state::ChannelKey;
use crate::event::{ChannelName, EventId, Position};

/// Where a client is in its view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// Everything at or below this number is done with.
    pub(super) number: u64,
    /// The last number that the client wants; `u64::MAX` for a stream that goes on.
    pub(super) until: u64,
    /// Which lines it wants.
    pub(super) ages: Ages,
    /// For channels of which the client was told a loss: the number through which it was told.
    pub(super) told: BTreeMap<ChannelKey, u64>,
    /// Of how many channels that are gone for good the client was told; see [`super::roster::Floor`].
    pub(super) burials: u64,
    /// The newest progress state that it has seen.
    pub(super) progress: u64,
}

/// What comes next for a client.
#[derive(Debug)]
pub enum Reading {
    /// Encoded events, in order.
    Events(Vec<Bytes>),
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
#[serde(rename_all = "lowercase")]
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
}

impl Index {
    /// Reads on from a cursor: at most `room` bytes of events, or one event if that is larger.
    pub fn read(&self, view: ViewKey, cursor: &mut Cursor, room: usize) -> Reading {
        self.read_to(view, cursor, room, u64::MAX)
    }

    /// Reads on as [`Self::read`] does, but not past the event `to` if the cursor is before it.
    pub fn read_to(&self, view: ViewKey, cursor: &mut Cursor, room: usize, to: u64) -> Reading {
        if let Some(gap) = self.gap(view, cursor, Reason::Slow, |number| Some(self.id_at(number))) {
            return Reading::Gap(gap);
        }
        let until = cursor.until;
        if to > cursor.number {
            cursor.until = until.min(to);
        }
        let events = self.events(view, cursor, room);
        cursor.until = until;
        if !events.is_empty() {
            return Reading::Events(events);
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
        let gap = self.gap(view, &mut cursor, Reason::Slow, |_| None);
        gap.is_none().then(|| self.events(view, &mut cursor, usize::MAX))
    }

    /// The encoded event at the cursor, if it is still held.
    #[must_use]
    pub fn event_at(&self, cursor: &Cursor) -> Option<Bytes> {
        let batch = self.merged.at_or_below(cursor.number).filter(|batch| batch.numbers().contains(&cursor.number))?;
        Some(batch.part(cursor.number - 1, cursor.number))
    }

    /// Whether anything waits for the client at this cursor.
    pub(super) fn has_events(&self, view: ViewKey, cursor: &Cursor) -> bool {
        self.order(self.view(view)).first_above(cursor.number, cursor.ages).is_some_and(|first| first <= cursor.until)
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
        from: impl FnOnce(u64) -> Option<EventId>,
    ) -> Option<Gap> {
        let view = self.view(view);
        let is_below_floor = view.floor.through.number > cursor.number && view.floor.burials > cursor.burials;
        let (channels, lost) = match self.losses(view, cursor) {
            _ if is_below_floor && cursor.number < cursor.until => (self.living(view), None),
            (losers, lost) if !losers.is_empty() => (losers, lost),
            _ => return None,
        };
        let from = from(cursor.number);
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
            let known = cursor.told.get(&key).copied().unwrap_or(0).max(cursor.number).max(skipped);
            let missed = channel.dropped.between(known, cursor.until);
            if through > known && missed != Some(0) {
                losers.push(channel.name.clone());
                lost = lost.zip(missed).map(|(sum, missed)| sum + missed);
            }
        }
        (losers, lost)
    }

    /// The client was told of everything dropped so far, or did not ask for it.
    pub(super) fn tell_everything(view: &View, cursor: &mut Cursor) {
        let above = view.lossy.range((cursor.number + 1, 0)..);
        cursor.told = above.map(|&(through, key)| (key, through)).collect();
        cursor.burials = view.floor.burials;
    }

    /// Moves a cursor to just below the first event of the view that it wants and can still get (the newest if there is none),
    /// as told of everything dropped so far.
    pub(super) fn resume_behind_gap(&self, view: &View, cursor: &mut Cursor) -> Position {
        let first = self.order(view).first_above(cursor.number, cursor.ages).filter(|first| *first <= cursor.until);
        cursor.number = first.map_or(self.newest.number.min(cursor.until).max(cursor.number), |first| first - 1);
        Self::tell_everything(view, cursor);
        self.position(cursor.number)
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

    /// The id of the event `number`, or its position if it is no longer held.
    pub(super) fn id_at(&self, number: u64) -> EventId {
        let held = self.merged.at_or_below(number).filter(|batch| batch.numbers().contains(&number));
        let channel = held.map(|batch| batch.channel().clone());
        EventId { position: self.position(number), channel }
    }
}
