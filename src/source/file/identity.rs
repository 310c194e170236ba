//! What tells files apart: device and inode as long as a file is held open or linked, beyond that the time of its making.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::SystemTime;

use nix::fcntl::OFlag;
use nix::sys::statfs::{self, fstatfs};

use crate::errno::is_scarcity;
pub use crate::source::identity::Identity;

/// When the file was made, as far as its file system knows; where it does not, when it was written last.
#[must_use]
pub fn born(metadata: &Metadata) -> SystemTime {
    metadata.created().or_else(|_| metadata.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// Whether this is the file of its inode that was made `then`, as far as the file system tells: an inode number is used again at once.
#[must_use]
pub fn was_made(metadata: &Metadata, then: SystemTime) -> Option<bool> {
    let is_it = born(metadata) == then;
    // The time of the last write says nothing if it is another one.
    (is_it || metadata.created().is_ok()).then_some(is_it)
}

/// What a look shows of a file that may have changed: size, and the times of its bytes and of its inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stamp {
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// The stamp of whatever was looked at.
    #[must_use]
    pub fn of(metadata: &Metadata) -> Self {
        Self {
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// Opens a file to follow it; never waits, whatever is there.
pub fn open(path: &Path) -> io::Result<(File, Metadata)> {
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_file() { Ok((file, metadata)) } else { Err(io::Error::other("not a regular file")) }
}

/// Opens a file if one is there that may be read.
///
/// # Errors
/// There is no descriptor or no memory left for it: nothing can be said of the file now.
pub fn open_if_there(path: &Path) -> io::Result<Option<(File, Metadata)>> {
    match open(path) {
        Ok(opened) => Ok(Some(opened)),
        Err(error) if is_scarcity(&error) => Err(error),
        Err(_) => Ok(None),
    }
}

/// The name of the file system if it is on another machine, or in another process: it tells no watcher of changes made there, and its
/// sizes may lag behind its bytes.
#[must_use]
pub fn remote(file: &File) -> Option<&'static str> {
    const CIFS: u32 = 0xff53_4d42;
    const SMB2: u32 = 0xfe53_4d42;
    const V9FS: u32 = 0x0102_1997;
    const CEPH: u32 = 0x00c3_6400;
    let kind = fstatfs(file).ok()?.filesystem_type();
    match kind {
        statfs::NFS_SUPER_MAGIC => Some("nfs"),
        statfs::SMB_SUPER_MAGIC => Some("smb"),
        statfs::FUSE_SUPER_MAGIC => Some("fuse"),
        statfs::AFS_SUPER_MAGIC => Some("afs"),
        statfs::CODA_SUPER_MAGIC => Some("coda"),
        statfs::NCP_SUPER_MAGIC => Some("ncp"),
        statfs::OCFS2_SUPER_MAGIC => Some("ocfs2"),
        // On some machines the type is signed and longer; its low half names the file system.
        other => match u32::try_from(i128::from(other.0) & 0xffff_ffff).unwrap_or(0) {
            CIFS | SMB2 => Some("smb"),
            V9FS => Some("9p"),
            CEPH => Some("ceph"),
            _ => None,
        },
    }
}
