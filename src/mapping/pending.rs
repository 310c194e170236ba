//! Lines that may go on, and events that wait for them.
//!
//! A container's two outputs come in turn, and each has lines and stack traces of its own, so each is a *lane*. An event that is done may lie between
//! two parts of one that is not: then it waits, so that what is given ends at a clean cut.
//!
//! ```text
//! source   P stdout | F stderr | F stdout | ...
//!          └────────── one line ─────────┘          the clean cut is behind it
//!                     └ waits ┘
//! ```

use std::borrow::Cow;
use std::collections::VecDeque;
use std::ops::Range;
use std::time::Instant;

use super::cri::{Parsed, Part, Stream};
use super::grouping::{Rule, Within};
use super::json::Record;
use super::kind::Kind;
use super::{Beginning, Mapped, Mapping, Seam, Sink};

/// What an event that waits costs beside its data, in bytes.
const COST: usize = 128;

/// Lines that go on with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// All of a source.
    Only,
    /// Those of one of a container's outputs.
    Stream(Stream),
}

/// All lanes.
pub const LANES: [Lane; 3] = [Lane::Only, Lane::Stream(Stream::Out), Lane::Stream(Stream::Err)];

/// What is held.
#[derive(Debug, Default)]
pub struct Pending {
    groups: [Option<Group>; LANES.len()],
    joined: [Option<Joined>; LANES.len()],
    /// What the last line of each lane was in a group that may yet go on, and the group's type.
    left: [Option<(Within, Kind<'static>)>; LANES.len()],
    /// By the first of their bytes.
    done: VecDeque<Ready<'static>>,
    /// What those cost, in bytes.
    pub waiting: usize,
    /// Since when something that is done has waited.
    pub stuck: Option<Instant>,
}

/// Lines that are one event so far.
#[derive(Debug)]
struct Group {
    kind: Kind<'static>,
    data: Vec<u8>,
    bytes: Range<u64>,
    within: Within,
    beginning: Beginning,
    /// Where its last line begins in the source.
    last: u64,
    /// When it has grown last.
    grew: Instant,
}

/// The parts of a container's line so far.
#[derive(Debug)]
pub struct Joined {
    stream: Stream,
    /// When its first part was written.
    time: Vec<u8>,
    log: Vec<u8>,
    /// From its first part to its last.
    pub bytes: Range<u64>,
    /// What it begins with.
    pub beginning: Beginning,
}

/// An event of which nothing more is to come.
#[derive(Debug)]
pub struct Ready<'a> {
    /// What it is a line of.
    pub lane: Lane,
    /// Its type and data.
    pub record: Record<'a>,
    /// What it is made of.
    pub bytes: Range<u64>,
    /// What it begins with.
    pub beginning: Beginning,
    /// What its data goes on with.
    pub seam: Seam,
}

impl<'a> Ready<'a> {
    /// One that is whole.
    #[must_use]
    pub fn whole(lane: Lane, record: Record<'a>, bytes: Range<u64>) -> Self {
        Self { lane, record, bytes, beginning: Beginning::OfLine, seam: Seam::None }
    }

    /// The same, in memory of its own.
    #[must_use]
    pub fn into_owned(self) -> Ready<'static> {
        let Self { lane, record: Record { kind, data }, bytes, beginning, seam } = self;
        let record = Record { kind: kind.into_owned(), data: Cow::Owned(data.into_owned()) };
        Ready { lane, record, bytes, beginning, seam }
    }

    /// As it is given, of these bytes.
    #[must_use]
    pub fn mapped(&'a self, mapping: &'a Mapping, bytes: (u64, u64), is_beside_next: bool) -> Mapped<'a> {
        let Self { lane, record, beginning, seam, .. } = self;
        let kind = mapping.kind(&record.kind);
        Mapped { kind, data: &record.data, bytes, is_beside_next, lane: *lane, beginning: *beginning, seam: *seam }
    }
}

impl Lane {
    /// Its place among [`LANES`].
    #[must_use]
    pub fn index(self) -> usize {
        match self {
            Self::Only => 0,
            Self::Stream(Stream::Out) => 1,
            Self::Stream(Stream::Err) => 2,
        }
    }
}

impl Joined {
    /// As if it were one line.
    #[must_use]
    pub fn parsed(&self) -> Parsed<'_> {
        Parsed { time: &self.time, stream: self.stream, part: Part::Full, log: &self.log }
    }
}

impl Pending {
    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.done.is_empty() && self.open().is_none()
    }

    /// The first byte of what is held.
    #[must_use]
    pub fn first(&self) -> Option<u64> {
        self.open().into_iter().chain(self.done.front().map(|done| done.bytes.start)).min()
    }

    /// The first byte of what may go on.
    fn open(&self) -> Option<u64> {
        let groups = self.groups.iter().flatten().map(|group| group.bytes.start);
        groups.chain(self.joined.iter().flatten().map(|joined| joined.bytes.start)).min()
    }

    /// How many bytes have been joined of a line that goes on.
    #[must_use]
    pub fn joined(&self, lane: Lane) -> Option<usize> {
        self.joined[lane.index()].as_ref().map(|joined| joined.log.len())
    }

    /// A line begins that goes on, or goes on in a new event.
    pub fn begin(&mut self, lane: Lane, part: Parsed<'_>, bytes: Range<u64>, beginning: Beginning) {
        let (time, log) = (part.time.to_vec(), part.log.to_vec());
        self.joined[lane.index()] = Some(Joined { stream: part.stream, time, log, bytes, beginning });
    }

    /// A line goes on.
    pub fn join(&mut self, lane: Lane, part: Parsed<'_>, bytes: Range<u64>) {
        if let Some(joined) = &mut self.joined[lane.index()] {
            joined.log.extend_from_slice(part.log);
            joined.bytes.end = bytes.end;
        }
    }

    /// What has been joined of a line.
    pub fn take_joined(&mut self, lane: Lane) -> Option<Joined> {
        self.joined[lane.index()].take()
    }

    /// Adds a record to the group that it goes on with, or begins one. Gives how many groups have become too long.
    pub fn add(&mut self, rule: &Rule, max_line: usize, lane: Lane, record: Record<'_>, bytes: Range<u64>, now: Instant) -> u64 {
        let (mut cut, mut beginning, mut within) = (0, Beginning::OfLine, rule.begin(&record.data));
        if let Some(group) = &mut self.groups[lane.index()] {
            if let Some(next) = rule.go_on(group.within, &record.data)
                && group.kind == record.kind
            {
                if group.data.len() + 1 + record.data.len() <= max_line {
                    group.data.push(b'\n');
                    group.data.extend_from_slice(&record.data);
                    (group.last, group.bytes.end) = (bytes.start, bytes.end);
                    (group.within, group.grew) = (next, now);
                    return 0;
                }
                cut = u64::from(group.beginning != Beginning::Rest);
                (beginning, within) = (Beginning::Rest, next);
            }
        } else if let Some((before, kind)) = self.left[lane.index()].take()
            && let Some(next) = rule.go_on(before, &record.data)
            && kind == record.kind
        {
            (beginning, within) = (Beginning::Late, next);
        }
        self.close(lane, if beginning == Beginning::Rest { Seam::Newline } else { Seam::None });
        let (kind, data, last) = (record.kind.into_owned(), record.data.into_owned(), bytes.start);
        let group = Group { kind, data, bytes, within, beginning, last, grew: now };
        self.groups[lane.index()] = Some(group);
        cut
    }

    /// All groups are given.
    pub fn end_groups(&mut self, seam: Seam) {
        for lane in LANES {
            self.close(lane, seam);
        }
    }

    /// A group is whole.
    pub fn end_group(&mut self, lane: Lane) {
        self.close(lane, Seam::None);
        self.left[lane.index()] = None;
    }

    /// Nothing goes on with what has been given.
    pub fn forget(&mut self) {
        self.left = Default::default();
    }

    /// Groups that have not grown since are whole: each output of a container falls silent by itself.
    pub fn end_groups_silent_since(&mut self, then: Instant) {
        for lane in LANES {
            if self.groups[lane.index()].as_ref().is_some_and(|group| group.grew <= then) {
                self.close(lane, Seam::Perhaps);
            }
        }
    }

    /// When the group that has been silent for the longest time has grown last.
    #[must_use]
    pub fn grew(&self) -> Option<Instant> {
        self.groups.iter().flatten().map(|group| group.grew).min()
    }

    /// Whether a line waits for its last part.
    #[must_use]
    pub fn has_joined(&self) -> bool {
        self.joined.iter().any(Option::is_some)
    }

    fn close(&mut self, lane: Lane, seam: Seam) {
        let Some(group) = self.groups[lane.index()].take() else { return };
        let Group { kind, mut data, mut bytes, within, beginning, last, .. } = group;
        // An empty line that might have belonged to it is an event of its own.
        let blank = (within.is_open() && seam != Seam::Newline && last > bytes.start).then_some(last..bytes.end);
        if blank.is_some() {
            data.pop();
            bytes.end = last;
        }
        let (seam, blank) = (if blank.is_some() { Seam::None } else { seam }, blank.map(|bytes| (kind.clone(), bytes)));
        self.left[lane.index()] = (seam == Seam::Perhaps).then(|| (within, kind.clone()));
        self.wait(Ready { lane, record: Record { kind, data: Cow::Owned(data) }, bytes, beginning, seam });
        if let Some((kind, bytes)) = blank {
            self.wait(Ready::whole(lane, Record { kind, data: Cow::Borrowed(&[]) }, bytes));
        }
    }

    /// Something is an event, and waits until it ends at a clean cut.
    pub fn wait(&mut self, ready: Ready<'static>) {
        self.waiting += ready.record.data.len() + COST;
        let behind = self.done.iter().rev().take_while(|other| other.bytes.start > ready.bytes.start).count();
        self.done.insert(self.done.len() - behind, ready);
    }

    /// Gives what is done up to the last clean cut, of `taken` bytes of the source.
    pub fn release(&mut self, mapping: &Mapping, taken: u64, now: Instant, out: &mut Sink<'_>) {
        let open = self.open().unwrap_or(taken);
        if self.done.front().is_some_and(|first| first.bytes.start < open) {
            let across = |cut: u64, done: &Ready<'_>| (done.bytes.start < cut && cut < done.bytes.end).then_some(done.bytes.start);
            let mut cut = open;
            while let Some(earlier) = self.done.iter().filter_map(|done| across(cut, done)).min() {
                cut = earlier;
            }
            self.give(self.done.iter().take_while(|done| done.bytes.start < cut).count(), mapping, out);
        }
        self.stuck = if self.done.is_empty() { None } else { self.stuck.or(Some(now)) };
    }

    /// Gives all that is done; nothing may go on.
    pub fn release_all(&mut self, mapping: &Mapping, out: &mut Sink<'_>) {
        self.give(self.done.len(), mapping, out);
        self.stuck = None;
    }

    /// Gives the first `count`, which end at a clean cut.
    fn give(&mut self, count: usize, mapping: &Mapping, out: &mut Sink<'_>) {
        let mut given = 0;
        while given < count {
            // Those that lie across each other share one range.
            let Range { start, mut end } = self.done[given].bytes;
            let mut next = given + 1;
            while next < count && self.done[next].bytes.start < end {
                end = end.max(self.done[next].bytes.end);
                next += 1;
            }
            for done in self.done.range(given..next) {
                given += 1;
                out(done.mapped(mapping, (start, end), given < next));
            }
        }
        let gone = self.done.drain(..count);
        self.waiting -= gone.map(|done| done.record.data.len() + COST).sum::<usize>();
    }
}
