//! Faults of clients that are known: each is named in the table, and must be exactly this.
//!
//! A fault that has been mended makes the matrix fail as well, so that this list stays true.

use super::{clients::Client, row::Trial, stream::Heard};

/// A known fault of one client in one row.
pub(crate) struct Fault {
    /// Whose.
    pub(crate) client: Client,
    /// In which row.
    pub(crate) row: u8,
    /// Its name in the cell.
    pub(crate) name: &'static str,
    /// What it is, below the table.
    pub(crate) about: &'static str,
    /// Which trials of the row it concerns; the others must be good.
    pub(crate) concerns: fn(&Trial) -> bool,
    /// Milliseconds that the client is given, if the fault is that it needs more.
    pub(crate) limit: Option<u64>,
    /// Whether what was heard is this fault and nothing else.
    pub(crate) is_this: fn(&Trial, &Heard) -> bool,
}

/// Far more than a client needs whose time grows with the bytes, far less than one whose time grows with their square.
const SLOW: u64 = 5000;

/// All of them.
pub(crate) const KNOWN: [Fault; 3] = [
    Fault {
        client: Client::SseclientPy,
        row: 17,
        name: "quadratic",
        about: "sseclient-py copies all it has of an event for each piece that it reads: 10 MiB in pieces of 128 bytes take \
                minutes. It is shown not to be done in 5 s, and to take a line of 256 KiB",
        concerns: is_full_size,
        limit: Some(SLOW),
        is_this: is_too_slow,
    },
    Fault {
        client: Client::SseclientPy,
        row: 19,
        name: "quadratic",
        about: "the same for the lines of an event: it is shown not to be done with 100,001 in 5 s, and to take 2,001",
        concerns: is_full_size,
        limit: Some(SLOW),
        is_this: is_too_slow,
    },
    Fault {
        client: Client::Firefox,
        row: 25,
        name: "gives up before the body",
        about: "Firefox gives up for good (readyState 2) if the connection breaks between the head and the first byte of the \
                body and the page is of another origin, as the matrix's is; on a page of the same origin it returns, and \
                after any later byte it always does",
        concerns: |trial| trial.breaks_before_body,
        limit: None,
        is_this: gives_up,
    },
];

/// The fault that a client is known to have with this trial.
pub(crate) fn known(client: Client, row: u8, trial: &Trial) -> Option<&'static Fault> {
    KNOWN.iter().find(|fault| fault.client == client && fault.row == row && (fault.concerns)(trial))
}

/// A smaller variant is made so that it has no fault.
fn is_full_size(trial: &Trial) -> bool {
    trial.only.is_none()
}

fn is_too_slow(_: &Trial, heard: &Heard) -> bool {
    heard.messages.is_empty() && heard.error.as_deref().is_some_and(|error| error.starts_with("no end within"))
}

fn gives_up(_: &Trial, heard: &Heard) -> bool {
    heard.messages.is_empty() && heard.error.as_deref() == Some("the client gave up")
}
