//! What is said of sources that have ended.

use std::io;

use tracing::{info, warn};

use super::STDIN;
use crate::config::source::Source;
use crate::config::world::StdinKind;
use crate::config::{AtEof, Config};
use crate::pipeline::{Outcome, Summary};
use crate::source;
use crate::source::command::Input;

/// Tells how a source ended, and what follows if it was the last.
pub fn say_how_it_ended(name: &str, end: &io::Result<Outcome>, at_eof: Option<AtEof>) {
    let next = match at_eof {
        None => "the others go on",
        Some(AtEof::Serve) => "still serving, Ctrl-C stops (--exit-on-eof)",
        Some(AtEof::Stop(_)) => "stopping when clients have got everything",
    };
    match end {
        Ok(Outcome::Exited(Summary { lines, .. }, exit)) => {
            let lines = if *lines == 1 { "1 line".to_owned() } else { format!("{} lines", grouped(*lines)) };
            info!("{name} ended ({exit}) after {lines}; {next}");
        }
        Ok(Outcome::NotStarted(error)) => {
            warn!("{error}{}; {next}", error.hint().map(|hint| format!(" ({hint})")).unwrap_or_default());
        }
        Err(error) => warn!("could not read {name}: {}; {next}", source::reason(error)),
        Ok(Outcome::Stopped) => {}
        Ok(Outcome::Ended(Summary { bytes: 0, .. })) if name == STDIN => {
            warn!("{name} was empty (in a container: run it with -i); {next}");
        }
        Ok(Outcome::Ended(Summary { lines: 1, .. })) => info!("{name} ended after 1 line; {next}"),
        Ok(Outcome::Ended(Summary { lines, .. })) => info!("{name} ended after {} lines; {next}", grouped(*lines)),
    }
}

/// `COMMAND | sse-bridge FILE` reads the file alone, which is seldom what was meant.
pub fn warn_of_unread_input(config: &Config) {
    let passes = config.commands().any(|command| command.manner.input == Input::Passed);
    let is_read = passes || config.feeds.iter().any(|feed| matches!(feed.source, Source::Stdin { .. }));
    if config.stdin == StdinKind::Pipe && !is_read {
        let runs = config.commands().next().is_some();
        let commands = if runs { ", or pass it on to a command with --stdin" } else { "" };
        warn!("standard input is a pipe and is not read; add '-' to the sources to read it{commands}");
    }
}

/// A number with its thousands apart: 1,234,567.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn thousands_stand_apart() {
        let shown: Vec<_> = [0, 999, 1000, 1_234_567].into_iter().map(grouped).collect();
        assert_eq!(shown, ["0", "999", "1,000", "1,234,567"]);
    }
}
