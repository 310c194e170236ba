//! One request and its answer, over HTTP/1.1: hyper's connection, driven by whoever reads from it, so that nothing is read ahead of the reader.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::address::{Address, BadAddress};
use super::answer::{Verdict, judge};

/// How long a connection may take, and the head of an answer: a daemon may have to ask its disk first.
const CONNECT: Duration = Duration::from_secs(10);
const HEAD: Duration = Duration::from_secs(30);

/// How much of an answer that is no stream is read, in bytes, and for how long.
const TEXT: (usize, Duration) = (4096, Duration::from_secs(5));

/// How many characters of it are shown.
const SHOWN: usize = 200;

/// The most bytes that are read at once, and of a head.
const BUFFER: usize = 128 << 10;

/// After how much silence the kernel asks the other side for a sign of life, and how often.
const KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(15));

/// How often an answer may send on.
const REDIRECTS: usize = 5;

type Connection = Pin<Box<http1::Connection<TokioIo<TcpStream>, Empty<Bytes>>>>;

/// An answer whose body has not been read.
pub struct Answer {
    /// What it means.
    pub verdict: Verdict,
    /// Its status.
    pub status: u16,
    body: Incoming,
    connection: Option<Connection>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// Nobody is there.
    #[error("no connection")]
    Connect(#[source] io::Error),
    /// Nobody is there, and nobody says so.
    #[error("no connection within {} s", CONNECT.as_secs())]
    Unreachable,
    /// Somebody is there and says nothing.
    #[error("no answer within {} s", HEAD.as_secs())]
    Silent,
    /// What comes back is no HTTP, or breaks off.
    #[error("no answer in HTTP")]
    Http(#[source] hyper::Error),
    /// It sends on to another server, or in circles.
    #[error("the answer leads away")]
    Astray(#[source] Astray),
}

/// Where an answer leads that is not followed.
#[derive(Debug, thiserror::Error)]
pub enum Astray {
    /// Somewhere else.
    #[error(transparent)]
    Elsewhere(#[from] BadAddress),
    /// In circles.
    #[error("it was sent on {REDIRECTS} times")]
    Circles,
}

/// Asks for a stream, and follows where the same server sends on.
pub async fn ask(address: &Address, fields: &[(HeaderName, HeaderValue)]) -> Result<Answer, NoAnswer> {
    let mut target = address.target();
    for _ in 0..=REDIRECTS {
        let answer = ask_once(address, &target, fields).await?;
        let Verdict::Moved(location) = &answer.verdict else { return Ok(answer) };
        target = address.redirected(&target, location).map_err(|bad| NoAnswer::Astray(bad.into()))?;
    }
    Err(NoAnswer::Astray(Astray::Circles))
}

async fn ask_once(address: &Address, target: &str, fields: &[(HeaderName, HeaderValue)]) -> Result<Answer, NoAnswer> {
    let connecting = timeout(CONNECT, TcpStream::connect((&*address.host, address.port)));
    let socket = connecting.await.map_err(|_| NoAnswer::Unreachable)?.map_err(NoAnswer::Connect)?;
    // Both only help.
    let _ = socket.set_nodelay(true);
    let keep_alive = TcpKeepalive::new().with_time(KEEP_ALIVE.0).with_interval(KEEP_ALIVE.1);
    let _ = SockRef::from(&socket).set_tcp_keepalive(&keep_alive);
    let mut builder = http1::Builder::new();
    let (mut sender, connection) = builder.max_buf_size(BUFFER).handshake(TokioIo::new(socket)).await.map_err(NoAnswer::Http)?;
    let mut connection = Some(Box::pin(connection));
    let request = request(address, target, fields);
    let answering = timeout(HEAD, beside(&mut connection, sender.send_request(request)));
    let (head, body) = answering.await.map_err(|_| NoAnswer::Silent)?.map_err(NoAnswer::Http)?.into_parts();
    Ok(Answer { verdict: judge(head.status.as_u16(), &head.headers), status: head.status.as_u16(), body, connection })
}

fn request(address: &Address, target: &str, fields: &[(HeaderName, HeaderValue)]) -> Request<Empty<Bytes>> {
    let mut request = Request::new(Empty::new());
    *request.method_mut() = Method::GET;
    // Both were checked when the address was read.
    *request.uri_mut() = target.parse().unwrap_or_default();
    let headers: &mut HeaderMap = request.headers_mut();
    if let Ok(host) = HeaderValue::from_str(&address.authority) {
        headers.insert(header::HOST, host);
    }
    headers.insert(header::ACCEPT, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static(concat!("sse-bridge/", env!("CARGO_PKG_VERSION"))));
    headers.extend(fields.iter().cloned());
    request
}

/// Does some work while the connection is driven.
async fn beside<T>(connection: &mut Option<Connection>, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    if let Some(driven) = connection {
        tokio::select! {
            biased;
            done = &mut work => return done,
            // How it ended is said to whoever waits for the work as well.
            _ = driven => {}
        }
        *connection = None;
    }
    work.await
}

impl Answer {
    /// The next piece of the body. `None`: it ended as it should.
    pub async fn next(&mut self) -> Option<Result<Bytes, hyper::Error>> {
        loop {
            match beside(&mut self.connection, self.body.frame()).await? {
                Ok(frame) => match frame.into_data() {
                    Ok(data) => return Some(Ok(data)),
                    Err(_trailers) => {}
                },
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// The first line of a body for people, shortened.
    pub async fn line(mut self) -> String {
        let mut text = Vec::new();
        let reading = async {
            while text.len() < TEXT.0
                && let Some(Ok(piece)) = self.next().await
            {
                text.extend_from_slice(&piece);
            }
        };
        // What has come until then is shown.
        let _ = timeout(TEXT.1, reading).await;
        let text = String::from_utf8_lossy(&text[..text.len().min(TEXT.0)]);
        text.lines().next().unwrap_or_default().trim().chars().take(SHOWN).collect()
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("status", &self.status).finish_non_exhaustive()
    }
}
