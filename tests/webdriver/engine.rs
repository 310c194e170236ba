//! What the harness asks of either browser; [`Browser`](super::Browser) makes everything else of it.

use std::time::Duration;

use super::{
    Tab, Theme,
    keys::{Key, Modifier},
};

/// A place in the window, in CSS pixels from its upper left corner.
pub(crate) type Point = (f64, f64);

/// Why a script gives no value.
#[derive(Debug)]
pub(super) enum Fault {
    /// It threw this.
    Thrown(String),
    /// The page has gone, or does not answer.
    Lost(String),
}

/// What the mouse does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Mouse {
    Move(Point),
    Down(Point),
    Up(Point),
}

/// One browser, spoken to in its protocol.
pub(super) trait Engine: Send + Sync {
    /// Its tabs, in no order.
    fn tabs(&self) -> Vec<Tab>;

    /// Opens a tab in front.
    fn create(&self) -> Tab;

    /// Brings a tab to the front.
    fn activate(&self, tab: &Tab);

    fn close(&self, tab: &Tab);

    /// Opens an address and waits until it is loaded.
    fn navigate(&self, tab: &Tab, url: &str);

    /// Runs a script in every page before its own, in all tabs, also in those to come.
    fn preload(&self, script: &str);

    /// The text to which an expression evaluates, or the promise of one.
    fn evaluate(&self, tab: &Tab, expression: &str, patience: Duration) -> Result<String, Fault>;

    /// Presses one key after another, holding the modifiers from the first to the last.
    fn keys(&self, tab: &Tab, keys: &[Key], modifiers: &[Modifier]);

    fn mouse(&self, tab: &Tab, moves: &[Mouse]);

    /// Turns the wheel while the mouse is at a place.
    fn wheel(&self, tab: &Tab, at: Point, by: Point);

    /// Gives the pages of all tabs this size, also of those to come; `tab` is the one in front.
    fn resize(&self, tab: &Tab, size: (u32, u32));

    /// Says in all tabs that the reader prefers this theme, also in those to come.
    fn prefer(&self, theme: Theme);

    /// Says in all tabs that are there that there is no network, or that there is one again.
    fn offline(&self, is_offline: bool);

    /// A picture of a tab's page: PNG in base64.
    fn picture(&self, tab: &Tab) -> String;

    /// What has come to the console since the last call; what the tab has said before is in it.
    fn console(&self, tab: &Tab) -> Vec<String>;

    /// Asks the browser to end.
    fn quit(&self);
}
