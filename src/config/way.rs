//! The way of a source's lines, as it is said: of all sources, or of one alone.
//!
//! What is said of one source stands [over](WayLayer::over) what is said of all.
#![allow(clippy::doc_markdown, rustdoc::bare_urls, rustdoc::broken_intra_doc_links, reason = "the help is plain text")]

use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::command::MannerLayer;
use super::mapping::MappingLayer;
use super::shaping::ShapingLayer;
use super::value::{self, Flush};
use super::{ConfigError, YEAR, invalid, time_within, within};
use crate::mapping::EventType;
use crate::pipeline::middle::{MayFlush, Recipe};
use crate::source::file::Begin;

/// The bounds of `--max-line`, in bytes: a browser holds a line as one string.
const MAX_LINE: (u64, u64) = (16, 256 << 20);

/// The bounds of `--flush-partial`.
const FLUSH_PARTIAL: (Duration, Duration) = (Duration::from_millis(10), YEAR);

/// The rights of a pipe where nobody says otherwise: who may write to a log may write to it.
const FIFO_MODE: u32 = 0o620;

/// What is said of the way of lines.
#[derive(Debug, Clone, Default, PartialEq, Args)]
pub struct WayLayer {
    /// A longer line becomes several events [default: 1MiB]
    #[arg(long, value_name = "SIZE", value_parser = value::size)]
    pub max_line: Option<u64>,

    /// Where files begin that are there at the start: start, end, or -N for the last N lines in up to 256 KiB [default: -1000]
    #[arg(long, value_name = "PLACE", value_parser = value::begin, allow_hyphen_values = true)]
    pub from: Option<Begin>,

    /// When the unfinished line of a source that falls idle becomes an event: TIME or off [default: 1s for named pipes, off for others]
    #[arg(long, value_name = "TIME", value_parser = value::flush)]
    pub flush_partial: Option<Flush>,

    /// The rights of a pipe that fifo:PATH makes [default: 0620]
    #[arg(long, value_name = "MODE", value_parser = value::rights)]
    pub fifo_mode: Option<u32>,

    /// Delete the pipes of fifo:PATH at the end [default: they stay, and their writers wait]
    #[arg(long, num_args = 0..=1, require_equals = true, value_name = "no", default_missing_value = "yes", value_parser = value::switch)]
    pub fifo_remove: Option<bool>,

    /// What is said of commands.
    #[command(flatten)]
    pub manner: MannerLayer,

    /// The type of every event, for addEventListener(TYPE) [default: none, for onmessage]
    #[arg(long, value_name = "TYPE")]
    pub event_type: Option<EventType>,

    /// How lines become events.
    #[command(flatten)]
    pub mapping: MappingLayer,

    /// What becomes of events.
    #[command(flatten)]
    pub shaping: ShapingLayer,
}

/// The way of a source's lines.
#[derive(Debug, Clone)]
pub struct Way {
    /// Bytes up to which a line stays whole.
    pub max_line: usize,
    /// Where files begin that are there at the start.
    pub begin: Begin,
    /// After how long an unfinished line becomes an event.
    pub flush_partial: FlushPartial,
    /// Whether a pipe of `fifo:` is deleted at the end.
    pub fifo_at_end: FifoAtEnd,
    /// How lines become events.
    pub recipe: Arc<Recipe>,
}

/// When an unfinished line of an idle source becomes an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlushPartial {
    /// After a second for named pipes, whose writers may die inside a line; else when it ends.
    Usual,
    /// After this time.
    After(Duration),
    /// When it ends.
    Never,
}

/// What becomes of the pipe of `fifo:` when the daemon stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FifoAtEnd {
    /// It stays: writers wait for the next run.
    Stays,
    /// It is deleted.
    Removed,
}

impl WayLayer {
    /// These words, and where they say nothing those of `below`.
    #[must_use]
    pub fn over(self, below: &Self) -> Self {
        Self {
            max_line: self.max_line.or(below.max_line),
            from: self.from.or(below.from),
            flush_partial: self.flush_partial.or(below.flush_partial),
            fifo_mode: self.fifo_mode.or(below.fifo_mode),
            fifo_remove: self.fifo_remove.or(below.fifo_remove),
            manner: self.manner.over(&below.manner),
            event_type: self.event_type.or_else(|| below.event_type.clone()),
            mapping: self.mapping.over(&below.mapping),
            shaping: self.shaping.over(&below.shaping),
        }
    }

    /// What it means.
    pub(super) fn check(&self) -> Result<Way, ConfigError> {
        let max_line = within("--max-line", self.max_line.unwrap_or(1 << 20), MAX_LINE)?;
        let shaping = self.shaping.check()?;
        let recipe = Recipe { mapping: self.mapping.check(self.event_type.as_ref(), &shaping)?, shaping };
        Ok(Way {
            max_line: usize::try_from(max_line).map_err(|_| invalid("--max-line is too large for this machine", "say less"))?,
            begin: self.from.unwrap_or(Begin::Last(1000)),
            flush_partial: flush_partial(self.flush_partial, &recipe)?,
            fifo_at_end: if self.fifo_remove == Some(true) { FifoAtEnd::Removed } else { FifoAtEnd::Stays },
            recipe: Arc::new(recipe),
        })
    }

    /// The rights of a pipe that is made.
    pub(super) fn rights(&self) -> u32 {
        self.fifo_mode.unwrap_or(FIFO_MODE)
    }
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
