//! What the daemon is told to do: a layer, validated once into a [`Config`] that has no impossible states.
//!
//! Checking opens nothing. It may ask the resolver for the names in `--listen`, because whether an address is public decides
//! whether it is allowed.

pub mod cat;
pub mod cli;
pub mod command;
pub mod feed;
pub mod healthcheck;
pub mod layer;
pub mod mapping;
pub mod said;
pub mod shaping;
pub mod source;
pub mod state;
pub mod title;
pub mod told;
pub mod value;
pub mod way;
pub mod world;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::time::Duration;

use crate::channel::Tail;
use crate::http::host::HostNames;
use crate::http::listener::{self, ListenError, ListenHost};
use crate::http::origin::Origins;
use crate::source::command::Command;
use crate::source::file::Hints;

use feed::Feed;
use layer::{Layer, LogFormat};
use source::Source;
use state::State;
use title::Title;
use world::{StdinKind, World};

/// The port where nobody says another.
const USUAL_PORT: u16 = 8080;

/// Memory for history where nobody says otherwise, in bytes.
const HISTORY: u64 = 64 << 20;

/// The least history: a few batches.
const LEAST_HISTORY: u64 = 256 << 10;

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

/// The most clients: more than a machine has descriptors.
const MOST_CLIENTS: usize = 1_000_000;

/// A configuration that can be run.
#[derive(Debug)]
pub struct Config {
    /// Where lines come from, at least one.
    pub feeds: Vec<Feed>,
    /// What standard input is, read or not.
    pub stdin: StdinKind,
    /// How files are followed.
    pub following: Following,
    /// Where clients connect.
    pub listen: Addresses,
    /// What a client gets that asks for nothing.
    pub tail: Tail,
    /// What retained batches may cost, in bytes.
    pub history: usize,
    /// What survives the daemon, if anything does.
    pub state: Option<State>,
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
    /// How long a rotated file is kept after it grew last.
    pub rotate_wait: Duration,
    /// Whether the kernel is asked for hints.
    pub hints: Hints,
}

/// Where clients connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Addresses {
    /// Both loopback addresses, as far as the machine has them, on this port.
    Loopback(u16),
    /// Exactly these.
    These(Vec<SocketAddr>),
    /// Those of sockets that were inherited.
    Inherited(Vec<SocketAddr>),
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
        self.commands().map(|command| command.manner.grace).max()
    }

    /// The commands that are run.
    pub fn commands(&self) -> impl Iterator<Item = &Command> {
        self.feeds.iter().filter_map(|feed| if let Source::Command { command, .. } = &feed.source { Some(command) } else { None })
    }

    /// Validates a layer.
    pub fn check(layer: &Layer, world: &World) -> Result<Self, ConfigError> {
        cli::check_no_subcommand(&layer.sources)?;
        let feeds = feed::feeds(layer, world)?;
        let history = layer.history.unwrap_or_else(|| default_history(world));
        if history < LEAST_HISTORY {
            return Err(invalid(format!("--history {} is too small", bytesize::ByteSize(history)), "it takes at least 256KiB"));
        }
        Ok(Self {
            listen: addresses(layer, world)?,
            tail: layer.tail.unwrap_or(Tail::Newest(10)),
            history: usize::try_from(history).map_err(|_| invalid("--history is too large for this machine", "say less"))?,
            state: State::check(layer, world)?,
            heartbeat: time_within("--heartbeat", layer.heartbeat.unwrap_or(Duration::from_secs(15)), HEARTBEAT)?,
            retry: time_within("--retry", layer.retry.unwrap_or(Duration::from_secs(2)), RETRY)?,
            max_clients: max_clients(layer.max_clients.unwrap_or(1000))?,
            write_timeout: time_within("--write-timeout", layer.write_timeout.unwrap_or(Duration::from_secs(600)), WRITE_TIMEOUT)?,
            stdin: world.stdin,
            following: following(layer)?,
            at_eof: at_eof(layer.exit_on_eof, &feeds)?,
            tee: copying(layer.tee == Some(true), &feeds)?,
            title: layer.title.clone().map_or_else(|| Title::usual(&feeds, world.hostname.as_deref()), Title::Said),
            hosts: hosts(layer, world)?,
            origins: origins(&layer.cors_origin)?,
            feeds,
        })
    }
}

fn following(layer: &Layer) -> Result<Following, ConfigError> {
    Ok(Following {
        rotate_wait: time_within("--rotate-wait", layer.rotate_wait.unwrap_or(Duration::from_secs(5)), ROTATE_WAIT)?,
        hints: if layer.poll == Some(true) { Hints::Off } else { Hints::Kernel },
    })
}

fn copying(is_asked: bool, feeds: &[Feed]) -> Result<Copying, ConfigError> {
    let has_stdin = feeds.iter().any(|feed| matches!(feed.source, Source::Stdin { .. }));
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

fn at_eof(patience: Option<Duration>, feeds: &[Feed]) -> Result<AtEof, ConfigError> {
    if patience.is_some() && !feeds.iter().any(|feed| feed.source.ends()) {
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

fn addresses(layer: &Layer, world: &World) -> Result<Addresses, ConfigError> {
    if !world.listeners.is_empty() {
        return inherited(layer, &world.listeners);
    }
    let port = layer.port.unwrap_or(USUAL_PORT);
    if layer.listen.is_empty() {
        return Ok(Addresses::Loopback(port));
    }
    let addresses = listener::resolve(&layer.listen, port)?;
    check_public(layer, &addresses, "put a proxy that asks who it is in front, and leave --listen out")?;
    Ok(Addresses::These(addresses))
}

/// Where to listen is said by whoever opened the sockets, and by nobody else.
fn inherited(layer: &Layer, addresses: &[SocketAddr]) -> Result<Addresses, ConfigError> {
    let said = if layer.listen.is_empty() { layer.port.map(|_| "--port") } else { Some("--listen") };
    if let Some(option) = said {
        let listed: Vec<_> = addresses.iter().map(ToString::to_string).collect();
        return Err(invalid(
            format!("{option} says where to listen, and so does the socket unit, which listens on {}", listed.join(" and ")),
            format!("leave {option} out; systemctl edit sse-bridge.socket changes where it listens"),
        ));
    }
    check_public(layer, addresses, "systemctl edit sse-bridge.socket changes where it listens")?;
    Ok(Addresses::Inherited(addresses.to_vec()))
}

/// Whether everybody may read who reaches these addresses.
fn check_public(layer: &Layer, addresses: &[SocketAddr], otherwise: &str) -> Result<(), ConfigError> {
    match addresses.iter().find(|address| !is_loopback(address)) {
        Some(public) if layer.allow_anonymous != Some(true) => Err(invalid(
            format!("refused to listen on {public}: everybody who reaches it could read"),
            format!("--allow-anonymous if that is meant; otherwise {otherwise}"),
        )),
        _ => Ok(()),
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
