//! A path goes on where the run before has left it.
//!
//! Its trail is built as it was when its position was stored: the same files with the same places, all of them closed. What has happened since is then
//! found by the ordinary look and the ordinary reads, as if the daemon had slept: a file that still stands there goes on, one that the path has left
//! is looked for beside it, a copy goes on for one that was cut, files that were made and left meanwhile are read in their turn, and what is
//! nowhere is told as a loss.
//!
//! A glob follows what it matches. Of a file that it has matched and that has gone since, the path is found again by the name of its channel (`gone`).
//!
//! A position says nothing of another path: if the user has led a channel to another file, that begins as if nothing had been stored.
//!
//! Device numbers are given anew when a machine starts. A file with another one is taken for the stored one if it stands where that may stand, and
//! inode, time of making and the bytes before the offset are the same: the time of making alone has nanoseconds, and is never given twice to
//! one inode of one file system. Two file systems that hold a file like that are copies of each other, and then it does not matter.

use std::collections::HashSet;
use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::UNIX_EPOCH;

use tracing::warn;

use super::follower::{Follower, Now};
use super::identity::{Identity, born, open_if_there};
use super::position::{Beginning, Kind, Position, StoredFile, is_all_done};
use super::reader::Reader;
use super::siblings;
use super::trail::{Finished, Origin, Telling, Trail};
use crate::event::ChannelName;

/// What was stored for a channel.
type Of = dyn FnMut(&ChannelName) -> Option<Box<str>> + Send;

/// The positions that were stored before this run.
pub struct Stored {
    of: Box<Of>,
    /// Those of which something may be left to read; until the first look is over.
    pub(super) unfinished: Vec<(ChannelName, Position)>,
    /// Channels whose position has been used: what is stored of them now is of this run.
    used: HashSet<ChannelName>,
}

impl Stored {
    /// What `of` says for a channel is used once, when a path of it is followed first. `all` is what it says for every channel now: among them are those
    /// whose files have gone.
    #[must_use]
    pub fn new(all: Vec<(ChannelName, Box<str>)>, of: impl FnMut(&ChannelName) -> Option<Box<str>> + Send + 'static) -> Self {
        let unfinished = all.into_iter().filter(|(_, text)| !is_all_done(text));
        let unfinished = unfinished.filter_map(|(channel, text)| Some((channel, Position::parse(&text)?))).collect();
        Self { of: Box::new(of), unfinished, used: HashSet::new() }
    }

    /// None at all.
    #[must_use]
    pub fn nothing() -> Self {
        Self::new(Vec::new(), |_| None)
    }

    fn take(&mut self, channel: &ChannelName) -> Option<Box<str>> {
        let text = (self.of)(channel)?;
        self.used.insert(channel.clone()).then_some(text)
    }
}

impl fmt::Debug for Stored {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Stored").field("used", &self.used).finish_non_exhaustive()
    }
}

impl Follower {
    /// Makes a new trail what it was when its position was stored, if it was. Whether its position must be told: another path reads a file of it, so it
    /// would be looked for again at every start.
    pub(super) fn restore(&mut self, trail: &mut Trail, now: Now) -> Telling {
        let Some(text) = self.stored.take(&trail.channel) else { return Telling::Done };
        let Some(position) = Position::parse(&text) else {
            let channel = &trail.channel;
            warn!(
                %channel,
                "the stored position of '{}' is not understood (a newer version may have written it); it is followed as if there were none",
                trail.path.display()
            );
            return Telling::Done;
        };
        if position.path != trail.path_sum {
            return Telling::Done;
        }
        trail.looked = position.looked;
        trail.telling = Telling::Done; // it is stored as it is
        trail.new_since = Some(UNIX_EPOCH);
        trail.way = position.targets.iter().chain([&trail.path]).cloned().collect();
        trail.places.clone_from(&trail.way);
        trail.targets.clone_from(&position.targets);
        let renamed = self.renamed_device(trail, &position);
        for mut file in position.files {
            if let Some(renamed) = renamed {
                renamed.apply(&mut file);
            }
            self.restore_file(trail, &file, now);
        }
        trail.telling
    }

    fn restore_file(&mut self, trail: &mut Trail, file: &StoredFile, now: Now) {
        let StoredFile { identity, born, .. } = *file;
        if file.kind == Kind::Done {
            self.done.remember(identity, born, file.spot.place(), self.trails.len());
            trail.finished.push_back(Finished { identity, born, place: file.spot.place() });
            return;
        }
        let owner = self.owners.get(&identity).and_then(|owner| self.trails.get(owner));
        if owner.is_some_and(|owner| owner.readers_of(identity).any(|reader| reader.born == born)) {
            trail.telling = Telling::Due;
            return; // it was about to be handed over from one path to the other
        }
        let begin = (file.beginning == Beginning::Asked).then_some(trail.asked.opening);
        let reader = Reader::restored(self.new_file(), file, begin, now.instant, self.options.rotate_wait);
        self.owners.entry(identity).or_insert(trail.key);
        trail.readers.push_back(reader);
    }

    /// The new number of a device, if one of the files has it.
    fn renamed_device(&mut self, trail: &Trail, position: &Position) -> Option<RenamedDevice> {
        let has_device = |device: u64| position.files.iter().any(|file| file.identity.device() == device);
        if position.files.is_empty() || fs::metadata(&trail.path).is_ok_and(|metadata| has_device(metadata.dev())) {
            return None;
        }
        // Without a descriptor to look, the files are as good as gone, and told as lost.
        let beside = siblings::later_names(&mut self.listings, &trail.way).unwrap_or_default();
        trail.way.iter().chain(&beside).find_map(|path| {
            let metadata = fs::metadata(path).ok().filter(|metadata| metadata.is_file() && !has_device(metadata.dev()))?;
            let file = position
                .files
                .iter()
                .find(|file| file.identity.inode() == metadata.ino() && file.born == born(&metadata) && file.kind != Kind::Done)?;
            let (open, _) = open_if_there(path).ok()??;
            let (from, to) = (file.identity.device(), metadata.dev());
            file.spot.place().fits(&open).then_some(RenamedDevice { from, to })
        })
    }

    /// Other followed paths that lead to a file. The first look does not know yet which do, and asks all of them.
    pub(super) fn other_names(&mut self, identity: Identity) -> Vec<PathBuf> {
        if self.is_first && self.names_at_first.is_none() {
            let lead = |trail: &Trail| Some((Identity::of(&fs::metadata(&trail.path).ok()?), trail.path.clone()));
            self.names_at_first = Some(self.trails.values().filter_map(lead).collect());
        }
        let at_first = self.names_at_first.iter().filter_map(|names| names.get(&identity));
        let twins = self.twins.get(&identity).into_iter().flatten().filter_map(|key| Some(&self.trails.get(key)?.path));
        at_first.chain(twins).cloned().collect()
    }

    /// A file of a glob that nothing was stored of was made after the state that was stored of its neighbours.
    pub(super) fn date_matches(&mut self) {
        for index in 0..self.globs.len() {
            let matches = |trail: &&mut Trail| trail.origin == Origin::Matched(index);
            let known = |trail: &&mut Trail| trail.new_since.is_some();
            let stored = self.trails.values_mut().filter(matches).filter(known).filter_map(|trail| trail.looked).max();
            let unknown = self.trails.values_mut().filter(matches).filter(|trail| !known(trail));
            unknown.for_each(|trail| trail.new_since = stored);
        }
    }
}

/// A device that has another number than when the position was stored.
#[derive(Debug, Clone, Copy)]
struct RenamedDevice {
    from: u64,
    to: u64,
}

impl RenamedDevice {
    fn apply(self, file: &mut StoredFile) {
        let renamed = |identity: Identity| {
            if identity.device() == self.from { Identity::new(self.to, identity.inode()) } else { identity }
        };
        file.identity = renamed(file.identity);
        file.follows = file.follows.map(|(born, identity)| (born, renamed(identity)));
    }
}
