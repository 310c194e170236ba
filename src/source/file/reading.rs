//! Reads the files of a path, oldest first, a block a turn.

use std::io;
use std::ops::Range;

use nix::errno::Errno;

use super::follower::{Follower, Now};
use super::identity::{Identity, open, remote};
use super::mark::Mark;
use super::place::Place;
use super::reader::{Cut, Found, Standing};
use super::siblings::{self};
use super::trail::{Telling, Trail, Watching};
use crate::errno::is_scarcity;
use crate::event::Age;
use crate::source::{FileKey, Loss, News, PathKey, Sink, State, reason};

/// How many paths get a turn before hints are taken again.
const TURNS_A_STEP: usize = 64;

/// What a turn did.
#[derive(Debug, PartialEq, Eq)]
enum Turn {
    /// What there was to do.
    Done,
    /// Nothing: too many files are open.
    PutOff,
}

/// Where a turn goes on, among the files of its path.
enum Next {
    /// With the same one, or the one that has taken its place.
    Again,
    /// With the next newer one.
    Newer,
    /// With the oldest one.
    Oldest,
    /// Nowhere: it is over.
    Nowhere(Turn),
    /// Nowhere: there is none left.
    NoFile,
}

impl Follower {
    /// Gives each path that has something to read one turn.
    pub(super) fn read_ready(&mut self, now: Now, news: &mut Sink<'_>) {
        self.is_full = false;
        for _ in 0..self.ready.len().min(TURNS_A_STEP) {
            let Some(key) = self.ready.pop_front() else { return };
            if let Some(trail) = self.trails.get_mut(&key) {
                trail.is_ready = false;
                match self.read(key, now, news) {
                    Turn::Done => self.put_off = 0,
                    Turn::PutOff => self.put_off += 1,
                }
                self.tell_moved(key, news);
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
            match self.read_file(key, index, now, news) {
                Ok(Next::Again) => {}
                Ok(Next::Newer) => index += 1,
                Ok(Next::Oldest) => index = 0,
                Ok(Next::Nowhere(turn)) => return turn,
                Ok(Next::NoFile) => break,
                Err(error) => {
                    self.fail(key, &error, now, news);
                    self.read_at(key);
                    return Turn::PutOff;
                }
            }
        }
        self.end_absence(key, now, news);
        Turn::Done
    }

    /// The next block of one file. Whether it is the next one of its path as well is asked with the bytes in hand: what happens after that is newer.
    ///
    /// # Errors
    /// There is no descriptor left to ask.
    fn read_file(&mut self, key: PathKey, index: usize, now: Now, news: &mut Sink<'_>) -> io::Result<Next> {
        if self.announce(key, index, news) {
            return Ok(Next::Again);
        }
        let Some(trail) = self.trails.get_mut(&key) else { return Ok(Next::NoFile) };
        let has_several = trail.readers.len() > 1;
        let Some(reader) = trail.readers.get_mut(index) else { return Ok(Next::NoFile) };
        if reader.file().is_none() {
            return self.open_file(key, index, now, news);
        }
        if !reader.retry.is_due(now.instant) {
            return Ok(Next::Newer);
        }
        if has_several && let Some(file) = reader.file() {
            reader.length = file.metadata().map_or(0, |metadata| metadata.len());
        }
        let before = (index > 0 || reader.is_unread_yet).then(|| reader.place.clone());
        match reader.read(&mut self.block) {
            Ok(Found::Bytes(..)) if index > 0 && self.older_has_grown(key, index) => {
                self.put_back(key, index, before);
                Ok(Next::Oldest)
            }
            Ok(Found::Bytes(range, age)) => {
                if self.follows_copies(key, index, before)? {
                    self.restart(key, index, Loss::Truncated, now)?;
                    return Ok(Next::Again);
                }
                self.give(key, index, range, age, now, news);
                Ok(Next::Nowhere(Turn::Done))
            }
            Ok(Found::End) => self.end(key, index, now, news),
            Ok(Found::Lost(loss)) => self.restart(key, index, loss, now).map(|()| Next::Again),
            Err(error) => Ok(self.fail_to_read(key, index, &error, now, news)),
        }
    }

    /// A file could not be read. One that its path has left is given up in time.
    fn fail_to_read(&mut self, key: PathKey, index: usize, error: &io::Error, now: Now, news: &mut Sink<'_>) -> Next {
        let Some(reader) = self.trails.get_mut(&key).and_then(|trail| trail.readers.get_mut(index)) else { return Next::NoFile };
        reader.retry.put_off(now.instant);
        if reader.is_over(now.instant) {
            reader.announce = Some(Cut { loss: Loss::Vanished, over: Some(reader.key) });
            reader.place.held = 0; // as an event
            self.open -= usize::from(reader.file().is_some());
            reader.close();
            return Next::Again;
        }
        self.close_stale(key, index, error);
        self.fail(key, error, now, news);
        Next::Newer
    }

    fn give(&mut self, key: PathKey, index: usize, range: Range<usize>, age: Age, now: Now, news: &mut Sink<'_>) {
        let Some(reader) = self.trails.get_mut(&key).and_then(|trail| trail.readers.get_mut(index)) else { return };
        let is_first = std::mem::take(&mut reader.is_unread_yet) || reader.place.offset == range.len() as u64;
        reader.grew_at = now.instant;
        reader.verified = now.stamp();
        let has_recovered = std::mem::take(&mut reader.retry).is_pending();
        let file = reader.key;
        if is_first {
            self.settle_before(key, index, news);
        }
        let mark = self.trails.get_mut(&key).map(|trail| Mark { trail, index, is_first, text: &mut self.text });
        news(News::Bytes { path: key, file, bytes: &self.block[range], age, mark });
        if has_recovered {
            self.tell(key, State::Reading, news);
        }
        self.read_at(key);
    }

    /// Files of a path come one after the other: who waits for more of an earlier one has waited long enough.
    fn settle_before(&mut self, key: PathKey, index: usize, news: &mut Sink<'_>) {
        let Some(trail) = self.trails.get_mut(&key) else { return };
        for index in 0..index {
            let file = trail.readers[index].key;
            let mark = Some(Mark { trail: &mut *trail, index, is_first: false, text: &mut self.text });
            news(News::Settle { file, mark });
        }
    }

    /// Nothing more came from a file.
    fn end(&mut self, key: PathKey, index: usize, now: Now, news: &mut Sink<'_>) -> io::Result<Next> {
        if self.has_early_copies(key, index)? {
            self.restart(key, index, Loss::Truncated, now)?;
            return Ok(Next::Again);
        }
        let Some(reader) = self.trails.get_mut(&key).and_then(|trail| trail.readers.get_mut(index)) else {
            return Ok(Next::NoFile);
        };
        reader.is_unread = false;
        reader.is_unread_yet = reader.place.offset == 0;
        reader.verified = now.stamp();
        let (is_over, has_recovered) = (reader.is_over(now.instant), std::mem::take(&mut reader.retry).is_pending());
        if has_recovered {
            self.tell(key, State::Reading, news);
        }
        if !is_over {
            return Ok(Next::Newer);
        }
        self.finish(key, index, news);
        Ok(Next::Again)
    }

    /// Opens a file that is to be read.
    fn open_file(&mut self, key: PathKey, index: usize, now: Now, news: &mut Sink<'_>) -> io::Result<Next> {
        let is_postponed =
            self.trails.get(&key).and_then(|trail| trail.readers.get(index)).is_some_and(|reader| reader.is_postponed);
        if !(self.make_room() || is_postponed && self.make_room_within(key, index)) {
            self.read_at(key);
            return Ok(Next::Nowhere(Turn::PutOff));
        }
        if is_postponed {
            self.open_left(key, index, now)?;
            return Ok(Next::Again);
        }
        Ok(if self.open_named(key, index, now, news) { Next::Again } else { Next::Newer })
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
    pub(super) fn put_back(&mut self, key: PathKey, index: usize, before: Option<Place>) -> Option<Place> {
        let reader = self.trails.get_mut(&key).and_then(|trail| trail.readers.get_mut(index))?;
        before.map(|before| std::mem::replace(&mut reader.place, before))
    }

    /// Tells what is lost before a file goes on, and ends one that was left and cannot be found; true if there was either.
    fn announce(&mut self, key: PathKey, index: usize, news: &mut Sink<'_>) -> bool {
        let Some(reader) = self.trails.get_mut(&key).and_then(|trail| trail.readers.get_mut(index)) else { return false };
        let is_left = reader.file().is_none() && reader.standing != Standing::Named;
        let is_unreachable = is_left && !reader.is_postponed;
        let Some(Cut { loss, over }) = reader.announce.filter(|_| !reader.is_postponed || !is_left) else {
            if is_unreachable {
                self.finish(key, index, news);
            }
            return is_unreachable;
        };
        if let Some(file) = over {
            // Its position says that there is a loss still to be told.
            news(News::Over { path: key, file, position: self.position(key) });
        }
        if let Some(reader) = self.trails.get_mut(&key).and_then(|trail| trail.readers.get_mut(index)) {
            reader.announce = None;
        }
        let heir = if is_unreachable { self.take_out(key, index).and_then(|(_, heir)| heir) } else { None };
        news(News::Lost { path: key, loss, position: self.position(key) });
        self.go_on(heir, news);
        true
    }

    /// Where the last file of a path without one has ended, the path is looked at once more.
    fn end_absence(&mut self, key: PathKey, now: Now, news: &mut Sink<'_>) {
        if self.trails.get(&key).is_some_and(|trail| trail.readers.is_empty() && trail.state == State::Reading) {
            self.look(key, now, news);
        }
    }

    /// Opens a file that its path has left, under the name that it has now. One that had ended and is deleted by then has lost nothing that is known: as
    /// with an idle one that is deleted while it is closed, no loss is told.
    fn open_left(&mut self, key: PathKey, index: usize, now: Now) -> io::Result<()> {
        let identity = self.trails.get(&key).and_then(|trail| trail.readers.get(index)).map(|reader| reader.identity);
        let other_names = identity.map(|identity| self.other_names(identity)).unwrap_or_default();
        let Some(trail) = self.trails.get_mut(&key) else { return Ok(()) };
        let Some(reader) = trail.readers.get_mut(index) else { return Ok(()) };
        let found = siblings::same(&mut self.listings, &trail.places, &other_names, reader)?;
        reader.is_postponed = false;
        if let Some(sibling) = found {
            reader.attach(sibling.file)?;
            self.open += 1;
            return Ok(());
        }
        if reader.has_ended() {
            return Ok(());
        }
        let restarted = self.restart(key, index, Loss::Vanished, now);
        if restarted.is_err()
            && let Some(reader) = self.trails.get_mut(&key).and_then(|trail| trail.readers.get_mut(index))
        {
            reader.is_postponed = true; // nothing has been done
        }
        restarted
    }

    /// Opens the file that the path leads to, if it is still the one that was seen there.
    fn open_named(&mut self, key: PathKey, index: usize, now: Now, news: &mut Sink<'_>) -> bool {
        let Some(trail) = self.trails.get_mut(&key).filter(|trail| trail.retry.is_due(now.instant)) else { return false };
        let path = trail.path.clone();
        let opened = open(&path).and_then(|(file, metadata)| {
            let far = remote(&file);
            let Some(reader) = trail.readers.get_mut(index) else { return Ok((false, far)) };
            if !Trail::is_same(reader, &metadata, &path)? {
                return Ok((false, far));
            }
            reader.attach(file)?;
            Ok((true, far))
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
                self.fail(key, &error, now, news);
                false
            }
        }
    }

    /// A file could not be opened or read, or others not looked for. Its place is kept.
    pub(super) fn fail(&mut self, key: PathKey, error: &io::Error, now: Now, news: &mut Sink<'_>) {
        let Some(trail) = self.trails.get_mut(&key) else { return };
        trail.retry.put_off(now.instant);
        if error.raw_os_error() == Some(Errno::ENOENT as i32) {
            return self.look_at(key);
        }
        if is_scarcity(error) {
            self.close_idle(0);
        }
        self.tell(key, State::Failing(reason(error)), news);
    }

    /// A file whose server has forgotten it is opened anew.
    fn close_stale(&mut self, key: PathKey, index: usize, error: &io::Error) {
        let is_stale = error.raw_os_error() == Some(Errno::ESTALE as i32);
        let reader = self.trails.get_mut(&key).and_then(|trail| trail.readers.get_mut(index)).filter(|_| is_stale);
        if let Some(reader) = reader.filter(|reader| reader.file().is_some()) {
            reader.close();
            self.open -= 1;
        }
    }

    /// A file has been read to its end for good; a path that leads to it as well goes on with it.
    pub(super) fn finish(&mut self, key: PathKey, index: usize, news: &mut Sink<'_>) {
        let Some((file, heir)) = self.take_out(key, index) else { return };
        // The heir first: in between the file is of both, and then of the one that is followed first.
        if let Some(heir) = heir {
            self.tell_moved(heir, news);
        }
        news(News::Over { path: key, file, position: self.position(key) });
        self.go_on(heir, news);
    }

    /// Takes a file that is over from a path, and gives it to its heir: the first path that leads to it as well.
    fn take_out(&mut self, key: PathKey, index: usize) -> Option<(FileKey, Option<PathKey>)> {
        let trail = self.trails.get_mut(&key)?;
        let mut reader = trail.readers.remove(index)?;
        trail.telling = Telling::Due;
        reader.place.held = 0; // what is left becomes an event
        let file = reader.key;
        let is_owned = self.owners.get(&reader.identity) == Some(&key);
        // Another file of this path may have the number of a deleted one by now.
        let is_last = is_owned && trail.readers_of(reader.identity).next().is_none();
        if is_last {
            self.owners.remove(&reader.identity);
        }
        let Some(heir) = is_last.then(|| self.take_heir(reader.identity)).flatten() else {
            self.open -= usize::from(reader.file().is_some());
            self.remember_done(key, reader.identity, reader.born, reader.place);
            return Some((file, None));
        };
        self.owners.insert(reader.identity, heir);
        reader.key = self.new_file();
        reader.old_until = 0; // the other channel may have new lines already
        reader.standing = Standing::Named;
        if let Some(trail) = self.trails.get_mut(&heir) {
            trail.readers.push_back(reader);
            trail.telling = Telling::Due;
        }
        Some((file, Some(heir)))
    }

    /// A path has been given a file that another one has left.
    fn go_on(&mut self, heir: Option<PathKey>, news: &mut Sink<'_>) {
        let Some(heir) = heir else { return };
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
}
