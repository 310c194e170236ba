//! A whole state directory through crashes: every channel's events, one numbering, and what is said to be missing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::prelude::*;

use super::super::archive::{self, Archive, Report};
use super::super::layout;
use super::super::life::NoLife;
use super::super::log::{Entry, Repairs};
use super::super::volume::Volume;
use super::simulated::Simulated;
use super::{Known, chance, encoded, held};
use crate::event::{Age, Position};

const CHANNELS: [&str; 3] = ["web/a", "web", "x.sse"];

/// Where their files are.
const PLACES: [&str; 3] = ["web/a", "web", "x%2Esse"];

const BEGAN: u64 = 1000;

#[derive(Debug, Clone)]
enum Step {
    /// Of a channel: so many events of so many bytes, or only the source's position.
    Append(usize, u64, usize),
    Sync,
    LetGo,
    Reopen,
    /// The process ends, or the power, after so many operations, and so much of the write that is under way is done.
    Cut {
        after: usize,
        part: usize,
        power: Option<u64>,
    },
}

struct World {
    volume: Simulated,
    archive: Archive,
    /// What was appended to each channel and not let go.
    records: BTreeMap<usize, Vec<Known>>,
    doubtful: Option<(usize, Known)>,
    /// What was let go: after a power cut it may be there again, as long as its directory was not synced.
    gone: Vec<Known>,
    totals: [u64; 3],
    synced: u64,
    newest: Position,
    /// Whether something was let go since everything was synced, so that numbers are missing for that reason.
    has_let_go: bool,
    appended: u64,
}

fn open(volume: &Simulated) -> (Archive, Report) {
    Archive::open(Arc::new(volume.clone()), Path::new("/state"), BEGAN, 200_000).expect("it can be opened")
}

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
            gone: Vec::new(),
            totals: [0; 3],
            synced: 0,
            newest,
            has_let_go: false,
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
        let known = Known { last, count, total: self.totals[channel], events, source: Some(source.clone()) };
        let entry = Entry { last, count, events: &known.events, age: Age::New };
        self.newest = last;
        match self.archive.append(&CHANNELS[channel].parse().unwrap(), &[entry], Some(&source)) {
            Ok(()) => self.records.entry(channel).or_default().push(known),
            Err(_) => self.doubtful = Some((channel, known)),
        }
    }

    fn sync(&mut self) {
        let unsynced = self.archive.take_unsynced();
        if archive::sync(&self.volume, Path::new("/state"), &unsynced).is_ok() {
            self.archive.note_synced(unsynced.1);
            self.synced = self.newest.number;
            self.has_let_go = false;
        } else {
            assert!(self.volume.is_cut());
        }
    }

    fn let_go(&mut self) {
        let Ok(gone) = self.archive.let_go() else { return assert!(self.volume.is_cut()) };
        for gone in gone {
            let channel = CHANNELS.iter().position(|name| *name == gone.channel.as_str()).unwrap();
            let records = self.records.get_mut(&channel).unwrap();
            let before = records.iter().map(|record| record.count).sum::<u64>();
            self.gone.extend(records.extract_if(.., |record| record.last <= gone.through));
            assert_eq!(before - records.iter().map(|record| record.count).sum::<u64>(), gone.count);
            self.has_let_go = true;
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
        let (archive, report) = open(&self.volume);
        self.archive = archive;
        assert!(report.repairs.damaged.is_empty(), "{report:?}");
        let held = self.held();
        for (channel, name) in CHANNELS.iter().enumerate() {
            let mut known = Self::events(self.records.get(&channel).map_or(&[], Vec::as_slice));
            let held = Self::events(held.get(&channel).map_or(&[], Vec::as_slice));
            if let Some((_, doubtful)) =
                self.doubtful.as_ref().filter(|(of, doubtful)| *of == channel && held.last() == Some(doubtful))
            {
                known.push(doubtful.clone());
            }
            // What is let go may have gone in part when everything ended.
            assert!(known.ends_with(&held) && (known.len() == held.len() || self.has_let_go), "{name}: {held:?} of {known:?}");
        }
        self.settle(held);
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
                assert!(known.contains(record) || is_doubtful || self.gone.contains(record), "{record:?} was never appended");
            }
            for record in known.iter().filter(|record| record.count > 0 && !held.contains(record)) {
                assert!(record.last.number > self.synced, "{record:?} was synced and is lost");
                missing += u64::from(record.last.number <= self.archive.newest().number);
            }
        }
        assert!(missing == 0 || report.doubtful_above.is_some(), "{missing} records are missing without a word");
        self.settle(held);
    }

    fn settle(&mut self, held: BTreeMap<usize, Vec<Known>>) {
        self.doubtful = None;
        for (channel, total) in self.totals.iter_mut().enumerate() {
            *total = held.get(&channel).and_then(|held| held.last()).map_or(0, |record| record.total);
        }
        self.records = held;
        assert!(self.archive.newest().number >= self.synced);
        assert!(self.archive.newest().number <= self.newest.number);
        self.newest = Position { number: self.archive.newest().number, time: self.newest.time + 1 };
    }

    fn cut(&mut self, after: usize, part: usize, power: Option<u64>) {
        self.volume.cut_after(after, part);
        for (channel, size) in [5, 4000, 300, 10, 9000, 80].into_iter().enumerate() {
            self.append(channel % 3, 1 + size as u64 % 3, size);
            if self.volume.is_cut() {
                break;
            }
            if size == 300 {
                self.sync();
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
}

fn step() -> impl Strategy<Value = Step> {
    let cut = |power: BoxedStrategy<Option<u64>>| {
        (1..20_usize, 0..101_usize, power).prop_map(|(after, part, power)| Step::Cut { after, part, power })
    };
    prop_oneof![
        9 => (0..3_usize, 0..4_u64, prop_oneof![0..30_usize, 1000..30_000_usize])
            .prop_map(|(channel, count, size)| Step::Append(channel, count, size)),
        2 => Just(Step::Sync),
        2 => Just(Step::LetGo),
        1 => Just(Step::Reopen),
        2 => cut(Just(None).boxed()),
        2 => cut(any::<u64>().prop_map(Some).boxed()),
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
                Step::LetGo => world.let_go(),
                Step::Reopen => world.reopen(),
                Step::Cut { after, part, power } => world.cut(after, part, power),
            }
        }
    }
}

/// Segments of a channel with so many events each, and the paths of their files.
fn three_segments() -> (World, Vec<PathBuf>) {
    let mut world = World::new();
    (0..6).for_each(|_| world.append(0, 2, 29_000));
    world.sync();
    let files = world.archive.logs().next().unwrap().1.files();
    assert_eq!(files.len(), 6, "two events of 29,000 bytes fill a segment");
    (world, files.into_iter().map(|(path, _)| path).collect())
}

fn holes(archive: &Archive) -> Vec<(u64, u64)> {
    archive.logs().flat_map(|(_, log)| log.holes().collect::<Vec<_>>()).map(|hole| (hole.after, hole.count)).collect()
}

#[test]
fn files_that_are_missing_are_events_that_are_missing() {
    let (world, paths) = three_segments();
    for path in [&paths[0], &paths[2], &paths[3]] {
        world.volume.remove(path).unwrap();
    }
    let (archive, report) = open(&world.volume);
    assert_eq!(holes(&archive), [(0, 2), (4, 4)]);
    assert_eq!((report.repairs, archive.newest().number), (Repairs::default(), 12));
}

#[test]
fn what_cannot_be_read_is_left_out_and_said() {
    let (mut world, paths) = three_segments();
    world.append(1, 1, 10);
    world.volume.forbid(&paths[2]);
    world.volume.forbid(Path::new("/state/web"));
    let (archive, report) = open(&world.volume);
    assert_eq!(archive.logs().count(), 0, "a channel's directory may contain others");
    assert_eq!(report.repairs.unreadable.len(), 1);
    let (world, paths) = three_segments();
    world.volume.forbid(&paths[2]);
    let (archive, report) = open(&world.volume);
    assert_eq!(holes(&archive), [(4, 2)]);
    assert_eq!(report.repairs.unreadable[0].0, paths[2]);
    assert!(report.repairs.damaged[0].to_string_lossy().ends_with(".damaged"));
}

#[test]
fn a_time_far_ahead_begins_anew_and_a_clock_that_went_back_does_not() {
    let (mut world, _) = three_segments();
    let open_at = |now| Archive::open(Arc::new(world.volume.clone()), Path::new("/state"), now, 200_000).unwrap();
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
    let (world, _) = three_segments();
    let life = Path::new("/state").join(layout::LIFE);
    world.volume.tamper(&life, |bytes| bytes[3] ^= 1);
    let (archive, report) = open(&world.volume);
    assert_eq!((archive.began(), archive.newest().number, report.repairs), (BEGAN, 12, Repairs::default()));
    let newer = format!("sse-bridge 2 whatever {:08x}\n", crc32fast::hash(b"sse-bridge 2 whatever"));
    world.volume.tamper(&life, |bytes| *bytes = newer.into_bytes());
    let refused = Archive::open(Arc::new(world.volume.clone()), Path::new("/state"), BEGAN, 200_000);
    assert!(matches!(refused, Err(NoLife::Newer(2))));
}
