//! The matrix's own client: a plain socket, HTTP/1 read by hand, the strict parser behind it.
//!
//! It sees what the other clients hide: every byte, the place of every cut, and what the parser forgives. For HTTP/2 it lets
//! curl take the frames apart, and reads head and body of what curl writes.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, TcpStream},
    process::ChildStdout,
    time::Instant,
};

use super::{process::Process, tools};
use crate::harness::{
    PATIENCE,
    parser::{Message, Parser},
};

/// A way over which a stream comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// The body is plain and ends with the connection.
    Http10,
    /// The body comes in chunks.
    Http11,
    /// The body comes in frames.
    Http2,
}

impl Version {
    /// All of them.
    pub(crate) const ALL: [Version; 3] = [Version::Http10, Version::Http11, Version::Http2];
}

/// One request and what has been read of its response.
pub(crate) struct Request {
    source: Source,
    /// What has been read so far.
    pub(crate) response: Response,
}

/// Where the response comes from.
enum Source {
    Socket(TcpStream),
    Curl(Process, ChildStdout),
}

impl Request {
    /// Asks for `path` with these header fields.
    pub(crate) fn ask(version: Version, port: u16, path: &str, fields: &[(&str, &str)]) -> io::Result<Self> {
        let source = match version {
            Version::Http10 => Source::ask(TcpStream::connect((Ipv4Addr::LOCALHOST, port))?, "1.0", path, fields)?,
            Version::Http11 => Source::ask(TcpStream::connect((Ipv4Addr::LOCALHOST, port))?, "1.1", path, fields)?,
            Version::Http2 => Source::curl(port, path, fields)?,
        };
        Ok(Self { source, response: Response::default() })
    }

    /// Asks for `path`, with `last_event_id` if it is not empty.
    pub(crate) fn get(port: u16, path: &str, last_event_id: &str) -> io::Result<Self> {
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        Self::get_over(socket, path, last_event_id)
    }

    /// The same over a socket that the caller has prepared.
    pub(crate) fn get_over(socket: TcpStream, path: &str, last_event_id: &str) -> io::Result<Self> {
        let mut fields = vec![("Accept", "text/event-stream")];
        fields.extend((!last_event_id.is_empty()).then_some(("Last-Event-ID", last_event_id)));
        let source = Source::ask(socket, "1.1", path, &fields)?;
        Ok(Self { source, response: Response::default() })
    }

    /// Reads until the response head is there: from then on, the server has this client.
    pub(crate) fn read_head(&mut self) -> io::Result<()> {
        self.read_while(|response| !response.has_head())
    }

    /// Reads to the response's end.
    pub(crate) fn read_to_end(&mut self) -> io::Result<()> {
        self.read_while(|response| !response.is_complete())
    }

    /// Reads as long as `is_wanted` says so.
    pub(crate) fn read_while(&mut self, is_wanted: impl Fn(&Response) -> bool) -> io::Result<()> {
        let mut buffer = vec![0; 64 * 1024];
        // A stream that goes on must not keep us for ever.
        let deadline = Instant::now() + PATIENCE;
        while is_wanted(&self.response) {
            self.read_some(&mut buffer)?;
            if Instant::now() > deadline {
                return Err(self.response.explain(&format!("what was waited for did not come within {PATIENCE:?}")));
            }
        }
        Ok(())
    }

    /// Reads exactly `count` more bytes of the wire.
    pub(crate) fn read_bytes(&mut self, count: usize) -> io::Result<()> {
        let mut left = vec![0; count];
        self.source.read_exact(&mut left)?;
        self.response.push(&left)
    }

    fn read_some(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        let count = self.source.read(buffer).map_err(|cause| self.response.explain(&cause))?;
        if count > 0 {
            return self.response.push(&buffer[..count]);
        }
        if let Source::Curl(curl, _) = &mut self.source
            && !curl.wait()?
        {
            return Err(self.response.explain(&curl.complaint()));
        }
        self.response.is_closed = true;
        if self.response.is_complete() { Ok(()) } else { Err(self.response.explain(&"the server closed the connection")) }
    }
}

impl Source {
    fn ask(mut socket: TcpStream, version: &str, path: &str, fields: &[(&str, &str)]) -> io::Result<Self> {
        socket.set_read_timeout(Some(PATIENCE))?;
        let port = socket.peer_addr()?.port();
        let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let fields = fields.concat();
        socket.write_all(format!("GET {path} HTTP/{version}\r\nHost: 127.0.0.1:{port}\r\n{fields}\r\n").as_bytes())?;
        Ok(Source::Socket(socket))
    }

    fn curl(port: u16, path: &str, fields: &[(&str, &str)]) -> io::Result<Self> {
        let mut curl = tools::curl(Version::Http2, 3 * PATIENCE.as_secs());
        for (name, value) in fields {
            // To curl, a colon and nothing behind it means that the field is to be left out.
            curl.arg("-H").arg(if value.is_empty() { format!("{name};") } else { format!("{name}: {value}") });
        }
        let mut process = Process::start(curl.arg("-i").arg(format!("http://127.0.0.1:{port}{path}")))?;
        let (_, output) = process.pipes();
        Ok(Source::Curl(process, output))
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Source::Socket(socket) => socket.read(buffer),
            Source::Curl(_, output) => output.read(buffer),
        }
    }
}

/// A response, byte by byte: head, chunks, messages.
#[derive(Default)]
pub(crate) struct Response {
    /// The head with its blank line.
    head: Vec<u8>,
    chunks: Chunks,
    /// The connection has ended, as it should.
    is_closed: bool,
    /// The event stream's reader, for its violations and its cursor.
    pub(crate) parser: Parser,
    /// The body without its chunk framing.
    pub(crate) body: Vec<u8>,
    /// The messages so far.
    pub(crate) messages: Vec<Message>,
    /// Bytes of the wire read so far.
    pub(crate) wire: usize,
}

impl Response {
    /// Takes more bytes of the wire.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        self.wire += bytes.len();
        while !self.has_head() {
            let Some((first, rest)) = bytes.split_first() else { return Ok(()) };
            self.head.push(*first);
            bytes = rest;
        }
        let start = self.body.len();
        if self.is_chunked() {
            self.chunks.push(bytes, &mut self.body)?;
        } else {
            self.body.extend_from_slice(bytes);
        }
        self.messages.extend(self.parser.push(&self.body[start..]));
        Ok(())
    }

    /// The status code; 0 before the head is there.
    pub(crate) fn status(&self) -> u16 {
        let code = self.head.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
        str::from_utf8(code).ok().and_then(|code| code.parse().ok()).unwrap_or_default()
    }

    /// The header fields, their names in small letters.
    pub(crate) fn fields(&self) -> Vec<(String, String)> {
        let head = String::from_utf8_lossy(&self.head);
        let fields = head.lines().skip(1).filter_map(|line| line.split_once(": "));
        fields.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect()
    }

    /// The length of the head.
    pub(crate) fn head_len(&self) -> usize {
        self.head.len()
    }

    fn has_head(&self) -> bool {
        self.head.ends_with(b"\r\n\r\n")
    }

    /// Whether the last byte of the response has been read.
    pub(crate) fn is_complete(&self) -> bool {
        let length = self.field("content-length").and_then(|length| length.parse::<usize>().ok());
        match length {
            _ if !self.has_head() => false,
            _ if self.status() == 204 => true,
            Some(length) => self.body.len() == length,
            None if self.is_chunked() => self.chunks.is_over(),
            None => self.is_closed,
        }
    }

    /// A header field's value; `name` in small letters.
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        self.fields().into_iter().find_map(|(known, value)| (known == name).then_some(value))
    }

    fn is_chunked(&self) -> bool {
        self.has_head() && self.field("transfer-encoding").is_some_and(|coding| coding == "chunked")
    }

    fn explain(&self, cause: &dyn std::fmt::Display) -> io::Error {
        let body = String::from_utf8_lossy(&self.body[self.body.len().saturating_sub(200)..]);
        let head = String::from_utf8_lossy(&self.head);
        io::Error::other(format!("{cause}, after {} bytes, head {head:?}, body …{body:?}", self.wire))
    }
}

/// Violations that are printed one by one.
const PRINTED: usize = 3;

/// What the wire must not contain, if it did.
pub(crate) fn judge(parser: &Parser) -> Result<(), String> {
    let all = parser.violations();
    if all.is_empty() {
        return Ok(());
    }
    let first: Vec<String> = all.iter().take(PRINTED).map(ToString::to_string).collect();
    let more = if all.len() > PRINTED { format!("; and {} more", all.len() - PRINTED) } else { String::new() };
    Err(format!("on the wire: {}{more}", first.join("; ")))
}

/// The chunked coding, read strictly.
#[derive(Default)]
enum Chunks {
    /// In the line that tells a chunk's size; what has been read of it.
    #[default]
    Begin,
    Size(Vec<u8>),
    /// In a chunk with this many bytes to come.
    Data(usize),
    /// In the line end behind a chunk, or behind the last one.
    Tail {
        left: usize,
        is_last: bool,
    },
    /// The last chunk has been read.
    Over,
}

impl Chunks {
    fn is_over(&self) -> bool {
        matches!(self, Chunks::Over)
    }

    /// Appends what the chunks carry to `body`.
    fn push(&mut self, mut bytes: &[u8], body: &mut Vec<u8>) -> io::Result<()> {
        while !bytes.is_empty() {
            bytes = self.step(bytes, body)?;
        }
        Ok(())
    }

    /// Takes at least one byte and returns the rest.
    fn step<'a>(&mut self, bytes: &'a [u8], body: &mut Vec<u8>) -> io::Result<&'a [u8]> {
        match self {
            Chunks::Begin => *self = Chunks::Size(Vec::new()),
            Chunks::Size(line) => {
                line.push(bytes[0]);
                if line.ends_with(b"\r\n") {
                    *self = Self::after_size(line)?;
                }
                return Ok(&bytes[1..]);
            }
            Chunks::Data(left) => {
                let here = bytes.len().min(*left);
                body.extend_from_slice(&bytes[..here]);
                *left -= here;
                if *left == 0 {
                    *self = Chunks::Tail { left: 2, is_last: false };
                }
                return Ok(&bytes[here..]);
            }
            Chunks::Tail { left, is_last } => {
                if bytes[0] != b"\r\n"[2 - *left] {
                    return Err(io::Error::other(format!("byte {:#04x} where a chunk's line end must be", bytes[0])));
                }
                *left -= 1;
                if *left == 0 {
                    *self = if *is_last { Chunks::Over } else { Chunks::Begin };
                }
                return Ok(&bytes[1..]);
            }
            Chunks::Over => return Err(io::Error::other(format!("{} bytes behind the last chunk", bytes.len()))),
        }
        Ok(bytes)
    }

    fn after_size(line: &[u8]) -> io::Result<Self> {
        let text = String::from_utf8_lossy(line);
        let size = usize::from_str_radix(text.trim_end(), 16)
            .map_err(|cause| io::Error::other(format!("chunk size {text:?}: {cause}")))?;
        Ok(if size == 0 { Chunks::Tail { left: 2, is_last: true } } else { Chunks::Data(size) })
    }
}
