//! What a path's position is, now.

use super::follower::Follower;
use super::position::{Beginning, Kind, Position, Spot, StoredFile};
use super::reader::{Reader, Standing};
use super::trail::{Finished, Telling, Trail};
use crate::source::{News, PathKey, Sink};

/// Comes with the bytes of a file, and says the position behind the events that are made of them.
#[derive(Debug)]
pub struct Mark<'a> {
    pub(super) trail: &'a mut Trail,
    /// The file, among those of the trail.
    pub(super) index: usize,
    /// Whether these are the first bytes that have been read of the file.
    pub(super) is_first: bool,
    pub(super) text: &'a mut String,
}

impl Mark<'_> {
    /// The position behind so many `events` that these bytes have finished, and before the last `held` bytes, of which there is none yet. `None` if there
    /// is nothing to store: without an event the next run reads the bytes again. The first bytes of a file are an exception: that there were some is
    /// stored, because only then is it seen if they are cut.
    pub fn position(&mut self, events: u64, held: usize) -> Option<&str> {
        let place = &mut self.trail.readers.get_mut(self.index)?.place;
        if events > 0 {
            place.hold(held);
        } else if !self.is_first {
            return None;
        }
        self.trail.position(self.text)
    }

    /// Notes that all but the last `held` bytes are done with, though no event was made of them. Whether there is something to store then: not if the
    /// bytes were held before.
    pub fn note(&mut self, held: usize) -> bool {
        let Some(reader) = self.trail.readers.get_mut(self.index) else { return false };
        let before = reader.place.held;
        reader.place.hold(held);
        reader.place.held < before
    }
}

impl Follower {
    /// The position of a path; `None` if nothing is known of it.
    pub(super) fn position(&mut self, key: PathKey) -> Option<&str> {
        self.trails.get_mut(&key)?.position(&mut self.text)
    }

    /// Tells that what is to be read of a path has changed, if nothing that was told since has said so.
    pub(super) fn tell_moved(&mut self, key: PathKey, news: &mut Sink<'_>) {
        let Some(trail) = self.trails.get_mut(&key).filter(|trail| trail.telling == Telling::Due) else { return };
        if let Some(position) = trail.position(&mut self.text) {
            news(News::Moved { path: key, position });
        }
    }
}

impl Trail {
    /// Writes the position; `None` as long as nobody has seen what the path leads to.
    fn position<'t>(&mut self, text: &'t mut String) -> Option<&'t str> {
        if self.looked.is_none() && self.readers.is_empty() {
            return None;
        }
        self.telling = Telling::Done;
        self.forget_finished();
        let files = self.finished.iter().map(Finished::stored).chain(self.readers.iter().map(Reader::stored)).collect();
        let (left_out, targets) = (self.left_out.clone(), self.targets.clone());
        Position { path: self.path_sum, looked: self.looked, left_out, targets, files }.write(text);
        Some(text)
    }
}

impl Finished {
    fn stored(&self) -> StoredFile {
        StoredFile {
            kind: Kind::Done,
            beginning: Beginning::Known,
            cut: None,
            identity: self.identity,
            born: self.born,
            spot: Spot::of(&self.place),
            since: self.born,
            verified: self.born,
            old_until: 0,
            follows: None,
        }
    }
}

impl Reader {
    fn stored(&self) -> StoredFile {
        StoredFile {
            kind: match self.standing {
                Standing::Named => Kind::Named,
                Standing::Left { .. } if self.is_unread => Kind::Left,
                Standing::Left { .. } => Kind::Ended,
            },
            beginning: if self.begin.is_some() { Beginning::Asked } else { Beginning::Known },
            cut: self.announce.map(|cut| cut.loss),
            identity: self.identity,
            born: self.born,
            spot: Spot::of(&self.place),
            since: self.since,
            verified: self.verified,
            old_until: if self.old_until > self.place.offset - self.place.held { self.old_until } else { 0 },
            follows: self.follows,
        }
    }
}
