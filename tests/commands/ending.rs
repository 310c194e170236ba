use std::os::fd::{AsFd, AsRawFd};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::harness::{Bridge, command, eventually, run_to_end};
use crate::scene::{all_of, assert_gone, lines_of, marker, processes_with, sh, sh_with, stat, until_event, until_line, zombies_of};

fn code_of(arguments: &[&str]) -> (i32, String) {
    let (code, _, err) = run_to_end(&[&["run", "--port", "0", "--exit-on-eof", "--"], arguments].concat(), Stdio::null());
    (code, err)
}

#[test]
fn with_exit_on_eof_the_exit_code_is_that_of_the_command() {
    for (script, code, said) in [
        ("exit 0", 0, "exit code 0"),
        ("exit 1", 1, "exit code 1"),
        ("exit 255", 255, "exit code 255"),
        ("kill -TERM $$", 143, "SIGTERM"),
        ("kill -KILL $$", 137, "SIGKILL"),
        ("kill -SEGV $$", 139, "SIGSEGV"),
    ] {
        let (seen, err) = code_of(&["sh", "-c", script]);
        assert!(seen == code && err.contains(&format!("sh ended ({said}) after 0 lines; stopping")), "{script}: {seen} {err}");
    }
    assert_eq!(code_of(&["true"]).0, 0);
    assert_eq!(code_of(&["false"]).0, 1);
}

#[test]
fn of_several_commands_the_first_that_failed_says_the_exit_code() {
    let sources = ["--port", "0", "--exit-on-eof", "a=exec:true", "b=exec:sleep 0.3; exit 4", "c=exec:exit 5"];
    assert_eq!(run_to_end(&sources, Stdio::null()).0, 4);
    assert_eq!(run_to_end(&["--port", "0", "--exit-on-eof", "a=exec:true", "b=exec:true"], Stdio::null()).0, 0);
}

#[test]
fn without_it_the_daemon_goes_on_and_ends_with_0() {
    let mut bridge = sh(&[], "exit 9");
    bridge.wait_for_stderr("sh ended (exit code 9) after 0 lines; still serving, Ctrl-C stops (--exit-on-eof)");
    assert_eq!(lines_of(&bridge, "/events/sh"), [""; 0]);
    bridge.signal("INT");
    assert_eq!(bridge.wait(), 0);
}

#[test]
fn the_rest_of_the_group_ends_with_the_command() {
    for script in [
        "sleep 1000 & echo $!",                       // holds the pipes
        "sleep 1000 >/dev/null 2>&1 & echo $!",       // holds nothing
        "(sleep 1000 & sleep 1000 & wait) & echo $!", // is a tree
    ] {
        let began = Instant::now();
        let bridge = sh(&[], script);
        let process: u32 = lines_of(&bridge, "/events/sh/stdout")[0].parse().unwrap();
        assert!(stat(process).is_none_or(|stat| stat.state == 'Z'), "{script}");
        assert!(began.elapsed() < Duration::from_secs(8), "{script}: it took {:?}", began.elapsed());
        eventually("no zombie", || zombies_of(bridge.pid()), Vec::is_empty);
    }
}

#[test]
fn who_ignores_term_is_killed_after_the_grace() {
    let marked = marker();
    let script = "sh -c 'trap \"\" TERM; echo ready; while :; do sleep 0.05; done' $0 & sleep 0.2; exit 6";
    let began = Instant::now();
    let bridge = sh_with(&["--kill-after", "500ms"], script, &[&marked]);
    let events = all_of(&bridge, "/events/sh/stdout");
    assert_eq!(events.last().unwrap().data, r#"{"channel":"sh/stdout","reason":"exited","exit":6}"#);
    assert!(began.elapsed() > Duration::from_millis(500), "it had its grace");
    assert!(bridge.stderr().contains("has not ended in time; it is killed"), "{}", bridge.stderr());
    assert_gone(&marked);
}

#[test]
fn who_has_left_the_group_holds_up_nobody() {
    let marked = marker();
    let script = "setsid perl -e 'sleep 1000' $0 & echo out; exit 7";
    let began = Instant::now();
    let bridge = sh_with(&[], script, &[&marked]);
    let events = all_of(&bridge, "/events/sh/stdout");
    assert_eq!(events.last().unwrap().data, r#"{"channel":"sh/stdout","reason":"exited","exit":7}"#);
    assert!(began.elapsed() < Duration::from_secs(8), "it took {:?}", began.elapsed());
    bridge.wait_for_stderr("holds its output; what it writes is not read any more");
    let left = processes_with(&marked);
    assert!(!left.is_empty(), "it has left the group, and goes on");
    left.iter().for_each(|(process, ..)| kill(*process));
    eventually("no zombie", || zombies_of(bridge.pid()), Vec::is_empty);
}

/// The number of a group that its leader has left leads to nobody; the leader has one of its own.
#[test]
fn a_leader_that_has_left_its_group_ends_with_the_daemon() {
    let script = "$| = 1; pipe(R, W); my $c = fork; unless ($c) { close W; <R>; exit } setpgrp($c, $c); setpgrp(0, $c) or die; \
                  close W; waitpid($c, 0); $SIG{TERM} = 'IGNORE' if $ARGV[1]; print \"left\\n\"; sleep 1000";
    for stubborn in ["", "stubborn"] {
        let marked = marker();
        let arguments = ["run", "--port", "0", "--kill-after", "300ms", "--", "perl", "-e", script, &marked, stubborn];
        let mut bridge = Bridge::spawn(command(&arguments));
        until_line(&mut bridge.get("/events/perl?tail=all"), "left");
        bridge.signal("TERM");
        bridge.wait();
        assert_gone(&marked);
    }
}

/// What a shell leaves to write the rest is not cut off.
#[test]
fn who_still_writes_may_finish() {
    let mut starting = command(&["run", "--port", "0", "--", "bash", "-c", "seq 1 $0 > >(while read n; do echo $n; done)", "5000"]);
    starting.env("LC_ALL", "C");
    let bridge = Bridge::spawn(starting);
    let lines = lines_of(&bridge, "/events/bash/stdout");
    assert_eq!((lines.len(), &*lines[4999]), (5000, "5000"));
}

#[test]
fn a_program_that_goes_into_the_background_is_not_waited_for() {
    let marked = marker();
    // As daemons do: the parent exits, the child leads a session of its own, and its output stays open.
    let script = "use POSIX; exit 0 if fork; POSIX::setsid(); exit 0 if fork; sleep 1000";
    let began = Instant::now();
    let bridge = Bridge::spawn(command(&["run", "--port", "0", "--", "perl", "-e", script, &marked]));
    assert_eq!(lines_of(&bridge, "/events/perl"), [""; 0]);
    assert!(began.elapsed() < Duration::from_secs(8), "it took {:?}", began.elapsed());
    let left = processes_with(&marked);
    assert_eq!(left.len(), 1, "it has left the group, and goes on: {left:?}");
    kill(left[0].0);
    eventually("no zombie", || zombies_of(bridge.pid()), Vec::is_empty);
}

fn kill(process: u32) {
    let sent = std::process::Command::new("kill").args(["-KILL", &process.to_string()]).status().unwrap();
    assert!(sent.success());
}

#[test]
fn one_that_exits_at_once_is_seen_whole_every_time() {
    for _ in 0..crate::harness::scale(20, 500) {
        let bridge = sh(&[], "echo only");
        assert_eq!(lines_of(&bridge, "/events/sh"), ["only"]);
        assert!(zombies_of(bridge.pid()).is_empty());
    }
}

/// Where the start fails, what has been started by then ends with the daemon.
#[test]
fn a_start_that_fails_leaves_nothing_behind() {
    // What can be looked at and not be opened, inherited by whoever is started here.
    let odd = nix::sys::eventfd::EventFd::from_value_and_flags(0, nix::sys::eventfd::EfdFlags::empty()).unwrap();
    let odd = format!("/dev/fd/{}", odd.as_fd().as_raw_fd());
    let mut have_run = 0;
    for _ in 0..crate::harness::scale(20, 500) {
        let marked = marker();
        let mut sources: Vec<_> = (0..8).map(|n| format!("c{n}=exec:sh -c 'sleep 1000' {marked}")).collect();
        sources.extend(["--port".to_owned(), "0".to_owned(), odd.clone()]);
        let (code, _, err) = run_to_end(&sources.iter().map(String::as_str).collect::<Vec<_>>(), Stdio::null());
        assert!(code == 1 && err.contains(&format!("could not open '{odd}'")), "{code} {err}");
        have_run += err.matches("running 'sh").count();
        assert_gone(&marked);
    }
    println!("{have_run} commands had been started when the start failed");
    assert!(have_run > 0);
}

#[test]
fn clients_get_what_a_command_writes_while_it_is_stopped() {
    for (options, code) in [(&[][..], 0), (&["--exit-on-eof"][..], 7)] {
        let script = "trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.05; done";
        let mut bridge = sh(options, script);
        let mut stream = bridge.get("/events/sh/stdout?tail=all");
        until_line(&mut stream, "ready");
        bridge.signal("TERM");
        until_line(&mut stream, "bye");
        let over = until_event(&mut stream, "run");
        assert_eq!(over.data, r#"{"channel":"sh/stdout","run":1,"state":"exited","exit":7}"#);
        // No end: who comes back finds it running again, or is told then.
        assert_eq!(stream.rest(), []);
        assert_eq!(bridge.wait(), code);
    }
}
