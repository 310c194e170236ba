//! The disk fails while the daemon runs: the stream goes on from memory, everybody is told who asks, writing resumes by itself, and what is missing then
//! is a gap after a restart.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::directory::{Directory, files_below};
use crate::harness::{Bridge, command, eventually, run_to_end};
use crate::kernel::{Room, allow, answered, unprivileged};
use crate::pipes::{Pipes, metric, wait_for_lines};
use crate::scene::{FEED, SMALL, Scene};
use crate::seen::assert_same;

#[test]
fn a_full_disk() {
    let room = Room::new(2 << 20);
    let state = room.disk().join("state");
    let mut scene = Scene::new(&room.seen(&state), |port| room.start(port, SMALL));
    scene.assert_well();
    let ballast = format!("cat /dev/zero >'{}/ballast' 2>/dev/null || true", room.disk().display());
    room.run(&ballast);
    scene.feed_until_failing(1);
    scene.assert_failing("no space left on device");
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(2500) {
        scene.feed(FEED); // while it is tried again, in vain
    }
    scene.assert_failing("no space left on device");
    assert_eq!(scene.told(), 1, "{}", scene.bridge.stderr());
    room.run(&format!("rm '{}/ballast'", room.disk().display()));
    scene.feed_until_failing(0);
    scene.assert_well();
    scene.feed(500);
    // Writing and syncing.
    assert!((1..=2).contains(&metric(&scene.bridge, "stored_failures_total")));
    let (said, missing) = (scene.bridge.stderr(), scene.end());
    assert!(
        missing > 0
            && said.contains(&format!("history is written again in '{}'; {missing} events are missing in it", state.display())),
        "{missing} are missing: {said}"
    );
}

#[test]
fn a_disk_that_is_full_at_the_start_is_waited_for() {
    let room = Room::new(1 << 20);
    room.run(&format!("cat /dev/zero >'{}/ballast' 2>/dev/null || true", room.disk().display()));
    let state = room.disk().join("state");
    let daemon = command(&["--port", "0", "--state-dir", state.to_str().unwrap()]);
    let output = room.enter().arg("timeout").arg("20").arg(daemon.get_program()).args(daemon.get_args()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), said.lines().count()), (Some(75), 1), "{said}");
    assert!(
        said.contains("could not use the state directory")
            && said.to_lowercase().contains("no space left")
            && said.contains("; hint: "),
        "{said}"
    );
}

#[test]
fn a_file_system_that_becomes_read_only() {
    let room = Room::new(8 << 20);
    let disk = room.disk();
    let mut scene = Scene::new(&room.seen(&disk.join("state")), |port| room.start(port, SMALL));
    // No new file can be made; one that is open for writing keeps a file system from becoming read-only as a whole.
    room.run(&format!("mount --bind '{0}' '{0}' && mount -o remount,bind,ro '{0}'", disk.display()));
    scene.feed_until_failing(1);
    scene.assert_failing("read-only file system");
    scene.feed(3000);
    room.run(&format!("umount '{}'", disk.display()));
    scene.feed_until_failing(0);
    scene.assert_well();
    scene.feed(100);
    scene.end();
}

/// The kernel's answers are those of a disk with bad blocks, for some calls.
fn calls_that_fail(answers: &[&str], words: &str, options: &[&str]) -> u64 {
    let place = Directory::new();
    let daemon = |port| place.command(port, options);
    // Only the first one meets with them.
    let mut scene = Scene::new(&place.state(), |port| {
        if place.state().exists() { Bridge::spawn(daemon(port)) } else { Bridge::spawn(answered(&daemon(port), answers)) }
    });
    scene.feed_until_failing(1);
    scene.assert_failing(words);
    scene.feed_until_failing(0);
    scene.assert_well();
    scene.feed(100);
    assert!(scene.told() <= 2, "{}", scene.bridge.stderr());
    let missing = scene.end();
    place.assert_verified("after calls that failed");
    missing
}

#[test]
fn writes_that_fail_with_an_input_output_error() {
    // Writes of the thread that reads.
    assert!(calls_that_fail(&["pwrite64:error=EIO:when=30..32"], "i/o error", SMALL) > 0);
}

#[test]
fn syncs_that_fail_with_an_input_output_error() {
    let missing = calls_that_fail(&["fsync:error=EIO:when=2..4", "fdatasync:error=EIO:when=2..4"], "i/o error", &[]);
    assert_eq!(missing, 0, "what was written is there");
}

#[test]
fn a_directory_that_is_removed() {
    let place = Directory::new();
    let mut scene = Scene::new(&place.state(), |port| place.start_on(port, SMALL));
    fs::remove_dir_all(place.state()).unwrap();
    scene.feed(50);
    eventually(
        "the directory to be made again",
        || place.state().join("@life").exists() && place.state().join("@lock").exists(),
        |is| *is,
    );
    let said = scene.bridge.wait_for_stderr("has gone");
    assert_eq!(said.matches("has gone").count(), 1, "{said}");
    while place.segments("stdin").is_empty() {
        scene.feed(FEED);
    }
    scene.feed(300);
    scene.assert_well();
    // It is locked again.
    let (code, _, err) = run_to_end(&["--port", "0", "--state-dir", &place.at("state")], Stdio::null());
    assert_eq!(code, 75, "{err}");
    assert!(scene.end() >= 200, "what was removed is missing");
    place.assert_verified("after the directory was removed");
}

#[test]
fn a_directory_in_whose_place_is_another_history() {
    let place = Directory::new();
    // Somebody else's.
    let mut other = Bridge::spawn(command(&["--port", "0", "--state-dir", &place.at("other")]));
    other.feed(
        b"of another
",
    );
    eventually("a line", || metric(&other, "input_lines_total"), |lines| *lines == 1);
    other.signal("TERM");
    other.wait();
    let content = || {
        let files = files_below(Path::new(&place.at("other")));
        files.into_iter().map(|path| (fs::read_to_string(&path).unwrap(), path)).collect::<Vec<_>>()
    };
    let before = content();
    let mut scene = Scene::new(&place.state(), |port| place.start_on(port, SMALL));
    fs::rename(place.state(), place.at("mine")).unwrap();
    fs::rename(place.at("other"), place.state()).unwrap();
    scene.feed_until_failing(1);
    scene.bridge.wait_for_stderr("another history is in the place");
    scene.assert_failing("another history is in the place");
    scene.feed(300);
    fs::rename(place.state(), place.at("other")).unwrap();
    assert_same("another's history", &content(), &before);
    fs::rename(place.at("mine"), place.state()).unwrap();
    scene.feed_until_failing(0);
    scene.assert_well();
    scene.feed(100);
    scene.end();
    place.assert_verified("after another history was in the place");
}

#[test]
fn rights_that_are_taken_away_and_given_back() {
    let place = Directory::new();
    let mut scene = Scene::new(&place.state(), |port| Bridge::spawn(unprivileged(&place.command(port, SMALL))));
    let modes: Vec<_> = [place.of_channel("stdin"), place.state()].into_iter().collect();
    modes.iter().for_each(|path| allow(path, 0o500));
    scene.feed_until_failing(1);
    scene.assert_failing("permission denied");
    modes.iter().for_each(|path| allow(path, 0o750));
    scene.feed_until_failing(0);
    scene.assert_well();
    scene.feed(100);
    assert_eq!(scene.told(), 1, "{}", scene.bridge.stderr());
    scene.end();
}

/// One channel that cannot be written costs the others nothing.
#[test]
fn a_file_in_the_place_of_one_channels_directory_leaves_the_others_alone() {
    let place = Directory::new();
    let mut pipes = Pipes::new(&place, &["good", "bad"]);
    place.obstruct("bad");
    let mut bridge = place.start(&pipes.arguments(&[]));
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(3500) {
        pipes.write(
            "bad",
            "of the bad one
",
        );
        pipes.write(
            "good",
            "of the good one
",
        );
        wait_for_lines(&bridge, pipes.lines);
    }
    let all = bridge.get("/events?tail=all&follow=0").rest();
    assert_eq!(all.len() as u64, pipes.lines, "the stream goes on");
    assert_eq!(bridge.get("/readyz?strict").status(), 503);
    let said = bridge.stderr();
    assert!(
        said.matches("could not write history").count() <= 1,
        "it is said once:
{said}"
    );
    bridge.signal("TERM");
    assert_eq!(bridge.wait(), 0);
    assert_eq!(
        place.history("good").len() as u64,
        pipes.lines / 2,
        "lines of the good one that are stored; it said:
{said}"
    );
    assert_eq!(
        fs::read_to_string(place.state().join("bad")).unwrap(),
        "a file
"
    );
}

/// What has failed once is not said to fail for ever because its source has gone silent.
#[test]
fn a_channel_that_nobody_feeds_any_more_is_written_again() {
    let place = Directory::new();
    let mut pipes = Pipes::new(&place, &["good", "bad"]);
    place.obstruct("bad");
    let mut bridge = place.start(&pipes.arguments(&[]));
    pipes.write("bad", "of the bad one\n");
    pipes.write("good", "of the good one\n");
    wait_for_lines(&bridge, pipes.lines);
    bridge.wait_for_stderr("could not write history");
    assert_eq!(bridge.get("/readyz?strict").status(), 503);
    fs::remove_file(place.state().join("bad")).unwrap();
    let said = bridge.wait_for_stderr("history is written again");
    assert!(said.contains("; 1 events are missing in it"), "{said}");
    assert_eq!(bridge.get("/readyz?strict").status(), 200);
    let bad = bridge.get("/events/bad?tail=all&follow=0").rest();
    bridge.signal("TERM");
    assert_eq!(bridge.wait(), 0);
    assert_eq!((bad.len(), place.history("bad").len()), (1, 0), "it is in memory alone");
    // It was missing in the history that the next daemon finds, and this says so.
    let mut bridge = place.start(&pipes.arguments(&[]));
    let seen = bridge.get("/events/bad?tail=all&follow=0").rest();
    assert!(seen.iter().any(|event| event.event == "gap" && event.data.contains("\"lost\":1")), "{seen:#?}");
    bridge.signal("TERM");
    assert_eq!(bridge.wait(), 0);
}
