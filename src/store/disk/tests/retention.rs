//! What is let go, of which channel, and what remains when the files cannot be removed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::super::archive::{self, Archive};
use super::super::hole::{Bound, Hole};
use super::super::log::{Entry, Limits, Log};
use super::super::retention::{self, LetGo};
use super::super::volume::Volume;
use super::simulated::Simulated;
use super::{chance, encoded};
use crate::event::{Age, ChannelName, Position};
use crate::store::Keep;

const ROOT: &str = "/state";

fn open(volume: &Simulated, keep: Keep) -> Archive {
    Archive::open(Arc::new(volume.clone()), Path::new(ROOT), 1000, keep).unwrap().0
}

fn name(channel: &str) -> ChannelName {
    channel.parse().unwrap()
}

/// Appends one event of so many bytes.
fn append(archive: &mut Archive, channel: &str, time: u64, size: usize) {
    let number = archive.newest().number + 1;
    let events = encoded(channel, time, number, 1, size);
    let entry = Entry { last: Position { number, time }, count: 1, events: &events, age: Age::New };
    archive.append(&name(channel), &[entry], Some("here")).unwrap();
}

fn remove_all(volume: &Simulated, gone: &[LetGo]) {
    for gone in gone {
        retention::remove(volume, Path::new(ROOT), gone).unwrap();
    }
}

fn events_of(archive: &Archive, channel: &str) -> u64 {
    archive.log(&name(channel)).map_or(0, |log| log.segments().map(super::super::segment::Segment::count).sum())
}

#[test]
fn who_holds_less_than_its_share_loses_nothing() {
    let volume = Simulated::default();
    let mut archive = open(&volume, Keep { size: 1_000_000, age: None });
    for step in 0..300 {
        append(&mut archive, "loud", 1000 + step, 20_000);
        if step % 30 == 0 {
            append(&mut archive, "quiet", 1000 + step, 20_000);
        }
        let gone = archive.let_go(1000 + step).unwrap();
        assert!(gone.iter().all(|gone| gone.channel == name("loud")), "{gone:?}");
        assert!(archive.bytes() <= 1_000_000);
        remove_all(&volume, &gone);
    }
    assert_eq!(events_of(&archive, "quiet"), 10);
    assert!(events_of(&archive, "loud") >= 35, "what goes at once is little");
    let on_disk: usize =
        volume.files().iter().filter(|(path, _)| path.to_string_lossy().ends_with(".sse")).map(|(_, bytes)| bytes.len()).sum();
    assert_eq!(on_disk as u64, archive.bytes());
}

#[test]
fn what_is_too_old_goes_and_the_sources_position_stays() {
    let volume = Simulated::default();
    let keep = Keep { size: 1 << 30, age: Some(Duration::from_millis(800)) };
    let mut archive = open(&volume, keep);
    for time in (0..2000).step_by(10) {
        append(&mut archive, "a", 1000 + time, 10);
    }
    append(&mut archive, "old", 1000, 10);
    let mut forgotten = 0;
    for now in [1799, 1800, 1900, 2500, 3790, 3791] {
        let gone = archive.let_go(now).unwrap();
        remove_all(&volume, &gone);
        let oldest =
            archive.logs().filter_map(|(_, log)| log.segments().find_map(|segment| segment.last)).map(|last| last.time).min();
        assert!(oldest.is_none_or(|oldest| oldest + 800 >= now), "{oldest:?} at {now}");
        let first =
            archive.log(&name("a")).unwrap().segments().find(|segment| segment.last.is_some()).map(|segment| segment.first.time);
        assert!(first.is_none_or(|first| first + 800 + 100 + 10 >= now), "an eighth: {first:?} at {now}");
        forgotten += gone.iter().map(|gone| gone.count).sum::<u64>();
    }
    assert_eq!(forgotten, 201);
    let archive = open(&volume, keep);
    for channel in ["a", "old"] {
        let log = archive.log(&name(channel)).unwrap();
        assert_eq!((log.source(), log.has_events()), (Some("here"), false));
    }
    assert_eq!(archive.log(&name("a")).unwrap().total(), 200);
    let through = Position { number: 200, time: 2990 };
    let hole = Hole { after: 0, through, bound: Bound::Exact, count: 200 };
    assert_eq!(archive.log(&name("a")).unwrap().holes().collect::<Vec<_>>(), [hole]);
}

#[test]
fn a_file_that_cannot_be_removed_stops_nothing() {
    let volume = Simulated::default();
    let keep = Keep { size: 200_000, age: None };
    let mut archive = open(&volume, keep);
    (0..8).for_each(|step| append(&mut archive, "a", 1000 + step, 50_000));
    let gone = archive.let_go(1000).unwrap();
    assert!(!gone.is_empty() && archive.bytes() <= 200_000);
    volume.forbid(Path::new("/state/a"));
    let refused = retention::remove(&volume, Path::new(ROOT), &gone[0]).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::PermissionDenied);
    append(&mut archive, "a", 1010, 50_000);
    assert!(archive.let_go(1010).unwrap().iter().all(|again| again.first > gone.last().unwrap().first), "each is said once");
    volume.allow(Path::new("/state/a"));
    assert!(open(&volume, keep).log(&name("a")).unwrap().holes().next().is_none(), "it is there again");
}

/// A disk on which nothing can be written: a channel's last segment must not go, for the position in it, but others may.
#[test]
fn a_position_that_cannot_be_written_elsewhere_is_kept() {
    let volume = Simulated::default();
    let keep = Keep { size: 100_000, age: Some(Duration::from_millis(500)) };
    let mut archive = open(&volume, keep);
    append(&mut archive, "single", 1000, 90_000);
    append(&mut archive, "several", 1001, 60_000);
    append(&mut archive, "several", 1002, 10_000);
    volume.cut_after(1, 0);
    let gone = archive.let_go(1003).unwrap();
    assert_eq!(gone.iter().map(|gone| (gone.channel.as_str(), gone.count)).collect::<Vec<_>>(), [("several", 1)]);
    assert_eq!(archive.bytes() / 1000, 100, "what is left cannot go");
    assert!(archive.let_go(1003).is_err() && archive.let_go(5000).is_err());
    volume.restart();
    assert!(archive.let_go(1003).unwrap().iter().any(|gone| gone.channel == name("single")));
    assert_eq!(archive.log(&name("single")).unwrap().source(), Some("here"));
    assert!(archive.let_go(9000).unwrap().iter().all(|gone| gone.channel == name("several")));
    assert!(archive.logs().all(|(_, log)| !log.has_events()));
}

#[test]
fn a_forgotten_channel_leaves_nothing_and_may_come_back() {
    let volume = Simulated::default();
    let keep = Keep { size: 1 << 30, age: Some(Duration::from_millis(100)) };
    let mut archive = open(&volume, keep);
    append(&mut archive, "web/deep/a", 1000, 10);
    append(&mut archive, "web/b", 1001, 10);
    // The numbering hangs on the last event until it is safe, or another is behind it.
    assert!(archive.forget(&name("web/b")).is_empty() && archive.log(&name("web/b")).is_some());
    let gone = archive.forget(&name("web/deep/a"));
    assert_eq!(gone.len(), 1);
    assert!(archive.log(&name("web/deep/a")).is_none());
    // It comes back before its files are removed: what it begins with stays.
    append(&mut archive, "web/deep/a", 1002, 10);
    remove_all(&volume, &gone);
    let again = open(&volume, keep);
    assert_eq!(again.log(&name("web/deep/a")).unwrap().total(), 1);
    let unsynced = archive.take_unsynced();
    archive::sync(&volume, Path::new(ROOT), &unsynced).unwrap();
    archive.note_synced(unsynced.1);
    for channel in ["web/deep/a", "web/b"] {
        remove_all(&volume, &archive.forget(&name(channel)));
    }
    assert_eq!((archive.logs().count(), archive.bytes()), (0, 0));
    assert!(volume.stamp(Path::new("/state/web")).is_err() && volume.stamp(Path::new(ROOT)).is_ok(), "empty directories go");
    assert!(archive::sync(&volume, Path::new(ROOT), &unsynced).is_ok(), "what is gone needs no sync");
    assert!(open(&volume, keep).newest().number >= 3, "no number is given twice");
}

/// A channel whose events are gone, and which has only its source's position, comes back in the same millisecond.
#[test]
fn a_position_alone_is_forgotten_without_harm() {
    let volume = Simulated::default();
    let keep = Keep { size: 1 << 30, age: Some(Duration::from_millis(100)) };
    let mut archive = open(&volume, keep);
    append(&mut archive, "a", 1000, 10);
    append(&mut archive, "b", 1000, 10);
    remove_all(&volume, &archive.let_go(2000).unwrap());
    append(&mut archive, "b", 1000, 10);
    let gone = archive.forget(&name("a"));
    assert!(gone.is_empty() && archive.log(&name("a")).is_none());
    append(&mut archive, "a", 1000, 10);
    remove_all(&volume, &gone);
    assert_eq!(events_of(&open(&volume, keep), "a"), 1);
}

/// What is left of a channel says the source's position, also when the power is cut right after the rest was removed.
#[test]
fn a_position_is_safe_before_what_said_it_goes() {
    for seed in 0..40 {
        let volume = Simulated::default();
        let keep = Keep { size: 1 << 30, age: Some(Duration::from_millis(100)) };
        let mut archive = open(&volume, keep);
        append(&mut archive, "a", 1000, 10);
        let unsynced = archive.take_unsynced();
        archive::sync(&volume, Path::new(ROOT), &unsynced).unwrap();
        archive.note_synced(unsynced.1);
        remove_all(&volume, &archive.let_go(2000).unwrap());
        volume.power_cut(chance(seed));
        assert_eq!(open(&volume, keep).log(&name("a")).unwrap().source(), Some("here"));
    }
}

/// A source that moves without events, while no number is given: each segment would have the name of the one before.
#[test]
fn a_position_is_never_written_over() {
    for (after, part) in (1..12).zip([0, 30, 70].into_iter().cycle()) {
        let simulated = Simulated::default();
        let volume: Arc<dyn Volume> = Arc::new(simulated.clone());
        let open = || Log::open(&volume, Path::new(ROOT), name("a"), 1000, 0).unwrap().0;
        let nothing = Entry { last: Position { number: 7, time: 1000 }, count: 0, events: &[], age: Age::New };
        let mut log = open();
        let full = Limits { bytes: 0, span: None };
        log.append(&[nothing], Some("one"), full, &mut Vec::new()).unwrap();
        simulated.cut_after(after, part);
        let outcome = log.append(&[nothing], Some("two"), full, &mut Vec::new());
        simulated.restart();
        assert_eq!(open().source(), Some(if outcome.is_ok() { "two" } else { "one" }));
    }
}

/// The files of a directory.
fn files(volume: &Simulated, directory: &str) -> Vec<PathBuf> {
    volume.files().into_iter().map(|(path, _)| path).filter(|path| path.parent() == Some(Path::new(directory))).collect()
}

/// Source and age never share a segment with another, and the source's position is in whatever is left.
#[test]
fn a_segment_is_of_one_age_and_has_a_position() {
    let volume = Simulated::default();
    let keep = Keep { size: 1 << 30, age: None };
    let mut archive = open(&volume, keep);
    let mut old_through = 0;
    for (step, age) in [Age::Old, Age::Old, Age::New, Age::Old, Age::New, Age::New].into_iter().enumerate() {
        let number = archive.newest().number + 1;
        let events = encoded("a", 1000, number, 1, 10);
        let entry = Entry { last: Position { number, time: 1000 }, count: 1, events: &events, age };
        archive.append(&name("a"), &[entry], (step == 0).then_some("first")).unwrap();
        let nothing = Entry { last: Position { number, time: 1000 }, count: 0, events: &[], age: Age::New };
        archive.append(&name("a"), &[nothing], None).unwrap();
        old_through = if age == Age::Old { number } else { old_through };
        assert_eq!(archive.log(&name("a")).map(Log::old_through), Some(old_through));
    }
    let ages: Vec<_> = archive.log(&name("a")).unwrap().segments().map(|segment| (segment.age, segment.count())).collect();
    assert_eq!(ages, [(Age::Old, 2), (Age::New, 1), (Age::Old, 1), (Age::New, 2)]);
    assert_eq!(files(&volume, "/state/a").len(), 4);
    files(&volume, "/state/a")[..3].iter().for_each(|path| volume.remove(path).unwrap());
    let again = open(&volume, keep);
    assert_eq!(again.log(&name("a")).unwrap().source(), Some("first"), "each segment says it");
    let hole = again.log(&name("a")).unwrap().holes().next().unwrap();
    assert_eq!((hole.through.number, hole.bound, hole.count), (4, Bound::Exact, 4));
}
