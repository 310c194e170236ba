//! What is odd about a source's lines: counted each time, told once for each source.

use std::sync::atomic::{AtomicU8, Ordering};

use tracing::warn;

use super::middle::Tally;
use crate::event::ChannelName;
use crate::metrics::{Counter, Metrics};

/// What has been told, a bit for each.
#[derive(Debug, Default)]
pub struct Oddities(AtomicU8);

impl Oddities {
    /// Counts what was found, and tells what was not told before.
    pub fn note(&self, found: &Tally, channel: &ChannelName, metrics: &Metrics) {
        let Tally { long_lines, mapping, shaping, .. } = found;
        let told: [(u64, &Counter, &str); 6] = [
            (*long_lines, &metrics.long_lines, "a line longer than --max-line became several events"),
            (mapping.unmapped, &metrics.unmapped_lines, "a line is not of the --format, and passed as it is"),
            (
                mapping.refused_types + shaping.refused_types,
                &metrics.refused_types,
                "a type in the data is reserved or cannot be one, and its event has none",
            ),
            (mapping.cut_groups, &metrics.cut_groups, "a group of --multiline longer than --max-line became several events"),
            (
                mapping.cut_events,
                &metrics.cut_events,
                "an event on the input was cut by its end or longer than --max-line, and is lost",
            ),
            (
                shaping.hidden_rests,
                &metrics.hidden_rests,
                "all the rest of a line was redacted: what is secret is longer than --max-line, or the expression of --redact looks too far ahead",
            ),
        ];
        for (bit, (count, counter, what)) in told.into_iter().enumerate() {
            if count > 0 {
                counter.add(count);
                if self.0.fetch_or(1 << bit, Ordering::Relaxed) >> bit & 1 == 0 {
                    warn!("'{channel}': {what}; this is said once");
                }
            }
        }
        metrics.unwanted_events.add(shaping.unwanted);
        metrics.limited_events.add(shaping.limited);
        metrics.source_gaps.add(shaping.upstream_gaps);
    }
}
