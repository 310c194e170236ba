//! Filters as costly as they may be, and clients beside them. What is judged is the order of things: who has got something while others are not half done.

use std::process::{Child, Command, Stdio};

use crate::directory::Directory;
use crate::harness::{Bridge, Collected, Random, eventually, lines, seed};
use crate::pipes::{metric, wait_for_lines};

/// The search goes through all its states at each byte, and finds nothing.
const WORST: &str = "(x%7Cy)*x(x%7Cy)%7B60%7Dz";

/// How many there are.
const COSTLY: usize = 8;

/// Lines on which they are costly: so many, each so long.
const LONG: usize = 16;
const LENGTH: usize = 256 * 1024;

/// What all costly filters have to look through together.
const ALL: u64 = (COSTLY * LONG * LENGTH) as u64;

const VERSIONS: [&str; 2] = ["--http1.1", "--http2-prior-knowledge"];

fn long_lines(random: &mut Random) -> Vec<u8> {
    let letter = |random: &mut Random| if random.below(2) == 0 { b'x' } else { b'y' };
    let line = |_| [(0..LENGTH).map(|_| letter(random)).collect(), vec![b'\n']].concat();
    (0..LONG).flat_map(line).collect()
}

/// A client of its own process, over any version of HTTP.
struct Curl {
    child: Child,
    shown: Collected,
}

impl Curl {
    fn new(bridge: &Bridge, version: &str, path: &str) -> Self {
        let mut curl = Command::new("curl");
        curl.args([version, "-gsN", "--noproxy", "*"]).arg(bridge.url(path)).stdout(Stdio::piped());
        let mut child = curl.spawn().expect("curl is installed");
        let shown = Collected::of(child.stdout.take().unwrap());
        Self { child, shown }
    }
}

impl Drop for Curl {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Costly ones who wait for news.
fn costly(bridge: &Bridge, version: &str, more: &str) -> Vec<Curl> {
    let curls: Vec<_> =
        (0..COSTLY).map(|number| Curl::new(bridge, version, &format!("/events?grep={WORST}{number}{more}"))).collect();
    eventually("all filters are in use", || metric(bridge, "filters"), |filters| *filters >= COSTLY as u64);
    curls
}

/// Less than half of what costly ones have to look through has been looked through by now.
fn assert_costly_ones_are_not_half_done(bridge: &Bridge, before: u64, whose: &str) {
    let looked = metric(bridge, "filter_bytes_total") - before;
    assert!(looked < ALL / 2, "{whose} waited until {looked} of {ALL} bytes had been looked through");
}

#[test]
fn costly_filters_hold_up_no_live_line() {
    let mut random = Random::new(seed());
    for version in VERSIONS {
        let mut bridge = Bridge::start(&[]);
        let costly = costly(&bridge, version, "&tail=0");
        costly.iter().for_each(|curl| _ = curl.shown.wait_for("event: start\n"));
        let mut plain = bridge.get("/events?tail=0");
        let mut cheap = bridge.get("/events?tail=0&grep=live");
        for get in [&mut plain, &mut cheap] {
            get.events(1);
        }
        let others = ["/events?tail=0", "/events?tail=0&grep=live"].map(|path| Curl::new(&bridge, VERSIONS[1], path));
        others.iter().for_each(|curl| _ = curl.shown.wait_for("event: start\n"));
        let before = metric(&bridge, "filter_bytes_total");
        bridge.feed(&[long_lines(&mut random), b"live\n".to_vec()].concat());
        assert_eq!(lines(&plain.events(LONG + 1))[LONG], "live");
        others[0].shown.wait_for("data: live\n");
        assert_costly_ones_are_not_half_done(&bridge, before, &format!("who has no filter, beside {version},"));
        assert_eq!(lines(&cheap.events(1)), ["live"]);
        others[1].shown.wait_for("data: live\n");
        assert_costly_ones_are_not_half_done(&bridge, before, &format!("a cheap filter beside {version}"));
    }
}

#[test]
fn costly_filters_hold_up_nobody_who_reads_the_history() {
    let mut random = Random::new(seed());
    for (version, is_on_disk) in [(VERSIONS[0], false), (VERSIONS[0], true), (VERSIONS[1], true)] {
        let place = Directory::new();
        let mut bridge = if is_on_disk { place.start(&["--history", "256KiB"]) } else { Bridge::start(&[]) };
        bridge.feed(&[long_lines(&mut random), b"live\n".to_vec()].concat());
        wait_for_lines(&bridge, LONG as u64 + 1);
        let _costly = costly(&bridge, version, "&tail=all");
        let before = metric(&bridge, "filter_bytes_total");
        assert_eq!(lines(&bridge.get("/events?tail=all&follow=0").rest()).len(), LONG + 1);
        assert_costly_ones_are_not_half_done(&bridge, before, &format!("who has no filter, beside {version},"));
        assert_eq!(lines(&bridge.get("/events?tail=all&follow=0&grep=live").rest()), ["live"]);
        assert_costly_ones_are_not_half_done(&bridge, before, &format!("a cheap filter beside {version}"));
    }
}

#[test]
fn costly_filters_hold_up_nobody_who_looks_back() {
    let mut random = Random::new(seed());
    for is_on_disk in [false, true] {
        let place = Directory::new();
        let mut bridge = if is_on_disk { place.start(&["--history", "256KiB"]) } else { Bridge::start(&[]) };
        bridge.feed(&[b"live\n".to_vec(), long_lines(&mut random)].concat());
        wait_for_lines(&bridge, LONG as u64 + 1);
        let newest = bridge.get("/events?tail=1&follow=0").rest().remove(0).id;
        let _costly = costly(&bridge, VERSIONS[0], "&tail=1");
        let before = metric(&bridge, "filter_bytes_total");
        let mut get = bridge.get("/events?tail=1&follow=0&grep=live");
        assert_eq!((lines(&get.rest()), get.header("sse-bridge-tail")), (vec!["live"], None));
        assert_costly_ones_are_not_half_done(&bridge, before, "a cheap filter");
        let mut back = bridge.get_with("/events?grep=live&context=3", &[("Last-Event-ID", &newest)]);
        bridge.feed(b"live\n");
        assert_eq!(lines(&back.events(1)), ["live"]);
        assert_costly_ones_are_not_half_done(&bridge, before, "a client that comes back");
    }
}

/// What has been found in five seconds is the answer, and it says how far that is.
#[test]
fn looking_back_ends_in_time_and_can_be_gone_on_with() {
    let mut random = Random::new(seed());
    let mut bridge = Bridge::start(&["--history", "256MiB"]);
    let long = long_lines(&mut random);
    (0..16).for_each(|_| bridge.feed(&long));
    bridge.feed(b"live\n");
    wait_for_lines(&bridge, 16 * LONG as u64 + 1);
    let path = format!("/events?follow=0&tail=2&grep={WORST}%7Clive");
    let number = |place: &str| place.split('-').nth(1).unwrap().parse::<u64>().unwrap();
    let mut first = bridge.get(&path);
    let place = first.header("sse-bridge-tail").expect("it says that it ended early");
    assert_eq!(lines(&first.rest()), ["live"]);
    assert!(number(&place) > 1 && number(&place) <= 16 * LONG as u64, "{place}");
    let mut next = bridge.get(&format!("{path}&before={place}"));
    assert_eq!(next.header("sse-bridge-tail").map(|next| number(&next) < number(&place)), Some(true), "it goes on before that");
    assert!(next.rest().is_empty());
}
