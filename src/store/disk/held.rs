//! How many files all replays of an archive hold open together.
//!
//! A file that is held open is read with fewer calls. But clients are many, and each reads several channels: whoever finds no place opens its file for
//! each read.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The places for open files. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Places(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    most: usize,
    taken: AtomicUsize,
}

/// A place for one file, given back when this goes.
#[derive(Debug)]
pub struct Place(Arc<Inner>);

impl Places {
    /// Places for so many files.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self(Arc::new(Inner { most, taken: AtomicUsize::new(0) }))
    }

    /// Takes a place, if one is free.
    #[must_use]
    pub fn take(&self) -> Option<Place> {
        let one_more = |taken| (taken < self.0.most).then_some(taken + 1);
        self.0.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok().map(|_| Place(Arc::clone(&self.0)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_given_back_is_free() {
        let places = Places::new(1);
        let first = places.take();
        assert!(first.is_some() && places.take().is_none());
        drop(first);
        assert!(places.take().is_some());
    }
}
