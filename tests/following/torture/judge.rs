//! What must come of what was done to a file, and whether it has come.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::scene::Scene;
use crate::harness::parser::Message;

/// What the channel of the file is called.
pub const CHANNEL: &str = "torture";

/// What must come, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item {
    /// A line; a sure one is on disk until it has been read.
    Line { number: usize, is_sure: bool },
    /// The content ended with a truncation. If any line of it has come, a gap must follow.
    Cut,
    /// Another file follows.
    Other,
}

impl Item {
    /// What it is, for people.
    fn label(&self) -> Result<usize, String> {
        match self {
            Self::Line { number, is_sure: true } => Ok(*number),
            Self::Line { number, is_sure: false } => Err(format!("({number})")),
            Self::Cut => Err("CUT".to_owned()),
            Self::Other => Err("OTHER".to_owned()),
        }
    }
}

impl Scene {
    /// Sees a last line, and judges all that came.
    pub fn judge(mut self) {
        self.write();
        self.see();
        thread::sleep(self.until_quiet); // that nothing comes can only be waited for
        self.write_line(true);
        self.see();
        self.get.assert_strict();
        let all: Vec<_> =
            self.bridge.get("/events?tail=all&follow=0").rest().into_iter().map(|message| (message.id, message.data)).collect();
        let seen: Vec<_> = self.seen.iter().map(|message| (message.id.clone(), message.data.clone())).collect();
        assert_eq!(seen, all, "a client from the beginning and one from the end see the same");
        if let Err(fault) = check(&self.expected, &self.seen) {
            let (expected, seen) = (in_short(self.expected.iter().map(Item::label)), in_short(self.seen.iter().map(label)));
            panic!(
                "{fault}\nexpected: {expected}\nseen: {seen}\nin '{}' {:#?}",
                self.path.display(),
                listing(self.directory.path())
            );
        }
    }
}

/// Compares what came with what was expected.
fn check(expected: &[Item], seen: &[Message]) -> Result<(), String> {
    let mut at = 0; // of what is expected
    let mut gaps = 0; // since the last line
    let mut last = None;
    let mut has_come = false; // any line of the content in hand
    for (index, message) in seen.iter().enumerate() {
        if message.event == "gap" {
            check_gap(message)?;
            gaps += 1;
            continue;
        }
        let is_before_gap = seen.get(index + 1).is_some_and(|next| next.event == "gap");
        let found = find(&expected[at..], message, is_before_gap).map_err(|fault| format!("{fault}, after {last:?}"))?;
        check_between(&expected[at..at + found], gaps, &mut has_come)
            .map_err(|fault| format!("{fault}, between {last:?} and {:.80}", message.data))?;
        at += found + 1;
        gaps = 0;
        has_come = true;
        last = label(message).ok();
    }
    check_between(&expected[at..], gaps, &mut has_come).map_err(|fault| format!("{fault}, after line {last:?}"))
}

/// Where a message is in what is expected. A line that the truncation found half written, and half of it read, comes as far as it had come.
fn find(expected: &[Item], message: &Message, is_before_gap: bool) -> Result<usize, String> {
    let is_it = |item: &Item| match item {
        Item::Line { number, .. } if text(*number) == message.data => true,
        Item::Line { number, is_sure: false } => is_before_gap && text(*number).starts_with(&message.data),
        _ => false,
    };
    expected.iter().position(is_it).ok_or_else(|| {
        let what = number(message).filter(|number| text(*number) == message.data);
        what.map_or_else(|| format!("this is no line: {message:?}"), |number| format!("line {number} came again, or too late"))
    })
}

/// What lies between two lines that came: the ends of contents, and lines that may be lost.
fn check_between(skipped: &[Item], gaps: usize, has_come: &mut bool) -> Result<(), String> {
    let (mut lost, mut cuts, mut least) = (0, 0, 0);
    for item in skipped {
        match item {
            Item::Line { number, is_sure: true } => {
                return Err(format!("line {number} is on disk but did not come ({gaps} gaps there)"));
            }
            Item::Line { .. } => lost += 1,
            Item::Cut => {
                cuts += 1;
                least += usize::from(std::mem::take(has_come));
            }
            Item::Other => *has_come = false,
        }
    }
    if (least..=cuts).contains(&gaps) { Ok(()) } else { Err(format!("{gaps} gaps, not {least} to {cuts} ({lost} lines lost)")) }
}

fn check_gap(message: &Message) -> Result<(), String> {
    let data: Value = serde_json::from_str(&message.data).map_err(|error| format!("{error}: {message:?}"))?;
    let reason = data["reason"].as_str().unwrap_or_default();
    let is_good = ["truncated", "overwritten", "vanished"].contains(&reason)
        && data["channels"] == serde_json::json!([CHANNEL])
        && message.has_own_id
        && message.id.ends_with(&format!("/{CHANNEL}"));
    if is_good { Ok(()) } else { Err(format!("no gap of a source: {message:?}")) }
}

pub fn number(message: &Message) -> Option<usize> {
    let (number, _) = (message.event == "message").then(|| message.data.split_once(' '))??;
    number.parse().ok()
}

/// What line `number` says. Its bytes differ from those of every other line all along: where they did not, nobody could tell a file that has
/// regrown from one that has not changed.
pub fn text(number: usize) -> String {
    let mut text = format!("{number} word");
    let length = match number % 50 {
        0 => 9000,
        n if n % 10 == 3 => 500,
        n => n,
    };
    while text.len() < length {
        text.push_str(&format!(" {number}"));
    }
    text
}

/// What a message is, for people: a line's number, and when it came.
fn label(message: &Message) -> Result<usize, String> {
    number(message).ok_or_else(|| format!("{} {} {:.120}", message.event, message.id, message.data))
}

/// Numbers as ranges.
fn in_short(items: impl Iterator<Item = Result<usize, String>>) -> String {
    let mut ranges: Vec<Result<(usize, usize), String>> = Vec::new();
    for item in items {
        match (item, ranges.last_mut()) {
            (Ok(number), Some(Ok((_, last)))) if *last + 1 == number => *last = number,
            (Ok(number), _) => ranges.push(Ok((number, number))),
            (Err(other), _) => ranges.push(Err(other)),
        }
    }
    let words = ranges.into_iter().map(|range| range.map_or_else(|other| other, |(first, last)| format!("{first}-{last}")));
    words.collect::<Vec<_>>().join(" | ")
}

/// The files of a directory: names, sizes, times.
fn listing(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    let mut files: Vec<_> = entries
        .map(|entry| {
            let metadata = fs::symlink_metadata(entry.path()).unwrap();
            // Not every file system knows when a file was made.
            let time = |time: std::io::Result<SystemTime>| {
                time.map_or_else(|error| error.to_string(), |time| time.duration_since(UNIX_EPOCH).unwrap().as_millis().to_string())
            };
            let (name, size) = (entry.file_name().display().to_string(), metadata.len());
            format!("{name}: {size} bytes, born {}, modified {}", time(metadata.created()), time(metadata.modified()))
        })
        .collect();
    files.sort();
    files
}
