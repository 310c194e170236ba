//! The connection to a browser: JSON over a WebSocket.
//!
//! Both protocols speak it in the same way: a command has a number, a method and parameters; its answer carries its number;
//! what has none is an event. Everything happens in the thread of the test: events are read while an answer is waited for,
//! and those of the kept methods stay until somebody takes them.

use std::{
    collections::VecDeque,
    net::TcpStream,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use serde_json::{Map, Value, json};
use tungstenite::{Error, Message, WebSocket, protocol::WebSocketConfig};

/// How long any single answer may take.
pub(super) const ANSWER: Duration = Duration::from_secs(90);

/// A connection.
pub(super) struct Wire(Mutex<State>);

/// What the browser says by itself.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) method: String,
    pub(super) parameters: Value,
}

struct State {
    socket: WebSocket<TcpStream>,
    /// The number of the last command.
    last: u64,
    /// The methods of the events that are kept.
    kept: &'static [&'static str],
    events: VecDeque<Event>,
}

impl Wire {
    /// Connects to an address, `ws://HOST:PORT/PATH`.
    pub(super) fn connect(address: &str, kept: &'static [&'static str]) -> Self {
        let host = address.trim_start_matches("ws://").split('/').next().unwrap_or_default();
        let stream = TcpStream::connect(host).unwrap_or_else(|error| panic!("connecting to {address}: {error}"));
        let is_set = stream.set_nodelay(true).and_then(|()| stream.set_read_timeout(Some(ANSWER)));
        is_set.expect("a socket has options");
        let any_size = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
        let (socket, _) = tungstenite::client::client_with_config(address, stream, Some(any_size))
            .unwrap_or_else(|error| panic!("connecting to {address}: {error}"));
        Self(Mutex::new(State { socket, last: 0, kept, events: VecDeque::new() }))
    }

    /// Gives a command and waits for its answer; the error is the browser's, or says that none came. `session` is one of the
    /// `DevTools` protocol.
    pub(super) fn call(&self, session: Option<&str>, method: &str, parameters: Value, patience: Duration) -> Result<Value, String> {
        let mut state = self.lock();
        let number = state.give(session, method, parameters)?;
        let deadline = Instant::now() + patience;
        loop {
            let mut message = state.next(deadline)?;
            if message["id"].as_u64() == Some(number) {
                return if message["error"].is_null() { Ok(message["result"].take()) } else { Err(complaint(&message)) };
            }
            // The answer to an earlier command that was not waited for any more needs nobody.
            state.keep(message);
        }
    }

    /// Waits for an event and takes it away, whether it came before or comes now.
    pub(super) fn event(&self, patience: Duration, is_wanted: impl Fn(&Event) -> bool) -> Result<Event, String> {
        let mut state = self.lock();
        let deadline = Instant::now() + patience;
        loop {
            if let Some(at) = state.events.iter().position(&is_wanted) {
                return Ok(state.events.remove(at).expect("it is there"));
            }
            let message = state.next(deadline)?;
            state.keep(message);
        }
    }

    /// Takes away all kept events that are wanted.
    pub(super) fn take(&self, is_wanted: impl Fn(&Event) -> bool) -> Vec<Event> {
        let mut state = self.lock();
        let (taken, left) = state.events.drain(..).partition(is_wanted);
        state.events = left;
        taken.into()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn give(&mut self, session: Option<&str>, method: &str, parameters: Value) -> Result<u64, String> {
        self.last += 1;
        let mut command = Map::new();
        command.insert("id".to_owned(), json!(self.last));
        command.insert("method".to_owned(), json!(method));
        command.insert("params".to_owned(), if parameters.is_null() { json!({}) } else { parameters });
        if let Some(session) = session {
            command.insert("sessionId".to_owned(), json!(session));
        }
        let text = Value::Object(command).to_string();
        self.socket.send(Message::text(text)).map_err(|error| format!("the connection to the browser: {error}"))?;
        Ok(self.last)
    }

    fn next(&mut self, deadline: Instant) -> Result<Value, String> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err("the browser does not answer".to_owned());
            }
            self.socket.get_ref().set_read_timeout(Some(left)).expect("a socket has options");
            match self.socket.read() {
                Ok(Message::Text(text)) => return serde_json::from_str(&text).map_err(|error| format!("not JSON: {error}")),
                Ok(_) => {}
                Err(Error::Io(error)) if is_time_out(&error) => {}
                Err(error) => return Err(format!("the connection to the browser: {error}")),
            }
        }
    }

    fn keep(&mut self, mut message: Value) {
        let method = message["method"].as_str().unwrap_or_default();
        if self.kept.contains(&method) {
            let method = method.to_owned();
            self.events.push_back(Event { method, parameters: message["params"].take() });
        }
    }
}

fn is_time_out(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), WouldBlock | TimedOut | Interrupted)
}

/// What the browser says of a command that it refuses: an object in one protocol, two texts in the other.
fn complaint(answer: &Value) -> String {
    match &answer["error"] {
        Value::Object(error) => error.get("message").and_then(Value::as_str).unwrap_or_default().to_owned(),
        error => format!("{}: {}", error.as_str().unwrap_or_default(), answer["message"].as_str().unwrap_or_default()),
    }
}
