//! One channel's segments as they are at one moment.
//!
//! A copy costs no more for many segments than for few: those that do not grow any more are shared, and copied only when the log changes them while a
//! copy is held somewhere.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::layout;
use super::segment::Segment;
use crate::event::{ChannelName, Position};

/// A list of segments, oldest first.
#[derive(Debug, Clone)]
pub struct Book {
    channel: ChannelName,
    directory: Arc<Path>,
    /// All but the last.
    finished: Arc<VecDeque<Segment>>,
    /// The one that grows.
    last: Option<Segment>,
}

impl Book {
    /// An empty list for a channel's segments in a directory.
    #[must_use]
    pub fn new(channel: ChannelName, directory: PathBuf) -> Self {
        Self { channel, directory: directory.into(), finished: Arc::default(), last: None }
    }

    /// Whose segments they are.
    #[must_use]
    pub fn channel(&self) -> &ChannelName {
        &self.channel
    }

    /// Where they are.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The file of the segment that begins with this event.
    #[must_use]
    pub fn path_of(&self, first: Position) -> PathBuf {
        self.directory.join(layout::segment_name(first))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.finished.len() + usize::from(self.last.is_some())
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.last.is_none()
    }

    /// The one at a place.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&Segment> {
        self.finished.get(index).or_else(|| self.last.as_ref().filter(|_| index == self.finished.len()))
    }

    /// All of them, oldest first.
    #[must_use]
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Segment> + Clone {
        self.finished.iter().chain(&self.last)
    }

    /// The last, which grows.
    #[must_use]
    pub fn last(&self) -> Option<&Segment> {
        self.last.as_ref()
    }

    /// The last, to let it grow.
    pub fn last_mut(&mut self) -> Option<&mut Segment> {
        self.last.as_mut()
    }

    /// Where those begin of which `is_before` is not true; it is true of all before some place and of none behind.
    #[must_use]
    pub fn partition_point(&self, is_before: impl Fn(&Segment) -> bool) -> usize {
        let among_finished = self.finished.partition_point(&is_before);
        let is_behind = among_finished == self.finished.len() && self.last.as_ref().is_some_and(is_before);
        among_finished + usize::from(is_behind)
    }

    /// The last one that has events, among those before `index`.
    #[must_use]
    pub fn with_events_before(&self, index: usize) -> Option<(usize, &Segment)> {
        (0..index.min(self.len()))
            .rev()
            .filter_map(|index| Some((index, self.get(index)?)))
            .find(|(_, segment)| segment.count() > 0)
    }

    /// Adds one at the end.
    pub fn push(&mut self, segment: Segment) {
        if let Some(finished) = self.last.replace(segment) {
            Arc::make_mut(&mut self.finished).push_back(finished);
        }
    }

    /// Takes the oldest out.
    pub fn pop_first(&mut self) -> Option<Segment> {
        if self.finished.is_empty() { self.last.take() } else { Arc::make_mut(&mut self.finished).pop_front() }
    }

    /// Puts others in the place of all.
    pub fn set(&mut self, segments: impl IntoIterator<Item = Segment>) {
        let mut segments: VecDeque<_> = segments.into_iter().collect();
        self.last = segments.pop_back();
        self.finished = Arc::new(segments);
    }
}
