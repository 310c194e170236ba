//! How far back the newest events of several channels reach, with little reading.
//!
//! The channels are counted backwards together, always the one whose rest reaches highest. Where its last segment lies above the rest of all others, the
//! whole segment counts at once, without being opened, or the place in it is found by the counts that its commits say. Only where channels lie between
//! each other they are counted record by record. So a channel whose events are older than the answer is never opened.

use std::collections::BinaryHeap;
use std::sync::Arc;

use super::book::Book;
use super::broken::{Broken, Fault};
use super::record::Commit;
use super::seek::{Backwards, Sought, seek};
use super::segment::{Reading, Segment};
use super::shelf::{broken, open};
use super::volume::Volume;
use crate::event::Age;

/// Counts events backwards.
#[derive(Debug)]
pub struct Counting<'a> {
    volume: &'a Arc<dyn Volume>,
    ages: Option<Age>,
    tracks: Vec<Track<'a>>,
    /// The number up to which each track has something that is not counted.
    next: BinaryHeap<(u64, usize)>,
}

/// What is not counted of a channel: its segments up to a place in one of them.
#[derive(Debug)]
struct Track<'a> {
    book: &'a Book,
    index: usize,
    segment: &'a Segment,
    /// The number of the last event, and how many the channel has had up to that.
    last: u64,
    total: u64,
    /// Where its record ends.
    place: u64,
    /// What reads the records before, the last of which is in hand, if it has been looked into.
    open: Option<(Backwards, Commit)>,
}

impl<'a> Counting<'a> {
    /// Begins at the number `until`, with the segments of one age or of all.
    ///
    /// # Errors
    /// A segment that holds events up to and above that number cannot be read.
    pub fn new(volume: &'a Arc<dyn Volume>, books: &'a [Book], until: u64, ages: Option<Age>) -> Result<Self, Broken> {
        let mut counting = Self { volume, ages, tracks: Vec::new(), next: BinaryHeap::new() };
        for book in books {
            let begun = book.partition_point(|segment| segment.first.number <= until);
            let Some(mut track) = counting.last_before(book, begun) else { continue };
            if track.last > until {
                let (segment, fault) = (track.segment, |fault| broken(book, track.segment, fault));
                match cut(&**volume, book, segment, until).map_err(fault)? {
                    Some((last, total, place)) => (track.last, track.total, track.place) = (last, total, place),
                    None => match counting.last_before(book, track.index) {
                        Some(before) => track = before,
                        None => continue,
                    },
                }
            }
            counting.next.push((track.last, counting.tracks.len()));
            counting.tracks.push(track);
        }
        Ok(counting)
    }

    /// A track that begins with the last segment that counts, of those before a place.
    fn last_before(&self, book: &'a Book, mut index: usize) -> Option<Track<'a>> {
        loop {
            let (found, segment) = book.with_events_before(index)?;
            index = found;
            if self.ages.is_none_or(|age| age == segment.age) {
                let last = segment.last_number()?;
                return Some(Track { book, index, segment, last, total: segment.total, place: segment.length, open: None });
            }
        }
    }

    /// The number above which lie `missing` events of those up to `until`; 0 if there are fewer.
    ///
    /// # Errors
    /// A segment cannot be read.
    pub fn back(mut self, mut missing: u64, until: u64) -> Result<u64, Broken> {
        if missing == 0 {
            return Ok(until);
        }
        while let Some((_, at)) = self.next.pop() {
            let others = self.next.peek().map_or(0, |(last, _)| *last);
            let track = &mut self.tracks[at];
            let fault = |fault| broken(track.book, track.segment, fault);
            let segment = track.segment;
            if segment.first.number > others {
                let count = track.total - segment.before;
                if count > missing {
                    return above(&**self.volume, track.book, segment, track.total - missing).map_err(fault);
                }
                missing -= count;
                if missing == 0 {
                    return Ok(segment.first.number - 1);
                }
                self.go_on(at, false);
            } else {
                let (book, volume) = (track.book, self.volume);
                let count = track.in_hand(volume).map_err(|fault| broken(book, segment, fault))?;
                if count >= missing {
                    return Ok(track.last - missing);
                }
                missing -= count;
                let is_more = track.step_back().map_err(|fault| broken(book, segment, fault))?;
                self.go_on(at, is_more);
            }
        }
        Ok(0)
    }

    /// Counts a track again with what it has before: in the same segment, or in the one before.
    fn go_on(&mut self, at: usize, is_more: bool) {
        if !is_more {
            match self.last_before(self.tracks[at].book, self.tracks[at].index) {
                Some(before) => self.tracks[at] = before,
                None => return,
            }
        }
        self.next.push((self.tracks[at].last, at));
    }
}

impl Track<'_> {
    /// How many events the last record has that are not counted.
    fn in_hand(&mut self, volume: &Arc<dyn Volume>) -> Result<u64, Fault> {
        if self.open.is_none() {
            // There is one for each channel, and as many as like may ask at once: none holds a file.
            let file = Reading::OnDemand(Arc::clone(volume), self.book.path_of(self.segment.first));
            let mut backwards = Backwards::new(file, self.segment.start..self.place);
            let commit = backwards.read()?.filter(|commit| commit.total >= self.total).ok_or(Fault::Damaged)?;
            self.open = Some((backwards, commit));
        }
        let before = self.open.as_ref().map_or(self.total, |(_, commit)| commit.total - commit.count);
        self.total.checked_sub(before).filter(|count| *count > 0).ok_or(Fault::Damaged)
    }

    /// Goes to the record before; false if there is none in the segment.
    fn step_back(&mut self) -> Result<bool, Fault> {
        let Some((backwards, commit)) = &mut self.open else { return Ok(false) };
        match backwards.read()? {
            Some(before) => {
                (self.last, self.total) = (before.last.number, before.total);
                *commit = before;
                Ok(true)
            }
            None => Ok(false),
        }
    }
}

/// The last event up to a number in a segment that goes beyond it, how many there have been up to that, and where its record ends.
fn cut(volume: &dyn Volume, book: &Book, segment: &Segment, until: u64) -> Result<Option<(u64, u64, u64)>, Fault> {
    let file = open(volume, book, segment)?;
    let Sought { place, record } = seek(&file, segment.start..segment.length, |commit| commit.last.number <= until)?;
    if let Some(placed) = record.filter(|placed| placed.commit.first().is_some_and(|first| first <= until)) {
        return Ok(Some((until, placed.commit.total - (placed.commit.last.number - until), placed.range.end)));
    }
    let before = Backwards::new(Reading::Open(Arc::clone(&file)), segment.start..place).read()?;
    Ok(before.map(|commit| (commit.last.number, commit.total, place)))
}

/// The number below the first event above so many that the channel has had.
fn above(volume: &dyn Volume, book: &Book, segment: &Segment, total: u64) -> Result<u64, Fault> {
    let file = open(volume, book, segment)?;
    let record = seek(&file, segment.start..segment.length, |commit| commit.total <= total)?.record.ok_or(Fault::Damaged)?;
    record.commit.last.number.checked_sub(record.commit.total - total).ok_or(Fault::Damaged)
}
