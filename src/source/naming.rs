//! Channel names of files: a pure function of source and path, so that no file changes its name because another one appears.
//!
//! A path is named by its absolute form without the first slash (`var/log/syslog`); with a NAME by that alone, and the files of a named glob
//! by NAME and their path below the glob's literal part. Bytes that may not stand in a name are percent-encoded. A name that is
//! too long loses its middle to a hash of the whole, `~` and 16 hexadecimal digits and `~`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use crate::event::{ChannelName, MAX_CHANNEL_NAME, is_plain};

/// The name of the channel of a file, by the NAME of its source (if it has one) and the path below it.
///
/// `below` is relative for the files of a named glob, absolute for unnamed ones, and `None` where NAME says it all.
#[must_use]
pub fn channel_name(name: Option<&ChannelName>, below: Option<&Path>) -> ChannelName {
    let mut text = name.map_or_else(String::new, |name| name.as_str().to_owned());
    for segment in below.into_iter().flat_map(Path::components).filter_map(normal) {
        if !text.is_empty() {
            text.push('/');
        }
        encode(segment, &mut text);
    }
    if text.len() > MAX_CHANNEL_NAME {
        text = shortened(&text);
    }
    // The root has no name of its own, and no file is there.
    text.parse().unwrap_or_else(|_| "root".parse().expect("'root' is a channel name"))
}

/// A path from the root, without `.`, `..` and doubled slashes, as the words of the path say (links are not followed).
#[must_use]
pub fn absolute(directory: &Path, path: &Path) -> PathBuf {
    let mut whole = PathBuf::from("/");
    for component in directory.join(path).components() {
        match component {
            Component::Normal(name) => whole.push(name),
            Component::ParentDir => {
                whole.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    whole
}

/// A part of a path as it stands in a channel name.
#[must_use]
pub fn segment(part: &OsStr) -> String {
    let mut text = String::new();
    encode(part, &mut text);
    text
}

fn normal(component: Component<'_>) -> Option<&OsStr> {
    if let Component::Normal(name) = component { Some(name) } else { None }
}

fn encode(part: &OsStr, text: &mut String) {
    for &byte in part.as_bytes() {
        if is_plain(byte) {
            text.push(char::from(byte));
        } else {
            text.push('%');
            for digit in [byte >> 4, byte & 15] {
                text.push(char::from(b"0123456789ABCDEF"[usize::from(digit)]));
            }
        }
    }
}

/// A name over the limit with a hash of the whole in its middle: as much of both ends as has room, cut at whole characters.
fn shortened(text: &str) -> String {
    let hash = format!("~{:016x}~", fnv1a(text.as_bytes()));
    let room = (MAX_CHANNEL_NAME - hash.len()) / 2;
    let head = (0..=room).rev().find(|&at| is_cut(text, at)).unwrap_or(0);
    let tail = (text.len() - room..=text.len()).find(|&at| is_cut(text, at)).unwrap_or(text.len());
    format!("{}{hash}{}", &text[..head], &text[tail..])
}

/// Whether a name may be cut here: not inside `%XX`.
fn is_cut(text: &str, at: usize) -> bool {
    !text.as_bytes()[at.saturating_sub(2)..at].contains(&b'%')
}

/// FNV-1a with 64 bits (draft-eastlake-fnv): names must be the same in every run and every version.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn named(name: Option<&str>, below: &[u8]) -> String {
        let name = name.map(|name| name.parse().unwrap());
        channel_name(name.as_ref(), Some(Path::new(OsStr::from_bytes(below)))).to_string()
    }

    #[test]
    fn paths_are_names() {
        assert_eq!(named(None, b"/var/log/nginx/access.log"), "var/log/nginx/access.log");
        assert_eq!(named(Some("web"), b"a b/\xff=%.log"), "web/a%20b/%FF%3D%25.log");
        assert_eq!(channel_name(Some(&"web".parse().unwrap()), None).as_str(), "web");
    }

    #[test]
    fn absolute_paths_are_taken_by_their_words() {
        for (path, whole) in [("a", "/home/a"), ("./a//b/", "/home/a/b"), ("../x", "/x"), ("/../x/./y", "/x/y")] {
            assert_eq!(absolute(Path::new("/home"), Path::new(path)), Path::new(whole), "{path}");
        }
    }

    #[test]
    fn long_names_keep_both_ends() {
        let path = format!("/var/log/{}/app.log", "x".repeat(300));
        let name = named(None, path.as_bytes());
        assert!(name.starts_with("var/log/xxx") && name.ends_with("xx/app.log") && name.len() <= MAX_CHANNEL_NAME, "{name}");
        assert_ne!(name, named(None, path.replace("log/x", "log/y").as_bytes()));
    }

    proptest! {
        #[test]
        fn every_path_has_a_name_of_its_own(a in "(/[\\x01-\\xff]{1,40}){1,8}", b in "(/[\\x01-\\xff]{1,40}){1,8}") {
            let absolute = |text: &str| absolute(Path::new("/"), Path::new(text));
            let (a, b) = (absolute(&a), absolute(&b));
            let (first, second) = (channel_name(None, Some(&a)), channel_name(None, Some(&b)));
            prop_assert_eq!(first.as_str().parse::<ChannelName>(), Ok(first.clone()));
            prop_assert_eq!(a == b, first == second);
        }
    }
}
