//! Clients that stop taking what they are sent, where the socket does not show it.
//!
//! Over HTTP/1 a stalled client fills the socket, and the [`super::reactor`] notices, or [`super::socket`] where it is no stream. Over HTTP/2
//! it only has to leave its flow-control window closed: the socket stays writable, and its body is simply never polled again. So each body shows a pulse, which
//! beats whenever it is polled, at the latest with every heartbeat; and the connection watches the pulses of its bodies.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// When a body was polled last. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Pulse {
    beat: Arc<Mutex<Instant>>,
    /// Shows that the body is still there.
    _alive: TaskTrackerToken,
}

impl Pulse {
    /// The body is polled.
    pub fn beat(&self, now: Instant) {
        *self.beat.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }
}

/// The pulses of one connection's bodies.
#[derive(Debug, Clone, Default)]
pub struct Pulses {
    watched: Arc<Mutex<Vec<Weak<Mutex<Instant>>>>>,
    alive: TaskTracker,
    /// How many requests there were.
    requests: Arc<AtomicU64>,
}

impl Pulses {
    /// A pulse for a new body, watched until the body is gone.
    #[must_use]
    pub fn start(&self) -> Pulse {
        let beat = Arc::new(Mutex::new(Instant::now()));
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.retain(|pulse| pulse.strong_count() > 0);
        watched.push(Arc::downgrade(&beat));
        Pulse { beat, _alive: self.alive.token() }
    }

    /// Whether there ever was one: then its last bytes may still be on their way when it is gone.
    #[must_use]
    pub fn is_any_started(&self) -> bool {
        !self.watched.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Notes a request, of whatever kind.
    pub fn note_request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits until there has been neither a body nor a new request for `limit`.
    pub async fn idle_for(&self, limit: Duration) {
        loop {
            self.all_gone().await;
            let before = self.requests.load(Ordering::Relaxed);
            tokio::time::sleep(limit).await;
            if self.alive.is_empty() && before == self.requests.load(Ordering::Relaxed) {
                return;
            }
        }
    }

    /// Waits until all bodies are gone.
    pub async fn all_gone(&self) {
        self.alive.close();
        self.alive.wait().await;
    }

    /// Waits until a body has not been polled for `limit`.
    pub async fn any_still_for(&self, limit: Duration) {
        loop {
            let oldest = self.oldest_beat();
            let due = oldest.map_or_else(|| Instant::now() + limit, |beat| beat + limit);
            if due <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(due).await;
        }
    }

    fn oldest_beat(&self) -> Option<Instant> {
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let alive = watched.iter().filter_map(Weak::upgrade);
        alive.map(|beat| *beat.lock().unwrap_or_else(PoisonError::into_inner)).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_body_that_is_no_longer_polled_is_found() {
        let pulses = Pulses::default();
        let limit = Duration::from_secs(10);
        let (lively, gone) = (pulses.start(), pulses.start());
        drop(gone);
        for _ in 0..5 {
            lively.beat(Instant::now());
            let found = tokio::time::timeout(Duration::from_secs(9), pulses.any_still_for(limit)).await;
            assert!(found.is_err(), "found a stall in a body that is polled every 9 s");
        }
        tokio::time::timeout(limit, pulses.any_still_for(limit)).await.expect("10 s without a beat is a stall");
    }
}
