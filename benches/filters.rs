//! What filters cost: a thousand clients without one, with one that they share, with a hundred different ones.
//!
//! ```text
//! cargo bench --bench filters                 five rounds, two minutes
//! cargo bench --bench filters -- --quick      two rounds, half a minute
//! ```
//!
//! All filters let every line pass, so all clients are sent the same and what differs is the looking through. The three take turns, so a ratio is of
//! measurements that were made seconds apart. CPU time is summed over all threads of the daemon.
#![allow(clippy::print_stdout, reason = "the table is what this prints")]

#[allow(dead_code, reason = "not all of it is needed here")]
#[path = "figures/process.rs"]
mod process;
#[allow(dead_code, reason = "not all of it is needed here")]
#[path = "fanout/usage.rs"]
mod usage;

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use process::{PATIENCE, Process};

const CLIENTS: usize = 1000;

/// Lines a second, each of about a hundred bytes, in bursts as a busy log has them.
const RATE: u64 = 1000;
const BURSTS: u64 = 100;

/// How long lines come.
const WINDOW: Duration = Duration::from_secs(5);

/// Who asks for what.
#[derive(Clone, Copy)]
enum Crowd {
    Plain,
    Common,
    Distinct,
}

impl Crowd {
    const ALL: [Self; 3] = [Self::Plain, Self::Common, Self::Distinct];

    fn name(self) -> &'static str {
        match self {
            Self::Plain => "without a filter",
            Self::Common => "one filter for all",
            Self::Distinct => "100 different filters",
        }
    }

    fn path(self, number: usize) -> String {
        match self {
            Self::Plain => "/events?tail=0".to_owned(),
            Self::Common => "/events?tail=0&grep=status%3D%5Cd%2B".to_owned(),
            Self::Distinct => format!("/events?tail=0&grep=status%3D%5Cd%2B&grep-v=user{}x", number % 100),
        }
    }
}

/// What one turn has come to.
struct Outcome {
    /// CPU time of a line that was delivered to a client, in microseconds.
    cpu: f64,
    /// How often each byte was looked through.
    scans: f64,
}

fn main() -> io::Result<()> {
    let rounds = if std::env::args().any(|argument| argument == "--quick") { 2 } else { 5 };
    let mut outcomes: [Vec<Outcome>; 3] = Default::default();
    for _ in 0..rounds {
        for (crowd, outcomes) in Crowd::ALL.into_iter().zip(&mut outcomes) {
            outcomes.push(turn(crowd)?);
        }
    }
    println!("{CLIENTS} clients, {RATE} lines/s for {WINDOW:?}, {rounds} rounds\n");
    println!("| | CPU of a delivered line, µs | ratio, median (least to most) | each batch looked through |");
    println!("| --- | --- | --- | --- |");
    for (crowd, of_crowd) in Crowd::ALL.iter().zip(&outcomes) {
        let cpu = sorted(of_crowd.iter().map(|outcome| outcome.cpu));
        let ratios = sorted(of_crowd.iter().zip(&outcomes[0]).map(|(own, plain)| own.cpu / plain.cpu));
        let scans = sorted(of_crowd.iter().map(|outcome| outcome.scans));
        println!(
            "| {} | {:.2} | {:.2} ({:.2} to {:.2}) | {:.2} times |",
            crowd.name(),
            cpu[cpu.len() / 2],
            ratios[ratios.len() / 2],
            ratios[0],
            ratios[ratios.len() - 1],
            scans[scans.len() - 1],
        );
    }
    Ok(())
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<_> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values
}

fn turn(crowd: Crowd) -> io::Result<Outcome> {
    let mut command = process::bridge(None, 0);
    command.args(["--max-clients", "100000"]).stdin(Stdio::piped());
    let mut daemon = Process::start(command)?;
    let port = daemon.wait_for_port()?;
    let mut input = daemon.take_stdin().expect("it is piped");
    let mut clients = connect(port, crowd)?;
    // Each begins with a `start`.
    clients.read(|bytes, events| events == 1 && bytes > 0)?;
    let before = usage::of(daemon.id())?;
    let began = Instant::now();
    let lines = RATE * WINDOW.as_secs();
    let feeder = thread::spawn(move || -> io::Result<_> {
        for burst in 0..lines * BURSTS / RATE {
            let number = |index| burst * (RATE / BURSTS) + index;
            let line = |number| {
                format!("2025-11-20T17:33:20Z GET /api/items/{number} user{} status=200 bytes=5120 agent=curl/8.5.0\n", number % 7)
            };
            let text: String = (0..RATE / BURSTS).map(|index| line(number(index))).collect();
            input.write_all(text.as_bytes())?;
            let due = Duration::from_secs(1) * u32::try_from(burst + 1).unwrap_or(u32::MAX) / u32::try_from(BURSTS).unwrap_or(1);
            thread::sleep((began + due).saturating_duration_since(Instant::now()));
        }
        Ok(input)
    });
    clients.read(|_, events| events == lines + 1)?;
    let used = usage::of(daemon.id())?.since(before);
    let input = feeder.join().map_err(|_| io::Error::other("the feeder failed"))??;
    let bytes = metric(port, "stream_bytes_total")? / float(CLIENTS as u64);
    let scanned = metric(port, "filter_bytes_total")?;
    drop(input);
    Ok(Outcome { cpu: used.cpu.as_secs_f64() * 1e6 / float(lines * CLIENTS as u64), scans: scanned / bytes })
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn float(count: u64) -> f64 {
    count as f64
}

/// All clients, in one thread.
struct Clients {
    poll: Poll,
    sockets: Vec<TcpStream>,
    /// What each has had: bytes, events, and whether the last byte was a line end.
    had: Vec<(u64, u64, bool)>,
}

fn connect(port: u16, crowd: Crowd) -> io::Result<Clients> {
    let (poll, mut sockets) = (Poll::new()?, Vec::new());
    for number in 0..CLIENTS {
        let mut socket = std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        write!(socket, "GET {} HTTP/1.0\r\nHost: localhost\r\n\r\n", crowd.path(number))?;
        socket.set_nonblocking(true)?;
        let mut socket = TcpStream::from_std(socket);
        poll.registry().register(&mut socket, Token(number), Interest::READABLE)?;
        sockets.push(socket);
    }
    Ok(Clients { poll, sockets, had: vec![(0, 0, false); CLIENTS] })
}

impl Clients {
    /// Reads until each has what is waited for, of its bytes and events.
    fn read(&mut self, has_all: impl Fn(u64, u64) -> bool) -> io::Result<()> {
        let (deadline, mut block) = (Instant::now() + PATIENCE, vec![0; 256 * 1024]);
        let mut events = Events::with_capacity(CLIENTS);
        while !self.had.iter().all(|(bytes, events, _)| has_all(*bytes, *events)) {
            if Instant::now() > deadline {
                return Err(io::Error::new(ErrorKind::TimedOut, "not all clients have got all events"));
            }
            self.poll.poll(&mut events, Some(Duration::from_millis(100)))?;
            for Token(number) in events.iter().map(mio::event::Event::token) {
                self.take(number, &mut block)?;
            }
        }
        Ok(())
    }

    fn take(&mut self, number: usize, block: &mut [u8]) -> io::Result<()> {
        loop {
            let count = match self.sockets[number].read(block) {
                Ok(0) => return Err(io::Error::other("a stream has ended")),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            let (bytes, events, is_behind_line) = &mut self.had[number];
            *bytes += count as u64;
            // An event ends where two line ends meet.
            for byte in &block[..count] {
                *events += u64::from(*byte == b'\n' && *is_behind_line);
                *is_behind_line = *byte == b'\n';
            }
        }
    }
}

fn metric(port: u16, name: &str) -> io::Result<f64> {
    let mut socket = std::net::TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    socket.write_all(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    let mut text = String::new();
    socket.read_to_string(&mut text)?;
    let value = text.lines().find_map(|line| line.strip_prefix("sse_bridge_")?.strip_prefix(name)?.strip_prefix(' '));
    value.and_then(|value| value.parse().ok()).ok_or_else(|| io::Error::other(format!("no {name} in /metrics")))
}
