//! What a client is sent next: from its cursor to the newest event, again and again.
//!
//! Whoever asks gets everything that waits, as one [`Chunk`] of bounded size or one larger event. Nothing is queued for a
//! client: while it does not take a chunk, no other is made. Its cursor stays behind, and when the history has moved past it, it is told
//! so by a `gap`. How chunks reach the peer is the business of [`super::reactor`] (HTTP/1) and [`super::body`] (HTTP/2).

use std::time::Duration;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::query::{Format, Heartbeat};
use super::sifting::{Enough, Sifting};
use super::slots::Slot;
use crate::channel::{Archived, Cursor, Gap, Greeting, Reading, Reason, Start, Subscriber};
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
    /// What it does not want of the view, if it does not want all.
    pub sifting: Option<Box<Sifting>>,
}

/// What goes out in one piece: what is said to this client alone, and then events, in memory that everybody shares.
#[derive(Debug, Default)]
pub struct Chunk {
    /// Said to this client; lines alone, if it is sent those.
    pub said: Vec<u8>,
    /// Encoded events.
    pub events: Vec<Bytes>,
    /// How the events in it are had once more.
    pub again: Again,
}

/// How a chunk is made once more, for who has taken a part of it.
#[derive(Debug, Clone, Default)]
pub enum Again {
    /// There are no events in it: what was said is kept.
    #[default]
    Said,
    /// Its events are read again.
    Read(Span),
    /// Not at all: which events they are depends on what was before.
    Not,
}

/// Which events a chunk holds: enough to read them again.
#[derive(Debug, Clone)]
pub struct Span {
    /// The cursor from which they were read.
    pub from: Cursor,
    /// The number behind which it stood then.
    pub to: u64,
    /// How many bytes were said before them.
    pub behind: usize,
}

/// What is next for a client.
#[derive(Debug)]
pub enum Next {
    /// This goes out.
    Chunk(Chunk),
    /// These have to be read from the disk.
    Archived(Archived),
    /// Nothing yet, but so much was looked through that others have their turn first.
    Later,
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
        if self.format == Format::EventStream {
            sse::preamble(&mut self.said, retry);
        }
        match greeting {
            _ if self.format == Format::Text => {}
            Greeting::None => {}
            Greeting::Start(start) => say_start(start, &mut self.said, self.format),
            Greeting::Gap(gap) => tell(gap, &mut self.said, self.format, metrics),
        }
    }
}

/// Looks at what waits for a client, and makes a chunk of it, behind what has been `said`: at most `room` bytes of events, or one that is larger,
/// and none behind `meeting`, if that is ahead.
pub fn next(
    subscriber: &mut Subscriber,
    mut sifting: Option<&mut Sifting>,
    format: Format,
    mut said: Vec<u8>,
    room: usize,
    meeting: Option<&Cursor>,
    metrics: &Metrics,
) -> Next {
    let mut enough = Enough::of_a_turn();
    loop {
        let from = subscriber.cursor().clone();
        match subscriber.read(room, meeting) {
            Reading::Events(events) => {
                let chunk = match sifting.as_deref_mut() {
                    None => Chunk::of_events(said, events, from, subscriber.cursor().number(), format),
                    Some(sifting) => sifting.chunk_of(said, &events, (from, subscriber), format, &mut enough),
                };
                // Control events have no lines.
                if !chunk.is_empty() {
                    return Next::Chunk(chunk);
                }
                if enough.is_reached() {
                    return Next::Later;
                }
                said = chunk.said;
            }
            // Of a line that is not whole nobody can say whether it passes.
            Reading::Progress(_) if sifting.is_some() => {}
            Reading::Progress(states) => {
                said = Chunk::of_progress(said, &states, format).said;
                if !said.is_empty() {
                    return Next::Chunk(Chunk { said, ..Chunk::default() });
                }
            }
            Reading::Gap(_) if format == Format::Text => return Next::Cut,
            Reading::Gap(gap) => {
                if let Some(sifting) = &mut sifting {
                    sifting.note_gap(gap.to);
                }
                let mut gap = gap;
                gap.lost = gap.lost.filter(|_| sifting.is_none());
                tell(&gap, &mut said, format, metrics);
            }
            Reading::CaughtUp | Reading::Finished | Reading::Archived(_) if !said.is_empty() => {
                return Next::Chunk(Chunk { said, ..Chunk::default() });
            }
            Reading::Archived(archived) => return Next::Archived(archived),
            Reading::CaughtUp => match sifting.as_deref_mut().and_then(|sifting| sifting.first_bookmark(subscriber, format)) {
                Some(said) => return Next::Chunk(Chunk { said, ..Chunk::default() }),
                None => return Next::Wait,
            },
            Reading::Finished => return Next::End,
        }
    }
}

fn tell(gap: &Gap, said: &mut Vec<u8>, format: Format, metrics: &Metrics) {
    count(gap, metrics);
    say(said, format, |out| sse::control(out, Some(gap.to), "gap", gap));
}

/// Counts a gap that a client is told of.
pub fn count(gap: &Gap, metrics: &Metrics) {
    let counter = match gap.reason {
        Reason::Slow => &metrics.gaps_slow,
        Reason::Restart => &metrics.gaps_restart,
        // The others are gaps of a source, which are events.
        _ => &metrics.gaps_dropped,
    };
    counter.add(1);
    metrics.lost_events.add(gap.lost.unwrap_or(0));
}

/// Says where a stream is behind which there is nothing to send yet.
pub fn say_start(start: &Start, said: &mut Vec<u8>, format: Format) {
    say(said, format, |out| sse::control(out, Some(start.position), "start", start));
}

/// Says a control event as this client reads it; lines alone have none.
fn say(said: &mut Vec<u8>, format: Format, control: impl FnOnce(&mut Vec<u8>)) {
    match format {
        Format::EventStream => control(said),
        Format::Text => {}
        Format::Ndjson => {
            let mut event = Vec::new();
            control(&mut event);
            sse::ndjson::objects(&event, said);
        }
    }
}

impl Chunk {
    /// A chunk of events that were read with `from` as the cursor, which stands behind `to` now.
    #[must_use]
    pub fn of_events(mut said: Vec<u8>, events: Vec<Bytes>, from: Cursor, to: u64, format: Format) -> Self {
        let again = Again::Read(Span { from, to, behind: said.len() });
        let write: fn(&[u8], &mut Vec<u8>) = match format {
            Format::EventStream => return Self { said, events, again },
            Format::Text => sse::lines,
            Format::Ndjson => sse::ndjson::objects,
        };
        for part in &events {
            write(part, &mut said);
        }
        Self { said, events: Vec::new(), again }
    }

    /// A chunk of states of unfinished lines; only event streams have them, which are for eyes as well.
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

/// What breaks the silence of a stream; nothing if only an event stream could say it.
#[must_use]
pub fn sign_of_life(heartbeat: Heartbeat, format: Format) -> Vec<u8> {
    let mut sign = Vec::new();
    match (heartbeat, format) {
        (Heartbeat::Comment, Format::EventStream) => sign.extend_from_slice(sse::HEARTBEAT),
        (Heartbeat::Comment, _) => {}
        (Heartbeat::Ping, _) => say(&mut sign, format, |out| sse::control(out, None, "ping", &serde_json::json!({}))),
    }
    sign
}

/// Whether a stream may have to say something in silence.
#[must_use]
pub fn has_signs_of_life(heartbeat: Heartbeat, format: Format, is_sifted: bool) -> bool {
    match format {
        Format::EventStream => true,
        Format::Ndjson => is_sifted || heartbeat == Heartbeat::Ping,
        Format::Text => false,
    }
}
