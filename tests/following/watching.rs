//! When watching fails.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::harness::{Bridge, Get, scale};
use crate::sources::{Ground, append, cpu_time, eventually, names, next_lines, shell, start};

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

/// The instances of inotify that the daemon has, and the watches in them.
fn watches(pid: u32) -> (usize, usize) {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().map(|fd| fd.unwrap());
    let is_inotify = |path: &Path| fs::read_link(path).is_ok_and(|to| to.to_string_lossy().contains("inotify"));
    let instances: Vec<_> = descriptors.filter(|fd| is_inotify(&fd.path())).map(|fd| fd.file_name()).collect();
    let infos = instances.iter().map(|fd| fs::read_to_string(format!("/proc/{pid}/fdinfo/{}", fd.display())).unwrap());
    (instances.len(), infos.map(|info| info.lines().filter(|line| line.starts_with("inotify ")).count()).sum())
}

fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

/// A daemon whose user has only so many of what this file below /proc/sys/user counts.
fn limited(limit: &str, to: u32, sources: &[String]) -> Bridge {
    let sources: Vec<_> = sources.iter().map(|source| format!("'{source}'")).collect();
    // A user namespace of its own: nobody else is limited.
    let inside = format!("echo {to} >/proc/sys/user/{limit} && exec sse-bridge --port 0 {}", sources.join(" "));
    let mut command = shell("exec unshare --user --map-root-user bash -c \"$0\"");
    command.arg(inside);
    Bridge::spawn(command)
}

/// Whether this machine lets the tests limit a user of their own.
fn can_limit() -> bool {
    let can =
        Command::new("unshare").args(["--user", "--map-root-user", "test", "-w", "/proc/sys/user/max_inotify_watches"]).status();
    let can = can.is_ok_and(|status| status.success());
    if !can {
        println!("no user namespaces here: the limits of inotify are not tested");
    }
    can
}

#[test]
fn without_instances_files_are_looked_at_instead() {
    if !can_limit() {
        return;
    }
    let limit = "/proc/sys/user/max_inotify_instances";
    let before = fs::read_to_string(limit).unwrap();
    let mut followed = Followed::by(Ground::new(), |sources| limited("max_inotify_instances", 0, sources));
    assert_eq!(watches(followed.bridge.pid()).0, 0);
    assert_eq!(fs::read_to_string(limit).unwrap(), before, "nobody else is limited");
    followed.works();
    let said = followed.bridge.wait_for_stderr("no inotify instances left");
    assert!(
        said.contains("warning: ") && said.contains("four times a second") && said.contains("fs.inotify.max_user_instances"),
        "{said}"
    );
    assert_eq!(followed.said("inotify"), 2, "once, with the sysctl: {said}");
}

#[test]
fn without_watches_files_are_looked_at_instead() {
    if !can_limit() {
        return;
    }
    // None at all; some; as many as are wanted at the start, and none for what comes later.
    for count in [0, 1, 2, 3] {
        let mut followed = Followed::by(Ground::new(), |sources| limited("max_inotify_watches", count, sources));
        followed.works();
        assert!(watches(followed.bridge.pid()).1 <= usize::try_from(count).unwrap());
        let said = followed.bridge.wait_for_stderr("no inotify watches left");
        assert!(said.contains("four times a second") && said.contains("fs.inotify.max_user_watches"), "{said}");
        assert_eq!(followed.said("no inotify watches left"), 1, "{said}");
    }
}

#[test]
fn polling_follows_everything_and_asks_the_kernel_for_nothing() {
    let mut followed = Followed::by(Ground::new(), |sources| start(&[&["--poll".to_owned()], sources].concat()));
    followed.works();
    assert_eq!(watches(followed.bridge.pid()), (0, 0));
    assert_eq!(followed.said("inotify"), 0, "{}", followed.bridge.stderr());
}

#[test]
fn with_hints_everything_is_followed_and_nothing_is_said() {
    let mut followed = Followed::by(Ground::new(), start);
    followed.works();
    assert_eq!(watches(followed.bridge.pid()).0, 1);
    assert_eq!(followed.said("warning: "), 1, "of the input alone: {}", followed.bridge.stderr());
}

#[test]
fn on_a_tmpfs_everything_is_followed() {
    let Some(directory) = ["/dev/shm", "/run"].map(Path::new).into_iter().find(|path| is_tmpfs(path)) else {
        println!("no tmpfs that may be written to");
        return;
    };
    for flags in [&[][..], &["--poll".to_owned()]] {
        Followed::by(Ground::on(directory), |sources| start(&[flags, sources].concat())).works();
    }
}

fn is_tmpfs(path: &Path) -> bool {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let is_it = |line: &str| line.split(' ').collect::<Vec<_>>()[1..3] == [path.to_str().unwrap(), "tmpfs"];
    mounts.lines().any(is_it) && tempfile::tempdir_in(path).is_ok()
}

/// A directory that is seen at another place through a process; unmounted on drop.
struct Mounted {
    house: Ground,
}

impl Mounted {
    fn new() -> Self {
        let mounted = Self { house: Ground::new() };
        for name in ["below", "above"] {
            fs::create_dir(mounted.house.at(name)).unwrap();
        }
        let bindfs = Command::new("bindfs").arg(mounted.house.at("below")).arg(mounted.house.at("above")).status();
        assert!(bindfs.is_ok_and(|status| status.success()), "bindfs (tests/install) could not mount");
        mounted
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Whoever has it open, also after a failure.
        let _ = Command::new("umount").arg("--lazy").arg(self.house.at("above")).stderr(Stdio::null()).status();
    }
}

#[test]
fn on_a_file_system_in_another_process_everything_is_followed() {
    if File::options().read(true).write(true).open("/dev/fuse").is_err() {
        println!("no FUSE here");
        return;
    }
    let mount = Mounted::new();
    let ground = Ground::on(Path::new(&mount.house.at("above")));
    let below = Path::new(&mount.house.at("below")).join(ground.root().file_name().unwrap());
    let mut followed = Followed::by(ground, start);
    // What happens below gives nobody above a hint.
    append(&below.join("app.log"), "grown below\n");
    followed.expect(&["grown below"]);
    fs::write(below.join("web/other.log"), "new below\n").unwrap();
    followed.expect(&["new below"]);
    append(&below.join("web/other.log"), "grown below as well\n");
    followed.expect(&["grown below as well"]);
    // A process that knows its files by their paths takes one for another when they are renamed below it, so that is done above.
    followed.works();
    let said = followed.bridge.wait_for_stderr("four times a second");
    assert!(said.contains("files on fuse are looked at four times a second"), "{said}");
    assert_eq!(followed.said("four times a second"), 1, "{said}");
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
    let before = descriptors(followed.bridge.pid());
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
    let pid = followed.bridge.pid();
    eventually(
        &format!("at most {} descriptors, and 4 watches of one instance", before + 1),
        || (descriptors(pid), watches(pid)),
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
