//! Daemons end, are killed, and begin anew.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

use crate::harness::{Bridge, scale};
use crate::scene::{assert_same, numbered};
use crate::sharing::{GAP, Sharing, open, page, shown, states, wait_for_clients};
use crate::webdriver::proxy::{Cut, Mode};
use crate::webdriver::{Kind, in_each_browser};

in_each_browser! {
    a_new_daemon_is_told_as_a_gap_once_and_the_page_goes_on
    every_line_comes_once_though_a_daemon_with_a_state_directory_is_killed
    the_end_is_told_and_a_new_run_is_noticed
    a_new_run_of_the_same_life_is_marked
}

fn a_new_daemon_is_told_as_a_gap_once_and_the_page_goes_on(kind: Kind) {
    let mut page = page(kind, &[]);
    page.feed_lines(1..=3);
    page.wait_for_line("line 3");

    // Away: a proxy says so with a status that ends an EventSource for good.
    page.proxy.set(Mode::Answer(502));
    page.bridge = Bridge::start(&[]);
    page.feed("first of the new daemon\n");
    page.wait_for_state("reconnecting");
    page.proxy.wait_for_answers(2);
    page.proxy.set(Mode::Pass(page.bridge.port));
    page.wait_for_line("first of the new daemon");
    page.wait_for_state("live");
    page.wait_for_text(".gap .text", "started anew");
    page.screenshot("restart");

    // What breaks then is no new daemon.
    page.proxy.cut(Cut::Reset);
    page.feed("second of the new daemon\n");
    page.wait_for_line("second of the new daemon");
    page.wait_for_state("live");
    let wanted = ["line 1", "line 2", "line 3", GAP, "first of the new daemon", "second of the new daemon"];
    assert_same("over a restart", &shown(&page), &wanted);
    let told: Vec<_> = states(&page).into_iter().filter(|state| state != "catching-up").collect();
    assert_eq!(told, ["connecting", "live", "reconnecting", "live", "reconnecting", "live"]);
}

fn every_line_comes_once_though_a_daemon_with_a_state_directory_is_killed(kind: Kind) {
    let place = tempfile::tempdir().expect("there is room for a directory");
    let (log, state) = (place.path().join("a.log"), place.path().join("state"));
    let mut file = append_to(&log);
    let arguments = ["--state-dir", text(&state), "--from", "start", text(&log)];
    let mut page = open(kind, Sharing::Worker, Bridge::start(&arguments));
    let (kills, each) = (scale(3, 12), scale(2_000, 10_000));
    for kill in 0..kills {
        write(&mut file, kill * each + 1, each / 2);
        page.wait_for_line(&format!("line {}", kill * each + each / 2));
        // In the middle of more.
        let half = each / 4;
        write(&mut file, kill * each + each / 2 + 1, half);
        page.bridge.signal("KILL");
        page.bridge.wait();
        write(&mut file, kill * each + each / 2 + half + 1, each - each / 2 - half);
        page.wait_for_state("reconnecting");
        page.bridge = Bridge::start(&arguments);
        page.proxy.set(Mode::Pass(page.bridge.port));
        page.wait_for_line(&format!("line {}", (kill + 1) * each));
        page.wait_for_state("live");
    }
    let expected: Vec<_> = (1..=kills * each).map(|number| format!("line {number}")).collect();
    assert_same("over SIGKILL", &page.shown(), &expected);
}

fn text(path: &Path) -> &str {
    path.to_str().expect("it is text")
}

fn append_to(path: &Path) -> File {
    OpenOptions::new().create(true).append(true).open(path).expect("a file can be written")
}

/// Writes so many lines, from this number on.
fn write(file: &mut File, from: usize, count: usize) {
    file.write_all(&numbered(from..=from + count - 1)).expect("a file can be written");
}

fn the_end_is_told_and_a_new_run_is_noticed(kind: Kind) {
    let mut page = page(kind, &[]);
    page.feed("first\nlast, without a newline");
    page.bridge.end_input();
    page.wait_for_line("last, without a newline");
    page.wait_for_text(".end .text", "standard input ended");
    page.wait_for_state("ended");
    page.screenshot("ended");
    // Who comes later sees the same.
    page.browser.open(&page.proxy.url());
    page.wait_for_line("last, without a newline");
    page.wait_for_state("ended");
    let end = "[standard input ended]";
    assert_same("after the end", &page.shown(), &["first", "last, without a newline", end]);
    wait_for_clients(&page.bridge, 0);

    page.bridge = Bridge::start(&[]);
    page.proxy.set(Mode::Pass(page.bridge.port));
    page.wait_for_state("live");
    page.feed("again\n");
    page.wait_for_line("again");
    assert_same("a new run", &shown(&page), &["first", "last, without a newline", end, GAP, "again"]);
    page.screenshot("new-run");
}

fn a_new_run_of_the_same_life_is_marked(kind: Kind) {
    let place = tempfile::tempdir().expect("there is room for a directory");
    let arguments = ["--state-dir", text(place.path())];
    let mut page = open(kind, Sharing::Worker, Bridge::start(&arguments));
    page.feed("first\n");
    page.wait_for_line("first");
    page.bridge.end_input();
    page.wait_for_state("ended");
    page.bridge.signal("TERM");
    page.bridge.wait();
    page.wait_for_state("reconnecting");

    page.bridge = Bridge::start(&arguments);
    page.proxy.set(Mode::Pass(page.bridge.port));
    page.wait_for_state("live");
    page.feed("again\n");
    page.wait_for_line("again");
    page.wait_for_text(".run .text", "standard input: a new run");
    page.screenshot("new-run-of-the-same-life");
    let wanted = ["first", "[standard input ended]", "[standard input: a new run]", "again"];
    assert_same("two runs", &page.shown(), &wanted);
}
