//! What a server answers by, as far as it can change while it runs: each request is answered by the rules of its moment.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use super::host::HostNames;
use super::origin::Origins;
use crate::channel::Tail;

/// The rules.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Names that may stand in Host.
    pub hosts: HostNames,
    /// Pages of other origins that may read.
    pub origins: Origins,
    /// The title of the page.
    pub title: String,
    /// What a client gets that asks for nothing.
    pub tail: Tail,
    /// After how much silence a stream gives a sign of life.
    pub heartbeat: Duration,
    /// When a client comes back after its connection is lost.
    pub retry: Duration,
}

/// The rules of this moment.
#[derive(Debug)]
pub struct House(RwLock<Arc<Rules>>);

impl House {
    /// These, until they are changed.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self(RwLock::new(Arc::new(rules)))
    }

    /// Those of this moment.
    #[must_use]
    pub fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Other ones from now on. Streams that are open keep theirs.
    pub fn change(&self, rules: Rules) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
    }
}
