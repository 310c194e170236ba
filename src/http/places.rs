//! Places for those who look through events on threads of the runtime: few, so that all of them together are no more than few threads' work, and given
//! to whoever has had least ([`Shares`]).
//!
//! A place is held for one look of a bounded size, and then given back or passed on.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::oneshot;

use super::shares::Shares;
use crate::sieve::SieveKey;

/// All places.
#[derive(Debug)]
pub struct Places(Mutex<State>);

#[derive(Debug)]
struct State {
    free: usize,
    /// Those who wait, and how a place comes to them.
    shares: Shares<oneshot::Sender<Taken>>,
}

/// A place that is taken. Given back on drop, and what it was held for is counted.
#[derive(Debug)]
pub struct Taken {
    places: Arc<Places>,
    who: SieveKey,
    since: Instant,
}

impl Places {
    /// So many places.
    #[must_use]
    pub fn new(count: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State { free: count, shares: Shares::default() })))
    }

    /// Takes a place for a sieve, when it is its turn.
    pub async fn take(self: &Arc<Self>, who: SieveKey) -> Option<Taken> {
        let (sender, receiver) = oneshot::channel();
        self.lock().shares.add(who, sender);
        self.give();
        receiver.await.ok()
    }

    /// Gives free places to those who wait.
    fn give(self: &Arc<Self>) {
        while let Some((who, sender)) = self.next() {
            // Whoever has gone meanwhile gives it back.
            drop(sender.send(Taken { places: Arc::clone(self), who, since: Instant::now() }));
        }
    }

    fn next(&self) -> Option<(SieveKey, oneshot::Sender<Taken>)> {
        let mut state = self.lock();
        while state.free > 0 {
            let (who, sender) = state.shares.next()?;
            if !sender.is_closed() {
                state.free -= 1;
                return Some((who, sender));
            }
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// Takes a place again for what has been begun: others who have had less go first, but nobody of the same sieve.
    pub async fn again(self) -> Option<Self> {
        let (sender, receiver) = oneshot::channel();
        self.places.lock().shares.add_first(self.who, sender);
        drop(self);
        receiver.await.ok()
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut state = self.places.lock();
        state.shares.charge(self.who, self.since.elapsed());
        state.free += 1;
        drop(state);
        self.places.give();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    fn sieve(number: u64) -> SieveKey {
        SieveKey { number, is_light: true }
    }

    fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    fn taken(places: &Arc<Places>, who: SieveKey) -> Taken {
        let mut take = pin!(places.take(who));
        let Poll::Ready(Some(taken)) = poll(take.as_mut()) else { panic!("there is no place") };
        taken
    }

    #[test]
    fn places_go_to_those_who_have_had_least_and_come_back() {
        let places = Places::new(1);
        let first = taken(&places, sieve(1));
        let (mut same, mut other) = (pin!(places.take(sieve(1))), pin!(places.take(sieve(2))));
        assert!(poll(same.as_mut()).is_pending() && poll(other.as_mut()).is_pending());
        {
            let mut gone = Box::pin(places.take(sieve(3)));
            assert!(poll(gone.as_mut()).is_pending());
        }
        std::thread::sleep(std::time::Duration::from_millis(1)); // so long it has had the place
        let mut again = pin!(first.again());
        assert!(poll(again.as_mut()).is_pending(), "who has had nothing goes first");
        let Poll::Ready(Some(second)) = poll(other.as_mut()) else { panic!("it has had less") };
        drop(second);
        assert!(poll(same.as_mut()).is_pending(), "what has been begun goes on before something else is begun");
        let Poll::Ready(Some(third)) = poll(again.as_mut()) else { panic!("it is next") };
        drop(third);
        assert!(poll(same.as_mut()).is_ready());
        assert_eq!(places.lock().free, 1, "nobody has kept one");
    }

    #[test]
    fn a_place_on_its_way_to_somebody_who_has_gone_comes_back() {
        let places = Places::new(1);
        let first = taken(&places, sieve(1));
        let mut gone = Box::pin(places.take(sieve(2)));
        assert!(poll(gone.as_mut()).is_pending());
        drop(first);
        assert_eq!(places.lock().free, 0);
        drop(gone);
        assert_eq!(places.lock().free, 1);
    }
}
