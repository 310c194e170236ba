//! Where a pipe lies: made, removed, replaced, and with which rights.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::{followed, is_pipe, say, writer};
use crate::harness::{Bridge, Get, PATIENCE, in_background, scale};
use crate::process::descriptors;
use crate::sources::{Ground, all_lines, eventually, next_lines, shell, start, unprivileged, wait_for_state};

#[test]
fn a_pipe_that_is_removed_and_made_again_loses_nothing() {
    let (ground, pipe, bridge, mut client) = followed(&[]);
    for round in 0..scale(3, 20) {
        // The daemon sees it all at once.
        let mut old = writer(&pipe);
        bridge.signal("STOP");
        let before: Vec<_> = (0..100).map(|number| format!("{round} before {number}")).collect();
        old.write_all((before.join("\n") + "\n").as_bytes()).unwrap();
        ground.remove("p");
        ground.pipe("p");
        bridge.signal("CONT");
        assert_eq!(next_lines(&mut client, 100), before);
        // A writer that has the old one is heard as well as one of the new one.
        old.write_all(b"of the old one\n").unwrap();
        assert_eq!(next_lines(&mut client, 1), ["of the old one"]);
        say(&pipe, "of the new one\n");
        assert_eq!(next_lines(&mut client, 1), ["of the new one"]);
        old.write_all(b"late of the old one\n").unwrap();
        assert_eq!(next_lines(&mut client, 1), ["late of the old one"]);
        drop(old);
    }
    wait_for_state(&bridge, "p", "open", "");
    client.assert_strict();
}

/// Reads until a line comes, among many.
fn wait_for_line(client: &mut Get, line: &str) {
    let deadline = Instant::now() + PATIENCE;
    while client.next_event().expect("the stream goes on").data != line {
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} for {line:?} among others");
    }
}

#[test]
fn an_old_pipe_that_is_never_quiet_does_not_hold_the_new_one_up() {
    let ground = Ground::new();
    let pipe = ground.pipe("p");
    let mut bridge = start(&["--history=1MiB", &format!("p={pipe}")]);
    let mut old = OpenOptions::new().write(true).open(&pipe).unwrap();
    let noise = in_background(move || {
        let block = "noise\n".repeat(10_000);
        while old.write_all(block.as_bytes()).is_ok() {} // until the daemon has gone
    });
    let mut client = bridge.get("/events/p?tail=1");
    client.events(1);
    ground.remove("p");
    ground.pipe("p");
    // Whoever opens the new one finds a reader in time, and what is written comes to it: some of it also to a client that cannot
    // follow the noise.
    let mut new = writer(&pipe);
    let voice = in_background(move || {
        while new.write_all(b"of the new one\n").is_ok() {
            thread::sleep(Duration::from_millis(1)); // a writer that is not busy
        }
    });
    wait_for_line(&mut client, "of the new one");
    let began = Instant::now();
    bridge.signal("TERM");
    assert_eq!(bridge.wait(), 0);
    assert!(began.elapsed() < Duration::from_millis(1500), "{:?}", began.elapsed());
    noise.recv_timeout(PATIENCE).unwrap();
    voice.recv_timeout(PATIENCE).unwrap();
}

#[test]
fn a_pipe_that_may_not_be_made_or_opened_fails_alone_and_is_tried_again() {
    let ground = Ground::new();
    fs::create_dir(ground.at("d")).unwrap();
    let rights = |path: &str, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let (directory, pipe) = (ground.at("d"), ground.pipe("p"));
    rights(&directory, 0o555);
    rights(&pipe, 0o000);
    let sources = [format!("new=fifo:{directory}/p"), format!("shut={pipe}"), format!("good=fifo:{}", ground.at("good"))];
    let bridge = Bridge::spawn(unprivileged(&sources.each_ref().map(String::as_str)));
    wait_for_state(&bridge, "new", "failing", "permission denied");
    wait_for_state(&bridge, "shut", "failing", "permission denied");
    let mut client = bridge.get("/events");
    client.events(1);
    say(&ground.at("good"), "one\n");
    assert_eq!(next_lines(&mut client, 1), ["one"]);
    rights(&directory, 0o755);
    rights(&pipe, 0o600);
    for path in [format!("{directory}/p"), pipe] {
        say(&path, "in the end\n");
        assert_eq!(next_lines(&mut client, 1), ["in the end"]);
    }
    wait_for_state(&bridge, "new", "open", "");
    wait_for_state(&bridge, "shut", "open", "");
    assert_eq!(bridge.stderr().matches("permission denied").count(), 2, "{}", bridge.stderr());
}

#[test]
fn old_pipes_are_closed_in_time() {
    let ground = Ground::new();
    let pipe = ground.pipe("p");
    let bridge = start(&[format!("p={pipe}")]);
    let before = descriptors(&bridge);
    for round in 0..3 {
        ground.remove("p");
        wait_for_state(&bridge, "p", "waiting", "no such");
        ground.pipe("p");
        say(&pipe, &format!("{round}\n"));
        eventually("the line", || all_lines(&bridge, "/events/p").len(), |count| *count == round + 1);
    }
    eventually("as many descriptors as before", || descriptors(&bridge), |count| *count <= before);
}

#[test]
fn a_pipe_that_its_daemon_makes_is_made_again() {
    let ground = Ground::new();
    let path = ground.at("p");
    let bridge = start(&[format!("p=fifo:{path}")]);
    let mut client = bridge.get("/events/p");
    client.events(1);
    for round in 0..2 {
        let mut old = writer(&path);
        old.write_all(format!("{round} before\n").as_bytes()).unwrap();
        let removed = fs::metadata(&path).unwrap().ino();
        ground.remove("p");
        old.write_all(format!("{round} between\n").as_bytes()).unwrap();
        let pipe = || fs::metadata(&path).map(|pipe| (pipe.ino(), format!("{:o}", pipe.mode()))).ok();
        eventually("a new pipe", pipe, |pipe| pipe.as_ref().is_some_and(|(inode, mode)| *inode != removed && mode == "10620"));
        say(&path, &format!("{round} after\n"));
        assert_eq!(next_lines(&mut client, 3), ["before", "between", "after"].map(|when| format!("{round} {when}")));
    }
}

#[test]
fn a_made_pipe_has_its_rights_whatever_the_umask_and_stays() {
    for (umask, flags, mode) in [
        ("0000", &[][..], 0o620),
        ("0077", &[], 0o620),
        ("0777", &[], 0o620),
        ("0077", &["--fifo-mode=0666"], 0o666),
        ("0000", &["--fifo-mode=600"], 0o600),
        ("0022", &["--fifo-mode", "0622", "--fifo-remove"], 0o622),
    ] {
        let ground = Ground::new();
        let path = ground.at("p");
        let script = format!("umask {umask}; exec sse-bridge --port 0 {} 'fifo:{path}'", flags.join(" "));
        let mut bridge = Bridge::spawn(shell(&script));
        assert!(is_pipe(&path), "{script}");
        assert_eq!(format!("{:o}", fs::metadata(&path).unwrap().mode() & 0o7777), format!("{mode:o}"), "{script}");
        say(&path, "one\n");
        assert_eq!(next_lines(&mut bridge.get("/events?tail=all"), 1), ["one"]);
        bridge.signal("TERM");
        assert_eq!(bridge.wait(), 0);
        assert_eq!(is_pipe(&path), !flags.contains(&"--fifo-remove"), "{script}: {}", bridge.stderr());
    }
}

#[test]
fn a_pipe_that_was_there_keeps_its_rights_and_serves_run_after_run() {
    let ground = Ground::new();
    let pipe = ground.pipe("p");
    for round in 0..3 {
        let mut bridge = start(&["--fifo-mode=0666", &format!("p=fifo:{pipe}")]);
        assert_eq!(fs::metadata(&pipe).unwrap().mode() & 0o777, 0o600);
        say(&pipe, &format!("{round}\n"));
        assert_eq!(next_lines(&mut bridge.get("/events/p?tail=all"), 1), [round.to_string()]);
        bridge.signal("TERM");
        assert_eq!(bridge.wait(), 0);
    }
    // --fifo-remove does not concern a pipe that is none of fifo:'s, nor one that took its place.
    let other = ground.pipe("other");
    let mut bridge = start(&["--fifo-remove", &other, &format!("p=fifo:{pipe}")]);
    ground.remove("p");
    ground.write("p", "not a pipe\n");
    wait_for_state(&bridge, "p", "failing", "not a named pipe");
    bridge.signal("TERM");
    assert_eq!(bridge.wait(), 0);
    assert!(is_pipe(&other) && Path::new(&pipe).exists(), "{}", bridge.stderr());
}

#[test]
fn a_daemon_that_waits_for_its_first_writer_stops_at_once() {
    let ground = Ground::new();
    let mut bridge = start(&[format!("fifo:{}", ground.at("p")), ground.pipe("q")]);
    let began = Instant::now();
    bridge.signal("INT");
    assert_eq!(bridge.wait(), 0);
    assert!(began.elapsed() < Duration::from_millis(1500), "{:?}", began.elapsed());
}

#[test]
fn a_pipe_that_comes_later_is_read_where_it_is_expected() {
    let ground = Ground::new();
    let path = ground.at("later/on/p");
    let bridge = start(&[format!("p=fifo:{path}")]);
    let mut client = bridge.get("/events/p");
    client.events(1);
    wait_for_state(&bridge, "p", "waiting", "no such");
    bridge.wait_for_stderr(&format!("waiting for '{path}'"));
    fs::create_dir_all(ground.at("later/on")).unwrap();
    say(&path, "at last\n");
    assert_eq!(next_lines(&mut client, 1), ["at last"]);
    wait_for_state(&bridge, "p", "open", "");
    assert_eq!(bridge.stderr().matches("waiting for").count(), 1, "{}", bridge.stderr());
    // A whole tree that goes and comes back.
    fs::remove_dir_all(ground.at("later")).unwrap();
    wait_for_state(&bridge, "p", "waiting", "no such");
    fs::create_dir_all(ground.at("later/on")).unwrap();
    say(&path, "again\n");
    assert_eq!(next_lines(&mut client, 1), ["again"]);
}

#[test]
fn a_plain_path_that_becomes_a_pipe_later_says_how_to_follow_it() {
    let ground = Ground::new();
    let bridge = start(&[format!("p={}", ground.at("p"))]);
    wait_for_state(&bridge, "p", "waiting", "no such file");
    ground.pipe("p");
    wait_for_state(&bridge, "p", "failing", "named pipe");
    bridge.wait_for_stderr("fifo:PATH");
    // And a file there is read.
    ground.remove("p");
    ground.write("p", "one\n");
    assert_eq!(next_lines(&mut bridge.get("/events/p?tail=all"), 1), ["one"]);
}

#[test]
fn a_pipe_replaced_by_a_file_fails_until_it_is_a_pipe_again() {
    let ground = Ground::new();
    let pipe = ground.pipe("p");
    let bridge = start(&[format!("p={pipe}"), format!("q=fifo:{}", ground.at("q"))]);
    let mut client = bridge.get("/events");
    client.events(1);
    let mut old = writer(&pipe);
    old.write_all(b"before\n").unwrap();
    assert_eq!(next_lines(&mut client, 1), ["before"]);
    ground.remove("p");
    ground.write("p", "not for a pipe\n");
    wait_for_state(&bridge, "p", "failing", "not a named pipe");
    old.write_all(b"between\n").unwrap();
    assert_eq!(next_lines(&mut client, 1), ["between"]);
    // The other one goes on.
    say(&ground.at("q"), "of another\n");
    assert_eq!(next_lines(&mut client, 1), ["of another"]);
    ground.remove("p");
    ground.pipe("p");
    say(&pipe, "after\n");
    assert_eq!(next_lines(&mut client, 1), ["after"]);
    wait_for_state(&bridge, "p", "open", "");
    assert_eq!(fs::metadata(ground.at("p")).unwrap().len(), 0);
    let said = bridge.stderr();
    assert_eq!(said.matches("not a named pipe").count(), 1, "{said}");
}

#[test]
fn a_pipe_behind_a_link_is_a_pipe() {
    let ground = Ground::new();
    let pipe = ground.pipe("p");
    symlink("p", ground.at("link")).unwrap();
    let bridge = start(&[format!("a={}", ground.at("link"))]);
    say(&pipe, "one\n");
    assert_eq!(next_lines(&mut bridge.get("/events/a?tail=all"), 1), ["one"]);
}
