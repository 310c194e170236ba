//! Leaving hyper: it parses a request and answers it, but an event stream over HTTP/1 is written by a reactor.
//!
//! The service puts the stream aside and gives hyper an answer that never comes. Nothing of a response has been written then, so the connection
//! can be taken apart between two of its steps: what is left is the socket, and what the client has sent behind its request. hyper documents
//! this for the time when a connection is done; that it also holds here is kept by tests (`tests/integration/takeover.rs`), and hyper's minor
//! version is pinned.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::Poll;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap};
use hyper::server::conn::http1::Connection;
use hyper::service::HttpService;
use hyper::{Request, Response, Version};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

use super::client::Client;
use super::reactor::After;
use super::reactor::wire::Framing;
use super::response::Content;
use super::socket::Socket;

/// A stream that is to leave hyper.
#[derive(Debug)]
pub struct Stream {
    /// The head of its response, as bytes.
    pub head: Vec<u8>,
    /// How its body is cut.
    pub framing: Framing,
    /// What becomes of the connection behind it.
    pub after: After,
    /// The client.
    pub client: Box<Client>,
}

/// Where a stream is put aside.
#[derive(Debug, Default)]
pub struct Aside(Mutex<Option<Stream>>);

impl Aside {
    /// Gives hyper what is whole; puts aside what is a stream, and never comes back.
    ///
    /// # Errors
    /// None.
    pub async fn sort(&self, request: &Request<()>, response: Response<Content>) -> Result<Response<Full<Bytes>>, Infallible> {
        let (parts, content) = response.into_parts();
        match content {
            Content::Full(body) => Ok(Response::from_parts(parts, body)),
            Content::Stream(client) => {
                let framing = if request.version() == Version::HTTP_11 { Framing::Chunked } else { Framing::Plain };
                let after =
                    if framing == Framing::Chunked && !asks_for_close(request.headers()) { After::Stay } else { After::Close };
                let head = head(&parts.headers, framing, after);
                *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Stream { head, framing, after, client });
                std::future::pending().await
            }
        }
    }

    fn take(&self) -> Option<Stream> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Drives a connection until it ends, or until a stream has been put aside.
///
/// # Errors
/// How hyper ended the connection.
pub async fn drive<S>(connection: &mut Connection<TokioIo<Socket>, S>, aside: &Aside) -> hyper::Result<Option<Stream>>
where
    S: HttpService<Incoming, ResBody = Full<Bytes>, Error = Infallible>,
    Connection<TokioIo<Socket>, S>: Future<Output = hyper::Result<()>> + Unpin,
{
    poll_fn(|context| match Pin::new(&mut *connection).poll(context) {
        Poll::Ready(ended) => Poll::Ready(ended.map(|()| None)),
        Poll::Pending => aside.take().map_or(Poll::Pending, |stream| Poll::Ready(Ok(Some(stream)))),
    })
    .await
}

fn asks_for_close(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|token| token.trim().eq_ignore_ascii_case("close"))
}

/// The head as hyper would write it.
fn head(headers: &HeaderMap, framing: Framing, after: After) -> Vec<u8> {
    let version = if framing == Framing::Chunked { "1.1" } else { "1.0" };
    let mut head = format!("HTTP/{version} 200 OK\r\n").into_bytes();
    let mut field = |name: &str, value: &[u8]| {
        head.extend_from_slice(name.as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value);
        head.extend_from_slice(b"\r\n");
    };
    for (name, value) in headers {
        field(name.as_str(), value.as_bytes());
    }
    if after == After::Close && !headers.contains_key(header::CONNECTION) {
        field("connection", b"close");
    }
    if framing == Framing::Chunked {
        field("transfer-encoding", b"chunked");
    }
    field("date", date().as_bytes());
    head.extend_from_slice(b"\r\n");
    head
}

/// The time as HTTP writes it (RFC 9110, 5.6.7). A clock beyond the year 9999 has no such time, and gets the first there was.
fn date() -> String {
    let printer = DateTimePrinter::new();
    printer.timestamp_to_rfc9110_string(&Timestamp::now()).unwrap_or_else(|_| "Thu, 01 Jan 1970 00:00:00 GMT".to_owned())
}
