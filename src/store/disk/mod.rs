//! History on disk: the event stream itself, in files that `cat`, `grep` and `tail` work on.
//!
//! ```text
//! STATE/@life                                                   when the numbering began                     (life)
//! STATE/@synced                                                 how far everything is safe
//! STATE/web/access.log/1763660000123-00000000000000004821.sse   a segment: events from this one on           (layout)
//!
//!   id: 1763660000123-4821/web/access.log                       in it: events as clients are sent them       (record)
//!   data: GET / 200
//!
//!   := 1763660000123-4821 1 4101 52 new 9b1f0e5c POSITION       and the line that commits them
//! ```
//!
//! An [`archive::Archive`] has a [`log::Log`] for each channel, a log has segments, a segment has records. What is read at once from a source is
//! appended with the source's position behind it, in one write, before anybody sees it. A [`replay::Replay`] reads the events of several channels
//! back, in the order of their numbers.
//!
//! # What survives what
//! - The end of the process, at any instant: everything that was appended. What was being appended is there as a whole or not at all.
//! - The end of the power: everything up to `@synced`; behind it what the disk has got by itself, without anything that is not as it was written.
//! - Damage: all but the records that it lies in, at most two of them beside those that were read together with them. The file is kept as it was found.
//! - What is missing is known, and how much: each record says how many events the channel has had.
//!
//! # Invariants
//! Those of a segment stand in [`record`], those of a log in [`log`]. Over them:
//! - Every number is in one channel. What is not above `@synced` is on the disk or was let go.
//! - A number, once on the disk, is not given again, unless a power cut has taken it; then its time is another.
//! - A channel keeps its source's position for as long as it has anything.

pub mod archive;
pub mod layout;
pub mod life;
pub mod log;
mod mend;
pub mod record;
mod recovery;
pub mod replay;
pub mod segment;
#[cfg(test)]
mod tests;
pub mod volume;
