//! What reads: a thread for each stream, each named pipe and each command, and one for all files. Sources come and go while the daemon runs.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use tracing::warn;

use super::STDIN;
use super::exit::Fatal;
use super::tasks::{Done, Tasks};
use crate::channel::{Channels, Condition};
use crate::config::feed::Feed;
use crate::config::source::Source;
use crate::config::way::{FifoAtEnd, FlushPartial, Way};
use crate::config::{Config, Copying, Following};
use crate::event::ChannelName;
use crate::pipeline::lanes::{self, Lanes, Manners};
use crate::pipeline::middle::MayFlush;
use crate::pipeline::{self, Fittings, Manner, Outcome, Pipeline, Writer};
use crate::source::command::{Command, Groups, Output, Restart, Runner, What};
use crate::source::fifo::{Fifo, Make};
use crate::source::file::{Files, Follower, Options, Order, Orders, Stored, Wanted};
use crate::source::stream::Stream;
use crate::source::tee::Tee;
use crate::source::{SourceKey, Stop};

/// The name of the task that follows files.
pub const FILES: &str = "files";

/// How long connections wait for the lines that files hold at the start, and for a file system that does not answer.
const FIRST_LINES: Duration = Duration::from_secs(1);
const FIRST_LOOK: Duration = Duration::from_secs(5);

/// The bounds of how many files are open.
const LEAST_OPEN: usize = 8;
const MOST_OPEN: usize = 1024;

/// How soon the unfinished line of a named pipe is given up: its writer may have died.
const PIPE_FALLS_IDLE: Duration = Duration::from_secs(1);

/// All that is read.
#[derive(Debug)]
pub struct Sources {
    channels: Channels,
    fittings: Fittings,
    groups: Groups,
    following: Following,
    tee: Copying,
    /// Those that run, in the order in which they came.
    running: BTreeMap<SourceKey, Running>,
    /// How files are read.
    manners: Manners,
    /// What the thread that follows files is told, if there is one.
    orders: Option<Orders>,
    /// Raised when the daemon stops.
    stop: Stop,
    next: usize,
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
    pub fn new(config: &Config, channels: Channels, fittings: Fittings, groups: Groups) -> io::Result<Self> {
        let (running, manners, orders) = (BTreeMap::new(), Manners::default(), None);
        let (following, tee, stop) = (config.following, config.tee, Stop::new()?);
        Ok(Self { channels, fittings, groups, following, tee, running, manners, orders, stop, next: 0 })
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
        if all_looked.recv_timeout(FIRST_LOOK) == Err(mpsc::RecvTimeoutError::Timeout) {
            warn!("a source has not answered for {} s; connections are accepted meanwhile", FIRST_LOOK.as_secs());
        }
        Ok(())
    }

    /// How many sources are still to end.
    #[must_use]
    pub fn to_end(&self) -> usize {
        self.running.values().filter(|running| running.feed.source.ends() && running.fate == Fate::Runs).count()
    }

    /// The thread of a source is over. Whether the source has ended by itself.
    pub fn is_over(&mut self, key: SourceKey) -> bool {
        self.running.remove(&key).is_some_and(|running| {
            if running.fate == Fate::Leaves {
                self.say_gone(&running.feed.source);
            }
            running.fate == Fate::Runs
        })
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
            .filter(|(_, running)| running.fate == Fate::Runs && !is_there(running))
            .map(|(key, _)| *key)
            .collect();
        for key in gone {
            self.leave(key, &mut changes);
        }
        for feed in feeds {
            let same = self.running.iter().find(|(_, running)| running.fate == Fate::Runs && running.feed.text == feed.text);
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

    fn note(&mut self, key: SourceKey, feed: Feed) -> Result<Stop, Fatal> {
        let stop = Stop::new().map_err(|error| Fatal::unexpected("could not make an event descriptor", &error))?;
        self.running.insert(key, Running { feed, stop: stop.clone(), fate: Fate::Runs });
        Ok(stop)
    }

    /// The names that could still come.
    fn expect(&self) {
        let runs = self.running.values().filter(|running| running.fate == Fate::Runs).map(|running| &running.feed.source);
        let waited_for = runs.filter(|source| matches!(source, Source::Fifo { .. } | Source::Files(_)));
        self.channels.expect_only(waited_for.map(Source::expected).collect());
    }

    /// Its channels stay, and say so.
    fn say_gone(&self, source: &Source) {
        let names = match source {
            Source::Fifo { channel, .. } => std::slice::from_ref(channel),
            Source::Command { channels, .. } => &channels[..],
            Source::Stdin { .. } | Source::Descriptor { .. } | Source::Files(_) => &[],
        };
        for name in names {
            self.channels.open(name.clone()).set_condition(Condition::Waiting(lanes::NOT_CONFIGURED.to_owned()));
        }
    }

    fn start_one(&mut self, key: SourceKey, feed: Feed, looked: &Sender<()>, tasks: &mut Tasks) -> Result<(), Fatal> {
        self.start_one_holding(key, feed, None, looked, tasks)
    }

    /// Starts the thread of a source, which holds `kept` until it has opened what it reads.
    fn start_one_holding(
        &mut self,
        key: SourceKey,
        feed: Feed,
        kept: Option<File>,
        looked: &Sender<()>,
        tasks: &mut Tasks,
    ) -> Result<(), Fatal> {
        let (source, way) = (feed.source.clone(), feed.way.clone());
        let stop = self.note(key, feed)?;
        match source {
            Source::Stdin { channel } => {
                let stream = Stream::stdin(stop).map_err(|error| Fatal::unexpected("could not use standard input", &error))?;
                let tee = (self.tee == Copying::ToStdout).then(Tee::new);
                self.stream(key, STDIN, channel, stream, tee, &way, tasks)
            }
            Source::Descriptor { channel, path } => {
                let what = format!("could not open '{}'", path.display());
                let stream = Stream::open(&path, stop).map_err(|error| Fatal::unexpected(&what, &error))?;
                self.stream(key, &channel.to_string(), channel, stream, None, &way, tasks)
            }
            Source::Fifo { channel, path, make } => {
                let fifo = Fifo::new(path, make, stop);
                self.fifo(key, channel, fifo, make, &way, (kept, looked.clone()), tasks)
            }
            Source::Command { name, channels, command } => self.command(key, &name, &channels, &command, &way, stop, tasks),
            Source::Files(_) => Ok(()),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a source has a name, a channel, bytes and a way")]
    fn stream(
        &self,
        key: SourceKey,
        name: &str,
        channel: ChannelName,
        stream: Stream,
        tee: Option<Tee>,
        way: &Way,
        tasks: &mut Tasks,
    ) -> Result<(), Fatal> {
        let pipeline = Pipeline::new(&self.fittings, manner(Writer::Pipe, None, way), self.channels.open(channel));
        let label = name.to_owned();
        tasks.spawn_source(name, move || Done::Source(key, label, pipeline::run(stream, pipeline, tee)))
    }

    /// Runs a command. What was asked for by its words and cannot be started at all ends the daemon; a line of a shell is a source like any other.
    #[expect(clippy::too_many_arguments, reason = "a command has a name, channels and a way")]
    fn command(
        &self,
        key: SourceKey,
        name: &ChannelName,
        channels: &[ChannelName],
        command: &Command,
        way: &Way,
        stop: Stop,
        tasks: &mut Tasks,
    ) -> Result<(), Fatal> {
        let writer = match command.manner.output {
            Output::Pipes => Writer::Command,
            Output::Terminal(_) => Writer::File,
        };
        let manner = manner(writer, None, way);
        let open = |channel: &ChannelName| Pipeline::new(&self.fittings, manner.clone(), self.channels.open(channel.clone()));
        let streams = channels.iter().map(open).collect();
        let mut runner = Runner::new(command.clone(), key.0, self.groups.clone(), stop)
            .map_err(|error| Fatal::unexpected("could not make an event descriptor", &error))?;
        if matches!(command.what, What::Program(..)) && command.manner.restart == Restart::Never {
            runner.start().map_err(|error| Fatal::not_started(&error))?;
        }
        let label = name.to_string();
        tasks.spawn_source(&format!("command {name}"), move || Done::Source(key, label, pipeline::command::run(runner, streams)))
    }

    #[expect(clippy::too_many_arguments, reason = "a pipe has a channel, bytes and a way")]
    fn fifo(
        &self,
        key: SourceKey,
        channel: ChannelName,
        mut fifo: Fifo,
        make: Make,
        way: &Way,
        (kept, looked): (Option<File>, Sender<()>),
        tasks: &mut Tasks,
    ) -> Result<(), Fatal> {
        let manners = Manners::default();
        manners.set(SourceKey::default(), manner(Writer::Pipe, Some(PIPE_FALLS_IDLE), way));
        let mut lanes = Lanes::new(self.fittings.clone(), manners, self.channels.clone());
        let is_removed = make != Make::Never && way.fifo_at_end == FifoAtEnd::Removed;
        let label = format!("pipe {channel}");
        tasks.spawn_source(&label.clone(), move || {
            fifo.first_look(channel, &mut |news| lanes.take(news));
            drop((kept, looked));
            let end = lanes::follow(&mut fifo, &mut lanes);
            if is_removed {
                fifo.remove();
            }
            // What has been read of a line is nowhere else.
            lanes.flush();
            Done::Source(key, label, end.map(|()| Outcome::Stopped))
        })
    }

    /// What is to be followed, and how its lines go.
    fn wanted(&self, key: SourceKey, files: &Files, way: &Way) -> Wanted {
        self.manners.set(key, manner(Writer::File, None, way));
        Wanted { source: key, files: files.clone(), begin: way.begin }
    }

    fn files(&mut self, wanted: Vec<Wanted>, looked: Sender<()>, tasks: &mut Tasks) -> Result<(), Fatal> {
        let mut lanes = Lanes::new(self.fittings.clone(), self.manners.clone(), self.channels.clone());
        let store = Arc::clone(&self.fittings.store);
        let stored = Stored::new(store.sources(), move |channel| store.source_of(channel));
        let orders = Orders::new().map_err(|error| Fatal::unexpected("could not make an event descriptor", &error))?;
        self.orders = Some(orders.clone());
        let mut follower = Follower::new(options(self.following), stored, orders, self.stop.clone());
        tasks.spawn_source(FILES, move || {
            follower.first_look(wanted, Instant::now() + FIRST_LINES, &mut |news| lanes.take(news));
            drop(looked);
            let end = lanes::follow(&mut follower, &mut lanes);
            // An unfinished line is still in its file.
            Done::Source(SourceKey::default(), FILES.to_owned(), end.map(|()| Outcome::Stopped))
        })
    }
}

/// Standard input and inherited descriptors are there once, from the start.
fn may_come_and_go(source: &Source) -> bool {
    !matches!(source, Source::Stdin { .. } | Source::Descriptor { .. })
}

/// Opens a named pipe without waiting for a writer; `None` if it is not there.
fn hold_open(path: &std::path::Path) -> Option<File> {
    OpenOptions::new().read(true).write(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path).ok()
}

fn manner(writer: Writer, usual: Option<Duration>, way: &Way) -> Manner {
    let flush_partial = match (way.flush_partial, way.recipe.may_flush()) {
        (FlushPartial::Usual, MayFlush::Usual) => usual,
        (FlushPartial::After(pause), MayFlush::Usual | MayFlush::IfAsked) => Some(pause),
        (FlushPartial::Usual | FlushPartial::After(_) | FlushPartial::Never, _) => None,
    };
    Manner { max_line: way.max_line, recipe: Arc::clone(&way.recipe), flush_partial, writer }
}

/// How files are followed. Idle ones are closed, so a part of the limit is enough for them; the rest is for clients.
fn options(following: Following) -> Options {
    let limit = usize::try_from(super::file_limit()).unwrap_or(usize::MAX);
    Options { rotate_wait: following.rotate_wait, hints: following.hints, open_files: (limit / 4).clamp(LEAST_OPEN, MOST_OPEN) }
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
