//! Nobody holds up anybody: neither those who replay a large history, nor who reads a very large event slowly.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::cost::Traced;
use crate::harness::{Bridge, PATIENCE, connect, connect_narrow, in_background, scale};
use crate::wire::{Wire, eventually, get, wait_for_metric};

const MIB: usize = 1 << 20;

/// A daemon that holds so many MiB of lines.
fn full(mebibytes: usize) -> Bridge {
    let history = format!("{}MiB", mebibytes * 2);
    let mut bridge = Bridge::start(&["--history", &history, "--max-clients", "100"]);
    let line = [vec![b'x'; 1023], b"\n".to_vec()].concat();
    (0..mebibytes).for_each(|_| bridge.feed(&line.repeat(1024)));
    wait_for_metric(&bridge, "input_lines_total", mebibytes as u64 * 1024);
    bridge
}

/// Clients that replay everything. Each tells how much it has got.
fn replay(bridge: &Bridge, count: usize, is_narrow: bool) -> Vec<Arc<AtomicU64>> {
    let start = |_| {
        let (got, port) = (Arc::new(AtomicU64::new(0)), bridge.port);
        let sum = Arc::clone(&got);
        in_background(move || {
            let mut socket = if is_narrow { connect_narrow(port) } else { connect(port) };
            socket.write_all(get("/events?tail=all&follow=0").as_bytes()).unwrap();
            let mut block = vec![0; 64 * 1024];
            while let Ok(count @ 1..) = socket.read(&mut block) {
                sum.fetch_add(count as u64, Ordering::Relaxed);
            }
        });
        got
    };
    (0..count).map(start).collect()
}

#[test]
fn replays_hold_up_no_live_line() {
    for is_narrow in [false, true] {
        let mebibytes = 64;
        let mut bridge = full(mebibytes);
        let mut live = Wire::to(&bridge);
        live.send(get("/events?tail=0")).until("event: start\n");
        let replays = replay(&bridge, 8, is_narrow);
        let got = || -> Vec<_> { replays.iter().map(|got| got.load(Ordering::Relaxed) as usize / 1024).collect() };
        eventually("all replays to be on their way", || got().into_iter().all(|kib| kib > 256));
        for number in 0..20 {
            bridge.feed(format!("live {number}\n").as_bytes());
            live.until(&format!("data: live {number}\n\n"));
            let got = got();
            // The first is what matters. When a slow machine comes to the others some replays may be through.
            let is_any_through = got.iter().any(|kib| *kib >= mebibytes * 1024);
            assert!(number > 0 || !is_any_through, "a live line came behind whole replays: {got:?} KiB");
            if is_any_through {
                break;
            }
        }
        eventually("all replays to be through", || got().into_iter().all(|kib| kib >= mebibytes * 1024));
    }
}

#[test]
fn who_reads_a_very_large_event_slowly_holds_up_nobody_and_gets_it_whole() {
    let mut bridge = Bridge::start(&["--max-line", "32MiB"]);
    let mut live = bridge.get("/events?tail=0");
    live.events(1);
    for (path, version) in [("/events?tail=0", "1.1"), ("/events?tail=0", "1.0"), ("/events?tail=0&format=text", "1.0")] {
        let mut slow = connect_narrow(bridge.port);
        slow.write_all(get(path).replace("HTTP/1.1", &format!("HTTP/{version}")).as_bytes()).unwrap();
        wait_for_metric(&bridge, "clients", 2);
        let large: Vec<u8> = (0..16 * MIB).map(|at| b'a' + (at / 1000 % 26) as u8).collect();
        bridge.feed(&[&*large, b"\n"].concat());
        assert!(live.events(1)[0].data.as_bytes() == large, "the large event came whole");
        let mut got = vec![0; 100_000];
        slow.read_exact(&mut got).unwrap();
        for number in 0..scale(50, 500) {
            bridge.feed(format!("line {number}\n").as_bytes());
            assert_eq!(live.events(1)[0].data, format!("line {number}"));
            let mut more = [0; 5000];
            slow.read_exact(&mut more).unwrap();
            got.extend_from_slice(&more);
        }
        assert!(got.len() < 8 * MIB, "the large event is still on its way");
        let last = format!("line {}\n", scale(50, 500) - 1);
        let reading = in_background(move || {
            let mut block = vec![0; 64 * 1024];
            while !got.windows(last.len()).rev().take(100).any(|window| window == last.as_bytes()) {
                let count = slow.read(&mut block).unwrap();
                assert!(count > 0, "the stream was cut behind {} bytes", got.len());
                got.extend_from_slice(&block[..count]);
            }
            got
        });
        let got = reading.recv_timeout(PATIENCE).expect("all of it comes");
        assert!(got.windows(large.len()).any(|window| window == large), "HTTP/{version} {path}: the large event came whole");
        wait_for_metric(&bridge, "clients", 1);
    }
}

/// Who is written to first changes from batch to batch.
#[test]
fn nobody_is_always_the_last() {
    let mut traced = Traced::start(&["--heartbeat", "1h"]);
    let mut wires: Vec<_> = (0..12).map(|_| Wire::to(&traced.bridge)).collect();
    for wire in &mut wires {
        wire.send(get("/events?tail=0")).until("event: start\n");
    }
    for batch in 0..100 {
        traced.bridge.feed(format!("batch {batch}\n").as_bytes());
        for wire in &mut wires {
            wire.until(&format!("batch {batch}\n\n"));
        }
    }
    let ports: Vec<_> = wires.iter_mut().map(Wire::port).collect();
    let ending = in_background(move || wires.into_iter().for_each(|mut wire| _ = wire.rest()));
    let beginners = beginners(&traced.writes_to(&ports));
    ending.recv_timeout(PATIENCE).expect("the streams end");
    let of_many = beginners.values().filter(|begun| begun.len() > 50).collect::<Vec<_>>();
    assert!(!of_many.is_empty(), "{beginners:?}");
    for begun in of_many {
        let different: BTreeSet<_> = begun.iter().collect();
        assert!(different.len() > 2, "the same are always the first: {begun:?}");
    }
}

/// By whom each round of writes to all clients of a thread began.
fn beginners(writes: &[(u32, usize)]) -> BTreeMap<u32, Vec<usize>> {
    let mut rounds: BTreeMap<u32, (Vec<usize>, Vec<usize>)> = BTreeMap::new();
    for (thread, client) in writes {
        let (begun, round) = rounds.entry(*thread).or_default();
        if round.is_empty() || round.contains(client) {
            round.clear();
            begun.push(*client);
        }
        round.push(*client);
    }
    rounds.into_iter().map(|(thread, (begun, _))| (thread, begun)).collect()
}
