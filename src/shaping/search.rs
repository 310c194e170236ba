//! Finding all that an expression matches in one text, for no more than a few passes over it.
//!
//! One search is linear, but all searches together need not be: `.*x|y` runs to the end of the text before it is content with the next `y`. So the
//! work is counted, in bytes looked at. At first that is a guess: no search looks further than to the end, or than a match can be long. When so much
//! has been guessed that it may be wrong, an automaton of the same expression runs ahead of each search and counts.
//! Where the work is used up nothing more is known of the text, and its reader has to take all that is left for found.

use std::ops::Range;
use std::sync::OnceLock;

use regex::bytes::Regex;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::util::syntax;
use regex_automata::{Input, nfa::thompson};

/// How many times the length of a text its searches may look at, as far as that is guessed.
const GUESSED: u64 = 4;

/// The same, as it is counted then; the count looks at as much again.
const COUNTED: u64 = 8;

/// The guess that any text is worth, in bytes: less takes no time that matters.
const SMALL: u64 = 64 << 10;

/// An expression whose searches are counted.
#[derive(Debug, Clone)]
pub struct Expression {
    regex: Regex,
    /// How long a match can be, in bytes; `None` if there is no end.
    longest: Option<usize>,
    /// What counts.
    automaton: OnceLock<Option<DFA>>,
}

/// What the searches in one text may still look at, in bytes.
#[derive(Debug, Default)]
pub struct Work {
    guessed: u64,
    counted: u64,
    /// All that was looked at, at most.
    spent: u64,
    memory: Option<Cache>,
}

/// Nothing more may be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsedUp;

impl Work {
    /// For a text of so many bytes.
    #[must_use]
    pub fn of(length: usize) -> Self {
        let mut work = Self { guessed: SMALL, ..Self::default() };
        work.grow(length);
        work
    }

    /// The text has become so much longer.
    pub fn grow(&mut self, length: usize) {
        self.guessed = self.guessed.saturating_add(GUESSED.saturating_mul(length as u64));
        self.counted = self.counted.saturating_add(COUNTED.saturating_mul(length as u64));
    }

    /// All that was looked at, at most.
    #[must_use]
    pub fn spent(&self) -> u64 {
        self.spent
    }

    /// Takes what a search has looked at by a guess.
    fn guess(&mut self, bytes: usize) {
        self.guessed = self.guessed.saturating_sub(bytes as u64);
        self.spent += bytes as u64;
    }

    fn is_guessable(&self, bytes: usize) -> bool {
        self.guessed >= bytes as u64
    }
}

impl Expression {
    /// Of this one.
    #[must_use]
    pub fn new(regex: Regex) -> Self {
        let parsed = regex_syntax::ParserBuilder::new().utf8(false).build().parse(regex.as_str());
        let longest = parsed.ok().and_then(|parsed| parsed.properties().maximum_len());
        Self { regex, longest, automaton: OnceLock::new() }
    }

    /// Adds all that it matches. If that is too much work, where nothing more is known from.
    pub fn find_all(&self, text: &[u8], work: &mut Work, found: &mut Vec<Range<usize>>) -> Option<usize> {
        let mut from = 0;
        let mut is_guessed = true;
        for range in self.regex.find_iter(text).map(|found| found.range()) {
            work.guess(self.looked_at(text, from, Some(range.end)));
            from = range.end;
            if !range.is_empty() {
                found.push(range);
            }
            is_guessed = work.is_guessable(text.len() - from);
            if !is_guessed {
                break;
            }
        }
        if is_guessed {
            return None;
        }
        loop {
            match self.find(text, from, work) {
                Ok(Some(range)) if range.start < text.len() => {
                    from = range.end.max(range.start + 1);
                    if !range.is_empty() {
                        found.push(range);
                    }
                }
                Ok(_) => return None,
                Err(UsedUp) => return Some(from),
            }
        }
    }

    /// The first match from here on.
    ///
    /// # Errors
    /// It is too much work to say.
    pub fn find(&self, text: &[u8], from: usize, work: &mut Work) -> Result<Option<Range<usize>>, UsedUp> {
        let is_guessed = work.is_guessable(text.len() - from);
        if !is_guessed {
            self.count(text, from, work)?;
        }
        let found = self.regex.find_at(text, from).map(|found| found.range());
        if is_guessed {
            work.guess(self.looked_at(text, from, found.as_ref().map(|found| found.end)));
        }
        Ok(found)
    }

    /// How much a search that ended there has looked at, at most.
    fn looked_at(&self, text: &[u8], from: usize, end: Option<usize>) -> usize {
        let most = text.len() - from;
        match (self.longest, end) {
            (Some(longest), Some(end)) => (end - from).saturating_add(longest).min(most),
            _ => most,
        }
    }

    /// Counts what a search from here on will look at.
    fn count(&self, text: &[u8], from: usize, work: &mut Work) -> Result<(), UsedUp> {
        let all = (text.len() - from) as u64;
        let may = work.counted.min(all);
        let bytes = self.run_ahead(text, from, may, work).unwrap_or(all);
        work.spent += 2 * bytes.min(work.counted);
        work.counted = work.counted.checked_sub(bytes).ok_or(UsedUp)?;
        Ok(())
    }

    /// How many bytes it takes the automaton to be sure, or one more than it may; `None` if it cannot be told.
    fn run_ahead(&self, text: &[u8], from: usize, may: u64, work: &mut Work) -> Option<u64> {
        let automaton = self.automaton.get_or_init(|| automaton(self.regex.as_str())).as_ref()?;
        let memory = work.memory.get_or_insert_with(|| automaton.create_cache());
        let mut state = automaton.start_state_forward(memory, &Input::new(text).span(from..text.len())).ok()?;
        let mut bytes = 0;
        for byte in &text[from..] {
            if bytes == may {
                return Some(may + 1);
            }
            state = automaton.next_state(memory, state, *byte).ok()?;
            bytes += 1;
            if state.is_dead() {
                break;
            }
            if state.is_quit() {
                return None;
            }
        }
        Some(bytes)
    }
}

/// The automaton of an expression that runs as a search does.
fn automaton(text: &str) -> Option<DFA> {
    let mut builder = DFA::builder();
    builder.configure(DFA::config().unicode_word_boundary(true));
    builder.syntax(syntax::Config::new().utf8(false)).thompson(thompson::Config::new().utf8(false));
    builder.build(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MEBIBYTE: usize = 1 << 20;

    fn all(expression: &str, text: &[u8]) -> (Vec<Range<usize>>, Option<usize>, u64) {
        let (mut work, mut found) = (Work::of(text.len()), Vec::new());
        let unknown = Expression::new(Regex::new(expression).unwrap()).find_all(text, &mut work, &mut found);
        (found, unknown, work.spent())
    }

    #[test]
    fn a_long_line_costs_a_small_multiple_of_its_length_whatever_the_expression() {
        let line = "y1 ".repeat(MEBIBYTE / 3).into_bytes();
        let most = (GUESSED + 2 * COUNTED + 2) * line.len() as u64 + SMALL;
        for expression in [".*x|y", r"(?:.*x|1)\b", ".{0,900}x|y", r"\w+.*z|1", "x"] {
            let (found, unknown, spent) = all(expression, &line);
            assert!(spent <= most, "{expression}: {spent} of {most}");
            assert!(unknown.is_some_and(|from| from < line.len()) || expression == "x", "{expression}: {} found", found.len());
        }
    }

    #[test]
    fn usual_expressions_find_all_of_a_long_line() {
        let line = "user=alice password=hunter2 a@b.example 10.0.0.1 ".repeat(MEBIBYTE / 49).into_bytes();
        for expression in [r"password=\S+", r"\S+@\S+", r"\d+\.\d+\.\d+\.\d+", "[a-z]+", r"\w+=\w*", "(?i)alice|HUNTER.", "=.*? "] {
            let (found, unknown, _) = all(expression, &line);
            let model: Vec<_> = Regex::new(expression).unwrap().find_iter(&line).map(|found| found.range()).collect();
            assert_eq!((found.len(), unknown), (model.len(), None), "{expression}");
            assert!(found == model);
        }
    }

    proptest! {
        #[test]
        fn what_is_found_is_what_the_expression_finds(
            text in "[abxyé ]{0,60}",
            expression in prop_oneof![
                Just("a+b?"), Just(".*x|y"), Just("b*"), Just(r"\ba"), Just("(?:ab|abab)x?"), Just("x$|a"), Just("é.")
            ],
            guessed in 0..200_u64,
        ) {
            let (mut work, mut found) = (Work { guessed, counted: 1 << 20, ..Work::default() }, Vec::new());
            let unknown = Expression::new(Regex::new(expression).unwrap()).find_all(text.as_bytes(), &mut work, &mut found);
            let model = Regex::new(expression).unwrap();
            let model: Vec<_> = model.find_iter(text.as_bytes()).map(|found| found.range()).filter(|range| !range.is_empty()).collect();
            prop_assert_eq!((found, unknown), (model, None));
        }
    }
}
