//! The daemon is killed at any moment and started again, again and again, while files are written and rotated; clients come back each time.
//!
//! The oracle: every line once, in order, at every client; no gap; and at the end the history is exactly what the clients saw. A file that is copied
//! and truncated has a gap of its own for each truncation, which is an event of the stream like any other: nobody can know whether something was lost.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::client::{Client, Pace, Speaks};
use crate::directory::Directory;
use crate::harness::{Bridge, Random, eventually, how_to_repeat, scale, seed};
use crate::record::Record;
use crate::seen::{Seen, abridged, assert_in_order, assert_same, lines_by_channel};
use crate::writing::{Log, RARELY, Rotation, Writer};

/// The files of the test, by channel.
const FILES: &[(&str, &str, Rotation)] = &[
    ("logs/a.log", "logs/a.log", Rotation::Shift),
    ("logs/b.log", "logs/b.log", Rotation::Dated),
    ("logs/c.log", "logs/c.log", Rotation::Never),
    ("app", "app.txt", Rotation::Shift),
    ("copied", "copied.txt", Rotation::Copy),
];

/// Daemons that follow each other in one place.
struct Succession {
    place: Directory,
    options: Vec<String>,
    random: Random,
    bridge: Option<Bridge>,
    port: u16,
    kills: usize,
    /// What all of them have said.
    said: String,
}

impl Succession {
    fn begin(options: &[&str], files: &[(&str, &str, Rotation)], seed: u64) -> (Self, Writer) {
        let place = Directory::new();
        let log = |(channel, name, rotation): &(&str, &str, Rotation)| Log::new(channel, place.at(name).as_ref(), *rotation);
        let writer = Writer::start(seed, files.iter().map(log).collect());
        let sources = [("logs", "logs/*.log"), ("app", "app.txt"), ("copied", "copied.txt")].into_iter();
        let is_there = |name: &str| files.iter().any(|(channel, ..)| channel.split('/').next() == Some(name));
        let sources = sources.filter(|(name, _)| is_there(name)).map(|(name, path)| format!("{name}={}", place.at(path)));
        let options: Vec<_> =
            options.iter().map(|option| (*option).to_owned()).chain(["--from".into(), "start".into()]).chain(sources).collect();
        let mut all =
            Self { place, options, random: Random::new(seed ^ 0xABCD), bridge: None, port: 0, kills: 0, said: String::new() };
        all.start();
        writer.rotate_once_in(RARELY);
        (all, writer)
    }

    fn arguments(&self) -> Vec<&str> {
        self.options.iter().map(String::as_str).collect()
    }

    fn start(&mut self) {
        let bridge = self.place.start_on(self.port, &self.arguments());
        self.port = bridge.port;
        self.bridge = Some(bridge);
    }

    /// Kills at a random moment, and starts again: at once, or after a while, or after one that did not come to say that it is ready.
    fn kill(&mut self) {
        let moment = if self.random.below(4) == 0 { 8 } else { 250 };
        thread::sleep(Duration::from_millis(self.random.below(moment) as u64)); // any moment
        let bridge = self.bridge.take().unwrap();
        bridge.signal("KILL");
        self.said.push_str(&bridge.stderr());
        drop(bridge); // waits for it
        self.kills += 1;
        if self.kills.is_multiple_of(10) {
            self.place.assert_verified(&format!("after kill {}", self.kills));
        }
        match self.random.below(4) {
            0 => thread::sleep(Duration::from_millis(self.random.below(400) as u64)), // it is down while files are rotated
            1 => self.kill_early(),
            _ => {}
        }
        self.start();
    }

    /// Starts one that is killed before it is ready, perhaps.
    fn kill_early(&mut self) {
        let mut command = self.place.command(self.port, &self.arguments());
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        thread::sleep(Duration::from_millis(self.random.below(60) as u64)); // any moment
        let _ = child.kill();
        child.wait().unwrap();
        self.kills += 1;
    }

    /// Has the last daemon end, and says what is wrong with what is left.
    fn end(mut self) -> (Directory, String) {
        let mut bridge = self.bridge.take().unwrap();
        bridge.signal("TERM");
        assert_eq!(bridge.wait(), 0, "{}", bridge.stderr());
        self.said.push_str(&bridge.stderr());
        self.place.assert_verified("at the end");
        assert_eq!(self.place.set_aside(), [] as [std::path::PathBuf; 0], "{}", self.said);
        (self.place, self.said)
    }
}

/// The clients of the test, each with what it should see.
fn clients(port: u16) -> Vec<(Client, &'static str)> {
    let client = |path: &'static str, prefix, pace| (Client::of(port, &format!("{path}?tail=all"), pace, Speaks::Http1), prefix);
    vec![
        client("/events", "", Pace::Full),
        client("/events/logs", "logs/", Pace::Full),
        client("/events/app", "app", Pace::Full),
        client("/events", "", Pace::Slow),
        (Client::of(port, "/events?tail=all", Pace::Full, Speaks::Http2), ""),
    ]
}

/// The lines of what a client has seen are those that were written to its channels.
#[track_caller]
fn assert_lines(who: &str, seen: &[Seen], written: &BTreeMap<String, Vec<String>>) {
    let lines = lines_by_channel(seen);
    for (channel, expected) in written {
        assert_same(&format!("{who}, channel {channel}"), lines.get(&**channel).map_or(&[][..], |lines| lines), expected);
    }
    assert_eq!(lines.len(), written.len(), "{who}: channels that nobody wrote: {:?}", lines.keys());
}

/// What came is what was written, but for some that are missing where numbers are missing.
#[track_caller]
fn assert_part(who: &str, seen: &[Seen], written: &[String]) {
    let (mut at, mut before) = (0, 0);
    for seen in seen {
        // Of one channel alone all numbers follow each other, and so do its lines.
        at += usize::try_from(seen.number() - before - 1).unwrap();
        assert!(
            written.get(at) == Some(&seen.data),
            "{who}: {seen:?} came for line {at}, behind number {before}: {:?}",
            written.get(at..(at + 3).min(written.len()))
        );
        (at, before) = (at + 1, seen.number());
    }
}

/// Only a truncation is a gap, in its own channel.
#[track_caller]
fn assert_only_truncations(who: &str, seen: &[Seen]) {
    let others = seen.iter().filter(|seen| seen.event != "message");
    let wrong: Vec<_> = others.filter(|seen| seen.channel() != "copied" || seen.event != "gap").collect();
    assert!(wrong.is_empty(), "{who}: {wrong:?}");
}

fn of_prefix(written: &BTreeMap<String, Vec<String>>, prefix: &str) -> BTreeMap<String, Vec<String>> {
    written.iter().filter(|(channel, _)| channel.starts_with(prefix)).map(|(name, lines)| (name.clone(), lines.clone())).collect()
}

/// Waits until a client has every line, and ends it.
#[track_caller]
fn finished(client: Client, expected: &BTreeMap<String, Vec<String>>, said: &str) -> Record {
    client.hurry();
    let count = expected.values().map(Vec::len).sum::<usize>();
    let has_all = |record: &Record| record.seen.iter().filter(|seen| seen.event == "message").count() >= count;
    let deadline = Instant::now() + 2 * crate::harness::PATIENCE;
    while !has_all(&client.record()) && Instant::now() < deadline && client.record().failure.is_none() {
        thread::sleep(Duration::from_millis(20)); // between two looks; what is missing then is said below, line by line
    }
    let record = client.end();
    assert!(record.failure.is_none(), "{:?}\n{said}", record.failure);
    record
}

/// The whole test; gives the place and what was written, for what a variant asks of it.
fn crash(options: &[&str], kills: usize) {
    let seed = seed();
    let (mut all, writer) = Succession::begin(options, FILES, seed);
    let clients = clients(all.port);
    // What is copied and truncated before anything of it was ever read is nobody's: nothing is known of the file but that it was empty.
    let bridge = all.bridge.as_ref().unwrap();
    eventually(
        "a line of each file",
        || bridge.get("/channels").text(),
        |text| {
            let status: Value = serde_json::from_str(text).unwrap();
            let channels = status["channels"].as_array().unwrap();
            channels.len() == FILES.len() && channels.iter().all(|channel| channel["events"].as_u64() > Some(0))
        },
    );
    while all.kills < kills {
        all.kill();
    }
    let bytes = writer.bytes();
    let written = writer.end();
    let mut records = Vec::new();
    for (client, prefix) in clients {
        let expected = of_prefix(&written, prefix);
        let record = finished(client, &expected, &all.said);
        let who = format!("the client of {prefix:?} in {} streams; {} kills, {}", record.streams, all.kills, how_to_repeat(seed));
        assert_lines(&who, &record.seen, &expected);
        assert_only_truncations(&who, &record.seen);
        assert_in_order(&who, &record.seen);
        assert!(record.gaps.is_empty(), "{who} was told gaps: {:?}\n{}", record.gaps, all.said);
        assert!(record.streams > 1, "{who} never came back");
        records.push(record);
    }
    println!("{} kills, {bytes} bytes, {} lines", all.kills, written.values().map(Vec::len).sum::<usize>());
    let text = all.bridge.as_ref().unwrap().get("/events/app?format=text&tail=all&follow=0").text();
    let (place, said) = all.end();
    for channel in written.keys() {
        // What one has seen was not taken back, and nothing is there that nobody saw.
        let seen: Vec<_> = records[0].seen.iter().filter(|seen| seen.channel() == channel).cloned().collect();
        assert_same(&format!("the history of {channel}, and what was seen of it"), &place.history(channel), &seen);
    }
    for record in &records[3..] {
        assert_same("what two clients of all have seen", &record.seen, &records[0].seen);
    }
    let lines: String = place.cat("app").into_iter().map(|message| message.data + "\n").collect();
    assert!(text == lines, "format=text gives {:?} and the history has {:?}", abridged(&text), abridged(&lines));
    assert!(!said.contains("panicked") && !said.contains("damaged"), "{said}");
}

#[test]
fn every_line_once_at_every_client_through_kills_at_any_moment() {
    crash(&[], scale(10, 500));
}

#[test]
fn every_line_once_through_kills_when_everything_is_synced_at_once() {
    crash(&["--sync", "always"], scale(5, 100));
}

#[test]
fn every_line_once_through_kills_without_hints_and_with_little_memory() {
    crash(&["--poll", "--sync", "never", "--history", "256KiB"], scale(5, 100));
}

/// Each look of a starting daemon meets with a rotation, and it is killed soon.
#[test]
fn every_line_once_through_kills_while_a_file_is_rotated_all_the_time() {
    const ONE: &[(&str, &str, Rotation)] = &[("app", "app.txt", Rotation::Shift)];
    let seed = seed();
    let (mut all, writer) = Succession::begin(&[], ONE, seed);
    let client = Client::of(all.port, "/events/app?tail=all", Pace::Full, Speaks::Http1);
    writer.rotate_once_in(3);
    while all.kills < scale(15, 500) {
        writer.is_seen(client.record().seen.len());
        all.kill();
    }
    let written = writer.end();
    let record = finished(client, &written, &all.said);
    let gaps: Vec<_> = record.seen.iter().filter(|seen| seen.event == "gap").collect();
    let who = format!("the client; {} kills, gaps {gaps:?}, {}", all.kills, how_to_repeat(seed));
    assert_lines(&who, &record.seen, &written);
    assert!(record.gaps.is_empty() && gaps.is_empty(), "{who}: {:?}, and of the source {gaps:?}", record.gaps);
    all.end();
}

/// Where little is kept, what a client does not get is counted.
#[test]
fn what_is_let_go_between_kills_is_told_and_counted() {
    const ONE: &[(&str, &str, Rotation)] = &[("app", "app.txt", Rotation::Shift)];
    let seed = seed();
    let (mut all, writer) = Succession::begin(&["--keep-size", "1MiB", "--history", "256KiB"], ONE, seed);
    let client = |pace| Client::of(all.port, "/events/app?tail=all", pace, Speaks::Http1);
    let (quick, slow, resting) = (client(Pace::Full), client(Pace::Slow), client(Pace::Full));
    resting.wait_for(1);
    let resting = resting.end(); // and comes back at the end
    let kills = scale(6, 100);
    while all.kills < kills || writer.bytes() < 6 << 20 {
        all.kill();
    }
    let written = writer.end();
    for (who, client) in [("the quick one", quick), ("the slow one", slow)] {
        client.hurry();
        // The last line may look like another one; that nothing comes behind it can only be waited for.
        let newest = &written["app"][written["app"].len().saturating_sub(20)..];
        let ends_so = |seen: &[Seen]| {
            seen.len() >= newest.len() && seen[seen.len() - newest.len()..].iter().map(|seen| &seen.data).eq(newest)
        };
        client.wait("the last lines", |record| ends_so(&record.seen));
        let record = client.end();
        assert_part(who, &record.seen, &written["app"]);
        assert_in_order(who, &record.seen);
        let lost = record.lost().unwrap_or_else(|| panic!("{who}: a gap that cannot say how much: {:?}", record.gaps));
        let who = format!("{who}, told of {} gaps; {}", record.gaps.len(), how_to_repeat(seed));
        // Of one channel alone all numbers follow each other.
        let jumps: Vec<_> =
            record.seen.windows(2).map(|two| (two[0].number(), two[1].number())).filter(|(one, next)| one + 1 != *next).collect();
        assert_eq!(record.seen.len() as u64 + lost, written["app"].len() as u64, "{who}: {:?}, jumps {jumps:?}", record.gaps);
        println!("{who}: {} seen, {lost} lost", record.seen.len());
    }
    let bridge = all.bridge.as_ref().unwrap();
    let mut late = bridge.get_with("/events/app?follow=0", &[("Last-Event-ID", &resting.last_id)]);
    let came = late.rest();
    let told: Vec<serde_json::Value> =
        came.iter().filter(|event| event.event == "gap").map(|gap| serde_json::from_str(&gap.data).unwrap()).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    let sum = resting.seen.len() as u64 + told[0]["lost"].as_u64().unwrap_or(0) + came.len() as u64 - 1;
    assert_eq!(sum, written["app"].len() as u64, "{} seen, {} came, {told:?}", resting.seen.len(), came.len() - 1);
    all.end();
}
