//! What the kernel knows of a running daemon.

use std::fs;

use crate::harness::{Bridge, eventually};

/// Its open descriptors, as the kernel names them.
pub fn descriptors(bridge: &Bridge) -> Vec<String> {
    let open =
        fs::read_dir(format!("/proc/{}/fd", bridge.pid())).unwrap().filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    open.map(|to| to.display().to_string()).collect()
}

/// Waits until it has no more descriptors than it had before.
pub fn wait_for_descriptors(bridge: &Bridge, before: &[String]) {
    let what = format!("no more descriptors than before, which were {before:?}");
    eventually(&what, || descriptors(bridge), |open| open.len() <= before.len());
}

/// How often its threads have gone to sleep by themselves: each wake-up leads to one of these.
pub fn sleeps(bridge: &Bridge) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{}/task", bridge.pid())).unwrap().map(|task| task.unwrap().path());
    tasks
        .filter_map(|task| fs::read_to_string(task.join("status")).ok()) // a thread may end meanwhile
        .map(|status| {
            let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            count.expect("Linux counts them").trim().parse::<u64>().unwrap()
        })
        .sum()
}
