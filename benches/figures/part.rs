//! The parts that this program plays as a process of its own, so that CPU time and cores can be told apart.
//!
//! They speak like the bridge where they stand in its place: the same words on standard error, the same first event.

use std::fs::File;
use std::hint::black_box;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::AsFd;

use memchr::memchr_iter;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Bytes of a line with its newline.
pub(crate) const LINE: usize = 120;

/// Lines in a block of the writer: near a megabyte.
pub(crate) const LINES_IN_BLOCK: u64 = 8192;

/// Bytes asked of one read, as the bridge does.
const READ: usize = 64 * 1024;

/// Until a client has come to the relay, in milliseconds.
const CLIENT_COMES: u16 = 30_000;

/// What can be played.
pub(crate) enum Part {
    /// Writes so many blocks of lines to standard output, as fast as they are taken.
    Write(u64),
    /// Reads standard input and looks for the ends of lines: the least that any reader of lines does.
    Scan,
    /// Copies standard input to one TCP client: the least that anything between pipe and client does.
    Relay,
    /// Throws standard input away, and says when so many bytes have come.
    Drain(u64),
}

impl Part {
    /// Reads which one is asked for.
    pub(crate) fn read(mut words: impl Iterator<Item = String>) -> io::Result<Self> {
        match (words.next().as_deref(), words.next().and_then(|count| count.parse().ok())) {
            (Some("write"), Some(blocks)) => Ok(Self::Write(blocks)),
            (Some("scan"), None) => Ok(Self::Scan),
            (Some("relay"), None) => Ok(Self::Relay),
            (Some("drain"), Some(bytes)) => Ok(Self::Drain(bytes)),
            (other, _) => Err(io::Error::other(format!("{other:?} is not a part"))),
        }
    }

    /// Plays it to its end.
    pub(crate) fn play(self) -> io::Result<()> {
        match self {
            Self::Write(blocks) => write(blocks),
            Self::Scan => scan(),
            Self::Relay => relay(),
            Self::Drain(bytes) => drain(bytes),
        }
    }
}

/// Says that it could begin, and begins when its standard input ends.
fn write(blocks: u64) -> io::Result<()> {
    let block: Vec<u8> = (0..LINES_IN_BLOCK).flat_map(line).collect();
    writeln!(io::stderr(), "ready to write")?;
    io::stdin().read_to_end(&mut Vec::new())?;
    let mut out = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    (0..blocks).try_for_each(|_| out.write_all(&block))?;
    writeln!(io::stderr(), "written")
}

/// A line as servers write them, all ASCII: no two in a block are the same.
fn line(number: u64) -> Vec<u8> {
    let (minute, client, path, micros) = (number / 60 % 60, number * 7 % 251, number * 2_654_435_761 % 99_991, number * 31 % 9973);
    let mut line = format!(
        "2025-11-20T19:{minute:02}:07Z INFO request {number} from 10.0.3.{client}: GET /item/{path} 200 {micros} us \"Mozilla/5.0 (X11; Linux x86_64)\""
    );
    line.truncate(LINE - 1);
    format!("{line:.<width$}\n", width = LINE - 1).into_bytes()
}

fn scan() -> io::Result<()> {
    let mut input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let (mut block, mut lines) = (vec![0; READ], 0_u64);
    writeln!(io::stderr(), "listening on standard input alone")?;
    loop {
        let count = input.read(&mut block)?;
        if count == 0 {
            return writeln!(io::stderr(), "standard input ended after {lines} lines");
        }
        for newline in memchr_iter(b'\n', &block[..count]) {
            black_box(newline);
            lines += 1;
        }
    }
}

fn relay() -> io::Result<()> {
    let mut input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    writeln!(io::stderr(), "listening on http://{}/", listener.local_addr()?)?;
    if poll(&mut [PollFd::new(listener.as_fd(), PollFlags::POLLIN)], PollTimeout::from(CLIENT_COMES))? == 0 {
        return Err(io::Error::other("no client came"));
    }
    let (mut client, _) = listener.accept()?;
    client.set_nodelay(true)?;
    client.write_all(b"event: start\n\n")?;
    let mut block = vec![0; READ];
    loop {
        match input.read(&mut block)? {
            0 => return Ok(()),
            count => client.write_all(&block[..count])?,
        }
    }
}

fn drain(bytes: u64) -> io::Result<()> {
    let mut input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let (mut block, mut left) = (vec![0; 2 * READ], bytes); // as `cat` does
    while left > 0 {
        match input.read(&mut block)? {
            0 => return Err(io::Error::other(format!("{left} bytes have not come"))),
            count => left = left.saturating_sub(count as u64),
        }
    }
    writeln!(io::stderr(), "all bytes have come")
}
