//! Files: how fast a large one is read, and a growing one followed, while no client listens.
//!
//! The same half gigabyte of 120-byte lines comes three ways, in turns: through a pipe to standard input, in a file that is there at the start
//! (`--from start`), and in a file that a writer appends to as fast as the kernel takes it. Each time ends when the daemon's own counter
//! has every line, so the three differ in nothing but the source. Beside the files stands `tail -n +1 -F FILE` behind a pipe into a
//! reader that throws all away, timed to its last byte; beside the growing one also the writer with nobody who follows it.
//!
//! The time of a file that is there at the start is the whole life of the process, its start included. A round goes by unmeasured
//! first, so that the files are in the page cache.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::client::Meter;
use super::machine::Cores;
use super::part::{LINE, LINES_IN_BLOCK};
use super::process::{self, Process};
use super::table::{Row, Target};

/// What the ways by file ought to reach of the way by pipe.
const TARGET: Target = Target::AtLeast(0.9);

/// Blocks in a round: half a gigabyte.
const BLOCKS: u64 = 546;
const LINES: u64 = BLOCKS * LINES_IN_BLOCK;
const BYTES: u64 = LINES * LINE as u64;

/// How fast one way was, in MB/s.
#[derive(Clone, Copy)]
struct Pace {
    /// By the clock on the wall.
    wall: f64,
    /// By the CPU time of the reader.
    cpu: f64,
}

impl Pace {
    fn of(wall: Duration, cpu: Duration) -> Self {
        #[allow(clippy::cast_precision_loss, reason = "a sum of megabytes has no use for the 53rd bit")]
        let megabytes = BYTES as f64 / 1e6;
        Self { wall: megabytes / wall.as_secs_f64(), cpu: megabytes / cpu.as_secs_f64() }
    }
}

/// One round.
struct Round {
    pipe: Pace,
    file: Pace,
    file_by_tail: Pace,
    growing: Pace,
    growing_by_tail: Pace,
    writer_alone: Pace,
}

/// Runs so many rounds.
pub(crate) fn measure(cores: &Cores, rounds: usize, is_quiet: bool) -> io::Result<Vec<Row>> {
    let directory = tempfile::tempdir()?;
    let (full, growing) = (directory.path().join("full.log"), directory.path().join("growing.log"));
    write_alone(&full, cores)?;
    let round = || -> io::Result<Round> {
        Ok(Round {
            pipe: through_pipe(cores)?,
            file: existing(&full, cores)?,
            file_by_tail: existing_by_tail(&full, cores)?,
            growing: followed(&growing, cores)?,
            growing_by_tail: followed_by_tail(&growing, cores)?,
            writer_alone: write_alone(&growing, cores)?,
        })
    };
    round()?;
    let rounds = (0..rounds).map(|_| round()).collect::<io::Result<Vec<_>>>()?;
    let figure = |name, unit, of: fn(&Round) -> f64| Row::median(name, unit, rounds.iter().map(of));
    let target = is_quiet.then_some(TARGET);
    Ok(vec![
        figure("the same lines through standard input", "MB/s", |round| round.pipe.wall),
        figure("an existing file, --from start", "MB/s", |round| round.file.wall),
        figure("an existing file as a ratio to standard input", "", |round| round.file.wall / round.pipe.wall).target(target),
        figure("an existing file by CPU time as a ratio to standard input", "", |round| round.file.cpu / round.pipe.cpu)
            .target(TARGET),
        figure("tail -n +1 -F of an existing file, into a pipe", "MB/s", |round| round.file_by_tail.wall),
        figure("a growing file", "MB/s", |round| round.growing.wall),
        figure("a growing file as a ratio to standard input", "", |round| round.growing.wall / round.pipe.wall).target(target),
        figure("a growing file by CPU time as a ratio to standard input", "", |round| round.growing.cpu / round.pipe.cpu),
        figure("tail -n +1 -F of a growing file, into a pipe", "MB/s", |round| round.growing_by_tail.wall),
        figure("writing to a file that nobody follows", "MB/s", |round| round.writer_alone.wall),
    ])
}

fn through_pipe(cores: &Cores) -> io::Result<Pace> {
    let (output, input) = io::pipe()?;
    let mut bridge = process::bridge(cores.of_bridge(), 0);
    bridge.stdin(output);
    let bridge = Process::start(bridge)?;
    let mut meter = Meter::connect(bridge.wait_for_port()?)?;
    let _open = input.try_clone()?; // so that the input does not end with the writer, and the daemon with the input
    let (_writer, began) = release(writer(input, cores)?);
    let end = meter.wait_for_lines(LINES)?;
    pace(bridge, began, end)
}

fn existing(file: &Path, cores: &Cores) -> io::Result<Pace> {
    let began = Instant::now();
    let bridge = Process::start(bridge_of(file, cores))?;
    let mut meter = Meter::connect(bridge.wait_for_port()?)?;
    let end = meter.wait_for_lines(LINES)?;
    pace(bridge, began, end)
}

fn followed(file: &Path, cores: &Cores) -> io::Result<Pace> {
    let to = emptied(file)?;
    let bridge = Process::start(bridge_of(file, cores))?;
    let mut meter = Meter::connect(bridge.wait_for_port()?)?;
    let (_writer, began) = release(writer(to, cores)?);
    let end = meter.wait_for_lines(LINES)?;
    pace(bridge, began, end)
}

fn existing_by_tail(file: &Path, cores: &Cores) -> io::Result<Pace> {
    let drain = drain(cores)?;
    let began = Instant::now();
    let (tail, drain) = tail(file, drain, cores)?;
    let end = drain.wait_for("all bytes have come")?.at;
    pace(tail, began, end)
}

fn followed_by_tail(file: &Path, cores: &Cores) -> io::Result<Pace> {
    let to = emptied(file)?;
    let (tail, drain) = tail(file, drain(cores)?, cores)?;
    let (_writer, began) = release(writer(to, cores)?);
    let end = drain.wait_for("all bytes have come")?.at;
    pace(tail, began, end)
}

fn write_alone(file: &Path, cores: &Cores) -> io::Result<Pace> {
    let (writer, began) = release(writer(emptied(file)?, cores)?);
    let end = writer.wait_for("written")?.at;
    pace(writer, began, end)
}

/// The daemon on a file. It reads standard input as well, and ends with it.
fn bridge_of(file: &Path, cores: &Cores) -> Command {
    let mut bridge = process::bridge(cores.of_bridge(), 0);
    bridge.args(["--from", "start", "-"]).arg(file).stdin(Stdio::piped());
    bridge
}

fn emptied(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    File::options().append(true).create_new(true).open(path)
}

/// A writer that waits to be released.
fn writer(to: impl Into<Stdio>, cores: &Cores) -> io::Result<Process> {
    let mut writer = process::part(cores.of_others(), &["write", &BLOCKS.to_string()])?;
    writer.stdin(Stdio::piped()).stdout(to);
    let writer = Process::start(writer)?;
    writer.wait_for("ready to write")?;
    Ok(writer)
}

fn release(mut writer: Process) -> (Process, Instant) {
    let began = Instant::now();
    drop(writer.take_stdin());
    (writer, began)
}

fn drain(cores: &Cores) -> io::Result<Command> {
    process::part(cores.of_others(), &["drain", &BYTES.to_string()])
}

/// `tail -n +1 -F FILE | drain`.
fn tail(file: &Path, mut drain: Command, cores: &Cores) -> io::Result<(Process, Process)> {
    let (output, input) = io::pipe()?;
    drain.stdin(output);
    let drain = Process::start(drain)?;
    let mut tail = process::on_core(cores.of_bridge(), OsStr::new("tail"));
    tail.args(["-n", "+1", "-F"]).arg(file).stdin(Stdio::null()).stdout(input);
    Ok((Process::start(tail)?, drain))
}

fn pace(reader: Process, began: Instant, end: Instant) -> io::Result<Pace> {
    let cpu = reader.end()?;
    Ok(Pace::of(end.saturating_duration_since(began), cpu))
}
