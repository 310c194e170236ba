//! What monitors and orchestrators ask, and what we ship for them.
#![allow(
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests panic and print on purpose"
)]

mod harness;

/// The text format, strictly.
#[path = "monitoring/exposition.rs"]
mod exposition;

/// What `/metrics` counts.
#[path = "monitoring/metrics.rs"]
mod metrics;

/// `sse-bridge healthcheck`.
#[path = "monitoring/healthcheck.rs"]
mod healthcheck;

/// What is shipped for Prometheus and Grafana.
#[path = "monitoring/examples.rs"]
mod examples;
