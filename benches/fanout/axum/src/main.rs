//! Lines of standard input to all who ask, as everybody writes it: axum's `Sse` over tokio's broadcast channel.
//!
//! With the word `replay` it reads all lines first and sends them to each client that comes, straight from memory.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::routing::get;
use futures_util::stream::{self, Stream, StreamExt};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::broadcast;
use tokio::time::timeout;
use tokio_stream::wrappers::BroadcastStream;

/// Lines that a client may be behind.
const BACKLOG: usize = 16 * 1024;

/// Of a server whose input has ended, if nobody is there to end it.
const LIFE: Duration = Duration::from_mins(5);

/// A line with its id.
#[derive(Clone)]
struct Line {
    id: Arc<str>,
    data: Arc<str>,
}

impl Line {
    fn new(number: u64, data: &str) -> Self {
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        Self { id: format!("{time}-{number}/stdin").into(), data: data.into() }
    }

    fn event(&self) -> Event {
        Event::default().id(&self.id).data(&self.data)
    }
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let replays = std::env::args().any(|word| word == "replay");
    if replays { replay().await } else { serve().await }
}

async fn serve() -> io::Result<()> {
    let (sender, _) = broadcast::channel(BACKLOG);
    let app = Router::new().route("/events", get(live)).with_state(sender.clone());
    let server = axum::serve(listen()?, app).into_future();
    tokio::select! {
        end = server => end,
        end = send_all(sender) => end,
    }
}

async fn send_all(sender: broadcast::Sender<Line>) -> io::Result<()> {
    let (mut lines, mut number) = (BufReader::new(tokio::io::stdin()).lines(), 0);
    while let Some(data) = lines.next_line().await? {
        number += 1;
        let _ = sender.send(Line::new(number, &data)); // nobody may be listening
    }
    Ok(())
}

async fn live(State(sender): State<broadcast::Sender<Line>>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let lines = BroadcastStream::new(sender.subscribe()).filter_map(async |line| line.ok().map(|line| Ok(line.event())));
    Sse::new(lines).keep_alive(KeepAlive::new().interval(Duration::from_secs(15)))
}

async fn replay() -> io::Result<()> {
    let (mut lines, mut all) = (BufReader::new(tokio::io::stdin()).lines(), Vec::new());
    while let Some(data) = lines.next_line().await? {
        all.push(Line::new(all.len() as u64 + 1, &data));
    }
    let app = Router::new().route("/events", get(past)).with_state(Arc::<[Line]>::from(all));
    let server = axum::serve(listen()?, app).into_future();
    timeout(LIFE, server).await.unwrap_or(Ok(()))
}

async fn past(State(all): State<Arc<[Line]>>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    Sse::new(stream::iter((0..all.len()).map(move |at| Ok(all[at].event()))))
}

/// With room for many who come at once: `TcpListener::bind` has it for 128, and then a client waits a second to try again.
fn listen() -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(([127, 0, 0, 1], 0).into())?;
    let listener = socket.listen(4096)?;
    eprintln!("listening on http://{}/", listener.local_addr()?);
    Ok(listener)
}
