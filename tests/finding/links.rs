use crate::harness::Bridge;
use crate::scene::{IS_AT_END, Page, assert_same, numbered};
use crate::webdriver::{Kind, in_each_browser};

in_each_browser! {
    a_link_shows_the_same_view
    a_line_deep_in_history_is_gone_to_and_leads_back_to_the_live_edge
    a_line_that_is_gone_is_said_to_be
    older_lines_come_while_scrolling_up
}

/// A daemon that has had so many lines.
fn with_lines(count: usize, arguments: &[&str]) -> Bridge {
    let mut bridge = Bridge::start(arguments);
    bridge.feed(&numbered(1..=count));
    let text = format!("data: line {count}\n");
    let mut stream = bridge.get("/events?tail=1");
    while !stream.next_event().is_some_and(|event| text.contains(&event.data) && event.data.starts_with("line")) {}
    bridge
}

/// The id of a line by its number.
fn id_of(bridge: &Bridge, number: usize) -> String {
    let found = bridge.get("/events?tail=all&follow=0").rest();
    found.into_iter().find(|event| event.data == format!("line {number}")).expect("a line that is held").id
}

fn a_link_shows_the_same_view(kind: Kind) {
    let bridge = with_lines(200, &[]);
    let page = Page::at(kind, bridge, "#q=line+1.5&re=1&only=1");
    page.wait_until("ten lines", "document.querySelectorAll('.line').length === 10");
    assert!(page.is("document.getElementById('text').value === 'line 1.5'"));
    page.browser.click("a.when");
    page.wait_until("the line is in the address", "location.hash.includes('at=')");
    let hash = page.value("location.hash").as_str().unwrap().to_owned();
    let url = format!("{}{hash}", page.proxy.url());
    page.browser.new_tab(&url);
    page.wait_until("the same line is marked", "document.querySelector('.row.marked .text')?.textContent.startsWith('line 1')");
    page.wait_until("and the same lines are shown", "document.querySelectorAll('.line').length === 10");
}

fn a_line_deep_in_history_is_gone_to_and_leads_back_to_the_live_edge(kind: Kind) {
    let bridge = with_lines(9_000, &[]);
    let id = id_of(&bridge, 3_000);
    let mut page = Page::at(kind, bridge, &format!("#at={id}"));
    page.wait_for_text(".row.marked .text", "line 3000");
    assert!(page.is("!document.getElementById('follow').hidden"), "it does not follow");
    page.wait_for_state("live");
    page.feed_lines(9_001..=9_005);
    page.wait_for_text("#follow", "5 new lines");
    for _ in 0..100 {
        page.browser.wheel(0, 20_000);
        page.wait_until("nothing is being asked for", "!document.getElementById('older').textContent.includes('asking')");
        if page.is("document.getElementById('follow').hidden") {
            break;
        }
    }
    page.wait_for_line("line 9005");
    page.feed_lines(9_006..=9_010);
    page.wait_for_line("line 9010");
    assert!(page.is(IS_AT_END), "and follows");
    let shown = page.shown();
    let first: usize = shown[0].trim_start_matches("line ").parse().unwrap();
    let expected: Vec<_> = (first..=9_010).map(|number| format!("line {number}")).collect();
    assert_same("what is shown", &shown, &expected);
    assert!(first <= 2_700, "what stands before the line is held as well, not only from {first}");
}

fn a_line_that_is_gone_is_said_to_be(kind: Kind) {
    let bridge = with_lines(20_000, &["--history", "256KiB"]);
    let page = Page::at(kind, bridge, "#at=1763660000123-1/stdin");
    page.wait_for_text("#notice", "no longer held");
    page.wait_until("lines", "document.querySelectorAll('.line').length > 10");
    page.browser.press("End", &[]);
    page.wait_for_line("line 20000");
}

fn older_lines_come_while_scrolling_up(kind: Kind) {
    let bridge = with_lines(5_000, &[]);
    let page = Page::before(kind, bridge);
    page.wait_for_line("line 5000");
    for _ in 0..60 {
        page.browser.wheel(0, -20_000);
        if page.texts(".line .text").first().is_some_and(|text| text == "line 1") {
            break;
        }
        page.wait_until("nothing is being asked for", "!document.getElementById('older').textContent.includes('asking')");
    }
    page.wait_for_text(".line .text", "line 1");
    page.wait_for_text("#older", "the beginning");
    let expected: Vec<_> = (1..=5_000).map(|number| format!("line {number}")).collect();
    assert_same("what is shown", &page.shown(), &expected);
}
