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
use super::places::Places;
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
    reader: Box<Reader>,
    ear: Listener,
    ending: Ending,
    /// What reads the disk, if there is one.
    archivist: Option<Archivist>,
    /// Places for those whose looking through events may take long.
    places: Arc<Places>,
}

/// What looks at what waits for the client; it goes to another thread where that may take long.
struct Reader {
    client: Client,
    ending: Ending,
    metrics: Arc<Metrics>,
    /// How much of an event larger than a chunk has gone out, while it goes out in pieces.
    large: Option<usize>,
    /// Where it is on the disk, if it is there.
    playback: Option<Box<Playback>>,
}

impl StreamBody {
    /// The body of this client's response. `pulse` shows the connection that it is still being polled.
    #[must_use]
    pub fn new(client: Client, site: &Site, pulse: Pulse, visitor: Visitor) -> Self {
        let ear = client.subscriber.listen();
        let (ending, metrics, archivist) = (site.ending.clone(), Arc::clone(&site.metrics), site.archivist.clone());
        let reader = Reader { client, ending: ending.clone(), metrics: Arc::clone(&metrics), large: None, playback: None };
        let source = Source { reader: Box::new(reader), ear, ending, archivist, places: Arc::clone(&site.lookers.live) };
        let chunks = unfold(source, Source::next);
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
    async fn next(mut self) -> Option<(Result<Bytes, Cut>, Self)> {
        let mut since = Instant::now();
        let silence = self.reader.client.silence;
        loop {
            self.ear.note();
            let next;
            (self, next) = self.look().await?;
            match next {
                Next::Chunk(chunk) => return Some((Ok(chunk.into_bytes()), self)),
                Next::Archived(archived) => {
                    let chunk;
                    (self, chunk) = self.read_archived(archived).await?;
                    if let Some(chunk) = chunk {
                        return Some((Ok(chunk.into_bytes()), self));
                    }
                }
                Next::Later => tokio::task::yield_now().await,
                Next::Cut => return Some((Err(Cut), self)),
                Next::End => return None,
                Next::Wait => {
                    let _waits = self.reader.metrics.waiting.raise();
                    tokio::select! {
                        biased;
                        () = self.ending.soon.cancelled() => return None,
                        () = self.ear.changed() => {}
                        // Waking shows the connection that this body is only silent, also where it has no sign of life.
                        () = tokio::time::sleep_until(since + silence) => {}
                    }
                }
            }
            // Who looks through much without finding anything is silent as well.
            if since.elapsed() >= silence {
                since = Instant::now();
                let sign = self.reader.sign_of_life();
                if !sign.is_empty() {
                    return Some((Ok(sign.into()), self));
                }
            }
        }
    }

    async fn look(mut self) -> Option<(Self, Next)> {
        if self.reader.may_take_long() {
            return self.in_turn(Reader::look).await;
        }
        let next = self.reader.look();
        Some((self, next))
    }

    /// Reads on from the disk, in a thread that may wait for it. What was read is looked through there.
    async fn read_archived(self, archived: Archived) -> Option<(Self, Option<Chunk>)> {
        let archivist = self.archivist.clone()?;
        let read = move |reader: &mut Reader| reader.read_archived(&archivist, &archived);
        if self.reader.may_take_long() { self.in_turn(read).await } else { self.elsewhere(read).await }
    }

    /// Does what may take long when it is its turn.
    async fn in_turn<T: Send + 'static>(self, work: impl FnOnce(&mut Reader) -> T + Send + 'static) -> Option<(Self, T)> {
        let place = match &self.reader.client.sifting {
            Some(sifting) => self.places.take(sifting.key()).await,
            None => None,
        };
        // Also if the client leaves meanwhile it is held until the look is over.
        let work = move |reader: &mut Reader| {
            let _place = place;
            work(reader)
        };
        self.elsewhere(work).await
    }

    /// Does something in a thread for which nobody waits but this client.
    async fn elsewhere<T: Send + 'static>(mut self, work: impl FnOnce(&mut Reader) -> T + Send + 'static) -> Option<(Self, T)> {
        let mut reader = self.reader;
        let work = move || {
            let done = work(&mut reader);
            (reader, done)
        };
        let (reader, done) = tokio::task::spawn_blocking(work).await.ok()?;
        self.reader = reader;
        Some((self, done))
    }
}

impl Reader {
    /// Whether one look may take longer than the other clients of this thread should wait.
    fn may_take_long(&self) -> bool {
        self.large.is_none() && self.client.sifting.as_ref().is_some_and(|sifting| !sifting.key().is_light)
    }

    fn sign_of_life(&mut self) -> Vec<u8> {
        let Client { subscriber, sifting, format, heartbeat, .. } = &mut self.client;
        let bookmark = sifting.as_mut().and_then(|sifting| sifting.bookmark(subscriber, *format));
        bookmark.unwrap_or_else(|| client::sign_of_life(*heartbeat, *format))
    }

    fn read_archived(&mut self, archivist: &Archivist, archived: &Archived) -> Option<Chunk> {
        let Client { subscriber, sifting, format, .. } = &mut self.client;
        let fetched = archivist.fetch(&subscriber.filter(), archived, MAX_BATCH, &mut self.playback);
        fetched.into_chunk(archived, subscriber, sifting.as_deref_mut(), *format)
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
