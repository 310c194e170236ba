//! One server, one crowd, one schedule: what the servers of all scenarios with a rate go through.
//!
//! ```text
//! start ▸ connect ▸ warm-up ▸ window, which counts ▸ until everybody has everything, or the time is up
//! ```

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::check::Faults;
use super::clients::{Crowd, Lines, Tally};
use super::contestant::{Ready, Running};
use super::feeder::{self, Schedule};
use super::usage::{self, Usage};

/// After the window those who must deliver everything have so long for it, and the others.
const DRAINING: Duration = Duration::from_secs(20);
const DRAINING_OF_PEERS: Duration = Duration::from_millis(500);

/// A server that delivers less of what was due in the window than this has not kept the rate.
const KEPT: f64 = 0.95;

/// How many clients get how much.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) clients: usize,
    /// Of them never read.
    pub(crate) stalled: usize,
    pub(crate) rate: u32,
    /// Long lines before the warm-up, to fill the sockets of those who never read.
    pub(crate) flood: u32,
}

/// When it counts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub(crate) warm_up: Duration,
    pub(crate) window: Duration,
}

/// What came of it.
pub(crate) struct Outcome {
    /// Of the server in the window.
    pub(crate) used: Usage,
    /// To all clients in the window.
    pub(crate) delivered: u64,
    pub(crate) window: Duration,
    /// Of what was due in it.
    pub(crate) share: f64,
    pub(crate) latencies: Histogram<u64>,
    pub(crate) faults: Faults,
    /// Lines that had not come when the time was up.
    pub(crate) missing: u64,
    /// KiB of the server at the end of the window.
    pub(crate) memory: f64,
    /// Of a core: the server in the window, the clients and the feeder over the whole run.
    pub(crate) busy: [f64; 3],
    /// Of a core: what else the machine did in the window.
    pub(crate) other_work: f64,
}

impl Outcome {
    /// Whether the server kept the rate.
    pub(crate) fn is_kept(&self) -> bool {
        self.share >= KEPT
    }

    /// CPU time of a delivered line, in microseconds.
    pub(crate) fn cpu(&self) -> f64 {
        self.used.cpu.as_secs_f64() * 1e6 / float(self.delivered)
    }

    /// A quantile of the latency, in milliseconds; of nothing if nothing has come.
    pub(crate) fn latency(&self, quantile: f64) -> Option<f64> {
        (!self.latencies.is_empty()).then(|| float(self.latencies.value_at_quantile(quantile)) / 1e6)
    }
}

#[allow(clippy::cast_precision_loss, reason = "counts below 2^53")]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}

/// Runs it once.
pub(crate) fn run(ready: &Ready, load: &Load, times: Times) -> io::Result<Outcome> {
    let server = ready.start()?;
    let patience = if ready.who.must_deliver() { DRAINING } else { DRAINING_OF_PEERS };
    let outcome = run_on(server, load, times, patience)?;
    let Faults { lost, repeated } = outcome.faults;
    if ready.who.must_deliver() && lost + repeated + outcome.missing > 0 {
        let missing = outcome.missing;
        return Err(io::Error::other(format!("{lost} lines lost, {repeated} repeated or out of order, {missing} not delivered")));
    }
    if repeated > 0 {
        return Err(io::Error::other(format!("{repeated} lines repeated or out of order")));
    }
    Ok(outcome)
}

fn run_on(mut server: Running, load: &Load, times: Times, patience: Duration) -> io::Result<Outcome> {
    let crowd = Crowd::connect(&server.door, load.clients, load.stalled)?;
    let within = |time: Duration| u64::from(load.rate) * u64::try_from(time.as_millis()).unwrap_or(0) / 1000;
    let lines = Lines { warm_up: within(times.warm_up), last: within(times.warm_up + times.window) };
    let schedule = Schedule { flood: load.flood, rate: load.rate, lines: lines.last };
    let (tally, clock) = (Arc::new(Tally::default()), Instant::now());
    let clients = crowd.listen(clock, lines, &tally);
    let feeder = feeder::start(server.take_inlet(), clock, schedule);

    sleep_until(clock + schedule.flood_time() + times.warm_up);
    let before = Moment::look(&server, &tally);
    sleep_until(clock + schedule.flood_time() + times.warm_up + times.window);
    let after = Moment::look(&server, &tally);

    let deadline = Instant::now() + patience;
    while !clients.is_finished() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(5));
    }
    tally.is_over.store(true, Ordering::Relaxed);
    let heard = clients.join().expect("the clients do not panic");
    let all = clock.elapsed();
    drop(server); // lets the feeder go if nobody takes its lines any more
    let fed = feeder.join().expect("the feeder does not panic");

    let (before, after, heard) = (before?, after?, heard?);
    let (used, delivered, window) = (after.used.since(before.used), after.delivered - before.delivered, after.time - before.time);
    let due = f64::from(load.rate) * window.as_secs_f64() * float((load.clients - load.stalled) as u64);
    let of_core = |cpu: Duration, time: Duration| cpu.as_secs_f64() / time.as_secs_f64();
    let feeder_cpu = fed.map_or(Duration::ZERO, |fed| fed.cpu); // it may have been let go
    let busy = [of_core(used.cpu, window), of_core(heard.cpu, all), of_core(feeder_cpu, all)];
    Ok(Outcome {
        used,
        delivered,
        window,
        share: float(delivered) / due,
        latencies: heard.latencies,
        faults: heard.faults,
        missing: heard.missing,
        memory: after.memory,
        busy,
        other_work: of_core(after.machine.saturating_sub(before.machine), window) - busy.iter().sum::<f64>(),
    })
}

/// What has been used and delivered up to a time.
struct Moment {
    used: Usage,
    delivered: u64,
    machine: Duration,
    time: Instant,
    memory: f64,
}

impl Moment {
    fn look(server: &Running, tally: &Tally) -> io::Result<Self> {
        Ok(Self {
            used: usage::of(server.id())?,
            delivered: tally.delivered.load(Ordering::Relaxed),
            machine: usage::of_machine()?,
            time: Instant::now(),
            memory: usage::memory(server.id())?,
        })
    }
}

fn sleep_until(time: Instant) {
    thread::sleep(time.saturating_duration_since(Instant::now()));
}
