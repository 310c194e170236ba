//! Every question is answered as by a list of all events, from whatever channels; or not at all.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::prelude::*;

use super::super::archive::Archive;
use super::super::broken::{Broken, Fault};
use super::super::layout;
use super::super::log::Entry;
use super::super::replay::{Part, Replay};
use super::super::retention;
use super::super::segment::BLOCK;
use super::super::shelf::{Around, Shelf};
use super::super::volume::Volume;
use super::encoded;
use super::simulated::Simulated;
use crate::event::{Age, ChannelName, Millis, Position};
use crate::sse;
use crate::store::Keep;

/// An event that is stored.
#[derive(Debug, Clone)]
struct Stored {
    number: u64,
    channel: usize,
    time: Millis,
    age: Age,
    bytes: Vec<u8>,
}

/// An archive, and a list of what it holds.
struct World {
    volume: Simulated,
    archive: Archive,
    events: Vec<Stored>,
    newest: Position,
}

fn name(channel: usize) -> ChannelName {
    format!("c/{channel}").parse().unwrap()
}

impl World {
    fn new(size: u64) -> Self {
        let volume = Simulated::default();
        let (archive, _) = Archive::open(Arc::new(volume.clone()), Path::new("/state"), 1000, Keep { size, age: None }).unwrap();
        Self { volume, archive, events: Vec::new(), newest: Position { number: 0, time: 1000 } }
    }

    /// Appends so many events of so many bytes, so many milliseconds later.
    fn append(&mut self, channel: usize, count: u64, size: usize, later: u64, age: Age) {
        let (first, time) = (self.newest.number + 1, self.newest.time + later);
        let encoded = encoded(name(channel).as_str(), time, first, count, size);
        self.newest = if count > 0 { Position { number: first + count - 1, time } } else { self.newest };
        let entry = Entry { last: self.newest, count, events: &encoded, age };
        self.archive.append(&name(channel), &[entry], Some("here")).unwrap();
        let mut rest = &encoded[..];
        for number in first..first + count {
            let (event, after) = rest.split_at(sse::length_of(rest, 1));
            self.events.push(Stored { number, channel, time, age, bytes: event.to_vec() });
            rest = after;
        }
    }

    fn let_go(&mut self) {
        for gone in self.archive.let_go(self.newest.time).unwrap() {
            retention::remove(&self.volume, Path::new("/state"), &gone).unwrap();
            let through = gone.through.map_or(0, |through| through.number);
            self.events.retain(|event| name(event.channel) != gone.channel || event.number > through);
        }
    }

    fn shelf(&self, channels: &[usize]) -> Shelf {
        self.archive.shelf(|name| channels.iter().any(|channel| self::name(*channel) == *name))
    }

    fn of<'a>(&'a self, channels: &'a [usize], ages: Option<Age>) -> impl DoubleEndedIterator<Item = &'a Stored> + 'a {
        self.events.iter().filter(move |event| channels.contains(&event.channel) && ages.is_none_or(|age| age == event.age))
    }

    fn assert_reads(&self, channels: &[usize], first: u64, last: u64, ages: Option<Age>, mut replay: Replay) {
        let (mut read, mut before): (Vec<u8>, _) = (Vec::new(), 0);
        while let Some(Part { events, last: end, age }) = replay.read().unwrap() {
            assert!(end.number > before && end.number <= last);
            assert!(ages.is_none_or(|wanted| wanted == age));
            let inside: Vec<_> = self
                .of(channels, ages)
                .filter(|event| event.number >= first && event.number > before && event.number <= end.number)
                .collect();
            assert!(inside.iter().all(|event| event.age == age), "a part is of one age");
            assert_eq!(end.time, inside.iter().map(|event| event.time).max().unwrap_or(0));
            assert!(events.len() <= BLOCK || inside.windows(2).all(|two| two[0].time == two[1].time), "{} bytes", events.len());
            before = end.number;
            read.extend_from_slice(&events);
            if read.len() % 3 == 0 {
                replay.rest();
            }
        }
        let wanted: Vec<u8> = self
            .of(channels, ages)
            .filter(|event| (first..=last).contains(&event.number))
            .flat_map(|event| event.bytes.clone())
            .collect();
        assert!(read == wanted, "{} bytes of {}, events {first} to {last} of {channels:?}", read.len(), wanted.len());
    }

    fn assert_answers(&self, channels: &[usize], number: u64, count: u64, time: Millis, ages: Option<Age>) {
        let asked = self.shelf(channels);
        let below: Vec<u64> = self.of(channels, ages).map(|event| event.number).filter(|at| *at <= number).collect();
        let start = asked.newest(count, number, ages).unwrap();
        let expected = usize::try_from(count).unwrap().min(below.len());
        assert_eq!(
            below.iter().filter(|at| **at > start).count(),
            expected,
            "the newest {count} up to {number}: {start} of {below:?}"
        );
        assert!(start <= number && (expected < usize::try_from(count).unwrap()) <= (start == 0));

        let last = self.of(channels, None).rfind(|event| event.time <= time).map_or(0, |event| event.number);
        assert_eq!(asked.until(time).unwrap(), last, "until {time}");

        let around = Around {
            at: self.of(channels, None).find(|event| event.number == number).map(|event| (event.time, name(event.channel))),
            before: self.of(channels, None).rfind(|event| event.number < number).map(|event| event.time),
            after: self.of(channels, None).find(|event| event.number > number).map(|event| event.time),
        };
        assert_eq!(asked.around(number).unwrap(), around, "around {number}");
    }

    fn path(&self, channel: usize, nth: usize) -> PathBuf {
        let first = self.archive.log(&name(channel)).unwrap().segments().nth(nth).unwrap().first;
        Path::new("/state").join(layout::directory_of(&name(channel))).join(layout::segment_name(first))
    }
}

fn ages() -> impl Strategy<Value = Option<Age>> {
    prop_oneof![Just(None), Just(Some(Age::New)), Just(Some(Age::Old))]
}

proptest! {
    #[test]
    fn questions_are_answered_as_by_a_list(
        steps in proptest::collection::vec(
            (0..4_usize, 0..6_u64, prop_oneof![3 => 0..60_usize, 1 => 10_000..70_000_usize], 0..3_u64, 0..6_u8), 1..60),
        wanted in proptest::collection::vec(any::<bool>(), 4),
        asked in proptest::collection::vec((0..150_u64, 0..90_u64, 990..1060_u64, ages()), 8),
    ) {
        let mut world = World::new(600_000);
        for (channel, count, size, later, kind) in steps {
            world.append(channel, count, size, later, if kind == 1 { Age::Old } else { Age::New });
            if kind == 0 {
                world.let_go();
            }
        }
        let channels: Vec<_> = (0..4).filter(|channel| wanted[*channel]).collect();
        for (number, count, time, ages) in asked {
            world.assert_answers(&channels, number, count, time, ages);
            let replay = world.shelf(&channels).replay(number..=number + count, ages).unwrap();
            world.assert_reads(&channels, number, number + count, ages, replay);
        }
        let all = [0, 1, 2, 3];
        world.assert_reads(&all, 0, u64::MAX, None, world.shelf(&all).replay(0..=u64::MAX, None).unwrap());
    }
}

/// A long history with small records and large ones: every search has to go by halves.
#[test]
fn large_segments_are_searched_right() {
    let mut world = World::new(64 << 20);
    for step in 0..9000_u64 {
        let size = if step.is_multiple_of(97) { 30_000 } else { usize::try_from(step * 7919 % 200).unwrap() };
        let channel = usize::from(step.is_multiple_of(3)) + usize::from(step.is_multiple_of(1000));
        world.append(channel, step % 4, size, u64::from(step.is_multiple_of(5)), Age::New);
    }
    assert!(world.archive.logs().any(|(_, log)| log.segments().any(|segment| segment.length > 1 << 20)));
    let newest = world.newest.number;
    for nth in 0..400 {
        let number = nth * 7919 % (newest + 10);
        let channels: &[usize] = [&[0][..], &[1], &[2], &[0, 1, 2], &[1, 2]][usize::try_from(nth % 5).unwrap()];
        world.assert_answers(channels, number, nth * nth % 700, 1000 + nth * 5, None);
    }
    for first in [1, 777, newest / 2, newest] {
        world.assert_reads(&[0, 1, 2], first, u64::MAX, None, world.shelf(&[0, 1, 2]).replay(first..=u64::MAX, None).unwrap());
    }
}

#[test]
fn many_channels_are_read_in_one_order() {
    let mut world = World::new(64 << 20);
    for step in 0..1800 {
        let size = if step % 100 == 3 { 40_000 } else { step * 13 % 300 };
        world.append(step * 7 % 600, 1 + step as u64 % 3, size, 1, Age::New);
    }
    for channels in [600, 40, 17, 16] {
        let channels: Vec<_> = (0..channels).collect();
        for (first, last) in [(0, u64::MAX), (333, 777), (500, 501)] {
            world.assert_reads(&channels, first, last, None, world.shelf(&channels).replay(first..=last, None).unwrap());
        }
        world.assert_answers(&channels, 1500, 40, 1500, None);
    }
}

#[test]
fn a_shelf_stays_as_it_was_made() {
    let mut world = World::new(64 << 20);
    (0..40).for_each(|_| world.append(0, 2, 50_000, 1, Age::New));
    let shelf = world.shelf(&[0]);
    let (events, newest) = (world.events.clone(), world.newest.number);
    (0..40).for_each(|_| world.append(0, 2, 50_000, 1, Age::New));
    assert_eq!(shelf.newest(10, u64::MAX, None).unwrap(), newest - 10);
    assert_eq!(shelf.until(u64::MAX).unwrap(), newest);
    world.events = events;
    world.assert_reads(&[0], 0, u64::MAX, None, shelf.replay(0..=u64::MAX, None).unwrap());
}

/// Every question that needs this segment, each of a new shelf.
fn ask(world: &World, channel: usize, number: u64) -> Vec<Result<(), Fault>> {
    let shelf = world.shelf(&[channel]);
    let time = world.events.iter().find(|event| event.number == number).unwrap().time;
    let read_all = |mut replay: Replay| -> Result<(), Broken> {
        while replay.read()?.is_some() {}
        Ok(())
    };
    let newest = world.newest.number;
    let answers = [
        shelf.newest(newest - number, u64::MAX, None).map(drop),
        shelf.newest(1, number, None).map(drop),
        shelf.until(time).map(drop),
        shelf.around(number).map(drop),
        shelf.replay(number..=u64::MAX, None).and_then(read_all),
    ];
    let channel = name(channel);
    answers
        .into_iter()
        .map(|answer| {
            answer.map_err(|broken| {
                assert_eq!(broken.channel, channel);
                broken.fault
            })
        })
        .collect()
}

#[test]
fn what_is_gone_is_told_from_what_is_damaged_and_what_cannot_be_read() {
    let mut world = World::new(64 << 20);
    (0..200).for_each(|_| world.append(0, 2, 5000, 1, Age::New));
    let segments = world.archive.log(&name(0)).unwrap().segments().count();
    assert_eq!(segments, 1);
    let path = world.path(0, 0);
    for number in [100, 200, 300] {
        assert!(ask(&world, 0, number).iter().all(Result::is_ok));
    }
    let whole = world.volume.files().into_iter().find(|(of, _)| *of == path).unwrap().1;
    world.volume.tamper(&path, |bytes| bytes.truncate(100_000));
    assert!(ask(&world, 0, 300).iter().all(|answer| matches!(answer, Err(Fault::Damaged))));
    // Also if it ends where a record does.
    let commit = memchr::memmem::find(&whole[100_000..], b"\n:= ").unwrap() + 100_001;
    let end = commit + memchr::memchr(b'\n', &whole[commit..]).unwrap() + 1;
    world.volume.tamper(&path, |bytes| *bytes = whole[..end].to_vec());
    assert!(ask(&world, 0, 300).iter().all(|answer| matches!(answer, Err(Fault::Damaged))));
    world.volume.tamper(&path, |bytes| *bytes = whole.iter().map(|_| 0).collect());
    assert!(ask(&world, 0, 300).iter().all(|answer| matches!(answer, Err(Fault::Damaged))));
    world.volume.tamper(&path, |bytes| *bytes = whole.clone());
    world.volume.forbid(&path);
    assert!(
        ask(&world, 0, 300)
            .iter()
            .all(|answer| matches!(answer, Err(Fault::Unreadable(error)) if error.kind() == std::io::ErrorKind::PermissionDenied))
    );
    world.volume.allow(&path);
    world.volume.remove(&path).unwrap();
    assert!(ask(&world, 0, 300).iter().all(|answer| matches!(answer, Err(Fault::LetGo))));
}

#[test]
fn what_is_good_before_damage_is_given_first() {
    let mut world = World::new(64 << 20);
    (0..10).for_each(|_| world.append(0, 2, 50_000, 1, Age::New));
    let path = world.path(0, 0);
    let mut replay = world.shelf(&[0]).replay(0..=u64::MAX, None).unwrap();
    world.volume.tamper(&path, |bytes| bytes[250_000] ^= 1);
    let mut read = 0;
    let broken = loop {
        match replay.read() {
            Ok(part) => read += part.expect("it ends with what is wrong").events.len(),
            Err(broken) => break broken,
        }
    };
    assert_eq!(read, world.events[..4].iter().map(|event| event.bytes.len()).sum::<usize>());
    assert!(matches!(broken.fault, Fault::Damaged) && broken.path == path);
    assert_eq!(replay.read().unwrap(), None, "nothing is given behind it");
}
