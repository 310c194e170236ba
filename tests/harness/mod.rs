//! What every test stands on: the real binary over real sockets, and a client that hides nothing.
//!
//! [`Bridge`] starts the daemon with a pipe as its standard input and learns its port from the ready line. [`Get`] is a raw
//! HTTP/1.1 client: it shows the head as it came and the body piece by piece. Both end on drop, and every wait has a bound
//! whose message says what had been seen until then.
#![allow(dead_code, reason = "each test target uses a part of this")]
#![allow(
    clippy::pedantic,
    clippy::type_complexity,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests panic and print on purpose"
)]

pub mod bytes;
pub mod parser;

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use parser::{Message, Parser};

/// No wait is longer: far more than a loaded machine needs, far less than a person waits.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// `small` in a usual run, `full` in `tests/run --long`: the one place that reads the variable.
pub fn scale<T>(small: T, full: T) -> T {
    if std::env::var("SSE_BRIDGE_TEST_COUNTS").is_ok_and(|counts| counts == "full") { full } else { small }
}

/// The seed of everything random, from `SSE_BRIDGE_TEST_SEED` or the clock; printed, so that a failure can be repeated.
pub fn seed() -> u64 {
    let given = std::env::var("SSE_BRIDGE_TEST_SEED").ok().and_then(|text| text.parse().ok());
    let seed = given.unwrap_or_else(|| u64::from(std::time::UNIX_EPOCH.elapsed().unwrap().subsec_nanos()) | 1);
    println!("seed {seed}; {}", how_to_repeat(seed));
    seed
}

/// The command that runs this test again with the same random choices.
pub fn how_to_repeat(seed: u64) -> String {
    let (counts, target) = (scale("small", "full"), env!("CARGO_CRATE_NAME"));
    let thread = thread::current();
    // The harness of Rust names a test's thread after it, but for a single one at a time.
    let test = thread.name().filter(|name| *name != "main").map(|name| format!(" -- --exact {name}")).unwrap_or_default();
    format!("to repeat it: SSE_BRIDGE_TEST_COUNTS={counts} SSE_BRIDGE_TEST_SEED={seed} cargo test --test {target}{test}")
}

/// A small generator of repeatable numbers (xorshift64*).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.max(1))
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33).unwrap() % bound
    }
}

/// A command line of the daemon, before it runs.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sse-bridge"));
    command.args(arguments).env_remove("STATE_DIRECTORY");
    command
}

/// Runs the daemon where it is expected to end by itself; gives its exit code, standard output and standard error.
pub fn run_to_end(arguments: &[&str], stdin: Stdio) -> (i32, String, String) {
    let mut child = command(arguments).stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (out, err) = (Collected::of(child.stdout.take().unwrap()), Collected::of(child.stderr.take().unwrap()));
    let status = wait_for_exit(&mut child).unwrap_or_else(|| {
        let _ = child.kill();
        panic!("sse-bridge {arguments:?} still runs after {PATIENCE:?}; standard error:\n{}", err.text());
    });
    (status.code().unwrap_or(-1), out.whole(), err.whole())
}

fn wait_for_exit(child: &mut Child) -> Option<ExitStatus> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        thread::sleep(Duration::from_millis(2)); // waitpid has no time limit; nothing is guessed by this
    }
    None
}

/// What somebody writes, collected by a thread of its own as it comes; and whether it has ended.
#[derive(Clone)]
pub struct Collected(Arc<(Mutex<(Vec<u8>, bool)>, Condvar)>);

impl Collected {
    pub fn of(mut from: impl Read + Send + 'static) -> Self {
        let collected = Self(Arc::default());
        let into = collected.clone();
        thread::spawn(move || {
            let mut block = [0; 65536];
            loop {
                let count = from.read(&mut block).unwrap_or(0);
                let mut state = into.0.0.lock().unwrap();
                state.0.extend_from_slice(&block[..count]);
                state.1 = count == 0;
                into.0.1.notify_all();
                if count == 0 {
                    return;
                }
            }
        });
        collected
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.0.0.lock().unwrap().0.clone()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    /// Waits until `found` is true of all that has come, and gives it.
    pub fn wait(&self, what: &str, mut found: impl FnMut(&[u8]) -> bool) -> Vec<u8> {
        let (lock, bell) = &*self.0;
        let (state, timeout) =
            bell.wait_timeout_while(lock.lock().unwrap(), PATIENCE, |state| !found(&state.0) && !state.1).unwrap();
        let seen = state.0.clone();
        let ended = state.1;
        drop(state);
        assert!(
            found(&seen),
            "waited for {what}; {}; seen:\n{}",
            if timeout.timed_out() {
                "time is up"
            } else if ended {
                "it ended"
            } else {
                "?"
            },
            String::from_utf8_lossy(&seen)
        );
        seen
    }

    /// Waits for a text.
    pub fn wait_for(&self, text: &str) -> String {
        let seen = self.wait(&format!("{text:?}"), |seen| String::from_utf8_lossy(seen).contains(text));
        String::from_utf8_lossy(&seen).into_owned()
    }

    /// All of it, once it has ended.
    pub fn whole(&self) -> String {
        let (lock, bell) = &*self.0;
        let (state, _) = bell.wait_timeout_while(lock.lock().unwrap(), PATIENCE, |state| !state.1).unwrap();
        String::from_utf8_lossy(&state.0).into_owned()
    }
}

/// The daemon, fed through a pipe; ended on drop.
pub struct Bridge {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    stderr: Collected,
    /// Where it listens on 127.0.0.1.
    pub port: u16,
}

impl Bridge {
    /// Starts it on a free port and waits until it says where.
    pub fn start(arguments: &[&str]) -> Self {
        let mut with_port = vec!["--port", "0"];
        with_port.extend(arguments);
        Self::spawn(command(&with_port))
    }

    /// Starts it on a port of an earlier one, for tests of restarts.
    pub fn start_on(port: u16, arguments: &[&str]) -> Self {
        let port = port.to_string();
        let mut with_port = vec!["--port", &port];
        with_port.extend(arguments);
        Self::spawn(command(&with_port))
    }

    /// Starts this command line and waits until it says where it listens.
    pub fn spawn(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        Self::spawn_as(command)
    }

    /// The same with the standard input and output that the command line has already.
    pub fn spawn_as(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let what = format!("the ready line of {command:?}");
        drop(command); // it has what it gave as standard input and output open
        let stderr = Collected::of(child.stderr.take().unwrap());
        let ready = String::from_utf8(stderr.wait(&what, |seen| port_of(seen).is_some())).unwrap();
        let port = port_of(ready.as_bytes()).unwrap();
        Self { stdin: child.stdin.take(), stdout: child.stdout.take(), child, stderr, port }
    }

    /// Writes to its standard input.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.stdin.as_mut().expect("the input is open").write_all(bytes).expect("the daemon reads its input");
    }

    /// Its standard input, for a test's own writer.
    pub fn take_stdin(&mut self) -> ChildStdin {
        self.stdin.take().expect("the input is open")
    }

    /// Its standard output.
    pub fn take_stdout(&mut self) -> ChildStdout {
        self.stdout.take().expect("nobody has taken standard output")
    }

    /// Closes its standard input.
    pub fn end_input(&mut self) {
        self.stdin = None;
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// What it has said so far.
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Waits until it has said this.
    pub fn wait_for_stderr(&self, text: &str) -> String {
        self.stderr.wait_for(text)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal, by name.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.pid().to_string()]).status().unwrap();
        assert!(sent.success(), "could not send {name}");
    }

    /// Waits until it has ended, and gives its exit code.
    pub fn wait(&mut self) -> i32 {
        let status = wait_for_exit(&mut self.child);
        status
            .unwrap_or_else(|| panic!("the daemon still runs after {PATIENCE:?}; it said:\n{}", self.stderr()))
            .code()
            .unwrap_or(-1)
    }

    /// Its resident memory, in bytes.
    pub fn resident(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// Memory of its own: what is resident without the pages of files, the program's among them.
    pub fn own(&self) -> u64 {
        self.status("RssAnon:")
    }

    fn status(&self, what: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(what)).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// Asks for a path.
    pub fn get(&self, path: &str) -> Get {
        Get::new(self.port, path, &[])
    }

    /// What a counter or gauge of the daemon stands at: `NAME`, the sum of all that is told apart by labels, or `NAME{LABEL="VALUE"}`.
    pub fn metric(&self, name: &str) -> u64 {
        let text = self.get("/metrics").text();
        let is_it = |series: &str| series == name || series.split('{').next() == Some(name);
        let samples = text.lines().filter_map(|line| line.strip_prefix("sse_bridge_")?.rsplit_once(' '));
        let values: Vec<u64> = samples.filter(|(series, _)| is_it(series)).map(|(_, value)| value.parse().unwrap()).collect();
        assert!(!values.is_empty(), "no {name} in\n{text}");
        values.iter().sum()
    }

    /// Asks for a path with more header fields.
    pub fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Get {
        Get::new(self.port, path, headers)
    }

    /// Sends bytes as they are, and gives all that comes back until the connection ends.
    pub fn exchange(&self, request: &[u8]) -> String {
        let mut socket = connect(self.port);
        socket.write_all(request).unwrap();
        let mut answer = Vec::new();
        match socket.read_to_end(&mut answer) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
            Err(error) => panic!("no end of the answer: {error}; so far:\n{}", String::from_utf8_lossy(&answer)),
        }
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- the daemon said:\n{}---", self.stderr());
        }
    }
}

/// The port on 127.0.0.1 in the ready line, once the whole start has been said.
fn port_of(stderr: &[u8]) -> Option<u16> {
    let text = std::str::from_utf8(stderr).ok()?;
    let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    let urls = lines.filter_map(|line| line.split("listening on http://").nth(1));
    urls.filter_map(|url| url.split('/').next()?.rsplit_once(':')?.1.parse().ok()).next()
}

/// A connection whose reads have a bound.
pub fn connect(port: u16) -> TcpStream {
    let socket = TcpStream::connect(("127.0.0.1", port)).unwrap_or_else(|error| panic!("connect to {port}: {error}"));
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.set_nodelay(true).unwrap();
    socket
}

/// Waits until a question has the answer that is waited for; the message shows the last one.
pub fn eventually<T: std::fmt::Debug>(what: &str, mut ask: impl FnMut() -> T, is_so: impl Fn(&T) -> bool) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = ask();
        if is_so(&answer) {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} for {what}; at last there was {answer:?}");
        thread::sleep(Duration::from_millis(5)); // between two questions; nothing is guessed by this
    }
}

/// A connection whose kernel holds next to nothing for a reader that takes its time.
pub fn connect_narrow(port: u16) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    // Before it is connected: the window is agreed on then.
    socket.set_recv_buffer_size(4096).unwrap();
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    socket.connect(&address.into()).unwrap_or_else(|error| panic!("connect to {port}: {error}"));
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.into()
}

/// A GET over HTTP/1.1, byte for byte.
pub struct Get {
    socket: BufReader<TcpStream>,
    /// Status line and header fields as they came.
    pub head: String,
    parser: Parser,
    /// Messages parsed but not given yet.
    ready: std::collections::VecDeque<Message>,
    /// The body so far, without its chunks' frames.
    pub body: Vec<u8>,
    /// How the body ended, once it has.
    pub end: Option<End>,
}

/// How a body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With a last chunk, or after as many bytes as were promised, or (HTTP/1.0) with the connection.
    Clean,
    /// In the middle.
    Cut,
}

impl Get {
    pub fn new(port: u16, path: &str, headers: &[(&str, &str)]) -> Self {
        Self::request(port, "GET", path, headers)
    }

    pub fn request(port: u16, method: &str, path: &str, headers: &[(&str, &str)]) -> Self {
        let mut socket = connect(port);
        let mut request = format!("{method} {path} HTTP/1.1\r\n");
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            request.push_str(&format!("Host: 127.0.0.1:{port}\r\n"));
        }
        headers.iter().for_each(|(name, value)| request.push_str(&format!("{name}: {value}\r\n")));
        request.push_str("\r\n");
        socket.write_all(request.as_bytes()).unwrap();
        let mut get = Self {
            socket: BufReader::new(socket),
            head: String::new(),
            parser: Parser::new(),
            ready: Default::default(),
            body: Vec::new(),
            end: None,
        };
        get.read_head();
        let has_no_body = method == "HEAD" || matches!(get.status(), 204 | 304);
        get.end = has_no_body.then_some(End::Clean);
        get
    }

    fn read_head(&mut self) {
        while !self.head.ends_with("\r\n\r\n") {
            let count =
                self.socket.read_line(&mut self.head).unwrap_or_else(|error| panic!("no head: {error}; so far {:?}", self.head));
            assert!(count > 0, "the connection ended inside the head: {:?}", self.head);
        }
    }

    pub fn status(&self) -> u16 {
        self.head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_else(|| panic!("no status in {:?}", self.head))
    }

    /// A header field's value; several are joined by commas.
    pub fn header(&self, name: &str) -> Option<String> {
        let fields = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        let values: Vec<_> = fields.filter(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    /// Reads the next piece of the body: a chunk, or whatever comes.
    pub fn next_piece(&mut self) -> Option<Vec<u8>> {
        if self.end.is_some() {
            return None;
        }
        let piece = match (self.header("transfer-encoding"), self.header("content-length")) {
            (Some(_), _) => self.next_chunk(),
            (None, Some(length)) => self.exactly(length.parse().unwrap()),
            (None, None) => self.until_close(),
        };
        match piece {
            Ok(Some(piece)) => {
                self.body.extend_from_slice(&piece);
                self.ready.extend(self.parser.push(&piece));
                Some(piece)
            }
            Ok(None) => {
                self.end = Some(End::Clean);
                None
            }
            Err(error) if is_time_out(&error) => panic!("no more of the body: {error}; so far:\n{}", shortened(&self.body)),
            Err(_) => {
                self.end = Some(End::Cut);
                None
            }
        }
    }

    fn next_chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut size = String::new();
        self.socket.read_line(&mut size)?;
        let size = usize::from_str_radix(size.trim_end(), 16).map_err(io::Error::other)?;
        let mut chunk = vec![0; size + 2];
        self.socket.read_exact(&mut chunk)?;
        assert_eq!(chunk.split_off(size), b"\r\n", "the end of a chunk");
        Ok((size > 0).then_some(chunk))
    }

    fn exactly(&mut self, length: usize) -> io::Result<Option<Vec<u8>>> {
        let mut whole = vec![0; length - self.body.len()];
        self.socket.read_exact(&mut whole)?;
        Ok((!whole.is_empty()).then_some(whole))
    }

    fn until_close(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut block = vec![0; 65536];
        let count = self.socket.read(&mut block)?;
        block.truncate(count);
        Ok((count > 0).then_some(block))
    }

    /// The next event of the stream.
    pub fn next_event(&mut self) -> Option<Message> {
        let deadline = Instant::now() + PATIENCE;
        while self.ready.is_empty() {
            // Heartbeats alone would keep a wait alive for ever.
            assert!(Instant::now() < deadline, "no event; so far:\n{}", shortened(&self.body));
            self.next_piece()?;
        }
        self.ready.pop_front()
    }

    /// The next `count` events.
    pub fn events(&mut self, count: usize) -> Vec<Message> {
        let events: Vec<_> = std::iter::from_fn(|| self.next_event()).take(count).collect();
        assert_eq!(events.len(), count, "the stream ended ({:?}) after:\n{}", self.end, shortened(&self.body));
        events
    }

    /// All events until the stream ends; it must end cleanly and break no promise.
    pub fn rest(&mut self) -> Vec<Message> {
        let events: Vec<_> = std::iter::from_fn(|| self.next_event()).collect();
        assert_eq!(self.end, Some(End::Clean), "the stream was cut after:\n{}", shortened(&self.body));
        self.parser.finish();
        self.assert_strict();
        events
    }

    /// The body as text, once it has ended.
    pub fn text(&mut self) -> String {
        while self.next_piece().is_some() {}
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Nothing came so far that our server promises never to send.
    pub fn assert_strict(&self) {
        let violations = self.parser.violations();
        assert!(violations.is_empty(), "{}\nin\n{}", violations[0], shortened(&self.body));
    }

    /// The connection, for its options.
    pub fn socket(&self) -> &TcpStream {
        self.socket.get_ref()
    }

    /// The connection itself, for tests that stop reading or go away.
    pub fn into_socket(self) -> TcpStream {
        self.socket.into_inner()
    }
}

fn is_time_out(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// The end of a body, for a message.
fn shortened(body: &[u8]) -> String {
    let start = body.len().saturating_sub(2000);
    format!("... {} bytes ...\n{}", start, String::from_utf8_lossy(&body[start..]))
}

/// The data of the messages without a type: the lines.
pub fn lines(messages: &[Message]) -> Vec<&str> {
    messages.iter().filter(|message| message.event == "message").map(|message| message.data.as_str()).collect()
}

/// Runs `work` in a thread and gives its result through a channel that can be waited for with a bound.
pub fn in_background<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Receiver<T> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let _ = sender.send(work());
    });
    receiver
}
