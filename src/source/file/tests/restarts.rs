//! Restarts: the daemon ends at any instant with all that it knows, and the next one begins with the positions that were committed.
//!
//! Whatever is done to the files in between, every line is committed once, in order, or its loss is told. In the model an end costs what only the
//! daemon had: files without a name, and what was read of unfinished lines that have been cut.

mod cases;
mod gone;
mod instants;
mod scene;

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use proptest::sample::Index;

use super::super::place::Place;
use super::super::position::{Kind, Position};
use super::*;
use crate::channel::Channels;
use crate::event::ChannelName;
use crate::pipeline::lanes::{Lanes, Manners};
use crate::pipeline::{Fittings, Manner, Writer};
use crate::store::{Commit, Store};

/// One run of the daemon, from its files to its store.
struct Run {
    follower: Follower,
    lanes: Lanes,
    store: Arc<Store>,
}

/// What has been committed.
#[derive(Debug, Default, Clone)]
struct Disk {
    lines: Vec<(String, String)>,
    positions: HashMap<ChannelName, Box<str>>,
}

impl Run {
    fn start(bench: &Bench) -> Self {
        let (files, options) = (bench.files.clone(), bench.options.clone());
        let store = Arc::new(Store::new(1));
        store.record();
        let fittings = Fittings { store: Arc::clone(&store), metrics: Arc::default() };
        let (max_line, flush_partial) = (bench.max_line, bench.flush_partial);
        let manner = Manner { max_line, recipe: Arc::default(), flush_partial, writer: Writer::File };
        let manners = Manners::default();
        manners.set(SourceKey::default(), manner);
        let mut lanes = Lanes::new(fittings, manners, Channels::new(1 << 20, 1));
        let positions = bench.disk.positions.clone();
        let all = positions.iter().map(|(channel, text)| (channel.clone(), text.clone())).collect();
        let stored = Stored::new(all, move |channel| positions.get(channel).cloned());
        let mut follower = Follower::new(options, stored, Orders::new().unwrap(), Stop::new().unwrap());
        follower.first_look(files, Instant::now() + Duration::from_secs(10), &mut |news| lanes.take(news));
        let mut run = Self { follower, lanes, store };
        run.settle();
        run
    }

    fn settle(&mut self) {
        let keys: Vec<_> = self.follower.trails.keys().copied().collect();
        self.follower.globs.iter_mut().for_each(Matching::hint_for_test);
        for key in keys {
            self.follower.look_at(key);
        }
        for _ in 0..1000 {
            self.follower.step(Some(Instant::now()), &mut |news| self.lanes.take(news)).unwrap();
            self.lanes.do_what_is_due(Instant::now(), &mut self.follower);
            if self.follower.looks.is_empty() && self.follower.ready.is_empty() {
                return;
            }
        }
        panic!("it never settles");
    }
}

impl Disk {
    fn take(&mut self, commits: &[Commit]) {
        for commit in commits {
            let text = String::from_utf8(commit.encoded.clone()).unwrap();
            for event in text.split_terminator("\n\n") {
                let is_gap = event.contains("\nevent: gap\n");
                let data = event.lines().find_map(|line| line.strip_prefix("data: ")).unwrap_or_default();
                let line = if is_gap { "LOST" } else { data };
                self.lines.push((commit.channel.to_string(), line.to_owned()));
            }
            if let Some(source) = &commit.source {
                assert!(Position::parse(source).is_some(), "{source}");
                self.positions.insert(commit.channel.clone(), source.clone());
            } else {
                assert!(text.is_empty(), "events without a position: {text}");
            }
        }
    }

    fn lines(&self) -> Vec<&str> {
        self.lines.iter().map(|(_, line)| line.as_str()).collect()
    }

    fn lines_of(&self, channel: &str) -> Vec<&str> {
        self.lines.iter().filter(|(name, _)| name == channel).map(|(_, line)| line.as_str()).collect()
    }
}

/// A daemon that can be ended and begun again, and what it has committed.
struct Bench {
    files: Vec<Wanted>,
    options: Options,
    flush_partial: Option<Duration>,
    max_line: usize,
    disk: Disk,
    /// The run, and how many of its commits the disk has.
    run: Option<(Run, usize)>,
}

impl Bench {
    fn start(files: Vec<Wanted>, options: Options) -> Self {
        let mut bench = Self::new(files, options);
        bench.look();
        bench
    }

    /// One that has not begun.
    fn new(files: Vec<Wanted>, options: Options) -> Self {
        Self { files, options, flush_partial: None, max_line: 1000, disk: Disk::default(), run: None }
    }

    /// Looks at everything; first begins again, if it was ended.
    fn look(&mut self) {
        let (mut run, done) = self.run.take().unwrap_or_else(|| (Run::start(self), 0));
        run.settle();
        let commits = run.store.recorded();
        self.disk.take(&commits[done..]);
        self.run = Some((run, commits.len()));
    }

    /// Looks at everything, ends behind one of the commits, and begins again.
    fn look_and_end(&mut self, at: Index) {
        let (mut run, done) = self.run.take().unwrap_or_else(|| (Run::start(self), 0));
        run.settle();
        let commits = run.store.recorded();
        let kept = at.index(commits.len() - done + 1);
        self.disk.take(&commits[done..][..kept]);
        drop(run);
        self.look();
    }

    fn end(&mut self) {
        self.run = None;
    }

    /// All that is done between an end and the next beginning.
    fn while_down(&mut self, work: impl FnOnce()) {
        self.end();
        let_the_clock_step();
        work();
        let_the_clock_step();
        self.look();
    }

    fn lines(&self) -> Vec<&str> {
        self.disk.lines()
    }
}

impl Model {
    /// Whether the model can say what becomes of an end now: after one, nobody knows what a deleted file followed.
    fn may_end(&self) -> bool {
        !self.left.iter().flatten().any(|content| content.name == Name::Lost && content.is_after_loss)
    }

    /// Whether all that is still to be given stands in files that can be found.
    fn is_all_in_files(&self) -> bool {
        let is_in_file = |content: &Content| content.partial.is_empty() && content.name == Name::Has;
        self.left.iter().flatten().chain(&self.current).all(is_in_file)
    }

    fn end(&mut self) {
        self.is_up = false;
        let forget = |content: &mut Content| {
            content.read -= unfinished(&content.bytes[..content.read]).len();
            content.partial.clear();
        };
        self.current.iter_mut().for_each(forget);
        for left in std::mem::take(&mut self.left) {
            let Some(mut content) = left else {
                self.left.push(None);
                continue;
            };
            forget(&mut content);
            let name = content.name;
            if name != Name::Has {
                content.bytes.truncate(content.read);
                content.name = Name::Gone;
            }
            self.left.push(Some(content));
            if name == Name::Lost {
                self.left.push(None);
            }
        }
    }
}

#[derive(Debug, Clone)]
enum Deed {
    Do(Action),
    End,
    LookAndEnd(Index),
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let write = (1..5_usize, any::<bool>()).prop_map(|(lines, is_finished)| Action::Write { lines, is_finished });
    let other = prop_oneof![Just(Action::Rename), Just(Action::CopyTruncate), Just(Action::Truncate), Just(Action::Delete)];
    let ends = prop_oneof![2 => Just(Deed::End), 1 => any::<Index>().prop_map(Deed::LookAndEnd)];
    let deed = prop_oneof![
        5 => write.prop_map(Deed::Do),
        3 => other.prop_map(Deed::Do),
        3 => Just(Deed::Do(Action::Look)),
        3 => ends
    ];
    proptest::collection::vec(deed, 1..25)
}

fn follow_model_through_ends(deeds: &[Deed], keeps_open: bool) -> Result<(), TestCaseError> {
    let mut model = Model::new(keeps_open);
    let open_files = if keeps_open { 100 } else { 0 };
    let mut bench = Bench::start(one(&model.path), Options { open_files, ..options() });
    for deed in deeds.iter().chain([&Deed::Do(Action::Look), &Deed::End, &Deed::Do(Action::Look), &Deed::Do(Action::Look)]) {
        match deed {
            Deed::Do(Action::Write { lines, is_finished }) => model.write(*lines, *is_finished),
            Deed::Do(Action::Rename) => model.rename(),
            Deed::Do(Action::CopyTruncate) => model.copy_and_truncate(),
            Deed::Do(Action::Truncate) => model.truncate(),
            Deed::Do(Action::Delete) => model.delete(),
            Deed::End if model.may_end() => {
                model.end();
                bench.end();
            }
            Deed::LookAndEnd(at) if model.is_all_in_files() => {
                let_the_clock_step();
                bench.look_and_end(*at);
                model.is_up = true;
                model.look();
            }
            Deed::Do(Action::Look) => {
                let_the_clock_step();
                bench.look();
                model.is_up = true;
                model.look();
            }
            Deed::End | Deed::LookAndEnd(_) => continue,
        }
        if matches!(deed, Deed::Do(Action::Look) | Deed::LookAndEnd(_)) {
            prop_assert_eq!(bench.lines(), model.expected.clone());
            check_positions(&model, &bench.disk)?;
        }
    }
    Ok(())
}

/// No position is behind bytes that are in no event: what it goes on with begins a line.
fn check_positions(model: &Model, disk: &Disk) -> Result<(), TestCaseError> {
    let Some(text) = disk.positions.values().next() else { return Ok(()) };
    for stored in Position::parse(text).unwrap().files {
        let mut paths = fs::read_dir(model.directory.path()).unwrap().map(|entry| entry.unwrap().path());
        let Some(path) = paths.find(|path| fs::metadata(path).unwrap().ino() == stored.identity.inode()) else { continue };
        let place: Place = stored.spot.place();
        let from = usize::try_from(place.offset - place.held).unwrap();
        let bytes = fs::read(path).unwrap();
        let before = bytes.get(..from).map(|before| before.last().copied());
        prop_assert!(stored.kind == Kind::Done || matches!(before, Some(None | Some(b'\n'))), "{:?} in {:?}", stored, text);
    }
    Ok(())
}

proptest! {
    #![proptest_config(few())]

    #[test]
    fn a_file_is_given_once_through_all_ends(deeds in deeds()) {
        follow_model_through_ends(&deeds, true)?;
    }

    #[test]
    fn so_is_one_that_is_closed_whenever_it_is_idle(deeds in deeds()) {
        follow_model_through_ends(&deeds, false)?;
    }
}
