//! What is done with a segment that is not as it was written.
//!
//! What was not written to its end is cut. Where anything else is wrong, the file is taken out of the way, what is good in it is written into new
//! segments, one for each run of records in which none is missing, and the file is kept for whoever wants to look at it:
//!
//! ```text
//! NAME.sse ▸ NAME.sse.mending ▸ (the new segments) ▸ NAME.sse.damaged
//! ```
//!
//! Whoever finds a file that is being mended does it once more: a crash at any step costs nothing, for the last step is made when what was made is safe
//! from a power cut. At the start, for what is found by looking, that is at once; while the daemon runs, for what is found by reading, it is with the
//! next sync, because nobody waits for the disk under the archive's lock. What was made then may have grown before a crash: it is left as it is.
//!
//! However large a file is, what is held of it is one record, and the places of the others.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::hole::Hole;
use super::layout;
use super::log::{Log, Repairs};
use super::record::{Commit, Head, MAX_HEAD};
use super::segment::{self, Next, Placed, Reading, Records, Segment};
use super::volume::{Content, Kind};
use crate::errno::{is_scarcity, reason};
use crate::event::Position;

/// How many files are open at once while a segment is mended.
const SPARE: usize = 4;

/// When what is done is safe from a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Safe {
    /// At once: nobody waits.
    Now,
    /// With the next sync; until then the file that is being mended is kept under that name.
    Later,
}

impl Log {
    /// Finishes what a crash has interrupted. What cannot be finished is left, and missing.
    ///
    /// # Errors
    /// There is no descriptor or no memory left.
    pub(super) fn mend_again(&mut self, repairs: &mut Repairs) -> io::Result<()> {
        let entries: Vec<_> = self.entries().or_else(|error| repairs.go_without(self.book.directory(), error))?;
        let names = entries.iter().filter(|entry| matches!(entry.kind, Kind::File(_))).filter_map(|entry| entry.name.to_str());
        for name in names.filter_map(layout::mended_of) {
            let behind: Vec<_> = self.list()?.into_iter().filter(|found| layout::segment_name(*found).as_str() > name).collect();
            if let Err(error) = self.split(name, &behind, Safe::Now, &mut Vec::new(), repairs) {
                let path = self.book.directory().join(layout::mending_name(name));
                repairs.go_without::<()>(&path, error)?;
            }
        }
        Ok(())
    }

    /// Replaces a segment by what is good in it; gives the new ones. If there is no descriptor or no memory for that, it is left as it was.
    pub(super) fn mend(
        &mut self,
        first: Position,
        next: Option<Position>,
        safe: Safe,
        repairs: &mut Repairs,
    ) -> io::Result<Vec<Position>> {
        let name = layout::segment_name(first);
        let (path, mending) = (self.book.path_of(first), self.book.directory().join(layout::mending_name(&name)));
        if self.volume.stamp(&mending).is_ok() {
            // It was mended a moment ago, and is damaged again.
            self.volume.rename(&mending, &self.free_name(&name)?)?;
        }
        self.volume.rename(&path, &mending)?;
        if safe == Safe::Now {
            self.volume.sync_directory(self.book.directory())?;
        }
        let mut made = Vec::new();
        match self.split(&name, next.as_slice(), safe, &mut made, repairs) {
            Err(error) if is_scarcity(&error) => {
                for made in made {
                    let _ = self.volume.remove(&self.book.path_of(made));
                }
                self.volume.rename(&mending, &path)?;
                Err(error)
            }
            split => split.map(|()| made),
        }
    }

    /// The second and third step. The segments that were `behind` it may be some that were made of it before a crash.
    fn split(
        &mut self,
        name: &str,
        behind: &[Position],
        safe: Safe,
        made: &mut Vec<Position>,
        repairs: &mut Repairs,
    ) -> io::Result<()> {
        let mending = self.book.directory().join(layout::mending_name(name));
        let file = self.volume.open(&mending)?;
        let head = segment::head_of(&*file)?;
        let mut runs = match &head {
            Ok((head, start)) if self.is_ours(head) => runs_of(&file, *start)?,
            // Another channel's, or of another life: nothing in it is ours.
            Ok(_) => Vec::new(),
            Err(_) => runs_of(&file, 0)?,
        };
        let is_own = |found: &&Position| runs.iter().any(|run| first_event(run) == Some(**found));
        let next = behind.iter().find(|found| !is_own(found)).copied();
        // How many events there have been, and the last of them, as far as somebody says so.
        let mut known = head.ok().map(|(head, _)| (head.before, head.preceding));
        if let Some(last) = runs.last_mut().filter(|_| next.is_none()) {
            // The source would give them again.
            let whole = last.iter().rposition(|record| record.commit.is_whole()).map_or(0, |last| last + 1);
            last.truncate(whole);
        }
        for run in runs {
            let run: Vec<_> = run.into_iter().take_while(|record| is_before(&record.commit, next)).collect();
            self.write_run(&run, next.is_none(), &mut known, &file, safe, made)?;
        }
        self.put_aside(name, &mending, safe, repairs)
    }

    /// Writes the segment of a run, and notes what is `known` behind it: how many events there have been, and the last of them.
    fn write_run(
        &mut self,
        run: &[Placed],
        is_last: bool,
        known: &mut Option<(u64, Option<Position>)>,
        file: &Arc<dyn Content>,
        safe: Safe,
        made: &mut Vec<Position>,
    ) -> io::Result<()> {
        let (Some(begins), Some(ends)) = (run.first(), run.last()) else { return Ok(()) };
        let name = match first_event(run) {
            Some(first) => first,
            // Only the last positions of the source are worth a segment.
            None if is_last => Position { number: ends.commit.last.number + 1, ..ends.commit.last },
            None => return Ok(()),
        };
        let before = begins.commit.total - begins.commit.count;
        let none = (before == 0).then_some(Position { number: 0, time: self.began });
        let preceding = known.filter(|(total, _)| *total == before).and_then(|(_, preceding)| preceding).or(none);
        let last = run.iter().rfind(|record| record.commit.count > 0).map(|record| record.commit.last);
        *known = Some((ends.commit.total, last.or(preceding)));
        made.retain(|before| *before != name);
        made.push(name);
        self.write_segment(name, &Head { before, preceding, ..self.head() }, (file, begins.range.start..ends.range.end), safe)
    }

    /// The third step: the file is kept for whoever wants to look at it, when what was made of it is safe.
    fn put_aside(&mut self, name: &str, mending: &Path, safe: Safe, repairs: &mut Repairs) -> io::Result<()> {
        let aside = self.free_name(name)?;
        if safe == Safe::Now {
            self.volume.sync_directory(self.book.directory())?;
            self.volume.rename(mending, &aside)?;
            self.volume.sync_directory(self.book.directory())?;
        } else {
            self.unsynced.note_names(self.book.directory(), &self.root);
            self.unsynced.note_aside(mending.to_owned(), aside.clone());
        }
        repairs.damaged.push(aside);
        Ok(())
    }

    /// Takes all segments out of the way; what cannot be moved is left, and is of a life that is over.
    pub(super) fn move_all_aside(&self, repairs: &mut Repairs) {
        for segment in self.book.iter() {
            let path = self.book.path_of(segment.first);
            let moved = self.free_name(&layout::segment_name(segment.first)).and_then(|aside| {
                self.volume.rename(&path, &aside)?;
                Ok(aside)
            });
            match moved {
                Ok(aside) => repairs.damaged.push(aside),
                Err(error) => repairs.unreadable.push((path, reason(&error))),
            }
        }
        let _ = self.volume.sync_directory(self.book.directory()); // or the next start does it again
    }

    /// Writes a segment of these records, unless it is there, and perhaps has grown since.
    fn write_segment(&mut self, name: Position, head: &Head, from: (&Arc<dyn Content>, Range<u64>), safe: Safe) -> io::Result<()> {
        let path = self.book.path_of(name);
        let file = self.volume.create(&path)?;
        let mut whole = Vec::with_capacity(MAX_HEAD);
        head.write(&mut whole);
        if !copy(&whole, from.clone(), |piece, at| is_there(&*file, piece, at))? {
            file.truncate(0)?;
            copy(&whole, from, |piece, at| file.write_at(piece, at).map(|()| true))?;
        }
        if safe == Safe::Now {
            return file.sync();
        }
        self.unsynced.note_file(path);
        Ok(())
    }

    pub(super) fn free_name(&self, name: &str) -> io::Result<PathBuf> {
        let taken: BTreeSet<_> = self.entries()?.into_iter().map(|entry| entry.name).collect();
        let mut names = (0..=u32::MAX).map(|nth| layout::damaged_name(name, nth));
        let free = names.find(|name| !taken.contains(OsStr::new(name)));
        free.map(|name| self.book.directory().join(name)).ok_or_else(|| io::ErrorKind::AlreadyExists.into())
    }
}

/// Gives a head and the records behind it to `take` by pieces, each with its place, as long as that says so; true if it has taken all.
fn copy(
    head: &[u8],
    (file, range): (&Arc<dyn Content>, Range<u64>),
    mut take: impl FnMut(&[u8], u64) -> io::Result<bool>,
) -> io::Result<bool> {
    let (mut piece, mut at) = (vec![0; segment::BLOCK], range.start);
    let mut goes_on = take(head, 0)?;
    while goes_on && at < range.end {
        let left = usize::try_from(range.end - at).unwrap_or(usize::MAX).min(segment::BLOCK);
        let count = file.read_at(&mut piece[..left], at)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        goes_on = take(&piece[..count], head.len() as u64 + at - range.start)?;
        at += count as u64;
    }
    Ok(goes_on)
}

/// Whether these bytes stand in a file at this place.
fn is_there(file: &dyn Content, bytes: &[u8], at: u64) -> io::Result<bool> {
    let mut found = vec![0; bytes.len()];
    Ok(file.read_at(&mut found, at)? == bytes.len() && found == bytes)
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
    /// moved, is taken out of the list. Where there is no descriptor or no memory to look at it, nothing is done.
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
            Ok(false) => self.mend(segments[index].first, next, Safe::Later, &mut mended.repairs),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => self.leave_out(segments[index].first, error, &mut mended.repairs),
        };
        let Ok(replaced) = replaced.or_else(|error| mended.repairs.go_without(path, error)) else {
            return Mended::default(); // nobody can say what is in it now
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
        let path = self.book.path_of(segment.first);
        // Mending takes so many: whoever begins shall be able to end.
        let spare: Vec<_> = (0..SPARE).map(|_| self.volume.open(&path)).collect::<io::Result<_>>()?;
        drop(spare);
        let file = self.volume.open(&path)?;
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

fn is_before(commit: &Commit, next: Option<Position>) -> bool {
    next.is_none_or(|next| commit.last.number < next.number)
}

/// The first event of some records.
fn first_event(run: &[Placed]) -> Option<Position> {
    let record = run.iter().find(|record| record.commit.count > 0)?;
    Some(Position { number: record.commit.last.number + 1 - record.commit.count, ..record.commit.last })
}

/// The good records behind a place, by runs in which none is missing.
fn runs_of(file: &Arc<dyn Content>, start: u64) -> io::Result<Vec<Vec<Placed>>> {
    let end = file.length()?;
    let from = |place| Records::new(Reading::Open(Arc::clone(file)), place..end, segment::BLOCK);
    let mut records = from(start);
    let mut runs: Vec<Vec<Placed>> = Vec::new();
    loop {
        let place = records.place();
        match records.peek()? {
            Next::Record(range, commit, _) => {
                let record = Placed { range, commit: commit.clone() };
                let follows = |run: &&mut Vec<Placed>| {
                    run.last().is_some_and(|before| before.range.end == place && record.commit.follows(&before.commit))
                };
                match runs.last_mut().filter(follows) {
                    Some(run) => run.push(record),
                    None => runs.push(vec![record]),
                }
                records.pass();
            }
            Next::End => return Ok(runs),
            // One may begin behind the next commit, whether that is good or not.
            Next::Rest(_) => match segment::commit_line(&Reading::Open(Arc::clone(file)), place..end)? {
                Some(behind) => records = from(behind),
                None => return Ok(runs),
            },
        }
    }
}
