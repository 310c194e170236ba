//! Damage that is found by reading, while the daemon runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::prelude::*;

use super::super::archive::{self, Archive};
use super::super::broken::Fault;
use super::super::hole::Bound;
use super::super::layout;
use super::super::log::Entry;
use super::super::mend::Mended;
use super::super::segment::Segment;
use super::super::volume::Volume;
use super::encoded;
use super::simulated::Simulated;
use crate::event::{Age, ChannelName, Position};
use crate::sse;
use crate::store::Keep;

/// Small enough that segments are.
const KEEP: Keep = Keep { size: 400_000, age: None };

struct World {
    volume: Simulated,
    archive: Archive,
    /// Each event with its number.
    events: Vec<(u64, Vec<u8>)>,
}

fn name() -> ChannelName {
    "a".parse().unwrap()
}

impl World {
    fn new() -> Self {
        let volume = Simulated::default();
        let archive = Archive::open(Arc::new(volume.clone()), Path::new("/state"), 1000, KEEP).unwrap().0;
        Self { volume, archive, events: Vec::new() }
    }

    /// Appends a record of so many events of so many bytes.
    fn append(&mut self, count: u64, size: usize) {
        let first = self.archive.newest().number + 1;
        let time = 1000 + first;
        let events = encoded("a", time, first, count, size);
        let entry = Entry { last: Position { number: first + count - 1, time }, count, events: &events, age: Age::New };
        self.archive.append(&name(), &[entry], Some(&format!("at.{first}"))).unwrap();
        let mut rest = &events[..];
        for number in first..first + count {
            let (event, after) = rest.split_at(sse::length_of(rest, 1));
            self.events.push((number, event.to_vec()));
            rest = after;
        }
    }

    fn segments(&self) -> Vec<Segment> {
        self.archive.log(&name()).unwrap().segments().cloned().collect()
    }

    fn path(&self, nth: usize) -> PathBuf {
        Path::new("/state/a").join(layout::segment_name(self.segments()[nth].first))
    }

    /// Reads everything; whatever is broken is mended, until nothing is.
    fn read(&mut self) -> (Vec<u8>, Vec<Mended>) {
        let mut all = Vec::new();
        for _ in 0..100 {
            let mut read = Vec::new();
            let broken = match self.archive.shelf(|_| true).replay(0..=u64::MAX, None) {
                Err(broken) => broken,
                Ok(mut replay) => loop {
                    match replay.read() {
                        Ok(Some(part)) => read.extend_from_slice(&part.events),
                        Ok(None) => return (read, all),
                        Err(broken) => break broken,
                    }
                },
            };
            all.push(self.archive.mend(&broken.channel, &broken.path));
        }
        panic!("it is never mended: {all:?}");
    }

    /// What is held is what is not said to be missing, and the same after a restart.
    fn assert_told(&mut self, told: &[Mended]) {
        let (read, _) = self.read();
        let log = self.archive.log(&name()).unwrap();
        let holes: Vec<_> = log.holes().collect();
        let missing = |number: u64| holes.iter().any(|hole| number > hole.after && number <= hole.through.number);
        let kept: Vec<_> = self.events.iter().filter(|(number, _)| !missing(*number)).collect();
        assert_eq!(
            kept.len() as u64 + holes.iter().map(|hole| hole.count).sum::<u64>(),
            self.events.len() as u64,
            "{} kept, {holes:?}",
            kept.len()
        );
        assert!(read == kept.iter().flat_map(|(_, event)| event.clone()).collect::<Vec<u8>>(), "{holes:?}");
        assert_eq!(
            (log.total(), log.latest().map(|latest| latest.number)),
            (self.events.len() as u64, self.events.last().map(|(number, _)| *number))
        );
        assert!(holes.iter().all(|hole| told.iter().any(|mended| mended.holes.contains(hole))), "{holes:?} of {told:?}");
        let source = log.source().map(str::to_owned);
        let again = Archive::open(Arc::new(self.volume.clone()), Path::new("/state"), 1000, KEEP).unwrap().0;
        let log = again.log(&name()).unwrap();
        assert_eq!((log.holes().collect::<Vec<_>>(), log.source().map(str::to_owned)), (holes, source));
        assert_eq!(again.bytes(), self.archive.bytes());
        assert_eq!(log.segments().cloned().collect::<Vec<_>>(), self.segments());
    }
}

proptest! {
    #[test]
    fn what_is_found_to_be_damaged_is_a_hole(
        appended in proptest::collection::vec((1..4_u64, prop_oneof![0..40_usize, 20_000..40_000_usize]), 2..20),
        file: prop::sample::Index,
        at: prop::sample::Index,
        bit in 0..8_u32,
        more in proptest::collection::vec((1..4_u64, 0..40_usize), 0..4),
    ) {
        let mut world = World::new();
        for (count, size) in appended {
            world.append(count, size);
        }
        let path = world.path(file.index(world.segments().len()));
        world.volume.tamper(&path, |bytes| { let at = at.index(bytes.len()); bytes[at] ^= 1 << bit; });
        let (_, told) = world.read();
        prop_assert!(told.len() <= 1, "{told:?}");
        for (count, size) in more {
            world.append(count, size);
        }
        // A head is read by nobody but the next start.
        if !told.is_empty() {
            world.assert_told(&told);
        }
    }
}

fn six_segments() -> World {
    let mut world = World::new();
    (0..6).for_each(|_| world.append(2, 30_000));
    assert_eq!(world.segments().len(), 6);
    world
}

#[test]
fn what_is_as_it_was_written_is_left_alone() {
    let mut world = six_segments();
    let (files, path) = (world.volume.files(), world.path(2));
    assert_eq!(world.archive.mend(&name(), &path), Mended::default());
    assert_eq!(world.archive.mend(&name(), Path::new("/state/a/else")), Mended::default());
    assert_eq!(world.archive.mend(&"b".parse().unwrap(), &path), Mended::default());
    assert_eq!(world.volume.files(), files);
    world.assert_told(&[]);
}

#[test]
fn what_cannot_be_read_is_moved_aside_or_only_not_listed() {
    for is_movable in [true, false] {
        let mut world = six_segments();
        let path = world.path(2);
        world.volume.forbid(&path);
        if !is_movable {
            world.volume.forbid(Path::new("/state/a"));
        }
        let mended = world.archive.mend(&name(), &path);
        assert_eq!((mended.repairs.unreadable.len(), mended.repairs.damaged.len()), (1, usize::from(is_movable)));
        assert_eq!(
            mended.holes.iter().map(|hole| (hole.after, hole.through.number, hole.bound, hole.count)).collect::<Vec<_>>(),
            [(4, 6, Bound::Exact, 2)]
        );
        assert_eq!(world.segments().len(), 5);
        assert!(world.archive.shelf(|_| true).around(5).unwrap().at.is_none());
    }
}

#[test]
fn what_is_missing_is_a_hole_and_the_last_that_is_missing_costs_no_position() {
    for nth in [0, 3, 5] {
        let mut world = six_segments();
        let path = world.path(nth);
        world.volume.remove(&path).unwrap();
        let first = world.segments()[nth].first.number;
        let broken = world.archive.shelf(|_| true).around(first).unwrap_err();
        assert!(matches!(broken.fault, Fault::LetGo));
        let mended = world.archive.mend(&broken.channel, &broken.path);
        assert_eq!(
            mended.holes.iter().map(|hole| (hole.after, hole.through.number, hole.bound, hole.count)).collect::<Vec<_>>(),
            [(first - 1, first + 1, Bound::Exact, 2)]
        );
        assert_eq!(world.archive.log(&name()).unwrap().source(), Some("at.11"));
        world.assert_told(std::slice::from_ref(&mended));
        world.append(1, 10);
        world.assert_told(&[mended]);
    }
}

#[test]
fn the_damaged_file_is_moved_aside_when_what_was_made_of_it_is_safe() {
    for power in [false, true] {
        let mut world = six_segments();
        let whole = |world: &mut World| {
            let taken = world.archive.take_unsynced();
            archive::sync(&world.volume, Path::new("/state"), &taken).unwrap();
        };
        whole(&mut world);
        let (path, last) = (world.path(2), world.path(5));
        for path in [&path, &last] {
            world.volume.tamper(path, |bytes| bytes[40_000] ^= 1);
        }
        let (_, told) = world.read();
        let named = |world: &World, ending: &str| {
            world.volume.files().iter().filter(|(path, _)| path.to_string_lossy().ends_with(ending)).count()
        };
        assert_eq!((told.len(), named(&world, ".mending"), named(&world, ".damaged")), (2, 2, 0));
        world.append(1, 10);
        if power {
            world.volume.power_cut(super::chance(7));
            let again = Archive::open(Arc::new(world.volume.clone()), Path::new("/state"), 1000, KEEP).unwrap().0;
            let log = again.log(&name()).unwrap();
            // All but the damaged ones, and perhaps what had not been synced.
            assert!(log.segments().map(Segment::count).sum::<u64>() >= 8, "{log:?}");
            continue;
        }
        // As after a kill: what has grown is not made again from what it was made of.
        world.assert_told(&told);
        assert_eq!((named(&world, ".mending"), named(&world, ".damaged")), (0, 2));
        whole(&mut world);
        world.assert_told(&told);
    }
}

#[test]
fn it_is_moved_aside_with_the_next_sync() {
    let mut world = six_segments();
    let path = world.path(2);
    world.volume.tamper(&path, |bytes| bytes[40_000] ^= 1);
    world.read();
    let taken = world.archive.take_unsynced();
    archive::sync(&world.volume, Path::new("/state"), &taken).unwrap();
    let files = world.volume.files();
    assert!(files.iter().all(|(path, _)| !path.to_string_lossy().ends_with(".mending")));
    assert_eq!(files.iter().filter(|(path, _)| path.to_string_lossy().ends_with(".damaged")).count(), 1);
}
