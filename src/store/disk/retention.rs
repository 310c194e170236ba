//! What is let go, and when: in two steps, so that clients are told before the files go.
//!
//! First the segments are taken out of the lists: nobody begins to read them any more, and their bytes do not count. Then [`remove`] removes the files,
//! which needs no lock. A crash between the two costs nothing: the segments are simply there again.
//!
//! - Over the size, the log that holds most lets its oldest segment go, so a channel below its even share loses nothing.
//! - Over the age, every log lets the segments go whose last event is older. A segment is ended when it is older than an eighth of that age.
//! - A log keeps its source's position: before its only segment goes, one without events is begun. What goes is removed only when what is left of its
//!   log is safe from a power cut, or that could take the position.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::archive::Archive;
use super::layout;
use super::life::Uncounted;
use super::log::{Limits, Log};
use super::segment::Segment;
use super::volume::Volume;
use crate::event::{Age, ChannelName, Millis, Position};

/// The smallest and the largest that a segment becomes before the next is begun, in bytes.
const LEAST_SEGMENT: u64 = 64 * 1024;
const MOST_SEGMENT: u64 = 8 * 1024 * 1024;

/// A log that could not let go because of its age is asked again after this, in milliseconds.
const RETRY: Millis = 1000;

/// A segment that is not listed any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LetGo {
    /// Whose events they were.
    pub channel: ChannelName,
    /// No event in it is below this number: its name's.
    pub first: u64,
    /// Its last event, if it had any.
    pub through: Option<Position>,
    /// How many it had.
    pub count: u64,
    /// Whether they had come or had been there.
    pub age: Age,
    /// What it took, in bytes.
    pub bytes: u64,
    /// Its file.
    pub path: PathBuf,
    /// What must be safe before that is removed, if it may not be yet.
    kept: Option<PathBuf>,
}

impl LetGo {
    pub(super) fn new(log: &Log, segment: &Segment) -> Self {
        Self {
            channel: log.book.channel().clone(),
            first: segment.first.number,
            through: segment.last,
            count: segment.count(),
            age: segment.age,
            bytes: segment.length,
            path: log.book.path_of(segment.first),
            kept: None,
        }
    }
}

/// Removes the file of a segment that was let go, and its directory and those above it below `root` as far as they are empty.
///
/// # Errors
/// What the kernel says; then the file is still there, and is a part of the history again at the next start.
pub fn remove(volume: &dyn Volume, root: &Path, gone: &LetGo) -> io::Result<()> {
    let is_missing = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    let Some(directory) = gone.path.parent() else { return Ok(()) };
    if let Some((kept, beside)) = gone.kept.as_ref().and_then(|kept| Some((kept, kept.parent()?))) {
        match volume.open(kept).and_then(|file| file.sync()).and_then(|()| volume.sync_directory(beside)) {
            Err(error) if is_missing(&error) => {} // let go as well, when what was left then was safe
            synced => synced?,
        }
    }
    match volume.remove(&gone.path) {
        Err(error) if is_missing(&error) => {}
        removed => removed?,
    }
    remove_empty(volume, root, directory);
    Ok(())
}

/// Removes a directory and those above it, as far as they are empty.
fn remove_empty(volume: &dyn Volume, root: &Path, directory: &Path) {
    let below_root = directory.ancestors().take_while(|directory| *directory != root && directory.starts_with(root));
    for directory in below_root {
        if volume.remove_directory(directory).is_err() {
            return; // it is not empty
        }
    }
}

impl Archive {
    /// When a segment is ended: several of them in each channel, so that what is let go at once is little of what it holds.
    pub(super) fn limits(&self) -> Limits {
        let share = self.keep.size / (self.logs.len() as u64).max(1);
        Limits { bytes: (share / 8).clamp(LEAST_SEGMENT, MOST_SEGMENT), span: self.keep.age.map(|age| millis(age) / 8) }
    }

    /// Takes segments out of the lists until all together take no more than they may and none is too old. Their files are to be given to [`remove`].
    ///
    /// # Errors
    /// What the kernel says, if nothing could be let go because of it: a channel's last segment cannot go while its source's position cannot be
    /// written elsewhere.
    pub fn let_go(&mut self, now: Millis) -> io::Result<Vec<LetGo>> {
        let mut gone = Vec::new();
        let by_size = self.let_go_by_size(&mut gone);
        let by_age = self.let_go_by_age(now, &mut gone);
        if gone.is_empty() {
            by_size.and(by_age)?;
        }
        Ok(gone)
    }

    fn let_go_by_size(&mut self, gone: &mut Vec<LetGo>) -> io::Result<()> {
        let mut outcome = Ok(());
        let mut failed = 0;
        while self.held > self.keep.size {
            let Some((_, fullest)) = self.sizes.descending().nth(failed) else { break };
            let fullest = fullest.clone();
            match self.let_oldest_go(&fullest) {
                Ok(oldest) => gone.push(oldest),
                Err(error) => (outcome, failed) = (Err(error), failed + 1),
            }
        }
        outcome
    }

    fn let_go_by_age(&mut self, now: Millis, gone: &mut Vec<LetGo>) -> io::Result<()> {
        let Some(oldest) = self.keep.age.map(|age| now.saturating_sub(millis(age))) else { return Ok(()) };
        let mut outcome = Ok(());
        while let Some((_, channel)) = self.ages.first().filter(|(time, _)| *time < oldest) {
            let channel = channel.clone();
            match self.logs.get(&channel).and_then(Log::oldest) {
                Some(time) if time >= oldest => self.ages.set(&channel, time),
                Some(_) => match self.let_oldest_go(&channel) {
                    Ok(segment) => gone.push(segment),
                    Err(error) => {
                        self.ages.set(&channel, oldest.saturating_add(RETRY));
                        outcome = Err(error);
                    }
                },
                None => self.ages.remove(&channel),
            }
        }
        outcome
    }

    fn let_oldest_go(&mut self, channel: &ChannelName) -> io::Result<LetGo> {
        let (newest, synced) = (self.newest, self.synced.number);
        let oldest = self.logs.get_mut(channel).map(|log| log.let_oldest_go(newest, synced, &mut self.scratch)).transpose();
        self.account(channel);
        oldest?.flatten().ok_or_else(|| io::Error::other(format!("nothing of '{channel}' can be let go")))
    }

    /// Forgets a channel with all that it has had, and its source's position. If it is listed afterwards nevertheless, the numbering hangs on it until
    /// something else is appended or synced, and this is to be tried again then.
    pub fn forget(&mut self, channel: &ChannelName) -> Vec<LetGo> {
        let Some(log) = self.logs.get(channel) else { return Vec::new() };
        let reach = log.newest().map_or(0, |newest| newest.number);
        let is_said_by_other =
            |(other, log): &(&ChannelName, &Log)| *other != channel && log.newest().is_some_and(|newest| newest.number >= reach);
        // What says that these numbers were given must be safe before they go.
        let kept = if reach <= self.synced.number {
            Some(self.root.join(layout::SYNCED))
        } else {
            let other = self.logs.iter().find(is_said_by_other).map(|(_, other)| other);
            other.and_then(|other| Some(other.book.path_of(other.book.last()?.first)))
        };
        if kept.is_none() {
            return Vec::new();
        }
        let mut gone: Vec<_> = log.book.iter().map(|segment| LetGo { kept: kept.clone(), ..LetGo::new(log, segment) }).collect();
        // If the channel comes back at once, its first segment may have the name of one that has no events.
        if let Some(last) = gone.pop_if(|last| last.count == 0) {
            let _ = remove(&*self.volume, &self.root, &last); // if it stays it is found at the next start, and tells nobody anything
        }
        self.drop_log(channel);
        gone
    }
}

impl Archive {
    /// The numbers of a channel's events, of which nobody tells any more when it is forgotten.
    #[must_use]
    pub fn numbers_of(&self, channel: &ChannelName) -> Uncounted {
        let log = self.logs.get(channel);
        let last = log.and_then(|log| log.latest().or(log.last_stored())).unwrap_or(self.newest);
        Uncounted { through: last, count: log.map_or(0, Log::numbers) }
    }

    /// All files of channels that had these numbers are removed. Not before: what is noted and there as well would hide the loss of others.
    ///
    /// # Errors
    /// What the kernel says; then the next start finds that they are missing, and does not know why.
    pub fn note_forgotten(&mut self, numbers: Uncounted) -> io::Result<()> {
        let Uncounted { through, count } = self.uncounted;
        self.note_uncounted(Uncounted { through: through.max(numbers.through), count: count.saturating_add(numbers.count) })
    }
}

impl Log {
    /// The time up to which it has events in the segment that would go next; `None` if none can.
    pub(super) fn oldest(&self) -> Option<Millis> {
        let oldest = self.book.get(0).filter(|oldest| oldest.count() > 0 || self.book.len() > 1)?;
        Some(oldest.last.unwrap_or(oldest.reach).time)
    }

    /// Lets the oldest segment go. The source's position stays. `None` if there is nothing to let go. `newest` is the last event of all channels, and
    /// what is not above `synced` is safe.
    pub(super) fn let_oldest_go(&mut self, newest: Position, synced: u64, scratch: &mut Vec<u8>) -> io::Result<Option<LetGo>> {
        if self.oldest().is_none() {
            return Ok(None);
        }
        if self.book.len() == 1 {
            self.write_source(newest, scratch)?;
        }
        let Some(next) = self.book.get(1).map(|next| next.first) else { return Ok(None) };
        let kept = (next.number > synced).then(|| self.book.path_of(next));
        let Some(oldest) = self.book.pop_first() else { return Ok(None) };
        self.bytes -= oldest.length;
        self.unsynced.note_names(self.book.directory(), &self.root);
        Ok(Some(LetGo { kept, ..LetGo::new(self, &oldest) }))
    }
}

fn millis(age: Duration) -> Millis {
    Millis::try_from(age.as_millis()).unwrap_or(Millis::MAX)
}
