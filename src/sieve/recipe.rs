//! What a sieve is made of, and when it is no good.

use std::collections::BTreeSet;

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::hir::{Hir, HirKind};

pub use crate::expression::Case;
use crate::expression::{MAX_NESTING, parse};

/// The longest expression, in bytes.
pub const MAX_EXPRESSION: usize = 1024;

/// The most expressions of one recipe.
pub const MAX_EXPRESSIONS: usize = 16;

/// The most events before and after a match.
pub const MAX_CONTEXT: usize = 100;

/// How large one expression may become when it is made ready, in bytes; what it remembers while it searches has the same bound, for each thread
/// that searches. A Unicode class such as `\w` has about 45 KiB.
pub const MAX_COMPILED: usize = 256 * 1024;

/// How many states all expressions of one recipe may be in at once: their classes, as often as they are repeated, and the letters that are repeated.
/// In the worst case a byte is compared with each of them, which takes about eight nanoseconds for each: half a second for an event of a mebibyte. Nothing
/// can stop a search inside an event, so this bounds how long it may take.
pub const MAX_STATES: u64 = 64;

/// With so few a search needs no more than a look into a table for a byte: all sets of them together fit into what it may remember.
pub const LIGHT_STATES: u64 = 8;

/// What is asked of events. Recipes that ask the same are equal, whatever their order was.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Recipe {
    pub(super) must: Vec<String>,
    pub(super) must_not: Vec<String>,
    pub(super) case: Case,
    /// Empty for all.
    pub(super) types: BTreeSet<String>,
}

/// Why an expression cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("bad value '{text}' for {name}: {why}")]
pub struct BadExpression {
    /// The parameter.
    pub name: &'static str,
    /// The expression.
    pub text: String,
    /// What is wrong, and where.
    pub why: String,
}

impl Recipe {
    /// A recipe in its normal form; `None` if it lets everything pass.
    #[must_use]
    pub fn of(must: Vec<String>, must_not: Vec<String>, case: Case, types: BTreeSet<String>) -> Option<Self> {
        let sorted = |mut texts: Vec<String>| {
            texts.sort_unstable();
            texts.dedup();
            texts
        };
        let mut recipe = Self { must: sorted(must), must_not: sorted(must_not), case, types };
        recipe.must.retain(|text| !text.is_empty()); // found everywhere
        if recipe.must.is_empty() && recipe.must_not.is_empty() {
            recipe.case = Case::Counts;
        }
        (recipe != Self::default()).then_some(recipe)
    }

    /// What it counts for among others: its expressions, or one.
    #[must_use]
    pub(super) fn weight(&self) -> usize {
        (self.must.len() + self.must_not.len()).max(1)
    }
}

/// Makes an expression ready, as long as all of them together do not become too costly.
pub(super) fn ready(name: &'static str, text: &str, case: Case, states: &mut u64) -> Result<Regex, BadExpression> {
    let bad = |why: String| BadExpression { name, text: text.to_owned(), why };
    if text.len() > MAX_EXPRESSION {
        return Err(bad(format!("longer than {MAX_EXPRESSION} bytes")));
    }
    let is_caseless = case == Case::Ignored;
    let parsed = parse(text, case).map_err(|error| bad(error.to_string()))?;
    *states = states.saturating_add(states_of(&parsed, 1));
    if *states > MAX_STATES {
        return Err(bad(format!(
            "too costly: all expressions together may have {MAX_STATES} classes, each as often as it is repeated"
        )));
    }
    let mut builder = RegexBuilder::new(text);
    builder.case_insensitive(is_caseless).nest_limit(MAX_NESTING).size_limit(MAX_COMPILED).dfa_size_limit(MAX_COMPILED);
    builder.build().map_err(|_| bad("too large: repeat less, or use smaller classes".to_owned()))
}

/// How many states an expression may be in at once if it stands there so many times.
fn states_of(expression: &Hir, times: u64) -> u64 {
    let sum = |parts: &[Hir]| parts.iter().fold(0_u64, |sum, part| sum.saturating_add(states_of(part, times)));
    match expression.kind() {
        HirKind::Empty | HirKind::Look(_) => 0,
        // A text that stands there once is in few of its places at a time.
        HirKind::Literal(text) => (times - 1).saturating_mul(text.0.len() as u64),
        HirKind::Class(_) => times,
        HirKind::Repetition(repetition) => {
            let most = u64::from(repetition.max.unwrap_or(repetition.min).max(1));
            states_of(&repetition.sub, times.saturating_mul(most))
        }
        HirKind::Capture(capture) => states_of(&capture.sub, times),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => sum(parts),
    }
}
