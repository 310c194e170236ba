//! Somebody who writes numbered lines to a daemon, also while a test does something else.

use std::process::ChildStdin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::harness::Bridge;
use crate::scene::{Page, assert_same, numbered};
use crate::webdriver::Tab;

/// Somebody who has written these lines: `line 1`, `line 2`, ...
pub struct Writer {
    input: ChildStdin,
    pub written: usize,
}

/// Ends the writing of another thread, also if the test panics meanwhile.
struct Stop<'a>(&'a AtomicBool);

impl Writer {
    /// Writes to the standard input of a daemon.
    pub fn to(bridge: &mut Bridge) -> Self {
        Self { input: bridge.take_stdin(), written: 0 }
    }

    pub fn write(&mut self, count: usize) {
        use std::io::Write;
        let lines = numbered(self.written + 1..=self.written + count);
        self.input.write_all(&lines).expect("the daemon reads its input");
        self.written += count;
    }

    /// Writes line by line for as long as something else takes.
    pub fn during<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            let _stop = Stop(&is_over);
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    self.write(1);
                    thread::sleep(Duration::from_millis(1)); // a load that leaves the machine to the browser
                }
            });
            work()
        })
    }

    /// What was written.
    pub fn lines(&self) -> Vec<String> {
        (1..=self.written).map(|number| format!("line {number}")).collect()
    }

    /// Each of these tabs shows all that was written, once and in order.
    #[track_caller]
    pub fn assert_shown(&self, page: &Page, tabs: &[Tab]) {
        let expected = self.lines();
        for (at, tab) in tabs.iter().enumerate() {
            if page.browser.current() != *tab {
                page.browser.switch(tab);
            }
            page.wait_for_line(&format!("line {}", self.written));
            page.wait_for_state("live");
            assert_same(&format!("in tab {} of {}", at + 1, tabs.len()), &page.shown(), &expected);
        }
    }
}

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
