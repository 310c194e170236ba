//! What survives, and who names events.
//!
//! Everything that is published is named here first: a [`Turn`] gives its events consecutive numbers and one arrival time,
//! encodes them, and is held until its batches are published. So there is one order of everything, and an id that a client has
//! seen never means another event.
//!
//! Today the only store is `memory`, which counts. What a store on disk appends to, in [`Turn::commit`] and before publication, is [`disk`]; no
//! store uses it yet.

pub mod disk;
mod memory;

pub use memory::{Store, Turn};
