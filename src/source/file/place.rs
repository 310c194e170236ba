//! A place in a file, and what the bytes behind it are.
//!
//! A place knows the *check bytes* that stood just before it and the first bytes of its file, or, if it comes from a stored position, their checksums: lines
//! that end alike are told apart by how the file begins. It knows how many bytes before it are *held*: read, but in no event yet. At the beginning of a file a byte-order mark is passed over. So is a hole: a
//! writer without `O_APPEND` goes on at its old offset after a truncation and leaves NULs before it (open(2)), and a file whose space is reserved
//! ahead of its content ends in them.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use nix::errno::Errno;
use nix::unistd::{Whence, lseek};

use super::trace::Trace;
use crate::source::Loss;

/// How many bytes before the offset are compared.
pub const CHECK: usize = 256;

/// Below the size of a page no file system has holes.
const PAGE: u64 = 4096;

/// UTF-8's byte-order mark.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Where a reader is in its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Bytes before it have been read.
    pub offset: u64,
    /// How many bytes before it are in no event: they are read again by the next run of the daemon.
    pub held: u64,
    /// The bytes just before it: [`CHECK`] of them, or as many as there are.
    pub(super) check: Trace,
    /// The first bytes of the file, [`CHECK`] of them or as many as have been passed.
    pub(super) head: Trace,
    /// What follows, as far as it is NUL, is a hole.
    pub(super) is_in_hole: bool,
    /// The file was truncated before its first byte was read.
    pub(super) is_again: bool,
}

/// What bytes at a place are.
pub enum Content {
    /// So many of them are lines.
    Lines(usize),
    /// So many of them are to be passed over.
    Skip(usize),
    /// All of them are a hole that goes on to this offset.
    SkipTo(u64),
    /// Nothing that could be used yet.
    Nothing,
}

impl Place {
    /// The beginning of a file.
    #[must_use]
    pub fn beginning() -> Self {
        Self { offset: 0, held: 0, check: Trace::NONE, head: Trace::NONE, is_in_hole: false, is_again: false }
    }

    /// The beginning of a file that was truncated while somebody writes it.
    #[must_use]
    pub fn beginning_again() -> Self {
        Self { is_in_hole: true, is_again: true, ..Self::beginning() }
    }

    /// A place that was stored, with the checksums of its bytes.
    #[must_use]
    pub fn stored(offset: u64, check: u64, head: u64) -> Self {
        let count = length(offset);
        Self { offset, check: Trace::of_sum(count, check), head: Trace::of_sum(count, head), ..Self::beginning() }
    }

    /// A place inside a file.
    pub fn at(file: &File, offset: u64) -> io::Result<Self> {
        let mut check = vec![0; length(offset)];
        let start = offset - check.len() as u64;
        file.read_exact_at(&mut check, start)?;
        let mut head = vec![0; check.len()];
        file.read_exact_at(&mut head, 0)?;
        Ok(Self { offset, check: Trace::Bytes(check), head: Trace::Bytes(head), ..Self::beginning() })
    }

    /// Whether its bytes are known by their checksums alone.
    #[must_use]
    pub fn is_stored(&self) -> bool {
        matches!(self.check, Trace::Sum { .. })
    }

    /// Where this run goes on from a stored place whose bytes are in the file: before those that were held.
    pub fn resumed(&self, file: &File) -> io::Result<Self> {
        let from = self.offset.saturating_sub(self.held);
        let is_in_hole = if self.held == 0 { self.is_in_hole } else { from == 0 && self.is_again };
        Ok(Self { is_in_hole, is_again: self.is_again, ..Self::at(file, from)? })
    }

    /// The place behind a hole.
    pub(super) fn behind_hole(&self, file: &File, offset: u64) -> io::Result<Self> {
        let held = self.held + offset.saturating_sub(self.offset);
        Ok(Self { held, is_in_hole: true, is_again: self.is_again, ..Self::at(file, offset)? })
    }

    /// Whether the file holds, before this place, what was read there.
    #[must_use]
    pub fn fits(&self, file: &File) -> bool {
        self.loss_in(file).is_none()
    }

    /// What has become of the bytes before this place, if they are not in the file.
    #[must_use]
    pub fn loss_in(&self, file: &File) -> Option<Loss> {
        let mut bytes = vec![0; self.check.len()];
        let start = self.offset - bytes.len() as u64;
        match file.read_exact_at(&mut bytes, start) {
            Ok(()) => (!self.check.is(&bytes) || !self.begins_as(file)).then_some(Loss::Overwritten),
            Err(_) => Some(Loss::Truncated),
        }
    }

    /// Whether the file begins as it did, as far as the check bytes do not say that as well.
    pub(super) fn begins_as(&self, file: &File) -> bool {
        if self.offset <= CHECK as u64 {
            return true;
        }
        let mut bytes = [0; CHECK];
        let bytes = &mut bytes[..self.head.len()];
        file.read_exact_at(bytes, 0).is_ok() && self.head.is(bytes)
    }

    /// Whether the bytes before it could tell another file from this one: those of a hole could not.
    #[must_use]
    pub fn is_telling(&self) -> bool {
        self.check.is_telling()
    }

    /// Whether a file, as far as it goes, begins as the one of this place does.
    #[must_use]
    pub fn has_head_of(&self, file: &File) -> bool {
        let mut bytes = vec![0; self.head.len()];
        file.read_at(&mut bytes, 0).is_ok_and(|count| self.head.begins_with(&bytes[..count]))
    }

    /// Moves on over bytes that follow directly; they are held until it is said otherwise.
    pub(super) fn advance(&mut self, bytes: &[u8]) {
        self.head.extend_to(bytes, CHECK);
        self.check.move_over(bytes, CHECK);
        self.offset += bytes.len() as u64;
        self.held += bytes.len() as u64;
    }

    /// So many of the last bytes are held.
    pub(super) fn hold(&mut self, held: usize) {
        self.held = (held as u64).min(self.offset);
    }

    /// Tells lines from marks and holes. `is_full` says that the file may go on behind the bytes.
    pub(super) fn judge(&mut self, file: &File, bytes: &[u8], is_full: bool) -> io::Result<Content> {
        let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return Ok(Content::Nothing) };
        if self.offset == 0 {
            if bytes.starts_with(MARK) {
                return Ok(Content::Skip(MARK.len()));
            }
            if MARK.starts_with(bytes) {
                return Ok(Content::Nothing);
            }
            self.is_in_hole |= *first == 0 && next_data(file, 0)? != Some(0);
        }
        if *first == 0 && (self.is_in_hole || *last == 0) {
            return self.pass_nuls(file, bytes, is_full);
        }
        self.is_in_hole = false;
        // NULs at the end are looked at when it is known what follows them.
        Ok(Content::Lines(bytes.len() - trailing_nuls(bytes)))
    }

    /// The bytes begin with NULs. Those that reach to the end of the file may be space that is reserved and not yet used: nothing is lost by
    /// waiting, because no line ends in them. (Whether they were ever written cannot be asked: a page that somebody has read looks written.)
    fn pass_nuls(&mut self, file: &File, bytes: &[u8], is_full: bool) -> io::Result<Content> {
        let nuls = leading_nuls(bytes);
        if nuls < bytes.len() {
            return Ok(if self.is_in_hole { Content::Skip(nuls) } else { Content::Lines(bytes.len() - trailing_nuls(bytes)) });
        }
        if !is_full || ends_in_nul(file)? {
            return Ok(Content::Nothing);
        }
        let end = self.offset + nuls as u64;
        if file.metadata()?.len() < end {
            return Ok(Content::Nothing); // given back while it was read
        }
        let page = self.offset.next_multiple_of(PAGE);
        Ok(match next_data(file, page)? {
            Some(data) if data > page && data >= end => Content::SkipTo(data),
            _ if self.is_in_hole => Content::Skip(nuls),
            _ => Content::Lines(nuls),
        })
    }
}

/// How many bytes are kept of those before an offset.
fn length(offset: u64) -> usize {
    usize::try_from(offset).map_or(CHECK, |offset| offset.min(CHECK))
}

fn trailing_nuls(bytes: &[u8]) -> usize {
    bytes.iter().rev().take_while(|byte| **byte == 0).count()
}

fn ends_in_nul(file: &File) -> io::Result<bool> {
    let mut last = [1];
    let size = file.metadata()?.len();
    Ok(size > 0 && file.read_at(&mut last, size - 1)? == 1 && last[0] == 0)
}

fn leading_nuls(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| **byte == 0).count()
}

/// Where the next bytes are that somebody has written; `None` if only a hole follows (lseek(2), `SEEK_DATA`).
pub(super) fn next_data(file: &File, from: u64) -> io::Result<Option<u64>> {
    seek(file, from, Whence::SeekData).or_else(|errno| match errno {
        Errno::EINVAL => Ok(Some(from)), // a file system that knows no holes
        other => Err(other.into()),
    })
}

/// Where the next hole begins; `None` if that is the end of the file (lseek(2), `SEEK_HOLE`).
pub(super) fn next_hole(file: &File, from: u64) -> io::Result<Option<u64>> {
    seek(file, from, Whence::SeekHole).or_else(|errno| match errno {
        Errno::EINVAL => Ok(None),
        other => Err(other.into()),
    })
}

fn seek(file: &File, from: u64, whence: Whence) -> nix::Result<Option<u64>> {
    let Ok(from) = i64::try_from(from) else { return Ok(None) };
    match lseek(file, from, whence) {
        Ok(at) => Ok(u64::try_from(at).ok()),
        Err(Errno::ENXIO) => Ok(None),
        Err(errno) => Err(errno),
    }
}
