//! Channel names of files: a pure function of source and path, so that no file changes its name because another one appears.
//!
//! A path is named by its absolute form without the first slash (`var/log/syslog`); with a NAME by that alone, and the files of a named glob
//! by NAME and their path below the glob's literal part. Bytes that may not stand in a name are percent-encoded. A name that is
//! too long loses its middle to a hash of the whole, `~` and 16 hexadecimal digits and `~`. With what it has lost ([`left_out`]) each name leads back to
//! its path ([`path_below`]).

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use crate::event::{ChannelName, MAX_CHANNEL_NAME, decoded, is_plain};

/// What stands on both sides of the hash in a shortened name.
const MARK: char = '~';

/// How many hexadecimal digits the hash has.
const HASH_DIGITS: usize = 16;

/// The longest NAME of a command, in bytes: `/stdout` follows it.
pub const MAX_COMMAND_NAME: usize = MAX_CHANNEL_NAME - "/stdout".len();

/// The name of the channel of a file, by the NAME of its source (if it has one) and the path below it.
///
/// `below` is relative for the files of a named glob, absolute for unnamed ones, and `None` where NAME says it all.
#[must_use]
pub fn channel_name(name: Option<&ChannelName>, below: Option<&Path>) -> ChannelName {
    let mut text = whole(name, below);
    if text.len() > MAX_CHANNEL_NAME {
        text = shortened(&text, MAX_CHANNEL_NAME);
    }
    // The root has no name of its own, and no file is there.
    text.parse().unwrap_or_else(|_| "root".parse().expect("'root' is a channel name"))
}

/// The NAME of a command that has no other, by the last part of its path; with `/stdout` and `/stderr` behind it, it is still a name.
#[must_use]
pub fn command_name(file_name: &OsStr) -> ChannelName {
    let text = segment(file_name);
    let text = if text.len() > MAX_COMMAND_NAME { shortened(&text, MAX_COMMAND_NAME) } else { text };
    text.parse().unwrap_or_else(|_| "command".parse().expect("'command' is a channel name"))
}

/// The bytes that [`channel_name`] has left out of the name that it gives to the same; none if that is short enough.
#[must_use]
pub fn left_out(name: Option<&ChannelName>, below: Option<&Path>) -> OsString {
    let text = whole(name, below);
    if text.len() <= MAX_CHANNEL_NAME {
        return OsString::new();
    }
    let (head, tail) = kept(&text, MAX_CHANNEL_NAME);
    OsString::from_vec(decoded_path(&text[head..tail]))
}

/// The way back: the relative path that [`channel_name`] has called so, if there is one. `left_out` is what was left out of it.
#[must_use]
pub fn path_below(name: Option<&ChannelName>, channel: &ChannelName, left_out: &OsStr) -> Option<PathBuf> {
    let text = channel.as_str();
    let text = if left_out.is_empty() { text.to_owned() } else { lengthened(text, left_out)? };
    let below = match name {
        Some(name) => text.strip_prefix(name.as_str())?.strip_prefix('/')?,
        None => &text,
    };
    Some(OsString::from_vec(decoded_path(below)).into())
}

/// The name before it is shortened.
fn whole(name: Option<&ChannelName>, below: Option<&Path>) -> String {
    let mut text = name.map_or_else(String::new, |name| name.as_str().to_owned());
    for segment in below.into_iter().flat_map(Path::components).filter_map(normal) {
        if !text.is_empty() {
            text.push('/');
        }
        encode(segment, &mut text);
    }
    text
}

/// The bytes of a part of a name that begins and ends at whole characters.
fn decoded_path(text: &str) -> Vec<u8> {
    text.split('/').map(decoded).collect::<Vec<_>>().join(&b'/')
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
fn shortened(text: &str, limit: usize) -> String {
    let (head, tail) = kept(text, limit);
    format!("{}{MARK}{}{MARK}{}", &text[..head], hash(text), &text[tail..])
}

/// What stood there before [`shortened`], if this is the middle that was left out.
fn lengthened(text: &str, left_out: &OsStr) -> Option<String> {
    let middle = left_out.as_bytes().split(|byte| *byte == b'/').map(|part| segment(OsStr::from_bytes(part))).collect::<Vec<_>>();
    let middle = middle.join("/");
    text.match_indices(MARK).find_map(|(at, mark)| {
        let (digits, rest) = text[at + mark.len()..].split_at_checked(HASH_DIGITS)?;
        let whole = format!("{}{middle}{}", &text[..at], rest.strip_prefix(MARK)?);
        (hash(&whole) == digits).then_some(whole)
    })
}

/// Where the middle of a name over the limit begins and ends.
fn kept(text: &str, limit: usize) -> (usize, usize) {
    let room = (limit - HASH_DIGITS - 2 * MARK.len_utf8()) / 2;
    let head = (0..=room).rev().find(|&at| is_cut(text, at)).unwrap_or(0);
    let tail = (text.len() - room..=text.len()).find(|&at| is_cut(text, at)).unwrap_or(text.len());
    (head, tail)
}

fn hash(text: &str) -> String {
    format!("{:0HASH_DIGITS$x}", fnv1a(text.as_bytes()))
}

/// Whether a name may be cut here: not inside `%XX`.
fn is_cut(text: &str, at: usize) -> bool {
    !text.as_bytes()[at.saturating_sub(2)..at].contains(&b'%')
}

/// FNV-1a with 64 bits (draft-eastlake-fnv): names, and what is stored, must mean the same in every run and every version.
pub(super) fn fnv1a(bytes: &[u8]) -> u64 {
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

    #[test]
    fn a_command_is_named_after_its_file() {
        let name = |text: &str| command_name(OsStr::new(text)).to_string();
        assert_eq!((name("make"), name("my prog"), name("..")), ("make".to_owned(), "my%20prog".to_owned(), "command".to_owned()));
        let long = name(&"ü".repeat(100));
        assert!(long.len() <= MAX_COMMAND_NAME && format!("{long}/stdout").parse::<ChannelName>().is_ok(), "{long}");
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

        #[test]
        fn every_name_leads_back_to_its_path(
            name in proptest::option::of("[a~]{1,90}(/[0-9a-f~]{1,20})?"),
            path in "(/[\\x01-\\xff]{1,40}){1,8}",
        ) {
            let name = name.and_then(|name| name.parse::<ChannelName>().ok());
            let path = absolute(Path::new("/"), Path::new(&path));
            let below = path.strip_prefix("/").unwrap();
            prop_assume!(below != Path::new(""));
            let (channel, middle) = (channel_name(name.as_ref(), Some(below)), left_out(name.as_ref(), Some(below)));
            prop_assert_eq!(middle.is_empty(), whole(name.as_ref(), Some(below)).len() <= MAX_CHANNEL_NAME);
            prop_assert_eq!(path_below(name.as_ref(), &channel, &middle), Some(below.to_owned()));
            let mut other = middle.clone();
            other.push("x");
            prop_assert_ne!(path_below(name.as_ref(), &channel, &other), Some(below.to_owned()));
        }
    }
}
