//! What a line is.

use std::fs;
use std::process::{Command, Stdio};

use crate::harness::{Bridge, command};
use crate::scene::{Scene, append, event, metric, retained, shown, wait_for};

#[test]
fn what_docker_writes_is_the_program_s_own_output() {
    let scene = Scene::new();
    let line = |stream: &str, log: &str| {
        format!("{{\"log\":{},\"stream\":\"{stream}\",\"time\":\"2026-11-21T10:00:00.1Z\"}}\n", serde_json::to_string(log).unwrap())
    };
    scene.append(&(line("stdout", "hello \"you\" €\n") + &line("stderr", "\u{1b}[31mred\u{1b}[m\n") + "not json\n"));
    let bridge = scene.follow(&["--format", "json", "--data-field", "log", "--event-type-field", "stream", "--strip-ansi"]);
    scene.append(&line("stdout", ""));
    let expected = [event("stdout", "hello \"you\" €"), event("stderr", "red"), event("message", "not json"), event("stdout", "")];
    assert_eq!(wait_for(&bridge, 4), expected);
    assert_eq!(metric(&bridge, "unmapped_lines_total"), 1);
    assert!(bridge.wait_for_stderr("not of the --format").contains("app"));
}

#[test]
fn fields_are_chosen_and_types_are_checked() {
    let mut bridge =
        Bridge::start(&["--format=json", "--event-type-field=level", "--only-fields=msg,k8s.pod", "--event-type=line"]);
    bridge.feed(b"{\"level\":\"warn\",\"msg\":\"a\",\"k8s\":{\"pod\":\"p\",\"uid\":1},\"secret\":2}\n{\"msg\":[1, 2]}\n");
    bridge.feed(b"{\"level\":\"gap\",\"msg\":1}\n{\"level\":\"a\\nb\"}\n{\"level\":30}\n");
    let expected = [
        event("warn", r#"{"msg":"a","k8s.pod":"p"}"#),
        event("line", r#"{"msg":[1, 2]}"#),
        event("message", r#"{"msg":1}"#),
        event("message", "{}"),
        event("30", "{}"),
    ];
    assert_eq!(wait_for(&bridge, 5), expected);
    assert_eq!(metric(&bridge, "refused_types_total"), 2);
}

#[test]
fn a_document_of_ten_mebibytes_and_one_of_great_depth_are_lines() {
    let mut bridge = Bridge::start(&["--format=json", "--data-field=log", "--max-line=16MiB"]);
    let large = format!("{{\"x\":\"{}\",\"log\":\"after it\"}}\n", "y".repeat(10 << 20));
    let deep = format!("{{\"x\":{}{},\"log\":\"below\"}}\n", "[".repeat(100_000), "]".repeat(100_000));
    bridge.feed(large.as_bytes());
    bridge.feed(deep.as_bytes());
    assert_eq!(wait_for(&bridge, 2), [event("message", "after it"), event("message", "below")]);
}

#[test]
fn a_container_s_log_is_joined_through_its_rotation() {
    let scene = Scene::new();
    let line = |stream: &str, tag: &str, text: &str| format!("2026-11-21T10:00:00.000000001Z {stream} {tag} {text}\n");
    scene.append(&(line("stdout", "P", "one, ") + &line("stderr", "F", "oops") + &line("stdout", "F", "two")));
    let bridge = scene.follow(&["--format", "cri", "--event-type-field", "stream", "--rotate-wait", "200ms"]);
    assert_eq!(wait_for(&bridge, 2), [event("stdout", "one, two"), event("stderr", "oops")]);
    // Rotated inside a line: what it has is an event when the old file is over.
    scene.append(&line("stdout", "P", "never ended"));
    fs::rename(scene.log(), scene.path("app.log.1")).unwrap();
    append(&scene.path("app.log.1"), &line("stdout", "P", ", late"));
    scene.append(&line("stdout", "F", "next"));
    let mut events = wait_for(&bridge, 4).split_off(2);
    events.sort();
    assert_eq!(events, [event("stdout", "never ended, late"), event("stdout", "next")]);
    assert_eq!(metric(&bridge, "source_gaps_total"), 0, "{}", bridge.stderr());
}

#[test]
fn names_that_find_prints_are_whole_whatever_is_in_them() {
    let scene = Scene::new();
    let names = ["plain", "with\nline", "with\r\nboth", " "];
    fs::create_dir(scene.path("d")).unwrap();
    names.iter().for_each(|name| fs::write(scene.path("d").join(name), "").unwrap());
    let found = Command::new("find").args([".", "-type", "f", "-print0"]).current_dir(scene.path("d")).output().unwrap();
    let mut bridge = Bridge::start(&["--format", "null"]);
    bridge.feed(&found.stdout);
    bridge.end_input();
    let mut shown: Vec<_> = wait_for(&bridge, 5).into_iter().filter(|(kind, _)| kind == "message").map(|(_, data)| data).collect();
    shown.sort();
    let mut expected: Vec<_> = names.iter().map(|name| format!("./{}", name.replace("\r\n", "\n"))).collect();
    expected.sort();
    assert_eq!(shown, expected);
}

#[test]
fn a_record_that_does_not_end_is_the_last() {
    let mut bridge = Bridge::start(&["--format", "null"]);
    bridge.feed(b"a\nb\0c");
    bridge.end_input();
    assert_eq!(wait_for(&bridge, 3)[..2], [event("message", "a\nb"), event("message", "c")]);
}

#[test]
fn text_is_as_it_was() {
    let mut bridge = Bridge::start(&["--event-type=tick"]);
    bridge.feed(b"{\"a\":1}\n \tindented\n\x1b[1mbold\n2026-T stdout F x\n");
    let expected = [r#"{"a":1}"#, " \tindented", "\x1b[1mbold", "2026-T stdout F x"].map(|data| event("tick", data));
    assert_eq!(wait_for(&bridge, 4), expected);
}

#[test]
fn tee_copies_what_was_read() {
    let mut child = command(&["--port=0", "--tee", "--redact=secret", "--format=json", "--data-field=a", "--exit-on-eof=0s"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"{\"a\":\"secret\"}\n\0x").unwrap();
    assert_eq!(child.wait_with_output().unwrap().stdout, b"{\"a\":\"secret\"}\n\0x");
}

#[test]
fn hostile_lines_harm_nobody() {
    for format in ["json", "cri", "sse", "null", "text"] {
        let mut bridge = Bridge::start(&[
            "--format",
            format,
            "--redact=x+",
            "--strip-ansi",
            "--drop=^z",
            "--max-line=64",
            "--rate-limit=100000",
        ]);
        let mut input = Vec::new();
        for number in 0_u32..2000 {
            input.extend(number.wrapping_mul(2_654_435_761).to_le_bytes());
            input.extend_from_slice(
                [&b"\n"[..], b"{", b"\"x\":", b"data: ", b"\n\n", b"\x1b]", b"2026-T stdout P ", b"}"][number as usize % 8],
            );
        }
        bridge.feed(&input);
        bridge.end_input();
        let last = crate::harness::eventually(
            "the end",
            || shown(&retained(&bridge)),
            |events| events.iter().any(|(kind, _)| kind == "end"),
        );
        assert!(last.iter().all(|(_, data)| !data.contains('x') || data.contains("lost") || data.contains("exit")), "{format}");
    }
}

#[test]
fn a_file_begins_with_a_whole_record_of_its_format() {
    for (format, record, end) in [("null", "a\nb\n", "\0"), ("sse", "data: a\ndata: b", "\n\n")] {
        let scene = Scene::new();
        let path = scene.log();
        fs::write(&path, format!("{record}1{end}{record}2{end}{record}3{end}")).unwrap();
        let bridge = Bridge::start(&["--format", format, "--from=-2", &format!("app={}", path.display())]);
        wait_for(&bridge, 1);
        scene.append(&format!("{record}4{end}x"));
        let shown = |number: &str| event("message", &format!("a\nb{}{number}", if format == "null" { "\n" } else { "" }));
        assert_eq!(wait_for(&bridge, 3), ["2", "3", "4"].map(shown), "{format}");
    }
}

#[test]
fn types_have_no_terminal_sequences_and_what_is_none_then_is_counted() {
    let mut bridge = Bridge::start(&[
        "--format=json",
        "--event-type-field=t",
        "--data-field=d",
        "--strip-ansi",
        "--redact=secret",
        "--redact-with=",
    ]);
    bridge.feed("{\"t\":\"\\u001b[1mwarn\u{9b}m\",\"d\":\"\u{9b}1mx\"}\n".as_bytes());
    bridge.feed(b"{\"t\":\"\\u001b[1m\",\"d\":\"y\"}\n{\"t\":\"secret\",\"d\":\"z\"}\n");
    assert_eq!(wait_for(&bridge, 3), [event("warn", "x"), event("message", "y"), event("message", "z")]);
    crate::harness::eventually("both are counted", || crate::scene::metric(&bridge, "refused_types_total"), |count| *count == 2);
}
