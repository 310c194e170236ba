//! Clients that come back with their last id, as an `EventSource` does, for as long as they are there; and write down everything.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::harness::PATIENCE;
use crate::harness::parser::Parser;
use crate::record::Record;

/// How a client reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// What comes.
    Full,
    /// A little at a time, through a small window, until it is told to hurry.
    Slow,
}

/// What a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    Http1,
    /// With prior knowledge, by curl.
    Http2,
}

/// What all threads know of a client.
#[derive(Default)]
struct Shared {
    record: Mutex<Record>,
    bell: Condvar,
    /// What interrupts its reading; and whether it is to end, to hurry.
    steering: Mutex<Steering>,
}

#[derive(Default)]
struct Steering {
    connection: Option<Connection>,
    ends: bool,
    hurries: bool,
}

/// What can be hung up from another thread.
enum Connection {
    Socket(TcpStream),
    Curl(Child),
}

impl Connection {
    fn hang_up(&mut self) {
        let _ = match self {
            Self::Socket(socket) => socket.shutdown(Shutdown::Both),
            Self::Curl(child) => child.kill().and_then(|()| child.wait().map(drop)),
        };
    }
}

/// A client that comes back; it ends on drop.
pub struct Client {
    name: String,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Client {
    /// Asks a port for a path; whenever the stream ends, asks again with the last id.
    pub fn of(port: u16, path: &str, pace: Pace, speaks: Speaks) -> Self {
        let shared = Arc::<Shared>::default();
        let visitor = Visitor { port, path: path.to_owned(), pace, speaks, shared: Arc::clone(&shared) };
        let name = format!("the client of {path} ({speaks:?}, {pace:?})");
        Self { name, shared, thread: Some(thread::spawn(move || visitor.come_and_go())) }
    }

    /// What it has seen so far.
    pub fn record(&self) -> MutexGuard<'_, Record> {
        self.shared.record.lock().unwrap()
    }

    /// Waits until it has seen enough.
    #[track_caller]
    pub fn wait(&self, what: &str, is_enough: impl Fn(&Record) -> bool) {
        let is_waiting = |record: &mut Record| record.failure.is_none() && !is_enough(record);
        let (record, _) = self.shared.bell.wait_timeout_while(self.record(), PATIENCE, is_waiting).unwrap();
        assert!(record.failure.is_none(), "{}: {}", self.name, record.failure.as_deref().unwrap_or_default());
        let is_good = is_enough(&record);
        let newest = &record.seen[record.seen.len().saturating_sub(3)..];
        assert!(
            is_good,
            "{} waited {PATIENCE:?} for {what}; it has seen {} events and {} gaps in {} streams, at last {newest:?}, {:?}",
            self.name,
            record.seen.len(),
            record.gaps.len(),
            record.streams,
            record.gaps.last(),
        );
    }

    /// Waits for so many events.
    #[track_caller]
    pub fn wait_for(&self, count: usize) {
        self.wait(&format!("{count} events"), |record| record.seen.len() >= count);
    }

    /// Reads at full speed from now on.
    pub fn hurry(&self) {
        self.shared.steering.lock().unwrap().hurries = true;
    }

    /// Breaks its connection; it comes back.
    pub fn hang_up(&self) {
        if let Some(connection) = &mut self.shared.steering.lock().unwrap().connection {
            connection.hang_up();
        }
    }

    /// Goes away for good, and gives what it has seen.
    pub fn end(mut self) -> Record {
        self.go_away();
        std::mem::take(&mut *self.record())
    }

    fn go_away(&mut self) {
        self.shared.steering.lock().unwrap().ends = true;
        self.hang_up();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.go_away();
    }
}

/// The thread of a client.
struct Visitor {
    port: u16,
    path: String,
    pace: Pace,
    speaks: Speaks,
    shared: Arc<Shared>,
}

impl Visitor {
    fn come_and_go(&self) {
        let mut since = Instant::now();
        loop {
            match self.visit() {
                Ok(true) => since = Instant::now(),
                Ok(false) => {}
                Err(failure) => return self.note(|record| record.failure = Some(failure)),
            }
            if self.shared.steering.lock().unwrap().ends || self.shared.record.lock().unwrap().is_over {
                return;
            }
            if since.elapsed() > PATIENCE {
                return self.note(|record| record.failure = Some(format!("nobody answers for {PATIENCE:?}")));
            }
            thread::sleep(Duration::from_millis(2)); // before it asks again; nothing is guessed by this
        }
    }

    fn note(&self, change: impl FnOnce(&mut Record)) {
        change(&mut self.shared.record.lock().unwrap());
        self.shared.bell.notify_all();
    }

    /// One stream, to its end; whether there was one.
    fn visit(&self) -> Result<bool, String> {
        let id = self.shared.record.lock().unwrap().last_id.clone();
        let body = match self.speaks {
            Speaks::Http1 => self.over_http1(&id)?,
            Speaks::Http2 => self.over_http2(&id),
        };
        let Some(mut body) = body else { return Ok(false) };
        let (mut parser, mut is_first) = (Parser::new(), true);
        let mut block = vec![0; if self.pace == Pace::Slow { 8192 } else { 65536 }];
        loop {
            // Cut or ended: both come back.
            let count = body.read(&mut block).unwrap_or(0);
            if count == 0 {
                self.note(|record| record.is_connected = false);
                return Ok(!is_first);
            }
            let messages = parser.push(&block[..count]);
            if let Some(violation) = parser.violations().first() {
                return Err(format!("the stream breaks its promise: {violation}"));
            }
            self.note(|record| {
                record.streams += usize::from(is_first);
                record.is_connected = true;
                messages.iter().for_each(|message| record.take(message));
            });
            is_first = false;
            if self.pace == Pace::Slow && !self.shared.steering.lock().unwrap().hurries {
                thread::sleep(Duration::from_millis(2)); // it is slow
            }
        }
    }

    /// The body of an answer over HTTP/1.1, if somebody answers.
    fn over_http1(&self, id: &str) -> Result<Option<Box<dyn Read>>, String> {
        let Ok(mut socket) = self.connect() else { return Ok(None) };
        let id = if id.is_empty() { String::new() } else { format!("Last-Event-ID: {id}\r\n") };
        let request = format!("GET {} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n{id}\r\n", self.path, self.port);
        if !self.is_interruptible(Connection::Socket(socket.try_clone().unwrap())) || socket.write_all(request.as_bytes()).is_err()
        {
            return Ok(None);
        }
        let (mut socket, mut head) = (BufReader::new(socket), String::new());
        while !head.ends_with("\r\n\r\n") {
            if !matches!(socket.read_line(&mut head), Ok(1..)) {
                return Ok(None);
            }
        }
        match head.split(' ').nth(1) {
            Some("200") => Ok(Some(Box::new(Chunks { socket, left: 0 }))),
            Some("204") => {
                self.note(|record| record.is_over = true);
                Ok(None)
            }
            _ => Err(format!("was answered {head:?} with the id {id:?}")),
        }
    }

    fn connect(&self) -> io::Result<TcpStream> {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
        if self.pace == Pace::Slow {
            socket.set_recv_buffer_size(16 << 10)?;
        }
        socket.connect(&std::net::SocketAddr::from(([127, 0, 0, 1], self.port)).into())?;
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(socket.into())
    }

    /// The body over HTTP/2; curl says nothing of how it ends.
    fn over_http2(&self, id: &str) -> Option<Box<dyn Read>> {
        let (body, into) = UnixStream::pair().unwrap();
        let mut curl = Command::new("curl");
        curl.args(["--http2-prior-knowledge", "-sN", "--fail", "--noproxy", "*", "-H", "Accept: text/event-stream"]);
        if !id.is_empty() {
            curl.args(["-H", &format!("Last-Event-ID: {id}")]);
        }
        curl.arg(format!("http://127.0.0.1:{}{}", self.port, self.path));
        let into: std::os::fd::OwnedFd = into.into();
        let child = curl.stdin(Stdio::null()).stdout(into).spawn().expect("curl (tests/install)");
        drop(curl); // and with it our end of what curl writes to
        self.is_interruptible(Connection::Curl(child)).then(|| Box::new(body) as Box<dyn Read>)
    }

    /// Lets other threads hang up; not if the client ends.
    fn is_interruptible(&self, mut connection: Connection) -> bool {
        let mut steering = self.shared.steering.lock().unwrap();
        if steering.ends {
            connection.hang_up();
            return false;
        }
        if let Some(mut before) = steering.connection.replace(connection) {
            before.hang_up(); // has ended; a process wants to be waited for
        }
        true
    }
}

/// A body in chunks, without their frames.
struct Chunks {
    socket: BufReader<TcpStream>,
    /// What is left of the chunk.
    left: usize,
}

impl Read for Chunks {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.left == 0 {
            let mut size = String::new();
            self.socket.read_line(&mut size)?;
            if size == "\r\n" {
                continue; // the end of the one before
            }
            self.left = usize::from_str_radix(size.trim_end(), 16).map_err(io::Error::other)?;
            if self.left == 0 {
                return Ok(0);
            }
        }
        let room = into.len().min(self.left);
        let count = self.socket.read(&mut into[..room])?;
        self.left -= count;
        Ok(count)
    }
}
