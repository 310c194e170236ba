//! Lines at a fixed rate: sparse, dense, overload, latency. They differ in their numbers and in what is asked of them.

use super::contestant::Who;
use super::extent::Extent;
use super::report::Report;
use super::rounds::{Field, Results};
use super::run::{Load, Outcome, float, run};
use super::table::{Figure, Target};

use Target::AtMost;

/// More of a core than this, in any round, is not what a quiet machine does beside.
const QUIET: f64 = 0.25;

type Ratios<'a> = &'a [(Who, Target)];

/// Each line alone: what it costs to send one.
pub(crate) fn sparse(field: &Field, extent: &Extent, report: &mut Report) {
    report.scenario("sparse", "100 clients, 1,000 lines/s; each line is sent alone");
    let load = Load { clients: 100, stalled: 0, rate: 1000, flood: 0 };
    let results = measure("sparse", field, extent, &load, report);
    cpu(&results, &[(Who::Writer, AtMost(1.25)), (Who::Nchan, AtMost(0.8)), (Who::Axum, AtMost(0.8))], report);
}

/// Lines come faster than each can be sent alone.
pub(crate) fn dense(field: &Field, extent: &Extent, report: &mut Report) {
    report.scenario("dense", "100 clients, 10,000 lines/s; more than can be sent one by one");
    let load = Load { clients: 100, stalled: 0, rate: 10_000, flood: 0 };
    let mut results = measure("dense", field, extent, &load, report);
    keep_only_kept(&mut results);
    cpu(&results, &[(Who::Writer, AtMost(1.15)), (Who::Nchan, AtMost(0.1)), (Who::Axum, AtMost(0.25))], report);
    rate(&results, report);
    latency(0.99, &results, &[(Who::Writer, AtMost(1.5))], report);
}

/// More than most can do.
pub(crate) fn overload(field: &Field, extent: &Extent, report: &mut Report) {
    report.scenario("overload", "500 clients, 10,000 lines/s; more than most can send in any way");
    let load = Load { clients: 500, stalled: 0, rate: 10_000, flood: 0 };
    let results = measure("overload", field, extent, &load, report);
    cpu(&results, &[(Who::Writer, AtMost(1.1)), (Who::Nchan, AtMost(0.05)), (Who::Axum, AtMost(0.2))], report);
    rate(&results, report);
}

/// Many clients, each line alone.
pub(crate) fn latencies(field: &Field, extent: &Extent, report: &mut Report) {
    report.scenario("latency", "1,000 clients, 100 lines/s; from the time when a line was due until a client has it");
    let load = Load { clients: 1000, stalled: 0, rate: 100, flood: 0 };
    let results = measure("latency", field, extent, &load, report);
    latency(0.5, &results, &[], report);
    latency(0.99, &results, &[(Who::Writer, AtMost(1.1)), (Who::Nchan, AtMost(1.3)), (Who::Axum, AtMost(0.7))], report);
    latency(0.999, &results, &[], report);
}

fn measure(name: &str, field: &Field, extent: &Extent, load: &Load, report: &Report) -> Vec<Results<Outcome>> {
    let results = field.interleave(name, &Who::ALL, |ready| run(ready, load, extent.times));
    let other_work = results.iter().flat_map(Results::all).map(|outcome| outcome.other_work).fold(0.0, f64::max);
    if other_work > QUIET {
        report.note(&format!(
            "The machine had other work: in a round up to {:.0} % of a core. Do not trust what follows.",
            other_work * 100.0
        ));
    }
    results
}

/// A round in which the rate was too high for ours or for the writer says nothing of either.
fn keep_only_kept(results: &mut [Results<Outcome>]) {
    let is_kept = |outcome: &Option<Outcome>| outcome.as_ref().is_none_or(Outcome::is_kept);
    let rounds = results.iter().map(|results| results.rounds.len()).max().unwrap_or(0);
    for round in 0..rounds {
        let those = results.iter().filter(|results| results.who.must_deliver()).filter_map(|results| results.rounds.get(round));
        if !those.into_iter().all(is_kept) {
            results.iter_mut().filter_map(|results| results.rounds.get_mut(round)).for_each(|outcome| *outcome = None);
        }
    }
}

fn cpu(results: &[Results<Outcome>], ratios: Ratios<'_>, report: &mut Report) {
    let value = |outcome: &Outcome| Some(outcome.cpu()).filter(|cpu| cpu.is_finite());
    report.add(&Figure { name: "CPU of a delivered line, µs", value: &value, ratios, own: None, remark: &delivery }, results);
}

fn rate(results: &[Results<Outcome>], report: &mut Report) {
    let value = |outcome: &Outcome| Some(float(outcome.delivered) / 1e6 / outcome.window.as_secs_f64());
    let name = "delivered lines, millions/s";
    report.add(&Figure { name, value: &value, ratios: &[], own: None, remark: &|_| String::new() }, results);
}

fn latency(quantile: f64, results: &[Results<Outcome>], ratios: Ratios<'_>, report: &mut Report) {
    let name = format!("p{}, ms", quantile * 100.0);
    let value = |outcome: &Outcome| outcome.latency(quantile);
    report.add(&Figure { name: &name, value: &value, ratios, own: None, remark: &shortfall }, results);
}

/// What was not delivered, and who was busy with it.
fn delivery(results: &Results<Outcome>) -> String {
    let most = |of: &dyn Fn(&Outcome) -> f64| results.all().map(of).reduce(f64::max).unwrap_or(0.0);
    let [server, clients, feeder] = [0, 1, 2].map(|at| most(&|outcome| outcome.busy[at] * 100.0));
    let turns = most(&|outcome| float(outcome.used.turns) / outcome.window.as_secs_f64());
    let busy = format!("server {server:.0} % of a core, {turns:.0} turns/s; clients {clients:.0} %, feeder {feeder:.0} %");
    let busy = Some(busy).filter(|_| results.all().next().is_some());
    let shortfall = Some(shortfall(results)).filter(|words| !words.is_empty());
    shortfall.into_iter().chain(busy).collect::<Vec<_>>().join("; ")
}

/// What was not delivered.
fn shortfall(results: &Results<Outcome>) -> String {
    let outcomes: Vec<_> = results.all().collect();
    if outcomes.is_empty() && !results.rounds.is_empty() && results.failures.is_empty() {
        return "in no round did ours and the writer keep the rate".to_owned();
    }
    let least = outcomes.iter().map(|outcome| outcome.share).fold(1.0, f64::min);
    let lost: u64 = outcomes.iter().map(|outcome| outcome.faults.lost).sum();
    let kept = outcomes.iter().any(|outcome| !outcome.is_kept()).then(|| format!("kept {:.0} % of the rate", least * 100.0));
    let lost = (lost > 0).then(|| format!("lost {lost} lines"));
    kept.into_iter().chain(lost).collect::<Vec<_>>().join("; ")
}
