//! Clients that never read, and what the others notice of them.
//!
//! Each contestant runs twice in its turn: with everybody reading, and with one in ten who never does. Four
//! megabytes before the warm-up fill the sockets of those. The raw writer takes no part: it waits for everybody.

use std::io;

use super::contestant::Who;
use super::extent::Extent;
use super::report::Report;
use super::rounds::{Field, Results};
use super::run::{Load, Outcome, run};
use super::table::{Figure, Target};

const LOAD: Load = Load { clients: 100, stalled: 0, rate: 1000, flood: 512 };
const STALLED: u8 = 10;

/// With none stalled, and with some.
struct Pair {
    none: Outcome,
    some: Outcome,
}

impl Pair {
    /// p99 of those who read, as a ratio to none stalled.
    fn slowdown(&self) -> Option<f64> {
        Some(self.some.latency(0.99)? / self.none.latency(0.99)?)
    }

    /// What a server has more for each, in KiB.
    fn memory(&self) -> f64 {
        (self.some.memory - self.none.memory) / f64::from(STALLED)
    }
}

/// Runs both.
pub(crate) fn measure(field: &Field, extent: &Extent, report: &mut Report) {
    report.scenario("stalled", "100 clients, 1,000 lines/s; ten of them never read, beside the same with none who does not");
    let stalled = Load { stalled: usize::from(STALLED), ..LOAD };
    let part = [Who::Ours, Who::Axum, Who::Nchan, Who::Node];
    let mut results = field.interleave("stalled", &part, |ready| -> io::Result<Pair> {
        Ok(Pair { none: run(ready, &LOAD, extent.times)?, some: run(ready, &stalled, extent.times)? })
    });
    let own = Some(Target::AtMost(1.1));
    let name = "p99 of the others, as a ratio";
    report.add(&Figure { name, value: &Pair::slowdown, ratios: &[], own, remark: &both }, &results);
    results.retain(|results| results.who == Who::Ours);
    let name = "more memory for each that is stalled, KiB";
    let value = |pair: &Pair| Some(pair.memory());
    // A chunk for each would be 64.
    let own = Some(Target::AtMost(8.0));
    report.add(&Figure { name, value: &value, ratios: &[], own, remark: &|_| String::new() }, &results);
}

/// The latencies of which it is the ratio.
fn both(results: &Results<Pair>) -> String {
    let list = |of: fn(&Pair) -> &Outcome| {
        let all = results.all().map(|pair| of(pair).latency(0.99).map_or("none".to_owned(), |latency| format!("{latency:.2}")));
        all.collect::<Vec<_>>().join(", ")
    };
    if results.all().next().is_none() {
        String::new()
    } else {
        format!("p99 {} ms; without {} ms", list(|pair| &pair.some), list(|pair| &pair.none))
    }
}
