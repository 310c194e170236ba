//! Keys, by the names that a page reads in `KeyboardEvent.key`, on the keyboard of the United States.
//!
//! The two protocols name a key in different ways: `WebDriver` by a character, some of them private to it, the `DevTools` by its
//! place on the keyboard and by Windows' number.

/// Keys that are held while another one is pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Modifier {
    Alt,
    Control,
    Meta,
    Shift,
}

/// A key.
#[derive(Clone, Debug)]
pub(super) struct Key {
    /// What a page reads as `key`.
    pub(super) name: String,
    /// What a page reads as `code`: its place.
    pub(super) code: String,
    /// Windows' number of it.
    pub(super) number: u32,
    /// `WebDriver`'s character for it.
    pub(super) character: char,
    /// What it writes.
    pub(super) text: Option<String>,
    /// It is written with Shift.
    pub(super) is_shifted: bool,
}

/// Keys that write nothing (but for Enter): name, `WebDriver`'s character, Windows' number.
const NAMED: [(&str, char, u32); 15] = [
    ("ArrowDown", '\u{e015}', 40),
    ("ArrowLeft", '\u{e012}', 37),
    ("ArrowRight", '\u{e014}', 39),
    ("ArrowUp", '\u{e013}', 38),
    ("Backspace", '\u{e003}', 8),
    ("Delete", '\u{e017}', 46),
    ("End", '\u{e010}', 35),
    ("Enter", '\u{e006}', 13),
    ("Escape", '\u{e00c}', 27),
    ("F3", '\u{e033}', 114),
    ("Home", '\u{e011}', 36),
    ("Insert", '\u{e016}', 45),
    ("PageDown", '\u{e00f}', 34),
    ("PageUp", '\u{e00e}', 33),
    ("Tab", '\u{e004}', 9),
];

/// Keys that write a sign: without Shift, with it, place, Windows' number.
const SIGNS: [(char, char, &str, u32); 22] = [
    (' ', ' ', "Space", 32),
    ('`', '~', "Backquote", 192),
    ('0', ')', "Digit0", 48),
    ('1', '!', "Digit1", 49),
    ('2', '@', "Digit2", 50),
    ('3', '#', "Digit3", 51),
    ('4', '$', "Digit4", 52),
    ('5', '%', "Digit5", 53),
    ('6', '^', "Digit6", 54),
    ('7', '&', "Digit7", 55),
    ('8', '*', "Digit8", 56),
    ('9', '(', "Digit9", 57),
    ('-', '_', "Minus", 189),
    ('=', '+', "Equal", 187),
    ('[', '{', "BracketLeft", 219),
    (']', '}', "BracketRight", 221),
    ('\\', '|', "Backslash", 220),
    (';', ':', "Semicolon", 186),
    ('\'', '"', "Quote", 222),
    (',', '<', "Comma", 188),
    ('.', '>', "Period", 190),
    ('/', '?', "Slash", 191),
];

impl Key {
    /// The key of a name: one character, or `End`, `ArrowUp` and so on.
    pub(super) fn named(name: &str) -> Self {
        let mut characters = name.chars();
        if let (Some(character), None) = (characters.next(), characters.next()) {
            return Self::writing(character);
        }
        let known = NAMED.iter().find(|(known, ..)| *known == name);
        let (_, character, number) = *known.unwrap_or_else(|| panic!("no key is known as `{name}`"));
        let text = (name == "Enter").then(|| "\r".to_owned());
        Self { name: name.to_owned(), code: name.to_owned(), number, character, text, is_shifted: false }
    }

    /// The key that writes this character.
    pub(super) fn writing(character: char) -> Self {
        if character == '\n' {
            return Self::named("Enter");
        }
        let (code, number) = place(character);
        let is_shifted = character.is_ascii_uppercase() || SIGNS.iter().any(|sign| sign.1 == character && sign.0 != character);
        let text = character.to_string();
        Self { name: text.clone(), code, number, character, text: Some(text), is_shifted }
    }
}

impl From<Modifier> for Key {
    fn from(modifier: Modifier) -> Self {
        let (name, character, number) = match modifier {
            Modifier::Alt => ("Alt", '\u{e00a}', 18),
            Modifier::Control => ("Control", '\u{e009}', 17),
            Modifier::Meta => ("Meta", '\u{e03d}', 91),
            Modifier::Shift => ("Shift", '\u{e008}', 16),
        };
        Self { name: name.to_owned(), code: format!("{name}Left"), number, character, text: None, is_shifted: false }
    }
}

/// Where a character is on the keyboard, and its number; nowhere if it is not of this keyboard.
fn place(character: char) -> (String, u32) {
    let upper = character.to_ascii_uppercase();
    if upper.is_ascii_uppercase() {
        return (format!("Key{upper}"), u32::from(upper));
    }
    let sign = SIGNS.iter().find(|sign| sign.0 == character || sign.1 == character);
    sign.map_or_else(|| (String::new(), 0), |sign| (sign.2.to_owned(), sign.3))
}
