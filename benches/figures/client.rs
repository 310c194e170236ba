//! A client over a raw socket.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::process::PATIENCE;

/// Between two questions for the counters: short beside the half second that is measured, and little work for the daemon.
const PAUSE: Duration = Duration::from_millis(4);

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

/// A connection on which the daemon's counters are read again and again.
pub(crate) struct Meter {
    socket: BufReader<TcpStream>,
}

impl Meter {
    /// Connects, and asks nothing yet.
    pub(crate) fn connect(port: u16) -> io::Result<Self> {
        let socket = connect(port)?;
        prepare(&socket)?;
        Ok(Self { socket: BufReader::new(socket) })
    }

    /// How many lines the daemon has read.
    pub(crate) fn lines(&mut self) -> io::Result<u64> {
        ask(self.socket.get_mut(), "/metrics")?;
        let mut length = 0;
        loop {
            let mut field = String::new();
            self.socket.read_line(&mut field)?;
            match field.trim_end().split_once(": ") {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.parse().unwrap_or(0),
                None if field.trim_end().is_empty() => break,
                _ => {}
            }
        }
        let mut body = vec![0; length];
        self.socket.read_exact(&mut body)?;
        let body = String::from_utf8_lossy(&body);
        let value = body.lines().find_map(|line| line.strip_prefix("sse_bridge_input_lines_total "));
        let value = value.and_then(|value| value.parse().ok());
        value.ok_or_else(|| io::Error::other(format!("no count of lines in {body:?}")))
    }

    /// Waits until it has read so many, and gives the time of the answer that says so.
    pub(crate) fn wait_for_lines(&mut self, lines: u64) -> io::Result<Instant> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let read = self.lines()?;
            let now = Instant::now();
            match read {
                read if read == lines => return Ok(now),
                read if read > lines || now > deadline => {
                    return Err(io::Error::other(format!("{lines} lines were written, and {read} were read")));
                }
                _ => thread::sleep(PAUSE),
            }
        }
    }
}
