//! A small TCP proxy that delivers a server's wire in an unkind way.
//!
//! What the client sends passes through as it is; what the server sends is cut by a [`Plan`]. Bytes are bytes: all plans but
//! one, which reads the request, serve HTTP/2 as well, whose first words end like a head. Each [`Cutter`] has a port of
//! its own, so a browser's limit of six connections to one host does not touch the matrix.

use std::{
    collections::HashSet,
    io::{self, Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use socket2::{Domain, Socket, Type};

/// Between two pieces, so that the reader has each by itself: no event tells when a peer has read.
const PAUSE: Duration = Duration::from_micros(50);

/// The receive buffer of a stalling reader: the server's writes stop soon.
const SMALL_BUFFER: usize = 16 * 1024;

/// How the server's bytes come to the client.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Plan {
    /// In pieces of so many bytes, one write each.
    Pieces(usize),
    /// The connection breaks after so many bytes of the body as the request's `break=` says, the first time that this is
    /// asked for.
    Break,
    /// The first connection breaks after so many bytes of whatever the server says.
    BreakOnce(usize),
    /// After so many bytes nothing is read for a while; then the rest comes.
    Stall {
        /// Bytes that pass before.
        after: usize,
        /// How long nothing is read.
        pause: Duration,
    },
}

/// The proxy; it ends when dropped.
pub(crate) struct Cutter {
    /// Where it listens.
    pub(crate) port: u16,
    shared: Arc<Shared>,
    listening: Option<JoinHandle<()>>,
}

struct Shared {
    upstream: u16,
    plan: Plan,
    is_over: AtomicBool,
    /// The request lines (of HTTP/2: what stands in their place) whose connection has been broken.
    broken: Mutex<HashSet<String>>,
}

impl Cutter {
    /// Stands before the server on `upstream`.
    pub(crate) fn start(upstream: u16, plan: Plan) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared { upstream, plan, is_over: AtomicBool::new(false), broken: Mutex::default() });
        let listening = thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.accept(&listener)
        });
        Ok(Self { port, shared, listening: Some(listening) })
    }
}

impl Drop for Cutter {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        let woken = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        if let (Ok(_), Some(listening)) = (woken, self.listening.take()) {
            let _ = listening.join();
        }
    }
}

impl Shared {
    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for client in listener.incoming() {
            if self.is_over.load(Ordering::Relaxed) {
                return;
            }
            let shared = Arc::clone(self);
            // A connection that fails is the client's to tell: it hears too little.
            thread::spawn(move || client.and_then(|client| shared.pass(client)));
        }
    }

    /// Serves one connection to its end.
    fn pass(&self, mut client: TcpStream) -> io::Result<()> {
        client.set_nodelay(true)?;
        let mut server = self.connect()?;
        let head = read_head(&mut client)?;
        server.write_all(&self.request(&head))?;
        let requests = thread::spawn({
            let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
            // The client has gone: the server must learn of it.
            move || io::copy(&mut from, &mut to).and_then(|_| to.shutdown(Shutdown::Both))
        });
        let passed = self.deliver(&head, &mut server, &mut client);
        // This wakes the other thread; the client's connection ends when both have dropped its socket.
        let _ = client.shutdown(Shutdown::Read);
        let _ = server.shutdown(Shutdown::Both);
        let _ = requests.join();
        passed
    }

    fn connect(&self) -> io::Result<TcpStream> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        if let Plan::Stall { .. } = self.plan {
            socket.set_recv_buffer_size(SMALL_BUFFER)?;
        }
        socket.connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, self.upstream)).into())?;
        Ok(socket.into())
    }

    /// The request as it goes on: where the request names the break, no connection may serve a second one.
    fn request(&self, head: &[u8]) -> Vec<u8> {
        let mut request = head.to_vec();
        if let Plan::Break = self.plan {
            let blank = request.len() - 2;
            request.splice(blank..blank, *b"Connection: close\r\n");
        }
        request
    }

    fn deliver(&self, head: &[u8], server: &mut TcpStream, client: &mut TcpStream) -> io::Result<()> {
        match self.plan {
            Plan::Pieces(size) => pieces(server, client, size)?,
            Plan::Break => {
                if let Some(after) = self.first_break(head) {
                    return break_after(server, client, after);
                }
            }
            Plan::BreakOnce(after) => {
                if self.is_first(&String::from_utf8_lossy(head)) {
                    return io::copy(&mut server.take(after as u64), client).map(drop);
                }
            }
            Plan::Stall { after, pause } => {
                io::copy(&mut server.take(after as u64), client)?;
                thread::sleep(pause);
            }
        }
        io::copy(server, client).map(drop)
    }

    /// Where the connection of this request breaks, if its request line is new.
    fn first_break(&self, head: &[u8]) -> Option<usize> {
        let head = String::from_utf8_lossy(head);
        let line = head.lines().next()?;
        let (_, value) = line.split_once("break=")?;
        let digits = value.split(|c: char| !c.is_ascii_digit()).next()?;
        self.is_first(line).then(|| digits.parse().ok())?
    }

    /// Whether no connection of this request has been broken yet; from now on, one has.
    fn is_first(&self, line: &str) -> bool {
        self.broken.lock().unwrap_or_else(PoisonError::into_inner).insert(line.to_owned())
    }
}

fn read_head(socket: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        socket.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(head)
}

fn pieces(server: &mut TcpStream, client: &mut TcpStream, size: usize) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let count = server.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        for piece in buffer[..count].chunks(size) {
            client.write_all(piece)?;
            thread::sleep(PAUSE);
        }
    }
}

/// Passes the head and so many bytes of what follows; then the connection ends.
fn break_after(server: &mut TcpStream, client: &mut TcpStream, after: usize) -> io::Result<()> {
    client.write_all(&read_head(server)?)?;
    io::copy(&mut server.take(after as u64), client).map(drop)
}
