//! One channel's history: its segments in order, the last of which grows.
//!
//! # Invariants
//! - Segments are in the order of their names, and a segment's events are not before its name and are before the name of the next.
//! - Inside a segment no event is missing. Where one begins with more events before it than the last one ends with, so many are missing between.
//! - Behind `length` a segment holds nothing that was committed. It is cut there before anything is appended behind a write that failed.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::layout;
use super::record::{Commit, Head, Seal};
use super::segment::{self, Next, Placed, Records, Segment};
use super::volume::{Content, Volume};
use crate::event::{Age, ChannelName, Position};

/// One channel's segments.
#[derive(Debug)]
pub struct Log {
    pub(super) volume: Arc<dyn Volume>,
    pub(super) directory: PathBuf,
    /// The state directory.
    pub(super) root: PathBuf,
    /// What all its segments say of themselves.
    pub(super) head: Head,
    pub(super) segments: VecDeque<Segment>,
    /// The last segment, if it is open; nothing is appended to one that a write has failed on until it has been cut.
    pub(super) writer: Option<Arc<dyn Content>>,
    /// Whether the last segment may hold bytes behind its length.
    pub(super) is_torn: bool,
    /// How many events the channel has had, stored or not.
    pub(super) total: u64,
    /// Whether the last segment is among what a power cut may take.
    pub(super) is_noted: bool,
    /// What a power cut may take.
    pub(super) unsynced: Unsynced,
    /// The source's position behind the last record.
    pub(super) source: Option<Box<str>>,
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

/// What has been written and not been synced.
#[derive(Debug, Default)]
pub struct Unsynced {
    pub(super) files: BTreeSet<PathBuf>,
    /// Directories with new names, each below those that contain it.
    directories: BTreeSet<PathBuf>,
}

impl Unsynced {
    /// Makes all of it safe: the bytes before the names.
    ///
    /// # Errors
    /// What the kernel says of the first that it could not sync.
    pub fn sync(&self, volume: &dyn Volume) -> io::Result<()> {
        for path in &self.files {
            match volume.open(path) {
                Ok(file) => file.sync()?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {} // dropped meanwhile
                Err(error) => return Err(error),
            }
        }
        self.directories.iter().rev().try_for_each(|directory| volume.sync_directory(directory))
    }

    /// Adds what could not be synced, to be tried again.
    pub fn join(&mut self, other: Self) {
        self.files.extend(other.files);
        self.directories.extend(other.directories);
    }
}

/// What was found when a log was opened.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Repairs {
    /// Bytes that had not been committed, and were cut.
    pub cut: u64,
    /// Files that were damaged, by the names under which they are kept.
    pub damaged: Vec<PathBuf>,
    /// What could not be read, and why; it is taken for missing.
    pub unreadable: Vec<(PathBuf, String)>,
}

impl Repairs {
    /// Adds others.
    pub fn join(&mut self, other: Self) {
        self.cut += other.cut;
        self.damaged.extend(other.damaged);
        self.unreadable.extend(other.unreadable);
    }
}

/// A part of the events that a channel has lost, between two that it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hole {
    /// The last event before it; 0 if it is at the beginning.
    pub after: u64,
    /// No event that it has lost there is above this.
    pub through: Position,
    /// How many there were.
    pub count: u64,
}

impl Log {
    pub(super) fn path_of(&self, first: Position) -> PathBuf {
        self.directory.join(layout::segment_name(first))
    }

    pub(super) fn add(&mut self, segment: Segment, source: Option<Box<str>>) {
        self.segments.push_back(segment);
        self.source = source.or(self.source.take());
    }

    /// Appends what was read at once, and the source's position behind it, all or nothing. It begins a new segment if the last would become larger
    /// than `limit` bytes. After an error the events are missing: the next record that can be written tells so by its count.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn append(&mut self, entries: &[Entry<'_>], source: Option<&str>, limit: u64, scratch: &mut Vec<u8>) -> io::Result<()> {
        let before = self.total;
        self.total += entries.iter().map(|entry| entry.count).sum::<u64>();
        self.mend_tail()?;
        let length = entries.iter().map(|entry| entry.events.len() as u64).sum::<u64>();
        let fits = |last: &Segment| last.total == before && last.length + length <= limit;
        let is_new = !self.segments.back().is_some_and(fits);
        scratch.clear();
        if is_new {
            Head { before, ..self.head.clone() }.write(scratch);
        }
        let mut total = before;
        let mut commits = Vec::with_capacity(entries.len());
        for (index, entry) in entries.iter().enumerate() {
            let Entry { last, count, events, age } = *entry;
            total += count;
            let seal = match source {
                _ if index + 1 < entries.len() => Seal::Open,
                Some(position) => Seal::At(position.into()),
                None => Seal::Nowhere,
            };
            let commit = Commit { last, count, total, length: events.len() as u64, age, seal };
            scratch.extend_from_slice(events);
            commit.write(events, scratch);
            commits.push(commit);
        }
        let (Some(first), Some(last)) = (commits.first(), commits.last()) else { return Ok(()) };
        if is_new {
            self.begin_segment(first, before)?;
        }
        self.write(scratch, last)
    }

    /// Cuts what a write that failed has left behind.
    fn mend_tail(&mut self) -> io::Result<()> {
        if let Some(last) = self.segments.back().filter(|_| self.is_torn) {
            let length = last.length;
            self.open_last()?.truncate(length)?;
            self.is_torn = false;
            if length == 0 {
                self.segments.pop_back(); // it was never begun
                self.is_noted = false;
                self.writer = None;
            }
        }
        Ok(())
    }

    fn begin_segment(&mut self, commit: &Commit, before: u64) -> io::Result<()> {
        self.writer = None;
        self.is_noted = false;
        let first = Position { number: commit.first().unwrap_or(commit.last.number + 1), time: commit.last.time };
        self.volume.make_directory(&self.directory)?;
        self.note_names();
        self.segments.push_back(Segment { first, before, last: commit.last, total: before, length: 0 });
        self.is_torn = true; // until its head is written
        self.open_last()?.truncate(0)
    }

    fn write(&mut self, bytes: &[u8], commit: &Commit) -> io::Result<()> {
        let file = self.open_last()?;
        let Some(last) = self.segments.back_mut() else { return Ok(()) };
        self.is_torn = true;
        if !self.is_noted {
            self.unsynced.files.insert(self.directory.join(layout::segment_name(last.first)));
            self.is_noted = true;
        }
        file.write_at(bytes, last.length)?;
        self.is_torn = false;
        last.length += bytes.len() as u64;
        (last.last, last.total) = (commit.last, commit.total);
        self.source = commit.source().map(Into::into).or(self.source.take());
        Ok(())
    }

    fn open_last(&mut self) -> io::Result<Arc<dyn Content>> {
        if let Some(writer) = &self.writer {
            return Ok(Arc::clone(writer));
        }
        let path = self.segments.back().map(|last| self.path_of(last.first)).unwrap_or_default();
        let file = self.volume.open_to_write(&path)?;
        self.writer = Some(Arc::clone(&file));
        Ok(file)
    }

    /// What has been written since this was asked last.
    pub fn take_unsynced(&mut self) -> Unsynced {
        self.is_noted = false;
        std::mem::take(&mut self.unsynced)
    }

    /// The directory has a new name, and so may those above it.
    pub(super) fn note_names(&mut self) {
        let above = self.directory.ancestors().take_while(|directory| directory.starts_with(&self.root));
        self.unsynced.directories.extend(above.map(Path::to_owned));
    }

    /// Closes the file that grows, until the next record.
    pub fn close(&mut self) {
        self.writer = None;
    }

    /// What its segments take, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.length).sum()
    }

    /// How many events it holds above a number.
    ///
    /// # Errors
    /// A file could not be read.
    pub fn count_above(&self, number: u64) -> io::Result<u64> {
        let mut count = 0;
        for segment in self.segments.iter().filter(|segment| segment.last.number > number) {
            if segment.first.number > number {
                count += segment.total - segment.before;
                continue;
            }
            let file = self.volume.open(&self.path_of(segment.first))?;
            let Ok((_, start)) = segment::head_of(&*file)? else { continue };
            let mut records = Records::new(file, start..segment.length);
            while let Next::Record(Placed { commit, .. }, _) = records.read()? {
                count += commit.count.min(commit.last.number.saturating_sub(number));
            }
        }
        Ok(count)
    }

    /// Lets the oldest segment go; gives its last event, and how many it had. The source's position stays. `None` if there is nothing to let go.
    /// `newest` is the last event of all channels, and what is not above `synced` is safe.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn drop_oldest(&mut self, newest: Position, synced: u64, scratch: &mut Vec<u8>) -> io::Result<Option<(Position, u64)>> {
        let Some(oldest) = self.segments.front().cloned() else { return Ok(None) };
        if self.segments.len() == 1 {
            if oldest.total == oldest.before {
                return Ok(None);
            }
            let position = Entry { last: newest, count: 0, events: &[], age: Age::New };
            let source = self.source.clone();
            self.append(&[position], source.as_deref(), 0, scratch)?;
        }
        // Or a power cut could take what is left as well, and with it the source's position.
        if let Some(next) = self.segments.get(1).filter(|next| next.first.number > synced) {
            self.volume.open(&self.path_of(next.first))?.sync()?;
            self.volume.sync_directory(&self.directory)?;
        }
        self.volume.remove(&self.path_of(oldest.first))?;
        self.note_names();
        self.segments.pop_front();
        Ok(Some((oldest.last, oldest.total - oldest.before)))
    }

    /// Takes all segments out of the way.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn move_all_aside(mut self, repairs: &mut Repairs) -> io::Result<()> {
        while let Some(segment) = self.segments.pop_front() {
            let aside = self.free_name(&layout::segment_name(segment.first))?;
            self.volume.rename(&self.path_of(segment.first), &aside)?;
            repairs.damaged.push(aside);
        }
        self.volume.sync_directory(&self.directory)
    }

    /// What one of the segments of a channel says of itself.
    #[must_use]
    pub fn any_head(volume: &dyn Volume, root: &Path, channel: &ChannelName) -> Option<Head> {
        let directory = root.join(layout::directory_of(channel));
        let names =
            volume.list(&directory).ok()?.into_iter().filter(|entry| entry.name.to_str().and_then(layout::first_of).is_some());
        let heads = names.filter_map(|entry| segment::head_of(&*volume.open(&directory.join(entry.name)).ok()?).ok()?.ok());
        heads.map(|(head, _)| head).next()
    }

    /// Its segments, oldest first.
    #[must_use]
    pub fn segments(&self) -> impl DoubleEndedIterator<Item = &Segment> {
        self.segments.iter()
    }

    /// Its segments and their files, oldest first.
    #[must_use]
    pub fn files(&self) -> VecDeque<(PathBuf, Segment)> {
        self.segments.iter().map(|segment| (self.path_of(segment.first), segment.clone())).collect()
    }

    /// No number up to this may be given again: neither an event's, nor one below a segment's name.
    #[must_use]
    pub fn newest(&self) -> Option<Position> {
        let last = self.segments.back()?;
        Some(last.last.max(Position { number: last.first.number - 1, time: last.first.time }))
    }

    /// The source's position behind the last record that has one.
    #[must_use]
    pub fn source(&self) -> Option<&str> {
        self.source.as_deref()
    }

    /// Where events are missing, oldest first.
    pub fn holes(&self) -> impl Iterator<Item = Hole> + '_ {
        let before = std::iter::once((0, 0)).chain(self.segments.iter().map(|segment| (segment.last.number, segment.total)));
        before.zip(&self.segments).filter_map(|((after, total), segment)| {
            let count = segment.before.checked_sub(total).filter(|count| *count > 0)?;
            let through = Position { number: segment.first.number - 1, time: segment.first.time };
            Some(Hole { after, through, count })
        })
    }
}
