//! Files that were read to their ends: under another name they go on from there.

use std::collections::{HashMap, VecDeque};
use std::fs::Metadata;
use std::time::SystemTime;

use super::identity::{Identity, born};
use super::place::Place;

/// How many are remembered in any case, and for each followed path.
const LEAST: usize = 256;
const FOR_EACH_PATH: usize = 2;

/// Files that were read to their ends.
#[derive(Debug, Default)]
pub struct DoneFiles {
    places: HashMap<Identity, Done>,
    /// Oldest first; one that was done twice stands twice.
    order: VecDeque<(u64, Identity)>,
    next: u64,
}

#[derive(Debug)]
struct Done {
    number: u64,
    born: SystemTime,
    place: Place,
}

impl DoneFiles {
    /// Remembers how far a file was read; forgets old ones beyond what so many `paths` may need.
    pub fn remember(&mut self, identity: Identity, born: SystemTime, place: Place, paths: usize) {
        self.next += 1;
        self.places.insert(identity, Done { number: self.next, born, place });
        self.order.push_back((self.next, identity));
        while self.order.len() > LEAST + FOR_EACH_PATH * paths {
            let Some((number, identity)) = self.order.pop_front() else { return };
            if self.places.get(&identity).is_some_and(|done| done.number == number) {
                self.places.remove(&identity);
            }
        }
    }

    /// How far a file was read.
    #[must_use]
    pub fn place_of(&self, metadata: &Metadata) -> Option<&Place> {
        let done = self.places.get(&Identity::of(metadata)).filter(|done| done.born == born(metadata))?;
        Some(&done.place)
    }

    /// Forgets a file that is read again.
    pub fn forget(&mut self, metadata: &Metadata) {
        self.places.remove(&Identity::of(metadata));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_oldest_are_forgotten_and_one_done_twice_is_new() {
        let root = tempfile::tempdir().unwrap();
        let files: Vec<_> = (0..LEAST + 2).map(|number| root.path().join(number.to_string())).collect();
        let mut done = DoneFiles::default();
        let remember = |done: &mut DoneFiles, at: usize| {
            fs::write(&files[at], "").unwrap();
            let metadata = fs::metadata(&files[at]).unwrap();
            done.remember(Identity::of(&metadata), born(&metadata), Place::beginning(), 0);
        };
        (0..LEAST).for_each(|at| remember(&mut done, at));
        remember(&mut done, 0);
        remember(&mut done, LEAST);
        let knows = |at: usize| done.place_of(&fs::metadata(&files[at]).unwrap()).is_some();
        assert_eq!([0, 1, 2, LEAST].map(knows), [true, false, true, true]);
        assert!(done.order.len() <= LEAST && done.places.len() <= LEAST);
    }
}
