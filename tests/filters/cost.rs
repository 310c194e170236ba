//! What filters cost, and their bounds.

use std::io::{Read, Write};

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
            "bad value 'x{9999}' for grep: too costly: all expressions together may have 256 classes, each as often as it is repeated\n",
        ),
        ("grep=%5Cw%7B60%7D", "bad value '\\w{60}' for grep: too large: repeat less, or use smaller classes\n"),
        ("grep=a%0A%28", "bad value 'a\u{FFFD}(' for grep: unclosed group, at character 3\n"),
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
    assert_eq!(metric(&bridge, "refusals_total{reason=\"filters\"}"), 2);
    // One that is in use is shared, and streams without a filter are open to all.
    assert_eq!(bridge.get("/events?grep=7").status(), 200);
    assert_eq!(bridge.get("/events").status(), 200);
    gets.pop();
    eventually("there is room again", || bridge.get("/events?grep=other").status(), |status| *status == 200);
}

/// Reads a stream in small pieces, slowly, from a kernel that holds next to nothing.
#[test]
fn slow_clients_get_what_passes_and_hold_nobody_up() {
    let mut random = Random::new(seed());
    let mut bridge = Bridge::start(&["--history", "16MiB"]);
    let mut text = String::new();
    for number in 0..3000 {
        let kind = ["keep", "drop", "drop", "drop"][random.below(4)];
        text.push_str(&format!("{kind} {number} {}\n", "x".repeat(random.below(1500))));
    }
    let queries = ["grep=keep&context=0", "grep=keep&context=2", "grep=keep&context=0&format=ndjson", "grep-v=keep"];
    let mut slow: Vec<_> = (0..scale(8, 64))
        .map(|number| {
            let mut socket = connect_narrow(bridge.port);
            let query = queries[number % queries.len()];
            write!(socket, "GET /events?tail=all&{query} HTTP/1.0\r\nHost: localhost\r\n\r\n").unwrap();
            (query, socket, Vec::new())
        })
        .collect();
    bridge.feed(text.as_bytes());
    bridge.end_input();
    bridge.wait_for_stderr("ended after");
    let mut fast = bridge.get("/events?tail=all&grep=keep&follow=0");
    let kept = text.lines().filter(|line| line.starts_with("keep")).count();
    assert_eq!(data_of(&fast.rest()).len(), kept);
    let stream = whole(&bridge);
    let mut block = [0; 7000];
    let mut open = slow.len();
    while open > 0 {
        for (_, socket, got) in &mut slow {
            match socket.read(&mut block) {
                Ok(0) => {}
                Ok(count) => {
                    got.extend_from_slice(&block[..count]);
                    continue;
                }
                Err(error) => panic!("{error}"),
            }
            open -= usize::from(!got.ends_with(b"\r\n--"));
            if !got.ends_with(b"\r\n--") {
                got.extend_from_slice(b"\r\n--");
            }
        }
    }
    for (query, _, got) in &slow {
        let body = got.strip_suffix(b"\r\n--").unwrap();
        let body = &body[memchr::memmem::find(body, b"\r\n\r\n").unwrap() + 4..];
        let (matches, reach): (fn(&str) -> bool, usize) = match *query {
            "grep-v=keep" => (|data| !data.contains("keep"), 0),
            "grep=keep&context=2" => (|data| data.contains("keep"), 2),
            _ => (|data| data.contains("keep"), 0),
        };
        let expected = names(&passing(&stream, matches, reach));
        let mut got = if query.ends_with("ndjson") {
            let of = |line: &str| {
                serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|error| panic!("{query}: {error}: {line}"))
            };
            let objects = std::str::from_utf8(body).unwrap().lines().map(of);
            let named = objects.map(|object| {
                let data = object["data"].as_str().map_or_else(|| object["data"].to_string(), str::to_owned);
                (object["id"].as_str().unwrap_or("").to_owned(), data)
            });
            named.filter(|(id, _)| id.contains('/')).collect()
        } else {
            names(&crate::harness::parser::parse(body).messages)
        };
        // One with a context that stood still inside a chunk that nobody could keep comes back with its id.
        if reach > 0 && got.len() < expected.len() {
            let (id, path) = (got.last().map_or("", |(id, _)| id).to_owned(), format!("/events?tail=all&{query}"));
            got.extend(names(&bridge.get_with(&path, &[("Last-Event-ID", &id)]).rest()));
        }
        let strip = |named: Vec<(String, String)>| named.into_iter().map(|(id, _)| id).collect::<Vec<_>>();
        assert_eq!(strip(got), strip(expected), "{query}");
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
