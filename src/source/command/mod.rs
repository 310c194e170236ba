//! A command: started once for all viewers, read until it ends, started again if that is wanted.
//!
//! ```text
//! pause ▸ start ▸ read ▸ it exits ▸ what its pipes still hold ▸ its group is ended ▸ pause, or the end
//! ```
//!
//! **What is read, and in which order.** Standard output and standard error are two pipes ([`Output::Pipes`]), or both are one terminal
//! ([`Output::Terminal`]). Bytes of one pipe come in the order in which they were written: that is exact. Between two pipes the kernel keeps
//! no order of writes; it tells in which order the pipes were *found ready*, and in that order they are read (`run`). So of two lines that
//! were written to different pipes the first comes first if it was read before the second was written, or if its pipe was empty before it;
//! a burst to both may come as a block of the one and then a block of the other. A terminal is one stream: there the order is that of the writes.
//!
//! **What is left behind.** Nothing. A command is the leader of a process group of its own (with a terminal: of a session). When it has exited, the rest of
//! the group may finish what it is doing as long as it writes; then it is sent TERM, and KILL after [`Manner::grace`] (`leave`). A process that has left
//! the group is not ended, and does not hold up the command: the pipes are closed after a bounded wait. [`Groups`] knows all groups, so that whoever
//! ends the daemon, for whatever reason, ends them too.

mod groups;
mod leave;
mod restart;
mod run;
mod spawn;

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tracing::{debug, info, warn};

use super::{Ready, Stop, wait};
use restart::Pauses;
use run::{Bell, Run, Seen};

pub use groups::Groups;
pub use restart::Restart;
pub use spawn::NotStarted;

/// Bytes asked of one read: what a pipe holds by default.
const BLOCK: usize = 64 * 1024;

/// The longest form of a command in a message, in characters.
const SHOWN: usize = 80;

/// A command, and how it is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// What is run.
    pub what: What,
    /// How.
    pub manner: Manner,
}

/// What is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A program, looked for in PATH if its name has no slash, and its arguments.
    Program(OsString, Vec<OsString>),
    /// A line for `/bin/sh -c`.
    Line(OsString),
}

/// How a command is run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Manner {
    /// Where it writes.
    pub output: Output,
    /// What it reads.
    pub input: Input,
    /// Whether it is started again.
    pub restart: Restart,
    /// How long its group has after TERM, or after the signal that stops the daemon, until KILL.
    pub grace: Duration,
}

/// Where a command writes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Output {
    /// To a pipe for standard output and one for standard error.
    #[default]
    Pipes,
    /// To a terminal of this size.
    Terminal(Size),
}

/// The size of a terminal, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Across.
    pub columns: u16,
    /// Down.
    pub rows: u16,
}

/// What a command reads from its standard input.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Input {
    /// `/dev/null`; with a terminal that, on which nobody types.
    #[default]
    Nothing,
    /// The daemon's own standard input.
    Passed,
}

impl fmt::Display for What {
    /// One line without control characters, not too long for a message.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = match self {
            Self::Program(program, arguments) => {
                let words = [program].into_iter().chain(arguments).map(|word| word.to_string_lossy());
                words.collect::<Vec<_>>().join(" ")
            }
            Self::Line(line) => line.to_string_lossy().into_owned(),
        };
        let shown: String = whole.chars().take(SHOWN).map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect();
        f.write_str(&shown)?;
        if shown.len() < whole.len() { f.write_str("...") } else { Ok(()) }
    }
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// With this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl Exit {
    /// As a shell says it: the code, or 128 and the signal's number.
    #[must_use]
    pub fn number(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128 + signal,
        }
    }
}

impl From<ExitStatus> for Exit {
    fn from(status: ExitStatus) -> Self {
        status.signal().map_or(Self::Code(status.code().unwrap_or(0)), Self::Signal)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => match Signal::try_from(signal) {
                Ok(known) => write!(f, "{}", known.as_str()),
                Err(_) => write!(f, "signal {signal}"),
            },
        }
    }
}

/// What a command gives, in the order in which it happened.
#[derive(Debug, Clone, Copy)]
pub enum News<'a> {
    /// A run has begun.
    Started {
        /// Its number, from 1.
        run: u64,
    },
    /// The next bytes of a stream of it, at least one.
    Bytes {
        /// 0 is standard output or the terminal, 1 standard error.
        stream: usize,
        /// They.
        bytes: &'a [u8],
    },
    /// A run is over: all that it wrote has been given.
    Exited {
        /// Its number.
        run: u64,
        /// How.
        exit: Exit,
    },
    /// It could not be started.
    NotStarted(&'a NotStarted),
    /// It will be started again after a pause.
    Pausing {
        /// How the last run ended; none if it could not be started.
        exit: Option<Exit>,
        /// How long.
        pause: Duration,
    },
}

/// Where news go.
pub type Sink<'s> = dyn FnMut(News<'_>) + 's;

/// Whether a command goes on.
#[derive(Debug)]
pub enum Step {
    /// There may be more.
    Again,
    /// The last run is over.
    Ended(Exit),
    /// It could not be started, and will not be tried again.
    Failed(NotStarted),
    /// The daemon stops, and no run is left.
    Stopped,
}

/// Runs a command, once or again and again.
#[derive(Debug)]
pub struct Runner {
    command: Command,
    groups: Groups,
    /// The command's place among all, by which [`Groups::exit_code`] orders them.
    place: usize,
    stop: Stop,
    bell: Bell,
    block: Box<[u8]>,
    pauses: Pauses,
    /// How many runs have begun.
    runs: u64,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    /// It is started at this time.
    Pausing(Instant),
    /// It has been started, and that is still to be told.
    Started(Box<Run>),
    Running(Box<Run>),
}

impl Runner {
    /// A command that has not been started yet; the `place`th of all.
    ///
    /// # Errors
    /// The kernel gives no event descriptor.
    pub fn new(command: Command, place: usize, groups: Groups, stop: Stop) -> io::Result<Self> {
        Ok(Self {
            command,
            groups,
            place,
            stop,
            bell: Bell::new()?,
            block: vec![0; BLOCK].into(),
            pauses: Pauses::default(),
            runs: 0,
            phase: Phase::Pausing(Instant::now()),
        })
    }

    /// Starts a run; nothing if the daemon stops.
    ///
    /// # Errors
    /// Why it could not be started.
    pub fn start(&mut self) -> Result<(), NotStarted> {
        let begin = || Run::begin(&self.command, &self.bell, &self.stop);
        let Some(started) = self.groups.start(self.place, &self.bell, begin) else { return Ok(()) };
        let run = started?;
        let process = run.process();
        self.runs += 1;
        self.phase = Phase::Started(Box::new(run));
        match self.runs {
            1 => info!("running '{}' (process {process})", self.command.what),
            run => info!("running '{}' again (run {run}, process {process})", self.command.what),
        }
        Ok(())
    }

    /// Waits for something to do, until `until` at most, and does it.
    ///
    /// # Errors
    /// The kernel refuses to wait, or to read. The group has been ended then.
    pub fn step(&mut self, until: Option<Instant>, news: &mut Sink<'_>) -> io::Result<Step> {
        match std::mem::replace(&mut self.phase, Phase::Pausing(Instant::now())) {
            Phase::Pausing(at) => self.pause(at, until, news),
            Phase::Started(run) => {
                news(News::Started { run: self.runs });
                self.phase = Phase::Running(run);
                Ok(Step::Again)
            }
            Phase::Running(mut run) => match run.step(&self.groups, until, &mut self.block, news) {
                Ok(Seen::Again) => {
                    self.phase = Phase::Running(run);
                    Ok(Step::Again)
                }
                Ok(Seen::Over(exit)) => Ok(self.end_run(&run, exit, news)),
                Err(error) => {
                    self.groups.give_up(run.process());
                    self.groups.note_exit(self.place, Exit::Code(1));
                    Err(error)
                }
            },
        }
    }

    fn pause(&mut self, at: Instant, until: Option<Instant>, news: &mut Sink<'_>) -> io::Result<Step> {
        self.phase = Phase::Pausing(at);
        if self.groups.is_over(self.place) {
            return Ok(Step::Stopped);
        }
        let wake = until.map_or(at, |until| until.min(at));
        if wait(&[], &self.stop, Some(wake))? == Ready::Stopped {
            return Ok(Step::Stopped);
        }
        if Instant::now() < at {
            return Ok(Step::Again);
        }
        match self.start() {
            Ok(()) => Ok(Step::Again),
            Err(error) => Ok(self.tell_failure(error, news)),
        }
    }

    fn tell_failure(&mut self, error: NotStarted, news: &mut Sink<'_>) -> Step {
        news(News::NotStarted(&error));
        if self.command.manner.restart == Restart::Never {
            self.groups.note_exit(self.place, error.exit());
            return Step::Failed(error);
        }
        let pause = self.pause_after(Duration::ZERO);
        warn!("{}; trying again in {pause:?}", error.line());
        news(News::Pausing { exit: None, pause });
        Step::Again
    }

    fn end_run(&mut self, run: &Run, exit: Exit, news: &mut Sink<'_>) -> Step {
        let lasted = run.began().elapsed();
        debug!("run {} of '{}' is over after {lasted:?}: {exit}", self.runs, self.command.what);
        news(News::Exited { run: self.runs, exit });
        self.groups.note_exit(self.place, exit);
        if self.groups.is_over(self.place) {
            return Step::Stopped;
        }
        if !self.command.manner.restart.wants_another(exit) {
            return Step::Ended(exit);
        }
        let pause = self.pause_after(lasted);
        warn!("run {} of '{}' ended ({exit}); starting it again in {pause:?}", self.runs, self.command.what);
        news(News::Pausing { exit: Some(exit), pause });
        Step::Again
    }

    fn pause_after(&mut self, lasted: Duration) -> Duration {
        let pause = self.pauses.after(lasted);
        self.phase = Phase::Pausing(Instant::now() + pause);
        pause
    }
}

impl Drop for Runner {
    /// Only where reading has failed, or a thread has panicked, is there still a run.
    fn drop(&mut self) {
        if let Phase::Started(run) | Phase::Running(run) = &self.phase {
            self.groups.give_up(run.process());
        }
    }
}

#[cfg(test)]
mod tests;
