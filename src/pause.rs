//! Pauses that grow while something fails, before it is tried again: each twice as long as the one before, up to a bound. Knows no clock.

use std::time::Duration;

/// The pauses of one thing that is tried again and again.
#[derive(Debug, Clone, Copy)]
pub struct Pauses {
    first: Duration,
    next: Duration,
    longest: Duration,
}

impl Pauses {
    /// From the first to the longest.
    #[must_use]
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, next: first, longest }
    }

    /// It has failed once more: how long is waited now.
    pub fn grow(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(self.longest.max(self.first));
        pause
    }

    /// It has succeeded, and the next pause is the first again.
    pub fn reset(&mut self) {
        self.next = self.first;
    }

    /// The same, and from now on this is the first. It may be longer than the longest: then all are like it.
    pub fn reset_to(&mut self, first: Duration) {
        (self.first, self.next) = (first, first);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound_and_begin_anew() {
        let millis = Duration::from_millis;
        let mut pauses = Pauses::new(millis(100), millis(500));
        let mut grown = |count: usize| (0..count).map(|_| pauses.grow().as_millis()).collect::<Vec<_>>();
        assert_eq!(grown(5), [100, 200, 400, 500, 500]);
        pauses.reset();
        let mut grown = |count: usize| (0..count).map(|_| pauses.grow().as_millis()).collect::<Vec<_>>();
        assert_eq!(grown(2), [100, 200]);
        pauses.reset_to(millis(700));
        assert_eq!([pauses.grow(), pauses.grow()], [millis(700); 2]);
    }
}
