//! Lines through a pipe as fast as they are taken, while no client listens; beside a loop that reads, looks for their ends and
//! copies them.

use std::io;
use std::process::Stdio;
use std::time::Instant;

use super::contestant::{Ready, Who};
use super::extent::Extent;
use super::feeder::{Inlet, LINE, pour};
use super::process::Process;
use super::report::Report;
use super::rounds::Field;
use super::run::float;
use super::table::{Figure, Target};
use super::{ours, writer};

/// In MB/s: by the clock on the wall, and by the CPU time of the reader.
struct Pace {
    wall: f64,
    cpu: f64,
}

/// Runs it.
pub(crate) fn measure(field: &Field, extent: &Extent, report: &mut Report) {
    let words = "Lines of 120 bytes through a pipe, as fast as they are taken, no client; beside a loop that finds their ends and copies them";
    report.scenario("ingest", words);
    let results = field.interleave("ingest", &[Who::Ours, Who::Writer], |ready| pace(ready, extent.ingest_lines));
    let target = [(Who::Writer, Target::AtLeast(0.6))];
    report.add(&figure("MB/s", &|pace: &Pace| Some(pace.wall), &target), &results);
    report.add(&figure("MB in a second of CPU", &|pace: &Pace| Some(pace.cpu), &target), &results);
}

fn figure<'a>(name: &'a str, value: &'a dyn Fn(&Pace) -> Option<f64>, ratios: &'a [(Who, Target)]) -> Figure<'a, Pace> {
    Figure { name, value, ratios, own: None, remark: &|_| String::new() }
}

fn pace(ready: &Ready, lines: u64) -> io::Result<Pace> {
    let mut command = if ready.who == Who::Ours { ours::command(&[]) } else { writer::command("ingest") };
    command.stdin(Stdio::piped());
    let mut reader = Process::start(command)?;
    reader.wait_for("listening on")?;
    let mut inlet = Inlet::Pipe(reader.take_stdin().expect("it is piped"));
    let began = Instant::now();
    pour(&mut inlet, lines)?;
    drop(inlet);
    let end = reader.wait_for("standard input ended after")?;
    let wall = end.at.saturating_duration_since(began);
    let digits: String = end.line.rsplit("ended after ").next().unwrap_or_default().chars().filter(char::is_ascii_digit).collect();
    if digits.parse() != Ok(lines) {
        return Err(io::Error::other(format!("{lines} lines were written, but {:?}", end.line)));
    }
    let cpu = reader.end()?;
    let megabytes = float(lines * LINE as u64) / 1e6;
    Ok(Pace { wall: megabytes / wall.as_secs_f64(), cpu: megabytes / cpu.as_secs_f64() })
}
