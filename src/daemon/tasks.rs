//! The long-lived tasks: few, named, and none of them ends unnoticed.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::io;
use std::thread;

use tokio::sync::oneshot;
use tokio::task::{Id, JoinSet};

use super::exit::Fatal;
use crate::pipeline::Outcome;
use crate::source::SourceKey;

/// How a task came to its end.
#[derive(Debug)]
pub enum Done {
    /// A source has ended, failed or stopped: which, what it is called, and how.
    Source(SourceKey, String, io::Result<Outcome>),
    /// A listener accepts no more, or nothing takes connections back: only when the daemon stops.
    Listener,
    /// Nobody looks after the state directory any more: only when the daemon stops.
    Upkeep,
    /// A reactor failed.
    Reactor(io::Error),
}

/// All long-lived tasks.
#[derive(Debug, Default)]
pub struct Tasks {
    running: JoinSet<Result<Done, Fatal>>,
    names: HashMap<Id, String>,
    /// Those that read sources.
    sources: HashSet<Id>,
}

impl Tasks {
    /// Starts a task.
    pub fn spawn(&mut self, name: &str, task: impl Future<Output = Done> + Send + 'static) {
        let handle = self.running.spawn(async { Ok(task.await) });
        self.names.insert(handle.id(), name.to_owned());
    }

    /// Starts a thread that reads a source, which can only be waited for by blocking.
    pub fn spawn_source(&mut self, name: &str, work: impl FnOnce() -> Done + Send + 'static) -> Result<(), Fatal> {
        let id = self.spawn_thread(name, work)?;
        self.sources.insert(id);
        Ok(())
    }

    /// Starts a thread for work that blocks.
    pub fn spawn_thread(&mut self, name: &str, work: impl FnOnce() -> Done + Send + 'static) -> Result<Id, Fatal> {
        let (sender, done) = oneshot::channel();
        let thread = thread::Builder::new().name(name.to_owned());
        thread
            .spawn(move || {
                // Nobody listens only when the daemon is gone.
                let _ = sender.send(work());
            })
            .map_err(|error| Fatal::unexpected(&format!("could not start the thread '{name}'"), &error))?;
        let owned = name.to_owned();
        // A thread that panics drops the sender.
        let handle = self.running.spawn(async move { done.await.map_err(|_| Fatal::panicked(&owned)) });
        self.names.insert(handle.id(), name.to_owned());
        Ok(handle.id())
    }

    /// Waits until a task ends; for ever if there is none.
    ///
    /// # Errors
    /// The task panicked.
    pub async fn next(&mut self) -> Result<Done, Fatal> {
        match self.running.join_next_with_id().await {
            Some(Ok((id, done))) => {
                self.names.remove(&id);
                self.sources.remove(&id);
                done
            }
            Some(Err(error)) => Err(Fatal::panicked(self.names.get(&error.id()).map_or("?", String::as_str))),
            None => std::future::pending().await,
        }
    }

    /// Waits until the task of this name has ended.
    pub async fn until_ended(&mut self, name: &str) {
        while self.names.values().any(|running| running == name) {
            if let Err(fatal) = self.next().await {
                tracing::error!("{}", fatal.line());
                return;
            }
        }
    }

    /// Waits until all sources have ended.
    pub async fn until_sources_end(&mut self) {
        while !self.sources.is_empty() {
            if let Err(fatal) = self.next().await {
                tracing::error!("{}", fatal.line());
                return;
            }
        }
    }
}
