//! The same on a file system of the kernel.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use super::super::archive::{self, Archive};
use super::super::layout;
use super::super::log::Entry;
use super::super::volume::Kernel;
use super::encoded;
use crate::event::{Age, Position};
use crate::store::Keep;

const KEEP: Keep = Keep { size: 1 << 30, age: None };

#[test]
fn what_is_written_is_an_event_stream_that_only_its_owner_may_change() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("state");
    let (mut archive, _) = Archive::open(Arc::new(Kernel), &root, 1000, KEEP).unwrap();
    let mut all = Vec::new();
    for (number, channel) in (1..=200).zip(["web/a", "web"].into_iter().cycle()) {
        let events = encoded(channel, 1000 + number, number, 1, 100);
        let entry = Entry { last: Position { number, time: 1000 + number }, count: 1, events: &events, age: Age::New };
        archive.append(&channel.parse().unwrap(), &[entry], Some("1.2.3")).unwrap();
        all.extend_from_slice(&events);
    }
    let unsynced = archive.take_unsynced();
    archive::sync(&Kernel, &root, &unsynced).unwrap();
    drop(archive);

    let (archive, report) = Archive::open(Arc::new(Kernel), &root, 2000, KEEP).unwrap();
    assert!(report.repairs.damaged.is_empty() && report.repairs.unreadable.is_empty() && report.doubtful_above.is_none());
    assert_eq!((archive.began(), archive.newest()), (1000, Position { number: 200, time: 1200 }));
    let mut replay = archive.shelf(|_| true).replay(0..=u64::MAX, None).unwrap();
    let mut read = Vec::new();
    while let Some(part) = replay.read().unwrap() {
        read.extend_from_slice(&part.events);
    }
    assert!(read == all);

    for (channel, log) in archive.logs() {
        assert_eq!(log.source(), Some("1.2.3"));
        for segment in log.segments() {
            let path = root.join(layout::directory_of(channel)).join(layout::segment_name(segment.first));
            let text = fs::read_to_string(&path).unwrap();
            let stream: String = text.split_inclusive('\n').filter(|line| !line.starts_with(':')).collect();
            let own = String::from_utf8(all.clone()).unwrap();
            let own: String = own.split_inclusive("\n\n").filter(|event| event.contains(&format!("/{channel}\n"))).collect();
            assert_eq!(stream, own, "{channel}");
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o137, 0, "whatever the umask");
            assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o027, 0);
        }
    }
}
