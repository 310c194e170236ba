//! `<sse-log>` in a page of another origin, whose policy allows no inline styles and no markup made of text.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::guest::{Guest, metric, start_for};
use crate::scene::{assert_same, numbered, strings};
use crate::types::Interface;
use crate::webdriver::{
    Kind, Theme, in_each_browser,
    proxy::{Cut, Mode},
};

in_each_browser! {
    the_element_shows_lines_and_follows_them
    what_a_line_says_is_text_with_its_colours
    an_element_that_goes_closes_its_connection
}

/// The rows of the element.
const ROWS: &str = "[...log.shadowRoot.querySelectorAll('div')]";

/// Whether the element is at its end.
const IS_AT_END: &str = "log.scrollHeight - log.clientHeight - log.scrollTop < 2";

fn texts(guest: &Guest) -> Vec<String> {
    strings(&guest.value(&format!("{ROWS}.map((row) => row.querySelector('.text').textContent)")))
}

fn wait_for_row(guest: &Guest, text: &str) {
    guest.wait_until(text, &format!("{ROWS}.at(-1)?.querySelector('.text').textContent === {}", json!(text)));
}

fn numbers(from: usize, to: usize) -> Vec<String> {
    (from..=to).map(|number| format!("line {number}")).collect()
}

fn the_element_shows_lines_and_follows_them(kind: Kind) {
    let mut guest = Guest::visit(kind, &[]);
    guest.feed_whole(&numbered(1..=150));
    guest.put("events?tail=120", &json!({ "max-lines": 100, "class": "small", "times": "" }));
    wait_for_row(&guest, "line 150");
    assert_same("at most 100", &texts(&guest), &numbers(51, 150));
    assert_eq!(guest.heard("log", "line").len(), 120, "each line is an event of the element's");
    assert!(guest.value(IS_AT_END) == json!(true), "it follows");
    guest.wait_until("its state", "log.getAttribute('state') === 'live'");
    assert_eq!(guest.value("[log.role, log.tabIndex, log.stream.state.name]"), json!(["log", 0, "live"]));
    let time = "(({ textContent, part }) => [textContent.replace(/\\d/g, '0'), part.value, getComputedStyle(log).display])";
    let shown = guest.value(&format!("{time}({ROWS}[0].querySelector('time'))"));
    assert_eq!(shown, json!(["00:00:00.000", "time", "block"]));
    assert_eq!(
        guest.value(&format!("getComputedStyle({ROWS}[0].querySelector('time')).color")),
        "rgb(70, 140, 73)",
        "the page's style"
    );
    assert_eq!(guest.value(&format!("{ROWS}[0].querySelector('.channel')")), Value::Null, "it shows channels only if asked to");

    looking_back_keeps_its_place(&mut guest);
    what_is_hidden_for_a_while_follows_afterwards(&mut guest);
    what_is_missing_is_said(&mut guest);
    guest.assert_no_violations();
    pictures(&guest, kind, "element");
}

fn looking_back_keeps_its_place(guest: &mut Guest) {
    guest.browser.click("#log");
    guest.wait_until("the focus, for its keys", "document.activeElement === log");
    guest.browser.run("log.scrollTop = 0", &json!([]));
    guest.bridge.feed(&numbered(151..=180));
    wait_for_row(guest, "line 180");
    assert_eq!(guest.value("log.scrollTop"), 0, "what is read does not move");
    assert_same("nothing is taken away", &texts(guest), &numbers(51, 180));

    // Far more than it holds: what is read goes at last, and what is held stays where it is.
    guest.browser.run("log.scrollTop = 110 * log.shadowRoot.firstChild.getBoundingClientRect().height", &json!([]));
    let read =
        format!("{ROWS}.find((row) => row.getBoundingClientRect().top >= log.getBoundingClientRect().top).lastChild.textContent");
    let before = guest.value(&read);
    guest.bridge.feed(&numbered(181..=280));
    wait_for_row(guest, "line 280");
    assert_same("twice as many", &texts(guest), &numbers(81, 280));
    assert_eq!(guest.value(&read), before, "what is read does not move");

    guest.browser.run("log.scrollTop = log.scrollHeight", &json!([]));
    guest.bridge.feed(&numbered(281..=290));
    wait_for_row(guest, "line 290");
    guest.wait_until("the end, with what came", IS_AT_END);
    assert_same("again at most 100", &texts(guest), &numbers(191, 290));
}

/// Such as in a tab of the page's own.
fn what_is_hidden_for_a_while_follows_afterwards(guest: &mut Guest) {
    guest.browser.run("log.hidden = true", &json!([]));
    guest.bridge.feed(&numbered(291..=299));
    guest.bridge.feed(format!("{}\n", "long ".repeat(200)).as_bytes());
    guest.bridge.feed(&numbered(300..=300));
    wait_for_row(guest, "line 300");
    guest.browser.run("log.hidden = false", &json!([]));
    guest.wait_until("the end, once it is shown", &format!("log.clientHeight > 0 && {IS_AT_END}"));
    // Lines that are wrapped anew have other heights.
    guest.browser.run("log.style.width = '12ch'", &json!([]));
    guest.wait_until("the end, once it is narrow", IS_AT_END);
    guest.browser.run("log.style.width = ''", &json!([]));
    guest.bridge.feed(&numbered(301..=310));
    wait_for_row(guest, "line 310");
    guest.wait_until("the end, wide again", IS_AT_END);
}

fn what_is_missing_is_said(guest: &mut Guest) {
    guest.bridge = start_for(&guest.site, &[]);
    guest.proxy.set(Mode::Pass(guest.bridge.port));
    guest.proxy.cut(Cut::Reset);
    guest.wait_until("the gap", "heard.log.gap?.[0].reason === 'restart'");
    guest.bridge.feed(b"10%\r");
    guest.wait_until("what moves", "heard.log.progress?.at(-1).text === '10%'");
    guest.bridge.feed(b"20%\nof the new daemon\n");
    guest.bridge.end_input();
    wait_for_row(guest, "standard input ended");
    let rows = guest.value(&format!("{ROWS}.slice(-4).map((row) => [row.part.value, row.lastChild.textContent])"));
    let gap = "the daemon was started anew; lines may be missing here";
    assert_eq!(rows, json!([["gap", gap], ["line", "20%"], ["line", "of the new daemon"], ["end", "standard input ended"]]));
    guest.wait_until("its state", "log.getAttribute('state') === 'ended'");
    let kinds =
        [("line", "Line", ""), ("gap", "Gap", "id"), ("end", "End", "id"), ("progress", "Progress", ""), ("state", "State", "")];
    for (kind, name, more) in kinds {
        let details = guest.heard("log", kind);
        let object = details[0].as_object().expect("an object").clone();
        Interface::named(name)
            .assert_fits(&json!(object.into_iter().filter(|(key, _)| key != more).collect::<serde_json::Map<_, _>>()));
    }
    Interface::named("SseLogEvents").assert_members(&json!(kinds.map(|(kind, ..)| kind)));
}

fn what_a_line_says_is_text_with_its_colours(kind: Kind) {
    let hostile = [
        "<script>window.pwned = 1</script><img src=x onerror='window.pwned = 1'>",
        "javascript:window.pwned=1 </div></sse-log> &lt;b&gt; ${window.pwned=1}",
        "  leading, double  inside, trailing  ",
    ];
    let mut guest = Guest::visit(kind, &["web/%3Cb%3Ename=-"]);
    guest.put("events", &json!({ "channels": "" }));
    for line in hostile {
        guest.bridge.feed(format!("{line}\n").as_bytes());
    }
    guest.bridge.feed("invoice\u{202e}gpj.exe\n".as_bytes());
    let long = "x".repeat(5_000);
    guest.bridge.feed(format!("{long}\n\x1b[1;31mred\x1b[0m https://example.com/a\n").as_bytes());
    wait_for_row(&guest, "red https://example.com/a");
    let texts = texts(&guest);
    assert_same("hostile lines", &texts[..hostile.len()], &hostile);
    assert_eq!(texts[4], format!("{} … 3000 more characters", &long[..2_000]));
    let override_sign = format!("{ROWS}[3].querySelector('.sign').title");
    assert!(guest.value(&override_sign).as_str().is_some_and(|name| !name.is_empty()), "an override is shown as a sign");
    assert_eq!(guest.value("window.pwned"), Value::Null);
    assert_eq!(guest.value("log.shadowRoot.querySelectorAll('script, img, b').length"), 0);
    assert_eq!(guest.value(&format!("{ROWS}[0].querySelector('.channel').textContent")), "web/%3Cb%3Ename");
    let red =
        guest.value("(({ color, fontWeight }) => [color, fontWeight])(getComputedStyle(log.shadowRoot.querySelector('.fg-1')))");
    assert_eq!(red, json!(["rgb(209, 56, 61)", "700"]));
    let link = guest.value("(({ href, target, rel }) => [href, target, rel])(log.shadowRoot.querySelector('a'))");
    assert_eq!(link, json!(["https://example.com/a", "_blank", "noopener noreferrer nofollow"]));
    guest.assert_no_violations();
    pictures(&guest, kind, "element-colours");
}

fn an_element_that_goes_closes_its_connection(kind: Kind) {
    let mut guest = Guest::visit(kind, &[]);
    guest.bridge.feed(&numbered(1..=3));
    guest.put("events?tail=all", &json!({}));
    wait_for_row(&guest, "line 3");
    guest.wait_for_clients(1);
    guest.browser.run("window.gone = log; log.remove()", &json!([]));
    guest.wait_for_clients(0);
    assert_eq!(guest.value("gone.stream"), Value::Null);

    // Put somewhere else it begins anew; with another source, too.
    guest.bridge.feed(&numbered(4..=4));
    guest.browser.run("document.body.append(gone)", &json!([]));
    wait_for_row(&guest, "line 4");
    assert_same("all of it, once", &texts(&guest), &numbers(1, 4));
    guest.wait_for_clients(1);
    guest.browser.run("log.setAttribute('src', new URL('events?tail=1', daemon).href)", &json!([]));
    guest.wait_until("another beginning", &format!("{ROWS}.length === 1"));
    assert_same("the last one", &texts(&guest), &numbers(4, 4));
    guest.bridge.feed(&numbered(5..=5));
    wait_for_row(&guest, "line 5");
    guest.wait_for_clients(1);
    guest.browser.run("log.removeAttribute('src')", &json!([]));
    guest.wait_for_clients(0);
    assert_eq!(guest.value("log.getAttribute('state')"), Value::Null);
    assert_eq!(texts(&guest), Vec::<String>::new());

    one_that_was_there_before_the_module_asks_once(&guest);
    all_share_a_connection(&guest);
}

fn one_that_was_there_before_the_module_asks_once(guest: &Guest) {
    let streams = metric(&guest.bridge, "streams_total");
    guest.visit_with_an_element("events?tail=all");
    wait_for_row(guest, "line 5");
    guest.wait_for_clients(1);
    assert_eq!(metric(&guest.bridge, "streams_total"), streams + 2, "one for what was, and one for what comes");
}

/// Two of them, and a program, in one page.
fn all_share_a_connection(guest: &Guest) {
    guest.browser.run("log.remove()", &json!([]));
    guest.put("events?tail=all", &json!({}));
    guest.browser.run("put({ src: new URL('events?tail=2', daemon).href }, 'second')", &json!([]));
    guest.follow("all", "events?tail=all");
    guest.wait_for_line("all", "line 5");
    wait_for_row(guest, "line 5");
    guest.wait_until("the second", "second.shadowRoot.querySelectorAll('div').length === 2");
    guest.wait_for_clients(1);
    guest.browser.run("log.remove(); second.remove(); streams.all.close()", &json!([]));
    guest.wait_for_clients(0);
}

/// Keeps pictures of the page in both themes.
fn pictures(guest: &Guest, kind: Kind, name: &str) {
    let browser = format!("{kind:?}").to_lowercase();
    let directory = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/target/screenshots"));
    for (theme, suffix) in [(Theme::Dark, "dark"), (Theme::Light, "light")] {
        guest.browser.prefer(theme);
        guest.browser.screenshot(&directory.join(format!("{name}-{browser}-{suffix}.png")));
    }
}
