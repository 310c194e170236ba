//! When something that failed is tried again: after growing pauses.

use std::time::{Duration, Instant};

use crate::pause::Pauses;

/// The shortest and the longest pause.
const PAUSE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// When to try again.
#[derive(Debug, Clone, Copy)]
pub struct Retry {
    at: Option<Instant>,
    pauses: Pauses,
}

impl Default for Retry {
    fn default() -> Self {
        Self { at: None, pauses: Pauses::new(PAUSE.0, PAUSE.1) }
    }
}

impl Retry {
    /// Whether it is time.
    #[must_use]
    pub fn is_due(&self, now: Instant) -> bool {
        self.at.is_none_or(|at| at <= now)
    }

    /// Whether it has failed, and not succeeded since.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.at.is_some()
    }

    /// It has failed once more.
    pub fn put_off(&mut self, now: Instant) {
        self.at = Some(now + self.pauses.grow());
    }

    /// It has succeeded, or something has changed.
    pub fn reset(&mut self) {
        self.at = None;
        self.pauses.reset();
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
