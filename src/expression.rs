//! Regular expressions as users write them: those of the `regex` crate, which take time in proportion to the text, whatever they are.
//!
//! An expression is read once for its own sake before it is made ready: only its parser can say in one line what is wrong, and where.

use regex::bytes::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};
use regex_syntax::hir::Hir;
use regex_syntax::{Error, ParserBuilder};

/// How deep an expression may be nested.
pub const MAX_NESTING: u32 = 50;

/// Whether capitals count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Case {
    /// They do.
    #[default]
    Counts,
    /// `A` is `a`.
    Ignored,
}

/// What is wrong with an expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}, at character {column}")]
pub struct BadSyntax {
    /// In a line.
    pub what: String,
    /// Where, from 1.
    pub column: usize,
}

/// Reads an expression for bytes.
///
/// # Errors
/// What is wrong with it, and where.
pub fn parse(text: &str, case: Case) -> Result<Hir, BadSyntax> {
    let mut reader = ParserBuilder::new();
    reader.utf8(false).nest_limit(MAX_NESTING).case_insensitive(case == Case::Ignored);
    reader.build().parse(text).map_err(|error| {
        let (what, offset) = match &error {
            Error::Parse(error) => (error.kind().to_string(), error.span().start.offset),
            Error::Translate(error) => (error.kind().to_string(), error.span().start.offset),
            other => (other.to_string(), 0),
        };
        let before = text.char_indices().take_while(|(at, _)| *at < offset).count();
        BadSyntax { what: what.replace('\n', " "), column: before + 1 }
    })
}

/// How much of an expression a message shows on both sides of a place, in characters.
const BESIDE: usize = 60;

/// What a message shows of an expression: what is near a place, from 1.
#[must_use]
pub fn shortened(text: &str, column: usize) -> String {
    let (first, count) = (column.saturating_sub(BESIDE), text.chars().count());
    let shown: String = text.chars().skip(first).take(2 * BESIDE).collect();
    let (before, behind) = (if first > 0 { "…" } else { "" }, if first + 2 * BESIDE < count { "…" } else { "" });
    format!("{before}{shown}{behind}")
}

/// Whether an expression matches where there is nothing.
#[must_use]
pub fn may_match_nothing(text: &str) -> bool {
    parse(text, Case::Counts).is_ok_and(|parsed| parsed.properties().minimum_len() == Some(0))
}

/// The most bytes that an expression may take when it is compiled: `\w{1,1000}` is no secret that anybody has.
const MOST: usize = 4 << 20;

/// Why a text is no expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadExpression {
    /// It cannot be read.
    #[error("'{text}' is no regular expression: {why}")]
    Syntax {
        /// As it was given, near what is wrong.
        text: String,
        /// What is wrong, and where.
        why: BadSyntax,
    },
    /// It is too much.
    #[error("the regular expression '{text}' is too large: compiled it takes more than {} MiB", MOST >> 20)]
    Large {
        /// As it was given, or how it begins.
        text: String,
    },
}

/// Compiles an expression.
///
/// # Errors
/// What is wrong with it, and where.
pub fn compile(text: &str, case: Case) -> Result<Regex, BadExpression> {
    parse(text, case).map_err(|why| BadExpression::Syntax { text: shortened(text, why.column), why })?;
    let mut builder = RegexBuilder::new(text);
    builder.case_insensitive(case == Case::Ignored).size_limit(MOST);
    builder.build().map_err(|_| BadExpression::Large { text: shortened(text, 0) })
}

/// Compiles several of which any may match; `None` if there is none.
///
/// # Errors
/// What is wrong with one, and where.
pub fn compile_any(texts: &[String]) -> Result<Option<RegexSet>, BadExpression> {
    texts.iter().try_for_each(|text| compile(text, Case::Counts).map(drop))?;
    let whole = || BadExpression::Large { text: shortened(&texts.join("', '"), 0) };
    let set = RegexSetBuilder::new(texts).size_limit(MOST).build().map_err(|_| whole())?;
    Ok((!texts.is_empty()).then_some(set))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_shows_where() {
        let said = |text: &str| parse(text, Case::Counts).unwrap_err().to_string();
        assert_eq!(said("ä(b"), "unclosed group, at character 2");
        assert_eq!(said("a|*b"), "repetition operator missing expression, at character 3");
        assert!(said("(?=x)").contains("look-around"), "{}", said("(?=x)"));
        assert!(said("[b-a]").ends_with("at character 2"), "{}", said("[b-a]"));
        assert!(said(&"(".repeat(100)).lines().count() == 1);
        assert!(parse(r"(?-u)\xff", Case::Ignored).is_ok());
    }

    #[test]
    fn a_long_expression_is_shown_where_it_is_wrong() {
        let said = |text: &str| compile(text, Case::Counts).unwrap_err().to_string();
        let long = format!("{}ä(b{}", "x".repeat(5000), "y".repeat(5000));
        let expected =
            format!("'…{}ä(b{}…' is no regular expression: unclosed group, at character 5002", "x".repeat(58), "y".repeat(59));
        assert_eq!(said(&long), expected);
        assert_eq!(
            said(&format!("({}", "x".repeat(200))),
            format!("'({}…' is no regular expression: unclosed group, at character 1", "x".repeat(119))
        );
        assert!(said(&format!(r"\w{{1000}}{{1000}}{}", "x".repeat(5000))).len() < 400);
    }

    #[test]
    fn what_matches_nothing_is_known() {
        for text in ["", "a*", "^", r"\b", "(?m)$", "a|b?", "a{0}"] {
            assert!(may_match_nothing(text), "{text}");
        }
        for text in ["a", "^a", "(", r"a\b", "[[:alpha:]]+"] {
            assert!(!may_match_nothing(text), "{text}");
        }
    }

    #[test]
    fn an_expression_that_cannot_be_made_ready_is_said_with_its_text() {
        let said = |text: &str| compile(text, Case::Counts).unwrap_err().to_string();
        assert_eq!(said("ä(b"), "'ä(b' is no regular expression: unclosed group, at character 2");
        assert!(said(r"\w{1000}{1000}").contains("too large"), "{}", said(r"\w{1000}{1000}"));
        assert!(compile("a", Case::Ignored).unwrap().is_match(b"A") && !compile("a", Case::Counts).unwrap().is_match(b"A"));
        assert!(compile(r"(?-u)\xff", Case::Counts).is_ok());
        assert_eq!(compile_any(&[]).unwrap().map(|_| ()), None);
        assert!(compile_any(&["a".into(), "(".into()]).is_err());
    }
}
