//! The state directory: what writing it costs, how fast it is read, and how long a start and a resume take with much of it.
//!
//! ```text
//! ingest    writer ─pipe▸ bridge    without; with it on tmpfs; with it on the disk; and dd of the same bytes
//! replay    1 GiB of history ─▸ bridge ─TCP▸ client    beside   the same files ─▸ sendfile(2) in C ─TCP▸ client
//! start     with 10 GiB of history: spawn ─▸ ready line
//! resume    in the middle of it: connect ─▸ first event
//! ```
//!
//! The disk is where temporary files are made, and is warm: what is read has been written just before. Bytes are those of the history's files.

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::ingest;
use super::machine::Cores;
use super::process::{self, Process};
use super::table::{Row, Target};

/// What is in memory only.
const TMPFS: &str = "/dev/shm";

/// Blocks of the writer that make a gibibyte of history, about.
const GIBIBYTE: u64 = 800;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    pub(crate) rounds: usize,
    /// Of how many gibibytes start and resume are measured.
    pub(crate) gibibytes: u64,
}

pub(crate) fn measure(cores: &Cores, extent: Extent) -> io::Result<Vec<Row>> {
    let mut rows = ingest(cores, extent.rounds)?;
    rows.extend(replay(cores, extent.rounds)?);
    rows.extend(start(cores, extent)?);
    Ok(rows)
}

/// What one round of ingest gives, in MB/s; of the last two of the bytes that were stored.
struct Ingest {
    without: f64,
    on_tmpfs: f64,
    on_disk: f64,
    dd: f64,
}

fn ingest(cores: &Cores, rounds: usize) -> io::Result<Vec<Row>> {
    let round = || -> io::Result<Ingest> {
        let without = ingest::pace(process::bridge(cores.of_bridge(), 0), cores)?.wall;
        let (on_tmpfs, _) = stored(cores, Path::new(TMPFS), ingest::BLOCKS)?;
        let (of_lines, place) = stored(cores, &std::env::temp_dir(), ingest::BLOCKS)?;
        let bytes = fs::read_dir(place.path().join("stdin"))?.map(|entry| Ok(entry?.metadata()?.len())).sum::<io::Result<u64>>()?;
        let on_disk = of_lines * float(bytes) / float(ingest::bytes());
        let dd = dd(place.path(), bytes)?;
        Ok(Ingest { without, on_tmpfs, on_disk, dd })
    };
    round()?;
    let rounds = (0..rounds).map(|_| round()).collect::<io::Result<Vec<_>>>()?;
    let figure = |name, unit, of: fn(&Ingest) -> f64| Row::median(name, unit, rounds.iter().map(of));
    Ok(vec![
        figure("ingest without a state directory", "MB/s", |round| round.without),
        figure("ingest with a state directory on tmpfs", "MB/s", |round| round.on_tmpfs),
        figure("as a ratio to ingest without", "", |round| round.on_tmpfs / round.without).target(Target::AtLeast(0.7)),
        figure("history written to the disk", "MB/s", |round| round.on_disk),
        figure("dd conv=fdatasync of the same bytes", "MB/s", |round| round.dd),
        figure("as a ratio to dd", "", |round| round.on_disk / round.dd).target(Target::AtLeast(0.8)),
    ])
}

/// Ingest into a state directory in `above`: its pace in MB/s of lines, and the directory.
fn stored(cores: &Cores, above: &Path, blocks: u64) -> io::Result<(f64, TempDir)> {
    let place = tempfile::tempdir_in(above)?;
    let mut bridge = process::bridge(cores.of_bridge(), 0);
    bridge.arg("--state-dir").arg(place.path()).args(["--keep-size", "100GiB"]);
    Ok((ingest::pace_of(bridge, cores, blocks)?.wall, place))
}

/// What `dd` does with the bytes of a state directory, in MB/s.
fn dd(state: &Path, bytes: u64) -> io::Result<f64> {
    let source = tempfile::NamedTempFile::new_in(TMPFS)?;
    let mut all = source.reopen()?;
    for segment in segments(state)? {
        io::copy(&mut fs::File::open(segment)?, &mut all)?;
    }
    let target = tempfile::NamedTempFile::new()?;
    let mut dd = Command::new("dd");
    dd.arg(format!("if={}", source.path().display())).arg(format!("of={}", target.path().display()));
    dd.args(["bs=1M", "conv=fdatasync,notrunc"]).stderr(Stdio::null());
    let began = Instant::now();
    let end = dd.status()?;
    if !end.success() {
        return Err(io::Error::other(format!("dd ended with {end}")));
    }
    Ok(float(bytes) / 1e6 / began.elapsed().as_secs_f64())
}

/// What one round of replay gives.
struct Replay {
    /// MB/s of what the client got.
    bridge: f64,
    sendfile: f64,
    /// By how much the bridge's resident memory grew at most, in MiB.
    growth: f64,
}

fn replay(cores: &Cores, rounds: usize) -> io::Result<Vec<Row>> {
    let (_, place) = stored(cores, &std::env::temp_dir(), GIBIBYTE)?;
    let raw = Process::start(sendfile(cores, place.path())?)?;
    let raw_port = raw.wait_for_port()?;
    let round = || -> io::Result<Replay> {
        let bridge = Process::start(resumed(cores, place.path()))?;
        let port = bridge.wait_for_port()?;
        let before = resident(bridge.id(), "VmRSS:")?;
        let ours = all_of(port)?;
        let growth = (resident(bridge.id(), "VmHWM:")? - before) / 1024.0;
        Ok(Replay { bridge: ours, sendfile: all_of(raw_port)?, growth })
    };
    round()?;
    let rounds = (0..rounds).map(|_| round()).collect::<io::Result<Vec<_>>>()?;
    let figure = |name, unit, of: fn(&Replay) -> f64| Row::median(name, unit, rounds.iter().map(of));
    Ok(vec![
        figure("replay of 1 GiB from the disk to one client", "MB/s", |round| round.bridge),
        figure("sendfile in C of the same files", "MB/s", |round| round.sendfile),
        figure("replay as a ratio to sendfile", "", |round| round.bridge / round.sendfile).target(Target::AtLeast(0.6)),
        figure("growth of resident memory meanwhile", "MiB", |round| round.growth).target(Target::Below(4.0)),
    ])
}

/// A bridge that goes on with what a state directory holds.
fn resumed(cores: &Cores, state: &Path) -> Command {
    let mut bridge = process::bridge(cores.of_bridge(), 0);
    bridge.arg("--state-dir").arg(state).args(["--keep-size", "100GiB"]).stdin(Stdio::piped());
    bridge
}

/// The C program that sends the files of a state directory.
fn sendfile(cores: &Cores, state: &Path) -> io::Result<Command> {
    let program = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("sendfile");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/figures/sendfile.c");
    let built = Command::new("cc").args(["-O2", "-Wall", "-Wextra", "-Werror", "-o"]).arg(&program).arg(source).status()?;
    if !built.success() {
        return Err(io::Error::other("`cc` did not build sendfile.c"));
    }
    let mut command = process::on_core(cores.of_bridge(), program.as_os_str());
    command.args(segments(state)?);
    Ok(command)
}

/// Everything that there is: MB/s of what came.
fn all_of(port: u16) -> io::Result<f64> {
    let mut socket = TcpStream::connect(("127.0.0.1", port))?;
    socket.set_read_timeout(Some(process::PATIENCE))?;
    let began = Instant::now();
    socket.write_all(b"GET /events?tail=all&follow=0 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let (mut block, mut bytes) = (vec![0; 256 * 1024], 0);
    loop {
        match socket.read(&mut block)? {
            0 if bytes < 1 << 29 => return Err(io::Error::other(format!("only {bytes} bytes came"))),
            0 => return Ok(float(bytes) / 1e6 / began.elapsed().as_secs_f64()),
            count => bytes += count as u64,
        }
    }
}

fn start(cores: &Cores, extent: Extent) -> io::Result<Vec<Row>> {
    let (_, place) = stored(cores, &std::env::temp_dir(), extent.gibibytes * GIBIBYTE)?;
    let segments = segments(place.path())?;
    let middle = segments[segments.len() / 2].file_stem().and_then(|name| name.to_str()).unwrap_or_default();
    let (time, number) = middle.split_once('-').ok_or_else(|| io::Error::other(format!("{middle:?} is no segment")))?;
    let id = format!("{time}-{}/stdin", number.trim_start_matches('0'));
    let round = || -> io::Result<(Duration, Duration)> {
        let began = Instant::now();
        let bridge = Process::start(resumed(cores, place.path()))?;
        let ready = bridge.wait_for("listening on")?;
        let port = ready.line.trim_end_matches('/').rsplit(':').next().and_then(|port| port.parse().ok());
        let port = port.ok_or_else(|| io::Error::other(format!("no port in {:?}", ready.line)))?;
        Ok((ready.at.saturating_duration_since(began), first_event(port, &id)?))
    };
    round()?;
    let rounds = (0..extent.rounds).map(|_| round()).collect::<io::Result<Vec<_>>>()?;
    let in_ms = |of: fn(&(Duration, Duration)) -> Duration| rounds.iter().map(move |round| of(round).as_secs_f64() * 1e3);
    let [ready, first] = if extent.gibibytes == 10 {
        ["start with 10 GiB of history, to the ready line", "first event of a resume in the middle of it"]
    } else {
        ["start with less history than 10 GiB, to the ready line", "first event of a resume in the middle of that"]
    };
    Ok(vec![
        Row::median(ready, "ms", in_ms(|round| round.0)).target(Target::Below(200.0)),
        Row::median(first, "ms", in_ms(|round| round.1)).target(Target::Below(10.0)),
    ])
}

/// From connecting to the first event behind this one.
fn first_event(port: u16, id: &str) -> io::Result<Duration> {
    let began = Instant::now();
    let mut socket = TcpStream::connect(("127.0.0.1", port))?;
    socket.set_read_timeout(Some(process::PATIENCE))?;
    socket.write_all(format!("GET /events HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: {id}\r\n\r\n").as_bytes())?;
    let mut got = Vec::new();
    loop {
        let mut block = [0; 4096];
        match socket.read(&mut block)? {
            0 => return Err(io::Error::other("the stream ended")),
            count => got.extend_from_slice(&block[..count]),
        }
        let text = String::from_utf8_lossy(&got);
        if text.contains("event: gap") {
            return Err(io::Error::other(format!("a gap behind {id}: {text}")));
        }
        if text.contains("\ndata: ") {
            return Ok(began.elapsed());
        }
    }
}

/// The segments of standard input, oldest first.
fn segments(state: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = fs::read_dir(state.join("stdin"))?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    found.sort_by_key(|path| path.file_name().and_then(|name| name.to_str()?.split_once('-')).map(|(_, number)| number.to_owned()));
    Ok(found)
}

/// A number of `/proc/PID/status`, in KiB.
fn resident(process: u32, field: &str) -> io::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let value = status.lines().find_map(|line| line.strip_prefix(field)?.trim().strip_suffix(" kB")?.parse().ok());
    value.ok_or_else(|| io::Error::other(format!("no {field} of process {process}")))
}

#[allow(clippy::cast_precision_loss, reason = "a sum of megabytes has no use for the 53rd bit")]
fn float(bytes: u64) -> f64 {
    bytes as f64
}
