//! `/metrics`: as Prometheus reads it, and counting what happens.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use crate::exposition::{Family, parse};
use crate::harness::{Bridge, Get, command, eventually};

/// Everything that is counted, of a daemon with a state directory.
fn families(bridge: &Bridge) -> BTreeMap<String, Family> {
    let text = bridge.get("/metrics").text();
    parse(&text).unwrap_or_else(|wrong| panic!("{wrong}\n{text}"))
}

#[test]
fn metrics_are_prometheus_text_and_follow_its_conventions() {
    let state = tempfile::tempdir().unwrap();
    let name = "odd\\\"\n*";
    let bridge = Bridge::start(&["--state-dir", state.path().to_str().unwrap(), "-", name]);
    let mut get = bridge.get("/metrics");
    assert_eq!(get.header("content-type").as_deref(), Some("text/plain; version=0.0.4; charset=utf-8"));
    let families = parse(&get.text()).unwrap();
    for (name, family) in &families {
        let known = name.strip_prefix("sse_bridge_").or(name.strip_prefix("process_")).unwrap_or_else(|| panic!("{name}"));
        assert!(known.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') && !known.contains("__"), "{name}");
        assert!(family.help.ends_with('.') && !family.samples.is_empty(), "{name}: {}", family.help);
        assert_eq!(family.kind, if name.ends_with("_total") { "counter" } else { "gauge" }, "{name}");
        for unit in ["milliseconds", "kilobytes", "percent", "ms"] {
            assert!(!name.split('_').any(|word| word == unit), "{name} is not in base units");
        }
    }
    let sources: Vec<_> = families["sse_bridge_source_channels"].samples.iter().map(|sample| &sample.labels["source"]).collect();
    assert!(sources.iter().any(|source| source.ends_with(name)) && sources.iter().any(|source| *source == "stdin"), "{sources:?}");
}

#[test]
fn promtool_finds_nothing_to_say() {
    let state = tempfile::tempdir().unwrap();
    let bridge = Bridge::start(&["--state-dir", state.path().to_str().unwrap()]);
    let mut check = Command::new("promtool");
    check.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = check.spawn().expect("promtool is there: tests/install installs it");
    child.stdin.take().unwrap().write_all(bridge.get("/metrics").text().as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned();
    assert!(out.status.success() && said.trim().is_empty(), "{said}");
}

#[test]
fn no_label_grows_with_what_is_read_or_who_reads() {
    let logs = tempfile::tempdir().unwrap();
    let glob = format!("{}/*.log", logs.path().display());
    let bridge = Bridge::start(&[&format!("web={glob}"), &glob.replace("*.log", "none*.txt")]);
    let series = |bridge: &Bridge| families(bridge).values().map(|family| family.samples.len()).sum::<usize>();
    let before = series(&bridge);
    for number in 0..50 {
        fs::write(logs.path().join(format!("{number}.log")), "line\n").unwrap();
    }
    let open = "source_channels{source=\"web\",state=\"open\"}";
    eventually("50 files", || bridge.metric(open), |count| *count == 50);
    let _clients: Vec<_> = (0..20).map(|number| bridge.get(&format!("/events/web/{number}.log"))).collect();
    assert_eq!(series(&bridge), before);
    assert_eq!((bridge.metric("channels"), bridge.metric("source_channels")), (50, 50));
}

#[test]
fn of_thousands_of_sources_the_first_hundred_are_told_apart() {
    let logs = tempfile::tempdir().unwrap();
    let paths: Vec<_> = (0..150).map(|number| format!("{}/{number}", logs.path().display())).collect();
    paths.iter().for_each(|path| fs::write(path, "line\n").unwrap());
    let bridge = Bridge::start(&paths.iter().map(String::as_str).collect::<Vec<_>>());
    eventually("150 files", || bridge.metric("channels"), |count| *count == 150);
    assert_eq!(families(&bridge)["sse_bridge_source_channels"].samples.len(), 6 * 100);
}

#[test]
fn a_source_is_seen_to_wait_to_be_read_to_end_and_to_fail() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("late");
    let late = format!("late={}", file.display());
    let bridge = Bridge::start(&[&late, "good=exec:true", "bad=exec:sse-bridge-no-such-program"]);
    let state = |source: &str, state: &str| bridge.metric(&format!("source_channels{{source=\"{source}\",state=\"{state}\"}}"));
    eventually("an end", || state("good", "ended"), |count| *count == 2);
    eventually("another", || state("bad", "ended") + state("bad", "failed"), |count| *count == 2);
    assert_eq!((state("late", "waiting"), state("late", "open")), (1, 0));
    fs::write(&file, "line\n").unwrap();
    eventually("the file", || (state("late", "waiting"), state("late", "open")), |states| *states == (0, 1));
    assert_eq!(bridge.metric("channels{state=\"open\"}"), 1);
}

#[test]
fn clients_that_are_behind_are_counted() {
    let mut bridge = Bridge::start(&["--history", "32MiB"]);
    let mut quick = bridge.get("/events?tail=all");
    let slow = Get::new(bridge.port, "/events?tail=all", &[]);
    quick.events(1);
    eventually("everybody to wait", || (bridge.metric("clients"), bridge.metric("clients_behind")), |seen| *seen == (2, 0));
    let line = [&[b'x'; 1023][..], b"\n"].concat();
    bridge.feed(&line.repeat(16 << 10));
    quick.events(16 << 10);
    eventually("one to be behind", || bridge.metric("clients_behind"), |behind| *behind == 1);
    drop(slow);
    eventually("nobody to be behind", || (bridge.metric("clients"), bridge.metric("clients_behind")), |seen| *seen == (1, 0));
    assert_eq!(bridge.metric("events_total"), 16 << 10);
    let mut curl = Command::new("curl");
    curl.args(["-sN", "--http2-prior-knowledge", &bridge.url("/events")]).stdout(Stdio::null());
    let mut over_http2 = curl.spawn().expect("curl is there: tests/install installs it");
    eventually("one more, who waits", || (bridge.metric("clients"), bridge.metric("clients_behind")), |seen| *seen == (2, 0));
    over_http2.kill().unwrap();
    over_http2.wait().unwrap();
    eventually("it to leave", || (bridge.metric("clients"), bridge.metric("clients_behind")), |seen| *seen == (1, 0));
}

#[test]
fn gaps_and_refusals_are_told_apart() {
    let mut bridge = Bridge::start(&["--history", "256KiB", "--max-clients", "2"]);
    let id = bridge.get("/events").events(1)[0].id.clone();
    bridge.feed(&[&[b'x'; 1023][..], b"\n"].concat().repeat(1024));
    eventually("all events", || bridge.metric("events_total"), |count| *count == 1024);
    bridge.get_with("/events?follow=0", &[("Last-Event-ID", &id)]).rest();
    bridge.get_with("/events?follow=0", &[("Last-Event-ID", "1-1/stdin")]).rest();
    let gaps = |reason: &str| bridge.metric(&format!("gaps_total{{reason=\"{reason}\"}}"));
    assert_eq!((gaps("dropped"), gaps("restart"), gaps("slow")), (1, 1, 0));
    assert_eq!(bridge.metric("lost_events_total"), bridge.metric("dropped_events_total"));
    for (path, method) in
        [("/nothing", "GET"), ("/events?tail=x", "GET"), ("/", "POST"), (&*format!("/{}", "x".repeat(5000)), "GET")]
    {
        Get::request(bridge.port, method, path, &[]);
    }
    for reason in ["unknown", "malformed", "method", "large"] {
        assert_eq!(bridge.metric(&format!("refusals_total{{reason=\"{reason}\"}}")), 1, "{reason}");
    }
    assert_eq!(bridge.metric("refusals_total"), 4);
}

#[test]
fn the_process_is_as_the_kernel_says() {
    let state = tempfile::tempdir().unwrap();
    let mut with_state = command(&["--port", "0", "--state-dir"]);
    with_state.arg(state.path());
    let mut bridge = Bridge::spawn(with_state);
    bridge.feed(b"one\n");
    eventually("the event", || bridge.metric("events_total"), |count| *count == 1);
    let families = families(&bridge);
    let value = |name: &str| families[name].samples[0].value;
    assert!(
        value("process_resident_memory_bytes") > 1e6 && value("process_open_fds") > 5.0 && value("process_cpu_seconds_total") > 0.0
    );
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
    assert!((0.0..60.0).contains(&(now - value("process_start_time_seconds"))), "{now}");
    assert_eq!(families["sse_bridge_build_info"].samples[0].labels["version"], env!("CARGO_PKG_VERSION"));
    assert!(value("sse_bridge_stored_bytes") > 0.0 && value("sse_bridge_stored_segments") == 1.0);
    assert!(families["sse_bridge_stored_trouble"].samples.iter().all(|sample| sample.value == 0.0));
    let without = Bridge::start(&[]).get("/metrics").text();
    assert!(!without.contains("_stored_"), "nothing is said of a state directory that there is not");
}
