//! Bytes of an event stream to events, by the WHATWG's rules (HTML, "Server-sent events", 9.2.5 and 9.2.6): what a browser does.
//!
//! Lines end in CRLF, LF or CR; a byte order mark at the beginning does not count; a blank line dispatches what stands before it, if that
//! has data. A block that the stream's end cuts is dropped. Where the bytes are cut by the reads makes no difference.

use memchr::memchr2;

/// Reads an event stream.
#[derive(Debug)]
pub struct Parser {
    /// The most bytes of an event's data, type and id together.
    most: usize,
    /// The line that has not ended.
    line: Vec<u8>,
    /// Whether that line was too long to be held.
    is_cut: bool,
    /// Whether the last byte was a CR, with which an LF that follows belongs together.
    is_behind_cr: bool,
    /// Whether anything was read: a byte order mark can only come first.
    has_begun: bool,
    block: Block,
    /// The id that was read last; it stays until there is another one.
    id: Vec<u8>,
    /// When to come back, in milliseconds, if the stream said it.
    retry: Option<u64>,
    /// Bytes that have been taken since the last block ended.
    unfinished: usize,
}

/// What stands before the next blank line.
#[derive(Debug, Default)]
struct Block {
    kind: Vec<u8>,
    /// Each `data:` line with an LF behind it.
    data: Vec<u8>,
    /// The id, which counts only when the block has been read.
    id: Option<Vec<u8>>,
    is_too_large: bool,
}

/// An event that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received<'a> {
    /// The last id that the stream has said; empty if none.
    pub id: &'a [u8],
    /// Its type; empty for `message`.
    pub kind: &'a [u8],
    /// Its data, lines joined by LF.
    pub data: &'a [u8],
}

/// An event that is larger than its reader takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeftOut<'a> {
    /// Its type, as far as that was read; empty for `message`.
    pub kind: &'a [u8],
}

/// An event is larger than its reader takes. It is left out, and the stream can be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event is larger than {0} bytes")]
pub struct TooLarge(pub usize);

impl Parser {
    /// A reader of a stream, of whose events each has at most `most` bytes.
    #[must_use]
    pub fn new(most: usize) -> Self {
        let (line, block, id) = (Vec::new(), Block::default(), Vec::new());
        Self { most, line, is_cut: false, is_behind_cr: false, has_begun: false, block, id, retry: None, unfinished: 0 }
    }

    /// Takes the next bytes, and gives every event that they end; for one that is too large the error stands in its place.
    pub fn push(&mut self, bytes: &[u8], mut event: impl FnMut(Result<Received<'_>, TooLarge>)) {
        let most = self.most;
        self.push_at(bytes, |received, _| event(received.map_err(|_| TooLarge(most))));
    }

    /// The same; with each event goes how many of the bytes have been read then.
    pub fn push_at(&mut self, bytes: &[u8], mut event: impl FnMut(Result<Received<'_>, LeftOut<'_>>, usize)) {
        let mut rest = bytes;
        while let Some(&first) = rest.first() {
            if std::mem::take(&mut self.is_behind_cr) && first == b'\n' {
                rest = &rest[1..];
                self.unfinished += usize::from(self.unfinished > 0);
                continue;
            }
            let Some(end) = memchr2(b'\n', b'\r', rest) else { return self.hold(rest) };
            self.hold(&rest[..end]);
            self.unfinished += 1;
            self.is_behind_cr = rest[end] == b'\r';
            rest = &rest[end + 1..];
            let read = bytes.len() - rest.len();
            self.end_line(&mut |received| event(received, read));
        }
    }

    /// The last id that the stream has said.
    #[must_use]
    pub fn id(&self) -> &[u8] {
        &self.id
    }

    /// When to come back, if the stream said it.
    #[must_use]
    pub fn retry(&self) -> Option<u64> {
        self.retry
    }

    /// How many bytes are held of a block that has not ended.
    #[must_use]
    pub fn held(&self) -> usize {
        self.line.len() + self.block.size()
    }

    /// How many bytes of the stream have been taken since the last block ended: a reader that goes on before them loses nothing.
    #[must_use]
    pub fn unfinished(&self) -> usize {
        self.unfinished
    }

    /// Whether an event has begun that has not ended.
    #[must_use]
    pub fn is_inside_event(&self) -> bool {
        self.block.size() > 0 || self.block.is_too_large || self.line.first().is_some_and(|first| *first != b':')
    }

    fn hold(&mut self, bytes: &[u8]) {
        self.unfinished += bytes.len();
        let room = (self.most + 64).saturating_sub(self.held());
        self.is_cut |= bytes.len() > room;
        self.line.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn end_line(&mut self, event: &mut impl FnMut(Result<Received<'_>, LeftOut<'_>>)) {
        let line = std::mem::take(&mut self.line);
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        let content = line.strip_prefix(b"\xef\xbb\xbf").filter(|_| is_first).unwrap_or(&line);
        match content {
            [b':', ..] => {}
            _ if self.is_cut => (self.block.is_too_large, self.block.data) = (true, Vec::new()),
            [] => self.dispatch(event),
            _ => self.field(content),
        }
        self.is_cut = false;
        self.line = line; // its memory serves the next line
        self.line.clear();
    }

    fn field(&mut self, line: &[u8]) {
        let (name, value) = match memchr::memchr(b':', line) {
            Some(at) => (&line[..at], line[at + 1..].strip_prefix(b" ").unwrap_or(&line[at + 1..])),
            None => (line, &[][..]),
        };
        match name {
            b"data" => {
                self.block.data.extend_from_slice(value);
                self.block.data.push(b'\n');
            }
            b"event" => self.block.kind = value.to_vec(),
            b"id" if !value.contains(&0) => self.block.id = Some(value.to_vec()),
            b"retry" if !value.is_empty() && value.iter().all(u8::is_ascii_digit) => {
                self.retry = std::str::from_utf8(value).ok().and_then(|digits| digits.parse().ok()).or(self.retry);
            }
            _ => {}
        }
    }

    fn dispatch(&mut self, event: &mut impl FnMut(Result<Received<'_>, LeftOut<'_>>)) {
        self.unfinished = 0;
        let Block { kind, data, id, is_too_large } = std::mem::take(&mut self.block);
        if let Some(id) = id {
            self.id = id;
        }
        match data.strip_suffix(b"\n") {
            _ if is_too_large => event(Err(LeftOut { kind: &kind })),
            Some(data) => event(Ok(Received { id: &self.id, kind: &kind, data })),
            None => {}
        }
    }
}

impl Block {
    fn size(&self) -> usize {
        self.kind.len() + self.data.len() + self.id.as_ref().map_or(0, Vec::len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An event as text: id, type, data.
    type Text = (String, String, String);

    fn read(pieces: &[&[u8]], most: usize) -> Vec<Result<Text, TooLarge>> {
        let mut parser = Parser::new(most);
        let mut events = Vec::new();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        for piece in pieces {
            parser.push(piece, |event| events.push(event.map(|event| (text(event.id), text(event.kind), text(event.data)))));
            assert!(parser.held() <= most + 64, "holds {} bytes", parser.held());
        }
        events
    }

    fn whole(stream: &str) -> Vec<Text> {
        read(&[stream.as_bytes()], 1 << 20).into_iter().map(|event| event.expect("small")).collect()
    }

    fn event(id: &str, kind: &str, data: &str) -> Text {
        (id.to_owned(), kind.to_owned(), data.to_owned())
    }

    #[test]
    fn the_examples_of_the_standard_are_read_as_it_says() {
        let stock = "data: YHOO\ndata: +2\ndata: 10\n\n";
        assert_eq!(whole(stock), [event("", "", "YHOO\n+2\n10")]);
        let four = ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n";
        assert_eq!(whole(four), [event("1", "", "first event"), event("", "", "second event"), event("", "", " third event")]);
        assert_eq!(whole("data\n\ndata\ndata\n\ndata:"), [event("", "", ""), event("", "", "\n")]);
        assert_eq!(whole("data:test\n\ndata: test\n\n"), [event("", "", "test"), event("", "", "test")]);
    }

    #[test]
    fn what_has_no_data_is_no_event_but_its_id_stays() {
        assert_eq!(whole("id: 7\nevent: x\n\ndata: a\n\n"), [event("7", "", "a")]);
        assert_eq!(whole("\u{feff}data: a\r\rdata: b\r\n\r\n"), [event("", "", "a"), event("", "", "b")]);
        assert_eq!(whole("id: a\0b\nretry: 1x\nodd: x\ndata: a\n\n"), [event("", "", "a")]);
    }

    #[test]
    fn the_time_to_come_back_is_read() {
        let mut parser = Parser::new(100);
        parser.push(b"retry: 1500\nretry: x\nretry:\nid: 3\ndata: a\n", |_| panic!("it has not ended"));
        assert_eq!((parser.retry(), parser.id(), parser.is_inside_event()), (Some(1500), &b""[..], true));
        parser.push(b"\n", |_| {});
        assert_eq!((parser.id(), parser.is_inside_event()), (&b"3"[..], false));
    }

    #[test]
    fn what_is_too_large_is_left_out_and_said() {
        let long = format!("data: {}\nid: 9\n\ndata: b\n\n", "x".repeat(1000));
        assert_eq!(read(&[long.as_bytes()], 100), [Err(TooLarge(100)), Ok(event("9", "", "b"))]);
        let many = "data: 0123456789\n".repeat(100) + "\ndata: b\n\n";
        assert_eq!(read(&[many.as_bytes()], 100), [Err(TooLarge(100)), Ok(event("", "", "b"))]);
        let comment = format!(":{}\ndata: b\n\n", "x".repeat(1000));
        assert_eq!(read(&[comment.as_bytes()], 100), [Ok(event("", "", "b"))]);
    }

    proptest! {
        #[test]
        fn where_reads_cut_makes_no_difference(
            stream in "(data: ?|id:|event: ?|:|retry: ?|[a-c\u{feff}]|\\r|\\n|\\r\\n){0,60}",
            mut cuts in proptest::collection::vec(0..200_usize, 0..10),
        ) {
            let bytes = stream.as_bytes();
            cuts.retain(|cut| *cut <= bytes.len());
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<_> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            prop_assert_eq!(read(&pieces, 1 << 20), read(&[bytes], 1 << 20));
        }

        #[test]
        fn what_is_written_is_read_back(lines in proptest::collection::vec(any::<Vec<u8>>(), 0..8), kind in "[a-z ]{0,5}") {
            let mut wire = Vec::new();
            let mut ids = crate::sse::Ids::default();
            ids.set(5, &"web/a".parse().unwrap());
            let kind = (!kind.is_empty()).then_some(&*kind);
            for (number, line) in (1..).zip(&lines) {
                crate::sse::event(&mut wire, &ids, number, crate::event::Event { kind, data: line });
            }
            let shown = |line: &[u8]| String::from_utf8_lossy(line).replace('\0', "\u{FFFD}").replace("\r\n", "\n").replace('\r', "\n");
            let expected: Vec<_> = (1..).zip(&lines).map(|(n, line)| Ok(event(&format!("5-{n}/web/a"), kind.unwrap_or(""), &shown(line)))).collect();
            prop_assert_eq!(read(&[&wire], 1 << 20), expected);
        }
    }
}
