//! A state directory: the logs of all channels.
//!
//! No operation on one channel costs more when there are more of them, but for a logarithm.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::held::Places;
use super::layout;
use super::life::{self, NoLife, Uncounted};
use super::log::{Entry, Log, Repairs};
use super::mend::Mended;
use super::opening::{channels_below, look_for_later, take_life};
use super::ranking::Ranking;
use super::unsynced::Unsynced;
use super::volume::{Content, Identity, Volume};
use crate::event::{ChannelName, Millis, Position};
use crate::store::Keep;

/// Clocks that are set back by less than this are no reason to begin a new life, in milliseconds.
const MOST_AHEAD: Millis = 3_600_000;

/// The history of all channels.
#[derive(Debug)]
pub struct Archive {
    pub(super) volume: Arc<dyn Volume>,
    pub(super) root: PathBuf,
    pub(super) began: Millis,
    pub(super) keep: Keep,
    pub(super) logs: BTreeMap<ChannelName, Log>,
    /// What all segments together take, in bytes.
    pub(super) held: u64,
    /// The logs that can let something go, by what they hold.
    pub(super) sizes: Ranking,
    /// The same logs by the time up to which their oldest segment has events, or a time before that.
    pub(super) ages: Ranking,
    /// Those of which a power cut may take something.
    written: BTreeSet<ChannelName>,
    /// What a power cut may take of logs that are not listed any more: their files may be there again after a crash.
    leftover: Unsynced,
    /// Those of which something is gone that was not let go, and of which that has not been told or made good.
    pub(super) troubled: BTreeSet<ChannelName>,
    /// The one that was looked after last.
    pub(super) looked_at: Option<ChannelName>,
    /// Whose files are open to be appended to, the one that was used last at the end.
    pub(super) open: Vec<ChannelName>,
    /// How many these may be.
    most_open: usize,
    /// As many may be open to be read.
    pub(super) places: Places,
    /// The file that says when the numbering began, as long as it is the directory's, if it could be opened.
    pub(super) life: Option<Arc<dyn Content>>,
    /// Which directory it is, for where that file cannot be opened.
    pub(super) place: Option<Identity>,
    /// The last event of all.
    pub(super) newest: Position,
    /// All events up to this one are safe.
    pub(super) synced: Position,
    /// Numbers that no log tells of.
    pub(super) uncounted: Uncounted,
    /// How many events are known to be missing between others.
    pub(super) missing: u64,
    pub(super) scratch: Vec<u8>,
}

/// What was found when an archive was opened.
#[derive(Debug, Default)]
pub struct Report {
    /// What was not as it was written.
    pub repairs: Repairs,
    /// So many are missing that no log tells of, and that nobody has known of before.
    pub missing: u64,
    /// How many events of these channels are missing between others, if they are more than was known.
    pub lost: Vec<(ChannelName, u64)>,
    /// Above this event, some are missing that no log tells of, and that nobody has known of before.
    pub doubtful_above: Option<Position>,
    /// Up to this event, some may be missing that no log tells of. Where the end of a channel is missing, it is above all that were ever there.
    pub floor: Option<Position>,
    /// Whether the stored times lie so far ahead of the clock that the numbering began anew.
    pub is_ahead: bool,
}

impl Archive {
    /// Opens the archive in a directory, which is made if it is missing. Nothing is written before it is sure that no later version has written here.
    ///
    /// # Errors
    /// A later version has written it, or the directory could not be made, listed or written, or there is no descriptor or no memory left. What is
    /// damaged, or belongs to somebody else, is no error.
    pub fn open(volume: Arc<dyn Volume>, root: &Path, now: Millis, keep: Keep) -> Result<(Self, Report), NoLife> {
        volume.make_directory(root).map_err(NoLife::not("made"))?;
        let mut report = Report::default();
        let channels = channels_below(&*volume, root, &mut report.repairs)?;
        let life = life::began(&*volume, root);
        look_for_later(&*volume, root, &channels)?;
        let began = take_life(&*volume, root, life, &channels, now, &mut report.repairs)?;
        let mut archive = Self::empty(volume, root, began, keep);
        let newest = archive.newest;
        let synced = life::synced(&*archive.volume, root).unwrap_or(newest);
        for name in [layout::SYNCED, layout::UNCOUNTED] {
            let path = root.join(name);
            report.repairs.small.extend(life::is_damaged(&*archive.volume, &path).then_some(path));
        }
        for channel in channels {
            let (log, repairs) = Log::open(&archive.volume, root, channel.clone(), began, synced.number)?;
            report.repairs.join(repairs);
            archive.newest = archive.newest.max(log.newest().unwrap_or(newest));
            archive.logs.insert(channel.clone(), log);
            archive.account(&channel);
        }
        if archive.newest.time > now.saturating_add(MOST_AHEAD) {
            archive.begin_anew(now, &mut report);
            return Ok((archive, report));
        }
        let stored = archive.newest;
        archive.newest = stored.max(synced);
        archive.synced = synced;
        archive.count_numbers(stored.min(synced), now, &mut report);
        archive.count_missing(&mut report);
        Ok((archive, report))
    }

    /// One that has nothing yet.
    fn empty(volume: Arc<dyn Volume>, root: &Path, began: Millis, keep: Keep) -> Self {
        let newest = Position { number: 0, time: began };
        let most_open = volume.most_open();
        Self {
            // Whatever else may stand there is as good as nothing.
            life: volume.open(&root.join(layout::LIFE)).ok(),
            place: volume.stamp(root).map(|stamp| stamp.identity).ok(),
            volume,
            root: root.to_owned(),
            began,
            keep,
            logs: BTreeMap::new(),
            held: 0,
            sizes: Ranking::default(),
            ages: Ranking::default(),
            written: BTreeSet::new(),
            leftover: Unsynced::default(),
            troubled: BTreeSet::new(),
            looked_at: None,
            open: Vec::new(),
            most_open,
            places: Places::new(most_open),
            newest,
            synced: newest,
            uncounted: Uncounted::default(),
            missing: 0,
            scratch: Vec::new(),
        }
    }

    pub(super) fn note_uncounted(&mut self, uncounted: Uncounted) -> io::Result<()> {
        life::note_uncounted(&*self.volume, &self.root, uncounted)?;
        self.uncounted = uncounted;
        Ok(())
    }

    /// When the numbering began.
    #[must_use]
    pub fn began(&self) -> Millis {
        self.began
    }

    /// The last event of all; no number up to it is given again.
    #[must_use]
    pub fn newest(&self) -> Position {
        self.newest
    }

    /// What all segments together take, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.held
    }

    /// How many segments there are.
    #[must_use]
    pub fn segments(&self) -> usize {
        self.logs.values().map(|log| log.book.len()).sum()
    }

    /// The log of a channel, if it has one.
    #[must_use]
    pub fn log(&self, channel: &ChannelName) -> Option<&Log> {
        self.logs.get(channel)
    }

    /// The logs of all channels that have one.
    pub fn logs(&self) -> impl Iterator<Item = (&ChannelName, &Log)> {
        self.logs.iter()
    }

    /// Appends what was read at once from the source of a channel, and the source's position behind it, all or nothing.
    ///
    /// # Errors
    /// What the kernel says; then the events are missing in the history.
    pub fn append(&mut self, channel: &ChannelName, entries: &[Entry<'_>], source: Option<&str>) -> io::Result<()> {
        if let Some(last) = entries.last() {
            self.newest = self.newest.max(last.last);
        }
        self.make_place(channel);
        let limits = self.limits();
        self.make_log(channel);
        let Self { logs, scratch, .. } = self;
        let appended = logs.get_mut(channel).map_or(Ok(()), |log| log.append(entries, source, limits, scratch));
        self.account(channel);
        if self.logs.get_mut(channel).is_some_and(|log| std::mem::take(&mut log.skipped) > 0) {
            self.note_more_missing();
        }
        appended
    }

    /// A channel has had these events, and they are not written: the next record that is tells so.
    pub fn pass_over(&mut self, channel: &ChannelName, entries: &[Entry<'_>]) {
        if let Some(last) = entries.last() {
            self.newest = self.newest.max(last.last);
        }
        self.make_log(channel);
        if let Some(log) = self.logs.get_mut(channel) {
            log.count(entries);
        }
    }

    fn make_log(&mut self, channel: &ChannelName) {
        if !self.logs.contains_key(channel) {
            let log = Log::new(Arc::clone(&self.volume), self.root.clone(), channel.clone(), self.began);
            self.logs.insert(channel.clone(), log);
        }
    }

    /// Brings the sums and orders up to date with a log that has changed.
    pub(super) fn account(&mut self, channel: &ChannelName) {
        let Some(log) = self.logs.get_mut(channel) else { return };
        self.held = self.held - log.counted + log.bytes;
        log.counted = log.bytes;
        if let Some(oldest) = log.oldest() {
            self.sizes.set(channel, log.bytes);
            if self.keep.age.is_some() && !self.ages.contains(channel) {
                self.ages.set(channel, oldest);
            }
        } else {
            self.sizes.remove(channel);
            self.ages.remove(channel);
        }
        if !log.unsynced.is_empty() && !self.written.contains(channel) {
            self.written.insert(channel.clone());
        }
        if log.owes_source || !log.lost.is_empty() {
            self.troubled.insert(channel.clone());
        }
    }

    /// Has nothing to do with a log any more.
    pub(super) fn drop_log(&mut self, channel: &ChannelName) -> Option<Log> {
        let mut log = self.logs.remove(channel)?;
        self.leftover.join(log.take_unsynced());
        self.held -= log.counted;
        self.sizes.remove(channel);
        self.ages.remove(channel);
        self.written.remove(channel);
        self.troubled.remove(channel);
        self.open.retain(|open| open != channel);
        Some(log)
    }

    /// Closes the file that was not appended to for longest, if this one would be one too many.
    fn make_place(&mut self, channel: &ChannelName) {
        if self.open.last() == Some(channel) {
            return;
        }
        if let Some(at) = self.open.iter().position(|open| open == channel) {
            self.open.remove(at);
        } else if self.open.len() >= self.most_open {
            let oldest = self.open.remove(0);
            if let Some(log) = self.logs.get_mut(&oldest) {
                log.close();
            }
        }
        self.open.push(channel.clone());
    }

    /// What has been written since this was asked last, and the event that it reaches to.
    pub fn take_unsynced(&mut self) -> (Unsynced, Position) {
        let mut all = std::mem::take(&mut self.leftover);
        for channel in std::mem::take(&mut self.written) {
            if let Some(log) = self.logs.get_mut(&channel) {
                all.join(log.take_unsynced());
            }
        }
        (all, self.newest)
    }

    /// Does with a segment what is done at the start with one that is not as it was written, if it is not: to be called with whatever a question could
    /// not be answered for. Then there are holes where there were events.
    pub fn mend(&mut self, channel: &ChannelName, path: &Path) -> Mended {
        let Some(log) = self.logs.get_mut(channel) else { return Mended::default() };
        let mended = log.mend_listed(path);
        self.account(channel);
        let _ = self.pay_source(channel); // or the next append does, or the next check
        if !mended.holes.is_empty() {
            self.note_more_missing();
        }
        mended
    }

    /// What was taken is safe, up to this event.
    pub fn note_synced(&mut self, newest: Position) {
        self.synced = self.synced.max(newest);
    }
}

/// Makes what was taken safe, and notes how far that reaches. Nothing else has to wait for it.
///
/// # Errors
/// What the kernel says; then nothing is noted.
pub fn sync(volume: &dyn Volume, root: &Path, (unsynced, newest): &(Unsynced, Position)) -> io::Result<()> {
    unsynced.sync(volume)?;
    life::note_synced(volume, root, *newest)
}
