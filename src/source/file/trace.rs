//! Bytes of a file by which it is known again: themselves, or what a stored position keeps of them.

use crate::source::naming::fnv1a;

/// Bytes that a file must have at a certain place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trace {
    /// They.
    Bytes(Vec<u8>),
    /// How many there are, and their checksum.
    Sum { count: usize, sum: u64 },
}

impl Trace {
    /// No bytes.
    pub const NONE: Self = Self::Bytes(Vec::new());

    /// Bytes that are known by their checksum alone.
    #[must_use]
    pub fn of_sum(count: usize, sum: u64) -> Self {
        if count == 0 { Self::NONE } else { Self::Sum { count, sum } }
    }

    /// How many bytes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Sum { count, .. } => *count,
        }
    }

    /// The checksum of the bytes; 0 for none.
    #[must_use]
    pub fn sum(&self) -> u64 {
        match self {
            Self::Bytes(bytes) if bytes.is_empty() => 0,
            Self::Bytes(bytes) => fnv1a(bytes),
            Self::Sum { sum, .. } => *sum,
        }
    }

    /// Whether these are the bytes.
    #[must_use]
    pub fn is(&self, bytes: &[u8]) -> bool {
        match self {
            Self::Bytes(own) => own == bytes,
            Self::Sum { count, sum } => bytes.len() == *count && fnv1a(bytes) == *sum,
        }
    }

    /// Whether they begin with these bytes, as far as that can be told: less than all of them have no checksum.
    #[must_use]
    pub fn begins_with(&self, bytes: &[u8]) -> bool {
        match self {
            Self::Bytes(own) => own.starts_with(bytes),
            Self::Sum { .. } => self.is(bytes),
        }
    }

    /// Whether one of them is not NUL.
    #[must_use]
    pub fn is_telling(&self) -> bool {
        match self {
            Self::Bytes(bytes) => bytes.iter().any(|byte| *byte != 0),
            Self::Sum { count, sum } => fnv1a(&vec![0; *count]) != *sum,
        }
    }

    /// Takes bytes that follow, and keeps the first `most`.
    pub fn extend_to(&mut self, bytes: &[u8], most: usize) {
        if let Self::Bytes(own) = self
            && own.len() < most
        {
            own.extend_from_slice(&bytes[..bytes.len().min(most - own.len())]);
        }
    }

    /// Takes bytes that follow, and keeps the last `most`.
    pub fn move_over(&mut self, bytes: &[u8], most: usize) {
        let bytes = &bytes[bytes.len().saturating_sub(most)..];
        match self {
            Self::Bytes(own) => {
                let surplus = (own.len() + bytes.len()).saturating_sub(most);
                own.drain(..surplus);
                own.extend_from_slice(bytes);
            }
            Self::Sum { .. } => *self = Self::Bytes(bytes.to_vec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn summed(trace: &Trace) -> Trace {
        Trace::of_sum(trace.len(), trace.sum())
    }

    #[test]
    fn nuls_and_nothing_tell_nothing() {
        for (bytes, tells) in [(&b""[..], false), (b"\0\0\0", false), (b"\0x\0", true)] {
            let trace = Trace::Bytes(bytes.to_vec());
            assert_eq!((trace.is_telling(), summed(&trace).is_telling()), (tells, tells), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn a_checksum_knows_its_bytes(pieces: Vec<Vec<u8>>, other: Vec<u8>) {
            let whole = pieces.concat();
            let (mut first, mut last) = (Trace::NONE, Trace::NONE);
            for piece in &pieces {
                first.extend_to(piece, 8);
                last.move_over(piece, 8);
            }
            let (head, tail) = (&whole[..whole.len().min(8)], &whole[whole.len().saturating_sub(8)..]);
            for (trace, bytes) in [(&first, head), (&last, tail)] {
                let sum = summed(trace);
                prop_assert!(trace.is(bytes) && sum.is(bytes) && trace.begins_with(bytes) && sum.begins_with(bytes));
                prop_assert_eq!(trace.is(&other), bytes == other);
                prop_assert_eq!(sum.is(&other), bytes == other);
                prop_assert_eq!(sum.sum(), trace.sum());
            }
        }
    }
}
