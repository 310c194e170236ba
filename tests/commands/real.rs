use std::fs;
use std::path::Path;

use crate::harness::{Bridge, command};
use crate::scene::{all_of, lines_of};

fn run_in(directory: &Path, words: &[&str]) -> Bridge {
    let mut starting = command(&[&["run", "--port", "0"], words].concat());
    starting.current_dir(directory);
    Bridge::spawn(starting)
}

fn exit_of(bridge: &Bridge, channel: &str) -> serde_json::Value {
    let events = all_of(bridge, &format!("/events/{channel}"));
    let last: serde_json::Value = serde_json::from_str(&events.last().unwrap().data).unwrap();
    assert_eq!(events.last().unwrap().event, "end");
    last["exit"].clone()
}

#[test]
fn make_in_parallel() {
    let directory = tempfile::tempdir().unwrap();
    let makefile =
        "all: a b c d\na b c d:\n\t@echo making $@; for n in 1 2 3; do echo $@ $$n; done; echo warning $@ >&2\nbad:\n\t@exit 9\n";
    fs::write(directory.path().join("Makefile"), makefile).unwrap();
    let bridge = run_in(directory.path(), &["--", "make", "-j2"]);
    let lines = lines_of(&bridge, "/events/make/stdout");
    for target in ["a", "b", "c", "d"] {
        let of: Vec<_> = lines.iter().filter(|line| line.starts_with(target)).cloned().collect();
        assert_eq!(of, [format!("{target} 1"), format!("{target} 2"), format!("{target} 3")], "{lines:?}");
    }
    let mut warnings = lines_of(&bridge, "/events/make/stderr");
    warnings.sort();
    assert_eq!(warnings, ["warning a", "warning b", "warning c", "warning d"]);
    assert_eq!(exit_of(&bridge, "make/stdout"), 0);
    let bridge = run_in(directory.path(), &["--", "make", "bad"]);
    assert!(lines_of(&bridge, "/events/make/stderr").last().unwrap().contains("Error 9"));
    assert_eq!(exit_of(&bridge, "make/stdout"), 2);
}

#[test]
fn cargo_builds() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("src")).unwrap();
    fs::write(directory.path().join("Cargo.toml"), "[package]\nname = \"tiny\"\nversion = \"0.1.0\"\nedition = \"2021\"\n")
        .unwrap();
    fs::write(directory.path().join("src/main.rs"), "fn main() { let unused = 1; }\n").unwrap();
    for options in [&[][..], &["--pty"]] {
        let mut starting = command(&[&["run", "--port", "0"], options, &["--", "cargo", "build", "--offline"]].concat());
        starting.current_dir(directory.path()).env_remove("CARGO_TARGET_DIR").env_remove("CARGO_TERM_COLOR");
        let bridge = Bridge::spawn(starting);
        let lines = lines_of(&bridge, "/events/cargo");
        assert!(lines.iter().any(|line| line.contains("Finished")), "{lines:?}");
        let is_coloured = lines.iter().any(|line| line.contains("\x1b["));
        assert_eq!(is_coloured, !options.is_empty(), "{lines:?}");
        fs::remove_dir_all(directory.path().join("target")).unwrap();
    }
}

#[test]
fn ping_says_each_line_at_once() {
    let bridge = run_in(Path::new("/"), &["--", "ping", "-c", "3", "-i", "0.2", "127.0.0.1"]);
    let events = all_of(&bridge, "/events/ping/stdout");
    let replies: Vec<_> = events.iter().filter(|message| message.data.contains("icmp_seq=")).collect();
    assert_eq!(replies.len(), 3, "{events:?}");
    let time = |id: &str| id.split('-').next().unwrap().parse::<u64>().unwrap();
    assert!(time(&replies[2].id) - time(&replies[0].id) >= 300, "they came as they were written: {replies:?}");
    assert_eq!(exit_of(&bridge, "ping/stdout"), 0);
}

#[test]
fn top_draws_its_tables() {
    let bridge = run_in(Path::new("/"), &["--", "top", "-b", "-n", "2", "-d", "0.2"]);
    let lines = lines_of(&bridge, "/events/top/stdout");
    assert_eq!(lines.iter().filter(|line| line.starts_with("top - ")).count(), 2, "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("sse-bridge")), "{lines:?}");
    let bridge = run_in(Path::new("/"), &["--pty", "--", "top", "-n", "1"]);
    assert!(lines_of(&bridge, "/events/top").iter().any(|line| line.contains('\x1b')));
    assert_eq!(exit_of(&bridge, "top"), 0);
}

#[test]
fn vmstat_goes_on_and_is_stopped() {
    let mut bridge = run_in(Path::new("/"), &["--pty", "--", "vmstat", "1"]);
    let mut stream = bridge.get("/events/vmstat?tail=all");
    stream.events(4);
    bridge.signal("INT");
    assert_eq!(bridge.wait(), 0);
}
