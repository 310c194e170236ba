//! What clients do not want: filters in the URL, and streams as JSON; the real binary over real sockets, judged by a model that knows no expressions.
#![allow(
    clippy::pedantic,
    clippy::type_complexity,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests panic and print on purpose, and read like sessions"
)]

mod harness;

#[allow(dead_code, reason = "a part of it is used here")]
#[path = "state/seen.rs"]
mod seen;

#[allow(dead_code, reason = "a part of it is used here")]
#[path = "state/directory.rs"]
mod directory;

#[allow(dead_code, reason = "a part of it is used here")]
#[path = "state/pipes.rs"]
mod pipes;

/// What a filter lets pass, said plainly.
#[path = "filters/model.rs"]
mod model;

/// Every filter on a stream that has ended: whole, cut anywhere, in pages, over every version of HTTP.
#[path = "filters/whole.rs"]
mod whole;

/// Clients that come and go while lines come, and a history that drops.
#[path = "filters/live.rs"]
mod live;

/// How a client learns how far it has come.
#[path = "filters/bookmarks.rs"]
mod bookmarks;

/// What filters cost, and their bounds.
#[path = "filters/cost.rs"]
mod cost;

/// Costly filters, and those beside them.
#[path = "filters/fairness.rs"]
mod fairness;

/// JSON, one object a line.
#[path = "filters/ndjson.rs"]
mod ndjson;
