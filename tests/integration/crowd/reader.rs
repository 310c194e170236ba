//! One of the crowd: it reads a stream in its manner, and writes down what it has seen.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::CHANNELS;
use crate::harness::parser::{Message, Parser};
use crate::harness::{PATIENCE, Random, connect, connect_narrow, scale};
use crate::wire::{field, status};

/// How a client is and behaves.
#[derive(Debug, Clone)]
pub struct Manner {
    /// Its view, to be followed by the rest of a query.
    pub path: &'static str,
    /// The channels in it.
    pub channels: &'static [usize],
    /// It reads lines alone.
    pub is_text: bool,
    /// It speaks HTTP/1.0.
    pub is_old: bool,
    /// How many old lines it wants; all of them if it does not say.
    pub tail: Option<usize>,
    /// Its kernel holds next to nothing for it.
    pub is_narrow: bool,
    /// It leaves now and then, and comes back.
    pub leaves: bool,
    pub pace: Pace,
    /// When it comes.
    pub delay: Duration,
}

/// How fast it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    AtOnce,
    /// With long pauses.
    Stalling,
    /// A little at a time.
    Slow,
    /// Nothing but the head until it is woken.
    Asleep,
}

/// What it sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// Where the stream begins.
    Start {
        number: u64,
    },
    /// A line, or the end of a channel, of which the daemon has made an event; lines of text have no number.
    Line {
        number: Option<u64>,
        channel: usize,
        text: String,
    },
    End {
        number: u64,
        channel: usize,
    },
    /// Something is missing.
    Gap {
        from: u64,
        to: u64,
        lost: Option<u64>,
    },
    /// The daemon has ended the stream, and not by its last chunk.
    Cut,
    /// The client left, to come back.
    Left,
}

/// What a client has seen, and in which manner.
#[derive(Debug)]
pub struct Record {
    pub manner: Manner,
    pub seen: Vec<Seen>,
    /// The stream has come to its clean end, or the daemon says that there is nothing more.
    pub is_whole: bool,
}

impl Record {
    /// The counts of all gaps.
    pub fn gaps(&self) -> impl Iterator<Item = Option<u64>> {
        self.seen.iter().filter_map(|seen| if let Seen::Gap { lost, .. } = seen { Some(*lost) } else { None })
    }

    /// How often its stream was cut, and how often without a loss: what had been dropped stood in the part of a chunk that it had got.
    pub fn cuts(&self) -> (usize, usize) {
        let next = self.seen.iter().zip(self.seen.iter().skip(1)).filter(|(seen, _)| **seen == Seen::Cut).map(|(_, next)| next);
        let (with, without): (Vec<_>, Vec<_>) = next.partition(|next| matches!(next, Seen::Gap { .. }));
        (with.len() + without.len(), without.len())
    }
}

/// Why a connection ended that was not whole.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// The daemon ended it; over HTTP/1.0 it may have been whole.
    Daemon,
    /// The client left.
    Client,
}

/// Reads to the end, however often it has to come back.
pub fn read(port: u16, manner: Manner, seed: u64, awake: &Receiver<()>) -> Record {
    let mut random = Random::new(seed);
    let deadline = Instant::now() + PATIENCE * scale(2, 10);
    let mut record = Record { manner, seen: Vec::new(), is_whole: false };
    let mut id = String::new();
    thread::sleep(record.manner.delay); // it comes at this time
    loop {
        assert!(Instant::now() < deadline, "still not through; the last was {:?}", record.seen.last());
        let end = connection(port, &mut record, &mut id, &mut random, awake);
        if record.is_whole || record.manner.is_text {
            return record;
        }
        match end {
            _ if id.is_empty() => record.seen.clear(), // it has had nothing, and begins anew
            End::Client => record.seen.push(Seen::Left),
            End::Daemon => record.seen.push(Seen::Cut),
        }
    }
}

/// Reads over one connection.
fn connection(port: u16, record: &mut Record, id: &mut String, random: &mut Random, awake: &Receiver<()>) -> End {
    let manner = record.manner.clone();
    let mut socket = if manner.is_narrow { connect_narrow(port) } else { connect(port) };
    socket.write_all(request(&manner, id).as_bytes()).unwrap();
    let head = head(&mut socket);
    if status(&head) == 204 && !id.is_empty() {
        record.is_whole = true; // so says the daemon
        return End::Daemon;
    }
    assert_eq!(status(&head), 200, "{head}");
    if let Some(gap) = field(&head, "sse-bridge-gap") {
        record.seen.push(gap_of(gap));
    }
    let (mut body, mut reader) = (Body::new(!manner.is_old), Events::new(manner.is_text));
    if manner.pace == Pace::Asleep {
        // Woken once, it does not sleep again.
        let _ = awake.recv_timeout(PATIENCE * scale(2, 10));
    }
    let mut block = vec![0; 64 * 1024];
    loop {
        let most = if manner.pace == Pace::Slow { 1 + random.below(4096) } else { block.len() };
        let count = match socket.read(&mut block[..most]) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => 0,
            Err(error) => panic!("{error} behind {:?}", record.seen.last()),
        };
        reader.push(&body.push(&block[..count]), &mut record.seen);
        if let Some(newest) = reader.last_id() {
            *id = newest;
        }
        if body.is_whole || count == 0 {
            reader.finish(body.is_whole);
            record.is_whole = body.is_whole;
            return End::Daemon;
        }
        if manner.leaves && random.below(100) == 0 && !manner.is_text {
            return End::Client;
        }
        pause(manner.pace, random);
    }
}

/// The manner of a client, not a wait for anything.
fn pause(pace: Pace, random: &mut Random) {
    match pace {
        Pace::Stalling if random.below(20) == 0 => thread::sleep(Duration::from_millis(random.below(400) as u64)),
        Pace::Slow if random.below(10) == 0 => thread::sleep(Duration::from_millis(random.below(5) as u64)),
        _ => {}
    }
}

fn request(manner: &Manner, id: &str) -> String {
    let version = if manner.is_old { "1.0" } else { "1.1" };
    let tail = manner.tail.map_or_else(|| "all".to_owned(), |tail| tail.to_string());
    let format = if manner.is_text { "text" } else { "sse" };
    let id = if id.is_empty() { String::new() } else { format!("Last-Event-ID: {id}\r\n") };
    format!("GET {}tail={tail}&format={format} HTTP/{version}\r\nHost: localhost\r\n{id}\r\n", manner.path)
}

fn head(socket: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).unwrap_or_else(|error| panic!("{error} in the head: {:?}", String::from_utf8_lossy(&head)));
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

/// Takes the chunks off a body, however it is cut.
struct Body {
    is_chunked: bool,
    /// What is left of the chunk and the line end behind it.
    left: usize,
    line: Vec<u8>,
    is_whole: bool,
}

impl Body {
    fn new(is_chunked: bool) -> Self {
        Self { is_chunked, left: 0, line: Vec::new(), is_whole: false }
    }

    fn push(&mut self, mut bytes: &[u8]) -> Vec<u8> {
        if !self.is_chunked {
            return bytes.to_vec();
        }
        let mut body = Vec::new();
        while let Some(first) = bytes.first() {
            assert!(!self.is_whole, "bytes behind the end: {:?}", String::from_utf8_lossy(bytes));
            if self.left > 2 {
                let count = bytes.len().min(self.left - 2);
                body.extend_from_slice(&bytes[..count]);
                self.left -= count;
                bytes = &bytes[count..];
            } else if self.left > 0 {
                assert_eq!(*first, b"\r\n"[2 - self.left], "behind a chunk");
                self.left -= 1;
                bytes = &bytes[1..];
            } else {
                self.line.push(*first);
                bytes = &bytes[1..];
                self.read_size();
            }
        }
        body
    }

    fn read_size(&mut self) {
        if self.line == b"0\r\n\r\n" {
            self.is_whole = true;
        } else if let Some(size) = self.line.strip_suffix(b"\r\n").filter(|size| *size != b"0" && !size.starts_with(b"0\r")) {
            let size = std::str::from_utf8(size).unwrap();
            self.left = usize::from_str_radix(size, 16).unwrap_or_else(|error| panic!("{error}: a chunk of {size:?}")) + 2;
            self.line.clear();
        }
    }
}

/// Makes what is seen of a body.
enum Events {
    Stream(Box<Parser>),
    Text(Vec<u8>),
}

impl Events {
    fn new(is_text: bool) -> Self {
        if is_text { Self::Text(Vec::new()) } else { Self::Stream(Box::default()) }
    }

    fn push(&mut self, bytes: &[u8], seen: &mut Vec<Seen>) {
        match self {
            Self::Stream(parser) => seen.extend(parser.push(bytes).iter().map(seen_of)),
            Self::Text(pending) => {
                pending.extend_from_slice(bytes);
                let end = pending.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
                let lines: Vec<u8> = pending.drain(..end).collect();
                let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
                seen.extend(lines.map(|line| line_of(None, std::str::from_utf8(line).unwrap())));
            }
        }
    }

    fn last_id(&self) -> Option<String> {
        let Self::Stream(parser) = self else { return None };
        Some(parser.last_event_id().to_owned()).filter(|id| !id.is_empty())
    }

    /// Nothing that the daemon promises never to send has come.
    fn finish(&mut self, is_whole: bool) {
        match self {
            Self::Stream(parser) => {
                if is_whole {
                    parser.finish();
                }
                assert!(parser.violations().is_empty(), "{}", parser.violations()[0]);
            }
            Self::Text(pending) => assert!(!is_whole || pending.is_empty(), "the end of a stream inside a line"),
        }
    }
}

fn seen_of(message: &Message) -> Seen {
    let number = || number_of(&message.id);
    match &*message.event {
        "message" => line_of(Some(number()), &message.data),
        "start" => Seen::Start { number: number() },
        "gap" => gap_of(&message.data),
        "end" => {
            let data: Value = serde_json::from_str(&message.data).unwrap();
            let channel = CHANNELS.iter().position(|name| data["channel"] == *name);
            Seen::End { number: number(), channel: channel.unwrap_or_else(|| panic!("{message:?}")) }
        }
        _ => panic!("an event of this type: {message:?}"),
    }
}

fn line_of(number: Option<u64>, text: &str) -> Seen {
    let channel = CHANNELS.iter().position(|name| text.split(' ').next() == Some(name));
    Seen::Line { number, channel: channel.unwrap_or_else(|| panic!("no line of ours: {text:?}")), text: text.to_owned() }
}

fn gap_of(json: &str) -> Seen {
    let gap: Value = serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"));
    let position = |name: &str| gap[name].as_str().map_or(0, number_of);
    assert!(gap["reason"] == "slow" || gap["reason"] == "dropped", "{json}");
    Seen::Gap { from: position("from"), to: position("to"), lost: gap["lost"].as_u64() }
}

/// The number in an id.
fn number_of(id: &str) -> u64 {
    let number = id.split('/').next().and_then(|position| position.split_once('-')).and_then(|(_, number)| number.parse().ok());
    number.unwrap_or_else(|| panic!("no id: {id:?}"))
}
