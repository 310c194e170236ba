//! Starts what reads: a thread for each stream, each named pipe and each command, and one for all files.

use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::time::{Duration, Instant};

use tracing::warn;

use super::STDIN;
use super::exit::Fatal;
use super::tasks::{Done, Tasks};
use crate::channel::Channels;
use crate::config::source::Source;
use crate::config::world::StdinKind;
use crate::config::{Config, Copying, FifoAtEnd, FlushPartial};
use crate::event::ChannelName;
use crate::mapping::Format;
use crate::pipeline::lanes::{self, Lanes};
use crate::pipeline::middle::MayFlush;
use crate::pipeline::{self, Fittings, Manner, Outcome, Pipeline, Writer};
use crate::source::Stop;
use crate::source::command::{Command, Groups, Input, Output, Restart, Runner, What};
use crate::source::fifo::{Fifo, Make};
use crate::source::file::{Files, Follower, Options, Records, Stored};
use crate::source::stream::Stream;
use crate::source::tee::Tee;

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

/// What sources are started with.
pub struct Reading<'a> {
    pub channels: &'a Channels,
    pub fittings: Fittings,
    pub stop: &'a Stop,
    pub groups: &'a Groups,
}

impl Reading<'_> {
    /// Starts all sources, and waits until each has been looked at once. Gives how many of them end.
    pub fn start(&self, config: &Config, tasks: &mut Tasks) -> Result<usize, Fatal> {
        warn_of_unread_input(config);
        let (looked, all_looked) = mpsc::channel();
        let mut files = Vec::new();
        for (place, source) in config.sources.iter().enumerate() {
            match source {
                Source::Stdin { channel } => self.stdin(channel, config, tasks)?,
                Source::Descriptor { channel, path } => {
                    let stream = Stream::open(path, self.stop.clone());
                    let what = format!("could not open '{}'", path.display());
                    self.stream(
                        &channel.to_string(),
                        channel,
                        stream.map_err(|error| Fatal::unexpected(&what, &error))?,
                        None,
                        config,
                        tasks,
                    )?;
                }
                Source::Fifo { channel, path, make } => {
                    self.channels.expect(source.expected());
                    let fifo = Fifo::new(path.clone(), *make, self.stop.clone());
                    self.fifo(channel, fifo, *make, config, looked.clone(), tasks)?;
                }
                Source::Command { name, channels, command } => self.command(place, name, channels, command, config, tasks)?,
                Source::Files(these) => {
                    self.channels.expect(source.expected());
                    files.push(these.clone());
                }
            }
        }
        if !files.is_empty() {
            self.files(files, config, looked.clone(), tasks)?;
        }
        drop(looked);
        if all_looked.recv_timeout(FIRST_LOOK) == Err(mpsc::RecvTimeoutError::Timeout) {
            warn!("a source has not answered for {} s; connections are accepted meanwhile", FIRST_LOOK.as_secs());
        }
        Ok(config.sources.iter().filter(|source| source.ends()).count())
    }

    fn manner(writer: Writer, usual: Option<Duration>, config: &Config) -> Manner {
        let flush_partial = match (config.flush_partial, config.recipe.may_flush()) {
            (FlushPartial::Usual, MayFlush::Usual) => usual,
            (FlushPartial::After(pause), MayFlush::Usual | MayFlush::IfAsked) => Some(pause),
            (FlushPartial::Usual | FlushPartial::After(_) | FlushPartial::Never, _) => None,
        };
        Manner { flush_partial, writer }
    }

    fn stdin(&self, channel: &ChannelName, config: &Config, tasks: &mut Tasks) -> Result<(), Fatal> {
        let stream = Stream::stdin(self.stop.clone()).map_err(|error| Fatal::unexpected("could not use standard input", &error))?;
        let tee = (config.tee == Copying::ToStdout).then(Tee::new);
        self.stream(STDIN, channel, stream, tee, config, tasks)
    }

    fn stream(
        &self,
        name: &str,
        channel: &ChannelName,
        stream: Stream,
        tee: Option<Tee>,
        config: &Config,
        tasks: &mut Tasks,
    ) -> Result<(), Fatal> {
        let manner = Self::manner(Writer::Pipe, None, config);
        let pipeline = Pipeline::new(&self.fittings, manner, self.channels.open(channel.clone()));
        let label = name.to_owned();
        tasks.spawn_source(name, move || Done::Source(label, pipeline::run(stream, pipeline, tee)))
    }

    /// Runs a command. What was asked for by its words and cannot be started at all ends the daemon; a line of a shell is a source like any other.
    fn command(
        &self,
        place: usize,
        name: &ChannelName,
        channels: &[ChannelName],
        command: &Command,
        config: &Config,
        tasks: &mut Tasks,
    ) -> Result<(), Fatal> {
        let writer = match command.manner.output {
            Output::Pipes => Writer::Command,
            Output::Terminal(_) => Writer::File,
        };
        let manner = Self::manner(writer, None, config);
        let open = |channel: &ChannelName| Pipeline::new(&self.fittings, manner, self.channels.open(channel.clone()));
        let streams = channels.iter().map(open).collect();
        let mut runner = Runner::new(command.clone(), place, self.groups.clone(), self.stop.clone())
            .map_err(|error| Fatal::unexpected("could not make an event descriptor", &error))?;
        if matches!(command.what, What::Program(..)) && command.manner.restart == Restart::Never {
            runner.start().map_err(|error| Fatal::not_started(&error))?;
        }
        let label = name.to_string();
        tasks.spawn_source(&format!("command {name}"), move || Done::Source(label, pipeline::command::run(runner, streams)))
    }

    fn fifo(
        &self,
        channel: &ChannelName,
        mut fifo: Fifo,
        make: Make,
        config: &Config,
        looked: Sender<()>,
        tasks: &mut Tasks,
    ) -> Result<(), Fatal> {
        let manner = Self::manner(Writer::Pipe, Some(PIPE_FALLS_IDLE), config);
        let mut lanes = Lanes::new(self.fittings.clone(), manner, self.channels.clone());
        let is_removed = make != Make::Never && config.fifo_at_end == FifoAtEnd::Removed;
        let (name, label) = (channel.clone(), format!("pipe {channel}"));
        tasks.spawn_source(&label.clone(), move || {
            fifo.first_look(name, &mut |news| lanes.take(news));
            drop(looked);
            let end = lanes::follow(&mut fifo, &mut lanes);
            if is_removed {
                fifo.remove();
            }
            // What has been read of a line is nowhere else.
            lanes.flush();
            Done::Source(label, end.map(|()| Outcome::Stopped))
        })
    }

    fn files(&self, files: Vec<Files>, config: &Config, looked: Sender<()>, tasks: &mut Tasks) -> Result<(), Fatal> {
        let manner = Self::manner(Writer::File, None, config);
        let mut lanes = Lanes::new(self.fittings.clone(), manner, self.channels.clone());
        let store = Arc::clone(&self.fittings.store);
        let stored = Stored::new(store.sources(), move |channel| store.source_of(channel));
        let mut follower = Follower::new(options(config), stored, self.stop.clone());
        tasks.spawn_source(FILES, move || {
            follower.first_look(files, Instant::now() + FIRST_LINES, &mut |news| lanes.take(news));
            drop(looked);
            let end = lanes::follow(&mut follower, &mut lanes);
            // An unfinished line is still in its file.
            Done::Source(FILES.to_owned(), end.map(|()| Outcome::Stopped))
        })
    }
}

/// How files are followed. Idle ones are closed, so a part of the limit is enough for them; the rest is for clients.
fn options(config: &Config) -> Options {
    let limit = usize::try_from(super::file_limit()).unwrap_or(usize::MAX);
    let following = config.following;
    Options {
        begin: following.begin,
        records: match config.recipe.mapping.format {
            Format::Null => Records::Nul,
            Format::EventStream => Records::Blocks,
            Format::Text | Format::Json(_) | Format::Cri(_) => Records::Lines,
        },
        rotate_wait: following.rotate_wait,
        hints: following.hints,
        open_files: (limit / 4).clamp(LEAST_OPEN, MOST_OPEN),
    }
}

/// How many descriptors a command takes: what it writes to, what wakes its thread, and what is open for a moment at its start.
const A_COMMAND: usize = 12;

/// How many descriptors followed files and commands may take.
pub fn descriptors(config: &Config) -> usize {
    let follows = config.sources.iter().any(|source| matches!(source, Source::Files(_)));
    let options = options(config);
    let commands = config.sources.iter().filter(|source| matches!(source, Source::Command { .. })).count();
    commands * A_COMMAND + if follows { options.open_files + options.spare_files() } else { 0 }
}

/// `COMMAND | sse-bridge FILE` reads the file alone, which is seldom what was meant.
fn warn_of_unread_input(config: &Config) {
    let is_read = config.sources.iter().any(|source| match source {
        Source::Stdin { .. } => true,
        Source::Command { command, .. } => command.manner.input == Input::Passed,
        _ => false,
    });
    if config.stdin == StdinKind::Pipe && !is_read {
        let runs = config.sources.iter().any(|source| matches!(source, Source::Command { .. }));
        let commands = if runs { ", or pass it on to a command with --stdin" } else { "" };
        warn!("standard input is a pipe and is not read; add '-' to the sources to read it{commands}");
    }
}
