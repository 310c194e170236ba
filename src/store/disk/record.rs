//! The format of a segment: the events as clients are sent them, and between them comments that commit them. Pure.
//!
//! ```text
//! : sse-bridge 1 web/access.log 1763660000000 4100 1763660000100-4711 5c1e9b0f\n   head
//! id: 1763660000123-4821/web/access.log\n                  a record: the events of one batch,
//! data: GET / 200\n
//! \n
//! := 1763660000123-4821 1 4101 52 new 9b1f0e5c -\n         and the line that commits them
//! ```
//!
//! The head says, in this order: the format; the channel; when the life began; how many events the channel has had before this segment, and the
//! position of the last of them, stored or not: the life's beginning, with number 0, if there was none, and `-` if damage has made it unknown; and the
//! CRC-32 of all that.
//!
//! The commit says, in this order: time and number of the last event; how many events the record has; how many the channel has had up to here in its
//! life; the bytes before the line; whether the lines came or were there (`new`, `old`); the CRC-32 of all that, and of what follows; and the
//! source's position behind the record, which only the source understands; or `-` if it has none, or `+` if this is only a part of what was read at
//! once, and counts only if the next record does.
//!
//! # Invariants
//! - A segment is an event stream (WHATWG HTML, 9.2.5): comments are ignored by every parser. In encoded events no line begins with a colon, and
//!   a blank line ends each: so `\n\n:=` stands only where a record ends.
//! - The numbers of a record follow each other. From one record to the next they grow; what is between belongs to other channels.
//! - The count of events leaves nothing out: from one record to the next it grows by the events of the latter. Where it grows by more, events
//!   are missing, and that many.
//! - A record without events moves the source's position alone, and repeats the newest number of all channels.
//! - All events of a segment are of one age, and so are the records without events behind them.

use std::fmt::Write;
use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem;

use super::summed::{self, checksum_in};
use crate::event::{Age, ChannelName, Millis, Position, decimal};

/// The format that this program writes, and the newest that it reads.
pub const VERSION: u32 = 1;

/// The longest position of a source, in bytes.
pub const MAX_SOURCE: usize = 8 * 1024;

/// The longest comment, in bytes: every field but the source's position is short.
pub const MAX_COMMENT: usize = MAX_SOURCE + 256;

/// The longest head, in bytes.
pub const MAX_HEAD: usize = 256;

const HEAD: &str = ": sse-bridge ";

const COMMIT: &[u8] = b":= ";

const OPEN: &str = "+";

const NOWHERE: &str = "-";

/// What stands for a position that nobody knows any more.
const UNKNOWN: &str = "-";

/// Where a record's events end: a blank line, and the commit.
const BOUNDARY: &[u8] = b"\n\n:= ";

/// What finds that; making it costs as much as reading a small record.
static FIND_BOUNDARY: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new(BOUNDARY));

/// Where a commit begins, whatever it commits.
pub(super) const COMMIT_LINE: &[u8] = b"\n:= ";

/// What a segment says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Whose events it holds.
    pub channel: ChannelName,
    /// When the life began in which they were numbered.
    pub began: Millis,
    /// How many events the channel has had before it.
    pub before: u64,
    /// The last of them, stored or not: number 0 and the beginning of the life if there was none. `None` if damage has made it unknown.
    pub preceding: Option<Position>,
}

/// What commits a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its last event; without events the one before.
    pub last: Position,
    /// How many events it holds.
    pub count: u64,
    /// How many the channel has had up to here.
    pub total: u64,
    /// How many bytes they are.
    pub length: u64,
    /// Whether they came or were there.
    pub age: Age,
    /// What it says of the source.
    pub seal: Seal,
}

/// What a commit says of the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seal {
    /// The record belongs with the next one.
    Open,
    /// The source has no position.
    Nowhere,
    /// The source's position behind the record.
    At(Box<str>),
}

/// Why bytes are no head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadHead {
    /// It is written by a later version.
    #[error("its format {0} is newer than this program's ({VERSION})")]
    Newer(u32),
    /// It was not written to its end.
    #[error("it was not written to its end")]
    Unfinished,
    /// It is none.
    #[error("it does not begin as a segment does")]
    Other,
}

/// What stands at a place of a segment.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// A record that is as it was written.
    Record(Record),
    /// The bytes end before the record does.
    Unfinished,
    /// This was not written so.
    Bad,
}

/// A record in some bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Where its events are.
    pub events: Range<usize>,
    /// Where it ends, and the next begins.
    pub end: usize,
    /// What commits it.
    pub commit: Commit,
}

impl Head {
    /// Writes it.
    pub fn write(&self, out: &mut Vec<u8>) {
        let Self { channel, began, before, preceding } = self;
        let preceding = preceding.map_or_else(|| UNKNOWN.to_owned(), |preceding| preceding.to_string());
        out.extend_from_slice(HEAD.as_bytes());
        out.extend_from_slice(summed::line_of(&format!("{VERSION} {channel} {began} {before} {preceding}")).as_bytes());
    }

    /// Reads it from the beginning of a segment; gives its length as well.
    ///
    /// # Errors
    /// It is another one's, or none.
    pub fn read(bytes: &[u8]) -> Result<(Self, usize), BadHead> {
        let is_begun = bytes.len() < MAX_HEAD && bytes.iter().zip(HEAD.as_bytes()).all(|(byte, expected)| byte == expected);
        let end = memchr::memchr(b'\n', bytes).ok_or(if is_begun { BadHead::Unfinished } else { BadHead::Other })?;
        let line = std::str::from_utf8(&bytes[..end]).map_err(|_| BadHead::Other)?;
        // In every format: so that damage is not taken for a later one.
        let fields = line.strip_prefix(HEAD).and_then(summed::text_of).ok_or(BadHead::Other)?;
        let (version, fields) = fields.split_once(' ').unwrap_or((fields, ""));
        match version.parse() {
            Ok(newer) if newer > VERSION => return Err(BadHead::Newer(newer)),
            Ok(VERSION) => {}
            _ => return Err(BadHead::Other),
        }
        Self::of_fields(fields).map(|head| (head, end + 1)).ok_or(BadHead::Other)
    }

    fn of_fields(fields: &str) -> Option<Self> {
        let mut fields = fields.split(' ');
        let (channel, began, before) = (fields.next()?.parse().ok()?, decimal(fields.next()?)?, decimal(fields.next()?)?);
        let preceding = Some(fields.next()?).filter(|preceding| *preceding != UNKNOWN).map(str::parse).transpose().ok()?;
        fields.next().is_none().then_some(Self { channel, began, before, preceding })
    }
}

impl Commit {
    /// The number of its first event, if it has any.
    #[must_use]
    pub fn first(&self) -> Option<u64> {
        (self.count > 0).then(|| self.last.number + 1 - self.count)
    }

    /// Whether it counts by itself.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.seal != Seal::Open
    }

    /// The source's position, if it says one.
    #[must_use]
    pub fn source(&self) -> Option<&str> {
        match &self.seal {
            Seal::At(position) => Some(position),
            Seal::Open | Seal::Nowhere => None,
        }
    }

    /// Whether its record may stand directly behind that of `before`.
    #[must_use]
    pub fn follows(&self, before: &Self) -> bool {
        let is_later = self.first().map_or(self.last.number >= before.last.number, |first| first > before.last.number);
        let is_alike = self.age == before.age || before.count == 0;
        is_later && is_alike && self.total == before.total + self.count
    }

    /// Writes the line that commits `events`.
    pub fn write(&self, events: &[u8], out: &mut Vec<u8>) {
        debug_assert_eq!(events.len() as u64, self.length, "a record's length is that of its events");
        let start = out.len();
        let Self { last, count, total, length, age, seal } = self;
        let age = name_of(*age);
        let fields = format!("{last} {count} {total} {length} {age} ");
        let source = match seal {
            Seal::Open => OPEN,
            Seal::Nowhere => NOWHERE,
            Seal::At(position) => position,
        };
        out.extend_from_slice(COMMIT);
        out.extend_from_slice(fields.as_bytes());
        let sum = checksum(events, fields.as_bytes(), source.as_bytes());
        let mut hex = String::with_capacity(9);
        let _ = write!(hex, "{sum:08x} ");
        out.extend_from_slice(hex.as_bytes());
        out.extend_from_slice(source.as_bytes());
        out.push(b'\n');
        debug_assert!(out.len() - start <= MAX_COMMENT, "a source's position is short");
    }

    /// Reads a line without its newline; gives the part that is summed before the checksum, and the checksum.
    fn read(line: &[u8]) -> Option<(Self, &[u8], u32)> {
        let fields = line.strip_prefix(COMMIT)?;
        let text = std::str::from_utf8(fields).ok()?;
        let mut parts = text.splitn(7, ' ');
        let last: Position = parts.next()?.parse().ok()?;
        let (count, total, length) = (decimal(parts.next()?)?, decimal(parts.next()?)?, decimal(parts.next()?)?);
        let age = age_of(parts.next()?)?;
        let sum = parts.next()?;
        let source = parts.next().filter(|source| source.len() <= MAX_SOURCE && is_printable(source))?;
        let summed = fields.len() - source.len() - sum.len() - 2;
        let sum = checksum_in(sum)?;
        let is_possible = count <= total && count <= last.number && (count > 0) == (length > 0);
        let seal = match source {
            OPEN => Seal::Open,
            NOWHERE => Seal::Nowhere,
            position => Seal::At(position.into()),
        };
        is_possible.then_some((Self { last, count, total, length, age, seal }, &fields[..=summed], sum))
    }
}

/// The record that begins at `start`.
#[must_use]
pub fn record_at(bytes: &[u8], start: usize) -> Found {
    let rest = &bytes[start..];
    let events = match rest {
        [] => return Found::Unfinished,
        [b':', ..] => 0,
        _ => match FIND_BOUNDARY.find(rest) {
            Some(at) => at + 2,
            None => return Found::Unfinished,
        },
    };
    let Some(line) = memchr::memchr(b'\n', &rest[events..]) else {
        return if rest.len() - events > MAX_COMMENT { Found::Bad } else { Found::Unfinished };
    };
    let (events, line, end) = (&rest[..events], &rest[events..events + line], start + events + line + 1);
    match Commit::read(line) {
        Some((commit, summed, sum)) if commit.length == events.len() as u64 && sum == checksum(events, summed, source_of(line)) => {
            Found::Record(Record { events: start..start + events.len(), end, commit })
        }
        _ => Found::Bad,
    }
}

/// The last field of a commit.
fn source_of(line: &[u8]) -> &[u8] {
    line.rsplitn(2, |byte| *byte == b' ').next().unwrap_or_default()
}

fn checksum(events: &[u8], fields: &[u8], source: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(events);
    hasher.update(fields);
    hasher.update(source);
    hasher.finalize()
}

fn name_of(age: Age) -> &'static str {
    match age {
        Age::New => "new",
        Age::Old => "old",
    }
}

fn age_of(name: &str) -> Option<Age> {
    [Age::New, Age::Old].into_iter().find(|age| name_of(*age) == name)
}

fn is_printable(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The commit in a line, as far as the line is one: its checksum is not looked at.
#[must_use]
pub fn commit_in(line: &[u8]) -> Option<Commit> {
    Commit::read(line).map(|(commit, ..)| commit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    use crate::event::Event;
    use crate::sse::{self, Ids};

    fn events(channel: &ChannelName, time: Millis, first: u64, lines: &[Vec<u8>]) -> Vec<u8> {
        let (mut out, mut ids) = (Vec::new(), Ids::default());
        ids.set(time, channel);
        for (line, number) in lines.iter().zip(first..) {
            sse::event(&mut out, &ids, number, Event { kind: None, data: line });
        }
        out
    }

    fn commit(events: &[u8], count: u64, seal: Seal) -> Commit {
        let last = Position { time: 5, number: 6 + count };
        Commit { last, count, total: 100 + count, length: events.len() as u64, age: Age::New, seal }
    }

    fn seal() -> impl Strategy<Value = Seal> {
        prop_oneof![Just(Seal::Open), Just(Seal::Nowhere), "[!-~]{2,300}".prop_map(|position| Seal::At(position.into()))]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(lines: Vec<Vec<u8>>, seal in seal(), before: Vec<u8>) {
            let channel: ChannelName = "web/a".parse().unwrap();
            let encoded = events(&channel, 5, 7, &lines);
            let commit = commit(&encoded, lines.len() as u64, seal);
            let mut file = before.clone();
            file.extend_from_slice(&encoded);
            commit.write(&encoded, &mut file);
            let range = before.len()..before.len() + encoded.len();
            prop_assert_eq!(record_at(&file, before.len()), Found::Record(Record { events: range, end: file.len(), commit }));
            for end in before.len()..file.len() {
                prop_assert_eq!(record_at(&file[..end], before.len()), Found::Unfinished);
            }
        }

        #[test]
        fn a_flipped_bit_is_seen(lines in proptest::collection::vec(any::<Vec<u8>>(), 0..4), at: prop::sample::Index, bit in 0..8_u32) {
            let encoded = events(&"web/a".parse().unwrap(), 5, 7, &lines);
            let commit = commit(&encoded, lines.len() as u64, Seal::At("1.2.3".into()));
            let mut file = encoded.clone();
            commit.write(&encoded, &mut file);
            let at = at.index(file.len());
            file[at] ^= 1_u8 << bit;
            prop_assert!(!matches!(record_at(&file, 0), Found::Record(_)));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, start: prop::sample::Index) {
            let _ = record_at(&bytes, start.index(bytes.len() + 1));
            let _ = Head::read(&bytes);
            let _ = commit_in(&bytes);
        }

        #[test]
        fn a_head_is_read_as_it_was_written(channel in "[a-z.]{3,20}(/[a-z]{1,9}){0,3}", began: Millis, before: u64, preceding: Option<(u64, Millis)>) {
            let preceding = preceding.map(|(number, time)| Position { number, time });
            let head = Head { channel: channel.parse().unwrap(), began, before, preceding };
            let mut out = Vec::new();
            head.write(&mut out);
            prop_assert_eq!(Head::read(&out), Ok((head, out.len())));
            for length in 0..out.len() {
                prop_assert_eq!(Head::read(&out[..length]), Err(BadHead::Unfinished));
            }
        }
    }

    #[test]
    fn a_later_format_is_told_from_none() {
        let head = |fields: &str| format!("{HEAD}{fields} {:08x}\n", crc32fast::hash(fields.as_bytes()));
        assert_eq!(Head::read(head("2 whatever comes").as_bytes()), Err(BadHead::Newer(2)));
        let wrong = head("1 a 1 1 1-1").replace("1 a", "2 a");
        assert!(Head::read(head("1 a 1 1 1-1").as_bytes()).is_ok() && Head::read(head("1 a 1 1 -").as_bytes()).is_ok());
        for head in ["0 a 1 1 1-1", "1 a 1", "1 a 1 1", "1 a 1 1 1", "1 a 1 +1 1-1", "1 a 1 1 1-1 1", "1 a 1 1 --"].map(head) {
            assert_eq!(Head::read(head.as_bytes()), Err(BadHead::Other), "{head}");
        }
        for head in [wrong, "id: 1\n".to_owned()] {
            assert_eq!(Head::read(head.as_bytes()), Err(BadHead::Other), "{head}");
        }
    }
}
