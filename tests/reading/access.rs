//! For every reader: by keyboard, by ear, with weak eyes, on a phone.

use serde_json::json;

use crate::reader::{Files, Reader};
use crate::scene::strings;
use crate::webdriver::{Kind, Modifier, Theme, in_each_browser};

in_each_browser! {
    everything_can_be_done_with_the_keyboard
    every_key_does_what_the_sheet_says
}

/// What stands in the lines where something is to be pressed or read aloud.
const LINES: &str = "plain\n{\"a\":[1,2]}\nERROR java.lang.IllegalStateException: no more seats\n\tat com.example.Hall.seat(Hall.java:42)\n\tat com.example.Hall.open(Hall.java:7)
WARN \x1b[31mred\x1b[0m and https://example.com/\nzero\u{200b}width\nDEBUG done\n";

/// A name for what has the focus.
const FOCUS: &str = "((at) => at.id || at.dataset.do || at.title || at.className)(document.activeElement)";

/// What can be pressed and is not named, or does not say its state.
const NAMELESS: &str = "
    const name = (element) => element.ariaLabel || element.textContent.trim() || element.title;
    const wrong = [];
    for (const button of document.querySelectorAll('button, [role=button], a[href]')) {
        if (!button.checkVisibility() || button.closest('#plot')) continue;
        if (!/[\\p{L}\\d]/u.test(name(button))) wrong.push(['no name', button.outerHTML]);
        for (const state of ['aria-pressed', 'aria-expanded']) {
            const value = button.getAttribute(state);
            if (value !== null && !['true', 'false'].includes(value)) wrong.push([state, button.outerHTML]);
        }
    }
    for (const field of document.querySelectorAll('input, select')) {
        if (!field.ariaLabel && !field.labels.length) wrong.push(['no label', field.outerHTML]);
    }
    for (const part of document.querySelectorAll('aside, nav, dialog, [role=log], [role=group], [role=search]')) {
        if (!part.ariaLabel && part.role !== 'search') wrong.push(['no label', part.tagName]);
    }
    return wrong";

fn everything_can_be_done_with_the_keyboard(kind: Kind) {
    let mut reader = Reader::open(kind, &[]);
    reader.feed(LINES);
    reader.wait_for_line("DEBUG done");
    reader.browser.run("document.activeElement.blur()", &json!([]));
    // One more would lead out of the page.
    for wanted in ["find", "channels", "plot", "menu", "log", "fold json", "fold trace", "https://example.com/"] {
        reader.press("Tab");
        assert_eq!(reader.value(FOCUS), wanted);
    }

    // What is opened keeps the focus, and what was opened last is closed first.
    reader.browser.run("document.querySelector('.fold.json').focus()", &json!([]));
    for is_open in ["true", "false"] {
        reader.press("Enter");
        reader.wait_until("the other state", &format!("document.querySelector('.fold.json').ariaExpanded === '{is_open}'"));
        assert_eq!(reader.value(FOCUS), "fold json");
    }
    menu_and_help(&reader);
    reader.press("c");
    reader.press("/");
    reader.press("x");
    assert!(reader.is("document.getElementById('text').value === 'x'"), "what is typed is no command");
    assert_eq!(reader.browser.run(NAMELESS, &json!([])), json!([]));
    roles(&reader);
}

fn menu_and_help(reader: &Reader) {
    reader.press("?");
    reader.wait_until("the help", "document.getElementById('help').open");
    let known = strings(&reader.value("[...document.querySelectorAll('#help kbd')].map((key) => key.textContent)"));
    for key in ["f", "/", "n", "N", "esc", "c", "p", "w", "t", "y", "l", "d", "?", "⏎", "j", "k"] {
        assert!(known.iter().any(|name| name == key), "{key} in {known:?}");
    }
    assert!(reader.is("document.getElementById('help').contains(document.activeElement)"), "the keyboard is in the sheet");
    assert_eq!(reader.browser.run(NAMELESS, &json!([])), json!([]));
    reader.screenshot("keys");
    reader.press("Escape");
    reader.wait_until("no help", "!document.getElementById('help').open");

    reader.browser.run("document.querySelector('nav [data-do=menu]').focus()", &json!([]));
    reader.press("Enter");
    reader.wait_until("the menu", "document.querySelector('nav [data-do=menu]').ariaExpanded === 'true'");
    reader.press("Tab");
    assert_eq!(reader.value(FOCUS), "wrap", "the menu follows its button");
    assert_eq!(reader.browser.run(NAMELESS, &json!([])), json!([]));
    reader.press("Escape");
    reader.wait_until("no menu", "document.getElementById('menu').hidden");
    assert_eq!(reader.value("document.querySelector('nav [data-do=menu]').ariaExpanded"), "false");
    reader.browser.press("Tab", &[Modifier::Shift]);
}

fn every_key_does_what_the_sheet_says(kind: Kind) {
    let mut reader = Reader::open(kind, &[]);
    reader.feed_lines(1..=300);
    reader.feed("{\"a\":[1,2.50]}\n");
    reader.wait_for_line("{");
    let at_end = "document.getElementById('follow').hidden";
    for (key, does) in [
        ("w", "document.documentElement.classList.contains('unwrapped')"),
        ("t", "document.documentElement.dataset.times === 'relative'"),
        ("c", "!document.getElementById('channels').hidden"),
        ("p", "!document.getElementById('plot').hidden"),
        ("p", "document.getElementById('plot').hidden"),
        ("k", "document.querySelector('.marked .json') !== null"),
        ("o", "document.querySelector('.opened')?.textContent.includes('2.50')"),
        ("Enter", "document.querySelector('.opened') === null"),
        ("ArrowUp", "document.querySelector('.marked .text').textContent === 'line 300'"),
        ("j", "document.querySelector('.marked .json') !== null"),
        ("Home", "document.querySelector('.line .text').textContent === 'line 1'"),
        ("PageDown", "document.getElementById('log').scrollTop > 300"),
        (" ", "document.getElementById('log').scrollTop > 900"),
        ("f", at_end),
        ("PageUp", "!document.getElementById('follow').hidden"),
        ("End", at_end),
        ("g", "document.getElementById('log').scrollTop === 0"),
        ("/", "document.activeElement.id === 'text'"),
    ] {
        reader.press(key);
        reader.wait_until(&format!("what `{key}` does"), does);
    }
    reader.browser.type_text("line 2");
    reader.wait_for_text("#found", "111");
    reader.press("Tab");
    reader.browser.run("document.activeElement.blur()", &json!([]));
    for (key, found) in [("N", "111 of 111"), ("n", "1 of 111"), ("N", "111 of 111"), ("N", "110 of 111")] {
        reader.press(key);
        reader.wait_for_text("#found", found);
    }
    reader.press("x");
    reader.wait_until("only matches", "document.getElementById('only').checked && location.hash.includes('only=1')");
    reader.press("Escape");
    reader.wait_until("no bar", "document.getElementById('find').hidden");
}

/// What somebody is told who does not see the page.
fn roles(reader: &Reader) {
    let said = "({
        log: document.getElementById('log').getAttribute('role'),
        live: document.getElementById('log').ariaLive,
        state: document.getElementById('state').getAttribute('role'),
        notice: document.getElementById('notice').getAttribute('role'),
        said: document.getElementById('said').getAttribute('role'),
        found: document.getElementById('found').getAttribute('role'),
        language: document.documentElement.lang,
        headings: document.querySelectorAll('h1').length,
        ids: new Set([...document.querySelectorAll('[id]')].map(({ id }) => id)).size === document.querySelectorAll('[id]').length,
    })";
    let wanted = json!({
        "log": "log", "live": "polite", "state": "status", "notice": "status", "said": "status", "found": "status",
        "language": "en", "headings": 1, "ids": true,
    });
    reader.wait_until("that lines are read aloud", "document.getElementById('log').ariaLive === 'polite'");
    assert_eq!(reader.value(said), wanted);
}

/// The contrast of what is read with what is behind it, by the Web Content Accessibility Guidelines: the texts and classes where it is
/// below the wanted one. What is behind is the nearest background that is not clear; what is half clear lies on the next one.
const FAINT: &str = "
    const parse = (colour) => {
        const [red, green, blue, alpha = 1] = colour.match(/[\\d.]+/g).map(Number);
        return colour.startsWith('color(srgb') ? [red * 255, green * 255, blue * 255, alpha] : [red, green, blue, alpha];
    };
    const over = ([r, g, b, a], back) => [r, g, b].map((part, at) => part * a + back[at] * (1 - a));
    const behind = (element) => {
        if (!element) return [255, 255, 255];
        const own = parse(getComputedStyle(element).backgroundColor);
        return own[3] === 1 ? own.slice(0, 3) : over(own, behind(element.parentElement));
    };
    const light = (colour) => {
        const [r, g, b] = colour.map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const opacity = (element) => (element ? Number(getComputedStyle(element).opacity) * opacity(element.parentElement) : 1);
    const contrast = (element) => {
        const back = behind(element);
        const [r, g, b, a] = parse(getComputedStyle(element).color);
        const [one, other] = [light(over([r, g, b, a * opacity(element)], back)), light(back)].sort((x, y) => y - x);
        return (one + 0.05) / (other + 0.05);
    };
    const holds = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    return [...document.querySelectorAll('body *')]
        .filter((element) => holds(element) && element.checkVisibility() && !element.closest('#plot, .dim, .hidden, noscript, option'))
        .map((element) => [Number(contrast(element).toFixed(2)), `${element.tagName}.${element.className} in ${element.parentElement.className}`, element.textContent.slice(0, 30)])
        .filter(([value]) => value < arguments[0])";

/// Fills a row with everything that has a colour.
const COLOURS: &str = "
    const rows = document.querySelector('.rows');
    const row = (name, html) => {
        const element = rows.appendChild(document.createElement('div'));
        element.className = `row line ${name}`;
        const when = element.appendChild(document.createElement('a'));
        when.className = 'when';
        when.textContent = '12:00:00.000';
        const text = element.appendChild(document.createElement('span'));
        text.className = 'text';
        for (const part of html) {
            const span = text.appendChild(document.createElement(part === 'mark' ? 'mark' : 'span'));
            span.className = part === 'mark' ? '' : part;
            span.textContent = ` ${part} `;
        }
    };
    const colours = [...Array(16).keys()].flatMap((n) => [`fg-${n}`, `bg-${n}`]);
    const hues = [...Array(8).keys()].map((n) => `hue${n} channel`);
    const json = ['key', 'string', 'number', 'word', 'mark'].map((kind) => `json-${kind}`);
    for (const name of ['', 'level-warn', 'level-error', 'level-debug', 'level-fatal', 'stderr', 'marked', 'gap', 'end', 'run']) {
        row(name, ['mark', 'sign', 'link', 'fold', ...(name.startsWith('level-e') || !name ? [...colours, ...json] : [])]);
    }
    row('', hues);
    document.documentElement.classList.add('many');
    for (const id of ['menu', 'notice', 'follow', 'find', 'channels']) document.getElementById(id).hidden = false;
    document.getElementById('notice').textContent = 'a notice';
    document.getElementById('follow').textContent = 'follow'";

#[test]
fn what_is_read_stands_out_in_both_themes() {
    let files = Files::new(&["web", "db"]);
    let reader = Reader::open(Kind::Chromium, &["--from", "start", &files.source("web"), &files.source("db")]);
    files.write("web", LINES);
    reader.wait_for_line("DEBUG done");
    reader.press("c");
    reader.wait_for_text("#channels .name", "web");
    reader.browser.run(COLOURS, &json!([]));
    let mut faint = Vec::new();
    for theme in [Theme::Dark, Theme::Light] {
        reader.browser.prefer(theme);
        for state in ["live", "catching-up", "reconnecting", "refused", "busy", "ended"] {
            reader.browser.run("document.documentElement.dataset.state = arguments[0]", &json!([state]));
            let found = reader.browser.run(FAINT, &json!([4.5]));
            faint.extend(found.as_array().expect("a list").iter().map(|one| format!("{theme:?} {state}: {one}")));
        }
    }
    faint.sort();
    assert!(faint.is_empty(), "below 4.5:\n{}", faint.join("\n"));
}

/// What is wider than the screen, or too low for a finger.
const CLUMSY: &str = "
    const wrong = [];
    if (document.documentElement.scrollWidth > innerWidth) wrong.push(['the page', document.documentElement.scrollWidth]);
    for (const element of document.querySelectorAll('body *')) {
        if (!element.checkVisibility() || element.closest('svg, .unseen, #plot')) continue;
        const { left, right, height } = element.getBoundingClientRect();
        if (right > innerWidth + 0.5 || left < -0.5) wrong.push(['too wide', element.outerHTML.slice(0, 120), left, right]);
        if (arguments[0] && element.matches('button, select, input:not([type=checkbox]), label:has([type=checkbox]), #menu a') && !element.closest('.text') && height < 36) {
            wrong.push(['too low', element.outerHTML.slice(0, 120), height]);
        }
    }
    return wrong";

#[test]
fn a_phone_is_wide_and_a_finger_fine_enough() {
    let files = Files::new(&["web", "a/rather/long/name/of/a/channel/that/does/not/fit.log"]);
    let sources = ["web", "a/rather/long/name/of/a/channel/that/does/not/fit.log"].map(|name| files.source(name));
    let reader = Reader::open(
        Kind::Chromium,
        &["--from", "start", "--title", "a rather long title of a page · build.example", &sources[0], &sources[1]],
    );
    reader.browser.touch();
    reader.browser.resize(400, 800);
    assert!(reader.is("matchMedia('(pointer: coarse)').matches && innerWidth === 400"));
    files.write("web", &format!("{LINES}{}\n", "wide".repeat(100)));
    files.write("a/rather/long/name/of/a/channel/that/does/not/fit.log", include_str!("../webdriver/sample.log"));
    reader.wait_for_text(".line .text", "listening on");
    let clumsy = |what: &str| assert_eq!(reader.browser.run(CLUMSY, &json!([true])), json!([]), "{what}");
    clumsy("the lines");
    reader.screenshot("phone");
    reader.browser.click("nav [data-do=menu]");
    reader.wait_until("the menu", "!document.getElementById('menu').hidden");
    clumsy("the menu");
    reader.screenshot("phone-menu");
    reader.press("Escape");
    reader.browser.click("nav [data-do=channels]");
    reader.wait_for_text("#channels .name", "web");
    clumsy("the channels");
    reader.screenshot("phone-channels");
    reader.browser.click("nav [data-do=channels]");
    reader.browser.click("nav [data-do=find]");
    reader.browser.type_text("e");
    reader.browser.click("label:has(#only)");
    reader.wait_until("the context", "!document.getElementById('context-of').hidden");
    clumsy("the bar");
    reader.screenshot("phone-finding");
    reader.press("Escape");
    reader.press("?");
    reader.wait_until("the help", "document.getElementById('help').open");
    clumsy("the help");
    reader.screenshot("phone-help");
}
