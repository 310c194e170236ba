//! Who names events: numbers that grow, times that never go back.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::History;
use crate::batch::{Batch, MAX_BATCH};
use crate::event::{Age, ChannelName, Event, Millis, Position};
use crate::sse::{self, Ids};

/// The room for a batch and the usual line that makes it too large, in bytes.
const ROOM: usize = MAX_BATCH + 4096;

/// From this size on a batch takes over the memory in which it was encoded; a smaller one is copied, in bytes.
const LARGE: usize = MAX_BATCH / 4;

/// How long a channel that nobody feeds is remembered without a state directory.
const UNFED: Duration = Duration::from_secs(3600);

/// Names events: numbers from 1, times that never go backwards.
#[derive(Debug)]
pub struct Store {
    naming: Mutex<Naming>,
    /// Where they are kept, if there is a state directory.
    history: Option<Arc<History>>,
}

#[derive(Debug)]
struct Naming {
    /// The last event named; at first the beginning of the life.
    newest: Position,
    /// Where events are encoded: the memory of the next batch, if it becomes a large one.
    scratch: Vec<u8>,
    /// Where the event waits that made the scratch too large, while that becomes a batch.
    spilled: Vec<u8>,
    /// The ids of the turn.
    ids: Ids,
    /// What has been committed, for tests that ask.
    #[cfg(test)]
    recorded: Option<Vec<Commit>>,
}

/// What one commit stored.
#[cfg(test)]
#[derive(Debug, Clone)]
pub struct Commit {
    /// Whose.
    pub channel: ChannelName,
    /// The age of its events.
    pub age: Age,
    /// They, as clients are sent them.
    pub encoded: Vec<u8>,
    /// The position behind them.
    pub source: Option<Box<str>>,
}

impl Store {
    /// A store whose life begins at `began`.
    #[must_use]
    pub fn new(began: Millis) -> Self {
        Self::behind(Position { number: 0, time: began }, None)
    }

    /// A store that goes on with a history.
    #[must_use]
    pub fn of(history: Arc<History>) -> Self {
        Self::behind(history.newest(), Some(history))
    }

    fn behind(newest: Position, history: Option<Arc<History>>) -> Self {
        let naming = Naming {
            newest,
            scratch: Vec::with_capacity(ROOM),
            spilled: Vec::new(),
            ids: Ids::default(),
            #[cfg(test)]
            recorded: None,
        };
        Self { naming: Mutex::new(naming), history }
    }

    /// From now on commits are kept for [`Store::recorded`].
    #[cfg(test)]
    pub fn record(&self) {
        self.naming.lock().unwrap().recorded = Some(Vec::new());
    }

    /// All commits since [`Store::record`].
    #[cfg(test)]
    pub fn recorded(&self) -> Vec<Commit> {
        self.naming.lock().unwrap().recorded.clone().unwrap_or_default()
    }

    /// The position of a channel's source that an earlier run has stored last.
    #[must_use]
    pub fn source_of(&self, channel: &ChannelName) -> Option<Box<str>> {
        self.history.as_ref()?.source_of(channel)
    }

    /// The channels whose sources have a position that was stored, and that.
    #[must_use]
    pub fn sources(&self) -> Vec<(ChannelName, Box<str>)> {
        self.history.as_ref().map(|history| history.sources()).unwrap_or_default()
    }

    /// How long a channel is remembered that nobody feeds any more; for ever without it.
    #[must_use]
    pub fn kept_unfed(&self) -> Option<Duration> {
        self.history.as_ref().map_or(Some(UNFED), |history| history.age())
    }

    /// Nobody feeds a channel any more: what is stored of it goes.
    pub fn forget(&self, channel: &ChannelName) {
        if let Some(history) = &self.history {
            history.forget(channel);
        }
    }

    /// Takes the turn to name events of `channel`, all of one `age`, that arrive at `now`. Everybody else waits until it is dropped, which must
    /// be after its batches are published.
    pub fn turn(&self, channel: &ChannelName, now: Millis, age: Age) -> Turn<'_> {
        // A panic while holding the turn leaves a number unused at worst: the order still holds.
        let mut naming = self.naming.lock().unwrap_or_else(PoisonError::into_inner);
        naming.scratch.clear();
        naming.scratch.shrink_to(ROOM);
        naming.spilled.shrink_to(LARGE);
        let time = naming.newest.time.max(now);
        naming.ids.set(time, channel);
        let number = naming.newest.number;
        let history = self.history.as_deref();
        let age = match (age, history) {
            (Age::Old, Some(history)) => history.age_of_old(channel),
            _ => age,
        };
        Turn { channel: channel.clone(), time, age, number, sealed: number, batches: Vec::new(), naming, history }
    }
}

/// The exclusive right to name events, and what it has named.
#[derive(Debug)]
pub struct Turn<'a> {
    channel: ChannelName,
    /// Arrival time of all events of this turn.
    time: Millis,
    /// Age of all events of this turn.
    age: Age,
    /// The last number given.
    number: u64,
    /// The last number whose event is in `batches`; those above are in the scratch.
    sealed: u64,
    batches: Vec<Batch>,
    naming: MutexGuard<'a, Naming>,
    history: Option<&'a History>,
}

impl Turn<'_> {
    /// The position of the event that is added next: what an event says of its own place.
    #[must_use]
    pub fn position(&self) -> Position {
        Position { number: self.number + 1, time: self.time }
    }

    /// Names and encodes the next event.
    pub fn add(&mut self, event: Event<'_>) {
        let start = self.naming.scratch.len();
        let position = self.position();
        self.number = position.number;
        let Naming { scratch, ids, .. } = &mut *self.naming;
        sse::event(scratch, ids, position.number, event);
        self.keep_batches_small(start);
    }

    /// Names and encodes a control event that belongs to the stream, with an id like any other.
    pub fn add_control(&mut self, kind: &str, payload: &impl serde::Serialize) {
        let data = sse::json(payload);
        self.add(Event { kind: Some(kind), data: &data });
    }

    /// How many events this turn has named so far.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.number - self.naming.newest.number
    }

    /// The batches, to be published before the turn is dropped. With a state directory they have been written to the disk, together with the
    /// position of their `source` behind them; without events the position alone. What the disk has let go since, who is to publish them was told.
    pub fn commit(&mut self, source: Option<&str>) -> Vec<Batch> {
        let end = self.naming.scratch.len();
        self.seal(end, self.number);
        if self.count() > 0 {
            self.naming.newest = Position { number: self.number, time: self.time };
        }
        let batches = mem::take(&mut self.batches);
        self.record(&batches, source);
        match self.history {
            Some(history) if !batches.is_empty() || source.is_some() => {
                history.append(&self.channel, batches, self.naming.newest, source)
            }
            _ => batches,
        }
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "only tests record")]
    fn record(&self, _: &[Batch], _: Option<&str>) {}

    #[cfg(test)]
    fn record(&mut self, batches: &[Batch], source: Option<&str>) {
        let Some(recorded) = &mut self.naming.recorded else { return };
        let encoded = batches.iter().flat_map(|batch| batch.encoded().to_vec()).collect();
        recorded.push(Commit { channel: self.channel.clone(), age: self.age, encoded, source: source.map(Into::into) });
    }

    /// Seals the events before `start` if the one that begins there has made the batch too large.
    fn keep_batches_small(&mut self, start: usize) {
        if self.naming.scratch.len() > MAX_BATCH && start > 0 {
            self.seal(start, self.number - 1);
        }
    }

    /// Makes a batch of the first `end` bytes of the scratch, whose last event has the number `last`.
    fn seal(&mut self, end: usize, last: u64) {
        if last > self.sealed {
            let encoded = self.naming.take(end);
            self.batches.push(Batch::new(self.channel.clone(), self.time, self.sealed + 1..=last, encoded, self.age));
            self.sealed = last;
        }
    }
}

impl Naming {
    /// The first `end` bytes of the scratch, in memory of their own.
    fn take(&mut self, end: usize) -> Box<[u8]> {
        let Self { scratch, spilled, .. } = self;
        if end < LARGE {
            let small = scratch[..end].into();
            scratch.drain(..end);
            return small;
        }
        spilled.clear();
        spilled.extend_from_slice(&scratch[end..]);
        scratch.truncate(end);
        // What it has too much is given back before the next is asked for, so that the two lie side by side.
        let large = mem::take(scratch).into_boxed_slice();
        scratch.reserve(ROOM.max(spilled.len()));
        scratch.extend_from_slice(spilled);
        large
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(data: &[u8]) -> Event<'_> {
        Event { kind: None, data }
    }

    #[test]
    fn numbers_go_on_and_times_never_go_back() {
        let store = Store::new(100);
        let name: ChannelName = "a".parse().unwrap();
        let mut named = Vec::new();
        for now in [150, 120, 160] {
            let mut turn = store.turn(&name, now, Age::New);
            turn.add(line(b"x"));
            turn.add(line(b"y"));
            named.extend(turn.commit(None).iter().map(|batch| (batch.numbers().clone(), batch.time())));
        }
        assert_eq!(named, [(1..=2, 150), (3..=4, 150), (5..=6, 160)]);
    }

    #[test]
    fn a_turn_without_events_has_no_batch_and_uses_no_number() {
        let store = Store::new(0);
        let name: ChannelName = "a".parse().unwrap();
        assert!(store.turn(&name, 1, Age::New).commit(None).is_empty());
        let mut turn = store.turn(&name, 2, Age::New);
        turn.add(line(b""));
        assert_eq!(turn.commit(None)[0].numbers(), &(1..=1));
    }

    #[test]
    fn an_event_can_say_its_own_position() {
        let store = Store::new(0);
        let mut turn = store.turn(&"a".parse().unwrap(), 7, Age::Old);
        turn.add(line(b"x"));
        let own = turn.position();
        turn.add_control("gap", &own);
        assert_eq!(own, Position { number: 2, time: 7 });
        let batches = turn.commit(None);
        assert!(batches[0].part(1, 2).starts_with(b"id: 7-2/a\nevent: gap\ndata: \"7-2\"\n"), "{batches:?}");
        assert_eq!(batches[0].age(), Age::Old);
    }

    #[test]
    fn a_batch_is_small_or_one_event() {
        let store = Store::new(0);
        let mut turn = store.turn(&"a".parse().unwrap(), 1, Age::New);
        let large = vec![b'x'; 2 * MAX_BATCH];
        for data in [&b"small"[..], &large, b"small", b"small"] {
            turn.add(line(data));
        }
        for _ in 0..3000 {
            turn.add(line(&[b'y'; 60]));
        }
        let batches = turn.commit(None);
        let mut next = 1;
        for batch in &batches {
            assert!(batch.encoded().len() <= MAX_BATCH || batch.count() == 1, "{} bytes", batch.encoded().len());
            assert_eq!(*batch.numbers().start(), next);
            next = batch.numbers().end() + 1;
        }
        assert_eq!(next, 3005);
    }
}
