//! When watching fails.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::thread;
use std::time::Duration;

use crate::harness::{Bridge, Get, scale};
use crate::kernel::{Limit, Limiting, Silence, memory};
use crate::process::{descriptors, watches};
use crate::sources::{Ground, append, cpu_time, eventually, names, next_lines, start};

/// Files of all kinds, and a client that waits for their lines.
struct Followed {
    ground: Ground,
    bridge: Bridge,
    client: Get,
}

impl Followed {
    /// Starts the daemon by a command that gets its sources.
    fn by(ground: Ground, start: impl FnOnce(&[String]) -> Bridge) -> Self {
        let root = ground.at("").trim_end_matches('/').to_owned();
        ground.write("app.log", "");
        ground.write("web/a.log", "");
        ground.write("v1/app.log", "");
        symlink("v1", ground.at("..data")).unwrap();
        symlink("..data/app.log", ground.at("linked.log")).unwrap();
        let bridge = start(&[
            format!("app={root}/app.log"),
            format!("web={root}/web/*.log"),
            format!("linked={root}/linked.log"),
            format!("late={root}/late/late.log"),
        ]);
        let mut client = bridge.get("/events");
        assert_eq!(client.events(1)[0].event, "start");
        Self { ground, bridge, client }
    }

    fn expect(&mut self, lines: &[&str]) {
        let found: BTreeSet<_> = next_lines(&mut self.client, lines.len()).into_iter().collect();
        assert_eq!(found, lines.iter().map(|line| (*line).to_owned()).collect());
    }

    /// All that can happen to files is followed.
    fn works(&mut self) {
        self.ground.append("app.log", "grown\n");
        self.expect(&["grown"]);
        self.ground.append("web/a.log", "of a glob\n");
        self.expect(&["of a glob"]);
        // Rotated, with a late line.
        self.ground.append("app.log", "before\n");
        self.ground.rename("app.log", "app.log.1");
        self.ground.write("app.log", "behind\n");
        self.ground.append("app.log.1", "late\n");
        self.expect(&["before", "behind", "late"]);
        // Two at once.
        self.ground.append("app.log", "one\n");
        self.ground.rename("app.log", "app.log.2");
        self.ground.write("app.log", "two\n");
        self.ground.rename("app.log", "app.log.3");
        self.ground.write("app.log", "three\n");
        self.expect(&["one", "two", "three"]);
        // A new file of a glob, and a directory that comes.
        self.ground.write("web/b.log", "new\n");
        self.expect(&["new"]);
        self.ground.write("late/late.log", "came late\n");
        self.expect(&["came late"]);
        self.ground.append("late/late.log", "and grew\n");
        self.expect(&["and grew"]);
        // A link on the way is set anew.
        self.ground.append("v1/app.log", "by a link\n");
        self.expect(&["by a link"]);
        self.ground.write("v2/app.log", "by the new link\n");
        symlink("v2", self.ground.at("..data_tmp")).unwrap();
        self.ground.rename("..data_tmp", "..data");
        self.expect(&["by the new link"]);
        // Deleted, and made again.
        self.ground.remove("app.log");
        self.ground.write("app.log", "again\n");
        self.expect(&["again"]);
        // Truncated: that is told, and then it goes on.
        fs::write(self.ground.at("web/a.log"), "").unwrap();
        let gap = self.client.events(1).remove(0);
        assert!(gap.event == "gap" && gap.data.contains(r#""reason":"truncated""#), "{gap:?}");
        self.ground.append("web/a.log", "after\n");
        self.expect(&["after"]);
        self.client.assert_strict();
    }

    /// How often the daemon has said a text.
    fn said(&self, text: &str) -> usize {
        self.bridge.stderr().matches(text).count()
    }
}

#[test]
fn without_instances_files_are_looked_at_instead() {
    let limit = "/proc/sys/user/max_inotify_instances";
    let before = fs::read_to_string(limit).unwrap();
    for way in Limiting::ways() {
        let mut followed = Followed::by(Ground::new(), |sources| way.start(Limit::Instances(0), sources));
        assert_eq!(watches(&followed.bridge).0, 0, "{way:?}");
        assert_eq!(fs::read_to_string(limit).unwrap(), before, "nobody else is limited");
        followed.works();
        let said = followed.bridge.wait_for_stderr("no inotify instances left");
        assert!(
            said.contains("warning: ") && said.contains("four times a second") && said.contains("fs.inotify.max_user_instances"),
            "{way:?}: {said}"
        );
        assert_eq!(followed.said("inotify"), 2, "{way:?}: once, with the sysctl: {said}");
    }
}

#[test]
fn without_watches_files_are_looked_at_instead() {
    for way in Limiting::ways() {
        // None at all; some; as many as are wanted at the start, and none for what comes later.
        for count in [0, 1, 2, 3] {
            let mut followed = Followed::by(Ground::new(), |sources| way.start(Limit::Watches(count), sources));
            followed.works();
            assert!(watches(&followed.bridge).1 <= usize::try_from(count).unwrap(), "{way:?}");
            let said = followed.bridge.wait_for_stderr("no inotify watches left");
            assert!(
                said.contains("four times a second") && said.contains("fs.inotify.max_user_watches"),
                "{way:?}, {count} watches: {said}"
            );
            assert_eq!(followed.said("no inotify watches left"), 1, "{way:?}, {count} watches: {said}");
        }
    }
}

#[test]
fn polling_follows_everything_and_asks_the_kernel_for_nothing() {
    let mut followed = Followed::by(Ground::new(), |sources| start(&[&["--poll".to_owned()], sources].concat()));
    followed.works();
    assert_eq!(watches(&followed.bridge), (0, 0));
    assert_eq!(followed.said("inotify"), 0, "{}", followed.bridge.stderr());
}

#[test]
fn with_hints_everything_is_followed_and_nothing_is_said() {
    let mut followed = Followed::by(Ground::new(), start);
    followed.works();
    assert_eq!(watches(&followed.bridge).0, 1);
    assert_eq!(followed.said("warning: "), 1, "of the input alone: {}", followed.bridge.stderr());
}

#[test]
fn on_a_tmpfs_everything_is_followed() {
    for flags in [&[][..], &["--poll".to_owned()]] {
        Followed::by(Ground::on(&memory()), |sources| start(&[flags, sources].concat())).works();
    }
}

#[test]
fn on_a_file_system_in_another_process_everything_is_followed() {
    for silence in Silence::ways() {
        let ground = silence.ground();
        let far = silence.far(&ground);
        let mut followed = Followed::by(ground, |sources| silence.start(sources));
        // What happens on the far side gives nobody here a hint.
        append(&far.join("app.log"), "grown there\n");
        followed.expect(&["grown there"]);
        fs::write(far.join("web/other.log"), "new there\n").unwrap();
        followed.expect(&["new there"]);
        append(&far.join("web/other.log"), "grown there as well\n");
        followed.expect(&["grown there as well"]);
        // A process that knows its files by their paths takes one for another when they are renamed behind its back, so that is done here.
        followed.works();
        let said = followed.bridge.wait_for_stderr("four times a second");
        assert!(said.contains("files on fuse are looked at four times a second"), "{said}");
        assert_eq!(followed.said("four times a second"), 1, "{said}");
    }
}

#[test]
fn when_hints_are_lost_everything_is_looked_at() {
    let most: usize = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap().trim().parse().unwrap();
    let mut followed = Followed::by(Ground::new(), start);
    for round in 0..2 {
        followed.bridge.signal("STOP");
        // Each gives two hints, when it comes and when it goes.
        for number in 0..most / 2 + 100 {
            let path = followed.ground.at(&format!("noise-{number}"));
            File::create(&path).unwrap();
            fs::remove_file(path).unwrap();
        }
        // No hint tells of these.
        followed.ground.append("app.log", &format!("grown {round}\n"));
        followed.ground.append("v1/app.log", &format!("by a link {round}\n"));
        followed.ground.append("web/a.log", &format!("before {round}\n"));
        followed.ground.rename("web/a.log", "web/a.log.1");
        followed.ground.write("web/a.log", &format!("behind {round}\n"));
        followed.ground.write(&format!("web/new-{round}.log"), &format!("new {round}\n"));
        followed.bridge.signal("CONT");
        let expected = ["grown", "by a link", "before", "behind", "new"].map(|what| format!("{what} {round}"));
        followed.expect(&expected.each_ref().map(String::as_str));
        followed.bridge.wait_for_stderr("fs.inotify.max_queued_events");
    }
    assert_eq!(followed.said("fs.inotify.max_queued_events"), 1, "{}", followed.bridge.stderr());
    followed.ground.rename("web/a.log", "web/a.log.2");
    followed.ground.write("web/a.log", "");
    followed.works();
}

#[test]
fn rotations_leave_no_watches_and_no_descriptors_behind() {
    let ground = Ground::new();
    let rounds = scale(100, 1000);
    let mut followed = Followed::by(ground, |sources| start(&[&["--rotate-wait=0s".to_owned()], sources].concat()));
    let before = descriptors(&followed.bridge);
    for round in 0..rounds {
        let version = format!("v{}", round + 2);
        followed.ground.rename("app.log", "app.log.1");
        followed.ground.write("app.log", &format!("created {round}\n"));
        followed.ground.remove("web/a.log");
        followed.ground.write("web/a.log", &format!("made again {round}\n"));
        followed.ground.write(&format!("{version}/app.log"), &format!("linked {round}\n"));
        symlink(&version, followed.ground.at("..data_tmp")).unwrap();
        followed.ground.rename("..data_tmp", "..data");
        fs::remove_dir_all(followed.ground.at(&format!("v{}", round + 1))).unwrap();
        let _ = fs::remove_dir_all(followed.ground.at("late"));
        followed.ground.write("late/late.log", &format!("with its directory {round}\n"));
        let expected = ["created", "made again", "linked", "with its directory"].map(|what| format!("{what} {round}"));
        followed.expect(&expected.each_ref().map(String::as_str));
    }
    // One more file than at first is followed; the directories are the root, and one for each of the other three.
    eventually(
        &format!("at most {} descriptors, and 4 watches of one instance", before + 1),
        || (descriptors(&followed.bridge), watches(&followed.bridge)),
        |(open, watches)| *open <= before + 1 && *watches == (1, 4),
    );
    assert_eq!(names(&followed.bridge).len(), 4);
}

#[test]
fn when_nothing_happens_it_does_next_to_nothing() {
    for (flags, most) in [(&[][..], 20), (&["--poll"], 40)] {
        let ground = Ground::new();
        for number in 0..100 {
            ground.write(&format!("logs/{number}.log"), "a line\n");
        }
        let glob = ground.at("logs/*.log");
        let bridge = start(&[flags, &[&*glob, &ground.at("missing/app.log")]].concat());
        let mut client = bridge.get("/events?tail=0");
        client.events(1);
        // The first seconds have work of their own: directories whose times are too young to be trusted. One of several seconds is
        // a quiet one, however loaded the machine is.
        let spent: Vec<_> = (0..8)
            .map(|_| {
                let before = cpu_time(bridge.pid());
                thread::sleep(Duration::from_secs(1)); // the time itself is what is measured
                cpu_time(bridge.pid()) - before
            })
            .take_while(|spent| *spent >= most)
            .collect();
        assert!(spent.len() < 8, "{flags:?}: {spent:?} ms of a processor in idle seconds");
        ground.append("logs/42.log", "awake\n");
        assert_eq!(next_lines(&mut client, 1), ["awake"]);
    }
}
