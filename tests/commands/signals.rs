use std::time::{Duration, Instant};

use crate::harness::Bridge;
use crate::scene::{assert_gone, marker, sh, sh_with, stat, until_event, until_line};

#[test]
fn signals_are_passed_on_and_the_daemon_goes_on() {
    // One wait after another: a shell runs its trap when what it waits for ends.
    let script = "for s in HUP QUIT USR1 USR2 WINCH; do trap \"echo got $s\" $s; done; echo ready; while :; do sleep 0.02; done";
    let mut bridge = sh(&[], script);
    let mut stream = bridge.get("/events/sh/stdout?tail=all");
    until_line(&mut stream, "ready");
    for signal in ["HUP", "QUIT", "USR1", "USR2", "WINCH"] {
        bridge.signal(signal);
        until_line(&mut stream, &format!("got {signal}"));
    }
    bridge.signal("TERM");
    assert_eq!(until_event(&mut stream, "run").data, r#"{"channel":"sh/stdout","run":1,"state":"exited","exit":143}"#);
    assert_eq!(bridge.wait(), 0);
}

#[test]
fn the_signal_that_stops_the_daemon_is_the_one_that_the_command_gets() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let mut bridge = Bridge::spawn(crate::harness::command(&["run", "--port", "0", "--exit-on-eof", "--", "sleep", "1000"]));
        bridge.signal(signal);
        assert_eq!(bridge.wait(), code, "of one that was interrupted nobody should think that it is done");
    }
}

#[test]
fn who_ignores_the_stop_is_killed_after_the_grace_and_spoken_of() {
    let marked = marker();
    let script = "trap '' TERM INT; sh -c 'while :; do sleep 0.1; done' $0 & echo ready; while :; do sleep 0.05; done";
    let mut bridge = sh_with(&["--kill-after", "1s"], script, &[&marked]);
    until_line(&mut bridge.get("/events/sh?tail=all"), "ready");
    let began = Instant::now();
    bridge.signal("INT");
    bridge.wait_for_stderr("waiting for a command to end; killed after 1s, or by another signal at once");
    assert_eq!(bridge.wait(), 0);
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(4), "{took:?}");
    assert_gone(&marked);
}

#[test]
fn a_second_signal_ends_everything_at_once() {
    let marked = marker();
    let script = "trap '' TERM INT; sh -c 'while :; do sleep 0.1; done' $0 & echo ready; while :; do sleep 0.05; done";
    let mut bridge = sh_with(&["--kill-after", "1h"], script, &[&marked]);
    until_line(&mut bridge.get("/events/sh?tail=all"), "ready");
    bridge.signal("INT");
    bridge.wait_for_stderr("waiting for a command to end");
    let began = Instant::now();
    bridge.signal("INT");
    assert_eq!(bridge.wait(), 0);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert_gone(&marked);
}

#[test]
fn who_was_killed_by_a_second_signal_is_not_taken_for_done() {
    let script = "trap '' TERM INT; echo ready; while :; do sleep 0.05; done";
    let mut bridge = sh_with(&["--kill-after", "1h", "--exit-on-eof"], script, &[]);
    until_line(&mut bridge.get("/events/sh?tail=all"), "ready");
    bridge.signal("INT");
    bridge.wait_for_stderr("waiting for a command to end");
    bridge.signal("INT");
    assert_eq!(bridge.wait(), 137);
}

#[test]
fn one_that_was_stopped_is_woken_to_end() {
    let mut bridge = sh(&["--kill-after", "1h"], "echo $$; kill -STOP $$");
    let mut stream = bridge.get("/events/sh?tail=all");
    let process: u32 = loop {
        let message = stream.next_event().unwrap();
        if message.event == "message" {
            break message.data.parse().unwrap();
        }
    };
    crate::harness::eventually("a stopped process", || stat(process).map(|stat| stat.state), |state| *state == Some('T'));
    bridge.signal("TERM");
    assert_eq!(bridge.wait(), 0);
}

#[test]
fn a_command_leads_a_group_of_its_own() {
    let bridge = sh(&[], "sleep 1000 & echo $$ $!; wait");
    let mut stream = bridge.get("/events/sh?tail=all");
    let line = loop {
        let message = stream.next_event().unwrap();
        if message.event == "message" {
            break message.data;
        }
    };
    let numbers: Vec<u32> = line.split(' ').map(|number| number.parse().unwrap()).collect();
    assert!(numbers.iter().all(|process| stat(*process).unwrap().group == numbers[0]), "{line}");
    assert_ne!(stat(bridge.pid()).unwrap().group, numbers[0]);
    bridge.signal("TERM"); // the bridge is killed on drop, and would leave it
    let mut bridge = bridge;
    bridge.wait();
}

#[test]
fn several_commands_end_with_the_daemon() {
    let marked = marker();
    let line = format!("sh -c 'while :; do sleep 0.1; done' {marked}");
    let sources: Vec<_> = (0..8).map(|n| format!("c{n}=exec:echo ready; {line}")).collect();
    let mut bridge = Bridge::start(&sources.iter().map(String::as_str).collect::<Vec<_>>());
    for n in 0..8 {
        until_line(&mut bridge.get(&format!("/events/c{n}?tail=all")), "ready");
    }
    bridge.signal("INT");
    assert_eq!(bridge.wait(), 0);
    assert_gone(&marked);
}
