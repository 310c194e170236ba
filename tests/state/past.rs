//! A past: a state directory, and all that its clients have seen of it; and the judge of a daemon that starts on it after some harm.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::directory::Directory;
use crate::harness::{Bridge, eventually};
use crate::pipes::metric;
use crate::seen::{Seen, assert_in_order, assert_same};

/// Segments are small, and nothing is let go.
pub const OPTIONS: &[&str] = &["--keep-size", "1MiB", "--history", "256KiB"];

/// How many lines the first run has.
pub const LINES: usize = 4000;

/// How the first run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Term,
    Kill,
}

/// A state directory, and all events that its clients have seen.
pub struct Past {
    pub place: Directory,
    all: Vec<Seen>,
    end: End,
    /// The last number that was safe from a power cut, as the directory says: what is behind it, and behind all that is left, nobody can know of.
    synced: u64,
}

pub fn feed(bridge: &mut Bridge, from: usize, to: usize, before: u64) {
    for part in (from..to).step_by(100) {
        let lines = (part..(part + 100).min(to)).map(|number| format!("{number} {}\n", "x".repeat(number * 31 % 140)));
        bridge.feed(lines.collect::<String>().as_bytes());
        // A record for each.
        let read = ((part + 100).min(to) - from) as u64 + before;
        eventually("lines to be read", || metric(bridge, "input_lines_total"), |lines| *lines >= read);
    }
}

pub fn everything(bridge: &Bridge) -> Vec<Seen> {
    bridge.get("/events?tail=all&follow=0").rest().iter().map(Seen::of).collect()
}

impl Past {
    pub fn new(end: End) -> Self {
        let place = Directory::new();
        let mut bridge = place.start(OPTIONS);
        feed(&mut bridge, 0, LINES, 0);
        let all = everything(&bridge);
        assert_eq!(all.len(), LINES);
        bridge.signal(if end == End::Kill { "KILL" } else { "TERM" });
        bridge.wait();
        assert!(place.segments("stdin").len() >= 4, "{:?}", place.segments("stdin"));
        let synced = fs::read_to_string(place.state().join("@synced"))
            .map_or(0, |text| crate::seen::number_of(text.split(' ').next().unwrap()));
        assert!(end == End::Kill || synced == LINES as u64, "all is safe after an orderly end");
        Self { place, all, end, synced }
    }

    pub fn segment(&self, index: usize) -> PathBuf {
        self.place.segments("stdin").swap_remove(index)
    }

    pub fn newest_segment(&self) -> PathBuf {
        self.place.segments("stdin").pop().unwrap()
    }

    /// Starts the next daemon, and judges all that it serves.
    #[track_caller]
    pub fn judge(&self, what: &str) -> Found {
        self.judge_started(what, self.place.start(OPTIONS))
    }

    /// `what` is for messages.
    #[track_caller]
    pub fn judge_started(&self, what: &str, mut bridge: Bridge) -> Found {
        let what = format!("{what}, after {:?}", self.end);
        let known: BTreeMap<_, _> = self.all.iter().map(|seen| (&seen.id, seen)).collect();
        // Whoever reads what is damaged finds it: after two times everything has been told.
        everything(&bridge);
        let told = everything(&bridge);
        let left: Vec<_> = told.iter().filter(|seen| !seen.channel().is_empty()).cloned().collect();
        assert_in_order(&what, &left);
        for seen in &left {
            assert_eq!(known.get(&seen.id), Some(&seen), "{what}: this is not what was seen");
        }
        let missing = self.all.len() - left.len();
        self.judge_returns(&what, &bridge, &left);
        // It goes on, with numbers that nobody has had.
        feed(&mut bridge, LINES, LINES + 300, 0);
        let later = everything(&bridge);
        let new: Vec<_> = later.iter().filter(|seen| !seen.channel().is_empty()).skip(left.len()).collect();
        assert_eq!(new.len(), 300, "{what}: new lines");
        assert!(new.iter().all(|seen| !known.contains_key(&seen.id)), "{what}: an id is given twice: {:?}", new[0]);
        let (said, damage) = (bridge.stderr(), metric(&bridge, "stored_damage_total"));
        bridge.signal("TERM");
        assert_eq!(bridge.wait(), 0, "{what}: {said}");
        let stored: Vec<_> = later.iter().filter(|seen| !seen.channel().is_empty()).cloned().collect();
        assert_same(&format!("{what}: on the disk"), &self.place.history("stdin"), &stored);
        self.place.assert_verified(&what);
        Found { missing, said, damage, set_aside: self.place.set_aside() }
    }

    /// Clients that come back from anywhere get what is left behind their id, and one gap in front if anything is missing there.
    #[track_caller]
    fn judge_returns(&self, what: &str, bridge: &Bridge, left: &[Seen]) {
        for at in [0, 1, LINES / 5, LINES / 2, LINES - 500, LINES - 2, LINES - 1] {
            let id = &self.all[at].id;
            let back = bridge.get_with("/events?follow=0", &[("Last-Event-ID", id)]).rest();
            let (gaps, events): (Vec<_>, Vec<_>) = back.into_iter().partition(|event| event.event == "gap");
            let events: Vec<_> = events.iter().filter(|event| event.event != "start").map(Seen::of).collect();
            let expected: Vec<_> = left.iter().filter(|seen| seen.number() > self.all[at].number()).cloned().collect();
            assert_same(&format!("{what}: behind event {at}"), &events, &expected);
            let missing = self.all.len() - 1 - at - expected.len();
            let newest = left.last().map_or(0, Seen::number);
            let known = self.all[at + 1..].iter().filter(|seen| seen.number() <= newest.max(self.synced)).count() - expected.len();
            if missing > 0 && (known > 0 || self.all[at].number() > newest) {
                assert_eq!(gaps.len(), 1, "{what}: {missing} are missing behind event {at}");
                let lost = serde_json::from_str::<Value>(&gaps[0].data).unwrap()["lost"].clone();
                // A tail that nobody has synced may be gone without a word.
                assert!(
                    lost.is_null() || lost == missing || lost == known,
                    "{what}: {missing} are missing behind event {at}, and it says {}",
                    gaps[0].data
                );
            }
        }
    }
}

/// What came of it.
#[derive(Debug)]
pub struct Found {
    pub missing: usize,
    pub said: String,
    pub damage: u64,
    pub set_aside: Vec<PathBuf>,
}

impl Found {
    /// It was said, counted and set aside, and so few events were lost.
    #[track_caller]
    pub fn assert_damage(&self, what: &str, most: usize) {
        assert!(self.said.contains("damaged") && self.damage > 0 && !self.set_aside.is_empty(), "{what}: {self:?}");
        assert!(self.missing <= most, "{what}: too many are missing: {self:?}");
    }

    /// Nothing was lost, and nothing is called damaged.
    #[track_caller]
    pub fn assert_nothing(&self, what: &str) {
        assert!(
            self.missing == 0 && self.damage == 0 && self.set_aside.is_empty() && !self.said.contains("damaged"),
            "{what}: {self:?}"
        );
    }
}

/// Does the same harm after each end.
pub fn after_each_end(what: &str, harm: impl Fn(&Past), check: impl Fn(&str, &Found)) {
    for end in [End::Term, End::Kill] {
        let past = Past::new(end);
        harm(&past);
        check(what, &past.judge(what));
    }
}
