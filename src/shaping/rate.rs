//! `--rate-limit`: how many events a source may give, as a bucket that a second fills.
//!
//! Once the bucket is empty, nothing is let through until it is full again: so what is left out is told at most once a second, and what is shown are
//! unbroken stretches and not every hundredth line.

use std::str::FromStr;
use std::time::{Duration, Instant};

const SECOND: u64 = 1_000_000_000;

/// The most events a second: less than a nanosecond each cannot be counted.
const MOST: u64 = SECOND;

/// So many events in so much time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// The time that one event costs, in nanoseconds.
    cost: u64,
    /// The most that can be saved: what a second brings, or one event, in nanoseconds.
    most: u64,
}

/// Why a text is no rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected events a second, minute or hour: 100, 100/s, 6000/m, 10/h")]
pub struct BadRate;

impl FromStr for Rate {
    type Err = BadRate;

    fn from_str(text: &str) -> Result<Self, BadRate> {
        let (count, unit) = text.split_once('/').unwrap_or((text, "s"));
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            _ => return Err(BadRate),
        };
        let count =
            count.parse::<u64>().ok().filter(|count| (1..=MOST).contains(count) && !text.starts_with('+')).ok_or(BadRate)?;
        let cost = (seconds * SECOND / count).max(1);
        Ok(Self { cost, most: SECOND.max(cost) / cost * cost })
    }
}

/// Whether an event is let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It is.
    Granted,
    /// It is left out.
    Refused,
}

/// Counts the events of one source.
#[derive(Debug)]
pub struct Limiter {
    rate: Rate,
    /// What is in the bucket, in nanoseconds.
    saved: u64,
    /// When that was so; `None` before the first event.
    at: Option<Instant>,
    /// Whether the bucket was emptied and is not full yet.
    last: Admission,
}

impl Limiter {
    /// With a full bucket.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self { rate, saved: rate.most, at: None, last: Admission::Granted }
    }

    /// Whether an event that comes now is let through.
    pub fn admit(&mut self, now: Instant) -> Admission {
        let passed = self.at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.at = Some(self.at.map_or(now, |at| at.max(now)));
        self.saved = self.saved.saturating_add(u64::try_from(passed.as_nanos()).unwrap_or(u64::MAX)).min(self.rate.most);
        let needed = if self.last == Admission::Refused { self.rate.most } else { self.rate.cost };
        self.last = if self.saved >= needed { Admission::Granted } else { Admission::Refused };
        if self.last == Admission::Granted {
            self.saved -= self.rate.cost;
        }
        self.last
    }

    /// When events are let through again; `None` if they are.
    #[must_use]
    pub fn opens(&self) -> Option<Instant> {
        let at = self.at.filter(|_| self.last == Admission::Refused)?;
        Some(at + Duration::from_nanos(self.rate.most - self.saved))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rates_are_read_as_people_write_them() {
        let rate = |text: &str| text.parse::<Rate>();
        assert_eq!(rate("100"), Ok(Rate { cost: SECOND / 100, most: SECOND }));
        assert_eq!(rate("100/s"), rate("100"));
        assert_eq!(rate("6000/m"), rate("100"));
        assert_eq!(rate("10/h"), Ok(Rate { cost: 360 * SECOND, most: 360 * SECOND }));
        assert_eq!(rate("3").unwrap().most, 3 * (SECOND / 3), "whole events");
        for bad in ["", "0", "-1", "+1", "1.5", "x", "100/d", "100/", "/s", "2000000000", "100/s/s"] {
            assert_eq!(rate(bad), Err(BadRate), "{bad}");
        }
    }

    #[test]
    fn a_flood_is_shown_in_stretches() {
        let mut limiter = Limiter::new("3".parse().unwrap());
        let start = Instant::now();
        let mut admitted = |millis| limiter.admit(start + Duration::from_millis(millis)) == Admission::Granted;
        let shown: Vec<_> = (0..40).map(|step| step * 100).filter(|millis| admitted(*millis)).collect();
        assert_eq!(shown, [0, 100, 200, 1000, 1100, 1200, 2000, 2100, 2200, 3000, 3100, 3200]);
    }

    proptest! {
        #[test]
        fn never_more_than_the_rate_and_a_second_of_it(
            steps in proptest::collection::vec(0..200_u64, 1..200),
            count in 1..50_u64,
        ) {
            let mut limiter = Limiter::new(count.to_string().parse().unwrap());
            let (start, mut millis, mut admitted) = (Instant::now(), 0, 0);
            for step in steps {
                millis += step;
                let now = start + Duration::from_millis(millis);
                if let Some(opens) = limiter.opens() {
                    prop_assert!(opens <= now + Duration::from_secs(1));
                    let is_open = opens <= now;
                    prop_assert_eq!(limiter.admit(now) == Admission::Granted, is_open, "it opens when it says");
                } else {
                    limiter.admit(now);
                }
                admitted += u64::from(limiter.last == Admission::Granted);
                prop_assert!(admitted <= count + count * millis / 1000 + 1, "{} in {} ms", admitted, millis);
            }
        }
    }
}
