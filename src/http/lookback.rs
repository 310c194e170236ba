//! Where the stream of a client begins that does not want all: the newest events that pass are looked for backwards, a page after the other, in memory
//! and on the disk.
//!
//! It may take long and wait for the disk, so it is done by threads of the runtime, few at once, and given up when nobody waits for it any more.
//! At most [`MAX_LOOKED`] bytes are looked through: who asks for more matches than are in them gets those.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::archived::Archivist;
use crate::batch::MAX_BATCH;
use crate::channel::{Answers, Ask, Channels, Filter, Follow, Reading, Subscriber, Subscription, Tail};
use crate::event::Millis;
use crate::sieve::{Sieve, SieveKey, Verdict};
use crate::sse;

/// How much is looked through for one client, in bytes.
pub const MAX_LOOKED: usize = 256 << 20;

/// How many events the first page has.
const FIRST_PAGE: u64 = 256;

/// How large the others are meant to be, in bytes.
const PAGE: usize = 4 << 20;

/// For how long what was found is good, in milliseconds.
const LATELY: Millis = 10_000;

/// Of how many that asked it is remembered, and of how many matches.
const MAX_REMEMBERED_ASKED: usize = 64;
const MAX_REMEMBERED: usize = 1000;

/// How many clients may look back at once.
pub const MOST_AT_ONCE: usize = 2;

/// Looks back for one client.
#[derive(Debug, Clone)]
pub struct Lookback {
    /// Where it looks.
    pub channels: Channels,
    /// What reads the disk, if there is one.
    pub archivist: Option<Archivist>,
    /// The channels of its view.
    pub filter: Filter,
    /// What it looks for.
    pub sieve: Arc<Sieve>,
    /// The time at which it asked.
    pub now: Millis,
    /// What others have found lately.
    pub found_lately: Arc<FoundLately>,
}

/// What a page was found to hold.
#[derive(Debug, Default)]
struct Page {
    /// How many events, and bytes.
    events: usize,
    bytes: usize,
    /// The numbers of the first and the last.
    first: u64,
    last: u64,
}

/// What was found of the newest events.
#[derive(Debug, Clone, Default)]
struct Found {
    /// The numbers of the newest that match, oldest first.
    matches: VecDeque<u64>,
    /// The first of all that pass, of those that were looked through.
    earliest: Option<u64>,
    /// The last that was looked through.
    newest: u64,
}

impl Found {
    /// Where the newest `most` that match begin; if there are fewer, everything that passes.
    fn first(&self, most: usize) -> Option<u64> {
        if self.matches.len() < most { self.earliest } else { self.matches.front().copied() }
    }

    fn followed_by(mut self, later: Self, most: usize) -> Self {
        self.matches.extend(later.matches);
        self.keep(most);
        Self { earliest: self.earliest.or(later.earliest), newest: self.newest.max(later.newest), ..self }
    }

    fn keep(&mut self, most: usize) {
        while self.matches.len() > most {
            self.matches.pop_front();
        }
    }
}

/// Who asked: with which sieve, for which channels, how many.
type Asked = (SieveKey, Filter, usize);

/// What was found lately: a crowd that asks the same looks once, and then only for what has come since.
#[derive(Debug, Default)]
pub struct FoundLately(Mutex<VecDeque<(Asked, Millis, Found)>>);

impl FoundLately {
    fn recall(&self, asked: &Asked, now: Millis) -> Option<Found> {
        let lately = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lately.iter().rev().find(|(of, at, _)| of == asked && now.saturating_sub(*at) < LATELY);
        known.map(|(.., found)| found.clone())
    }

    fn remember(&self, asked: Asked, now: Millis, found: Found) {
        if found.matches.len() > MAX_REMEMBERED {
            return;
        }
        let mut lately = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lately.retain(|(of, ..)| *of != asked);
        lately.push_back((asked, now, found));
        if lately.len() > MAX_REMEMBERED_ASKED {
            lately.pop_front();
        }
    }
}

/// Nobody waits for the answer any more, or the disk gives none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GivenUp;

impl Lookback {
    /// What `ask` becomes if it asks for the newest so many events: those above the place above which lie so many that match, with `reach` events
    /// before the first of them.
    ///
    /// # Errors
    /// Nobody waits for it any more.
    pub fn place(&self, ask: &Ask, reach: usize, is_wanted: &dyn Fn() -> bool) -> Result<Ask, GivenUp> {
        let placed = |number| Ask { tail: Some(Tail::Above(number)), ..ask.clone() };
        match ask.tail {
            Some(Tail::Newest(0) | Tail::All | Tail::Above(_)) | None => Ok(ask.clone()),
            Some(Tail::Newest(count)) => Ok(placed(self.before_newest(ask, count, reach, is_wanted)?)),
        }
    }

    fn before_newest(&self, ask: &Ask, count: u64, reach: usize, is_wanted: &dyn Fn() -> bool) -> Result<u64, GivenUp> {
        // As long as it looks the view stays, which would be made anew for each page.
        let _view = self.subscribe(&Ask { tail: Some(Tail::Newest(0)), ..Ask::default() }, is_wanted)?;
        let most = usize::try_from(count).unwrap_or(usize::MAX);
        let is_usual = ask.since.is_none() && ask.before.is_none() && ask.through.is_none();
        let found = match is_usual.then(|| self.recall(most, is_wanted)).transpose()?.flatten() {
            Some(found) => found,
            None => self.search(ask, most, is_wanted)?,
        };
        let (first, newest) = (found.first(most), found.newest);
        if is_usual {
            self.found_lately.remember((self.sieve.key(), self.filter.clone(), most), self.now, found);
        }
        let Some(first) = first else { return Ok(newest) };
        if reach == 0 {
            return Ok(first - 1);
        }
        let before =
            Ask { tail: Some(Tail::Newest(reach as u64)), through: Some(first - 1), follow: Follow::Retained, ..ask.clone() };
        let page = self.page(&before, is_wanted, |_, _, _| {})?;
        Ok(if page.events == 0 { first } else { page.first } - 1)
    }

    /// Looks for the newest `most` that match, page by page.
    fn search(&self, ask: &Ask, most: usize, is_wanted: &dyn Fn() -> bool) -> Result<Found, GivenUp> {
        let (mut found, mut looked) = (Found::default(), 0);
        let mut page_ask = Ask { tail: Some(Tail::Newest(FIRST_PAGE)), follow: Follow::Retained, ..ask.clone() };
        while found.matches.len() < most {
            let (page, here) = self.found_in(&page_ask, most - found.matches.len(), is_wanted)?;
            found = here.followed_by(found, most);
            looked += page.bytes;
            if page.events == 0 || page.first <= 1 || looked >= MAX_LOOKED {
                break;
            }
            let size = PAGE.min(MAX_LOOKED - looked) * page.events / page.bytes.max(1);
            page_ask.tail = Some(Tail::Newest(u64::try_from(size.max(16)).unwrap_or(u64::MAX)));
            page_ask.through = Some(page.first - 1);
        }
        Ok(found)
    }

    /// What somebody else has found lately, and what has come since.
    fn recall(&self, most: usize, is_wanted: &dyn Fn() -> bool) -> Result<Option<Found>, GivenUp> {
        let Some(lately) = self.found_lately.recall(&(self.sieve.key(), self.filter.clone(), most), self.now) else {
            return Ok(None);
        };
        let since = Ask { tail: Some(Tail::Above(lately.newest)), follow: Follow::Retained, ..Ask::default() };
        let (_, here) = self.found_in(&since, most, is_wanted)?;
        let found = lately.followed_by(here, most);
        // If one of them has been dropped, there may be an older one in another channel.
        let is_all = found.matches.len() < most;
        let first = found.first(most).unwrap_or(found.newest);
        Ok(if is_all || !self.has_lost(&since, first.saturating_sub(1), found.newest, is_wanted)? { Some(found) } else { None })
    }

    /// What is found in a page: of the matches the newest `most`.
    fn found_in(&self, ask: &Ask, most: usize, is_wanted: &dyn Fn() -> bool) -> Result<(Page, Found), GivenUp> {
        let mut found = Found::default();
        let page = self.page(ask, is_wanted, |number, event, room| {
            let verdict = self.sieve.judge(event, room);
            if verdict != Verdict::Miss {
                found.earliest = found.earliest.or(Some(number));
            }
            if verdict == Verdict::Match {
                found.matches.push_back(number);
                found.keep(most);
            }
        })?;
        found.newest = page.last;
        Ok((page, found))
    }

    /// How many of the next events behind the event `number`, which the client has, are within `reach` behind a match at or before it. Where what it
    /// depends on has been dropped, so many as there could be: rather a few too many than one too few.
    ///
    /// # Errors
    /// Nobody waits for it any more.
    pub fn following(&self, number: u64, reach: usize, is_wanted: &dyn Fn() -> bool) -> Result<usize, GivenUp> {
        let ask = Ask { tail: Some(Tail::Newest(reach as u64)), through: Some(number), follow: Follow::Retained, ..Ask::default() };
        let mut newest_first = VecDeque::new();
        self.page(&ask, is_wanted, |number, event, room| newest_first.push_front((number, self.sieve.judge(event, room))))?;
        let back = newest_first.iter().position(|(_, verdict)| *verdict != Verdict::Miss);
        // What it depends on begins behind this number.
        let after = match back {
            Some(back) => newest_first[back].0 - 1,
            None if newest_first.len() == reach => newest_first[reach - 1].0 - 1,
            None => 0,
        };
        let is_there = newest_first.front().is_some_and(|(newest, _)| *newest == number);
        if !is_there || self.has_lost(&ask, after, number, is_wanted)? {
            return Ok(reach);
        }
        Ok(back.filter(|back| newest_first[*back].1 == Verdict::Match).map_or(0, |back| reach - back))
    }

    fn has_lost(&self, ask: &Ask, after: u64, through: u64, is_wanted: &dyn Fn() -> bool) -> Result<bool, GivenUp> {
        Ok(self.subscribe(ask, is_wanted)?.is_none_or(|subscriber| subscriber.has_lost(after, through)))
    }

    /// Reads a page, oldest event first, and shows each to `look`, with its number and memory to use.
    fn page(
        &self,
        ask: &Ask,
        is_wanted: &dyn Fn() -> bool,
        mut look: impl FnMut(u64, &[u8], &mut Vec<u8>),
    ) -> Result<Page, GivenUp> {
        let (mut page, mut playback, mut room) = (Page::default(), None, Vec::new());
        let Some(mut subscriber) = self.subscribe(ask, is_wanted)? else { return Ok(page) };
        loop {
            if !is_wanted() {
                return Err(GivenUp);
            }
            let parts = match subscriber.read(MAX_BATCH, None) {
                Reading::Events(parts) => parts,
                Reading::Archived(archived) => {
                    let Some(archivist) = &self.archivist else { return Err(GivenUp) };
                    archivist.fetch(&self.filter, &archived, MAX_BATCH, &mut playback).into_events(&archived, &mut subscriber)
                }
                Reading::Gap(_) | Reading::Progress(_) => continue,
                Reading::CaughtUp | Reading::Finished => {
                    self.sieve.count(page.bytes);
                    return Ok(page);
                }
            };
            for part in &parts {
                page.add(part, &mut |number, event| look(number, event, &mut room));
            }
        }
    }

    fn subscribe(&self, ask: &Ask, is_wanted: &dyn Fn() -> bool) -> Result<Option<Subscriber>, GivenUp> {
        let mut answers = Answers::default();
        while is_wanted() {
            match self.channels.subscribe(&self.filter, ask, self.now, &answers) {
                Subscription::Stream(subscriber, _) => return Ok(Some(subscriber)),
                Subscription::Over => return Ok(None),
                Subscription::Unknown(question) => {
                    let Some(archivist) = &self.archivist else { return Err(GivenUp) };
                    archivist.answer(question, &self.filter, &mut answers);
                }
            }
        }
        Err(GivenUp)
    }
}

impl Page {
    fn add(&mut self, part: &Bytes, look: &mut impl FnMut(u64, &[u8])) {
        let mut rest = &part[..];
        while !rest.is_empty() {
            let (event, after) = rest.split_at(sse::length_of(rest, 1));
            rest = after;
            self.bytes += event.len();
            let Some(position) = sse::position_of(event) else { continue };
            self.first = if self.events == 0 { position.number } else { self.first };
            self.last = position.number;
            self.events += 1;
            look(position.number, event);
        }
    }
}
