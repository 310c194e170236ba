//! What it writes: messages on standard error, and with `--tee` the input on standard output.

use std::io::{Read, Seek, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::harness::{Bridge, Collected, PATIENCE, run_to_end};
use crate::shell::{own_address, shell};
use crate::wire::{eventually, get, metric, wait_for_metric};

/// Runs it to the end of an empty input, which is a warning, or of one line, which is not.
fn run(arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(input.as_bytes()).unwrap();
    file.rewind().unwrap();
    run_to_end(&[&["--port", "0", "--exit-on-eof"], arguments].concat(), Stdio::from(file))
}

#[test]
fn quiet_hides_all_but_the_addresses() {
    for (flags, warns, informs) in
        [(&[][..], true, true), (&["-q"], true, false), (&["-qq"], false, false), (&["-q", "-q"], false, false)]
    {
        for (input, words, is_said) in [("", "was empty", warns), ("one\n", "ended after 1 line", informs)] {
            let (code, out, err) = run(flags, input);
            assert_eq!((code, &*out), (0, ""));
            assert_eq!(err.matches("listening on http://").count(), 2, "{flags:?}: {err}");
            assert_eq!(err.contains(words), is_said, "{flags:?}: {err}");
            assert_eq!(err.lines().count(), 2 + usize::from(is_said), "{flags:?}: {err}");
        }
    }
}

#[test]
fn quiet_never_hides_what_ends_it() {
    let (code, _, err) = run_to_end(&["-qq", "--listen", "0.0.0.0"], Stdio::null());
    assert!(code == 2 && err.contains("--allow-anonymous"), "{code}: {err}");
}

#[test]
fn verbose_says_more() {
    let bridge = Bridge::start(&["-v"]);
    drop(bridge.get("/events"));
    bridge.wait_for_stderr("debug: a connection ended");
    let bridge = Bridge::start(&["-vv"]);
    assert_eq!(bridge.get("/healthz").status(), 200);
}

#[test]
fn a_message_is_a_json_object_where_the_user_wants_that() {
    let json = ["--log-format", "json"];
    for (flags, input, level) in
        [(&json[..], "one\n", "INFO"), (&json, "", "WARN"), (&["--log-format=json", "-vv"], "one\n", "INFO")]
    {
        let (code, _, err) = run(flags, input);
        assert_eq!(code, 0);
        let messages: Vec<_> = err.lines().map(message).collect();
        assert!(messages[0].1.starts_with("listening on http://127.0.0.1:"), "{err}");
        assert!(messages.iter().any(|(of, text)| of == level && text.contains("standard input")), "{err}");
    }
    for (arguments, expected) in [(&["--listen", "0.0.0.0"][..], 2), (&["--listen", "192.0.2.77:0", "--allow-anonymous"], 75)] {
        let (code, _, err) = run_to_end(&[&json, arguments].concat(), Stdio::null());
        assert_eq!(code, expected, "{err}");
        assert!(matches!(message(&err), (level, text) if level == "ERROR" && text.contains("; hint: ")), "{err}");
    }
}

#[test]
fn a_command_line_that_cannot_be_read_is_told_as_json_too() {
    let (code, _, err) = run_to_end(&["--log-format", "json", "--nothing"], Stdio::null());
    assert!(code == 2 && message(&err).1.contains("--nothing"), "{err}");
}

/// Level and text of a message.
fn message(line: &str) -> (String, String) {
    let message: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let text = |name: &str| message[name].as_str().unwrap_or_else(|| panic!("no {name}: {line}")).to_owned();
    assert!(text("timestamp").starts_with("20"), "{line}");
    (text("level"), text("message"))
}

#[test]
fn tee_copies_every_byte() {
    let mut input: Vec<u8> = (0..=255).cycle().take(300_001).collect();
    input.extend_from_slice(b"\r\n\0no newline at the end");
    for flag in ["--tee", "-t"] {
        let mut bridge = Bridge::start(&[flag, "--max-line", "100"]);
        let copied = Collected::of(bridge.take_stdout());
        bridge.feed(&input);
        bridge.end_input();
        bridge.get("/events").rest();
        bridge.signal("TERM");
        assert_eq!(bridge.wait(), 0);
        copied.whole();
        assert!(copied.bytes() == input, "{} bytes of {} came", copied.bytes().len(), input.len());
    }
}

#[test]
fn tee_copies_at_once() {
    let mut bridge = Bridge::start(&["--tee"]);
    let copied = Collected::of(bridge.take_stdout());
    for (piece, all) in [("a", "a"), ("bc", "abc"), ("\n", "abc\n"), ("d", "abc\nd")] {
        bridge.feed(piece.as_bytes());
        assert_eq!(copied.wait_for(all), all);
    }
}

#[test]
fn without_tee_standard_output_stays_empty() {
    for flags in [&[][..], &["-vv"], &["--log-format=json"]] {
        assert_eq!(run(flags, "one\n").1, "", "{flags:?}");
    }
}

#[test]
fn a_reader_of_standard_output_that_goes_away_ends_the_copying_alone() {
    let mut bridge = Bridge::start(&["--tee"]);
    let mut client = bridge.get("/events");
    let mut stdout = bridge.take_stdout();
    bridge.feed(b"one\n");
    stdout.read_exact(&mut [0; 4]).unwrap();
    drop(stdout);
    for _ in 0..100 {
        bridge.feed(b"more\n");
    }
    client.events(102);
    let said = bridge.wait_for_stderr("copying to standard output ended");
    assert_eq!(said.matches("copying").count(), 1, "{said}");
    assert!(said.contains("warning: ") && said.contains("still serving"), "{said}");
}

#[test]
fn a_full_disk_behind_standard_output_ends_the_copying_alone() {
    let mut bridge = Bridge::spawn(shell("exec sse-bridge --port 0 --tee >/dev/full"));
    let mut client = bridge.get("/events");
    bridge.feed(b"one\n");
    bridge.wait_for_stderr("copying to standard output ended (no space left on device");
    bridge.feed(b"two\n");
    client.events(3);
}

#[test]
fn a_reader_of_messages_that_goes_away_ends_nothing() {
    // It reads the addresses, and no more.
    let mut bridge = Bridge::spawn(shell("exec sse-bridge --port 0 2> >(head -n 2 >&2)"));
    for number in 0..50 {
        assert_eq!(bridge.get_with("/", &[("Host", &format!("{number}.example"))]).status(), 421);
    }
    let mut client = bridge.get("/events");
    bridge.feed(b"one\n");
    assert_eq!(client.events(2)[1].data, "one");
    bridge.end_input();
    client.rest();
    assert_eq!(bridge.get("/healthz").status(), 200);
    bridge.signal("TERM");
    assert_eq!(bridge.wait(), 0);
}

#[test]
fn without_any_place_for_messages_it_serves() {
    for redirection in ["2>&-", "2>/dev/full", "2>&- >&-", "2</dev/null"] {
        let address = format!("{}:7010", own_address());
        let script = format!("exec sse-bridge --tee --listen {address} {redirection}");
        let mut daemon = Unheard(shell(&script).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap());
        eventually("an open port", || TcpStream::connect(&address).is_ok());
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(get("/events?format=text").replace("1.1", "1.0").as_bytes()).unwrap();
        let mut stdin = daemon.0.stdin.take().unwrap();
        stdin.write_all(b"one\n").unwrap();
        drop(stdin);
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert!(text.ends_with("\r\n\r\none\n"), "{redirection}: {text}");
    }
}

/// A daemon whose messages nobody hears; ended on drop.
struct Unheard(Child);

impl Drop for Unheard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn empty_input_is_a_warning_and_no_end() {
    let bridge = Bridge::spawn(shell("exec sse-bridge --port 0 </dev/null"));
    let said = bridge.wait_for_stderr("still serving");
    assert!(said.contains("warning: standard input was empty") && said.contains("run it with -i"), "{said}");
    assert_eq!(bridge.get("/events").rest().pop().unwrap().event, "end");
    assert_eq!(bridge.get("/healthz").status(), 200);
}

#[test]
fn a_command_that_buffers_is_told_once() {
    let mut bridge = Bridge::start(&["--heartbeat", "1s"]);
    let mut clock = bridge.get("/events?ping=1");
    for round in 0..2 {
        let block: Vec<_> = b"a line of the command\n".iter().copied().cycle().take(4096).collect();
        bridge.feed(&block);
        wait_for_metric(&bridge, "input_bytes_total", 4096 * (round + 1));
        let said = bridge.wait_for_stderr("stdbuf -oL");
        assert!(said.contains("warning: ") && said.contains("4096"), "{said}");
    }
    // Two seconds in which it could be told again.
    let mut pings = 0;
    while pings < 2 {
        pings += u64::from(clock.next_event().unwrap().event == "ping");
    }
    assert_eq!(bridge.stderr().matches("stdbuf").count(), 1, "{}", bridge.stderr());
}

#[test]
fn who_ends_blocks_with_lines_or_goes_on_at_once_is_told_nothing() {
    let mut bridge = Bridge::start(&["--heartbeat", "1s"]);
    let mut clock = bridge.get("/events?ping=1");
    bridge.feed(&[vec![b'x'; 4095], b"\n".to_vec()].concat());
    wait_for_metric(&bridge, "input_bytes_total", 4096);
    bridge.feed(&[b'x'; 1000]);
    wait_for_metric(&bridge, "input_bytes_total", 5096);
    let mut pings = 0;
    while pings < 2 {
        pings += u64::from(clock.next_event().unwrap().event == "ping");
    }
    assert!(!bridge.stderr().contains("stdbuf"), "{}", bridge.stderr());
    assert_eq!(metric(&bridge, "input_lines_total"), 1);
}

#[test]
fn a_long_line_is_told_once() {
    let mut bridge = Bridge::start(&["--max-line", "16"]);
    for _ in 0..3 {
        bridge.feed(b"much longer than sixteen bytes\n");
    }
    bridge.end_input();
    bridge.get("/events").rest();
    bridge.wait_for_stderr("standard input ended");
    assert_eq!(bridge.stderr().matches("--max-line").count(), 1, "{}", bridge.stderr());
}
