//! What comes back: a path to an earlier file, a pipe to its place, and what is not what it was at the first look.

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::stat::Mode;

use crate::harness::{Bridge, Get, PATIENCE, in_background};
use crate::process::open_below;
use crate::scale::with_limit;
use crate::sources::{Ground, all_lines, channels, eventually, metric, names, next_lines, start, unprivileged, wait_for_state};

/// Without hints of the kernel.
const LOOKING: &[&str] = &["--poll"];

/// How long a file is read that has lost its name.
const WAIT: &[&str] = &["--rotate-wait", "500ms"];

/// How long something is awaited that must not come.
const QUIET: Duration = Duration::from_millis(1500);

/// Follows `app.log` in a directory, or what is in its place, as the channel `x`; with a stream of what comes from now on.
fn followed(ground: &Ground, options: &[&str], pattern: &str) -> (Bridge, Get) {
    let source = format!("x={}", ground.at(pattern));
    let bridge = start(&[options, &[&source]].concat());
    let mut stream = bridge.get("/events");
    assert_eq!(stream.events(1)[0].event, "start");
    (bridge, stream)
}

/// One command line in this directory.
fn run(ground: &Ground, script: &str) {
    let status = Command::new("sh").args(["-ec", script]).current_dir(ground.root()).status().unwrap();
    assert!(status.success(), "{script}: {status}");
}

/// A link leads elsewhere, from one moment to the next.
fn retarget(ground: &Ground, link: &str, target: &str) {
    symlink(target, ground.at("link.new")).unwrap();
    ground.rename("link.new", link);
}

/// Appends a line, waits for it, and keeps it.
fn say(ground: &Ground, stream: &mut Get, name: &str, line: &str, said: &mut Vec<String>) {
    ground.append(name, &format!("{line}\n"));
    assert_eq!(next_lines(stream, 1), [line], "after {said:?}");
    said.push(line.to_owned());
}

/// Each line once and in order, no gap, and nothing more to come.
fn assert_once(bridge: &Bridge, said: &[String]) {
    thread::sleep(QUIET); // that nothing comes can only be waited for
    assert_eq!(all_lines(bridge, "/events"), said, "{}", bridge.stderr());
    assert_eq!(metric(bridge, "source_gaps_total"), 0, "{}", bridge.get("/events?tail=all&follow=0").text());
}

fn wait_for_one_descriptor(bridge: &Bridge, ground: &Ground) {
    eventually("one descriptor", || open_below(bridge, ground.root()), |open| open.len() == 1);
}

fn a_file_copied_and_removed(options: &[&str], pattern: &str) {
    let ground = Ground::new();
    ground.write("app.log", "");
    let (bridge, mut stream) = followed(&ground, options, pattern);
    let mut said = Vec::new();
    for round in 0..8 {
        let lines: Vec<_> = (0..3).map(|line| format!("line {}", 3 * round + line)).collect();
        ground.append("app.log", &(lines.join("\n") + "\n"));
        assert_eq!(next_lines(&mut stream, 3), lines, "after {said:?}");
        said.extend(lines);
        // Written over, a file that is followed itself would begin again.
        let copy = if pattern.contains('*') { format!("app.log.{round}") } else { "app.log.0".to_owned() };
        run(&ground, &format!("cp app.log {copy} && rm app.log && touch app.log"));
    }
    say(&ground, &mut stream, "app.log", "the end", &mut said);
    assert_once(&bridge, &said);
}

#[test]
fn a_file_copied_removed_and_made_again_loses_and_repeats_nothing() {
    a_file_copied_and_removed(&[], "app.log");
}

#[test]
fn a_file_copied_removed_and_made_again_loses_and_repeats_nothing_by_looking() {
    a_file_copied_and_removed(LOOKING, "app.log");
}

#[test]
fn a_copy_of_a_removed_file_is_not_read_again_for_a_glob() {
    a_file_copied_and_removed(&[], "app.log*");
}

#[test]
fn a_copy_of_a_removed_file_is_not_read_again_for_a_glob_by_looking() {
    a_file_copied_and_removed(LOOKING, "app.log*");
}

fn rewritten_before_its_first_read(options: &[&str]) {
    let ground = Ground::new();
    let file = ground.write("app.log", &"an old line of no interest\n".repeat(100_000 / 27));
    // Whoever runs the tests may write it; the daemon may not read it.
    fs::set_permissions(&file, Permissions::from_mode(0o200)).unwrap();
    let source = format!("x={file}");
    let bridge = Bridge::spawn(unprivileged(&[options, &[&source]].concat()));
    wait_for_state(&bridge, "x", "failing", "permission denied");
    let mut stream = bridge.get("/events?since=1m");
    assert_eq!(stream.events(1)[0].event, "start");
    run(&ground, "echo new > app.log && chmod 644 app.log");
    let seen: Vec<_> = stream.events(2).into_iter().map(|event| (event.event, event.data)).collect();
    assert!(seen[0].0 == "gap" && seen[0].1.contains(r#""reason":"truncated""#), "{seen:?}");
    assert_eq!(seen[1], ("message".to_owned(), "new".to_owned()), "{seen:?}");
    wait_for_state(&bridge, "x", "open", "");
    // Who comes now and asks for the newest minute gets it as well: it is not old.
    let later = bridge.get("/events?since=1m&follow=0").rest();
    let lines: Vec<_> = later.iter().filter(|event| event.event == "message").map(|event| &*event.data).collect();
    assert_eq!(lines, ["new"], "{later:?}");
    assert_eq!(metric(&bridge, "source_gaps_total"), 1);
}

#[test]
fn a_file_rewritten_before_its_first_read_is_new_behind_a_gap() {
    rewritten_before_its_first_read(&[]);
}

#[test]
fn a_file_rewritten_before_its_first_read_is_new_behind_a_gap_by_looking() {
    rewritten_before_its_first_read(LOOKING);
}

/// Moved aside, replaced, and moved back over what replaced it.
fn come_back(ground: &Ground, stream: &mut Get, round: usize, said: &mut Vec<String>) {
    say(ground, stream, "app.log", &format!("before {round}"), said);
    ground.rename("app.log", "keep");
    say(ground, stream, "app.log", &format!("new {round}"), said);
    ground.rename("keep", "app.log");
    say(ground, stream, "app.log", &format!("back {round}"), said);
}

fn a_path_comes_back(options: &[&str]) {
    let ground = Ground::new();
    ground.write("app.log", "");
    let (bridge, mut stream) = followed(&ground, &[WAIT, options].concat(), "app.log");
    let mut said = Vec::new();
    (0..10).for_each(|round| come_back(&ground, &mut stream, round, &mut said));
    wait_for_one_descriptor(&bridge, &ground);
    assert_once(&bridge, &said);
}

#[test]
fn a_path_that_comes_back_to_its_file_goes_on_there() {
    a_path_comes_back(&[]);
}

#[test]
fn a_path_that_comes_back_to_its_file_goes_on_there_by_looking() {
    a_path_comes_back(LOOKING);
}

/// All three moves at once: whoever sees none of what lay there in between goes on as if nothing had been.
fn a_path_comes_back_at_once(options: &[&str]) {
    let ground = Ground::new();
    ground.write("app.log", "");
    let (bridge, mut stream) = followed(&ground, &[WAIT, options].concat(), "app.log");
    let mut said = Vec::new();
    for round in 0..10 {
        ground.append("app.log", &format!("before {round}\n"));
        run(&ground, &format!("mv app.log keep; echo new {round} > app.log; mv keep app.log"));
        ground.append("app.log", &format!("back {round}\n"));
        said.extend(["before", "back"].map(|when| format!("{when} {round}")));
        // What has had the name for no longer than a moment may come or not.
        while next_lines(&mut stream, 1) != [format!("back {round}")] {}
    }
    wait_for_one_descriptor(&bridge, &ground);
    thread::sleep(QUIET); // that nothing comes can only be waited for
    let (short, seen): (Vec<_>, Vec<_>) = all_lines(&bridge, "/events").into_iter().partition(|line| line.starts_with("new"));
    assert_eq!(seen, said);
    assert!(short.is_sorted() && short.windows(2).all(|two| two[0] != two[1]), "{short:?}");
}

#[test]
fn a_path_that_is_elsewhere_for_a_moment_repeats_nothing() {
    a_path_comes_back_at_once(&[]);
}

#[test]
fn a_path_that_is_elsewhere_for_a_moment_repeats_nothing_by_looking() {
    a_path_comes_back_at_once(LOOKING);
}

fn a_link_flips(options: &[&str]) {
    let ground = Ground::new();
    ground.write("a", "");
    ground.write("b", "");
    symlink("a", ground.at("app.log")).unwrap();
    let (bridge, mut stream) = followed(&ground, &[WAIT, options].concat(), "app.log");
    let mut said = Vec::new();
    for round in 0..10 {
        say(&ground, &mut stream, "a", &format!("a {round}"), &mut said);
        retarget(&ground, "app.log", "b");
        say(&ground, &mut stream, "b", &format!("b {round}"), &mut said);
        retarget(&ground, "app.log", "a");
    }
    say(&ground, &mut stream, "a", "the end", &mut said);
    wait_for_one_descriptor(&bridge, &ground);
    assert_once(&bridge, &said);
}

#[test]
fn a_link_that_flips_repeats_nothing() {
    a_link_flips(&[]);
}

#[test]
fn a_link_that_flips_repeats_nothing_by_looking() {
    a_link_flips(LOOKING);
}

fn comebacks_with_few_descriptors(options: &[&str]) {
    const OTHERS: usize = 40;
    let ground = Ground::new();
    ground.write("app.log", "");
    let names: Vec<_> = (0..OTHERS).map(|number| format!("others/{number}.log")).collect();
    for name in &names {
        ground.write(name, "");
    }
    let sources = [format!("x={}", ground.at("app.log")), format!("others={}", ground.at("others/*.log"))];
    let bridge = with_limit(32, &[WAIT, options, &sources.each_ref().map(String::as_str)].concat());
    let mut stream = bridge.get("/events");
    assert_eq!(stream.events(1)[0].event, "start");
    let mut said = Vec::new();
    (0..14).for_each(|round| come_back(&ground, &mut stream, round, &mut said));
    let mut expected: Vec<_> = names.iter().map(|name| format!("of {name}")).collect();
    for (name, line) in names.iter().zip(&expected) {
        ground.append(name, &format!("{line}\n"));
    }
    let mut seen = next_lines(&mut stream, OTHERS);
    seen.sort();
    expected.sort();
    assert_eq!(seen, expected);
    assert_eq!(metric(&bridge, "source_gaps_total"), 0);
}

#[test]
fn comebacks_leave_descriptors_for_the_others() {
    comebacks_with_few_descriptors(&[]);
}

#[test]
fn comebacks_leave_descriptors_for_the_others_by_looking() {
    comebacks_with_few_descriptors(LOOKING);
}

#[test]
fn a_pipe_that_is_away_for_a_moment_is_read_once() {
    let ground = Ground::new();
    let pipe = ground.pipe("p");
    let (bridge, mut stream) = followed(&ground, &["--history=64MiB"], "p");
    let mut writer = OpenOptions::new().write(true).open(&pipe).unwrap();
    let is_over = Arc::new(AtomicBool::new(false));
    let written = in_background({
        let is_over = Arc::clone(&is_over);
        move || {
            let mut count = 0;
            while !is_over.load(Ordering::Relaxed) {
                // In two pieces, so that two readers would cut it.
                write!(writer, "line {count} ").unwrap();
                writeln!(writer, "{count:>200}").unwrap();
                count += 1;
                thread::sleep(Duration::from_micros(200)); // a writer that is not busy
            }
            count
        }
    });
    let mut next = 0;
    let mut read = |stream: &mut Get, count: usize| {
        for line in next_lines(stream, count) {
            assert_eq!(line, format!("line {next} {next:>200}"));
            next += 1;
        }
        next
    };
    for round in 0..8 {
        read(&mut stream, 50);
        ground.rename("p", "keep");
        if round % 2 == 0 {
            wait_for_state(&bridge, "x", "waiting", "no such");
        }
        read(&mut stream, 50);
        ground.rename("keep", "p");
        wait_for_state(&bridge, "x", "open", "");
    }
    wait_for_one_descriptor(&bridge, &ground);
    let before = read(&mut stream, 50);
    is_over.store(true, Ordering::Relaxed);
    let written = written.recv_timeout(PATIENCE).unwrap();
    assert_eq!(read(&mut stream, written - before), written);
    wait_for_state(&bridge, "x", "open", "");
    eventually("the count of all lines", || metric(&bridge, "input_lines_total"), |lines| *lines >= written as u64);
    assert_eq!(metric(&bridge, "input_lines_total"), written as u64);
    stream.assert_strict();
}

/// Another pipe lies at the path meanwhile, and goes again.
#[test]
fn a_pipe_that_was_replaced_and_comes_back_is_read_once() {
    let ground = Ground::new();
    let pipe = ground.pipe("p");
    let (bridge, mut stream) = followed(&ground, &[], "p");
    let mut first = OpenOptions::new().write(true).open(&pipe).unwrap();
    for round in 0..5 {
        ground.rename("p", "keep");
        nix::unistd::mkfifo(Path::new(&pipe), Mode::from_bits_truncate(0o600)).unwrap();
        let mut second = OpenOptions::new().write(true).open(&pipe).unwrap(); // waits for its reader
        writeln!(second, "second {round}").unwrap();
        assert_eq!(next_lines(&mut stream, 1), [format!("second {round}")]);
        ground.rename("keep", "p");
        drop(second);
        for number in 0..100 {
            write!(first, "first {round} ").unwrap();
            writeln!(first, "{number}").unwrap();
        }
        let expected: Vec<_> = (0..100).map(|number| format!("first {round} {number}")).collect();
        assert_eq!(next_lines(&mut stream, 100), expected);
    }
    wait_for_one_descriptor(&bridge, &ground);
    wait_for_state(&bridge, "x", "open", "");
}

fn a_read_error(options: &[&str]) {
    let ground = Ground::new();
    ground.write("real.log", "");
    ground.write("other.log", "");
    symlink("real.log", ground.at("app.log")).unwrap();
    let sources = [format!("x={}", ground.at("app.log")), format!("other={}", ground.at("other.log"))];
    let bridge = start(&[options, &sources.each_ref().map(String::as_str)].concat());
    let mut stream = bridge.get("/events");
    assert_eq!(stream.events(1)[0].event, "start");
    let mut said = Vec::new();
    say(&ground, &mut stream, "real.log", "before", &mut said);
    // It opens, and its first byte is at no address.
    retarget(&ground, "app.log", "/proc/self/mem");
    let is_failing = |channels: &Vec<(String, String, String)>| {
        channels.iter().any(|(name, state, reason)| name == "x" && state == "failing" && reason.contains("i/o error"))
    };
    eventually("a channel that fails", || channels(&bridge), is_failing);
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(2500) {
        let line = format!("other {}", said.len());
        say(&ground, &mut stream, "other.log", &line, &mut said);
        let now = channels(&bridge);
        assert!(is_failing(&now), "{now:?}");
        thread::sleep(Duration::from_millis(100)); // a slow writer
    }
    let said = bridge.stderr();
    let told = said.lines().filter(|line| line.contains("could not read") && line.contains("app.log")).count();
    assert_eq!(told, 1, "{said}");
    // And it comes to itself.
    retarget(&ground, "app.log", "real.log");
    ground.append("real.log", "after\n");
    while next_lines(&mut stream, 1) != ["after"] {}
    wait_for_state(&bridge, "x", "open", "");
}

#[test]
fn a_read_error_is_told_once() {
    a_read_error(&[]);
}

#[test]
fn a_read_error_is_told_once_by_looking() {
    a_read_error(LOOKING);
}

fn a_copy_of_later(options: &[&str], is_slow: bool) {
    let ground = Ground::new();
    ground.write("app.log", "");
    let (bridge, mut stream) = followed(&ground, options, "app.log*");
    let mut said = Vec::new();
    for round in 0..3 {
        let lines: Vec<_> = (0..100).map(|line| format!("line {}", 100 * round + line)).collect();
        ground.append("app.log", &(lines.join("\n") + "\n"));
        assert_eq!(next_lines(&mut stream, 100), lines);
        said.extend(lines);
        let copy = format!("app.log.{round}");
        if is_slow {
            // The daemon sees it while half of it is there.
            run(&ground, &format!("head -c 333 app.log > {copy} && touch -d '+2 seconds' {copy}"));
            eventually("the copy's channel", || names(&bridge), |names| names.contains(&format!("x/{copy}")));
            run(&ground, &format!("tail -c +334 app.log >> {copy}; touch -d '+2 seconds' {copy}; : > app.log"));
        } else {
            run(&ground, &format!("cp -p app.log {copy} && touch -d '+2 seconds' {copy} && : > app.log"));
        }
        let gap = stream.next_event().unwrap();
        assert!(gap.event == "gap" && gap.data.contains(r#""reason":"truncated""#), "{gap:?}");
        say(&ground, &mut stream, "app.log", &format!("after {round}"), &mut said);
    }
    thread::sleep(Duration::from_secs(2) + QUIET); // that nothing comes can only be waited for, also behind that later time
    say(&ground, &mut stream, "app.log", "the end", &mut said);
    assert_eq!(all_lines(&bridge, "/events"), said);
    assert_eq!(metric(&bridge, "source_gaps_total"), 3);
}

#[test]
fn a_copy_of_a_later_time_is_not_read_again() {
    a_copy_of_later(&[], false);
}

#[test]
fn a_copy_of_a_later_time_is_not_read_again_by_looking() {
    a_copy_of_later(LOOKING, false);
}

#[test]
fn a_slow_copy_of_a_later_time_is_not_read_again() {
    a_copy_of_later(&[], true);
}

#[test]
fn a_slow_copy_of_a_later_time_is_not_read_again_by_looking() {
    a_copy_of_later(LOOKING, true);
}
