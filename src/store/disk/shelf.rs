//! What an archive holds of some channels at one moment, for questions about it.
//!
//! A shelf is made under the archive's lock and asked without it, by as many as like. It knows the segments; what is inside of one is found in its file
//! by halves. A segment may be let go meanwhile: then the answer is [`Broken`], never a wrong one.

use std::io;
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::archive::Archive;
use super::book::Book;
use super::broken::{Broken, Fault};
use super::held::Places;
use super::newest::Counting;
use super::replay::Replay;
use super::seek::{Backwards, Sought, seek};
use super::segment::{BLOCK, Next, Reading, Records, Segment};
use super::volume::{Content, Volume};
use crate::event::{Age, ChannelName, Millis};

/// The segments of some channels.
#[derive(Debug, Clone)]
pub struct Shelf {
    volume: Arc<dyn Volume>,
    places: Places,
    books: Vec<Book>,
}

/// What is stored at a number and beside it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Around {
    /// The time and channel of the event with the number, if it is stored.
    pub at: Option<(Millis, ChannelName)>,
    /// The time of the nearest event below.
    pub before: Option<Millis>,
    /// The time of the nearest event above.
    pub after: Option<Millis>,
}

impl Archive {
    /// What is held of the channels that are wanted: a copy of no more than a few words for each.
    pub fn shelf(&self, is_wanted: impl Fn(&ChannelName) -> bool) -> Shelf {
        let wanted = self.logs.iter().filter(|(channel, log)| !log.book.is_empty() && is_wanted(channel));
        let books = wanted.map(|(_, log)| log.book.clone()).collect();
        Shelf { volume: Arc::clone(&self.volume), places: self.places.clone(), books }
    }
}

impl Shelf {
    /// The number above which lie the newest `count` events up to the number `until`, of one age or of all; 0 if there are fewer.
    ///
    /// # Errors
    /// A segment that had to be read cannot be.
    pub fn newest(&self, count: u64, until: u64, ages: Option<Age>) -> Result<u64, Broken> {
        Counting::new(&self.volume, &self.books, until, ages)?.back(count, until)
    }

    /// The number of the last event that arrived at `time` or before; 0 if there is none. On a shelf of all channels, whatever is stored above it came
    /// later.
    ///
    /// # Errors
    /// A segment that had to be read cannot be.
    pub fn until(&self, time: Millis) -> Result<u64, Broken> {
        // The last at or before the time is above `last` or is it; the first behind is not above `first_later`.
        let (mut last, mut first_later, mut unsure) = (0, u64::MAX, Vec::new());
        for book in &self.books {
            let begun = book.partition_point(|segment| segment.first.time <= time);
            let Some((index, segment)) = book.with_events_before(begun) else { continue };
            let known = if segment.last.is_some_and(|end| end.time > time) {
                unsure.push((book, segment));
                book.with_events_before(index).map(|(_, before)| before)
            } else {
                Some(segment)
            };
            last = last.max(known.and_then(Segment::last_number).unwrap_or(0));
        }
        for (book, segment) in unsure {
            if segment.last_number().is_none_or(|end| end <= last) || segment.first.number >= first_later {
                continue;
            }
            let in_segment = last_until(&*self.volume, book, segment, time).map_err(|fault| broken(book, segment, fault))?;
            last = last.max(in_segment.last.unwrap_or(0));
            first_later = first_later.min(in_segment.first_later);
        }
        Ok(last)
    }

    /// What is stored at a number and beside it.
    ///
    /// # Errors
    /// A segment that had to be read cannot be.
    pub fn around(&self, number: u64) -> Result<Around, Broken> {
        let mut found = Around::default();
        for book in &self.books {
            let Some(own) = around_in(&*self.volume, book, number, &found)? else { break };
            // Times do not go back with numbers: the later is the nearer below, the earlier above.
            found.before = found.before.max(own.before);
            found.after = found.after.into_iter().chain(own.after).min();
            found.at = found.at.or(own.at);
        }
        Ok(found)
    }

    /// Reads the events `numbers`, of one age or of all, in their order.
    ///
    /// # Errors
    /// A segment that had to be read cannot be.
    pub fn replay(&self, numbers: RangeInclusive<u64>, ages: Option<Age>) -> Result<Replay, Broken> {
        Replay::begin((Arc::clone(&self.volume), self.places.clone()), &self.books, numbers, ages)
    }
}

/// What a segment says of a time.
struct Until {
    /// The last event at or before it.
    last: Option<u64>,
    /// No event behind it is below this.
    first_later: u64,
}

fn last_until(volume: &dyn Volume, book: &Book, segment: &Segment, time: Millis) -> Result<Until, Fault> {
    let file = volume.open(&book.path_of(segment.first))?;
    let Sought { place, record } = seek(&file, segment.start..segment.length, |commit| commit.last.time <= time)?;
    let later = record.and_then(|placed| placed.commit.first());
    let last = Backwards::new(Reading::Open(file), segment.start..place).read()?.map(|commit| commit.last.number);
    Ok(Until { last, first_later: later.unwrap_or(u64::MAX) })
}

/// The same for one channel; `None` if it cannot add anything to what was found of others.
fn around_in(volume: &dyn Volume, book: &Book, number: u64, found: &Around) -> Result<Option<Around>, Broken> {
    if let Some((time, _)) = &found.at
        && found.before == Some(*time)
        && found.after == Some(*time)
    {
        return Ok(None);
    }
    let reaching = book.partition_point(|segment| segment.reach.number < number);
    let before = book.with_events_before(reaching).and_then(|(_, segment)| segment.last).map(|last| last.time);
    let mut own = Around { before, ..Around::default() };
    for segment in (reaching..book.len()).filter_map(|index| book.get(index)).filter(|segment| segment.count() > 0) {
        if segment.first.number > number && found.after.is_some_and(|after| after <= segment.first.time) {
            break;
        }
        let is_complete = look_around(volume, book, segment, number, &mut own).map_err(|fault| broken(book, segment, fault))?;
        if is_complete {
            break;
        }
    }
    Ok(Some(own))
}

/// Adds what a segment says; true if it has an event above the number.
fn look_around(volume: &dyn Volume, book: &Book, segment: &Segment, number: u64, own: &mut Around) -> Result<bool, Fault> {
    let file = volume.open(&book.path_of(segment.first))?;
    let Sought { place, .. } = seek(&file, segment.start..segment.length, |commit| commit.last.number < number)?;
    let before = Backwards::new(Reading::Open(Arc::clone(&file)), segment.start..place).read()?;
    own.before = before.map(|commit| commit.last.time).or(own.before);
    let mut records = Records::new(Reading::Open(file), place..segment.length, BLOCK);
    loop {
        match records.peek()? {
            Next::Record(_, commit, _) => {
                let (first, last) = (commit.first(), commit.last);
                if let Some(first) = first.filter(|_| last.number >= number) {
                    if first <= number {
                        own.at = Some((last.time, book.channel().clone()));
                    }
                    if first < number {
                        own.before = Some(last.time);
                    }
                    if last.number > number {
                        own.after = Some(last.time);
                        return Ok(true);
                    }
                }
                records.pass();
            }
            Next::End => return Ok(false),
            Next::Rest(_) => return Err(Fault::Damaged),
        }
    }
}

/// Says whose fault it was.
pub(super) fn broken(book: &Book, segment: &Segment, fault: Fault) -> Broken {
    Broken { channel: book.channel().clone(), path: book.path_of(segment.first), fault }
}

/// Opens the file of a segment.
pub(super) fn open(volume: &dyn Volume, book: &Book, segment: &Segment) -> io::Result<Arc<dyn Content>> {
    volume.open(&book.path_of(segment.first))
}
