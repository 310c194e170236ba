//! How many files are open at once: idle ones are closed, and opened again when they are read.

use super::follower::Follower;
use super::reader::Standing;
use super::trail::Trail;
use crate::source::PathKey;

impl Follower {
    /// Makes sure that one more file may be opened: closes those that have been idle longest. If too many have been left at once, those that
    /// were read to their ends are not waited for.
    pub(super) fn make_room(&mut self) -> bool {
        let most = self.options.open_files.max(1);
        if self.is_full {
            return false; // one walk over all paths a step is enough
        }
        if self.open >= most {
            self.close_idle(most * 3 / 4);
        }
        if self.open >= most {
            let left: Vec<_> = self.trails.values().filter(|trail| trail.has_left_files()).map(|trail| trail.key).collect();
            for key in left {
                self.trails.entry(key).and_modify(Trail::wait_no_longer);
                self.read_at(key);
            }
        }
        self.is_full = self.open >= most;
        !self.is_full
    }

    /// The newer files of a path wait for the older ones: the newest descriptor is theirs.
    pub(super) fn make_room_within(&mut self, key: PathKey, index: usize) -> bool {
        let Some(trail) = self.trails.get_mut(&key) else { return false };
        let newer = trail.readers.iter_mut().skip(index + 1);
        let Some(reader) = newer.rev().find(|reader| reader.file().is_some()) else { return false };
        reader.close();
        reader.is_postponed = reader.standing != Standing::Named;
        self.open -= 1;
        true
    }

    /// Whether a file that has just been found may be opened before its turn.
    pub(super) fn has_spare(&self) -> bool {
        self.open < self.options.open_files + self.options.spare_files()
    }

    /// Closes idle files, the longest idle first, until so many are open.
    pub(super) fn close_idle(&mut self, keep: usize) {
        let mut idle: Vec<_> = self
            .trails
            .values_mut()
            .filter(|trail| !trail.is_ready)
            .filter_map(|trail| {
                let key = trail.key;
                trail.named().filter(|reader| !reader.is_unread && reader.file().is_some()).map(|reader| (reader.grew_at, key))
            })
            .collect();
        idle.sort();
        let surplus = self.open.saturating_sub(keep);
        for (_, key) in idle.into_iter().take(surplus) {
            if let Some(reader) = self.trails.get_mut(&key).and_then(Trail::named) {
                reader.close();
                self.open -= 1;
            }
        }
    }
}
