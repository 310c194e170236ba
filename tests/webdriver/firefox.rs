//! Firefox, by `WebDriver` `BiDi`, which it speaks by itself.
//!
//! What the protocol does not have is done in the browser's own window, where scripts may change its preferences: that is why it
//! is started with `--remote-allow-system-access`. Pages are none the wiser.

use std::{
    fs,
    path::Path,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    Tab, Theme,
    engine::{Engine, Fault, Mouse, Point},
    keys::{Key, Modifier},
    processes::Processes,
    wire::{ANSWER, Wire},
};

/// Its program.
pub(super) const PROGRAM: &str = "firefox-esr";

/// What stands before its address in its output.
pub(super) const MARK: &str = "WebDriver BiDi listening on ";

/// A running Firefox.
pub(super) struct Firefox {
    wire: Wire,
    /// The browser's own window, whose scripts may do anything.
    window: Tab,
    size: Mutex<(u32, u32)>,
}

/// The arguments of the program; its profile is made here.
pub(super) fn arguments(home: &Path) -> Vec<String> {
    let profile = home.join("profile");
    let is_made = fs::create_dir(&profile).and_then(|()| fs::write(profile.join("user.js"), include_str!("firefox.js")));
    is_made.expect("a new directory takes a profile");
    let flags = ["--headless", "--no-remote", "--remote-allow-system-access", "--remote-debugging-port", "0"];
    let profile = ["--profile".to_owned(), profile.display().to_string()];
    flags.map(str::to_owned).into_iter().chain(profile).collect()
}

impl Firefox {
    /// Connects to the program once it has said its address.
    pub(super) fn connect(processes: &Processes, patience: Duration, size: (u32, u32)) -> Self {
        let address = processes.wait_for(MARK, patience);
        let wire = Wire::connect(&format!("{address}/session"), &["log.entryAdded"]);
        let mut firefox = Self { wire, window: Tab(String::new()), size: Mutex::new(size) };
        firefox.tell("session.new", json!({ "capabilities": {} }));
        firefox.tell("session.subscribe", json!({ "events": ["log.entryAdded"] }));
        firefox.window = firefox.contexts(&json!({ "moz:scope": "chrome", "maxDepth": 0 })).remove(0);
        firefox
    }

    /// A command.
    fn tell(&self, method: &str, parameters: Value) -> Value {
        self.wire.call(None, method, parameters, ANSWER).unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    fn contexts(&self, which: &Value) -> Vec<Tab> {
        let tree = self.tell("browsingContext.getTree", which.clone());
        let contexts = tree["contexts"].as_array().expect("contexts are a list");
        contexts.iter().map(tab).collect()
    }

    fn act(&self, tab: &Tab, device: &Value) {
        self.tell("input.performActions", json!({ "context": tab.0, "actions": [device] }));
    }

    /// Gives a tab its size: the one in front, for the others do not listen before they are.
    fn dress(&self, tab: &Tab) {
        let (width, height) = *self.size.lock().unwrap_or_else(PoisonError::into_inner);
        let viewport = json!({ "width": width, "height": height });
        self.tell("browsingContext.setViewport", json!({ "context": tab.0, "viewport": viewport }));
    }

    /// Runs a script in the browser's own window.
    fn in_window(&self, expression: &str) {
        let done = self.evaluate(&self.window, expression, ANSWER);
        done.unwrap_or_else(|fault| panic!("in the browser's window: {fault:?}"));
    }
}

impl Engine for Firefox {
    fn tabs(&self) -> Vec<Tab> {
        self.contexts(&json!({ "maxDepth": 0 }))
    }

    fn create(&self) -> Tab {
        let tab = tab(&self.tell("browsingContext.create", json!({ "type": "tab" })));
        self.dress(&tab);
        tab
    }

    fn activate(&self, tab: &Tab) {
        self.tell("browsingContext.activate", json!({ "context": tab.0 }));
        // The page has the focus, not the field for addresses.
        self.in_window("gBrowser.selectedBrowser.focus(); ''");
        self.dress(tab);
    }

    fn close(&self, tab: &Tab) {
        self.tell("browsingContext.close", json!({ "context": tab.0 }));
    }

    fn navigate(&self, tab: &Tab, url: &str) {
        self.tell("browsingContext.navigate", json!({ "context": tab.0, "url": url, "wait": "complete" }));
    }

    fn preload(&self, script: &str) {
        self.tell("script.addPreloadScript", json!({ "functionDeclaration": format!("() => {{ {script}\n}}") }));
    }

    fn evaluate(&self, tab: &Tab, expression: &str, patience: Duration) -> Result<String, Fault> {
        let parameters = json!({ "expression": expression, "target": { "context": tab.0 }, "awaitPromise": true });
        let answer = self.wire.call(None, "script.evaluate", parameters, patience).map_err(Fault::Lost)?;
        let thrown = &answer["exceptionDetails"];
        if thrown.is_null() { Ok(text(&answer["result"]["value"])) } else { Err(Fault::Thrown(text(&thrown["text"]))) }
    }

    fn keys(&self, tab: &Tab, keys: &[Key], modifiers: &[Modifier]) {
        let held: Vec<_> = modifiers.iter().map(|&modifier| Key::from(modifier).character).collect();
        let stroke = |kind: &str, character: char| json!({ "type": kind, "value": character });
        let mut strokes: Vec<_> = held.iter().map(|&character| stroke("keyDown", character)).collect();
        strokes.extend(keys.iter().flat_map(|key| ["keyDown", "keyUp"].map(|kind| stroke(kind, key.character))));
        strokes.extend(held.iter().rev().map(|&character| stroke("keyUp", character)));
        self.act(tab, &json!({ "type": "key", "id": "keyboard", "actions": strokes }));
    }

    fn mouse(&self, tab: &Tab, moves: &[Mouse]) {
        let step = |kind: &str, (x, y): Point| match kind {
            "pointerMove" => json!({ "type": kind, "x": x, "y": y }),
            _ => json!({ "type": kind, "button": 0 }),
        };
        let steps = moves.iter().map(|one| match *one {
            Mouse::Move(at) => step("pointerMove", at),
            Mouse::Down(at) => step("pointerDown", at),
            Mouse::Up(at) => step("pointerUp", at),
        });
        let steps: Vec<_> = steps.collect();
        self.act(tab, &json!({ "type": "pointer", "id": "mouse", "actions": steps }));
    }

    fn wheel(&self, tab: &Tab, (x, y): Point, (right, down): Point) {
        let turn = json!({ "type": "scroll", "x": whole(x), "y": whole(y), "deltaX": whole(right), "deltaY": whole(down) });
        self.act(tab, &json!({ "type": "wheel", "id": "wheel", "actions": [turn] }));
    }

    fn resize(&self, tab: &Tab, size: (u32, u32)) {
        *self.size.lock().unwrap_or_else(PoisonError::into_inner) = size;
        self.dress(tab);
    }

    fn prefer(&self, theme: Theme) {
        let number = match theme {
            Theme::Dark => 0,
            Theme::Light => 1,
        };
        self.in_window(&format!("Services.prefs.setIntPref('layout.css.prefers-color-scheme.content-override', {number}); ''"));
        // The processes of the pages hear of it a little later.
        let question = format!("String(matchMedia('(prefers-color-scheme: {})').matches)", theme.name());
        let deadline = Instant::now() + ANSWER;
        for tab in self.tabs() {
            while self.evaluate(&tab, &question, ANSWER).is_ok_and(|answer| answer != "true") {
                assert!(Instant::now() < deadline, "the pages do not hear of the theme");
            }
        }
    }

    fn offline(&self, is_offline: bool) {
        let conditions = if is_offline { json!({ "type": "offline" }) } else { Value::Null };
        self.tell("emulation.setNetworkConditions", json!({ "networkConditions": conditions }));
    }

    fn picture(&self, tab: &Tab) -> String {
        text(&self.tell("browsingContext.captureScreenshot", json!({ "context": tab.0 }))["data"])
    }

    fn console(&self, tab: &Tab) -> Vec<String> {
        let _ = self.evaluate(tab, "''", ANSWER);
        self.wire.take(|_| true).iter().map(|event| text(&event.parameters["text"])).collect()
    }

    fn quit(&self) {
        let _ = self.wire.call(None, "browser.close", Value::Null, Duration::from_secs(1));
    }
}

fn tab(context: &Value) -> Tab {
    Tab(context["context"].as_str().expect("a context has an id").to_owned())
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The wheel knows whole pixels alone.
fn whole(pixels: f64) -> i64 {
    #[allow(clippy::cast_possible_truncation, reason = "a window has fewer pixels")]
    {
        pixels.round() as i64
    }
}
