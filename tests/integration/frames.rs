//! HTTP/2 by hand: frames as they are sent and read, so that a test can leave out what a well-behaved client would do.

use std::io::{self, BufReader, Read, Write};
use std::net::TcpStream;

use crate::harness::{Bridge, connect};
use crate::wire::AT_ONCE;

/// What a client says first (RFC 9113, 3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Frame types and flags (RFC 9113, 6).
pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

/// Settings that tests choose (RFC 9113, 6.5.2).
pub const INITIAL_WINDOW_SIZE: u16 = 4;

/// One frame.
#[derive(Debug)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

/// A connection that speaks HTTP/2 with prior knowledge. It answers settings and pings, and nothing else by itself: windows
/// stay as they are unless the test opens them.
pub struct Http2 {
    socket: BufReader<TcpStream>,
}

impl Http2 {
    /// Connects and greets with these settings.
    pub fn to(bridge: &Bridge, settings: &[(u16, u32)]) -> Self {
        let socket = connect(bridge.port);
        socket.set_read_timeout(Some(AT_ONCE)).unwrap();
        let mut connection = Self { socket: BufReader::new(socket) };
        connection.socket.get_mut().write_all(PREFACE).unwrap();
        let encoded: Vec<_> =
            settings.iter().flat_map(|(name, value)| [&name.to_be_bytes()[..], &value.to_be_bytes()].concat()).collect();
        connection.send(SETTINGS, 0, 0, &encoded);
        connection
    }

    /// Sends a frame. A peer that has closed already is no failure here: reading shows it.
    pub fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let mut frame = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
        frame.extend_from_slice(&[kind, flags]);
        frame.extend_from_slice(&stream.to_be_bytes());
        frame.extend_from_slice(payload);
        let _ = self.socket.get_mut().write_all(&frame);
    }

    /// Asks for a path on a new stream, with more header fields.
    pub fn get(&mut self, stream: u32, path: &str, fields: &[(&str, &str)]) {
        let mut block = vec![0x82, 0x86]; // :method GET, :scheme http, from the static table
        field(&mut block, &[0x04], path);
        if !fields.iter().any(|(name, _)| *name == ":authority") {
            field(&mut block, &[0x01], "localhost");
        }
        for (name, value) in fields {
            let named = [&[0, u8::try_from(name.len()).unwrap()], name.as_bytes()].concat();
            field(&mut block, &named, value);
        }
        self.send(HEADERS, END_HEADERS | END_STREAM, stream, &block);
    }

    /// Opens the window of a stream, or of the connection (0).
    pub fn open_window(&mut self, stream: u32, by: u32) {
        self.send(WINDOW_UPDATE, 0, stream, &by.to_be_bytes());
    }

    /// The next frame, or none at the end of the connection.
    pub fn frame(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.read(&mut head)?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        self.read(&mut payload)?;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let frame = Frame { kind: head[3], flags: head[4], stream, payload };
        if frame.flags & ACK == 0 {
            match frame.kind {
                SETTINGS => self.send(SETTINGS, ACK, 0, &[]),
                PING => self.send(PING, ACK, 0, &frame.payload),
                _ => {}
            }
        }
        Some(frame)
    }

    /// The next frame of a stream.
    pub fn frame_of(&mut self, stream: u32) -> Frame {
        loop {
            let frame = self.frame().unwrap_or_else(|| panic!("the connection ended before a frame of stream {stream}"));
            if frame.stream == stream {
                return frame;
            }
        }
    }

    /// The status of a stream's answer. The server writes those in the static table as one byte, others as text.
    pub fn status_of(&mut self, stream: u32) -> u16 {
        let frame = self.frame_of(stream);
        assert_eq!(frame.kind, HEADERS, "{frame:?}");
        // A change of the table's size may stand first.
        let field = frame.payload.iter().position(|byte| byte & 0xe0 != 0x20).unwrap();
        match frame.payload[field] {
            indexed @ 0x88..=0x8e => [200, 204, 206, 304, 400, 404, 500][usize::from(indexed - 0x88)],
            _ => 0,
        }
    }

    /// Reads a stream's data until it holds a text.
    pub fn until(&mut self, stream: u32, text: &str) -> String {
        let mut seen = String::new();
        while !seen.contains(text) {
            let frame = self.frame_of(stream);
            assert!(frame.kind != RST_STREAM && frame.flags & END_STREAM == 0, "the stream ended before {text:?}: {seen}");
            if frame.kind == DATA {
                seen.push_str(&String::from_utf8(frame.payload).unwrap());
            }
        }
        seen
    }

    /// Reads a stream to its end; whether that was clean.
    pub fn ends_cleanly(&mut self, stream: u32) -> bool {
        loop {
            match self.frame() {
                Some(frame) if frame.stream != stream => {}
                Some(frame) if frame.kind == RST_STREAM => return false,
                Some(frame) if frame.flags & END_STREAM != 0 => return true,
                Some(_) => {}
                None => return false,
            }
        }
    }

    fn read(&mut self, into: &mut [u8]) -> Option<()> {
        match self.socket.read_exact(into) {
            Ok(()) => Some(()),
            Err(error) if matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) => None,
            Err(error) => panic!("no frame: {error}"),
        }
    }
}

/// A header field without indexing and without Huffman's code (RFC 7541, 6.2.2).
fn field(block: &mut Vec<u8>, name: &[u8], value: &str) {
    block.extend_from_slice(name);
    block.push(u8::try_from(value.len()).ok().filter(|length| *length < 127).expect("a short value"));
    block.extend_from_slice(value.as_bytes());
}
