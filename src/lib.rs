//! sse-bridge: lines in, a Server-Sent Events stream out.
//!
//! ```text
//!  stdin   pipe   file   command
//!      │ bytes
//!   source ▸ framing ▸ mapping ▸ shaping ▸ store ▸ channel ▸ http ▸ browser
//!            lines     events    events    ids     batches,  cursors
//!                                                  views
//! ```
//!
//! The modules stand in the data's order; [`pipeline`] shows the way of a line on one screen, [`source::file`] how files are
//! followed, [`source::command`] how commands are run, [`store::disk`] what survives; [`history`] tells what is there, [`cat`] reads it elsewhere, [`healthcheck`] asks whether it serves. The words are: a *source* gives
//! bytes, a *line* is what framing yields, an *event* is a line with its id, a *channel* is the named stream of one source, a
//! *batch* is what one read yields, a *view* is what a client subscribed to, a *cursor* is where it is in it, a *gap* is what it
//! can no longer get, a *life* is one unbroken numbering, a *sieve* is what a client asks of the events themselves.
//!
//! Five rules hold the house together:
//! 1. Input does not know output: `source` gives bytes; `http` sees [`channel::Channels`], and of `store` what it reads
//!    from the disk, never writes; neither names the other.
//! 2. `framing`, `mapping`, `shaping`, `event`, `sse` and the heart of `channel` know no tokio, no I/O and no clock.
//! 3. An event is encoded once. What goes out is shared memory.
//! 4. The store names events, and they are published in the order of their names.
//! 5. Only `daemon` starts long-lived tasks and sees the whole configuration.

pub mod source;

pub mod framing;

pub mod expression;

pub mod mapping;

pub mod shaping;

pub mod event;

pub mod sse;

pub mod batch;

pub mod pipeline;

pub mod store;

pub mod channel;

pub mod sieve;

pub mod http;

pub mod metrics;

pub mod errno;

pub mod pause;

pub mod clock;

pub mod pulse;

pub mod config;

pub mod history;

pub mod cat;

pub mod healthcheck;

pub mod daemon;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};
use tracing::{error, info, warn};

use config::Logging;
use config::cli::{Arguments, Command};
use config::said::variables;
use config::told::{Read, Told};
use config::world::World;
use daemon::exit::Fatal;
use daemon::inherited::Inherited;
use daemon::telemetry;

/// The whole program: arguments in, exit code out.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<_> = arguments.into_iter().collect();
    let parsed = Arguments::command().try_get_matches_from(&arguments);
    let (matches, arguments) = match parsed.and_then(|matches| Ok((matches.clone(), Arguments::from_arg_matches(&matches)?))) {
        Ok(parsed) => parsed,
        Err(error) if !error.use_stderr() => return print(&error),
        Err(error) => return refuse(&Fatal::usage(&error), Logging::guess(&arguments)),
    };
    if let Some(Command::History(asked)) = &arguments.command {
        return history::run(asked).unwrap_or_else(|error| refuse(&Fatal::no_history(&asked.directory, &error), Logging::usual()));
    }
    if let Some(Command::Cat(asked)) = &arguments.command {
        let logging = Logging { verbosity: -i8::try_from(asked.quiet).unwrap_or(i8::MAX), ..Logging::usual() };
        telemetry::start(logging);
        return cat::run(asked).unwrap_or_else(|error| refuse(&Fatal::no_cat(error), logging));
    }
    if let Some(Command::Healthcheck(asked)) = &arguments.command {
        let variables = variables::ours(std::env::vars_os());
        return healthcheck::run(asked, &variables).unwrap_or_else(|error| refuse(&Fatal::unwell(error), Logging::usual()));
    }
    // Before anything else is opened: they are known by their numbers.
    let inherited = match Inherited::take() {
        Ok(inherited) => inherited,
        Err(error) => return refuse(&Fatal::not_inherited(&error), Logging::usual()),
    };
    let (told, world) = (Told::new(arguments, matches), World { listeners: inherited.addresses(), ..World::look() });
    let Read { layer, config } = match told.read(&world) {
        Ok(read) => read,
        Err((error, logging)) => return refuse(&error.into(), logging),
    };
    let logging = Logging::of(&layer);
    telemetry::start(logging);
    for odd in variables::oddities(&world.variables) {
        warn!("{odd}");
    }
    if layer.check {
        info!("the configuration is good");
        return ExitCode::SUCCESS;
    }
    let told = if layer.config.is_empty() { None } else { Some(told) };
    daemon::run(config, told, logging, inherited)
}

/// `--help` and `--version`, for whoever asked.
fn print(text: &clap::Error) -> ExitCode {
    if text.print().is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn refuse(fatal: &Fatal, logging: Logging) -> ExitCode {
    telemetry::start(logging);
    error!("{}", fatal.line());
    fatal.code()
}
