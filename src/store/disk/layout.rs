//! The names in a state directory. Pure.
//!
//! ```text
//! STATE/@life                                          when the numbering began
//! STATE/@synced                                        how far everything is safe
//! STATE/@uncounted                                     how many numbers were given of which no log tells
//! STATE/@missing                                       how many events are known to be missing between others
//! STATE/@taken/web%2Fpipe                               whether something was taken out of a pipe that is not stored
//! STATE/@lock                                          held by the daemon that uses it
//! STATE/web/access.log/1763660000123-00000000000000004821.sse          a segment: time and number of its first event
//! STATE/web/access.log/1763660000123-00000000000000004821.sse.damaged  what was found damaged (.mending while it is being mended)
//! ```
//!
//! A channel's directory is its name. Only what ends like one of our files is escaped, so that no channel can lie where a file of its parent would:
//! `.` is never escaped in a channel's name, so `%2E` is free for that. No channel's name has an `@`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::event::{ChannelName, Position};

/// The file that says when the numbering began.
pub const LIFE: &str = "@life";

/// The file that says how far everything is safe.
pub const SYNCED: &str = "@synced";

/// The file that says how many numbers were given of which no log tells.
pub const UNCOUNTED: &str = "@uncounted";

/// The file that says how many events are known to be missing between others.
pub const MISSING: &str = "@missing";

/// The directory of the marks of pipes.
pub const TAKEN: &str = "@taken";

/// The mark of the pipe of a channel, below the state directory.
#[must_use]
pub fn mark_of(channel: &ChannelName) -> PathBuf {
    Path::new(TAKEN).join(channel.as_str().replace('/', "%2F"))
}

/// The file that is locked.
pub const LOCK: &str = "@lock";

/// Whether a directory with these names in it has been used by a daemon. What is not is not to be searched, and not to be changed.
#[must_use]
pub fn is_used<'n>(names: impl IntoIterator<Item = &'n OsStr>) -> bool {
    names.into_iter().any(|name| [LIFE, SYNCED, LOCK].iter().any(|ours| name == *ours))
}

/// What a file system may have of its own in a directory that nobody has used: fsck(8).
pub const RECOVERED: &str = "lost+found";

const SEGMENT: &str = ".sse";

const DAMAGED: &str = ".damaged";

const MENDING: &str = ".mending";

/// What stands for the last dot of a directory whose name ends like a file's.
const ESCAPED_DOT: &str = "%2E";

/// The directory of a channel, below the state directory.
#[must_use]
pub fn directory_of(channel: &ChannelName) -> PathBuf {
    channel.as_str().split('/').map(directory_name).collect()
}

fn directory_name(segment: &str) -> String {
    match [SEGMENT, DAMAGED, MENDING].into_iter().find_map(|ending| segment.strip_suffix(ending).map(|stem| (stem, ending))) {
        Some((stem, ending)) => format!("{stem}{ESCAPED_DOT}{}", &ending[1..]),
        None => segment.to_owned(),
    }
}

/// The channel of a directory, if it is one of ours.
#[must_use]
pub fn channel_of(directory: &Path) -> Option<ChannelName> {
    let segments: Option<Vec<_>> = directory.iter().map(|name| name.to_str()).collect();
    let name: ChannelName = segments?.join("/").replace(ESCAPED_DOT, ".").parse().ok()?;
    (directory_of(&name) == directory).then_some(name)
}

/// The name of the segment that begins with this event.
#[must_use]
pub fn segment_name(first: Position) -> String {
    format!("{}-{:020}{SEGMENT}", first.time, first.number)
}

/// The first event of a segment of this name, if it is the name of one.
#[must_use]
pub fn first_of(name: &str) -> Option<Position> {
    let (time, number) = name.strip_suffix(SEGMENT)?.split_once('-')?;
    let first = Position { time: time.parse().ok()?, number: number.parse().ok()? };
    (segment_name(first) == name).then_some(first)
}

/// What a file is called that cannot be trusted; the `nth` of that name.
#[must_use]
pub fn damaged_name(name: &str, nth: u32) -> String {
    if nth == 0 { format!("{name}{DAMAGED}") } else { format!("{name}.{nth}{DAMAGED}") }
}

/// What a segment is called while what is good in it is written anew.
#[must_use]
pub fn mending_name(name: &str) -> String {
    format!("{name}{MENDING}")
}

/// The name that a file had which is being mended.
#[must_use]
pub fn mended_of(name: &str) -> Option<&str> {
    name.strip_suffix(MENDING).filter(|name| first_of(name).is_some())
}

/// Whether a file was moved aside.
#[must_use]
pub fn is_damaged(name: &str) -> bool {
    name.ends_with(DAMAGED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn channel(name: &str) -> ChannelName {
        name.parse().unwrap()
    }

    #[test]
    fn a_channel_cannot_lie_where_a_file_would() {
        for (name, directory) in [
            ("web/access.log", "web/access.log"),
            ("a.sse", "a%2Esse"),
            ("a/1-00000000000000000001.sse/b", "a/1-00000000000000000001%2Esse/b"),
            ("x.sse.damaged", "x.sse%2Edamaged"),
            (".sse", "%2Esse"),
        ] {
            assert_eq!(directory_of(&channel(name)), Path::new(directory));
            assert_eq!(channel_of(Path::new(directory)), Some(channel(name)));
        }
        for directory in ["a.sse", "@life", "a%2Elog", "a/../b", "a%2Fb%2Esse%2E", ""] {
            assert_eq!(channel_of(Path::new(directory)), None, "{directory}");
        }
    }

    #[test]
    fn a_segment_is_named_in_one_way() {
        let first = Position { time: 1_763_660_000_123, number: 4821 };
        assert_eq!(segment_name(first), "1763660000123-00000000000000004821.sse");
        assert_eq!(first_of("1763660000123-00000000000000004821.sse"), Some(first));
        for name in [
            "1763660000123-4821.sse",
            "01-00000000000000000001.sse",
            "1-00000000000000000001.sse.damaged",
            "+1-00000000000000000001.sse",
        ] {
            assert_eq!(first_of(name), None, "{name}");
        }
        assert!(is_damaged(&damaged_name(&segment_name(first), 0)) && is_damaged(&damaged_name(&segment_name(first), 7)));
    }

    proptest! {
        #[test]
        fn every_channel_has_a_directory_of_its_own(name in "[a-z.%2E]{1,8}(/[a-z]{0,3}(\\.sse|\\.damaged|%FF)?){0,3}") {
            if let Ok(name) = name.parse::<ChannelName>() {
                prop_assert_eq!(channel_of(&directory_of(&name)), Some(name));
            }
        }
    }
}
