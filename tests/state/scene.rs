//! A daemon whose disk is about to fail, and who watches it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::client::{Client, Pace, Speaks};
use crate::directory::{segments_in, strictly_parsed};
use crate::harness::{Bridge, lines};
use crate::pipes::metric;
use crate::seen::{Seen, abridged, assert_in_order, assert_same};

/// Segments are small, so that new files are wanted soon.
pub const SMALL: &[&str] = &["--keep-size", "1MiB"];

/// How often lines are fed while something is awaited.
pub const FEED: usize = 10;

/// A daemon whose disk is about to fail, and clients that see everything.
pub struct Scene<'a> {
    pub bridge: Bridge,
    clients: Vec<Client>,
    /// What was fed.
    written: Vec<String>,
    /// Starts another one on a port.
    start: Box<dyn Fn(u16) -> Bridge + 'a>,
    /// Where the state is, as the test sees it.
    state: PathBuf,
}

impl<'a> Scene<'a> {
    pub fn new(state: &Path, start: impl Fn(u16) -> Bridge + 'a) -> Self {
        let bridge = start(0);
        let client = |speaks| Client::of(bridge.port, "/events?tail=all", Pace::Full, speaks);
        let clients = vec![client(Speaks::Http1), client(Speaks::Http2)];
        let mut scene = Self { bridge, clients, written: Vec::new(), start: Box::new(start), state: state.to_owned() };
        scene.feed(200);
        scene
    }

    /// Feeds lines, and waits until everybody who is connected has them.
    #[track_caller]
    pub fn feed(&mut self, count: usize) {
        let next = self.written.len();
        let new: Vec<_> = (next..next + count).map(|number| format!("{number} {}", "x".repeat(number % 190))).collect();
        self.bridge.feed((new.join("\n") + "\n").as_bytes());
        self.written.extend(new);
        self.clients.iter().for_each(|client| client.wait_for(self.written.len()));
    }

    /// Feeds until the history can, or cannot, be written.
    #[track_caller]
    pub fn feed_until_failing(&mut self, is_failing: u64) {
        let what = if is_failing == 1 { "history that cannot be written" } else { "history that is written again" };
        let mut last = u64::MAX;
        for _ in 0..20_000 {
            self.feed(FEED);
            last = metric(&self.bridge, "stored_failing");
            if last == is_failing {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(2)); // it looks, and tries again, once a second
        }
        panic!("waited for {what}; stored_failing is {last}, and it said:\n{}", self.bridge.stderr());
    }

    /// All who ask are told that history cannot be written, and why.
    #[track_caller]
    pub fn assert_failing(&self, words: &str) {
        let ready = |path: &str| {
            let mut get = self.bridge.get(path);
            (get.status(), get.text())
        };
        let (status, text) = ready("/readyz");
        assert!(status == 200 && text.contains("history cannot be written"), "/readyz: {status} {text}");
        assert_eq!(ready("/readyz?strict").0, 503);
        let failing = self.stored()["failing"].clone();
        assert!(failing.as_str().is_some_and(|reason| reason.contains(words)), "/channels says {failing}, not {words:?}");
        self.bridge.wait_for_stderr(words);
    }

    #[track_caller]
    pub fn assert_well(&self) {
        assert_eq!(self.bridge.get("/readyz?strict").text().trim(), "ok");
        assert_eq!(self.stored()["failing"], Value::Null);
    }

    fn stored(&self) -> Value {
        serde_json::from_str::<Value>(&self.bridge.get("/channels").text()).unwrap()["stored"].clone()
    }

    /// How often it was said that history cannot be written.
    pub fn told(&self) -> usize {
        self.bridge.stderr().matches("could not write history").count()
    }

    fn history(&self) -> Vec<Seen> {
        let segments = segments_in(&self.state.join("stdin"));
        strictly_parsed(&segments.iter().flat_map(|path| fs::read(path).unwrap()).collect::<Vec<_>>())
            .iter()
            .map(Seen::of)
            .collect()
    }

    /// The end of the scene: who was connected has missed nothing; after a restart, what is missing on the disk is one gap, and nothing comes twice.
    /// Gives how many events are missing.
    #[track_caller]
    pub fn end(mut self) -> u64 {
        let abridged: Vec<_> = self.written.iter().map(|line| abridged(line)).collect();
        let mut seen = Vec::new();
        for client in std::mem::take(&mut self.clients) {
            let record = client.end();
            assert_eq!((record.gaps.len(), record.streams), (0, 1), "{:?}", record.gaps);
            assert_in_order("a client that stayed", &record.seen);
            assert_same("a client that stayed", &record.seen.iter().map(|seen| &*seen.data).collect::<Vec<_>>(), &abridged);
            seen = record.seen;
        }
        // Who comes to the same daemon gets all of it, too: what is not on the disk is in memory.
        assert_eq!(lines(&self.bridge.get("/events?tail=all&follow=0").rest()).len(), self.written.len());
        self.bridge.signal("TERM");
        assert_eq!(self.bridge.wait(), 0, "{}", self.bridge.stderr());
        println!("it said:\n{}", self.bridge.stderr());
        let again = (self.start)(0);
        let history = self.history();
        let ids: BTreeSet<_> = history.iter().map(|event| &event.id).collect();
        assert!(history.iter().all(|event| seen.contains(event)), "there is something that nobody saw");
        let missing = seen.iter().filter(|event| !ids.contains(&event.id)).count() as u64;
        let first_missing = seen.iter().position(|event| !ids.contains(&event.id)).unwrap_or(0);
        // From the very beginning, and from just before the missing part.
        for at in [0, first_missing.saturating_sub(1)] {
            let back = again.get_with("/events?follow=0", &[("Last-Event-ID", &seen[at].id)]).rest();
            let (gaps, events): (Vec<_>, Vec<_>) = back.into_iter().partition(|event| event.event == "gap");
            let lost: Vec<Value> =
                gaps.iter().map(|gap| serde_json::from_str::<Value>(&gap.data).unwrap()["lost"].clone()).collect();
            let missing = seen[at + 1..].iter().filter(|event| !ids.contains(&event.id)).count();
            assert_eq!(lost, if missing > 0 { vec![Value::from(missing)] } else { vec![] }, "behind event {at}: {gaps:?}");
            let expected: Vec<_> = history.iter().filter(|event| event.number() > seen[at].number()).cloned().collect();
            assert_same("what comes after a restart", &events.iter().map(Seen::of).collect::<Vec<_>>(), &expected);
        }
        missing
    }
}
