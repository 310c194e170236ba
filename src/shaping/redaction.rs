//! `--redact`: what matches is replaced, all of it, whichever of the expressions matches.
//!
//! Expressions see a line as clients are sent it: what is not UTF-8 is U+FFFD before they look, so that `.` matches it as well.

use std::borrow::Cow;
use std::ops::Range;

use regex::bytes::Regex;

/// What is secret, and what stands in its place.
#[derive(Debug, Clone)]
pub struct Redaction {
    expressions: Vec<Regex>,
    replacement: Box<[u8]>,
}

/// How many of the longest lines are kept together for what is secret across their seams.
const LONGEST: usize = 4;

/// Where a text of two parts is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Between them.
    AtSeam,
    /// Not yet: they are one.
    Nowhere,
    /// They are too long to be one: here, before what is secret across the seam, or behind it if there is nothing before.
    At(usize),
}

impl Redaction {
    /// Replaces what matches any of these.
    #[must_use]
    pub fn new(expressions: Vec<Regex>, replacement: &str) -> Self {
        Self { expressions, replacement: replacement.as_bytes().into() }
    }

    /// A text without what is secret.
    #[must_use]
    pub fn apply<'t>(&self, text: &'t [u8]) -> Cow<'t, [u8]> {
        let secrets = self.secrets(text);
        if secrets.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut shown = Vec::with_capacity(text.len());
        let mut next = 0;
        for secret in secrets {
            shown.extend_from_slice(&text[next..secret.start]);
            shown.extend_from_slice(&self.replacement);
            next = secret.end;
        }
        shown.extend_from_slice(&text[next..]);
        Cow::Owned(shown)
    }

    /// Where a text of two parts is cut, so that nothing secret lies across.
    #[must_use]
    pub fn cut(&self, text: &[u8], seam: usize, max_line: usize) -> Cut {
        let secrets = self.secrets(text);
        match secrets.iter().find(|secret| secret.start < seam && seam < secret.end) {
            None => Cut::AtSeam,
            Some(_) if text.len() <= max_line.saturating_mul(LONGEST) => Cut::Nowhere,
            Some(secret) => Cut::At(if secret.start > 0 { secret.start } else { secret.end }),
        }
    }

    /// What is secret, in order and apart.
    fn secrets(&self, text: &[u8]) -> Vec<Range<usize>> {
        let found = self.expressions.iter().flat_map(|expression| expression.find_iter(text));
        let mut found: Vec<_> = found.map(|found| found.range()).filter(|range| !range.is_empty()).collect();
        if found.len() > 1 && self.expressions.len() > 1 {
            found.sort_unstable_by_key(|range| range.start);
            found.dedup_by(|next, last| {
                let overlaps = next.start < last.end;
                if overlaps {
                    last.end = last.end.max(next.end);
                }
                overlaps
            });
        }
        found
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
        String::from_utf8(redaction(expressions).apply(text.as_bytes()).into_owned()).unwrap()
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
        assert_eq!(&*redaction(&["password=.*"]).apply(&data), b"[redacted]");
    }

    #[test]
    fn a_cut_lies_across_no_secret() {
        let cut = |text: &str, seam| redaction(&["s+x?"]).cut(text.as_bytes(), seam, 1);
        assert_eq!((cut("abcd", 2), cut("asxb", 2), cut("ssbb", 2)), (Cut::AtSeam, Cut::Nowhere, Cut::AtSeam));
        assert_eq!((cut("absssc", 4), cut("sssssx", 4)), (Cut::At(2), Cut::At(6)), "too long for one");
    }
}
