//! Messages on standard error: lines for people, or JSON; or, where it is the journal, entries with their priorities and fields. Nobody else writes there.

use std::fmt;
use std::io;
use std::sync::OnceLock;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::prelude::*;
use tracing_subscriber::registry::{LookupSpan, Registry};
use tracing_subscriber::reload;

use super::journal;
use crate::config::Logging;
use crate::config::layer::LogFormat;

/// Messages of this target are never hidden: where the daemon listens.
pub const READY: &str = "ready";

/// Changes which messages are written.
static SHOWN: OnceLock<reload::Handle<Targets, Registry>> = OnceLock::new();

/// Which messages are written.
fn shown_at(logging: Logging) -> Targets {
    let level = match logging.verbosity {
        ..=-2 => LevelFilter::ERROR,
        -1 => LevelFilter::WARN,
        0 => LevelFilter::INFO,
        1 => LevelFilter::DEBUG,
        2.. => LevelFilter::TRACE,
    };
    Targets::new().with_default(level).with_target(READY, LevelFilter::INFO)
}

/// Writes more or fewer messages from now on; their form stays.
pub fn change(logging: Logging) {
    if let Some(handle) = SHOWN.get() {
        // Fails only if nobody writes messages any more.
        let _ = handle.reload(shown_at(logging));
    }
}

/// Begins to write messages, once in the life of the process.
pub fn start(logging: Logging) {
    // Nobody may be there to read; that is no reason to complain on the same descriptor.
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr).log_internal_errors(false);
    let lines = match logging.format {
        LogFormat::Text => match journal::layer() {
            Some(journal) => journal.boxed(),
            None => lines.event_format(Lines).boxed(),
        },
        LogFormat::Json => lines.json().with_target(false).flatten_event(true).boxed(),
    };
    let (shown, handle) = reload::Layer::new(shown_at(logging));
    // Fails only if it was called before, and then messages are written already.
    if tracing_subscriber::registry().with(shown).with(lines).try_init().is_ok() {
        let _ = SHOWN.set(handle);
    }
}

/// One line a message: what is usual stands as it is, the rest says what it is.
struct Lines;

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let what = match *event.metadata().level() {
            Level::ERROR => "sse-bridge: ",
            Level::WARN => "warning: ",
            Level::INFO => "",
            Level::DEBUG => "debug: ",
            Level::TRACE => "trace: ",
        };
        let mut line = Line::default();
        event.record(&mut line);
        writeln!(writer, "{what}{}{}", line.message, line.fields)
    }
}

/// The parts of a message. Control characters are shown escaped: names in it may come from anybody.
#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text: String = format!("{value:?}").chars().flat_map(shown).collect();
        if field.name() == "message" {
            self.message = text;
        } else {
            self.fields.extend([" ", field.name(), "=", &text]);
        }
    }
}

fn shown(c: char) -> impl Iterator<Item = char> {
    let (escaped, plain) = if c.is_control() { (Some(c.escape_default()), None) } else { (None, Some(c)) };
    escaped.into_iter().flatten().chain(plain)
}
