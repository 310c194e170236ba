//! The manual of the state directory and the code say the same: names, version, flags; and its example is a state directory.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use sse_bridge::event::Position;
use sse_bridge::store::disk::{layout, record};

use crate::harness::parser::{self, Fault};
use crate::harness::run_to_end;

const PAGE: &str = "man/sse-bridge-state.5";

/// The page as it was written, with the characters that it shows.
fn page() -> String {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE)).unwrap();
    page.replace("\\-", "-").replace("\\(aq", "'").replace("\\(ha", "^")
}

/// The words of the page without fonts, apart by one space.
fn words() -> String {
    let page = page();
    let lines = page.lines().filter(|line| !line.starts_with(".\\\""));
    let words = lines.flat_map(|line| {
        let (font, text) = line.strip_prefix('.').and_then(|line| line.split_once(' ')).unwrap_or(("", line));
        let is_joined = ["BR", "RB", "IB", "BI", "IR", "RI"].contains(&font);
        let text = if is_joined { text.replace(' ', "") } else { text.to_owned() };
        text.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    });
    words.collect::<Vec<_>>().join(" ")
}

/// The files that the page shows, by their names below the state directory.
fn examples() -> BTreeMap<String, String> {
    let page = page();
    let examples = page.split(".\\\" example: ").skip(1).map(|part| {
        let (name, rest) = part.split_once('\n').unwrap();
        let text = rest.strip_prefix(".EX\n").and_then(|rest| rest.split_once(".EE\n")).unwrap().0;
        (name.to_owned(), text.to_owned())
    });
    examples.collect()
}

#[test]
fn its_example_is_a_state_directory() {
    let state = tempfile::tempdir().unwrap();
    let examples = examples();
    assert_eq!(examples.len(), 5, "{examples:?}");
    for (name, text) in &examples {
        let path = state.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let (code, out, err) = run_to_end(&["history", "--verify", "--json", state.path().to_str().unwrap()], Stdio::null());
    let objects: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(code == 0 && err.is_empty() && objects.len() == 2, "{code}: {out}{err}");
    assert_eq!(
        (&objects[0]["channel"], &objects[0]["events"], &objects[0]["gone"]),
        (&"web/access.log".into(), &3.into(), &4100.into())
    );
    let segment = examples.iter().find(|(name, _)| name.ends_with(".sse")).unwrap().1;
    // What clients are sent has no such comments, so the parser is stricter there than a file.
    let parsed = parser::parse(segment.as_bytes());
    let is_commit = |fault: &Fault| matches!(fault, Fault::Form(line) if line.starts_with(":= "));
    assert!(parsed.violations.iter().all(|violation| is_commit(&violation.fault)), "{:?}", parsed.violations);
    let read: Vec<_> = parsed.messages.into_iter().map(|event| (event.id, event.data)).collect();
    let event = |id: &str, data: &str| (format!("{id}/web/access.log"), data.to_owned());
    assert_eq!(read[0], event("1763660000123-4821", "GET / 200"));
    assert_eq!(read[1..], [event("1763660001007-4830", "GET /favicon.ico 404"), event("1763660001007-4831", "GET /about 200")]);
}

#[test]
fn it_names_every_file_as_the_code_does() {
    let words = words();
    let first = Position { time: 1_763_660_000_123, number: 4821 };
    assert!(examples().contains_key(&format!("web/access.log/{}", layout::segment_name(first))));
    for name in [layout::LIFE, layout::SYNCED, layout::UNCOUNTED, layout::LOCK] {
        assert!(words.contains(&format!("STATE/{name} ")), "{name}");
    }
    for (name, shown) in [
        (layout::damaged_name("", 0), "TIME-NUMBER.sse.damaged"),
        (layout::damaged_name(".sse", 1), ".sse.1.damaged"),
        (layout::mending_name(".sse"), "TIME-NUMBER.sse.mending"),
        (layout::directory_of(&"x.sse".parse().unwrap()).display().to_string(), "STATE/x%2Esse/"),
    ] {
        assert!(shown.contains(&name) && words.contains(shown), "{name}: {shown}");
    }
}

#[test]
fn it_tells_the_version_and_the_bounds_of_the_format() {
    let words = words();
    assert!(words.contains(&format!("This describes version {} of the format.", record::VERSION)));
    assert!(words.contains(&format!("printable ASCII of at most {} bytes", record::MAX_SOURCE)));
    assert!(page().lines().nth(1).unwrap().contains(&format!("\"sse-bridge {}\"", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn every_flag_that_it_names_exists() {
    let helps = [&["--help"][..], &["history", "--help"]].map(|arguments| run_to_end(arguments, Stdio::null()).1).concat();
    let words = words();
    let flags: Vec<_> = words.split([' ', ',', '[', ']', '.', ')', '"']).filter(|word| word.starts_with("--")).collect();
    for flag in &flags {
        let is_anothers = flag.starts_with("--exclude=");
        assert!(is_anothers || helps.contains(&format!("{flag} ")), "{flag}");
    }
    for flag in ["--state-dir", "--sync", "--keep-size", "--keep-age", "--verify", "--json"] {
        assert!(flags.contains(&flag), "{flag}");
    }
    for (when, is_one) in [("never", true), ("interval", true), ("always", true), ("hourly", false)] {
        assert_eq!(words.contains(&format!("--sync {when} ")), is_one, "{when}");
        let code = run_to_end(&["--check", "--state-dir", "/nowhere", "--sync", when], Stdio::null()).0;
        assert_eq!(code, if is_one { 0 } else { 2 }, "{when}");
    }
}

#[test]
fn it_is_a_good_manual_page() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let lint = Command::new("mandoc").args(["-Tlint", "-Wall"]).arg(path).output().expect("mandoc (tests/install)");
    assert!(lint.status.success() && lint.stdout.is_empty(), "{}", String::from_utf8_lossy(&lint.stdout));
}
