//! What the bytes of one read have become, in one piece of memory: the turn in which it is named is kept short.

use std::ops::Range;

use crate::event::Event;

/// Memory that is kept from one read to the next, in bytes.
const KEPT: usize = 1 << 20;

/// Events and gaps in their order.
#[derive(Debug, Default)]
pub struct Made {
    text: Vec<u8>,
    items: Vec<Stored>,
}

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item<'a> {
    /// An event.
    Event(Event<'a>),
    /// The rate limit has left out so many here.
    LimitGap {
        /// How many.
        lost: u64,
    },
    /// The upstream misses events here.
    UpstreamGap {
        /// How many, if it knows.
        lost: Option<u64>,
    },
}

#[derive(Debug)]
enum Stored {
    Event { kind: Option<Range<usize>>, data: Range<usize> },
    LimitGap { lost: u64 },
    UpstreamGap { lost: Option<u64> },
}

impl Made {
    /// Adds an event.
    pub fn add_event(&mut self, kind: Option<&str>, data: &[u8]) {
        let kind = kind.map(|kind| self.keep(kind.as_bytes()));
        let data = self.keep(data);
        self.items.push(Stored::Event { kind, data });
    }

    /// Adds anything.
    pub fn add(&mut self, item: Item<'_>) {
        match item {
            Item::Event(Event { kind, data }) => self.add_event(kind, data),
            Item::LimitGap { lost } => self.items.push(Stored::LimitGap { lost }),
            Item::UpstreamGap { lost } => self.items.push(Stored::UpstreamGap { lost }),
        }
    }

    fn keep(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.text.len();
        self.text.extend_from_slice(bytes);
        start..self.text.len()
    }

    /// Gives all of it, in order, and is empty then.
    pub fn drain(&mut self, mut give: impl FnMut(Item<'_>)) {
        for item in self.items.drain(..) {
            give(match item {
                Stored::Event { kind, data } => {
                    let kind = kind.and_then(|kind| std::str::from_utf8(&self.text[kind]).ok());
                    Item::Event(Event { kind, data: &self.text[data] })
                }
                Stored::LimitGap { lost } => Item::LimitGap { lost },
                Stored::UpstreamGap { lost } => Item::UpstreamGap { lost },
            });
        }
        self.text.clear();
        self.text.shrink_to(KEPT);
        self.items.shrink_to(KEPT / 64);
    }
}
