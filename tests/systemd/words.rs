//! What the daemon and its manager say to each other, and pass: the real binary, and a manager of the test's own.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::stat::Mode;

use super::manager::Manager;
use crate::harness::{Bridge, Get, eventually};

/// The configuration of a pipe of the channel `in`.
fn pipe(path: &Path) -> String {
    format!("port = 0\n[[source]]\nname = \"in\"\nread = \"fifo:{}\"\n", path.display())
}

fn make_pipe(path: &Path) {
    nix::unistd::mkfifo(path, Mode::from_bits_truncate(0o600)).unwrap();
}

/// An end that is open whoever reads, and that keeps what is written.
fn end_of(path: &Path) -> File {
    OpenOptions::new().read(true).write(true).open(path).unwrap()
}

/// What the pipe at a path is called while it is kept.
fn name_of(path: &Path) -> String {
    let found = fs::metadata(path).unwrap();
    format!("pipe.{}.{}.in", found.dev(), found.ino())
}

fn stop(bridge: &mut Bridge) {
    bridge.signal("TERM");
    assert_eq!(bridge.wait(), 0, "{}", bridge.stderr());
}

/// The next events that are lines, and nothing between them.
fn lines(client: &mut Get, count: usize) -> Vec<String> {
    let mut lines = Vec::new();
    while lines.len() < count {
        let event = client.next_event().expect("the stream goes on");
        assert_ne!(event.event, "gap", "{}", event.data);
        lines.extend((event.event == "message").then_some(event.data));
    }
    lines
}

/// How often the daemon has the pipe at this path open.
fn times_open(bridge: &Bridge, path: &Path) -> usize {
    let inode = fs::metadata(path).unwrap().ino();
    let descriptors = fs::read_dir(format!("/proc/{}/fd", bridge.pid())).unwrap();
    descriptors.filter(|entry| fs::metadata(entry.as_ref().unwrap().path()).is_ok_and(|found| found.ino() == inode)).count()
}

/// The stale pipe: while no daemon was there the path has come to lead elsewhere, or nowhere.
fn a_stale_pipe(between: impl FnOnce(&Path), lines_between: &[&str]) {
    let manager = Manager::new();
    let path = manager.path("in");
    let mut bridge = manager.start(&pipe(&path));
    eventually("what is kept", || manager.kept(), |kept| kept.contains(&name_of(&path)));
    let (mut old, old_name) = (end_of(&path), name_of(&path));
    stop(&mut bridge);
    old.write_all(b"waits in the old one\n").unwrap();
    fs::remove_file(&path).unwrap();
    between(&path);
    let bridge = manager.start(&pipe(&path));
    let mut client = bridge.get("/events/in?tail=all");
    assert_eq!(lines(&mut client, 1 + lines_between.len()), [&["waits in the old one"], lines_between].concat());
    // Both are read and kept, and everybody finds the new one.
    end_of(&path).write_all(b"of the new one\n").unwrap();
    assert_eq!(lines(&mut client, 1), ["of the new one"]);
    let new_name = name_of(&path);
    eventually("both to be kept", || manager.kept(), |kept| kept.contains(&old_name) && kept.contains(&new_name));
    old.write_all(b"late of the old one\n").unwrap();
    assert_eq!(lines(&mut client, 1), ["late of the old one"]);
    // Who is quiet is let go, and not the other.
    manager.wait_for(&format!("FDSTOREREMOVE=1\nFDNAME={old_name}"));
    assert!(manager.kept().contains(&new_name) && !manager.kept().contains(&old_name), "{:?}", manager.kept());
    end_of(&path).write_all(b"in the end\n").unwrap();
    assert_eq!(lines(&mut client, 1), ["in the end"]);
}

#[test]
fn a_kept_pipe_whose_path_is_gone_is_read_first_and_a_new_one_is_made() {
    a_stale_pipe(|_| {}, &[]);
}

#[test]
fn a_kept_pipe_whose_path_leads_to_another_is_read_before_that() {
    let mut other = None;
    a_stale_pipe(
        |path| {
            make_pipe(path);
            let mut end = end_of(path);
            end.write_all(b"waits in the new one\n").unwrap();
            other = Some(end); // what waits there needs somebody who has it open
        },
        &["waits in the new one"],
    );
}

#[test]
fn a_kept_pipe_that_was_moved_is_the_same_one() {
    let manager = Manager::new();
    let (path, moved) = (manager.path("in"), manager.path("moved"));
    let mut bridge = manager.start(&pipe(&path));
    let kept = manager.wait_for_kept(3);
    let mut writer = end_of(&path);
    stop(&mut bridge);
    writer.write_all(b"waits\n").unwrap();
    fs::rename(&path, &moved).unwrap();
    let mut bridge = manager.start(&pipe(&moved));
    let mut client = bridge.get("/events/in?tail=all");
    assert_eq!(lines(&mut client, 1), ["waits"]);
    end_of(&moved).write_all(b"more\n").unwrap();
    assert_eq!(lines(&mut client, 1), ["more"]);
    assert_eq!(times_open(&bridge, &moved), 1, "it is not opened a second time");
    stop(&mut bridge);
    assert!(!path.exists() && manager.kept() == kept, "{:?}, before {kept:?}", manager.kept());
    assert!(!manager.said().iter().any(|message| message.contains("FDSTOREREMOVE")), "{:#?}", manager.said());
}

/// Neither its name nor the path where the unit made it is the source's.
#[test]
fn a_pipe_of_a_socket_unit_is_known_by_its_inode_alone() {
    let manager = Manager::new();
    let (made, moved) = (manager.path("made"), manager.path("moved"));
    make_pipe(&made);
    manager.hold("sse-bridge-app.socket", end_of(&made));
    end_of(&made).write_all(b"waits\n").unwrap();
    // As long as the path leads elsewhere it is nobody's.
    make_pipe(&moved);
    let refused = manager.command(&pipe(&moved)).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    let words = ["could not use the inherited descriptor 'sse-bridge-app.socket'", "none reads this pipe"];
    assert!(refused.status.code() == Some(2) && words.iter().all(|word| said.contains(word)), "{said}");
    fs::rename(&made, &moved).unwrap();
    let bridge = manager.start(&pipe(&moved));
    let mut client = bridge.get("/events/in?tail=all");
    assert_eq!(lines(&mut client, 1), ["waits"]);
    end_of(&moved).write_all(b"more\n").unwrap();
    assert_eq!(lines(&mut client, 1), ["more"]);
    assert_eq!(times_open(&bridge, &moved), 1, "it is not opened a second time");
    assert!(!manager.kept().iter().any(|name| name.starts_with("pipe.")), "the unit has it already: {:?}", manager.kept());
}

#[test]
fn a_pipe_that_no_source_reads_any_more_is_let_go() {
    let manager = Manager::new();
    let path = manager.path("in");
    let other = format!("port = 0\n[[source]]\nname = \"other\"\nread = \"{}\"\n", manager.path("other.log").display());
    let let_go = |count: usize| {
        let removals = || manager.said().iter().filter(|message| message.starts_with("FDSTOREREMOVE=1\nFDNAME=pipe.")).count();
        eventually("the removal", removals, |removals| *removals == count);
        assert!(manager.kept().iter().all(|name| name.starts_with("listener.")), "{:?}", manager.kept());
    };
    // By a reload, of which the manager is told first.
    let mut bridge = manager.start(&pipe(&path));
    manager.wait_for_kept(3);
    fs::write(manager.path("x.toml"), &other).unwrap();
    bridge.signal("HUP");
    assert!(manager.wait_for("RELOADING=1").contains("\nMONOTONIC_USEC="));
    let_go(1);
    let said = manager.said();
    let ready: Vec<_> = said.iter().enumerate().filter(|(_, message)| message.contains("READY=1")).map(|(at, _)| at).collect();
    let reloading = said.iter().position(|message| message.contains("RELOADING=1")).unwrap();
    assert!(ready.len() == 2 && ready[0] < reloading && reloading < ready[1], "{said:#?}");
    stop(&mut bridge);
    // And by the next start.
    let mut bridge = manager.start(&pipe(&path));
    let name = manager.wait_for_kept(3).into_iter().find(|name| name.starts_with("pipe.")).unwrap();
    stop(&mut bridge);
    let bridge = manager.start(&other);
    bridge.wait_for_stderr(&format!("the pipe '{name}' was kept open and is no source's any more; let it go"));
    let_go(2);
}

/// Where the manager still has a socket nobody else can listen, so the daemon waits until it has closed what is not wanted.
#[test]
fn after_a_change_of_address_the_old_sockets_are_closed_before_the_new_one_is_opened() {
    let manager = Manager::new();
    let text = |more: &str| format!("{more}\n[[source]]\nname = \"a\"\nread = \"{}\"\n", manager.path("a.log").display());
    let mut bridge = manager.start(&text("port = 0"));
    let (port, kept) = (bridge.port, manager.wait_for_kept(2));
    assert_eq!(kept, [format!("listener.127.0.0.1_{port}"), format!("listener.[__1]_{port}")]);
    stop(&mut bridge);
    let mut bridge = manager.start(&text("port = 0"));
    assert_eq!((bridge.port, manager.kept()), (port, kept.clone()), "the same sockets go on");
    assert!(!manager.said().iter().any(|message| message.contains("FDSTOREREMOVE") || message.contains("BARRIER")));
    stop(&mut bridge);
    let bridge = manager.start(&text(&format!("port = {port}\nlisten = [\"0.0.0.0\"]\nallow-anonymous = true")));
    assert_eq!(bridge.port, port);
    assert_eq!(bridge.get("/healthz").status(), 200);
    assert_eq!(manager.wait_for_kept(1), [format!("listener.0.0.0.0_{port}")]);
    let said = manager.said();
    let at = |text: &str| said.iter().position(|message| message.contains(text)).unwrap_or_else(|| panic!("no {text}: {said:#?}"));
    let order = [&kept[0], &kept[1]].map(|name| at(&format!("FDSTOREREMOVE=1\nFDNAME={name}")));
    let (barrier, stored) = (at("BARRIER=1"), at(&format!("FDNAME=listener.0.0.0.0_{port}")));
    assert!(order.iter().all(|removal| *removal < barrier) && barrier < stored, "{said:#?}");
}

/// What a stop says of its time, and how long it took.
fn stop_of(more: &str) -> (String, Duration, Duration) {
    let manager = Manager::new();
    let text = format!("port = 0\n[[source]]\nname = \"c\"\n{more}");
    let mut command = manager.command(&text);
    command.env("WATCHDOG_USEC", "100000");
    let mut bridge = Bridge::spawn_as(command);
    if more.contains("exec:") {
        assert_eq!(lines(&mut bridge.get("/events?tail=all"), 1), ["begins"]);
    }
    let began = Instant::now();
    stop(&mut bridge);
    let took = began.elapsed();
    let said = manager.wait_for("STOPPING=1");
    let within = said.lines().find_map(|line| line.strip_prefix("EXTEND_TIMEOUT_USEC=")).unwrap_or_else(|| panic!("{said}"));
    let fed =
        manager.said().iter().skip_while(|message| !message.contains("STOPPING=1")).filter(|m| m.contains("WATCHDOG=1")).count();
    let intervals = took.as_millis() / 50;
    assert!(fed as u128 >= intervals / 4, "in {took:?} of stopping the watchdog was fed {fed} times: {:#?}", manager.said());
    (said.clone(), Duration::from_micros(within.parse().unwrap()), took)
}

#[test]
fn a_stop_says_how_long_commands_may_make_it() {
    const STUBBORN: &str = "read = \"exec:trap '' TERM; echo begins; while :; do sleep 0.1; done\"\n";
    const WILLING: &str = "read = \"exec:echo begins; exec sleep 600\"\n";
    let (said, without, took) = stop_of("read = \"/nowhere/a.log\"\n");
    assert!(said.contains("STATUS=stopping") && !said.contains("commands") && took < without, "{took:?}: {said}");
    let (said, with_a_second, took) = stop_of(&format!("{STUBBORN}kill-after = \"1s\"\n"));
    assert!(said.contains("STATUS=stopping; commands have their time to end"), "{said}");
    assert!(took > Duration::from_secs(1) && took < with_a_second, "{took:?}: {said}");
    assert!(with_a_second > without + Duration::from_secs(1), "{with_a_second:?}, without commands {without:?}");
    let (said, with_a_minute, took) = stop_of(&format!("{WILLING}kill-after = \"1m\"\n"));
    assert_eq!(with_a_minute - with_a_second, Duration::from_secs(59), "{said}");
    assert!(took < Duration::from_secs(10), "a command that ends at once holds nobody up: {took:?}");
}
