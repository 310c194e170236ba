//! What filters cost, and their bounds.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::harness::parser::Message;
use crate::harness::{Bridge, Get, Random, connect_narrow, eventually, lines as data_of, scale, seed};
use crate::model::{names, passing, whole};
use crate::pipes::{metric, wait_for_lines};

/// Publishes a line, and waits until it is there.
fn publish(bridge: &mut Bridge, number: u64) {
    bridge.feed(format!("line {number}\n").as_bytes());
    wait_for_lines(bridge, number);
}

#[test]
fn a_batch_is_looked_through_once_for_each_filter() {
    for (filters, clients) in [(1, scale(40, 400)), (scale(40, 100), 3)] {
        let mut bridge = Bridge::start(&[]);
        publish(&mut bridge, 1);
        let mut gets: Vec<Get> = Vec::new();
        for number in 0..filters * clients {
            let mut get = bridge.get(&format!("/events?tail=0&grep=line&grep-v=none{}", number % filters));
            get.events(1);
            gets.push(get);
        }
        assert_eq!(metric(&bridge, "filters"), filters as u64);
        let before = metric(&bridge, "filter_scans_total");
        for number in 2..12 {
            publish(&mut bridge, number);
            for get in &mut gets {
                assert_eq!(get.events(1)[0].data, format!("line {number}"));
            }
        }
        let scans = metric(&bridge, "filter_scans_total") - before;
        assert_eq!(scans, 10 * filters as u64, "ten batches, {filters} filters, {clients} clients of each");
        drop(gets);
        eventually("no filter is left", || metric(&bridge, "filters"), |count| *count == 0);
    }
}

#[test]
fn a_filter_through_which_nothing_passes_does_not_keep_the_daemon_busy() {
    let mut bridge = Bridge::start(&[]);
    publish(&mut bridge, 1);
    let mut get = bridge.get("/events?grep=nowhere");
    get.events(1);
    publish(&mut bridge, 2);
    let scans = metric(&bridge, "filter_scans_total");
    let ticks = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", bridge.pid())).unwrap();
        let fields: Vec<_> = stat.rsplit_once(") ").unwrap().1.split(' ').map(str::to_owned).collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    };
    let before = ticks();
    std::thread::sleep(std::time::Duration::from_millis(500)); // this is the time in which nothing is to be done
    assert!(ticks() - before <= 5, "{} ticks of CPU time in half a second of nothing", ticks() - before);
    assert!(metric(&bridge, "filter_scans_total") <= scans + 1);
}

#[test]
fn bad_expressions_are_told_where_and_cost_nothing() {
    let bridge = Bridge::start(&[]);
    for (query, message) in [
        ("grep=ab(", "bad value 'ab(' for grep: unclosed group, at character 3\n"),
        (
            "grep=ok&grep-v=%5Bz-a%5D",
            "bad value '[z-a]' for grep-v: invalid character class range, the start must be <= the end, at character 2\n",
        ),
        (
            "grep=x%7B9999%7D",
            "bad value 'x{9999}' for grep: too costly: all expressions together may have 64 classes, each as often as it is repeated\n",
        ),
        ("grep=%5Cw%7B60%7D", "bad value '\\w{60}' for grep: too large: repeat less, or use smaller classes\n"),
        ("grep=a%0A%28", "bad value 'a\u{FFFD}(' for grep: unclosed group, at character 3\n"),
        ("grep=%FE&tail=0", "bad value '\u{FFFD}' for grep: expected UTF-8, each byte of it as %XX\n"),
        ("type=a%C3", "bad value 'a\u{FFFD}' for type: expected UTF-8, each byte of it as %XX\n"),
        ("grep=a&context=101", "bad value '101' for context: expected a number up to 100\n"),
        ("grep=a&i=2", "bad value '2' for i: expected 0 or 1\n"),
        ("format=json", "bad value 'json' for format: expected text, ndjson or sse\n"),
        (&"grep=a&".repeat(17), "too many expressions: at most 16 of grep and grep-v together\n"),
    ] {
        let mut get = bridge.get(&format!("/events?{query}"));
        assert_eq!((get.status(), get.text().as_str()), (400, message), "{query}");
        assert_eq!(Get::request(bridge.port, "HEAD", &format!("/events?{query}"), &[]).status(), 400, "{query}");
    }
    let long = bridge.get(&format!("/events?grep={}", "x".repeat(1025))).text();
    assert!(long.contains("for grep: expected at most 1024 bytes"), "{long}");
    eventually("no place is taken", || metric(&bridge, "clients"), |clients| *clients == 0);
    assert_eq!(metric(&bridge, "filters"), 0);
}

#[test]
fn too_many_filters_are_refused_in_a_way_that_heals() {
    let mut bridge = Bridge::start(&[]);
    publish(&mut bridge, 1);
    let mut gets: Vec<_> = (0..256).map(|number| bridge.get(&format!("/events?tail=0&grep={number}"))).collect();
    gets.iter_mut().for_each(|get| drop(get.events(1)));
    let mut refused = bridge.get("/events?grep=other");
    assert_eq!(refused.status(), 503);
    assert!(refused.header("retry-after").is_some());
    assert_eq!(refused.text(), "too many different filters are in use: there is room for 256 expressions in all\n");
    let mut busy = bridge.get_with("/events?grep=other", &[("Accept", "text/event-stream")]);
    assert_eq!(busy.status(), 200);
    let said = busy.rest();
    assert_eq!((said[0].event.as_str(), said[0].retry.is_some(), said[0].id.as_str()), ("busy", true, ""));
    assert!(said[0].data.ends_with(",\"reason\":\"filters\"}"), "{}", said[0].data);
    assert_eq!(bridge.get("/events?grep=other&format=ndjson").status(), 503);
    assert_eq!(metric(&bridge, "refusals_total{reason=\"filters\"}"), 3);
    // One that is in use is shared, and streams without a filter are open to all.
    assert_eq!(bridge.get("/events?grep=7").status(), 200);
    assert_eq!(bridge.get("/events").status(), 200);
    gets.pop();
    eventually("there is room again", || bridge.get("/events?grep=other").status(), |status| *status == 200);
}

/// Who reads a stream in small pieces, slowly, from a kernel that holds next to nothing.
struct Slow {
    query: &'static str,
    socket: TcpStream,
    got: Vec<u8>,
    is_at_end: bool,
}

impl Slow {
    fn new(bridge: &Bridge, query: &'static str) -> Self {
        let mut socket = connect_narrow(bridge.port);
        write!(socket, "GET /events?tail=all&{query} HTTP/1.0\r\nHost: localhost\r\n\r\n").unwrap();
        Self { query, socket, got: Vec::new(), is_at_end: false }
    }

    fn read_on(&mut self, block: &mut [u8]) {
        let count = self.socket.read(block).unwrap();
        self.got.extend_from_slice(&block[..count]);
        self.is_at_end = count == 0;
    }

    fn body(&self) -> &[u8] {
        &self.got[memchr::memmem::find(&self.got, b"\r\n\r\n").unwrap() + 4..]
    }

    /// The ids that it has got.
    fn ids(&self) -> Vec<String> {
        if !self.query.ends_with("ndjson") {
            return ids(&crate::harness::parser::parse(self.body()).messages);
        }
        let id = |line: &str| {
            let object: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            object["id"].as_str().unwrap_or("").to_owned()
        };
        std::str::from_utf8(self.body()).unwrap().lines().map(id).filter(|id| id.contains('/')).collect()
    }

    /// The ids that it is to get.
    fn expected(&self, stream: &[Message]) -> Vec<String> {
        let keeps: fn(&str) -> bool = |data| data.contains("keep");
        ids(&match self.query {
            "grep-v=keep" => passing(stream, |data| !data.contains("keep"), 0),
            WITH_CONTEXT => passing(stream, keeps, 2),
            _ => passing(stream, keeps, 0),
        })
    }
}

fn ids(messages: &[Message]) -> Vec<String> {
    names(messages).into_iter().map(|(id, _)| id).collect()
}

const WITH_CONTEXT: &str = "grep=keep&context=2";

fn kept_and_dropped(random: &mut Random) -> String {
    let line = |random: &mut Random, number| {
        let kind = ["keep", "drop", "drop", "drop"][random.below(4)];
        format!("{kind} {number} {}\n", "x".repeat(random.below(1500)))
    };
    (0..3000).map(|number| line(random, number)).collect()
}

#[test]
fn slow_clients_get_what_passes_and_hold_nobody_up() {
    let mut bridge = Bridge::start(&["--history", "16MiB"]);
    let text = kept_and_dropped(&mut Random::new(seed()));
    let queries = ["grep=keep&context=0", WITH_CONTEXT, "grep=keep&context=0&format=ndjson", "grep-v=keep"];
    let mut slow: Vec<_> = (0..scale(8, 64)).map(|number| Slow::new(&bridge, queries[number % queries.len()])).collect();
    bridge.feed(text.as_bytes());
    bridge.end_input();
    bridge.wait_for_stderr("ended after");
    let mut fast = bridge.get("/events?tail=all&grep=keep&follow=0");
    let kept = text.lines().filter(|line| line.starts_with("keep")).count();
    assert_eq!(data_of(&fast.rest()).len(), kept);
    let mut block = [0; 7000];
    while slow.iter().any(|one| !one.is_at_end) {
        slow.iter_mut().filter(|one| !one.is_at_end).for_each(|one| one.read_on(&mut block));
    }
    let stream = whole(&bridge);
    for one in &slow {
        let (mut got, expected) = (one.ids(), one.expected(&stream));
        // One with a context that stood still inside a chunk that nobody could keep comes back with its id.
        if one.query == WITH_CONTEXT && got.len() < expected.len() {
            let id = got.last().cloned().unwrap_or_default();
            got.extend(ids(&bridge.get_with(&format!("/events?tail=all&{}", one.query), &[("Last-Event-ID", &id)]).rest()));
        }
        assert_eq!(got, expected, "{}", one.query);
    }
}

/// A page with a filter that is opened by many must not look through all of history for each.
#[test]
fn a_crowd_that_asks_for_the_newest_looks_back_once() {
    let mut bridge = Bridge::start(&[]);
    let mut fed = 0;
    let mut feed = |bridge: &mut Bridge, count: u64, every: u64| {
        let line =
            |number: u64| if number.is_multiple_of(every) { format!("match {number}\n") } else { format!("miss {number}\n") };
        bridge.feed((fed + 1..=fed + count).map(line).collect::<String>().as_bytes());
        fed += count;
        wait_for_lines(bridge, fed);
    };
    feed(&mut bridge, 20_000, 19_900);
    let before = metric(&bridge, "filter_bytes_total");
    let _one = bridge.get("/events?grep=match&tail=0"); // keeps the filter in use
    for round in 0..10 {
        let stream = whole(&bridge);
        for tail in [1, 4, 50] {
            let mut get = bridge.get(&format!("/events?grep=match&follow=0&tail={tail}"));
            let expected = crate::model::newest(&stream, |data| data.contains("match"), 0, tail);
            assert_eq!(names(&get.rest()), names(&expected), "round {round}, tail={tail}");
        }
        feed(&mut bridge, 20, 7 + round);
    }
    let (looked, all) = (metric(&bridge, "filter_bytes_total") - before, wire_length(&bridge));
    // Once for each number, and what was found is read again by those who are sent it.
    assert!(looked < 3 * all, "{looked} bytes were looked through for thirty clients, of {all}");
}

fn wire_length(bridge: &Bridge) -> u64 {
    crate::model::wire(bridge, "/events?tail=all&follow=0").len() as u64
}
