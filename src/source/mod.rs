//! Bytes in: one file for each kind of source, the same function in each: `read`, which waits for the next bytes.
//!
//! A source is read by a thread of its own where the kernel offers nothing better than a blocking read. It knows nothing of
//! lines, events or clients. Nobody downstream can make it wait but the user's own `--tee`.

pub mod hint;
pub mod stdin;
pub mod tee;

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Instant;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};

/// What a source gives.
#[derive(Debug)]
pub enum Read<'a> {
    /// The next bytes, at least one.
    Bytes(&'a [u8]),
    /// Nothing came until the time that the reader named.
    Quiet,
    /// Nothing will come any more.
    Ended,
    /// The daemon stops.
    Stopped,
}

/// Tells reading threads that the daemon stops, also while they wait for bytes. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Stop(Arc<EventFd>);

impl Stop {
    /// A stop that has not been raised.
    pub fn new() -> io::Result<Self> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        Ok(Self(Arc::new(EventFd::from_value_and_flags(0, flags)?)))
    }

    /// Wakes every reader, once and for all.
    pub fn raise(&self) {
        // The only failure is a counter that is full, and then it has been raised before.
        let _ = self.0.write(1);
    }
}

/// What a wait found.
enum Ready {
    Bytes,
    Quiet,
    Stopped,
}

/// Waits until `fd` has bytes (or has ended), the stop is raised, or it is `until`.
fn wait(fd: &impl AsFd, stop: &Stop, until: Option<Instant>) -> io::Result<Ready> {
    loop {
        let mut fds = [PollFd::new(stop.0.as_fd(), PollFlags::POLLIN), PollFd::new(fd.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, timeout(until)) {
            Ok(0) => return Ok(Ready::Quiet),
            Ok(_) if fds[0].any() == Some(true) => return Ok(Ready::Stopped),
            Ok(_) => return Ok(Ready::Bytes),
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn timeout(until: Option<Instant>) -> PollTimeout {
    let Some(until) = until else { return PollTimeout::NONE };
    // Rounded up, so that a wait is never over just before its time.
    let left = until.saturating_duration_since(Instant::now()).as_millis() + 1;
    u16::try_from(left).map_or(PollTimeout::MAX, PollTimeout::from)
}
