//! Stack traces, through kills.

use std::thread;
use std::time::Duration;

use crate::harness::{Bridge, Random, eventually, scale, seed};
use crate::scene::{Scene, event, metric, retained, shown, wait_for};

const JAVA: &str = "Exception in thread \"main\" java.lang.IllegalStateException: no\n\tat a.b.C.d(C.java:12)\n\tat a.b.C.main(C.java:3)\n\
                    Caused by: java.io.IOException: gone\n\tat e.F.g(F.java:99)\n\t... 2 more";
const PYTHON: &str = "Traceback (most recent call last):\n  File \"x.py\", line 3, in <module>\n    f()\n    ~^^\nValueError: bad";

#[test]
fn a_stack_trace_is_one_event() {
    let mut bridge = Bridge::start(&["--multiline", "indent"]);
    bridge.feed(format!("before\n{JAVA}\n{PYTHON}\nafter\n").as_bytes());
    // The last line has nothing behind it: it is an event after the usual wait.
    let expected = ["before", JAVA, PYTHON, "after"].map(|data| event("message", data));
    assert_eq!(wait_for(&bridge, 4), expected);
    bridge.feed(b"last\n");
    bridge.feed(b"\tof all");
    bridge.end_input();
    assert_eq!(wait_for(&bridge, 6)[4], event("message", "last\n\tof all"));
}

#[test]
fn what_begins_can_be_said() {
    let mut bridge = Bridge::start(&["--multiline-start", r"^\d\d:\d\d", "--multiline-wait", "50ms"]);
    bridge.feed(b"10:00 a\nmore\n\n10:01 b\n");
    assert_eq!(wait_for(&bridge, 2), [event("message", "10:00 a\nmore\n"), event("message", "10:01 b")]);
    bridge.feed(b"too late\n");
    assert_eq!(wait_for(&bridge, 3)[2], event("message", "too late"));
}

#[test]
fn a_group_has_a_bound() {
    let mut bridge = Bridge::start(&["--multiline=indent", "--max-line=64", "--multiline-wait=50ms"]);
    bridge.feed(format!("head\n{}", " 0123456789\n".repeat(20)).as_bytes());
    let events = eventually(
        "all of it",
        || shown(&retained(&bridge)),
        |events| events.iter().map(|(_, data)| data.len() + 1).sum::<usize>() == 245,
    );
    assert!(events.len() > 3 && events.iter().all(|(_, data)| data.len() <= 64), "{events:?}");
    assert_eq!(metric(&bridge, "cut_groups_total"), 1);
    bridge.wait_for_stderr("a group of --multiline longer than --max-line");
}

#[test]
fn groups_of_a_container_are_those_of_its_outputs() {
    let scene = Scene::new();
    let bridge = scene.follow(&["--format=cri", "--multiline=indent", "--event-type-field=stream", "--multiline-wait=100ms"]);
    let mut text = String::new();
    for (number, line) in JAVA.lines().enumerate() {
        text += &format!("2026-T stderr F {line}\n2026-T stdout F request {number}\n");
    }
    scene.append(&text);
    let events = wait_for(&bridge, 1 + JAVA.lines().count());
    assert_eq!(events[0], event("stderr", JAVA));
    assert_eq!(events.len(), 1 + JAVA.lines().count());
}

/// The daemon is killed while a trace is being written, again and again; in the end each is there once, whole.
#[test]
fn kills_in_the_middle_of_a_group_lose_and_double_nothing() {
    let seed = seed();
    let mut random = Random::new(seed);
    let scene = Scene::new();
    let options = ["--multiline=indent", "--multiline-wait=30s", "--redact=secret-\\d+", "--drop=^noise"];
    let mut expected = Vec::new();
    let mut bridge = scene.follow_with_state(&options);
    for number in 0..scale(12, 100) {
        let text = format!("{number} failed with secret-{number}\n{JAVA}\n\tat end\nnoise {number}\n{number} {PYTHON}\n");
        let cut = random.below(text.len());
        scene.append(&text[..cut]);
        if random.below(2) == 0 {
            thread::sleep(Duration::from_millis(random.below(30) as u64)); // any moment
        }
        bridge.signal("KILL");
        drop(bridge);
        if random.below(3) == 0 {
            scene.append(&text[cut..]);
            bridge = scene.follow_with_state(&options);
        } else {
            bridge = scene.follow_with_state(&options);
            scene.append(&text[cut..]);
        }
        expected.push(format!("{number} failed with [redacted]"));
        expected.push(format!("{JAVA}\n\tat end"));
        let (head, rest) = PYTHON.split_once('\n').unwrap();
        let (body, last) = rest.rsplit_once('\n').unwrap();
        expected.push(format!("{number} {head}\n{body}"));
        expected.push(last.to_owned());
    }
    scene.append("the end\nof all\n");
    expected.push("the end".to_owned());
    let data = || retained(&bridge).into_iter().map(|message| message.data).collect::<Vec<_>>();
    let seen = eventually("the last line", data, |seen| seen.last().is_some_and(|last| last == "the end"));
    assert_eq!(seen, expected);
    assert!(!String::from_utf8_lossy(&scene.stored()).contains("secret-"), "a secret is on the disk");
}

#[test]
fn a_group_ends_with_its_file() {
    let scene = Scene::new();
    scene.append("a\n b\n");
    let bridge = scene.follow(&["--multiline=indent", "--multiline-wait=30s", "--rotate-wait=100ms"]);
    std::fs::rename(scene.log(), scene.path("app.log.1")).unwrap();
    scene.append(" c\nd\n");
    let events = wait_for(&bridge, 2);
    assert_eq!(events, [event("message", "a\n b"), event("message", " c")], "in the order in which they were written");
}
