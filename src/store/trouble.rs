//! What is wrong with the disk: said once when it begins, and once when it is over.
//!
//! A channel that could not be written rests for a second, and no other with it: its directory alone may be the trouble. If the state directory itself is
//! not ours any more, all rest until it is. What is passed over meanwhile is counted; the history tells of it by itself (`disk::record`).

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tracing::{info, warn};

use crate::errno::reason;
use crate::event::ChannelName;

/// How long a channel rests that could not be written.
const REST: Duration = Duration::from_secs(1);

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Something else is where the state directory was, or it cannot be made again.
    Place,
    /// Events of some channels cannot be written.
    Append,
    /// What has been written cannot be made safe from a power cut.
    Sync,
    /// What is too much or too old cannot be let go.
    Retention,
}

/// What is wrong now.
#[derive(Debug)]
pub struct Trouble {
    /// The state directory.
    root: PathBuf,
    /// What is wrong, and why, in words.
    now: BTreeMap<Kind, String>,
    /// Channels that could not be written, and when they are tried again.
    resting: BTreeMap<ChannelName, Instant>,
    /// How many events were passed over since all was well.
    missing: u64,
    /// How often something began to be wrong.
    begun: u64,
}

impl Trouble {
    /// All is well.
    #[must_use]
    pub fn none(root: PathBuf) -> Self {
        Self { root, now: BTreeMap::new(), resting: BTreeMap::new(), missing: 0, begun: 0 }
    }

    /// Whether so many events of a channel are to be passed over: it cannot be written, and it is not time to try again.
    pub fn passes_over(&mut self, channel: &ChannelName, count: u64) -> bool {
        let is_resting = self.resting.get(channel).is_some_and(|again| *again > Instant::now());
        let passes = is_resting || self.now.contains_key(&Kind::Place);
        self.missing += if passes { count } else { 0 };
        passes
    }

    /// The channels that have rested, the one that has waited longest first.
    #[must_use]
    pub fn rested(&self) -> Vec<ChannelName> {
        let now = Instant::now();
        let mut rested: Vec<_> = self.resting.iter().filter(|(_, again)| **again <= now).collect();
        rested.sort_by_key(|(_, again)| **again);
        rested.into_iter().map(|(channel, _)| channel.clone()).collect()
    }

    /// How it went to append so many events of a channel.
    pub fn note_append(&mut self, channel: &ChannelName, outcome: &io::Result<()>, count: u64) {
        match outcome {
            Ok(()) if self.resting.is_empty() => {}
            Ok(()) => {
                self.resting.remove(channel);
                if self.resting.is_empty() {
                    self.end(Kind::Append);
                }
            }
            Err(error) => {
                self.missing += count;
                self.resting.insert(channel.clone(), Instant::now() + REST);
                self.begin(Kind::Append, error);
            }
        }
    }

    /// How something else went.
    pub fn note<T>(&mut self, kind: Kind, outcome: &io::Result<T>) {
        match outcome {
            Ok(_) => self.end(kind),
            Err(error) => self.begin(kind, error),
        }
    }

    /// Why history cannot be kept as it should be, if it cannot.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.now.values().next().map(String::as_str)
    }

    /// How often something began to be wrong.
    #[must_use]
    pub fn begun(&self) -> u64 {
        self.begun
    }

    /// How many events were passed over since all was well.
    #[must_use]
    pub fn missing(&self) -> u64 {
        self.missing
    }

    /// What can be wrong, in a word each, and whether it is now.
    #[must_use]
    pub fn kinds(&self) -> [(&'static str, bool); 4] {
        [("place", Kind::Place), ("append", Kind::Append), ("sync", Kind::Sync), ("retention", Kind::Retention)]
            .map(|(word, kind)| (word, self.now.contains_key(&kind)))
    }

    fn begin(&mut self, kind: Kind, error: &io::Error) {
        if self.now.contains_key(&kind) {
            return;
        }
        let (why, root) = (reason(error), self.root.display());
        let is_told = self.now.contains_key(&Kind::Place) || self.now.contains_key(&Kind::Append);
        match kind {
            Kind::Place | Kind::Append if is_told => {}
            Kind::Place | Kind::Append => warn!(
                "could not write history in '{root}': {why}; the stream goes on from memory, and what is not written is lost at a restart"
            ),
            Kind::Sync => warn!("could not sync history in '{root}': {why}; a power cut may cost more than --sync says"),
            Kind::Retention => warn!("could not let go of history in '{root}': {why}; it takes more room than --keep-size says"),
        }
        self.begun += 1;
        self.now.insert(kind, why);
    }

    fn end(&mut self, kind: Kind) {
        if self.now.remove(&kind).is_none() {
            return;
        }
        let root = self.root.display();
        match kind {
            // What was passed over while the place was not ours is written with the next event.
            Kind::Place | Kind::Append if self.now.contains_key(&Kind::Append) || self.now.contains_key(&Kind::Place) => {}
            Kind::Place | Kind::Append => {
                info!("history is written again in '{root}'; {} events are missing in it", self.missing);
                self.missing = 0;
            }
            Kind::Sync => info!("history is synced again in '{root}'"),
            Kind::Retention => info!("history is let go again in '{root}'"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> io::Result<()> {
        Err(io::Error::from_raw_os_error(28))
    }

    #[test]
    fn a_channel_that_fails_rests_alone() {
        let (good, bad): (ChannelName, ChannelName) = ("good".parse().unwrap(), "bad".parse().unwrap());
        let mut trouble = Trouble::none("/state".into());
        trouble.note_append(&bad, &full(), 3);
        assert!(trouble.rested().is_empty());
        assert!(trouble.passes_over(&bad, 2) && !trouble.passes_over(&good, 1));
        trouble.note_append(&good, &Ok(()), 1);
        assert_eq!((trouble.reason(), trouble.begun(), trouble.missing), (Some("no space left on device"), 1, 5));
        trouble.note_append(&bad, &full(), 1);
        assert_eq!(trouble.begun(), 1, "it is the same trouble");
        trouble.resting.values_mut().for_each(|again| *again = Instant::now());
        assert!(!trouble.passes_over(&bad, 1), "it is tried again");
        assert_eq!(trouble.rested(), std::slice::from_ref(&bad), "and also if nobody feeds it");
        trouble.note_append(&bad, &Ok(()), 1);
        assert_eq!((trouble.reason(), trouble.missing), (None, 0));
        trouble.note_append(&bad, &full(), 1);
        assert_eq!(trouble.begun(), 2);
    }

    #[test]
    fn who_has_lost_the_place_writes_nothing_until_it_is_there_again() {
        let channel: ChannelName = "a".parse().unwrap();
        let mut trouble = Trouble::none("/state".into());
        trouble.note(Kind::Place, &full());
        assert!(trouble.passes_over(&channel, 1));
        trouble.note(Kind::Sync, &full());
        trouble.note(Kind::Place, &Ok(()));
        assert!(!trouble.passes_over(&channel, 1) && trouble.reason().is_some(), "a sync that fails passes nothing over");
        trouble.note(Kind::Sync, &Ok(()));
        assert_eq!((trouble.reason(), trouble.begun()), (None, 2));
    }
}
