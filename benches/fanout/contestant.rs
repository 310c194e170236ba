//! Who is measured, and what is the same for all: a door for clients, an inlet for lines, a process that ends with its owner.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::feeder::{Inlet, pour};
use super::process::Process;
use super::{axum, nchan, node, ours, usage, writer};

/// A server with children has so long to end them.
const ENDING: Duration = Duration::from_secs(3);

/// Those who compete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    Ours,
    Writer,
    Axum,
    Nchan,
    Node,
}

impl Who {
    /// In the order of their turns.
    pub(crate) const ALL: [Self; 5] = [Self::Ours, Self::Writer, Self::Axum, Self::Nchan, Self::Node];

    /// Its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Writer => "writer",
            Self::Axum => "axum",
            Self::Nchan => "nchan",
            Self::Node => "node",
        }
    }

    pub(crate) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|who| who.name() == name)
    }

    /// Whether losing a line is against what it promises.
    pub(crate) fn must_deliver(self) -> bool {
        matches!(self, Self::Ours | Self::Writer)
    }

    /// What has to be there before it can be started; or why it cannot.
    pub(crate) fn prepare(self) -> Result<Ready, String> {
        let version = match self {
            Self::Ours => Ok(env!("CARGO_PKG_VERSION").to_owned()),
            Self::Writer => writer::build(),
            Self::Axum => axum::build(),
            Self::Nchan => nchan::find(),
            Self::Node => node::find(),
        };
        version.map(|version| Ready { who: self, version })
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ours => "sse-bridge",
            Self::Writer => "raw writer",
            Self::Axum => "axum + broadcast",
            Self::Nchan => "nchan",
            Self::Node => "node",
        })
    }
}

/// One that can be started.
#[derive(Debug, Clone)]
pub(crate) struct Ready {
    pub(crate) who: Who,
    pub(crate) version: String,
}

impl Ready {
    /// Starts it as it serves lines while they come. Only `ours` takes options.
    pub(crate) fn start(&self) -> io::Result<Running> {
        match self.who {
            Who::Ours => Running::with_pipe(ours::command(&[]), ours::GREETS),
            Who::Writer => Running::with_pipe(writer::command("serve"), writer::GREETS),
            Who::Axum => Running::with_pipe(axum::command(&[]), axum::GREETS),
            Who::Nchan => nchan::start(),
            Who::Node => Running::with_pipe(node::command(), node::GREETS),
        }
    }
}

/// Where clients come in.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    pub(crate) path: &'static str,
    /// Asked first on the same connection; the answer has no body.
    pub(crate) before: Option<&'static str>,
    /// Whether something comes behind the head before the first line does.
    pub(crate) greets: bool,
}

impl Door {
    /// What is asked after so many answers, if there is more to ask.
    pub(crate) fn request(&self, answers: usize) -> Option<String> {
        let path = self.before.into_iter().chain([self.path]).nth(answers)?;
        Some(format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n"))
    }
}

/// A server that runs. It ends when this goes.
pub(crate) struct Running {
    process: Process,
    pub(crate) door: Door,
    inlet: Option<Inlet>,
    /// What it needs on disk.
    _directory: Option<TempDir>,
}

impl Running {
    /// A server that reads standard input and says on standard error where it listens.
    pub(crate) fn with_pipe(mut command: Command, greets: bool) -> io::Result<Self> {
        command.stdin(Stdio::piped());
        let mut process = Process::start(command)?;
        let inlet = process.take_stdin().map(Inlet::Pipe);
        let address = SocketAddr::from(([127, 0, 0, 1], process.wait_for_port()?));
        Ok(Self { process, door: Door { address, path: "/events", before: None, greets }, inlet, _directory: None })
    }

    /// A server that listens when it has read so many lines and the end of its standard input.
    pub(crate) fn with_all(mut command: Command, lines: u64) -> io::Result<Self> {
        command.stdin(Stdio::piped());
        let mut process = Process::start(command)?;
        let mut inlet = Inlet::Pipe(process.take_stdin().expect("it is piped"));
        pour(&mut inlet, lines)?;
        drop(inlet);
        let address = SocketAddr::from(([127, 0, 0, 1], process.wait_for_port()?));
        Ok(Self { process, door: Door { address, path: "/events", before: None, greets: false }, inlet: None, _directory: None })
    }

    /// A server that takes lines in another way.
    pub(crate) fn with_inlet(process: Process, door: Door, inlet: Inlet, directory: TempDir) -> Self {
        Self { process, door, inlet: Some(inlet), _directory: Some(directory) }
    }

    /// Where lines go in; once.
    pub(crate) fn take_inlet(&mut self) -> Inlet {
        self.inlet.take().expect("it is taken once")
    }

    /// Keeps it open, so that the input does not end before the server.
    pub(crate) fn give_back(&mut self, inlet: Inlet) {
        self.inlet = Some(inlet);
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if usage::children(self.id()).is_empty() {
            return; // the process is killed when it is dropped
        }
        // Children outlive a process that is killed. One that is asked to end takes them along.
        let Ok(id) = i32::try_from(self.id()) else { return };
        let deadline = Instant::now() + ENDING;
        while kill(Pid::from_raw(id), Signal::SIGTERM).is_ok() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(20));
            if usage::children(self.id()).is_empty() {
                return;
            }
        }
    }
}

/// The words that a program says of its version, on whichever output.
pub(crate) fn said(program: &str, words: &[&str]) -> Option<String> {
    let output = Command::new(program).args(words).stdin(Stdio::null()).output().ok().filter(|output| output.status.success())?;
    let said = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&said).lines().next().map(|line| line.trim().to_owned())
}
