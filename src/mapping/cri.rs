//! Lines as container runtimes write them below `/var/log/pods` (Kubernetes, "CRI container logging"):
//!
//! ```text
//! 2026-11-21T10:00:00.123456789Z stderr P the first part of a long line
//! 2026-11-21T10:00:00.123456999Z stderr F and its last
//! TIME                           STREAM TAGS, by colons; the first is P (partial) or F (full)
//! ```

use std::borrow::Cow;

use super::field::Field;
use super::json::{Data, Record, member, string};
use super::kind::Kind;

/// The fields of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name {
    /// When it was written.
    Time,
    /// `stdout` or `stderr`.
    Stream,
    /// What was written.
    Log,
}

/// Which of the container's outputs a line was written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// Whether more of a line follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// `P`: the next one of the same stream goes on with it.
    Partial,
    /// `F`: this is its end.
    Full,
}

/// A line, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parsed<'a> {
    /// As it is written.
    pub time: &'a [u8],
    /// Where it came from.
    pub stream: Stream,
    /// Whether it is all of it.
    pub part: Part,
    /// What was written.
    pub log: &'a [u8],
}

/// Takes a line apart; `None` if it is none of a container runtime.
#[must_use]
pub fn parse(line: &[u8]) -> Option<Parsed<'_>> {
    let (time, rest) = word(line)?;
    let (stream, rest) = word(rest)?;
    let (tags, log) = word(rest).unwrap_or((rest, &[]));
    let is_time = time.first().is_some_and(u8::is_ascii_digit) && time.contains(&b'T');
    let stream = match stream {
        b"stdout" => Stream::Out,
        b"stderr" => Stream::Err,
        _ => return None,
    };
    let part = match tags {
        [b'P'] | [b'P', b':', ..] => Part::Partial,
        [b'F'] | [b'F', b':', ..] => Part::Full,
        _ => return None,
    };
    is_time.then_some(Parsed { time, stream, part, log })
}

/// What stands before the first space, and behind it.
fn word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = memchr::memchr(b' ', text)?;
    Some((&text[..space], &text[space + 1..]))
}

impl Stream {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Out => "stdout",
            Self::Err => "stderr",
        }
    }
}

impl Name {
    /// The field that is called so.
    #[must_use]
    pub fn of(field: &Field) -> Option<Self> {
        match field.name() {
            "time" => Some(Self::Time),
            "stream" => Some(Self::Stream),
            "log" => Some(Self::Log),
            _ => None,
        }
    }
}

/// What is taken from each line.
#[derive(Debug, Clone, Default)]
pub struct Fields {
    /// What the type is taken from.
    pub kind: Option<Name>,
    /// What the data is; its log where nobody says otherwise.
    pub data: Vec<Name>,
    /// How it is written.
    pub form: Form,
}

/// How the data of an event is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Form {
    /// The first field as it stands.
    #[default]
    Bare,
    /// An object of all of them.
    Object,
}

impl Fields {
    /// What is taken, by the names of fields; `None` if there is no such field.
    #[must_use]
    pub fn new(kind: Option<&Field>, data: &Data) -> Option<Self> {
        let (fields, form) = match data {
            Data::Whole => (vec![Name::Log], Form::Bare),
            Data::Of(field) => (vec![Name::of(field)?], Form::Bare),
            Data::Only(fields) => (fields.iter().map(Name::of).collect::<Option<_>>()?, Form::Object),
        };
        let kind = kind.map(Name::of);
        Some(Self { kind: kind.map_or(Some(None), |name| name.map(Some))?, data: fields, form })
    }

    /// The event of a whole line.
    #[must_use]
    pub fn record<'a>(&self, line: Parsed<'a>) -> Record<'a> {
        let value = |name: Name| match name {
            Name::Time => line.time,
            Name::Stream => line.stream.name().as_bytes(),
            Name::Log => line.log,
        };
        let kind = self.kind.map_or(Kind::Usual, |name| Kind::of(String::from_utf8_lossy(value(name))));
        let data = match (self.form, &self.data[..]) {
            (Form::Bare, []) => Cow::Borrowed(line.log),
            (Form::Bare, [name, ..]) => Cow::Borrowed(value(*name)),
            (Form::Object, names) => Cow::Owned(object(names.iter().map(|name| (*name, value(*name))))),
        };
        Record { kind, data }
    }
}

fn object<'a>(fields: impl Iterator<Item = (Name, &'a [u8])>) -> Vec<u8> {
    let mut object = Vec::from(b"{");
    for (name, value) in fields {
        let name = match name {
            Name::Time => "time",
            Name::Stream => "stream",
            Name::Log => "log",
        };
        member(&mut object, name, &string(&String::from_utf8_lossy(value)));
    }
    object.push(b'}');
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_container_runtimes_are_taken_apart() {
        for (line, expected) in [
            ("2026-11-21T10:00:00.1Z stdout F hello  world", Some(("stdout", Part::Full, "hello  world"))),
            ("2026-11-21T10:00:00+01:00 stderr P part ", Some(("stderr", Part::Partial, "part "))),
            ("2026-11-21T10:00:00Z stdout F:x:y tagged", Some(("stdout", Part::Full, "tagged"))),
            ("2026-11-21T10:00:00Z stdout F ", Some(("stdout", Part::Full, ""))),
            ("2026-11-21T10:00:00Z stdout F", Some(("stdout", Part::Full, ""))),
            ("2026-11-21T10:00:00Z stdin F x", None),
            ("2026-11-21T10:00:00Z stdout X x", None),
            ("2026-11-21T10:00:00Z stdout Fx x", None),
            ("noon stdout F x", None),
            ("2026-11-21T10:00:00Z", None),
            ("", None),
        ] {
            let found = parse(line.as_bytes());
            let found = found.map(|line| (line.stream.name(), line.part, std::str::from_utf8(line.log).unwrap()));
            assert_eq!(found, expected, "{line}");
        }
    }

    #[test]
    fn fields_are_types_and_data() {
        let line = parse(b"2026-11-21T10:00:00Z stderr F say \"hi\"").unwrap();
        let field = |name: &str| name.parse::<Field>().unwrap();
        let record = |kind: Option<&str>, data| {
            let record = Fields::new(kind.map(field).as_ref(), &data).unwrap().record(line);
            (record.kind, String::from_utf8(record.data.into_owned()).unwrap())
        };
        assert_eq!(record(None, Data::Whole), (Kind::Usual, "say \"hi\"".into()));
        assert_eq!(record(Some("stream"), Data::Of(field("time"))), (Kind::Named("stderr".into()), "2026-11-21T10:00:00Z".into()));
        let only = Data::Only(vec![field("log"), field("stream")]);
        assert_eq!(record(None, only).1, r#"{"log":"say \"hi\"","stream":"stderr"}"#);
        assert!(Fields::new(Some(&field("level")), &Data::Whole).is_none());
    }
}
