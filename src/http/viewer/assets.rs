//! What the page loads, built into the binary: `build.rs` has compressed it and made this table.

/// A file below `src/viewer/`.
#[derive(Debug)]
pub struct Asset {
    /// Its path there, and behind the hash in its URL.
    pub path: &'static str,
    /// Its content type.
    pub kind: &'static str,
    /// As it was written, for clients that do not take it compressed.
    pub raw: &'static [u8],
    /// Compressed.
    pub gzip: &'static [u8],
}

// HASH: of the names and contents of all; PAGE: index.html, with `{{places}}` to be filled; ASSETS: all else, sorted by path.
include!(concat!(env!("OUT_DIR"), "/assets.rs"));

impl Asset {
    /// The one with this path, byte for byte: nothing is decoded, and nothing leads up or down.
    pub fn at(path: &str) -> Option<&'static Self> {
        ASSETS.binary_search_by(|asset| asset.path.cmp(path)).ok().map(|index| &ASSETS[index])
    }
}

/// Whether a part of a URL looks like the hash of some version.
pub fn is_hash(text: &str) -> bool {
    text.len() == HASH.len() && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}
