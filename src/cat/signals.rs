//! Signals that stop a client, and why each is handled.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::daemon::signals::is_ignored;

/// The signals that are heard.
#[derive(Debug)]
pub struct Signals {
    /// Ctrl-C.
    interrupt: Signal,
    /// `kill`, service managers, container engines.
    terminate: Signal,
    /// The terminal is gone. Not heard if it was ignored at the start (`nohup`).
    hangup: Option<Signal>,
    /// A file may not become larger (`ulimit -f`): heard so that it does not end the process, and the write fails like any other (EFBIG).
    _too_large: Signal,
}

impl Signals {
    /// Begins to hear. Needs the runtime.
    pub fn new() -> io::Result<Self> {
        let hangup = if is_ignored(SignalKind::hangup()) { None } else { Some(signal(SignalKind::hangup())?) };
        let too_large = signal(SignalKind::from_raw(nix::libc::SIGXFSZ))?;
        let (interrupt, terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        Ok(Self { interrupt, terminate, hangup, _too_large: too_large })
    }

    /// Waits for the next signal that asks for a stop, and gives the exit code that says so: 128 and its number.
    pub async fn next(&mut self) -> u8 {
        let hangup = async {
            match &mut self.hangup {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        let kind = tokio::select! {
            _ = self.interrupt.recv() => SignalKind::interrupt(),
            _ = self.terminate.recv() => SignalKind::terminate(),
            _ = hangup => SignalKind::hangup(),
        };
        128 + u8::try_from(kind.as_raw_value()).unwrap_or(0)
    }
}
