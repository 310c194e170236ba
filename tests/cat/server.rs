//! Servers that are none of ours: each says what it is told to, to one client after the other.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

/// A server that is not ours.
pub struct Server {
    pub port: u16,
    /// The heads of the requests that it got.
    pub requests: Receiver<String>,
}

impl Server {
    /// Has each request answered by `answer`, which is given its number and the connection.
    pub fn start(mut answer: impl FnMut(usize, &mut TcpStream) + Send + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, requests) = channel();
        thread::spawn(move || {
            for (number, socket) in listener.incoming().enumerate() {
                let mut socket = socket.unwrap();
                let head = head(&mut socket);
                let _ = sender.send(head);
                answer(number, &mut socket);
            }
        });
        Self { port, requests }
    }

    /// Has each request answered by the text of its number, the last one again and again.
    pub fn saying(answers: &[&str]) -> Self {
        let answers: Vec<_> = answers.iter().map(|answer| (*answer).to_owned()).collect();
        Self::start(move |number, socket| {
            let _ = socket.write_all(answers[number.min(answers.len() - 1)].as_bytes());
        })
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The head of the next request.
    pub fn request(&self) -> String {
        self.requests.recv_timeout(crate::harness::PATIENCE).expect("a request")
    }
}

fn head(socket: &mut TcpStream) -> String {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && socket.read(&mut byte).unwrap_or(0) > 0 {
        head.push(byte[0]);
    }
    String::from_utf8_lossy(&head).into_owned()
}

/// An answer with a length.
pub fn answer(status: &str, fields: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{fields}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

/// The head of an event stream that ends with its connection, which is then no clean end.
pub const STREAM: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

/// A chunk.
pub fn chunk(body: &str) -> String {
    format!("{:x}\r\n{body}\r\n", body.len())
}

/// The last chunk: a clean end.
pub const LAST: &str = "0\r\n\r\n";
