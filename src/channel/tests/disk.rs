//! The model of a disk: what is on it, and what it answers.

use super::*;

/// Whether the world has a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backed {
    Not,
    ByDisk,
}

impl World {
    /// Opens a view; what the index has to know of the disk it is told.
    pub fn begin(&self, view: ViewKey, ask: &Ask) -> Opening {
        let mut answers = Answers::default();
        for _ in 0..10 {
            match self.index.begin(view, ask, self.now, &answers) {
                Opening::Unknown(question) => self.answer(question, self.index.filter(view), &mut answers),
                known => return known,
            }
        }
        panic!("it does not stop asking");
    }

    /// Whether an id is taken for one of this life.
    pub fn knows(&self, id: &EventId) -> bool {
        let mut answers = Answers::default();
        loop {
            match self.index.is_of_this_life(id, &answers) {
                Ok(is) => return is,
                Err(question) => self.answer(question, &Filter::All, &mut answers),
            }
        }
    }

    fn answer(&self, question: Question, filter: &Filter, answers: &mut Answers) {
        assert_eq!(self.backed, Backed::ByDisk, "there is nobody to ask");
        let mut stored = self.events.iter().filter(|event| event.is_on_disk);
        match question {
            Question::Event(number) => {
                let at = stored.clone().find(|event| event.number == number);
                let around = Around {
                    at: at.map(|event| (event.time, name(event.channel))),
                    before: stored.clone().rfind(|event| event.number < number).map(|event| event.time),
                    after: stored.find(|event| event.number > number).map(|event| event.time),
                };
                answers.learn_event(number, around);
            }
            Question::Until(time) => {
                let last = stored.rfind(|event| event.time <= time).map_or(Position::default(), Known::position);
                answers.learn_place(question, last);
            }
            Question::Newest { count, until, ages, ref beside } => {
                let wanted =
                    |event: &&Known| event.number <= until && ages.contain(event.age) && filter.contains(&name(event.channel));
                let newest = |count: u64| {
                    let mut back = stored.clone().filter(wanted).rev().map(|event| event.number - 1);
                    if count == 0 { until } else { back.nth(usize::try_from(count).unwrap() - 1).unwrap_or(0) }
                };
                let number = beside.newest(count, |count| Ok::<_, std::convert::Infallible>(newest(count))).unwrap();
                let time = stored.rfind(|event| event.number <= number).map_or(0, |event| event.time);
                answers.learn_place(question, Position { number, time });
            }
        }
    }

    /// What the disk gives to a client, and where it is then.
    pub fn read_from_disk(&self, filter: &Filter, archived: &Archived, room: usize, cursor: &mut Cursor) -> Vec<EventId> {
        let is_wanted = |event: &&Known| {
            let is_of_view = filter.contains(&name(event.channel)) && archived.ages.contain(event.age);
            event.is_on_disk && is_of_view && archived.numbers.contains(&event.number)
        };
        let events: Vec<_> = self.events.iter().filter(is_wanted).take(1 + room / 100).collect();
        match events.last() {
            Some(last) => cursor.move_on(last.position()),
            None => cursor.pass(*archived.numbers.end()),
        }
        events.iter().map(|event| EventId { position: event.position(), channel: Some(name(event.channel)) }).collect()
    }

    /// The disk lets go the oldest events that it has of a channel.
    pub fn let_go(&mut self, channel: usize, count: usize) {
        let stored = self.events.iter_mut().filter(|event| event.channel == channel && event.is_on_disk);
        let mut gone: Vec<_> = stored.take(count).collect();
        // A segment ends where a batch does.
        let batches = self.batches.iter().map(|(_, _, last, _)| *last);
        let ends: BTreeSet<_> = batches.collect();
        while gone.last().is_some_and(|last| last.is_in_memory && !ends.contains(&last.number)) {
            gone.pop();
        }
        let age = gone.last().map(|last| last.age);
        let skipped = gone.iter().position(|event| Some(event.age) == age).unwrap_or(0);
        let (old, same) = gone.split_at_mut(skipped);
        for part in [old, same] {
            let (Some(first), Some(last)) = (part.first(), part.last()) else { continue };
            let loss = Loss {
                first: first.number,
                through: last.position(),
                count: part.len() as u64,
                age: Some(last.age),
                counted: Counted::Exactly,
            };
            for event in part.iter_mut() {
                event.is_on_disk = false;
            }
            self.index.let_go(&name(channel), loss);
        }
    }

    /// All files of a channel are removed by somebody.
    pub fn lose_files(&mut self, channel: usize) {
        let gone: Vec<_> = self.events.iter_mut().filter(|event| event.channel == channel && event.is_on_disk).collect();
        let (Some(first), Some(last)) = (gone.first(), gone.last()) else { return };
        let (first, through, count) = (first.number, last.position(), gone.len() as u64);
        let is_one_age = gone.iter().all(|event| event.age == last.age);
        let age = is_one_age.then_some(last.age);
        for event in gone {
            event.is_on_disk = false;
        }
        self.index.lose_on_disk(&name(channel), Loss { first, through, count, age, counted: Counted::Exactly }, None);
    }

    /// Some events on the disk turn out to be damaged.
    pub fn damage(&mut self, pick: prop::sample::Index, count: usize) {
        self.is_damaged = true;
        let stored: Vec<_> =
            self.events.iter().filter(|event| event.is_on_disk && !event.is_in_memory).map(|event| event.number).collect();
        if stored.is_empty() {
            return;
        }
        let first = *pick.get(&stored);
        let channel = self.event(first).channel;
        let is_one =
            |event: &&mut Known| event.number >= first && event.channel == channel && event.is_on_disk && !event.is_in_memory;
        let mut gone: Vec<_> = self.events.iter_mut().filter(is_one).take(count).collect();
        let last = gone.last().map_or(Position::default(), |last| last.position());
        for event in &mut gone {
            event.is_on_disk = false;
        }
        let loss = Loss { first, through: last, count: gone.len() as u64, age: None, counted: Counted::Exactly };
        let left = self.events.iter().rfind(|event| event.channel == channel && event.is_on_disk).map(Known::position);
        self.index.lose_on_disk(&name(channel), loss, left);
    }

    /// The daemon ends, and begins again with what is on the disk.
    pub fn restart(&mut self) {
        if self.backed == Backed::Not {
            return;
        }
        // The last event of all is stored: what follows a failure of the disk to the end belongs to another life.
        self.publish(0, 1, 1, Age::New);
        self.events.iter_mut().for_each(|event| event.is_in_memory = false);
        self.batches.clear();
        self.dropped_before = self.events.iter().filter(|event| event.is_dropped()).count() as u64;
        self.index = Index::new(HISTORY, BEGAN);
        self.index.max_ghosts = GHOSTS;
        let buried = (0..self.feeds.len()).filter(|channel| self.feeds[*channel].presence != Feeding::Living);
        self.floor = buried.map(|channel| self.feeds[channel].last).chain([self.floor]).max().unwrap_or(0);
        self.burials = usize::from(self.floor > 0);
        let floor = (self.floor > 0).then(|| self.event(self.floor).position());
        self.index.go_on(self.event(self.newest()).position(), floor);
        self.next_key = 0;
        let mut channels: Vec<_> = (0..self.feeds.len()).collect();
        channels.sort_by_key(|channel| (self.feeds[*channel].last == 0, name(*channel)));
        for channel in channels {
            if self.feeds[channel].presence != Feeding::Living {
                self.events.iter_mut().filter(|event| event.channel == channel).for_each(|event| event.is_buried = true);
                self.feeds[channel] = Feed { has_new: self.feeds[channel].has_new, ..Feed::default() };
                continue;
            }
            self.feeds[channel].key = self.next_key;
            self.next_key += 1;
            if self.feeds[channel].last > 0 {
                let stored = self.stored(channel);
                self.index.restore(&name(channel), &stored);
            }
            assert_eq!(self.index.open(&name(channel)), self.feeds[channel].key);
        }
    }

    /// What is stored of a channel, as a disk knows it.
    fn stored(&self, channel: usize) -> Stored {
        let own: Vec<_> = self.events.iter().filter(|event| event.channel == channel && !event.is_buried).collect();
        let old_through = own.iter().rev().find(|event| event.age == Age::Old).map_or(0, |event| event.number);
        let (mut losses, mut after): (Vec<Loss>, u64) = (Vec::new(), 0);
        for event in &own {
            if event.is_on_disk {
                after = event.number;
                continue;
            }
            match losses.last_mut().filter(|loss| loss.first == after + 1) {
                Some(loss) => (loss.through, loss.count) = (event.position(), loss.count + 1),
                None => losses.push(Loss {
                    first: after + 1,
                    through: event.position(),
                    count: 1,
                    age: None,
                    counted: Counted::Exactly,
                }),
            }
        }
        let last = own.last().map_or(Position::default(), |last| last.position());
        let archived = own.iter().rev().find(|event| event.is_on_disk).map(|event| event.position());
        Stored { published: own.len() as u64, last, old_through, archived, losses }
    }

    /// A gap ends just below the first event behind it; at the newest if there is none. On a disk nobody knows which that is: it ends before it.
    pub fn check_end_of_gap(&self, gap: &Gap, first: Option<u64>) {
        let end = first.map_or(self.newest(), |first| first - 1);
        match self.backed {
            Backed::Not => assert_eq!(gap.to.number, end, "{gap:?}"),
            Backed::ByDisk => assert!(gap.to.number <= end, "{gap:?} reaches over {end}"),
        }
    }
}
