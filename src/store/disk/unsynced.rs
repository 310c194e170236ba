//! What a power cut may take.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use super::volume::Volume;

/// What has been written and not been synced.
#[derive(Debug, Default)]
pub struct Unsynced {
    files: BTreeSet<PathBuf>,
    /// Directories with new names, each below those that contain it.
    directories: BTreeSet<PathBuf>,
    /// Files that are given another name when all of this is safe: from, to.
    aside: Vec<(PathBuf, PathBuf)>,
}

impl Unsynced {
    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.directories.is_empty() && self.aside.is_empty()
    }

    /// Notes a file that was written.
    pub fn note_file(&mut self, path: PathBuf) {
        self.files.insert(path);
    }

    /// Notes a directory with a new name, and those above it up to `root`, which may have new names as well.
    pub fn note_names(&mut self, directory: &Path, root: &Path) {
        let above = directory.ancestors().take_while(|directory| directory.starts_with(root));
        self.directories.extend(above.map(Path::to_owned));
    }

    /// Notes a file that was damaged: it is moved aside when what was made of it is safe, and not before.
    pub fn note_aside(&mut self, from: PathBuf, to: PathBuf) {
        self.aside.push((from, to));
    }

    /// Makes all of it safe: the bytes before the names. What is not there any more needs it no more.
    ///
    /// # Errors
    /// What the kernel says of the first that it could not sync.
    pub fn sync(&self, volume: &dyn Volume) -> io::Result<()> {
        let files = self.files.iter().map(|path| volume.open(path).and_then(|file| file.sync()));
        let names = self.directories.iter().rev().map(|directory| volume.sync_directory(directory));
        files.chain(names).try_for_each(|outcome| match outcome {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            outcome => outcome,
        })?;
        for (from, to) in &self.aside {
            let _ = volume.rename(from, to); // or the next start does
        }
        Ok(())
    }

    /// Adds what could not be synced, to be tried again.
    pub fn join(&mut self, other: Self) {
        self.files.extend(other.files);
        self.directories.extend(other.directories);
        self.aside.extend(other.aside);
    }
}
