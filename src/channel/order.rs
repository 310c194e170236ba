//! Batches in the order of their numbers.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::batch::Batch;
use crate::event::{Age, Millis};

/// Which lines a client is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ages {
    /// All.
    All,
    /// Only new ones: it asked for what came since a time, or comes from another life and may have seen the old ones there.
    New,
}

impl Ages {
    /// Whether lines of this age are among them.
    #[must_use]
    pub fn contain(self, age: Age) -> bool {
        self == Self::All || age == Age::New
    }
}

/// Retained batches by the number of their first event. Numbers may be missing: dropped ones, and other channels'.
#[derive(Debug, Default)]
pub struct Order {
    batches: BTreeMap<u64, Arc<Batch>>,
}

impl Order {
    /// Adds a batch; in publishing always behind all others.
    pub fn insert(&mut self, batch: Arc<Batch>) {
        self.batches.insert(*batch.numbers().start(), batch);
    }

    /// Forgets the batch that begins with this number.
    pub fn remove(&mut self, first: u64) {
        self.batches.remove(&first);
    }

    /// The batches that hold events above `number`, oldest first.
    pub fn above(&self, number: u64) -> impl Iterator<Item = &Arc<Batch>> {
        let reaching_over = self.at_or_below(number).filter(|batch| *batch.numbers().end() > number);
        reaching_over.into_iter().chain(self.batches.range(number.saturating_add(1)..).map(|(_, batch)| batch))
    }

    /// The first event above `number` that is of these ages.
    #[must_use]
    pub fn first_above(&self, number: u64, ages: Ages) -> Option<u64> {
        self.above(number).find(|batch| ages.contain(batch.age())).map(|batch| (*batch.numbers().start()).max(number + 1))
    }

    /// The newest retained event.
    #[must_use]
    pub fn newest(&self) -> Option<&Arc<Batch>> {
        self.batches.last_key_value().map(|(_, batch)| batch)
    }

    /// The batch that holds the event `number`, or else the last one before it.
    #[must_use]
    pub fn at_or_below(&self, number: u64) -> Option<&Arc<Batch>> {
        self.batches.range(..=number).next_back().map(|(_, batch)| batch)
    }

    /// The number above which lie the newest `count` events of these ages among those up to `until`.
    #[must_use]
    pub fn before_newest(&self, count: u64, until: u64, ages: Ages) -> u64 {
        let mut missing = count;
        if missing == 0 {
            return until;
        }
        let newest_first = self.batches.range(..=until).rev().map(|(_, batch)| batch);
        for batch in newest_first.filter(|batch| ages.contain(batch.age())) {
            let last = until.min(*batch.numbers().end());
            let held = last - batch.numbers().start() + 1;
            if held >= missing {
                return last - missing;
            }
            missing -= held;
        }
        0
    }

    /// How many events of these ages have numbers above `after` and up to `until`.
    #[must_use]
    pub fn count_between(&self, after: u64, until: u64, ages: Ages) -> u64 {
        let above = self.above(after).take_while(|batch| *batch.numbers().start() <= until);
        let wanted = above.filter(|batch| ages.contain(batch.age()));
        wanted.map(|batch| until.min(*batch.numbers().end()) - after.max(batch.numbers().start() - 1)).sum()
    }

    /// The largest number, up to `newest`, at or below which everything retained arrived at `time` or before.
    #[must_use]
    pub fn last_until(&self, time: Millis, newest: u64) -> u64 {
        let is_until = |number| self.at_or_below(number).is_none_or(|batch| batch.time() <= time);
        let (mut known, mut beyond) = (0, newest + 1);
        while beyond - known > 1 {
            let middle = known + (beyond - known) / 2;
            if is_until(middle) { known = middle } else { beyond = middle }
        }
        known
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::ops::RangeInclusive;

    fn order(batches: &[(RangeInclusive<u64>, Millis, Age)]) -> Order {
        let mut order = Order::default();
        for (numbers, time, age) in batches {
            order.insert(Arc::new(Batch::new("a".parse().unwrap(), *time, numbers.clone(), Box::default(), *age)));
        }
        order
    }

    proptest! {
        #[test]
        fn questions_are_answered_as_by_a_list(
            steps in proptest::collection::vec((0..3_u64, 1..5_u64, 0..3_u64, any::<bool>()), 0..12),
            number in 0..60_u64,
            count in 0..20_u64,
            time in 0..30_u64,
            only_new: bool,
        ) {
            let (mut next, mut now, mut batches) = (1, 0, Vec::new());
            for (skip, length, later, is_old) in steps {
                now += later;
                batches.push((next + skip..=next + skip + length - 1, now, if is_old { Age::Old } else { Age::New }));
                next += skip + length;
            }
            let order = order(&batches);
            let events: Vec<(u64, Millis, Age)> =
                batches.iter().flat_map(|(numbers, time, age)| numbers.clone().map(|n| (n, *time, *age))).collect();
            let ages = if only_new { Ages::New } else { Ages::All };
            let wanted: Vec<u64> = events.iter().filter(|(.., age)| ages.contain(*age)).map(|(n, ..)| *n).collect();

            let above = wanted.iter().copied().find(|n| *n > number);
            prop_assert_eq!(order.first_above(number, ages), above);

            let mut below: Vec<u64> = wanted.into_iter().filter(|n| *n <= number).collect();
            let expected = below.len().min(usize::try_from(count).unwrap());
            let start = order.before_newest(count, number, ages);
            below.retain(|n| *n > start);
            prop_assert_eq!(below.len(), expected, "start {}", start);

            let (after, until) = (number.min(time), number.max(time));
            let between = events.iter().filter(|(n, _, age)| (after + 1..=until).contains(n) && ages.contain(*age)).count();
            prop_assert_eq!(order.count_between(after, until, ages), between as u64);

            let last = order.last_until(time, next - 1);
            prop_assert!(events.iter().all(|(n, t, _)| (*n <= last) == (*t <= time)), "last {}", last);
        }
    }
}
