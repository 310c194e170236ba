//! One log through crashes: whatever is cut at whatever operation, what was appended is there, and what was synced survives the power.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use super::super::log::{Entry, Log};
use super::super::volume::Volume;
use super::simulated::Simulated;
use super::{Known, chance, encoded, held};
use crate::event::{Age, Position};

/// Small, so that most runs have several segments.
const LIMIT: u64 = 600;

const BEGAN: u64 = 1000;

#[derive(Debug, Clone)]
enum Step {
    /// So many records of so many events of so many bytes; without events the source's position moves alone.
    Append(usize, u64, usize),
    Sync,
    Reopen,
    /// The process ends, or the power, after so many operations, and so much of the write that is under way is done.
    Cut {
        after: usize,
        part: usize,
        power: Option<u64>,
    },
    /// A write fails, and so much of it is done, but the process goes on.
    Fail {
        after: usize,
        part: usize,
    },
    /// A bit of what is there flips.
    Flip(prop::sample::Index, prop::sample::Index, u32),
}

struct World {
    volume: Simulated,
    log: Log,
    /// What was appended, oldest first.
    records: Vec<Known>,
    /// What was being appended when everything ended.
    doubtful: Vec<Known>,
    /// The number up to which everything is safe.
    synced: u64,
    newest: Position,
    /// How many events were given to it, stored or not.
    total: u64,
    appended: u64,
}

fn open(volume: &Simulated, synced: u64) -> Log {
    let volume: Arc<dyn Volume> = Arc::new(volume.clone());
    Log::open(&volume, Path::new("/state"), "web/a".parse().unwrap(), BEGAN, synced).expect("it can be opened").0
}

impl World {
    fn new() -> Self {
        let volume = Simulated::default();
        let log = open(&volume, 0);
        let newest = Position { number: 0, time: BEGAN };
        Self { volume, log, records: Vec::new(), doubtful: Vec::new(), synced: 0, newest, total: 0, appended: 0 }
    }

    fn append(&mut self, parts: usize, count: u64, size: usize) {
        self.appended += 1;
        let time = self.newest.time + 1;
        let source = format!("offset.{}", self.appended);
        let (mut newest, mut total) = (self.newest, self.total);
        let mut all = Vec::new();
        for part in 1..=parts {
            let first = newest.number + 1 + if part == 1 { self.appended % 3 } else { 0 }; // the others are other channels'
            let events = encoded("web/a", time, first, count, size);
            newest = if count > 0 { Position { time, number: first + count - 1 } } else { newest };
            total += count;
            all.push(Known { last: newest, count, total, events, source: (part == parts).then(|| source.clone()) });
        }
        let entry = |known: &Known| (known.last, known.count);
        let entries: Vec<_> = all
            .iter()
            .map(|known| (entry(known), &known.events))
            .map(|((last, count), events)| Entry { last, count, events, age: Age::New })
            .collect();
        match self.log.append(&entries, Some(&source), LIMIT, &mut Vec::new()) {
            Ok(()) => self.records.extend(all),
            Err(_) => self.doubtful = all,
        }
        (self.newest, self.total) = (newest, total);
    }

    fn sync(&mut self) {
        let unsynced = self.log.take_unsynced();
        match unsynced.sync(&self.volume) {
            Ok(()) => self.synced = self.newest.number,
            Err(_) => assert!(self.volume.is_cut()),
        }
    }

    fn held(&self) -> Vec<Known> {
        held(&self.volume, &self.log, "web/a")
    }

    /// The holes are where events are missing, with their counts.
    fn assert_holes(&self) {
        let mut expected = Vec::new();
        let mut before = 0;
        for record in &self.records {
            if record.total - record.count > before {
                expected.push((record.total - record.count - before, record.last.number));
            }
            before = record.total;
        }
        let holes: Vec<_> = self.log.holes().collect();
        assert_eq!(
            holes.iter().map(|hole| hole.count).sum::<u64>(),
            expected.iter().map(|(count, _)| count).sum::<u64>(),
            "{holes:?}"
        );
        for hole in holes {
            let above = self.records.iter().find(|record| record.count > 0 && record.last.number > hole.through.number);
            assert!(above.is_none_or(|record| record.last.number + 1 - record.count > hole.through.number), "{hole:?}");
        }
    }

    fn reopen(&mut self) {
        self.log = open(&self.volume, self.synced);
        let held = self.held();
        let mut possible = self.records.clone();
        if held.len() > possible.len() {
            possible.append(&mut self.doubtful); // all of it
        }
        assert_eq!(held, possible);
        self.settle(held);
    }

    /// After a power cut, what was not synced may be missing.
    fn reopen_after_power_cut(&mut self) {
        self.log = open(&self.volume, self.synced);
        let held = self.held();
        let mut possible = self.records.iter().chain(&self.doubtful);
        for record in &held {
            assert!(possible.any(|known| known == record), "{record:?} was never appended, or not here");
        }
        let synced = self.records.iter().filter(|record| record.last.number <= self.synced && record.count > 0);
        for record in synced {
            assert!(held.contains(record), "{record:?} was synced and is lost");
        }
        self.settle(held);
    }

    fn settle(&mut self, held: Vec<Known>) {
        self.doubtful.clear();
        self.records = held;
        let last = self.records.last();
        self.total = last.map_or(0, |last| last.total);
        assert!(last.is_none_or(|last| last.source.is_some()), "what was read at once is there as a whole");
        assert_eq!(self.log.source(), self.records.iter().rev().find_map(|record| record.source.as_deref()));
        // Numbers may be used again, with other times.
        let number = self.log.newest().map_or(0, |newest| newest.number).max(self.synced);
        self.newest = Position { number, time: self.newest.time + 1 };
        self.assert_holes();
    }

    fn cut(&mut self, after: usize, part: usize, power: Option<u64>) {
        self.volume.cut_after(after, part);
        for size in [5, 40, 300, 10, 80] {
            self.append(1 + size % 2, 1 + size as u64 % 3, size);
            if self.volume.is_cut() {
                break;
            }
            self.sync();
            if self.volume.is_cut() {
                break;
            }
        }
        match power {
            None => {
                self.volume.restart();
                self.reopen();
            }
            Some(seed) => {
                self.volume.power_cut(chance(seed));
                self.reopen_after_power_cut();
            }
        }
    }

    /// The disk is full for a while.
    fn fail(&mut self, after: usize, part: usize) {
        self.volume.cut_after(after, part);
        for size in [5, 300, 40] {
            self.append(1, 2, size);
        }
        self.volume.restart();
        self.doubtful.clear();
        self.append(1, 1, 20);
        assert_eq!(self.held(), self.records);
        self.assert_holes();
    }

    /// Damage is found by whoever looks: at most the records that it lies in are lost, and that is known.
    fn flip(&mut self, file: prop::sample::Index, at: prop::sample::Index, bit: u32) {
        let segments: Vec<_> = self
            .volume
            .files()
            .into_iter()
            .filter(|(path, bytes)| path.to_string_lossy().ends_with(".sse") && !bytes.is_empty())
            .collect();
        if segments.is_empty() {
            return;
        }
        let (path, bytes) = file.get(&segments);
        let at = at.index(bytes.len());
        self.volume.tamper(path, |bytes| bytes[at] ^= 1 << bit);
        self.log = open(&self.volume, 0);
        let held = self.held();
        let lost: Vec<_> = self.records.iter().filter(|record| record.count > 0 && !held.contains(record)).collect();
        let turns: BTreeSet<_> = lost.iter().map(|record| record.last.time).collect();
        assert!(turns.len() <= 2, "one flipped bit has cost {lost:?}");
        assert!(held.iter().all(|record| self.records.contains(record)));
        self.synced = 0;
        self.settle(held);
    }
}

fn step() -> impl Strategy<Value = Step> {
    let cut = |power: BoxedStrategy<Option<u64>>| {
        (1..14_usize, 0..101_usize, power).prop_map(|(after, part, power)| Step::Cut { after, part, power })
    };
    prop_oneof![
        8 => (1..4_usize, 0..4_u64, prop_oneof![0..30_usize, 100..900_usize])
            .prop_map(|(parts, count, size)| Step::Append(if count == 0 { 1 } else { parts }, count, size)),
        2 => Just(Step::Sync),
        1 => Just(Step::Reopen),
        2 => cut(Just(None).boxed()),
        2 => cut(any::<u64>().prop_map(Some).boxed()),
        1 => (1..8_usize, 0..101_usize).prop_map(|(after, part)| Step::Fail { after, part }),
        1 => (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..8_u32).prop_map(|(file, at, bit)| Step::Flip(file, at, bit)),
    ]
}

proptest! {
    #[test]
    fn nothing_that_was_appended_is_lost_or_changed_but_by_power_and_damage(steps in proptest::collection::vec(step(), 1..30)) {
        let mut world = World::new();
        for step in steps {
            match step {
                Step::Append(parts, count, size) => world.append(parts, count, size),
                Step::Sync => world.sync(),
                Step::Reopen => world.reopen(),
                Step::Cut { after, part, power } => world.cut(after, part, power),
                Step::Fail { after, part } => world.fail(after, part),
                Step::Flip(file, at, bit) => world.flip(file, at, bit),
            }
        }
    }
}
