//! Many files rotated at once, with far fewer descriptors than files: nothing is lost and nothing is doubled.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use crate::harness::{Get, scale};
use crate::scale::with_limit;
use crate::sources::append;

/// Fewer than one for each path that changes in a moment.
const LIMIT: usize = 48;

const ROUNDS: usize = 4;

/// How files are rotated.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rotation {
    Rename,
    CopyTruncate,
}

/// A directory of files that are rotated together.
struct Files {
    directory: tempfile::TempDir,
    /// How many lines each has been given.
    lines: Vec<usize>,
}

impl Files {
    fn new(count: usize) -> Self {
        Self { directory: tempfile::tempdir().unwrap(), lines: vec![0; count] }
    }

    fn path(&self, file: usize) -> PathBuf {
        self.directory.path().join(format!("{file}.log"))
    }

    /// Two more lines in each.
    fn write(&mut self) {
        for file in 0..self.lines.len() {
            let text: String = (1..=2).map(|more| format!("{file} {}\n", self.lines[file] + more)).collect();
            append(&self.path(file), &text);
            self.lines[file] += 2;
        }
    }

    fn rotate(&self, rotation: Rotation) {
        for file in 0..self.lines.len() {
            let path = self.path(file);
            for number in (1..ROUNDS).rev() {
                let older = numbered(&path, number);
                if older.exists() {
                    fs::rename(&older, numbered(&path, number + 1)).unwrap();
                }
            }
            match rotation {
                Rotation::Rename => fs::rename(&path, numbered(&path, 1)).unwrap(),
                Rotation::CopyTruncate => {
                    fs::copy(&path, numbered(&path, 1)).unwrap();
                    OpenOptions::new().write(true).truncate(true).open(&path).unwrap();
                }
            }
        }
    }
}

fn numbered(path: &Path, number: usize) -> PathBuf {
    PathBuf::from(format!("{}.{number}", path.display()))
}

/// What has come, by file.
#[derive(Default)]
struct Seen {
    lines: BTreeMap<usize, Vec<usize>>,
    gaps: usize,
}

impl Seen {
    /// Takes events until every file has shown its newest line.
    fn take_all(&mut self, stream: &mut Get, newest: &[usize]) {
        let is_seen = |seen: &Self, file: usize| seen.lines.get(&file).is_some_and(|lines| lines.contains(&newest[file]));
        let mut missing = (0..newest.len()).filter(|file| !is_seen(self, *file)).count();
        while missing > 0 {
            let event = stream.next_event().unwrap_or_else(|| panic!("{missing} files have not shown their newest lines"));
            match event.event.as_str() {
                "message" => {
                    let (file, line) = event.data.split_once(' ').unwrap();
                    let (file, line) = (file.parse().unwrap(), line.parse().unwrap());
                    self.lines.entry(file).or_default().push(line);
                    missing -= usize::from(line == newest[file]);
                }
                "gap" => {
                    let is_cut =
                        ["truncated", "overwritten"].iter().any(|reason| event.data.contains(&format!(r#""reason":"{reason}""#)));
                    assert!(is_cut, "{event:?}");
                    self.gaps += 1;
                }
                _ => {}
            }
        }
    }
}

fn rotate_many(rotation: Rotation, options: &[&str]) {
    let mut files = Files::new(scale(150, 1500));
    let source = format!("many={}/*.log", files.directory.path().display());
    let mut arguments = vec!["--from", "start", "--history", "200MiB"];
    arguments.extend(options);
    arguments.push(&source);
    let bridge = with_limit(LIMIT, &arguments);
    let mut stream = bridge.get("/events?tail=all");
    let mut seen = Seen::default();
    for round in 0..ROUNDS {
        files.write();
        if round % 2 == 1 {
            seen.take_all(&mut stream, &files.lines);
        }
        files.write();
        files.rotate(rotation);
        files.write();
    }
    seen.take_all(&mut stream, &files.lines);
    let wrong: Vec<_> = files
        .lines
        .iter()
        .enumerate()
        .filter(|(file, newest)| seen.lines.get(file).is_none_or(|lines| !lines.iter().copied().eq(1..=**newest)))
        .map(|(file, _)| (file, seen.lines.get(&file)))
        .collect();
    assert!(
        wrong.is_empty(),
        "{} of {} files are wrong, such as {:?}",
        wrong.len(),
        files.lines.len(),
        &wrong[..wrong.len().min(3)]
    );
    let most_gaps = if rotation == Rotation::Rename { 0 } else { ROUNDS * files.lines.len() };
    assert!(seen.gaps <= most_gaps, "{} gaps for {most_gaps} cuts", seen.gaps);
}

#[test]
fn many_files_renamed_at_once() {
    rotate_many(Rotation::Rename, &[]);
}

#[test]
fn many_files_renamed_at_once_by_looking() {
    rotate_many(Rotation::Rename, &["--poll"]);
}

#[test]
fn many_files_copied_and_truncated_at_once() {
    rotate_many(Rotation::CopyTruncate, &[]);
}

#[test]
fn many_files_copied_and_truncated_at_once_by_looking() {
    rotate_many(Rotation::CopyTruncate, &["--poll"]);
}
