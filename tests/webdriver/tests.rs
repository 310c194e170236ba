//! The harness's own tests: both browsers do what is asked of them, and leave nothing behind.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, TcpListener},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use nix::sys::signal::killpg;
use serde_json::{Value, json};

use crate::webdriver::{Browser, Kind, Modifier, Tab, Theme, in_each_browser, processes::Processes};

in_each_browser! {
    scripts_run_in_the_page_and_wait_there
    keys_and_mouse_are_real
    the_window_is_what_it_is_made
    tabs_are_in_front_or_behind
    the_console_is_heard_and_the_network_goes
    nothing_is_left_of_a_browser
}

/// Serves one page for every request, until the tests are over; gives its address.
fn serve() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
    let port = listener.local_addr().expect("a listener has an address").port();
    thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut request = BufReader::new(&socket).lines().map_while(Result::ok);
                if request.any(|line| line.is_empty()) {
                    let page = include_str!("tests.html");
                    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n";
                    let policy = "Content-Security-Policy: img-src 'none'\r\n";
                    let _ = write!(socket, "{head}{policy}Content-Length: {}\r\n\r\n{page}", page.len());
                }
            });
        }
    });
    format!("http://127.0.0.1:{port}/")
}

fn open(kind: Kind) -> Browser {
    let browser = Browser::start(kind);
    browser.open(&serve());
    browser
}

/// The message of the panic of something that must panic.
fn complaint(work: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(work)).expect_err("it must panic");
    panic.downcast_ref::<String>().cloned().unwrap_or_default()
}

fn scripts_run_in_the_page_and_wait_there(kind: Kind) {
    let browser = open(kind);
    assert_eq!(browser.run("return [arguments[0] + 1, 'a\u{2028}b', null]", &json!([41])), json!([42, "a\u{2028}b", null]));
    assert_eq!(browser.run("document.title = arguments[0] // no value", &json!(["</script>'\""])), Value::Null);
    assert_eq!(browser.run("return document.title", &json!([])), "</script>'\"");
    let promise = "return new Promise((done) => setTimeout(done, 20, 'later'))";
    assert_eq!(browser.run(promise, &json!([])), "later");
    let thrown = complaint(|| _ = browser.run("null.x", &json!([])));
    assert!(thrown.contains("TypeError") && thrown.contains("null.x"), "{thrown}");

    browser.run("setTimeout(() => { window.there = [7] }, 100)", &json!([]));
    assert_eq!(browser.wait("seven", "return window.there", &json!([])), json!([7]));
    // Also in a page that is loaded anew meanwhile.
    browser.run("setTimeout(() => location.assign('?again'), 50)", &json!([]));
    browser.wait("the page again", "return location.search === '?again' && window.seen", &json!([]));

    let wait = || _ = browser.wait_for(Duration::from_millis(200), &browser.current(), "a wonder", "return false", &json!([]));
    let missed = complaint(wait);
    assert!(missed.contains("a wonder") && missed.contains("`ready`") && missed.contains("a word for people"), "{missed}");
    let thrown = complaint(|| _ = browser.wait("a fault", "return missing.x", &json!([])));
    assert!(thrown.contains("ReferenceError"), "{thrown}");
}

fn keys_and_mouse_are_real(kind: Kind) {
    let browser = open(kind);
    keys_arrive_as_from_a_keyboard(&browser);
    a_text_is_typed_into_a_field(&browser);
    the_mouse_is_dragged(&browser);

    browser.wheel(0, 400);
    browser.wait("the scrolled page", "return scrollY === 400", &json!([]));
    assert_eq!(browser.run("return seen.wheel", &json!([])), json!([0, 400, true]));
    browser.press("End", &[]);
    let is_at_end = "return document.documentElement.scrollHeight - innerHeight - scrollY < 2";
    browser.wait("the end of the page", is_at_end, &json!([]));
}

fn keys_arrive_as_from_a_keyboard(browser: &Browser) {
    browser.press("k", &[Modifier::Control]);
    browser.press("?", &[]);
    browser.press("Escape", &[]);
    browser.press("1", &[Modifier::Alt, Modifier::Meta]);
    let wanted = [
        "Control ControlLeft ctrlKey true",
        "k KeyK ctrlKey true",
        "Shift ShiftLeft shiftKey true",
        "? Slash shiftKey true",
        "Escape Escape true",
        "Alt AltLeft altKey true",
        "Meta MetaLeft altKey metaKey true",
        "1 Digit1 altKey metaKey true",
    ];
    let keys = browser.wait("all keys", "return seen.keys.length >= arguments[0] && seen.keys", &json!([wanted.len()]));
    assert_eq!(keys, json!(wanted));
}

fn a_text_is_typed_into_a_field(browser: &Browser) {
    browser.click("#button");
    browser.wait("the click", "return seen.clicks === 1", &json!([]));
    browser.click("#field");
    browser.type_text("Hi, \u{e4} (1)");
    browser.wait("the text", "return document.getElementById('field').value === 'Hi, \u{e4} (1)'", &json!([]));
    browser.press("a", &[Modifier::Control]);
    browser.press("Backspace", &[]);
    browser.wait("no text", "return document.getElementById('field').value === ''", &json!([]));
    browser.run("document.activeElement.blur()", &json!([]));
}

fn the_mouse_is_dragged(browser: &Browser) {
    let top = browser.run("return document.getElementById('pad').getBoundingClientRect().top", &json!([]));
    let top = top.as_f64().expect("a number");
    browser.drag((20.0, top + 10.0), (220.0, top + 60.0));
    let drags = browser.wait("the end of the drag", "return seen.drags.at(-1)?.[0] === 'mouseup' && seen.drags", &json!([]));
    let drags = drags.as_array().expect("a list");
    assert!(drags.iter().any(|drag| drag[0] == "mousedown" && drag[1] == 20), "{drags:?}");
    assert!(drags.iter().any(|drag| drag[0] == "mousemove" && drag[1] == 140 && drag[3] == 1), "{drags:?}");
    assert_eq!(drags.last().map(|drag| &drag[1]), Some(&json!(220)));
}

fn the_window_is_what_it_is_made(kind: Kind) {
    let browser = open(kind);
    let size = "return [innerWidth, innerHeight, devicePixelRatio]";
    assert_eq!(browser.run(size, &json!([])), json!([1100, 720, 1]));
    let is_dark = "return matchMedia('(prefers-color-scheme: dark)').matches";
    for (theme, expected) in [(Theme::Dark, true), (Theme::Light, false), (Theme::Dark, true)] {
        browser.prefer(theme);
        assert_eq!(browser.run(is_dark, &json!([])), expected, "{theme:?}");
    }
    let directory = tempfile::tempdir().expect("there is room for a directory");
    let path = directory.path().join("pictures/one.png");
    for (width, height) in [(360, 640), (1100, 720)] {
        browser.resize(width, height);
        browser.wait("its size", "return innerWidth === arguments[0] && innerHeight === arguments[1]", &json!([width, height]));
        browser.screenshot(&path);
        let picture = fs::read(&path).expect("there is a picture");
        assert_eq!(&picture[..8], b"\x89PNG\r\n\x1a\n");
        assert_eq!(picture[16..24], [width.to_be_bytes(), height.to_be_bytes()].concat());
    }
    let first = browser.current();
    browser.new_tab(&serve());
    assert_eq!(browser.run(size, &json!([])), json!([1100, 720, 1]), "a new tab has the same size");
    assert_eq!(browser.run(is_dark, &json!([])), true, "and the same theme");
    browser.resize(800, 600);
    browser.switch(&first);
    browser.wait("the new size", "return innerWidth === 800 && innerHeight === 600", &json!([]));
}

fn tabs_are_in_front_or_behind(kind: Kind) {
    let browser = open(kind);
    let first = browser.current();
    let second = browser.new_tab(&serve());
    let is_seen = "return document.visibilityState === arguments[0]";
    assert_eq!(browser.tabs().len(), 2);
    assert_eq!(browser.current(), second);
    browser.wait("itself in front", is_seen, &json!(["visible"]));
    browser.wait_in(&first, "itself behind", is_seen, &json!(["hidden"]));
    browser.switch(&first);
    browser.wait("itself in front", is_seen, &json!(["visible"]));
    browser.wait_in(&second, "itself behind", is_seen, &json!(["hidden"]));
    browser.wait("the focus", "return document.hasFocus()", &json!([]));
    if kind == Kind::Chromium {
        a_frozen_tab_stands_still(&browser, &second);
    } else {
        assert_eq!(complaint(|| browser.freeze(&second)), "Firefox cannot freeze a page");
    }

    browser.close(&first);
    assert_eq!(browser.tabs(), std::slice::from_ref(&second));
    assert_eq!(browser.current(), second);
    browser.wait("itself in front", is_seen, &json!(["visible"]));
    browser.open(&serve());
    browser.wait("a page that runs", "return seen.ticks > 2", &json!([]));
}

fn a_frozen_tab_stands_still(browser: &Browser, tab: &Tab) {
    let ticks = || browser.run_in(tab, "return seen.ticks", &json!([])).as_u64().expect("a number");
    browser.freeze(tab);
    let before = ticks();
    thread::sleep(Duration::from_millis(1200)); // a tab behind ticks once in a second
    assert_eq!(ticks(), before, "nothing runs");
    browser.thaw(tab);
    browser.wait_in(tab, "the next tick", "return seen.ticks > arguments[0]", &json!([before]));
}

fn the_console_is_heard_and_the_network_goes(kind: Kind) {
    let browser = open(kind);
    browser.console();
    let script = "
        console.log('said', 1);
        console.error('cried');
        setTimeout(() => { throw new Error('thrown'); });
        const image = new Image();
        image.src = '/image.png';
        return new Promise((done) => { image.onerror = () => setTimeout(done, 50); });";
    browser.run(script, &json!([]));
    let (mut said, deadline) = (browser.console(), Instant::now() + Duration::from_secs(10));
    while said.len() < 4 && Instant::now() < deadline {
        said.extend(browser.console());
    }
    for wanted in ["said 1", "cried", "Error: thrown", "Content"] {
        assert!(said.iter().any(|line| line.contains(wanted)), "{wanted} in {said:?}");
    }
    assert_eq!(browser.console(), Vec::<String>::new(), "nothing is told twice");

    let fetch = "return fetch('/').then(() => 'ok', () => 'failed')";
    for (is_offline, event, answer) in [(true, "offline", "failed"), (false, "online", "ok")] {
        browser.offline(is_offline);
        let is_told = "return seen.network === arguments[0] && navigator.onLine === (arguments[0] === 'online')";
        browser.wait(event, is_told, &json!([event]));
        assert_eq!(browser.run(fetch, &json!([])), answer);
    }
    if kind == Kind::Chromium {
        the_processor_is_slowed(&browser);
        what_a_page_holds_is_counted(&browser);
    }
}

fn the_processor_is_slowed(browser: &Browser) {
    let count = "
        const began = performance.now();
        for (let i = 0; i < 2e7; i += 1) Math.sqrt(i);
        return performance.now() - began;";
    let milliseconds = || browser.run(count, &json!([])).as_f64().expect("a number");
    let quick = milliseconds().min(milliseconds());
    browser.cpu_throttle(10.0);
    let slow = milliseconds();
    browser.cpu_throttle(1.0);
    assert!(slow > 2.0 * quick, "{quick} ms, then {slow} ms");
}

fn what_a_page_holds_is_counted(browser: &Browser) {
    let before = browser.metrics();
    let script = "
        window.held = new Array(1e6).fill().map((_, at) => at + 0.5);
        document.body.append(...Array.from('x'.repeat(500)));";
    browser.run(script, &json!([]));
    let after = browser.metrics();
    assert!(after.heap > before.heap + 4_000_000 && after.nodes >= before.nodes + 500, "{before:?}, {after:?}");
    assert!(after.listeners > 0, "{after:?}");
}

fn nothing_is_left_of_a_browser(kind: Kind) {
    let browser = open(kind);
    let (home, group) = (browser.processes.home().to_owned(), browser.processes.group());
    assert!(home.is_dir() && killpg(group, None).is_ok(), "it runs");
    assert!(!named(&home).is_empty(), "its processes are found");
    drop(browser);
    assert!(!home.exists(), "its profile is gone");
    assert!(killpg(group, None).is_err(), "its process group is gone");
    assert_eq!(named(&home), Vec::<String>::new());

    // Also if the test panics in the middle of a script that never ends.
    let browser = open(kind);
    let home = browser.processes.home().to_owned();
    complaint(move || {
        browser.run("setTimeout(() => { for (;;); }, 0)", &json!([]));
        panic!("of {}", browser.processes.home().display());
    });
    assert!(!home.exists() && named(&home).is_empty(), "a panic ends it, too");
}

#[test]
fn a_start_that_fails_is_told_and_leaves_nothing() {
    let mut home = PathBuf::new();
    let started = Instant::now();
    for (script, problem) in
        [("echo no display >&2; exit 1", "has ended"), ("echo no display; sleep 1000 & sleep 1000", "does not say `ready`")]
    {
        let missed = complaint(|| {
            let processes = Processes::start("sh", |_| vec!["-c".to_owned(), script.to_owned()]);
            processes.home().clone_into(&mut home);
            processes.wait_for("ready", Duration::from_millis(500));
        });
        assert!(missed.contains(problem) && missed.contains("no display"), "{missed}");
        assert!(!home.exists(), "its home is gone");
    }
    assert!(started.elapsed() < Duration::from_secs(10), "no patience is lost");
}

/// The command lines of all processes that have this directory in them.
fn named(directory: &Path) -> Vec<String> {
    let directory = directory.to_str().expect("it is text");
    let processes = fs::read_dir("/proc").expect("Linux has /proc").flatten();
    let lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " ")).filter(|line| line.contains(directory)).collect()
}
