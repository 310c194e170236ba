//! Standard input and inherited descriptors: bytes that come and end. Read in large blocks by a thread of their own.
//!
//! Not `tokio::io::stdin`: its helper thread cannot be stopped, and it copies every byte once more. Not non-blocking reads
//! either: the flag belongs to the open file, and so to everybody who shares it. `poll` waits for bytes and for the stop alike.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::Instant;

use nix::errno::Errno;
use nix::unistd;

use super::{Read, Ready, Stop, wait};
use crate::pulse::Pulse;

/// Bytes asked of one read: what a pipe holds by default.
const BLOCK: usize = 64 * 1024;

/// Bytes until they end.
#[derive(Debug)]
pub struct Stream {
    fd: OwnedFd,
    block: Box<[u8]>,
    stop: Stop,
}

impl Stream {
    /// Standard input, until `stop` is raised.
    pub fn stdin(stop: Stop) -> io::Result<Self> {
        Ok(Self::new(io::stdin().as_fd().try_clone_to_owned()?, stop))
    }

    /// An inherited descriptor, by its path: `/dev/fd/3`.
    pub fn open(path: &Path, stop: Stop) -> io::Result<Self> {
        Ok(Self::new(File::open(path)?.into(), stop))
    }

    fn new(fd: OwnedFd, stop: Stop) -> Self {
        Self { fd, block: vec![0; BLOCK].into(), stop }
    }

    /// Whether its thread gets on.
    #[must_use]
    pub fn pulse(&self) -> &Pulse {
        self.stop.pulse()
    }

    /// Waits for the next bytes, at most until `until`.
    ///
    /// # Errors
    /// What the kernel says of the read. Nothing more can be read then.
    pub fn read(&mut self, until: Option<Instant>) -> io::Result<Read<'_>> {
        let count = loop {
            match wait(&[self.fd.as_fd()], &self.stop, until)? {
                Ready::Stopped => return Ok(Read::Stopped),
                Ready::Quiet => return Ok(Read::Quiet),
                Ready::Bytes => {}
            }
            match unistd::read(&self.fd, &mut self.block) {
                Ok(count) => break count,
                // Somebody who shares the open file took the bytes, or made it non-blocking: wait again.
                Err(Errno::EINTR | Errno::EAGAIN) => {}
                Err(error) => return Err(error.into()),
            }
        };
        Ok(if count == 0 { Read::Ended } else { Read::Bytes(&self.block[..count]) })
    }
}
