//! How much is measured.

use std::fmt;
use std::time::Duration;

use super::run::Times;

pub(crate) struct Extent {
    pub(crate) rounds: usize,
    pub(crate) rounds_of_peers: usize,
    pub(crate) times: Times,
    /// Clients that do nothing.
    pub(crate) idle_clients: usize,
    /// How long they do nothing.
    pub(crate) idling: Duration,
    /// Lines that are sent from memory.
    pub(crate) replay_lines: u64,
    pub(crate) ingest_lines: u64,
}

/// Descriptors of this process that are not clients.
pub(crate) const OTHER_DESCRIPTORS: usize = 500;

impl Extent {
    /// As many idle clients as are wanted, or as there are descriptors for.
    pub(crate) fn possible_idle_clients(&self, descriptors: usize) -> usize {
        self.idle_clients.min(descriptors.saturating_sub(OTHER_DESCRIPTORS))
    }
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Times { warm_up, window } = self.times;
        let peers = self.rounds_of_peers;
        let of_peers = if peers == self.rounds { String::new() } else { format!(", {peers} of them with all contestants") };
        write!(f, "{} rounds{of_peers}; rates for {window:?} after a warm-up of {warm_up:?}", self.rounds)
    }
}

/// Bytes of a line as an event: `id: 1763660000123-1234567/stdin`, `data: ` and the line.
const EVENT: u64 = 160;

/// Some twenty-five minutes.
pub(crate) const FULL: Extent = Extent {
    rounds: 5,
    rounds_of_peers: 5,
    times: Times { warm_up: Duration::from_secs(1), window: Duration::from_secs(4) },
    idle_clients: 10_000,
    idling: Duration::from_secs(30),
    replay_lines: (512 << 20) / EVENT,
    ingest_lines: 8_000_000,
};

/// Below two minutes.
pub(crate) const QUICK: Extent = Extent {
    rounds: 2,
    rounds_of_peers: 1,
    times: Times { warm_up: Duration::from_millis(400), window: Duration::from_secs(1) },
    idle_clients: 2000,
    idling: Duration::from_secs(15),
    replay_lines: (64 << 20) / EVENT,
    ingest_lines: 4_000_000,
};
