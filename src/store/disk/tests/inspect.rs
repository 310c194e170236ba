//! What a look from outside says of a state directory, against what was written, and against what opening it would repair.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::prelude::*;

use super::super::archive::{Archive, Report};
use super::super::inspect::{Depth, Finding, Holding, Inspection, NoState, Weight, What};
use super::super::layout;
use super::super::life;
use super::super::log::Entry;
use super::super::retention;
use super::super::volume::Volume;
use super::encoded;
use super::simulated::Simulated;
use crate::event::{Age, Position};
use crate::store::Keep;

const CHANNELS: [&str; 3] = ["web/a", "web", "x.sse"];

const ROOT: &str = "/state";

/// What was written, and not let go.
#[derive(Default)]
struct Known {
    /// The first and the last event of each batch.
    batches: Vec<(Position, Position)>,
    gone: u64,
}

impl Known {
    fn events(&self) -> u64 {
        self.batches.iter().map(|(first, last)| last.number - first.number + 1).sum()
    }
}

struct World {
    volume: Simulated,
    archive: Archive,
    newest: Position,
    known: BTreeMap<&'static str, Known>,
}

fn open(volume: &Simulated) -> (Archive, Report) {
    Archive::open(Arc::new(volume.clone()), Path::new(ROOT), 1000, Keep { size: 300_000, age: None }).expect("it can be opened")
}

impl World {
    fn new() -> Self {
        let volume = Simulated::default();
        let archive = open(&volume).0;
        Self { volume, archive, newest: Position { number: 0, time: 1000 }, known: BTreeMap::new() }
    }

    fn with(reads: &[Read]) -> Self {
        let mut world = Self::new();
        for (channel, batches) in reads {
            world.append(*channel, batches);
        }
        world
    }

    /// What was read at once: batches of so many events of so many bytes.
    fn append(&mut self, channel: usize, batches: &[(u64, usize)]) {
        let name = CHANNELS[channel];
        let known = self.known.entry(name).or_default();
        let mut encodings = Vec::new();
        for (count, size) in batches {
            let time = self.newest.time + 1;
            let first = Position { number: self.newest.number + 1, time };
            let last = if *count > 0 { Position { number: self.newest.number + count, time } } else { self.newest };
            if *count > 0 {
                known.batches.push((first, last));
            }
            encodings.push((last, *count, encoded(name, time, first.number, *count, *size)));
            self.newest = last;
        }
        let entries: Vec<_> =
            encodings.iter().map(|(last, count, events)| Entry { last: *last, count: *count, events, age: Age::New }).collect();
        self.archive.append(&name.parse().unwrap(), &entries, Some("here")).unwrap();
    }

    fn let_go(&mut self) {
        for gone in self.archive.let_go(self.newest.time).unwrap() {
            let known = self.known.get_mut(gone.channel.as_str()).unwrap();
            known.batches.retain(|(_, last)| Some(*last) > gone.through);
            known.gone += gone.count;
            retention::remove(&self.volume, Path::new(ROOT), &gone).unwrap();
        }
    }

    /// The segments of a channel, oldest first.
    fn segments(&self, channel: usize) -> Vec<PathBuf> {
        let directory = Path::new(ROOT).join(layout::directory_of(&CHANNELS[channel].parse().unwrap()));
        let is_segment = |path: &PathBuf| path.file_name().unwrap().to_str().is_some_and(|name| layout::first_of(name).is_some());
        let files = self.volume.files().into_iter().map(|(path, _)| path);
        let mut segments: Vec<_> = files.filter(|path| path.parent() == Some(&directory) && is_segment(path)).collect();
        segments.sort_unstable();
        segments
    }

    fn bytes(&self, path: &Path) -> Vec<u8> {
        self.volume.files().into_iter().find(|(found, _)| found == path).unwrap().1
    }
}

/// A channel, and what was read of its source at once.
type Read = (usize, Vec<(u64, usize)>);

fn reads() -> impl Strategy<Value = Vec<Read>> {
    let batch = (0..5_u64, prop_oneof![0..200_usize, 8_000..20_000_usize]);
    proptest::collection::vec((0..3_usize, proptest::collection::vec(batch, 1..4)), 1..24)
}

/// What a look says.
fn look(volume: &Simulated, depth: Depth) -> (BTreeMap<String, Holding>, Vec<Finding>) {
    let mut findings = Vec::new();
    let tell = &mut |finding| findings.push(finding);
    let inspection = Inspection::begin(Arc::new(volume.clone()), Path::new(ROOT), tell).expect("it is a state directory");
    let mut look = |channel| inspection.look(channel, depth, tell).expect("it is of this version");
    let holdings = inspection.channels().iter().map(|channel| (channel.to_string(), look(channel))).collect();
    (holdings, findings)
}

fn worst(findings: &[Finding]) -> Option<Weight> {
    findings.iter().map(Finding::weight).max()
}

fn is_damage(finding: &Finding) -> bool {
    finding.weight() == Weight::Damage
}

/// Asserts that there is one damage and nothing beside it, which is said of this file, and gives where and what.
fn only_damage(findings: &[Finding], path: &Path) -> (Option<u64>, String) {
    let [finding] = findings else { panic!("{findings:?}") };
    assert!(is_damage(finding) && finding.path == path, "{finding:?}");
    (finding.offset, finding.what.to_string())
}

proptest! {
    #[test]
    fn what_is_held_is_what_was_written(reads in reads(), let_go: Vec<bool>) {
        let mut world = World::new();
        for (index, (channel, batches)) in reads.iter().enumerate() {
            world.append(*channel, batches);
            if let_go.get(index) == Some(&true) {
                world.let_go();
            }
        }
        for depth in [Depth::Ends, Depth::Whole] {
            let (holdings, findings) = look(&world.volume, depth);
            prop_assert!(findings.is_empty(), "{:?}", findings);
            prop_assert_eq!(holdings.keys().map(String::as_str).collect::<Vec<_>>(), world.known.keys().copied().collect::<Vec<_>>());
            for (channel, known) in &world.known {
                let held = &holdings[*channel];
                prop_assert_eq!((held.events, held.gone, held.lost, held.aside), (known.events(), known.gone, 0, 0));
                prop_assert_eq!(held.first, known.batches.first().map(|(first, _)| *first));
                prop_assert_eq!(held.last, known.batches.last().map(|(_, last)| *last));
            }
            let bytes: u64 = world.volume.files().iter().filter(|(path, _)| path.extension().is_some()).map(|(_, bytes)| bytes.len() as u64).sum();
            prop_assert_eq!(holdings.values().map(|held| held.bytes).sum::<u64>(), bytes);
        }
    }

    /// Only a flip that makes the last record look as if it had never been finished is no damage.
    #[test]
    fn a_flipped_bit_is_found(reads in reads(), file: prop::sample::Index, at: prop::sample::Index, bit in 0..8_u32) {
        let world = World::with(&reads);
        let channel = (0..3).find(|channel| !world.segments(*channel).is_empty()).unwrap();
        let segments = world.segments(channel);
        let path = file.get(&segments);
        let bytes = world.bytes(path);
        let at = at.index(bytes.len());
        world.volume.tamper(path, |bytes| bytes[at] ^= 1 << bit);
        let (_, findings) = look(&world.volume, Depth::Whole);
        let is_at_the_end = |finding: &Finding| {
            let start = finding.offset.unwrap_or(0);
            path == segments.last().unwrap() && start <= at as u64 && matches!(finding.what, What::Unfinished(left) if left == bytes.len() as u64 - start)
        };
        prop_assert!(!findings.is_empty() && findings.iter().all(|finding| finding.path == *path), "{:?}", findings);
        prop_assert!(findings.iter().any(is_damage) || findings.iter().all(is_at_the_end), "{:?}", findings);
        prop_assert!(findings.iter().all(|finding| finding.offset.is_none_or(|offset| offset <= at as u64)), "{:?}", findings);
    }

    /// What opening moves aside, a look from outside has called damage; and after it has been opened nothing is damaged, and what is left is
    /// what was said to be good, or a record less beside the damage.
    #[test]
    fn opening_repairs_what_is_called_damage(
        reads in reads(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..3_u8), 0..4),
    ) {
        let world = World::with(&reads);
        let files: Vec<_> = (0..3).flat_map(|channel| world.segments(channel)).collect();
        for (file, at, change) in &changes {
            world.volume.tamper(&files[file.index(files.len())], |bytes| match at.index(bytes.len().max(1)) {
                at if at >= bytes.len() => {}
                at if *change == 0 => bytes[at] ^= 4,
                at if *change == 1 => bytes.truncate(at),
                at => bytes[at..].fill(0),
            });
        }
        let (before, findings) = look(&world.volume, Depth::Whole);
        let World { volume, archive, .. } = world;
        drop(archive);
        let (archive, report) = open(&volume);
        prop_assert!(report.repairs.damaged.is_empty() || findings.iter().any(is_damage), "{:?}", findings);
        prop_assert!(report.repairs.cut == 0 || !findings.is_empty());
        drop(archive);
        let (after, left) = look(&volume, Depth::Whole);
        prop_assert!(worst(&left) <= Some(Weight::Note), "{:?}", left);
        prop_assert!(left.iter().all(|finding| matches!(finding.what, What::Aside(_))), "{:?}", left);
        for (channel, held) in &before {
            let events = after.get(channel).map_or(0, |held| held.events);
            prop_assert!(events <= held.events, "{channel}: {events} of {}", held.events);
            prop_assert!(!findings.is_empty() || events == held.events);
        }
        prop_assert_eq!(look(&volume, Depth::Ends).0, after);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>, at: prop::sample::Index) {
        let world = World::with(&[(0, vec![(2, 10), (1, 10)])]);
        let path = &world.segments(0)[0];
        world.volume.tamper(path, |whole| {
            let at = at.index(whole.len());
            whole.splice(at..(at + bytes.len()).min(whole.len()), bytes);
        });
        look(&world.volume, Depth::Ends);
        look(&world.volume, Depth::Whole);
    }
}

/// Three segments of one channel, of two records each.
fn three_segments() -> (World, Vec<PathBuf>) {
    let world = World::with(&[
        (0, vec![(2, 16_000)]),
        (0, vec![(1, 10)]),
        (0, vec![(3, 15_000)]),
        (0, vec![(1, 20_000)]),
        (0, vec![(4, 16_000)]),
    ]);
    let segments = world.segments(0);
    assert_eq!(segments.len(), 3, "{segments:?}");
    (world, segments)
}

#[test]
fn an_unfinished_tail_is_damage_only_where_something_follows() {
    let (world, segments) = three_segments();
    for path in [&segments[0], &segments[2]] {
        world.volume.tamper(path, |bytes| bytes.extend_from_slice(b"id: 1-99/web/a\ndata: torn"));
    }
    for depth in [Depth::Ends, Depth::Whole] {
        let (holdings, findings) = look(&world.volume, depth);
        assert_eq!(holdings["web/a"].events, 11, "{depth:?}");
        let [cut, unfinished] = &findings[..] else { panic!("{findings:?}") };
        assert!(matches!(cut.what, What::Cut(25)) && cut.path == segments[0], "{findings:?}");
        assert!(matches!(unfinished.what, What::Unfinished(25)) && unfinished.path == segments[2], "{findings:?}");
        assert_eq!(unfinished.offset, Some(world.bytes(&segments[2]).len() as u64 - 25));
        assert_eq!((cut.weight(), unfinished.weight()), (Weight::Damage, Weight::Note));
    }
}

#[test]
fn a_tail_of_zeros_is_unfinished() {
    let (world, segments) = three_segments();
    world.volume.tamper(&segments[2], |bytes| bytes.resize(bytes.len() + 100_000, 0));
    for depth in [Depth::Ends, Depth::Whole] {
        let (holdings, findings) = look(&world.volume, depth);
        assert!(matches!(findings[..], [Finding { what: What::Unfinished(100_000), .. }]), "{findings:?}");
        assert_eq!(holdings["web/a"].events, 11);
    }
}

#[test]
fn batches_that_belong_with_one_that_is_missing_are_not_held() {
    let world = World::with(&[(0, vec![(1, 10)]), (0, vec![(2, 10), (3, 10), (0, 0)])]);
    let path = &world.segments(0)[0];
    let text = world.bytes(path);
    let lines = memchr::memmem::find_iter(&text, b"\n:= ").count();
    assert_eq!(lines, 4);
    let last = memchr::memmem::rfind(&text, b"\n:= ").unwrap() + 1;
    world.volume.tamper(path, |bytes| bytes.truncate(last));
    for depth in [Depth::Ends, Depth::Whole] {
        let (holdings, findings) = look(&world.volume, depth);
        assert!(matches!(findings[..], [Finding { what: What::Unfinished(_), .. }]), "{findings:?}");
        assert_eq!((holdings["web/a"].events, holdings["web/a"].last.unwrap().number), (1, 1), "{depth:?}");
    }
}

#[test]
fn a_record_that_was_cut_out_is_damage() {
    let world = World::with(&[(0, vec![(2, 10)]), (0, vec![(1, 10)]), (0, vec![(3, 10)])]);
    let path = &world.segments(0)[0];
    let bytes = world.bytes(path);
    let ends: Vec<_> =
        memchr::memmem::find_iter(&bytes, b"\n:= ").map(|at| at + 2 + memchr::memchr(b'\n', &bytes[at + 1..]).unwrap()).collect();
    for (range, place, lost) in [(ends[0]..ends[1], ends[0], 1), (memchr::memchr(b'\n', &bytes).unwrap() + 1..ends[0], 0, 2)] {
        world.volume.tamper(path, |whole| {
            whole.clone_from(&bytes);
            whole.drain(range.clone());
        });
        let (holdings, findings) = look(&world.volume, Depth::Whole);
        let (offset, what) = only_damage(&findings, path);
        let place = if place > 0 { place } else { range.start };
        assert_eq!((offset, &*what), (Some(place as u64), "this record does not follow the one before it"));
        assert_eq!((holdings["web/a"].events, holdings["web/a"].lost), (6 - lost, lost));
    }
}

#[test]
fn a_damaged_position_costs_no_event() {
    let world = World::with(&[(0, vec![(2, 10)]), (0, vec![(0, 0)]), (0, vec![(1, 10)])]);
    let path = &world.segments(0)[0];
    let bytes = world.bytes(path);
    let commits: Vec<_> = memchr::memmem::find_iter(&bytes, b"\n:= ").map(|at| at + 1).collect();
    let length = memchr::memchr(b'\n', &bytes[commits[1]..]).unwrap() + 1;
    world.volume.tamper(path, |bytes| bytes[commits[1] + 5] ^= 1);
    let (holdings, findings) = look(&world.volume, Depth::Whole);
    assert_eq!(only_damage(&findings, path), (Some(commits[1] as u64), format!("{length} bytes are not as they were written")));
    assert_eq!((holdings["web/a"].events, holdings["web/a"].lost), (3, 0));
}

#[test]
fn a_last_record_that_was_committed_is_not_taken_for_an_unfinished_one() {
    let (world, segments) = three_segments();
    world.volume.tamper(&segments[2], |bytes| {
        let boundary = memchr::memmem::rfind(bytes, b"\n\n:= ").unwrap();
        bytes[boundary] = b'x';
    });
    let (holdings, findings) = look(&world.volume, Depth::Whole);
    assert!(only_damage(&findings, &segments[2]).1.contains("bytes are not as they were written"));
    assert_eq!(holdings["web/a"].events, 7);
}

#[test]
fn a_segment_of_another_life_is_damage() {
    let (world, segments) = three_segments();
    life::begin(&world.volume, Path::new(ROOT), 999).unwrap();
    let (_, findings) = look(&world.volume, Depth::Ends);
    assert_eq!(findings.len(), 3);
    assert!(findings.iter().zip(&segments).all(|(finding, path)| is_damage(finding) && finding.path == *path), "{findings:?}");
    assert_eq!(findings[0].what.to_string(), "it is of another life, which began at 1000");
}

#[test]
fn an_event_before_the_name_of_its_segment_is_damage() {
    let (world, segments) = three_segments();
    let oldest = world.bytes(&segments[0]);
    world.volume.tamper(&segments[1], |bytes| *bytes = oldest);
    let (_, findings) = look(&world.volume, Depth::Whole);
    assert!(
        !findings.is_empty() && findings.iter().all(|finding| finding.path == segments[1] && is_damage(finding)),
        "{findings:?}"
    );
    assert!(matches!(findings[0].what, What::Early(1)), "{findings:?}");
}

#[test]
fn the_first_event_is_not_always_that_of_the_name() {
    let mut world = World::with(&[(0, vec![(0, 0)]), (1, vec![(7, 10)])]);
    world.append(0, &[(2, 10)]);
    for depth in [Depth::Ends, Depth::Whole] {
        let held = &look(&world.volume, depth).0["web/a"];
        assert_eq!((held.first.unwrap().number, held.last.unwrap().number), (8, 9), "{depth:?}");
    }
}

#[test]
fn a_missing_segment_is_a_loss_and_no_damage() {
    let (world, segments) = three_segments();
    world.volume.remove(&segments[1]).unwrap();
    for depth in [Depth::Ends, Depth::Whole] {
        let (holdings, findings) = look(&world.volume, depth);
        let held = &holdings["web/a"];
        assert!(findings.is_empty(), "{findings:?}");
        assert_eq!((held.events, held.lost, held.gone, held.segments), (7, 4, 0, 2), "{depth:?}");
    }
}

#[test]
fn what_lies_where_it_does_not_belong_is_damage() {
    let (world, segments) = three_segments();
    let strange = Path::new(ROOT).join("web/1-00000000000000000001.sse");
    let write = |path: &Path, bytes: Vec<u8>| {
        world.volume.make_directory(path.parent().unwrap()).unwrap();
        let file = world.volume.create(path).unwrap();
        file.write_at(&bytes, 0).unwrap();
    };
    write(&strange, world.bytes(&segments[0]));
    for depth in [Depth::Ends, Depth::Whole] {
        let (_, findings) = look(&world.volume, depth);
        assert_eq!(only_damage(&findings, &strange), (Some(0), "it belongs to the channel 'web/a'".to_owned()));
    }
    world.volume.remove(&strange).unwrap();
    // The newest again, by a name before the others.
    let twice = Path::new(ROOT).join("web/a/1001-00000000000000000001.sse");
    assert_eq!(segments[0], twice, "the name of the oldest");
    let newest = world.bytes(&segments[2]);
    world.volume.tamper(&twice, |bytes| *bytes = newest);
    for depth in [Depth::Ends, Depth::Whole] {
        let (_, findings) = look(&world.volume, depth);
        assert!(only_damage(&findings, &twice).1.contains("is not before the next segment"), "{findings:?}");
    }
}

#[test]
fn a_head_and_a_last_line_are_looked_at_without_reading_all() {
    for (at, words) in [(5, "its head"), (-5, "the line that commits")] {
        let (world, segments) = three_segments();
        world.volume.tamper(&segments[1], |bytes| {
            let index = if at < 0 { bytes.len() - 25 } else { 5 };
            bytes[index] = b'?';
        });
        let (_, findings) = look(&world.volume, Depth::Ends);
        assert!(only_damage(&findings, &segments[1]).1.contains(words), "{findings:?}");
    }
}

#[test]
fn what_cannot_be_read_is_said_and_the_rest_is_told() {
    let (mut world, segments) = three_segments();
    world.append(1, &[(5, 10)]);
    world.volume.forbid(&segments[0]);
    let (holdings, findings) = look(&world.volume, Depth::Whole);
    assert!(matches!(&findings[..], [Finding { what: What::Unreadable(_), path, .. }] if *path == segments[0]), "{findings:?}");
    assert_eq!((holdings["web/a"].events, holdings["web/a"].gone, holdings["web"].events), (8, 3, 5));
}

#[test]
fn a_later_version_is_told_from_damage() {
    let (world, segments) = three_segments();
    let fields = "2 whatever comes";
    let head = format!(": sse-bridge {fields} {:08x}\n", crc32fast::hash(fields.as_bytes()));
    world.volume.tamper(&segments[1], |bytes| *bytes = head.into_bytes());
    let tell = &mut |finding: Finding| panic!("{finding:?}");
    let inspection = Inspection::begin(Arc::new(world.volume.clone()), Path::new(ROOT), tell).unwrap();
    let error = inspection.look(&"web/a".parse().unwrap(), Depth::Ends, tell).unwrap_err();
    assert!(matches!(error, NoState::Newer { version: 2, ref path } if *path == segments[1]), "{error:?}");
}
