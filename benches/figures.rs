//! The figures that the README shows, measured on the real binary over real pipes and sockets.
//!
//! ```text
//! cargo bench --bench figures                 all of it, below five minutes
//! cargo bench --bench figures -- --quick      fewer rounds, about a minute; for machines with other work
//! cargo bench --bench figures -- --check      fails if a target is missed
//! cargo bench --bench figures -- reading      only the measurement of this name
//! ```
//!
//! Eight measurements, each in a file of its own:
//!
//! ```text
//! start     spawn ─▸ first connect ─▸ first answer ─▸ ready line
//! memory    resident with one connection, with 200 and with 900 idle clients: the slope is what a client costs
//! ingest    writer ─pipe▸ bridge                 beside   writer ─pipe▸ read-and-scan loop
//! latency   writer ─pipe▸ bridge ─TCP▸ client    beside   writer ─pipe▸ relay ─TCP▸ client
//! reading   file ─▸ bridge, there and growing    beside   writer ─pipe▸ bridge, and file ─▸ tail ─pipe▸ nothing
//! following writer ─file▸ bridge ─TCP▸ client    with hints of the kernel, and without
//! state     writer ─pipe▸ bridge ─▸ state directory ─▸ bridge ─TCP▸ client   beside   dd, and sendfile(2) in C
//! idle      a thousand files that nobody writes: CPU time; five thousand: memory and descriptors
//! ```
//!
//! Figures of one machine say little on another, and a busy machine halves them. So what is beside each other above is measured
//! in turns in the same run, and the ratio is a figure too: it is the one that travels. Where `taskset` is found the bridge (or
//! what stands beside it) has one core, and writer and client have another; *by CPU time* then tells what that one core could do
//! if nobody else wanted it. The wall-clock pace of ingest has its target only in the full run: that one is for a quiet machine.
//!
//! Writer, read-and-scan loop and relay are processes, started from this same program with `--part`. A process that is started
//! here is killed by its id when its owner goes, every wait has a bound, and ports are whatever is free.
#![allow(clippy::print_stdout, reason = "the table is what this prints")]

mod figures {
    // What is measured, in the order of the table's rows.
    pub(crate) mod following;
    pub(crate) mod idle;
    pub(crate) mod ingest;
    pub(crate) mod latency;
    pub(crate) mod memory;
    pub(crate) mod reading;
    pub(crate) mod start;
    pub(crate) mod state;

    // What they stand on.
    pub(crate) mod client;
    pub(crate) mod machine;
    pub(crate) mod part;
    pub(crate) mod process;
    pub(crate) mod table;
}

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use figures::machine::Cores;
use figures::part::Part;
use figures::table::{Row, Table};
use figures::{following, idle, ingest, latency, machine, memory, reading, start, state};

const USAGE: &str = "cargo bench --bench figures [-- [--quick] [--check] [NAME...]]";

/// What can be measured alone, by name.
const NAMES: [&str; 8] = ["start", "memory", "idle", "ingest", "state", "reading", "latency", "following"];

/// How much is measured.
struct Extent {
    start_runs: usize,
    memory_rounds: usize,
    ingest_rounds: usize,
    /// Whether nobody else should want the cores.
    wants_quiet: bool,
    state: state::Extent,
    latency_rounds: usize,
    /// Lines in each round, one a millisecond.
    latency_lines: u32,
    reading_rounds: usize,
    following_rounds: usize,
    idle_rounds: usize,
    /// How long each of them idles.
    idling: Duration,
}

const FULL: Extent = Extent {
    start_runs: 30,
    memory_rounds: 5,
    ingest_rounds: 9,
    wants_quiet: true,
    state: state::Extent { rounds: 5, gibibytes: 10 },
    latency_rounds: 6,
    latency_lines: 5000,
    reading_rounds: 5,
    following_rounds: 4,
    idle_rounds: 3,
    idling: Duration::from_secs(10),
};

const QUICK: Extent = Extent {
    start_runs: 9,
    memory_rounds: 3,
    ingest_rounds: 3,
    wants_quiet: false,
    state: state::Extent { rounds: 2, gibibytes: 1 },
    latency_rounds: 3,
    latency_lines: 1000,
    reading_rounds: 2,
    following_rounds: 2,
    idle_rounds: 1,
    idling: Duration::from_secs(3),
};

/// What was asked for.
enum Ask {
    /// Those of these names, or all if there is none.
    Figures {
        extent: Extent,
        names: Vec<String>,
        is_checked: bool,
    },
    Part(Part),
    Usage,
}

fn main() -> io::Result<ExitCode> {
    match ask(std::env::args().skip(1))? {
        Ask::Figures { extent, names, is_checked } => measure(&extent, &names, is_checked),
        Ask::Part(part) => part.play().map(|()| ExitCode::SUCCESS),
        Ask::Usage => {
            println!("usage: {USAGE}; names: {}", NAMES.join(", "));
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn ask(mut arguments: impl Iterator<Item = String>) -> io::Result<Ask> {
    let (mut extent, mut names, mut is_checked) = (FULL, Vec::new(), false);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--bench" => {} // cargo says it to every benchmark
            "--help" | "-h" => return Ok(Ask::Usage),
            "--quick" => extent = QUICK,
            "--check" => is_checked = true,
            "--part" => return Part::read(arguments).map(Ask::Part),
            name if NAMES.contains(&name) => names.push(argument),
            other => return Err(io::Error::other(format!("{other:?} is not known; usage: {USAGE}"))),
        }
    }
    Ok(Ask::Figures { extent, names, is_checked })
}

fn measure(extent: &Extent, names: &[String], is_checked: bool) -> io::Result<ExitCode> {
    machine::raise_file_limit();
    let (facts, cores) = (machine::facts(), Cores::find());
    let if_asked = |name: &str, measure: &dyn Fn() -> io::Result<Vec<Row>>| {
        let is_asked = names.is_empty() || names.iter().any(|asked| asked == name);
        if is_asked { measure() } else { Ok(Vec::new()) }
    };
    // In this order, because for the last two this process leaves the core of the bridge for good.
    let started = if_asked("start", &|| start::measure(extent.start_runs))?;
    let resident = if_asked("memory", &|| memory::measure(extent.memory_rounds))?;
    let idling = if_asked("idle", &|| idle::measure(extent.idle_rounds, extent.idling))?;
    let mut table = Table::begin();
    table.add(&if_asked("ingest", &|| ingest::measure(&cores, extent.ingest_rounds, extent.wants_quiet))?);
    table.add(&if_asked("state", &|| state::measure(&cores, extent.state))?);
    table.add(&if_asked("reading", &|| reading::measure(&cores, extent.reading_rounds, extent.wants_quiet))?);
    table.add(&if_asked("latency", &|| latency::measure(&cores, extent.latency_rounds, extent.latency_lines))?);
    table.add(&if_asked("following", &|| following::measure(&cores, extent.following_rounds, extent.latency_lines))?);
    table.add(&idling);
    table.add(&resident);
    table.add(&started);
    println!("\nsse-bridge {}, {facts}; {cores}", env!("CARGO_PKG_VERSION"));
    Ok(if is_checked && table.has_missed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
