//! What stands between a source's bytes and the store: framing ▸ mapping ▸ shaping. Pure: bytes and the time go in, events come out.
//!
//! Lines that are events as they stand, as most are, are framed while they are named and are never copied. Everything else is made before its turn
//! to be named, so that nobody waits for a regular expression.
//!
//! The law, by property test: where the reads cut makes no difference to the events, and a source that is read again from the bytes that are
//! [held](Middle::held) gives what one that was never interrupted would have given.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use crate::event::{Age, Event};
use crate::framing::{Framer, Terminator};
use crate::mapping;
use crate::mapping::stream::{Taken, Takeover};
use crate::mapping::{EventType, Format, Mapper, Mapping};
use crate::shaping;
use crate::shaping::escapes::Stripper;
use crate::shaping::{Escapes, Item, Made, Shaper, Shaping};

/// How the lines of a source become events. Validated; each text of the source has a [`Middle`] that does it.
#[derive(Debug, Clone, Default)]
pub struct Recipe {
    /// Lines to events.
    pub mapping: Arc<Mapping>,
    /// Events to events.
    pub shaping: Arc<Shaping>,
}

/// The middle of one text's way.
#[derive(Debug)]
pub struct Middle(Way);

#[derive(Debug)]
enum Way {
    /// A line is an event as it stands.
    Plain(Plain),
    /// It is not.
    Worked(Box<Worked>),
}

#[derive(Debug)]
struct Plain {
    framer: Framer,
    mapping: Arc<Mapping>,
    lines: u64,
    /// Whether the unfinished line is to be given.
    has_ended: bool,
}

#[derive(Debug)]
struct Worked {
    recipe: Recipe,
    input: Input,
    shaper: Shaper,
    made: Made,
}

/// What takes bytes.
#[derive(Debug)]
enum Input {
    Lines(Framer, Box<Mapper>),
    Stream(Takeover),
}

/// What was found since somebody asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Lines taken.
    pub lines: u64,
    /// Lines longer than a line may be.
    pub long_lines: u64,
    /// By mapping.
    pub mapping: mapping::Tally,
    /// By shaping.
    pub shaping: shaping::Tally,
}

impl Recipe {
    /// Whether lines are events as they stand.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        matches!(self.mapping.format, Format::Text) && self.mapping.grouping.is_none() && self.shaping.is_nothing()
    }

    /// Whether an unfinished line may become an event before it ends. Not if it is half an event of a stream; and if something is secret, its
    /// other half may be what would show it.
    #[must_use]
    pub fn may_flush(&self) -> MayFlush {
        match (&self.mapping.format, &self.shaping.redaction) {
            (Format::EventStream, _) => MayFlush::Never,
            (_, Some(_)) => MayFlush::IfAsked,
            _ => MayFlush::Usual,
        }
    }

    /// Whether states of unfinished lines may be shown: what is to be redacted, or left out, is not known of them.
    fn shows_progress(&self) -> bool {
        let Shaping { redaction, matching, dropping, .. } = &*self.shaping;
        matches!(self.mapping.format, Format::Text) && redaction.is_none() && matching.is_none() && dropping.is_none()
    }
}

/// Whether an unfinished line may become an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MayFlush {
    /// As the kind of source usually does.
    Usual,
    /// Only if the user says so.
    IfAsked,
    /// Not at all.
    Never,
}

impl Middle {
    /// For lines of at most `max_line` bytes.
    #[must_use]
    pub fn new(recipe: &Recipe, max_line: usize) -> Self {
        let mapping = Arc::clone(&recipe.mapping);
        if recipe.is_plain() {
            let framer = Framer::new(max_line);
            return Self(Way::Plain(Plain { framer, mapping, lines: 0, has_ended: false }));
        }
        let lines =
            |terminator| Input::Lines(Framer::of(terminator, max_line), Box::new(Mapper::new(Arc::clone(&mapping), max_line)));
        let input = match mapping.format {
            Format::EventStream => Input::Stream(Takeover::new(max_line)),
            Format::Null => lines(Terminator::Nul),
            Format::Text | Format::Json(_) | Format::Cri(_) => lines(Terminator::Newline),
        };
        let shaper = Shaper::new(Arc::clone(&recipe.shaping), max_line);
        Self(Way::Worked(Box::new(Worked { recipe: recipe.clone(), input, shaper, made: Made::default() })))
    }

    /// Does what is to be done with the next bytes before they are [given](Middle::give). The time is asked for only if it matters.
    pub fn work(&mut self, bytes: &[u8], age: Age, now: impl FnOnce() -> Instant) {
        if let Way::Worked(worked) = &mut self.0 {
            worked.push(bytes, age, now());
        }
    }

    /// Gives what has been made, of these bytes and before.
    pub fn give(&mut self, bytes: &[u8], mut item: impl FnMut(Item<'_>)) {
        match &mut self.0 {
            Way::Worked(worked) => worked.made.drain(item),
            Way::Plain(Plain { framer, mapping, lines, has_ended }) => {
                let kind = mapping.event_type.as_ref().map(EventType::as_ref);
                let mut given = 0;
                framer.push(bytes, |line| {
                    given += 1;
                    item(Item::Event(Event { kind, data: line.content }));
                });
                if std::mem::take(has_ended) {
                    framer.end(|line| {
                        given += 1;
                        item(Item::Event(Event { kind, data: line.content }));
                    });
                }
                *lines += given;
            }
        }
    }

    /// The text has ended, or nothing will finish what has begun.
    pub fn end(&mut self, now: Instant) {
        match &mut self.0 {
            Way::Plain(plain) => plain.has_ended = true,
            Way::Worked(worked) => worked.end(now),
        }
    }

    /// When it wants to be called though nothing was read.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        match &self.0 {
            Way::Plain(_) => None,
            Way::Worked(worked) => worked.due(),
        }
    }

    /// Makes what was put off.
    pub fn do_what_is_due(&mut self, now: Instant) {
        if let Way::Worked(worked) = &mut self.0 {
            worked.do_what_is_due(now);
        }
    }

    /// Waits for nothing more that is whole without it.
    pub fn settle(&mut self, now: Instant) {
        if let Way::Worked(worked) = &mut self.0 {
            worked.settle(now);
        }
    }

    /// How many of the last bytes of the source are in no event yet: a run that goes on before them repeats nothing and leaves nothing out.
    #[must_use]
    pub fn held(&self) -> usize {
        match &self.0 {
            Way::Plain(plain) => plain.framer.held(),
            Way::Worked(worked) => worked.held(),
        }
    }

    /// Whether lines may become no event at all.
    #[must_use]
    pub fn leaves_out(&self) -> bool {
        matches!(self.0, Way::Worked(_))
    }

    /// Whether an unfinished line is held.
    #[must_use]
    pub fn is_inside_line(&self) -> bool {
        self.framer().is_some_and(Framer::is_inside_line)
    }

    /// Whether the unfinished line was overwritten, and that is to be seen.
    #[must_use]
    pub fn is_overwritten(&self) -> bool {
        let may_show = match &self.0 {
            Way::Plain(_) => true,
            Way::Worked(worked) => worked.recipe.shows_progress(),
        };
        may_show && self.framer().is_some_and(Framer::is_overwritten)
    }

    /// The newest state of an unfinished line that was overwritten.
    #[must_use]
    pub fn progress(&self) -> Option<Cow<'_, [u8]>> {
        let state = self.framer().filter(|_| self.is_overwritten())?.progress()?;
        Some(match &self.0 {
            Way::Worked(worked) if worked.recipe.shaping.escapes == Escapes::Stripped => {
                let (mut stripper, mut shown) = (Stripper::default(), Vec::new());
                stripper.strip(state, &mut shown);
                stripper.end(&mut shown);
                Cow::Owned(shown)
            }
            _ => Cow::Borrowed(state),
        })
    }

    /// What was found since this was asked last.
    pub fn take_tally(&mut self) -> Tally {
        match &mut self.0 {
            Way::Plain(plain) => Tally {
                lines: std::mem::take(&mut plain.lines),
                long_lines: std::mem::take(&mut plain.framer.long_lines),
                ..Tally::default()
            },
            Way::Worked(worked) => worked.take_tally(),
        }
    }

    fn framer(&self) -> Option<&Framer> {
        match &self.0 {
            Way::Plain(plain) => Some(&plain.framer),
            Way::Worked(worked) => match &worked.input {
                Input::Lines(framer, _) => Some(framer),
                Input::Stream(_) => None,
            },
        }
    }
}

impl Worked {
    fn push(&mut self, bytes: &[u8], age: Age, now: Instant) {
        let Self { recipe, input, shaper, made } = self;
        match input {
            Input::Lines(framer, mapper) => {
                framer.push(bytes, |line| mapper.push(line, now, &mut |event| shaper.push(event, age, now, made)));
            }
            Input::Stream(takeover) => takeover.push(&recipe.mapping, bytes, &mut |taken| match taken {
                Taken::Event(event) => shaper.push(event, age, now, made),
                Taken::Gap { lost, .. } => shaper.push_gap(lost, made),
            }),
        }
    }

    fn end(&mut self, now: Instant) {
        let Self { input, shaper, made, .. } = self;
        match input {
            Input::Lines(framer, mapper) => {
                framer.end(|line| mapper.push(line, now, &mut |event| shaper.push(event, Age::New, now, made)));
                mapper.end(&mut |event| shaper.push(event, Age::New, now, made));
            }
            Input::Stream(takeover) => takeover.end(),
        }
        shaper.end(now, made);
    }

    fn due(&self) -> Option<Instant> {
        let mapping = match &self.input {
            Input::Lines(_, mapper) => mapper.due(),
            Input::Stream(_) => None,
        };
        mapping.into_iter().chain(self.shaper.due()).min()
    }

    fn do_what_is_due(&mut self, now: Instant) {
        let Self { input, shaper, made, .. } = self;
        if let Input::Lines(_, mapper) = input {
            mapper.do_what_is_due(now, &mut |event| shaper.push(event, Age::New, now, made));
        }
        shaper.do_what_is_due(now, made);
    }

    fn settle(&mut self, now: Instant) {
        let Self { recipe, input, shaper, made } = self;
        if let Input::Lines(_, mapper) = input {
            mapper.do_what_is_due(now + recipe.mapping.wait, &mut |event| shaper.push(event, Age::New, now, made));
        }
        shaper.do_what_is_due(now, made);
    }

    fn held(&self) -> usize {
        let (framed, clean, taken) = match &self.input {
            Input::Lines(framer, mapper) => (framer.held(), mapper.clean(), mapper.taken()),
            Input::Stream(takeover) => (0, takeover.clean(), takeover.taken()),
        };
        let clean = self.shaper.first().map_or(clean, |first| first.min(clean));
        framed + usize::try_from(taken - clean).unwrap_or(usize::MAX)
    }

    fn take_tally(&mut self) -> Tally {
        let (mapping, long_lines) = match &mut self.input {
            Input::Lines(framer, mapper) => (std::mem::take(&mut mapper.tally), std::mem::take(&mut framer.long_lines)),
            Input::Stream(takeover) => (std::mem::take(&mut takeover.tally), 0),
        };
        let long_lines = long_lines + mapping.long_lines;
        Tally { lines: mapping.lines, long_lines, mapping, shaping: std::mem::take(&mut self.shaper.tally) }
    }
}

#[cfg(test)]
mod tests;
