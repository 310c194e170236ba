//! Where the stream of a client begins that does not want all: the newest events that pass are looked for backwards, a page after the other, in memory
//! and on the disk.
//!
//! It may take long and wait for the disk, so it is done by threads of the runtime, few at once, and given up when nobody waits for it any more. Each page
//! takes about `PAGE_TIME`, and before the next one others have their turn. A search ends early when [`MAX_LOOKED`] bytes have been
//! looked through, or when the client has waited for long enough: then what it has found is the answer, and the client is told how far it has come.
//!
//! What has been found is remembered for a moment: whoever asks the same next looks only at what has come since, and goes on where the search ended early.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::archived::Archivist;
use crate::batch::MAX_BATCH;
use crate::channel::{Answers, Ask, Channels, Filter, Follow, Reading, Subscriber, Subscription, Tail};
use crate::event::{Millis, Position};
use crate::sieve::{MAX_WITHHELD, Sieve, SieveKey, Verdict};
use crate::sse;

/// How much is looked through for one client, in bytes.
pub const MAX_LOOKED: usize = 256 << 20;

/// How long a page is meant to take.
const PAGE_TIME: Duration = Duration::from_millis(20);

/// How large one is meant to be at most, in bytes.
const PAGE: usize = 4 << 20;

/// How much larger than the one before.
const GROWTH: usize = 16;

/// For how long what was found is good, in milliseconds.
const LATELY: Millis = 10_000;

/// Of how many that asked it is remembered, and of how many matches.
const MAX_REMEMBERED_ASKED: usize = 64;
const MAX_REMEMBERED: usize = 1000;

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

/// What was looked through of a page.
#[derive(Debug, Default)]
struct Page {
    /// How many events, and bytes.
    events: usize,
    bytes: usize,
    /// The places of the oldest and the newest.
    first: Position,
    last: Position,
}

impl Page {
    /// The next older event.
    fn add(&mut self, position: Position, event: &[u8]) {
        self.last = if self.events == 0 { position } else { self.last };
        self.first = position;
        self.events += 1;
        self.bytes += event.len();
    }
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
    /// The place of the oldest that was looked through, if the search ended before it came to the oldest that there is.
    ended_at: Option<Position>,
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

/// A search on its way.
#[derive(Debug)]
pub struct Search {
    ask: Ask,
    /// How many that match are looked for.
    most: usize,
    found: Found,
    /// What others have found lately, as long as what has come since has not been looked through.
    lately: Option<Found>,
    looked: usize,
    page_ask: Ask,
    /// As long as it looks the view stays, which would be made anew for each page.
    view: Option<Subscriber>,
}

/// Where a stream begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// What is asked for, now that this is known.
    pub ask: Ask,
    /// The place of the oldest event that was looked through, if that was not all that was asked for.
    pub ended_at: Option<Position>,
}

impl From<Ask> for Placed {
    fn from(ask: Ask) -> Self {
        Self { ask, ended_at: None }
    }
}

impl Search {
    /// Whether nothing has been looked through yet.
    #[must_use]
    pub fn has_nothing(&self) -> bool {
        self.found.newest == 0
    }

    /// Whether the same is asked for again and again: the newest of the view as it is now.
    fn is_usual(&self) -> bool {
        self.ask.since.is_none() && self.ask.before.is_none() && self.ask.through.is_none()
    }

    /// The next page ends below this one, and is as large as can be looked through in its time.
    fn turn_page(&mut self, page: &Page, took: Duration) {
        let in_time = page.bytes as u128 * PAGE_TIME.as_nanos() / took.as_nanos().max(1);
        let bytes = usize::try_from(in_time).unwrap_or(PAGE).min(PAGE).min(page.bytes * GROWTH).min(MAX_LOOKED - self.looked);
        self.page_ask.tail = Some(Tail::Newest((bytes * page.events / page.bytes.max(1)).max(1) as u64));
        self.page_ask.through = Some(page.first.number - 1);
    }
}

impl Lookback {
    /// Begins to look for the newest `count` that match.
    #[must_use]
    pub fn begin(&self, ask: &Ask, count: u64) -> Search {
        let most = usize::try_from(count).unwrap_or(usize::MAX);
        let page_ask = Ask { tail: Some(Tail::Newest(1)), follow: Follow::Retained, ..ask.clone() };
        let mut search = Search { ask: ask.clone(), most, found: Found::default(), lately: None, looked: 0, page_ask, view: None };
        search.lately = if search.is_usual() { self.found_lately.recall(&self.asked(most), self.now) } else { None };
        search
    }

    /// Looks through the next page; true if another one may follow.
    ///
    /// # Errors
    /// Nobody waits for it any more, and nothing was looked through.
    pub fn look_on(&self, search: &mut Search, is_wanted: &dyn Fn() -> bool) -> Result<bool, GivenUp> {
        if search.view.is_none() {
            search.view = self.subscribe(&Ask { tail: Some(Tail::Newest(0)), ..Ask::default() }, is_wanted)?;
        }
        let began = Instant::now();
        let known = search.lately.as_ref().map_or(0, |lately| lately.newest);
        let wanted = search.most - search.found.matches.len();
        let (page, here) = self.found_in(&search.page_ask, known, wanted, is_wanted)?;
        search.found = here.followed_by(std::mem::take(&mut search.found), search.most);
        search.looked += page.bytes;
        let is_at_end = page.events == 0 || page.first.number <= known + 1;
        if search.found.matches.len() >= search.most {
            return Ok(false);
        }
        if let Some(lately) = search.lately.take_if(|_| is_at_end) {
            return self.join(search, lately, is_wanted);
        }
        if is_at_end {
            return Ok(false);
        }
        search.found.ended_at = Some(page.first);
        if search.looked >= MAX_LOOKED {
            return Ok(false);
        }
        search.turn_page(&page, began.elapsed());
        Ok(true)
    }

    /// All that has come since others looked has been looked through: what they have found is below it.
    fn join(&self, search: &mut Search, lately: Found, is_wanted: &dyn Fn() -> bool) -> Result<bool, GivenUp> {
        let since = Ask { tail: Some(Tail::Above(lately.newest)), follow: Follow::Retained, ..Ask::default() };
        let (known, ended_at) = (lately.newest, lately.ended_at);
        let joined = lately.followed_by(search.found.clone(), search.most);
        // If one of them has been dropped, there may be an older one in another channel.
        let first = joined.first(search.most).unwrap_or(joined.newest);
        let is_all = joined.matches.len() < search.most;
        if !is_all && self.has_lost(&since, first.saturating_sub(1), joined.newest, is_wanted)? {
            search.page_ask.through = Some(known);
            return Ok(true);
        }
        search.found = Found { ended_at, ..joined };
        let goes_on = ended_at.filter(|_| is_all).map(|place| place.number - 1);
        search.page_ask.through = goes_on.or(search.page_ask.through);
        Ok(goes_on.is_some())
    }

    /// Ends a search, and gives what its ask becomes: those above the place above which lie so many that match, with `reach` events before the first of them.
    ///
    /// # Errors
    /// Nobody waits for it any more.
    pub fn end(&self, search: Search, reach: usize, is_wanted: &dyn Fn() -> bool) -> Result<Placed, GivenUp> {
        let is_usual = search.is_usual();
        let Search { ask, most, mut found, view: _view, .. } = search;
        if found.matches.len() >= most {
            found.ended_at = None;
        }
        let placed = |number| Ask { tail: Some(Tail::Above(number)), ..ask.clone() };
        let begins = match found.first(most) {
            None => found.newest,
            // Nothing is around a match that lies before a control event.
            Some(first) if found.matches.front() != Some(&first) => first - 1,
            Some(first) => self.first_around(&ask, first, reach, is_wanted)? - 1,
        };
        let ended_at = found.ended_at;
        if is_usual {
            self.found_lately.remember(self.asked(most), self.now, found);
        }
        Ok(Placed { ask: placed(begins), ended_at })
    }

    /// The first of the events before a match that are around it: at most `reach`, none before a control event, and no more than are held back for a match.
    fn first_around(&self, ask: &Ask, of: u64, reach: usize, is_wanted: &dyn Fn() -> bool) -> Result<u64, GivenUp> {
        if reach == 0 {
            return Ok(of);
        }
        let before = Ask { tail: Some(Tail::Newest(reach as u64)), through: Some(of - 1), follow: Follow::Retained, ..ask.clone() };
        let (mut around, mut held) = (VecDeque::new(), 0);
        self.page(&before, is_wanted, |position, event| {
            around.push_back((position.number, event.len()));
            held += event.len();
            let is_control = sse::kind_of(&event).is_some_and(sse::is_reserved);
            while is_control && !around.is_empty() || held > MAX_WITHHELD {
                held -= around.pop_front().map_or(held, |(_, length)| length);
            }
        })?;
        Ok(around.front().map_or(of, |(number, _)| *number))
    }

    fn asked(&self, most: usize) -> Asked {
        (self.sieve.key(), self.filter.clone(), most)
    }

    /// What is found in a page above the number `known`: of the matches the newest `most`. It is looked through from its newest event on, until they are
    /// found or it is enough for now, so what has been looked through is always all above some place.
    fn found_in(&self, ask: &Ask, known: u64, most: usize, is_wanted: &dyn Fn() -> bool) -> Result<(Page, Found), GivenUp> {
        let mut events = Vec::new();
        self.page(ask, is_wanted, |position, event| events.push((position, event)))?;
        let (mut page, mut found, mut room, began) = (Page::default(), Found::default(), Vec::new(), Instant::now());
        for (position, event) in events.iter().rev() {
            page.add(*position, event);
            if position.number <= known {
                break;
            }
            let verdict = self.sieve.judge(event, &mut room);
            if verdict != Verdict::Miss {
                found.earliest = Some(position.number);
            }
            if verdict == Verdict::Match {
                found.matches.push_front(position.number);
            }
            if found.matches.len() >= most || began.elapsed() > PAGE_TIME || !is_wanted() {
                break;
            }
        }
        self.sieve.count(page.bytes);
        found.newest = page.last.number;
        Ok((page, found))
    }

    /// How many of the next events behind the event `number`, which the client has, are within `reach` behind a match at or before it. Where what it
    /// depends on has been dropped, so many as there could be: rather a few too many than one too few.
    ///
    /// # Errors
    /// Nobody waits for it any more.
    pub fn following(&self, number: u64, reach: usize, is_wanted: &dyn Fn() -> bool) -> Result<usize, GivenUp> {
        let ask = Ask { tail: Some(Tail::Newest(reach as u64)), through: Some(number), follow: Follow::Retained, ..Ask::default() };
        let (mut newest_first, mut room, mut looked) = (VecDeque::new(), Vec::new(), 0);
        self.page(&ask, is_wanted, |position, event| {
            looked += event.len();
            newest_first.push_front((position.number, self.sieve.judge(&event, &mut room)));
        })?;
        self.sieve.count(looked);
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

    /// Reads a page, and shows each event, the oldest first.
    fn page(&self, ask: &Ask, is_wanted: &dyn Fn() -> bool, mut show: impl FnMut(Position, Bytes)) -> Result<(), GivenUp> {
        let mut playback = None;
        let Some(mut subscriber) = self.subscribe(ask, is_wanted)? else { return Ok(()) };
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
                Reading::CaughtUp | Reading::Finished => return Ok(()),
            };
            for mut part in parts {
                while !part.is_empty() {
                    let event = part.split_to(sse::length_of(&part, 1));
                    let Some(position) = sse::position_of(&event) else { continue };
                    show(position, event);
                }
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
