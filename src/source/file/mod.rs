//! Files, followed through everything that happens to them.
//!
//! # How
//! A *trail* is a followed path. It holds the files that the path has led to and that may still give lines, oldest first; each has a *reader* with its
//! offset. There is one loop (`follower`), for all paths of the daemon, in one thread:
//!
//! ```text
//! wait for a hint, the next look, or the stop
//!   look      stat(path): the same file, another, none?        (looking)
//!   read      a block of each file that has more, in turn      (reading)
//! ```
//!
//! A hint (`watch`) says only where to look sooner. A look says what is true; every path is looked at once a second in any case, four times a
//! second where no hints come.
//!
//! # Promises
//! - A file is read to its end before the next one under its path is begun: after another file is seen there, the old one is read again until
//!   nothing comes, so whatever was written before the change stands before it.
//! - A file that its path has left stays open until it has not grown for `rotate_wait`; late lines of slow writers are read.
//! - A file that was made, and left, between two looks is found beside the path (`siblings`) and read in its place.
//! - What cannot be found any more is told as a loss at its place. Every truncation is one: nobody can know what was written
//!   between the last look and it.
//! - No file is read twice at once: of two paths that lead to one, the first reads it.
//! - Descriptors are bounded: idle files are closed and known by inode, time of making and the bytes before the offset.
//! - Every event is stored with the position of its path behind it (`position`); another run of the daemon goes on there (`restore`), so no line
//!   is doubled or missing whenever the one before ended; also for a glob's file that has gone since (`gone`). An unfinished line is in no event, and is
//!   read again.
//! - A turn reads at most 256 KiB of a file, so that a busy one does not delay the others.

mod begin;
mod between;
mod clock;
mod copies;
mod cuts;
mod discover;
mod done;
mod follower;
mod glob;
mod gone;
mod identity;
mod links;
mod listing;
mod looking;
mod mark;
mod orders;
mod place;
mod position;
mod reader;
mod reading;
mod restore;
mod room;
mod scan;
mod schedule;
mod siblings;
#[cfg(test)]
mod tests;
mod trace;
mod trail;
mod watch;

use std::path::PathBuf;
use std::time::Duration;

use super::SourceKey;
use crate::event::ChannelName;

pub use begin::{Begin, Opening, Records};
pub use follower::Follower;
pub use glob::{BadGlob, Glob, Part, is_wild};
pub use mark::Mark;
pub use orders::{Order, Orders};
pub use restore::Stored;

/// What to follow.
#[derive(Debug, Clone)]
pub enum Files {
    /// One file, there or not.
    One {
        /// The channel of its lines.
        channel: ChannelName,
        /// Its path, absolute.
        path: PathBuf,
    },
    /// All files that match, now and later.
    Matching {
        /// What their channels begin with, if the user gave it a name.
        name: Option<ChannelName>,
        /// What matches.
        glob: Glob,
    },
}

/// What to follow for one source.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The source.
    pub source: SourceKey,
    /// Its files.
    pub files: Files,
    /// Where those begin that are there at the start.
    pub opening: Opening,
}

/// How to follow.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long a file that its path has left is kept after it grew last.
    pub rotate_wait: Duration,
    /// Whether hints are asked for.
    pub hints: Hints,
    /// How many files may be open at once; idle ones are closed beyond it.
    pub open_files: usize,
}

impl Options {
    /// How many files more may be open for a moment: those that a look has found, and that may be gone before their turn.
    #[must_use]
    pub fn spare_files(&self) -> usize {
        (self.open_files / 4).clamp(2, 64)
    }
}

/// Whether hints are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hints {
    /// Of the kernel, as far as it gives them.
    Kernel,
    /// Not at all: `--poll`.
    Off,
}
