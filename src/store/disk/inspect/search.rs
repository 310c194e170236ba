//! Lines that commit, looked for in a file without holding it.

use std::io;
use std::ops::Range;

use super::super::record::{COMMIT_LINE, MAX_COMMENT};
use super::super::volume::Content;

/// How much is read at once, in bytes: more than the longest line that commits.
const WINDOW: u64 = 16 * 1024;

/// What two windows have in common, so that nothing is missed between them.
const SHARED: u64 = COMMIT_LINE.len() as u64 - 1;

/// Where the last line of a range begins that looks like a commit, behind its newline.
pub(super) fn last_commit_line(file: &dyn Content, range: Range<u64>) -> io::Result<Option<u64>> {
    let mut end = range.end;
    while end > range.start + SHARED {
        let begin = end.saturating_sub(WINDOW).max(range.start);
        let bytes = read(file, begin..end)?;
        if let Some(at) = memchr::memmem::rfind(&bytes, COMMIT_LINE) {
            return Ok(Some(begin + at as u64 + 1));
        }
        if begin == range.start {
            break;
        }
        end = begin + SHARED;
    }
    Ok(None)
}

/// Where the first line of a range begins that looks like a commit, and where it ends, behind its newline; `None` if there is none that ends there.
pub(super) fn next_commit_line(file: &dyn Content, range: Range<u64>) -> io::Result<Option<Range<u64>>> {
    let Some(begin) = find(file, range.clone(), COMMIT_LINE)? else { return Ok(None) };
    Ok(find(file, begin + 1..range.end, b"\n")?.map(|newline| begin + 1..newline + 1))
}

fn find(file: &dyn Content, range: Range<u64>, wanted: &[u8]) -> io::Result<Option<u64>> {
    let mut begin = range.start;
    while begin < range.end {
        let bytes = read(file, begin..range.end.min(begin + WINDOW))?;
        if let Some(at) = memchr::memmem::find(&bytes, wanted) {
            return Ok(Some(begin + at as u64));
        }
        if bytes.len() as u64 <= SHARED {
            break;
        }
        begin += bytes.len() as u64 - SHARED;
    }
    Ok(None)
}

/// The line that begins at a place, without its newline, and no more of it than a commit may have; `None` if the file ends before the line does.
pub(super) fn line_at(file: &dyn Content, range: Range<u64>) -> io::Result<Option<Vec<u8>>> {
    let most = range.start + MAX_COMMENT as u64;
    let mut bytes = read(file, range.start..range.end.min(most))?;
    let end = memchr::memchr(b'\n', &bytes);
    bytes.truncate(end.unwrap_or(bytes.len()));
    Ok((end.is_some() || range.end >= most).then_some(bytes))
}

/// The bytes of a range that is a window at most, fewer if the file has become shorter.
fn read(file: &dyn Content, range: Range<u64>) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(0)];
    let count = file.read_at(&mut bytes, range.start)?;
    bytes.truncate(count);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::Write;

    use proptest::prelude::*;

    fn file_of(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    proptest! {
        /// Commits anywhere, also across the seams of windows, against a search in memory.
        #[test]
        fn no_commit_is_missed(gaps in proptest::collection::vec(0..40_000_usize, 0..4), start in 0..20_000_usize, cut in 0..20_000_usize) {
            let mut bytes = Vec::new();
            for gap in gaps {
                bytes.extend(std::iter::repeat_n(b'x', gap));
                bytes.extend_from_slice(b"\n:= commit\n");
            }
            let end = bytes.len().saturating_sub(cut);
            let start = start.min(end);
            let (file, range) = (file_of(&bytes), start as u64..end as u64);
            let expected = memchr::memmem::rfind(&bytes[start..end], COMMIT_LINE).map(|at| (start + at + 1) as u64);
            prop_assert_eq!(last_commit_line(&file, range.clone()).unwrap(), expected);
            let expected = memchr::memmem::find(&bytes[start..end], COMMIT_LINE).and_then(|at| {
                let begin = start + at + 1;
                let length = memchr::memchr(b'\n', &bytes[begin..end])?;
                Some(begin as u64..(begin + length + 1) as u64)
            });
            prop_assert_eq!(next_commit_line(&file, range).unwrap(), expected);
        }
    }

    #[test]
    fn a_line_is_given_as_far_as_it_may_be_long() {
        let (long, far) = ("x".repeat(MAX_COMMENT * 2), MAX_COMMENT as u64 * 2);
        assert_eq!(line_at(&file_of(b"ab\ncd"), 0..5).unwrap(), Some(b"ab".to_vec()));
        assert_eq!(line_at(&file_of(b"ab\ncd"), 3..5).unwrap(), None);
        assert_eq!(line_at(&file_of(b"ab\ncd"), 5..5).unwrap(), None);
        assert_eq!(line_at(&file_of(long.as_bytes()), 0..far).unwrap().map(|line| line.len()), Some(MAX_COMMENT));
    }
}
