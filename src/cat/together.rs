//! All streams of a run: first what an earlier run has left half written is completed, then each is followed until it ends.
//!
//! Who is refused does not end the others; the exit code tells it when these have ended.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::address::Address;
use super::block::Block;
use super::broken::Broken;
use super::following::{Ended, Follower};
use super::outlet::{Outlet, Taken};
use super::place::Place;
use super::places::Places;
use super::plan::Plan;
use super::reader::{OnGap, Reader};
use super::saving::Store;
use super::shape::Shape;
use super::sieve::Sieve;
use super::token::Token;
use super::{End, Failed};
use crate::daemon::exit::chain;

/// What all streams share.
#[derive(Debug, Clone)]
pub struct Common {
    /// Where lines go.
    pub outlet: Outlet,
    /// What was taken of each stream, by name.
    pub places: Arc<Places>,
    /// It is time to stop.
    pub stop: CancellationToken,
    /// The token, if there is one.
    pub token: Option<Token>,
    /// How long there may be no stream.
    pub max_wait: Option<Duration>,
    /// The most bytes of an event.
    pub largest: usize,
    /// Whether messages say which stream they are about.
    pub several: Several,
}

/// Whether there are several streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Several {
    /// One.
    No,
    /// More.
    Yes,
}

impl Common {
    /// Has a block of the stream of this name written; gives a value if that is the end.
    ///
    /// # Errors
    /// It cannot be written, or nobody reads it.
    pub async fn write(&self, name: &str, block: Block) -> Result<Option<Ended>, Broken> {
        let (block, taken) = self.outlet.put(block).await;
        let count = match &taken {
            Taken::All => block.bytes.len(),
            Taken::Stopped(count) | Taken::Gone(count) | Taken::Failed(count, _) => *count,
        };
        self.places.change(name, |place| block.move_on(place, count));
        match taken {
            Taken::All => Ok(None),
            Taken::Stopped(_) => Ok(Some(Ended::Stopped)),
            Taken::Gone(_) => Err(Broken::Gone),
            Taken::Failed(_, error) => Err(Broken::Output(error)),
        }
    }
}

/// The streams of a run.
#[derive(Debug)]
pub struct Together {
    /// What is done, each with how it ended: without an address, what had to be done before.
    tasks: JoinSet<(Option<Address>, Result<Ended, Broken>)>,
    addresses: Vec<Address>,
    shape: Shape,
    sieve: Arc<Sieve>,
    on_gap: OnGap,
    common: Common,
    /// How many are followed.
    followed: usize,
    /// The exit code of those that are not any more.
    code: Option<u8>,
}

impl Together {
    /// Streams that go on from where they were left.
    #[must_use]
    pub fn new(plan: Plan, store: Option<&Store>, outlet: Outlet, stop: CancellationToken) -> Self {
        let place = |address: &Address| store.and_then(|store| store.place(&address.name())).unwrap_or_default();
        let mut begin: BTreeMap<String, Place> = store.map(Store::begun).unwrap_or_default();
        begin.extend(plan.addresses.iter().map(|address| (address.name(), place(address))));
        let several = if plan.addresses.len() > 1 { Several::Yes } else { Several::No };
        let common = Common {
            outlet,
            places: Arc::new(Places::new(begin)),
            stop,
            token: plan.token,
            max_wait: plan.max_wait,
            largest: plan.largest,
            several,
        };
        let (addresses, shape, sieve, on_gap) = (plan.addresses, plan.shape, Arc::new(plan.sieve), plan.on_gap);
        Self { tasks: JoinSet::new(), addresses, shape, sieve, on_gap, common, followed: 0, code: None }
    }

    /// What was taken of them.
    #[must_use]
    pub fn places(&self) -> &Arc<Places> {
        &self.common.places
    }

    /// Begins. The rest comes with [`ended`](Self::ended).
    pub fn begin(&mut self) {
        let common = self.common.clone();
        self.tasks.spawn(async move { (None, complete(&common).await) });
    }

    /// Waits until all have ended, or something ends them. Whoever stops to wait may come back.
    pub async fn ended(&mut self) -> End {
        while let Some(done) = self.tasks.join_next().await {
            match done {
                Ok((None, Ok(Ended::Finished))) => self.follow(),
                Ok((None, Ok(Ended::Stopped))) => {}
                Ok((_, Err(Broken::Gone))) => return End::Gone,
                Ok((Some(address), ended)) => {
                    self.followed -= 1;
                    if let Some(end) = self.without(&address, ended) {
                        return end;
                    }
                }
                Ok((None, Err(broken))) => return End::Broken(broken.into()),
                Err(_) => return End::Broken(Failed::Panicked),
            }
        }
        End::Streams
    }

    /// Waits until nothing is done any more: it was stopped, or has ended.
    pub async fn join(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }

    /// The exit code of streams that were given up while others were followed: that of a refusal before that of one that could not be reached.
    #[must_use]
    pub fn code(&self) -> Option<u8> {
        self.code
    }

    fn follow(&mut self) {
        for address in self.addresses.clone() {
            let server = (self.common.several == Several::Yes).then(|| address.authority.clone());
            let place = self.common.places.get(&address.name());
            let sieve = if address.asks_for_more() { Arc::default() } else { Arc::clone(&self.sieve) };
            let reader = Reader::new(self.shape, server, sieve, self.on_gap, &place);
            let follower = Follower::new(address.clone(), reader, self.common.clone());
            self.tasks.spawn(async { (Some(address), follower.run().await) });
            self.followed += 1;
        }
    }

    /// One has ended; gives a value if that ends all.
    fn without(&mut self, address: &Address, ended: Result<Ended, Broken>) -> Option<End> {
        let is_one_of_several = self.common.several == Several::Yes;
        match ended {
            Ok(_) if is_one_of_several => info!("{} has ended", address.name()),
            Ok(_) => {}
            Err(broken) if is_one_of_several && broken.is_of_one_stream() => {
                let others = if self.followed > 0 { "; the others are followed on" } else { "" };
                let hint = broken.hint().map(|hint| format!("; hint: {hint}")).unwrap_or_default();
                error!("{}{others}{hint}", chain(&broken));
                self.code = Some(self.code.unwrap_or(u8::MAX).min(broken.code()));
            }
            Err(broken) => return Some(End::Broken(broken.into())),
        }
        None
    }
}

/// Writes what an earlier run has left of events of which it had written a part, whoever is asked for now: a line is completed before another begins.
async fn complete(common: &Common) -> Result<Ended, Broken> {
    for (name, place) in common.places.all() {
        if let Some(part) = place.part
            && let Some(ended) = common.write(&name, Block::rest_of(&part)).await?
        {
            return Ok(ended);
        }
    }
    Ok(Ended::Finished)
}
