//! Who keeps a pipe open while the daemon is not there to do it.

use std::fmt;
use std::os::fd::BorrowedFd;

use crate::source::identity::Identity;

/// What it is told.
#[derive(Debug)]
pub enum Kept<'a> {
    /// This pipe has been opened.
    Open(Identity, BorrowedFd<'a>),
    /// This pipe has been read to its end for good.
    Over(Identity),
}

/// Tells somebody.
pub struct Keeper(Box<dyn Fn(Kept<'_>) + Send>);

impl Keeper {
    /// One that tells whom it likes.
    pub fn new(tell: impl Fn(Kept<'_>) + Send + 'static) -> Self {
        Self(Box::new(tell))
    }

    /// Nobody keeps anything.
    #[must_use]
    pub fn nobody() -> Self {
        Self::new(|_| {})
    }

    /// Tells.
    pub fn tell(&self, what: Kept<'_>) {
        (self.0)(what);
    }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keeper")
    }
}
