//! Chromium, by its own `DevTools` protocol, without a driver.
//!
//! Each tab has a session, which is attached when it is first needed. What holds for all tabs (size, theme) is kept here and
//! given to every new session. The Network domain is left alone until somebody wants to be offline: while it is on, the browser
//! reports every piece of every stream and keeps a copy, and figures taken from the page are no longer those of a reader.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    Metrics, Tab, Theme,
    engine::{Engine, Fault, Mouse, Point},
    keys::{Key, Modifier},
    processes::Processes,
    wire::{ANSWER, Event, Wire},
};

/// Its program.
pub(super) const PROGRAM: &str = "chromium";

/// What stands before its address in its output.
pub(super) const MARK: &str = "DevTools listening on ";

/// The events that are kept: those of the console, and the end of loading.
const KEPT: [&str; 4] = ["Log.entryAdded", "Page.lifecycleEvent", "Runtime.consoleAPICalled", "Runtime.exceptionThrown"];

/// A profile of its own, no window, and no connection that a page did not ask for.
const FLAGS: [&str; 20] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-client-side-phishing-detection",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE ::1, EXCLUDE localhost, EXCLUDE *.localhost",
    "--metrics-recording-only",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-proxy-server",
    "--password-store=basic",
    "--remote-debugging-port=0",
];

/// A running Chromium.
pub(super) struct Chromium {
    wire: Wire,
    /// The sessions of the tabs and workers, by the ids of their targets.
    sessions: Mutex<HashMap<String, String>>,
    looks: Mutex<Looks>,
    /// What runs in every page before its own scripts.
    preloads: Mutex<Vec<String>>,
}

/// How all tabs look.
#[derive(Clone, Copy, Debug)]
struct Looks {
    size: (u32, u32),
    theme: Option<Theme>,
}

/// The arguments of the program.
pub(super) fn arguments(home: &Path) -> Vec<String> {
    let profile = format!("--user-data-dir={}", home.join("profile").display());
    FLAGS.iter().map(|&flag| flag.to_owned()).chain([profile, "about:blank".to_owned()]).collect()
}

impl Chromium {
    /// Connects to the program once it has said its address.
    pub(super) fn connect(processes: &Processes, patience: Duration, size: (u32, u32)) -> Self {
        let wire = Wire::connect(&processes.wait_for(MARK, patience), &KEPT);
        let looks = Mutex::new(Looks { size, theme: None });
        Self { wire, sessions: Mutex::default(), looks, preloads: Mutex::default() }
    }

    /// Stops everything in a page, as the browser does to a tab that nobody has looked at for long, or lets it go on.
    pub(super) fn freeze(&self, tab: &Tab, is_frozen: bool) {
        let state = if is_frozen { "frozen" } else { "active" };
        self.tell(tab, "Page.setWebLifecycleState", json!({ "state": state }));
    }

    /// Makes the processor of a page so many times slower.
    pub(super) fn throttle(&self, tab: &Tab, rate: f64) {
        self.tell(tab, "Emulation.setCPUThrottlingRate", json!({ "rate": rate }));
    }

    /// Makes the reader's only pointer a finger.
    pub(super) fn touch(&self, tab: &Tab) {
        self.tell(tab, "Emulation.setTouchEmulationEnabled", json!({ "enabled": true, "maxTouchPoints": 1 }));
    }

    /// What a page holds, once what it does not hold any more is thrown away.
    pub(super) fn metrics(&self, tab: &Tab) -> Metrics {
        self.tell(tab, "HeapProfiler.collectGarbage", Value::Null);
        let counts = self.tell(tab, "Memory.getDOMCounters", Value::Null);
        let heap = self.tell(tab, "Runtime.getHeapUsage", Value::Null);
        Metrics {
            heap: bytes(&heap["usedSize"]) + bytes(&heap["backingStorageSize"]),
            nodes: bytes(&counts["nodes"]),
            listeners: bytes(&counts["jsEventListeners"]),
        }
    }

    /// Runs an expression in the only shared worker.
    pub(super) fn evaluate_in_worker(&self, expression: &str) {
        let worker = self.targets(&["shared_worker"]).pop().expect("there is a shared worker");
        let known = self.sessions().get(&worker).cloned();
        let session = known.unwrap_or_else(|| self.attach(&worker));
        let parameters = json!({ "expression": expression, "awaitPromise": true });
        let answer = self.wire.call(Some(&session), "Runtime.evaluate", parameters, ANSWER);
        let answer = answer.unwrap_or_else(|error| panic!("in the worker: {error}"));
        assert!(answer["exceptionDetails"].is_null(), "in the worker: {}", exception(&answer["exceptionDetails"]));
    }

    /// A command to the browser.
    fn browser(&self, method: &str, parameters: Value) -> Value {
        self.wire.call(None, method, parameters, ANSWER).unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// A command to a tab.
    fn tell(&self, tab: &Tab, method: &str, parameters: Value) -> Value {
        let session = self.session(tab);
        self.wire.call(Some(&session), method, parameters, ANSWER).unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// The session of a tab, attached if it is not yet.
    fn session(&self, tab: &Tab) -> String {
        if let Some(session) = self.sessions().get(&tab.0) {
            return session.clone();
        }
        let session = self.attach(&tab.0);
        for (method, parameters) in [
            ("Page.enable", Value::Null),
            ("Page.setLifecycleEventsEnabled", json!({ "enabled": true })),
            ("Runtime.enable", Value::Null),
            ("Log.enable", Value::Null),
        ] {
            self.tell(tab, method, parameters);
        }
        self.preloads().iter().for_each(|script| self.run_first(tab, script));
        self.dress(tab);
        session
    }

    fn run_first(&self, tab: &Tab, script: &str) {
        self.tell(tab, "Page.addScriptToEvaluateOnNewDocument", json!({ "source": script }));
    }

    fn attach(&self, target: &str) -> String {
        let attached = self.browser("Target.attachToTarget", json!({ "targetId": target, "flatten": true }));
        let session = attached["sessionId"].as_str().expect("a session has an id").to_owned();
        self.sessions().insert(target.to_owned(), session.clone());
        session
    }

    /// Gives a tab its size and theme.
    fn dress(&self, tab: &Tab) {
        let Looks { size: (width, height), theme } = *self.looks();
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.tell(tab, "Emulation.setDeviceMetricsOverride", size);
        if let Some(theme) = theme {
            let feature = json!({ "name": "prefers-color-scheme", "value": theme.name() });
            self.tell(tab, "Emulation.setEmulatedMedia", json!({ "features": [feature] }));
        }
    }

    fn dress_all(&self) {
        self.tabs().iter().for_each(|tab| self.dress(tab));
    }

    /// The ids of all targets of some kinds.
    fn targets(&self, kinds: &[&str]) -> Vec<String> {
        let targets = self.browser("Target.getTargets", Value::Null);
        let targets = targets["targetInfos"].as_array().expect("targets are a list");
        let wanted = targets.iter().filter(|target| kinds.iter().any(|kind| target["type"] == *kind));
        wanted.map(|target| target["targetId"].as_str().expect("a target has an id").to_owned()).collect()
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn preloads(&self) -> MutexGuard<'_, Vec<String>> {
        self.preloads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn looks(&self) -> MutexGuard<'_, Looks> {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine for Chromium {
    fn tabs(&self) -> Vec<Tab> {
        self.targets(&["page"]).into_iter().map(Tab).collect()
    }

    fn create(&self) -> Tab {
        let target = self.browser("Target.createTarget", json!({ "url": "about:blank" }));
        Tab(target["targetId"].as_str().expect("a target has an id").to_owned())
    }

    fn activate(&self, tab: &Tab) {
        self.tell(tab, "Page.bringToFront", Value::Null);
    }

    fn close(&self, tab: &Tab) {
        self.browser("Target.closeTarget", json!({ "targetId": tab.0 }));
        self.sessions().remove(&tab.0);
        let deadline = Instant::now() + ANSWER;
        while self.tabs().contains(tab) {
            assert!(Instant::now() < deadline, "a tab does not close");
        }
    }

    fn navigate(&self, tab: &Tab, url: &str) {
        let answer = self.tell(tab, "Page.navigate", json!({ "url": url }));
        assert!(answer["errorText"].is_null(), "opening {url}: {}", answer["errorText"]);
        // A place on the same page is not loaded.
        if let loader @ Value::String(_) = &answer["loaderId"] {
            let is_loaded = |event: &Event| event.parameters["name"] == "load" && event.parameters["loaderId"] == *loader;
            self.wire.event(ANSWER, is_loaded).unwrap_or_else(|error| panic!("loading {url}: {error}"));
        }
        self.wire.take(|event| event.method == "Page.lifecycleEvent");
    }

    fn preload(&self, script: &str) {
        for tab in self.tabs() {
            self.session(&tab);
            self.run_first(&tab, script);
        }
        self.preloads().push(script.to_owned());
    }

    fn evaluate(&self, tab: &Tab, expression: &str, patience: Duration) -> Result<String, Fault> {
        let parameters = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let answer = self.wire.call(Some(&self.session(tab)), "Runtime.evaluate", parameters, patience).map_err(Fault::Lost)?;
        let thrown = &answer["exceptionDetails"];
        if thrown.is_null() { Ok(text(&answer["result"]["value"])) } else { Err(Fault::Thrown(exception(thrown))) }
    }

    fn keys(&self, tab: &Tab, keys: &[Key], modifiers: &[Modifier]) {
        let mut held = 0;
        for &modifier in modifiers {
            held |= bit(modifier);
            self.tell(tab, "Input.dispatchKeyEvent", stroke("rawKeyDown", &modifier.into(), held));
        }
        for key in keys {
            let writes = key.text.is_some() && held & !bit(Modifier::Shift) == 0;
            let kind = if writes { "keyDown" } else { "rawKeyDown" };
            self.tell(tab, "Input.dispatchKeyEvent", stroke(kind, key, held));
            self.tell(tab, "Input.dispatchKeyEvent", stroke("keyUp", key, held));
        }
        for &modifier in modifiers.iter().rev() {
            held &= !bit(modifier);
            self.tell(tab, "Input.dispatchKeyEvent", stroke("keyUp", &modifier.into(), held));
        }
    }

    fn mouse(&self, tab: &Tab, moves: &[Mouse]) {
        let mut is_down = false;
        for one in moves {
            let (kind, (x, y)) = match *one {
                Mouse::Move(at) => ("mouseMoved", at),
                Mouse::Down(at) => ("mousePressed", at),
                Mouse::Up(at) => ("mouseReleased", at),
            };
            is_down = kind == "mousePressed" || is_down && kind == "mouseMoved";
            let button = if is_down || kind == "mouseReleased" { "left" } else { "none" };
            let clicks = u8::from(kind != "mouseMoved");
            let event =
                json!({ "type": kind, "x": x, "y": y, "button": button, "buttons": u8::from(is_down), "clickCount": clicks });
            self.tell(tab, "Input.dispatchMouseEvent", event);
        }
    }

    fn wheel(&self, tab: &Tab, (x, y): Point, (right, down): Point) {
        let event = json!({ "type": "mouseWheel", "x": x, "y": y, "deltaX": right, "deltaY": down });
        self.tell(tab, "Input.dispatchMouseEvent", event);
    }

    fn resize(&self, _: &Tab, size: (u32, u32)) {
        self.looks().size = size;
        self.dress_all();
    }

    fn prefer(&self, theme: Theme) {
        self.looks().theme = Some(theme);
        self.dress_all();
    }

    fn offline(&self, is_offline: bool) {
        let conditions = json!({ "offline": is_offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 });
        for target in self.targets(&["page", "worker", "shared_worker", "service_worker"]) {
            let known = self.sessions().get(&target).cloned();
            let session = known.unwrap_or_else(|| self.attach(&target));
            let tell = |method: &str, parameters: Value| {
                let told = self.wire.call(Some(&session), method, parameters, ANSWER);
                told.unwrap_or_else(|error| panic!("{method}: {error}"))
            };
            tell("Network.enable", Value::Null);
            tell("Network.emulateNetworkConditions", conditions.clone());
            if !is_offline {
                tell("Network.disable", Value::Null);
            }
        }
    }

    fn picture(&self, tab: &Tab) -> String {
        text(&self.tell(tab, "Page.captureScreenshot", json!({ "format": "png" }))["data"])
    }

    fn console(&self, tab: &Tab) -> Vec<String> {
        self.tell(tab, "Runtime.evaluate", json!({ "expression": "0" }));
        let said = self.wire.take(|event| event.method != "Page.lifecycleEvent");
        said.iter().map(|event| sentence(&event.parameters)).collect()
    }

    fn quit(&self) {
        let _ = self.wire.call(None, "Browser.close", Value::Null, Duration::from_secs(1));
    }
}

/// The bit of a modifier in the protocol.
fn bit(modifier: Modifier) -> u8 {
    match modifier {
        Modifier::Alt => 1,
        Modifier::Control => 2,
        Modifier::Meta => 4,
        Modifier::Shift => 8,
    }
}

fn stroke(kind: &str, key: &Key, held: u8) -> Value {
    let mut stroke = json!({
        "type": kind,
        "key": key.name,
        "code": key.code,
        "windowsVirtualKeyCode": key.number,
        "modifiers": held,
    });
    if kind == "keyDown" {
        stroke["text"] = json!(key.text);
    }
    stroke
}

/// What an event of the console says.
fn sentence(event: &Value) -> String {
    if let Some(entry) = event.get("entry") {
        return text(&entry["text"]);
    }
    if let Some(thrown) = event.get("exceptionDetails") {
        return exception(thrown);
    }
    let words = event["args"].as_array().into_iter().flatten();
    words.map(word).collect::<Vec<_>>().join(" ")
}

/// What the console shows of one value.
fn word(value: &Value) -> String {
    match (&value["value"], &value["description"]) {
        (Value::String(text), _) | (_, Value::String(text)) => text.clone(),
        (value, _) => value.to_string(),
    }
}

fn exception(thrown: &Value) -> String {
    thrown["exception"]["description"]
        .as_str()
        .map_or_else(|| format!("{} {}", text(&thrown["text"]), word(&thrown["exception"])), str::to_owned)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn bytes(value: &Value) -> u64 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the protocol writes counts as any number")]
    value.as_u64().unwrap_or_else(|| value.as_f64().unwrap_or_default() as u64)
}
