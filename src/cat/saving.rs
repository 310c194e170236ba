//! What was taken is saved while it is followed, and at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tracing::{info, warn};

use super::Failed;
use super::address::Address;
use super::memory::{self, Memory};
use super::place::Place;
use super::places::Places;
use super::plan::Plan;
use super::question::Difference;
use crate::errno::reason;

/// How often it is saved what was taken: at most this much comes again after SIGKILL.
const SAVE: Duration = Duration::from_millis(500);

/// The same while a part of an event stands there that this run completes.
const SAVE_REST: Duration = Duration::from_millis(10);

/// What is remembered, shared with the thread that saves.
#[derive(Debug, Clone)]
pub struct Store {
    path: PathBuf,
    memory: Arc<Mutex<Memory>>,
    /// The names of the streams that are asked for.
    asked: Arc<BTreeSet<String>>,
}

impl Store {
    /// Opens the file, if these streams can go on from what stands there.
    ///
    /// # Errors
    /// It cannot be used, or belongs to another question.
    pub fn open(path: &Path, plan: &Plan) -> Result<Self, Failed> {
        let failed = |why| Failed::Memory(path.to_owned(), why);
        let (memory, aside) = Memory::open(path, plan.question.clone()).map_err(failed)?;
        if let Some(memory::Aside(aside)) = aside {
            warn!("'{}' is damaged, and now '{}'; beginning as if there were nothing", path.display(), aside.display());
        }
        let asked: BTreeSet<_> = plan.addresses.iter().map(Address::name).collect();
        for name in &asked {
            if memory.compare(name).map_err(failed)? == Difference::Begin {
                info!("of {name} it goes on where it was; --tail and --since say where a first run begins");
            }
        }
        Ok(Self { path: path.to_owned(), memory: Arc::new(Mutex::new(memory)), asked: Arc::new(asked) })
    }

    /// What was taken of the stream of this name.
    #[must_use]
    pub fn place(&self, name: &str) -> Option<Place> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).place(name)
    }

    /// The streams of which a part of an event was taken.
    #[must_use]
    pub fn begun(&self) -> BTreeMap<String, Place> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).begun().collect()
    }

    /// Saves what was taken for the last time.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn close(self, places: &Places) -> Result<(), Failed> {
        self.save(&places.all()).map_err(|error| Failed::Unsaved(self.path, error))
    }

    fn save(&self, places: &BTreeMap<String, Place>) -> io::Result<()> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).save(places, |name| self.asked.contains(name))
    }
}

/// Saves what was taken, whenever that has changed; never ends.
pub fn save_now_and_then(store: Option<&Store>, places: &Arc<Places>) -> impl Future<Output = ()> + use<> {
    let (store, places) = (store.cloned(), Arc::clone(places));
    async move {
        let Some(store) = store else { return std::future::pending().await };
        let (mut saved, mut has_failed) = (places.all(), false);
        loop {
            // A rest that has been given must not be given again: that would begin inside a line.
            tokio::time::sleep(if store.begun().is_empty() { SAVE } else { SAVE_REST }).await;
            let now = places.all();
            if now == saved {
                continue;
            }
            // A disk may take its time, and the streams go on meanwhile.
            let (there, then) = (store.clone(), now.clone());
            let result =
                tokio::task::spawn_blocking(move || there.save(&then)).await.unwrap_or_else(|panic| Err(io::Error::other(panic)));
            match result {
                Ok(()) => {
                    if std::mem::take(&mut has_failed) {
                        info!("what was taken is saved again in '{}'", store.path.display());
                    }
                    saved = now;
                }
                Err(error) if !has_failed => {
                    has_failed = true;
                    let path = store.path.display();
                    warn!(
                        "could not save what was taken in '{path}': {}; it is tried again, and comes again after a crash",
                        reason(&error)
                    );
                }
                Err(_) => {}
            }
        }
    }
}
