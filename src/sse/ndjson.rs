//! Encoded events as JSON, one object a line (`application/x-ndjson`), for programs that do not read event streams.
//!
//! ```text
//! {"id":"1763660000123-4821/web/a","time":"2025-11-20T17:33:20.123Z","channel":"web/a","type":null,"data":"LINE"}
//! ```
//!
//! Each object has these five members in this order. `time` is that of the id, in UTC with milliseconds. What there is not is null: the type of most
//! events, the channel of a position, the id and the time of what is not an event of the stream. `data` is a string, lines joined by LF; of a control
//! event it is the JSON object that stands in its data. Text is written as it is, with the escapes that JSON must have (RFC 8259, 7); so U+2028 is not
//! escaped. A line ends in LF, and no LF or CR stands inside.

use jiff::Timestamp;
use serde::de::IgnoredAny;

use super::{data_lines, data_of, id_of, is_reserved, kind_of, length_of};

/// Writes encoded events, of whatever types, as lines of JSON.
pub fn objects(encoded: &[u8], out: &mut Vec<u8>) {
    let (mut rest, mut room, mut clock) = (encoded, Vec::new(), Clock::default());
    while !rest.is_empty() {
        let (event, after) = rest.split_at(length_of(rest, 1));
        rest = after;
        object(event, out, &mut room, &mut clock);
    }
}

fn object(event: &[u8], out: &mut Vec<u8>, room: &mut Vec<u8>, clock: &mut Clock) {
    // Heartbeats and other comments are no events.
    if data_lines(event).next().is_none() {
        return;
    }
    let id = id_of(event);
    let channel = id.and_then(|id| id.splitn(2, |byte| *byte == b'/').nth(1));
    let object =
        Object { id, time: id.and_then(|id| clock.time_of(id)), channel, kind: kind_of(event), data: data_of(event, room) };
    object.write(out);
}

/// What a line says. All of it is UTF-8.
#[derive(Debug, Clone, Copy)]
pub struct Object<'a> {
    /// The id, if there is one.
    pub id: Option<&'a [u8]>,
    /// When it was, as text.
    pub time: Option<&'a [u8]>,
    /// The channel.
    pub channel: Option<&'a [u8]>,
    /// The type, if it has one.
    pub kind: Option<&'a [u8]>,
    /// Its lines, joined by LF.
    pub data: &'a [u8],
}

impl Object<'_> {
    /// Writes it, with the LF behind it.
    pub fn write(&self, out: &mut Vec<u8>) {
        // The data of control events is JSON that a daemon has written itself; what a damaged disk or a stranger has made of it is text.
        let is_json = self.kind.is_some_and(is_reserved) && serde_json::from_slice::<IgnoredAny>(self.data).is_ok();
        self.write_with(out, |out| {
            if is_json {
                // A line break in JSON stands between words only.
                out.extend(self.data.iter().map(|byte| if *byte == b'\n' { b' ' } else { *byte }));
            } else {
                string(out, self.data);
            }
        });
    }

    /// The same, but the data is text, whatever the type is.
    pub fn write_text(&self, out: &mut Vec<u8>) {
        self.write_with(out, |out| string(out, self.data));
    }

    fn write_with(&self, out: &mut Vec<u8>, data: impl FnOnce(&mut Vec<u8>)) {
        let Self { id, time, channel, kind, .. } = *self;
        for (name, text) in [(&b"{\"id\":"[..], id), (b",\"time\":", time), (b",\"channel\":", channel), (b",\"type\":", kind)] {
            out.extend_from_slice(name);
            optional_string(out, text);
        }
        out.extend_from_slice(b",\"data\":");
        data(out);
        out.extend_from_slice(b"}\n");
    }
}

/// Times as text. Most events have the time of the one before.
#[derive(Debug, Default)]
pub struct Clock {
    millis: Vec<u8>,
    text: Vec<u8>,
}

impl Clock {
    /// The time in an id, if it is one that can be written.
    pub fn time_of(&mut self, id: &[u8]) -> Option<&[u8]> {
        let millis = id.split(|byte| *byte == b'-').next()?;
        if millis != self.millis {
            self.millis = millis.to_vec();
            let number = std::str::from_utf8(millis).ok().and_then(|text| text.parse().ok());
            let time = number.and_then(|number| Timestamp::from_millisecond(number).ok());
            self.text = time.map(|time| format!("{time:.3}").into_bytes()).unwrap_or_default();
        }
        Some(&*self.text).filter(|text| !text.is_empty())
    }
}

fn optional_string(out: &mut Vec<u8>, text: Option<&[u8]>) {
    match text {
        Some(text) => string(out, text),
        None => out.extend_from_slice(b"null"),
    }
}

/// Writes bytes, which are UTF-8, as a JSON string.
fn string(out: &mut Vec<u8>, mut rest: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    while let Some(at) = rest.iter().position(|byte| matches!(byte, 0..0x20 | b'"' | b'\\')) {
        out.extend_from_slice(&rest[..at]);
        match rest[at] {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            other => {
                out.extend_from_slice(b"\\u00");
                out.extend([HEX[usize::from(other >> 4)], HEX[usize::from(other & 15)]]);
            }
        }
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, Position};
    use crate::sse::parse::Parser;
    use crate::sse::{Ids, control, event};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn lines(encoded: &[u8]) -> Vec<Value> {
        let mut out = Vec::new();
        objects(encoded, &mut out);
        let text = String::from_utf8(out).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'));
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
    }

    #[test]
    fn an_event_is_one_line() {
        let mut ids = Ids::default();
        ids.set(1_763_660_000_123, &"web/a".parse().unwrap());
        let mut encoded = Vec::new();
        event(&mut encoded, &ids, 7, Event { kind: None, data: b"say \"hi\"\t\x1b[1m\\" });
        let mut out = Vec::new();
        objects(&encoded, &mut out);
        let expected = r#"{"id":"1763660000123-7/web/a","time":"2025-11-20T17:33:20.123Z","channel":"web/a","type":null,"data":"say \"hi\"\t\u001b[1m\\"}"#;
        assert_eq!(String::from_utf8(out).unwrap(), format!("{expected}\n"));
    }

    #[test]
    fn control_events_carry_their_object() {
        let mut encoded = Vec::new();
        control(&mut encoded, Some(Position { time: 5, number: 2 }), "start", &json!({"channels": ["a"]}));
        control(&mut encoded, None, "ping", &json!({}));
        encoded.extend_from_slice(b"id: 5-3/a\nevent: end\ndata: not json\n\n:\n");
        let time = "1970-01-01T00:00:00.005Z";
        assert_eq!(
            lines(&encoded),
            [
                json!({"id": "5-2", "time": time, "channel": null, "type": "start", "data": {"channels": ["a"]}}),
                json!({"id": null, "time": null, "channel": null, "type": "ping", "data": {}}),
                json!({"id": "5-3/a", "time": time, "channel": "a", "type": "end", "data": "not json"}),
            ]
        );
    }

    #[test]
    fn a_time_that_no_calendar_has_is_null() {
        let of = |id: &str| lines(format!("id: {id}\ndata: x\n\n").as_bytes())[0]["time"].clone();
        assert_eq!(of("18446744073709551615-1/a"), Value::Null);
        assert_eq!(of("253402207200000-1/a"), json!("9999-12-30T22:00:00.000Z"));
        assert_eq!(of("0-1/a"), json!("1970-01-01T00:00:00.000Z"));
    }

    proptest! {
        #[test]
        fn it_says_what_a_browser_reads(
            events in proptest::collection::vec((any::<Vec<u8>>(), proptest::option::of("[a-z\"\\\\]{1,5}")), 0..6),
            texts in proptest::collection::vec(any::<String>(), 0..6),
        ) {
            let mut encoded = Vec::new();
            let mut ids = Ids::default();
            ids.set(1_763_660_000_123, &"web/a".parse().unwrap());
            let all = events.iter().map(|(data, kind)| (&**data, kind.as_deref())).chain(texts.iter().map(|text| (text.as_bytes(), None)));
            for (number, (data, kind)) in (1..).zip(all) {
                event(&mut encoded, &ids, number, Event { kind: kind.filter(|kind| !is_reserved(kind.as_bytes())), data });
            }
            let mut expected = Vec::new();
            Parser::new(usize::MAX - 1000).push(&encoded, |event| {
                let event = event.unwrap();
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                let kind = Some(text(event.kind)).filter(|kind| !kind.is_empty());
                expected.push(json!({
                    "id": text(event.id), "time": "2025-11-20T17:33:20.123Z", "channel": "web/a", "type": kind, "data": text(event.data),
                }));
            });
            prop_assert_eq!(lines(&encoded), expected);
        }
    }
}
