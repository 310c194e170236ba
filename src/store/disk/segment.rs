//! One file of a channel's history: what it holds, and how it is read.

use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use memchr::memmem;

use super::record::{self, BadHead, COMMIT_LINE, Commit, Found, Head, MAX_COMMENT, MAX_HEAD, Record};
use super::volume::{Content, Volume};
use crate::event::{Age, Position};

/// How much is read at once, in bytes: as large as most records at most are.
pub const BLOCK: usize = 64 * 1024;

/// A record that is larger than this is held only when its end has been found, in bytes: a file of nothing, however long, costs no more.
const LARGE: usize = 1024 * 1024;

/// What is known of a segment without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Its name: no event in it is before this.
    pub first: Position,
    /// How many events the channel has had before it.
    pub before: u64,
    /// The last of them, stored or not; number 0 if there was none. `None` if damage has made it unknown.
    pub preceding: Option<Position>,
    /// Its last event, if it has any.
    pub last: Option<Position>,
    /// What its last record says: its last event, or one of another channel behind it if the source's position moved alone.
    pub reach: Position,
    /// How many events the channel has had up to its end.
    pub total: u64,
    /// Where its first record begins.
    pub start: u64,
    /// How many bytes of it are committed.
    pub length: u64,
    /// Whether its events came or were there: all of them.
    pub age: Age,
}

impl Segment {
    /// The segment of this name as a look through it has found it; `None` without a record.
    #[must_use]
    pub fn of(first: Position, examined: &Examined) -> Option<Self> {
        let Examined { head, start, records, .. } = examined;
        let end = records.last()?;
        let mut with_events = records.iter().map(|placed| &placed.commit).filter(|commit| commit.count > 0);
        Some(Self {
            first,
            before: head.before,
            preceding: head.preceding,
            age: with_events.clone().next().map_or(end.commit.age, |commit| commit.age),
            last: with_events.next_back().map(|commit| commit.last),
            reach: end.commit.last,
            total: end.commit.total,
            start: *start,
            length: end.range.end,
        })
    }

    /// How many events it has.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.total.saturating_sub(self.before)
    }

    /// The number of its last event, if it has any.
    #[must_use]
    pub fn last_number(&self) -> Option<u64> {
        self.last.map(|last| last.number)
    }
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

impl Examined {
    /// Whether all of it is before another segment.
    #[must_use]
    pub fn is_before(&self, next: Option<Position>) -> bool {
        self.records.last().is_none_or(|last| next.is_none_or(|next| last.commit.last.number < next.number))
    }
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

/// A file that is read.
#[derive(Debug)]
pub enum Reading {
    /// It is held open.
    Open(Arc<dyn Content>),
    /// It is opened for each read: who reads many files at once holds none.
    OnDemand(Arc<dyn Volume>, PathBuf),
}

impl Reading {
    pub(super) fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        match self {
            Self::Open(file) => file.read_at(bytes, offset),
            Self::OnDemand(volume, path) => volume.open(path)?.read_at(bytes, offset),
        }
    }
}

/// Reads records, one after the other.
#[derive(Debug)]
pub struct Records {
    file: Reading,
    /// What has been read and not been given.
    buffer: Vec<u8>,
    /// Where in the buffer the next record begins.
    start: usize,
    /// That record, if it has been looked at.
    ahead: Option<Record>,
    /// Where in the file the buffer begins.
    offset: u64,
    /// Where reading ends.
    end: u64,
    /// How much is read at once.
    block: usize,
    /// Where a large record may end that has not been read to its end.
    found_end: Option<u64>,
}

/// What comes next.
#[derive(Debug)]
pub enum Next<'a> {
    /// A record: its place in the file, what commits it, and its events.
    Record(Range<u64>, &'a Commit, &'a [u8]),
    /// No more: everything up to the end was read.
    End,
    /// Something that is not a whole record.
    Rest(Rest),
}

impl Records {
    /// Reads from a place where a record begins up to another, `block` bytes at once.
    #[must_use]
    pub fn new(file: Reading, range: Range<u64>, block: usize) -> Self {
        Self { file, buffer: Vec::new(), start: 0, ahead: None, offset: range.start, end: range.end, block, found_end: None }
    }

    /// Where in the file the next record begins.
    #[must_use]
    pub fn place(&self) -> u64 {
        self.offset + self.start as u64
    }

    /// How much memory it holds, in bytes.
    #[must_use]
    pub fn held(&self) -> usize {
        self.buffer.capacity()
    }

    /// The next record, which remains the next until it is passed.
    ///
    /// # Errors
    /// The file could not be read.
    pub fn peek(&mut self) -> io::Result<Next<'_>> {
        while self.ahead.is_none() {
            match record::record_at(&self.buffer, self.start) {
                Found::Record(record) => self.ahead = Some(record),
                Found::Bad => return Ok(Next::Rest(Rest::Damaged)),
                Found::Unfinished if self.is_endless()? => return Ok(Next::Rest(Rest::Unfinished)),
                Found::Unfinished if self.fill()? => {}
                Found::Unfinished if self.place() == self.end => return Ok(Next::End),
                Found::Unfinished => return Ok(Next::Rest(Rest::Unfinished)),
            }
        }
        let place = self.place();
        Ok(self.ahead.as_ref().map_or(Next::End, |Record { events, end, commit }| {
            Next::Record(place..self.offset + *end as u64, commit, &self.buffer[events.clone()])
        }))
    }

    /// Passes the record that was looked at.
    pub fn pass(&mut self) {
        if let Some(record) = self.ahead.take() {
            self.start = record.end;
        }
    }

    /// Whether what begins here is large, and no record up to where reading ends.
    fn is_endless(&mut self) -> io::Result<bool> {
        let (place, held) = (self.place(), self.buffer.len() - self.start);
        if held < LARGE || self.found_end.is_some_and(|end| end > place + held as u64) {
            return Ok(false);
        }
        self.found_end = commit_line(&self.file, place + held as u64 - COMMIT_LINE.len() as u64..self.end)?;
        Ok(self.found_end.is_none())
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

/// Where the first line of a range ends that looks like a commit, behind its newline, looked for without holding what is before it.
///
/// # Errors
/// The file could not be read.
pub fn commit_line(file: &Reading, range: Range<u64>) -> io::Result<Option<u64>> {
    let mut window = vec![0; BLOCK];
    let (mut begin, mut wanted, mut is_begun) = (range.start, COMMIT_LINE, false);
    loop {
        let room = usize::try_from(range.end.saturating_sub(begin)).unwrap_or(usize::MAX).min(BLOCK);
        let count = file.read_at(&mut window[..room], begin)?;
        match memmem::find(&window[..count], wanted) {
            Some(at) if is_begun => return Ok(Some(begin + at as u64 + 1)),
            Some(at) => (begin, wanted, is_begun) = (begin + at as u64 + 1, b"\n", true),
            None if count < wanted.len().max(2) => return Ok(None),
            // What two windows have in common, so that nothing is missed between them.
            None => begin += (count - (wanted.len() - 1)) as u64,
        }
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
    let mut reading = Records::new(Reading::Open(Arc::clone(file)), start..file.length()?, BLOCK);
    let mut records: Vec<Placed> = Vec::new();
    let rest = loop {
        match reading.peek()? {
            Next::Record(range, commit, _) => {
                let is_next =
                    records.last().map_or(commit.total == head.before + commit.count, |before| commit.follows(&before.commit));
                if !is_next {
                    break Rest::Damaged;
                }
                records.push(Placed { range, commit: commit.clone() });
                reading.pass();
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
