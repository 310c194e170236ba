//! What is done with a segment that is not as it was written.
//!
//! What was not written to its end is cut. Where anything else is wrong, the file is taken out of the way, what is good in it is written into new
//! segments, one for each run of records in which none is missing, and the file is kept for whoever wants to look at it:
//!
//! ```text
//! NAME.sse ▸ NAME.sse.mending ▸ (the new segments) ▸ NAME.sse.damaged
//! ```
//!
//! Whoever finds a file that is being mended does it once more: a crash at any step costs nothing. It is the same at the start, for what is found by
//! looking, and while the daemon runs, for what is found by reading.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use memchr::memmem;

use super::hole::Hole;
use super::layout;
use super::log::{Log, Repairs};
use super::record::{self, Commit, Found, Head, Record};
use super::segment::{self, Segment};
use super::volume::{Content, Kind};
use crate::errno::reason;
use crate::event::Position;

/// How many files of the same name are kept aside.
const MOST_ASIDE: u32 = 1000;

impl Log {
    /// Finishes what a crash has interrupted.
    pub(super) fn mend_again(&self, repairs: &mut Repairs) -> io::Result<()> {
        let entries = self.entries()?;
        let names = entries.iter().filter(|entry| matches!(entry.kind, Kind::File(_))).filter_map(|entry| entry.name.to_str());
        for name in names.filter_map(layout::mended_of) {
            let next = self.list()?.into_iter().find(|found| layout::segment_name(*found).as_str() > name);
            self.split(name, next, repairs)?;
        }
        Ok(())
    }

    /// Replaces a segment by what is good in it; gives the new ones.
    pub(super) fn mend(&self, first: Position, next: Option<Position>, repairs: &mut Repairs) -> io::Result<Vec<Position>> {
        let name = layout::segment_name(first);
        self.volume.rename(&self.book.directory().join(&name), &self.book.directory().join(layout::mending_name(&name)))?;
        self.volume.sync_directory(self.book.directory())?;
        self.split(&name, next, repairs)
    }

    /// The second and third step.
    fn split(&self, name: &str, next: Option<Position>, repairs: &mut Repairs) -> io::Result<Vec<Position>> {
        let mending = self.book.directory().join(layout::mending_name(name));
        let bytes = whole(&*self.volume.open(&mending)?)?;
        let head = Head::read(&bytes);
        let mut runs = match &head {
            Ok((head, start)) if self.is_ours(head) => runs_of(&bytes, *start),
            // Another channel's, or of another life: nothing in it is ours.
            Ok(_) => Vec::new(),
            Err(_) => runs_of(&bytes, 0),
        };
        // How many events there have been, and the last of them, as far as somebody says so.
        let mut known = head.ok().map(|(head, _)| (head.before, head.preceding));
        if let Some(last) = runs.last_mut().filter(|_| next.is_none()) {
            // The source would give them again.
            let whole = last.iter().rposition(|record| record.commit.is_whole()).map_or(0, |last| last + 1);
            last.truncate(whole);
        }
        let mut made = Vec::new();
        for run in runs {
            let run: Vec<_> = run.into_iter().take_while(|record| is_before(&record.commit, next)).collect();
            let (Some(begins), Some(ends)) = (run.first(), run.last()) else { continue };
            let name = match run.iter().find(|record| record.commit.count > 0) {
                Some(record) => Position { number: record.commit.last.number + 1 - record.commit.count, ..record.commit.last },
                // Only the last positions of the source are worth a segment.
                None if next.is_none() => Position { number: ends.commit.last.number + 1, ..ends.commit.last },
                None => continue,
            };
            let before = begins.commit.total - begins.commit.count;
            let none = (before == 0).then_some(Position { number: 0, time: self.began });
            let preceding = known.filter(|(total, _)| *total == before).and_then(|(_, preceding)| preceding).or(none);
            let last = run.iter().rfind(|record| record.commit.count > 0).map(|record| record.commit.last);
            known = Some((ends.commit.total, last.or(preceding)));
            self.write_segment(name, &Head { before, preceding, ..self.head() }, &bytes[begins.events.start..ends.end])?;
            made.retain(|before| *before != name);
            made.push(name);
        }
        self.volume.sync_directory(self.book.directory())?;
        let aside = self.free_name(name)?;
        self.volume.rename(&mending, &aside)?;
        self.volume.sync_directory(self.book.directory())?;
        repairs.damaged.push(aside);
        Ok(made)
    }

    /// Takes all segments out of the way.
    ///
    /// # Errors
    /// What the kernel says.
    pub(super) fn move_all_aside(&self, repairs: &mut Repairs) -> io::Result<()> {
        for segment in self.book.iter() {
            let aside = self.free_name(&layout::segment_name(segment.first))?;
            self.volume.rename(&self.book.path_of(segment.first), &aside)?;
            repairs.damaged.push(aside);
        }
        self.volume.sync_directory(self.book.directory())
    }

    fn write_segment(&self, name: Position, head: &Head, records: &[u8]) -> io::Result<()> {
        let mut whole = Vec::with_capacity(records.len() + 256);
        head.write(&mut whole);
        whole.extend_from_slice(records);
        let file = self.volume.create(&self.book.path_of(name))?;
        file.truncate(0)?;
        file.write_at(&whole, 0)?;
        file.sync()
    }

    pub(super) fn free_name(&self, name: &str) -> io::Result<PathBuf> {
        let taken = self.entries()?;
        let mut names = (0..MOST_ASIDE).map(|nth| layout::damaged_name(name, nth));
        let free = names.find(|name| taken.iter().all(|entry| entry.name != OsStr::new(name)));
        free.map(|name| self.book.directory().join(name))
            .ok_or_else(|| io::Error::other("too many damaged files of one name are kept"))
    }
}

/// What was done with a segment that could not be read as it was written.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Mended {
    /// What was found and done.
    pub repairs: Repairs,
    /// The holes that are new: which events are missing now. One that lay beside an older hole is told together with that.
    pub holes: Vec<Hole>,
}

impl Log {
    /// Mends the segment of this file, if it is one of the list and not as it was written. One of which nothing can be read, and one that cannot be
    /// moved, is taken out of the list.
    pub(super) fn mend_listed(&mut self, path: &Path) -> Mended {
        let mut mended = Mended::default();
        let segments: Vec<_> = self.book.iter().cloned().collect();
        let Some(index) = segments.iter().position(|segment| self.book.path_of(segment.first) == path) else { return mended };
        let before: Vec<_> = self.holes().collect();
        let next = segments.get(index + 1).map(|next| next.first);
        if next.is_none() {
            self.writer = None;
        }
        let replaced = match self.is_as_written(&segments[index]) {
            Ok(true) => return mended,
            Ok(false) => self.mend(segments[index].first, next, &mut mended.repairs).unwrap_or_else(|error| {
                mended.repairs.unreadable.push((path.to_owned(), reason(&error)));
                Vec::new()
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => self.leave_out(segments[index].first, &error, &mut mended.repairs),
        };
        self.put_in_place(&segments, index, &replaced, &mut mended.repairs);
        // A hole may have grown around those that there were.
        let was_in = |hole: &Hole| {
            let known = before.iter().filter(|known| known.after >= hole.after && known.through.number <= hole.through.number);
            known.map(|known| known.count).sum::<u64>()
        };
        let grown = self.holes().map(|hole| Hole { count: hole.count.saturating_sub(was_in(&hole)), ..hole });
        mended.holes = grown.filter(|hole| hole.count > 0).collect();
        mended
    }

    /// Whether a segment is as it was written, up to its length.
    fn is_as_written(&self, segment: &Segment) -> io::Result<bool> {
        let file = self.volume.open(&self.book.path_of(segment.first))?;
        let examined = segment::examine(&file)?;
        Ok(examined.is_ok_and(|examined| {
            let reaches = examined.records.iter().any(|placed| placed.range.end == segment.length);
            reaches && self.is_ours(&examined.head)
        }))
    }

    /// Lists others in the place of the segment at `index`.
    fn put_in_place(&mut self, segments: &[Segment], index: usize, replaced: &[Position], repairs: &mut Repairs) {
        let (source, next) = (self.source.take(), segments.get(index + 1).map(|next| next.first));
        self.book.set(segments[..index].iter().cloned());
        for (nth, first) in replaced.iter().enumerate() {
            let next = replaced.get(nth + 1).copied().or(next);
            if let Err(error) = self.take_in(*first, next, u64::MAX, repairs) {
                repairs.unreadable.push((self.book.path_of(*first), reason(&error)));
            }
        }
        let kept: Vec<_> = self.book.iter().chain(&segments[index + 1..]).cloned().collect();
        self.book.set(kept);
        self.bytes = self.book.iter().map(|segment| segment.length).sum();
        self.source = source;
        if next.is_none() {
            (self.is_torn, self.is_noted, self.owes_source) = (false, false, true);
        }
    }
}

/// All bytes of a file.
fn whole(file: &dyn Content) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(file.length()?).unwrap_or(usize::MAX)];
    let count = file.read_at(&mut bytes, 0)?;
    bytes.truncate(count);
    Ok(bytes)
}

fn is_before(commit: &Commit, next: Option<Position>) -> bool {
    next.is_none_or(|next| commit.last.number < next.number)
}

/// The good records behind a place, by runs in which none is missing.
fn runs_of(bytes: &[u8], start: usize) -> Vec<Vec<Record>> {
    let mut runs: Vec<Vec<Record>> = Vec::new();
    let mut at = Some(start);
    while let Some(start) = at {
        match record::record_at(bytes, start) {
            Found::Record(record) => {
                at = Some(record.end);
                let follows = |run: &&mut Vec<Record>| {
                    run.last().is_some_and(|before| before.end == record.events.start && record.commit.follows(&before.commit))
                };
                match runs.last_mut().filter(follows) {
                    Some(run) => run.push(record),
                    None => runs.push(vec![record]),
                }
            }
            Found::Bad | Found::Unfinished => at = next_start(bytes, start),
        }
    }
    runs
}

/// Where a record may begin: behind the next commit, whether that is good or not.
fn next_start(bytes: &[u8], from: usize) -> Option<usize> {
    let commit = from + memmem::find(&bytes[from..], record::COMMIT_LINE)? + 1;
    let newline = memchr::memchr(b'\n', &bytes[commit..])?;
    Some(commit + newline + 1)
}
