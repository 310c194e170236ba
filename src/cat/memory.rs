//! `--state FILE`: what has been taken of each stream, so that the next run goes on behind it.
//!
//! ```text
//! sse-bridge cat 1\n
//! ID TAB URL TAB QUESTION\n                   the last event of which everything was taken
//! ID TAB URL TAB QUESTION TAB ID TAB REST\n     and of the event behind it what was not taken, if a part was
//! ```
//!
//! Ids and rests stand there with `%XX` for what is not printable ASCII, and for `%`; `-` is none, as it is no question ([`Question`]). The file is replaced as a whole: written beside itself,
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
use super::question::{Difference, Question};

/// The first line; the number is the version of the form.
const HEAD: &str = "sse-bridge cat 1";

/// What the first line of each version begins with.
const NAME: &str = "sse-bridge cat ";

/// What is remembered.
#[derive(Debug)]
pub struct Memory {
    path: PathBuf,
    lines: BTreeMap<String, Line>,
    /// What is asked now.
    question: Question,
    _lock: Flock<File>,
}

/// What is remembered of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    place: Place,
    /// To which the place belongs.
    question: Question,
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
    /// Its places are those of another question.
    #[error("of {url} it remembers {then}, and now {now} is asked for")]
    Asked {
        /// Of which stream.
        url: String,
        /// What was asked.
        then: String,
        /// What is asked.
        now: String,
    },
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
    pub fn open(path: &Path, question: Question) -> Result<(Self, Option<Aside>), NoMemory> {
        // A link stays, and what it leads to is replaced.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let lock = lock(&beside(&path, ".lock"))?;
        let (lines, aside) = match fs::metadata(&path) {
            Ok(found) if !found.is_file() => return Err(NoMemory::NoFile),
            Ok(_) => match parse(&fs::read(&path).map_err(NoMemory::Read)?) {
                Ok(lines) => (lines, None),
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
        let memory = Self { path, lines, question, _lock: lock };
        memory.write().map_err(NoMemory::Write)?;
        Ok((memory, aside))
    }

    /// How the question of now differs from that to which the place of the stream of this name belongs.
    ///
    /// # Errors
    /// It cannot go on from that place.
    pub fn compare(&self, name: &str) -> Result<Difference, NoMemory> {
        let Some(line) = self.lines.get(name).filter(|line| line.place != Place::default()) else { return Ok(Difference::None) };
        match self.question.differs(&line.question) {
            Difference::Lines => {
                Err(NoMemory::Asked { url: name.to_owned(), then: line.question.wanted(), now: self.question.wanted() })
            }
            difference => Ok(difference),
        }
    }

    /// What was taken of the stream of this name.
    #[must_use]
    pub fn place(&self, name: &str) -> Option<Place> {
        self.lines.get(name).map(|line| line.place.clone())
    }

    /// The streams of which a part of an event was taken.
    pub fn begun(&self) -> impl Iterator<Item = (String, Place)> {
        let begun = self.lines.iter().filter(|(_, line)| line.place.part.is_some());
        begun.map(|(name, line)| (name.clone(), line.place.clone()))
    }

    /// Remembers these places from now on, whatever becomes of the process; those of the streams that are `asked` for belong to the question of now.
    pub fn save(&mut self, places: &BTreeMap<String, Place>, asked: impl Fn(&str) -> bool) -> io::Result<()> {
        for (name, place) in places.iter().filter(|(_, place)| **place != Place::default()) {
            let before = self.lines.get(name).filter(|_| !asked(name));
            let question = before.map_or_else(|| self.question.clone(), |line| line.question.clone());
            self.lines.insert(name.clone(), Line { place: place.clone(), question });
        }
        self.write()
    }

    fn write(&self) -> io::Result<()> {
        let new = beside(&self.path, ".new");
        let flags = OFlag::O_NOFOLLOW.bits();
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).custom_flags(flags).open(&new)?;
        file.write_all(text(&self.lines).as_bytes())?;
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

fn text(lines: &BTreeMap<String, Line>) -> String {
    let mut text = format!("{HEAD}\n");
    for (name, Line { place: Place { id, part }, question }) in lines {
        let _ = write!(text, "{}\t{name}\t{question}", written(id));
        if let Some(part) = part {
            let _ = write!(text, "\t{}\t{}", written(&part.id), written(&part.rest));
        }
        text.push('\n');
    }
    text
}

/// What stands in a file. One that is empty is new.
fn parse(bytes: &[u8]) -> Result<BTreeMap<String, Line>, Bad> {
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
    lines.map(|text| line(text).ok_or(Bad::Damaged)).collect()
}

fn line(text: &str) -> Option<(String, Line)> {
    let fields: Vec<_> = text.split('\t').collect();
    let (id, name, question, part) = match *fields {
        [id, name, question] => (id, name, question, None),
        [id, name, question, part, rest] => (id, name, question, Some(Part { id: read(part)?, rest: read(rest)? })),
        _ => return None,
    };
    name.starts_with("http").then_some(())?;
    Some((name.to_owned(), Line { place: Place { id: read(id)?, part }, question: Question::read(question)? }))
}

fn written(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "-".to_owned();
    }
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        if byte.is_ascii_graphic() && byte != b'%' && bytes != b"-" {
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
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &rest[2..];
    }
    (!bytes.is_empty()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::os::unix::fs::MetadataExt;

    fn one(name: &str, id: &[u8]) -> BTreeMap<String, Place> {
        BTreeMap::from([(name.to_owned(), Place { id: id.to_vec(), part: None })])
    }

    fn open(path: &Path) -> Result<(Memory, Option<Aside>), NoMemory> {
        Memory::open(path, Question::default())
    }

    #[test]
    fn what_is_saved_is_there_the_next_time_and_others_stay() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        let (mut memory, aside) = open(&path).unwrap();
        assert_eq!((memory.place("http://a"), aside), (None, None));
        memory.save(&one("http://a", b"5-3/x"), |_| true).unwrap();
        memory.save(&one("http://b", b"7-1"), |_| true).unwrap();
        assert!(matches!(open(&path), Err(NoMemory::InUse)));
        drop(memory);
        assert_eq!(fs::read_to_string(&path).unwrap(), "sse-bridge cat 1\n5-3/x\thttp://a\t-\n7-1\thttp://b\t-\n");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let (memory, _) = open(&path).unwrap();
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
            "sse-bridge cat 1\n%x\thttp://a\t-\n",
            "sse-bridge cat 1\n5-1/a\thttp://a\tx\n",
            "sse-bridge cat 1\n5-1/a\thttp://a\t-\t5-2/a\n",
            "sse-bridge cat 1\n\n",
            "\0\0",
        ] {
            fs::write(&path, text).unwrap();
            let (memory, aside) = open(&path).unwrap();
            let aside = aside.unwrap_or_else(|| panic!("{text:?} is taken for good")).0;
            assert_eq!((memory.lines.len(), fs::read_to_string(aside).unwrap()), (0, text.to_owned()));
        }
        fs::write(&path, "").unwrap();
        assert_eq!(open(&path).unwrap().1, None);
    }

    #[test]
    fn what_is_not_ours_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        fs::write(&path, "sse-bridge cat 2\nwhatever\n").unwrap();
        assert!(matches!(open(&path), Err(NoMemory::Newer)));
        assert!(matches!(open(directory.path()), Err(NoMemory::NoFile)));
        assert!(matches!(open(Path::new("/nowhere/state")), Err(NoMemory::Lock(..))));
    }

    #[test]
    fn a_place_belongs_to_its_question() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        let (mut memory, _) = open(&path).unwrap();
        memory.save(&one("http://a", b"5-3/x"), |_| true).unwrap();
        drop(memory);
        let other = Question::read("grep=x").unwrap();
        let (mut memory, _) = Memory::open(&path, other.clone()).unwrap();
        assert!(
            matches!(memory.compare("http://a"), Err(NoMemory::Asked { then, now, .. }) if then == "all lines" && now == "'grep=x'")
        );
        assert!(matches!(memory.compare("http://b"), Ok(Difference::None)), "nothing is known of it");
        // What is not asked for keeps its question, though what was begun of it is completed.
        memory
            .save(&[one("http://a", b"5-4/x"), one("http://b", b"5-1/x")].into_iter().flatten().collect(), |name| {
                name == "http://b"
            })
            .unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, "sse-bridge cat 1\n5-4/x\thttp://a\t-\n5-1/x\thttp://b\tgrep=x\n");
    }

    #[test]
    fn a_link_stays_one() {
        let directory = tempfile::tempdir().unwrap();
        let (path, link) = (directory.path().join("state"), directory.path().join("link"));
        fs::write(&path, "").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        drop(open(&link).unwrap());
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{HEAD}\n"));
    }

    proptest! {
        #[test]
        fn every_place_comes_back(id: Vec<u8>, part in proptest::option::of((any::<Vec<u8>>(), any::<Vec<u8>>())), grep: Vec<String>) {
            let part = part.map(|(id, rest)| Part { id, rest });
            let question = Question::of(&crate::config::cat::Cat { grep, ..Default::default() });
            let line = Line { place: Place { id, part }, question };
            let lines = BTreeMap::from([("http://h/events?a=%20b".to_owned(), line)]);
            prop_assert_eq!(parse(text(&lines).as_bytes()), Ok(lines));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "(sse-bridge cat 1\n)?.*\n?") {
            let _ = parse(text.as_bytes());
        }
    }
}
