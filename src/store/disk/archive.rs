//! A state directory: the logs of all channels.
//!
//! Every question about what it holds is answered from what is known of the segments; only events are read from files.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::layout;
use super::life::{self, NoLife};
use super::log::{Entry, Log, Repairs, Unsynced};
use super::volume::{Kind, Volume};
use crate::event::{ChannelName, Millis, Position};

/// How many files are kept open to be appended to.
const MOST_OPEN: usize = 64;

/// Clocks that are set back by less than this are no reason to begin a new life, in milliseconds.
const MOST_AHEAD: Millis = 3_600_000;

/// The smallest and the largest that a segment becomes before the next is begun, in bytes.
const LEAST_SEGMENT: u64 = 64 * 1024;
const MOST_SEGMENT: u64 = 8 * 1024 * 1024;

/// The history of all channels.
#[derive(Debug)]
pub struct Archive {
    volume: Arc<dyn Volume>,
    root: PathBuf,
    began: Millis,
    /// What all segments together may take, in bytes.
    keep: u64,
    logs: BTreeMap<ChannelName, Log>,
    /// Whose files are open to be appended to, the one that was used last at the end.
    open: Vec<ChannelName>,
    /// The last event of all.
    newest: Position,
    /// All events up to this one are safe.
    synced: Position,
    scratch: Vec<u8>,
}

/// What was found when an archive was opened.
#[derive(Debug, Default)]
pub struct Report {
    /// What was not as it was written.
    pub repairs: Repairs,
    /// Above this event, some may be missing that no count tells of.
    pub doubtful_above: Option<Position>,
    /// Whether the stored times lie so far ahead of the clock that the numbering began anew.
    pub is_ahead: bool,
}

/// What a log has let go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LetGo {
    /// Whose events they were.
    pub channel: ChannelName,
    /// The last of them.
    pub through: Position,
    /// How many.
    pub count: u64,
}

impl Archive {
    /// Opens the archive in a directory, which is made if it is missing.
    ///
    /// # Errors
    /// A later version has written it, or the directory could not be made, read or written. A file that is damaged is no error.
    pub fn open(volume: Arc<dyn Volume>, root: &Path, now: Millis, keep: u64) -> Result<(Self, Report), NoLife> {
        volume.make_directory(root)?;
        let mut report = Report::default();
        let channels = channels_below(&*volume, root, &mut report.repairs)?;
        let began = match life::began(&*volume, root) {
            Ok(began) => began,
            Err(NoLife::New | NoLife::Damaged) => {
                let began = earliest(&*volume, root, &channels).unwrap_or(now);
                life::begin(&*volume, root, began)?;
                began
            }
            Err(other) => return Err(other),
        };
        let newest = Position { number: 0, time: began };
        let root = root.to_owned();
        let mut archive = Self {
            volume,
            root,
            began,
            keep,
            logs: BTreeMap::new(),
            open: Vec::new(),
            newest,
            synced: newest,
            scratch: Vec::new(),
        };
        let synced = life::synced(&*archive.volume, &archive.root).unwrap_or(newest);
        for channel in channels {
            let (log, repairs) = Log::open(&archive.volume, &archive.root, channel.clone(), began, synced.number)?;
            report.repairs.join(repairs);
            archive.newest = archive.newest.max(log.newest().unwrap_or(newest));
            archive.logs.insert(channel, log);
        }
        if archive.newest.time > now.saturating_add(MOST_AHEAD) {
            archive.begin_anew(now, &mut report)?;
            return Ok((archive, report));
        }
        archive.newest = archive.newest.max(synced);
        archive.synced = synced;
        let present = archive.logs.values().map(|log| log.count_above(synced.number)).sum::<io::Result<u64>>()?;
        report.doubtful_above = (present < archive.newest.number - synced.number).then_some(synced);
        Ok((archive, report))
    }

    /// What is there is kept aside, and the numbering begins anew.
    fn begin_anew(&mut self, now: Millis, report: &mut Report) -> io::Result<()> {
        for log in std::mem::take(&mut self.logs).into_values() {
            log.move_all_aside(&mut report.repairs)?;
        }
        report.is_ahead = true;
        self.began = now;
        self.newest = Position { number: 0, time: now };
        life::begin(&*self.volume, &self.root, now)?;
        life::note_synced(&*self.volume, &self.root, self.newest)
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
        let limit = self.segment_limit();
        let Self { volume, root, began, logs, scratch, .. } = self;
        if !logs.contains_key(channel) {
            let (log, _) = Log::open(volume, root, channel.clone(), *began, 0)?;
            logs.insert(channel.clone(), log);
        }
        let Some(log) = logs.get_mut(channel) else { return Ok(()) };
        log.append(entries, source, limit, scratch)
    }

    /// Closes the file that was not appended to for longest, if this one would be one too many.
    fn make_place(&mut self, channel: &ChannelName) {
        if self.open.last() == Some(channel) {
            return;
        }
        if let Some(at) = self.open.iter().position(|open| open == channel) {
            self.open.remove(at);
        } else if self.open.len() >= MOST_OPEN {
            let oldest = self.open.remove(0);
            if let Some(log) = self.logs.get_mut(&oldest) {
                log.close();
            }
        }
        self.open.push(channel.clone());
    }

    /// Several segments a channel, so that what is let go at once is little of what it holds.
    fn segment_limit(&self) -> u64 {
        let share = self.keep / (self.logs.len() as u64).max(1);
        (share / 8).clamp(LEAST_SEGMENT, MOST_SEGMENT)
    }

    /// Lets the oldest segments go of the channels that hold most, until all together take no more than they may.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn let_go(&mut self) -> io::Result<Vec<LetGo>> {
        let mut gone = Vec::new();
        let mut held: u64 = self.logs.values().map(Log::bytes).sum();
        while held > self.keep {
            let (newest, synced) = (self.newest, self.synced.number);
            let Some((channel, log)) = self.logs.iter_mut().max_by_key(|(_, log)| log.bytes()) else { break };
            let before = log.bytes();
            let Some((through, count)) = log.drop_oldest(newest, synced, &mut self.scratch)? else { break };
            held = held - before + log.bytes();
            gone.push(LetGo { channel: channel.clone(), through, count });
        }
        Ok(gone)
    }

    /// What has been written since this was asked last, and the event that it reaches to.
    pub fn take_unsynced(&mut self) -> (Unsynced, Position) {
        let mut all = Unsynced::default();
        self.logs.values_mut().for_each(|log| all.join(log.take_unsynced()));
        (all, self.newest)
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

/// The channels that have something in a state directory.
fn channels_below(volume: &dyn Volume, root: &Path, repairs: &mut Repairs) -> io::Result<Vec<ChannelName>> {
    let mut found = Vec::new();
    let mut directories = vec![PathBuf::new()];
    while let Some(directory) = directories.pop() {
        let path = root.join(&directory);
        let entries = match volume.list(&path) {
            Err(error) if path != root => {
                repairs.unreadable.push((path, error.to_string()));
                continue;
            }
            entries => entries?,
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

/// When the life began, by what the segments say.
fn earliest(volume: &dyn Volume, root: &Path, channels: &[ChannelName]) -> Option<Millis> {
    let heads = channels.iter().filter_map(|channel| Log::any_head(volume, root, channel));
    heads.map(|head| head.began).min()
}
