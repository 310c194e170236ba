//! When to look without a hint. Looks fall on common ticks, so that a thousand idle files wake the machine once a second and not
//! a thousand times.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::source::PathKey;

/// The pause between looks without hints, and with them.
pub const POLLED: Duration = TICK;
pub const HINTED: Duration = Duration::from_secs(1);

/// The time between two ticks.
const TICK: Duration = Duration::from_millis(250);

/// What to do at a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Look at a path.
    Path(PathKey),
    /// Look for new files of a glob, by its place among them.
    Glob(usize),
    /// See whether the watched directories are still those that their names lead to.
    Watches,
}

/// Tasks by their ticks.
#[derive(Debug)]
pub struct Schedule {
    epoch: Instant,
    due: BTreeMap<u64, Vec<Task>>,
}

impl Schedule {
    /// Nothing to do yet.
    #[must_use]
    pub fn new(epoch: Instant) -> Self {
        Self { epoch, due: BTreeMap::new() }
    }

    fn tick(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.epoch).as_millis() / TICK.as_millis()).unwrap_or(u64::MAX)
    }

    /// Does a task again at the last tick within `pause`, the next one at the soonest.
    pub fn add(&mut self, task: Task, now: Instant, pause: Duration) {
        let ticks = u64::try_from(pause.as_millis() / TICK.as_millis()).unwrap_or(1).max(1);
        self.due.entry(self.tick(now) + ticks).or_default().push(task);
    }

    /// When the next task is due.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        let (tick, _) = self.due.first_key_value()?;
        Some(self.epoch + TICK * u32::try_from(*tick).unwrap_or(u32::MAX))
    }

    /// Takes all tasks that are due.
    pub fn take(&mut self, now: Instant) -> Vec<Task> {
        let later = self.due.split_off(&(self.tick(now) + 1));
        std::mem::replace(&mut self.due, later).into_values().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_of_one_pause_share_a_tick_and_are_never_late() {
        let epoch = Instant::now();
        let mut schedule = Schedule::new(epoch);
        let second = Duration::from_secs(1);
        schedule.add(Task::Glob(1), epoch + Duration::from_millis(10), second);
        schedule.add(Task::Glob(2), epoch + Duration::from_millis(240), second);
        schedule.add(Task::Watches, epoch, Duration::ZERO);
        assert_eq!(schedule.next(), Some(epoch + TICK));
        assert_eq!(schedule.take(epoch + TICK), [Task::Watches]);
        assert_eq!(schedule.next(), Some(epoch + second));
        assert!(schedule.take(epoch + Duration::from_millis(999)).is_empty());
        assert_eq!(schedule.take(epoch + second), [Task::Glob(1), Task::Glob(2)]);
        assert_eq!(schedule.next(), None);
    }
}
