//! What a client asks of the events themselves, beside their channels: expressions on the data, and types.
//!
//! A [`Recipe`] is what is asked, in its normal form. A [`Sieve`] is a recipe made ready, shared by all who ask the same; the [table](Sieves) has those
//! that are alive. A client's own part is small: its [`Context`], if it wants events around those that match.
//!
//! A sieve judges one event at a time, on the encoded bytes that everybody shares:
//! - *control events* of the stream (`gap`, `end`, `run`) always pass: who filters must know of what is missing as well;
//! - any other event *matches* if its type is one of those asked for, all expressions of `grep` are found in its data and none of `grep-v`. The data
//!   is what a client puts together: its `data:` lines joined by LF.
//!
//! A sieve knows no channels and is no part of a view: which channels a client may see, and which it wants, is the business of the view
//! (`channel::Filter`), and a client is sent what both leave. So a view has one order of batches, however many sieves its clients have.
//!
//! # What it may cost
//! Expressions are searched in linear time. An expression has at most [`MAX_EXPRESSION`] bytes and, made ready, about [`MAX_COMPILED`]; a recipe has at
//! most [`MAX_EXPRESSIONS`] with [`MAX_STATES`] together, so that a search has a bound for each byte; and all that are alive have [`table::MAX_SIEVES`] together. Whoever looks through events says when it is enough for now,
//! between any two events.
//!
//! What has been looked through is remembered for a moment: live events are looked through once, however many clients share the sieve.

mod context;
mod memo;
mod recipe;
pub mod table;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use memchr::memmem;
use regex::bytes::Regex;

use crate::metrics::Metrics;
use crate::sse;

pub use context::{Context, MAX_WITHHELD};
pub use recipe::{BadExpression, Case, MAX_COMPILED, MAX_CONTEXT, MAX_EXPRESSION, MAX_EXPRESSIONS, MAX_STATES, Recipe};
pub use table::{Crowded, Refusal, Sieves};

use memo::Memo;

/// Tells one sieve from all others that there have been.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SieveKey {
    /// Its number.
    pub number: u64,
    /// Whether it is quick whatever the events are: an event of a mebibyte takes it some ten milliseconds at most.
    pub is_light: bool,
}

/// A recipe, ready.
#[derive(Debug)]
pub struct Sieve {
    key: SieveKey,
    recipe: Recipe,
    must: Vec<Regex>,
    must_not: Vec<Regex>,
    memo: Mutex<Memo>,
    metrics: Arc<Metrics>,
}

/// What a sieve says of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is what was asked for.
    Match,
    /// It passes whatever is asked for.
    Control,
    /// It is left out.
    Miss,
}

/// Events that passed: a range of bytes that holds nothing else, all with one verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Where the first begins.
    pub start: usize,
    /// Where the last ends.
    pub end: usize,
    /// Of each of them; never [`Verdict::Miss`].
    pub verdict: Verdict,
}

/// What a look through encoded events has found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sifted {
    /// What passed, in order.
    pub runs: Vec<Run>,
    /// Where the last event begins that passed, if any did.
    pub last: Option<usize>,
    /// How many bytes were looked through: whole events. All, unless it was enough before.
    pub looked: usize,
}

impl Sieve {
    /// Makes a recipe ready.
    ///
    /// # Errors
    /// An expression is not one, or too large.
    pub fn new(number: u64, recipe: Recipe, metrics: Arc<Metrics>) -> Result<Self, BadExpression> {
        let mut states = 0;
        let mut ready = |name: &'static str, expressions: &[String]| {
            let ready = |text: &String| recipe::ready(name, text, recipe.case, &mut states);
            expressions.iter().map(ready).collect::<Result<Vec<_>, _>>()
        };
        let (must, must_not) = (ready("grep", &recipe.must)?, ready("grep-v", &recipe.must_not)?);
        let key = SieveKey { number, is_light: states <= recipe::LIGHT_STATES };
        Ok(Self { key, recipe, must, must_not, memo: Mutex::default(), metrics })
    }

    /// Which it is.
    #[must_use]
    pub fn key(&self) -> SieveKey {
        self.key
    }

    /// Judges one encoded event. `room` is memory that is used for data of several lines.
    #[must_use]
    pub fn judge(&self, event: &[u8], room: &mut Vec<u8>) -> Verdict {
        let kind = sse::kind_of(event);
        if kind.is_some_and(sse::is_reserved) {
            return Verdict::Control;
        }
        let is_wanted =
            self.recipe.types.is_empty() || self.recipe.types.iter().any(|wanted| wanted.as_bytes() == kind.unwrap_or(b""));
        if !is_wanted {
            return Verdict::Miss;
        }
        let data = sse::data_of(event, room);
        let is_match = self.must.iter().all(|expression| expression.is_match(data))
            && !self.must_not.iter().any(|expression| expression.is_match(data));
        if is_match { Verdict::Match } else { Verdict::Miss }
    }

    /// So many bytes were judged one by one.
    pub fn count(&self, bytes: usize) {
        self.metrics.sieve_bytes.add(bytes as u64);
    }

    /// Looks through encoded events, from the beginning, at least one, until all are seen or it `is_enough` after so many bytes.
    #[must_use]
    pub fn sift(&self, encoded: &[u8], mut is_enough: impl FnMut(usize) -> bool) -> Sifted {
        let (mut sifted, mut room) = (Sifted::default(), Vec::new());
        let ends = memmem::find_iter(encoded, b"\n\n").map(|end| end + 2);
        for end in ends {
            let start = sifted.looked;
            sifted.looked = end;
            match self.judge(&encoded[start..end], &mut room) {
                Verdict::Miss => {}
                verdict => sifted.add(Run { start, end, verdict }),
            }
            if end < encoded.len() && is_enough(end) {
                break;
            }
        }
        self.metrics.sieve_scans.add(1);
        self.metrics.sieve_bytes.add(sifted.looked as u64);
        sifted
    }

    /// The same for a part of a batch, once for all who ask for it soon: others wait for whoever looks through it.
    #[must_use]
    pub fn sift_shared(&self, part: &Bytes, is_enough: impl FnMut(usize) -> bool) -> Arc<Sifted> {
        // The numbers of a part of a batch follow each other, so the first and the length say which part it is.
        let Some(first) = sse::position_of(part) else { return Arc::new(self.sift(part, is_enough)) };
        let key = (first.number, part.len());
        // Whoever panics while it looks has not added anything.
        let mut memo = self.memo.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sifted) = memo.get(key) {
            return sifted;
        }
        let sifted = Arc::new(self.sift(part, is_enough));
        if sifted.looked == part.len() {
            memo.add(key, &sifted);
        }
        sifted
    }
}

impl Sifted {
    fn add(&mut self, run: Run) {
        self.last = Some(run.start);
        match self.runs.last_mut() {
            Some(last) if last.end == run.start && last.verdict == run.verdict => last.end = run.end,
            _ => self.runs.push(run),
        }
    }

    /// The events that passed, of those that were looked through: memory that is shared where they stand together, and a copy where they do not.
    #[must_use]
    pub fn passed(&self, looked_through: &Bytes) -> Option<Bytes> {
        let (first, last) = (self.runs.first()?, self.runs.last()?);
        let stand_together = self.runs.windows(2).all(|pair| pair[0].end == pair[1].start);
        if stand_together {
            return Some(looked_through.slice(first.start..last.end));
        }
        let mut passed = Vec::with_capacity(self.runs.iter().map(|run| run.end - run.start).sum());
        self.runs.iter().for_each(|run| passed.extend_from_slice(&looked_through[run.start..run.end]));
        Some(passed.into())
    }

    /// Each event that was looked through, with what was said of it.
    pub fn each<'a>(&'a self, looked_through: &'a Bytes) -> impl Iterator<Item = (Bytes, Verdict)> + 'a {
        let (mut start, mut runs) = (0, self.runs.iter().peekable());
        std::iter::from_fn(move || {
            if start >= self.looked {
                return None;
            }
            let event = looked_through.slice(start..start + sse::length_of(&looked_through[start..], 1));
            while runs.peek().is_some_and(|run| run.end <= start) {
                runs.next();
            }
            let verdict = runs.peek().filter(|run| run.start <= start).map_or(Verdict::Miss, |run| run.verdict);
            start += event.len();
            Some((event, verdict))
        })
    }
}
