//! The history on a file system that loses what it may lose, against a model.

mod archive;
mod crash;
mod damage;
mod inspect;
mod kernel;
mod presence;
mod retention;
mod shelf;
mod simulated;

use std::path::Path;

use proptest::prelude::*;

use super::layout;
use super::log::Log;
use super::segment::{self, BLOCK, Next, Reading, Records};
use super::volume::Volume;
use crate::event::{Age, Event, Position};
use crate::sse::{self, Ids};
use simulated::Simulated;

/// A record as it was appended.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    last: Position,
    count: u64,
    total: u64,
    age: Age,
    events: Vec<u8>,
    source: Option<String>,
}

/// So many events of so many bytes, as they are sent.
fn encoded(channel: &str, time: u64, first: u64, count: u64, size: usize) -> Vec<u8> {
    let (mut events, mut ids, data) = (Vec::new(), Ids::default(), "x".repeat(size));
    ids.set(time, &channel.parse().unwrap());
    (first..first + count).for_each(|number| sse::event(&mut events, &ids, number, Event { kind: None, data: data.as_bytes() }));
    events
}

/// What a log holds, read from its files.
fn held(volume: &Simulated, log: &Log, channel: &str) -> Vec<Known> {
    let mut held = Vec::new();
    for segment in log.segments() {
        let path = Path::new("/state").join(channel).join(layout::segment_name(segment.first));
        let file = volume.open(&path).unwrap();
        let (says, start) = segment::head_of(&*file).unwrap().expect("it has a head");
        assert_eq!((says.before, says.preceding, start), (segment.before, segment.preceding, segment.start));
        let mut records = Records::new(Reading::Open(file), start..segment.length, BLOCK);
        let (mut total, mut last) = (segment.before, None);
        while let Next::Record(_, commit, events) = records.peek().unwrap() {
            total += commit.count;
            last = if commit.count > 0 { Some(commit.last) } else { last };
            assert!(last.is_none() || commit.age == segment.age, "a segment is of one age");
            let age = if commit.count > 0 { commit.age } else { Age::New };
            assert_eq!(commit.total, total, "nothing is missing inside a segment");
            assert!(commit.first().is_none_or(|first| first >= segment.first.number), "{commit:?} in {segment:?}");
            let source = commit.source().map(str::to_owned);
            held.push(Known { last: commit.last, count: commit.count, total, age, events: events.to_vec(), source });
            records.pass();
        }
        assert_eq!(records.place(), segment.length);
        assert_eq!((total, last), (segment.total, segment.last));
    }
    held
}

/// What decides for a power cut.
fn chance(mut seed: u64) -> impl FnMut(usize) -> usize {
    move |count| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % count
    }
}

/// Everything ends: the process, or with a seed the power, after so many operations; so much of the write that is under way is done, of a hundred.
#[derive(Debug, Clone, Copy)]
struct Cut {
    after: usize,
    part: usize,
    power: Option<u64>,
}

/// What has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    Process,
    Power,
}

impl Cut {
    /// Does one thing after the other until everything ends, or all are done.
    fn short<T>(self, volume: &Simulated, things: impl IntoIterator<Item = T>, mut act: impl FnMut(T)) -> Ended {
        volume.cut_after(self.after, self.part);
        for thing in things {
            act(thing);
            if volume.is_cut() {
                break;
            }
        }
        if let Some(seed) = self.power {
            volume.power_cut(chance(seed));
            return Ended::Power;
        }
        volume.restart();
        Ended::Process
    }
}

/// A cut after less than so many operations.
fn cut(operations: usize) -> impl Strategy<Value = Cut> {
    (1..operations, 0..101_usize, any::<Option<u64>>()).prop_map(|(after, part, power)| Cut { after, part, power })
}
