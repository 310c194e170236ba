//! Clients that wait for a line that does not come: how fast they are let in, and what memory each takes.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use super::clients::Crowd;
use super::contestant::{Ready, Running, Who};
use super::report::Report;
use super::rounds::Field;
use super::table::{Figure, Target};
use super::usage;

use Target::{AtMost, OneOf};

/// Clients that are there before memory is looked at for the first time, so that what is made once is made.
const FIRST: usize = 10;

/// Until a server has calmed down.
pub(crate) const CALM: Duration = Duration::from_millis(700);

/// What a crowd was to a server.
struct Standing {
    /// Seconds until all were in.
    connect: f64,
    /// KiB of each; none for the writer, which keeps a number of each and is no measure of this.
    memory: Option<f64>,
}

/// Measures both, and prints what was asked for.
pub(crate) fn measure(field: &Field, count: usize, is_asked: impl Fn(&str) -> bool, report: &mut Report) {
    let results = field.interleave("memory and connect", &Who::ALL, |ready| standing(ready, count));
    if is_asked("memory") {
        report.scenario(
            "memory",
            &format!("{} clients that wait; user memory, so without what the kernel has for a socket", thousands(count)),
        );
        let ratios = [(Who::Nchan, OneOf(12.0)), (Who::Axum, OneOf(20.0))];
        let value = |standing: &Standing| standing.memory;
        let name = "KiB of a client";
        report.add(&Figure { name, value: &value, ratios: &ratios, own: Some(AtMost(0.75)), remark: &|_| String::new() }, &results);
    }
    if is_asked("connect") {
        let words = "that come at once, a thousand of them unanswered at a time; until each has its first bytes";
        report.scenario("connect", &format!("{} clients {words}", thousands(count)));
        let ratios = [(Who::Writer, AtMost(1.5)), (Who::Nchan, AtMost(1.2)), (Who::Axum, AtMost(1.0))];
        let value = |standing: &Standing| Some(standing.connect * 1e3);
        report.add(
            &Figure { name: "ms until all are in", value: &value, ratios: &ratios, own: None, remark: &|_| String::new() },
            &results,
        );
    }
}

fn standing(ready: &Ready, count: usize) -> io::Result<Standing> {
    let server = ready.start()?;
    let (_first, _) = crowd(&server, FIRST)?;
    thread::sleep(CALM);
    let before = usage::memory(server.id())?;
    let (_crowd, connect) = crowd(&server, count)?;
    thread::sleep(CALM);
    let clients = u32::try_from(count).expect("there are fewer descriptors");
    let memory = (usage::memory(server.id())? - before) / f64::from(clients);
    Ok(Standing { connect: connect.as_secs_f64(), memory: (ready.who != Who::Writer).then_some(memory) })
}

/// Clients that will not be sent a line, so nothing is asked before.
pub(crate) fn crowd(server: &Running, count: usize) -> io::Result<(Crowd, Duration)> {
    let mut door = server.door.clone();
    door.before = None;
    let began = Instant::now();
    let crowd = Crowd::connect(&door, count, 0)?;
    Ok((crowd, began.elapsed()))
}

/// A number as people read it.
pub(crate) fn thousands(count: impl TryInto<u64>) -> String {
    let digits = count.try_into().unwrap_or(u64::MAX).to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}
