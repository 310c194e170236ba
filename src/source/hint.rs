//! A command that buffers its output looks like a bridge that hangs. Programs that write through the C library send a pipe
//! blocks of exactly 4096 bytes, wherever a line happens to be; if a pause follows, the reader misses half a line and wonders.

use std::time::{Duration, Instant};

/// The block that the C library collects for a pipe, in bytes.
const STDIO_BLOCK: usize = 4096;

/// A pause that a person notices.
const PAUSE: Duration = Duration::from_secs(1);

/// Watches for the signs of a buffering writer, to tell it once.
#[derive(Debug, Default)]
pub struct BlockBuffering {
    suspected_at: Option<Instant>,
    is_told: bool,
}

impl BlockBuffering {
    /// A read gave so many bytes; `is_inside_line` says whether they ended inside a line.
    pub fn note(&mut self, count: usize, is_inside_line: bool, now: Instant) {
        let is_suspect = count.is_multiple_of(STDIO_BLOCK) && is_inside_line && !self.is_told;
        self.suspected_at = is_suspect.then_some(now);
    }

    /// When a pause will have been long enough.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        self.suspected_at.map(|at| at + PAUSE)
    }

    /// Whether it is time to tell; true once.
    pub fn is_time_to_tell(&mut self, now: Instant) -> bool {
        let is_time = self.due().is_some_and(|due| due <= now);
        if is_time {
            self.suspected_at = None;
            self.is_told = true;
        }
        is_time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_inside_a_line_before_a_pause_are_told_once() {
        let start = Instant::now();
        let mut hint = BlockBuffering::default();
        hint.note(4096, false, start);
        assert_eq!(hint.due(), None);
        hint.note(8192, true, start);
        assert!(!hint.is_time_to_tell(start));
        hint.note(100, true, start);
        assert!(!hint.is_time_to_tell(start + 2 * PAUSE), "bytes followed");
        hint.note(4096, true, start);
        assert!(hint.is_time_to_tell(start + PAUSE));
        hint.note(4096, true, start);
        assert_eq!(hint.due(), None, "told before");
    }
}
