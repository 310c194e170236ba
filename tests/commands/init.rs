use std::process::{Command, Stdio};

use crate::harness::{Bridge, command, eventually};
use crate::scene::{all_of, lines_of, sh, stat, until_line, zombies_of};

/// The command line of a daemon that is the first process of a namespace of its own: as root, or as one who may be root in it.
fn as_init(words: &[&str]) -> Command {
    let ways: [&[&str]; 2] = [&["--pid"], &["--user", "--map-root-user", "--pid"]];
    let unshare = |way: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(way).args(["--fork", "--kill-child", "--mount-proc"]);
        command
    };
    let is_permitted =
        |way: &&&[&str]| unshare(way).arg("true").stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    let way = ways
        .iter()
        .find(is_permitted)
        .expect("this machine lets a process have a namespace of processes of its own (unshare --pid)");
    let mut starting = unshare(way);
    starting.arg(env!("CARGO_BIN_EXE_sse-bridge")).args(words);
    starting.env_remove("STATE_DIRECTORY");
    starting
}

/// The daemon inside: the only child of `unshare`.
fn inside(bridge: &Bridge) -> u32 {
    let all = std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let found: Vec<u32> = all.filter(|process| stat(*process).is_some_and(|stat| stat.parent == bridge.pid())).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found[0]
}

#[test]
fn orphans_are_waited_for_and_no_exit_code_is_lost() {
    let orphans = "for n in 1 2 3 4 5 6 7 8 9; do (setsid sh -c 'sleep 0.0'$0 & ) ; done; exit 33";
    let words = ["run", "--port", "0", "--restart", "on-failure", "--", "sh", "-c"];
    let mut starting = as_init(&words);
    starting.args([&format!("echo run; {orphans}"), "5"]);
    let bridge = Bridge::spawn(starting);
    let mut stream = bridge.get("/events/sh/stdout?tail=all");
    for run in 1..=4 {
        until_line(&mut stream, "run");
        let exited = crate::scene::until_event(&mut stream, "run");
        assert_eq!(exited.data, format!(r#"{{"channel":"sh/stdout","run":{run},"state":"exited","exit":33}}"#));
        crate::scene::until_event(&mut stream, "run");
    }
    let daemon = inside(&bridge);
    eventually("no zombie", || zombies_of(daemon), Vec::is_empty);
}

#[test]
fn the_first_process_is_stopped_like_any_other() {
    let mut starting = as_init(&["run", "--port", "0", "--", "sh", "-c"]);
    starting.arg("trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.05; done");
    let mut bridge = Bridge::spawn(starting);
    let mut stream = bridge.get("/events/sh/stdout?tail=all");
    until_line(&mut stream, "ready");
    let sent = Command::new("kill").args(["-TERM", &inside(&bridge).to_string()]).status().unwrap();
    assert!(sent.success());
    until_line(&mut stream, "bye");
    assert_eq!(bridge.wait(), 0);
}

/// Also without commands: a container's engine may put processes into it.
#[test]
fn orphans_of_strangers_are_waited_for() {
    let starting = as_init(&["--port", "0", "-"]);
    let bridge = Bridge::spawn(starting);
    let daemon = inside(&bridge);
    for _ in 0..5 {
        let entered = Command::new("nsenter")
            .args(["--target", &daemon.to_string(), "--pid", "--mount", "sh", "-c", "(sleep 0.05 &)"])
            .status()
            .unwrap();
        assert!(entered.success());
    }
    let children = || {
        let all = std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        all.filter(|process: &u32| stat(*process).is_some_and(|stat| stat.parent == daemon)).collect::<Vec<_>>()
    };
    eventually("no child, alive or not", children, Vec::is_empty);
}

/// The daemon is the parent of its commands' orphans everywhere.
#[test]
fn orphans_of_commands_are_waited_for_without_a_namespace() {
    let bridge = sh(&[], "for n in 1 2 3; do (setsid sleep 0.3 >/dev/null 2>&1 &); done; exit 44");
    let events = all_of(&bridge, "/events/sh/stdout");
    assert_eq!(events.last().unwrap().data, r#"{"channel":"sh/stdout","reason":"exited","exit":44}"#);
    eventually("no zombie", || zombies_of(bridge.pid()), Vec::is_empty);
    let bridge = Bridge::spawn(command(&["run", "--port", "0", "--", "sh", "-c", "true & true & true & sleep 0.1; echo done"]));
    assert_eq!(lines_of(&bridge, "/events/sh"), ["done"]);
    assert!(zombies_of(bridge.pid()).is_empty());
}
