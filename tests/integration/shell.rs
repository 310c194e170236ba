//! The daemon as shells start it, and addresses of its own for tests that choose a port.

use std::net::Ipv4Addr;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::harness::command;

/// A bash script in which `sse-bridge` is the daemon under test. It should end in `exec sse-bridge`, so that the process that a
/// test signals is the daemon.
pub fn shell(script: &str) -> Command {
    let mut bash = Command::new("bash");
    bash.args(["-c", &with_path(script)]);
    bash
}

/// The same in a terminal of its own. What the terminal shows comes on standard error; it ends with the script's exit code.
pub fn in_terminal(script: &str) -> Command {
    let mut bash = Command::new("bash");
    bash.args(["-c", "exec script -qefc \"$0\" /dev/null >&2", &with_path(script)]);
    bash
}

fn with_path(script: &str) -> String {
    let daemon = command(&[]);
    let directory = std::path::Path::new(daemon.get_program()).parent().unwrap();
    format!("PATH='{}':\"$PATH\"; {script}", directory.display())
}

/// A loopback address that no other test uses, so that every port of it is free.
pub fn own_address() -> Ipv4Addr {
    static USED: AtomicU32 = AtomicU32::new(0);
    let [_, a, b, c] = (std::process::id().wrapping_mul(32) + USED.fetch_add(1, Ordering::Relaxed)).to_be_bytes();
    Ipv4Addr::new(127, a | 128, b, c)
}
