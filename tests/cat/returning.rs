//! The daemon is killed, the network cut and the client stopped, at random, again and again, while lines are written: what comes out is what went in.
//!
//! ```text
//!  writer ▸ file ▸ daemon ▸ proxy ▸ cat ▸ reader
//!           stays  KILL     cuts    TERM, KILL    takes its time, or all at once
//! ```
//!
//! The oracle: line N of the file has the id of number N, because the daemon has a state directory and reads nothing else. After TERM the outputs of all
//! clients, one behind the other, are the file, to the byte. After KILL a client goes on behind the line that its state file names, which no earlier
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
    fn start(path: PathBuf, seed: u64) -> Self {
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
                    lines.push_str(&format!("{number} {}\n", "abcdefghi ".repeat(long / 10)));
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
    fn new(seed: u64) -> (Self, Writer) {
        let directory = tempfile::tempdir().unwrap();
        let writer = Writer::start(directory.path().join("app.log"), seed);
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

    fn cat(&mut self) -> Cat {
        let (state, url) = (self.state(), self.proxy.url());
        let arguments = ["-q", "-q", "--tail", "all", "--state", &state, &url];
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

#[test]
fn what_comes_out_is_what_went_in_when_the_client_is_stopped() {
    let seed = seed();
    let (mut chain, writer) = Chain::new(seed);
    let mut cat = chain.cat();
    let (mut seen, mut stops) = (Vec::new(), 0);
    for _ in 0..scale(15, 300) {
        chain.trouble();
        if chain.random.below(2) == 0 {
            let (signal, code) = [("TERM", 143), ("INT", 130), ("HUP", 129)][chain.random.below(3)];
            seen.extend(cat.stop(signal, code));
            stops += 1;
            chain.pause(100);
            cat = chain.cat();
        }
    }
    let written = writer.end();
    let before = seen.len();
    wait_for_end(&cat, |out| before + out.len() >= written.len());
    seen.extend(cat.stop("TERM", 143));
    println!("{stops} stops, {} bytes", written.len());
    assert_same(&format!("{stops} stops, {}", how_to_repeat(seed)), &seen, &written);
}

/// The number of the last event that a state file names; 0 if none.
fn remembered(state: &str) -> usize {
    let text = fs::read_to_string(state).unwrap_or_default();
    let Some(line) = text.lines().nth(1) else { return 0 };
    let id = line.split('\t').next().unwrap();
    id.split('/').next().unwrap().split('-').nth(1).unwrap().parse().unwrap()
}

#[test]
fn what_comes_out_after_kills_repeats_only_what_came_since_the_last_save() {
    let seed = seed();
    let (mut chain, writer) = Chain::new(seed);
    let state = chain.state();
    // What each client has written, and behind which line it began.
    let mut runs: Vec<(usize, Vec<u8>)> = Vec::new();
    let mut begin = 0;
    let mut cat = chain.cat();
    for _ in 0..scale(15, 300) {
        chain.trouble();
        if chain.random.below(2) == 0 {
            runs.push((begin, cat.stop("KILL", -9)));
            begin = remembered(&state);
            cat = chain.cat();
        }
    }
    let written = writer.end();
    let lines: Vec<_> = written.split_inclusive(|byte| *byte == b'\n').collect();
    let last = *lines.last().unwrap();
    wait_for_end(&cat, |out| out.ends_with(last));
    runs.push((begin, cat.stop("KILL", -9)));
    let (mut whole, mut repeated) = (0, 0);
    for (index, (begin, out)) in runs.iter().enumerate() {
        let who = format!("run {index} of {}, behind line {begin}, {}", runs.len(), how_to_repeat(seed));
        assert!(*begin <= whole, "{who}: only {whole} lines were written whole before: something is skipped");
        repeated += whole - begin;
        let rest: Vec<u8> = lines[*begin..].concat();
        assert_same(&who, out, &rest[..out.len().min(rest.len())]);
        whole = whole.max(begin + out.iter().filter(|byte| **byte == b'\n').count());
    }
    println!("{} kills, {} lines, {repeated} repeated", runs.len(), lines.len());
    assert_eq!(whole, lines.len(), "{}", how_to_repeat(seed));
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
