//! Whether those who work for everybody get on: who is busy without a sign of life for long is stuck.
//!
//! A worker says when it begins to wait and when it has something to do again. Waiting is no reason for a sign of life, however long it lasts: a
//! pipe may be quiet for a week. Being busy is, because whatever there is to do is done in small parts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

/// Time is counted from here.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Stands for a worker that waits.
const WAITS: u64 = 0;

/// The sign of life of one worker. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Pulse(Arc<AtomicU64>);

impl Pulse {
    /// There is something to do from now on, or there was and it got on.
    pub fn works(&self) {
        self.0.store(now(), Ordering::Relaxed);
    }

    /// There is nothing to do until somebody says so.
    pub fn waits(&self) {
        self.0.store(WAITS, Ordering::Relaxed);
    }
}

/// In milliseconds; never that of a worker that waits.
fn now() -> u64 {
    u64::try_from(START.elapsed().as_millis()).unwrap_or(u64::MAX).max(WAITS + 1)
}

/// All who are looked after. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Pulses(Arc<Mutex<Vec<Watched>>>);

/// Somebody who is looked after.
#[derive(Debug)]
struct Watched {
    name: String,
    pulse: Weak<AtomicU64>,
}

impl Pulses {
    /// Looks after this worker, for as long as somebody has its pulse.
    pub fn watch(&self, name: &str, pulse: &Pulse) {
        let mut watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        watched.retain(|worker| worker.pulse.strong_count() > 0);
        watched.push(Watched { name: name.to_owned(), pulse: Arc::downgrade(&pulse.0) });
    }

    /// Who has been busy for longer than this without a sign of life.
    #[must_use]
    pub fn stuck(&self, limit: Duration) -> Option<String> {
        let limit = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        let now = now();
        let is_stuck = |pulse: &AtomicU64| {
            let since = pulse.load(Ordering::Relaxed);
            since != WAITS && now.saturating_sub(since) > limit
        };
        let watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        watched.iter().find(|worker| worker.pulse.upgrade().is_some_and(|pulse| is_stuck(&pulse))).map(|worker| worker.name.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    const LIMIT: Duration = Duration::from_millis(20);

    fn past_the_limit() {
        let began = Instant::now();
        while began.elapsed() < 2 * LIMIT {
            thread::sleep(LIMIT);
        }
    }

    #[test]
    fn who_is_busy_without_a_sign_of_life_is_stuck_and_who_waits_is_not() {
        let (pulses, pulse, other) = (Pulses::default(), Pulse::default(), Pulse::default());
        pulses.watch("a", &pulse);
        pulses.watch("b", &other);
        past_the_limit();
        assert_eq!(pulses.stuck(LIMIT), None, "nobody has begun");
        pulse.works();
        other.works();
        other.waits();
        past_the_limit();
        assert_eq!(pulses.stuck(LIMIT).as_deref(), Some("a"));
        assert_eq!(pulses.stuck(Duration::from_secs(3600)), None);
        pulse.works();
        assert_eq!(pulses.stuck(Duration::from_secs(10)), None, "it got on");
        pulse.waits();
        past_the_limit();
        assert_eq!(pulses.stuck(LIMIT), None, "a quiet pipe");
    }

    #[test]
    fn who_has_gone_is_not_stuck() {
        let (pulses, pulse) = (Pulses::default(), Pulse::default());
        pulses.watch("a", &pulse);
        pulse.works();
        drop(pulse);
        past_the_limit();
        assert_eq!(pulses.stuck(LIMIT), None);
    }
}
