//! What is written in one piece: the output of events, and where each ends, so that of a part that was taken the place is known, and what is missing.

use super::place::{Part, Place};

/// Output of events, in order.
#[derive(Debug, Clone, Default)]
pub struct Block {
    /// What is written.
    pub bytes: Vec<u8>,
    /// Where the output of each event ends, and its id in `ids`. Of some the output is empty.
    ends: Vec<End>,
    ids: Vec<u8>,
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

    /// What an earlier run has left of an event of which it had written a part.
    #[must_use]
    pub fn rest_of(part: &Part) -> Self {
        let mut block = Self { bytes: part.rest.clone(), ..Self::default() };
        block.end(&part.id);
        block
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
        taken == self.begin(self.whole(taken))
    }

    /// Moves a place behind the events of which `taken` bytes hold everything.
    pub fn move_on(&self, place: &mut Place, taken: usize) {
        let whole = self.whole(taken);
        if let Some(last) = whole.checked_sub(1) {
            place.id = self.id(last).to_vec();
            place.part = None;
        }
        if taken > self.begin(whole) && whole < self.ends.len() {
            let rest = self.bytes[taken..self.ends[whole].bytes].to_vec();
            place.part = Some(Part { id: self.id(whole).to_vec(), rest });
        }
    }

    /// How many events `taken` bytes hold whole.
    fn whole(&self, taken: usize) -> usize {
        self.ends.partition_point(|end| end.bytes <= taken)
    }

    /// Where the output of an event begins.
    fn begin(&self, event: usize) -> usize {
        event.checked_sub(1).map_or(0, |before| self.ends[before].bytes)
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

    fn place(block: &Block, taken: usize) -> (String, Option<(String, String)>) {
        let mut place = Place { id: b"before".to_vec(), part: None };
        block.move_on(&mut place, taken);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (text(&place.id), place.part.map(|part| (text(&part.id), text(&part.rest))))
    }

    #[test]
    fn the_place_is_behind_what_was_taken_whole() {
        let block = block(&[("1", "ab\n"), ("2", ""), ("3", "cdef\n")]);
        assert_eq!(place(&block, 0), ("before".into(), None));
        assert_eq!(place(&block, 2), ("before".into(), Some(("1".into(), "\n".into()))));
        assert_eq!(place(&block, 3), ("2".into(), None));
        assert_eq!(place(&block, 5), ("2".into(), Some(("3".into(), "ef\n".into()))));
        assert_eq!(place(&block, 8), ("3".into(), None));
        assert_eq!((block.end_behind(0), block.end_behind(3), block.end_behind(4)), (3, 8, 8));
        assert!(block.is_end(0) && block.is_end(3) && block.is_end(8) && !block.is_end(4));
    }

    #[test]
    fn a_rest_that_is_cut_again_leaves_a_rest() {
        let mut place = Place { id: b"0".to_vec(), part: Some(Part { id: b"1".to_vec(), rest: b"ef\n".to_vec() }) };
        let block = Block::rest_of(place.part.as_ref().unwrap());
        block.move_on(&mut place, 0);
        assert_eq!(place.part.as_ref().unwrap().rest, b"ef\n", "nothing was taken");
        block.move_on(&mut place, 1);
        assert_eq!((&*place.id, &*place.part.as_ref().unwrap().rest), (&b"0"[..], &b"f\n"[..]));
        block.move_on(&mut place, 3);
        assert_eq!(place, Place { id: b"1".to_vec(), part: None });
    }

    proptest! {
        #[test]
        fn whatever_is_taken_the_rest_completes_it(outputs in proptest::collection::vec("[a-z]{0,9}", 1..9), chance in 0.0..1.0_f64) {
            let events: Vec<_> = outputs.iter().enumerate().map(|(index, output)| (index.to_string(), output.clone())).collect();
            let all = block(&events.iter().map(|(id, output)| (&**id, &**output)).collect::<Vec<_>>());
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a choice")]
            let taken = (chance * all.bytes.len() as f64) as usize;
            let (id, part) = place(&all, taken);
            let mut whole: Vec<u8> = all.bytes[..taken].to_vec();
            whole.extend_from_slice(part.as_ref().map_or(b"", |part| part.1.as_bytes()));
            let last = part.map_or(id, |part| part.0);
            let behind = events.iter().position(|event| event.0 == last).map_or(0, |at| at + 1);
            whole.extend(events[behind..].iter().flat_map(|event| event.1.bytes()));
            prop_assert_eq!(whole, all.bytes);
        }
    }
}
