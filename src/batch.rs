//! A batch: the encoded events that one turn named, published in one step, immutable, shared by everybody who sends them.

use std::ops::RangeInclusive;

use bytes::Bytes;

use crate::event::{Age, ChannelName, Millis, Position};
use crate::sse;

/// The most bytes of a batch that holds more than one event; a batch is also the most that clients who wait are sent as one chunk.
pub const MAX_BATCH: usize = 64 * 1024;

/// What a batch costs beside its encoded bytes: its own fields, the entries in the index and the allocator's share, in
/// bytes. Counted against the history, so that memory is bounded also when every line is a batch of its own; measured with
/// `cargo test --test integration memory`.
pub const BATCH_OVERHEAD: usize = 256;

/// Where a batch is beside memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backing {
    /// Nowhere: there is no state directory.
    None,
    /// On the disk as well.
    Disk,
    /// Nowhere, though it ought to be on the disk, which could not be written.
    Failed,
}

/// Consecutive events of one channel with one arrival time and one age, encoded.
#[derive(Debug)]
pub struct Batch {
    channel: ChannelName,
    time: Millis,
    numbers: RangeInclusive<u64>,
    encoded: Bytes,
    age: Age,
    backing: Backing,
}

impl Batch {
    /// A batch of the events `numbers`, not empty, whose wire bytes are `encoded`, all of one `age`.
    #[must_use]
    pub fn new(channel: ChannelName, time: Millis, numbers: RangeInclusive<u64>, encoded: Box<[u8]>, age: Age) -> Self {
        debug_assert!(!numbers.is_empty(), "a batch has at least one event");
        Self { channel, time, numbers, encoded: encoded.into(), age, backing: Backing::None }
    }

    /// The same, and it is there beside memory.
    #[must_use]
    pub fn with(self, backing: Backing) -> Self {
        Self { backing, ..self }
    }

    /// Where it is beside memory.
    #[must_use]
    pub fn backing(&self) -> Backing {
        self.backing
    }

    /// Its last event.
    #[must_use]
    pub fn last(&self) -> Position {
        Position { number: *self.numbers.end(), time: self.time }
    }

    /// The channel of its events.
    #[must_use]
    pub fn channel(&self) -> &ChannelName {
        &self.channel
    }

    /// The arrival time of its events.
    #[must_use]
    pub fn time(&self) -> Millis {
        self.time
    }

    /// Whether its events came, or were there.
    #[must_use]
    pub fn age(&self) -> Age {
        self.age
    }

    /// The numbers of its events, all of them between the first and the last.
    #[must_use]
    pub fn numbers(&self) -> &RangeInclusive<u64> {
        &self.numbers
    }

    /// How many events it holds.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.numbers.end() - self.numbers.start() + 1
    }

    /// The wire bytes of all its events.
    #[must_use]
    pub fn encoded(&self) -> &Bytes {
        &self.encoded
    }

    /// What it costs of the history, in bytes.
    #[must_use]
    pub fn cost(&self) -> usize {
        self.encoded.len() + BATCH_OVERHEAD
    }

    /// The wire bytes of the events above `after` and up to `until`; shares memory with the batch.
    #[must_use]
    pub fn part(&self, after: u64, until: u64) -> Bytes {
        let (first, last) = (*self.numbers.start(), *self.numbers.end());
        let skipped = if after < first { 0 } else { sse::length_of(&self.encoded, after - first + 1) };
        let kept =
            if until >= last { self.encoded.len() } else { sse::length_of(&self.encoded, (until + 1).saturating_sub(first)) };
        self.encoded.slice(skipped.min(kept)..kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_whole_events() {
        let batch = Batch::new("a".parse().unwrap(), 1, 5..=7, Box::from(&b"data: 5\n\ndata: 6\n\ndata: 7\n\n"[..]), Age::New);
        assert_eq!(batch.part(0, 100), "data: 5\n\ndata: 6\n\ndata: 7\n\n");
        assert_eq!(batch.part(5, 6), "data: 6\n\n");
        assert_eq!(batch.part(6, 100), "data: 7\n\n");
        assert_eq!(batch.part(7, 100), "");
        assert_eq!(batch.part(0, 4), "");
        assert_eq!(batch.part(0, 5), "data: 5\n\n");
    }
}
