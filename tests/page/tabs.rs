//! One connection for all tabs: a browser opens at most six to one server.

use serde_json::json;

use crate::harness::Bridge;
use crate::scene::{Page, assert_same};
use crate::sharing::{GAP, LATER, Sharing, open, shown, wait_for_clients};
use crate::webdriver::proxy::{Cut, Mode};
use crate::webdriver::{Kind, Tab, in_each_browser};
use crate::writer::Writer;

in_each_browser! {
    ten_tabs_share_one_connection_by_a_worker
    ten_tabs_share_one_connection_by_a_lock
    tabs_that_can_share_nothing_have_their_own
}

fn ten_tabs_share_one_connection_by_a_worker(kind: Kind) {
    share(kind, Sharing::Worker);
}

fn ten_tabs_share_one_connection_by_a_lock(kind: Kind) {
    share(kind, Sharing::Lock);
}

fn share(kind: Kind, sharing: Sharing) {
    let mut page = open(kind, sharing, Bridge::start(&[]));
    let held = "navigator.locks.query().then(({ held }) => held.filter(({ name }) => name.startsWith('sse-bridge')).length)";
    assert_eq!(page.value(held), json!(u8::from(sharing == Sharing::Lock)), "it is shared as the test says");
    let mut writer = Writer::to(&mut page.bridge);
    let mut tabs = vec![page.browser.current()];
    for _ in 1..10 {
        tabs.push(page.browser.new_tab(&sharing.url(&page)));
        page.wait_for_state("live");
    }
    wait_for_clients(&page.bridge, 1);
    writer.write(200);
    writer.assert_shown(&page, &tabs);
    wait_for_clients(&page.bridge, 1);

    // The one that opened first goes, then the next one, then some other, while lines come.
    for at in [0, 0, 4] {
        writer.during(|| page.browser.close(&tabs.remove(at)));
        writer.write(10);
        writer.assert_shown(&page, &tabs);
        wait_for_clients(&page.bridge, 1);
    }
    // One goes elsewhere.
    let elsewhere = tabs.remove(0);
    page.browser.switch(&elsewhere);
    writer.during(|| page.browser.open("about:blank"));
    // The connection breaks for all of them, and comes back once.
    writer.during(|| page.proxy.cut(Cut::Reset));
    writer.write(10);
    writer.assert_shown(&page, &tabs);
    wait_for_clients(&page.bridge, 1);
    restart(&mut page, &tabs, &writer);
}

/// Another daemon comes, and each tab tells of it, once.
fn restart(page: &mut Page, tabs: &[Tab], writer: &Writer) {
    page.bridge = Bridge::start(&[]);
    page.proxy.set(Mode::Pass(page.bridge.port));
    page.feed("of the new daemon\n");
    let mut expected = writer.lines();
    expected.extend([GAP.to_owned(), "of the new daemon".to_owned()]);
    for tab in tabs {
        page.browser.switch(tab);
        page.wait_for_line("of the new daemon");
        page.wait_for_state("live");
        assert_same("over a restart", &shown(page), &expected);
    }
    wait_for_clients(&page.bridge, 1);
}

/// A browser tells nobody that a shared worker has died. Chromium alone lets a test end one.
#[test]
fn a_worker_that_has_died_is_replaced() {
    let mut page = open(Kind::Chromium, Sharing::Worker, Bridge::start(&[]));
    let mut writer = Writer::to(&mut page.bridge);
    let tabs = [page.browser.current(), page.browser.new_tab(&page.proxy.url())];
    writer.write(20);
    writer.assert_shown(&page, &tabs);
    page.browser.run_in_worker("setTimeout(close)");
    wait_for_clients(&page.bridge, 0);
    writer.write(20);
    for tab in &tabs {
        page.browser.switch(tab);
        page.browser.run(LATER, &json!([]));
    }
    writer.assert_shown(&page, &tabs);
    wait_for_clients(&page.bridge, 1);
}

fn tabs_that_can_share_nothing_have_their_own(kind: Kind) {
    let mut page = open(kind, Sharing::Alone, Bridge::start(&[]));
    let mut writer = Writer::to(&mut page.bridge);
    let mut tabs = vec![page.browser.current()];
    for _ in 1..3 {
        tabs.push(page.browser.new_tab(&Sharing::Alone.url(&page)));
        page.wait_for_state("live");
    }
    wait_for_clients(&page.bridge, 3);
    writer.write(200);
    writer.assert_shown(&page, &tabs);
    page.browser.close(&tabs.remove(0));
    wait_for_clients(&page.bridge, 2);
    writer.write(100);
    writer.assert_shown(&page, &tabs);
}
