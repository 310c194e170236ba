//! What tells files and pipes apart.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

/// What names a file or pipe as long as somebody holds it open or linked: device and inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    /// The file or pipe of these numbers.
    #[must_use]
    pub const fn new(device: u64, inode: u64) -> Self {
        Self { device, inode }
    }

    /// The number of its device.
    #[must_use]
    pub const fn device(self) -> u64 {
        self.device
    }

    /// Its number on the device.
    #[must_use]
    pub const fn inode(self) -> u64 {
        self.inode
    }

    /// The identity of whatever was looked at.
    #[must_use]
    pub fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}
