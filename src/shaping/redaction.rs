//! `--redact`: what matches is replaced, all of it, whichever of the expressions matches.
//!
//! Expressions see a line as clients are sent it: what is not UTF-8 is U+FFFD before they look, so that `.` matches it as well. Where it would take
//! too long to say what is secret, all that is left of the line is.

use std::borrow::Cow;
use std::ops::Range;

use regex::bytes::Regex;

use super::search::{Expression, Work};

/// What is secret, and what stands in its place.
#[derive(Debug, Clone)]
pub struct Redaction {
    expressions: Vec<Expression>,
    replacement: Box<[u8]>,
}

/// Whether it is known of all of a text what is secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// It is.
    All,
    /// Only of its beginning; the rest is taken for secret.
    InPart,
}

impl Redaction {
    /// Replaces what matches any of these.
    #[must_use]
    pub fn new(expressions: Vec<Regex>, replacement: &str) -> Self {
        let expressions = expressions.into_iter().map(Expression::new).collect();
        Self { expressions, replacement: replacement.as_bytes().into() }
    }

    /// What is looked for.
    #[must_use]
    pub fn expressions(&self) -> &[Expression] {
        &self.expressions
    }

    /// What stands in place of what is secret.
    #[must_use]
    pub fn replacement(&self) -> &[u8] {
        &self.replacement
    }

    /// A text without what is secret.
    #[must_use]
    pub fn apply<'t>(&self, text: &'t [u8]) -> (Cow<'t, [u8]>, Known) {
        let (secrets, known) = self.secrets(text);
        if secrets.is_empty() {
            return (Cow::Borrowed(text), known);
        }
        let mut shown = Vec::with_capacity(text.len());
        let mut next = 0;
        for secret in secrets {
            shown.extend_from_slice(&text[next..secret.start]);
            shown.extend_from_slice(&self.replacement);
            next = secret.end;
        }
        shown.extend_from_slice(&text[next..]);
        (Cow::Owned(shown), known)
    }

    /// What is secret, in order and apart.
    fn secrets(&self, text: &[u8]) -> (Vec<Range<usize>>, Known) {
        let (mut found, mut known) = (Vec::new(), Known::All);
        for expression in &self.expressions {
            if let Some(from) = expression.find_all(text, &mut Work::of(text.len()), &mut found) {
                found.push(from..text.len());
                known = Known::InPart;
            }
        }
        if found.len() > 1 && (self.expressions.len() > 1 || known == Known::InPart) {
            found.sort_unstable_by_key(|range| range.start);
            found.dedup_by(|next, last| {
                let overlaps = next.start < last.end;
                if overlaps {
                    last.end = last.end.max(next.end);
                }
                overlaps
            });
        }
        (found, known)
    }
}

/// A line as clients are sent it.
#[must_use]
pub fn text(data: &[u8]) -> Cow<'_, [u8]> {
    match String::from_utf8_lossy(data) {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redaction(expressions: &[&str]) -> Redaction {
        Redaction::new(expressions.iter().map(|expression| Regex::new(expression).unwrap()).collect(), "[redacted]")
    }

    fn applied(expressions: &[&str], text: &str) -> String {
        String::from_utf8(redaction(expressions).apply(text.as_bytes()).0.into_owned()).unwrap()
    }

    #[test]
    fn what_matches_is_replaced() {
        assert_eq!(applied(&["secret"], "a secret, a secret"), "a [redacted], a [redacted]");
        assert_eq!(applied(&["abcd", "cdef"], "xabcdefx"), "x[redacted]x", "both, as one");
        assert_eq!(applied(&["ab", "cd"], "abcd"), "[redacted][redacted]");
        assert_eq!(applied(&["x*"], "axxb"), "a[redacted]b", "nothing is no secret");
        assert_eq!(applied(&["(?s)BEGIN.*END"], "a BEGIN\nkey\nEND b"), "a [redacted] b");
        assert_eq!(applied(&["\\$0"], "$0 $1"), "[redacted] $1");
    }

    #[test]
    fn bad_bytes_hide_nothing() {
        let data = text(b"password=a\xffb");
        assert_eq!(&*redaction(&["password=.*"]).apply(&data).0, b"[redacted]");
    }

    #[test]
    fn what_would_take_too_long_is_secret() {
        let line = "y1 ".repeat(100_000);
        let (redaction, line) = (redaction(&[".*x|y", "1"]), line.as_bytes());
        let (shown, known) = redaction.apply(line);
        assert_eq!(known, Known::InPart);
        assert!(shown.starts_with(b"[redacted][redacted] ") && shown.ends_with(b"[redacted]"));
        assert!(shown.len() < line.len(), "its end is one mark");
        assert!(!shown.contains(&b'y') && !shown.contains(&b'1'));
        assert_eq!(redaction.apply(&line[..300]).1, Known::All);
    }
}
