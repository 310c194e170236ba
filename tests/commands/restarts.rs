use std::time::{Duration, Instant};

use crate::harness::{Bridge, eventually};
use crate::scene::{all_of, assert_gone, marker, sh, sh_with, state, until_event, until_line};

#[test]
fn on_failure_it_is_run_until_it_succeeds() {
    let directory = tempfile::tempdir().unwrap();
    let count = directory.path().join("count");
    let script = "echo x >>$0; test $(wc -l <$0) -ge 4";
    let began = Instant::now();
    let bridge = sh_with(&["--restart", "on-failure", "--exit-on-eof=60s"], script, &[count.to_str().unwrap()]);
    let events = all_of(&bridge, "/events/sh/stdout");
    let shown: Vec<_> = events.iter().map(|message| message.data.as_str()).collect();
    let mut expected = Vec::new();
    for run in 1..=4 {
        let exit = i32::from(run < 4);
        expected.push(format!(r#"{{"channel":"sh/stdout","run":{run},"state":"started","exit":null}}"#));
        expected.push(format!(r#"{{"channel":"sh/stdout","run":{run},"state":"exited","exit":{exit}}}"#));
    }
    expected.push(r#"{"channel":"sh/stdout","reason":"exited","exit":0}"#.to_owned());
    assert_eq!(shown, expected);
    assert!(began.elapsed() >= Duration::from_millis(700), "pauses of 100, 200 and 400 ms: {:?}", began.elapsed());
    for pause in ["100ms", "200ms", "400ms"] {
        assert!(bridge.stderr().contains(&format!("(exit code 1); starting it again in {pause}")), "{}", bridge.stderr());
    }
}

#[test]
fn a_success_is_not_repeated_on_failure_and_a_failure_not_with_never() {
    for (options, script) in [(&["--restart", "on-failure"][..], "exit 0"), (&["--restart", "never"], "exit 1"), (&[], "exit 1")] {
        let events = all_of(&sh(options, script), "/events/sh/stdout");
        assert_eq!(events.iter().filter(|message| message.event == "run").count(), 2, "{options:?}: {events:?}");
    }
}

#[test]
fn always_is_always() {
    let mut bridge = sh(&["--restart", "always"], "echo a; printf b");
    let mut stream = bridge.get("/events/sh/stdout?tail=all");
    for run in 1..=3 {
        let started = until_event(&mut stream, "run");
        assert_eq!(started.data, format!(r#"{{"channel":"sh/stdout","run":{run},"state":"started","exit":null}}"#));
        assert_eq!(
            stream.events(2).iter().map(|message| &*message.data).collect::<Vec<_>>(),
            ["a", "b"],
            "a line ends with its run"
        );
        let exited = until_event(&mut stream, "run");
        assert_eq!(exited.data, format!(r#"{{"channel":"sh/stdout","run":{run},"state":"exited","exit":0}}"#));
    }
    bridge.signal("TERM");
    assert!(stream.rest().iter().all(|message| message.event != "end"), "it would have gone on");
    assert_eq!(bridge.wait(), 0);
}

#[test]
fn while_it_pauses_that_is_shown_and_a_stop_is_heard() {
    let mut bridge = sh(&["--restart", "always"], "exit 3");
    let seen = eventually("a pause", || state(&bridge, "sh/stderr"), |(state, _)| state == "waiting");
    assert!(seen.1.as_deref().unwrap().starts_with("exit code 3; starts again after "), "{seen:?}");
    // A long pause, which the stop does not wait for.
    bridge.wait_for_stderr("again in 3.2s");
    let began = Instant::now();
    bridge.signal("TERM");
    assert_eq!(bridge.wait(), 0);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[test]
fn what_a_run_leaves_ends_before_the_next_begins() {
    let marked = marker();
    let script = "sh -c 'while :; do sleep 0.1; done' $0 & echo $!; sleep 0.1";
    let bridge = sh_with(&["--restart", "always"], script, &[&marked]);
    let mut stream = bridge.get("/events/sh/stdout?tail=all");
    for _ in 0..3 {
        let process: u32 = until_number(&mut stream);
        until_event(&mut stream, "run");
        assert!(crate::scene::stat(process).is_none_or(|stat| stat.state == 'Z'), "{process} is still there");
    }
    drop(bridge); // killed: nobody ends the last run
    for (process, ..) in crate::scene::processes_with(&marked) {
        let _ = std::process::Command::new("kill").args(["-KILL", &process.to_string()]).status();
    }
    assert_gone(&marked);
}

fn until_number(stream: &mut crate::harness::Get) -> u32 {
    loop {
        let message = stream.next_event().unwrap();
        if let (true, Ok(number)) = (message.event == "message", message.data.parse()) {
            return number;
        }
    }
}

#[test]
fn with_a_state_directory_the_runs_of_all_daemons_stay() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let options = ["--state-dir", state.to_str().unwrap()];
    for daemon in 1..=3 {
        let mut bridge = sh(&options, "echo one; exit 2");
        eventually("the end", || crate::scene::state(&bridge, "sh/stdout"), |(state, _)| state == "ended");
        let events = all_of(&bridge, "/events/sh/stdout");
        let kinds: Vec<_> = events.iter().map(|message| message.event.as_str()).collect();
        assert_eq!(kinds, ["run", "message", "run", "end"].repeat(daemon), "{events:?}");
        bridge.signal("TERM");
        assert_eq!(bridge.wait(), 0);
    }
}

#[test]
fn beside_an_input_that_ends_one_that_is_always_restarted_ends_with_the_daemon() {
    let mut bridge = Bridge::start(&["-", "a=exec:echo hello; sleep 1000", "--restart", "always", "--exit-on-eof"]);
    until_line(&mut bridge.get("/events/a?tail=all"), "hello");
    bridge.end_input();
    assert_eq!(bridge.wait(), 143, "it was ended by TERM: {}", bridge.stderr());
}
