//! One stream to many clients: sse-bridge beside the physical limit and beside others who do the same.
//!
//! ```text
//! cargo bench --bench fanout                           all of it, half an hour on a machine that does nothing else
//! cargo bench --bench fanout -- --quick                fewer rounds, clients and bytes: below two minutes
//! cargo bench --bench fanout -- sparse dense           only the scenarios of these names
//! cargo bench --bench fanout -- --only ours,writer     only these contestants
//! cargo bench --bench fanout -- --markdown             with machine, date and versions around, for BENCHMARKS.md
//! ```
//!
//! ```text
//! feeder ─pipe▸ server ─TCP▸ clients, thousands in one thread, who check every line
//! ```
//!
//! The contestants: sse-bridge; the *raw writer*, a C program that sends and does nothing else, so the least that a server can
//! cost (`writer.c`); axum's `Sse` over tokio's broadcast; nchan in nginx, where it is installed; a script for Node. They take
//! turns, round after round, so a ratio is of two measurements that were made seconds apart; ratios are what travels from one
//! machine to another. What costs CPU time is given in it, summed over all threads and processes of the server, because time on
//! the wall is shared with feeder and clients on small machines. Nobody has a core to itself.
//!
//! The lines have a schedule that is fixed before the first is written, and carry the time at which they were due, so a server
//! that holds up its input has slow lines and not fewer. A line that is lost, repeated or out of order fails ours and the writer;
//! for the others the lost ones are told. Everything goes over loopback; every run has a bound in time and ends its processes.
#![allow(clippy::print_stdout, reason = "the tables are what this prints")]

mod fanout {
    // What is measured.
    pub(crate) mod idle;
    pub(crate) mod ingest;
    pub(crate) mod rated;
    pub(crate) mod replay;
    pub(crate) mod stalled;
    pub(crate) mod standing;

    // Who is measured.
    pub(crate) mod axum;
    pub(crate) mod contestant;
    pub(crate) mod nchan;
    pub(crate) mod node;
    pub(crate) mod ours;
    pub(crate) mod writer;

    // How.
    pub(crate) mod check;
    pub(crate) mod clients;
    pub(crate) mod extent;
    pub(crate) mod feeder;
    pub(crate) mod report;
    pub(crate) mod rounds;
    pub(crate) mod run;
    pub(crate) mod self_check;
    pub(crate) mod table;
    pub(crate) mod usage;

    // What `figures` has as well.
    #[allow(dead_code, reason = "not all of it is needed here")]
    #[path = "../figures/client.rs"]
    pub(crate) mod client;
    #[allow(dead_code, reason = "not all of it is needed here")]
    #[path = "../figures/machine.rs"]
    pub(crate) mod machine;
    #[allow(dead_code, reason = "not all of it is needed here")]
    #[path = "../figures/process.rs"]
    pub(crate) mod process;
}

use std::io;
use std::process::ExitCode;

use fanout::contestant::Who;
use fanout::extent::{Extent, FULL, QUICK};
use fanout::report::Report;
use fanout::rounds::Field;
use fanout::{idle, ingest, machine, rated, replay, self_check, stalled, standing};
use nix::sys::resource::{Resource, getrlimit};

const USAGE: &str = "cargo bench --bench fanout [-- [--quick] [--markdown] [--only NAME,...] [SCENARIO...]]";

/// The scenarios, in their order.
const SCENARIOS: [&str; 10] =
    ["sparse", "dense", "overload", "latency", "memory", "connect", "replay", "ingest", "stalled", "idle"];

/// What was asked for.
struct Ask {
    extent: Extent,
    scenarios: Vec<&'static str>,
    who: Vec<Who>,
    is_markdown: bool,
}

fn main() -> ExitCode {
    if std::env::args().any(|word| word == "--help" || word == "-h") {
        println!("{}", usage());
        return ExitCode::SUCCESS;
    }
    match ask(std::env::args().skip(1)).and_then(|ask| run(&ask)) {
        Ok(code) => code,
        Err(error) => {
            println!("fanout: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(ask: &Ask) -> io::Result<ExitCode> {
    self_check::run()?;
    machine::raise_file_limit();
    let all = ask.who.iter().map(|who| (*who, who.prepare())).collect();
    let field = Field { all, rounds: ask.extent.rounds, rounds_of_peers: ask.extent.rounds_of_peers };
    let mut report = Report::begin(&field, &ask.extent, ask.is_markdown);
    for scenario in &ask.scenarios {
        measure(scenario, ask, &field, &mut report);
    }
    Ok(if report.end() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn measure(scenario: &str, ask: &Ask, field: &Field, report: &mut Report) {
    let (extent, descriptors) = (&ask.extent, descriptors());
    let idle_clients = extent.possible_idle_clients(descriptors);
    if idle_clients < extent.idle_clients && ["memory", "connect", "idle"].contains(&scenario) {
        report.note(&format!("This process may have {descriptors} descriptors, so there are only {idle_clients} clients."));
    }
    let is_asked = |name: &str| ask.scenarios.contains(&name);
    match scenario {
        "sparse" => rated::sparse(field, extent, report),
        "dense" => rated::dense(field, extent, report),
        "overload" => rated::overload(field, extent, report),
        "latency" => rated::latencies(field, extent, report),
        "connect" if is_asked("memory") => {} // it is measured together with that
        "memory" | "connect" => standing::measure(field, idle_clients, is_asked, report),
        "replay" => replay::measure(field, extent, report),
        "ingest" => ingest::measure(field, extent, report),
        "stalled" => stalled::measure(field, extent, report),
        _ => idle::measure(field, idle_clients, extent.idling, descriptors, report),
    }
}

/// How many files this process may have open.
fn descriptors() -> usize {
    getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(soft, _)| usize::try_from(soft).unwrap_or(usize::MAX))
}

fn ask(mut arguments: impl Iterator<Item = String>) -> io::Result<Ask> {
    let mut ask = Ask { extent: FULL, scenarios: Vec::new(), who: Who::ALL.to_vec(), is_markdown: false };
    while let Some(argument) = arguments.next() {
        let scenario = SCENARIOS.into_iter().find(|scenario| *scenario == argument);
        match argument.as_str() {
            "--bench" => {} // cargo says it to every benchmark
            "--quick" => ask.extent = QUICK,
            "--markdown" => ask.is_markdown = true,
            "--only" => ask.who = contestants(&arguments.next().unwrap_or_default())?,
            _ => ask.scenarios.push(scenario.ok_or_else(|| unknown(&argument))?),
        }
    }
    if ask.scenarios.is_empty() {
        ask.scenarios = SCENARIOS.to_vec();
    }
    Ok(ask)
}

/// Those of a list of names, in the order of their turns.
fn contestants(list: &str) -> io::Result<Vec<Who>> {
    let asked = list.split(',').map(|name| Who::of_name(name).ok_or_else(|| unknown(name))).collect::<io::Result<Vec<_>>>()?;
    Ok(Who::ALL.into_iter().filter(|who| asked.contains(who)).collect())
}

fn unknown(word: &str) -> io::Error {
    io::Error::other(format!("{word:?} is not known; {}", usage()))
}

fn usage() -> String {
    let who = Who::ALL.map(Who::name).join(", ");
    format!("usage: {USAGE}; scenarios: {}; contestants: {who}", SCENARIOS.join(", "))
}
