//! One source's whole way: bytes become lines, lines become events, events are named and published.
//!
//! ```text
//! source.read ▸ middle.work: framing ▸ mapping ▸ shaping ▸ turn.add ▸ channel.publish
//! ```
//!
//! Standard input and inherited descriptors are one text ([`run`]). What a followed path gives is one text for each file that stands behind it
//! ([`lanes`]), and a command one for each run of it ([`command`]). Nothing here waits for a client: the only thing that can slow a writer down is the user's own `--tee`.

pub mod command;
pub mod lanes;
pub mod middle;
mod oddities;

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use tracing::warn;

use crate::channel::{Channel, ChannelLife, Ears, EndReason, Gap, Reason};
use crate::clock::now;
use crate::event::{Age, ChannelName, EventId, Position};
use crate::metrics::Metrics;
use crate::shaping::Item;
use crate::source::command::{Exit, NotStarted};
use crate::source::file::Mark;
use crate::source::hint::BlockBuffering;
use crate::source::stream::Stream;
use crate::source::{Read, tee::Tee};
use crate::store::{Store, Turn};
use middle::{Middle, Recipe};
use oddities::Oddities;

/// A channel shows at most five progress states a second.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);

/// A line that ends within this time shows no progress: a CR that ended a read has shown then whether it belongs to a CRLF.
const PROGRESS_SETTLES: Duration = Duration::from_millis(20);

/// Lines that come faster than all clients can be sent them are read together: a source that gave little, and gave little just before, rests
/// for a moment while those who write to clients are busy. Nothing would reach anybody sooner without it, and thousands of wake-ups are saved.
const REST: Duration = Duration::from_micros(200);

/// By how much longer it rests each time while the last news have not even been looked at, and how long at most.
const MORE_REST: Duration = Duration::from_micros(100);
const LONG_REST: Duration = Duration::from_micros(500);

/// How long the position of a source waits for an event to be stored with, if there are only lines that are left out.
const POSITION_AFTER: Duration = Duration::from_secs(1);

/// What is little, in bytes: far less than a pipe holds, so that no writer waits.
const LITTLE: usize = 4096;

/// What is just before.
const JUST_BEFORE: Duration = Duration::from_millis(1);

/// What all pipelines share.
#[derive(Debug, Clone)]
pub struct Fittings {
    /// Who names events.
    pub store: Arc<Store>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// What differs between sources.
#[derive(Debug, Clone)]
pub struct Manner {
    /// Bytes up to which a line stays whole.
    pub max_line: usize,
    /// How lines become events.
    pub recipe: Arc<Recipe>,
    /// After how much silence an unfinished line becomes an event.
    pub flush_partial: Option<Duration>,
    /// Whether a writer may hold its bytes back in blocks.
    pub writer: Writer,
}

/// Who writes what is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writer {
    /// A program behind a pipe, whose C library may write in blocks.
    Pipe,
    /// The same, of a program that we run.
    Command,
    /// A file, in which it does not matter, or a terminal, for which programs write whole lines.
    File,
}

/// The way from a text's bytes to its channel.
#[derive(Debug)]
pub struct Pipeline {
    middle: Middle,
    fittings: Fittings,
    manner: Manner,
    /// What it goes over to where nothing is held.
    next_manner: Option<Manner>,
    channel: Channel,
    buffering: BlockBuffering,
    /// When the state of the unfinished line is to be shown.
    progress_due: Option<Instant>,
    /// When one was shown last.
    progress_shown: Option<Instant>,
    /// When the unfinished line becomes an event.
    flush_due: Option<Instant>,
    /// When it was given bytes last.
    pushed: Option<Instant>,
    /// How long it rests, if it does.
    rest: Option<Duration>,
    /// When a position is stored that no event has come with.
    position_due: Option<Instant>,
    /// What is odd is told once for each source.
    oddities: Arc<Oddities>,
    /// What the source gave.
    read: Summary,
}

/// What a source gave in its life.
#[derive(Debug, Clone, Copy, Default)]
pub struct Summary {
    /// Bytes.
    pub bytes: u64,
    /// Events made of them.
    pub lines: u64,
}

/// The data of an `end` event.
#[derive(Debug, Serialize)]
struct End<'a> {
    channel: &'a ChannelName,
    reason: EndReason,
    /// The exit status of a command; other sources have none.
    exit: Option<i32>,
}

/// Reads a stream to its end, or until the daemon stops.
///
/// # Errors
/// The read that failed; the channel has ended all the same.
pub fn run(mut source: Stream, mut pipeline: Pipeline, mut tee: Option<Tee>) -> io::Result<Outcome> {
    let pulse = source.pulse().clone();
    loop {
        match source.read(pipeline.due()) {
            Ok(Read::Bytes(bytes)) => {
                pipeline.push(bytes, Age::New, None);
                if let Some(tee) = &mut tee {
                    pulse.waits(); // somebody reads slowly, which is their right
                    tee.copy(bytes);
                    pulse.works();
                }
            }
            Ok(Read::Quiet) => {}
            Ok(Read::Ended) => return Ok(Outcome::Ended(pipeline.end(EndReason::Eof))),
            Ok(Read::Stopped) => {
                pipeline.flush(None);
                return Ok(Outcome::Stopped);
            }
            Err(error) => {
                pipeline.end(EndReason::Error);
                return Err(error);
            }
        }
        pipeline.do_what_is_due(Instant::now(), |_| None);
        if let Some(rest) = pipeline.rest() {
            thread::sleep(rest);
        }
    }
}

/// How reading came to its end.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The source ended for good, having given this.
    Ended(Summary),
    /// The last run of a command is over.
    Exited(Summary, Exit),
    /// A command could not be started.
    NotStarted(Arc<NotStarted>),
    /// The daemon stops.
    Stopped,
}

impl Pipeline {
    /// A pipeline into `channel`.
    #[must_use]
    pub fn new(fittings: &Fittings, manner: Manner, channel: Channel) -> Self {
        Self {
            middle: Middle::new(&manner.recipe, manner.max_line),
            fittings: fittings.clone(),
            manner,
            next_manner: None,
            channel,
            buffering: BlockBuffering::default(),
            progress_due: None,
            progress_shown: None,
            flush_due: None,
            pushed: None,
            rest: None,
            position_due: None,
            oddities: Arc::default(),
            read: Summary::default(),
        }
    }

    /// A pipeline for another text of the same channel.
    #[must_use]
    fn beside(&self) -> Self {
        let mut other = Self::new(&self.fittings, self.manner.clone(), self.channel.clone());
        other.oddities = Arc::clone(&self.oddities);
        other
    }

    /// The text goes another way from now on: from the next line that nothing of has been read.
    pub fn change(&mut self, manner: Manner) {
        self.next_manner = Some(manner);
        self.go_over();
    }

    /// Goes over to what has been asked for, where it can.
    fn go_over(&mut self) {
        if self.middle.held() > 0 {
            return;
        }
        if let Some(manner) = self.next_manner.take() {
            // What it has still to tell, it tells.
            self.middle.end(Instant::now());
            self.publish(None);
            self.middle = Middle::new(&manner.recipe, manner.max_line);
            self.manner = manner;
        }
    }

    /// Takes the next bytes of the text, and asks the mark for the position of the source behind the events that they make.
    pub fn push(&mut self, bytes: &[u8], age: Age, mut mark: Option<Mark<'_>>) {
        let mut rest = bytes;
        // Who wants another way wants it from the very next line on.
        while self.next_manner.is_some()
            && let Some(end) = memchr::memchr(b'\n', rest)
        {
            let (line, behind) = rest.split_at(end + 1);
            self.take(line, age, &mut mark, behind.len());
            rest = behind;
        }
        self.take(rest, age, &mut mark, 0);
    }

    /// Takes bytes, behind which `behind` more have been read.
    fn take(&mut self, bytes: &[u8], age: Age, mark: &mut Option<Mark<'_>>, behind: usize) {
        self.middle.work(bytes, age, Instant::now);
        let Self { middle, fittings, channel, .. } = self;
        let mut turn = fittings.store.turn(channel.name(), now(), age);
        middle.give(bytes, |item| add(&mut turn, channel, item));
        let (events, held) = (turn.count(), middle.held() + behind);
        let position = mark.as_mut().and_then(|mark| mark.position(events, held));
        let ears = channel.publish(turn.commit(position), ChannelLife::Open);
        drop(turn);
        self.note_position(events, mark, behind);
        self.go_over();
        self.count(bytes.len());
        self.look_ahead(bytes.len(), ears);
    }

    /// How many of the bytes that it was given are in no event yet.
    #[must_use]
    pub fn held(&self) -> usize {
        self.middle.held()
    }

    /// Whether the last line is unfinished.
    #[must_use]
    pub fn is_inside_line(&self) -> bool {
        self.middle.is_inside_line()
    }

    /// Another text of the channel begins: what waits for more of this one, and is whole without it, becomes events now. An unfinished line does not.
    pub fn settle(&mut self, mut mark: Option<Mark<'_>>) {
        if self.middle.due().is_none() {
            return;
        }
        self.middle.settle(Instant::now());
        let held = self.middle.held();
        self.publish(mark.as_mut().and_then(|mark| mark.position(1, held)));
    }

    /// How long its source may rest before the next read.
    #[must_use]
    pub fn rest(&self) -> Option<Duration> {
        self.rest
    }

    /// The source has ended for good: its last line is an event, and then `end`.
    pub fn end(&mut self, reason: EndReason) -> Summary {
        self.flush(None);
        let name = self.channel.name();
        let mut turn = self.fittings.store.turn(name, now(), Age::New);
        turn.add_control("end", &End { channel: name, reason, exit: reason.exit() });
        self.channel.publish(turn.commit(None), ChannelLife::Ended(reason));
        self.read
    }

    /// Something of the source itself is an event of the stream, behind what has been read, which nothing will finish.
    fn tell(&mut self, kind: &str, payload: &impl Serialize) {
        self.flush(None);
        let mut turn = self.fittings.store.turn(self.channel.name(), now(), Age::New);
        turn.add_control(kind, payload);
        self.channel.publish(turn.commit(None), ChannelLife::Open);
    }

    /// The unfinished line becomes an event, and what it belongs to: nothing will finish it. `position` is that of the source behind it, stored even
    /// if there is none.
    pub fn flush(&mut self, position: Option<&str>) {
        self.middle.end(Instant::now());
        self.publish(position);
        self.go_over();
        (self.progress_due, self.flush_due) = (None, None);
    }

    /// What the middle has made becomes events.
    fn publish(&mut self, position: Option<&str>) {
        let Self { middle, fittings, channel, .. } = self;
        let mut turn = fittings.store.turn(channel.name(), now(), Age::New);
        middle.give(&[], |item| add(&mut turn, channel, item));
        channel.publish(turn.commit(position), ChannelLife::Open);
        drop(turn);
        self.position_due = None;
        self.count(0);
    }

    /// When the pipeline wants to be called though nothing was read.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        let own = self.progress_due.into_iter().chain(self.flush_due).chain(self.position_due);
        own.chain(self.buffering.due()).chain(self.middle.due()).min()
    }

    /// Does what was put off. `position` gives that of the source before so many of its last bytes.
    pub fn do_what_is_due<'p>(&mut self, now: Instant, position: impl FnOnce(usize) -> Option<&'p str>) {
        let is_over = |due: Option<Instant>| due.is_some_and(|due| due <= now);
        if is_over(self.progress_due) {
            self.progress_due = None;
            if let Some(state) = self.middle.progress() {
                self.channel.show_progress(&state);
                self.progress_shown = Some(now);
            }
        }
        if is_over(self.flush_due) {
            self.flush(position(0));
        } else if is_over(self.middle.due()) {
            self.middle.do_what_is_due(now);
            self.publish(position(self.middle.held()));
        } else if is_over(self.position_due) {
            self.publish(position(self.middle.held()));
        }
        if self.buffering.is_time_to_tell(now) {
            let channel = self.channel.name();
            let cure =
                if self.manner.writer == Writer::Command { "--pty, or `stdbuf -oL COMMAND`" } else { "`stdbuf -oL COMMAND`" };
            warn!("'{channel}': the input came in blocks of 4096 bytes and stopped inside a line: the command buffers; try {cure}");
        }
    }

    /// Lines that have become no event move the position of a source, too; it is stored with the next event, or after a while.
    fn note_position(&mut self, events: u64, mark: &mut Option<Mark<'_>>, behind: usize) {
        let Some(mark) = mark else { return };
        if events > 0 {
            self.position_due = None;
        } else if self.middle.leaves_out() && mark.note(self.middle.held() + behind) {
            self.position_due = self.position_due.or_else(|| Some(Instant::now() + POSITION_AFTER));
        }
    }

    fn count(&mut self, bytes: usize) {
        let found = self.middle.take_tally();
        self.read.bytes += bytes as u64;
        self.read.lines += found.lines;
        self.fittings.metrics.input_bytes.add(bytes as u64);
        self.fittings.metrics.input_lines.add(found.lines);
        self.oddities.note(&found, self.channel.name(), &self.fittings.metrics);
    }

    /// Notes what may have to be done or told later, now that `count` bytes have been framed.
    fn look_ahead(&mut self, count: usize, ears: Ears) {
        let now = Instant::now();
        let is_fast = self.pushed.replace(now).is_some_and(|before| now - before < JUST_BEFORE);
        self.rest = match ears {
            _ if !is_fast || count >= LITTLE => None,
            Ears::Free => None,
            Ears::Busy => Some(REST),
            Ears::Deaf => Some(self.rest.map_or(REST, |rest| (rest + MORE_REST).min(LONG_REST))),
        };
        let is_inside_line = self.middle.is_inside_line();
        if self.manner.writer != Writer::File {
            self.buffering.note(count, is_inside_line, now);
        }
        self.flush_due = self.manner.flush_partial.filter(|_| is_inside_line).map(|pause| now + pause);
        // What is due stays due: a writer that never pauses must not put it off for ever.
        let next = || self.progress_shown.map_or(now, |shown| shown + PROGRESS_EVERY).max(now + PROGRESS_SETTLES);
        self.progress_due = self.middle.is_overwritten().then(|| self.progress_due.unwrap_or_else(next));
    }
}

/// Names what has been made. A gap is an event of the stream, at its place.
fn add(turn: &mut Turn<'_>, channel: &Channel, item: Item<'_>) {
    let (reason, lost) = match item {
        Item::Event(event) => return turn.add(event),
        Item::LimitGap { lost } => (Reason::RateLimit, Some(lost)),
        Item::UpstreamGap { lost } => (Reason::Upstream, lost),
    };
    let to = turn.position();
    let before = || EventId { position: Position { number: to.number - 1, ..to }, channel: Some(channel.name().clone()) };
    let from = if turn.count() > 0 { Some(before()) } else { channel.newest() };
    turn.add_control("gap", &Gap { channels: vec![channel.name().clone()], reason, from, to, lost });
}
