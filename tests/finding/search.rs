use std::fmt::Write as _;

use serde_json::json;

use crate::scene::{Page, assert_same};
use crate::webdriver::{Kind, in_each_browser};

in_each_browser! {
    text_is_found_highlighted_and_gone_to
    only_what_matches_is_shown_with_lines_around_it
    an_expression_finds_what_it_says_and_a_bad_one_is_told
    an_expression_that_would_take_for_ever_is_given_up
    levels_are_guessed_and_chosen
}

/// 300 lines, of which each seventh has an apple, and each fiftieth an error.
fn orchard() -> String {
    (1..=300).fold(String::new(), |mut text, number| {
        let level = if number % 50 == 0 { "ERROR" } else { "INFO" };
        let fruit = if number % 7 == 0 { "Apple" } else { "pear" };
        writeln!(text, "{level} line {number} of {fruit}").unwrap();
        text
    })
}

fn open(kind: Kind) -> Page {
    let mut page = Page::open(kind, &[]);
    page.feed(&orchard());
    page.wait_for_line("ERROR line 300");
    page
}

fn look_for(page: &Page, text: &str) {
    let script = "const input = document.getElementById('text'); input.value = arguments[0];
        input.dispatchEvent(new Event('input', { bubbles: true }))";
    page.browser.run(script, &json!([text]));
}

fn check(page: &Page, id: &str) {
    page.browser.click(&format!("label:has(#{id})"));
}

fn text_is_found_highlighted_and_gone_to(kind: Kind) {
    let page = open(kind);
    page.browser.press("/", &[]);
    page.wait_until("the bar", "document.activeElement.id === 'text'");
    page.browser.type_text("apple");
    page.wait_for_text("#found", "42");
    assert_eq!(page.texts("mark").first().map(String::as_str), Some("Apple"), "case does not matter");
    assert!(page.texts(".line .text").iter().any(|text| text.contains("pear")), "the others are shown as well");
    page.browser.press("Enter", &[]);
    page.wait_for_text("#found", "42 of 42");
    page.browser.press("Escape", &[]);
    page.wait_until("no mark", "document.querySelector('mark') === null");

    page.browser.press("/", &[]);
    page.browser.type_text("line 7 of");
    page.wait_for_text("#found", "1");
    page.browser.press("Enter", &[]);
    page.wait_for_text(".row mark", "line 7 of");
    page.screenshot("finding");
    check(&page, "is-case");
    page.browser.run("document.getElementById('text').value = ''", &json!([]));
    look_for(&page, "apple");
    page.wait_for_text("#found", "no match");
}

fn only_what_matches_is_shown_with_lines_around_it(kind: Kind) {
    let mut page = open(kind);
    page.browser.press("/", &[]);
    page.browser.type_text("line 50 of");
    check(&page, "only");
    page.wait_until("one line", "document.querySelectorAll('.line').length === 1");
    let script = "const context = document.getElementById('context'); context.value = 2;
        context.dispatchEvent(new Event('input', { bubbles: true }))";
    page.browser.run(script, &json!([]));
    page.wait_until("five lines", "document.querySelectorAll('.line').length === 5");
    let numbers: Vec<_> = page.shown().iter().map(|line| line.split(' ').nth(2).unwrap().to_owned()).collect();
    assert_same("the lines around", &numbers, &["48", "49", "50", "51", "52"]);
    page.screenshot("only-matching");
    // What comes is judged as well.
    page.feed(
        "INFO line 301 of pear\nINFO again line 50 of pear\nINFO line 303 of pear\nINFO line 304 of pear\nINFO line 305 of pear\n",
    );
    page.wait_until("ten lines", "document.querySelectorAll('.line').length === 10");
    assert!(page.value("location.hash").as_str().unwrap().contains("only=1&context=2"));
}

fn an_expression_finds_what_it_says_and_a_bad_one_is_told(kind: Kind) {
    let page = open(kind);
    page.browser.press("/", &[]);
    check(&page, "is-regex");
    look_for(&page, r"line (1|2)\d{2} of apple$");
    page.wait_for_text("#found", "28");
    page.wait_until("a highlight", "document.querySelector('mark')?.textContent.endsWith('Apple')");
    look_for(&page, "line (");
    page.wait_for_text("#found.wrong", "unterminated");
    look_for(&page, r"^ERROR");
    page.wait_for_text("#found", "6");
}

fn an_expression_that_would_take_for_ever_is_given_up(kind: Kind) {
    let mut page = Page::open(kind, &[]);
    for _ in 0..20 {
        page.feed(&format!("{}!\n", "a".repeat(2_000)));
    }
    page.wait_for_line("aaaa");
    page.browser.press("/", &[]);
    check(&page, "is-regex");
    look_for(&page, "(a+)+$");
    page.wait_for_text("#found.wrong", "too long");
    let began = page.value("performance.now()").as_f64().unwrap();
    look_for(&page, "a!");
    page.wait_for_text("#found", "20");
    let took = page.value("performance.now()").as_f64().unwrap() - began;
    assert!(took < 5_000.0, "the page answers: {took} ms");
    page.feed("and it goes on\n");
    page.wait_for_line("and it goes on");
}

fn levels_are_guessed_and_chosen(kind: Kind) {
    let page = open(kind);
    page.wait_until("an error is marked", "document.querySelector('.level-error') !== null");
    page.browser.press("/", &[]);
    let script = "const level = document.getElementById('level'); level.value = 'error';
        level.dispatchEvent(new Event('input', { bubbles: true }))";
    page.browser.run(script, &json!([]));
    page.wait_until("six lines", "document.querySelectorAll('.line').length === 6");
    assert!(page.shown().iter().all(|line| line.starts_with("ERROR")));
    assert!(page.value("location.hash").as_str().unwrap().contains("level=error"));
}
