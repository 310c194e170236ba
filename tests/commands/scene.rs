//! A daemon that runs a command, what clients see of it, and what the kernel knows of its processes.

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::harness::parser::Message;
use crate::harness::{Bridge, Get, eventually};

/// A word that stands in the arguments of one test's processes and of no others.
pub fn marker() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("marked-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The processes that have a word among their arguments, beside the daemon itself: number, state and arguments of each.
pub fn processes_with(marker: &str) -> Vec<(u32, char, String)> {
    let all = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let marked = all.filter_map(|process: u32| {
        let arguments = fs::read(format!("/proc/{process}/cmdline")).ok()?;
        let arguments = String::from_utf8_lossy(&arguments).replace('\0', " ");
        let is_daemon = arguments.split(' ').next().is_some_and(|program| program.ends_with("sse-bridge"));
        let is_marked = arguments.contains(marker) && !is_daemon && process != std::process::id();
        is_marked.then(|| (process, stat(process).map_or('?', |stat| stat.state), arguments))
    });
    marked.collect()
}

/// Nobody with this word in the arguments is left.
pub fn assert_gone(marker: &str) {
    eventually("the end of all its processes", || processes_with(marker), Vec::is_empty);
}

/// What `proc_pid_stat(5)` says of a process.
pub struct Stat {
    pub state: char,
    pub parent: u32,
    pub group: u32,
}

pub fn stat(process: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let mut fields = text.rsplit_once(") ")?.1.split(' ');
    let state = fields.next()?.chars().next()?;
    Some(Stat { state, parent: fields.next()?.parse().ok()?, group: fields.next()?.parse().ok()? })
}

/// The children of a process that have ended and were not waited for.
pub fn zombies_of(parent: u32) -> Vec<u32> {
    let all = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    all.filter(|process| stat(*process).is_some_and(|stat| stat.parent == parent && stat.state == 'Z')).collect()
}

/// A daemon that runs `sh -c SCRIPT`.
pub fn sh(options: &[&str], script: &str) -> Bridge {
    sh_with(options, script, &[])
}

/// The same with arguments: `$0` is the first of them.
pub fn sh_with(options: &[&str], script: &str, arguments: &[&str]) -> Bridge {
    let mut words = vec!["run", "--port", "0"];
    words.extend(options);
    words.extend(["--", "sh", "-c", script]);
    words.extend(arguments);
    Bridge::spawn(crate::harness::command(&words))
}

/// All events of a channel, or of all below it, up to the end of its sources.
pub fn all_of(bridge: &Bridge, path: &str) -> Vec<Message> {
    let mut all = Get::new(bridge.port, &format!("{path}?tail=all"), &[]).rest();
    all.retain(|message| message.event != "start"); // whoever came before the first event gets one
    all
}

/// The lines among them.
pub fn lines_of(bridge: &Bridge, path: &str) -> Vec<String> {
    crate::harness::lines(&all_of(bridge, path)).into_iter().map(str::to_owned).collect()
}

/// Reads on until there is a line like this.
pub fn until_line(stream: &mut Get, line: &str) -> Message {
    loop {
        let message = stream.next_event().unwrap_or_else(|| panic!("the stream ended without {line:?}"));
        if message.event == "message" && message.data == line {
            return message;
        }
    }
}

/// Reads on until there is an event of this type.
pub fn until_event(stream: &mut Get, kind: &str) -> Message {
    loop {
        let message = stream.next_event().unwrap_or_else(|| panic!("the stream ended without {kind}"));
        if message.event == kind {
            return message;
        }
    }
}

/// What `/channels` says of a channel.
pub fn channel(bridge: &Bridge, name: &str) -> serde_json::Value {
    let all: serde_json::Value = serde_json::from_str(&bridge.get("/channels").text()).unwrap();
    let found = all["channels"].as_array().unwrap().iter().find(|channel| channel["name"] == name);
    found.cloned().unwrap_or_else(|| panic!("no channel {name} in {all}"))
}

/// The state of a channel and its reason.
pub fn state(bridge: &Bridge, name: &str) -> (String, Option<String>) {
    let channel = channel(bridge, name);
    (channel["state"].as_str().unwrap().to_owned(), channel["reason"].as_str().map(str::to_owned))
}
