//! Files of a glob that have gone since the run before: their rest is read, or told as lost.
//!
//! While the daemon runs, the trail of a match that goes away is followed until its files have been read to their ends, under whatever names they have by
//! then. What went away while it did not run is found by no scan. Only the stored channels tell of it: their names lead back to their paths
//! ([`crate::source::naming::path_below`]), and a path that the glob matches and where no file stands now is followed as if it had just gone away.
//! The look finds nothing under it, finds its files beside it or tells that they are lost, and lets it go.
//!
//! A file that had been read to its end as far as anybody saw is no exception: what was written to it before it was deleted was seen by nobody, so
//! that is a loss, as it is for a named file and for one that is deleted while nothing hints at it.
//!
//! Not found so is a path whose channel's name lacks more of it than a position stores (1024 bytes): it goes on when it comes back.
//!
//! # Invariants
//! - A channel without a file that is still to be read is passed over: whose end has been stored, or the loss of whose rest, costs the
//!   next start a glance at its position, not a look at the disk. Should its path come back, its position counts then.
//! - Behind whatever is told of such a path, the position that is stored says that less is left to read, and at its end nothing: no loss is told twice.

use std::fs;

use tracing::info;

use super::follower::{Follower, Now};
use crate::source::Sink;

impl Follower {
    /// Follows the files that a glob has matched in an earlier run, that were not read to their ends then, and that do not stand under their paths now.
    ///
    /// They come before what the glob matches now: one of those may be what has become of them.
    pub(super) fn follow_gone(&mut self, index: usize, now: Now, news: &mut Sink<'_>) {
        let Some(glob) = self.globs.get(index) else { return };
        let stored = self.stored.unfinished.iter();
        let paths = stored.filter_map(|(channel, position)| Some((glob.path_of(channel, position)?, channel.clone())));
        let mut gone: Vec<_> = paths.filter(|(path, _)| !fs::metadata(path).is_ok_and(|metadata| metadata.is_file())).collect();
        gone.retain(|(path, channel)| !self.is_followed_as(index, path, channel));
        if !gone.is_empty() {
            info!(
                "{} of the files of '{}' have gone since the last run; looking for their rest",
                gone.len(),
                glob.whole().display()
            );
        }
        for (path, channel) in gone {
            self.follow_match(index, path, channel, now, news);
        }
    }
}
