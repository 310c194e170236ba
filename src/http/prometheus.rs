//! `/metrics`: the Prometheus text format, version 0.0.4.
//!
//! Names follow its conventions: `sse_bridge_`, base units, `_total` for what only grows, and `process_` for what every process has. No label grows
//! with what is read or who reads: channels and clients are counted, never named. Sources are named as they are configured, and only the
//! first hundred.

use std::fmt::{Display, Write};

use hyper::{Response, StatusCode};

use super::process::Process;
use super::response::{self, Content};
use crate::channel::{ChannelStatus, State, Status};
use crate::event::Millis;
use crate::metrics::Metrics;
use crate::store::Condition;

/// What it is told of.
pub struct Seen<'a> {
    /// What is counted.
    pub metrics: &'a Metrics,
    /// When the daemon started.
    pub started: Millis,
    /// Streams that are open.
    pub clients: usize,
    /// How many may be.
    pub max_clients: usize,
    /// Different filters in use.
    pub filters: usize,
    /// The channels.
    pub status: &'a Status,
    /// What is on the disk, if there is one.
    pub stored: Option<&'a Condition>,
}

/// The answer.
#[must_use]
pub fn answer(seen: &Seen<'_>) -> Response<Content> {
    let mut text = Text::default();
    input(&mut text, seen.metrics);
    sources(&mut text, seen.status);
    history(&mut text, seen);
    streams(&mut text, seen);
    refusals(&mut text, seen.metrics);
    stored(&mut text, seen);
    process(&mut text, &Process::look(), seen.started);
    response::content(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", text.0)
}

/// The text so far.
#[derive(Default)]
struct Text(String);

impl Text {
    /// A metric that only grows.
    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.single(name, "counter", help, value);
    }

    /// A metric that goes up and down.
    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.single(name, "gauge", help, value);
    }

    fn single(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.sample(name, &[], value);
    }

    /// What stands before the samples of a metric.
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"));
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<_> = labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value))).collect();
        let (open, close) = if labels.is_empty() { ("", "") } else { ("{", "}") };
        self.line(format_args!("{name}{open}{}{close} {value}", labels.join(",")));
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        writeln!(self.0, "{line}").expect("a string takes everything");
    }
}

/// The value of a label between its quotes.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn input(text: &mut Text, metrics: &Metrics) {
    for (name, help, value) in [
        ("input_bytes", "Bytes read from sources.", &metrics.input_bytes),
        ("input_lines", "Lines read from sources.", &metrics.input_lines),
        ("long_lines", "Lines longer than --max-line, which became several events.", &metrics.long_lines),
        ("unmapped_lines", "Lines that are not of the --format, and passed as they are.", &metrics.unmapped_lines),
        ("refused_types", "Types from data that are reserved or cannot be one.", &metrics.refused_types),
        ("cut_groups", "Groups of --multiline longer than --max-line, which became several events.", &metrics.cut_groups),
        ("cut_events", "Events of --format sse that the end of the input has cut, or that are too long.", &metrics.cut_events),
        ("hidden_rests", "Lines of which --redact has replaced all the rest: more was too much to look at.", &metrics.hidden_rests),
        ("unwanted_events", "Events left out by --match and --drop.", &metrics.unwanted_events),
        ("limited_events", "Events left out by --rate-limit.", &metrics.limited_events),
        (
            "source_gaps",
            "Truncations, files that could not be found any more, and gaps of an event stream on the input.",
            &metrics.source_gaps,
        ),
        ("source_failures", "Times that a source could not be read.", &metrics.source_failures),
    ] {
        text.counter(&format!("sse_bridge_{name}_total"), help, value.get());
    }
}

/// A state, as a label says it, and whether a channel is in it.
type Labelled = (&'static str, fn(&ChannelStatus) -> bool);

/// What a channel's source does: `failed` has ended for good, `failing` is tried again.
const STATES: [Labelled; 6] = [
    ("open", |channel| channel.state == State::Open),
    ("waiting", |channel| channel.state == State::Waiting),
    ("failing", |channel| channel.state == State::Failing),
    ("ended", |channel| channel.state == State::Ended && !channel.has_failed),
    ("failed", |channel| channel.state == State::Ended && channel.has_failed),
    ("stored", |channel| channel.state == State::Stored),
];

fn sources(text: &mut Text, status: &Status) {
    let name = "sse_bridge_channels";
    text.family(name, "gauge", "Channels, by what their source does; failing is tried again, failed has ended for good.");
    for (state, is_in) in STATES {
        text.sample(name, &[("state", state)], status.channels.iter().filter(|channel| is_in(channel)).count());
    }
    let name = "sse_bridge_source_channels";
    text.family(name, "gauge", "Channels of each configured source, of the first 100 of them, by what it does.");
    let mut counts = vec![[0_usize; STATES.len()]; status.sources.len()];
    for channel in &status.channels {
        let Some(of_source) = channel.source.and_then(|source| counts.get_mut(source)) else { continue };
        STATES.iter().zip(of_source).for_each(|((_, is_in), count)| *count += usize::from(is_in(channel)));
    }
    for (source, counts) in status.sources.iter().zip(&counts) {
        for ((state, _), count) in STATES.iter().zip(counts) {
            text.sample(name, &[("source", source), ("state", state)], count);
        }
    }
}

fn history(text: &mut Text, seen: &Seen<'_>) {
    text.counter("sse_bridge_events_total", "Events published.", seen.status.published);
    text.counter("sse_bridge_dropped_events_total", "Events dropped from the history.", seen.status.dropped);
    text.gauge("sse_bridge_history_bytes", "What the events in memory cost.", seen.status.history_bytes);
}

fn streams(text: &mut Text, seen: &Seen<'_>) {
    let metrics = seen.metrics;
    text.counter("sse_bridge_connections_total", "Connections accepted.", metrics.connections.get());
    text.counter("sse_bridge_requests_total", "Requests answered.", metrics.requests.get());
    text.counter("sse_bridge_streams_total", "Streams opened.", metrics.streams.get());
    text.counter("sse_bridge_stream_bytes_total", "Bytes handed to streams.", metrics.stream_bytes.get());
    text.gauge("sse_bridge_clients", "Streams open now.", seen.clients);
    let behind = (seen.clients as u64).saturating_sub(metrics.waiting.get());
    text.gauge("sse_bridge_clients_behind", "Streams open now that have not been sent everything yet.", behind);
    text.gauge("sse_bridge_max_clients", "How many streams may be open.", seen.max_clients);
    let name = "sse_bridge_gaps_total";
    let help = "Gaps told to clients: of what was gone when they asked, went while they did not take it, or was of another life.";
    text.family(name, "counter", help);
    for (reason, counter) in [("dropped", &metrics.gaps_dropped), ("slow", &metrics.gaps_slow), ("restart", &metrics.gaps_restart)]
    {
        text.sample(name, &[("reason", reason)], counter.get());
    }
    text.counter("sse_bridge_lost_events_total", "Events in these gaps, where they can be counted.", metrics.lost_events.get());
    text.counter("sse_bridge_stalled_connections_total", "Connections cut by --write-timeout.", metrics.stalled.get());
    text.gauge("sse_bridge_filters", "Different filters in use now.", seen.filters);
    text.counter(
        "sse_bridge_filter_scans_total",
        "Times that a part of a batch was looked through for a filter.",
        metrics.sieve_scans.get(),
    );
    text.counter("sse_bridge_filter_bytes_total", "Bytes looked through for filters.", metrics.sieve_bytes.get());
}

fn refusals(text: &mut Text, metrics: &Metrics) {
    let name = "sse_bridge_refusals_total";
    let help = "Requests refused: for --max-clients, too many different filters, their Host, their origin, or what they ask for.";
    text.family(name, "counter", help);
    for (reason, counter) in [
        ("clients", &metrics.refused_busy),
        ("filters", &metrics.refused_sieves),
        ("host", &metrics.refused_host),
        ("origin", &metrics.refused_origin),
        ("unknown", &metrics.refused_unknown),
        ("malformed", &metrics.refused_malformed),
        ("method", &metrics.refused_method),
        ("large", &metrics.refused_large),
    ] {
        text.sample(name, &[("reason", reason)], counter.get());
    }
}

/// Nothing is said of a state directory that there is not.
fn stored(text: &mut Text, seen: &Seen<'_>) {
    let Some(stored) = seen.stored else { return };
    text.gauge("sse_bridge_stored_bytes", "What history takes on the disk.", stored.bytes);
    text.gauge("sse_bridge_stored_segments", "In how many files it is.", stored.segments);
    text.gauge(
        "sse_bridge_stored_failing",
        "Whether history cannot be kept as it should be now.",
        u8::from(stored.failing.is_some()),
    );
    let name = "sse_bridge_stored_trouble";
    text.family(
        name,
        "gauge",
        "What is wrong now: the directory itself, appending to it, syncing it, or removing what is too much.",
    );
    for (kind, is_now) in stored.troubles {
        text.sample(name, &[("kind", kind)], u8::from(is_now));
    }
    text.counter("sse_bridge_stored_failures_total", "Times that something began to be wrong.", stored.failures);
    text.gauge("sse_bridge_stored_missing_events", "Events that could not be written since all was well.", stored.missing);
    let damaged = seen.metrics.stored_damage.get();
    text.counter("sse_bridge_stored_damage_total", "Files of the state directory that were damaged or unreadable.", damaged);
}

fn process(text: &mut Text, process: &Process, started: Millis) {
    let name = "sse_bridge_build_info";
    text.family(name, "gauge", "Which version this is; always 1.");
    text.sample(name, &[("version", env!("CARGO_PKG_VERSION"))], 1);
    if let Some(cpu) = process.cpu {
        text.single(
            "process_cpu_seconds_total",
            "counter",
            "Processor time, of the user and of the system.",
            format_args!("{cpu:.6}"),
        );
    }
    let start = format_args!("{}.{:03}", started / 1000, started % 1000).to_string();
    text.gauge("process_start_time_seconds", "When it started, since 1970.", start);
    for (name, help, value) in [
        ("process_resident_memory_bytes", "Memory in use.", process.resident),
        ("process_virtual_memory_bytes", "Address space in use.", process.virtual_size),
        ("process_open_fds", "Open file descriptors.", process.open_files),
        ("process_max_fds", "How many may be open.", process.max_files),
        ("process_threads", "Threads.", process.threads),
    ] {
        if let Some(value) = value {
            text.gauge(name, help, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped() {
        let mut text = Text::default();
        text.sample("a", &[("b", "x\\y\"z\nw"), ("c", "")], 1);
        assert_eq!(text.0, "a{b=\"x\\\\y\\\"z\\nw\",c=\"\"} 1\n");
    }
}
