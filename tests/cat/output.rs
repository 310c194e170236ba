//! How lines look.

use serde_json::Value;

use crate::client::Cat;
use crate::harness::{Bridge, eventually};
use crate::server::{LAST, STREAM, Server, answer, chunk};

/// A daemon with two channels, `a` and `b/c`, whose files hold these lines.
fn two_channels(a: &str, b: &str) -> (Bridge, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, channel: &str, lines: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, lines).unwrap();
        format!("{channel}={}", path.display())
    };
    let (a, b) = (file("a", "a", a), file("c", "b/c", b));
    let bridge = Bridge::start(&["--from", "start", &a, &b]);
    (bridge, directory)
}

fn printed(arguments: &[&str]) -> String {
    let (code, out, err) = Cat::start(arguments).end();
    assert_eq!((code, &*err), (0, ""), "{arguments:?}");
    out
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn labels_are_channels_in_colours_where_they_are_wanted() {
    let (bridge, _directory) = two_channels("1\n2\n", "3\n");
    let url = bridge.url("");
    let all = ["--no-follow", "--tail", "all", "--label", &url];
    let with = |more: &[&'static str]| printed(&[&all[..], more].concat());
    assert_eq!(sorted(&with(&[])), ["a: 1", "a: 2", "b/c: 3"]);
    let coloured = with(&["--color", "always"]);
    let colour = |line: &str| line.split('m').next().unwrap().to_owned();
    let lines = sorted(&coloured);
    assert!(lines.iter().all(|line| line.starts_with("\x1b[")), "{coloured:?}");
    assert!(coloured.contains("ma:\x1b[0m 1\n") && coloured.contains("mb/c:\x1b[0m 3\n"), "{coloured:?}");
    let of_a: Vec<_> = lines.iter().filter(|line| line.contains("a:")).map(|line| colour(line)).collect();
    assert_eq!(of_a[0], of_a[1]);
}

/// On a terminal there are colours, unless somebody says no.
#[test]
fn a_terminal_has_colours_unless_no_color_is_set() {
    let (bridge, _directory) = two_channels("1\n", "2\n");
    let bin = env!("CARGO_BIN_EXE_sse-bridge");
    for (environment, is_coloured) in [("TERM=xterm", true), ("TERM=xterm NO_COLOR=1", false), ("TERM=dumb", false)] {
        let command = format!("env {environment} '{bin}' cat --no-follow --tail all --label {}", bridge.url(""));
        let output =
            std::process::Command::new("script").args(["-qec", &command, "/dev/null"]).env_remove("NO_COLOR").output().unwrap();
        let out = String::from_utf8_lossy(&output.stdout);
        assert!(out.contains("1\r\n") && out.contains("\x1b[") == is_coloured, "{environment}: {out:?}");
    }
}

#[test]
fn objects_say_all_of_an_event() {
    let mut bridge = Bridge::start(&["--event-type", "tick", "--tail", "all"]);
    bridge.feed(b"a \"quote\"\n\xff\x1b[0m\r\nlast\n");
    bridge.end_input();
    bridge.wait_for_stderr("standard input ended");
    let out = printed(&["--ndjson", &bridge.url("")]);
    let objects: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let data: Vec<_> = objects.iter().map(|object| object["data"].clone()).collect();
    assert_eq!(data[..3], [Value::from("a \"quote\""), Value::from("\u{FFFD}\x1b[0m"), Value::from("last")]);
    for (number, object) in (1..).zip(&objects) {
        let id = object["id"].as_str().unwrap();
        assert!(id.ends_with(&format!("-{number}/stdin")), "{object}");
        let millis = object["time"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_millisecond();
        assert!(id.starts_with(&format!("{millis}-")), "{object}");
        assert_eq!(object["channel"], "stdin");
    }
    assert_eq!(objects[0]["type"], "tick");
    assert_eq!((&objects[3]["type"], &objects[3]["data"]["channel"]), (&"end".into(), &"stdin".into()));
    assert_eq!(objects.len(), 4);
}

#[test]
fn gaps_and_runs_are_objects_too_and_the_rest_of_the_protocol_is_not() {
    let body = ": sse-bridge\nevent: ping\ndata: {}\n\nid: 5-0\nevent: start\ndata: {\"channels\":[]}\n\nevent: progress\ndata: {}\n\n\
                id: 5-1/a\nevent: run\ndata: {\"run\":1,\ndata: \"state\":\"started\"}\n\nid: 7-9\nevent: gap\ndata: {\"lost\":8}\n\n\
                id: 8-10/a\ndata: x\ndata: y\n\n";
    let server = Server::saying(&[&format!("{STREAM}{}{LAST}", chunk(body)), &answer("204 Over", "", "")]);
    assert_eq!(
        printed(&["--ndjson", &server.url("")]),
        "{\"id\":\"5-1/a\",\"time\":\"1970-01-01T00:00:00.005Z\",\"channel\":\"a\",\"type\":\"run\",\"data\":{\"run\":1, \"state\":\"started\"}}\n\
         {\"id\":\"7-9\",\"time\":\"1970-01-01T00:00:00.007Z\",\"channel\":null,\"type\":\"gap\",\"data\":{\"lost\":8}}\n\
         {\"id\":\"8-10/a\",\"time\":\"1970-01-01T00:00:00.008Z\",\"channel\":\"a\",\"type\":null,\"data\":\"x\\ny\"}\n"
    );
}

#[test]
fn channels_and_lines_are_chosen_also_where_the_server_does_not() {
    let (bridge, _directory) = two_channels("one\ntwo\nTHREE\n", "other\n");
    let url = bridge.url("");
    let all = ["--no-follow", "--tail", "all", &url];
    let with = |more: &[&'static str]| printed(&[&all[..], more].concat());
    assert_eq!(with(&["--channel", "b"]), "other\n");
    assert_eq!(with(&["--channel", "a", "--grep", "^t"]), "two\n");
    assert_eq!(with(&["--channel", "a", "--grep", "^t", "-i"]), "two\nTHREE\n");
    assert_eq!(with(&["--channel", "a", "--grep", "o", "--grep", "n"]), "one\n");
    assert_eq!(with(&["--channel", "a", "--grep-v", "o"]), "THREE\n");
    assert_eq!(sorted(&with(&["--channel", "a", "--channel", "b/c", "--grep-v", "t", "-i"])), ["one"]);
    assert_eq!(with(&["--since", "2001-01-01T00:00:00Z"]), "", "they were there before");
    // A server that knows nothing of all this.
    let body = "id: 5-1/a\ndata: one\n\nid: 5-2/a\ndata: two\n\n";
    let over = answer("204 Over", "", "");
    let server = Server::saying(&[&format!("{STREAM}{}{LAST}", chunk(body)), &over]);
    // Who asks for lines around a match knows a server that gives them.
    assert_eq!(printed(&["--grep", "w", &server.url("/events?context=1")]), "one\ntwo\n");
    // And who has capitals ignored by the URL.
    let server = Server::saying(&[&format!("{STREAM}{}{LAST}", chunk(body)), &over]);
    assert_eq!(printed(&["--grep", "W", &server.url("/events?i")]), "one\ntwo\n");
    let server = Server::saying(&[&format!("{STREAM}{}{LAST}", chunk(body)), &over]);
    assert_eq!(printed(&["--grep", "w", &server.url("")]), "two\n");
    let asked = server.request();
    assert!(asked.starts_with("GET /events?grep=w&format=sse&ping=1 HTTP/1.1\r\n"), "{asked}");
    assert!(server.request().contains("last-event-id: 5-2/a\r\n"), "what is left out is done with");
}

#[test]
fn several_streams_are_written_by_whole_lines() {
    let mut bridges = [Bridge::start(&[]), Bridge::start(&[])];
    let line = |name: &str| format!("{name}{}\n", "-".repeat(20_000));
    for _ in 0..50 {
        for (bridge, name) in bridges.iter_mut().zip(["x", "y"]) {
            bridge.feed(line(name).as_bytes());
        }
    }
    let urls = bridges.iter().map(|bridge| bridge.url("")).collect::<Vec<_>>();
    let cat = Cat::start(&["--tail", "all", "--label", &urls[0], &urls[1]]);
    for bridge in &mut bridges {
        bridge.end_input();
    }
    let (code, out, err) = cat.end();
    assert_eq!(code, 0, "{err}");
    for (bridge, name) in bridges.iter().zip(["x", "y"]) {
        let expected = format!("127.0.0.1:{}/stdin: {}", bridge.port, line(name));
        assert_eq!(out.lines().filter(|line| *line == expected.trim_end()).count(), 50);
        assert!(err.contains(&format!("{}/events has ended", bridge.url(""))), "{err}");
    }
    assert_eq!(out.lines().count(), 100);
}

#[test]
fn an_event_of_several_lines_is_several_lines() {
    let mut bridge = Bridge::start(&[]);
    bridge.feed(b"a\rb\n\nc\n");
    eventually("three events", || bridge.get("/channels").text(), |text| text.contains("\"events\":3"));
    assert_eq!(printed(&["--no-follow", "--label", &bridge.url("")]), "stdin: a\nstdin: b\nstdin: \nstdin: c\n");
}
