//! Which lines belong together: a stack trace is one event.
//!
//! By indentation, a line that begins with a space or a tab goes on with the one before it. So do the two that stack traces have at the margin:
//! `Caused by: ` (Java), and the line that ends a Python traceback, which is the first at the margin after `Traceback (most recent call last):`
//! and its indented lines. An empty line belongs to nothing, but between the tracebacks of chained exceptions (Python): a traceback, an empty line, the
//! sentence that says so, an empty line, and the next traceback are one. By an expression, every line that it does not match goes on.

use regex::bytes::Regex;

/// What begins and what goes on.
#[derive(Debug, Clone)]
pub enum Rule {
    /// What is indented goes on.
    Indent,
    /// What matches begins.
    Start(Regex),
}

/// What the lines of a group have been so far, as far as the rule asks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Within {
    /// Nothing special.
    #[default]
    Lines,
    /// The last line has begun a Python traceback.
    TracebackBegun,
    /// The last line is inside a Python traceback, whose last line stands at the margin.
    Traceback,
    /// The last line has ended a Python traceback.
    TracebackOver,
    /// It is the empty line behind that. It belongs to the group only if the next one says so.
    Blank,
    /// It says that the next traceback belongs to the last one.
    Chained,
    /// It is the empty line behind that. It belongs to the group only if a traceback follows.
    ChainedBlank,
}

impl Within {
    /// Whether the last line belongs to the group only if another one goes on.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Blank | Self::ChainedBlank)
    }
}

/// Begins a Python traceback.
const TRACEBACK: &[u8] = b"Traceback (most recent call last):";

/// Stand between the tracebacks of chained exceptions.
const CHAINED: [&[u8]; 2] = [
    b"During handling of the above exception, another exception occurred:",
    b"The above exception was the direct cause of the following exception:",
];

/// Goes on with a Java stack trace.
const CAUSE: &[u8] = b"Caused by: ";

impl Rule {
    /// What a line that begins a group makes of it.
    #[must_use]
    pub fn begin(&self, line: &[u8]) -> Within {
        match self {
            Self::Indent if line.trim_ascii_end() == TRACEBACK => Within::TracebackBegun,
            Self::Indent | Self::Start(_) => Within::Lines,
        }
    }

    /// What a line makes of a group that it goes on with; `None` if it begins one of its own.
    #[must_use]
    pub fn go_on(&self, within: Within, line: &[u8]) -> Option<Within> {
        let is_indented = matches!(line, [b' ' | b'\t', ..]);
        if let Self::Start(start) = self {
            return (!start.is_match(line)).then_some(Within::Lines);
        }
        match (within, line) {
            (Within::TracebackOver, []) => Some(Within::Blank),
            (Within::Chained, []) => Some(Within::ChainedBlank),
            (_, []) => None,
            (Within::Blank, _) => CHAINED.contains(&line.trim_ascii_end()).then_some(Within::Chained),
            (Within::ChainedBlank, _) => (line.trim_ascii_end() == TRACEBACK).then_some(Within::TracebackBegun),
            (Within::TracebackBegun | Within::Traceback, _) if is_indented => Some(Within::Traceback),
            (Within::Traceback, _) => Some(Within::TracebackOver),
            (within, _) if is_indented => Some(within),
            _ => line.starts_with(CAUSE).then_some(Within::Lines),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(rule: &Rule, text: &str) -> Vec<String> {
        let mut groups: Vec<(String, Within)> = Vec::new();
        for line in text.lines() {
            match groups
                .last_mut()
                .and_then(|(group, within)| rule.go_on(*within, line.as_bytes()).map(|next| (group, within, next)))
            {
                Some((group, within, next)) => {
                    group.push('\n');
                    group.push_str(line);
                    *within = next;
                }
                None => groups.push((line.to_owned(), rule.begin(line.as_bytes()))),
            }
        }
        groups.into_iter().map(|(group, _)| group).collect()
    }

    #[test]
    fn a_java_stack_trace_is_one_group() {
        let trace = "java.lang.RuntimeException: x\n\tat a.B.c(B.java:1)\nCaused by: java.io.IOException: y\n\tat d.E.f(E.java:2)\n\t... 3 more";
        assert_eq!(groups(&Rule::Indent, &format!("before\n{trace}\nafter")), ["before", trace, "after"]);
    }

    #[test]
    fn a_python_traceback_is_one_group() {
        let trace = "Traceback (most recent call last):\n  File \"x.py\", line 1, in <module>\n    f()\nValueError: bad";
        assert_eq!(groups(&Rule::Indent, &format!("before\n{trace}\nafter\n\n  x")), ["before", trace, "after", "\n  x"]);
    }

    #[test]
    fn what_java_suppresses_belongs_to_its_trace() {
        let trace = "a.B: x\n\tat c.d(E.java:1)\n\tSuppressed: f.G: y\n\t\tat h.i(J.java:2)\n\tCaused by: k.L\nCaused by: m.N\n\t... 3 more";
        assert_eq!(groups(&Rule::Indent, &format!("before\n{trace}\nafter")), ["before", trace, "after"]);
    }

    #[test]
    fn an_expression_says_what_begins() {
        let rule = Rule::Start(Regex::new(r"^\d{4}-").unwrap());
        assert_eq!(groups(&rule, "rest\n2026-a\n\nx\n2026-b"), ["rest", "2026-a\n\nx", "2026-b"]);
    }
}
