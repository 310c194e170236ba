//! A reader before a page. Most read beside others; where speed is measured nobody else may.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::ops::{Deref, DerefMut, RangeInclusive};
use std::path::PathBuf;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use serde_json::{Value, json};

use crate::harness::{Bridge, eventually, lines};
use crate::scene::{Page, numbered};
use crate::webdriver::Kind;

/// Where the tests of this target run: many at once, or one alone.
static ROOM: RwLock<()> = RwLock::new(());

/// A page, and a place in the room.
pub struct Reader {
    pub page: Page,
    _place: Place,
}

#[allow(dead_code, reason = "a place is held, not looked at")]
enum Place {
    Alone(RwLockWriteGuard<'static, ()>),
    Beside(RwLockReadGuard<'static, ()>),
}

impl Reader {
    /// Opens the page of a daemon with these arguments, which reads its standard input if they name no source.
    pub fn open(kind: Kind, arguments: &[&str]) -> Self {
        let place = Place::beside();
        Self { page: Page::open(kind, arguments), _place: place }
    }

    /// Opens the page of a daemon that has had lines before, with this behind its address.
    pub fn at(kind: Kind, bridge: Bridge, hash: &str) -> Self {
        let place = Place::beside();
        Self { page: Page::at(kind, bridge, hash), _place: place }
    }

    /// Opens it for a reader who is alone.
    pub fn alone(page: impl FnOnce() -> Page) -> Self {
        let place = Place::Alone(ROOM.write().unwrap_or_else(PoisonError::into_inner));
        Self { page: page(), _place: place }
    }

    pub fn press(&self, key: &str) {
        self.browser.press(key, &[]);
    }

    /// A property of the style of the first element that a selector finds, as it is computed.
    pub fn style(&self, selector: &str, property: &str) -> String {
        let script = "return getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]";
        self.browser.run(script, &json!([selector, property])).as_str().expect("a text").to_owned()
    }

    /// The row whose text begins with this: what an expression says of it, as `row`.
    pub fn row(&self, text: &str, expression: &str) -> Value {
        let script = format!(
            "const row = [...document.querySelectorAll('.row')].find((row) => row.querySelector('.text').textContent.startsWith(arguments[0]));
             return row && {expression}"
        );
        self.browser.run(&script, &json!([text]))
    }
}

impl Place {
    fn beside() -> Self {
        Self::Beside(ROOM.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Deref for Reader {
    type Target = Page;

    fn deref(&self) -> &Page {
        &self.page
    }
}

impl DerefMut for Reader {
    fn deref_mut(&mut self) -> &mut Page {
        &mut self.page
    }
}

/// A daemon that has had so many numbered lines.
pub fn with_lines(arguments: &[&str], count: usize) -> Bridge {
    let mut bridge = Bridge::start(arguments);
    feed_and_wait(&mut bridge, 1..=count);
    bridge
}

/// Feeds numbered lines and waits until the daemon has them all.
pub fn feed_and_wait(bridge: &mut Bridge, numbers: RangeInclusive<usize>) {
    let last = format!("line {}", numbers.end());
    bridge.feed(&numbered(numbers));
    let newest = || lines(&bridge.get("/events?tail=1&follow=0").rest()).first().map(|&line| line.to_owned());
    eventually("the last line", newest, |line| line.as_ref() == Some(&last));
}

/// Files that are channels, in a directory of their own.
pub struct Files {
    directory: tempfile::TempDir,
}

impl Files {
    pub fn new(names: &[&str]) -> Self {
        let files = Self { directory: tempfile::tempdir().expect("there is room for a directory") };
        for name in names {
            files.write(name, "");
        }
        files
    }

    /// The source of a channel, for the command line.
    pub fn source(&self, name: &str) -> String {
        format!("{name}={}", self.path(name).display())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name.replace('/', "-"))
    }

    /// Empties the file of a channel.
    pub fn truncate(&self, name: &str) {
        File::create(self.path(name)).expect("a file in a new directory can be written");
    }

    /// Appends to the file of a channel.
    pub fn write(&self, name: &str, text: &str) {
        let opened: std::io::Result<File> = OpenOptions::new().create(true).append(true).open(self.path(name));
        let written = opened.and_then(|mut file| file.write_all(text.as_bytes()));
        written.expect("a file in a new directory can be written");
    }
}
