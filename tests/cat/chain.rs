//! A daemon fed by a client of another: `sse-bridge cat --state FILE URL > pipe`, and nothing is lost or repeated.

use std::fs::OpenOptions;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::harness::{Bridge, Random, command, eventually, how_to_repeat, scale, seed};

/// All lines of a daemon.
fn lines(bridge: &Bridge) -> String {
    bridge.get("/events?format=text&tail=all&follow=0").text()
}

#[test]
fn a_second_daemon_has_what_the_first_has() {
    let seed = seed();
    let mut random = Random::new(seed);
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name).display().to_string();
    let (log, pipe, place) = (at("app.log"), at("pipe"), at("place"));
    std::fs::write(&log, "").unwrap();
    let (state, source) = (at("history"), format!("app={log}"));
    let first = |port: u16| {
        Bridge::spawn(command(&[
            "--port",
            &port.to_string(),
            "--state-dir",
            &state,
            "--from",
            "start",
            "--retry",
            "500ms",
            &source,
        ]))
    };
    let mut upstream = first(0);
    let port = upstream.port;
    let downstream = Bridge::start(&["--flush-partial", "off", &format!("copy=fifo:{pipe}")]);
    let url = format!("http://127.0.0.1:{port}");
    let cat = || {
        let out = OpenOptions::new().write(true).open(&pipe).unwrap();
        let arguments = ["cat", "-q", "--tail", "all", "--state", &place, &url];
        command(&arguments).stdin(Stdio::null()).stdout(out).spawn().unwrap()
    };
    let mut running = cat();
    let (mut written, mut number) = (String::new(), 0);
    for _ in 0..scale(6, 100) {
        let mut some = String::new();
        for _ in 0..random.below(3000) {
            number += 1;
            some.push_str(&format!("{number} {}\n", "x".repeat(random.below(200))));
        }
        std::io::Write::write_all(&mut OpenOptions::new().append(true).open(&log).unwrap(), some.as_bytes()).unwrap();
        written.push_str(&some);
        thread::sleep(Duration::from_millis(random.below(150) as u64)); // any moment
        if random.below(2) == 0 {
            drop(upstream); // KILL
            upstream = first(port);
        } else {
            let sent = Command::new("kill").args(["-s", "TERM", &running.id().to_string()]).status().unwrap();
            let ended = running.wait().unwrap();
            // One that has only just been started does not hear signals yet, and has done nothing.
            assert!(sent.success() && [Some(143), None].contains(&ended.code()), "{ended:?}");
            running = cat();
        }
    }
    let count = |bridge: &Bridge| lines(bridge).len();
    eventually("all lines downstream", || count(&downstream), |count| *count >= written.len());
    assert!(lines(&downstream) == written, "lines were lost or came twice; {}", how_to_repeat(seed));
    let _ = running.kill();
    let _ = running.wait();
}
