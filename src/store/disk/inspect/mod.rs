//! A look at a state directory that changes nothing in it: what each channel holds, and what is not as it was written.
//!
//! Nothing is locked, repaired or made, so it works on a read-only file system, for whoever may read the files, and while a daemon uses them. What
//! a daemon does meanwhile is no finding: a segment that is let go before it was looked at is not counted, and what is being appended is not
//! committed yet, as after a crash. What opening the directory would repair is [`Weight::Damage`] here.
//!
//! Memory is bounded: what is found is said at once, and of a segment one record is held.

mod account;
mod ends;
mod finding;
mod search;
mod whole;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::layout::{self, LIFE, SYNCED, UNCOUNTED};
use super::life::{self, NoLife};
use super::record::{BadHead, Head};
use super::segment::{self, Next, Reading, Records};
use super::volume::{Content, Entry, Kind, Volume};
use crate::event::{ChannelName, Millis, Position};

pub use finding::{Finding, Weight, What};

/// Whoever is told what is found.
pub type Tell<'a> = dyn FnMut(Finding) + 'a;

/// How much of a segment is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Its head, and the lines at its end.
    Ends,
    /// Every record.
    Whole,
}

/// A state directory that is looked at.
#[derive(Debug)]
pub struct Inspection {
    volume: Arc<dyn Volume>,
    root: PathBuf,
    /// When the life began, if that can be read.
    began: Option<Millis>,
    /// The number up to which all was safe before the look began, if that can be read.
    synced: Option<u64>,
    channels: Vec<ChannelName>,
}

/// What a channel holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holding {
    /// How many events.
    pub events: u64,
    /// The first of them.
    pub first: Option<Position>,
    /// The last of them.
    pub last: Option<Position>,
    /// How many bytes its segments have.
    pub bytes: u64,
    /// How many segments it has.
    pub segments: u64,
    /// How many events it has had before those: let go, or lost.
    pub gone: u64,
    /// How many are missing between the first and the last, by the counts.
    pub lost: u64,
    /// How many files were set aside by repairs.
    pub aside: u64,
    /// How many of the events are above the number up to which all was safe; only [`Depth::Whole`] counts them.
    pub unsafe_events: u64,
    /// How many of those that are missing would lie between two segments.
    pub between: u64,
}

/// Why there is nothing to look at.
#[derive(Debug, thiserror::Error)]
pub enum NoState {
    /// There is nothing of that name.
    #[error("it does not exist")]
    Missing,
    /// It is something else.
    #[error("it is no directory")]
    NoDirectory,
    /// Nobody has used it, or it is something else.
    #[error("no daemon has used it as a state directory: there is no '{LIFE}' in it")]
    Unused,
    /// A later version has written it.
    #[error("the format {version} of '{}' is newer than this program's ({})", .path.display(), super::record::VERSION)]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        version: u32,
    },
    /// It cannot be read.
    #[error("it could not be read")]
    Unreadable(#[source] io::Error),
}

/// A segment that is looked at.
struct Subject {
    path: PathBuf,
    file: Arc<dyn Content>,
    /// How long it was when the look began.
    length: u64,
    /// Its name: no event in it is before this.
    name: Position,
    /// The name of the next.
    next: Option<Position>,
    /// The number up to which all was safe.
    synced: u64,
}

/// What a segment holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    /// How many events the channel has had before it, and up to its end.
    before: u64,
    total: u64,
    /// How many of them it holds.
    events: u64,
    /// The first and the last event, if they are known; [`Depth::Ends`] does not look for the first.
    first: Option<Position>,
    last: Option<Position>,
    /// How many of its events are above the number up to which all was safe.
    above: u64,
}

impl Inspection {
    /// Looks for the channels of a state directory.
    ///
    /// # Errors
    /// It is none, or one of a later version, or it cannot be read.
    pub fn begin(volume: Arc<dyn Volume>, root: &Path, tell: &mut Tell<'_>) -> Result<Self, NoState> {
        let entries = volume.list(root).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => NoState::Missing,
            io::ErrorKind::NotADirectory => NoState::NoDirectory,
            _ => NoState::Unreadable(error),
        })?;
        if !layout::is_used(entries.iter().map(|entry| &*entry.name)) {
            return Err(NoState::Unused); // and not to be searched: it may be large
        }
        // Before anything else: what is safe by then is found, or was let go.
        let synced = life::synced(&*volume, root).map(|synced| synced.number);
        let channels = channels_below(&*volume, root, tell);
        let path = root.join(LIFE);
        let began = match life::began(&*volume, root) {
            Ok(began) => Some(began),
            Err(NoLife::New) if channels.is_empty() => return Err(NoState::Unused),
            Err(NoLife::Newer(version)) => return Err(NoState::Newer { path, version }),
            Err(bad) => {
                let what = match bad {
                    NoLife::Unreadable(error) => What::Unreadable(error),
                    NoLife::New => What::NoLife,
                    _ => What::Life,
                };
                tell(Finding { path, offset: None, what });
                None
            }
        };
        if synced.is_none() && life::synced(&*volume, root).is_none() && volume.open(&root.join(SYNCED)).is_ok() {
            tell(Finding { path: root.join(SYNCED), offset: None, what: What::Synced });
        }
        let path = root.join(UNCOUNTED);
        // One that is empty was never written to its end.
        if life::is_damaged(&*volume, &path) && volume.open(&path).and_then(|file| file.length()).is_ok_and(|length| length > 0) {
            tell(Finding { path, offset: None, what: What::Uncounted });
        }
        Ok(Self { volume, root: root.to_owned(), began, synced, channels })
    }

    /// The channels that have something there, by name.
    #[must_use]
    pub fn channels(&self) -> &[ChannelName] {
        &self.channels
    }

    /// Looks at a channel.
    ///
    /// # Errors
    /// A later version has written a segment.
    pub fn look(&self, channel: &ChannelName, depth: Depth, tell: &mut Tell<'_>) -> Result<Holding, NoState> {
        let directory = self.root.join(layout::directory_of(channel));
        let mut holding = Holding::default();
        let names = self.names_in(&directory, &mut holding, tell);
        let mut total = None;
        for (index, name) in names.iter().enumerate() {
            let path = directory.join(layout::segment_name(*name));
            let seen = match self.open(path.clone(), *name, names.get(index + 1).copied()) {
                Ok(Some(subject)) => self.segment(&subject, channel, depth, holding.first.is_none(), tell),
                Ok(None) => {
                    // Let go meanwhile, and all before it as well.
                    (holding, total) = (holding.without_events(), None);
                    continue;
                }
                Err(error) => Err(Failure::Unreadable(error)),
            };
            match seen {
                Ok(Some(seen)) => holding.add(&seen, &mut total),
                Ok(None) => {}
                Err(Failure::Newer(version)) => return Err(NoState::Newer { path, version }),
                Err(Failure::Unreadable(error)) => tell(Finding { path, offset: None, what: What::Unreadable(error) }),
            }
        }
        Ok(holding)
    }

    /// The segments of a channel by their names, oldest first. Its other files are told of.
    fn names_in(&self, directory: &Path, holding: &mut Holding, tell: &mut Tell<'_>) -> Vec<Position> {
        // Of two lists the second has all that was there when the first was made: a name that is made meanwhile may be in it without one before it.
        let newest = self.volume.list(directory).ok().and_then(|entries| entries.iter().filter_map(segment_of).max());
        let mut entries = match self.volume.list(directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(), // let go meanwhile
            Err(error) => {
                tell(Finding { path: directory.to_owned(), offset: None, what: What::Unreadable(error) });
                Vec::new()
            }
        };
        entries.sort_unstable();
        let mut names = Vec::new();
        for entry in entries {
            let Some(name) = entry.name.to_str() else { continue };
            let path = || directory.join(name);
            let bytes = match entry.kind {
                Kind::File(bytes) => bytes,
                _ if layout::first_of(name).is_some() => {
                    tell(Finding { path: path(), offset: None, what: What::NoFile });
                    continue;
                }
                _ => continue,
            };
            if segment_of(&entry) > newest {
                continue; // begun meanwhile
            }
            if let Some(first) = layout::first_of(name) {
                names.push(first);
                holding.segments += 1;
                holding.bytes += bytes;
            } else if layout::mended_of(name).is_some() {
                tell(Finding { path: path(), offset: None, what: What::Mending });
            } else if layout::is_damaged(name) {
                holding.aside += 1;
                tell(Finding { path: path(), offset: None, what: What::Aside(bytes) });
            }
        }
        names.sort_unstable();
        names
    }

    /// Opens a segment; `None` if it is gone.
    fn open(&self, path: PathBuf, name: Position, next: Option<Position>) -> io::Result<Option<Subject>> {
        let file = match self.volume.open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let length = file.length()?;
        Ok(Some(Subject { path, file, length, name, next, synced: self.synced.unwrap_or(u64::MAX) }))
    }

    /// Looks at a segment, also for its first event if `is_first`; `None` if it holds nothing of the channel.
    fn segment(
        &self,
        subject: &Subject,
        channel: &ChannelName,
        depth: Depth,
        is_first: bool,
        tell: &mut Tell<'_>,
    ) -> Result<Option<Seen>, Failure> {
        let (head, start) = match segment::head_of(&*subject.file)? {
            Ok((head, start)) => (Some(head), start),
            Err(BadHead::Newer(version)) => return Err(Failure::Newer(version)),
            Err(BadHead::Unfinished) => {
                let is_begun = subject.next.is_none() && self.synced.is_none_or(|synced| subject.name.number > synced);
                tell(subject.finding(0, if is_begun { What::Begun } else { What::Emptied }(subject.length)));
                return Ok(None);
            }
            Err(BadHead::Other) => {
                tell(subject.finding(0, What::Head));
                (None, 0)
            }
        };
        if let Some(what) = head.as_ref().and_then(|head| self.strange(head, channel)) {
            tell(subject.finding(0, what));
            return Ok(None);
        }
        let mut seen = match (depth, head) {
            (Depth::Whole, head) => whole::look(subject, head.map(|head| head.before), start, tell)?,
            (Depth::Ends, Some(head)) => ends::look(subject, head.before, start, tell)?,
            (Depth::Ends, None) => None, // how much it holds is not known
        };
        if let Some(seen) = seen.as_mut().filter(|seen| depth == Depth::Ends && is_first && seen.events > 0) {
            // A first record that is damaged is for those who look at all of them.
            seen.first = first_event(subject, start)?.or(Some(subject.name));
        }
        Ok(seen)
    }

    /// Whether a segment is not of this channel, or not of this life.
    fn strange(&self, head: &Head, channel: &ChannelName) -> Option<What> {
        if head.channel != *channel {
            return Some(What::Channel(head.channel.clone()));
        }
        self.began.is_some_and(|began| began != head.began).then_some(What::OtherLife(head.began))
    }
}

/// Why a segment is not looked at.
enum Failure {
    Newer(u32),
    Unreadable(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Unreadable(error)
    }
}

impl Subject {
    fn finding(&self, offset: u64, what: What) -> Finding {
        Finding { path: self.path.clone(), offset: Some(offset), what }
    }

    /// What it is that the segment does not end in a committed record. Only the last may be being written.
    fn not_to_its_end(&self, end: u64) -> Finding {
        let bytes = self.length - end;
        self.finding(end, if self.next.is_none() { What::Unfinished(bytes) } else { What::Cut(bytes) })
    }

    /// Says it if an event lies where those of the next segment do.
    fn check_order(&self, last: Option<Position>, tell: &mut Tell<'_>) {
        if let (Some(last), Some(next)) = (last, self.next)
            && last.number >= next.number
        {
            tell(Finding { path: self.path.clone(), offset: None, what: What::Overlap { last, next } });
        }
    }
}

impl Holding {
    /// The same without what it says of events.
    fn without_events(&self) -> Self {
        Self { bytes: self.bytes, segments: self.segments, aside: self.aside, ..Self::default() }
    }

    /// Adds what the next segment holds, behind that of which `total` is the count.
    fn add(&mut self, seen: &Seen, total: &mut Option<u64>) {
        match *total {
            None => self.gone = seen.before,
            Some(total) => {
                let missing = seen.before.saturating_sub(total);
                (self.lost, self.between) = (self.lost + missing, self.between + missing);
            }
        }
        self.lost += (seen.total - seen.before).saturating_sub(seen.events);
        self.events += seen.events;
        self.unsafe_events += seen.above;
        self.first = self.first.or(seen.first);
        self.last = seen.last.or(self.last);
        *total = Some(seen.total);
    }
}

/// The first event of a segment: not always that of its name, which may begin with a source's position alone.
fn first_event(subject: &Subject, start: u64) -> io::Result<Option<Position>> {
    let mut records = Records::new(Reading::Open(Arc::clone(&subject.file)), start..subject.length, segment::BLOCK);
    while let Next::Record(_, commit, _) = records.peek()? {
        if let Some(number) = commit.first() {
            return Ok(Some(Position { number, time: commit.last.time }));
        }
        records.pass();
    }
    Ok(None)
}

/// The channels that have a file in a state directory, by name.
fn channels_below(volume: &dyn Volume, root: &Path, tell: &mut Tell<'_>) -> Vec<ChannelName> {
    let mut found = Vec::new();
    let mut directories = vec![PathBuf::new()];
    while let Some(directory) = directories.pop() {
        let path = root.join(&directory);
        let entries = match volume.list(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue, // let go meanwhile
            Err(error) => {
                tell(Finding { path, offset: None, what: What::Unreadable(error) });
                continue;
            }
        };
        let channel = layout::channel_of(&directory);
        if channel.is_none() && path != root {
            continue; // nor can one lie below it
        }
        found.extend(channel.filter(|_| entries.iter().any(is_ours)));
        let below = entries.into_iter().filter(|entry| entry.kind == Kind::Directory);
        directories.extend(below.map(|entry| directory.join(entry.name)));
    }
    found.sort_unstable();
    found
}

/// The name of a segment.
fn segment_of(entry: &Entry) -> Option<Position> {
    matches!(entry.kind, Kind::File(_)).then(|| layout::first_of(entry.name.to_str()?)).flatten()
}

fn is_ours(entry: &Entry) -> bool {
    let is_named = |name: &str| layout::first_of(name).is_some() || layout::mended_of(name).is_some() || layout::is_damaged(name);
    matches!(entry.kind, Kind::File(_)) && entry.name.to_str().is_some_and(is_named)
}
