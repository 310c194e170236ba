//! The web server of the browsers' page: it hands out the page and the list of streams and takes back what was heard.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread::{self, JoinHandle},
};

use super::stream::{Heard, Stream};

/// What the page posts back.
pub(crate) enum Post {
    /// What was heard of one stream.
    Heard(Heard),
    /// An error of the page itself.
    Trouble(String),
}

/// The server of one browser's page; it ends when dropped.
pub(crate) struct Page {
    port: u16,
    /// What the page posts.
    pub(crate) posts: Receiver<Post>,
    is_over: Arc<AtomicBool>,
    listening: Option<JoinHandle<()>>,
}

/// What every connection needs.
#[derive(Clone)]
struct Service {
    streams: Arc<str>,
    posts: Sender<Post>,
}

impl Page {
    /// Serves the page for these streams.
    pub(crate) fn serve(streams: &[Stream]) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let (sender, posts) = channel();
        let service = Service { streams: serde_json::to_string(streams)?.into(), posts: sender };
        let is_over = Arc::new(AtomicBool::new(false));
        let listening = thread::spawn({
            let is_over = Arc::clone(&is_over);
            move || service.accept(&listener, &is_over)
        });
        Ok(Self { port, posts, is_over, listening: Some(listening) })
    }

    /// Where the page is.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        let woken = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        if let (Ok(_), Some(listening)) = (woken, self.listening.take()) {
            let _ = listening.join();
        }
    }
}

impl Service {
    fn accept(&self, listener: &TcpListener, is_over: &AtomicBool) {
        for socket in listener.incoming() {
            if is_over.load(Ordering::Relaxed) {
                return;
            }
            let service = self.clone();
            // A connection that fails is a stream without an answer, and the runner names it.
            thread::spawn(move || socket.and_then(|socket| service.answer(&socket)));
        }
    }

    /// Serves one request; the connection ends with it.
    fn answer(&self, socket: &TcpStream) -> io::Result<()> {
        let mut input = BufReader::new(socket);
        let (request, body_length) = read_head(&mut input)?;
        let mut body = vec![0; body_length];
        input.read_exact(&mut body)?;
        let (status, kind, content) = self.respond(&request, &body);
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n",
            content.len()
        );
        (&*socket).write_all(head.as_bytes())?;
        (&*socket).write_all(content.as_bytes())
    }

    fn respond<'a>(&'a self, request: &str, body: &[u8]) -> (&'static str, &'static str, &'a str) {
        match request {
            "GET /" => ("200 OK", "text/html; charset=utf-8", include_str!("browser/index.html")),
            "GET /page.mjs" => ("200 OK", "text/javascript", include_str!("browser/page.mjs")),
            "GET /follow.mjs" => ("200 OK", "text/javascript", include_str!("browser/follow.mjs")),
            "GET /streams.json" => ("200 OK", "application/json", &self.streams),
            "POST /heard" => self.take(serde_json::from_slice(body).map(Post::Heard)),
            "POST /trouble" => self.take(serde_json::from_slice(body).map(Post::Trouble)),
            _ => ("404 Not Found", "text/plain", ""),
        }
    }

    fn take(&self, post: serde_json::Result<Post>) -> (&'static str, &'static str, &'static str) {
        let post = post.unwrap_or_else(|cause| Post::Trouble(format!("the page posted what is not the expected JSON: {cause}")));
        // Nobody listens any more once the runner has given up.
        let _ = self.posts.send(post);
        ("200 OK", "text/plain", "")
    }
}

/// Method and path, and the length of the body.
fn read_head(input: &mut impl BufRead) -> io::Result<(String, usize)> {
    let mut line = String::new();
    input.read_line(&mut line)?;
    let request = line.rsplit_once(' ').map_or("", |(request, _)| request).to_owned();
    let mut length = 0;
    while !line.trim_end().is_empty() {
        line.clear();
        input.read_line(&mut line)?;
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
    }
    Ok((request, length))
}
