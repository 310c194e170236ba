//! The wall clock, read at the edge: sources stamp what arrives, and clients ask for what is ten minutes old.

use crate::event::Millis;

/// Now, in Unix milliseconds. It may step back; the store does not let ids follow it.
#[must_use]
pub fn now() -> Millis {
    let since_epoch = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
}
