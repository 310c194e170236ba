//! Processes: the bridge, and the parts that are played beside it. Each is killed, by its id, when its owner goes.

use std::env;
use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// No wait is longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A command line of the bridge, on a core of its own if one is given. It ends with its input, so that it does not stay if this
/// program is killed.
pub(crate) fn bridge(core: Option<u32>, port: u16) -> Command {
    let mut command = on_core(core, OsStr::new(env!("CARGO_BIN_EXE_sse-bridge")));
    command.arg("--exit-on-eof").arg("--port").arg(port.to_string());
    command
}

/// A command line of this program that plays a part.
pub(crate) fn part(core: Option<u32>, words: &[&str]) -> io::Result<Command> {
    let mut command = on_core(core, env::current_exe()?.as_os_str());
    command.arg("--part").args(words);
    Ok(command)
}

/// A command line of any program.
pub(crate) fn on_core(core: Option<u32>, program: &OsStr) -> Command {
    let Some(core) = core else { return Command::new(program) };
    let mut command = Command::new("taskset");
    command.arg("-c").arg(core.to_string()).arg(program);
    command
}

/// A process that says on standard error how far it is.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    said: Receiver<Said>,
}

/// A line on standard error, and when it came.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) at: Instant,
    pub(crate) line: String,
}

impl Process {
    /// Starts it. The command goes, and with it our copies of the pipes that it names.
    pub(crate) fn start(mut command: Command) -> io::Result<Self> {
        let mut child = command.stderr(Stdio::piped()).spawn()?;
        let stderr = child.stderr.take().expect("it is piped");
        let (sender, said) = channel();
        thread::spawn(move || {
            let lines = BufReader::new(stderr).lines().map_while(Result::ok);
            lines.map(|line| Said { at: Instant::now(), line }).try_for_each(|said| sender.send(said))
        });
        Ok(Self { child, said })
    }

    /// Waits until it says this.
    pub(crate) fn wait_for(&self, text: &str) -> io::Result<Said> {
        let deadline = Instant::now() + PATIENCE;
        let mut before = Vec::new();
        while let Ok(said) = self.said.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            if said.line.contains(text) {
                return Ok(said);
            }
            before.push(said.line);
        }
        Err(io::Error::other(format!("process {} did not say {text:?}; it said {before:?}", self.id())))
    }

    /// Waits until it says where it listens, and gives the port.
    pub(crate) fn wait_for_port(&self) -> io::Result<u16> {
        let line = self.wait_for("listening on http://")?.line;
        let port = line.trim_end_matches('/').rsplit(':').next().and_then(|port| port.parse().ok());
        port.ok_or_else(|| io::Error::other(format!("no port in {line:?}")))
    }

    /// Its standard input, if it is piped and nobody has taken it.
    pub(crate) fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it and gives all CPU time of its life, exact to the microsecond; no other process may be ended meanwhile.
    pub(crate) fn end(mut self) -> io::Result<Duration> {
        let before = cpu_time_of_ended()?;
        self.child.kill()?;
        self.child.wait()?;
        Ok(cpu_time_of_ended()?.saturating_sub(before))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended; that is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The CPU time of all children that have ended.
fn cpu_time_of_ended() -> io::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let sum = usage.user_time() + usage.system_time();
    Ok(Duration::from_micros(u64::try_from(sum.num_microseconds()).unwrap_or(0)))
}
