//! The position of a channel whose lines come from files, as it is stored behind every commit: all that another run of the daemon needs to go on.
//! Pure.
//!
//! ```text
//! 1,PATH,LOOKED,MIDDLE,TARGET,...;FILE;FILE;...       about 100 bytes for one file
//!
//! FILE    KIND MARKS,DEVICE,INODE,BORN,OFFSET,HELD,CHECK,HEAD,SINCE,VERIFIED,OLD,BORN,DEVICE,INODE
//! KIND    n: the path leads to it   l: the path has left it   e: it has been read to its end since   d: it has been so for good
//! MARKS   b: `--from` is still to say where it begins   h: a hole follows   a: it was cut before its first byte was read
//!         t, o, v: a loss is still to be told before its next byte (truncated, overwritten, vanished)
//! ```
//!
//! - `PATH` is the FNV-1a of the followed path: what was stored for another path says nothing of this one.
//! - `LOOKED` is when the path was looked at last. What was made since is not known.
//! - `MIDDLE` is what the name of a glob's channel has lost of the path, if it had to be shortened: with it the path is known without its file.
//!   `TARGET`s are where links on the path lead and led. Both have other bytes than `[A-Za-z0-9._/~+-]` as `%XX`; at the end an empty `MIDDLE` is left out.
//! - Files stand oldest first, those that are done before them. Bytes below `OFFSET` have been read; the last `HELD` of them are in no event.
//! - `CHECK` and `HEAD` are the FNV-1a of the 256 bytes before `OFFSET` and of the first 256 of the file; with a smaller offset of so many. Where the two
//!   are the same bytes `HEAD` is empty.
//! - `SINCE` (empty: as `BORN`), `VERIFIED` and the last three, a copy of what stood there before, are those of [`super::reader::Reader`]. Bytes below `OLD`
//!   were there before the first run looked.
//! - Numbers have digits of six bits, `0-9A-Za-z_-`, the highest first; 0 is empty. Times are nanoseconds since 1970. Empty fields at the end of a
//!   file are left out.
//!
//! # Invariants
//! - Only what [`Position::write`] gives is understood by [`Position::parse`]: whatever else is as if nothing had been stored.
//! - A text has at most [`MOST`] bytes, whatever happens to the files: of too many, those are left out first that the next run can do without.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::identity::Identity;
use super::place::{CHECK, Place};
use crate::source::Loss;
use crate::source::naming::fnv1a;

/// The longest text, in bytes: what the store takes.
pub const MOST: usize = 8 * 1024;

/// The longest middle or target that is stored, in bytes as encoded.
const LONGEST: usize = 1024;

const FORM: &str = "1";

const DIGITS: &[u8; 64] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-";

/// The position of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The checksum of the followed path.
    pub path: u64,
    /// When the path was looked at last.
    pub looked: Option<SystemTime>,
    /// What the channel's name has lost of the path.
    pub left_out: OsString,
    /// Where its links lead and led.
    pub targets: Vec<PathBuf>,
    /// Its files: those that are done, then the others, oldest first.
    pub files: VecDeque<StoredFile>,
}

/// What is stored of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFile {
    /// What is left to do with it.
    pub kind: Kind,
    /// Whether `--from` is still to say where it begins.
    pub beginning: Beginning,
    /// What is still to be told before its next byte.
    pub cut: Option<Loss>,
    /// Which file it is.
    pub identity: Identity,
    /// When it was made.
    pub born: SystemTime,
    /// How far it has been read.
    pub spot: Spot,
    /// When its content began.
    pub since: SystemTime,
    /// When the bytes before the place were still those that were read.
    pub verified: SystemTime,
    /// Bytes below this were there before anybody looked.
    pub old_until: u64,
    /// The last copy of an earlier content, and when it was made.
    pub follows: Option<(SystemTime, Identity)>,
}

/// What is left to do with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The path leads to it.
    Named,
    /// The path has left it; its rest is to be read.
    Left,
    /// The path has left it, and since then it has been read to its end; it is kept for late lines.
    Ended,
    /// Nothing; it is known so that nobody reads it again.
    Done,
}

/// Whether it is known where a file begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beginning {
    /// It is.
    Known,
    /// `--from` says it when the file is opened.
    Asked,
}

/// A [`Place`], with checksums for its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spot {
    offset: u64,
    held: u64,
    check: u64,
    head: u64,
    is_in_hole: bool,
    is_again: bool,
}

impl Spot {
    /// What is stored of a place.
    #[must_use]
    pub fn of(place: &Place) -> Self {
        let Place { offset, held, is_in_hole, is_again, .. } = *place;
        let check = place.check.sum();
        let head = if offset > CHECK as u64 { place.head.sum() } else { check };
        Self { offset, held, check, head, is_in_hole, is_again }
    }

    /// The place again.
    #[must_use]
    pub fn place(self) -> Place {
        let Self { offset, held, check, head, is_in_hole, is_again } = self;
        Place { held: held.min(offset), is_in_hole, is_again, ..Place::stored(offset, check, head) }
    }
}

/// The checksum of a path.
#[must_use]
pub fn path_sum(path: &Path) -> u64 {
    fnv1a(path.as_os_str().as_bytes())
}

impl Position {
    /// Writes the text, in place of what stood there. What has no room is left out.
    pub fn write(&mut self, text: &mut String) {
        loop {
            self.write_all(text);
            if text.len() <= MOST || !self.leave_out() {
                return;
            }
        }
    }

    /// The position that a text says; `None` for any text that is none of this form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(';');
        let mut head = parts.next()?.split(',');
        if head.next()? != FORM {
            return None;
        }
        let (path, looked) = (number(head.next()?)?, number(head.next()?)?);
        let left_out = decode(head.next().unwrap_or_default())?;
        let targets = head.map(|target| decode(target).map(PathBuf::from)).collect::<Option<_>>()?;
        let files = parts.map(StoredFile::parse).collect::<Option<_>>()?;
        let position = Self { path, looked: (looked > 0).then(|| time(looked)), left_out, targets, files };
        let mut again = String::new();
        position.write_all(&mut again);
        (again == text).then_some(position)
    }

    fn write_all(&self, text: &mut String) {
        text.clear();
        text.push_str(FORM);
        add(text, self.path);
        add(text, self.looked.map_or(0, nanos));
        let targets = self.targets.iter().map(|target| target.as_os_str());
        let parts = [&*self.left_out].into_iter().chain(targets).filter(|_| !self.left_out.is_empty() || !self.targets.is_empty());
        for part in parts {
            text.push(',');
            encode(part, text);
        }
        for file in &self.files {
            file.write(text);
        }
    }

    /// Leaves out what can best be done without: files that are done, then those that have ended, then links, then files that were not begun (they are found
    /// again as made since), then the oldest. Whether anything was left.
    fn leave_out(&mut self) -> bool {
        if self.files.front().is_some_and(|file| file.kind == Kind::Done) {
            return self.files.pop_front().is_some();
        }
        if let Some(oldest) = self.files.iter().position(|file| file.kind == Kind::Ended && file.spot.held == 0) {
            return self.files.remove(oldest).is_some();
        }
        if self.targets.pop().is_some() {
            return true;
        }
        let is_begun = |file: &StoredFile| file.spot.offset > 0 || file.beginning == Beginning::Asked;
        let newest = self.files.iter().rposition(|file| !is_begun(file));
        let left_out = self.files.remove(newest.unwrap_or(0));
        if let (Some(looked), Some(file), Some(_)) = (&mut self.looked, &left_out, newest) {
            *looked = file.born.min(*looked);
        }
        left_out.is_some()
    }
}

impl StoredFile {
    fn write(&self, text: &mut String) {
        let Self { spot, .. } = self;
        text.push(';');
        text.push(match self.kind {
            Kind::Named => 'n',
            Kind::Left => 'l',
            Kind::Ended => 'e',
            Kind::Done => 'd',
        });
        let marks = [
            (self.beginning == Beginning::Asked, 'b'),
            (spot.is_in_hole, 'h'),
            (spot.is_again, 'a'),
            (self.cut == Some(Loss::Truncated), 't'),
            (self.cut == Some(Loss::Overwritten), 'o'),
            (self.cut == Some(Loss::Vanished), 'v'),
        ];
        marks.iter().filter(|(is_set, _)| *is_set).for_each(|(_, mark)| text.push(*mark));
        add(text, self.identity.device());
        add(text, self.identity.inode());
        add(text, nanos(self.born));
        add(text, spot.offset);
        add(text, spot.held);
        add(text, spot.check);
        add(text, if spot.offset > CHECK as u64 { spot.head } else { 0 });
        add(text, if self.since == self.born { 0 } else { nanos(self.since) });
        add(text, nanos(self.verified));
        add(text, self.old_until);
        let (born, identity) = self.follows.unwrap_or((UNIX_EPOCH, Identity::new(0, 0)));
        add(text, nanos(born));
        add(text, identity.device());
        add(text, identity.inode());
        text.truncate(text.trim_end_matches(',').len());
    }

    fn parse(text: &str) -> Option<Self> {
        let mut fields = text.split(',');
        let word = fields.next()?;
        let kind = match word.as_bytes().first()? {
            b'n' => Kind::Named,
            b'l' => Kind::Left,
            b'e' => Kind::Ended,
            b'd' => Kind::Done,
            _ => return None,
        };
        let has = |mark: char| word.contains(mark);
        let losses = [('t', Loss::Truncated), ('o', Loss::Overwritten), ('v', Loss::Vanished)];
        let cut = losses.into_iter().find_map(|(mark, loss)| has(mark).then_some(loss));
        let mut next = || number(fields.next().unwrap_or_default());
        let identity = Identity::new(next()?, next()?);
        let born = time(next()?);
        let (offset, held, check, first) = (next()?, next()?, next()?, next()?);
        let first = if offset > CHECK as u64 { first } else { check };
        let spot = Spot { offset, held, check, head: first, is_in_hole: has('h'), is_again: has('a') };
        let since = Some(next()?).filter(|since| *since > 0).map_or(born, time);
        let (verified, old_until) = (time(next()?), next()?);
        let followed = (next()?, next()?, next()?);
        let follows = (followed != (0, 0, 0)).then(|| (time(followed.0), Identity::new(followed.1, followed.2)));
        let beginning = if has('b') { Beginning::Asked } else { Beginning::Known };
        Some(Self { kind, beginning, cut, identity, born, spot, since, verified, old_until, follows })
    }
}

/// Adds a field.
fn add(text: &mut String, number: u64) {
    text.push(',');
    let digits = (u64::BITS - number.leading_zeros()).div_ceil(6);
    for at in (0..digits).rev() {
        let digit = usize::try_from((number >> (6 * at)) & 63).unwrap_or(0);
        text.push(char::from(DIGITS[digit]));
    }
}

/// The number of a field; that it is written as [`add`] does is seen when all is written again.
fn number(text: &str) -> Option<u64> {
    text.bytes().try_fold(0_u64, |number, digit| {
        let digit = DIGITS.iter().position(|own| *own == digit)? as u64;
        number.checked_mul(64)?.checked_add(digit)
    })
}

/// Nanoseconds since 1970; 0 for what cannot be said so.
fn nanos(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).ok().and_then(|since| u64::try_from(since.as_nanos()).ok()).unwrap_or(0)
}

fn time(nanos: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(nanos)
}

/// Whether a target or a middle is short enough to be stored.
#[must_use]
pub fn is_storable(part: &OsStr) -> bool {
    let mut text = String::new();
    encode(part, &mut text);
    text.len() <= LONGEST
}

/// Whether a text says that nothing is to be read any more; quicker than [`Position::parse`], for thousands.
#[must_use]
pub fn is_all_done(text: &str) -> bool {
    text.split(';').skip(1).all(|file| file.starts_with('d'))
}

fn encode(part: &OsStr, text: &mut String) {
    for &byte in part.as_bytes() {
        if byte.is_ascii_alphanumeric() || b"._/~+-".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push('%');
            text.extend([byte >> 4, byte & 15].map(|half| char::from(b"0123456789ABCDEF"[usize::from(half)])));
        }
    }
}

fn decode(text: &str) -> Option<OsString> {
    let (first, rest) = text.split_once('%').unwrap_or((text, ""));
    let mut bytes = first.as_bytes().to_vec();
    for part in rest.split('%').filter(|_| first.len() < text.len()) {
        bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        bytes.extend_from_slice(part.get(2..)?.as_bytes());
    }
    Some(OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn times() -> impl Strategy<Value = SystemTime> {
        prop_oneof![Just(0), 1_790_000_000_000_000_000..1_800_000_000_000_000_000_u64, any::<u64>()].prop_map(time)
    }

    fn identities() -> impl Strategy<Value = Identity> {
        (any::<u32>(), any::<u64>()).prop_map(|(device, inode)| Identity::new(device.into(), inode))
    }

    fn places() -> impl Strategy<Value = Place> {
        (proptest::collection::vec(any::<u8>(), 0..200), any::<u64>(), any::<bool>(), any::<bool>()).prop_map(
            |(bytes, held, is_in_hole, is_again)| {
                let mut place = Place::beginning();
                place.advance(&bytes);
                Place { held: held.min(place.offset), is_in_hole, is_again, ..place }
            },
        )
    }

    fn files() -> impl Strategy<Value = StoredFile> {
        let kind = prop_oneof![Just(Kind::Named), Just(Kind::Left), Just(Kind::Ended), Just(Kind::Done)];
        let beginning = prop_oneof![Just(Beginning::Known), Just(Beginning::Asked)];
        let loss = prop_oneof![Just(Loss::Truncated), Just(Loss::Overwritten), Just(Loss::Vanished)];
        let follows = proptest::option::of((times(), identities()));
        let what = (kind, beginning, proptest::option::of(loss), identities(), places());
        (what, (times(), times(), times()), any::<u64>(), follows).prop_map(
            |((kind, beginning, cut, identity, place), (born, since, verified), old_until, follows)| {
                let since = if since == UNIX_EPOCH { born } else { since };
                let follows = follows.filter(|(time, identity)| (nanos(*time), *identity) != (0, Identity::new(0, 0)));
                let spot = Spot::of(&place);
                StoredFile { kind, beginning, cut, identity, born, spot, since, verified, old_until, follows }
            },
        )
    }

    fn positions(most: usize) -> impl Strategy<Value = Position> {
        let targets = proptest::collection::vec("[ -~äß/]{1,30}".prop_map(PathBuf::from), 0..3);
        let left_out = prop_oneof![Just(String::new()), "[ -~äß/]{1,30}"].prop_map(OsString::from);
        (any::<u64>(), times(), left_out, targets, proptest::collection::vec(files(), 0..most)).prop_map(
            |(path, looked, left_out, targets, mut files)| {
                files.sort_by_key(|file| file.kind != Kind::Done);
                let looked = Some(looked).filter(|looked| *looked > UNIX_EPOCH);
                Position { path, looked, left_out, targets, files: files.into() }
            },
        )
    }

    fn text(position: &Position) -> String {
        let mut text = String::new();
        position.clone().write(&mut text);
        text
    }

    #[test]
    fn the_usual_position_is_short() {
        let mut place = Place::beginning();
        place.advance(&vec![b'x'; 3_000_000]);
        let now = time(1_795_300_000_123_456_789);
        let file = StoredFile {
            kind: Kind::Named,
            beginning: Beginning::Known,
            cut: None,
            identity: Identity::new(0xfe01, 1_234_567),
            born: now,
            spot: Spot::of(&Place { held: 0, ..place }),
            since: now,
            verified: now,
            old_until: 0,
            follows: None,
        };
        let path = path_sum(Path::new("/var/log/nginx/access.log"));
        let looked = Some(now);
        let position = Position { path, looked, left_out: OsString::new(), targets: Vec::new(), files: [file].into() };
        let text = text(&position);
        assert_eq!(text, "1,2VrRQbq0Nc8,1ZgBzQKdWqL;n,Fu1,4jQ7,1ZgBzQKdWqL,BSR0,,2bVf7WfJdSb,2bVf7WfJdSb,,1ZgBzQKdWqL");
    }

    #[test]
    fn what_is_none_is_none() {
        let good = "1,A,B;n,1,2,C,,,,,,D";
        assert!(Position::parse(good).is_some());
        for bad in [
            "",
            "1",
            "1,A",
            "2,A,B",
            "1,A,B;",
            "1,A,B;x",
            "1,A,B;nn",
            "1,A,B;ntb",
            "1,A,B;nto",
            "1,0A,B",
            "1,A,B;n,1,2,C,",
            "1,A,B,",
            "1,A,B,%zz",
            "1,A,B,%4",
            "1,A,B,%41",
            "1,A,B,,%zz",
            "1,A,B,,%4",
            "1,A,B,,%41",
            "1,----------------,B",
            "1,A,B;n,1,2,C,,,,,,D,,,,,E",
            "1,A,B;n,1,2,C ",
            "1,A,B\n",
        ] {
            assert_eq!(Position::parse(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn a_position_is_understood_as_it_was_meant(position in positions(6)) {
            let text = text(&position);
            prop_assert!(text.bytes().all(|byte| byte.is_ascii_graphic()), "{text}");
            prop_assert_eq!(is_all_done(&text), position.files.iter().all(|file| file.kind == Kind::Done));
            prop_assert_eq!(Position::parse(&text), Some(position));
        }

        #[test]
        fn the_place_is_the_same_but_for_its_bytes(place in places()) {
            let again = Spot::of(&place).place();
            prop_assert_eq!((again.offset, again.held, again.is_in_hole), (place.offset, place.held, place.is_in_hole));
            prop_assert_eq!((again.check.sum(), again.head.sum()), (place.check.sum(), place.head.sum()));
            prop_assert_eq!(again.is_telling(), place.is_telling());
            prop_assert_eq!(Spot::of(&again), Spot::of(&place));
        }

        #[test]
        fn garbage_is_no_position_or_means_itself(position in positions(3), at: prop::sample::Index, byte in b' '..=b'~') {
            let mut bytes = text(&position).into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let garbage = String::from_utf8(bytes).unwrap();
            if let Some(parsed) = Position::parse(&garbage) {
                prop_assert_eq!(text(&parsed), garbage);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 20, ..ProptestConfig::default() })]

        #[test]
        fn a_text_is_never_too_long_and_nothing_that_was_begun_is_left_out_in_vain(position in positions(300)) {
            let text = text(&position);
            prop_assert!(text.len() <= MOST);
            let kept = Position::parse(&text).unwrap();
            prop_assert!(kept.files.len() == position.files.len() || text.len() > MOST / 2);
            let is_spare = |file: &StoredFile| file.kind == Kind::Done || file.kind == Kind::Ended && file.spot.held == 0;
            for left_out in position.files.iter().filter(|file| !kept.files.contains(file) && !is_spare(file)) {
                prop_assert!(!kept.files.iter().any(is_spare), "what is done, or has ended, goes first");
                let is_found_again = kept.looked.is_none_or(|looked| looked <= left_out.born);
                prop_assert!(is_found_again || left_out.spot.offset > 0 || left_out.beginning == Beginning::Asked);
            }
        }
    }
}
