//! What is shared: channels, batches, views, cursors.
//!
//! [`Channels`] is the one thing that sources and clients have in common. A source holds a [`Channel`] and publishes batches;
//! a client holds a [`Subscriber`] and reads from its cursor to the newest event whenever its bell rings. Nobody queues
//! anything for a client: what it has not read stays in the history that everybody shares, or is dropped from it and told.
//!
//! The heart is `index`, pure and tested against a model; this file puts a lock and bells around it. The lock is held for
//! look-ups and counting only: bytes are shared, not copied, and encoded elsewhere.

mod dropped;
mod filter;
mod index;
mod opening;
mod order;
mod reading;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde::Serialize;
use tokio::sync::watch;

use crate::batch::Batch;
use crate::event::{ChannelName, EventId, Millis, Position};
use crate::sse;

pub use filter::Filter;
pub use index::{ChannelLife, EndReason, Index};
pub use opening::{Ask, Follow, Greeting, Opening, Start, Tail};
pub use reading::{Cursor, Gap, Reading, Reason};

use index::{ChannelKey, ViewKey};

/// All channels of the daemon. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Channels(Arc<Mutex<Shared>>);

#[derive(Debug)]
struct Shared {
    index: Index,
    /// One for each view: rung when it has news.
    bells: BTreeMap<ViewKey, watch::Sender<()>>,
}

impl Channels {
    /// No channels yet, and room for `history` bytes of batches; the life begins at `began`.
    #[must_use]
    pub fn new(history: usize, began: Millis) -> Self {
        Self(Arc::new(Mutex::new(Shared { index: Index::new(history, began), bells: BTreeMap::new() })))
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // Not a tokio mutex: nothing is awaited while it is held. A panic under it is a bug that ends its task; the index
        // is changed in steps that each leave it whole, so the others may go on.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The channel of this name, made if it is new.
    #[must_use]
    pub fn open(&self, name: ChannelName) -> Channel {
        let key = self.lock().index.open(&name);
        Channel { channels: self.clone(), key, name }
    }

    /// Whether a channel of this name, or one below it, exists.
    #[must_use]
    pub fn knows(&self, name: &ChannelName) -> bool {
        self.lock().index.knows(name)
    }

    /// Subscribes to a view. `None` if the client has everything and nothing more will ever come.
    #[must_use]
    pub fn subscribe(&self, filter: &Filter, ask: &Ask, now: Millis) -> Option<(Subscriber, Greeting)> {
        let mut shared = self.lock();
        let view = shared.index.join(filter);
        let bell = shared.bells.entry(view).or_insert_with(|| watch::Sender::new(())).subscribe();
        match shared.index.begin(view, ask, now) {
            Opening::Stream(cursor, greeting) => {
                drop(shared);
                Some((Subscriber { channels: self.clone(), view, cursor, bell }, greeting))
            }
            Opening::Over => {
                shared.leave(view);
                None
            }
        }
    }

    /// What there is, for people and monitors.
    #[must_use]
    pub fn status(&self) -> Status {
        let shared = self.lock();
        let channels = shared.index.channels().map(|(key, channel)| ChannelStatus {
            name: channel.name.clone(),
            state: match channel.life {
                ChannelLife::Open => "open",
                ChannelLife::Ended(_) => "ended",
            },
            reason: match channel.life {
                ChannelLife::Open => None,
                ChannelLife::Ended(reason) => Some(reason),
            },
            events: channel.published,
            dropped: channel.dropped.count(),
            retained: channel.published - channel.dropped.count(),
            retained_bytes: channel.held,
            oldest: channel.batches.front().map(|batch| id_of(batch, *batch.numbers().start())),
            newest: channel.batches.back().map(|batch| id_of(batch, *batch.numbers().end())),
            clients: shared.index.clients_of(key),
        });
        Status { newest: shared.index.newest(), history_bytes: shared.index.held(), channels: channels.collect() }
    }
}

fn id_of(batch: &Batch, number: u64) -> EventId {
    EventId { position: Position { number, time: batch.time() }, channel: Some(batch.channel().clone()) }
}

impl Shared {
    fn leave(&mut self, view: ViewKey) {
        if self.index.leave(view) {
            self.bells.remove(&view);
        }
    }

    fn ring(&self, channel: ChannelKey) {
        for bell in self.index.views_of(channel).iter().filter_map(|view| self.bells.get(view)) {
            bell.send_replace(());
        }
    }
}

/// A source's end of a channel.
#[derive(Debug, Clone)]
pub struct Channel {
    channels: Channels,
    key: ChannelKey,
    name: ChannelName,
}

/// What a progress event says.
#[derive(Debug, Serialize)]
struct Progress<'a> {
    channel: &'a ChannelName,
    text: &'a str,
}

impl Channel {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &ChannelName {
        &self.name
    }

    /// Publishes batches in one step. The caller holds the store's turn, so the numbers come in order.
    pub fn publish(&self, batches: Vec<Batch>, life: ChannelLife) {
        if batches.is_empty() && life == ChannelLife::Open {
            return;
        }
        let mut shared = self.channels.lock();
        for batch in batches {
            shared.index.publish(self.key, batch);
        }
        if let ChannelLife::Ended(reason) = life {
            shared.index.end(self.key, reason);
        }
        shared.ring(self.key);
    }

    /// Shows the newest state of the unfinished line.
    pub fn show_progress(&self, state: &[u8]) {
        let mut encoded = Vec::new();
        let text = String::from_utf8_lossy(state);
        sse::control(&mut encoded, None, "progress", &Progress { channel: &self.name, text: &text });
        let mut shared = self.channels.lock();
        shared.index.set_progress(self.key, encoded.into());
        shared.ring(self.key);
    }
}

/// A client's end of a view.
#[derive(Debug)]
pub struct Subscriber {
    channels: Channels,
    view: ViewKey,
    cursor: Cursor,
    bell: watch::Receiver<()>,
}

impl Subscriber {
    /// Reads on: at most `room` bytes of events, or one event if that is larger.
    pub fn read(&mut self, room: usize) -> Reading {
        // Before the look, so that a ring during it is heard by the next wait.
        self.bell.borrow_and_update();
        self.channels.lock().index.read(self.view, &mut self.cursor, room)
    }

    /// A piece of the event that was read last, which was larger than the room: at most `room` bytes from `offset`, in memory of
    /// their own, so that a client that does not take them holds no more. `None` if the event is no longer held.
    #[must_use]
    pub fn piece_of_last(&self, offset: usize, room: usize) -> Option<Bytes> {
        let shared = self.channels.lock();
        let event = shared.index.event_at(&self.cursor)?;
        let end = event.len().min(offset.saturating_add(room));
        Some(Bytes::copy_from_slice(&event[offset.min(end)..end]))
    }

    /// Waits for news of the view.
    pub async fn changed(&mut self) {
        // The bell outlives its subscribers, so there is no other result.
        let _ = self.bell.changed().await;
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.channels.lock().leave(self.view);
    }
}

/// What there is.
#[derive(Debug, Serialize)]
pub struct Status {
    /// The newest event of all.
    pub newest: Position,
    /// What all retained batches cost, in bytes.
    pub history_bytes: usize,
    /// Each channel.
    pub channels: Vec<ChannelStatus>,
}

/// One channel for people and monitors.
#[derive(Debug, Serialize)]
pub struct ChannelStatus {
    /// Its name.
    pub name: ChannelName,
    /// `open` or `ended`.
    pub state: &'static str,
    /// Why it is in that state, where there is something to say.
    pub reason: Option<EndReason>,
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
    /// The newest event.
    pub newest: Option<EventId>,
    /// Streams open on views that contain the channel.
    pub clients: usize,
}
