//! Requests that are not answered, and what they are told; and what may be asked.

use hyper::header::{self, HeaderValue};
use hyper::{Request, Response, StatusCode};

use super::origin::Access;
use super::query::BadQuery;
use super::response::{Content, closing, empty, text};

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
