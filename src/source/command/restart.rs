//! Whether a command is started again, and after which pause. Pure.

use std::time::Duration;

use super::Exit;
use crate::pause;

/// The shortest and the longest pause.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(30));

/// After a run that lasted so long the pauses begin anew: it did not fail at its start.
const LONG_RUN: Duration = Duration::from_secs(10);

/// Whether a command is started again when it has ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Restart {
    /// It is run once.
    #[default]
    Never,
    /// Unless it ended with the code 0.
    OnFailure,
    /// However it ended.
    Always,
}

impl Restart {
    /// Whether there is another run behind one that ended so.
    #[must_use]
    pub fn wants_another(self, exit: Exit) -> bool {
        match self {
            Self::Never => false,
            Self::OnFailure => exit != Exit::Code(0),
            Self::Always => true,
        }
    }
}

/// Pauses that grow while runs are short.
#[derive(Debug, Clone, Copy)]
pub struct Pauses(pause::Pauses);

impl Default for Pauses {
    fn default() -> Self {
        Self(pause::Pauses::new(PAUSE.0, PAUSE.1))
    }
}

impl Pauses {
    /// The pause after a run that `lasted` so long.
    pub fn after(&mut self, lasted: Duration) -> Duration {
        if lasted >= LONG_RUN {
            self.0.reset();
        }
        self.0.grow()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound_and_begin_anew_after_a_long_run() {
        let mut pauses = Pauses::default();
        let short = Duration::from_secs(1);
        let grown: Vec<_> = (0..11).map(|_| pauses.after(short).as_millis()).collect();
        assert_eq!(grown, [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]);
        assert_eq!((pauses.after(LONG_RUN), pauses.after(short)), (PAUSE.0, PAUSE.0 * 2));
    }

    #[test]
    fn only_a_clean_exit_is_no_failure() {
        let exits = [Exit::Code(0), Exit::Code(1), Exit::Signal(15)];
        let again = |restart: Restart| exits.map(|exit| restart.wants_another(exit));
        assert_eq!(again(Restart::Never), [false; 3]);
        assert_eq!(again(Restart::OnFailure), [false, true, true]);
        assert_eq!(again(Restart::Always), [true; 3]);
    }
}
