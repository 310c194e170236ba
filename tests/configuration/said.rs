use std::fs;
use std::process::Stdio;

use crate::harness::{Bridge, command, lines, run_to_end};

/// Runs it with this file as `--config`; gives the exit code and what it said.
fn refused(text: &str) -> (i32, String) {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("x.toml");
    fs::write(&path, text).unwrap();
    let (code, out, err) = run_to_end(&["--config", path.to_str().unwrap()], Stdio::null());
    assert_eq!(out, "");
    (code, err.replace(&*path.to_string_lossy(), "x.toml"))
}

#[test]
fn a_file_says_what_the_command_line_could_and_more_of_one_source() {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    fs::write(at("a.log"), "{\"msg\":\"one\",\"n\":1}\n").unwrap();
    fs::write(at("b.log"), "{\"msg\":\"two\",\"n\":2}\n").unwrap();
    let text = format!(
        "port = 0\nformat = \"json\"\ndata-field = \"msg\"\ntail = \"all\"\n[[source]]\nname = \"a\"\nread = {:?}\n[[source]]\nname = \"b\"\nread = {:?}\nformat = \"text\"\nredact = ['\\d']\n",
        at("a.log"),
        at("b.log")
    );
    fs::write(at("x.toml"), text).unwrap();
    let bridge = Bridge::spawn(command(&["--config", at("x.toml").to_str().unwrap()]));
    assert_eq!(lines(&bridge.get("/events/a").events(1)), ["one"]);
    assert_eq!(lines(&bridge.get("/events/b").events(1)), ["{\"msg\":\"two\",\"n\":[redacted]}"]);
}

#[test]
fn what_is_wrong_with_a_file_is_one_line_and_code_2() {
    for (text, words) in [
        ("port = 8080\nprot = 1\n", "sse-bridge: x.toml:2: 'prot' is no option; hint: did you mean 'port'?"),
        ("port = \"many\"\n", "sse-bridge: x.toml:1: 'port' cannot be 'many'; hint: expected a number from 0 to 65535"),
        ("port = [\n", "sse-bridge: x.toml:"),
        (
            "[[source]]\nread = \"/x\"\nmultiline-start = \"(\"\n",
            "sse-bridge: x.toml:3: multiline-start: '(' is no regular expression: unclosed group, at character 1; hint: the syntax",
        ),
        ("[[source]]\nread = \"/x\"\n[[source]]\nread = \"/x\"\n", "sse-bridge: the name 'x' is given twice"),
        ("history = \"1KiB\"\n[[source]]\nread = \"/x\"\n", "sse-bridge: --history 1.0 KiB is too small"),
        ("\u{feff}port = 1\nport = 2", "sse-bridge: x.toml:2: duplicate key"),
    ] {
        let (code, said) = refused(text);
        assert!(code == 2 && said.starts_with(words) && said.lines().count() == 1, "{text:?}: {code}\n{said}");
    }
    let (code, _, said) = run_to_end(&["--config", "/none/x.toml"], Stdio::null());
    assert!(code == 2 && said.starts_with("sse-bridge: could not read '/none/x.toml': no such file"), "{code} {said}");
    let (code, _, said) = run_to_end(&["--log-format=json", "--config", "/none/x.toml"], Stdio::null());
    assert!(code == 2 && said.starts_with('{'), "who reads JSON reads its errors as well: {said}");
}

#[test]
fn a_file_that_is_no_text_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("x.toml");
    fs::write(&path, b"port = 1\ntitle = \"\xff\"\n").unwrap();
    let (code, _, said) = run_to_end(&["--config", path.to_str().unwrap()], Stdio::null());
    assert!(code == 2 && said.contains("x.toml:2: not UTF-8"), "{code} {said}");
}

#[test]
fn a_check_reads_files_and_touches_nothing() {
    let root = tempfile::tempdir().unwrap();
    let (config, state) = (root.path().join("x.toml"), root.path().join("state"));
    fs::write(&config, format!("state-dir = {state:?}\n[[source]]\nread = \"fifo:{}/f\"\n", root.path().display())).unwrap();
    let (code, _, said) = run_to_end(&["--check", "--config", config.to_str().unwrap()], Stdio::null());
    assert_eq!((code, said.as_str()), (0, "the configuration is good\n"));
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1, "nothing was made");
    fs::write(&config, "max-line = 1\n").unwrap();
    assert_eq!(run_to_end(&["--check", "--config", config.to_str().unwrap()], Stdio::null()).0, 2);
}

#[test]
fn variables_say_it_for_containers() {
    let root = tempfile::tempdir().unwrap();
    let log = root.path().join("a.log");
    fs::write(&log, "one\n").unwrap();
    let mut command = command(&[]);
    command.env("SSE_BRIDGE_PORT", "0").env("SSE_BRIDGE_SOURCE", format!("log={}", log.display()));
    command.env("SSE_BRIDGE_EVENT_TYPE", "tick").env("SSE_BRIDGE_MAXLINE", "x").env("SSE_BRIDGE_SERVICE_HOST", "10.0.0.1");
    let bridge = Bridge::spawn(command);
    let events = bridge.get("/events/log").events(1);
    assert_eq!((events[0].event.as_str(), events[0].data.as_str()), ("tick", "one"));
    bridge.wait_for_stderr("warning: SSE_BRIDGE_MAXLINE says nothing; did you mean SSE_BRIDGE_MAX_LINE?");
    assert!(!bridge.stderr().contains("SERVICE_HOST"), "{}", bridge.stderr());
}
