//! The history on a file system that loses what it may lose, against a model.

mod archive;
mod crash;
mod kernel;
mod replay;
mod simulated;

use std::path::Path;

use super::layout;
use super::log::Log;
use super::segment::{self, Next, Records};
use super::volume::Volume;
use crate::event::{Event, Position};
use crate::sse::{self, Ids};
use simulated::Simulated;

/// A record as it was appended.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    last: Position,
    count: u64,
    total: u64,
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
        let start = segment::head_of(&*file).unwrap().expect("it has a head").1;
        let mut records = Records::new(file, start..segment.length);
        let mut total = segment.before;
        while let Next::Record(placed, events) = records.read().unwrap() {
            let commit = placed.commit;
            total += commit.count;
            assert_eq!(commit.total, total, "nothing is missing inside a segment");
            assert!(commit.first().is_none_or(|first| first >= segment.first.number), "{commit:?} in {segment:?}");
            let source = commit.source().map(str::to_owned);
            held.push(Known { last: commit.last, count: commit.count, total, events: events.to_vec(), source });
        }
        assert_eq!(records.place(), segment.length);
        assert_eq!(total, segment.total);
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
