//! Types of events: those that the user gives, and those that come from data.

use std::borrow::Cow;
use std::str::FromStr;

use crate::event::RESERVED_TYPES;

/// The type that a line says its event has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Kind<'a> {
    /// It says none: the user's, if there is one.
    #[default]
    Usual,
    /// This one.
    Named(Cow<'a, str>),
    /// One that cannot stand in a stream, or is reserved: the event has none.
    Refused,
}

impl<'a> Kind<'a> {
    /// What data says, if it can be a type.
    #[must_use]
    pub fn of(text: Cow<'a, str>) -> Self {
        if check(&text).is_ok() { Self::Named(text) } else { Self::Refused }
    }

    /// The same, in memory of its own.
    #[must_use]
    pub fn into_owned(self) -> Kind<'static> {
        match self {
            Self::Usual => Kind::Usual,
            Self::Named(text) => Kind::Named(Cow::Owned(text.into_owned())),
            Self::Refused => Kind::Refused,
        }
    }
}

/// An event type that may stand in a stream: one line, not empty, and none that the protocol keeps for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventType(String);

/// Why a text is not an event type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadEventType {
    /// An empty type means none.
    #[error("an event type is not empty")]
    Empty,
    /// It would end the line and forge a field.
    #[error("an event type has no line break and no NUL")]
    LineBreak,
    /// A control event's, or one that browsers deliver to other listeners.
    #[error("it is reserved; reserved are {}", RESERVED_TYPES.join(", "))]
    Reserved,
}

impl FromStr for EventType {
    type Err = BadEventType;

    fn from_str(text: &str) -> Result<Self, BadEventType> {
        check(text).map(|()| Self(text.to_owned()))
    }
}

/// Whether a text can be the type of an event.
///
/// # Errors
/// Why not.
pub fn check(text: &str) -> Result<(), BadEventType> {
    match text {
        "" => Err(BadEventType::Empty),
        _ if text.contains(['\r', '\n', '\0']) => Err(BadEventType::LineBreak),
        _ if RESERVED_TYPES.contains(&text) => Err(BadEventType::Reserved),
        _ => Ok(()),
    }
}

impl AsRef<str> for EventType {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_that_would_harm_the_stream_are_refused() {
        assert_eq!("x\ny".parse::<EventType>(), Err(BadEventType::LineBreak));
        assert_eq!("x\ry".parse::<EventType>(), Err(BadEventType::LineBreak));
        assert_eq!("".parse::<EventType>(), Err(BadEventType::Empty));
        for reserved in RESERVED_TYPES {
            assert_eq!(reserved.parse::<EventType>(), Err(BadEventType::Reserved), "{reserved}");
        }
        assert_eq!("tick €".parse::<EventType>().unwrap().as_ref(), "tick €");
    }
}
