//! One log through crashes: whatever is cut at whatever operation, what was appended is there, and what was synced survives the power.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use super::super::hole::Bound;
use super::super::log::{Entry, Limits, Log};
use super::super::volume::Volume;
use super::simulated::Simulated;
use super::{Cut, Ended, Known, cut, encoded, held};
use crate::event::{Age, Position};

/// Small, so that most runs have several segments.
const LIMIT: u64 = 600;

const BEGAN: u64 = 1000;

#[derive(Debug, Clone)]
enum Step {
    /// So many records of so many events of so many bytes, new or old; without events the source's position moves alone.
    Append(usize, u64, usize, Age),
    Sync,
    Reopen,
    /// What is to do ends early.
    Cut(Cut),
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
    /// How many events were given to it, stored or not, and the last of each record of them.
    total: u64,
    every: Vec<Position>,
    old_through: u64,
    /// Whether bytes were not as they were written: by a flipped bit, or a power cut.
    is_damaged: bool,
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
        Self {
            volume,
            log,
            records: Vec::new(),
            doubtful: Vec::new(),
            synced: 0,
            newest,
            total: 0,
            every: Vec::new(),
            old_through: 0,
            is_damaged: false,
            appended: 0,
        }
    }

    fn append(&mut self, parts: usize, count: u64, size: usize, age: Age) {
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
            let age = if count > 0 { age } else { Age::New };
            all.push(Known { last: newest, count, total, age, events, source: (part == parts).then(|| source.clone()) });
            if count > 0 {
                self.every.push(newest);
                self.old_through = if age == Age::Old { newest.number } else { self.old_through };
            }
        }
        let entry = |known| {
            let Known { last, count, events, .. }: &Known = known;
            Entry { last: *last, count: *count, events, age }
        };
        let entries: Vec<_> = all.iter().map(entry).collect();
        match self.log.append(&entries, Some(&source), Limits { bytes: LIMIT, span: None }, &mut Vec::new()) {
            Ok(()) => self.records.extend(all),
            Err(_) => self.doubtful = all,
        }
        (self.newest, self.total) = (newest, total);
        assert_eq!((self.log.total(), self.log.old_through()), (total, self.old_through));
        self.assert_holes();
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

    /// The holes are where events are missing, with their counts, and end with the last of these.
    fn assert_holes(&self) {
        let mut expected = Vec::new();
        let mut before = (0, 0);
        for record in self.records.iter().filter(|record| record.count > 0) {
            let missing = record.total - record.count - before.1;
            expected.extend((missing > 0).then_some((before.0, missing, record.last.number + 1 - record.count)));
            before = (record.last.number, record.total);
        }
        let at_end = self.total - before.1;
        expected.extend((at_end > 0).then_some((before.0, at_end, u64::MAX)));
        let holes: Vec<_> = self.log.holes().collect();
        assert_eq!(
            holes.iter().map(|hole| (hole.after, hole.count)).collect::<Vec<_>>(),
            expected.iter().map(|(after, count, _)| (*after, *count)).collect::<Vec<_>>()
        );
        for (hole, (_, _, next)) in holes.iter().zip(expected) {
            let last = self.every.iter().rev().find(|event| event.number < next && event.number > hole.after);
            match hole.bound {
                Bound::Exact => assert_eq!(Some(&hole.through), last, "{hole:?}"),
                Bound::AtMost => {
                    assert!(self.is_damaged, "only damage makes it unknown");
                    assert!(hole.through.number < next && last.is_none_or(|last| last.number <= hole.through.number), "{hole:?}");
                }
            }
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
        self.is_damaged = true;
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
        self.every.retain(|event| last.is_some_and(|last| *event <= last.last));
        let old = |record: &&Known| record.age == Age::Old && record.count > 0;
        self.old_through = self.records.iter().rfind(old).map_or(0, |record| record.last.number);
        assert!(last.is_none_or(|last| last.source.is_some()), "what was read at once is there as a whole");
        assert_eq!(self.log.source(), self.records.iter().rev().find_map(|record| record.source.as_deref()));
        // Numbers may be used again, with other times.
        let number = self.log.newest().map_or(0, |newest| newest.number).max(self.synced);
        self.newest = Position { number, time: self.newest.time + 1 };
        self.assert_holes();
    }

    fn cut(&mut self, cut: Cut) {
        let volume = self.volume.clone();
        let ended = cut.short(&volume, [5, 40, 300, 10, 80], |size| {
            self.append(1 + size % 2, 1 + size as u64 % 3, size, Age::New);
            if !volume.is_cut() {
                self.sync();
            }
        });
        match ended {
            Ended::Process => self.reopen(),
            Ended::Power => self.reopen_after_power_cut(),
        }
    }

    /// The disk is full for a while.
    fn fail(&mut self, after: usize, part: usize) {
        self.volume.cut_after(after, part);
        for size in [5, 300, 40] {
            self.append(1, 2, size, Age::New);
        }
        self.volume.restart();
        self.doubtful.clear();
        self.append(1, 1, 20, Age::New);
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
        self.is_damaged = true;
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

fn age() -> impl Strategy<Value = Age> {
    prop_oneof![4 => Just(Age::New), 1 => Just(Age::Old)]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (1..4_usize, 0..4_u64, prop_oneof![0..30_usize, 100..900_usize], age())
            .prop_map(|(parts, count, size, age)| Step::Append(if count == 0 { 1 } else { parts }, count, size, age)),
        2 => Just(Step::Sync),
        1 => Just(Step::Reopen),
        4 => cut(14).prop_map(Step::Cut),
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
                Step::Append(parts, count, size, age) => world.append(parts, count, size, age),
                Step::Sync => world.sync(),
                Step::Reopen => world.reopen(),
                Step::Cut(cut) => world.cut(cut),
                Step::Fail { after, part } => world.fail(after, part),
                Step::Flip(file, at, bit) => world.flip(file, at, bit),
            }
        }
    }
}
