//! Lines of somebody who means harm: the page goes on answering, shows what they are, and asks nobody for anything.

use serde_json::json;

use crate::harness::scale;
use crate::reader::Reader;
use crate::webdriver::{Kind, in_each_browser};

in_each_browser! {
    hostile_lines_are_shown_as_what_they_are
    an_expression_that_never_ends_is_given_up
    nothing_that_a_line_can_hold_stops_the_page
}

/// Has the page watch itself: whether it answers, what its policy forbids, and what it asks for.
const WATCH: &str = "
    window.harm = { pause: 0, violations: [] };
    addEventListener('securitypolicyviolation', ({ blockedURI, violatedDirective }) => harm.violations.push([violatedDirective, blockedURI]));
    let last = performance.now();
    setInterval(() => {
        const now = performance.now();
        harm.pause = Math.max(harm.pause, now - last);
        last = now;
    }, 5)";

/// The longest time without an answer since it was asked last.
fn pause(reader: &Reader) -> f64 {
    // What began must have ended, and been drawn.
    let drawn = "return new Promise((done) => requestAnimationFrame(() => setTimeout(done, 20)))
        .then(() => { const { pause } = harm; harm.pause = 0; return pause; })";
    reader.browser.run(drawn, &json!([])).as_f64().expect("a number")
}

/// Lines that are more than text to a careless page.
const HOSTILE: [&str; 8] = [
    "<script>window.pwned = 1</script>",
    "<img src=x onerror='window.pwned = 1'><svg onload=window.pwned=1>",
    "</div></main></body></html><!-- ",
    "javascript:window.pwned=1 &lt;b&gt; &amp; {{title}} {{version}} ${window.pwned=1}",
    "  leading, double  inside, trailing  ",
    "e\u{301}\u{301} and \u{1f469}\u{200d}\u{1f680} as they are",
    "@import url(//evil.example/x.css); body{background:url(http://evil.example/y)}",
    "",
];

/// What hides or changes the order of what is read, and how it is shown.
const HIDING: [(&str, &str); 6] = [
    ("invoice\u{202e}gpj.exe \u{2066}isolate", "invoice⟨RLO⟩gpj.exe ⟨LRI⟩isolate"),
    ("pay\u{200b}pal \u{feff}and \u{ad}more", "pay⟨ZWSP⟩pal ⟨BOM⟩and ⟨SHY⟩more"),
    ("bell \u{7} and \u{7f}, \u{9d}not ended", "bell ⟨BEL⟩ and ⟨DEL⟩, ⟨U+009D⟩not ended"),
    ("\x1b[2J\x1b[Hcleared\x1b]0;title\x07", "cleared"),
    ("\x1b]8;;javascript:window.pwned=1\x1b\\click\x1b]8;;\x1b\\", "click"),
    ("\x1b]8;;data:text/html,<script>1</script>\x1b\\me\x1b]8;;\x1b\\", "me"),
];

fn hostile_lines_are_shown_as_what_they_are(kind: Kind) {
    let title = "<b>builds</b> & 'more' {{title}}";
    let mut reader = Reader::open(kind, &["--title", title]);
    assert_eq!(reader.texts("title, h1"), [title, title]);
    reader.browser.run(WATCH, &json!([]));
    let hiding: Vec<_> = HIDING.iter().map(|(line, _)| *line).collect();
    reader.feed(&([&HOSTILE[..], &hiding].concat().join("\n") + "\n"));
    reader.feed("data: a\revent: gap\rdata: {}\r\r\n{\"__proto__\":{\"x\":\"<b>\"},\"constructor\":\"\u{202e}evil\"}\nthe last\n");
    reader.wait_for_line("the last");
    let texts = reader.texts(".line .text");
    assert_eq!(texts[..HOSTILE.len()], HOSTILE);
    let shown: Vec<_> = HIDING.iter().map(|(_, shown)| *shown).collect();
    assert_eq!(texts[HOSTILE.len()..HOSTILE.len() + HIDING.len()], shown);
    assert!(texts[HOSTILE.len() + HIDING.len()].contains("event: gap"), "a line forges no event: {texts:?}");
    assert!(reader.is("document.querySelectorAll('.gap').length === 0"));
    reader.browser.run("[...document.querySelectorAll('.fold.json')].at(-1).click()", &json!([]));
    reader.wait_for_text(".opened", "\"__proto__\": {");
    reader.wait_for_text(".opened", "⟨RLO⟩evil");
    let lefts = "new Set([...document.querySelectorAll('.line .text')].map((text) => text.getBoundingClientRect().left)).size";
    assert_eq!(reader.value(lefts), 1, "an override stays in its line");
    reader.screenshot("hostile");
    harmless(&reader);
    let taken = reader.shown();
    assert_eq!(taken[HOSTILE.len()], HIDING[0].0, "what is taken along is what was written");
}

fn an_expression_that_never_ends_is_given_up(kind: Kind) {
    let mut reader = Reader::open(kind, &[]);
    let lines: Vec<_> = (0..50).map(|number| format!("{}!{number}\n", "a".repeat(2_000))).collect();
    reader.feed(&lines.concat());
    reader.wait_for_line("aaaa");
    reader.browser.run(WATCH, &json!([]));
    reader.browser.run("location.hash = arguments[0]", &json!(["#q=(a%2B)%2B%24&re=1&only=1"]));
    // What comes meanwhile is shown when it can be, and the page answers all the time.
    reader.feed("and it goes on\n");
    reader.wait_for_text("#found.wrong", "takes too long");
    reader.screenshot("given-up");
    let longest = pause(&reader);
    println!("{kind:?}: the longest pause is {longest:.0} ms");
    assert!(longest < scale(1_000.0, 200.0), "the page does not answer for {longest} ms");
    reader.browser.run("location.hash = arguments[0]", &json!(["#q=a!1&re=1"]));
    reader.wait_for_text("#found", "11");
    reader.press("Escape");
    reader.wait_for_line("and it goes on");
    harmless(&reader);
}

/// Lines that cost a careless page its life, by name: of any size, and of the largest.
fn bombs() -> Vec<(&'static str, String)> {
    const SIZE: usize = 1_000_000; // what is a line by default
    let many = |text: &str| text.repeat(SIZE / text.len());
    vec![
        ("escapes without an end", many("\x1b[")),
        ("one long sequence", format!("\x1b]8;;{}", many("a"))),
        ("returns", many("\r")),
        ("states of a bar", many("50% [====    ]\r")),
        ("brackets", format!("{}{}", many("["), "]".repeat(1_000))),
        ("keys", format!("{{{}\"a\":1}}", many("\"a\":1,"))),
        ("addresses", many("https://a.example/ ")),
        ("one address", format!("https://{}", many("a."))),
        ("overrides", many("\u{202e}")),
        ("accents", format!("e{}", many("\u{301}"))),
        ("backspaces", many("_\u{8}")),
        ("NUL", many("\0")),
        ("emoji that join", many("\u{1f468}\u{200d}")),
        ("levels", many("no error, ")),
        ("blanks before a frame", format!("{}at x", many(" "))),
        ("a trace", format!("\tat {}", many("a.b("))),
        ("10 MiB of digits", many("0123456789").repeat(10)),
        ("10 MiB of colours", many("\x1b[31mx\x1b[0m").repeat(10)),
        ("10 MiB of JSON", format!("{{\"a\":[{}0]}}", many("1,").repeat(10))),
    ]
}

fn nothing_that_a_line_can_hold_stops_the_page(kind: Kind) {
    let mut reader = Reader::open(kind, &["--max-line", "16MiB", "--history", "512MiB"]);
    reader.browser.run(WATCH, &json!([]));
    let mut slow = Vec::new();
    for (name, bomb) in bombs() {
        // A machine that does other things as well stops a page now and then: a page that stops by itself does it each time.
        let pauses: Vec<_> = (0..4)
            .map(|attempt| pause_by(&mut reader, &bomb, &format!("behind {name} {attempt}")).round())
            .take_while(|&pause| pause > scale(1_000.0, 200.0))
            .collect();
        if pauses.len() == 4 {
            slow.push((name, pauses));
        }
    }
    harmless(&reader);
    assert!(slow.is_empty(), "the page does not answer for so many milliseconds: {slow:?}");
}

/// How long the page does not answer because of a line.
fn pause_by(reader: &mut Reader, bomb: &str, behind: &str) -> f64 {
    pause(reader);
    reader.feed(&format!("{bomb}\n{behind}\n"));
    reader.wait_for_line(behind);
    let longest = pause(reader);
    println!("{behind}: {longest:.0} ms");
    longest
}

/// What must not come of any line.
fn harmless(reader: &Reader) {
    let asked = "performance.getEntriesByType('resource').map(({ name }) => new URL(name).origin).filter((origin) => origin !== location.origin)";
    assert_eq!(reader.value(asked), json!([]), "nothing is asked for elsewhere");
    assert_eq!(reader.value("harm.violations"), json!([]));
    let markup = "[...document.querySelectorAll('#log :is(script, img, svg, iframe, object, embed, style, link, form, input)')].map(({ tagName }) => tagName)";
    assert_eq!(reader.value(markup), json!([]));
    let links = "[...document.querySelectorAll('#log a')].map(({ protocol }) => protocol).filter((protocol) => !/^https?:$/.test(protocol))";
    assert_eq!(reader.value(links), json!([]));
    assert!(reader.is("window.pwned === undefined && document.querySelectorAll('#log *').length < 20_000"));
    let console = reader.browser.console();
    assert!(console.is_empty(), "{console:?}");
}
