//! A chunk as the bytes of HTTP/1 (RFC 9112, 7.1): what one write hands to the kernel.
//!
//! ```text
//! [head] SIZE\r\n said events \r\n        chunked
//! [head] said events                      up to the end of the connection: HTTP/1.0
//! ```
//!
//! Small pieces are copied together once for all clients who are sent the same. A few large ones stay where they are, and the kernel is given
//! them and what stands around them.

use std::io::{self, IoSlice, Write};

use bytes::Bytes;

use crate::http::client::Chunk;

/// From this size on a piece of a chunk is not copied, in bytes.
const LARGE: usize = 16 * 1024;

/// How many pieces are left where they are.
const FEW: usize = 4;

/// What is kept of the memory for small events, in bytes.
const KEPT: usize = 128 * 1024;

const CHUNK_END: &[u8] = b"\r\n";

const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

const CHUNK_END_AND_LAST_CHUNK: &[u8] = b"\r\n0\r\n\r\n";

/// How a body is cut into messages of HTTP/1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Framing {
    /// HTTP/1.1: in chunks.
    Chunked,
    /// HTTP/1.0: it ends with the connection.
    Plain,
}

/// Bytes on their way: filled, written, filled again.
#[derive(Debug, Clone, Default)]
pub struct Wire {
    before: Vec<u8>,
    shared: [Bytes; FEW],
    after: &'static [u8],
}

impl Wire {
    /// Fills it with a chunk behind a response's head, of which nothing is left once it has been sent.
    pub fn fill(&mut self, head: &[u8], chunk: &Chunk, framing: Framing) {
        self.clear(head);
        if chunk.is_empty() {
            return;
        }
        if framing == Framing::Chunked {
            // Writing to memory cannot fail.
            let _ = write!(self.before, "{:X}\r\n", chunk.length());
            self.after = CHUNK_END;
        }
        self.before.extend_from_slice(&chunk.said);
        if chunk.events.len() <= FEW && chunk.events.iter().any(|part| part.len() >= LARGE) {
            self.shared.iter_mut().zip(&chunk.events).for_each(|(shared, part)| shared.clone_from(part));
            return;
        }
        for part in &chunk.events {
            self.before.extend_from_slice(part);
        }
        self.before.extend_from_slice(std::mem::take(&mut self.after));
    }

    /// Adds the clean end of the body.
    pub fn end(&mut self, framing: Framing) {
        match framing {
            Framing::Plain => {}
            Framing::Chunked if self.after.is_empty() => self.before.extend_from_slice(LAST_CHUNK),
            Framing::Chunked => self.after = CHUNK_END_AND_LAST_CHUNK,
        }
    }

    fn clear(&mut self, head: &[u8]) {
        self.before.clear();
        self.before.shrink_to(KEPT);
        self.before.extend_from_slice(head);
        self.shared = Default::default();
        self.after = &[];
    }

    /// Its bytes.
    #[must_use]
    pub fn length(&self) -> usize {
        self.before.len() + self.shared.iter().map(Bytes::len).sum::<usize>() + self.after.len()
    }

    /// Hands the bytes from `sent` on to a socket, in one write; gives how many it has in all.
    ///
    /// # Errors
    /// What the kernel says; a full socket is none.
    pub fn send(&self, mut socket: impl Write, sent: usize) -> io::Result<usize> {
        let taken = if self.shared.iter().all(Bytes::is_empty) {
            socket.write(&self.before[sent..])
        } else {
            let [first, second, third, fourth] = &self.shared;
            let mut pieces = [&*self.before, first, second, third, fourth, self.after].map(IoSlice::new);
            let mut rest = &mut pieces[..];
            IoSlice::advance_slices(&mut rest, sent);
            socket.write_vectored(rest)
        };
        match taken {
            Ok(0) if sent < self.length() => Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => Ok(sent + count),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(sent),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => self.send(socket, sent),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Takes at most so many bytes a write, and now and then none.
    struct Narrow {
        width: usize,
        got: Vec<u8>,
        is_full: bool,
    }

    impl Write for Narrow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.is_full = !self.is_full;
            if self.is_full {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let count = bytes.len().min(self.width);
            self.got.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
            self.write(&pieces.iter().flat_map(|piece| piece.to_vec()).collect::<Vec<_>>())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn sent(wire: &Wire, width: usize) -> Vec<u8> {
        let mut socket = Narrow { width, got: Vec::new(), is_full: false };
        let mut sent = 0;
        while sent < wire.length() {
            sent = wire.send(&mut socket, sent).unwrap();
        }
        socket.got
    }

    proptest! {
        #[test]
        fn a_chunk_is_what_the_standard_says_however_it_is_taken(
            head in ".{0,20}",
            said in ".{0,30}",
            sizes in proptest::collection::vec(prop_oneof![0..50_usize, LARGE - 1..LARGE + 2], 0..FEW + 2),
            width in 1..40_000_usize,
        ) {
            let events: Vec<_> = sizes.iter().map(|size| Bytes::from(vec![b'x'; *size])).collect();
            let chunk = Chunk { said: said.into_bytes(), events, ..Chunk::default() };
            let body = [chunk.said.clone(), chunk.events.concat()].concat();
            let mut wire = Wire::default();
            wire.fill(head.as_bytes(), &chunk, Framing::Plain);
            prop_assert_eq!(sent(&wire, width), [head.as_bytes(), &body].concat());
            wire.fill(head.as_bytes(), &chunk, Framing::Chunked);
            let framed = if chunk.is_empty() { Vec::new() } else { [format!("{:X}\r\n", body.len()).as_bytes(), &body, b"\r\n"].concat() };
            prop_assert_eq!(sent(&wire, width), [head.as_bytes(), &framed].concat());
            wire.end(Framing::Chunked);
            prop_assert_eq!(sent(&wire, width), [head.as_bytes(), &framed, b"0\r\n\r\n"].concat());
        }
    }
}
