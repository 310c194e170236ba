//! What a client is sent of its view when it does not want all: its sieve, and where it is with it.
//!
//! Reading is the same as without: the cursor moves over everything. What was read is looked through outside the channels' lock, and a client that looks
//! through much has its turn in slices ([`Enough`]). What is left out is no gap.
//!
//! A client's id would stay behind while nothing passes: its place would fall out of the history, and it would come back to a gap that is none. So in
//! place of a sign of life it is sent a *bookmark*, the control event `start` once more, with the place up to which it has been sent everything that passes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::client::{Again, Chunk, say_start};
use super::query::Format;
use crate::channel::{Cursor, Greeting, Subscriber};
use crate::event::Position;
use crate::sieve::{Context, Sieve, SieveKey};
use crate::sse;

/// How much is looked through for one client before others have their turn, in bytes.
const LOOK: usize = 1 << 20;

/// And for how long.
const TURN: Duration = Duration::from_micros(500);

/// When a turn is over.
#[derive(Debug)]
pub struct Enough {
    began: Instant,
    looked: usize,
}

impl Enough {
    /// A turn that begins now.
    #[must_use]
    pub fn of_a_turn() -> Self {
        Self { began: Instant::now(), looked: 0 }
    }

    /// Whether it is over.
    #[must_use]
    pub fn is_reached(&self) -> bool {
        self.looked > LOOK || self.began.elapsed() > TURN
    }
}

/// One client's way through its view.
#[derive(Debug, Clone)]
pub struct Sifting {
    sieve: Arc<Sieve>,
    /// Where it is between matches, if it wants events around them.
    context: Option<Context>,
    /// The number of the last id that the client has been sent, if any was.
    told: Option<u64>,
}

impl Sifting {
    /// The way of a client that has been greeted; with `reach` events around each match, of which `following` are still owed for those before its id.
    #[must_use]
    pub fn new(
        sieve: Arc<Sieve>,
        subscriber: &Subscriber,
        greeting: &Greeting,
        is_resumed: bool,
        (reach, following): (usize, usize),
    ) -> Self {
        let known = subscriber.cursor().known();
        let has_id = is_resumed || !matches!(greeting, Greeting::None);
        let context = (reach > 0).then(|| Context::behind(known, reach, following));
        Self { sieve, context, told: has_id.then_some(known.number) }
    }

    /// Which sieve it is.
    #[must_use]
    pub fn key(&self) -> SieveKey {
        self.sieve.key()
    }

    /// Whether what it is sent depends on what was before.
    #[must_use]
    pub fn has_context(&self) -> bool {
        self.context.is_some()
    }

    /// The state of several clients at one place: what each was told stays its own.
    #[must_use]
    pub fn shared(&self) -> Self {
        Self { told: None, ..self.clone() }
    }

    /// Goes on from where several clients have come to together.
    pub fn rejoin(&mut self, shared: &Self) {
        self.context.clone_from(&shared.context);
        self.told = self.told.max(shared.told);
    }

    /// Makes a chunk of what passes of `events`, which were read from the cursor `from`. If it is enough before their end, the subscriber goes back to
    /// where that was.
    pub fn chunk_of(
        &mut self,
        said: Vec<u8>,
        events: &[Bytes],
        (from, subscriber): (Cursor, &mut Subscriber),
        format: Format,
        enough: &mut Enough,
    ) -> Chunk {
        let mut passed = Vec::with_capacity(events.len());
        if let Some(reached) = self.sift(events, enough, &mut passed) {
            subscriber.move_to(&from.moved_to(reached));
        }
        self.chunk(said, passed, from, subscriber.cursor().number(), format)
    }

    /// Looks through events, and gives the place up to which it has, if it was enough before their end.
    pub fn sift(&mut self, events: &[Bytes], enough: &mut Enough, passed: &mut Vec<Bytes>) -> Option<Position> {
        for (index, part) in events.iter().enumerate() {
            let before = enough.looked;
            let sifted = self.sieve.sift_shared(part, |looked| {
                enough.looked = before + looked;
                enough.is_reached()
            });
            enough.looked = before + sifted.looked;
            self.take(&part.slice(..sifted.looked), &sifted, passed);
            let is_last = index + 1 == events.len() && sifted.looked == part.len();
            if !is_last && enough.is_reached() {
                return last_of(&part[..sifted.looked]);
            }
        }
        None
    }

    /// The same for events from the disk, whose parts may be of several channels.
    pub fn sift_archived(&mut self, events: &[Bytes], passed: &mut Vec<Bytes>) {
        for part in events {
            self.take(part, &self.sieve.sift(part, |_| false), passed);
        }
    }

    fn take(&mut self, part: &Bytes, sifted: &crate::sieve::Sifted, passed: &mut Vec<Bytes>) {
        let sent = passed.len();
        match &mut self.context {
            None => passed.extend(sifted.passed(part)),
            Some(context) => sifted.each(part).for_each(|(event, verdict)| context.take(event, verdict, passed)),
        }
        let last = match &self.context {
            None => sifted.last.and_then(|last| sse::position_of(&part[last..])),
            Some(_) => passed[sent..].last().and_then(|event| sse::position_of(event)),
        };
        self.told = self.told.max(last.map(|last| last.number));
    }

    /// A chunk of what has passed.
    #[must_use]
    pub fn chunk(&self, said: Vec<u8>, passed: Vec<Bytes>, from: Cursor, to: u64, format: Format) -> Chunk {
        let chunk = Chunk::of_events(said, passed, from, to, format);
        if self.has_context() { Chunk { again: Again::Not, ..chunk } } else { chunk }
    }

    /// What passes of events that are read again; nothing if that depends on what was before.
    #[must_use]
    pub fn once_more(&self, events: &[Bytes]) -> Vec<Bytes> {
        if self.has_context() {
            return Vec::new();
        }
        let passed = |part: &Bytes| self.sieve.sift(part, |_| false).passed(part);
        events.iter().filter_map(passed).collect()
    }

    /// The client is told of a gap that leads to this place.
    pub fn note_gap(&mut self, to: Position) {
        self.told = self.told.max(Some(to.number));
        if let Some(context) = &mut self.context {
            context.begin_anew(to);
        }
    }

    /// The first id of a client that has none yet, now that nothing waits for it.
    pub fn first_bookmark(&mut self, subscriber: &Subscriber, format: Format) -> Option<Vec<u8>> {
        if self.told.is_some() { None } else { self.bookmark(subscriber, format) }
    }

    /// What tells the client how far it has come, if that is farther than the last id that it has.
    pub fn bookmark(&mut self, subscriber: &Subscriber, format: Format) -> Option<Vec<u8>> {
        let place = self.context.as_ref().map_or(subscriber.cursor().known(), Context::decided);
        if format == Format::Text || self.told >= Some(place.number) {
            return None;
        }
        self.told = Some(place.number);
        let mut said = Vec::new();
        say_start(&subscriber.start_at(place), &mut said, format);
        Some(said)
    }
}

/// The place of the last of encoded events.
fn last_of(encoded: &[u8]) -> Option<Position> {
    let end = encoded.len().saturating_sub(2);
    let start = memchr::memmem::rfind(&encoded[..end], b"\n\n").map_or(0, |end| end + 2);
    sse::position_of(&encoded[start..])
}
