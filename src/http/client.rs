//! What a client is sent next: from its cursor to the newest event, again and again.
//!
//! Whoever asks gets everything that waits, as one [`Chunk`] of bounded size or one larger event. Nothing is queued for a
//! client: while it does not take a chunk, no other is made. Its cursor stays behind, and when the history has moved past it, it is told
//! so by a `gap`. How chunks reach the peer is the business of [`super::reactor`] (HTTP/1) and [`super::body`] (HTTP/2).

use std::time::Duration;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::query::{Format, Heartbeat};
use super::slots::Slot;
use crate::channel::{Archived, Cursor, Gap, Greeting, Reading, Subscriber};
use crate::metrics::Metrics;
use crate::sse;

/// How streams end when the daemon stops. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Ending {
    /// Streams end as soon as they have sent what is there.
    pub soon: CancellationToken,
    /// Streams end behind the event that they are sending.
    pub now: CancellationToken,
}

/// Everything that one stream needs.
#[derive(Debug)]
pub struct Client {
    /// Where it is.
    pub subscriber: Subscriber,
    /// As what it is sent.
    pub format: Format,
    /// How silence is broken.
    pub heartbeat: Heartbeat,
    /// After how much of it.
    pub silence: Duration,
    /// Its place among the clients; given back when it leaves.
    pub slot: Slot,
    /// Bytes that go out before everything else.
    pub said: Vec<u8>,
}

/// What goes out in one piece: what is said to this client alone, and then events, in memory that everybody shares.
#[derive(Debug, Default)]
pub struct Chunk {
    /// Said to this client; lines alone, if it is sent those.
    pub said: Vec<u8>,
    /// Encoded events.
    pub events: Vec<Bytes>,
    /// From where to where they were read, if any were.
    pub span: Option<Span>,
}

/// Which events a chunk holds: enough to read them again.
#[derive(Debug, Clone)]
pub struct Span {
    /// The cursor from which they were read.
    pub from: Cursor,
    /// The number behind which it stood then.
    pub to: u64,
}

/// What is next for a client.
#[derive(Debug)]
pub enum Next {
    /// This goes out.
    Chunk(Chunk),
    /// These have to be read from the disk.
    Archived(Archived),
    /// Nothing until the view has news.
    Wait,
    /// The stream is cut without a clean end, so that the client knows that something is missing.
    Cut,
    /// The stream is complete.
    End,
}

impl Client {
    /// Says hello: the preamble, and what stands before the first event.
    pub fn greet(&mut self, greeting: &Greeting, retry: u64, metrics: &Metrics) {
        if self.format == Format::Text {
            return;
        }
        sse::preamble(&mut self.said, retry);
        match greeting {
            Greeting::None => {}
            Greeting::Start(start) => sse::control(&mut self.said, Some(start.position), "start", start),
            Greeting::Gap(gap) => tell(gap, &mut self.said, metrics),
        }
    }
}

/// Looks at what waits for a client, and makes a chunk of it, behind what has been `said`: at most `room` bytes of events, or one that is larger,
/// and none behind `meeting`, if that is ahead.
pub fn next(
    subscriber: &mut Subscriber,
    format: Format,
    mut said: Vec<u8>,
    room: usize,
    meeting: Option<&Cursor>,
    metrics: &Metrics,
) -> Next {
    loop {
        let from = subscriber.cursor().clone();
        match subscriber.read(room, meeting) {
            Reading::Events(events) => {
                let chunk = Chunk::of_events(said, events, from, subscriber.cursor().number(), format);
                // Control events have no lines.
                if !chunk.is_empty() {
                    return Next::Chunk(chunk);
                }
                said = chunk.said;
            }
            Reading::Progress(states) => {
                said = Chunk::of_progress(said, &states, format).said;
                if !said.is_empty() {
                    return Next::Chunk(Chunk { said, ..Chunk::default() });
                }
            }
            Reading::Gap(_) if format == Format::Text => return Next::Cut,
            Reading::Gap(gap) => tell(&gap, &mut said, metrics),
            Reading::CaughtUp | Reading::Finished | Reading::Archived(_) if !said.is_empty() => {
                return Next::Chunk(Chunk { said, ..Chunk::default() });
            }
            Reading::Archived(archived) => return Next::Archived(archived),
            Reading::CaughtUp => return Next::Wait,
            Reading::Finished => return Next::End,
        }
    }
}

fn tell(gap: &Gap, said: &mut Vec<u8>, metrics: &Metrics) {
    metrics.gaps.add(1);
    sse::control(said, Some(gap.to), "gap", gap);
}

impl Chunk {
    /// A chunk of events that were read with `from` as the cursor, which stands behind `to` now.
    #[must_use]
    pub fn of_events(mut said: Vec<u8>, events: Vec<Bytes>, from: Cursor, to: u64, format: Format) -> Self {
        let span = Some(Span { from, to });
        match format {
            Format::EventStream => Self { said, events, span },
            Format::Text => {
                for part in &events {
                    sse::lines(part, &mut said);
                }
                Self { said, events: Vec::new(), span }
            }
        }
    }

    /// A chunk of states of unfinished lines; plain text has none.
    #[must_use]
    pub fn of_progress(mut said: Vec<u8>, states: &[Bytes], format: Format) -> Self {
        if format == Format::EventStream {
            for state in states {
                said.extend_from_slice(state);
            }
        }
        Self { said, ..Self::default() }
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.said.is_empty() && self.events.is_empty()
    }

    /// Its bytes.
    #[must_use]
    pub fn length(&self) -> usize {
        self.said.len() + self.events.iter().map(Bytes::len).sum::<usize>()
    }

    /// As one piece of memory: a part that stands alone is shared, several small ones are copied together, which costs less than a write each.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        let Self { mut said, events, .. } = self;
        match &*events {
            [single] if said.is_empty() => single.clone(),
            _ => {
                for part in &events {
                    said.extend_from_slice(part);
                }
                said.into()
            }
        }
    }
}

/// What breaks the silence of an event stream.
#[must_use]
pub fn sign_of_life(heartbeat: Heartbeat) -> Vec<u8> {
    match heartbeat {
        Heartbeat::Comment => sse::HEARTBEAT.to_vec(),
        Heartbeat::Ping => {
            let mut ping = Vec::new();
            sse::control(&mut ping, None, "ping", &serde_json::json!({}));
            ping
        }
    }
}
