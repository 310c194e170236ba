//! How whoever waits for a view learns that it has news.
//!
//! Each view has a [`Bell`]. A client that has a task of its own listens for itself ([`Listener`]). A thread that serves many clients hangs
//! one [`Doorbell`] at all their views: however many of them have news, it is woken once, only if it is asleep, and asks then which.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::index::ViewKey;

/// Who listens at one view.
#[derive(Debug)]
pub(super) struct Bell {
    listeners: watch::Sender<()>,
    doorbells: Vec<Hung>,
}

/// A doorbell at a view.
#[derive(Debug)]
struct Hung {
    doorbell: Arc<Doorbell>,
    /// How often it was hung up: for all who are sent something else of the view.
    times: usize,
    /// It has rung for this view, and nobody has looked since.
    is_rung: bool,
}

impl Bell {
    pub fn new() -> Self {
        Self { listeners: watch::Sender::new(()), doorbells: Vec::new() }
    }

    pub fn listen(&self) -> Listener {
        Listener(self.listeners.subscribe())
    }

    pub fn hang(&mut self, doorbell: &Arc<Doorbell>) {
        match self.doorbells.iter_mut().find(|hung| Arc::ptr_eq(&hung.doorbell, doorbell)) {
            Some(hung) => hung.times += 1,
            None => self.doorbells.push(Hung { doorbell: Arc::clone(doorbell), times: 1, is_rung: false }),
        }
    }

    /// Takes it down once; it hangs as long as it was hung up more often.
    pub fn take_down(&mut self, doorbell: &Arc<Doorbell>) {
        if let Some(at) = self.doorbells.iter().position(|hung| Arc::ptr_eq(&hung.doorbell, doorbell)) {
            self.doorbells[at].times -= 1;
            if self.doorbells[at].times == 0 {
                self.doorbells.swap_remove(at);
            }
        }
    }

    /// The view has news. Whether somebody who serves many clients was at work already.
    pub fn ring(&mut self, view: ViewKey) -> Ears {
        if self.listeners.receiver_count() > 0 {
            self.listeners.send_replace(());
        }
        let mut ears = Ears::Free;
        for hung in &mut self.doorbells {
            let found = if std::mem::replace(&mut hung.is_rung, true) { Ears::Deaf } else { hung.doorbell.ring(view) };
            ears = ears.max(found);
        }
        ears
    }

    /// Somebody looks at the view now: the next news ring again.
    pub fn answer(&mut self, doorbell: &Arc<Doorbell>) {
        for hung in self.doorbells.iter_mut().filter(|hung| Arc::ptr_eq(&hung.doorbell, doorbell)) {
            hung.is_rung = false;
        }
    }
}

/// In what state news found those who serve many clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ears {
    /// They slept, or there are none.
    Free,
    /// Some were at work: they look when they have done with what they do.
    Busy,
    /// Some have not looked since the last news of the same view.
    Deaf,
}

/// Waits at one view.
#[derive(Debug)]
pub struct Listener(watch::Receiver<()>);

impl Listener {
    /// The caller looks at the view now: only later news are waited for.
    pub fn note(&mut self) {
        self.0.borrow_and_update();
    }

    /// Waits for news.
    pub async fn changed(&mut self) {
        // The bell outlives its listeners, so there is no other result.
        let _ = self.0.changed().await;
    }
}

/// Wakes a thread that serves the clients of many views.
pub struct Doorbell {
    rung: Mutex<Vec<ViewKey>>,
    is_asleep: AtomicBool,
    wake: Box<dyn Fn() + Send + Sync>,
}

impl Doorbell {
    /// `wake` ends the thread's sleep; it is called only between [`Doorbell::may_sleep`] and [`Doorbell::awake`], and once at most.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { rung: Mutex::default(), is_asleep: AtomicBool::new(false), wake: Box::new(wake) })
    }

    /// The views that have had news since they were looked at, each once, added to `views`.
    pub fn take(&self, views: &mut Vec<ViewKey>) {
        views.append(&mut self.lock());
    }

    /// The thread is about to sleep. False if a view has news: then it must not.
    ///
    /// Anything else that it waits for must be looked at behind this, and announced by [`Doorbell::rouse`].
    #[must_use]
    pub fn may_sleep(&self) -> bool {
        self.is_asleep.store(true, Ordering::SeqCst);
        self.lock().is_empty()
    }

    /// The thread does not sleep any more.
    pub fn awake(&self) {
        self.is_asleep.store(false, Ordering::Relaxed);
    }

    /// Wakes the thread if it sleeps. In what state it was.
    pub fn rouse(&self) -> Ears {
        if self.is_asleep.swap(false, Ordering::SeqCst) {
            (self.wake)();
            return Ears::Free;
        }
        Ears::Busy
    }

    fn ring(&self, view: ViewKey) -> Ears {
        self.lock().push(view);
        self.rouse()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<ViewKey>> {
        self.rung.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Doorbell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Doorbell").finish_non_exhaustive()
    }
}
