//! What the kernel says of an error: in words that stand behind a colon, and whether it says anything of the file.

use std::io;

use nix::errno::Errno;

/// What the kernel says of an error, without its number; of one that is not the kernel's, its own words.
#[must_use]
pub fn reason(error: &io::Error) -> String {
    error.raw_os_error().map_or_else(|| error.to_string(), |code| Errno::from_raw(code).desc().to_lowercase())
}

/// Whether an error says that there is no descriptor or no memory left, and so nothing of the file: what is known of it stays as it is.
#[must_use]
pub fn is_scarcity(error: &io::Error) -> bool {
    matches!(error.raw_os_error().map(Errno::from_raw), Some(Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM))
}
