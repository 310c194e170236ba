//! Who writes into a pipe.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::sync::mpsc::{TryRecvError, channel};
use std::thread;
use std::time::Duration;

use nix::fcntl::{FcntlArg, fcntl};

use super::{followed, is_pipe, say, writer};
use crate::harness::{Bridge, PATIENCE, Random, in_background, scale, seed};
use crate::sources::{Ground, channel_of, cpu_time, metric, next_lines, shell, start, wait_for_state};

/// A second of an idle daemon's life costs less than this, in milliseconds, also on a loaded machine.
const IDLE: u64 = 20;

#[test]
fn writers_come_and_go_for_ever() {
    let (_ground, pipe, bridge, mut client) = followed(&[]);
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
    // All of it fits, so that a client on a busy machine may be as slow as it is.
    let (_ground, pipe, bridge, mut client) = followed(&["--history=256MiB"]);
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
fn a_burst_larger_than_the_pipe_blocks_its_writer_and_loses_nothing() {
    let (_ground, pipe, bridge, mut client) = followed(&["--history=64MiB"]);
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

/// What the kernel lets a pipe of this user hold: a mebibyte, unless somebody has set it to less.
fn granted() -> usize {
    let (pipe, _writer) = std::io::pipe().unwrap();
    let _ = fcntl(&pipe, FcntlArg::F_SETPIPE_SZ(1 << 20)); // refused, it keeps its size
    usize::try_from(fcntl(&pipe, FcntlArg::F_GETPIPE_SZ).unwrap()).unwrap()
}

#[test]
fn a_burst_of_a_mebibyte_blocks_nobody_while_the_daemon_is_stopped() {
    let ground = Ground::new();
    let path = ground.at("p");
    let bridge = start(&[format!("p=fifo:{path}")]);
    let mut client = bridge.get("/events/p?tail=all");
    client.events(1);
    bridge.signal("STOP");
    let mut file = writer(&path);
    let line = [vec![b'x'; 4095], b"\n".to_vec()].concat();
    let count = granted() / line.len();
    for number in 0..count {
        file.write_all(&line).unwrap_or_else(|error| panic!("block {number} of 4 KiB: {error}"));
    }
    bridge.signal("CONT");
    assert!(next_lines(&mut client, count).iter().all(|line| line.len() == 4095));
}

#[test]
fn a_busy_pipe_does_not_hold_another_up() {
    let ground = Ground::new();
    let (busy, calm) = (ground.pipe("busy"), ground.pipe("calm"));
    let bridge = start(&["--history=1MiB", &format!("busy={busy}"), &format!("calm={calm}")]);
    let (stop, stopped) = channel::<()>();
    let noise = in_background(move || {
        let mut pipe = OpenOptions::new().write(true).open(busy).unwrap();
        let block = "noise\n".repeat(10_000);
        while stopped.try_recv().is_err_and(|error| error == TryRecvError::Empty) {
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
