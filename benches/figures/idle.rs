//! What files cost that nobody writes: CPU time, memory, descriptors.
//!
//! CPU time is of all threads, as the scheduler counts it, over some seconds in which nothing happens. Memory is the slope from one file to
//! thousands; the files hold a line each and are read from their ends, as at every start with many files. Each has a channel, a name,
//! a place and a timer, and the daemon keeps its descriptor as long as it has enough of them.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use super::client;
use super::memory::resident;
use super::process::{self, Process};
use super::table::{Row, Target};

/// Files whose idling is timed, and files whose memory is measured.
const IDLE: u16 = 1000;
const MANY: u16 = 5000;

/// Percent of a core for the idle ones.
const TARGET: Target = Target::Below(0.5);

/// Until a start has calmed down: directories that have just changed are looked at more often.
const CALM: Duration = Duration::from_secs(4);

/// Looks at so many daemons, one after the other; idling for so long.
pub(crate) fn measure(rounds: usize, idling: Duration) -> io::Result<Vec<Row>> {
    let (few, some, many) = (directory(1)?, directory(IDLE)?, directory(MANY)?);
    let glob = |directory: &tempfile::TempDir| directory.path().join("*.log");
    let (mut watching, mut polling, mut memory, mut descriptors) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        watching.push(idle(&glob(&some), &[], idling)?);
        polling.push(idle(&glob(&some), &["--poll"], idling)?);
        let (with_one, _) = taken(&glob(&few))?;
        let (with_many, open) = taken(&glob(&many))?;
        memory.push((with_many - with_one) / f64::from(MANY - 1));
        descriptors.push(open);
    }
    Ok(vec![
        Row::median("CPU with 1,000 idle files, of one core", "%", watching).target(TARGET),
        Row::median("CPU with 1,000 idle files and --poll, of one core", "%", polling),
        Row::median("resident for each of 5,000 followed files", "KiB", memory),
        Row::median("descriptors with 5,000 followed files", "", descriptors),
    ])
}

/// A directory with so many small files.
fn directory(files: u16) -> io::Result<tempfile::TempDir> {
    let directory = tempfile::tempdir()?;
    for number in 0..files {
        fs::write(directory.path().join(format!("{number:04}.log")), "a line that was there before\n")?;
    }
    Ok(directory)
}

fn follow(glob: &Path, options: &[&str]) -> io::Result<(Process, u16)> {
    let mut bridge = process::bridge(None, 0);
    bridge.args(options).args(["--from", "end", "-"]).arg(glob).stdin(Stdio::piped());
    let bridge = Process::start(bridge)?;
    let port = bridge.wait_for_port()?;
    Ok((bridge, port))
}

/// Percent of one core.
fn idle(glob: &Path, options: &[&str], idling: Duration) -> io::Result<f64> {
    let (bridge, _) = follow(glob, options)?;
    thread::sleep(CALM);
    let (before, began) = (cpu_time(&bridge)?, Instant::now());
    thread::sleep(idling);
    let used = cpu_time(&bridge)?.saturating_sub(before);
    Ok(used.as_secs_f64() / began.elapsed().as_secs_f64() * 100.0)
}

/// The CPU time of all threads that are there now.
fn cpu_time(process: &Process) -> io::Result<Duration> {
    let mut sum = 0;
    for thread in fs::read_dir(format!("/proc/{}/task", process.id()))? {
        let statistics = fs::read_to_string(thread?.path().join("schedstat"))?;
        let on_core = statistics.split(' ').next().and_then(|nanos| nanos.parse::<u64>().ok());
        sum += on_core.ok_or_else(|| io::Error::other(format!("not understood: {statistics:?}")))?;
    }
    Ok(Duration::from_nanos(sum))
}

/// Resident KiB and open descriptors.
fn taken(glob: &Path) -> io::Result<(f64, f64)> {
    let (bridge, port) = follow(glob, &[])?;
    client::wait_for_answer(&mut client::connect(port)?)?;
    let open = fs::read_dir(format!("/proc/{}/fd", bridge.id()))?.count();
    let pages = resident(&bridge)?;
    Ok((pages.all, f64::from(u16::try_from(open).unwrap_or(u16::MAX))))
}
