//! `--state FILE`: what has been taken of each stream, so that the next run goes on behind it.
//!
//! ```text
//! sse-bridge cat 1\n
//! ID TAB URL\n                            the last event of which everything was taken
//! ID TAB URL TAB BYTES TAB ID\n           and so many bytes of what is written of the event behind it
//! ```
//!
//! Ids stand there with `%XX` for what is not printable ASCII, and for `%`; `-` is none. The file is replaced as a whole: written beside itself,
//! synced, renamed. So it is always one that was written whole, also after a crash or a power cut. `FILE.lock` is held with flock(2) by the one
//! who uses it. A line of a URL that is not asked for stays as it is.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};

use super::place::{Part, Place};

/// The first line; the number is the version of the form.
const HEAD: &str = "sse-bridge cat 1";

/// What the first line of each version begins with.
const NAME: &str = "sse-bridge cat ";

/// What is remembered.
#[derive(Debug)]
pub struct Memory {
    path: PathBuf,
    places: BTreeMap<String, Place>,
    _lock: Flock<File>,
}

/// Why nothing can be remembered.
#[derive(Debug, thiserror::Error)]
pub enum NoMemory {
    /// Somebody else uses it.
    #[error("another sse-bridge cat uses it")]
    InUse,
    /// A later version has written it.
    #[error("a later version has written it")]
    Newer,
    /// It is a directory, a pipe or the like.
    #[error("it is not a regular file")]
    NoFile,
    /// It cannot be locked.
    #[error("its lock '{0}' cannot be taken")]
    Lock(PathBuf, #[source] io::Error),
    /// It cannot be read.
    #[error("it cannot be read")]
    Read(#[source] io::Error),
    /// It cannot be written.
    #[error("it cannot be written")]
    Write(#[source] io::Error),
}

/// What stood in a file that nobody has written so, and where it is now.
#[derive(Debug, PartialEq, Eq)]
pub struct Aside(pub PathBuf);

/// Not as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bad {
    Damaged,
    Newer,
}

impl Memory {
    /// Opens the file, or makes it; what is damaged is moved aside.
    pub fn open(path: &Path) -> Result<(Self, Option<Aside>), NoMemory> {
        // A link stays, and what it leads to is replaced.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let lock = lock(&beside(&path, ".lock"))?;
        let (places, aside) = match fs::metadata(&path) {
            Ok(found) if !found.is_file() => return Err(NoMemory::NoFile),
            Ok(_) => match parse(&fs::read(&path).map_err(NoMemory::Read)?) {
                Ok(places) => (places, None),
                Err(Bad::Newer) => return Err(NoMemory::Newer),
                Err(Bad::Damaged) => {
                    let aside = beside(&path, ".damaged");
                    fs::rename(&path, &aside).map_err(NoMemory::Write)?;
                    (BTreeMap::new(), Some(Aside(aside)))
                }
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => (BTreeMap::new(), None),
            Err(error) => return Err(NoMemory::Read(error)),
        };
        let memory = Self { path, places, _lock: lock };
        memory.write().map_err(NoMemory::Write)?;
        Ok((memory, aside))
    }

    /// What was taken of the stream of this name.
    #[must_use]
    pub fn place(&self, name: &str) -> Option<Place> {
        self.places.get(name).cloned()
    }

    /// Remembers these places from now on, whatever becomes of the process.
    pub fn save(&mut self, places: &BTreeMap<String, Place>) -> io::Result<()> {
        let known = places.iter().filter(|(_, place)| **place != Place::default());
        self.places.extend(known.map(|(name, place)| (name.clone(), place.clone())));
        self.write()
    }

    fn write(&self) -> io::Result<()> {
        let new = beside(&self.path, ".new");
        let flags = OFlag::O_NOFOLLOW.bits();
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).custom_flags(flags).open(&new)?;
        file.write_all(text(&self.places).as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, &self.path)
    }
}

fn lock(path: &Path) -> Result<Flock<File>, NoMemory> {
    let failed = |error| NoMemory::Lock(path.to_owned(), error);
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(flags.bits());
    let file = options.open(path).map_err(failed)?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| match errno {
        Errno::EWOULDBLOCK => NoMemory::InUse,
        errno => failed(errno.into()),
    })
}

/// A file of the same name with an ending.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn text(places: &BTreeMap<String, Place>) -> String {
    let mut text = format!("{HEAD}\n");
    for (name, Place { id, part }) in places {
        let _ = write!(text, "{}\t{name}", written(id));
        if let Some(part) = part {
            let _ = write!(text, "\t{}\t{}", part.bytes, written(&part.id));
        }
        text.push('\n');
    }
    text
}

/// What stands in a file. One that is empty is new.
fn parse(bytes: &[u8]) -> Result<BTreeMap<String, Place>, Bad> {
    if bytes.is_empty() {
        return Ok(BTreeMap::new());
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Bad::Damaged)?;
    let mut lines = text.strip_suffix('\n').ok_or(Bad::Damaged)?.split('\n');
    match lines.next() {
        Some(HEAD) => {}
        Some(other) if other.strip_prefix(NAME).is_some_and(|version| version.parse::<u32>().is_ok()) => return Err(Bad::Newer),
        _ => return Err(Bad::Damaged),
    }
    lines.map(|line| place(line).ok_or(Bad::Damaged)).collect()
}

fn place(line: &str) -> Option<(String, Place)> {
    let fields: Vec<_> = line.split('\t').collect();
    let (id, name, part) = match *fields {
        [id, name] => (id, name, None),
        [id, name, bytes, part] => (id, name, Some(Part { id: read(part)?, bytes: bytes.parse().ok()? })),
        _ => return None,
    };
    name.starts_with("http").then_some(())?;
    Some((name.to_owned(), Place { id: read(id)?, part }))
}

fn written(id: &[u8]) -> String {
    if id.is_empty() {
        return "-".to_owned();
    }
    let mut text = String::with_capacity(id.len());
    for &byte in id {
        if byte.is_ascii_graphic() && byte != b'%' && id != b"-" {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

fn read(text: &str) -> Option<Vec<u8>> {
    if text == "-" {
        return Some(Vec::new());
    }
    let (mut id, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first != b'%' {
            id.push(first);
            continue;
        }
        let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
        id.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &rest[2..];
    }
    (!id.is_empty()).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::os::unix::fs::MetadataExt;

    fn one(name: &str, id: &[u8]) -> BTreeMap<String, Place> {
        BTreeMap::from([(name.to_owned(), Place { id: id.to_vec(), part: None })])
    }

    #[test]
    fn what_is_saved_is_there_the_next_time_and_others_stay() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        let (mut memory, aside) = Memory::open(&path).unwrap();
        assert_eq!((memory.place("http://a"), aside), (None, None));
        memory.save(&one("http://a", b"5-3/x")).unwrap();
        memory.save(&one("http://b", b"7-1")).unwrap();
        assert!(matches!(Memory::open(&path), Err(NoMemory::InUse)));
        drop(memory);
        assert_eq!(fs::read_to_string(&path).unwrap(), "sse-bridge cat 1\n5-3/x\thttp://a\n7-1\thttp://b\n");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let (memory, _) = Memory::open(&path).unwrap();
        assert_eq!(memory.place("http://a").unwrap().id, b"5-3/x");
        assert_eq!(memory.place("http://b").unwrap().id, b"7-1");
    }

    #[test]
    fn what_is_damaged_is_moved_aside() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        for text in [
            "x",
            "sse-bridge cat 1",
            "sse-bridge cat 1\nno tab\n",
            "sse-bridge cat 1\n%x\thttp://a\n",
            "sse-bridge cat 1\n\n",
            "\0\0",
        ] {
            fs::write(&path, text).unwrap();
            let (memory, aside) = Memory::open(&path).unwrap();
            let aside = aside.unwrap_or_else(|| panic!("{text:?} is taken for good")).0;
            assert_eq!((memory.places.len(), fs::read_to_string(aside).unwrap()), (0, text.to_owned()));
        }
        fs::write(&path, "").unwrap();
        assert_eq!(Memory::open(&path).unwrap().1, None);
    }

    #[test]
    fn what_is_not_ours_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        fs::write(&path, "sse-bridge cat 2\nwhatever\n").unwrap();
        assert!(matches!(Memory::open(&path), Err(NoMemory::Newer)));
        assert!(matches!(Memory::open(directory.path()), Err(NoMemory::NoFile)));
        assert!(matches!(Memory::open(Path::new("/nowhere/state")), Err(NoMemory::Lock(..))));
    }

    #[test]
    fn a_link_stays_one() {
        let directory = tempfile::tempdir().unwrap();
        let (path, link) = (directory.path().join("state"), directory.path().join("link"));
        fs::write(&path, "").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        drop(Memory::open(&link).unwrap());
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{HEAD}\n"));
    }

    proptest! {
        #[test]
        fn every_place_comes_back(id: Vec<u8>, part in proptest::option::of((any::<Vec<u8>>(), any::<u64>()))) {
            let part = part.map(|(id, bytes)| Part { id, bytes });
            let places = BTreeMap::from([("http://h/events?a=%20b".to_owned(), Place { id, part })]);
            prop_assert_eq!(parse(text(&places).as_bytes()), Ok(places));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "(sse-bridge cat 1\n)?.*\n?") {
            let _ = parse(text.as_bytes());
        }
    }
}
