//! Events to events: what is taken out of them, and which are left out.
//!
//! ```text
//! event ▸ strip escapes ▸ redact ▸ match, drop ▸ rate limit ▸ event
//! ```
//!
//! Nothing unredacted is ever given: an event whose data goes on in the next one (a line or a group that was too long) waits until that is there, and
//! what is secret across the seam goes as a whole. What the rate limit leaves out is counted, and told as a gap at its place: what is given and what is
//! told is together all that came.
//!
//! What waits, and what was left out and is not told yet, counts as not given ([`Shaper::first`]): a source that goes on behind the last clean cut loses
//! and repeats nothing.

pub mod escapes;
mod made;
pub mod rate;
pub mod redaction;

use std::sync::Arc;
use std::time::Instant;

use regex::bytes::RegexSet;

pub use made::{Item, Made};

use crate::event::Age;
use crate::mapping::{Lane, Mapped, Seam, check};
use escapes::Stripper;
use rate::{Admission, Limiter, Rate};
use redaction::{Cut, Redaction};

/// What becomes of the events of a source.
#[derive(Debug, Clone, Default)]
pub struct Shaping {
    /// Whether terminal sequences are taken out.
    pub escapes: Escapes,
    /// What is replaced.
    pub redaction: Option<Redaction>,
    /// What is given: what one of these matches, if there are any.
    pub matching: Option<RegexSet>,
    /// What is left out: what one of these matches.
    pub dropping: Option<RegexSet>,
    /// How many are given.
    pub rate: Option<Rate>,
}

impl Shaping {
    /// Whether events stay as they are, all of them.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        let Self { escapes, redaction, matching, dropping, rate } = self;
        *escapes == Escapes::Kept && redaction.is_none() && matching.is_none() && dropping.is_none() && rate.is_none()
    }
}

/// What becomes of terminal sequences.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Escapes {
    /// They stay.
    #[default]
    Kept,
    /// They are taken out.
    Stripped,
}

/// What was left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// By match and drop.
    pub unwanted: u64,
    /// By the rate limit.
    pub limited: u64,
    /// Gaps of an upstream.
    pub upstream_gaps: u64,
}

/// Shapes the events of one text.
#[derive(Debug)]
pub struct Shaper {
    shaping: Arc<Shaping>,
    /// The most bytes of an event.
    max_line: usize,
    stripper: Stripper,
    /// Where the last event was stripped.
    stripped: Vec<u8>,
    held: Option<Held>,
    limiter: Option<Limiter>,
    /// What was left out by the rate limit and is not told.
    untold: Option<Untold>,
    /// What was decided of the last range of bytes.
    decided: Option<((u64, u64), Admission)>,
    /// What was left out since somebody asked.
    pub tally: Tally,
}

/// An event that waits for the one that it goes on with.
#[derive(Debug)]
struct Held {
    kind: Option<String>,
    data: Vec<u8>,
    bytes: (u64, u64),
    lane: Lane,
    seam: Seam,
    age: Age,
}

/// Events left out by the rate limit.
#[derive(Debug, Clone, Copy)]
struct Untold {
    lost: u64,
    /// The first of their bytes.
    from: u64,
}

impl Shaper {
    /// A shaper of events of at most `max_line` bytes.
    #[must_use]
    pub fn new(shaping: Arc<Shaping>, max_line: usize) -> Self {
        let limiter = shaping.rate.map(Limiter::new);
        Self {
            shaping,
            max_line,
            stripper: Stripper::default(),
            stripped: Vec::new(),
            held: None,
            limiter,
            untold: None,
            decided: None,
            tally: Tally::default(),
        }
    }

    /// Takes the next event, of an age, and adds what it becomes to `made`.
    pub fn push(&mut self, event: Mapped<'_>, age: Age, now: Instant, made: &mut Made) {
        let shaping = Arc::clone(&self.shaping);
        let mut stripped = std::mem::take(&mut self.stripped);
        let data = match shaping.escapes {
            Escapes::Kept => event.data,
            Escapes::Stripped => {
                self.stripper.strip(event.data, &mut stripped);
                if event.seam != Seam::Inside {
                    self.stripper = Stripper::default();
                }
                &stripped
            }
        };
        let event = Mapped { data, ..event };
        match &shaping.redaction {
            Some(redaction) => self.redact(redaction, event, age, now, made),
            None => self.choose(event, age, now, made),
        }
        stripped.clear();
        stripped.shrink_to(self.max_line);
        self.stripped = stripped;
    }

    /// The upstream misses events.
    pub fn push_gap(&mut self, lost: Option<u64>, made: &mut Made) {
        self.tell(made);
        self.tally.upstream_gaps += 1;
        made.add(Item::UpstreamGap { lost });
    }

    /// Nothing follows that what waits could go on with.
    pub fn end(&mut self, now: Instant, made: &mut Made) {
        let shaping = Arc::clone(&self.shaping);
        if let Some(redaction) = &shaping.redaction {
            self.let_go(redaction, now, made);
        }
        self.stripper = Stripper::default();
        self.tell(made);
    }

    /// When the rate limit lets events through again, if there is something to tell.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        self.untold.and(self.limiter.as_ref()).and_then(Limiter::opens)
    }

    /// Tells what was left out, once events would be let through again.
    pub fn do_what_is_due(&mut self, now: Instant, made: &mut Made) {
        if self.due().is_some_and(|due| due <= now) {
            self.tell(made);
        }
    }

    /// The first byte of what waits, or was left out and is not told.
    #[must_use]
    pub fn first(&self) -> Option<u64> {
        self.untold.map(|untold| untold.from).into_iter().chain(self.held.as_ref().map(|held| held.bytes.0)).min()
    }

    /// Replaces what is secret in an event, and keeps it back if it goes on.
    fn redact(&mut self, redaction: &Redaction, event: Mapped<'_>, age: Age, now: Instant, made: &mut Made) {
        if self.held.as_ref().is_some_and(|held| held.lane != event.lane) {
            self.let_go(redaction, now, made);
        }
        if self.held.is_none() && event.seam == Seam::None {
            return self.give(redaction, event, age, now, made);
        }
        let text = redaction::text(event.data);
        let Some(mut held) = self.held.take() else {
            self.held = Some(Held {
                kind: event.kind.map(str::to_owned),
                data: text.into_owned(),
                bytes: event.bytes,
                lane: event.lane,
                seam: event.seam,
                age,
            });
            return;
        };
        let seam = held.data.len();
        if held.seam == Seam::Newline {
            held.data.push(b'\n');
        }
        let behind = held.data.len();
        held.data.extend_from_slice(&text);
        match redaction.cut(&held.data, seam, self.max_line) {
            Cut::AtSeam => {
                let (kind, data, bytes) = (held.kind.as_deref(), &held.data[..seam], (held.bytes.0, event.bytes.0));
                self.give(redaction, Mapped { kind, data, bytes, lane: held.lane, seam: Seam::None }, held.age, now, made);
                held.data.drain(..behind);
                held = Held { kind: event.kind.map(str::to_owned), bytes: event.bytes, age, ..held };
            }
            Cut::Nowhere => held.bytes.1 = event.bytes.1,
            // What is given now is given again if the daemon is killed before the rest is: better twice than in the clear.
            Cut::At(cut) => {
                let (kind, data) = (held.kind.as_deref(), &held.data[..cut]);
                let first = Mapped { kind, data, bytes: held.bytes, lane: held.lane, seam: Seam::None };
                self.give(redaction, first, held.age, now, made);
                held.data.drain(..cut);
            }
        }
        let is_whole = event.seam == Seam::None;
        self.held = Some(Held { seam: event.seam, ..held });
        if is_whole {
            self.let_go(redaction, now, made);
        }
    }

    /// What waits goes without what it would go on with.
    fn let_go(&mut self, redaction: &Redaction, now: Instant, made: &mut Made) {
        if let Some(held) = self.held.take() {
            let Held { kind, data, bytes, lane, age, .. } = held;
            self.give(redaction, Mapped { kind: kind.as_deref(), data: &data, bytes, lane, seam: Seam::None }, age, now, made);
        }
    }

    /// Gives an event without what is secret in it.
    fn give(&mut self, redaction: &Redaction, event: Mapped<'_>, age: Age, now: Instant, made: &mut Made) {
        let text = redaction::text(event.data);
        let data = redaction.apply(&text);
        let kind = event.kind.map(|kind| redaction.apply(kind.as_bytes()));
        // What is left of a type must still be one.
        let kind = kind.as_deref().and_then(|kind| std::str::from_utf8(kind).ok()).filter(|kind| check(kind).is_ok());
        self.choose(Mapped { kind, data: &data, ..event }, age, now, made);
    }

    /// Leaves out what nobody wants, and what is too much.
    fn choose(&mut self, event: Mapped<'_>, age: Age, now: Instant, made: &mut Made) {
        let Shaping { matching, dropping, .. } = &*self.shaping;
        if matching.is_some() || dropping.is_some() {
            let text = redaction::text(event.data);
            let is_wanted = matching.as_ref().is_none_or(|set| set.is_match(&text));
            if !is_wanted || dropping.as_ref().is_some_and(|set| set.is_match(&text)) {
                self.tally.unwanted += 1;
                return;
            }
        }
        match self.admission(event.bytes, age, now) {
            Admission::Granted => {
                self.tell(made);
                made.add_event(event.kind, event.data);
            }
            Admission::Refused => {
                self.tally.limited += 1;
                self.untold.get_or_insert(Untold { lost: 0, from: event.bytes.0 }).lost += 1;
            }
        }
    }

    /// Events that share their bytes are let through or left out together. Lines that were there before the daemon came at no rate.
    fn admission(&mut self, bytes: (u64, u64), age: Age, now: Instant) -> Admission {
        let Some(limiter) = self.limiter.as_mut().filter(|_| age == Age::New) else { return Admission::Granted };
        match self.decided {
            Some((same, admission)) if same == bytes => admission,
            _ => {
                let admission = limiter.admit(now);
                self.decided = Some((bytes, admission));
                admission
            }
        }
    }

    fn tell(&mut self, made: &mut Made) {
        if let Some(Untold { lost, .. }) = self.untold.take() {
            made.add(Item::LimitGap { lost });
        }
    }
}
