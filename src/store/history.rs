//! The history of a running daemon: its archive, and what becomes of it while the daemon runs.
//!
//! ```text
//! turn ▸ append ▸ publish          before anybody sees it                (whoever reads a source)
//! let go and tell ▸ remove         when it has become too much or too old (upkeep)
//! take what is unsynced ▸ sync     once a second                          (upkeep)
//! is the directory still there?    once a second                          (upkeep)
//! ```
//!
//! # What is let go before it is published
//! So much may be read at once that it is more than its channel's share: then it is let go in the append that wrote it. Also [`History::check`], which
//! knows nothing of turns, may come between an append and its publication. Whoever is told of what has gone ([`Gone`]) is therefore told of events that
//! it is given only later. It retains them as it does those that could not be written, and counts no loss before it lets them go itself
//! (`channel::archived`). So the size holds at any time, and nothing waits for it.
//!
//! # When the disk fails
//! The stream goes on from memory. What could not be written is missing in the history, and the next record that can be written says how much
//! (`disk::record`); the source's position stays where it was, so that a restart reads it again. It is tried again once a second, whether or not
//! there is an event to write.
//!
//! # Locks
//! The archive has one lock. Who reads from the disk holds it only to learn which files there are ([`Shelf`]); neither a sync nor the removal of a
//! file is done under it.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing::warn;

use super::condition::Condition;
use super::disk::archive::{self, Archive, Report};
use super::disk::hole::Hole;
use super::disk::life::{NoLife, Uncounted};
use super::disk::log::{Entry, Log};
use super::disk::retention::{self, LetGo};
use super::disk::shelf::Shelf;
use super::disk::unsynced::Unsynced;
use super::disk::volume::{Kernel, Volume};
use super::trouble::{Kind, Trouble};
use super::{Keep, Sync};
use crate::batch::{Backing, Batch};
use crate::errno::reason;
use crate::event::{Age, ChannelName, Millis, Position};

/// What has been stored, and what is being stored.
#[derive(Debug)]
pub struct History {
    volume: Arc<dyn Volume>,
    root: PathBuf,
    sync: Sync,
    /// How old events become.
    age: Option<Duration>,
    state: Mutex<State>,
    /// Something has been let go, or the daemon stops.
    news: Condvar,
}

#[derive(Debug)]
struct State {
    archive: Archive,
    trouble: Trouble,
    /// What could not be synced.
    owed: Unsynced,
    /// Who is told of what has gone.
    tell: Tell,
    /// What is to be removed.
    gone: Vec<LetGo>,
    /// The numbers of channels that were forgotten, to be noted when their files are removed.
    forgotten: Uncounted,
    /// Channels that are to be forgotten when the numbering does not hang on them any more.
    to_forget: BTreeSet<ChannelName>,
    is_stopping: bool,
}

/// What is not on the disk any more, as it is told: before anybody can read past it. Its end may be yet to be published.
#[derive(Debug)]
pub enum Gone<'a> {
    /// The oldest segment of its channel was let go.
    LetGo(&'a LetGo),
    /// A segment has gone without having been let go; the last event that is left of its channel.
    Lost(&'a LetGo, Option<Position>),
    /// Events of a channel were damaged; the last that is left of it.
    Hole(&'a ChannelName, &'a Hole, Option<Position>),
}

/// What is told of what has gone.
struct Tell(Box<dyn Fn(Gone<'_>) + Send>);

impl fmt::Debug for Tell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tell")
    }
}

/// What upkeep has to do.
#[derive(Debug)]
pub enum Chore {
    /// Remove these; and note the numbers of channels that were forgotten.
    LetGo(Vec<LetGo>, Uncounted),
    /// It is time to sync, and to look whether the directory is there.
    Look,
    /// The daemon stops.
    Stop,
}

impl History {
    /// Opens the history in a directory, which is made if it is missing.
    ///
    /// # Errors
    /// A later version has written it, or it could not be made, read or written.
    pub fn open(directory: &Path, sync: Sync, keep: Keep, now: Millis) -> Result<(Self, Report), NoLife> {
        let volume: Arc<dyn Volume> = Arc::new(Kernel);
        let (archive, report) = Archive::open(Arc::clone(&volume), directory, now, keep)?;
        let state = State {
            archive,
            trouble: Trouble::none(directory.to_owned()),
            owed: Unsynced::default(),
            tell: Tell(Box::new(|_| {})),
            gone: Vec::new(),
            forgotten: Uncounted::default(),
            to_forget: BTreeSet::new(),
            is_stopping: false,
        };
        let history =
            Self { volume, root: directory.to_owned(), sync, age: keep.age, state: Mutex::new(state), news: Condvar::new() };
        Ok((history, report))
    }

    /// From now on, whoever this is is told what has gone; under the lock of the archive, so it must not ask for anything here.
    pub fn tell(&self, tell: impl Fn(Gone<'_>) + Send + 'static) {
        self.lock().tell = Tell(Box::new(tell));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the numbering began.
    #[must_use]
    pub fn began(&self) -> Millis {
        self.lock().archive.began()
    }

    /// The last event of all.
    #[must_use]
    pub fn newest(&self) -> Position {
        self.lock().archive.newest()
    }

    /// How old events become; for ever without it.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        self.age
    }

    /// Shows the archive.
    pub fn look<T>(&self, ask: impl FnOnce(&Archive) -> T) -> T {
        ask(&self.lock().archive)
    }

    /// The position of a channel's source that was stored last.
    #[must_use]
    pub fn source_of(&self, channel: &ChannelName) -> Option<Box<str>> {
        self.lock().archive.log(channel)?.source().map(Into::into)
    }

    /// The channels whose sources have a position, and the one that was stored last.
    #[must_use]
    pub fn sources(&self) -> Vec<(ChannelName, Box<str>)> {
        let source = |(channel, log): (&ChannelName, &Log)| Some((channel.clone(), log.source()?.into()));
        self.lock().archive.logs().filter_map(source).collect()
    }

    /// The age that old lines of a channel have here: behind new ones nothing is old.
    #[must_use]
    pub fn age_of_old(&self, channel: &ChannelName) -> Age {
        let state = self.lock();
        let is_behind_new = |log: &Log| log.latest().is_none_or(|latest| latest.number > log.old_through());
        if state.archive.log(channel).is_some_and(is_behind_new) { Age::New } else { Age::Old }
    }

    /// Appends what was read at once from a channel's source, and the source's position behind it, and says so of the batches. Without batches
    /// the position alone moves; `newest` is the last event of all.
    pub fn append(&self, channel: &ChannelName, batches: Vec<Batch>, newest: Position, source: Option<&str>) -> Vec<Batch> {
        let alone = [Entry { last: newest, count: 0, events: &[], age: Age::New }];
        let given: Vec<_> = batches.iter().map(entry).collect();
        let entries = if given.is_empty() { &alone[..] } else { &given[..] };
        let (backing, has_let_go) = {
            let mut state = self.lock();
            (state.append(channel, entries, source), !state.gone.is_empty())
        };
        if has_let_go {
            self.news.notify_one();
        }
        if backing == Backing::Disk && self.sync == Sync::Always {
            self.sync();
        }
        batches.into_iter().map(|batch| batch.with(backing)).collect()
    }

    /// What there is of the channels that are wanted.
    pub fn shelf(&self, is_wanted: impl Fn(&ChannelName) -> bool) -> Shelf {
        self.lock().archive.shelf(is_wanted)
    }

    /// Takes a file out of the history that is not as it was written.
    pub fn mend(&self, channel: &ChannelName, path: &Path) {
        let mut state = self.lock();
        let holes = state.archive.mend(channel, path).holes;
        let left = state.archive.log(channel).and_then(Log::last_stored);
        for hole in &holes {
            (state.tell.0)(Gone::Hole(channel, hole, left));
        }
    }

    /// A channel is forgotten, and all that is stored of it.
    pub fn forget(&self, channel: &ChannelName) {
        self.lock().forget(channel.clone());
        self.news.notify_one();
    }

    /// How it is.
    #[must_use]
    pub fn condition(&self) -> Condition {
        let state = self.lock();
        Condition::of(&state.archive, &state.trouble)
    }

    /// Waits until there is something to do, until `until` at most.
    #[must_use]
    pub fn wait(&self, until: Instant) -> Chore {
        let mut state = self.lock();
        loop {
            if !state.gone.is_empty() {
                return Chore::LetGo(std::mem::take(&mut state.gone), std::mem::take(&mut state.forgotten));
            }
            let left = until.saturating_duration_since(Instant::now());
            if state.is_stopping || left.is_zero() {
                return if state.is_stopping { Chore::Stop } else { Chore::Look };
            }
            state = self.news.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Ends all waiting: the daemon stops.
    pub fn stop(&self) {
        self.lock().is_stopping = true;
        self.news.notify_all();
    }

    /// Removes what has been let go, and notes the numbers of channels of which nothing is left.
    pub fn remove(&self, gone: &[LetGo], forgotten: Uncounted) {
        for gone in gone {
            if let Err(error) = retention::remove(&*self.volume, &self.root, gone) {
                warn!("could not remove '{}': {}; it is not part of the history any more", gone.path.display(), reason(&error));
            }
        }
        if forgotten.count > 0 && gone.iter().all(|gone| self.is_removed_for_good(&gone.path)) {
            let noted = self.lock().archive.note_forgotten(forgotten);
            if let Err(error) = noted {
                warn!("could not note what was forgotten in '{}': {}", self.root.display(), reason(&error));
            }
        }
    }

    /// Whether a file cannot be there again, also after a power cut.
    fn is_removed_for_good(&self, path: &Path) -> bool {
        let is_missing = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
        let mut above = path.ancestors().skip(1).take_while(|above| above.starts_with(&self.root));
        let is_safe = above.all(|directory| {
            self.volume.sync_directory(directory).or_else(|error| if is_missing(&error) { Ok(()) } else { Err(error) }).is_ok()
        });
        is_safe && self.volume.open(path).is_err_and(|error| is_missing(&error))
    }

    /// Lets go what is too old, looks whether the directory is still there, and tries again what could not be written; true if the directory is ours.
    pub fn check(&self, now: Millis) -> bool {
        let is_ours = self.lock().check(now);
        if is_ours {
            self.try_again();
        }
        is_ours
    }

    /// Tries to write what could not be written, which may be fed never again; until something fails, for then the rest is likely to.
    fn try_again(&self) {
        let rested = self.lock().trouble.rested();
        for channel in rested {
            // Each under a lock of its own: there may be thousands, and somebody waits to append.
            if self.lock().try_again(&channel).is_err() {
                break;
            }
        }
    }
    /// Makes what has been written safe from a power cut, if that is wanted.
    pub fn sync_in_time(&self) {
        if self.sync == Sync::Interval {
            self.sync();
        }
    }

    /// Makes what has been written safe from a power cut.
    pub fn sync(&self) {
        let taken = self.lock().take_unsynced();
        if taken.0.is_empty() {
            return;
        }
        let synced = archive::sync(&*self.volume, &self.root, &taken);
        let mut state = self.lock();
        state.trouble.note(Kind::Sync, &synced);
        match synced {
            Ok(()) => state.archive.note_synced(taken.1),
            Err(_) => state.owed.join(taken.0),
        }
    }
}

fn entry(batch: &Batch) -> Entry<'_> {
    Entry { last: batch.last(), count: batch.count(), events: batch.encoded(), age: batch.age() }
}

impl State {
    fn append(&mut self, channel: &ChannelName, entries: &[Entry<'_>], source: Option<&str>) -> Backing {
        let count = entries.iter().map(|entry| entry.count).sum();
        if self.trouble.passes_over(channel, count) {
            self.archive.pass_over(channel, entries);
            return Backing::Failed;
        }
        self.to_forget.remove(channel);
        let appended = self.archive.append(channel, entries, source);
        self.trouble.note_append(channel, &appended, count);
        if appended.is_err() {
            return Backing::Failed;
        }
        if let Some(last) = entries.last() {
            self.let_go(last.last.time);
        }
        Backing::Disk
    }

    /// Writes where the source of a channel was, and how much is missing since, without waiting for its next event.
    fn try_again(&mut self, channel: &ChannelName) -> io::Result<()> {
        let alone = Entry { last: self.archive.newest(), count: 0, events: &[], age: Age::New };
        let is_known = self.archive.log(channel).is_some();
        let appended = if is_known { self.archive.append(channel, &[alone], None) } else { Ok(()) };
        self.trouble.note_append(channel, &appended, 0);
        appended
    }

    fn check(&mut self, now: Millis) -> bool {
        self.let_go(now);
        for channel in std::mem::take(&mut self.to_forget) {
            self.forget(channel);
        }
        let checked = self.archive.check();
        // What is wrong with one channel's directory is found by whoever appends to it.
        let place = if self.archive.is_there() {
            Ok(())
        } else {
            checked.as_ref().map(drop).map_err(|error| io::Error::other(reason(error)))
        };
        self.trouble.note(Kind::Place, &place);
        for segment in checked.iter().flatten() {
            let left = self.archive.log(&segment.channel).and_then(Log::last_stored);
            (self.tell.0)(Gone::Lost(segment, left));
        }
        place.is_ok()
    }

    /// What is to be synced, and the last event that it reaches to.
    fn take_unsynced(&mut self) -> (Unsynced, Position) {
        let (mut unsynced, newest) = self.archive.take_unsynced();
        unsynced.join(std::mem::take(&mut self.owed));
        (unsynced, newest)
    }

    fn forget(&mut self, channel: ChannelName) {
        let numbers = self.archive.numbers_of(&channel);
        let gone = self.archive.forget(&channel);
        self.note_gone(gone);
        if self.archive.log(&channel).is_some() {
            self.to_forget.insert(channel);
            return;
        }
        self.forgotten.count += numbers.count;
        self.forgotten.through = self.forgotten.through.max(numbers.through);
    }

    fn let_go(&mut self, now: Millis) {
        let gone = self.archive.let_go(now);
        self.trouble.note(Kind::Retention, &gone);
        self.note_gone(gone.unwrap_or_default());
    }

    /// Told at once: a shelf that is made from now on does not have them.
    fn note_gone(&mut self, gone: Vec<LetGo>) {
        for segment in &gone {
            (self.tell.0)(Gone::LetGo(segment));
        }
        self.gone.extend(gone);
    }
}
