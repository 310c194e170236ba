//! A file has been cut: what was copied from it before is read in its place, then it begins again.

use std::io;
use std::time::Duration;

use tracing::debug;

use super::copies::{is_copy_of, is_copy_so_far};
use super::follower::{Follower, Now};
use super::identity::{Identity, born};
use super::place::Place;
use super::reader::{Cut, Reader};
use super::siblings::{self, Copies, Sibling};
use super::trail::{Telling, Trail};
use crate::source::{FileKey, Loss, PathKey};

impl Follower {
    /// A file has been cut: what was copied from it before is read to its end, then it begins again.
    ///
    /// # Errors
    /// There is no descriptor left to look for copies; nothing has been done.
    pub(super) fn restart(&mut self, key: PathKey, index: usize, loss: Loss, now: Now) -> io::Result<()> {
        let (first, later) = self.copies(key, index, loss)?;
        let again = self.new_file();
        let Some(trail) = self.trails.get_mut(&key) else { return Ok(()) };
        let path = trail.path.display();
        let Some(reader) = trail.readers.get_mut(index) else { return Ok(()) };
        let (at, is_continued, later_ones) = (reader.place.offset, first.is_some(), later.len());
        debug!("'{path}' was cut ({loss:?}) at {at}; a copy goes on with it: {is_continued}; later copies: {later_ones}");
        let continued = std::mem::replace(&mut reader.key, again);
        let place = std::mem::replace(&mut reader.place, Place::beginning_again());
        reader.old_until = 0;
        reader.since = reader.verified; // the content in hand began some time after
        reader.begin_after(first.iter().chain(&later).map(Sibling::made).max_by_key(|(born, _)| *born));
        reader.is_unread_yet = true;
        let mut over = first.is_none().then_some(continued);
        let mut copies = Vec::new();
        if let Some(first) = first {
            let mut reader = copy(first, continued, self.has_spare(), now);
            if place.offset > 0 {
                reader.place = place;
            }
            copies.push(reader);
        }
        for later in later {
            let mut reader = copy(later, self.new_file(), self.has_spare(), now);
            reader.announce = Some(Cut { loss, over: over.take() });
            copies.push(reader);
        }
        self.open += copies.iter().filter(|reader| reader.file().is_some()).count();
        if let Some(trail) = self.trails.get_mut(&key) {
            trail.telling = Telling::Due;
            trail.readers[index].announce = Some(Cut { loss, over });
            for (offset, reader) in copies.into_iter().enumerate() {
                self.owners.insert(reader.identity, key);
                trail.readers.insert(index + offset, reader);
            }
        }
        Ok(())
    }

    /// Whether there are copies of contents that a file has had before the first of it was read.
    pub(super) fn has_early_copies(&mut self, key: PathKey, index: usize) -> io::Result<bool> {
        let Some(trail) = self.trails.get(&key) else { return Ok(false) };
        let Some(reader) = trail.readers.get(index).filter(|reader| reader.is_unread_yet) else { return Ok(false) };
        if reader.file().is_none() || reader.place.offset > 0 {
            return Ok(false); // asked again when it is read
        }
        let copies = self.free_copies(key, index)?;
        let Some(file) = self.trails.get(&key).and_then(|trail| trail.readers.get(index)).and_then(Reader::file) else {
            return Ok(false);
        };
        // A copy of what the file still holds says nothing.
        let is_old = |copy: &Sibling| !is_copy_so_far(&copy.file, file, copy.metadata.len());
        Ok(copies.first.iter().chain(&copies.later).any(is_old))
    }

    /// The copies beside a file that nobody has read or reads, and that are none of files that the path led to before it.
    fn free_copies(&mut self, key: PathKey, index: usize) -> io::Result<Copies> {
        let Some(trail) = self.trails.get(&key) else { return Ok(Copies::default()) };
        let Some(reader) = trail.readers.get(index) else { return Ok(Copies::default()) };
        let mut found = siblings::perhaps_copies(&mut self.listings, &trail.places, reader)?;
        let written = reader.file().and_then(|file| file.metadata().ok()).and_then(|metadata| metadata.modified().ok());
        found.retain(|copy| self.is_free(copy)); // others are read already
        let Self { trails, listings, .. } = self;
        let Some(Trail { readers, places, .. }) = trails.get(&key) else { return Ok(Copies::default()) };
        found.retain(|copy| !readers.iter().take(index).any(|older| is_copy_of(listings, places, copy, older)));
        Ok(readers.get(index).map(|reader| siblings::copies(found, reader, written)).unwrap_or_default())
    }

    /// The copies that were made of a file before it was cut, as far as they are not read. Those of what has been read are remembered as such.
    fn copies(&mut self, key: PathKey, index: usize, loss: Loss) -> io::Result<(Option<Sibling>, Vec<Sibling>)> {
        let Copies { mut first, mut later, read } = self.free_copies(key, index)?;
        let has_been_read =
            self.trails.get(&key).and_then(|trail| trail.readers.get(index)).is_some_and(|reader| reader.place.offset > 0);
        if loss == Loss::Vanished {
            // What is younger may as well be another file's.
            first = first.filter(|_| has_been_read);
            later.clear();
        }
        for Sibling { file, metadata, .. } in read {
            if let Ok(place) = Place::at(&file, metadata.len()) {
                self.remember_done(key, Identity::of(&metadata), born(&metadata), place);
            }
        }
        Ok((first, later))
    }

    /// A file of which nothing had been read may have been copied and cut since: only its copies tell.
    pub(super) fn find_early_copies(&mut self, key: PathKey, index: usize, now: Now) -> io::Result<()> {
        let is_early = |reader: &Reader| reader.begin.is_none() && reader.announce.is_none();
        let is_early = self.trails.get(&key).and_then(|trail| trail.readers.get(index)).is_some_and(is_early);
        if is_early && self.has_early_copies(key, index)? {
            self.restart(key, index, Loss::Truncated, now)?;
        }
        Ok(())
    }

    /// Whether the first bytes of a file follow contents of which there are copies; then they are to be read again.
    pub(super) fn follows_copies(&mut self, key: PathKey, index: usize, before: Option<Place>) -> io::Result<bool> {
        let after = self.put_back(key, index, before);
        let is_early = self.has_early_copies(key, index);
        if let Ok(false) = is_early {
            self.put_back(key, index, after);
        }
        is_early
    }
}

/// A reader of a file that is not written any more.
fn copy(sibling: Sibling, key: FileKey, has_spare: bool, now: Now) -> Reader {
    let mut reader = Reader::new(key, &sibling.metadata, (now.instant, now.stamp()));
    reader.place = Place::beginning_again();
    reader.leave(now.instant, Duration::ZERO);
    reader.is_postponed = !has_spare;
    if has_spare {
        // Without a place to begin at, nothing is read here that could fail.
        let _ = reader.attach(sibling.file);
    }
    reader
}
