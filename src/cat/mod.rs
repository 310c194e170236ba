//! `sse-bridge cat URL...`: streams for the shell, each line once and in order, through restarts of the daemon, lost networks and restarts of its own.
//!
//! ```text
//!  server ▸ wire ▸ reader ▸ outlet ▸ standard output, or a command
//!           bytes  events   blocks      │
//!                                       └▸ places ▸ memory     what was taken, and where the next run goes on
//! ```
//!
//! Pure are [`address`], [`answer`], [`block`], [`notice`], [`pause`], [`place`], [`reader`], [`shape`], [`sieve`] and [`silence`]: what is asked, what an
//! answer and an event mean, how it looks, how long is waited.
//!
//! What holds:
//! - a place moves on when the write of an event has returned, and is saved after that: nothing is skipped that the reader has not taken;
//! - what a stop finds half written is completed, or counted to the byte (`place::Part`), so the next run goes on inside it;
//! - nothing is read from the network while the reader has not taken what was read before: memory is bounded by an event and a block.
//!
//! | code | when |
//! | --- | --- |
//! | 0 | all streams have ended for good, or nobody reads the output any more |
//! | 2 | the command line |
//! | 3 | refused by a server, or no event stream |
//! | 4 | a gap, with `--strict` |
//! | 75 | no stream for `--max-wait`; the file of `--state` is in use or cannot be written |
//! | 128 + N | stopped by signal N: HUP, INT, TERM |
//! | 1 | anything else |
//!
//! With `--exec` the command's own code comes first.

pub mod address;
pub mod answer;
pub mod block;
pub mod broken;
pub mod command;
pub mod following;
pub mod memory;
pub mod notice;
pub mod outlet;
pub mod pause;
pub mod place;
pub mod places;
pub mod plan;
pub mod reader;
pub mod shape;
pub mod sieve;
pub mod silence;
pub mod token;
pub mod wire;

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::config::ConfigError;
use crate::config::cat::Cat;
use crate::daemon::signals::{Request, Signals};
use crate::errno::reason;
use address::Address;
use broken::Broken;
use command::Running;
use following::{Common, Ended, Follower, Several};
use memory::{Memory, NoMemory};
use outlet::Outlet;
use place::Place;
use places::Places;
use plan::{Plan, Surroundings};
use reader::Reader;

/// How often it is saved what was taken: at most this much comes again after SIGKILL.
const SAVE: Duration = Duration::from_millis(500);

/// How long a command may take for its end, when it is time to stop and its input has ended.
const FAREWELL: Duration = Duration::from_secs(5);

/// Why a client ends before its streams do.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// What was asked for cannot be done.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// It cannot be remembered what was taken.
    #[error("could not use the state file '{0}'")]
    Memory(PathBuf, #[source] NoMemory),
    /// The command cannot be started, or not be waited for.
    #[error("could not run the command of --exec")]
    Command(#[source] io::Error),
    /// The machine does not give what is needed.
    #[error("could not start")]
    Start(#[source] io::Error),
    /// A stream is no more followed.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// At the end it could not be saved what was taken.
    #[error("could not save what was taken in '{0}'")]
    Unsaved(PathBuf, #[source] io::Error),
    /// A bug.
    #[error("a stream's task panicked")]
    Panicked,
}

/// Follows streams until they have ended, or something ends it.
///
/// # Errors
/// Something other than the streams' end, a signal, the reader or the command has ended it.
pub fn run(asked: &Cat) -> Result<ExitCode, Failed> {
    let plan = Plan::check(asked, Surroundings::look())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failed::Start)?;
    let code = runtime.block_on(follow(plan));
    // A look-up of a name cannot be cancelled, and nobody waits for it.
    runtime.shutdown_background();
    code.map(ExitCode::from)
}

/// The tasks that follow streams, each with how it ended.
type Followers = JoinSet<(Address, Result<Ended, Broken>)>;

/// What ends everything.
enum End {
    /// All streams have ended.
    Streams,
    /// A stream is no more followed.
    Broken(Failed),
    /// A signal: the exit code that says which.
    Signal(u8),
    /// The command has ended, with this code.
    Command(u8),
    /// Nobody reads standard output.
    Gone,
}

async fn follow(plan: Plan) -> Result<u8, Failed> {
    let mut signals = Signals::new().map_err(Failed::Start)?;
    let store = plan.state.as_ref().map(|path| Store::open(path.clone())).transpose()?;
    look_at_token(&plan);
    let (mut command, out) = match &plan.command {
        Some(command) => Running::start(command).map(|(running, out)| (Some(running), out)).map_err(Failed::Command)?,
        None => (None, standard_output().map_err(Failed::Start)?),
    };
    let outlet = Outlet::start(out).map_err(Failed::Start)?;
    let stop = CancellationToken::new();
    let (places, mut followers) = start(plan, store.as_ref(), &outlet, &stop);
    let saving = save_now_and_then(store.as_ref(), &places);
    let end = tokio::select! {
        end = until_ended(&mut followers) => end,
        request = signals.next() => End::Signal(stopped_by(request)),
        code = ended(&mut command) => code.map_or_else(|error| End::Broken(Failed::Command(error)), End::Command),
        () = outlet.gone(), if command.is_none() => End::Gone,
        () = saving => unreachable!("saving never ends"),
    };
    stop.cancel();
    outlet.stop();
    // Each ends soon: what it waits for watches the stop, and a write has its grace.
    while followers.join_next().await.is_some() {}
    outlet.close();
    let saved = store.map_or(Ok(()), |store| store.save(&places.all()).map_err(|error| Failed::Unsaved(store.path.clone(), error)));
    let code = code(end, command, &mut signals).await?;
    saved.map(|()| code)
}

/// Starts to follow each stream, from where it was left.
fn start(plan: Plan, store: Option<&Store>, outlet: &Outlet, stop: &CancellationToken) -> (Arc<Places>, Followers) {
    let place = |address: &Address| store.and_then(|store| store.place(&address.name())).unwrap_or_default();
    let begin: BTreeMap<_, _> = plan.addresses.iter().map(|address| (address.name(), place(address))).collect();
    let places = Arc::new(Places::new(begin.clone()));
    let several = if plan.addresses.len() > 1 { Several::Yes } else { Several::No };
    let common = Common {
        outlet: outlet.clone(),
        places: Arc::clone(&places),
        stop: stop.clone(),
        token: plan.token,
        max_wait: plan.max_wait,
        largest: plan.largest,
        several,
    };
    let sieve = Arc::new(plan.sieve);
    let mut followers = JoinSet::new();
    for address in plan.addresses {
        let server = (several == Several::Yes).then(|| address.authority.clone());
        let place = begin.get(&address.name()).cloned().unwrap_or_default();
        let sieve = if address.asks_for_more() { Arc::default() } else { Arc::clone(&sieve) };
        let reader = Reader::new(plan.shape, server, sieve, plan.on_gap, &place);
        let follower = Follower::new(address.clone(), reader, common.clone());
        followers.spawn(async { (address, follower.run().await) });
    }
    (places, followers)
}

/// Waits until all streams have ended, or one is broken.
async fn until_ended(followers: &mut Followers) -> End {
    let is_one_of_several = followers.len() > 1;
    while let Some(ended) = followers.join_next().await {
        match ended {
            Ok((address, Ok(_))) if is_one_of_several => info!("{} has ended", address.name()),
            Ok((_, Ok(_))) => {}
            Ok((_, Err(Broken::Gone))) => return End::Gone,
            Ok((_, Err(broken))) => return End::Broken(broken.into()),
            Err(_) => return End::Broken(Failed::Panicked),
        }
    }
    End::Streams
}

/// The exit code, once the command has ended as well.
async fn code(end: End, mut command: Option<Running>, signals: &mut Signals) -> Result<u8, Failed> {
    let wait = async |command: &mut Option<Running>| ended(command).await.map_err(Failed::Command);
    match end {
        End::Command(code) => Ok(code),
        // It has got everything, or does not want more: its code says how it went. Who waits may still stop.
        End::Streams | End::Gone if command.is_some() => tokio::select! {
            code = wait(&mut command) => code,
            request = signals.next() => Ok(stopped_by(request)),
        },
        End::Streams | End::Gone => Ok(0),
        End::Signal(code) => {
            farewell(&mut command, signals).await;
            Ok(code)
        }
        End::Broken(failed) => {
            farewell(&mut command, signals).await;
            Err(failed)
        }
    }
}

/// The exit code that says which signal it was: 128 and its number.
fn stopped_by(request: Request) -> u8 {
    let signal = match request {
        Request::Stop(signal) => signal,
        Request::Hangup => Signal::SIGHUP,
    };
    128 + u8::try_from(signal as i32).unwrap_or(0)
}

/// Lets a command come to its end, whose input has ended.
async fn farewell(command: &mut Option<Running>, signals: &mut Signals) {
    if command.is_none() {
        return;
    }
    tokio::select! {
        done = timeout(FAREWELL, ended(command)) => {
            if done.is_err() {
                warn!("the command of --exec still runs, though its input has ended; it is left alone");
            }
        }
        _ = signals.next() => {}
    }
}

/// Waits until the command has ended; for ever if there is none.
async fn ended(command: &mut Option<Running>) -> io::Result<u8> {
    match command {
        Some(running) => running.ended().await,
        None => std::future::pending().await,
    }
}

fn standard_output() -> io::Result<OwnedFd> {
    io::stdout().as_fd().try_clone_to_owned()
}

fn look_at_token(plan: &Plan) {
    let Some(token) = &plan.token else { return };
    let path = token.path().display();
    if token.is_for_everybody() {
        warn!("everybody on this machine can read the token in '{path}'; chmod 600 keeps it");
    }
    let is_near = |host: &str| host == "localhost" || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback());
    if let Some(address) = plan.addresses.iter().find(|address| !is_near(&address.host)) {
        warn!("the token goes to {} as it is, without encryption; everybody on the way can read it", address.authority);
    }
}

/// What is remembered, shared with the thread that saves.
#[derive(Debug, Clone)]
struct Store {
    path: PathBuf,
    memory: Arc<Mutex<Memory>>,
}

impl Store {
    fn open(path: PathBuf) -> Result<Self, Failed> {
        let (memory, aside) = Memory::open(&path).map_err(|why| Failed::Memory(path.clone(), why))?;
        if let Some(memory::Aside(aside)) = aside {
            warn!("'{}' is damaged, and now '{}'; beginning as if there were nothing", path.display(), aside.display());
        }
        Ok(Self { path, memory: Arc::new(Mutex::new(memory)) })
    }

    fn place(&self, name: &str) -> Option<Place> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).place(name)
    }

    fn save(&self, places: &BTreeMap<String, Place>) -> io::Result<()> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).save(places)
    }
}

/// Saves what was taken, whenever that has changed; never ends.
fn save_now_and_then(store: Option<&Store>, places: &Arc<Places>) -> impl Future<Output = ()> + use<> {
    let (store, places) = (store.cloned(), Arc::clone(places));
    async move {
        let Some(store) = store else { return std::future::pending().await };
        let mut ticks = interval(SAVE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut saved, mut has_failed) = (places.all(), false);
        loop {
            ticks.tick().await;
            let now = places.all();
            if now == saved {
                continue;
            }
            // A disk may take its time, and the streams go on meanwhile.
            let (there, then) = (store.clone(), now.clone());
            let result =
                tokio::task::spawn_blocking(move || there.save(&then)).await.unwrap_or_else(|panic| Err(io::Error::other(panic)));
            match result {
                Ok(()) => {
                    if std::mem::take(&mut has_failed) {
                        info!("what was taken is saved again in '{}'", store.path.display());
                    }
                    saved = now;
                }
                Err(error) if !has_failed => {
                    has_failed = true;
                    let path = store.path.display();
                    warn!(
                        "could not save what was taken in '{path}': {}; it is tried again, and comes again after a crash",
                        reason(&error)
                    );
                }
                Err(_) => {}
            }
        }
    }
}
