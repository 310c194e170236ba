//! A connection on which a test says what it likes, byte for byte, and what the daemon's counters say meanwhile.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use socket2::SockRef;

use crate::harness::{self, Bridge, connect};

/// What happens at once happens before this, also on a loaded machine; the daemon's own limits for silent clients are 10 s, so
/// what takes longer was done by them.
pub const AT_ONCE: Duration = Duration::from_secs(8);

/// A connection over which nothing is sent but what the test says.
pub struct Wire(BufReader<TcpStream>);

impl Wire {
    pub fn to(bridge: &Bridge) -> Self {
        let socket = connect(bridge.port);
        socket.set_read_timeout(Some(AT_ONCE)).unwrap();
        Self(BufReader::new(socket))
    }

    /// Sends bytes. A peer that has closed already is no failure here: what it answered is still to be read.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        match self.0.get_mut().write_all(bytes.as_ref()) {
            Err(error) if !matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => panic!("send: {error}"),
            _ => self,
        }
    }

    /// The next answer to a GET, with the body that its head promises.
    pub fn answer(&mut self) -> Answer {
        let head = self.head();
        let mut body = vec![0; field(&head, "content-length").map_or(0, |length| length.parse().unwrap())];
        self.0.read_exact(&mut body).unwrap_or_else(|error| panic!("no body: {error}; behind {head}"));
        Answer { head, body: String::from_utf8(body).unwrap() }
    }

    /// The next answer's head, and no more: what stands behind it is still to be read.
    pub fn head(&mut self) -> String {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let count = self.0.read_line(&mut head).unwrap_or_else(|error| panic!("no head: {error}; so far {head:?}"));
            assert!(count > 0, "the connection ended inside a head: {head:?}");
        }
        head
    }

    /// What one read gives: bytes that came together.
    pub fn burst(&mut self) -> String {
        let burst = self.0.fill_buf().unwrap();
        let text = String::from_utf8(burst.to_vec()).unwrap();
        let length = burst.len();
        self.0.consume(length);
        text
    }

    /// Reads until a text has come, and gives everything up to it.
    pub fn until(&mut self, text: &str) -> String {
        let mut seen = Vec::new();
        while !seen.ends_with(text.as_bytes()) {
            let mut byte = [0];
            let read = self.0.read_exact(&mut byte);
            read.unwrap_or_else(|error| panic!("waited for {text:?}: {error}; seen {:?}", String::from_utf8_lossy(&seen)));
            seen.push(byte[0]);
        }
        String::from_utf8(seen).unwrap()
    }

    /// Everything until the daemon ends the connection, which it must do at once. That it does so with a reset, because it has
    /// not read all we sent, is fine.
    pub fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        match self.0.read_to_end(&mut bytes) {
            Err(error) if error.kind() != ErrorKind::ConnectionReset => {
                panic!("the connection does not end: {error}; so far {:?}", String::from_utf8_lossy(&bytes))
            }
            _ => String::from_utf8_lossy(&bytes).into_owned(),
        }
    }

    /// Whether nothing comes for so long: for tests of what must not happen.
    pub fn is_silent_for(&mut self, time: Duration) -> bool {
        self.0.get_ref().set_read_timeout(Some(time)).unwrap();
        let is_silent = self.0.fill_buf().is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
        self.0.get_ref().set_read_timeout(Some(AT_ONCE)).unwrap();
        is_silent
    }

    /// Says that nothing more will be sent, and goes on reading.
    pub fn half_close(&mut self) -> &mut Self {
        // Nobody is left to be told if the daemon has ended the connection already.
        let _ = self.0.get_ref().shutdown(Shutdown::Write);
        self
    }

    /// The port on our side, by which the daemon knows this connection.
    pub fn port(&mut self) -> u16 {
        self.0.get_ref().local_addr().unwrap().port()
    }

    /// The socket itself. Nothing may have been read ahead of what the test has taken.
    pub fn socket(&mut self) -> &mut TcpStream {
        assert!(self.0.buffer().is_empty(), "bytes that were read already would be lost");
        self.0.get_mut()
    }
}

/// Ends a connection with a reset.
pub fn reset(socket: TcpStream) {
    SockRef::from(&socket).set_linger(Some(Duration::ZERO)).unwrap();
}

/// An answer, whole.
#[derive(Debug)]
pub struct Answer {
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn status(&self) -> u16 {
        status(&self.head)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        field(&self.head, name)
    }
}

/// The status of the first answer in what came.
pub fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_else(|| panic!("no status in {answer:?}"))
}

/// A field of the first head in what came.
pub fn field<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let head = answer.split("\r\n\r\n").next()?;
    let mut fields = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    fields.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// Whether a text is one line for people.
pub fn is_one_line(text: &str) -> bool {
    text.len() > 1 && text.ends_with('\n') && text.lines().count() == 1 && !text.contains('\r')
}

/// A plain request for a path.
pub fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

/// What a counter or gauge of the daemon stands at.
pub fn metric(bridge: &Bridge, name: &str) -> u64 {
    bridge.metric(name)
}

/// Waits until a counter or gauge stands at a value.
pub fn wait_for_metric(bridge: &Bridge, name: &str, value: u64) {
    eventually(&format!("{name} {value}"), || metric(bridge, name) == value);
}

/// Waits until something is so that can only be asked for, not heard.
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    harness::eventually(what, &mut is_so, |is| *is);
}
