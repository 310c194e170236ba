//! Files that stood under a path between two looks, and files that have been read under another name.

use std::fs::{self, File, Metadata};
use std::io;
use std::time::SystemTime;

use super::copies::{is_another, is_copy_of, is_copy_so_far};
use super::follower::{Follower, Now};
use super::identity::{Identity, born, open_if_there};
use super::place::Place;
use super::reader::{Cut, Reader};
use super::siblings::{self, Sibling};
use super::trail::{Origin, Telling, Trail};
use crate::source::{Loss, PathKey};

/// Two files that hold the same up to here do so not by chance, in bytes.
const LARGE: u64 = 4096;

/// What came before a file, under its path.
#[derive(Debug, Default)]
pub struct Before {
    /// What is to be told before it.
    pub cut: Option<Cut>,
    /// The file that was made last, and when.
    pub last: Option<(SystemTime, Identity)>,
}

impl Follower {
    /// Whether a file beside a path is neither being read nor has been, and is no log of its own.
    pub(super) fn is_free(&self, sibling: &Sibling) -> bool {
        let Sibling { path, metadata, .. } = sibling;
        let owner = self.owners.get(&Identity::of(metadata)).and_then(|owner| self.trails.get(owner));
        let is_read = owner.is_some_and(|owner| owner.readers.iter().any(|reader| siblings::is_file_of(sibling, reader)));
        let is_known = is_read || self.done.place_of(metadata).is_some();
        let is_named = self.paths.get(path).and_then(|key| self.trails.get(key)).is_some_and(|trail| trail.origin == Origin::Named);
        !is_known && !is_named
    }

    /// Remembers how far a file beside a path was read, as long as that may be asked; also for another run of the daemon.
    pub(super) fn remember_done(&mut self, key: PathKey, identity: Identity, born: SystemTime, place: Place) {
        if let Some(trail) = self.trails.get_mut(&key) {
            trail.finish(identity, born, place.clone());
        }
        self.done.remember(identity, born, place, self.trails.len());
    }

    /// Where a file goes on that was read to its end under another name.
    pub(super) fn place_of_done(&mut self, key: PathKey, metadata: &Metadata) -> io::Result<Option<Place>> {
        let Some(trail) = self.trails.get(&key) else { return Ok(None) };
        let Some(place) = self.done.place_of(metadata) else { return Ok(None) };
        let opened = open_if_there(&trail.path)?;
        Ok(opened.is_some_and(|(file, _)| place.fits(&file)).then(|| place.clone()))
    }

    /// Begins to read the files that the path led to after the last look, and does not lead to any more. `named` is the one that it leads to now.
    ///
    /// # Errors
    /// There is no descriptor left to look for them; or, as an interruption, the path leads elsewhere by now. Nothing has been done.
    pub(super) fn begin_between(&mut self, key: PathKey, named: Option<&Metadata>, now: Now) -> io::Result<Before> {
        let between = self.find_between(key, named)?;
        let last = between.iter().map(Sibling::made).max_by_key(|(born, _)| *born);
        let made = made(&between, named);
        let mut cuts = cuts_between(&made);
        let cut = named.and_then(|_| cuts.pop().flatten());
        for (Sibling { file, metadata, .. }, cut) in between.into_iter().zip(cuts) {
            let mut reader = Reader::new(self.new_file(), &metadata, (now.instant, born(&metadata)));
            reader.place = Place::beginning_again();
            reader.leave(now.instant, self.options.rotate_wait);
            reader.announce = cut;
            reader.is_postponed = !self.has_spare();
            if reader.is_postponed || reader.attach(file).is_ok() {
                self.open += usize::from(reader.file().is_some());
                self.owners.insert(reader.identity, key);
                self.trails.entry(key).and_modify(|trail| {
                    trail.readers.push_back(reader);
                    trail.telling = Telling::Due;
                });
            }
        }
        Ok(Before { cut, last })
    }

    fn find_between(&mut self, key: PathKey, named: Option<&Metadata>) -> io::Result<Vec<Sibling>> {
        let nothing = Ok(Vec::new());
        let Some(trail) = self.trails.get(&key) else { return nothing };
        let Some(looked) = trail.looked else { return nothing };
        let found = siblings::between(&mut self.listings, &trail.places, looked)?;
        if found.is_empty() {
            return nothing;
        }
        let there = fs::metadata(&trail.path).ok().filter(Metadata::is_file);
        if there.as_ref().map(Identity::of) != named.map(Identity::of) {
            // What was found may be younger than what the look saw.
            return Err(io::ErrorKind::Interrupted.into());
        }
        let current = if named.is_some() { open_if_there(&trail.path)? } else { None };
        let mut between = Vec::new();
        for sibling in found {
            let identity = Identity::of(&sibling.metadata);
            let is_named = named.is_some_and(|named| Identity::of(named) == identity);
            if !is_named
                && !self.holds_nothing_new(key, &sibling, current.as_ref(), &between)
                && self.owner_of(identity, &sibling.metadata)?.is_none()
                && self.is_free(&sibling)
            {
                between.push(sibling);
            }
        }
        // A copy of nothing says nothing.
        let made = made(&between, named);
        let mut at = 0..;
        between.retain(|sibling| at.next().is_some_and(|at| sibling.metadata.len() > 0 || !is_copy(&made, at)));
        Ok(between)
    }

    /// Whether a file beside a path is a copy of the file that the path leads to, which is about to be cut then, or of one that it has left. Others have been
    /// `found` to stand between.
    fn holds_nothing_new(
        &mut self,
        key: PathKey,
        sibling: &Sibling,
        current: Option<&(File, Metadata)>,
        found: &[Sibling],
    ) -> bool {
        let Self { trails, listings, .. } = self;
        let Some(Trail { readers, places, .. }) = trails.get(&key) else { return false };
        let is_of_current = current.is_some_and(|(file, opened)| {
            born(&sibling.metadata) > born(opened) && is_copy_so_far(&sibling.file, file, sibling.metadata.len())
        });
        let Some(last) = readers.back() else { return is_of_current };
        // What was left before the last look, or before another file was begun, has been copied by then, if at all. What goes on for something small is
        // rather a generation that has the same head.
        let made = born(&sibling.metadata);
        let may_be_of_last = found.iter().all(|other| born(&other.metadata) >= made);
        let is_part_of_last = may_be_of_last && siblings::is_part(sibling, last) && !is_another(listings, places, sibling, last);
        let is_likely = |(at, older): &(usize, &Reader)| {
            let was_last = || may_be_of_last && readers.range(at + 1..).all(|later| later.born > made);
            let is_of_deleted = || older.is_deleted() && older.was_named(made) && was_last();
            may_be_of_last && older.key == last.key || older.place.offset >= LARGE || is_of_deleted()
        };
        let mut older = readers.iter().enumerate().filter(is_likely).map(|(_, older)| older);
        is_of_current || is_part_of_last || older.any(|older| is_copy_of(listings, places, sibling, older))
    }
}

/// When files were made, and the one that came after them.
fn made(between: &[Sibling], named: Option<&Metadata>) -> Vec<SystemTime> {
    between.iter().map(|sibling| &sibling.metadata).chain(named).map(born).collect()
}

/// Whether one of several files, in the order of their contents, is a copy: it was made later than one behind it.
fn is_copy(made: &[SystemTime], at: usize) -> bool {
    made[at + 1..].iter().any(|later| *later < made[at])
}

/// What is to be told before each of several files, in the order of their contents: what a copy was copied from has been cut after it.
fn cuts_between(made: &[SystemTime]) -> Vec<Option<Cut>> {
    let cut = |at: usize| (at > 0 && is_copy(made, at - 1)).then_some(Cut { loss: Loss::Truncated, over: None });
    (0..made.len()).map(cut).collect()
}
