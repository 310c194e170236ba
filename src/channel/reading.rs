//! How a client reads its view: from its cursor to the newest event, with a gap where something is missing.
//!
//! A cursor is a number: everything at or below it is done with. Beside it stands, while it matters, what the client has
//! already been told: a channel may have dropped events whose numbers lie *between* retained events of other channels, and a
//! client that was told of them once, in one gap, is not told again on its way past them.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Serialize;

use super::index::{ChannelKey, Index, ViewKey};
use crate::event::{ChannelName, EventId, Position};

/// Where a client is in its view.
#[derive(Debug, Clone)]
pub struct Cursor {
    /// Everything at or below this number is done with.
    pub(super) number: u64,
    /// The last number that the client wants; `u64::MAX` for a stream that goes on.
    pub(super) until: u64,
    /// For channels of which the client was told a loss: the number through which it was told.
    pub(super) told: BTreeMap<ChannelKey, u64>,
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

/// Events that a client should have had and can no longer get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// The channels that lost them.
    pub channels: Vec<ChannelName>,
    /// Why.
    pub reason: Reason,
    /// The last that the client had; `None` if it had nothing.
    pub from: Option<EventId>,
    /// Where the stream goes on: just below the first event behind the gap. The client's position from here on.
    pub to: Position,
    /// How many; `None` where it cannot be known.
    pub lost: Option<u64>,
}

/// Why a client can no longer get something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// Dropped from the history before the client asked.
    Dropped,
    /// Dropped from the history while the client was connected and did not take it.
    Slow,
    /// The client's id is from another life of the daemon.
    Restart,
}

impl Index {
    /// Reads on from a cursor: at most `room` bytes of events, or one event if that is larger.
    pub fn read(&self, view: ViewKey, cursor: &mut Cursor, room: usize) -> Reading {
        if let Some(gap) = self.gap(view, cursor, Reason::Slow, |number| Some(self.id_at(number))) {
            return Reading::Gap(gap);
        }
        let events = self.events(view, cursor, room);
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
        if self.is_finished(self.view(view)) { Reading::Finished } else { Reading::CaughtUp }
    }

    /// The encoded event at the cursor, if it is still held.
    #[must_use]
    pub fn event_at(&self, cursor: &Cursor) -> Option<Bytes> {
        let batch = self.merged.at_or_below(cursor.number).filter(|batch| batch.numbers().contains(&cursor.number))?;
        Some(batch.part(cursor.number - 1, cursor.number))
    }

    /// Whether anything waits for the client at this cursor.
    pub(super) fn has_events(&self, view: ViewKey, cursor: &Cursor) -> bool {
        self.order(self.view(view)).first_above(cursor.number).is_some_and(|first| first <= cursor.until)
    }

    /// Takes events from the view, moves the cursor behind them.
    fn events(&self, view: ViewKey, cursor: &mut Cursor, room: usize) -> Vec<Bytes> {
        let mut parts = Vec::new();
        let mut taken = 0;
        for batch in self.order(self.view(view)).above(cursor.number) {
            let part = batch.part(cursor.number, cursor.until);
            if part.is_empty() || (taken > 0 && taken + part.len() > room) {
                break;
            }
            taken += part.len();
            parts.push(part);
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
        if view.dropped_through <= cursor.number {
            cursor.told.clear();
            return None;
        }
        let (mut channels, mut lost) = (Vec::new(), Some(0));
        for (key, channel) in self.members(view) {
            let known = cursor.told.get(&key).copied().unwrap_or(0).max(cursor.number);
            let missed = channel.dropped.between(known, cursor.until);
            if channel.dropped.through() > known && missed != Some(0) {
                channels.push(channel.name.clone());
                lost = lost.zip(missed).map(|(sum, missed)| sum + missed);
            }
        }
        (!channels.is_empty()).then(|| {
            let from = from(cursor.number);
            let to = self.resume_behind_gap(view, cursor);
            Gap { channels, reason, from, to, lost }
        })
    }

    /// Moves a cursor to just below the first event of the view that it can still get (the newest if there is none), as told
    /// of everything dropped so far.
    pub(super) fn resume_behind_gap(&self, view: &super::index::View, cursor: &mut Cursor) -> Position {
        cursor.told = self.members(view).map(|(key, channel)| (key, channel.dropped.through())).collect();
        let first = self.order(view).first_above(cursor.number).filter(|first| *first <= cursor.until);
        cursor.number = first.map_or(self.newest.number.min(cursor.until).max(cursor.number), |first| first - 1);
        self.position(cursor.number)
    }

    fn unseen_progress(&self, view: ViewKey, cursor: &mut Cursor) -> Vec<Bytes> {
        if cursor.progress == self.progress_version {
            return Vec::new();
        }
        let seen = std::mem::replace(&mut cursor.progress, self.progress_version);
        let states = self.members(self.view(view)).filter_map(|(_, channel)| channel.progress.as_ref());
        states.filter(|(version, _)| *version > seen).map(|(_, encoded)| encoded.clone()).collect()
    }

    /// The id of the event `number`, or its position if it is no longer held.
    pub(super) fn id_at(&self, number: u64) -> EventId {
        let held = self.merged.at_or_below(number).filter(|batch| batch.numbers().contains(&number));
        let channel = held.map(|batch| batch.channel().clone());
        EventId { position: self.position(number), channel }
    }
}
