//! One followed path: the file that it leads to, and the files that it has led to before, until they have been read to their ends.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::begin::Opening;
use super::identity::{Identity, open_if_there, was_made};
use super::place::Place;
use super::position::{is_storable, path_sum};
use super::reader::{Reader, Standing};
use super::schedule::{HINTED, POLLED};
use crate::event::ChannelName;
use crate::source::retry::Retry;
use crate::source::{PathKey, SourceKey, State};

/// How many files are remembered that were read to their ends.
const MOST_FINISHED: usize = 32;

/// How many targets of links are stored: the present one and the one before.
const MOST_TARGETS: usize = 2;

/// How a path came to be followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The user named it: it is waited for whatever happens.
    Named,
    /// A glob matched it, by its place among them: without a file it is forgotten.
    Matched(usize),
}

/// A followed path.
#[derive(Debug)]
pub struct Trail {
    /// Its name in [`crate::source::News`].
    pub key: PathKey,
    /// The path, absolute.
    pub path: PathBuf,
    /// The channel of its lines.
    pub channel: ChannelName,
    /// Who asked for it.
    pub asked: Asked,
    /// How it came to be followed.
    pub origin: Origin,
    /// The files to read, oldest first; the last is the one that the path leads to, if that is one of ours.
    pub readers: VecDeque<Reader>,
    /// The file that another path reads and this one leads to as well.
    pub twin: Option<Identity>,
    /// What has been told of it.
    pub state: State,
    /// Whether anybody could see what was there at the start.
    pub sight: Sight,
    /// When it was looked at last, or nothing stood there as far as a glob could see.
    pub looked: Option<SystemTime>,
    /// The names that lead to the file.
    pub way: Vec<PathBuf>,
    /// The names beside which its earlier files may be: those that lead, or led, to them.
    pub places: Vec<PathBuf>,
    /// Where links lead that are on the way, and have led last, as far as that can be stored.
    pub targets: Vec<PathBuf>,
    /// The checksum of the path.
    pub path_sum: u64,
    /// What the channel's name has lost of the path, as far as that can be stored.
    pub left_out: OsString,
    /// Files that have been read to their ends, and that a look could take for others that were made since.
    pub finished: VecDeque<Finished>,
    /// What was made since then is new, though the daemon finds it when it looks first.
    pub new_since: Option<SystemTime>,
    /// Whether its position must be told though there is no news.
    pub telling: Telling,
    /// Whether every change of it is hinted.
    pub watching: Watching,
    /// Whether the way must be found again.
    pub is_way_stale: bool,
    /// Before this, what failed is not tried again.
    pub retry: Retry,
    /// Whether it waits for a turn to read.
    pub is_ready: bool,
    /// Whether it waits for a look.
    pub is_looked_for: bool,
}

/// Who asks for a path, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// The source.
    pub source: SourceKey,
    /// Where files begin that are there at the start.
    pub opening: Opening,
}

/// Whether the position of a path must be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Telling {
    /// There are other files than the position says that was told last.
    Due,
    /// What has happened since is found again by the next run.
    Done,
}

/// A file that has been read to its end.
#[derive(Debug)]
pub struct Finished {
    /// Which file it is.
    pub identity: Identity,
    /// When it was made.
    pub born: SystemTime,
    /// Its end.
    pub place: Place,
}

/// Whether a look could see what a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// A file, or that there was none.
    Clear,
    /// It could not: what is found later may have been there before.
    Barred,
}

/// Whether the kernel gives hints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watching {
    /// It does.
    Hinted,
    /// Not all that are asked for: looks must find everything.
    Polled,
    /// It never does: the file system is another machine's.
    Far,
}

impl Trail {
    /// A path that has not been looked at.
    #[must_use]
    pub fn new(key: PathKey, path: PathBuf, channel: ChannelName, origin: Origin, asked: Asked) -> Self {
        Self {
            path_sum: path_sum(&path),
            left_out: OsString::new(),
            key,
            path,
            channel,
            asked,
            origin,
            readers: VecDeque::new(),
            twin: None,
            state: State::Reading,
            sight: Sight::Clear,
            looked: None,
            way: Vec::new(),
            places: Vec::new(),
            targets: Vec::new(),
            finished: VecDeque::new(),
            new_since: None,
            telling: Telling::Due,
            watching: Watching::Polled,
            is_way_stale: true,
            retry: Retry::default(),
            is_ready: false,
            is_looked_for: false,
        }
    }

    /// The file that the path leads to.
    pub fn named(&mut self) -> Option<&mut Reader> {
        self.readers.back_mut().filter(|reader| reader.standing == Standing::Named)
    }

    /// The readers of this inode, wherever they stand: one of a file that has been deleted may still be there when another file has got its number.
    pub fn readers_of(&self, identity: Identity) -> impl Iterator<Item = &Reader> {
        self.readers.iter().filter(move |reader| reader.identity == identity)
    }

    /// Whether a file that the path has left is still waited for.
    #[must_use]
    pub fn has_left_files(&self) -> bool {
        self.readers.iter().any(|reader| reader.standing != Standing::Named)
    }

    /// Ends the wait for last lines of files that have been read to their ends.
    pub fn wait_no_longer(&mut self) {
        for reader in self.readers.iter_mut().filter(|reader| !reader.is_unread) {
            if let Standing::Left { wait, .. } = &mut reader.standing {
                *wait = Duration::ZERO;
            }
        }
    }

    /// Remembers a file that has been read to its end.
    pub fn finish(&mut self, identity: Identity, born: SystemTime, place: Place) {
        self.finished.push_back(Finished { identity, born, place });
        if self.finished.len() > MOST_FINISHED {
            self.finished.pop_front();
        }
    }

    /// Forgets those that were made before the last look, and before the content of any file that is read: nobody asks for them.
    pub fn forget_finished(&mut self) {
        let asked = self.readers.iter().map(|reader| reader.since).chain(self.looked).min();
        self.finished.retain(|done| asked.is_none_or(|asked| done.born >= asked));
    }

    /// Forgets where links have led, unless a file is still to be found there.
    pub fn forget_places(&mut self) {
        if self.places.len() > self.way.len() && !self.has_left_files() {
            self.places.clone_from(&self.way);
            self.targets.retain(|target| self.way.contains(target));
        }
    }

    /// Links lead here now.
    pub fn lead_to(&mut self, target: PathBuf) {
        if target != self.path && !self.targets.contains(&target) && is_storable(target.as_os_str()) {
            self.targets.insert(0, target);
            self.targets.truncate(MOST_TARGETS);
        }
    }

    /// When to look again without a hint.
    #[must_use]
    pub fn pause(&self) -> Duration {
        if self.watching == Watching::Hinted { HINTED } else { POLLED }
    }

    /// Whether one of its readers has this file in hand.
    ///
    /// # Errors
    /// There is no descriptor left to compare the bytes.
    pub fn reads(&self, identity: Identity, metadata: &Metadata) -> io::Result<bool> {
        for reader in self.readers_of(identity) {
            if Self::is_same(reader, metadata, &self.path)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether what stands under the path now is what the reader has been reading while it had no descriptor. An inode number is used
    /// again at once; the time of its making, or the bytes before the offset, tell the files apart.
    ///
    /// # Errors
    /// There is no descriptor left to compare the bytes.
    pub fn is_same(reader: &Reader, metadata: &Metadata, path: &Path) -> io::Result<bool> {
        if reader.identity != Identity::of(metadata) {
            return Ok(false);
        }
        if reader.file().is_some() {
            return Ok(true);
        }
        if let Some(is_it) = was_made(metadata, reader.born) {
            return Ok(is_it);
        }
        if reader.place.offset == 0 {
            return Ok(false);
        }
        let opened = open_if_there(path)?;
        Ok(opened.is_some_and(|(file, opened)| Identity::of(&opened) == reader.identity && reader.place.fits(&file)))
    }
}
