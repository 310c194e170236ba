//! Coming back: by every id, after every byte, through a full history, beside clients that stand still.

use std::io::Write;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use crate::harness::parser::{Message, Parser};
use crate::harness::{Bridge, Get, PATIENCE, Random, connect, in_background, lines, scale, seed};

/// The first line is 1, as the first number is.
fn numbered(from: u64, to: u64) -> Vec<u8> {
    (from..=to).map(|number| format!("line {number}\n")).collect::<String>().into_bytes()
}

fn with_id(bridge: &Bridge, id: &str) -> Get {
    bridge.get_with("/events", &[("Last-Event-ID", id)])
}

/// Waits until the daemon has read everything up to this line.
fn wait_until_read(bridge: &Bridge, line: &str) {
    let mut get = bridge.get("/events?tail=1");
    while get.next_event().expect("the stream goes on").data != line {}
}

#[test]
fn a_client_cut_after_every_byte_comes_back_and_has_each_event_once() {
    let mut bridge = Bridge::start(&[]);
    bridge.feed(&numbered(1, 12));
    bridge.feed(b"two\rlines\n\nlast");
    bridge.end_input();
    bridge.wait_for_stderr("ended after");
    let whole = bridge.get("/events?tail=all").rest();
    let mut wire = bridge.get("/events?tail=all");
    while wire.next_piece().is_some() {}
    for cut in 0..=wire.body.len() {
        let mut parser = Parser::new();
        let mut got = parser.push(&wire.body[..cut]);
        let id = parser.last_event_id().to_owned();
        if id.is_empty() {
            got = bridge.get("/events?tail=all").rest();
        } else if got.len() < whole.len() {
            got.extend(with_id(&bridge, &id).rest());
        } else {
            assert_eq!(with_id(&bridge, &id).status(), 204, "after the last event there is nothing more");
        }
        assert_eq!(names(&got), names(&whole), "cut after byte {cut}");
    }
}

/// What makes an event this event.
fn names(messages: &[Message]) -> Vec<(&str, &str)> {
    messages.iter().map(|message| (message.id.as_str(), message.data.as_str())).collect()
}

#[test]
fn a_client_that_saw_nothing_yet_misses_nothing() {
    let mut bridge = Bridge::start(&[]);
    let mut get = bridge.get("/events?tail=0");
    let start = get.events(1).remove(0);
    drop(get);
    bridge.feed(b"while away\n");
    wait_until_read(&bridge, "while away");
    assert_eq!(with_id(&bridge, &start.id).events(1)[0].data, "while away");
}

#[test]
fn every_row_of_the_table() {
    let mut bridge = Bridge::start(&["--history", "256KiB"]);
    bridge.feed(&numbered(1, 3));
    wait_until_read(&bridge, "line 3");
    let ids: Vec<_> = bridge.get("/events?tail=3").events(3).into_iter().map(|event| event.id).collect();

    // Of this life, everything still there.
    assert_eq!(lines(&with_id(&bridge, &ids[0]).events(2)), ["line 2", "line 3"]);
    // The query does as well, and the header wins.
    let query = format!("/events?lastEventId={}", ids[1]);
    assert_eq!(lines(&bridge.get(&query).events(1)), ["line 3"]);
    assert_eq!(bridge.get_with(&query, &[("Last-Event-ID", &ids[0])]).events(1)[0].data, "line 2");
    // Not ids of ours: as if there were none.
    for garbage in ["", "42", "1-1", "abc", &"9".repeat(4000), "%00", "5-5/€", "1795204422061-1/stdin/../x"] {
        let first = with_id(&bridge, garbage).events(1).remove(0);
        let is_foreign = garbage == "1-1";
        assert_eq!(first.event, if is_foreign { "gap" } else { "message" }, "{garbage:?}");
    }
    // Another life: a number that does not exist, a time that does not fit, a channel that is not there.
    let (time, _) = ids[2].split_once('-').unwrap();
    for foreign in [
        format!("{time}-99/stdin"),
        format!("{}-2/stdin", time.parse::<u64>().unwrap() + 1),
        format!("{time}-3/other"),
        "1000-2/stdin".into(),
    ] {
        let gap = with_id(&bridge, &foreign).events(1).remove(0);
        assert_eq!(gap.event, "gap", "{foreign}");
        assert!(gap.data.contains(r#""reason":"restart""#) && gap.data.contains(r#""lost":null"#), "{}", gap.data);
        assert!(gap.data.contains(&format!(r#""from":"{foreign}""#)), "{}", gap.data);
    }
    // An id older than this life gets all of it; one from the future as well.
    assert_eq!(lines(&with_id(&bridge, "1000-2/stdin").events(4)), ["line 1", "line 2", "line 3"]);
    assert_eq!(lines(&with_id(&bridge, "99999999999999-2/stdin").events(4)), ["line 1", "line 2", "line 3"]);

    // Of this life, but dropped: one gap that counts exactly, then all that is retained.
    bridge.feed(&numbered(4, 20_000));
    wait_until_read(&bridge, "line 20000");
    let mut get = with_id(&bridge, &ids[0]);
    let gap = get.events(1).remove(0);
    assert_eq!(gap.event, "gap");
    let next = get.events(1).remove(0);
    let first: u64 = next.data.strip_prefix("line ").unwrap().parse().unwrap();
    assert!(gap.data.contains(&format!(r#""lost":{}}}"#, first - 2)), "{} before {}", gap.data, next.data);
    assert!(gap.data.contains(r#""reason":"dropped""#));
    assert!(gap.id.ends_with(&format!("-{}", first - 1)), "just below {first}: {}", gap.id);
    // Cut behind the gap: nothing is lost.
    assert_eq!(with_id(&bridge, &gap.id).events(1)[0].data, next.data);
    get.assert_strict();
}

#[test]
fn a_restart_is_told_and_repeats_nothing() {
    let mut first = Bridge::start(&[]);
    first.feed(b"old\n");
    let old = first.get("/events?tail=1").events(1).remove(0);
    let port = first.port;
    drop(first);
    let mut second = Bridge::start_on(port, &[]);
    second.feed(b"new\n");
    wait_until_read(&second, "new");
    let events = with_id(&second, if old.event == "start" { "1-1" } else { &old.id }).events(2);
    assert_eq!((events[0].event.as_str(), events[1].data.as_str()), ("gap", "new"));
}

#[test]
fn a_finished_view_answers_204_only_to_who_has_its_end() {
    let mut bridge = Bridge::start(&[]);
    bridge.feed(b"only\n");
    bridge.end_input();
    bridge.wait_for_stderr("ended after 1 line;");
    let events = bridge.get("/events").rest();
    assert_eq!(with_id(&bridge, &events[0].id).rest()[0].event, "end");
    assert_eq!(with_id(&bridge, &events[1].id).status(), 204);
    assert_eq!(bridge.get("/events").status(), 200, "who has nothing gets everything");
    assert_eq!(bridge.get("/events?tail=0").rest()[0].event, "start");
    assert_eq!(with_id(&bridge, "1000-1/stdin").status(), 200, "another life knows nothing of this end");
}

/// Line `number` of the stalled client's test: long enough to fill sockets soon.
fn long_line(number: u64) -> String {
    format!("line {number} {}", "x".repeat(200))
}

/// A live client: expects each line in its turn, and says so after each portion.
fn follow(mut get: Get, lines: u64, portion: u64, done: &Sender<()>) {
    for number in 1..=lines {
        assert_eq!(get.next_event().expect("the stream goes on").data, long_line(number));
        if number % portion == 0 {
            let _ = done.send(());
        }
    }
}

#[test]
fn a_stalled_client_gets_its_gap_and_a_hundred_others_every_line() {
    const CLIENTS: usize = 100;
    const LINES: u64 = 40_000;
    const PORTION: u64 = 2_000;
    let mut bridge = Bridge::start(&["--history", "2MiB"]);
    let mut stalled = bridge.get("/events?tail=all");
    stalled.events(1);
    let (done, portions) = channel();
    for _ in 0..CLIENTS {
        let (mut get, done) = (bridge.get("/events?tail=all"), done.clone());
        get.events(1);
        std::thread::spawn(move || follow(get, LINES, PORTION, &done));
    }
    // In portions that the history holds, each awaited: on a machine that is busy enough, any client would be slow.
    for first in (1..=LINES).step_by(usize::try_from(PORTION).unwrap()) {
        let portion: String = (first..first + PORTION).map(|number| long_line(number) + "\n").collect();
        bridge.feed(portion.as_bytes());
        (0..CLIENTS).for_each(|_| portions.recv_timeout(PATIENCE).expect("every live client has every line"));
    }
    assert!(bridge.resident() < 24 << 20, "{} bytes resident", bridge.resident());

    let mut seen = 0;
    let gap = loop {
        let event = stalled.next_event().expect("the stream goes on");
        if event.event == "gap" {
            break event;
        }
        seen += 1;
    };
    let lost: u64 = gap.data.rsplit_once(r#""lost":"#).unwrap().1.trim_end_matches('}').parse().unwrap();
    assert!(gap.data.contains(r#""reason":"slow""#), "{}", gap.data);
    for number in seen + lost + 1..=LINES {
        assert_eq!(stalled.next_event().expect("the stream goes on").data, long_line(number));
    }
}

#[test]
fn through_a_connection_that_breaks_at_random_nothing_is_lost_or_doubled() {
    let mut random = Random::new(seed());
    let total = scale(3_000, 60_000);
    let mut bridge = Bridge::start(&["--retry", "500ms"]);
    let (port, mut stdin) = (bridge.port, bridge.take_stdin());
    let mut pauses = Random::new(seed());
    let writer = in_background(move || {
        for number in 1..=total {
            writeln!(stdin, "line {number}").unwrap();
            if pauses.below(50) == 0 {
                std::thread::sleep(Duration::from_millis(1)); // lets reads be of many sizes
            }
        }
        stdin
    });
    let (mut got, mut id, mut connections) = (Vec::new(), None::<String>, 0);
    while got.len() < total {
        connections += 1;
        let headers: Vec<(&str, &str)> = id.iter().map(|id| ("Last-Event-ID", id.as_str())).collect();
        let mut get = Get::new(port, "/events?tail=all", &headers);
        let patience = 1 + random.below(400);
        let mut parser = Parser::new();
        while got.len() < total && get.body.len() < patience * 60 {
            let Some(piece) = get.next_piece() else { break };
            // The connection breaks after any byte: what came behind it was never seen.
            let seen = if random.below(10) == 0 { &piece[..random.below(piece.len())] } else { &piece[..] };
            for message in parser.push(seen) {
                id = Some(message.id.clone());
                if message.event == "message" {
                    got.push(message.data);
                }
            }
            if seen.len() < piece.len() {
                break;
            }
        }
    }
    writer.recv_timeout(PATIENCE).unwrap();
    let expected: Vec<_> = (1..=total).map(|number| format!("line {number}")).collect();
    assert!(got == expected, "{} lines over {connections} connections", got.len());
    drop(connect(port));
}
