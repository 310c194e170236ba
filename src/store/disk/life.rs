//! Four small files: when the numbering began, how far everything is safe from a power cut, how many numbers no log tells of, and how many events are
//! known to be missing between others.
//!
//! ```text
//! @life      sse-bridge 1 1763660000000 5c1e9b0f\n          format, beginning of the life, checksum
//! @synced    1763660123456-4821 9b1f0e5c\n                  the last event of which all before it are safe, checksum
//! @uncounted 1763660000777-4100 12 41c0a7e2\n                the last number that may be one of them, how many there are, checksum
//! @missing   7 6abf4a82\n                                  how many events, checksum
//! ```
//!
//! The first is written once. The second is written in place after each sync; one that cannot be read only means that more is looked through at the
//! next start.

use std::io;
use std::path::Path;

use super::layout::{LIFE, MISSING, SYNCED, UNCOUNTED};
use super::record::VERSION;
use super::summed;
use super::volume::Volume;
use crate::event::{Millis, Position, decimal};

/// What is said when the life of a directory is not the one that it had.
pub(super) const NOT_OURS: &str = "another history is in the place of the state directory; move it away";

const NAME: &str = "sse-bridge";

/// Why the beginning of a life is not known.
#[derive(Debug, thiserror::Error)]
pub enum NoLife {
    /// Nobody has used the directory.
    #[error("it is new")]
    New,
    /// What is there is not what was written.
    #[error("it is damaged")]
    Damaged,
    /// A later version has written it.
    #[error("its format {0} is newer than this program's ({VERSION})")]
    Newer(u32),
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] io::Error),
    /// The directory cannot be used.
    #[error("it could not be {what}")]
    Directory {
        /// What could not be done.
        what: &'static str,
        /// Why.
        #[source]
        error: io::Error,
    },
}

impl NoLife {
    /// What could not be done with the directory.
    pub(super) fn not(what: &'static str) -> impl Fn(io::Error) -> Self {
        move |error| Self::Directory { what, error }
    }
}

/// When the life of a state directory began.
///
/// # Errors
/// It is not known.
pub fn began(volume: &dyn Volume, root: &Path) -> Result<Millis, NoLife> {
    let line = match line_of(volume, &root.join(LIFE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(NoLife::New),
        line => line?.ok_or(NoLife::Damaged)?,
    };
    let mut fields = line.split(' ');
    let name = fields.next();
    let version = fields.next().and_then(|version| version.parse().ok()).ok_or(NoLife::Damaged)?;
    match version {
        _ if name != Some(NAME) => Err(NoLife::Damaged),
        VERSION => fields.next().and_then(decimal).ok_or(NoLife::Damaged),
        newer if newer > VERSION => Err(NoLife::Newer(newer)),
        _ => Err(NoLife::Damaged),
    }
}

/// Begins a life.
///
/// # Errors
/// What the kernel says.
pub fn begin(volume: &dyn Volume, root: &Path, began: Millis) -> io::Result<()> {
    note(volume, root, LIFE, &format!("{NAME} {VERSION} {began}"))
}

/// How far everything is safe; nothing is, if nobody knows.
#[must_use]
pub fn synced(volume: &dyn Volume, root: &Path) -> Option<Position> {
    line_of(volume, &root.join(SYNCED)).ok()??.parse().ok()
}

/// Notes how far everything is safe.
///
/// # Errors
/// What the kernel says.
pub fn note_synced(volume: &dyn Volume, root: &Path, newest: Position) -> io::Result<()> {
    let line = summed::line_of(&newest.to_string());
    let file = volume.create(&root.join(SYNCED))?;
    file.write_at(line.as_bytes(), 0)?;
    file.truncate(line.len() as u64)
}

/// Numbers of which no log tells: those of channels that were forgotten, those that a power cut, damage or a disk that was full has taken from the end of
/// a log, and one behind these that is given to nobody, so that all who were there are before it. All others are counted by the logs. No number up to
/// `through` is given again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Uncounted {
    /// None of them is above this.
    pub through: Position,
    /// How many there are.
    pub count: u64,
}

/// The numbers that no log tells of; none, if nobody has noted any.
#[must_use]
pub fn uncounted(volume: &dyn Volume, root: &Path) -> Uncounted {
    let line = line_of(volume, &root.join(UNCOUNTED)).ok().flatten();
    let fields = line.as_deref().and_then(|line| line.split_once(' '));
    let read = fields.and_then(|(through, count)| Some(Uncounted { through: through.parse().ok()?, count: decimal(count)? }));
    read.unwrap_or_default()
}

/// Notes them, safe from a power cut.
///
/// # Errors
/// What the kernel says.
pub fn note_uncounted(volume: &dyn Volume, root: &Path, uncounted: Uncounted) -> io::Result<()> {
    note(volume, root, UNCOUNTED, &format!("{} {}", uncounted.through, uncounted.count))
}

/// How many events are known to be missing between others, over all channels: who has found that has said it. None, if nobody has noted any.
#[must_use]
pub fn missing(volume: &dyn Volume, root: &Path) -> u64 {
    line_of(volume, &root.join(MISSING)).ok().flatten().and_then(|line| decimal(&line)).unwrap_or(0)
}

/// Notes it. Who finds it lost says once more what was said before.
///
/// # Errors
/// What the kernel says.
pub fn note_missing(volume: &dyn Volume, root: &Path, count: u64) -> io::Result<()> {
    let line = summed::line_of(&count.to_string());
    let file = volume.create(&root.join(MISSING))?;
    file.write_at(line.as_bytes(), 0)?;
    file.truncate(line.len() as u64)
}

fn note(volume: &dyn Volume, root: &Path, name: &str, text: &str) -> io::Result<()> {
    let line = summed::line_of(text);
    let file = volume.create(&root.join(name))?;
    file.write_at(line.as_bytes(), 0)?;
    file.truncate(line.len() as u64)?;
    file.sync()?;
    volume.sync_directory(root)
}

/// Whether a file is there, and not as it was written.
pub(super) fn is_damaged(volume: &dyn Volume, path: &Path) -> bool {
    match line_of(volume, path) {
        Ok(line) => line.is_none(),
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

/// The first line of a file without its checksum; `None` if it is not as it was written. What stands behind it was longer, and was being cut.
fn line_of(volume: &dyn Volume, path: &Path) -> io::Result<Option<String>> {
    let mut bytes = [0; 256];
    let count = volume.open(path)?.read_at(&mut bytes, 0)?;
    let end = memchr::memchr(b'\n', &bytes[..count]);
    let line = end.and_then(|end| std::str::from_utf8(&bytes[..end]).ok());
    Ok(line.and_then(summed::text_of).map(str::to_owned))
}
