//! The clients: thousands of connections in one thread, none with a buffer of its own.
//!
//! Whatever has come is read into one block, taken apart at once and checked (`check`). A read that does not fill the block has
//! emptied the socket, so there is no second one to be told so. The latency of a line is taken by a hundred clients, spread over
//! the order in which they connected; every client's lines are checked.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Socket, Type};

use super::check::{Faults, Stream};
use super::contestant::Door;
use super::feeder;
use super::process::PATIENCE;
use super::usage;

/// Clients whose latencies are taken.
const SAMPLE: usize = 100;

/// Clients that have connected and not been answered yet, at most: below what a server that says nothing of it may let wait.
const IN_FLIGHT: usize = 1000;

/// Clients of one source address, which has some 28,000 ports.
const CLIENTS_OF_ADDRESS: usize = 20_000;

const BLOCK: usize = 256 * 1024;

/// What the kernel may keep for a client that never reads, in bytes.
const SMALL: usize = 4096;

/// What it may keep for each of the others. By itself it begins with less, and drops what comes in many small pieces while a
/// client waits for its turn; then it is sent again after 200 ms, and that would be said of the server.
const LARGE: usize = 1024 * 1024;

/// Between two looks at whether it is time to end.
const LOOK: Duration = Duration::from_millis(20);

struct Client {
    socket: TcpStream,
    stream: Stream,
    /// Requests that have been sent.
    asked: usize,
    is_stalled: bool,
}

/// All clients, connected.
pub(crate) struct Crowd {
    poll: Poll,
    clients: Vec<Client>,
}

impl Crowd {
    /// Connects so many, and waits until each has its head and, if this server greets, its first bytes. So many of them will
    /// never read again.
    pub(crate) fn connect(door: &Door, count: usize, stalled: usize) -> io::Result<Self> {
        let mut crowd = Self { poll: Poll::new()?, clients: Vec::with_capacity(count) };
        let (mut events, mut block) = (Events::with_capacity(1024), vec![0; BLOCK]);
        let (mut joined, deadline) = (0, Instant::now() + PATIENCE);
        while joined < count {
            while crowd.clients.len() < count && crowd.clients.len() - joined < IN_FLIGHT {
                let is_stalled = stalled > 0 && crowd.clients.len().is_multiple_of(count / stalled);
                crowd.begin(door, is_stalled)?;
            }
            crowd.poll.poll(&mut events, Some(LOOK))?;
            for event in &events {
                let client = &mut crowd.clients[event.token().0];
                let had_joined = client.has_joined(door.greets);
                client.read(&mut block, |_, _, _| ())?;
                client.ask(door)?;
                joined += usize::from(!had_joined && client.has_joined(door.greets));
            }
            if Instant::now() > deadline {
                return Err(io::Error::other(format!("{joined} of {count} clients were answered")));
            }
        }
        crowd.turn_away()?;
        Ok(crowd)
    }

    fn begin(&mut self, door: &Door, is_stalled: bool) -> io::Result<()> {
        let index = self.clients.len();
        let mut socket = connect(door.address, index, is_stalled)?;
        self.poll.registry().register(&mut socket, Token(index), Interest::READABLE | Interest::WRITABLE)?;
        let mut client = Client { socket, stream: Stream::new(), asked: 0, is_stalled };
        client.ask(door)?;
        self.clients.push(client);
        Ok(())
    }

    /// From now on nobody looks at the stalled ones.
    fn turn_away(&mut self) -> io::Result<()> {
        let registry = self.poll.registry();
        self.clients.iter_mut().filter(|client| client.is_stalled).try_for_each(|client| registry.deregister(&mut client.socket))
    }

    /// Listens in a thread of its own until everybody has the last line, or until told to stop.
    pub(crate) fn listen(self, clock: Instant, lines: Lines, tally: &Arc<Tally>) -> JoinHandle<io::Result<Heard>> {
        let tally = Arc::clone(tally);
        thread::spawn(move || self.hear(clock, lines, &tally))
    }

    fn hear(mut self, clock: Instant, lines: Lines, tally: &Tally) -> io::Result<Heard> {
        let (mut events, mut block) = (Events::with_capacity(1024), vec![0; BLOCK]);
        let mut latencies = Histogram::new_with_bounds(1, 600_000_000_000, 3).expect("the bounds are good");
        let every = (self.clients.len() / SAMPLE).max(1);
        let mut waiting = self.clients.iter().filter(|client| !client.is_stalled).count();
        while waiting > 0 && !tally.is_over.load(Ordering::Relaxed) {
            self.poll.poll(&mut events, Some(LOOK))?;
            for event in &events {
                let (index, mut delivered) = (event.token().0, 0);
                let is_sampled = index.is_multiple_of(every);
                let client = &mut self.clients[index];
                let before = client.stream.newest();
                client.read(&mut block, |now, number, data| {
                    delivered += 1;
                    if is_sampled && number > lines.warm_up {
                        let late = (now - clock).saturating_sub(feeder::due_of(data).unwrap_or_default());
                        latencies.saturating_record(u64::try_from(late.as_nanos()).unwrap_or(u64::MAX));
                    }
                })?;
                tally.delivered.fetch_add(delivered, Ordering::Relaxed);
                waiting -= usize::from(before < lines.last && client.stream.newest() >= lines.last);
            }
        }
        self.report(lines, latencies)
    }

    fn report(&self, lines: Lines, latencies: Histogram<u64>) -> io::Result<Heard> {
        let mut heard = Heard { latencies, faults: Faults::default(), missing: 0, cpu: usage::of_this_thread()? };
        for client in self.clients.iter().filter(|client| !client.is_stalled) {
            heard.faults.lost += client.stream.faults.lost;
            heard.faults.repeated += client.stream.faults.repeated;
            heard.missing += lines.last.saturating_sub(client.stream.newest());
        }
        Ok(heard)
    }
}

impl Client {
    fn has_joined(&self, by_body: bool) -> bool {
        self.stream.has_head() && (!by_body || self.stream.body > 0)
    }

    fn ask(&mut self, door: &Door) -> io::Result<()> {
        if self.asked > self.stream.answers {
            return Ok(());
        }
        let Some(request) = door.request(self.asked) else { return Ok(()) };
        match self.socket.write(request.as_bytes()) {
            Ok(_) => self.asked += 1,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Reads what there is.
    fn read(&mut self, block: &mut [u8], mut each: impl FnMut(Instant, u64, &[u8])) -> io::Result<()> {
        loop {
            match self.socket.read(block) {
                Ok(0) => return Ok(()), // what has not come by then is missing, and told
                Ok(count) => {
                    let now = Instant::now();
                    self.stream.take(&block[..count], |number, data| each(now, number, data))?;
                    if count < block.len() {
                        return Ok(());
                    }
                }
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }
}

/// Begins to connect.
fn connect(to: SocketAddr, index: usize, is_stalled: bool) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.set_recv_buffer_size(if is_stalled { SMALL } else { LARGE })?;
    let address = u8::try_from(index / CLIENTS_OF_ADDRESS).expect("nobody has so many descriptors");
    if address > 0 {
        socket.bind(&SocketAddr::from((Ipv4Addr::new(127, 0, 0, 1 + address), 0)).into())?;
    }
    match socket.connect(&to.into()) {
        Err(error) if error.raw_os_error() != Some(nix::errno::Errno::EINPROGRESS as i32) => return Err(error),
        _ => {}
    }
    Ok(TcpStream::from_std(socket.into()))
}

/// Which lines matter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lines {
    /// Up to this one they are not timed.
    pub(crate) warm_up: u64,
    /// With this one all is said.
    pub(crate) last: u64,
}

/// What the clients and those who wait for them tell each other.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Lines delivered to all clients together.
    pub(crate) delivered: AtomicU64,
    pub(crate) is_over: AtomicBool,
}

/// What the clients have heard.
pub(crate) struct Heard {
    /// Nanoseconds from due to received.
    pub(crate) latencies: Histogram<u64>,
    pub(crate) faults: Faults,
    /// Lines that had not come when it was over.
    pub(crate) missing: u64,
    /// CPU time of the thread.
    pub(crate) cpu: Duration,
}
