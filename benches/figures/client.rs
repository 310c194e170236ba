//! A client over a raw socket.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};

use super::process::PATIENCE;

/// Connects, and asks nothing yet.
pub(crate) fn connect(port: u16) -> io::Result<TcpStream> {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port))
}

/// Opens a stream of all events and waits for its `start` event: from then on it is idle until a line comes.
pub(crate) fn open_stream(port: u16) -> io::Result<TcpStream> {
    let mut socket = connect(port)?;
    prepare(&socket)?;
    ask(&mut socket, "/events")?;
    read_until(&mut socket, "event: start")?;
    Ok(socket)
}

/// Waits for the answer to a question that everybody may ask.
pub(crate) fn wait_for_answer(socket: &mut TcpStream) -> io::Result<()> {
    prepare(socket)?;
    ask(socket, "/healthz")?;
    read_until(socket, "HTTP/1.1 200 OK")
}

fn prepare(socket: &TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))
}

fn ask(socket: &mut TcpStream, path: &str) -> io::Result<()> {
    socket.write_all(format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").as_bytes())
}

/// Reads until this has come; what came behind it in the same read is thrown away.
fn read_until(socket: &mut TcpStream, text: &str) -> io::Result<()> {
    let (mut seen, mut block) = (Vec::new(), [0; 4096]);
    while !String::from_utf8_lossy(&seen).contains(text) {
        let count = socket.read(&mut block)?;
        if count == 0 {
            return Err(io::Error::other(format!("no {text:?} in the answer {:?}", String::from_utf8_lossy(&seen))));
        }
        seen.extend_from_slice(&block[..count]);
    }
    Ok(())
}
