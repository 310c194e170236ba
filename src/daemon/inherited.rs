//! Descriptors that the daemon was started with: `sd_listen_fds(3)`. What one is for is said by its name, never by its place.
//!
//! | name | what |
//! | --- | --- |
//! | `http` | a socket that listens: a socket unit's |
//! | `listener.ADDRESS` | a socket that listens: the last run's own, from the descriptor store |
//! | `pipe.DEVICE.INODE.CHANNEL` | a named pipe: the last run's own |
//! | another | a named pipe of a socket unit: that of the source that has this pipe's path, or else this name for its channel |

use std::fs::File;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixDatagram;

use nix::unistd;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg, sockopt};
use sendfd::SendWithFd;
use socket2::Socket;

use super::keeping;
use crate::config::feed::Feed;
use crate::config::source::Source;
use crate::event::ChannelName;
use crate::source::identity::Identity;

/// What the listeners of a socket unit are called.
const HTTP: &str = "http";

/// All that was inherited.
#[derive(Debug, Default)]
pub struct Inherited {
    /// Listeners of a socket unit.
    pub listeners: Vec<TcpListener>,
    /// Those of the last run, by their names.
    pub kept: Vec<(String, TcpListener)>,
    /// Named pipes.
    pub pipes: Vec<Passed>,
}

/// A named pipe that was passed.
#[derive(Debug)]
pub struct Passed {
    /// By what name.
    pub name: String,
    /// It.
    pub pipe: File,
    /// Which one.
    pub identity: Identity,
}

/// Why an inherited descriptor cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NotInherited {
    /// What is said of them in the environment is wrong, or there are fewer.
    #[error("could not take the descriptors that the service manager passes")]
    Broken(#[source] io::Error),
    /// It is nothing that can be used under its name.
    #[error("could not use the inherited descriptor '{name}': {why}")]
    Useless {
        /// Its name.
        name: String,
        /// What it should be.
        why: &'static str,
    },
}

impl Inherited {
    /// Takes all, once, before anything else is opened.
    ///
    /// # Errors
    /// One of them is of no use.
    pub fn take() -> Result<Self, NotInherited> {
        let mut inherited = Self::default();
        for (number, name) in sd_notify::listen_fds_with_names().map_err(NotInherited::Broken)? {
            let descriptor = own(number).map_err(NotInherited::Broken)?;
            inherited.sort_in(name, descriptor)?;
        }
        Ok(inherited)
    }

    fn sort_in(&mut self, name: String, descriptor: OwnedFd) -> Result<(), NotInherited> {
        let file = File::from(descriptor);
        let metadata = file.metadata().map_err(NotInherited::Broken)?;
        let useless = |name, why| Err(NotInherited::Useless { name, why });
        let is_kept = keeping::is_listener(&name);
        if metadata.file_type().is_fifo() && name != HTTP && !is_kept {
            self.pipes.push(Passed { name, pipe: file, identity: Identity::of(&metadata) });
            return Ok(());
        }
        if name != HTTP && !is_kept {
            return useless(name, "a socket that listens is called 'http', and nothing but that and named pipes is of use here");
        }
        match listener(file.into()) {
            Some(listener) if is_kept => self.kept.push((name, listener)),
            Some(listener) => self.listeners.push(listener),
            None => return useless(name, "it is no TCP socket that listens"),
        }
        Ok(())
    }

    /// Where the socket unit listens.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    }

    /// Whether each pipe of a socket unit is a source's.
    ///
    /// # Errors
    /// One is not.
    pub fn check(&self, feeds: &[Feed]) -> Result<(), NotInherited> {
        let is_lost =
            |passed: &&Passed| keeping::channel_of(&passed.name).is_none() && !feeds.iter().any(|feed| passed.is_of(&feed.source));
        match self.pipes.iter().find(is_lost) {
            Some(lost) => {
                Err(NotInherited::Useless { name: lost.name.clone(), why: "no source is called so, and none reads this pipe" })
            }
            None => Ok(()),
        }
    }
}

impl Passed {
    /// Whether it is the pipe of this source, or once was.
    #[must_use]
    pub fn is_of(&self, source: &Source) -> bool {
        let Source::Fifo { channel, path, .. } = source else { return false };
        let leads_here = || std::fs::metadata(path).is_ok_and(|found| Identity::of(&found) == self.identity);
        self.channel().is_some_and(|of| of == *channel) || (!self.is_kept() && leads_here())
    }

    /// Whether it was the last run's own.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        keeping::channel_of(&self.name).is_some()
    }

    /// The channel that its name says.
    fn channel(&self) -> Option<ChannelName> {
        keeping::channel_of(&self.name).or_else(|| self.name.parse().ok())
    }
}

/// Makes a number that was passed a descriptor that is ours. A number alone proves nothing, so the kernel is asked for the descriptor behind it: it is
/// sent from us to us. The number is closed then.
fn own(number: RawFd) -> io::Result<OwnedFd> {
    let (from, to) = UnixDatagram::pair()?;
    from.send_with_fd(&[0], &[number])?;
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let (mut byte, mut messages) = ([0], RecvAncillaryBuffer::new(&mut space));
    recvmsg(&to, &mut [io::IoSliceMut::new(&mut byte)], &mut messages, RecvFlags::CMSG_CLOEXEC)?;
    let descriptor = messages.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    debug_assert!(descriptor.as_ref().is_none_or(|ours| ours.as_raw_fd() != number));
    unistd::close(number)?;
    descriptor.ok_or_else(|| io::ErrorKind::NotFound.into())
}

fn listener(descriptor: OwnedFd) -> Option<TcpListener> {
    let is_listening = sockopt::socket_acceptconn(&descriptor).unwrap_or(false);
    let socket = Socket::from(descriptor);
    let is_inet = socket.local_addr().is_ok_and(|address| address.as_socket().is_some());
    (is_listening && is_inet && socket.set_nonblocking(true).is_ok()).then(|| socket.into())
}
