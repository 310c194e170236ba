//! Lines to events: what a line says of its type, what of it is the data, and which lines are one event.
//!
//! ```text
//! line ▸ format ▸ joining ▸ grouping ▸ event
//!        text     parts of  stack
//!        json     one line  traces
//!        cri
//! ```
//!
//! A line that is not of the format passes as it is, and is counted: nothing is dropped for its content. An event stream on the input has no lines; it
//! is [taken over](stream).
//!
//! Lines that may go on are held, and every event knows which bytes of the source it is made of. What is given always ends at a *clean cut*, a place in
//! the source that no event and nothing held lies across. So a source that goes on behind the last clean cut repeats nothing and leaves nothing out
//! ([`Mapper::clean`]). Where the reads cut makes no difference; the only clock is the `now` of whoever pushes.

pub mod cri;
pub mod field;
pub mod grouping;
pub mod json;
mod kind;
mod pending;
pub mod stream;

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::framing::{Ending, Line};

pub use kind::{BadEventType, EventType, Kind, check};

pub use pending::{LANES, Lane};

use cri::Part;
use grouping::Rule;
use json::Record;
use pending::{Joined, Pending, Ready};

/// How much may wait for the end of a line that others lie across, in bytes, if a line may not be longer than that anyway.
const MOST_WAITING: usize = 64 << 10;

/// How the lines of a source become events.
#[derive(Debug, Clone, Default)]
pub struct Mapping {
    /// The type of every event that says none of its own, if the user gave one.
    pub event_type: Option<EventType>,
    /// What a line is.
    pub format: Format,
    /// Which lines are one event.
    pub grouping: Option<Rule>,
    /// After so much silence nothing more is waited for.
    pub wait: Duration,
    /// How long others wait for the end of a container's line.
    pub parts: Parts,
}

/// How long events wait that lie between two parts of a container's line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Parts {
    /// As long as for anything else; then the parts are an event as they are.
    #[default]
    GivenUp,
    /// Until it ends, or too much waits: what is secret may lie across the parts.
    Awaited,
}

/// What a line is.
#[derive(Debug, Clone, Default)]
pub enum Format {
    /// An event as it stands.
    #[default]
    Text,
    /// The same, and it ends in NUL.
    Null,
    /// A JSON object.
    Json(json::Fields),
    /// As container runtimes write them.
    Cri(cri::Fields),
    /// No line: the input is an event stream.
    EventStream,
}

/// An event on its way from mapping to shaping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mapped<'a> {
    /// Its type.
    pub kind: Option<&'a str>,
    /// Its data.
    pub data: &'a [u8],
    /// The bytes of the source that it is made of, from one clean cut to another, by their places from where the text began. Several events may
    /// share one range.
    pub bytes: (u64, u64),
    /// Whether the next event is made of the same bytes.
    pub is_beside_next: bool,
    /// What it is a line of.
    pub lane: Lane,
    /// What it begins with.
    pub beginning: Beginning,
    /// What its data goes on with.
    pub seam: Seam,
}

/// What an event begins with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Beginning {
    /// With its own beginning.
    #[default]
    OfLine,
    /// Where the event before it ended, which was as long as it may be.
    Rest,
    /// With a line that goes on with the last event of its lane, which had been given: nobody knew that it would.
    Late,
}

/// What the data of an event goes on with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Seam {
    /// Nothing: it is whole.
    #[default]
    None,
    /// The next event of its lane: both are one line that was too long.
    Inside,
    /// A line break and the next event of its lane: both are one group that was too long.
    Newline,
    /// A line break and the next event of its lane, if that is [late](Beginning::Late): nothing was waited for any more.
    Perhaps,
}

/// What was found odd.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Lines taken.
    pub lines: u64,
    /// Lines that are not of the format.
    pub unmapped: u64,
    /// Types from data that cannot be one.
    pub refused_types: u64,
    /// Lines of a container that were joined and are longer than a line may be.
    pub long_lines: u64,
    /// Groups that were too long.
    pub cut_groups: u64,
    /// Events of an input that is an event stream which its end has cut, or which are too large.
    pub cut_events: u64,
}

/// Where events go.
pub type Sink<'s> = dyn FnMut(Mapped<'_>) + 's;

/// Turns the lines of one text into events.
#[derive(Debug)]
pub struct Mapper {
    mapping: Arc<Mapping>,
    /// The most bytes of an event.
    max_line: usize,
    /// Bytes of the source that have been taken.
    taken: u64,
    /// Whether the next line goes on with the last one.
    is_rest: bool,
    pending: Pending,
    /// What was found odd since somebody asked.
    pub tally: Tally,
}

impl Mapping {
    /// The type of an event, by what its line says.
    fn kind<'k>(&'k self, said: &'k Kind<'_>) -> Option<&'k str> {
        match said {
            Kind::Usual => self.event_type.as_ref().map(AsRef::as_ref),
            Kind::Named(kind) => Some(kind),
            Kind::Refused => None,
        }
    }
}

impl Mapper {
    /// A mapper of events of at most `max_line` bytes.
    #[must_use]
    pub fn new(mapping: Arc<Mapping>, max_line: usize) -> Self {
        Self { mapping, max_line, taken: 0, is_rest: false, pending: Pending::default(), tally: Tally::default() }
    }

    /// Takes the next line, and gives the events that it finishes.
    pub fn push(&mut self, line: Line<'_>, now: Instant, out: &mut Sink<'_>) {
        let bytes = self.taken..self.taken + line.length as u64;
        self.taken = bytes.end;
        self.tally.lines += 1;
        let is_rest = std::mem::replace(&mut self.is_rest, line.ending == Ending::GoesOn);
        if is_rest || line.ending == Ending::GoesOn {
            return self.push_part(line, bytes, is_rest, now, out);
        }
        let mapping = Arc::clone(&self.mapping);
        match &mapping.format {
            Format::Json(fields) => {
                let text = String::from_utf8_lossy(line.content);
                let record = fields.record(&text);
                self.tally.unmapped += u64::from(record.is_none());
                self.add(Lane::Only, record.unwrap_or_else(|| plain(line.content)), bytes, now, out);
            }
            Format::Cri(fields) => {
                if let Some(parsed) = cri::parse(line.content) {
                    return self.join(fields, parsed, bytes, now, out);
                }
                self.tally.unmapped += 1;
                self.add(Lane::Only, plain(line.content), bytes, now, out);
            }
            Format::Text | Format::Null | Format::EventStream => self.add(Lane::Only, plain(line.content), bytes, now, out),
        }
    }

    /// A part of a line that is too long is an event of its own: nobody can map a part of a document, and it goes on with no group.
    fn push_part(&mut self, line: Line<'_>, bytes: Range<u64>, is_rest: bool, now: Instant, out: &mut Sink<'_>) {
        self.tally.unmapped += u64::from(!is_rest && matches!(self.mapping.format, Format::Json(_) | Format::Cri(_)));
        self.pending.end_group(Lane::Only);
        let seam = if line.ending == Ending::GoesOn { Seam::Inside } else { Seam::None };
        let beginning = if is_rest { Beginning::Rest } else { Beginning::OfLine };
        self.give(Ready { lane: Lane::Only, record: plain(line.content), bytes, beginning, seam }, now, out);
    }

    /// Gives what is an event by itself. It need not wait if nothing else does.
    fn give(&mut self, ready: Ready<'_>, now: Instant, out: &mut Sink<'_>) {
        if self.pending.is_empty() {
            let bytes = (ready.bytes.start, ready.bytes.end);
            return out(ready.mapped(&self.mapping, bytes, false));
        }
        self.pending.wait(ready.into_owned());
        self.release(now, out);
    }

    /// A record is an event, or belongs to one.
    fn add(&mut self, lane: Lane, record: Record<'_>, bytes: Range<u64>, now: Instant, out: &mut Sink<'_>) {
        self.tally.refused_types += u64::from(record.kind == Kind::Refused);
        let Self { mapping, pending, tally, max_line, .. } = self;
        let Some(rule) = &mapping.grouping else {
            return self.give(Ready::whole(lane, record, bytes), now, out);
        };
        tally.cut_groups += pending.add(rule, *max_line, lane, record, bytes, now);
        self.release(now, out);
    }

    /// A line of a container is a record, or a part of one.
    fn join(&mut self, fields: &cri::Fields, parsed: cri::Parsed<'_>, bytes: Range<u64>, now: Instant, out: &mut Sink<'_>) {
        let lane = Lane::Stream(parsed.stream);
        let Some(joined) = self.pending.joined(lane) else {
            if parsed.part == Part::Full {
                return self.add(lane, fields.record(parsed), bytes, now, out);
            }
            self.pending.begin(lane, parsed, bytes, Beginning::OfLine);
            return;
        };
        if joined + parsed.log.len() > self.max_line {
            self.part_ways(fields, lane);
            self.pending.begin(lane, parsed, bytes, Beginning::Rest);
            self.release(now, out);
        } else {
            self.pending.join(lane, parsed, bytes);
        }
        if parsed.part == Part::Full
            && let Some(whole) = self.pending.take_joined(lane)
        {
            let (record, bytes) = (fields.record(whole.parsed()), whole.bytes.clone());
            match whole.beginning {
                Beginning::OfLine => self.add(lane, record, bytes, now, out),
                beginning => {
                    self.tally.refused_types += u64::from(record.kind == Kind::Refused);
                    self.give(Ready { beginning, ..Ready::whole(lane, record, bytes) }, now, out);
                }
            }
        }
    }

    /// What has been joined of a line is as long as a line may be: it is an event, and what follows another one.
    fn part_ways(&mut self, fields: &cri::Fields, lane: Lane) {
        let Some(part) = self.pending.take_joined(lane) else { return };
        self.tally.long_lines += u64::from(part.beginning == Beginning::OfLine);
        self.pending.end_group(lane);
        self.wait_for(&part, fields, lane, Seam::Inside);
    }

    /// A part of a line is an event, at its place.
    fn wait_for(&mut self, part: &Joined, fields: &cri::Fields, lane: Lane, seam: Seam) {
        let record = fields.record(part.parsed());
        self.tally.refused_types += u64::from(record.kind == Kind::Refused);
        let (bytes, beginning) = (part.bytes.clone(), part.beginning);
        self.pending.wait(Ready { lane, record, bytes, beginning, seam }.into_owned());
    }

    /// Gives what nothing held lies across. Too much behind a line that does not end, and the line is given up.
    fn release(&mut self, now: Instant, out: &mut Sink<'_>) {
        self.pending.release(&self.mapping, self.taken, now, out);
        if self.pending.waiting > self.max_line.max(MOST_WAITING) {
            self.give_up_parts(Seam::Inside);
            self.pending.end_groups(Seam::Perhaps);
            self.release_all(out);
        }
    }

    fn release_all(&mut self, out: &mut Sink<'_>) {
        let mapping = Arc::clone(&self.mapping);
        self.pending.release_all(&mapping, out);
    }

    /// Lines of which the last part is missing are events as they are; what may come of them is another one.
    fn give_up_parts(&mut self, seam: Seam) {
        let mapping = Arc::clone(&self.mapping);
        let Format::Cri(fields) = &mapping.format else { return };
        for lane in LANES {
            let Some(part) = self.pending.take_joined(lane) else { continue };
            self.pending.end_group(lane);
            self.wait_for(&part, fields, lane, seam);
        }
    }

    /// The text has ended, or nothing will finish what has begun.
    pub fn end(&mut self, out: &mut Sink<'_>) {
        if !self.pending.is_empty() {
            self.give_up_parts(Seam::None);
            self.pending.end_groups(Seam::None);
            self.release_all(out);
        }
        self.pending.forget();
        self.is_rest = false;
    }

    /// When something that is held is to be given up.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        let since = self.pending.grew().into_iter().chain(self.stuck()).min()?;
        Some(since + self.mapping.wait)
    }

    /// Since when something has waited for the end of a line that may be given up.
    fn stuck(&self) -> Option<Instant> {
        self.pending.stuck.filter(|_| self.mapping.parts == Parts::GivenUp && self.pending.has_joined())
    }

    /// Gives up what has been waited for long enough.
    pub fn do_what_is_due(&mut self, now: Instant, out: &mut Sink<'_>) {
        let wait = self.mapping.wait;
        let is_over = |since: Option<Instant>| since.is_some_and(|since| since + wait <= now);
        if is_over(self.stuck()) {
            self.give_up_parts(Seam::Inside);
            self.release(now, out);
        }
        if is_over(self.pending.grew())
            && let Some(then) = now.checked_sub(wait)
        {
            self.pending.end_groups_silent_since(then);
            self.release(now, out);
        }
    }

    /// The newest clean cut: how many bytes of the source are in events that have been given, and in nothing that is held.
    #[must_use]
    pub fn clean(&self) -> u64 {
        self.pending.first().unwrap_or(self.taken)
    }

    /// How many bytes of the source have been taken.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.taken
    }
}

/// A line as it stands.
fn plain(line: &[u8]) -> Record<'_> {
    Record { kind: Kind::Usual, data: Cow::Borrowed(line) }
}

#[cfg(test)]
mod tests;
