//! The lines that go in: when each is due, what it says, and how it gets there.
//!
//! The schedule is fixed before the first line is written, and a line carries the time at which it was due. A server that holds
//! up the feeder makes lines late that were due meanwhile, and all that lateness is counted: nothing waits for an answer before
//! it asks again.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::ChildStdin;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::prctl::set_timerslack;

use super::usage;

/// Bytes of a line with its newline.
pub(crate) const LINE: usize = 120;

/// Bytes of its data.
pub(crate) const DATA: usize = LINE - 1;

/// Digits of its number, and behind a space of the time at which it was due.
pub(crate) const DIGITS: usize = 12;
const TIME: usize = DIGITS + 1;
const TIME_END: usize = TIME + 20;

/// What fills it.
pub(crate) const PADDING: &[u8] = &[b'.'; DATA - TIME_END];

/// The longest write, in lines: what a pipe holds.
const LINES_IN_WRITE: usize = 64 * 1024 / LINE;

/// Bytes of a line that is only there to fill sockets.
const BULK: usize = 8 * 1024;

/// How long it takes to fill them.
const FLOOD_TIME: Duration = Duration::from_secs(1);

/// When lines are due.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schedule {
    /// Long lines before all others, which nobody counts.
    pub(crate) flood: u32,
    /// Lines a second from then on.
    pub(crate) rate: u32,
    pub(crate) lines: u64,
}

impl Schedule {
    /// When the line of this number is due; the first is 1.
    fn due(&self, number: u64) -> Duration {
        self.flood_time() + Duration::from_nanos(number * 1_000_000_000 / u64::from(self.rate))
    }

    /// When the flood is over.
    pub(crate) fn flood_time(&self) -> Duration {
        if self.flood > 0 { FLOOD_TIME } else { Duration::ZERO }
    }
}

/// Where lines go in.
pub(crate) enum Inlet {
    /// Standard input of the server.
    Pipe(ChildStdin),
    /// A request for each line, all on one connection and none waiting for the answer to another.
    Posts(TcpStream),
}

impl Inlet {
    /// Opens a connection for requests. Answers are read and thrown away.
    pub(crate) fn posts(to: SocketAddr) -> io::Result<Self> {
        let socket = TcpStream::connect(to)?;
        socket.set_nodelay(true)?;
        let mut answers = socket.try_clone()?;
        thread::spawn(move || {
            let mut block = vec![0; 64 * 1024];
            while answers.read(&mut block).is_ok_and(|count| count > 0) {}
        });
        Ok(Self::Posts(socket))
    }

    /// Writes lines of this length.
    fn write(&mut self, lines: &[u8], length: usize) -> io::Result<()> {
        match self {
            Self::Pipe(pipe) => pipe.write_all(lines),
            Self::Posts(socket) => {
                let data = length - 1;
                let head = format!("POST /lines HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {data}\r\n\r\n");
                let requests = lines.chunks(length).flat_map(|line| [head.as_bytes(), &line[..data]]).collect::<Vec<_>>().concat();
                socket.write_all(&requests)
            }
        }
    }
}

impl Drop for Inlet {
    fn drop(&mut self) {
        if let Self::Posts(socket) = self {
            // Lets go the thread that reads the answers, whatever the server thinks.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

/// What came of it.
pub(crate) struct Fed {
    /// Kept, because the input ends when it goes.
    _inlet: Inlet,
    /// CPU time of the thread.
    pub(crate) cpu: Duration,
}

/// Feeds by the schedule, counted from `clock`, in a thread of its own. It ends when the server goes, at the latest.
pub(crate) fn start(mut inlet: Inlet, clock: Instant, schedule: Schedule) -> JoinHandle<io::Result<Fed>> {
    thread::spawn(move || {
        // The kernel may wake sleepers 50 microseconds late to save power; here that would be counted as somebody's latency.
        let _ = set_timerslack(1);
        feed(&mut inlet, clock, &schedule)?;
        Ok(Fed { _inlet: inlet, cpu: usage::of_this_thread()? })
    })
}

fn feed(inlet: &mut Inlet, clock: Instant, schedule: &Schedule) -> io::Result<()> {
    flood(inlet, clock, schedule)?;
    let (mut block, mut number) = (Vec::new(), 1);
    while number <= schedule.lines {
        let now = clock.elapsed();
        block.clear();
        while number <= schedule.lines && schedule.due(number) <= now && block.len() < LINES_IN_WRITE * LINE {
            push(&mut block, number, schedule.due(number));
            number += 1;
        }
        if block.is_empty() {
            thread::sleep(schedule.due(number).saturating_sub(now));
        } else {
            inlet.write(&block, LINE)?;
        }
    }
    Ok(())
}

fn flood(inlet: &mut Inlet, clock: Instant, schedule: &Schedule) -> io::Result<()> {
    let mut line = vec![b'.'; BULK - 1];
    line.push(b'\n');
    for number in 0..schedule.flood {
        thread::sleep((FLOOD_TIME * number / schedule.flood).saturating_sub(clock.elapsed()));
        inlet.write(&line, BULK)?;
    }
    Ok(())
}

/// Writes so many lines as fast as they are taken.
pub(crate) fn pour(inlet: &mut Inlet, lines: u64) -> io::Result<()> {
    let mut block = Vec::with_capacity(LINES_IN_WRITE * LINE);
    for number in 1..=lines {
        push(&mut block, number, Duration::ZERO);
        if block.len() == LINES_IN_WRITE * LINE || number == lines {
            inlet.write(&block, LINE)?;
            block.clear();
        }
    }
    Ok(())
}

/// Appends a line: number, time in nanoseconds, padding.
pub(crate) fn push(block: &mut Vec<u8>, number: u64, due: Duration) {
    let start = block.len();
    block.resize(start + TIME_END, b' ');
    write_digits(&mut block[start..start + DIGITS], number);
    write_digits(&mut block[start + TIME..], u64::try_from(due.as_nanos()).unwrap_or(u64::MAX));
    block.extend_from_slice(PADDING);
    block.push(b'\n');
}

fn write_digits(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).expect("a digit");
        number /= 10;
    }
}

/// When the line with this data was due.
pub(crate) fn due_of(data: &[u8]) -> Option<Duration> {
    super::check::number(data.get(TIME..TIME_END)?).map(Duration::from_nanos)
}
