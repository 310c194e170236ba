//! Which files a glob matches now.
//!
//! A directory changes its modification time with every entry that comes, goes or is renamed. So a listing is good as long as that time stands,
//! and looking again costs one `stat` a directory. File systems tell time in steps; a listing that is younger than the
//! coarsest of them is not trusted.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::glob::{Glob, Part, Wild, is_compressed, is_hidden};

/// No file system in use counts in longer steps (FAT: two seconds).
const COARSEST_TIME: Duration = Duration::from_secs(2);

/// The files of a glob, found again and again.
#[derive(Debug)]
pub struct Scan {
    /// What is looked for.
    pub glob: Glob,
    listings: HashMap<PathBuf, Listing>,
    /// Directories that could not be read, with the reason.
    pub failed: Vec<(PathBuf, io::Error)>,
}

#[derive(Debug)]
struct Listing {
    /// The directory's modification time when it was read.
    modified: Option<SystemTime>,
    /// Whether that time had stood long enough to show the next change.
    is_settled: bool,
    /// Whether the scan in hand has used it.
    is_used: bool,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    name: OsString,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Directory,
    /// May lead to anything.
    Link,
    Other,
}

impl Scan {
    /// Nothing looked at yet.
    #[must_use]
    pub fn new(glob: Glob) -> Self {
        Self { glob, listings: HashMap::new(), failed: Vec::new() }
    }

    /// The directories whose changes could change what is found.
    pub fn directories(&self) -> impl Iterator<Item = &Path> {
        self.listings.keys().map(PathBuf::as_path)
    }

    /// Whether a look would find what the last one found.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        !self.listings.is_empty()
            && self.failed.is_empty()
            && self.listings.iter().all(|(directory, listing)| listing.is_settled && modified(directory) == listing.modified)
    }

    /// All that matches now and is no directory, in the order of names. Links are in it whatever they lead to.
    pub fn look(&mut self, now: SystemTime) -> BTreeSet<PathBuf> {
        self.failed.clear();
        self.listings.values_mut().for_each(|listing| listing.is_used = false);
        let mut found = BTreeSet::new();
        let parts = self.glob.parts.clone();
        let base = self.glob.base.clone();
        self.descend(&base, &parts, now, &mut found);
        self.listings.retain(|_, listing| listing.is_used);
        found
    }

    fn descend(&mut self, directory: &Path, parts: &[Part], now: SystemTime, found: &mut BTreeSet<PathBuf>) {
        let [part, rest @ ..] = parts else { return };
        match part {
            // The directory is read all the same: its time tells when the name comes.
            Part::Literal(name) => {
                let names: Vec<_> =
                    self.entries(directory, now).iter().filter(|e| e.name == *name).map(|e| (e.name.clone(), e.kind)).collect();
                self.follow(directory, names, rest, now, found);
            }
            Part::Wild(wild) => {
                let names = self.matching(directory, wild, rest.is_empty(), now);
                self.follow(directory, names, rest, now, found);
            }
            Part::AnyDepth => {
                self.descend(directory, rest, now, found);
                // Links are not followed here: they lead into circles.
                let is_below = |e: &&Entry| e.kind == Kind::Directory && !is_hidden(&e.name);
                let below: Vec<_> = self.entries(directory, now).iter().filter(is_below).map(|e| directory.join(&e.name)).collect();
                for directory in &below {
                    self.descend(directory, parts, now, found);
                }
            }
        }
    }

    fn matching(&mut self, directory: &Path, wild: &Wild, is_last: bool, now: SystemTime) -> Vec<(OsString, Kind)> {
        let entries = self.entries(directory, now).iter();
        let matching = entries.filter(|e| wild.matches(&e.name) && !(is_last && is_compressed(&e.name)));
        matching.map(|e| (e.name.clone(), e.kind)).collect()
    }

    fn follow(
        &mut self,
        directory: &Path,
        names: Vec<(OsString, Kind)>,
        rest: &[Part],
        now: SystemTime,
        found: &mut BTreeSet<PathBuf>,
    ) {
        for (name, kind) in names {
            let path = directory.join(name);
            match kind {
                Kind::Directory | Kind::Link if !rest.is_empty() => self.descend(&path, rest, now, found),
                Kind::Link | Kind::Other if rest.is_empty() => {
                    found.insert(path);
                }
                _ => {}
            }
        }
    }

    /// What is in a directory; nothing if it cannot be read.
    fn entries(&mut self, directory: &Path, now: SystemTime) -> &[Entry] {
        let modified = modified(directory);
        let known =
            self.listings.get(directory).is_some_and(|known| known.is_settled && known.modified == modified || known.is_used);
        if !known {
            let entries = list(directory).unwrap_or_else(|error| {
                // A link to a file below `*/` is no directory, and one that has gone is no failure.
                if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) {
                    self.failed.push((directory.to_owned(), error));
                }
                Vec::new()
            });
            let is_settled = modified.is_some_and(|at| now.duration_since(at).is_ok_and(|age| age > COARSEST_TIME));
            self.listings.insert(directory.to_owned(), Listing { modified, is_settled, is_used: true, entries });
        }
        let listing = self.listings.get_mut(directory).expect("it has just been put there");
        listing.is_used = true;
        &listing.entries
    }
}

fn modified(directory: &Path) -> Option<SystemTime> {
    fs::metadata(directory).ok()?.modified().ok()
}

fn list(directory: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let kind = match entry.file_type() {
            Ok(kind) if kind.is_dir() => Kind::Directory,
            Ok(kind) if kind.is_symlink() => Kind::Link,
            Ok(_) => Kind::Other,
            Err(_) => continue, // gone meanwhile
        };
        entries.push(Entry { name: entry.file_name(), kind });
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn found(scan: &mut Scan, root: &Path) -> Vec<String> {
        let paths = scan.look(SystemTime::now());
        paths.iter().map(|path| path.strip_prefix(root).unwrap().display().to_string()).collect()
    }

    #[test]
    fn files_are_found_as_they_come_and_go() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let mut scan = Scan::new(Glob::parse(&root.join("*/*.log")).unwrap());
        assert!(found(&mut scan, root).is_empty());
        fs::create_dir(root.join("a")).unwrap();
        for name in ["a/x.log", "a/y.log.gz", "a/z.txt", "top.log"] {
            fs::write(root.join(name), "").unwrap();
        }
        symlink(root.join("a"), root.join("b")).unwrap();
        symlink("nowhere", root.join("a/w.log")).unwrap();
        assert_eq!(found(&mut scan, root), ["a/w.log", "a/x.log", "b/w.log", "b/x.log"]);
        fs::rename(root.join("a/x.log"), root.join("a/v.log")).unwrap();
        assert_eq!(found(&mut scan, root), ["a/v.log", "a/w.log", "b/v.log", "b/w.log"]);
        fs::remove_dir_all(root.join("a")).unwrap();
        assert!(found(&mut scan, root).is_empty());
    }

    #[test]
    fn depth_does_not_follow_links_into_circles() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        fs::create_dir_all(root.join("d/e")).unwrap();
        fs::write(root.join("d/e/x.log"), "").unwrap();
        fs::write(root.join("x.log"), "").unwrap();
        symlink(root, root.join("d/circle")).unwrap();
        let mut scan = Scan::new(Glob::parse(&root.join("**/x.log")).unwrap());
        assert_eq!(found(&mut scan, root), ["d/e/x.log", "x.log"]);
    }

    #[test]
    fn an_old_listing_is_good_until_its_directory_changes() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let mut scan = Scan::new(Glob::parse(&root.join("*.log")).unwrap());
        fs::write(root.join("a.log"), "").unwrap();
        let later = SystemTime::now() + 2 * COARSEST_TIME;
        assert_eq!(scan.look(SystemTime::now()).len(), 1);
        assert!(!scan.is_unchanged(), "too young to be trusted");
        assert_eq!(scan.look(later).len(), 1);
        assert!(scan.is_unchanged());
        fs::write(root.join("b.log"), "").unwrap();
        assert!(!scan.is_unchanged());
        assert_eq!(scan.look(later).len(), 2);
    }
}
