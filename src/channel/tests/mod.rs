//! The heart against a model: whatever is published, dropped, read, cut off and brought back, each client gets each event of
//! its view exactly once, or is told of it.
//!
//! The model is the plainest thing that can be right: a list of all events that ever were, with a mark for those that are
//! dropped. It shares the order of dropping with the index by its rule, not by its code.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use proptest::prelude::*;

use super::dropped::GHOST_RUNS;
use super::order::Ages;
use super::state::ChannelKey;
use super::*;
use crate::batch::{BATCH_OVERHEAD, Backing};
use crate::event::{Age, Event, Position};
use crate::store::Store;

mod cases;
mod disk;
mod guest;
mod properties;

use disk::Backed;
use guest::Guest;

/// Small enough that most runs drop something.
const HISTORY: usize = 6 * (BATCH_OVERHEAD + 60);

/// Small enough that most runs that forget channels forget one for good.
const GHOSTS: usize = 1;

/// Where the test's clock begins.
const BEGAN: Millis = 1_000_000;

/// One event as the model knows it.
#[derive(Debug, Clone)]
struct Known {
    number: u64,
    time: Millis,
    channel: usize,
    age: Age,
    is_in_memory: bool,
    is_on_disk: bool,
    /// Its channel is gone for good, so that nobody knows any more of which channel it was.
    is_buried: bool,
}

impl Known {
    fn is_dropped(&self) -> bool {
        !self.is_in_memory && !self.is_on_disk
    }

    fn position(&self) -> Position {
        Position { number: self.number, time: self.time }
    }
}

/// What the model knows of a channel.
#[derive(Debug, Clone, Default)]
struct Feed {
    presence: Feeding,
    key: ChannelKey,
    /// Whether it has published a new line, behind which no old one comes.
    has_new: bool,
    /// The number of its last event; 0 if none.
    last: u64,
    /// Whether it was forgotten with more runs of events than a ghost remembers.
    is_blurred: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Feeding {
    Living,
    Ghost,
    #[default]
    Nothing,
}

/// The index, the store that names its events, and the list of everything that ever was.
struct World {
    index: Index,
    backed: Backed,
    /// How many events had been dropped when the daemon began.
    dropped_before: u64,
    /// Whether any of the disk turned out to be damaged.
    is_damaged: bool,
    store: Store,
    now: Millis,
    events: Vec<Known>,
    /// Retained batches in order: channel, first and last number, cost.
    batches: Vec<(usize, u64, u64, usize)>,
    feeds: Vec<Feed>,
    next_key: ChannelKey,
    /// The last event of the channels that are gone for good; 0 if there is none.
    floor: u64,
    /// How many they are.
    burials: usize,
}

impl World {
    fn new(channels: usize) -> Self {
        Self::backed(channels, Backed::Not)
    }

    fn backed(channels: usize, backed: Backed) -> Self {
        let mut index = Index::new(HISTORY, BEGAN);
        index.max_ghosts = GHOSTS;
        let (events, batches, feeds) = (Vec::new(), Vec::new(), vec![Feed::default(); channels]);
        let store = Store::new(BEGAN);
        let mut world = Self {
            index,
            backed,
            dropped_before: 0,
            is_damaged: false,
            store,
            now: BEGAN,
            events,
            batches,
            feeds,
            next_key: 0,
            floor: 0,
            burials: 0,
        };
        (0..channels).for_each(|channel| world.open(channel));
        world
    }

    /// A name keeps its key as long as it is remembered, and no key is used twice.
    fn open(&mut self, channel: usize) {
        let feed = &mut self.feeds[channel];
        if feed.presence == Feeding::Nothing {
            *feed = Feed { key: self.next_key, has_new: feed.has_new, ..Feed::default() };
            self.next_key += 1;
        }
        feed.presence = Feeding::Living;
        assert_eq!(self.index.open(&name(channel)), feed.key);
    }

    /// Forgets a channel; the ghosts over the bound go for good, the one whose last event is oldest first.
    fn retire(&mut self, channel: usize) {
        let feed = &mut self.feeds[channel];
        if feed.presence != Feeding::Living {
            return;
        }
        self.let_go(channel, usize::MAX);
        let feed = &mut self.feeds[channel];
        self.index.retire(feed.key);
        feed.presence = if feed.last == 0 { Feeding::Nothing } else { Feeding::Ghost };
        feed.has_new = true; // a file that appears later has no old lines
        let own = |event: &&mut Known| event.channel == channel && !event.is_buried;
        let mut runs = 0;
        let mut before = 0;
        for event in self.events.iter_mut().filter(own) {
            (event.is_in_memory, event.is_on_disk) = (false, false);
            runs += usize::from(event.number != before + 1);
            before = event.number;
        }
        feed.is_blurred |= runs > GHOST_RUNS;
        self.batches.retain(|(of, ..)| *of != channel);
        let ghosts: Vec<_> = (0..self.feeds.len()).filter(|of| self.feeds[*of].presence == Feeding::Ghost).collect();
        if ghosts.len() > GHOSTS {
            self.bury(ghosts.into_iter().min_by_key(|of| self.feeds[*of].last).unwrap());
        }
    }

    fn bury(&mut self, channel: usize) {
        self.feeds[channel].presence = Feeding::Nothing;
        self.floor = self.floor.max(self.feeds[channel].last);
        self.burials += 1;
        self.events.iter_mut().filter(|event| event.channel == channel).for_each(|event| event.is_buried = true);
    }

    fn publish(&mut self, channel: usize, lines: usize, step: i64, age: Age) {
        let backing = if self.backed == Backed::Not { Backing::None } else { Backing::Disk };
        self.publish_to(backing, channel, lines, step, age);
    }

    fn publish_to(&mut self, backing: Backing, channel: usize, lines: usize, step: i64, age: Age) {
        self.append_and_publish(backing, channel, lines, step, age, |_| {});
    }

    /// Publishes lines; `meanwhile` happens when they are on the disk and not published.
    fn append_and_publish(
        &mut self,
        backing: Backing,
        channel: usize,
        lines: usize,
        step: i64,
        age: Age,
        meanwhile: impl FnOnce(&mut Self),
    ) {
        self.open(channel);
        self.now = self.now.saturating_add_signed(step);
        let age = if self.feeds[channel].has_new { Age::New } else { age };
        let mut turn = self.store.turn(&name(channel), self.now, age);
        (0..lines).for_each(|_| turn.add(Event { kind: None, data: b"x" }));
        let batches = turn.commit(None);
        drop(turn);
        for batch in &batches {
            let (first, last, time, cost) = (*batch.numbers().start(), *batch.numbers().end(), batch.time(), batch.cost());
            let is_on_disk = backing == Backing::Disk;
            let known = |number| Known { number, time, channel, age, is_in_memory: true, is_on_disk, is_buried: false };
            self.events.extend((first..=last).map(known));
            self.batches.push((channel, first, last, cost));
            self.feeds[channel].last = last;
        }
        meanwhile(self);
        for batch in batches {
            self.index.publish(self.feeds[channel].key, batch.with(backing));
        }
        self.feeds[channel].has_new |= age == Age::New;
        self.drop_by_the_rule();
    }

    /// Over the total, the oldest batch of the channel that holds most goes; of two that hold the same, the one opened last
    /// pays. The newest batch of all stays.
    fn drop_by_the_rule(&mut self) {
        loop {
            let mut held = BTreeMap::new();
            self.batches.iter().for_each(|(channel, _, _, cost)| *held.entry(*channel).or_insert(0) += cost);
            let Some((_, _, fullest)) = held.iter().map(|(channel, cost)| (*cost, self.feeds[*channel].key, *channel)).max() else {
                return;
            };
            let oldest = self.batches.iter().position(|(channel, ..)| *channel == fullest).unwrap();
            if held.values().sum::<usize>() <= HISTORY || oldest == self.batches.len() - 1 {
                return;
            }
            let (_, first, last, _) = self.batches.remove(oldest);
            self.events
                .iter_mut()
                .filter(|event| (first..=last).contains(&event.number))
                .for_each(|event| event.is_in_memory = false);
        }
    }

    fn newest(&self) -> u64 {
        self.events.last().map_or(0, |event| event.number)
    }

    fn event(&self, number: u64) -> &Known {
        &self.events[usize::try_from(number).unwrap() - 1]
    }

    /// The names of a view's channels that are there.
    fn living(&self, filter: &Filter) -> BTreeSet<ChannelName> {
        let living = (0..self.feeds.len()).filter(|channel| self.feeds[*channel].presence == Feeding::Living);
        living.map(name).filter(|name| filter.contains(name)).collect()
    }

    /// The index remembers no more than it must.
    fn check_what_is_kept(&self) {
        let count = |wanted| self.feeds.iter().filter(|feed| feed.presence == wanted).count();
        assert!(count(Feeding::Ghost) <= GHOSTS);
        assert_eq!(self.index.channels().count(), count(Feeding::Living));
        let kept = count(Feeding::Living) + count(Feeding::Ghost);
        let kept_there = [self.index.channels.len(), self.index.names.len(), self.index.fullest.len()];
        assert_eq!((kept_there, self.index.ghosts.len()), ([kept; 3], count(Feeding::Ghost)));
        assert_eq!(self.index.held(), self.batches.iter().map(|(.., cost)| cost).sum::<usize>());
        assert_eq!(
            self.index.dropped() + self.dropped_before,
            self.events.iter().filter(|event| event.is_dropped()).count() as u64
        );
    }

    /// The events of a view.
    fn of<'a>(&'a self, filter: &'a Filter) -> impl DoubleEndedIterator<Item = &'a Known> {
        self.events.iter().filter(|event| filter.contains(&name(event.channel)))
    }

    fn numbers(&self, filter: &Filter, wanted: impl Fn(&Known) -> bool) -> BTreeSet<u64> {
        self.of(filter).filter(|event| wanted(event)).map(|event| event.number).collect()
    }
}

/// Channels 0 and 1 lie below one prefix.
fn name(channel: usize) -> ChannelName {
    ["web/a", "web/b", "db", "x"][channel].parse().unwrap()
}

fn filter(which: usize) -> Filter {
    let names: &[&str] = [&[][..], &["web"], &["web/a"], &["db", "web/b"]][which];
    Filter::of(names.iter().map(|name| name.parse().unwrap()))
}

/// The ids of encoded events.
fn ids(encoded: &[u8]) -> Vec<EventId> {
    let text = std::str::from_utf8(encoded).unwrap();
    text.lines().filter_map(|line| line.strip_prefix("id: ")).map(|id| id.parse().unwrap()).collect()
}

/// Everything that a finite or caught-up stream gives: the greeting's gap, and the numbers of its events.
fn all_of(world: &mut World, which: &Filter, ask: &Ask) -> (Option<Gap>, Vec<u64>) {
    let view = world.index.join(which);
    let Opening::Stream(mut cursor, greeting) = world.begin(view, ask) else { panic!("it is not over") };
    let mut numbers = Vec::new();
    loop {
        match world.index.read(view, &mut cursor, 100) {
            Reading::Events(parts) => numbers.extend(parts.iter().flat_map(|part| ids(part)).map(|id| id.position.number)),
            Reading::Archived(archived) => {
                let ids = world.read_from_disk(which, &archived, 100, &mut cursor);
                numbers.extend(ids.into_iter().map(|id| id.position.number));
            }
            Reading::CaughtUp | Reading::Finished => break,
            other => panic!("nothing is published meanwhile, but: {other:?}"),
        }
    }
    world.index.leave(view);
    if numbers.is_empty() && ask.before.is_none() {
        assert!(!matches!(greeting, Greeting::None), "who gets nothing is told where it is");
    }
    (if let Greeting::Gap(gap) = greeting { Some(gap) } else { None }, numbers)
}

#[derive(Debug, Clone)]
enum Step {
    Publish {
        channel: usize,
        lines: usize,
        clock: i64,
        age: Age,
    },
    PublishInVain {
        channel: usize,
        lines: usize,
    },
    LetGo {
        channel: usize,
        count: usize,
    },
    /// The disk loses all that it has of a channel, and what is just being published with it.
    PublishTooMuch {
        channel: usize,
        lines: usize,
        is_let_go: bool,
    },
    Damage {
        pick: prop::sample::Index,
        count: usize,
    },
    Restart,
    Open {
        channel: usize,
    },
    Retire {
        channel: usize,
    },
    Read {
        guest: usize,
        room: usize,
        times: usize,
    },
    Cut {
        guest: usize,
        lose: usize,
    },
    Stray {
        guest: usize,
        ago: u64,
    },
    Leave {
        guest: usize,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let age = prop_oneof![Just(Age::Old), Just(Age::New)];
    let publish = (0..4_usize, 1..5_usize, -50..100_i64, age).prop_map(|(channel, lines, clock, age)| Step::Publish {
        channel,
        lines,
        clock,
        age,
    });
    let open = (0..4_usize).prop_map(|channel| Step::Open { channel });
    let retire = (0..4_usize).prop_map(|channel| Step::Retire { channel });
    let read = (0..4_usize, 1..400_usize, 1..6_usize).prop_map(|(guest, room, times)| Step::Read { guest, room, times });
    let cut = (0..4_usize, 0..4_usize).prop_map(|(guest, lose)| Step::Cut { guest, lose });
    let stray = (0..4_usize, 0..400_u64).prop_map(|(guest, ago)| Step::Stray { guest, ago });
    let leave = (0..4_usize).prop_map(|guest| Step::Leave { guest });
    let in_vain = (0..4_usize, 1..4_usize).prop_map(|(channel, lines)| Step::PublishInVain { channel, lines });
    let let_go = (0..4_usize, 1..9_usize).prop_map(|(channel, count)| Step::LetGo { channel, count });
    let damage = (any::<prop::sample::Index>(), 1..4_usize).prop_map(|(pick, count)| Step::Damage { pick, count });
    let too_much = (0..4_usize, 1..5_usize, any::<bool>()).prop_map(|(channel, lines, is_let_go)| Step::PublishTooMuch {
        channel,
        lines,
        is_let_go,
    });
    let disk = prop_oneof![2 => in_vain, 3 => let_go, 2 => too_much, 1 => damage, 1 => Just(Step::Restart)];
    let step = prop_oneof![12 => publish, 1 => open, 2 => retire, 8 => read, 4 => cut, 1 => stray, 2 => leave, 4 => disk];
    proptest::collection::vec(step, 1..60)
}

/// Does what happens without guests.
fn happen(world: &mut World, step: &Step) {
    match *step {
        Step::Publish { channel, lines, clock, age } => world.publish(channel, lines, clock, age),
        Step::Open { channel } => world.open(channel),
        Step::Retire { channel } => world.retire(channel),
        Step::PublishInVain { channel, lines } if world.backed == Backed::ByDisk => {
            world.publish_to(Backing::Failed, channel, lines, 1, Age::New);
        }
        Step::LetGo { channel, count } => world.let_go(channel, count),
        Step::PublishTooMuch { channel, lines, is_let_go } if world.backed == Backed::ByDisk => {
            world.append_and_publish(Backing::Disk, channel, lines, 1, Age::New, |world| {
                if is_let_go { world.let_go(channel, usize::MAX) } else { world.lose_files(channel) }
            });
        }
        Step::Damage { pick, count } => world.damage(pick, count),
        Step::Restart => world.restart(),
        _ => {}
    }
}

/// A world in which things have been published and forgotten.
fn published(backed: Backed, steps: &[Step]) -> World {
    let mut world = World::backed(4, backed);
    for step in steps {
        happen(&mut world, step);
    }
    world
}

/// What a client asks for that comes before anything has happened.
fn first_ask(kind: u8) -> (Ages, Ask) {
    let tail = |tail| (Ages::All, Ask { tail: Some(tail), ..Ask::default() });
    match kind {
        0 => tail(Tail::All),
        1 => tail(Tail::Newest(3)),
        2 => (Ages::New, Ask { since: Some(BEGAN), ..Ask::default() }),
        _ => (Ages::New, Ask { since: Some(BEGAN), tail: Some(Tail::Newest(3)), ..Ask::default() }),
    }
}
