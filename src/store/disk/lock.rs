//! One daemon at a time: the file `@lock` of a state directory, held with flock(2).
//!
//! The kernel gives the lock back when the process ends, however it ends; the file stays. The process id in it is for people, and is that of the
//! daemon that held it last: only the lock says whether somebody holds it. A state directory on a network is as safe as the file system's locks.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};
use nix::unistd::{AccessFlags, access};

use super::layout::{self, LOCK, RECOVERED};
use super::volume::{FILE_MODE, Kernel, Volume};

/// The lock of a state directory, given back when this goes or the process ends.
#[derive(Debug)]
pub struct Lock {
    held: Flock<File>,
}

/// Why a state directory is not ours.
#[derive(Debug, thiserror::Error)]
pub enum NotLocked {
    /// Somebody else has it: the process with this id, if the file says so.
    #[error("it is in use by another sse-bridge{}", .0.map(|pid| format!(" (pid {pid})")).unwrap_or_default())]
    InUse(Option<u32>),
    /// Its path is that of something else, or of a link that leads nowhere.
    #[error("it is no directory")]
    NoDirectory,
    /// It holds something, and nothing by which it would be known as ours.
    #[error("it is not empty, and no sse-bridge has used it")]
    Foreign,
    /// What is called like the lock is not a file of ours.
    #[error("its '{LOCK}' is not a regular file")]
    NoFile,
    /// It cannot be made.
    #[error("it could not be made")]
    Make(#[source] io::Error),
    /// Nothing can be made in it, or written.
    #[error("it could not be written")]
    Write(#[source] io::Error),
    /// It cannot be locked.
    #[error("its '{LOCK}' could not be locked")]
    Lock(#[source] io::Error),
}

impl Lock {
    /// Whether the file that is locked still has its name in the directory.
    #[must_use]
    pub fn is_of(&self, directory: &Path) -> bool {
        let held = self.held.metadata().map(|held| (held.dev(), held.ino()));
        let named = fs::metadata(directory.join(LOCK)).map(|named| (named.dev(), named.ino()));
        held.ok().zip(named.ok()).is_some_and(|(held, named)| held == named)
    }

    /// Takes the lock of a state directory, which is made if it is missing. Does not wait.
    ///
    /// # Errors
    /// Somebody else has it, or it cannot be made or written.
    pub fn take(directory: &Path) -> Result<Self, NotLocked> {
        Kernel.make_directory(directory).map_err(|error| match error.kind() {
            // It is there, and no directory; or something above it is none.
            io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => NotLocked::NoDirectory,
            _ => NotLocked::Make(error),
        })?;
        if is_foreign(directory) {
            return Err(NotLocked::Foreign);
        }
        let file = open(&directory.join(LOCK))?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(held) => {
                access(directory, AccessFlags::W_OK | AccessFlags::X_OK).map_err(|errno| NotLocked::Write(errno.into()))?;
                write_pid(&held).map(|()| Self { held }).map_err(NotLocked::Write)
            }
            Err((file, Errno::EWOULDBLOCK)) => Err(NotLocked::InUse(pid_in(&file))),
            Err((_, errno)) => Err(NotLocked::Lock(errno.into())),
        }
    }
}

/// Whether there is something in a directory that is not ours. What a start repairs, renames and removes must never be somebody else's. Of one that
/// cannot be read somebody else tells.
fn is_foreign(directory: &Path) -> bool {
    let Ok(entries) = Kernel.list(directory) else { return false };
    let mut names = entries.iter().map(|entry| &*entry.name);
    !layout::is_used(names.clone()) && names.any(|name| name != RECOVERED)
}

/// Opens the file, or makes it. Not through a link, and without waiting for whoever has the other end of a pipe.
fn open(path: &Path) -> Result<File, NotLocked> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let opened = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(FILE_MODE)
        .custom_flags(flags.bits())
        .open(path);
    let file = opened.map_err(|error| match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ELOOP | Errno::EISDIR | Errno::ENXIO) => NotLocked::NoFile,
        _ => NotLocked::Lock(error),
    })?;
    match file.metadata() {
        Ok(found) if found.is_file() => Ok(file),
        Ok(_) => Err(NotLocked::NoFile),
        Err(error) => Err(NotLocked::Lock(error)),
    }
}

fn write_pid(file: &File) -> io::Result<()> {
    file.set_len(0)?;
    file.write_all_at(format!("{}\n", std::process::id()).as_bytes(), 0)
}

fn pid_in(file: &File) -> Option<u32> {
    let mut bytes = [0; 16];
    let count = file.read_at(&mut bytes, 0).ok()?;
    std::str::from_utf8(&bytes[..count]).ok()?.strip_suffix('\n')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    /// The longest path, with its NUL.
    const PATH_MAX: usize = 4096;

    fn in_new_directory(name: &str) -> (tempfile::TempDir, PathBuf) {
        let above = tempfile::tempdir().unwrap();
        let path = above.path().join(name);
        (above, path)
    }

    /// Why the directory cannot be locked.
    fn refused(directory: &Path) -> String {
        let error = Lock::take(directory).expect_err("it is refused");
        format!("{error}: {}", std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default())
    }

    #[test]
    fn one_at_a_time() {
        let (_above, directory) = in_new_directory("a/b");
        let held = Lock::take(&directory).unwrap();
        let pid = std::process::id();
        assert_eq!(fs::read_to_string(directory.join(LOCK)).unwrap(), format!("{pid}\n"));
        assert_eq!(refused(&directory), format!("it is in use by another sse-bridge (pid {pid}): "));
        drop(held);
        drop(Lock::take(&directory).unwrap());
    }

    #[test]
    fn what_is_somebody_elses_is_left_as_it_is() {
        let (_above, directory) = in_new_directory("a");
        fs::create_dir_all(directory.join("below")).unwrap();
        assert_eq!(refused(&directory), "it is not empty, and no sse-bridge has used it: ");
        assert!(!directory.join(LOCK).exists());
        fs::rename(directory.join("below"), directory.join(RECOVERED)).unwrap();
        drop(Lock::take(&directory).unwrap());
        fs::write(directory.join("other"), "").unwrap();
        drop(Lock::take(&directory).unwrap());
    }

    #[test]
    fn what_is_made_is_not_for_everybody() {
        let (_above, directory) = in_new_directory("a");
        let _held = Lock::take(&directory).unwrap();
        let rights = |path: &Path| fs::metadata(path).unwrap().mode() & 0o027;
        assert_eq!((rights(&directory), rights(&directory.join(LOCK))), (0, 0));
    }

    #[test]
    fn the_text_in_it_does_not_matter() {
        let (_above, directory) = in_new_directory("a");
        fs::create_dir(&directory).unwrap();
        for text in ["", "1\n", "a much longer text than a process id has\n"] {
            fs::write(directory.join(LOCK), text).unwrap();
            let _held = Lock::take(&directory).unwrap();
            assert_eq!(fs::read_to_string(directory.join(LOCK)).unwrap(), format!("{}\n", std::process::id()));
            fs::write(directory.join(LOCK), text).unwrap();
            let pid = if text == "1\n" { " (pid 1)" } else { "" };
            assert_eq!(refused(&directory), format!("it is in use by another sse-bridge{pid}: "));
        }
    }

    #[test]
    fn a_link_to_a_directory_is_one() {
        let (above, directory) = in_new_directory("private");
        symlink("private", above.path().join("link")).unwrap();
        assert_eq!(refused(&above.path().join("link")), "it is no directory: ");
        fs::create_dir(&directory).unwrap();
        let _held = Lock::take(&above.path().join("link")).unwrap();
        assert!(refused(&directory).contains("in use"));
    }

    #[test]
    fn what_is_no_directory_is_refused() {
        let (above, path) = in_new_directory("file");
        fs::write(&path, "").unwrap();
        assert_eq!(refused(&path), "it is no directory: ");
        assert_eq!(refused(&path.join("below")), "it is no directory: ");
        symlink(&path, above.path().join("link")).unwrap();
        assert_eq!(refused(&above.path().join("link")), "it is no directory: ");
    }

    #[test]
    fn what_is_no_file_of_ours_is_refused() {
        for make in [
            |path: &Path| fs::create_dir(path).unwrap(),
            |path: &Path| symlink("elsewhere", path).unwrap(),
            |path: &Path| nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRUSR).unwrap(),
            |path: &Path| drop(std::os::unix::net::UnixListener::bind(path).unwrap()),
        ] {
            let (_above, directory) = in_new_directory("a");
            fs::create_dir(&directory).unwrap();
            make(&directory.join(LOCK));
            assert_eq!(refused(&directory), "its '@lock' is not a regular file: ");
            assert!(!directory.join("elsewhere").exists());
        }
    }

    #[test]
    fn what_cannot_be_made_says_why() {
        // Nobody can make anything there, not even root.
        let line = refused(Path::new("/proc/sse-bridge/state"));
        assert!(line.starts_with("it could not be made: No such file or directory"), "{line}");
        // Where the path of a directory just fits, that of a file in it does not.
        let (_above, mut directory) = in_new_directory("a");
        while let left @ 2.. = PATH_MAX - 2 - directory.as_os_str().len() {
            directory.push("x".repeat((left - 1).min(200)));
        }
        fs::create_dir_all(&directory).unwrap();
        let line = refused(&directory);
        assert!(line.starts_with("its '@lock' could not be locked: "), "{line}");
        assert_eq!(refused(Path::new("/proc/self")), "it is not empty, and no sse-bridge has used it: ");
    }
}
