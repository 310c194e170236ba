use crate::harness::Bridge;
use crate::harness::command;
use crate::scene::{all_of, assert_gone, lines_of, marker, sh, sh_with, state, until_event, until_line};

#[test]
fn a_terminal_is_one_channel_and_one_order() {
    let script = "for n in 1 2 3 4 5 6 7 8 9; do echo o$n; echo e$n >&2; done; exit 5";
    let bridge = sh(&["--pty"], script);
    let expected: Vec<_> = (1..=9).flat_map(|n| [format!("o{n}"), format!("e{n}")]).collect();
    assert_eq!(lines_of(&bridge, "/events/sh"), expected);
    let events = all_of(&bridge, "/events/sh");
    assert_eq!(events[0].data, r#"{"channel":"sh","run":1,"state":"started","exit":null}"#);
    assert_eq!(events.last().unwrap().data, r#"{"channel":"sh","reason":"exited","exit":5}"#);
    assert_eq!(state(&bridge, "sh"), ("ended".to_owned(), Some("exit code 5".to_owned())));
}

#[test]
fn it_is_a_terminal_of_the_size_that_was_asked_for() {
    let script = "test -t 0 && test -t 1 && test -t 2 && tty >/dev/null </dev/tty && stty size && echo $TERM";
    for (options, size) in [(&["--pty"][..], "30 120"), (&["--pty", "--size", "200x50"], "50 200")] {
        let words = [&["run", "--port", "0"], options, &["--", "sh", "-c", script]].concat();
        let mut starting = command(&words);
        starting.env_remove("TERM");
        let bridge = Bridge::spawn(starting);
        assert_eq!(lines_of(&bridge, "/events/sh"), [size, "xterm-256color"]);
    }
    let mut starting = command(&["run", "--port", "0", "--pty", "--", "sh", "-c", "echo $TERM"]);
    starting.env("TERM", "vt100");
    assert_eq!(lines_of(&Bridge::spawn(starting), "/events/sh"), ["vt100"]);
    assert_eq!(lines_of(&sh(&[], "test -t 1 || echo none"), "/events/sh"), ["none"]);
}

#[test]
fn colours_and_progress_come_through() {
    let bridge = sh(&["--pty"], "ls --color=auto -d /");
    let lines = lines_of(&bridge, "/events/sh");
    assert!(lines.len() == 1 && lines[0].contains("\x1b["), "{lines:?}");
    let mut bridge = sh(&["--pty", "--stdin"], r"printf '10%%\r20%%\r'; read go; printf 'done\n'");
    let mut stream = bridge.get("/events/sh?tail=all");
    assert_eq!(until_event(&mut stream, "progress").data, r#"{"channel":"sh","text":"20%"}"#);
    bridge.feed(b"\n");
    until_line(&mut stream, "10%\n20%\ndone");
}

/// The C library writes to a pipe in blocks, and to a terminal in lines.
#[test]
fn programs_do_not_hold_their_output_back() {
    let script = "$| = 0; print qq{one\n}; sleep 1000";
    let bridge = Bridge::spawn(command(&["run", "--port", "0", "--pty", "--", "perl", "-e", script]));
    until_line(&mut bridge.get("/events/perl?tail=all"), "one");
}

#[test]
fn what_lives_in_its_session_ends_with_it() {
    let marked = marker();
    let script = "sh -c 'while :; do sleep 0.1; done' $0 & echo started; read never";
    let mut bridge = sh_with(&["--pty"], script, &[&marked]);
    until_line(&mut bridge.get("/events/sh?tail=all"), "started");
    bridge.signal("TERM");
    assert_eq!(bridge.wait(), 0);
    assert_gone(&marked);
}
