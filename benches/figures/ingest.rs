//! Ingest: how fast lines are taken from a pipe while no client listens.
//!
//! A writer pushes half a gigabyte of 120-byte lines; the time ends when the reader says how many lines it has seen, and they
//! must be all. The reader is the bridge and, in turns, a loop that reads the same pipe and looks for the ends of lines. A round
//! goes by unmeasured first.
//!
//! CPU time is of the whole life of the reader, its start and its end included. Bytes are counted as they are written: 1 MB is
//! 10^6 of them.

use std::io;
use std::process::{Command, Stdio};
use std::time::Instant;

use super::machine::Cores;
use super::part::{LINE, LINES_IN_BLOCK};
use super::process::{self, Process};
use super::table::{Row, Target};

/// What the issue asks for, in MB/s.
const TARGET: Target = Target::AtLeast(300.0);

/// Blocks in a round: half a gigabyte.
pub(crate) const BLOCKS: u64 = 546;

/// How fast one reader was, in MB/s.
pub(crate) struct Pace {
    /// By the clock on the wall.
    pub(crate) wall: f64,
    /// By the CPU time of the reader.
    cpu: f64,
}

/// Runs so many rounds. On a machine that is not quiet the clock on the wall proves nothing, so then its figure has no target.
pub(crate) fn measure(cores: &Cores, rounds: usize, is_quiet: bool) -> io::Result<Vec<Row>> {
    let both = || -> io::Result<(Pace, Pace)> {
        let bridge = pace(process::bridge(cores.of_bridge(), 0), cores)?;
        let scan = pace(process::part(cores.of_bridge(), &["scan"])?, cores)?;
        Ok((bridge, scan))
    };
    both()?;
    let rounds = (0..rounds).map(|_| both()).collect::<io::Result<Vec<_>>>()?;
    let figure = |name, unit, of: fn(&(Pace, Pace)) -> f64| Row::median(name, unit, rounds.iter().map(of));
    Ok(vec![
        figure("ingest, 120-byte lines, no client", "MB/s", |(bridge, _)| bridge.wall).target(is_quiet.then_some(TARGET)),
        figure("read-and-scan loop on the same pipe", "MB/s", |(_, scan)| scan.wall),
        figure("ingest as a ratio to the loop", "", |(bridge, scan)| bridge.wall / scan.wall),
        figure("ingest by CPU time, on one core", "MB/s", |(bridge, _)| bridge.cpu).target(TARGET),
        figure("read-and-scan loop by CPU time", "MB/s", |(_, scan)| scan.cpu),
        figure("ingest by CPU time as a ratio to the loop", "", |(bridge, scan)| bridge.cpu / scan.cpu),
    ])
}

/// How many bytes a round has.
pub(crate) fn bytes() -> u64 {
    BLOCKS * LINES_IN_BLOCK * LINE as u64
}

/// Feeds one reader and takes its time.
pub(crate) fn pace(reader: Command, cores: &Cores) -> io::Result<Pace> {
    pace_of(reader, cores, BLOCKS)
}

/// The same with so many blocks.
pub(crate) fn pace_of(mut reader: Command, cores: &Cores, blocks: u64) -> io::Result<Pace> {
    let (output, input) = io::pipe()?;
    reader.stdin(output);
    let reader = Process::start(reader)?;
    reader.wait_for("listening on")?;

    let mut writer = process::part(cores.of_others(), &["write", &blocks.to_string()])?;
    writer.stdin(Stdio::piped()).stdout(input);
    let mut writer = Process::start(writer)?;
    writer.wait_for("ready to write")?;

    let began = Instant::now();
    drop(writer.take_stdin());
    let end = reader.wait_for("standard input ended after")?;
    let wall = end.at.saturating_duration_since(began);
    check(&end.line, blocks * LINES_IN_BLOCK)?;
    let cpu = reader.end()?;

    #[allow(clippy::cast_precision_loss, reason = "a sum of megabytes has no use for the 53rd bit")]
    let megabytes = (blocks * LINES_IN_BLOCK * LINE as u64) as f64 / 1e6;
    Ok(Pace { wall: megabytes / wall.as_secs_f64(), cpu: megabytes / cpu.as_secs_f64() })
}

/// A reader that has not seen every line was not fast.
fn check(said: &str, lines: u64) -> io::Result<()> {
    let words = said.split_once("ended after ").map_or("", |(_, count)| count);
    let digits: String = words.chars().take_while(|c| *c != ' ').filter(char::is_ascii_digit).collect();
    if digits.parse() == Ok(lines) { Ok(()) } else { Err(io::Error::other(format!("{lines} lines were written, but {said:?}"))) }
}
