use serde_json::json;

use crate::scene::Page;
use crate::webdriver::{Kind, in_each_browser};

in_each_browser! {
    hostile_lines_are_text_and_nothing_else
    enormous_lines_and_sequences_cost_little
}

/// What must not come of any line.
fn assert_harmless(page: &Page) {
    assert!(page.is("window.pwned === undefined"), "no script of a line runs");
    assert!(page.is("violations.length === 0"), "and none is tried");
    let markup = "document.querySelectorAll('#log :is(script, img, svg, iframe, object, style)').length === 0";
    assert!(page.is(markup), "no markup");
    let links = "[...document.querySelectorAll('#log a')].every((link) => ['http:', 'https:'].includes(link.protocol))";
    assert!(page.is(links), "no link but to pages");
    let outside = "performance.getEntriesByType('resource').every(({ name }) => new URL(name).origin === location.origin)";
    assert!(page.is(outside), "nothing is asked for elsewhere");
}

fn watch(page: &Page) {
    let script =
        "window.violations = []; addEventListener('securitypolicyviolation', (event) => violations.push(event.blockedURI))";
    page.browser.run(script, &json!([]));
}

fn hostile_lines_are_text_and_nothing_else(kind: Kind) {
    let lines = [
        "<script>window.pwned = 1</script>",
        "<img src=x onerror='window.pwned = 1'><svg onload=window.pwned=1>",
        "</div></main></body></html><!-- ",
        "javascript:window.pwned=1 &lt;b&gt; &amp; {{title}} {{version}} ${window.pwned=1}",
        "e\u{301}\u{301} ok",
        "  leading, double  inside, trailing  ",
    ];
    let title = "<b>builds</b> & 'more' {{title}}";
    let mut page = Page::open(kind, &["--title", title]);
    assert_eq!(page.texts("title, h1"), [title, title]);
    watch(&page);
    page.feed(&(lines.join("\n") + "\n"));
    page.feed("\x1b]8;;javascript:window.pwned=1\x1b\\click\x1b]8;;\x1b\\ \x1b]8;;https://example.com/a\x1b\\here\x1b]8;;\x1b\\\n");
    page.feed("data: a\revent: gap\rdata: {}\r\r\n");
    page.feed("invoice\u{202e}gpj.exe \u{2066}isolate, \u{200b}no width, \u{7}bell, \x1b[2Jclear\n");
    page.feed("{\"__proto__\":{\"x\":\"<b>\"},\"constructor\":\"\u{202e}evil\"}\n");
    page.feed("the last\n");
    page.wait_for_line("the last");
    let texts = page.texts(".line .text");
    assert_eq!(texts[..lines.len()], lines);
    assert_eq!(texts[lines.len()], "click here");
    assert!(texts[lines.len() + 2].starts_with("invoice⟨RLO⟩gpj.exe ⟨LRI⟩isolate, ⟨ZWSP⟩no width, ⟨BEL⟩bell, clear"), "{texts:?}");
    page.browser.run("[...document.querySelectorAll('.fold.json')].at(-1).click()", &json!([]));
    page.wait_for_text(".opened", "__proto__");
    page.wait_for_text(".opened", "⟨RLO⟩evil");
    assert_harmless(&page);
    page.screenshot("hostile");
    let lefts =
        "new Set([...document.querySelectorAll('.line .text')].map((text) => text.getBoundingClientRect().left)).size === 1";
    assert!(page.is(lefts), "a bidi override stays in its line");
    let console = page.browser.console();
    assert!(!console.iter().any(|message| message.contains("Content Security Policy")), "{console:?}");
}

fn enormous_lines_and_sequences_cost_little(kind: Kind) {
    let mut page = Page::open(kind, &["--max-line", "16MiB"]);
    watch(&page);
    page.feed(&format!("{}\n", "0123456789".repeat(1 << 20)));
    page.feed(&format!("bomb {}\n", "\x1b[31mx\x1b[0m".repeat(100_000)));
    page.feed(&format!("{}\n", "\x1b[".repeat(200_000)));
    page.feed(&format!("{}{}\n", "[".repeat(100_000), "]".repeat(100_000)));
    page.feed(&format!("zalgo {}\n", "e\u{301}".repeat(20).replace('e', "")));
    page.feed("the last\n");
    page.wait_for_line("the last");
    page.wait_for_text(".fold.more", "more characters");
    let frames = "return new Promise((done) => { const began = performance.now();
        requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - began))) })";
    let took = page.browser.run(frames, &json!([])).as_f64().unwrap();
    assert!(took < 500.0, "two frames take {took} ms");
    assert!(page.is("document.querySelectorAll('#log *').length < 5000"), "few elements");
    page.browser.click(".fold.more");
    page.wait_until("more of it", "document.querySelector('.line .text').textContent.length > 20000");
    assert_harmless(&page);
}
