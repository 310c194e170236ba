//! Whether there is a stream, since when there is none, and what was told of it. Is given each moment.

use std::time::Duration;

use tokio::time::Instant;

/// A stream that has brought nothing yet is believed to be one after so long: what refuses in the form of a stream ends at once.
pub const SETTLED: Duration = Duration::from_secs(1);

/// What is known of one stream.
#[derive(Debug, Clone, Copy)]
pub struct Outage {
    /// Since when there is none.
    since: Option<Instant>,
    /// Whether that was told.
    is_told: bool,
    /// Whether there ever was one.
    was_there: bool,
}

impl Outage {
    /// There is no stream yet.
    #[must_use]
    pub fn begins(now: Instant) -> Self {
        Self { since: Some(now), is_told: false, was_there: false }
    }

    /// Whether there is no stream.
    #[must_use]
    pub fn lasts(&self) -> bool {
        self.since.is_some()
    }

    /// Whether there ever was a stream.
    #[must_use]
    pub fn was_there(&self) -> bool {
        self.was_there
    }

    /// There is a stream. How long there was none, if that was told.
    pub fn ends(&mut self, now: Instant) -> Option<Duration> {
        self.was_there = true;
        let since = self.since.take();
        std::mem::take(&mut self.is_told).then(|| since.map_or(Duration::ZERO, |since| now.duration_since(since)))
    }

    /// There is no stream, from now on if there was one. How long it has lasted.
    pub fn goes_on(&mut self, now: Instant) -> Duration {
        now.duration_since(*self.since.get_or_insert(now))
    }

    /// The stream has ended well, and is asked for again: from now on there is none.
    pub fn begins_again(&mut self, now: Instant) {
        self.since = Some(now);
    }

    /// What is told of it, the first time.
    pub fn tell(&mut self) -> Option<&'static str> {
        let is_told = std::mem::replace(&mut self.is_told, true);
        (!is_told).then_some(if self.was_there { "lost the stream" } else { "no stream yet" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_told_once_and_so_is_its_end() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let mut outage = Outage::begins(start);
        assert_eq!((outage.tell(), outage.tell()), (Some("no stream yet"), None));
        assert_eq!(outage.goes_on(start + 3 * second), 3 * second);
        assert_eq!((outage.ends(start + 5 * second), outage.ends(start + 6 * second)), (Some(5 * second), None));
        assert_eq!(outage.goes_on(start + 9 * second), Duration::ZERO);
        assert_eq!((outage.lasts(), outage.tell()), (true, Some("lost the stream")));
    }

    #[test]
    fn one_that_was_not_told_ends_without_a_word() {
        let start = Instant::now();
        let mut outage = Outage::begins(start);
        assert_eq!((outage.ends(start), outage.lasts(), outage.was_there()), (None, false, true));
        outage.begins_again(start);
        assert_eq!((outage.lasts(), outage.ends(start)), (true, None));
    }
}
