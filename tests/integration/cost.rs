//! What clients cost: writes, memory and wake-ups.

use std::cell::RefCell;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit};

use crate::frames::Http2;
use crate::harness::{Bridge, PATIENCE, command, connect, connect_narrow, in_background, scale};
use crate::process::sleeps;
use crate::wire::{Wire, eventually, get, metric, wait_for_metric};

const MIB: u64 = 1 << 20;

/// A stream in each form.
fn forms() -> [String; 3] {
    [get("/events?tail=0"), get("/events?tail=0&format=text"), get("/events?tail=0").replace("HTTP/1.1", "HTTP/1.0")]
}

/// A daemon whose writes are recorded.
pub struct Traced {
    pub bridge: Bridge,
    place: tempfile::TempDir,
}

impl Traced {
    pub fn start(arguments: &[&str]) -> Self {
        let trial =
            Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).output().expect("strace is there (tests/install)");
        let why = String::from_utf8_lossy(&trial.stderr);
        assert!(trial.status.success(), "a process must be allowed to trace its own child (in a container: SYS_PTRACE): {why}");
        let place = tempfile::tempdir().unwrap();
        let mut strace = Command::new("strace");
        // The daemon remains the test's child, so that it gets the signals; sockets are told by their addresses.
        strace.args(["-D", "-f", "--seccomp-bpf", "-q", "-yy", "-s", "0", "-e", "trace=write,writev,sendto,sendmsg", "-o"]);
        let daemon = command(&["--port", "0"]);
        strace.arg(place.path().join("calls")).arg(daemon.get_program()).args(daemon.get_args()).args(arguments);
        Self { bridge: Bridge::spawn(strace), place }
    }

    /// Ends the daemon; gives for each write to one of these clients the thread that made it and the client's place in the list.
    pub fn writes_to(mut self, ports: &[u16]) -> Vec<(u32, usize)> {
        self.bridge.signal("TERM");
        self.bridge.wait();
        let path = self.place.path().join("calls");
        let pid = self.bridge.pid().to_string();
        let is_end = |line: &str| line.split(' ').next() == Some(&pid) && line.ends_with("+++ exited with 0 +++");
        eventually("the end of what strace writes", || fs::read_to_string(&path).unwrap().lines().last().is_some_and(is_end));
        let calls = fs::read_to_string(&path).unwrap();
        let is_begun = |call: &&str| !call.contains(" resumed>");
        calls.lines().filter(is_begun).filter_map(|call| write_to(call, self.bridge.port, ports)).collect()
    }
}

/// `123 write(9<TCP:[127.0.0.1:8080->127.0.0.1:45678]>, ""..., 30) = 30`
fn write_to(call: &str, daemon: u16, ports: &[u16]) -> Option<(u32, usize)> {
    let (_, client) = call.split_once(&format!("<TCP:[127.0.0.1:{daemon}->127.0.0.1:"))?;
    let client = client.split(']').next()?.parse::<u16>().ok()?;
    Some((call.split(' ').next()?.parse().ok()?, ports.iter().position(|port| *port == client)?))
}

#[test]
fn a_batch_costs_one_write_for_each_client() {
    let mut traced = Traced::start(&["--heartbeat", "1h"]);
    let (clients, batches) = (20, scale(200, 2_000));
    let mut wires: Vec<_> = (0..clients).map(|_| Wire::to(&traced.bridge)).collect();
    for (wire, form) in wires.iter_mut().zip(forms().iter().cycle()) {
        wire.send(form).head();
    }
    for batch in 0..batches {
        traced.bridge.feed(format!("batch {batch}\n").as_bytes());
        for wire in &mut wires {
            wire.until(&format!("batch {batch}\n"));
        }
    }
    let ports: Vec<_> = wires.iter_mut().map(Wire::port).collect();
    // All stay until the end of their streams has come, which is the last write.
    let ending = in_background(move || wires.into_iter().for_each(|mut wire| _ = wire.rest()));
    let writes = traced.writes_to(&ports).len();
    ending.recv_timeout(PATIENCE).expect("the streams end");
    let wanted = clients * (batches + 2); // the head, and the end
    println!("{writes} writes for {clients} clients and {batches} batches");
    assert!(writes >= clients * batches, "not all writes have been seen: {writes}");
    assert!(writes * 100 <= wanted * 105, "{writes} writes for {clients} clients and {batches} batches");
}

/// As many clients as may be open at once here.
fn many(wanted: u64) -> usize {
    let (most, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    usize::try_from(wanted.min(most.saturating_sub(500))).unwrap()
}

/// Reads until a text has come.
fn read_until(socket: &mut TcpStream, text: &str) {
    let (mut seen, mut block) = (Vec::new(), [0; 4096]);
    while !seen.ends_with(text.as_bytes()) {
        let count =
            socket.read(&mut block).unwrap_or_else(|error| panic!("{error}: no {text:?} in {:?}", String::from_utf8_lossy(&seen)));
        assert!(count > 0, "the end before {text:?} in {:?}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&block[..count]);
    }
}

#[test]
fn clients_that_have_left_cost_no_memory() {
    let count = many(scale(1_000, 10_000));
    let mut bridge = Bridge::start(&["--max-clients", "20000", "--heartbeat", "1h"]);
    bridge.get("/events?tail=0").events(1);
    wait_for_metric(&bridge, "clients", 0);
    let before = bridge.resident();
    let most = before + 2 * MIB;
    let rounds = [0, 1, 2].map(|round| {
        let forms = forms();
        let mut clients: Vec<_> = (0..count).map(|_| connect(bridge.port)).collect();
        for (client, form) in clients.iter_mut().zip(forms.iter().cycle()) {
            client.write_all(form.as_bytes()).unwrap();
        }
        eventually("all to be clients", || metric(&bridge, "clients") == count as u64);
        bridge.feed(format!("line of round {round}\n").as_bytes().repeat(3).as_slice());
        bridge.feed(format!("end of round {round}\n").as_bytes());
        for (number, client) in clients.iter_mut().enumerate() {
            let end = ["\n\n\r\n", "\n\r\n", "\n\n"][number % 3];
            read_until(client, &format!("end of round {round}{end}"));
        }
        drop(clients);
        wait_for_metric(&bridge, "clients", 0);
        let mut resident = bridge.resident();
        eventually(&format!("less than {} KiB resident again; the last was {} KiB", most / 1024, resident / 1024), || {
            resident = bridge.resident();
            resident <= most
        });
        resident
    });
    let shown = rounds.map(|resident| resident / 1024);
    assert!(rounds[2] <= rounds[1] + MIB, "it grows with each round of {count} clients: {shown:?} KiB");
}

/// What comes back is the same whoever they were: streams that have ended, other requests, streams over HTTP/2.
#[test]
fn connections_that_have_left_cost_no_memory() {
    const OVER_HTTP2: &str = "streams over HTTP/2";
    let count = many(scale(1_000, 5_000));
    for kind in ["/events?follow=0", "/healthz", OVER_HTTP2] {
        let bridge = Bridge::start(&["--max-clients", "20000", "--heartbeat", "1h"]);
        drop(Wire::to(&bridge).send(get("/healthz")).answer());
        let before = bridge.resident();
        for round in 0..2 {
            match kind {
                OVER_HTTP2 => drop(streams_over_http2(&bridge, count)),
                path => drop(answers(&bridge, count, path)),
            }
            let what = format!("less than 2 MiB more than {before} bytes in round {round}: {kind}");
            eventually(&what, || bridge.resident() < before + 2 * MIB);
        }
    }
}

/// So many connections, each with the beginning of its answer.
fn answers(bridge: &Bridge, count: usize, path: &str) -> Vec<TcpStream> {
    let mut clients: Vec<_> = (0..count).map(|_| connect(bridge.port)).collect();
    for client in &mut clients {
        client.write_all(get(path).as_bytes()).unwrap();
        assert!(client.read(&mut [0; 64]).unwrap() > 0, "it is answered");
    }
    clients
}

/// So many connections with a stream each that has begun.
fn streams_over_http2(bridge: &Bridge, count: usize) -> Vec<Http2> {
    let mut clients: Vec<_> = (0..count).map(|_| Http2::to(bridge, &[])).collect();
    for client in &mut clients {
        client.get(1, "/events?tail=0", &[]);
        assert_eq!(client.status_of(1), 200);
    }
    clients
}

#[test]
fn clients_that_wait_wake_nobody() {
    let mut bridge = Bridge::start(&["--heartbeat", "1h"]);
    let mut wires: Vec<_> = (0..200).map(|_| Wire::to(&bridge)).collect();
    for (wire, form) in wires.iter_mut().zip(forms().iter().cycle()) {
        wire.send(form).head();
    }
    // What was begun before may still come to its end: one of several seconds is a quiet one.
    let spans: Vec<_> = (0..4)
        .map(|_| {
            let before = sleeps(&bridge);
            thread::sleep(Duration::from_secs(2)); // the time itself is what is measured
            sleeps(&bridge) - before
        })
        .take_while(|count| *count > 10)
        .collect();
    assert!(spans.len() < 4, "{spans:?} wake-ups in spans of 2 s");
    bridge.feed(b"awake\n");
    for wire in &mut wires {
        wire.until("awake\n");
    }
}

#[test]
fn silence_is_broken_as_often_as_is_asked_for_and_no_more() {
    let bridge = Bridge::start(&["--heartbeat", "1s"]);
    let mut clients: Vec<_> = (0..100).map(|_| connect(bridge.port)).collect();
    for (client, form) in clients.iter_mut().zip(forms().iter().cycle()) {
        client.write_all(form.as_bytes()).unwrap();
    }
    eventually("all to be clients", || metric(&bridge, "clients") == 100);
    let (began, before) = (Instant::now(), sleeps(&bridge));
    thread::sleep(Duration::from_millis(5_500)); // the time itself is what is measured
    let after = sleeps(&bridge);
    for (number, client) in clients.iter_mut().enumerate() {
        let seen = seen_so_far(client);
        let comments = seen.lines().filter(|line| *line == ":").count();
        let seconds = began.elapsed().as_secs_f64();
        if number % 3 == 1 {
            assert_eq!(comments, 0, "lines alone have no heartbeats: {seen}");
            continue;
        }
        // A heartbeat may be a fifth of a second late, and a loaded machine is later still.
        assert!(comments >= 3 && comments as f64 <= seconds + 1.0, "{comments} comments in {seconds:.1} s: {seen}");
    }
    // They have come together and are visited together: by two threads, ten times a second at most.
    assert!(after - before <= 250, "{} wake-ups for 100 clients in 5.5 s", after - before);
}

/// All that has come already.
fn seen_so_far(socket: &mut TcpStream) -> String {
    socket.set_nonblocking(true).unwrap();
    let mut seen = Vec::new();
    let error = socket.read_to_end(&mut seen).expect_err("the stream goes on");
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    String::from_utf8(seen).unwrap()
}

/// Lets 64 MiB flow past 50 clients; gives by how much the resident memory has grown meanwhile.
fn flow_past(read: impl Fn(TcpStream)) -> u64 {
    let mut bridge = Bridge::start(&["--history", "1MiB", "--heartbeat", "1h", "--write-timeout", "1h"]);
    let [stream, _, old] = forms();
    let clients: Vec<_> = (0..50)
        .map(|number| {
            let mut client = connect_narrow(bridge.port);
            client.write_all([&stream, &old][number % 2].as_bytes()).unwrap();
            read_until(&mut client, ["\n\n\r\n", "\n\n"][number % 2]);
            client
        })
        .collect();
    let before = bridge.resident();
    clients.into_iter().for_each(read);
    let lines = [vec![b'x'; 511], b"\n".to_vec()].concat().repeat(2048);
    (0..64).for_each(|_| bridge.feed(&lines));
    wait_for_metric(&bridge, "input_lines_total", 64 * 2048);
    bridge.resident().saturating_sub(before)
}

/// The history is all that grows. If each client held but the chunk that it has not taken, up to 64 KiB, that would be 3 MiB more.
#[test]
fn clients_that_stand_still_cost_no_memory() {
    let still = RefCell::new(Vec::new());
    let grown = flow_past(|client| still.borrow_mut().push(client));
    let grown_with_readers = flow_past(|mut client| {
        thread::spawn(move || {
            let mut block = [0; 65536];
            while client.read(&mut block).is_ok_and(|count| count > 0) {}
        });
    });
    println!("grown by {} KiB with 50 that stand still, by {} KiB with 50 that read", grown / 1024, grown_with_readers / 1024);
    assert!(grown < 3 * MIB, "grown by {grown} bytes");
    assert!(grown < grown_with_readers + MIB, "grown by {grown} bytes, and by {grown_with_readers} if they read");
}

/// What the kernel holds of a stream, sent or not, because the peer has not taken it, in bytes (proc_net(5), `tx_queue`).
fn waits_in_kernel(daemon: u16, client: u16) -> Option<u64> {
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let (daemon, client) = (format!(":{daemon:04X}"), format!(":{client:04X}"));
    let fields = table.lines().map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    let row = fields.into_iter().find(|row| row[1].ends_with(&daemon) && row[2].ends_with(&client))?;
    u64::from_str_radix(row[4].split(':').next()?, 16).ok()
}

/// Without TCP_NOTSENT_LOWAT it would be up to 4 MiB, of which the memory of all clients cannot be told in advance.
#[test]
fn a_client_that_stands_still_costs_the_kernel_little() {
    let mut bridge = Bridge::start(&["--history", "1MiB"]);
    let bridge_port = bridge.port;
    let mut client = connect(bridge_port);
    client.write_all(get("/events?tail=0").as_bytes()).unwrap();
    read_until(&mut client, "\n\n\r\n");
    let lines = [vec![b'x'; 511], b"\n".to_vec()].concat().repeat(2048);
    let port = client.local_addr().unwrap().port();
    let waits = || waits_in_kernel(bridge_port, port).expect("the connection is open");
    let mut most = 0;
    for _ in 0..20 {
        bridge.feed(&lines);
        most = waits().max(most);
    }
    eventually("the socket to be full", || waits() > 8 * 1024);
    most = waits().max(most);
    println!("a client that stands still: {} KiB wait in the kernel", most / 1024);
    assert!(most <= 256 * 1024, "{most} bytes wait in the kernel");
}
