//! The cases of the matrix that are an input and what must be heard of it.
//!
//! Numbers and titles are those of the project's list of conformance cases. What is expected follows these rules: a line is
//! what stands before LF; a CR directly before it belongs to the terminator; a lone CR is a line break inside the data; NUL
//! and what is not UTF-8 become U+FFFD; a line longer than `--max-line` becomes several, cut at a character boundary; what
//! stands behind the last LF is a line when the input ends.

use std::{io, thread, time::Duration};

use super::{
    clients::Client,
    feed::Writer,
    stream::{Said, Until},
};
use crate::harness::scale;

/// One input and what must be heard of it.
pub(crate) struct Case {
    /// The row of the matrix.
    pub(crate) number: u8,
    /// The row's title.
    pub(crate) title: &'static str,
    /// Arguments of the bridge.
    pub(crate) arguments: &'static [&'static str],
    /// What the bridge reads.
    pub(crate) input: Input,
    /// What must be heard.
    pub(crate) expected: Expected,
    /// When a client is done.
    pub(crate) until: Until,
    /// The client for whom this is made smaller, because of a known fault.
    pub(crate) only: Option<Client>,
}

/// How the input comes.
pub(crate) enum Input {
    /// Whole, in 1-byte and in 2-byte pieces.
    Small(Vec<u8>),
    /// Whole alone: too big for pieces.
    Big(Vec<u8>),
    /// By a function that writes to the standard input of this process.
    By(fn(pid: u32) -> io::Result<()>),
}

/// What must be heard, before `end`.
pub(crate) enum Expected {
    /// These types and data.
    Exactly(Vec<(&'static str, String)>),
    /// Whatever this function approves of.
    Approved(fn(&[Said]) -> Result<(), String>),
}

impl Case {
    fn new(number: u8, title: &'static str, input: impl Into<Vec<u8>>, data: &[&str]) -> Self {
        Self {
            number,
            title,
            arguments: &[],
            input: Input::Small(input.into()),
            expected: Expected::Exactly(data.iter().map(|data| ("message", (*data).to_owned())).collect()),
            until: Until::End,
            only: None,
        }
    }

    fn big(number: u8, title: &'static str, input: Vec<u8>, data: &[&str]) -> Self {
        Self { input: Input::Big(input), ..Self::new(number, title, [], data) }
    }

    fn by(number: u8, title: &'static str, write: fn(u32) -> io::Result<()>, expected: Expected) -> Self {
        Self { input: Input::By(write), expected, ..Self::new(number, title, [], &[]) }
    }

    fn with(self, arguments: &'static [&'static str]) -> Self {
        Self { arguments, ..self }
    }
}

/// All of them.
pub(crate) fn all() -> Vec<Case> {
    let mut cases = text();
    cases.extend(bytes_that_are_not_text());
    cases.extend(long_lines());
    cases.extend(lines_in_time());
    cases.extend(opaque_text());
    cases
}

/// Text that must arrive as it is, and text that must forge nothing.
fn text() -> Vec<Case> {
    let fields = ["data: x", "id: 5", "event: foo", "retry: 1", ": c", ":"];
    vec![
        Case::new(1, "a line", "hello\n", &["hello"]),
        Case::new(2, "an empty line", "\na\n\n", &["", "a", ""]),
        Case::new(3, "leading white space", " lead\n  two\n\tx\n", &[" lead", "  two", "\tx"]),
        Case::new(4, "trailing white space", "trail  \n", &["trail  "]),
        Case::new(5, "lines that look like fields", fields.map(|field| format!("{field}\n")).concat(), &fields),
        Case::new(6, "a lone CR", "a\rb\n", &["a\nb"]),
        Case::new(7, "a CR that would forge fields", "x\revent: pwn\rdata: y\n", &["x\nevent: pwn\ndata: y"]),
        Case::new(8, "CRs that would forge an event", "\r\rdata: forged\r\r\n", &["\n\ndata: forged\n"]),
        Case::new(9, "CRLF", "a\r\nb\r\n", &["a", "b"]),
    ]
}

fn bytes_that_are_not_text() -> Vec<Case> {
    let replaced = ["\u{fffd}", "\u{fffd}", "\u{fffd}\u{fffd}\u{fffd}", "\u{fffd}\u{fffd}"];
    let utf16 = ["\u{fffd}\u{fffd}h\u{fffd}i\u{fffd}", "\u{fffd}o\u{fffd}k\u{fffd}", "\u{fffd}"];
    vec![
        Case::new(10, "NUL", "a\0b\n", &["a\u{fffd}b"]),
        Case::new(11, "bytes that are not UTF-8", b"a\xff\xfeb\xc3\n", &["a\u{fffd}\u{fffd}b\u{fffd}"]),
        Case::new(12, "cut, surrogate and overlong UTF-8", b"\xe2\x82\n\xf0\x9f\x98\n\xed\xa0\x80\n\xc0\xaf\n", &replaced),
        Case::new(13, "characters cut by reads", "grüße, €, 😀\n", &["grüße, €, 😀"]),
        Case::new(
            14,
            "line ends of other standards",
            "a\u{2028}b\u{2029}c\u{85}d\x0be\x0cf\x1cg\x1dh\x1ei\x1fj\n",
            &["a\u{2028}b\u{2029}c\u{85}d\x0be\x0cf\x1cg\x1dh\x1ei\x1fj"],
        ),
        Case::new(15, "a byte order mark first", "\u{feff}a\n", &["\u{feff}a"]),
        Case::new(16, "UTF-16", b"\xff\xfeh\0i\0\n\0o\0k\0\n\0", &utf16),
    ]
}

/// Bytes of a line that a sluggish client still takes.
const LESS: usize = 256 * 1024;

fn long_lines() -> Vec<Case> {
    let ten = "x".repeat(10 << 20);
    let less = "x".repeat(LESS);
    // 64 is no multiple of three: each cut would fall inside a character.
    let (wide, part, rest) = ("€".repeat(100), "€".repeat(21), "€".repeat(16));
    let split = [&part, &part, &part, &part, rest.as_str(), "next"];
    let breaks = |count| (format!("{}x\n", "\r".repeat(count)).into_bytes(), format!("{}x", "\n".repeat(count)));
    let (many, few) = (breaks(100_000), breaks(2000));
    let for_sseclient = |case| Case { only: Some(Client::SseclientPy), ..case };
    vec![
        Case::big(17, "a line of 10 MiB", format!("{ten}\n").into(), &[&ten]).with(&["--max-line", "16MiB"]),
        for_sseclient(Case::big(17, "a line of 256 KiB", format!("{less}\n").into(), &[&less])),
        Case::new(18, "a line over --max-line", format!("{wide}\nnext\n"), &split).with(&["--max-line", "64"]),
        Case::big(19, "100,000 CRs in a line", many.0, &[&many.1]),
        for_sseclient(Case::big(19, "2,000 CRs in a line", few.0, &[&few.1])),
    ]
}

/// Lines and the time of their writing.
fn lines_in_time() -> Vec<Case> {
    let hundred: Vec<String> = (1..=100).map(|number| format!("line {number}")).collect();
    let lines: Vec<&str> = hundred.iter().map(String::as_str).collect();
    let last = Case::new(20, "a last line without LF", "a\nlast", &["a", "last"]).with(&["--retry", "500ms"]);
    let halves = Expected::Exactly(vec![("message", "partial".to_owned()), ("message", "next".to_owned())]);
    vec![
        Case { until: Until::Closed, ..last },
        Case::by(21, "a pause inside a line", write_with_a_pause, halves),
        Case::new(22, "two lines in one write", "a\nb\n", &["a", "b"]),
        Case::new(23, "a burst of 100 lines", format!("{}\n", hundred.join("\n")), &lines),
        Case::by(24, "two writers on one pipe", write_by_two, Expected::Approved(lines_are_not_torn)),
    ]
}

fn opaque_text() -> Vec<Case> {
    let json = ["{\"a\":\"\u{2028}\"}", r#"{"a":"\u2028\r\n"}"#];
    let terminal = "\x1b[31mred\x1b[0m \x1b]0;title\x07 \u{9b}1m \u{202e}bidi\u{2066} \x08\x7f <b>&amp;</b>";
    let typed = Expected::Exactly(vec![("log.line", "a".to_owned())]);
    vec![
        Case { expected: typed, ..Case::new(28, "reserved event types", "a\n", &[]).with(&["--event-type", "log.line"]) },
        Case::new(29, "JSON", json.map(|line| format!("{line}\n")).concat(), &json),
        Case::new(30, "terminal and bidi controls", format!("{terminal}\n"), &[terminal]),
    ]
}

/// The bridge must not take a pause for the end of a line. No event tells that a bridge waits: the time is the test.
fn write_with_a_pause(pid: u32) -> io::Result<()> {
    let mut writer = Writer::open(pid)?;
    writer.write(b"par")?;
    thread::sleep(Duration::from_millis(scale(500, 5000)));
    writer.write(b"tial\nnext\n")
}

/// The size up to which a write to a pipe is not torn by others (`PIPE_BUF`).
const UNTORN: usize = 4096;

/// Lines of each of the two writers.
fn lines_of_each() -> usize {
    scale(100, 5000)
}

/// A writer's line, LF included: from a few bytes to the longest that is written in one piece.
fn line_of(writer: usize, number: usize) -> String {
    let head = format!("{writer} {number} ");
    let fill = "x".repeat((number * 97) % (UNTORN - head.len()));
    format!("{head}{fill}\n")
}

fn write_by_two(pid: u32) -> io::Result<()> {
    let write = |which: usize| {
        let mut writer = Writer::open(pid)?;
        (0..lines_of_each()).try_for_each(|number| writer.write(line_of(which, number).as_bytes()))
    };
    thread::scope(|scope| {
        let other = scope.spawn(move || write(1));
        write(2).and(other.join().unwrap_or_else(|_| Err(io::Error::other("the second writer panicked"))))
    })
}

fn lines_are_not_torn(said: &[Said]) -> Result<(), String> {
    for which in [1, 2] {
        let prefix = format!("{which} ");
        let lines = said.iter().filter(|one| one.data.starts_with(&prefix)).map(|one| format!("{}\n", one.data));
        if !lines.eq((0..lines_of_each()).map(|number| line_of(which, number))) {
            return Err(format!("the lines of writer {which} are torn, lost or out of order"));
        }
    }
    match said.len() {
        count if count == 2 * lines_of_each() => Ok(()),
        count => Err(format!("{count} events from {} lines", 2 * lines_of_each())),
    }
}
