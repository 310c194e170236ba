//! The state of the connection, as the page tells it.

use std::time::Duration;

use serde_json::json;

use crate::harness::{Bridge, scale};
use crate::scene::assert_same;
use crate::sharing::{page, prepare, states, wait_for_clients};
use crate::webdriver::proxy::{Cut, Mode};
use crate::webdriver::{Kind, in_each_browser};

in_each_browser! {
    while_there_is_nothing_the_page_says_what_it_waits_for
    reconnecting_counts_down
    what_was_missed_is_caught_up_with
    a_refusal_is_told_and_left
    a_full_house_is_told_and_left_when_there_is_room
    the_last_place_in_the_house_is_enough
}

fn while_there_is_nothing_the_page_says_what_it_waits_for(kind: Kind) {
    let mut page = page(kind, &[]);
    page.wait_for_text("#waiting", "waiting for the first line from standard input");
    page.wait_for_text("#curl", &format!("curl -N {}events", page.proxy.url()));
    page.screenshot("empty");
    page.bridge.end_input();
    page.wait_for_text("#waiting", "standard input ended without a line");
    page.wait_for_state("ended");
    page.screenshot("ended-empty");
}

fn reconnecting_counts_down(kind: Kind) {
    let page = page(kind, &[]);
    let keep = "window.said = [];
        new MutationObserver(() => {
            const [, seconds] = document.getElementById('state').textContent.match(/^reconnecting in (\\d+) s$/) ?? [];
            if (seconds) said.push(Number(seconds));
        }).observe(document.getElementById('state'), { childList: true, characterData: true, subtree: true });";
    page.browser.run(keep, &json!([]));
    page.proxy.set(Mode::Refuse);
    page.proxy.cut(Cut::Close);
    page.wait_for_state("reconnecting");
    // The pauses grow, and each of them is counted from its beginning to its end.
    page.wait_for_text("#state", "reconnecting in 5 s");
    page.screenshot("reconnecting");
    page.wait_for_text("#state", "reconnecting in 1 s");
    assert_eq!(page.value("document.getElementById('state').title"), "there is no answer");
    let said: Vec<_> = page.value("said").as_array().expect("a list").iter().filter_map(serde_json::Value::as_u64).collect();
    let last = said.chunk_by(|one, next| next < one).next_back().unwrap_or_default();
    assert!(last[0] >= 5 && last.len() + 1 >= usize::try_from(last[0]).expect("a small number"), "{said:?}");

    page.proxy.set(Mode::Pass(page.bridge.port));
    page.wait_for_state("live");
    page.wait_until("no seconds", "document.getElementById('state').textContent === 'live'");
}

fn what_was_missed_is_caught_up_with(kind: Kind) {
    let total = scale(20_000, 100_000);
    let mut page = page(kind, &[]);
    page.feed_lines(1..=10);
    page.wait_for_line("line 10");
    page.proxy.set(Mode::Refuse);
    page.proxy.cut(Cut::Close);
    page.wait_for_state("reconnecting");
    page.feed_lines(11..=total);
    page.proxy.slow(Duration::from_millis(100));
    page.proxy.set(Mode::Pass(page.bridge.port));
    page.wait_for_state("catching-up");
    page.wait_for_text("#state", "catching up");
    page.screenshot("catching-up");
    page.proxy.slow(Duration::from_millis(5));
    page.wait_for_line(&format!("line {total}"));
    page.wait_for_state("live");
    let expected: Vec<_> = (1..=total).map(|number| format!("line {number}")).collect();
    assert_same("what was missed", &page.shown(), &expected);
    assert_eq!(states(&page), ["connecting", "live", "reconnecting", "catching-up", "live"]);

    // What a page begins with is no different.
    let lines: Vec<_> = (1..=1_000).map(|number| format!("{number} {}\n", "x".repeat(990))).collect();
    page.feed(&lines.concat());
    page.wait_for_line("1000 x");
    page.proxy.slow(Duration::from_millis(50));
    page.browser.open(&page.proxy.url());
    page.wait_for_line("1000 x");
    page.wait_for_state("live");
    let states = states(&page);
    assert!(states.contains(&"catching-up".to_owned()), "{states:?}");
}

fn a_refusal_is_told_and_left(kind: Kind) {
    let mut page = page(kind, &[]);
    page.feed_lines(1..=2);
    page.wait_for_line("line 2");
    page.proxy.answer_events(Some((403, "this gate is closed to <you>\nand more\n")));
    page.proxy.cut(Cut::Close);
    page.wait_for_state("refused");
    page.wait_for_text("#notice", "The daemon refuses this page: 403 this gate is closed to <you>. It is asked again at ");
    page.screenshot("refused");
    page.feed_lines(3..=4);
    page.proxy.answer_events(None);
    // Somebody who comes back to the page does not wait until it asks by itself.
    let tab = page.browser.current();
    page.browser.new_tab("about:blank");
    page.browser.switch(&tab);
    page.wait_for_line("line 4");
    page.wait_for_state("live");
    page.wait_until("no notice", "document.getElementById('notice').hidden");

    // A page that was refused from the beginning.
    page.proxy.answer_events(Some((421, "")));
    page.browser.open(&page.proxy.url());
    page.wait_for_state("refused");
    page.wait_for_text("#notice", "The daemon refuses this page: 421.");
    page.proxy.answer_events(None);
    if scale(true, false) {
        page.browser.run("dispatchEvent(new Event('online'))", &json!([]));
    } else {
        // It asks by itself, after half a minute.
        page.wait_until("the most of its pause", "performance.now() > 20_000");
    }
    page.wait_for_line("line 4");
    page.wait_for_state("live");
    assert_same("after refusals", &page.shown(), &["line 1", "line 2", "line 3", "line 4"]);
}

fn a_full_house_is_told_and_left_when_there_is_room(kind: Kind) {
    let mut bridge = Bridge::start(&["--max-clients", "2"]);
    let others = [bridge.get("/events"), bridge.get("/events")];
    bridge.feed(b"line 1\nline 2\n");
    let mut page = prepare(kind, bridge);
    page.browser.open(&page.proxy.url());
    page.wait_for_state("busy");
    page.wait_for_text("#notice", "full");
    page.wait_for_text("#waiting", "the house is full");
    page.screenshot("busy");
    assert_eq!(states(&page), ["connecting", "busy"]);

    drop(others);
    wait_for_clients(&page.bridge, 0);
    // The daemon has named a time up to a minute from now: somebody touches the page.
    page.browser.run("dispatchEvent(new Event('online'))", &json!([]));
    page.wait_for_state("live");
    page.wait_for_line("line 2");
    page.feed_lines(3..=3);
    page.wait_for_line("line 3");
    assert_same("after a full house", &page.shown(), &["line 1", "line 2", "line 3"]);
    assert_eq!(states(&page), ["connecting", "busy", "live"]);
}

fn the_last_place_in_the_house_is_enough(kind: Kind) {
    let mut bridge = Bridge::start(&["--max-clients", "1"]);
    bridge.feed(b"line 1\nline 2\n");
    let mut page = prepare(kind, bridge);
    page.browser.open(&page.proxy.url());
    page.wait_for_line("line 2");
    page.wait_for_state("live");
    // The place is taken by this browser now, and another tab has to ask for what it begins with.
    page.browser.new_tab(&page.proxy.url());
    page.wait_for_line("line 2");
    page.wait_for_state("live");
    page.feed_lines(3..=3);
    page.wait_for_line("line 3");
    assert_same("with one place", &page.shown(), &["line 1", "line 2", "line 3"]);
    wait_for_clients(&page.bridge, 1);
}
