//! The rows that are more than an input and its events: cut connections, slow sockets, refused settings.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    process::Stdio,
    thread,
    time::Duration,
};

use socket2::{Domain, Socket, Type};

use super::{
    clients::Client,
    cutter::Plan,
    feed::Writer,
    raw::{Request, Response, judge},
    row::{House, PATH, Row, Trial, said, stream},
    stream::{Said, Until, lasts},
};
use crate::harness::{run_to_end, scale};

/// Why a row has no other columns than the parser's.
const REFUSED: &str = "the bridge refuses the setting with exit code 2 before it opens anything: there is no stream to follow";

/// A connection that breaks after any byte.
pub(crate) fn broken_connection() -> Row {
    let mut row = Row::new(25, "a connection that breaks after any byte");
    let mut house = House::open(&["--retry", "500ms"]);
    let outcome = feed(&mut house, "one\ntwo\r2\n\nthree €\n".as_bytes())
        .and_then(|()| whole(&house))
        .map_err(|cause| cause.to_string())
        .and_then(|whole| {
            row.trials = broken_trials(&mut house, &whole).map_err(|cause| cause.to_string())?;
            break_everywhere(&house, &whole)
        });
    row.check("our own client", outcome);
    row.keep(house);
    row
}

/// Gives the bridge its whole input and waits until a client has seen its end.
fn feed(house: &mut House, input: &[u8]) -> io::Result<()> {
    Writer::open(house.bridge.pid())?.write(input)?;
    house.bridge.end_input();
    whole(house).map(drop)
}

/// An undisturbed response.
fn whole(house: &House) -> io::Result<Response> {
    let mut request = Request::get(house.bridge.port, PATH, "")?;
    request.read_to_end()?;
    Ok(request.response)
}

/// For every byte of the response, head and chunk framing included: what is heard before and after the break is the whole.
fn break_everywhere(house: &House, whole: &Response) -> Result<(), String> {
    judge(&whole.parser)?;
    for bytes in 0..=whole.wire {
        let (heard, last_id) = break_after(house, bytes).map_err(|cause| format!("break after byte {bytes}: {cause}"))?;
        super::table::compare(&said(whole.messages.clone()), &heard)
            .map_err(|problem| format!("break after byte {bytes}, return with {last_id:?}: {problem}"))?;
    }
    Ok(())
}

fn break_after(house: &House, bytes: usize) -> io::Result<(Vec<Said>, String)> {
    let mut first = Request::get(house.bridge.port, PATH, "")?;
    first.read_bytes(bytes)?;
    let last_id = first.response.parser.last_event_id().to_owned();
    let mut messages = std::mem::take(&mut first.response.messages);
    drop(first);
    let mut second = Request::get(house.bridge.port, PATH, &last_id)?;
    second.read_to_end()?;
    let is_over = messages.last().is_some_and(|last| last.event == "end");
    if is_over != (second.response.status() == 204) {
        return Err(io::Error::other(format!("status {} for the id {last_id:?}", second.response.status())));
    }
    messages.append(&mut second.response.messages);
    Ok((said(messages), last_id))
}

/// Ports that share the trials of the row: a browser opens six connections to each.
const PORTS: usize = 8;

/// The same for clients that return by themselves, or whose users make them return.
fn broken_trials(house: &mut House, whole: &Response) -> io::Result<Vec<Trial>> {
    let ports = (0..PORTS).map(|_| house.cut(Plan::Break)).collect::<io::Result<Vec<u16>>>()?;
    let expected = said(whole.messages.clone());
    let body_wire = whole.wire - whole.head_len();
    let before_body = wire_before_body(house)?;
    let breaks = (0..=body_wire).step_by(scale(5, 1));
    let trial = |(after, port): (usize, &u16)| {
        let path = format!("{PATH}&break={after}");
        let name = format!("25 broken after byte {after} of the body");
        let mut stream = stream(name, *port, &path, Until::End, &expected);
        stream.returns = true;
        let breaks_before_body = after <= before_body;
        Trial { stream, expected: expected.clone(), only: None, is_over_http1: true, breaks_before_body, must_break: false }
    };
    let mut trials: Vec<Trial> = breaks.zip(ports.iter().cycle()).map(trial).collect();
    trials.extend(broken_http2_trials(house, whole)?);
    Ok(trials)
}

/// Bytes of frames that stand around a body: their heads, the fields, what the connection says of itself. A break behind the
/// last of them breaks nothing.
const FRAMES: usize = 400;

/// The same over HTTP/2, where no cutter can read a request or a head: each break has a cutter of its own, which counts
/// from the first byte of the connection. Bodies are compared where nothing breaks.
fn broken_http2_trials(house: &mut House, whole: &Response) -> io::Result<Vec<Trial>> {
    let expected = said(whole.messages.clone());
    let trial = |port, name: String, client, must_break| {
        let mut stream = stream(name, port, PATH, Until::End, &expected);
        stream.returns = client == Client::CurlH2;
        let expected = expected.clone();
        Trial { stream, expected, only: Some(client), is_over_http1: false, breaks_before_body: false, must_break }
    };
    let mut trials = vec![trial(house.bridge.port, "25 whole".to_owned(), Client::Bodies, false)];
    for after in (0..=whole.body.len() + FRAMES).step_by(scale(5, 1)) {
        let port = house.cut(Plan::BreakOnce(after))?;
        let name = format!("25 broken after byte {after} of the connection");
        trials.push(trial(port, name, Client::CurlH2, after < whole.body.len()));
    }
    Ok(trials)
}

/// Bytes of the wire between the head and the first byte of the body: the line with the first chunk's size.
fn wire_before_body(house: &House) -> io::Result<usize> {
    let mut request = Request::get(house.bridge.port, PATH, "")?;
    while request.response.body.is_empty() {
        request.read_bytes(1)?;
    }
    Ok(request.response.wire - request.response.head_len() - 1)
}

/// Bytes of the event that a slow socket takes only in part.
const SLOW_EVENT: usize = 512 * 1024;

/// Bytes that pass before the client stops reading.
const BEFORE_THE_PAUSE: usize = 64 * 1024;

/// The heartbeat of the row; the pause is longer than two.
const HEARTBEAT: [&str; 2] = ["--heartbeat", "1s"];
const PAUSE: Duration = Duration::from_millis(2500);

/// A heartbeat that falls due while half an event is written to a slow socket.
pub(crate) fn heartbeat_at_a_slow_socket() -> Row {
    let mut row = Row::new(26, "a heartbeat while an event is half written");
    let mut house = House::open(&HEARTBEAT);
    let line = "x".repeat(SLOW_EVENT);
    let heard = Writer::open(house.bridge.pid())
        .and_then(|mut writer| writer.write(format!("{line}\nafter\n").as_bytes()))
        .and_then(|()| read_slowly(house.bridge.port))
        .map_err(|cause| cause.to_string())
        .and_then(judge_slow_reading)
        .and_then(|heard| {
            let data: Vec<&str> = heard.iter().map(|one| one.data.as_str()).collect();
            if data == [line.as_str(), "after"] { Ok(heard) } else { Err(format!("{} other events", data.len())) }
        });
    let plan = Plan::Stall { after: BEFORE_THE_PAUSE, pause: PAUSE };
    match (heard, house.cut(plan)) {
        (Ok(expected), Ok(port)) => {
            let stream = stream("26 slow socket".to_owned(), port, PATH, Until::Count(expected.len()), &expected);
            row.trials.push(Trial {
                stream,
                expected,
                only: None,
                is_over_http1: false,
                breaks_before_body: false,
                must_break: false,
            });
        }
        (Err(problem), _) => row.check("our own client", Err(problem)),
        (_, Err(cause)) => row.check("the cutter", Err(cause.to_string())),
    }
    row.keep(house);
    row
}

/// Reads a part, pauses, and reads on until the first heartbeat behind the events.
fn read_slowly(port: u16) -> io::Result<Response> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_recv_buffer_size(16 * 1024)?;
    socket.connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    let mut request = Request::get_over(TcpStream::from(socket), PATH, "")?;
    request.read_bytes(BEFORE_THE_PAUSE)?;
    // The time is the test: two heartbeats fall due while the bridge cannot write.
    thread::sleep(PAUSE);
    request.read_while(|response| !response.body.ends_with(b"\n:\n"))?;
    Ok(request.response)
}

fn judge_slow_reading(response: Response) -> Result<Vec<Said>, String> {
    judge(&response.parser)?;
    Ok(said(response.messages).into_iter().filter(lasts).collect())
}

/// Settings that would forge fields.
pub(crate) fn forged_settings() -> Row {
    let mut row = Row::new(27, "an event type with a line break");
    for kind in ["x\ny", "x\ry", "x\r\ndata: y", "", "x\u{85}\ny"] {
        row.check(&format!("--event-type {kind:?}"), refused(kind));
    }
    row.note = Some(REFUSED);
    row
}

/// Types that the stream keeps for itself, or that clients deliver elsewhere. The clients follow one that is allowed.
pub(crate) fn reserved_types(row: &mut Row) {
    for kind in ["error", "open", "message", "start", "gap", "end", "run", "progress", "busy", "ping"] {
        row.check(&format!("--event-type {kind}"), refused(kind));
    }
}

fn refused(kind: &str) -> Result<(), String> {
    let (code, _, complaint) = run_to_end(&["--port", "0", "--event-type", kind], Stdio::null());
    if code == 2 && !complaint.contains("listening on") {
        return Ok(());
    }
    Err(format!("expected a refusal with exit code 2, got exit code {code}; it said: {}", complaint.trim()))
}
