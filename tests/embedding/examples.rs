//! Each example does what its README says, and Ctrl-C ends all of it.

use std::fs::OpenOptions;
use std::io::Write;
use std::net::TcpListener;
use std::process::Command;

use serde_json::json;

use crate::example::{Example, Script};
use crate::scene::strings;

#[test]
fn the_dashboard_shows_this_machine() {
    let example = Example::start("dashboard", &[]);
    example.wait_for_text("#status", "live");
    let numbers = "[...document.querySelectorAll('section output')].map((value) => value.textContent)";
    let has_all =
        format!("{numbers}.length === 4 && {numbers}.every((text) => /^[\\d.]+ (%|GiB|MiB\\/s)$/.test(text)) && {numbers}");
    let values = strings(&example.wait_until("four numbers", &has_all));
    assert!(values[0].ends_with('%') && values[1].ends_with("GiB"), "{values:?}");
    let points = "document.querySelector('[data-tile=memory] path').getAttribute('d').split('L').length - 1";
    example.wait_until("a curve that grows", &format!("{points} > 1"));
    assert_eq!(example.value("document.querySelector('#notes').textContent"), "");
    example.screenshot("example-dashboard");
    example.interrupt();
}

#[test]
fn the_ticker_shows_prices_that_move() {
    let example = Example::start("ticker", &[("PACE", "0.02")]);
    let symbols = "[...document.querySelectorAll('tbody tr')].map((row) => row.dataset.symbol)";
    let all = example.wait_until("all symbols", &format!("{symbols}.length === 5 && {symbols}"));
    assert_eq!(all, json!(["ACME", "GLOBEX", "HOOLI", "INITECH", "UMBRELLA"]));
    let price = "document.querySelector('[data-symbol=HOOLI] .price').textContent";
    let before = example.value(price);
    assert!(before.as_str().is_some_and(|price| price.parse::<f64>().is_ok()), "{before}");
    example.wait_until("another price", &format!("{price} !== {before}"));
    let drawn = "new Set(document.querySelector('[data-symbol=HOOLI] canvas').getContext('2d').getImageData(0, 0, 99, 30).data)";
    example.wait_until("a curve", &format!("{drawn}.size > 1"));
    example.wait_for_text("#status", "live");
    assert_eq!(example.value("document.querySelector('#missing').textContent"), "");
    example.screenshot("example-ticker");
    example.interrupt();
}

#[test]
fn the_match_is_told_from_kick_off_to_its_end() {
    let example = Example::start("score", &[("PACE", "0.02")]);
    example.wait_for_text("#status", "ended");
    let board = "['home', 'score', 'away', 'minute'].map((id) => document.getElementById(id).textContent)";
    assert_eq!(example.value(board), json!(["Harbour", "3 : 2", "Valley", "full time"]));
    let told = strings(&example.value("[...document.querySelectorAll('#timeline li')].map((item) => item.textContent)"));
    assert_eq!(told.len(), 13);
    assert!(told[0].contains("90′") && told[12].contains("Kick-off: under the floodlights"), "the newest is the first: {told:?}");
    assert_eq!(example.value("document.querySelectorAll('li[data-what=Goal]').length"), 5);
    example.screenshot("example-score");
    example.interrupt();
}

#[test]
fn notifications_come_through_the_pipe_and_missed_ones_are_marked() {
    let example = Example::start("notifications", &[]);
    example.wait_until("it is live", "document.querySelector('#status').dataset.state === 'live'");
    tell(&example, "Backup: done in 3 minutes\n<b>Disk</b>: <img src=x onerror='window.pwned = 1'>\n");
    let items = "[...document.querySelectorAll('#list li')]";
    example.wait_until("two of them", &format!("{items}.length === 2"));
    let newest = example
        .value(&format!("[...{items}[0].children].filter(({{ tagName }}) => tagName !== 'TIME').map((part) => part.textContent)"));
    assert_eq!(newest, json!(["<b>Disk</b>", "<img src=x onerror='window.pwned = 1'>"]));
    assert_eq!(example.value(&format!("{items}.map((item) => 'missed' in item.dataset)")), json!([false, false]));
    assert_eq!(example.value("document.querySelectorAll('.toast').length"), 2);
    assert_eq!(example.value("window.pwned ?? null"), json!(null));
    example.screenshot("example-notifications");

    // The page is closed, and something comes meanwhile.
    example.browser.open("about:blank");
    tell(&example, "Build: green again\n");
    example.browser.open(&example.url);
    example.wait_until("what was missed", &format!("{items}[0]?.querySelector('b').textContent === 'Build'"));
    assert_eq!(example.value(&format!("{items}.map((item) => 'missed' in item.dataset)")), json!([true]));
    assert_eq!(example.value("document.querySelectorAll('.toast').length"), 0);
    example.interrupt();
}

#[test]
fn a_build_passes_or_fails_before_everybodys_eyes() {
    for (pace, fail, verdict, step) in [("0.4", "", "passed", "exit code 0"), ("0.02", "1", "failed", "exit code 2")] {
        let example = Example::start("build", &[("PACE", pace), ("FAIL", fail)]);
        if verdict == "passed" {
            example.wait_for_text("#verdict", "running");
            example.wait_until("a bar that moves", "document.querySelector('#bar').value > 0");
            example.screenshot("example-build-running");
        }
        example.wait_for_text("#verdict", verdict);
        example.wait_for_text("#step", step);
        assert_eq!(
            example.value("[document.title, document.querySelector('#bar').value]"),
            json!([format!("build: {verdict}"), 100])
        );
        let rows = "[...document.querySelector('#log').shadowRoot.querySelectorAll('.text')].map((text) => text.textContent)";
        example.wait_until("its last lines", &format!("{rows}.at(-2)?.startsWith('exit ')"));
        let rows = strings(&example.value(rows));
        assert_eq!(rows[0], "building demo 1.4.2");
        assert!(rows.iter().any(|row| row.trim_start() == "Compiling src/main.c"), "{rows:?}");
        assert!(rows.iter().all(|row| !row.contains('\u{1b}')), "{rows:?}");
        example.screenshot(&format!("example-build-{verdict}"));
        example.interrupt();
    }
}

#[test]
fn people_chat_and_all_tabs_share_a_connection() {
    let example = Example::start("chat", &[]);
    let said = "[...document.querySelectorAll('#talk li')].map((item) => [item.dataset.name, item.querySelector('p').textContent])";
    example.wait_for_text("#status", "live");
    say(&example, &["ann", "hello", "<i>everybody</i>"]);
    example.wait_until("her words", &format!("{said}.length === 1"));
    let first = example.browser.current();
    example.browser.new_tab(&example.url);
    example.wait_until("her words in another tab", &format!("{said}.length === 1"));
    assert_eq!(example.value("document.querySelector('#status').dataset.sharing"), "lock");
    say(&example, &["bob", "hi ann: how are you"]);
    example.wait_until("his words", &format!("{said}.length === 2"));
    example.browser.close(&first);
    say(&example, &["ann", "fine"]);
    example.wait_until("what she says to one tab less", &format!("{said}.length === 3"));
    let all = json!([["ann", "hello <i>everybody</i>"], ["bob", "hi ann: how are you"], ["ann", "fine"]]);
    assert_eq!(example.value(said), all);
    example.screenshot("example-chat");
    let hues = "[...document.querySelectorAll('#talk li')].map((item) => item.style.getPropertyValue('--hue'))";
    let hues = strings(&example.value(hues));
    assert!(hues[0] == hues[2] && hues[0] != hues[1], "a colour for each: {hues:?}");
    example.interrupt();
}

#[test]
fn an_example_that_cannot_start_says_why() {
    let (said, code) = Script::start("score", &[("SSE_BRIDGE", "/nowhere/sse-bridge")]).end();
    assert_eq!(said, "/nowhere/sse-bridge is not installed; SSE_BRIDGE=PATH says where it is\n");
    assert_eq!(code, Some(1));
    let taken = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let port = taken.local_addr().expect("it has an address").port().to_string();
    for variable in ["PORT", "PAGE_PORT"] {
        let (said, code) = Script::start("score", &[(variable, &port)]).end();
        assert_eq!(said, format!("port {port} is taken; {variable}=N takes another one\n"));
        assert_eq!(code, Some(1));
    }
}

/// Writes into the pipe, once the daemon has made it.
fn tell(example: &Example, text: &str) {
    let mut pipe = OpenOptions::new().write(true).open(example.pipe()).expect("the daemon has made the pipe");
    pipe.write_all(text.as_bytes()).expect("the daemon reads it");
}

fn say(example: &Example, words: &[&str]) {
    let say = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/chat/say");
    let status = Command::new(say).args(words).env("PIPE", example.pipe()).status().expect("sh runs");
    assert!(status.success(), "{words:?}");
}
