//! The heart: one order of all batches, the channels they belong to, and the views made from them. Pure; no clock, no lock.
//!
//! # Invariants
//! - Batches arrive in the order of their numbers, and their times never go back. A view is the order filtered by channel: it
//!   holds exactly the batches of its channels that are in memory.
//! - All retained batches together cost at most `history`, or the newest alone costs more. Over it, the oldest batch of the
//!   channel that holds most goes, so a channel below its even share loses nothing.
//! - Memory lets a channel's oldest batch go first. If that is on the disk it is *archived*, and clients are sent it from
//!   there (`archived`); if not, it is *dropped*, as is what the disk has let go or lost. What a client has missed of a
//!   channel is what that has dropped above the client's number, and [`Dropped`] knows it.
//! - What the disk loses before it is published is retained by memory alone from its publication on, and is no loss before
//!   memory lets it go.
//! - In one channel all old lines come before all new ones: first what was there, then what comes.
//! - A ghost, a channel that is forgotten, holds nothing. It is a member of its views like any other, for its losses.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

use bytes::Bytes;

use super::dropped::{Counted, Dropped, Loss};
use super::expected::Expected;
use super::filter::Filter;
use super::order::Order;
use super::roster::{Fed, Floor, MAX_GHOSTS};
use super::state::{ChannelKey, ChannelLife, ChannelState, Condition, EndReason};
use crate::batch::{Backing, Batch};
use crate::event::{Age, ChannelName, Millis, Position};

/// A view's place in the index.
pub type ViewKey = u64;

/// What holds for every key that is given to the index, and for those in its own lists.
pub(super) const OPENED: &str = "a key is used only while its channel exists";

/// Everything that is shared between sources and clients.
#[derive(Debug)]
pub struct Index {
    /// The beginning of the life.
    pub(super) began: Position,
    /// The newest event of all, dropped or not.
    pub(super) newest: Position,
    /// Where the numbering was gone on with: whatever is above it came at its time or later.
    pub(super) resumed: Position,
    /// What all batches together may cost, in bytes.
    history: usize,
    /// What they cost.
    held: usize,
    /// How many events have been published in this run.
    pub(super) published: u64,
    /// How many events have been dropped.
    pub(super) dropped: u64,
    pub(super) channels: BTreeMap<ChannelKey, ChannelState>,
    pub(super) next_channel: ChannelKey,
    /// All of them by name, ghosts as well.
    pub(super) names: BTreeMap<ChannelName, ChannelKey>,
    /// Channels by what they hold: the last one pays.
    pub(super) fullest: BTreeSet<(usize, ChannelKey)>,
    /// Channels that have events on the disk which are not in memory, by the last of these.
    pub(super) archived: BTreeSet<(u64, ChannelKey)>,
    /// Batches that are in memory and not on the disk, though there is one: the last number and the channel of each, by its first.
    pub(super) unbacked: BTreeMap<u64, (u64, ChannelKey)>,
    /// What the disk does not have any more, and what is yet to be published: whose events, and their numbers.
    pub(super) lost_ahead: Vec<(ChannelName, RangeInclusive<u64>)>,
    /// Ghosts by their last event.
    pub(super) ghosts: BTreeSet<(u64, ChannelKey)>,
    /// How many there may be.
    pub(super) max_ghosts: usize,
    /// Up to where the losses of any channel may have been forgotten.
    pub(super) floor: Floor,
    /// What sources could still yield.
    pub(super) expected: Vec<Expected>,
    /// The sources that are told apart.
    pub(super) sources: Vec<Fed>,
    /// All batches: the view of everything.
    pub(super) merged: Order,
    pub(super) views: BTreeMap<ViewKey, View>,
    next_view: ViewKey,
    /// The newest states of unfinished lines, encoded, by their version.
    pub(super) progress: BTreeMap<u64, (ChannelKey, Bytes)>,
    /// Grows with every progress state, so that a client knows which it has seen.
    pub(super) progress_version: u64,
}

/// What a client subscribed to.
#[derive(Debug)]
pub struct View {
    pub(super) filter: Filter,
    /// The channels that the filter chooses, ghosts as well.
    pub(super) members: BTreeSet<ChannelKey>,
    /// How many of them may still speak.
    pub(super) open: usize,
    /// Whether some may still come.
    pub(super) is_expecting: bool,
    /// Their batches; none for the view of everything, which is `merged`.
    order: Option<Order>,
    /// Those of its channels that have dropped something, by the last event that they have dropped.
    pub(super) lossy: BTreeSet<(u64, ChannelKey)>,
    /// Those of its channels that have events on the disk which are not in memory, by the last of these.
    pub(super) archived: BTreeSet<(u64, ChannelKey)>,
    /// Up to where the losses of its channels may have been forgotten.
    pub(super) floor: Floor,
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
            resumed: began,
            history,
            held: 0,
            published: 0,
            dropped: 0,
            channels: BTreeMap::new(),
            next_channel: 0,
            names: BTreeMap::new(),
            fullest: BTreeSet::new(),
            archived: BTreeSet::new(),
            unbacked: BTreeMap::new(),
            lost_ahead: Vec::new(),
            ghosts: BTreeSet::new(),
            max_ghosts: MAX_GHOSTS,
            floor: Floor { through: began, burials: 0 },
            expected: Vec::new(),
            sources: Vec::new(),
            merged: Order::default(),
            views: BTreeMap::new(),
            next_view: 0,
            progress: BTreeMap::new(),
            progress_version: 0,
        }
    }

    /// Publishes the next batch of a channel that is there. Its line has ended, so its progress state goes.
    pub fn publish(&mut self, key: ChannelKey, batch: Batch) {
        let batch = Arc::new(batch);
        self.newest = Position { number: *batch.numbers().end(), time: batch.time() };
        self.clear_progress(key);
        let channel = self.channels.get_mut(&key).expect(OPENED);
        if batch.age() == Age::Old {
            debug_assert_eq!(channel.old_through, channel.last, "an old line behind a new one");
            channel.old_through = self.newest.number;
        }
        channel.published += batch.count();
        self.published += batch.count();
        channel.last = self.newest.number;
        channel.batches.push_back(Arc::clone(&batch));
        for view in &channel.views {
            if let Some(order) = self.views.get_mut(view).and_then(|view| view.order.as_mut()) {
                order.insert(Arc::clone(&batch));
            }
        }
        let cost = batch.cost();
        if self.was_lost_ahead(&batch) || batch.backing() == Backing::Failed {
            self.unbacked.insert(*batch.numbers().start(), (*batch.numbers().end(), key));
        }
        self.merged.insert(batch);
        self.weigh(key, |held| held + cost);
        while self.held > self.history && self.drop_oldest() {}
    }

    /// What all retained batches may cost from now on, in bytes.
    pub fn set_history(&mut self, history: usize) {
        self.history = history;
        while self.held > self.history && self.drop_oldest() {}
    }

    /// The channel's source has ended for good.
    pub fn end(&mut self, key: ChannelKey, reason: EndReason) {
        self.clear_progress(key);
        self.change(key, |channel| channel.life = ChannelLife::Ended(reason));
    }

    /// Whether the channel's source can be read now.
    pub fn set_condition(&mut self, key: ChannelKey, condition: Condition) {
        self.change(key, |channel| channel.condition = condition);
    }

    /// The channel's unfinished line looks like this now.
    pub fn set_progress(&mut self, key: ChannelKey, encoded: Bytes) {
        self.clear_progress(key);
        self.progress_version += 1;
        self.progress.insert(self.progress_version, (key, encoded));
        let version = self.progress_version;
        self.change(key, |channel| channel.progress = Some(version));
    }

    pub(super) fn clear_progress(&mut self, key: ChannelKey) {
        if let Some(version) = self.channels.get_mut(&key).and_then(|channel| channel.progress.take()) {
            self.progress.remove(&version);
        }
    }

    /// Changes what a channel holds, here and in the ranking.
    fn weigh(&mut self, key: ChannelKey, change: impl Fn(usize) -> usize) {
        let channel = self.channels.get_mut(&key).expect(OPENED);
        self.fullest.remove(&(channel.held, key));
        self.held -= channel.held;
        channel.held = change(channel.held);
        self.held += channel.held;
        self.fullest.insert((channel.held, key));
    }

    /// Drops the oldest batch of the channel that holds most; not the newest batch of all, whatever it costs.
    fn drop_oldest(&mut self) -> bool {
        let Some(&(_, key)) = self.fullest.last() else { return false };
        let oldest = self.channel(key).batches.front();
        oldest.is_some_and(|oldest| *oldest.numbers().end() != self.newest.number) && self.drop_front(key)
    }

    /// Drops the oldest batch of a channel from memory; false if it holds none. What is on the disk is not lost.
    pub(super) fn drop_front(&mut self, key: ChannelKey) -> bool {
        let channel = self.channels.get_mut(&key).expect(OPENED);
        let Some(batch) = channel.batches.pop_front() else { return false };
        let first = *batch.numbers().start();
        for view in &channel.views {
            let view = self.views.get_mut(view).expect("a channel lists only views that exist");
            if let Some(order) = &mut view.order {
                order.remove(first);
            }
        }
        self.merged.remove(first);
        self.weigh(key, |held| held - batch.cost());
        let is_unbacked = self.unbacked.remove(&first).is_some();
        if batch.backing() == Backing::Disk && !is_unbacked {
            self.set_archived(key, Some(batch.last()));
        } else {
            self.dropped += batch.count();
            self.lose(
                key,
                Loss { first, through: batch.last(), count: batch.count(), age: Some(batch.age()), counted: Counted::Exactly },
            );
        }
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
        let mut view = View {
            filter: filter.clone(),
            members: BTreeSet::new(),
            open: 0,
            is_expecting: self.could_gain(filter),
            order: (*filter != Filter::All).then(Order::default),
            lossy: BTreeSet::new(),
            archived: BTreeSet::new(),
            floor: self.floor,
            clients: 1,
        };
        for (&member, channel) in self.channels.iter_mut().filter(|(_, channel)| filter.contains(&channel.name)) {
            channel.views.push(key);
            view.add(member, channel);
        }
        self.views.insert(key, view);
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
            let channel = self.channels.get_mut(&member).expect("a view lists only channels that exist");
            channel.views.retain(|view| *view != key);
        }
        self.views.remove(&key);
        true
    }

    pub(super) fn channel(&self, key: ChannelKey) -> &ChannelState {
        self.channels.get(&key).expect(OPENED)
    }

    /// The views that contain a channel.
    #[must_use]
    pub fn views_of(&self, key: ChannelKey) -> &[ViewKey] {
        &self.channel(key).views
    }

    /// The view that a client has joined.
    pub(super) fn view(&self, key: ViewKey) -> &View {
        self.views.get(&key).expect("a view exists as long as a client has joined it")
    }

    pub(super) fn view_mut(&mut self, key: ViewKey) -> &mut View {
        self.views.get_mut(&key).expect("a view exists as long as a client has joined it")
    }

    /// What a view contains.
    #[must_use]
    pub fn filter(&self, key: ViewKey) -> &Filter {
        &self.view(key).filter
    }

    /// The batches of a view.
    pub(super) fn order<'a>(&'a self, view: &'a View) -> &'a Order {
        view.order.as_ref().unwrap_or(&self.merged)
    }

    /// The names of the channels of a view that are there, in their order: that in which sources came is another one each time.
    pub(super) fn living(&self, view: &View) -> Vec<ChannelName> {
        let members = view.members.iter().map(|key| self.channel(*key));
        let mut names: Vec<_> = members.filter(|channel| channel.is_living()).map(|channel| channel.name.clone()).collect();
        names.sort_unstable();
        names
    }

    /// The last event that any channel of a view has published, as far as it is known; 0 if none.
    pub(super) fn last_of(&self, view: &View) -> u64 {
        view.members.iter().map(|key| self.channel(*key).last).fold(view.floor.through.number, u64::max)
    }

    /// Whether all sources of a view have ended for good, and no other can come.
    pub(super) fn is_finished(view: &View) -> bool {
        view.open == 0 && !view.is_expecting
    }

    /// How many clients see a channel.
    #[must_use]
    pub fn clients_of(&self, key: ChannelKey) -> usize {
        self.channel(key).views.iter().map(|view| self.view(*view).clients).sum()
    }

    /// The position of the event `number`. If it is no longer held, the time is the latest known of any at or before it, which
    /// verifies as well as its own.
    pub(super) fn position(&self, number: u64) -> Position {
        let held = self.merged.at_or_below(number).map(|batch| batch.time());
        let dropped = self.channels.values().map(|channel| &channel.dropped).filter(|dropped| dropped.through() <= number);
        let known = self.channels.values().filter_map(|channel| channel.archived).chain([self.floor.through, self.newest]);
        let known = known.filter(|last| last.number <= number).map(|last| last.time);
        let time = dropped.filter_map(Dropped::time).chain(held).chain(known).fold(self.began.time, Millis::max);
        Position { number, time }
    }

    /// All channels that are there, in the order in which they were opened.
    pub fn channels(&self) -> impl Iterator<Item = (ChannelKey, &ChannelState)> {
        self.channels.iter().map(|(key, channel)| (*key, channel)).filter(|(_, channel)| channel.is_living())
    }

    /// What all batches cost, in bytes.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held
    }

    /// How many events have been published in this run.
    #[must_use]
    pub fn published(&self) -> u64 {
        self.published
    }

    /// How many events have been dropped.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The newest event of all; the beginning of the life before the first.
    #[must_use]
    pub fn newest(&self) -> Position {
        self.newest
    }
}

impl View {
    /// Takes in a channel that is there or a ghost, with all it holds.
    fn add(&mut self, key: ChannelKey, channel: &ChannelState) {
        self.members.insert(key);
        self.open += usize::from(channel.may_speak());
        if channel.dropped.count() > 0 {
            self.lossy.insert((channel.dropped.through(), key));
        }
        self.archived.extend(channel.archived.map(|last| (last.number, key)));
        if let Some(order) = &mut self.order {
            channel.batches.iter().for_each(|batch| order.insert(Arc::clone(batch)));
        }
    }
}
