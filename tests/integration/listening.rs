//! Where it listens, and what it says of that.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};

use crate::harness::{Bridge, command, run_to_end};
use crate::shell::own_address;
use crate::wire::{Wire, eventually, get};

/// The addresses that the daemon says, once there are so many.
fn addresses(bridge: &Bridge, count: usize) -> Vec<SocketAddr> {
    eventually(&format!("{count} ready lines"), || bridge.stderr().matches('\n').count() >= count);
    let said = bridge.stderr();
    let urls = said.lines().map(|line| line.strip_prefix("listening on http://").unwrap_or_else(|| panic!("{said}")));
    let addresses: Vec<_> = urls.map(|url| url.strip_suffix('/').unwrap().parse().unwrap()).collect();
    assert_eq!(addresses.len(), count, "{said}");
    for address in &addresses {
        TcpStream::connect(address).unwrap_or_else(|error| panic!("{address}: {error}"));
    }
    addresses
}

/// A daemon with exactly these arguments.
fn bridge(arguments: &[&str]) -> Bridge {
    Bridge::spawn(command(arguments))
}

#[test]
fn without_a_word_it_listens_on_both_loopback_addresses() {
    for _ in 0..10 {
        let both = addresses(&bridge(&["--port", "0"]), 2);
        assert_eq!(both[0].ip(), Ipv4Addr::LOCALHOST, "the one that works everywhere comes first");
        assert_eq!(both[1].ip(), Ipv6Addr::LOCALHOST);
        assert_eq!(both[0].port(), both[1].port());
    }
}

#[test]
fn each_address_that_was_said_gets_its_line_in_order() {
    let (one, two) = (own_address(), own_address());
    let bridge = bridge(&["--listen", &format!("{one}:7001"), "--listen", "[::1]:0", "--listen", &format!("{two}:7002")]);
    let said = addresses(&bridge, 3);
    assert_eq!((said[0], said[2]), ((one, 7001).into(), (two, 7002).into()));
    assert!(said[1].ip() == Ipv6Addr::LOCALHOST && said[1].port() != 0);
}

#[test]
fn every_form_of_an_address_is_understood() {
    let own = own_address().to_string();
    for (said, ip) in [
        (&*own, own.parse::<IpAddr>().unwrap()),
        (&format!("{own}:0"), own.parse().unwrap()),
        ("::1", Ipv6Addr::LOCALHOST.into()),
        ("[::1]", Ipv6Addr::LOCALHOST.into()),
        ("[::1]:0", Ipv6Addr::LOCALHOST.into()),
        ("0:0:0:0:0:0:0:1", Ipv6Addr::LOCALHOST.into()),
    ] {
        let address = addresses(&bridge(&["--port", "0", "--listen", said]), 1)[0];
        assert!(address.ip() == ip && address.port() != 0, "{said}: {address}");
    }
}

#[test]
fn a_name_is_resolved_and_passes_as_a_host() {
    for said in ["localhost:0", "localhost", "LOCALHOST:0"] {
        let bridge = bridge(&["--port", "0", "--listen", said]);
        assert!(bridge.stderr().starts_with("listening on http://"), "{}", bridge.stderr());
        for line in bridge.stderr().lines() {
            let address: SocketAddr = line.trim_start_matches("listening on http://").trim_end_matches('/').parse().unwrap();
            assert!(address.ip().is_loopback(), "{line}");
        }
    }
}

#[test]
fn the_port_is_for_those_that_name_none() {
    let (one, two) = (own_address(), own_address());
    let bridge = bridge(&["--port", "7003", "--listen", &one.to_string(), "--listen", &format!("{two}:7004")]);
    assert_eq!(addresses(&bridge, 2), [(one, 7003).into(), (two, 7004).into()]);
}

#[test]
fn an_address_said_twice_is_one() {
    let own = own_address();
    let said = format!("{own}:7005");
    let bridge = bridge(&["--port", "7005", "--listen", &said, "--listen", &own.to_string(), "--listen", &said]);
    assert_eq!(addresses(&bridge, 1), [(own, 7005).into()]);
}

#[test]
fn if_one_address_cannot_be_had_none_is_said() {
    let (free, taken) = (own_address(), own_address());
    let _holder = TcpListener::bind((taken, 7006)).unwrap();
    let arguments = ["--port", "7006", "--listen", &free.to_string(), "--listen", &taken.to_string()];
    let (code, _, err) = run_to_end(&arguments, std::process::Stdio::null());
    assert!(code == 75 && err.lines().count() == 1 && err.contains(&format!("{taken}:7006")), "{code}: {err}");
}

#[test]
fn both_loopback_addresses_or_none() {
    // Somebody else has the port on one of the two.
    for holder in [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()] {
        let holder = TcpListener::bind((holder, 0)).unwrap();
        let address = holder.local_addr().unwrap();
        let (code, _, err) = run_to_end(&["--port", &address.port().to_string()], std::process::Stdio::null());
        assert!(code == 75 && err.contains(&address.to_string()) && err.contains("--port 0"), "{address}: {code}: {err}");
    }
}

#[test]
fn it_can_start_again_at_once_where_clients_were_connected() {
    let said = format!("{}:7007", own_address());
    for _ in 0..3 {
        let mut bridge = bridge(&["--listen", &said]);
        let mut client = TcpStream::connect(&said).unwrap();
        std::io::Write::write_all(&mut client, get("/events").as_bytes()).unwrap();
        std::io::Read::read_exact(&mut client, &mut [0; 15]).unwrap();
        bridge.signal("KILL");
        assert_eq!(bridge.wait(), -1);
    }
}

#[test]
fn all_addresses_show_the_same() {
    let mut bridge = Bridge::start(&[]);
    let both = addresses(&bridge, 2);
    let mut streams = both.into_iter().map(|address| {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(crate::harness::PATIENCE)).unwrap();
        std::io::Write::write_all(&mut stream, get("/events?format=text").replace("1.1", "1.0").as_bytes()).unwrap();
        stream
    });
    let mut streams = [streams.next().unwrap(), streams.next().unwrap()];
    crate::wire::wait_for_metric(&bridge, "clients", 2);
    bridge.feed(b"one\n");
    bridge.end_input();
    for stream in &mut streams {
        let mut text = String::new();
        std::io::Read::read_to_string(stream, &mut text).unwrap();
        assert!(text.ends_with("\r\n\r\none\n"), "{text}");
    }
    assert_eq!(Wire::to(&bridge).send(get("/healthz")).answer().status(), 200);
}
