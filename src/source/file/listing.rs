//! What is in a directory, as long as it stays so.
//!
//! A directory changes its modification time with every entry that comes, goes or is renamed. So a listing is good as long as that time stands, and
//! asking again costs one `stat`. File systems tell time in steps: a listing that was made within one of them after a change is not
//! trusted, because the next change may leave the same time ([`super::clock`]).

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirEntryExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::clock;
use super::identity::remote;

/// No file system in use counts in longer steps (FAT: two seconds).
const COARSEST_STEP: Duration = Duration::from_secs(2);

/// The entries of a directory.
#[derive(Debug)]
pub struct Listing {
    /// The directory's modification time before it was read.
    modified: Option<SystemTime>,
    /// Whether that time had stood long enough to show the next change.
    is_settled: bool,
    /// By their names.
    entries: Vec<Entry>,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: OsString,
    /// Which file it is, as far as the directory knows.
    inode: u64,
    /// What it is.
    pub kind: Kind,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// May lead to anything.
    Link,
    /// Anything else.
    Other,
}

impl Listing {
    /// Reads a directory. No change that comes after the beginning of that is stamped with an older time than `stamp`.
    ///
    /// # Errors
    /// It could not be read.
    pub fn read(directory: &Path, stamp: SystemTime) -> io::Result<Self> {
        let modified = modified(directory);
        let step = if File::open(directory).is_ok_and(|open| remote(&open).is_some()) { COARSEST_STEP } else { step_of(modified) };
        let is_settled = modified.is_some_and(|at| at + step < stamp);
        let mut entries = Vec::new();
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let kind = match entry.file_type() {
                Ok(kind) if kind.is_dir() => Kind::Directory,
                Ok(kind) if kind.is_symlink() => Kind::Link,
                Ok(_) => Kind::Other,
                Err(_) => continue, // gone meanwhile
            };
            entries.push(Entry { name: entry.file_name(), inode: entry.ino(), kind });
        }
        entries.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        Ok(Self { modified, is_settled, entries })
    }

    /// A directory that could not be read: never good.
    #[must_use]
    pub fn unreadable() -> Self {
        Self { modified: None, is_settled: false, entries: Vec::new() }
    }

    /// Whether reading the directory again would give the same.
    #[must_use]
    pub fn is_good(&self, directory: &Path) -> bool {
        self.is_settled && modified(directory) == self.modified
    }

    /// All entries, by their names.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Those whose names begin with these bytes.
    pub fn beginning_with<'a>(&'a self, bytes: &'a [u8]) -> impl Iterator<Item = &'a Entry> {
        let from = self.entries.partition_point(|entry| entry.name.as_bytes() < bytes);
        self.entries[from..].iter().take_while(move |entry| entry.name.as_bytes().starts_with(bytes))
    }
}

fn modified(directory: &Path) -> Option<SystemTime> {
    fs::metadata(directory).ok()?.modified().ok()
}

/// In which steps the file system that gave this time counts, beyond those of the kernel's clock. One that knows parts of a millisecond takes that clock as
/// it is.
fn step_of(time: Option<SystemTime>) -> Duration {
    let since = time.and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    if since.subsec_nanos().is_multiple_of(1_000_000) { COARSEST_STEP } else { Duration::ZERO }
}

/// Listings that several paths ask for at about the same time.
#[derive(Debug, Default)]
pub struct Listings {
    by_directory: HashMap<PathBuf, (Listing, Use)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Lately,
    Before,
}

impl Listings {
    /// The entries beside a path whose names begin with its own, and that.
    ///
    /// # Errors
    /// The directory could not be read.
    pub fn beside(&mut self, path: &Path) -> io::Result<Vec<Entry>> {
        let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else { return Ok(Vec::new()) };
        let is_good = self.by_directory.get(directory).is_some_and(|(listing, _)| listing.is_good(directory));
        if !is_good {
            let listing = Listing::read(directory, clock::stamp())?;
            self.by_directory.insert(directory.to_owned(), (listing, Use::Lately));
        }
        let (listing, lately) = self.by_directory.get_mut(directory).expect("it has just been put there");
        *lately = Use::Lately;
        Ok(listing.beginning_with(name.as_bytes()).cloned().collect())
    }

    /// Forgets what has not been asked for since the last call.
    pub fn forget_unused(&mut self) {
        self.by_directory.retain(|_, (_, lately)| std::mem::replace(lately, Use::Before) == Use::Lately);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_by_their_beginnings() {
        let root = tempfile::tempdir().unwrap();
        for name in ["a", "app.lo", "app.log", "app.log-1", "app.log.1", "app.logs", "b"] {
            fs::write(root.path().join(name), "").unwrap();
        }
        let mut listings = Listings::default();
        let found: Vec<_> = listings.beside(&root.path().join("app.log")).unwrap().into_iter().map(|entry| entry.name).collect();
        assert_eq!(found, ["app.log", "app.log-1", "app.log.1", "app.logs"]);
        assert!(listings.beside(&root.path().join("c")).unwrap().is_empty());
        assert!(listings.beside(&root.path().join("none/c")).is_err());
    }

    #[test]
    fn a_listing_is_good_until_its_directory_changes() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("a"), "").unwrap();
        let young = Listing::read(root.path(), modified(root.path()).unwrap()).unwrap();
        assert!(!young.is_good(root.path()), "the next change may leave the same time");
        let later = SystemTime::now() + 2 * COARSEST_STEP;
        let listing = Listing::read(root.path(), later).unwrap();
        assert!(listing.is_good(root.path()));
        std::thread::sleep(clock::CLOCK_STEP); // within one step the time would not change
        fs::rename(root.path().join("a"), root.path().join("b")).unwrap();
        assert!(!listing.is_good(root.path()));
    }

    #[test]
    fn steps_are_told_by_the_time_itself() {
        let time = |nanos| Some(UNIX_EPOCH + Duration::new(1_795_267_967, nanos));
        assert_eq!(step_of(time(0)), COARSEST_STEP);
        assert_eq!(step_of(time(120_000_000)), COARSEST_STEP, "exFAT");
        assert_eq!(step_of(time(120_000_001)), Duration::ZERO);
        assert_eq!(step_of(None), COARSEST_STEP);
    }
}
