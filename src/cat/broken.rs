//! Why a stream is followed no more, and what helps.

use std::io;

use super::address::BadAddress;
use super::token::NoToken;
use super::wire::Astray;

/// Why a stream is followed no more before it has ended.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The server does not want to.
    #[error("refused by {url}: {why}")]
    Refused {
        /// Whom.
        url: String,
        /// What it says.
        why: String,
    },
    /// What is there is no event stream.
    #[error("no event stream at {url}: {why}")]
    Strange {
        /// Where.
        url: String,
        /// What is there.
        why: String,
    },
    /// It leads to another server.
    #[error("{url} leads to another place")]
    Astray {
        /// From where.
        url: String,
        /// Where to.
        #[source]
        why: Astray,
    },
    /// Something is missing, and nothing may be; the line begins with `gap: `.
    #[error("stopped before a {0}")]
    Gap(String),
    /// There was no stream for too long.
    #[error("no stream of {url} for {waited} s: {why}")]
    Unreachable {
        /// Of what.
        url: String,
        /// How long.
        waited: u64,
        /// What happened at last.
        why: String,
    },
    /// The token cannot be had.
    #[error("could not take the token from '{path}'")]
    Token {
        /// The file.
        path: String,
        /// Why.
        #[source]
        why: NoToken,
    },
    /// Nobody reads what is written.
    #[error("nobody reads the output")]
    Gone,
    /// It cannot be written.
    #[error("could not write the output")]
    Output(#[source] io::Error),
}

impl Broken {
    /// The exit code.
    #[must_use]
    pub fn code(&self) -> u8 {
        match self {
            Self::Refused { .. } | Self::Strange { .. } | Self::Astray { .. } => 3,
            Self::Gap(_) => 4,
            Self::Unreachable { .. } => 75,
            Self::Token { .. } => 2,
            Self::Gone | Self::Output(_) => 1,
        }
    }

    /// Whether only this stream is broken, and others can be followed.
    #[must_use]
    pub fn is_of_one_stream(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::Strange { .. } | Self::Astray { .. } | Self::Unreachable { .. })
    }

    /// What the user can do about a broken stream.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Refused { why, .. } if why.starts_with("401") || why.starts_with("403") => {
                Some("--token-file FILE shows the server a token")
            }
            Self::Refused { why, .. } if why.starts_with("404") => Some("GET /channels lists what there is"),
            Self::Refused { .. } => Some("the server has decided; the URL and the options are what can be changed"),
            Self::Strange { .. } => Some("streams of sse-bridge are at /events and below"),
            Self::Astray { why: Astray::Elsewhere(bad), .. } => Some(BadAddress::hint(bad)),
            Self::Astray { why: Astray::Circles, .. } => Some("the server sends in circles; ask who runs it"),
            Self::Gap(_) => Some("without --strict it goes on behind it"),
            Self::Unreachable { .. } => Some("start it again later; --state goes on where it was"),
            Self::Token { .. } => Some("the file holds the token in its first line, and you may read it"),
            Self::Gone => None,
            Self::Output(_) => Some("what was written is remembered by --state"),
        }
    }
}
