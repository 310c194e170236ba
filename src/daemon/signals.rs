//! Signals, and why each is handled.

use std::fs;
use std::io;

use nix::sys::signal::Signal as Number;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that the daemon hears.
#[derive(Debug)]
pub struct Signals {
    /// Ctrl-C.
    interrupt: Signal,
    /// `kill`, systemd, container engines. A process that is PID 1 has no default action for it.
    terminate: Signal,
    /// The terminal is gone. Not heard if it was ignored at the start (`nohup`).
    hangup: Option<Signal>,
    /// A file may not become larger (`ulimit -f`): heard so that it does not end the process, and the write fails like any other (EFBIG).
    _too_large: Signal,
}

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// Stop; by this signal, which commands are passed.
    Stop(Number),
    /// The terminal is gone, or somebody wants a reload.
    Hangup,
}

impl Signals {
    /// Begins to hear. Needs the runtime.
    pub fn new() -> io::Result<Self> {
        let hangup = if is_ignored(SignalKind::hangup()) { None } else { Some(signal(SignalKind::hangup())?) };
        let too_large = signal(SignalKind::from_raw(nix::libc::SIGXFSZ))?;
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup,
            _too_large: too_large,
        })
    }

    /// Waits for the next signal.
    pub async fn next(&mut self) -> Request {
        let hangup = async {
            match &mut self.hangup {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => Request::Stop(Number::SIGINT),
            _ = self.terminate.recv() => Request::Stop(Number::SIGTERM),
            _ = hangup => Request::Hangup,
        }
    }
}

/// The signals that are the commands' business.
#[derive(Debug)]
pub struct Others {
    /// A child has ended: a command, or an orphan that has become ours.
    child: Signal,
    /// Those that are passed on, if there are commands; without them they do what they do to any process.
    passed: Option<Passed>,
}

#[derive(Debug)]
struct Passed {
    /// Ctrl-\: a Java program tells what its threads do, others end. It does not stop the daemon.
    quit: Signal,
    /// Whatever the command means by them.
    first: Signal,
    second: Signal,
    /// The size of the daemon's terminal has changed.
    window: Signal,
}

/// Which commands are passed on what the daemon is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PassOn {
    /// There are none.
    Nothing,
    /// All.
    ToCommands,
}

/// What one of [`Others`] asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Other {
    /// Children are to be looked at.
    Child,
    /// Commands are to be sent this.
    Pass(Number),
}

impl Others {
    /// Begins to hear. Needs the runtime.
    pub fn new(pass_on: PassOn) -> io::Result<Self> {
        let passed = match pass_on {
            PassOn::Nothing => None,
            PassOn::ToCommands => Some(Passed {
                quit: signal(SignalKind::quit())?,
                first: signal(SignalKind::user_defined1())?,
                second: signal(SignalKind::user_defined2())?,
                window: signal(SignalKind::window_change())?,
            }),
        };
        Ok(Self { child: signal(SignalKind::child())?, passed })
    }

    /// Waits for the next signal.
    pub async fn next(&mut self) -> Other {
        let Self { child, passed } = self;
        let passed = async {
            match passed {
                Some(passed) => passed.next().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = child.recv() => Other::Child,
            number = passed => Other::Pass(number),
        }
    }
}

impl Passed {
    async fn next(&mut self) -> Number {
        tokio::select! {
            _ = self.quit.recv() => Number::SIGQUIT,
            _ = self.first.recv() => Number::SIGUSR1,
            _ = self.second.recv() => Number::SIGUSR2,
            _ = self.window.recv() => Number::SIGWINCH,
        }
    }
}

/// Whether whoever started the process made it ignore the signal: a mask in `proc_pid_status(5)`, where there is one.
pub fn is_ignored(kind: SignalKind) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).map(str::trim);
    let mask = mask.and_then(|mask| u64::from_str_radix(mask, 16).ok()).unwrap_or(0);
    mask >> (kind.as_raw_value() - 1) & 1 == 1
}
