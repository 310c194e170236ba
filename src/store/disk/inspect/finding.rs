//! What a look at a state directory finds, and how much it matters.

use std::io;
use std::path::PathBuf;

use super::super::layout::{LIFE, SYNCED, UNCOUNTED};
use crate::event::{ChannelName, Millis, Position};

/// Something that is worth a line.
#[derive(Debug)]
pub struct Finding {
    /// The file.
    pub path: PathBuf,
    /// Where in it, in bytes.
    pub offset: Option<u64>,
    /// What it is.
    pub what: What,
}

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// It is so after a crash, after a repair, or while a daemon writes.
    Note,
    /// Nobody can say: it cannot be read.
    Unreadable,
    /// It is not as it was written.
    Damage,
}

/// What was found.
#[derive(Debug, thiserror::Error)]
pub enum What {
    /// The newest segment goes on behind its last commit.
    #[error("the last {0} bytes are not committed: they are being written, or a daemon was killed there; the next start cuts them")]
    Unfinished(u64),
    /// A segment has no head yet.
    #[error("nothing in it is committed, {0} bytes: it is being begun, or a daemon was killed there; the next start removes it")]
    Begun(u64),
    /// A segment that was safe, or that others follow, has no head.
    #[error("nothing in it is as it was written, {0} bytes; the next start removes it")]
    Emptied(u64),
    /// It is called like a segment.
    #[error("it has the name of a segment and is no regular file")]
    NoFile,
    /// [`UNCOUNTED`] is not as it was written.
    #[error("'{UNCOUNTED}' is not as it was written; without it clients may be told of a gap where none is")]
    Uncounted,
    /// So many events up to the one that all is safe up to are told of by no file.
    #[error(
        "{0} events are missing that were safe: files were deleted or cut, or they could not be written; clients are told by the next start"
    )]
    Unaccounted(u64),
    /// So many are missing between others.
    #[error(
        "{0} events are missing between others: files were deleted, or they could not be written; the next start says of which channels"
    )]
    Lost(u64),
    /// A file that a repair has kept.
    #[error("set aside by an earlier repair, {0} bytes")]
    Aside(u64),
    /// [`SYNCED`] is not as it was written.
    #[error("'{SYNCED}' is being written or damaged; without it the next start only looks through more")]
    Synced,
    /// The kernel does not let us.
    #[error("could not be read")]
    Unreadable(#[source] io::Error),
    /// [`LIFE`] is missing.
    #[error("'{LIFE}' is missing; the next start takes the beginning of the numbering from the segments")]
    NoLife,
    /// [`LIFE`] is not as it was written.
    #[error("'{LIFE}' is not as it was written; the next start takes the beginning of the numbering from the segments")]
    Life,
    /// A repair was interrupted.
    #[error("its repair was interrupted; the next start finishes it")]
    Mending,
    /// It does not begin as a segment does.
    #[error("its head is not as it was written")]
    Head,
    /// It is another channel's.
    #[error("it belongs to the channel '{0}'")]
    Channel(ChannelName),
    /// It is of another numbering.
    #[error("it is of another life, which began at {0}")]
    OtherLife(Millis),
    /// So many bytes, up to the end of the next commit, are not a record.
    #[error("{0} bytes are not as they were written")]
    Record(u64),
    /// A line that commits is not one.
    #[error("the line that commits a record is not as it was written")]
    Commit,
    /// An older segment goes on behind its last commit.
    #[error("its last {0} bytes were not committed, and it is not the newest segment")]
    Cut(u64),
    /// A record is not the one behind the one before.
    #[error("this record does not follow the one before it")]
    Order,
    /// An event is before the name of its segment.
    #[error("event {0} is before the name of the segment")]
    Early(u64),
    /// An event is not before the name of the next segment.
    #[error("its last event, {last}, is not before the next segment, {next}")]
    Overlap {
        /// Its last event.
        last: Position,
        /// The name of the next.
        next: Position,
    },
}

impl Finding {
    /// How much it matters.
    #[must_use]
    pub fn weight(&self) -> Weight {
        match self.what {
            What::Unfinished(_) | What::Begun(_) | What::Aside(_) | What::Synced | What::NoFile => Weight::Note,
            What::Unreadable(_) => Weight::Unreadable,
            _ => Weight::Damage,
        }
    }
}
