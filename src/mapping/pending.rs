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

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Instant;

use super::cri::{Parsed, Part, Stream};
use super::grouping::{Rule, Within};
use super::json::Record;
use super::kind::Kind;
use super::{Mapped, Mapping, Seam, Sink};

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
    /// By the first of their bytes.
    done: VecDeque<Done>,
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

/// What a line or a group begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beginning {
    /// With its own beginning.
    OfLine,
    /// Where the event before it ended, which was as long as it may be.
    Rest,
}

/// An event that waits.
#[derive(Debug)]
struct Done {
    lane: Lane,
    kind: Kind<'static>,
    data: Vec<u8>,
    bytes: Range<u64>,
    seam: Seam,
}

impl Lane {
    fn index(self) -> usize {
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

    /// Adds a record to the group that it goes on with, or begins one; without a rule it is done. Gives how many groups have become too long.
    pub fn add(
        &mut self,
        rule: Option<&Rule>,
        max_line: usize,
        lane: Lane,
        record: Record<'_>,
        bytes: Range<u64>,
        now: Instant,
    ) -> u64 {
        let Some(rule) = rule else {
            self.done(lane, record, bytes, Seam::None);
            return 0;
        };
        let mut cut = 0;
        let mut beginning = Beginning::OfLine;
        let mut within = rule.begin(&record.data);
        if let Some(group) = &mut self.groups[lane.index()]
            && let Some(next) = rule.go_on(group.within, &record.data)
            && group.kind == record.kind
        {
            if group.data.len() + 1 + record.data.len() <= max_line {
                group.data.push(b'\n');
                group.data.extend_from_slice(&record.data);
                (group.bytes.end, group.within, group.grew) = (bytes.end, next, now);
                return 0;
            }
            cut = u64::from(group.beginning == Beginning::OfLine);
            (beginning, within) = (Beginning::Rest, next);
        }
        self.close(lane, if beginning == Beginning::Rest { Seam::Newline } else { Seam::None });
        let group = Group { kind: record.kind.into_owned(), data: record.data.into_owned(), bytes, within, beginning, grew: now };
        self.groups[lane.index()] = Some(group);
        cut
    }

    /// All groups are whole.
    pub fn end_groups(&mut self) {
        for lane in LANES {
            self.end_group(lane);
        }
    }

    /// A group is whole.
    pub fn end_group(&mut self, lane: Lane) {
        self.close(lane, Seam::None);
    }

    /// Groups that have not grown since are whole: each output of a container falls silent by itself.
    pub fn end_groups_silent_since(&mut self, then: Instant) {
        for lane in LANES {
            if self.groups[lane.index()].as_ref().is_some_and(|group| group.grew <= then) {
                self.end_group(lane);
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
        if let Some(Group { kind, data, bytes, .. }) = self.groups[lane.index()].take() {
            self.wait(Done { lane, kind, data, bytes, seam });
        }
    }

    /// A record is an event.
    pub fn done(&mut self, lane: Lane, record: Record<'_>, bytes: Range<u64>, seam: Seam) {
        self.wait(Done { lane, kind: record.kind.into_owned(), data: record.data.into_owned(), bytes, seam });
    }

    fn wait(&mut self, done: Done) {
        self.waiting += done.data.len() + COST;
        let behind = self.done.iter().rev().take_while(|other| other.bytes.start > done.bytes.start).count();
        self.done.insert(self.done.len() - behind, done);
    }

    /// Gives what is done up to the last clean cut, of `taken` bytes of the source.
    pub fn release(&mut self, mapping: &Mapping, taken: u64, now: Instant, out: &mut Sink<'_>) {
        let open = self.open().unwrap_or(taken);
        if self.done.front().is_some_and(|first| first.bytes.start < open) {
            let across = |cut: u64, done: &Done| (done.bytes.start < cut && cut < done.bytes.end).then_some(done.bytes.start);
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
                let Done { lane, kind, data, seam, .. } = done;
                out(Mapped { kind: mapping.kind(kind), data, bytes: (start, end), lane: *lane, seam: *seam });
            }
            given = next;
        }
        let gone = self.done.drain(..count);
        self.waiting -= gone.map(|done| done.data.len() + COST).sum::<usize>();
    }
}
