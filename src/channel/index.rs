//! The heart: one order of all batches, the channels they belong to, and the views made from them. Pure; no clock, no lock.
//!
//! # Invariants
//! - Batches arrive in the order of their numbers, and their times never go back. A view is the order filtered by channel: it
//!   holds exactly the retained batches of its channels.
//! - All retained batches together cost at most `history`, or the newest alone costs more. Over it, the oldest batch of the
//!   channel that holds most goes, so a channel below its even share loses nothing.
//! - A channel drops its oldest first. So what a client has missed of a channel is what that channel has dropped above the
//!   client's number, and [`Dropped`] knows it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;

use super::dropped::Dropped;
use super::filter::Filter;
use super::order::Order;
use crate::batch::Batch;
use crate::event::{ChannelName, EventId, Millis, Position};

/// A channel's place in the index.
pub type ChannelKey = usize;

/// A view's place in the index.
pub type ViewKey = u64;

/// Everything that is shared between sources and clients.
#[derive(Debug)]
pub struct Index {
    /// The beginning of the life.
    pub(super) began: Position,
    /// The newest event of all, dropped or not.
    pub(super) newest: Position,
    /// What all batches together may cost, in bytes.
    history: usize,
    /// What they cost.
    held: usize,
    pub(super) channels: Vec<ChannelState>,
    names: BTreeMap<ChannelName, ChannelKey>,
    /// Channels by what they hold: the last one pays.
    fullest: BTreeSet<(usize, ChannelKey)>,
    /// All batches: the view of everything.
    pub(super) merged: Order,
    views: BTreeMap<ViewKey, View>,
    next_view: ViewKey,
    /// Grows with every progress state, so that a client knows which it has seen.
    pub(super) progress_version: u64,
}

/// A channel as the index knows it.
#[derive(Debug)]
pub struct ChannelState {
    /// Its name.
    pub name: ChannelName,
    /// Whether more may come.
    pub life: ChannelLife,
    /// How many events it has published.
    pub published: u64,
    /// The number of the last of them; 0 if none.
    pub last: u64,
    /// What it holds, oldest first.
    pub batches: VecDeque<Arc<Batch>>,
    /// What that costs, in bytes.
    pub held: usize,
    /// What it no longer holds.
    pub dropped: Dropped,
    /// The newest state of its unfinished line, encoded, with its version.
    pub progress: Option<(u64, Bytes)>,
    /// The views that contain it.
    views: Vec<ViewKey>,
}

/// Whether a channel's source may still give lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelLife {
    /// It may.
    Open,
    /// It has ended for good; the last event is `end`.
    Ended(EndReason),
}

/// Why a source ended for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EndReason {
    /// Everything that was written has been read.
    Eof,
    /// It could not be read any more.
    Error,
}

/// What a client subscribed to.
#[derive(Debug)]
pub struct View {
    filter: Filter,
    /// The channels that the filter chooses.
    pub(super) members: Vec<ChannelKey>,
    /// Their batches; none for the view of everything, which is `merged`.
    order: Option<Order>,
    /// No channel of the view has dropped an event above this number.
    pub(super) dropped_through: u64,
    /// How many clients share it.
    clients: usize,
}

impl Index {
    /// An empty index that holds up to `history` bytes.
    #[must_use]
    pub fn new(history: usize, began: Millis) -> Self {
        let began = Position { number: 0, time: began };
        Self {
            began,
            newest: began,
            history,
            held: 0,
            channels: Vec::new(),
            names: BTreeMap::new(),
            fullest: BTreeSet::new(),
            merged: Order::default(),
            views: BTreeMap::new(),
            next_view: 0,
            progress_version: 0,
        }
    }

    /// The channel of this name, made if it is new.
    pub fn open(&mut self, name: &ChannelName) -> ChannelKey {
        if let Some(&key) = self.names.get(name) {
            return key;
        }
        let key = self.channels.len();
        let mut views = Vec::new();
        for (&view_key, view) in self.views.iter_mut().filter(|(_, view)| view.filter.contains(name)) {
            view.members.push(key);
            views.push(view_key);
        }
        self.names.insert(name.clone(), key);
        self.fullest.insert((0, key));
        self.channels.push(ChannelState {
            name: name.clone(),
            life: ChannelLife::Open,
            published: 0,
            last: 0,
            batches: VecDeque::new(),
            held: 0,
            dropped: Dropped::default(),
            progress: None,
            views,
        });
        key
    }

    /// Publishes the next batch of a channel. Its line has ended, so its progress state goes.
    pub fn publish(&mut self, key: ChannelKey, batch: Batch) {
        let batch = Arc::new(batch);
        let channel = &mut self.channels[key];
        self.newest = Position { number: *batch.numbers().end(), time: batch.time() };
        channel.published += batch.count();
        channel.last = self.newest.number;
        channel.progress = None;
        channel.batches.push_back(Arc::clone(&batch));
        for view in &channel.views {
            if let Some(order) = self.views.get_mut(view).and_then(|view| view.order.as_mut()) {
                order.insert(Arc::clone(&batch));
            }
        }
        let cost = batch.cost();
        self.merged.insert(batch);
        self.weigh(key, |held| held + cost);
        while self.held > self.history && self.drop_oldest() {}
    }

    /// The channel's source has ended for good.
    pub fn end(&mut self, key: ChannelKey, reason: EndReason) {
        self.channels[key].life = ChannelLife::Ended(reason);
        self.channels[key].progress = None;
    }

    /// The channel's unfinished line looks like this now.
    pub fn set_progress(&mut self, key: ChannelKey, encoded: Bytes) {
        self.progress_version += 1;
        self.channels[key].progress = Some((self.progress_version, encoded));
    }

    /// Changes what a channel holds, here and in the ranking.
    fn weigh(&mut self, key: ChannelKey, change: impl Fn(usize) -> usize) {
        let channel = &mut self.channels[key];
        self.fullest.remove(&(channel.held, key));
        self.held -= channel.held;
        channel.held = change(channel.held);
        self.held += channel.held;
        self.fullest.insert((channel.held, key));
    }

    /// Drops the oldest batch of the channel that holds most; not the newest batch of all, whatever it costs.
    fn drop_oldest(&mut self) -> bool {
        let Some(&(_, key)) = self.fullest.last() else { return false };
        let channel = &mut self.channels[key];
        if channel.batches.front().is_none_or(|oldest| *oldest.numbers().end() == self.newest.number) {
            return false;
        }
        let Some(batch) = channel.batches.pop_front() else { return false };
        channel.dropped.add(batch.numbers(), batch.time());
        let (first, last) = (*batch.numbers().start(), *batch.numbers().end());
        for view in &channel.views {
            let view = self.views.get_mut(view).expect("a channel lists only views that exist");
            view.dropped_through = view.dropped_through.max(last);
            if let Some(order) = &mut view.order {
                order.remove(first);
            }
        }
        self.merged.remove(first);
        self.weigh(key, |held| held - batch.cost());
        true
    }

    /// Joins the view of this filter, which is made if nobody shares it yet.
    pub fn join(&mut self, filter: &Filter) -> ViewKey {
        if let Some((&key, view)) = self.views.iter_mut().find(|(_, view)| view.filter == *filter) {
            view.clients += 1;
            return key;
        }
        let key = self.next_view;
        self.next_view += 1;
        let chosen = self.channels.iter_mut().enumerate().filter(|(_, channel)| filter.contains(&channel.name));
        let (mut members, mut order, mut dropped_through) = (Vec::new(), Order::default(), 0);
        for (channel_key, channel) in chosen {
            members.push(channel_key);
            channel.views.push(key);
            dropped_through = dropped_through.max(channel.dropped.through());
            if *filter != Filter::All {
                channel.batches.iter().for_each(|batch| order.insert(Arc::clone(batch)));
            }
        }
        let order = (*filter != Filter::All).then_some(order);
        self.views.insert(key, View { filter: filter.clone(), members, order, dropped_through, clients: 1 });
        key
    }

    /// Leaves a view; true if nobody shares it any more, so that it is gone.
    pub fn leave(&mut self, key: ViewKey) -> bool {
        let view = self.view_mut(key);
        view.clients -= 1;
        if view.clients > 0 {
            return false;
        }
        let members = std::mem::take(&mut view.members);
        for member in members {
            self.channels[member].views.retain(|view| *view != key);
        }
        self.views.remove(&key);
        true
    }

    /// The views that contain a channel.
    #[must_use]
    pub fn views_of(&self, key: ChannelKey) -> &[ViewKey] {
        &self.channels[key].views
    }

    /// The view that a client has joined.
    pub(super) fn view(&self, key: ViewKey) -> &View {
        self.views.get(&key).expect("a view exists as long as a client has joined it")
    }

    fn view_mut(&mut self, key: ViewKey) -> &mut View {
        self.views.get_mut(&key).expect("a view exists as long as a client has joined it")
    }

    /// The batches of a view.
    pub(super) fn order<'a>(&'a self, view: &'a View) -> &'a Order {
        view.order.as_ref().unwrap_or(&self.merged)
    }

    /// The channels of a view.
    pub(super) fn members(&self, view: &View) -> impl Iterator<Item = (ChannelKey, &ChannelState)> {
        view.members.iter().map(|&key| (key, &self.channels[key]))
    }

    /// Whether all sources of a view have ended for good.
    pub(super) fn is_finished(&self, view: &View) -> bool {
        !view.members.is_empty() && self.members(view).all(|(_, channel)| channel.life != ChannelLife::Open)
    }

    /// Whether a channel of this name, or one below it, exists.
    #[must_use]
    pub fn knows(&self, name: &ChannelName) -> bool {
        self.channels.iter().any(|channel| channel.name.is_at_or_below(name))
    }

    /// How many clients see a channel.
    #[must_use]
    pub fn clients_of(&self, key: ChannelKey) -> usize {
        self.channels[key].views.iter().map(|view| self.view(*view).clients).sum()
    }

    /// Whether an id names an event or a position of this life. Time and number verify each other: a retained number with
    /// another time is from another life, and one that is no longer held is checked against its neighbours.
    #[must_use]
    pub fn is_of_this_life(&self, id: &EventId) -> bool {
        let Position { number, time } = id.position;
        if number > self.newest.number || time < self.began.time {
            return false;
        }
        if number == 0 {
            return time == self.began.time;
        }
        let before = self.merged.at_or_below(number);
        if let Some(batch) = before.filter(|batch| batch.numbers().contains(&number)) {
            return batch.time() == time && id.channel.as_ref().is_none_or(|channel| channel == batch.channel());
        }
        let after = self.merged.above(number).next();
        let is_known = id.channel.as_ref().is_none_or(|channel| self.names.contains_key(channel));
        is_known && before.is_none_or(|batch| batch.time() <= time) && time <= after.map_or(self.newest.time, |batch| batch.time())
    }

    /// The position of the event `number`. If it is no longer held, the time is the latest known of any at or before it, which
    /// verifies as well as its own.
    pub(super) fn position(&self, number: u64) -> Position {
        let held = self.merged.at_or_below(number).map(|batch| batch.time());
        let dropped = self.channels.iter().map(|channel| &channel.dropped).filter(|dropped| dropped.through() <= number);
        let time = dropped.filter_map(Dropped::time).chain(held).fold(self.began.time, Millis::max);
        Position { number, time }
    }

    /// All channels, in the order in which they were opened.
    pub fn channels(&self) -> impl Iterator<Item = (ChannelKey, &ChannelState)> {
        self.channels.iter().enumerate()
    }

    /// What all batches cost, in bytes.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held
    }

    /// The newest event of all; the beginning of the life before the first.
    #[must_use]
    pub fn newest(&self) -> Position {
        self.newest
    }
}
