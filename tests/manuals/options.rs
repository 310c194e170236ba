use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use clap::{Arg, CommandFactory};
use sse_bridge::config::cli::Arguments;

use crate::harness::command;
use crate::page::{Item, Page};

const PAGE: &str = "man/sse-bridge.1";

/// What the program knows, for one of its subcommands.
fn known(subcommand: Option<&str>) -> Vec<Arg> {
    let mut all = Arguments::command();
    all.build();
    let command = subcommand.map_or(&all, |name| all.find_subcommand(name).unwrap());
    command.get_arguments().filter(|arg| arg.get_long().is_some()).cloned().collect()
}

fn items(subcommand: Option<&str>) -> Vec<Item> {
    let page = Page::open(PAGE);
    match subcommand {
        None | Some("run") => page.section("Sh OPTIONS"),
        Some(name) => page.section("Sh SUBCOMMANDS").section(&format!("Ss {name}")),
    }
    .items()
}

fn long(item: &Item) -> String {
    let flags = item.words_of("Fl");
    let long = flags.iter().find_map(|flag| flag.strip_prefix('-'));
    long.unwrap_or_else(|| panic!("{}", item.head)).to_owned()
}

#[test]
fn every_option_is_documented_and_every_documented_one_exists() {
    for subcommand in [None, Some("run"), Some("cat"), Some("healthcheck"), Some("history")] {
        let of_all = |name: &String| !matches!(name.as_str(), "help" | "version");
        let known: BTreeSet<_> = known(subcommand).iter().map(|arg| arg.get_long().unwrap().to_owned()).filter(of_all).collect();
        let documented: BTreeSet<_> = items(subcommand).iter().map(long).filter(of_all).collect();
        assert_eq!(documented, known, "{subcommand:?}");
    }
    let documented: Vec<_> = items(None).iter().map(long).collect();
    assert!(documented.contains(&"help".to_owned()) && documented.contains(&"version".to_owned()));
}

#[test]
fn short_forms_values_and_defaults_are_those_of_the_help() {
    for subcommand in [None, Some("cat"), Some("healthcheck"), Some("history")] {
        let items = items(subcommand);
        for option in known(subcommand) {
            let name = option.get_long().unwrap();
            let item = items.iter().find(|item| long(item) == name);
            let Some(item) = item else { continue }; // --help of a subcommand
            let short = item.words_of("Fl").iter().find(|flag| !flag.starts_with('-')).cloned();
            assert_eq!(short, option.get_short().map(String::from), "{name}");
            let is_bare = !option.get_action().takes_values();
            let value = option.get_value_names().filter(|_| !is_bare).map(|names| names[0].to_string());
            let documented = item.words_of("Ar").into_iter().chain(item.words_of("Cm")).next();
            assert_eq!(documented, value, "{name}");
            let help = option.get_help().unwrap().to_string();
            let default = help.split_once("[default: ").map(|(_, rest)| rest.strip_suffix(']').unwrap().replace('\n', " "));
            assert_eq!(item.default(), default, "{name}");
        }
    }
}

#[test]
fn subcommands_are_those_that_there_are() {
    let known: BTreeSet<_> = Arguments::command().get_subcommands().map(|command| command.get_name().to_owned()).collect();
    let page = Page::open(PAGE);
    let documented = page.section("Sh SUBCOMMANDS");
    let documented: BTreeSet<_> =
        documented.source().lines().filter_map(|line| line.strip_prefix(".Ss ")).map(str::to_owned).collect();
    assert_eq!(documented, known);
    let synopsis = page.section("Sh SYNOPSIS").words_of("Cm");
    assert_eq!(synopsis.into_iter().collect::<BTreeSet<_>>(), known);
}

/// Runs a line of the manual in a shell, where `sse-bridge` checks what it is told and serves nothing; gives what that said, and the exit code.
fn tried(line: &str) -> (i32, String) {
    let root = tempfile::tempdir().unwrap();
    let config = root.path().join("etc");
    fs::create_dir(&config).unwrap();
    fs::write(config.join("x.toml"), "[[source]]\nread = \"/x\"\n").unwrap();
    let program = command(&[]).get_program().to_str().unwrap().to_owned();
    let shim = format!(
        "#!/bin/sh\nfirst=$1\ncase $first in\nrun) shift; set -- run --check \"$@\" ;;\ncat) shift; set -- cat --max-wait 1ms \"$@\" ;;\n\
         history | --check) ;;\n*) set -- --check \"$@\" ;;\nesac\n'{program}' \"$@\" 2>&1\necho \"$first: $?\"\n"
    );
    for (name, text) in [("sse-bridge", shim.as_str()), ("make", "#!/bin/sh\n")] {
        let path = root.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let line = line.replace("/etc/sse-bridge", config.to_str().unwrap()).replace("/var/lib/sse-bridge", "/nowhere");
    let path = format!("{}:/usr/bin:/bin", root.path().display());
    // The reader of a pipe is asked as well: what is said of it stands behind.
    let mut shell = Command::new("sh");
    let done = shell.args(["-c", &line]).current_dir(root.path()).env("PATH", path).output().unwrap();
    (done.status.code().unwrap(), String::from_utf8_lossy(&done.stdout).into_owned())
}

#[test]
fn examples_work() {
    let examples = Page::open(PAGE).section("Sh EXAMPLES").lines();
    assert!(examples.len() > 8, "{examples:?}");
    for example in examples {
        let (code, said) = tried(&example);
        let last = said.lines().last().unwrap_or_default();
        let wanted = match example.split_whitespace().nth(1) {
            Some("history") => "history: 2",                    // there is none
            Some("cat") if !example.contains('|') => "cat: 75", // nobody serves
            _ => ": 0",
        };
        assert!(code == 0 && last.ends_with(wanted), "{example}\n{code} {said}");
        assert!(!said.contains("unexpected argument"), "{example}\n{said}");
    }
}

#[test]
fn exit_codes_are_all_told() {
    let page = Page::open(PAGE).section("Sh EXIT STATUS");
    let codes: Vec<_> = page.items().into_iter().map(|item| item.head).collect();
    assert_eq!(codes, ["0", "1", "2", "75", "126 , 127"]);
}
