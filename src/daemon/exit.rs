//! How the daemon ends: the one place where errors become messages and exit codes.
//!
//! | code | when |
//! | --- | --- |
//! | 0 | stopped by a signal or by `--exit-on-eof` |
//! | 1 | something that should not happen |
//! | 2 | what time cannot cure: the command line, the wrong kind of input |
//! | 75 | what time can cure: a port taken, an address or a name absent (EX_TEMPFAIL of sysexits.h) |

use std::error::Error;
use std::fmt::Write as _;
use std::io;
use std::process::ExitCode;

use crate::config::ConfigError;
use crate::http::listener::ListenError;

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

    /// A command line that cannot be understood. clap says it in several lines; this is the one that matters.
    #[must_use]
    pub fn usage(error: &clap::Error) -> Self {
        let text = error.render().to_string();
        // The message ends at the first empty line: a value in it may have line breaks.
        let first = text.split("\n\n").next().unwrap_or(&text).trim_end();
        let message = first.strip_prefix("error: ").unwrap_or(first).trim_end_matches('.').to_owned();
        let mut lines = text.lines().map(str::trim);
        let tip = lines.find_map(|line| line.strip_prefix("tip: ").or_else(|| line.strip_prefix('[')));
        let hint =
            tip.map_or_else(|| "sse-bridge --help lists what there is".to_owned(), |tip| tip.trim_end_matches(']').to_owned());
        Self { code: 2, message, hint: Some(hint) }
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
