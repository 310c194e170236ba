//! The columns of the matrix: each client takes all its streams in one run and tells what it heard.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    process::Command,
    sync::{
        Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    bodies,
    browser::Browser,
    process::Process,
    raw::{Request, Version, judge},
    stream::{Heard, Said, Stream, Until},
    table::Answers,
    tools,
};
use crate::harness::parser::{Message, Parser};

/// No client needs longer for the whole matrix.
const PATIENCE: Duration = Duration::from_secs(100);

/// Streams that curl and our own clients follow at a time.
const WIDTH: usize = 6;

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    /// A plain socket and the strict parser.
    Parser,
    /// The bytes of the bodies over HTTP/1.0, HTTP/1.1 and HTTP/2, which must be the same.
    Bodies,
    /// curl over HTTP/1.1; its output goes through the strict parser.
    Curl,
    /// curl over HTTP/2 with prior knowledge; the same.
    CurlH2,
    /// npm `eventsource`.
    EventSource,
    /// The `EventSource` of npm `undici`.
    Undici,
    /// `PyPI` `httpx-sse`.
    HttpxSse,
    /// `PyPI` `sseclient-py`, over requests.
    SseclientPy,
    /// Headless Chromium.
    Chromium,
    /// Headless Firefox.
    Firefox,
}

impl Client {
    /// All columns, in order.
    pub(crate) const ALL: [Client; 10] = [
        Client::Parser,
        Client::Bodies,
        Client::Curl,
        Client::CurlH2,
        Client::EventSource,
        Client::Undici,
        Client::HttpxSse,
        Client::SseclientPy,
        Client::Chromium,
        Client::Firefox,
    ];

    /// The name in the table, and in the URLs that the client asks for.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Client::Parser => "parser",
            Client::Bodies => "bodies",
            Client::Curl => "curl",
            Client::CurlH2 => "curl-h2",
            Client::EventSource => "eventsource",
            Client::Undici => "undici",
            Client::HttpxSse => "httpx-sse",
            Client::SseclientPy => "sseclient-py",
            Client::Chromium => "chromium",
            Client::Firefox => "firefox",
        }
    }

    /// The version that runs here.
    pub(crate) fn version(self) -> String {
        match self {
            Client::Parser => "the tests' own".to_owned(),
            Client::Bodies => "HTTP/1.0, HTTP/1.1 and HTTP/2, byte for byte".to_owned(),
            Client::Curl => tools::program_version("curl"),
            Client::CurlH2 => format!("{} with --http2-prior-knowledge", tools::program_version("curl")),
            Client::EventSource | Client::Undici => tools::node_version(self.name()),
            Client::HttpxSse | Client::SseclientPy => tools::python_version(self.name()),
            Client::Chromium => tools::program_version(Browser::Chromium.program()),
            Client::Firefox => tools::program_version(Browser::Firefox.program()),
        }
    }

    /// Whether all its requests come over HTTP/1, where a cutter can read them.
    pub(crate) fn is_over_http1(self) -> bool {
        !matches!(self, Client::Bodies | Client::CurlH2)
    }

    /// Follows all streams.
    pub(crate) fn follow(self, streams: &[Stream]) -> Answers {
        let mut heard = Vec::new();
        let outcome = match self {
            Client::Parser => {
                heard = each(streams, follow_raw);
                Ok(())
            }
            Client::Bodies => {
                heard = each(streams, bodies::follow);
                Ok(())
            }
            Client::Curl => {
                heard = each(streams, |stream| follow_curl(stream, Version::Http11));
                Ok(())
            }
            Client::CurlH2 => {
                heard = each(streams, |stream| follow_curl(stream, Version::Http2));
                Ok(())
            }
            Client::EventSource => drive(Command::new("node").arg(tools::file("node/eventsource.mjs")), streams, &mut heard),
            Client::Undici => drive(Command::new("node").arg(tools::file("node/undici.mjs")), streams, &mut heard),
            Client::HttpxSse => drive(&mut python("python/run_httpx_sse.py"), streams, &mut heard),
            Client::SseclientPy => drive(&mut python("python/run_sseclient.py"), streams, &mut heard),
            Client::Chromium => Browser::Chromium.follow(streams, PATIENCE, &mut heard),
            Client::Firefox => Browser::Firefox.follow(streams, PATIENCE, &mut heard),
        };
        Answers { heard: heard.into_iter().map(|one| (one.name.clone(), one)).collect(), problem: outcome.err() }
    }
}

fn python(script: &str) -> Command {
    let mut command = Command::new(tools::python());
    command.arg("-B").arg(tools::file(script)).env("NO_PROXY", "*");
    command
}

/// Which streams have no answer.
pub(crate) fn unanswered(streams: &[Stream], heard: &[Heard], patience: Duration) -> String {
    let names = streams.iter().map(|stream| stream.name.as_str());
    let open: Vec<&str> = names.filter(|name| heard.iter().all(|one| one.name != *name)).collect();
    let some = open.iter().take(5).copied().collect::<Vec<_>>().join("; ");
    format!("{} of {} streams have no answer (waited up to {patience:?}): {some}", open.len(), streams.len())
}

/// Runs a driver: the list of streams goes in, one line of JSON for each comes out.
fn drive(command: &mut Command, streams: &[Stream], heard: &mut Vec<Heard>) -> Result<(), String> {
    let list = serde_json::to_vec(streams).map_err(|cause| cause.to_string())?;
    let mut process = Process::start(command).map_err(|cause| cause.to_string())?;
    let (mut input, output) = process.pipes();
    let (sender, lines) = channel();
    thread::spawn(move || input.write_all(&list));
    thread::spawn(move || BufReader::new(output).lines().try_for_each(|line| sender.send(line)));
    let program = command.get_program().display();
    collect(&lines, streams, heard).map_err(|problem| format!("{program}: {problem}; {}", process.complaint()))
}

fn collect(lines: &Receiver<io::Result<String>>, streams: &[Stream], heard: &mut Vec<Heard>) -> Result<(), String> {
    let deadline = Instant::now() + PATIENCE;
    while heard.len() < streams.len() {
        let line = match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => line.map_err(|cause| format!("its output cannot be read: {cause}"))?,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return Err(unanswered(streams, heard, PATIENCE)),
        };
        heard.push(serde_json::from_str(&line).map_err(|cause| format!("it said {line:.200}: {cause}"))?);
    }
    Ok(())
}

/// Follows the streams one by one, a few at a time.
fn each(streams: &[Stream], follow: fn(&Stream) -> Heard) -> Vec<Heard> {
    let (waiting, heard) = (Mutex::new(streams.iter()), Mutex::new(Vec::new()));
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
    thread::scope(|scope| {
        for _ in 0..WIDTH {
            scope.spawn(|| {
                while let Some(stream) = next() {
                    let one = follow(stream);
                    heard.lock().unwrap_or_else(PoisonError::into_inner).push(one);
                }
            });
        }
    });
    heard.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// What has been heard of a stream over all its connections.
#[derive(Default)]
struct Hearing {
    messages: Vec<Said>,
    /// The first thing that the wire must not contain.
    violation: Option<String>,
}

impl Hearing {
    fn add(&mut self, messages: Vec<Message>) {
        self.messages.extend(messages.into_iter().map(|message| Said { id: message.id, event: message.event, data: message.data }));
    }

    fn is_done(&self, stream: &Stream) -> bool {
        match stream.until {
            Until::End | Until::Closed => self.messages.last().is_some_and(|last| last.event == "end"),
            Until::Count(count) => self.messages.len() >= count,
        }
    }

    fn last_id(&self) -> &str {
        self.messages.last().map_or("", |last| &last.id)
    }
}

/// Follows one stream with a client that does not return by itself. `connect` reads one response, behind a last id, until the
/// client is done with the stream; the connection may break.
fn follow_by(stream: &Stream, connect: impl Fn(&Stream, &str, &mut Hearing) -> io::Result<()>) -> Heard {
    let deadline = Instant::now() + Duration::from_millis(stream.limit);
    let mut hearing = Hearing::default();
    let mut breaks = 0;
    let error = loop {
        let last_id = hearing.last_id().to_owned();
        let read = connect(stream, &last_id, &mut hearing);
        if hearing.violation.is_some() {
            break hearing.violation.take();
        }
        match read {
            // A break behind the last event costs nothing.
            _ if hearing.is_done(stream) && (stream.returns || read.is_ok()) => break None,
            Ok(()) => break Some("the stream closed before its end".to_owned()),
            Err(cause) if !stream.returns || Instant::now() > deadline => break Some(cause.to_string()),
            Err(_) => breaks += 1,
        }
    };
    Heard { name: stream.name.clone(), messages: hearing.messages, breaks, error }
}

fn follow_raw(stream: &Stream) -> Heard {
    follow_by(stream, |stream, last_id, hearing| {
        let (port, path) = stream.place();
        let mut request = Request::get(port, path, last_id)?;
        let before = hearing.messages.len();
        let read = request.read_while(|response| match stream.until {
            Until::Count(count) => before + response.messages.len() < count,
            Until::End | Until::Closed => !response.is_complete(),
        });
        let is_whole = request.response.is_complete();
        note(&mut request.response.parser, is_whole, hearing);
        hearing.add(request.response.messages);
        read
    })
}

fn follow_curl(stream: &Stream, version: Version) -> Heard {
    follow_by(stream, |stream, last_id, hearing| {
        let mut command = tools::curl(version, stream.limit / 1000);
        command.arg(&stream.url);
        if !last_id.is_empty() {
            command.arg("-H").arg(format!("Last-Event-ID: {last_id}"));
        }
        let mut process = Process::start(&mut command)?;
        let (_, mut output) = process.pipes();
        let mut parser = Parser::new();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let count = output.read(&mut buffer)?;
            hearing.add(parser.push(&buffer[..count]));
            let is_left = matches!(stream.until, Until::Count(_)) && hearing.is_done(stream);
            if is_left || count == 0 {
                let ended_well = is_left || process.wait()?;
                note(&mut parser, ended_well && !is_left, hearing);
                return if ended_well { Ok(()) } else { Err(io::Error::other(process.complaint())) };
            }
        }
    })
}

/// Notes what the wire must not contain; a stream that came to its end must not end inside an event.
fn note(parser: &mut Parser, is_whole: bool, hearing: &mut Hearing) {
    if is_whole {
        parser.finish();
    }
    hearing.violation = hearing.violation.take().or(judge(parser).err());
}
