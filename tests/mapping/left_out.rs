//! What is left out: by match and drop, and by the rate limit.

use std::fs;
use std::time::Instant;

use serde_json::Value;

use crate::harness::{Bridge, eventually, scale};
use crate::scene::{Scene, event, metric, retained, shown, wait_for};

/// How many are told to be missing, and by what reason.
fn lost(events: &[(String, String)]) -> (u64, Vec<String>) {
    let gaps: Vec<Value> =
        events.iter().filter(|(kind, _)| kind == "gap").map(|(_, data)| serde_json::from_str(data).unwrap()).collect();
    let reasons = gaps.iter().map(|gap| gap["reason"].as_str().unwrap().to_owned()).collect();
    (gaps.iter().map(|gap| gap["lost"].as_u64().unwrap()).sum(), reasons)
}

#[test]
fn only_what_matches_is_kept_and_the_rest_is_no_gap() {
    let mut bridge = Bridge::start(&["--match=error", "--match=warn", "--drop=harmless"]);
    bridge.feed(b"an error\ninfo\na warning\nharmless error\n");
    bridge.feed("info\n".repeat(1000).as_bytes());
    bridge.feed(b"last error\n");
    assert_eq!(wait_for(&bridge, 3), ["an error", "a warning", "last error"].map(|data| event("message", data)));
    assert_eq!((metric(&bridge, "unwanted_events_total"), metric(&bridge, "input_lines_total")), (1002, 1005));
}

#[test]
fn shown_and_told_is_all_that_was_written() {
    let count = scale(200_000, 5_000_000);
    let mut bridge = Bridge::start(&["--rate-limit=100", "--tail=all"]);
    let began = Instant::now();
    let mut input = bridge.take_stdin();
    let writer = std::thread::spawn(move || {
        let block = "y\n".repeat(1000);
        for _ in 0..count / 1000 {
            std::io::Write::write_all(&mut input, block.as_bytes()).unwrap();
        }
    });
    writer.join().unwrap();
    let events = eventually("the end", || shown(&retained(&bridge)), |events| events.iter().any(|(kind, _)| kind == "end"));
    let seconds = began.elapsed().as_secs() as usize + 1;
    let lines = events.iter().filter(|(kind, _)| kind == "message").count();
    let (lost, reasons) = lost(&events);
    assert_eq!(lines as u64 + lost, count, "{lines} shown, {lost} lost");
    assert!((100..=100 * (seconds + 1)).contains(&lines), "{lines} in {seconds} s");
    assert!(reasons.iter().all(|reason| reason == "rate-limit") && reasons.len() <= seconds + 1, "{reasons:?}");
    assert_eq!(metric(&bridge, "limited_events_total"), lost);
}

#[test]
fn a_source_that_falls_silent_is_told_of() {
    let scene = Scene::new();
    let bridge = scene.follow_with_state(&["--rate-limit=3"]);
    let mut client = bridge.get("/events?tail=all");
    scene.append("new\n");
    eventually("the first", || retained(&bridge).len(), |count| *count == 1);
    scene.append(&"x\n".repeat(10));
    let events: Vec<_> = std::iter::from_fn(|| client.next_event()).filter(|event| event.event != "start").take(4).collect();
    let gap: Value = serde_json::from_str(&events[3].data).unwrap();
    assert_eq!(
        (events[3].event.as_str(), gap["reason"].as_str(), gap["channels"][0].as_str()),
        ("gap", Some("rate-limit"), Some("app"))
    );
    assert_eq!(gap["lost"].as_u64(), Some(8), "{gap}");
    assert_eq!(gap["from"].as_str(), Some(&*events[2].id), "behind the last that is shown");
    assert!(events[3].id.starts_with(gap["to"].as_str().unwrap()), "{gap} {}", events[3].id);
    // It is an event like any other: a restart tells it again to who asks, and nothing else.
    bridge.signal("KILL");
    drop(bridge);
    let again = scene.follow_with_state(&["--rate-limit=3"]);
    assert_eq!(shown(&retained(&again)).len(), 4);
    scene.append("more\n");
    assert_eq!(wait_for(&again, 5)[4], event("message", "more"));
}

#[test]
fn who_is_killed_before_it_has_told_tells_or_shows_it_then() {
    let scene = Scene::new();
    let mut written = 0;
    for _ in 0..4 {
        let bridge = scene.follow_with_state(&["--rate-limit=6/m"]);
        scene.append(&"x\n".repeat(50));
        written += 50;
        eventually("some of it", || metric(&bridge, "input_lines_total"), |count| *count >= 50);
        bridge.signal("KILL");
    }
    let bridge = scene.follow_with_state(&[]);
    scene.append("the end\n");
    let events =
        eventually("the end", || shown(&retained(&bridge)), |events| events.last().is_some_and(|(_, data)| data == "the end"));
    let lines = events.iter().filter(|(kind, _)| kind == "message").count() as u64;
    assert_eq!(lines - 1 + lost(&events).0, written);
}

#[test]
fn lines_that_nobody_wants_are_read_once_and_leave_no_gap() {
    let scene = Scene::new();
    let options = ["--drop=noise", "--rotate-wait=100ms"];
    let bridge = scene.follow_with_state(&options);
    scene.append("wanted\n");
    wait_for(&bridge, 1);
    scene.append(&"noise\n".repeat(5000));
    eventually("all of it", || metric(&bridge, "unwanted_events_total"), |count| *count == 5000);
    // Its place is stored after a while, though no event comes with it.
    let before = scene.stored_of_channel();
    scene.append("noise\n");
    let size = eventually("a stored position", || scene.stored_of_channel(), |size| *size > before);
    bridge.signal("KILL");
    drop(bridge);
    let bridge = scene.follow_with_state(&options);
    scene.append("wanted again\n");
    assert_eq!(wait_for(&bridge, 2)[1], event("message", "wanted again"));
    let again = metric(&bridge, "unwanted_events_total");
    assert!(again <= 1, "{again} are read again");
    // A file that ends in such lines, is rotated and deleted has lost nothing.
    scene.append("noise\n");
    eventually("it is read", || metric(&bridge, "unwanted_events_total"), |count| *count == again + 1);
    fs::rename(scene.log(), scene.path("app.log.1")).unwrap();
    scene.append("in the next\n");
    wait_for(&bridge, 3);
    fs::remove_file(scene.path("app.log.1")).unwrap();
    scene.append("at last\n");
    assert_eq!(wait_for(&bridge, 4)[3], event("message", "at last"));
    assert_eq!(metric(&bridge, "source_gaps_total"), 0, "{}", bridge.stderr());
    assert!(scene.stored_of_channel() < size + 4000, "positions alone are not stored often");
}
