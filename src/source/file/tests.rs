//! The follower against a model: whatever is done to a file between two looks, what it gives is what the model says, in order.
//!
//! The model knows what lies where. It says what can be found (renamed files, copies made before a truncation, whatever a held file still has)
//! and what is lost, and at which place a loss is told. Two things are lost without a sign, because there is none: bytes of a file that was
//! deleted before anybody looked at it, and bytes of a truncated file of which nothing had been read.

mod restarts;

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::discover::Matching;
use super::*;
use crate::framing::Framer;
use crate::source::{FileKey, News, PathKey, Paths, SourceKey, State, Stop};

/// A follower, and what it gave.
struct Bench {
    follower: Follower,
    names: RefCell<HashMap<PathKey, String>>,
    framers: HashMap<FileKey, Framer>,
    /// Channel and line; `LOST` for a loss.
    given: Vec<(String, String)>,
    states: Vec<(String, State)>,
    left: Vec<String>,
    /// Which source each channel was said to belong to, as it came.
    sources: Vec<(String, SourceKey)>,
}

impl Bench {
    fn start(wanted: Vec<Wanted>, options: Options) -> Self {
        let follower = Follower::new(options, Stored::nothing(), Orders::new().unwrap(), Stop::new().unwrap());
        let (names, framers) = (RefCell::default(), HashMap::new());
        let mut bench =
            Self { follower, names, framers, given: Vec::new(), states: Vec::new(), left: Vec::new(), sources: Vec::new() };
        bench.with(|follower, news| follower.first_look(wanted, Instant::now() + Duration::from_secs(10), news));
        bench
    }

    fn with(&mut self, work: impl FnOnce(&mut Follower, &mut crate::source::Sink<'_>)) {
        let Self { follower, names, framers, given, states, left, sources } = self;
        let mut give = |path: PathKey, line: &[u8]| {
            given.push((names.borrow()[&path].clone(), String::from_utf8_lossy(line).into_owned()));
        };
        work(follower, &mut |news| match news {
            News::Followed { source, path, channel } => {
                sources.push((channel.to_string(), source));
                names.borrow_mut().insert(path, channel.to_string());
            }
            News::Bytes { path, file, bytes, .. } => {
                framers.entry(file).or_insert_with(|| Framer::new(1000)).push(bytes, |line| give(path, line.content));
            }
            News::Over { path, file, .. } => {
                if let Some(mut framer) = framers.remove(&file) {
                    framer.end(|line| give(path, line.content));
                }
            }
            News::Lost { path, .. } => give(path, b"LOST"),
            News::Moved { .. } | News::Settle { .. } | News::Changed { .. } | News::Leaving { .. } => {}
            News::State { path, state } => states.push((names.borrow()[&path].clone(), state)),
            News::Left { path } => left.push(names.borrow()[&path].clone()),
        });
    }

    /// Looks at everything, and reads until nothing is left to do.
    fn settle(&mut self) {
        let keys: Vec<_> = self.follower.trails.keys().copied().collect();
        self.follower.globs.iter_mut().for_each(Matching::hint_for_test);
        for key in keys {
            self.follower.look_at(key);
        }
        for _ in 0..1000 {
            self.with(|follower, news| {
                follower.step(Some(Instant::now()), news).unwrap();
            });
            if self.follower.looks.is_empty() && self.follower.ready.is_empty() {
                return;
            }
        }
        panic!("it never settles");
    }

    fn lines(&self) -> Vec<String> {
        self.given.iter().map(|(_, line)| line.clone()).collect()
    }

    fn lines_of(&self, channel: &str) -> Vec<&str> {
        self.given.iter().filter(|(name, _)| name == channel).map(|(_, line)| line.as_str()).collect()
    }
}

fn options() -> Options {
    Options { rotate_wait: Duration::ZERO, hints: Hints::Off, open_files: 100 }
}

/// From their first bytes.
fn wanted(files: Files) -> Wanted {
    Wanted { source: SourceKey::default(), files, opening: Opening { begin: Begin::Start, records: Records::Lines } }
}

/// The same, from elsewhere.
fn beginning(begin: Begin, mut all: Vec<Wanted>) -> Vec<Wanted> {
    for wanted in &mut all {
        wanted.opening.begin = begin;
    }
    all
}

fn one(path: &Path) -> Vec<Wanted> {
    vec![named("f", path)]
}

fn named(name: &str, path: &Path) -> Wanted {
    wanted(Files::One { channel: name.parse().unwrap(), path: path.to_owned() })
}

fn append(path: &Path, bytes: impl AsRef<[u8]>) {
    OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(bytes.as_ref()).unwrap();
}

/// Files made in one step of the kernel's clock cannot be put in order.
fn let_the_clock_step() {
    thread::sleep(Duration::from_millis(12));
}

/// A content that stood under the path.
#[derive(Debug, Default, Clone)]
struct Content {
    bytes: Vec<u8>,
    /// How much of it is in events, or is known to the daemon as an unfinished line.
    read: usize,
    /// Whether any of it has been read.
    is_known: bool,
    /// Whether a look has seen it.
    is_seen: bool,
    /// Whether something was lost before it.
    is_after_loss: bool,
    /// What an unfinished line had when the content was cut.
    partial: Vec<u8>,
    name: Name,
}

/// Whether a content can be found.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Name {
    #[default]
    Has,
    /// It was deleted while the daemon held it open.
    Lost,
    /// It was deleted; what has not been read is lost.
    Gone,
}

struct Model {
    directory: tempfile::TempDir,
    path: PathBuf,
    current: Option<Content>,
    /// Contents that can still be found, oldest first; `None` stands for a loss.
    left: Vec<Option<Content>>,
    keeps_open: bool,
    /// Whether the daemon runs.
    is_up: bool,
    expected: Vec<String>,
    next_line: usize,
    next_name: usize,
}

impl Model {
    fn new(keeps_open: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app.log");
        let (left, expected) = (Vec::new(), Vec::new());
        Self { directory, path, current: None, left, keeps_open, is_up: true, expected, next_line: 0, next_name: 0 }
    }

    fn write(&mut self, lines: usize, is_finished: bool) {
        let mut text = String::new();
        for index in 0..lines {
            self.next_line += 1;
            write!(text, "{:05} line", self.next_line).unwrap();
            if is_finished || index + 1 < lines {
                text.push('\n');
            }
        }
        if self.current.is_none() {
            let_the_clock_step();
        }
        append(&self.path, &text);
        self.current.get_or_insert_with(Content::default).bytes.extend_from_slice(text.as_bytes());
    }

    fn new_name(&mut self) -> PathBuf {
        let_the_clock_step();
        self.next_name += 1;
        self.directory.path().join(format!("app.log.{}", self.next_name))
    }

    fn rename(&mut self) {
        let Some(content) = self.current.take() else { return };
        let name = self.new_name();
        fs::rename(&self.path, name).unwrap();
        self.left.push(Some(content));
    }

    fn copy_and_truncate(&mut self) {
        if self.current.is_none() {
            return;
        }
        let name = self.new_name();
        fs::copy(&self.path, name).unwrap();
        let_the_clock_step();
        OpenOptions::new().write(true).truncate(true).open(&self.path).unwrap();
        let content = self.current.as_mut().unwrap();
        if content.bytes.is_empty() {
            return; // a copy of nothing says nothing
        }
        let before = std::mem::replace(content, Content { is_seen: content.is_seen, is_after_loss: true, ..Content::default() });
        self.left.push(Some(before));
    }

    fn truncate(&mut self) {
        let Some(content) = &mut self.current else { return };
        OpenOptions::new().write(true).truncate(true).open(&self.path).unwrap();
        let has_read = content.is_seen && content.is_known;
        let partial =
            if has_read && !content.is_after_loss { unfinished(&content.bytes[..content.read]) } else { content.partial.clone() };
        *content =
            Content { is_seen: content.is_seen, is_after_loss: content.is_after_loss || has_read, partial, ..Content::default() };
    }

    fn delete(&mut self) {
        // Which of the files made since came before a loss and which after it cannot be told of a file that is neither open nor there.
        let is_known = |content: &Content| self.keeps_open && self.is_up && content.is_seen;
        if self.current.as_ref().is_some_and(|content| content.is_after_loss && !is_known(content)) {
            return;
        }
        let Some(mut content) = self.current.take() else { return };
        fs::remove_file(&self.path).unwrap();
        if is_known(&content) {
            content.name = Name::Lost;
            self.left.push(Some(content));
        } else if content.is_seen {
            content.bytes.truncate(content.read);
            content.name = Name::Gone;
            self.left.extend([Some(content), None]);
        }
    }

    /// What a look gives.
    fn look(&mut self) {
        for left in std::mem::take(&mut self.left) {
            match left {
                Some(mut content) => {
                    self.give(&mut content);
                    let rest = unfinished(&content.bytes);
                    self.give_rest(rest);
                }
                None => self.expected.push("LOST".to_owned()),
            }
        }
        if let Some(mut content) = self.current.take() {
            self.give(&mut content);
            self.current = Some(content);
        }
    }

    fn give(&mut self, content: &mut Content) {
        let partial = std::mem::take(&mut content.partial);
        self.give_rest(partial);
        if std::mem::take(&mut content.is_after_loss) {
            self.expected.push("LOST".to_owned());
        }
        let text = String::from_utf8(content.bytes.clone()).unwrap();
        let before = text[..content.read].matches('\n').count();
        let lines: Vec<_> = text.split_inclusive('\n').filter(|line| line.ends_with('\n')).collect();
        self.expected.extend(lines[before..].iter().map(|line| line.trim_end().to_owned()));
        content.read = content.bytes.len();
        content.is_known |= content.read > 0;
        content.is_seen = true;
    }

    fn give_rest(&mut self, rest: Vec<u8>) {
        if !rest.is_empty() {
            self.expected.push(String::from_utf8(rest).unwrap());
        }
    }
}

fn unfinished(bytes: &[u8]) -> Vec<u8> {
    bytes.rsplit(|byte| *byte == b'\n').next().unwrap_or_default().to_vec()
}

#[derive(Debug, Clone, Copy)]
enum Action {
    Write { lines: usize, is_finished: bool },
    Rename,
    CopyTruncate,
    Truncate,
    Delete,
    Look,
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let write = (1..5_usize, any::<bool>()).prop_map(|(lines, is_finished)| Action::Write { lines, is_finished });
    let other = prop_oneof![Just(Action::Rename), Just(Action::CopyTruncate), Just(Action::Truncate), Just(Action::Delete)];
    proptest::collection::vec(prop_oneof![5 => write, 3 => other, 4 => Just(Action::Look)], 1..25)
}

fn follow_model(actions: &[Action], keeps_open: bool) -> Result<(), TestCaseError> {
    let mut model = Model::new(keeps_open);
    let open_files = if keeps_open { 100 } else { 0 };
    let mut bench = Bench::start(one(&model.path), Options { open_files, ..options() });
    for action in actions.iter().chain([&Action::Look, &Action::Look]) {
        match *action {
            Action::Write { lines, is_finished } => model.write(lines, is_finished),
            Action::Rename => model.rename(),
            Action::CopyTruncate => model.copy_and_truncate(),
            Action::Truncate => model.truncate(),
            Action::Delete => model.delete(),
            Action::Look => {
                let_the_clock_step();
                bench.settle();
                model.look();
                prop_assert_eq!(bench.lines(), model.expected.clone());
            }
        }
    }
    Ok(())
}

/// Each case waits for the clock of the file system many times.
fn few() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig { cases: usual.cases.div_ceil(8), ..usual }
}

proptest! {
    #![proptest_config(few())]

    #[test]
    fn a_followed_file_gives_what_the_model_says(actions in actions()) {
        follow_model(&actions, true)?;
    }

    #[test]
    fn so_does_one_that_is_closed_whenever_it_is_idle(actions in actions()) {
        follow_model(&actions, false)?;
    }
}

fn matching(name: &str, pattern: &Path) -> Vec<Wanted> {
    vec![wanted(Files::Matching { name: Some(name.parse().unwrap()), glob: Glob::parse(pattern).unwrap() })]
}

#[test]
fn a_file_with_two_names_is_read_once_and_goes_on_under_the_other() {
    let root = tempfile::tempdir().unwrap();
    let [first, second] = ["first", "second"].map(|name| root.path().join(name));
    append(&first, "1\n");
    fs::hard_link(&first, &second).unwrap();
    let mut bench = Bench::start(vec![named("a", &first), named("b", &second)], options());
    append(&second, "2\n");
    bench.settle();
    assert_eq!((bench.lines_of("a"), bench.lines_of("b")), (vec!["1", "2"], vec![]));
    assert!(matches!(&bench.states[..], [(name, State::Elsewhere(_))] if name == "b"), "{:?}", bench.states);
    fs::remove_file(&first).unwrap();
    append(&second, "3\n");
    bench.settle();
    append(&second, "4\n");
    bench.settle();
    assert_eq!((bench.lines_of("a"), bench.lines_of("b")), (vec!["1", "2", "3"], vec!["4"]));
}

#[test]
fn rotated_files_that_the_glob_matches_too_are_not_read_again() {
    for copies in [false, true] {
        for open_files in [100, 0] {
            let root = tempfile::tempdir().unwrap();
            let path = |name: &str| root.path().join(name);
            append(&path("app.log"), "1\n");
            let mut bench = Bench::start(matching("x", &path("app.log*")), Options { open_files, ..options() });
            for round in 2..6 {
                append(&path("app.log"), format!("{round}\n"));
                for number in (1..round).rev() {
                    let _ = fs::rename(path(&format!("app.log.{number}")), path(&format!("app.log.{}", number + 1)));
                }
                let_the_clock_step();
                if copies {
                    fs::copy(path("app.log"), path("app.log.1")).unwrap();
                    bench.settle();
                    OpenOptions::new().write(true).truncate(true).open(path("app.log")).unwrap();
                } else {
                    fs::rename(path("app.log"), path("app.log.1")).unwrap();
                    append(&path("app.log"), "");
                }
                bench.settle();
                bench.settle();
            }
            let lines: Vec<_> = bench.lines().into_iter().filter(|line| line != "LOST").collect();
            assert_eq!(lines, ["1", "2", "3", "4", "5"], "copies {copies}, {open_files} open: {:?}", bench.given);
        }
    }
}

#[test]
fn a_link_that_leads_elsewhere_is_followed_at_once_and_the_old_file_is_read_to_its_end() {
    let root = tempfile::tempdir().unwrap();
    let path = |name: &str| root.path().join(name);
    for version in ["..1", "..2"] {
        fs::create_dir(path(version)).unwrap();
        append(&path(version).join("app.log"), format!("from {version}\n"));
    }
    symlink("..1", path("..data")).unwrap();
    symlink("..data/app.log", path("app.log")).unwrap();
    let mut bench = Bench::start(one(&path("app.log")), Options { rotate_wait: Duration::from_secs(100), ..options() });
    append(&path("..1/app.log"), "more\n");
    symlink("..2", path("..new")).unwrap();
    fs::rename(path("..new"), path("..data")).unwrap();
    bench.settle();
    append(&path("..1/app.log"), "late\n");
    bench.settle();
    assert_eq!(bench.lines(), ["from ..1", "more", "from ..2", "late"]);
}

#[test]
fn what_is_no_file_is_waited_for() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("f");
    append(&path, "1\n");
    let mut bench = Bench::start(one(&path), options());
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    bench.settle();
    fs::remove_dir(&path).unwrap();
    bench.settle();
    append(&path, "2\n");
    bench.settle();
    assert_eq!(bench.lines(), ["1", "2"]);
    let states: Vec<_> = bench.states.iter().map(|(_, state)| state.clone()).collect();
    assert_eq!(states, [State::Failing("it is a directory".to_owned()), State::Absent, State::Reading]);
}

#[test]
fn a_path_of_a_glob_is_forgotten_with_its_file() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("d/f.log");
    let mut bench = Bench::start(matching("x", &root.path().join("*/*.log")), options());
    for round in 0..3 {
        fs::create_dir(path.parent().unwrap()).unwrap();
        append(&path, format!("{round}\n"));
        bench.settle();
        append(&path, "end");
        bench.settle();
        fs::remove_dir_all(path.parent().unwrap()).unwrap();
        bench.settle();
    }
    assert_eq!(bench.lines(), ["0", "end", "1", "end", "2", "end"]);
    assert_eq!(bench.left.len(), 3);
    let follower = &bench.follower;
    let left = (follower.trails.len(), follower.paths.len(), follower.interest.len(), follower.owners.len(), follower.open);
    assert_eq!(left, (0, 0, 0, 0, 0));
}

#[test]
fn each_source_has_its_beginning_and_a_named_file_is_its_own() {
    let root = tempfile::tempdir().unwrap();
    let path = |name: &str| root.path().join(name);
    append(&path("a.log"), "1\n2\n");
    append(&path("b.log"), "1\n2\n");
    let glob = Files::Matching { name: None, glob: Glob::parse(&path("*.log")).unwrap() };
    let channel = crate::source::naming::channel_name(None, Some(&path("b.log")));
    let own = Files::One { channel, path: path("b.log") };
    let all = vec![
        Wanted { source: SourceKey(1), ..wanted(glob) },
        Wanted { source: SourceKey(2), ..beginning(Begin::Last(1), vec![wanted(own)]).remove(0) },
    ];
    let bench = Bench::start(all, options());
    let mut lines: Vec<_> = bench.given.iter().map(|(name, line)| (name.rsplit('/').next().unwrap(), line.as_str())).collect();
    lines.sort_unstable();
    assert_eq!(lines, [("a.log", "1"), ("a.log", "2"), ("b.log", "2")]);
    let sources: Vec<_> = bench.sources.iter().map(|(name, source)| (name.rsplit('/').next().unwrap(), source.0)).collect();
    assert!(sources.contains(&("a.log", 1)) && sources.last() == Some(&("b.log", 2)), "{sources:?}");
}
