//! A reader takes a half of a line and then no more, and the client is stopped: the next run completes that line before anything else, whatever it is asked
//! for and whoever answers first.

use serde_json::Value;

use crate::client::Cat;
use crate::harness::Bridge;
use crate::server::{LAST, STREAM, Server, answer, chunk};

const LONG: usize = 400_000;

fn place() -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state").display().to_string();
    (directory, state)
}

fn long(of: &str) -> String {
    of.repeat(LONG) + "\n"
}

/// A long line, stopped in its middle; gives what was written of it.
fn begin(arguments: &[&str]) -> String {
    let half = String::from_utf8(Cat::stop_half_way(arguments, 1000)).unwrap();
    assert!(half.len() < LONG && !half.contains('\n'), "{}", half.len());
    half
}

#[test]
fn another_stream_that_answers_first_waits() {
    let (_directory, state) = place();
    let (mut one, mut two) = (Bridge::start(&[]), Bridge::start(&[]));
    one.feed(long("x").as_bytes());
    let urls = [one.url(""), two.url("")];
    let arguments = ["--tail", "all", "--state", &state, &urls[0], &urls[1]];
    let half = begin(&arguments);
    drop(one); // it never answers again
    two.feed(b"other\n");
    let cat = Cat::start(&arguments);
    cat.out.wait_for("other\n");
    let rest = String::from_utf8(cat.stop("TERM", 143)).unwrap();
    assert!(half + &rest == long("x") + "other\n", "{} bytes of the rest", rest.len());
}

#[test]
fn who_asks_for_another_stream_alone_gets_the_rest_first() {
    let (_directory, state) = place();
    let (mut one, mut two) = (Bridge::start(&[]), Bridge::start(&[]));
    one.feed(long("x").as_bytes());
    two.feed(b"other\n");
    two.end_input();
    let half = begin(&["--tail", "all", "--state", &state, &one.url("")]);
    let (code, rest, err) = Cat::start(&["--tail", "all", "--state", &state, &two.url("")]).end();
    assert!(code == 0 && half + &rest == long("x") + "other\n", "{err}");
    // And the first is behind that line.
    one.feed(b"next\n");
    one.end_input();
    assert_eq!(Cat::start(&["--tail", "all", "--state", &state, &one.url("")]).end().1, "next\n");
}

#[test]
fn a_line_that_the_server_no_longer_has_is_completed() {
    let (_directory, state) = place();
    let first = format!("{STREAM}{}", chunk(&format!(": sse-bridge\nid: 5-1/a\ndata: {}\n", long("x"))));
    let gap = "id: 5-8\nevent: gap\ndata: {\"channels\":[\"a\"],\"reason\":\"dropped\",\"lost\":7}\n\n";
    let second = format!("{STREAM}{}{LAST}", chunk(&format!("{gap}id: 5-9/a\ndata: y\n\n")));
    let server = Server::saying(&[&first, &second, &answer("204 Over", "", "")]);
    let arguments = ["--state", &state, &server.url("")];
    let half = begin(&arguments);
    let (code, rest, err) = Cat::start(&arguments).end();
    assert_eq!(code, 0, "{err}");
    assert!(half + &rest == long("x") + "y\n" && err.contains("gap: 7 events of a are missing"), "{err}");
    server.request();
    assert!(server.request().contains("last-event-id: 5-1/a\r\n"), "the line is done with");
}

#[test]
fn each_line_has_the_shape_in_which_it_began() {
    let (_directory, state) = place();
    let mut bridge = Bridge::start(&[]);
    bridge.feed((long("x") + &long("y") + "z\n").as_bytes());
    let url = bridge.url("");
    let arguments = |shape: &'static str| [shape, "--tail", "all", "--state", &state, &url].map(str::to_owned);
    let run = |shape, bytes| {
        let arguments = arguments(shape);
        Cat::stop_half_way(&arguments.iter().map(|argument| &**argument).collect::<Vec<_>>(), bytes)
    };
    let mut all = run("-q", 1000);
    all.extend(run("--ndjson", 1000)); // still the first line
    all.extend(run("--ndjson", LONG)); // the second
    let arguments = arguments("--label");
    let cat = Cat::start(&arguments.iter().map(|argument| &**argument).collect::<Vec<_>>());
    cat.out.wait_for("stdin: z\n");
    all.extend(cat.stop("TERM", 143));
    let text = String::from_utf8(all).unwrap();
    let lines: Vec<_> = text.split_inclusive('\n').collect();
    assert_eq!(
        (lines.len(), lines.last()),
        (3, Some(&"stdin: z\n")),
        "{:?}",
        lines.iter().map(|line| line.len()).collect::<Vec<_>>()
    );
    assert!(lines[0] == long("x"), "{} bytes", lines[0].len());
    let object: Value = serde_json::from_str(lines[1]).unwrap();
    assert!(object["data"].as_str() == Some(long("y").trim_end()));
}
