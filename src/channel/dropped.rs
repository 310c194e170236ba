//! What a channel no longer holds: enough memory of it to say whether a client has missed something, and how much.

use std::collections::VecDeque;

use crate::event::{Age, Millis, Position};

/// How many runs of dropped numbers are remembered one by one; what a client missed before them is counted only as a whole.
const MAX_RUNS: usize = 64;

/// How many of them are kept of a channel that is forgotten.
pub(super) const GHOST_RUNS: usize = 8;

/// The events that a channel has dropped. In memory a channel drops its oldest first. What a disk has lost may lie between events that it still has.
/// Old lines come before all new ones.
#[derive(Debug, Default)]
pub struct Dropped {
    /// How many.
    count: u64,
    /// The number of the very first; 0 if none.
    first: u64,
    /// How many of them were old lines, and of how many nobody knows.
    old: u64,
    mixed: u64,
    /// The number of the last old one; 0 if none.
    old_through: u64,
    /// The number of the first new one; 0 if none.
    first_new: u64,
    /// The last; the beginning of everything if there is none.
    through: Position,
    /// The newest runs, in order. Numbers between runs are other channels', or not dropped.
    runs: VecDeque<Run>,
    /// The last number of the runs that are no longer remembered.
    forgotten: u64,
    /// The last number of those that are counted roughly.
    rough: u64,
}

/// Events that a channel has dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loss {
    /// None of them is before this number.
    pub first: u64,
    /// The last of them, or one of the numbers between it and the next event of the channel.
    pub through: Position,
    /// How many.
    pub count: u64,
    /// Whether they came or were there; `None` if there may be both.
    pub age: Option<Age>,
    /// How well it is known how many they are.
    pub counted: Counted,
}

/// How well the number of dropped events is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// There were so many.
    Exactly,
    /// There were some: those of one damage may have been counted with another's.
    Roughly,
}

/// A loss, and how many events had been dropped before it.
#[derive(Debug)]
struct Run {
    loss: Loss,
    before: u64,
}

/// What a client was told of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Told {
    /// How many events the channel had dropped.
    count: u64,
    /// The number of the last of them.
    through: u64,
}

impl Loss {
    /// Whether all numbers from the first to the last are theirs.
    fn is_dense(&self) -> bool {
        self.count == self.through.number + 1 - self.first
    }

    /// How many have numbers above this one; `None` if that is not known.
    fn above(&self, number: u64) -> Option<u64> {
        match number {
            _ if number >= self.through.number => Some(0),
            _ if number < self.first => Some(self.count),
            _ => self.is_dense().then(|| self.through.number - number),
        }
    }
}

impl Dropped {
    /// Records events that were not recorded before.
    pub fn add(&mut self, loss: Loss) {
        let Loss { first, through, count, age, counted } = loss;
        if counted == Counted::Roughly {
            self.rough = self.rough.max(through.number);
        }
        self.count += count;
        self.first = if self.first == 0 { first } else { self.first.min(first) };
        self.through = self.through.max(through);
        if age == Some(Age::Old) {
            self.old += count;
            self.old_through = self.old_through.max(through.number);
        } else {
            self.first_new = if self.first_new == 0 { first } else { self.first_new.min(first) };
            self.mixed += if age.is_none() { count } else { 0 };
        }
        if through.number <= self.forgotten {
            return;
        }
        let at = self.runs.partition_point(|run| run.loss.first < first);
        match self.runs.back_mut().map(|last| &mut last.loss) {
            // What comes behind all others can be told from them by its numbers.
            Some(last) if last.through.number + 1 == first && last.is_dense() && loss.is_dense() => {
                (last.through, last.count) = (through, last.count + count);
            }
            _ => self.runs.insert(at, Run { loss, before: self.count - count }),
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
            self.forgotten = self.runs.pop_front().map_or(0, |run| run.loss.through.number);
        }
    }

    /// How many in all.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How many of them were new lines; `None` where that is not known.
    #[must_use]
    pub fn count_new(&self) -> Option<u64> {
        (self.mixed == 0 && self.rough == 0).then_some(self.count - self.old)
    }

    /// The number of the last; 0 if none.
    #[must_use]
    pub fn through(&self) -> u64 {
        self.through.number
    }

    /// When the last arrived, if there is one.
    #[must_use]
    pub fn time(&self) -> Option<Millis> {
        (self.count > 0).then_some(self.through.time)
    }

    /// Whether any new line among them arrived at `time` or later.
    #[must_use]
    pub fn any_new_since(&self, time: Millis) -> bool {
        self.first_new > 0 && self.through.time >= time
    }

    /// What whoever is told now is told of.
    #[must_use]
    pub fn told(&self) -> Told {
        Told { count: self.count, through: self.through() }
    }

    /// How many have numbers above `after` and up to `until`, without those that were told of; `None` where that is no longer known.
    #[must_use]
    pub fn between(&self, after: u64, until: u64, told: Told) -> Option<u64> {
        if told.count == self.count {
            return Some(0);
        }
        if after < self.rough {
            return None;
        }
        if told.count == 0 {
            return Some(self.above(after)?.saturating_sub(self.above(until)?));
        }
        // Of a run that there was by then, what is behind all that there was has come later.
        let since = |run: &Run| if run.before < told.count { told.through } else { 0 };
        let untold = |from: u64| self.runs.iter().map(|run| run.loss.above(from.max(since(run)))).sum::<Option<u64>>();
        let are_all_known = after >= self.forgotten || untold(0) == Some(self.count - told.count);
        if are_all_known { Some(untold(after)?.saturating_sub(untold(until)?)) } else { None }
    }

    fn above(&self, number: u64) -> Option<u64> {
        match number {
            _ if number < self.first => Some(self.count),
            // Between the old ones and the new ones.
            _ if number >= self.old_through && number < self.first_new => self.count_new(),
            _ if number < self.forgotten => None,
            _ => self.runs.iter().map(|run| run.loss.above(number)).sum(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn counts_are_exact_or_unknown(
            // Runs of this channel's numbers, each behind a gap of other channels' numbers; of some only the count is known.
            steps in proptest::collection::vec((0..3_u64, 1..4_u64, 0..4_u64), 0..2 * MAX_RUNS),
            order in proptest::collection::vec(any::<prop::sample::Index>(), 0..6),
            old in 0..2 * MAX_RUNS,
            told_at in 0..2 * MAX_RUNS,
            shrunk_at in 0..2 * MAX_RUNS,
            after in 0..500_u64,
            until in 0..500_u64,
        ) {
            let mut losses = Vec::new();
            let mut numbers = Vec::new();
            let mut next = 1;
            for (index, (skip, length, vague)) in steps.into_iter().enumerate() {
                // A vague one is said to reach over numbers that are not its own, on both sides of it.
                let vague = u64::from(vague == 0);
                let first = next + skip;
                let own = first + vague..first + vague + length;
                let through = Position { number: own.end - 1 + vague, time: 0 };
                next = through.number + 1;
                numbers.extend(own);
                losses.push(Loss { first, through, count: length, age: Some(if index < old { Age::Old } else { Age::New }), counted: Counted::Exactly });
            }
            let (mut old_through, mut new) = (0, 0);
            for loss in &losses {
                match loss.age {
                    Some(Age::Old) => old_through = loss.through.number,
                    _ => new += loss.count,
                }
            }
            // The disk loses what is older than what was lost before.
            let mut shuffled = losses.clone();
            for index in order {
                if !shuffled.is_empty() {
                    let early = shuffled.remove(index.index(shuffled.len()));
                    shuffled.push(early);
                }
            }
            let mut dropped = Dropped::default();
            let (mut told, mut untold) = (Told::default(), BTreeSet::<u64>::new());
            for (index, loss) in shuffled.into_iter().enumerate() {
                dropped.add(loss);
                untold.extend(numbers.iter().filter(|number| (loss.first..=loss.through.number).contains(*number)));
                if index == told_at {
                    told = dropped.told();
                    untold.clear();
                }
                if index == shrunk_at {
                    dropped.shrink();
                }
            }
            prop_assert_eq!(dropped.count_new(), Some(new));
            prop_assert_eq!(dropped.any_new_since(0), new > 0);
            prop_assert_eq!(dropped.between(old_through, u64::MAX, Told::default()), Some(new), "who skips old lines is always told how many");
            prop_assert_eq!(dropped.count(), numbers.len() as u64);
            prop_assert_eq!(dropped.through(), losses.last().map_or(0, |loss| loss.through.number));
            let expected = numbers.iter().filter(|number| **number > after && **number <= until).count() as u64;
            let is_inside = |number: u64| losses.iter().any(|loss| !loss.is_dense() && (loss.first..loss.through.number).contains(&number));
            let may_be_unknown = after.min(until) < dropped.forgotten || is_inside(after) || is_inside(until);
            match dropped.between(after, until, Told::default()) {
                Some(count) => prop_assert_eq!(count, expected),
                None => prop_assert!(may_be_unknown),
            }
            let expected = untold.iter().filter(|number| **number > after && **number <= until).count() as u64;
            match dropped.between(after, until, told) {
                Some(count) => prop_assert_eq!(count, expected),
                None => prop_assert!(may_be_unknown),
            }
            prop_assert_eq!(dropped.between(after, until, dropped.told()), Some(0));
        }
    }
}
