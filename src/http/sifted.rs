//! The streams of clients that do not want all: from what their URL asks to where they begin.

use std::sync::Arc;

use hyper::{Request, Response, StatusCode};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::lookback::{FoundLately, Lookback, MOST_AT_ONCE};
use super::places::Places;
use super::query::StreamQuery;
use super::refusal::one_line;
use super::response::{Content, text};
use super::router::{Site, busy};
use super::sifting::Sifting;
use crate::channel::{Ask, Greeting, Subscriber, Tail};
use crate::sieve::{Recipe, Refusal, Sieve};

/// What those share who look through events on threads of the runtime.
#[derive(Debug)]
pub struct Lookers {
    places: Semaphore,
    /// Places for streams over HTTP/2 whose filters may take long.
    pub(super) live: Arc<Places>,
    /// What they have found.
    pub found_lately: Arc<FoundLately>,
}

impl Default for Lookers {
    fn default() -> Self {
        Self { places: Semaphore::new(MOST_AT_ONCE), live: Places::new(1), found_lately: Arc::default() }
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
            Ok(Err(Refusal::Crowded(crowded))) => {
                self.metrics.refused_sieves.add(1);
                Err(busy(request, &crowded.to_string()))
            }
            Err(_) => Err(busy(request, "the server is about to end")),
        }
    }

    /// What a client asks for that does not want all, once it is known where that begins. `None` if the daemon ends meanwhile.
    pub(super) async fn place(&self, lookback: &Lookback, query: &StreamQuery) -> Option<Ask> {
        let is_resumed = query.ask.last_event_id.is_some() && query.ask.before.is_none();
        if is_resumed || !matches!(query.ask.tail, Some(Tail::Newest(_))) {
            return Some(query.ask.clone());
        }
        let (ask, reach) = (query.ask.clone(), query.context);
        self.look_back(lookback, move |lookback, is_wanted| lookback.place(&ask, reach, is_wanted).ok()).await
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
                let look =
                    move |lookback: &Lookback, is_wanted: &dyn Fn() -> bool| lookback.following(number, reach, is_wanted).ok();
                self.look_back(&lookback, look).await.unwrap_or(reach)
            }
        };
        if let Greeting::Gap(gap) = greeting {
            gap.lost = None; // nobody knows how many of them would have passed
        }
        Sifting::new(lookback.sieve, subscriber, greeting, id.is_some(), (query.context, following))
    }

    /// Looks back in a thread that may wait for the disk, for as long as somebody waits for the answer.
    async fn look_back<T: Send + 'static>(
        &self,
        lookback: &Lookback,
        look: impl FnOnce(&Lookback, &dyn Fn() -> bool) -> Option<T> + Send + 'static,
    ) -> Option<T> {
        let _place = self.lookers.places.acquire().await.ok()?;
        let (unwanted, ending, lookback) = (CancellationToken::new(), self.ending.now.clone(), lookback.clone());
        let _guard = unwanted.clone().drop_guard();
        let work = move || look(&lookback, &|| !unwanted.is_cancelled() && !ending.is_cancelled());
        tokio::task::spawn_blocking(work).await.ok().flatten()
    }
}
