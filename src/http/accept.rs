//! As what a client wants a stream: the header `Accept` (RFC 9110, 12.5.1).
//!
//! Of the three forms that one is sent which the client likes best. A form has the quality of the range that names it most closely. Of those that are
//! liked as much the one comes first that is named more closely, then the one that is named earlier; an event stream comes before those that are
//! named by nothing else. Nobody is refused: who likes none of them gets an event stream.

use std::cmp::Reverse;

use hyper::HeaderMap;
use hyper::header::ACCEPT;

use super::query::Format;

/// What there is, the most usual first.
const FORMS: [(Format, &str, &str); 3] =
    [(Format::EventStream, "text", "event-stream"), (Format::Text, "text", "plain"), (Format::Ndjson, "application", "x-ndjson")];

/// An entry of the header.
#[derive(Debug, PartialEq, Eq)]
struct Range {
    kind: String,
    subtype: String,
    /// In thousandths.
    quality: u16,
}

/// How closely a form is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Closeness {
    All,
    Kind,
    Name,
}

/// The form of a stream that the client likes best.
#[must_use]
pub fn format(headers: &HeaderMap) -> Format {
    let ranges = ranges(headers);
    let judged = FORMS.iter().filter_map(|(format, kind, subtype)| {
        let (closeness, place, range) = closest(&ranges, kind, subtype)?;
        (range.quality > 0).then_some((Reverse(range.quality), Reverse(closeness), place, *format))
    });
    // Of equals the first is taken, in the order of `FORMS`.
    judged.min_by_key(|(quality, closeness, place, _)| (*quality, *closeness, *place)).map_or(Format::EventStream, |best| best.3)
}

/// Whether the client says that it reads event streams.
#[must_use]
pub fn names_event_stream(headers: &HeaderMap) -> bool {
    closest(&ranges(headers), "text", "event-stream")
        .is_some_and(|(closeness, _, range)| closeness == Closeness::Name && range.quality > 0)
}

/// The range that names a form most closely, and its place.
fn closest<'a>(ranges: &'a [Range], kind: &str, subtype: &str) -> Option<(Closeness, usize, &'a Range)> {
    let named = ranges.iter().enumerate().filter_map(|(place, range)| {
        let closeness = match (&*range.kind, &*range.subtype) {
            (of, name) if of == kind && name == subtype => Closeness::Name,
            (of, "*") if of == kind => Closeness::Kind,
            ("*", "*") => Closeness::All,
            _ => return None,
        };
        Some((closeness, place, range))
    });
    named.min_by_key(|(closeness, place, _)| (Reverse(*closeness), *place))
}

fn ranges(headers: &HeaderMap) -> Vec<Range> {
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| split(value, ',')).filter_map(range).collect()
}

/// An entry; `None` if it is not one. Parameters but the quality make no difference here, and a quality that is none counts as none.
fn range(entry: &str) -> Option<Range> {
    let mut parts = split(entry, ';').map(str::trim);
    let (kind, subtype) = parts.next()?.split_once('/')?;
    let quality = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then(|| thousandths(value.trim()))
    });
    Some(Range {
        kind: kind.to_ascii_lowercase(),
        subtype: subtype.to_ascii_lowercase(),
        quality: quality.flatten().unwrap_or(1000),
    })
}

/// `0`, `0.25`, `1.000`: at most three digits behind the point, and at most 1.
fn thousandths(quality: &str) -> Option<u16> {
    let (whole, digits) = quality.split_once('.').unwrap_or((quality, ""));
    let is_short = digits.len() <= 3 && digits.bytes().all(|digit| digit.is_ascii_digit());
    let fraction: u16 = if is_short { format!("{digits:0<3}").parse().ok()? } else { return None };
    match whole {
        "0" => Some(fraction),
        "1" if fraction == 0 => Some(1000),
        _ => None,
    }
}

/// Parts between separators that do not stand in a quoted string.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    text.split(move |c| {
        let is_plain = !is_escaped;
        is_escaped = is_quoted && is_plain && c == '\\';
        if c == '"' && is_plain {
            is_quoted = !is_quoted;
        }
        c == separator && !is_quoted
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn headers(values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (ACCEPT, value.parse().unwrap())).collect()
    }

    #[test]
    fn the_form_is_sent_that_is_liked_best() {
        for (accept, expected) in [
            ("text/plain", Format::Text),
            ("text/plain;q=0.9, text/event-stream;q=0.5", Format::Text),
            ("TEXT/Plain; Q=0.9, text/event-stream;q=0.95", Format::EventStream),
            ("text/event-stream;Q=0.1, text/plain;q=0.2", Format::Text),
            ("application/x-ndjson", Format::Ndjson),
            ("application/x-ndjson, text/plain;q=0.5", Format::Ndjson),
            ("application/x-ndjson;q=0.5, text/plain", Format::Text),
            // As much as another: the one that is named more closely, then earlier.
            ("application/x-ndjson, text/plain", Format::Ndjson),
            ("text/plain, application/x-ndjson", Format::Text),
            ("application/x-ndjson, text/event-stream", Format::Ndjson),
            ("text/event-stream, application/x-ndjson", Format::EventStream),
            ("application/x-ndjson, */*", Format::Ndjson),
            ("*/*, application/x-ndjson", Format::Ndjson),
            ("application/json, text/plain, */*", Format::Text),
            ("text/*;q=0.9, text/event-stream;q=0.1", Format::Text),
            ("*/*, text/event-stream;q=0", Format::Text),
            ("application/*", Format::Ndjson),
            ("text/plain;q=0, */*;q=0.1", Format::EventStream),
            // Quoted, and not what it looks like.
            ("text/plain;x=\"a,b;q=0\\\", text/event-stream\";q=0.5, application/x-ndjson;q=0.4", Format::Text),
        ] {
            assert_eq!(format(&headers(&[accept])), expected, "{accept}");
        }
        for other in
            ["", "*/*", "text/*", "text/event-stream, text/plain", "application/json", "text/html, */*;q=0.1", "x", "*/*;q=0"]
        {
            assert_eq!(format(&headers(&[other])), Format::EventStream, "{other}");
        }
        assert_eq!(format(&headers(&["text/event-stream;q=0.3", "text/plain;q=0.4"])), Format::Text, "two headers are one list");
        assert_eq!(format(&HeaderMap::new()), Format::EventStream);
    }

    #[test]
    fn qualities_are_read_as_the_standard_has_them() {
        for (text, expected) in [("1", 1000), ("1.", 1000), ("1.000", 1000), ("0", 0), ("0.5", 500), ("0.25", 250), ("0.001", 1)] {
            assert_eq!(thousandths(text), Some(expected), "{text}");
        }
        for bad in ["", ".5", "1.1", "2", "-1", "0.1234", "nan", "inf", "0,5", "+1", "1e0"] {
            assert_eq!(thousandths(bad), None, "{bad}");
        }
    }

    #[test]
    fn who_reads_event_streams_says_so() {
        assert!(names_event_stream(&headers(&["text/html, Text/Event-Stream;q=0.1"])));
        for other in ["*/*", "text/*", "text/event-stream;q=0", "application/json;x=\"text/event-stream\""] {
            assert!(!names_event_stream(&headers(&[other])), "{other}");
        }
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic(accept in "[ -~]*", parts in "(text/(plain|\\*)|[;,=qQ\"\\\\]|0\\.[0-9]|\\*/\\*| ){0,12}") {
            for value in [accept, parts] {
                let _ = (format(&headers(&[&value])), names_event_stream(&headers(&[&value])));
            }
        }
    }
}
