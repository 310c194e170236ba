//! `--tee`: the input's bytes, exactly and at once, to standard output.
//!
//! A slow reader of standard output slows the input, as in any pipeline; that is what the user asked for. A reader that goes
//! away ends the copying and nothing else.

use std::io;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd;
use std::os::fd::AsFd;
use tracing::warn;

/// Standard output, while somebody reads it.
#[derive(Debug)]
pub struct Tee(Option<io::Stdout>);

impl Tee {
    /// Copies to standard output.
    #[must_use]
    pub fn new() -> Self {
        Self(Some(io::stdout()))
    }

    /// Copies these bytes, past every buffer of ours.
    pub fn copy(&mut self, bytes: &[u8]) {
        let Some(out) = &self.0 else { return };
        if let Err(error) = write_all(out, bytes) {
            warn!("copying to standard output ended ({}); still serving", error.desc().to_lowercase());
            self.0 = None;
        }
    }
}

impl Default for Tee {
    fn default() -> Self {
        Self::new()
    }
}

fn write_all(out: &impl AsFd, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match unistd::write(out, bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::EINTR) => {}
            // Somebody who shares the open file made it non-blocking.
            Err(Errno::EAGAIN) => {
                poll(&mut [PollFd::new(out.as_fd(), PollFlags::POLLOUT)], PollTimeout::NONE)?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
