//! What stands between a browser and the daemon and goes wrong: a TCP proxy that cuts its connections, in the middle of an
//! event if it comes so, lets them die without a word, refuses new ones, or answers for the daemon as a real proxy does
//! while the daemon is away. The browser always sees the same origin, whichever daemon is behind it.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use memchr::memmem;
use socket2::SockRef;

/// How long a test waits for a cut that it has ordered.
const PATIENCE: Duration = Duration::from_secs(30);

/// The proxy; it ends, and all its connections with it, when dropped.
pub(crate) struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

/// What happens to a new connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mode {
    /// It goes on to the daemon on this port.
    Pass(u16),
    /// It is closed at once.
    Refuse,
    /// It is answered in the daemon's place, with this status.
    Answer(u16),
}

/// How a connection ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cut {
    /// In order: FIN.
    Close,
    /// By force: RST.
    Reset,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    mode: Mode,
    open: Vec<Weak<Connection>>,
    /// Bytes that still pass on their way to the browser before all connections are cut.
    ordered: Option<(usize, Cut)>,
    /// What is said to those who ask for events, in the daemon's place: status and text.
    instead: Option<(u16, &'static str)>,
    /// How long each piece of an event stream waits on its way to the browser.
    pause: Duration,
    /// Connections answered in the daemon's place.
    answered: usize,
    is_over: bool,
}

/// One connection through the proxy; it closes when its two threads are done with it.
#[derive(Debug)]
struct Connection {
    browser: TcpStream,
    daemon: TcpStream,
    /// It carries an event stream, so it is not one that the browser keeps for its next request.
    is_stream: AtomicBool,
    /// Nothing passes any more.
    is_dead: AtomicBool,
}

impl Proxy {
    /// Stands before the daemon on `upstream`.
    pub(crate) fn start(upstream: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
        let port = listener.local_addr().expect("a listener has an address").port();
        let shared = Arc::new(Shared::default());
        shared.lock().mode = Mode::Pass(upstream);
        let accepting = thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.accept(&listener)
        });
        Self { port, shared, accepting: Some(accepting) }
    }

    /// Where the browser finds the page.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// What happens to connections from now on.
    pub(crate) fn set(&self, mode: Mode) {
        self.shared.lock().mode = mode;
    }

    /// Cuts all connections now.
    pub(crate) fn cut(&self, cut: Cut) {
        self.shared.lock().cut(cut);
    }

    /// Orders a cut after so many more bytes on their way to the browser.
    pub(crate) fn cut_after(&self, bytes: usize, cut: Cut) {
        self.shared.lock().ordered = Some((bytes, cut));
    }

    /// Answers every request for events with this status and text, in the daemon's place; everything else passes.
    pub(crate) fn answer_events(&self, instead: Option<(u16, &'static str)>) {
        self.shared.lock().instead = instead;
    }

    /// Lets each piece of an event stream wait so long on its way to the browser.
    pub(crate) fn slow(&self, pause: Duration) {
        self.shared.lock().pause = pause;
    }

    /// Waits until the ordered cut has happened.
    pub(crate) fn wait_for_cut(&self) {
        self.shared.wait("the ordered cut", |state| state.ordered.is_none());
    }

    /// Waits until so many connections have been answered in the daemon's place.
    pub(crate) fn wait_for_answers(&self, count: usize) {
        self.shared.wait("answers in the daemon's place", |state| state.answered >= count);
    }

    /// Lets the event streams die without a word: their connections stay open, and nothing passes any more.
    pub(crate) fn silence(&self) {
        for connection in self.shared.lock().open.iter().filter_map(Weak::upgrade) {
            connection.is_dead.store(connection.is_stream.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.is_over = true;
        state.cut(Cut::Reset);
        drop(state);
        let woken = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        if let (Ok(_), Some(accepting)) = (woken, self.accepting.take()) {
            let _ = accepting.join();
        }
    }
}

impl Default for State {
    fn default() -> Self {
        Self {
            mode: Mode::Refuse,
            open: Vec::new(),
            ordered: None,
            instead: None,
            pause: Duration::ZERO,
            answered: 0,
            is_over: false,
        }
    }
}

impl State {
    /// Counts bytes that have passed; behind the last one comes the ordered cut.
    fn count(&mut self, passed: usize) {
        if let Some((left, cut)) = self.ordered {
            self.ordered = Some((left - passed, cut)).filter(|_| left > passed);
            if self.ordered.is_none() {
                self.cut(cut);
            }
        }
    }

    fn cut(&mut self, cut: Cut) {
        for connection in self.open.drain(..).filter_map(|connection| connection.upgrade()) {
            connection.cut(cut);
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self, what: &str, is_reached: impl Fn(&State) -> bool) {
        let waited = self.changed.wait_timeout_while(self.lock(), PATIENCE, |state| !is_reached(state));
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(is_reached(&state), "waited {PATIENCE:?} for {what}: {state:?}");
    }

    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for browser in listener.incoming().flatten() {
            let state = self.lock();
            if state.is_over {
                return;
            }
            let (shared, mode) = (Arc::clone(self), state.mode);
            // A connection that fails is the browser's to tell.
            thread::spawn(move || match mode {
                Mode::Pass(port) => shared.pass(browser, port),
                Mode::Refuse => Ok(()),
                Mode::Answer(status) => shared.answer(&browser, status),
            });
        }
    }

    fn pass(self: &Arc<Self>, browser: TcpStream, port: u16) -> io::Result<()> {
        browser.set_nodelay(true)?;
        let daemon = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        let connection =
            Arc::new(Connection { browser, daemon, is_stream: AtomicBool::new(false), is_dead: AtomicBool::new(false) });
        self.lock().open.push(Arc::downgrade(&connection));
        let requests = thread::spawn({
            let (shared, connection) = (Arc::clone(self), Arc::clone(&connection));
            move || {
                let passed = shared.pass_requests(&connection);
                // The browser has gone, or has its answer: the daemon must learn of it.
                let _ = connection.daemon.shutdown(Shutdown::Both);
                passed
            }
        });
        let passed = self.pass_answers(&connection);
        let _ = connection.browser.shutdown(Shutdown::Read); // wakes the other thread
        drop(connection);
        let _ = requests.join();
        passed
    }

    fn pass_answers(&self, connection: &Connection) -> io::Result<()> {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let count = (&connection.daemon).read(&mut buffer)?;
            if count == 0 {
                return Ok(());
            }
            if memmem::find(&buffer[..count], b"text/event-stream").is_some() {
                connection.is_stream.store(true, Ordering::Relaxed);
            }
            if connection.is_stream.load(Ordering::Relaxed) {
                let pause = self.lock().pause;
                thread::sleep(pause);
            }
            // Under the lock, so that a cut finds no connection in the middle of a write.
            let mut state = self.lock();
            if connection.is_dead.load(Ordering::Relaxed) {
                continue;
            }
            let passing = state.ordered.map_or(count, |(left, _)| left.min(count));
            (&connection.browser).write_all(&buffer[..passing])?;
            state.count(passing);
            self.changed.notify_all();
        }
    }

    /// Passes requests to the daemon, until one is answered in its place.
    fn pass_requests(&self, connection: &Connection) -> io::Result<()> {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            // A browser asks in one piece.
            let count = (&connection.browser).read(&mut buffer)?;
            let instead = self.lock().instead.filter(|_| buffer[..count].starts_with(b"GET /events"));
            if let Some((status, text)) = instead {
                return self.say(&connection.browser, status, text);
            }
            if count == 0 {
                return Ok(());
            }
            (&connection.daemon).write_all(&buffer[..count])?;
        }
    }

    /// Reads a request and answers it as a proxy does whose daemon is away.
    fn answer(&self, mut browser: &TcpStream, status: u16) -> io::Result<()> {
        let mut request = [0; 4096];
        let _ = browser.read(&mut request)?;
        self.say(browser, status, "")
    }

    /// Answers in the daemon's place.
    fn say(&self, mut browser: &TcpStream, status: u16, text: &str) -> io::Result<()> {
        let length = text.len();
        let head = format!("HTTP/1.1 {status} Away\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
        write!(browser, "{head}{text}")?;
        self.lock().answered += 1;
        self.changed.notify_all();
        Ok(())
    }
}

impl Connection {
    fn cut(&self, cut: Cut) {
        self.is_dead.store(true, Ordering::Relaxed);
        let _ = match cut {
            Cut::Close => self.browser.shutdown(Shutdown::Both),
            // Only a close of the last handle resets: it wakes the threads, which then let go of theirs.
            Cut::Reset => {
                SockRef::from(&self.browser).set_linger(Some(Duration::ZERO)).and_then(|()| self.browser.shutdown(Shutdown::Read))
            }
        };
        let _ = self.daemon.shutdown(Shutdown::Both);
    }
}
