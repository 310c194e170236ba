//! What was found in the last parts of batches, for those who come for the same soon.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{Run, Sifted};

/// How many parts are remembered.
const MOST: usize = 32;

/// What they may take together, in bytes.
const ROOM: usize = 64 * 1024;

/// The number of a part's first event, and its length in bytes.
pub type Key = (u64, usize);

/// The last parts.
#[derive(Debug, Default)]
pub struct Memo {
    parts: VecDeque<(Key, Arc<Sifted>)>,
    held: usize,
}

impl Memo {
    /// What was found in a part, if it is remembered.
    pub fn get(&self, key: Key) -> Option<Arc<Sifted>> {
        self.parts.iter().rev().find(|(of, _)| *of == key).map(|(_, sifted)| Arc::clone(sifted))
    }

    /// Remembers what was found in a part, and forgets the oldest over the bounds.
    pub fn add(&mut self, key: Key, sifted: &Arc<Sifted>) {
        self.held += size(sifted);
        self.parts.push_back((key, Arc::clone(sifted)));
        while self.parts.len() > MOST || self.held > ROOM {
            let Some((_, oldest)) = self.parts.pop_front() else { return };
            self.held -= size(&oldest);
        }
    }
}

fn size(sifted: &Sifted) -> usize {
    size_of::<Sifted>() + sifted.runs.len() * size_of::<Run>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sieve::Verdict;

    #[test]
    fn the_last_parts_are_remembered_and_no_more() {
        let mut memo = Memo::default();
        let small = Arc::new(Sifted { looked: 7, ..Sifted::default() });
        for number in 0..100 {
            memo.add((number, 7), &small);
        }
        assert!(memo.get((99, 7)).is_some() && memo.get((99, 8)).is_none());
        assert_eq!(memo.parts.len(), MOST);
        let run = Run { start: 0, end: 1, verdict: Verdict::Match };
        memo.add((200, 7), &Arc::new(Sifted { runs: vec![run; ROOM / size_of::<Run>() + 1], ..Sifted::default() }));
        assert_eq!((memo.parts.len(), memo.held), (0, 0), "one that is larger than the room is not kept");
    }
}
