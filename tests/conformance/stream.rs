//! What a client is asked to follow, and what it says it heard: the words between the matrix and its drivers.
//!
//! Every driver, in whatever language, takes a list of [`Stream`]s as JSON and gives one [`Heard`] for each.

use serde::{Deserialize, Serialize};

/// When a client is done with a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Until {
    /// At the `end` event.
    End,
    /// When a 204 has told it not to return. Clients that do not return by themselves are done at the stream's close.
    Closed,
    /// After this many messages, while the stream goes on.
    Count(usize),
}

/// One stream that a client is to follow.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Stream {
    /// Names it in the answer, and in messages.
    pub(crate) name: String,
    /// Where it is.
    pub(crate) url: String,
    /// The event types to listen for: an `EventSource` hears no others.
    pub(crate) types: Vec<String>,
    /// When the client is done.
    pub(crate) until: Until,
    /// Whether connections break, and the client is to return with its last id.
    pub(crate) returns: bool,
    /// Milliseconds until the driver gives up.
    pub(crate) limit: u64,
}

impl Stream {
    /// The port and the path of the URL.
    pub(crate) fn place(&self) -> (u16, &str) {
        let rest = self.url.strip_prefix("http://127.0.0.1:").unwrap_or_default();
        let (port, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        (port.parse().unwrap_or_default(), path)
    }
}

/// One message as a client gave it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Said {
    /// The last event id.
    pub(crate) id: String,
    /// The event type.
    pub(crate) event: String,
    /// The data.
    pub(crate) data: String,
}

/// What a client heard of one stream.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Heard {
    /// The stream's name.
    pub(crate) name: String,
    /// All messages, in order.
    pub(crate) messages: Vec<Said>,
    /// How often the connection broke or closed and the client returned.
    pub(crate) breaks: u64,
    /// Why the client did not come to the stream's end.
    pub(crate) error: Option<String>,
}

/// Control events that come or not by timing: the matrix leaves them out before it compares.
const PASSING: [&str; 3] = ["start", "progress", "ping"];

/// The event types that every client listens for.
const TYPES: [&str; 8] = ["message", "start", "gap", "end", "run", "progress", "busy", "ping"];

/// The types of every stream and those of a case.
pub(crate) fn types<'a>(own: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut types: Vec<String> = TYPES.map(str::to_owned).into();
    for name in own {
        if !types.iter().any(|known| known == name) {
            types.push(name.to_owned());
        }
    }
    types
}

/// Whether this message belongs to what every client must hear.
pub(crate) fn lasts(said: &Said) -> bool {
    !PASSING.contains(&said.event.as_str())
}
