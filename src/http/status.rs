//! What the daemon says of itself: health, channels.

use hyper::{Response, StatusCode};
use serde::Serialize;

use super::response::{self, Content};
use crate::channel::Status;
use crate::store::Condition;

/// `/healthz`: the daemon answers.
#[must_use]
pub fn healthz() -> Response<Content> {
    response::text(StatusCode::OK, "ok")
}

/// `/readyz`: streams are served. With `?strict` also: no source has failed or cannot be read now, and history can be written.
/// One that is not there yet is waited for, which is no failure.
#[must_use]
pub fn readyz(query: Option<&str>, status: &Status, stored: Option<&Condition>) -> Response<Content> {
    let is_strict = query.unwrap_or("").split('&').any(|pair| pair.split('=').next() == Some("strict"));
    let has_failed = status.channels.iter().any(|channel| channel.has_failed);
    let is_unwritten = stored.is_some_and(|stored| stored.failing.is_some());
    let code = if is_strict && (has_failed || is_unwritten) { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    response::text(
        code,
        match (has_failed, is_unwritten) {
            (_, true) => "history cannot be written; streams go on from memory",
            (true, _) if is_strict => "a source cannot be read",
            _ => "ok",
        },
    )
}

/// What `/channels` shows.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    status: &'a Status,
    /// What is on the disk; null without a state directory.
    stored: Option<&'a Condition>,
}

/// `/channels`: what there is, as JSON.
#[must_use]
pub fn channels(status: &Status, stored: Option<&Condition>) -> Response<Content> {
    let json = serde_json::to_vec(&Shown { status, stored }).expect("a status is plain structs, strings and numbers");
    response::content(StatusCode::OK, "application/json", json)
}
