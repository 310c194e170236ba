//! Why a question about the history could not be answered. No answer is ever given from what is not as it was written.

use std::io;
use std::path::PathBuf;

use crate::errno::is_scarcity;
use crate::event::ChannelName;

/// A question could not be answered because of one segment.
///
/// Whatever it was: give it to [`Archive::mend`](super::archive::Archive::mend) and ask a new [`Shelf`](super::shelf::Shelf). But [`Fault::Scarce`] says
/// nothing of the segment: ask again later.
#[derive(Debug, thiserror::Error)]
#[error("could not read '{}'", .path.display())]
pub struct Broken {
    /// Whose segment it is.
    pub channel: ChannelName,
    /// Its file.
    pub path: PathBuf,
    /// What is wrong with it.
    #[source]
    pub fault: Fault,
}

/// What is wrong with a segment.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Its file is not there: mostly because it was let go after the question began.
    #[error("it was let go meanwhile")]
    LetGo,
    /// It is not as it was written.
    #[error("it is damaged")]
    Damaged,
    /// There is no descriptor or no memory left to read it with.
    #[error(transparent)]
    Scarce(io::Error),
    /// The kernel does not give it.
    #[error(transparent)]
    Unreadable(io::Error),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::LetGo,
            _ if is_scarcity(&error) => Self::Scarce(error),
            _ => Self::Unreadable(error),
        }
    }
}
