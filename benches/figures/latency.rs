//! Time from write to client, for one client and a line every millisecond.
//!
//! The schedule is fixed before the first line is written, and a line carries the time at which it was due. If the bridge holds
//! up the writer, the lines that then come late are late: nothing waits for an answer before it asks again. Beside the bridge
//! stands the floor: a process of one thread that copies the pipe to the socket.
//!
//! Every line must arrive, once and in order. The first tenth of a second of each round is not counted.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::client;
use super::machine::Cores;
use super::part::LINE;
use super::process::{self, Process};
use super::table::Row;

/// From one line to the next.
const INTERVAL: Duration = Duration::from_millis(1);

/// Lines before those that count.
pub(crate) const WARM_UP: u32 = 100;

/// Sleeping ends late by this much or less; the rest of the time to a line is spent awake.
const WAKE_EARLY: Duration = Duration::from_micros(150);

/// What stands before the time in a line.
const DUE: &[u8] = b"due=";

/// Digits of that time.
const DIGITS: usize = 20;

/// Nanoseconds from due to received.
pub(crate) type Latencies = Histogram<u64>;

/// Runs so many rounds of so many lines.
pub(crate) fn measure(cores: &Cores, rounds: usize, lines: u32) -> io::Result<Vec<Row>> {
    cores.move_here_to_others();
    let (mut bridge, mut floor) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        bridge.push(round(process::bridge(cores.of_bridge(), 0), lines)?);
        floor.push(round(process::part(cores.of_bridge(), &["relay"])?, lines)?);
    }
    let ratios = bridge.iter().zip(&floor).map(|(bridge, floor)| in_us(bridge, 0.5) / in_us(floor, 0.5));
    Ok(vec![
        quantile("write to client, p50", 0.5, &bridge),
        quantile("write to client, p99", 0.99, &bridge),
        quantile("write to client, p99.9", 0.999, &bridge),
        quantile("write to client, longest", 1.0, &bridge),
        quantile("pipe to socket without a bridge, p50", 0.5, &floor),
        quantile("pipe to socket without a bridge, p99", 0.99, &floor),
        Row::median("write to client, p50 as a ratio to without a bridge", "", ratios),
    ])
}

/// A quantile of all rounds together.
pub(crate) fn quantile(name: &'static str, at: f64, rounds: &[Latencies]) -> Row {
    let mut all = rounds[0].clone();
    for round in &rounds[1..] {
        all.add(round).expect("all have the same bounds");
    }
    Row::of_all(name, "µs", in_us(&all, at), rounds.iter().map(|round| in_us(round, at)))
}

fn in_us(latencies: &Latencies, at: f64) -> f64 {
    Duration::from_nanos(latencies.value_at_quantile(at)).as_secs_f64() * 1e6
}

fn round(mut between: Command, lines: u32) -> io::Result<Latencies> {
    let (output, input) = io::pipe()?;
    between.stdin(output);
    let between = Process::start(between)?;
    let client = client::open_stream(between.wait_for_port()?)?;
    let clock = Instant::now();
    let writer = thread::spawn(move || write_on_schedule(input, clock, WARM_UP + lines));
    let latencies = receive(client, clock, WARM_UP + lines);
    drop(between); // lets a writer go that nobody reads from any more
    let written = writer.join().expect("the writer does not panic");
    let latencies = latencies?;
    written.map(|()| latencies)
}

/// Writes a line every millisecond, whatever becomes of it.
pub(crate) fn write_on_schedule(mut to: impl Write, clock: Instant, lines: u32) -> io::Result<()> {
    for number in 1..=lines {
        let due = INTERVAL * number;
        wait_until(clock + due);
        to.write_all(&line(due))?;
    }
    Ok(())
}

fn wait_until(due: Instant) {
    thread::sleep(due.saturating_duration_since(Instant::now()).saturating_sub(WAKE_EARLY));
    while Instant::now() < due {
        thread::yield_now(); // to the client, which has the same core
    }
}

fn line(due: Duration) -> Vec<u8> {
    let mut line = format!("due={:0DIGITS$} ", due.as_nanos()).into_bytes();
    line.resize(LINE - 1, b'.');
    line.push(b'\n');
    line
}

/// Takes so many lines from a stream, and tells how late each was.
pub(crate) fn receive(mut socket: TcpStream, clock: Instant, lines: u32) -> io::Result<Latencies> {
    let mut latencies = Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("the bounds are good");
    let (mut unfinished, mut block, mut number) = (Vec::new(), vec![0; 64 * 1024], 0);
    while number < lines {
        let count = socket.read(&mut block)?;
        let now = clock.elapsed();
        if count == 0 {
            return Err(io::Error::other(format!("the stream ended after {number} of {lines} lines")));
        }
        unfinished.extend_from_slice(&block[..count]);
        let finished = memchr::memrchr(b'\n', &unfinished).map_or(0, |end| end + 1);
        for due in unfinished[..finished].split(|byte| *byte == b'\n').filter_map(due_of) {
            number += 1;
            if due != INTERVAL * number {
                return Err(io::Error::other(format!("line {number} was expected, but that of {due:?} came")));
            }
            if number > WARM_UP {
                latencies.saturating_record(u64::try_from(now.saturating_sub(due).as_nanos()).unwrap_or(u64::MAX));
            }
        }
        unfinished.drain(..finished);
    }
    Ok(latencies)
}

/// When the line of these bytes was due, if they are one of ours: heads, ids and chunk sizes are not.
fn due_of(bytes: &[u8]) -> Option<Duration> {
    let start = memchr::memmem::find(bytes, DUE)? + DUE.len();
    let digits = std::str::from_utf8(bytes.get(start..start + DIGITS)?).ok()?;
    digits.parse().ok().map(Duration::from_nanos)
}
