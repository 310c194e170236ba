//! What reads: a thread for each stream, each named pipe and each command, and one for all files. Sources come and go while the daemon runs.

use std::collections::{BTreeMap, HashMap};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Weak, mpsc};
use std::time::Duration;

use nix::fcntl::OFlag;
use tracing::{info, warn};

use super::exit::Fatal;
use super::inherited::Passed;
use super::keeping::Keeping;
use super::reading::{FILES, manner, options};
use super::supervisor;
use super::tasks::Tasks;
use crate::channel::{Channels, Condition, Fed};
use crate::config::feed::Feed;
use crate::config::source::Source;
use crate::config::{Config, Copying, Following};
use crate::event::ChannelName;
use crate::pipeline::lanes::{self, Manners};
use crate::pipeline::{Fittings, Writer};
use crate::pulse::Pulses;
use crate::source::command::Groups;
use crate::source::fifo::taken::Mark;
use crate::source::file::{Order, Orders};
use crate::source::{SourceKey, Stop};

/// How many sources monitors tell apart: a shell may have made thousands of one pattern.
const MOST_TOLD_APART: usize = 100;

/// How long connections wait for a file system that does not answer.
const FIRST_LOOK: Duration = Duration::from_secs(5);

/// All that is read.
#[derive(Debug)]
pub struct Sources {
    pub(super) channels: Channels,
    pub(super) fittings: Fittings,
    pub(super) groups: Groups,
    pub(super) following: Following,
    pub(super) tee: Copying,
    /// Those that run, in the order in which they came.
    running: BTreeMap<SourceKey, Running>,
    /// How files are read.
    pub(super) manners: Manners,
    /// What the thread that follows files is told, if there is one.
    pub(super) orders: Option<Orders>,
    /// Raised when the daemon stops.
    pub(super) stop: Stop,
    /// What outlives a run.
    pub(super) survival: Survival,
    /// Who looks after the threads.
    pulses: Pulses,
    /// The marks of the pipes that are read.
    pub(super) marks: HashMap<ChannelName, Weak<Mark>>,
    next: usize,
}

/// What of pipes outlives a run of the daemon.
#[derive(Debug)]
pub struct Survival {
    /// Those that the service manager keeps open.
    pub keeping: Keeping,
    /// Those that it has kept open, or passes, until their sources take them.
    pub passed: Vec<Passed>,
    /// The state directory.
    pub state: Option<PathBuf>,
}

/// A source that is read.
#[derive(Debug)]
struct Running {
    feed: Feed,
    /// Ends its thread, if it has one of its own.
    stop: Stop,
    /// What becomes of it.
    fate: Fate,
}

/// What becomes of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Runs,
    /// It has ended for good. Who reads the configuration again finds it there, and does not begin it again.
    Ended,
    /// It is not wanted any more, and its thread has been told.
    Leaves,
}

/// What has come of a change.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// How many sources are new.
    pub added: usize,
    /// How many have gone.
    pub removed: usize,
    /// Of how many the lines go another way.
    pub changed: usize,
    /// Those for which the daemon must start again, as they are said.
    pub put_off: Vec<String>,
}

impl Sources {
    /// None yet.
    pub fn new(
        config: &Config,
        channels: Channels,
        fittings: Fittings,
        groups: Groups,
        (survival, pulses): (Survival, Pulses),
    ) -> io::Result<Self> {
        let (running, manners, orders) = (BTreeMap::new(), Manners::default(), None);
        let (following, tee, stop) = (config.following, config.tee, Stop::new()?);
        pulses.watch(FILES, stop.pulse());
        let marks = HashMap::new();
        Ok(Self { channels, fittings, groups, following, tee, running, manners, orders, stop, survival, pulses, marks, next: 0 })
    }

    /// Starts all sources, and waits until each has been looked at once.
    pub fn start(&mut self, feeds: Vec<Feed>, tasks: &mut Tasks) -> Result<(), Fatal> {
        let (looked, all_looked) = mpsc::channel();
        let mut files = Vec::new();
        for feed in feeds {
            let key = self.new_key();
            if let Source::Files(these) = &feed.source {
                files.push(self.wanted(key, these, &feed.way));
                self.note(key, feed)?;
            } else {
                self.start_one(key, feed, &looked, tasks)?;
            }
        }
        self.expect();
        if !files.is_empty() {
            self.files(files, looked.clone(), tasks)?;
        }
        drop(looked);
        self.let_unclaimed_go();
        if all_looked.recv_timeout(FIRST_LOOK) == Err(mpsc::RecvTimeoutError::Timeout) {
            warn!("a source has not answered for {} s; connections are accepted meanwhile", FIRST_LOOK.as_secs());
        }
        Ok(())
    }

    /// Pipes that the last run has left open, and that no source reads any more.
    fn let_unclaimed_go(&mut self) {
        for passed in std::mem::take(&mut self.survival.passed) {
            info!("the pipe '{}' was kept open and is no source's any more; let it go", passed.name);
            supervisor::let_go(&passed.name);
        }
    }

    /// How many sources are still to end.
    #[must_use]
    pub fn to_end(&self) -> usize {
        self.running.values().filter(|running| running.feed.source.ends() && running.fate == Fate::Runs).count()
    }

    /// The thread of a source is over. Whether the source has ended by itself.
    pub fn is_over(&mut self, key: SourceKey) -> bool {
        match self.running.get_mut(&key) {
            Some(running) if running.fate == Fate::Runs => {
                running.fate = Fate::Ended;
                true
            }
            Some(_) => {
                if let Some(running) = self.running.remove(&key) {
                    self.say_gone(&running.feed.source);
                }
                false
            }
            None => false,
        }
    }

    /// The daemon stops: nothing more is read.
    pub fn stop(&self) {
        self.stop.raise();
        self.running.values().for_each(|running| running.stop.raise());
    }

    /// Reads these from now on: what is read and is not among them is left, and the others are not touched.
    pub fn change(&mut self, feeds: Vec<Feed>, tasks: &mut Tasks) -> Result<Changes, Fatal> {
        let mut changes = Changes::default();
        let is_there = |running: &Running| feeds.iter().any(|feed| feed.text == running.feed.text);
        let gone: Vec<_> = self
            .running
            .iter()
            .filter(|(_, running)| running.fate != Fate::Leaves && !is_there(running))
            .map(|(key, _)| *key)
            .collect();
        for key in gone {
            self.leave(key, &mut changes);
        }
        for feed in feeds {
            let same = self.running.iter().find(|(_, running)| running.fate != Fate::Leaves && running.feed.text == feed.text);
            match same.map(|(key, running)| (*key, running.feed.said == feed.said)) {
                Some((_, true)) => {}
                Some((key, false)) => self.go_another_way(key, feed, &mut changes, tasks)?,
                None => self.add(feed, &mut changes, tasks)?,
            }
        }
        self.expect();
        Ok(changes)
    }

    fn add(&mut self, feed: Feed, changes: &mut Changes, tasks: &mut Tasks) -> Result<(), Fatal> {
        if !may_come_and_go(&feed.source) {
            changes.put_off.push(format!("the source '{}'", feed.text.display()));
            return Ok(());
        }
        changes.added += 1;
        let key = self.new_key();
        let Source::Files(files) = &feed.source else {
            return self.start_one(key, feed, &mpsc::channel().0, tasks);
        };
        let wanted = self.wanted(key, files, &feed.way);
        self.note(key, feed)?;
        match &self.orders {
            Some(orders) => orders.give(Order::Follow(wanted)),
            None => self.files(vec![wanted], mpsc::channel().0, tasks)?,
        }
        Ok(())
    }

    fn leave(&mut self, key: SourceKey, changes: &mut Changes) {
        let Some(running) = self.running.get_mut(&key) else { return };
        if running.fate == Fate::Ended {
            self.running.remove(&key);
            changes.removed += 1;
            return;
        }
        if !may_come_and_go(&running.feed.source) {
            changes.put_off.push(format!("the end of the source '{}'", running.feed.text.display()));
            return;
        }
        changes.removed += 1;
        running.fate = Fate::Leaves;
        match &running.feed.source {
            Source::Files(_) => {
                self.running.remove(&key);
                if let Some(orders) = &self.orders {
                    orders.give(Order::Leave(key));
                }
            }
            Source::Command { .. } => {
                self.groups.retire(key.0);
                running.stop.raise();
            }
            _ => running.stop.raise(),
        }
    }

    /// The lines of a source go another way: those of files at once, from the next one on; a command is ended, and started again.
    fn go_another_way(&mut self, key: SourceKey, feed: Feed, changes: &mut Changes, tasks: &mut Tasks) -> Result<(), Fatal> {
        let Some(running) = self.running.get_mut(&key) else { return Ok(()) };
        if running.fate == Fate::Ended {
            running.feed = feed;
            return Ok(());
        }
        match &feed.source {
            Source::Files(_) => {
                changes.changed += 1;
                self.manners.set(key, manner(Writer::File, None, &feed.way));
                running.feed = feed;
                if let Some(orders) = &self.orders {
                    orders.give(Order::Change(key));
                }
                Ok(())
            }
            source if may_come_and_go(source) => {
                // As long as somebody has a pipe open, what waits in it stays there.
                let kept = if let Source::Fifo { path, .. } = source { hold_open(path) } else { None };
                let mut again = Changes::default();
                self.leave(key, &mut again);
                changes.changed += 1;
                let key = self.new_key();
                self.start_one_holding(key, feed, kept, &mpsc::channel().0, tasks)
            }
            _ => {
                changes.put_off.push(format!("what is said of the source '{}'", feed.text.display()));
                Ok(())
            }
        }
    }

    fn new_key(&mut self) -> SourceKey {
        self.next += 1;
        SourceKey(self.next)
    }

    pub(super) fn note(&mut self, key: SourceKey, feed: Feed) -> Result<Stop, Fatal> {
        let stop = Stop::new().map_err(|error| Fatal::unexpected("could not make an event descriptor", &error))?;
        self.pulses.watch(&feed.text.to_string_lossy(), stop.pulse());
        self.running.insert(key, Running { feed, stop: stop.clone(), fate: Fate::Runs });
        Ok(stop)
    }

    /// The names that could still come.
    fn expect(&self) {
        let runs = self.running.values().filter(|running| running.fate == Fate::Runs).map(|running| &running.feed.source);
        let waited_for = runs.filter(|source| matches!(source, Source::Fifo { .. } | Source::Files(_)));
        self.channels.expect(waited_for.map(Source::expected).collect());
        let runs = self.running.values().filter(|running| running.fate == Fate::Runs).take(MOST_TOLD_APART);
        self.channels.tell_apart(
            runs.map(|Running { feed, .. }| Fed { name: feed.source.called().into(), yields: feed.source.yields() }).collect(),
        );
    }

    /// Its channels stay, and say so.
    fn say_gone(&self, source: &Source) {
        let names = match source {
            Source::Fifo { channel, .. } => std::slice::from_ref(channel),
            Source::Command { channels, .. } => &channels[..],
            Source::Stdin { .. } | Source::Descriptor { .. } | Source::Files(_) => &[],
        };
        for name in names {
            let is_its = |running: &Running| matches!(&running.feed.source, Source::Fifo { channel, .. } if channel == name);
            if !self.running.values().any(is_its) {
                self.survival.keeping.let_channel_go(name);
            }
            self.channels.open(name.clone()).set_condition(Condition::Waiting(lanes::NOT_CONFIGURED.to_owned()));
        }
    }
}

/// Standard input and inherited descriptors are there once, from the start.
fn may_come_and_go(source: &Source) -> bool {
    !matches!(source, Source::Stdin { .. } | Source::Descriptor { .. })
}

/// Opens a named pipe without waiting for a writer; `None` if it is not there.
fn hold_open(path: &Path) -> Option<File> {
    OpenOptions::new().read(true).write(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path).ok()
}

/// How many descriptors a command takes: what it writes to, what wakes its thread, and what is open for a moment at its start.
const A_COMMAND: usize = 13;

/// How many descriptors followed files and commands may take.
pub fn descriptors(config: &Config) -> usize {
    let follows = config.feeds.iter().any(|feed| matches!(feed.source, Source::Files(_)));
    let options = options(config.following);
    config.commands().count() * A_COMMAND
        + config.feeds.len()
        + if follows { options.open_files + options.spare_files() } else { 0 }
}
