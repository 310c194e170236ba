//! Where rotation puts what a path held before: files beside it, named `NAME.*` or `NAME-*`.
//!
//! One that holds what has been read, or is the very file, is found whatever its ending is. One that nobody has looked at is taken only if its ending
//! looks as rotation names files (`.1`, `-20261121`, `.old`): `NAME.err` is a log of its own.

use std::collections::{BTreeSet, HashSet};
use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::glob::is_compressed;
use super::identity::{Identity, born, open};
use super::reader::Reader;

/// The kernel stamps files with a clock that runs in steps of up to this (`CONFIG_HZ=100`), and so behind the clock that programs read.
const CLOCK_STEP: Duration = Duration::from_millis(10);

/// Endings of files that programs keep beside a log for themselves.
const NO_LOGS: [&str; 6] = [".tmp", ".swp", ".lock", ".pid", ".pos", "~"];

/// A file beside a followed one.
#[derive(Debug)]
pub struct Sibling {
    /// Where it was found.
    pub path: PathBuf,
    /// Open for reading.
    pub file: File,
    /// What it is.
    pub metadata: Metadata,
}

/// The regular files beside `paths` whose names are theirs and an ending, and that are wanted; without compressed ones, in the order
/// in which they were finished.
fn beside(paths: &[PathBuf], is_wanted: impl Fn(&Metadata) -> bool) -> Vec<Sibling> {
    let names = paths.iter().flat_map(|path| names(path)).collect::<BTreeSet<_>>();
    let looked_at = names.into_iter().filter_map(|path| fs::metadata(&path).ok().map(|metadata| (path, metadata)));
    let wanted = looked_at.filter(|(_, metadata)| metadata.is_file() && is_wanted(metadata));
    let opened = wanted.filter_map(|(path, _)| open(&path).ok().map(|(file, metadata)| Sibling { path, file, metadata }));
    let mut siblings: Vec<_> = opened.collect();
    // By their last bytes: a copy is made after the file that goes on under the name.
    siblings.sort_by_key(|sibling| (sibling.metadata.modified().ok(), born(&sibling.metadata)));
    let mut seen = HashSet::new();
    siblings.retain(|sibling| seen.insert(Identity::of(&sibling.metadata)));
    siblings
}

fn names(path: &Path) -> Vec<PathBuf> {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else { return Vec::new() };
    let is_sibling = |other: &OsStr| {
        let ending = other.as_bytes().strip_prefix(name.as_bytes()).unwrap_or_default();
        let is_private = NO_LOGS.iter().any(|no| ending.ends_with(no.as_bytes()));
        matches!(ending.first(), Some(b'.' | b'-')) && !is_compressed(other) && !is_private
    };
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name()).filter(|other| is_sibling(other)).map(|other| directory.join(other)).collect()
}

/// The file that a closed reader was reading, under the name that rotation gave it, or behind a link that leads elsewhere by now: the same
/// inode, and the same time of making or the same bytes before the place.
#[must_use]
pub fn same(paths: &[PathBuf], reader: &Reader) -> Option<Sibling> {
    let is_it = |metadata: &Metadata| Identity::of(metadata) == reader.identity;
    // A rotated file is renamed once more: `NAME.1` becomes `NAME.2`.
    let bare: Vec<_> = paths.iter().map(|path| unnumbered(path)).collect();
    let behind =
        paths.iter().filter_map(|path| open(path).ok().map(|(file, metadata)| Sibling { path: path.clone(), file, metadata }));
    let mut found = behind.filter(|sibling| is_it(&sibling.metadata)).chain(beside(&bare, is_it));
    found.find(|sibling| born(&sibling.metadata) == reader.born || continues(sibling, reader))
}

/// The path without the number that rotation has given it.
fn unnumbered(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().as_bytes();
    let number = name.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    match name[..name.len() - number].split_last() {
        Some((b'.' | b'-', base)) if number > 0 && !base.is_empty() => path.with_file_name(OsStr::from_bytes(base)),
        _ => path.to_owned(),
    }
}

/// Whether a name ends as rotation names files: in a number or a date, or as one that is kept.
#[must_use]
pub fn looks_rotated(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_bytes();
    let ending = name.rsplit(|byte| matches!(byte, b'.' | b'-')).next().unwrap_or_default();
    ending.iter().any(u8::is_ascii_digit) || [&b"old"[..], b"bak", b"prev", b"orig", b"save"].contains(&ending)
}

/// Files that stood under a path between two looks: made since the earlier one, and no copies of what the reader has read.
#[must_use]
pub fn between(paths: &[PathBuf], since: SystemTime, reader: Option<&Reader>) -> Vec<Sibling> {
    let mut siblings = beside(paths, |metadata| born(metadata) + CLOCK_STEP >= since);
    siblings.retain(|sibling| looks_rotated(&sibling.path));
    siblings.retain(|sibling| reader.is_none_or(|reader| !continues(sibling, reader) && !is_part(sibling, reader)));
    siblings
}

/// Copies that were made of a file before it was truncated.
#[derive(Debug, Default)]
pub struct Copies {
    /// The one that continues what has been read.
    pub first: Option<Sibling>,
    /// Those of later contents, in their order.
    pub later: Vec<Sibling>,
    /// Those of nothing but what has been read, or stands in the first.
    pub read: Vec<Sibling>,
}

/// Looks for copies. One that continues was made after the content in hand began; those of later contents were made after the place was
/// verified and before the file was `written` last. Those that are not free are read already; one of nothing says nothing.
#[must_use]
pub fn copies(paths: &[PathBuf], reader: &Reader, written: Option<SystemTime>, is_free: impl Fn(&Sibling) -> bool) -> Copies {
    let mut siblings = beside(paths, |metadata| born(metadata) + CLOCK_STEP >= reader.since.min(reader.verified));
    siblings.retain(|sibling| sibling.metadata.len() > 0 && is_free(sibling));
    let (mut continuing, others): (Vec<_>, Vec<_>) = siblings.into_iter().partition(|sibling| continues(sibling, reader));
    // Of several copies of one content the longest was made last.
    continuing.sort_by_key(|sibling| sibling.metadata.len());
    let mut first = continuing.pop();
    let begin = first.as_ref().map_or(reader.verified, |first| born(&first.metadata).max(reader.verified));
    let (parts, mut later): (Vec<_>, Vec<_>) = others.into_iter().partition(|sibling| is_part(sibling, reader));
    later.retain(|sibling| {
        born(&sibling.metadata) + CLOCK_STEP >= begin
            && looks_rotated(&sibling.path)
            && written.is_none_or(|last| sibling.metadata.modified().is_ok_and(|at| at <= last))
    });
    if first.is_none() && reader.place.offset == 0 && !later.is_empty() {
        first = Some(later.remove(0));
    }
    Copies { first, later, read: continuing.into_iter().chain(parts).collect() }
}

/// Whether a file holds what the reader has read, and perhaps more.
fn continues(sibling: &Sibling, reader: &Reader) -> bool {
    reader.place.is_telling() && reader.place.fits(&sibling.file)
}

/// Whether a file is a copy of a part of what has been read: it was begun when the file was shorter, about when the place was verified.
fn is_part(sibling: &Sibling, reader: &Reader) -> bool {
    let place = &reader.place;
    (1..place.offset).contains(&sibling.metadata.len())
        && born(&sibling.metadata) <= reader.verified
        && place.has_head_of(&sibling.file)
}
