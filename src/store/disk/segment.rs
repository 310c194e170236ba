//! One file of a channel's history: what it holds, and how it is read.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::record::{self, BadHead, Commit, Found, Head, MAX_COMMENT, MAX_HEAD, Record};
use super::volume::Content;
use crate::event::Position;

/// How much is read at once, in bytes: as large as most records at most are.
pub const BLOCK: usize = 64 * 1024;

/// What is known of a segment without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Its name: no event in it is before this.
    pub first: Position,
    /// How many events the channel has had before it.
    pub before: u64,
    /// Its last event; the one before it, if it has none.
    pub last: Position,
    /// How many events the channel has had up to its end.
    pub total: u64,
    /// How many bytes of it are committed.
    pub length: u64,
}

/// What a look through a whole segment finds.
#[derive(Debug)]
pub struct Examined {
    /// What it says of itself.
    pub head: Head,
    /// Where its first record begins.
    pub start: u64,
    /// Its good records, each with its place in the file; without their events. Those at the end that belong with one that is missing are none.
    pub records: Vec<Placed>,
    /// What stands behind the last of them.
    pub rest: Rest,
}

/// A record and its place in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Where it begins and ends.
    pub range: Range<u64>,
    /// What commits it.
    pub commit: Commit,
}

/// What stands behind the last good record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// Nothing.
    Nothing,
    /// A record that was not written to its end, or that a power cut took.
    Unfinished,
    /// Something that was committed and is not as it was.
    Damaged,
}

/// Reads records, one after the other.
#[derive(Debug)]
pub struct Records {
    file: Arc<dyn Content>,
    /// What has been read and not been given.
    buffer: Vec<u8>,
    /// Where in the buffer the next record begins.
    start: usize,
    /// Where in the file the buffer begins.
    offset: u64,
    /// Where reading ends.
    end: u64,
    /// How much is read at once.
    block: usize,
}

/// What comes next.
#[derive(Debug)]
pub enum Next<'a> {
    /// A record, and its bytes.
    Record(Placed, &'a [u8]),
    /// No more.
    End,
    /// Something that is not a whole record.
    Rest(Rest),
}

impl Records {
    /// Reads from a place where a record begins up to another.
    #[must_use]
    pub fn new(file: Arc<dyn Content>, range: Range<u64>) -> Self {
        Self { file, buffer: Vec::new(), start: 0, offset: range.start, end: range.end, block: BLOCK }
    }

    /// Reads so many bytes at once.
    #[must_use]
    pub fn by(self, block: usize) -> Self {
        Self { block, ..self }
    }

    /// Goes to a place where a record begins, and keeps nothing.
    pub fn go_back(&mut self, place: u64) {
        (self.buffer, self.start, self.offset) = (Vec::new(), 0, place);
    }

    /// Where in the file the next record begins.
    #[must_use]
    pub fn place(&self) -> u64 {
        self.offset + self.start as u64
    }

    /// The next record.
    ///
    /// # Errors
    /// The file could not be read.
    pub fn read(&mut self) -> io::Result<Next<'_>> {
        loop {
            match record::record_at(&self.buffer, self.start) {
                Found::Record(Record { events, end, commit }) => {
                    let range = self.offset + self.start as u64..self.offset + end as u64;
                    self.start = end;
                    return Ok(Next::Record(Placed { range, commit }, &self.buffer[events]));
                }
                Found::Bad => return Ok(Next::Rest(Rest::Damaged)),
                Found::Unfinished if self.fill()? => {}
                Found::Unfinished if self.start == self.buffer.len() => return Ok(Next::End),
                Found::Unfinished => return Ok(Next::Rest(Rest::Unfinished)),
            }
        }
    }

    /// Reads more behind what is there; false at the end.
    fn fill(&mut self) -> io::Result<bool> {
        self.buffer.drain(..self.start);
        self.offset += self.start as u64;
        self.start = 0;
        let held = self.buffer.len();
        let left = self.end.saturating_sub(self.offset + held as u64);
        // Twice as much each time: a large record is not searched again and again.
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(self.block.max(held));
        self.buffer.resize(held + wanted, 0);
        let count = self.file.read_at(&mut self.buffer[held..], self.offset + held as u64)?;
        self.buffer.truncate(held + count);
        Ok(count > 0)
    }
}

/// The head of a segment, and where its first record begins.
///
/// # Errors
/// The file could not be read.
pub fn head_of(file: &dyn Content) -> io::Result<Result<(Head, u64), BadHead>> {
    let mut bytes = [0; MAX_HEAD];
    let count = file.read_at(&mut bytes, 0)?;
    Ok(Head::read(&bytes[..count]).map(|(head, length)| (head, length as u64)))
}

/// The commit that a segment of `length` bytes ends with, as far as its line is one; its record is not read.
///
/// # Errors
/// The file could not be read.
pub fn last_commit(file: &dyn Content, length: u64) -> io::Result<Option<Commit>> {
    let start = length.saturating_sub(MAX_COMMENT as u64);
    let mut bytes = vec![0; usize::try_from(length - start).unwrap_or(0)];
    let count = file.read_at(&mut bytes, start)?;
    let Some((b'\n', line)) = bytes[..count].split_last() else { return Ok(None) };
    let begin = memchr::memrchr(b'\n', line).map_or(0, |newline| newline + 1);
    Ok(record::commit_in(&line[begin..]))
}

/// Looks through a whole segment.
///
/// # Errors
/// The file could not be read, or its head is not one (the inner error).
pub fn examine(file: &Arc<dyn Content>) -> io::Result<Result<Examined, BadHead>> {
    let (head, start) = match head_of(&**file)? {
        Ok(found) => found,
        Err(bad) => return Ok(Err(bad)),
    };
    let mut reading = Records::new(Arc::clone(file), start..file.length()?);
    let mut records: Vec<Placed> = Vec::new();
    let rest = loop {
        match reading.read()? {
            Next::Record(placed, _) => {
                let commit = &placed.commit;
                let is_next =
                    records.last().map_or(commit.total == head.before + commit.count, |before| commit.follows(&before.commit));
                if !is_next {
                    break Rest::Damaged;
                }
                records.push(placed);
            }
            Next::End => break Rest::Nothing,
            Next::Rest(rest) => break rest,
        }
    };
    let whole = records.iter().rposition(|placed| placed.commit.is_whole()).map_or(0, |last| last + 1);
    let rest = if rest == Rest::Nothing && whole < records.len() { Rest::Unfinished } else { rest };
    records.truncate(whole);
    Ok(Ok(Examined { head, start, records, rest }))
}

/// Where the first record begins of which `is_before` is not true, in a range that begins with a record; it is true of all before some record and of
/// none behind.
///
/// # Errors
/// The file could not be read.
pub fn seek(file: &Arc<dyn Content>, range: Range<u64>, is_before: impl Fn(&Commit) -> bool) -> io::Result<u64> {
    let (mut low, mut high) = (range.start, range.end);
    while high.saturating_sub(low) > 2 * BLOCK as u64 {
        let middle = low + (high - low) / 2;
        match commit_behind(&**file, middle..high)? {
            Some((commit, next)) if is_before(&commit) => low = next,
            _ => high = middle,
        }
    }
    let mut records = Records::new(Arc::clone(file), low..range.end);
    loop {
        let place = records.place();
        match records.read()? {
            Next::Record(placed, _) if is_before(&placed.commit) => {}
            _ => return Ok(place),
        }
    }
}

/// The first commit that begins in a range, and where the next record does.
fn commit_behind(file: &dyn Content, range: Range<u64>) -> io::Result<Option<(Commit, u64)>> {
    let mut bytes = Vec::new();
    loop {
        let held = bytes.len();
        let offset = range.start + held as u64;
        if offset >= range.end {
            return Ok(None);
        }
        bytes.resize(held + BLOCK.max(held), 0);
        let count = file.read_at(&mut bytes[held..], offset)?;
        bytes.truncate(held + count);
        let begin = memchr::memmem::find(&bytes, record::COMMIT_LINE).map(|at| at + 1);
        let end = begin.and_then(|begin| memchr::memchr(b'\n', &bytes[begin..]).map(|length| begin + length));
        if let (Some(begin), Some(end)) = (begin, end) {
            return Ok(record::commit_in(&bytes[begin..end]).map(|commit| (commit, range.start + end as u64 + 1)));
        }
        if count == 0 {
            return Ok(None);
        }
    }
}
