//! Starts a process for a command: the leader of a group of its own, with pipes or a terminal to write to.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{self, PipeWriter};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{self, Child, Stdio};

use nix::errno::Errno;

use super::{Command, Exit, Input, Output, What};
use crate::errno::reason;

/// What a service manager says to the daemon alone.
const MANAGERS: [&str; 6] = ["NOTIFY_SOCKET", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "WATCHDOG_PID", "WATCHDOG_USEC"];

/// What runs a line.
const SHELL: &str = "/bin/sh";

/// What programs are told of a terminal that nobody has described.
const TERM: &str = "xterm-256color";

/// The ends that a process writes to.
#[derive(Debug)]
pub enum Outlets {
    /// Standard output and standard error.
    Pipes(PipeWriter, PipeWriter),
    /// The slave of a terminal.
    Terminal(Slave),
}

/// The slave of a terminal, which shows nothing of itself.
pub struct Slave(pty_process::blocking::Pts);

impl fmt::Debug for Slave {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slave").finish_non_exhaustive()
    }
}

/// Makes what a process is to write to, and the ends that are read: standard output and standard error, or the terminal.
///
/// # Errors
/// No descriptor is left, or no terminal.
pub fn outlets(output: Output) -> io::Result<(Vec<OwnedFd>, Outlets)> {
    match output {
        Output::Pipes => {
            let ((out, to_out), (err, to_err)) = (io::pipe()?, io::pipe()?);
            Ok((vec![out.into(), err.into()], Outlets::Pipes(to_out, to_err)))
        }
        Output::Terminal(size) => {
            // Not to be taken for what is said of the program.
            let none = |error| io::Error::other(format!("no terminal could be made: {}", reason(&plain(error))));
            let (master, slave) = pty_process::blocking::open().map_err(none)?;
            master.resize(pty_process::Size::new(size.rows, size.columns)).map_err(none)?;
            Ok((vec![master.into()], Outlets::Terminal(Slave(slave))))
        }
    }
}

/// A command could not be started.
#[derive(Debug, thiserror::Error)]
#[error("could not start '{what}': {}", reason(error))]
pub struct NotStarted {
    what: String,
    /// The program's name as it was given.
    program: OsString,
    error: io::Error,
}

impl NotStarted {
    /// Why this command could not be started.
    #[must_use]
    pub fn new(what: &What, error: io::Error) -> Self {
        let (program, _) = words(what);
        Self { what: what.to_string(), program: program.to_owned(), error }
    }

    /// As a shell says it: 127 if there is no such program, 126 if it cannot be run.
    #[must_use]
    pub fn exit(&self) -> Exit {
        Exit::Code(if self.error.kind() == io::ErrorKind::NotFound { 127 } else { 126 })
    }

    /// What the kernel says.
    #[must_use]
    pub fn reason(&self) -> String {
        reason(&self.error)
    }

    /// What helps.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let path = Path::new(&self.program);
        let shown = path.display();
        let has_slash = self.program.as_encoded_bytes().contains(&b'/');
        match self.error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::ENOENT) if has_slash && path.exists() => {
                Some(format!("'{shown}' is there; the interpreter that its first line names is not"))
            }
            Some(Errno::ENOENT) if has_slash => Some("relative paths begin at the working directory".to_owned()),
            Some(Errno::ENOENT) => Some(format!("no directory in PATH has '{shown}'; is it installed?")),
            Some(Errno::EACCES) if has_slash && path.is_dir() => Some("it is a directory".to_owned()),
            Some(Errno::EACCES) => Some(format!("chmod +x '{shown}' if it is a program")),
            _ => None,
        }
    }

    /// All of it in one line.
    #[must_use]
    pub fn line(&self) -> String {
        self.hint().map_or_else(|| self.to_string(), |hint| format!("{self}; hint: {hint}"))
    }
}

/// The program of a command and its arguments.
fn words(what: &What) -> (&OsStr, Vec<&OsStr>) {
    match what {
        What::Program(program, arguments) => (program, arguments.iter().map(OsString::as_os_str).collect()),
        What::Line(line) => (OsStr::new(SHELL), vec![OsStr::new("-c"), line]),
    }
}

/// Starts a command that writes to these. They are to be closed here when it runs: a stream ends with its last user.
///
/// # Errors
/// Why it could not be started; the program that is run is known to be one.
pub fn start(command: &Command, outlets: &Outlets) -> Result<Child, NotStarted> {
    let (program, arguments) = words(&command.what);
    let input = command.manner.input;
    let started = start_words(program, &arguments, input, outlets).or_else(|error| match script(program, &error) {
        Some(script) => start_words(OsStr::new(SHELL), &[&[script.as_os_str()], &arguments[..]].concat(), input, outlets),
        None => Err(error),
    });
    started.map_err(|error| NotStarted::new(&command.what, error))
}

/// The file that the kernel takes for no program: a script without a first line that says who reads it, which is then the shell (execvp(3)).
fn script(program: &OsStr, error: &io::Error) -> Option<PathBuf> {
    if error.raw_os_error().map(Errno::from_raw) != Some(Errno::ENOEXEC) {
        return None;
    }
    if program.as_encoded_bytes().contains(&b'/') {
        return Some(program.into());
    }
    let directories = env::var_os("PATH")?;
    env::split_paths(&directories).map(|directory| directory.join(program)).find(|path| path.is_file())
}

fn start_words(program: &OsStr, arguments: &[&OsStr], input: Input, outlets: &Outlets) -> io::Result<Child> {
    match outlets {
        Outlets::Pipes(out, err) => with_pipes(program, arguments, input, out.try_clone()?, err.try_clone()?),
        Outlets::Terminal(slave) => with_terminal(program, arguments, input, slave),
    }
}

fn with_pipes(program: &OsStr, arguments: &[&OsStr], input: Input, out: PipeWriter, err: PipeWriter) -> io::Result<Child> {
    let mut starting = process::Command::new(program);
    for name in MANAGERS {
        starting.env_remove(name);
    }
    starting.args(arguments).process_group(0).stdout(out).stderr(err);
    starting.stdin(match input {
        Input::Nothing => Stdio::null(),
        Input::Passed => Stdio::inherit(),
    });
    starting.spawn()
}

/// In a session of its own, whose terminal is the slave: that also makes it the leader of a group.
fn with_terminal(program: &OsStr, arguments: &[&OsStr], input: Input, slave: &Slave) -> io::Result<Child> {
    let mut starting = pty_process::blocking::Command::new(program).args(arguments);
    for name in MANAGERS {
        starting = starting.env_remove(name);
    }
    if env::var_os("TERM").is_none_or(|term| term.is_empty()) {
        starting = starting.env("TERM", TERM);
    }
    if input == Input::Passed {
        starting = starting.stdin(Stdio::inherit());
    }
    starting.spawn_borrowed(&slave.0).map_err(plain)
}

fn plain(error: pty_process::Error) -> io::Error {
    match error {
        pty_process::Error::Io(error) => error,
        pty_process::Error::Rustix(error) => error.into(),
    }
}
