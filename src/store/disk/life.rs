//! Three small files: when the numbering began, how far everything is safe from a power cut, and how many numbers no log tells of.
//!
//! ```text
//! @life      sse-bridge 1 1763660000000 5c1e9b0f\n          format, beginning of the life, checksum
//! @synced    1763660123456-4821 9b1f0e5c\n                  the last event of which all before it are safe, checksum
//! @uncounted 1763660000777-4100 12 41c0a7e2\n                the last number that may be one of them, how many there are, checksum
//! ```
//!
//! The first is written once. The second is written in place after each sync; one that cannot be read only means that more is looked through at the
//! next start.

use std::io;
use std::path::Path;

use super::layout::{LIFE, SYNCED, UNCOUNTED};
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
    let file = volume.create(&root.join(LIFE))?;
    let line = summed::line_of(&format!("{NAME} {VERSION} {began}"));
    file.write_at(line.as_bytes(), 0)?;
    file.truncate(line.len() as u64)?;
    file.sync()?;
    volume.sync_directory(root)
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

/// Numbers that were given to events of which no log tells: those of channels that were forgotten, and those that a power cut or damage has taken from
/// the end of a log. All others are counted by the logs.
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
    let line = summed::line_of(&format!("{} {}", uncounted.through, uncounted.count));
    let file = volume.create(&root.join(UNCOUNTED))?;
    file.write_at(line.as_bytes(), 0)?;
    file.truncate(line.len() as u64)?;
    file.sync()?;
    volume.sync_directory(root)
}

/// The line of a file without its checksum; `None` if it is not as it was written.
fn line_of(volume: &dyn Volume, path: &Path) -> io::Result<Option<String>> {
    let mut bytes = [0; 256];
    let count = volume.open(path)?.read_at(&mut bytes, 0)?;
    let line = bytes[..count].strip_suffix(b"\n").and_then(|line| std::str::from_utf8(line).ok());
    Ok(line.and_then(summed::text_of).map(str::to_owned))
}
