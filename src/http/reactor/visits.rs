//! When to look after a client again: one rough clock for all of them.
//!
//! A client needs a timer for two things, a sign of life after silence and an end after standing still, and both may come a little late. So time
//! is cut into ticks, each tick has a list of visits, and a client has one visit ahead of it. When it comes and nothing is due yet because the
//! client has been active, the next visit is put where it would be: that is one step for each client in each silence, however much it is sent.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How rough the clock of a daemon is: rough enough that few clients are visited one by one, and ticks last for thirteen years.
pub const TICK: Duration = Duration::from_millis(100);

/// A moment, in ticks since the reactor began.
pub type Tick = u32;

/// Who is to be visited: a seat, and the number of its guest.
pub type Visit = (u32, u32);

/// All visits to come.
#[derive(Debug)]
pub struct Visits {
    began: Instant,
    /// The length of a tick.
    tick: Duration,
    lists: BTreeMap<Tick, Vec<Visit>>,
}

impl Visits {
    /// None yet.
    #[must_use]
    pub fn new(began: Instant, tick: Duration) -> Self {
        Self { began, tick, lists: BTreeMap::new() }
    }

    /// The tick of this moment: the last one that has begun.
    #[must_use]
    pub fn tick(&self, now: Instant) -> Tick {
        count(now.saturating_duration_since(self.began).as_nanos() / self.tick.as_nanos())
    }

    /// The first tick that is at least `pause` behind whatever happened in the tick `since`.
    #[must_use]
    pub fn after(&self, since: Tick, pause: Duration) -> Tick {
        since.saturating_add(count(pause.as_nanos().div_ceil(self.tick.as_nanos()))).saturating_add(1)
    }

    /// Adds a visit.
    pub fn add(&mut self, at: Tick, visit: Visit) {
        self.lists.entry(at).or_default().push(visit);
    }

    /// A visit that is due in the tick `now`, if there is one, and for when it was arranged.
    pub fn due(&mut self, now: Tick) -> Option<(Tick, Visit)> {
        let mut first = self.lists.first_entry().filter(|first| *first.key() <= now)?;
        let (due, visit) = (*first.key(), first.get_mut().pop());
        if first.get().is_empty() {
            first.remove();
        }
        visit.map(|visit| (due, visit))
    }

    /// How long there is nothing to do; `None` if there never is.
    #[must_use]
    pub fn pause(&self, now: Instant) -> Option<Duration> {
        let (tick, _) = self.lists.first_key_value()?;
        Some((self.began + self.tick * *tick).saturating_duration_since(now))
    }
}

fn count(ticks: u128) -> Tick {
    Tick::try_from(ticks).unwrap_or(Tick::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visit_is_never_early_and_at_most_two_ticks_late() {
        let began = Instant::now();
        let mut visits = Visits::new(began, TICK);
        for millis in [0, 1, 99, 100, 150, 1000, 12_345] {
            for pause in [100, 250, 1000, 15_000].map(Duration::from_millis) {
                let happened = began + Duration::from_millis(millis);
                visits.add(visits.after(visits.tick(happened), pause), (1, 2));
                let due = happened + visits.pause(happened).unwrap();
                assert!(due >= happened + pause && due <= happened + pause + 2 * TICK, "{millis} {pause:?}");
                assert_eq!(visits.due(visits.tick(happened)), None);
                assert!(visits.due(visits.tick(due)).is_some_and(|(_, visit)| visit == (1, 2)));
                assert_eq!(visits.pause(due), None);
            }
        }
    }
}
