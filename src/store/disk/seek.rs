//! Places in a segment, found without an index: by halves, and backwards from one commit to the one before.
//!
//! A commit says how many bytes of events are before its line, so the record before ends where they begin. What is passed on the way is not read and
//! not checked; the record that is found is.

use std::ops::Range;
use std::sync::Arc;

use super::broken::Fault;
use super::record::{self, Commit, MAX_COMMENT};
use super::segment::{Next, Placed, Reading, Records};
use super::volume::Content;

/// How much is read at once where a commit is looked for, in bytes: most lie closer together.
const PROBE: usize = 4 * 1024;

/// How much is read from one record to the next, in bytes.
const STRIDE: usize = 4 * 1024;

/// Where a search has ended.
#[derive(Debug)]
pub struct Sought {
    /// Where the record begins that was looked for, or the range ends.
    pub place: u64,
    /// That record, if it is not the end.
    pub record: Option<Placed>,
}

/// Finds the first record of which `is_before` is not true, in a range that begins with a record and ends with one; it is true of all before some
/// record and of none behind.
///
/// # Errors
/// The file could not be read, or is not as it was written.
pub fn seek(file: &Arc<dyn Content>, range: Range<u64>, is_before: impl Fn(&Commit) -> bool) -> Result<Sought, Fault> {
    let (mut low, mut high) = (range.start, range.end);
    while high.saturating_sub(low) > STRIDE as u64 {
        let middle = low + (high - low) / 2;
        match commit_behind(&**file, middle..high)? {
            Some((commit, next)) if is_before(&commit) => low = next,
            _ => high = middle,
        }
    }
    let mut records = Records::new(Reading::Open(Arc::clone(file)), low..range.end, STRIDE);
    loop {
        let place = records.place();
        match records.peek()? {
            Next::Record(_, commit, _) if is_before(commit) => records.pass(),
            Next::Record(range, commit, _) => return Ok(Sought { place, record: Some(Placed { range, commit: commit.clone() }) }),
            Next::End => return Ok(Sought { place, record: None }),
            Next::Rest(_) => return Err(Fault::Damaged),
        }
    }
}

/// The first commit that begins in a range and ends in it, and where the next record begins.
fn commit_behind(file: &dyn Content, range: Range<u64>) -> Result<Option<(Commit, u64)>, Fault> {
    let mut bytes = Vec::new();
    loop {
        let held = bytes.len();
        let offset = range.start + held as u64;
        let left = usize::try_from(range.end.saturating_sub(offset)).unwrap_or(usize::MAX);
        bytes.resize(held + PROBE.max(held).min(left), 0);
        let count = file.read_at(&mut bytes[held..], offset)?;
        bytes.truncate(held + count);
        let begin = memchr::memmem::find(&bytes, record::COMMIT_LINE).map(|at| at + 1);
        let end = begin.and_then(|begin| memchr::memchr(b'\n', &bytes[begin..]).map(|length| begin + length));
        if let (Some(begin), Some(end)) = (begin, end) {
            let commit = record::commit_in(&bytes[begin..end]).ok_or(Fault::Damaged)?;
            return Ok(Some((commit, range.start + end as u64 + 1)));
        }
        if count == 0 {
            return Ok(None);
        }
    }
}

/// Reads commits with events, the last first.
#[derive(Debug)]
pub struct Backwards {
    file: Reading,
    /// Where the first record begins.
    start: u64,
    /// Where the record ends that comes next.
    place: u64,
    /// What has been read, and where in the file it begins.
    buffer: Vec<u8>,
    offset: u64,
}

impl Backwards {
    /// Reads from a place where a record ends back to another, where one begins.
    #[must_use]
    pub fn new(file: Reading, range: Range<u64>) -> Self {
        Self { file, start: range.start, place: range.end, buffer: Vec::new(), offset: range.end }
    }

    /// The record before that has events.
    ///
    /// # Errors
    /// The file could not be read, or is not as it was written.
    pub fn read(&mut self) -> Result<Option<Commit>, Fault> {
        while self.place > self.start {
            let (begin, commit) = self.line()?;
            self.place = begin.checked_sub(commit.length).filter(|place| *place >= self.start).ok_or(Fault::Damaged)?;
            if commit.count > 0 {
                return Ok(Some(commit));
            }
        }
        Ok(None)
    }

    /// The line that ends at the place, and where it begins.
    fn line(&mut self) -> Result<(u64, Commit), Fault> {
        let mut wanted = PROBE;
        loop {
            let held = usize::try_from(self.place.saturating_sub(self.offset)).unwrap_or(0);
            self.buffer.truncate(held);
            if let Some((b'\n', line)) = self.buffer.split_last() {
                let newline = memchr::memrchr(b'\n', line).map(|newline| newline + 1);
                if let Some(begin) = newline.or((self.offset == self.start).then_some(0)) {
                    let commit = record::commit_in(&line[begin..]).ok_or(Fault::Damaged)?;
                    return Ok((self.offset + begin as u64, commit));
                }
                wanted = wanted.max(2 * held);
            }
            if held > MAX_COMMENT {
                return Err(Fault::Damaged);
            }
            self.fill(wanted)?;
        }
    }

    /// Reads so many bytes before the place.
    fn fill(&mut self, wanted: usize) -> Result<(), Fault> {
        self.offset = self.place.saturating_sub(wanted as u64).max(self.start);
        self.buffer.resize(usize::try_from(self.place - self.offset).unwrap_or(0), 0);
        let count = self.file.read_at(&mut self.buffer, self.offset)?;
        let is_whole = count == self.buffer.len() && self.buffer.last() == Some(&b'\n');
        if is_whole { Ok(()) } else { Err(Fault::Damaged) }
    }
}
