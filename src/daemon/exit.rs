//! How the daemon ends: the one place where errors become messages and exit codes.
//!
//! | code | when |
//! | --- | --- |
//! | 0 | stopped by a signal or by `--exit-on-eof`; with commands, the latter gives their code |
//! | 1 | something that should not happen |
//! | 2 | what time cannot cure: the command line, the wrong kind of input, a state directory of a newer version |
//! | 126, 127 | the command of `run` cannot be run, or is not there |
//! | 75 | what time can cure: a port taken, an address or a name absent, a state directory in use or not writable (EX_TEMPFAIL of sysexits.h) |

use std::error::Error;
use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use super::inherited::NotInherited;
use crate::cat;
use crate::cat::memory::NoMemory;
use crate::config::ConfigError;
use crate::errno::is_scarcity;
use crate::healthcheck::Unwell;
use crate::history::Failed;
use crate::http::listener::ListenError;
use crate::source::command::NotStarted;
use crate::store::disk::inspect::NoState;
use crate::store::disk::life::NoLife;
use crate::store::disk::lock::NotLocked;

/// Why the daemon ends before anybody asked it to.
#[derive(Debug)]
pub struct Fatal {
    code: u8,
    /// What was attempted, on what, and why it failed.
    message: String,
    /// What the user can do.
    hint: Option<String>,
}

impl Fatal {
    /// A bug, or a machine that fails in a way nobody provides for.
    #[must_use]
    pub fn unexpected(what: &str, error: &dyn Error) -> Self {
        Self { code: 1, message: format!("{what}: {}", chain(error)), hint: None }
    }

    /// A task that panicked.
    #[must_use]
    pub fn panicked(task: &str) -> Self {
        Self { code: 1, message: format!("the task '{task}' panicked"), hint: Some("this is a bug; please report it".to_owned()) }
    }

    /// A service manager has passed what cannot be used.
    #[must_use]
    pub fn not_inherited(error: &NotInherited) -> Self {
        let hint = "FileDescriptorName= in the socket unit gives it its name: 'http', or that of the channel of a named pipe \
                    (systemctl edit sse-bridge.socket)";
        Self { code: 2, message: chain(error), hint: Some(hint.to_owned()) }
    }

    /// The command of `run` could not be started: the codes are those of a shell.
    #[must_use]
    pub fn not_started(error: &NotStarted) -> Self {
        let code = u8::try_from(error.exit().number()).unwrap_or(1);
        Self { code, message: error.to_string(), hint: error.hint() }
    }

    /// A command line that cannot be understood. clap says it in several lines; this is the one that matters.
    #[must_use]
    pub fn usage(error: &clap::Error) -> Self {
        let text = error.render().to_string();
        // The message ends at the first empty line: a value in it may have line breaks.
        let first = text.split("\n\n").next().unwrap_or(&text).trim_end();
        let first = first.strip_prefix("error: ").unwrap_or(first).trim_end_matches('.');
        let message = first.lines().map(str::trim).collect::<Vec<_>>().join(" ");
        let mut lines = text.lines().map(str::trim);
        let tip = lines.find_map(|line| line.strip_prefix("tip: ").or_else(|| line.strip_prefix('[')));
        let hint =
            tip.map_or_else(|| "sse-bridge --help lists what there is".to_owned(), |tip| tip.trim_end_matches(']').to_owned());
        Self { code: 2, message, hint: Some(hint) }
    }

    /// A state directory that is not ours to use.
    #[must_use]
    pub fn not_locked(directory: &Path, why: &NotLocked) -> Self {
        let (code, hint) = match why {
            NotLocked::InUse(_) => (75, "give each daemon a --state-dir of its own"),
            NotLocked::NoDirectory => (75, "--state-dir is a directory, or a path where one can be made"),
            NotLocked::Foreign => (2, "--state-dir is a directory that is empty, or was one when a daemon began to use it"),
            NotLocked::NoFile => (75, "remove what is called so, or choose another --state-dir"),
            NotLocked::Make(error) | NotLocked::Lock(error) | NotLocked::Write(error) => (75, cure(error)),
        };
        Self::no_state(directory, code, why, hint)
    }

    /// A state directory whose history cannot be opened.
    #[must_use]
    pub fn not_opened(directory: &Path, why: &NoLife) -> Self {
        let (code, hint) = match why {
            NoLife::Newer(_) => (2, NEWER),
            NoLife::Unreadable(error) if is_newer(error) => (2, NEWER),
            NoLife::Unreadable(error) | NoLife::Directory { error, .. } => (75, cure(error)),
            NoLife::New | NoLife::Damaged => (75, WRITABLE),
        };
        Self::no_state(directory, code, why, hint)
    }

    /// A state directory that `sse-bridge history` cannot tell of.
    #[must_use]
    pub fn no_history(directory: &Path, why: &Failed) -> Self {
        let (code, hint) = match why {
            Failed::NoState(NoState::Missing | NoState::NoDirectory | NoState::Unused) => {
                (2, "DIR is what a daemon was given as --state-dir, or systemd's StateDirectory= below /var/lib")
            }
            Failed::NoState(NoState::Newer { .. }) => (2, "use the version that wrote it"),
            Failed::NoState(NoState::Unreadable(_)) => (75, "the user of the daemon and its group may read it, and root"),
            Failed::Output(_) => (75, "what was said until then is not all"),
        };
        let message = format!("could not show the history in '{}': {}", directory.display(), chain(why));
        Self { code, message, hint: Some(hint.to_owned()) }
    }

    /// What `sse-bridge healthcheck` has found. The other codes are somebody else's there: container engines know 0 and 1.
    #[must_use]
    pub fn unwell(why: Unwell) -> Self {
        let hint = match why {
            Unwell::Config(error) => return Self { code: 1, ..Self::from(error) },
            Unwell::Address(..) => Some("write http://HOST:PORT/readyz, or a path of the daemon of this machine"),
            Unwell::Silent(..) => Some("if it listens elsewhere, give the URL: sse-bridge healthcheck :8080"),
            Unwell::Says(..) => None,
        };
        Self { code: 1, message: why.to_string(), hint: hint.map(str::to_owned) }
    }

    /// What ends `sse-bridge cat` before its streams do.
    #[must_use]
    pub fn no_cat(why: cat::Failed) -> Self {
        let (code, hint) = match &why {
            cat::Failed::Config(_) => (2, None),
            cat::Failed::Memory(_, NoMemory::Newer) => (2, Some("use the version that wrote it, or another --state")),
            cat::Failed::Memory(_, NoMemory::Asked { .. }) => {
                (2, Some("ask the same, or give another --state; without the file it begins anew"))
            }
            cat::Failed::Memory(_, NoMemory::NoFile) => (2, Some("--state is a file of its own, which is made if it is missing")),
            cat::Failed::Memory(_, NoMemory::InUse) => (75, Some("give each cat a --state of its own")),
            cat::Failed::Memory(..) => (75, Some("its directory must be there, and writable for you")),
            cat::Failed::Unsaved(..) => (75, Some("what came since the last save comes again the next time")),
            cat::Failed::Command(_) => (1, Some("sh must be there")),
            cat::Failed::Start(_) => (1, Some("the limits of the process (ulimit) may be too low")),
            cat::Failed::Panicked => (1, Some("this is a bug; please report it")),
            cat::Failed::Broken(broken) => (broken.code(), broken.hint()),
        };
        match why {
            cat::Failed::Config(error) => error.into(),
            why => Self { code, message: chain(&why), hint: hint.map(str::to_owned) },
        }
    }

    fn no_state(directory: &Path, code: u8, why: &dyn Error, hint: &str) -> Self {
        let message = format!("could not use the state directory '{}': {}", directory.display(), chain(why));
        Self { code, message, hint: Some(hint.to_owned()) }
    }

    /// The exit code.
    #[must_use]
    pub fn code(&self) -> ExitCode {
        self.code.into()
    }

    /// The whole of it in one line.
    #[must_use]
    pub fn line(&self) -> String {
        let mut line = self.message.replace(['\n', '\r'], " ");
        if let Some(hint) = &self.hint {
            let _ = write!(line, "; hint: {hint}");
        }
        line
    }
}

/// What helps where the kernel says no to a state directory.
const WRITABLE: &str = "the user that sse-bridge runs as must be able to write there; choose another --state-dir if not";

/// What helps where the kernel says this of a state directory.
fn cure(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "free some room there, or choose another --state-dir",
        io::ErrorKind::ReadOnlyFilesystem => "the file system must be writable; choose another --state-dir if not",
        _ if is_scarcity(error) => {
            "this machine or the limits of the process have no room for more open files; start it again later"
        }
        _ => WRITABLE,
    }
}

/// What helps where a later version has been.
const NEWER: &str = "start the version that wrote it, or choose another --state-dir";

/// Whether a segment is of a later version: opening says so with an error of this kind, which the kernel gives a number where it is its own.
fn is_newer(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported && error.raw_os_error().is_none()
}

impl From<ConfigError> for Fatal {
    fn from(error: ConfigError) -> Self {
        match error {
            ConfigError::Invalid { what, hint } => Self { code: 2, message: what, hint: Some(hint) },
            ConfigError::Resolve(error) => error.into(),
        }
    }
}

impl From<ListenError> for Fatal {
    fn from(error: ListenError) -> Self {
        let hint = match &error {
            ListenError::Resolve { .. } => "check the name in --listen",
            ListenError::Bind { source, .. } => match source.kind() {
                io::ErrorKind::AddrInUse => "something listens there already; --port 0 picks a free port",
                io::ErrorKind::AddrNotAvailable => "this machine does not have the address (yet)",
                io::ErrorKind::PermissionDenied => "ports below 1024 are for root; --port 8080 is not",
                _ => "check --listen and --port",
            },
        };
        Self { code: 75, message: chain(&error), hint: Some(hint.to_owned()) }
    }
}

/// An error and its causes in one line; each says its own level only.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = plain(error);
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {}", plain(error));
        cause = error.source();
    }
    text
}

/// What the kernel says, without its number.
fn plain(error: &dyn Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" (os error ") {
        Some((plain, _)) => plain.to_lowercase(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::sync::Arc;

    use crate::store::Keep;
    use crate::store::disk::archive::Archive;
    use crate::store::disk::volume::Kernel;

    fn not_locked(why: &NotLocked) -> (u8, String) {
        let fatal = Fatal::not_locked(Path::new("/x"), why);
        (fatal.code, fatal.line())
    }

    fn not_opened(why: &NoLife) -> (u8, String) {
        let fatal = Fatal::not_opened(Path::new("/x"), why);
        (fatal.code, fatal.line())
    }

    #[test]
    fn a_state_directory_in_use_says_who_uses_it() {
        let line = "could not use the state directory '/x': it is in use by another sse-bridge (pid 123); \
                    hint: give each daemon a --state-dir of its own";
        assert_eq!(not_locked(&NotLocked::InUse(Some(123))), (75, line.to_owned()));
        assert_eq!(not_locked(&NotLocked::InUse(None)), (75, line.replace(" (pid 123)", "")));
    }

    #[test]
    fn a_state_directory_that_time_can_cure_is_75() {
        let denied = || io::Error::from_raw_os_error(libc::EACCES);
        for (fatal, words) in [
            (not_locked(&NotLocked::NoDirectory), "'/x': it is no directory; hint: --state-dir is a directory"),
            (not_locked(&NotLocked::NoFile), "'/x': its '@lock' is not a regular file; hint: remove"),
            (not_locked(&NotLocked::Make(denied())), "'/x': it could not be made: permission denied; hint: the user"),
            (not_locked(&NotLocked::Lock(denied())), "'/x': its '@lock' could not be locked: permission denied; hint: the user"),
            (not_opened(&denied().into()), "'/x': permission denied; hint: the user"),
            (
                not_opened(&NoLife::Directory { what: "written", error: io::Error::from_raw_os_error(libc::ENOSPC) }),
                "'/x': it could not be written: no space left on device; hint: free some room",
            ),
            (not_locked(&NotLocked::Write(denied())), "'/x': it could not be written: permission denied; hint: the user"),
            (not_opened(&io::Error::from_raw_os_error(libc::EMFILE).into()), "'/x': too many open files; hint: this machine"),
            // Of a file system that knows no such operation.
            (not_opened(&io::Error::from_raw_os_error(libc::EOPNOTSUPP).into()), "supported; hint: the user"),
        ] {
            let (code, line) = fatal;
            assert!(code == 75 && line.contains(words) && line.lines().count() == 1, "{code}: {line}");
        }
    }

    #[test]
    fn a_directory_of_somebody_else_is_2() {
        let (code, line) = not_locked(&NotLocked::Foreign);
        assert!(
            code == 2 && line.contains("'/x': it is not empty, and no sse-bridge has used it; hint: --state-dir"),
            "{code}: {line}"
        );
    }

    #[test]
    fn a_state_directory_of_a_newer_version_is_2() {
        let (code, line) = not_opened(&NoLife::Newer(2));
        let words = "'/x': its format 2 is newer than this program's (1); hint: start the version that wrote it";
        assert!(code == 2 && line.contains(words), "{code}: {line}");
    }

    #[test]
    fn a_segment_of_a_newer_version_is_2() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a/1-00000000000000000001.sse");
        let fields = "2 whatever comes";
        fs::create_dir(root.path().join("a")).unwrap();
        fs::write(&path, format!(": sse-bridge {fields} {:08x}\n", crc32fast::hash(fields.as_bytes()))).unwrap();
        let why = Archive::open(Arc::new(Kernel), root.path(), 1000, Keep { size: 1 << 20, age: None }).expect_err("it is newer");
        let (code, line) = not_opened(&why);
        let words = format!("'/x': '{}': its format 2 is newer than this program's (1); hint: start the version", path.display());
        assert!(code == 2 && line.contains(&words), "{code}: {line}");
    }
}
