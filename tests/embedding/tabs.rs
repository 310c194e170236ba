//! Tabs of a page of another origin: they share one connection, by a lock and a channel between them, because the daemon's worker
//! is not for them. The tab that has it may go at any time.

use serde_json::json;

use crate::guest::Guest;
use crate::scene::{assert_same, numbered};
use crate::webdriver::{Kind, Tab, in_each_browser};

in_each_browser! {
    tabs_share_a_connection_and_the_first_hands_it_over
}

fn tabs_share_a_connection_and_the_first_hands_it_over(kind: Kind) {
    let mut guest = Guest::visit(kind, &[]);
    let first = guest.browser.current();
    follow(&guest);
    let second = guest.visit_again();
    follow(&guest);
    guest.bridge.feed(&numbered(1..=100));
    came_whole(&guest, &first, 100);
    came_whole(&guest, &second, 100);
    guest.wait_for_clients(1);
    for tab in [&first, &second] {
        assert_eq!(guest.browser.run_in(tab, "return streams.all.sharing", &json!([])), "lock");
    }

    // The first has the connection. Lines come before, while and after it goes.
    guest.bridge.feed(&numbered(101..=150));
    guest.browser.close(&first);
    guest.bridge.feed(&numbered(151..=200));
    came_whole(&guest, &second, 200);
    guest.wait_for_clients(1);

    // Now the second has it, and goes in order; a third takes over.
    let third = guest.visit_again();
    follow(&guest);
    came_whole(&guest, &third, 200);
    guest.bridge.feed(&numbered(201..=250));
    came_whole(&guest, &second, 250);
    guest.browser.run_in(&second, "streams.all.close()", &json!([]));
    guest.bridge.feed(&numbered(251..=300));
    came_whole(&guest, &third, 300);
    guest.wait_for_clients(1);
    assert_eq!(heard_in(&guest, &second), 250, "who has closed hears no more");

    // Who does not want to share has a connection of its own.
    guest.follow_with("alone", "events?tail=all", &json!({ "share": false }));
    guest.wait_for_line("alone", "line 300");
    guest.wait_for_clients(2);
    guest.browser.open("about:blank");
    guest.wait_for_clients(0);
}

fn follow(guest: &Guest) {
    guest.follow("all", "events?tail=all");
    guest.wait_for_state("all", "live");
}

/// Waits until so many lines have come to a tab, and sees that each came once, in order, with no word of a gap.
fn came_whole(guest: &Guest, tab: &Tab, total: usize) {
    let wait = "return heard.all.line?.at(-1)?.data === arguments[0] && heard.all.line.map(({ data }) => data)";
    let last = format!("line {total}");
    let came = guest.browser.wait_in(tab, &last, wait, &json!([last]));
    let expected: Vec<_> = (1..=total).map(|number| json!(format!("line {number}"))).collect();
    assert_same("a tab", came.as_array().expect("a list"), &expected);
    assert_eq!(guest.browser.run_in(tab, "return heard.all.gap ?? []", &json!([])), json!([]));
}

fn heard_in(guest: &Guest, tab: &Tab) -> u64 {
    guest.browser.run_in(tab, "return heard.all.line.length", &json!([])).as_u64().expect("a number")
}
