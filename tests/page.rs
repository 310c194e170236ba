//! The page and its connection: what breaks it, what it says of that, and how the tabs of a browser share it; in real browsers
//! before the real daemon, with a proxy between the two.
//!
//! Pictures of what it looks like are left in `target/screenshots`.

mod harness;
mod scene;
#[allow(dead_code, reason = "each test target uses a part of this")]
mod webdriver;

/// The tests of the browsers' harness itself.
#[path = "webdriver/tests.rs"]
mod browsers;

/// The ways in which the tabs of a browser share a connection, and what the daemon sees of it.
#[path = "page/sharing.rs"]
mod sharing;

/// Somebody who writes lines while a test does something else.
#[path = "page/writer.rs"]
mod writer;

/// Connections break, and nothing is lost or doubled.
#[path = "page/breaks.rs"]
mod breaks;

/// Daemons end, are killed, and begin anew.
#[path = "page/runs.rs"]
mod runs;

/// The state of the connection, as the page tells it.
#[path = "page/states.rs"]
mod states;

/// One connection for all tabs.
#[path = "page/tabs.rs"]
mod tabs;

/// Tabs that nobody looks at.
#[path = "page/behind.rs"]
mod behind;
