//! How long is waited before it is tried again: as the server says, longer and longer while that fails, and spread, so that clients that were
//! lost together do not come back together.

use std::time::Duration;

use crate::pause;

/// Before any server has said how long.
const FIRST: Duration = Duration::from_millis(500);

/// Pauses grow up to this, or what the server says if that is longer.
const LONGEST: Duration = Duration::from_secs(30);

/// The bounds of what is believed of a server that names a time.
const NAMED: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(300));

/// The pauses of one stream.
#[derive(Debug, Clone, Copy)]
pub struct Pauses(pause::Pauses);

impl Default for Pauses {
    fn default() -> Self {
        Self(pause::Pauses::new(FIRST, LONGEST))
    }
}

impl Pauses {
    /// A stream has brought something; perhaps the server has said when to come back after it, in milliseconds.
    pub fn succeeded(&mut self, retry: Option<u64>) {
        match retry {
            Some(retry) => self.0.reset_to(Duration::from_millis(retry).max(NAMED.0)),
            None => self.0.reset(),
        }
    }

    /// The pause before the next attempt. `chance` is from 0 to 1.
    pub fn after_failure(&mut self, chance: f64) -> Duration {
        spread(self.0.grow(), chance)
    }
}

/// The pause that a server has named for once, because it is full or asked too often.
#[must_use]
pub fn named(pause: Duration) -> Duration {
    pause.clamp(NAMED.0, NAMED.1)
}

/// From three quarters to five quarters of a pause.
fn spread(pause: Duration, chance: f64) -> Duration {
    pause.mul_f64(0.75 + chance.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_bound_and_begin_again_with_what_the_server_says() {
        let mut pauses = Pauses::default();
        let grown: Vec<_> = (0..9).map(|_| pauses.after_failure(0.5).as_millis()).collect();
        assert_eq!(grown, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
        pauses.succeeded(Some(2000));
        assert_eq!((pauses.after_failure(0.0).as_millis(), pauses.after_failure(1.0).as_millis()), (1500, 5000));
        pauses.succeeded(None);
        assert_eq!(pauses.after_failure(0.5).as_millis(), 2000);
        pauses.succeeded(Some(0));
        assert_eq!(pauses.after_failure(0.5).as_millis(), 100);
        pauses.succeeded(Some(120_000));
        let grown: Vec<_> = (0..3).map(|_| pauses.after_failure(0.5).as_secs()).collect();
        assert_eq!(grown, [120, 120, 120]);
    }
}
