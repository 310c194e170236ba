//! Sources come and go while files are followed: what to do is left here, and the follower is woken.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, PoisonError};

use nix::sys::eventfd::{EfdFlags, EventFd};
use tracing::info;

use super::Wanted;
use super::discover::Matching;
use super::follower::{Follower, Now};
use super::trail::Trail;
use crate::source::{News, PathKey, Sink, SourceKey};

/// Something that a follower is to do.
#[derive(Debug)]
pub enum Order {
    /// Follow this as well.
    Follow(Wanted),
    /// The lines of a source go another way from now on.
    Change(SourceKey),
    /// Follow a source no more. What has been read of an unfinished line becomes an event; where its files have been read to is remembered.
    Leave(SourceKey),
}

/// Orders that have not been carried out yet. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Orders(Arc<(EventFd, Mutex<VecDeque<Order>>)>);

impl Orders {
    /// None yet.
    ///
    /// # Errors
    /// The kernel gives no event descriptor.
    pub fn new() -> io::Result<Self> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        Ok(Self(Arc::new((EventFd::from_value_and_flags(0, flags)?, Mutex::default()))))
    }

    /// Leaves one more, and wakes whoever takes them.
    pub fn give(&self, order: Order) {
        let (bell, orders) = &*self.0;
        orders.lock().unwrap_or_else(PoisonError::into_inner).push_back(order);
        // The only failure is a counter that is full, and then it has been rung before.
        let _ = bell.write(1);
    }

    /// Readable when there are some.
    pub(super) fn bell(&self) -> BorrowedFd<'_> {
        self.0.0.as_fd()
    }

    /// Takes them all.
    fn take(&self) -> VecDeque<Order> {
        let (bell, orders) = &*self.0;
        let _ = bell.read();
        std::mem::take(&mut *orders.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Follower {
    /// Carries out what has been ordered.
    pub(super) fn obey(&mut self, now: Now, news: &mut Sink<'_>) {
        for order in self.orders.take() {
            match order {
                Order::Follow(wanted) => self.look_first(vec![wanted], now, news),
                Order::Change(source) => news(News::Changed { source }),
                Order::Leave(source) => self.leave_source(source, news),
            }
        }
    }

    /// Follows the paths of a source no more. Other sources may lead to them: their globs look again.
    fn leave_source(&mut self, source: SourceKey, news: &mut Sink<'_>) {
        news(News::Leaving { source });
        for glob in self.globs.iter_mut().filter(|glob| glob.asked.source == source) {
            glob.is_over = true;
        }
        let its = |trail: &&Trail| trail.asked.source == source;
        let keys: Vec<PathKey> = self.trails.values().filter(its).map(|trail| trail.key).collect();
        match keys.len() {
            1 => info!("1 file is followed no more"),
            count => info!("{count} files are followed no more"),
        }
        for key in keys {
            while self.trails.get(&key).is_some_and(|trail| !trail.readers.is_empty()) {
                self.finish(key, 0, news);
            }
            self.forget(key, news);
        }
        self.globs.iter_mut().for_each(Matching::look_anew);
    }
}
