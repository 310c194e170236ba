//! `sse-bridge cat URL...`: streams for the shell, each line once and in order, through restarts of the daemon, lost networks and restarts of its own.
//!
//! ```text
//!  server ▸ wire ▸ reader ▸ outlet ▸ standard output, or a command
//!           bytes  events   blocks      │
//!                                       └▸ places ▸ memory     what was taken, and where the next run goes on
//! ```
//!
//! Pure are [`address`], [`answer`], [`block`], [`filtering`], [`notice`], [`pause`], [`place`], [`question`], [`reader`], [`shape`], [`sieve`] and [`silence`]: what is
//! asked, what an answer and an event mean, how it looks, how long is waited.
//!
//! What holds:
//! - a place moves on when the write of an event has returned, and is saved after that: nothing is skipped that the reader has not taken;
//! - what a stop finds half written is completed, or its rest is kept (`place::Part`), and the next run writes that first;
//! - nothing is read from the network while the reader has not taken what was read before: memory is bounded by an event and a block.
//!
//! | code | when |
//! | --- | --- |
//! | 0 | all streams have ended for good, or nobody reads the output any more |
//! | 2 | the command line |
//! | 3 | refused by a server, or no event stream; of several, when the others have ended |
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
pub mod filtering;
pub mod following;
pub mod memory;
pub mod notice;
pub mod outage;
pub mod outlet;
pub mod pause;
pub mod place;
pub mod places;
pub mod plan;
pub mod question;
pub mod reader;
pub mod saving;
pub mod shape;
pub mod sieve;
pub mod silence;
pub mod together;
pub mod token;
pub mod wire;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::config::ConfigError;
use crate::config::cat::Cat;
use crate::daemon::signals::{Request, Signals};
use broken::Broken;
use command::Running;
use memory::NoMemory;
use outlet::Outlet;
use plan::{Plan, Surroundings};
use saving::{Store, save_now_and_then};
use together::Together;

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

/// What ends everything.
#[derive(Debug)]
pub enum End {
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
    let store = plan.state.as_ref().map(|path| Store::open(path, &plan)).transpose()?;
    look_at_token(&plan);
    let (mut command, out) = match &plan.command {
        Some(command) => Running::start(command).map(|(running, out)| (Some(running), out)).map_err(Failed::Command)?,
        None => (None, standard_output().map_err(Failed::Start)?),
    };
    let outlet = Outlet::start(out).map_err(Failed::Start)?;
    let stop = CancellationToken::new();
    let mut streams = Together::new(plan, store.as_ref(), outlet.clone(), stop.clone());
    let saving = save_now_and_then(store.as_ref(), streams.places());
    streams.begin();
    let end = tokio::select! {
        end = streams.ended() => end,
        request = signals.next() => End::Signal(stopped_by(request)),
        code = ended(&mut command) => code.map_or_else(|error| End::Broken(Failed::Command(error)), End::Command),
        () = outlet.gone(), if command.is_none() => End::Gone,
        () = saving => unreachable!("saving never ends"),
    };
    stop.cancel();
    outlet.stop();
    // Each ends soon: what it waits for watches the stop, and a write has its grace.
    streams.join().await;
    let places = Arc::clone(streams.places());
    let refused = streams.code();
    // The output ends with the last way to it.
    drop(streams);
    outlet.close();
    let saved = store.map_or(Ok(()), |store| store.close(&places));
    let is_good_end = matches!(end, End::Streams | End::Command(_) | End::Gone);
    let code = code(end, command, &mut signals).await?;
    saved.map(|()| refused.filter(|_| is_good_end).unwrap_or(code))
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
