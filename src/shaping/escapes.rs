//! `--strip-ansi`: takes out what only a terminal understands (ECMA-48, and xterm's control sequences).
//!
//! | what | how it ends |
//! | --- | --- |
//! | CSI, `ESC [`: colours, cursor | a byte from `@` to `~` |
//! | OSC, DCS, SOS, PM, APC, `ESC ]` `ESC P` `ESC X` `ESC ^` `ESC _`: titles, hyperlinks (`8;;`) | BEL, or `ESC \` |
//! | any other `ESC` | its intermediate bytes (space to `/`) and one more |
//!
//! The same sequences begin with one character each among the controls U+0080 to U+009F (CSI is U+009B), and a string may end with one, U+009C. Written
//! as single bytes these are no UTF-8: they are U+FFFD like all that is not, and begin nothing.
//!
//! So go the other control characters, but for tab, LF and CR. The text of a hyperlink stays, as everything between two sequences does. A sequence that
//! is broken ends where the line does: it takes nothing of the next.

/// Where a stripper is in a sequence.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    /// In text, behind the first byte of what may be a control character.
    Lead,
    /// Behind `ESC`.
    Escape,
    /// In a sequence that takes bytes until a final one.
    Control,
    /// In a string.
    String,
    /// In a string, behind `ESC`.
    StringEscape,
    /// In a string, behind the first byte of what may be a control character.
    StringLead,
}

/// Strips one line, which may come in parts.
#[derive(Debug, Default)]
pub struct Stripper(State);

const ESCAPE: u8 = 0x1b;
const BELL: u8 = 0x07;

/// The first byte of the control characters U+0080 to U+009F in UTF-8; the second is 0x80 to 0x9F.
const LEAD: u8 = 0xc2;

impl Stripper {
    /// Adds what is left of `data`.
    pub fn strip(&mut self, mut data: &[u8], out: &mut Vec<u8>) {
        // Most lines have nothing to take out, which a pass without branches finds soonest.
        if self.0 == State::Text && !data.iter().fold(false, |found, byte| found | is_taken_out(*byte)) {
            return out.extend_from_slice(data);
        }
        while !data.is_empty() {
            if self.0 == State::Text {
                let text = data.iter().position(|byte| is_taken_out(*byte)).unwrap_or(data.len());
                out.extend_from_slice(&data[..text]);
                data = &data[text..];
            }
            let Some((first, rest)) = data.split_first() else { return };
            match (self.0, *first) {
                (State::Lead, 0x80..=0x9f) => self.0 = State::of_control(*first),
                (State::Lead, _) => {
                    out.push(LEAD);
                    self.0 = State::Text;
                    continue; // it is text, or something else begins with it
                }
                (State::Text, LEAD) => self.0 = State::Lead,
                (State::Escape | State::StringEscape | State::Control, 0x80..) => {
                    self.0 = State::Text;
                    continue; // it is of no sequence
                }
                (_, b'\n' | b'\r') => {
                    self.0 = State::Text;
                    out.push(*first);
                }
                (state, byte) => {
                    self.0 = state.behind(byte);
                    if self.0 == State::Text && state == State::Text && !is_taken_out(byte) {
                        out.push(byte);
                    }
                }
            }
            data = rest;
        }
    }

    /// The line has ended: adds what had to be held back.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.0) == State::Lead {
            out.push(LEAD);
        }
    }
}

impl State {
    /// Where it is behind a byte that is not given.
    fn behind(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::String | Self::StringLead, BELL) | (Self::StringLead, 0x9c) => Self::Text,
            (Self::String | Self::StringLead, ESCAPE) => Self::StringEscape,
            (Self::String | Self::StringLead, LEAD) => Self::StringLead,
            (Self::Escape | Self::StringEscape, b']' | b'P' | b'X' | b'^' | b'_') | (Self::String | Self::StringLead, _) => {
                Self::String
            }
            (Self::Escape | Self::StringEscape, b'[') | (Self::Control, b' '..=b'?') => Self::Control,
            (_, ESCAPE) | (Self::Escape, b' '..=b'/') => Self::Escape,
            _ => Self::Text,
        }
    }

    /// Where it is behind a control character, by its second byte.
    fn of_control(second: u8) -> Self {
        match second {
            0x9b => Self::Control,
            0x90 | 0x98 | 0x9d..=0x9f => Self::String,
            _ => Self::Text,
        }
    }
}

fn is_taken_out(byte: u8) -> bool {
    byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r') || byte == 0x7f || byte == LEAD
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stripped(pieces: &[&[u8]]) -> Vec<u8> {
        let (mut stripper, mut out) = (Stripper::default(), Vec::new());
        for piece in pieces {
            stripper.strip(piece, &mut out);
        }
        stripper.end(&mut out);
        out
    }

    #[test]
    fn only_text_is_left() {
        for (line, text) in [
            ("plain", "plain"),
            ("\x1b[1;31mred\x1b[0m", "red"),
            ("\x1b[38:2::1:2:3mrgb\x1b[m", "rgb"),
            ("\x1b]8;;https://e.example/\x1b\\a link\x1b]8;;\x1b\\.", "a link."),
            ("\x1b]0;title\x07text", "text"),
            ("\x1bPdcs\x1b\\x\x1b_apc\x1b\\y", "xy"),
            ("\x1b(Bascii\x1b=\x1b7", "ascii"),
            ("\x1b[2K\x1b[1Gdone", "done"),
            ("a\x08b\x07c\x00d\x7fe\tf", "abcde\tf"),
            ("10%\r20%", "10%\r20%"),
            ("\x1b]0;never ended\nnext", "\nnext"),
            ("\x1b[3\nnext", "\nnext"),
            ("\x1b\x1b[1mx", "x"),
            ("\x1b[1\x1b[2mx", "x"),
            ("€\x1b[1mä", "€ä"),
            ("\u{9b}31mred\u{9b}m, \u{9d}0;title\u{9c}x\u{9d}8;;u\u{7}y\u{85}\u{80}z", "red, xyz"),
            ("£ 5\u{a0}°\u{bf}", "£ 5\u{a0}°\u{bf}"),
            ("\x1b[3€ \x1bé \u{9b}£", "€ é £"),
            ("\x1b]0;£ €\u{9c}x\x1b]0;\u{85}\x1b\\y", "xy"),
        ] {
            assert_eq!(String::from_utf8(stripped(&[line.as_bytes()])).unwrap(), text, "{line:?}");
        }
    }

    proptest! {
        #[test]
        fn where_parts_are_cut_makes_no_difference(line in "[\x1b\\[\\]a1;m\\\\\x07\n€£\u{9b}\u{9c}\u{9d}]{0,40}", cut in 0..40_usize) {
            let (first, rest) = line.as_bytes().split_at(cut.min(line.len()));
            let whole = stripped(&[line.as_bytes()]);
            prop_assert_eq!(stripped(&[first, rest]), whole.clone());
            let whole = std::str::from_utf8(&whole).unwrap();
            prop_assert!(!whole.chars().any(|c| c.is_control() && c != '\n'));
        }
    }
}
