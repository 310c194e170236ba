//! What a client does: what was asked for, validated once.

use std::ffi::OsString;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::stat::{fstat, stat};

use super::address::Address;
use super::question::Question;
use super::reader::OnGap;
use super::shape::{Paint, Shape};
use super::sieve::Sieve;
use super::token::Token;
use crate::config::cat::{Cat, Color};
use crate::config::{ConfigError, invalid};
use crate::expression::Case;

/// The bounds of `--max-line`, in bytes.
const LARGEST: (u64, u64) = (1 << 10, 1 << 30);

/// The most streams at once.
const MOST_URLS: usize = 1000;

/// A client that can be run.
#[derive(Debug)]
pub struct Plan {
    /// The streams, each once.
    pub addresses: Vec<Address>,
    /// What is asked of each of them.
    pub question: Question,
    /// How events are written.
    pub shape: Shape,
    /// Which lines are written.
    pub sieve: Sieve,
    /// What happens at a gap.
    pub on_gap: OnGap,
    /// The command that takes the lines, if one does.
    pub command: Option<OsString>,
    /// Where it is remembered what was taken.
    pub state: Option<PathBuf>,
    /// What is shown to servers.
    pub token: Option<Token>,
    /// How long there may be no stream.
    pub max_wait: Option<Duration>,
    /// The most bytes of an event.
    pub largest: usize,
}

/// What a client must know of the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Surroundings {
    /// Whether colours are welcome where nobody says so.
    pub colours: Paint,
    /// What standard output is.
    pub output: Output,
}

/// What standard output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Something that can be written.
    Open,
    /// Nothing was opened for the process.
    Closed,
}

impl Surroundings {
    /// Looks.
    #[must_use]
    pub fn look() -> Self {
        let out = std::io::stdout();
        let is_plain = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_none_or(|kind| kind == "dumb");
        let is_terminal = std::io::IsTerminal::is_terminal(&out);
        let colours = if is_terminal && !is_dumb && !is_plain("NO_COLOR") { Paint::Coloured } else { Paint::Plain };
        Self { colours, output: if is_closed(out) { Output::Closed } else { Output::Open } }
    }
}

/// The language's runtime opens /dev/null for reading and writing where standard output was closed; a shell opens it for writing only.
fn is_closed(out: impl AsFd) -> bool {
    let (Ok(status), Ok(flags), Ok(null)) = (fstat(&out), fcntl(&out, FcntlArg::F_GETFL), stat("/dev/null")) else { return true };
    let access = OFlag::from_bits_truncate(flags) & OFlag::O_ACCMODE;
    access == OFlag::O_RDONLY || (access == OFlag::O_RDWR && status.st_rdev == null.st_rdev && status.st_mode == null.st_mode)
}

impl Plan {
    /// Validates what was asked for.
    ///
    /// # Errors
    /// Something cannot be done, whenever it is tried.
    pub fn check(asked: &Cat, surroundings: Surroundings) -> Result<Self, ConfigError> {
        if surroundings.output == Output::Closed && asked.exec.is_none() {
            return Err(invalid("standard output is closed", "cat writes there; >/dev/null throws lines away"));
        }
        let case = if asked.ignore_case { Case::Ignored } else { Case::Counts };
        let sieve = Sieve::new(&asked.grep, &asked.grep_v, case);
        let sieve = sieve.map_err(|bad| invalid(bad.to_string(), "\\ before ( [ { . * + ? | ^ $ takes it as it stands"))?;
        let largest = asked.max_line.unwrap_or(64 << 20);
        if !(LARGEST.0..=LARGEST.1).contains(&largest) {
            return Err(invalid("--max-line is out of bounds", "it takes 1KiB to 1GiB"));
        }
        Ok(Self {
            addresses: addresses(asked)?,
            question: Question::of(asked),
            shape: shape(asked, surroundings),
            sieve,
            on_gap: if asked.strict { OnGap::Stop } else { OnGap::GoOn },
            command: asked.exec.clone(),
            state: asked.state.clone(),
            token: asked.token_file.as_deref().map(Token::in_file),
            max_wait: asked.max_wait,
            largest: usize::try_from(largest).map_err(|_| invalid("--max-line is too large for this machine", "say less"))?,
        })
    }
}

fn shape(asked: &Cat, surroundings: Surroundings) -> Shape {
    let paint = match asked.color.unwrap_or_default() {
        Color::Auto if asked.exec.is_some() => Paint::Plain,
        Color::Auto => surroundings.colours,
        Color::Always => Paint::Coloured,
        Color::Never => Paint::Plain,
    };
    match (asked.ndjson, asked.label) {
        (true, _) => Shape::Ndjson,
        (_, true) => Shape::Labelled(paint),
        _ => Shape::Lines,
    }
}

fn addresses(asked: &Cat) -> Result<Vec<Address>, ConfigError> {
    let parameters = parameters(asked);
    let mut addresses: Vec<Address> = Vec::new();
    for url in &asked.urls {
        // What is in it may be a password.
        let shown = match url.rsplit_once('@') {
            Some((_, behind)) => format!("...@{behind}"),
            None => url.clone(),
        };
        let address = Address::parse(url).map_err(|bad| invalid(format!("could not use the URL '{shown}': {bad}"), bad.hint()))?;
        if addresses.iter().any(|known| known.name() == address.name()) {
            return Err(invalid(format!("the URL {} is given twice", address.name()), "each stream is read once"));
        }
        addresses.push(address.asking(&parameters));
    }
    if addresses.len() > MOST_URLS {
        return Err(invalid("too many URLs", "a URL may have several channels: ?channel=a&channel=b"));
    }
    Ok(addresses)
}

/// What is asked of the server. Pings, so that silence tells something.
fn parameters(asked: &Cat) -> Vec<(&str, &str)> {
    let mut parameters: Vec<(&str, &str)> = Vec::new();
    parameters.extend(asked.tail.iter().map(|tail| ("tail", &**tail)));
    parameters.extend(asked.since.iter().map(|since| ("since", &**since)));
    parameters.extend(asked.channel.iter().map(|name| ("channel", name.as_str())));
    parameters.extend(asked.grep.iter().map(|regex| ("grep", &**regex)));
    parameters.extend(asked.grep_v.iter().map(|regex| ("grep-v", &**regex)));
    if asked.ignore_case {
        parameters.push(("i", "1"));
    }
    if asked.no_follow {
        parameters.push(("follow", "0"));
    }
    parameters.extend([("format", "sse"), ("ping", "1")]);
    parameters
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Surroundings = Surroundings { colours: Paint::Plain, output: Output::Open };

    fn asked(urls: &[&str]) -> Cat {
        Cat { urls: urls.iter().map(|url| (*url).to_owned()).collect(), ..Cat::default() }
    }

    fn refused(asked: &Cat, surroundings: Surroundings) -> String {
        match Plan::check(asked, surroundings) {
            Err(ConfigError::Invalid { what, .. }) => what,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn options_become_parameters() {
        let asked = Cat {
            tail: Some("all".into()),
            grep: vec!["a&b".into()],
            grep_v: vec!["c".into()],
            ignore_case: true,
            channel: vec!["web/a".parse().unwrap()],
            ..asked(&[":1/events?x=y"])
        };
        let plan = Plan::check(&asked, PLAIN).unwrap();
        assert_eq!(plan.addresses[0].target(), "/events?x=y&tail=all&channel=web%2Fa&grep=a%26b&grep-v=c&i=1&format=sse&ping=1");
        assert_eq!((plan.shape, plan.on_gap, plan.largest), (Shape::Lines, OnGap::GoOn, 64 << 20));
    }

    #[test]
    fn colours_are_for_terminals_unless_somebody_says_otherwise() {
        let shape = |color, exec: Option<&str>, colours| {
            let asked = Cat { label: true, color, exec: exec.map(Into::into), ..asked(&[":1"]) };
            Plan::check(&asked, Surroundings { colours, ..PLAIN }).unwrap().shape
        };
        let (plain, coloured) = (Shape::Labelled(Paint::Plain), Shape::Labelled(Paint::Coloured));
        assert_eq!(shape(None, None, Paint::Plain), plain);
        assert_eq!(shape(None, None, Paint::Coloured), coloured);
        assert_eq!(shape(None, Some("x"), Paint::Coloured), plain);
        assert_eq!(shape(Some(Color::Always), Some("x"), Paint::Plain), coloured);
        assert_eq!(shape(Some(Color::Never), None, Paint::Coloured), plain);
    }

    #[test]
    fn what_cannot_be_done_is_refused_and_no_password_is_shown() {
        assert_eq!(refused(&asked(&[":1", "127.0.0.1:1"]), PLAIN), "the URL http://127.0.0.1:1/events is given twice");
        let line = refused(&asked(&["http://me:secret@h/"]), PLAIN);
        assert!(line.starts_with("could not use the URL '...@h/': names and passwords") && !line.contains("secret"), "{line}");
        assert!(refused(&Cat { grep: vec!["(".into()], ..asked(&[":1"]) }, PLAIN).contains("unclosed group"));
        let closed = Surroundings { output: Output::Closed, ..PLAIN };
        assert_eq!(refused(&asked(&[":1"]), closed), "standard output is closed");
        assert!(Plan::check(&Cat { exec: Some("x".into()), ..asked(&[":1"]) }, closed).is_ok());
        for size in [1023, (1 << 30) + 1] {
            assert_eq!(refused(&Cat { max_line: Some(size), ..asked(&[":1"]) }, PLAIN), "--max-line is out of bounds");
        }
    }
}
