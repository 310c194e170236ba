//! The tests' own reading of an event stream: lenient as the standard, strict as our promise.
//!
//! Two answers come out of the same bytes:
//!
//! * the **messages**, exactly those that the event-stream grammar of the WHATWG HTML standard gives, whatever the bytes
//!   are: this is what a browser would see;
//! * the **violations**: everything that the grammar forgives but our server promises never to send. Clients in the
//!   field break on these (see the client columns of the conformance matrix), so a test that reads our wire asserts
//!   that there are none.
//!
//! ```text
//! bytes ─▸ lines (CR, LF, CRLF) ─▸ fields ─▸ block ─▸ blank line ─▸ Message
//!              └ NUL, CR, UTF-8, BOM   └ form, name   └ id or retry without data, a comment inside
//! ```
//!
//! It shares no code with the server: what both got wrong together would otherwise never be seen. It may be fed at any
//! chunking; messages and violations are the same.
#![allow(dead_code, reason = "each test target reads a part of this")]

use std::{fmt, mem};

/// The most bytes of an id: the contract of our ids, so that they always return as a header.
const MAX_ID: usize = 128;

/// One dispatched message, as an `EventSource` would give it to the page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// `lastEventId`: the last id of the stream so far, whether or not this block named it.
    pub id: String,
    /// Whether this very block carried an `id:`.
    pub has_own_id: bool,
    /// The event type; `message` where the stream names none.
    pub event: String,
    /// The data, its lines joined with LF.
    pub data: String,
    /// The reconnection time that this block asked for, in milliseconds.
    pub retry: Option<u64>,
}

/// What our server never sends, though a parser forgives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A byte order mark at the very beginning.
    Bom,
    /// A CR, as a line end or otherwise.
    Cr,
    /// A NUL byte.
    Nul,
    /// Bytes that are not UTF-8.
    Utf8,
    /// A line that is neither `name: value` nor a comment (`:` or `: text`).
    Form(String),
    /// A field that the standard does not know.
    UnknownField(String),
    /// An id that is empty, too long, or not printable ASCII.
    Id(String),
    /// A `retry` that is not a number of milliseconds.
    Retry(String),
    /// An empty event type.
    EmptyType,
    /// `id` or `event` twice in a block.
    Repeated(&'static str),
    /// A comment (a heartbeat) between the fields of an event.
    CommentInside,
    /// A blank line that ends a block without data: some clients make an empty event of it.
    NoData {
        /// The fields that stood in the block.
        fields: String,
    },
    /// The stream ended inside a line or inside an event.
    Unfinished,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Bom => f.write_str("a byte order mark begins the stream"),
            Fault::Cr => f.write_str("a CR byte"),
            Fault::Nul => f.write_str("a NUL byte"),
            Fault::Utf8 => f.write_str("bytes that are not UTF-8"),
            Fault::Form(line) => write!(f, "neither `name: value` nor a comment: {line:?}"),
            Fault::UnknownField(name) => write!(f, "unknown field {name:?}"),
            Fault::Id(id) => write!(f, "an id that is not 1 to {MAX_ID} bytes of printable ASCII: {id:?}"),
            Fault::Retry(value) => write!(f, "a retry that is not a number: {value:?}"),
            Fault::EmptyType => f.write_str("an empty event type"),
            Fault::Repeated(name) => write!(f, "{name:?} twice in one event"),
            Fault::CommentInside => f.write_str("a comment inside an event"),
            Fault::NoData { fields } if fields.is_empty() => f.write_str("a blank line without an event"),
            Fault::NoData { fields } => write!(f, "an event without data, with {fields}"),
            Fault::Unfinished => f.write_str("the stream ended inside an event"),
        }
    }
}

/// A [`Fault`] and where it stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The line of the stream, from 1.
    pub line: u64,
    /// The offset of that line's first byte in the stream.
    pub offset: u64,
    /// What is wrong.
    pub fault: Fault,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} (byte {}): {}", self.line, self.offset, self.fault)
    }
}

/// What has been read since the last blank line.
#[derive(Default)]
struct Block {
    id: Option<String>,
    event: Option<String>,
    data: Option<String>,
    retry: Option<u64>,
    /// Names of the fields seen, for the message of [`Fault::NoData`].
    fields: Vec<String>,
}

impl Block {
    /// Whether a field that makes an event stands here; `retry` alone may open a stream.
    fn is_begun(&self) -> bool {
        self.id.is_some() || self.event.is_some() || self.data.is_some()
    }
}

/// The reader of one stream.
#[derive(Default)]
pub struct Parser {
    /// The bytes of the line that has no end yet.
    pending: Vec<u8>,
    /// The last byte was a CR: an LF now belongs to it.
    after_cr: bool,
    /// Lines read so far.
    lines: u64,
    /// The offset of the pending line's first byte.
    line_start: u64,
    /// The offset of the next byte to come.
    offset: u64,
    block: Block,
    /// The id buffer: what the next dispatch makes the last event id.
    id_buffer: String,
    last_event_id: String,
    reconnection_time: Option<u64>,
    dispatched: u64,
    violations: Vec<Violation>,
}

impl Parser {
    /// A reader at the first byte of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads more bytes and yields the messages that they complete.
    pub fn push(&mut self, mut bytes: &[u8]) -> Vec<Message> {
        let mut messages = Vec::new();
        while let Some(&first) = bytes.first() {
            if mem::take(&mut self.after_cr) && first == b'\n' {
                bytes = self.skip(bytes, 1);
                self.line_start = self.offset;
                continue;
            }
            let Some(end) = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
                self.pending.extend_from_slice(bytes);
                self.skip(bytes, bytes.len());
                break;
            };
            self.pending.extend_from_slice(&bytes[..end]);
            self.after_cr = bytes[end] == b'\r';
            bytes = self.skip(bytes, end + 1);
            messages.extend(self.line());
        }
        messages
    }

    /// Ends the stream: whatever stands unfinished is dropped, as the standard says, and is a violation.
    pub fn finish(&mut self) {
        let stray_retry = self.dispatched > 0 && self.block.retry.is_some();
        if !self.pending.is_empty() || self.block.is_begun() || stray_retry {
            self.violate(Fault::Unfinished);
        }
        self.pending.clear();
        self.block = Block::default();
    }

    /// What was on the wire that must not be there, in order.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// What a client would send as `Last-Event-ID` if the connection broke now.
    pub fn last_event_id(&self) -> &str {
        &self.last_event_id
    }

    /// The reconnection time that the stream asked for last.
    pub fn reconnection_time(&self) -> Option<u64> {
        self.reconnection_time
    }

    /// Whether an event's first field has been read and its blank line has not.
    pub fn is_inside_event(&self) -> bool {
        self.block.is_begun() || !self.pending.is_empty()
    }

    fn skip<'a>(&mut self, bytes: &'a [u8], count: usize) -> &'a [u8] {
        self.offset += count as u64;
        &bytes[count..]
    }

    fn violate(&mut self, fault: Fault) {
        self.violations.push(Violation { line: self.lines.max(1), offset: self.line_start, fault });
    }

    /// Reads the pending bytes as one whole line.
    fn line(&mut self) -> Option<Message> {
        let bytes = mem::take(&mut self.pending);
        self.lines += 1;
        let text = self.decode(&bytes);
        let message = if text.is_empty() { self.dispatch() } else { self.field(&text) };
        self.line_start = self.offset;
        self.pending = bytes;
        self.pending.clear();
        message
    }

    /// Decodes a line as the standard does: one leading mark is dropped, what is not UTF-8 becomes U+FFFD.
    fn decode(&mut self, mut bytes: &[u8]) -> String {
        if self.after_cr {
            self.violate(Fault::Cr);
        }
        if self.lines == 1 && bytes.starts_with("\u{feff}".as_bytes()) {
            self.violate(Fault::Bom);
            bytes = &bytes["\u{feff}".len()..];
        }
        if bytes.contains(&0) {
            self.violate(Fault::Nul);
        }
        if str::from_utf8(bytes).is_err() {
            self.violate(Fault::Utf8);
        }
        String::from_utf8_lossy(bytes).into_owned()
    }

    /// One line that is not blank: a comment or a field. Only a blank line yields a message, hence never one here.
    fn field(&mut self, line: &str) -> Option<Message> {
        let (name, rest) = line.split_once(':').unwrap_or((line, ""));
        let value = rest.strip_prefix(' ').unwrap_or(rest);
        let has_form = line.len() > name.len() && rest.starts_with(' ');
        if name.is_empty() {
            self.comment(has_form || rest.is_empty(), line);
            return None;
        }
        if !has_form {
            self.violate(Fault::Form(shorten(line)));
        }
        self.block.fields.push(shorten(name));
        match name {
            "data" => self.data(value),
            "id" => self.id(value),
            "event" => self.event(value),
            "retry" => self.retry(value),
            _ => self.violate(Fault::UnknownField(shorten(name))),
        }
        None
    }

    fn comment(&mut self, has_form: bool, line: &str) {
        if !has_form {
            self.violate(Fault::Form(shorten(line)));
        }
        if self.block.is_begun() {
            self.violate(Fault::CommentInside);
        }
    }

    fn data(&mut self, value: &str) {
        match &mut self.block.data {
            Some(data) => {
                data.push('\n');
                data.push_str(value);
            }
            none => *none = Some(value.to_owned()),
        }
    }

    fn id(&mut self, value: &str) {
        let is_ours = (1..=MAX_ID).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_ours {
            self.violate(Fault::Id(shorten(value)));
        }
        if self.block.id.is_some() {
            self.violate(Fault::Repeated("id"));
        }
        if !value.contains('\0') {
            self.block.id = Some(value.to_owned());
            value.clone_into(&mut self.id_buffer);
        }
    }

    fn event(&mut self, value: &str) {
        if value.is_empty() {
            self.violate(Fault::EmptyType);
        }
        if self.block.event.is_some() {
            self.violate(Fault::Repeated("event"));
        }
        self.block.event = Some(value.to_owned());
    }

    fn retry(&mut self, value: &str) {
        let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
        let Some(time) = value.parse().ok().filter(|_| is_number) else {
            self.violate(Fault::Retry(shorten(value)));
            return;
        };
        self.block.retry = Some(time);
        self.reconnection_time = Some(time);
    }

    /// A blank line: the block becomes a message if it has data.
    fn dispatch(&mut self) -> Option<Message> {
        let block = mem::take(&mut self.block);
        self.last_event_id.clone_from(&self.id_buffer);
        let Some(data) = block.data else {
            self.violate(Fault::NoData { fields: block.fields.join(", ") });
            return None;
        };
        self.dispatched += 1;
        Some(Message {
            id: self.last_event_id.clone(),
            has_own_id: block.id.is_some(),
            event: block.event.filter(|name| !name.is_empty()).unwrap_or_else(|| "message".to_owned()),
            data,
            retry: block.retry,
        })
    }
}

/// A whole stream, read to its end.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    /// What a client sees.
    pub messages: Vec<Message>,
    /// What our server should not have sent.
    pub violations: Vec<Violation>,
}

impl Parsed {
    /// The messages of a stream that must be without violations.
    ///
    /// # Panics
    /// With the list of violations, if there are any.
    #[track_caller]
    pub fn strict(self) -> Vec<Message> {
        let list: Vec<String> = self.violations.iter().map(ToString::to_string).collect();
        assert!(list.is_empty(), "the stream breaks its promise:\n  {}", list.join("\n  "));
        self.messages
    }
}

/// Reads a whole stream.
pub fn parse(stream: &[u8]) -> Parsed {
    let mut parser = Parser::new();
    let messages = parser.push(stream);
    parser.finish();
    Parsed { messages, violations: parser.violations }
}

/// At most the first 40 characters, so that a violation in a long line can be read.
fn shorten(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::{Fault, Message, Parsed, Parser, parse};

    fn message(id: &str, event: &str, data: &str) -> (String, String, String) {
        (id.to_owned(), event.to_owned(), data.to_owned())
    }

    fn messages(stream: &[u8]) -> Vec<(String, String, String)> {
        parse(stream).messages.into_iter().map(|m| (m.id, m.event, m.data)).collect()
    }

    fn faults(stream: &[u8]) -> Vec<Fault> {
        parse(stream).violations.into_iter().map(|violation| violation.fault).collect()
    }

    /// The same stream, in pieces of `size` bytes.
    fn in_pieces(stream: &[u8], size: usize) -> Parsed {
        let mut parser = Parser::new();
        let messages = stream.chunks(size).flat_map(|piece| parser.push(piece)).collect();
        parser.finish();
        Parsed { messages, violations: parser.violations }
    }

    #[test]
    fn our_own_form_has_no_violation() {
        let stream = b": sse-bridge\nretry: 3000\nid: 1-1/stdin\ndata: a\ndata: \ndata:  b\n\n:\nevent: progress\ndata: 50 %\n\n";
        let parsed = parse(stream);
        assert_eq!(parsed.violations, []);
        assert_eq!(
            parsed.messages,
            [
                Message {
                    id: "1-1/stdin".into(),
                    has_own_id: true,
                    event: "message".into(),
                    data: "a\n\n b".into(),
                    retry: Some(3000)
                },
                Message { id: "1-1/stdin".into(), has_own_id: false, event: "progress".into(), data: "50 %".into(), retry: None },
            ]
        );
    }

    #[test]
    fn an_opening_without_an_event_may_end() {
        assert_eq!(faults(b": sse-bridge\nretry: 3000\n:\n"), []);
        assert_eq!(faults(b""), []);
    }

    #[test]
    fn the_examples_of_the_standard() {
        assert_eq!(messages(b"data: YHOO\ndata: +2\ndata: 10\n\n"), [message("", "message", "YHOO\n+2\n10")]);
        assert_eq!(
            messages(b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n"),
            [
                message("1", "message", "first event"),
                message("", "message", "second event"),
                message("", "message", " third event")
            ]
        );
        assert_eq!(messages(b"data\n\ndata\ndata\n\ndata:"), [message("", "message", ""), message("", "message", "\n")]);
        assert_eq!(messages(b"data:test\n\ndata: test\n\n"), [message("", "message", "test"), message("", "message", "test")]);
    }

    #[test]
    fn all_three_line_ends_at_any_chunking() {
        let stream = b"id: 1\r\ndata: a\rdata: b\n\r\ndata: \xe2\x82\xac\r\rdata: d\n\n";
        let whole = parse(stream);
        assert_eq!(whole.messages.len(), 3);
        assert_eq!(whole.messages[1].data, "€");
        for size in 1..stream.len() {
            assert_eq!(in_pieces(stream, size), whole, "in pieces of {size}");
        }
    }

    #[test]
    fn what_the_standard_forgives_is_named() {
        assert_eq!(faults(b"\xef\xbb\xbfdata: a\n\n"), [Fault::Bom]);
        assert_eq!(messages(b"\xef\xbb\xbfdata: a\n\n"), [message("", "message", "a")]);
        assert_eq!(faults(b"data: a\r\n\n"), [Fault::Cr]);
        assert_eq!(faults(b"data: a\0\n\n"), [Fault::Nul]);
        assert_eq!(faults(b"data: \xff\n\n"), [Fault::Utf8]);
        assert_eq!(faults(b"data:a\n\n"), [Fault::Form("data:a".into())]);
        assert_eq!(faults(b"data\n\n"), [Fault::Form("data".into())]);
        assert_eq!(faults(b":x\ndata: a\n\n"), [Fault::Form(":x".into())]);
        assert_eq!(faults(b"datum: a\ndata: a\n\n"), [Fault::UnknownField("datum".into())]);
        assert_eq!(faults(b"event: \ndata: a\n\n"), [Fault::EmptyType]);
        assert_eq!(faults(b"retry: 3s\ndata: a\n\n"), [Fault::Retry("3s".into())]);
        assert_eq!(faults(b"retry: +3\ndata: a\n\n"), [Fault::Retry("+3".into())]);
    }

    #[test]
    fn an_id_of_ours_returns_as_a_header() {
        for id in ["", "a b", "\u{e9}", "a\u{7f}", &"x".repeat(129)] {
            assert_eq!(faults(format!("id: {id}\ndata: a\n\n").as_bytes()).len(), 1, "{id:?}");
        }
        assert_eq!(faults(format!("id: {}\ndata: a\n\n", "x".repeat(128)).as_bytes()), []);
        assert_eq!(faults(b"id: 1\nid: 2\ndata: a\n\n"), [Fault::Repeated("id")]);
        assert_eq!(messages(b"id: 1\ndata: a\n\nid: 2\0\ndata: b\n\n")[1], message("1", "message", "b"));
    }

    #[test]
    fn a_block_without_data_is_a_violation() {
        for (stream, fields) in
            [("id: 1\n\n", "id"), ("retry: 1\n\n", "retry"), (":\n\n", ""), ("id: 1\nretry: 2\n\n", "id, retry")]
        {
            assert_eq!(faults(stream.as_bytes()), [Fault::NoData { fields: fields.into() }], "{stream:?}");
        }
        assert_eq!(faults(b"data: a\n\n\n"), [Fault::NoData { fields: String::new() }]);
    }

    #[test]
    fn an_id_alone_still_moves_the_cursor() {
        let mut parser = Parser::new();
        parser.push(b"id: 1\n");
        assert_eq!(parser.last_event_id(), "");
        parser.push(b"\n");
        assert_eq!(parser.last_event_id(), "1");
    }

    #[test]
    fn a_heartbeat_stands_between_events() {
        assert_eq!(faults(b"data: a\n:\ndata: b\n\n"), [Fault::CommentInside]);
        assert_eq!(faults(b"retry: 5\n:\ndata: b\n\n"), []);
    }

    #[test]
    fn the_end_of_a_stream_stands_between_events() {
        for stream in ["data: a", "data: a\n", "id: 1\n", ":", "data: a\n\nretry: 5\n"] {
            assert_eq!(faults(stream.as_bytes()), [Fault::Unfinished], "{stream:?}");
        }
        assert!(messages(b"data: a\n").is_empty());
    }

    #[test]
    fn a_violation_says_where_it_is() {
        let parsed = parse(b"data: a\n\ndata: \xff\n\n");
        let list: Vec<String> = parsed.violations.iter().map(ToString::to_string).collect();
        assert_eq!(list, ["line 3 (byte 9): bytes that are not UTF-8"]);
    }
}
