//! sse-bridge itself, as it is built for release.

use std::process::Command;

use super::process;

/// A stream begins with a comment and a `start` event.
pub(crate) const GREETS: bool = true;

/// It ends with its input, so that it does not stay if this program is killed.
pub(crate) fn command(options: &[&str]) -> Command {
    let mut command = process::bridge(None, 0);
    command.args(["--max-clients", "100000"]).args(options);
    command
}
