//! A file system in memory, which can be cut at any operation: by the end of the process, or of the power.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use super::super::volume::{Content, Entry, Identity, Kind, Stamp, Volume};

/// Bytes that reach the disk together, or not.
const SECTOR: usize = 16;

/// A file system. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Simulated(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// What the process sees.
    names: BTreeMap<PathBuf, usize>,
    directories: BTreeSet<PathBuf>,
    files: Vec<Bytes>,
    /// Changes of names that a power cut may take, from some on.
    changes: Vec<Change>,
    /// What was there when the first of them was made.
    synced_names: BTreeMap<PathBuf, usize>,
    synced_directories: BTreeSet<PathBuf>,
    /// Operations that may still change something.
    left: Option<usize>,
    /// How much of the last write was done when it was cut, of a hundred.
    part: usize,
    /// What belongs to somebody else.
    forbidden: BTreeSet<PathBuf>,
    /// How often the names in each directory have changed.
    changed: BTreeMap<PathBuf, i64>,
}

#[derive(Debug, Default, Clone)]
struct Bytes {
    now: Vec<u8>,
    synced: Vec<u8>,
}

#[derive(Debug, Clone)]
enum Change {
    Made(PathBuf, usize),
    Renamed(PathBuf, PathBuf),
    Removed(PathBuf),
    MadeDirectory(PathBuf),
    RemovedDirectory(PathBuf),
}

impl Simulated {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// From now on so many operations change something, and then a write does a part of what it should; nothing works after it.
    pub fn cut_after(&self, operations: usize, part: usize) {
        let mut state = self.lock();
        state.left = Some(operations);
        state.part = part;
    }

    /// Whether it has been cut.
    pub fn is_cut(&self) -> bool {
        self.lock().left == Some(0)
    }

    /// The process has ended: what it wrote is there.
    pub fn restart(&self) {
        self.lock().left = None;
    }

    /// The power was cut: of what was not synced, `chance` decides about each sector, and about how many of the changed names.
    pub fn power_cut(&self, mut chance: impl FnMut(usize) -> usize) {
        let mut state = self.lock();
        state.left = None;
        let kept = chance(state.changes.len() + 1);
        let (mut names, mut directories) = (state.synced_names.clone(), state.synced_directories.clone());
        for change in &state.changes[..kept] {
            change.apply(&mut names, &mut directories);
        }
        for file in &mut state.files {
            let length = file.synced.len() + chance(file.now.len().saturating_sub(file.synced.len()) + 1);
            let mut after = file.synced.clone();
            after.resize(length, 0);
            for start in (0..length).step_by(SECTOR) {
                let end = (start + SECTOR).min(length).min(file.now.len());
                if start < end && chance(2) == 1 {
                    after[start..end].copy_from_slice(&file.now[start..end]);
                }
            }
            if file.now.len() < file.synced.len() {
                after.truncate(if chance(2) == 1 { file.now.len() } else { file.synced.len() });
            }
            (file.now, file.synced) = (after.clone(), after);
        }
        (state.names, state.directories) = (names.clone(), directories.clone());
        (state.synced_names, state.synced_directories) = (names, directories);
        state.changes.clear();
    }

    /// The files that are there, and what they hold.
    pub fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let state = self.lock();
        state.names.iter().map(|(path, file)| (path.clone(), state.files[*file].now.clone())).collect()
    }

    /// A file or directory belongs to somebody else from now on.
    pub fn forbid(&self, path: &Path) {
        self.lock().forbidden.insert(path.to_owned());
    }

    /// It is ours again.
    pub fn allow(&self, path: &Path) {
        self.lock().forbidden.remove(path);
    }

    /// Somebody removes a directory with all that is in it.
    pub fn tear_out(&self, directory: &Path) {
        let mut state = self.lock();
        let files: Vec<_> = state.names.keys().filter(|path| path.starts_with(directory)).cloned().collect();
        for path in files {
            state.change(Change::Removed(path));
        }
        let below: Vec<_> = state.directories.iter().filter(|path| path.starts_with(directory)).cloned().collect();
        for path in below.into_iter().rev() {
            state.change(Change::RemovedDirectory(path));
        }
    }

    /// Changes a file behind everybody's back.
    pub fn tamper(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.lock();
        let file = state.names[path];
        change(&mut state.files[file].now);
        state.files[file].synced = state.files[file].now.clone();
    }
}

impl State {
    /// Whether one more operation may change something.
    fn spend(&mut self) -> io::Result<()> {
        match &mut self.left {
            Some(0) => Err(io::Error::other("cut")),
            Some(left) => {
                *left -= 1;
                if *left == 0 { Err(io::Error::other("cut")) } else { Ok(()) }
            }
            None => Ok(()),
        }
    }

    /// Whether one more operation may change what this name stands for: whose the directory is decides.
    fn may_change(&mut self, path: &Path) -> io::Result<()> {
        if path.parent().is_some_and(|directory| self.forbidden.contains(directory)) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        if !self.names.contains_key(path) {
            return Err(missing());
        }
        self.spend()
    }

    fn change(&mut self, change: Change) {
        let (Change::Made(path, _)
        | Change::Renamed(path, _)
        | Change::Removed(path)
        | Change::MadeDirectory(path)
        | Change::RemovedDirectory(path)) = &change;
        for directory in [path.parent(), Some(path)].into_iter().flatten() {
            *self.changed.entry(directory.to_owned()).or_default() += 1;
        }
        change.apply(&mut self.names, &mut self.directories);
        self.changes.push(change);
    }
}

impl Change {
    fn apply(&self, names: &mut BTreeMap<PathBuf, usize>, directories: &mut BTreeSet<PathBuf>) {
        match self {
            Self::Made(path, file) => drop(names.insert(path.clone(), *file)),
            Self::Renamed(from, to) => {
                if let Some(file) = names.remove(from) {
                    names.insert(to.clone(), file);
                }
            }
            Self::Removed(path) => drop(names.remove(path)),
            Self::MadeDirectory(path) => drop(directories.insert(path.clone())),
            Self::RemovedDirectory(path) => drop(directories.remove(path)),
        }
    }
}

fn missing() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl Volume for Simulated {
    fn list(&self, directory: &Path) -> io::Result<Vec<Entry>> {
        let state = self.lock();
        if state.forbidden.contains(directory) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        if !state.directories.contains(directory) {
            return Err(missing());
        }
        let is_here = |path: &&PathBuf| path.parent() == Some(directory);
        let name = |path: &PathBuf| path.file_name().unwrap().to_owned();
        let files = state.names.iter().filter(|(path, _)| is_here(path));
        let files = files.map(|(path, file)| Entry { name: name(path), kind: Kind::File(state.files[*file].now.len() as u64) });
        let directories = state.directories.iter().filter(is_here).map(|path| Entry { name: name(path), kind: Kind::Directory });
        Ok(files.chain(directories).collect())
    }

    fn make_directory(&self, directory: &Path) -> io::Result<()> {
        let mut state = self.lock();
        for above in directory.ancestors().collect::<Vec<_>>().into_iter().rev() {
            if !state.directories.contains(above) {
                state.spend()?;
                state.change(Change::MadeDirectory(above.to_owned()));
            }
        }
        Ok(())
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn Content>> {
        let state = self.lock();
        if state.forbidden.contains(path) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let file = *state.names.get(path).ok_or_else(missing)?;
        drop(state);
        Ok(Arc::new(Opened { volume: self.clone(), file }))
    }

    fn open_to_write(&self, path: &Path) -> io::Result<Arc<dyn Content>> {
        if self.lock().forbidden.contains(path) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        self.open(path)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn Content>> {
        let mut state = self.lock();
        if !state.names.contains_key(path) {
            if !state.directories.contains(path.parent().unwrap()) {
                return Err(missing());
            }
            state.spend()?;
            let file = state.files.len();
            state.files.push(Bytes::default());
            state.change(Change::Made(path.to_owned(), file));
        }
        drop(state);
        self.open_to_write(path)
    }

    fn stamp(&self, path: &Path) -> io::Result<Stamp> {
        let state = self.lock();
        let inode = match state.names.get(path) {
            Some(file) => *file as u64,
            None if state.directories.contains(path) => u64::MAX,
            None => return Err(missing()),
        };
        let changed = (state.changed.get(path).copied().unwrap_or(0), 0);
        Ok(Stamp { identity: Identity { device: 1, inode }, changed })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.lock();
        state.may_change(from)?;
        state.change(Change::Renamed(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock();
        state.may_change(path)?;
        state.change(Change::Removed(path.to_owned()));
        Ok(())
    }

    fn remove_directory(&self, directory: &Path) -> io::Result<()> {
        let mut state = self.lock();
        let is_inside = |path: &PathBuf| path.parent() == Some(directory);
        if !state.directories.contains(directory) {
            return Err(missing());
        }
        if state.names.keys().any(is_inside) || state.directories.iter().any(is_inside) {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        state.spend()?;
        state.change(Change::RemovedDirectory(directory.to_owned()));
        Ok(())
    }

    /// Everything about names is synced at once, as in a journal.
    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        let mut state = self.lock();
        if !state.directories.contains(directory) {
            return Err(missing());
        }
        state.spend()?;
        (state.synced_names, state.synced_directories) = (state.names.clone(), state.directories.clone());
        state.changes.clear();
        Ok(())
    }
}

#[derive(Debug)]
struct Opened {
    volume: Simulated,
    file: usize,
}

impl Content for Opened {
    fn length(&self) -> io::Result<u64> {
        Ok(self.volume.lock().files[self.file].now.len() as u64)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.volume.lock();
        let now = &state.files[self.file].now;
        let start = usize::try_from(offset).unwrap().min(now.len());
        let count = bytes.len().min(now.len() - start);
        bytes[..count].copy_from_slice(&now[start..start + count]);
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.volume.lock();
        if state.left == Some(0) {
            return Err(io::Error::other("cut"));
        }
        let spent = state.spend();
        let count = if spent.is_ok() { bytes.len() } else { bytes.len() * state.part / 100 };
        let start = usize::try_from(offset).unwrap();
        let now = &mut state.files[self.file].now;
        if now.len() < start + count {
            now.resize(start + count, 0);
        }
        now[start..start + count].copy_from_slice(&bytes[..count]);
        spent
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        let mut state = self.volume.lock();
        state.spend()?;
        state.files[self.file].now.resize(usize::try_from(length).unwrap(), 0);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.volume.lock();
        state.spend()?;
        state.files[self.file].synced = state.files[self.file].now.clone();
        Ok(())
    }

    fn identity(&self) -> io::Result<Identity> {
        Ok(Identity { device: 1, inode: self.file as u64 })
    }
}
