//! Resident memory, at rest and for each idle client.
//!
//! `smaps_rollup` counts pages; `VmRSS` in `status` may be off by some hundred kilobytes, because each core counts by itself for
//! a while. What is *anonymous* is the daemon's own, the rest is the program's file in the page cache.

use std::fs;
use std::io;
use std::process::Stdio;

use super::client;
use super::process::{self, Process};
use super::table::{Row, Target};

/// Clients at both ends of the slope: not from none, where things are made once; not to the limit of 1000.
const FEW: u16 = 200;
const MANY: u16 = 900;

/// Pages of a process, in KiB.
#[derive(Clone, Copy)]
pub(crate) struct Resident {
    pub(crate) all: f64,
    anonymous: f64,
}

/// What one daemon took.
struct Round {
    at_rest: Resident,
    with_few: Resident,
    with_many: Resident,
}

impl Round {
    /// What one idle client takes, in KiB.
    fn slope(&self, of: fn(Resident) -> f64) -> f64 {
        (of(self.with_many) - of(self.with_few)) / f64::from(MANY - FEW)
    }
}

/// Looks at so many daemons, one after the other.
pub(crate) fn measure(rounds: usize) -> io::Result<Vec<Row>> {
    let rounds = (0..rounds).map(|_| round()).collect::<io::Result<Vec<_>>>()?;
    let at_rest = |of: fn(Resident) -> f64| rounds.iter().map(move |round| of(round.at_rest) / 1024.0);
    let slope = |of| rounds.iter().map(move |round| round.slope(of));
    Ok(vec![
        Row::median("resident at start, after the first connection", "MiB", at_rest(|pages| pages.all)).target(Target::Below(8.0)),
        Row::median("of that anonymous", "MiB", at_rest(|pages| pages.anonymous)),
        Row::median("resident for each idle client", "KiB", slope(|pages| pages.all)),
        Row::median("of that anonymous, for each idle client", "KiB", slope(|pages| pages.anonymous)),
    ])
}

fn round() -> io::Result<Round> {
    let mut command = process::bridge(None, 0);
    command.stdin(Stdio::piped());
    let bridge = Process::start(command)?;
    let port = bridge.wait_for_port()?;

    client::wait_for_answer(&mut client::connect(port)?)?;
    let at_rest = resident(&bridge)?;
    let open = |count| (0..count).map(|_| client::open_stream(port)).collect::<io::Result<Vec<_>>>();
    let _few = open(FEW)?;
    let with_few = resident(&bridge)?;
    let _more = open(MANY - FEW)?;
    let with_many = resident(&bridge)?;
    Ok(Round { at_rest, with_few, with_many })
}

/// The pages of a process as they are now.
pub(crate) fn resident(process: &Process) -> io::Result<Resident> {
    let path = format!("/proc/{}/smaps_rollup", process.id());
    let pages = fs::read_to_string(&path)?;
    let field = |name: &str| {
        let value = pages.lines().find_map(|line| line.strip_prefix(name))?;
        value.trim().strip_suffix(" kB")?.parse().ok()
    };
    let (all, anonymous) =
        field("Rss:").zip(field("Anonymous:")).ok_or_else(|| io::Error::other(format!("not understood: {path}")))?;
    Ok(Resident { all, anonymous })
}
