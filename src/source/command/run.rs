//! One run of a command: a process, what it writes, and its end.
//!
//! Streams are read in the order in which the kernel found them ready. `epoll(7)` keeps that order for descriptors that are told once and then armed
//! again (`EPOLLONESHOT`): one that is read and has more goes behind those that have become ready meanwhile. `poll` and a descriptor that stays
//! armed do not: they name standard output first.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::Child;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::signal::Signal;
use nix::unistd;
use tracing::warn;

use super::super::Stop;
use super::groups::Groups;
use super::leave::{Act, Facts, Leaving, Who};
use super::spawn::{self, NotStarted};
use super::{Command, Exit, News, Sink};

/// How the stop and the bell are named in what the kernel tells; streams have their own numbers.
const STOP: u64 = u64::MAX;
const BELL: u64 = u64::MAX - 1;

/// How many blocks are read of pipes that are let go: more than a pipe holds.
const MOST_BLOCKS: usize = 64;

/// How often the process is looked at though nobody has told of its end.
const LOOK: Duration = Duration::from_secs(1);

/// Wakes a thread that waits for its command. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Bell(Arc<EventFd>);

impl Bell {
    /// A bell that has not been rung.
    pub fn new() -> io::Result<Self> {
        Ok(Self(Arc::new(EventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?)))
    }

    /// Rings it.
    pub fn ring(&self) {
        // The only failure is a counter that is full, and then it has been rung before.
        let _ = self.0.write(1);
    }

    fn answer(&self) {
        // The only failure is that nobody has rung.
        let _ = self.0.read();
    }
}

/// What a step of a run has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// There may be more.
    Again,
    /// All that was written has been given, and nobody of the group is left.
    Over(Exit),
}

/// One run of a command.
#[derive(Debug)]
pub struct Run {
    /// The command, for messages.
    shown: String,
    child: Child,
    began: Instant,
    /// What it writes to; none where that has ended.
    streams: Vec<Option<OwnedFd>>,
    epoll: Epoll,
    stop: Stop,
    bell: Bell,
    leaving: Leaving,
    exit: Option<Exit>,
    is_stopping: bool,
    spoke_at: Instant,
}

impl Run {
    /// Starts a command. Whoever calls sees to it that no other process is started meanwhile.
    ///
    /// # Errors
    /// Why it could not be started.
    pub fn begin(command: &Command, bell: &Bell, stop: &Stop) -> Result<Self, NotStarted> {
        let failed = |error| NotStarted::new(&command.what, error);
        let (streams, outlets) = spawn::outlets(command.manner.output).map_err(failed)?;
        // Before there is anything to be told: the order holds from the first byte on.
        let epoll = listen(&streams, bell, stop).map_err(failed)?;
        let child = spawn::start(command, &outlets)?;
        let now = Instant::now();
        Ok(Self {
            shown: command.what.to_string(),
            child,
            began: now,
            streams: streams.into_iter().map(Some).collect(),
            epoll,
            stop: stop.clone(),
            bell: bell.clone(),
            leaving: Leaving::new(command.manner.grace),
            exit: None,
            is_stopping: false,
            spoke_at: now,
        })
    }

    /// The number of the process, and of its group.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// When it was started.
    #[must_use]
    pub fn began(&self) -> Instant {
        self.began
    }

    /// Waits for something to do, until `until` at most, and does it.
    ///
    /// # Errors
    /// The kernel refuses to wait, or to read.
    pub fn step(&mut self, groups: &Groups, until: Option<Instant>, block: &mut [u8], news: &mut Sink<'_>) -> io::Result<Seen> {
        let process = self.process();
        let who = match self.exit {
            None => Who::Leader,
            Some(_) if groups.is_there(process) => Who::Others,
            Some(_) => Who::Nobody,
        };
        let facts = Facts { who, is_open: self.is_open(), is_stopping: self.is_stopping, spoke_at: self.spoke_at };
        match self.leaving.next(Instant::now(), &facts) {
            Act::Wait(due) => self.wait(groups, [until, due].into_iter().flatten().min(), block, news)?,
            Act::Terminate => groups.signal_one(process, Signal::SIGTERM),
            Act::Kill => {
                warn!("'{}' or a process of its group has not ended in time; it is killed", self.shown);
                groups.signal_one(process, Signal::SIGKILL);
            }
            Act::LetGo => {
                self.tell_who_is_left(&facts);
                self.read_what_is_there(block, news)?;
                return Ok(self.over(groups));
            }
            Act::Over => return Ok(self.over(groups)),
        }
        Ok(Seen::Again)
    }

    /// What is still open is closed with the run.
    fn over(&mut self, groups: &Groups) -> Seen {
        groups.forget(self.process());
        Seen::Over(self.exit.expect("a run is over when its command has exited"))
    }

    /// Whoever read slowly loses nothing that was written in time; whoever goes on writing is not read for ever.
    fn read_what_is_there(&mut self, block: &mut [u8], news: &mut Sink<'_>) -> io::Result<()> {
        let mut told = [EpollEvent::empty(); 4];
        for _ in 0..MOST_BLOCKS {
            let count = self.epoll.wait(&mut told, EpollTimeout::ZERO).unwrap_or(0);
            let streams = told[..count].iter().map(EpollEvent::data).filter(|data| *data < BELL);
            let streams: Vec<_> = streams.filter_map(|stream| usize::try_from(stream).ok()).collect();
            if streams.is_empty() {
                break;
            }
            for stream in streams {
                self.read(stream, block, news)?;
            }
        }
        Ok(())
    }

    fn tell_who_is_left(&self, facts: &Facts) {
        let shown = &self.shown;
        if facts.who == Who::Others {
            warn!("a process of the group of '{shown}' has not ended though it was killed; it is left");
        } else {
            warn!("a process that has left the group of '{shown}' holds its output; what it writes is not read any more");
        }
    }

    fn is_open(&self) -> bool {
        self.streams.iter().any(Option::is_some)
    }

    /// Waits, and reads what is ready, each stream once.
    fn wait(&mut self, groups: &Groups, until: Option<Instant>, block: &mut [u8], news: &mut Sink<'_>) -> io::Result<()> {
        let mut told = [EpollEvent::empty(); 4];
        self.stop.pulse().waits();
        let waited = self.epoll.wait(&mut told, timeout(until));
        self.stop.pulse().works();
        let count = match waited {
            Ok(count) => count,
            Err(Errno::EINTR) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let mut is_to_look = count == 0;
        for event in &told[..count] {
            match event.data() {
                STOP => {
                    self.is_stopping = true;
                    self.epoll.delete(self.stop.0.as_fd())?; // it stays raised
                }
                BELL => {
                    self.bell.answer();
                    is_to_look = true;
                }
                stream => self.read(usize::try_from(stream).unwrap_or(usize::MAX), block, news)?,
            }
        }
        if is_to_look && self.exit.is_none() {
            self.exit = groups.look_at(&mut self.child)?;
        }
        Ok(())
    }

    /// Reads a stream that is ready, and arms it again.
    fn read(&mut self, stream: usize, block: &mut [u8], news: &mut Sink<'_>) -> io::Result<()> {
        let Some(Some(fd)) = self.streams.get(stream) else { return Ok(()) };
        let count = match unistd::read(fd, &mut *block) {
            // EIO is what a terminal says when its last user has closed it: the end.
            Ok(0) | Err(Errno::EIO) => {
                self.streams[stream] = None; // epoll forgets what is closed
                return Ok(());
            }
            Ok(count) => count,
            Err(Errno::EINTR | Errno::EAGAIN) => 0,
            Err(error) => return Err(error.into()),
        };
        // Before anybody sees the bytes and writes because of them: what is not armed is not told in its turn.
        self.epoll.modify(fd, &mut armed(stream))?;
        if count > 0 {
            self.spoke_at = Instant::now();
            news(News::Bytes { stream, bytes: &block[..count] });
        }
        Ok(())
    }
}

/// Whoever waits for this is told of the stop, of the bell, and of streams in the order in which they become ready.
fn listen(streams: &[OwnedFd], bell: &Bell, stop: &Stop) -> io::Result<Epoll> {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    epoll.add(stop.0.as_fd(), EpollEvent::new(EpollFlags::EPOLLIN, STOP))?;
    epoll.add(bell.0.as_fd(), EpollEvent::new(EpollFlags::EPOLLIN, BELL))?;
    for (stream, fd) in streams.iter().enumerate() {
        epoll.add(fd, armed(stream))?;
    }
    Ok(epoll)
}

/// Tells once that a stream has bytes, or has ended.
fn armed(stream: usize) -> EpollEvent {
    EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLONESHOT, stream as u64)
}

/// Rounded up, so that a wait is never over just before its time.
fn timeout(until: Option<Instant>) -> EpollTimeout {
    let left = until.map_or(LOOK, |until| until.saturating_duration_since(Instant::now()).min(LOOK));
    let milliseconds = if left.is_zero() { 0 } else { left.as_millis() + 1 };
    u16::try_from(milliseconds).map_or(EpollTimeout::MAX, EpollTimeout::from)
}
