//! The newest events where some are on the disk and others, between them, in memory alone.

use std::ops::RangeInclusive;

/// Events that are in memory alone, beside those on the disk: ranges of their numbers, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Beside(Vec<RangeInclusive<u64>>);

impl Beside {
    /// These ranges, none of them empty, each behind the one before.
    #[must_use]
    pub fn new(ranges: Vec<RangeInclusive<u64>>) -> Self {
        Self(ranges)
    }

    /// The number above which lie the newest `count` events of both, which `on_disk` says of any number of those on the disk; 0 if there are fewer.
    ///
    /// # Errors
    /// What `on_disk` says.
    pub fn newest<E>(&self, count: u64, mut on_disk: impl FnMut(u64) -> Result<u64, E>) -> Result<u64, E> {
        let place = on_disk(count)?;
        if self.above(place) == 0 {
            return Ok(place);
        }
        // With `known` from the disk they are not too many, with `beyond` they are.
        let (mut known, mut beyond, mut place) = (0, count, u64::MAX);
        while beyond - known > 1 {
            let middle = known + (beyond - known) / 2;
            let at = on_disk(middle)?;
            if self.above(at) <= count - middle { (known, place) = (middle, at) } else { beyond = middle }
        }
        Ok(self.below(place, count - known - self.above(place)))
    }

    /// How many of them have numbers above this one.
    fn above(&self, number: u64) -> u64 {
        let above = self.0.iter().rev().take_while(|range| *range.end() > number);
        above.map(|range| range.end() - number.max(range.start() - 1)).sum()
    }

    /// The number above which lie the newest `count` of them up to `place`, and nothing but them.
    fn below(&self, place: u64, count: u64) -> u64 {
        let mut missing = count;
        if missing == 0 {
            return place;
        }
        for range in self.0.iter().rev().filter(|range| *range.start() <= place) {
            let last = place.min(*range.end());
            let here = last + 1 - range.start();
            if here >= missing {
                return last - missing;
            }
            missing -= here;
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::convert::Infallible;

    proptest! {
        #[test]
        fn they_are_the_newest_of_both(
            // Runs on the disk and in memory, each behind a gap of numbers that are not of the view.
            runs in proptest::collection::vec((0..3_u64, 1..4_u64, any::<bool>()), 0..12),
            count in prop_oneof![9 => 0..40_u64, 1 => Just(u64::MAX)],
        ) {
            let (mut stored, mut ranges, mut next) = (Vec::new(), Vec::new(), 1);
            for (skip, length, is_stored) in runs {
                let range = next + skip..=next + skip + length - 1;
                next = range.end() + 1;
                if is_stored { stored.extend(range) } else { ranges.push(range) }
            }
            let until = next;
            let newest = |of: &[u64], count: u64| match usize::try_from(count) {
                Ok(0) => until,
                Ok(count) if count <= of.len() => of[of.len() - count] - 1,
                _ => 0,
            };
            let mut all: Vec<_> = ranges.iter().cloned().flatten().chain(stored.iter().copied()).collect();
            all.sort_unstable();
            let place = Beside::new(ranges).newest(count, |count| Ok::<_, Infallible>(newest(&stored, count))).unwrap();
            let found = all.iter().filter(|number| **number > place).count() as u64;
            prop_assert_eq!(found, count.min(all.len() as u64), "above {} of {:?}", place, all);
        }
    }
}
