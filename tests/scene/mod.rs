//! A browser before the page of a daemon, with a proxy between the two that makes the connection fail in every way it can.
//!
//! The page has elements for the lines in sight only. All that it shows is what it gives as a file ([`Page::shown`]).

#![allow(dead_code, reason = "each test target uses a part of this")]

use std::fmt::Debug;
use std::io::Write;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::harness::Bridge;
use crate::webdriver::proxy::Proxy;
use crate::webdriver::{Browser, Kind, Tab, Theme};

/// Whether the list stands at its end.
pub const IS_AT_END: &str =
    "(({ scrollTop, clientHeight, scrollHeight }) => scrollHeight - clientHeight - scrollTop < 2)(document.getElementById('log'))";

/// Has the page's file of what is shown come to `window.taken` instead of the disk.
const TAKE: &str = "window.taken = null;
    URL.createObjectURL = (blob) => (blob.text().then((text) => (window.taken = text)), 'blob:taken');
    HTMLAnchorElement.prototype.click = function () {};
    document.querySelector('[data-do=\"download\"]').dispatchEvent(new MouseEvent('click', { bubbles: true }));";

/// A browser before the page of a daemon of its own.
pub struct Page {
    pub browser: Browser,
    pub proxy: Proxy,
    pub bridge: Bridge,
}

impl Page {
    /// Opens the page of a daemon with these arguments, which reads its standard input if they name no source.
    pub fn open(kind: Kind, arguments: &[&str]) -> Self {
        let page = Self::before(kind, Bridge::start(arguments));
        page.wait_for_state("live");
        page
    }

    pub fn before(kind: Kind, bridge: Bridge) -> Self {
        Self::at(kind, bridge, "")
    }

    /// Opens it with this behind its address: `#q=...`.
    pub fn at(kind: Kind, bridge: Bridge, hash: &str) -> Self {
        let proxy = Proxy::start(bridge.port);
        let browser = Browser::start(kind);
        browser.open(&format!("{}{hash}", proxy.url()));
        Self { browser, proxy, bridge }
    }

    /// Feeds lines with these numbers: `line 7`.
    pub fn feed_lines(&mut self, numbers: RangeInclusive<usize>) {
        self.bridge.feed(&numbered(numbers));
    }

    pub fn feed(&mut self, text: &str) {
        self.bridge.feed(text.as_bytes());
    }

    pub fn wait_for_state(&self, state: &str) {
        let script = "return document.documentElement.dataset.state === arguments[0]";
        self.browser.wait(&format!("the state `{state}`"), script, &json!([state]));
    }

    /// Waits until the last line in sight begins with this.
    pub fn wait_for_line(&self, text: &str) {
        let script = "return [...document.querySelectorAll('.line .text')].at(-1)?.textContent.startsWith(arguments[0])";
        self.browser.wait(&format!("the last line `{text}`"), script, &json!([text]));
    }

    /// Waits until an element that people can see contains a text.
    pub fn wait_for_text(&self, selector: &str, text: &str) {
        let script = "return [...document.querySelectorAll(arguments[0])].some(
            (element) => element.checkVisibility() && element.textContent.includes(arguments[1]))";
        self.browser.wait(&format!("`{text}` in {selector}"), script, &json!([selector, text]));
    }

    /// Waits until an expression is true.
    pub fn wait_until(&self, what: &str, expression: &str) {
        self.browser.wait(what, &format!("return {expression}"), &json!([]));
    }

    /// The texts of all elements that a selector finds.
    pub fn texts(&self, selector: &str) -> Vec<String> {
        let script = "return [...document.querySelectorAll(arguments[0])].map((element) => element.textContent)";
        strings(&self.browser.run(script, &json!([selector])))
    }

    /// What an expression is.
    pub fn value(&self, expression: &str) -> Value {
        self.browser.run(&format!("return {expression}"), &json!([]))
    }

    pub fn is(&self, expression: &str) -> bool {
        self.value(expression) == json!(true)
    }

    /// All that the page shows, line by line, as its file has it; what the stream says of itself stands in brackets.
    pub fn shown(&self) -> Vec<String> {
        self.shown_in(&self.browser.current())
    }

    /// The same of a tab that may be behind another one.
    pub fn shown_in(&self, tab: &Tab) -> Vec<String> {
        self.take_in(tab);
        let text = self.browser.run_in(tab, "return taken", &json!([]));
        text.as_str().expect("a text").lines().map(ToOwned::to_owned).collect()
    }

    /// Has the text of that file be in `window.taken`, for scripts that look at it there.
    pub fn take_in(&self, tab: &Tab) {
        self.browser.run_in(tab, TAKE, &json!([]));
        self.browser.wait_in(tab, "the file of what is shown", "return window.taken !== null", &json!([]));
    }

    /// Keeps pictures of the page in both themes, in `target/screenshots`.
    pub fn screenshot(&self, name: &str) {
        let directory = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/target/screenshots"));
        for (theme, suffix) in [(Theme::Dark, "dark"), (Theme::Light, "light")] {
            self.browser.prefer(theme);
            self.browser.screenshot(&directory.join(format!("{name}-{suffix}.png")));
        }
    }
}

pub fn numbered(numbers: RangeInclusive<usize>) -> Vec<u8> {
    let mut lines = Vec::new();
    for number in numbers {
        writeln!(lines, "line {number}").expect("memory takes everything");
    }
    lines
}

pub fn strings(list: &Value) -> Vec<String> {
    let list = list.as_array().expect("a list");
    list.iter().map(|value| value.as_str().expect("of strings").to_owned()).collect()
}

/// Says where two lists part, if they do.
#[track_caller]
pub fn assert_same<T: PartialEq<U> + Debug, U: Debug>(what: &str, seen: &[T], expected: &[U]) {
    let parts = seen.iter().zip(expected).position(|(one, other)| one != other);
    let at = parts.unwrap_or(seen.len().min(expected.len()));
    assert!(
        parts.is_none() && seen.len() == expected.len(),
        "{what}: {} came, {} were expected; they part at {at}: {:?}, not {:?}",
        seen.len(),
        expected.len(),
        &seen[at.saturating_sub(1)..seen.len().min(at + 3)],
        &expected[at.saturating_sub(1)..expected.len().min(at + 3)]
    );
}
