//! Channels come and go: opened, expected, forgotten.
//!
//! A channel that is forgotten leaves a *ghost* behind: no batches, no place in any list, only what it has dropped, so that a
//! client that comes back with an id below that still gets its one exact gap. Opening the name again brings the channel back.
//!
//! Ghosts are bounded. Over the bound the one whose last event is oldest goes for good, and of it only the *floor* remains: at
//! or below it losses can no longer be attributed to a channel or counted. Each view has a floor of its own, so that a client
//! that stays is told only of what its view contained; a view that is made later takes over the floor of all.

use std::sync::Arc;

use super::expected::Expected;
use super::filter::Filter;
use super::index::{Index, OPENED};
use super::state::{ChannelKey, ChannelLife, ChannelState, Condition, Presence};
use crate::event::{ChannelName, Position};

/// How many forgotten channels are remembered. A ghost costs about half a KiB.
pub const MAX_GHOSTS: usize = 4096;

/// A source that monitors tell apart from the others, and the names that its channels have.
#[derive(Debug, Clone)]
pub struct Fed {
    /// What it is called.
    pub name: Arc<str>,
    /// A channel is its if one of these could yield it.
    pub yields: Vec<Expected>,
}

/// Up to where losses can no longer be attributed.
#[derive(Debug, Clone, Copy)]
pub struct Floor {
    /// The newest of the last events of the channels that are gone for good.
    pub through: Position,
    /// How many channels there were. A client that was told of the floor is told again only when this has grown: a channel
    /// may also go for good whose events are all older than the floor.
    pub burials: u64,
}

impl Floor {
    pub(super) fn bury(&mut self, last: Position) {
        self.through = self.through.max(last);
        self.burials += 1;
    }
}

impl Index {
    /// The channel of this name, made if it is new, brought back if it is a ghost.
    pub fn open(&mut self, name: &ChannelName) -> ChannelKey {
        if let Some(&key) = self.names.get(name) {
            self.revive(key);
            return key;
        }
        let key = self.next_channel;
        self.next_channel += 1;
        let mut views = Vec::new();
        for (&view_key, view) in self.views.iter_mut().filter(|(_, view)| view.filter.contains(name)) {
            view.members.insert(key);
            view.open += 1;
            views.push(view_key);
        }
        self.names.insert(name.clone(), key);
        self.fullest.insert((0, key));
        let mut channel = ChannelState::new(name.clone(), views);
        channel.source = source_of(&self.sources, name);
        self.channels.insert(key, channel);
        key
    }

    /// From now on these sources are told apart.
    pub fn tell_apart(&mut self, sources: Vec<Fed>) {
        self.sources = sources;
        for channel in self.channels.values_mut() {
            channel.source = source_of(&self.sources, &channel.name);
        }
    }

    fn revive(&mut self, key: ChannelKey) {
        let channel = self.channel(key);
        if channel.is_living() && channel.life != ChannelLife::Stored {
            return;
        }
        self.ghosts.remove(&(self.channel(key).last, key));
        self.change(key, |channel| {
            channel.presence = Presence::Living;
            channel.life = ChannelLife::Open;
        });
    }

    /// The channel of this name, if it is there.
    #[must_use]
    pub fn find(&self, name: &ChannelName) -> Option<ChannelKey> {
        self.names.get(name).copied().filter(|key| self.channel(*key).is_living())
    }

    /// Forgets a channel with all it holds; a ghost remains that knows what was lost.
    pub fn retire(&mut self, key: ChannelKey) {
        while self.drop_front(key) {}
        self.clear_progress(key);
        self.change(key, |channel| {
            channel.presence = Presence::Ghost;
            channel.condition = Condition::Open;
            channel.batches.shrink_to_fit();
            channel.dropped.shrink();
        });
        match self.channel(key).last {
            0 => drop(self.remove(key)), // It has lost nothing that there is to remember.
            last => drop(self.ghosts.insert((last, key))),
        }
        while self.ghosts.len() > self.max_ghosts {
            self.bury_oldest();
        }
    }

    /// Removes the ghost whose last event is oldest, for good.
    fn bury_oldest(&mut self) {
        let Some((number, key)) = self.ghosts.pop_first() else { return };
        let ghost = self.remove(key);
        let last = Position { number, time: ghost.dropped.time().unwrap_or(self.began.time) };
        self.floor.bury(last);
        for view in ghost.views {
            self.view_mut(view).floor.bury(last);
        }
    }

    /// Takes a channel that holds nothing out of everything.
    fn remove(&mut self, key: ChannelKey) -> ChannelState {
        let channel = self.channels.remove(&key).expect(OPENED);
        self.names.remove(&channel.name);
        self.fullest.remove(&(channel.held, key));
        for view in &channel.views {
            let view = self.view_mut(*view);
            view.members.remove(&key);
            view.lossy.remove(&(channel.dropped.through(), key));
            view.archived.remove(&(channel.archived_through(), key));
        }
        self.archived.remove(&(channel.archived_through(), key));
        channel
    }

    /// Changes a channel, and what its views know of it: how many of their channels may still speak.
    pub(super) fn change(&mut self, key: ChannelKey, change: impl FnOnce(&mut ChannelState)) {
        let channel = self.channels.get_mut(&key).expect(OPENED);
        let before = usize::from(channel.may_speak());
        change(channel);
        let after = usize::from(channel.may_speak());
        for view in &channel.views {
            let view = self.views.get_mut(view).expect("a channel lists only views that exist");
            view.open = view.open + after - before;
        }
    }

    /// Names are expected of these sources alone.
    pub fn expect(&mut self, expected: Vec<Expected>) {
        self.expected = expected;
        for view in self.views.values_mut() {
            view.is_expecting = self.expected.iter().any(|expected| view.filter.could_gain(expected));
        }
    }

    /// Whether a view of this filter may gain channels.
    pub(super) fn could_gain(&self, filter: &Filter) -> bool {
        self.expected.iter().any(|expected| filter.could_gain(expected))
    }

    /// Whether a channel of this name, or one below it, is there or could come.
    #[must_use]
    pub fn knows(&self, name: &ChannelName) -> bool {
        self.channels().any(|(_, channel)| channel.name.is_at_or_below(name))
            || self.expected.iter().any(|expected| expected.could_yield_below_or_at(name))
    }
}

/// Which of these sources feeds a channel: the first that could.
fn source_of(sources: &[Fed], name: &ChannelName) -> Option<usize> {
    sources.iter().position(|source| source.yields.iter().any(|expected| expected.could_yield(name)))
}
