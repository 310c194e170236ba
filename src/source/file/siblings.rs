//! Where rotation puts what a path held before: files beside it, named `NAME.*` or `NAME-*`.
//!
//! One that holds what has been read, or is the very file, is found whatever its ending is. One that nobody has looked at is taken only if its ending
//! looks as rotation names files (`.1`, `-20261121`, `.old`): `NAME.err` is a log of its own.

use std::collections::{BTreeSet, HashSet};
use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::glob::is_compressed;
use super::identity::{Identity, born, is_scarcity, open_if_there};
use super::listing::{CLOCK_STEP, Listings};
use super::reader::Reader;

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

impl Sibling {
    /// When it was made, and which file it is.
    #[must_use]
    pub fn made(&self) -> (SystemTime, Identity) {
        (born(&self.metadata), Identity::of(&self.metadata))
    }
}

/// The names beside `paths` that are theirs and an ending; without compressed files.
///
/// # Errors
/// There is no descriptor or no memory left to look. A directory that cannot be read for another reason has no names.
pub fn names(listings: &mut Listings, paths: &[PathBuf]) -> io::Result<Vec<PathBuf>> {
    let mut names = BTreeSet::new();
    for path in paths {
        let beside = match listings.beside(path) {
            Ok(beside) => beside,
            Err(error) if is_scarcity(&error) => return Err(error),
            Err(_) => continue,
        };
        let own = path.file_name().unwrap_or_default();
        names.extend(beside.into_iter().filter(|name| is_sibling(name, own)).map(|name| path.with_file_name(name)));
    }
    Ok(names.into_iter().collect())
}

/// The same for the names that files may get which rotation has named before: it renames them once more, `NAME.1` to `NAME.2`.
pub fn later_names(listings: &mut Listings, paths: &[PathBuf]) -> io::Result<Vec<PathBuf>> {
    names(listings, &paths.iter().map(|path| unnumbered(path)).collect::<Vec<_>>())
}

fn is_sibling(name: &OsStr, own: &OsStr) -> bool {
    let ending = name.as_bytes().strip_prefix(own.as_bytes()).unwrap_or_default();
    let is_private = NO_LOGS.iter().any(|no| ending.ends_with(no.as_bytes()));
    matches!(ending.first(), Some(b'.' | b'-')) && !is_compressed(name) && !is_private
}

/// The regular files of these names that are wanted, in the order in which they were finished.
fn wanted(names: &[PathBuf], is_wanted: impl Fn(&Metadata) -> bool) -> io::Result<Vec<Sibling>> {
    let mut siblings = Vec::new();
    for path in names {
        let is_one = fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && is_wanted(&metadata));
        if is_one && let Some((file, metadata)) = open_if_there(path)? {
            siblings.push(Sibling { path: path.clone(), file, metadata });
        }
    }
    // By their last bytes: a copy is made after the file that goes on under the name.
    siblings.sort_by_key(|sibling| (sibling.metadata.modified().ok(), born(&sibling.metadata)));
    let mut seen = HashSet::new();
    siblings.retain(|sibling| seen.insert(Identity::of(&sibling.metadata)));
    Ok(siblings)
}

/// The file that a closed reader was reading, under one of the `names` that rotation gives, or behind one of the `paths`, a link that leads elsewhere
/// by now: the same inode, and the same time of making or the same bytes before the place.
///
/// # Errors
/// There is no descriptor or no memory left to look.
pub fn same(paths: &[PathBuf], names: &[PathBuf], reader: &Reader) -> io::Result<Option<Sibling>> {
    let is_it = |metadata: &Metadata| Identity::of(metadata) == reader.identity;
    let mut found = wanted(paths, is_it)?;
    found.extend(wanted(names, is_it)?);
    Ok(found.into_iter().find(|sibling| born(&sibling.metadata) == reader.born || continues(sibling, reader)))
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
///
/// # Errors
/// There is no descriptor or no memory left to look.
pub fn between(names: &[PathBuf], since: SystemTime, reader: Option<&Reader>) -> io::Result<Vec<Sibling>> {
    // One that was written last before that is an old file with a new inode: somebody has restored it.
    let is_since = |metadata: &Metadata| born(metadata) >= since && metadata.modified().is_ok_and(|at| at >= since);
    let mut siblings = wanted(names, is_since)?;
    siblings.retain(|sibling| looks_rotated(&sibling.path));
    siblings.retain(|sibling| reader.is_none_or(|reader| !continues(sibling, reader) && !is_part(sibling, reader)));
    Ok(siblings)
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
///
/// # Errors
/// There is no descriptor or no memory left to look.
pub fn copies(
    names: &[PathBuf],
    reader: &Reader,
    written: Option<SystemTime>,
    is_free: impl FnMut(&Sibling) -> bool,
) -> io::Result<Copies> {
    let verified = reader.verified.max(reader.since);
    let is_followed = |metadata: &Metadata| reader.follows == Some((born(metadata), Identity::of(metadata)));
    let mut siblings = wanted(names, |metadata| metadata.len() > 0 && born(metadata) >= reader.since && !is_followed(metadata))?;
    siblings.retain(is_free);
    let (mut continuing, others): (Vec<_>, Vec<_>) = siblings.into_iter().partition(|sibling| continues(sibling, reader));
    // Of several copies of one content the longest was made last.
    continuing.sort_by_key(|sibling| sibling.metadata.len());
    let mut first = continuing.pop();
    let begin = first.as_ref().map_or(verified, |first| born(&first.metadata).max(verified));
    let (parts, mut later): (Vec<_>, Vec<_>) = others.into_iter().partition(|sibling| is_part(sibling, reader));
    later.retain(|sibling| {
        born(&sibling.metadata) >= begin
            && looks_rotated(&sibling.path)
            && written.is_none_or(|last| sibling.metadata.modified().is_ok_and(|at| at <= last))
    });
    if first.is_none() && reader.place.offset == 0 && !later.is_empty() {
        first = Some(later.remove(0));
    }
    Ok(Copies { first, later, read: continuing.into_iter().chain(parts).collect() })
}

/// Whether a file holds what the reader has read, and perhaps more.
#[must_use]
pub fn continues(sibling: &Sibling, reader: &Reader) -> bool {
    reader.place.is_telling() && reader.place.fits(&sibling.file)
}

/// Whether a file is a copy of a part of what has been read: it was begun when the file was shorter, about when the place was verified.
fn is_part(sibling: &Sibling, reader: &Reader) -> bool {
    let place = &reader.place;
    (1..place.offset).contains(&sibling.metadata.len())
        && born(&sibling.metadata) <= reader.verified + CLOCK_STEP
        && place.has_head_of(&sibling.file)
}
