//! A state directory that is removed, replaced or partly deleted while the daemon runs: simulated, and on a file system of the kernel.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::archive::{self, Archive};
use super::super::hole::Bound;
use super::super::layout;
use super::super::log::Entry;
use super::super::volume::{Kernel, Volume};
use super::encoded;
use super::simulated::Simulated;
use crate::event::{Age, ChannelName, EventId, Position};
use crate::store::Keep;

/// Small enough that segments are.
const KEEP: Keep = Keep { size: 400_000, age: None };

/// The same through both.
trait Place {
    fn volume(&self) -> Arc<dyn Volume>;
    fn root(&self) -> PathBuf;
    fn tear_out(&self, path: &Path);
    fn remove(&self, path: &Path);
}

struct OfKernel(tempfile::TempDir);

impl Place for OfKernel {
    fn volume(&self) -> Arc<dyn Volume> {
        Arc::new(Kernel)
    }
    fn root(&self) -> PathBuf {
        self.0.path().join("state")
    }
    fn tear_out(&self, path: &Path) {
        fs::remove_dir_all(path).unwrap();
    }
    fn remove(&self, path: &Path) {
        fs::remove_file(path).unwrap();
    }
}

impl Place for Simulated {
    fn volume(&self) -> Arc<dyn Volume> {
        Arc::new(self.clone())
    }
    fn root(&self) -> PathBuf {
        "/state".into()
    }
    fn tear_out(&self, path: &Path) {
        Simulated::tear_out(self, path);
    }
    fn remove(&self, path: &Path) {
        Volume::remove(self, path).unwrap();
    }
}

fn places() -> [Box<dyn Place>; 2] {
    [Box::new(Simulated::default()), Box::new(OfKernel(tempfile::tempdir().unwrap()))]
}

fn name(channel: &str) -> ChannelName {
    channel.parse().unwrap()
}

fn open(place: &dyn Place) -> Archive {
    Archive::open(place.volume(), &place.root(), 1000, KEEP).unwrap().0
}

fn append(archive: &mut Archive, channel: &str, size: usize) {
    let number = archive.newest().number + 1;
    let events = encoded(channel, 1000 + number, number, 1, size);
    let entry = Entry { last: Position { number, time: 1000 + number }, count: 1, events: &events, age: Age::New };
    archive.append(&name(channel), &[entry], Some(&format!("at.{number}"))).unwrap();
}

/// Three channels with three events each, in three segments each.
fn nine(place: &dyn Place) -> Archive {
    let mut archive = open(place);
    for _ in 0..3 {
        for channel in ["a", "b/c", "d"] {
            append(&mut archive, channel, 70_000);
        }
    }
    archive.check().unwrap();
    archive
}

/// The numbers of all events that are held.
fn read(archive: &Archive) -> Vec<u64> {
    let mut replay = archive.shelf(|_| true).replay(0..=u64::MAX, None).unwrap();
    let parts: Vec<_> = std::iter::from_fn(|| replay.read().unwrap()).map(|part| part.events).collect();
    let text = String::from_utf8(parts.concat()).unwrap();
    let ids = text.lines().filter_map(|line| line.strip_prefix("id: "));
    ids.map(|id| id.parse::<EventId>().unwrap().position.number).collect()
}

/// What is known now is known after a restart.
fn assert_stays(place: &dyn Place, archive: &Archive) {
    let again = open(place);
    assert_eq!((again.began(), again.newest(), again.bytes()), (archive.began(), archive.newest(), archive.bytes()));
    for (channel, log) in archive.logs() {
        let other = again.log(channel).unwrap();
        assert_eq!(other.holes().collect::<Vec<_>>(), log.holes().collect::<Vec<_>>(), "{channel}");
        assert_eq!((other.source(), other.total(), other.latest()), (log.source(), log.total(), log.latest()), "{channel}");
    }
    assert_eq!(read(&again), read(archive));
}

#[test]
fn nothing_is_said_of_what_is_there() {
    for place in places() {
        let mut archive = nine(&*place);
        for _ in 0..3 {
            assert!(archive.is_there() && archive.check().unwrap().is_empty());
            append(&mut archive, "a", 70_000);
        }
        assert_eq!(read(&archive).len(), 12);
    }
}

#[test]
fn a_directory_that_was_removed_goes_on_behind_a_hole() {
    for place in places() {
        let mut archive = nine(&*place);
        place.tear_out(&place.root());
        append(&mut archive, "a", 10); // into a file without a name, or into a new directory
        assert!(!archive.is_there());
        let gone = archive.check().unwrap();
        assert!(archive.is_there());
        assert_eq!(gone.iter().map(|gone| gone.count).sum::<u64>() + read(&archive).len() as u64, 10);
        assert!(gone.iter().filter(|gone| gone.channel == name("b/c")).map(|gone| gone.through.unwrap().number).eq([2, 5, 8]));
        assert!(archive.check().unwrap().is_empty(), "it is said once");
        for (channel, log) in archive.logs() {
            let holes: Vec<_> = log.holes().collect();
            assert_eq!(holes.len(), 1, "{channel}: {holes:?}");
            assert_eq!((holes[0].after, holes[0].bound), (0, Bound::Exact));
        }
        assert_eq!(archive.log(&name("d")).unwrap().source(), Some("at.9"));
        for channel in ["a", "b/c", "d"] {
            append(&mut archive, channel, 10);
        }
        let unsynced = archive.take_unsynced();
        archive::sync(&*place.volume(), &place.root(), &unsynced).unwrap();
        assert_stays(&*place, &archive);
    }
}

#[test]
fn a_directory_that_was_replaced_is_taken_over_or_not() {
    for place in places() {
        let mut archive = nine(&*place);
        place.tear_out(&place.root());
        place.volume().make_directory(&place.root()).unwrap();
        assert!(!archive.is_there());
        assert_eq!(archive.check().unwrap().len(), 9);
        assert!(archive.is_there());
        assert_stays(&*place, &archive);

        place.tear_out(&place.root());
        drop(Archive::open(place.volume(), &place.root(), 777, KEEP).unwrap());
        let refused = archive.check().unwrap_err().to_string();
        assert!(refused.contains("another history"), "{refused}");
        assert!(!archive.is_there());
        place.tear_out(&place.root());
        archive.check().unwrap();
        assert_stays(&*place, &archive);
    }
}

#[test]
fn a_channel_that_was_deleted_is_found_though_nothing_is_appended() {
    for place in places() {
        let mut archive = nine(&*place);
        place.tear_out(&place.root().join("b"));
        let gone = archive.check().unwrap();
        assert!(gone.iter().all(|gone| gone.channel == name("b/c")) && gone.len() == 3, "{gone:?}");
        assert_eq!(archive.log(&name("b/c")).unwrap().source(), Some("at.8"));
        assert_eq!(read(&archive), [1, 3, 4, 6, 7, 9]);
        assert_stays(&*place, &archive);
    }
}

#[test]
fn files_that_were_deleted_are_holes() {
    for place in places() {
        let mut archive = nine(&*place);
        let paths: Vec<_> = archive
            .log(&name("a"))
            .unwrap()
            .segments()
            .map(|segment| place.root().join("a").join(layout::segment_name(segment.first)))
            .collect();
        place.remove(&paths[1]);
        let gone = archive.check().unwrap();
        assert_eq!(gone.iter().map(|gone| &gone.path).collect::<Vec<_>>(), [&paths[1]]);
        // The last one, which is open: what is appended to it until that is found is lost, and counted.
        place.remove(&paths[2]);
        append(&mut archive, "a", 10);
        let gone = archive.check().unwrap();
        assert_eq!(gone.iter().map(|gone| gone.count).sum::<u64>() + read(&archive).len() as u64, 9);
        append(&mut archive, "a", 10);
        let holes: Vec<_> = archive.log(&name("a")).unwrap().holes().map(|hole| (hole.after, hole.bound)).collect();
        assert_eq!(holes, [(1, Bound::Exact)]);
        assert_stays(&*place, &archive);
    }
}

/// Somebody edits a file: another has its name then, perhaps a longer one.
#[test]
fn a_file_that_was_replaced_is_written_to_behind_what_it_held() {
    for (place, rest) in places().into_iter().zip([&b""[..], b"and more"]) {
        let mut archive = open(&*place);
        append(&mut archive, "d", 10);
        let first = archive.log(&name("d")).unwrap().segments().next_back().unwrap().first;
        let path = place.root().join("d").join(layout::segment_name(first));
        let volume = place.volume();
        let mut bytes = vec![0; usize::try_from(volume.open(&path).unwrap().length().unwrap()).unwrap()];
        volume.open(&path).unwrap().read_at(&mut bytes, 0).unwrap();
        bytes.extend_from_slice(rest);
        place.remove(&path);
        volume.create(&path).unwrap().write_at(&bytes, 0).unwrap();
        assert!(archive.check().unwrap().is_empty());
        append(&mut archive, "d", 10);
        append(&mut archive, "d", 10);
        assert_eq!(read(&archive), [1, 2, 3]);
        assert_stays(&*place, &archive);
    }
}

#[test]
fn of_many_channels_each_is_looked_after() {
    let volume = Simulated::default();
    let mut archive = open(&volume);
    (0..600).for_each(|nth| append(&mut archive, &format!("x/{nth:03}"), 10));
    (0..3).for_each(|_| assert!(archive.check().unwrap().is_empty()));
    for channel in ["x/000", "x/255", "x/256", "x/300", "x/599"] {
        volume.tear_out(&Path::new("/state").join(channel));
    }
    let gone: usize = (0..3).map(|_| archive.check().unwrap().len()).sum();
    assert_eq!(gone, 5, "in three turns");
    volume.tear_out(Path::new("/state"));
    assert_eq!(archive.check().unwrap().iter().map(|gone| gone.count).sum::<u64>(), 595, "at once");
    assert!(archive.logs().all(|(_, log)| log.source().is_some()));
    assert_stays(&volume, &archive);
}

/// Of thousands of channels most files are closed: what is appended then must not make a file anew that begins in the middle.
#[test]
fn a_closed_file_that_was_deleted_is_not_made_again_from_its_middle() {
    for place in places() {
        let mut archive = open(&*place);
        append(&mut archive, "a", 10);
        (0..70).for_each(|nth| append(&mut archive, &format!("x/{nth}"), 10));
        let file = archive.log(&name("a")).unwrap().segments().next().unwrap().first;
        place.remove(&place.root().join("a").join(layout::segment_name(file)));
        append(&mut archive, "a", 10);
        assert_eq!(archive.check().unwrap().iter().map(|gone| gone.count).collect::<Vec<_>>(), [1]);
        assert_eq!(read(&archive).len(), 71);
        assert_stays(&*place, &archive);
    }
}

#[test]
fn a_position_that_cannot_be_written_is_written_later() {
    let volume = Simulated::default();
    let mut archive = nine(&volume);
    volume.tear_out(Path::new("/state/d"));
    volume.cut_after(1, 0);
    assert_eq!(archive.check().unwrap().len(), 3);
    volume.restart();
    assert!(archive.check().unwrap().is_empty());
    assert_eq!(archive.log(&name("d")).unwrap().source(), Some("at.9"));
    assert_stays(&volume, &archive);
}
