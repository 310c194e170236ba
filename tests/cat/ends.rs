//! How it ends, and what it says then: exit codes and lines.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use crate::client::Cat;
use crate::harness::{Bridge, run_to_end};
use crate::server::{LAST, STREAM, Server, answer, chunk};

/// A refusal is one line with a hint on standard error, and the right code.
#[track_caller]
fn refused(arguments: &[&str], code: i32) -> String {
    let mut all = vec!["cat"];
    all.extend(arguments);
    let (ended, out, err) = run_to_end(&all, Stdio::null());
    assert_eq!((ended, &*out), (code, ""), "{arguments:?}: {err}");
    let line = err.lines().last().unwrap_or_default().to_owned();
    assert!(line.starts_with("sse-bridge: ") && line.contains("; hint: ") && !line.contains("os error"), "{arguments:?}: {err}");
    line
}

/// A daemon whose input has ended after these lines.
fn finished(lines: &str) -> Bridge {
    let mut bridge = Bridge::start(&[]);
    bridge.feed(lines.as_bytes());
    bridge.end_input();
    bridge.wait_for_stderr("standard input ended");
    bridge
}

#[test]
fn a_stream_that_has_ended_is_0() {
    let bridge = finished("a\nb\n");
    let (code, out, err) = Cat::start(&["--tail", "all", &bridge.url("")]).end();
    assert_eq!((code, &*out), (0, "a\nb\n"), "{err}");
    assert!(err.contains("stdin has ended") && err.lines().count() == 1, "{err}");
    let (code, out, err) = Cat::start(&["--tail", "all", "-q", &bridge.url("")]).end();
    assert_eq!((code, &*out, &*err), (0, "a\nb\n", ""));
}

#[test]
fn a_stream_that_ends_while_it_is_read_is_0() {
    let mut bridge = Bridge::start(&[]);
    let cat = Cat::start(&[&bridge.url("")]);
    bridge.feed(b"a\n");
    cat.out.wait_for("a\n");
    bridge.feed(b"last");
    bridge.end_input();
    assert_eq!(cat.end().1, "a\nlast\n");
}

#[test]
fn what_there_is_and_no_more() {
    let mut bridge = Bridge::start(&[]);
    bridge.feed(b"a\nb\nc\n");
    crate::harness::eventually("three lines", || bridge.get("/channels").text(), |text| text.contains("\"events\":3"));
    let (code, out, _) = Cat::start(&["--no-follow", "--tail", "2", &bridge.url("")]).end();
    assert_eq!((code, &*out), (0, "b\nc\n"));
    let (code, out, _) = Cat::start(&[&bridge.url("/events?tail=1&follow=0")]).end();
    assert_eq!((code, &*out), (0, "c\n"));
}

#[test]
fn command_lines_that_cannot_be_run_are_2() {
    for (arguments, words) in [
        (&["https://h"][..], "https:// is not spoken yet"),
        (&["http://me:secret@h"], "do not belong in a URL"),
        (&["localhost"], "it is no URL"),
        (&["--grep", "a(", ":1"], "'a(' is no regular expression: unclosed group, at character 2"),
        (&[":1", ":1"], "is given twice"),
        (&["--tail", "x", ":1"], "expected a number or 'all'"),
        (&["--since", "x", ":1"], "expected a duration such as 10m"),
        (&["--max-line", "1", ":1"], "--max-line is out of bounds"),
        (&["--ndjson", "--label", ":1"], "cannot be used with"),
        (
            &["--token-file", "/nowhere/token", ":1"],
            "could not take the token from '/nowhere/token': it cannot be read: no such file",
        ),
        (&[], "required arguments were not provided"),
    ] {
        let line = refused(arguments, 2);
        assert!(line.contains(words) && !line.contains("secret"), "{arguments:?}: {line}");
    }
}

#[test]
fn help_says_the_exit_codes() {
    let (code, out, _) = run_to_end(&["cat", "--help"], Stdio::null());
    assert!(code == 0 && out.contains("Exit codes: 0 ") && out.contains("--token-file <FILE>"), "{out}");
}

#[test]
fn refusals_are_3() {
    let bridge = Bridge::start(&[]);
    let line = refused(&[&bridge.url("/events/nowhere")], 3);
    assert!(line.contains("/events/nowhere: 404 no channel 'nowhere'"), "{line}");
    let line = refused(&[&bridge.url("/events?tail=x")], 3);
    assert!(line.contains("400 bad value 'x' for tail"), "{line}");
    let line = refused(&[&bridge.url("/channels")], 3);
    assert!(line.contains("no event stream at") && line.contains("it answers with application/json"), "{line}");
    for (status, words) in
        [("401 Who", "--token-file"), ("403 No", "--token-file"), ("421 Wrong host", "hint: "), ("410 Gone", "410 of old")]
    {
        let server = Server::saying(&[&answer(status, "", "of old\nsecond line\n")]);
        let line = refused(&[&server.url("")], 3);
        assert!(line.contains(&status[..3]) && line.contains(words) && !line.contains("second"), "{line}");
    }
}

/// Who is refused does not end the others, and is not forgotten.
#[test]
fn one_of_several_that_is_refused_is_told_at_the_end() {
    let over = answer("204 Over", "", "");
    let mut bridge = Bridge::start(&[]);
    bridge.feed(b"a\n");
    let port = { std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port() };
    let (nobody, nowhere, url) = (format!(":{port}"), bridge.url("/events/nowhere"), bridge.url(""));
    let cat = Cat::start(&["--max-wait", "300ms", "--tail", "all", &nobody, &nowhere, &url]);
    cat.out.wait_for("a\n");
    cat.err.wait_for("404 no channel 'nowhere'");
    cat.err.wait_for("no stream of http://127.0.0.1:");
    bridge.feed(b"b\n");
    bridge.end_input();
    let (code, out, err) = cat.end();
    assert_eq!((code, &*out), (3, "a\nb\n"), "{err}");
    assert!(err.contains("; the others are followed on; hint: GET /channels"), "{err}");
    // Who could not be reached is 75 if nobody was refused, before the command's code; and a stop is a stop.
    let server = Server::saying(&[&over]);
    assert_eq!(Cat::start(&["--max-wait", "1ms", &nobody, &server.url("")]).end().0, 75);
    let server = Server::saying(&[&over]);
    assert_eq!(Cat::start(&["--max-wait", "1ms", "--exec", "cat; exit 7", &nobody, &server.url("")]).end().0, 75);
    let open = Bridge::start(&[]);
    let cat = Cat::start(&[&open.url(""), &open.url("/events/nowhere")]);
    cat.err.wait_for("404 no channel 'nowhere'");
    cat.stop("TERM", 143);
}

#[test]
fn a_gap_is_4_with_strict_and_a_line_without() {
    let gap =
        "id: 7-9\nevent: gap\ndata: {\"channels\":[\"a\"],\"reason\":\"dropped\",\"from\":\"5-1/a\",\"to\":\"7-9\",\"lost\":8}\n\n";
    let body = format!("id: 5-1/a\ndata: before\n\n{gap}id: 8-10/a\ndata: behind\n\n");
    let stream = format!("{STREAM}{}{LAST}", chunk(&body));
    let over = answer("204 Over", "", "");
    let server = Server::saying(&[&stream, &over]);
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let (code, out, err) = Cat::start(&["--strict", "--state", state.to_str().unwrap(), &server.url("")]).end();
    assert_eq!((code, &*out), (4, "before\n"), "{err}");
    assert!(err.contains("sse-bridge: stopped before a gap: 8 events of a are missing, between 5-1/a and 7-9"), "{err}");
    assert!(fs::read_to_string(&state).unwrap().contains("5-1/a\t"), "the place is before the gap");
    let server = Server::saying(&[&stream, &over]);
    let (code, out, err) = Cat::start(&[&server.url("")]).end();
    assert_eq!((code, &*out), (0, "before\nbehind\n"), "{err}");
    assert!(err.contains("warning: gap: 8 events of a are missing"), "{err}");
}

#[test]
fn nobody_there_for_too_long_is_75() {
    let port = { std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port() };
    let (code, out, err) = Cat::start(&["--max-wait", "300ms", &format!(":{port}")]).end();
    assert_eq!((code, &*out), (75, ""), "{err}");
    assert!(err.contains("no stream yet of http://127.0.0.1:") && err.contains("no connection: connection refused"), "{err}");
    assert!(err.lines().last().unwrap().starts_with("sse-bridge: no stream of http://127.0.0.1:"), "{err}");
}

#[test]
fn signals_are_128_and_their_number() {
    let mut bridge = Bridge::start(&[]);
    bridge.feed(b"a\n");
    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let cat = Cat::start(&[&bridge.url("")]);
        cat.out.wait_for("a\n");
        assert_eq!(cat.stop(signal, code), b"a\n");
    }
}

#[test]
fn who_is_started_by_nohup_outlives_the_terminal() {
    let mut bridge = Bridge::start(&[]);
    let mut start = Command::new("nohup");
    start.args([env!("CARGO_BIN_EXE_sse-bridge"), "cat", &bridge.url("")]);
    let cat = Cat::spawn(start);
    bridge.feed(b"a\n");
    cat.out.wait_for("a\n");
    cat.signal("HUP");
    bridge.feed(b"b\n");
    cat.out.wait_for("b\n");
    cat.stop("TERM", 143);
}

#[test]
fn a_reader_who_has_left_is_0() {
    let mut bridge = Bridge::start(&[]);
    bridge.feed(b"a\nb\nc\n");
    let url = bridge.url("");
    // It is noticed while nothing comes, too.
    let (bin, script) = (env!("CARGO_BIN_EXE_sse-bridge"), "\"$0\" cat --tail all \"$1\" | head -n 1; echo ${PIPESTATUS[0]}");
    let output = Command::new("bash").args(["-c", script, bin, &url]).output().unwrap();
    assert_eq!(
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap()),
        ("a\n0\n".into(), String::new())
    );
}

#[test]
fn an_output_that_cannot_be_written_is_said() {
    let bridge = finished("a\nb\n");
    let script = "exec \"$0\" cat --tail all \"$1\" >/dev/full";
    let output = Command::new("bash").args(["-c", script, env!("CARGO_BIN_EXE_sse-bridge"), &bridge.url("")]).output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(err.contains("could not write the output: no space left on device; hint: "), "{err}");
    let script = "exec \"$0\" cat --tail all \"$1\" >&-";
    let output = Command::new("bash").args(["-c", script, env!("CARGO_BIN_EXE_sse-bridge"), &bridge.url("")]).output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{err}");
    assert!(err.contains("standard output is closed; hint: "), "{err}");
}

#[test]
fn the_commands_code_is_the_code() {
    let bridge = finished("a\nb\nc\n");
    let url = bridge.url("");
    let run = |exec: &str| Cat::start(&["-q", "--tail", "all", "--exec", exec, &url]).end();
    assert_eq!(run("cat; exit 7"), (7, "a\nb\nc\n".into(), String::new()));
    assert_eq!(run("wc -l; kill -9 $$").0, 137);
    assert_eq!(run("head -n 1"), (0, "a\n".into(), String::new()));
    assert_eq!(run("no-such-command-here 2>/dev/null").0, 127);
    // One that ends while nothing comes ends it.
    let open = Bridge::start(&[]);
    assert_eq!(Cat::start(&["--exec", "exit 5", &open.url("")]).end().0, 5);
    // At a stop its input ends, and it may say something.
    let mut open = Bridge::start(&[]);
    open.feed(b"x\n");
    let cat = Cat::start(&["--tail", "all", "--exec", "cat; echo bye", &open.url("")]);
    cat.out.wait_for("x\n");
    assert_eq!(cat.stop("TERM", 143), b"x\nbye\n");
}

#[test]
fn a_stop_is_heard_while_the_reader_stands_still() {
    let mut bridge = Bridge::start(&[]);
    bridge.feed("x".repeat(400_000).as_bytes());
    bridge.feed(b"\n");
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let arguments = ["--tail", "all", "--state", state.to_str().unwrap(), &bridge.url("")].map(str::to_owned);
    let arguments: Vec<_> = arguments.iter().map(|argument| &**argument).collect();
    let first = String::from_utf8(Cat::stop_half_way(&arguments, 0)).unwrap();
    // The rest of the line comes the next time, and no byte twice.
    let cat = Cat::start(&arguments);
    bridge.feed(b"next\n");
    cat.out.wait_for("next\n");
    let second = String::from_utf8(cat.stop("TERM", 143)).unwrap();
    assert!(first.len() > 10_000 && first.len() < 400_000, "{}", first.len());
    assert!(first + &second == "x".repeat(400_000) + "\nnext\n", "a byte was lost or came twice");
}

#[test]
fn a_token_is_shown_to_the_server_and_to_nobody_else() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    fs::write(&path, "s3cret\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let server = Server::saying(&[&answer("401 Who", "", "who are you")]);
    let token = ["--token-file", path.to_str().unwrap()];
    let line = refused(&[token[0], token[1], &server.url("")], 3);
    assert!(
        server.request().to_ascii_lowercase().contains("authorization: bearer s3cret\r\n") && !line.contains("s3cret"),
        "{line}"
    );
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let (_, _, err) = Cat::start(&[token[0], token[1], &server.url("")]).end();
    assert!(err.contains("warning: everybody on this machine can read the token") && !err.contains("s3cret"), "{err}");
}
