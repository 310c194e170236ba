//! What is found when a log is opened: cut where it was not written to its end, mended where it is damaged.
//!
//! What was synced is only looked at from outside: the head of each segment, and the line at its end. What was written since is looked through.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::layout;
use super::log::{Log, Repairs};
use super::mend::Safe;
use super::record::{BadHead, Commit, Head};
use super::segment::{self, Rest, Segment};
use super::volume::{self, Content, Kind, Volume};
use crate::event::{Age, ChannelName, Millis, Position};

impl Log {
    /// Opens the log of a channel below `root`, empty if it has none, and repairs it where it is not as it was written. What may hold events
    /// above `synced` is looked through; of what is older, the ends.
    ///
    /// # Errors
    /// A later version has written it, or there is no descriptor or no memory left: then nothing can be said of it now.
    pub fn open(
        volume: &Arc<dyn Volume>,
        root: &Path,
        channel: ChannelName,
        began: Millis,
        synced: u64,
    ) -> io::Result<(Self, Repairs)> {
        let mut log = Self::new(Arc::clone(volume), root.to_owned(), channel, began);
        let mut repairs = Repairs::default();
        log.mend_again(&mut repairs)?;
        let mut found: Vec<_> = log.list().or_else(|error| repairs.go_without(log.book.directory(), error))?;
        let mut next = 0;
        while let Some(&first) = found.get(next) {
            next += 1;
            let replaced = match log.take_in(first, found.get(next).copied(), synced, &mut repairs) {
                Err(error) if !is_newer(&error) => log.leave_out(first, error, &mut repairs)?,
                replaced => replaced?,
            };
            found.splice(next..next, replaced);
        }
        if let Some(last) = log.book.last() {
            // What was being forgotten may be there again, and what was begun behind it does not know of it.
            let held = log.book.with_events_before(log.book.len()).and_then(|(_, segment)| segment.last);
            (log.total, log.latest) =
                (last.total, last.last.or(last.preceding).map(|latest| held.map_or(latest, |held| held.max(latest))));
        }
        let old = |segment: &&Segment| segment.age == Age::Old && segment.last.is_some();
        log.old_through = log.book.iter().rfind(old).and_then(Segment::last_number).unwrap_or(0);
        Ok((log, repairs))
    }

    pub(super) fn add(&mut self, segment: Segment, source: Option<Box<str>>) {
        self.bytes += segment.length;
        self.book.push(segment);
        self.source = source.or(self.source.take());
    }

    pub(super) fn entries(&self) -> io::Result<Vec<volume::Entry>> {
        match self.volume.list(self.book.directory()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            entries => entries,
        }
    }

    /// The segments that are there, by their names, oldest first.
    pub(super) fn list(&self) -> io::Result<Vec<Position>> {
        let files = self.entries()?.into_iter().filter(|entry| matches!(entry.kind, Kind::File(_)));
        let mut found: Vec<_> = files.filter_map(|entry| layout::first_of(entry.name.to_str()?)).collect();
        found.sort_unstable();
        Ok(found)
    }

    /// Takes in a segment that was found; if it had to be replaced, gives what it was replaced by.
    pub(super) fn take_in(
        &mut self,
        first: Position,
        next: Option<Position>,
        synced: u64,
        repairs: &mut Repairs,
    ) -> io::Result<Vec<Position>> {
        let path = self.book.path_of(first);
        let file = self.volume.open_to_write(&path)?;
        if let Some((segment, source)) = self.summary(&*file, first, next, synced)? {
            self.add(segment, source);
            return Ok(Vec::new());
        }
        // Whoever wrote it may not have come to that.
        self.unsynced.note_file(path.clone());
        self.unsynced.note_names(self.book.directory(), &self.root);
        let examined = match segment::examine(&file)? {
            Ok(examined) => examined,
            Err(BadHead::Newer(version)) => return Err(newer(&path, version)),
            Err(BadHead::Other) => return self.mend(first, next, Safe::Now, repairs),
            Err(BadHead::Unfinished) => {
                repairs.cut += file.length()?;
                return self.forget(&path).map(|()| Vec::new());
            }
        };
        if !self.is_ours(&examined.head) || !examined.is_before(next) || examined.rest == Rest::Damaged {
            return self.mend(first, next, Safe::Now, repairs);
        }
        let length = file.length()?;
        let Some(segment) = Segment::of(first, &examined) else {
            repairs.cut += length - examined.start;
            return self.forget(&path).map(|()| Vec::new());
        };
        repairs.cut += length - segment.length;
        if segment.length < length {
            file.truncate(segment.length)?;
            file.sync()?;
        }
        let source = examined.records.iter().rev().find_map(|placed| placed.commit.source()).map(Into::into);
        self.add(segment, source);
        Ok(Vec::new())
    }

    pub(super) fn is_ours(&self, head: &Head) -> bool {
        head.channel == *self.book.channel() && head.began == self.began
    }

    /// Does without a segment that cannot be read. It is taken out of the way, so that nothing is appended to it.
    ///
    /// # Errors
    /// There is no descriptor or no memory left.
    pub(super) fn leave_out(&self, first: Position, error: io::Error, repairs: &mut Repairs) -> io::Result<Vec<Position>> {
        let path = self.book.path_of(first);
        let nothing = repairs.go_without(&path, error)?;
        if let Ok(aside) = self.free_name(&layout::segment_name(first))
            && self.volume.rename(&path, &aside).is_ok()
        {
            repairs.damaged.push(aside);
        }
        Ok(nothing)
    }

    /// Removes a segment in which nothing was committed.
    fn forget(&self, path: &Path) -> io::Result<()> {
        self.volume.remove(path)?;
        // If it came back, it would stand before what is appended to the one before it.
        self.volume.sync_directory(self.book.directory())
    }

    /// What a segment says of itself at both ends, if that fits together and all of it was synced.
    fn summary(
        &self,
        file: &dyn Content,
        first: Position,
        next: Option<Position>,
        synced: u64,
    ) -> io::Result<Option<(Segment, Option<Box<str>>)>> {
        let length = file.length()?;
        let (Ok((head, start)), Some(commit)) = (segment::head_of(file)?, segment::last_commit(file, length)?) else {
            return Ok(None);
        };
        let is_in_order = commit.total >= head.before && next.is_none_or(|next| commit.last.number < next.number);
        // One without events is not told by a number of its own.
        let is_synced = commit.last.number <= synced && commit.count > 0 && commit.is_whole();
        let is_ours = self.is_ours(&head);
        let Head { before, preceding, .. } = head;
        let Commit { last, total, age, .. } = commit;
        let segment = Segment { first, before, preceding, last: Some(last), reach: last, total, start, length, age };
        Ok((is_ours && is_in_order && is_synced).then(|| (segment, commit.source().map(Into::into))))
    }
}

/// A later version has written a segment.
pub(super) fn newer(path: &Path, version: u32) -> io::Error {
    let why = BadHead::Newer(version);
    io::Error::new(io::ErrorKind::Unsupported, format!("'{}': {why}", path.display()))
}

/// Whether an error says that; the kernel's own of this kind have numbers.
fn is_newer(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported && error.raw_os_error().is_none()
}
