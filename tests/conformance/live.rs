//! Clients that are there while lines come, one over each version of HTTP: they are sent the same bytes, but for signs of life.
//!
//! States of an unfinished line may be passed over by a client that is late, so the input goes on only when each client has what
//! was written last. Lines are never passed over: they come in bursts as well.

use std::{
    io::Write,
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{
    bodies::{compare, without_signs},
    raw::{Request, Version, judge},
};
use crate::harness::{Bridge, PATIENCE, scale};

/// Clients that ask for the same, one over each version.
struct Trio {
    path: &'static str,
    requests: [(Version, Request); 3],
}

/// Asks for these, and waits until the daemon has all of them. Their heads do not tell: curl keeps one to itself until there is
/// a body.
fn join(bridge: &Bridge, trios: &mut Vec<Trio>, paths: &[&'static str], last_id: &str) {
    trios.extend(paths.iter().map(|path| Trio::ask(bridge, path, last_id)));
    let deadline = Instant::now() + PATIENCE;
    while clients(bridge) != trios.len() * Version::ALL.len() {
        assert!(Instant::now() < deadline, "{} clients, {} times three expected", clients(bridge), trios.len());
        thread::sleep(Duration::from_millis(2)); // a counter has no bell
    }
}

/// How many clients the daemon has.
fn clients(bridge: &Bridge) -> usize {
    let metrics = bridge.get("/metrics").text();
    let value = metrics.lines().find_map(|line| line.strip_prefix("sse_bridge_clients "));
    value.and_then(|value| value.parse().ok()).expect("a number of clients")
}

/// Whether the body is lines alone, which have no signs of life.
fn is_text(path: &str) -> bool {
    path.contains("format=text")
}

impl Trio {
    fn ask(bridge: &Bridge, path: &'static str, last_id: &str) -> Self {
        let fields = [("Last-Event-ID", last_id)];
        let fields = if last_id.is_empty() { &[][..] } else { &fields[..] };
        let ask = |version| Request::ask(version, bridge.port, path, fields).unwrap_or_else(|cause| panic!("{path}: {cause}"));
        Self { path, requests: Version::ALL.map(|version| (version, ask(version))) }
    }

    fn each(&mut self, mut read: impl FnMut(Version, &mut Request) -> std::io::Result<()>) {
        for (version, request) in &mut self.requests {
            read(*version, request).unwrap_or_else(|cause| panic!("{} over {version:?}: {cause}", self.path));
        }
    }

    /// Waits until each has read this text.
    fn until(&mut self, text: &str) {
        self.each(|_, request| {
            request.read_while(|response| !response.body.windows(text.len()).any(|part| part == text.as_bytes()))
        });
    }

    /// Waits until each has had another sign of life.
    fn until_a_sign(&mut self) {
        if is_text(self.path) {
            return;
        }
        self.each(|_, request| {
            let (_, before) = without_signs(&request.response.body);
            request.read_while(|response| without_signs(&response.body).1 <= before)
        });
    }

    /// Reads to the end, compares, and gives the body.
    fn finish(mut self, least_signs: usize) -> Vec<u8> {
        self.each(|_, request| request.read_to_end());
        let path = self.path;
        let [plain, chunked, framed] = self.requests.map(|(version, mut request)| {
            if is_text(path) {
                return request.response.body;
            }
            request.response.parser.finish();
            judge(&request.response.parser).unwrap_or_else(|problem| panic!("{path} over {version:?}: {problem}"));
            let (body, signs) = without_signs(&request.response.body);
            let [of_its_kind, others] = if path.contains("ping=1") { [signs[1], signs[0]] } else { signs };
            assert!(of_its_kind >= least_signs && others == 0, "{path} over {version:?}: {signs:?} comments and pings");
            body
        });
        for (version, body) in [(Version::Http10, plain), (Version::Http2, framed)] {
            compare(&chunked, &body).unwrap_or_else(|problem| panic!("{path}: HTTP/1.1 and {version:?}: {problem}"));
        }
        chunked
    }
}

/// What is asked for at the beginning.
const PATHS: [&str; 6] = [
    "/events",
    "/events?ping=1",
    "/events?tail=all&format=text",
    "/events/web?tail=0",
    "/events?channel=web&ping=1&tail=all",
    "/events?lastEventId=1000-2/web&ping=1",
];

#[test]
fn live_bodies_are_the_same_but_for_signs_of_life() {
    let mut bridge = Bridge::start(&["--heartbeat", "1s", "--max-line", "2MiB", "web=-"]);
    let mut trios = Vec::new();
    join(&bridge, &mut trios, &PATHS, "");
    trios.iter_mut().for_each(Trio::until_a_sign);
    for (input, shown) in [
        ("one\n", "one\n"),
        ("10%\r", r#""text":"10%""#),
        ("20%\r", r#""text":"20%""#),
        ("30%\rdone\n", "done\n"),
        ("\n\0\n:\nevent: end\n", "event: end\n"),
        ("a\rbee\r\nhalf", "bee\n"),
        (" and half\n", "half and half\n"),
    ] {
        step(&mut bridge, &mut trios, input, shown);
    }
    trios.iter_mut().for_each(Trio::until_a_sign);

    // Others come while a line is unfinished: behind an id, and for what there is.
    step(&mut bridge, &mut trios, "1 of 2\r", r#""text":"1 of 2""#);
    let id = trios[0].requests[0].1.response.parser.last_event_id().to_owned();
    join(&bridge, &mut trios, &["/events?tail=2", "/events?ping=1&tail=0", "/events?tail=2&format=text"], "");
    join(&bridge, &mut trios, &["/events", "/events?format=text", "/events?ping=1"], &id);
    trios.iter_mut().for_each(Trio::until_a_sign);
    step(&mut bridge, &mut trios, "2 of 2\r", r#""text":"2 of 2""#);
    step(&mut bridge, &mut trios, "\nnext\n", "next\n");

    // More than a socket holds, to clients that read one after the other.
    bridge.feed(format!("{}\nafter\n", "x".repeat(1 << 20)).as_bytes());
    for trio in &mut trios {
        trio.until("after\n");
    }
    trios.iter_mut().for_each(Trio::until_a_sign);
    bridge.feed(b"last");
    bridge.end_input();
    for trio in trios {
        let body = trio.finish(2);
        assert!(body.windows(4).any(|part| part == b"last"));
    }
}

/// Writes, and waits until each has it. Lines alone have no states: there nothing is waited for.
fn step(bridge: &mut Bridge, trios: &mut [Trio], input: &str, shown: &str) {
    bridge.feed(input.as_bytes());
    let is_state = shown.starts_with('"');
    trios.iter_mut().filter(|trio| !(is_state && is_text(trio.path))).for_each(|trio| trio.until(shown));
}

#[test]
fn bursts_give_the_same_bodies() {
    let mut bridge = Bridge::start(&[]);
    let mut trios = Vec::new();
    join(&bridge, &mut trios, &["/events", "/events?format=text", "/events?tail=all"], "");
    let total = scale(20_000, 200_000);
    for first in (0..total).step_by(1000) {
        let lines: Vec<String> =
            (first..first + 1000).map(|number| format!("line {number} {}\n", "€".repeat(number % 90))).collect();
        bridge.feed(lines.concat().as_bytes());
        thread::sleep(Duration::from_millis((first / 1000 % 3) as u64)); // they are level with the input, or behind it
    }
    bridge.end_input();
    for trio in trios {
        let body = trio.finish(0);
        let lines = body.split(|byte| *byte == b'\n').filter(|line| line.windows(5).any(|part| part == b"line "));
        assert_eq!(lines.count(), total);
    }
}

/// Lines around a stop: no more than sockets hold, since it waits only a moment for clients to take what is there.
const AROUND_A_STOP: usize = 1000;

#[test]
fn a_stop_ends_bodies_behind_the_same_line() {
    for round in 0..scale(20, 500) {
        let mut bridge = Bridge::start(&[]);
        let mut trios = Vec::new();
        join(&bridge, &mut trios, &["/events", "/events?format=text"], "");
        let mut input = bridge.take_stdin();
        let writer = thread::spawn(move || {
            // Until nobody reads any more.
            let _ = (0..AROUND_A_STOP).try_for_each(|number| writeln!(input, "line {number}"));
            input
        });
        thread::sleep(Duration::from_micros(round % 20 * 100));
        kill(Pid::from_raw(bridge.pid().try_into().expect("a process id")), Signal::SIGTERM).expect("the daemon runs");
        for trio in trios {
            trio.finish(0);
        }
        assert_eq!(bridge.wait(), 0);
        writer.join().expect("the writer does not panic");
    }
}
