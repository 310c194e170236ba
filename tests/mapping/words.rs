//! What cannot be is refused, in one line; and the examples of the manual work.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use crate::harness::{Bridge, run_to_end};
use crate::scene::{event, wait_for};

fn manual() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/mapping.md")).unwrap()
}

#[test]
fn a_bad_expression_is_shown_with_its_place() {
    for (option, at) in [("--redact=a(b", 2), ("--match=[z-a]", 2), ("--drop=ä)", 2), ("--multiline-start=+", 1)] {
        let (code, out, err) = run_to_end(&["--port=0", option], Stdio::null());
        let (name, text) = option.split_once('=').unwrap();
        assert!(code == 2 && out.is_empty() && err.lines().count() == 1, "{code} {out} {err}");
        assert!(
            err.contains(&format!("{name}: '{text}' is no regular expression: ")) && err.contains(&format!(", at character {at}")),
            "{err}"
        );
    }
}

#[test]
fn options_that_contradict_are_refused() {
    for arguments in [
        &["--format=sse", "--multiline=indent"][..],
        &["--data-field=log"],
        &["--format=json", "--data-field=a", "--only-fields=b"],
        &["--redact-with=x"],
        &["--rate-limit=0"],
        &["--format=yaml"],
        &["--multiline-wait=1s"],
        &["--format=sse", "--flush-partial=1s"],
        &["--redact="],
    ] {
        let (code, out, err) = run_to_end(&[&["--port=0"], arguments].concat(), Stdio::null());
        assert!(code == 2 && out.is_empty() && err.lines().count() == 1, "{arguments:?}: {code} {out} {err}");
    }
}

#[test]
fn every_option_of_the_manual_exists_and_every_counter() {
    let (manual, help) = (manual(), run_to_end(&["--help"], Stdio::null()).1);
    let metrics = Bridge::start(&[]).get("/metrics").text();
    let words = |text: &str, start: &str| {
        let is_word = |c: char| c.is_ascii_lowercase() || c == '-' || c == '_';
        let parts = text.split(start).skip(1).map(|part| part.chars().take_while(|c| is_word(*c)).collect::<String>());
        parts
            .filter(|word| word.starts_with(|c: char| c.is_ascii_lowercase()))
            .map(|word| format!("{start}{word}"))
            .collect::<Vec<_>>()
    };
    for option in words(&manual, " --").iter().chain(&words(&manual, "`--")) {
        let option = option.trim_start_matches([' ', '`']);
        let is_there = [" ", "\n", "[="].iter().any(|next| help.contains(&format!("{option}{next}")));
        assert!(is_there || option == "--bench", "{option}");
    }
    for counter in words(&manual, "sse_bridge_") {
        assert!(metrics.contains(&format!("\n{counter} ")), "{counter}");
    }
    for option in
        ["--format", "--event-type-field", "--data-field", "--only-fields", "--multiline", "--multiline-start", "--multiline-wait"]
    {
        assert!(manual.contains(option), "{option}");
    }
    for option in ["--strip-ansi", "--redact", "--redact-with", "--match", "--drop", "--rate-limit"] {
        assert!(manual.contains(option), "{option}");
    }
}

/// The fenced examples that say what goes in and what comes out: options, lines, events.
#[test]
fn the_examples_of_the_manual_are_true() {
    let manual = manual();
    let examples: Vec<_> = manual.split("```example\n").skip(1).map(|part| part.split_once("```").unwrap().0).collect();
    assert!(examples.len() >= 4, "{examples:?}");
    for example in examples {
        let (options, rest) = example.split_once('\n').unwrap();
        let (input, output) = rest.split_once("---\n").unwrap();
        let options: Vec<_> =
            options.strip_prefix("sse-bridge ").unwrap().split(' ').map(|option| option.trim_matches('\'')).collect();
        let mut bridge = Bridge::start(&options);
        bridge.feed(input.as_bytes());
        bridge.end_input();
        let mut expected: Vec<(String, String)> = Vec::new();
        for line in output.lines() {
            match line.strip_prefix("| ") {
                Some(more) => {
                    let last = &mut expected.last_mut().unwrap().1;
                    last.push('\n');
                    last.push_str(more);
                }
                None => {
                    let (kind, data) = line.split_once(": ").unwrap();
                    expected.push(event(kind, data));
                }
            }
        }
        let mut events = wait_for(&bridge, expected.len() + 1);
        events.pop();
        assert_eq!(events, expected, "{options:?}");
    }
}
