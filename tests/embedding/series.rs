//! What common programs print is drawn without configuration: the right series, whose values move.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::process::{Command, Stdio};

use crate::charts::Charts;
use crate::webdriver::{Kind, in_each_browser};

in_each_browser! {
    json_metrics_are_drawn_by_their_keys
}

const PING: &str = "PING example.com (192.0.2.7) 56(84) bytes of data.
64 bytes from 192.0.2.7 (192.0.2.7): icmp_seq=1 ttl=57 time=11.4 ms
64 bytes from 192.0.2.7 (192.0.2.7): icmp_seq=2 ttl=57 time=12.9 ms
64 bytes from 192.0.2.7 (192.0.2.7): icmp_seq=3 ttl=57 time=10.8 ms
";

const PRICES: &str = "time,symbol,price,volume
2026-11-30T10:00:00Z,ACME,189.20,1200
2026-11-30T10:00:00Z,GLOBEX,41.05,300
2026-11-30T10:00:01Z,ACME,189.45,900
2026-11-30T10:00:01Z,GLOBEX,41.01,450
";

fn json_metrics_are_drawn_by_their_keys(kind: Kind) {
    let lines: String = (0..30).map(|at| metrics(at, 20 + at % 7)).collect();
    let mut charts = Charts::open(kind, &[], &lines);
    charts.wait_for_series(&["cpu", "memory.used", "latency_ms"]);
    charts.wait_for_value("cpu", "21");
    charts.wait_for_value("memory.used", "3 KiB");
    charts.wait_for_value("latency_ms", "10.5 ms");
    charts.wait_for_ink(0);
    let series = charts.series();
    assert!(!series.iter().any(|name| name.contains("ts") || name.contains("host")), "times and texts are no series: {series:?}");

    let before = charts.pictures();
    charts.feed(&metrics(31, 87));
    charts.wait_for_value("cpu", "87");
    charts.wait_for_other_pictures(&before);
    charts.screenshot(&format!("charts-json-{kind:?}").to_lowercase());
}

fn metrics(at: u32, cpu: u32) -> String {
    let (seconds, used) = (1_796_000_000 + at, 1_024 * (1 + at % 3));
    format!(
        "{{\"ts\":{seconds},\"host\":\"web-1\",\"cpu\":{cpu},\"memory\":{{\"used\":\"{used}B\"}},\"latency_ms\":{}.5}}\n",
        cpu / 2
    )
}

#[test]
fn vmstat_is_drawn_by_its_columns() {
    let mut charts = Charts::open(Kind::Chromium, &[], "");
    charts.wait_for_text(".plot-empty", "Waiting for lines that carry numbers.");
    let into = charts.bridge.take_stdin();
    let mut vmstat = Command::new("vmstat").args(["-n", "1"]).stdout(Stdio::from(into)).spawn().expect("procps is installed");
    charts.wait_for_series(&["us", "sy", "id", "in", "cs"]);
    let series = charts.series();
    assert!(series.contains(&"cpu: us".to_owned()) && series.contains(&"system: cs".to_owned()), "by their groups: {series:?}");
    // What stands still is not drawn, but at hand.
    charts.wait_until("the rest", "[...document.querySelectorAll('.plot-name')].some((name) => name.textContent.includes('swpd'))");
    charts.wait_for_ink(0);
    // The numbers of this machine are never the same for long.
    let value = "[...document.querySelectorAll('.plot-value')].map((value) => value.textContent).join()";
    let before = charts.value(value);
    charts.wait_until("other values", &format!("{value} !== {before}"));
    let pictures = charts.pictures();
    charts.wait_for_other_pictures(&pictures);
    charts.screenshot("charts-vmstat");
    charts.browser.resize(360, 640);
    charts.wait_until("a phone", "innerWidth === 360");
    charts.screenshot("charts-vmstat-phone");
    vmstat.kill().expect("it runs");
    vmstat.wait().expect("it is ours");
}

#[test]
fn ping_is_drawn_by_its_times() {
    let mut charts = Charts::open(Kind::Chromium, &[], PING);
    charts.wait_for_series(&["time"]);
    charts.wait_for_value("time", "10.8 ms");
    charts.wait_for_ink(0);
    let shown = "[...document.querySelectorAll('.plot-chart .plot-legend button[aria-pressed=true] .plot-name')].map((name) => name.textContent)";
    charts.wait_until("the time alone", &format!("{shown}.join() === 'time'"));
    let before = charts.pictures();
    charts.feed("64 bytes from 192.0.2.7 (192.0.2.7): icmp_seq=4 ttl=57 time=48.2 ms\n");
    charts.wait_for_value("time", "48.2 ms");
    charts.wait_for_other_pictures(&before);
    charts.screenshot("charts-ping");
}

#[test]
fn each_channel_has_charts_of_its_own() {
    let directory = tempfile::tempdir().expect("there is room for a directory");
    let path = directory.path().join("db.log");
    fs::write(&path, "load=0.5\nload=0.75\n").expect("a file can be written");
    let mut charts = Charts::open(Kind::Chromium, &["web/app=-", &format!("db={}", path.display())], "load=10\nload=8\n");
    let headings = "[...document.querySelectorAll('.plot-channel')].map((heading) => heading.textContent).sort().join()";
    charts.wait_until("a heading for each", &format!("{headings} === 'db,web/app'"));
    assert_eq!(charts.series(), ["load", "load"]);
    charts.wait_for_value("load", "0.75");
    charts.wait_for_value("load", "8");
    charts.screenshot("charts-channels");

    // One of them alone needs no heading.
    charts.browser.press("c", &[]);
    charts.browser.click("#channels .one[data-channel='db']");
    charts.wait_until(
        "one chart",
        "document.querySelectorAll('.plot-chart').length === 1 && !document.querySelector('.plot-channel')",
    );
    charts.wait_for_value("load", "0.75");
    charts.feed("load=99\n");
    OpenOptions::new().append(true).open(&path).and_then(|mut file| file.write_all(b"load=3\n")).expect("a file can grow");
    charts.wait_for_value("load", "3");
    assert_eq!(charts.series(), ["load"]);
}

#[test]
fn prices_of_a_csv_are_drawn_by_their_symbols() {
    let mut charts = Charts::open(Kind::Chromium, &[], PRICES);
    charts.wait_for_series(&["ACME", "GLOBEX"]);
    let series = charts.series();
    for wanted in ["price: ACME", "price: GLOBEX", "volume: ACME", "volume: GLOBEX"] {
        assert!(series.contains(&wanted.to_owned()), "{wanted} in {series:?}");
    }
    let before = charts.pictures();
    charts.feed("2026-11-30T10:00:02Z,ACME,190.75,1100\n2026-11-30T10:00:02Z,GLOBEX,40.5,300\n");
    charts.wait_for_value("ACME", "190.75");
    charts.wait_for_value("GLOBEX", "40.5");
    charts.wait_for_other_pictures(&before);
    charts.screenshot("charts-csv");
}
