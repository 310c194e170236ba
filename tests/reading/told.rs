//! Where a line is from, what the stream says of itself between the lines, and which tab is which.

use std::collections::BTreeSet;

use serde_json::json;

use crate::harness::Bridge;
use crate::reader::{Files, Reader};
use crate::webdriver::proxy::Mode;
use crate::webdriver::{Kind, in_each_browser};

in_each_browser! {
    each_channel_has_a_colour_and_a_label
    the_end_a_new_run_and_a_gap_stand_in_the_flow
}

fn each_channel_has_a_colour_and_a_label(kind: Kind) {
    let files = Files::new(&["web", "db", "app/stderr"]);
    let sources = ["web", "db", "app/stderr"].map(|name| files.source(name));
    let mut reader = Reader::open(kind, &["--from", "start", &sources[0], &sources[1], &sources[2]]);
    files.write("web", "GET / 200\n");
    reader.wait_for_line("GET / 200");
    files.write("db", "checkpoint complete\n");
    reader.wait_for_line("checkpoint complete");
    files.write("app/stderr", "no space left on device\n");
    reader.wait_for_line("no space left on device");

    let label = "(({ textContent, title }, { width }, { color }) => [textContent, title, width > 0, color])(
        ...((label) => [label, label.getBoundingClientRect(), getComputedStyle(label)])(row.querySelector('.channel')))";
    let lines = [("web", "GET"), ("db", "checkpoint"), ("app/stderr", "no space")];
    let labels = lines.map(|(name, line)| {
        let label = reader.row(line, label);
        assert_eq!((&label[0], &label[1], &label[2]), (&json!(name), &json!(name), &json!(true)), "{label}");
        label[3].to_string()
    });
    assert_eq!(BTreeSet::from(labels.clone()).len(), 3, "three colours: {labels:?}");
    let colour = |line: &str| reader.row(line, "getComputedStyle(row.querySelector('.text')).color");
    assert_eq!(colour("GET"), colour("checkpoint"));
    assert_ne!(colour("GET"), colour("no space"), "what went to standard error looks different");

    // A single channel needs no label.
    let single = files.source("web");
    reader.bridge = Bridge::start(&["--from", "start", &single]);
    reader.proxy.set(Mode::Pass(reader.bridge.port));
    reader.browser.open(&reader.proxy.url());
    reader.wait_for_line("GET / 200");
    assert_eq!(reader.row("GET", "row.querySelector('.channel').getBoundingClientRect().width"), 0);
}

fn the_end_a_new_run_and_a_gap_stand_in_the_flow(kind: Kind) {
    let state = tempfile::tempdir().expect("there is room for a directory");
    let files = Files::new(&["app"]);
    let app = files.source("app");
    let arguments = ["--state-dir", state.path().to_str().expect("it is text"), "--from", "start", "-", &app];
    let mut reader = Reader::open(kind, &arguments);
    files.write("app", "of the old file\n");
    reader.wait_for_line("of the old file");
    reader.feed("first\nlast, without a newline");
    reader.bridge.end_input();
    reader.wait_for_text(".end .text", "standard input ended");
    files.truncate("app");
    files.write("app", "new\n");
    reader.wait_for_line("new");

    reader.bridge.signal("TERM");
    reader.bridge.wait();
    reader.bridge = Bridge::start(&arguments);
    reader.proxy.set(Mode::Pass(reader.bridge.port));
    reader.feed("again\n");
    reader.wait_for_line("again");
    let rows = reader.value(
        "[...document.querySelectorAll('.row')].map((row) => `${row.classList[1]} ${row.querySelector('.text').textContent.split(' (')[0]}`)",
    );
    let wanted = json!([
        "line of the old file",
        "line first",
        "line last, without a newline",
        "end standard input ended",
        "gap the file of app was truncated; lines may be missing here",
        "line new",
        "run standard input: a new run",
        "line again",
    ]);
    assert_eq!(rows, wanted);
    reader.screenshot("gap-and-end");
}

#[test]
fn five_tabs_have_five_titles() {
    let files = Files::new(&["a.log", "b.log", "named"]);
    let a = files.path("a.log").display().to_string();
    let (named, glob) = (files.source("named"), format!("{}/*.log", files.path("a.log").parent().expect("a directory").display()));
    let mut reader = Reader::open(Kind::Chromium, &[]);
    let mut titles = vec![reader.texts("title").remove(0)];
    // Two of them read nothing but their standard input.
    let daemons = [vec![a.as_str()], vec![&named], vec![&glob], vec![]].map(|sources| Bridge::start(&sources));
    for daemon in &daemons {
        reader.browser.new_tab(&daemon.url("/"));
        let title = reader.texts("title").remove(0);
        assert_eq!(reader.texts("h1"), [title.as_str()]);
        titles.push(title);
    }
    assert_eq!(titles.iter().collect::<BTreeSet<_>>().len(), 5, "{titles:?}");
    let host = nix::unistd::gethostname().expect("a machine has a name").to_string_lossy().into_owned();
    let host = host.split('.').next().expect("the first part");
    assert!(titles.iter().all(|title| title.contains(host)), "{titles:?} on {host}");

    reader.bridge = Bridge::start(&["--title", "nightly <b>builds</b>"]);
    reader.browser.open(&reader.bridge.url("/"));
    assert_eq!(reader.texts("title, h1"), ["nightly <b>builds</b>"; 2]);
}
