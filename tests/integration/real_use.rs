//! Real commands and real bytes, read back whole and compared with what the command wrote.

use std::fs;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use crate::harness::parser::Message;
use crate::harness::{Bridge, PATIENCE, in_background, lines, scale};

/// The lines of some input, in the plainest words: split at LF, drop one CR before it, show what cannot be sent.
fn expected(input: &[u8]) -> Vec<String> {
    let mut parts: Vec<_> = input.split(|byte| *byte == b'\n').collect();
    let last = parts.pop().unwrap();
    let finished = parts.into_iter().map(|part| part.strip_suffix(b"\r").unwrap_or(part));
    let all = finished.chain((!last.is_empty()).then_some(last));
    all.map(|line| String::from_utf8_lossy(line).replace('\0', "\u{FFFD}").replace('\r', "\n")).collect()
}

/// What a shell command writes.
fn output_of(script: &str) -> Vec<u8> {
    Command::new("sh").args(["-c", script]).stdin(Stdio::null()).output().unwrap().stdout
}

/// A daemon that has read all of this.
fn fed(input: Vec<u8>, arguments: &[&str]) -> Bridge {
    let mut bridge = Bridge::start(arguments);
    let mut stdin = bridge.take_stdin();
    in_background(move || stdin.write_all(&input).unwrap()).recv_timeout(PATIENCE).expect("the daemon takes its input in time");
    bridge.wait_for_stderr("standard input ended");
    bridge
}

/// Compares without printing a hundred megabytes.
fn assert_same(got: &[&str], wanted: &[String]) {
    let differs = got.iter().zip(wanted).position(|(got, wanted)| got != wanted);
    if let Some(at) = differs {
        panic!("line {at} of {}: got {:?}, wanted {:?}", wanted.len(), got[at], wanted[at]);
    }
    assert_eq!(got.len(), wanted.len(), "lines");
}

/// Everything, with room for it.
fn assert_whole(input: Vec<u8>) {
    let wanted = expected(&input);
    let events = fed(input, &["--history", "1GiB"]).get("/events?tail=all").rest();
    assert_same(&lines(&events), &wanted);
}

/// With the default history: the newest part whole, behind a gap that counts exactly the rest.
fn assert_newest_whole(input: Vec<u8>, history: &str) {
    let wanted = expected(&input);
    let events = fed(input, &["--history", history]).get("/events?tail=all").rest();
    let got = lines(&events);
    assert_same(&got, &wanted[wanted.len() - got.len()..]);
    assert_eq!(events[0].event, "gap");
    let lost = wanted.len() - got.len();
    assert!(events[0].data.ends_with(&format!(r#""lost":{lost}}}"#)), "{} lost, but: {}", lost, events[0].data);
}

#[test]
fn yes_is_read_back_whole() {
    assert_whole(output_of(&format!("yes | head -n {}", scale(500_000, 5_000_000))));
}

#[test]
fn random_bytes_are_read_back_whole() {
    assert_whole(output_of(&format!("head -c {}M /dev/urandom", scale(5, 50))));
}

#[test]
fn of_more_than_the_history_the_newest_part_is_whole() {
    let history = scale("4MiB", "64MiB");
    assert_newest_whole(output_of(&format!("yes | head -n {}", scale(500_000, 5_000_000))), history);
    assert_newest_whole(output_of(&format!("head -c {}M /dev/urandom", scale(5, 50))), history);
}

#[test]
fn the_kernels_messages() {
    let input = output_of("dmesg 2>&1");
    assert!(!input.is_empty(), "dmesg says something, if only why it may not");
    assert_whole(input);
}

/// Runs a command into the bridge; gives what it wrote and what a client of the whole stream saw.
fn piped(script: &str) -> (Vec<u8>, Vec<Message>) {
    let mut bridge = Bridge::start(&["--history", "64MiB"]);
    let mut get = bridge.get("/events?tail=all");
    let mut command = Command::new("sh")
        .args(["-c", &format!("exec 2>&1; {script}")])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = command.stdout.take().unwrap();
    let mut stdin = bridge.take_stdin();
    let relay = in_background(move || {
        let (mut raw, mut block) = (Vec::new(), [0; 65536]);
        loop {
            let count = output.read(&mut block).unwrap();
            stdin.write_all(&block[..count]).unwrap();
            raw.extend_from_slice(&block[..count]);
            if count == 0 {
                return raw;
            }
        }
    });
    let events = get.rest();
    command.wait().unwrap();
    (relay.recv_timeout(PATIENCE).expect("the command has ended"), events)
}

#[test]
fn a_cargo_build_with_its_progress_bar() {
    let package = tempfile::tempdir().unwrap();
    let path = package.path();
    fs::create_dir_all(path.join("src/bin")).unwrap();
    fs::write(path.join("Cargo.toml"), "[package]\nname = \"built\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n")
        .unwrap();
    for program in 0..3 {
        fs::write(path.join(format!("src/bin/p{program}.rs")), "fn main() { println!(\"hello\"); }\n").unwrap();
    }
    let build = format!(
        "cd {} && CARGO_TERM_PROGRESS_WHEN=always CARGO_TERM_PROGRESS_WIDTH=80 CARGO_TARGET_DIR=target cargo build --offline",
        path.display()
    );
    let (raw, events) = piped(&build);
    assert!(raw.contains(&b'\r'), "the bar is drawn with carriage returns: {}", String::from_utf8_lossy(&raw));
    assert_same(&lines(&events), &expected(&raw));
    assert!(lines(&events).iter().any(|line| line.contains("Finished")), "{:?}", lines(&events));
}

#[test]
fn dd_shows_its_progress_while_it_runs() {
    let (raw, events) = piped("timeout -s INT 2.5 dd if=/dev/zero of=/dev/null bs=64K status=progress");
    let progress: Vec<_> = events.iter().filter(|event| event.event == "progress").collect();
    assert!(!progress.is_empty() && progress.iter().all(|event| event.data.contains("bytes")), "{progress:?}");
    assert_same(&lines(&events), &expected(&raw));
}
