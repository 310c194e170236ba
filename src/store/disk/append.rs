//! How a log grows: what is read at once is one write, into the last segment or a new one.
//!
//! Whatever fails, at any place: the events are missing then, which the next segment says by what it says of those before it; what the write has left
//! behind is cut or removed before anything else is written; and the log grows again as soon as the disk lets it. A directory that is gone is made
//! again. A segment whose file is gone, or is shorter than it was, is never made again from its middle: another is begun.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::life::{self, NOT_OURS};
use super::log::{Entry, Limits, Log};
use super::record::{Commit, Head, Seal};
use super::segment::Segment;
use super::volume::Content;
use crate::event::{Age, Position};

impl Log {
    /// Appends what was read at once, all of one age, and the source's position behind it, all or nothing. Without a position the one before holds.
    /// A segment ends where the limits say so, and where the age changes. After an error the events are missing: the next segment says so by what it
    /// says of those before it.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn append(&mut self, entries: &[Entry<'_>], source: Option<&str>, limits: Limits, scratch: &mut Vec<u8>) -> io::Result<()> {
        let Some(begins) = entries.first() else { return Ok(()) };
        let head = self.head();
        self.count(entries);
        self.mend_tail()?;
        let number = if begins.count > 0 { begins.last.number - begins.count } else { begins.last.number } + 1;
        let first = Position { number, time: begins.last.time };
        let growing = self.growing(entries, &head, first, limits)?.zip(self.book.last().cloned());
        let age = events_age(entries).or(growing.as_ref().map(|(_, last)| last.age)).unwrap_or(begins.age);
        let source = source.map(Into::into).or_else(|| self.source.clone());
        let seal = source.clone().map_or(Seal::Nowhere, Seal::At);

        scratch.clear();
        if growing.is_none() {
            head.write(scratch);
        }
        let start = scratch.len() as u64;
        let reach = write_records(entries, head.before, age, &seal, scratch);
        let (length, total) = (scratch.len() as u64, self.total);
        let last = entries.iter().rev().find(|entry| entry.count > 0).map(|entry| entry.last);
        if let Some((file, before)) = growing {
            let (last, length) = (last.or(before.last), before.length + length);
            self.grow(&*file, scratch, Segment { last, reach, total, length, age, ..before })?;
        } else {
            let Head { before, preceding, .. } = head;
            self.begin(Segment { first, before, preceding, last, reach, total, start, length, age }, scratch)?;
        }
        (self.source, self.owes_source) = (source, false);
        Ok(())
    }

    /// What the next segment says of itself, if it begins now.
    pub(super) fn head(&self) -> Head {
        Head { channel: self.book.channel().clone(), began: self.began, before: self.total, preceding: self.latest }
    }

    /// The channel has had these events, whatever becomes of them.
    pub(super) fn count(&mut self, entries: &[Entry<'_>]) {
        debug_assert!(entries.iter().all(|entry| entry.age == entries[0].age), "what is read at once is of one age");
        for entry in entries.iter().filter(|entry| entry.count > 0) {
            self.total += entry.count;
            self.latest = Some(entry.last);
            if entry.age == Age::Old {
                self.old_through = entry.last.number;
            }
        }
    }

    /// Cuts what a write that failed has left behind.
    fn mend_tail(&mut self) -> io::Result<()> {
        if let Some(stray) = &self.stray {
            match self.volume.remove(stray) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => removed?,
            }
            self.stray = None;
        }
        if !self.is_torn {
            return Ok(());
        }
        let length = self.book.last().map_or(0, |last| last.length);
        if let Some(file) = self.open_last()? {
            file.truncate(length)?;
        }
        self.is_torn = false;
        Ok(())
    }

    /// The last segment, if these entries may be appended to it.
    fn growing(
        &mut self,
        entries: &[Entry<'_>],
        head: &Head,
        first: Position,
        limits: Limits,
    ) -> io::Result<Option<Arc<dyn Content>>> {
        let Some(last) = self.book.last() else { return Ok(None) };
        let length = entries.iter().map(|entry| entry.events.len() as u64).sum::<u64>();
        let is_alike = last.last.is_none() || events_age(entries).is_none_or(|age| age == last.age);
        let is_small = last.length + length <= limits.bytes;
        let is_young = limits.span.is_none_or(|span| first.time.saturating_sub(last.first.time) <= span);
        // The next would have its name.
        let is_named_so = last.first == first;
        let fits = is_named_so || last.total == head.before && is_alike && is_small && is_young;
        if fits { self.open_last() } else { Ok(None) }
    }

    /// The last segment, if it is there as it was left.
    fn open_last(&mut self) -> io::Result<Option<Arc<dyn Content>>> {
        if let Some(writer) = &self.writer {
            return Ok(Some(Arc::clone(writer)));
        }
        let Some(last) = self.book.last() else { return Ok(None) };
        let file = match self.volume.open_to_write(&self.book.path_of(last.first)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let name = last.first;
                self.lose(|segment| segment.first == name);
                return Ok(None);
            }
            file => file?,
        };
        if file.length()? < last.length {
            return Ok(None); // whoever reads it finds that out
        }
        self.writer = Some(Arc::clone(&file));
        Ok(Some(file))
    }

    /// Appends to the last segment, which then is `grown`.
    fn grow(&mut self, file: &dyn Content, bytes: &[u8], grown: Segment) -> io::Result<()> {
        self.is_torn = true;
        self.note_file(grown.first);
        file.write_at(bytes, grown.length - bytes.len() as u64)?;
        self.is_torn = false;
        self.bytes += bytes.len() as u64;
        if let Some(last) = self.book.last_mut() {
            *last = grown;
        }
        Ok(())
    }

    /// Begins a segment with all that it holds.
    fn begin(&mut self, segment: Segment, bytes: &[u8]) -> io::Result<()> {
        if life::began(&*self.volume, &self.root).is_ok_and(|began| began != self.began) {
            return Err(io::Error::other(NOT_OURS));
        }
        (self.writer, self.is_noted) = (None, false);
        let path = self.book.path_of(segment.first);
        self.stray = Some(path.clone());
        let file = self.create(&path)?;
        self.note_file(segment.first);
        self.unsynced.note_names(self.book.directory(), &self.root);
        file.truncate(0)?;
        file.write_at(bytes, 0)?;
        self.stray = None;
        self.skipped += self.book.last().map_or(0, |last| segment.before.saturating_sub(last.total));
        self.writer = Some(file);
        self.bytes += segment.length;
        match self.book.last_mut().filter(|last| last.first == segment.first) {
            Some(unreadable) => *unreadable = segment,
            None => self.book.push(segment),
        }
        Ok(())
    }

    /// Makes a file, and its directory if that is missing: it may be removed at any time, once as well between the two.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn Content>> {
        self.volume.make_directory(self.book.directory())?;
        match self.volume.create(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.volume.make_directory(self.book.directory())?;
                self.volume.create(path)
            }
            file => file,
        }
    }

    fn note_file(&mut self, first: Position) {
        if !self.is_noted {
            self.unsynced.note_file(self.book.path_of(first));
            self.is_noted = true;
        }
    }

    /// Writes the source's position once more, where the segment that said it is gone. `newest` is the last event of all channels.
    ///
    /// # Errors
    /// What the kernel says; then it is still owed.
    pub(super) fn write_source(&mut self, newest: Position, scratch: &mut Vec<u8>) -> io::Result<()> {
        let nothing = Entry { last: newest, count: 0, events: &[], age: Age::New };
        self.append(&[nothing], None, Limits { bytes: 0, span: None }, scratch)
    }
}

/// The age of the events in these entries, if there are any.
fn events_age(entries: &[Entry<'_>]) -> Option<Age> {
    entries.iter().find(|entry| entry.count > 0).map(|entry| entry.age)
}

/// Writes a record for each entry behind `total` events, and with the last one `seal`; gives its last event.
fn write_records(entries: &[Entry<'_>], mut total: u64, age: Age, seal: &Seal, out: &mut Vec<u8>) -> Position {
    let mut reach = Position { number: 0, time: 0 };
    for (index, Entry { last, count, events, .. }) in entries.iter().enumerate() {
        total += count;
        let seal = if index + 1 < entries.len() { Seal::Open } else { seal.clone() };
        out.extend_from_slice(events);
        Commit { last: *last, count: *count, total, length: events.len() as u64, age, seal }.write(events, out);
        reach = *last;
    }
    reach
}
