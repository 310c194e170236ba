//! `sse-bridge history DIR`: what a state directory holds, said to people or to programs.
//!
//! What is found goes out at once, the table at the end, because its columns are as wide as what stands in them. As JSON each line is an object of
//! its own, with a `type`: `finding`, `channel`, and `total` as the last.
//!
//! | code | when |
//! | --- | --- |
//! | 0 | nothing is damaged; something may be lost, or set aside by earlier repairs: that is how it is, and not how it was damaged |
//! | 1 | something is not as it was written, or missing and no start has dealt with that |
//! | 2 | it is no state directory, or one of a newer version |
//! | 75 | it, or something in it, cannot be read, or the answer not be written |

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;

use bytesize::ByteSize;
use jiff::Timestamp;
use serde::Serialize;

use crate::config::cli::History;
use crate::errno::reason;
use crate::event::{ChannelName, Position};
use crate::store::disk::inspect::{Depth, Finding, Holding, Inspection, NoState, Weight, What};
use crate::store::disk::volume::Kernel;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// There is nothing to tell of.
    #[error(transparent)]
    NoState(#[from] NoState),
    /// Nobody takes it.
    #[error("could not write to standard output")]
    Output(#[source] io::Error),
}

/// Tells what a state directory holds on standard output. A reader who has left is no error.
///
/// # Errors
/// There is nothing to tell of, or it could not be written.
pub fn run(asked: &History) -> Result<ExitCode, Failed> {
    let mut answer = Answer { out: io::stdout().lock(), is_json: asked.json, damaged: 0, unreadable: 0, error: None };
    tell(asked, &mut answer)?;
    match answer.error {
        Some(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failed::Output(error)),
        // Damage is certain.
        _ if answer.damaged > 0 => Ok(1.into()),
        _ if answer.unreadable > 0 => Ok(75.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}

fn tell(asked: &History, answer: &mut Answer<impl Write>) -> Result<(), NoState> {
    let depth = if asked.verify { Depth::Whole } else { Depth::Ends };
    let inspection = Inspection::begin(Arc::new(Kernel), &asked.directory, &mut |finding| answer.finding(&finding))?;
    let (mut rows, mut total) = (vec![TITLES.map(str::to_owned)], Holding::default());
    for name in inspection.channels() {
        let holding = inspection.look(name, depth, &mut |finding| answer.finding(&finding))?;
        total.events += holding.events;
        total.bytes += holding.bytes;
        total.segments += holding.segments;
        total.gone += holding.gone;
        total.lost += holding.lost;
        total.aside += holding.aside;
        total.unsafe_events += holding.unsafe_events;
        total.between += holding.between;
        if answer.is_json {
            answer.object(
                &Object::Channel { channel: name.as_str(), first: id(name, holding.first), last: id(name, holding.last) },
                &holding,
            );
        } else {
            rows.push(row(name.as_str(), &holding));
        }
        if answer.error.is_some() {
            return Ok(());
        }
    }
    if asked.verify && answer.unreadable == 0 {
        inspection.account(&total, &mut |finding| answer.finding(&finding));
    }
    let channels = inspection.channels().len();
    if answer.is_json {
        let Answer { damaged, unreadable, .. } = *answer;
        answer.object(&Object::Total { channels, damaged, unreadable }, &total);
        return Ok(());
    }
    rows.push(row("total", &total));
    answer.table(&rows);
    let all = if asked.verify { "every record was read" } else { "only the ends of files were read (--verify reads all)" };
    let found = match answer.damaged {
        0 => "no damage found".to_owned(),
        1 => "1 place is damaged".to_owned(),
        count => format!("{count} places are damaged"),
    };
    let unread =
        if answer.unreadable > 0 { format!(", but {} of its files could not be read", answer.unreadable) } else { String::new() };
    answer.line(&format!("{found}{unread}; {all}"));
    Ok(())
}

/// What goes out, and what has been found until now.
struct Answer<W> {
    out: W,
    is_json: bool,
    /// How many places are damaged, and how many files and directories could not be read.
    damaged: u64,
    unreadable: u64,
    /// Why nothing more can be written.
    error: Option<io::Error>,
}

impl<W: Write> Answer<W> {
    fn line(&mut self, line: &str) {
        if self.error.is_none() {
            self.error = writeln!(self.out, "{line}").and_then(|()| self.out.flush()).err();
        }
    }

    fn finding(&mut self, finding: &Finding) {
        let weight = finding.weight();
        self.damaged += u64::from(weight == Weight::Damage);
        self.unreadable += u64::from(weight == Weight::Unreadable);
        let file = finding.path.display().to_string();
        let what = match &finding.what {
            What::Unreadable(error) => format!("{}: {}", finding.what, reason(error)),
            what => what.to_string(),
        };
        let kind = match weight {
            Weight::Note => "note",
            Weight::Unreadable => "unreadable",
            Weight::Damage => "damage",
        };
        if self.is_json {
            let object = Object::Finding { kind, file: &file, offset: finding.offset, what: &what };
            self.line(&serde_json::to_string(&object).unwrap_or_default());
        } else {
            let at = finding.offset.map_or_else(String::new, |offset| format!("at byte {offset}: "));
            self.line(&format!("{kind}: {}: {at}{what}", shown(&file)));
        }
    }

    fn object(&mut self, what: &Object<'_>, holding: &Holding) {
        let line = Counted { what, counts: Counts::of(holding) };
        self.line(&serde_json::to_string(&line).unwrap_or_default());
    }

    /// Writes rows in columns: the first is of names, the others of figures.
    fn table(&mut self, rows: &[[String; COLUMNS]]) {
        let mut widths = [0; COLUMNS];
        for row in rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.len().max(*width);
            }
        }
        for row in rows {
            let cells = row.iter().zip(widths).enumerate().map(|(index, (cell, width))| match index {
                0 => format!("{cell:width$}"),
                _ => format!("  {cell:>width$}"),
            });
            let line: String = cells.collect();
            self.line(line.trim_end());
        }
    }
}

const COLUMNS: usize = 11;

const TITLES: [&str; COLUMNS] = ["CHANNEL", "EVENTS", "FIRST", "AT", "LAST", "AT", "SIZE", "SEGMENTS", "GONE", "LOST", "ASIDE"];

fn row(name: &str, holding: &Holding) -> [String; COLUMNS] {
    let id = |position: Option<Position>| position.map_or_else(|| "-".to_owned(), |position| position.to_string());
    let at = |position: Option<Position>| position.map_or_else(|| "-".to_owned(), time);
    [
        name.to_owned(),
        holding.events.to_string(),
        id(holding.first),
        at(holding.first),
        id(holding.last),
        at(holding.last),
        ByteSize(holding.bytes).to_string(),
        holding.segments.to_string(),
        holding.gone.to_string(),
        holding.lost.to_string(),
        holding.aside.to_string(),
    ]
}

/// A line for programs.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Object<'a> {
    Finding { kind: &'a str, file: &'a str, offset: Option<u64>, what: &'a str },
    Channel { channel: &'a str, first: Option<Id>, last: Option<Id> },
    Total { channels: usize, damaged: u64, unreadable: u64 },
}

/// What is said of one channel, or of all.
#[derive(Serialize)]
struct Counted<'a> {
    #[serde(flatten)]
    what: &'a Object<'a>,
    #[serde(flatten)]
    counts: Counts,
}

#[derive(Serialize)]
struct Counts {
    events: u64,
    bytes: u64,
    segments: u64,
    gone: u64,
    lost: u64,
    aside: u64,
}

impl Counts {
    fn of(holding: &Holding) -> Self {
        let Holding { events, bytes, segments, gone, lost, aside, .. } = *holding;
        Self { events, bytes, segments, gone, lost, aside }
    }
}

/// An event, and when it came.
#[derive(Serialize)]
struct Id {
    id: String,
    time: String,
}

fn id(channel: &ChannelName, position: Option<Position>) -> Option<Id> {
    position.map(|position| Id { id: format!("{position}/{channel}"), time: time(position) })
}

/// When an event came, in UTC by RFC 3339; a number of milliseconds where no calendar reaches.
fn time(position: Position) -> String {
    let timestamp = i64::try_from(position.time).ok().and_then(|time| Timestamp::from_millisecond(time).ok());
    timestamp.map_or_else(|| position.time.to_string(), |timestamp| format!("{timestamp:.3}"))
}

/// A path in one line: a name may have any byte in it.
fn shown(path: &str) -> String {
    path.chars().flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] }).collect()
}
