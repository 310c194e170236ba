//! Growing pauses before something that failed is tried again.

use std::time::{Duration, Instant};

/// The shortest and the longest pause.
const PAUSE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// When to try again.
#[derive(Debug, Clone, Copy, Default)]
pub struct Retry {
    after: Option<(Instant, Duration)>,
}

impl Retry {
    /// Whether it is time.
    #[must_use]
    pub fn is_due(&self, now: Instant) -> bool {
        self.after.is_none_or(|(at, _)| at <= now)
    }

    /// Whether it has failed, and not succeeded since.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.after.is_some()
    }

    /// It has failed once more.
    pub fn put_off(&mut self, now: Instant) {
        let pause = self.after.map_or(PAUSE.0, |(_, pause)| (pause * 2).min(PAUSE.1));
        self.after = Some((now + pause, pause));
    }

    /// It has succeeded, or something has changed.
    pub fn reset(&mut self) {
        self.after = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_bound_and_begin_again_after_a_success() {
        let start = Instant::now();
        let mut retry = Retry::default();
        assert!(retry.is_due(start));
        retry.put_off(start);
        assert!(!retry.is_due(start + PAUSE.0 / 2) && retry.is_due(start + PAUSE.0));
        (0..20).for_each(|_| retry.put_off(start));
        assert!(!retry.is_due(start + PAUSE.1 / 2) && retry.is_due(start + PAUSE.1));
        retry.reset();
        assert!(retry.is_due(start));
    }
}
