//! The sieves that are alive: one for all who ask the same.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::{BadExpression, Recipe, Sieve};
use crate::metrics::Metrics;

/// How many different sieves there may be at once, and how many expressions all of them may have together. Each batch is looked through once for each
/// sieve, and each expression costs memory: at most [`super::MAX_COMPILED`], and as much again for each thread that searches.
pub const MAX_SIEVES: usize = 256;

/// All sieves that somebody uses. It holds none of them alive.
#[derive(Debug)]
pub struct Sieves {
    alive: Mutex<BTreeMap<Recipe, Weak<Sieve>>>,
    next: AtomicU64,
    metrics: Arc<Metrics>,
}

/// So many different sieves are in use that there can be no other now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many different filters are in use: there is room for {MAX_SIEVES} expressions in all")]
pub struct Crowded;

/// Why there is no sieve.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// What was asked makes no sense.
    #[error(transparent)]
    Bad(#[from] BadExpression),
    /// Time may cure it.
    #[error(transparent)]
    Crowded(#[from] Crowded),
}

impl Sieves {
    /// None yet.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { alive: Mutex::default(), next: AtomicU64::new(0), metrics }
    }

    /// The sieve of a recipe, made if nobody uses it. Making one takes milliseconds.
    ///
    /// # Errors
    /// An expression is bad, or there are too many others.
    pub fn get(&self, recipe: &Recipe) -> Result<Arc<Sieve>, Refusal> {
        if let Some(sieve) = self.find(recipe) {
            return Ok(sieve);
        }
        let sieve = Arc::new(Sieve::new(self.next.fetch_add(1, Ordering::Relaxed), recipe.clone(), Arc::clone(&self.metrics))?);
        let mut alive = self.lock();
        alive.retain(|_, sieve| sieve.strong_count() > 0);
        // Somebody else may have made it meanwhile.
        if let Some(sieve) = alive.get(recipe).and_then(Weak::upgrade) {
            return Ok(sieve);
        }
        let used: usize = alive.keys().map(Recipe::weight).sum();
        if used + recipe.weight() > MAX_SIEVES {
            return Err(Crowded.into());
        }
        alive.insert(recipe.clone(), Arc::downgrade(&sieve));
        Ok(sieve)
    }

    /// The sieve of a recipe, if somebody uses it.
    #[must_use]
    pub fn find(&self, recipe: &Recipe) -> Option<Arc<Sieve>> {
        self.lock().get(recipe).and_then(Weak::upgrade)
    }

    /// How many are in use.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lock().values().filter(|sieve| sieve.strong_count() > 0).count()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Recipe, Weak<Sieve>>> {
        self.alive.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
