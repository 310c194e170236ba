//! Events as bytes on the wire, by the event-stream grammar (WHATWG HTML, "Server-sent events", 9.2.5 and 9.2.6), and [back](parse).
//!
//! ```text
//! id: 1763660000123-4821/stdin\n
//! event: TYPE\n                      only if the event has a type
//! data: LINE\n                       once for each line break inside
//! \n
//! ```
//!
//! What holds for every byte this module writes, whatever the data:
//! - it is valid UTF-8: NUL and what is not UTF-8 become U+FFFD, one for each maximal subpart, as browsers do it;
//! - lines end in LF, and no CR is ever written: a lone CR in data ends a line for every client, so data is split at
//!   CRLF, LF and CR alike and nothing in a log line can forge a field or an event;
//! - a field has exactly one space after its colon, so a leading space of the data survives;
//! - `id:` and `retry:` stand only in blocks that carry `data:` (Firefox forgets an id without data, httpx-sse invents an event);
//! - an event ends in the only place where two LF meet, so encoded events can be cut and counted without an index.

pub mod ndjson;
pub mod parse;

use memchr::{memchr2, memmem};
use serde::Serialize;

use crate::event::{ChannelName, Event, Millis, Position, RESERVED_TYPES};

/// Keeps proxies and clients convinced that the stream lives. A comment without a blank line: that dispatches nothing anywhere.
pub const HEARTBEAT: &[u8] = b":\n";

/// What a NUL or a bad byte becomes.
const REPLACEMENT: &[u8] = "\u{FFFD}".as_bytes();

/// The ids of one turn: they differ in the number alone.
#[derive(Debug, Default)]
pub struct Ids {
    /// `id: TIME-`
    before: Vec<u8>,
    /// `/CHANNEL\n`
    after: Vec<u8>,
}

impl Ids {
    /// From now on ids are of this time and channel. Keeps its memory.
    pub fn set(&mut self, time: Millis, channel: &ChannelName) {
        let Self { before, after } = self;
        before.clear();
        before.extend_from_slice(b"id: ");
        before.extend_from_slice(itoa::Buffer::new().format(time).as_bytes());
        before.push(b'-');
        after.clear();
        after.push(b'/');
        after.extend_from_slice(channel.as_str().as_bytes());
        after.push(b'\n');
    }
}

/// Writes an event. Its number makes its id.
pub fn event(out: &mut Vec<u8>, ids: &Ids, number: u64, event: Event<'_>) {
    out.extend_from_slice(&ids.before);
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    out.extend_from_slice(&ids.after);
    if let Some(kind) = event.kind {
        field(out, b"event: ", kind.as_bytes());
    }
    data(out, event.data);
    out.push(b'\n');
}

/// Writes a control event: a reserved type with JSON data, and the position as its id if it moves the client's cursor.
pub fn control(out: &mut Vec<u8>, position: Option<Position>, kind: &str, payload: &impl Serialize) {
    if let Some(position) = position {
        field_position(out, position);
    }
    field(out, b"event: ", kind.as_bytes());
    data(out, &json(payload));
    out.push(b'\n');
}

/// The JSON of a control event's data.
#[must_use]
pub fn json(payload: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(payload).expect("control payloads are plain structs: no map with odd keys, nothing that fails")
}

/// The first bytes of a stream: they open the connection's way through proxies and make `onopen` fire at once.
///
/// No blank line: `retry:` becomes a part of the first event's block. `retry` is in milliseconds.
pub fn preamble(out: &mut Vec<u8>, retry: u64) {
    out.extend_from_slice(b": sse-bridge\n");
    field_retry(out, retry);
}

/// Writes `retry:` in milliseconds; only in a block that will carry data.
pub fn field_retry(out: &mut Vec<u8>, retry: u64) {
    field(out, b"retry: ", itoa::Buffer::new().format(retry).as_bytes());
}

/// A position is an id without a channel.
fn field_position(out: &mut Vec<u8>, position: Position) {
    out.extend_from_slice(b"id: ");
    out.extend_from_slice(itoa::Buffer::new().format(position.time).as_bytes());
    out.push(b'-');
    out.extend_from_slice(itoa::Buffer::new().format(position.number).as_bytes());
    out.push(b'\n');
}

fn field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(value);
    out.push(b'\n');
}

/// Writes `data:` lines: one for each line break inside, so that clients put the breaks back as LF.
fn data(out: &mut Vec<u8>, mut rest: &[u8]) {
    if is_plain(rest) {
        return field(out, b"data: ", rest);
    }
    loop {
        out.extend_from_slice(b"data: ");
        let Some(end) = memchr2(b'\r', b'\n', rest) else {
            text(out, rest);
            out.push(b'\n');
            return;
        };
        text(out, &rest[..end]);
        out.push(b'\n');
        let is_crlf = rest[end..].starts_with(b"\r\n");
        rest = &rest[end + 1 + usize::from(is_crlf)..];
    }
}

/// Whether data can be written as it is: ASCII without NUL, CR and LF, as most lines are. One pass without branches, which the compiler makes
/// wide; three searches that each may stop early cost more for a line.
fn is_plain(data: &[u8]) -> bool {
    let is_odd = |byte: u8| byte == 0 || byte == b'\n' || byte == b'\r' || byte >= 0x80;
    !data.iter().fold(false, |odd, byte| odd | is_odd(*byte))
}

/// Writes bytes without line breaks as UTF-8 without NUL.
fn text(out: &mut Vec<u8>, bytes: &[u8]) {
    let Ok(valid) = std::str::from_utf8(bytes) else {
        return lossy_text(out, bytes);
    };
    let mut rest = valid.as_bytes();
    while let Some(nul) = memchr::memchr(0, rest) {
        out.extend_from_slice(&rest[..nul]);
        out.extend_from_slice(REPLACEMENT);
        rest = &rest[nul + 1..];
    }
    out.extend_from_slice(rest);
}

#[cold]
fn lossy_text(out: &mut Vec<u8>, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        text(out, chunk.valid().as_bytes());
        if !chunk.invalid().is_empty() {
            out.extend_from_slice(REPLACEMENT);
        }
    }
}

/// The length of the first `count` events in `encoded`; all of it if it holds no more.
#[must_use]
pub fn length_of(encoded: &[u8], count: u64) -> usize {
    let Some(last) = count.checked_sub(1) else { return 0 };
    let nth = usize::try_from(last).unwrap_or(usize::MAX);
    memmem::find_iter(encoded, b"\n\n").nth(nth).map_or(encoded.len(), |end| end + 2)
}

/// The lines alone: the data of every event that is not a control event, each with its LF, for `?format=text`.
pub fn lines(encoded: &[u8], out: &mut Vec<u8>) {
    let mut rest = encoded;
    while !rest.is_empty() {
        let (event, after) = rest.split_at(length_of(rest, 1));
        rest = after;
        if !is_control(event) {
            for line in data_lines(event) {
                out.extend_from_slice(line);
                out.push(b'\n');
            }
        }
    }
}

/// Whether the encoded event is of a reserved type.
fn is_control(event: &[u8]) -> bool {
    kind_of(event).is_some_and(is_reserved)
}

/// Whether the protocol keeps this type for itself.
#[must_use]
pub fn is_reserved(kind: &[u8]) -> bool {
    RESERVED_TYPES.iter().any(|reserved| reserved.as_bytes() == kind)
}

/// The type of an encoded event, if it has one. A data line cannot be mistaken for it: fields come before data.
#[must_use]
pub fn kind_of(event: &[u8]) -> Option<&[u8]> {
    field_of(event, b"event: ")
}

/// The id of an encoded event, if it has one.
#[must_use]
pub fn id_of(event: &[u8]) -> Option<&[u8]> {
    field_of(event, b"id: ")
}

/// The position in the id of an encoded event, or of the first of several.
#[must_use]
pub fn position_of(event: &[u8]) -> Option<Position> {
    let id = std::str::from_utf8(id_of(event)?).ok()?;
    id.split('/').next()?.parse().ok()
}

fn field_of<'a>(event: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut rest = event;
    while !rest.starts_with(b"data: ") {
        let end = memchr::memchr(b'\n', rest)?;
        if let Some(value) = rest[..end].strip_prefix(name) {
            return Some(value);
        }
        rest = &rest[end + 1..];
    }
    None
}

/// The data of an encoded event, as a client puts it together: where it has several lines, in `room`.
#[must_use]
pub fn data_of<'a>(event: &'a [u8], room: &'a mut Vec<u8>) -> &'a [u8] {
    let mut lines = data_lines(event);
    let (Some(first), second) = (lines.next(), lines.next()) else { return &[] };
    let Some(second) = second else { return first };
    room.clear();
    for line in [first, second].into_iter().chain(lines) {
        room.extend_from_slice(line);
        room.push(b'\n');
    }
    &room[..room.len() - 1]
}

/// The data lines of an encoded event.
fn data_lines(event: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = event;
    std::iter::from_fn(move || {
        loop {
            let end = memchr::memchr(b'\n', rest)?;
            let line = &rest[..end];
            rest = &rest[end + 1..];
            if let Some(data) = line.strip_prefix(b"data: ") {
                return Some(data);
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encoded(kind: Option<&str>, line: &[u8]) -> String {
        let mut out = Vec::new();
        let mut ids = Ids::default();
        ids.set(5, &"web/a".parse().unwrap());
        event(&mut out, &ids, 7, Event { kind, data: line });
        String::from_utf8(out).unwrap()
    }

    /// The data as a client puts it together: `data:` lines joined by LF.
    fn read_back(encoded: &str) -> String {
        let lines: Vec<_> = encoded.split('\n').filter_map(|line| line.strip_prefix("data: ")).collect();
        lines.join("\n")
    }

    #[test]
    fn an_event_is_its_id_type_and_data() {
        assert_eq!(encoded(None, b"hello"), "id: 5-7/web/a\ndata: hello\n\n");
        assert_eq!(encoded(Some("tick"), b""), "id: 5-7/web/a\nevent: tick\ndata: \n\n");
    }

    #[test]
    fn carriage_returns_break_lines_and_forge_nothing() {
        assert_eq!(encoded(None, b"x\revent: pwn\rdata: y"), "id: 5-7/web/a\ndata: x\ndata: event: pwn\ndata: data: y\n\n");
        assert_eq!(encoded(None, b"a\r\nb\nc\r"), "id: 5-7/web/a\ndata: a\ndata: b\ndata: c\ndata: \n\n");
    }

    #[test]
    fn bytes_that_cannot_be_sent_are_replaced_one_for_each_maximal_subpart() {
        for (line, shown) in [
            (&b"a\0b"[..], "a\u{FFFD}b"),
            (b"a\xff\xfeb\xc3", "a\u{FFFD}\u{FFFD}b\u{FFFD}"),
            (b"\xe2\x82", "\u{FFFD}"),
            (b"\xf0\x9f\x98", "\u{FFFD}"),
            (b"\xed\xa0\x80", "\u{FFFD}\u{FFFD}\u{FFFD}"),
            (b"\xc0\xaf\0", "\u{FFFD}\u{FFFD}\u{FFFD}"),
        ] {
            assert_eq!(read_back(&encoded(None, line)), shown, "{line:?}");
        }
    }

    #[test]
    fn control_events_carry_a_bare_position() {
        let mut out = Vec::new();
        control(&mut out, Some(Position { time: 5, number: 0 }), "start", &serde_json::json!({"channels": []}));
        assert_eq!(out, b"id: 5-0\nevent: start\ndata: {\"channels\":[]}\n\n");
    }

    #[test]
    fn the_lines_alone_leave_control_events_out() {
        let mut wire = encoded(None, b"a\rb").into_bytes();
        wire.extend_from_slice(encoded(Some("end"), b"{}").as_bytes());
        wire.extend_from_slice(encoded(Some("tick"), b"event: end").as_bytes());
        let mut out = Vec::new();
        lines(&wire, &mut out);
        assert_eq!(out, b"a\nb\nevent: end\n");
    }

    proptest! {
        #[test]
        fn whatever_the_bytes_it_is_one_event_and_its_data_comes_back(line: Vec<u8>) {
            let wire = encoded(None, &line);
            prop_assert!(!wire.contains(['\0', '\r']));
            prop_assert_eq!(length_of(wire.as_bytes(), 1), wire.len(), "the only blank line is the last");
            let expected = String::from_utf8_lossy(&line).replace('\0', "\u{FFFD}").replace("\r\n", "\n").replace('\r', "\n");
            prop_assert_eq!(read_back(&wire), expected);
        }

        #[test]
        fn events_are_counted_and_cut_without_an_index(lines: Vec<Vec<u8>>, cut in 0..20_usize) {
            let events: Vec<_> = lines.iter().map(|line| encoded(None, line)).collect();
            let wire = events.concat();
            let cut = cut.min(events.len());
            prop_assert_eq!(length_of(wire.as_bytes(), cut as u64), events[..cut].concat().len());
        }
    }
}
