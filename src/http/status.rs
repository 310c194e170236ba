//! What the daemon says of itself: health, channels, metrics.

use hyper::{Response, StatusCode};

use super::response::{self, Content};
use crate::channel::Status;
use crate::metrics::Metrics;

/// `/healthz`: the daemon answers.
#[must_use]
pub fn healthz() -> Response<Content> {
    response::text(StatusCode::OK, "ok")
}

/// `/readyz`: streams are served. With `?strict` also: no source has failed or cannot be read now.
/// One that is not there yet is waited for, which is no failure.
#[must_use]
pub fn readyz(query: Option<&str>, status: &Status) -> Response<Content> {
    let is_strict = query.unwrap_or("").split('&').any(|pair| pair.split('=').next() == Some("strict"));
    let has_failed = status.channels.iter().any(|channel| channel.has_failed);
    if is_strict && has_failed {
        response::text(StatusCode::SERVICE_UNAVAILABLE, "a source cannot be read")
    } else {
        response::text(StatusCode::OK, "ok")
    }
}

/// `/channels`: what there is, as JSON.
#[must_use]
pub fn channels(status: &Status) -> Response<Content> {
    let json = serde_json::to_vec(status).expect("a status is plain structs, strings and numbers");
    response::content(StatusCode::OK, "application/json", json)
}

/// `/metrics`: counters and gauges in the Prometheus text format, without labels that grow.
#[must_use]
pub fn metrics(metrics: &Metrics, clients: usize, status: &Status) -> Response<Content> {
    let counters = [
        ("input_bytes", "Bytes read from sources.", metrics.input_bytes.get()),
        ("input_lines", "Lines read from sources.", metrics.input_lines.get()),
        ("long_lines", "Lines longer than --max-line, which became several events.", metrics.long_lines.get()),
        ("source_gaps", "Truncations, and files that could not be found any more.", metrics.source_gaps.get()),
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
        ("dropped_events", "Events dropped from the history.", status.dropped),
    ];
    let gauges = [
        ("clients", "Streams open now.", clients as u64),
        ("history_bytes", "What the retained events cost.", status.history_bytes as u64),
        ("channels", "Channels.", status.channels.len() as u64),
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
