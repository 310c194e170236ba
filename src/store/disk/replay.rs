//! Events of several channels from their files, in the order of their numbers.
//!
//! A replay knows the segments that there were when it began, and reads up to the event that was the newest then: what comes later is somebody
//! else's. It holds a block of each file that it reads; of many files less.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use super::segment::{self, Next, Records, Segment};
use super::volume::Volume;
use crate::event::{Age, Position};
use crate::sse;

/// Of more channels than this, nothing is kept between two records but a place.
const MANY: usize = 16;

/// What is read at once of one of many, in bytes.
const SMALL_BLOCK: usize = 4 * 1024;

/// Events that follow each other in the order of all.
#[derive(Debug, PartialEq, Eq)]
pub struct Part {
    /// As they are sent.
    pub events: Bytes,
    /// The last of them.
    pub last: Position,
    /// Whether they came or were there.
    pub age: Age,
}

/// Why a replay cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// A segment was let go before it was read.
    #[error("a part of the history was let go while it was read")]
    LetGo,
    /// A segment is not as it was written.
    #[error("'{}' is damaged", .0.display())]
    Damaged(PathBuf),
    /// A segment could not be read.
    #[error("could not read '{}'", .0.display())]
    Unreadable(PathBuf, #[source] io::Error),
}

/// Reads the events of several channels.
#[derive(Debug)]
pub struct Replay {
    volume: Arc<dyn Volume>,
    /// The numbers that are read.
    numbers: RangeInclusive<u64>,
    tracks: Vec<Track>,
    /// The first number of what comes next of each track that has more.
    next: BinaryHeap<Reverse<(u64, usize)>>,
}

/// One channel's way through its segments.
#[derive(Debug)]
struct Track {
    segments: VecDeque<(PathBuf, Segment)>,
    /// In the first of them.
    records: Option<Records>,
    /// The record that comes next, if it is kept.
    kept: Option<Part>,
}

impl Replay {
    /// Reads the events `numbers` of channels with these segments, each in order.
    ///
    /// # Errors
    /// The first records could not be read.
    pub fn begin(
        volume: Arc<dyn Volume>,
        channels: Vec<VecDeque<(PathBuf, Segment)>>,
        numbers: RangeInclusive<u64>,
    ) -> Result<Self, Broken> {
        let (first, last) = (*numbers.start(), *numbers.end());
        let is_wanted =
            |segment: &Segment| segment.last.number >= first && segment.first.number <= last && segment.total > segment.before;
        let tracks: Vec<_> = channels
            .into_iter()
            .map(|mut segments| {
                segments.retain(|(_, segment)| is_wanted(segment));
                Track { segments, records: None, kept: None }
            })
            .filter(|track| !track.segments.is_empty())
            .collect();
        let mut replay = Self { volume, numbers, tracks, next: BinaryHeap::new() };
        for index in 0..replay.tracks.len() {
            replay.look_ahead(index)?;
        }
        Ok(replay)
    }

    /// The next events; `None` at the end.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn read(&mut self) -> Result<Option<Part>, Broken> {
        let Some(Reverse((_, index))) = self.next.pop() else { return Ok(None) };
        let part = match self.tracks[index].kept.take() {
            Some(part) => Some(part),
            None => self.record_of(index)?.map(|(.., part)| part),
        };
        self.look_ahead(index)?;
        Ok(part)
    }

    /// Finds out what comes next of a track.
    fn look_ahead(&mut self, index: usize) -> Result<(), Broken> {
        let is_many = self.tracks.len() > MANY;
        let Some((first, place, part)) = self.record_of(index)? else { return Ok(()) };
        self.next.push(Reverse((first, index)));
        let track = &mut self.tracks[index];
        if is_many {
            // It is read again when its turn has come.
            if let Some(records) = track.records.as_mut() {
                records.go_back(place);
            }
        } else {
            track.kept = Some(part);
        }
        Ok(())
    }

    /// Reads on in a track: the first number of what comes next, where it is, and that.
    fn record_of(&mut self, index: usize) -> Result<Option<(u64, u64, Part)>, Broken> {
        let (first, last) = (*self.numbers.start(), *self.numbers.end());
        let block = if self.tracks.len() > MANY { SMALL_BLOCK } else { segment::BLOCK };
        let Self { volume, tracks, .. } = self;
        let track = &mut tracks[index];
        while let Some((path, segment)) = track.segments.front() {
            let unreadable = |error: io::Error| match error.kind() {
                io::ErrorKind::NotFound => Broken::LetGo,
                _ => Broken::Unreadable(path.clone(), error),
            };
            let records = match &mut track.records {
                Some(records) => records,
                none => {
                    let file = volume.open(path).map_err(unreadable)?;
                    let Ok((_, start)) = segment::head_of(&*file).map_err(unreadable)? else {
                        return Err(Broken::Damaged(path.clone()));
                    };
                    let range = start..segment.length;
                    let place = segment::seek(&file, range, |commit| commit.last.number < first).map_err(unreadable)?;
                    none.insert(Records::new(file, place..segment.length).by(block))
                }
            };
            match records.read().map_err(unreadable)? {
                Next::Record(placed, events) => {
                    let commit = &placed.commit;
                    let Some(begins) = commit.first().filter(|_| commit.last.number >= first) else { continue };
                    if begins > last {
                        track.segments.clear();
                        return Ok(None);
                    }
                    let skipped = sse::length_of(events, first.saturating_sub(begins));
                    let end = if commit.last.number > last { sse::length_of(events, last + 1 - begins) } else { events.len() };
                    let last = Position { number: commit.last.number.min(last), ..commit.last };
                    let part = Part { events: Bytes::copy_from_slice(&events[skipped..end]), last, age: commit.age };
                    return Ok(Some((begins.max(first), placed.range.start, part)));
                }
                Next::End => {
                    track.segments.pop_front();
                    track.records = None;
                }
                Next::Rest(_) => return Err(Broken::Damaged(path.clone())),
            }
        }
        Ok(None)
    }
}
