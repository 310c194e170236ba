//! The streams of clients that do not want all: from what their URL asks to where they begin.

use std::sync::Arc;
use std::time::Duration;

use hyper::{Request, Response, StatusCode};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::lookback::{FoundLately, Lookback, Placed};
use super::places::{Places, Taken};
use super::query::StreamQuery;
use super::refusal::{Full, busy, one_line};
use super::response::{Content, text};
use super::router::Site;
use super::sifting::Sifting;
use crate::channel::{Greeting, Subscriber, Tail};
use crate::sieve::{Recipe, Refusal, Sieve, SieveKey};

/// How long a client waits at most for where its stream begins.
const PATIENCE: Duration = Duration::from_secs(5);

/// What those share who look through events on threads of the runtime.
#[derive(Debug)]
pub struct Lookers {
    /// A place for those who look for where their streams begin and are quick.
    back: Arc<Places>,
    /// A place for those who do so and may take long: who is quick does not wait for one of their looks.
    far_back: Arc<Places>,
    /// Places for streams over HTTP/2 whose filters may take long.
    pub(super) live: Arc<Places>,
    /// What those who look back have found.
    pub found_lately: Arc<FoundLately>,
}

impl Default for Lookers {
    fn default() -> Self {
        Self { back: Places::new(1), far_back: Places::new(1), live: Places::new(1), found_lately: Arc::default() }
    }
}

impl Lookers {
    /// A place to look back.
    async fn take(&self, who: SieveKey) -> Option<Taken> {
        let places = if who.is_light { &self.back } else { &self.far_back };
        places.take(who).await
    }
}

impl Site {
    /// The sieve of a recipe, if there is one.
    pub(super) async fn sieve<B>(
        &self,
        request: &Request<B>,
        recipe: Option<Recipe>,
    ) -> Result<Option<Arc<Sieve>>, Response<Content>> {
        let Some(recipe) = recipe else { return Ok(None) };
        if let Some(sieve) = self.sieves.find(&recipe) {
            return Ok(Some(sieve));
        }
        // Expressions may take milliseconds to be made ready.
        let sieves = Arc::clone(&self.sieves);
        let made = tokio::task::spawn_blocking(move || sieves.get(&recipe)).await;
        match made {
            Ok(Ok(sieve)) => Ok(Some(sieve)),
            Ok(Err(Refusal::Bad(bad))) => Err(text(StatusCode::BAD_REQUEST, &one_line(&bad.to_string()))),
            Ok(Err(Refusal::Crowded(_))) => {
                self.metrics.refused_sieves.add(1);
                Err(busy(request, Full::Filters))
            }
            Err(_) => Err(busy(request, Full::Ending)),
        }
    }

    /// What a client asks for that does not want all, once it is known where that begins.
    pub(super) async fn place(&self, lookback: &Lookback, query: &StreamQuery) -> Result<Placed, Full> {
        let is_resumed = query.ask.last_event_id.is_some() && query.ask.before.is_none();
        match query.ask.tail {
            Some(Tail::Newest(count @ 1..)) if !is_resumed => self.search(lookback, query, count).await,
            _ => Ok(query.ask.clone().into()),
        }
    }

    /// Looks back, a page after the other, for as long as a client waits for that.
    async fn search(&self, lookback: &Lookback, query: &StreamQuery, count: u64) -> Result<Placed, Full> {
        let (until, key) = (Instant::now() + PATIENCE, lookback.sieve.key());
        let (mut search, mut is_more) = (lookback.begin(&query.ask, count), true);
        let mut taken = timeout_at(until, self.lookers.take(key)).await.ok().flatten();
        while let (Some(place), true) = (taken.take(), is_more) {
            let look = move |lookback: &Lookback, is_wanted: &dyn Fn() -> bool| {
                let mut search = search;
                let is_more = lookback.look_on(&mut search, &|| is_wanted() && Instant::now() < until).unwrap_or(false);
                (search, is_more, place, is_wanted())
            };
            let place;
            let is_wanted;
            (search, is_more, place, is_wanted) = self.elsewhere(lookback, look).await.ok_or(Full::Ending)?;
            if !is_wanted {
                return Err(Full::Ending);
            }
            if is_more {
                taken = timeout_at(until, place.again()).await.ok().flatten();
            }
        }
        if search.has_nothing() && Instant::now() >= until {
            return Err(Full::Tail);
        }
        let reach = query.context;
        let end = move |lookback: &Lookback, is_wanted: &dyn Fn() -> bool| lookback.end(search, reach, is_wanted).ok();
        self.elsewhere(lookback, end).await.flatten().ok_or(Full::Ending)
    }

    /// The way of a client that does not want all.
    pub(super) async fn sifting(
        &self,
        lookback: Lookback,
        query: &StreamQuery,
        subscriber: &Subscriber,
        greeting: &mut Greeting,
    ) -> Sifting {
        let id = query.ask.last_event_id.as_ref().filter(|_| query.ask.before.is_none());
        let event = id.filter(|id| id.channel.is_some() && query.context > 0 && *greeting == Greeting::None);
        let following = match event.map(|id| id.position.number) {
            None => 0,
            Some(number) => {
                let reach = query.context;
                self.following(&lookback, number, reach).await.unwrap_or(reach)
            }
        };
        if let Greeting::Gap(gap) = greeting {
            gap.lost = None; // nobody knows how many of them would have passed
        }
        Sifting::new(lookback.sieve, subscriber, greeting, id.is_some(), (query.context, following))
    }

    /// How many events behind the one that a client has are around a match before it; `None` if that could not be found out in time.
    async fn following(&self, lookback: &Lookback, number: u64, reach: usize) -> Option<usize> {
        let until = Instant::now() + PATIENCE;
        let place = timeout_at(until, self.lookers.take(lookback.sieve.key())).await.ok().flatten()?;
        let look = move |lookback: &Lookback, is_wanted: &dyn Fn() -> bool| {
            let _place = place;
            lookback.following(number, reach, &|| is_wanted() && Instant::now() < until).ok()
        };
        self.elsewhere(lookback, look).await.flatten()
    }

    /// Looks in a thread that may wait for the disk, for as long as somebody waits for the answer. `None` if the daemon ends.
    async fn elsewhere<T: Send + 'static>(
        &self,
        lookback: &Lookback,
        look: impl FnOnce(&Lookback, &dyn Fn() -> bool) -> T + Send + 'static,
    ) -> Option<T> {
        let (unwanted, ending, lookback) = (CancellationToken::new(), self.ending.now.clone(), lookback.clone());
        let _guard = unwanted.clone().drop_guard();
        let work = move || look(&lookback, &|| !unwanted.is_cancelled() && !ending.is_cancelled());
        tokio::task::spawn_blocking(work).await.ok()
    }
}
