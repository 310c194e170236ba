use std::time::Duration;

use crate::harness::{Bridge, eventually, lines, scale};
use crate::scene::{all_of, channel, lines_of, sh, sh_with, until_event, until_line};

#[test]
fn each_channel_tells_the_whole_story() {
    let bridge = sh(&[], "echo out; echo err >&2; printf 'no end'; exit 3");
    for (stream, said) in [("stdout", &["out", "no end"][..]), ("stderr", &["err"])] {
        let name = format!("sh/{stream}");
        let events = all_of(&bridge, &format!("/events/{name}"));
        let mut expected = vec![("run".to_owned(), format!(r#"{{"channel":"{name}","run":1,"state":"started","exit":null}}"#))];
        expected.extend(said.iter().map(|line| ("message".to_owned(), (*line).to_owned())));
        expected.push(("run".to_owned(), format!(r#"{{"channel":"{name}","run":1,"state":"exited","exit":3}}"#)));
        expected.push(("end".to_owned(), format!(r#"{{"channel":"{name}","reason":"exited","exit":3}}"#)));
        let seen: Vec<_> = events.iter().map(|message| (message.event.clone(), message.data.clone())).collect();
        assert_eq!(seen, expected);
        assert!(events.iter().all(|message| message.has_own_id), "they are events like any other: {events:?}");
        assert_eq!(crate::scene::state(&bridge, &name), ("ended".to_owned(), Some("exit code 3".to_owned())));
    }
}

#[test]
fn lines_of_two_streams_come_in_the_order_in_which_they_were_written_where_each_was_read() {
    let script = "while read step; do echo \"$step\"; read step; echo \"$step\" >&2; done";
    let mut bridge = sh(&["--stdin"], script);
    let mut stream = bridge.get("/events/sh?tail=all");
    for step in 0..scale(100, 2000) {
        bridge.feed(format!("{step}\n").as_bytes());
        let seen = until_line(&mut stream, &step.to_string());
        let of = if step % 2 == 0 { "sh/stdout" } else { "sh/stderr" };
        assert!(seen.id.ends_with(of), "{seen:?}");
    }
}

/// What the kernel allows of a burst: each stream in its own order, and nothing lost.
#[test]
fn a_burst_to_both_streams_keeps_the_order_of_each() {
    let count = scale(20_000, 1_000_000);
    let bridge = sh_with(&[], "seq 1 $0 & seq 1 $0 >&2; wait", &[&count.to_string()]);
    for stream in ["stdout", "stderr"] {
        let seen = lines_of(&bridge, &format!("/events/sh/{stream}"));
        assert!(
            seen.iter().map(String::as_str).eq((1..=count).map(|n| n.to_string()).collect::<Vec<_>>().iter().map(String::as_str))
        );
    }
}

/// One that wrote to the one stream long before the other is read first, whichever it is.
#[test]
fn the_stream_that_was_written_first_is_read_first() {
    let both = "while read first; do if [ $first = out ]; then echo out; echo err >&2; else echo err >&2; echo out; fi; done";
    let mut bridge = sh(&["--stdin"], both);
    let mut stream = bridge.get("/events/sh?tail=all");
    for round in 0..scale(50, 1000) {
        let order = if round % 3 == 0 { ["out", "err"] } else { ["err", "out"] };
        bridge.feed(format!("{}\n", order[0]).as_bytes());
        let seen: Vec<_> =
            std::iter::from_fn(|| stream.next_event()).filter(|message| message.event == "message").take(2).collect();
        // Both pipes were empty before: the kernel names the one that was written to first.
        assert_eq!(lines(&seen), order, "round {round}");
    }
}

#[test]
fn a_gigabyte_is_counted_to_the_last_line() {
    let count: u64 = scale(671_089, 10_737_419); // lines of 100 bytes
    let script = "seq -f %099.0f 1 $0; echo last >&2";
    let bridge = sh_with(&["--exit-on-eof=600s"], script, &[&count.to_string()]);
    let published = || channel(&bridge, "sh/stdout")["events"].as_u64().unwrap();
    let patience = std::time::Instant::now() + scale(Duration::from_secs(60), Duration::from_secs(600));
    while published() < count + 3 {
        assert!(std::time::Instant::now() < patience, "{} of {count} lines", published());
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(published(), count + 3, "with the beginning and the end of the run, and the end");
    let mut newest = bridge.get("/events/sh/stdout?tail=3&follow=0");
    assert_eq!(newest.rest()[0].data, format!("{count:099}"));
    bridge.wait_for_stderr("after ");
    let grouped = crate::reading::grouped(count + 1);
    assert!(bridge.stderr().contains(&format!("after {grouped} lines")), "{}", bridge.stderr());
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let cut = |index: usize| if index > 0 && (digits.len() - index).is_multiple_of(3) { "," } else { "" };
    digits.char_indices().map(|(index, digit)| format!("{}{digit}", cut(index))).collect()
}

#[test]
fn bytes_are_never_dropped_for_their_content() {
    let bridge = sh(&[], r"printf 'a\000b\nc\377d\ne\rf\r\n\n'");
    assert_eq!(lines_of(&bridge, "/events/sh/stdout"), ["a\u{FFFD}b", "c\u{FFFD}d", "e\nf", ""]);
}

#[test]
fn a_line_that_is_overwritten_is_shown_while_it_is() {
    let mut bridge = sh(&["--stdin"], r"printf '10%%\r20%%\r'; read go; printf 'done\n'");
    let mut stream = bridge.get("/events/sh/stdout?tail=all");
    assert_eq!(until_event(&mut stream, "progress").data, r#"{"channel":"sh/stdout","text":"20%"}"#);
    bridge.feed(b"\n");
    until_line(&mut stream, "10%\n20%\ndone");
}

#[test]
fn standard_input_is_closed_or_passed_on() {
    let bridge = sh(&[], "cat; readlink /proc/self/fd/0");
    assert_eq!(lines_of(&bridge, "/events/sh/stdout"), ["/dev/null"]);
    let mut bridge = sh(&["--stdin"], "cat; echo over");
    bridge.feed(b"one\ntwo");
    let mut stream = bridge.get("/events/sh/stdout?tail=all");
    until_line(&mut stream, "one");
    bridge.end_input();
    assert_eq!(lines_of(&bridge, "/events/sh/stdout"), ["one", "twoover"]);
    assert!(!bridge.stderr().contains("not read"), "{}", bridge.stderr());
}

#[test]
fn who_comes_late_and_who_comes_back_get_the_same_as_everybody() {
    let mut bridge = sh(&["--stdin"], "while read line; do echo $line; done");
    bridge.feed(b"1\n2\n");
    let mut first = bridge.get("/events/sh?tail=all");
    let two = until_line(&mut first, "2");
    bridge.feed(b"3\n");
    until_line(&mut first, "3");
    let mut back = bridge.get_with("/events/sh", &[("Last-Event-ID", &two.id)]);
    assert_eq!(back.events(1)[0].data, "3");
    bridge.end_input();
    let ids = |mut stream: crate::harness::Get| stream.rest().into_iter().map(|message| message.id).collect::<Vec<_>>();
    assert_eq!(ids(first), ids(back));
}

#[test]
fn a_command_that_closes_what_it_writes_to_is_waited_for() {
    let bridge = sh(&[], "echo before; exec >/dev/null 2>&1; sleep 0.3; exit 4");
    let events = all_of(&bridge, "/events/sh/stdout");
    assert_eq!(events.last().unwrap().data, r#"{"channel":"sh/stdout","reason":"exited","exit":4}"#);
}

#[test]
fn twenty_commands_at_once_lose_nothing() {
    let count = scale(2000, 50_000);
    let sources: Vec<_> = (0..20).map(|n| format!("c{n}=exec:seq 1 {count}")).collect();
    let bridge = Bridge::start(&sources.iter().map(String::as_str).collect::<Vec<_>>());
    for n in 0..20 {
        let name = format!("c{n}/stdout");
        eventually("all lines", || channel(&bridge, &name)["events"].as_u64().unwrap(), |events| *events == count + 3);
    }
}
