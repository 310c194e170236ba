//! What the state directory asks of a file system, and the one that the kernel has. The tests have another, which loses what it may lose.

use std::ffi::OsString;
use std::fmt::Debug;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use nix::fcntl::OFlag;
use nix::sys::resource::{Resource, getrlimit};

/// The rights of what is made: logs are secrets.
pub(super) const FILE_MODE: u32 = 0o640;
const DIRECTORY_MODE: u32 = 0o750;

/// What an archive keeps open at most, to be appended to and to be read; and the least, however few descriptors there are.
const MOST_OPEN: usize = 64;
const LEAST_OPEN: usize = 4;

/// Which part of the descriptors that a process may have is for each of the two.
const PART: u64 = 16;

/// A file system.
///
/// What has been written is there for whoever opens the file next, also when this process is killed. A power cut may take what has not been
/// synced: of a file's bytes those behind some place and any of its blocks, of a directory the changes of its names.
pub trait Volume: Debug + Send + Sync {
    /// What a directory contains, in no order.
    fn list(&self, directory: &Path) -> io::Result<Vec<Entry>>;
    /// Makes a directory and those above it, where they are missing.
    fn make_directory(&self, directory: &Path) -> io::Result<()>;
    /// Opens a file to read it.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn Content>>;
    /// Opens a file to write it as well.
    fn open_to_write(&self, path: &Path) -> io::Result<Arc<dyn Content>>;
    /// The same; it is made if it is missing.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn Content>>;
    /// What a name stands for now.
    fn stamp(&self, path: &Path) -> io::Result<Stamp>;
    /// Gives a file another name in the same directory; what had that name is gone.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Removes a directory if it is empty.
    fn remove_directory(&self, directory: &Path) -> io::Result<()>;
    /// The names of a directory are safe from a power cut now.
    fn sync_directory(&self, directory: &Path) -> io::Result<()>;
    /// How many files an archive may keep open to be appended to, and how many to be read.
    fn most_open(&self) -> usize {
        MOST_OPEN
    }
}

/// The bytes of an open file.
pub trait Content: Debug + Send + Sync {
    /// How many there are.
    fn length(&self) -> io::Result<u64>;
    /// Reads from a place on, as many as there are; fewer only at the end.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes all of them from a place on. After an error any part of them may have been written.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Cuts it.
    fn truncate(&self, length: u64) -> io::Result<()>;
    /// The bytes are safe from a power cut now.
    fn sync(&self) -> io::Result<()>;
    /// Which file it is.
    fn identity(&self) -> io::Result<Identity>;
}

/// Which file something is: no other has the same as long as it is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The file system it is on.
    pub device: u64,
    /// Its number there.
    pub inode: u64,
}

/// Which file or directory a name stands for, and when that was changed last: of a directory, when a name in it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Which it is.
    pub identity: Identity,
    /// Seconds and nanoseconds, by the clock of the file system.
    pub changed: (i64, i64),
}

/// A name in a directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The name.
    pub name: OsString,
    /// What it names.
    pub kind: Kind,
}

/// What a name may stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A directory; a link to one is none.
    Directory,
    /// A regular file, and how many bytes it has.
    File(u64),
    /// Anything else.
    Other,
}

/// The kernel's file systems.
#[derive(Debug, Clone, Copy, Default)]
pub struct Kernel;

impl Volume for Kernel {
    fn list(&self, directory: &Path) -> io::Result<Vec<Entry>> {
        let entry = |entry: fs::DirEntry| {
            let metadata = match entry.metadata() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None), // removed meanwhile, and nothing else with it
                metadata => metadata?,
            };
            let kind = match metadata.file_type() {
                kind if kind.is_dir() => Kind::Directory,
                kind if kind.is_file() => Kind::File(metadata.size()),
                _ => Kind::Other,
            };
            Ok(Some(Entry { name: entry.file_name(), kind }))
        };
        fs::read_dir(directory)?.map(|found| found.and_then(entry)).filter_map(Result::transpose).collect()
    }

    fn make_directory(&self, directory: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(directory)
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn Content>> {
        regular(OpenOptions::new().read(true), path)
    }

    fn open_to_write(&self, path: &Path) -> io::Result<Arc<dyn Content>> {
        regular(OpenOptions::new().read(true).write(true), path)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn Content>> {
        regular(OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(FILE_MODE), path)
    }

    fn stamp(&self, path: &Path) -> io::Result<Stamp> {
        let metadata = fs::metadata(path)?;
        Ok(Stamp { identity: identity_of(&metadata), changed: (metadata.mtime(), metadata.mtime_nsec()) })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_directory(&self, directory: &Path) -> io::Result<()> {
        fs::remove_dir(directory)
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        File::open(directory)?.sync_all()
    }

    fn most_open(&self) -> usize {
        let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(soft, _)| soft);
        usize::try_from(limit / PART).unwrap_or(usize::MAX).clamp(LEAST_OPEN, MOST_OPEN)
    }
}

/// Opens a regular file; refuses anything else, without waiting for whoever has the other end of a pipe.
fn regular(options: &mut OpenOptions, path: &Path) -> io::Result<Arc<dyn Content>> {
    let file = options.custom_flags((OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits()).open(path)?;
    if file.metadata()?.is_file() { Ok(Arc::new(file)) } else { Err(io::Error::other("not a regular file")) }
}

impl Content for File {
    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < bytes.len() {
            match FileExt::read_at(self, &mut bytes[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn identity(&self) -> io::Result<Identity> {
        Ok(identity_of(&self.metadata()?))
    }
}

fn identity_of(metadata: &fs::Metadata) -> Identity {
    Identity { device: metadata.dev(), inode: metadata.ino() }
}
