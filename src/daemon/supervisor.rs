//! What is said to the service manager that started the daemon, if one did: `sd_notify(3)`. Without one, nothing is.

use std::env;
use std::io::{self, PipeReader, pipe};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use sd_notify::NotifyState;
use tracing::debug;

/// How long the manager may take to do what it was told.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether there is one that listens.
pub fn is_there() -> bool {
    env::var_os("NOTIFY_SOCKET").is_some()
}

/// Tells it this. Whoever does not hear it misses something; the daemon does not.
pub fn tell(states: &[NotifyState<'_>]) {
    note(sd_notify::notify(states));
}

/// Keeps this open for the next run, under this name. What hangs up is kept all the same: a pipe may hold lines that nobody writes to any more.
pub fn store(name: &str, descriptor: BorrowedFd<'_>) {
    let states = [NotifyState::FdStore, NotifyState::FdName(name), NotifyState::Custom("FDPOLL=0")];
    note(sd_notify::notify_with_fds(&states, &[descriptor]));
}

/// Keeps what has this name no longer.
pub fn let_go(name: &str) {
    tell(&[NotifyState::FdStoreRemove, NotifyState::FdName(name)]);
}

/// Waits until all that was said has been done.
pub fn wait_until_done() {
    if !is_there() {
        return;
    }
    // It closes what it is sent once it has come to it.
    let sent = pipe().and_then(|(reader, writer)| {
        sd_notify::notify_with_fds(&[NotifyState::Custom("BARRIER=1")], &[writer.as_fd()])?;
        Ok(reader)
    });
    match sent {
        Ok(reader) => until_closed(&reader),
        Err(error) => note(Err(error)),
    }
}

fn until_closed(reader: &PipeReader) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let left = PollTimeout::try_from(deadline.saturating_duration_since(Instant::now())).unwrap_or(PollTimeout::ZERO);
        // Nothing is written there: whatever is told is the end.
        match poll(&mut [PollFd::new(reader.as_fd(), PollFlags::empty())], left) {
            Err(nix::errno::Errno::EINTR) => {}
            _ => return,
        }
    }
}

fn note(sent: io::Result<()>) {
    if let Err(error) = sent {
        debug!("could not tell the service manager: {error}");
    }
}
