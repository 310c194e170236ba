//! What is asked of streams beside their URLs, in the words of `/events`: a place is one of a question, and says nothing of another.
//!
//! Who asks for other lines from the same place on would never get those that the first question has left out, and nobody would say so.

use std::collections::BTreeSet;
use std::fmt;

use super::address::encoded;
use crate::config::cat::Cat;

/// What is asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Question {
    /// Where a first run begins: pairs of name and value, as in a query.
    begin: Vec<String>,
    /// Which lines are wanted: the same, in order, each once.
    lines: BTreeSet<String>,
}

/// How a question differs from an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// Not so that it matters.
    None,
    /// It begins elsewhere, but it is known where to go on.
    Begin,
    /// It wants other lines.
    Lines,
}

impl Question {
    /// What the options ask.
    #[must_use]
    pub fn of(asked: &Cat) -> Self {
        let pair = |name: &str, value: &str| format!("{name}={}", encoded(value.as_bytes()));
        let begin = asked.tail.iter().map(|tail| pair("tail", tail)).chain(asked.since.iter().map(|since| pair("since", since)));
        let channels = asked.channel.iter().map(|name| pair("channel", name.as_str()));
        let wanted = asked.grep.iter().map(|regex| pair("grep", regex));
        let unwanted = asked.grep_v.iter().map(|regex| pair("grep-v", regex));
        let case = asked.ignore_case.then(|| pair("i", "1"));
        Self { begin: begin.collect(), lines: channels.chain(wanted).chain(unwanted).chain(case).collect() }
    }

    /// Reads what [`Display`](fmt::Display) has written. `None`: nobody has.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let mut question = Self::default();
        for pair in text.split('&').filter(|_| text != "-") {
            let (name, value) = pair.split_once('=')?;
            value.bytes().all(|byte| byte.is_ascii_graphic()).then_some(())?;
            match name {
                "tail" | "since" => question.begin.push(pair.to_owned()),
                "channel" | "grep" | "grep-v" | "i" => _ = question.lines.insert(pair.to_owned()),
                _ => return None,
            }
        }
        Some(question)
    }

    /// How this question differs from the one that was asked before.
    #[must_use]
    pub fn differs(&self, before: &Self) -> Difference {
        match () {
            () if self.lines != before.lines => Difference::Lines,
            () if !self.begin.is_empty() && self.begin != before.begin => Difference::Begin,
            () => Difference::None,
        }
    }

    /// Which lines are wanted, for people.
    #[must_use]
    pub fn wanted(&self) -> String {
        let lines: Vec<_> = self.lines.iter().map(String::as_str).collect();
        if lines.is_empty() { "all lines".to_owned() } else { format!("'{}'", lines.join("&")) }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs: Vec<_> = self.begin.iter().chain(&self.lines).map(String::as_str).collect();
        if pairs.is_empty() { f.write_str("-") } else { f.write_str(&pairs.join("&")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn asked(tail: Option<&str>, channel: &[&str], grep: &[&str]) -> Question {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let channel = channel.iter().map(|name| name.parse().unwrap()).collect();
        Question::of(&Cat { tail: tail.map(str::to_owned), channel, grep: owned(grep), ..Cat::default() })
    }

    #[test]
    fn other_lines_are_another_question_and_another_beginning_is_not() {
        let first = asked(Some("all"), &["a", "b"], &["x", "y z"]);
        assert_eq!(first.to_string(), "tail=all&channel=a&channel=b&grep=x&grep=y%20z");
        assert_eq!(asked(Some("all"), &["b", "a", "b"], &["y z", "x"]).differs(&first), Difference::None, "order makes none");
        assert_eq!(asked(None, &["a", "b"], &["x", "y z"]).differs(&first), Difference::None);
        assert_eq!(asked(Some("3"), &["a", "b"], &["x", "y z"]).differs(&first), Difference::Begin);
        assert_eq!(asked(Some("all"), &["a"], &["x", "y z"]).differs(&first), Difference::Lines);
        let case = Question::of(&Cat { ignore_case: true, ..Cat::default() });
        assert_eq!((case.differs(&Question::default()), case.wanted()), (Difference::Lines, "'i=1'".to_owned()));
        assert_eq!(Question::default().wanted(), "all lines");
    }

    #[test]
    fn what_nobody_has_written_is_none() {
        for text in ["", "x", "x=y", "grep=a b", "grep", "tail=1&"] {
            assert_eq!(Question::read(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_question_comes_back(tail in proptest::option::of(".*"), grep: Vec<String>, grep_v: Vec<String>, ignore_case: bool) {
            let question = Question::of(&Cat { tail, grep, grep_v, ignore_case, ..Cat::default() });
            prop_assert_eq!(Question::read(&question.to_string()), Some(question));
        }
    }
}
