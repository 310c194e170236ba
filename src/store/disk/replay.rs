//! Events of several channels from their files, in the order of their numbers.
//!
//! A replay knows the segments that there were when it began, and reads up to the event that was the newest then: what comes later is somebody
//! else's. What it holds is bounded, however many channels there are and however large the history is: of few channels a block each, and an open file as
//! far as all replays together hold few; of many the blocks share a bounded room and no file is held open; of very many only places are kept from one
//! record to the next.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use bytes::Bytes;

use super::book::Book;
use super::broken::{Broken, Fault};
use super::held::{Place, Places};
use super::record::Commit;
use super::seek::seek;
use super::segment::{BLOCK, Next, Reading, Records, Segment};
use super::shelf::{broken, open};
use super::volume::Volume;
use crate::event::{Age, Position};
use crate::sse;

/// Of more channels than this, files are opened for each read.
const FEW: usize = 16;

/// What the blocks of many channels may take together, in bytes.
const MOST_HELD: usize = 2 * 1024 * 1024;

/// The smallest block that is worth reading, in bytes.
const LEAST_BLOCK: usize = 4 * 1024;

/// Events that follow each other in the order of all, of whichever channels.
#[derive(Debug, PartialEq, Eq)]
pub struct Part {
    /// As they are sent: at most [`BLOCK`] bytes, or one record that is larger.
    pub events: Bytes,
    /// The last of them.
    pub last: Position,
    /// Whether they came or were there.
    pub age: Age,
}

/// Reads the events of several channels.
#[derive(Debug)]
pub struct Replay {
    volume: Arc<dyn Volume>,
    /// Where files may be held open.
    places: Places,
    /// The numbers that are read.
    numbers: RangeInclusive<u64>,
    /// Their age, unless it does not matter.
    ages: Option<Age>,
    tracks: Vec<Track>,
    /// The first number of what comes next of each track that has more; of one that was not looked into, a number that it is not below.
    next: BinaryHeap<Reverse<(u64, usize)>>,
    /// What was found behind the events that were given last.
    broken: Option<Broken>,
}

/// One channel's way through its segments.
#[derive(Debug)]
struct Track {
    book: Book,
    /// Which segment it is in.
    index: usize,
    /// Whether it was looked into since its last record.
    is_sure: bool,
    /// Where in it the next record begins, if it was looked into.
    place: Option<u64>,
    /// What reads it from there on, if that is kept.
    records: Option<Records>,
    /// Its place among open files, if it holds one open.
    held: Option<Place>,
}

impl Replay {
    /// Reads the events `numbers` of these channels, of one age or of all.
    ///
    /// # Errors
    /// The segment in which the first event would be cannot be read.
    pub(super) fn begin(
        (volume, places): (Arc<dyn Volume>, Places),
        books: &[Book],
        numbers: RangeInclusive<u64>,
        ages: Option<Age>,
    ) -> Result<Self, Broken> {
        let mut replay = Self { volume, places, numbers, ages, tracks: Vec::new(), next: BinaryHeap::new(), broken: None };
        let first = *replay.numbers.start();
        for book in books {
            let index = book.partition_point(|segment| segment.reach.number < first);
            if let Some(segment) = book.get(index).filter(|segment| segment.first.number <= *replay.numbers.end()) {
                replay.next.push(Reverse((segment.first.number.max(first), replay.tracks.len())));
                replay.tracks.push(Track { book: book.clone(), index, is_sure: false, place: None, records: None, held: None });
            }
        }
        replay.settle()?;
        Ok(replay)
    }

    /// The next events; `None` at the end, and behind an error.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn read(&mut self) -> Result<Option<Part>, Broken> {
        if let Some(broken) = self.broken.take() {
            self.next.clear();
            return Err(broken);
        }
        let (mut events, mut end) = (Vec::new(), None);
        loop {
            match self.take(&mut events, end) {
                Ok(Some(reached)) => end = Some(reached),
                Ok(None) => break,
                Err(broken) if end.is_none() => {
                    self.next.clear();
                    return Err(broken);
                }
                Err(broken) => {
                    self.broken = Some(broken);
                    break;
                }
            }
        }
        events.shrink_to_fit();
        Ok(end.map(|(last, age)| Part { events: events.into(), last, age }))
    }

    /// Keeps only places, until it is read again: a client that reads nothing costs no buffers and no files.
    pub fn rest(&mut self) {
        self.tracks.iter_mut().for_each(Track::rest);
    }

    /// Adds the record that comes next to the events before it, if it may be in one part with them; gives its last event.
    fn take(&mut self, events: &mut Vec<u8>, before: Option<(Position, Age)>) -> Result<Option<(Position, Age)>, Broken> {
        self.settle()?;
        let Some(&Reverse((_, at))) = self.next.peek() else { return Ok(None) };
        self.look(at)?; // it may not have been kept
        let (first, last) = (*self.numbers.start(), *self.numbers.end());
        let Some((commit, bytes)) = self.tracks[at].record() else { return Ok(None) };
        let begins = commit.last.number + 1 - commit.count;
        let skipped = sse::length_of(bytes, first.saturating_sub(begins));
        let end = if commit.last.number > last { sse::length_of(bytes, last + 1 - begins) } else { bytes.len() };
        let wanted = &bytes[skipped..end];
        if before.is_some_and(|(_, age)| age != commit.age || events.len() + wanted.len() > BLOCK) {
            return Ok(None);
        }
        events.reserve_exact(if before.is_none() { BLOCK.max(wanted.len()) } else { 0 });
        events.extend_from_slice(wanted);
        let reached = (Position { number: commit.last.number.min(last), ..commit.last }, commit.age);
        self.next.pop();
        self.tracks[at].pass();
        self.next.push(Reverse((reached.0.number + 1, at)));
        self.tracks[at].is_sure = false;
        Ok(Some(reached))
    }

    /// Looks into tracks until it is sure which comes next.
    fn settle(&mut self) -> Result<(), Broken> {
        while let Some(&Reverse((_, at))) = self.next.peek() {
            if self.tracks[at].is_sure {
                return Ok(());
            }
            self.next.pop();
            if let Some(first) = self.look(at)? {
                self.tracks[at].is_sure = true;
                self.next.push(Reverse((first, at)));
                self.keep_little(at);
            }
        }
        Ok(())
    }

    /// Reads on in a track up to a record that is wanted; gives its first number that is.
    fn look(&mut self, at: usize) -> Result<Option<u64>, Broken> {
        let Self { volume, places, numbers, ages, tracks, .. } = self;
        let reading = if tracks.len() > FEW { How::OnDemand(block_of(tracks.len())) } else { How::Open(places) };
        let track = &mut tracks[at];
        loop {
            let Track { book, index, .. } = track;
            let Some(segment) = book.get(*index).filter(|segment| segment.first.number <= *numbers.end()) else { return Ok(None) };
            let is_wanted = segment.count() > 0 && ages.is_none_or(|age| age == segment.age);
            if is_wanted {
                let segment = segment.clone();
                match track.look(volume, &segment, numbers, reading).map_err(|fault| broken(&track.book, &segment, fault))? {
                    Looked::At(first) => return Ok(Some(first)),
                    Looked::BehindAll => return Ok(None),
                    Looked::End => {}
                }
            }
            (track.index, track.place, track.records, track.held) = (track.index + 1, None, None, None);
        }
    }

    /// Keeps of a track that is not the next no more than its share.
    fn keep_little(&mut self, at: usize) {
        let count = self.tracks.len();
        let share = if count * LEAST_BLOCK > MOST_HELD { 0 } else { 2 * block_of(count) };
        let track = &mut self.tracks[at];
        if count > FEW && track.records.as_ref().is_some_and(|records| records.held() > share) {
            track.rest();
        }
    }
}

/// How files are read.
#[derive(Debug, Clone, Copy)]
enum How<'a> {
    /// By whole blocks, and held open if there is a place for one more.
    Open(&'a Places),
    /// Opened for each block, of this many bytes.
    OnDemand(usize),
}

/// What one of many channels reads at once, in bytes.
fn block_of(channels: usize) -> usize {
    (MOST_HELD / 2 / channels.max(1)).clamp(LEAST_BLOCK, BLOCK)
}

/// What was found by looking into a segment.
enum Looked {
    /// A record of which this is the first number that is wanted.
    At(u64),
    /// Nothing more in this segment.
    End,
    /// Only events behind the last that is wanted.
    BehindAll,
}

impl Track {
    /// Reads on in a segment up to a record that is wanted.
    fn look(
        &mut self,
        volume: &Arc<dyn Volume>,
        segment: &Segment,
        numbers: &RangeInclusive<u64>,
        how: How<'_>,
    ) -> Result<Looked, Fault> {
        let place = match self.place {
            Some(place) => place,
            None if segment.first.number >= *numbers.start() => segment.start,
            None => {
                let file = open(&**volume, &self.book, segment)?;
                seek(&file, segment.start..segment.length, |commit| commit.last.number < *numbers.start())?.place
            }
        };
        self.place = Some(place);
        let records = match &mut self.records {
            Some(records) => records,
            none => {
                let (held, block) = match how {
                    How::Open(places) => (places.take(), BLOCK),
                    How::OnDemand(block) => (None, block),
                };
                let file = match held {
                    Some(_) => Reading::Open(open(&**volume, &self.book, segment)?),
                    None => Reading::OnDemand(Arc::clone(volume), self.book.path_of(segment.first)),
                };
                self.held = held;
                none.insert(Records::new(file, place..segment.length, block))
            }
        };
        loop {
            match records.peek()? {
                Next::Record(_, commit, _) => match commit.first().filter(|_| commit.last.number >= *numbers.start()) {
                    Some(first) if first > *numbers.end() => return Ok(Looked::BehindAll),
                    Some(first) => return Ok(Looked::At(first.max(*numbers.start()))),
                    None => records.pass(),
                },
                Next::End => return Ok(Looked::End),
                Next::Rest(_) => return Err(Fault::Damaged),
            }
        }
    }

    /// The record that was looked at.
    fn record(&mut self) -> Option<(&Commit, &[u8])> {
        match self.records.as_mut()?.peek() {
            Ok(Next::Record(_, commit, events)) => Some((commit, events)),
            _ => None,
        }
    }

    /// Passes it.
    fn pass(&mut self) {
        if let Some(records) = &mut self.records {
            records.pass();
        }
    }

    /// Keeps only the place.
    fn rest(&mut self) {
        if let Some(records) = self.records.take() {
            self.place = Some(records.place());
            self.held = None;
        }
    }
}
