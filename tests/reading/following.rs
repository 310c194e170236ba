//! Following, looking back, and on into history.

use serde_json::json;

use crate::reader::{Reader, with_lines};
use crate::scene::{IS_AT_END, assert_same, strings};
use crate::webdriver::{Kind, in_each_browser};

in_each_browser! {
    older_lines_come_from_history_while_scrolling_up
    looking_back_pauses_counts_and_goes_on_by_key_or_click
}

/// The line at the upper edge, and where it stands to a pixel.
const PLACE: &str = "((edge) => {
    const row = [...document.querySelectorAll('.row')].find((row) => row.getBoundingClientRect().bottom > edge + 1);
    return [row.querySelector('.text').textContent, Math.round(row.getBoundingClientRect().top)];
})(document.getElementById('log').getBoundingClientRect().top)";

/// The texts of the lines in sight.
const IN_SIGHT: &str = "((log) => [...document.querySelectorAll('.line')].filter((row) => {
    const { top, bottom } = row.getBoundingClientRect();
    return bottom > log.top && top < log.bottom;
}).map((row) => row.querySelector('.text').textContent))(document.getElementById('log').getBoundingClientRect())";

/// At the end, and what comes is followed.
fn wait_for_the_end(reader: &Reader) {
    reader.wait_until("the end", &format!("{IS_AT_END} && document.getElementById('follow').hidden"));
}

fn looking_back_pauses_counts_and_goes_on_by_key_or_click(kind: Kind) {
    let mut reader = Reader::open(kind, &[]);
    reader.feed_lines(1..=300);
    reader.wait_for_line("line 300");
    wait_for_the_end(&reader);

    reader.browser.wheel(0, -900);
    reader.wait_for_text("#follow", "follow");
    let place = reader.browser.wait("rest", &resting(PLACE), &json!([]));
    reader.feed_lines(301..=340);
    reader.wait_for_text("#follow", "40 new lines");
    reader.wait_for_text("#lines", "340 lines");
    assert_eq!(reader.value(PLACE), place, "what is read does not move");
    reader.screenshot("paused");

    reader.browser.click("#follow");
    wait_for_the_end(&reader);
    reader.wait_for_line("line 340");
    let mut last = 340;
    for (back, on) in [("wheel", "f"), ("PageUp", "End"), ("k", "f"), ("g", "End"), ("Home", "wheel"), ("ArrowUp", "f")] {
        if back == "wheel" {
            reader.browser.wheel(0, -900);
        } else {
            reader.press(back);
        }
        reader.wait_for_text("#follow", "follow");
        reader.feed_lines(last + 1..=last + 1);
        reader.wait_for_text("#follow", "1 new line");
        if on == "wheel" {
            reader.browser.wheel(0, 90_000);
        } else {
            reader.press(on);
        }
        wait_for_the_end(&reader);
        last += 1;
        reader.wait_for_line(&format!("line {last}"));
    }
    reader.feed_lines(last + 1..=last + 60);
    reader.wait_for_line(&format!("line {}", last + 60));
    wait_for_the_end(&reader);
}

/// A script that gives what an expression is, once it is the same in two looks.
fn resting(expression: &str) -> String {
    format!(
        "const look = () => JSON.stringify({expression});
         const first = look();
         return new Promise((later) => setTimeout(later, 250)).then(() => look() === first && JSON.parse(first))"
    )
}

fn older_lines_come_from_history_while_scrolling_up(kind: Kind) {
    let total = 6_000;
    let mut bridge = with_lines(&[], total);
    bridge.end_input();
    let reader = Reader::at(kind, bridge, "");
    reader.wait_for_text(".end .text", "standard input ended");
    assert!(reader.shown().len() <= 1_002, "a page begins with the newest lines");
    let mut steps = 0;
    while reader.texts("#older span") != ["the beginning of what the daemon has"] || reader.texts(".line .text")[0] != "line 1" {
        reader.browser.wheel(0, -4_000);
        reader.value("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))");
        let seen: Vec<usize> = strings(&reader.value(IN_SIGHT)).iter().map(|text| number(text)).collect();
        assert!(seen.len() > 20 && seen.windows(2).all(|pair| pair[1] == pair[0] + 1), "lines in sight: {seen:?}");
        steps += 1;
        assert!(steps < 500, "the beginning is not reached; in sight are {seen:?}");
    }
    let expected: Vec<_> =
        (1..=total).map(|number| format!("line {number}")).chain(["[standard input ended]".to_owned()]).collect();
    assert_same("all of history", &reader.shown(), &expected);
    reader.press("End");
    wait_for_the_end(&reader);
    reader.wait_for_text(".end .text", "standard input ended");
}

fn number(text: &str) -> usize {
    text.trim_start_matches("line ").parse().unwrap_or_else(|_| panic!("`{text}` is no numbered line"))
}
