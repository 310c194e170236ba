//! The ways to the reactors: who may come in where.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::seat::Seat;
use super::{Equipment, Manner, Newcomer, Reactor};
use crate::channel::Doorbell;
use crate::http::archived::Archivist;

/// The ways to all reactors.
#[derive(Debug)]
pub struct Reactors {
    /// To those for clients who want all of their views.
    plain: Wing,
    /// To those for clients with a filter: whatever looking through events takes, no other client waits for it.
    sifting: Wing,
}

/// The ways to reactors that give clients to each other.
#[derive(Debug)]
struct Wing {
    /// To those that are live.
    doors: Vec<Arc<Door>>,
    /// To the one that reads the disk, if there is one.
    archived: Option<Arc<Door>>,
    next: AtomicUsize,
}

/// The way to a reactor.
#[derive(Debug)]
pub struct Door {
    #[expect(clippy::vec_box, reason = "a seat is in memory of its own for good")]
    pub newcomers: Mutex<Vec<Box<Seat>>>,
    pub bell: Arc<Doorbell>,
}

impl Reactors {
    /// Ways to the reactors that are started with [`Reactor::run`]: in each wing so many that are live, at least one, and one that reads the disk, if there
    /// is one.
    ///
    /// # Errors
    /// The kernel gives no epoll instance.
    pub fn new(count: usize, equipment: &Equipment, archivist: Option<&Archivist>) -> io::Result<(Self, Vec<Reactor>)> {
        let (plain, mut reactors) = Wing::new(count, equipment, archivist)?;
        let (sifting, others) = Wing::new(count, equipment, archivist)?;
        reactors.extend(others);
        Ok((Self { plain, sifting }, reactors))
    }

    /// Seats a client with one of them.
    pub fn seat(&self, newcomer: Newcomer) {
        let wing = if newcomer.client.sifting.is_some() { &self.sifting } else { &self.plain };
        wing.doors[wing.next.fetch_add(1, Ordering::Relaxed) % wing.doors.len()].let_in(Box::new(Seat::new(newcomer)));
    }

    /// Streams are to end: whoever sleeps must know it.
    pub fn rouse(&self) {
        for wing in [&self.plain, &self.sifting] {
            wing.doors.iter().chain(&wing.archived).for_each(|door| _ = door.bell.rouse());
        }
    }
}

impl Wing {
    fn new(count: usize, equipment: &Equipment, archivist: Option<&Archivist>) -> io::Result<(Self, Vec<Reactor>)> {
        let make = |manner| Reactor::new(equipment.clone(), manner);
        let mut reactors = (0..count.max(1)).map(|_| make(Manner::Live)).collect::<io::Result<Vec<_>>>()?;
        let doors: Vec<_> = reactors.iter().map(|reactor| Arc::clone(&reactor.door)).collect();
        let mut archived = None;
        if let Some(archivist) = archivist {
            let mut reactor = make(Manner::Archived(archivist.clone()))?;
            reactor.others.clone_from(&doors);
            for live in &mut reactors {
                live.others.push(Arc::clone(&reactor.door));
            }
            archived = Some(Arc::clone(&reactor.door));
            reactors.push(reactor);
        }
        Ok((Self { doors, archived, next: AtomicUsize::new(0) }, reactors))
    }
}

impl Door {
    pub fn let_in(&self, seat: Box<Seat>) {
        self.newcomers.lock().unwrap_or_else(PoisonError::into_inner).push(seat);
        self.bell.rouse();
    }

    pub fn is_empty(&self) -> bool {
        self.newcomers.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}
