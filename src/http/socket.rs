//! A client's socket, watched: what it is spoken in, and whether the peer takes what it is sent.
//!
//! Two things that hyper leaves to us live here, below it. The first bytes are read under a limit of our own, because they
//! decide between HTTP/1 and HTTP/2 and nobody else would ever time them. And a write that makes no progress for
//! `--write-timeout` ends the connection: a timer inside a body would stand still exactly then, because a stalled peer keeps
//! the body from being polled.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

/// What a client of HTTP/2 with prior knowledge sends first (RFC 9113, 3.4).
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Any request that is whole has its answer by then; half a one gets none.
const ANSWERED: Duration = Duration::from_millis(250);

/// What a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    /// HTTP/1.0 or HTTP/1.1, or something that hyper will refuse.
    Http1,
    /// HTTP/2 with prior knowledge.
    Http2,
}

/// A TCP connection with its first bytes still to be read, and a limit on stalled writes.
#[derive(Debug)]
pub struct Socket {
    stream: TcpStream,
    /// Bytes read to learn what is spoken; given back first.
    first: Vec<u8>,
    write_timeout: Duration,
    /// Runs while a write waits for the peer.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Bytes have come in since bytes last went out: a request waits for its answer.
    is_unanswered: bool,
    /// Bytes have gone out since the end of what the peer sends was kept back: another request may have been read with the one that they answer.
    has_answered: bool,
    /// Runs while the end of what the peer sends is kept back until then.
    end_kept: Option<Pin<Box<Sleep>>>,
}

impl Socket {
    /// Watches a connection.
    #[must_use]
    pub fn new(stream: TcpStream, write_timeout: Duration) -> Self {
        Self { stream, first: Vec::new(), write_timeout, stalled: None, is_unanswered: false, has_answered: false, end_kept: None }
    }

    /// Watches a connection of HTTP/1 whose stream has ended, and that has sent this since.
    #[must_use]
    pub fn resumed(stream: TcpStream, unread: Vec<u8>, write_timeout: Duration) -> Self {
        Self { first: unread, ..Self::new(stream, write_timeout) }
    }

    /// The connection, and what was read of it and not used.
    #[must_use]
    pub fn into_parts(self) -> (TcpStream, Vec<u8>) {
        (self.stream, self.first)
    }

    /// Reads until it is clear what the client speaks.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] if the client sent nothing and left; what the kernel says otherwise.
    pub async fn learn_protocol(&mut self) -> io::Result<Speaks> {
        while HTTP2_PREFACE.starts_with(&self.first) {
            if self.first.len() == HTTP2_PREFACE.len() {
                return Ok(Speaks::Http2);
            }
            let mut more = [0; HTTP2_PREFACE.len()];
            let wanted = HTTP2_PREFACE.len() - self.first.len();
            match self.stream.read(&mut more[..wanted]).await? {
                0 if self.first.is_empty() => return Err(io::ErrorKind::UnexpectedEof.into()),
                0 => return Ok(Speaks::Http1),
                count => self.first.extend_from_slice(&more[..count]),
            }
        }
        Ok(Speaks::Http1)
    }

    /// Passes a write's outcome on, or ends it if the peer has not taken anything for too long.
    fn watch<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            self.is_unanswered = false;
            self.has_answered = true;
            if self.end_kept.take().is_some() {
                context.waker().wake_by_ref();
            }
            return written;
        }
        let timeout = self.write_timeout;
        let timer = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + timeout)));
        ready!(timer.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.first.is_empty() {
            let count = self.first.len().min(buffer.remaining());
            buffer.put_slice(&self.first[..count]);
            self.first.drain(..count);
            self.is_unanswered = true;
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let is_end = buffer.filled().len() == before;
        // hyper takes the end for the client's leaving. One that only has nothing more to say still gets its answer.
        if is_end && self.is_unanswered {
            let timer = self.end_kept.get_or_insert_with(|| Box::pin(tokio::time::sleep(ANSWERED)));
            ready!(timer.as_mut().poll(context));
        }
        if is_end && std::mem::take(&mut self.has_answered) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.is_unanswered |= !is_end;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.watch(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
