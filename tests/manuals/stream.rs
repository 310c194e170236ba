use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde_json::Value;
use sse_bridge::channel::Reason;
use sse_bridge::event::RESERVED_TYPES;

use crate::harness::{Bridge, Get, command};
use crate::page::{Page, path};

fn page() -> Page {
    Page::open("man/sse-bridge.7")
}

#[test]
fn every_parameter_is_documented_and_every_documented_one_exists() {
    let code = fs::read_to_string(path("src/http/query.rs")).unwrap();
    let (_, arms) = code.split_once("match &*name {").unwrap();
    let arms = arms.split("_ => {}").next().unwrap();
    let known: BTreeSet<_> =
        arms.lines().filter_map(|line| Some(line.trim().strip_prefix('"')?.split_once("\" => ")?.0.to_owned())).collect();
    let documented: BTreeSet<_> = page().section("Sh QUERY").items().iter().map(|item| item.words_of("Ic")[0].clone()).collect();
    assert!(known.len() > 10, "{known:?}");
    assert_eq!(documented, known);
}

#[test]
fn every_url_answers() {
    let bridge = Bridge::start(&[]);
    let items = page().section("Sh URLS").items();
    let urls: Vec<_> = items.iter().flat_map(|item| item.head.split(' ').filter(|word| word.starts_with('/'))).collect();
    assert!(urls.len() >= 9, "{urls:?}");
    for url in urls {
        let url = if url == "/events/" { "/events/stdin" } else { url };
        assert_eq!(Get::request(bridge.port, "HEAD", url, &[]).status(), 200, "{url}");
    }
}

/// The members of the data of a control event, by its type, as the page lists them.
fn members(kind: &str) -> BTreeSet<String> {
    let items = page().section("Sh CONTROL EVENTS").items();
    let item = items.iter().find(|item| item.words_of("Sy") == [kind] && item.text.contains(".Li {")).unwrap();
    let list = item.text.split_once(".Li {").unwrap().1.split('}').next().unwrap();
    list.split(", ").filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

#[test]
fn every_control_event_is_documented_with_its_data() {
    let documented: BTreeSet<_> =
        page().section("Sh CONTROL EVENTS").items().iter().map(|item| item.words_of("Sy")[0].clone()).collect();
    // These three are reserved because pages cannot tell them from what an `EventSource` says itself.
    let known = RESERVED_TYPES.iter().filter(|kind| !["open", "error", "message"].contains(kind)).map(|kind| (*kind).to_owned());
    assert_eq!(documented, known.collect::<BTreeSet<_>>());

    let script = "echo line; printf 'ten\\rtwenty\\r'; read stop";
    let command = command(&["run", "--name=x", "--max-clients=2", "--heartbeat=1s", "--stdin", "--", "sh", "-c", script]);
    let mut bridge = Bridge::spawn(command);
    let mut streams = [bridge.get("/events?ping=1"), bridge.get_with("/events?ping=1", &[("Last-Event-ID", "1-1/x")])];
    let mut full = bridge.get_with("/events", &[("Accept", "text/event-stream")]);
    let mut wanted = documented;
    let mut hear = |event: crate::harness::parser::Message| {
        if !wanted.remove(&event.event) {
            return;
        }
        let Ok(Value::Object(data)) = serde_json::from_str(&event.data) else { panic!("{}: {}", event.event, event.data) };
        assert_eq!(data.keys().cloned().collect::<BTreeSet<_>>(), members(&event.event), "{}", event.event);
    };
    hear(full.next_event().unwrap());
    for stream in &mut streams {
        loop {
            let event = stream.next_event().unwrap();
            let is_ping = event.event == "ping";
            hear(event);
            if is_ping {
                break;
            }
        }
    }
    bridge.end_input();
    for event in streams[0].rest() {
        hear(event);
    }
    drop(streams);
    let quiet = Bridge::start(&["/nowhere.log"]);
    hear(quiet.get("/events").next_event().unwrap());
    assert!(wanted.is_empty(), "not seen: {wanted:?}");
}

#[test]
fn every_reason_of_a_gap_is_told() {
    let source = page().section("Sh CONTROL EVENTS").words_of("Cm");
    for reason in reasons() {
        let word = serde_json::to_value(reason).unwrap();
        assert!(source.contains(&word.as_str().unwrap().to_owned()), "{word}: {source:?}");
    }
}

/// All of them: who adds one is told so here.
fn reasons() -> impl Iterator<Item = Reason> {
    let next = |reason: &Reason| match reason {
        Reason::Dropped => Some(Reason::Slow),
        Reason::Slow => Some(Reason::Restart),
        Reason::Restart => Some(Reason::Truncated),
        Reason::Truncated => Some(Reason::Overwritten),
        Reason::Overwritten => Some(Reason::Vanished),
        Reason::Vanished => Some(Reason::Crash),
        Reason::Crash => Some(Reason::RateLimit),
        Reason::RateLimit => Some(Reason::Upstream),
        Reason::Upstream => None,
    };
    std::iter::successors(Some(Reason::Dropped), next)
}

#[test]
fn examples_are_answered() {
    let bridge = Bridge::start(&["web/access.log=/nowhere.log"]);
    let examples = page().section("Sh EXAMPLES").lines();
    assert!(examples.len() >= 4, "{examples:?}");
    for example in examples {
        let line = example.replace("127.0.0.1:8080", &format!("127.0.0.1:{}", bridge.port));
        let line = line.replacen("curl ", "curl -sS --fail --max-time 0.5 ", 1);
        let done = Command::new("sh").args(["-c", &line]).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        let has_followed = done.status.code() == Some(28) && said.contains("timed out");
        assert!(done.status.success() || has_followed, "{example}: {said}");
    }
}
