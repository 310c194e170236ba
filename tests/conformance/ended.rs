//! Every kind of request to bridges whose input has ended: the same answer over every version of HTTP, to the last byte.

use std::{fs, process::Command};

use super::{
    bodies::ask_everywhere,
    raw::{Response, judge},
};
use crate::harness::{Bridge, command, parser::Message};

/// What is asked for, and what must be found: equal bodies alone could be equally wrong.
struct Ask {
    path: String,
    fields: Vec<(&'static str, String)>,
    status: u16,
    holds: &'static str,
}

impl Ask {
    fn of(path: impl Into<String>, holds: &'static str) -> Self {
        Self { path: path.into(), fields: Vec::new(), status: 200, holds }
    }

    fn with_id(path: &str, id: impl Into<String>, holds: &'static str) -> Self {
        Self { fields: vec![("Last-Event-ID", id.into())], ..Self::of(path, holds) }
    }

    fn status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// Asks for it; a difference, or what is missing, is told.
    fn check(&self, bridge: &Bridge) -> Result<Response, String> {
        let fields: Vec<(&str, &str)> = self.fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let mut response = ask_everywhere(bridge.port, &self.path, &fields)?;
        let kind = response.field("content-type");
        if kind.is_some_and(|kind| kind == "text/event-stream") {
            response.parser.finish();
            judge(&response.parser)?;
        }
        let has_it = self.holds.is_empty() || response.body.windows(self.holds.len()).any(|part| part == self.holds.as_bytes());
        if response.status() == self.status && has_it {
            return Ok(response);
        }
        let start = String::from_utf8_lossy(&response.body[..response.body.len().min(300)]);
        Err(format!("expected {} with {:?}, got {} with {start:?}", self.status, self.holds, response.status()))
    }
}

/// Asks for all of them; all that is wrong is told together.
fn check_all(bridge: &Bridge, asks: &[Ask]) {
    let told = |ask: &Ask| {
        let problem = ask.check(bridge).err()?;
        Some(format!("{} {:.200}: {problem}", ask.path, format!("{:?}", ask.fields)))
    };
    let problems: Vec<String> = asks.iter().filter_map(told).collect();
    assert!(problems.is_empty(), "{} of {} answers differ:\n\n{}\n", problems.len(), asks.len(), problems.join("\n\n"));
}

/// All events of a bridge that has ended, read to its end.
fn events_of(bridge: &Bridge) -> Vec<Message> {
    bridge.get("/events").rest(); // until the end has been read
    bridge.get("/events?tail=all").rest()
}

/// The first line that a bridge with room for it is given: far larger than a chunk, a frame and a socket's buffer.
const LONG: usize = 1 << 20;

/// Lines whose bytes cannot be events as they are.
const ODD: &[u8] = b"a\rb\r\rc\n\n\n\0nul\0\na\xff\xfeb\xc3\ncrlf\r\n\xe2\x82\ndata: x\n:\n:\r:\n\xef\xbb\xbfmark\n \x1b[31m\nlast";

/// A bridge with three channels that have ended. The channel `web/error` has the large lines.
fn three_channels() -> (Bridge, Vec<Message>) {
    let directory = tempfile::tempdir().expect("a directory");
    let mut large = vec![b'x'; LONG];
    large.push(b'\n');
    large.extend_from_slice("€".repeat(30_000).as_bytes());
    large.extend_from_slice(&[b"\n", "\r".repeat(40_000).as_bytes(), b"end\n", ODD].concat());
    let small: Vec<String> = (1..=30).map(|number| format!("other {number}\n")).collect();
    let write = |name: &str, bytes: &[u8]| {
        let path = directory.path().join(name);
        fs::write(&path, bytes).expect("a file");
        path
    };
    let script = r#"exec "$0" --port 0 --max-line 2MiB web/access=- web/error=<(cat "$1") other=<(cat "$2")"#;
    let mut bash = Command::new("bash");
    bash.args(["-c", script]).arg(command(&[]).get_program());
    let mut bridge = Bridge::spawn({
        bash.arg(write("large", &large)).arg(write("small", small.concat().as_bytes()));
        bash
    });
    bridge.feed(ODD);
    bridge.end_input();
    let events = events_of(&bridge);
    let ends = events.iter().filter(|event| event.event == "end").count();
    assert_eq!((ends, events.iter().filter(|event| event.data.len() >= LONG).count()), (3, 1));
    (bridge, events)
}

#[test]
fn every_request_has_the_same_answer_over_every_version() {
    let (bridge, events) = three_channels();
    let mut asks = questions(&events);
    asks.extend(returns(&events));
    check_all(&bridge, &asks);
}

/// What can be asked for by a path and a query.
fn questions(events: &[Message]) -> Vec<Ask> {
    let id = |at: usize| events[at].id.as_str();
    let middle = events.len() / 2;
    let (time, _) = id(middle).split_once('-').expect("an id of ours");
    let queries = [
        "tail=all".to_owned(),
        "tail=3".to_owned(),
        "tail=0".to_owned(),
        "tail=1000000".to_owned(),
        "since=1h".to_owned(),
        "since=0".to_owned(),
        "since=2099-01-01T00:00:00Z".to_owned(),
        format!("since={time}"),
        "since=1h&tail=2".to_owned(),
        format!("before={}", id(middle)),
        format!("before={}&tail=4", id(middle)),
        format!("before={}&tail=all", id(0)),
        "before=1000-2/other&tail=all".to_owned(),
        format!("lastEventId={}", id(middle)),
        "channel=web&channel=other&tail=5".to_owned(),
        "channel=other&tail=all".to_owned(),
    ];
    let ways = ["", "&follow=0", "&format=text", "&format=text&follow=0", "&ping=1"];
    let mut asks: Vec<Ask> =
        queries.iter().flat_map(|query| ways.map(|way| Ask::of(format!("/events?{query}{way}"), ""))).collect();
    asks.extend([
        Ask::of("/events", "event: end\n"),
        Ask::of("/events?tail=all", "\u{fffd}nul\u{fffd}\n"),
        Ask::of("/events/web?tail=all", "data: \ndata: end\n\n"),
        Ask::of("/events/web/access?tail=all", "data: a\ndata: b\ndata: \ndata: c\n\n"),
        Ask::of("/events/web/error?tail=all&format=text", "€€€"),
        Ask::of("/events/other?tail=all&format=text", "other 1\nother 2\n"),
        Ask::of("/events/nothing", "nothing").status(404),
        Ask::of("/events?tail=x", "tail").status(400),
        Ask { fields: vec![("Accept", "text/plain".to_owned())], ..Ask::of("/events/other", "other 30\n") },
        Ask { fields: vec![("Accept", "text/event-stream".to_owned())], ..Ask::of("/events/other", "event: end\n") },
    ]);
    asks
}

/// What a client can bring when it comes back.
fn returns(events: &[Message]) -> Vec<Ask> {
    let last = events.last().expect("there are events").id.as_str();
    let (time, _) = last.split_once('-').expect("an id of ours");
    let mut asks = vec![
        Ask::with_id("/events", last, "").status(204),
        Ask::with_id("/events?format=text", last, "").status(204),
        Ask::with_id("/events?tail=3", last, "").status(204),
        Ask::with_id(&format!("/events?lastEventId={last}"), &events[0].id, "event: end\n"),
        Ask::with_id("/events?tail=all", format!("{time}-99999/other"), "\"reason\":\"restart\""),
        Ask::with_id("/events?tail=all", "1000-2/other", "\"reason\":\"restart\""),
        Ask::with_id("/events?tail=all", "99999999999999-2/other", "\"reason\":\"restart\""),
        Ask::with_id("/events?tail=all", "1-1", "\"reason\":\"restart\""),
        Ask::with_id("/events/other?format=text", "1000-2/other", "other 1\n"),
    ];
    // This life's: behind each third event, the large ones among them.
    asks.extend(events.iter().take(events.len() - 1).step_by(3).map(|event| Ask::with_id("/events", &event.id, "event: end\n")));
    let some = &events[events.len() / 3].id;
    asks.extend(["", "&format=text", "&follow=0"].map(|way| Ask::with_id(&format!("/events/web?tail=2{way}"), some, "")));
    // As if there were none.
    let malformed =
        ["", "42", "abc", &"9".repeat(4000), "%00", "5-5/€", "5-5/../x", "a b", "-", "1-", "1-2/", &format!("{last},1")];
    asks.extend(malformed.map(|id| Ask::with_id("/events?tail=3", id, "event: end\n")));
    let twice = [&events[0].id, last].map(|id| ("Last-Event-ID", id.to_owned())).to_vec();
    asks.push(Ask { fields: twice, ..Ask::of("/events", "event: end\n") });
    asks
}

#[test]
fn what_was_dropped_is_told_with_the_same_bytes() {
    let mut bridge = Bridge::start(&["--history", "256KiB"]);
    bridge.feed(b"line 1\nline 2\nline 3\n");
    let early = bridge.get("/events?tail=all").events(3);
    let more: Vec<String> = (4..=20_000).map(|number| format!("line {number}\n")).collect();
    bridge.feed(more.concat().as_bytes());
    bridge.end_input();
    let events = events_of(&bridge);
    let (first, second) = (early[0].id.as_str(), early[1].id.as_str());
    let oldest = events.iter().find(|event| event.event == "message").expect("a line").id.as_str();
    let dropped = "\"reason\":\"dropped\"";
    let gap = Ask::with_id("/events?format=text", first, "line 20000\n");
    check_all(
        &bridge,
        &[
            Ask::with_id("/events", first, dropped),
            Ask::with_id("/events?tail=3", second, dropped),
            Ask::with_id("/events?follow=0", second, dropped),
            Ask::with_id("/events", oldest, "data: line 20000\n"),
            Ask::with_id("/events", "1000-2/stdin", "\"reason\":\"restart\""),
            Ask::of("/events?tail=all", dropped),
            Ask::of("/events?tail=all&follow=0", dropped),
            Ask::of("/events?tail=100000", "data: line 20000\n"),
            Ask::of("/events?since=0", dropped),
            Ask::of("/events?since=1h&tail=3", "data: line 20000\n"),
            Ask::of(format!("/events?before={oldest}&tail=3"), ""),
            Ask::of(format!("/events?before={first}&tail=all"), ""),
            Ask::of("/events?tail=all&format=text", "line 20000\n"),
            Ask::of("/events?tail=3&format=text", "line 20000\n"),
            Ask::of("/events?since=0&format=text", "line 20000\n"),
        ],
    );
    let response = gap.check(&bridge).expect("the same answers");
    assert!(response.field("sse-bridge-gap").is_some_and(|gap| gap.contains(dropped)), "{:?}", response.fields());
}

/// Lengths around a piece, a chunk, and a chunk and a piece more, with and without an event's other bytes.
fn edges() -> impl Iterator<Item = usize> {
    [16, 64, 80].into_iter().flat_map(|kibibytes| kibibytes * 1024 - 56..kibibytes * 1024 + 4)
}

#[test]
fn events_around_the_size_of_a_piece_are_whole() {
    let mut bridge = Bridge::start(&["--max-line", "256KiB"]);
    let lines: Vec<String> = edges().map(|length| "x".repeat(length)).collect();
    for line in &lines {
        bridge.feed(format!("{line}\nsmall\n").as_bytes());
    }
    bridge.end_input();
    let events = events_of(&bridge);
    assert_eq!(events.len(), 2 * lines.len() + 1);
    assert!(lines.iter().zip(events.chunks(2)).all(|(line, pair)| pair[0].data == *line && pair[1].data == "small"));
    let mut asks = vec![Ask::of("/events?tail=all", ""), Ask::of("/events?tail=all&format=text", "")];
    // A large event first, behind a greeting and behind nothing.
    asks.extend(events.iter().step_by(14).map(|event| Ask::of(format!("/events?before={}&tail=2", event.id), "")));
    asks.extend(events.iter().skip(1).step_by(14).map(|event| Ask::with_id("/events", &event.id, "")));
    check_all(&bridge, &asks);
}
