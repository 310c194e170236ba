//! `sse-bridge cat`: the real binary follows real daemons, through proxies that cut, restarts and stops; and servers that are none of ours.
#![allow(
    clippy::pedantic,
    clippy::type_complexity,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests panic and print on purpose, and read like sessions"
)]

#[path = "../harness/mod.rs"]
mod harness;

#[path = "../webdriver/proxy.rs"]
#[allow(dead_code, reason = "browsers need more of it")]
mod proxy;

// Who plays.
mod client;
mod server;

// What is promised.
mod chain;
mod ends;
mod halves;
mod output;
mod remembering;
mod returning;
mod strangers;
