//! The list of channels: rates, what is unread, and which of them are shown.

use serde_json::json;

use crate::reader::{Files, Reader};
use crate::webdriver::{Kind, in_each_browser};

in_each_browser! {
    channels_are_chosen_one_several_or_all
}

/// The names of the channels in the list, in its order.
const NAMES: &str = "[...document.querySelectorAll('#channels .one')].map((one) => one.dataset.channel)";

/// Whether these channels are the chosen ones, by the look of the list.
fn wait_for_chosen(reader: &Reader, names: &[&str]) {
    let pressed = "[...document.querySelectorAll('#channels .one[aria-pressed=true]')].map((one) => one.dataset.channel)";
    let what = format!("{names:?} chosen");
    reader.wait_until(&what, &format!("{pressed}.join() === {}", json!(names.join(","))));
    reader.wait_until(&what, &format!("document.querySelector('#channels .all').ariaPressed === '{}'", names.is_empty()));
}

/// What stands beside a channel's name.
fn beside(reader: &Reader, name: &str, part: &str) -> String {
    let script = "return document.querySelector(`#channels [data-channel='${arguments[0]}'] .${arguments[1]}`).textContent";
    reader.browser.run(script, &json!([name, part])).as_str().expect("a text").to_owned()
}

fn wait_for_unread(reader: &Reader, name: &str, count: &str) {
    let unread = format!("document.querySelector(`#channels [data-channel='{name}'] .unread`).textContent === '{count}'");
    reader.wait_until(&format!("{count} unread of {name}"), &unread);
}

fn channels_are_chosen_one_several_or_all(kind: Kind) {
    let files = Files::new(&["a.log", "b.log"]);
    let glob = format!("logs={}/*.log", files.path("a.log").parent().expect("a directory").display());
    let reader = Reader::open(kind, &["--from", "start", &glob]);
    files.write("a.log", "a one\na two\n");
    files.write("b.log", "b one\n");
    reader.wait_for_text("#lines", "3 lines");
    reader.press("c");
    assert_eq!(reader.value(NAMES), json!(["logs/a.log", "logs/b.log"]));
    assert!(reader.is("document.querySelector('nav [data-do=channels]').ariaPressed === 'true'"));
    wait_for_chosen(&reader, &[]);

    // A new one appears by itself.
    files.write("c.log", "c one\n");
    reader.wait_for_text("#channels", "logs/c.log");
    reader.wait_for_line("c one");

    one_or_several(&reader, &files);
    unread_and_rates(&reader, &files);
    reader.screenshot("several-channels");
    reader.browser.click("#channels .all");
    wait_for_chosen(&reader, &[]);
    reader.wait_for_text("#lines", "107 lines");
    assert_eq!(reader.value("location.hash"), "");
    wait_for_unread(&reader, "logs/c.log", "");
}

fn one_or_several(reader: &Reader, files: &Files) {
    reader.browser.click("#channels [data-channel='logs/b.log']");
    wait_for_chosen(reader, &["logs/b.log"]);
    reader.wait_for_line("b one");
    assert_eq!(reader.shown(), ["b one"]);
    files.write("a.log", "a three\n");
    wait_for_unread(reader, "logs/a.log", "1");
    assert_eq!(reader.shown(), ["b one"], "what is not chosen does not appear");
    assert_eq!(reader.value("location.hash"), "#channel=logs/b.log");
    let history = reader.value("document.getElementById('history').href");
    assert!(history.as_str().is_some_and(|link| link.contains("channel=logs%2Fb.log")), "{history}");

    // One more, by mouse or finger, and by the keyboard.
    reader.browser.click("#channels li:has([data-channel='logs/a.log']) .also");
    wait_for_chosen(reader, &["logs/a.log", "logs/b.log"]);
    reader.wait_for_line("a three");
    assert_eq!(reader.shown(), ["a one", "a two", "b one", "a three"]);
    wait_for_unread(reader, "logs/a.log", "");
    reader.browser.run("document.querySelector(`#channels [title='logs/b.log as well']`).focus()", &json!([]));
    reader.press("Enter");
    wait_for_chosen(reader, &["logs/a.log"]);
    reader.press("Enter");
    wait_for_chosen(reader, &["logs/a.log", "logs/b.log"]);
}

fn unread_and_rates(reader: &Reader, files: &Files) {
    let lines = (1..=100).map(|number| format!("c {number}\n")).collect::<Vec<_>>().concat();
    files.write("c.log", &format!("{lines}ERROR of c\nc last\n"));
    wait_for_unread(reader, "logs/c.log", "102");
    let is_alarmed = "document.querySelector(`#channels [data-channel='logs/c.log']`).classList.contains('alarmed')";
    reader.wait_until("that an error is among them", is_alarmed);
    reader.wait_until(
        "a rate",
        "/^\\d+(\\.\\d)?\\/s$/.test(document.querySelector(`#channels [data-channel='logs/c.log'] .rate`).textContent)",
    );
    assert_eq!(beside(reader, "logs/b.log", "unread"), "");
}
