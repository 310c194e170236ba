//! What a view contains: everything, or the channels at or below some names.

use std::collections::BTreeSet;

use super::expected::Expected;
use crate::event::ChannelName;

/// Chooses channels by name. Two filters that choose the same are equal, so that their clients share one view.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Filter {
    /// All channels, also those to come.
    All,
    /// The channels at or below these names, none of which lies below another.
    Below(BTreeSet<ChannelName>),
}

impl Filter {
    /// The filter for these names; all channels if there is none.
    #[must_use]
    pub fn of(names: impl IntoIterator<Item = ChannelName>) -> Self {
        let names: BTreeSet<_> = names.into_iter().collect();
        let is_covered = |name: &ChannelName| names.iter().any(|other| other != name && name.is_at_or_below(other));
        let needed: BTreeSet<_> = names.iter().filter(|name| !is_covered(name)).cloned().collect();
        if needed.is_empty() { Self::All } else { Self::Below(needed) }
    }

    /// Whether events of this channel belong to the view.
    #[must_use]
    pub fn contains(&self, channel: &ChannelName) -> bool {
        match self {
            Self::All => true,
            Self::Below(names) => names.iter().any(|name| channel.is_at_or_below(name)),
        }
    }

    /// Whether channels that could come belong to the view.
    #[must_use]
    pub fn could_gain(&self, expected: &Expected) -> bool {
        match self {
            Self::All => true,
            Self::Below(names) => names.iter().any(|name| expected.could_yield_below_or_at(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_that_choose_the_same_are_equal() {
        let name = |text: &str| text.parse::<ChannelName>().unwrap();
        assert_eq!(Filter::of([]), Filter::All);
        assert_eq!(Filter::of([name("a/b"), name("a"), name("a")]), Filter::of([name("a")]));
        assert!(Filter::of([name("a"), name("c")]).contains(&name("c/d")));
        assert!(!Filter::of([name("a"), name("c")]).contains(&name("b")));
    }
}
