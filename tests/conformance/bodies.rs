//! The bytes of a body, over every version of HTTP: chunks, frames and the end of a connection are the wire's; the body is the same.
//!
//! Signs of life stand where time put them. They are taken out before bodies are compared.

use std::io;

use super::{
    raw::{Request, Response, Version, judge},
    row::said,
    stream::{Heard, Stream, Until},
};

/// What breaks a silence: a comment, or an event for those who asked for one.
const SIGNS: [&[u8]; 2] = [b":\n", b"event: ping\ndata: {}\n\n"];

/// A body without its signs of life, and how many comments and pings there were. Each begins a line, as no line of data does.
pub(crate) fn without_signs(body: &[u8]) -> (Vec<u8>, [usize; 2]) {
    let (mut plain, mut signs) = (Vec::with_capacity(body.len()), [0; 2]);
    let mut rest = body;
    while !rest.is_empty() {
        let sign = SIGNS.iter().zip(&mut signs).find_map(|(sign, count)| Some((rest.strip_prefix(*sign)?, count)));
        if let Some((behind, count)) = sign {
            rest = behind;
            *count += 1;
            continue;
        }
        let end = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |at| at + 1);
        plain.extend_from_slice(&rest[..end]);
        rest = &rest[end..];
    }
    (plain, signs)
}

/// Bytes that are shown before and behind the first that differs.
const AROUND: usize = 60;

/// Tells the first difference.
pub(crate) fn compare(expected: &[u8], got: &[u8]) -> Result<(), String> {
    if expected == got {
        return Ok(());
    }
    let same = expected.iter().zip(got).take_while(|(one, other)| one == other).count();
    let show = |body: &[u8]| {
        let part = &body[same.saturating_sub(AROUND)..body.len().min(same + AROUND)];
        format!("…{}… of {} bytes", part.escape_ascii(), body.len())
    };
    Err(format!("byte {same} differs\n      expected {}\n      got      {}", show(expected), show(got)))
}

/// Follows a stream over each version. What was heard is what came over HTTP/1.1; a difference is an error.
pub(crate) fn follow(stream: &Stream) -> Heard {
    let mut heard = Heard { name: stream.name.clone(), messages: Vec::new(), breaks: 0, error: None };
    heard.error = follow_all(stream, &mut heard).err();
    heard
}

fn follow_all(stream: &Stream, heard: &mut Heard) -> Result<(), String> {
    let [plain, chunked, framed] = Version::ALL.map(|version| {
        let request = read(stream, version).map_err(|cause| format!("{version:?}: {cause}"))?;
        judge(&request.response.parser).map_err(|problem| format!("{version:?}: {problem}"))?;
        Ok::<_, String>(request.response)
    });
    let (plain, chunked, framed) = (plain?, chunked?, framed?);
    let expected = wanted(stream, &chunked.body);
    for (version, response) in [(Version::Http10, plain), (Version::Http2, framed)] {
        compare(&expected, &wanted(stream, &response.body)).map_err(|problem| format!("{version:?}: {problem}"))?;
    }
    heard.messages = said(chunked.messages);
    Ok(())
}

fn read(stream: &Stream, version: Version) -> io::Result<Request> {
    let (port, path) = stream.place();
    let mut request = Request::ask(version, port, path, &[("Accept", "text/event-stream")])?;
    match stream.until {
        Until::End | Until::Closed => {
            request.read_to_end()?;
            request.response.parser.finish();
        }
        Until::Count(count) => request.read_while(|response| response.messages.len() < count)?,
    }
    Ok(request)
}

/// The part of a body that was waited for.
fn wanted(stream: &Stream, body: &[u8]) -> Vec<u8> {
    let (mut plain, _) = without_signs(body);
    if let Until::Count(count) = stream.until {
        let ends = plain.windows(2).enumerate().filter(|(_, pair)| pair == b"\n\n").map(|(at, _)| at + 2);
        let end = ends.take(count).last().unwrap_or_default();
        plain.truncate(end);
    }
    plain
}

/// Header fields that belong to a version, or to the moment.
const OF_THE_WIRE: [&str; 3] = ["connection", "date", "transfer-encoding"];

/// Asks over each version for what ends by itself. Status, header fields and body must be the same; what came over HTTP/1.1 is
/// given.
pub(crate) fn ask_everywhere(port: u16, path: &str, fields: &[(&str, &str)]) -> Result<Response, String> {
    let [plain, chunked, framed] = Version::ALL.map(|version| {
        let mut request = Request::ask(version, port, path, fields).map_err(|cause| format!("{version:?}: {cause}"))?;
        request.read_to_end().map_err(|cause| format!("{version:?}: {cause}"))?;
        Ok::<_, String>(request.response)
    });
    let chunked = chunked?;
    for (version, response) in [(Version::Http10, plain?), (Version::Http2, framed?)] {
        same_head(&chunked, &response).map_err(|problem| format!("{version:?}: {problem}"))?;
        compare(&chunked.body, &response.body).map_err(|problem| format!("{version:?}: {problem}"))?;
    }
    Ok(chunked)
}

fn same_head(expected: &Response, got: &Response) -> Result<(), String> {
    let lasting = |response: &Response| {
        let fields = response.fields().into_iter().filter(|(name, _)| !OF_THE_WIRE.contains(&name.as_str()));
        let mut fields: Vec<(String, String)> = fields.collect();
        fields.sort();
        (response.status(), fields)
    };
    let (expected, got) = (lasting(expected), lasting(got));
    if expected == got { Ok(()) } else { Err(format!("another head\n      expected {expected:?}\n      got      {got:?}")) }
}
