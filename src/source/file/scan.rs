//! Which files a glob matches now.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::glob::{Glob, Part, is_compressed, is_hidden};
use super::listing::{Entry, Kind, Listing};

/// The files of a glob, found again and again.
#[derive(Debug)]
pub struct Scan {
    /// What is looked for.
    pub glob: Glob,
    /// Whether the scan in hand has used each of them.
    listings: HashMap<PathBuf, (Listing, Use)>,
    /// Directories that could not be read, with the reason.
    pub failed: Vec<(PathBuf, io::Error)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    InThisScan,
    Before,
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
            && self.listings.iter().all(|(directory, (listing, _))| listing.is_good(directory))
    }

    /// All that matches now and is no directory, in the order of names. Links are in it whatever they lead to. No change that comes after the beginning of
    /// that is stamped with an older time than `stamp`.
    pub fn look(&mut self, stamp: SystemTime) -> BTreeSet<PathBuf> {
        self.failed.clear();
        self.listings.values_mut().for_each(|(_, used)| *used = Use::Before);
        let mut found = BTreeSet::new();
        let parts = self.glob.parts.clone();
        let base = self.glob.base.clone();
        self.descend(&base, &parts, stamp, &mut found);
        self.listings.retain(|_, (_, used)| *used == Use::InThisScan);
        found
    }

    fn descend(&mut self, directory: &Path, parts: &[Part], stamp: SystemTime, found: &mut BTreeSet<PathBuf>) {
        let [part, rest @ ..] = parts else { return };
        match part {
            // The directory is read all the same: its time tells when the name comes.
            Part::Literal(name) => self.follow(directory, |e| e.name == *name, rest, stamp, found),
            Part::Wild(wild) => {
                let is_last = rest.is_empty();
                self.follow(directory, |e| wild.matches(&e.name) && !(is_last && is_compressed(&e.name)), rest, stamp, found);
            }
            Part::AnyDepth => {
                self.descend(directory, rest, stamp, found);
                // Links are not followed here: they lead into circles.
                let is_below = |e: &&Entry| e.kind == Kind::Directory && !is_hidden(&e.name);
                let below: Vec<_> =
                    self.entries(directory, stamp).iter().filter(is_below).map(|e| directory.join(&e.name)).collect();
                for directory in &below {
                    self.descend(directory, parts, stamp, found);
                }
            }
        }
    }

    fn follow(
        &mut self,
        directory: &Path,
        is_wanted: impl Fn(&Entry) -> bool,
        rest: &[Part],
        stamp: SystemTime,
        found: &mut BTreeSet<PathBuf>,
    ) {
        let wanted = self.entries(directory, stamp).iter().filter(|e| is_wanted(e));
        let names: Vec<(OsString, Kind)> = wanted.map(|e| (e.name.clone(), e.kind)).collect();
        for (name, kind) in names {
            let path = directory.join(name);
            match kind {
                Kind::Directory | Kind::Link if !rest.is_empty() => self.descend(&path, rest, stamp, found),
                Kind::Link | Kind::Other if rest.is_empty() => {
                    found.insert(path);
                }
                _ => {}
            }
        }
    }

    /// What is in a directory; nothing if it cannot be read.
    fn entries(&mut self, directory: &Path, stamp: SystemTime) -> &[Entry] {
        let is_known =
            self.listings.get(directory).is_some_and(|(listing, used)| *used == Use::InThisScan || listing.is_good(directory));
        if !is_known {
            let listing = Listing::read(directory, stamp).unwrap_or_else(|error| {
                // A link to a file below `*/` is no directory, and one that has gone is no failure.
                if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) {
                    self.failed.push((directory.to_owned(), error));
                }
                Listing::unreadable()
            });
            self.listings.insert(directory.to_owned(), (listing, Use::InThisScan));
        }
        let (listing, used) = self.listings.get_mut(directory).expect("it has just been put there");
        *used = Use::InThisScan;
        listing.entries()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::time::Duration;

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
        let later = SystemTime::now() + Duration::from_secs(4);
        assert_eq!(scan.look(SystemTime::now()).len(), 1);
        assert_eq!(scan.look(later).len(), 1);
        assert!(scan.is_unchanged());
        fs::write(root.join("b.log"), "").unwrap();
        assert!(!scan.is_unchanged());
        assert_eq!(scan.look(later).len(), 2);
    }
}
