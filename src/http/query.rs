//! What a stream's URL and headers ask for.
//!
//! | parameter | |
//! | --- | --- |
//! | `tail=N` or `tail=all` | the newest N events of the view |
//! | `since=10m`, RFC 3339, Unix ms | events that arrived then or later |
//! | `before=ID` | with `tail=N`: the N events before this one, then the end |
//! | `follow=0` | the stream ends after what is retained |
//! | `format=text`, or `Accept: text/plain` | the lines alone |
//! | `format=ndjson`, or `Accept: application/x-ndjson` | JSON, one object a line |
//! | `channel=NAME`, repeated | these channels and all below them |
//! | `lastEventId=ID` | for clients that cannot send the header, which wins |
//! | `ping=1` | heartbeats as `ping` events, which scripts can hear |
//! | `grep=REGEX`, repeated | events in whose data all of these are found |
//! | `grep-v=REGEX`, repeated | and none of these |
//! | `i=1` or `i` | capitals do not count in either |
//! | `type=T`, repeated | events of these types; empty: those without one |
//! | `context=N` | with any of these: so many events before and after each, too |
//!
//! Unknown parameters are ignored (pages add them against caches). A known one with a bad value is told in one line.

use std::collections::BTreeSet;

use hyper::HeaderMap;
use jiff::{SignedDuration, Timestamp};

use super::accept;
use crate::channel::{Ask, Filter, Follow, Tail};
use crate::event::{ChannelName, Millis, is_plain};
use crate::sieve::{Case, MAX_CONTEXT, MAX_EXPRESSION, MAX_EXPRESSIONS, Recipe};

/// What a client asks for, in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamQuery {
    /// Which channels.
    pub filter: Filter,
    /// The channels named, each of which must exist.
    pub names: Vec<ChannelName>,
    /// Which events.
    pub ask: Ask,
    /// As what.
    pub format: Format,
    /// How silence is broken.
    pub heartbeat: Heartbeat,
    /// Which of the events, if not all.
    pub recipe: Option<Recipe>,
    /// How many before and after each of these, too.
    pub context: usize,
}

/// What a stream consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// `text/event-stream`
    EventStream,
    /// `text/plain`: the lines alone.
    Text,
    /// `application/x-ndjson`: JSON, one object a line.
    Ndjson,
}

/// How silence is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heartbeat {
    /// A comment, which nobody sees.
    Comment,
    /// An event `ping`, which scripts can wait for.
    Ping,
}

/// Why a query cannot be answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadQuery {
    /// A known parameter with a bad value: 400.
    #[error("bad value '{value}' for {name}: expected {expected}")]
    Value {
        /// The parameter.
        name: &'static str,
        /// What came.
        value: String,
        /// What would have been good.
        expected: &'static str,
    },
    /// More expressions than one stream may have: 400.
    #[error("too many expressions: at most {MAX_EXPRESSIONS} of grep and grep-v together")]
    TooMany,
    /// A name that no channel can have: 404.
    #[error("no channel '{0}'")]
    Name(String),
}

/// Reads a request for `/events` and everything below it. `path` is what follows `/events/`, if anything does.
pub fn read(
    path: Option<&str>,
    query: Option<&str>,
    headers: &HeaderMap,
    default_tail: Tail,
    now: Millis,
) -> Result<StreamQuery, BadQuery> {
    let mut names: Vec<_> = path.map(name_of_path).transpose()?.into_iter().collect();
    let mut ask = Ask::default();
    let (mut format, mut heartbeat) = (accept::format(headers), Heartbeat::Comment);
    let (mut must, mut must_not, mut case, mut types, mut context) = (Vec::new(), Vec::new(), Case::Counts, BTreeSet::new(), 0);
    for (name, value) in query.unwrap_or("").split('&').map(|pair| pair.split_once('=').unwrap_or((pair, ""))) {
        let (name, free, value) = (percent_decoded(name), value, percent_decoded(value));
        let free_text = |name| free_text(name, free);
        match &*name {
            "tail" => ask.tail = Some(tail("tail", &value)?),
            "since" => ask.since = Some(since(&value, now)?),
            "before" => ask.before = Some(parsed("before", &value, "an event id, TIME-NUMBER/CHANNEL")?),
            "follow" => ask.follow = if switch("follow", &value)? { Follow::Live } else { Follow::Retained },
            "format" => format = named_format(&value)?,
            "channel" => names.push(value.parse().map_err(|_| BadQuery::Name(value.clone()))?),
            "lastEventId" => ask.last_event_id = value.parse().ok(),
            "ping" => heartbeat = if switch("ping", &value)? { Heartbeat::Ping } else { Heartbeat::Comment },
            "grep" => must.push(expression("grep", free_text("grep")?)?),
            "grep-v" => must_not.push(expression("grep-v", free_text("grep-v")?)?),
            "i" => case = if value.is_empty() || switch("i", &value)? { Case::Ignored } else { Case::Counts },
            "type" => drop(types.insert(free_text("type")?)),
            "context" => context = number_of_context(&value)?,
            _ => {}
        }
        if must.len() + must_not.len() > MAX_EXPRESSIONS {
            return Err(BadQuery::TooMany);
        }
    }
    if let Some(id) = headers.get("last-event-id") {
        ask.last_event_id = id.to_str().ok().and_then(|id| id.parse().ok());
    }
    if ask.tail.is_none() && ask.since.is_none() {
        ask.tail = Some(default_tail);
    }
    let recipe = Recipe::of(must, must_not, case, types);
    Ok(StreamQuery { filter: Filter::of(names.iter().cloned()), names, ask, format, heartbeat, recipe, context })
}

/// What people write freely: it comes from forms and `URLSearchParams`, for which `+` is a space. Bytes that are no text would look for what nobody meant.
fn free_text(name: &'static str, value: &str) -> Result<String, BadQuery> {
    String::from_utf8(percent_bytes(&value.replace('+', " "))).map_err(|bad| {
        let value = String::from_utf8_lossy(bad.as_bytes()).chars().take(MAX_EXPRESSION).collect();
        BadQuery::Value { name, value, expected: "UTF-8, each byte of it as %XX" }
    })
}

/// What is too long for an expression is not repeated in the answer.
fn expression(name: &'static str, value: String) -> Result<String, BadQuery> {
    if value.len() > MAX_EXPRESSION {
        let start = value.chars().take(40).chain("...".chars()).collect();
        return Err(BadQuery::Value { name, value: start, expected: "at most 1024 bytes" });
    }
    Ok(value)
}

fn number_of_context(value: &str) -> Result<usize, BadQuery> {
    let expected = "a number up to 100";
    let number = parsed("context", value, expected)?;
    if number > MAX_CONTEXT {
        return Err(BadQuery::Value { name: "context", value: value.to_owned(), expected });
    }
    Ok(number)
}

/// `N` or `all`, of a query or of `--tail`.
pub fn tail(name: &'static str, value: &str) -> Result<Tail, BadQuery> {
    if value == "all" { Ok(Tail::All) } else { parsed(name, value, "a number or 'all'").map(Tail::Newest) }
}

/// The first time of arrival that is asked for by a duration before `now`, an RFC 3339 time or Unix milliseconds.
pub fn since(value: &str, now: Millis) -> Result<Millis, BadQuery> {
    let unix = || value.parse::<Millis>().ok();
    let moment = || value.parse::<Timestamp>().ok().map(|moment| u64::try_from(moment.as_millisecond()).unwrap_or(0));
    let ago = || {
        let ago = value.parse::<SignedDuration>().ok()?.as_millis();
        u64::try_from(ago).ok().map(|ago| now.saturating_sub(ago))
    };
    let expected = "a duration such as 10m, an RFC 3339 time or Unix milliseconds";
    unix().or_else(moment).or_else(ago).ok_or_else(|| BadQuery::Value { name: "since", value: value.to_owned(), expected })
}

fn switch(name: &'static str, value: &str) -> Result<bool, BadQuery> {
    match value {
        "1" | "true" => Ok(true),
        "0" | "false" => Ok(false),
        _ => Err(BadQuery::Value { name, value: value.to_owned(), expected: "0 or 1" }),
    }
}

fn named_format(value: &str) -> Result<Format, BadQuery> {
    match value {
        "text" => Ok(Format::Text),
        "sse" => Ok(Format::EventStream),
        "ndjson" => Ok(Format::Ndjson),
        _ => Err(BadQuery::Value { name: "format", value: value.to_owned(), expected: "text, ndjson or sse" }),
    }
}

fn parsed<T: std::str::FromStr>(name: &'static str, value: &str, expected: &'static str) -> Result<T, BadQuery> {
    value.parse().map_err(|_| BadQuery::Value { name, value: value.to_owned(), expected })
}

/// A channel's name as it stands in a path, where clients may encode more than they must: `%7E` is `~`, `%2f` stays, as `%2F`.
fn name_of_path(path: &str) -> Result<ChannelName, BadQuery> {
    let mut name = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((plain, escape)) = rest.split_once('%') {
        name.push_str(plain);
        let code = escape.as_bytes().get(..2).and_then(hex_byte).ok_or_else(|| BadQuery::Name(path.to_owned()))?;
        match code {
            _ if is_plain(code) => name.push(char::from(code)),
            _ => name.extend(["%".to_owned(), format!("{code:02X}")]),
        }
        rest = &escape[2..];
    }
    name.push_str(rest);
    name.parse().map_err(|_| BadQuery::Name(path.to_owned()))
}

/// Percent-decoding without the form rule that `+` is a space: ids, names and times have a `+` and never a space.
fn percent_decoded(text: &str) -> String {
    String::from_utf8_lossy(&percent_bytes(text)).into_owned()
}

fn percent_bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if let Some(byte) = after.get(..2).filter(|_| first == b'%').and_then(hex_byte) {
            bytes.push(byte);
            rest = &after[2..];
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    bytes
}

/// The byte of two hexadecimal digits.
fn hex_byte(digits: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(digits[0])? << 4 | digit(digits[1])?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Millis = 1_763_660_000_000;

    fn query(query: &str) -> Result<StreamQuery, BadQuery> {
        read(None, Some(query), &HeaderMap::new(), Tail::Newest(10), NOW)
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn every_parameter_is_read() {
        assert_eq!(query("").unwrap().ask.tail, Some(Tail::Newest(10)));
        assert_eq!(query("tail=all&cachebuster=7&=&x").unwrap().ask.tail, Some(Tail::All));
        assert_eq!(query("since=10m").unwrap().ask, Ask { since: Some(NOW - 600_000), ..Ask::default() });
        assert_eq!(query("since=1763650000000").unwrap().ask.since, Some(1_763_650_000_000));
        assert_eq!(query("since=2025-11-20T10:00:00%2B01:00").unwrap().ask.since, Some(1_763_629_200_000));
        assert_eq!(query("since=2025-11-20T10:00:00+01:00").unwrap().ask.since, Some(1_763_629_200_000));
        assert_eq!(query("follow=0").unwrap().ask.follow, Follow::Retained);
        assert_eq!(query("ping=1").unwrap().heartbeat, Heartbeat::Ping);
        assert_eq!(query("format=text").unwrap().format, Format::Text);
        assert_eq!(query("format=ndjson").unwrap().format, Format::Ndjson);
        assert_eq!(query("grep=&context=3&i").unwrap().recipe, None);
        assert_eq!(query("grep=b&i=1&grep=a&grep=b").unwrap().recipe, query("grep=a&i&grep=b").unwrap().recipe);
        assert_ne!(query("grep=a&i=0").unwrap().recipe, query("grep=a&i").unwrap().recipe);
        assert_ne!(query("type=").unwrap().recipe, None);
        assert_eq!(query("grep=a+b%2B").unwrap().recipe, query("grep=a%20b%2b").unwrap().recipe);
        assert_eq!(query("grep=a&context=100").unwrap().context, 100);
        assert_eq!(query("before=5-3/a&tail=2").unwrap().ask.before, "5-3/a".parse().ok());
        assert_eq!(query("channel=a&channel=b%252F").unwrap().names, ["a".parse().unwrap(), "b%2F".parse().unwrap()]);
    }

    #[test]
    fn bad_values_are_told_in_one_line() {
        for bad in [
            "tail=x",
            "tail=-1",
            "tail=",
            "since=yesterdayish",
            "since=-5m",
            "before=x",
            "follow=maybe",
            "ping=2",
            "format=xml",
            "context=101",
            "context=-1",
            "i=x",
        ] {
            let message = query(bad).unwrap_err().to_string();
            assert!(message.starts_with("bad value '") && !message.contains('\n'), "{bad}: {message}");
        }
        let long = query(&format!("grep={}", "x".repeat(1025))).unwrap_err().to_string();
        assert!(long.ends_with("for grep: expected at most 1024 bytes") && long.len() < 120, "{long}");
        for bad in ["grep=%FE", "grep-v=a%C3&i", "type=%80"] {
            let message = query(bad).unwrap_err().to_string();
            assert!(message.ends_with(": expected UTF-8, each byte of it as %XX"), "{bad}: {message}");
        }
        assert!(query("grep=%C3%A4&unknown=%FE&lastEventId=%FE").is_ok());
        assert!(query(&"grep=x&".repeat(16)).is_ok());
        assert_eq!(query(&"grep=x&".repeat(17)), Err(BadQuery::TooMany));
        assert_eq!(query("channel=a//b"), Err(BadQuery::Name("a//b".into())));
    }

    #[test]
    fn the_header_wins_and_garbage_is_as_if_there_were_none() {
        let id = |headers: &HeaderMap| read(None, Some("lastEventId=5-3"), headers, Tail::All, NOW).unwrap().ask.last_event_id;
        assert_eq!(id(&headers(&[])), "5-3".parse().ok());
        assert_eq!(id(&headers(&[("last-event-id", "5-4/a")])), "5-4/a".parse().ok());
        assert_eq!(id(&headers(&[("last-event-id", "garbage")])), None);
    }

    #[test]
    fn names_in_paths_are_read_as_clients_write_them() {
        let name = |path| name_of_path(path).map(|name| name.to_string());
        assert_eq!(name("web/%61ccess%2elog").unwrap(), "web/access.log");
        assert_eq!(name("a%2fb%20c").unwrap(), "a%2Fb%20c");
        for bad in ["", "a//b", "../a", "a/%2e%2e", "%", "%4", "%zz", "a b"] {
            assert!(name(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_name_is_reached_by_its_own_text_in_a_path(text in "([A-Za-z0-9._~+-]|%[0-9A-F]{2}){1,12}") {
            if let Ok(name) = text.parse::<ChannelName>() {
                prop_assert_eq!(name_of_path(&text).unwrap(), name);
            }
        }

        #[test]
        fn no_query_makes_the_parser_panic(path in ".*", text in ".*", id in "[ -~]*") {
            let _ = read(Some(&path), Some(&text), &headers(&[("last-event-id", &id)]), Tail::All, NOW);
        }
    }
}
