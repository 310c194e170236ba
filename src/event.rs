//! What flows: events, and the names by which clients remember them.
//!
//! An event is a line with its id, its channel and perhaps a type. Its id is a public, stable contract:
//!
//! ```text
//! 1763660000123-4821/web/access.log
//! │             │    └ the channel
//! │             └ a number that grows with every event of the daemon
//! └ arrival time in Unix milliseconds, never going backwards
//! ```
//!
//! An id without a channel is a *position*: a place in the merged order of all events. The position of number 0 is the
//! beginning of a life. Ids are printable ASCII of at most [`MAX_ID`] bytes, because browsers and libraries send them back
//! as an HTTP header, and some of them break on anything else.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Milliseconds since the Unix epoch.
pub type Millis = u64;

/// The longest id, in bytes: the limit up to which browsers send `Last-Event-ID` across origins without asking first.
pub const MAX_ID: usize = 128;

/// The longest channel name, in bytes: a time of 14 digits (the year 5138), a number of 20, `-` and `/` leave it room in [`MAX_ID`].
pub const MAX_CHANNEL_NAME: usize = 90;

/// The types that the protocol keeps for itself: control events, and names that clients deliver elsewhere than a user expects.
pub const RESERVED_TYPES: [&str; 10] = ["start", "gap", "end", "run", "progress", "busy", "ping", "open", "error", "message"];

/// One line on its way to the wire: what mapping yields and `sse` encodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'a> {
    /// The event type, or none: then `onmessage` of every page receives it.
    pub kind: Option<&'a str>,
    /// The line's bytes, as they were read.
    pub data: &'a [u8],
}

/// Whether a line came, or was there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Age {
    /// It came while the daemon looked, or its place behind what came before is known.
    #[default]
    New,
    /// It was already in a file when the daemon first looked, and the file's position was not known: nobody can say whether a
    /// client of an earlier life has seen it.
    Old,
}

/// A place in the merged order of all events: the time and number of the event at it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Number of the event, from 1; 0 is the beginning of the life.
    pub number: u64,
    /// Arrival time of that event; of the beginning of the life for number 0.
    pub time: Millis,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.time, self.number)
    }
}

impl FromStr for Position {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let (time, number) = text.split_once('-').ok_or(NotAnId)?;
        decimal(number).zip(decimal(time)).map(|(number, time)| Self { number, time }).ok_or(NotAnId)
    }
}

/// An id as a client brings it: a position, and the channel unless it is the bare position of a control event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventId {
    /// When and which.
    pub position: Position,
    /// Where, if the id says it.
    pub channel: Option<ChannelName>,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.channel {
            Some(channel) => write!(f, "{}/{channel}", self.position),
            None => self.position.fmt(f),
        }
    }
}

/// The text is not an id of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an event id (TIME-NUMBER or TIME-NUMBER/CHANNEL)")]
pub struct NotAnId;

impl FromStr for EventId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        if text.len() > MAX_ID {
            return Err(NotAnId);
        }
        let (position, channel) = match text.split_once('/') {
            Some((position, name)) => (position, Some(name.parse().map_err(|_| NotAnId)?)),
            None => (text, None),
        };
        Ok(Self { position: position.parse()?, channel })
    }
}

/// A number as we write it: digits only (no sign, which `u64::from_str` would take), no leading zero.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let canonical = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    canonical.then(|| text.parse().ok())?
}

/// The name of a channel: a path of segments out of `[A-Za-z0-9._~+-]`, other bytes percent-encoded, none empty, `.` or
/// `..`, in all at most [`MAX_CHANNEL_NAME`] bytes. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelName(Arc<str>);

/// Why a text is not a channel name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// Nothing there, or nothing between two slashes.
    #[error("a name has no empty segment")]
    Empty,
    /// `.` or `..`: browsers and proxies would fold them away.
    #[error("'.' and '..' are not segments")]
    Dots,
    /// A byte that would not survive in a URL and a header.
    #[error("only A-Z a-z 0-9 . _ ~ + - and / may stand in a name, other bytes as %XX (capitals)")]
    Byte,
    /// Longer than an id can carry.
    #[error("a name has at most {MAX_CHANNEL_NAME} bytes")]
    Long,
}

impl FromStr for ChannelName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        if text.len() > MAX_CHANNEL_NAME {
            return Err(BadName::Long);
        }
        text.split('/').try_for_each(check_segment)?;
        Ok(Self(text.into()))
    }
}

/// Whether a byte stands for itself in a name.
#[must_use]
pub fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._~+-".contains(&byte)
}

/// The bytes of a segment of a name before percent-encoding.
#[must_use]
pub fn decoded(segment: &str) -> Vec<u8> {
    let mut bytes = segment.bytes();
    let mut decoded = Vec::with_capacity(segment.len());
    while let Some(byte) = bytes.next() {
        let mut digit = || bytes.next().and_then(|digit| char::from(digit).to_digit(16)).unwrap_or(0);
        let high_low = if is_plain(byte) { None } else { Some((digit(), digit())) };
        decoded.push(high_low.map_or(byte, |(high, low)| u8::try_from(high << 4 | low).unwrap_or(byte)));
    }
    decoded
}

/// Whether these are the digits of a byte that cannot stand for itself, in capitals: each name is written in one way.
fn is_needed_escape(high: Option<u8>, low: Option<u8>) -> bool {
    let digit = |byte: Option<u8>| byte.filter(|byte| !byte.is_ascii_lowercase()).and_then(|byte| char::from(byte).to_digit(16));
    let byte = digit(high).zip(digit(low)).and_then(|(high, low)| u8::try_from(high << 4 | low).ok());
    byte.is_some_and(|byte| !is_plain(byte))
}

fn check_segment(segment: &str) -> Result<(), BadName> {
    match segment {
        "" => return Err(BadName::Empty),
        "." | ".." => return Err(BadName::Dots),
        _ => {}
    }
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        let plain = is_plain(byte);
        if !(plain || byte == b'%' && is_needed_escape(bytes.next(), bytes.next())) {
            return Err(BadName::Byte);
        }
    }
    Ok(())
}

impl ChannelName {
    /// The name as it stands in ids and URLs.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is `prefix` itself or lies below it: `web/access.log` is below `web`, `website` is not.
    #[must_use]
    pub fn is_at_or_below(&self, prefix: &ChannelName) -> bool {
        match self.0.strip_prefix(&*prefix.0) {
            Some(rest) => rest.is_empty() || rest.starts_with('/'),
            None => false,
        }
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl serde::Serialize for ChannelName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl serde::Serialize for Position {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl serde::Serialize for EventId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ids_of_both_forms_are_read() {
        let full: EventId = "1763660000123-4821/web/access.log".parse().unwrap();
        assert_eq!(full.position, Position { time: 1_763_660_000_123, number: 4821 });
        assert_eq!(full.channel.unwrap().as_str(), "web/access.log");
        assert_eq!("17-0".parse::<EventId>().unwrap().channel, None);
    }

    #[test]
    fn garbage_is_not_an_id() {
        let long = format!("1-1/{}", "a".repeat(MAX_ID));
        for text in [
            "",
            "-",
            "1",
            "1-",
            "-1",
            "1-+1",
            "+1-1",
            "01-1",
            "1-01",
            "1-1/",
            "1-1/a b",
            "1 -1",
            "1-1/..",
            "1-99999999999999999999",
            &long,
        ] {
            assert_eq!(text.parse::<EventId>(), Err(NotAnId), "{text:?}");
        }
    }

    #[test]
    fn a_position_is_written_in_one_way() {
        assert_eq!("17-4".parse(), Ok(Position { time: 17, number: 4 }));
        for text in ["17-4/a", "17", "17-04", "+17-4", "-4", "17-", "17-4-1", "17-4 ", "18446744073709551616-1"] {
            assert_eq!(text.parse::<Position>(), Err(NotAnId), "{text:?}");
        }
    }

    #[test]
    fn bad_names_say_why() {
        for (text, why) in [
            ("", BadName::Empty),
            ("a//b", BadName::Empty),
            ("/a", BadName::Empty),
            ("a/../b", BadName::Dots),
            (".", BadName::Dots),
            ("a b", BadName::Byte),
            ("a%2", BadName::Byte),
            ("a%zz", BadName::Byte),
            ("a%2f", BadName::Byte),
            ("%41", BadName::Byte),
            ("ä", BadName::Byte),
        ] {
            assert_eq!(text.parse::<ChannelName>(), Err(why), "{text:?}");
        }
        assert_eq!("x".repeat(MAX_CHANNEL_NAME + 1).parse::<ChannelName>(), Err(BadName::Long));
        assert!("a%2F.b/~x+y-z_".parse::<ChannelName>().is_ok());
    }

    #[test]
    fn a_prefix_ends_at_a_segment() {
        let name = |s: &str| s.parse::<ChannelName>().unwrap();
        assert!(name("web/a").is_at_or_below(&name("web")));
        assert!(name("web").is_at_or_below(&name("web")));
        assert!(!name("website").is_at_or_below(&name("web")));
        assert!(!name("web").is_at_or_below(&name("web/a")));
    }

    proptest! {
        #[test]
        fn an_id_survives_the_way_to_the_client_and_back(time in 0..10_u64.pow(14), number: u64, name in "[A-Za-z0-9._~+-]{3,20}(/[a-z]{1,9}){0,3}") {
            let id = EventId { position: Position { number, time }, channel: Some(name.parse().unwrap()) };
            let text = id.to_string();
            prop_assert!(text.len() <= MAX_ID);
            prop_assert_eq!(text.parse::<EventId>().unwrap(), id);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".*") {
            let _ = text.parse::<EventId>();
            let _ = text.parse::<ChannelName>();
        }
    }
}
