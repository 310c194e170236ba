//! What is to be done with each event of a stream: written, told, left out, or a reason to stop. Knows no network, no file and no clock.
//!
//! What holds:
//! - an event that was read before is not written again, whatever a server or a proxy sends;
//! - what is written, told and passed over moves the place of the client on, in the order of the stream;
//! - an event that is left out because it is too long is a gap, like any other;
//! - types that the protocol keeps for itself mean something only where a server of ours sends them: elsewhere they are somebody's own.

use std::sync::Arc;

use serde::Deserialize;

use super::block::Block;
use super::notice::{self, Notice, Weight};
use super::place::{self, Mark, Place};
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
    /// There is no room: the stream is over.
    Busy(Busy),
    /// A sign of life, in place of an event.
    Ping,
    /// Nothing more is read: this is missing.
    Stop(Notice),
}

/// Why there is no room, as far as the server says it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Busy {
    /// When to come back, in milliseconds.
    #[serde(default)]
    pub retry: Option<u64>,
    /// What there is no room for.
    #[serde(default)]
    pub reason: Option<String>,
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
    /// Whether the server is one of ours.
    is_ours: bool,
    /// The client's own gap that was told last: its id and its data.
    gap: Option<(Vec<u8>, Vec<u8>)>,
    /// Whether the event that is coming was told to be too long.
    is_told: bool,
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
        let (mark, is_ours) = (Mark::behind(&place.id), place::names_event(&place.id));
        Self { shape, server, sieve, on_gap, mark, is_ours, gap: None, is_told: false, steps: Vec::new(), has_stopped: false }
    }

    /// The server has said that it is one of ours.
    pub fn recognize(&mut self) {
        self.is_ours = true;
    }

    /// Takes what the stream has brought.
    pub fn take(&mut self, event: Result<Received<'_>, TooLarge>) {
        match event {
            _ if self.has_stopped => {}
            Ok(event) => {
                self.is_ours |= is_of_ours(&event);
                let is_control = self.is_ours && shape::is_control(event.kind);
                if is_control { self.control(&event) } else { self.line(&event) }
            }
            Err(_) if std::mem::take(&mut self.is_told) => {}
            Err(TooLarge(largest)) => self.too_large(largest),
        }
    }

    /// The event that is coming has more bytes than are taken, `largest`. That is told at once, for it may never end; and once.
    pub fn grows_too_large(&mut self, largest: usize) {
        if !self.has_stopped && !std::mem::replace(&mut self.is_told, true) {
            self.too_large(largest);
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
        let written = if shape::is_control(event.kind) { Written::Text } else { Written::Whole };
        self.put(event, if self.sieve.passes(event.data) { written } else { Written::Nothing });
    }

    fn control(&mut self, event: &Received<'_>) {
        match event.kind {
            b"ping" => self.steps.push(Step::Ping),
            b"busy" => self.steps.push(Step::Busy(serde_json::from_slice(event.data).unwrap_or_default())),
            b"progress" | b"open" | b"error" => {}
            // An event of the stream, like a line; but for a client's own gap, which comes again to who is cut behind it.
            _ if self.mark.has(event.id) => {}
            b"gap" if self.was_told(event) => self.put(event, Written::Nothing),
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

    /// Whether it is the gap that was told last. That one comes again to a client that has nothing behind it.
    fn was_told(&mut self, event: &Received<'_>) -> bool {
        if place::names_event(event.id) {
            return false;
        }
        let told = Some((event.id.to_vec(), event.data.to_vec()));
        let was_told = self.gap == told;
        self.gap = told;
        was_told
    }

    fn too_large(&mut self, largest: usize) {
        let largest = bytesize::ByteSize::b(u64::try_from(largest).unwrap_or(u64::MAX));
        let line = format!("gap: an event is longer than {largest}, and is left out (--max-line)");
        self.gap(Notice { weight: Weight::Warning, line }, None);
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

    /// Puts an event into the block.
    fn put(&mut self, event: &Received<'_>, written: Written) {
        let (shape, server) = (self.shape, self.server.take());
        self.is_told = false;
        let block = self.block();
        match written {
            Written::Whole => shape::write(shape, server.as_deref(), event, &mut block.bytes),
            Written::Text => shape::write_text(shape, server.as_deref(), event, &mut block.bytes),
            Written::Nothing => {}
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
    /// All of it, and whatever its type is, its data is text.
    Text,
    /// It is read, and that is all.
    Nothing,
}

/// What matters of a gap here.
#[derive(Default, Deserialize)]
struct Gap {
    #[serde(default)]
    reason: String,
}

/// Whether only a server of ours sends this.
fn is_of_ours(event: &Received<'_>) -> bool {
    #[derive(Deserialize)]
    struct Start {
        #[serde(rename = "channels")]
        _channels: Vec<String>,
    }
    let is_start = || event.kind == b"start" && place::read(event.id).is_some();
    place::names_event(event.id) || (is_start() && serde_json::from_slice::<Start>(event.data).is_ok())
}

#[cfg(test)]
mod tests;
