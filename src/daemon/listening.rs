//! Where clients connect: sockets that the daemon opens, those that the last run has left open, or those of a socket unit.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use super::inherited::Inherited;
use super::keeping::Keeping;
use super::supervisor;
use crate::config::Addresses;
use crate::http::listener::{self, ListenError};

/// Listens. What the last run has left open goes on where it is still wanted, so that nobody is refused.
pub fn listen(addresses: &Addresses, inherited: &mut Inherited, keeping: &Keeping) -> Result<Vec<TcpListener>, ListenError> {
    let kept = std::mem::take(&mut inherited.kept);
    let port = match addresses {
        Addresses::Loopback(0) => free_port(&kept).unwrap_or(0),
        Addresses::Loopback(port) => *port,
        Addresses::These(_) | Addresses::Inherited(_) => 0,
    };
    let wanted = match addresses {
        Addresses::Loopback(_) => vec![(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()],
        Addresses::These(these) => these.clone(),
        Addresses::Inherited(_) => Vec::new(),
    };
    let kept = still_wanted(kept, &wanted, keeping);
    match addresses {
        Addresses::Loopback(_) => listener::bind_loopback(port, kept),
        Addresses::These(these) => listener::bind(these, kept),
        Addresses::Inherited(_) => Ok(std::mem::take(&mut inherited.listeners)),
    }
}

/// Lets those go that nobody wants any more. As long as the service manager holds one, nobody else can listen there.
fn still_wanted(kept: Vec<(String, TcpListener)>, wanted: &[SocketAddr], keeping: &Keeping) -> Vec<TcpListener> {
    let (wanted, over): (Vec<_>, Vec<_>) = kept.into_iter().partition(|(_, listener)| listener::fits(listener, wanted));
    for (name, _) in &over {
        supervisor::let_go(name);
    }
    if !over.is_empty() {
        supervisor::wait_until_done();
    }
    for (name, _) in &wanted {
        keeping.note(name);
    }
    wanted.into_iter().map(|(_, listener)| listener).collect()
}

/// The port that the last run has found free.
fn free_port(kept: &[(String, TcpListener)]) -> Option<u16> {
    let addresses = kept.iter().filter_map(|(_, listener)| listener.local_addr().ok());
    addresses.filter(|address| address.ip() == IpAddr::V4(Ipv4Addr::LOCALHOST)).map(|address| address.port()).next()
}
