//! What is read back, from wherever and of whichever channels, is what was written, in one order.

use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use super::super::archive::Archive;
use super::super::log::Entry;
use super::super::replay::{Broken, Replay};
use super::encoded;
use super::simulated::Simulated;
use crate::event::{Age, Position};
use crate::sse;

/// An archive, and each event with its number and its channel.
struct World {
    volume: Simulated,
    archive: Archive,
    events: Vec<(u64, usize, Vec<u8>)>,
    newest: Position,
}

fn name(channel: usize) -> String {
    format!("c/{channel}")
}

impl World {
    fn new() -> Self {
        let volume = Simulated::default();
        let (archive, _) = Archive::open(Arc::new(volume.clone()), Path::new("/state"), 1000, 64 << 20).unwrap();
        Self { volume, archive, events: Vec::new(), newest: Position { number: 0, time: 1000 } }
    }

    fn append(&mut self, channel: usize, count: u64, size: usize) {
        let (first, time) = (self.newest.number + 1, self.newest.time + 1);
        let encoded = encoded(&name(channel), time, first, count, size);
        self.newest = if count > 0 { Position { number: first + count - 1, time } } else { self.newest };
        let entry = Entry { last: self.newest, count, events: &encoded, age: Age::New };
        self.archive.append(&name(channel).parse().unwrap(), &[entry], Some("here")).unwrap();
        let mut rest = &encoded[..];
        for number in first..first + count {
            let (event, after) = rest.split_at(sse::length_of(rest, 1));
            self.events.push((number, channel, event.to_vec()));
            rest = after;
        }
    }

    fn replay(&self, channels: &[usize], first: u64, last: u64) -> Replay {
        let logs = self.archive.logs().filter(|(name, _)| channels.iter().any(|channel| self::name(*channel) == name.as_str()));
        Replay::begin(Arc::new(self.volume.clone()), logs.map(|(_, log)| log.files()).collect(), first..=last).unwrap()
    }

    fn assert_reads(&self, channels: &[usize], first: u64, last: u64) {
        let mut replay = self.replay(channels, first, last);
        let (mut read, mut before) = (Vec::new(), 0);
        while let Some(part) = replay.read().unwrap() {
            assert!(part.last.number > before && part.last.number <= last);
            before = part.last.number;
            read.extend_from_slice(&part.events);
        }
        let wanted =
            self.events.iter().filter(|(number, channel, _)| (first..=last).contains(number) && channels.contains(channel));
        let wanted: Vec<u8> = wanted.flat_map(|(_, _, event)| event.clone()).collect();
        assert!(read == wanted, "{} bytes of {}, events {first} to {last} of {channels:?}", read.len(), wanted.len());
    }
}

proptest! {
    #[test]
    fn what_was_written_is_read_in_order(
        steps in proptest::collection::vec((0..4_usize, 0..5_u64, prop_oneof![0..60_usize, 10_000..70_000_usize]), 1..30),
        wanted in proptest::collection::vec(any::<bool>(), 4),
        range in (0..120_u64, 0..120_u64),
    ) {
        let mut world = World::new();
        for (channel, count, size) in steps {
            world.append(channel, count, size);
        }
        let channels: Vec<_> = (0..4).filter(|channel| wanted[*channel]).collect();
        world.assert_reads(&channels, range.0, range.0 + range.1);
        world.assert_reads(&[0, 1, 2, 3], 0, u64::MAX);
    }
}

#[test]
fn many_channels_are_read_in_one_order() {
    let mut world = World::new();
    for step in 0..600 {
        world.append(step * 7 % 40, 1 + step as u64 % 3, step * 13 % 300);
    }
    let all: Vec<_> = (0..40).collect();
    world.assert_reads(&all, 0, u64::MAX);
    world.assert_reads(&all, 333, 777);
    world.assert_reads(&all[..17], 500, 501);
}

#[test]
fn what_is_let_go_or_damaged_meanwhile_is_told() {
    let mut world = World::new();
    (0..10).for_each(|_| world.append(0, 2, 50_000));
    let path = world.archive.logs().next().unwrap().1.files()[0].0.clone();
    let mut replay = world.replay(&[0], 0, u64::MAX);
    world.volume.tamper(&path, |bytes| bytes[250_000] ^= 1);
    let outcome = std::iter::from_fn(|| replay.read().transpose()).last();
    assert!(matches!(outcome, Some(Err(Broken::Damaged(of))) if of == path), "the others are given first");
    super::super::volume::Volume::remove(&world.volume, &path).unwrap();
    let begun = Replay::begin(Arc::new(world.volume.clone()), vec![world.archive.logs().next().unwrap().1.files()], 0..=u64::MAX);
    assert!(matches!(begun, Err(Broken::LetGo)));
}
