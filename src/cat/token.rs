//! `--token-file`: what is shown to a server, and to nobody else.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use hyper::header::HeaderValue;

/// No token is longer.
const LONGEST: u64 = 16 << 10;

/// A file with a token.
#[derive(Debug, Clone)]
pub struct Token {
    path: PathBuf,
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum NoToken {
    /// The file cannot be read.
    #[error("it cannot be read")]
    Unreadable(#[source] io::Error),
    /// Nothing stands in its first line.
    #[error("its first line is empty")]
    Empty,
    /// What stands there cannot be sent.
    #[error("its first line is no token: only printable ASCII without spaces, at most 16 KiB")]
    Odd,
}

impl Token {
    /// The token in the first line of this file.
    #[must_use]
    pub fn in_file(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Where it stands.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether others than its owner and its group may read it.
    #[must_use]
    pub fn is_for_everybody(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|found| found.is_file() && found.mode() & 0o004 != 0)
    }

    /// `Bearer` and the token as it stands in the file now.
    pub fn header(&self) -> Result<HeaderValue, NoToken> {
        let mut text = Vec::new();
        let file = File::open(&self.path).map_err(NoToken::Unreadable)?;
        file.take(LONGEST + 1).read_to_end(&mut text).map_err(NoToken::Unreadable)?;
        let token = text.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii();
        let is_long = u64::try_from(token.len()).unwrap_or(u64::MAX) > LONGEST;
        match token {
            [] => Err(NoToken::Empty),
            _ if is_long || !token.iter().all(u8::is_ascii_graphic) => Err(NoToken::Odd),
            _ => {
                let mut value = HeaderValue::from_bytes(&[b"Bearer ", token].concat()).map_err(|_| NoToken::Odd)?;
                value.set_sensitive(true);
                Ok(value)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(text: &str) -> Result<HeaderValue, NoToken> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        Token::in_file(file.path()).header()
    }

    #[test]
    fn the_first_line_is_the_token() {
        let value = header("  abc.d-e=  \r\nsecond").unwrap();
        assert_eq!(value.as_bytes(), b"Bearer abc.d-e=");
        assert!(value.is_sensitive() && !format!("{value:?}").contains("abc"));
    }

    #[test]
    fn what_is_no_token_is_not_sent() {
        assert!(matches!(header(""), Err(NoToken::Empty)));
        assert!(matches!(header("\nabc"), Err(NoToken::Empty)));
        assert!(matches!(header("a b"), Err(NoToken::Odd)));
        assert!(matches!(header("ä"), Err(NoToken::Odd)));
        assert!(matches!(header(&"a".repeat(20_000)), Err(NoToken::Odd)));
        assert!(matches!(Token::in_file(Path::new("/nowhere/token")).header(), Err(NoToken::Unreadable(_))));
    }
}
