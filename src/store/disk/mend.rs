//! What is done with a segment that is not as it was written.
//!
//! What was not written to its end is cut. Where anything else is wrong, the file is taken out of the way, what is good in it is written into new
//! segments, one for each run of records in which none is missing, and the file is kept for whoever wants to look at it:
//!
//! ```text
//! NAME.sse ▸ NAME.sse.mending ▸ (the new segments) ▸ NAME.sse.damaged
//! ```
//!
//! Whoever finds a file that is being mended does it once more: a crash at any step costs nothing.

use std::ffi::OsStr;
use std::io;
use std::path::PathBuf;

use memchr::memmem;

use super::layout;
use super::log::{Log, Repairs};
use super::record::{self, Commit, Found, Head, Record};
use super::volume::{Content, Kind};
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
        self.volume.rename(&self.directory.join(&name), &self.directory.join(layout::mending_name(&name)))?;
        self.volume.sync_directory(&self.directory)?;
        self.split(&name, next, repairs)
    }

    /// The second and third step.
    fn split(&self, name: &str, next: Option<Position>, repairs: &mut Repairs) -> io::Result<Vec<Position>> {
        let mending = self.directory.join(layout::mending_name(name));
        let bytes = whole(&*self.volume.open(&mending)?)?;
        let start = match Head::read(&bytes) {
            Ok((head, start)) if head.channel == self.head.channel && head.began == self.head.began => Some(start),
            // Another channel's, or of another life: nothing in it is ours.
            Ok(_) => None,
            Err(_) => Some(0),
        };
        let mut runs = start.map_or_else(Vec::new, |start| runs_of(&bytes, start));
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
            let head = Head { before: begins.commit.total - begins.commit.count, ..self.head.clone() };
            self.write_segment(name, &head, &bytes[begins.events.start..ends.end])?;
            made.retain(|before| *before != name);
            made.push(name);
        }
        self.volume.sync_directory(&self.directory)?;
        let aside = self.free_name(name)?;
        self.volume.rename(&mending, &aside)?;
        self.volume.sync_directory(&self.directory)?;
        repairs.damaged.push(aside);
        Ok(made)
    }

    fn write_segment(&self, name: Position, head: &Head, records: &[u8]) -> io::Result<()> {
        let mut whole = Vec::with_capacity(records.len() + 256);
        head.write(&mut whole);
        whole.extend_from_slice(records);
        let file = self.volume.open_to_write(&self.path_of(name))?;
        file.truncate(0)?;
        file.write_at(&whole, 0)?;
        file.sync()
    }

    pub(super) fn free_name(&self, name: &str) -> io::Result<PathBuf> {
        let taken = self.entries()?;
        let mut names = (0..MOST_ASIDE).map(|nth| layout::damaged_name(name, nth));
        let free = names.find(|name| taken.iter().all(|entry| entry.name != OsStr::new(name)));
        free.map(|name| self.directory.join(name)).ok_or_else(|| io::Error::other("too many damaged files of one name are kept"))
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
