//! The heart against a model: whatever is published, dropped, read, cut off and brought back, each client gets each event of
//! its view exactly once, or is told of it.
//!
//! The model is the plainest thing that can be right: a list of all events that ever were, with a mark for those that are
//! dropped. It shares the order of dropping with the index by its rule, not by its code.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::batch::BATCH_OVERHEAD;
use crate::event::Event;
use crate::store::Store;

/// Small enough that most runs drop something.
const HISTORY: usize = 6 * (BATCH_OVERHEAD + 60);

/// Where the test's clock begins.
const BEGAN: Millis = 1_000_000;

/// One event as the model knows it.
#[derive(Debug, Clone)]
struct Known {
    number: u64,
    time: Millis,
    channel: usize,
    is_dropped: bool,
}

/// The index, the store that names its events, and the list of everything that ever was.
struct World {
    index: Index,
    store: Store,
    now: Millis,
    events: Vec<Known>,
    /// Retained batches in order: channel, first and last number, cost.
    batches: Vec<(usize, u64, u64, usize)>,
}

impl World {
    fn new(channels: usize) -> Self {
        let mut index = Index::new(HISTORY, BEGAN);
        (0..channels).for_each(|channel| assert_eq!(index.open(&name(channel)), channel));
        Self { index, store: Store::new(BEGAN), now: BEGAN, events: Vec::new(), batches: Vec::new() }
    }

    fn publish(&mut self, channel: usize, lines: usize, step: i64) {
        self.now = self.now.saturating_add_signed(step);
        let mut turn = self.store.turn(&name(channel), self.now);
        (0..lines).for_each(|_| turn.add(Event { kind: None, data: b"x" }));
        for batch in turn.commit() {
            let (first, last, time, cost) = (*batch.numbers().start(), *batch.numbers().end(), batch.time(), batch.cost());
            self.events.extend((first..=last).map(|number| Known { number, time, channel, is_dropped: false }));
            self.batches.push((channel, first, last, cost));
            self.index.publish(channel, batch);
        }
        drop(turn);
        self.drop_by_the_rule();
    }

    /// Over the total, the oldest batch of the channel that holds most goes; of two that hold the same, the one opened last
    /// pays. The newest batch of all stays.
    fn drop_by_the_rule(&mut self) {
        loop {
            let mut held = BTreeMap::new();
            self.batches.iter().for_each(|(channel, _, _, cost)| *held.entry(*channel).or_insert(0) += cost);
            let Some((_, fullest)) = held.iter().map(|(channel, cost)| (*cost, *channel)).max() else { return };
            let oldest = self.batches.iter().position(|(channel, ..)| *channel == fullest).unwrap();
            if held.values().sum::<usize>() <= HISTORY || oldest == self.batches.len() - 1 {
                return;
            }
            let (_, first, last, _) = self.batches.remove(oldest);
            self.events.iter_mut().filter(|event| (first..=last).contains(&event.number)).for_each(|event| event.is_dropped = true);
        }
    }

    fn newest(&self) -> u64 {
        self.events.last().map_or(0, |event| event.number)
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

/// One client through all its connections.
struct Guest {
    filter: Filter,
    connection: Option<(ViewKey, Cursor)>,
    /// Everything at or below is done with, as the client's last id says it.
    position: u64,
    /// Events that it got.
    got: BTreeSet<u64>,
    /// Events that it was told it cannot get.
    told: BTreeSet<u64>,
    /// The ids that it has seen, oldest first: it may come back with any that was cut off behind.
    ids: Vec<EventId>,
}

impl Guest {
    fn new(filter: Filter) -> Self {
        Self { filter, connection: None, position: 0, got: BTreeSet::new(), told: BTreeSet::new(), ids: Vec::new() }
    }

    /// Connects and checks the greeting. What the client is owed from now on: everything above its position that it was not
    /// told of.
    fn connect(&mut self, world: &mut World, ask: &Ask) {
        let view = world.index.join(&self.filter);
        let Opening::Stream(cursor, greeting) = world.index.begin(view, ask, world.now) else {
            panic!("no view of this test ever finishes");
        };
        self.connection = Some((view, cursor));
        match greeting {
            Greeting::None => {}
            Greeting::Start(start) => {
                self.position = start.position.number;
                self.ids.push(EventId { position: start.position, channel: None });
            }
            Greeting::Gap(gap) => self.hear(world, &gap),
        }
    }

    fn disconnect(&mut self, world: &mut World) {
        if let Some((view, _)) = self.connection.take() {
            world.index.leave(view);
        }
    }

    /// Loses what came behind one of its ids, and comes back with that.
    fn come_back(&mut self, world: &mut World, lose: usize) {
        self.disconnect(world);
        self.ids.truncate(self.ids.len().saturating_sub(lose).max(1));
        let Some(id) = self.ids.last().cloned() else { return };
        self.position = id.position.number;
        self.got.retain(|number| *number <= id.position.number);
        self.told.clear();
        self.connect(world, &Ask { last_event_id: Some(id), ..Ask::default() });
    }

    /// What it should have had up to `number`, and neither got nor was told of.
    fn missing(&self, world: &World, number: u64) -> BTreeSet<u64> {
        world.numbers(&self.filter, |event| {
            (self.position + 1..=number).contains(&event.number)
                && !self.got.contains(&event.number)
                && !self.told.contains(&event.number)
        })
    }

    fn hear(&mut self, world: &World, gap: &Gap) {
        let owed = self.missing(world, world.newest());
        let is_dropped = |number: &u64| world.events[usize::try_from(*number).unwrap() - 1].is_dropped;
        let (lost, available): (BTreeSet<u64>, BTreeSet<u64>) = owed.into_iter().partition(is_dropped);
        assert!(!lost.is_empty(), "a gap without a loss: {gap:?}");
        assert_eq!(gap.lost, Some(lost.len() as u64), "{gap:?} for {lost:?}");
        let losers: BTreeSet<_> = lost.iter().map(|n| name(world.events[usize::try_from(*n).unwrap() - 1].channel)).collect();
        assert_eq!(gap.channels.iter().cloned().collect::<BTreeSet<_>>(), losers);
        assert_eq!(gap.to.number, available.first().map_or(world.newest(), |first| first - 1), "just below the next event");
        self.told.extend(lost);
        self.position = gap.to.number;
        self.ids.push(EventId { position: gap.to, channel: None });
    }

    /// Reads once; true if there was anything.
    fn read(&mut self, world: &World, room: usize) -> bool {
        let Some((view, cursor)) = &mut self.connection else { return false };
        match world.index.read(*view, cursor, room) {
            Reading::Events(parts) => parts.iter().flat_map(|part| ids(part)).for_each(|id| self.take(world, id)),
            Reading::Gap(gap) => self.hear(world, &gap),
            Reading::CaughtUp => {
                assert_eq!(self.missing(world, world.newest()), BTreeSet::new(), "caught up, and not told of these");
                return false;
            }
            other => panic!("{other:?}"),
        }
        true
    }

    fn take(&mut self, world: &World, id: EventId) {
        let number = id.position.number;
        assert!(number > self.position, "{id} at or below the position {}", self.position);
        assert!(self.filter.contains(id.channel.as_ref().unwrap()), "{id} is not of the view");
        let event = &world.events[usize::try_from(number).unwrap() - 1];
        assert_eq!((id.position.time, id.channel.as_ref()), (event.time, Some(&name(event.channel))));
        assert_eq!(self.missing(world, number - 1), BTreeSet::new(), "skipped before {id} without a gap");
        self.got.insert(number);
        self.position = number;
        self.ids.push(id);
    }
}

/// The ids of encoded events.
fn ids(encoded: &[u8]) -> Vec<EventId> {
    let text = std::str::from_utf8(encoded).unwrap();
    text.lines().filter_map(|line| line.strip_prefix("id: ")).map(|id| id.parse().unwrap()).collect()
}

/// Everything that a finite or caught-up stream gives: the greeting's gap, and the numbers of its events.
fn all_of(world: &mut World, which: &Filter, ask: &Ask) -> (Option<Gap>, Vec<u64>) {
    let view = world.index.join(which);
    let Opening::Stream(mut cursor, greeting) = world.index.begin(view, ask, world.now) else { panic!("it is not over") };
    let mut numbers = Vec::new();
    loop {
        match world.index.read(view, &mut cursor, 100) {
            Reading::Events(parts) => numbers.extend(parts.iter().flat_map(|part| ids(part)).map(|id| id.position.number)),
            Reading::CaughtUp | Reading::Finished => break,
            other => panic!("nothing is published meanwhile, but: {other:?}"),
        }
    }
    world.index.leave(view);
    (if let Greeting::Gap(gap) = greeting { Some(gap) } else { None }, numbers)
}

#[derive(Debug, Clone)]
enum Step {
    Publish { channel: usize, lines: usize, clock: i64 },
    Read { guest: usize, room: usize, times: usize },
    Cut { guest: usize, lose: usize },
    Leave { guest: usize },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let publish =
        (0..4_usize, 1..5_usize, -50..100_i64).prop_map(|(channel, lines, clock)| Step::Publish { channel, lines, clock });
    let read = (0..4_usize, 1..400_usize, 1..6_usize).prop_map(|(guest, room, times)| Step::Read { guest, room, times });
    let cut = (0..4_usize, 0..4_usize).prop_map(|(guest, lose)| Step::Cut { guest, lose });
    let leave = (0..4_usize).prop_map(|guest| Step::Leave { guest });
    proptest::collection::vec(prop_oneof![6 => publish, 4 => read, 2 => cut, 1 => leave], 1..60)
}

/// A world in which things have been published.
fn published(steps: &[Step]) -> World {
    let mut world = World::new(4);
    for step in steps {
        if let Step::Publish { channel, lines, clock } = step {
            world.publish(*channel, *lines, *clock);
        }
    }
    world
}

proptest! {
    #[test]
    fn every_guest_gets_everything_once_or_is_told(steps in steps(), asks in proptest::collection::vec(any::<bool>(), 4)) {
        let mut world = World::new(4);
        let mut guests: Vec<_> = (0..4).map(|which| Guest::new(filter(which))).collect();
        for (guest, all) in guests.iter_mut().zip(asks) {
            let tail = if all { Tail::All } else { Tail::Newest(3) };
            guest.connect(&mut world, &Ask { tail: Some(tail), ..Ask::default() });
        }
        for step in steps {
            match step {
                Step::Publish { channel, lines, clock } => world.publish(channel, lines, clock),
                Step::Read { guest, room, times } => (0..times).for_each(|_| { guests[guest].read(&world, room); }),
                Step::Cut { guest, lose } => guests[guest].come_back(&mut world, lose),
                Step::Leave { guest } => guests[guest].disconnect(&mut world),
            }
            prop_assert!(world.index.held() <= HISTORY.max(world.batches.last().map_or(0, |batch| batch.3) + HISTORY));
        }
        for guest in &mut guests {
            if guest.connection.is_none() {
                guest.come_back(&mut world, 0);
            }
            while guest.read(&world, 200) {}
        }
    }

    #[test]
    fn queries_give_exactly_what_they_ask_for(steps in steps(), which in 0..4_usize, count in 0..12_u64, ago in 0..2000_u64) {
        let mut world = published(&steps);
        let view = filter(which);
        let retained: Vec<_> = world.of(&view).filter(|event| !event.is_dropped).cloned().collect();
        let numbers = |events: &[Known]| events.iter().map(|event| event.number).collect::<Vec<_>>();
        let dropped = world.numbers(&view, |event| event.is_dropped);

        let (gap, got) = all_of(&mut world, &view, &Ask { tail: Some(Tail::All), ..Ask::default() });
        prop_assert_eq!(got, numbers(&retained));
        prop_assert_eq!(gap.map(|gap| gap.lost), (!dropped.is_empty()).then_some(Some(dropped.len() as u64)));

        let newest = &retained[retained.len().saturating_sub(usize::try_from(count).unwrap())..];
        let tail = Some(Tail::Newest(count));
        let (gap, got) = all_of(&mut world, &view, &Ask { tail, ..Ask::default() });
        prop_assert_eq!(got, numbers(newest), "tail={}", count);
        prop_assert_eq!(gap, None);

        let time = world.now.saturating_sub(ago);
        let since: Vec<_> = retained.iter().filter(|event| event.time >= time).cloned().collect();
        let (gap, got) = all_of(&mut world, &view, &Ask { since: Some(time), ..Ask::default() });
        prop_assert_eq!(got, numbers(&since));
        prop_assert_eq!(gap.is_some(), world.of(&view).any(|event| event.is_dropped && event.time >= time));

        let (_, got) = all_of(&mut world, &view, &Ask { since: Some(time), tail, ..Ask::default() });
        prop_assert_eq!(got, numbers(&since[since.len().saturating_sub(usize::try_from(count).unwrap())..]));

        if let Some(middle) = retained.get(retained.len() / 2).cloned() {
            let earlier = &retained[..retained.len() / 2];
            let page = &earlier[earlier.len().saturating_sub(usize::try_from(count).unwrap())..];
            let id = EventId { position: Position { number: middle.number, time: middle.time }, channel: None };
            let (gap, got) = all_of(&mut world, &view, &Ask { before: Some(id), tail, ..Ask::default() });
            prop_assert_eq!(got, numbers(page));
            prop_assert_eq!(gap, None);
        }
    }

    #[test]
    fn foreign_ids_get_a_restart_and_what_came_later(steps in steps(), which in 0..4_usize, number: u64, ahead in -3000..3000_i64) {
        let mut world = published(&steps);
        let view = filter(which);
        let time = world.now.saturating_add_signed(ahead);
        let number = number.max(world.newest() + 1);
        let id = EventId { position: Position { number, time }, channel: None };
        let is_ahead = time > world.now;
        let expected: Vec<_> =
            world.of(&view).filter(|event| !event.is_dropped && (is_ahead || event.time > time)).map(|event| event.number).collect();
        let (gap, got) = all_of(&mut world, &view, &Ask { last_event_id: Some(id.clone()), ..Ask::default() });
        prop_assert_eq!(got, expected);
        let gap = gap.expect("a foreign id is told of the restart");
        prop_assert_eq!((gap.reason, gap.from, gap.lost), (Reason::Restart, Some(id), None));
    }

    #[test]
    fn ids_verify_themselves(steps in steps(), pick: prop::sample::Index, wrong in 1..1000_u64) {
        let world = published(&steps);
        prop_assume!(!world.events.is_empty());
        let event = pick.get(&world.events);
        let id = |number, time, channel: Option<usize>| EventId { position: Position { number, time }, channel: channel.map(name) };
        prop_assert!(world.index.is_of_this_life(&id(event.number, event.time, Some(event.channel))));
        prop_assert!(world.index.is_of_this_life(&id(event.number, event.time, None)));
        prop_assert!(world.index.is_of_this_life(&id(0, BEGAN, None)));
        prop_assert!(!world.index.is_of_this_life(&id(0, BEGAN + wrong, None)));
        prop_assert!(!world.index.is_of_this_life(&id(event.number, BEGAN - wrong, None)), "before the life began");
        prop_assert!(!world.index.is_of_this_life(&id(world.newest() + wrong, event.time, None)), "newer than the newest");
        if !event.is_dropped {
            prop_assert!(!world.index.is_of_this_life(&id(event.number, event.time + wrong, None)), "another time");
            prop_assert!(!world.index.is_of_this_life(&id(event.number, event.time, Some((event.channel + 1) % 4))), "another channel");
        }
    }
}

#[test]
fn a_channel_below_its_even_share_loses_nothing() {
    let mut world = World::new(2);
    world.publish(0, 1, 1);
    (0..100).for_each(|_| world.publish(1, 3, 1));
    assert_eq!(world.index.channels[0].dropped.count(), 0);
    assert!(world.index.channels[1].dropped.count() > 250);
}

#[test]
fn a_finished_view_is_over_only_for_who_has_everything() {
    let mut world = World::new(3);
    (0..3).for_each(|channel| world.publish(channel, 2, 1));
    (0..2).for_each(|channel| world.index.end(channel, EndReason::Eof));
    let open = |world: &mut World, which: usize, number: u64| {
        let view = world.index.join(&filter(which));
        let time = world.events.iter().find(|event| event.number == number).unwrap().time;
        let id = EventId { position: Position { number, time }, channel: None };
        matches!(world.index.begin(view, &Ask { last_event_id: Some(id), ..Ask::default() }, world.now), Opening::Over)
    };
    assert!(open(&mut world, 1, 4), "web has ended, and 4 is its last");
    assert!(open(&mut world, 1, 6), "a later id of another channel covers it as well");
    assert!(!open(&mut world, 1, 3), "one event is still owed");
    assert!(!open(&mut world, 0, 6), "db goes on");
}

#[test]
fn progress_is_seen_once_and_goes_with_its_line() {
    let mut world = World::new(1);
    let view = world.index.join(&Filter::All);
    let Opening::Stream(mut cursor, _) = world.index.begin(view, &Ask::default(), world.now) else { panic!("a stream") };
    let mut read = |world: &World| match world.index.read(view, &mut cursor, 100) {
        Reading::Progress(states) => format!("{states:?}"),
        other => format!("{other:?}"),
    };
    world.index.set_progress(0, Bytes::from_static(b"10%"));
    world.index.set_progress(0, Bytes::from_static(b"20%"));
    assert_eq!(read(&world), "[b\"20%\"]");
    assert_eq!(read(&world), "CaughtUp");
    world.index.set_progress(0, Bytes::from_static(b"30%"));
    world.publish(0, 1, 1);
    assert!(read(&world).starts_with("Events"));
    assert_eq!(read(&world), "CaughtUp");
}
