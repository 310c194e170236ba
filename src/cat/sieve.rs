//! Which lines are wanted: what the server was asked to leave out is left out here as well, so that an older one gives the same.

use regex::bytes::Regex;

use crate::expression::{BadExpression, Case, compile};

/// Regular expressions that a line must match, and those that it may not.
#[derive(Debug, Clone, Default)]
pub struct Sieve {
    all_of: Vec<Regex>,
    none_of: Vec<Regex>,
}

impl Sieve {
    /// Lines that match each of the first and none of the others.
    pub fn new(all_of: &[String], none_of: &[String], case: Case) -> Result<Self, BadExpression> {
        let compiled = |texts: &[String]| texts.iter().map(|text| compile(text, case)).collect::<Result<Vec<_>, _>>();
        Ok(Self { all_of: compiled(all_of)?, none_of: compiled(none_of)? })
    }

    /// Whether a line is wanted.
    #[must_use]
    pub fn passes(&self, line: &[u8]) -> bool {
        self.all_of.iter().all(|regex| regex.is_match(line)) && !self.none_of.iter().any(|regex| regex.is_match(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sieve(all_of: &[&str], none_of: &[&str], case: Case) -> Sieve {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        Sieve::new(&owned(all_of), &owned(none_of), case).unwrap()
    }

    #[test]
    fn all_must_match_and_none_may() {
        let both = sieve(&["a", "b$"], &["x"], Case::Counts);
        assert!(both.passes(b"ab") && !both.passes(b"a") && !both.passes(b"axb") && !both.passes(b"AB"));
        assert!(sieve(&["a"], &[], Case::Ignored).passes(b"A"));
        assert!(Sieve::default().passes(b"\xff"));
    }

    #[test]
    fn a_bad_expression_says_what_and_where() {
        let bad = |text: &str| Sieve::new(&[text.to_owned()], &[], Case::Counts).unwrap_err().to_string();
        assert_eq!(bad("ab(c"), "'ab(c' is no regular expression: unclosed group, at character 3");
        assert!(bad("a{999999}{999999}").lines().count() == 1);
    }
}
