//! Signals, and why each is handled.

use std::fs;
use std::io;

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
    /// Stop.
    Stop,
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
            _ = self.interrupt.recv() => Request::Stop,
            _ = self.terminate.recv() => Request::Stop,
            _ = hangup => Request::Hangup,
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
