//! Two small files: when the numbering began, and how far everything is safe from a power cut.
//!
//! ```text
//! @life      sse-bridge 1 1763660000000 5c1e9b0f\n          format, beginning of the life, checksum
//! @synced    1763660123456-4821 9b1f0e5c\n                  the last event of which all before it are safe, checksum
//! ```
//!
//! The first is written once. The second is written in place after each sync; one that cannot be read only means that more is looked through at the
//! next start.

use std::io;
use std::path::Path;

use super::layout::{LIFE, SYNCED};
use super::record::{VERSION, checksum_in};
use super::volume::Volume;
use crate::event::{Millis, Position};

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
        VERSION => fields.next().and_then(|began| began.parse().ok()).ok_or(NoLife::Damaged),
        newer if newer > VERSION => Err(NoLife::Newer(newer)),
        _ => Err(NoLife::Damaged),
    }
}

/// Begins a life.
///
/// # Errors
/// What the kernel says.
pub fn begin(volume: &dyn Volume, root: &Path, began: Millis) -> io::Result<()> {
    let file = volume.open_to_write(&root.join(LIFE))?;
    let line = with_checksum(&format!("{NAME} {VERSION} {began}"));
    file.write_at(line.as_bytes(), 0)?;
    file.truncate(line.len() as u64)?;
    file.sync()?;
    volume.sync_directory(root)
}

/// How far everything is safe; nothing is, if nobody knows.
#[must_use]
pub fn synced(volume: &dyn Volume, root: &Path) -> Option<Position> {
    let line = line_of(volume, &root.join(SYNCED)).ok()??;
    let (time, number) = line.split_once('-')?;
    Some(Position { time: time.parse().ok()?, number: number.parse().ok()? })
}

/// Notes how far everything is safe.
///
/// # Errors
/// What the kernel says.
pub fn note_synced(volume: &dyn Volume, root: &Path, newest: Position) -> io::Result<()> {
    let line = with_checksum(&newest.to_string());
    let file = volume.open_to_write(&root.join(SYNCED))?;
    file.write_at(line.as_bytes(), 0)?;
    file.truncate(line.len() as u64)
}

fn with_checksum(text: &str) -> String {
    format!("{text} {:08x}\n", crc32fast::hash(text.as_bytes()))
}

/// The line of a file without its checksum; `None` if it is not as it was written.
fn line_of(volume: &dyn Volume, path: &Path) -> io::Result<Option<String>> {
    let mut bytes = [0; 256];
    let count = volume.open(path)?.read_at(&mut bytes, 0)?;
    let line = bytes[..count].strip_suffix(b"\n").and_then(|line| std::str::from_utf8(line).ok());
    let parts = line.and_then(|line| line.rsplit_once(' '));
    Ok(parts.filter(|(text, sum)| checksum_in(sum) == Some(crc32fast::hash(text.as_bytes()))).map(|(text, _)| text.to_owned()))
}
