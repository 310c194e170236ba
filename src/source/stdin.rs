//! Standard input, read in large blocks by a thread of its own.
//!
//! Not `tokio::io::stdin`: its helper thread cannot be stopped, and it copies every byte once more. Not non-blocking reads
//! either: the flag belongs to the open file, and so to everybody who shares it. `poll` waits for bytes and for the stop alike.

use std::io;
use std::time::Instant;

use nix::errno::Errno;
use nix::unistd;

use super::{Read, Ready, Stop, wait};

/// Bytes asked of one read: what a pipe holds by default.
const BLOCK: usize = 64 * 1024;

/// The process's standard input.
#[derive(Debug)]
pub struct Stdin {
    fd: io::Stdin,
    block: Box<[u8]>,
    stop: Stop,
}

impl Stdin {
    /// Standard input, until `stop` is raised.
    #[must_use]
    pub fn new(stop: Stop) -> Self {
        Self { fd: io::stdin(), block: vec![0; BLOCK].into(), stop }
    }

    /// Waits for the next bytes, at most until `until`.
    ///
    /// # Errors
    /// What the kernel says of the read. Nothing more can be read then.
    pub fn read(&mut self, until: Option<Instant>) -> io::Result<Read<'_>> {
        let count = loop {
            match wait(&self.fd, &self.stop, until)? {
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
