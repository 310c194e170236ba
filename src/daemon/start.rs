//! The start, in the order of the data's way. Everything that may fail happens before the first connection is accepted.

use std::io::{self, IsTerminal};
use std::net::{SocketAddr, TcpListener};
use std::num::NonZero;
use std::sync::Arc;
use std::thread;

use tokio::sync::Semaphore;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;
use tracing::info;

use super::commands::{attend, is_init};
use super::exit::Fatal;
use super::inherited::Passed;
use super::keeping::Keeping;
use super::reload::{Settled, rules};
use super::signals::{Others, PassOn, Signals};
use super::sources::{Sources, Survival, descriptors};
use super::supervision::Supervision;
use super::tasks::{Done, Tasks};
use super::telling::warn_of_unread_input;
use super::upkeep::{self, Kept};
use super::{Daemon, Room, UPKEEP, heap, most_clients, places, telemetry};
use crate::channel::Channels;
use crate::clock;
use crate::config::told::Told;
use crate::config::{Config, Logging};
use crate::http::archived::{self, Archivist};
use crate::http::client::Ending;
use crate::http::crowd::Crowd;
use crate::http::reactor::{Equipment, Reactors, TICK};
use crate::http::router::{Site, Told as ToldOnce};
use crate::http::rules::House;
use crate::http::sifted::Lookers;
use crate::http::slots::Slots;
use crate::http::{self, Server};
use crate::metrics::Metrics;
use crate::pipeline::Fittings;
use crate::pulse::Pulses;
use crate::sieve::Sieves;
use crate::source::command::Groups;
use crate::store::{History, Store};

/// The most threads that write streams: one serves thousands of clients.
const MOST_REACTORS: usize = 4;

/// The most connections that are waited for, whatever the limit of open files is.
const MOST_CONNECTIONS: usize = 1 << 20;

/// What the parts of the daemon share.
struct Shared {
    metrics: Arc<Metrics>,
    ending: Ending,
    connections: TaskTracker,
    slots: Arc<Slots>,
    pulses: Pulses,
}

/// What is open before anything else is.
pub(super) struct Handed {
    pub(super) listeners: Vec<TcpListener>,
    /// Those of them that were inherited, by address.
    pub(super) addresses: Vec<SocketAddr>,
    /// Named pipes that were inherited.
    pub(super) pipes: Vec<Passed>,
    /// What stays open when the daemon ends.
    pub(super) keeping: Keeping,
}

/// A kernel that gives the daemon what every process gets.
fn unexpected(what: &'static str) -> impl Fn(io::Error) -> Fatal {
    move |error| Fatal::unexpected(what, &error)
}

impl Daemon {
    /// Starts everything. `told` is what is read again when somebody wants that.
    pub(super) fn start(
        mut config: Config,
        (told, logging): (Option<Told>, Logging),
        handed: Handed,
        groups: Groups,
    ) -> Result<Self, Fatal> {
        let Handed { listeners, addresses: inherited, pipes, keeping } = handed;
        let signals = Signals::new().map_err(unexpected("could not listen for signals"))?;
        let files = descriptors(&config) + config.state.as_ref().map_or(0, |_| upkeep::descriptors());
        let slots = Slots::new(places(config.max_clients, files));
        let (metrics, pulses, connections) = (Arc::default(), Pulses::default(), TaskTracker::new());
        let shared = Shared { metrics, ending: Ending::default(), connections, slots, pulses: pulses.clone() };
        let mut tasks = Tasks::default();
        if config.grace().is_some() || is_init() {
            attend_to_children(&groups, config.grace().map_or(PassOn::Nothing, |_| PassOn::ToCommands), &mut tasks)?;
        }
        let grace = config.grace();
        let (store, channels, history) = open_store(&config, &shared.metrics, &mut tasks)?;
        let fittings = Fittings { store: Arc::new(store), metrics: Arc::clone(&shared.metrics) };
        warn_of_unread_input(&config);
        let unwaking = "could not make an event descriptor";
        let survival =
            Survival { keeping: keeping.clone(), passed: pipes, state: config.state.as_ref().map(|state| state.directory.clone()) };
        let mut sources = Sources::new(&config, channels.clone(), fittings, groups.clone(), (survival, pulses.clone()))
            .map_err(unexpected(unwaking))?;
        sources.start(std::mem::take(&mut config.feeds), &mut tasks)?;
        let unlistening = "could not use a listening socket";
        let addresses: Vec<_> =
            listeners.iter().map(TcpListener::local_addr).collect::<Result<_, _>>().map_err(unexpected(unlistening))?;
        let port = addresses.first().map_or(0, SocketAddr::port);
        let (server, admitted) = serve(&config, port, channels, history.clone(), &shared, &mut tasks)?;
        if inherited.is_empty() {
            keeping.keep_listeners(&listeners);
        }
        listen(listeners, &server, &mut tasks).map_err(unexpected(unlistening))?;
        let mut supervision = Supervision::new(pulses, addresses);
        supervision.ready(&server.site.channels, &shared.slots);
        let Shared { metrics, ending, connections, slots, .. } = shared;
        Ok(Self {
            at_eof: config.at_eof,
            has_terminal: io::stderr().is_terminal(),
            tasks,
            signals,
            sources,
            told,
            settled: Settled::of(&config, logging),
            inherited,
            supervision,
            site: server.site,
            port,
            room: Room { files, admission: server.limit, admitted },
            ending,
            connections,
            slots,
            metrics,
            retry: config.retry,
            history,
            groups,
            grace,
        })
    }
}

/// Hears of the end of children, and passes signals on to commands. Also without commands, where orphans come to us.
pub(super) fn attend_to_children(groups: &Groups, pass_on: PassOn, tasks: &mut Tasks) -> Result<(), Fatal> {
    groups.adopt_orphans();
    let others = Others::new(pass_on).map_err(unexpected("could not listen for signals"))?;
    tasks.spawn("signals of commands", attend(others, groups.clone()));
    Ok(())
}

/// Who names events, and what they are published to: with a state directory all of it goes on where the last run has ended.
fn open_store(
    config: &Config,
    metrics: &Arc<Metrics>,
    tasks: &mut Tasks,
) -> Result<(Store, Channels, Option<Arc<History>>), Fatal> {
    let Some(state) = &config.state else {
        let began = clock::now();
        return Ok((Store::new(began), Channels::new(config.history, began), None));
    };
    let (kept, report) = Kept::open(state, metrics)?;
    let history = Arc::clone(&kept.history);
    let channels = Channels::new(config.history, history.began());
    upkeep::restore(&channels, &history, &report);
    let (tell, lost, metrics) = (archived::tell(channels.clone()), upkeep::Lost::default(), Arc::clone(metrics));
    history.tell(move |gone| {
        lost.note(&gone, &metrics);
        tell(gone);
    });
    let told = channels.clone();
    tasks.spawn_thread(UPKEEP, move || {
        kept.look_after(&told);
        Done::Upkeep
    })?;
    Ok((Store::of(Arc::clone(&history)), channels, Some(history)))
}

/// What answers requests, and how many connections it lets in.
fn serve(
    config: &Config,
    port: u16,
    channels: Channels,
    history: Option<Arc<History>>,
    shared: &Shared,
    tasks: &mut Tasks,
) -> Result<(Server, usize), Fatal> {
    let connections = shared.slots.limit() + http::SPARE_CONNECTIONS;
    // As many as a reload can let in.
    let (give_back, returned) = mpsc::channel(most_clients(0).min(MOST_CONNECTIONS) + http::SPARE_CONNECTIONS);
    let metrics = || Arc::clone(&shared.metrics);
    let equipment = Equipment {
        ending: shared.ending.clone(),
        metrics: metrics(),
        write_timeout: config.write_timeout,
        tick: TICK,
        give_back,
        pulses: shared.pulses.clone(),
    };
    let archivist = history.map(|history| Archivist { history, metrics: metrics() });
    let reactors = start_reactors(&equipment, archivist.as_ref(), tasks)?;
    let site = Site {
        channels,
        archivist,
        slots: Arc::clone(&shared.slots),
        sieves: Arc::new(Sieves::new(metrics())),
        lookers: Lookers::default(),
        metrics: metrics(),
        started: clock::now(),
        house: House::new(rules(config, port)),
        ending: shared.ending.clone(),
        told: ToldOnce::default(),
    };
    let server = Server {
        site: Arc::new(site),
        connections: shared.connections.clone(),
        limit: Arc::new(Semaphore::new(connections)),
        write_timeout: config.write_timeout,
        reactors,
        crowd: Crowd::new(heap::give_back),
    };
    let attending = http::attend_reactors(returned, server.clone());
    tasks.spawn("connections that come back", async {
        attending.await;
        Done::Listener
    });
    Ok((server, connections))
}

/// Starts the threads that write streams.
fn start_reactors(equipment: &Equipment, archivist: Option<&Archivist>, tasks: &mut Tasks) -> Result<Arc<Reactors>, Fatal> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let count = (cores / 2).clamp(1, MOST_REACTORS);
    let (reactors, threads) = Reactors::new(count, equipment, archivist)
        .map_err(|error| Fatal::unexpected("could not make an epoll instance", &error))?;
    for (number, reactor) in threads.into_iter().enumerate() {
        tasks.spawn_thread(&format!("reactor {number}"), move || match reactor.run() {
            Ok(never) => match never {},
            Err(error) => Done::Reactor(error),
        })?;
    }
    Ok(Arc::new(reactors))
}

/// Begins to accept, and says where.
fn listen(listeners: Vec<TcpListener>, server: &Server, tasks: &mut Tasks) -> io::Result<()> {
    for listener in listeners {
        let address = listener.local_addr()?;
        let accepting = http::serve(tokio::net::TcpListener::from_std(listener)?, server.clone());
        tasks.spawn(&format!("listener {address}"), async {
            accepting.await;
            Done::Listener
        });
        info!(target: telemetry::READY, "listening on http://{address}/");
    }
    Ok(())
}
