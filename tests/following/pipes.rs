//! Named pipes and inherited descriptors.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{Bridge, Get, PATIENCE, Random, in_background, lines, scale, seed};
use crate::sources::{
    Ground, all_lines, channel_of, cpu_time, eventually, metric, next_lines, shell, start, unprivileged, wait_for_state,
};

/// A second of an idle daemon's life costs less than this, in milliseconds, also on a loaded machine.
const IDLE: u64 = 20;

/// Opens a pipe that somebody reads, for writing; never waits.
fn writer(path: &str) -> File {
    eventually(
        "a reader of the pipe",
        || OpenOptions::new().write(true).custom_flags(nix::libc::O_NONBLOCK).open(path).map_err(|error| error.to_string()),
        Result::is_ok,
    )
    .unwrap()
}

/// Opens a pipe, writes, and goes.
fn say(path: &str, text: &str) {
    writer(path).write_all(text.as_bytes()).unwrap();
}

fn is_pipe(path: &str) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo())
}

#[test]
fn writers_come_and_go_for_ever() {
    let ground = Ground::new();
    let pipe = ground.pipe("p");
    let bridge = start(&[format!("p={pipe}")]);
    let mut client = bridge.get("/events/p");
    client.events(1);
    let rounds = scale(1000, 20_000);
    for round in 0..rounds {
        say(&pipe, &format!("line {round}\n"));
        if round % 100 == 99 {
            let expected: Vec<_> = (round - 99..=round).map(|round| format!("line {round}")).collect();
            assert_eq!(next_lines(&mut client, 100), expected);
        }
    }
    // Nobody writes: that costs nothing. The time itself is what is measured here.
    let before = cpu_time(bridge.pid());
    thread::sleep(Duration::from_secs(1));
    let spent = cpu_time(bridge.pid()) - before;
    assert!(spent < IDLE, "{spent} ms of a processor in an idle second");
    assert!(!bridge.stderr().contains("ended"), "{}", bridge.stderr());
    say(&pipe, "after the silence\n");
    assert_eq!(next_lines(&mut client, 1), ["after the silence"]);
    assert_eq!(bridge.get("/events/p").status(), 200);
    client.assert_strict();
}

#[test]
fn before_the_first_writer_it_waits_and_costs_nothing() {
    let ground = Ground::new();
    let bridge = start(&[format!("a={}", ground.pipe("p")), format!("b=fifo:{}", ground.at("new"))]);
    let before = cpu_time(bridge.pid());
    thread::sleep(Duration::from_secs(1)); // the time itself is what is measured
    let spent = cpu_time(bridge.pid()) - before;
    assert!(spent < IDLE, "{spent} ms of a processor in an idle second");
    wait_for_state(&bridge, "a", "open", "");
    wait_for_state(&bridge, "b", "open", "");
}

#[test]
fn lines_up_to_4096_bytes_of_several_writers_never_mix() {
    let ground = Ground::new();
    let pipe = ground.pipe("p");
    let bridge = start(&["--history=64MiB", &format!("p={pipe}")]);
    let mut client = bridge.get("/events/p?tail=all");
    client.events(1);
    let rounds = scale(400, 10_000);
    let seed = seed();
    let writers: Vec<_> = (0..4)
        .map(|who| {
            let pipe = pipe.clone();
            in_background(move || {
                let mut random = Random::new(seed + who);
                let mut pipe = OpenOptions::new().write(true).open(pipe).unwrap();
                for number in 0..rounds {
                    // With its newline exactly 4096 bytes, or any fewer.
                    let length = if random.below(4) == 0 { 4095 } else { 20 + random.below(4000) };
                    let head = format!("{who} {number} {length} ");
                    let fill = char::from(b'a' + u8::try_from(who).unwrap()).to_string();
                    let line = format!("{head}{}\n", fill.repeat(length - head.len()));
                    pipe.write_all(line.as_bytes()).unwrap();
                }
            })
        })
        .collect();
    let mut next: BTreeMap<String, usize> = BTreeMap::new();
    for line in next_lines(&mut client, 4 * rounds) {
        let parts: Vec<_> = line.splitn(4, ' ').collect();
        let [who, number, length, fill] = parts[..] else { panic!("{line}") };
        let of_who = char::from(b'a' + who.parse::<u8>().unwrap());
        assert!(line.len() == length.parse::<usize>().unwrap() && fill.chars().all(|c| c == of_who), "mixed: {line}");
        let expected = next.entry(who.to_owned()).or_default();
        assert_eq!(number.parse(), Ok(*expected), "writer {who}");
        *expected += 1;
    }
    for writer in writers {
        writer.recv_timeout(PATIENCE).unwrap();
    }
    assert_eq!(metric(&bridge, "input_lines_total"), 4 * rounds as u64);
}

/// Writes half a line and dies; gives how long it took until that was an event.
fn flushed_after(bridge: &Bridge, pipe: &str) -> Duration {
    let mut client = bridge.get("/events?tail=0");
    client.events(1);
    let began = Instant::now();
    say(pipe, "whole\nhalf a li");
    assert_eq!(next_lines(&mut client, 2), ["whole", "half a li"]);
    let took = began.elapsed();
    // The next writer's line is one of its own.
    say(pipe, "another\n");
    assert_eq!(next_lines(&mut client, 1), ["another"]);
    took
}

#[test]
fn a_line_cut_by_a_dying_writer_is_an_event_after_a_second() {
    for (flags, least, most) in [
        (&[][..], 1000, 4000),
        (&["--flush-partial=1s"], 1000, 4000),
        (&["--flush-partial=200ms"], 200, 950),
        (&["--flush-partial=2500ms"], 2500, 6000),
    ] {
        let ground = Ground::new();
        let pipe = ground.pipe("p");
        // One of several runs is quick enough however loaded the machine is; none is too quick.
        let took: Vec<_> = (0..5)
            .map(|_| {
                let bridge = start(&[flags, &[&pipe]].concat());
                let took = flushed_after(&bridge, &pipe).as_millis();
                assert!(took >= least, "{flags:?}: after {took} ms");
                took
            })
            .take_while(|took| *took > most)
            .collect();
        assert!(took.len() < 5, "{flags:?}: {took:?} ms");
    }
}

#[test]
fn a_writer_that_goes_on_within_the_second_has_one_line() {
    let ground = Ground::new();
    let pipe = ground.pipe("p");
    let bridge = start(&["--flush-partial=2s", &pipe]);
    let mut client = bridge.get("/events");
    client.events(1);
    let mut slow = writer(&pipe);
    for piece in ["one ", "line ", "in ", "pieces"] {
        let before = metric(&bridge, "input_bytes_total");
        slow.write_all(piece.as_bytes()).unwrap();
        eventually("the piece", || metric(&bridge, "input_bytes_total"), |bytes| *bytes > before);
    }
    slow.write_all(b"\n").unwrap();
    assert_eq!(next_lines(&mut client, 1), ["one line in pieces"]);
}

#[test]
fn with_flush_partial_off_half_a_line_waits_for_the_rest() {
    let ground = Ground::new();
    let pipe = ground.pipe("p");
    let bridge = start(&["--flush-partial=off", &pipe]);
    let mut client = bridge.get("/events");
    client.events(1);
    say(&pipe, "half ");
    thread::sleep(Duration::from_millis(1500)); // longer than the usual pause
    say(&pipe, "and half\n");
    assert_eq!(next_lines(&mut client, 1), ["half and half"]);
    // What is left unfinished at the stop is nowhere else.
    say(&pipe, "the last half");
    eventually("the half", || metric(&bridge, "input_bytes_total"), |bytes| *bytes == 14 + 13);
    bridge.signal("TERM");
    assert_eq!(lines(&client.rest()), ["the last half"]);
}

#[test]
fn the_input_and_files_keep_their_halves_unless_that_is_said() {
    for (flag, is_flushed) in [(None, false), (Some("--flush-partial=off"), false), (Some("--flush-partial=100ms"), true)] {
        let ground = Ground::new();
        let file = ground.write("f", "");
        let sources = [flag, Some("-"), Some(&*file)];
        let arguments: Vec<_> = sources.into_iter().flatten().collect();
        let mut bridge = start(&arguments);
        let (mut input, mut followed) = (bridge.get("/events/stdin"), bridge.get(&format!("/events/{}", ground.channel("f"))));
        input.events(1);
        followed.events(1);
        bridge.feed(b"half ");
        ground.append("f", "half ");
        eventually("both halves", || metric(&bridge, "input_bytes_total"), |bytes| *bytes == 10);
        if is_flushed {
            assert_eq!(
                (next_lines(&mut input, 1), next_lines(&mut followed, 1)),
                (vec!["half ".to_owned()], vec!["half ".to_owned()])
            );
        } else {
            thread::sleep(Duration::from_millis(1300)); // longer than the usual pause
        }
        bridge.feed(b"rest\n");
        ground.append("f", "rest\n");
        let expected = if is_flushed { "rest" } else { "half rest" };
        assert_eq!(
            (next_lines(&mut input, 1), next_lines(&mut followed, 1)),
            (vec![expected.to_owned()], vec![expected.to_owned()])
        );
    }
}

#[test]
fn a_pipe_that_is_removed_and_made_again_loses_nothing() {
    let ground = Ground::new();
    let pipe = ground.pipe("p");
    let bridge = start(&[format!("p={pipe}")]);
    let mut client = bridge.get("/events/p");
    client.events(1);
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
fn a_writer_that_waits_for_the_daemon_is_heard_when_it_comes() {
    let ground = Ground::new();
    let path = ground.pipe("p");
    for (round, flags) in [&[][..], &["--fifo-remove"], &[]].into_iter().enumerate() {
        if !is_pipe(&path) {
            ground.pipe("p");
        }
        // It waits in its open (fifo(7)).
        let waiting = in_background({
            let path = path.clone();
            move || fs::write(path, format!("early {round}\n")).unwrap()
        });
        let mut bridge = start(&[flags, &[&format!("p=fifo:{path}")]].concat());
        assert_eq!(next_lines(&mut bridge.get("/events/p?tail=all"), 1), [format!("early {round}")]);
        waiting.recv_timeout(PATIENCE).unwrap();
        bridge.signal("TERM");
        assert_eq!(bridge.wait(), 0);
    }
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
    let open = || fs::read_dir(format!("/proc/{}/fd", bridge.pid())).unwrap().count();
    let before = eventually("descriptors", open, |count| *count > 0);
    for round in 0..3 {
        ground.remove("p");
        wait_for_state(&bridge, "p", "waiting", "no such");
        ground.pipe("p");
        say(&pipe, &format!("{round}\n"));
        eventually("the line", || all_lines(&bridge, "/events/p").len(), |count| *count == round + 1);
    }
    eventually("as many descriptors as before", open, |count| *count <= before);
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
fn a_burst_larger_than_the_pipe_blocks_its_writer_and_loses_nothing() {
    let ground = Ground::new();
    let pipe = ground.pipe("p");
    let bridge = start(&["--history=64MiB", &format!("p={pipe}")]);
    let mut client = bridge.get("/events/p?tail=all");
    client.events(1);
    let file = OpenOptions::new().write(true).open(&pipe).unwrap();
    bridge.signal("STOP");
    // Three times what the pipe was asked to hold.
    let count = 3 << 10;
    let burst = in_background({
        let mut file = file.try_clone().unwrap();
        move || {
            for number in 0..count {
                writeln!(file, "{number:>1023}").unwrap();
            }
        }
    });
    // What the pipe holds is what the daemon will find first; how much that is, is the kernel's.
    assert!(burst.recv_timeout(Duration::from_millis(300)).is_err(), "nobody reads, and 3 MiB were written");
    bridge.signal("CONT");
    for (number, line) in next_lines(&mut client, count).into_iter().enumerate() {
        assert_eq!(line.trim_start(), number.to_string());
    }
    burst.recv_timeout(PATIENCE).unwrap();
}

#[test]
fn a_burst_of_a_mebibyte_blocks_nobody_while_the_daemon_is_stopped() {
    let largest = fs::read_to_string("/proc/sys/fs/pipe-max-size").unwrap().trim().parse::<usize>().unwrap();
    if largest < 1 << 20 {
        println!("the kernel allows pipes of {largest} bytes only");
        return;
    }
    let ground = Ground::new();
    let path = ground.at("p");
    let bridge = start(&[format!("p=fifo:{path}")]);
    let mut client = bridge.get("/events/p?tail=all");
    client.events(1);
    bridge.signal("STOP");
    let mut file = writer(&path);
    let line = [vec![b'x'; 4095], b"\n".to_vec()].concat();
    for number in 0..256 {
        file.write_all(&line).unwrap_or_else(|error| panic!("block {number} of 4 KiB: {error}"));
    }
    bridge.signal("CONT");
    assert!(next_lines(&mut client, 256).iter().all(|line| line.len() == 4095));
}

#[test]
fn a_busy_pipe_does_not_hold_another_up() {
    let ground = Ground::new();
    let (busy, calm) = (ground.pipe("busy"), ground.pipe("calm"));
    let bridge = start(&["--history=1MiB", &format!("busy={busy}"), &format!("calm={calm}")]);
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let noise = in_background(move || {
        let mut pipe = OpenOptions::new().write(true).open(busy).unwrap();
        let block = "noise\n".repeat(10_000);
        while stopped.try_recv().is_err_and(|error| error == std::sync::mpsc::TryRecvError::Empty) {
            pipe.write_all(block.as_bytes()).unwrap();
        }
    });
    let mut client = bridge.get("/events/calm");
    client.events(1);
    for number in 0..20 {
        say(&calm, &format!("{number}\n"));
        let event = client.events(1).remove(0);
        assert_eq!((&*event.data, channel_of(&event)), (&*number.to_string(), "calm"));
    }
    drop(stop);
    noise.recv_timeout(PATIENCE).unwrap();
}

#[test]
fn a_pipe_behind_a_link_is_a_pipe() {
    let ground = Ground::new();
    let pipe = ground.pipe("p");
    std::os::unix::fs::symlink("p", ground.at("link")).unwrap();
    let bridge = start(&[format!("a={}", ground.at("link"))]);
    say(&pipe, "one\n");
    assert_eq!(next_lines(&mut bridge.get("/events/a?tail=all"), 1), ["one"]);
}

#[test]
fn an_inherited_descriptor_ends_when_its_last_writer_goes() {
    let ground = Ground::new();
    let pipe = ground.pipe("p");
    // The reader's side is open before the daemon starts; writers come and go until none is left.
    let script = format!("exec 3< <(cat '{pipe}'); exec sse-bridge --port 0 n=/dev/fd/3");
    let bridge = Bridge::spawn(shell(&script));
    let mut client = bridge.get("/events/n");
    client.events(1);
    let (first, second) = (writer(&pipe), writer(&pipe));
    (&first).write_all(b"one\n").unwrap();
    drop(first);
    assert_eq!(next_lines(&mut client, 1), ["one"]);
    (&second).write_all(b"two\nunfinished").unwrap();
    drop(second);
    let rest = client.rest();
    let seen: Vec<_> = rest.iter().map(|event| (&*event.event, &*event.data)).collect();
    let end = r#"{"channel":"n","reason":"eof","exit":null}"#;
    assert_eq!(seen, [("message", "two"), ("message", "unfinished"), ("end", end)]);
    wait_for_state(&bridge, "n", "ended", "eof");
    assert_eq!(bridge.get_with("/events/n", &[("Last-Event-ID", &rest[2].id)]).status(), 204);
}
