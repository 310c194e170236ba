//! Starts what reads one source: a thread for each stream, each named pipe and each command, and one for all files.

use std::fs::File;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tracing::warn;

use super::STDIN;
use super::exit::Fatal;
use super::sources::Sources;
use super::tasks::{Done, Tasks};
use crate::config::feed::Feed;
use crate::config::source::Source;
use crate::config::way::{FifoAtEnd, FlushPartial, Way};
use crate::config::{Copying, Following};
use crate::event::ChannelName;
use crate::mapping::Format;
use crate::pipeline::lanes::{self, Lanes, Manners};
use crate::pipeline::middle::MayFlush;
use crate::pipeline::{self, Manner, Outcome, Pipeline, Writer};
use crate::source::command::{Command, Output, Restart, Runner, What};
use crate::source::fifo::keeper::{Keeper, Kept};
use crate::source::fifo::taken::Mark;
use crate::source::fifo::{Fifo, Make};
use crate::source::file::{Files, Follower, Opening, Options, Orders, Records, Stored, Wanted};
use crate::source::stream::Stream;
use crate::source::tee::Tee;
use crate::source::{Paths, SourceKey, Stop, reason};
use crate::store::disk::layout;

/// The name of the task that follows files.
pub const FILES: &str = "files";

/// How long connections wait for the lines that files hold at the start.
const FIRST_LINES: Duration = Duration::from_secs(1);

/// The bounds of how many files are open.
const LEAST_OPEN: usize = 8;
const MOST_OPEN: usize = 1024;

/// How soon the unfinished line of a named pipe is given up: its writer may have died.
const PIPE_FALLS_IDLE: Duration = Duration::from_secs(1);

impl Sources {
    pub(super) fn start_one(&mut self, key: SourceKey, feed: Feed, looked: &Sender<()>, tasks: &mut Tasks) -> Result<(), Fatal> {
        self.start_one_holding(key, feed, None, looked, tasks)
    }

    /// Starts the thread of a source, which holds `kept` until it has opened what it reads.
    pub(super) fn start_one_holding(
        &mut self,
        key: SourceKey,
        feed: Feed,
        kept: Option<File>,
        looked: &Sender<()>,
        tasks: &mut Tasks,
    ) -> Result<(), Fatal> {
        let (source, way) = (feed.source.clone(), feed.way.clone());
        let stop = self.note(key, feed)?;
        match source.clone() {
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
                let fifo = self.surviving(&source, Fifo::new(path, make, stop), &channel);
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

    /// A pipe that stays open when the daemon ends, and goes on with what was kept open of it.
    fn surviving(&mut self, source: &Source, fifo: Fifo, channel: &ChannelName) -> Fifo {
        let keeping = self.survival.keeping.clone();
        let name = channel.clone();
        let mut fifo = fifo.kept_by(Keeper::new(move |kept| match kept {
            Kept::Open(identity, pipe) => keeping.keep_pipe(&name, identity, pipe),
            Kept::Over(identity) => keeping.let_pipe_go(&name, identity),
        }));
        for passed in self.survival.passed.extract_if(.., |passed| passed.is_of(source)) {
            if passed.is_kept() {
                self.survival.keeping.note(&passed.name);
            }
            if let Err(error) = fifo.go_on_with(passed.pipe) {
                warn!("could not go on with the pipe '{}': {}", passed.name, reason(&error));
            }
        }
        let Some(state) = &self.survival.state else { return fifo };
        if let Some(mark) = self.marks.get(channel).and_then(Weak::upgrade) {
            return fifo.marking(mark, false);
        }
        let path = state.join(layout::mark_of(channel));
        match Mark::open(&path) {
            Ok((mark, had_owed)) => {
                self.marks.insert(channel.clone(), Arc::downgrade(&mark));
                fifo.marking(mark, had_owed)
            }
            Err(error) => {
                warn!("could not use '{}': {}; what a kill takes of a pipe would not be told", path.display(), reason(&error));
                fifo
            }
        }
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
            // What has been read of a line is nowhere else; its rest may be there, and the next run reads only what is behind it.
            for file in lanes.unfinished() {
                fifo.finish_line(file, &mut |news| lanes.take(news));
            }
            lanes.flush();
            fifo.settle();
            Done::Source(key, label, end.map(|()| Outcome::Stopped))
        })
    }

    /// What is to be followed, and how its lines go.
    pub(super) fn wanted(&self, key: SourceKey, files: &Files, way: &Way) -> Wanted {
        self.manners.set(key, manner(Writer::File, None, way));
        let records = match way.recipe.mapping.format {
            Format::Null => Records::Nul,
            Format::EventStream => Records::Blocks,
            Format::Text | Format::Json(_) | Format::Cri(_) => Records::Lines,
        };
        Wanted { source: key, files: files.clone(), opening: Opening { begin: way.begin, records } }
    }

    pub(super) fn files(&mut self, wanted: Vec<Wanted>, looked: Sender<()>, tasks: &mut Tasks) -> Result<(), Fatal> {
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

pub(super) fn manner(writer: Writer, usual: Option<Duration>, way: &Way) -> Manner {
    let flush_partial = match (way.flush_partial, way.recipe.may_flush()) {
        (FlushPartial::Usual, MayFlush::Usual) => usual,
        (FlushPartial::After(pause), MayFlush::Usual | MayFlush::IfAsked) => Some(pause),
        (FlushPartial::Usual | FlushPartial::After(_) | FlushPartial::Never, _) => None,
    };
    Manner { max_line: way.max_line, recipe: Arc::clone(&way.recipe), flush_partial, writer }
}

/// How files are followed. Idle ones are closed, so a part of the limit is enough for them; the rest is for clients.
pub(super) fn options(following: Following) -> Options {
    let limit = usize::try_from(super::file_limit()).unwrap_or(usize::MAX);
    Options { rotate_wait: following.rotate_wait, hints: following.hints, open_files: (limit / 4).clamp(LEAST_OPEN, MOST_OPEN) }
}
