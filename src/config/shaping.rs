//! What becomes of events, as it is said.
#![allow(clippy::doc_markdown, rustdoc::broken_intra_doc_links, reason = "the help is plain text")]

use std::sync::Arc;

use clap::Args;

use super::{ConfigError, invalid, value};
use crate::expression::{self, BadExpression, Case};
use crate::shaping::rate::Rate;
use crate::shaping::redaction::Redaction;
use crate::shaping::{Escapes, Shaping};

/// What stands in place of what is secret, where nobody says otherwise.
const REDACTED: &str = "[redacted]";

/// What is said of shaping.
#[derive(Debug, Clone, Default, PartialEq, Args)]
pub struct ShapingLayer {
    /// Take out colours, links and all else that only a terminal understands [default: off]
    #[arg(long, num_args = 0..=1, require_equals = true, value_name = "no", default_missing_value = "yes", value_parser = value::switch)]
    pub strip_ansi: Option<bool>,

    /// Replace what matches, up to the length of --max-line, before anything is stored or sent; may be repeated [default: none]
    #[arg(long, value_name = "REGEX")]
    pub redact: Vec<String>,

    /// What stands in its place [default: [redacted]]
    #[arg(long, value_name = "TEXT")]
    pub redact_with: Option<String>,

    /// Only events that match; may be repeated, and one match is enough [default: all]
    #[arg(long = "match", value_name = "REGEX")]
    pub matching: Vec<String>,

    /// No events that match; may be repeated [default: none]
    #[arg(long = "drop", value_name = "REGEX")]
    pub dropping: Vec<String>,

    /// At most so many events of each file or stream: 100 (a second), 6000/m, 10/h; a gap says how many were left out [default: no limit]
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub rate_limit: Option<Rate>,
}

fn rate(text: &str) -> Result<Rate, String> {
    text.parse().map_err(|error: crate::shaping::rate::BadRate| error.to_string())
}

impl ShapingLayer {
    /// These words, and where they say nothing those of `below`.
    pub(super) fn over(self, below: &Self) -> Self {
        let or = |own: Vec<String>, below: &Vec<String>| if own.is_empty() { below.clone() } else { own };
        Self {
            strip_ansi: self.strip_ansi.or(below.strip_ansi),
            redact: or(self.redact, &below.redact),
            redact_with: self.redact_with.or_else(|| below.redact_with.clone()),
            matching: or(self.matching, &below.matching),
            dropping: or(self.dropping, &below.dropping),
            rate_limit: self.rate_limit.or(below.rate_limit),
        }
    }

    /// What it means.
    pub(super) fn check(&self) -> Result<Arc<Shaping>, ConfigError> {
        if self.redact_with.is_some() && self.redact.is_empty() {
            return Err(invalid("--redact-with stands in place of what --redact finds, and there is none", "--redact REGEX"));
        }
        let expressions = self.redact.iter().map(|text| expressed("--redact", expression::compile(text, Case::Counts)));
        let expressions = expressions.collect::<Result<Vec<_>, _>>()?;
        if let Some(text) = self.redact.iter().find(|text| expression::may_match_nothing(text)) {
            let what =
                format!("--redact: '{}' matches the empty text as well, which hides nothing", expression::shortened(text, 0));
            return Err(invalid(what, "an expression that needs at least a character: x+ and not x*"));
        }
        let replacement = self.redact_with.as_deref().unwrap_or(REDACTED);
        Ok(Arc::new(Shaping {
            escapes: if self.strip_ansi == Some(true) { Escapes::Stripped } else { Escapes::Kept },
            redaction: (!expressions.is_empty()).then(|| Redaction::new(expressions, replacement)),
            matching: expressed("--match", expression::compile_any(&self.matching))?,
            dropping: expressed("--drop", expression::compile_any(&self.dropping))?,
            rate: self.rate_limit,
        }))
    }
}

/// What an option's expression has been compiled to.
pub(super) fn expressed<T>(option: &str, compiled: Result<T, BadExpression>) -> Result<T, ConfigError> {
    compiled.map_err(|error| {
        let hint = match error {
            BadExpression::Syntax { .. } => {
                "the syntax is that of https://docs.rs/regex, which has no look-around and no back-references"
            }
            BadExpression::Large { .. } => "smaller counts in {}, or (?-u) in front",
        };
        invalid(format!("{option}: {error}"), hint)
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::config::cli::Arguments;
    use crate::pipeline::middle::Recipe;

    fn check(arguments: &[&str]) -> Result<Recipe, String> {
        let arguments = Arguments::try_parse_from([&["sse-bridge"], arguments].concat()).map_err(|error| error.to_string())?;
        let layer = arguments.into_layer().way;
        let said = |error| match error {
            ConfigError::Invalid { what, hint } => format!("{what}; {hint}"),
            ConfigError::Resolve(other) => other.to_string(),
        };
        let shaping = layer.shaping.check().map_err(said)?;
        Ok(Recipe { mapping: layer.mapping.check(layer.event_type.as_ref(), &shaping).map_err(said)?, shaping })
    }

    #[test]
    fn who_says_nothing_has_lines_as_they_stand() {
        assert!(check(&[]).unwrap().is_plain());
        assert!(check(&["--event-type=x"]).unwrap().is_plain());
        for said in ["--format=null", "--multiline=indent", "--strip-ansi", "--redact=x", "--match=x", "--drop=x", "--rate-limit=5"]
        {
            assert!(!check(&[said]).unwrap().is_plain(), "{said}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused_in_one_line() {
        for (arguments, words) in [
            (&["--redact=a(b"][..], &["--redact: 'a(b'", "at character 2", "unclosed group"][..]),
            (&["--match=[z-a]"], &["--match", "at character 2"]),
            (&["--drop=*"], &["--drop", "at character 1"]),
            (&["--multiline-start=(?P<n"], &["--multiline-start", "at character"]),
            (&[r"--match=\w{1000}{1000}"], &["--match", "too large"]),
            (&["--redact-with=x"], &["--redact-with", "--redact REGEX"]),
            (&["--redact="], &["--redact: ''", "empty text", "x+ and not x*"]),
            (&["--redact=a", "--redact=b*|^"], &["--redact: 'b*|^'", "empty text"]),
            (&["--data-field=log"], &["--data-field", "--format json"]),
            (&["--format=text", "--only-fields=a"], &["--only-fields", "--format json"]),
            (&["--format=json", "--only-fields=a", "--data-field=b"], &["--data-field", "--only-fields"]),
            (&["--format=cri", "--data-field=level"], &["time, stream and log"]),
            (&["--format=sse", "--multiline=indent"], &["--multiline", "whole"]),
            (&["--multiline=indent", "--multiline-start=x"], &["--multiline-start"]),
            (&["--multiline-wait=1s"], &["--multiline-wait", "--multiline indent"]),
            (&["--multiline=indent", "--multiline-wait=1ms"], &["--multiline-wait", "10ms"]),
        ] {
            let line = check(arguments).expect_err("it is refused");
            assert!(words.iter().all(|word| line.contains(word)) && line.lines().count() == 1, "{arguments:?}: {line}");
        }
        for arguments in [
            &["--format=xml"][..],
            &["--rate-limit=0"],
            &["--rate-limit=5/d"],
            &["--multiline"],
            &["--format=json", "--only-fields=a,,b"],
        ] {
            assert!(check(arguments).is_err(), "{arguments:?}");
        }
    }
}
