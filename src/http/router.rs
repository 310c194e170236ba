//! The table of all URLs, and the gate before it.
//!
//! | path | what | gate |
//! | --- | --- | --- |
//! | `/` `/viewer/HASH/...` | the page, and what it loads | Host |
//! | `/sse-bridge.js` `/sse-bridge.d.ts` | a module for pages of others | Host |
//! | `/events` `/events/NAME` | everything; a channel and all below it | Host, origin |
//! | `/channels` `/metrics` | what there is, for people and monitors | Host, origin |
//! | `/healthz` `/readyz` | liveness and readiness | none |
//!
//! Anything but 200 ends an `EventSource` for good, in every browser, on the first connection and on every later one. So what
//! time can cure (a full house) is a stream with a `busy` event, and only what it cannot is an error.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Version};
use tracing::warn;

use super::archived::Archivist;
use super::client::{self, Client, Ending};
use super::host::BadHost;
use super::lookback::Lookback;
use super::origin::{Access, remedy};
use super::prometheus::Seen;
use super::query::{self, BadQuery, Format, Heartbeat, StreamQuery};
use super::refusal::{Full, busy, preflight, refuse, refuse_bodies, refuse_long_targets, with_allow};
use super::response::{self, Content, closing, empty, text};
use super::rules::House;
use super::sifted::Lookers;
use super::sifting::Sifting;
use super::slots::{Slot, Slots};
use super::{prometheus, status, viewer};
use crate::channel::{Answers, Ask, Channels, Filter, Greeting, Status, Subscriber, Subscription};
use crate::clock::now;
use crate::event::Millis;
use crate::metrics::Metrics;
use crate::sieve::Sieves;
use crate::store::Condition;

use crate::sse;

/// A script that asked for pings waits for them, however rare comments are.
const PING: Duration = Duration::from_secs(15);

/// How many foreign hosts and origins are told in the log: each once, and no more than a person would read.
const MAX_TOLD: usize = 100;

/// What the server needs to answer.
#[derive(Debug)]
pub struct Site {
    /// What streams are made of.
    pub channels: Channels,
    /// What reads the disk, if there is one.
    pub archivist: Option<Archivist>,
    /// Places for clients.
    pub slots: Arc<Slots>,
    /// What clients do not want of their views.
    pub sieves: Arc<Sieves>,
    /// Places for those who look back.
    pub lookers: Lookers,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// When the daemon started.
    pub started: Millis,
    /// What can change while it runs.
    pub house: House,
    /// How streams end.
    pub ending: Ending,
    /// What has been told once.
    pub told: Told,
}

/// Hosts and origins whose refusal is in the log.
#[derive(Debug, Default)]
pub struct Told(Mutex<HashSet<String>>);

impl Told {
    /// Whether this is the first time; after [`MAX_TOLD`] different ones nothing is.
    fn is_first(&self, what: &str) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.len() < MAX_TOLD && told.insert(what.to_owned())
    }
}

/// Where a request goes.
enum Endpoint<'a> {
    Page,
    Asset(&'a str),
    Module,
    Types,
    Events(Option<&'a str>),
    Channels,
    Metrics,
    Healthz,
    Readyz,
}

impl<'a> Endpoint<'a> {
    fn of(path: &'a str) -> Option<Self> {
        Some(match path {
            "/" => Self::Page,
            "/sse-bridge.js" => Self::Module,
            "/sse-bridge.d.ts" => Self::Types,
            "/events" => Self::Events(None),
            "/channels" => Self::Channels,
            "/metrics" => Self::Metrics,
            "/healthz" => Self::Healthz,
            "/readyz" => Self::Readyz,
            _ => match (path.strip_prefix("/events/"), path.strip_prefix("/viewer/")) {
                (Some(name), _) => Self::Events(Some(name)),
                (_, Some(asset)) => Self::Asset(asset),
                _ => return None,
            },
        })
    }

    /// Whether it names nothing and is asked by address, by orchestrators.
    fn is_health(&self) -> bool {
        matches!(self, Self::Healthz | Self::Readyz)
    }

    /// Whether pages of other origins must not read it.
    fn is_data(&self) -> bool {
        matches!(self, Self::Events(_) | Self::Channels | Self::Metrics)
    }
}

impl Site {
    /// Answers a request.
    pub async fn answer<B>(&self, request: &Request<B>) -> Response<Content> {
        self.metrics.requests.add(1);
        let mut response = self.answer_plainly(request).await.unwrap_or_else(|refusal| {
            self.count_refusal(refusal.status());
            refusal
        });
        if request.version() <= Version::HTTP_10 {
            // hyper would promise to keep a connection alive whose end is the end of the body.
            response = closing(response);
            *response.version_mut() = Version::HTTP_10;
        }
        response
    }

    /// Refusals of other statuses are counted where it is known why.
    fn count_refusal(&self, status: StatusCode) {
        let counter = match status {
            StatusCode::NOT_FOUND => &self.metrics.refused_unknown,
            StatusCode::BAD_REQUEST => &self.metrics.refused_malformed,
            StatusCode::METHOD_NOT_ALLOWED => &self.metrics.refused_method,
            StatusCode::PAYLOAD_TOO_LARGE | StatusCode::URI_TOO_LONG => &self.metrics.refused_large,
            _ => return,
        };
        counter.add(1);
    }

    async fn answer_plainly<B>(&self, request: &Request<B>) -> Result<Response<Content>, Response<Content>> {
        refuse_long_targets(request)?;
        let endpoint = Endpoint::of(request.uri().path());
        if !endpoint.as_ref().is_some_and(Endpoint::is_health) {
            self.check_host(request)?;
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
            return Err(with_allow(closing(text(StatusCode::METHOD_NOT_ALLOWED, "only GET, HEAD and OPTIONS are answered"))));
        }
        refuse_bodies(request)?;
        if request.method() == Method::OPTIONS && request.uri().path() == "*" {
            return Ok(with_allow(empty(StatusCode::NO_CONTENT)));
        }
        let endpoint = endpoint.ok_or_else(|| text(StatusCode::NOT_FOUND, "no such page; try / or /events"))?;
        let access = if endpoint.is_data() { self.check_origin(request)? } else { Access::Own };
        let response = match *request.method() {
            Method::OPTIONS => Ok(preflight(request, &access)),
            _ => self.serve(&endpoint, request).await,
        };
        // Also an error must be readable by a page that may read the answer.
        let dress = |response| if endpoint.is_data() { self.with_cors(response, &access) } else { response };
        response.map(dress).map_err(dress)
    }

    async fn serve<B>(&self, endpoint: &Endpoint<'_>, request: &Request<B>) -> Result<Response<Content>, Response<Content>> {
        Ok(match endpoint {
            Endpoint::Page => viewer::page(&self.house.rules().title),
            Endpoint::Asset(path) => viewer::asset(path, request.headers()),
            Endpoint::Module => viewer::module(request.headers()),
            Endpoint::Types => viewer::types(request.headers()),
            Endpoint::Events(name) => return self.stream(*name, request).await,
            Endpoint::Channels => status::channels(&self.status(), self.stored().as_ref()),
            Endpoint::Metrics => prometheus::answer(&Seen {
                metrics: &self.metrics,
                started: self.started,
                clients: self.slots.used(),
                max_clients: self.slots.limit(),
                filters: self.sieves.count(),
                status: &self.channels.status(),
                stored: self.stored().as_ref(),
            }),
            Endpoint::Healthz => status::healthz(),
            Endpoint::Readyz => status::readyz(request.uri().query(), &self.channels.status(), self.stored().as_ref()),
        })
    }

    /// What is on the disk, if there is one.
    fn stored(&self) -> Option<Condition> {
        self.archivist.as_ref().map(|archivist| archivist.history.condition())
    }

    /// What there is, in memory and on the disk.
    fn status(&self) -> Status {
        let mut status = self.channels.status();
        if let Some(archivist) = &self.archivist {
            archivist.complete(&mut status);
        }
        status
    }

    fn check_host<B>(&self, request: &Request<B>) -> Result<(), Response<Content>> {
        match self.house.rules().hosts.check(request) {
            Ok(()) => Ok(()),
            Err(BadHost::Malformed) => {
                Err(closing(text(StatusCode::BAD_REQUEST, "a request needs one Host header that agrees with its target")))
            }
            Err(BadHost::Foreign(host)) => {
                self.metrics.refused_host.add(1);
                if self.told.is_first(&host) {
                    warn!("refused a request for the host {host:?}; if that is a name of this machine: --allow-host {host}");
                }
                let line =
                    format!("this server does not answer for the host '{host}'; start it with --allow-host {host} if it should");
                Err(text(StatusCode::MISDIRECTED_REQUEST, &line))
            }
        }
    }

    fn check_origin<B>(&self, request: &Request<B>) -> Result<Access, Response<Content>> {
        match self.house.rules().origins.judge(request) {
            Access::Refused(origin) => {
                self.metrics.refused_origin.add(1);
                if self.told.is_first(&origin) {
                    let remedy = remedy(&origin).map(|remedy| format!("; if it should read the streams: {remedy}"));
                    warn!("refused a page of {origin:?}{}", remedy.unwrap_or_default());
                }
                Err(text(StatusCode::FORBIDDEN, "pages of other origins may not read this; --cors-origin ORIGIN allows it"))
            }
            access => Ok(access),
        }
    }

    fn with_cors(&self, mut response: Response<Content>, access: &Access) -> Response<Content> {
        let headers = response.headers_mut();
        if !self.house.rules().origins.is_empty() {
            headers.append(header::VARY, HeaderValue::from_static("Origin"));
            headers.insert("cross-origin-resource-policy", HeaderValue::from_static("cross-origin"));
        }
        if let Access::Allowed(origin) = access
            && let Ok(origin) = HeaderValue::from_str(origin)
        {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        }
        response
    }

    /// `/events` and everything below it.
    async fn stream<B>(&self, path: Option<&str>, request: &Request<B>) -> Result<Response<Content>, Response<Content>> {
        let now = now();
        let query = query::read(path, request.uri().query(), request.headers(), self.house.rules().tail, now)
            .map_err(|bad| refuse(&bad))?;
        if let Some(unknown) = query.names.iter().find(|name| !self.channels.knows(name)) {
            return Err(refuse(&BadQuery::Name(unknown.to_string())));
        }
        if request.method() == Method::HEAD {
            self.sieve(request, query.recipe).await?;
            return Ok(stream_head(query.format));
        }
        // The place comes first, so that who waits outside costs nothing else.
        let Some(slot) = self.slots.take() else {
            self.metrics.refused_busy.add(1);
            return Ok(busy(request, Full::Clients));
        };
        let mut query = query;
        let lookback = self.sieve(request, query.recipe.take()).await?.map(|sieve| Lookback {
            channels: self.channels.clone(),
            archivist: self.archivist.clone(),
            filter: query.filter.clone(),
            sieve,
            now,
            found_lately: Arc::clone(&self.lookers.found_lately),
        });
        let over = || empty(StatusCode::NO_CONTENT);
        let mut ended_at = None;
        if let Some(lookback) = &lookback {
            let placed = self.place(lookback, &query).await.map_err(|why| busy(request, why))?;
            (query.ask, ended_at) = (placed.ask, placed.ended_at);
        }
        let (subscriber, mut greeting) = self.subscribe(&query.filter, &query.ask, now).await.ok_or_else(over)?;
        self.metrics.streams.add(1);
        let sifting = match lookback {
            None => None,
            Some(lookback) => Some(Box::new(self.sifting(lookback, &query, &subscriber, &mut greeting).await)),
        };
        let mut response = self.open(&query, (subscriber, greeting), sifting, slot);
        if let Some(place) = ended_at.and_then(|place| HeaderValue::from_str(&place.to_string()).ok()) {
            response.headers_mut().insert("sse-bridge-tail", place);
        }
        Ok(response)
    }

    /// Subscribes to a view, and asks the disk for what has to be known before. `None` if the client has everything and nothing more will ever come.
    async fn subscribe(&self, filter: &Filter, ask: &Ask, now: Millis) -> Option<(Subscriber, Greeting)> {
        let mut answers = Answers::default();
        loop {
            let question = match self.channels.subscribe(filter, ask, now, &answers) {
                Subscription::Stream(subscriber, greeting) => return Some((subscriber, greeting)),
                Subscription::Over => return None,
                Subscription::Unknown(question) => question,
            };
            let (archivist, filter) = (self.archivist.clone()?, filter.clone());
            let ask_disk = move || {
                archivist.answer(question, &filter, &mut answers);
                answers
            };
            answers = tokio::task::spawn_blocking(ask_disk).await.ok()?;
        }
    }

    fn open(
        &self,
        query: &StreamQuery,
        (subscriber, greeting): (Subscriber, Greeting),
        sifting: Option<Box<Sifting>>,
        slot: Slot,
    ) -> Response<Content> {
        let mut head = stream_head(query.format);
        if let (Format::Text, Greeting::Gap(gap)) = (query.format, &greeting) {
            // Lines alone cannot say it.
            client::count(gap, &self.metrics);
            let gap = HeaderValue::from_bytes(&sse::json(gap)).expect("JSON of names, ids and numbers is printable ASCII");
            head.headers_mut().insert("sse-bridge-gap", gap);
        }
        let rules = self.house.rules();
        let mut client = Client {
            subscriber,
            format: query.format,
            heartbeat: query.heartbeat,
            silence: match query.heartbeat {
                Heartbeat::Comment => rules.heartbeat,
                Heartbeat::Ping => rules.heartbeat.min(PING),
            },
            slot,
            said: Vec::new(),
            sifting,
        };
        client.greet(&greeting, millis(rules.retry), &self.metrics);
        *head.body_mut() = Content::Stream(Box::new(client));
        head
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The head of a stream: nobody on the way may keep, change or collect it.
pub(super) fn stream_head(format: Format) -> Response<Content> {
    let kind = match format {
        // Bare: some proxies decide about buffering by comparing exactly this.
        Format::EventStream => "text/event-stream",
        Format::Text => "text/plain; charset=utf-8",
        Format::Ndjson => "application/x-ndjson",
    };
    let mut head = response::content(StatusCode::OK, kind, "");
    head.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    head.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept"));
    head
}
