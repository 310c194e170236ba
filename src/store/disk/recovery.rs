//! What is found when a log is opened: cut where it was not written to its end, mended where it is damaged.
//!
//! What was synced is only looked at from outside: the head of each segment, and the line at its end. What was written since is looked through.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::layout;
use super::log::{Log, Repairs, Unsynced};
use super::record::{BadHead, Commit, Head};
use super::segment::{self, Examined, Rest, Segment};
use super::volume::{self, Content, Kind, Volume};
use crate::event::{ChannelName, Millis, Position};

impl Log {
    /// Opens the log of a channel below `root`, empty if it has none, and repairs it where it is not as it was written. What may hold events
    /// above `synced` is looked through; of what is older, the ends.
    ///
    /// # Errors
    /// The directory or a file could not be read or repaired, or a later version has written it.
    pub fn open(
        volume: &Arc<dyn Volume>,
        root: &Path,
        channel: ChannelName,
        began: Millis,
        synced: u64,
    ) -> io::Result<(Self, Repairs)> {
        let directory = root.join(layout::directory_of(&channel));
        let head = Head { channel, began, before: 0 };
        let segments = VecDeque::new();
        let volume = Arc::clone(volume);
        let root = root.to_owned();
        let mut log = Self {
            volume,
            directory,
            root,
            head,
            segments,
            writer: None,
            is_torn: false,
            total: 0,
            is_noted: false,
            unsynced: Unsynced::default(),
            source: None,
        };
        let mut repairs = Repairs::default();
        log.mend_again(&mut repairs)?;
        let mut found = log.list()?;
        let mut next = 0;
        while let Some(&first) = found.get(next) {
            next += 1;
            let replaced = match log.take_in(first, found.get(next).copied(), synced, &mut repairs) {
                Err(error) if error.kind() != io::ErrorKind::Unsupported => log.leave_out(first, &error, &mut repairs),
                replaced => replaced?,
            };
            found.splice(next..next, replaced);
        }
        log.total = log.segments.back().map_or(0, |last| last.total);
        Ok((log, repairs))
    }

    pub(super) fn entries(&self) -> io::Result<Vec<volume::Entry>> {
        match self.volume.list(&self.directory) {
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
    fn take_in(
        &mut self,
        first: Position,
        next: Option<Position>,
        synced: u64,
        repairs: &mut Repairs,
    ) -> io::Result<Vec<Position>> {
        let path = self.path_of(first);
        let file = self.volume.open_to_write(&path)?;
        if let Some((segment, source)) = self.summary(&*file, first, next, synced)? {
            self.add(segment, source);
            return Ok(Vec::new());
        }
        // Whoever wrote it may not have come to that.
        self.unsynced.files.insert(path.clone());
        self.note_names();
        let Examined { head, start, records, rest } = match segment::examine(&file)? {
            Ok(examined) => examined,
            Err(BadHead::Newer(version)) => return Err(newer(&path, version)),
            Err(BadHead::Other) => return self.mend(first, next, repairs),
            Err(BadHead::Unfinished) => {
                repairs.cut += file.length()?;
                return self.forget(&path).map(|()| Vec::new());
            }
        };
        let is_ours = head.channel == self.head.channel && head.began == self.head.began;
        let is_in_order = records.last().is_none_or(|last| next.is_none_or(|next| last.commit.last.number < next.number));
        if !is_ours || !is_in_order || rest == Rest::Damaged {
            return self.mend(first, next, repairs);
        }
        let end = records.last().map_or(start, |last| last.range.end);
        let length = file.length()?;
        repairs.cut += length - end;
        let Some(last) = records.last() else {
            return self.forget(&path).map(|()| Vec::new());
        };
        if end < length {
            file.truncate(end)?;
            file.sync()?;
        }
        let source = records.iter().rev().find_map(|placed| placed.commit.source()).map(Into::into);
        let Commit { last, total, .. } = last.commit;
        self.add(Segment { first, before: head.before, last, total, length: end }, source);
        Ok(Vec::new())
    }

    /// Does without a segment that cannot be read. It is taken out of the way, so that nothing is appended to it.
    fn leave_out(&self, first: Position, error: &io::Error, repairs: &mut Repairs) -> Vec<Position> {
        let path = self.path_of(first);
        repairs.unreadable.push((path.clone(), error.to_string()));
        if let Ok(aside) = self.free_name(&layout::segment_name(first))
            && self.volume.rename(&path, &aside).is_ok()
        {
            repairs.damaged.push(aside);
        }
        Vec::new()
    }

    /// Removes a segment in which nothing was committed.
    fn forget(&self, path: &Path) -> io::Result<()> {
        self.volume.remove(path)?;
        // If it came back, it would stand before what is appended to the one before it.
        self.volume.sync_directory(&self.directory)
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
        let (Ok((head, _)), Some(commit)) = (segment::head_of(file)?, segment::last_commit(file, length)?) else { return Ok(None) };
        let is_ours = head.channel == self.head.channel && head.began == self.head.began;
        let is_in_order = commit.total >= head.before && next.is_none_or(|next| commit.last.number < next.number);
        // One without events is not told by a number of its own.
        let is_synced = commit.last.number <= synced && commit.count > 0 && commit.is_whole();
        let segment = Segment { first, before: head.before, last: commit.last, total: commit.total, length };
        Ok((is_ours && is_in_order && is_synced).then(|| (segment, commit.source().map(Into::into))))
    }
}

fn newer(path: &Path, version: u32) -> io::Error {
    let why = BadHead::Newer(version);
    io::Error::new(io::ErrorKind::Unsupported, format!("'{}': {why}", path.display()))
}
