//! Who is next of those who look through events: always who has had least.
//!
//! Expressions differ in what they cost by a factor of a thousand. So those who look through events do not take turns one after the other: of the sieves
//! for which there is something to do, the one goes first whose looking has taken the least time. A cheap one waits for what is being looked
//! at just now and not for all that costly ones have before them; costly ones share what is left.
//!
//! Nobody saves up for longer than a moment: who comes, or comes again after a rest, has had little less than the one who was served last. Of one that is
//! new nobody knows what it costs: it counts as if it had had a moment more, unless it is light.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::sieve::SieveKey;

/// Of how many sieves it is remembered what they have had: more than can be in use at once.
const REMEMBERED: usize = 1024;

/// How much less than the one who was served last somebody may have had who comes: so much that who looks now and then for a moment goes first each time,
/// and no more than one look of a costly one.
const CREDIT: Duration = Duration::from_millis(20);

/// What is to be done for each sieve, and what each has had. No clock: it is told.
#[derive(Debug)]
pub struct Shares<W> {
    /// Those for whom something is to be done: what each has had, since when it waits, and who it is.
    order: BTreeSet<(Duration, u64, SieveKey)>,
    work: BTreeMap<SieveKey, Waiting<W>>,
    had: BTreeMap<SieveKey, Duration>,
    /// What the one had had who was served last.
    floor: Duration,
    arrivals: u64,
}

/// What is to be done for one sieve, never nothing.
#[derive(Debug)]
struct Waiting<W> {
    had: Duration,
    since: u64,
    work: VecDeque<W>,
}

impl<W> Default for Shares<W> {
    fn default() -> Self {
        let (order, work, had) = (BTreeSet::new(), BTreeMap::new(), BTreeMap::new());
        Self { order, work, had, floor: Duration::ZERO, arrivals: 0 }
    }
}

impl<W> Shares<W> {
    /// Whether nothing is to be done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Something is to be done for a sieve, behind all else for it.
    pub fn add(&mut self, who: SieveKey, work: W) {
        self.waiting(who).push_back(work);
    }

    /// Something is to be done for a sieve, before all else for it.
    pub fn add_first(&mut self, who: SieveKey, work: W) {
        self.waiting(who).push_front(work);
    }

    /// What is to be done next.
    pub fn next(&mut self) -> Option<(SieveKey, W)> {
        let (had, _, who) = self.order.pop_first()?;
        self.floor = self.floor.max(had);
        let mut waiting = self.work.remove(&who)?;
        let work = waiting.work.pop_front()?;
        if !waiting.work.is_empty() {
            self.arrivals += 1;
            waiting.since = self.arrivals;
            self.put(who, waiting);
        }
        Some((who, work))
    }

    /// A sieve has had so much more.
    pub fn charge(&mut self, who: SieveKey, time: Duration) {
        let had = self.had_by(who).saturating_add(time);
        self.had.insert(who, had);
        if let Some(waiting) = self.work.remove(&who) {
            self.order.remove(&(waiting.had, waiting.since, who));
            self.put(who, Waiting { had, ..waiting });
        }
        while self.had.len() > REMEMBERED {
            let Some((&least, _)) = self.had.iter().min_by_key(|(_, had)| **had) else { return };
            self.had.remove(&least);
        }
    }

    fn had_by(&self, who: SieveKey) -> Duration {
        match self.had.get(&who) {
            None if who.is_light => self.floor.saturating_sub(CREDIT),
            None => self.floor.saturating_add(CREDIT),
            Some(had) => self.floor.saturating_sub(CREDIT).max(*had),
        }
    }

    fn waiting(&mut self, who: SieveKey) -> &mut VecDeque<W> {
        let had = self.had_by(who);
        let Self { order, work, arrivals, .. } = self;
        let begin = || {
            *arrivals += 1;
            order.insert((had, *arrivals, who));
            Waiting { had, since: *arrivals, work: VecDeque::new() }
        };
        &mut work.entry(who).or_insert_with(begin).work
    }

    fn put(&mut self, who: SieveKey, waiting: Waiting<W>) {
        self.order.insert((waiting.had, waiting.since, who));
        self.work.insert(who, waiting);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: Duration = Duration::from_millis(1);

    fn heavy(number: u64) -> SieveKey {
        SieveKey { number, is_light: false }
    }

    fn light(number: u64) -> SieveKey {
        SieveKey { number, is_light: true }
    }

    #[test]
    fn who_has_had_least_is_next_and_equals_take_turns() {
        let mut shares = Shares::default();
        for (who, work) in [(1, 'a'), (1, 'b'), (2, 'c'), (2, 'd'), (3, 'e')] {
            shares.add(light(who), work);
        }
        let order: String = std::iter::from_fn(|| shares.next()).map(|(_, work)| work).collect();
        assert_eq!(order, "acebd");
        shares.charge(light(1), MS);
        shares.add(light(1), 'a');
        shares.add(light(2), 'b');
        shares.add_first(light(2), 'c');
        shares.add(heavy(4), 'd');
        let order: String = std::iter::from_fn(|| shares.next()).map(|(_, work)| work).collect();
        assert_eq!(order, "cbad", "one that is new and may be costly waits for a moment");
        assert!(shares.is_empty());
    }

    /// Eight for whom a look takes a thousand times as long, and always something to do: the cheap one waits for one look of one of them.
    #[test]
    fn a_cheap_one_waits_for_one_look_of_a_costly_one() {
        let mut shares = Shares::default();
        let serve = |shares: &mut Shares<()>, is_there: bool| {
            let (costly, ()) = shares.next().unwrap();
            if is_there {
                shares.add(light(8), ()); // while that look lasts
            }
            shares.charge(costly, MS * 100 + MS / 100 * u32::try_from(costly.number).unwrap());
            shares.add(costly, ());
            costly
        };
        (0..8).for_each(|costly| shares.add(heavy(costly), ()));
        for round in 0..1000 {
            let is_there = round % 3 == 0;
            assert_ne!(serve(&mut shares, is_there), light(8));
            if is_there {
                assert_eq!(shares.next().unwrap().0, light(8), "round {round}");
                shares.charge(light(8), MS / 10);
            }
        }
    }

    #[test]
    fn nobody_saves_up_and_little_is_remembered() {
        let (mut shares, one, other) = (Shares::default(), light(1), light(2));
        for round in 0..10_u32 {
            shares.add(one, ());
            assert_eq!(shares.next(), Some((one, ())));
            shares.charge(one, MS * round);
        }
        // Who comes now has had little less than the other had before its last look, and not nothing.
        shares.add(other, ());
        assert_eq!(shares.next(), Some((other, ())));
        shares.charge(other, CREDIT + MS * 10);
        shares.add(other, ());
        shares.add(one, ());
        assert_eq!(shares.next(), Some((one, ())));
        (10..10_000).for_each(|who| shares.charge(light(who), MS));
        assert_eq!(shares.had.len(), REMEMBERED);
    }

    proptest! {
        /// Whatever the looks cost, those who always have something to do have had the same, up to one look.
        #[test]
        fn shares_are_even(costs in proptest::collection::vec(1..1000_u32, 2..8), rounds in 10..300_usize) {
            let mut shares = Shares::default();
            let mut had = vec![Duration::ZERO; costs.len()];
            (0..costs.len()).for_each(|who| shares.add(heavy(who as u64), who));
            for _ in 0..rounds {
                let (who, index) = shares.next().unwrap();
                had[index] += MS * costs[index];
                shares.charge(who, MS * costs[index]);
                shares.add(who, index);
            }
            let one_look = MS * *costs.iter().max().unwrap();
            prop_assert!(*had.iter().max().unwrap() <= *had.iter().min().unwrap() + one_look, "{:?}", had);
        }
    }
}
