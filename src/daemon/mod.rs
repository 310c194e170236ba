//! Start, run, stop, each in the order of the data's way.
//!
//! Everything that may fail happens before the first task is started: a daemon that says where it listens, listens. Then only a
//! fatal cause or a signal ends it. It stops from the input on, so that what has been read still reaches who is connected, and
//! within a second whatever clients do; a second signal ends it at once.

mod commands;
pub mod exit;
mod heap;
pub mod inherited;
mod journal;
mod keeping;
mod listening;
mod reading;
mod reload;
pub mod signals;
mod sources;
mod start;
mod supervision;
mod supervisor;
mod tasks;
pub mod telemetry;
mod telling;
mod upkeep;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use crate::config::told::Told;
use crate::config::{AtEof, Config, Logging};
use crate::http;
use crate::http::client::Ending;
use crate::http::router::Site;
use crate::http::slots::Slots;
use crate::metrics::Metrics;
use crate::source::command::Groups;
use crate::store::History;

use commands::{NothingStays, say_who_is_waited_for};
use exit::Fatal;
use inherited::Inherited;
use keeping::Keeping;
use reload::Settled;
use signals::{Request, Signals};
use sources::Sources;
use start::Handed;
use supervision::Supervision;
use tasks::{Done, Tasks};
use telling::say_how_it_ended;

/// The name of the task that reads standard input.
const STDIN: &str = "standard input";

/// The steps of a stop by signal: reading ends, streams send what is there, streams end where they are. Together well below a
/// second, because a person waits for the prompt.
const STOP_READING: Duration = Duration::from_millis(100);
/// A disk may take longer than a client: what it has not taken by then, a power cut may take.
const STOP_STORING: Duration = Duration::from_secs(2);
/// Commands have their own grace; those that need more than this are spoken of.
const STOP_COMMANDS: Duration = Duration::from_millis(400);
/// Beyond the grace, what KILL may take, and what is read behind it.
const STOP_KILLED: Duration = Duration::from_secs(3);
const STOP_KILLED_AT_ONCE: Duration = Duration::from_millis(300);
const STOP_SENDING: Duration = Duration::from_millis(300);
const STOP_CLOSING: Duration = Duration::from_millis(300);
/// What the service manager allows for a machine that is busy.
const STOP_SLACK: Duration = Duration::from_secs(5);

/// The name of the task that looks after the state directory.
const UPKEEP: &str = "state directory";

/// How long a request may be on its way from the kernel's queue to its stream.
const ARRIVAL: Duration = Duration::from_millis(300);

/// Runs the daemon until it ends; says why if that is an error. `told` is what is read again when somebody wants that.
#[must_use]
pub fn run(config: Config, told: Option<Told>, logging: Logging, inherited: Inherited) -> ExitCode {
    match start_and_run(config, told, logging, inherited) {
        Ok(code) => code,
        Err(fatal) => {
            error!("{}", fatal.line());
            fatal.code()
        }
    }
}

fn start_and_run(config: Config, told: Option<Told>, logging: Logging, mut inherited: Inherited) -> Result<ExitCode, Fatal> {
    raise_file_limit();
    inherited.check(&config.feeds).map_err(|error| Fatal::not_inherited(&error))?;
    let (addresses, keeping) = (inherited.addresses(), Keeping::default());
    let listeners = listening::listen(&config.listen, &mut inherited, &keeping)?;
    let handed = Handed { listeners, addresses, pipes: inherited.pipes, keeping };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Fatal::unexpected("could not start the runtime", &error))?;
    let (groups, at_eof) = (Groups::default(), config.at_eof);
    let _nothing_stays = NothingStays(groups.clone());
    let daemon = async { Daemon::start(config, (told, logging), handed, groups.clone())?.run().await };
    runtime.block_on(daemon)?;
    // However it came to its end: of `make` that was interrupted nobody should think that it is done.
    Ok(if at_eof == AtEof::Serve { ExitCode::SUCCESS } else { groups.exit_code().into() })
}

/// Each client is a descriptor. A limit that cannot be raised is no reason not to start: accepting copes with it.
fn raise_file_limit() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// How many descriptors the process may have.
fn file_limit() -> u64 {
    getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(soft, _)| soft)
}

/// Descriptors that are no client's: standard ones, listeners, the event loop's.
const OWN_FILES: usize = 24;

/// How many clients the limit of open files leaves room for beside `files` that are followed or stored.
fn most_clients(files: usize) -> usize {
    let limit = usize::try_from(file_limit()).unwrap_or(usize::MAX);
    limit.saturating_sub(http::SPARE_CONNECTIONS + OWN_FILES + files).max(1)
}

/// How many clients there may be: as many as the user says, or as there is room for.
fn places(wanted: usize, files: usize) -> usize {
    let most = most_clients(files);
    if wanted > most {
        let limit = file_limit();
        warn!("the limit of open files ({limit}) leaves room for {most} clients instead of {wanted}; ulimit -n raises it");
    }
    wanted.min(most)
}

/// The daemon while it runs.
struct Daemon {
    at_eof: AtEof,
    /// Whether messages went to a terminal at the start: of one that is gone the kernel no longer says so.
    has_terminal: bool,
    tasks: Tasks,
    signals: Signals,
    sources: Sources,
    /// What is read again after a hangup, if there is a file; and what of it cannot change.
    told: Option<Told>,
    settled: Settled,
    /// Where sockets listen that were inherited.
    inherited: Vec<SocketAddr>,
    /// What the service manager is told.
    supervision: Supervision,
    site: Arc<Site>,
    /// The port that the title names.
    port: u16,
    room: Room,
    ending: Ending,
    connections: TaskTracker,
    slots: Arc<Slots>,
    metrics: Arc<Metrics>,
    /// When clients come back.
    retry: Duration,
    /// What survives, if anything does.
    history: Option<Arc<History>>,
    /// The commands that run.
    groups: Groups,
    /// How long commands may take to end; none if there are none.
    grace: Option<Duration>,
}

/// Room for clients.
#[derive(Debug)]
struct Room {
    /// How many descriptors are no client's.
    files: usize,
    /// Lets connections in.
    admission: Arc<Semaphore>,
    /// How many it lets in.
    admitted: usize,
}

impl Daemon {
    /// Runs until something ends it, and stops.
    async fn run(mut self) -> Result<(), Fatal> {
        loop {
            tokio::select! {
                done = self.tasks.next() => match done? {
                    Done::Source(key, name, end) => {
                        let is_of_itself = self.sources.is_over(key);
                        let to_end = self.sources.to_end();
                        say_how_it_ended(&name, &end, if to_end > 0 { None } else { Some(self.at_eof) });
                        if let (AtEof::Stop(patience), 0, true) = (self.at_eof, to_end, is_of_itself) {
                            return self.stop_when_sent(patience).await;
                        }
                    }
                    Done::Reactor(error) => return Err(Fatal::unexpected("could not wait for clients", &error)),
                    Done::Listener => return Err(Fatal::panicked("listener")),
                    Done::Upkeep => return Err(Fatal::panicked(UPKEEP)),
                },
                due = self.supervision.due() => self.supervision.tell(due, &self.site.channels, &self.slots),
                request = self.signals.next() => {
                    let signal = match request {
                        Request::Stop(signal) => Some(signal),
                        Request::Hangup => self.hear_hangup()?,
                    };
                    if let Some(signal) = signal {
                        return self.stop(Duration::ZERO, signal).await;
                    }
                }
            }
        }
    }

    /// The input has ended for good: stops when clients have got everything, or patience ends.
    async fn stop_when_sent(mut self, patience: Duration) -> Result<(), Fatal> {
        let deadline = Instant::now() + patience;
        tokio::select! {
            _ = timeout_at(deadline, everybody_has_everything(&self.slots, &self.metrics, self.retry)) => {}
            signal = stop_request(&mut self.signals, self.has_terminal) => return self.stop(Duration::ZERO, signal).await,
            () = self.supervision.go_on_feeding() => {}
        }
        self.stop(deadline.saturating_duration_since(Instant::now()), Signal::SIGTERM).await
    }

    /// The service manager waits for as long as the stop may take.
    fn say_that_it_stops(&self, patience: Duration) {
        let commands = self.grace.map_or(Duration::ZERO, |grace| STOP_COMMANDS + grace + STOP_KILLED);
        let clients = STOP_SENDING.max(patience) + STOP_CLOSING;
        let status = if self.groups.count() > 0 { "stopping; commands have their time to end" } else { "stopping" };
        supervision::stopping(STOP_READING + commands + STOP_STORING + clients + STOP_SLACK, status);
    }

    /// Stops in the order of the data's way, commands by this signal. `patience` is for clients that are still taking their last bytes.
    async fn stop(mut self, patience: Duration, signal: Signal) -> Result<(), Fatal> {
        self.say_that_it_stops(patience);
        let in_order = async {
            self.groups.stop(signal);
            self.sources.stop();
            let _ = timeout(STOP_READING, self.tasks.until_sources_end()).await;
            if let Some(grace) = self.grace {
                let _ = timeout(STOP_COMMANDS, self.tasks.until_sources_end()).await;
                say_who_is_waited_for(self.groups.count(), grace);
                let _ = timeout(grace + STOP_KILLED, self.tasks.until_sources_end()).await;
            }
            if let Some(history) = &self.history {
                history.stop();
                let _ = timeout(STOP_STORING, self.tasks.until_ended(UPKEEP)).await;
            }
            self.ending.soon.cancel();
            self.connections.close();
            if timeout(STOP_SENDING.max(patience), self.connections.wait()).await.is_err() {
                self.ending.now.cancel();
                let _ = timeout(STOP_CLOSING, self.connections.wait()).await;
            }
        };
        tokio::select! {
            () = in_order => {}
            () = self.supervision.go_on_feeding() => {}
            _ = stop_request(&mut self.signals, self.has_terminal) => {
                self.groups.kill();
                // So that it is known how they ended.
                let _ = timeout(STOP_KILLED_AT_ONCE, self.tasks.until_sources_end()).await;
            }
        }
        Ok(())
    }
}

/// Waits until no stream is open, and none has been opened for a while: one that has just asked is not seen yet, and one whose
/// connection was lost comes back after `retry`. A browser that comes back with the last id is told that it may rest.
async fn everybody_has_everything(slots: &Slots, metrics: &Metrics, retry: Duration) {
    loop {
        slots.empty().await;
        let before = metrics.streams.get();
        tokio::time::sleep(if before == 0 { ARRIVAL } else { retry + ARRIVAL }).await;
        if slots.used() == 0 && before == metrics.streams.get() {
            return;
        }
    }
}

/// Waits for a signal that asks for the end: there is nothing to reload any more.
async fn stop_request(signals: &mut Signals, has_terminal: bool) -> Signal {
    loop {
        match signals.next().await {
            Request::Stop(signal) => return signal,
            Request::Hangup if has_terminal => return Signal::SIGHUP,
            Request::Hangup => info!("nothing to reload: the daemon is about to stop"),
        }
    }
}
