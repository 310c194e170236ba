//! Who filters: the server, which then sends less, or this client, which has a sieve of its own.
//!
//! A server may not take a filter: its bounds are others, or it has too many of them. Only a second request, without it, shows that: if that one is
//! refused as well, it was not for the filter. Pure.

use super::address::Address;

/// Where lines are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Filtering {
    /// The server is asked to, and so does the client: an older one does not.
    #[default]
    There,
    /// It is tried without, because the server has refused: what it said, and whether it will say that again.
    Doubted(String, Refusal),
    /// The client alone.
    Here(Refusal),
}

/// How a filter was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is no room for it now.
    Now,
    /// It is out of bounds.
    ForEver,
}

impl Filtering {
    /// Whom to ask.
    #[must_use]
    pub fn address(&self, address: &Address) -> Address {
        let unfiltered = if *self == Self::There { None } else { address.unfiltered() };
        unfiltered.unwrap_or_else(|| address.clone())
    }

    /// A request was refused. Whether it is worth another one at once, without the filter.
    pub fn refused(&mut self, address: &Address, why: &str, how: Refusal) -> bool {
        let may_be_the_filter = *self == Self::There && address.unfiltered().is_some();
        *self = match std::mem::take(self) {
            Self::There if may_be_the_filter => Self::Doubted(why.to_owned(), how),
            Self::Here(Refusal::ForEver) => Self::Here(Refusal::ForEver),
            _ => Self::There,
        };
        may_be_the_filter
    }

    /// There is a stream. What the server had said, if it was the filter.
    pub fn found(&mut self) -> Option<String> {
        match std::mem::take(self) {
            Self::Doubted(why, how) => {
                *self = Self::Here(how);
                Some(why)
            }
            other => {
                *self = other;
                None
            }
        }
    }

    /// A connection has ended, or there was none: the next one may be taken with the filter.
    pub fn ended(&mut self) {
        if *self != Self::Here(Refusal::ForEver) {
            *self = Self::There;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(filtering: &Filtering) -> bool {
        filtering.address(&address()).target().contains("grep=")
    }

    fn address() -> Address {
        Address::parse(":1").unwrap().asking(&[("grep", "x"), ("ping", "1")])
    }

    #[test]
    fn it_is_the_filter_if_it_goes_without() {
        for (how, asks_again) in [(Refusal::Now, true), (Refusal::ForEver, false)] {
            let mut filtering = Filtering::default();
            assert!(asks(&filtering) && filtering.refused(&address(), "503 full", how) && !asks(&filtering));
            assert_eq!((filtering.found(), filtering.found()), (Some("503 full".to_owned()), None));
            assert!(!asks(&filtering));
            filtering.ended();
            assert_eq!(asks(&filtering), asks_again);
        }
    }

    #[test]
    fn it_is_something_else_if_it_does_not() {
        let mut filtering = Filtering::default();
        assert!(filtering.refused(&address(), "503 full", Refusal::Now));
        assert!(!filtering.refused(&address(), "503 full", Refusal::Now) && asks(&filtering));
        assert!(!Filtering::default().refused(&Address::parse(":1").unwrap(), "503", Refusal::Now), "there is none");
    }
}
