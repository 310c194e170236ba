//! `--exec COMMAND`: a command that takes the lines on its standard input.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::thread;

use tokio::sync::oneshot;

/// A command that runs.
#[derive(Debug)]
pub struct Running {
    ended: oneshot::Receiver<io::Result<ExitStatus>>,
}

impl Running {
    /// Starts a command with `sh -c`; gives the way to its standard input as well.
    pub fn start(command: &OsStr) -> io::Result<(Self, OwnedFd)> {
        let mut child = std::process::Command::new("sh").arg("-c").arg(command).stdin(Stdio::piped()).spawn()?;
        let stdin = child.stdin.take().ok_or_else(|| io::Error::other("it has no standard input"))?;
        let (sender, ended) = oneshot::channel();
        thread::Builder::new().name("command".to_owned()).spawn(move || {
            // Nobody listens only when everything is over.
            let _ = sender.send(child.wait());
        })?;
        Ok((Self { ended }, stdin.into()))
    }

    /// Waits until it has ended, and gives its exit code: 128 + N if signal N has ended it.
    pub async fn ended(&mut self) -> io::Result<u8> {
        let status = (&mut self.ended).await.map_err(|_| io::Error::other("nobody has waited for it"))??;
        let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
        Ok(u8::try_from(code).unwrap_or(1))
    }
}
