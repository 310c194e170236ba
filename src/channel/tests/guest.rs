//! A client of the model, which checks everything that it is given.

use std::collections::BTreeSet;

use super::*;

/// One client through all its connections.
pub struct Guest {
    filter: Filter,
    pub connection: Option<(ViewKey, Cursor)>,
    /// Which lines its connection is owed.
    pub ages: Ages,
    /// Everything at or below is done with, as the client's last id says it.
    position: u64,
    /// Events that it got.
    got: BTreeSet<u64>,
    /// Events that it was told it cannot get.
    told: BTreeSet<u64>,
    /// How many channels were gone for good when it was told of something last.
    burials: usize,
    /// The ids that it has seen, oldest first: it may come back with any that was cut off behind.
    pub ids: Vec<EventId>,
}

impl Guest {
    pub fn new(filter: Filter) -> Self {
        let (got, told) = (BTreeSet::new(), BTreeSet::new());
        Self { filter, connection: None, ages: Ages::All, position: 0, got, told, burials: 0, ids: Vec::new() }
    }

    /// Connects and checks the greeting. What the client is owed from now on: everything of its ages above its position that
    /// it was not told of.
    pub fn connect(&mut self, world: &mut World, ask: &Ask) {
        self.burials = 0;
        let view = world.index.join(&self.filter);
        let Opening::Stream(cursor, greeting) = world.begin(view, ask) else {
            world.index.leave(view);
            return self.check_end(world);
        };
        self.connection = Some((view, cursor));
        match greeting {
            Greeting::None => {}
            Greeting::Start(start) => {
                assert_eq!(start.channels.iter().cloned().collect::<BTreeSet<_>>(), world.living(&self.filter));
                self.position = start.position.number;
                self.ids.push(EventId { position: start.position, channel: None });
            }
            Greeting::Gap(gap) if gap.reason == Reason::Restart => self.hear_of_restart(world, &gap),
            Greeting::Gap(gap) => self.hear(world, &gap),
        }
    }

    pub fn disconnect(&mut self, world: &mut World) {
        if let Some((view, _)) = self.connection.take() {
            world.index.leave(view);
        }
    }

    /// Loses what came behind one of its ids, and comes back with that.
    pub fn come_back(&mut self, world: &mut World, lose: usize) {
        self.disconnect(world);
        self.ids.truncate(self.ids.len().saturating_sub(lose).max(1));
        let Some(id) = self.ids.last().cloned() else { return };
        self.ages = Ages::All;
        self.position = id.position.number;
        self.got.retain(|number| *number <= id.position.number);
        self.told.clear();
        self.connect(world, &Ask { last_event_id: Some(id.clone()), ..Ask::default() });
        assert_eq!(
            self.ids.first().map(|first| first.position <= id.position),
            Some(true),
            "{id} is not taken for one of this life"
        );
    }

    /// Comes with an id of another life: what it has seen there is not repeated.
    pub fn come_from_another_life(&mut self, world: &mut World, ago: u64) {
        self.disconnect(world);
        self.ages = Ages::New;
        let position = Position { number: world.newest() + 1, time: world.now.saturating_sub(ago) };
        self.connect(world, &Ask { last_event_id: Some(EventId { position, channel: None }), ..Ask::default() });
    }

    /// What it should have had up to `number`, and neither got nor was told of.
    fn missing(&self, world: &World, number: u64) -> BTreeSet<u64> {
        world.numbers(&self.filter, |event| {
            (self.position + 1..=number).contains(&event.number)
                && self.ages.contain(event.age)
                && !self.got.contains(&event.number)
                && !self.told.contains(&event.number)
        })
    }

    fn hear_of_restart(&mut self, world: &World, gap: &Gap) {
        assert_eq!(gap.channels.iter().cloned().collect::<BTreeSet<_>>(), world.living(&self.filter));
        let time = gap.from.as_ref().unwrap().position.time;
        let mut wanted = world.of(&self.filter).filter(|event| !event.is_dropped() && event.age == Age::New && event.time > time);
        world.check_end_of_gap(gap, wanted.next().map(|first| first.number));
        self.got.clear();
        self.told = world.numbers(&self.filter, Known::is_dropped);
        self.burials = world.burials;
        self.position = gap.to.number;
        self.ids = vec![EventId { position: gap.to, channel: None }];
    }

    fn hear(&mut self, world: &World, gap: &Gap) {
        let owed = self.missing(world, world.newest());
        let (lost, available): (BTreeSet<u64>, BTreeSet<u64>) = owed.into_iter().partition(|n| world.event(*n).is_dropped());
        let channels: BTreeSet<_> = gap.channels.iter().cloned().collect();
        let losers: BTreeSet<_> = lost.iter().map(|n| world.event(*n).channel).collect();
        let may_be_floor = world.floor > self.position && world.burials > self.burials;
        let is_blurred = losers.iter().any(|channel| world.feeds[*channel].is_blurred);
        if may_be_floor && gap.lost.is_none() && channels == world.living(&self.filter) {
            // Nobody can say more.
        } else if lost.is_empty() && world.is_damaged && gap.lost.is_none() {
            // Where a disk was damaged, nobody knows which event was the last before.
        } else {
            assert!(!lost.is_empty(), "a gap without a loss: {gap:?}");
            assert!(!lost.iter().any(|n| world.event(*n).is_buried), "nobody can say where {lost:?} went, but: {gap:?}");
            let is_blurred = is_blurred || world.backed == Backed::ByDisk && gap.lost.is_none();
            assert!(is_blurred || gap.lost == Some(lost.len() as u64), "{gap:?} for {lost:?}");
            assert_eq!(channels, losers.into_iter().map(name).collect());
        }
        world.check_end_of_gap(gap, available.first().copied());
        assert!(
            gap.to.number >= self.ids.last().map_or(0, |id| id.position.number) || !self.ages.contain(Age::Old),
            "{gap:?} leads back"
        );
        self.told.extend(lost);
        self.burials = world.burials;
        self.position = gap.to.number;
        self.ids.push(EventId { position: gap.to, channel: None });
    }

    /// Reads once; true if there was anything.
    pub fn read(&mut self, world: &mut World, room: usize) -> bool {
        let Some((view, cursor)) = &mut self.connection else { return false };
        match world.index.read(*view, cursor, room) {
            Reading::Events(parts) => parts.iter().flat_map(|part| ids(part)).for_each(|id| self.take(world, id)),
            Reading::Archived(archived) => {
                let ids = world.read_from_disk(&self.filter, &archived, room, cursor);
                for id in ids {
                    self.take(world, id);
                }
            }
            Reading::Gap(gap) => self.hear(world, &gap),
            Reading::CaughtUp => {
                assert_eq!(self.missing(world, world.newest()), BTreeSet::new(), "caught up, and not told of these");
                assert!(!world.living(&self.filter).is_empty(), "nothing can come any more");
                return false;
            }
            Reading::Finished => {
                self.disconnect(world);
                self.check_end(world);
                return false;
            }
            other @ Reading::Progress(_) => panic!("{other:?}"),
        }
        true
    }

    fn check_end(&self, world: &World) {
        assert_eq!(self.missing(world, world.newest()), BTreeSet::new(), "over, and not told of these");
        assert!(world.living(&self.filter).is_empty(), "more may come");
    }

    fn take(&mut self, world: &World, id: EventId) {
        let number = id.position.number;
        assert!(number > self.position, "{id} at or below the position {}", self.position);
        assert!(self.filter.contains(id.channel.as_ref().unwrap()), "{id} is not of the view");
        let event = world.event(number);
        assert_eq!((id.position.time, id.channel.as_ref()), (event.time, Some(&name(event.channel))));
        assert!(self.ages.contain(event.age), "{id} is old");
        assert_eq!(self.missing(world, number - 1), BTreeSet::new(), "skipped before {id} without a gap");
        self.got.insert(number);
        self.position = number;
        self.ids.push(id);
    }
}
