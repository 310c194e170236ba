//! One stream, followed through all its connections until it has ended for good, is refused, or it is time to stop.
//!
//! ```text
//!  ask ▸ read ▸ write         what comes is written before more is read
//!   ▲      │
//!   └ wait ┘                  whatever breaks: behind the last event that was taken
//! ```

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{self, HeaderName, HeaderValue};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::address::Address;
use super::answer::Verdict;
use super::block::Block;
use super::broken::Broken;
use super::notice::{Notice, Weight};
use super::outlet::{Outlet, Taken};
use super::pause::{self, Pauses};
use super::places::Places;
use super::reader::{Reader, Step};
use super::silence::Silence;
use super::token::Token;
use super::wire::{self, Answer, NoAnswer};
use crate::daemon::exit::chain;
use crate::sse::parse::Parser;

/// A stream that lived so long was one, whatever it brought.
const LIVED: Duration = Duration::from_secs(5);

/// What all streams share.
#[derive(Debug, Clone)]
pub struct Common {
    /// Where lines go.
    pub outlet: Outlet,
    /// What was taken of each stream, by name.
    pub places: Arc<Places>,
    /// It is time to stop.
    pub stop: CancellationToken,
    /// The token, if there is one.
    pub token: Option<Token>,
    /// How long there may be no stream.
    pub max_wait: Option<Duration>,
    /// The most bytes of an event.
    pub largest: usize,
    /// Whether messages say which stream they are about.
    pub several: Several,
}

/// Whether there are several streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Several {
    /// One.
    No,
    /// More.
    Yes,
}

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
    /// Since when there has been no stream.
    alone_since: Option<Instant>,
    /// Whether that has been told.
    is_told: bool,
    /// Whether there ever was one.
    was_there: bool,
    /// The last end was a good one, and the next attempt was made at once.
    has_knocked: bool,
}

impl Follower {
    /// Follows the stream at an address, whose events `reader` reads.
    #[must_use]
    pub fn new(address: Address, reader: Reader, common: Common) -> Self {
        let name = address.name();
        let pauses = Pauses::default();
        Self { address, name, reader, common, pauses, alone_since: None, is_told: false, was_there: false, has_knocked: false }
    }

    /// Follows it.
    pub async fn run(mut self) -> Result<Ended, Broken> {
        self.alone_since = Some(Instant::now());
        loop {
            match self.connection().await? {
                After::Over(ended) => return Ok(ended),
                After::Again => {}
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
            Err(error) if self.was_there => Ok(After::Wait(chain(&error), None)),
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
        Ok(wire::ask(&self.address, &fields).await)
    }

    /// What is done about an answer that is no stream.
    async fn judge(&mut self, answer: Answer) -> Result<After, Broken> {
        let (status, url) = (answer.status, self.name.clone());
        Ok(match answer.verdict.clone() {
            Verdict::Finished => After::Over(Ended::Finished),
            Verdict::Later(named) => {
                let line = answer.line().await;
                After::Wait(format!("it answers {status} {line}").trim_end().to_owned(), named.map(pause::named))
            }
            Verdict::Strange(kind) if self.was_there => After::Wait(format!("it answers with {kind} instead of a stream"), None),
            Verdict::Strange(kind) => return Err(Broken::Strange { url, why: format!("it answers with {kind}") }),
            Verdict::Stream | Verdict::Moved(_) | Verdict::Refused => {
                let why = format!("{status} {}", answer.line().await).trim_end().to_owned();
                return Err(Broken::Refused { url, why });
            }
        })
    }

    /// Reads a stream to its end, and has everything written.
    async fn read(&mut self, mut stream: Answer) -> Result<After, Broken> {
        let began = Instant::now();
        let mut parser = Parser::new(self.common.largest);
        let mut silence = Silence::default();
        let (mut is_found, mut has_brought, mut is_too_long) = (false, false, false);
        let end = loop {
            let piece = match self.piece(&mut stream, &silence).await {
                Piece::Stop => return Ok(After::Over(Ended::Stopped)),
                Piece::Bytes(piece) => piece,
                Piece::End(why) => break why,
            };
            silence.heard(&piece);
            parser.push(&piece, |event| self.reader.take(event));
            self.say_if_too_long(&parser, &mut is_too_long);
            let steps = self.reader.steps();
            let is_full = steps.iter().any(|step| matches!(step, Step::Busy(_)));
            if !is_full && !std::mem::replace(&mut is_found, true) {
                self.found();
            }
            for step in steps {
                has_brought = true;
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

    /// Does what an event asks for; gives a value if that is the end of the stream, which is so old `now`.
    async fn act(&mut self, step: Step, silence: &mut Silence, now: Duration) -> Result<Option<After>, Broken> {
        match step {
            Step::Write(block) => {
                silence.event();
                return Ok(self.write(block).await?.map(After::Over));
            }
            Step::Say(notice) => self.say(&notice),
            Step::Ping => silence.ping(now),
            Step::Stop(notice) => return Err(Broken::Gap(notice.line)),
            Step::Busy(retry) => return Ok(Some(After::Wait("all places are taken".to_owned(), retry.map(pause::named)))),
        }
        Ok(None)
    }

    /// The next piece of a stream.
    async fn piece(&self, stream: &mut Answer, silence: &Silence) -> Piece {
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
                self.alone_since = Some(Instant::now());
                After::Again
            }
            end => After::Wait(end.unwrap_or_else(|| "the stream was closed".to_owned()), None),
        }
    }

    /// Waits before the next attempt.
    async fn wait(&mut self, why: String, named: Option<Duration>) -> Result<Option<Ended>, Broken> {
        let since = *self.alone_since.get_or_insert_with(Instant::now);
        let mut pause = named.unwrap_or_else(|| self.pauses.after_failure(chance()));
        if let Some(limit) = self.common.max_wait {
            let left = limit.saturating_sub(since.elapsed());
            if left.is_zero() {
                return Err(Broken::Unreachable { url: self.name.clone(), waited: since.elapsed().as_secs(), why });
            }
            pause = pause.min(left);
        }
        if !std::mem::replace(&mut self.is_told, true) {
            let what = if self.was_there { "lost the stream" } else { "no stream yet" };
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
        let since = self.alone_since.take();
        if std::mem::take(&mut self.is_told) {
            let waited = since.map_or(0, |since| since.elapsed().as_secs());
            info!("the stream{} is there, after {waited} s", self.of());
        }
        self.was_there = true;
    }

    /// Has a block written; gives a value if that is the end.
    async fn write(&mut self, block: Block) -> Result<Option<Ended>, Broken> {
        let (block, taken) = self.common.outlet.put(block).await;
        let count = match &taken {
            Taken::All => block.bytes.len(),
            Taken::Stopped(count) | Taken::Gone(count) | Taken::Failed(count, _) => *count,
        };
        self.common.places.change(&self.name, |place| block.move_on(place, count));
        match taken {
            Taken::All => Ok(None),
            Taken::Stopped(_) => Ok(Some(Ended::Stopped)),
            Taken::Gone(_) => Err(Broken::Gone),
            Taken::Failed(_, error) => Err(Broken::Output(error)),
        }
    }

    fn say(&self, notice: &Notice) {
        let server = if self.common.several == Several::Yes { format!("{}: ", self.name) } else { String::new() };
        match notice.weight {
            Weight::Warning => warn!("{server}{}", notice.line),
            Weight::News => info!("{server}{}", notice.line),
        }
    }

    /// An event that never ends is told while it comes.
    fn say_if_too_long(&self, parser: &Parser, is_told: &mut bool) {
        let is_too_long = parser.held() > self.common.largest;
        if is_too_long && !*is_told {
            let largest = bytesize::ByteSize::b(self.common.largest as u64);
            warn!("an event{} is longer than {largest}, and is left out (--max-line)", self.of());
        }
        *is_told = is_too_long;
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
