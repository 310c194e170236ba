//! What a user asks of history on disk: how soon it is safe from a power cut, and how much of it is kept.

use std::time::Duration;

/// When what was appended is made safe from a power cut. The end of the process costs nothing in any case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sync {
    /// When the kernel thinks fit.
    Never,
    /// Once a second.
    #[default]
    Interval,
    /// Before it is published: nobody sees what a power cut could take.
    Always,
}

/// What is kept; what is more is let go, the oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// How many bytes the segments of all channels may take together.
    pub size: u64,
    /// How old an event becomes; for ever without it.
    pub age: Option<Duration>,
}
