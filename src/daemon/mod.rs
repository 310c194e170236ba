//! Start, run, stop, each in the order of the data's way.
//!
//! Everything that may fail happens before the first task is started: a daemon that says where it listens, listens. Then only a
//! fatal cause or a signal ends it. It stops from the input on, so that what has been read still reaches who is connected, and
//! within a second whatever clients do; a second signal ends it at once.

mod commands;
pub mod exit;
mod heap;
mod reading;
pub mod signals;
mod tasks;
pub mod telemetry;
mod telling;
mod upkeep;

use std::io::{self, IsTerminal};
use std::net::TcpListener;
use std::num::NonZero;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use tokio::sync::Semaphore;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use crate::channel::Channels;
use crate::clock;
use crate::config::{Addresses, AtEof, Config};
use crate::http::archived::{self, Archivist};
use crate::http::client::Ending;
use crate::http::crowd::Crowd;
use crate::http::reactor::{Equipment, Reactors, TICK};
use crate::http::router::{Site, Told};
use crate::http::sifted::Lookers;
use crate::http::slots::Slots;
use crate::http::{self, Server, listener};
use crate::metrics::Metrics;
use crate::pipeline::Fittings;
use crate::sieve::Sieves;
use crate::source;
use crate::source::command::Groups;
use crate::store::{History, Store};

use commands::{NothingStays, attend, is_init, say_who_is_waited_for};
use exit::Fatal;
use reading::{Reading, descriptors};
use signals::{Others, PassOn, Request, Signals};
use tasks::{Done, Tasks};
use telling::say_how_it_ended;
use upkeep::Kept;

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

/// The name of the task that looks after the state directory.
const UPKEEP: &str = "state directory";

/// The most threads that write streams: one serves thousands of clients.
const MOST_REACTORS: usize = 4;

/// Descriptors that are no client's: standard ones, listeners, the event loop's.
const OWN_FILES: usize = 24;

/// How long a request may be on its way from the kernel's queue to its stream.
const ARRIVAL: Duration = Duration::from_millis(300);

/// Runs the daemon until it ends; says why if that is an error.
#[must_use]
pub fn run(config: Config) -> ExitCode {
    match start_and_run(config) {
        Ok(code) => code,
        Err(fatal) => {
            error!("{}", fatal.line());
            fatal.code()
        }
    }
}

fn start_and_run(config: Config) -> Result<ExitCode, Fatal> {
    raise_file_limit();
    let listeners = match &config.listen {
        Addresses::Loopback(port) => listener::bind_loopback(*port)?,
        Addresses::These(addresses) => listener::bind(addresses)?,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Fatal::unexpected("could not start the runtime", &error))?;
    let (groups, at_eof) = (Groups::default(), config.at_eof);
    let _nothing_stays = NothingStays(groups.clone());
    let daemon = async { Daemon::start(config, listeners, groups.clone())?.run().await };
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

/// How many clients there may be: as many as the user says, or as the limit of open files leaves beside `files` that are followed or stored.
fn places(wanted: usize, files: usize) -> usize {
    let limit = file_limit();
    let left = usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(http::SPARE_CONNECTIONS + OWN_FILES + files);
    if wanted > left {
        let left = left.max(1);
        warn!("the limit of open files ({limit}) leaves room for {left} clients instead of {wanted}; ulimit -n raises it");
    }
    wanted.min(left.max(1))
}

/// The daemon while it runs.
struct Daemon {
    at_eof: AtEof,
    /// Whether messages went to a terminal at the start: of one that is gone the kernel no longer says so.
    has_terminal: bool,
    tasks: Tasks,
    signals: Signals,
    reading: source::Stop,
    ending: Ending,
    connections: TaskTracker,
    slots: Arc<Slots>,
    metrics: Arc<Metrics>,
    /// When clients come back.
    retry: Duration,
    /// How many sources are still to end.
    to_end: usize,
    /// What survives, if anything does.
    history: Option<Arc<History>>,
    /// The commands that run.
    groups: Groups,
    /// How long commands may take to end; none if there are none.
    grace: Option<Duration>,
}

impl Daemon {
    fn start(config: Config, listeners: Vec<TcpListener>, groups: Groups) -> Result<Self, Fatal> {
        let unexpected = |what: &'static str| move |error: io::Error| Fatal::unexpected(what, &error);
        let mut daemon = Self {
            at_eof: config.at_eof,
            has_terminal: io::stderr().is_terminal(),
            tasks: Tasks::default(),
            signals: Signals::new().map_err(unexpected("could not listen for signals"))?,
            reading: source::Stop::new().map_err(unexpected("could not make an event descriptor"))?,
            ending: Ending::default(),
            connections: TaskTracker::new(),
            slots: Slots::new(places(
                config.max_clients,
                descriptors(&config) + config.state.as_ref().map_or(0, |_| upkeep::descriptors()),
            )),
            metrics: Arc::default(),
            retry: config.retry,
            to_end: 0,
            history: None,
            groups,
            grace: config.grace(),
        };
        daemon.attend_to_children().map_err(unexpected("could not listen for signals"))?;
        let (store, channels) = daemon.open_store(&config)?;
        let fittings = Fittings {
            max_line: config.max_line,
            recipe: Arc::clone(&config.recipe),
            store: Arc::new(store),
            metrics: Arc::clone(&daemon.metrics),
        };
        let reading = Reading { channels: &channels, fittings, stop: &daemon.reading, groups: &daemon.groups };
        daemon.to_end = reading.start(&config, &mut daemon.tasks)?;
        let address = listeners.first().map(TcpListener::local_addr).transpose();
        let title =
            config.title.on(address.map_err(unexpected("could not use a listening socket"))?.map_or(0, |address| address.port()));
        let server = daemon.server(config, channels, title)?;
        daemon.listen(listeners, &server).map_err(unexpected("could not use a listening socket"))?;
        Ok(daemon)
    }

    /// Hears of the end of children, and passes signals on to commands. Also without commands, where orphans come to us.
    fn attend_to_children(&mut self) -> io::Result<()> {
        let pass_on = if self.grace.is_some() { PassOn::ToCommands } else { PassOn::Nothing };
        if pass_on == PassOn::Nothing && !is_init() {
            return Ok(());
        }
        self.groups.adopt_orphans();
        let attending = attend(Others::new(pass_on)?, self.groups.clone());
        self.tasks.spawn("signals of commands", attending);
        Ok(())
    }

    /// Who names events, and what they are published to: with a state directory all of it goes on where the last run has ended.
    fn open_store(&mut self, config: &Config) -> Result<(Store, Channels), Fatal> {
        let Some(state) = &config.state else {
            let began = clock::now();
            return Ok((Store::new(began), Channels::new(config.history, began)));
        };
        let (kept, report) = Kept::open(state, &self.metrics)?;
        let history = Arc::clone(&kept.history);
        let channels = Channels::new(config.history, history.began());
        upkeep::restore(&channels, &history, &report);
        let (tell, lost, metrics) = (archived::tell(channels.clone()), upkeep::Lost::default(), Arc::clone(&self.metrics));
        history.tell(move |gone| {
            lost.note(&gone, &metrics);
            tell(gone);
        });
        let told = channels.clone();
        self.tasks.spawn_thread(UPKEEP, move || {
            kept.look_after(&told);
            Done::Upkeep
        })?;
        self.history = Some(Arc::clone(&history));
        Ok((Store::of(history), channels))
    }

    fn server(&mut self, config: Config, channels: Channels, title: String) -> Result<Server, Fatal> {
        let connections = self.slots.limit() + http::SPARE_CONNECTIONS;
        let (give_back, returned) = mpsc::channel(connections);
        let equipment = Equipment {
            ending: self.ending.clone(),
            metrics: Arc::clone(&self.metrics),
            write_timeout: config.write_timeout,
            tick: TICK,
            give_back,
        };
        let read = |history| Archivist { history, metrics: Arc::clone(&self.metrics) };
        let archivist = self.history.clone().map(read);
        let reactors = self.start_reactors(&equipment, archivist.as_ref())?;
        let site = Site {
            channels,
            archivist,
            slots: Arc::clone(&self.slots),
            sieves: Arc::new(Sieves::new(Arc::clone(&self.metrics))),
            lookers: Lookers::default(),
            metrics: Arc::clone(&self.metrics),
            hosts: config.hosts,
            origins: config.origins,
            title,
            event_type: config.event_type,
            tail: config.tail,
            heartbeat: config.heartbeat,
            retry: config.retry,
            ending: self.ending.clone(),
            told: Told::default(),
        };
        let server = Server {
            site: Arc::new(site),
            connections: self.connections.clone(),
            limit: Arc::new(Semaphore::new(connections)),
            write_timeout: config.write_timeout,
            reactors,
            crowd: Crowd::new(heap::give_back),
        };
        let attending = http::attend_reactors(returned, server.clone());
        self.tasks.spawn("connections that come back", async {
            attending.await;
            Done::Listener
        });
        Ok(server)
    }

    /// Starts the threads that write streams.
    fn start_reactors(&mut self, equipment: &Equipment, archivist: Option<&Archivist>) -> Result<Arc<Reactors>, Fatal> {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let count = (cores / 2).clamp(1, MOST_REACTORS);
        let (reactors, threads) = Reactors::new(count, equipment, archivist)
            .map_err(|error| Fatal::unexpected("could not make an epoll instance", &error))?;
        for (number, reactor) in threads.into_iter().enumerate() {
            self.tasks.spawn_thread(&format!("reactor {number}"), move || match reactor.run() {
                Ok(never) => match never {},
                Err(error) => Done::Reactor(error),
            })?;
        }
        Ok(Arc::new(reactors))
    }

    /// Begins to accept, and says where.
    fn listen(&mut self, listeners: Vec<TcpListener>, server: &Server) -> io::Result<()> {
        for listener in listeners {
            let address = listener.local_addr()?;
            let accepting = http::serve(tokio::net::TcpListener::from_std(listener)?, server.clone());
            self.tasks.spawn(&format!("listener {address}"), async {
                accepting.await;
                Done::Listener
            });
            info!(target: telemetry::READY, "listening on http://{address}/");
        }
        Ok(())
    }

    /// Runs until something ends it, and stops.
    async fn run(mut self) -> Result<(), Fatal> {
        loop {
            tokio::select! {
                done = self.tasks.next() => match done? {
                    Done::Source(name, end) => {
                        self.to_end = self.to_end.saturating_sub(1);
                        say_how_it_ended(&name, &end, if self.to_end > 0 { None } else { Some(self.at_eof) });
                        if let (AtEof::Stop(patience), 0) = (self.at_eof, self.to_end) {
                            return self.stop_when_sent(patience).await;
                        }
                    }
                    Done::Reactor(error) => return Err(Fatal::unexpected("could not wait for clients", &error)),
                    Done::Listener => return Err(Fatal::panicked("listener")),
                    Done::Upkeep => return Err(Fatal::panicked(UPKEEP)),
                },
                signal = stop_request(&mut self.signals, self.has_terminal, &self.groups) => return self.stop(Duration::ZERO, signal).await,
            }
        }
    }

    /// The input has ended for good: stops when clients have got everything, or patience ends.
    async fn stop_when_sent(mut self, patience: Duration) -> Result<(), Fatal> {
        let deadline = Instant::now() + patience;
        tokio::select! {
            _ = timeout_at(deadline, everybody_has_everything(&self.slots, &self.metrics, self.retry)) => {}
            signal = stop_request(&mut self.signals, self.has_terminal, &self.groups) => return self.stop(Duration::ZERO, signal).await,
        }
        self.stop(deadline.saturating_duration_since(Instant::now()), Signal::SIGTERM).await
    }

    /// Stops in the order of the data's way, commands by this signal. `patience` is for clients that are still taking their last bytes.
    async fn stop(mut self, patience: Duration, signal: Signal) -> Result<(), Fatal> {
        let in_order = async {
            self.groups.stop(signal);
            self.reading.raise();
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
            _ = stop_request(&mut self.signals, self.has_terminal, &self.groups) => {
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

/// Waits for a signal that asks for the end. A hangup does if the daemon had a terminal, which is gone then; otherwise it asks
/// for a reload, and there is nothing to reload, unless a command has something. Gives the signal.
async fn stop_request(signals: &mut Signals, has_terminal: bool, groups: &Groups) -> Signal {
    loop {
        match signals.next().await {
            Request::Stop(signal) => return signal,
            Request::Hangup if has_terminal => return Signal::SIGHUP,
            Request::Hangup if groups.count() > 0 => groups.pass_on(Signal::SIGHUP),
            Request::Hangup => info!("nothing to reload: there is no configuration file"),
        }
    }
}
