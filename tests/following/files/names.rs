//! Which names are followed.

use std::fs;
use std::thread;

use super::{Ground, Mode, QUIET, lines};
use crate::sources::metric;

in_both_modes! {
    compressed_and_hidden_files_are_left_out_of_globs
    names_of_255_bytes_are_followed
}

fn compressed_and_hidden_files_are_left_out_of_globs(mode: Mode) {
    let ground = Ground::new(mode);
    let unread = ["a.log.gz", "a.log.xz", "a.log.zst", "a.log.bz2", "a.log.1.gz", ".a.log", ".a.log.swp"];
    unread.iter().for_each(|name| ground.append(name, b"unread\n"));
    ground.append("a.log", b"read\n");
    let bridge = ground.follow("*", &["--from", "start"]);
    let mut stream = bridge.get("/events?tail=all");
    assert_eq!(lines(&mut stream, 1), ["read"]);
    unread.iter().for_each(|name| ground.append(&format!("{}x{name}", if name.starts_with('.') { "." } else { "" }), b"unread\n"));
    ground.append("b.log.1", b"also read\n");
    assert_eq!(lines(&mut stream, 1), ["also read"]);
    thread::sleep(QUIET); // that nothing comes can only be waited for
    assert_eq!(metric(&bridge, "input_lines_total"), 2);
    // Who names one gets it.
    let named = ground.follow(".a.log", &["--from", "start"]);
    assert_eq!(lines(&mut named.get("/events?tail=all"), 1), ["unread"]);
}

fn names_of_255_bytes_are_followed(mode: Mode) {
    let ground = Ground::new(mode);
    let long = "n".repeat(251);
    let deep = ["d".repeat(255), "e".repeat(255), format!("{long}.log")].join("/");
    fs::create_dir_all(ground.path(&deep).parent().unwrap()).unwrap();
    ground.append(&format!("{long}.log"), b"old\n");
    ground.append(&deep, b"old and deep\n");
    let bridge = ground.follow("**/*.log", &["--from", "start"]);
    let mut stream = bridge.get("/events?tail=all");
    let mut seen = stream.events(2);
    seen.sort_by(|a, b| a.data.cmp(&b.data));
    assert_eq!(seen.iter().map(|event| event.data.as_str()).collect::<Vec<_>>(), ["old", "old and deep"]);
    for event in &seen {
        let channel = event.id.split_once('/').unwrap().1;
        assert!(channel.starts_with("f") && channel.len() <= 90, "{channel}");
    }
    // The name is full: what rotation makes of it is another one.
    ground.rename(&format!("{long}.log"), "short.1");
    ground.append(&format!("{long}.log"), b"new\n");
    assert_eq!(lines(&mut stream, 1), ["new"]);
    ground.append(&deep, b"more\n");
    let event = stream.next_event().unwrap();
    assert_eq!(event.data, "more");
    let path = format!("/events/{}?tail=all&follow=0", event.id.split_once('/').unwrap().1);
    assert_eq!(lines(&mut bridge.get(&path), 2), ["old and deep", "more"], "the channel is found by its name");
}
