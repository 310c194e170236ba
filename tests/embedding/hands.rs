//! What a reader does with the charts: zoom, pause, hide a series, go back to what comes; and what lines cannot do to them.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::charts::Charts;
use crate::harness::{Bridge, scale};
use crate::scene::Page;
use crate::webdriver::{Kind, in_each_browser};

in_each_browser! {
    a_drag_zooms_and_the_picture_stands_still_until_it_is_reset
    a_series_is_hidden_or_alone_by_a_click_on_its_name
    names_of_series_are_text
}

/// Watches the frames of the page, for pauses.
const WATCH: &str = "window.longest = 0;
    let before = (window.began = performance.now());
    const look = (now) => { longest = Math.max(longest, now - before); before = now; requestAnimationFrame(look); };
    requestAnimationFrame(look)";

/// So many lines of two series that go up and down, `up=0 down=50` the last of them.
fn waves(count: usize) -> String {
    let mut lines = String::new();
    for at in (0..count).rev() {
        let up = at % 50;
        writeln!(lines, "up={up} down={}", 50 - up).expect("memory takes everything");
    }
    lines
}

fn a_drag_zooms_and_the_picture_stands_still_until_it_is_reset(kind: Kind) {
    let mut charts = Charts::open(kind, &[], &waves(200));
    charts.wait_for_status("2 series · 400 points");
    charts.wait_for_ink(0);
    let following = charts.pictures();
    charts.drag(0.2, 0.6);
    charts.wait_for_status("zoomed · 0 points came since");
    charts.wait_for_other_pictures(&following);
    charts.screenshot(&format!("charts-zoomed-{kind:?}").to_lowercase());
    charts.browser.click("h1"); // below the mouse, the legend has the values of that place

    let zoomed = charts.pictures();
    charts.feed("up=777 down=3\n");
    charts.wait_for_status("zoomed · 2 points came since");
    charts.wait_for_value("up", "777");
    assert!(charts.pictures() == zoomed, "what is looked at does not move");
    charts.browser.click(".plot-bar button[aria-label^='reset']");
    charts.wait_for_status("2 series · 402 points");
    charts.wait_for_other_pictures(&zoomed);

    // By the keyboard.
    charts.browser.run("document.querySelector('.plot-charts').focus()", &json!([]));
    charts.browser.press("+", &[]);
    charts.wait_for_status("zoomed · 0 points came since");
    charts.browser.press("ArrowLeft", &[]);
    charts.browser.press("0", &[]);
    charts.wait_for_status("2 series · 402 points");
    a_pause_counts(&mut charts);
}

fn a_pause_counts(charts: &mut Charts) {
    let pause = ".plot-bar button[aria-pressed]";
    charts.browser.click(pause);
    charts.wait_for_status("paused · 0 points came since");
    let still = charts.pictures();
    charts.feed("up=1 down=900\nup=2 down=901\n");
    charts.wait_for_status("paused · 4 points came since");
    assert!(charts.pictures() == still, "a paused picture does not move");
    assert_eq!(charts.value("document.querySelector('.plot-bar button[aria-pressed=true]').textContent"), "resume");
    charts.browser.click(pause);
    charts.wait_for_status("2 series · 406 points");
    charts.wait_for_other_pictures(&still);

    // Closed by its key, open again by its button, and the numbers of meanwhile are there.
    charts.browser.run("document.getElementById('log').focus()", &json!([]));
    charts.browser.press("p", &[]);
    charts.wait_until("no charts", "!document.querySelector('.plot').checkVisibility()");
    charts.feed("up=42 down=42\n");
    charts.wait_for_line("up=42 down=42");
    charts.browser.click("nav [data-do=plot]");
    charts.wait_for_status("2 series · 408 points");
    charts.wait_for_value("up", "42");
    charts.browser.click(".plot-close");
    charts.wait_until("its button up", "document.querySelector('nav [data-do=plot]').ariaPressed === 'false'");
}

fn a_series_is_hidden_or_alone_by_a_click_on_its_name(kind: Kind) {
    let charts = Charts::open(kind, &[], &waves(100));
    charts.wait_for_series(&["up", "down"]);
    charts.wait_for_ink(0);
    let pressed = "JSON.stringify([...document.querySelectorAll('.plot-legend button')].map((button) => [button.querySelector('.plot-name')?.textContent, button.ariaPressed]))";
    let is = |up: bool, down: bool| json!([["up", up.to_string()], ["down", down.to_string()]]).to_string();
    let wait_for = |up: bool, down: bool| charts.wait_until("the series", &format!("{pressed} === {}", json!(is(up, down))));
    wait_for(true, true);
    let both = charts.pictures();
    charts.browser.click(".plot-legend li:first-child button");
    wait_for(false, true);
    charts.wait_for_other_pictures(&both);
    charts.browser.click(".plot-legend li:first-child button");
    wait_for(true, true);

    // A double click, which is also two clicks.
    let double = "const button = document.querySelector('.plot-legend li:last-child button');
        for (const [kind, detail] of [['click', 1], ['click', 2], ['dblclick', 2]]) {
            button.dispatchEvent(new MouseEvent(kind, { bubbles: true, detail }));
        }";
    charts.browser.run(double, &json!([]));
    wait_for(false, true);
    charts.browser.run(double, &json!([]));
    wait_for(true, true);
    charts.wait_until("the picture in words", "document.querySelector('.plot-picture').ariaLabel === 'up 0, down 50'");
}

fn names_of_series_are_text(kind: Kind) {
    let hostile = [
        "<img src=x onerror=window.pwned=1>",
        "</figure><script>window.pwned=1</script>",
        "__proto__",
        "constructor",
        "\u{202e}gpj",
    ];
    let mut lines = String::new();
    for at in 0..5 {
        let object: serde_json::Map<String, Value> = hostile.iter().map(|name| ((*name).to_owned(), json!(at % 3))).collect();
        writeln!(lines, "{}", json!(object)).expect("memory takes everything");
    }
    lines.push_str("that was all\n");
    let mut charts = Charts::open(kind, &["a/%3Cb%3E=-"], &lines);
    charts.wait_for_series(&hostile[..4]);
    charts.wait_for_ink(0);
    charts.feed(&format!("{{\"{}\":1}}\n", "long ".repeat(500)));
    for line in 0..5 {
        let many: serde_json::Map<String, Value> = (0..50).map(|at| (format!("n{line}.{at}"), json!(at))).collect();
        charts.feed(&format!("{}\n", json!(many)));
    }
    charts.wait_for_status("more than 200 series: the rest is left out");
    assert_eq!(charts.value("document.querySelectorAll('.plot :is(img, script, b, a)').length"), 0);
    assert_eq!(charts.value("window.pwned ?? null"), Value::Null);
    assert_eq!(charts.value("({}).polluted ?? Object.prototype.constructor === Object"), true);
    let widest = "Math.max(...[...document.querySelectorAll('.plot-name')].map((name) => name.textContent.length))";
    assert!(charts.value(widest).as_u64().is_some_and(|length| length < 200), "a name has a bound");
    assert!(charts.is("document.documentElement.scrollWidth <= innerWidth"), "and breaks nothing");
    let console = charts.browser.console();
    assert!(!console.iter().any(|said| said.contains("rror") || said.contains("Content")), "{console:?}");
    charts.screenshot(&format!("charts-hostile-{kind:?}").to_lowercase());
}

#[test]
fn other_lines_held_are_other_charts() {
    let mut bridge = Bridge::start(&[]);
    bridge.feed(waves(3_000).as_bytes());
    let page = Page::at(Kind::Chromium, bridge, "");
    page.wait_for_text("#lines", "1,000 lines");
    let charts = Charts::of(page);
    charts.wait_for_status("2 series · 2,000 points");
    // Around the first line, which the page does not hold, are 400 others.
    let first =
        "return fetch('events?tail=all&follow=0').then((answer) => answer.text()).then((text) => /^id: (.*)$/m.exec(text)[1])";
    let first = charts.browser.run(first, &json!([]));
    charts.browser.run("location.hash = `at=${arguments[0]}`", &json!([first]));
    charts.wait_for_status("2 series · 800 points");
    charts.browser.press("f", &[]);
    charts.wait_for_status("2 series · 2,000 points");
}

#[test]
fn lines_without_numbers_are_told_what_works() {
    let mut charts = Charts::open(Kind::Chromium, &[], "hello\nno number in here\n");
    charts.wait_for_text(".plot-empty", "2 lines, and none that carries numbers so far.");
    charts.wait_for_text(".plot-empty", "vmstat 1, ping, CSV, JSON, or text like cpu=12.5 mem=340MB took=1.5ms");
    charts.screenshot("charts-empty");
    // What it says works does.
    charts.feed("cpu=12.5 mem=340MB took=1.5ms\n");
    charts.wait_for_series(&["cpu", "mem", "took"]);
    charts.wait_until("no more of that", "!document.querySelector('.plot-empty').checkVisibility()");
    charts.wait_for_value("mem", "324.2 MiB");
    charts.wait_for_value("took", "1.5 ms");
}

#[test]
fn a_flood_leaves_the_page_alive_while_charts_are_open() {
    let total = scale(100_000, 1_000_000);
    let mut charts = Charts::open(Kind::Chromium, &[], "up=1 down=1\n");
    charts.wait_for_series(&["up", "down"]);
    charts.browser.run(WATCH, &json!([]));
    charts.feed(&waves(total));
    charts.feed("up=70 down=77\n");
    charts.wait_for_line("up=70 down=77");
    charts.wait_for_value("down", "77");
    let milliseconds = |what: &str| charts.value(what).as_f64().expect("a number");
    let (longest, whole) = (milliseconds("longest"), milliseconds("performance.now() - began"));
    // Where the machine is busy with other things everything takes longer.
    assert!(longest < f64::max(1_000.0, whole / 3.0), "a frame took {longest} of {whole} ms");
    assert_eq!(charts.value("document.querySelectorAll('.plot-chart').length"), 1);
    // It goes on as before.
    let before = charts.pictures();
    charts.feed("up=5 down=6\n");
    charts.wait_for_value("down", "6");
    charts.wait_for_other_pictures(&before);
}
