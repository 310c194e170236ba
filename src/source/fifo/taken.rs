//! What has been taken out of a pipe is nowhere else until its events are stored. A mark on the disk says whether there is any: who is killed then may
//! have lost something, and who is killed at another moment has not.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::warn;

/// Something was taken that is not stored.
const OWES: u8 = b'1';
const OWES_NOTHING: u8 = b'0';

/// The mark of one path. Who reads it anew may begin before who has read it until then has ended, so they share it.
#[derive(Debug)]
pub struct Mark {
    path: PathBuf,
    file: File,
    /// How many of them owe something.
    owing: Mutex<usize>,
}

impl Mark {
    /// Takes up the mark at this path. Also whether somebody had taken something and was killed before it was stored.
    ///
    /// # Errors
    /// It cannot be read or made.
    pub fn open(path: &Path) -> io::Result<(Arc<Self>, bool)> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut mark = [OWES_NOTHING];
        let had_owed = file.read(&mut mark)? == 1 && mark[0] == OWES;
        Ok((Arc::new(Self { path: path.to_owned(), file, owing: Mutex::new(0) }), had_owed))
    }

    /// A write of one byte into a file that is there needs no room on the disk, and is not torn.
    fn write(&self, mark: u8) {
        if let Err(error) = self.file.write_all_at(&[mark], 0) {
            warn!("could not write '{}': {error}", self.path.display());
        }
    }

    fn owe(&self) {
        let mut owing = self.owing.lock().unwrap_or_else(PoisonError::into_inner);
        *owing += 1;
        if *owing == 1 {
            self.write(OWES);
        }
    }

    fn settle(&self) {
        let mut owing = self.owing.lock().unwrap_or_else(PoisonError::into_inner);
        *owing = owing.saturating_sub(1);
        if *owing == 0 {
            self.write(OWES_NOTHING);
        }
    }
}

impl Drop for Mark {
    /// Nobody reads any more. Who does not find a mark thinks that nothing is owed.
    fn drop(&mut self) {
        if *self.owing.get_mut().unwrap_or_else(PoisonError::into_inner) == 0 {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// What one reader has taken.
#[derive(Debug)]
pub struct Taken {
    mark: Arc<Mark>,
    owes: bool,
}

impl Taken {
    /// Nothing yet. Who was killed before `had_owed`, which is told first.
    #[must_use]
    pub fn new(mark: Arc<Mark>, had_owed: bool) -> Self {
        let mut taken = Self { mark, owes: false };
        if had_owed {
            taken.note();
        }
        taken
    }

    /// Something is about to be taken.
    pub fn note(&mut self) {
        if !std::mem::replace(&mut self.owes, true) {
            self.mark.owe();
        }
    }

    /// Whether something was taken since the last time that all was stored.
    #[must_use]
    pub fn owes(&self) -> bool {
        self.owes
    }

    /// All that was taken is stored.
    pub fn settle(&mut self) {
        if std::mem::take(&mut self.owes) {
            self.mark.settle();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_killed_between_taking_and_storing_is_known() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("@taken/web%2Fa");
        let is_owed = || fs::read(&path).unwrap_or_default() == [OWES];
        let (mark, had_owed) = Mark::open(&path).unwrap();
        let mut taken = Taken::new(Arc::clone(&mark), had_owed);
        assert!(!had_owed && !taken.owes() && !is_owed(), "it is new");
        taken.note();
        assert!(is_owed() && taken.owes());
        let mut successor = Taken::new(Arc::clone(&mark), false);
        successor.note();
        taken.settle();
        assert!(is_owed(), "the successor owes");
        successor.settle();
        assert!(!is_owed());
        taken.note();
        std::mem::forget((taken, mark, successor)); // killed
        let (mark, had_owed) = Mark::open(&path).unwrap();
        let mut taken = Taken::new(mark, had_owed);
        assert!(had_owed && taken.owes() && is_owed(), "until it is told");
        taken.settle();
        drop(taken);
        assert!(!path.exists());
    }
}
