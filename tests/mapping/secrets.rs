//! What nobody may see: not on the wire, not on the disk, not for a moment.

use std::thread;
use std::time::Duration;

use crate::harness::{Bridge, eventually, lines};
use crate::scene::{Scene, event, retained, wait_for};

/// No part of it stands anywhere else.
const SECRET: &str = "hunter2";

#[track_caller]
fn assert_hidden(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    assert!(!text.contains("hunter"), "it is seen in\n{}", text.lines().find(|line| line.contains("hunter")).unwrap_or_default());
}

#[test]
fn a_secret_is_nowhere_however_it_comes() {
    let scene = Scene::new();
    let state = scene.path("state").display().to_string();
    let options = [
        "--redact=hunter\\d",
        "--redact-with=***",
        "--state-dir",
        &state,
        "--max-line=64",
        "--multiline=indent",
        "--multiline-wait=20ms",
    ];
    let mut bridge = Bridge::start(&options);
    let mut client = bridge.get("/events?tail=all");
    let mut written = 0;
    // Split by writes, whole in front of each boundary of a long line and across it, in groups, and behind a carriage return.
    for cut in 0..=SECRET.len() {
        bridge.feed(format!("a {}", &SECRET[..cut]).as_bytes());
        thread::sleep(Duration::from_millis(2)); // so that it is two reads; nothing depends on it
        bridge.feed(format!("{} b\n", &SECRET[cut..]).as_bytes());
        written += 1;
    }
    for before in 40..140 {
        bridge.feed(format!("{}{SECRET}{}\n", "x".repeat(before), "y".repeat(70)).as_bytes());
        bridge.feed(format!("head\n {}\n {SECRET}\n", "z".repeat(before % 60)).as_bytes());
        written += 2;
    }
    bridge.feed(format!("10%\r{SECRET} 20%\r").as_bytes());
    thread::sleep(Duration::from_millis(400)); // longer than a state of an unfinished line would take to be shown
    bridge.feed(b"done\n");
    bridge.end_input();
    let seen = client.rest();
    assert_hidden(&client.body);
    assert_hidden(&scene.stored());
    let count = lines(&seen).iter().map(|line| line.matches("***").count()).sum::<usize>();
    assert_eq!(count, written + 1, "each is replaced");
    let all = lines(&seen).concat();
    assert_eq!(all.matches('y').count(), 100 * 70, "the rest of the lines is there");
    assert_eq!(all.matches('x').count(), (40..140).sum::<usize>());
    bridge.signal("TERM");
    bridge.wait();
    assert_hidden(&scene.stored());
    assert_hidden(bridge.stderr().as_bytes());
}

#[test]
fn a_type_has_no_secret_either() {
    let mut bridge =
        Bridge::start(&["--format=json", "--event-type-field=user", "--redact=hunter\\d", "--redact=^only$", "--redact-with="]);
    bridge.feed(b"{\"user\":\"hunter2 x\",\"a\":\"hunter2\"}\n{\"user\":\"only\"}\n");
    assert_eq!(wait_for(&bridge, 2), [event(" x", "{\"user\":\" x\",\"a\":\"\"}"), event("message", "{\"user\":\"only\"}")]);
}

#[test]
fn colours_hide_no_secret() {
    let mut bridge = Bridge::start(&["--strip-ansi", "--redact=hunter2"]);
    bridge.feed(b"hun\x1b[1mter\x1b[m2\n");
    assert_eq!(wait_for(&bridge, 1), [event("message", "[redacted]")]);
}

#[test]
fn half_a_line_waits_for_its_other_half() {
    let scene = Scene::new();
    let fifo = format!("p=fifo:{}", scene.path("pipe").display());
    let bridge = Bridge::start(&["--redact=hunter2", &fifo]);
    let mut pipe = std::fs::OpenOptions::new().write(true).open(scene.path("pipe")).unwrap();
    std::io::Write::write_all(&mut pipe, b"first\npassword=hun").unwrap();
    wait_for(&bridge, 1);
    thread::sleep(Duration::from_millis(1500)); // longer than a pipe's unfinished line usually waits
    std::io::Write::write_all(&mut pipe, b"ter2\n").unwrap();
    assert_eq!(wait_for(&bridge, 2)[1], event("message", "password=[redacted]"));
    // Unless the user says so.
    let fifo = format!("p=fifo:{}", scene.path("other").display());
    let bridge = Bridge::start(&["--redact=hunter2", "--flush-partial=50ms", &fifo]);
    let mut pipe = std::fs::OpenOptions::new().write(true).open(scene.path("other")).unwrap();
    std::io::Write::write_all(&mut pipe, b"prompt> ").unwrap();
    assert_eq!(wait_for(&bridge, 1), [event("message", "prompt> ")]);
}

#[test]
fn a_secret_of_a_file_is_not_stored_through_kills() {
    let scene = Scene::new();
    let options = ["--redact=hunter\\d+", "--max-line=32"];
    for round in 0..6 {
        let bridge = scene.follow_with_state(&options);
        scene.append(&format!("{}hunter", "x".repeat(round * 7)));
        thread::sleep(Duration::from_millis(20)); // any moment
        bridge.signal("KILL");
        drop(bridge);
        assert_hidden(&scene.stored());
        scene.append("42 and more of it\n");
    }
    scene.append("the end\n");
    let bridge = scene.follow_with_state(&options);
    let text = || retained(&bridge).iter().map(|message| message.data.clone()).collect::<String>();
    let text = eventually("the last line", text, |text| text.ends_with("the end"));
    assert_hidden(text.as_bytes());
    assert_eq!((text.matches("[redacted]").count(), text.matches("and more of it").count()), (6, 6), "{text}");
    assert_eq!(text.matches('x').count(), 7 * 15, "{text}");
}
