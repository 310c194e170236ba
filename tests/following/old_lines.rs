//! Lines that were there before.

use std::fs::{self, Permissions};
use std::ops::RangeInclusive;
use std::os::unix::fs::PermissionsExt;

use crate::harness::{Bridge, Get, lines, scale};
use crate::sources::{Ground, all_lines, channel_of, eventually, next_lines, start, unprivileged, wait_for_state};

fn numbered(range: RangeInclusive<usize>) -> Vec<String> {
    range.map(|number| format!("line {number}")).collect()
}

fn text(range: RangeInclusive<usize>) -> String {
    numbered(range).into_iter().map(|line| line + "\n").collect()
}

/// What is retained of what is asked for, without waiting for more.
fn retained(bridge: &Bridge, query: &str) -> Vec<String> {
    let events = bridge.get(&format!("/events?{query}&follow=0")).rest();
    lines(&events).into_iter().map(str::to_owned).collect()
}

fn with_id(bridge: &Bridge, id: &str) -> Get {
    bridge.get_with("/events", &[("Last-Event-ID", id)])
}

#[test]
fn a_file_begins_where_the_user_says() {
    let ground = Ground::new();
    let file = ground.write("app.log", &text(1..=2000));
    for (flags, first) in [
        (&[][..], 1001),
        (&["--from=-1000"], 1001),
        (&["--from=start"], 1),
        (&["--from=-2000"], 1),
        (&["--from=-2001"], 1),
        (&["--from=-18446744073709551615"], 1),
        (&["--from", "-5"], 1996),
        (&["--from=-1"], 2000),
        (&["--from=-0"], 2001),
        (&["--from=end"], 2001),
    ] {
        let bridge = start(&[flags, &[&file]].concat());
        assert_eq!(all_lines(&bridge, "/events"), numbered(first..=2000), "{flags:?}");
    }
}

#[test]
fn a_client_of_the_first_moment_has_the_last_lines_at_once() {
    let ground = Ground::new();
    let file = ground.write("app.log", &text(1..=5000));
    for _ in 0..scale(10, 100) {
        let bridge = start(&[&file]);
        assert_eq!(retained(&bridge, "tail=10"), numbered(4991..=5000));
        assert_eq!(retained(&bridge, ""), numbered(4991..=5000), "which is what a client gets that asks for nothing");
    }
}

#[test]
fn at_most_256_kib_of_a_file_are_old_lines() {
    let ground = Ground::new();
    let line = |number: usize| format!("{number:>999}\n");
    let content: String = (0..1000).map(line).collect();
    let file = ground.write("app.log", &content);
    for flags in [&[][..], &["--from=-100000"]] {
        let bridge = start(&[flags, &[&file]].concat());
        let found = all_lines(&bridge, "/events");
        let count = found.len();
        assert!((261..=262).contains(&count), "{count} lines of 1000 bytes");
        let expected: Vec<_> = (1000 - count..1000).map(|number| line(number).trim_end().to_owned()).collect();
        assert!(found == expected, "whole lines, and the last ones");
    }
    // One line that is longer than that: its end, not nothing, and not all of it.
    let giant = ground.write("giant.log", &("x".repeat(900_000) + "end\n"));
    let found = all_lines(&start(&[&giant]), "/events");
    assert!(found.len() == 1 && found[0].ends_with("xend") && found[0].len() < 256 << 10, "{} lines", found.len());
    // --from=start is not held by that.
    assert_eq!(all_lines(&start(&["--from=start", &giant]), "/events")[0].len(), 900_003);
}

#[test]
fn an_unfinished_last_line_is_an_event_when_it_ends() {
    for (from, before) in [
        ("--from=start", &["one", "two"][..]),
        ("--from=-1000", &["one", "two"]),
        ("--from=-3", &["one", "two"]),
        ("--from=-2", &["two"]),
        ("--from=-1", &[]),
        ("--from=-0", &[]),
        ("--from=end", &[]),
    ] {
        let ground = Ground::new();
        let file = ground.write("app.log", "one\ntwo\nhalf of ");
        let bridge = start(&[from, &file]);
        assert_eq!(all_lines(&bridge, "/events"), before, "{from}");
        let mut client = bridge.get("/events?tail=0");
        client.events(1);
        ground.append("app.log", "three\nfour\n");
        assert_eq!(next_lines(&mut client, 2), ["half of three", "four"], "{from}");
        assert_eq!(all_lines(&bridge, "/events"), [before, &["half of three", "four"]].concat(), "{from}");
    }
}

#[test]
fn an_empty_file_has_no_old_lines_and_its_first_one_is_new() {
    for from in ["--from=start", "--from=-1000", "--from=-0", "--from=end"] {
        let ground = Ground::new();
        let file = ground.write("app.log", "");
        let bridge = start(&[from, &file]);
        let mut client = bridge.get("/events?tail=all");
        assert_eq!(client.events(1)[0].event, "start");
        ground.append("app.log", "one\n");
        assert_eq!(next_lines(&mut client, 1), ["one"]);
        assert_eq!(retained(&bridge, "since=10m"), ["one"], "{from}");
    }
}

#[test]
fn old_lines_are_there_for_who_asks_for_lines_and_not_for_who_asks_for_news() {
    let ground = Ground::new();
    let file = ground.write("app.log", &text(1..=5));
    let bridge = start(&[&file]);
    assert_eq!(retained(&bridge, "tail=3"), numbered(3..=5));
    assert_eq!(retained(&bridge, "tail=all"), numbered(1..=5));
    assert_eq!(retained(&bridge, "since=10m"), [""; 0]);
    assert_eq!(retained(&bridge, "since=1970-01-01T00:00:00Z"), [""; 0]);
    let mut news = bridge.get("/events?since=10m");
    assert_eq!(news.events(1)[0].event, "start");

    ground.append("app.log", &text(6..=7));
    assert_eq!(next_lines(&mut news, 2), numbered(6..=7));
    assert_eq!(retained(&bridge, "since=10m"), numbered(6..=7));
    assert_eq!(retained(&bridge, "since=10m&tail=5"), numbered(6..=7));
    assert_eq!(retained(&bridge, "tail=4"), numbered(4..=7));

    // Who has an id of this run gets all that follows, old and new; pages backwards hold both.
    let whole = bridge.get("/events?tail=all").events(7);
    for (at, event) in whole.iter().enumerate().take(6) {
        assert_eq!(lines(&with_id(&bridge, &event.id).events(6 - at)), numbered(at + 2..=7));
    }
    assert_eq!(retained(&bridge, &format!("before={}&tail=3", whole[6].id)), numbered(4..=6));
    assert_eq!(retained(&bridge, &format!("before={}&tail=3", whole[2].id)), numbered(1..=2));
    assert!(whole.windows(2).all(|pair| number(&pair[0].id) < number(&pair[1].id)), "one order");
}

/// The number in an id.
fn number(id: &str) -> u64 {
    id.split(['-', '/']).nth(1).unwrap().parse().unwrap()
}

#[test]
fn who_comes_from_another_life_gets_a_gap_and_nothing_again() {
    let ground = Ground::new();
    let file = ground.write("app.log", &text(1..=5));
    let first = start(&[&file]);
    let port = first.port;
    let mut client = first.get("/events?tail=all");
    let mut ids: Vec<_> = client.events(5).into_iter().map(|event| event.id).collect();
    ground.append("app.log", &text(6..=6));
    ids.push(client.events(1).remove(0).id);
    ids.push(first.get("/events?tail=0").events(1).remove(0).id); // a position
    drop(first);
    // Nobody looked: to a page these lines are old ones, to this client they are lost, and the gap says so.
    ground.append("app.log", &text(7..=8));

    for from in ["--from=-1000", "--from=start"] {
        let second = Bridge::start_on(port, &[from, &file]);
        assert_eq!(all_lines(&second, "/events"), numbered(1..=8));
        let mut clients: Vec<_> = ids.iter().map(|id| with_id(&second, id)).collect();
        for (client, id) in clients.iter_mut().zip(&ids) {
            let gap = client.events(1).remove(0);
            assert_eq!(gap.event, "gap", "{id}");
            assert!(gap.data.contains(r#""reason":"restart""#) && gap.data.contains(r#""lost":null"#), "{}", gap.data);
        }
        let line = format!("after {from}");
        ground.append("app.log", &format!("{line}\n"));
        for (client, id) in clients.iter_mut().zip(&ids) {
            assert_eq!(client.events(1)[0].data, line, "nothing stands before it for {id}");
        }
        // Who comes only now gets what is new of this life, no more.
        let mut late = with_id(&second, &ids[2]);
        let seen = late.events(2);
        assert_eq!((&*seen[0].event, &*seen[1].data), ("gap", &*line));
        // The gap's own id is of this life: nothing is lost behind it, and nothing comes twice.
        assert_eq!(with_id(&second, &seen[0].id).events(1)[0].data, line);
        // The next round's file has only the numbered lines again.
        drop(second);
        fs::write(&file, text(1..=8)).unwrap();
    }
}

#[test]
fn a_file_that_appears_later_is_new_from_its_first_byte() {
    let ground = Ground::new();
    let bridge = start(&["--from=end", &format!("late={}", ground.at("late.log")), &format!("web={}", ground.at("web/*.log"))]);
    ground.write("late.log.part", &text(1..=2000));
    ground.rename("late.log.part", "late.log");
    let mut late = bridge.get("/events/late?tail=all");
    assert_eq!(next_lines(&mut late, 2000), numbered(1..=2000));
    ground.write("web/part", &text(1..=2000));
    ground.rename("web/part", "web/a.log");
    let mut web = bridge.get("/events/web?tail=all");
    assert_eq!(next_lines(&mut web, 2000), numbered(1..=2000));
    assert_eq!(retained(&bridge, "since=10m").len(), 4000);
    // Also to a client of another life: these lines came after the restart.
    let mut other = with_id(&bridge, "1000-5/late");
    let events = other.events(4001);
    assert_eq!((&*events[0].event, lines(&events).len()), ("gap", 4000));
}

#[test]
fn a_file_that_may_be_read_only_later_begins_where_the_user_says() {
    for (from, first) in [("--from=-2", 4), ("--from=end", 6), ("--from=start", 1)] {
        let ground = Ground::new();
        let file = ground.write("app.log", &text(1..=5));
        fs::set_permissions(&file, Permissions::from_mode(0o000)).unwrap();
        let bridge = Bridge::spawn(unprivileged(&[from, &format!("x={file}")]));
        wait_for_state(&bridge, "x", "failing", "permission denied");
        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        wait_for_state(&bridge, "x", "open", "");
        let mut client = bridge.get("/events/x?tail=0");
        client.events(1);
        ground.append("app.log", &text(6..=7));
        eventually("all lines", || all_lines(&bridge, "/events/x"), |lines| *lines == numbered(first..=7));
        assert_eq!(retained(&bridge, "since=10m"), numbered(6..=7), "{from}: the others were there before");
    }
}

#[test]
fn what_came_while_a_file_could_not_be_read_is_new() {
    let ground = Ground::new();
    let file = ground.write("app.log", &text(1..=5));
    let mut writer = fs::OpenOptions::new().append(true).open(&file).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o000)).unwrap();
    let bridge = Bridge::spawn(unprivileged(&["--from=-2", &format!("x={file}")]));
    wait_for_state(&bridge, "x", "failing", "permission denied");
    std::io::Write::write_all(&mut writer, text(6..=7).as_bytes()).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    eventually("all lines", || all_lines(&bridge, "/events/x"), |lines| *lines == numbered(4..=7));
    assert_eq!(retained(&bridge, "since=10m"), numbered(6..=7));
}

/// Whether a path can be looked at is no sign that its file is young.
#[test]
fn a_file_in_a_directory_that_may_be_entered_only_later_begins_where_the_user_says() {
    let ground = Ground::new();
    let file = ground.write("d/app.log", &text(1..=5));
    let directory = ground.at("d");
    fs::set_permissions(&directory, Permissions::from_mode(0o000)).unwrap();
    let bridge = Bridge::spawn(unprivileged(&["--from=-2", &format!("x={file}"), &format!("y={directory}/*.txt")]));
    wait_for_state(&bridge, "x", "failing", "permission denied");
    bridge.wait_for_stderr(&format!("could not look into '{directory}': permission denied"));
    fs::set_permissions(&directory, Permissions::from_mode(0o700)).unwrap();
    wait_for_state(&bridge, "x", "open", "");
    ground.append("d/app.log", &text(6..=6));
    eventually("the last line", || all_lines(&bridge, "/events/x"), |lines| lines.last().is_some_and(|line| line == "line 6"));
    assert_eq!(all_lines(&bridge, "/events/x"), numbered(4..=6));
    assert_eq!(retained(&bridge, "since=10m"), numbered(6..=6));
}

#[test]
fn old_lines_of_many_files_are_all_there() {
    let ground = Ground::new();
    let files = scale(200, 2000);
    for file in 0..files {
        ground.write(&format!("logs/{file:04}.log"), &(0..10).map(|line| format!("{file} {line}\n")).collect::<String>());
    }
    let bridge = start(&[format!("l={}", ground.at("logs/*.log"))]);
    bridge.wait_for_stderr(&format!("following {files} files of"));
    eventually("all old lines", || retained(&bridge, "tail=all").len(), |count| *count == 10 * files);
    let events = bridge.get("/events?tail=all&follow=0").rest();
    for file in [0, files / 2, files - 1] {
        let of_file: Vec<_> = events.iter().filter(|event| channel_of(event) == format!("l/{file:04}.log")).collect();
        let expected: Vec<_> = (0..10).map(|line| format!("{file} {line}")).collect();
        assert_eq!(of_file.iter().map(|event| event.data.clone()).collect::<Vec<_>>(), expected);
    }
    assert_eq!(retained(&bridge, "since=10m"), [""; 0]);
    ground.append("logs/0007.log", "new\n");
    eventually("the new line", || retained(&bridge, "since=10m"), |lines| *lines == ["new"]);
}

#[test]
fn old_lines_and_new_ones_of_a_busy_file_are_one_text() {
    let ground = Ground::new();
    let file = ground.write("app.log", &text(1..=100_000));
    let mut bridge = start(&["--history=64MiB", "--from=start", "-", &file]);
    let mut client = bridge.get(&format!("/events/{}?tail=all", ground.channel("app.log")));
    ground.append("app.log", &text(100_001..=101_000));
    bridge.end_input();
    let found = next_lines(&mut client, 101_000);
    let expected = numbered(1..=101_000);
    let wrong = found.iter().zip(&expected).position(|(found, expected)| found != expected);
    assert_eq!(wrong, None, "at {:?}", wrong.map(|at| &found[at]));
}
