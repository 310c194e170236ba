//! Everything that the real binary promises.
