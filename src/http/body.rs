//! The bodies of HTTP/2: a client is one, and hyper asks it for a frame when the peer's window has room.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::unfold;
use http_body_util::Full;
use hyper::body::{Frame, SizeHint};
use tokio::time::Instant;

use super::archived::{Archivist, Playback};
use super::client::{self, Chunk, Client, Ending, Next};
use super::crowd::Visitor;
use super::router::Site;
use super::stall::Pulse;
use crate::batch::MAX_BATCH;
use crate::channel::{Archived, Listener};
use crate::metrics::Metrics;

/// The most bytes of a frame: the default of HTTP/2 (RFC 9113, 6.5.2). What is handed over waits for the peer's window unseen, so it is
/// handed over in small pieces: a peer that takes one at a time is slow, and not stalled.
const FRAME: usize = 16 * 1024;

/// The most bytes of a large event that wait for one client.
const PIECE: usize = 16 * 1024;

/// A body.
#[derive(Debug)]
pub enum Body {
    /// Known in full.
    Full(Full<Bytes>),
    /// Comes as it happens.
    Stream(StreamBody),
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match self.get_mut() {
            Self::Full(body) => Pin::new(body).poll_frame(context).map_err(|never| match never {}),
            Self::Stream(body) => Pin::new(body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Full(body) => body.is_end_stream(),
            Self::Stream(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(body) => body.size_hint(),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}

/// The stream is cut without a clean end.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the client fell behind the history")]
pub struct Cut;

/// A client's response body.
pub struct StreamBody {
    chunks: Pin<Box<dyn Stream<Item = Result<Bytes, Cut>> + Send>>,
    /// What is left of a chunk that goes out in frames.
    rest: Bytes,
    metrics: Arc<Metrics>,
    pulse: Pulse,
    /// The last to go: a stream has a task of its own, which may outlive its connection's.
    _visitor: Visitor,
}

/// What makes the chunks.
struct Source {
    client: Client,
    ear: Listener,
    ending: Ending,
    metrics: Arc<Metrics>,
    /// How much of an event larger than a chunk has gone out, while it goes out in pieces.
    large: Option<usize>,
    /// What reads the disk, if there is one, and where it is.
    archivist: Option<Archivist>,
    playback: Option<Box<Playback>>,
}

impl StreamBody {
    /// The body of this client's response. `pulse` shows the connection that it is still being polled.
    #[must_use]
    pub fn new(client: Client, site: &Site, pulse: Pulse, visitor: Visitor) -> Self {
        let ear = client.subscriber.listen();
        let (ending, metrics, archivist) = (site.ending.clone(), Arc::clone(&site.metrics), site.archivist.clone());
        let source = Source { client, ear, ending, metrics: Arc::clone(&metrics), large: None, archivist, playback: None };
        let chunks = unfold(source, |mut source| async move { source.next().await.map(|chunk| (chunk, source)) });
        Self { chunks: Box::pin(chunks), rest: Bytes::new(), metrics, pulse, _visitor: visitor }
    }

    /// The next frame of the body.
    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        self.pulse.beat(Instant::now());
        if self.rest.is_empty() {
            match ready!(self.chunks.as_mut().poll_next(context)) {
                Some(Ok(chunk)) => self.rest = chunk,
                Some(Err(cut)) => return Poll::Ready(Some(Err(cut))),
                None => return Poll::Ready(None),
            }
        }
        let length = self.rest.len().min(FRAME);
        self.metrics.stream_bytes.add(length as u64);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(length)))))
    }
}

impl Source {
    /// The next chunk, when there is one; `None` at the clean end of the stream.
    async fn next(&mut self) -> Option<Result<Bytes, Cut>> {
        let mut since = Instant::now();
        loop {
            self.ear.note();
            match self.look() {
                Next::Chunk(chunk) => return Some(Ok(chunk.into_bytes())),
                Next::Archived(archived) => {
                    if let Some(chunk) = self.read_archived(archived).await? {
                        return Some(Ok(chunk.into_bytes()));
                    }
                }
                Next::Later => tokio::task::yield_now().await,
                Next::Cut => return Some(Err(Cut)),
                Next::End => return None,
                Next::Wait => {
                    let _waits = self.metrics.waiting.raise();
                    tokio::select! {
                        biased;
                        () = self.ending.soon.cancelled() => return None,
                        () = self.ear.changed() => {}
                        // Waking shows the connection that this body is only silent, also where it has no sign of life.
                        () = tokio::time::sleep_until(since + self.client.silence) => {}
                    }
                }
            }
            // Who looks through much without finding anything is silent as well.
            if since.elapsed() >= self.client.silence {
                since = Instant::now();
                let sign = self.sign_of_life();
                if !sign.is_empty() {
                    return Some(Ok(sign.into()));
                }
            }
        }
    }

    fn sign_of_life(&mut self) -> Vec<u8> {
        let Client { subscriber, sifting, format, heartbeat, .. } = &mut self.client;
        let bookmark = sifting.as_mut().and_then(|sifting| sifting.bookmark(subscriber, *format));
        bookmark.unwrap_or_else(|| client::sign_of_life(*heartbeat, *format))
    }

    /// Reads on from the disk, in a thread that may wait for it.
    async fn read_archived(&mut self, archived: Archived) -> Option<Option<Chunk>> {
        let (archivist, filter) = (self.archivist.clone()?, self.client.subscriber.filter());
        let (wanted, mut playback) = (archived.clone(), self.playback.take());
        let read = move || (archivist.fetch(&filter, &wanted, MAX_BATCH, &mut playback), playback);
        let (fetched, playback) = tokio::task::spawn_blocking(read).await.ok()?;
        self.playback = playback;
        let Client { subscriber, sifting, format, .. } = &mut self.client;
        Some(fetched.into_chunk(&archived, subscriber, sifting.as_deref_mut(), *format))
    }

    fn look(&mut self) -> Next {
        if let Some(sent) = self.large {
            return self.next_piece(Vec::new(), sent);
        }
        if self.ending.now.is_cancelled() {
            return Next::End;
        }
        let Client { subscriber, sifting, format, said, .. } = &mut self.client;
        match client::next(subscriber, sifting.as_deref_mut(), *format, std::mem::take(said), MAX_BATCH, None, &self.metrics) {
            Next::Chunk(Chunk { said, events, .. }) if events.first().is_some_and(|first| first.len() > MAX_BATCH) => {
                self.next_piece(said, 0)
            }
            next => next,
        }
    }

    /// The next piece of an event that is larger than a chunk. It is taken anew from the history each time: a client that
    /// stands still must not hold what the history has dropped. If that happens inside the event, the stream is cut, and the
    /// client comes back with the id before it for its gap.
    fn next_piece(&mut self, said: Vec<u8>, sent: usize) -> Next {
        let Some(piece) = self.client.subscriber.piece_of_last(sent, PIECE) else { return Next::Cut };
        self.large = (piece.len() == PIECE).then_some(sent + PIECE);
        // An event that is a whole number of pieces ends with an empty one.
        if piece.is_empty() && said.is_empty() {
            self.look()
        } else {
            Next::Chunk(Chunk { said, events: vec![piece], ..Chunk::default() })
        }
    }
}

impl fmt::Debug for StreamBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamBody").finish_non_exhaustive()
    }
}
