//! Scripts of a test, run in the page.
//!
//! Waiting happens there, too: a script looks at the page every few milliseconds and answers as soon as it sees what it waits
//! for. It is given anew in rounds: when a page is loaded anew its scripts end, and not every browser says so.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{Browser, Tab, engine::Fault, wire::ANSWER};

/// How long a test waits for what it expects of a page.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a script waits before it is given anew.
const ROUND: Duration = Duration::from_millis(500);

impl Browser {
    /// Runs a script in the page: the body of a function of `arguments`, which may return a promise.
    pub(crate) fn run(&self, script: &str, arguments: &Value) -> Value {
        self.run_in(&self.current(), script, arguments)
    }

    /// Runs a script in a tab that may be behind another one, and stays there.
    pub(crate) fn run_in(&self, tab: &Tab, script: &str, arguments: &Value) -> Value {
        let call = format!(
            "(async (run, args) => JSON.stringify(await run.apply(null, args)) ?? 'null')(function () {{ {script}\n}}, {arguments})"
        );
        match self.engine().evaluate(tab, &call, ANSWER) {
            Ok(value) => serde_json::from_str(&value).expect("a script answers in JSON"),
            Err(Fault::Thrown(what)) => panic!("a script of the test threw {what}\n{script}"),
            Err(Fault::Lost(why)) => panic!("{why}\n{script}\n{}", self.processes.printed()),
        }
    }

    /// Waits until a script, the body of a function of `arguments`, returns something true; `what` names that for people.
    pub(crate) fn wait(&self, what: &str, script: &str, arguments: &Value) -> Value {
        self.wait_in(&self.current(), what, script, arguments)
    }

    /// Waits in a tab that may be behind another one, and stays there: there a script looks only once in a second.
    pub(crate) fn wait_in(&self, tab: &Tab, what: &str, script: &str, arguments: &Value) -> Value {
        self.wait_for(PATIENCE, tab, what, script, arguments)
    }

    /// Waits so long.
    pub(crate) fn wait_for(&self, patience: Duration, tab: &Tab, what: &str, script: &str, arguments: &Value) -> Value {
        let watch = format!(
            "(async (look, args, until) => {{
                 for (;;) {{
                     const value = await look.apply(null, args);
                     if (value) return JSON.stringify({{ value }});
                     if (performance.now() > until) return '{{}}';
                     await new Promise((again) => setTimeout(again, 15));
                 }}
             }})(function () {{ {script}\n}}, {arguments}, performance.now() + {})",
            patience.min(ROUND).as_millis()
        );
        let deadline = Instant::now() + patience;
        loop {
            let is_last = Instant::now() > deadline;
            let missed = match self.engine().evaluate(tab, &watch, ROUND * 3) {
                Ok(answer) => {
                    let mut answer: Value = serde_json::from_str(&answer).expect("the page answers in JSON");
                    if let Some(value) = answer.get_mut("value") {
                        return value.take();
                    }
                    None
                }
                Err(Fault::Thrown(error)) => panic!("waiting for {what}, the script threw {error}\n{script}"),
                Err(Fault::Lost(why)) => Some(why),
            };
            if is_last {
                let shown = missed.unwrap_or_else(|| self.shown(tab));
                panic!("the page does not show {what}; {shown}");
            }
            if missed.is_some() {
                thread::sleep(Duration::from_millis(15)); // the next page is not there yet
            }
        }
    }

    /// What a page shows, for people.
    fn shown(&self, tab: &Tab) -> String {
        let seen = "JSON.stringify([document.documentElement.dataset.state ?? '?', document.body?.innerText.slice(-2000) ?? '?'])";
        match self.engine().evaluate(tab, seen, Duration::from_secs(10)) {
            Ok(seen) => {
                let (state, text): (String, String) = serde_json::from_str(&seen).expect("the page answers in JSON");
                format!("its state is `{state}` and it shows:\n{text}")
            }
            Err(fault) => format!("and it does not tell what it shows: {fault:?}"),
        }
    }
}
