//! Time from append to client: a line every millisecond, as in `latency`, but appended to a file that is followed.
//!
//! The writer and the client are those of `latency`, so the two differ in nothing but the source. With `--poll` no hint is asked
//! for, and a look every quarter of a second finds the lines.

use std::fs::File;
use std::io;
use std::process::Stdio;
use std::thread;
use std::time::Instant;

use super::client;
use super::latency::{Latencies, WARM_UP, quantile, receive, write_on_schedule};
use super::machine::Cores;
use super::process::{self, Process};
use super::table::{Row, Target};

/// What a reader of the stream may wait for a line, in microseconds.
const TARGET: Target = Target::Below(2000.0);

/// Runs so many rounds of so many lines.
pub(crate) fn measure(cores: &Cores, rounds: usize, lines: u32) -> io::Result<Vec<Row>> {
    cores.move_here_to_others();
    let (mut watching, mut polling) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        watching.push(round(cores, &[], lines)?);
        polling.push(round(cores, &["--poll"], lines)?);
    }
    Ok(vec![
        quantile("append to client, p50", 0.5, &watching).target(TARGET),
        quantile("append to client, p99", 0.99, &watching),
        quantile("append to client, longest", 1.0, &watching),
        quantile("append to client with --poll, p50", 0.5, &polling),
        quantile("append to client with --poll, p99", 0.99, &polling),
    ])
}

fn round(cores: &Cores, options: &[&str], lines: u32) -> io::Result<Latencies> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("app.log");
    let file = File::options().append(true).create_new(true).open(&path)?;
    let mut bridge = process::bridge(cores.of_bridge(), 0);
    bridge.args(options).arg("-").arg(&path).stdin(Stdio::piped());
    let bridge = Process::start(bridge)?;
    let client = client::open_stream(bridge.wait_for_port()?)?;
    let clock = Instant::now();
    let writer = thread::spawn(move || write_on_schedule(file, clock, WARM_UP + lines));
    let latencies = receive(client, clock, WARM_UP + lines);
    writer.join().expect("the writer does not panic")?;
    latencies
}
