//! What it costs to hold: memory is bounded by `--history`, whatever the input looks like.

use std::io::Write;
use std::process::ChildStdin;

use crate::harness::{Bridge, End, PATIENCE, in_background, scale};

const MIB: u64 = 1 << 20;

/// Feeds a daemon that may hold `history` MiB, and gives its resident memory beyond what it had before, in bytes.
fn growth(history: u64, arguments: &[&str], feed: impl FnOnce(&mut ChildStdin) + Send + 'static) -> u64 {
    let size = format!("{history}MiB");
    let mut arguments = arguments.to_vec();
    arguments.extend(["--history", &size]);
    let mut bridge = Bridge::start(&arguments);
    let before = bridge.resident();
    let mut stdin = bridge.take_stdin();
    in_background(move || feed(&mut stdin)).recv_timeout(PATIENCE).expect("the daemon takes its input in time");
    bridge.wait_for_stderr("standard input ended");
    assert!(bridge.get("/channels").text().contains(r#""dropped":"#));
    bridge.resident() - before
}

#[test]
fn at_rest_it_is_small() {
    let bridge = Bridge::start(&[]);
    assert!(bridge.own() < 2 * MIB, "{} bytes of its own at rest", bridge.own());
    // The rest are pages of the program and its libraries, of which a build for tests has more.
    assert!(bridge.resident() < 11 * MIB, "{} bytes at rest", bridge.resident());
}

#[test]
fn a_flood_of_short_lines_stays_in_the_history() {
    let grown = growth(16, &[], |stdin| {
        for _ in 0..scale(50, 2_000) {
            stdin.write_all(&b"y\n".repeat(32 * 1024)).unwrap();
        }
    });
    assert!(grown < 24 * MIB, "grown by {grown} bytes");
}

/// Every write is a read, and so a batch of its own: the dearest form of input.
#[test]
fn lines_that_come_one_by_one_stay_in_the_history() {
    let grown = growth(8, &[], |stdin| {
        for number in 0..scale(100_000, 1_000_000) {
            writeln!(stdin, "a usual line of a usual log, number {number}").unwrap();
        }
    });
    assert!(grown < 14 * MIB, "grown by {grown} bytes");
}

#[test]
fn a_hundred_mebibytes_without_a_newline_become_lines_of_the_limit() {
    let mut bridge = Bridge::start(&["--history", "512KiB", "--max-line", "64KiB"]);
    let mut stdin = bridge.take_stdin();
    let mebibytes = scale(20, 100);
    let writer = in_background(move || (0..mebibytes).for_each(|_| stdin.write_all(&vec![b'x'; 1 << 20]).unwrap()));
    writer.recv_timeout(PATIENCE).expect("the daemon takes its input in time");
    let said = bridge.wait_for_stderr("standard input ended");
    assert_eq!(said.matches("longer than --max-line").count(), 1, "{said}");
    assert!(said.replace(',', "").contains(&format!("after {} lines", mebibytes * 16)), "{said}");
    assert!(bridge.resident() < 12 * MIB, "{} bytes resident", bridge.resident());
    let newest = bridge.get("/events?tail=2").rest();
    assert_eq!(newest[0].data, "x".repeat(64 << 10));
}

#[test]
fn one_line_larger_than_the_history_is_served_and_goes_with_the_next() {
    let mut bridge = Bridge::start(&["--history", "256KiB", "--max-line", "4MiB"]);
    let mut get = bridge.get("/events");
    get.events(1);
    let mut large = vec![b'x'; 2 << 20];
    large.push(b'\n');
    bridge.feed(&large);
    assert_eq!(get.events(1)[0].data.len(), 2 << 20);
    bridge.feed(b"next\n");
    assert_eq!(get.events(1)[0].data, "next");
    let all = bridge.get("/events?tail=all&follow=0").rest();
    assert_eq!((all[0].event.as_str(), all[1].data.as_str()), ("gap", "next"));
}

/// Chunks that a client does not take are its own; they must not add up to another history.
#[test]
fn stalled_clients_hold_no_large_lines() {
    let mut bridge = Bridge::start(&["--history", "4MiB", "--max-line", "1MiB"]);
    let mut line = vec![b'x'; 1 << 20];
    *line.last_mut().unwrap() = b'\n';
    let mut live = bridge.get("/events?tail=0");
    live.events(1);
    let mut stalled = Vec::new();
    for _ in 0..scale(60, 300) {
        let mut get = bridge.get("/events?tail=0");
        get.events(1);
        socket2::SockRef::from(get.socket()).set_recv_buffer_size(4096).unwrap();
        stalled.push(get);
        bridge.feed(&line);
        assert_eq!(live.events(1)[0].data.len(), line.len() - 1);
    }
    assert!(bridge.resident() < 32 * MIB, "{} bytes resident with {} stalled clients", bridge.resident(), stalled.len());
    // What was dropped inside an event cuts its stream, so that the client comes back and is told.
    let mut first = stalled.swap_remove(0);
    while first.next_piece().is_some() {}
    assert_eq!(first.end, Some(End::Cut));
}
