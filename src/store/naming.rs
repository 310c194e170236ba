//! The store that only counts: a life is one run of the daemon.

use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::batch::{Batch, MAX_BATCH};
use crate::event::{Age, ChannelName, Event, Millis, Position};
use crate::sse::{self, Ids};

/// The room for a batch and the usual line that makes it too large, in bytes.
const ROOM: usize = MAX_BATCH + 4096;

/// From this size on a batch takes over the memory in which it was encoded; a smaller one is copied, in bytes.
const LARGE: usize = MAX_BATCH / 4;

/// Names events: numbers from 1, times that never go backwards.
#[derive(Debug)]
pub struct Store {
    naming: Mutex<Naming>,
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
}

impl Store {
    /// A store whose life begins at `began`.
    #[must_use]
    pub fn new(began: Millis) -> Self {
        let newest = Position { number: 0, time: began };
        let naming = Naming { newest, scratch: Vec::with_capacity(ROOM), spilled: Vec::new(), ids: Ids::default() };
        Self { naming: Mutex::new(naming) }
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
        Turn { channel: channel.clone(), time, age, number, sealed: number, batches: Vec::new(), naming }
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

    /// The batches, to be published before the turn is dropped.
    pub fn commit(&mut self) -> Vec<Batch> {
        let end = self.naming.scratch.len();
        self.seal(end, self.number);
        self.naming.newest = Position { number: self.number, time: self.time };
        mem::take(&mut self.batches)
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
            named.extend(turn.commit().iter().map(|batch| (batch.numbers().clone(), batch.time())));
        }
        assert_eq!(named, [(1..=2, 150), (3..=4, 150), (5..=6, 160)]);
    }

    #[test]
    fn a_turn_without_events_has_no_batch_and_uses_no_number() {
        let store = Store::new(0);
        let name: ChannelName = "a".parse().unwrap();
        assert!(store.turn(&name, 1, Age::New).commit().is_empty());
        let mut turn = store.turn(&name, 2, Age::New);
        turn.add(line(b""));
        assert_eq!(turn.commit()[0].numbers(), &(1..=1));
    }

    #[test]
    fn an_event_can_say_its_own_position() {
        let store = Store::new(0);
        let mut turn = store.turn(&"a".parse().unwrap(), 7, Age::Old);
        turn.add(line(b"x"));
        let own = turn.position();
        turn.add_control("gap", &own);
        assert_eq!(own, Position { number: 2, time: 7 });
        let batches = turn.commit();
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
        let batches = turn.commit();
        let mut next = 1;
        for batch in &batches {
            assert!(batch.encoded().len() <= MAX_BATCH || batch.count() == 1, "{} bytes", batch.encoded().len());
            assert_eq!(*batch.numbers().start(), next);
            next = batch.numbers().end() + 1;
        }
        assert_eq!(next, 3005);
    }
}
