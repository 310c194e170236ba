//! Answers.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{self, HeaderValue};
use hyper::{Response, StatusCode};

use super::client::Client;

/// What an answer holds.
#[derive(Debug)]
pub enum Content {
    /// Known in full.
    Full(Full<Bytes>),
    /// Comes as it happens, to this client.
    Stream(Box<Client>),
}

/// An answer of one line for people, ended by LF.
#[must_use]
pub fn text(status: StatusCode, line: &str) -> Response<Content> {
    content(status, "text/plain; charset=utf-8", format!("{line}\n"))
}

/// An answer with a type. Nobody may guess another type, keep it, or learn from it where a reader came from.
#[must_use]
pub fn content(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Response<Content> {
    let mut response = empty(status);
    *response.body_mut() = Content::Full(Full::new(body.into()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// An answer without a body.
#[must_use]
pub fn empty(status: StatusCode) -> Response<Content> {
    let mut response = Response::new(Content::Full(Full::default()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store, no-transform"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    response
}

/// Ends the connection behind this answer.
#[must_use]
pub fn closing(mut response: Response<Content>) -> Response<Content> {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}
