//! Floods: fifty thousand lines a second, and a million lines held. Chromium alone tells how long its tasks took and what it holds.

use std::io::Write;
use std::process::ChildStdin;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Bridge, scale};
use crate::reader::Reader;
use crate::scene::{IS_AT_END, Page};
use crate::webdriver::Kind;

/// Lines a second.
const RATE: usize = 50_000;

/// The most lines that a page holds.
const HELD: usize = 1_000_000;

/// Has the page measure itself: how long each of its long tasks and each frame took.
const MEASURE: &str = "
    window.measured = { tasks: [], frames: [] };
    new PerformanceObserver((list) => list.getEntries().forEach(({ duration }) => measured.tasks.push(duration))).observe({ type: 'longtask' });
    let last = performance.now();
    const frame = (now) => {
        measured.frames.push(now - last);
        last = now;
        requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame)";

/// What the page has measured since it was asked last.
const MEASURED: &str = "
    const { tasks, frames } = measured;
    Object.assign(measured, { tasks: [], frames: [] });
    return { tasks, frames }";

/// Whether the lines that the page would give as a file are all of those with the numbers from the first one on.
const ARE_ALL: &str = "
    const lines = taken.trimEnd().split('\\n').filter((line) => !line.startsWith('['));
    const number = (line) => Number(line.slice(line.lastIndexOf('#') + 1));
    const first = number(lines[0]);
    const wrong = lines.findIndex((line, at) => number(line) !== first + at);
    return { first, count: lines.length, wrong: wrong < 0 ? null : lines.slice(Math.max(0, wrong - 1), wrong + 2) }";

/// Durations, in milliseconds.
struct Times(Vec<f64>);

impl Times {
    fn of(list: &Value) -> Self {
        let mut times: Vec<f64> = list.as_array().expect("a list").iter().map(|time| time.as_f64().expect("a number")).collect();
        times.sort_by(f64::total_cmp);
        Self(times)
    }

    fn longest(&self) -> f64 {
        self.0.last().copied().unwrap_or_default()
    }

    /// The time within which this share of them is.
    fn within(&self, share: f64) -> f64 {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "an index")]
        let at = (self.0.len() as f64 * share) as usize;
        self.0.get(at.min(self.0.len().saturating_sub(1))).copied().unwrap_or_default()
    }

    fn longer_than(&self, limit: f64) -> usize {
        self.0.iter().filter(|&&time| time > limit).count()
    }
}

/// A line as logs have them, mixed: most are plain, some have colours, some are JSON or belong to a trace.
fn line(number: usize) -> String {
    match number % 50 {
        7 => {
            format!("{{\"level\":\"warn\",\"msg\":\"slow answer\",\"ms\":{},\"path\":\"/api/v1/orders\"}} #{number}", number % 977)
        }
        13 => format!(
            "\x1b[32mINFO\x1b[0m worker-{} took job {:08x} from the queue \x1b[2min 3 ms\x1b[0m #{number}",
            number % 8,
            number * 7919
        ),
        29 => format!("ERROR the answer of upstream {} was not understood: code={} #{number}", number % 5, number % 512),
        30 => format!("\tat com.example.Upstream.read(Upstream.java:{}) #{number}", number % 400),
        _ => format!(
            "2026-11-30T12:00:00.{:03}Z INFO GET /api/v1/users/{} 200 {}ms \"curl/8.5\" #{number}",
            number % 1000,
            number % 100_000,
            number % 90
        ),
    }
}

/// Writes lines at a steady rate for so long, numbered from 1 on; gives how many.
fn flood(mut to: ChildStdin, rate: usize, time: Duration) -> JoinHandle<usize> {
    thread::spawn(move || {
        let (began, mut written) = (Instant::now(), 0);
        while began.elapsed() < time {
            let due = usize::try_from(began.elapsed().as_millis()).expect("a test ends") * rate / 1_000;
            let lines: String = (written + 1..=due).map(|number| line(number) + "\n").collect();
            to.write_all(lines.as_bytes()).expect("the daemon reads its input");
            written = written.max(due);
            thread::sleep(Duration::from_millis(5)); // the rate is what is tested
        }
        to.write_all(format!("the last line #{}\n", written + 1).as_bytes()).expect("the daemon reads its input");
        written + 1
    })
}

/// Turns the wheel up and down as a reader does who looks for something, and goes on following now and then.
fn scroll_until_done(reader: &Reader, done: impl Fn() -> bool) -> Times {
    let mut times = Vec::new();
    for turn in 0.. {
        if done() {
            break;
        }
        let began = Instant::now();
        match turn % 240 {
            0..120 => reader.browser.wheel(0, -160),
            120..200 => reader.browser.wheel(0, 120),
            200 => reader.press("f"),
            _ => {}
        }
        times.push(began.elapsed().as_secs_f64() * 1_000.0);
        thread::sleep(Duration::from_millis(16)); // as fast as a wheel turns
    }
    times.sort_by(f64::total_cmp);
    Times(times)
}

/// What a flood costs the page.
struct Cost {
    seconds: f64,
    tasks: Times,
    frames: Times,
    wheel: Times,
}

impl Cost {
    fn rate(&self) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "a count of frames")]
        let frames = self.frames.0.len() as f64;
        frames / self.seconds
    }

    /// What is not as it must be; nothing if all is.
    fn complaint(&self) -> Option<String> {
        let (rate, frame, tasks) = (self.rate(), self.frames.within(0.99), self.tasks.longer_than(100.0));
        // A machine that does other things as well stops a page now and then.
        let is_fluent = rate >= scale(15.0, 30.0) && frame <= scale(250.0, 100.0);
        let is_calm = is_fluent && tasks <= scale(5, 0) && self.tasks.longest() <= scale(500.0, 100.0);
        (!is_calm).then(|| format!("{rate:.0} frames/s, 99 % within {frame:.0} ms; tasks of {:?} ms", self.tasks.0))
    }

    fn print(&self) {
        println!(
            "{:.1} s: {} tasks over 50 ms, {} over 100, longest {:.0}; {:.0} frames/s, 99 % within {:.0} ms, longest {:.0}; \
             a turn of the wheel: half within {:.1} ms, 99 % within {:.0}",
            self.seconds,
            self.tasks.0.len(),
            self.tasks.longer_than(100.0),
            self.tasks.longest(),
            self.rate(),
            self.frames.within(0.99),
            self.frames.longest(),
            self.wheel.within(0.5),
            self.wheel.within(0.99),
        );
    }
}

#[test]
fn fifty_thousand_lines_a_second_are_read_calmly() {
    // What disturbs one run does not disturb all of them.
    let mut complaints = Vec::new();
    for _ in 0..scale(3, 1) {
        let mut reader = Reader::alone(|| Page::open(Kind::Chromium, &["--history", "256MiB"]));
        let cost = one_flood(&mut reader);
        cost.print();
        let Some(complaint) = cost.complaint() else { return };
        complaints.push(complaint);
    }
    panic!("no run was calm: {complaints:#?}");
}

fn one_flood(reader: &mut Reader) -> Cost {
    let before = reader.browser.metrics().heap;
    reader.browser.run(MEASURE, &json!([]));
    the_measure_sees_a_long_task(reader);
    let began = Instant::now();
    let writer = flood(reader.bridge.take_stdin(), RATE, Duration::from_secs(scale(8, 60)));
    let wheel = scroll_until_done(reader, || writer.is_finished());
    let written = writer.join().expect("the writer ends");
    let seconds = began.elapsed().as_secs_f64();
    let measured = reader.browser.run(MEASURED, &json!([]));
    reader.press("f");
    reader.wait_for_line("the last line");
    reader.wait_until("the end", IS_AT_END);

    let heap = reader.browser.metrics().heap.saturating_sub(before);
    let lines = reader.lines_held();
    println!("{written} lines; {} MB more; {lines}", heap >> 20);
    assert_eq!(lines["wrong"], Value::Null, "{lines}");
    let last = lines["first"].as_u64().zip(lines["count"].as_u64()).map(|(first, count)| first + count - 1);
    assert_eq!(last, Some(written as u64), "{lines}");
    assert!(written >= HELD || lines["first"] == 1, "all are held: {lines}");
    assert!(heap < 200 << 20, "{heap} bytes are held");
    Cost { seconds, wheel, tasks: Times::of(&measured["tasks"]), frames: Times::of(&measured["frames"]) }
}

/// A measure that sees nothing would be content with everything.
fn the_measure_sees_a_long_task(reader: &Reader) {
    reader
        .browser
        .run("setTimeout(() => { for (const began = performance.now(); performance.now() - began < 120; ); })", &json!([]));
    reader.wait_until("a long task seen", "measured.tasks.some((time) => time >= 119)");
    reader.browser.run(MEASURED, &json!([]));
}

impl Reader {
    /// What is said of the lines that the page holds.
    fn lines_held(&self) -> Value {
        self.take_in(&self.browser.current());
        self.browser.run(ARE_ALL, &json!([]))
    }
}

#[test]
fn a_million_lines_are_held_and_what_was_let_go_is_counted() {
    let total = HELD + scale(50_000, 1_000_000);
    let mut reader = Reader::alone(|| Page::open(Kind::Chromium, &["--history", "256MiB"]));
    let before = reader.browser.metrics().heap;
    let began = Instant::now();
    let mut writer = reader.bridge.take_stdin();
    let written = thread::spawn(move || {
        for from in (1..=total).step_by(1_000) {
            let numbers = from..(from + 1_000).min(total + 1);
            let lines = numbers.map(|number| format!("short line #{number}\n")).collect::<Vec<_>>().concat();
            writer.write_all(lines.as_bytes()).expect("the daemon reads its input");
        }
        writer
    });
    let _open = written.join().expect("the writer ends");
    reader.wait_for_line(&format!("short line #{total}"));
    reader.wait_until("the end", IS_AT_END);
    let seconds = began.elapsed().as_secs_f64();

    let heap = reader.browser.metrics().heap.saturating_sub(before);
    let lines = reader.lines_held();
    assert_eq!(lines["wrong"], Value::Null, "{lines}");
    let count = usize::try_from(lines["count"].as_u64().expect("a count")).expect("it is small");
    println!("{total} lines in {seconds:.1} s; {count} held in {} MB", heap >> 20);
    assert!(count <= HELD && count > HELD - 1_000, "{count} lines are held");
    assert_eq!(lines["first"], json!(total - count + 1), "the newest ones");
    let let_go = reader.texts("#older span").remove(0).replace(',', "");
    assert_eq!(let_go, format!("{} older lines no longer held by this page", total - count));
    assert!(heap < 160 << 20, "{heap} bytes are held");
    scroll_through_all(&reader);
    what_was_let_go_comes_again(&reader, total - count);
}

/// Leaps of the scroll bar through all that is held are answered at once.
fn scroll_through_all(reader: &Reader) {
    let leap = "
        const log = document.getElementById('log');
        log.scrollTop = arguments[0] * (log.scrollHeight - log.clientHeight);
        const began = performance.now();
        return new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))).then(() => [
            performance.now() - began,
            Number(document.elementFromPoint(600, 400).closest('.row').querySelector('.text').textContent.split('#')[1]),
        ])";
    for share in [0.5, 0.1, 0.9, 0.25] {
        let answer = reader.browser.run(leap, &json!([share]));
        let (time, number) = (answer[0].as_f64().expect("a time"), answer[1].as_f64().expect("a number"));
        let place = (number - 50_000.0) / 1_000_000.0;
        println!("a leap to {share} shows line {number} after {time:.0} ms");
        assert!(time < scale(1_000.0, 200.0), "a leap to {share} takes {time} ms");
        assert!(scale((place - share).abs() < 0.02, true), "a leap to {share} leads to line {number}");
    }
}

/// The beginning of what is held is not the end of the way: the daemon still has what is before it.
fn what_was_let_go_comes_again(reader: &Reader, let_go: usize) {
    reader.press("Home");
    reader.browser.click("#older button");
    reader.wait_for_text(".line .text", &format!("short line #{let_go}"));
    reader.press("f");
    reader.wait_until("the end", IS_AT_END);
}

/// A page of a daemon that has had lines before.
fn with_history() -> Bridge {
    let mut bridge = Bridge::start(&[]);
    let lines: String = (1..=5_000).map(|number| line(number) + "\n").collect();
    bridge.feed(lines.as_bytes());
    bridge
}

#[test]
fn the_first_line_is_there_within_a_tenth_of_a_second() {
    // The browser tells when what is largest was drawn first, and lines are larger than all else.
    let drawn = "
        window.first ??= null;
        if (!window.watch) (window.watch = new PerformanceObserver((list) => {
            const line = list.getEntries().find(({ element }) => element?.closest('.line'));
            if (line) window.first ??= { at: line.renderTime || line.startTime };
        })).observe({ type: 'largest-contentful-paint', buffered: true });
        const load = performance.getEntriesByType('navigation')[0]?.loadEventEnd;
        return first && load ? { first: first.at, load } : null";
    let reader = Reader::alone(|| Page::before(Kind::Chromium, with_history()));
    let times = (0..9).map(|_| {
        reader.browser.open("about:blank");
        reader.browser.open(&reader.proxy.url());
        reader.browser.wait("the first line drawn", drawn, &json!([]))
    });
    let times: Vec<_> = times.map(|time| [&time["load"], &time["first"]].map(|at| at.as_f64().expect("a time"))).collect();
    let mut behind: Vec<_> = times.iter().map(|[load, first]| (first - load).max(0.0)).collect();
    behind.sort_by(f64::total_cmp);
    let behind = Times(behind).within(0.5);
    println!(
        "loaded, and the first line drawn, so many ms after the navigation began: {times:.0?}; half within {behind:.0} of load"
    );
    // Small counts run beside other tests, on two cores: there only what is out of all proportion fails.
    assert!(behind <= scale(1_000.0, 100.0), "{times:?}");
}
