//! What the reader takes along: what is shown or the whole history as a file, lines without decoration in the clipboard, links.

use serde_json::json;

use crate::harness::Bridge;
use crate::reader::{Files, Reader};
use crate::scene::{assert_same, numbered};
use crate::webdriver::{Kind, Modifier, in_each_browser};

in_each_browser! {
    what_is_shown_or_the_whole_history_comes_as_a_file
    lines_are_copied_as_they_were_written
}

/// Has what is copied come to `window.copied`, whichever way it takes.
const COPY: &str = "
    window.copied = null;
    navigator.clipboard.writeText = arguments[0] ? async (text) => { window.copied = text; } : async () => { throw new Error('not here'); };
    document.execCommand = () => {
        window.copied = document.activeElement.value;
        return true;
    }";

fn lines_are_copied_as_they_were_written(kind: Kind) {
    let mut reader = Reader::open(kind, &[]);
    let lines = ["one \x1b[31mred\x1b[0m", "{\"a\":1}", "  indented\ttab", "invoice\u{202e}gpj.exe", "four"];
    reader.feed(&(lines.join("\n") + "\n"));
    reader.wait_for_line("four");
    let plain = "one red\n{\"a\":1}\n  indented\ttab\ninvoice\u{202e}gpj.exe";
    for has_clipboard in [true, false] {
        reader.browser.run(COPY, &json!([has_clipboard]));
        reader.press("Escape");
        reader.press("k"); // the last line
        reader.press("k");
        for _ in 0..3 {
            reader.browser.press("ArrowUp", &[Modifier::Shift]);
        }
        assert_eq!(reader.value("document.querySelectorAll('.marked').length"), 4);
        reader.press("y");
        reader.wait_for_text("#said", "copied 4 lines");
        assert_eq!(reader.value("copied"), plain);
        reader.browser.run("document.getElementById('said').textContent = ''", &json!([]));
    }
    // The browser's own copying takes them as well, unless something is selected.
    let copied = "const event = new ClipboardEvent('copy', { clipboardData: new DataTransfer(), bubbles: true, cancelable: true });
        document.body.dispatchEvent(event);
        return [event.defaultPrevented, event.clipboardData.getData('text/plain')]";
    assert_eq!(reader.browser.run(copied, &json!([])), json!([true, plain]));
    reader.browser.run("getSelection().selectAllChildren(document.querySelector('.line .text'))", &json!([]));
    assert_eq!(reader.browser.run(copied, &json!([]))[0], false);

    reader.browser.run(
        "getSelection().removeAllRanges(); navigator.clipboard.writeText = async (text) => { window.copied = text }",
        &json!([]),
    );
    reader.press("l");
    reader.wait_for_text("#said", "copied the link");
    assert_eq!(reader.value("copied === location.href && copied.includes('#at=')"), true);
    reader.press("Escape");
    reader.press("y");
    reader.wait_for_text("#said", "mark lines first");
}

fn what_is_shown_or_the_whole_history_comes_as_a_file(kind: Kind) {
    let files = Files::new(&["web", "db"]);
    files.write("web", &String::from_utf8(numbered(1..=1_500)).expect("it is text"));
    files.write("db", "\x1b[1mof db\x1b[0m\n");
    let bridge = Bridge::start(&["--from", "start", "--title", "a/b: \"c\"", &files.source("web"), &files.source("db")]);
    bridge.get("/events?tail=all").events(1_501);
    let reader = Reader::at(kind, bridge, "");
    reader.wait_for_state("live");
    reader.wait_for_text("#lines", "1,000 lines");
    let name = "HTMLAnchorElement.prototype.click = function () { window.named = this.download };
        document.querySelector('[data-do=download]').dispatchEvent(new MouseEvent('click', { bubbles: true }))";
    reader.browser.run(name, &json!([]));
    reader.wait_until("the name of the file", "window.named === 'a-b-c-.txt'");
    let shown = reader.shown();
    assert!(shown.contains(&"of db".to_owned()) || shown.len() == 1_000, "{}", shown.len());

    let history = |reader: &Reader| -> Vec<String> {
        let script = "return fetch(document.getElementById('history').href).then((answer) => answer.text())";
        let text = reader.browser.run(script, &json!([]));
        text.as_str().expect("a text").lines().map(ToOwned::to_owned).collect()
    };
    assert!(
        reader.is(
            "document.getElementById('history').download !== null && document.getElementById('history').hasAttribute('download')"
        )
    );
    let whole = history(&reader);
    assert_eq!(whole.len(), 1_501, "more than the page holds");
    reader.press("c");
    reader.browser.click("#channels [data-channel=web]");
    reader.wait_until("one channel", "location.hash === '#channel=web'");
    let expected: Vec<_> = (1..=1_500).map(|number| format!("line {number}")).collect();
    assert_same("the history of one channel", &history(&reader), &expected);

    reader.browser.click("[data-do=menu]");
    reader.wait_until("the menu", "document.querySelector('[data-do=menu]').ariaExpanded === 'true'");
    reader.screenshot("menu");
}
