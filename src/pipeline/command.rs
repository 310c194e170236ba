//! The way of a command: a channel for each stream that it writes to, and in it a text for each run.
//!
//! ```text
//! run {state: started} ▸ lines ▸ run {state: exited, exit} ▸ run {state: started} ▸ ... ▸ end {exit}
//! ```
//!
//! Every channel of the command has these events, so that each tells the whole story by itself. Nothing of a run comes behind its `exited`, and its
//! unfinished line is an event before it. `end` follows the last run only, and none if the daemon stops: then the command would go on with it.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::{Outcome, Pipeline, Summary};
use crate::channel::{Condition, EndReason};
use crate::event::{Age, ChannelName};
use crate::source::command::{News, Runner, Step};

/// The data of a `run` event.
#[derive(Debug, Serialize)]
struct Run<'a> {
    channel: &'a ChannelName,
    #[serde(rename = "run")]
    number: u64,
    state: State,
    /// How it ended; null at the beginning.
    exit: Option<i32>,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Started,
    Exited,
}

/// Runs a command until its last run is over, or the daemon stops. There is a pipeline for each stream that it writes to.
///
/// # Errors
/// The kernel refuses to wait, or to read; the channels have ended all the same.
pub fn run(mut runner: Runner, mut streams: Vec<Pipeline>) -> io::Result<Outcome> {
    loop {
        let due = streams.iter().filter_map(Pipeline::due).min();
        let mut rest = None;
        let step = runner.step(due, &mut |news| rest = take(news, &mut streams));
        match step {
            Ok(Step::Again) => {}
            Ok(Step::Ended(exit)) => return Ok(Outcome::Exited(end(&mut streams, EndReason::Exited(exit.number())), exit)),
            Ok(Step::Failed(error)) => {
                end(&mut streams, EndReason::NotStarted(error.exit().number()));
                return Ok(Outcome::NotStarted(error.into()));
            }
            Ok(Step::Stopped) => {
                for stream in &mut streams {
                    stream.flush(None);
                }
                return Ok(Outcome::Stopped);
            }
            Err(error) => {
                end(&mut streams, EndReason::Error);
                return Err(error);
            }
        }
        let now = Instant::now();
        for stream in &mut streams {
            stream.do_what_is_due(now, |_| None);
        }
        if let Some(rest) = rest {
            thread::sleep(rest);
        }
    }
}

/// Takes what a command tells; how long it may rest before it is read again.
fn take(news: News<'_>, streams: &mut [Pipeline]) -> Option<Duration> {
    match news {
        News::Bytes { stream, bytes } => {
            let stream = streams.get_mut(stream)?;
            stream.push(bytes, Age::New, None);
            return stream.rest();
        }
        News::Started { run } => mark(streams, run, State::Started, None),
        News::Exited { run, exit } => mark(streams, run, State::Exited, Some(exit.number())),
        News::NotStarted(error) => {
            if let Some(stream) = streams.first() {
                stream.fittings.metrics.source_failures.add(1);
            }
            show(streams, &Condition::Failing(error.reason()));
        }
        News::Pausing { exit: Some(exit), pause } => {
            show(streams, &Condition::Waiting(format!("{exit}; starts again after {pause:?}")));
        }
        News::Pausing { exit: None, .. } => {}
    }
    None
}

fn mark(streams: &mut [Pipeline], run: u64, state: State, exit: Option<i32>) {
    for stream in &mut *streams {
        let channel = stream.channel.name().clone();
        stream.tell("run", &Run { channel: &channel, number: run, state, exit });
    }
    show(streams, &Condition::Open);
}

fn show(streams: &[Pipeline], condition: &Condition) {
    for stream in streams {
        stream.channel.set_condition(condition.clone());
    }
}

/// The command gives nothing more; what all of it gave.
fn end(streams: &mut [Pipeline], reason: EndReason) -> Summary {
    streams
        .iter_mut()
        .map(|stream| stream.end(reason))
        .fold(Summary::default(), |sum, one| Summary { bytes: sum.bytes + one.bytes, lines: sum.lines + one.lines })
}
