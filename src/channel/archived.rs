//! What is on the disk and not in memory: what the index knows of it, and what it has to ask.
//!
//! With a state directory every event is on the disk before it is published. What leaves the memory is *archived* then: not lost, but to be read from
//! there. Of each channel the index knows the last event that is archived; the largest of a view is its *seam*. Above the seam memory has everything
//! that is retained. Below it a client is sent what the disk has, and beside it the *unbacked* batches: those that are in memory alone, because the
//! disk could not be written, or has let them go already.
//!
//! Events are appended, and then published. In between, the disk may let them go again, if so much was read at once that it is more than the channel's
//! share, or lose them. The index is told of that before it is given them: they count as lost when memory, too, has let them go, and not before.
//!
//! Where a stream begins may be a question that only the disk can answer. The index does no I/O: it says what it has to know, and is asked again
//! with the answer. The answers are places in the order of all events, so what happens meanwhile does not make them wrong.

use std::ops::RangeInclusive;

use super::beside::Beside;
use super::dropped::{Counted, Loss};
use super::index::{Index, View};
use super::order::Ages;
use super::reading::Cursor;
use super::state::{ChannelKey, ChannelLife};
use crate::batch::Batch;
use crate::event::{Age, ChannelName, EventId, Millis, Position};

/// What the index has to know of the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// What is there at this number, of all channels?
    Event(u64),
    /// Which is the last event, of all channels, up to which all arrived at this time or before?
    Until(Millis),
    /// Which is the last event, of all channels, above which lie the newest `count` events of the view that are of these `ages` and not above
    /// `until`, those on the disk and those `beside` it? The beginning of the life, if there are fewer.
    Newest {
        /// How many.
        count: u64,
        /// The last that counts.
        until: u64,
        /// Which count.
        ages: Ages,
        /// Those of them that are in memory alone.
        beside: Beside,
    },
}

/// What is on the disk at a number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Around {
    /// The event with this number.
    pub at: Option<(Millis, ChannelName)>,
    /// When the last one before it arrived.
    pub before: Option<Millis>,
    /// When the first one behind it arrived.
    pub after: Option<Millis>,
}

/// What the disk has answered so far to one client.
#[derive(Debug, Clone, Default)]
pub struct Answers {
    events: Vec<(u64, Around)>,
    places: Vec<(Question, Position)>,
}

impl Answers {
    /// What is there at a number.
    pub fn learn_event(&mut self, number: u64, around: Around) {
        self.events.push((number, around));
    }

    /// Where something is.
    pub fn learn_place(&mut self, question: Question, place: Position) {
        self.places.push((question, place));
    }

    fn event(&self, number: u64) -> Result<&Around, Question> {
        let known = self.events.iter().find(|(of, _)| *of == number);
        known.map(|(_, around)| around).ok_or(Question::Event(number))
    }

    fn place(&self, question: Question) -> Result<Position, Question> {
        self.places.iter().find(|(of, _)| *of == question).map(|(_, place)| *place).ok_or(question)
    }

    /// Where the newest events of the view begin. Between two questions some may have left the memory: an answer stays one.
    pub(super) fn newest(&self, question: Question) -> Result<Position, Question> {
        let known = self.places.iter().find(|(of, _)| matches!(of, Question::Newest { .. }));
        known.map(|(_, place)| *place).ok_or(question)
    }
}

/// Events that are to be read from the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archived {
    /// Their numbers are among these.
    pub numbers: RangeInclusive<u64>,
    /// Those that the client wants.
    pub ages: Ages,
    /// How many gaps the client was told of: what has been read before the last may not be sent any more.
    pub gaps: u32,
}

/// Where what comes next for a client is.
#[derive(Debug)]
pub(super) enum Ahead {
    /// On the disk.
    Archived(Archived),
    /// In memory, as far as `through`.
    InMemory {
        /// The last number of which that is known.
        through: u64,
    },
}

/// What an earlier run has stored of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// How many events the channel has had.
    pub published: u64,
    /// The last of them.
    pub last: Position,
    /// The number of its last old line; 0 if none.
    pub old_through: u64,
    /// The last that is on the disk.
    pub archived: Option<Position>,
    /// What is missing.
    pub losses: Vec<Loss>,
}

impl Index {
    /// Goes on with the numbering of earlier runs behind `newest`. Up to `floor`, if there is one, events may be missing of which nobody knows to which
    /// channels they belonged. Where the end of a channel is missing, that is a place behind all that were there: their numbers above it, if there were
    /// any, are given again, with later times.
    pub fn go_on(&mut self, newest: Position, floor: Option<Position>) {
        self.newest = newest;
        if let Some(floor) = floor {
            self.floor.bury(floor);
            self.resumed = floor;
        }
    }

    /// Takes in a channel that has been stored.
    pub fn restore(&mut self, name: &ChannelName, stored: &Stored) {
        let key = self.open(name);
        self.change(key, |channel| {
            channel.life = ChannelLife::Stored;
            channel.published = stored.published;
            channel.last = stored.last.number;
            channel.old_through = stored.old_through;
        });
        stored.losses.iter().for_each(|loss| self.lose(key, *loss));
        self.set_archived(key, stored.archived);
    }

    /// The disk has let go the oldest events that it had of a channel.
    pub fn let_go(&mut self, name: &ChannelName, loss: Loss) {
        let Some((key, loss)) = self.lose_published(name, loss) else { return };
        self.lose_stored(key, loss);
        if self.channel(key).archived_through() <= loss.through.number {
            self.set_archived(key, None);
        }
    }

    /// The disk has lost some events of a channel; `left` is the last that it has.
    pub fn lose_on_disk(&mut self, name: &ChannelName, loss: Loss, left: Option<Position>) {
        let Some((key, loss)) = self.lose_published(name, loss) else { return };
        self.lose_stored(key, loss);
        let archived = self.channel(key).archived;
        self.set_archived(key, archived.zip(left).map(|(archived, left)| archived.min(left)));
    }

    /// What of a loss has been published, and of which channel; the rest is noted until it is. All numbers above the newest of all are those of one turn,
    /// and of one channel, because nobody else has one meanwhile.
    fn lose_published(&mut self, name: &ChannelName, loss: Loss) -> Option<(ChannelKey, Loss)> {
        let (newest, through) = (self.newest.number, loss.through.number);
        let key = self.names.get(name).copied();
        if through <= newest {
            return Some((key?, loss));
        }
        let ahead = loss.first.max(newest + 1)..=through;
        let count = match loss.counted {
            Counted::Exactly => loss.count.saturating_sub(through + 1 - ahead.start()),
            Counted::Roughly => loss.count,
        };
        self.lost_ahead.push((name.clone(), ahead));
        let is_any_published = loss.first <= newest && count > 0;
        key.filter(|_| is_any_published).map(|key| (key, Loss { through: self.newest, count, ..loss }))
    }

    /// Whether the disk has lost a batch that is published now.
    pub(super) fn was_lost_ahead(&mut self, batch: &Batch) -> bool {
        let (channel, last) = (batch.channel(), batch.numbers().end());
        let was_lost = self.lost_ahead.iter().any(|(name, numbers)| name == channel && numbers.contains(last));
        self.lost_ahead.retain(|(_, numbers)| numbers.end() > last);
        was_lost
    }

    /// Some events of a channel are not on the disk any more. Those that memory has are retained.
    fn lose_stored(&mut self, key: ChannelKey, loss: Loss) {
        let (range, mut held) = (loss.first..=loss.through.number, 0);
        for batch in &self.channels[&key].batches {
            let numbers = batch.numbers();
            if range.contains(numbers.start()) && range.contains(numbers.end()) {
                self.unbacked.entry(*numbers.start()).or_insert_with(|| {
                    held += batch.count();
                    (*numbers.end(), key)
                });
            }
        }
        // None of the others is above the last that is archived; unless that has been told to be gone with what was lost before.
        let archived = self.channel(key).archived.filter(|archived| archived.number >= loss.first);
        let through = archived.map_or(loss.through, |archived| archived.min(loss.through));
        let count = loss.count.saturating_sub(held);
        self.dropped += count;
        if count > 0 {
            self.lose(key, Loss { through: through.min(loss.through), count, ..loss });
        }
    }

    /// Events of a channel are retained nowhere any more.
    pub(super) fn lose(&mut self, key: ChannelKey, loss: Loss) {
        let Some(channel) = self.channels.get_mut(&key) else { return };
        let before = channel.dropped.through();
        let age = match loss.age {
            None if loss.through.number <= channel.old_through => Some(Age::Old),
            None if loss.first > channel.old_through => Some(Age::New),
            age => age,
        };
        channel.dropped.add(Loss { age, ..loss });
        let through = channel.dropped.through();
        for view in &channel.views {
            let view = self.views.get_mut(view).expect("a channel lists only views that exist");
            view.lossy.remove(&(before, key));
            view.lossy.insert((through, key));
        }
    }

    /// What is archived of a channel has changed.
    pub(super) fn set_archived(&mut self, key: ChannelKey, archived: Option<Position>) {
        let Some(channel) = self.channels.get_mut(&key) else { return };
        let before = (channel.archived_through(), key);
        channel.archived = archived;
        let after = archived.map(|last| (last.number, key));
        for view in &channel.views {
            let view = self.views.get_mut(view).expect("a channel lists only views that exist");
            view.archived.remove(&before);
            view.archived.extend(after);
        }
        self.archived.remove(&before);
        self.archived.extend(after);
    }

    /// The last archived event of all.
    fn seam(&self) -> Option<Position> {
        self.archived.last().and_then(|(_, key)| self.channel(*key).archived)
    }

    /// The last archived event of a view, if it is above this number.
    pub(super) fn seam_above(view: &View, number: u64) -> Option<u64> {
        view.archived.last().map(|(last, _)| *last).filter(|last| *last > number)
    }

    /// The id of the last archived event of a view.
    pub(super) fn newest_archived(&self, view: &View) -> Option<EventId> {
        let channel = self.channel(view.archived.last()?.1);
        Some(EventId { position: channel.archived?, channel: Some(channel.name.clone()) })
    }

    /// What of a view is in memory alone: those of these ages, up to a number.
    pub(super) fn beside(&self, view: &View, until: u64, ages: Ages) -> Beside {
        let of_view = self.unbacked.range(..=until).filter(|(_, (_, key))| view.members.contains(key));
        let is_wanted = |first: u64| self.merged.at_or_below(first).is_some_and(|batch| ages.contain(batch.age()));
        let wanted = of_view.filter(|(first, _)| is_wanted(**first));
        Beside::new(wanted.map(|(first, (last, _))| *first..=until.min(*last)).collect())
    }

    /// Whether a client that stands at this cursor wants anything that is archived.
    pub(super) fn wants_archived(&self, view: &View, cursor: &Cursor) -> bool {
        let above = view.archived.iter().rev().take_while(|(last, _)| *last > cursor.number && cursor.number < cursor.until);
        let mut is_wanted = above.map(|(last, key)| if *last > self.channel(*key).old_through { Age::New } else { Age::Old });
        is_wanted.any(|newest| cursor.ages.contain(newest))
    }

    /// Where what comes next for a client at this cursor is, if it wants nothing above `to`.
    pub(super) fn archived_ahead(&self, view: &View, cursor: &Cursor, to: u64) -> Ahead {
        let number = cursor.number;
        let Some(seam) = Self::seam_above(view, number).filter(|_| number < to) else {
            return Ahead::InMemory { through: u64::MAX };
        };
        let at = self.unbacked.range(..=number).next_back().filter(|(_, (last, _))| *last > number);
        let mut ahead = at.into_iter().chain(self.unbacked.range(number + 1..));
        let unbacked = ahead.find(|(_, (_, key))| view.members.contains(key));
        let through = match unbacked {
            Some((first, (last, _))) if *first <= number + 1 => return Ahead::InMemory { through: *last },
            Some((first, _)) => seam.min(first - 1),
            None => seam,
        };
        Ahead::Archived(Archived { numbers: number + 1..=through.min(to), ages: cursor.ages, gaps: cursor.gaps })
    }

    /// The last event up to which all arrived at `time` or before.
    pub(super) fn until(&self, time: Millis, answers: &Answers) -> Result<Position, Question> {
        let number = self.merged.last_until(time, self.newest.number);
        if self.seam().is_none_or(|seam| seam.time <= time) {
            return Ok(self.position(number)); // above the seam any place verifies itself
        }
        let held = self.merged.at_or_below(number).map(|batch| batch.last());
        answers.place(Question::Until(time)).map(|stored| stored.max(held.unwrap_or_default()))
    }

    /// The last place at or below a number that verifies itself: above the seam any does, below it only that of an event.
    pub(super) fn known_until(&self, number: u64) -> Position {
        if self.seam().is_none_or(|seam| seam.number <= number) {
            return self.position(number);
        }
        let held = self.merged.at_or_below(number);
        let held = held.map(|batch| Position { number: number.min(*batch.numbers().end()), time: batch.time() });
        let archived = self.channels.values().filter_map(|channel| channel.archived).filter(|last| last.number <= number);
        archived.chain(held).fold(self.began, Position::max)
    }

    /// Whether an id names an event or a position of this life. Time and number verify each other: a retained number with
    /// another time is from another life, and one that is no longer held is checked against its neighbours.
    pub(super) fn is_of_this_life(&self, id: &EventId, answers: &Answers) -> Result<bool, Question> {
        let Position { number, time } = id.position;
        if number > self.newest.number || time < self.began.time {
            return Ok(false);
        }
        if number == 0 {
            return Ok(time == self.began.time);
        }
        let is_it = |when: Millis, channel: &ChannelName| when == time && id.channel.as_ref().is_none_or(|id| id == channel);
        let before = self.merged.at_or_below(number);
        if let Some(batch) = before.filter(|batch| batch.numbers().contains(&number)) {
            return Ok(is_it(batch.time(), batch.channel()));
        }
        let is_archived = self.seam().is_some_and(|seam| number <= seam.number);
        let on_disk = if is_archived { answers.event(number)? } else { &Around::default() };
        if let Some((when, channel)) = &on_disk.at {
            return Ok(is_it(*when, channel));
        }
        // At or below the floor, it may be the name of a channel that is gone for good.
        let may_be_gone = number <= self.floor.through.number;
        let is_known = id.channel.as_ref().is_none_or(|channel| may_be_gone || self.names.contains_key(channel));
        let resumed = Some(self.resumed).filter(|resumed| resumed.number <= number).map(|resumed| resumed.time);
        let before = before.map(|batch| batch.time()).max(on_disk.before).max(resumed);
        let after = self.merged.above(number).next().map(|batch| batch.time());
        let after = after.into_iter().chain(on_disk.after).min().unwrap_or(self.newest.time);
        Ok(is_known && before.is_none_or(|before| before <= time) && time <= after)
    }
}
