//! The loop that follows all files: waits, looks, reads, in turn.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use tracing::{info, warn};

use super::clock;
use super::discover::Matching;
use super::done::DoneFiles;
use super::identity::Identity;
use super::listing::Listings;
use super::place::CHECK;
use super::reader::BLOCK;
use super::restore::Stored;
use super::schedule::{Schedule, Task};
use super::trail::{Asked, Origin, Trail, Watching};
use super::watch::{Hint, Refusal, Watches};
use super::{Files, Hints, Options, Orders, Wanted};
use crate::source::{FileKey, PathKey, Paths, Ready, Sink, Step, Stop, wait};

/// How many looks are done before files are read again.
const LOOKS_A_STEP: usize = 64;

/// How many different things are said once.
const MOST_SAID: usize = 1000;

/// The pause between checks of the watches.
const VERIFY: Duration = Duration::from_secs(1);

/// The pause before the kernel is asked again for what it has refused.
const REFUSED: Duration = Duration::from_secs(60);

/// The moment of a step, by three clocks: for waiting, of the day, and to compare with what file systems say.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    pub instant: Instant,
    pub time: SystemTime,
    stamp: SystemTime,
}

impl Now {
    /// The present.
    #[must_use]
    pub fn read() -> Self {
        Self { instant: Instant::now(), time: SystemTime::now(), stamp: clock::stamp() }
    }

    /// The time that a file system may still write as the present: nothing that happens from now on is older.
    #[must_use]
    pub fn stamp(self) -> SystemTime {
        self.stamp
    }
}

/// Follows files.
#[derive(Debug)]
pub struct Follower {
    pub(super) options: Options,
    pub(super) trails: HashMap<PathKey, Trail>,
    pub(super) globs: Vec<Matching>,
    /// Followed paths, by the source that came first.
    pub(super) paths: HashMap<PathBuf, PathKey>,
    /// Paths that a glob matches as well, by its place among them, under another name.
    pub(super) matched_again: HashSet<(usize, PathBuf)>,
    /// For each name that leads to a file: the paths that it is on the way of.
    pub(super) interest: HashMap<PathBuf, Vec<PathKey>>,
    /// Paths that are followed no more, and when they were looked at last.
    pub(super) forgotten: HashMap<PathBuf, SystemTime>,
    /// Who reads a file.
    pub(super) owners: HashMap<Identity, PathKey>,
    pub(super) done: DoneFiles,
    /// Who would read a file if its owner did not.
    pub(super) twins: HashMap<Identity, Vec<PathKey>>,
    /// What is beside the files.
    pub(super) listings: Listings,
    pub(super) watches: Watches,
    pub(super) schedule: Schedule,
    /// Paths to look at.
    pub(super) looks: VecDeque<PathKey>,
    /// Paths with something to read.
    pub(super) ready: VecDeque<PathKey>,
    pub(super) block: Box<[u8]>,
    /// How many files are open.
    pub(super) open: usize,
    /// Whether this step could not open one more.
    pub(super) is_full: bool,
    /// How many turns in a row could do nothing for want of a descriptor.
    pub(super) put_off: usize,
    /// When it first looked.
    pub(super) began: SystemTime,
    /// Whether what is found now was there before the daemon.
    pub(super) is_first: bool,
    /// What the kernel has refused, and when.
    refused: Option<(Refusal, Instant)>,
    /// What has been said once.
    pub(super) said: HashSet<String>,
    /// What was stored before this run.
    pub(super) stored: Stored,
    /// Where positions are written.
    pub(super) text: String,
    /// Paths that are followed, and not looked at before all of them are known.
    pub(super) unlooked: Vec<PathKey>,
    /// Where the paths lead, while they are looked at first and somebody has asked.
    pub(super) names_at_first: Option<HashMap<Identity, PathBuf>>,
    /// What else is to be done.
    pub(super) orders: Orders,
    stop: Stop,
    next_key: u64,
}

impl Paths for Follower {
    fn step(&mut self, until: Option<Instant>, news: &mut Sink<'_>) -> io::Result<Step> {
        let is_busy = self.ready.len() > self.put_off || !self.looks.is_empty();
        let until = if is_busy {
            Some(Instant::now())
        } else {
            until.into_iter().chain(self.schedule.next()).chain(self.next_scan()).min()
        };
        let fds: Vec<_> = [self.orders.bell()].into_iter().chain(self.watches.inotify().map(AsFd::as_fd)).collect();
        let ready = wait(&fds, &self.stop, until)?;
        let now = Now::read();
        match ready {
            Ready::Stopped => return Ok(Step::Stopped),
            Ready::Bytes => {
                self.take_hints();
                self.obey(now, news);
            }
            Ready::Quiet => {}
        }
        for task in self.schedule.take(now.instant) {
            self.take_up(task, now, news);
        }
        self.scan_hinted(now, news);
        for _ in 0..LOOKS_A_STEP {
            let Some(key) = self.looks.pop_front() else { break };
            self.look(key, now, news);
        }
        self.read_ready(now, news);
        Ok(Step::Again)
    }

    fn position_behind(&mut self, path: PathKey, file: FileKey, held: usize) -> Option<&str> {
        let readers = self.trails.get_mut(&path).into_iter().flat_map(|trail| &mut trail.readers);
        readers.filter(|reader| reader.key == file).for_each(|reader| reader.place.hold(held));
        self.position(path)
    }
}

impl Follower {
    /// A follower that has not looked yet, and goes on where the run before has left what is `stored`.
    #[must_use]
    pub fn new(options: Options, stored: Stored, orders: Orders, stop: Stop) -> Self {
        let mut follower = Self {
            options,
            trails: HashMap::new(),
            globs: Vec::new(),
            paths: HashMap::new(),
            matched_again: HashSet::new(),
            interest: HashMap::new(),
            forgotten: HashMap::new(),
            owners: HashMap::new(),
            done: DoneFiles::default(),
            twins: HashMap::new(),
            listings: Listings::default(),
            watches: Watches::off(),
            schedule: Schedule::new(Instant::now()),
            looks: VecDeque::new(),
            ready: VecDeque::new(),
            block: vec![0; CHECK + BLOCK].into(),
            open: 0,
            is_full: false,
            put_off: 0,
            began: SystemTime::now(),
            is_first: true,
            refused: None,
            said: HashSet::new(),
            stored,
            text: String::new(),
            unlooked: Vec::new(),
            names_at_first: None,
            orders,
            stop,
            next_key: 0,
        };
        if follower.options.hints == Hints::Kernel {
            follower.open_watches();
        }
        follower
    }

    /// Looks at everything once, in the order in which the user named it, and reads what was there before, until `deadline` at most.
    pub fn first_look(&mut self, wanted: Vec<Wanted>, deadline: Instant, news: &mut Sink<'_>) {
        let now = Now::read();
        self.look_first(wanted, now, news);
        self.schedule.add(Task::Watches, now.instant, VERIFY);
        while !self.ready.is_empty() && Instant::now() < deadline {
            self.read_ready(Now::read(), news);
        }
    }

    /// Looks at what is wanted for the first time: what is found there now was there before.
    pub(super) fn look_first(&mut self, wanted: Vec<Wanted>, now: Now, news: &mut Sink<'_>) {
        self.is_first = true;
        for Wanted { source, files, opening } in wanted {
            let asked = Asked { source, opening };
            match files {
                Files::One { channel, path } => self.follow_named(path, channel, asked, now, news),
                Files::Matching { name, glob } => self.follow_matching(name, glob, asked, now, news),
            }
        }
        self.date_matches();
        for key in std::mem::take(&mut self.unlooked) {
            self.look(key, now, news);
        }
        (self.is_first, self.names_at_first, self.stored.unfinished) = (false, None, Vec::new());
        self.say_named();
    }

    /// Says which of the files that the user named are there.
    fn say_named(&self) {
        let is_there = |trail: &&Trail| trail.origin == Origin::Named && !trail.readers.is_empty();
        let there: Vec<_> = self.trails.values().filter(is_there).collect();
        match &there[..] {
            [] => {}
            [trail] => info!("following '{}'", trail.path.display()),
            _ => info!("following {} files", there.len()),
        }
    }

    fn take_up(&mut self, task: Task, now: Now, news: &mut Sink<'_>) {
        match task {
            Task::Path(key) => {
                let Some(trail) = self.trails.get(&key) else { return };
                self.schedule.add(task, now.instant, trail.pause());
                self.look_at(key);
            }
            Task::Glob(index) => self.scan(index, now, news),
            Task::Watches => {
                let moved = self.watches.verify();
                for directory in &moved {
                    self.look_below(directory);
                }
                self.ask_again(now.instant);
                self.listings.forget_unused();
                self.forget_forgotten(now);
                self.schedule.add(task, now.instant, VERIFY);
            }
        }
    }

    fn take_hints(&mut self) {
        for hint in self.watches.hints() {
            match hint {
                Hint::Grown(name) => self.note_growth(&name),
                Hint::Changed(name) => self.note_change(&name),
                Hint::Gone(directory) => self.look_below(&directory),
                Hint::Everywhere => {
                    self.say_once("the kernel lost hints of changed files (fs.inotify.max_queued_events); looking at all of them");
                    let keys: Vec<_> = self.trails.keys().copied().collect();
                    for key in keys {
                        self.suspect(key);
                    }
                    self.globs.iter_mut().for_each(|glob| glob.is_hinted = true);
                }
            }
        }
    }

    /// Bytes were written under this name.
    fn note_growth(&mut self, name: &Path) {
        for key in self.interest.get(name).cloned().unwrap_or_default() {
            let trail = self.trails.get_mut(&key);
            let open = trail.and_then(Trail::named).filter(|reader| reader.file().is_some());
            match open {
                Some(reader) => {
                    reader.is_unread = true;
                    self.read_at(key);
                }
                None => self.mark_unread(key),
            }
        }
        if !self.interest.contains_key(name) {
            self.hint_globs(name); // a match that was empty when it was found
        }
    }

    /// A name came, went or leads elsewhere.
    fn note_change(&mut self, name: &Path) {
        for key in self.interest.get(name).cloned().unwrap_or_default() {
            if let Some(trail) = self.trails.get_mut(&key) {
                trail.retry.reset();
            }
            self.look_at(key);
        }
        self.hint_globs(name);
    }

    /// What globs match may have changed.
    fn hint_globs(&mut self, name: &Path) {
        let directory = name.parent();
        let concerned = self.globs.iter_mut().filter(|glob| directory.is_some_and(|directory| glob.has_listed(directory)));
        concerned.for_each(|glob| glob.is_hinted = true);
    }

    /// A directory has gone, or its name leads elsewhere: everything below it may have changed.
    fn look_below(&mut self, directory: &Path) {
        let below: Vec<_> =
            self.interest.iter().filter(|(name, _)| name.starts_with(directory)).flat_map(|(_, keys)| keys.clone()).collect();
        for key in below {
            self.suspect(key);
        }
        self.globs.iter_mut().for_each(|glob| glob.is_hinted = true);
    }

    /// Bytes may have been written that no hint will tell of again.
    fn mark_unread(&mut self, key: PathKey) {
        if let Some(reader) = self.trails.get_mut(&key).and_then(Trail::named) {
            reader.is_unread = true;
        }
        self.look_at(key);
    }

    /// Hints of this path may have been lost.
    fn suspect(&mut self, key: PathKey) {
        if let Some(trail) = self.trails.get_mut(&key) {
            trail.is_way_stale = true;
        }
        self.mark_unread(key);
    }

    /// Puts a path among those to look at.
    pub(super) fn look_at(&mut self, key: PathKey) {
        let trail = self.trails.get_mut(&key).filter(|trail| !trail.is_looked_for);
        if let Some(trail) = trail {
            trail.is_looked_for = true;
            self.looks.push_back(key);
        }
    }

    /// Puts a path among those to read.
    pub(super) fn read_at(&mut self, key: PathKey) {
        let trail = self.trails.get_mut(&key).filter(|trail| !trail.is_ready);
        if let Some(trail) = trail {
            trail.is_ready = true;
            self.ready.push_back(key);
        }
    }

    pub(super) fn new_path(&mut self) -> PathKey {
        self.next_key += 1;
        PathKey(self.next_key)
    }

    pub(super) fn new_file(&mut self) -> FileKey {
        self.next_key += 1;
        FileKey(self.next_key)
    }

    /// Watches a directory; true if it is watched. What the kernel refuses is said once, and not asked for again at once.
    pub(super) fn watch(&mut self, directory: &Path) -> Result<bool, Refusal> {
        if let Some((refusal, _)) = self.refused {
            return Err(refusal);
        }
        self.watches.watch(directory).inspect_err(|refusal| self.note_refusal(*refusal))
    }

    fn note_refusal(&mut self, refusal: Refusal) {
        self.refused = Some((refusal, Instant::now()));
        self.say_refusal(refusal);
    }

    /// Asks the kernel again for what it has refused, after a while.
    fn ask_again(&mut self, now: Instant) {
        if self.refused.is_some_and(|(_, at)| now.saturating_duration_since(at) >= REFUSED) {
            self.refused = None;
            if self.watches.inotify().is_none() {
                self.open_watches();
            }
            self.trails.values_mut().filter(|trail| trail.watching == Watching::Polled).for_each(|trail| trail.is_way_stale = true);
        }
    }

    fn open_watches(&mut self) {
        match Watches::new() {
            Ok(watches) => self.watches = watches,
            Err(refusal) => self.note_refusal(refusal),
        }
    }

    fn say_refusal(&mut self, refusal: Refusal) {
        let (what, sysctl) = match refusal {
            Refusal::Instances => ("instances", "fs.inotify.max_user_instances"),
            Refusal::Watches => ("watches", "fs.inotify.max_user_watches"),
        };
        self.say_once(&format!(
            "the kernel has no inotify {what} left for this user; files are looked at four times a second instead; \
             hint: sysctl {sysctl} raises the limit"
        ));
    }

    /// Says something for the first time only; of more things than could be remembered nothing.
    pub(super) fn say_once(&mut self, text: &str) {
        if self.said.len() < MOST_SAID && self.said.insert(text.to_owned()) {
            warn!("{text}");
        }
    }
}
