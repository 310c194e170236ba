//! Bytes in: one file for each kind of source, the same function in each: `read`, which waits for the next bytes.
//!
//! Standard input and inherited descriptors end (`stream`): each is read by a thread of its own. Named pipes (`fifo`) and files (`file`) do not end,
//! and what stands behind a path changes: their threads give [`News`]. A command (`command`) is run, and gives news of its own. No source knows of lines, events or clients. Nobody downstream can make
//! one wait but the user's own `--tee`.

pub mod command;
pub mod fifo;
pub mod file;
pub mod hint;
pub mod identity;
pub mod naming;
mod retry;
pub mod stream;
pub mod tee;

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Instant;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};

pub use crate::errno::reason;
use crate::event::{Age, ChannelName};
use crate::pulse::Pulse;
use file::Mark;

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

/// One of the daemon's sources, by a number that no other one has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceKey(pub usize);

/// A path that is followed, in [`News`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathKey(pub u64);

/// What stands behind a path for a while, in [`News`]: its bytes are one text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileKey(pub u64);

/// What a source that follows paths has to tell, in the order in which it happened to each path.
#[derive(Debug)]
pub enum News<'a> {
    /// A path is followed from now on, into the channel of this name.
    Followed {
        /// The source that it belongs to.
        source: SourceKey,
        /// The path.
        path: PathKey,
        /// Its channel.
        channel: ChannelName,
    },
    /// The next bytes of a file.
    Bytes {
        /// The path that it stands or stood behind.
        path: PathKey,
        /// The file.
        file: FileKey,
        /// At least one.
        bytes: &'a [u8],
        /// Whether they were there before the daemon looked.
        age: Age,
        /// Asked for the position behind the events that are made of them; `None` if the source has none.
        mark: Option<Mark<'a>>,
    },
    /// A file will give nothing more: its last line has ended, however it ends.
    Over {
        /// The path that it stood behind.
        path: PathKey,
        /// The file.
        file: FileKey,
        /// The position of the path behind that line.
        position: Option<&'a str>,
    },
    /// Bytes are lost here.
    Lost {
        /// The path that they were written to.
        path: PathKey,
        /// How.
        loss: Loss,
        /// The position of the path behind the loss.
        position: Option<&'a str>,
    },
    /// Another file of the path is begun: what of this one waits for more, but is whole by itself, comes before it.
    Settle {
        /// The file that was there before.
        file: FileKey,
        /// Says the position of the path behind what is made of it.
        mark: Option<file::Mark<'a>>,
    },
    /// What is to be read of a path has changed: its position is to be stored though no event comes with it.
    Moved {
        /// The path.
        path: PathKey,
        /// Its position.
        position: &'a str,
    },
    /// Whether the path can be read has changed.
    State {
        /// The path.
        path: PathKey,
        /// What holds now.
        state: State,
    },
    /// The lines of a source go another way from now on.
    Changed {
        /// The source.
        source: SourceKey,
    },
    /// A source is left: its paths follow, and then nothing more of it.
    Leaving {
        /// The source.
        source: SourceKey,
    },
    /// The path is not followed any more.
    Left {
        /// The path.
        path: PathKey,
    },
}

/// How bytes of a file are lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The file was cut; what was written since the last look is unknown.
    Truncated,
    /// The file was cut, or rewritten, and has grown past the place of the last look.
    Overwritten,
    /// The file could not be found any more, and may not have been read to its end.
    Vanished,
    /// The daemon was killed between taking bytes out of a pipe and storing them.
    Crash,
}

/// Whether a source that follows paths goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// There may be more.
    Again,
    /// The daemon stops.
    Stopped,
}

/// A source that follows paths: named pipes, and files.
pub trait Paths {
    /// Waits for something to do, until `until` at most, and does some of it.
    ///
    /// # Errors
    /// The kernel refuses to wait.
    fn step(&mut self, until: Option<Instant>, news: &mut Sink<'_>) -> io::Result<Step>;

    /// The position of a path once all that has been read of a file of it, but for the last `held` bytes, is in events; `None` if the source has none.
    fn position_behind(&mut self, path: PathKey, file: FileKey, held: usize) -> Option<&str>;

    /// Whether it wants to know when all that it has given is in events that are stored.
    fn owes(&self) -> bool {
        false
    }

    /// It is.
    fn settle(&mut self) {}
}

/// Where news go.
pub type Sink<'s> = dyn FnMut(News<'_>) + 's;

/// Whether a path can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It is read.
    Reading,
    /// Nothing is there.
    Absent,
    /// Something is there that cannot be read, for this reason.
    Failing(String),
    /// What is there is read by another name, for this reason.
    Elsewhere(String),
}

/// Tells a reading thread that the daemon stops, also while it waits for bytes; and is told by it whether it gets on. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Stop(Arc<EventFd>, Pulse);

impl Stop {
    /// A stop that has not been raised.
    pub fn new() -> io::Result<Self> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        Ok(Self(Arc::new(EventFd::from_value_and_flags(0, flags)?), Pulse::default()))
    }

    /// Whether the thread gets on that waits with it.
    #[must_use]
    pub fn pulse(&self) -> &Pulse {
        &self.1
    }

    /// Wakes every reader, once and for all.
    pub fn raise(&self) {
        // The only failure is a counter that is full, and then it has been raised before.
        let _ = self.0.write(1);
    }
}

/// What a wait found.
#[derive(Debug, PartialEq, Eq)]
enum Ready {
    /// One of the descriptors has bytes, or has ended.
    Bytes,
    Quiet,
    Stopped,
}

/// Waits until one of `fds` has bytes (or has ended), the stop is raised, or it is `until`.
fn wait(fds: &[BorrowedFd<'_>], stop: &Stop, until: Option<Instant>) -> io::Result<Ready> {
    let mut polled: Vec<_> = [&[stop.0.as_fd()], fds].concat().into_iter().map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
    loop {
        stop.1.waits();
        let polled_so = poll(&mut polled, timeout(until));
        stop.1.works();
        match polled_so {
            Ok(0) => return Ok(Ready::Quiet),
            Ok(_) if polled[0].any() == Some(true) => return Ok(Ready::Stopped),
            Ok(_) => return Ok(Ready::Bytes),
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn timeout(until: Option<Instant>) -> PollTimeout {
    let Some(until) = until else { return PollTimeout::NONE };
    let left = until.saturating_duration_since(Instant::now());
    // Rounded up, so that a wait is never over just before its time.
    let left = if left.is_zero() { 0 } else { left.as_millis() + 1 };
    u16::try_from(left).map_or(PollTimeout::MAX, PollTimeout::from)
}
