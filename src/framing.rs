//! Bytes to lines.
//!
//! A line ends at LF; a CR directly before it belongs to the terminator. Records of `find -print0` end at NUL, and everything else is content.
//! What follows the last terminator is *unfinished*: it is held until its end comes or the source ends. A line of more than `max_line` bytes
//! becomes several, each cut at a character boundary, so that memory stays bounded and no U+FFFD is made where the input had a good character.
//!
//! Where the bytes are cut by the reads makes no difference to the lines: that is this module's law, and its property test.
//!
//! A carriage return inside a line overwrites: `10%\r20%\r` is how progress bars draw. Such a line is one line, whole, when
//! it ends; until then [`Framer::progress`] shows its newest state.

use memchr::{memchr, memchr_iter, memrchr};

/// The longest progress state that is shown, in bytes: more than any terminal is wide.
const MAX_PROGRESS: usize = 4096;

/// What framing yields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// Its bytes, without the terminator.
    pub content: &'a [u8],
    /// How many bytes of the source it takes, with its terminator.
    pub length: usize,
    /// Whether this is all of it.
    pub ending: Ending,
}

/// How a line ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Ending {
    /// With its terminator, or with the source.
    #[default]
    Whole,
    /// It was longer than it may be: the next line is its next part.
    GoesOn,
}

/// What ends a line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Terminator {
    /// LF, and a CR before it.
    #[default]
    Newline,
    /// NUL alone.
    Nul,
}

/// Cuts a source's bytes into lines.
#[derive(Debug)]
pub struct Framer {
    terminator: Terminator,
    /// Bytes of content up to which a line stays whole.
    max_line: usize,
    /// The unfinished line: never more than `max_line` + 1 bytes between two calls.
    unfinished: Vec<u8>,
    /// Whether `unfinished` holds a carriage return, so that nobody searches a long line in vain.
    overwritten: bool,
    /// Lines that were longer than `max_line`.
    pub long_lines: u64,
    /// Whether the unfinished line is the rest of a long line that has been counted.
    is_rest: bool,
}

impl Framer {
    /// A framer for lines of at most `max_line` bytes, at least 1.
    #[must_use]
    pub fn new(max_line: usize) -> Self {
        Self::of(Terminator::Newline, max_line)
    }

    /// A framer for lines that end in this.
    #[must_use]
    pub fn of(terminator: Terminator, max_line: usize) -> Self {
        let (unfinished, max_line) = (Vec::new(), max_line.max(1));
        Self { terminator, max_line, unfinished, overwritten: false, long_lines: 0, is_rest: false }
    }

    /// Takes the next bytes of the source and gives every line that they finish.
    pub fn push(&mut self, bytes: &[u8], mut line: impl FnMut(Line<'_>)) {
        let mut start = 0;
        for newline in memchr_iter(self.terminator.byte(), bytes) {
            self.finish(&bytes[start..newline], &mut line);
            start = newline + 1;
        }
        self.hold(&bytes[start..], &mut line);
    }

    /// The source has ended: gives the last line if no LF ended it.
    pub fn end(&mut self, mut line: impl FnMut(Line<'_>)) {
        if !self.unfinished.is_empty() {
            let last = std::mem::take(&mut self.unfinished);
            self.give(&last, last.len(), &mut line);
            self.reset();
        }
    }

    /// How many bytes of the source are held: those of the unfinished line, of which no event has been made.
    #[must_use]
    pub fn held(&self) -> usize {
        self.unfinished.len()
    }

    /// Whether an unfinished line is held.
    #[must_use]
    pub fn is_inside_line(&self) -> bool {
        !self.unfinished.is_empty()
    }

    /// Whether the unfinished line was overwritten with a carriage return. Costs nothing, unlike [`Framer::progress`].
    #[must_use]
    pub fn is_overwritten(&self) -> bool {
        self.overwritten
    }

    /// The newest state of an unfinished line that was overwritten with carriage returns.
    #[must_use]
    pub fn progress(&self) -> Option<&[u8]> {
        if !self.overwritten {
            return None;
        }
        let drawn = self.unfinished.len() - self.unfinished.iter().rev().take_while(|byte| **byte == b'\r').count();
        let state = &self.unfinished[..drawn];
        let state = &state[memrchr(b'\r', state).map_or(0, |at| at + 1)..];
        (!state.is_empty()).then(|| &state[..state.len().min(MAX_PROGRESS)])
    }

    /// `tail` is the last piece of a line whose LF has come.
    fn finish(&mut self, tail: &[u8], line: &mut impl FnMut(Line<'_>)) {
        if self.unfinished.is_empty() {
            self.give(self.terminator.content(tail), tail.len() + 1, line);
        } else {
            let mut whole = std::mem::take(&mut self.unfinished);
            whole.extend_from_slice(tail);
            self.give(self.terminator.content(&whole), whole.len() + 1, line);
            whole.clear();
            self.unfinished = whole; // its memory serves the next unfinished line
        }
        self.reset();
    }

    /// Keeps what has no LF yet, and gives the parts of it that are certain to be too long for one line.
    fn hold(&mut self, tail: &[u8], line: &mut impl FnMut(Line<'_>)) {
        self.overwritten |= self.terminator == Terminator::Newline && memchr(b'\r', tail).is_some();
        self.unfinished.extend_from_slice(tail);
        let mut given = 0;
        // One byte over the limit decides, unless it is a CR: with the LF to come it would be no content.
        let may_end = self.terminator == Terminator::Newline && self.unfinished.last() == Some(&b'\r');
        while self.unfinished.len() - given > self.max_line + usize::from(may_end) {
            given += self.give_part(&self.unfinished[given..], line);
            self.count_long_line();
        }
        if given > 0 {
            self.unfinished.drain(..given);
            self.overwritten &= memchr(b'\r', &self.unfinished).is_some();
        }
    }

    /// Gives a line of so many bytes of the source whole, or in parts if it is too long.
    fn give(&mut self, mut content: &[u8], mut length: usize, line: &mut impl FnMut(Line<'_>)) {
        while content.len() > self.max_line {
            let given = self.give_part(content, line);
            content = &content[given..];
            length -= given;
            self.count_long_line();
        }
        line(Line { content, length, ending: Ending::Whole });
    }

    /// Gives one part of a line that is too long and returns its length.
    fn give_part(&self, content: &[u8], line: &mut impl FnMut(Line<'_>)) -> usize {
        let cut = character_boundary(content, self.max_line);
        line(Line { content: &content[..cut], length: cut, ending: Ending::GoesOn });
        cut
    }

    fn count_long_line(&mut self) {
        self.long_lines += u64::from(!self.is_rest);
        self.is_rest = true;
    }

    fn reset(&mut self) {
        self.overwritten = false;
        self.is_rest = false;
    }
}

impl Terminator {
    fn byte(self) -> u8 {
        match self {
            Self::Newline => b'\n',
            Self::Nul => 0,
        }
    }

    /// What stands before it, as content.
    fn content(self, before: &[u8]) -> &[u8] {
        match self {
            Self::Newline => without_cr(before),
            Self::Nul => before,
        }
    }
}

fn without_cr(content: &[u8]) -> &[u8] {
    content.strip_suffix(b"\r").unwrap_or(content)
}

/// The longest cut of at most `max` bytes that does not part a UTF-8 sequence; `max` itself where there is none.
fn character_boundary(content: &[u8], max: usize) -> usize {
    let is_continuation = |at: usize| content[at] & 0b1100_0000 == 0b1000_0000;
    if !is_continuation(max) {
        return max;
    }
    // A sequence has at most four bytes, so its first is one of the three before the cut.
    let first = (max.saturating_sub(3)..max).rev().find(|at| !is_continuation(*at));
    match first {
        Some(at) if at > 0 && at + sequence_length(content[at]) > max => at,
        _ => max,
    }
}

/// How many bytes a UTF-8 sequence has, by its first.
fn sequence_length(first: u8) -> usize {
    match first {
        0b1100_0000..=0b1101_1111 => 2,
        0b1110_0000..=0b1110_1111 => 3,
        0b1111_0000..=0b1111_0111 => 4,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The lines of `input`, read in pieces that end at `cuts`.
    fn framed(max_line: usize, input: &[u8], cuts: &[usize]) -> (Vec<Vec<u8>>, u64) {
        let mut lines = Vec::new();
        let mut framer = Framer::new(max_line);
        let mut start = 0;
        for &cut in cuts.iter().filter(|cut| **cut <= input.len()) {
            if cut >= start {
                framer.push(&input[start..cut], |line| lines.push(line.content.to_vec()));
                assert!(framer.unfinished.len() <= max_line + 1, "held {} bytes", framer.unfinished.len());
                start = cut;
            }
        }
        framer.push(&input[start..], |line| lines.push(line.content.to_vec()));
        framer.end(|line| lines.push(line.content.to_vec()));
        (lines, framer.long_lines)
    }

    /// The law in the plainest words: split at LF, drop one CR, cut what is too long.
    fn model(max_line: usize, input: &[u8]) -> (Vec<Vec<u8>>, u64) {
        let mut lines = Vec::new();
        let mut long_lines = 0;
        let mut parts: Vec<&[u8]> = input.split(|byte| *byte == b'\n').collect();
        let last = parts.pop().unwrap();
        let contents = parts.into_iter().map(without_cr).chain((!last.is_empty()).then_some(last));
        for mut content in contents {
            long_lines += u64::from(content.len() > max_line);
            while content.len() > max_line {
                let cut = character_boundary(content, max_line);
                lines.push(content[..cut].to_vec());
                content = &content[cut..];
            }
            lines.push(content.to_vec());
        }
        (lines, long_lines)
    }

    #[test]
    fn lines_end_at_lf_and_lose_one_cr() {
        let (lines, _) = framed(100, b"a\r\n\nb\rc\n\r\r\nlast", &[]);
        assert_eq!(lines, [&b"a"[..], b"", b"b\rc", b"\r", b"last"]);
    }

    #[test]
    fn records_end_at_nul_and_keep_everything_else() {
        let mut records = Vec::new();
        let mut framer = Framer::of(Terminator::Nul, 4);
        for piece in [&b"a\n\r"[..], b"\0\0abcd\r", b"\0x"] {
            framer.push(piece, |line| records.push((line.content.to_vec(), line.length, line.ending)));
        }
        assert!(!framer.is_overwritten());
        framer.end(|line| records.push((line.content.to_vec(), line.length, line.ending)));
        let record = |content: &[u8], length, ending| (content.to_vec(), length, ending);
        let expected = [(&b"a\n\r"[..], 4), (b"", 1), (b"abcd", 4), (b"\r", 2), (b"x", 1)];
        let endings = [Ending::Whole, Ending::Whole, Ending::GoesOn, Ending::Whole, Ending::Whole];
        let expected: Vec<_> =
            expected.into_iter().zip(endings).map(|((content, length), ending)| record(content, length, ending)).collect();
        assert_eq!(records, expected);
    }

    #[test]
    fn an_input_that_ends_in_lf_has_no_line_after_it() {
        assert_eq!(framed(100, b"a\n", &[]).0, [b"a"]);
        assert!(framed(100, b"", &[]).0.is_empty());
    }

    #[test]
    fn long_lines_are_cut_between_characters() {
        let (lines, long_lines) = framed(5, "ab€€€\nnext".as_bytes(), &[]);
        assert_eq!(lines, ["ab€".as_bytes(), "€".as_bytes(), "€".as_bytes(), b"next"]);
        assert_eq!(long_lines, 1);
    }

    #[test]
    fn a_line_of_exactly_the_limit_is_whole_even_with_crlf() {
        assert_eq!(framed(3, b"abc\r\nabc\nabcd", &[4]).0, [&b"abc"[..], b"abc", b"abc", b"d"]);
    }

    #[test]
    fn progress_is_the_state_after_the_last_carriage_return() {
        let mut framer = Framer::new(100);
        let mut state = |bytes: &[u8]| {
            framer.push(bytes, |_| {});
            framer.progress().map(<[u8]>::to_vec)
        };
        assert_eq!(state(b"plain"), None);
        assert_eq!(state(b"\r10%"), Some(b"10%".to_vec()));
        assert_eq!(state(b"\r20%\r"), Some(b"20%".to_vec()));
        assert_eq!(state(b"\r\r"), Some(b"20%".to_vec()));
        assert_eq!(state(b"done\nnext"), None);
    }

    proptest! {
        #[test]
        fn where_reads_cut_makes_no_difference(
            input in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), Just(0xe2), Just(0x82), Just(0xac), any::<u8>()], 0..200),
            mut cuts in proptest::collection::vec(0..200_usize, 0..20),
            max_line in 1..40_usize,
        ) {
            cuts.sort_unstable();
            prop_assert_eq!(framed(max_line, &input, &cuts), model(max_line, &input));
        }

        #[test]
        fn what_is_given_and_what_is_held_is_all_of_the_source(input in "[a€\r\n]{0,60}", cut in 0..60_usize, max_line in 1..9_usize) {
            let (mut framer, mut given, mut went_on) = (Framer::new(max_line), 0, None);
            let (first, rest) = input.as_bytes().split_at(cut.min(input.len()));
            for piece in [first, rest] {
                framer.push(piece, |line| {
                    if went_on == Some(Ending::GoesOn) {
                        assert!(!line.content.is_empty());
                    }
                    (given, went_on) = (given + line.length, Some(line.ending));
                });
            }
            prop_assert_eq!(given + framer.held(), input.len());
        }

        #[test]
        fn good_characters_stay_good(text in "\\PC{0,60}", max_line in 4..20_usize) {
            for line in framed(max_line, text.as_bytes(), &[]).0 {
                prop_assert!(std::str::from_utf8(&line).is_ok(), "{:?}", line);
            }
        }
    }
}
