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
use tokio::sync::OwnedSemaphorePermit;
use tracing::debug;

use super::Server;
use super::body::{Body, StreamBody};
use super::crowd::Visitor;
use super::reactor::Returned;
use super::response::Content;
use super::socket::{Socket, Speaks};
use super::stall::Pulses;
use super::takeover::{self, Aside};

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

/// Serves a connection until either side is done with it, or until it is a stream, which a reactor serves.
pub async fn serve(stream: TcpStream, permit: OwnedSemaphorePermit, server: Server) {
    let visitor = server.crowd.enter();
    let mut socket = Socket::new(stream, server.write_timeout);
    let speaks = tokio::select! {
        biased;
        () = server.site.ending.soon.cancelled() => return,
        learned = tokio::time::timeout(HEAD_TIMEOUT, socket.learn_protocol()) => match learned {
            Ok(Ok(speaks)) => speaks,
            Ok(Err(error)) => return debug!("a connection ended before a request: {error}"),
            Err(_) => return debug!("a connection sent no request in time"),
        },
    };
    // Each has memory only for as long as it is needed: there may be thousands of connections that have sent nothing yet.
    let ended = match speaks {
        Speaks::Http1 => Box::pin(serve_http1(socket, permit, visitor, &server)).await,
        Speaks::Http2 => Box::pin(serve_http2(socket, &server)).await,
    };
    tell(&server, ended);
}

/// Serves a connection whose stream has ended.
pub async fn resume(returned: Returned, server: Server) {
    let Returned { stream, unread, ticket } = returned;
    // Only what the kernel has no memory for fails here; the peer sees an end.
    let Ok(stream) = TcpStream::from_std(stream) else { return };
    let socket = Socket::resumed(stream, unread, server.write_timeout);
    let ended = serve_http1(socket, ticket.permit, ticket.visitor, &server).await;
    tell(&server, ended);
}

fn tell(server: &Server, ended: hyper::Result<()>) {
    match ended {
        Ok(()) => {}
        Err(error) if is_timeout(&error) => {
            server.site.metrics.stalled.add(1);
            debug!("cut a connection whose peer took nothing for --write-timeout");
        }
        Err(error) => debug!("a connection ended: {error}"),
    }
}

async fn serve_http1(socket: Socket, permit: OwnedSemaphorePermit, visitor: Visitor, server: &Server) -> hyper::Result<()> {
    let (site, aside) = (&server.site, Aside::default());
    let answer = async |request: Request<Incoming>| {
        let request = request.map(drop);
        let response = site.answer(&request).await;
        aside.sort(&request, response).await
    };
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(socket), service_fn(answer));
    let left = tokio::select! {
        left = takeover::drive(&mut connection, &aside) => left,
        () = site.ending.soon.cancelled() => {
            Pin::new(&mut connection).graceful_shutdown();
            tokio::time::timeout(FAREWELL, takeover::drive(&mut connection, &aside)).await.unwrap_or(Ok(None))
        }
    };
    if let Some(stream) = left? {
        let parts = connection.into_parts();
        server.seat(stream, parts.io.into_inner(), parts.read_buf.into(), permit, visitor);
    }
    Ok(())
}

async fn serve_http2(socket: Socket, server: &Server) -> hyper::Result<()> {
    let Server { site, write_timeout, crowd, .. } = server;
    let pulses = Pulses::default();
    let answer = |request: Request<Incoming>| {
        pulses.note_request();
        let (site, pulses, crowd, request) = (Arc::clone(site), pulses.clone(), Arc::clone(crowd), request.map(drop));
        async move {
            let response = site.answer(&request).await.map(|content| match content {
                Content::Full(body) => Body::Full(body),
                Content::Stream(client) => Body::Stream(StreamBody::new(*client, &site, pulses.start(), crowd.enter())),
            });
            Ok::<_, Infallible>(response)
        }
    };
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
    let still = *write_timeout + site.house.rules().heartbeat;
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
