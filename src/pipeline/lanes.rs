//! The ways of followed paths: a channel for each path, and in it a text for each file that stands behind the path.
//!
//! The last lines of a file that was rotated away and the first ones of its successor may come in turn, so each file has a framer of its own; where
//! one is over, its unfinished line is an event.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::{Fittings, Manner, Pipeline};
use crate::channel::{Channel, ChannelLife, Channels, Condition, Gap, Reason};
use crate::clock::now;
use crate::event::{Age, ChannelName};
use crate::source::file::Mark;
use crate::source::{FileKey, Loss, News, PathKey, Paths, SourceKey, State, Step};

/// Why nothing comes from a source that was left out of the configuration.
pub const NOT_CONFIGURED: &str = "not configured any more";

/// The ways of all paths of one follower.
#[derive(Debug)]
pub struct Lanes {
    fittings: Fittings,
    /// How each source is read.
    manners: Manners,
    channels: Channels,
    paths: HashMap<PathKey, Pipeline>,
    files: HashMap<FileKey, Lane>,
    /// When a file's pipeline wants to be called.
    due: HashMap<FileKey, Instant>,
    /// Whose a path is.
    sources: HashMap<PathKey, SourceKey>,
    /// Channels to be forgotten, and when.
    left: VecDeque<(Instant, Channel)>,
    /// How long the file that was read last may rest.
    rest: Option<Duration>,
}

/// How each source is read. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Manners(Arc<Mutex<HashMap<SourceKey, Manner>>>);

impl Manners {
    /// A source is read so, from the next time that somebody asks.
    pub fn set(&self, source: SourceKey, manner: Manner) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(source, manner);
    }

    /// A source has gone.
    fn remove(&self, source: SourceKey) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&source);
    }

    fn of(&self, source: SourceKey) -> Option<Manner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&source).cloned()
    }
}

/// The way of one file.
#[derive(Debug)]
struct Lane {
    path: PathKey,
    pipeline: Pipeline,
}

/// Follows until the daemon stops.
///
/// # Errors
/// The kernel refuses to wait.
pub fn follow(source: &mut impl Paths, lanes: &mut Lanes) -> io::Result<()> {
    while source.step(lanes.due(), &mut |news| lanes.take(news))? == Step::Again {
        lanes.do_what_is_due(Instant::now(), source);
        if source.owes() && lanes.hold_nothing() {
            source.settle();
        }
        if let Some(rest) = lanes.rest.take() {
            thread::sleep(rest);
        }
    }
    Ok(())
}

impl Lanes {
    /// No paths yet, of any of these sources.
    #[must_use]
    pub fn new(fittings: Fittings, manners: Manners, channels: Channels) -> Self {
        let (paths, files, due, sources) = (HashMap::new(), HashMap::new(), HashMap::new(), HashMap::new());
        Self { fittings, manners, channels, paths, files, due, sources, left: VecDeque::new(), rest: None }
    }

    /// Takes what a follower tells.
    pub fn take(&mut self, news: News<'_>) {
        match news {
            News::Followed { source, path, channel } => self.begin(source, path, channel),
            News::Bytes { path, file, bytes, age, mark } => self.push(path, file, bytes, age, mark),
            News::Settle { file, mark } => self.settle(file, mark),
            News::Over { path, file, position } => self.end(path, file, position),
            News::Lost { path, loss, position } => self.tell_loss(path, loss, position),
            News::Moved { path, position } => self.store(path, position),
            News::State { path, state } => self.show(path, state),
            News::Changed { source } => self.change(source),
            News::Leaving { source } => self.manners.remove(source),
            News::Left { path } => self.leave(path, Instant::now()),
        }
    }

    /// When something was put off to.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        self.due.values().copied().chain(self.left.front().map(|(at, _)| *at)).min()
    }

    /// Does what was put off, for the files of `source`.
    pub fn do_what_is_due(&mut self, now: Instant, source: &mut impl Paths) {
        let due: Vec<_> = self.due.iter().filter(|(_, at)| **at <= now).map(|(file, _)| *file).collect();
        for file in due {
            if let Some(Lane { path, pipeline }) = self.files.get_mut(&file) {
                pipeline.do_what_is_due(now, |held| source.position_behind(*path, file, held));
                note_due(&mut self.due, file, pipeline);
            }
        }
        while self.left.front().is_some_and(|(at, _)| *at <= now) {
            if let Some((_, channel)) = self.left.pop_front() {
                self.fittings.store.forget(channel.name());
                channel.retire();
            }
        }
    }

    /// Whether all that was taken is in events.
    fn hold_nothing(&self) -> bool {
        self.files.values().all(|lane| lane.pipeline.held() == 0)
    }

    /// Whose lines are unfinished.
    #[must_use]
    pub fn unfinished(&self) -> Vec<FileKey> {
        self.files.iter().filter(|(_, lane)| lane.pipeline.is_inside_line()).map(|(file, _)| *file).collect()
    }

    /// The daemon stops: what has been read of unfinished lines would be lost.
    pub fn flush(&mut self) {
        self.files.values_mut().for_each(|lane| lane.pipeline.flush(None));
    }

    fn begin(&mut self, source: SourceKey, path: PathKey, name: ChannelName) {
        let Some(manner) = self.manners.of(source) else { return };
        self.sources.insert(path, source);
        self.left.retain(|(_, channel)| *channel.name() != name);
        let channel = self.channels.open(name);
        channel.set_condition(Condition::Open);
        self.paths.insert(path, Pipeline::new(&self.fittings, manner, channel));
    }

    fn push(&mut self, path: PathKey, file: FileKey, bytes: &[u8], age: Age, mark: Option<Mark<'_>>) {
        let Some(way) = self.paths.get(&path) else { return };
        let Lane { pipeline, .. } = self.files.entry(file).or_insert_with(|| Lane { path, pipeline: way.beside() });
        pipeline.push(bytes, age, mark);
        self.rest = pipeline.rest();
        note_due(&mut self.due, file, pipeline);
    }

    fn settle(&mut self, file: FileKey, mark: Option<Mark<'_>>) {
        if let Some(Lane { pipeline, .. }) = self.files.get_mut(&file) {
            pipeline.settle(mark);
            note_due(&mut self.due, file, pipeline);
        }
    }

    fn end(&mut self, path: PathKey, file: FileKey, position: Option<&str>) {
        self.due.remove(&file);
        match (self.files.remove(&file), position) {
            (Some(mut lane), _) => lane.pipeline.flush(position),
            (None, Some(position)) => self.store(path, position),
            (None, None) => {}
        }
    }

    /// Stores a position that comes with no event.
    fn store(&mut self, path: PathKey, position: &str) {
        if let Some(way) = self.paths.get_mut(&path) {
            way.flush(Some(position)); // this one is given no bytes
        }
    }

    /// A loss is an event of the stream, at its place.
    fn tell_loss(&mut self, path: PathKey, loss: Loss, position: Option<&str>) {
        let Some(Pipeline { channel, .. }) = self.paths.get(&path) else { return };
        let reason = match loss {
            Loss::Truncated => Reason::Truncated,
            Loss::Overwritten => Reason::Overwritten,
            Loss::Vanished => Reason::Vanished,
            Loss::Crash => Reason::Crash,
        };
        let from = channel.newest();
        let mut turn = self.fittings.store.turn(channel.name(), now(), Age::New);
        let gap = Gap { channels: vec![channel.name().clone()], reason, from, to: turn.position(), lost: None };
        turn.add_control("gap", &gap);
        channel.publish(turn.commit(position), ChannelLife::Open);
        self.fittings.metrics.source_gaps.add(1);
    }

    fn show(&mut self, path: PathKey, state: State) {
        let Some(Pipeline { channel, .. }) = self.paths.get(&path) else { return };
        channel.set_condition(match state {
            State::Reading => Condition::Open,
            State::Absent => Condition::Waiting("no such file".to_owned()),
            State::Elsewhere(reason) => Condition::Waiting(reason),
            State::Failing(reason) => {
                self.fittings.metrics.source_failures.add(1);
                Condition::Failing(reason)
            }
        });
    }

    /// The lines of a source go another way from now on.
    fn change(&mut self, source: SourceKey) {
        let Some(manner) = self.manners.of(source) else { return };
        let is_its = |path: &PathKey| self.sources.get(path) == Some(&source);
        let ways = self.paths.iter_mut().filter(|(path, _)| is_its(path)).map(|(_, way)| way);
        let texts = self.files.values_mut().filter(|lane| is_its(&lane.path)).map(|lane| &mut lane.pipeline);
        ways.chain(texts).for_each(|pipeline| pipeline.change(manner.clone()));
    }

    fn leave(&mut self, path: PathKey, now: Instant) {
        let is_wanted = self.sources.remove(&path).is_some_and(|source| self.manners.of(source).is_some());
        let why = if is_wanted { "the file has gone" } else { NOT_CONFIGURED };
        if let Some(Pipeline { channel, .. }) = self.paths.remove(&path) {
            channel.set_condition(Condition::Waiting(why.to_owned()));
            if let Some(kept) = self.fittings.store.kept_unfed() {
                self.left.push_back((now + kept, channel));
            }
        }
    }
}

fn note_due(due: &mut HashMap<FileKey, Instant>, file: FileKey, pipeline: &Pipeline) {
    match pipeline.due() {
        Some(at) => due.insert(file, at),
        None => due.remove(&file),
    };
}

#[cfg(test)]
mod tests {
    use super::super::Writer;
    use super::*;
    use crate::source::Sink;
    use crate::store::Store;

    fn lanes(channels: &Channels) -> Lanes {
        let fittings = Fittings { store: Arc::new(Store::new(1)), metrics: Arc::default() };
        let manner = Manner { max_line: 100, recipe: Arc::default(), flush_partial: None, writer: Writer::File };
        let manners = Manners::default();
        manners.set(SourceKey(0), manner);
        Lanes::new(fittings, manners, channels.clone())
    }

    /// No paths at all.
    struct Nothing;

    impl Paths for Nothing {
        fn step(&mut self, _: Option<Instant>, _: &mut Sink<'_>) -> io::Result<Step> {
            Ok(Step::Stopped)
        }

        fn position_behind(&mut self, _: PathKey, _: FileKey, _: usize) -> Option<&str> {
            None
        }
    }

    fn events(channels: &Channels, name: &str) -> Option<u64> {
        channels.status().channels.iter().find(|channel| channel.name.as_str() == name).map(|channel| channel.events)
    }

    #[test]
    fn each_file_has_lines_of_its_own() {
        let channels = Channels::new(1 << 20, 1);
        let mut lanes = lanes(&channels);
        let path = PathKey(1);
        lanes.take(News::Followed { source: SourceKey(0), path, channel: "f".parse().unwrap() });
        for (file, bytes) in [(1, &b"old "[..]), (2, b"new "), (1, b"line\n"), (2, b"line\n"), (2, b"rest")] {
            lanes.take(News::Bytes { path, file: FileKey(file), bytes, age: Age::New, mark: None });
        }
        assert_eq!(events(&channels, "f"), Some(2));
        lanes.take(News::Over { path, file: FileKey(2), position: None });
        lanes.take(News::Lost { path, loss: Loss::Truncated, position: None });
        assert_eq!(events(&channels, "f"), Some(4), "the rest, and the gap");
    }

    #[test]
    fn a_channel_without_a_path_is_forgotten_after_an_hour() {
        let channels = Channels::new(1 << 20, 1);
        let mut lanes = lanes(&channels);
        let follow = |lanes: &mut Lanes, path| {
            lanes.take(News::Followed { source: SourceKey(0), path: PathKey(path), channel: "f".parse().unwrap() });
        };
        let (start, kept) = (Instant::now(), Duration::from_secs(3600));
        follow(&mut lanes, 1);
        lanes.take(News::Bytes { path: PathKey(1), file: FileKey(1), bytes: b"x\n", age: Age::New, mark: None });
        lanes.leave(PathKey(1), start);
        lanes.do_what_is_due(start + kept / 2, &mut Nothing);
        assert_eq!(events(&channels, "f"), Some(1));
        follow(&mut lanes, 2);
        lanes.do_what_is_due(start + 2 * kept, &mut Nothing);
        assert_eq!(events(&channels, "f"), Some(1), "it is followed again");
        lanes.leave(PathKey(2), start);
        assert_eq!(lanes.due(), Some(start + kept));
        lanes.do_what_is_due(start + kept, &mut Nothing);
        assert_eq!(events(&channels, "f"), None);
    }
}
