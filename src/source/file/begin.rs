//! Where a file begins that was there before the daemon: `--from`.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use memchr::memrchr_iter;

use super::place::{Place, next_data, next_hole};

/// How much of a file is looked at for its last lines, in bytes: with many files this is what a start costs.
const WINDOW: u64 = 256 * 1024;

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

impl Begin {
    /// The place in a file that had `size` bytes.
    pub fn place(self, file: &File, size: u64) -> io::Result<Place> {
        let offset = match self {
            Self::Start => 0,
            Self::End => before_last(file, size, 0)?,
            Self::Last(count) => before_last(file, size, count)?,
        };
        if offset == 0 { Ok(Place::beginning()) } else { Place::at(file, offset) }
    }
}

/// The offset before the last `count` lines. An unfinished line counts as one, and is not passed over in any case.
fn before_last(file: &File, size: u64, count: u64) -> io::Result<u64> {
    let end = content_end(file, size)?;
    let start = end.saturating_sub(WINDOW);
    let mut window = vec![0; usize::try_from(end - start).unwrap_or(0)];
    file.read_exact_at(&mut window, start)?;
    let after = |newline: usize| start + newline as u64 + 1;
    let is_finished = window.last().is_none_or(|last| *last == b'\n');
    let wanted = if is_finished { count } else { count.max(1) };
    if wanted == 0 {
        return Ok(end);
    }
    let mut newlines = memrchr_iter(b'\n', &window).skip(usize::from(is_finished));
    let found = usize::try_from(wanted - 1).ok().and_then(|before| newlines.nth(before));
    let first = || memchr::memchr(b'\n', &window).map(after).filter(|after| *after < end);
    Ok(match found {
        Some(newline) => after(newline),
        None if start == 0 => 0,
        None => first().unwrap_or(start),
    })
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
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        begin.place(&file, content.len() as u64).unwrap().offset
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
        assert_eq!(Begin::Last(1).place(&file, 3_000_000).unwrap().offset, 2);
        assert_eq!(Begin::End.place(&file, 3_000_000).unwrap().offset, 4);
    }
}
