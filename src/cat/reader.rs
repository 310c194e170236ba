//! What is to be done with each event of a stream: written, told, left out, or a reason to stop. Knows no network, no file and no clock.
//!
//! What holds:
//! - an event that was read before is not written again, whatever a server or a proxy sends;
//! - what is written, told and passed over moves the place of the client on, in the order of the stream;
//! - an event that is left out because it is too long is a gap, like any other.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::block::Block;
use super::notice::{self, Notice, Weight};
use super::place::{Mark, Part, Place};
use super::shape::{self, Shape};
use super::sieve::Sieve;
use crate::sse::parse::{Received, TooLarge};

/// What happens at a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnGap {
    /// It is told.
    GoOn,
    /// Nothing is read behind it.
    Stop,
}

/// What is done next, in order.
#[derive(Debug, Clone)]
pub enum Step {
    /// This is written.
    Write(Block),
    /// This is told.
    Say(Notice),
    /// The house is full: the stream is over, and this long is waited if the server says so.
    Busy(Option<Duration>),
    /// A sign of life, in place of an event.
    Ping,
    /// Nothing more is read: this is missing.
    Stop(Notice),
}

/// Reads the events of one stream, through all its connections.
#[derive(Debug)]
pub struct Reader {
    shape: Shape,
    /// What stands before channels, where several servers are read.
    server: Option<String>,
    sieve: Arc<Sieve>,
    on_gap: OnGap,
    mark: Mark,
    /// The event of which a part was written in an earlier run.
    part: Option<Part>,
    /// What is to be done with what was read since the last look.
    steps: Vec<Step>,
    has_stopped: bool,
}

/// A block is handed over when it has so many bytes, so that what is saved follows what is written.
const BLOCK: usize = 64 << 10;

impl Reader {
    /// Goes on from a place.
    #[must_use]
    pub fn new(shape: Shape, server: Option<String>, sieve: Arc<Sieve>, on_gap: OnGap, place: &Place) -> Self {
        let (mark, part) = (Mark::behind(&place.id), place.part.clone());
        Self { shape, server, sieve, on_gap, mark, part, steps: Vec::new(), has_stopped: false }
    }

    /// Takes what the stream has brought.
    pub fn take(&mut self, event: Result<Received<'_>, TooLarge>) {
        match event {
            _ if self.has_stopped => {}
            Ok(event) if shape::is_control(event.kind) => self.control(&event),
            Ok(event) => self.line(&event),
            Err(error) => {
                self.gap(Notice { weight: Weight::Warning, line: format!("gap: {error}, and is left out (--max-line)") }, None);
            }
        }
    }

    /// What is to be done with it.
    pub fn steps(&mut self) -> Vec<Step> {
        std::mem::take(&mut self.steps)
    }

    fn line(&mut self, event: &Received<'_>) {
        if self.mark.has(event.id) {
            return;
        }
        self.mark.move_on(event.id);
        self.put(event, if self.sieve.passes(event.data) { Written::Whole } else { Written::Nothing });
    }

    fn control(&mut self, event: &Received<'_>) {
        match event.kind {
            b"ping" => self.steps.push(Step::Ping),
            b"busy" => self.steps.push(Step::Busy(busy(event.data))),
            b"progress" | b"open" | b"error" => {}
            // An event of the stream, like a line; but for a client's own gap, which comes again to who is cut behind it.
            _ if self.mark.has(event.id) => {}
            b"gap" => {
                let told = serde_json::from_slice::<Gap>(event.data).unwrap_or_default();
                if told.reason == "restart" {
                    // From here on numbers are those of another life, and its clock may be another.
                    self.mark = Mark::default();
                }
                let notice = notice::of(event.kind, event.data);
                self.gap(notice.unwrap_or(Notice { weight: Weight::Warning, line: "gap".to_owned() }), Some(event));
            }
            _ => {
                self.mark.move_on(event.id);
                match notice::of(event.kind, event.data) {
                    Some(notice) => self.say(notice, event),
                    None => self.put(event, Written::Nothing),
                }
            }
        }
    }

    fn gap(&mut self, notice: Notice, event: Option<&Received<'_>>) {
        if self.on_gap == OnGap::Stop {
            self.has_stopped = true;
            return self.steps.push(Step::Stop(notice));
        }
        let Some(event) = event else { return self.steps.push(Step::Say(notice)) };
        self.mark.move_on(event.id);
        self.say(notice, event);
    }

    /// Tells something, to people or among the objects, and then the place is behind it.
    fn say(&mut self, notice: Notice, event: &Received<'_>) {
        if self.shape == Shape::Ndjson {
            return self.put(event, Written::Whole);
        }
        self.steps.push(Step::Say(notice));
        self.put(event, Written::Nothing);
    }

    /// Puts an event into the block, but for what was written of it before.
    fn put(&mut self, event: &Received<'_>, written: Written) {
        let (shape, server) = (self.shape, self.server.take());
        let part = self.part.take().filter(|part| part.id == event.id);
        let block = self.block();
        let begin = block.bytes.len();
        if written == Written::Whole {
            shape::write(shape, server.as_deref(), event, &mut block.bytes);
        }
        // Only what is written first can have been begun before.
        let before = part.filter(|_| begin == 0).and_then(|part| usize::try_from(part.bytes).ok());
        if let Some(before) = before.filter(|before| *before < block.bytes.len()) {
            block.leave_out(before);
        }
        block.end(event.id);
        self.server = server;
    }

    /// The block to which the next event goes.
    fn block(&mut self) -> &mut Block {
        let has_room = matches!(self.steps.last(), Some(Step::Write(block)) if block.bytes.len() < BLOCK);
        if !has_room {
            self.steps.push(Step::Write(Block::default()));
        }
        match self.steps.last_mut() {
            Some(Step::Write(block)) => block,
            _ => unreachable!("a block was put there"),
        }
    }
}

/// What is written of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    /// All of it.
    Whole,
    /// It is read, and that is all.
    Nothing,
}

/// What matters of a gap here.
#[derive(Default, Deserialize)]
struct Gap {
    #[serde(default)]
    reason: String,
}

/// When a full house says to come back.
fn busy(data: &[u8]) -> Option<Duration> {
    #[derive(Deserialize)]
    struct Busy {
        retry: u64,
    }
    serde_json::from_slice::<Busy>(data).ok().map(|busy| Duration::from_millis(busy.retry))
}

#[cfg(test)]
mod tests;
