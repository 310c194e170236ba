//! One stream, followed through all its connections until it has ended for good, is refused, or it is time to stop.
//!
//! ```text
//!  ask ▸ read ▸ write         what comes is written before more is read
//!   ▲      │
//!   └ wait ┘                  whatever breaks: behind the last event that was taken
//! ```

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{self, HeaderName, HeaderValue};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{info, warn};

use super::address::Address;
use super::answer::Verdict;
use super::broken::Broken;
use super::filtering::{Filtering, Refusal};
use super::notice::{Notice, Weight};
use super::outage::{Outage, SETTLED};
use super::pause::{self, Pauses};
use super::reader::{Busy, Reader, Step};
use super::silence::Silence;
use super::together::{Common, Several};
use super::wire::{self, Answer, NoAnswer};
use crate::daemon::exit::chain;
use crate::sse::parse::Parser;

/// A stream that lived so long was one, whatever it brought.
const LIVED: Duration = Duration::from_secs(5);

/// How the following of a stream ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Nothing more will come.
    Finished,
    /// It was time to stop.
    Stopped,
}

/// What is done after a connection.
enum After {
    /// It is over.
    Over(Ended),
    /// It is tried again at once.
    Again,
    /// It is tried again at once, without the filter.
    Unfiltered,
    /// It is tried again: why, and when if the server says so.
    Wait(String, Option<Duration>),
}

/// One stream.
#[derive(Debug)]
pub struct Follower {
    address: Address,
    name: String,
    reader: Reader,
    common: Common,
    pauses: Pauses,
    outage: Outage,
    filtering: Filtering,
    /// Whether it was told that this client filters alone.
    is_filtering_told: bool,
    /// The last end was a good one, and the next attempt was made at once.
    has_knocked: bool,
}

impl Follower {
    /// Follows the stream at an address, whose events `reader` reads.
    #[must_use]
    pub fn new(address: Address, reader: Reader, common: Common) -> Self {
        let (name, outage) = (address.name(), Outage::begins(Instant::now()));
        let (pauses, filtering) = (Pauses::default(), Filtering::default());
        Self { address, name, reader, common, pauses, outage, filtering, is_filtering_told: false, has_knocked: false }
    }

    /// Follows it.
    pub async fn run(mut self) -> Result<Ended, Broken> {
        loop {
            let after = self.connection().await?;
            if !matches!(after, After::Unfiltered) {
                self.filtering.ended();
            }
            match after {
                After::Over(ended) => return Ok(ended),
                After::Again | After::Unfiltered => {}
                After::Wait(why, named) => {
                    if let Some(ended) = self.wait(why, named).await? {
                        return Ok(ended);
                    }
                }
            }
        }
    }

    /// Asks once, and reads what comes to its end.
    async fn connection(&mut self) -> Result<After, Broken> {
        let stop = self.common.stop.clone();
        let answer = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(After::Over(Ended::Stopped)),
            answer = self.ask() => answer,
        };
        match answer {
            // A file that is replaced is away for a moment.
            Err(error) if self.outage.was_there() => Ok(After::Wait(chain(&error), None)),
            Err(error) => Err(error),
            Ok(Ok(answer)) if answer.verdict == Verdict::Stream => self.read(answer).await,
            Ok(Ok(answer)) => self.judge(answer).await,
            Ok(Err(NoAnswer::Astray(why))) => Err(Broken::Astray { url: self.name.clone(), why }),
            Ok(Err(error)) => Ok(After::Wait(chain(&error), None)),
        }
    }

    /// Asks for what is behind the place.
    async fn ask(&self) -> Result<Result<Answer, NoAnswer>, Broken> {
        let mut fields: Vec<(HeaderName, HeaderValue)> = Vec::new();
        let place = self.common.places.get(&self.name);
        if let Some(id) = Some(place.id).filter(|id| !id.is_empty()) {
            // An id that is no header could not be sent back by a browser either.
            fields.extend(HeaderValue::from_bytes(&id).map(|id| (HeaderName::from_static("last-event-id"), id)));
        }
        if let Some(token) = &self.common.token {
            let path = token.path().display().to_string();
            fields.push((header::AUTHORIZATION, token.header().map_err(|why| Broken::Token { path, why })?));
        }
        Ok(wire::ask(&self.filtering.address(&self.address), &fields).await)
    }

    /// What is done about an answer that is no stream.
    async fn judge(&mut self, answer: Answer) -> Result<After, Broken> {
        let (status, url) = (answer.status, self.name.clone());
        let was_there = self.outage.was_there();
        Ok(match answer.verdict.clone() {
            Verdict::Finished => After::Over(Ended::Finished),
            Verdict::Later(named) => {
                let why = format!("it answers {status} {}", answer.line().await).trim_end().to_owned();
                if status == 503 && self.filtering.refused(&self.address, &why, Refusal::Now) {
                    return Ok(After::Unfiltered);
                }
                After::Wait(why, named.map(pause::named))
            }
            Verdict::Strange(kind) if was_there => After::Wait(format!("it answers with {kind} instead of a stream"), None),
            Verdict::Strange(kind) => return Err(Broken::Strange { url, why: format!("it answers with {kind}") }),
            Verdict::Stream | Verdict::Moved(_) | Verdict::Refused => {
                let why = format!("{status} {}", answer.line().await).trim_end().to_owned();
                let told = format!("it answers {why}");
                match status {
                    400 | 414 if self.filtering.refused(&self.address, &told, Refusal::ForEver) => After::Unfiltered,
                    // A daemon that was started again may not have found its sources yet.
                    404 if was_there || !self.common.places.get(&self.name).id.is_empty() => After::Wait(told, None),
                    _ => return Err(Broken::Refused { url, why }),
                }
            }
        })
    }

    /// Reads a stream to its end, and has everything written.
    async fn read(&mut self, mut stream: Answer) -> Result<After, Broken> {
        let (began, before) = (Instant::now(), self.outage);
        let (mut parser, mut silence) = (Parser::new(self.common.largest), Silence::default());
        let mut has_brought = false;
        let end = loop {
            let piece = match self.piece(&mut stream, &silence, began + SETTLED).await {
                Piece::Stop => return Ok(After::Over(Ended::Stopped)),
                Piece::Settled => {
                    self.found();
                    continue;
                }
                Piece::Bytes(piece) => piece,
                Piece::End(why) => break why,
            };
            for step in self.steps(&piece, &mut parser, &mut silence) {
                has_brought = true;
                match step {
                    // It was no stream, whatever a proxy has passed on of it before.
                    Step::Busy(_) => self.outage = before,
                    _ => self.found(),
                }
                if let Some(after) = self.act(step, &mut silence, began.elapsed()).await? {
                    return Ok(after);
                }
            }
        };
        let life = match has_brought {
            _ if began.elapsed() >= LIVED => Life::Long,
            true => Life::Short,
            false => Life::Empty,
        };
        if life != Life::Empty {
            self.pauses.succeeded(parser.retry());
        }
        Ok(self.behind(end, life))
    }

    /// What is to be done with a piece of a stream.
    fn steps(&mut self, piece: &[u8], parser: &mut Parser, silence: &mut Silence) -> Vec<Step> {
        silence.heard(piece);
        if silence.is_ours() {
            self.reader.recognize();
        }
        parser.push(piece, |event| self.reader.take(event));
        if parser.held() > self.common.largest {
            self.reader.grows_too_large(self.common.largest);
        }
        self.reader.steps()
    }

    /// Does what an event asks for; gives a value if that is the end of the stream, which is so old `now`.
    async fn act(&mut self, step: Step, silence: &mut Silence, now: Duration) -> Result<Option<After>, Broken> {
        match step {
            Step::Write(block) => {
                silence.event();
                return Ok(self.common.write(&self.name, block).await?.map(After::Over));
            }
            Step::Say(notice) => self.say(&notice),
            Step::Ping => silence.ping(now),
            Step::Stop(notice) => return Err(Broken::Gap(notice.line)),
            Step::Busy(busy) => return Ok(Some(self.busy(&busy))),
        }
        Ok(None)
    }

    /// What is done about a server without room.
    fn busy(&mut self, busy: &Busy) -> After {
        let why = in_words(busy.reason.as_deref());
        if self.filtering.refused(&self.address, &why, Refusal::Now) {
            return After::Unfiltered;
        }
        After::Wait(why, busy.retry.map(|retry| pause::named(Duration::from_millis(retry))))
    }

    /// The next piece of a stream.
    async fn piece(&self, stream: &mut Answer, silence: &Silence, settled: Instant) -> Piece {
        let next = async {
            match silence.limit() {
                Some(limit) => timeout(limit, stream.next()).await.map_err(|_| limit),
                None => Ok(stream.next().await),
            }
        };
        let next = tokio::select! {
            biased;
            () = self.common.stop.cancelled() => return Piece::Stop,
            next = next => next,
            () = sleep_until(settled), if self.outage.lasts() => return Piece::Settled,
        };
        match next {
            Ok(Some(Ok(piece))) => Piece::Bytes(piece),
            Ok(Some(Err(error))) => Piece::End(Some(format!("the connection broke: {}", innermost(&error)))),
            Ok(None) => Piece::End(None),
            Err(limit) => Piece::End(Some(format!("nothing was heard for {} s", limit.as_secs()))),
        }
    }

    /// What is done when a stream has ended: well, or for a reason.
    fn behind(&mut self, end: Option<String>, life: Life) -> After {
        // Who ends again and again as soon as it has said something is not asked all the time.
        let may_knock = match life {
            Life::Empty => false,
            Life::Short => !std::mem::take(&mut self.has_knocked),
            Life::Long => true,
        };
        match end {
            None if self.address.is_bounded() => After::Over(Ended::Finished),
            // Everything was sent. Asked once more, the server says whether more will come.
            None if may_knock => {
                self.has_knocked = true;
                self.outage.begins_again(Instant::now());
                After::Again
            }
            end => After::Wait(end.unwrap_or_else(|| "the stream was closed".to_owned()), None),
        }
    }

    /// Waits before the next attempt.
    async fn wait(&mut self, why: String, named: Option<Duration>) -> Result<Option<Ended>, Broken> {
        let waited = self.outage.goes_on(Instant::now());
        let mut pause = named.unwrap_or_else(|| self.pauses.after_failure(chance()));
        if let Some(limit) = self.common.max_wait {
            let left = limit.saturating_sub(waited);
            if left.is_zero() {
                return Err(Broken::Unreachable { url: self.name.clone(), waited: waited.as_secs(), why });
            }
            pause = pause.min(left);
        }
        if let Some(what) = self.outage.tell() {
            let limit = if self.common.max_wait.is_some() { "" } else { " (--max-wait gives up)" };
            info!("{what}{}: {why}; trying again until it is there{limit}", self.of());
        }
        tokio::select! {
            biased;
            () = self.common.stop.cancelled() => Ok(Some(Ended::Stopped)),
            () = sleep(pause) => Ok(None),
        }
    }

    /// There is a stream.
    fn found(&mut self) {
        if let Some(waited) = self.outage.ends(Instant::now()) {
            info!("the stream{} is there, after {} s", self.of(), waited.as_secs());
        }
        let Some(why) = self.filtering.found() else { return };
        if !std::mem::replace(&mut self.is_filtering_told, true) {
            info!(
                "the server{} does not take the filter: {why}; all lines are read and filtered here, and --tail counts them before",
                self.of()
            );
        }
    }

    fn say(&self, notice: &Notice) {
        let server = if self.common.several == Several::Yes { format!("{}: ", self.name) } else { String::new() };
        match notice.weight {
            Weight::Warning => warn!("{server}{}", notice.line),
            Weight::News => info!("{server}{}", notice.line),
        }
    }

    /// Of which stream, where that is the question.
    fn of(&self) -> String {
        format!(" of {}", self.name)
    }
}

/// What was of a stream that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    /// It has brought nothing.
    Empty,
    /// It has brought something, and soon ended.
    Short,
    /// It lived for a while.
    Long,
}

/// What a stream gives next.
enum Piece {
    /// Bytes.
    Bytes(Bytes),
    /// Nothing yet, for so long that there is one.
    Settled,
    /// Its end, and why if it is not a good one.
    End(Option<String>),
    /// It is time to stop.
    Stop,
}

/// What is at the bottom of an error, which says more than what is above it.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(cause) = error.source() {
        error = cause;
    }
    chain(error)
}

/// From 0 to 1. Every new state has other keys; that is all the chance this needs.
fn chance() -> f64 {
    f64::from(u16::try_from(RandomState::new().build_hasher().finish() % 1000).unwrap_or(0)) / 1000.0
}

/// Why a server has no room, as it says in `busy`.
fn in_words(reason: Option<&str>) -> String {
    match reason {
        None | Some("clients") => "all places are taken".to_owned(),
        Some("filters") => "too many different filters are in use".to_owned(),
        Some("tail") => "too many clients look back".to_owned(),
        Some("ending") => "it is about to end".to_owned(),
        Some(other) => other.to_owned(),
    }
}
