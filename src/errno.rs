//! What the kernel says of an error, in words that stand behind a colon.

use std::io;

use nix::errno::Errno;

/// What the kernel says of an error, without its number; of one that is not the kernel's, its own words.
#[must_use]
pub fn reason(error: &io::Error) -> String {
    error.raw_os_error().map_or_else(|| error.to_string(), |code| Errno::from_raw(code).desc().to_lowercase())
}
