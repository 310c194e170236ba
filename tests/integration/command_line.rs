//! What is said on the command line: everything good does what the help says, everything bad is one clear line before anything
//! is opened.

use std::ffi::OsStr;
use std::fs::File;
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};

use crate::frames::Http2;
use crate::harness::{Bridge, command, run_to_end};
use crate::shell::{in_terminal, own_address, shell};

/// Runs a command line that cannot be run, and gives what it says.
fn refused(arguments: &[&str], code: i32) -> String {
    refusal(run_to_end(arguments, Stdio::null()), code).unwrap_or_else(|wrong| panic!("{arguments:?}: {wrong}"))
}

/// A refusal is one line with a hint on standard error, nothing else anywhere, and the right code.
fn refusal((ended, out, err): (i32, String, String), code: i32) -> Result<String, String> {
    let hint = err.trim_end().rsplit_once("; hint: ").map_or("", |(_, hint)| hint);
    let wrong = match () {
        () if ended != code => format!("ended with {ended}, not {code}"),
        () if !out.is_empty() => format!("wrote to standard output: {out:?}"),
        () if !err.ends_with('\n') || err.lines().count() != 1 => "is not one line".to_owned(),
        () if !err.starts_with("sse-bridge: ") || err.contains("error: ") => "does not begin as messages do".to_owned(),
        () if err.contains(" (os error ") => "shows a number that nobody knows".to_owned(),
        () if hint.len() < 5 => "has no hint".to_owned(),
        () => return Ok(err),
    };
    Err(format!("{wrong}: {err:?}"))
}

#[test]
fn version_and_help_are_for_standard_output() {
    let version = format!("sse-bridge {}\n", env!("CARGO_PKG_VERSION"));
    for flag in ["--version", "-V"] {
        assert_eq!(run_to_end(&[flag], Stdio::null()), (0, version.clone(), String::new()));
    }
    for flag in ["--help", "-h"] {
        let (code, out, err) = run_to_end(&[flag], Stdio::null());
        assert_eq!((code, &*err), (0, ""));
        assert!(out.contains("Usage: sse-bridge [OPTIONS] [[NAME=]SOURCE]...\n") && out.contains("curl -N "), "{out}");
    }
    // Whatever else is said, and wherever standard input comes from.
    assert_eq!(run_to_end(&["--port", "0", "--help"], Stdio::from(File::open("/").unwrap())).0, 0);
    let cut = shell("sse-bridge --help | head -n 1; exit ${PIPESTATUS[0]}").output().unwrap();
    assert!(cut.stderr.is_empty() && cut.status.code().is_some_and(|code| code < 2), "{cut:?}");
}

/// What the help says of each option: its name and its text.
fn help() -> Vec<(String, String)> {
    let (_, out, _) = run_to_end(&["--help"], Stdio::null());
    let options = out.split_once("Options:\n").unwrap().1.split_once("\nExamples:").unwrap().0;
    let entries = options.split("\n\n").filter(|entry| entry.trim_start().starts_with('-')).map(|entry| {
        let (head, text) = entry.trim_start().split_once('\n').unwrap();
        let name = head.split([' ', '=', '[', '.']).find(|word| word.starts_with("--")).unwrap();
        (name.to_owned(), text.split_whitespace().collect::<Vec<_>>().join(" "))
    });
    entries.collect()
}

#[test]
fn every_option_tells_its_default_and_the_default_is_a_value() {
    let help = help();
    assert!(help.len() > 15, "{help:?}");
    for (name, text) in help.iter().filter(|(name, _)| !matches!(&**name, "--help" | "--version")) {
        let (_, default) = text.rsplit_once("[default: ").unwrap_or_else(|| panic!("{name}: {text}"));
        let default = default.split([']', ',']).next().unwrap();
        let is_value = matches!(
            &**name,
            "--port"
                | "--tail"
                | "--history"
                | "--max-line"
                | "--heartbeat"
                | "--retry"
                | "--max-clients"
                | "--write-timeout"
                | "--log-format"
                | "--from"
                | "--rotate-wait"
                | "--fifo-mode"
        );
        if is_value {
            let (code, _, err) = run_to_end(&["--check", name, default], Stdio::null());
            assert_eq!(code, 0, "{name} {default}: {err}");
        }
    }
}

#[test]
fn the_bounds_that_the_help_tells_are_the_bounds() {
    let help = help();
    let text = |name: &str| &help.iter().find(|(known, _)| known == name).unwrap().1;
    let mut wrong = Vec::new();
    for (name, said, good, bad) in [
        ("--heartbeat", "from 1s to 1h", &["1s", "1h", "60m", "3600s"][..], &["999ms", "0s", "3601s", "61m"][..]),
        ("--retry", "from 500ms to 24h", &["500ms", "24h"], &["499ms", "24h1s", "0s"]),
        ("--write-timeout", "from 1s on", &["1s", "24h", "25h", "1000h"], &["999ms", "0s"]),
        ("--tail", "N or all", &["0", "1", "all", "18446744073709551615"], &["-1", "x", "1.5", "ALL", ""]),
        ("--port", "0 picks a free one", &["0", "65535"], &["65536", "-1", "", "x"]),
        ("--max-clients", "", &["1", "100000"], &["0", "-1", "x"]),
        ("--history", "", &["256KiB", "1GiB", "300000"], &["255KiB", "0", "x", "-1", "1 parsec"]),
        ("--max-line", "", &["16", "16B", "1 KiB", "256MiB"], &["15", "0", "257MiB", "x", "1e3"]),
        ("--log-format", "", &["text", "json"], &["TEXT", "xml", ""]),
        (
            "--from",
            "start, end, or -N",
            &["start", "end", "-0", "-1", "-18446744073709551615"],
            &["", "1", "-", "--1", "-x", "START"],
        ),
        ("--rotate-wait", "up to 1h", &["0s", "1h", "3600s"], &["3601s", "61m", "-1s", "5", ""]),
        ("--flush-partial", "TIME or off", &["off", "10ms", "1s", "24h"], &["9ms", "0s", "on", "1", ""]),
        ("--sync", "never", &[], &["", "no", "NEVER", "1s"]),
        ("--keep-size", "from 1MiB on", &[], &["x", "-1", "1 parsec"]),
        ("--keep-age", "from 1s on", &[], &["7", "-1d", "1mo", ""]),
        ("--fifo-mode", "", &["0", "0620", "600", "0777"], &["", "8", "01000", "4755", "rw", "00620"]),
    ] {
        assert!(text(name).contains(said), "{name}: {}", text(name));
        let check = |value: &&str| run_to_end(&["--check", &format!("{name}={value}")], Stdio::null());
        wrong.extend(good.iter().map(|value| (name, value, check(value))).filter(|(_, _, said)| said.0 != 0));
        wrong.extend(bad.iter().map(|value| (name, value, check(value))).filter(|(_, _, said)| said.0 != 2));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn extreme_values_work_or_are_refused() {
    for extreme in [
        "--max-clients=18446744073709551615",
        "--max-clients=9223372036854775807",
        "--exit-on-eof=2562047788015215h",
        "--exit-on-eof=0s",
        "--history=15EiB",
        "--tail=18446744073709551615",
        "--retry=24h",
        "--heartbeat=1h",
        "--write-timeout=24h",
    ] {
        let mut arguments = vec!["--port", "0", extreme];
        if !extreme.starts_with("--exit-on-eof") {
            arguments.push("--exit-on-eof");
        }
        let (code, _, err) = run_to_end(&arguments, Stdio::null());
        assert!(code == 0 || code == 2, "{extreme}: {code}: {err}");
    }
}

#[test]
fn defaults_are_what_the_help_says() {
    let mut bridge = Bridge::start(&[]);
    let host = nix::unistd::gethostname().unwrap().into_string().unwrap();
    assert!(bridge.get("/").text().contains(&format!("<title>standard input · {host}:{}</title>", bridge.port)));

    // A mebibyte is a line, and one byte more is two.
    let mut client = bridge.get("/events");
    assert_eq!(client.events(1)[0].retry, Some(2000));
    bridge.feed(&[vec![b'x'; 1 << 20], b"\n".to_vec(), vec![b'y'; (1 << 20) + 1], b"\n".to_vec()].concat());
    let lengths: Vec<_> = client.events(3).iter().map(|event| event.data.len()).collect();
    assert_eq!(lengths, [1 << 20, 1 << 20, 1]);
}

#[test]
fn the_default_house_has_a_thousand_places() {
    let bridge = Bridge::start(&[]);
    let mut connections: Vec<_> = (0..10).map(|_| Http2::to(&bridge, &[])).collect();
    for connection in &mut connections {
        for number in 0..100 {
            connection.get(1 + 2 * number, "/events?tail=0", &[]);
        }
        (0..100).for_each(|number| assert_eq!(connection.frame_of(1 + 2 * number).stream, 1 + 2 * number));
    }
    assert_eq!(bridge.get("/events").status(), 503);
}

#[test]
fn without_a_port_it_is_8080() {
    // Somebody else may have it: then that is what is said.
    let mut child = command(&[]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let said = crate::harness::Collected::of(child.stderr.take().unwrap());
    let line = said.wait("a line", |seen| seen.contains(&b'\n'));
    let _ = child.kill();
    let _ = child.wait();
    assert!(String::from_utf8_lossy(&line).lines().next().unwrap().contains(":8080"), "{}", said.text());
}

#[test]
fn a_mistyped_option_is_told_the_nearest() {
    for (typed, meant) in [
        ("--prot", "--port"),
        ("--listem=127.0.0.1", "--listen"),
        ("--max-client", "--max-clients"),
        ("--heart-beat", "--heartbeat"),
        ("--cors-origins=*", "--cors-origin"),
        ("--exit-on-oef", "--exit-on-eof"),
    ] {
        let line = refused(&[typed], 2);
        assert!(line.contains(&format!("'{meant}'")) && line.contains(typed.split('=').next().unwrap()), "{line}");
    }
    refused(&["--xyzzy"], 2);
    refused(&["-x"], 2);
}

/// Arguments, and words that the line must have which refuses them.
type Refused<'a> = (&'a [&'a str], &'a [&'a str]);

/// Each ends with 2 and one line that has these words, before anything is opened.
fn assert_refused(table: &[Refused<'_>]) {
    // Whatever opened anything would find the port taken.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let mut wrong = Vec::new();
    for (arguments, words) in table {
        let said = refusal(run_to_end(&[&["--port", &port], *arguments].concat(), Stdio::null()), 2);
        let told = said.and_then(|line| match words.iter().find(|word| !line.contains(**word)) {
            Some(missing) => Err(format!("no {missing:?} in {line:?}")),
            None => Ok(()),
        });
        wrong.extend(told.err().map(|what| format!("{arguments:?}: {what}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn values_that_cannot_be_are_refused() {
    assert_refused(&[
        (&["--history", "lots"], &["--history", "lots", "16MiB"]),
        (&["--history", "1KiB"], &["--history", "256KiB"]),
        (&["--max-line", "1GiB"], &["--max-line", "256.0 MiB"]),
        (&["--heartbeat", "15"], &["--heartbeat", "15s"]),
        (&["--heartbeat", "2h"], &["--heartbeat", "out of bounds"]),
        (&["--exit-on-eof=soon"], &["--exit-on-eof", "soon"]),
        (&["--max-clients", "0"], &["--max-clients", "from 1 on"]),
        (&["--tail"], &["--tail"]),
        (&["--tee=maybe"], &["--tee"]),
        (&["--title"], &["--title"]),
        (&["-v", "-q"], &["--verbose", "--quiet"]),
        (&["--tail", "1", "--tail", "2"], &["--tail"]),
        (&["--log-format", "xml"], &["--log-format", "json"]),
    ]);
}

#[test]
fn addresses_that_cannot_be_listened_on_are_refused() {
    assert_refused(&[
        (&["--listen", "300.1.1.1"], &["--listen", "300.1.1.1"]),
        (&["--listen", "127.0.0.1:"], &["port"]),
        (&["--listen", "127.0.0.1:99999"], &["65535"]),
        (&["--listen", ":8080"], &["--listen"]),
        (&["--listen", ""], &["--listen"]),
        (&["--listen", "http://localhost"], &["--listen"]),
        (&["--listen", "[::1"], &["--listen"]),
        (&["--listen", "0.0.0.0"], &["0.0.0.0", "--allow-anonymous"]),
        (&["--listen", "::"], &["[::]", "--allow-anonymous"]),
        (&["--listen", "192.0.2.1:80"], &["192.0.2.1:80", "--allow-anonymous"]),
        (&["--listen", "127.0.0.1", "--listen", "[::ffff:192.0.2.1]:80"], &["192.0.2.1", "--allow-anonymous"]),
    ]);
}

#[test]
fn sources_whose_names_cannot_be_are_refused() {
    let long_name = format!("{}=-", "x".repeat(91));
    assert_refused(&[
        (&["a//b=-"], &["'a//b'", "empty segment"]),
        (&["=-"], &["empty segment"]),
        (&["a/../b=-"], &["'..'"]),
        (&["a b=-"], &["'a b'"]),
        (&["\u{e4}=-"], &["%XX"]),
        (&["a%2=-"], &["%XX"]),
        (&[&long_name], &["at most 90 bytes"]),
        (&[""], &["source"]),
        (&["a="], &["'a='", "source"]),
        (&["stdin:x"], &["'stdin:x'", "source"]),
        (&["fifo:"], &["'fifo:'", "fifo:PATH"]),
        (&["file:"], &["'file:'", "file:PATH"]),
        (&["app log=/nowhere/app.log"], &["'app log'", "./"]),
    ]);
}

#[test]
fn sources_that_cannot_be_read_are_refused() {
    assert_refused(&[
        (&["/"], &["'/'", "it is a directory", "'/*.log'"]),
        (&["logs=/dev"], &["'/dev'", "it is a directory", "'/dev/*.log'"]),
        (&["/dev/zero"], &["'/dev/zero'", "it is a device", "cat /dev/zero | sse-bridge"]),
        (&["file:/dev/zero"], &["'/dev/zero'", "it is a device", "cat /dev/zero | sse-bridge"]),
        (&["/proc/self/status"], &["'/proc/self/status'", "cat /proc/self/status"]),
        (&["/dev/fd/777"], &["'/dev/fd/777'", "no such descriptor"]),
        (&["fifo:/dev"], &["'/dev'", "named pipe"]),
        (&["logs=/var/log/**"], &["'logs=/var/log/**'", "glob"]),
        (&["/var/log/[a"], &["'/var/log/[a'", "glob", "file:PATH"]),
        (&["web=/nowhere/*.log", "web/a.log=/nowhere/a"], &["'web/a.log'", "'web'"]),
    ]);
}

#[test]
fn sources_given_twice_are_refused() {
    assert_refused(&[
        (&["-", "-"], &["standard input is given twice"]),
        (&["a=-", "b=-"], &["standard input is given twice"]),
        (&["-", "stdin:"], &["standard input is given twice"]),
        (&["a=-", "a=-"], &["standard input is given twice"]),
        (&["a=-", "a=/nowhere/a"], &["'a'", "twice"]),
        (&["a=/nowhere/1", "a=/nowhere/2"], &["'a'", "twice"]),
        (&["/nowhere/1", "-", "/nowhere/1"], &["'nowhere/1'", "twice"]),
        (&["fifo:/nowhere/p", "b=fifo:/nowhere/p"], &["'/nowhere/p'", "twice"]),
    ]);
}

#[test]
fn options_that_no_source_can_have_are_refused() {
    assert_refused(&[
        (&["--tee", "/nowhere/1"], &["--tee", "standard input"]),
        (&["--exit-on-eof", "/nowhere/1"], &["--exit-on-eof", "ends"]),
        (&["--from", "1000", "/nowhere/1"], &["--from", "'1000'", "-N"]),
        (&["--rotate-wait", "2h", "/nowhere/1"], &["--rotate-wait", "out of bounds"]),
        (&["--flush-partial", "never", "-"], &["--flush-partial", "'never'", "off"]),
        (&["--fifo-mode", "rw", "fifo:/nowhere/p"], &["--fifo-mode", "'rw'", "0620"]),
    ]);
}

#[test]
fn what_a_state_directory_cannot_be_is_refused() {
    let with = "--state-dir=/nowhere";
    assert_refused(&[
        (&["--state-dir="], &["--state-dir"]),
        (&["--sync=always"], &["--sync", "--state-dir DIR"]),
        (&["--keep-size=2GiB"], &["--keep-size", "--state-dir DIR"]),
        (&["--keep-age=7d"], &["--keep-age", "--state-dir DIR"]),
        (&[with, "--sync=hourly"], &["'hourly'", "never, interval or always"]),
        (&[with, "--keep-size=1023KiB"], &["--keep-size 1023.0 KiB is too small", "1MiB"]),
        (&[with, "--keep-age=999ms"], &["--keep-age 999ms is out of bounds", "1s"]),
        (&[with, "--keep-age=7"], &["'7'", "12h or 7d"]),
    ]);
    for good in [&["--sync=never"][..], &["--sync=interval"], &["--keep-size=1MiB"], &["--keep-age=1s"], &["--keep-age=7d"]] {
        let (code, _, err) = run_to_end(&[&["--check", with], good].concat(), Stdio::null());
        assert_eq!(code, 0, "{good:?}: {err}");
        let from_systemd = command(&[&["--check"], good].concat()).env("STATE_DIRECTORY", "/a:/b").stdin(Stdio::null()).output();
        assert!(from_systemd.unwrap().status.success(), "{good:?}");
    }
    assert!(!std::path::Path::new("/nowhere").exists(), "checking makes nothing");
}

#[test]
fn types_that_no_event_can_have_are_refused() {
    assert_refused(&[
        (&["--event-type", ""], &["empty"]),
        (&["--event-type", "a\nb"], &["line break"]),
        (&["--event-type", "a\rb"], &["line break"]),
    ]);
}

#[test]
fn origins_and_hosts_that_cannot_be_are_refused() {
    assert_refused(&[
        (&["--cors-origin", "example.com"], &["'example.com'", "https://example.com"]),
        (&["--cors-origin", "https://a.example/"], &["no path"]),
        (&["--cors-origin", "https://a.example/b"], &["no path"]),
        (&["--cors-origin", "https://user@a.example"], &["user@a.example"]),
        (&["--cors-origin", "https://"], &["--cors-origin"]),
        (&["--cors-origin", "https://*.example"], &["--cors-origin"]),
        (&["--cors-origin", ""], &["--cors-origin"]),
        (&["--allow-host", "a b"], &["'a b'", "--allow-host"]),
        (&["--allow-host", "a:80"], &["without a port"]),
        (&["--allow-host", "https://a"], &["--allow-host"]),
        (&["--allow-host", "*.a.example"], &[".NAME"]),
        (&["--allow-host", "."], &["--allow-host"]),
        (&["--allow-host", ""], &["--allow-host"]),
    ]);
}

#[test]
fn check_finds_what_the_start_would_find() {
    for bad in
        ["--heartbeat=2h", "--listen=0.0.0.0", "--cors-origin=x", "--allow-host=a:80", "a//b=-", "/dev/zero", "[a", "--nothing"]
    {
        refused(&["--check", bad], 2);
    }
    // What is not there yet is waited for.
    for good in ["app.log", "./a=-", "logs=/nowhere/*.log", "fifo:/nowhere/p"] {
        let (code, _, err) = run_to_end(&["--check", good], Stdio::null());
        assert_eq!(code, 0, "{good}: {err}");
    }
    refused(&["--check", "--listen", &"x".repeat(64)], 75);
}

#[test]
fn a_reserved_type_is_refused_by_name() {
    for kind in ["start", "gap", "end", "run", "progress", "busy", "ping", "open", "error", "message"] {
        let line = refused(&["--event-type", kind], 2);
        assert!(line.contains(kind) && line.contains("reserved"), "{line}");
    }
    assert_eq!(run_to_end(&["--check", "--event-type", "Message"], Stdio::null()).0, 0);
}

#[test]
fn bytes_that_are_no_text_are_refused_where_text_is_meant() {
    let no_text = &b"\xff\n\xfe"[..];
    let check = |before: &[&str], bytes: &[u8]| {
        let output = command(before).arg(OsStr::from_bytes(bytes)).stdin(Stdio::null()).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    };
    for (before, bytes) in [
        (&[][..], &b"\xff\n\xfe=-"[..]),
        (&[], b"\xff\n\xfe*"),
        (&["--title"], no_text),
        (&["--event-type"], no_text),
        (&["--allow-host"], no_text),
        (&["--listen"], no_text),
        (&["--port"], no_text),
        (&["--from"], no_text),
        (&["--fifo-mode"], no_text),
    ] {
        let said = refusal(check(before, bytes), 2);
        said.unwrap_or_else(|wrong| panic!("{before:?} {bytes:?}: {wrong}"));
    }
    // A path is bytes.
    for path in [no_text, b"fifo:\xff\n\xfe", b"a=\xff\n\xfe"] {
        let (code, _, err) = check(&["--check"], path);
        assert!(code == 0 && err.lines().count() == 1, "{path:?}: {code} {err}");
    }
}

#[test]
fn standard_input_that_cannot_be_read_is_refused() {
    for (what, script, words) in [
        ("closed", "exec sse-bridge --port 0 <&-", "standard input is closed"),
        ("write-only", "exec sse-bridge --port 0 0>/dev/null", "standard input is closed"),
        ("a directory", "exec sse-bridge --port 0 </tmp", "standard input is a directory"),
        ("closed, said", "exec sse-bridge --port 0 - <&-", "standard input is closed"),
        ("closed, only to be checked", "exec sse-bridge --check <&-", "standard input is closed"),
    ] {
        let line = refusal(end_of(shell(script)), 2).unwrap_or_else(|wrong| panic!("{what}: {wrong}"));
        assert!(line.contains(words) && line.contains("| sse-bridge"), "{what}: {line}");
    }
}

#[test]
fn a_terminal_is_read_only_if_that_is_meant() {
    let (code, out, err) = end_of(in_terminal("exec sse-bridge --port 0"));
    let line = refusal((code, out, err.replace("\r\n", "\n")), 2).unwrap();
    assert!(line.contains("standard input is a terminal") && line.contains("COMMAND | sse-bridge"), "{line}");

    let mut typed = Bridge::spawn(in_terminal("exec sse-bridge --port 0 -"));
    let mut client = typed.get("/events");
    typed.feed(b"typed\n");
    assert_eq!(client.events(2)[1].data, "typed");
    typed.feed(b"\x03"); // Ctrl-C
    client.rest();
    assert_eq!(typed.wait(), 0);
}

/// What a command line that ends says, from a pipe that stays open.
fn end_of(mut command: Command) -> (i32, String, String) {
    let output = command.stdin(Stdio::piped()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn what_time_can_cure_is_75() {
    let own = own_address();
    let taken = TcpListener::bind((own, 0)).unwrap().local_addr().unwrap();
    let _holder = TcpListener::bind(taken).unwrap();
    let nowhere = "x".repeat(64); // longer than a label may be: no resolver asks anybody
    for (arguments, words) in [
        (&["--listen", &taken.to_string()][..], &[&*taken.to_string(), "in use", "--port 0"][..]),
        (&["--listen", &nowhere], &[&nowhere, "--listen"]),
        (&["--listen", "192.0.2.77:0", "--allow-anonymous"], &["192.0.2.77", "does not have the address"]),
    ] {
        let line = refused(arguments, 75);
        for word in words {
            assert!(line.contains(word), "{arguments:?}: no {word:?} in: {line}");
        }
    }
}

#[test]
fn check_opens_nothing() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (code, out, err) = run_to_end(&["--check", "--port", &port, "--listen", "127.0.0.1"], Stdio::null());
    assert_eq!((code, &*out), (0, ""), "{err}");
    assert_eq!(err.lines().count(), 1, "{err}");
    // Nor does it read: what stands in the pipe is for the next.
    let piped = shell("echo line | { sse-bridge --check && cat; }").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&piped.stdout), "line\n");
    assert_eq!(run_to_end(&["--check", "--listen", "0.0.0.0", "--allow-anonymous"], Stdio::null()).0, 0);
}
