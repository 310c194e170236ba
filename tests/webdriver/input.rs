//! What a reader does with keyboard, mouse and wheel, in the tab in front. All of it is real input: it takes the way through the
//! browser that a reader's takes, and pages trust its events.

use serde_json::json;

use super::{Browser, Modifier, Point, engine::Mouse, keys::Key};

impl Browser {
    /// Presses a key, by the name that a page reads in `KeyboardEvent.key`: `a`, `?`, `End`, `ArrowUp`; what is written with
    /// Shift is pressed with it.
    pub(crate) fn press(&self, key: &str, modifiers: &[Modifier]) {
        let key = Key::named(key);
        let mut held = modifiers.to_vec();
        if key.is_shifted && !held.contains(&Modifier::Shift) {
            held.push(Modifier::Shift);
        }
        self.engine().keys(&self.current(), &[key], &held);
    }

    /// Types a text, key by key.
    pub(crate) fn type_text(&self, text: &str) {
        let keys: Vec<_> = text.chars().map(Key::writing).collect();
        for run in keys.chunk_by(|one, next| one.is_shifted == next.is_shifted) {
            let held: &[_] = if run[0].is_shifted { &[Modifier::Shift] } else { &[] };
            self.engine().keys(&self.current(), run, held);
        }
    }

    /// Clicks on the first element that a selector finds, once it is there and nothing lies over it.
    pub(crate) fn click(&self, selector: &str) {
        let at = self.wait(&format!("`{selector}` for a click"), include_str!("click.js"), &json!([selector]));
        let at = (at[0].as_f64().expect("a number"), at[1].as_f64().expect("a number"));
        self.engine().mouse(&self.current(), &[Mouse::Move(at), Mouse::Down(at), Mouse::Up(at)]);
    }

    /// Moves the mouse from one place to another with its button down.
    pub(crate) fn drag(&self, from: Point, to: Point) {
        let part = |share: f64| (from.0 + (to.0 - from.0) * share, from.1 + (to.1 - from.1) * share);
        let mut moves = vec![Mouse::Move(from), Mouse::Down(from)];
        moves.extend([0.2, 0.4, 0.6, 0.8].map(|share| Mouse::Move(part(share))));
        moves.extend([Mouse::Move(to), Mouse::Up(to)]);
        self.engine().mouse(&self.current(), &moves);
    }

    /// Turns the wheel in the middle of the window, by so many pixels to the right and down.
    pub(crate) fn wheel(&self, right: i32, down: i32) {
        let (width, height) = self.state().size;
        let middle = (f64::from(width / 2), f64::from(height / 2));
        self.engine().wheel(&self.current(), middle, (f64::from(right), f64::from(down)));
    }
}
