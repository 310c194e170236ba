//! From far back to the live edge: from the disk to the memory without a seam, at any speed, for many at once, at a cost that does not grow.

use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::client::{Client, Pace, Speaks};
use crate::directory::Directory;
use crate::harness::{Bridge, Collected, Get, connect_narrow, eventually, scale};
use crate::pipes::metric;
use crate::record::Record;

/// As little memory as there may be: nearly everything is on the disk.
const LITTLE: &[&str] = &["--history", "256KiB"];

/// A line with its number.
fn line(number: u64) -> String {
    format!("{number} {}", "x".repeat(usize::try_from(number * 7919 % 230).unwrap()))
}

fn lines(from: u64, to: u64) -> Vec<u8> {
    (from..=to).flat_map(|number| (line(number) + "\n").into_bytes()).collect()
}

/// Lines from 1 on, in whole blocks, as fast as they are taken, until told to end; gives how many.
fn flood(mut into: impl std::io::Write + Send + 'static, from: u64) -> (Arc<AtomicBool>, JoinHandle<u64>) {
    let ends = Arc::<AtomicBool>::default();
    let end = Arc::clone(&ends);
    let thread = thread::spawn(move || {
        let mut next = from;
        while !end.load(Ordering::SeqCst) {
            into.write_all(&lines(next, next + 199)).unwrap();
            next += 200;
        }
        next - 1
    });
    (ends, thread)
}

/// Numbers from 1 on, each once.
#[track_caller]
fn assert_numbers<'a>(who: &str, data: impl Iterator<Item = &'a str>, count: u64) {
    let mut expected = 1;
    for data in data {
        let number = data.split(' ').next().unwrap();
        assert_eq!(number, expected.to_string(), "{who}: {data:.40} came where {expected} was expected");
        expected += 1;
    }
    assert_eq!(expected - 1, count, "{who}: not all came");
}

/// Each speaks its own way, and all begin far back while a writer publishes at full speed.
#[test]
fn from_far_back_to_the_live_edge_without_a_seam() {
    let before = scale(40_000, 2_000_000);
    let place = Directory::new();
    let mut bridge = place.start(LITTLE);
    bridge.feed(&lines(1, before));
    eventually("what is far back", || metric(&bridge, "input_lines_total"), |read| *read >= before);
    let (ends, writer) = flood(bridge.take_stdin(), before + 1);
    let clients = [Speaks::Http1, Speaks::Http2].map(|speaks| Client::of(bridge.port, "/events?tail=all", Pace::Full, speaks));
    let mut curl = Command::new("curl");
    curl.args(["-sSN", "--noproxy", "*", &bridge.url("/events?tail=all&format=text")]).stdout(Stdio::piped());
    let mut curl = curl.spawn().expect("curl (tests/install)");
    let text = Collected::of(curl.stdout.take().unwrap());
    let has = |wanted: u64| move |record: &Record| record.seen.len() as u64 >= wanted;
    // They are live once they have what was written after they came.
    let edge = metric(&bridge, "input_lines_total");
    clients.iter().for_each(|client| client.wait("what came meanwhile", has(edge + 2000)));
    ends.store(true, Ordering::SeqCst);
    let count = writer.join().unwrap();
    assert!(count > before + 2000, "the writer has written only {count}");
    for client in clients {
        client.wait("all", has(count));
        let record = client.end();
        assert_eq!((record.gaps.len(), record.streams), (0, 1), "{:?}", record.gaps);
        let data = record.seen.iter().filter(|seen| seen.event == "message").map(|seen| &*seen.data);
        assert_numbers("an event stream", data, count);
    }
    let last = format!("\n{}\n", line(count));
    let shown = text.wait("the last line as text", |seen| seen.ends_with(last.as_bytes()));
    curl.kill().unwrap();
    curl.wait().unwrap();
    assert_numbers("text", String::from_utf8(shown).unwrap().lines(), count);
    assert_eq!(metric(&bridge, "gaps_total"), 0);
}

#[test]
fn a_slow_client_gets_everything_though_memory_is_little() {
    let count = scale(30_000, 600_000);
    let place = Directory::new();
    let mut bridge = place.start(LITTLE);
    bridge.feed(b"1 x\n");
    let slow = Client::of(bridge.port, "/events?tail=all", Pace::Slow, Speaks::Http1);
    slow.wait_for(1);
    bridge.feed(&lines(2, count));
    eventually("all read", || metric(&bridge, "input_lines_total"), |read| *read >= count);
    assert!((slow.record().seen.len() as u64) < count, "it was not slow");
    slow.hurry();
    slow.wait_for(usize::try_from(count).unwrap());
    let record = slow.end();
    assert_eq!(record.gaps, []);
    assert_numbers("the slow one", record.seen.iter().map(|seen| &*seen.data), count);
}

/// The body of an answer, read to its end as a program would that keeps nothing.
fn hash_of(port: u16, path: &str) -> (u64, usize) {
    use std::hash::Hasher;
    let mut socket = connect_narrow(port);
    let request = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n");
    std::io::Write::write_all(&mut socket, request.as_bytes()).unwrap();
    let (mut hasher, mut block, mut length) = (std::hash::DefaultHasher::new(), vec![0; 65536], 0);
    let mut is_body = false;
    loop {
        let count = socket.read(&mut block).unwrap_or_else(|error| panic!("after {length} bytes: {error}"));
        let mut part = &block[..count];
        if !is_body {
            let end = part.windows(4).position(|four| four == b"\r\n\r\n");
            (is_body, part) = end.map_or((false, &part[..0]), |end| (true, &part[end + 4..]));
        }
        if count == 0 {
            return (hasher.finish(), length);
        }
        part.iter().for_each(|byte| hasher.write_u8(*byte));
        length += part.len();
    }
}

/// A daemon that has just started over a history of so many bytes.
fn over_history(place: &Directory, size: u64) -> (Bridge, u64) {
    let mut bridge = place.start(LITTLE);
    let mut count = 0;
    while metric(&bridge, "stored_bytes") < size {
        bridge.feed(&lines(count + 1, count + 5000));
        count += 5000;
        eventually("all read", || metric(&bridge, "input_lines_total"), |read| *read >= count);
    }
    bridge.signal("TERM");
    assert_eq!(bridge.wait(), 0);
    (place.start(LITTLE), count)
}

#[test]
fn many_replay_at_once() {
    let place = Directory::new();
    let (bridge, count) = over_history(&place, 4 << 20);
    let port = bridge.port;
    let path = "/events?tail=all&follow=0";
    let whole = Get::new(port, path, &[]).rest();
    assert_numbers("one alone", whole.iter().map(|message| &*message.data), count);
    let alone = hash_of(port, path);
    let many: Vec<_> = (0..scale(20, 200)).map(|_| thread::spawn(move || hash_of(port, path))).collect();
    for (number, one) in many.into_iter().enumerate() {
        assert_eq!(one.join().unwrap(), alone, "number {number} of them (hash and length of what came)");
    }
    assert_eq!(metric(&bridge, "gaps_total"), 0);
}

#[test]
fn whoever_stands_still_in_a_replay_costs_little_memory() {
    const STILL: u64 = 20;
    const MOST: u64 = 300 << 10;
    let place = Directory::new();
    let (bridge, _) = over_history(&place, 12 << 20);
    let port = bridge.port;
    let replays = |count: usize| {
        let all: Vec<_> = (0..count).map(|_| thread::spawn(move || hash_of(port, "/events?tail=all&follow=0"))).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect::<Vec<_>>()
    };
    replays(6); // what reading costs is there before
    let before = bridge.resident();
    let still: Vec<_> = (0..STILL)
        .map(|_| {
            let mut socket = connect_narrow(port);
            std::io::Write::write_all(&mut socket, b"GET /events?tail=all HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
            socket
        })
        .collect();
    eventually("all clients", || metric(&bridge, "clients"), |clients| *clients == STILL);
    let sent = || {
        let before = metric(&bridge, "stream_bytes_total");
        thread::sleep(Duration::from_millis(300)); // two looks apart
        (before, metric(&bridge, "stream_bytes_total"))
    };
    eventually("nothing more to be sent", sent, |(before, after)| before == after);
    replays(3); // and others read meanwhile
    let after = bridge.resident();
    let each = after.saturating_sub(before) / STILL;
    assert!(each < MOST, "{each} bytes of memory for each that stands still ({before} before, {after} after)");
    drop(still);
}
