//! Regular expressions as users write them: those of the `regex` crate, which take time in proportion to the text, whatever they are.
//!
//! An expression is read once for its own sake before it is made ready: only its parser can say in one line what is wrong, and where.

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
}
