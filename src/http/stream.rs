//! One client's stream: from its cursor to the newest event, again and again.
//!
//! Whoever wakes sends everything that waits, in one chunk of at most [`MAX_BATCH`] bytes or one larger event. Nothing is
//! queued for a client: while it does not take a chunk, no other is made. Its cursor stays behind, and when the history has
//! moved past it, it is told so by a `gap`.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::unfold;
use hyper::Version;
use hyper::body::Frame;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::query::{Format, Heartbeat};
use super::slots::Slot;
use super::stall::Pulse;
use crate::batch::MAX_BATCH;
use crate::channel::{Gap, Greeting, Reading, Subscriber};
use crate::metrics::Metrics;
use crate::sse;

/// The most bytes of a frame over HTTP/2: its default frame size (RFC 9113, 6.5.2).
const HTTP2_FRAME: usize = 16 * 1024;

/// The most bytes of a large event that wait for one client.
const PIECE: usize = 16 * 1024;

/// How streams end when the daemon stops. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Ending {
    /// Streams end as soon as they have sent what is there.
    pub soon: CancellationToken,
    /// Streams end behind the event that they are sending.
    pub now: CancellationToken,
}

/// The stream is cut without a clean end, so that the client knows that something is missing.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the client fell behind the history")]
pub struct Cut;

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
    /// How it ends with the daemon.
    pub ending: Ending,
    /// What it counts in.
    pub metrics: Arc<Metrics>,
    /// Its place among the clients; given back when it leaves.
    pub slot: Slot,
    /// Shows the connection that the body is still being polled.
    pub pulse: Pulse,
    /// Bytes that go out before everything else.
    pub first: Vec<u8>,
    /// How much of an event larger than a chunk has gone out, while it goes out in pieces.
    pub large: Option<usize>,
}

impl Client {
    /// Says hello: the preamble, and what stands before the first event.
    pub fn greet(&mut self, greeting: &Greeting, retry: u64) {
        if self.format == Format::Text {
            return;
        }
        sse::preamble(&mut self.first, retry);
        match greeting {
            Greeting::None => {}
            Greeting::Start(start) => sse::control(&mut self.first, Some(start.position), "start", start),
            Greeting::Gap(gap) => self.tell(gap),
        }
    }

    fn tell(&mut self, gap: &Gap) {
        self.metrics.gaps.add(1);
        sse::control(&mut self.first, Some(gap.to), "gap", gap);
    }

    /// The next chunk, when there is one; `None` at the clean end of the stream.
    async fn next(&mut self) -> Option<Result<Bytes, Cut>> {
        loop {
            match self.read() {
                Step::Send(chunk) => return Some(Ok(chunk)),
                Step::Cut => return Some(Err(Cut)),
                Step::End => return None,
                Step::Wait => {}
            }
            tokio::select! {
                biased;
                () = self.ending.soon.cancelled() => return None,
                () = self.subscriber.changed() => {}
                // Lines alone have no sign of life; waking shows the connection that this body is only silent.
                () = tokio::time::sleep(self.silence) => if self.format == Format::EventStream {
                    return Some(Ok(self.sign_of_life()));
                },
            }
        }
    }

    /// Looks at what waits and makes a chunk of it.
    fn read(&mut self) -> Step {
        if let Some(sent) = self.large {
            return self.next_piece(sent);
        }
        if self.ending.now.is_cancelled() {
            return Step::End;
        }
        loop {
            match self.subscriber.read(MAX_BATCH) {
                Reading::Events(parts) if self.format == Format::EventStream && parts[0].len() > MAX_BATCH => {
                    return self.next_piece(0);
                }
                Reading::Events(parts) => match self.chunk(&parts) {
                    // Control events have no lines.
                    chunk if chunk.is_empty() => {}
                    chunk => return Step::Send(chunk),
                },
                Reading::Progress(parts) if self.format == Format::EventStream => return Step::Send(self.chunk(&parts)),
                Reading::Progress(_) => {}
                Reading::Gap(_) if self.format == Format::Text => return Step::Cut,
                Reading::Gap(gap) => self.tell(&gap),
                Reading::CaughtUp | Reading::Finished if !self.first.is_empty() => return Step::Send(self.chunk(&[])),
                Reading::CaughtUp => return Step::Wait,
                Reading::Finished => return Step::End,
            }
        }
    }

    /// The next piece of an event that is larger than a chunk. It is taken anew from the history each time: a client that
    /// stands still must not hold what the history has dropped. If that happens inside the event, the stream is cut, and the
    /// client comes back with the id before it for its gap.
    fn next_piece(&mut self, sent: usize) -> Step {
        let Some(piece) = self.subscriber.piece_of_last(sent, PIECE) else { return Step::Cut };
        self.large = (piece.len() == PIECE).then_some(sent + PIECE);
        let chunk = if self.first.is_empty() { piece } else { self.chunk(&[piece]) };
        // An event that is a whole number of pieces ends with an empty one.
        if chunk.is_empty() { self.read() } else { Step::Send(chunk) }
    }

    /// What was said before, and these parts, as one piece of memory: a part that stands alone is shared, several small ones
    /// are copied together, which costs less than a chunk each.
    fn chunk(&mut self, parts: &[Bytes]) -> Bytes {
        let mut first = std::mem::take(&mut self.first);
        if self.format == Format::Text {
            for part in parts {
                sse::lines(part, &mut first);
            }
            return first.into();
        }
        match parts {
            [single] if first.is_empty() => single.clone(),
            _ => {
                for part in parts {
                    first.extend_from_slice(part);
                }
                first.into()
            }
        }
    }

    fn sign_of_life(&self) -> Bytes {
        match self.heartbeat {
            Heartbeat::Comment => Bytes::from_static(sse::HEARTBEAT),
            Heartbeat::Ping => {
                let mut ping = Vec::new();
                sse::control(&mut ping, None, "ping", &serde_json::json!({}));
                ping.into()
            }
        }
    }
}

/// What a look at the view leads to.
enum Step {
    Send(Bytes),
    Wait,
    Cut,
    End,
}

/// A client as a response body.
pub struct StreamBody {
    chunks: Pin<Box<dyn Stream<Item = Result<Bytes, Cut>> + Send>>,
    /// What is left of a chunk that goes out in pieces.
    rest: Bytes,
    /// The most bytes of a frame.
    frame: usize,
    metrics: Arc<Metrics>,
    pulse: Pulse,
}

impl StreamBody {
    /// The body of this client's response.
    ///
    /// Over HTTP/1 a chunk is a frame. Over HTTP/2 what is handed over waits for the peer's window unseen, so it is handed over in
    /// small frames: a peer that takes one at a time is slow, and not stalled.
    #[must_use]
    pub fn new(client: Client, version: Version) -> Self {
        let (metrics, pulse) = (Arc::clone(&client.metrics), client.pulse.clone());
        let chunks = unfold(client, |mut client| async move { client.next().await.map(|chunk| (chunk, client)) });
        let frame = if version == Version::HTTP_2 { HTTP2_FRAME } else { usize::MAX };
        Self { chunks: Box::pin(chunks), rest: Bytes::new(), frame, metrics, pulse }
    }

    /// The next frame of the body.
    pub fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        self.pulse.beat(Instant::now());
        if self.rest.is_empty() {
            match ready!(self.chunks.as_mut().poll_next(context)) {
                Some(Ok(chunk)) => self.rest = chunk,
                Some(Err(cut)) => return Poll::Ready(Some(Err(cut))),
                None => return Poll::Ready(None),
            }
        }
        let length = self.rest.len().min(self.frame);
        self.metrics.stream_bytes.add(length as u64);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(length)))))
    }
}

impl fmt::Debug for StreamBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamBody").finish_non_exhaustive()
    }
}
