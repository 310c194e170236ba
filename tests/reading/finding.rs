//! Finding: what matches is marked, counted and gone through; or it alone is shown, as a link shows it again.

use serde_json::json;

use crate::harness::{Bridge, Random, scale, seed};
use crate::reader::{Files, Reader};
use crate::scene::{assert_same, numbered};
use crate::webdriver::proxy::Mode;
use crate::webdriver::{Kind, Modifier, in_each_browser};

in_each_browser! {
    what_is_found_is_marked_counted_and_gone_through
    a_link_shows_the_same_view
}

/// What is marked in the lines in sight.
const MARKED: &str = "[...new Set([...document.querySelectorAll('#log mark')].map((mark) => mark.textContent))].sort()";

/// The line at which the reader is among those that match, once it is in sight.
fn wait_for_match(reader: &Reader, found: &str, text: &str) {
    reader.wait_for_text("#found", found);
    let script = "const log = document.getElementById('log').getBoundingClientRect();
        return [...document.querySelectorAll('.line')].some((row) => {
            const { top, bottom } = row.getBoundingClientRect();
            return top >= log.top && bottom <= log.bottom && row.querySelector('.text').textContent === arguments[0] && row.querySelector('mark');
        })";
    reader.browser.wait(&format!("the match `{text}`"), script, &json!([text]));
}

/// Types anew what is looked for, and waits for what is said of it.
fn look_for(reader: &Reader, text: &str, found: &str) {
    reader.browser.run("document.getElementById('text').select()", &json!([]));
    reader.browser.type_text(text);
    reader.wait_until("what is found", &format!("document.getElementById('found').textContent === {}", json!(found)));
}

fn what_is_found_is_marked_counted_and_gone_through(kind: Kind) {
    let mut reader = Reader::open(kind, &[]);
    let lines: String =
        (1..=800).map(|n| if n % 40 == 0 { format!("line {n}: a Needle, one needle\n") } else { format!("line {n}\n") }).collect();
    reader.feed(&lines);
    reader.wait_for_line("line 800");
    reader.press("/");
    look_for(&reader, "needle", "20");
    reader.wait_until("both marked", &format!("{MARKED}.join() === 'Needle,needle'"));
    for (key, found, line) in [("Enter", "20 of 20", 800), ("Enter", "19 of 20", 760), ("Enter", "18 of 20", 720)] {
        reader.press(key);
        wait_for_match(&reader, found, &format!("line {line}: a Needle, one needle"));
    }
    reader.browser.press("Enter", &[Modifier::Shift]);
    wait_for_match(&reader, "19 of 20", "line 760: a Needle, one needle");
    reader.screenshot("matches");

    // Outside the field the keys are n and N; behind the last match comes the first.
    reader.browser.click("#log");
    for (key, found, line) in [("n", "20 of 20", 800), ("n", "1 of 20", 40), ("N", "20 of 20", 800), ("N", "19 of 20", 760)] {
        reader.press(key);
        wait_for_match(&reader, found, &format!("line {line}: a Needle, one needle"));
    }
    reader.feed("one more needle\n");
    reader.wait_for_text("#found", "19 of 21");

    reader.press("/");
    reader.browser.click("#is-case");
    look_for(&reader, "Needle", "20");
    look_for(&reader, "NEEDLE", "no match");
    reader.browser.click("#is-regex");
    look_for(&reader, "[nN]eedle$", "21");
    look_for(&reader, "line 1?(60|20):", "2");
    reader.wait_until("no mark in sight", &format!("{MARKED}.length === 0"));
    reader.browser.run("document.getElementById('text').select()", &json!([]));
    reader.browser.type_text("line (4");
    reader.wait_for_text("#found.wrong", "nterminated");
    assert!(reader.value("getComputedStyle(document.getElementById('found')).color") != json!(reader.style("body", "color")));

    reader.press("Escape");
    reader.wait_until("the bar closed", "document.getElementById('find').hidden && location.hash === ''");
    assert!(reader.is("document.querySelectorAll('mark').length === 0"));
    assert!(reader.is("document.activeElement.id === 'log'"), "the keyboard is where the lines are");
}

/// The lines of two channels, some of them grave.
fn of_two_channels(files: &Files) {
    for n in 1..=40 {
        let level = ["INFO", "WARN", "ERROR", "DEBUG"][n % 4];
        files.write("web", &format!("{level} request {n} took {} ms\n", n * 37 % 100));
    }
    files.write("db", "INFO checkpoint took 12 ms\nWARN request of the web is slow\n");
}

/// Gives a field of the bar a value, as a reader does with a list.
fn set(reader: &Reader, field: &str, value: &str) {
    let script = "const field = document.getElementById(arguments[0]);
        field.value = arguments[1];
        field.dispatchEvent(new Event('input', { bubbles: true }))";
    reader.browser.run(script, &json!([field, value]));
}

fn a_link_shows_the_same_view(kind: Kind) {
    let files = Files::new(&["web", "db"]);
    let (web, db) = (files.source("web"), files.source("db"));
    of_two_channels(&files);
    let reader = Reader::open(kind, &["--from", "start", &web, &db]);
    reader.wait_for_text("#lines", "42 lines");
    only_what_matches_and_is_grave(&reader);
    reader.press("Escape");
    what_is_around_matches_of_one_channel(&reader);

    let (shown, found) = (reader.shown(), reader.texts("#found"));
    let address = reader.value("location.href");
    reader.browser.new_tab(address.as_str().expect("an address"));
    reader.wait_until("as many", &format!("document.getElementById('found').textContent === {}", json!(found[0])));
    assert_same("the view that the link shows", &reader.shown(), &shown);
    let form = "['text', 'context', 'level'].map((id) => document.getElementById(id).value)";
    assert_eq!(reader.value(form), json!(["took 9\\d ms$", "1", ""]));
    let boxes = "['is-regex', 'is-case', 'only'].map((id) => document.getElementById(id).checked)";
    assert_eq!(reader.value(boxes), json!([true, false, true]));
}

/// The numbers of the requests that are shown.
fn requests(reader: &Reader) -> Vec<usize> {
    let number = |line: &String| line.split(' ').nth(2).and_then(|number| number.parse().ok()).unwrap_or(0);
    reader.shown().iter().map(number).collect()
}

fn only_what_matches_and_is_grave(reader: &Reader) {
    reader.press("/");
    reader.browser.type_text("request 1");
    reader.browser.click("#only");
    reader.wait_until("the filter in the address", "location.hash === '#q=request+1&only=1'");
    reader.wait_for_text("#found", "11");
    let expected: Vec<_> = (1..=40).filter(|n| n.to_string().starts_with('1')).collect();
    assert_same("only what matches", &requests(reader), &expected);
    set(reader, "level", "warn");
    reader.wait_until("the level in the address", "location.hash === '#q=request+1&only=1&level=warn'");
    reader.wait_for_text("#found", "6");
    let grave: Vec<_> = expected.into_iter().filter(|n| [1, 2].contains(&(n % 4))).collect();
    assert_same("warnings and errors", &requests(reader), &grave);
    reader.screenshot("only");
}

fn what_is_around_matches_of_one_channel(reader: &Reader) {
    reader.press("c");
    reader.browser.click("#channels [data-channel=web]");
    reader.wait_until("the channel in the address", "location.hash === '#channel=web'");
    reader.press("/");
    reader.browser.type_text("took 9\\d ms$");
    reader.browser.click("#is-regex");
    reader.browser.click("#only");
    set(reader, "context", "1");
    let hash = "#q=took+9%5Cd+ms%24&re=1&only=1&context=1&channel=web";
    reader.wait_until("all of it in the address", &format!("location.hash === '{hash}'"));
    let hits: Vec<_> = (1..=40).filter(|n| n * 37 % 100 >= 90).collect();
    reader.wait_until("what matches", &format!("document.getElementById('found').textContent === '{}'", hits.len()));
    let near: Vec<_> = (1..=40_usize).filter(|n| hits.iter().any(|hit| n.abs_diff(*hit) <= 1)).collect();
    assert_same("matches and what is around them", &requests(reader), &near);
    reader.screenshot("only-with-context");
}

/// Whether a line passes, and what is then shown around it: what the page must do, in a few lines.
fn expected(lines: &[String], word: &str, context: usize, least: usize) -> Vec<String> {
    let grade = |line: &str| ["INFO", "WARN", "ERROR"].iter().position(|level| line.starts_with(level)).expect("a level");
    let hits: Vec<_> = lines.iter().enumerate().filter(|(_, line)| line.contains(word)).map(|(at, _)| at).collect();
    let is_near = |at: usize| hits.iter().any(|hit| hit.abs_diff(at) <= context);
    let shown = lines.iter().enumerate().filter(|&(at, line)| grade(line) >= least && is_near(at));
    shown.map(|(_, line)| line.clone()).collect()
}

#[test]
fn what_is_shown_of_random_lines_is_what_it_should_be() {
    let seed = seed();
    let mut random = Random::new(seed);
    let words = ["apple", "pear", "plum", "quince", "sloe"];
    let mut reader = Reader::open(Kind::Chromium, &[]);
    // From its first line on a page holds all that comes; of what was there before it begins with the newest.
    let mut lines = vec!["INFO nothing 0".to_owned()];
    reader.feed("INFO nothing 0\n");
    reader.wait_for_line("INFO nothing 0");
    for round in 0..scale(12, 60) {
        // What is looked for now is looked for in what was there before, in what comes with it, and in what comes afterwards.
        let (word, context, least) = (words[random.below(words.len())], random.below(4), random.below(3));
        let hash = format!("#q={word}&only=1&context={context}&level={}", ["info", "warn", "error"][least]);
        let is_regex = random.below(2) == 0;
        reader.browser.run("location.hash = arguments[0]", &json!([format!("{hash}{}", if is_regex { "&re=1" } else { "" })]));
        for _ in 0..random.below(3) {
            let more: Vec<_> = (0..random.below(3_000)).map(|_| random_line(&mut random, &words)).collect();
            reader.feed(&more.concat());
            lines.extend(more.iter().map(|line| line.trim_end().to_owned()));
            reader.wait_for_text("#lines", &format!("{} line", grouped(lines.len())));
        }
        reader.wait_until("all judged", "!document.getElementById('found').textContent.endsWith('…')");
        let wanted = expected(&lines, word, context, least);
        reader.browser.wait("all judged", "return new Promise((later) => setTimeout(later, 50, true))", &json!([]));
        assert_same(&format!("round {round} of seed {seed}, {hash}"), &reader.shown(), &wanted);
    }
}

/// Most lines have a word that is rarely looked for.
fn random_line(random: &mut Random, words: &[&str]) -> String {
    let level = ["INFO", "WARN", "ERROR"][random.below(3)];
    let word = if random.below(30) == 0 { words[random.below(words.len())] } else { "nothing" };
    format!("{level} {word} {}\n", random.below(1_000_000))
}

/// A number as the page writes it.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(|group| String::from_utf8_lossy(group)).collect();
    groups.join(",")
}

#[test]
fn what_matches_is_looked_for_far_back_in_history() {
    let mut bridge = Bridge::start(&[]);
    bridge.feed(b"the needle\n");
    bridge.feed(&numbered(2..=12_000));
    let mut reader = Reader::at(Kind::Chromium, bridge, "#q=needle&only=1");
    reader.wait_for_text(".line .text", "the needle");
    assert_eq!(reader.shown(), ["the needle"]);
    reader.wait_for_text("#older", "the beginning of what the daemon has");

    // It does not look through all of a long history unasked.
    let mut bridge = Bridge::start(&[]);
    bridge.feed(b"the needle\n");
    bridge.feed(&numbered(2..=24_000));
    reader.bridge = bridge;
    reader.proxy.set(Mode::Pass(reader.bridge.port));
    reader.browser.open("about:blank");
    reader.browser.open(&format!("{}#q=needle&only=1", reader.proxy.url()));
    reader.wait_for_text("#older", "nothing in the last 21,000 lines");
    reader.browser.click("#older button");
    reader.wait_for_text(".line .text", "the needle");
}
