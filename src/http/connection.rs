//! One connection, from its first byte to its end.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, body::Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tracing::debug;

use super::router::Site;
use super::socket::{Socket, Speaks};
use super::stall::Pulses;

/// How long a client may take for its first bytes, and again for each request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// The largest request head, in bytes. hyper answers a larger one with 431.
const MAX_HEAD: usize = 16 * 1024;

/// The most header fields of a request.
const MAX_HEADERS: usize = 64;

/// The most streams of one HTTP/2 connection.
const MAX_STREAMS: u32 = 128;

/// What hyper may hold for one HTTP/2 stream that the peer has not taken, in bytes.
const MAX_SEND_BUFFER: usize = 64 * 1024;

/// How long a connection without streams may take to end.
const FAREWELL: Duration = Duration::from_millis(100);

/// How long an HTTP/2 peer may take for what its streams left behind.
const HTTP2_LAST_BYTES: Duration = Duration::from_secs(2);

/// How often a silent HTTP/2 peer is asked whether it is there, and how long it may take to answer.
const HTTP2_PING: Duration = Duration::from_secs(20);

/// Serves a connection until either side is done with it. `write_timeout` ends one whose peer takes nothing.
pub async fn serve(stream: TcpStream, site: Arc<Site>, write_timeout: Duration) {
    let mut socket = Socket::new(stream, write_timeout);
    let speaks = tokio::select! {
        biased;
        () = site.ending.soon.cancelled() => return,
        learned = tokio::time::timeout(HEAD_TIMEOUT, socket.learn_protocol()) => match learned {
            Ok(Ok(speaks)) => speaks,
            Ok(Err(error)) => return debug!("a connection ended before a request: {error}"),
            Err(_) => return debug!("a connection sent no request in time"),
        },
    };
    let ended = match speaks {
        Speaks::Http1 => serve_http1(socket, &site, write_timeout).await,
        Speaks::Http2 => serve_http2(socket, &site, write_timeout).await,
    };
    match ended {
        Ok(()) => {}
        Err(error) if is_timeout(&error) => {
            site.metrics.stalled.add(1);
            debug!("cut a connection whose peer took nothing for --write-timeout");
        }
        // Every client that simply leaves ends its stream this way.
        Err(error) => debug!("a connection ended: {error}"),
    }
}

async fn serve_http1(socket: Socket, site: &Arc<Site>, write_timeout: Duration) -> hyper::Result<()> {
    let pulses = Pulses::default();
    let answer = |request: Request<Incoming>| std::future::ready(Ok::<_, Infallible>(site.answer(&request, &pulses)));
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(MAX_HEAD)
            .max_headers(MAX_HEADERS)
            .serve_connection(TokioIo::new(socket), service_fn(answer))
    );
    tokio::select! {
        ended = connection.as_mut() => return ended,
        () = site.ending.soon.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    // Behind its last stream it ends by itself, as soon as the peer has taken it.
    finish(connection, &pulses, write_timeout).await
}

async fn serve_http2(socket: Socket, site: &Arc<Site>, write_timeout: Duration) -> hyper::Result<()> {
    let pulses = Pulses::default();
    let answer = |request: Request<Incoming>| std::future::ready(Ok::<_, Infallible>(site.answer(&request, &pulses)));
    let mut connection = pin!(
        http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(MAX_STREAMS)
            .max_send_buf_size(MAX_SEND_BUFFER)
            .keep_alive_interval(HTTP2_PING)
            .keep_alive_timeout(HTTP2_PING)
            .serve_connection(TokioIo::new(socket), service_fn(answer))
    );
    // A body that is only silent is polled with each heartbeat.
    let still = write_timeout + site.heartbeat;
    tokio::select! {
        ended = connection.as_mut() => return ended,
        () = site.ending.soon.cancelled() => connection.as_mut().graceful_shutdown(),
        () = pulses.idle_for(HEAD_TIMEOUT) => connection.as_mut().graceful_shutdown(),
        () = pulses.any_still_for(still) => {
            site.metrics.stalled.add(1);
            debug!("cut a connection with a stream that its peer did not take for --write-timeout");
            return Ok(());
        }
    }
    finish(connection, &pulses, HTTP2_LAST_BYTES).await
}

/// Lets a connection end that has been asked to. Nothing is waited for but the last bytes of streams: a peer without one may
/// never say that it has understood, and one of HTTP/2 may keep its connection when its streams have ended.
async fn finish(connection: impl Future<Output = hyper::Result<()>>, pulses: &Pulses, last_bytes: Duration) -> hyper::Result<()> {
    let mut connection = pin!(connection);
    let patience = if pulses.is_any_started() { last_bytes } else { FAREWELL };
    tokio::select! {
        ended = connection.as_mut() => return ended,
        () = pulses.all_gone() => {}
    }
    tokio::time::timeout(patience, connection).await.unwrap_or(Ok(()))
}

/// Whether the connection ended by a time limit of ours.
fn is_timeout(error: &hyper::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::TimedOut) {
            return true;
        }
        cause = error.source();
    }
    false
}
