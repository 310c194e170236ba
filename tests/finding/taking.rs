use serde_json::json;

use crate::scene::Page;
use crate::webdriver::{Kind, Modifier, in_each_browser};

in_each_browser! {
    lines_are_copied_without_decoration
    every_key_of_the_sheet_does_something
}

fn lines_are_copied_without_decoration(kind: Kind) {
    let mut page = Page::open(kind, &[]);
    page.feed("one\n\x1b[31mtwo\x1b[0m red\nthree\n");
    page.wait_for_line("three");
    let take = "window.copied = null; navigator.clipboard.writeText = async (text) => (window.copied = text)";
    page.browser.run(take, &json!([]));
    page.browser.press("k", &[]);
    page.browser.press("k", &[Modifier::Shift]);
    page.wait_until("two marked lines", "document.querySelectorAll('.marked').length === 2");
    page.browser.press("y", &[]);
    page.wait_until("a copy", "window.copied !== null");
    assert_eq!(page.value("window.copied"), "two red\nthree");
    page.wait_for_text("#said", "copied 2 lines");
    assert_eq!(page.shown(), ["one", "two red", "three"]);
    let text =
        page.browser.run("return fetch(document.getElementById('history').href).then((answer) => answer.text())", &json!([]));
    assert_eq!(text, "one\n\x1b[31mtwo\x1b[0m red\nthree\n");
}

fn every_key_of_the_sheet_does_something(kind: Kind) {
    let mut page = Page::open(kind, &[]);
    page.feed_lines(1..=300);
    page.feed("{\"a\":[1,2.50]}\n");
    page.wait_for_line("{");
    page.browser.press("?", &[]);
    page.wait_for_text("#help", "find in the lines");
    page.screenshot("help");
    page.browser.press("Escape", &[]);
    page.wait_until("closed", "!document.getElementById('help').open");
    for (key, what) in [
        ("w", "document.documentElement.classList.contains('unwrapped')"),
        ("t", "document.documentElement.dataset.times === 'relative'"),
        ("c", "!document.getElementById('channels').hidden"),
        ("k", "document.querySelector('.marked') !== null"),
        ("o", "document.querySelector('.opened')?.textContent.includes('2.50')"),
        ("Home", "document.querySelector('.line .text').textContent === 'line 1'"),
        ("f", "document.getElementById('follow').hidden"),
        ("PageUp", "!document.getElementById('follow').hidden"),
        ("End", "document.getElementById('follow').hidden"),
        ("/", "document.activeElement.id === 'text'"),
    ] {
        page.browser.press(key, &[]);
        page.wait_until(&format!("what {key} does"), what);
    }
    page.browser.type_text("line 2");
    page.wait_for_text("#found", "111");
    page.browser.press("Enter", &[]);
    page.browser.run("document.activeElement.blur()", &json!([]));
    for (key, what) in [("n", "1 of 111"), ("N", "111 of 111"), ("N", "110 of 111")] {
        page.browser.press(key, &[]);
        page.wait_for_text("#found", what);
    }
    page.browser.press("x", &[]);
    page.wait_until("only matches", "document.getElementById('only').checked");
    page.browser.press("Escape", &[]);
    page.wait_until("no bar", "document.getElementById('find').hidden");
}
