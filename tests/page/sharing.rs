//! The ways in which the tabs of a browser share a connection, and what the daemon sees of it.

use serde_json::json;

use crate::harness::{Bridge, eventually};
use crate::scene::Page;
use crate::webdriver::proxy::Proxy;
use crate::webdriver::{Browser, Kind};

/// What a browser has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Shared workers.
    Worker,
    /// No shared workers, but locks and channels between tabs.
    Lock,
    /// Nothing.
    Alone,
}

/// Takes away what a page is not to have; its address says which.
const TAKE_AWAY: &str = "if (/lock|alone/.test(location.search)) delete globalThis.SharedWorker;
    if (/alone/.test(location.search)) {
        delete Navigator.prototype.locks;
        delete globalThis.BroadcastChannel;
    }";

/// Keeps the states that a page has been in, one behind the other, and whether it has come back out of the browser's cache.
const KEEP_STATES: &str = "window.states = [];
    addEventListener('pageshow', ({ persisted }) => (window.wasKept = persisted));
    new MutationObserver(() => {
        const { state } = document.documentElement.dataset;
        if (state !== states.at(-1)) states.push(state);
    }).observe(document, { attributes: true, attributeFilter: ['data-state'], childList: true, subtree: true });";

/// Moves the clock of a page, or of a worker, five minutes on.
pub const LATER: &str = "{ const now = Date.now; Date.now = () => now() + 300_000; }";

/// What stands where the life of a daemon ends and that of another one begins.
pub const GAP: &str = "[the daemon was started anew; lines may be missing here]";

impl Sharing {
    /// The address of a page that has this alone.
    pub fn url(self, page: &Page) -> String {
        let name = match self {
            Sharing::Worker => "",
            Sharing::Lock => "?lock",
            Sharing::Alone => "?alone",
        };
        format!("{}{name}", page.proxy.url())
    }
}

/// Starts a browser, and a proxy before a daemon; no page is open yet.
pub fn prepare(kind: Kind, bridge: Bridge) -> Page {
    let (proxy, browser) = (Proxy::start(bridge.port), Browser::start(kind));
    browser.preload(TAKE_AWAY);
    browser.preload(KEEP_STATES);
    Page { browser, proxy, bridge }
}

/// A page that is open and live.
pub fn open(kind: Kind, sharing: Sharing, bridge: Bridge) -> Page {
    let page = prepare(kind, bridge);
    page.browser.open(&sharing.url(&page));
    page.wait_for_state("live");
    page
}

/// A page before the daemon of a test.
pub fn page(kind: Kind, arguments: &[&str]) -> Page {
    open(kind, Sharing::Worker, Bridge::start(arguments))
}

/// The streams that the daemon serves, once they are so many.
#[track_caller]
pub fn wait_for_clients(bridge: &Bridge, count: u64) {
    eventually(&format!("{count} clients at the daemon"), || clients(bridge), |clients| *clients == count);
}

fn clients(bridge: &Bridge) -> u64 {
    bridge.metric("clients")
}

/// The states that the page has been in.
pub fn states(page: &Page) -> Vec<String> {
    crate::scene::strings(&page.value("states"))
}

/// What the page shows, without the times in a gap.
pub fn shown(page: &Page) -> Vec<String> {
    let rows = page.shown().into_iter();
    rows.map(|row| if row.starts_with(&GAP[..GAP.len() - 1]) { GAP.to_owned() } else { row }).collect()
}

/// Moves the clock on, for the page and for what holds its connection, as if the machine had slept.
pub fn sleep(page: &Page, sharing: Sharing) {
    page.browser.run(LATER, &json!([]));
    if sharing == Sharing::Worker {
        page.browser.run_in_worker(LATER);
    }
}
