//! How a line looks: colours and links, times, what is wrapped, folded, laid out, or still moving.

use serde_json::{Value, json};

use crate::reader::Reader;
use crate::webdriver::{Kind, in_each_browser};

in_each_browser! {
    colours_styles_and_links_are_what_the_line_says
    times_are_absolute_relative_or_off
    lines_are_wrapped_or_not_and_long_ones_fold
    a_json_line_is_laid_out_on_a_click_or_a_key
    traces_are_folded_away_behind_their_first_line
    a_progress_bar_is_one_line_that_moves
}

/// The style of the piece of a line that has this text: colour, background, weight, decoration.
const PIECE: &str = "
    const text = [...document.querySelectorAll('.line .text *')].find((piece) => piece.textContent === arguments[0]);
    const style = getComputedStyle(text);
    return [style.color, style.backgroundColor, style.fontWeight, style.textDecorationLine]";

const COLOURS: &str = "\x1b[31mred\x1b[0m \x1b[1;94mbold blue\x1b[0m \x1b[4munderlined\x1b[0m \x1b[7mreversed\x1b[0m
\x1b[38;5;208morange\x1b[0m \x1b[38;2;1;2;3;48;2;250;251;252mexact\x1b[0m \x1b[9mstruck\x1b[0m
\x1b]8;;https://example.com/a?b=c\x1b\\a link\x1b]8;;\x1b\\ and https://example.com/x.
";

const JAVA: &str = "before
java.lang.IllegalStateException: no more seats
\tat com.example.Hall.seat(Hall.java:42)
\tat com.example.Hall.open(Hall.java:7)
\tat java.base/java.lang.Thread.run(Thread.java:1583)
Caused by: java.io.IOException: the list is closed
\t... 3 more
after
";

const DOCUMENT: &str = r#"{"level":"error","msg":"not stored","tries":3,"last":null,"where":{"host":"db-1","ports":[5432,5433]}}"#;

fn colours_styles_and_links_are_what_the_line_says(kind: Kind) {
    let mut reader = Reader::open(kind, &[]);
    reader.feed(COLOURS);
    reader.wait_for_line("a link and");
    let piece = |text: &str| reader.browser.run(PIECE, &json!([text]));
    let colour = |name: &str| {
        let script = "const span = document.body.appendChild(document.createElement('span'));
            span.className = arguments[0];
            const { color } = getComputedStyle(span);
            span.remove();
            return color";
        reader.browser.run(script, &json!([name]))
    };
    assert_eq!(piece("red")[0], colour("fg-1"));
    let blue = piece("bold blue");
    assert_eq!((&blue[0], &blue[2]), (&colour("fg-12"), &json!("700")));
    assert_eq!(piece("underlined")[3], "underline");
    assert_eq!(piece("struck")[3], "line-through");
    let reversed = piece("reversed");
    assert_eq!(reversed[0], reader.style("html", "backgroundColor"), "on the colour of the text stands that of the paper");
    assert_eq!(reversed[1], reader.style("body", "color"));
    assert_eq!(piece("orange")[0], "rgb(255, 135, 0)");
    let exact = piece("exact");
    assert_eq!((&exact[0], &exact[1]), (&json!("rgb(1, 2, 3)"), &json!("rgb(250, 251, 252)")));

    let links = "[...document.querySelectorAll('#log .text a')].map(({ textContent, href, target, rel }) => [textContent, href, target, rel])";
    let kept = "noopener noreferrer nofollow";
    let wanted = json!([
        ["a link", "https://example.com/a?b=c", "_blank", kept],
        ["https://example.com/x", "https://example.com/x", "_blank", kept]
    ]);
    assert_eq!(reader.value(links), wanted);
    reader.feed(include_str!("../webdriver/sample.log"));
    reader.wait_for_line("listening on 0.0.0.0:8443");
    reader.screenshot("log");
}

fn times_are_absolute_relative_or_off(kind: Kind) {
    let mut reader = Reader::open(kind, &[]);
    reader.feed_lines(1..=3);
    reader.wait_for_line("line 3");
    let told =
        "(({ dataset, textContent, title }) => [Number(dataset.at), textContent, title])(document.querySelector('.line time'))";
    let told = reader.value(told);
    let at = &told[0];
    let exact = "const at = new Date(arguments[0]);
        return [at.toTimeString().slice(0, 8) + '.' + String(at.getMilliseconds()).padStart(3, '0'), at.getFullYear()]";
    let exact = reader.browser.run(exact, &json!([at]));
    assert_eq!(told[1], exact[0], "the time in the id, to the millisecond");
    let title = told[2].as_str().expect("a text");
    assert!(title.starts_with(&exact[1].to_string()) && title.contains(exact[0].as_str().expect("a text")), "{title}");
    let age = reader.value(&format!("Date.now() - {at}")).as_f64().expect("a number");
    assert!((-1_000.0..60_000.0).contains(&age), "it came {age} ms ago");

    reader.press("t");
    reader.wait_until("how long ago", "/^(now|\\d+s ago)$/.test(document.querySelector('.line time').textContent)");
    reader.wait_until("and that it goes on", "/^[2-9]\\d*s ago$/.test(document.querySelector('.line time').textContent)");
    reader.press("t");
    reader.wait_until("no times", "document.querySelector('.line .when').getBoundingClientRect().width === 0");
    let text = reader.row("line 1", "row.querySelector('.text').getBoundingClientRect().left");
    assert!(text.as_f64().expect("a number") < 40.0, "the text takes their place: {text}");
    reader.press("t");
    reader.wait_for_text(".line time", told[1].as_str().expect("a text"));
}

fn lines_are_wrapped_or_not_and_long_ones_fold(kind: Kind) {
    let mut reader = Reader::open(kind, &[]);
    reader.feed(&format!("wide {}\nlong {}\nend\n", "abcdefgh ".repeat(60), "x".repeat(30_000 - 5)));
    reader.wait_for_line("end");
    let height = |reader: &Reader| reader.row("wide", "row.offsetHeight").as_u64().expect("a number");
    let is_too_wide = "document.getElementById('log').scrollWidth > innerWidth + 1000";
    assert!(height(&reader) >= 60 && !reader.is(is_too_wide), "it is wrapped: {}", height(&reader));
    reader.press("w");
    reader.wait_until("one row for a line", "document.querySelector('.row').offsetHeight === 20");
    assert!(reader.is(is_too_wide));
    assert!(reader.is("document.querySelector('[data-do=wrap]').ariaPressed === 'false'"));
    reader.press("w");
    reader.wait_until("several rows again", "document.querySelector('.row').offsetHeight > 20");

    // The length of the text without the button, and the button.
    let long =
        "(({ textContent }, button) => [textContent.length - (button?.textContent.length ?? 0), button?.textContent ?? null])
        (row.querySelector('.text'), row.querySelector('.more'))";
    for (shown, button) in
        [(2_000, json!("28,000 more characters")), (22_000, json!("8,000 more characters")), (30_000, Value::Null)]
    {
        assert_eq!(reader.row("long", long), json!([shown, button]));
        if !button.is_null() {
            reader.row("long", "row.querySelector('.more').click()");
            reader.wait_until(
                "more of it",
                &format!("[...document.querySelectorAll('.text')].some((text) => text.textContent.length > {shown} + 100)"),
            );
        }
    }
    assert_eq!(reader.shown()[1].len(), 30_000, "what is taken along is whole");
}

fn a_json_line_is_laid_out_on_a_click_or_a_key(kind: Kind) {
    let mut reader = Reader::open(kind, &[]);
    reader.feed(&format!("plain\n{DOCUMENT}\n2026-11-30 api: {{\"a\": 1}}\n{{\"a\": tru}}\n{{not json}}\n"));
    reader.wait_for_line("{not json}");
    assert_eq!(reader.value("document.querySelectorAll('.fold.json').length"), 3);
    assert_eq!(reader.value("document.querySelectorAll('.json .fold')[0].ariaExpanded"), "false");

    reader.browser.click(".text.json");
    reader.wait_for_text(".opened", "\"msg\": \"not stored\",\n");
    let laid_out = reader.texts(".opened").remove(0);
    assert!(laid_out.contains("\n  \"where\": {\n    \"host\": \"db-1\",\n    \"ports\": [\n      5432,"), "{laid_out}");
    let kinds = "['key', 'string', 'number', 'word'].map((kind) => document.querySelectorAll(`.opened .json-${kind}`).length)";
    assert_eq!(reader.value(kinds), json!([7, 3, 3, 1]));
    assert_eq!(reader.value("document.querySelector('.fold.json').ariaExpanded"), "true");
    reader.browser.click(".fold.json");
    reader.wait_until("it folded again", "!document.querySelector('.opened')");

    // The last line is marked first, then the ones above it; what is no JSON after all is told when it is opened.
    reader.press("k");
    reader.press("k");
    reader.press("Enter");
    reader.wait_for_text(".marked .opened", "not quite JSON");
    reader.press("k");
    reader.press("o");
    reader.wait_for_text(".marked .opened", "{\n  \"a\": 1\n}");
    assert_eq!(reader.shown()[1], DOCUMENT, "what is taken along is the line itself");
}

fn traces_are_folded_away_behind_their_first_line(kind: Kind) {
    let mut reader = Reader::open(kind, &[]);
    reader.feed(JAVA);
    reader.wait_for_line("after");
    let lines = |reader: &Reader| -> Vec<String> {
        let texts = reader.texts(".line .text");
        texts.iter().map(|text| text.split('▸').next().expect("a part").split('▾').next().expect("a part").to_owned()).collect()
    };
    let all: Vec<_> = JAVA.lines().collect();
    let folded = [all[0], all[1], all[7]];
    assert_eq!(lines(&reader), folded);
    assert_eq!(reader.texts(".fold.trace"), ["▸ 5 more lines"]);
    reader.browser.click(".fold.trace");
    reader.wait_for_text(".line .text", "Caused by");
    assert_eq!(lines(&reader), all);
    assert_eq!(reader.value("document.querySelector('.fold.trace').ariaExpanded"), "true");

    reader.feed(DOCUMENT);
    reader.feed("\nPOST /orders 500\n");
    reader.wait_for_line("POST /orders 500");
    reader.browser.click(".text.json");
    reader.wait_for_text(".opened", "not stored");
    reader.screenshot("opened");

    reader.browser.click(".fold.trace");
    reader.wait_until("it folded again", "document.querySelectorAll('.line').length === 5");
    assert_eq!(lines(&reader)[..3], folded);
}

fn a_progress_bar_is_one_line_that_moves(kind: Kind) {
    let mut reader = Reader::open(kind, &[]);
    reader.feed("before\n10%\r");
    reader.wait_for_text(".moving .text", "10%");
    reader.feed("47% [=========>          ]\r");
    reader.wait_for_text(".moving .text", "47%");
    reader.screenshot("progress");
    assert_eq!(reader.texts(".line .text"), ["before"]);
    assert_eq!(reader.value("document.querySelectorAll('.moving').length"), 1);

    reader.feed("100%\n");
    reader.wait_for_line("100%");
    reader.wait_until("no moving line any more", "document.querySelector('.moving') === null");
    assert_eq!(reader.texts(".line .text"), ["before", "100%3 updates"]);
    reader.browser.click(".line .states");
    reader.wait_for_text(".line .opened", "10%\n47% [=========>          ]\n100%");
}
