//! What the daemon is told to do: a layer, validated once into a [`Config`] that has no impossible states.
//!
//! Checking opens nothing. It may ask the resolver for the names in `--listen`, because whether an address is public decides
//! whether it is allowed.

pub mod cli;
pub mod value;
pub mod world;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::time::Duration;

use crate::channel::Tail;
use crate::event::{BadName, ChannelName};
use crate::http::host::HostNames;
use crate::http::listener::{self, ListenError, ListenHost};
use crate::http::origin::Origins;
use crate::mapping::EventType;

use cli::{Layer, LogFormat};
use world::{StdinKind, World};

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

/// The most clients: more than a machine has descriptors.
const MOST_CLIENTS: usize = 1_000_000;

/// A configuration that can be run.
#[derive(Debug)]
pub struct Config {
    /// The channel that standard input feeds.
    pub channel: ChannelName,
    /// Where clients connect.
    pub listen: Addresses,
    /// What a client gets that asks for nothing.
    pub tail: Tail,
    /// What retained batches may cost, in bytes.
    pub history: usize,
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
    /// The title of the page.
    pub title: String,
    /// Names that may stand in Host.
    pub hosts: HostNames,
    /// Pages of other origins that may read.
    pub origins: Origins,
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

fn invalid(what: impl Into<String>, hint: impl Into<String>) -> ConfigError {
    ConfigError::Invalid { what: what.into(), hint: hint.into() }
}

impl Config {
    /// Validates a layer.
    pub fn check(layer: &Layer, world: &World) -> Result<Self, ConfigError> {
        let channel = source(layer, world.stdin)?;
        let max_line = within("--max-line", layer.max_line.unwrap_or(1 << 20), MAX_LINE)?;
        let history = layer.history.unwrap_or_else(|| default_history(world));
        if history < LEAST_HISTORY {
            return Err(invalid(format!("--history {} is too small", bytesize::ByteSize(history)), "it takes at least 256KiB"));
        }
        Ok(Self {
            listen: addresses(layer)?,
            tail: layer.tail.unwrap_or(Tail::Newest(10)),
            history: usize::try_from(history).map_err(|_| invalid("--history is too large for this machine", "say less"))?,
            max_line: usize::try_from(max_line).map_err(|_| invalid("--max-line is too large for this machine", "say less"))?,
            heartbeat: time_within("--heartbeat", layer.heartbeat.unwrap_or(Duration::from_secs(15)), HEARTBEAT)?,
            retry: time_within("--retry", layer.retry.unwrap_or(Duration::from_secs(2)), RETRY)?,
            max_clients: max_clients(layer.max_clients.unwrap_or(1000))?,
            write_timeout: time_within("--write-timeout", layer.write_timeout.unwrap_or(Duration::from_secs(600)), WRITE_TIMEOUT)?,
            at_eof: at_eof(layer.exit_on_eof)?,
            tee: if layer.tee { Copying::ToStdout } else { Copying::Off },
            event_type: layer.event_type.clone(),
            title: layer.title.clone().unwrap_or_else(|| default_title(world, &channel)),
            hosts: hosts(layer, world)?,
            origins: origins(&layer.cors_origin)?,
            channel,
        })
    }
}

/// The one source there can be: standard input, said once or not at all.
fn source(layer: &Layer, stdin: StdinKind) -> Result<ChannelName, ConfigError> {
    let mut channels = Vec::new();
    for source in &layer.sources {
        let text = source.to_str().ok_or_else(|| invalid(format!("{} is not a source", source.display()), SOURCES))?;
        let name = source_name(text)?;
        if channels.contains(&name) && name != stdin_name() {
            return Err(invalid(format!("the name '{name}' is given twice"), "every channel has a name of its own"));
        }
        channels.push(name);
    }
    if channels.len() > 1 {
        return Err(invalid("standard input is given twice", "it can be read only once; give '-' once"));
    }
    match stdin {
        StdinKind::Terminal if channels.is_empty() => {
            Err(invalid("nothing to read: standard input is a terminal", "COMMAND | sse-bridge, or '-' to type the lines"))
        }
        StdinKind::Closed => Err(invalid("nothing to read: standard input is closed", "COMMAND | sse-bridge")),
        StdinKind::Directory => Err(invalid("nothing to read: standard input is a directory", "COMMAND | sse-bridge")),
        StdinKind::Terminal | StdinKind::Readable => Ok(channels.pop().unwrap_or_else(stdin_name)),
    }
}

const SOURCES: &str = "a source is '-' or 'stdin:' (standard input), with NAME= before it if its channel should have a name";

fn stdin_name() -> ChannelName {
    "stdin".parse().expect("'stdin' is a channel name")
}

/// `[NAME=]SOURCE`: what stands before the first `=` is a name only if it has no `:` and does not begin with `/`, `.` or `~`.
fn source_name(text: &str) -> Result<ChannelName, ConfigError> {
    let split = text.split_once('=').filter(|(name, _)| !name.contains(':') && !name.starts_with(['/', '.', '~']));
    let (name, spec) = split.map_or((None, text), |(name, spec)| (Some(name), spec));
    if !matches!(spec, "-" | "stdin:") {
        return Err(invalid(format!("could not use '{text}' as a source"), SOURCES));
    }
    let Some(name) = name else { return Ok(stdin_name()) };
    name.parse().map_err(|bad: BadName| invalid(format!("'{name}' is not a channel name: {bad}"), "such as web or web/access.log"))
}

fn default_history(world: &World) -> u64 {
    let quarter = world.memory_limit.map_or(HISTORY, |limit| limit / 4);
    HISTORY.min(quarter).max(LEAST_HISTORY)
}

fn default_title(world: &World, channel: &ChannelName) -> String {
    match &world.hostname {
        Some(host) => format!("{channel} on {host}"),
        None => channel.to_string(),
    }
}

fn max_clients(count: usize) -> Result<usize, ConfigError> {
    if count <= MOST_CLIENTS {
        return Ok(count);
    }
    Err(invalid(format!("--max-clients {count} is out of bounds"), format!("it takes 1 to {MOST_CLIENTS}")))
}

fn at_eof(patience: Option<Duration>) -> Result<AtEof, ConfigError> {
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
    let port = layer.port.unwrap_or(8080);
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

    /// What a layer says of messages; needed before the rest is checked.
    #[must_use]
    pub fn of(layer: &Layer) -> Self {
        let count = |count: u8| i8::try_from(count).unwrap_or(i8::MAX);
        Self { format: layer.log_format.unwrap_or_default(), verbosity: count(layer.verbose) - count(layer.quiet) }
    }
}
