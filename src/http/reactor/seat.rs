//! One client at its seat: its socket, where it is, and what it has not taken yet.

use std::io::{self, Read};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::visits::Tick;
use super::wire::{Framing, Wire};
use super::{After, Manner, Newcomer, Ticket};
use crate::channel::{Cursor, Subscriber};
use crate::http::archived::Playback;
use crate::http::client::{self, Again, Chunk, Client};
use crate::http::query::{Format, Heartbeat};
use crate::http::sifting::Sifting;
use crate::http::slots::Slot;

/// The most bytes that are kept of what a client sends behind its request: as much as a request's head may have.
const MAX_UNREAD: usize = 16 * 1024;

/// What is read and thrown away at most of a client that is done with, so that the kernel does not answer it with a reset.
const MAX_DRAINED: usize = 64 * 1024;

/// The most bytes of chunks that are kept because clients have taken a part of them, for all clients of a reactor.
const MAX_KEPT: usize = 1 << 20;

/// How many clients may keep open files while they stand still.
const FEW: usize = 256;

/// A client.
#[derive(Debug)]
pub struct Seat {
    pub socket: TcpStream,
    /// Tells this client from those who had the seat before.
    pub guest: u32,
    pub place: Place,
    pub subscriber: Subscriber,
    /// What it does not want, if it does not want all.
    pub sifting: Option<Box<Sifting>>,
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
    /// Where it is on the disk, if it is there.
    pub playback: Option<Box<Playback>>,
    /// What the client has sent behind its request.
    pub unread: Vec<u8>,
    slot: Option<Slot>,
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

/// What a client has taken a part of. It is kept if there is room for it; if not, its events are read again when the client takes more.
#[derive(Debug)]
pub struct Pending {
    head: Vec<u8>,
    said: Vec<u8>,
    again: Again,
    part: Part,
    length: usize,
    sent: usize,
    kept: Option<Arc<Kept>>,
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

impl Sent {
    /// How many bytes the kernel has, if it has not all.
    #[must_use]
    pub fn part(self) -> Option<usize> {
        match self {
            Self::Part(count) => Some(count),
            Self::All | Self::Gone => None,
        }
    }
}

impl Seat {
    /// Seats a client.
    #[must_use]
    pub fn new(newcomer: Newcomer) -> Self {
        let Newcomer { stream, unread, head, framing, after, client, ticket } = newcomer;
        let Client { subscriber, format, heartbeat, silence, slot, said, sifting } = client;
        Self {
            socket: stream,
            guest: 0,
            place: Place::Behind,
            subscriber,
            sifting,
            format,
            framing,
            heartbeat,
            after,
            peer: Peer::Open,
            visit: Tick::MAX,
            moved: 0,
            silence,
            first: Some(Box::new(First { head, said })),
            pending: None,
            playback: None,
            unread,
            slot: Some(slot),
            ticket,
        }
    }

    /// Comes to a reactor as its so manieth guest.
    pub fn arrive(&mut self, guest: u32, now: Tick) {
        (self.guest, self.place, self.visit, self.moved, self.playback) = (guest, Place::Behind, Tick::MAX, now, None);
    }

    /// It has been sent what all members of its group were sent.
    pub fn catch_up(&mut self, edge: &Cursor, shared: Option<&Sifting>) {
        self.subscriber.move_to(edge);
        if let (Some(sifting), Some(shared)) = (&mut self.sifting, shared) {
            sifting.rejoin(shared);
        }
    }

    /// What breaks its silence; nothing if it has no sign of life.
    pub fn sign_of_life(&mut self) -> Vec<u8> {
        let bookmark = self.sifting.as_mut().and_then(|sifting| sifting.bookmark(&self.subscriber, self.format));
        bookmark.unwrap_or_else(|| client::sign_of_life(self.heartbeat, self.format))
    }

    /// Whether it may have to say something in silence.
    #[must_use]
    pub fn has_signs_of_life(&self) -> bool {
        client::has_signs_of_life(self.heartbeat, self.format, self.sifting.is_some())
    }

    /// Its client does not take what it has been sent: of the disk it keeps a place, if it is one of few, or nothing.
    pub fn let_playback_rest(&mut self, of: usize) {
        match &mut self.playback {
            Some(playback) if of <= FEW => playback.rest(),
            playback => *playback = None,
        }
    }

    /// Whether it has been sent what goes out before all else.
    #[must_use]
    pub fn is_greeted(&self) -> bool {
        self.first.is_none()
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

    /// Gives its place back: a client that has seen the end of its stream finds it free.
    pub fn leave_slot(&mut self) {
        self.slot = None;
    }

    /// Fills the wire with what goes out next.
    pub fn fill(&self, wire: &mut Wire, head: &[u8], chunk: &Chunk, part: Part) {
        wire.fill(head, chunk, self.framing);
        if part == Part::Last {
            wire.end(self.framing);
        }
    }

    /// Sends on what is pending. `None` if it is no longer kept by anybody: then the stream can only be cut.
    pub fn send_on(&mut self, pending: &mut Pending, wire: &mut Wire, now: Tick, manner: &Manner) -> Option<Sent> {
        let wire = match &pending.kept {
            Some(kept) => &kept.wire,
            None if self.refill(pending, wire, manner) => wire,
            None => return None,
        };
        let sent = self.send(wire, pending.sent, now);
        pending.sent = sent.part().unwrap_or(pending.sent);
        Some(sent)
    }

    /// Fills the wire with what is pending, read once more. False if it is no longer retained.
    fn refill(&self, pending: &Pending, wire: &mut Wire, manner: &Manner) -> bool {
        let chunk = match &pending.again {
            Again::Not => return false,
            Again::Said => Chunk { said: pending.said.clone(), ..Chunk::default() },
            Again::Read(span) => {
                let in_memory = self.subscriber.read_again(&span.from, span.to);
                let on_disk = || match manner {
                    Manner::Archived(archivist) => archivist.read_again(&self.subscriber.filter(), span),
                    Manner::Live => None,
                };
                let Some(events) = in_memory.or_else(on_disk) else { return false };
                let events = self.sifting.as_ref().map(|sifting| sifting.once_more(&events)).unwrap_or(events);
                Chunk::of_events(pending.said.clone(), events, span.from.clone(), span.to, self.format)
            }
        };
        self.fill(wire, &pending.head, &chunk, pending.part);
        wire.length() == pending.length
    }
}

/// Room for chunks that clients have taken a part of, which all clients of a reactor share: who is only slow gets its chunk whole although the
/// history moves on, and however many stand still, they cost no more.
#[derive(Debug, Default)]
pub struct Room(Arc<AtomicUsize>);

/// A chunk that somebody has taken a part of, as it goes over the wire. Those who were sent the same share it.
#[derive(Debug)]
pub struct Kept {
    wire: Wire,
    used: Arc<AtomicUsize>,
}

impl Room {
    /// Holds what a wire is filled with, if there is room, or if the chunk cannot be made again: without it its client would be cut, and cut again.
    #[must_use]
    pub fn keep(&self, wire: &Wire, again: &Again) -> Option<Arc<Kept>> {
        // One thread counts; it is atomic because the reactor is made by another.
        let used = self.0.load(Ordering::Relaxed) + wire.length();
        (used <= MAX_KEPT || matches!(again, Again::Not)).then(|| {
            self.0.store(used, Ordering::Relaxed);
            Arc::new(Kept { wire: wire.clone(), used: Arc::clone(&self.0) })
        })
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.used.fetch_sub(self.wire.length(), Ordering::Relaxed);
    }
}

impl Pending {
    /// What is left of a wire that holds `chunk` behind `head`, of which so many bytes were sent.
    #[must_use]
    pub fn of(wire: &Wire, head: &[u8], chunk: &Chunk, part: Part, sent: usize, kept: Option<Arc<Kept>>) -> Self {
        let said = match &chunk.again {
            Again::Said => &chunk.said[..],
            // What is made of events is made of them again.
            Again::Read(span) => &chunk.said[..span.behind],
            Again::Not => &[],
        };
        Self { head: head.to_vec(), said: said.to_vec(), again: chunk.again.clone(), part, length: wire.length(), sent, kept }
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
    fn what_is_held_has_a_bound_and_goes_back() {
        let room = Room::default();
        let mut wire = Wire::default();
        wire.fill(&vec![b'x'; MAX_KEPT / 4], &Chunk::default(), Framing::Chunked);
        let mut kept: Vec<_> = (0..4).filter_map(|_| room.keep(&wire, &Again::Said)).collect();
        let shared = kept[0].clone();
        assert!(kept.len() == 4 && room.keep(&wire, &Again::Said).is_none());
        assert!(room.keep(&wire, &Again::Not).is_some(), "what cannot be made again is kept");
        kept.clear();
        assert_eq!(room.0.load(Ordering::Relaxed), shared.wire.length());
        drop(shared);
        assert!(room.keep(&wire, &Again::Said).is_some_and(|kept| kept.wire.length() == wire.length()));
        assert_eq!(room.0.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_seat_is_small() {
        let size = size_of::<Seat>();
        assert!(size <= 256, "a seat has {size} bytes");
    }
}
