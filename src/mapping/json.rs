//! Lines that are JSON objects, by RFC 8259: fields are found in one pass and no tree is built.
//!
//! What is not asked for is passed over without recursion, so a document may be as large and as deep as a line may be long. Of a key that stands
//! twice the last value counts. A value is given as it is written; a string as the text that it means.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::field::Field;
use super::kind::Kind;

/// The most fields that are asked for.
pub const MOST_FIELDS: usize = 32;

/// What is taken from an object.
#[derive(Debug, Clone, Default)]
pub struct Fields {
    /// What the type is taken from, then what the data is.
    all: Vec<Field>,
    has_kind: bool,
    data: Data,
}

/// What becomes the data of an event.
#[derive(Debug, Clone, Default)]
pub enum Data {
    /// The line as it is.
    #[default]
    Whole,
    /// The value of a field.
    Of(Field),
    /// An object of these.
    Only(Vec<Field>),
}

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// The type of its event.
    pub kind: Kind<'a>,
    /// The data of its event.
    pub data: Cow<'a, [u8]>,
}

/// What was found of a field.
#[derive(Debug, Clone, Copy, Default)]
struct Found<'a> {
    /// The value of the key that has its name.
    exact: Option<&'a RawValue>,
    /// The value of the key that is its first segment.
    above: Option<&'a RawValue>,
}

impl Fields {
    /// What is taken from each object: at most [`MOST_FIELDS`] in all.
    #[must_use]
    pub fn new(kind: Option<Field>, data: Data) -> Self {
        let has_kind = kind.is_some();
        let of_data = match &data {
            Data::Whole => &[][..],
            Data::Of(field) => std::slice::from_ref(field),
            Data::Only(fields) => fields,
        };
        let all = kind.into_iter().chain(of_data.iter().cloned()).take(MOST_FIELDS).collect();
        Self { all, has_kind, data }
    }

    /// The event of a line; `None` if it is no JSON object.
    #[must_use]
    pub fn record<'a>(&self, line: &'a str) -> Option<Record<'a>> {
        let found = scan(line, &self.all)?;
        let value = |at: usize| self.all.get(at).and_then(|field| found[at].value(field));
        let kind = if self.has_kind { value(0).map_or(Kind::Usual, kind) } else { Kind::Usual };
        let first = usize::from(self.has_kind);
        let data = match &self.data {
            Data::Whole => Cow::Borrowed(line.as_bytes()),
            Data::Of(_) => value(first).map_or(Cow::Borrowed(line.as_bytes()), |value| without_newline(text(value))),
            Data::Only(fields) => Cow::Owned(object(fields.iter().enumerate().map(|(at, field)| (field, value(first + at))))),
        };
        Some(Record { kind, data })
    }
}

impl<'a> Found<'a> {
    fn value(self, field: &Field) -> Option<&'a RawValue> {
        self.exact.or_else(|| reach(self.above?, field))
    }
}

/// The value of a field whose first segment is the key of `object`.
fn reach<'a>(object: &'a RawValue, field: &Field) -> Option<&'a RawValue> {
    let rest = field.rest()?;
    let found = scan(object.get(), std::slice::from_ref(rest))?;
    found[0].value(rest)
}

/// Goes through an object; `None` if it is none.
fn scan<'a>(text: &'a str, fields: &[Field]) -> Option<Vec<Found<'a>>> {
    let mut found = vec![Found::default(); fields.len()];
    let mut json = serde_json::Deserializer::from_str(text);
    json.deserialize_map(Scan { fields, found: &mut found }).ok()?;
    json.end().ok()?;
    Some(found)
}

/// Goes through the keys of an object.
struct Scan<'s, 'a> {
    fields: &'s [Field],
    found: &'s mut [Found<'a>],
}

impl<'de> Visitor<'de> for Scan<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Hits { exact, above }) = map.next_key_seed(Key(self.fields))? {
            if exact | above == 0 {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let value = map.next_value::<&RawValue>()?;
            for (at, found) in self.found.iter_mut().enumerate() {
                if exact >> at & 1 == 1 {
                    found.exact = Some(value);
                }
                if above >> at & 1 == 1 {
                    found.above = Some(value);
                }
            }
        }
        Ok(())
    }
}

/// A key, as the fields that it concerns: a bit for each.
struct Key<'f>(&'f [Field]);

/// The fields that a key is, and those that may lie below it.
struct Hits {
    exact: u32,
    above: u32,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Hits;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Hits, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Hits;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Hits, E> {
        let mut hits = Hits { exact: 0, above: 0 };
        for (at, field) in self.0.iter().enumerate() {
            hits.exact |= u32::from(field.is(key)) << at;
            hits.above |= u32::from(field.is_below(key)) << at;
        }
        Ok(hits)
    }
}

/// The type that a value says: a string's text, a number or a truth value as it is written; null says none.
fn kind(value: &RawValue) -> Kind<'_> {
    match value.get().as_bytes() {
        [b'"', ..] => match text(value) {
            Cow::Borrowed(text) => std::str::from_utf8(text).map_or(Kind::Refused, |text| Kind::of(Cow::Borrowed(text))),
            Cow::Owned(text) => String::from_utf8(text).map_or(Kind::Refused, |text| Kind::of(Cow::Owned(text))),
        },
        [b'n', ..] => Kind::Usual,
        [b'{' | b'[', ..] => Kind::Refused,
        _ => Kind::of(Cow::Borrowed(value.get())),
    }
}

/// A string's text, any other value as it is written. Half a surrogate pair stays as it is, and is no UTF-8.
fn text(value: &RawValue) -> Cow<'_, [u8]> {
    let written = value.get();
    let Some(inside) = written.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return Cow::Borrowed(written.as_bytes());
    };
    if memchr::memchr(b'\\', inside.as_bytes()).is_none() {
        return Cow::Borrowed(inside.as_bytes());
    }
    serde_json::Deserializer::from_str(written).deserialize_bytes(Bytes).unwrap_or(Cow::Borrowed(written.as_bytes()))
}

/// A string's text as bytes.
struct Bytes;

impl<'de> Visitor<'de> for Bytes {
    type Value = Cow<'de, [u8]>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(bytes))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        Ok(Cow::Owned(bytes.to_vec()))
    }
}

/// Without the line's end that Docker's `json-file` writes with it.
fn without_newline(text: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    let kept = |text: &[u8]| text.strip_suffix(b"\n").map_or(text.len(), |text| text.strip_suffix(b"\r").unwrap_or(text).len());
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[..kept(text)]),
        Cow::Owned(mut text) => {
            text.truncate(kept(&text));
            Cow::Owned(text)
        }
    }
}

/// An object of the fields that have a value.
fn object<'f>(fields: impl Iterator<Item = (&'f Field, Option<&'f RawValue>)>) -> Vec<u8> {
    let mut object = Vec::from(b"{");
    for (field, value) in fields {
        let Some(value) = value else { continue };
        member(&mut object, field.name(), value.get().as_bytes());
    }
    object.push(b'}');
    object
}

/// Adds a member to an object that is being written; `value` is JSON.
pub(super) fn member(object: &mut Vec<u8>, name: &str, value: &[u8]) {
    if object.len() > 1 {
        object.push(b',');
    }
    object.extend_from_slice(&string(name));
    object.push(b':');
    object.extend_from_slice(value);
}

/// A text as JSON.
pub(super) fn string(text: &str) -> Vec<u8> {
    serde_json::to_vec(text).expect("a string is JSON")
}

#[cfg(test)]
#[path = "json/tests.rs"]
mod tests;
