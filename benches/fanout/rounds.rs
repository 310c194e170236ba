//! Turns: everybody who is asked for, one after the other, round after round. So whatever else the machine does meets all alike,
//! and a ratio is of two measurements that were made seconds apart.

use std::io::{self, IsTerminal, Write};

use super::contestant::{Ready, Who};

/// Who takes part, and how often.
pub(crate) struct Field {
    /// Those who can be started, or why not.
    pub(crate) all: Vec<(Who, Result<Ready, String>)>,
    pub(crate) rounds: usize,
    /// Those who are neither ours nor the limit have so many.
    pub(crate) rounds_of_peers: usize,
}

/// What one contestant has brought home.
pub(crate) struct Results<T> {
    pub(crate) who: Who,
    /// By round; none where it took no part, or failed.
    pub(crate) rounds: Vec<Option<T>>,
    /// Why there is none.
    pub(crate) failures: Vec<String>,
}

impl<T> Results<T> {
    /// All that there is.
    pub(crate) fn all(&self) -> impl Iterator<Item = &T> {
        self.rounds.iter().flatten()
    }
}

impl Field {
    /// Measures each of these in its turn.
    pub(crate) fn interleave<T>(
        &self,
        name: &str,
        of: &[Who],
        mut measure: impl FnMut(&Ready) -> io::Result<T>,
    ) -> Vec<Results<T>> {
        let part = self.all.iter().filter(|(who, _)| of.contains(who));
        let mut results: Vec<_> = part
            .map(|(who, ready)| {
                (ready, Results { who: *who, rounds: Vec::new(), failures: ready.clone().err().into_iter().collect() })
            })
            .collect();
        for round in 0..self.rounds {
            for (ready, results) in &mut results {
                let Ok(ready) = ready else { continue };
                let takes_part = ready.who.must_deliver() || round < self.rounds_of_peers;
                let measured = takes_part.then(|| {
                    progress(&format!("{name}, round {} of {}: {}", round + 1, self.rounds, ready.who));
                    measure(ready)
                });
                results
                    .rounds
                    .push(measured.and_then(|measured| measured.map_err(|error| results.failures.push(error.to_string())).ok()));
            }
        }
        progress("");
        results.into_iter().map(|(_, results)| results).collect()
    }
}

/// Shows on a terminal how far it is, on one line that is written again and again.
fn progress(text: &str) {
    if io::stderr().is_terminal() {
        // Nobody needs it.
        let _ = write!(io::stderr(), "\r\x1b[K{text}");
    }
}
