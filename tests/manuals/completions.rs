//! Completions are made of the definition of the command line. `SSE_BRIDGE_TEST_WRITE=1 cargo test --test manuals completions` writes them anew.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::process::Command;

use clap::CommandFactory;
use clap_complete::{Shell, generate};
use sse_bridge::config::cli::Arguments;

use crate::page::path;

const FILES: [(Shell, &str); 3] = [
    (Shell::Bash, "completions/sse-bridge.bash"),
    (Shell::Zsh, "completions/_sse-bridge"),
    (Shell::Fish, "completions/sse-bridge.fish"),
];

/// clap_complete 4.6.12 gives the branches of subcommands two names where a program has a hyphen, and nobody comes to them.
fn made(shell: Shell) -> Vec<u8> {
    let mut made = Vec::new();
    generate(shell, &mut Arguments::command(), "sse-bridge", &mut made);
    let text = String::from_utf8(made).unwrap();
    if shell == Shell::Bash { text.replace("sse__subcmd__bridge__subcmd__", "sse__bridge__subcmd__") } else { text }.into_bytes()
}

#[test]
fn files_are_those_of_this_definition() {
    for (shell, file) in FILES {
        let made = made(shell);
        if env::var_os("SSE_BRIDGE_TEST_WRITE").is_some() {
            fs::create_dir_all(path("completions")).unwrap();
            fs::write(path(file), &made).unwrap();
        }
        let kept = fs::read(path(file)).unwrap_or_default();
        assert!(kept == made, "{file} is of another definition: SSE_BRIDGE_TEST_WRITE=1 cargo test --test manuals completions");
    }
}

fn shell(program: &str, arguments: &[&str]) -> String {
    let done = Command::new(program).args(arguments).output().unwrap_or_else(|error| panic!("{program} (tests/install): {error}"));
    assert!(done.status.success() && done.stderr.is_empty(), "{program}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

#[test]
fn shells_can_read_them() {
    for (program, file) in [("bash", FILES[0].1), ("zsh", FILES[1].1), ("fish", FILES[2].1)] {
        shell(program, &["-n", path(file).to_str().unwrap()]);
    }
}

fn in_bash(words: &[&str]) -> BTreeSet<String> {
    let script = "source \"$1\"; shift; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); cur=${!#}\n\
                  $(complete -p sse-bridge | sed 's/.*-F \\([^ ]*\\).*/\\1/') sse-bridge \"$cur\" \"${COMP_WORDS[COMP_CWORD-1]}\"\n\
                  printf '%s\\n' \"${COMPREPLY[@]}\"";
    let file = path(FILES[0].1);
    // `compopt` speaks to a completion that is under way, and here there is none.
    let script = format!("compopt() {{ :; }}; {script}");
    let said = shell("bash", &[&["--norc", "-c", &script, "bash", file.to_str().unwrap(), "sse-bridge"], words].concat());
    said.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

fn in_fish(words: &[&str]) -> BTreeSet<String> {
    let line = format!("sse-bridge {}", words.join(" "));
    let script = format!("source '{}'; complete -C '{line}'", path(FILES[2].1).display());
    shell("fish", &["--no-config", "-c", &script]).lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect()
}

fn set(words: &[&str]) -> BTreeSet<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn bash_and_fish_complete_with_them() {
    for complete in [in_bash as fn(&[&str]) -> BTreeSet<String>, in_fish] {
        assert_eq!(complete(&["--keep-"]), set(&["--keep-age", "--keep-size"]));
        assert_eq!(complete(&["hist"]), set(&["history"]));
        assert_eq!(complete(&["cat", "--no"]), set(&["--no-follow"]));
        assert_eq!(complete(&["cat", "--color", ""]), set(&["always", "auto", "never"]));
        assert!(complete(&["run", "--pt"]).iter().all(|word| word.starts_with("--pty")));
    }
}
