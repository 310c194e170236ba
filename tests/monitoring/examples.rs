//! What is shipped for Prometheus and Grafana asks for what there is.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::exposition::parse;
use crate::harness::Bridge;

fn example(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(path)
}

/// All names of ours in an expression, and `process_` ones.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("sse_bridge_") || word.starts_with("process_")).map(str::to_owned).collect()
}

fn existing() -> BTreeSet<String> {
    let state = tempfile::tempdir().unwrap();
    let bridge = Bridge::start(&["--state-dir", state.path().to_str().unwrap()]);
    parse(&bridge.get("/metrics").text()).unwrap().into_keys().collect()
}

#[test]
fn the_dashboard_shows_what_there_is() {
    let dashboard: Value = serde_json::from_str(&fs::read_to_string(example("grafana/sse-bridge.json")).unwrap()).unwrap();
    let existing = existing();
    let panels = dashboard["panels"].as_array().unwrap();
    let (mut shown, mut ids) = (BTreeSet::new(), BTreeSet::new());
    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel}");
        for target in panel["targets"].as_array().into_iter().flatten() {
            let expression = target["expr"].as_str().unwrap();
            let names = names(expression);
            assert!(!names.is_empty() && names.is_subset(&existing), "{expression}");
            assert_eq!(expression.matches('(').count(), expression.matches(')').count(), "{expression}");
            shown.extend(names);
        }
    }
    for wanted in [
        "input_lines_total",
        "stream_bytes_total",
        "events_total",
        "clients_behind",
        "gaps_total",
        "refusals_total",
        "source_channels",
        "stored_bytes",
    ] {
        assert!(shown.contains(&format!("sse_bridge_{wanted}")), "{wanted} is shown nowhere");
    }
}

#[test]
fn the_documentation_lists_what_there_is() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/monitoring.md")).unwrap();
    let table = text.split("## Metrics").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `")?.split(['`', '{']).next());
    assert_eq!(rows.map(str::to_owned).collect::<BTreeSet<_>>(), existing());
}

#[test]
fn the_alerts_and_the_scrape_are_good() {
    let rules = fs::read_to_string(example("prometheus/alerts.yml")).unwrap();
    let names = names(&rules);
    let unknown: Vec<_> = names.difference(&existing()).cloned().collect();
    assert!(!names.is_empty() && unknown.is_empty(), "{unknown:?}");
    for arguments in [["check", "config", "prometheus/prometheus.yml"], ["test", "rules", "prometheus/alerts.test.yml"]] {
        let mut promtool = Command::new("promtool");
        promtool.args(&arguments[..2]).arg(example(arguments[2]));
        let out = promtool.output().expect("promtool is there: tests/install installs it");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&[out.stdout, out.stderr].concat()));
    }
}
