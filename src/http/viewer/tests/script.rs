//! The parts of a script: what is code, what is a string, and what is a comment and therefore nothing.
//!
//! A regular expression is code. It is told from a division by what stands before it, which is right wherever people write it.

/// A part of a script; comments are none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    Code(String),
    /// The inside of a string, or a piece of a template between its expressions, as it is written.
    Text(String),
}

impl Part {
    /// As it stands in the script.
    pub fn shown(&self) -> String {
        match self {
            Self::Code(code) => code.clone(),
            Self::Text(text) => format!("'{text}'"),
        }
    }
}

/// Takes a script apart.
pub fn parts(script: &str) -> Vec<Part> {
    let mut reader = Reader { rest: script, code: String::new(), parts: Vec::new() };
    reader.code(Until::End);
    reader.finish_code();
    reader.parts
}

/// Where code ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    End,
    /// The `}` behind an expression in a template.
    Brace,
}

struct Reader<'a> {
    rest: &'a str,
    /// Since the last string.
    code: String,
    parts: Vec<Part>,
}

impl Reader<'_> {
    fn take(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    /// Takes a character, and the one behind it if it is a backslash.
    fn take_into(&mut self, text: &mut String) -> Option<char> {
        let c = self.take()?;
        text.push(c);
        if c == '\\' {
            text.extend(self.take());
        }
        Some(c)
    }

    fn skip_past(&mut self, end: &str) {
        self.rest = self.rest.split_once(end).map_or("", |(_, behind)| behind);
    }

    fn code(&mut self, until: Until) {
        let mut depth = 0_usize;
        while let Some(next) = self.rest.chars().next() {
            match next {
                '/' if self.rest.starts_with("//") => self.rest = self.rest.find('\n').map_or("", |end| &self.rest[end..]),
                '/' if self.rest.starts_with("/*") => self.skip_past("*/"),
                '/' if self.wants_a_value() => self.regular_expression(),
                '\'' | '"' => self.string(next),
                '`' => self.template(),
                '}' if depth == 0 && until == Until::Brace => return,
                _ => {
                    depth = if next == '{' { depth + 1 } else { depth.saturating_sub(usize::from(next == '}')) };
                    self.code.push(next);
                    self.take();
                }
            }
        }
    }

    /// Whether what came last cannot be divided.
    fn wants_a_value(&self) -> bool {
        let code = self.code.trim_end();
        let is_word = ["return", "typeof", "case", "of", "in"].iter().any(|word| code.ends_with(word));
        let is_count = code.ends_with("++") || code.ends_with("--");
        let before = code.chars().next_back();
        is_word || !is_count && before.map_or(self.parts.is_empty(), |c| "(,=:[!&|?{};+-*%^<>~".contains(c))
    }

    fn regular_expression(&mut self) {
        let mut whole: String = self.take().into_iter().collect();
        let mut is_in_class = false;
        while let Some(c) = self.take_into(&mut whole) {
            match c {
                '[' => is_in_class = true,
                ']' => is_in_class = false,
                '/' if !is_in_class => break,
                _ => {}
            }
        }
        self.code.push_str(&whole);
    }

    fn string(&mut self, quote: char) {
        self.finish_code();
        self.take();
        let mut text = String::new();
        while self.take_into(&mut text).is_some_and(|c| c != quote) {}
        self.give(text.strip_suffix(quote).unwrap_or(&text).to_owned());
    }

    fn template(&mut self) {
        self.finish_code();
        self.take();
        let mut text = String::new();
        while let Some(c) = self.take_into(&mut text) {
            if c == '`' {
                text.pop();
                break;
            }
            if text.ends_with("${") && !text.ends_with("\\${") {
                text.truncate(text.len() - 2);
                self.give(std::mem::take(&mut text));
                self.code(Until::Brace);
                self.finish_code();
                self.take();
            }
        }
        self.give(text);
    }

    fn give(&mut self, text: String) {
        self.parts.push(Part::Text(text));
    }

    fn finish_code(&mut self) {
        if !self.code.is_empty() {
            self.parts.push(Part::Code(std::mem::take(&mut self.code)));
        }
    }
}

#[test]
fn comments_strings_templates_and_regular_expressions_are_told_apart() {
    let said = |script| parts(script).iter().map(Part::shown).collect::<String>();
    for (script, all) in [
        ("a // b 'c\nd", "a \nd"),
        ("a /* b\n' */ c", "a  c"),
        (r#"a("it's", '\'// b')"#, r"a('it's', '\'// b')"),
        ("`a ${b ? `c` : { d: 1 }} e` // f", "'a 'b ? 'c' : { d: 1 }' e' "),
        (r"x = /['/*]\/'/g; // y", r"x = /['/*]\/'/g; "),
        ("return /'/", "return /'/"),
        ("a / b // c", "a / b "),
        ("(a) / 'b' / c++ / d // e", "(a) / 'b' / c++ / d "),
        (r"`\${a} // b`", r"'\${a} // b'"),
    ] {
        assert_eq!(said(script), all, "{script}");
    }
}
