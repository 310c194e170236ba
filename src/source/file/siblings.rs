//! Where rotation puts what a path held before: files beside it, named `NAME.*` or `NAME-*`.
//!
//! One that holds what has been read, or is the very file, is found whatever its ending is. One that nobody has looked at is taken only if its ending
//! looks as rotation names files (`.1`, `-20261121`, `.old`): `NAME.err` is a log of its own.
//!
//! Rotation renames many files one after the other. Whoever goes through their names one by one meanwhile may meet with one file twice and miss another, and
//! what is missed would be told as lost, or not at all. So whatever is looked for is looked for again until no file has got another name meanwhile.

use std::collections::{BTreeSet, HashSet};
use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::clock::CLOCK_STEP;
use super::glob::is_compressed;
use super::identity::{Identity, born, open_if_there, was_made};
use super::listing::{Entry, Listings};
use super::reader::Reader;
use crate::errno::is_scarcity;

/// Endings of files that programs keep beside a log for themselves.
const NO_LOGS: [&str; 6] = [".tmp", ".swp", ".lock", ".pid", ".pos", "~"];

/// How often names are gone through that change meanwhile; only somebody who never stops renaming makes it more than a few times.
const MOST_PASSES: usize = 50;

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

/// What stands beside each of some paths, and they themselves.
///
/// # Errors
/// There is no descriptor or no memory left to look. A directory that cannot be read for another reason has no entries.
fn beside(listings: &mut Listings, paths: &[PathBuf]) -> io::Result<Vec<Vec<Entry>>> {
    let beside = |path: &PathBuf| match listings.beside(path) {
        Err(error) if !is_scarcity(&error) => Ok(Vec::new()),
        entries => entries,
    };
    paths.iter().map(beside).collect()
}

/// The names of the entries beside `paths` that are theirs and an ending; without compressed files.
fn names(paths: &[PathBuf], entries: &[Vec<Entry>]) -> Vec<PathBuf> {
    let mut names = BTreeSet::new();
    for (path, beside) in paths.iter().zip(entries) {
        let own = path.file_name().unwrap_or_default();
        names.extend(beside.iter().filter(|entry| is_sibling(&entry.name, own)).map(|entry| path.with_file_name(&entry.name)));
    }
    names.into_iter().collect()
}

/// The names beside `paths` that files may get which rotation has named before: it renames them once more, `NAME.1` to `NAME.2`.
///
/// # Errors
/// There is no descriptor or no memory left to look.
pub fn later_names(listings: &mut Listings, paths: &[PathBuf]) -> io::Result<Vec<PathBuf>> {
    let paths = unnumbered_all(paths);
    Ok(names(&paths, &beside(listings, &paths)?))
}

/// Looks for something under the names beside `paths`, and again if files came, went or were renamed there meanwhile, unless it is found.
fn look_beside<T>(
    listings: &mut Listings,
    paths: &[PathBuf],
    mut look: impl FnMut(&[PathBuf]) -> io::Result<ControlFlow<T, T>>,
) -> io::Result<T> {
    let mut entries = beside(listings, paths)?;
    let mut pass = 1;
    loop {
        let found = match look(&names(paths, &entries))? {
            ControlFlow::Break(found) => return Ok(found),
            ControlFlow::Continue(found) => found,
        };
        let before = std::mem::replace(&mut entries, beside(listings, paths)?);
        if entries == before || pass == MOST_PASSES {
            return Ok(found);
        }
        pass += 1;
    }
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
        let opened = if is_one { open_if_there(path)? } else { None };
        // Another file may have got the name.
        if let Some((file, metadata)) = opened.filter(|(_, metadata)| is_wanted(metadata)) {
            siblings.push(Sibling { path: path.clone(), file, metadata });
        }
    }
    // By their last bytes: a copy is made after the file that goes on under the name.
    siblings.sort_by_key(|sibling| (sibling.metadata.modified().ok(), born(&sibling.metadata)));
    let mut seen = HashSet::new();
    siblings.retain(|sibling| seen.insert(Identity::of(&sibling.metadata)));
    Ok(siblings)
}

/// The file that a closed reader was reading, behind one of the `paths`, a link that leads elsewhere by now, or under a name that rotation gives beside
/// them, or under one of the `others`.
///
/// # Errors
/// There is no descriptor or no memory left to look.
pub fn same(listings: &mut Listings, paths: &[PathBuf], others: &[PathBuf], reader: &Reader) -> io::Result<Option<Sibling>> {
    let is_it = |metadata: &Metadata| Identity::of(metadata) == reader.identity;
    look_beside(listings, &unnumbered_all(paths), |names| {
        for names in [paths, names, others] {
            let mut found = wanted(names, is_it)?.into_iter();
            if let Some(same) = found.find(|sibling| is_file_of(sibling, reader)) {
                return Ok(ControlFlow::Break(Some(same)));
            }
        }
        Ok(ControlFlow::Continue(None))
    })
}

/// The paths without numbers that rotation has given them.
fn unnumbered_all(paths: &[PathBuf]) -> Vec<PathBuf> {
    paths.iter().map(|path| unnumbered(path)).collect()
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

/// Files that may have stood under one of the `paths` between two looks: made since the earlier one.
///
/// # Errors
/// There is no descriptor or no memory left to look.
pub fn between(listings: &mut Listings, paths: &[PathBuf], since: SystemTime) -> io::Result<Vec<Sibling>> {
    // One that was written last before that is an old file with a new inode: somebody has restored it.
    let is_since = |metadata: &Metadata| born(metadata) >= since && metadata.modified().is_ok_and(|at| at >= since);
    let mut siblings = look_beside(listings, paths, |names| wanted(names, is_since).map(ControlFlow::Continue))?;
    siblings.retain(|sibling| looks_rotated(&sibling.path));
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

/// What may be a copy of what a file under one of the `paths` has held: made after the content in hand began. One of nothing says nothing.
///
/// # Errors
/// There is no descriptor or no memory left to look.
pub fn perhaps_copies(listings: &mut Listings, paths: &[PathBuf], reader: &Reader) -> io::Result<Vec<Sibling>> {
    let is_followed = |metadata: &Metadata| reader.follows == Some((born(metadata), Identity::of(metadata)));
    let may_be = |metadata: &Metadata| metadata.len() > 0 && born(metadata) >= reader.since && !is_followed(metadata);
    look_beside(listings, paths, |names| wanted(names, may_be).map(ControlFlow::Continue))
}

/// Which of these files are copies, and of what. Those of later contents were made after the place was verified and before the file was `written` last.
#[must_use]
pub fn copies(siblings: Vec<Sibling>, reader: &Reader, written: Option<SystemTime>) -> Copies {
    let verified = reader.verified.max(reader.since);
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
    Copies { first, later, read: continuing.into_iter().chain(parts).collect() }
}

/// Whether a file is the one that a reader reads: the same inode, made at the same time or, where the file system does not tell that, with the same bytes
/// before the place.
#[must_use]
pub fn is_file_of(sibling: &Sibling, reader: &Reader) -> bool {
    let is_it =
        || reader.file().is_some() || was_made(&sibling.metadata, reader.born).unwrap_or_else(|| continues(sibling, reader));
    Identity::of(&sibling.metadata) == reader.identity && is_it()
}

/// Whether a file holds what the reader has read, and perhaps more.
#[must_use]
pub fn continues(sibling: &Sibling, reader: &Reader) -> bool {
    reader.place.is_telling() && reader.place.fits(&sibling.file)
}

/// Whether a file is a copy of a part of what has been read: it was begun when the file was shorter, about when the place was verified.
#[must_use]
pub fn is_part(sibling: &Sibling, reader: &Reader) -> bool {
    let place = &reader.place;
    (1..place.offset).contains(&sibling.metadata.len())
        && born(&sibling.metadata) <= reader.verified + CLOCK_STEP
        && place.has_head_of(&sibling.file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// A directory with a followed file and what rotation has made of it.
    struct Rotated {
        root: tempfile::TempDir,
        generations: Cell<usize>,
    }

    impl Rotated {
        fn new() -> Self {
            let all = Self { root: tempfile::tempdir().unwrap(), generations: Cell::new(0) };
            all.write("app.log");
            all
        }

        fn at(&self, name: &str) -> PathBuf {
            self.root.path().join(name)
        }

        fn write(&self, name: &str) {
            fs::write(self.at(name), "x\n").unwrap();
        }

        fn rotate(&self) {
            let name = |number| self.at(&format!("app.log.{number}"));
            (1..=self.generations.get()).rev().for_each(|number| fs::rename(name(number), name(number + 1)).unwrap());
            fs::rename(self.at("app.log"), name(1)).unwrap();
            self.write("app.log");
            self.generations.set(self.generations.get() + 1);
        }

        fn named(names: &[PathBuf]) -> Vec<Identity> {
            let mut all: Vec<_> = names.iter().map(|name| Identity::of(&fs::metadata(name).unwrap())).collect();
            all.sort_by_key(|identity| identity.inode());
            all
        }
    }

    #[test]
    fn names_are_gone_through_until_none_changes() {
        for changes in 0..5 {
            let all = Rotated::new();
            all.rotate();
            let mut passes = 0;
            let found = look_beside(&mut Listings::default(), &[all.at("app.log")], |names| {
                passes += 1;
                if passes <= changes {
                    all.rotate();
                }
                Ok(ControlFlow::Continue(names.to_vec()))
            });
            let expected: Vec<_> = (1..=changes + 1).map(|number| all.at(&format!("app.log.{number}"))).collect();
            assert_eq!((found.unwrap(), passes), (expected, changes + 1));
        }
    }

    #[test]
    fn the_same_names_of_other_files_are_a_change() {
        let all = Rotated::new();
        (0..3).for_each(|_| all.rotate());
        let mut passes = 0;
        let found = look_beside(&mut Listings::default(), &[all.at("app.log")], |names| {
            passes += 1;
            if passes == 1 {
                fs::remove_file(all.at("app.log.3")).unwrap();
                all.generations.set(2);
                all.rotate();
            }
            Ok(ControlFlow::Continue(Rotated::named(names)))
        });
        let names: Vec<_> = (1..4).map(|number| all.at(&format!("app.log.{number}"))).collect();
        assert_eq!((found.unwrap(), passes), (Rotated::named(&names), 2));
    }

    #[test]
    fn who_never_stops_renaming_is_not_waited_for() {
        let all = Rotated::new();
        let mut passes = 0;
        let found = look_beside(&mut Listings::default(), &[all.at("app.log")], |_| {
            passes += 1;
            all.rotate();
            Ok(ControlFlow::<u8, u8>::Continue(7))
        });
        assert_eq!((found.unwrap(), passes), (7, MOST_PASSES));
    }

    #[test]
    fn what_is_found_is_not_looked_for_again() {
        let all = Rotated::new();
        let mut passes = 0;
        let found = look_beside(&mut Listings::default(), &[all.at("app.log")], |_| {
            passes += 1;
            all.rotate();
            Ok(ControlFlow::<u8, u8>::Break(7))
        });
        assert_eq!((found.unwrap(), passes), (7, 1));
    }

    #[test]
    fn a_file_that_gets_the_name_before_it_is_opened_is_not_taken_for_the_one_that_had_it() {
        let all = Rotated::new();
        all.rotate();
        let looked_for = Identity::of(&fs::metadata(all.at("app.log.1")).unwrap());
        let is_it = |metadata: &Metadata| {
            if all.generations.get() == 1 {
                all.rotate(); // between the look and the opening
            }
            Identity::of(metadata) == looked_for
        };
        assert!(wanted(&[all.at("app.log.1")], is_it).unwrap().is_empty());
        assert_eq!(wanted(&[all.at("app.log.2")], is_it).unwrap().len(), 1);
    }
}
