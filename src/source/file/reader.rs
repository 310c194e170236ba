//! One file, read to its last byte.
//!
//! A reader knows how far it has read and what stood just before that place. Every read begins with these check bytes, so a file that was truncated, or
//! truncated and grown again past the offset, is noticed by the read that would have skipped its beginning, at the cost of 512 bytes. What
//! no one can notice is a file that has regrown to the same bytes at the same place.

use std::fs::{File, Metadata};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::time::{Duration, Instant, SystemTime};

use super::begin::Opening;
use super::clock::CLOCK_STEP;
use super::identity::{Identity, Stamp, born, remote};
use super::place::{CHECK, Content, Place};
use super::position::{Kind, StoredFile};
use crate::event::Age;
use crate::source::retry::Retry;
use crate::source::{FileKey, Loss};

/// The most bytes that one read gives: what one turn of one file may cost the others.
pub const BLOCK: usize = 256 * 1024;

/// How much a file may tell of its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// A read ends where the file ends.
    End,
    /// A read may give more than the size says, and less the next time: network file systems.
    Size,
}

/// One file, from where it is read to its end.
#[derive(Debug)]
pub struct Reader {
    /// Its name in [`crate::source::News`].
    pub key: FileKey,
    /// The open file; closed while it is idle and others need the descriptor.
    file: Option<File>,
    /// Which file it is.
    pub identity: Identity,
    /// When it was made, which tells it from another with the same inode.
    pub born: SystemTime,
    /// How far it has been read.
    pub place: Place,
    /// Bytes below this were there before the daemon looked.
    pub old_until: u64,
    /// How far a read may go.
    reach: Reach,
    /// When this content began, as far as it was seen, by the clock of the file system: copies of it are not older.
    pub since: SystemTime,
    /// The last copy of an earlier content that has been found, and when it was made.
    pub follows: Option<(SystemTime, Identity)>,
    /// When the bytes before the place were still those that were read, by the clock of the file system.
    pub verified: SystemTime,
    /// What the last look at its path showed.
    pub seen: Stamp,
    /// How long the file was before its last read, while files of one path are read in turn.
    pub length: u64,
    /// Whether nothing of it has been read since it was found, or found empty: it may be cut without a trace in the place.
    pub is_unread_yet: bool,
    /// Whether it is to be looked for, and opened, when there is a descriptor for it.
    pub is_postponed: bool,
    /// Whether something has been written that has not been read, as far as is known.
    pub is_unread: bool,
    /// When it gave bytes last.
    pub grew_at: Instant,
    /// What must be told before its next byte.
    pub announce: Option<Cut>,
    /// Before this, a read that failed is not tried again.
    pub retry: Retry,
    /// Where it begins, until it has been opened for the first time.
    pub begin: Option<Opening>,
    /// Whether the path still leads to it.
    pub standing: Standing,
}

/// A loss to be told, once all older files have been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// What was lost.
    pub loss: Loss,
    /// The content that ended with it.
    pub over: Option<FileKey>,
}

/// Whether a path still leads to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It does.
    Named,
    /// It did until then. The file is kept for its last lines until it has not grown for so long.
    Left { at: Instant, wait: Duration },
}

/// What a read found.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// Bytes, at this place of the block.
    Bytes(Range<usize>, Age),
    /// Nothing more for now.
    End,
    /// The bytes before the offset are not those that were read.
    Lost(Loss),
}

impl Reader {
    /// A reader of a file that has been looked at; opened by its first read.
    #[must_use]
    pub fn new(key: FileKey, metadata: &Metadata, now: (Instant, SystemTime)) -> Self {
        Self {
            key,
            file: None,
            identity: Identity::of(metadata),
            born: born(metadata),
            place: Place::beginning(),
            old_until: 0,
            reach: Reach::End,
            since: now.1,
            follows: None,
            verified: now.1,
            seen: Stamp::default(),
            length: 0,
            is_postponed: false,
            is_unread_yet: false,
            is_unread: true,
            grew_at: now.0,
            announce: None,
            retry: Retry::default(),
            begin: None,
            standing: Standing::Named,
        }
    }

    /// A reader as it was when this was stored, closed; what has become of its file since is seen when it is looked for.
    #[must_use]
    pub fn restored(key: FileKey, file: &StoredFile, begin: Option<Opening>, now: Instant, wait: Duration) -> Self {
        let place = file.spot.place();
        let standing = match file.kind {
            Kind::Named | Kind::Done => Standing::Named,
            Kind::Left | Kind::Ended => Standing::Left { at: now, wait },
        };
        Self {
            key,
            file: None,
            identity: file.identity,
            born: file.born,
            old_until: file.old_until,
            reach: Reach::End,
            since: file.since,
            follows: file.follows,
            verified: file.verified,
            seen: Stamp::default(),
            length: 0,
            is_postponed: standing != Standing::Named,
            is_unread_yet: begin.is_none() && place.offset == 0,
            is_unread: file.kind != Kind::Ended,
            grew_at: now,
            announce: file.cut.map(|loss| Cut { loss, over: None }),
            retry: Retry::default(),
            begin,
            standing,
            place,
        }
    }

    /// Gives it its open file; the first one decides where it begins.
    ///
    /// # Errors
    /// The place to begin at could not be read.
    pub fn attach(&mut self, file: File) -> io::Result<()> {
        if let Some(begin) = self.begin {
            match begin.place(&file, self.old_until) {
                Ok(place) if file.metadata()?.len() >= self.old_until => self.place = place,
                Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => return Err(error),
                // It has been cut since it was looked at: what is there now is new.
                _ => {
                    (self.place, self.old_until) = (Place::beginning_again(), 0);
                    self.announce = Some(Cut { loss: Loss::Truncated, over: None });
                }
            }
            self.begin = None;
        }
        self.reach = if remote(&file).is_some() { Reach::Size } else { Reach::End };
        self.file = Some(file);
        Ok(())
    }

    /// Its content began after the last copy of an earlier one was made.
    pub fn begin_after(&mut self, last: Option<(SystemTime, Identity)>) {
        let Some((born, _)) = last else { return };
        self.follows = last;
        self.since = self.since.max(born);
        self.verified = self.verified.max(born);
    }

    /// The path leads elsewhere from now on; what has been written before is still to be read.
    pub fn leave(&mut self, at: Instant, wait: Duration) {
        if self.standing == Standing::Named {
            self.standing = Standing::Left { at, wait };
            self.is_unread = true;
        }
    }

    /// Whether its path has left it, and all that it had after that is in events: only late lines may come.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.standing != Standing::Named && !self.is_unread && self.place.held == 0 && self.announce.is_none()
    }

    /// Whether its path still led to it then, as far as looks have shown.
    #[must_use]
    pub fn was_named(&self, then: SystemTime) -> bool {
        match self.standing {
            Standing::Named => true,
            Standing::Left { at, .. } => then <= SystemTime::now() - at.elapsed() + CLOCK_STEP,
        }
    }

    /// Whether a file that the path has left has been waited for long enough.
    #[must_use]
    pub fn is_over(&self, now: Instant) -> bool {
        match self.standing {
            Standing::Named => false,
            Standing::Left { at, wait } => now.saturating_duration_since(at.max(self.grew_at)) >= wait,
        }
    }

    /// The open file.
    #[must_use]
    pub fn file(&self) -> Option<&File> {
        self.file.as_ref()
    }

    /// Whether the file is open and has no name any more.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        self.file.as_ref().is_some_and(|file| file.metadata().is_ok_and(|metadata| metadata.nlink() == 0))
    }

    /// Closes the file; the place is kept.
    pub fn close(&mut self) {
        self.file = None;
    }

    /// Reads the next bytes into `block`, which has room for [`CHECK`] + [`BLOCK`].
    ///
    /// # Errors
    /// What the kernel says of the read.
    pub fn read(&mut self, block: &mut [u8]) -> io::Result<Found> {
        let Some(file) = &self.file else { return Ok(Found::End) };
        loop {
            let checked = self.place.check.len();
            let room = self.room(file)?;
            let count = file.read_at(&mut block[..room], self.place.offset - checked as u64)?;
            if count < checked {
                return Ok(Found::Lost(Loss::Truncated));
            }
            if !self.place.check.is(&block[..checked]) || !self.place.begins_as(file) {
                return Ok(Found::Lost(Loss::Overwritten));
            }
            if self.place.is_stored() {
                self.place = self.place.resumed(file)?;
                continue;
            }
            let bytes = &block[checked..count];
            let age = if self.place.offset < self.old_until { Age::Old } else { Age::New };
            match self.place.judge(file, bytes, count == room)? {
                Content::Lines(length) => {
                    self.place.advance(&bytes[..length]);
                    self.is_unread = true; // until nothing follows
                    return Ok(Found::Bytes(checked..checked + length, age));
                }
                Content::Skip(length) => self.place.advance(&bytes[..length]),
                Content::SkipTo(offset) => self.place = self.place.behind_hole(file, offset)?,
                Content::Nothing => return Ok(Found::End),
            }
        }
    }

    /// How many bytes to read from the check bytes on.
    fn room(&self, file: &File) -> io::Result<usize> {
        let offset = self.place.offset;
        let mut end = offset + BLOCK as u64;
        if offset < self.old_until {
            end = end.min(self.old_until);
        }
        if self.reach == Reach::Size {
            end = end.min(file.metadata()?.len());
        }
        let start = offset - self.place.check.len() as u64;
        Ok(usize::try_from(end.saturating_sub(start)).unwrap_or(CHECK + BLOCK))
    }
}

#[cfg(test)]
mod tests {
    use super::super::identity::open;
    use super::*;
    use std::fs::{self, OpenOptions};
    use std::io::{Seek, SeekFrom, Write};

    struct Followed {
        directory: tempfile::TempDir,
        reader: Reader,
    }

    impl Followed {
        fn of(content: &[u8]) -> Self {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("f");
            fs::write(&path, content).unwrap();
            let (file, metadata) = open(&path).unwrap();
            let mut reader = Reader::new(FileKey(1), &metadata, (Instant::now(), SystemTime::now()));
            reader.attach(file).unwrap();
            Self { directory, reader }
        }

        fn write(&self, truncate: bool, at: u64, bytes: &[u8]) {
            let mut file = OpenOptions::new().write(true).truncate(truncate).open(self.directory.path().join("f")).unwrap();
            file.seek(SeekFrom::Start(at)).unwrap();
            file.write_all(bytes).unwrap();
        }

        fn reserve(&self, length: u64) {
            OpenOptions::new().write(true).open(self.directory.path().join("f")).unwrap().set_len(length).unwrap();
        }

        /// All that can be read now.
        fn rest(&mut self) -> Result<Vec<u8>, Loss> {
            let mut block = vec![0; CHECK + BLOCK];
            let mut all = Vec::new();
            loop {
                match self.reader.read(&mut block).unwrap() {
                    Found::Bytes(range, _) => all.extend_from_slice(&block[range]),
                    Found::End => return Ok(all),
                    Found::Lost(loss) => return Err(loss),
                }
            }
        }
    }

    #[test]
    fn truncation_is_seen_whatever_has_grown_since() {
        let mut file = Followed::of(b"one\ntwo\n");
        assert_eq!(file.rest(), Ok(b"one\ntwo\n".to_vec()));
        file.write(true, 0, b"x\n");
        assert_eq!(file.rest(), Err(Loss::Truncated));
        let mut file = Followed::of(b"one\ntwo\n");
        file.rest().unwrap();
        file.write(true, 0, b"ONE\nTWO\nTHREE\n");
        assert_eq!(file.rest(), Err(Loss::Overwritten));
    }

    #[test]
    fn a_mark_is_skipped_even_if_it_comes_byte_by_byte() {
        let mut file = Followed::of(b"\xef\xbb");
        assert_eq!(file.rest(), Ok(Vec::new()));
        file.write(false, 0, b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n");
        assert_eq!(file.rest(), Ok(b"a\n\xef\xbb\xbfb\n".to_vec()));
    }

    #[test]
    fn a_hole_left_by_a_truncation_is_no_content() {
        for (offset, is_again) in [(10, true), (100_000, true), (100_000, false), (1_000_000, true), (5_000_000_000, true)] {
            let mut file = Followed::of(b"");
            file.write(true, offset, b"late\n");
            if is_again {
                file.reader.place = Place::beginning_again();
            }
            assert_eq!(file.rest(), Ok(b"late\n".to_vec()), "{offset}");
            file.write(false, offset + 5, b"more\n");
            assert_eq!(file.rest(), Ok(b"more\n".to_vec()), "{offset}");
        }
    }

    #[test]
    fn space_reserved_ahead_is_not_read() {
        for used in [0, 1, 5000, BLOCK as u64 - 2, BLOCK as u64, BLOCK as u64 + 5] {
            let mut file = Followed::of(b"");
            file.reserve(2_000_000);
            let content = "x".repeat(usize::try_from(used).unwrap());
            file.write(false, 0, content.as_bytes());
            assert_eq!(file.rest().map(|bytes| bytes.len() as u64), Ok(used));
            file.write(false, used, b"next\n");
            assert_eq!(file.rest(), Ok(b"next\n".to_vec()), "{used}");
        }
    }

    #[test]
    fn nuls_that_were_written_are_content() {
        let mut file = Followed::of(b"\0a\0\n\0");
        assert_eq!(file.rest(), Ok(b"\0a\0\n".to_vec()), "the last may be space that is not used yet");
        let mut written = vec![0; 3 * BLOCK];
        *written.last_mut().unwrap() = b'\n';
        file.write(false, 5, &written);
        assert_eq!(file.rest().map(|bytes| bytes.len()), Ok(written.len() + 1));
    }

    #[test]
    fn old_bytes_end_where_they_ended() {
        let mut file = Followed::of(b"old\nnew\n");
        file.reader.old_until = 4;
        let mut block = vec![0; CHECK + BLOCK];
        assert_eq!(file.reader.read(&mut block).unwrap(), Found::Bytes(0..4, Age::Old));
        assert_eq!(file.reader.read(&mut block).unwrap(), Found::Bytes(4..8, Age::New));
    }
}
