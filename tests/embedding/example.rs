//! An example as people start it: its own `run` script, with the tested daemon, on free ports.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Collected, eventually};
use crate::webdriver::{Browser, Kind};

/// What stands in the environment of all that a script starts.
const MARK: &str = "SSE_BRIDGE_EXAMPLE_OF";

/// A running example, with a browser before its page; all of it ends on drop.
pub struct Example {
    pub browser: Browser,
    pub url: String,
    script: Script,
}

/// A running script.
pub struct Script {
    child: Child,
    output: Collected,
    errors: Collected,
    home: TempDir,
}

impl Example {
    /// Starts an example and opens the address that it prints.
    pub fn start(name: &str, variables: &[(&str, &str)]) -> Self {
        let browser = Browser::start(Kind::Chromium); // first: some examples are over soon
        let script = Script::start(name, variables);
        let said = script.output.wait_for("(Ctrl-C ends it)");
        let url = said.split_once("open ").and_then(|(_, rest)| rest.split_once(' ')).map(|(url, _)| url.to_owned());
        let url = url.unwrap_or_else(|| panic!("no address in {said}"));
        browser.open(&url);
        Self { browser, url, script }
    }

    /// The pipe that people write into.
    pub fn pipe(&self) -> PathBuf {
        self.script.home.path().join("pipe")
    }

    pub fn value(&self, expression: &str) -> Value {
        self.browser.run(&format!("return {expression}"), &json!([]))
    }

    pub fn wait_until(&self, what: &str, expression: &str) -> Value {
        self.browser.wait(what, &format!("return {expression}"), &json!([]))
    }

    /// Waits until an element has this text.
    pub fn wait_for_text(&self, selector: &str, text: &str) {
        let script = "return document.querySelector(arguments[0])?.textContent === arguments[1]";
        self.browser.wait(&format!("`{text}` in {selector}"), script, &json!([selector, text]));
    }

    /// Keeps a picture of the page.
    pub fn screenshot(&self, name: &str) {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/screenshots");
        self.browser.screenshot(&directory.join(format!("{name}.png")));
    }

    /// Presses Ctrl-C, and sees that nothing is left of it.
    pub fn interrupt(mut self) {
        assert!(self.script.processes().len() > 2, "the daemon and the server of the page run");
        kill(self.script.pid(), Signal::SIGINT).expect("the script runs");
        let status = eventually("the end of the script", || self.script.child.try_wait().expect("it is ours"), Option::is_some);
        assert_eq!(status.and_then(|status| status.code()), Some(130), "{}", self.script.errors.text());
        assert_eq!(self.script.processes(), Vec::<String>::new(), "nothing is left");
    }
}

impl Script {
    pub fn start(name: &str, variables: &[(&str, &str)]) -> Self {
        let home = TempDir::new().expect("there is room for a directory");
        let run = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name).join("run");
        // A shell that was started in the background would not hear Ctrl-C.
        let mut command = Command::new("env");
        command.args(["--default-signal=INT"]).arg(run).process_group(0);
        command.env("SSE_BRIDGE", env!("CARGO_BIN_EXE_sse-bridge")).env_remove("STATE_DIRECTORY").env(MARK, home.path());
        command.env("PORT", free_port().to_string()).env("PAGE_PORT", free_port().to_string());
        command.env("PIPE", home.path().join("pipe")).envs(variables.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("bash runs");
        let output = Collected::of(child.stdout.take().expect("it is piped"));
        let errors = Collected::of(child.stderr.take().expect("it is piped"));
        Self { child, output, errors, home }
    }

    /// What it complains of until it ends, and its exit code.
    pub fn end(mut self) -> (String, Option<i32>) {
        let said = self.errors.whole();
        let status = eventually("the end of the script", || self.child.try_wait().expect("it is ours"), Option::is_some);
        (said, status.and_then(|status| status.code()))
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).expect("a process id is small"))
    }

    /// The command lines of all that it has started and that still runs, itself among them.
    fn processes(&self) -> Vec<String> {
        self.pids().iter().filter_map(|pid| fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()).collect()
    }

    fn pids(&self) -> Vec<Pid> {
        let mark = format!("{MARK}={}\0", self.home.path().display());
        let is_marked = |pid: &Pid| {
            fs::read(format!("/proc/{pid}/environ")).is_ok_and(|all| memchr::memmem::find(&all, mark.as_bytes()).is_some())
        };
        let names = fs::read_dir("/proc").expect("Linux has /proc").flatten().map(|entry| entry.file_name());
        names.filter_map(|name| name.to_str()?.parse().ok()).map(Pid::from_raw).filter(is_marked).collect()
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        for pid in self.pids() {
            let _ = kill(pid, Signal::SIGKILL); // it may just have ended
        }
        let _ = self.child.wait();
    }
}

/// A port that nobody has, and that the system gives to nobody who asks for any.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let begin = u16::try_from(std::process::id() % 8_000).expect("it is small");
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let ports = std::iter::repeat_with(|| 21_000 + (begin + NEXT.fetch_add(1, Ordering::Relaxed)) % 8_000);
    ports.take(1_000).find(is_free).expect("one of a thousand ports is free")
}
