//! When many connections have left, their memory goes back to the kernel.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Fewer than this are no crowd.
const CROWD: usize = 64;

/// Counts connections, and streams that have tasks of their own.
pub struct Crowd {
    here: AtomicUsize,
    /// The most that there were at a time, since a crowd left last.
    most: AtomicUsize,
    /// Whether there are still some of a crowd that has left.
    is_rest: AtomicBool,
    /// What is done when one has left.
    has_left: fn(),
}

/// One of them, until it is dropped.
#[derive(Debug)]
pub struct Visitor(Arc<Crowd>);

impl Crowd {
    /// Nobody yet. `has_left` is called when only an eighth of a crowd is left, again of that eighth, and when nobody is left of it.
    #[must_use]
    pub fn new(has_left: fn()) -> Arc<Self> {
        Arc::new(Self { here: AtomicUsize::new(0), most: AtomicUsize::new(0), is_rest: AtomicBool::new(false), has_left })
    }

    /// One more.
    #[must_use]
    pub fn enter(self: &Arc<Self>) -> Visitor {
        let here = self.here.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(here, Ordering::Relaxed);
        Visitor(Arc::clone(self))
    }
}

impl Drop for Visitor {
    fn drop(&mut self) {
        let Crowd { here, most, is_rest, has_left } = &*self.0;
        let here = here.fetch_sub(1, Ordering::Relaxed) - 1;
        let was = most.load(Ordering::Relaxed);
        if (was >= CROWD && here <= was / 8) || (here == 0 && is_rest.load(Ordering::Relaxed)) {
            most.store(here, Ordering::Relaxed);
            is_rest.store(here > 0, Ordering::Relaxed);
            has_left();
        }
    }
}

impl fmt::Debug for Crowd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Crowd").field(&self.here).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static TIMES: AtomicUsize = AtomicUsize::new(0);

    #[test]
    fn it_has_left_when_few_are_left() {
        let crowd = Crowd::new(|| _ = TIMES.fetch_add(1, Ordering::Relaxed));
        let times = || TIMES.load(Ordering::Relaxed);
        drop((0..CROWD - 1).map(|_| crowd.enter()).collect::<Vec<_>>());
        assert_eq!(times(), 0, "they were too few");
        let mut visitors: Vec<_> = (0..CROWD * 8).map(|_| crowd.enter()).collect();
        visitors.truncate(CROWD + 1);
        assert_eq!(times(), 0);
        visitors.pop();
        assert_eq!(times(), 1);
        visitors.truncate(1);
        assert_eq!(times(), 2);
        drop(visitors);
        assert_eq!(times(), 3);
        drop(crowd.enter());
        assert_eq!(times(), 3, "that was none of them");
    }
}
