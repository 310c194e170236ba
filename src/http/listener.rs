//! Sockets that listen: names to addresses, addresses to sockets. Nothing is accepted here.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};
use std::str::FromStr;

use socket2::{Domain, Protocol, SockRef, Socket, Type};

/// How many clients may connect before the daemon accepts them. The kernel's own limit (`net.core.somaxconn`) may be lower.
const BACKLOG: i32 = 4096;

/// How often a free port is looked for that both loopback addresses have.
const PORT_TRIES: usize = 32;

/// One `--listen`: `IP`, `IP:PORT`, `[IP6]:PORT`, `NAME` or `NAME:PORT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// Where.
    pub host: ListenHost,
    /// The port, or none: then `--port`.
    pub port: Option<u16>,
}

/// The host of a `--listen`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenHost {
    /// An address.
    Ip(IpAddr),
    /// A name, resolved at the start; it also may stand in a request's Host.
    Name(String),
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.host, self.port) {
            (ListenHost::Ip(ip), Some(port)) => SocketAddr::new(*ip, port).fmt(f),
            (ListenHost::Ip(ip), None) => ip.fmt(f),
            (ListenHost::Name(name), Some(port)) => write!(f, "{name}:{port}"),
            (ListenHost::Name(name), None) => f.write_str(name),
        }
    }
}

/// The text is not an address to listen on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadListen {
    /// The part behind the colon.
    #[error("the port must be a number from 0 to 65535")]
    Port,
    /// The part before it.
    #[error("expected IP, IP:PORT, [IP6]:PORT or NAME:PORT")]
    Host,
}

impl FromStr for Listen {
    type Err = BadListen;

    fn from_str(text: &str) -> Result<Self, BadListen> {
        if let Ok(ip) = text.parse() {
            return Ok(Self { host: ListenHost::Ip(ip), port: None });
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !text.ends_with(']') => (host, Some(parse_port(port)?)),
            _ => (text, None),
        };
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let host = match bare {
            Some(ip6) => ListenHost::Ip(IpAddr::V6(ip6.parse().map_err(|_| BadListen::Host)?)),
            None => host.parse().map(ListenHost::Ip).or_else(|_| name(host))?,
        };
        Ok(Self { host, port })
    }
}

fn parse_port(text: &str) -> Result<u16, BadListen> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number).ok_or(BadListen::Port)
}

/// A host name: labels of letters, digits and hyphens, the last not a number (so `300.1.1.1` is no name).
fn name(text: &str) -> Result<ListenHost, BadListen> {
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    let last_is_number = text.rsplit('.').next().is_some_and(|label| label.bytes().all(|byte| byte.is_ascii_digit()));
    if text.split('.').all(is_label) && !last_is_number { Ok(ListenHost::Name(text.to_owned())) } else { Err(BadListen::Host) }
}

/// Why the daemon cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// No address for a name.
    #[error("could not find an address for '{name}'")]
    Resolve {
        /// The name.
        name: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// The kernel refused.
    #[error("could not listen on {address}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What it said.
        source: io::Error,
    },
}

/// The addresses of these `--listen`, each once, with `port` where none is named. Asks the resolver for names.
pub fn resolve(listens: &[Listen], port: u16) -> Result<Vec<SocketAddr>, ListenError> {
    let mut addresses = Vec::new();
    for listen in listens {
        let port = listen.port.unwrap_or(port);
        let found = match &listen.host {
            ListenHost::Ip(ip) => vec![SocketAddr::new(*ip, port)],
            ListenHost::Name(name) => (name.as_str(), port)
                .to_socket_addrs()
                .map_err(|source| ListenError::Resolve { name: name.clone(), source })?
                .collect(),
        };
        for address in found {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
    }
    Ok(addresses)
}

/// Listens on each address, and goes on with what is `kept` there.
pub fn bind(addresses: &[SocketAddr], mut kept: Vec<TcpListener>) -> Result<Vec<TcpListener>, ListenError> {
    addresses.iter().map(|address| listen(*address, reach(*address, addresses), &mut kept)).collect()
}

/// Which connections reach one of these addresses.
fn reach(address: SocketAddr, addresses: &[SocketAddr]) -> Reach {
    let is_shared = addresses.iter().any(|other| other.is_ipv4() && other.port() == address.port());
    if is_shared && address.is_ipv6() { Reach::OwnFamily } else { Reach::Default }
}

/// Whether a socket listens on one of these addresses as it would if it were opened for them.
#[must_use]
pub fn fits(listener: &TcpListener, addresses: &[SocketAddr]) -> bool {
    let is_wild = |address: SocketAddr| address.is_ipv6() && address.ip().is_unspecified();
    let is_own = || SockRef::from(listener).only_v6().is_ok_and(|only| only);
    listener.local_addr().is_ok_and(|address| {
        addresses.contains(&address) && (!is_wild(address) || (reach(address, addresses) == Reach::OwnFamily) == is_own())
    })
}

/// Listens on 127.0.0.1 and, where the machine has it, `::1`, on the same port; port 0 is one that both have free.
pub fn bind_loopback(port: u16, mut kept: Vec<TcpListener>) -> Result<Vec<TcpListener>, ListenError> {
    let mut tries = PORT_TRIES;
    loop {
        let first = listen((Ipv4Addr::LOCALHOST, port).into(), Reach::Default, &mut kept)?;
        let chosen = first.local_addr().map_or(port, |address| address.port());
        match listen((Ipv6Addr::LOCALHOST, chosen).into(), Reach::Default, &mut kept) {
            Ok(second) => return Ok(vec![first, second]),
            Err(error) if has_no_ip6(&error) => return Ok(vec![first]),
            Err(_) if port == 0 && tries > 0 => tries -= 1,
            Err(error) => return Err(error),
        }
    }
}

fn has_no_ip6(error: &ListenError) -> bool {
    use nix::errno::Errno;
    let ListenError::Bind { source, .. } = error else { return false };
    let missing = [Errno::EADDRNOTAVAIL, Errno::EAFNOSUPPORT, Errno::EPROTONOSUPPORT];
    source.raw_os_error().is_some_and(|code| missing.iter().any(|errno| *errno as i32 == code))
}

/// Which connections reach an address.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// As the machine has it: `::` usually takes IPv4 as well.
    Default,
    /// IPv6 only: an address of IPv4 with the same port is listened on beside it.
    OwnFamily,
}

fn listen(address: SocketAddr, reach: Reach, kept: &mut Vec<TcpListener>) -> Result<TcpListener, ListenError> {
    if let Some(at) = kept.iter().position(|kept| kept.local_addr().is_ok_and(|own| own == address)) {
        return Ok(kept.swap_remove(at));
    }
    let open = || -> io::Result<TcpListener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        // A restart may listen again while connections of the last run still linger.
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        if reach == Reach::OwnFamily {
            socket.set_only_v6(true)?;
        }
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    };
    open().map_err(|source| ListenError::Bind { address, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_an_address_is_read() {
        for (text, shown) in [
            ("127.0.0.1", "127.0.0.1"),
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("::1", "::1"),
            ("[::1]", "::1"),
            ("[::1]:80", "[::1]:80"),
            ("localhost:0", "localhost:0"),
            ("my-host.example", "my-host.example"),
        ] {
            assert_eq!(text.parse::<Listen>().unwrap().to_string(), shown, "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in ["127.0.0.1:", "127.0.0.1:+1", "localhost:99999", "[::1]:x"] {
            assert_eq!(text.parse::<Listen>(), Err(BadListen::Port), "{text}");
        }
        for text in ["", ":80", "300.1.1.1", "1.2.3:80", "[fe80::zz]:80", "a b", "http://x", "a..b"] {
            assert!(text.parse::<Listen>().is_err(), "{text}");
        }
    }

    #[test]
    fn both_loopback_addresses_get_the_same_free_port() {
        let ports: Vec<_> = bind_loopback(0, Vec::new()).unwrap().iter().map(|l| l.local_addr().unwrap().port()).collect();
        assert!(ports.iter().all(|port| *port == ports[0] && *port != 0), "{ports:?}");
    }
}
