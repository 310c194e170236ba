//! Reads the files of a path, oldest first, a block a turn.

use std::io;
use std::time::Duration;

use nix::errno::Errno;
use tracing::debug;

use super::copies::is_copy_so_far;
use super::follower::{Done, Follower, Now};
use super::identity::{Identity, born, open, remote};
use super::place::Place;
use super::reader::{Cut, Found, Reader, Standing};
use super::siblings::{self, Copies, Sibling};
use super::trail::{Trail, Watching};
use crate::source::{FileKey, Loss, News, PathKey, Sink, State, reason};

/// How many paths get a turn before hints are taken again.
const TURNS_A_STEP: usize = 64;

/// How many files may be open beyond the bound, found by looks.
const SPARE: usize = 64;

/// How many files are remembered that were read to their ends and have lost their names.
const MOST_DONE: usize = 256;

/// What a turn did.
#[derive(Debug, PartialEq, Eq)]
enum Turn {
    /// What there was to do.
    Done,
    /// Nothing: too many files are open.
    PutOff,
}

impl Follower {
    /// Gives each path that has something to read one turn.
    pub(super) fn read_ready(&mut self, now: Now, news: &mut Sink<'_>) {
        (self.is_full, self.is_stuck) = (false, !self.ready.is_empty());
        for _ in 0..self.ready.len().min(TURNS_A_STEP) {
            let Some(key) = self.ready.pop_front() else { return };
            if let Some(trail) = self.trails.get_mut(&key) {
                trail.is_ready = false;
                self.is_stuck &= self.read(key, now, news) == Turn::PutOff;
            }
        }
        if self.open > self.options.open_files {
            self.close_idle(self.options.open_files * 3 / 4);
        }
    }

    /// One turn of one path: the next block of its oldest file that has one.
    fn read(&mut self, key: PathKey, now: Now, news: &mut Sink<'_>) -> Turn {
        let mut index = 0;
        loop {
            if self.announce(key, index, news) {
                continue;
            }
            let Some(trail) = self.trails.get_mut(&key) else { break };
            let has_several = trail.readers.len() > 1;
            let Some(reader) = trail.readers.get_mut(index) else { break };
            if reader.file().is_none() {
                let is_postponed = reader.is_postponed;
                let has_room = self.make_room() || (is_postponed && self.make_room_within(key));
                if !has_room {
                    self.read_at(key);
                    return Turn::PutOff;
                }
                if is_postponed {
                    self.open_left(key, index, now);
                    continue;
                }
                if !self.open_named(key, index, now, news) {
                    index += 1;
                }
                continue;
            }
            let is_unread_yet = std::mem::take(&mut reader.is_unread_yet);
            let before = (index > 0 || is_unread_yet).then(|| reader.place.clone());
            if has_several && let Some(file) = reader.file() {
                reader.length = file.metadata().map_or(0, |metadata| metadata.len());
            }
            match reader.read(&mut self.block) {
                Ok(Found::Bytes(..)) if index > 0 && self.older_has_grown(key, index) => {
                    self.put_back(key, index, before);
                    index = 0;
                }
                Ok(Found::Bytes(..)) if is_unread_yet && self.follow_copies(key, index, before) => {
                    self.restart(key, index, Loss::Truncated, now);
                }
                Ok(Found::Bytes(range, age)) => {
                    let Some(reader) = self.trails.get_mut(&key).and_then(|trail| trail.readers.get_mut(index)) else { break };
                    reader.grew_at = now.instant;
                    reader.verified = now.time;
                    news(News::Bytes { path: key, file: reader.key, bytes: &self.block[range], age });
                    self.read_at(key);
                    return Turn::Done;
                }
                Ok(Found::End) if is_unread_yet && self.has_early_copies(key, index) => {
                    self.restart(key, index, Loss::Truncated, now);
                }
                Ok(Found::End) => {
                    let Some(reader) = self.trails.get_mut(&key).and_then(|trail| trail.readers.get_mut(index)) else { break };
                    reader.is_unread = false;
                    reader.is_unread_yet = reader.place.offset == 0;
                    reader.verified = now.time;
                    if reader.is_over(now.instant) {
                        self.finish(key, index, news);
                    } else {
                        index += 1;
                    }
                }
                Ok(Found::Lost(loss)) => self.restart(key, index, loss, now),
                Err(error) => {
                    self.fail(key, index, &error, now, news);
                    index += 1;
                }
            }
        }
        self.end_absence(key, now, news);
        Turn::Done
    }

    /// Whether a file that the path led to earlier has grown since it was read to its end. A writer that went from it to the one at `index` has written
    /// those bytes first.
    fn older_has_grown(&self, key: PathKey, index: usize) -> bool {
        let older = self.trails.get(&key).into_iter().flat_map(|trail| trail.readers.iter().take(index));
        older
            .filter_map(|reader| reader.file().map(|file| (file, reader.length)))
            .any(|(file, length)| file.metadata().is_ok_and(|metadata| metadata.len() != length))
    }

    /// Bytes that were read are to be read again, in their turn.
    fn put_back(&mut self, key: PathKey, index: usize, before: Option<Place>) -> Option<Place> {
        let reader = self.trails.get_mut(&key).and_then(|trail| trail.readers.get_mut(index))?;
        before.map(|before| std::mem::replace(&mut reader.place, before))
    }

    /// Whether the first bytes of a file follow contents of which there are copies; then they are to be read again. Asked when the bytes are in hand:
    /// what is copied and cut from then on has them in its copy.
    fn follow_copies(&mut self, key: PathKey, index: usize, before: Option<Place>) -> bool {
        let after = self.put_back(key, index, before);
        let is_early = self.has_early_copies(key, index);
        if !is_early {
            self.put_back(key, index, after);
        }
        is_early
    }

    /// Tells what is lost before a file goes on, and ends one that was left and cannot be found; true if there was either.
    fn announce(&mut self, key: PathKey, index: usize, news: &mut Sink<'_>) -> bool {
        let Some(reader) = self.trails.get_mut(&key).and_then(|trail| trail.readers.get_mut(index)) else { return false };
        let cut = reader.announce.take();
        let is_unreachable = reader.file().is_none() && reader.standing != Standing::Named && !reader.is_postponed;
        if is_unreachable {
            self.finish(key, index, news);
        }
        if let Some(Cut { loss, over }) = cut {
            if let Some(file) = over {
                news(News::Over { path: key, file });
            }
            news(News::Lost { path: key, loss });
        }
        is_unreachable || cut.is_some()
    }

    /// Where the last file of a path without one has ended, the path is looked at once more.
    fn end_absence(&mut self, key: PathKey, now: Now, news: &mut Sink<'_>) {
        if self.trails.get(&key).is_some_and(|trail| trail.readers.is_empty() && trail.state == State::Reading) {
            self.look(key, now, news);
        }
    }

    /// Opens a file that its path has left, under the name that it has now.
    fn open_left(&mut self, key: PathKey, index: usize, now: Now) {
        let Some(trail) = self.trails.get_mut(&key) else { return };
        let Some(reader) = trail.readers.get_mut(index) else { return };
        reader.is_postponed = false;
        if siblings::same(&trail.places, reader).is_some_and(|sibling| reader.attach(sibling.file).is_ok()) {
            self.open += 1;
        } else {
            self.restart(key, index, Loss::Vanished, now);
        }
    }

    /// Opens the file that the path leads to, if it is still the one that was seen there.
    fn open_named(&mut self, key: PathKey, index: usize, now: Now, news: &mut Sink<'_>) -> bool {
        let Some(trail) = self.trails.get_mut(&key).filter(|trail| trail.retry.is_due(now.instant)) else { return false };
        let path = trail.path.clone();
        let opened = open(&path).and_then(|(file, metadata)| {
            let far = remote(&file);
            let reader = trail.readers.get_mut(index).filter(|reader| Trail::is_same(reader, &metadata, &path));
            reader.map(|reader| reader.attach(file)).transpose().map(|attached| (attached.is_some(), far))
        });
        match opened {
            Ok((false, _)) => {
                self.look_at(key);
                false
            }
            Ok((true, far)) => {
                self.open += 1;
                trail.retry.reset();
                if let Some(kind) = far {
                    trail.watching = Watching::Far;
                    self.say_once(&format!(
                        "files on {kind} are looked at four times a second: it gives no hints of changes made elsewhere"
                    ));
                }
                self.tell(key, State::Reading, news);
                true
            }
            Err(error) => {
                self.fail(key, index, &error, now, news);
                false
            }
        }
    }

    /// A file could not be opened or read. Its place is kept.
    fn fail(&mut self, key: PathKey, index: usize, error: &io::Error, now: Now, news: &mut Sink<'_>) {
        let Some(trail) = self.trails.get_mut(&key) else { return };
        trail.retry.put_off(now.instant);
        let is_stale = error.raw_os_error() == Some(Errno::ESTALE as i32);
        if let Some(reader) = trail.readers.get_mut(index).filter(|reader| is_stale && reader.file().is_some()) {
            reader.close();
            self.open -= 1;
        }
        match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::EMFILE | Errno::ENFILE) => self.close_idle(0),
            Some(Errno::ENOENT) => return self.look_at(key),
            _ => {}
        }
        self.tell(key, State::Failing(reason(error)), news);
    }

    /// A file has been cut: what was copied from it before is read to its end, then it begins again.
    pub(super) fn restart(&mut self, key: PathKey, index: usize, loss: Loss, now: Now) {
        let again = self.new_file();
        let (first, later) = self.copies(key, index, loss);
        let Some(reader) = self.trails.get_mut(&key).and_then(|trail| trail.readers.get_mut(index)) else { return };
        debug!(
            "cut ({loss:?}) at {}; a copy goes on with it: {}; later copies: {}",
            reader.place.offset,
            first.is_some(),
            later.len()
        );
        let continued = std::mem::replace(&mut reader.key, again);
        let place = std::mem::replace(&mut reader.place, Place::beginning_again());
        reader.old_until = 0;
        reader.since = reader.verified; // the content in hand began some time after
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
            trail.readers[index].announce = Some(Cut { loss, over });
            for (offset, reader) in copies.into_iter().enumerate() {
                self.owners.insert(reader.identity, key);
                trail.readers.insert(index + offset, reader);
            }
        }
    }

    /// Whether there are copies of contents that a file has had before the first of it was read.
    pub(super) fn has_early_copies(&self, key: PathKey, index: usize) -> bool {
        let Some(trail) = self.trails.get(&key) else { return false };
        let Some(reader) = trail.readers.get(index) else { return false };
        let Some(file) = reader.file().filter(|_| reader.place.offset == 0) else { return false }; // asked again when it is read
        let written = file.metadata().and_then(|metadata| metadata.modified()).ok();
        let copies = siblings::copies(&trail.places, reader, written, |copy| self.is_free(copy));
        // A copy of what the file still holds says nothing.
        copies.first.iter().chain(&copies.later).any(|copy| !is_copy_so_far(&copy.path, file, copy.metadata.len()))
    }

    /// The copies that were made of a file before it was cut, as far as they are not read. Those of what has been read are remembered as such.
    fn copies(&mut self, key: PathKey, index: usize, loss: Loss) -> (Option<Sibling>, Vec<Sibling>) {
        let nothing = (None, Vec::new());
        let Some(trail) = self.trails.get(&key) else { return nothing };
        let Some(reader) = trail.readers.get(index) else { return nothing };
        let written = reader.file().and_then(|file| file.metadata().ok()).and_then(|metadata| metadata.modified().ok());
        let Copies { mut first, mut later, read } = siblings::copies(&trail.places, reader, written, |copy| self.is_free(copy));
        if loss == Loss::Vanished {
            // What is younger may as well be another file's.
            first = first.filter(|_| reader.place.offset > 0);
            later.clear();
        }
        for Sibling { file, metadata, .. } in read {
            if let Ok(place) = Place::at(&file, metadata.len()) {
                self.remember(Done { identity: Identity::of(&metadata), born: born(&metadata), place });
            }
        }
        (first, later)
    }

    /// Remembers that a file has been read, in case it is found again.
    fn remember(&mut self, done: Done) {
        self.done.push_back(done);
        if self.done.len() > MOST_DONE {
            self.done.pop_front();
        }
    }

    /// A file has been read to its end for good; a path that leads to it as well goes on with it.
    fn finish(&mut self, key: PathKey, index: usize, news: &mut Sink<'_>) {
        let Some(mut reader) = self.trails.get_mut(&key).and_then(|trail| trail.readers.remove(index)) else { return };
        news(News::Over { path: key, file: reader.key });
        let is_used_again = self.trails.get_mut(&key).is_some_and(|trail| trail.reader_of(reader.identity).is_some());
        if !is_used_again && self.owners.get(&reader.identity) == Some(&key) {
            self.owners.remove(&reader.identity);
        }
        let Some(heir) = self.take_heir(reader.identity) else {
            self.open -= usize::from(reader.file().is_some());
            self.remember(Done { identity: reader.identity, born: reader.born, place: reader.place });
            return;
        };
        self.owners.insert(reader.identity, heir);
        reader.key = self.new_file();
        reader.old_until = 0; // the other channel may have new lines already
        reader.standing = Standing::Named;
        if let Some(trail) = self.trails.get_mut(&heir) {
            trail.readers.push_back(reader);
        }
        self.tell(heir, State::Reading, news);
        self.read_at(heir);
        self.look_at(heir);
    }

    /// The first path that leads to a file as well.
    fn take_heir(&mut self, identity: Identity) -> Option<PathKey> {
        let keys = self.twins.get_mut(&identity)?;
        let heir = keys.remove(0);
        if keys.is_empty() {
            self.twins.remove(&identity);
        }
        self.trails.get_mut(&heir)?.twin = None;
        Some(heir)
    }

    /// Makes sure that one more file may be opened: closes those that have been idle longest. If too many have been left at once, those that
    /// were read to their ends are not waited for.
    fn make_room(&mut self) -> bool {
        let most = self.options.open_files.max(1);
        if self.is_full {
            return false; // one walk over all paths a step is enough
        }
        if self.open >= most {
            self.close_idle(most * 3 / 4);
        }
        if self.open >= most {
            let left: Vec<_> = self.trails.values().filter(|trail| trail.has_left_files()).map(|trail| trail.key).collect();
            for key in left {
                self.trails.entry(key).and_modify(Trail::wait_no_longer);
                self.read_at(key);
            }
        }
        self.is_full = self.open >= most;
        !self.is_full
    }

    /// The newest file of a path waits for the older ones: its descriptor is theirs.
    fn make_room_within(&mut self, key: PathKey) -> bool {
        let Some(reader) = self.trails.get_mut(&key).and_then(Trail::named).filter(|reader| reader.file().is_some()) else {
            return false;
        };
        reader.close();
        self.open -= 1;
        true
    }

    /// Whether a file that has just been found may be opened before its turn.
    pub(super) fn has_spare(&self) -> bool {
        self.open < self.options.open_files + SPARE
    }

    /// Closes idle files, the longest idle first, until so many are open.
    fn close_idle(&mut self, keep: usize) {
        let mut idle: Vec<_> = self
            .trails
            .values_mut()
            .filter(|trail| !trail.is_ready)
            .filter_map(|trail| {
                let key = trail.key;
                trail.named().filter(|reader| !reader.is_unread && reader.file().is_some()).map(|reader| (reader.grew_at, key))
            })
            .collect();
        idle.sort();
        let surplus = self.open.saturating_sub(keep);
        for (_, key) in idle.into_iter().take(surplus) {
            if let Some(reader) = self.trails.get_mut(&key).and_then(Trail::named) {
                reader.close();
                self.open -= 1;
            }
        }
    }
}

/// A reader of a file that is not written any more.
fn copy(sibling: Sibling, key: FileKey, has_spare: bool, now: Now) -> Reader {
    let mut reader = Reader::new(key, &sibling.metadata, (now.instant, now.time));
    reader.place = Place::beginning_again();
    reader.leave(now.instant, Duration::ZERO);
    reader.is_postponed = !has_spare;
    if has_spare {
        // Without a place to begin at, nothing is read here that could fail.
        let _ = reader.attach(sibling.file);
    }
    reader
}
