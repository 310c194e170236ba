//! New paths: those that the user named, and those that globs match.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use tracing::{info, warn};

use super::follower::{Follower, Now};
use super::glob::Glob;
use super::position::{Position, is_storable, path_sum};
use super::scan::Scan;
use super::schedule::{HINTED, POLLED, Task};
use super::trail::{Asked, Origin, Sight, Telling, Trail};
use crate::event::ChannelName;
use crate::source::naming::{self, channel_name};
use crate::source::{News, Sink, reason};

/// The least pause between hinted scans.
const REST: Duration = Duration::from_millis(20);

/// How long a file may have stood under a path before the path is found: what was made in this time, and rotated, is found beside it.
const UNSEEN: Duration = Duration::from_secs(10);

/// A scan may take this part of the time: a glob over a whole disk must not take a processor.
const SHARE: u32 = 50;

/// A glob that is followed.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Matching {
    name: Option<ChannelName>,
    /// Who asked for it.
    pub(super) asked: Asked,
    scan: Scan,
    /// Whether something has changed in its directories.
    pub is_hinted: bool,
    /// Whether its source has gone: it keeps its place among the globs, and is scanned no more.
    pub(super) is_over: bool,
    /// Not to be scanned before.
    rest_until: Instant,
    /// Whether there are matches that are no files (yet).
    has_unresolved: bool,
    /// The directories that could not be read.
    failing: Vec<PathBuf>,
    /// When it was scanned first and last with all directories read.
    scanned: Option<(SystemTime, SystemTime)>,
    /// Whether some could not be read at the start: what is found there later was there before.
    is_unseen: bool,
}

impl Matching {
    #[cfg(test)]
    pub fn hint_for_test(&mut self) {
        self.is_hinted = true;
        self.rest_until = Instant::now();
    }

    /// What it has found may be followed by nobody any more.
    pub(super) fn look_anew(&mut self) {
        (self.is_hinted, self.has_unresolved) = (true, true);
    }

    /// The channel of a match.
    fn channel_of(&self, path: &Path) -> ChannelName {
        channel_name(self.name.as_ref(), Some(self.below(path)))
    }

    /// What the channel's name has lost of the path, if that can be stored.
    fn left_out_of(&self, path: &Path) -> OsString {
        let left_out = naming::left_out(self.name.as_ref(), Some(self.below(path)));
        if is_storable(&left_out) { left_out } else { OsString::new() }
    }

    /// The part of a path that is in the channel's name.
    fn below<'p>(&self, path: &'p Path) -> &'p Path {
        let below = self.name.as_ref().and_then(|_| path.strip_prefix(&self.scan.glob.base).ok());
        below.unwrap_or(path)
    }

    /// The glob as it was written.
    pub(super) fn whole(&self) -> &Path {
        &self.scan.glob.whole
    }

    /// The path of a match whose channel and position these are, if they are of one: the way back from the name is believed only if it leads here again.
    pub(super) fn path_of(&self, channel: &ChannelName, position: &Position) -> Option<PathBuf> {
        let below = naming::path_below(self.name.as_ref(), channel, &position.left_out)?;
        let base = if self.name.is_some() { &self.scan.glob.base } else { Path::new("/") };
        let path = base.join(below);
        let is_its = path_sum(&path) == position.path && self.scan.glob.matches(&path) && self.channel_of(&path) == *channel;
        is_its.then_some(path)
    }

    /// All that matches, unless nothing can have changed.
    fn look(&mut self, now: Now) -> BTreeSet<PathBuf> {
        if !std::mem::take(&mut self.has_unresolved) && self.scan.is_unchanged() {
            return BTreeSet::new();
        }
        self.scan.look(now.stamp())
    }

    /// Since when a match that is new may have stood there unseen: made and rotated between two scans, and not there at the last one.
    fn unseen_since(&self, now: Now) -> Option<SystemTime> {
        self.scanned.map(|(first, last)| first.max(last.min(now.stamp() - UNSEEN)))
    }

    /// Whether a change in this directory may change what matches.
    #[must_use]
    pub fn has_listed(&self, directory: &Path) -> bool {
        self.scan.directories().any(|listed| listed == directory)
    }
}

impl Follower {
    /// Forgets that paths were followed long ago: what stands there now has not been seen then.
    pub(super) fn forget_forgotten(&mut self, now: Now) {
        self.forgotten.retain(|_, looked| *looked + UNSEEN >= now.stamp());
    }

    /// Follows a path for ever.
    pub(super) fn follow_named(&mut self, path: PathBuf, channel: ChannelName, asked: Asked, now: Now, news: &mut Sink<'_>) {
        // A glob may have found it before, by the same name.
        let found = self.paths.get(&path).and_then(|key| self.trails.get_mut(key)).filter(|trail| trail.channel == channel);
        match found {
            Some(trail) => {
                (trail.origin, trail.asked) = (Origin::Named, asked);
                news(News::Followed { source: asked.source, path: trail.key, channel });
            }
            None => self.add(path, channel, Origin::Named, asked, now, news),
        }
    }

    /// Follows all files that match, now and later.
    pub(super) fn follow_matching(&mut self, name: Option<ChannelName>, glob: Glob, asked: Asked, now: Now, news: &mut Sink<'_>) {
        let index = self.globs.len();
        let matching = Matching {
            name,
            asked,
            scan: Scan::new(glob),
            is_hinted: true,
            is_over: false,
            rest_until: now.instant,
            has_unresolved: false,
            failing: Vec::new(),
            scanned: None,
            is_unseen: false,
        };
        self.globs.push(matching);
        self.follow_gone(index, now, news);
        let before = self.trails.len();
        self.scan(index, now, news);
        let whole = self.globs[index].scan.glob.whole.display();
        match self.trails.len() - before {
            0 => info!("no file matches '{whole}' yet; waiting"),
            1 => info!("following 1 file of '{whole}'"),
            count => info!("following {count} files of '{whole}'"),
        }
    }

    fn add(&mut self, path: PathBuf, channel: ChannelName, origin: Origin, asked: Asked, now: Now, news: &mut Sink<'_>) {
        let key = self.new_path();
        self.paths.entry(path.clone()).or_insert(key);
        let mut trail = Trail::new(key, path, channel.clone(), origin, asked);
        if matches!(origin, Origin::Matched(index) if self.globs[index].is_unseen) {
            trail.sight = Sight::Barred;
        }
        if let Origin::Matched(index) = origin {
            let forgotten = self.forgotten.remove(&trail.path);
            trail.looked = forgotten.or_else(|| self.globs[index].unseen_since(now));
            trail.left_out = self.globs[index].left_out_of(&trail.path);
        }
        let telling = self.restore(&mut trail, now);
        self.trails.insert(key, trail);
        news(News::Followed { source: asked.source, path: key, channel });
        if telling == Telling::Due {
            self.tell_moved(key, news);
        }
        self.refresh_way(key); // watched before it is looked at, so that nothing happens in between
        if self.is_first {
            self.unlooked.push(key); // who reads what is known when all positions are
        } else {
            self.look(key, now, news);
        }
        let pause = self.trails.get(&key).map_or(POLLED, Trail::pause);
        self.schedule.add(Task::Path(key), now.instant, pause);
    }

    /// Scans the globs of whose directories there were hints.
    pub(super) fn scan_hinted(&mut self, now: Now, news: &mut Sink<'_>) {
        for index in 0..self.globs.len() {
            if self.globs[index].is_hinted && !self.globs[index].is_over && self.globs[index].rest_until <= now.instant {
                self.scan_now(index, now, news);
            }
        }
    }

    /// When the next glob may be scanned that was hinted at.
    pub(super) fn next_scan(&self) -> Option<Instant> {
        self.globs.iter().filter(|glob| glob.is_hinted && !glob.is_over).map(|glob| glob.rest_until).min()
    }

    /// Scans a glob, and arranges the next scan.
    pub(super) fn scan(&mut self, index: usize, now: Now, news: &mut Sink<'_>) {
        if self.globs[index].is_over {
            return;
        }
        let is_watched = self.scan_now(index, now, news);
        let pause = if is_watched { HINTED } else { POLLED };
        let rest = self.globs[index].rest_until.saturating_duration_since(now.instant);
        self.schedule.add(Task::Glob(index), now.instant, pause.max(rest));
    }

    /// Scans a glob; true if all its directories are watched.
    fn scan_now(&mut self, index: usize, now: Now, news: &mut Sink<'_>) -> bool {
        let began = Instant::now();
        let matching = &mut self.globs[index];
        matching.is_hinted = false;
        let found = matching.look(now);
        matching.rest_until = Instant::now() + (began.elapsed() * SHARE).max(REST);
        let directories: Vec<_> = matching.scan.directories().map(Path::to_owned).collect();
        let watched = directories.iter().filter(|directory| self.watch(directory) == Ok(true)).count();
        let is_watched = watched == directories.len();
        for path in found {
            self.add_match(index, path, now, news);
        }
        self.tell_failures(index);
        let matching = &mut self.globs[index];
        matching.is_unseen = !matching.failing.is_empty() && (self.is_first || matching.is_unseen);
        if matching.failing.is_empty() {
            let first = matching.scanned.map_or(now.stamp(), |(first, _)| first);
            matching.scanned = Some((first, now.stamp()));
        }
        is_watched
    }

    /// Follows a match if it is a file that is not followed by this name.
    fn add_match(&mut self, index: usize, path: PathBuf, now: Now, news: &mut Sink<'_>) {
        let known = self.paths.get(&path).and_then(|key| self.trails.get(key));
        if known.is_some_and(|trail| trail.origin == Origin::Matched(index)) {
            return;
        }
        let channel = self.globs[index].channel_of(&path);
        if self.is_followed_as(index, &path, &channel) {
            return;
        }
        if !fs::metadata(&path).is_ok_and(|metadata| metadata.is_file()) {
            self.globs[index].has_unresolved = true;
            return;
        }
        self.follow_match(index, path, channel, now, news);
    }

    /// Whether a match is followed into this channel, or by this glob as well.
    pub(super) fn is_followed_as(&self, index: usize, path: &Path, channel: &ChannelName) -> bool {
        let known = self.paths.get(path).and_then(|key| self.trails.get(key));
        known.is_some_and(|trail| trail.channel == *channel) || self.matched_again.contains(&(index, path.to_owned()))
    }

    /// Follows a match.
    pub(super) fn follow_match(&mut self, index: usize, path: PathBuf, channel: ChannelName, now: Now, news: &mut Sink<'_>) {
        if self.paths.get(&path).is_some_and(|key| self.trails.contains_key(key)) {
            self.matched_again.insert((index, path.clone()));
        }
        self.add(path, channel, Origin::Matched(index), self.globs[index].asked, now, news);
    }

    /// Says which directories cannot be read, when that changes.
    fn tell_failures(&mut self, index: usize) {
        let matching = &mut self.globs[index];
        for (directory, error) in matching.scan.failed.iter().filter(|(directory, _)| !matching.failing.contains(directory)) {
            warn!("could not look into '{}': {}; trying again", directory.display(), reason(error));
        }
        matching.failing = matching.scan.failed.iter().map(|(directory, _)| directory.clone()).collect();
    }
}
