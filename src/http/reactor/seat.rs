//! One client at its seat: its socket, where it is, and what it has not taken yet.

use std::io::{self, Read};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use super::visits::Tick;
use super::wire::{Framing, Wire};
use super::{After, Newcomer, Ticket};
use crate::http::client::{Chunk, Client, Span};
use crate::http::query::{Format, Heartbeat};
use crate::http::slots::Slot;

/// The most bytes that are kept of what a client sends behind its request: as much as a request's head may have.
const MAX_UNREAD: usize = 16 * 1024;

/// What is read and thrown away at most of a client that is done with, so that the kernel does not answer it with a reset.
const MAX_DRAINED: usize = 64 * 1024;

/// A client.
#[derive(Debug)]
pub struct Seat {
    pub socket: TcpStream,
    /// Tells this client from those who had the seat before.
    pub guest: u32,
    pub place: Place,
    pub subscriber: crate::channel::Subscriber,
    pub format: Format,
    pub framing: Framing,
    pub heartbeat: Heartbeat,
    pub after: After,
    pub peer: Peer,
    /// Its next visit.
    pub visit: Tick,
    /// When bytes last went out, or were to go.
    pub moved: Tick,
    pub silence: Duration,
    /// What goes out before all else.
    first: Option<Box<First>>,
    /// What it has taken a part of.
    pub pending: Option<Box<Pending>>,
    /// What the client has sent behind its request.
    pub unread: Vec<u8>,
    _slot: Slot,
    pub ticket: Ticket,
}

/// What goes out before all else.
#[derive(Debug)]
struct First {
    head: Vec<u8>,
    said: Vec<u8>,
}

/// What is being done for a client.
#[derive(Debug)]
pub enum Place {
    /// It has everything and waits for news in its group, in this place of the list.
    Live(usize),
    /// Something may wait for it, and it has its turn again and again until it has everything.
    Behind,
    /// Its socket is full.
    Stalled,
}

/// Whether a client may still say something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// Yes.
    Open,
    /// It has said that it will send nothing more: it has gone, or waits only for what is there.
    Silent,
}

/// What a client has taken a part of. The events are not held: they are read again when it takes more.
#[derive(Debug)]
pub struct Pending {
    head: Vec<u8>,
    said: Vec<u8>,
    span: Option<Span>,
    part: Part,
    length: usize,
    pub sent: usize,
}

/// Which part of a stream goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// More may follow.
    Inner,
    /// The clean end is in it.
    Last,
}

/// How sending went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// The kernel has all.
    All,
    /// The kernel has so many bytes.
    Part(usize),
    /// The peer has gone.
    Gone,
}

impl Seat {
    /// Seats a client.
    #[must_use]
    pub fn new(newcomer: Newcomer, guest: u32, now: Tick) -> Self {
        let Newcomer { stream, unread, head, framing, after, client, ticket } = newcomer;
        let Client { subscriber, format, heartbeat, silence, slot, said } = client;
        Self {
            socket: stream,
            guest,
            place: Place::Behind,
            subscriber,
            format,
            framing,
            heartbeat,
            after,
            peer: Peer::Open,
            visit: Tick::MAX,
            moved: now,
            silence,
            first: Some(Box::new(First { head, said })),
            pending: None,
            unread,
            _slot: slot,
            ticket,
        }
    }

    /// What goes out before all else, once: the response's head, and the greeting.
    pub fn take_first(&mut self) -> (Vec<u8>, Vec<u8>) {
        self.first.take().map_or_else(Default::default, |first| (first.head, first.said))
    }

    /// Hands bytes to the kernel, in one write.
    pub fn send(&mut self, wire: &Wire, sent: usize, now: Tick) -> Sent {
        match wire.send(&self.socket, sent) {
            Ok(count) => {
                // From the first attempt on it may stand still.
                if count > sent || sent == 0 {
                    self.moved = now;
                }
                if count == wire.length() { Sent::All } else { Sent::Part(count) }
            }
            Err(_) => Sent::Gone,
        }
    }

    /// Reads what the client sends, as long as there is room for it. Edge-triggered: nothing tells again what is left.
    pub fn listen(&mut self) {
        let mut block = [0; 1024];
        while self.unread.len() < MAX_UNREAD {
            match self.socket.read(&mut block) {
                Ok(0) => return self.peer = Peer::Silent,
                Ok(count) => self.unread.extend_from_slice(&block[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return, // nothing more now; or an error, which the next write shows
            }
        }
    }

    /// Says that nothing more will come.
    pub fn hang_up(&mut self) {
        let _ = self.socket.shutdown(Shutdown::Write);
        let mut block = [0; 4096];
        let mut drained = 0;
        while drained < MAX_DRAINED {
            match self.socket.read(&mut block) {
                Ok(count) if count > 0 => drained += count,
                _ => return,
            }
        }
    }

    /// Fills the wire with what goes out next.
    pub fn fill(&self, wire: &mut Wire, head: &[u8], chunk: &Chunk, part: Part) {
        wire.fill(head, chunk, self.framing);
        if part == Part::Last {
            wire.end(self.framing);
        }
    }

    /// Fills the wire with what is pending. False if it is no longer held: then the stream can only be cut.
    pub fn refill(&self, pending: &Pending, wire: &mut Wire) -> bool {
        let chunk = match &pending.span {
            None => Chunk { said: pending.said.clone(), ..Chunk::default() },
            Some(span) => {
                let Some(events) = self.subscriber.read_again(&span.from, span.to) else { return false };
                Chunk::of_events(pending.said.clone(), events, span.from.clone(), span.to, self.format)
            }
        };
        self.fill(wire, &pending.head, &chunk, pending.part);
        wire.length() == pending.length
    }
}

impl Pending {
    /// What is left of a wire that holds `chunk` behind `head`, of which so many bytes were sent.
    #[must_use]
    pub fn of(wire: &Wire, head: &[u8], chunk: &Chunk, part: Part, format: Format, sent: usize) -> Self {
        // Lines alone are made of the events again.
        let said = if format == Format::Text && chunk.span.is_some() { &[][..] } else { &chunk.said };
        Self { head: head.to_vec(), said: said.to_vec(), span: chunk.span.clone(), part, length: wire.length(), sent }
    }

    /// Which part of the stream it is.
    #[must_use]
    pub fn part(&self) -> Part {
        self.part
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_is_small() {
        let size = size_of::<Seat>();
        assert!(size <= 256, "a seat has {size} bytes");
    }
}
