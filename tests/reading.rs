//! What people do with the page: they read, find, choose channels, take lines along; in real browsers before the real daemon.
//!
//! Pictures of the main views are left in `target/screenshots`, in both themes.
#![allow(clippy::print_stdout, reason = "tests print their figures")]

mod harness;
mod scene;
#[allow(dead_code, reason = "each test target uses a part of this")]
mod webdriver;

/// A reader before a page, alone in the house or beside others.
#[path = "reading/reader.rs"]
mod reader;

/// How a line looks: colours, times, folds, themes.
#[path = "reading/text.rs"]
mod text;

/// Where a line is from, and what the stream says of itself.
#[path = "reading/told.rs"]
mod told;

/// Following, looking back, and on into history.
#[path = "reading/following.rs"]
mod following;

/// Fifty thousand lines a second, and a million lines held.
#[path = "reading/flood.rs"]
mod flood;

/// What matches is marked, or it alone is shown.
#[path = "reading/finding.rs"]
mod finding;

/// Links to lines.
#[path = "reading/places.rs"]
mod places;

/// Channels, and which of them are shown.
#[path = "reading/channels.rs"]
mod channels;

/// Copies, files and links.
#[path = "reading/taking.rs"]
mod taking;

/// By keyboard, by ear, with weak eyes, on a phone.
#[path = "reading/access.rs"]
mod access;

/// Lines of somebody who means harm.
#[path = "reading/hostile.rs"]
mod hostile;
