//! What the bytes of a file become.

use std::thread;
use std::time::{Duration, Instant};

use super::{Ground, Mode, assert_quiet, channel, empty_file, lines, live};
use crate::harness::scale;
use crate::sources::{eventually, metric};

in_both_modes! {
    lines_end_in_lf_or_crlf
    empty_lines_are_events
    a_byte_order_mark_is_no_content
    every_split_of_awkward_bytes_gives_the_same_lines
    lines_of_a_mebibyte_are_whole_and_one_byte_more_is_two
    bytes_that_are_not_utf8_are_shown_as_such
    a_partial_line_is_one_event_when_it_ends
    a_partial_line_is_not_given_at_the_stop
    the_partial_line_of_a_rotated_file_waits_until_it_is_over
}

fn lines_end_in_lf_or_crlf(mode: Mode) {
    let ground = Ground::new(mode);
    ground.append("a.log", b"old\r\n");
    let bridge = ground.follow("a.log", &[]);
    let mut stream = bridge.get("/events?tail=all");
    assert_eq!(lines(&mut stream, 1), ["old"]);
    ground.append("a.log", b"one\r\ntwo\nthree\r");
    assert_eq!(lines(&mut stream, 2), ["one", "two"]);
    ground.append("a.log", b"\nfour\r\r\n");
    assert_eq!(lines(&mut stream, 2), ["three", "four\n"], "a CR inside a line is a line break of its event");
    stream.assert_strict();
}

fn empty_lines_are_events(mode: Mode) {
    const COUNT: usize = 10_000;
    let (ground, bridge, mut stream) = empty_file(mode, &[]);
    ground.append("a.log", &b"\n".repeat(COUNT));
    ground.append("a.log", b"last\n");
    let seen = lines(&mut stream, COUNT + 1);
    assert!(seen[..COUNT].iter().all(String::is_empty));
    assert_eq!(seen[COUNT], "last");
    assert_eq!(channel(&bridge)["events"], COUNT as u64 + 1);
}

fn a_byte_order_mark_is_no_content(mode: Mode) {
    let ground = Ground::new(mode);
    ground.append("a.log", b"\xef\xbb\xbfold\n");
    let bridge = ground.follow("*.log", &["--from", "start"]);
    let mut stream = bridge.get("/events?tail=all");
    assert_eq!(lines(&mut stream, 1), ["old"]);
    ground.append("b.log", b"\xef\xbb");
    ground.append("b.log", b"\xbfnew\n\xef\xbb\xbfinside\n");
    assert_eq!(lines(&mut stream, 2), ["new", "\u{feff}inside"], "only the first bytes of a file are a mark");
}

/// Each split in a file of its own, all under one glob.
fn every_split_of_awkward_bytes_gives_the_same_lines(mode: Mode) {
    const BYTES: &[u8] = b"a\r\nb\rc\0\xff\n";
    let ground = Ground::new(mode);
    let bridge = ground.follow("*.log", &[]);
    let mut stream = live(&bridge);
    let pieces: Vec<_> = (1..BYTES.len()).map(|at| BYTES.split_at(at)).collect();
    for (at, (first, _)) in pieces.iter().enumerate() {
        ground.append(&format!("{at}.log"), first);
    }
    // All firsts have been read before the first second comes; a NUL at the end of a file may be space to be filled, and waits.
    let read: usize = pieces.iter().map(|(first, _)| first.len() - usize::from(first.ends_with(b"\0"))).sum();
    eventually("the first pieces", || metric(&bridge, "input_bytes_total"), |bytes| *bytes >= read as u64);
    for (at, (_, second)) in pieces.iter().enumerate() {
        ground.append(&format!("{at}.log"), second);
    }
    let mut seen = vec![Vec::new(); pieces.len()];
    let mut count = 0;
    while count < 2 * pieces.len() {
        let event = stream.next_event().unwrap();
        if event.event == "progress" {
            continue; // a line that was overwritten shows its state
        }
        assert_eq!(event.event, "message", "{event:?}");
        let at: usize = event.id.rsplit('/').next().unwrap().trim_end_matches(".log").parse().unwrap();
        seen[at].push(event.data);
        count += 1;
    }
    for (at, seen) in seen.iter().enumerate() {
        assert_eq!(seen, &["a", "b\nc\u{fffd}\u{fffd}"], "split before byte {}", at + 1);
    }
    stream.assert_strict();
}

fn lines_of_a_mebibyte_are_whole_and_one_byte_more_is_two(mode: Mode) {
    const LIMIT: usize = 1 << 20;
    let (ground, bridge, mut stream) = empty_file(mode, &[]);
    for (length, ending, expected) in [
        (LIMIT - 1, &b"\n"[..], vec![LIMIT - 1]),
        (LIMIT, b"\n", vec![LIMIT]),
        (LIMIT, b"\r\n", vec![LIMIT]),
        (LIMIT + 1, b"\n", vec![LIMIT, 1]),
        (2 * LIMIT + 1, b"\r\n", vec![LIMIT, LIMIT, 1]),
    ] {
        // In pieces that fit nothing.
        let content = [b"x".repeat(length), ending.to_vec()].concat();
        content.chunks(99_991).for_each(|piece| ground.append("a.log", piece));
        let seen: Vec<_> = lines(&mut stream, expected.len()).iter().map(String::len).collect();
        assert_eq!(seen, expected, "{length} bytes and {ending:?}");
    }
    assert_eq!(metric(&bridge, "long_lines_total"), 2);
}

fn bytes_that_are_not_utf8_are_shown_as_such(mode: Mode) {
    let (ground, _bridge, mut stream) = empty_file(mode, &[]);
    ground.append("a.log", b"latin \xe9t\xe9\nhalf \xe2\x82");
    assert_eq!(lines(&mut stream, 1), ["latin \u{fffd}t\u{fffd}"]);
    ground.append("a.log", b"\xac whole\n\xff\xfe\0\n");
    assert_eq!(lines(&mut stream, 2), ["half \u{20ac} whole", "\u{fffd}\u{fffd}\u{fffd}"]);
}

fn a_partial_line_is_one_event_when_it_ends(mode: Mode) {
    let ground = Ground::new(mode);
    ground.append("a.log", b"old partial");
    let bridge = ground.follow("a.log", &["--from", "end"]);
    let mut stream = live(&bridge);
    ground.append("a.log", b", continued");
    thread::sleep(scale(3, 90) * Duration::from_secs(1)); // a slow writer
    assert_quiet(&bridge, 0);
    ground.append("a.log", b", ended\nnext ");
    assert_eq!(lines(&mut stream, 1), ["old partial, continued, ended"]);
    for piece in ["in ", "many ", "pieces", "\n"] {
        ground.append("a.log", piece.as_bytes());
        thread::sleep(Duration::from_millis(300)); // so that each is read by itself
    }
    assert_eq!(lines(&mut stream, 1), ["next in many pieces"]);
}

fn a_partial_line_is_not_given_at_the_stop(mode: Mode) {
    let ground = Ground::new(mode);
    ground.append("a.log", b"whole\n");
    let mut bridge = ground.follow("a.log", &[]);
    let mut stream = bridge.get("/events?tail=all");
    assert_eq!(lines(&mut stream, 1), ["whole"]);
    ground.append("a.log", b"half");
    eventually("the half line", || metric(&bridge, "input_bytes_total"), |bytes| *bytes == 10);
    bridge.signal("TERM");
    assert_eq!(stream.rest().iter().filter(|event| event.event == "message").count(), 0, "an unfinished line is still in its file");
    assert_eq!(bridge.wait(), 0);
    ground.append("a.log", b" line\n");
    let again = ground.follow("a.log", &["--from", "-1"]);
    assert_eq!(lines(&mut again.get("/events?tail=all"), 1), ["half line"]);
}

fn the_partial_line_of_a_rotated_file_waits_until_it_is_over(mode: Mode) {
    let (ground, bridge, mut stream) = empty_file(mode, &["--rotate-wait", "4s"]);
    ground.append("a.log", b"begun");
    eventually("the begun line", || metric(&bridge, "input_bytes_total"), |bytes| *bytes == 5);
    ground.rename("a.log", "a.log.1");
    let began = Instant::now();
    ground.append("a.log", b"new\n");
    assert_eq!(lines(&mut stream, 1), ["new"]);
    assert_eq!(lines(&mut stream, 1), ["begun"]);
    assert!(began.elapsed() >= Duration::from_secs(4), "given up after {:?}", began.elapsed());
    assert_eq!(metric(&bridge, "source_gaps_total"), 0);
    // One that is finished in time is whole.
    ground.append("a.log", b"again begun,");
    eventually("the begun line", || metric(&bridge, "input_bytes_total"), |bytes| *bytes == 21);
    ground.rename("a.log", "a.log.2");
    ground.append("a.log.2", b" and ended\n");
    assert_eq!(lines(&mut stream, 1), ["again begun, and ended"]);
}
