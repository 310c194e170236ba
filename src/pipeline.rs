//! One source's whole way: bytes become lines, lines become events, events are named and published.
//!
//! ```text
//! source.read ▸ framer.push ▸ mapper.map ▸ turn.add ▸ channel.publish
//! ```
//!
//! Nothing here waits for a client. The only thing that can slow a source down is the user's own `--tee`.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use tracing::warn;

use crate::channel::{Channel, ChannelLife, EndReason};
use crate::clock::now;
use crate::event::ChannelName;
use crate::framing::Framer;
use crate::mapping::Mapper;
use crate::metrics::Metrics;
use crate::source::hint::BlockBuffering;
use crate::source::stdin::Stdin;
use crate::source::{Read, tee::Tee};
use crate::store::Store;

/// A channel shows at most five progress states a second.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);

/// A line that ends within this time shows no progress: a CR that ended a read has shown then whether it belongs to a CRLF.
const PROGRESS_SETTLES: Duration = Duration::from_millis(20);

/// The way from a source's bytes to its channel.
#[derive(Debug)]
pub struct Pipeline {
    framer: Framer,
    mapper: Mapper,
    store: Arc<Store>,
    channel: Channel,
    metrics: Arc<Metrics>,
    buffering: BlockBuffering,
    /// When the state of the unfinished line is to be shown.
    progress_due: Option<Instant>,
    /// When one was shown last.
    progress_shown: Option<Instant>,
    /// Whether a line over the limit has been told.
    long_line_told: bool,
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

/// Reads standard input to its end, or until the daemon stops.
///
/// # Errors
/// The read that failed; the channel has ended all the same.
pub fn run(mut source: Stdin, mut pipeline: Pipeline, mut tee: Option<Tee>) -> io::Result<(Summary, Outcome)> {
    loop {
        match source.read(pipeline.due()) {
            Ok(Read::Bytes(bytes)) => {
                pipeline.push(bytes);
                if let Some(tee) = &mut tee {
                    tee.copy(bytes);
                }
            }
            Ok(Read::Quiet) => {}
            Ok(Read::Ended) => return Ok((pipeline.end(EndReason::Eof), Outcome::Ended)),
            Ok(Read::Stopped) => return Ok((pipeline.stop(), Outcome::Stopped)),
            Err(error) => {
                pipeline.end(EndReason::Error);
                return Err(error);
            }
        }
        pipeline.do_what_is_due(Instant::now());
    }
}

/// How reading came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The source ended for good.
    Ended,
    /// The daemon stops.
    Stopped,
}

impl Pipeline {
    /// A pipeline into `channel`, for lines of at most `max_line` bytes.
    #[must_use]
    pub fn new(max_line: usize, mapper: Mapper, store: Arc<Store>, channel: Channel, metrics: Arc<Metrics>) -> Self {
        Self {
            framer: Framer::new(max_line),
            mapper,
            store,
            channel,
            metrics,
            buffering: BlockBuffering::default(),
            progress_due: None,
            progress_shown: None,
            long_line_told: false,
            read: Summary::default(),
        }
    }

    /// Takes the next bytes of the source.
    pub fn push(&mut self, bytes: &[u8]) {
        let mut turn = self.store.turn(self.channel.name(), now());
        self.framer.push(bytes, |line| turn.add(self.mapper.map(line)));
        let lines = turn.count();
        self.channel.publish(turn.commit(), ChannelLife::Open);
        drop(turn);
        self.count(bytes.len(), lines);
        self.look_ahead(bytes.len());
    }

    /// The source has ended for good: its last line is an event, and then `end`.
    pub fn end(&mut self, reason: EndReason) -> Summary {
        let mut turn = self.store.turn(self.channel.name(), now());
        self.framer.end(|line| turn.add(self.mapper.map(line)));
        let lines = turn.count();
        turn.add_control("end", &End { channel: self.channel.name(), reason, exit: None });
        self.channel.publish(turn.commit(), ChannelLife::Ended(reason));
        drop(turn);
        self.count(0, lines);
        self.read
    }

    /// The daemon stops: what has been read of an unfinished line is not lost.
    fn stop(&mut self) -> Summary {
        let mut turn = self.store.turn(self.channel.name(), now());
        self.framer.end(|line| turn.add(self.mapper.map(line)));
        let lines = turn.count();
        self.channel.publish(turn.commit(), ChannelLife::Open);
        drop(turn);
        self.count(0, lines);
        self.read
    }

    /// When the pipeline wants to be called though nothing was read.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        self.progress_due.into_iter().chain(self.buffering.due()).min()
    }

    /// Does what was put off.
    pub fn do_what_is_due(&mut self, now: Instant) {
        if self.progress_due.is_some_and(|due| due <= now) {
            self.progress_due = None;
            if let Some(state) = self.framer.progress() {
                self.channel.show_progress(state);
                self.progress_shown = Some(now);
            }
        }
        if self.buffering.is_time_to_tell(now) {
            let channel = self.channel.name();
            warn!(%channel, "the input came in blocks of 4096 bytes and stopped inside a line: the command buffers; try `stdbuf -oL COMMAND`");
        }
    }

    fn count(&mut self, bytes: usize, lines: u64) {
        self.read.bytes += bytes as u64;
        self.read.lines += lines;
        self.metrics.input_bytes.add(bytes as u64);
        self.metrics.input_lines.add(lines);
    }

    /// Notes what may have to be done or told later, now that `count` bytes have been framed.
    fn look_ahead(&mut self, count: usize) {
        let now = Instant::now();
        self.buffering.note(count, self.framer.is_inside_line(), now);
        // What is due stays due: a writer that never pauses must not put it off for ever.
        let next = || self.progress_shown.map_or(now, |shown| shown + PROGRESS_EVERY).max(now + PROGRESS_SETTLES);
        self.progress_due = self.framer.is_overwritten().then(|| self.progress_due.unwrap_or_else(next));
        let long_lines = std::mem::take(&mut self.framer.long_lines);
        if long_lines > 0 {
            if !std::mem::replace(&mut self.long_line_told, true) {
                let channel = self.channel.name();
                warn!(%channel, "a line longer than --max-line became several events; this is said once");
            }
            self.metrics.long_lines.add(long_lines);
        }
    }
}
