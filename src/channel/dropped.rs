//! What a channel no longer holds: enough memory of it to say whether a client has missed something, and how much.

use std::collections::VecDeque;
use std::ops::RangeInclusive;

use crate::event::{Age, Millis};

/// How many runs of dropped numbers are remembered one by one; what a client missed before them is counted only as a whole.
const MAX_RUNS: usize = 64;

/// How many of them are kept of a channel that is forgotten.
pub(super) const GHOST_RUNS: usize = 8;

/// The events that a channel has dropped. A channel drops its oldest first, so they are all older than those it holds, and old
/// lines go before new ones.
#[derive(Debug, Default)]
pub struct Dropped {
    /// How many.
    count: u64,
    /// The number of the very first; 0 if none.
    first: u64,
    /// How many of them were old lines.
    old: u64,
    /// The number of the last old one; 0 if none.
    old_through: u64,
    /// The number of the first new one; 0 if none.
    first_new: u64,
    /// The arrival time of the last.
    time: Millis,
    /// The newest runs of consecutive numbers, oldest first. Numbers between runs are other channels'.
    runs: VecDeque<RangeInclusive<u64>>,
    /// The last number of the runs that are no longer remembered.
    forgotten: u64,
}

impl Dropped {
    /// Records the events `numbers`, which are newer than all before.
    pub fn add(&mut self, numbers: &RangeInclusive<u64>, time: Millis, age: Age) {
        let count = numbers.end() - numbers.start() + 1;
        self.count += count;
        self.time = time;
        if self.first == 0 {
            self.first = *numbers.start();
        }
        match age {
            Age::Old => {
                self.old += count;
                self.old_through = *numbers.end();
            }
            Age::New if self.first_new == 0 => self.first_new = *numbers.start(),
            Age::New => {}
        }
        match self.runs.back_mut() {
            Some(last) if last.end() + 1 == *numbers.start() => *last = *last.start()..=*numbers.end(),
            _ => self.runs.push_back(numbers.clone()),
        }
        self.keep_runs(MAX_RUNS);
    }

    /// Remembers less: the channel itself is forgotten.
    pub fn shrink(&mut self) {
        self.keep_runs(GHOST_RUNS);
        self.runs.shrink_to_fit();
    }

    fn keep_runs(&mut self, most: usize) {
        while self.runs.len() > most {
            self.forgotten = self.runs.pop_front().map_or(0, |run| *run.end());
        }
    }

    /// How many in all.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How many of them were new lines.
    #[must_use]
    pub fn count_new(&self) -> u64 {
        self.count - self.old
    }

    /// The number of the last; 0 if none.
    #[must_use]
    pub fn through(&self) -> u64 {
        self.runs.back().map_or(0, |run| *run.end())
    }

    /// When the last arrived, if there is one.
    #[must_use]
    pub fn time(&self) -> Option<Millis> {
        (self.count > 0).then_some(self.time)
    }

    /// Whether any new line among them arrived at `time` or later.
    #[must_use]
    pub fn any_new_since(&self, time: Millis) -> bool {
        self.first_new > 0 && self.time >= time
    }

    /// How many have numbers above `after` and up to `until`; `None` where that is no longer known.
    #[must_use]
    pub fn between(&self, after: u64, until: u64) -> Option<u64> {
        Some(self.above(after)?.saturating_sub(self.above(until)?))
    }

    fn above(&self, number: u64) -> Option<u64> {
        match number {
            _ if number < self.first => Some(self.count),
            // Between the old ones and the new ones.
            _ if number >= self.old_through && number < self.first_new => Some(self.count_new()),
            _ if number < self.forgotten => None,
            _ => Some(self.runs.iter().map(|run| run.end().saturating_sub(number.max(run.start() - 1))).sum()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn counts_are_exact_or_unknown(
            // Runs of this channel's numbers, each behind a gap of other channels' numbers.
            steps in proptest::collection::vec((0..3_u64, 1..4_u64), 0..2 * MAX_RUNS),
            old in 0..2 * MAX_RUNS,
            shrunk_at in 0..2 * MAX_RUNS,
            after in 0..400_u64,
            until in 0..400_u64,
        ) {
            let mut dropped = Dropped::default();
            let mut numbers = Vec::new();
            let mut next = 1;
            let (mut old_through, mut new) = (0, 0);
            for (index, (skip, length)) in steps.into_iter().enumerate() {
                let run = next + skip..=next + skip + length - 1;
                next = run.end() + 1;
                numbers.extend(run.clone());
                let age = if index < old { Age::Old } else { Age::New };
                dropped.add(&run, 0, age);
                match age {
                    Age::Old => old_through = *run.end(),
                    Age::New => new += length,
                }
                if index == shrunk_at {
                    dropped.shrink();
                }
            }
            prop_assert_eq!(dropped.count_new(), new);
            prop_assert_eq!(dropped.any_new_since(0), new > 0);
            prop_assert_eq!(dropped.between(old_through, u64::MAX), Some(new), "who skips old lines is always told how many");
            prop_assert_eq!(dropped.count(), numbers.len() as u64);
            prop_assert_eq!(dropped.through(), numbers.last().copied().unwrap_or(0));
            let expected = numbers.iter().filter(|number| **number > after && **number <= until).count() as u64;
            match dropped.between(after, until) {
                Some(count) => prop_assert_eq!(count, expected),
                None => prop_assert!(after.min(until) < dropped.forgotten),
            }
        }
    }
}
