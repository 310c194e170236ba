//! Globs, part by part: what a path below the literal part must look like.
//!
//! `*`, `?`, `[...]` and `{a,b}` match within one part of a path, `**` any number of directories. As in a shell, a part that begins with a dot
//! is matched only by one that does. Each part is compared with the names of one directory, so no more is read of the disk
//! than could match.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};

/// Endings of files that rotation leaves compressed: their bytes are no lines.
const COMPRESSED: [&str; 10] = [".gz", ".xz", ".zst", ".bz2", ".lz4", ".lzma", ".br", ".Z", ".zip", ".7z"];

/// A path with wildcards.
#[derive(Debug, Clone)]
pub struct Glob {
    /// The literal directories before the first wildcard, absolute.
    pub base: PathBuf,
    /// What follows, at least one.
    pub parts: Vec<Part>,
    /// All of it, as it was written.
    pub whole: PathBuf,
}

/// One part of a path.
#[derive(Debug, Clone)]
pub enum Part {
    /// Exactly this name.
    Literal(OsString),
    /// A name that matches.
    Wild(Wild),
    /// `**`: any number of directories, also none.
    AnyDepth,
}

/// A part with wildcards.
#[derive(Debug, Clone)]
pub struct Wild {
    matcher: GlobMatcher,
    may_be_hidden: bool,
}

/// Why a text is not a glob.
#[derive(Debug, thiserror::Error)]
pub enum BadGlob {
    /// The matcher compares text.
    #[error("a glob is UTF-8")]
    NotText,
    /// `{a/b,c}` would span directories.
    #[error("{{...}} stays within one directory")]
    Braces,
    /// It matches directories.
    #[error("it ends in a directory")]
    Directory,
    /// What the matcher says.
    #[error("{0}")]
    Syntax(String),
}

/// Whether a path has wildcards.
#[must_use]
pub fn is_wild(path: &OsStr) -> bool {
    path.as_bytes().iter().any(|byte| b"*?[{".contains(byte))
}

/// Whether the name says that the file is compressed.
#[must_use]
pub fn is_compressed(name: &OsStr) -> bool {
    COMPRESSED.iter().any(|ending| name.as_bytes().ends_with(ending.as_bytes()))
}

impl Glob {
    /// Reads an absolute path with wildcards.
    pub fn parse(path: &Path) -> Result<Self, BadGlob> {
        let names: Vec<_> =
            path.components().filter_map(|part| if let Component::Normal(name) = part { Some(name) } else { None }).collect();
        let first = names.iter().position(|name| is_wild(name)).unwrap_or(names.len());
        let base = Path::new("/").join(names[..first].iter().collect::<PathBuf>());
        let mut parts = names[first..].iter().map(|name| Part::parse(name)).collect::<Result<Vec<_>, _>>()?;
        parts.dedup_by(|a, b| matches!((a, b), (Part::AnyDepth, Part::AnyDepth)));
        if path.as_os_str().as_bytes().ends_with(b"/") || matches!(parts.last(), None | Some(Part::AnyDepth)) {
            return Err(BadGlob::Directory);
        }
        Ok(Self { base, parts, whole: path.to_owned() })
    }

    /// Whether it matches a path, by its words alone.
    #[must_use]
    pub fn matches(&self, path: &Path) -> bool {
        let Ok(below) = path.strip_prefix(&self.base) else { return false };
        let names: Vec<_> = below.iter().collect();
        matches(&self.parts, &names)
    }
}

fn matches(parts: &[Part], names: &[&OsStr]) -> bool {
    match (parts, names) {
        ([], []) => true,
        ([Part::AnyDepth, rest @ ..], _) => {
            let depth = names.iter().take_while(|name| !is_hidden(name)).count();
            (0..=depth).any(|skipped| matches(rest, &names[skipped..]))
        }
        ([part, parts @ ..], [name, names @ ..]) => part.matches(name) && matches(parts, names),
        _ => false,
    }
}

impl Part {
    fn parse(name: &OsStr) -> Result<Self, BadGlob> {
        if !is_wild(name) {
            return Ok(Self::Literal(name.to_owned()));
        }
        let text = name.to_str().ok_or(BadGlob::NotText)?;
        if text == "**" {
            return Ok(Self::AnyDepth);
        }
        if text.matches('{').count() != text.matches('}').count() {
            return Err(BadGlob::Braces);
        }
        let glob = GlobBuilder::new(text).literal_separator(true).backslash_escape(true).build();
        let matcher = glob.map_err(|error| BadGlob::Syntax(error.kind().to_string()))?.compile_matcher();
        Ok(Self::Wild(Wild { matcher, may_be_hidden: text.starts_with('.') }))
    }

    /// Whether a name in a directory matches; never for `**`, which is no single name.
    #[must_use]
    pub fn matches(&self, name: &OsStr) -> bool {
        match self {
            Self::Literal(literal) => literal == name,
            Self::Wild(wild) => wild.matches(name),
            Self::AnyDepth => false,
        }
    }
}

impl Wild {
    /// Whether a name matches.
    #[must_use]
    pub fn matches(&self, name: &OsStr) -> bool {
        (self.may_be_hidden || !is_hidden(name)) && self.matcher.is_match(Path::new(name))
    }

    /// Whether the bytes of a name match.
    #[must_use]
    pub fn matches_bytes(&self, name: &[u8]) -> bool {
        self.matches(OsStr::from_bytes(name))
    }
}

/// Whether a shell's wildcard would pass it over.
#[must_use]
pub fn is_hidden(name: &OsStr) -> bool {
    name.as_bytes().first() == Some(&b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glob(text: &str) -> Glob {
        Glob::parse(Path::new(text)).unwrap()
    }

    #[test]
    fn the_literal_part_ends_before_the_first_wildcard() {
        assert_eq!(glob("/var/log/nginx/*.log").base, Path::new("/var/log/nginx"));
        assert_eq!(glob("/var/log/*/x/*.log").base, Path::new("/var/log"));
        assert_eq!(glob("/*").base, Path::new("/"));
    }

    #[test]
    fn globs_match_as_in_a_shell() {
        for (pattern, path, expected) in [
            ("/l/*.log", "/l/a.log", true),
            ("/l/*.log", "/l/.a.log", false),
            ("/l/.*.log", "/l/.a.log", true),
            ("/l/*.log", "/l/d/a.log", false),
            ("/l/**/*.log", "/l/a.log", true),
            ("/l/**/*.log", "/l/d/e/a.log", true),
            ("/l/**/*.log", "/l/.d/a.log", false),
            ("/l/*/x.log", "/l/d/x.log", true),
            ("/l/*/x.log", "/l/d/y.log", false),
            ("/l/{a,b}[0-9]?", "/l/a1x", true),
            ("/l/{a,b}[0-9]?", "/l/c1x", false),
            ("/l/*", "/m/a", false),
            ("/l/**/d/**/x*", "/l/1/d/2/3/x1", true),
        ] {
            assert_eq!(glob(pattern).matches(Path::new(path)), expected, "{pattern} {path}");
        }
        let name = OsStr::from_bytes(b"/l/\xff.log");
        assert!(glob("/l/*.log").matches(Path::new(name)), "names that are not UTF-8");
    }

    #[test]
    fn what_is_no_glob_is_refused() {
        for bad in ["/l/[a", "/l/**", "/l/*/", "/l/{a/b,c}"] {
            assert!(Glob::parse(Path::new(bad)).is_err(), "{bad}");
        }
        assert!(Glob::parse(Path::new(OsStr::from_bytes(b"/l/\xff*"))).is_err());
    }
}
