//! Clients of streams leave: at once, in the middle, by halves and with a reset. Their places and descriptors come back, and who only has nothing
//! more to say gets everything.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use crate::harness::{Bridge, Random, connect, connect_narrow, scale, seed};
use crate::process::{descriptors, wait_for_descriptors};
use crate::wire::{Wire, get, reset, wait_for_metric};

/// A daemon that holds a few MiB of lines.
fn full() -> Bridge {
    let mut bridge = Bridge::start(&["--heartbeat", "1h"]);
    let mut client = bridge.get("/events?tail=0&format=text");
    let line = [vec![b'x'; 999], b"\n".to_vec()].concat();
    (0..4).for_each(|_| bridge.feed(&line.repeat(1000)));
    while client.body.len() < 4_000_000 {
        client.next_piece().expect("the stream goes on");
    }
    bridge
}

/// Everything until the end, in pieces that are far smaller than what is sent at once.
fn slowly(mut socket: TcpStream) -> Vec<u8> {
    let (mut whole, mut block) = (Vec::new(), [0; 3000]);
    loop {
        match socket.read(&mut block).unwrap_or_else(|error| panic!("behind {} bytes: {error}", whole.len())) {
            0 => return whole,
            count => whole.extend_from_slice(&block[..count]),
        }
    }
}

#[test]
fn who_says_nothing_more_gets_everything_however_slowly_it_reads() {
    let bridge = full();
    for (path, version) in [("/events", "HTTP/1.1"), ("/events", "HTTP/1.0"), ("/events/stdin", "HTTP/1.0")] {
        let format = if path == "/events" { "sse" } else { "text" };
        let request = get(&format!("{path}?tail=all&follow=0&format={format}")).replace("HTTP/1.1", version);
        let mut whole = Wire::to(&bridge).send(&request).half_close().rest().into_bytes();
        let mut socket = connect_narrow(bridge.port);
        socket.write_all(request.as_bytes()).unwrap();
        socket.shutdown(Shutdown::Write).unwrap();
        let mut got = slowly(socket);
        // But for the time in the head they are the same, and how a stream is cut into chunks is not promised.
        for bytes in [&mut whole, &mut got] {
            bytes.drain(..bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4);
        }
        let lines = |bytes: &[u8]| bytes.windows(999).filter(|window| *window == [b'x'; 999]).count();
        assert_eq!((lines(&whole), lines(&got)), (4000, 4000), "{request}");
        assert_eq!(version == "HTTP/1.1", got.ends_with(b"\r\n0\r\n\r\n"), "{request}");
        assert!(version == "HTTP/1.1" || got == whole, "{request}");
    }
    wait_for_metric(&bridge, "clients", 0);
}

#[test]
fn who_says_nothing_more_does_not_keep_a_live_stream() {
    let bridge = full();
    for (path, version) in [
        ("/events", "1.1"),
        ("/events", "1.0"),
        ("/events?format=text", "1.1"),
        ("/events?tail=all", "1.1"),
        ("/events?tail=0", "1.1"),
    ] {
        let request = get(path).replace("HTTP/1.1", &format!("HTTP/{version}"));
        // With its request, and while it waits.
        let together = Wire::to(&bridge).send(&request).half_close().rest();
        assert!(together.contains("\r\n\r\n"), "{path}: at least the head comes: {together:?}");
        assert!(!together.ends_with("\r\n0\r\n\r\n"), "{path}: the stream is not complete");
        let mut wire = Wire::to(&bridge);
        wire.send(&request).head();
        wire.half_close().rest();
        wait_for_metric(&bridge, "clients", 0);
    }
}

#[test]
fn a_reset_in_the_middle_hurts_nobody_else() {
    let mut bridge = Bridge::start(&["--heartbeat", "1h", "--history", "16MiB"]);
    let mut other = bridge.get("/events?tail=0");
    other.events(1);
    let before = descriptors(&bridge);
    let line = [vec![b'x'; 9_999], b"\n".to_vec()].concat();
    for round in 0..scale(10, 200) {
        // One stands still inside a chunk, one waits, one has sent something behind its request.
        let [mut full, idle, mut busy] = [connect_narrow(bridge.port), connect(bridge.port), connect(bridge.port)];
        full.write_all(get("/events?tail=0").as_bytes()).unwrap();
        (&idle).write_all(get("/events?tail=0&format=text").as_bytes()).unwrap();
        busy.write_all((get("/events?tail=0") + "GET /healthz").as_bytes()).unwrap();
        for socket in [&full, &idle, &busy] {
            let mut head = [0; 15];
            (&*socket).read_exact(&mut head).unwrap();
            assert_eq!(&head, b"HTTP/1.1 200 OK");
        }
        bridge.feed(&line.repeat(50));
        full.read_exact(&mut [0; 2000]).unwrap();
        [full, idle, busy].into_iter().for_each(reset);
        for event in other.events(50) {
            assert_eq!(event.data.len(), 9_999, "round {round}");
        }
        wait_for_metric(&bridge, "clients", 1);
    }
    other.assert_strict();
    wait_for_descriptors(&bridge, &before);
}

#[test]
fn who_leaves_at_once_keeps_neither_place_nor_descriptor() {
    let bridge = full();
    wait_for_metric(&bridge, "clients", 0);
    let before = descriptors(&bridge);
    let requests = [
        get("/events"),
        get("/events?tail=all"),
        get("/events?tail=all&follow=0"),
        get("/events?format=text&tail=0"),
        get("/events").replace("HTTP/1.1", "HTTP/1.0"),
        get("/events") + &get("/events"),
        get("/events?follow=0") + &get("/events?follow=0") + "GET /",
        get("/events") + &"x".repeat(20_000),
    ];
    let mut random = Random::new(seed());
    for number in 0..scale(100, 1_000) {
        let mut socket = connect(bridge.port);
        let request = &requests[random.below(requests.len())];
        let sent = socket.write_all(request.as_bytes());
        sent.unwrap_or_else(|error| panic!("client {number}: {error} for {request}"));
        match random.below(4) {
            0 => drop(socket),
            1 => reset(socket),
            2 => socket.shutdown(Shutdown::Both).unwrap(),
            _ => {
                socket.read_exact(&mut [0; 1]).unwrap();
                drop(socket);
            }
        }
    }
    wait_for_metric(&bridge, "clients", 0);
    wait_for_descriptors(&bridge, &before);
    assert!(!bridge.stderr().contains("panicked"), "{}", bridge.stderr());
}
