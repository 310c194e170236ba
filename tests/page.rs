//! The page at `/` in a real Chromium, with a proxy before the daemon that makes the connection fail in every way it can.
//!
//! Pictures of what it looks like are left in `target/screenshots`.

mod harness;
mod webdriver;

use std::{io::Write, ops::RangeInclusive, path::PathBuf};

use harness::{Bridge, Random, scale, seed};
use serde_json::{Value, json};
use webdriver::{
    Browser, Theme,
    proxy::{Cut, Mode, Proxy},
};

/// The most rows that the page holds.
const MAX_ROWS: u64 = 10_000;

/// The script that tells whether the page shows its end.
const IS_AT_BOTTOM: &str = "document.documentElement.scrollHeight - innerHeight - scrollY < 2";

/// The End key, by the `WebDriver` standard.
const END: char = '\u{e010}';

/// The script that moves the page's clock five minutes on.
const LATER: &str = "const now = Date.now; Date.now = () => now() + 300000";

/// A browser before the page of a daemon of its own.
struct Page {
    browser: Browser,
    proxy: Proxy,
    bridge: Bridge,
}

impl Page {
    fn open(arguments: &[&str]) -> Self {
        let page = Self::before(Bridge::start(arguments));
        page.wait_for_state("live");
        page
    }

    fn before(bridge: Bridge) -> Self {
        let proxy = Proxy::start(bridge.port);
        let browser = Browser::start();
        browser.open(&proxy.url());
        Self { browser, proxy, bridge }
    }

    /// Feeds lines with these numbers.
    fn feed_lines(&mut self, numbers: RangeInclusive<usize>) {
        self.bridge.feed(&numbered(numbers));
    }

    fn wait_for_state(&self, state: &str) {
        let script = "return document.documentElement.dataset.state === arguments[0]";
        self.browser.wait(&format!("the state `{state}`"), script, &json!([state]));
    }

    /// Waits until this is the last line.
    fn wait_for_line(&self, text: &str) {
        let script = "return [...document.querySelectorAll('.line .text')].at(-1)?.textContent === arguments[0]";
        self.browser.wait(&format!("the last line `{text}`"), script, &json!([text]));
    }

    /// Waits until an element that people can see contains a text.
    fn wait_for_text(&self, selector: &str, text: &str) {
        let script = "return [...document.querySelectorAll(arguments[0])].some(
            (element) => element.checkVisibility() && element.textContent.includes(arguments[1]))";
        self.browser.wait(&format!("`{text}` in {selector}"), script, &json!([selector, text]));
    }

    /// The texts of all rows that a selector finds.
    fn texts(&self, selector: &str) -> Vec<String> {
        let script = "return [...document.querySelectorAll(arguments[0])].map((element) => element.textContent)";
        strings(&self.browser.run(script, &json!([selector])))
    }

    fn is(&self, script: &str) -> bool {
        self.browser.run(&format!("return {script}"), &json!([])) == json!(true)
    }

    fn screenshot(&self, name: &str) {
        let directory = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/target/screenshots"));
        for (theme, suffix) in [(Theme::Dark, "dark"), (Theme::Light, "light")] {
            self.browser.prefer(theme);
            self.browser.screenshot(&directory.join(format!("{name}-{suffix}.png")));
        }
    }
}

#[test]
fn no_line_is_lost_or_doubled_when_connections_break() {
    let seed = seed();
    let mut random = Random::new(seed);
    let (total, cuts) = (scale(3_000, 9_500), scale(6, 40));
    let each = total / (cuts + 1);
    let mut page = Page::open(&[]);

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

    let expected: Vec<_> = (1..=total).map(|number| format!("line {number}")).collect();
    let rows = page.texts(".row .text");
    let first_difference = rows.iter().zip(&expected).position(|(row, line)| row != line);
    assert_eq!(first_difference, None, "seed {seed}: {:?}", first_difference.map(|at| &rows[at]));
    assert_eq!(rows.len(), total, "seed {seed}");
    let ids = page.browser.run("return [...document.querySelectorAll('.row')].map((row) => row.dataset.id)", &json!([]));
    let numbers: Vec<_> = strings(&ids).iter().map(|id| number_of(id)).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "seed {seed}: the numbers of the ids do not grow");
}

#[test]
fn a_new_daemon_is_told_as_a_gap_and_the_page_goes_on_by_itself() {
    let mut page = Page::open(&[]);
    page.feed_lines(1..=3);
    page.wait_for_line("line 3");

    // Away: a proxy says so with a status that ends an EventSource for good.
    page.proxy.set(Mode::Answer(502));
    page.bridge = Bridge::start(&[]);
    page.wait_for_state("reconnecting");
    page.proxy.wait_for_answers(2);

    page.proxy.set(Mode::Pass(page.bridge.port));
    page.wait_for_text(".gap .text", "started anew");
    page.wait_for_state("live");
    page.bridge.feed(b"of the new daemon\n");
    page.wait_for_line("of the new daemon");
    let rows = page.texts(".row .text");
    assert_eq!(rows[..3], ["line 1", "line 2", "line 3"]);
    assert!(rows[3].contains("started anew"), "{rows:?}");
    assert_eq!(rows[4..], ["of the new daemon"]);
    page.screenshot("restart");
}

#[test]
fn a_connection_that_died_without_a_word_is_replaced() {
    let mut page = Page::open(&[]);
    page.feed_lines(1..=2);
    page.wait_for_line("line 2");
    page.proxy.silence();
    page.feed_lines(3..=4);
    // No event tells of it; only the clock does, so the clock goes on.
    page.browser.run(LATER, &json!([]));
    page.wait_for_line("line 4");
    assert_eq!(page.texts(".row .text"), ["line 1", "line 2", "line 3", "line 4"]);
}

#[test]
fn while_there_is_nothing_the_page_says_what_it_waits_for() {
    let mut page = Page::open(&[]);
    page.wait_for_text("#waiting", "waiting for the first line from standard input");
    page.wait_for_text("#curl", &format!("curl -N {}events", page.proxy.url()));
    page.screenshot("empty");

    page.bridge.end_input();
    page.wait_for_text("#waiting", "standard input ended without a line");
    page.wait_for_state("ended");
    page.screenshot("ended-empty");
}

#[test]
fn the_end_is_told_and_a_new_run_is_noticed() {
    let mut page = Page::open(&[]);
    page.bridge.feed(b"first\nlast, without a newline");
    page.bridge.end_input();
    page.wait_for_line("last, without a newline");
    page.wait_for_text(".end .text", "standard input ended");
    page.wait_for_state("ended");
    page.screenshot("ended");

    page.bridge = Bridge::start(&[]);
    page.proxy.set(Mode::Pass(page.bridge.port));
    page.wait_for_state("live");
    page.bridge.feed(b"again\n");
    page.wait_for_line("again");
    assert_eq!(page.texts(".line .text"), ["first", "last, without a newline", "again"]);
}

#[test]
fn a_full_house_is_told_and_left_when_there_is_room() {
    let bridge = Bridge::start(&["--max-clients", "1"]);
    let first = bridge.get("/events");

    let mut page = Page::before(bridge);
    page.wait_for_state("busy");
    page.wait_for_text("#notice", "full");
    page.screenshot("busy");
    drop(first);
    // The daemon said when to come back, up to a minute from now: the clock goes on.
    page.browser.run(LATER, &json!([]));
    page.wait_for_state("live");
    page.feed_lines(1..=1);
    page.wait_for_line("line 1");
}

#[test]
fn lines_with_a_type_are_lines() {
    let mut page = Page::open(&["--event-type", "log"]);
    page.feed_lines(1..=2);
    page.wait_for_line("line 2");
    assert_eq!(page.texts(".row .text"), ["line 1", "line 2"]);
}

#[test]
fn a_progress_line_moves_and_follows_whole() {
    let mut page = Page::open(&[]);
    page.bridge.feed(b"before\n10%\r");
    page.wait_for_text(".moving .text", "10%");
    page.bridge.feed(b"47% [=========>          ]\r");
    page.wait_for_text(".moving .text", "47%");
    page.screenshot("progress");
    assert_eq!(page.texts(".line .text"), ["before"]);

    page.bridge.feed(b"100%\n");
    page.wait_for_line("100% 3 updates");
    assert!(page.is("document.querySelector('.moving') === null"), "the moving line is gone");
    page.browser.run("document.querySelector('.line summary').click()", &json!([]));
    page.wait_for_text(".line details", "10%\n47% [=========>          ]\n100%");
}

#[test]
fn hostile_lines_are_text() {
    let lines = [
        "<script>window.pwned = 1</script>",
        "<img src=x onerror='window.pwned = 1'><svg onload=window.pwned=1>",
        "</div></main></body></html><!-- ",
        "javascript:window.pwned=1 &lt;b&gt; &amp; {{title}} ${window.pwned=1}",
        "invoice\u{202e}gpj.exe \u{2066}isolate without an end",
        "e\u{301}\u{301}\u{301}\u{301}\u{301} \u{200b}\u{feff}zero width",
        "  leading, double  inside, trailing  ",
        "",
    ];
    let title = "<b>builds</b> & 'more' {{title}}";
    let mut page = Page::open(&["--title", title]);
    assert_eq!(page.texts("title, h1"), [title, title]);
    let listen =
        "window.violations = []; addEventListener('securitypolicyviolation', (event) => violations.push(event.blockedURI))";
    page.browser.run(listen, &json!([]));
    for line in lines {
        page.bridge.feed(format!("{line}\n").as_bytes());
    }
    page.bridge.feed(b"data: a\revent: gap\rdata: {}\r\r\n\x1b[1;31mred\x1b[0m\n");
    page.wait_for_line("red");

    let texts = page.texts(".line .text");
    assert_eq!(texts[..lines.len()], lines);
    assert!(texts[lines.len()].contains("event: gap"), "{texts:?}");
    assert!(page.is("window.pwned === undefined"), "no script of a line runs");
    assert!(page.is("violations.length === 0"), "and none is tried");
    assert!(page.is("document.querySelectorAll('#log :is(script, img, svg, a, b)').length === 0"), "no markup either");
    let lefts = "new Set([...document.querySelectorAll('.row time')].map((time) => time.getBoundingClientRect().left))";
    assert!(page.is(&format!("{lefts}.size === 1")), "a bidi override stays in its line");
    let console = page.browser.console();
    assert!(!console.iter().any(|message| message.contains("Content Security Policy")), "{console:?}");
}

#[test]
fn what_is_no_longer_held_is_told() {
    let mut page = Page::open(&["--history", "256KiB"]);
    page.feed_lines(1..=10);
    page.wait_for_line("line 10");
    page.proxy.set(Mode::Refuse);
    page.proxy.cut(Cut::Reset);
    page.wait_for_state("reconnecting");
    page.feed_lines(11..=20_000);
    page.proxy.set(Mode::Pass(page.bridge.port));
    page.wait_for_line("line 20000");
    page.wait_for_text(".gap .text", "no longer held");
    page.browser.run("document.querySelector('.gap').scrollIntoView({ block: 'center' })", &json!([]));
    page.screenshot("gap");

    let lost: usize = page.texts(".gap .text").iter().map(|text| leading_number(text)).sum();
    let shown = page.texts(".line .text");
    assert!(lost > 1_000, "a small history loses most of them, not {lost}");
    assert_eq!(lost + shown.len(), 20_000, "what is lost and what is shown are all");
}

#[test]
fn looking_back_pauses_and_counts_what_comes() {
    let mut page = Page::open(&[]);
    page.feed_lines(1..=300);
    page.wait_for_line("line 300");
    assert!(page.is(IS_AT_BOTTOM), "the page follows");

    page.browser.run("scrollBy(0, -900)", &json!([]));
    page.wait_for_text("#follow", "follow");
    let place = page.browser.run("return scrollY", &json!([]));
    page.feed_lines(301..=340);
    page.wait_for_text("#follow", "40 new lines");
    page.wait_for_line("line 340");
    assert_eq!(page.browser.run("return scrollY", &json!([])), place, "what is read does not move");
    page.screenshot("paused");

    page.browser.run("document.getElementById('follow').click()", &json!([]));
    page.browser.wait("the bottom", &format!("return {IS_AT_BOTTOM} && document.getElementById('follow').hidden"), &json!([]));

    page.browser.run("scrollBy(0, -900)", &json!([]));
    page.wait_for_text("#follow", "follow");
    page.browser.press(END);
    page.browser.wait("the bottom", &format!("return {IS_AT_BOTTOM} && document.getElementById('follow').hidden"), &json!([]));
    page.feed_lines(341..=400);
    page.wait_for_line("line 400");
    assert!(page.is(IS_AT_BOTTOM), "the page follows again");
}

#[test]
fn a_burst_leaves_a_page_that_is_bounded_and_answers() {
    let total = scale(100_000, 500_000);
    let mut page = Page::open(&[]);
    page.feed_lines(1..=total);
    page.wait_for_line(&format!("line {total}"));

    let rows = page.browser.run("return document.querySelectorAll('.row').length", &json!([]));
    let rows = rows.as_u64().expect("a number");
    assert!(rows <= MAX_ROWS && rows > MAX_ROWS - 200, "{rows} rows");
    let gone = total as u64 - rows;
    let let_go = page.texts("#let-go").remove(0).replace(',', "");
    assert!(let_go.starts_with(&format!("{gone} older lines")), "{let_go}, but {gone} are gone");
    page.wait_for_text("#lines", &format!("{},000 lines", total / 1_000));
    assert!(page.is(IS_AT_BOTTOM), "the page follows");

    let frame = "const began = performance.now(); return new Promise((done) =>
        requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - began))))";
    let frame = page.browser.run(frame, &json!([])).as_f64().expect("a number");
    assert!(frame < 1_000.0, "two frames take {frame} ms");

    // Somebody who looks back loses nothing under their eyes, and comes back to the newest line.
    page.browser.run("scrollBy(0, -900)", &json!([]));
    page.wait_for_text("#follow", "follow");
    let read = "return document.elementFromPoint(innerWidth / 2, innerHeight / 2).textContent";
    let before = page.browser.run(read, &json!([]));
    page.feed_lines(total + 1..=total + 20_000);
    page.wait_for_text("#follow", "20,000 new lines");
    assert_eq!(page.browser.run(read, &json!([])), before, "what is read does not move");
    assert!(page.is(&format!("document.querySelectorAll('.row').length <= {MAX_ROWS}")), "the page stays bounded");
    page.browser.press(END);
    page.wait_for_line(&format!("line {}", total + 20_000));
    assert!(page.is(IS_AT_BOTTOM), "the page follows again");
}

#[test]
fn the_page_shows_a_log_as_it_is() {
    let mut page = Page::open(&[]);
    page.bridge.feed(include_bytes!("webdriver/sample.log"));
    page.wait_for_line("listening on 0.0.0.0:8443");
    page.screenshot("page");
    let time = page.texts(".line time").remove(0);
    let digits: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(digits, "00:00:00.000", "{time}");
}

fn numbered(numbers: RangeInclusive<usize>) -> Vec<u8> {
    let mut lines = Vec::new();
    for number in numbers {
        writeln!(lines, "line {number}").expect("memory takes everything");
    }
    lines
}

fn strings(list: &Value) -> Vec<String> {
    let list = list.as_array().expect("a list");
    list.iter().map(|value| value.as_str().expect("of strings").to_owned()).collect()
}

/// The number in an id, `TIME-NUMBER/CHANNEL`.
fn number_of(id: &str) -> u64 {
    let number = id.split(['-', '/']).nth(1).and_then(|number| number.parse().ok());
    number.unwrap_or_else(|| panic!("not an id: {id}"))
}

/// The number with which a text begins, written as `1,234`.
fn leading_number(text: &str) -> usize {
    let digits = text.split(' ').next().unwrap_or_default().replace(',', "");
    digits.parse().unwrap_or_else(|_| panic!("no number begins `{text}`"))
}
