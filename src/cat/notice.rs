//! What is said to people of control events: one line each.

use std::fmt::Write as _;

use serde_json::Value;

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// Something is missing.
    Warning,
    /// Good to know.
    News,
}

/// What is said, and to whom it matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// How much it matters.
    pub weight: Weight,
    /// The line.
    pub line: String,
}

/// The most channels that are named in a line.
const NAMED: usize = 3;

/// The line of a control event, if there is something to say.
#[must_use]
pub fn of(kind: &[u8], data: &[u8]) -> Option<Notice> {
    let told: Value = serde_json::from_slice(data).unwrap_or_default();
    let news = |line| Some(Notice { weight: Weight::News, line });
    match kind {
        b"gap" => Some(Notice { weight: Weight::Warning, line: gap(&told) }),
        b"end" => news(end(&told)),
        b"run" => news(run(&told)),
        _ => None,
    }
}

/// `gap: 12 events of web/a are missing between 5-3/web/a and 9-15: dropped from the history`
fn gap(told: &Value) -> String {
    let channels = channels(&told["channels"]);
    let of = if channels.is_empty() { String::new() } else { format!(" of {channels}") };
    let mut line = match told["lost"].as_u64() {
        Some(1) => format!("gap: 1 event{of} is missing"),
        Some(lost) => format!("gap: {lost} events{of} are missing"),
        None => format!("gap: events{of} may be missing, nobody knows how many"),
    };
    match (told["from"].as_str(), told["to"].as_str()) {
        (Some(from), Some(to)) => _ = write!(line, ", between {from} and {to}"),
        (None, Some(to)) => _ = write!(line, ", before {to}"),
        _ => {}
    }
    let reason = told["reason"].as_str().unwrap_or_default();
    let reason = match reason {
        "dropped" => "the history no longer has them",
        "slow" => "the history let go of them before they were taken",
        "restart" => "the server has begun anew, and knows nothing of what was before",
        "truncated" => "the file was cut",
        "overwritten" => "the file was written anew",
        "vanished" => "the file went away before it was read to its end",
        "crash" => "the server was killed, and what it had read last may be lost",
        other => other,
    };
    if !reason.is_empty() {
        let _ = write!(line, ": {reason}");
    }
    line
}

/// `stdin has ended`, with the reason and the exit code if there are any.
fn end(told: &Value) -> String {
    let mut line = format!("{} has ended", told["channel"].as_str().unwrap_or("a channel"));
    let reason = told["reason"].as_str().unwrap_or_default();
    match exit(&told["exit"]) {
        Some(exit) => _ = write!(line, ": {exit}"),
        None if !reason.is_empty() => _ = write!(line, ": {reason}"),
        None => {}
    }
    line
}

/// `make: run 2 has started`, `make: run 2 has ended with exit code 1`
fn run(told: &Value) -> String {
    let channel = told["channel"].as_str().unwrap_or("a command");
    let run = told["run"].as_u64().map_or_else(|| "a run".to_owned(), |run| format!("run {run}"));
    match (told["state"].as_str(), exit(&told["exit"])) {
        (Some("exited"), Some(exit)) => format!("{channel}: {run} has ended with {exit}"),
        (Some("exited"), None) => format!("{channel}: {run} has ended"),
        _ => format!("{channel}: {run} has started"),
    }
}

/// An exit as servers tell it: a number, or whatever else stands there.
fn exit(told: &Value) -> Option<String> {
    match told {
        Value::Null => None,
        Value::Number(code) => Some(format!("exit code {code}")),
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn channels(told: &Value) -> String {
    let names: Vec<_> = told.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let shown = names[..names.len().min(NAMED)].join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(kind: &str, data: &str) -> String {
        of(kind.as_bytes(), data.as_bytes()).map(|notice| notice.line).unwrap_or_default()
    }

    #[test]
    fn a_gap_says_what_is_missing_and_why() {
        assert_eq!(
            line("gap", r#"{"channels":["web/a"],"reason":"dropped","from":"5-3/web/a","to":"9-15","lost":12}"#),
            "gap: 12 events of web/a are missing, between 5-3/web/a and 9-15: the history no longer has them"
        );
        assert_eq!(
            line("gap", r#"{"channels":["a"],"reason":"restart","from":null,"to":"9-0","lost":null}"#),
            "gap: events of a may be missing, nobody knows how many, before 9-0: the server has begun anew, and knows nothing of what was before"
        );
        assert_eq!(
            line("gap", r#"{"channels":["a","b","c","d"],"reason":"rate","lost":1}"#),
            "gap: 1 event of a, b, c and 1 more is missing: rate"
        );
        assert_eq!(line("gap", "garbage"), "gap: events may be missing, nobody knows how many");
    }

    #[test]
    fn ends_and_runs_say_which_and_how() {
        assert_eq!(line("end", r#"{"channel":"stdin","reason":"eof"}"#), "stdin has ended: eof");
        assert_eq!(line("end", r#"{"channel":"make","reason":"exited","exit":2}"#), "make has ended: exit code 2");
        assert_eq!(line("run", r#"{"channel":"make","run":2,"state":"started"}"#), "make: run 2 has started");
        assert_eq!(
            line("run", r#"{"channel":"make","run":2,"state":"exited","exit":1}"#),
            "make: run 2 has ended with exit code 1"
        );
        assert_eq!(line("start", "{}") + &line("ping", "{}") + &line("progress", "x"), "");
    }

    proptest! {
        #[test]
        fn nothing_panics(kind in "(gap|end|run)", data: Vec<u8>) {
            let _ = of(kind.as_bytes(), &data);
        }
    }
}
