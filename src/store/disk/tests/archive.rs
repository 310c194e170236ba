//! A whole state directory through crashes: every channel's events, one numbering, and what is said to be missing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::super::archive::{self, Archive, Report};
use super::super::hole::{Bound, Hole};
use super::super::layout;
use super::super::life::NoLife;
use super::super::log::{Entry, Log, Repairs};
use super::super::retention::{self, LetGo};
use super::super::volume::Volume;
use super::simulated::Simulated;
use super::{Cut, Ended, Known, cut, encoded, held};
use crate::event::{Age, Position};
use crate::store::Keep;

const CHANNELS: [&str; 3] = ["web/a", "web", "x.sse"];

/// Where their files are.
const PLACES: [&str; 3] = ["web/a", "web", "x%2Esse"];

const BEGAN: u64 = 1000;

#[derive(Debug, Clone)]
enum Step {
    /// Of a channel: so many events of so many bytes, or only the source's position.
    Append(usize, u64, usize),
    Sync,
    /// Takes segments out of the lists, after so many milliseconds.
    LetGo(u64),
    /// Takes a channel out.
    Forget(usize),
    /// Removes the files of what is not listed any more.
    Remove,
    Reopen,
    /// What is to do ends early.
    Cut(Cut),
    /// Writes fail for a while.
    Fail(Cut),
    /// So many events of a channel are not even tried to write.
    PassOver(usize, u64),
}

struct World {
    volume: Simulated,
    archive: Archive,
    /// What was appended to each channel and not let go.
    records: BTreeMap<usize, Vec<Known>>,
    doubtful: Option<(usize, Known)>,
    /// What was let go: as long as it is not removed, and that is not synced, it may be there again.
    gone: BTreeMap<usize, Vec<Known>>,
    pending: Vec<LetGo>,
    /// The channels that were forgotten and whose files are not removed.
    returning: BTreeSet<usize>,
    /// What each channel has had, stored or not: the last events of its records and how many they were. None after a power cut.
    history: [Option<Vec<(Position, u64)>>; 3],
    totals: [u64; 3],
    /// The last event of each channel behind which its source's position was stored, or that everybody was told of: it is not said again.
    behind: [u64; 3],
    /// The last number that was written, and the last that was synced.
    stored: u64,
    synced: u64,
    newest: Position,
    appended: u64,
}

fn open(volume: &Simulated) -> (Archive, Report) {
    open_at(volume, BEGAN)
}

fn open_at(volume: &Simulated, now: u64) -> (Archive, Report) {
    Archive::open(Arc::new(volume.clone()), Path::new("/state"), now, KEEP).expect("it can be opened")
}

/// What holds whatever is appended.
const LARGE: Keep = Keep { size: 200_000, age: None };

const KEEP: Keep = Keep { size: 200_000, age: Some(Duration::from_millis(50)) };

impl World {
    fn new() -> Self {
        let volume = Simulated::default();
        let (archive, report) = open(&volume);
        assert!(report.repairs.damaged.is_empty() && report.doubtful_above.is_none());
        let newest = Position { number: 0, time: BEGAN };
        let records = BTreeMap::new();
        Self {
            volume,
            archive,
            records,
            doubtful: None,
            gone: BTreeMap::new(),
            pending: Vec::new(),
            returning: BTreeSet::new(),
            history: [const { Some(Vec::new()) }; 3],
            totals: [0; 3],
            behind: [0; 3],
            stored: 0,
            synced: 0,
            newest,
            appended: 0,
        }
    }

    fn append(&mut self, channel: usize, count: u64, size: usize) {
        self.appended += 1;
        let time = self.newest.time + 1;
        let events = encoded(CHANNELS[channel], time, self.newest.number + 1, count, size);
        let last = if count > 0 { Position { time, number: self.newest.number + count } } else { self.newest };
        self.totals[channel] += count;
        let source = format!("offset.{}", self.appended);
        let age = if self.appended.is_multiple_of(7) && count > 0 { Age::Old } else { Age::New };
        let known = Known { last, count, total: self.totals[channel], age, events, source: Some(source.clone()) };
        let entry = Entry { last, count, events: &known.events, age };
        self.newest = last;
        self.history[channel].iter_mut().filter(|_| count > 0).for_each(|history| history.push((last, count)));
        match self.archive.append(&CHANNELS[channel].parse().unwrap(), &[entry], Some(&source)) {
            Ok(()) => {
                self.records.entry(channel).or_default().push(known);
                self.stored = last.number;
                self.behind[channel] = last.number;
            }
            Err(_) => self.doubtful = Some((channel, known)),
        }
    }

    fn pass_over(&mut self, channel: usize, count: u64) {
        let last = Position { time: self.newest.time + 1, number: self.newest.number + count };
        self.archive.pass_over(&CHANNELS[channel].parse().unwrap(), &[Entry { last, count, events: &[], age: Age::New }]);
        self.newest = last;
        self.totals[channel] += count;
        self.history[channel].iter_mut().for_each(|history| history.push((last, count)));
    }

    fn sync(&mut self) {
        let unsynced = self.archive.take_unsynced();
        if archive::sync(&self.volume, Path::new("/state"), &unsynced).is_ok() {
            self.archive.note_synced(unsynced.1);
            self.synced = self.stored;
        } else {
            assert!(self.volume.is_cut());
        }
    }

    fn let_go(&mut self, later: u64) {
        let before = self.archive.bytes();
        let now = self.newest.time + later;
        match self.archive.let_go(now) {
            Ok(gone) => {
                assert!(self.archive.bytes() + gone.iter().map(|gone| gone.bytes).sum::<u64>() >= before);
                self.note_gone(gone);
            }
            Err(_) => return assert!(self.volume.is_cut()),
        }
        if self.volume.is_cut() {
            return;
        }
        assert!(self.archive.bytes() <= KEEP.size || self.archive.logs().all(|(_, log)| !log.has_events()));
        let oldest = self.archive.logs().flat_map(|(_, log)| log.segments()).filter_map(|segment| segment.last).min();
        assert!(oldest.is_none_or(|oldest| oldest.time + 50 >= now), "{oldest:?} at {now}");
    }

    /// Takes the records out of what is held that are said to be let go.
    fn note_gone(&mut self, gone: Vec<LetGo>) {
        for gone in &gone {
            let channel = CHANNELS.iter().position(|name| *name == gone.channel.as_str()).unwrap();
            let records = self.records.get_mut(&channel).unwrap();
            let through = gone.through.map_or(0, |through| through.number);
            let taken: Vec<_> = records.extract_if(.., |record| record.count > 0 && record.last.number <= through).collect();
            assert_eq!(taken.iter().map(|record| record.count).sum::<u64>(), gone.count);
            assert_eq!(taken.last().map(|record| record.last), gone.through);
            assert!(taken.iter().all(|record| record.age == gone.age && record.last.number >= gone.first));
            self.gone.entry(channel).or_default().extend(taken);
        }
        self.pending.extend(gone);
    }

    fn forget(&mut self, channel: usize) {
        let name = CHANNELS[channel].parse().unwrap();
        let held_before = self.archive.log(&name).map_or(0, Log::bytes);
        let before = self.archive.bytes();
        let gone = self.archive.forget(&name);
        if self.archive.log(&name).is_some() {
            return assert!(gone.is_empty());
        }
        assert_eq!(self.archive.bytes(), before - held_before);
        self.note_gone(gone);
        if self.pending.iter().any(|gone| gone.channel.as_str() == CHANNELS[channel]) {
            self.returning.insert(channel);
        }
        assert!(self.records.remove(&channel).is_none_or(|records| records.iter().all(|record| record.count == 0)));
        (self.totals[channel], self.history[channel]) = (0, Some(Vec::new()));
    }

    fn remove(&mut self) {
        for gone in std::mem::take(&mut self.pending) {
            let removed = retention::remove(&self.volume, Path::new("/state"), &gone);
            assert!(removed.is_ok() && !self.volume.files().iter().any(|(path, _)| *path == gone.path) || self.volume.is_cut());
        }
        if !self.volume.is_cut() {
            self.returning.clear();
        }
    }

    /// The sums are right, and each channel's holes are where its events are missing.
    fn assert_known(&self) {
        let segments = self.archive.logs().flat_map(|(_, log)| log.segments());
        assert_eq!(self.archive.bytes(), segments.map(|segment| segment.length).sum::<u64>());
        for (channel, log) in self.archive.logs() {
            let channel = CHANNELS.iter().position(|name| *name == channel.as_str()).unwrap();
            let Some(history) = &self.history[channel] else { continue };
            let held = |last: Position| {
                self.records
                    .get(&channel)
                    .is_some_and(|records| records.iter().any(|record| record.count > 0 && record.last == last))
            };
            let (mut expected, mut after, mut missing) = (Vec::new(), 0, None);
            for (last, count) in history {
                if held(*last) {
                    expected.extend(missing.take());
                    after = last.number;
                } else {
                    let before = missing.map_or(0, |hole: Hole| hole.count);
                    missing = Some(Hole { after, through: *last, bound: Bound::Exact, count: before + count });
                }
            }
            expected.extend(missing);
            assert_eq!(log.holes().collect::<Vec<_>>(), expected, "{}", CHANNELS[channel]);
            assert_eq!(log.latest(), Some(history.last().map_or(Position { number: 0, time: BEGAN }, |(last, _)| *last)));
        }
    }

    fn held(&self) -> BTreeMap<usize, Vec<Known>> {
        let logs = self.archive.logs().map(|(channel, log)| {
            let channel = CHANNELS.iter().position(|name| *name == channel.as_str()).expect("it is one of ours");
            (channel, held(&self.volume, log, PLACES[channel]))
        });
        logs.collect()
    }

    /// Without what has no events: positions alone are written when segments go, and cost nothing when they are lost.
    fn events(records: &[Known]) -> Vec<Known> {
        records.iter().filter(|record| record.count > 0).cloned().collect()
    }

    fn reopen(&mut self) {
        let before = self.newest;
        let (archive, report) = open_at(&self.volume, before.time + 1);
        self.archive = archive;
        self.assert_told(&report, before);
        self.behind = [self.archive.newest().number; 3];
        assert!(report.repairs.damaged.is_empty(), "{report:?}");
        let held = self.held();
        // What was forgotten is there again, before what has come since.
        for channel in std::mem::take(&mut self.returning) {
            self.history[channel] = None;
        }
        for (channel, name) in CHANNELS.iter().enumerate() {
            let mut known = Self::events(self.records.get(&channel).map_or(&[], Vec::as_slice));
            let held = Self::events(held.get(&channel).map_or(&[], Vec::as_slice));
            let doubtful = self.doubtful.take_if(|(of, doubtful)| *of == channel && held.last() == Some(doubtful));
            known.extend(doubtful.map(|(_, doubtful)| doubtful));
            let gone = self.gone.get(&channel).map_or(&[][..], Vec::as_slice);
            let all = [gone, &known].concat();
            assert!(held.ends_with(&known) && all.ends_with(&held), "{name}: {held:?} of {known:?}, and {} gone", gone.len());
            if let Some(history) = &mut self.history[channel] {
                let last = held.last().map_or(0, |record| record.last.number);
                // What is kept without events knows of those before.
                let is_kept = self.archive.log(&name.parse().unwrap()).is_some();
                let through = self.archive.log(&name.parse().unwrap()).and_then(Log::latest).map_or(0, |latest| latest.number);
                assert!(through >= last);
                history.retain(|(event, _)| is_kept && event.number <= through);
            }
        }
        self.settle(held);
    }

    /// Where the end of a channel is missing that somebody has seen, everybody who was there is below the floor, or was there before its time, or has a
    /// number that is not given yet.
    fn assert_told(&self, report: &Report, before: Position) {
        let newest = self.archive.newest();
        let is_told = report.floor.is_some_and(|floor| floor.number == newest.number && floor.time > before.time);
        for (channel, history) in self.history.iter().enumerate() {
            let Some((last, _)) = history.as_ref().and_then(|history| history.last()) else { continue };
            let is_behind = self.behind[channel] >= last.number;
            let is_doubtful = self.doubtful.as_ref().is_some_and(|(_, doubtful)| doubtful.last == *last);
            // Of a log without events nobody knows whether its source is behind those that were let go.
            let has_nothing = self.archive.log(&CHANNELS[channel].parse().unwrap()).is_some_and(|log| !log.has_events());
            assert!(
                has_nothing || is_behind || is_doubtful || last.number > newest.number || is_told,
                "{last} of {} is missing, and {report:?}",
                CHANNELS[channel]
            );
        }
    }

    fn reopen_after_power_cut(&mut self) {
        let (archive, report) = open(&self.volume);
        self.archive = archive;
        let held = self.held();
        let mut missing = 0;
        for channel in 0..CHANNELS.len() {
            let held = held.get(&channel).map_or(&[][..], Vec::as_slice);
            let known = self.records.get(&channel).map_or(&[][..], Vec::as_slice);
            for record in held.iter().filter(|record| record.count > 0) {
                let is_doubtful = self.doubtful.as_ref().is_some_and(|(_, doubtful)| doubtful == record);
                let was_gone = self.gone.get(&channel).is_some_and(|gone| gone.contains(record));
                assert!(known.contains(record) || is_doubtful || was_gone, "{record:?} was never appended");
            }
            for record in known.iter().filter(|record| record.count > 0 && !held.contains(record)) {
                assert!(record.last.number > self.synced, "{record:?} was synced and is lost");
                missing += if record.last.number <= self.archive.newest().number { record.count } else { 0 };
            }
        }
        // Where a later record is there, it tells of those before it.
        let holes = self.archive.logs().flat_map(|(_, log)| log.holes()).map(|hole| hole.count).sum::<u64>();
        assert!(missing <= holes || report.doubtful_above.is_some(), "{missing} events are missing without a word");
        self.history = [None, None, None];
        self.settle(held);
    }

    fn settle(&mut self, held: BTreeMap<usize, Vec<Known>>) {
        (self.doubtful, self.pending) = (None, Vec::new());
        for (channel, total) in self.totals.iter_mut().enumerate() {
            *total = self.archive.log(&CHANNELS[channel].parse().unwrap()).map_or(0, Log::total);
            let of_held = held.get(&channel).and_then(|held| held.last()).map_or(0, |record| record.total);
            assert!(*total == of_held || self.history[channel].is_none());
            let is_new = |log: &Log| log.total() == 0 && !log.has_events() && log.holes().next().is_none();
            if self.archive.log(&CHANNELS[channel].parse().unwrap()).is_none_or(is_new) {
                self.history[channel] = Some(Vec::new());
            }
        }
        self.records = held;
        assert!(self.archive.newest().number >= self.synced);
        self.stored = self.archive.newest().number;
        // One that is given to nobody.
        assert!(self.archive.newest().number <= self.newest.number + 1);
        self.newest = Position { number: self.archive.newest().number, time: self.newest.time + 1 };
    }

    fn cut(&mut self, cut: Cut) {
        let volume = self.volume.clone();
        let things = [Act::Append(0, 5), Act::Append(1, 4000), Act::Sync, Act::Append(2, 300), Act::LetGo, Act::Remove];
        let ended = cut.short(&volume, things.into_iter().chain([Act::Append(0, 9000), Act::Append(2, 80)]), |thing| match thing {
            Act::Append(channel, size) => self.append(channel, 1 + size as u64 % 3, size),
            Act::Sync => self.sync(),
            Act::LetGo => self.let_go(30),
            Act::Remove => self.remove(),
        });
        match ended {
            Ended::Process => self.reopen(),
            Ended::Power => self.reopen_after_power_cut(),
        }
    }

    /// The process goes on.
    fn fail(&mut self, cut: Cut) {
        self.volume.cut_after(cut.after, cut.part);
        for (channel, size) in [(0, 5), (1, 4000), (2, 300), (0, 70_000)] {
            self.append(channel, 2, size);
        }
        self.volume.restart();
        self.doubtful = None;
        // What was left behind is cut before this is written.
        (0..3).for_each(|channel| self.append(channel, 1, 5));
    }
}

/// What may be cut.
#[derive(Debug)]
enum Act {
    Append(usize, usize),
    Sync,
    LetGo,
    Remove,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        9 => (0..3_usize, 0..4_u64, prop_oneof![0..30_usize, 1000..30_000_usize])
            .prop_map(|(channel, count, size)| Step::Append(channel, count, size)),
        2 => Just(Step::Sync),
        2 => (0..80_u64).prop_map(Step::LetGo),
        1 => (0..3_usize).prop_map(Step::Forget),
        2 => Just(Step::Remove),
        1 => Just(Step::Reopen),
        4 => cut(24).prop_map(Step::Cut),
        1 => cut(9).prop_map(Step::Fail),
        2 => (0..3_usize, 1..4_u64).prop_map(|(channel, count)| Step::PassOver(channel, count)),
    ]
}

proptest! {
    #[test]
    fn every_channel_keeps_what_it_was_given(steps in proptest::collection::vec(step(), 1..30)) {
        let mut world = World::new();
        for step in steps {
            match step {
                Step::Append(channel, count, size) => world.append(channel, count, size),
                Step::Sync => world.sync(),
                Step::LetGo(later) => world.let_go(later),
                Step::Forget(channel) => world.forget(channel),
                Step::Remove => world.remove(),
                Step::Reopen => world.reopen(),
                Step::Cut(cut) => world.cut(cut),
                Step::Fail(cut) => world.fail(cut),
                Step::PassOver(channel, count) => world.pass_over(channel, count),
            }
            world.assert_known();
        }
    }
}

/// Segments of a channel with so many events each, and the paths of their files.
fn six_segments() -> (World, Vec<PathBuf>) {
    let mut world = World::new();
    (0..6).for_each(|_| world.append(0, 2, 29_000));
    world.sync();
    let files: Vec<_> = world.archive.logs().next().unwrap().1.segments().map(|segment| segment.first).collect();
    assert_eq!(files.len(), 6, "two events of 29,000 bytes fill a segment");
    (world, files.into_iter().map(|first| Path::new("/state/web/a").join(layout::segment_name(first))).collect())
}

fn holes(archive: &Archive) -> Vec<(u64, u64)> {
    archive.logs().flat_map(|(_, log)| log.holes().collect::<Vec<_>>()).map(|hole| (hole.after, hole.count)).collect()
}

#[test]
fn files_that_are_missing_are_events_that_are_missing() {
    let (world, paths) = six_segments();
    for path in [&paths[0], &paths[2], &paths[3]] {
        world.volume.remove(path).unwrap();
    }
    let (archive, report) = open(&world.volume);
    assert_eq!(holes(&archive), [(0, 2), (4, 4)]);
    assert_eq!((report.repairs, archive.newest().number), (Repairs::default(), 12));
}

#[test]
fn what_cannot_be_read_is_left_out_and_said() {
    let (mut world, paths) = six_segments();
    world.append(1, 1, 10);
    world.volume.forbid(&paths[2]);
    world.volume.forbid(Path::new("/state/web"));
    let (archive, report) = open(&world.volume);
    assert_eq!(archive.logs().count(), 0, "a channel's directory may contain others");
    assert_eq!(report.repairs.unreadable.len(), 1);
    let (world, paths) = six_segments();
    world.volume.forbid(&paths[2]);
    let (archive, report) = open(&world.volume);
    assert_eq!(holes(&archive), [(4, 2)]);
    assert_eq!(report.repairs.unreadable[0].0, paths[2]);
    assert!(report.repairs.damaged[0].to_string_lossy().ends_with(".damaged"));
}

#[test]
fn a_time_far_ahead_begins_anew_and_a_clock_that_went_back_does_not() {
    let (mut world, _) = six_segments();
    let open_at = |now| Archive::open(Arc::new(world.volume.clone()), Path::new("/state"), now, LARGE).unwrap();
    let (archive, report) = open_at(BEGAN - 500);
    assert!(!report.is_ahead && archive.newest().number == 12 && archive.newest().time > BEGAN);
    world.newest = archive.newest();
    world.newest.time += 3_600_000;
    world.archive = archive;
    world.append(2, 1, 10);
    let (archive, report) = open(&world.volume);
    assert!(report.is_ahead && report.repairs.damaged.len() == 7, "{report:?}");
    assert_eq!((archive.newest(), archive.logs().count()), (Position { number: 0, time: BEGAN }, 0));
    let (archive, report) = open(&world.volume);
    assert!(!report.is_ahead && archive.logs().count() == 0);
}

#[test]
fn a_newer_version_is_not_touched_and_a_lost_beginning_is_found_again() {
    let (world, _) = six_segments();
    let life = Path::new("/state").join(layout::LIFE);
    world.volume.tamper(&life, |bytes| bytes[3] ^= 1);
    let (archive, report) = open(&world.volume);
    let said = Repairs { small: vec!["/state/@life".into()], ..Repairs::default() };
    assert_eq!((archive.began(), archive.newest().number, report.repairs), (BEGAN, 12, said));
    let newer = format!("sse-bridge 2 whatever {:08x}\n", crc32fast::hash(b"sse-bridge 2 whatever"));
    world.volume.tamper(&life, |bytes| *bytes = newer.into_bytes());
    let refused = Archive::open(Arc::new(world.volume.clone()), Path::new("/state"), BEGAN, LARGE);
    assert!(matches!(refused, Err(NoLife::Newer(2))));
}

/// A disk that is full to the end of the process: what was given is missing at the end, and its source says it again.
#[test]
fn who_was_there_is_before_what_is_given_next() {
    let entry = |number: u64| Entry { last: Position { number, time: BEGAN + number }, count: 1, events: &[], age: Age::New };
    let channel = "web/a".parse().unwrap();
    for is_written_again in [false, true] {
        let mut world = World::new();
        world.append(0, 1, 5);
        world.append(1, 1, 5);
        (3..=4).for_each(|number| world.archive.pass_over(&channel, &[entry(number)]));
        if is_written_again {
            // The disk can be written again, but the source has nothing more to say: its position is still the one before.
            let alone = Entry { count: 0, ..entry(4) };
            world.archive.append(&channel, &[alone], None).unwrap();
        }
        world.append(1, 0, 0);
        world.sync();
        let (archive, report) = open_at(&world.volume, 5000);
        let floor = Position { number: 5, time: 5000 };
        assert_eq!((archive.newest(), report.floor), (floor, Some(floor)), "written again: {is_written_again}");
        assert_eq!(report.doubtful_above.is_none(), is_written_again);
        let (archive, report) = open_at(&world.volume, 6000);
        assert_eq!((archive.newest(), report.floor), (floor, Some(floor)), "it is noted once");
        assert!(report.doubtful_above.is_none());
    }
}

/// What was let go is not missing: who has seen it all is not told anything.
#[test]
fn a_channel_of_which_all_was_let_go_lacks_nothing() {
    let mut world = World::new();
    world.append(0, 3, 5);
    world.let_go(1000);
    world.remove();
    world.append(1, 1, 5);
    let (archive, report) = open_at(&world.volume, 5000);
    assert!(archive.log(&"web/a".parse().unwrap()).is_some_and(|log| !log.has_events() && log.total() == 3));
    assert_eq!((archive.newest().number, report.floor), (4, None));
}
