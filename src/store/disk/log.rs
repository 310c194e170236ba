//! One channel's history: its segments in order, the last of which grows.
//!
//! # Invariants
//! - Segments are in the order of their names, and a segment's events are not before its name and are before the name of the next.
//! - Inside a segment no event is missing, and all are of one age. Where one begins with more events before it than the last one ends with, so many
//!   are missing between.
//! - Behind `length` a segment holds nothing that was committed. It is cut there before anything is appended behind a write that failed.
//! - Every segment says the source's position, if the channel has had one: whatever goes, the newest that is left says it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::book::Book;
use super::hole::{self, Hole};
use super::layout;
use super::record::{BadHead, Head};
use super::retention::LetGo;
use super::segment::{self, Segment};
use super::unsynced::Unsynced;
use super::volume::{Content, Kind, Stamp, Volume};
use crate::errno::{is_scarcity, reason};
use crate::event::{Age, ChannelName, Millis, Position};

/// One channel's segments.
///
/// What an index of channels has to know at the start, it asks here: how many events there have been ([`Log::total`]), up to where
/// ([`Log::latest`], [`Log::old_through`]), whether any is held ([`Log::has_events`]) and which are not ([`Log::holes`]), and where the source
/// goes on ([`Log::source`]).
#[derive(Debug)]
pub struct Log {
    pub(super) volume: Arc<dyn Volume>,
    /// The state directory.
    pub(super) root: PathBuf,
    /// When the life began in which its events are numbered.
    pub(super) began: Millis,
    pub(super) book: Book,
    /// What its segments take, in bytes.
    pub(super) bytes: u64,
    /// The last segment, if it is open; nothing is appended to one that a write has failed on until it has been cut.
    pub(super) writer: Option<Arc<dyn Content>>,
    /// Whether the last segment may hold bytes behind its length.
    pub(super) is_torn: bool,
    /// A file that was begun and could not be written: whatever is in it does not count.
    pub(super) stray: Option<PathBuf>,
    /// How many events the channel has had, stored or not.
    pub(super) total: u64,
    /// The last of them; number 0 if there was none; `None` if damage has made it unknown.
    pub(super) latest: Option<Position>,
    /// The number of the last old one.
    pub(super) old_through: u64,
    /// Whether the last segment is among what a power cut may take.
    pub(super) is_noted: bool,
    /// What a power cut may take.
    pub(super) unsynced: Unsynced,
    /// The source's position behind the last record.
    pub(super) source: Option<Box<str>>,
    /// Whether the newest segment, which said that, is gone.
    pub(super) owes_source: bool,
    /// How many events could not be written before a segment that was begun, until that has been noted.
    pub(super) skipped: u64,
    /// How its directory was when its names were compared last.
    pub(super) stamp: Option<Stamp>,
    /// How much of its bytes is in the archive's sum.
    pub(super) counted: u64,
    /// What was found to be gone without having been let go.
    pub(super) lost: Vec<LetGo>,
}

/// What is appended: the events of a batch.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// The last of them; without events the newest of all.
    pub last: Position,
    /// How many.
    pub count: u64,
    /// As they are sent.
    pub events: &'a [u8],
    /// Whether they came or were there.
    pub age: Age,
}

/// When a segment is ended, and the next begun.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Before it becomes larger than this, in bytes.
    pub bytes: u64,
    /// When its first event is older than this, in milliseconds.
    pub span: Option<Millis>,
}

/// What was found when a log was opened.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Repairs {
    /// Bytes that had not been committed, and were cut.
    pub cut: u64,
    /// Files that were damaged, by the names under which they are kept.
    pub damaged: Vec<PathBuf>,
    /// What could not be read or mended, and why; what is in it is taken for missing.
    pub unreadable: Vec<(PathBuf, String)>,
    /// Small files that were damaged, or missing although there is history: what they said has been found otherwise, or is not known.
    pub small: Vec<PathBuf>,
    /// Small files that could not be written, and why.
    pub unwritten: Vec<(PathBuf, String)>,
}

impl Repairs {
    /// Says that something cannot be used, and gives nothing in its place.
    ///
    /// # Errors
    /// The error says nothing of it: there is no descriptor or no memory left.
    pub(super) fn go_without<T: Default>(&mut self, path: &Path, error: io::Error) -> io::Result<T> {
        if is_scarcity(&error) {
            return Err(error);
        }
        self.unreadable.push((path.to_owned(), reason(&error)));
        Ok(T::default())
    }

    /// Adds others.
    pub fn join(&mut self, other: Self) {
        self.cut += other.cut;
        self.damaged.extend(other.damaged);
        self.unreadable.extend(other.unreadable);
        self.small.extend(other.small);
        self.unwritten.extend(other.unwritten);
    }
}

impl Log {
    /// The log of a channel that has nothing; what may be in its directory is not looked at.
    #[must_use]
    pub(super) fn new(volume: Arc<dyn Volume>, root: PathBuf, channel: ChannelName, began: Millis) -> Self {
        let directory = root.join(layout::directory_of(&channel));
        Self {
            volume,
            root,
            began,
            book: Book::new(channel, directory),
            bytes: 0,
            writer: None,
            is_torn: false,
            stray: None,
            total: 0,
            latest: Some(Position { number: 0, time: began }),
            old_through: 0,
            is_noted: false,
            unsynced: Unsynced::default(),
            source: None,
            owes_source: false,
            skipped: 0,
            stamp: None,
            counted: 0,
            lost: Vec::new(),
        }
    }

    /// What has been written since this was asked last.
    pub fn take_unsynced(&mut self) -> Unsynced {
        self.is_noted = false;
        std::mem::take(&mut self.unsynced)
    }

    /// Closes the file that grows, until the next record.
    pub fn close(&mut self) {
        self.writer = None;
    }

    /// What its segments take, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What the segments of a channel say of themselves, also those that are being mended, as far as they can be read.
    ///
    /// # Errors
    /// There is no descriptor or no memory left.
    pub fn heads(volume: &dyn Volume, root: &Path, channel: &ChannelName) -> io::Result<Vec<(PathBuf, Result<Head, BadHead>)>> {
        let directory = root.join(layout::directory_of(channel));
        let is_ours = |name: &str| layout::first_of(name).is_some() || layout::mended_of(name).is_some();
        let entries = volume.list(&directory).or_else(nothing_unless_scarce)?.into_iter();
        let files = entries.filter(|entry| matches!(entry.kind, Kind::File(_)) && entry.name.to_str().is_some_and(is_ours));
        let mut heads = Vec::new();
        for path in files.map(|entry| directory.join(entry.name)) {
            let head = volume.open(&path).and_then(|file| segment::head_of(&*file)).map(Some).or_else(nothing_unless_scarce)?;
            heads.extend(head.map(|head| (path, head.map(|(head, _)| head))));
        }
        Ok(heads)
    }

    /// Its segments, oldest first.
    #[must_use]
    pub fn segments(&self) -> impl DoubleEndedIterator<Item = &Segment> {
        self.book.iter()
    }

    /// No number up to this may be given again: neither an event's, nor one below a segment's name.
    #[must_use]
    pub fn newest(&self) -> Option<Position> {
        let last = self.book.last()?;
        Some(last.reach.max(Position { number: last.first.number.saturating_sub(1), time: last.first.time }))
    }

    /// How many events the channel has had, stored or not, as far as that is known: what was lost at the end of an earlier run is not counted, nor
    /// what was forgotten, even if a crash came before the files were removed.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The last event that the channel has had, stored or not, as far as that is known; number 0 if it has had none. `None` if damage has made it
    /// unknown.
    #[must_use]
    pub fn latest(&self) -> Option<Position> {
        self.latest
    }

    /// The number of the last old event that the channel has had, as far as that is known; 0 if it has had none.
    #[must_use]
    pub fn old_through(&self) -> u64 {
        self.old_through
    }

    /// Whether it holds any event: it may hold the source's position alone.
    #[must_use]
    pub fn has_events(&self) -> bool {
        self.book.with_events_before(self.book.len()).is_some()
    }

    /// How many numbers its events have had: those that it holds and those that are missing. More than [`Self::total`] if what was forgotten is there
    /// again.
    #[must_use]
    pub fn numbers(&self) -> u64 {
        let held = self.book.iter().map(Segment::count);
        held.chain(self.holes().map(|hole| hole.count)).fold(0, u64::saturating_add)
    }

    /// How many events are missing between its segments.
    #[must_use]
    pub fn missing(&self) -> u64 {
        let pairs = self.book.iter().zip(self.book.iter().skip(1));
        pairs.map(|(segment, next)| next.before.saturating_sub(segment.total)).fold(0, u64::saturating_add)
    }

    /// The last event that it holds.
    #[must_use]
    pub fn last_stored(&self) -> Option<Position> {
        self.book.with_events_before(self.book.len()).and_then(|(_, segment)| segment.last)
    }

    /// The first event that it holds.
    #[must_use]
    pub fn first_stored(&self) -> Option<Position> {
        self.book.iter().find(|segment| segment.count() > 0).map(|segment| segment.first)
    }

    /// The source's position behind the last record.
    #[must_use]
    pub fn source(&self) -> Option<&str> {
        self.source.as_deref()
    }

    /// Where events are missing, oldest first; also at the end, where the last were not written.
    pub fn holes(&self) -> impl Iterator<Item = Hole> + use<> {
        hole::holes(&self.book, self.total, self.latest).into_iter()
    }
}

/// Nothing, for what cannot be read.
fn nothing_unless_scarce<T: Default>(error: io::Error) -> io::Result<T> {
    if is_scarcity(&error) { Err(error) } else { Ok(T::default()) }
}
