//! Who a request believes it is talking to.
//!
//! The Host header is the only gate against DNS rebinding: a page whose name suddenly points at this machine sends requests
//! that look like its own, without an Origin. What such a page cannot do is send another name than its own. So IP literals
//! pass (rebinding needs a name), and names only if they are known to be ours.

use std::net::{Ipv4Addr, Ipv6Addr};

use hyper::http::uri::Authority;
use hyper::{Request, Version, header};

/// Names that may stand in a request's Host.
#[derive(Debug, Clone, Default)]
pub struct HostNames {
    rules: Vec<HostRule>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum HostRule {
    /// `*`
    Any,
    /// `example.com`
    Exactly(String),
    /// `.example.com`: the name and everything below it.
    Below(String),
}

/// Why a request's Host is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadHost {
    /// None, two, two that differ, or not a host at all: 400.
    Malformed,
    /// Not one of ours: 421.
    Foreign(String),
}

impl HostNames {
    /// The machine's own names, and those that the user allows: `NAME`, `.NAME` with everything below, `*`.
    #[must_use]
    pub fn new(own: Option<&str>, allowed: &[String]) -> Self {
        let own = own.map(str::to_ascii_lowercase);
        let local = own.iter().map(|name| HostRule::Exactly(format!("{name}.local")));
        let machine = own.iter().map(|name| HostRule::Exactly(name.clone()));
        let allowed = allowed.iter().map(|name| HostRule::of(&name.to_ascii_lowercase()));
        Self { rules: HostRule::localhost().into_iter().chain(local).chain(machine).chain(allowed).collect() }
    }

    /// Whether the request may be answered.
    pub fn check<B>(&self, request: &Request<B>) -> Result<(), BadHost> {
        let Some(authority) = authority(request)? else { return Ok(()) };
        let host = authority.host().trim_end_matches('.').to_ascii_lowercase();
        if is_ip(&host) || self.rules.iter().any(|rule| rule.allows(&host)) { Ok(()) } else { Err(BadHost::Foreign(host)) }
    }
}

impl HostRule {
    fn of(text: &str) -> Self {
        match text.strip_prefix('.') {
            _ if text == "*" => Self::Any,
            Some(parent) => Self::Below(parent.to_owned()),
            None => Self::Exactly(text.to_owned()),
        }
    }

    fn localhost() -> [Self; 1] {
        [Self::Below("localhost".to_owned())]
    }

    fn allows(&self, host: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exactly(name) => host == name,
            Self::Below(parent) => host.strip_suffix(parent.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')),
        }
    }
}

/// The host that the request names: in its target or its Host, which must agree. `None` only for HTTP/1.0, which has no Host.
fn authority<B>(request: &Request<B>) -> Result<Option<Authority>, BadHost> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let (first, second) = (hosts.next(), hosts.next());
    let named = first.map(|value| Authority::try_from(value.as_bytes())).transpose().map_err(|_| BadHost::Malformed)?;
    let target = request.uri().authority().cloned();
    match (target, named) {
        _ if second.is_some() => Err(BadHost::Malformed),
        (Some(target), Some(named)) if !target.as_str().eq_ignore_ascii_case(named.as_str()) => Err(BadHost::Malformed),
        (None, None) if request.version() <= Version::HTTP_10 => Ok(None),
        (None, None) => Err(BadHost::Malformed),
        // The target of an HTTP/1.1 request may be a whole URL, but Host must be there all the same (RFC 9112, 3.2).
        (Some(_), None) if request.version() == Version::HTTP_11 => Err(BadHost::Malformed),
        (target, named) => match target.or(named) {
            Some(authority) if !is_host_and_port(&authority) => Err(BadHost::Malformed),
            authority => Ok(authority),
        },
    }
}

/// A host, and a port behind it or none: [`Authority`] takes more than that.
fn is_host_and_port(authority: &Authority) -> bool {
    let is_port =
        |rest: &str| rest.is_empty() || rest.strip_prefix(':').is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit()));
    let rest = authority.as_str().strip_prefix(authority.host());
    rest.is_some_and(is_port) && !authority.host().trim_matches('.').is_empty()
}

fn is_ip(host: &str) -> bool {
    let ip6 = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    ip6.map_or_else(
        || host.parse::<Ipv4Addr>().is_ok(),
        |ip6| ip6.split('%').next().is_some_and(|ip6| ip6.parse::<Ipv6Addr>().is_ok()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(names: &HostNames, hosts: &[&str]) -> Result<(), BadHost> {
        let mut request = Request::builder().uri("/events");
        for host in hosts {
            request = request.header(header::HOST, *host);
        }
        names.check(&request.body(()).unwrap())
    }

    #[test]
    fn our_names_and_addresses_pass() {
        let names = HostNames::new(Some("Box"), &["logs.example.com".into(), ".apps.example".into()]);
        for host in [
            "127.0.0.1:8080",
            "192.168.1.7",
            "[::1]:8080",
            "localhost",
            "LOCALHOST:1",
            "a.localhost",
            "box",
            "BOX.local:80",
            "logs.example.com",
            "logs.example.com.",
            "apps.example",
            "x.y.apps.example:443",
        ] {
            assert_eq!(check(&names, &[host]), Ok(()), "{host}");
        }
    }

    #[test]
    fn other_names_are_foreign() {
        let names = HostNames::new(Some("box"), &[".apps.example".into()]);
        for host in ["evil.example", "127.0.0.1.evil.example", "notlocalhost", "xapps.example", "box.evil.example", "2130706433"] {
            assert!(matches!(check(&names, &[host]), Err(BadHost::Foreign(_))), "{host}");
        }
        assert_eq!(check(&HostNames::new(None, &["*".into()]), &["evil.example"]), Ok(()));
    }

    #[test]
    fn no_host_two_hosts_and_nonsense_are_malformed() {
        let names = HostNames::new(None, &["*".into()]);
        for hosts in [&[][..], &["localhost", "localhost"], &["a b"], &["user@localhost"], &[""]] {
            assert_eq!(check(&names, hosts), Err(BadHost::Malformed), "{hosts:?}");
        }
    }

    #[test]
    fn target_and_host_must_agree() {
        let names = HostNames::new(None, &[]);
        let request = |target: &str, host: &str| Request::builder().uri(target).header(header::HOST, host).body(()).unwrap();
        assert_eq!(names.check(&request("http://localhost/events", "localhost")), Ok(()));
        assert_eq!(names.check(&request("http://localhost/events", "127.0.0.1")), Err(BadHost::Malformed));
    }
}
