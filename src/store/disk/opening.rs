//! What is looked for when an archive is opened: whether a later version has been there, when the life began, and what is missing.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::archive::{Archive, Report};
use super::layout;
use super::life::{self, NoLife, Uncounted};
use super::log::{Log, Repairs};
use super::record::BadHead;
use super::recovery::newer;
use super::volume::{Kind, Volume};
use crate::errno::{is_scarcity, reason};
use crate::event::{ChannelName, Millis, Position};

impl Archive {
    /// Each number was given to an event of one channel, and each log says how many its channel has had: what is left is what no log tells of. All up to
    /// `safe` were there before.
    ///
    /// Where the end of a channel is missing, its source will say again what it said there. So that whoever was there before is told, also who has seen
    /// the very last event, one number is given to nobody: all who were there are below it, or were there before its time; and it is the last of those that
    /// no log tells of.
    pub(super) fn count_numbers(&mut self, safe: Position, now: Millis, report: &mut Report) {
        let noted = life::uncounted(&*self.volume, &self.root);
        if noted.through.time >= self.began {
            self.uncounted = noted;
            self.newest = self.newest.max(noted.through);
        }
        let known = self.uncounted.count;
        let counted = self.logs.values().map(Log::numbers).fold(0, u64::saturating_add);
        let count = self.newest.number.saturating_sub(counted);
        report.doubtful_above = (count > known).then_some(safe);
        if report.doubtful_above.is_some() || self.lacks_an_end() {
            report.missing = count.saturating_sub(known);
            self.newest = Position { number: self.newest.number + 1, time: now.max(self.newest.time + 1) };
            let uncounted = Uncounted { through: self.newest, count: count + 1 };
            if let Err(error) = self.note_uncounted(uncounted) {
                // Each start finds it anew then.
                report.repairs.unwritten.push((self.root.join(layout::UNCOUNTED), reason(&error)));
                self.uncounted = uncounted;
            }
        }
        report.floor = (self.uncounted.count > 0).then_some(self.uncounted.through);
    }

    /// Whether some log says itself that its end is missing, and has a source that stands before it, since this was noted last. Where nothing is left of
    /// a log its events were let go, and its source is behind them.
    fn lacks_an_end(&self) -> bool {
        let noted = self.uncounted.through.number;
        self.logs.values().filter(|log| log.source().is_some()).any(|log| {
            let stored = log.last_stored().map(|stored| stored.number);
            stored.zip(log.latest()).is_some_and(|(stored, latest)| latest.number > stored.max(noted))
        })
    }

    /// Whether more events are missing between others than was known: after damage, writes that failed, and for whatever somebody has deleted.
    pub(super) fn count_missing(&mut self, report: &mut Report) {
        let missing = self.logs.iter().map(|(channel, log)| (channel.clone(), log.missing()));
        let missing: Vec<_> = missing.filter(|(_, count)| *count > 0).collect();
        let count = missing.iter().map(|(_, count)| *count).fold(0, u64::saturating_add);
        self.missing = life::missing(&*self.volume, &self.root);
        if count > self.missing {
            report.lost = missing;
        }
        // What is let go is not missing between others any more.
        if count != self.missing
            && let Err(error) = life::note_missing(&*self.volume, &self.root, count)
        {
            report.repairs.unwritten.push((self.root.join(layout::MISSING), reason(&error)));
        }
        self.missing = count;
    }

    /// Notes that more are missing now, of which it has been said.
    pub(super) fn note_more_missing(&mut self) {
        let count = self.logs.values().map(Log::missing).fold(0, u64::saturating_add);
        if count > self.missing {
            self.missing = count;
            let _ = life::note_missing(&*self.volume, &self.root, count); // or the next start says it once more
        }
    }

    /// What is there is kept aside, and the numbering begins anew.
    pub(super) fn begin_anew(&mut self, now: Millis, report: &mut Report) {
        let channels: Vec<_> = self.logs.keys().cloned().collect();
        for log in channels.iter().filter_map(|channel| self.drop_log(channel)) {
            log.move_all_aside(&mut report.repairs);
        }
        report.is_ahead = true;
        self.began = now;
        self.newest = Position { number: 0, time: now };
        let (volume, root) = (Arc::clone(&self.volume), self.root.clone());
        // One of another owner, of a life that is over, is in the way of all that is written from now on.
        let begun = life::begin(&*volume, &root, now).or_else(|_| {
            volume.remove(&root.join(layout::LIFE))?;
            life::begin(&*volume, &root, now)
        });
        self.life = volume.open(&root.join(layout::LIFE)).ok();
        let (uncounted, synced) = (self.note_uncounted(Uncounted::default()), life::note_synced(&*volume, &root, self.newest));
        let unwritten = &mut report.repairs.unwritten;
        for (name, outcome) in [(layout::LIFE, begun), (layout::UNCOUNTED, uncounted), (layout::SYNCED, synced)] {
            unwritten.extend(outcome.err().map(|error| (root.join(name), reason(&error))));
        }
        self.uncounted = Uncounted::default();
    }
}

/// The channels that have something in a state directory.
pub(super) fn channels_below(volume: &dyn Volume, root: &Path, repairs: &mut Repairs) -> Result<Vec<ChannelName>, NoLife> {
    let mut found = Vec::new();
    let mut directories = vec![PathBuf::new()];
    while let Some(directory) = directories.pop() {
        let path = root.join(&directory);
        let entries = match volume.list(&path) {
            Err(error) if path != root && !is_scarcity(&error) => {
                repairs.unreadable.push((path, reason(&error)));
                continue;
            }
            entries => entries.map_err(NoLife::not("listed"))?,
        };
        let is_ours = |name: &str| layout::first_of(name).is_some() || layout::mended_of(name).is_some();
        let has_segments =
            entries.iter().any(|entry| matches!(entry.kind, Kind::File(_)) && entry.name.to_str().is_some_and(is_ours));
        found.extend(layout::channel_of(&directory).filter(|_| has_segments));
        let below = entries.into_iter().filter(|entry| entry.kind == Kind::Directory);
        directories.extend(below.map(|entry| directory.join(entry.name)));
    }
    found.sort_unstable();
    Ok(found)
}

/// Whether a later version has written any segment. What cannot be read is for whoever opens it.
pub(super) fn look_for_later(volume: &dyn Volume, root: &Path, channels: &[ChannelName]) -> io::Result<()> {
    for channel in channels {
        for (path, head) in Log::heads(volume, root, channel)? {
            if let Err(BadHead::Newer(version)) = head {
                return Err(newer(&path, version));
            }
        }
    }
    Ok(())
}

/// When the life began: if `@life` does not say it, the segments do. Then it is written anew, if that can be done.
pub(super) fn take_life(
    volume: &dyn Volume,
    root: &Path,
    life: Result<Millis, NoLife>,
    channels: &[ChannelName],
    now: Millis,
    repairs: &mut Repairs,
) -> Result<Millis, NoLife> {
    let path = root.join(layout::LIFE);
    match life {
        Ok(began) => return Ok(began),
        Err(NoLife::New) if channels.is_empty() => {
            life::begin(volume, root, now).map_err(NoLife::not("written"))?;
            return Ok(now);
        }
        Err(NoLife::New | NoLife::Damaged) => repairs.small.push(path.clone()),
        Err(NoLife::Unreadable(error)) if !is_scarcity(&error) => repairs.unreadable.push((path.clone(), reason(&error))),
        Err(other) => return Err(other),
    }
    let heads = channels.iter().filter_map(|channel| Log::heads(volume, root, channel).ok()).flatten();
    let began = heads.filter_map(|(_, head)| Some(head.ok()?.began)).min().unwrap_or(now);
    match life::begin(volume, root, began) {
        Err(error) if is_scarcity(&error) => return Err(error.into()),
        Err(error) => repairs.unwritten.push((path, reason(&error))),
        Ok(()) => {}
    }
    Ok(began)
}
