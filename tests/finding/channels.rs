use std::fs::{self, File, OpenOptions};
use std::io::Write;

use tempfile::TempDir;

use crate::harness::Bridge;
use crate::scene::Page;
use crate::webdriver::{Kind, in_each_browser};

in_each_browser! {
    channels_have_colours_rates_and_counts_and_are_chosen
}

/// Logs of one directory, each a channel.
struct Logs {
    root: TempDir,
}

impl Logs {
    fn new(names: &[&str]) -> Self {
        let root = tempfile::tempdir().unwrap();
        for name in names {
            File::create(root.path().join(format!("{name}.log"))).unwrap();
        }
        Self { root }
    }

    fn bridge(&self) -> Bridge {
        Bridge::start(&["--from", "start", &format!("x={}/*.log", self.root.path().display())])
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.root.path().join(format!("{name}.log"));
        OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
    }
}

fn channels_have_colours_rates_and_counts_and_are_chosen(kind: Kind) {
    let logs = Logs::new(&["a", "b"]);
    logs.write("a", "a1\na2\n");
    let page = Page::before(kind, logs.bridge());
    page.wait_for_line("a2");
    logs.write("b", "b1\n");
    page.wait_for_line("b1");
    let hues = "new Set([...document.querySelectorAll('.row .channel')].map((label) => getComputedStyle(label).color)).size";
    assert!(page.is(&format!("{hues} === 2")), "two colours");
    page.browser.press("c", &[]);
    page.wait_for_text("#channels .one", "x/a.log");
    page.browser.click(".one[data-channel='x/a.log']");
    page.wait_until(
        "only the lines of a",
        "[...document.querySelectorAll('.line .text')].map((text) => text.textContent).join() === 'a1,a2'",
    );
    logs.write("b", "b2\nERROR b3\n");
    page.wait_for_text(".one[data-channel='x/b.log'] .unread", "2");
    page.wait_until("an alarm", "document.querySelector(\".one[data-channel='x/b.log']\").classList.contains('alarmed')");
    page.wait_for_text(".one[data-channel='x/b.log'] .rate", "/s");
    logs.write("a", "a3\n");
    page.wait_for_line("a3");
    page.screenshot("channels");

    // A new one appears by itself; several are chosen with a modifier.
    logs.write("c", "c1\n");
    page.wait_for_text("#channels .one", "x/c.log");
    let click = "document.querySelector(\".one[data-channel='x/c.log']\").dispatchEvent(new MouseEvent('click', { bubbles: true, ctrlKey: true }))";
    page.browser.run(click, &serde_json::json!([]));
    page.wait_until(
        "a and c",
        "[...document.querySelectorAll('.line .text')].map((text) => text.textContent).join() === 'a1,a2,a3,c1'",
    );
    assert!(page.value("location.hash").as_str().unwrap().contains("channel=x/a.log&channel=x/c.log"));
    page.browser.click("#channels .all");
    page.wait_until("all", "document.querySelectorAll('.line').length === 7");
    fs::remove_file(logs.root.path().join("c.log")).unwrap();
}
