//! History on disk: the event stream itself, in files that `cat`, `grep` and `tail` work on.
//!
//! ```text
//! STATE/@life                                                   when the numbering began                     (life)
//! STATE/@synced                                                 how far everything is safe
//! STATE/@uncounted                                              how many numbers were given that no log tells of
//! STATE/@missing                                                how many events are known to be missing between others
//! STATE/@lock                                                   whose it is                                (lock)
//! STATE/web/access.log/1763660000123-00000000000000004821.sse   a segment: events from this one on           (layout)
//!
//!   id: 1763660000123-4821/web/access.log                       in it: events as clients are sent them       (record)
//!   data: GET / 200
//!
//!   := 1763660000123-4821 1 4101 52 new 9b1f0e5c POSITION       and the line that commits them
//! ```
//!
//! An [`archive::Archive`] has a [`log::Log`] for each channel, a log has segments, a segment has records. What is read at once from a source is
//! appended with the source's position behind it, in one write, before anybody sees it. A [`shelf::Shelf`] is what is held of some channels at one
//! moment: it answers questions without a lock, and a [`replay::Replay`] from it reads their events back, in the order of their numbers.
//!
//! What a channel does not hold any more are its [`hole::Hole`]s. Each event that is missing is in one of them, whatever the reason: it was let go
//! ([`retention`]), could not be written, was damaged ([`mend`]), or somebody has removed its file ([`archive::Archive::check`]).
//!
//! # Who calls what
//! - Under a lock, and never waiting for a disk to be synced: [`archive::Archive::append`] before anything is published, then
//!   [`archive::Archive::let_go`]; [`archive::Archive::check`] once a second; [`archive::Archive::mend`] for whatever could not be read.
//! - Without a lock: [`archive::sync`] and [`retention::remove`], and every question to a shelf.
//!
//! # What survives what
//! - The end of the process, at any instant: everything that was appended. What was being appended is there as a whole or not at all.
//! - The end of the power: everything up to `@synced`; behind it what the disk has got by itself, without anything that is not as it was written.
//! - Damage: all but the records that it lies in, at most two of them beside those that were read together with them. The file is kept as it was found.
//! - What is missing is known, and how much: each record says how many events the channel has had.
//!
//! # Invariants
//! Those of a segment stand in [`record`], those of a log in [`log`]. Over them:
//! - Every number is in one channel: in a segment or a hole of its log, or among the `@uncounted`. What is not above
//!   `@synced` is on the disk, was let go, or is in one of these.
//! - A number, once on the disk, is not given again, unless a power cut has taken it; then its time is another.
//! - A channel keeps its source's position until it is forgotten.

mod append;
pub mod archive;
pub mod book;
pub mod broken;
mod held;
pub mod hole;
pub mod inspect;
pub mod layout;
pub mod life;
pub mod lock;
pub mod log;
pub mod mend;
mod newest;
mod opening;
mod presence;
mod ranking;
pub mod record;
mod recovery;
pub mod replay;
pub mod retention;
mod seek;
pub mod segment;
pub mod shelf;
mod summed;
#[cfg(test)]
mod tests;
pub mod unsynced;
pub mod volume;
