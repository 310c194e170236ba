//! Requests that are not answered, and what they are told; and what may be asked.

use std::hash::{BuildHasher, Hasher, RandomState};

use hyper::header::{self, HeaderValue};
use hyper::{Request, Response, StatusCode};
use serde::Serialize;

use super::accept;
use super::origin::Access;
use super::query::{BadQuery, Format};
use super::response::{Content, closing, empty, text};
use super::router::stream_head;
use crate::sieve::Crowded;
use crate::sse;

/// The longest request target, in bytes.
const MAX_TARGET: usize = 4096;

/// How long a browser remembers what it may send across origins.
const PREFLIGHT_AGE: &str = "600";

/// A target that is longer than anybody needs.
pub(super) fn refuse_long_targets<B>(request: &Request<B>) -> Result<(), Response<Content>> {
    if request.uri().path_and_query().is_some_and(|target| target.as_str().len() > MAX_TARGET) {
        return Err(closing(text(StatusCode::URI_TOO_LONG, "the request target is too long")));
    }
    Ok(())
}

/// Requests with a body are refused unread: nothing here takes one, and what is not read cannot be smuggled.
pub(super) fn refuse_bodies<B>(request: &Request<B>) -> Result<(), Response<Content>> {
    let headers = request.headers();
    if headers.contains_key(header::TRANSFER_ENCODING) {
        return Err(closing(text(StatusCode::BAD_REQUEST, "a request with Transfer-Encoding is not answered")));
    }
    let lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    if lengths.into_iter().any(|length| length.as_bytes().iter().any(|byte| *byte != b'0')) {
        return Err(closing(text(StatusCode::PAYLOAD_TOO_LARGE, "a request with a body is not answered")));
    }
    Ok(())
}

/// What a query that cannot be answered is told.
pub(super) fn refuse(bad: &BadQuery) -> Response<Content> {
    let status = match bad {
        BadQuery::Value { .. } | BadQuery::TooMany => StatusCode::BAD_REQUEST,
        BadQuery::Name(_) => StatusCode::NOT_FOUND,
    };
    text(status, &one_line(&bad.to_string()))
}

/// One line, whatever was in the value.
pub(super) fn one_line(message: &str) -> String {
    message.chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect()
}

/// With the methods that are answered.
pub(super) fn with_allow(mut response: Response<Content>) -> Response<Content> {
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS"));
    response
}

/// The answer to OPTIONS: what is allowed, also across origins for a page that may read.
pub(super) fn preflight<B>(request: &Request<B>, access: &Access) -> Response<Content> {
    let mut response = with_allow(empty(StatusCode::NO_CONTENT));
    if matches!(access, Access::Allowed(_)) && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD) {
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD"));
        let allowed = HeaderValue::from_static("Last-Event-ID, Cache-Control, Accept");
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(PREFLIGHT_AGE));
    }
    response
}

/// Of what there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Full {
    /// All places for clients are taken.
    Clients,
    /// There are as many different filters as there may be.
    Filters,
    /// Many look back for `tail`.
    Tail,
    /// The daemon is about to end.
    Ending,
}

impl Full {
    fn line(self) -> String {
        match self {
            Self::Clients => "all places are taken; --max-clients sets how many there are".to_owned(),
            Self::Filters => Crowded.to_string(),
            Self::Tail => {
                "too many clients with filters look for their newest events; come back later, or ask with tail=0".to_owned()
            }
            Self::Ending => "the server is about to end".to_owned(),
        }
    }
}

/// There is no room. An `EventSource` is told when to knock again; anybody else gets an error that says why.
pub(super) fn busy<B>(request: &Request<B>, reason: Full) -> Response<Content> {
    let wait = busy_wait();
    if !accept::names_event_stream(request.headers()) {
        let mut response = closing(text(StatusCode::SERVICE_UNAVAILABLE, &reason.line()));
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait / 1000));
        return response;
    }
    let mut block = Vec::new();
    sse::preamble(&mut block, wait);
    sse::control(&mut block, None, "busy", &Busy { retry: wait, reason });
    let mut response = closing(stream_head(Format::EventStream));
    *response.body_mut() = Content::Full(http_body_util::Full::new(block.into()));
    response
}

/// 15 to 60 s, in milliseconds: spread, so that those who were refused together do not come back together.
fn busy_wait() -> u64 {
    // Every new state has other keys; that is all the chance this needs.
    15_000 + RandomState::new().build_hasher().finish() % 45_001
}

/// The data of a `busy` event.
#[derive(Debug, Serialize)]
struct Busy {
    /// Milliseconds after which to come back.
    retry: u64,
    reason: Full,
}
