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

/// The most bytes that an expression may take when it is compiled: `\w{1,1000}` is no secret that anybody has.
const MOST: usize = 4 << 20;

/// Why a text is no expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadExpression {
    /// It cannot be read.
    #[error("'{text}' is no regular expression: {why}")]
    Syntax {
        /// As it was given.
        text: String,
        /// What is wrong, and where.
        why: BadSyntax,
    },
    /// It is too much.
    #[error("the regular expression '{text}' is too large: compiled it takes more than {} MiB", MOST >> 20)]
    Large {
        /// As it was given.
        text: String,
    },
}

/// Compiles an expression.
///
/// # Errors
/// What is wrong with it, and where.
pub fn compile(text: &str, case: Case) -> Result<Regex, BadExpression> {
    parse(text, case).map_err(|why| BadExpression::Syntax { text: text.to_owned(), why })?;
    let mut builder = RegexBuilder::new(text);
    builder.case_insensitive(case == Case::Ignored).size_limit(MOST);
    builder.build().map_err(|_| BadExpression::Large { text: text.to_owned() })
}

/// Compiles several of which any may match; `None` if there is none.
///
/// # Errors
/// What is wrong with one, and where.
pub fn compile_any(texts: &[String]) -> Result<Option<RegexSet>, BadExpression> {
    texts.iter().try_for_each(|text| compile(text, Case::Counts).map(drop))?;
    let whole = || BadExpression::Large { text: texts.join("', '") };
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
