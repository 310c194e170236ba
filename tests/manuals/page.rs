use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A manual page in mdoc.
pub struct Page(String);

/// A tagged item of a list: its head without `.It`, and the lines below it.
pub struct Item {
    pub head: String,
    pub text: String,
}

pub fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

impl Page {
    pub fn open(file: &str) -> Self {
        Self(fs::read_to_string(path(file)).unwrap())
    }

    /// What stands below a heading: `Sh EXAMPLES`, or `Ss cat`; up to the next of its kind, or a greater one.
    pub fn section(&self, heading: &str) -> Self {
        let (_, rest) = self.0.split_once(&format!("\n.{heading}\n")).unwrap_or_else(|| panic!("no {heading}"));
        let rest = rest.split("\n.Sh ").next().unwrap();
        let is_small = heading.starts_with("Ss ");
        let end = if is_small { rest.split("\n.Ss ").next().unwrap() } else { rest };
        Self(format!("\n{end}\n"))
    }

    pub fn items(&self) -> Vec<Item> {
        let parts = self.0.split("\n.It ").skip(1);
        let items = parts.map(|part| {
            let (head, text) = part.split_once('\n').unwrap_or((part, ""));
            Item { head: head.to_owned(), text: text.split("\n.El").next().unwrap().to_owned() }
        });
        items.collect()
    }

    /// The words behind each of these macros.
    pub fn words_of(&self, name: &str) -> Vec<String> {
        let lines = self.0.lines().filter_map(|line| line.strip_prefix(&format!(".{name} ")));
        let words = lines.flat_map(|line| line.split(' ').filter(|word| !matches!(*word, "," | "." | ":")));
        words.map(plain).collect()
    }

    /// Its examples: blocks below this comment.
    pub fn blocks(&self, kind: &str) -> Vec<String> {
        let mark = format!(".\\\" example: {kind}\n");
        let parts = self.0.split(&mark).skip(1);
        let blocks = parts.map(|part| part.split_once('\n').unwrap().1.split("\n.Ed").next().unwrap());
        blocks.map(|block| plain(block) + "\n").collect()
    }

    /// Its examples of one line.
    pub fn lines(&self) -> Vec<String> {
        self.0.lines().filter_map(|line| line.strip_prefix(".Dl ")).map(plain).collect()
    }

    pub fn source(&self) -> &str {
        &self.0
    }
}

impl Item {
    /// What it says is so where nobody says otherwise.
    pub fn default(&self) -> Option<String> {
        let (_, rest) = self.text.split_once("\nDefault: ")?;
        let text = rest.split("\n.").next().unwrap().replace('\n', " ");
        Some(plain(text.trim_end().strip_suffix('.').unwrap_or(&text)))
    }

    /// The words of its head behind each of these macros: of `Fl t , Fl -tee` `t` and `-tee`.
    pub fn words_of(&self, name: &str) -> Vec<String> {
        let words: Vec<_> = self.head.split(' ').collect();
        let pairs = words.windows(2).filter(|pair| pair[0] == name);
        pairs.map(|pair| plain(pair[1])).collect()
    }
}

/// The text that is shown.
pub fn plain(text: &str) -> String {
    let text = text.replace("\\-", "-").replace("\\(aq", "'").replace("\\(dq", "\"").replace("\\(ti", "~");
    text.replace("\\&", "").replace("\\e", "\\")
}

const PAGES: [&str; 3] = ["man/sse-bridge.1", "man/sse-bridge.toml.5", "man/sse-bridge.7"];

#[test]
fn pages_are_good_mdoc() {
    for page in PAGES {
        // Whether other pages are installed on this machine says nothing of ours.
        let lint = Command::new("mandoc").args(["-Tlint", "-Wstyle"]).arg(path(page)).output().expect("mandoc (tests/install)");
        let said = String::from_utf8_lossy(&lint.stdout).into_owned();
        let faults: Vec<_> = said.lines().filter(|line| !line.contains("referenced manual not found")).collect();
        assert!(faults.is_empty(), "{faults:#?}");
    }
}

#[test]
fn pages_are_of_this_version_and_lead_to_each_other() {
    for page in PAGES {
        let source = Page::open(page).0;
        assert!(source.contains(&format!("\n.Os \"sse-bridge {}\"\n", env!("CARGO_PKG_VERSION"))), "{page}");
        let references = source.lines().filter_map(|line| line.strip_prefix(".Xr sse-bridge"));
        for reference in references {
            let mut words = reference.split(' ');
            let file = format!("man/sse-bridge{}.{}", words.next().unwrap(), words.next().unwrap());
            assert!(path(&file).is_file() && file != page, "{page} leads to {file}");
        }
    }
}
