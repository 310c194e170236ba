//! The figures that the README shows, measured on the real binary over real pipes and sockets.
//!
//! ```text
//! cargo bench --bench figures                 all of it, below two minutes
//! cargo bench --bench figures -- --quick      fewer rounds, below twenty seconds; for machines with other work
//! cargo bench --bench figures -- --check      fails if a target is missed
//! ```
//!
//! Four measurements, each in a file of its own:
//!
//! ```text
//! start     spawn ─▸ first connect ─▸ first answer ─▸ ready line
//! memory    resident with one connection, with 200 and with 900 idle clients: the slope is what a client costs
//! ingest    writer ─pipe▸ bridge                 beside   writer ─pipe▸ read-and-scan loop
//! latency   writer ─pipe▸ bridge ─TCP▸ client    beside   writer ─pipe▸ relay ─TCP▸ client
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
    pub(crate) mod ingest;
    pub(crate) mod latency;
    pub(crate) mod memory;
    pub(crate) mod start;

    // What they stand on.
    pub(crate) mod client;
    pub(crate) mod machine;
    pub(crate) mod part;
    pub(crate) mod process;
    pub(crate) mod table;
}

use std::io;
use std::process::ExitCode;

use figures::machine::Cores;
use figures::part::Part;
use figures::table::Table;
use figures::{ingest, latency, machine, memory, start};

const USAGE: &str = "cargo bench --bench figures [-- [--quick] [--check]]";

/// How much is measured.
struct Extent {
    start_runs: usize,
    memory_rounds: usize,
    ingest_rounds: usize,
    /// Whether nobody else should want the cores.
    wants_quiet: bool,
    latency_rounds: usize,
    /// Lines in each round, one a millisecond.
    latency_lines: u32,
}

const FULL: Extent =
    Extent { start_runs: 30, memory_rounds: 5, ingest_rounds: 9, wants_quiet: true, latency_rounds: 6, latency_lines: 5000 };

const QUICK: Extent =
    Extent { start_runs: 9, memory_rounds: 3, ingest_rounds: 3, wants_quiet: false, latency_rounds: 3, latency_lines: 1000 };

/// What was asked for.
enum Ask {
    Figures { extent: Extent, is_checked: bool },
    Part(Part),
}

fn main() -> io::Result<ExitCode> {
    match ask(std::env::args().skip(1))? {
        Ask::Figures { extent, is_checked } => measure(&extent, is_checked),
        Ask::Part(part) => part.play().map(|()| ExitCode::SUCCESS),
    }
}

fn ask(mut arguments: impl Iterator<Item = String>) -> io::Result<Ask> {
    let (mut extent, mut is_checked) = (FULL, false);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--bench" => {} // cargo says it to every benchmark
            "--quick" => extent = QUICK,
            "--check" => is_checked = true,
            "--part" => return Part::read(arguments).map(Ask::Part),
            other => return Err(io::Error::other(format!("{other:?} is not known; usage: {USAGE}"))),
        }
    }
    Ok(Ask::Figures { extent, is_checked })
}

fn measure(extent: &Extent, is_checked: bool) -> io::Result<ExitCode> {
    machine::raise_file_limit();
    let (facts, cores) = (machine::facts(), Cores::find());
    // In this order, because for the last this process leaves the core of the bridge for good.
    let started = start::measure(extent.start_runs)?;
    let resident = memory::measure(extent.memory_rounds)?;
    let mut table = Table::begin();
    table.add(&ingest::measure(&cores, extent.ingest_rounds, extent.wants_quiet)?);
    table.add(&latency::measure(&cores, extent.latency_rounds, extent.latency_lines)?);
    table.add(&resident);
    table.add(&started);
    println!("\nsse-bridge {}, {facts}; {cores}", env!("CARGO_PKG_VERSION"));
    Ok(if is_checked && table.has_missed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
