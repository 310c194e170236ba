//! Names of fields: `level`, or `kubernetes.pod.name`, which reaches into objects where no field has that name as it stands.

use std::str::FromStr;

/// The most segments of a name: each is one more pass over what lies below it.
const MOST_SEGMENTS: usize = 32;

/// The name of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// As it was given.
    name: Box<str>,
    /// Its first segment, and what is looked for in the object of that name.
    below: Option<Box<(Box<str>, Field)>>,
}

/// Why a text names no field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadField {
    /// Nothing there.
    #[error("a field has a name")]
    Empty,
    /// Too deep.
    #[error("a field lies at most {MOST_SEGMENTS} objects deep")]
    Deep,
}

impl FromStr for Field {
    type Err = BadField;

    fn from_str(text: &str) -> Result<Self, BadField> {
        match text {
            "" => Err(BadField::Empty),
            _ if text.split('.').count() > MOST_SEGMENTS => Err(BadField::Deep),
            _ => Ok(Self::new(text)),
        }
    }
}

impl Field {
    fn new(text: &str) -> Self {
        let segments = text.split_once('.').filter(|(_, rest)| !rest.is_empty());
        let below = segments.map(|(first, rest)| Box::new((first.into(), Self::new(rest))));
        Self { name: text.into(), below }
    }

    /// As it was given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether a key is this field.
    #[must_use]
    pub fn is(&self, key: &str) -> bool {
        *self.name == *key
    }

    /// Whether a key is the first segment of this field, and its value may hold the rest.
    #[must_use]
    pub fn is_below(&self, key: &str) -> bool {
        self.below.as_ref().is_some_and(|below| *below.0 == *key)
    }

    /// What is looked for in the value of its first segment.
    #[must_use]
    pub fn rest(&self) -> Option<&Field> {
        self.below.as_ref().map(|below| &below.1)
    }
}
