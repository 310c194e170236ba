//! Links to lines: to a moment in history, and on from there to the newest line.

use serde_json::json;

use crate::harness::Bridge;
use crate::reader::{Reader, feed_and_wait, with_lines};
use crate::scene::{IS_AT_END, assert_same};
use crate::webdriver::proxy::{Cut, Mode};
use crate::webdriver::{Kind, in_each_browser};

in_each_browser! {
    a_link_leads_to_a_line_and_on_to_the_newest
    a_click_on_a_time_makes_a_link
}

/// The id of a line.
fn id_of(bridge: &Bridge, text: &str) -> String {
    let events = bridge.get("/events?tail=all&follow=0").rest();
    let found = events.into_iter().find(|event| event.data == text);
    found.unwrap_or_else(|| panic!("`{text}` is not held")).id
}

/// Waits until the marked line is this one, and in sight.
fn wait_for_marked(reader: &Reader, text: &str) {
    let script = "const marked = document.querySelector('.marked');
        const log = document.getElementById('log').getBoundingClientRect();
        const box = marked?.getBoundingClientRect();
        return marked?.querySelector('.text').textContent === arguments[0] && box.top >= log.top && box.bottom <= log.bottom";
    reader.browser.wait(&format!("`{text}` marked"), script, &json!([text]));
}

/// Scrolls down until the page is at the live edge.
fn scroll_to_the_edge(reader: &Reader) {
    for _ in 0..400 {
        if reader.is(&format!("{IS_AT_END} && document.getElementById('follow').hidden")) {
            return;
        }
        reader.browser.wheel(0, 6_000);
        reader.value("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))");
    }
    panic!("the edge is not reached; the last lines in sight are {:?}", reader.texts(".line .text").last());
}

fn a_link_leads_to_a_line_and_on_to_the_newest(kind: Kind) {
    let bridge = with_lines(&[], 12_000);
    let id = id_of(&bridge, "line 3000");
    let mut reader = Reader::at(kind, bridge, &format!("#at={id}"));
    wait_for_marked(&reader, "line 3000");
    assert!(reader.shown().len() < 1_500, "what surrounds it is held, not all up to it");
    assert!(reader.is("!document.getElementById('follow').hidden"), "it is not the newest");
    reader.screenshot("link");
    reader.feed_lines(12_001..=12_010);
    reader.wait_for_text("#follow", "10 new lines");

    scroll_to_the_edge(&reader);
    reader.feed_lines(12_011..=12_020);
    reader.wait_for_line("line 12020");
    let shown = reader.shown();
    let first: usize = shown[0].trim_start_matches("line ").parse().expect("a number");
    assert!(first < 3_000, "{first}");
    let expected: Vec<_> = (first..=12_020).map(|number| format!("line {number}")).collect();
    assert_same("from the line to the edge", &shown, &expected);
    assert_eq!(reader.value("location.hash"), json!(format!("#at={id}")), "the link is still that of the marked line");
}

fn a_click_on_a_time_makes_a_link(kind: Kind) {
    let mut reader = Reader::open(kind, &[]);
    reader.feed_lines(1..=30);
    reader.wait_for_line("line 30");
    let id = id_of(&reader.bridge, "line 12");
    reader.browser.run("document.querySelectorAll('.line .when')[11].className += ' wanted'", &json!([]));
    assert!(
        reader.value("document.querySelector('.wanted').href").as_str().is_some_and(|link| link.ends_with(&format!("/#at={id}")))
    );
    reader.browser.click(".wanted time");
    wait_for_marked(&reader, "line 12");
    assert_eq!(reader.value("location.hash"), json!(format!("#at={id}")));
    let link = reader.value("location.href");
    reader.browser.new_tab(link.as_str().expect("an address"));
    wait_for_marked(&reader, "line 12");
    reader.press("Escape");
    reader.wait_until("no mark", "!document.querySelector('.marked') && location.hash === ''");
}

#[test]
fn a_link_holds_through_a_restart_with_a_state_directory() {
    let state = tempfile::tempdir().expect("there is room for a directory");
    let arguments = ["--history", "256KiB", "--state-dir", state.path().to_str().expect("it is text")];
    let mut bridge = with_lines(&arguments, 20_000);
    let id = id_of(&bridge, "line 700");
    bridge.signal("TERM");
    bridge.wait();
    let bridge = with_more(&arguments);
    let mut reader = Reader::at(Kind::Chromium, bridge, &format!("#at={id}"));
    wait_for_marked(&reader, "line 700");
    scroll_to_the_edge(&reader);
    reader.feed_lines(20_101..=20_110);
    reader.wait_for_line("line 20110");
    let expected: Vec<_> = (1..=20_110).map(|number| format!("line {number}")).collect();
    let shown = reader.shown();
    let begins = expected.iter().position(|line| *line == shown[0]).expect("it begins with a line");
    assert!(begins < 700, "{begins}");
    assert_same("from the line to the edge", &shown, &expected[begins..]);
}

/// The next run of a daemon, with a hundred lines more.
fn with_more(arguments: &[&str]) -> Bridge {
    let mut bridge = Bridge::start(arguments);
    feed_and_wait(&mut bridge, 20_001..=20_100);
    bridge
}

#[test]
fn a_link_to_a_line_that_is_gone_says_so() {
    let mut bridge = with_lines(&["--history", "256KiB"], 10);
    let id = id_of(&bridge, "line 5");
    feed_and_wait(&mut bridge, 11..=20_000);
    let mut reader = Reader::at(Kind::Chromium, bridge, &format!("#at={id}"));
    reader.wait_for_text("#notice", "no longer held");
    reader.wait_for_text(".line .text", "line");
    reader.screenshot("gone");
    reader.press("f");
    reader.wait_for_line("line 20000");
    assert!(reader.is("document.getElementById('notice').hidden"), "going on takes the notice away");

    for hash in ["#at=garbage", "#at=1-2/stdin", "#at=9999999999999-1/stdin", "#at=%00%ff", "#context=x&level=y&re=1&channel="] {
        reader.browser.open("about:blank");
        reader.browser.open(&format!("{}{hash}", reader.proxy.url()));
        reader.wait_for_text(".line .text", "line");
        reader.press("f");
        reader.wait_for_line("line 20000");
    }
    // Nobody is there to be asked.
    reader.proxy.set(Mode::Refuse);
    reader.proxy.cut(Cut::Reset);
    reader.browser.run("location.hash = '#at=1-1/stdin'", &json!([]));
    reader.wait_for_text("#notice", "could not be asked for");
    reader.proxy.set(Mode::Pass(reader.bridge.port));
    reader.press("f");
    reader.wait_for_line("line 20000");
    reader.feed_lines(1..=1);
    reader.wait_for_line("line 1");
}
