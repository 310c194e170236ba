//! A channel as the index knows it.

use std::collections::VecDeque;
use std::sync::Arc;

use super::dropped::Dropped;
use super::index::ViewKey;
use crate::batch::Batch;
use crate::event::{ChannelName, Position};

/// A channel's place in the index. Keys grow and are never used again, also not by a channel of the same name.
pub type ChannelKey = u64;

/// A channel as the index knows it.
#[derive(Debug)]
pub struct ChannelState {
    /// Its name.
    pub name: ChannelName,
    /// Which of the sources that are told apart feeds it.
    pub source: Option<usize>,
    /// Whether it is there, or only its losses are remembered.
    pub presence: Presence,
    /// Whether more may come.
    pub life: ChannelLife,
    /// Whether its source can be read now.
    pub condition: Condition,
    /// How many events it has published.
    pub published: u64,
    /// The number of the last of them; 0 if none.
    pub last: u64,
    /// The number of its last old line, held or not; 0 if none. All its old lines are at or below it, all new ones above.
    pub old_through: u64,
    /// What it holds, oldest first.
    pub batches: VecDeque<Arc<Batch>>,
    /// What that costs, in bytes.
    pub held: usize,
    /// The last of its events that are not in memory any more and on the disk: up to it, all that is retained is there.
    pub archived: Option<Position>,
    /// What is not retained any more, neither here nor there.
    pub dropped: Dropped,
    /// The version of the newest state of its unfinished line.
    pub(super) progress: Option<u64>,
    /// The views that contain it.
    pub(super) views: Vec<ViewKey>,
}

/// Whether a channel is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It is.
    Living,
    /// It was forgotten. It holds nothing and is shown nowhere; what it has lost is still told.
    Ghost,
}

/// Whether a channel's source may still give lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelLife {
    /// It may.
    Open,
    /// It has none: its events were stored by an earlier run.
    Stored,
    /// It has ended for good; the last event is `end`.
    Ended(EndReason),
}

/// Why a source ended for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// Everything that was written has been read.
    Eof,
    /// It could not be read any more.
    Error,
    /// The last run of a command is over; this is its exit code, as a shell says it.
    Exited(i32),
    /// A command could not be started; this is the exit code that a shell would give, 126 or 127.
    NotStarted(i32),
}

impl EndReason {
    /// As `end` says it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Eof => "eof",
            Self::Error | Self::NotStarted(_) => "error",
            Self::Exited(_) => "exited",
        }
    }

    /// The exit code of a command; other sources have none.
    #[must_use]
    pub fn exit(self) -> Option<i32> {
        match self {
            Self::Exited(code) | Self::NotStarted(code) => Some(code),
            Self::Eof | Self::Error => None,
        }
    }
}

impl serde::Serialize for EndReason {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

/// Whether a source that has not ended can be read now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Condition {
    /// It can.
    #[default]
    Open,
    /// It is not there yet, or not there any more, which is no failure: why, in words, such as "no such file or directory".
    Waiting(String),
    /// It is there and cannot be read: why, in words, such as "permission denied". It is tried again.
    Failing(String),
}

impl ChannelState {
    /// A new channel, which the views contain.
    pub(super) fn new(name: ChannelName, views: Vec<ViewKey>) -> Self {
        Self {
            name,
            source: None,
            presence: Presence::Living,
            life: ChannelLife::Open,
            condition: Condition::Open,
            published: 0,
            last: 0,
            old_through: 0,
            batches: VecDeque::new(),
            held: 0,
            archived: None,
            dropped: Dropped::default(),
            progress: None,
            views,
        }
    }

    /// The number up to which its events are on the disk and not in memory; 0 if none are.
    #[must_use]
    pub fn archived_through(&self) -> u64 {
        self.archived.map_or(0, |last| last.number)
    }

    /// Whether it is there.
    #[must_use]
    pub fn is_living(&self) -> bool {
        self.presence == Presence::Living
    }

    /// Whether its source may still give lines.
    #[must_use]
    pub fn may_speak(&self) -> bool {
        self.is_living() && self.life == ChannelLife::Open
    }
}
