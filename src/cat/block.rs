//! What is written in one piece: the output of events, and where each ends, so that of a part that was taken the place is known.

use super::place::{Part, Place};

/// Output of events, in order.
#[derive(Debug, Clone, Default)]
pub struct Block {
    /// What is written.
    pub bytes: Vec<u8>,
    /// Where the output of each event ends, and its id in `ids`. Of some the output is empty.
    ends: Vec<End>,
    ids: Vec<u8>,
    /// Of which event the first bytes were taken before and are not among these: its place among the ends, and how many.
    left_out: Option<(usize, u64)>,
}

#[derive(Debug, Clone, Copy)]
struct End {
    bytes: usize,
    id: usize,
}

impl Block {
    /// An event with this id ends here: its output has been put behind the others'.
    pub fn end(&mut self, id: &[u8]) {
        self.ids.extend_from_slice(id);
        self.ends.push(End { bytes: self.bytes.len(), id: self.ids.len() });
    }

    /// Leaves out the first bytes of what has been put here of the event that has not ended, as they were taken before. Nothing else may have been.
    pub fn leave_out(&mut self, bytes: usize) {
        self.bytes.drain(..bytes);
        self.left_out = Some((self.ends.len(), u64::try_from(bytes).unwrap_or(u64::MAX)));
    }

    /// Whether no event is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The end of the event that is being written when `taken` bytes are.
    #[must_use]
    pub fn end_behind(&self, taken: usize) -> usize {
        self.ends.get(self.whole(taken)).map_or(self.bytes.len(), |end| end.bytes)
    }

    /// Whether an event ends exactly behind so many bytes.
    #[must_use]
    pub fn is_end(&self, taken: usize) -> bool {
        let whole = self.whole(taken);
        taken == whole.checked_sub(1).map_or(0, |last| self.ends[last].bytes) && self.left_out_of(whole) == 0
    }

    /// Moves a place behind the events of which `taken` bytes hold everything.
    pub fn move_on(&self, place: &mut Place, taken: usize) {
        let whole = self.whole(taken);
        if let Some(last) = whole.checked_sub(1) {
            place.id = self.id(last).to_vec();
            place.part = None;
        }
        let begin = whole.checked_sub(1).map_or(0, |last| self.ends[last].bytes);
        if taken > begin && whole < self.ends.len() {
            let bytes = self.left_out_of(whole) + u64::try_from(taken - begin).unwrap_or(u64::MAX);
            place.part = Some(Part { id: self.id(whole).to_vec(), bytes });
        }
    }

    /// How many events `taken` bytes hold whole.
    fn whole(&self, taken: usize) -> usize {
        self.ends.partition_point(|end| end.bytes <= taken)
    }

    fn left_out_of(&self, event: usize) -> u64 {
        self.left_out.filter(|(index, _)| *index == event).map_or(0, |(_, bytes)| bytes)
    }

    fn id(&self, event: usize) -> &[u8] {
        let begin = event.checked_sub(1).map_or(0, |before| self.ends[before].id);
        &self.ids[begin..self.ends[event].id]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn block(events: &[(&str, &str)]) -> Block {
        let mut block = Block::default();
        for (id, output) in events {
            block.bytes.extend_from_slice(output.as_bytes());
            block.end(id.as_bytes());
        }
        block
    }

    fn place(block: &Block, taken: usize) -> (String, Option<(String, u64)>) {
        let mut place = Place { id: b"before".to_vec(), part: None };
        block.move_on(&mut place, taken);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (text(&place.id), place.part.map(|part| (text(&part.id), part.bytes)))
    }

    #[test]
    fn the_place_is_behind_what_was_taken_whole() {
        let block = block(&[("1", "ab\n"), ("2", ""), ("3", "cdef\n")]);
        assert_eq!(place(&block, 0), ("before".into(), None));
        assert_eq!(place(&block, 2), ("before".into(), Some(("1".into(), 2))));
        assert_eq!(place(&block, 3), ("2".into(), None));
        assert_eq!(place(&block, 5), ("2".into(), Some(("3".into(), 2))));
        assert_eq!(place(&block, 8), ("3".into(), None));
        assert_eq!((block.end_behind(0), block.end_behind(3), block.end_behind(4)), (3, 8, 8));
        assert!(block.is_end(0) && block.is_end(3) && block.is_end(8) && !block.is_end(4));
    }

    #[test]
    fn what_was_taken_before_counts() {
        let mut block = block(&[("0", "")]);
        block.bytes.extend_from_slice(b"abcdef\n");
        block.leave_out(4);
        block.end(b"1");
        assert_eq!(block.bytes, b"ef\n");
        assert_eq!(place(&block, 1), ("0".into(), Some(("1".into(), 5))));
        assert_eq!(place(&block, 3), ("1".into(), None));
        assert!(!block.is_end(0) && block.is_end(3));
    }

    proptest! {
        #[test]
        fn whatever_is_taken_the_rest_completes_it(outputs in proptest::collection::vec(".{0,9}", 1..9), chance in 0.0..1.0_f64) {
            let events: Vec<_> = outputs.iter().enumerate().map(|(index, output)| (index.to_string(), output.clone())).collect();
            let all = block(&events.iter().map(|(id, output)| (&**id, &**output)).collect::<Vec<_>>());
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a choice")]
            let taken = (chance * all.bytes.len() as f64) as usize;
            let (id, part) = place(&all, taken);
            let behind = events.iter().position(|event| event.0 == id).map_or(0, |at| at + 1);
            let mut whole: Vec<u8> = all.bytes[..taken].to_vec();
            for (index, (id, output)) in events.iter().enumerate().skip(behind) {
                let skipped = part.as_ref().filter(|part| index == behind && part.0 == *id).map_or(0, |part| part.1);
                whole.extend_from_slice(&output.as_bytes()[usize::try_from(skipped).unwrap()..]);
            }
            prop_assert_eq!(whole, all.bytes);
        }
    }
}
