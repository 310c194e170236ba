//! Copies of followed files that a glob matches as well: `app.log*`, and somebody copies `app.log` to `app.log.1` before he truncates it.
//!
//! Who looks while the copy is made sees a new file with lines that have been read. So a match whose name is that of a followed file with an ending
//! is not begun as long as it holds only what that file holds; when that file is truncated, the copy is where it goes on.

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::follower::{Follower, Now};
use super::identity::{Identity, born, open_if_there};
use super::listing::Listings;
use super::place::Place;
use super::reader::Reader;
use super::siblings::{self, Sibling};
use super::trail::Origin;
use crate::source::PathKey;

/// A copy that has not grown for so long is not about to be used for a truncation: it is a file like any other.
const COPYING: Duration = Duration::from_secs(5);

/// How much is compared, in bytes.
const PIECE: usize = 4096;

impl Follower {
    /// Whether a match may be the copy of a followed file that is about to be truncated: it has the name with an ending, and what that file
    /// has, or nothing yet. If the file has been truncated already, its copy is found now.
    ///
    /// # Errors
    /// There is no descriptor left to compare them.
    pub(super) fn may_be_copy(&mut self, key: PathKey, metadata: &Metadata, now: Now) -> io::Result<bool> {
        let Some(trail) = self.trails.get(&key).filter(|trail| trail.origin != Origin::Named) else {
            return Ok(false);
        };
        let path = trail.path.clone();
        let Some(original) = self.original(&path) else { return Ok(false) };
        // What the first look finds was there, unless the other file has been followed before.
        if self.is_first && self.trails.get(&original).is_none_or(|trail| trail.new_since.is_none()) {
            return Ok(false);
        }
        if self.note_copy_of_deleted(original, &path)? {
            return Ok(false);
        }
        let Some(trail) = self.trails.get_mut(&original) else { return Ok(false) };
        let (key, last) = (trail.key, trail.readers.len().saturating_sub(1));
        let Some((original, opened)) = open_if_there(&trail.path)? else { return Ok(false) };
        let Some(reader) = trail.named().filter(|reader| reader.identity == Identity::of(&opened)) else { return Ok(false) };
        // The time of one that is being written may be later than that of this step.
        let is_young = metadata.modified().is_ok_and(|at| at + COPYING > now.time);
        let copy = if is_young { open_if_there(&path)? } else { None };
        let is_copy = copy.is_some_and(|(copy, _)| is_copy_so_far(&copy, &original, metadata.len()));
        // Asked afterwards: a cut in between would have made the two differ.
        let Some(loss) = reader.place.loss_in(&original) else { return Ok(is_copy) };
        if reader.file().is_none() && reader.attach(original).is_ok() {
            self.open += 1;
        }
        self.read_at(key);
        self.restart(key, last, loss, now)?;
        Ok(false)
    }

    /// A match that holds what a deleted file holds that is still open was copied from it: `cp app.log app.log.1 && rm app.log`. Where it ends, it
    /// goes on with lines of its own; those before come from the deleted file. Whether it is one.
    fn note_copy_of_deleted(&mut self, original: PathKey, path: &Path) -> io::Result<bool> {
        let Self { trails, listings, .. } = self;
        let Some(trail) = trails.get(&original).filter(|trail| trail.readers.iter().any(Reader::is_deleted)) else {
            return Ok(false);
        };
        let Some((file, metadata)) = open_if_there(path)? else { return Ok(false) };
        let copy = Sibling { path: path.to_owned(), file, metadata };
        let mut deleted = trail.readers.iter().filter(|reader| reader.is_deleted());
        if !deleted.any(|deleted| is_copy_of(listings, &trail.places, &copy, deleted)) {
            return Ok(false);
        }
        // If it is being written over in this moment, it is a file like any other.
        let Ok(place) = Place::at(&copy.file, copy.metadata.len()) else { return Ok(false) };
        self.remember_done(original, Identity::of(&copy.metadata), born(&copy.metadata), place);
        Ok(true)
    }

    /// The followed path whose name, with an ending, this one is.
    fn original(&self, path: &Path) -> Option<PathKey> {
        let name = path.file_name()?.as_bytes();
        let endings = (1..name.len()).rev().filter(|at| matches!(name[*at], b'.' | b'-'));
        endings
            .map(|at| path.with_file_name(OsStr::from_bytes(&name[..at])))
            .find_map(|original| self.paths.get(&original).copied())
    }
}

/// Whether a file beside a path is a copy of one that the path led to before: it continues what has been read of that, or holds what a deleted file
/// holds that is still open.
pub(super) fn is_copy_of(listings: &mut Listings, places: &[PathBuf], sibling: &Sibling, older: &Reader) -> bool {
    let deleted = older.file().filter(|_| sibling.metadata.len() > 0 && older.is_deleted());
    let is_of_deleted = || deleted.is_some_and(|file| is_copy_so_far(&sibling.file, file, sibling.metadata.len()));
    (siblings::continues(sibling, older) || is_of_deleted()) && !is_another(listings, places, sibling, older)
}

/// Whether a file beside a path, which begins as an older one does, is no copy of that: generations of a log may all begin alike, with a head or an empty
/// line. As long as the older one is there, beside `places`, and has not been cut, a copy holds nothing else; and a copy of a part was made before the rest
/// was written.
pub(super) fn is_another(listings: &mut Listings, places: &[PathBuf], sibling: &Sibling, older: &Reader) -> bool {
    let mut found = None;
    let file = older.file().or_else(|| {
        // Without a descriptor to look, it is as good as gone.
        found = siblings::same(listings, places, &[], older).ok().flatten();
        found.as_ref().map(|found| &found.file)
    });
    let Some((file, whole)) = file.and_then(|file| Some((file, file.metadata().ok()?))) else { return false };
    let is_part = sibling.metadata.len() < whole.len();
    let is_younger = whole.modified().is_ok_and(|written| written <= born(&sibling.metadata));
    older.place.fits(file) && (is_part && is_younger || !is_copy_so_far(&sibling.file, file, sibling.metadata.len()))
}

/// Whether a file holds what another one holds, as far as it goes with this `length`: compared at its beginning and at its end. Both are asked as they
/// were opened: another file may have got the name.
pub(super) fn is_copy_so_far(file: &File, original: &File, length: u64) -> bool {
    let is_same_at = |at: u64| {
        let (mut piece, mut there) = (vec![0; PIECE], vec![0; PIECE]);
        let Ok(count) = file.read_at(&mut piece, at) else { return false };
        original.read_at(&mut there, at).is_ok_and(|found| found >= count && piece[..count] == there[..count])
    };
    is_same_at(0) && is_same_at(length.saturating_sub(PIECE as u64))
}
