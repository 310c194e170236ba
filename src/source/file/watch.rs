//! Hints: the kernel says where something may have changed (inotify(7)). What has changed is for the look to find out.
//!
//! Directories are watched, never files: a file is replaced by another one without its watch noticing. Hints may be lost, doubled and late,
//! and some file systems give none; whoever follows files looks without hints as well, only not as often. So nothing here can lose
//! a line.
//!
//! This speaks to inotify directly and not through a library that covers other systems: such a library asks for events of our own `open`,
//! starts a thread of its own, and hides which limit was reached.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor};

use super::identity::Identity;

/// What is asked of a directory.
fn wanted() -> AddWatchFlags {
    AddWatchFlags::IN_MODIFY
        | AddWatchFlags::IN_ATTRIB
        | AddWatchFlags::IN_CREATE
        | AddWatchFlags::IN_DELETE
        | AddWatchFlags::IN_MOVE
        | AddWatchFlags::IN_DELETE_SELF
        | AddWatchFlags::IN_MOVE_SELF
        | AddWatchFlags::IN_ONLYDIR
}

/// Where something may have changed.
#[derive(Debug, PartialEq, Eq)]
pub enum Hint {
    /// Bytes were written to this file.
    Grown(PathBuf),
    /// This name came, went, or leads to something else; or its rights have changed.
    Changed(PathBuf),
    /// The directory itself has gone.
    Gone(PathBuf),
    /// Anywhere: hints were lost.
    Everywhere,
}

/// Why the kernel gives no hints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// `fs.inotify.max_user_instances` is reached, or the limit of open files.
    Instances,
    /// `fs.inotify.max_user_watches` is reached.
    Watches,
}

/// The directories that are watched.
#[derive(Debug)]
pub struct Watches {
    inotify: Option<Inotify>,
    directories: HashMap<PathBuf, Watched>,
    /// The names by which a watched directory is known: several may lead to one.
    names: HashMap<WatchDescriptor, Vec<PathBuf>>,
}

#[derive(Debug)]
struct Watched {
    descriptor: WatchDescriptor,
    identity: Identity,
}

impl Watches {
    /// No watches, and none to come.
    #[must_use]
    pub fn off() -> Self {
        Self { inotify: None, directories: HashMap::new(), names: HashMap::new() }
    }

    /// Nothing watched yet.
    ///
    /// # Errors
    /// The kernel has no more instances for this user, or none at all.
    pub fn new() -> Result<Self, Refusal> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC).map_err(|_| Refusal::Instances)?;
        Ok(Self { inotify: Some(inotify), ..Self::off() })
    }

    /// What to wait for.
    #[must_use]
    pub fn inotify(&self) -> Option<&Inotify> {
        self.inotify.as_ref()
    }

    /// Watches a directory, if it is there; true if it is watched now.
    ///
    /// # Errors
    /// The kernel has no more watches for this user.
    pub fn watch(&mut self, directory: &Path) -> Result<bool, Refusal> {
        if self.directories.contains_key(directory) {
            return Ok(true);
        }
        let Some(inotify) = &self.inotify else { return Ok(false) };
        match inotify.add_watch(directory, wanted()) {
            Ok(descriptor) => {
                let Ok(metadata) = fs::metadata(directory) else { return Ok(false) };
                let watched = Watched { descriptor, identity: Identity::of(&metadata) };
                self.directories.insert(directory.to_owned(), watched);
                self.names.entry(descriptor).or_default().push(directory.to_owned());
                Ok(true)
            }
            Err(Errno::ENOSPC) => Err(Refusal::Watches),
            Err(_) => Ok(false), // not there, not readable: a look will say so
        }
    }

    /// Forgets watches of directories whose names lead elsewhere by now, so that they are watched anew. Gives those names.
    pub fn verify(&mut self) -> Vec<PathBuf> {
        let is_other =
            |path: &Path, watched: &Watched| !fs::metadata(path).is_ok_and(|metadata| Identity::of(&metadata) == watched.identity);
        let moved: Vec<_> =
            self.directories.iter().filter(|(path, watched)| is_other(path, watched)).map(|(path, _)| path.clone()).collect();
        for path in &moved {
            self.forget(path);
        }
        moved
    }

    fn forget(&mut self, directory: &Path) {
        let Some(watched) = self.directories.remove(directory) else { return };
        let Some(names) = self.names.get_mut(&watched.descriptor) else { return };
        names.retain(|name| name != directory);
        if names.is_empty() {
            self.names.remove(&watched.descriptor);
            // Fails only if the directory has gone, and the watch with it.
            let _ = self.inotify.as_ref().map(|inotify| inotify.rm_watch(watched.descriptor));
        }
    }

    /// The hints that have come.
    pub fn hints(&mut self) -> Vec<Hint> {
        let Some(inotify) = &self.inotify else { return Vec::new() };
        match inotify.read_events() {
            Ok(events) => events.into_iter().flat_map(|event| self.hints_of(&event)).collect(),
            Err(Errno::EAGAIN | Errno::EINTR) => Vec::new(),
            Err(error) => {
                tracing::debug!("could not read hints of changed files: {}", io::Error::from(error));
                vec![Hint::Everywhere]
            }
        }
    }

    fn hints_of(&mut self, event: &InotifyEvent) -> Vec<Hint> {
        if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
            return vec![Hint::Everywhere];
        }
        let directories = self.names.get(&event.wd).cloned().unwrap_or_default();
        let is_end = event.mask.intersects(AddWatchFlags::IN_IGNORED | AddWatchFlags::IN_DELETE_SELF | AddWatchFlags::IN_MOVE_SELF);
        let hint = |directory: PathBuf| match &event.name {
            Some(name) if event.mask.contains(AddWatchFlags::IN_MODIFY) => Hint::Grown(directory.join(name)),
            Some(name) => Hint::Changed(directory.join(name)),
            None => Hint::Gone(directory),
        };
        if is_end {
            for directory in &directories {
                self.forget(directory);
            }
        } else if event.name.is_none() {
            return Vec::new(); // the directory's own rights
        }
        directories.into_iter().map(hint).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_tells_of_its_files_until_it_is_gone() {
        let root = tempfile::tempdir().unwrap();
        let (directory, file) = (root.path().join("d"), root.path().join("d/f"));
        fs::create_dir(&directory).unwrap();
        let mut watches = Watches::new().unwrap();
        assert_eq!(watches.watch(&directory), Ok(true));
        fs::write(&file, "x").unwrap();
        assert_eq!(watches.hints(), [Hint::Changed(file.clone()), Hint::Grown(file)]);
        fs::rename(&directory, root.path().join("e")).unwrap();
        assert!(watches.hints().contains(&Hint::Gone(directory.clone())));
        assert_eq!(watches.watch(&directory), Ok(false));
        fs::create_dir(&directory).unwrap();
        assert_eq!(watches.watch(&directory), Ok(true));
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_noticed() {
        let root = tempfile::tempdir().unwrap();
        let [a, b, link] = ["a", "b", "link"].map(|name| root.path().join(name));
        fs::create_dir(&a).unwrap();
        fs::create_dir(&b).unwrap();
        std::os::unix::fs::symlink(&a, &link).unwrap();
        let mut watches = Watches::new().unwrap();
        assert_eq!(watches.watch(&link), Ok(true));
        assert_eq!(watches.watch(&a), Ok(true));
        assert!(watches.verify().is_empty());
        fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink(&b, &link).unwrap();
        assert_eq!(watches.verify(), std::slice::from_ref(&link));
        fs::write(a.join("f"), "").unwrap();
        assert_eq!(watches.hints().first(), Some(&Hint::Changed(a.join("f"))));
    }
}
