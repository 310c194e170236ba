//! What clients cost that wait for a line that does not come: CPU time, with a sign of life each fifteen seconds.
//!
//! As many contestants as there are descriptors for idle at the same time, because it takes long and nobody does much. The raw
//! writer takes no part: it gives no sign of life.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use super::contestant::{Ready, Running, Who};
use super::extent::OTHER_DESCRIPTORS;
use super::report::Report;
use super::rounds::{Field, Results};
use super::standing::{CALM, crowd, thousands};
use super::table::{Figure, Target};
use super::{nchan, usage};

/// Seconds between two signs of life, unless it is what the contestant does by itself.
const HEARTBEAT: u32 = 15;

/// Runs all once.
pub(crate) fn measure(field: &Field, count: usize, idling: Duration, descriptors: usize, report: &mut Report) {
    let words = format!("{} clients that wait, a sign of life each {HEARTBEAT} s; over {} s", thousands(count), idling.as_secs());
    report.scenario("idle", &words);
    let part: Vec<_> = field.all.iter().filter(|(who, _)| *who != Who::Writer).collect();
    let at_once = (descriptors.saturating_sub(OTHER_DESCRIPTORS) / count.max(1)).max(1);
    let mut results = Vec::new();
    for group in part.chunks(at_once) {
        let ready: Vec<_> = group.iter().filter_map(|(_, ready)| ready.as_ref().ok()).collect();
        let shares = together(&ready, count, idling);
        for (who, ready) in group {
            let mut row = Results { who: *who, rounds: Vec::new(), failures: Vec::new() };
            match (ready, &shares) {
                (Err(reason), _) => row.failures.push(reason.clone()),
                (_, Err(error)) => row.failures.push(error.to_string()),
                (_, Ok(shares)) => row.rounds.push(shares.iter().find(|(of, _)| of == who).map(|(_, share)| *share)),
            }
            results.push(row);
        }
    }
    let value = |share: &f64| Some(*share);
    let own = Some(Target::AtMost(1.0));
    report.add(&Figure { name: "CPU, % of a core", value: &value, ratios: &[], own, remark: &|_| String::new() }, &results);
}

/// Percent of a core for each.
fn together(those: &[&Ready], count: usize, idling: Duration) -> io::Result<Vec<(Who, f64)>> {
    let mut here = Vec::new();
    for ready in those {
        let server = if ready.who == Who::Nchan { nchan::start_with_ping(HEARTBEAT)? } else { ready.start()? };
        let (crowd, _) = crowd(&server, count)?;
        here.push((ready.who, server, crowd));
    }
    thread::sleep(CALM);
    let before = here.iter().map(|(_, server, _)| used(server)).collect::<io::Result<Vec<_>>>()?;
    thread::sleep(idling);
    let shares = here.iter().zip(before).map(|((who, server, _), (cpu, began))| {
        let (now, ended) = used(server)?;
        Ok((*who, now.saturating_sub(cpu).as_secs_f64() / (ended - began).as_secs_f64() * 100.0))
    });
    shares.collect()
}

fn used(server: &Running) -> io::Result<(Duration, Instant)> {
    Ok((usage::of(server.id())?.cpu, Instant::now()))
}
