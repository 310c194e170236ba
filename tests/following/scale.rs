//! Thousands of files: what they cost, and that none of them waits for another.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::harness::{Bridge, Get, Random, connect, scale, seed};
use crate::process::{descriptors, threads, watches};
use crate::sources::{append, channels, eventually, metric, shell};

/// Descriptors that are no followed files: standard streams, listeners, the runtime's, the watches, a directory being read.
const OTHERS: usize = 40;

/// Starts the daemon with a limit of open files, soft and hard.
pub fn with_limit(limit: usize, arguments: &[&str]) -> Bridge {
    let mut command = shell(&format!("ulimit -n {limit}; exec sse-bridge --port 0 \"$@\""));
    command.arg("bash").args(arguments);
    Bridge::spawn(command)
}

/// Watches how many descriptors a daemon has, until dropped.
struct Sampler {
    most: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
}

impl Sampler {
    fn of(bridge: &Bridge) -> Self {
        let (most, is_over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (into, end, directory) = (Arc::clone(&most), Arc::clone(&is_over), format!("/proc/{}/fd", bridge.pid()));
        thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                let Ok(entries) = fs::read_dir(&directory) else { return };
                into.fetch_max(entries.count(), Ordering::Relaxed);
                thread::sleep(Duration::from_millis(5)); // a sample, not a wait
            }
        });
        Self { most, is_over }
    }

    fn most(&self) -> usize {
        self.most.load(Ordering::Relaxed)
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

/// What came for each channel, in order.
type Lines = BTreeMap<String, Vec<String>>;

/// Takes events until there are `count` lines more, each a line of its own channel; anything else that comes is told.
fn take(stream: &mut Get, count: usize, into: &mut Lines) {
    for _ in 0..count {
        let event = stream.next_event().unwrap_or_else(|| panic!("the stream ended ({:?})", stream.end));
        assert_eq!(event.event, "message", "{event:?}");
        let channel = event.id.split_once('/').unwrap_or_else(|| panic!("no channel in {event:?}")).1;
        into.entry(channel.to_owned()).or_default().push(event.data);
    }
}

/// Many files in a directory, with one line each.
struct Many {
    directory: TempDir,
    names: Vec<String>,
}

impl Many {
    fn made(count: usize) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let names: Vec<_> = (0..count).map(|number| format!("{number:04}.log")).collect();
        for name in &names {
            fs::write(directory.path().join(name), format!("first of {name}\n")).unwrap();
        }
        Self { directory, names }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The source, in channels below `many/`.
    fn source(&self) -> String {
        format!("many={}/*.log", self.directory.path().display())
    }

    /// Different ones, chosen by chance.
    fn some(&self, random: &mut Random, count: usize) -> Vec<&str> {
        let mut chosen = BTreeSet::new();
        while chosen.len() < count {
            chosen.insert(self.names[random.below(self.names.len())].as_str());
        }
        let mut chosen: Vec<_> = chosen.into_iter().collect();
        (1..chosen.len()).for_each(|at| chosen.swap(at, random.below(at + 1)));
        chosen
    }
}

fn five_thousand_files(options: &[&str]) {
    const FILES: usize = 5000;
    const LIMIT: usize = 256;
    let mut random = Random::new(seed());
    let many = Many::made(FILES);
    let source = many.source();
    let mut arguments = vec!["--from", "start", "--rotate-wait", "500ms"];
    arguments.extend(options);
    arguments.push(&source);
    let bridge = with_limit(LIMIT, &arguments);
    let sampler = Sampler::of(&bridge);

    let (mut stream, mut lines) = (bridge.get("/events?tail=all"), Lines::new());
    take(&mut stream, FILES, &mut lines);
    let mut expected: Lines = many.names.iter().map(|name| (format!("many/{name}"), vec![format!("first of {name}")])).collect();
    assert_eq!(lines, expected, "the first lines");

    for round in 0..scale(2, 20) {
        let appended = many.some(&mut random, 300);
        for name in &appended {
            append(&many.path(name), &format!("more in round {round}\n"));
            expected.get_mut(&format!("many/{name}")).unwrap().push(format!("more in round {round}"));
        }
        take(&mut stream, appended.len(), &mut lines);
        assert_eq!(lines, expected, "after the appends of round {round}");

        let rotated = many.some(&mut random, 200);
        for name in &rotated {
            append(&many.path(name), &format!("last in round {round}\n"));
            fs::rename(many.path(name), many.path(&format!("{name}.{round}"))).unwrap();
            append(&many.path(name), &format!("new in round {round}\n"));
            let channel = expected.get_mut(&format!("many/{name}")).unwrap();
            channel.extend([format!("last in round {round}"), format!("new in round {round}")]);
        }
        take(&mut stream, 2 * rotated.len(), &mut lines);
        assert_eq!(lines, expected, "after the rotations of round {round}");
    }

    let mut clients: Vec<_> = (0..20).map(|_| bridge.get("/events?tail=0")).collect();
    let name = &many.names[random.below(FILES)];
    append(&many.path(name), "for all\n");
    for client in &mut clients {
        let data = std::iter::from_fn(|| client.next_event()).find(|event| event.event == "message").map(|event| event.data);
        assert_eq!(data.as_deref(), Some("for all"));
    }
    take(&mut stream, 1, &mut lines);
    drop(clients);
    assert!(sampler.most() < LIMIT, "{} descriptors at once", sampler.most());
    assert!(sampler.most() > 8, "nothing was sampled");
    eventually("closed descriptors of idle files", || descriptors(&bridge), |open| *open <= LIMIT / 4 + OTHERS);
    assert_eq!(metric(&bridge, "source_gaps_total"), 0);
    assert_eq!(metric(&bridge, "source_failures_total"), 0, "{}", bridge.stderr());
    // Lines are counted just after they are sent. What came after all of it would have come twice.
    let count = lines.values().map(|lines| lines.len() as u64).sum::<u64>();
    eventually("the count of all lines", || metric(&bridge, "input_lines_total"), |lines| *lines >= count);
    assert_eq!(metric(&bridge, "input_lines_total"), count, "lines were read twice");
}

#[test]
fn five_thousand_files_are_followed_with_256_descriptors() {
    five_thousand_files(&[]);
}

#[test]
fn five_thousand_files_are_followed_with_256_descriptors_and_without_hints() {
    five_thousand_files(&["--poll"]);
}

/// As many files at once as a logrotate of a whole machine leaves, with lines written to the old ones afterwards.
#[test]
fn late_lines_of_many_rotated_files_come_as_long_as_there_are_descriptors() {
    let many = Many::made(200);
    let bridge = Bridge::start(&["--from", "end", &many.source()]);
    let mut stream = bridge.get("/events?tail=0");
    assert_eq!(stream.next_event().unwrap().event, "start");
    let old: Vec<_> = many.names.iter().map(|name| File::options().append(true).open(many.path(name)).unwrap()).collect();
    for name in &many.names {
        fs::rename(many.path(name), many.path(&format!("{name}.1"))).unwrap();
        append(&many.path(name), "new\n");
    }
    let mut lines = Lines::new();
    take(&mut stream, many.names.len(), &mut lines);
    old.iter().for_each(|mut file| file.write_all(b"late\n").unwrap());
    take(&mut stream, many.names.len(), &mut lines);
    for name in &many.names {
        assert_eq!(lines[&format!("many/{name}")], ["new", "late"], "{name}");
    }
}

#[test]
fn idle_files_cost_no_descriptor_beyond_a_bound() {
    let many = Many::made(scale(1500, 5000));
    let bridge = Bridge::start(&["--from", "start", &many.source()]);
    let mut lines = Lines::new();
    take(&mut bridge.get("/events?tail=all"), many.names.len(), &mut lines);
    eventually("few descriptors", || descriptors(&bridge), |open| *open <= 1024 + OTHERS);
}

#[test]
fn threads_do_not_grow_with_files() {
    let count = |files| {
        let many = Many::made(files);
        let bridge = Bridge::start(&["--from", "start", &many.source()]);
        take(&mut bridge.get("/events?tail=all"), files, &mut Lines::new());
        threads(&bridge)
    };
    assert_eq!(count(1), count(scale(500, 5000)));
}

#[test]
fn a_file_written_at_full_speed_does_not_hold_up_the_others() {
    const COLD: usize = 99;
    const BOUND: Duration = Duration::from_millis(500);
    let most = scale(384_u64, 2048) << 20;
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let names: Vec<_> = (0..COLD).map(|number| format!("cold-{number:02}.log")).collect();
    names.iter().for_each(|name| append(&path(name), ""));
    append(&path("hot.log"), "");
    let bridge = Bridge::start(&[&format!("n={}/*.log", directory.path().display())]);
    let view: Vec<_> = names.iter().map(|name| format!("channel=n/{name}")).collect();
    let mut stream = bridge.get(&format!("/events?{}", view.join("&")));
    assert_eq!(stream.next_event().unwrap().event, "start");

    let (is_over, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let writer = thread::spawn({
        let (is_over, written, hot) = (Arc::clone(&is_over), Arc::clone(&written), path("hot.log"));
        move || {
            let mut hot = OpenOptions::new().append(true).open(hot).unwrap();
            let block = [b"x".repeat(119), b"\n".to_vec()].concat().repeat(2000);
            while !is_over.load(Ordering::Relaxed) && written.load(Ordering::Relaxed) < most {
                hot.write_all(&block).unwrap();
                written.fetch_add(block.len() as u64, Ordering::Relaxed);
            }
        }
    });
    eventually("the first of the flood", || metric(&bridge, "input_bytes_total"), |read| *read > 1 << 20);

    let mut random = Random::new(seed());
    let mut delays = Vec::new();
    for number in 0..30 {
        let name = &names[random.below(COLD)];
        let began = Instant::now();
        append(&path(name), &format!("cold {number}\n"));
        let event = stream.next_event().unwrap();
        delays.push(began.elapsed());
        assert_eq!((event.data.as_str(), event.id.ends_with(name)), (format!("cold {number}").as_str(), true), "{event:?}");
    }
    let (read, sent) = (metric(&bridge, "input_bytes_total"), written.load(Ordering::Relaxed));
    is_over.store(true, Ordering::Relaxed);
    writer.join().unwrap();
    assert!(sent > 10 << 20 && read > 1 << 20, "the flood was none: {sent} bytes written, {read} read");
    assert!(read < most, "the flood had been read before the last cold line was: all of {read} bytes, delays {delays:?}");
    delays.sort();
    assert!(delays[delays.len() * 9 / 10] < BOUND, "delays with {read} of {sent} bytes read: {delays:?}");
}

/// Directories that come with a file and go again, as those of a container runtime.
fn pods(pattern: &str, options: &[&str], rounds: usize) {
    const AT_ONCE: usize = 10;
    let directory = tempfile::tempdir().unwrap();
    let source = format!("pods={}/{pattern}", directory.path().display());
    let mut arguments = vec!["--rotate-wait", "300ms", "--history", "1MiB", "--from", "start"];
    arguments.extend(options);
    arguments.push(&source);
    let bridge = Bridge::start(&arguments);
    let mut stream = bridge.get("/events");
    assert_eq!(stream.next_event().unwrap().event, "start");
    let pod = |number: usize| directory.path().join(format!("pod-{number:04}"));

    let (mut lines, mut expected) = (Lines::new(), Lines::new());
    let (mut before, mut memory) = ((0, 0), 0);
    for number in 0..rounds {
        fs::create_dir(pod(number)).unwrap();
        append(&pod(number).join("0.log"), &format!("begin {number}\nmiddle"));
        append(&pod(number).join("0.log"), &format!(" {number}\n"));
        take(&mut stream, 2, &mut lines);
        expected.insert(format!("pods/pod-{number:04}/0.log"), vec![format!("begin {number}"), format!("middle {number}")]);
        if let Some(old) = number.checked_sub(AT_ONCE) {
            append(&pod(old).join("0.log"), &format!("end {old}\n"));
            take(&mut stream, 1, &mut lines);
            expected.get_mut(&format!("pods/pod-{old:04}/0.log")).unwrap().push(format!("end {old}"));
            fs::remove_dir_all(pod(old)).unwrap();
        }
        if number == 2 * AT_ONCE {
            // What has gone is let go.
            let settled = |seen: &(usize, usize)| seen.0 <= AT_ONCE + OTHERS && seen.1 <= AT_ONCE + OTHERS;
            before = eventually("few descriptors and watches", || (descriptors(&bridge), watches(&bridge).1), settled);
            memory = bridge.resident();
        }
    }
    assert_eq!(lines, expected);
    let settled = |seen: &(usize, usize)| seen.0 <= before.0 && seen.1 <= before.1.max(AT_ONCE + 8);
    eventually(&format!("as few as before, {before:?}"), || (descriptors(&bridge), watches(&bridge).1), settled);

    let has_gone = |(_, state, reason): &&(String, String, String)| state == "waiting" && reason.contains("gone");
    let all_told = |channels: &Vec<_>| channels.iter().filter(has_gone).count() == rounds - AT_ONCE;
    let channels = eventually("gone channels with a reason", || channels(&bridge), all_told);
    assert_eq!(channels.iter().filter(|(_, state, _)| state == "open").count(), AT_ONCE, "{channels:?}");
    let grown = bridge.resident().saturating_sub(memory);
    assert!(grown < (2 << 20) + rounds as u64 * 8192, "grown by {grown} bytes in {rounds} rounds");
    assert_eq!(metric(&bridge, "source_gaps_total"), 0);
}

#[test]
fn pods_come_and_go() {
    pods("*/*.log", &[], scale(300, 3000));
}

#[test]
fn pods_come_and_go_at_any_depth() {
    pods("**/*.log", &[], scale(300, 3000));
}

#[test]
fn pods_come_and_go_without_hints() {
    // Each round takes two looks.
    pods("*/*.log", &["--poll"], scale(50, 300));
}

#[test]
fn connections_are_accepted_while_the_files_of_a_large_directory_are_read() {
    let many = Many::made(2000);
    let block = ("x".repeat(119) + "\n").repeat(2000);
    many.names.iter().take(400).for_each(|name| append(&many.path(name), &block));
    let bridge = Bridge::start(&["--from", "start", &many.source()]);
    let began = Instant::now();
    drop(connect(bridge.port));
    assert_eq!(bridge.get("/healthz").status(), 200);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    eventually("all lines", || metric(&bridge, "input_lines_total"), |lines| *lines == 2000 + 400 * 2000);
}
