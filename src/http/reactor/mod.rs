//! Streams over HTTP/1, written by few threads that serve all clients.
//!
//! hyper has read a client's request and has let go of its socket (`http::takeover`). From there on the client has a *seat* with one of the
//! reactors, and a reactor is a thread that goes round, as long as there is anything to do, and sleeps otherwise:
//!
//! 1. It asks the kernel which sockets have something to say: room again, or an end.
//! 2. It seats newcomers.
//! 3. It *sweeps* each group whose view has news: reads it once, and sends the same bytes to each member, one write each.
//! 4. Those who are behind have a turn each, for a bounded time: a chunk is read for it alone, and sent.
//! 5. For those who do not want all, events are looked through, for a bounded time (`look`).
//! 6. It visits those who have been silent or have stood still for long.
//!
//! While a round lasts, news gather; the next sweep sends them together. So chunks grow with the load, without a timer.
//!
//! Who wants what is on the disk alone is handed over to a reactor that does nothing else, and comes back when it has everything: nobody waits
//! for the disk but those who read from it. In the same way those who do not want all have reactors of their own, a live one and one for the disk:
//! nobody waits for expressions but those who have some, and of these who has taken least time goes first.
//!
//! # Invariants
//! - A seat is in exactly one place: *live* in one group, *behind* and in the queue once, or *stalled* with something pending.
//! - A chunk that clients have taken a part of is held as long as there is room, a mebibyte for all of them. Beyond it a client keeps the
//!   cursor from which its events were read, and they are read again when the socket has room. If they have been dropped by then, the
//!   stream is cut inside the chunk, and the client comes back with the id before it for its gap.
//!   A chunk beyond that room which cannot be made again, because what is in it depends on what the client had before (events around those that
//!   match), ends the same way.
//! - A group is level: what one member waits for, all do. Its members have the same sieve (`crate::sieve`), or none; who is sent events around those
//!   that match is in a group alone.

mod arrival;
mod doors;
mod group;
mod look;
mod seat;
mod sweep;
mod turn;
mod visits;
pub mod wire;

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token, Waker};
use slab::Slab;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::Sender;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tracing::debug;

use super::archived::Archivist;
use super::client::{Client, Ending};
use super::crowd::Visitor;
use super::shares::Shares;
use crate::channel::{Doorbell, ViewKey};
use crate::metrics::Metrics;
use crate::pulse::{Pulse, Pulses};

use group::{Group, Kind};
use look::Look;
use seat::{Peer, Pending, Place, Room, Seat};
use visits::{Tick, Visit, Visits};

use doors::Door;

pub use doors::Reactors;
pub use visits::TICK;
use wire::{Framing, Wire};

/// How many events of the kernel are taken at once.
const EVENTS: usize = 1024;

/// How long those who are behind have turns before the others are looked at again.
const SLICE: Duration = Duration::from_micros(500);

/// How many clients are a crowd.
const CROWD: usize = 512;

/// Why most connections end.
const GONE: &str = "the peer has gone";

/// The token of what wakes a reactor; no seat has it.
const WAKE: Token = Token(usize::MAX);

/// A client whose socket is taken over.
#[derive(Debug)]
pub struct Newcomer {
    /// Its socket, non-blocking.
    pub stream: TcpStream,
    /// What it has sent behind its request.
    pub unread: Vec<u8>,
    /// The head of the response.
    pub head: Vec<u8>,
    /// How the body is cut.
    pub framing: Framing,
    /// What becomes of the connection behind a clean end.
    pub after: After,
    /// What it is sent.
    pub client: Client,
    /// Its place among the connections.
    pub ticket: Ticket,
}

/// What becomes of a connection behind the clean end of its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// It goes back to hyper for the next request.
    Stay,
    /// It is closed.
    Close,
}

/// A place among the connections, given back on drop.
#[derive(Debug)]
pub struct Ticket {
    /// One of so many.
    pub permit: OwnedSemaphorePermit,
    /// Shows that it is there.
    pub token: TaskTrackerToken,
    /// Tells when it was one of many that have left.
    pub visitor: Visitor,
}

/// A connection that is done with its stream.
#[derive(Debug)]
pub struct Returned {
    /// Its socket.
    pub stream: TcpStream,
    /// What the client has sent already.
    pub unread: Vec<u8>,
    /// Its place.
    pub ticket: Ticket,
}

/// What all reactors need.
#[derive(Debug, Clone)]
pub struct Equipment {
    /// How streams end.
    pub ending: Ending,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// After how long a peer that takes nothing is cut.
    pub write_timeout: Duration,
    /// How rough the clock for silence and for standing still is; [`TICK`] in a daemon.
    pub tick: Duration,
    /// Takes connections back; has room for all there may be.
    pub give_back: Sender<Returned>,
    /// Who looks after them.
    pub pulses: Pulses,
}

/// What a reactor reads.
#[derive(Debug)]
pub enum Manner {
    /// Memory alone: it never waits. Clients who have everything are here.
    Live,
    /// The disk as well, and may have to wait for it. Clients are here who want what is not in memory any more.
    Archived(Archivist),
}

/// A member of a group who did not take all that it was sent: what is pending for it, or nothing if it has gone.
type Fallen = (u32, Option<Box<Pending>>);

/// A thread that serves clients.
pub struct Reactor {
    equipment: Equipment,
    pulse: Pulse,
    manner: Manner,
    door: Arc<Door>,
    /// The ways to those of the other manner.
    others: Vec<Arc<Door>>,
    poll: Poll,
    events: Events,
    /// Each in memory of its own, which goes back when it leaves.
    seats: Slab<Box<Seat>>,
    /// How many clients there have been.
    guests: u32,
    groups: BTreeMap<Kind, Group>,
    /// Views to be swept.
    rung: Vec<ViewKey>,
    /// Memory of the last list of those.
    swept: Vec<ViewKey>,
    /// Members of groups who did not take what they were sent, and groups that are to be parted.
    fallen: Vec<Fallen>,
    apart: Vec<Kind>,
    /// Those who are behind, each once; some may have left.
    behind: VecDeque<Visit>,
    /// For whom events are to be looked through. Some may have left.
    looks: Shares<Look>,
    visits: Visits,
    /// What goes out now.
    wire: Wire,
    /// For what clients have taken a part of.
    room: Room,
    /// The time of this round.
    now: Tick,
    /// Grows with each sweep, so that each begins with another client.
    sweeps: usize,
    /// Everybody has been told of the end.
    is_ending: bool,
}

impl Reactor {
    fn new(equipment: Equipment, manner: Manner) -> io::Result<Self> {
        let (poll, tick, pulse) = (Poll::new()?, equipment.tick, Pulse::default());
        equipment.pulses.watch("reactor", &pulse);
        let waker = Waker::new(poll.registry(), WAKE)?;
        // A kernel that cannot even count up has nobody left to tell it.
        let bell = Doorbell::new(move || drop(waker.wake()));
        Ok(Self {
            equipment,
            pulse,
            manner,
            door: Arc::new(Door { newcomers: Mutex::default(), bell }),
            others: Vec::new(),
            poll,
            events: Events::with_capacity(EVENTS),
            seats: Slab::new(),
            guests: 0,
            groups: BTreeMap::new(),
            rung: Vec::new(),
            swept: Vec::new(),
            fallen: Vec::new(),
            apart: Vec::new(),
            behind: VecDeque::new(),
            looks: Shares::default(),
            visits: Visits::new(Instant::now(), tick),
            wire: Wire::default(),
            room: Room::default(),
            now: 0,
            sweeps: 0,
            is_ending: false,
        })
    }

    /// Serves clients for as long as the daemon runs.
    ///
    /// # Errors
    /// The kernel refuses to wait.
    pub fn run(mut self) -> io::Result<Infallible> {
        loop {
            self.look_at_sockets()?;
            self.seat_newcomers();
            self.heed_the_end();
            self.sweep_all();
            self.give_turns();
            self.look_through();
            self.make_visits();
            self.shrink();
        }
    }

    /// When nobody is left of a crowd, its empty seats go.
    fn shrink(&mut self) {
        if self.seats.is_empty() && self.seats.capacity() >= CROWD {
            self.seats.shrink_to_fit();
            self.behind.shrink_to_fit();
        }
    }

    fn look_at_sockets(&mut self) -> io::Result<()> {
        let pause = self.pause();
        self.pulse.waits();
        let waited = self.poll.poll(&mut self.events, pause);
        self.pulse.works();
        self.door.bell.awake();
        self.now = self.visits.tick(Instant::now());
        match waited {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            other => other?,
        }
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        events.iter().filter(|event| event.token() != WAKE).for_each(|event| self.hear(event));
        self.events = events;
        Ok(())
    }

    /// How long nothing is to be done unless somebody says so; `None` is for ever.
    fn pause(&self) -> Option<Duration> {
        let is_idle = self.behind.is_empty() && self.rung.is_empty() && self.looks.is_empty();
        // In this order: whoever comes behind `may_sleep` finds a sleeper and wakes it.
        if is_idle && self.door.bell.may_sleep() && self.door.is_empty() && self.is_ending == self.is_to_end() {
            return self.visits.pause(Instant::now());
        }
        Some(Duration::ZERO)
    }

    /// A socket has something to say. Nobody is seated between the wait and this, so the seat is still its own, or empty.
    fn hear(&mut self, event: &mio::event::Event) {
        let Token(token) = event.token();
        let (Ok(number), Some(seat)) = (u32::try_from(token), self.seats.get_mut(token)) else { return };
        if event.is_error() || event.is_write_closed() {
            return self.dismiss(number, GONE);
        }
        if event.is_readable() {
            seat.listen();
        }
        if event.is_read_closed() {
            seat.peer = Peer::Silent;
        }
        match seat.place {
            // It waits, and can only have gone.
            Place::Live(_) if seat.peer == Peer::Silent => self.dismiss(number, GONE),
            Place::Stalled if event.is_writable() => self.put_behind(number),
            _ => {}
        }
    }

    fn is_to_end(&self) -> bool {
        self.equipment.ending.soon.is_cancelled()
    }

    /// Streams are to end as soon as they have sent what is there: those who wait have nothing to wait for any more.
    fn heed_the_end(&mut self) {
        if self.is_to_end() && !std::mem::replace(&mut self.is_ending, true) {
            for (_, group) in std::mem::take(&mut self.groups) {
                self.part(group);
            }
        }
    }

    /// A group is no more: each is behind for itself.
    fn part(&mut self, group: Group) {
        self.equipment.metrics.waiting.add(-i64::try_from(group.seats.len()).unwrap_or(i64::MAX));
        for seat in group.seats {
            self.seats[seat as usize].catch_up(&group.edge, group.sifting.as_deref());
            self.put_behind(seat);
        }
    }

    /// Puts a seat that is in no group into the queue.
    fn put_behind(&mut self, seat: u32) {
        let it = &mut self.seats[seat as usize];
        it.place = Place::Behind;
        let visit = (seat, it.guest);
        match &it.sifting {
            None => self.behind.push_back(visit),
            Some(sifting) => self.looks.add(sifting.key(), Look::ForOne(visit)),
        }
    }

    /// The seat, if the same client still has it.
    fn seat_of(&mut self, (seat, guest): Visit) -> Option<&mut Seat> {
        self.seats.get_mut(seat as usize).map(|seat| &mut **seat).filter(|seat| seat.guest == guest)
    }

    /// Ends a connection without a clean end of its stream.
    fn dismiss(&mut self, seat: u32, why: &str) {
        debug!("a connection ended: {why}");
        drop(self.remove(seat));
    }

    /// Takes a client off its seat.
    fn remove(&mut self, seat: u32) -> Box<Seat> {
        self.leave_group(seat);
        self.seats.remove(seat as usize)
    }

    /// Takes a seat out of its group, if it is in one, and gives it a cursor of its own again.
    fn leave_group(&mut self, seat: u32) {
        let it = &mut self.seats[seat as usize];
        let Place::Live(at) = it.place else { return };
        let kind = kind_of(it);
        let Some(group) = self.groups.get_mut(&kind) else { return };
        it.catch_up(&group.edge, group.sifting.as_deref());
        it.place = Place::Stalled; // or it is about to be removed
        group.seats.swap_remove(at);
        self.equipment.metrics.waiting.add(-1);
        if let Some(moved) = group.seats.get(at) {
            self.seats[*moved as usize].place = Place::Live(at);
        } else if group.seats.is_empty() {
            self.groups.remove(&kind);
        }
    }
}

fn kind_of(seat: &Seat) -> Kind {
    let Seat { subscriber, format, framing, sifting, guest, .. } = seat;
    let sieve = sifting.as_ref().map(|sifting| sifting.key());
    let alone = if sifting.as_ref().is_some_and(|sifting| sifting.has_context()) { *guest } else { 0 };
    Kind { view: subscriber.view(), format: *format, framing: *framing, ages: subscriber.cursor().ages(), sieve, alone }
}

impl fmt::Debug for Reactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactor").field("seats", &self.seats.len()).finish_non_exhaustive()
    }
}
