//! Regular expressions as users write them: those of the `regex` crate, which take time in proportion to the text, whatever they are.

use regex::bytes::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};
use regex_syntax::Error as Syntax;

/// The most bytes that an expression may take when it is compiled: `\w{1,1000}` is no secret that anybody has.
const MOST: usize = 4 << 20;

/// Why a text is no expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadExpression {
    /// It cannot be read.
    #[error("'{text}' is no regular expression: at character {column}, {what}")]
    Syntax {
        /// As it was given.
        text: String,
        /// Where, from 1.
        column: usize,
        /// What is wrong there.
        what: String,
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
pub fn compile(text: &str) -> Result<Regex, BadExpression> {
    check(text)?;
    RegexBuilder::new(text).size_limit(MOST).build().map_err(|_| BadExpression::Large { text: text.to_owned() })
}

/// Compiles several of which any may match; `None` if there is none.
///
/// # Errors
/// What is wrong with one, and where.
pub fn compile_any(texts: &[String]) -> Result<Option<RegexSet>, BadExpression> {
    texts.iter().try_for_each(|text| compile(text).map(drop))?;
    let whole = || BadExpression::Large { text: texts.join("', '") };
    let set = RegexSetBuilder::new(texts).size_limit(MOST).build().map_err(|_| whole())?;
    Ok((!texts.is_empty()).then_some(set))
}

fn check(text: &str) -> Result<(), BadExpression> {
    let parsed = regex_syntax::ParserBuilder::new().utf8(false).build().parse(text);
    let (column, what) = match parsed {
        Ok(_) => return Ok(()),
        Err(Syntax::Parse(error)) => (place(text, error.span().start.offset), error.kind().to_string()),
        Err(Syntax::Translate(error)) => (place(text, error.span().start.offset), error.kind().to_string()),
        Err(other) => (1, other.to_string()),
    };
    Err(BadExpression::Syntax { text: text.to_owned(), column, what: what.replace('\n', " ") })
}

/// The character at a byte, from 1.
fn place(text: &str, offset: usize) -> usize {
    text.char_indices().take_while(|(at, _)| *at < offset).count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_shows_where() {
        let said = |text: &str| compile(text).unwrap_err().to_string();
        assert_eq!(said("ä(b"), "'ä(b' is no regular expression: at character 2, unclosed group");
        assert_eq!(said("a|*b"), "'a|*b' is no regular expression: at character 3, repetition operator missing expression");
        assert!(said(r"\w{1000}{1000}").contains("too large"), "{}", said(r"\w{1000}{1000}"));
        assert!(said("(?=x)").contains("look-around"), "{}", said("(?=x)"));
        assert!(said("[b-a]").contains("at character 2"), "{}", said("[b-a]"));
        assert!(compile(r"(?-u)\xff").is_ok());
        assert_eq!(compile_any(&[]).unwrap().map(|_| ()), None);
        assert!(compile_any(&["a".into(), "(".into()]).is_err());
    }
}
