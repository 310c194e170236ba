//! `sse-bridge healthcheck`: as an image without a shell asks.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{Bridge, command};

/// The exit code, and what is said on standard error.
fn asked(mut command: Command) -> (i32, String) {
    let out = command.output().unwrap();
    assert!(out.stdout.is_empty());
    (out.status.code().unwrap(), String::from_utf8(out.stderr).unwrap())
}

fn check(arguments: &[&str]) -> (i32, String) {
    asked(command(&[&["healthcheck"], arguments].concat()))
}

#[test]
fn a_daemon_that_serves_is_healthy_and_nothing_is_said() {
    let bridge = Bridge::start(&[]);
    let well = (0, String::new());
    for url in
        [format!(":{}", bridge.port), format!("localhost:{}", bridge.port), bridge.url("/healthz"), bridge.url("/readyz?strict")]
    {
        assert_eq!(check(&[&url]), well, "{url}");
    }
    let mut by_variable = command(&["healthcheck"]);
    assert_eq!(asked(std::mem::replace(by_variable.env("SSE_BRIDGE_PORT", bridge.port.to_string()), Command::new("true"))), well);
    let configuration = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
    write!(configuration.as_file(), "port = {}\nlisten = [\"0.0.0.0\"]\n", bridge.port).unwrap();
    let file = configuration.path().to_str().unwrap();
    assert_eq!(check(&["--config", file]), well);
    assert_eq!(check(&["--config", file, "/healthz"]), well);
}

#[test]
fn what_is_wrong_is_one_line_and_code_1() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent_port = silent.local_addr().unwrap().port();
    let strange = answering("SSH-2.0-OpenSSH\r\n");
    let unready = answering("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 28\r\n\r\na source cannot be read\nmore\n");
    for (arguments, words) in [
        (&[&*format!(":{nobody}")][..], "connection refused"),
        (&["--timeout", "200ms", &format!(":{silent_port}")], "no answer within 200ms"),
        (&[&format!(":{strange}")], "no answer in HTTP"),
        (&[&format!(":{unready}/readyz?strict")], "answers 503: a source cannot be read"),
        (&["https://127.0.0.1:1/"], "https://"),
        (&["nonsense"], "it is no URL"),
        (&["--config", "/no/such/file.toml"], "/no/such/file.toml"),
    ] {
        let (code, said) = check(arguments);
        assert_eq!((code, said.lines().count()), (1, 1), "{arguments:?}: {said}");
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
    assert_eq!(check(&["--nonsense"]).0, 2);
}

#[test]
fn the_time_limit_holds_for_all_of_it() {
    let dripping = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = dripping.local_addr().unwrap().port();
    thread::spawn(move || {
        let (mut socket, _) = dripping.accept().unwrap();
        while socket.write_all(b"H").is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
    });
    let begin = Instant::now();
    assert_eq!(check(&["--timeout", "300ms", &format!(":{port}")]).0, 1);
    assert!(begin.elapsed() < Duration::from_secs(10));
}

/// A server that answers everybody so; its port.
fn answering(answer: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        while let Ok((socket, _)) = listener.accept() {
            let mut lines = BufReader::new(&socket).lines();
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            let _ = (&socket).write_all(answer.as_bytes());
        }
    });
    port
}
