//! What is shared: channels, batches, views, cursors.
//!
//! [`Channels`] is the one thing that sources and clients have in common. A source holds a [`Channel`] and publishes batches;
//! a client holds a [`Subscriber`] and reads from its cursor to the newest event whenever its bell rings. Nobody queues
//! anything for a client: what it has not read stays in the history that everybody shares, or is dropped from it and told.
//! With a state directory what has left the memory is on the disk, and the subscriber says which part to read from there.
//!
//! The heart is `index`, pure and tested against a model; this file puts a lock and bells around it. The lock is held for
//! look-ups and counting only: bytes are shared, not copied, and encoded elsewhere.

mod archived;
mod bell;
mod beside;
mod dropped;
mod expected;
mod filter;
mod index;
mod opening;
mod order;
mod reading;
mod roster;
mod state;
mod status;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::batch::Batch;
use crate::event::{ChannelName, EventId, Millis, Position};
use crate::sse;
use bytes::Bytes;
use serde::Serialize;

pub use archived::{Answers, Archived, Around, Question, Stored};
pub use bell::{Doorbell, Ears, Listener};
pub use beside::Beside;
pub use dropped::{Counted, Loss};
pub use expected::{Expected, Glob, Segment};
pub use filter::Filter;
pub use index::{Index, ViewKey};
pub use opening::{Ask, Follow, Greeting, Opening, Start, Tail};
pub use order::Ages;
pub use reading::{Cursor, Gap, Reading, Reason};
pub use roster::Fed;
pub use state::{ChannelLife, Condition, EndReason};
pub use status::{ChannelStatus, State, Status};

use bell::Bell;
use state::ChannelKey;

/// All channels of the daemon. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Channels(Arc<Mutex<Shared>>);

#[derive(Debug)]
struct Shared {
    index: Index,
    /// One for each view: rung when it has news.
    bells: BTreeMap<ViewKey, Bell>,
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

    /// The channel of this name, made if it is new, brought back if it was forgotten.
    #[must_use]
    pub fn open(&self, name: ChannelName) -> Channel {
        self.lock().index.open(&name);
        Channel { channels: self.clone(), name }
    }

    /// Sources may yield channels of these names, now or later, and of no others: whoever asks for one waits, and no view that could contain one
    /// is ever finished. Also a single file expects its name, so that it is waited for when it was forgotten.
    pub fn expect(&self, expected: Vec<Expected>) {
        self.lock().index.expect(expected);
    }

    /// Monitors tell these sources apart from now on.
    pub fn tell_apart(&self, sources: Vec<Fed>) {
        self.lock().index.tell_apart(sources);
    }

    /// What all retained batches may cost, in bytes, from the next one on.
    pub fn set_history(&self, history: usize) {
        self.lock().index.set_history(history);
    }

    /// Whether a channel of this name, or one below it, is there or could come.
    #[must_use]
    pub fn knows(&self, name: &ChannelName) -> bool {
        self.lock().index.knows(name)
    }

    /// Goes on where an earlier run has ended; see [`Index::go_on`].
    pub fn go_on(&self, newest: Position, floor: Option<Position>, stored: &BTreeMap<ChannelName, Stored>) {
        let index = &mut self.lock().index;
        index.go_on(newest, floor);
        for (name, stored) in stored {
            index.restore(name, stored);
        }
    }

    /// The disk has let go the oldest events that it had of a channel.
    pub fn let_go(&self, name: &ChannelName, loss: Loss) {
        self.lock().index.let_go(name, loss);
    }

    /// The disk has lost some events of a channel; `left` is the last that it has.
    pub fn lose_on_disk(&self, name: &ChannelName, loss: Loss, left: Option<Position>) {
        self.lock().index.lose_on_disk(name, loss, left);
    }

    /// Forgets a channel if it was stored by an earlier run and nobody feeds it; whether it was.
    #[must_use]
    pub fn retire_unfed(&self, name: &ChannelName) -> bool {
        let index = &mut self.lock().index;
        let unfed = index.find(name).filter(|key| index.channel(*key).life == ChannelLife::Stored);
        unfed.inspect(|key| index.retire(*key)).is_some()
    }

    /// Subscribes to a view, with what the disk has been asked for so far.
    #[must_use]
    pub fn subscribe(&self, filter: &Filter, ask: &Ask, now: Millis, answers: &Answers) -> Subscription {
        let mut shared = self.lock();
        let view = shared.index.join(filter);
        shared.bells.entry(view).or_insert_with(Bell::new);
        let opening = shared.index.begin(view, ask, now, answers);
        if let Opening::Stream(cursor, greeting) = opening {
            drop(shared);
            return Subscription::Stream(Subscriber { channels: self.clone(), view, cursor }, greeting);
        }
        shared.leave(view);
        match opening {
            Opening::Unknown(question) => Subscription::Unknown(question),
            _ => Subscription::Over,
        }
    }

    /// What there is, for people and monitors.
    #[must_use]
    pub fn status(&self) -> Status {
        Status::of(&self.lock().index)
    }
}

impl Shared {
    fn leave(&mut self, view: ViewKey) {
        if self.index.leave(view) {
            self.bells.remove(&view);
        }
    }

    fn ring(&mut self, key: ChannelKey) -> Ears {
        let mut ears = Ears::Free;
        for view in self.index.views_of(key) {
            if let Some(bell) = self.bells.get_mut(view) {
                ears = ears.max(bell.ring(*view));
            }
        }
        ears
    }
}

/// What comes of subscribing.
#[derive(Debug)]
pub enum Subscription {
    /// A stream, and what it begins with.
    Stream(Subscriber, Greeting),
    /// The client has everything, and nothing more will ever come.
    Over,
    /// The disk has to be asked first.
    Unknown(Question),
}

/// A source's end of a channel. It knows the channel by its name, so that it stays good when the channel is forgotten.
#[derive(Debug, Clone)]
pub struct Channel {
    channels: Channels,
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

    /// The id of its newest event that is still held.
    #[must_use]
    pub fn newest(&self) -> Option<EventId> {
        let index = &self.channels.lock().index;
        index.find(&self.name).and_then(|key| status::newest_of(index.channel(key)))
    }

    /// Publishes batches in one step. The caller holds the store's turn, so the numbers come in order; its old lines
    /// come before all new ones. A channel that was forgotten comes back. In what state that finds those who serve clients.
    #[expect(clippy::must_use_candidate, reason = "only who could give more at once needs to know")]
    pub fn publish(&self, batches: Vec<Batch>, life: ChannelLife) -> Ears {
        if batches.is_empty() && life == ChannelLife::Open {
            return Ears::Free;
        }
        let mut shared = self.channels.lock();
        let key = shared.index.open(&self.name);
        for batch in batches {
            shared.index.publish(key, batch);
        }
        if let ChannelLife::Ended(reason) = life {
            shared.index.end(key, reason);
        }
        shared.ring(key)
    }

    /// Shows the newest state of the unfinished line; nothing if the channel was forgotten.
    pub fn show_progress(&self, state: &[u8]) {
        let mut encoded = Vec::new();
        let text = String::from_utf8_lossy(state);
        sse::control(&mut encoded, None, "progress", &Progress { channel: &self.name, text: &text });
        let mut shared = self.channels.lock();
        let Some(key) = shared.index.find(&self.name) else { return };
        shared.index.set_progress(key, encoded.into());
        shared.ring(key);
    }

    /// Shows whether the source can be read now; nothing if the channel was forgotten.
    pub fn set_condition(&self, condition: Condition) {
        let mut shared = self.channels.lock();
        if let Some(key) = shared.index.find(&self.name) {
            shared.index.set_condition(key, condition);
        }
    }

    /// Forgets the channel with all it holds: it is shown nowhere, and a view no longer waits for it. What it has lost is still
    /// told to whoever missed it. Opening its name again, or publishing, brings it back; its numbers go on.
    pub fn retire(&self) {
        let mut shared = self.channels.lock();
        let Some(key) = shared.index.find(&self.name) else { return };
        shared.ring(key); // heard only when this lock is given back
        shared.index.retire(key);
    }
}

/// A client's end of a view.
#[derive(Debug)]
pub struct Subscriber {
    channels: Channels,
    view: ViewKey,
    cursor: Cursor,
}

impl Subscriber {
    /// What it subscribed to.
    #[must_use]
    pub fn view(&self) -> ViewKey {
        self.view
    }

    /// Where it is.
    #[must_use]
    pub fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    /// What its view contains.
    #[must_use]
    pub fn filter(&self) -> Filter {
        self.channels.lock().index.filter(self.view).clone()
    }

    /// Whether something is missing that it was not told of.
    #[must_use]
    pub fn has_gap(&self) -> bool {
        self.channels.lock().index.has_gap(self.view, &self.cursor)
    }

    /// The disk has nothing more for it up to this number.
    pub fn pass(&mut self, number: u64) {
        self.cursor.pass(number);
    }

    /// It has been sent what the disk has up to this place.
    pub fn move_on(&mut self, to: Position) {
        self.cursor.move_on(to);
    }

    /// It has been sent what stands before this cursor of its view.
    pub fn move_to(&mut self, cursor: &Cursor) {
        self.cursor.clone_from(cursor);
    }

    /// Reads on: at most `room` bytes of events, or one event if that is larger; and not past the cursor `meeting`, if that is ahead.
    pub fn read(&mut self, room: usize, meeting: Option<&Cursor>) -> Reading {
        let to = meeting.map_or(u64::MAX, Cursor::number);
        self.channels.lock().index.read_to(self.view, &mut self.cursor, room, to)
    }

    /// Whether nothing will ever be read any more.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        matches!(self.channels.lock().index.read(self.view, &mut self.cursor.clone(), 0), Reading::Finished)
    }

    /// The events above the cursor `before`, up to the event `to`, once more. `None` if not all of them are held any more.
    #[must_use]
    pub fn read_again(&self, before: &Cursor, to: u64) -> Option<Vec<Bytes>> {
        self.channels.lock().index.read_again(self.view, before, to)
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

    /// Whether any events of its view above `after` and up to `through` may be retained nowhere any more.
    #[must_use]
    pub fn has_lost(&self, after: u64, through: u64) -> bool {
        self.channels.lock().index.has_lost(self.view, after, through)
    }

    /// What is said of a place up to which there was nothing for it to be sent.
    #[must_use]
    pub fn start_at(&self, position: Position) -> Start {
        let index = &self.channels.lock().index;
        index.start_at(index.view(self.view), position)
    }

    /// An ear at the view.
    #[must_use]
    pub fn listen(&self) -> Listener {
        let mut shared = self.channels.lock();
        shared.bells.entry(self.view).or_insert_with(Bell::new).listen()
    }

    /// Hangs a doorbell at the view, to be taken down when what this returns is dropped.
    #[must_use]
    pub fn hang(&self, doorbell: &Arc<Doorbell>) -> Hanging {
        let mut shared = self.channels.lock();
        shared.bells.entry(self.view).or_insert_with(Bell::new).hang(doorbell);
        Hanging { channels: self.channels.clone(), view: self.view, doorbell: Arc::clone(doorbell) }
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.channels.lock().leave(self.view);
    }
}

/// A doorbell at a view that has subscribers: what they have in common.
#[derive(Debug)]
pub struct Hanging {
    channels: Channels,
    view: ViewKey,
    doorbell: Arc<Doorbell>,
}

impl Hanging {
    /// Reads on for all who stand at `cursor`, as [`Subscriber::read`] does; from now on news ring again.
    pub fn read(&self, cursor: &mut Cursor, room: usize) -> Reading {
        let mut shared = self.channels.lock();
        if let Some(bell) = shared.bells.get_mut(&self.view) {
            bell.answer(&self.doorbell);
        }
        shared.index.read(self.view, cursor, room)
    }

    /// Whether two clients that stand at these cursors will get the same: they stand at the same place, or both wait for news.
    #[must_use]
    pub fn is_level(&self, one: &Cursor, other: &Cursor) -> bool {
        if one == other {
            return true;
        }
        let shared = self.channels.lock();
        [one, other].into_iter().all(|cursor| shared.index.is_caught_up(self.view, cursor))
    }
}

impl Drop for Hanging {
    fn drop(&mut self) {
        let mut shared = self.channels.lock();
        if let Some(bell) = shared.bells.get_mut(&self.view) {
            bell.take_down(&self.doorbell);
        }
    }
}
