//! What there is, for people and monitors.

use std::sync::Arc;

use serde::Serialize;

use super::index::Index;
use super::state::{ChannelLife, ChannelState, Condition, EndReason};
use crate::batch::Batch;
use crate::event::{ChannelName, EventId, Position};

/// What there is.
#[derive(Debug, Serialize)]
pub struct Status {
    /// The newest event of all.
    pub newest: Position,
    /// What all retained batches cost, in bytes.
    pub history_bytes: usize,
    /// Events published since the daemon started, also of channels that are forgotten: it only grows.
    #[serde(skip)]
    pub published: u64,
    /// Events dropped since the daemon started, also of channels that are forgotten: it only grows.
    #[serde(skip)]
    pub dropped: u64,
    /// The sources that are told apart, in the order in which they are configured.
    #[serde(skip)]
    pub sources: Vec<Arc<str>>,
    /// Each channel that is there, in the order in which they were opened.
    pub channels: Vec<ChannelStatus>,
}

/// One channel for people and monitors.
#[derive(Debug, Serialize)]
pub struct ChannelStatus {
    /// Its name.
    pub name: ChannelName,
    /// Which of the sources that are told apart feeds it.
    #[serde(skip)]
    pub source: Option<usize>,
    /// What its source does.
    pub state: State,
    /// Why it is in that state, where there is something to say.
    pub reason: Option<String>,
    /// Whether that is a failure, which somebody should look at.
    #[serde(skip)]
    pub has_failed: bool,
    /// Events published since the daemon started.
    pub events: u64,
    /// Events no longer held.
    pub dropped: u64,
    /// Events still held.
    pub retained: u64,
    /// What they cost of the history, in bytes.
    pub retained_bytes: usize,
    /// The oldest event still held.
    pub oldest: Option<EventId>,
    /// The newest event still held.
    pub newest: Option<EventId>,
    /// Streams open on views that contain the channel.
    pub clients: usize,
}

/// What a channel's source does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It may give lines.
    Open,
    /// It is not there yet, or not any more, and may come.
    Waiting,
    /// It is there and cannot be read; it is tried again.
    Failing,
    /// There is none in this run: the channel was stored by an earlier one.
    Stored,
    /// It has ended for good.
    Ended,
}

impl Status {
    /// What an index holds.
    #[must_use]
    pub fn of(index: &Index) -> Self {
        Self {
            newest: index.newest(),
            history_bytes: index.held(),
            published: index.published(),
            dropped: index.dropped(),
            sources: index.sources.iter().map(|source| Arc::clone(&source.name)).collect(),
            channels: index.channels().map(|(key, channel)| ChannelStatus::of(channel, index.clients_of(key))).collect(),
        }
    }
}

impl ChannelStatus {
    fn of(channel: &ChannelState, clients: usize) -> Self {
        let (state, reason, has_failed) = match (&channel.life, &channel.condition) {
            (ChannelLife::Ended(reason), _) => (State::Ended, Some(shown(*reason)), is_failure(*reason)),
            (ChannelLife::Stored, _) => (State::Stored, None, false),
            (ChannelLife::Open, Condition::Open) => (State::Open, None, false),
            (ChannelLife::Open, Condition::Waiting(why)) => (State::Waiting, Some(why.clone()), false),
            (ChannelLife::Open, Condition::Failing(why)) => (State::Failing, Some(why.clone()), true),
        };
        Self {
            name: channel.name.clone(),
            source: channel.source,
            state,
            reason,
            has_failed,
            events: channel.published,
            dropped: channel.dropped.count(),
            retained: channel.published - channel.dropped.count(),
            retained_bytes: channel.held,
            oldest: channel.batches.front().map(|batch| id_of(batch, *batch.numbers().start())),
            newest: newest_of(channel),
            clients,
        }
    }
}

/// Why a source has ended, in words.
fn shown(reason: EndReason) -> String {
    match reason {
        EndReason::Exited(code) => format!("exit code {code}"),
        EndReason::NotStarted(code) => format!("could not be started (exit code {code})"),
        EndReason::Eof | EndReason::Error => reason.word().to_owned(),
    }
}

/// Whether somebody should look at it. What a command's exit code means, its user knows.
fn is_failure(reason: EndReason) -> bool {
    matches!(reason, EndReason::Error | EndReason::NotStarted(_))
}

/// The id of a channel's newest event that is still held.
pub(super) fn newest_of(channel: &ChannelState) -> Option<EventId> {
    let held = channel.batches.back().map(|batch| batch.last());
    let last = held.or(channel.archived)?;
    Some(EventId { position: last, channel: Some(channel.name.clone()) })
}

fn id_of(batch: &Batch, number: u64) -> EventId {
    EventId { position: Position { number, time: batch.time() }, channel: Some(batch.channel().clone()) }
}
