//! Events to events: what is taken out of them, and which are left out.
//!
//! ```text
//! event ▸ strip escapes ▸ redact ▸ match, drop ▸ rate limit ▸ event
//! ```
//!
//! Nothing unredacted is ever given: an event whose data goes on in another one (a line or a group that was too long) waits (`waiting`) until it is known
//! what is secret across (`chain`) the seam. What the rate limit leaves out is counted, and told as a gap at its place: what is given and what is told is
//! together all that came.
//!
//! What waits, and what was left out and is not told yet, counts as not given ([`Shaper::first`]): a source that goes on behind the last clean cut loses
//! and repeats nothing.

mod chain;
pub mod escapes;
mod made;
pub mod rate;
pub mod redaction;
mod search;
mod waiting;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use regex::bytes::RegexSet;

pub use made::{Item, Made};

use crate::event::Age;
use crate::mapping::{Beginning, LANES, Mapped, Seam, check};
use chain::Chain;
use escapes::Stripper;
use rate::{Admission, Limiter, Rate};
use redaction::{Known, Redaction};
use waiting::{Event, State, Waiting};

/// How many of the longest lines wait, and how much anyway, in bytes, until nothing more is waited for.
const LONGEST: usize = 8;
const MOST_WAITING: usize = 64 << 10;

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

/// What was found, and left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// By match and drop.
    pub unwanted: u64,
    /// By the rate limit.
    pub limited: u64,
    /// Gaps of an upstream.
    pub upstream_gaps: u64,
    /// Types of which stripping or redaction has left none.
    pub refused_types: u64,
    /// Lines of which the rest was redacted, because it would have taken too much to find out what is secret.
    pub hidden_rests: u64,
}

/// Shapes the events of one text.
#[derive(Debug)]
pub struct Shaper {
    shaping: Arc<Shaping>,
    /// The most bytes of an event.
    max_line: usize,
    way: [Way; LANES.len()],
    /// Where the last event was stripped.
    stripped: Vec<u8>,
    waiting: Waiting,
    limiter: Option<Limiter>,
    /// What was left out by the rate limit and is not told.
    untold: Option<Untold>,
    /// The first byte of the last event that was given.
    given: Option<u64>,
    /// What was left out since somebody asked.
    pub tally: Tally,
}

/// What is known of the lines of one lane.
#[derive(Debug, Default)]
struct Way {
    stripper: Stripper,
    /// The line or group that goes on.
    chain: Option<Chain>,
    /// The first of its bytes, if something of it was given that may come again.
    stuck: Option<u64>,
    /// Whether it is wanted.
    verdict: Option<Verdict>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Wanted,
    Unwanted,
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
        Self {
            limiter: shaping.rate.map(Limiter::new),
            shaping,
            max_line,
            way: Default::default(),
            stripped: Vec::new(),
            waiting: Waiting::default(),
            untold: None,
            given: None,
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
                let way = &mut self.way[event.lane.index()];
                way.stripper.strip(event.data, &mut stripped);
                if event.seam != Seam::Inside {
                    way.stripper.end(&mut stripped);
                }
                &stripped
            }
        };
        let kind = self.stripped_kind(event.kind);
        let event = Mapped { data, kind: kind.as_deref(), ..event };
        match &shaping.redaction {
            Some(redaction) => self.redact(redaction, event, age, now, made),
            None => self.choose(event, age, now, made),
        }
        stripped.clear();
        stripped.shrink_to(self.max_line);
        self.stripped = stripped;
    }

    /// A type without terminal sequences. What is left must still be one.
    fn stripped_kind<'k>(&mut self, kind: Option<&'k str>) -> Option<Cow<'k, str>> {
        let kind = kind?;
        if self.shaping.escapes == Escapes::Kept || !kind.contains(char::is_control) {
            return Some(Cow::Borrowed(kind));
        }
        let (mut stripper, mut shown) = (Stripper::default(), Vec::new());
        stripper.strip(kind.as_bytes(), &mut shown);
        stripper.end(&mut shown);
        self.good_kind(&shown).map(Cow::Owned)
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
        let Self { way, waiting, tally, .. } = self;
        if let Some(redaction) = &shaping.redaction {
            for chain in way.iter_mut().filter_map(|way| way.chain.as_mut()).filter(|chain| !chain.has_ended) {
                tally.hidden_rests += u64::from(chain.end(redaction, &mut |shown| waiting.show(shown)) == Known::InPart);
            }
        }
        self.pass(self.waiting.known(), now, made);
        self.way = Default::default();
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
        let stuck = self.way.iter().filter_map(|way| way.stuck);
        self.untold.map(|untold| untold.from).into_iter().chain(self.waiting.first()).chain(stuck).min()
    }

    /// Replaces what is secret in an event. If it goes on, or another one that came before it, it waits.
    fn redact(&mut self, redaction: &Redaction, event: Mapped<'_>, age: Age, now: Instant, made: &mut Made) {
        let Mapped { bytes, lane, seam, is_beside_next, .. } = event;
        let text = redaction::text(event.data);
        let kind = self.kind(redaction, event.kind);
        let Self { way, waiting, tally, .. } = self;
        let Way { chain: open, stuck, .. } = &mut way[lane.index()];
        if open.as_ref().is_some_and(|chain| chain.has_ended && event.beginning != Beginning::Late) {
            *open = None;
        }
        if waiting.is_empty() && open.is_none() && seam == Seam::None && !is_beside_next {
            let (data, known) = redaction.apply(&text);
            tally.hidden_rests += u64::from(known == Known::InPart);
            return self.choose(Mapped { kind: kind.as_deref(), data: &data, ..event }, age, now, made);
        }
        let (data, state) = (Vec::new(), State::Unknown);
        let number = waiting.push(Event { kind, data, bytes, lane, seam, is_beside_next, age, state });
        let chain = open.get_or_insert_with(|| Chain::new(redaction, self.max_line));
        if chain.has_ended {
            chain.resume(b"\n");
        }
        chain.push(number, &text, if seam == Seam::Newline { b"\n" } else { b"" });
        let mut show = |shown| waiting.show(shown);
        let known = match seam {
            Seam::Inside | Seam::Newline => chain.go_on(redaction, &mut show),
            Seam::Perhaps | Seam::None => chain.end(redaction, &mut show),
        };
        tally.hidden_rests += u64::from(known == Known::InPart);
        if chain.has_ended {
            *stuck = None;
            if seam == Seam::None {
                *open = None;
            }
        }
        self.pass(self.waiting.whole(), now, made);
        self.limit_what_waits(redaction, now, made);
    }

    /// A type without what is secret in it. What is left must still be one.
    fn kind(&mut self, redaction: &Redaction, kind: Option<&str>) -> Option<String> {
        let (shown, _) = redaction.apply(kind?.as_bytes());
        self.good_kind(&shown)
    }

    fn good_kind(&mut self, shown: &[u8]) -> Option<String> {
        let shown = String::from_utf8_lossy(shown);
        let is_good = check(&shown).is_ok();
        self.tally.refused_types += u64::from(!is_good);
        is_good.then(|| shown.into_owned())
    }

    /// If too much waits, it is not waited for what is secret in the lines that it waits for: all that is left of them is.
    fn limit_what_waits(&mut self, redaction: &Redaction, now: Instant, made: &mut Made) {
        let most = self.max_line.saturating_mul(LONGEST).saturating_add(MOST_WAITING);
        let Self { way, waiting, tally, .. } = self;
        let open = |way: &&mut Way| way.chain.as_ref().is_some_and(|chain| !chain.has_ended);
        let held = way.iter().filter_map(|way| way.chain.as_ref()).map(Chain::held).sum::<usize>();
        if waiting.is_empty() || waiting.cost() + held <= most {
            return;
        }
        for chain in way.iter_mut().filter(open).filter_map(|way| way.chain.as_mut()).filter(|chain| !chain.hides_the_rest()) {
            chain.hide_the_rest(redaction, &mut |shown| waiting.show(shown));
            tally.hidden_rests += 1;
        }
        self.pass(self.waiting.whole(), now, made);
        if self.waiting.cost() > most {
            let first = self.waiting.first();
            for way in self.way.iter_mut().filter(open) {
                way.stuck = way.stuck.or(first);
            }
            self.pass(self.waiting.known(), now, made);
        }
    }

    /// The first events wait no longer.
    fn pass(&mut self, count: usize, now: Instant, made: &mut Made) {
        for _ in 0..count {
            let Some(event) = self.waiting.pop() else { return };
            let Event { kind, data, bytes, lane, seam, is_beside_next, age, state } = event;
            if matches!(state, State::Known { is_gone: true, .. }) {
                if !matches!(seam, Seam::Inside | Seam::Newline) {
                    self.way[lane.index()].verdict = None;
                }
                self.end_bytes(is_beside_next, made);
                continue;
            }
            let beginning = Beginning::OfLine;
            let event = Mapped { kind: kind.as_deref(), data: &data, bytes, is_beside_next, lane, beginning, seam };
            self.choose(event, age, now, made);
        }
    }

    /// Leaves out what nobody wants, and what is too much.
    fn choose(&mut self, event: Mapped<'_>, age: Age, now: Instant, made: &mut Made) {
        match self.verdict(event) {
            Verdict::Unwanted => self.tally.unwanted += 1,
            Verdict::Wanted => match self.limiter.as_mut().filter(|_| age == Age::New).map(|limiter| limiter.admit(now)) {
                None | Some(Admission::Granted) => {
                    self.tell(made);
                    self.given = Some(event.bytes.0);
                    made.add_event(event.kind, event.data);
                }
                Some(Admission::Refused) => {
                    self.tally.limited += 1;
                    self.untold.get_or_insert(Untold { lost: 0, from: event.bytes.0 }).lost += 1;
                }
            },
        }
        self.end_bytes(event.is_beside_next, made);
    }

    /// Whether an event is wanted. What goes on with another one, as they were too long for one, shares its lot.
    fn verdict(&mut self, event: Mapped<'_>) -> Verdict {
        let Shaping { matching, dropping, .. } = &*self.shaping;
        if matching.is_none() && dropping.is_none() {
            return Verdict::Wanted;
        }
        let before = &mut self.way[event.lane.index()].verdict;
        let verdict = before.unwrap_or_else(|| {
            let text = redaction::text(event.data);
            let is_wanted = matching.as_ref().is_none_or(|set| set.is_match(&text));
            let is_unwanted = dropping.as_ref().is_some_and(|set| set.is_match(&text));
            if is_wanted && !is_unwanted { Verdict::Wanted } else { Verdict::Unwanted }
        });
        *before = matches!(event.seam, Seam::Inside | Seam::Newline).then_some(verdict);
        verdict
    }

    /// What is made of the same bytes, some of it given and some left out, is told at once: a source cannot go on between them.
    fn end_bytes(&mut self, is_beside_next: bool, made: &mut Made) {
        if !is_beside_next && self.untold.is_some_and(|untold| self.given == Some(untold.from)) {
            self.tell(made);
        }
    }

    fn tell(&mut self, made: &mut Made) {
        if let Some(Untold { lost, .. }) = self.untold.take() {
            made.add(Item::LimitGap { lost });
        }
    }
}
