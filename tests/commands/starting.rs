use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use crate::harness::{Bridge, eventually, run_to_end};
use crate::scene::{all_of, lines_of, sh, state};

fn run(arguments: &[&str]) -> (i32, String) {
    let (code, out, err) = run_to_end(&[&["run", "--port", "0", "--exit-on-eof"], arguments].concat(), Stdio::null());
    assert_eq!(out, "", "standard output is the user's");
    (code, err)
}

#[test]
fn what_cannot_be_started_is_told_in_one_line_before_anything_is_served() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str, rights| {
        let path = directory.path().join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(rights)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let text = file("text", "hello\n", 0o644);
    let orphaned = file("orphaned", "#!/not/there\n", 0o755);
    let missing = format!("{text}.missing");
    for (program, code, words) in [
        ("sse-bridge-not-there", 127, "no such file or directory; hint: no directory in PATH has"),
        (&*missing, 127, "no such file or directory; hint: relative paths begin at"),
        (&orphaned, 127, "hint: '/"),
        (&text, 126, "permission denied; hint: chmod +x"),
        ("/", 2, "tells no name"),
        ("/tmp", 126, "permission denied; hint: it is a directory"),
    ] {
        for options in [&[][..], &["--pty"]] {
            let (seen, err) = run(&[options, &["--", program, "argument"]].concat());
            assert_eq!(seen, code, "{program} {options:?}: {err}");
            assert!(err.contains(words) && err.lines().count() == 1, "{program} {options:?}: {err}");
            assert!(!err.contains("listening"), "{err}");
        }
    }
    // Whatever happens at the end, whoever runs it wants to know.
    let (code, _, err) = run_to_end(&["run", "--port", "0", "--", "sse-bridge-not-there"], Stdio::null());
    assert_eq!(code, 127, "{err}");
}

/// As a shell does it.
#[test]
fn a_script_that_names_no_interpreter_is_run_by_the_shell() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("script");
    fs::write(&path, "echo \"$0 $1\"\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let search = format!("{}:{}", directory.path().display(), std::env::var("PATH").unwrap());
    for options in [&[][..], &["--pty"]] {
        for program in [path.to_str().unwrap(), "script"] {
            let mut starting = crate::harness::command(&[&["run", "--port", "0"], options, &["--", program, "one"]].concat());
            starting.env("PATH", &search);
            assert_eq!(lines_of(&Bridge::spawn(starting), "/events/script"), [format!("{} one", path.display())]);
        }
    }
}

#[test]
fn a_name_with_line_breaks_is_told_in_one_line() {
    let (code, err) = run(&["--name", "x", "--", "no\nsuch\x1b[31mprogram"]);
    assert_eq!(code, 127);
    assert!(err.lines().count() == 1 && !err.contains('\x1b'), "{err:?}");
}

#[test]
fn among_others_it_is_a_source_that_has_failed() {
    let bridge = Bridge::start(&["--exit-on-eof=60s", "bad=exec:sse-bridge-not-there", "good=exec:echo fine"]);
    let events = all_of(&bridge, "/events/bad/stdout");
    let last = events.last().unwrap();
    assert_eq!((&*last.event, &*last.data), ("end", r#"{"channel":"bad/stdout","reason":"exited","exit":127}"#));
    assert_eq!(lines_of(&bridge, "/events/good"), ["fine"]);
    let said = lines_of(&bridge, "/events/bad/stderr");
    assert!(said.len() == 1 && said[0].contains("not found"), "{said:?}");
}

#[test]
fn what_is_missing_now_may_come() {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("program");
    let path = program.to_str().unwrap();
    let bridge = Bridge::spawn(crate::harness::command(&["run", "--port", "0", "--restart", "on-failure", "--", path]));
    bridge.wait_for_stderr("no such file or directory; hint: relative paths begin at the working directory; trying again in ");
    let seen = state(&bridge, "program/stdout");
    assert_eq!(seen, ("failing".to_owned(), Some("no such file or directory".to_owned())));
    assert_eq!(bridge.get("/readyz?strict").status(), 503);
    // In one step, or it is found while it is written.
    let other = directory.path().join("other");
    fs::write(&other, "#!/bin/sh\necho here\n").unwrap();
    fs::set_permissions(&other, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(&other, &program).unwrap();
    let events = all_of(&bridge, "/events/program/stdout");
    let shown: Vec<_> = events.iter().map(|message| &*message.data).collect();
    assert_eq!(
        shown,
        [
            r#"{"channel":"program/stdout","run":1,"state":"started","exit":null}"#,
            "here",
            r#"{"channel":"program/stdout","run":1,"state":"exited","exit":0}"#,
            r#"{"channel":"program/stdout","reason":"exited","exit":0}"#,
        ]
    );
    assert_eq!(bridge.get("/readyz?strict").status(), 200);
}

#[test]
fn the_channels_of_a_command_are_named_and_there_before_its_first_line() {
    let bridge = sh(&["--name", "a/b"], "sleep 1000");
    for name in ["a/b/stdout", "a/b/stderr"] {
        assert_eq!(state(&bridge, name), ("open".to_owned(), None));
        assert_eq!(bridge.get(&format!("/events/{name}")).status(), 200);
    }
    assert_eq!(bridge.get("/events/a/b").status(), 200);
    assert_eq!(bridge.get("/events/sh").status(), 404);
}

#[test]
fn several_run_at_once_and_beside_other_sources() {
    let mut bridge = Bridge::start(&["a=exec:echo 1; echo 2", "b=exec:echo 3 >&2", "exec:printf 4", "-"]);
    bridge.feed(b"5\n");
    bridge.end_input();
    let mut lines = lines_of(&bridge, "/events");
    lines.sort();
    assert_eq!(lines, ["1", "2", "3", "4", "5"]);
    assert_eq!(lines_of(&bridge, "/events/a"), ["1", "2"]);
    assert_eq!(lines_of(&bridge, "/events/b/stderr"), ["3"]);
    assert_eq!(lines_of(&bridge, "/events/printf"), ["4"]);
    let said = eventually("all ends", || bridge.stderr(), |said| said.matches(" ended").count() == 4);
    assert!(said.contains("a ended (exit code 0) after 2 lines; "), "{said}");
}

#[test]
fn the_help_is_about_commands() {
    let (code, out, _) = run_to_end(&["run", "--help"], Stdio::null());
    assert_eq!(code, 0);
    for words in ["Usage: sse-bridge run [OPTIONS] <COMMAND>...", "--pty", "--restart <WHEN>", "127 if there is no such", "--port"]
    {
        assert!(out.contains(words), "{words}: {out}");
    }
    let (code, _, err) = run_to_end(&["run"], Stdio::null());
    assert!(code == 2 && err.contains("COMMAND") && err.lines().count() == 1, "{err}");
}
