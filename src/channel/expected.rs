//! Names that do not exist yet: which channels a source could still yield.
//!
//! A live glob yields a channel for each file that comes to match it. Whoever asks for such a name waits for it, and whoever asks
//! for any other is told that there is none.

use std::fmt;
use std::sync::Arc;

use crate::event::{ChannelName, decoded};

/// What marks the place in a shortened name where its middle was.
const MARK: char = '~';

/// How many hexadecimal digits stand between two marks.
const HASH_DIGITS: usize = 16;

/// A requested name may be a shortened one if it is longer than this, in bytes: a name is shortened to the longest that may be
/// or a little less.
const SHORTENED_ABOVE: usize = 80;

/// The channel names that one source could yield: those whose segments match these matchers, one after the other.
#[derive(Debug, Clone)]
pub struct Expected {
    segments: Vec<Segment>,
}

/// Matches segments of a channel name.
#[derive(Debug, Clone)]
pub enum Segment {
    /// This one, written as in a channel name: percent-encoded.
    Literal(String),
    /// One that the glob matches.
    Glob(Glob),
    /// Any number of them, also none.
    AnyDepth,
}

/// Decides about one segment, by its bytes as they were before percent-encoding. Cheap to clone.
#[derive(Clone)]
pub struct Glob(Arc<Decide>);

type Decide = dyn Fn(&[u8]) -> bool + Send + Sync;

impl Glob {
    /// A glob that matches what `matches` is true for.
    #[must_use]
    pub fn new(matches: impl Fn(&[u8]) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(matches))
    }
}

impl fmt::Debug for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Glob").finish_non_exhaustive()
    }
}

impl Segment {
    /// Whether it matches this one segment.
    fn matches(&self, segment: &str) -> bool {
        match self {
            Self::Literal(literal) => literal == segment,
            Self::Glob(glob) => glob.0(&decoded(segment)),
            Self::AnyDepth => true,
        }
    }

    /// Whether it could match a segment that begins so.
    fn could_begin(&self, beginning: &str) -> bool {
        match self {
            Self::Literal(literal) => literal.starts_with(beginning),
            // Nobody can ask a glob about a part.
            Self::Glob(_) | Self::AnyDepth => true,
        }
    }
}

impl Expected {
    /// The names of these segments; none of them makes a name of nothing, which is not a name.
    #[must_use]
    pub fn new(segments: Vec<Segment>) -> Self {
        Self { segments }
    }

    /// Whether a channel of exactly this name could come.
    #[must_use]
    pub fn could_yield(&self, name: &ChannelName) -> bool {
        self.after(name.as_str().split('/')).contains(&self.segments.len()) || self.could_be_shortened_to(name)
    }

    /// Whether a channel of this name, or one below it, could come. A glob is taken to match something.
    #[must_use]
    pub fn could_yield_below_or_at(&self, name: &ChannelName) -> bool {
        !self.after(name.as_str().split('/')).is_empty() || self.could_be_shortened_to(name)
    }

    /// Whether this could be the shortened form of a longer name. The middle of a name that is too long is replaced by
    /// `~HASH~`, which nobody can undo: what stands before it must agree with the matchers, anything may stand behind it.
    fn could_be_shortened_to(&self, name: &ChannelName) -> bool {
        let name = name.as_str();
        name.len() > SHORTENED_ABOVE && beginnings(name).any(|beginning| self.could_begin(beginning))
    }

    /// Whether a name could begin so, with a last segment that may be only a part of one.
    fn could_begin(&self, beginning: &str) -> bool {
        let (whole, part) = beginning.rsplit_once('/').map_or((None, beginning), |(whole, part)| (Some(whole), part));
        let places = self.after(whole.into_iter().flat_map(|whole| whole.split('/')));
        places.into_iter().filter_map(|place| self.segments.get(place)).any(|segment| segment.could_begin(part))
    }

    /// Where one can be in the list of matchers after these segments, in order: before which one, or behind the last.
    fn after<'a>(&self, segments: impl Iterator<Item = &'a str>) -> Vec<usize> {
        let mut places = self.with_skips(vec![0]);
        for segment in segments {
            let matching = places.into_iter().filter(|place| self.segments.get(*place).is_some_and(|next| next.matches(segment)));
            let next = matching.map(|place| if self.is_any_depth(place) { place } else { place + 1 }).collect();
            places = self.with_skips(next);
        }
        places
    }

    /// Adds the places that are reached by letting [`Segment::AnyDepth`] match nothing.
    fn with_skips(&self, mut places: Vec<usize>) -> Vec<usize> {
        let mut next = 0;
        while let Some(&place) = places.get(next) {
            if self.is_any_depth(place) {
                places.push(place + 1);
            }
            next += 1;
        }
        places.sort_unstable();
        places.dedup();
        places
    }

    fn is_any_depth(&self, place: usize) -> bool {
        matches!(self.segments.get(place), Some(Segment::AnyDepth))
    }
}

/// What stands before each `~HASH~` in a name.
fn beginnings(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices(MARK).filter_map(|(at, mark)| {
        let behind = &name[at + mark.len()..];
        let (hash, rest) = behind.split_at_checked(HASH_DIGITS)?;
        let is_hash = hash.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        (is_hash && rest.starts_with(MARK)).then_some(&name[..at])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::is_plain;
    use proptest::prelude::*;

    const ALPHABET: [&str; 4] = ["a", "b", "ab", "%2F"];

    fn literal(text: &str) -> Segment {
        Segment::Literal(text.to_owned())
    }

    fn glob(which: usize) -> Segment {
        Segment::Glob(match which {
            0 => Glob::new(|_| true),
            1 => Glob::new(|segment| segment.starts_with(b"a")),
            _ => Glob::new(|segment| segment == b"/"),
        })
    }

    /// The same questions by trying everything.
    fn matches_naively(pattern: &[Segment], name: &[&str]) -> bool {
        match (pattern, name) {
            ([], rest) => rest.is_empty(),
            ([Segment::AnyDepth, others @ ..], _) => (0..=name.len()).any(|skip| matches_naively(others, &name[skip..])),
            (_, []) => false,
            ([Segment::Literal(literal), others @ ..], [first, rest @ ..]) => literal == first && matches_naively(others, rest),
            ([Segment::Glob(glob), others @ ..], [first, rest @ ..]) => {
                glob.0(first.replace("%2F", "/").as_bytes()) && matches_naively(others, rest)
            }
        }
    }

    fn matches_with_more(pattern: &[Segment], name: &[&str], more: usize) -> bool {
        let longer = |next| matches_with_more(pattern, &[name, &[next]].concat(), more - 1);
        matches_naively(pattern, name) || (more > 0 && ALPHABET.into_iter().any(longer))
    }

    fn segments() -> impl Strategy<Value = Vec<Segment>> {
        let segment = prop_oneof![
            prop::sample::select(&ALPHABET[..]).prop_map(literal),
            (0..3_usize).prop_map(glob),
            Just(Segment::AnyDepth),
        ];
        proptest::collection::vec(segment, 0..5)
    }

    proptest! {
        #[test]
        fn names_are_judged_as_by_trying_everything(
            pattern in segments(),
            name in proptest::collection::vec(prop::sample::select(&ALPHABET[..]), 1..5),
        ) {
            let expected = Expected::new(pattern.clone());
            let channel: ChannelName = name.join("/").parse().unwrap();
            prop_assert_eq!(expected.could_yield(&channel), matches_naively(&pattern, &name));
            prop_assert_eq!(expected.could_yield_below_or_at(&channel), matches_with_more(&pattern, &name, pattern.len()));
        }

        #[test]
        fn decoding_is_the_way_back(bytes in proptest::collection::vec(any::<u8>(), 0..20)) {
            let escape = |byte: &u8| if is_plain(*byte) { char::from(*byte).to_string() } else { format!("%{byte:02X}") };
            prop_assert_eq!(decoded(&bytes.iter().map(escape).collect::<String>()), bytes);
        }

        #[test]
        fn no_name_makes_it_panic(pattern in segments(), name in "[a~0-9/%F]{1,90}") {
            if let Ok(name) = name.parse() {
                let expected = Expected::new(pattern);
                let (exactly, below) = (expected.could_yield(&name), expected.could_yield_below_or_at(&name));
                prop_assert!(below || !exactly, "a name is at itself");
            }
        }
    }

    #[test]
    fn a_shortened_name_is_possible_if_its_beginning_is() {
        let pattern = || vec![literal("logs"), Segment::AnyDepth, literal("pod"), glob(1)];
        let expected = Expected::new(pattern());
        let narrow = Expected::new(vec![literal("logs"), literal("pod"), literal("abc"), literal("d")]);
        for (beginning, expectations) in [
            ("logs/pod/", [true, true]),
            ("logs/pod/ab", [true, true]),
            ("logs/pod/abc/", [true, true]),
            ("logs/pod/abd", [true, false]),
            ("logs/pod/abc/d/", [true, false]),
            ("log", [true, true]),
            ("", [true, true]),
            ("lag", [false, false]),
            ("lo/", [false, false]),
        ] {
            let name: ChannelName = format!("{:x<90}", format!("{beginning}~0123456789abcdef~")).parse().unwrap();
            let possible = [expected.could_yield(&name), narrow.could_yield(&name)];
            assert_eq!(possible, expectations, "{name}");
            assert_eq!([expected.could_yield_below_or_at(&name), narrow.could_yield_below_or_at(&name)], expectations, "{name}");
        }
        for (mark, end) in
            [("~0123456789abcdeF~", 60), ("~0123456789abcde~", 60), ("~0123456789abcdef", 60), ("~0123456789abcdef~", 40)]
        {
            let name: ChannelName = format!("logs/pod/{mark}{}", "x".repeat(end)).parse().unwrap();
            assert!(!narrow.could_yield_below_or_at(&name), "{name}");
        }
    }
}
