//! `--state FILE`.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::client::Cat;
use crate::harness::{Bridge, command, run_to_end};

/// A daemon and a place for a state file.
fn scene() -> (Bridge, tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state").to_str().unwrap().to_owned();
    (Bridge::start(&[]), directory, state)
}

fn read(state: &str) -> String {
    fs::read_to_string(state).unwrap_or_default()
}

#[test]
fn the_next_run_goes_on_behind_the_last_line() {
    let (mut bridge, _directory, state) = scene();
    let url = bridge.url("");
    bridge.feed(b"1\n2\n");
    let cat = Cat::start(&["--tail", "all", "--state", &state, &url]);
    cat.out.wait_for("2\n");
    cat.stop("TERM", 143);
    bridge.feed(b"3\n4\n");
    let cat = Cat::start(&["--tail", "all", "--since", "1h", "--state", &state, &url]);
    cat.out.wait_for("4\n");
    assert_eq!(cat.stop("INT", 130), b"3\n4\n", "what is remembered wins over --tail and --since");
    let text = read(&state);
    assert!(
        text.starts_with("sse-bridge cat 1\n") && text.ends_with(&format!("-4/stdin\t{url}/events\ttail=all&since=1h\n")),
        "{text}"
    );
    assert_eq!(fs::metadata(&state).unwrap().mode() & 0o777, 0o600);
    bridge.feed(b"5");
    bridge.end_input();
    let cat = || Cat::start(&["-q", "--state", &state, &url]).end();
    assert_eq!(cat(), (0, "5\n".into(), String::new()));
    assert_eq!(cat(), (0, String::new(), String::new()), "it has ended, and that is known as well");
}

/// A client that has seen nothing yet knows nevertheless where it was.
#[test]
fn the_place_before_the_first_line_is_remembered() {
    let (mut bridge, _directory, state) = scene();
    let url = bridge.url("");
    let cat = Cat::start(&["--state", &state, &url]);
    crate::harness::eventually("a place", || read(&state), |text| text.contains("-0\thttp://"));
    cat.stop("TERM", 143);
    let lines: String = (1..=30).map(|number| format!("{number}\n")).collect();
    bridge.feed(lines.as_bytes());
    bridge.end_input();
    assert_eq!(Cat::start(&["-q", "--state", &state, &url]).end().1, lines, "more than the usual tail");
}

#[test]
fn one_at_a_time() {
    let (bridge, _directory, state) = scene();
    let url = bridge.url("");
    let cat = Cat::start(&["--state", &state, &url]);
    crate::harness::eventually("a state file", || Path::new(&state).exists(), |there| *there);
    let (code, _, err) = run_to_end(&["cat", "--state", &state, &url], Stdio::null());
    assert_eq!(
        (code, &*err),
        (
            75,
            &*format!(
                "sse-bridge: could not use the state file '{state}': another sse-bridge cat uses it; hint: give each cat a --state of its own\n"
            )
        )
    );
    cat.stop("KILL", -9);
    let cat = Cat::start(&["--state", &state, &url]);
    crate::harness::eventually("a place", || read(&state), |text| text.contains("http://"));
    cat.stop("TERM", 143);
}

#[test]
fn what_cannot_be_used_is_said() {
    let (bridge, directory, state) = scene();
    let url = bridge.url("");
    let refused = |state: &str, code: i32| {
        let (ended, out, err) = run_to_end(&["cat", "--state", state, &url], Stdio::null());
        assert_eq!((ended, &*out, err.lines().count()), (code, "", 1), "{err}");
        err
    };
    assert!(refused(directory.path().to_str().unwrap(), 2).contains("it is not a regular file"));
    assert!(refused("/nowhere/state", 75).contains("no such file or directory; hint: its directory must be there"));
    fs::write(&state, "sse-bridge cat 9\n").unwrap();
    assert!(refused(&state, 2).contains("a later version has written it"));
    assert_eq!(read(&state), "sse-bridge cat 9\n");
}

#[test]
fn a_damaged_file_is_moved_aside_and_said() {
    let (mut bridge, _directory, state) = scene();
    bridge.feed(b"1\n");
    bridge.end_input();
    fs::write(&state, "sse-bridge cat 1\n17").unwrap();
    let (code, out, err) = Cat::start(&["--tail", "all", "--state", &state, &bridge.url("")]).end();
    assert_eq!((code, &*out), (0, "1\n"));
    assert!(
        err.contains(&format!("warning: '{state}' is damaged, and now '{state}.damaged'; beginning as if there were nothing")),
        "{err}"
    );
    assert_eq!(read(&format!("{state}.damaged")), "sse-bridge cat 1\n17");
}

/// The disk of the state file is full: the stream goes on, and it is said at once, and at the end.
#[test]
fn a_full_disk_is_said_and_the_stream_goes_on() {
    let (mut bridge, _directory, state) = scene();
    let url = bridge.url("");
    let cat = Cat::start(&["--state", &state, &url]);
    crate::harness::eventually("a place", || read(&state), |text| text.contains("http://"));
    let before = read(&state);
    let limit = |size: &str| {
        let set = Command::new("prlimit").args(["--pid", &cat.pid().to_string(), &format!("--fsize={size}")]).status().unwrap();
        assert!(set.success());
    };
    limit("5:unlimited");
    bridge.feed(b"1\n");
    cat.out.wait_for("1\n");
    cat.err.wait_for("could not save what was taken in '");
    assert_eq!(read(&state), before, "the old file is whole");
    bridge.feed(b"2\n");
    cat.out.wait_for("2\n");
    limit("unlimited:unlimited");
    cat.err.wait_for("what was taken is saved again");
    limit("5:unlimited");
    bridge.feed(b"3\n");
    cat.out.wait_for("3\n");
    cat.signal("TERM");
    let (code, _, err) = cat.end();
    assert_eq!(code, 75, "{err}");
    assert!(err.contains("file too large; hint: what came since the last save comes again the next time"), "{err}");
    let cat = Cat::start(&["--state", &state, &url]);
    bridge.feed(b"4\n");
    cat.out.wait_for("4\n");
    assert_eq!(cat.stop("TERM", 143), b"3\n4\n");
}

#[test]
fn several_streams_have_a_line_each() {
    let (mut one, _directory, state) = scene();
    let mut two = Bridge::start(&[]);
    let urls = [one.url(""), two.url("/events/stdin")];
    let mut start = command(&["cat", "--tail", "all", "--state", &state, &urls[0], &urls[1]]);
    start.env("NO_COLOR", "1");
    one.feed(b"a1\n");
    two.feed(b"b1\n");
    let cat = Cat::spawn(start);
    cat.out.wait_for("a1\n");
    cat.out.wait_for("b1\n");
    cat.stop("TERM", 143);
    let text = read(&state);
    assert!(urls.iter().all(|url| text.contains(url)) && text.lines().count() == 3, "{text}");
    // One of them alone: the other's line stays.
    one.feed(b"a2\n");
    let cat = Cat::start(&["--state", &state, &urls[0]]);
    cat.out.wait_for("a2\n");
    assert_eq!(cat.stop("TERM", 143), b"a2\n");
    assert!(read(&state).contains(&format!("-1/stdin\t{}", urls[1])), "{}", read(&state));
}

/// A place belongs to what was asked for: who asks for other lines would never get those that were left out before it.
#[test]
fn another_question_is_refused() {
    let (mut bridge, _directory, state) = scene();
    let url = bridge.url("");
    bridge.feed(b"a1\nb1\n");
    let cat = Cat::start(&["--tail", "all", "--grep", "a", "--state", &state, &url]);
    cat.out.wait_for("a1\n");
    crate::harness::eventually("a place", || read(&state), |text| text.contains("-2/stdin\t") || text.contains("-1/stdin\t"));
    cat.stop("TERM", 143);
    let before = read(&state);
    for other in [&["--grep", "b"][..], &[], &["--grep", "a", "-i"], &["--grep", "a", "--channel", "stdin"]] {
        let arguments = [&["cat", "--state", &state, &url][..], other].concat();
        let (code, out, err) = run_to_end(&arguments, Stdio::null());
        assert_eq!((code, &*out), (2, ""), "{other:?}: {err}");
        assert!(
            err.contains(&format!("could not use the state file '{state}': of {url}/events it remembers 'grep=a', and now ")),
            "{err}"
        );
        assert!(err.contains("; hint: ask the same, or give another --state"), "{err}");
        assert_eq!(read(&state), before);
    }
    bridge.feed(b"a2\n");
    bridge.end_input();
    // Where it begins is of no matter any more, and that is said.
    let (code, out, err) = Cat::start(&["--since", "1h", "--grep", "a", "--ndjson", "--state", &state, &url]).end();
    assert!(code == 0 && out.contains("\"data\":\"a2\"") && !out.contains("a1"), "{out}");
    assert!(err.contains("it goes on where it was; --tail and --since say where a first run begins"), "{err}");
}
