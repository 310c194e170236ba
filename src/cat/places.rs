//! What was taken of each stream, for those who follow and for who saves.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::place::Place;

/// What was taken of each stream. Not tokio's lock: it is held for a moment.
#[derive(Debug, Default)]
pub struct Places(Mutex<BTreeMap<String, Place>>);

impl Places {
    /// Begins with these.
    #[must_use]
    pub fn new(places: BTreeMap<String, Place>) -> Self {
        Self(Mutex::new(places))
    }

    /// All of them now.
    #[must_use]
    pub fn all(&self) -> BTreeMap<String, Place> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes what was taken of the stream of this name.
    pub fn change(&self, name: &str, change: impl FnOnce(&mut Place)) {
        change(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(name.to_owned()).or_default());
    }

    /// What was taken of the stream of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Place {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned().unwrap_or_default()
    }
}
