//! More is wanted than the kernel gives: descriptors, and room in a file. Nothing of the history is taken for damaged, and nobody misses anything.

use std::fs;
use std::process::Command;
use std::thread;

use crate::directory::Directory;
use crate::harness::{Bridge, Get, eventually, scale};
use crate::pipes::metric;
use crate::seen::Seen;

/// A daemon in a shell that has set a limit.
fn limited(limit: &str, daemon: &Command) -> Bridge {
    let mut shell = Command::new("bash");
    shell.args(["-c", &format!("{limit} && exec \"$0\" \"$@\"")]).arg(daemon.get_program()).args(daemon.get_args());
    Bridge::spawn(shell)
}

const CHANNELS: usize = 16;

/// A stopped daemon's state directory with so many lines in each of the channels, and the options for the next.
fn stored(place: &Directory, lines: usize) -> Vec<String> {
    fs::create_dir(place.above().join("logs")).unwrap();
    for channel in 0..CHANNELS {
        let text: String = (0..lines).map(|line| format!("{channel} {line} {}\n", "x".repeat(400))).collect();
        fs::write(place.above().join(format!("logs/{channel:02}.log")), text).unwrap();
    }
    let options = ["--history", "256KiB", "--from", "start"].map(str::to_owned);
    let options: Vec<_> = options.into_iter().chain([format!("l={}", place.at("logs/*.log"))]).collect();
    let mut bridge = place.start(&options.iter().map(String::as_str).collect::<Vec<_>>());
    eventually("all lines", || metric(&bridge, "input_lines_total"), |read| *read == (CHANNELS * lines) as u64);
    bridge.signal("TERM");
    assert_eq!(bridge.wait(), 0);
    options
}

#[test]
fn clients_who_replay_many_channels_with_few_descriptors_get_everything() {
    for (descriptors, clients) in [(256, scale(44, 48)), (1024, scale(60, 300))] {
        let (place, lines) = (Directory::new(), 1500);
        let options = stored(&place, lines);
        let options: Vec<_> = options.iter().map(String::as_str).collect();
        let bridge = limited(&format!("ulimit -n {descriptors}"), &place.command(0, &options));
        let port = bridge.port;
        let read = move || {
            let all = Get::new(port, "/events?tail=all&follow=0", &[]).rest();
            (all.len(), all.iter().filter(|event| event.event != "message").map(Seen::of).collect::<Vec<_>>())
        };
        let readers: Vec<_> = (0..clients).map(|_| thread::spawn(read)).collect();
        for reader in readers {
            let (count, others) = reader.join().unwrap();
            assert!(count == CHANNELS * lines && others.is_empty(), "{descriptors}: {count} events, {others:?}");
        }
        assert_eq!((metric(&bridge, "stored_damage_total"), metric(&bridge, "gaps_total")), (0, 0), "{}", bridge.stderr());
        assert!(bridge.stderr().matches("could not read history").count() <= 1, "{}", bridge.stderr());
        drop(bridge);
        assert!(place.set_aside().is_empty());
        place.assert_verified("after few descriptors");
    }
}

#[test]
fn opens_that_find_no_descriptor_are_tried_again() {
    let place = Directory::new();
    let mut bridge = place.start(&["--history", "256KiB"]);
    let lines: String = (0..5000).map(|line| format!("{line} {}\n", "x".repeat(200))).collect();
    bridge.feed(lines.as_bytes());
    eventually("all lines", || metric(&bridge, "input_lines_total"), |read| *read == 5000);
    bridge.signal("TERM");
    assert_eq!(bridge.wait(), 0);
    // Calls are counted for each thread: at the start fewer are made.
    for answer in ["openat:error=EMFILE:when=120+3", "openat:error=ENFILE:when=150..400"] {
        let mut bridge = Bridge::spawn(crate::kernel::answered(&place.command(0, &["--history", "256KiB"]), &[answer]));
        for _ in 0..scale(40, 200) {
            let all = bridge.get("/events?tail=all&follow=0").rest();
            assert!(all.len() == 5000 && all.iter().all(|event| event.event == "message"), "{answer}: {}", all.len());
        }
        let said = bridge.stderr();
        assert_eq!(metric(&bridge, "stored_damage_total"), 0, "{answer}: {said}");
        assert!(said.matches("could not read history").count() <= 1 && !said.contains("lost;"), "{answer}: {said}");
        bridge.signal("TERM");
        assert_eq!(bridge.wait(), 0);
    }
    place.assert_verified("after opens that found no descriptor");
}

#[test]
fn a_file_that_may_not_become_larger_is_a_write_that_fails() {
    let place = Directory::new();
    let mut bridge = limited("ulimit -f 8", &place.command(0, &["--keep-size", "1MiB"])); // of 1024 bytes
    let lines: String = (0..500).map(|line| format!("{line} {}\n", "x".repeat(100))).collect();
    bridge.feed(lines.as_bytes());
    eventually("all lines", || metric(&bridge, "input_lines_total"), |read| *read == 500);
    eventually("history that cannot be written", || metric(&bridge, "stored_failing"), |failing| *failing == 1);
    assert!(bridge.wait_for_stderr("could not write history").contains("file too large"), "{}", bridge.stderr());
    assert_eq!(bridge.get("/events?tail=all&follow=0").rest().len(), 500, "the stream goes on");
    bridge.signal("TERM");
    assert_eq!(bridge.wait(), 0);
}
