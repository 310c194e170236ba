//! What survives, and who names events.
//!
//! Everything that is published is named here first: a [`Turn`] gives its events consecutive numbers and one arrival time,
//! encodes them, and is held until its batches are published. So there is one order of everything, and an id that a client has
//! seen never means another event.
//!
//! Today the only store is `memory`, which counts. A store on disk appends in [`Turn::commit`], before publication.

mod memory;

pub use memory::{Store, Turn};
