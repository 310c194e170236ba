//! Lines that nobody has finished.

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use super::{followed, say, writer};
use crate::harness::{Bridge, lines};
use crate::sources::{Ground, eventually, metric, next_lines, start};

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
    let (_ground, pipe, bridge, mut client) = followed(&["--flush-partial=2s"]);
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
    let (_ground, pipe, bridge, mut client) = followed(&["--flush-partial=off"]);
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
