//! Completions are made of the definition of the command line. `SSE_BRIDGE_TEST_WRITE=1 cargo test --test manuals completions` writes them anew.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::process;

use clap::{Arg, Command, CommandFactory, ValueHint};
use clap_complete::{Shell, generate};
use sse_bridge::config::cli::Arguments;

use crate::page::path;

const FILES: [(Shell, &str); 3] = [
    (Shell::Bash, "completions/sse-bridge.bash"),
    (Shell::Zsh, "completions/_sse-bridge"),
    (Shell::Fish, "completions/sse-bridge.fish"),
];

fn made(shell: Shell) -> Vec<u8> {
    let mut made = Vec::new();
    generate(shell, &mut with_hints(Arguments::command()), "sse-bridge", &mut made);
    let text = String::from_utf8(made).unwrap();
    match shell {
        // clap_complete 4.6.12 gives the branches of subcommands two names where a program has a hyphen, and nobody comes to them.
        Shell::Bash => text.replace("sse__subcmd__bridge__subcmd__", "sse__bridge__subcmd__"),
        Shell::Zsh => by_first_word(&text),
        Shell::Fish => for_sources(&text),
        other => panic!("{other} has no completions"),
    }
    .into_bytes()
}

/// Where nothing is said of the value of an option, shells offer the names of files; here those that take files say so.
fn with_hints(command: Command) -> Command {
    let hint = |argument: Arg| {
        let is_open = !argument.is_positional() && argument.get_value_hint() == ValueHint::Unknown;
        if is_open && argument.get_action().takes_values() { argument.value_hint(ValueHint::Other) } else { argument }
    };
    command.mut_args(hint).mut_subcommands(with_hints)
}

fn once(text: &str, from: &str, to: &str) -> String {
    assert_eq!(text.matches(from).count(), 1, "clap_complete writes something else now: {from}");
    text.replace(from, to)
}

fn subcommands() -> Vec<String> {
    Arguments::command().get_subcommands().map(|known| known.get_name().to_owned()).collect()
}

/// clap_complete 4.6.12 has fish take the first source for a subcommand, behind which there are no options.
fn for_sources(text: &str) -> String {
    let is_known = format!("    if contains -- \"$argv[1]\" {}\n", subcommands().join(" "));
    let mut text = once(text, "    if set -q argv[1]\n", &is_known);
    for name in subcommands() {
        let offer = |condition: &str| format!("-n \"{condition}\" -a \"{name}\"");
        text = once(&text, &offer("__fish_sse_bridge_needs_command"), &offer("test (count (commandline -opc)) -eq 1"));
    }
    text
}

/// clap_complete 4.6.12 has zsh look for the subcommand behind the first source, where none can be. The first word decides.
fn by_first_word(text: &str) -> String {
    const ASK: &str = "    _arguments \"${_arguments_options[@]}\" : \\\n";
    const SOURCES: &str = "'::sources -- ";
    const FIRST: &str = "\":: :_sse-bridge_commands\" \\\n\"*::: :->sse-bridge\" \\\n&& ret=0\n";
    const SHIFT: &str = "        words=($line[2] \"${words[@]}\")\n        (( CURRENT += 1 ))\n";
    const END: &str = "if [ \"$funcstack[1]\" = \"_sse-bridge\" ]; then";
    let branch = format!(
        "    local -a known=({})\n    if (( CURRENT > 2 && $known[(Ie)$words[2]] )); then\n        shift words\n        \
         (( CURRENT -= 1 ))\n        state=sse-bridge\n    else\n",
        subcommands().join(" ")
    );
    let text = once(text, ASK, &format!("{branch}{ASK}"));
    let (before, behind) = text.split_once(SOURCES).expect("sources are arguments");
    let (sources, behind) = behind.split_once(":_default' \\\n").expect("sources are a line");
    let text = format!("{before}'*:sources -- {sources}:_sse-bridge_sources' \\\n{behind}");
    let text = once(&text, FIRST, "&& ret=0\n    fi\n");
    let text = once(&text, SHIFT, "").replace("$line[2]", "$words[1]");
    let sources = "_sse-bridge_sources() {\n    local ret=1\n    (( CURRENT > 2 )) || _sse-bridge_commands && ret=0\n    _files && ret=0\n    return ret\n}\n";
    once(&text, END, &format!("(( $+functions[_sse-bridge_sources] )) ||\n{sources}\n{END}"))
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
    let done = process::Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{program} (tests/install): {error}"));
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

/// What an interactive shell offers, by Tab.
fn in_zsh(words: &[&str]) -> BTreeSet<String> {
    let line = format!("sse-bridge {}", words.join(" "));
    let (driver, file) = (path("tests/manuals/menu.zsh"), path(FILES[1].1));
    let said = shell("zsh", &["-f", driver.to_str().unwrap(), file.to_str().unwrap(), &line]);
    let offered = |line: &str| line.trim_end().rsplit(' ').next().unwrap_or_default().trim_end_matches('=').to_owned();
    said.lines().filter(|offer| *offer != line).map(offered).collect()
}

fn set(words: &[&str]) -> BTreeSet<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

const SHELLS: [(&str, fn(&[&str]) -> BTreeSet<String>); 3] = [("bash", in_bash), ("fish", in_fish), ("zsh", in_zsh)];

#[test]
fn shells_complete_with_them() {
    for (name, complete) in SHELLS {
        let offers = |words: &[&str], wanted: &[&str]| assert_eq!(complete(words), set(wanted), "{name}: {words:?}");
        offers(&["--por"], &["--port"]);
        offers(&["--keep-"], &["--keep-age", "--keep-size"]);
        offers(&["hist"], &["history"]);
        offers(&["/etc/hosts", "--por"], &["--port"]);
        offers(&["cat", "--no"], &["--no-follow"]);
        offers(&["cat", "--color", ""], &["always", "auto", "never"]);
        offers(&["run", "--kill"], &["--kill-after"]);
        offers(&["healthcheck", "--tim"], &["--timeout"]);
        offers(&["history", "--ver"], &["--verify"]);
        if name != "bash" {
            offers(&["/etc/hostn"], &["/etc/hostname"]); // bash does this itself where the function has nothing
        }
    }
}

#[test]
fn each_subcommand_has_its_own_options_and_no_others() {
    let definition = Arguments::command();
    for (name, complete) in SHELLS {
        for known in definition.get_subcommands() {
            let options = known.get_arguments().filter_map(|argument| argument.get_long().map(|long| format!("--{long}")));
            let wanted: BTreeSet<_> = options.chain([String::from("--help")]).collect();
            let offered: BTreeSet<_> = complete(&[known.get_name(), "--"]);
            let long: BTreeSet<_> = offered.into_iter().filter(|word| word.starts_with("--")).collect();
            assert_eq!(long, wanted, "{name}: sse-bridge {} --", known.get_name());
        }
    }
}
