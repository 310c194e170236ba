//! What survives, and who names events.
//!
//! Everything that is published is named here first: a [`Turn`] gives its events consecutive numbers and one arrival time,
//! encodes them, and is held until its batches are published. So there is one order of everything, and an id that a client has
//! seen never means another event.
//!
//! Without a state directory a life is one run of the daemon. With one it is all runs: a turn appends what it has named to the [`History`] before it
//! gives it away, so that nothing that a client has seen is ever taken back.

mod condition;
pub mod disk;
mod history;
mod keeping;
mod naming;
#[cfg(test)]
mod tests;
mod trouble;

pub use condition::Condition;
pub use history::{Chore, Gone, History};
pub use keeping::{Keep, Sync};
#[cfg(test)]
pub use naming::Commit;
pub use naming::{Store, Turn};
