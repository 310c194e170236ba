//! What stays open while the daemon is started again: its own listeners and named pipes, in the descriptor store of the service manager. So no
//! connection is refused meanwhile, and no line is lost that waits in a pipe.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, PoisonError};

use super::supervisor;
use crate::event::ChannelName;
use crate::source::identity::Identity;

/// What the names of listeners begin with.
const LISTENER: &str = "listener.";

/// What the names of pipes begin with.
const PIPE: &str = "pipe.";

/// What is kept now, by name. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Keeping(Arc<Mutex<BTreeSet<String>>>);

impl Keeping {
    /// This was kept by the last run already.
    pub fn note(&self, name: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
    }

    /// Keeps listeners that the daemon has opened.
    pub fn keep_listeners(&self, listeners: &[TcpListener]) {
        for listener in listeners {
            if let Ok(address) = listener.local_addr() {
                self.keep(name_of_listener(address), listener.as_fd());
            }
        }
    }

    /// Keeps a pipe of a channel.
    pub fn keep_pipe(&self, channel: &ChannelName, identity: Identity, pipe: BorrowedFd<'_>) {
        self.keep(name_of_pipe(channel, identity), pipe);
    }

    fn keep(&self, name: String, descriptor: BorrowedFd<'_>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if supervisor::is_there() && !kept.contains(&name) {
            supervisor::store(&name, descriptor);
            kept.insert(name);
        }
    }

    /// A pipe has been read to its end, and nobody will write to it again.
    pub fn let_pipe_go(&self, channel: &ChannelName, identity: Identity) {
        self.let_go(|name| name == name_of_pipe(channel, identity));
    }

    /// A channel is not fed any more.
    pub fn let_channel_go(&self, channel: &ChannelName) {
        self.let_go(|name| channel_of(name).is_some_and(|of| of == *channel));
    }

    fn let_go(&self, is_over: impl Fn(&str) -> bool) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|name| {
            let is_over = is_over(name);
            if is_over {
                supervisor::let_go(name);
            }
            !is_over
        });
    }
}

/// A name has no colon (`sd_pid_notify_with_fds(3)`).
fn name_of_listener(address: SocketAddr) -> String {
    format!("{LISTENER}{address}").replace(':', "_")
}

/// Whether this is the name of a listener.
pub fn is_listener(name: &str) -> bool {
    name.starts_with(LISTENER)
}

/// No two pipes of a channel have the same.
fn name_of_pipe(channel: &ChannelName, identity: Identity) -> String {
    format!("{PIPE}{}.{}.{channel}", identity.device(), identity.inode())
}

/// The channel that a pipe of this name belongs to; none if it is no name of ours.
pub fn channel_of(name: &str) -> Option<ChannelName> {
    let mut parts = name.strip_prefix(PIPE)?.splitn(3, '.');
    let mut number = || parts.next()?.parse::<u64>().ok();
    number().and(number())?;
    parts.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_is_known_by_its_name() {
        let channel: ChannelName = "web/access.log".parse().unwrap();
        let name = name_of_pipe(&channel, Identity::new(25, 4711));
        assert_eq!(name, "pipe.25.4711.web/access.log");
        assert_eq!(channel_of(&name), Some(channel));
        for other in ["pipe.x.1.a", "pipe.1.2", "pipe.a", "http", "pipe.1.2.", "sse-bridge-fifo.socket"] {
            assert_eq!(channel_of(other), None, "{other}");
        }
    }

    #[test]
    fn names_are_as_systemd_wants_them() {
        for (address, name) in [("127.0.0.1:80", "listener.127.0.0.1_80"), ("[::1]:8080", "listener.[__1]_8080")] {
            let given = name_of_listener(address.parse().unwrap());
            assert_eq!(given, name);
            assert!(is_listener(&given) && !given.contains(':'));
        }
    }
}
