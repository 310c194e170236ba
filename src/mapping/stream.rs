//! An event stream on the input is taken over: types and data stay, ids and times are our own.
//!
//! What the upstream says of itself is its own affair (`start`, `ping`, `busy`, `progress`, `end`), but for its `gap`: what is missing there is missing
//! here. Other types that the protocol keeps for itself come from somebody who does not know it; their events have none.

use serde::Deserialize;

use super::kind::check;
use super::{Beginning, Lane, Mapped, Mapping, Seam, Tally};
use crate::sse::parse::{LeftOut, Parser, Received};

/// What the upstream says of itself alone.
const OWN: [&[u8]; 5] = [b"start", b"ping", b"busy", b"progress", b"end"];

/// How large what the upstream says of itself may be, in bytes, however long a line may be here.
const CONTROL: usize = 64 << 10;

/// Reads an event stream.
#[derive(Debug)]
pub struct Takeover {
    parser: Parser,
    max_line: usize,
    /// Bytes of the source that are in events that have been given, or in none.
    clean: u64,
    /// Bytes of the source that have been taken.
    taken: u64,
    /// What was found odd since somebody asked.
    pub tally: Tally,
}

/// What was taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken<'a> {
    /// An event.
    Event(Mapped<'a>),
    /// The upstream misses events, this many if it knows; they would stand in these bytes.
    Gap {
        /// How many are missing.
        lost: Option<u64>,
        /// As in [`Mapped::bytes`].
        bytes: (u64, u64),
    },
}

/// What is of interest in the data of an upstream's gap.
#[derive(Deserialize)]
struct Gap {
    lost: Option<u64>,
}

impl Takeover {
    /// A reader of events of at most `max_line` bytes.
    #[must_use]
    pub fn new(max_line: usize) -> Self {
        Self { parser: Parser::new(max_line.max(CONTROL)), max_line, clean: 0, taken: 0, tally: Tally::default() }
    }

    /// Takes the next bytes, and gives what they finish.
    pub fn push(&mut self, mapping: &Mapping, bytes: &[u8], out: &mut dyn FnMut(Taken<'_>)) {
        let Self { parser, max_line, clean, taken, tally } = self;
        let before = *taken;
        *taken += bytes.len() as u64;
        parser.push_at(bytes, |received, read| {
            let end = before + read as u64;
            let bytes = (std::mem::replace(clean, end), end);
            tally.lines += 1;
            match received {
                Ok(Received { kind: b"gap", data, .. }) => {
                    let lost = serde_json::from_slice(data).map_or(None, |gap: Gap| gap.lost);
                    out(Taken::Gap { lost, bytes });
                }
                Err(LeftOut { kind: b"gap" }) => out(Taken::Gap { lost: None, bytes }),
                Ok(Received { kind, .. }) | Err(LeftOut { kind }) if OWN.contains(&kind) => {}
                Err(LeftOut { .. }) => {
                    tally.cut_events += 1;
                    out(Taken::Gap { lost: Some(1), bytes });
                }
                Ok(Received { kind, data, .. }) if kind.len() + data.len() > *max_line => {
                    tally.cut_events += 1;
                    out(Taken::Gap { lost: Some(1), bytes });
                }
                Ok(Received { kind, data, .. }) => {
                    let said = String::from_utf8_lossy(kind);
                    let is_good = kind.is_empty() || kind == b"message" || check(&said).is_ok();
                    tally.refused_types += u64::from(!is_good);
                    let usual = mapping.kind(&super::Kind::Usual);
                    let kind = if matches!(kind, b"" | b"message") { usual } else { is_good.then_some(&*said) };
                    let (lane, beginning, seam) = (Lane::Only, Beginning::OfLine, Seam::None);
                    out(Taken::Event(Mapped { kind, data, bytes, is_beside_next: false, lane, beginning, seam }));
                }
            }
        });
        self.clean = self.taken - self.parser.unfinished() as u64;
    }

    /// The text has ended. An event that has not ended with it is none, by the standard.
    pub fn end(&mut self) {
        if self.parser.is_inside_event() {
            self.tally.cut_events += 1;
        }
        self.parser = Parser::new(self.max_line.max(CONTROL));
        self.clean = self.taken;
    }

    /// How many bytes of the source have been taken and are in nothing that is held.
    #[must_use]
    pub fn clean(&self) -> u64 {
        self.clean
    }

    /// How many bytes of the source have been taken.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.taken
    }
}
