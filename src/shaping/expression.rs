//! The expressions of options, made ready.

use regex::bytes::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};

use crate::expression::{BadSyntax, Case, parse};

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
pub fn compile(text: &str) -> Result<Regex, BadExpression> {
    parse(text, Case::Counts).map_err(|why| BadExpression::Syntax { text: text.to_owned(), why })?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_shows_where() {
        let said = |text: &str| compile(text).unwrap_err().to_string();
        assert_eq!(said("ä(b"), "'ä(b' is no regular expression: unclosed group, at character 2");
        assert!(said(r"\w{1000}{1000}").contains("too large"), "{}", said(r"\w{1000}{1000}"));
        assert!(compile(r"(?-u)\xff").is_ok());
        assert_eq!(compile_any(&[]).unwrap().map(|_| ()), None);
        assert!(compile_any(&["a".into(), "(".into()]).is_err());
    }
}
