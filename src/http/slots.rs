//! The places for clients: so many streams may be open at once, and no more.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// The places for clients.
#[derive(Debug)]
pub struct Slots {
    limit: AtomicUsize,
    used: AtomicUsize,
    /// Rung when the last place is given back.
    emptied: Notify,
}

impl Slots {
    /// So many places.
    #[must_use]
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit: AtomicUsize::new(limit), used: AtomicUsize::new(0), emptied: Notify::new() })
    }

    /// Takes a place, if there is one.
    #[must_use]
    pub fn take(self: &Arc<Self>) -> Option<Slot> {
        let limit = self.limit();
        let take = |used| (used < limit).then_some(used + 1);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).ok().map(|_| Slot(Arc::clone(self)))
    }

    /// How many there are.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    /// So many from now on; clients that are there stay.
    pub fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    /// How many are taken.
    #[must_use]
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Waits until none is.
    pub async fn empty(&self) {
        while self.used() > 0 {
            self.emptied.notified().await;
        }
    }
}

/// One place, given back on drop.
#[derive(Debug)]
pub struct Slot(Arc<Slots>);

impl Drop for Slot {
    fn drop(&mut self) {
        if self.0.used.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.emptied.notify_one();
        }
    }
}
