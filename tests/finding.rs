//! Finding lines again: by text and expressions, by level and channel, by links; and lines that would rather not be shown as they are.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod harness;
mod scene;
#[allow(dead_code, reason = "each test target uses a part of this")]
mod webdriver;

/// What is looked for, and what is shown of it.
#[path = "finding/search.rs"]
mod search;

/// Several channels.
#[path = "finding/channels.rs"]
mod channels;

/// Links to lines and to views, and history.
#[path = "finding/links.rs"]
mod links;

/// Lines of somebody who means harm.
#[path = "finding/hostile.rs"]
mod hostile;

/// The keyboard, copies and files.
#[path = "finding/taking.rs"]
mod taking;
