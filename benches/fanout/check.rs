//! What a client got: every line, once and in order.
//!
//! A stream is taken apart as far as that needs: the head, the chunks if there are any, and the lines of the body that begin with
//! `data: `. It comes in blocks that may be cut anywhere. A line of ours is known by its length and its padding, so what is cut
//! or mixed up counts as not delivered; whatever else a server says (a `start` event, comments, ids) is passed over.

use std::io;

use memchr::{memchr, memmem};

use super::feeder::{DATA, DIGITS, PADDING};

const FIELD: &[u8] = b"data: ";
const HEAD_END: &[u8] = b"\r\n\r\n";

/// What is wrong with what came.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Faults {
    /// Lines that were passed over.
    pub(crate) lost: u64,
    /// Lines that came again, or after a later one.
    pub(crate) repeated: u64,
}

/// Where in the transfer the next byte stands.
#[derive(Debug)]
enum Place {
    Head,
    /// In a chunk's size, of which this is known so far; after `;` or CR the rest of its line is passed over.
    Size {
        value: usize,
        is_read: bool,
    },
    /// In a chunk, with so many bytes to come, its CRLF included.
    Chunk {
        left: usize,
    },
    /// In a body that ends with the connection.
    Body,
    /// Behind the last chunk.
    End,
}

/// What one client has got so far.
#[derive(Debug)]
pub(crate) struct Stream {
    place: Place,
    /// The head, or the line of the body, that has begun and not ended.
    begun: Vec<u8>,
    /// The line that is to come.
    next: u64,
    /// Answers without a body that came before.
    pub(crate) answers: usize,
    /// Bytes of events.
    pub(crate) body: u64,
    pub(crate) faults: Faults,
}

impl Stream {
    pub(crate) fn new() -> Self {
        Self { place: Place::Head, begun: Vec::new(), next: 1, answers: 0, body: 0, faults: Faults::default() }
    }

    /// Whether the head of the answer has come.
    pub(crate) fn has_head(&self) -> bool {
        !matches!(self.place, Place::Head)
    }

    /// The newest line that has come.
    pub(crate) fn newest(&self) -> u64 {
        self.next - 1
    }

    /// Takes the next bytes. Each line of ours in them is shown with its number and its data.
    pub(crate) fn take(&mut self, mut bytes: &[u8], mut each: impl FnMut(u64, &[u8])) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.place {
                Place::Head => bytes = self.head(bytes)?,
                Place::Size { value, is_read } => bytes = self.size(value, is_read, bytes),
                Place::Chunk { left } => {
                    let (here, rest) = bytes.split_at(left.min(bytes.len()));
                    let of_body = left.saturating_sub(2).min(here.len());
                    self.events(&here[..of_body], &mut each);
                    let left = left - here.len();
                    self.place = if left == 0 { Place::Size { value: 0, is_read: false } } else { Place::Chunk { left } };
                    bytes = rest;
                }
                Place::Body => {
                    self.events(bytes, &mut each);
                    return Ok(());
                }
                Place::End => return Ok(()),
            }
        }
        Ok(())
    }

    fn head<'a>(&mut self, bytes: &'a [u8]) -> io::Result<&'a [u8]> {
        let before = self.begun.len();
        self.begun.extend_from_slice(bytes);
        let Some(end) = memmem::find(&self.begun, HEAD_END) else { return Ok(&[]) };
        let head = String::from_utf8_lossy(&self.begun[..end]).to_ascii_lowercase();
        self.begun.clear();
        self.place = match head.split(' ').nth(1) {
            Some("200") if head.contains("\r\ntransfer-encoding: chunked") => Place::Size { value: 0, is_read: false },
            Some("200") => Place::Body,
            Some("204") => Place::Head,
            _ => return Err(io::Error::other(format!("a client was refused: {head:?}"))),
        };
        self.answers += usize::from(!self.has_head());
        Ok(&bytes[end + HEAD_END.len() - before..])
    }

    fn size<'a>(&mut self, mut value: usize, mut is_read: bool, bytes: &'a [u8]) -> &'a [u8] {
        for (at, byte) in bytes.iter().enumerate() {
            match char::from(*byte).to_digit(16) {
                _ if *byte == b'\n' => {
                    self.place = if value == 0 { Place::End } else { Place::Chunk { left: value + 2 } };
                    return &bytes[at + 1..];
                }
                Some(digit) if !is_read => value = value * 16 + digit as usize,
                _ => is_read = true,
            }
        }
        self.place = Place::Size { value, is_read };
        &[]
    }

    fn events(&mut self, mut bytes: &[u8], each: &mut impl FnMut(u64, &[u8])) {
        self.body += bytes.len() as u64;
        if !self.begun.is_empty() {
            let Some(end) = memchr(b'\n', bytes) else { return self.begun.extend_from_slice(bytes) };
            let mut line = std::mem::take(&mut self.begun);
            line.extend_from_slice(&bytes[..end]);
            self.line(&line, each);
            line.clear();
            self.begun = line;
            bytes = &bytes[end + 1..];
        }
        while let Some(end) = end_of_line(bytes) {
            self.line(&bytes[..end], each);
            bytes = &bytes[end + 1..];
        }
        self.begun.extend_from_slice(bytes);
    }

    fn line(&mut self, line: &[u8], each: &mut impl FnMut(u64, &[u8])) {
        let Some(data) = line.strip_prefix(FIELD).filter(|data| data.len() == DATA && data.ends_with(PADDING)) else { return };
        let Some(number) = number(&data[..DIGITS]) else { return };
        if number < self.next {
            self.faults.repeated += 1;
            return;
        }
        self.faults.lost += number - self.next;
        self.next = number + 1;
        each(number, data);
    }
}

/// Where the first line ends. A line of ours has a known length, so its end is looked up and not looked for.
fn end_of_line(bytes: &[u8]) -> Option<usize> {
    const END: usize = FIELD.len() + DATA;
    if bytes.get(END) == Some(&b'\n') && bytes.starts_with(FIELD) && bytes[..END].ends_with(PADDING) {
        return Some(END);
    }
    memchr(b'\n', bytes)
}

/// The number that these digits say.
pub(crate) fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u64::from(byte - b'0')))
}
