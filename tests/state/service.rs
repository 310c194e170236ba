//! Restarts as a service manager makes them: SIGTERM, and the same again on the same port.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::Instant;

use crate::client::{Client, Pace, Speaks};
use crate::directory::Directory;
use crate::harness::{Bridge, Random, command, eventually, lines, run_to_end, scale, seed};
use crate::kernel::watched;
use crate::pipes::{Pipes, metric};
use crate::record::Record;
use crate::seen::{Seen, assert_in_order, assert_same, lines_by_channel};
use crate::writing::{Log, RARELY, Rotation, Writer};

/// Ends a daemon as a service manager does.
fn stop(bridge: &mut Bridge) {
    bridge.signal("TERM");
    assert_eq!(bridge.wait(), 0, "{}", bridge.stderr());
}

/// One of each kind that stays.
fn everybody(port: u16) -> Vec<Client> {
    let ways = [(Speaks::Http1, Pace::Full), (Speaks::Http2, Pace::Full), (Speaks::Http1, Pace::Slow)];
    ways.map(|(speaks, pace)| Client::of(port, "/events?tail=all", pace, speaks)).into()
}

#[track_caller]
fn assert_none_missed(clients: Vec<Client>, expected: &[&str], restarts: usize) {
    for client in clients {
        client.hurry();
        client.wait_for(expected.len());
        let record = client.end();
        assert!(record.gaps.is_empty(), "{:?}", record.gaps);
        assert!(record.streams > restarts, "only {} streams in {restarts} restarts", record.streams);
        assert_in_order("a client", &record.seen);
        let data: Vec<_> = record.seen.iter().map(|seen| &*seen.data).collect();
        assert_same("a client", &data, expected);
    }
}

#[test]
fn clients_go_on_after_restarts_with_what_came_meanwhile() {
    let place = Directory::new();
    let mut pipes = Pipes::new(&place, &["p"]);
    let mut bridge = place.start(&pipes.arguments(&[]));
    let port = bridge.port;
    let clients = everybody(port);
    let (mut written, restarts) = (Vec::new(), scale(6, 100));
    for round in 0..restarts {
        for when in ["running", "stopped"] {
            let lines: Vec<_> = (0..50).map(|line| format!("{round} {when} {line}")).collect();
            if when == "stopped" {
                clients.iter().for_each(|client| client.wait("a stream", |record| record.is_connected && record.streams > round));
                stop(&mut bridge);
            }
            pipes.write("p", &(lines.join("\n") + "\n"));
            written.extend(lines);
            if when == "stopped" {
                bridge = place.start_on(port, &pipes.arguments(&[]));
            }
        }
    }
    assert_none_missed(clients, &written.iter().map(String::as_str).collect::<Vec<_>>(), restarts);
    assert_eq!(metric(&bridge, "gaps_total"), 0);
}

#[test]
fn clients_go_on_after_restarts_with_lines_of_files_written_meanwhile() {
    const FILES: &[(&str, Rotation)] = &[("a.log", Rotation::Shift), ("b.log", Rotation::Dated), ("c.log", Rotation::Never)];
    let place = Directory::new();
    let path = |name: &str| place.above().join("logs").join(name);
    let logs = FILES.iter().map(|(name, rotation)| Log::new(&format!("logs/{name}"), &path(name), *rotation));
    let (seed, source) = (seed(), format!("logs={}", path("*.log").display()));
    let writer = Writer::start(seed, logs.collect());
    let mut random = Random::new(seed);
    let arguments = ["--from", "start", &source];
    let mut bridge = place.start(&arguments);
    writer.rotate_once_in(RARELY);
    let port = bridge.port;
    let clients = everybody(port);
    let restarts = scale(5, 100);
    for round in 0..restarts {
        clients.iter().for_each(|client| client.wait("a stream", |record| record.is_connected && record.streams > round));
        let more = writer.bytes() + random.below(200_000) as u64;
        eventually("more to be written", || writer.bytes(), |bytes| *bytes > more);
        stop(&mut bridge);
        let more = writer.bytes() + random.below(200_000) as u64;
        eventually("more to be written while it is down", || writer.bytes(), |bytes| *bytes > more);
        bridge = place.start_on(port, &arguments);
    }
    let written = writer.end();
    let count = written.values().map(Vec::len).sum();
    for client in clients {
        client.hurry();
        client.wait_for(count);
        let Record { seen, gaps, .. } = client.end();
        assert_eq!(gaps, []);
        assert_in_order("a client", &seen);
        for (channel, expected) in &written {
            let lines = lines_by_channel(&seen);
            assert_same(channel, lines.get(&**channel).map_or(&[][..], |lines| lines), expected);
        }
    }
}

/// Lines of standard input, over several daemons: one numbering, and each daemon's `end` stays.
#[test]
fn standard_input_goes_on_with_its_numbers_and_its_ends_stay() {
    let place = Directory::new();
    let (mut expected, mut port) = (Vec::new(), 0);
    for run in 0..4 {
        let mut bridge = place.start_on(port, &[]);
        port = bridge.port;
        bridge.feed(format!("first of {run}\nlast of {run}\n").as_bytes());
        expected.extend([format!("first of {run}"), format!("last of {run}")]);
        // Every second one is stopped with its input open.
        if run % 2 == 0 {
            bridge.end_input();
            bridge.wait_for_stderr("still serving");
            expected.push(r#"{"channel":"stdin","reason":"eof","exit":null}"#.to_owned());
        } else {
            eventually("its lines", || metric(&bridge, "input_lines_total"), |lines| *lines == 2);
        }
        let seen: Vec<_> = bridge.get("/events/stdin?tail=all&follow=0").rest().iter().map(Seen::of).collect();
        assert_in_order("all runs", &seen);
        let data: Vec<_> = seen.iter().map(|seen| &*seen.data).collect();
        assert_same(&format!("in run {run}"), &data, &expected);
        let numbers: Vec<_> = seen.iter().map(Seen::number).collect();
        assert!(numbers.iter().copied().eq(1..=numbers.len() as u64), "{numbers:?}");
        stop(&mut bridge);
        assert_same("on the disk", &place.history("stdin"), &seen);
    }
    place.assert_verified("at the end");
}

/// A client that had been told that all is over is told of what a later run brings.
#[test]
fn who_has_seen_the_end_sees_what_a_later_run_brings() {
    let place = Directory::new();
    let mut bridge = place.start(&[]);
    bridge.feed(b"one\n");
    bridge.end_input();
    let newest = bridge.get("/events?tail=all").rest().last().unwrap().id.clone();
    assert_eq!(bridge.get_with("/events", &[("Last-Event-ID", &newest)]).status(), 204);
    stop(&mut bridge);
    let mut again = place.start(&[]);
    let mut back = again.get_with("/events", &[("Last-Event-ID", &newest)]);
    assert_eq!(back.status(), 200);
    again.feed(b"two\n");
    assert_eq!(lines(&back.events(1)), ["two"]);
}

#[test]
fn a_second_daemon_is_told_that_the_directory_is_in_use() {
    let place = Directory::new();
    let mut bridge = place.start(&[]);
    bridge.feed(b"one\n");
    let (code, out, err) = run_to_end(&["--port", "0", "--state-dir", &place.at("state")], Stdio::null());
    assert_eq!((code, out.as_str()), (75, ""), "{err}");
    assert_eq!(err.lines().count(), 1, "{err}");
    let words = ["could not use the state directory", &place.at("state"), "in use", &format!("pid {}", bridge.pid()), "; hint: "];
    assert!(words.iter().all(|word| err.contains(word)), "{err}");
    // The first one is not disturbed, and gives it free however it ends.
    bridge.feed(b"two\n");
    let mut stream = bridge.get("/events?tail=all");
    assert_eq!(lines(&stream.events(2)), ["one", "two"]);
    bridge.signal("KILL");
    bridge.wait();
    let again = place.start(&[]);
    assert_eq!(lines(&again.get("/events?tail=all&follow=0").rest()), ["one", "two"]);
}

#[test]
fn a_restart_at_once_on_the_same_port_needs_no_second_try() {
    let place = Directory::new();
    let mut bridge = place.start(&[]);
    let port = bridge.port;
    let client = Client::of(port, "/events?tail=all", Pace::Full, Speaks::Http1);
    for round in 0..scale(10, 100) {
        bridge.feed(format!("{round}\n").as_bytes());
        client.wait_for(round + 1);
        if round % 2 == 0 {
            stop(&mut bridge);
        } else {
            bridge.signal("KILL");
            bridge.wait();
        }
        bridge = place.start_on(port, &[]);
    }
    let record = client.end();
    assert_eq!(record.gaps, []);
}

#[test]
fn a_service_manager_says_the_directory() {
    let place = Directory::new();
    let mut with = command(&["--port", "0"]);
    with.env("STATE_DIRECTORY", place.state());
    let mut bridge = Bridge::spawn(with);
    bridge.feed(b"one\n");
    eventually("a segment", || place.segments("stdin").len(), |count| *count == 1);
    stop(&mut bridge);
    // And without it nothing is kept anywhere.
    let mut without = command(&["--port", "0"]);
    without.current_dir(place.above());
    let mut bridge = Bridge::spawn(without);
    bridge.feed(b"two\n");
    eventually("the line", || metric(&bridge, "input_lines_total"), |lines| *lines == 1);
    assert!(bridge.get("/channels").text().contains(r#""stored":null"#));
    let names: Vec<_> = fs::read_dir(place.above()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["state"]);
}

/// What `--sync` says is what the kernel is asked for.
#[test]
fn the_kernel_is_asked_to_sync_as_often_as_the_option_says() {
    const SYNCS: &[&str] = &["fsync", "fdatasync", "sync_file_range", "syncfs", "sync", "msync"];
    const LINES: usize = 10;
    let asked = |sync: &str, is_enough: &dyn Fn(usize) -> bool| {
        let place = Directory::new();
        stop(&mut place.start(&[]));
        let calls = place.at("calls");
        let mut bridge = Bridge::spawn(watched(&place.command(0, &["--sync", sync]), SYNCS, calls.as_ref()));
        let count = || fs::read_to_string(&calls).unwrap().lines().count();
        let before = count();
        let mut stream = bridge.get("/events?tail=0");
        stream.events(1);
        for line in 0..LINES {
            bridge.feed(format!("{line}\n").as_bytes());
            stream.events(1);
            assert!(sync != "always" || count() > before + line, "line {line} was published before it was safe");
        }
        let began = Instant::now();
        let asked = eventually(
            "calls",
            || (count() - before, began.elapsed()),
            |(count, waited)| is_enough(*count) && waited.as_secs() > 2,
        )
        .0;
        stop(&mut bridge);
        place.assert_verified(sync);
        (asked, count() - before)
    };
    let (while_it_ran, in_all) = asked("never", &|_| true);
    assert_eq!(while_it_ran, 0);
    assert!(in_all > 0, "an orderly end is safe");
    let (while_it_ran, _) = asked("interval", &|count| count > 0);
    assert!((1..LINES).contains(&while_it_ran), "{while_it_ran} in three seconds");
    let (while_it_ran, _) = asked("always", &|_| true);
    assert!(while_it_ran >= LINES, "{while_it_ran}");
}

#[test]
fn only_the_user_and_the_group_may_read_what_is_made() {
    let place = Directory::new();
    let daemon = place.command(0, &[]);
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", r#"umask 022; exec "$0" "$@""#]).arg(daemon.get_program()).args(daemon.get_args());
    let mut bridge = Bridge::spawn(shell);
    bridge.feed(b"one\n");
    eventually(
        "a segment, and what was synced",
        || place.state().join("@synced").exists() && place.segments("stdin").len() == 1,
        |is| *is,
    );
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    for (path, expected) in [("", 0o750), ("stdin", 0o750), ("@life", 0o640), ("@lock", 0o640), ("@synced", 0o640)] {
        assert_eq!(format!("{:o}", mode(&place.state().join(path))), format!("{expected:o}"), "STATE/{path}");
    }
    assert_eq!(format!("{:o}", mode(&place.segments("stdin")[0])), "640");
}
