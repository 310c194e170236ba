//! What is secret in a text that comes in parts: a line or a group that is too long for one event.
//!
//! ```text
//! part ┆ part ┆ part ┆ part        what is secret is looked for in all of it
//! ─────────────┬──────────┐
//!        known │  reach   │        what begins here may end in what is to come
//! ```
//!
//! A secret is found if it is no longer than the *reach*, however many parts it lies in: nothing is known of where one may begin until as much has come
//! behind it. One that goes on for longer, to the end of what is there, may never end: all that is left of the text is taken for secret.
//!
//! Each part stays an event. What is secret across a seam has its mark in the first of its parts and is missing in the others; a part that is nothing
//! but the rest of a secret is gone.

use std::collections::VecDeque;
use std::ops::Range;

use super::redaction::{Known, Redaction};
use super::search::{UsedUp, Work};

/// What may be looked at behind or before a match, to know whether a word or a line ends: a character.
const BESIDE: usize = 4;

/// Stands for the end of a text that is secret to its end.
const END: usize = usize::MAX;

/// A text that comes in parts.
#[derive(Debug)]
pub struct Chain {
    /// The longest secret that is found for sure, in bytes.
    reach: usize,
    /// The text, without what nothing will be looked for in again.
    text: Vec<u8>,
    /// Those of which not everything is known.
    parts: VecDeque<Part>,
    /// Where each expression is looked for next, and what that may cost.
    next: Vec<(usize, Work)>,
    /// Up to here everything is known.
    known: usize,
    /// Up to here the last secret goes.
    hidden: usize,
    /// Whether a secret goes on from the last part of which everything is known.
    crosses: bool,
    /// Whether it has ended, and goes on only if somebody says so.
    pub has_ended: bool,
}

/// What comes behind the text that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behind {
    More,
    Nothing,
}

#[derive(Debug)]
struct Part {
    number: u64,
    start: usize,
    end: usize,
    /// Where the next one starts.
    behind: usize,
    shown: Vec<u8>,
    crosses: bool,
}

/// A part of which everything is known.
#[derive(Debug, PartialEq, Eq)]
pub struct Shown {
    /// Which one.
    pub number: u64,
    /// What may be shown of it.
    pub data: Vec<u8>,
    /// Whether it is nothing but the rest of a secret.
    pub is_gone: bool,
    /// Whether a secret goes on in the next part.
    pub crosses: bool,
}

impl Chain {
    /// Without a part.
    #[must_use]
    pub fn new(redaction: &Redaction, reach: usize) -> Self {
        let next = redaction.expressions().iter().map(|_| (0, Work::of(0))).collect();
        let (text, parts) = (Vec::new(), VecDeque::new());
        Self { reach, text, parts, next, known: 0, hidden: 0, crosses: false, has_ended: false }
    }

    /// Adds a part, which is called so, and what stands between it and the next one.
    pub fn push(&mut self, number: u64, text: &[u8], between: &[u8]) {
        let (start, crosses) = (self.text.len(), self.hides_the_rest());
        let (text, between) = if crosses { (&[][..], &[][..]) } else { (text, between) };
        self.text.extend_from_slice(text);
        self.text.extend_from_slice(between);
        self.next.iter_mut().for_each(|(_, work)| work.grow(text.len()));
        let (end, behind) = (start + text.len(), self.text.len());
        self.parts.push_back(Part { number, start, end, behind, shown: Vec::new(), crosses });
    }

    /// How many bytes are held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.text.len()
    }

    /// Whether all that is left is taken for secret.
    #[must_use]
    pub fn hides_the_rest(&self) -> bool {
        self.hidden == END
    }

    /// Gives the parts of which everything is known by now.
    pub fn go_on(&mut self, redaction: &Redaction, out: &mut impl FnMut(Shown)) -> Known {
        let limit = self.text.len().saturating_sub(self.reach + BESIDE);
        // Searches go over the reach again and again, so each must bring as much.
        if !self.hides_the_rest() && limit <= self.known + self.reach / 2 {
            return Known::All;
        }
        let known = self.look(redaction, limit, Behind::More);
        if self.hides_the_rest() {
            self.give(END, out);
            self.text = Vec::new();
        } else {
            self.give(limit, out);
            self.forget(limit);
        }
        known
    }

    /// Nothing follows: gives all parts.
    pub fn end(&mut self, redaction: &Redaction, out: &mut impl FnMut(Shown)) -> Known {
        let known = self.look(redaction, self.text.len(), Behind::Nothing);
        if let Some(last) = self.parts.back_mut() {
            last.crosses = false;
        }
        self.give(END, out);
        self.text.drain(..self.text.len().saturating_sub(self.reach));
        self.has_ended = true;
        known
    }

    /// It goes on though it has ended, behind these bytes: what has been given is looked at again, and nothing of it is given.
    pub fn resume(&mut self, between: &[u8]) {
        self.text.extend_from_slice(between);
        for (next, work) in &mut self.next {
            (*next, *work) = (0, Work::of(self.text.len()));
        }
        self.hidden = if self.hides_the_rest() { END } else { 0 };
        (self.known, self.has_ended) = (self.text.len(), false);
    }

    /// All that is not known is taken for secret.
    pub fn hide_the_rest(&mut self, redaction: &Redaction, out: &mut impl FnMut(Shown)) {
        if !self.hides_the_rest() {
            self.hide(std::iter::once(self.known..END), redaction);
        }
        self.give(END, out);
        self.text = Vec::new();
    }

    /// Finds what is secret and begins before the limit.
    fn look(&mut self, redaction: &Redaction, limit: usize, behind: Behind) -> Known {
        if self.hides_the_rest() {
            return Known::All;
        }
        let mut found = Vec::new();
        for (expression, (next, work)) in redaction.expressions().iter().zip(&mut self.next) {
            while *next < limit {
                match expression.find(&self.text, *next, work) {
                    Ok(Some(Range { start, end })) if start < limit => {
                        *next = end.max(start + 1);
                        let may_go_on = behind == Behind::More && end == self.text.len();
                        found.extend((start < end).then_some(start..if may_go_on { END } else { end }));
                    }
                    Ok(_) => *next = limit,
                    Err(UsedUp) => {
                        found.push(*next..END);
                        *next = limit;
                    }
                }
            }
        }
        found.sort_unstable_by_key(|secret| secret.start);
        self.hide(found, redaction);
        self.show_up_to(limit);
        if self.hides_the_rest() { Known::InPart } else { Known::All }
    }

    fn hide(&mut self, secrets: impl IntoIterator<Item = Range<usize>>, redaction: &Redaction) {
        for Range { start, end } in secrets {
            if end <= self.known {
                continue; // it is not to be given
            }
            if start >= self.hidden {
                self.show_up_to(start);
                let at = self.parts.iter().rposition(|part| part.start <= start).unwrap_or(0);
                if let Some(part) = self.parts.get_mut(at) {
                    part.shown.extend_from_slice(redaction.replacement());
                }
            }
            self.hidden = self.hidden.max(end);
            for part in &mut self.parts {
                part.crosses |= start < part.behind && end > part.end;
            }
        }
    }

    fn show_up_to(&mut self, to: usize) {
        let from = self.known.max(self.hidden);
        for part in &mut self.parts {
            let (start, end) = (from.max(part.start), to.min(part.end));
            if start < end {
                part.shown.extend_from_slice(&self.text[start..end]);
            }
        }
        self.known = self.known.max(to);
    }

    /// Gives the parts that end before the limit.
    fn give(&mut self, limit: usize, out: &mut impl FnMut(Shown)) {
        while self.parts.front().is_some_and(|part| part.behind <= limit)
            && let Some(part) = self.parts.pop_front()
        {
            let Part { number, shown: data, crosses, .. } = part;
            let is_gone = std::mem::replace(&mut self.crosses, crosses) && data.is_empty();
            out(Shown { number, data, is_gone, crosses });
        }
    }

    /// Forgets what nothing is looked for in again.
    fn forget(&mut self, limit: usize) {
        let gone = limit.saturating_sub(2 * BESIDE);
        self.text.drain(..gone);
        let back = |at: &mut usize| *at = if *at == END { END } else { at.saturating_sub(gone) };
        for part in &mut self.parts {
            [&mut part.start, &mut part.end, &mut part.behind].into_iter().for_each(back);
        }
        self.next.iter_mut().for_each(|(next, _)| back(next));
        [&mut self.known, &mut self.hidden].into_iter().for_each(back);
    }
}
