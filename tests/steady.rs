//! What goes on for days must not cost memory: an allocator that counts, and the reactors of the library over real sockets.
//!
//! The daemon's own threads are those of this process here, so a test of its own holds all of them: nothing else allocates meanwhile.
#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use std::io::Read;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use sse_bridge::channel::{Answers, Ask, Channel, ChannelLife, Channels, Filter, Subscription};
use sse_bridge::event::{Age, Event};
use sse_bridge::http::client::{Client, Ending};
use sse_bridge::http::crowd::Crowd;
use sse_bridge::http::query::{Format, Heartbeat};
use sse_bridge::http::reactor::wire::Framing;
use sse_bridge::http::reactor::{After, Equipment, Newcomer, Reactors, Ticket};
use sse_bridge::http::slots::Slots;
use sse_bridge::metrics::Metrics;
use sse_bridge::pipeline::{Fittings, Manner, Pipeline, Writer};
use sse_bridge::pulse::Pulses;
use sse_bridge::sse;
use sse_bridge::store::Store;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::task::TaskTracker;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// How long a byte is awaited.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a stream says first: its head, and that it starts here.
const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\n\r\n";

/// One channel, a reactor, and clients who read in turn.
struct Stage {
    store: Store,
    channel: Channel,
    clients: Vec<TcpStream>,
}

impl Stage {
    /// So many clients, each of whom has been greeted. `silence` is broken by a heartbeat, with a clock of `tick`.
    fn new(clients: usize, silence: Duration, tick: Duration) -> Self {
        let channels = Channels::new(1 << 20, 1);
        let channel = channels.open("x".parse().unwrap());
        let metrics: Arc<Metrics> = Arc::default();
        let (give_back, _) = mpsc::channel(1);
        let equipment = Equipment {
            ending: Ending::default(),
            metrics: Arc::clone(&metrics),
            write_timeout: PATIENCE,
            tick,
            give_back,
            pulses: Pulses::default(),
        };
        let (reactors, threads) = Reactors::new(1, &equipment, None).unwrap();
        for reactor in threads {
            thread::spawn(move || reactor.run());
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (slots, limit, tracker) = (Slots::new(clients), Arc::new(Semaphore::new(clients)), TaskTracker::new());
        let crowd = Crowd::new(|| {});
        let seat = |_| {
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            client.set_read_timeout(Some(PATIENCE)).unwrap();
            let (stream, _) = listener.accept().unwrap();
            stream.set_nonblocking(true).unwrap();
            stream.set_nodelay(true).unwrap();
            let subscription = channels.subscribe(&Filter::All, &Ask::default(), 1, &Answers::default());
            let Subscription::Stream(subscriber, greeting) = subscription else { panic!("a stream, not {subscription:?}") };
            let (format, heartbeat, slot) = (Format::EventStream, Heartbeat::Comment, slots.take().unwrap());
            let mut guest = Client { subscriber, format, heartbeat, silence, slot, said: Vec::new(), sifting: None };
            guest.greet(&greeting, 1000, &metrics);
            let expected = HEAD.len() + format!("{:X}\r\n", guest.said.len()).len() + guest.said.len() + 2;
            let permit = Arc::clone(&limit).try_acquire_owned().unwrap();
            let ticket = Ticket { permit, token: tracker.token(), visitor: crowd.enter() };
            reactors.seat(Newcomer {
                stream,
                unread: Vec::new(),
                head: HEAD.to_vec(),
                framing: Framing::Chunked,
                after: After::Close,
                client: guest,
                ticket,
            });
            (&client).read_exact(&mut vec![0; expected]).expect("a greeting");
            client
        };
        Self { clients: (0..clients).map(seat).collect(), store: Store::new(1), channel }
    }

    /// Publishes so many lines, each of which every client has before the next.
    fn publish(&self, lines: usize) {
        for _ in 0..lines {
            let length = {
                let mut turn = self.store.turn(self.channel.name(), 1_000_000_000_000, Age::New);
                turn.add(Event { kind: None, data: &[b'x'; 120] });
                let batches = turn.commit(None);
                let length = batches[0].encoded().len();
                self.channel.publish(batches, ChannelLife::Open);
                length
            };
            self.read(format!("{length:X}\r\n").len() + length + 2);
        }
    }

    /// Every client reads so many bytes.
    fn read(&self, count: usize) {
        let mut block = [0; 4096];
        for mut client in &self.clients {
            let mut left = count;
            while left > 0 {
                let most = left.min(block.len());
                left -= client.read(&mut block[..most]).expect("more bytes");
            }
        }
    }
}

/// How many blocks of memory are taken while so many clients get so many lines.
fn blocks_taken(clients: usize, lines: usize) -> u64 {
    let stage = Stage::new(clients, PATIENCE, Duration::from_millis(100));
    stage.publish(2_000); // until the history drops, and every list has its size
    let before = dhat::HeapStats::get().total_blocks;
    stage.publish(lines);
    dhat::HeapStats::get().total_blocks - before
}

/// In one test: a counting allocator counts for all of them.
#[test]
fn nothing_grows_and_nothing_is_allocated_for_a_delivery() {
    let _profiler = dhat::Profiler::builder().testing().build();
    reading_allocates_nothing_for_a_line();
    sending_allocates_nothing();
    a_day_of_silence_leaks_nothing();
}

/// What is read at once costs a few blocks of memory, however many lines it is.
fn reading_allocates_nothing_for_a_line() {
    let channels = Channels::new(1 << 20, 1);
    let fittings = Fittings { store: Arc::new(Store::new(1)), metrics: Arc::default() };
    let manner = Manner { max_line: 1 << 20, recipe: Arc::default(), flush_partial: None, writer: Writer::Pipe };
    let mut pipeline = Pipeline::new(&fittings, manner, channels.open("x".parse().unwrap()));
    let lines = [vec![b'x'; 119], b"\n".to_vec()].concat().repeat(500);
    (0..100).for_each(|_| pipeline.push(&lines, Age::New, None)); // until the history drops
    let before = dhat::HeapStats::get().total_blocks;
    (0..200).for_each(|_| pipeline.push(&lines, Age::New, None));
    let blocks = dhat::HeapStats::get().total_blocks - before;
    assert!(blocks < 200 * 20, "{blocks} blocks for 200 reads of 500 lines");
}

fn sending_allocates_nothing() {
    const LINES: usize = 1_000;
    let (few, many) = (blocks_taken(1, LINES), blocks_taken(101, LINES));
    // A line costs what it costs, its batch and its place in the index, and 100,000 deliveries more cost nothing.
    assert!(many < few + 100, "{few} blocks for one client, {many} for a hundred more, {LINES} lines each");
}

/// As many heartbeats as a client gets in a day, but in a moment.
fn a_day_of_silence_leaks_nothing() {
    let day = if std::env::var("SSE_BRIDGE_TEST_COUNTS").is_ok_and(|counts| counts == "full") { 86_400 / 15 } else { 500 };
    let chunk = format!("{:X}\r\n", sse::HEARTBEAT.len()).len() + sse::HEARTBEAT.len() + 2;
    let stage = Stage::new(20, Duration::from_millis(1), Duration::from_millis(1));
    stage.read(chunk * 50);
    let before = dhat::HeapStats::get();
    stage.read(chunk * day);
    let after = dhat::HeapStats::get();
    assert!(after.curr_blocks <= before.curr_blocks + 50, "{before:?} before, {after:?} after {day} heartbeats of 20 clients");
    assert!(after.curr_bytes <= before.curr_bytes + 16_384, "{before:?} before, {after:?} after {day} heartbeats of 20 clients");
}
