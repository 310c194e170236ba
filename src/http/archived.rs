//! What is not in memory any more: read from the disk, for one client after the other.
//!
//! A client whose cursor stands below the seam of its view (`channel::archived`) is sent what the disk has, a chunk at a time, as fast as it takes
//! them, until it has come up to what memory has. It holds a [`Playback`] meanwhile: places in files, and as much as has been read ahead. Reading may
//! wait for the disk, so it is done where nobody waits for it who reads from memory: by a reactor of its own (HTTP/1), or by threads of the
//! runtime (HTTP/2, and questions that are asked before a stream begins).
//!
//! What turns out to be damaged, or gone, is taken out of the history at once, and told as a gap like all that is dropped.

use std::ops::RangeInclusive;
use std::sync::{Arc, Once};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use tracing::warn;

use super::client::{Chunk, Span};
use super::query::Format;
use super::sifting::Sifting;
use crate::channel::{Ages, Answers, Archived, Around, Channels, Counted, Filter, Loss, Question, Status, Subscriber};
use crate::errno::reason;
use crate::event::{Age, EventId, Position};
use crate::metrics::Metrics;
use crate::store::disk::broken::{Broken, Fault};
use crate::store::disk::hole::Hole;
use crate::store::disk::log::Log;
use crate::store::disk::replay::{Part, Replay};
use crate::store::disk::retention::LetGo;
use crate::store::{Gone, History};

/// How often a question is put to a disk that turns out to be damaged. Each time what is damaged is taken away.
const ATTEMPTS: usize = 100;

/// How long who finds no descriptor waits before it asks again: others read on meanwhile.
const PAUSE: Duration = Duration::from_millis(10);

/// That there is none is said once: it is so for all clients, and comes and goes.
static SCARCE: Once = Once::new();

/// Reads from the disk for clients. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Archivist {
    /// What is on the disk.
    pub history: Arc<History>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// Where one client is on the disk.
#[derive(Debug)]
pub struct Playback {
    replay: Replay,
    /// What has been read and did not fit.
    ahead: Option<Part>,
    /// What is still to be read.
    numbers: RangeInclusive<u64>,
    /// How many gaps its client had been told of when it began.
    gaps: u32,
}

impl Playback {
    /// Keeps only places: its client does not take what it has been sent.
    pub fn rest(&mut self) {
        self.replay.rest();
    }

    /// Reads on: parts of at most `room` bytes together, or one that is larger; none at the end.
    fn read(&mut self, room: usize) -> Result<Vec<Part>, Broken> {
        let (mut parts, mut taken) = (Vec::new(), 0);
        loop {
            let part = match self.ahead.take() {
                Some(part) => part,
                None => match self.replay.read()? {
                    Some(part) => part,
                    None => return Ok(parts),
                },
            };
            taken += part.events.len();
            if taken > room && !parts.is_empty() {
                self.ahead = Some(part);
                return Ok(parts);
            }
            self.numbers = part.last.number + 1..=*self.numbers.end();
            parts.push(part);
        }
    }
}

/// What has been read for a client.
#[derive(Debug)]
pub enum Fetched {
    /// These; none, if there is nothing for it.
    Parts(Vec<Part>),
    /// Something has been lost, which is to be told first.
    Lost,
}

impl Fetched {
    /// Takes a client's cursor to where this ends, and gives the events up to there; none if it has to be read again.
    pub fn into_events(self, archived: &Archived, subscriber: &mut Subscriber) -> Vec<Bytes> {
        self.advance(archived, subscriber).unwrap_or_default()
    }

    fn advance(self, archived: &Archived, subscriber: &mut Subscriber) -> Option<Vec<Bytes>> {
        let Self::Parts(parts) = self else { return None };
        // What has gone was told before it went: who has missed it is told now, and all of this is read again behind that.
        if subscriber.has_gap() {
            return None;
        }
        let Some(last) = parts.last().map(|part| part.last) else {
            subscriber.pass(*archived.numbers.end());
            return None;
        };
        subscriber.move_on(last);
        Some(parts.into_iter().map(|part| part.events).collect())
    }

    /// Takes a client's cursor to where this ends, and makes a chunk of it, if there is anything in it for the client.
    pub fn into_chunk(
        self,
        archived: &Archived,
        subscriber: &mut Subscriber,
        sifting: Option<&mut Sifting>,
        format: Format,
    ) -> Option<Chunk> {
        let from = subscriber.cursor().clone();
        let events = self.advance(archived, subscriber)?;
        let to = subscriber.cursor().number();
        let chunk = match sifting {
            None => Chunk::of_events(Vec::new(), events, from, to, format),
            Some(sifting) => {
                let mut passed = Vec::new();
                sifting.sift_archived(&events, &mut passed);
                sifting.chunk(Vec::new(), passed, from, to, format)
            }
        };
        // Control events have no lines.
        (!chunk.is_empty()).then_some(chunk)
    }
}

impl Archivist {
    /// Reads on for a client: at most `room` bytes of events, or one part that is larger. May wait for the disk.
    pub fn fetch(&self, filter: &Filter, archived: &Archived, room: usize, playback: &mut Option<Box<Playback>>) -> Fetched {
        match self.parts(filter, archived, room, playback) {
            Ok(parts) => Fetched::Parts(parts),
            Err(broken) => {
                *playback = None;
                self.give_up(&broken);
                Fetched::Lost
            }
        }
    }

    fn parts(
        &self,
        filter: &Filter,
        archived: &Archived,
        room: usize,
        playback: &mut Option<Box<Playback>>,
    ) -> Result<Vec<Part>, Broken> {
        let goes_on = |playback: &&mut Box<Playback>| {
            let goes_on = playback.numbers.start() == archived.numbers.start() && playback.gaps == archived.gaps;
            goes_on && playback.numbers.end() <= archived.numbers.end()
        };
        if let Some(playback) = playback.as_mut().filter(goes_on) {
            let parts = playback.read(room)?;
            if !parts.is_empty() {
                return Ok(parts);
            }
        }
        // More may have been archived since it began.
        let begun = self.begin(filter, archived)?;
        playback.insert(Box::new(begun)).read(room)
    }

    fn begin(&self, filter: &Filter, archived: &Archived) -> Result<Playback, Broken> {
        let numbers = archived.numbers.clone();
        let stored = self.history.shelf(|channel| filter.contains(channel));
        Ok(Playback { replay: stored.replay(numbers.clone(), wanted(archived.ages))?, ahead: None, numbers, gaps: archived.gaps })
    }

    /// The events of a chunk once more. `None` if not all of them are there any more.
    #[must_use]
    pub fn read_again(&self, filter: &Filter, span: &Span) -> Option<Vec<Bytes>> {
        let archived = Archived { numbers: span.from.number() + 1..=span.to, ages: span.from.ages(), gaps: 0 };
        let parts = self.begin(filter, &archived).and_then(|mut playback| playback.read(usize::MAX)).ok()?;
        Some(parts.into_iter().map(|part| part.events).collect())
    }

    /// Asks the disk. What it could not be asked for want of descriptors is not answered; what it does not know is, as if nothing were there.
    pub fn answer(&self, question: Question, filter: &Filter, answers: &mut Answers) {
        for _ in 0..ATTEMPTS {
            match self.try_to_answer(&question, filter, answers) {
                Ok(()) => return,
                // It is asked again, for as long as the client is there.
                Err(broken @ Broken { fault: Fault::Scarce(_), .. }) => return self.give_up(&broken),
                Err(broken) => self.give_up(&broken),
            }
        }
        // As if nothing were there.
        match question {
            Question::Event(number) => answers.learn_event(number, Around::default()),
            Question::Until(_) | Question::Newest { .. } => answers.learn_place(question, Position::default()),
        }
    }

    fn try_to_answer(&self, question: &Question, filter: &Filter, answers: &mut Answers) -> Result<(), Broken> {
        let all = self.history.shelf(|_| true);
        let number = match *question {
            Question::Event(number) => {
                let around = all.around(number)?;
                answers.learn_event(number, Around { at: around.at, before: around.before, after: around.after });
                return Ok(());
            }
            Question::Until(time) => all.until(time)?,
            Question::Newest { count, until, ages, ref beside } => {
                let stored = self.history.shelf(|channel| filter.contains(channel));
                beside.newest(count, |count| stored.newest(count, until, wanted(ages)))?
            }
        };
        // Of the beginning of a life the index knows the time itself.
        let around = if number == 0 { None } else { Some(all.around(number)?) };
        let time = around.and_then(|around| around.at.map(|(time, _)| time).or(around.before));
        answers.learn_place(question.clone(), Position { number, time: time.unwrap_or_default() });
        Ok(())
    }

    /// Says which are the oldest events, where those are on the disk.
    pub fn complete(&self, status: &mut Status) {
        self.history.look(|archive| {
            for channel in &mut status.channels {
                let stored = archive.log(&channel.name).and_then(Log::first_stored);
                let oldest = stored.map(|position| EventId { position, channel: Some(channel.name.clone()) });
                channel.oldest = channel.oldest.take().into_iter().chain(oldest).min_by_key(|id| id.position);
            }
        });
    }

    /// Takes out of the history what cannot be read. What could not be read for want of descriptors or memory stays: whoever asks again has waited for
    /// a moment.
    fn give_up(&self, broken: &Broken) {
        let Broken { channel, path, fault } = broken;
        match fault {
            Fault::Scarce(error) => {
                SCARCE.call_once(|| warn!("could not read history: {}; whoever reads waits, and nothing is lost", reason(error)));
                return thread::sleep(PAUSE);
            }
            Fault::LetGo => {}
            Fault::Damaged => warn!("'{}' is damaged; what is good in it is kept, the file is moved aside", path.display()),
            Fault::Unreadable(error) => {
                warn!("could not read '{}': {}; its events are lost", path.display(), reason(error));
            }
        }
        self.history.mend(channel, path);
        if !matches!(fault, Fault::LetGo) {
            self.metrics.stored_damage.add(1);
        }
    }
}

/// Tells the channels at once what is not on the disk any more.
pub fn tell(channels: Channels) -> impl Fn(Gone<'_>) + Send + 'static {
    move |gone| match gone {
        Gone::LetGo(segment) => {
            if let Some(loss) = loss_of_segment(segment) {
                channels.let_go(&segment.channel, loss);
            }
        }
        Gone::Lost(segment, left) => {
            if let Some(loss) = loss_of_segment(segment) {
                channels.lose_on_disk(&segment.channel, loss, left);
            }
        }
        Gone::Hole(channel, hole, left) => channels.lose_on_disk(channel, loss_of_hole(hole, Counted::Roughly), left),
    }
}

/// What a hole has cost.
#[must_use]
pub fn loss_of_hole(hole: &Hole, counted: Counted) -> Loss {
    Loss { first: hole.after + 1, through: hole.through, count: hole.count, age: None, counted }
}

/// What has gone with a segment, if there was anything in it.
fn loss_of_segment(gone: &LetGo) -> Option<Loss> {
    gone.through.map(|through| Loss {
        first: gone.first,
        through,
        count: gone.count,
        age: Some(gone.age),
        counted: Counted::Exactly,
    })
}

fn wanted(ages: Ages) -> Option<Age> {
    match ages {
        Ages::All => None,
        Ages::New => Some(Age::New),
    }
}
