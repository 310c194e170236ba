//! The bridge's standard input, written in pieces that the bridge reads as they are.
//!
//! A pipe is a stream: what is written in pieces may be read in one. In packet mode (`O_DIRECT`, see `pipe(2)`) each write is
//! read by itself, so "in 1-byte pieces" is no matter of luck. Each [`Writer`] opens the pipe anew, as another process would.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
};

use nix::fcntl::{FcntlArg, OFlag, fcntl};

/// One writer of a bridge's standard input.
pub(crate) struct Writer {
    pipe: File,
}

impl Writer {
    /// Opens the standard input of the process `pid`, which must be a pipe.
    pub(crate) fn open(pid: u32) -> io::Result<Self> {
        let pipe = OpenOptions::new().write(true).open(format!("/proc/{pid}/fd/0"))?;
        Ok(Self { pipe })
    }

    /// Writes `bytes` by one write, or by several if they are more than the pipe takes.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.pipe.write_all(bytes)
    }

    /// Writes `bytes` in pieces of `size`, each of which is read by itself.
    pub(crate) fn write_in_pieces(&mut self, bytes: &[u8], size: usize) -> io::Result<()> {
        fcntl(&self.pipe, FcntlArg::F_SETFL(OFlag::O_DIRECT))?;
        bytes.chunks(size).try_for_each(|piece| self.pipe.write_all(piece))
    }
}
