//! Tabs that nobody looks at: behind another one, frozen, or left for another page.

use serde_json::json;

use crate::breaks::assert_accounted_for;
use crate::harness::Bridge;
use crate::scene::{Page, assert_same};
use crate::sharing::{Sharing, open, page, prepare, wait_for_clients};
use crate::webdriver::{Kind, Tab, in_each_browser};
use crate::writer::Writer;

in_each_browser! {
    title_and_icon_tell_what_came_behind
    a_page_that_was_left_goes_on_when_it_is_come_back_to
    a_page_that_was_put_aside_goes_on
}

fn title_and_icon_tell_what_came_behind(kind: Kind) {
    let mut page = page(kind, &["--title", "builds"]);
    page.feed_lines(1..=3);
    page.wait_for_line("line 3");
    assert_looks(&page, &page.browser.current(), "builds", "icon.svg");
    let (behind, front) = (page.browser.current(), page.browser.new_tab("about:blank"));
    page.feed_lines(4..=1_203);
    assert_looks(&page, &behind, "(1,200) builds", "icon-new.svg");
    page.feed("12:00:01 ERROR the disk is full\n");
    assert_looks(&page, &behind, "(1 ✕) builds", "icon-error.svg");
    page.feed_lines(1_205..=1_206);
    page.feed("12:00:02 ERROR and still is\n");
    assert_looks(&page, &behind, "(2 ✕) builds", "icon-error.svg");

    // Looked at, and left again.
    page.browser.switch(&behind);
    assert_looks(&page, &behind, "builds", "icon.svg");
    page.wait_for_line("12:00:02 ERROR");
    page.browser.switch(&front);
    page.feed_lines(1..=1);
    assert_looks(&page, &behind, "(1) builds", "icon-new.svg");
}

/// The tab has this title and this icon, and the icon is a picture.
#[track_caller]
fn assert_looks(page: &Page, tab: &Tab, title: &str, icon: &str) {
    let script = "const { href } = document.getElementById('icon');
        return document.title === arguments[0] && href.endsWith(`/${arguments[1]}`) && href";
    let what = format!("the title `{title}` and the icon `{icon}`");
    let href = page.browser.wait_in(tab, &what, script, &json!([title, icon]));
    let fetched = "return fetch(arguments[0]).then((answer) => [answer.status, answer.headers.get('content-type')])";
    assert_eq!(page.browser.run_in(tab, fetched, &json!([href])), json!([200, "image/svg+xml"]));
}

fn a_page_that_was_left_goes_on_when_it_is_come_back_to(kind: Kind) {
    let mut page = prepare(kind, Bridge::start(&[]));
    let mut writer = Writer::to(&mut page.bridge);
    let tab = [page.browser.current()];
    for sharing in [Sharing::Worker, Sharing::Lock, Sharing::Alone] {
        page.browser.open(&sharing.url(&page));
        writer.write(20);
        writer.assert_shown(&page, &tab);
        page.browser.open(&format!("{}healthz", page.proxy.url()));
        wait_for_clients(&page.bridge, 0);
        writer.write(20);
        page.browser.run("setTimeout(() => history.back())", &json!([]));
        writer.assert_shown(&page, &tab);
        wait_for_clients(&page.bridge, 1);
        writer.write(20);
        writer.assert_shown(&page, &tab);
    }
}

fn a_page_that_was_put_aside_goes_on(kind: Kind) {
    let mut page = page(kind, &[]);
    let mut writer = Writer::to(&mut page.bridge);
    let tab = [page.browser.current()];
    writer.write(20);
    writer.assert_shown(&page, &tab);
    page.browser.run("dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))", &json!([]));
    wait_for_clients(&page.bridge, 0);
    writer.write(2_000);
    page.browser.run("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))", &json!([]));
    writer.assert_shown(&page, &tab);
    wait_for_clients(&page.bridge, 1);
    writer.write(20);
    writer.assert_shown(&page, &tab);
}

/// A tab that is frozen costs the others nothing, and has all when it goes on.
#[test]
fn a_frozen_tab_has_everything_once_it_goes_on() {
    let mut page = open(Kind::Chromium, Sharing::Worker, Bridge::start(&[]));
    // More than is kept for one that takes nothing, and little.
    let lines = [freeze(&mut page, 24_000), freeze(&mut page, 10)].concat();
    assert_same("a tab that was frozen", &page.shown(), &lines);
    wait_for_clients(&page.bridge, 1);
}

#[test]
fn a_frozen_tab_has_everything_once_it_goes_on_also_by_a_lock() {
    let mut page = open(Kind::Chromium, Sharing::Lock, Bridge::start(&[]));
    // The tab in front has the connection: browsers do not freeze one that has a lock.
    page.browser.new_tab(&Sharing::Lock.url(&page));
    page.wait_for_state("live");
    let lines = freeze(&mut page, 1_000);
    assert_same("a tab that was frozen", &page.shown(), &lines);
    wait_for_clients(&page.bridge, 1);
}

#[test]
fn a_frozen_tab_is_told_what_is_no_longer_held() {
    let mut page = open(Kind::Chromium, Sharing::Worker, Bridge::start(&["--history", "1MiB"]));
    let lines = freeze(&mut page, 24_000);
    let lost = assert_accounted_for(&page.shown(), &lines);
    assert!(lost > 10_000, "a small history loses most of them, not {lost}");
}

#[test]
fn a_lone_frozen_tab_that_the_daemon_has_left_comes_back() {
    let mut page = prepare(Kind::Chromium, Bridge::start(&["--write-timeout", "1s"]));
    // Without the proxy: it would wait for this tab, and let all others wait.
    page.browser.open(&page.bridge.url("/?alone"));
    page.wait_for_state("live");
    let frozen = page.browser.current();
    page.browser.new_tab("about:blank");
    page.browser.freeze(&frozen);
    let lines = long_lines(24_000);
    page.feed(&(lines.join("\n") + "\n"));
    wait_for_clients(&page.bridge, 0);
    page.browser.thaw(&frozen);
    page.browser.switch(&frozen);
    page.wait_for_line("23999 ");
    page.wait_for_state("live");
    assert_same("a tab that was left", &page.shown(), &lines);
}

/// Freezes the tab in front behind a new one while so many lines come; it is in front again and has the last one. Gives the lines.
fn freeze(page: &mut Page, count: usize) -> Vec<String> {
    let frozen = page.browser.current();
    let other = page.browser.tabs().into_iter().find(|tab| *tab != frozen);
    match other {
        Some(other) => page.browser.switch(&other),
        None => _ = page.browser.new_tab(&Sharing::Worker.url(page)),
    }
    page.wait_for_state("live");
    page.browser.freeze(&frozen);
    let lines = long_lines(count);
    page.feed(&(lines.join("\n") + "\n"));
    let last = format!("{} ", count - 1);
    page.wait_for_line(&last);
    page.browser.thaw(&frozen);
    page.browser.switch(&frozen);
    page.wait_for_line(&last);
    page.wait_for_state("live");
    lines
}

/// Lines of a thousand bytes.
fn long_lines(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{number} {}", "x".repeat(990))).collect()
}
