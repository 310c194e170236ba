use std::collections::BTreeSet;
use std::fs;
use std::process::Stdio;

use clap::CommandFactory;
use sse_bridge::config::cli::Arguments;
use sse_bridge::config::said::Scope;

use crate::harness::{Bridge, command, eventually, run_to_end};
use crate::page::{Item, Page, path};

const PAGE: &str = "man/sse-bridge.toml.5";

fn items(section: &str) -> Vec<Item> {
    Page::open(PAGE).section(&format!("Sh {section}")).items()
}

fn key(item: &Item) -> String {
    item.words_of("Ic")[0].clone()
}

fn keys(section: &str) -> BTreeSet<String> {
    items(section).iter().map(key).collect()
}

fn of(scope: Scope) -> BTreeSet<String> {
    scope.names().into_iter().collect()
}

#[test]
fn every_key_is_documented_where_it_may_stand_and_every_documented_one_exists() {
    assert_eq!(keys("KEYS OF SOURCES"), of(Scope::Source));
    assert_eq!(keys("KEYS OF THE DAEMON"), &of(Scope::Daemon) - &of(Scope::Source));
    assert_eq!(keys("SOURCES"), ["name", "read"].map(str::to_owned).into());
}

#[test]
fn defaults_are_those_of_the_help() {
    let options = Arguments::command();
    for item in items("KEYS OF THE DAEMON").iter().chain(&items("KEYS OF SOURCES")) {
        let name = key(item);
        let help = options.get_arguments().find(|arg| arg.get_long() == Some(&name)).unwrap().get_help().unwrap().to_string();
        let (_, default) = help.split_once("[default: ").unwrap();
        assert_eq!(item.default(), Some(default.strip_suffix(']').unwrap().replace('\n', " ")), "{name}");
    }
}

/// Keys with bounds: the least and the most value, as the page says them, and values beside them.
const BOUNDS: &[(&str, &str, Option<&str>, &str, Option<&str>)] = &[
    ("port", "0", Some("65535"), "-1", Some("65536")),
    ("max-clients", "1", Some("1000000"), "0", Some("1000001")),
    ("heartbeat", "1s", Some("1h"), "999ms", Some("3601s")),
    ("retry", "500ms", Some("24h"), "499ms", Some("86401s")),
    ("write-timeout", "1s", None, "999ms", None),
    ("history", "256KiB", None, "255KiB", None),
    ("keep-size", "1MiB", None, "1023KiB", None),
    ("keep-age", "1s", None, "999ms", None),
    ("rotate-wait", "0s", Some("1h"), "-1s", Some("3601s")),
    ("flush-partial", "10ms", None, "9ms", None),
    ("max-line", "16", Some("256MiB"), "15", Some("257MiB")),
    ("kill-after", "0s", Some("1h"), "-1s", Some("3601s")),
    ("multiline-wait", "10ms", Some("1m"), "9ms", Some("61s")),
    ("verbose", "0", Some("4"), "-1", Some("5")),
    ("quiet", "0", Some("4"), "-1", Some("5")),
];

fn well() -> (i32, String) {
    (0, "the configuration is good\n".to_owned())
}

/// What `--check` says of this file.
fn checked(text: &str) -> (i32, String) {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("x.toml");
    fs::write(&path, text).unwrap();
    let (code, _, err) = run_to_end(&["--check", "--config", path.to_str().unwrap()], Stdio::null());
    (code, err)
}

#[test]
fn bounds_are_those_that_hold() {
    let items: Vec<_> = items("KEYS OF THE DAEMON").into_iter().chain(items("KEYS OF SOURCES")).collect();
    for (name, least, most, below, above) in BOUNDS {
        let item = items.iter().find(|item| key(item) == *name).unwrap();
        let text = item.text.replace('\n', " ").to_lowercase();
        let said = match (*least, most) {
            ("0s", Some(most)) => format!("up to {most}"),
            (_, Some(most)) => format!("from {least}{} to {most}", if *name == "max-line" { " bytes" } else { "" }),
            (_, None) => format!("from {} on", least.to_lowercase()),
        };
        assert!(text.contains(&said.to_lowercase()), "{name}: {said}: {text}");
        let with = |value: &str| {
            let needed = match *name {
                "keep-size" | "keep-age" => "state-dir = \"/nowhere\"\n",
                "multiline-wait" => "multiline = \"indent\"\n",
                _ => "",
            };
            let value = if value.bytes().all(|byte| byte.is_ascii_digit()) { value.to_owned() } else { format!("\"{value}\"") };
            checked(&format!("{needed}{name} = {value}\n[[source]]\nread = \"exec:true\"\n"))
        };
        for good in [Some(*least), *most].into_iter().flatten() {
            assert_eq!(with(good).0, 0, "{name} = {good}");
        }
        for bad in [Some(*below), *above].into_iter().flatten() {
            assert_eq!(with(bad).0, 2, "{name} = {bad}");
        }
    }
}

#[test]
fn examples_can_be_run() {
    let examples = Page::open(PAGE).blocks("toml");
    assert_eq!(examples.len(), 4);
    let readme = fs::read_to_string(path("README.md")).unwrap();
    let of_readme: Vec<_> = readme.split("```toml\n").skip(1).map(|part| part.split("```").next().unwrap().to_owned()).collect();
    assert_eq!(of_readme.len(), 1);
    for example in examples.into_iter().chain(of_readme) {
        assert_eq!(checked(&example), well(), "{example}");
    }
}

#[test]
fn files_without_a_source_are_refused_where_there_is_no_standard_input() {
    let (code, said) = checked("port = 0\n");
    assert!(code == 2 && said.contains("x.toml' names no source") && said.contains("[[source]]"), "{code} {said}");
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("x.toml");
    fs::write(&path, "port = 0\n").unwrap();
    let mut piped = Bridge::spawn({
        let mut command = command(&["--config", path.to_str().unwrap()]);
        command.stdin(Stdio::piped());
        command
    });
    piped.feed(b"a line\n");
    let mut stream = piped.get("/events");
    let read = std::iter::from_fn(|| stream.next_event()).find(|event| event.event == "message");
    assert_eq!(read.map(|event| event.data).as_deref(), Some("a line"), "who has a pipe reads it");
}

/// Another value of each key of the daemon than that of the file that it starts with.
const OTHERS: &[(&str, &str)] = &[
    ("port", "1"),
    ("listen", "\"127.0.0.1\""),
    ("allow-anonymous", "true"),
    ("allow-host", "\"example.com\""),
    ("cors-origin", "\"https://example.com\""),
    ("title", "\"other\""),
    ("max-clients", "7"),
    ("tail", "7"),
    ("heartbeat", "\"7s\""),
    ("retry", "\"7s\""),
    ("write-timeout", "\"7s\""),
    ("history", "\"7MiB\""),
    ("state-dir", "\"/nowhere\""),
    ("sync", "\"always\""),
    ("keep-size", "\"7MiB\""),
    ("keep-age", "\"7d\""),
    ("rotate-wait", "\"7s\""),
    ("poll", "true"),
    ("tee", "true"),
    ("exit-on-eof", "\"7s\""),
    ("log-format", "\"json\""),
    ("verbose", "1"),
    ("quiet", "0"),
];

#[test]
fn a_reload_changes_what_the_page_says_and_names_the_rest() {
    let reload = Page::open(PAGE).section("Sh RELOAD");
    let [at_once, later] = ["Ss What changes at once", "Ss What needs another start"]
        .map(|part| reload.section(part).words_of("Ic").into_iter().collect::<BTreeSet<_>>());
    let known = &of(Scope::Daemon) - &of(Scope::Source);
    assert_eq!(&at_once | &later, known);
    assert!(at_once.is_disjoint(&later), "{:?}", &at_once & &later);
    assert_eq!(OTHERS.iter().map(|(name, _)| (*name).to_owned()).collect::<BTreeSet<_>>(), known);

    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("x.toml");
    let write = |name: &str, value: &str| {
        let base = [("port", "0".to_owned()), ("state-dir", format!("{:?}", root.path().join("state")))];
        let kept = base.into_iter().filter(|(key, _)| *key != name).map(|(key, value)| format!("{key} = {value}\n"));
        let said = if name.is_empty() { String::new() } else { format!("{name} = {value}\n") };
        let sources = "[[source]]\nread = \"-\"\n[[source]]\nread = \"/nowhere.log\"\n";
        fs::write(&path, kept.collect::<String>() + &said + sources).unwrap();
    };
    write("", "");
    let bridge = Bridge::spawn(command(&["--config", path.to_str().unwrap()]));
    for (round, (name, value)) in OTHERS.iter().enumerate() {
        write(name, value);
        bridge.signal("HUP");
        let said = || bridge.stderr();
        let reloaded = |said: &String| said.lines().filter(|line| line.starts_with("reloaded")).count() == round + 1;
        eventually(&format!("the reload with another {name}"), said, reloaded);
        if later.contains(*name) {
            let named = |said: &String| {
                let last = said.lines().rfind(|line| line.starts_with("warning: another start is needed for: ")).unwrap_or("");
                last.split([' ', ',']).any(|word| word == *name)
            };
            eventually(&format!("the line that names {name}"), said, named);
        }
    }
    let lines = bridge.stderr().lines().filter(|line| line.starts_with("warning: another start")).count();
    assert_eq!(lines, later.len(), "nothing else needs one: {}", bridge.stderr());
}
