//! Where a stream is: a URL as people write it, and what is asked there.
//!
//! `http://HOST:PORT` and a path that ends in `/` (a daemon behind a proxy) mean the `events` below it. The query stays as it was written; what the
//! options ask for stands behind it, where it wins.

use std::fmt::Write as _;

use hyper::Uri;

/// One stream of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The name or number to connect to, without brackets.
    pub host: String,
    /// The port to connect to.
    pub port: u16,
    /// Host and port as they were written, for `Host`.
    pub authority: String,
    /// The path.
    path: String,
    /// The query as it was written.
    query: String,
    /// What the options add to it.
    added: String,
}

/// Why a text is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    /// It cannot be read.
    #[error("it is no URL")]
    Malformed,
    /// It would need TLS.
    #[error("https:// is not spoken yet")]
    Tls,
    /// It is another protocol's.
    #[error("'{0}://' is not HTTP")]
    Scheme(String),
    /// It holds a name or a password.
    #[error("names and passwords do not belong in a URL, where others can see them")]
    Userinfo,
    /// It leads to another server.
    #[error("it leads to another server, {0}")]
    Elsewhere(String),
}

impl BadAddress {
    /// What the user can do.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Malformed => "write http://HOST:PORT or http://HOST:PORT/events/NAME, with %20 for a space",
            Self::Tls => {
                "a later version will; until then a tunnel helps: ssh -L 8080:127.0.0.1:8080 HOST, then sse-bridge cat :8080"
            }
            Self::Scheme(_) => "sse-bridge cat reads http:// only",
            Self::Userinfo => "--token-file FILE shows the server a token",
            Self::Elsewhere(_) => "give that URL itself if it is the right one",
        }
    }
}

impl Address {
    /// Reads what a person has written.
    pub fn parse(text: &str) -> Result<Self, BadAddress> {
        let text = text.split('#').next().unwrap_or_default();
        let url = match text.split_once("://") {
            Some(("https", _)) => return Err(BadAddress::Tls),
            Some(("http", _)) => text.to_owned(),
            Some((scheme, _)) if !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
                return Err(BadAddress::Scheme(scheme.to_owned()));
            }
            _ if text.starts_with(':') => format!("http://127.0.0.1{text}"),
            _ if has_port(text) => format!("http://{text}"),
            _ => return Err(BadAddress::Malformed),
        };
        let uri: Uri = url.parse().map_err(|_| BadAddress::Malformed)?;
        let authority = uri.authority().ok_or(BadAddress::Malformed)?;
        if authority.as_str().contains('@') {
            return Err(BadAddress::Userinfo);
        }
        let (host, port) = match (authority.host(), authority.port()) {
            ("", _) => return Err(BadAddress::Malformed),
            (host, Some(port)) => (host, port.as_u16()),
            // A colon without digits, or digits that are no port.
            (host, None) if host.len() < authority.as_str().len() => return Err(BadAddress::Malformed),
            (host, None) => (host, 80),
        };
        let below = if uri.path().ends_with('/') { "events" } else { "" };
        Ok(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
            authority: authority.to_string(),
            path: format!("{}{below}", uri.path()),
            query: uri.query().unwrap_or_default().to_owned(),
            added: String::new(),
        })
    }

    /// The same stream, asked with these parameters as well.
    #[must_use]
    pub fn asking(mut self, parameters: &[(&str, &str)]) -> Self {
        let pairs: Vec<_> = parameters.iter().map(|(name, value)| format!("{name}={}", encoded(value.as_bytes()))).collect();
        self.added = pairs.join("&");
        self
    }

    /// The same stream without the filter of the options. `None` where they have none, or where the query decides which lines are wanted.
    #[must_use]
    pub fn unfiltered(&self) -> Option<Self> {
        let is_filter = |pair: &&str| ["grep=", "grep-v=", "i="].iter().any(|name| pair.starts_with(name));
        if self.asks_for_more() || !self.added.split('&').any(|pair| pair.starts_with("grep")) {
            return None;
        }
        let others: Vec<_> = self.added.split('&').filter(|pair| !is_filter(pair)).collect();
        Some(Self { added: others.join("&"), ..self.clone() })
    }

    /// What is asked for: path and query.
    #[must_use]
    pub fn target(&self) -> String {
        let query: Vec<_> = [&*self.query, &*self.added].into_iter().filter(|part| !part.is_empty()).collect();
        if query.is_empty() { self.path.clone() } else { format!("{}?{}", self.path, query.join("&")) }
    }

    /// The stream's name, for messages and for what is remembered of it: the URL without what the options ask for.
    #[must_use]
    pub fn name(&self) -> String {
        let query = if self.query.is_empty() { String::new() } else { format!("?{}", self.query) };
        format!("http://{}{}{query}", self.authority, self.path)
    }

    /// Whether the answer ends by itself, because it is asked for what there is and no more.
    #[must_use]
    pub fn is_bounded(&self) -> bool {
        let pairs = self.query.split('&').chain(self.added.split('&'));
        let mut is_followed = true;
        for pair in pairs {
            match pair.split_once('=') {
                Some(("follow", value)) => is_followed = !matches!(value, "0" | "false"),
                Some(("before", _)) => return true,
                _ => {}
            }
        }
        !is_followed
    }

    /// Whether the query asks for lines that the options alone would leave out: those around matches, or those in capitals.
    #[must_use]
    pub fn asks_for_more(&self) -> bool {
        let names = self.query.split('&').map(|pair| pair.split_once('=').map_or(pair, |(name, _)| name));
        names.into_iter().any(|name| name == "context" || name == "i")
    }

    /// The target to which an answer sends who has asked for `target` here.
    pub fn redirected(&self, target: &str, location: &str) -> Result<String, BadAddress> {
        let location = location.split('#').next().unwrap_or_default();
        let path = target.split('?').next().unwrap_or_default();
        let absolute = match location {
            _ if location.starts_with("//") => format!("http:{location}"),
            _ if location.contains("://") => location.to_owned(),
            _ if location.starts_with('/') => return checked(location.to_owned()),
            _ if location.starts_with('?') => return checked(format!("{path}{location}")),
            _ => return checked(format!("{}/{location}", path.rsplit_once('/').map_or("", |(above, _)| above))),
        };
        let there = Self::parse(&absolute).map_err(|_| BadAddress::Elsewhere(absolute.clone()))?;
        if (there.host.to_ascii_lowercase(), there.port) != (self.host.to_ascii_lowercase(), self.port) {
            return Err(BadAddress::Elsewhere(absolute));
        }
        let uri: Uri = absolute.parse().map_err(|_| BadAddress::Malformed)?;
        Ok(uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string))
    }
}

/// A target that can be asked for.
fn checked(target: String) -> Result<String, BadAddress> {
    target.parse::<Uri>().map(|_| target).map_err(|_| BadAddress::Malformed)
}

/// Whether the text begins with `HOST:` and a digit.
fn has_port(text: &str) -> bool {
    let authority = text.split(['/', '?']).next().unwrap_or_default();
    authority.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.starts_with(|c: char| c.is_ascii_digit()))
}

/// Bytes as they may stand in a query, with `%XX` for all that is not plain.
#[must_use]
pub fn encoded(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> String {
        Address::parse(text).map_or_else(|bad| format!("{bad:?}"), |address| address.name())
    }

    #[test]
    fn addresses_are_read_as_people_write_them() {
        for (text, expected) in [
            ("http://h:1", "http://h:1/events"),
            ("http://h:1/", "http://h:1/events"),
            ("http://h/events/web?tail=5", "http://h/events/web?tail=5"),
            ("http://h/logs/", "http://h/logs/events"),
            ("h:8080/events/a", "http://h:8080/events/a"),
            (":8080", "http://127.0.0.1:8080/events"),
            (":8080/events/a?x=1", "http://127.0.0.1:8080/events/a?x=1"),
            ("[::1]:80", "http://[::1]:80/events"),
            ("http://h:1/#c=web", "http://h:1/events"),
            ("127.0.0.1:1?tail=3", "http://127.0.0.1:1/events?tail=3"),
        ] {
            assert_eq!(name(text), expected, "{text}");
        }
        let six = Address::parse("[::1]:7").unwrap();
        assert_eq!((&*six.host, six.port, &*six.authority), ("::1", 7, "[::1]:7"));
        assert_eq!(Address::parse("http://h/x").unwrap().port, 80);
    }

    #[test]
    fn what_is_no_address_says_why() {
        for (text, expected) in [
            ("https://h", BadAddress::Tls),
            ("ftp://h", BadAddress::Scheme("ftp".into())),
            ("http://a:b@h/", BadAddress::Userinfo),
            ("localhost", BadAddress::Malformed),
            ("", BadAddress::Malformed),
            (":", BadAddress::Malformed),
            (":x", BadAddress::Malformed),
            ("h:99999", BadAddress::Malformed),
            ("http://", BadAddress::Malformed),
            ("http://h/a b", BadAddress::Malformed),
            ("/events", BadAddress::Malformed),
            ("http://h:", BadAddress::Malformed),
        ] {
            assert_eq!(Address::parse(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn options_stand_behind_the_query_and_are_no_part_of_the_name() {
        let address = Address::parse("http://h:1/events?tail=5").unwrap().asking(&[("grep", "a b+"), ("ping", "1")]);
        assert_eq!(address.target(), "/events?tail=5&grep=a%20b%2B&ping=1");
        assert_eq!(address.name(), "http://h:1/events?tail=5");
        assert_eq!(Address::parse("http://h:1").unwrap().asking(&[]).target(), "/events");
    }

    #[test]
    fn the_filter_of_the_options_can_be_left_out() {
        let options = [("tail", "5"), ("grep", "a b+"), ("grep-v", "c"), ("i", "1"), ("ping", "1")];
        let unfiltered = |url: &str| Address::parse(url).unwrap().asking(&options).unfiltered();
        assert_eq!(unfiltered(":1?grep=x").unwrap().target(), "/events?grep=x&tail=5&ping=1");
        assert_eq!(unfiltered(":1?context=3"), None, "only the server knows what stands around");
        assert_eq!(unfiltered(":1?i"), None);
        assert_eq!(Address::parse(":1?grep=x").unwrap().asking(&[("i", "1")]).unfiltered(), None);
    }

    #[test]
    fn an_answer_that_ends_by_itself_is_known_before() {
        let is_bounded = |text| Address::parse(text).unwrap().is_bounded();
        assert!(is_bounded(":1?follow=0") && is_bounded(":1?before=1-2&tail=3"));
        assert!(!is_bounded(":1") && !is_bounded(":1?follow=1") && !is_bounded(":1?follow=0&follow=1"));
    }

    #[test]
    fn redirects_stay_on_their_server() {
        let address = Address::parse("http://H:80/logs/events").unwrap();
        let to = |location| address.redirected("/logs/events?ping=1", location);
        assert_eq!(to("/x?y=1").unwrap(), "/x?y=1");
        assert_eq!(to("other").unwrap(), "/logs/other");
        assert_eq!(to("?a=1").unwrap(), "/logs/events?a=1");
        assert_eq!(to("http://h/z#f").unwrap(), "/z");
        assert_eq!(to("//h:80/z").unwrap(), "/z");
        assert_eq!(to("http://h:81/z"), Err(BadAddress::Elsewhere("http://h:81/z".into())));
        assert_eq!(to("https://h/z"), Err(BadAddress::Elsewhere("https://h/z".into())));
        assert_eq!(to("/a b"), Err(BadAddress::Malformed));
    }
}
