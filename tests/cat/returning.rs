//! The daemon is killed, the network cut and the client stopped, at random, again and again, while lines are written: what comes out is what went in.
//!
//! ```text
//!  writer ▸ file ▸ daemon ▸ proxy ▸ cat ▸ reader
//!           stays  KILL     cuts    TERM, KILL    takes its time, or all at once
//! ```
//!
//! The oracle: line N of the file has the id of number N, because the daemon has a state directory and reads nothing else. After TERM the outputs of all
//! clients, one behind the other, are the file, to the byte, or the lines of it that match. After KILL a client goes on behind the line that its state file names, which no earlier
//! client has left out.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::client::Cat;
use crate::harness::{Bridge, PATIENCE, Random, command, how_to_repeat, scale, seed};
use crate::proxy::{Cut, Mode, Proxy};

/// Writes lines to a file, of all sizes, until it is told to end.
struct Writer {
    path: PathBuf,
    is_over: Arc<AtomicBool>,
    writing: JoinHandle<()>,
}

impl Writer {
    /// Each line begins with the name and its number.
    fn start(path: PathBuf, name: &'static str, seed: u64) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let mut file = OpenOptions::new().create(true).append(true).open(&path).unwrap();
        let until = Arc::clone(&is_over);
        let writing = thread::spawn(move || {
            let mut random = Random::new(seed);
            let mut number = 0;
            while !until.load(Ordering::Relaxed) {
                let mut lines = String::new();
                for _ in 0..random.below(40) {
                    number += 1;
                    let long = match random.below(100) {
                        0 => random.below(100_000), // more than a pipe holds
                        1..5 => random.below(6000),
                        _ => random.below(100),
                    };
                    lines.push_str(&format!("{name}{number} {}\n", "abcdefghi ".repeat(long / 10)));
                }
                file.write_all(lines.as_bytes()).unwrap();
                thread::sleep(Duration::from_millis(random.below(20) as u64)); // its pace
            }
        });
        Self { path, is_over, writing }
    }

    /// Ends it; gives all that it has written.
    fn end(self) -> Vec<u8> {
        self.is_over.store(true, Ordering::Relaxed);
        self.writing.join().unwrap();
        fs::read(&self.path).unwrap()
    }
}

/// The whole chain.
struct Chain {
    directory: tempfile::TempDir,
    random: Random,
    bridge: Option<Bridge>,
    proxy: Proxy,
    port: u16,
}

impl Chain {
    fn new(name: &'static str, seed: u64) -> (Self, Writer) {
        let directory = tempfile::tempdir().unwrap();
        let writer = Writer::start(directory.path().join("app.log"), name, seed);
        let bridge = Self::start_bridge(&directory, 0);
        let port = bridge.port;
        (Self { directory, random: Random::new(seed ^ 0x5EED), bridge: Some(bridge), proxy: Proxy::start(port), port }, writer)
    }

    fn start_bridge(directory: &tempfile::TempDir, port: u16) -> Bridge {
        let at = |name: &str| directory.path().join(name).display().to_string();
        let (port, state, source) = (port.to_string(), at("history"), format!("app={}", at("app.log")));
        Bridge::spawn(command(&[
            "--port",
            &port,
            "--state-dir",
            &state,
            "--from",
            "start",
            "--retry",
            "500ms",
            "--history",
            "1MiB",
            &source,
        ]))
    }

    fn state(&self) -> String {
        self.directory.path().join("place").display().to_string()
    }

    fn cat(&mut self, more: &[&str]) -> Cat {
        let (state, url) = (self.state(), self.proxy.url());
        let arguments = [&["-q", "-q", "--tail", "all", "--state", &state, &url], more].concat();
        if self.random.below(3) == 0 {
            Cat::start_slow(&arguments, self.random.below(1 << 30) as u64)
        } else {
            Cat::start(&arguments)
        }
    }

    fn pause(&mut self, most: usize) {
        thread::sleep(Duration::from_millis(self.random.below(most) as u64)); // any moment
    }

    /// One thing goes wrong, but not with the client.
    fn trouble(&mut self) {
        self.pause(300);
        match self.random.below(5) {
            0 => self.proxy.cut(Cut::Reset),
            1 => self.proxy.cut(Cut::Close),
            2 => self.proxy.cut_after(1 + self.random.below(200_000), Cut::Reset),
            3 => {
                self.proxy.set(if self.random.below(2) == 0 { Mode::Refuse } else { Mode::Answer(502) });
                self.proxy.cut(Cut::Close);
                self.pause(400);
                self.proxy.set(Mode::Pass(self.port));
            }
            _ => {
                drop(self.bridge.take()); // KILL
                self.pause(300);
                self.bridge = Some(Self::start_bridge(&self.directory, self.port));
            }
        }
    }
}

/// Says where two texts begin to differ.
#[track_caller]
fn assert_same(who: &str, seen: &[u8], expected: &[u8]) {
    if seen == expected {
        return;
    }
    let at = seen.iter().zip(expected).take_while(|(seen, expected)| seen == expected).count();
    let show = |bytes: &[u8]| {
        String::from_utf8_lossy(&bytes[at.saturating_sub(60).min(bytes.len())..(at + 60).min(bytes.len())]).into_owned()
    };
    panic!(
        "{who}: {} bytes, of {} expected, differ at {at}:\n  {:?}\n  {:?}",
        seen.len(),
        expected.len(),
        show(seen),
        show(expected)
    );
}

/// Waits until a client has written something that ends so.
fn wait_for_end(cat: &Cat, has_all: impl Fn(&[u8]) -> bool) {
    let deadline = Instant::now() + 2 * PATIENCE;
    while !has_all(&cat.out.bytes()) && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(20)); // between two looks; what is missing then is said by the judge
    }
}

/// The signals by which a client is stopped: most often TERM.
const STOPS: [(&str, i32); 4] = [("TERM", 143), ("TERM", 143), ("INT", 130), ("HUP", 129)];

/// Troubles, and stops, until the client was stopped so often by TERM: what comes out is what went in, as far as it is wanted.
fn stop_again_and_again(more: &[&str], is_wanted: impl Fn(&[u8]) -> bool, terms: usize) {
    let seed = seed();
    let (mut chain, writer) = Chain::new("", seed);
    let mut cat = chain.cat(more);
    let (mut seen, mut stops, mut stopped) = (Vec::new(), 0, 0);
    while stopped < terms {
        chain.trouble();
        if chain.random.below(4) > 0 {
            let (signal, code) = STOPS[chain.random.below(STOPS.len())];
            seen.extend(cat.stop(signal, code));
            stops += 1;
            stopped += usize::from(signal == "TERM");
            chain.pause(100);
            cat = chain.cat(more);
        }
    }
    let written = writer.end();
    let wanted: Vec<u8> =
        written.split_inclusive(|byte| *byte == b'\n').filter(|line| is_wanted(line)).flatten().copied().collect();
    let before = seen.len();
    wait_for_end(&cat, |out| before + out.len() >= wanted.len());
    seen.extend(cat.stop("TERM", 143));
    println!("{stops} stops, {stopped} by TERM, {} bytes of {}", wanted.len(), written.len());
    assert_same(&format!("{stops} stops, {}", how_to_repeat(seed)), &seen, &wanted);
}

#[test]
fn what_comes_out_is_what_went_in_when_the_client_is_stopped() {
    stop_again_and_again(&[], |_| true, scale(6, 200));
}

/// What matches: about a half of the lines.
const ODD: &[&str] = &["--grep", "^[0-9]*[13579] "];

fn is_odd(line: &[u8]) -> bool {
    line.split(|byte| *byte == b' ').next().is_some_and(|number| number.last().is_some_and(|digit| digit % 2 == 1))
}

#[test]
fn what_comes_out_is_what_went_in_and_matches() {
    stop_again_and_again(ODD, is_odd, scale(4, 100));
}

/// Two daemons, each with troubles of its own, one client that each time writes another shape, and a reader that stands still now and then: each line
/// comes once, whole and in the order of its stream.
#[test]
fn two_streams_come_out_whole_in_changing_shapes() {
    let seed = seed();
    let ((mut one, first), (mut two, second)) = (Chain::new("a", seed), Chain::new("b", seed ^ 0xB));
    let (state, urls) = (one.state(), [one.proxy.url(), two.proxy.url()]);
    let start = |shape: &str, seed: usize| {
        let arguments = ["-q", "-q", "--tail", "all", "--state", &state, &urls[0], &urls[1], shape];
        Cat::start_slow(&arguments[..if shape.is_empty() { 8 } else { 9 }], seed as u64)
    };
    let mut cat = start("", 1);
    let (mut seen, mut stopped) = (Vec::new(), 0);
    while stopped < scale(6, 100) {
        let troubled = if one.random.below(2) == 0 { &mut one } else { &mut two };
        troubled.trouble();
        if one.random.below(2) == 0 {
            cat.hold();
            one.pause(600); // until a pipe is full, often
        }
        let (signal, code) = STOPS[one.random.below(STOPS.len())];
        seen.extend(cat.stop(signal, code));
        stopped += 1;
        cat = start(["", "--label", "--ndjson"][one.random.below(3)], one.random.below(1 << 30));
    }
    seen.extend(cat.stop("TERM", 143));
    let written = [first.end(), second.end()];
    let count = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'\n').count();
    let (before, all) = (count(&seen), count(&written[0]) + count(&written[1]));
    let cat = Cat::start(&["-q", "-q", "--tail", "all", "--state", &state, &urls[0], &urls[1]]);
    wait_for_end(&cat, |out| before + count(out) >= all);
    seen.extend(cat.stop("TERM", 143));
    for (name, written) in [b'a', b'b'].into_iter().zip(written) {
        let lines = seen.split_inclusive(|byte| *byte == b'\n').map(plain).filter(|line| line.first() == Some(&name));
        let lines: Vec<u8> = lines.flatten().collect();
        assert_same(&format!("{}, {stopped} stops, {}", char::from(name), how_to_repeat(seed)), &lines, &written);
    }
    assert_eq!(count(&seen), all, "{}", how_to_repeat(seed));
}

/// A line as it went in, whatever its shape.
fn plain(line: &[u8]) -> Vec<u8> {
    if let Ok(object) = serde_json::from_slice::<serde_json::Value>(line) {
        return [object["data"].as_str().unwrap_or_default().as_bytes(), b"\n"].concat();
    }
    let label = line.windows(2).position(|two| two == b": ").map_or(0, |at| at + 2);
    line[label..].to_vec()
}

/// The number of the last event that a state file names; 0 if none.
fn remembered(state: &str) -> usize {
    let text = fs::read_to_string(state).unwrap_or_default();
    let Some(line) = text.lines().nth(1) else { return 0 };
    let id = line.split('\t').next().unwrap();
    id.split('/').next().unwrap().split('-').nth(1).unwrap().parse().unwrap()
}

/// Troubles and kills: nothing that is wanted is missing, and what comes again came since the last save.
fn kill_again_and_again(more: &[&str], is_wanted: impl Fn(&[u8]) -> bool, kills: usize) {
    let seed = seed();
    let (mut chain, writer) = Chain::new("", seed);
    let state = chain.state();
    // What each client has written, and behind which line it began.
    let mut runs: Vec<(usize, Vec<u8>)> = Vec::new();
    let mut begin = 0;
    let mut cat = chain.cat(more);
    while runs.len() < kills {
        chain.trouble();
        if chain.random.below(4) > 0 {
            runs.push((begin, cat.stop("KILL", -9)));
            begin = remembered(&state);
            cat = chain.cat(more);
        }
    }
    let written = writer.end();
    let lines: Vec<_> = written.split_inclusive(|byte| *byte == b'\n').collect();
    let wanted: Vec<_> = lines.iter().enumerate().filter(|(_, line)| is_wanted(line)).map(|(index, line)| (index, *line)).collect();
    let last = wanted.last().unwrap().1;
    wait_for_end(&cat, |out| out.ends_with(last));
    runs.push((begin, cat.stop("KILL", -9)));
    // How many of the wanted lines were written whole.
    let (mut whole, mut repeated) = (0, 0);
    for (index, (begin, out)) in runs.iter().enumerate() {
        let who = format!("run {index} of {}, behind line {begin}, {}", runs.len(), how_to_repeat(seed));
        let first = wanted.partition_point(|(index, _)| index < begin);
        assert!(first <= whole, "{who}: only {whole} lines were written whole before: something is skipped");
        repeated += whole - first;
        let rest: Vec<u8> = wanted[first..].iter().flat_map(|(_, line)| *line).copied().collect();
        assert_same(&who, out, &rest[..out.len().min(rest.len())]);
        whole = whole.max(first + out.iter().filter(|byte| **byte == b'\n').count());
    }
    println!("{} kills, {} lines, {repeated} repeated", runs.len(), wanted.len());
    assert_eq!(whole, wanted.len(), "{}", how_to_repeat(seed));
}

#[test]
fn what_comes_out_after_kills_repeats_only_what_came_since_the_last_save() {
    kill_again_and_again(&[], |_| true, scale(8, 200));
}

#[test]
fn what_matches_comes_out_after_kills() {
    kill_again_and_again(ODD, is_odd, scale(5, 100));
}

/// A connection dies without a word, on the way: no end, no reset, and nothing passes any more.
#[test]
fn a_connection_that_dies_without_a_word_is_noticed() {
    let mut bridge = Bridge::start(&["--heartbeat", "1s"]);
    let proxy = Proxy::start(bridge.port);
    let cat = Cat::start(&["--tail", "all", &proxy.url()]);
    bridge.feed(b"1\n");
    cat.out.wait_for("1\n");
    thread::sleep(Duration::from_secs(6)); // a few signs of life, by which the pulse is known
    proxy.silence();
    bridge.feed(b"2\n");
    cat.err.wait_for("nothing was heard for ");
    bridge.feed(b"3\n");
    cat.out.wait_for("3\n");
    assert_eq!(cat.stop("TERM", 143), b"1\n2\n3\n");
}
