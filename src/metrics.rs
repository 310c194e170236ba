//! Counters: a plain struct of atomics. Everybody counts, `http::status` prints.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Counts `by` more.
    pub fn add(&self, by: u64) {
        self.0.fetch_add(by, Ordering::Relaxed);
    }

    /// The sum so far.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that goes up and down.
#[derive(Debug, Default)]
pub struct Gauge(AtomicI64);

impl Gauge {
    /// Moves it.
    pub fn add(&self, by: i64) {
        self.0.fetch_add(by, Ordering::Relaxed);
    }

    /// One higher, until what this returns is dropped.
    #[must_use]
    pub fn raise(&self) -> Raised<'_> {
        self.add(1);
        Raised(self)
    }

    /// Where it stands. Who looks while it moves may see it a little below what it stands for, but never below 0.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed).try_into().unwrap_or(0)
    }
}

/// A number that is one higher as long as this is there.
#[derive(Debug)]
pub struct Raised<'a>(&'a Gauge);

impl Drop for Raised<'_> {
    fn drop(&mut self) {
        self.0.add(-1);
    }
}

/// What the daemon has done since it started.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Bytes read from sources.
    pub input_bytes: Counter,
    /// Lines read from sources (a long line that became several counts as several).
    pub input_lines: Counter,
    /// Lines longer than `--max-line`.
    pub long_lines: Counter,
    /// Lines that are not of the `--format`.
    pub unmapped_lines: Counter,
    /// Types from data that are reserved or cannot be one.
    pub refused_types: Counter,
    /// Groups of lines longer than `--max-line`.
    pub cut_groups: Counter,
    /// Events of an event stream on the input that its end has cut, or which are longer than `--max-line`.
    pub cut_events: Counter,
    /// Lines of which `--redact` has replaced all the rest.
    pub hidden_rests: Counter,
    /// Events left out by `--match` and `--drop`.
    pub unwanted_events: Counter,
    /// Events left out by `--rate-limit`.
    pub limited_events: Counter,
    /// Times that something of a source was lost: truncations, files that could not be found any more, gaps of an event stream on the input.
    pub source_gaps: Counter,
    /// Times that a source could not be read.
    pub source_failures: Counter,
    /// Connections accepted.
    pub connections: Counter,
    /// Requests answered, of all kinds.
    pub requests: Counter,
    /// Streams opened.
    pub streams: Counter,
    /// Clients that have everything and wait for news.
    pub waiting: Gauge,
    /// Gaps told to clients: of events that were gone when they asked.
    pub gaps_dropped: Counter,
    /// Of events that went while they were connected and did not take them.
    pub gaps_slow: Counter,
    /// Of another life.
    pub gaps_restart: Counter,
    /// Events that these gaps told of, as far as they can be counted.
    pub lost_events: Counter,
    /// Bytes handed to streams.
    pub stream_bytes: Counter,
    /// Streams refused because the house was full.
    pub refused_busy: Counter,
    /// Requests refused for a foreign Host.
    pub refused_host: Counter,
    /// Requests refused for a foreign origin.
    pub refused_origin: Counter,
    /// Requests refused because nothing is there.
    pub refused_unknown: Counter,
    /// Requests refused because they make no sense.
    pub refused_malformed: Counter,
    /// Requests refused for their method.
    pub refused_method: Counter,
    /// Requests refused because they are longer than any that is answered.
    pub refused_large: Counter,
    /// Files of the history that turned out to be damaged, or unreadable.
    pub stored_damage: Counter,
    /// Connections cut because the peer did not take what it was sent.
    pub stalled: Counter,
    /// Times that a part of a batch was looked through for a sieve.
    pub sieve_scans: Counter,
    /// Bytes looked through for sieves.
    pub sieve_bytes: Counter,
    /// Streams refused because there were too many sieves.
    pub refused_sieves: Counter,
}
