//! Real processes, without a daemon around them: nobody tells of their end here, so it is found by looking.

use std::thread;

use super::*;

fn runner(script: &str, groups: &Groups) -> (Runner, Stop) {
    let stop = Stop::new().unwrap();
    let what = What::Program("sh".into(), vec!["-c".into(), script.into()]);
    let manner = Manner { grace: Duration::from_secs(5), ..Manner::default() };
    (Runner::new(Command { what, manner }, 0, groups.clone(), stop.clone()).unwrap(), stop)
}

/// Runs to the end; what was given, as text, and how it ended.
fn play(runner: &mut Runner, mut see: impl FnMut(usize, &[u8])) -> Step {
    loop {
        let mut sink = |news: News<'_>| {
            if let News::Bytes { stream, bytes } = news {
                see(stream, bytes);
            }
        };
        match runner.step(None, &mut sink).unwrap() {
            Step::Again => {}
            over => return over,
        }
    }
}

#[test]
fn the_stream_that_was_written_first_is_read_first() {
    for round in 0..10 {
        let script = if round % 2 == 0 { "echo a; echo b >&2" } else { "echo a >&2; echo b" };
        let groups = Groups::default();
        let (mut runner, _stop) = runner(script, &groups);
        runner.start().unwrap();
        let Phase::Started(run) = &runner.phase else { panic!("{:?}", runner.phase) };
        // A zombie has written all that it had to write.
        let stat = format!("/proc/{}/stat", run.process());
        while !std::fs::read_to_string(&stat).unwrap().contains(") Z ") {
            thread::yield_now();
        }
        let mut seen = String::new();
        let over = play(&mut runner, |_, bytes| seen.push_str(std::str::from_utf8(bytes).unwrap()));
        assert!(matches!(over, Step::Ended(Exit::Code(0))), "{over:?}");
        assert_eq!(seen, "a\nb\n", "{script}");
    }
}

#[test]
fn whoever_reads_slowly_gets_everything() {
    let groups = Groups::default();
    let (mut runner, _stop) = runner("seq 1 10000 & seq 1 10000 >&2; wait", &groups);
    let mut seen = [0, 0];
    play(&mut runner, |stream, bytes| {
        thread::sleep(Duration::from_millis(1100)); // longer than a pipe is waited for that nobody of the group holds
        seen[stream] += bytes.len();
    });
    assert_eq!(seen, [48_894, 48_894]);
}

#[test]
fn a_runner_that_is_dropped_leaves_no_process() {
    let groups = Groups::default();
    let (mut runner, _stop) = runner("sleep 1000", &groups);
    runner.start().unwrap();
    let Phase::Started(run) = &runner.phase else { panic!("{:?}", runner.phase) };
    let stat = format!("/proc/{}/stat", run.process());
    assert_eq!(groups.count(), 1);
    drop(runner);
    assert_eq!(groups.count(), 0);
    while std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
        thread::yield_now();
    }
}

#[test]
fn no_command_is_started_once_the_daemon_stops() {
    let groups = Groups::default();
    groups.stop(Signal::SIGTERM);
    let (mut runner, _stop) = runner("echo no", &groups);
    let over = play(&mut runner, |_, _| panic!("it was started"));
    assert!(matches!(over, Step::Stopped), "{over:?}");
}

#[test]
fn a_stop_ends_it_and_what_it_says_then_is_read() {
    let groups = Groups::default();
    let (mut runner, stop) = runner("trap 'echo bye; exit 3' TERM; echo hello; while :; do sleep 0.02; done", &groups);
    let mut seen = String::new();
    let over = play(&mut runner, |stream, bytes| {
        if stream == 1 {
            return; // what a shell says of a child that the signal has ended
        }
        seen.push_str(std::str::from_utf8(bytes).unwrap());
        if seen == "hello\n" {
            groups.stop(Signal::SIGTERM);
            stop.raise();
        }
    });
    assert!(matches!(over, Step::Stopped), "{over:?}");
    assert_eq!((seen.as_str(), groups.exit_code()), ("hello\nbye\n", 3));
}

#[test]
fn the_exit_code_of_all_is_the_first_failure_by_place() {
    let groups = Groups::default();
    assert_eq!(groups.exit_code(), 0);
    groups.note_exit(2, Exit::Code(5));
    groups.note_exit(0, Exit::Code(0));
    groups.note_exit(1, Exit::Signal(9));
    assert_eq!(groups.exit_code(), 137);
    groups.note_exit(1, Exit::Code(0));
    assert_eq!(groups.exit_code(), 5, "the last run of each counts");
}

#[test]
fn a_command_is_shown_in_one_line() {
    let shown = |words: &[&str]| What::Program(words[0].into(), words[1..].iter().map(Into::into).collect()).to_string();
    assert_eq!(shown(&["make", "-j2"]), "make -j2");
    assert_eq!(shown(&["a\nb\x1b[31m", "c"]), "a\u{FFFD}b\u{FFFD}[31m c");
    assert_eq!(shown(&["x", &"ä".repeat(200)]), format!("x {}...", "ä".repeat(SHOWN - 2)));
    assert_eq!(What::Line("a | b".into()).to_string(), "a | b");
}
