//! Bytes out: listeners, connections, the table of URLs, streams.
//!
//! hyper parses requests and answers all but streams; what it leaves to us (the time before the first byte, stalled writes, the Host) is in
//! the file named for it. Streams over HTTP/1 leave hyper (`takeover`) and are written by a [`reactor`]; those over HTTP/2 are bodies
//! ([`body`]). What is sent is the same ([`client`]). Nothing here knows where lines come from.

mod accept;
pub mod archived;
pub mod body;
pub mod client;
mod connection;
pub mod crowd;
pub mod host;
pub mod listener;
pub mod lookback;
pub mod origin;
mod places;
mod process;
mod prometheus;
pub mod query;
pub mod reactor;
mod refusal;
mod response;
pub mod router;
pub mod rules;
mod shares;
pub mod sifted;
pub mod sifting;
pub mod slots;
mod socket;
mod stall;
mod status;
mod takeover;
mod viewer;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::mpsc::Receiver;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use tracing::warn;

use crate::errno::reason;
use crowd::{Crowd, Visitor};
use reactor::{Newcomer, Reactors, Returned, Ticket};
use router::Site;
use socket::Socket;
use takeover::Stream;

/// Connections beyond the clients: those that ask for pages, or wait to hear that the house is full.
pub const SPARE_CONNECTIONS: usize = 64;

/// How long accepting rests when the process has no descriptor left for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How often that is told.
const TELL_AGAIN: Duration = Duration::from_secs(60);

/// What the server is made of.
#[derive(Debug, Clone)]
pub struct Server {
    /// What it answers with.
    pub site: Arc<Site>,
    /// Connections that are open.
    pub connections: TaskTracker,
    /// How many may be.
    pub limit: Arc<Semaphore>,
    /// After how long a peer that takes nothing is cut.
    pub write_timeout: Duration,
    /// All whose memory goes back when they have left.
    pub crowd: Arc<Crowd>,
    /// Who writes streams.
    pub reactors: Arc<Reactors>,
}

impl Server {
    /// Gives a stream to a reactor.
    fn seat(&self, stream: Stream, socket: Socket, read: Vec<u8>, permit: OwnedSemaphorePermit, visitor: Visitor) {
        let Stream { head, framing, after, client } = stream;
        let (stream, first) = socket.into_parts();
        // Only a runtime that is being taken down cannot give a socket away.
        let Ok(stream) = stream.into_std() else { return };
        let ticket = Ticket { permit, token: self.connections.token(), visitor };
        let unread = [read, first].concat();
        self.reactors.seat(Newcomer { stream, unread, head, framing, after, client: *client, ticket });
    }
}

/// Accepts connections until the daemon stops. Each is served by a task of its own in `server.connections`.
pub async fn serve(listener: TcpListener, server: Server) {
    let stop = server.site.ending.soon.clone();
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        () = accept(listener, server) => {}
    }
}

async fn accept(listener: TcpListener, server: Server) {
    let mut told: Option<Instant> = None;
    loop {
        // Taken before the connection is, so that those beyond it wait in the kernel's queue.
        let Ok(permit) = Arc::clone(&server.limit).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _peer)) => {
                server.site.metrics.connections.add(1);
                // An event must not wait for the acknowledgement of the last one.
                let _ = stream.set_nodelay(true);
                server.connections.spawn(connection::serve(stream, permit, server.clone()));
            }
            Err(error) if is_about_the_connection(&error) => {}
            Err(error) => {
                if told.is_none_or(|at| at.elapsed() > TELL_AGAIN) {
                    told = Some(Instant::now());
                    let reason = reason(&error);
                    warn!("could not accept a connection: {reason}; trying again; is the limit of open files (ulimit -n) too low?");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Errors of a connection that went away while it waited; accept(2) reports them as its own.
fn is_about_the_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

/// Serves connections that reactors give back, and tells the reactors when streams are to end.
pub async fn attend_reactors(returned: Receiver<Returned>, server: Server) {
    let ending = server.site.ending.clone();
    let reactors = Arc::clone(&server.reactors);
    let tell = async {
        ending.soon.cancelled().await;
        reactors.rouse();
        ending.now.cancelled().await;
        reactors.rouse();
    };
    tokio::join!(serve_returned(returned, &server), tell);
}

async fn serve_returned(mut returned: Receiver<Returned>, server: &Server) {
    while let Some(connection) = returned.recv().await {
        server.connections.spawn(connection::resume(connection, server.clone()));
    }
}
