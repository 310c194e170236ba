//! What the daemon says of itself: health, channels, metrics.

use hyper::{Response, StatusCode};
use serde::Serialize;

use super::response::{self, Content};
use crate::channel::Status;
use crate::metrics::Metrics;
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

/// `/metrics`: counters and gauges in the Prometheus text format, without labels that grow.
#[must_use]
pub fn metrics(
    metrics: &Metrics,
    clients: usize,
    filters: usize,
    status: &Status,
    stored: Option<&Condition>,
) -> Response<Content> {
    let counters = [
        ("input_bytes", "Bytes read from sources.", metrics.input_bytes.get()),
        ("input_lines", "Lines read from sources.", metrics.input_lines.get()),
        ("long_lines", "Lines longer than --max-line, which became several events.", metrics.long_lines.get()),
        ("unmapped_lines", "Lines that are not of the --format, and passed as they are.", metrics.unmapped_lines.get()),
        ("refused_types", "Types from data that are reserved or cannot be one.", metrics.refused_types.get()),
        ("cut_groups", "Groups of --multiline longer than --max-line, which became several events.", metrics.cut_groups.get()),
        ("cut_events", "Events of --format sse that the end of the input has cut, or that are too long.", metrics.cut_events.get()),
        (
            "hidden_rests",
            "Lines of which --redact has replaced all the rest: more was too much to look at.",
            metrics.hidden_rests.get(),
        ),
        ("unwanted_events", "Events left out by --match and --drop.", metrics.unwanted_events.get()),
        ("limited_events", "Events left out by --rate-limit.", metrics.limited_events.get()),
        (
            "source_gaps",
            "Truncations, files that could not be found any more, and gaps of an event stream on the input.",
            metrics.source_gaps.get(),
        ),
        ("source_failures", "Times that a source could not be read.", metrics.source_failures.get()),
        ("connections", "Connections accepted.", metrics.connections.get()),
        ("requests", "Requests answered.", metrics.requests.get()),
        ("streams", "Streams opened.", metrics.streams.get()),
        ("stream_bytes", "Bytes handed to streams.", metrics.stream_bytes.get()),
        ("gaps", "Gaps told to clients.", metrics.gaps.get()),
        ("busy", "Streams refused because of --max-clients.", metrics.refused_busy.get()),
        ("refused_hosts", "Requests refused for their Host.", metrics.refused_host.get()),
        ("refused_origins", "Requests refused for their origin.", metrics.refused_origin.get()),
        ("stalled_connections", "Connections cut by --write-timeout.", metrics.stalled.get()),
        ("filter_scans", "Times that a part of a batch was looked through for a filter.", metrics.sieve_scans.get()),
        ("filter_bytes", "Bytes looked through for filters.", metrics.sieve_bytes.get()),
        ("refused_filters", "Streams refused because too many different filters were in use.", metrics.refused_sieves.get()),
        ("dropped_events", "Events dropped from the history.", status.dropped),
        ("stored_failures", "Times that history began to be not writable.", stored.map_or(0, |stored| stored.failures)),
        ("stored_damage", "Files of the state directory that were damaged or unreadable.", metrics.stored_damage.get()),
    ];
    let gauges = [
        ("clients", "Streams open now.", clients as u64),
        ("filters", "Different filters in use now.", filters as u64),
        ("history_bytes", "What the retained events cost.", status.history_bytes as u64),
        ("channels", "Channels.", status.channels.len() as u64),
        ("stored_bytes", "What history takes on the disk.", stored.map_or(0, |stored| stored.bytes)),
        (
            "stored_failing",
            "Whether history cannot be written now.",
            stored.map_or(0, |stored| u64::from(stored.failing.is_some())),
        ),
    ];
    let mut text = String::new();
    for (name, help, value) in counters {
        text.push_str(&sample(&format!("{name}_total"), "counter", help, value));
    }
    for (name, help, value) in gauges {
        text.push_str(&sample(name, "gauge", help, value));
    }
    response::content(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", text)
}

fn sample(name: &str, kind: &str, help: &str, value: u64) -> String {
    format!("# HELP sse_bridge_{name} {help}\n# TYPE sse_bridge_{name} {kind}\nsse_bridge_{name} {value}\n")
}
