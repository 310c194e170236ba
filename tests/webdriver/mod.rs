//! Real browsers, driven as a reader drives them: Chromium by its `DevTools` protocol, Firefox by `WebDriver` `BiDi`. Both speak
//! over a WebSocket of their own, so nothing stands between a test and its browser.
//!
//! A [`Browser`] has a profile of its own, no window, and asks for nothing that a page does not ask for; dropping it ends all
//! its processes. Commands go to its current tab: the one in front. Waiting happens inside the page: a script looks at it every
//! few milliseconds and answers as soon as it sees what it waits for.
//!
//! ```text
//! Browser ─▸ Engine: Chromium │ Firefox ─▸ Wire (commands, answers, events)
//!        └─▸ Processes (start, output, end)
//! ```

mod chromium;
mod engine;
mod firefox;
mod input;
mod keys;
pub(crate) mod processes;
pub(crate) mod proxy;
mod scripts;
mod wire;

use std::{
    fs,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

pub(crate) use engine::Point;
pub(crate) use keys::Modifier;

use chromium::Chromium;
use engine::Engine;
use firefox::Firefox;
use processes::Processes;

/// Makes a test for each browser of each of these functions, which take the [`Kind`] of browser.
macro_rules! in_each_browser {
    ($($name:ident)*) => {
        mod chromium {
            $(#[test] fn $name() { super::$name($crate::webdriver::Kind::Chromium); })*
        }
        mod firefox {
            $(#[test] fn $name() { super::$name($crate::webdriver::Kind::Firefox); })*
        }
    };
}
pub(crate) use in_each_browser;

/// How long a browser may take to start.
const START: Duration = Duration::from_secs(60);

/// The size of the page in a window of usual size.
const SIZE: (u32, u32) = (1100, 720);

/// Which browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Chromium,
    Firefox,
}

/// What the reader's system prefers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Theme {
    Dark,
    Light,
}

/// One tab of a browser, by its id.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Tab(String);

/// What a page holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Metrics {
    /// The bytes that its scripts hold, array buffers among them; those of workers are not counted.
    pub(crate) heap: u64,
    /// The nodes of its document, and those that scripts hold.
    pub(crate) nodes: u64,
    /// The listeners for events.
    pub(crate) listeners: u64,
}

/// One browser.
pub(crate) struct Browser {
    speaks: Speaks,
    state: Mutex<State>,
    pub(crate) processes: Processes,
}

/// The protocol that it speaks.
enum Speaks {
    Chromium(Chromium),
    Firefox(Firefox),
}

struct State {
    /// The tab in front.
    current: Tab,
    size: (u32, u32),
}

impl Browser {
    /// Starts a browser with one empty tab of usual size.
    pub(crate) fn start(kind: Kind) -> Self {
        // From here on a panic ends the processes, too.
        let (processes, speaks) = match kind {
            Kind::Chromium => {
                let processes = Processes::start(chromium::PROGRAM, chromium::arguments);
                let speaks = Speaks::Chromium(Chromium::connect(&processes, START, SIZE));
                (processes, speaks)
            }
            Kind::Firefox => {
                let processes = Processes::start(firefox::PROGRAM, firefox::arguments);
                let speaks = Speaks::Firefox(Firefox::connect(&processes, START, SIZE));
                (processes, speaks)
            }
        };
        let current = speaks.engine().tabs().remove(0);
        let browser = Self { speaks, state: Mutex::new(State { current: current.clone(), size: SIZE }), processes };
        browser.switch(&current); // which gives it focus and size
        browser
    }

    /// Opens a page in the current tab and waits until it is loaded.
    pub(crate) fn open(&self, url: &str) {
        self.engine().navigate(&self.current(), url);
    }

    /// Runs a script in every page that is opened from now on, before its own scripts, in all tabs.
    pub(crate) fn preload(&self, script: &str) {
        self.engine().preload(script);
    }

    /// Runs an expression in the only shared worker. Chromium only.
    pub(crate) fn run_in_worker(&self, expression: &str) {
        self.chromium("run a script in a worker").evaluate_in_worker(expression);
    }

    /// Gives the pages this size, those of other tabs at the latest when they come to the front.
    pub(crate) fn resize(&self, width: u32, height: u32) {
        self.state().size = (width, height);
        self.engine().resize(&self.current(), (width, height));
    }

    /// Makes the browser say that its reader prefers this theme.
    pub(crate) fn prefer(&self, theme: Theme) {
        self.engine().prefer(theme);
    }

    /// Takes the network away from all pages that are there, or gives it back: `navigator.onLine` and its events tell them, and
    /// new requests fail. Streams that are open go on: it takes a [proxy](proxy::Proxy) to cut them.
    pub(crate) fn offline(&self, is_offline: bool) {
        self.engine().offline(is_offline);
    }

    /// What the console has said since the last call, in all tabs: scripts, errors, and the browser's complaints of the page.
    pub(crate) fn console(&self) -> Vec<String> {
        self.engine().console(&self.current())
    }

    /// Keeps a picture of the page, as PNG.
    pub(crate) fn screenshot(&self, path: &Path) {
        let bytes = from_base64(&self.engine().picture(&self.current()));
        fs::create_dir_all(path.parent().expect("a picture has a directory")).expect("the directory can be made");
        fs::write(path, bytes).expect("the picture can be written");
    }

    /// Opens a page in a new tab, which comes to the front.
    pub(crate) fn new_tab(&self, url: &str) -> Tab {
        let tab = self.engine().create();
        self.state().current = tab.clone();
        self.open(url);
        tab
    }

    /// All tabs, in no order.
    pub(crate) fn tabs(&self) -> Vec<Tab> {
        self.engine().tabs()
    }

    /// The tab in front.
    pub(crate) fn current(&self) -> Tab {
        self.state().current.clone()
    }

    /// Brings a tab to the front.
    pub(crate) fn switch(&self, tab: &Tab) {
        self.engine().activate(tab);
        self.state().current = tab.clone();
    }

    /// Closes a tab; if it was in front, some other one is now.
    pub(crate) fn close(&self, tab: &Tab) {
        let other = self.tabs().into_iter().find(|other| other != tab).expect("the last tab stays open");
        if self.current() == *tab {
            self.switch(&other);
        }
        self.engine().close(tab);
    }

    /// Freezes a tab, as Chromium does to one that nobody has looked at for long: nothing runs in it. Chromium only.
    pub(crate) fn freeze(&self, tab: &Tab) {
        self.chromium("freeze a page").freeze(tab, true);
    }

    /// Lets a frozen tab go on. Chromium only.
    pub(crate) fn thaw(&self, tab: &Tab) {
        self.chromium("thaw a page").freeze(tab, false);
    }

    /// Makes the processor so many times slower for the page; 1 is its own speed. Chromium only.
    pub(crate) fn cpu_throttle(&self, rate: f64) {
        self.chromium("slow the processor").throttle(&self.current(), rate);
    }

    /// Makes the reader's only pointer a finger: what the page does of it, not what the mouse of the tests does. Chromium only.
    pub(crate) fn touch(&self) {
        self.chromium("have a finger").touch(&self.current());
    }

    /// What the page holds, once what it does not hold any more is thrown away. Chromium only.
    pub(crate) fn metrics(&self) -> Metrics {
        self.chromium("tell what a page holds").metrics(&self.current())
    }

    fn chromium(&self, what: &str) -> &Chromium {
        match &self.speaks {
            Speaks::Chromium(chromium) => chromium,
            Speaks::Firefox(_) => panic!("Firefox cannot {what}"),
        }
    }

    fn engine(&self) -> &dyn Engine {
        self.speaks.engine()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // One that ends by itself leaves fewer orphans; what is left after it ends with its processes.
        self.processes.farewell(|| self.engine().quit());
    }
}

impl Speaks {
    fn engine(&self) -> &dyn Engine {
        match self {
            Speaks::Chromium(chromium) => chromium,
            Speaks::Firefox(firefox) => firefox,
        }
    }
}

impl Theme {
    /// Its name in CSS.
    fn name(self) -> &'static str {
        match self {
            Theme::Dark => "dark",
            Theme::Light => "light",
        }
    }
}

fn from_base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut width) = (Vec::new(), 0_u32, 0);
    for value in text.bytes().filter_map(|byte| DIGITS.iter().position(|digit| *digit == byte)) {
        bits = (bits << 6) | u32::try_from(value).expect("a digit has six bits");
        width += 6;
        if width >= 8 {
            width -= 8;
            bytes.push(u8::try_from(bits >> width & 0xff).expect("a byte has eight bits"));
        }
    }
    bytes
}
