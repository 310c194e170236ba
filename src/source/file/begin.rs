//! Where a file begins that was there before the daemon: `--from`.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use memchr::{memchr_iter, memchr2_iter};

use super::place::{Place, next_data, next_hole};

/// How much of a file is looked at for its last lines, in bytes: with many files this is what a start costs.
const WINDOW: u64 = 256 * 1024;

/// The same where no record begins there that is no line: who begins inside one takes its rest for something else.
const LARGE_WINDOW: u64 = 64 << 20;

/// How many NULs are read back over for the end of the content, in bytes.
const MOST_NULS: u64 = 64 << 20;

/// Where such a file begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// At its first byte.
    Start,
    /// Behind its last line; an unfinished line is new when it ends.
    End,
    /// So many lines before its end, as far as they lie in the last 256 KiB.
    Last(u64),
}

/// What a file consists of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Records {
    /// Lines.
    #[default]
    Lines,
    /// What ends in NUL.
    Nul,
    /// What ends in an empty line: the events of an event stream.
    Blocks,
}

/// Where a file begins that consists of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opening {
    /// Where.
    pub begin: Begin,
    /// These.
    pub records: Records,
}

impl Opening {
    /// The place in a file that had `size` bytes.
    pub fn place(self, file: &File, size: u64) -> io::Result<Place> {
        let offset = match self.begin {
            Begin::Start => 0,
            Begin::End => self.records.before_last(file, size, 0)?,
            Begin::Last(count) => self.records.before_last(file, size, count)?,
        };
        if offset == 0 { Ok(Place::beginning()) } else { Place::at(file, offset) }
    }
}

impl Records {
    /// The offset before the last `count` records. An unfinished one counts as one, and is not passed over in any case.
    fn before_last(self, file: &File, size: u64, count: u64) -> io::Result<u64> {
        let end = content_end(file, size)?;
        // The first NUL behind the content ends a record; more may be space that is reserved.
        let end = if self == Self::Nul { (end + 1).min(size) } else { end };
        let mut length = WINDOW;
        loop {
            let start = end.saturating_sub(length);
            let mut window = vec![0; usize::try_from(end - start).unwrap_or(0)];
            file.read_exact_at(&mut window, start)?;
            let mut ends = self.ends(&window, start > 0);
            let is_finished = window.is_empty() || ends.last() == Some(&window.len());
            ends.pop_if(|last| *last == window.len());
            let wanted = if is_finished { count } else { count.max(1) };
            let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
            if wanted == 0 {
                return Ok(end);
            }
            match ends.iter().rev().nth(wanted - 1).or_else(|| ends.first().filter(|_| start > 0)) {
                Some(found) => return Ok(start + *found as u64),
                None if start == 0 => return Ok(0),
                None if self == Self::Lines => return Ok(start),
                None if length >= LARGE_WINDOW => return Ok(if is_finished { end } else { start }),
                None => length *= 16,
            }
        }
    }

    /// The places in a text behind which no record goes on. What the text begins with may be the rest of a line.
    fn ends(self, text: &[u8], is_inside: bool) -> Vec<usize> {
        match self {
            Self::Lines => memchr_iter(b'\n', text).map(|at| at + 1).collect(),
            Self::Nul => memchr_iter(0, text).map(|at| at + 1).collect(),
            Self::Blocks => block_ends(text, is_inside),
        }
    }
}

/// The places behind empty lines, which end in LF, CR or both. Several in turn end one block.
fn block_ends(text: &[u8], mut is_inside_line: bool) -> Vec<usize> {
    let (mut ends, mut line, mut has_lines) = (Vec::new(), 0, true);
    for at in memchr2_iter(b'\n', b'\r', text) {
        if at < line {
            continue; // the LF of a CRLF
        }
        let is_empty = at == line && !std::mem::take(&mut is_inside_line);
        line = at + 1 + usize::from(text[at] == b'\r' && text.get(at + 1) == Some(&b'\n'));
        if is_empty && !has_lines {
            ends.pop();
        }
        if is_empty {
            ends.push(line);
        }
        has_lines = !is_empty;
    }
    ends
}

/// Where the content of a file ends whose space may be reserved ahead: behind its last byte that is not NUL. Holes are not read, nor more than
/// [`MOST_NULS`]: pages of reserved space that somebody has read look as if they had been written.
fn content_end(file: &File, size: u64) -> io::Result<u64> {
    let mut last = [1];
    if size == 0 || file.read_at(&mut last, size - 1)? == 0 || last[0] != 0 {
        return Ok(size);
    }
    let mut written = Vec::new();
    let mut end = 0;
    while let (Some(data), true) = (next_data(file, end)?, end < size) {
        end = next_hole(file, data)?.unwrap_or(size).min(size);
        written.push(data..end);
    }
    let mut left = MOST_NULS;
    for range in written.into_iter().rev() {
        let mut end = range.end;
        while end > range.start && left > 0 {
            let mut block = vec![0; usize::try_from((end - range.start).min(WINDOW)).unwrap_or(0)];
            let start = end - block.len() as u64;
            file.read_exact_at(&mut block, start)?;
            if let Some(at) = block.iter().rposition(|byte| *byte != 0) {
                return Ok(start + at as u64 + 1);
            }
            end = start;
            left = left.saturating_sub(block.len() as u64);
        }
    }
    Ok(if left > 0 { 0 } else { size })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn offset(begin: Begin, content: &[u8]) -> u64 {
        offset_of(Records::Lines, begin, content)
    }

    fn offset_of(records: Records, begin: Begin, content: &[u8]) -> u64 {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        Opening { begin, records }.place(&file, content.len() as u64).unwrap().offset
    }

    #[test]
    fn records_that_are_no_lines_are_counted_by_their_ends() {
        let nul = |begin, content: &[u8]| offset_of(Records::Nul, begin, content);
        let names = b"a\nb\0c\n\0d\0";
        assert_eq!([0, 1, 2, 3, 9].map(|count| nul(Begin::Last(count), names)), [9, 7, 4, 0, 0]);
        assert_eq!((nul(Begin::End, b"a\0b\nc"), nul(Begin::Last(2), b"a\0b\0c")), (2, 2), "what is unfinished counts");
        assert_eq!((nul(Begin::Last(1), b""), nul(Begin::Last(1), b"a\0\0\0\0")), (0, 0), "the rest may be reserved");
        let blocks = |begin, content: &[u8]| offset_of(Records::Blocks, begin, content);
        let stream = b"data: 1\ndata: 1\n\ndata: 2\r\n\r\n\n:x\rdata: 3\r\r";
        assert_eq!([0, 1, 2, 3, 9].map(|count| blocks(Begin::Last(count), stream)), [stream.len() as u64, 29, 17, 0, 0]);
        assert_eq!(blocks(Begin::End, b"data: 1\n\nid: 2\ndata"), 9);
        assert_eq!((blocks(Begin::Last(1), b"data: 1\n"), blocks(Begin::Last(1), b"")), (0, 0));
    }

    #[test]
    fn a_large_record_is_never_begun_inside() {
        let large = "x\n".repeat(400_000);
        for (records, first, end) in [(Records::Nul, "first\0", "\0"), (Records::Blocks, "data: first\n\n", "\n\n")] {
            let prefix = if records == Records::Nul { "\n" } else { "data: " };
            for tail in [end, ""] {
                let content = format!("{first}{prefix}{large}{tail}");
                let expected = first.len() as u64;
                assert_eq!(offset_of(records, Begin::Last(1), content.as_bytes()), expected, "{records:?}");
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn a_part_of_a_stream_has_the_ends_that_all_of_it_has(stream in "(a|\n|\r\n|\r){0,40}", cut in 0..40_usize) {
            let (text, cut) = (stream.as_bytes(), cut.min(stream.len()));
            let all: Vec<_> = block_ends(text, false).into_iter().filter(|end| *end > cut).collect();
            let part: Vec<_> = block_ends(&text[cut..], cut > 0).into_iter().map(|end| end + cut).collect();
            // It may not know the first ones, and none that is none.
            let is_behind_lf = |end: usize| text[..end].ends_with(b"\r") && text.get(end) == Some(&b'\n');
            proptest::prop_assert!(part.iter().all(|end| all.contains(end) || is_behind_lf(*end)), "{:?} of {:?}", part, all);
        }
    }

    #[test]
    fn the_last_lines_are_counted_from_the_end() {
        for (count, content, expected) in [
            (1, &b"a\nb\nc\n"[..], 4),
            (2, b"a\nb\nc\n", 2),
            (3, b"a\nb\nc\n", 0),
            (9, b"a\nb\nc\n", 0),
            (1, b"a\nb\nc", 4),
            (0, b"a\nb\nc", 4),
            (0, b"a\nb\n", 4),
            (0, b"c", 0),
            (1, b"", 0),
            (2, b"\n\n\n", 1),
        ] {
            assert_eq!(offset(Begin::Last(count), content), expected, "{count} of {content:?}");
        }
        assert_eq!(offset(Begin::End, b"a\nb"), 2);
        assert_eq!(offset(Begin::End, b"a\nb\n"), 4);
        assert_eq!(offset(Begin::Start, b"a\nb\n"), 0);
    }

    #[test]
    fn only_whole_lines_of_the_window_are_taken() {
        let line = [b"x".repeat(99), b"\n".to_vec()].concat();
        let content = line.repeat(10_000);
        let start = offset(Begin::Last(100_000), &content);
        assert!(start.is_multiple_of(100) && content.len() as u64 - start <= WINDOW && content.len() as u64 - start > WINDOW - 200);
        let giant = b"x".repeat(1_000_000);
        assert_eq!(offset(Begin::Last(5), &giant), 1_000_000 - WINDOW);
    }

    #[test]
    fn reserved_space_is_behind_the_end() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"a\nb\n").unwrap();
        file.set_len(3_000_000).unwrap();
        io::copy(&mut file.try_clone().unwrap(), &mut io::sink()).unwrap(); // now its pages look written
        let place = |begin| Opening { begin, records: Records::Lines }.place(&file, 3_000_000).unwrap().offset;
        assert_eq!(place(Begin::Last(1)), 2);
        assert_eq!(place(Begin::End), 4);
    }
}
