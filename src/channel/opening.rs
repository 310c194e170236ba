//! How a stream begins: what a client asks for, by its id or by a query, becomes a cursor.
//!
//! With N the number of the id that the client brings:
//!
//! | the id | the client gets |
//! | --- | --- |
//! | of this life, and every channel of the view still has all its events above N | all events above N |
//! | of this life, but some channel has dropped events above N | one gap, then all retained events above N |
//! | of another life | a gap with reason `restart`, then the events later than its time (all, if its time lies ahead) |
//! | none, or not an id of ours | `tail` or `since`; `start` if there is nothing to send yet |
//!
//! Lines that were already there when the daemon first looked are sent for `tail` and `before`, and to a client with an id of
//! this life. They are not what came since a time, and a client from another life may have seen them there.

use std::collections::BTreeMap;

use serde::Serialize;

use super::archived::{Answers, Question};
use super::index::{Index, View, ViewKey};
use super::order::Ages;
use super::reading::{Cursor, Gap, Reason};
use crate::event::{ChannelName, EventId, Millis, Position};

/// What a client asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ask {
    /// The id of the last event that it has seen, if that is an id.
    pub last_event_id: Option<EventId>,
    /// How many of the newest events; `None` leaves it to `since`.
    pub tail: Option<Tail>,
    /// Only events that arrived then or later.
    pub since: Option<Millis>,
    /// Only events before this one.
    pub before: Option<EventId>,
    /// Only events up to this number.
    pub through: Option<u64>,
    /// What happens behind the newest event.
    pub follow: Follow,
}

/// How many of the newest events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// So many, or as many as are retained.
    Newest(u64),
    /// All: and a gap first if some were dropped.
    All,
    /// Those above this number, which somebody has looked for.
    Above(u64),
}

/// What happens behind the newest event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Follow {
    /// The stream goes on.
    #[default]
    Live,
    /// It ends after what is retained.
    Retained,
}

/// What a stream says before its first event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Greeting {
    /// Nothing: events follow, or the client knows where it is.
    None,
    /// Nothing to send yet.
    Start(Start),
    /// Something asked for is missing.
    Gap(Gap),
}

/// A new stream that has nothing to send yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Start {
    /// The channels of the view.
    pub channels: Vec<ChannelName>,
    /// The newest event of the view, if it is still held.
    pub newest: Option<EventId>,
    /// Where the stream begins: the event's own id.
    #[serde(skip)]
    pub position: Position,
}

/// How a stream opens.
#[derive(Debug)]
pub enum Opening {
    /// It begins here.
    Stream(Cursor, Greeting),
    /// The client has everything, and nothing more will ever come.
    Over,
    /// The disk has to be asked first.
    Unknown(Question),
}

impl Index {
    /// Opens a view for a client. `now` decides whether the time of a foreign id lies ahead; what the disk had to be asked for stands in `answers`.
    #[must_use]
    pub fn begin(&self, view_key: ViewKey, ask: &Ask, now: Millis, answers: &Answers) -> Opening {
        self.open_view(view_key, ask, now, answers).unwrap_or_else(Opening::Unknown)
    }

    fn open_view(&self, view_key: ViewKey, ask: &Ask, now: Millis, answers: &Answers) -> Result<Opening, Question> {
        let view = self.view(view_key);
        let until = self.last_wanted(ask, answers)?;
        let mut cursor = Cursor {
            number: 0,
            known: self.began,
            until,
            ages: Ages::All,
            told: BTreeMap::new(),
            burials: 0,
            gaps: 0,
            progress: 0,
        };
        if ask.before.is_none()
            && let Some(id) = &ask.last_event_id
        {
            return self.resume(view_key, cursor, id, now, answers);
        }
        let gap = self.place_by_query(view_key, &mut cursor, ask, answers)?;
        let greeting = match gap {
            Some(gap) => Greeting::Gap(gap),
            None if self.has_events(view_key, &cursor) || ask.before.is_some() => Greeting::None,
            None => Greeting::Start(self.start(view, &mut cursor)),
        };
        Ok(Opening::Stream(cursor, greeting))
    }

    fn last_wanted(&self, ask: &Ask, answers: &Answers) -> Result<u64, Question> {
        let last = match (&ask.before, ask.follow) {
            (Some(id), _) if self.is_of_this_life(id, answers)? => id.position.number.saturating_sub(1),
            (Some(id), _) => self.until(id.position.time.saturating_sub(1), answers)?.number,
            (None, Follow::Retained) => self.newest.number,
            (None, Follow::Live) => u64::MAX,
        };
        Ok(ask.through.map_or(last, |through| through.min(last)))
    }

    /// The rows of the table with an id.
    fn resume(
        &self,
        view_key: ViewKey,
        mut cursor: Cursor,
        id: &EventId,
        now: Millis,
        answers: &Answers,
    ) -> Result<Opening, Question> {
        let view = self.view(view_key);
        if !self.is_of_this_life(id, answers)? {
            cursor.ages = Ages::New;
            let is_ahead = id.position.time > now;
            cursor.move_on(if is_ahead { self.began } else { self.until(id.position.time, answers)? });
            let to = self.resume_behind_gap(view, &mut cursor);
            let gap = Gap { channels: self.living(view), reason: Reason::Restart, from: Some(id.clone()), to, lost: None };
            return Ok(Opening::Stream(cursor, Greeting::Gap(gap)));
        }
        cursor.move_on(id.position);
        if Self::is_finished(view) && cursor.number >= self.last_of(view) {
            return Ok(Opening::Over);
        }
        let gap = self.gap(view_key, &mut cursor, Reason::Dropped, |_| Some(id.clone()));
        Ok(Opening::Stream(cursor, gap.map_or(Greeting::None, Greeting::Gap)))
    }

    /// The row without an id: places the cursor, and says what is missing of what was asked for.
    fn place_by_query(
        &self,
        view_key: ViewKey,
        cursor: &mut Cursor,
        ask: &Ask,
        answers: &Answers,
    ) -> Result<Option<Gap>, Question> {
        let view = self.view(view_key);
        if let Some(time) = ask.since {
            cursor.ages = Ages::New;
            cursor.move_on(self.until(time.saturating_sub(1), answers)?);
        }
        if let Some(Tail::Newest(_) | Tail::Above(_)) = ask.tail {
            match ask.tail {
                Some(Tail::Newest(count)) => self.skip_to_newest(view, cursor, count, answers)?,
                Some(Tail::Above(number)) => self.place(cursor, number.min(self.newest.number)),
                _ => {}
            }
            self.tell_everything(view, cursor);
            return Ok(None);
        }
        Ok(match ask.since {
            None => self.gap(view_key, cursor, Reason::Dropped, |_| None),
            Some(time) => self.gap_since(view, cursor, time),
        })
    }

    /// Moves a cursor on to where the newest `count` events begin that the client wants.
    fn skip_to_newest(&self, view: &View, cursor: &mut Cursor, count: u64, answers: &Answers) -> Result<(), Question> {
        let (order, until) = (self.order(view), self.newest.number.min(cursor.until));
        let place = order.before_newest(count, until, cursor.ages);
        match Self::seam_above(view, place.max(cursor.number)) {
            None => self.place(cursor, place),
            Some(seam) => {
                let until = until.min(seam);
                let count = count - order.count_between(until, cursor.until, cursor.ages).min(count);
                let (ages, beside) = (cursor.ages, self.beside(view, until, cursor.ages));
                let place = answers.newest(Question::Newest { count, until, ages, beside })?;
                // What is in memory alone may lie nearer to it than anything on the disk.
                let held = self.merged.at_or_below(place.number).map(|batch| batch.time());
                cursor.move_on(Position { time: place.time.max(held.unwrap_or_default()), ..place });
            }
        }
        Ok(())
    }

    /// The gap of a client that asks for everything new since a time.
    fn gap_since(&self, view: &View, cursor: &mut Cursor, time: Millis) -> Option<Gap> {
        let lossy = view.lossy.iter().map(|(_, key)| self.channel(*key));
        let losers: Vec<_> = lossy.filter(|channel| channel.dropped.any_new_since(time)).collect();
        let is_below_floor = view.floor.burials > 0 && view.floor.through.time >= time;
        if losers.is_empty() && !is_below_floor {
            self.tell_everything(view, cursor);
            return None;
        }
        // The times of dropped events are no longer known one by one: only "all of them" can be counted.
        let is_countable = time <= self.began.time && !is_below_floor;
        let counts = losers.iter().map(|channel| channel.dropped.count_new());
        let lost = if is_countable { counts.sum() } else { None };
        let channels = if is_below_floor { self.living(view) } else { losers.iter().map(|channel| channel.name.clone()).collect() };
        let to = self.resume_behind_gap(view, cursor);
        Some(Gap { channels, reason: Reason::Dropped, from: None, to, lost })
    }

    fn start(&self, view: &View, cursor: &mut Cursor) -> Start {
        self.place(cursor, self.newest.number.min(cursor.until).max(cursor.number));
        self.start_at(view, cursor.known)
    }

    /// What is said of a place behind which nothing is to be sent yet.
    pub(super) fn start_at(&self, view: &View, position: Position) -> Start {
        let newest =
            self.order(view).newest().map(|batch| EventId { position: batch.last(), channel: Some(batch.channel().clone()) });
        let newest = newest.into_iter().chain(self.newest_archived(view)).max_by_key(|id| id.position);
        Start { channels: self.living(view), newest, position }
    }
}
