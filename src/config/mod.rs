//! What the daemon is told to do: a layer, validated once into a [`Config`] that has no impossible states.
//!
//! Checking opens nothing. It may ask the resolver for the names in `--listen`, because whether an address is public decides
//! whether it is allowed.

pub mod cat;
pub mod cli;
pub mod command;
pub mod layer;
pub mod mapping;
pub mod shaping;
pub mod source;
pub mod state;
pub mod title;
pub mod value;
pub mod world;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::channel::Tail;
use crate::http::host::HostNames;
use crate::http::listener::{self, ListenError, ListenHost};
use crate::http::origin::Origins;
use crate::mapping::EventType;
use crate::pipeline::middle::{MayFlush, Recipe};
use crate::source::file::{Begin, Hints};

use command::Commands;
use layer::{Layer, LogFormat};
use source::Source;
use state::State;
use title::Title;
use value::Flush;
use world::{StdinKind, World};

/// The port where nobody says another.
const USUAL_PORT: u16 = 8080;

/// Memory for history where nobody says otherwise, in bytes.
const HISTORY: u64 = 64 << 20;

/// The least history: a few batches.
const LEAST_HISTORY: u64 = 256 << 10;

/// The bounds of `--max-line`, in bytes: a browser holds a line as one string.
const MAX_LINE: (u64, u64) = (16, 256 << 20);

/// The bounds of `--retry`: Firefox does not come back sooner, and a day is for ever.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(86_400));

/// The bounds of `--heartbeat`.
const HEARTBEAT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(3600));

/// As good as for ever, and no overflow.
const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// The bounds of `--write-timeout`.
const WRITE_TIMEOUT: (Duration, Duration) = (Duration::from_secs(1), YEAR);

/// The bounds of `--exit-on-eof`.
const EXIT_ON_EOF: (Duration, Duration) = (Duration::ZERO, YEAR);

/// The bounds of `--rotate-wait`: an open file that was deleted keeps its space on the disk.
const ROTATE_WAIT: (Duration, Duration) = (Duration::ZERO, Duration::from_secs(3600));

/// The bounds of `--flush-partial`.
const FLUSH_PARTIAL: (Duration, Duration) = (Duration::from_millis(10), YEAR);

/// The most clients: more than a machine has descriptors.
const MOST_CLIENTS: usize = 1_000_000;

/// A configuration that can be run.
#[derive(Debug)]
pub struct Config {
    /// Where lines come from, at least one.
    pub sources: Vec<Source>,
    /// What standard input is, read or not.
    pub stdin: StdinKind,
    /// How files are followed.
    pub following: Following,
    /// After how long an unfinished line becomes an event.
    pub flush_partial: FlushPartial,
    /// Whether the pipes of `fifo:` are deleted at the end.
    pub fifo_at_end: FifoAtEnd,
    /// Where clients connect.
    pub listen: Addresses,
    /// What a client gets that asks for nothing.
    pub tail: Tail,
    /// What retained batches may cost, in bytes.
    pub history: usize,
    /// What survives the daemon, if anything does.
    pub state: Option<State>,
    /// Bytes up to which a line stays whole.
    pub max_line: usize,
    /// Silence after which a stream gives a sign of life.
    pub heartbeat: Duration,
    /// When browsers come back.
    pub retry: Duration,
    /// Streams that may be open at once.
    pub max_clients: usize,
    /// After how long a peer that takes nothing is cut.
    pub write_timeout: Duration,
    /// What happens when the input has ended.
    pub at_eof: AtEof,
    /// Whether the input goes to standard output as well.
    pub tee: Copying,
    /// The type of every event.
    pub event_type: Option<EventType>,
    /// How lines become events.
    pub recipe: Arc<Recipe>,
    /// The title of the page.
    pub title: Title,
    /// Names that may stand in Host.
    pub hosts: HostNames,
    /// Pages of other origins that may read.
    pub origins: Origins,
}

/// How files are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Following {
    /// Where files begin that are there at the start.
    pub begin: Begin,
    /// How long a rotated file is kept after it grew last.
    pub rotate_wait: Duration,
    /// Whether the kernel is asked for hints.
    pub hints: Hints,
}

/// When an unfinished line of an idle source becomes an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlushPartial {
    /// After a second for named pipes, whose writers may die inside a line; else when it ends.
    Usual,
    /// After this time, for all sources.
    After(Duration),
    /// When it ends.
    Never,
}

/// What becomes of the pipes of `fifo:` when the daemon stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FifoAtEnd {
    /// They stay: writers wait for the next run.
    Stays,
    /// They are deleted.
    Removed,
}

/// Where clients connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Addresses {
    /// Both loopback addresses, as far as the machine has them, on this port.
    Loopback(u16),
    /// Exactly these.
    These(Vec<SocketAddr>),
}

/// What happens when the input has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtEof {
    /// The daemon goes on serving what it holds.
    Serve,
    /// It stops when clients have got everything, after this time at most.
    Stop(Duration),
}

/// What becomes of the input beside events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copying {
    /// Nothing.
    Off,
    /// Its bytes go to standard output.
    ToStdout,
}

/// Why a configuration cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Only time can cure it: a name without an address today.
    #[error(transparent)]
    Resolve(#[from] ListenError),
    /// Time cannot cure it.
    #[error("{what}")]
    Invalid {
        /// What is wrong, with what.
        what: String,
        /// What would be right.
        hint: String,
    },
}

pub(crate) fn invalid(what: impl Into<String>, hint: impl Into<String>) -> ConfigError {
    ConfigError::Invalid { what: what.into(), hint: hint.into() }
}

impl Config {
    /// How long commands may take to end; none if there are none.
    #[must_use]
    pub fn grace(&self) -> Option<Duration> {
        let grace = |source: &Source| if let Source::Command { command, .. } = source { Some(command.manner.grace) } else { None };
        self.sources.iter().filter_map(grace).max()
    }

    /// Validates a layer.
    pub fn check(layer: &Layer, world: &World) -> Result<Self, ConfigError> {
        cli::check_no_subcommand(&layer.sources)?;
        let commands = Commands::check(&layer.commands)?;
        let sources = source::sources(&layer.sources, world, layer.fifo_mode.unwrap_or(0o620), &commands)?;
        command::check_beside(&layer.commands, &sources, world.stdin)?;
        let max_line = within("--max-line", layer.max_line.unwrap_or(1 << 20), MAX_LINE)?;
        let recipe = recipe(layer)?;
        let history = layer.history.unwrap_or_else(|| default_history(world));
        if history < LEAST_HISTORY {
            return Err(invalid(format!("--history {} is too small", bytesize::ByteSize(history)), "it takes at least 256KiB"));
        }
        Ok(Self {
            listen: addresses(layer)?,
            tail: layer.tail.unwrap_or(Tail::Newest(10)),
            history: usize::try_from(history).map_err(|_| invalid("--history is too large for this machine", "say less"))?,
            state: State::check(layer, world)?,
            max_line: usize::try_from(max_line).map_err(|_| invalid("--max-line is too large for this machine", "say less"))?,
            heartbeat: time_within("--heartbeat", layer.heartbeat.unwrap_or(Duration::from_secs(15)), HEARTBEAT)?,
            retry: time_within("--retry", layer.retry.unwrap_or(Duration::from_secs(2)), RETRY)?,
            max_clients: max_clients(layer.max_clients.unwrap_or(1000))?,
            write_timeout: time_within("--write-timeout", layer.write_timeout.unwrap_or(Duration::from_secs(600)), WRITE_TIMEOUT)?,
            stdin: world.stdin,
            following: following(layer)?,
            flush_partial: flush_partial(layer.flush_partial, &recipe)?,
            fifo_at_end: if layer.fifo_remove { FifoAtEnd::Removed } else { FifoAtEnd::Stays },
            at_eof: at_eof(layer.exit_on_eof, &sources)?,
            tee: copying(layer.tee, &sources)?,
            event_type: layer.event_type.clone(),
            recipe,
            title: layer.title.clone().map_or_else(|| Title::usual(&sources, world.hostname.as_deref()), Title::Said),
            hosts: hosts(layer, world)?,
            origins: origins(&layer.cors_origin)?,
            sources,
        })
    }
}

fn recipe(layer: &Layer) -> Result<Arc<Recipe>, ConfigError> {
    let shaping = layer.shaping.check()?;
    Ok(Arc::new(Recipe { mapping: layer.mapping.check(layer.event_type.as_ref(), &shaping)?, shaping }))
}

fn following(layer: &Layer) -> Result<Following, ConfigError> {
    Ok(Following {
        begin: layer.from.unwrap_or(Begin::Last(1000)),
        rotate_wait: time_within("--rotate-wait", layer.rotate_wait.unwrap_or(Duration::from_secs(5)), ROTATE_WAIT)?,
        hints: if layer.poll { Hints::Off } else { Hints::Kernel },
    })
}

fn flush_partial(patience: Option<Flush>, recipe: &Recipe) -> Result<FlushPartial, ConfigError> {
    if patience.is_some() && recipe.may_flush() == MayFlush::Never {
        return Err(invalid(
            "--flush-partial is about unfinished lines, and an event stream has none",
            "leave it out with --format sse",
        ));
    }
    Ok(match patience {
        None => FlushPartial::Usual,
        Some(Flush::Off) => FlushPartial::Never,
        Some(Flush::After(time)) => FlushPartial::After(time_within("--flush-partial", time, FLUSH_PARTIAL)?),
    })
}

fn copying(is_asked: bool, sources: &[Source]) -> Result<Copying, ConfigError> {
    let has_stdin = sources.iter().any(|source| matches!(source, Source::Stdin { .. }));
    match is_asked {
        true if has_stdin => Ok(Copying::ToStdout),
        true => Err(invalid("--tee copies standard input, which is not read", "add '-' to the sources, or leave --tee out")),
        false => Ok(Copying::Off),
    }
}

fn default_history(world: &World) -> u64 {
    let quarter = world.memory_limit.map_or(HISTORY, |limit| limit / 4);
    HISTORY.min(quarter).max(LEAST_HISTORY)
}

fn max_clients(count: usize) -> Result<usize, ConfigError> {
    if count <= MOST_CLIENTS {
        return Ok(count);
    }
    Err(invalid(format!("--max-clients {count} is out of bounds"), format!("it takes 1 to {MOST_CLIENTS}")))
}

fn at_eof(patience: Option<Duration>, sources: &[Source]) -> Result<AtEof, ConfigError> {
    if patience.is_some() && !sources.iter().any(Source::ends) {
        return Err(invalid(
            "--exit-on-eof waits for the end of a source, and none of these ends",
            "add '-' or a command that is not always restarted, or leave it out; Ctrl-C stops",
        ));
    }
    let patience = patience.map(|patience| time_within("--exit-on-eof", patience, EXIT_ON_EOF)).transpose()?;
    Ok(patience.map_or(AtEof::Serve, AtEof::Stop))
}

fn within(name: &str, value: u64, (least, most): (u64, u64)) -> Result<u64, ConfigError> {
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    let bounds = format!("it takes {} to {}", bytesize::ByteSize(least), bytesize::ByteSize(most));
    Err(invalid(format!("{name} {} is out of bounds", bytesize::ByteSize(value)), bounds))
}

fn time_within(name: &str, value: Duration, (least, most): (Duration, Duration)) -> Result<Duration, ConfigError> {
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    Err(invalid(format!("{name} {value:?} is out of bounds"), format!("it takes {least:?} to {most:?}")))
}

fn addresses(layer: &Layer) -> Result<Addresses, ConfigError> {
    let port = layer.port.unwrap_or(USUAL_PORT);
    if layer.listen.is_empty() {
        return Ok(Addresses::Loopback(port));
    }
    let addresses = listener::resolve(&layer.listen, port)?;
    match addresses.iter().find(|address| !is_loopback(address)) {
        Some(public) if !layer.allow_anonymous => Err(invalid(
            format!("refused to listen on {public}: everybody who reaches it could read"),
            "--allow-anonymous if that is meant; otherwise leave --listen out and put a proxy that asks who it is in front",
        )),
        _ => Ok(Addresses::These(addresses)),
    }
}

fn is_loopback(address: &SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

fn hosts(layer: &Layer, world: &World) -> Result<HostNames, ConfigError> {
    let mut allowed = layer.allow_host.clone();
    for name in &allowed {
        let bare = name.strip_prefix('.').unwrap_or(name);
        let is_host = !bare.is_empty() && bare.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
        if name != "*" && !is_host {
            return Err(invalid(
                format!("'{name}' is not a host name for --allow-host"),
                "NAME, .NAME for all below it, or *; without a port",
            ));
        }
    }
    allowed.extend(layer.listen.iter().filter_map(|listen| match &listen.host {
        ListenHost::Name(name) => Some(name.clone()),
        ListenHost::Ip(_) => None,
    }));
    Ok(HostNames::new(world.hostname.as_deref(), &allowed))
}

fn origins(texts: &[String]) -> Result<Origins, ConfigError> {
    let mut origins = Origins::default();
    for text in texts {
        let authority = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let is_origin =
            authority.is_some_and(|a| !a.is_empty() && a.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b)));
        match text.as_str() {
            "*" => origins.any = true,
            _ if is_origin || text == "null" => origins.exact.push(text.to_ascii_lowercase()),
            _ => {
                return Err(invalid(
                    format!("'{text}' is not an origin for --cors-origin"),
                    "https://example.com (scheme, host, port if it is not the scheme's; no path), or *",
                ));
            }
        }
    }
    Ok(origins)
}

/// How messages look, and which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Logging {
    /// Their form.
    pub format: LogFormat,
    /// How many: 0 is usual, above says more, below less.
    pub verbosity: i8,
}

impl Logging {
    /// What a command line that cannot be read seems to say of messages: whoever reads JSON wants to read its error as well.
    #[must_use]
    pub fn guess(arguments: &[OsString]) -> Self {
        let is_json = |pair: &[OsString]| pair[0] == "--log-format" && pair[1] == "json";
        let wants_json = arguments.windows(2).any(is_json) || arguments.iter().any(|argument| argument == "--log-format=json");
        Self { format: if wants_json { LogFormat::Json } else { LogFormat::Text }, verbosity: 0 }
    }

    /// As nobody says otherwise.
    #[must_use]
    pub fn usual() -> Self {
        Self { format: LogFormat::Text, verbosity: 0 }
    }

    /// What a layer says of messages; needed before the rest is checked.
    #[must_use]
    pub fn of(layer: &Layer) -> Self {
        let count = |count: u8| i8::try_from(count).unwrap_or(i8::MAX);
        Self { format: layer.log_format.unwrap_or_default(), verbosity: count(layer.verbose) - count(layer.quiet) }
    }
}
