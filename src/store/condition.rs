//! What the history says of itself.

use super::disk::archive::Archive;
use super::trouble::Trouble;

/// What the history says of itself.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Condition {
    /// What it takes on the disk, in bytes.
    pub bytes: u64,
    /// Why it cannot be written now, if it cannot.
    pub failing: Option<String>,
    /// How often it began to fail.
    #[serde(skip)]
    pub failures: u64,
    /// What can be wrong, in a word each, and whether it is now.
    #[serde(skip)]
    pub troubles: [(&'static str, bool); 4],
    /// How many events could not be written since all was well.
    #[serde(skip)]
    pub missing: u64,
    /// How many segments there are.
    #[serde(skip)]
    pub segments: usize,
}

impl Condition {
    /// That of an archive, and of what is wrong with it.
    pub(super) fn of(archive: &Archive, trouble: &Trouble) -> Self {
        Self {
            bytes: archive.bytes(),
            failing: trouble.reason().map(str::to_owned),
            failures: trouble.begun(),
            troubles: trouble.kinds(),
            missing: trouble.missing(),
            segments: archive.segments(),
        }
    }
}
