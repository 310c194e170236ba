//! Connections break, and nothing is lost or doubled.

use serde_json::json;

use crate::harness::{Bridge, Random, how_to_repeat, scale, seed};
use crate::scene::{Page, assert_same, numbered};
use crate::sharing::{Sharing, open, page, prepare, sleep, states};
use crate::webdriver::proxy::{Cut, Mode};
use crate::webdriver::{Kind, in_each_browser};

in_each_browser! {
    no_line_is_lost_or_doubled_when_connections_break
    no_line_is_lost_or_doubled_when_connections_of_lone_tabs_break
    a_connection_that_died_without_a_word_is_replaced
    what_is_no_longer_held_is_told
    a_page_that_was_opened_while_the_daemon_was_away_comes_by_itself
    a_network_that_goes_and_comes_is_noticed_at_once
}

fn no_line_is_lost_or_doubled_when_connections_break(kind: Kind) {
    break_connections(kind, Sharing::Worker);
}

fn no_line_is_lost_or_doubled_when_connections_of_lone_tabs_break(kind: Kind) {
    break_connections(kind, Sharing::Alone);
}

fn break_connections(kind: Kind, sharing: Sharing) {
    let seed = seed();
    let mut random = Random::new(seed);
    let (total, cuts) = (scale(3_000, 9_500), scale(6, 40));
    let each = total / (cuts + 1);
    let mut page = open(kind, sharing, Bridge::start(&[]));
    for round in 0..cuts {
        let cut = if random.below(2) == 0 { Cut::Close } else { Cut::Reset };
        page.proxy.cut_after(random.below(each * 40), cut);
        let lines = numbered(round * each + 1..=(round + 1) * each);
        // In two pieces, so that lines are halved as well.
        let (first, second) = lines.split_at(random.below(lines.len()));
        page.bridge.feed(first);
        page.bridge.feed(second);
        page.proxy.wait_for_cut();
    }
    page.feed_lines(cuts * each + 1..=total);
    page.wait_for_line(&format!("line {total}"));
    assert_all(&page, total, &how_to_repeat(seed));
}

/// The page shows these lines, each of them once, and nothing else.
#[track_caller]
fn assert_all(page: &Page, total: usize, what: &str) {
    let expected: Vec<_> = (1..=total).map(|number| format!("line {number}")).collect();
    assert_same(what, &page.shown(), &expected);
}

fn a_connection_that_died_without_a_word_is_replaced(kind: Kind) {
    // The clock of a shared worker can be moved in one browser alone.
    let sharing = if kind == Kind::Chromium { Sharing::Worker } else { Sharing::Lock };
    let mut page = open(kind, sharing, Bridge::start(&[]));
    page.feed_lines(1..=2);
    page.wait_for_line("line 2");
    page.proxy.silence();
    page.feed_lines(3..=4);
    // No event tells of it; only the clock does.
    sleep(&page, sharing);
    page.wait_for_line("line 4");
    assert_all(&page, 4, "behind a silent connection");

    // Who wakes up by a touch does not wait for the clock.
    page.proxy.silence();
    page.feed_lines(5..=6);
    sleep(&page, sharing);
    page.browser.run("dispatchEvent(new Event('online'))", &json!([]));
    page.wait_for_line("line 6");
    assert_all(&page, 6, "behind a second one");
}

fn what_is_no_longer_held_is_told(kind: Kind) {
    let mut page = page(kind, &["--history", "256KiB"]);
    page.feed_lines(1..=10);
    page.wait_for_line("line 10");
    page.proxy.set(Mode::Refuse);
    page.proxy.cut(Cut::Reset);
    page.wait_for_state("reconnecting");
    page.feed_lines(11..=20_000);
    page.proxy.set(Mode::Pass(page.bridge.port));
    page.wait_for_line("line 20000");

    let lines: Vec<_> = (1..=20_000).map(|number| format!("line {number}")).collect();
    let lost = assert_accounted_for(&page.shown(), &lines);
    assert!(lost > 1_000, "a small history loses most of them, not {lost}");
    page.browser.press("Home", &[]);
    page.wait_for_text(".gap .text", "no longer held");
    page.screenshot("gap");
}

/// Each of these lines is shown in its turn, or counted as lost where it would be. Gives how many are lost.
#[track_caller]
pub fn assert_accounted_for(shown: &[String], lines: &[String]) -> usize {
    let (mut next, mut lost) = (0, 0);
    for (at, row) in shown.iter().enumerate() {
        if row.starts_with('[') {
            assert!(row.contains("no longer held") || row.contains("skipped"), "{row}");
            lost += leading_number(row);
            next += leading_number(row);
            continue;
        }
        assert_eq!(Some(row), lines.get(next), "in row {at}, behind {:?}", &shown[at.saturating_sub(3)..at]);
        next += 1;
    }
    assert_eq!(next, lines.len(), "all lines, of which {lost} are lost");
    lost
}

/// The number with which a text begins, written as `[1,234`.
fn leading_number(text: &str) -> usize {
    let digits = text.trim_start_matches('[').split(' ').next().unwrap_or_default().replace(',', "");
    digits.parse().unwrap_or_else(|_| panic!("no number begins `{text}`"))
}

fn a_page_that_was_opened_while_the_daemon_was_away_comes_by_itself(kind: Kind) {
    let mut page = prepare(kind, Bridge::start(&[]));
    page.feed_lines(1..=5);
    page.proxy.answer_events(Some((502, "")));
    page.browser.open(&page.proxy.url());
    page.wait_for_text("#state", "connecting in ");
    page.wait_for_text("#waiting", "connecting");
    page.screenshot("away");
    page.proxy.wait_for_answers(4);
    assert_eq!(states(&page), ["connecting"]);

    page.proxy.answer_events(None);
    page.wait_for_line("line 5");
    page.wait_for_state("live");
    page.feed_lines(6..=7);
    page.wait_for_line("line 7");
    assert_all(&page, 7, "of a daemon that was away");
}

fn a_network_that_goes_and_comes_is_noticed_at_once(kind: Kind) {
    // A shared worker can be taken offline in one browser alone.
    let sharing = if kind == Kind::Chromium { Sharing::Worker } else { Sharing::Lock };
    let mut page = open(kind, sharing, Bridge::start(&[]));
    page.feed_lines(1..=2);
    page.wait_for_line("line 2");
    page.browser.offline(true);
    page.proxy.cut(Cut::Reset);
    page.feed_lines(3..=4);
    // By now it would be a long time until it tries again by itself.
    page.wait_for_text("#state", "reconnecting in 6 s");
    page.browser.offline(false);
    page.browser.run("window.back = performance.now()", &json!([]));
    page.wait_for_line("line 4");
    page.wait_for_state("live");
    let took = page.value("performance.now() - back").as_f64().expect("a number");
    assert!(took < 4_000.0, "it takes {took} ms");
    assert_all(&page, 4, "when the network is back");
}
