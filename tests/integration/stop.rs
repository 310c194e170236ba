//! How it ends: by signals, at the end of the input, and by nothing else.

use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::frames::Http2;
use crate::harness::{Bridge, End, Get, lines, scale};
use crate::shell::{in_terminal, shell};
use crate::wire::{AT_ONCE, Wire, eventually, get, metric, wait_for_metric};

/// A second is promised; a loaded machine may take half of one to notice.
const SOON: Duration = Duration::from_millis(1500);

/// Sends a signal and tells how long the daemon then took to end, which must be with code 0.
fn stop(bridge: &mut Bridge, signal: &str) -> Duration {
    let began = Instant::now();
    bridge.signal(signal);
    assert_eq!(bridge.wait(), 0, "after {signal}; it said:\n{}", bridge.stderr());
    began.elapsed()
}

/// A client that has stopped reading, with more to read than all buffers hold.
fn stalled_client(bridge: &mut Bridge) -> Get {
    let stalled = bridge.get("/events");
    let line = [vec![b'x'; 1_000_000], b"\n".to_vec()].concat();
    (0..16).for_each(|_| bridge.feed(&line));
    wait_for_metric(bridge, "input_lines_total", 16);
    stalled
}

#[test]
fn a_signal_ends_it_within_a_second_and_its_streams_cleanly() {
    for signal in ["TERM", "INT"] {
        for clients in [0, 1, 20] {
            let mut bridge = Bridge::start(&[]);
            let mut streams: Vec<_> = (0..clients).map(|_| bridge.get("/events")).collect();
            bridge.feed(b"one\n");
            for stream in &mut streams {
                assert_eq!(stream.events(2)[1].data, "one");
            }
            let took = stop(&mut bridge, signal);
            assert!(took < SOON, "{signal} with {clients} clients took {took:?}");
            for mut stream in streams {
                assert_eq!(stream.rest(), [], "a clean last chunk, and no event that is not true");
            }
        }
    }
}

#[test]
fn who_is_connected_without_a_stream_does_not_hold_it() {
    for signal in ["TERM", "INT"] {
        let mut bridge = Bridge::start(&[]);
        let mut idle = Wire::to(&bridge);
        idle.send(get("/healthz")).answer();
        let mut wires: Vec<_> = (0..5).map(|_| Wire::to(&bridge)).collect();
        wires[0].send("GET /events HTTP/1.1\r\nHost: local");
        wires[1].send("P");
        wires[2].send(get("/healthz")).send("GET /");
        let mut http2 = Http2::to(&bridge, &[]);
        http2.get(1, "/healthz", &[]);
        assert_eq!(http2.status_of(1), 200);
        let took = stop(&mut bridge, signal);
        assert!(took < SOON, "{signal} took {took:?}");
        assert_eq!(idle.rest(), "");
    }
}

#[test]
fn a_stalled_client_does_not_hold_it() {
    for signal in ["TERM", "INT"] {
        let mut bridge = Bridge::start(&[]);
        let mut stalled = stalled_client(&mut bridge);
        let mut reader = bridge.get("/events?tail=1");
        reader.events(1);
        let took = stop(&mut bridge, signal);
        assert!(took < SOON, "{signal} took {took:?}");
        reader.rest();
        while stalled.next_piece().is_some() {}
        assert_eq!(stalled.end, Some(End::Cut), "it is told that something is missing");
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    // With one signal, a stalled client is waited for twice 300 ms. That one run of several is quicker shows the second signal's
    // work, however loaded the machine is.
    let tries: Vec<_> = (0..5)
        .map(|_| {
            let mut bridge = Bridge::start(&[]);
            let _stalled = stalled_client(&mut bridge);
            let began = Instant::now();
            bridge.signal("TERM");
            bridge.signal("INT");
            assert_eq!(bridge.wait(), 0);
            began.elapsed()
        })
        .take_while(|took| *took > Duration::from_millis(450))
        .collect();
    assert!(tries.len() < 5, "{tries:?}");
}

#[test]
fn what_was_read_before_the_signal_reaches_who_is_connected() {
    let mut bridge = Bridge::start(&[]);
    let mut stream = bridge.get("/events");
    bridge.feed(b"one\nan unfinished");
    wait_for_metric(&bridge, "input_bytes_total", 17);
    stop(&mut bridge, "TERM");
    assert_eq!(lines(&stream.rest()), ["one", "an unfinished"]);
}

#[test]
fn it_stops_while_input_still_flows() {
    for signal in ["TERM", "INT"] {
        let mut bridge = Bridge::start(&[]);
        let mut stream = bridge.get("/events?tail=all");
        let mut stdin = bridge.take_stdin();
        let writer = thread::spawn(move || (0_u64..).find(|number| writeln!(stdin, "{number}").is_err()));
        let began = stream.events(scale(1000, 50_000));
        let reader = thread::spawn(move || stream.rest());
        let took = stop(&mut bridge, signal);
        assert!(took < SOON, "{signal} took {took:?}");
        writer.join().unwrap();
        let all = [began, reader.join().unwrap()].concat();
        let numbers = lines(&all).into_iter().map(|line| line.parse::<u64>().unwrap());
        assert!(numbers.eq(0..lines(&all).len() as u64), "a line is missing");
    }
}

#[test]
fn a_stalled_reader_of_standard_output_does_not_hold_it() {
    let mut bridge = Bridge::start(&["--tee"]);
    let _unread = bridge.take_stdout();
    let mut stdin = bridge.take_stdin();
    let writer = thread::spawn(move || while stdin.write_all(&[b'x'; 4096]).is_ok() {});
    // The pipe to the reader is full, and so is the one from the writer.
    eventually("the input to stand still", || {
        let before = metric(&bridge, "input_bytes_total");
        thread::sleep(Duration::from_millis(50)); // what stands still can only be seen over time
        before > 0 && before == metric(&bridge, "input_bytes_total")
    });
    let took = stop(&mut bridge, "TERM");
    assert!(took < SOON, "it took {took:?}");
    writer.join().unwrap();
}

#[test]
fn a_hangup_that_was_ignored_at_the_start_stays_ignored() {
    for start in ["exec nohup sse-bridge --port 0", "trap '' HUP; exec sse-bridge --port 0"] {
        let bridge = Bridge::spawn(shell(start));
        for _ in 0..3 {
            bridge.signal("HUP");
        }
        bridge.get_with("/", &[("Host", "evil.example")]);
        let log = bridge.wait_for_stderr("--allow-host evil.example");
        assert!(!log.contains("reload"), "{log}");
    }
}

#[test]
fn a_hangup_without_a_terminal_is_a_line_in_the_log() {
    let mut bridge = Bridge::start(&[]);
    let mut stream = bridge.get("/events");
    bridge.signal("HUP");
    bridge.wait_for_stderr("nothing to reload: there is no configuration file\n");
    bridge.feed(b"one\n");
    assert_eq!(stream.events(2)[1].data, "one");
    assert!(stop(&mut bridge, "TERM") < SOON);
}

#[test]
fn a_hangup_ends_it_where_its_messages_go_to_a_terminal() {
    let mut bridge = Bridge::spawn(in_terminal(TELLING_ITS_PROCESS));
    let mut stream = bridge.get("/events");
    stream.events(1);
    assert!(kill("HUP", &process_in(&bridge)));
    stream.rest();
    assert_eq!(bridge.wait(), 0);
}

#[test]
fn it_ends_when_its_terminal_is_gone() {
    let mut bridge = Bridge::spawn(in_terminal(TELLING_ITS_PROCESS));
    let mut stream = bridge.get("/events");
    stream.events(1);
    let daemon = process_in(&bridge);
    bridge.signal("KILL"); // the terminal
    bridge.wait();
    let began = Instant::now();
    while kill("0", &daemon) && began.elapsed() < Duration::from_secs(5) {
        thread::sleep(Duration::from_millis(5)); // nobody tells us of a process that is not our child
    }
    // It must not outlive this test either.
    assert!(!kill("KILL", &daemon), "it goes on without its terminal");
    stream.rest();
}

/// A script for a terminal: the daemon, behind a line with its process id.
const TELLING_ITS_PROCESS: &str = "echo process $$; exec sse-bridge --port 0 -";

fn process_in(bridge: &Bridge) -> String {
    let said = bridge.stderr();
    said.lines().find_map(|line| line.strip_prefix("process ")).expect("the daemon's process").trim().to_owned()
}

/// Sends a signal; whether there was somebody to take it.
fn kill(signal: &str, process: &str) -> bool {
    Command::new("kill").args(["-s", signal, process]).stderr(Stdio::null()).status().unwrap().success()
}

#[test]
fn with_exit_on_eof_it_ends_when_the_input_does() {
    for (arguments, input) in
        [(["--exit-on-eof"], &b"one\ntwo\n"[..]), (["--exit-on-eof=1h"], b"one\ntwo"), (["--exit-on-eof"], b"")]
    {
        let mut bridge = Bridge::start(&arguments);
        let mut stream = bridge.get("/events");
        bridge.feed(input);
        bridge.end_input();
        let events = stream.rest();
        assert_eq!(lines(&events).len(), if input.is_empty() { 0 } else { 2 });
        assert_eq!(events.last().unwrap().event, "end");
        assert_eq!(bridge.wait(), 0);
        bridge.wait_for_stderr("stopping when clients have got everything");
    }
    let mut alone = Bridge::start(&["--exit-on-eof=1h"]);
    alone.end_input();
    assert_eq!(alone.wait(), 0);
}

#[test]
fn with_exit_on_eof_it_waits_until_clients_have_everything() {
    let mut bridge = Bridge::start(&["--exit-on-eof=30s"]);
    let mut slow = bridge.get("/events");
    let count = scale(20_000, 200_000);
    let text: Vec<_> = (0..count).map(|number| format!("{number} {}\n", "x".repeat(200))).collect();
    bridge.feed(text.concat().as_bytes());
    bridge.end_input();
    bridge.wait_for_stderr("stopping when clients have got everything");
    let events = slow.rest();
    assert_eq!(lines(&events).len(), count);
    assert!(lines(&events).iter().zip(0..).all(|(line, number)| line.starts_with(&format!("{number} "))));
    assert_eq!(bridge.wait(), 0);
}

#[test]
fn with_exit_on_eof_a_stalled_client_is_waited_for_as_long_as_was_said() {
    let mut bridge = Bridge::start(&["--exit-on-eof=1s"]);
    let stalled = stalled_client(&mut bridge);
    let began = Instant::now();
    bridge.end_input();
    assert_eq!(bridge.wait(), 0);
    let took = began.elapsed();
    assert!(took > Duration::from_millis(900) && took < Duration::from_secs(1) + SOON, "{took:?}");
    drop(stalled);
}

#[test]
fn with_exit_on_eof_only_streams_are_waited_for() {
    for requests in [&[][..], &["P"], &["GET /healthz"], &["GET /events HTTP/1.1\r\nHost: local"], &[&get("/healthz"), "GET /"]] {
        let bridge = Bridge::start(&["--exit-on-eof=1h", "--retry", "500ms"]);
        let mut wire = Wire::to(&bridge);
        for request in requests {
            wire.send(request);
        }
        wait_for_metric(&bridge, "connections_total", 2); // this one, and the one that asks
        assert_ends_soon_after_its_input(bridge, &format!("{requests:?}"));
    }
}

#[test]
fn with_exit_on_eof_a_connection_whose_stream_has_ended_is_not_waited_for() {
    let bridge = Bridge::start(&["--exit-on-eof=1h", "--retry", "500ms"]);
    let mut wire = Wire::to(&bridge);
    wire.send(get("/events?follow=0")).until("0\r\n\r\n");
    wire.send("GET /events HTTP/1.1\r\nHost: local");
    wait_for_metric(&bridge, "clients", 0);
    assert_ends_soon_after_its_input(bridge, "half a request behind a stream");
}

#[test]
fn with_exit_on_eof_an_http_2_connection_whose_stream_has_ended_is_not_waited_for() {
    let bridge = Bridge::start(&["--exit-on-eof=1h", "--retry", "500ms"]);
    let mut idle = Http2::to(&bridge, &[]);
    idle.get(1, "/events?follow=0", &[]);
    assert!(idle.ends_cleanly(1));
    wait_for_metric(&bridge, "clients", 0);
    assert_ends_soon_after_its_input(bridge, "an idle connection that had a stream");
}

#[test]
fn with_exit_on_eof_idle_http_2_connections_are_not_waited_for() {
    let bridge = Bridge::start(&["--exit-on-eof=1h", "--retry", "500ms"]);
    let mut idle = Http2::to(&bridge, &[]);
    idle.get(1, "/healthz", &[]);
    assert_eq!(idle.status_of(1), 200);
    // It says nothing any more, not even that it has heard that the daemon ends.
    assert_ends_soon_after_its_input(bridge, "an idle connection");
}

fn assert_ends_soon_after_its_input(mut bridge: Bridge, what: &str) {
    let began = Instant::now();
    bridge.end_input();
    assert_eq!(bridge.wait(), 0, "{what}");
    assert!(began.elapsed() < AT_ONCE, "{what}: it took {:?}", began.elapsed());
}

#[test]
fn with_exit_on_eof_a_signal_does_not_wait() {
    let mut bridge = Bridge::start(&["--exit-on-eof=1h"]);
    let _stalled = stalled_client(&mut bridge);
    bridge.end_input();
    bridge.wait_for_stderr("stopping when clients have got everything");
    let took = stop(&mut bridge, "TERM");
    assert!(took < SOON, "it took {took:?}");
}

#[test]
fn with_exit_on_eof_a_hangup_without_a_terminal_cuts_nobody() {
    let mut bridge = Bridge::start(&["--exit-on-eof=30s"]);
    let mut slow = stalled_client(&mut bridge);
    bridge.end_input();
    bridge.wait_for_stderr("stopping when clients have got everything");
    bridge.signal("HUP");
    bridge.wait_for_stderr("nothing to reload");
    assert_eq!(lines(&slow.rest()).len(), 16);
    assert_eq!(bridge.wait(), 0);
}

#[test]
fn without_exit_on_eof_it_goes_on_serving_what_it_holds() {
    let mut bridge = Bridge::start(&[]);
    bridge.feed(b"one\ntwo\n");
    bridge.end_input();
    bridge.wait_for_stderr("standard input ended after 2 lines; still serving, Ctrl-C stops (--exit-on-eof)\n");
    assert_eq!(lines(&bridge.get("/events").rest()), ["one", "two"]);
    assert!(stop(&mut bridge, "INT") < SOON);
}
