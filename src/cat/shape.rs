//! How an event is written: its lines, its lines behind its channel, or an object of JSON.

use super::place;
use crate::event::ChannelName;
use crate::sse::is_reserved;
use crate::sse::ndjson::{Clock, Object};
use crate::sse::parse::Received;

/// What an event becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Its lines.
    Lines,
    /// Its channel before each of its lines.
    Labelled(Paint),
    /// A line with an object of JSON.
    Ndjson,
}

/// Whether channels have colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// They have none.
    Plain,
    /// Each has one, by its name.
    Coloured,
}

/// Colours that can be read on dark and on light ground: cyan, yellow, green, magenta, blue, red, and bright ones.
const COLOURS: [&str; 10] = ["36", "33", "32", "35", "34", "31", "96", "95", "92", "94"];

/// Whether a type belongs to the protocol: what is behind it are no lines.
#[must_use]
pub fn is_control(kind: &[u8]) -> bool {
    is_reserved(kind) && kind != b"message"
}

/// Writes an event of a stream. `server` stands before the channel where several servers are read.
pub fn write(shape: Shape, server: Option<&str>, event: &Received<'_>, out: &mut Vec<u8>) {
    match shape {
        Shape::Lines => lines(b"", event.data, out),
        Shape::Labelled(paint) => lines(label(paint, server, event.id).as_bytes(), event.data, out),
        Shape::Ndjson => ndjson(event, |object| object.write(out)),
    }
}

/// The same of an event whose data is text, though the protocol keeps its type for itself: the event of a server that knows nothing of that.
pub fn write_text(shape: Shape, server: Option<&str>, event: &Received<'_>, out: &mut Vec<u8>) {
    match shape {
        Shape::Ndjson => ndjson(event, |object| object.write_text(out)),
        _ => write(shape, server, event, out),
    }
}

fn lines(label: &[u8], data: &[u8], out: &mut Vec<u8>) {
    for line in data.split(|byte| *byte == b'\n') {
        out.extend_from_slice(label);
        out.extend_from_slice(line);
        out.push(b'\n');
    }
}

/// The channel of an id, with a colon and a space behind it.
fn label(paint: Paint, server: Option<&str>, id: &[u8]) -> String {
    let channel = channel(id);
    let name = match (server, &channel) {
        (Some(server), Some(channel)) => format!("{server}/{channel}"),
        (Some(server), None) => server.to_owned(),
        (None, Some(channel)) => channel.to_string(),
        (None, None) => "-".to_owned(),
    };
    match paint {
        Paint::Plain => format!("{name}: "),
        Paint::Coloured => format!("\x1b[{}m{name}:\x1b[0m ", colour(&name)),
    }
}

/// The colour of a name: the same each time, and on each machine.
fn colour(name: &str) -> &'static str {
    let count = u32::try_from(COLOURS.len()).unwrap_or(1);
    let chosen = crc32fast::hash(name.as_bytes()) % count;
    COLOURS[usize::try_from(chosen).unwrap_or(0)]
}

fn channel(id: &[u8]) -> Option<ChannelName> {
    place::read(id)?.channel
}

/// An event as the server's own `?format=ndjson` has it. What others send as ids and types is text as well.
fn ndjson(event: &Received<'_>, write: impl FnOnce(Object<'_>)) {
    let (id, kind, data) =
        (String::from_utf8_lossy(event.id), String::from_utf8_lossy(event.kind), String::from_utf8_lossy(event.data));
    let (ours, mut clock) = (place::read(event.id), Clock::default());
    let channel = ours.as_ref().and_then(|id| id.channel.as_ref());
    write(Object {
        id: Some(id.as_bytes()).filter(|id| !id.is_empty()),
        time: ours.as_ref().and_then(|_| clock.time_of(event.id)),
        channel: channel.map(|channel| channel.as_str().as_bytes()),
        kind: Some(kind.as_bytes()).filter(|kind| !kind.is_empty() && *kind != b"message"),
        data: data.as_bytes(),
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn written(shape: Shape, server: Option<&str>, id: &str, kind: &str, data: &str) -> String {
        let mut out = Vec::new();
        let event = Received { id: id.as_bytes(), kind: kind.as_bytes(), data: data.as_bytes() };
        write(shape, server, &event, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lines_of_an_event_are_lines() {
        assert_eq!(written(Shape::Lines, None, "5-1/a", "", "x\n\ny"), "x\n\ny\n");
        assert_eq!(written(Shape::Lines, None, "", "tick", ""), "\n");
    }

    #[test]
    fn labels_name_the_channel_before_each_line() {
        let plain = Shape::Labelled(Paint::Plain);
        assert_eq!(written(plain, None, "5-1/web/a", "", "x\ny"), "web/a: x\nweb/a: y\n");
        assert_eq!(written(plain, Some("h:1"), "5-1/a", "", "x"), "h:1/a: x\n");
        assert_eq!(written(plain, None, "none of ours", "", "x"), "-: x\n");
        let coloured = |id| written(Shape::Labelled(Paint::Coloured), None, id, "", "x");
        assert!(coloured("5-1/a").starts_with("\x1b[") && coloured("5-1/a").ends_with("ma:\x1b[0m x\n"));
        assert_eq!(coloured("5-1/a"), coloured("6-2/a"));
        let colours: std::collections::BTreeSet<_> = (0..50).map(|n| colour(&format!("channel{n}"))).collect();
        assert!(colours.len() > 5, "{colours:?}");
    }

    #[test]
    fn objects_say_all_of_an_event() {
        let object = |id, kind, data| serde_json::from_str::<Value>(&written(Shape::Ndjson, None, id, kind, data)).unwrap();
        let id = "1763660000123-4821/web/access.log";
        assert_eq!(
            object(id, "", "a\nb"),
            json!({"id": id, "time": "2025-11-20T17:33:20.123Z", "channel": "web/access.log", "type": null, "data": "a\nb"})
        );
        assert_eq!(
            object("5-3", "gap", "{\"lost\":3}"),
            json!({"id": "5-3", "time": "1970-01-01T00:00:00.005Z", "channel": null, "type": "gap", "data": {"lost": 3}})
        );
        assert_eq!(
            object("theirs", "gap", "no json"),
            json!({"id": "theirs", "time": null, "channel": null, "type": "gap", "data": "no json"})
        );
        assert_eq!(object("", "", "")["id"], Value::Null);
        assert_eq!(object("99999999999999999999-1/a", "", "")["time"], Value::Null);
    }

    proptest! {
        #[test]
        fn whatever_comes_is_one_line_of_json(id: Vec<u8>, kind in "(gap|end|x|)", data: Vec<u8>) {
            let mut out = Vec::new();
            write(Shape::Ndjson, None, &Received { id: &id, kind: kind.as_bytes(), data: &data }, &mut out);
            prop_assert!(memchr::memchr_iter(b'\n', &out).eq([out.len() - 1]));
            let object: Value = serde_json::from_slice(&out).unwrap();
            if kind.is_empty() {
                prop_assert_eq!(object["data"].as_str().unwrap(), String::from_utf8_lossy(&data));
            }
        }
    }
}
