//! logrotate and nginx: what rotates most logs there are, and what writes many of them. Both come from Debian's packages (`tests/install`), with files of
//! their own in a directory of the test.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::harness::parser::Message;
use crate::harness::{Bridge, Get, PATIENCE, scale};

/// A program that may lie where only administrators look.
fn program(name: &str) -> Command {
    let found = ["/usr/sbin", "/usr/local/sbin", "/sbin"]
        .map(|directory| Path::new(directory).join(name))
        .into_iter()
        .find(|path| path.exists());
    Command::new(found.unwrap_or_else(|| PathBuf::from(name)))
}

/// A daemon that follows one file, and a client that counts.
struct Watched {
    bridge: Bridge,
    get: Get,
    seen: Vec<Message>,
}

impl Watched {
    fn of(path: &Path, polls: bool) -> Self {
        let source = format!("log={}", path.display());
        let mut arguments = vec!["--from", "start", source.as_str()];
        arguments.extend(polls.then_some("--poll"));
        let bridge = Bridge::start(&arguments);
        let get = bridge.get("/events?tail=all");
        Self { bridge, get, seen: Vec::new() }
    }

    /// Waits for a line at or past this number.
    fn see(&mut self, wanted: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.seen.iter().rev().find_map(number).is_none_or(|newest| newest < wanted) {
            assert!(
                Instant::now() < deadline,
                "line {wanted} does not come; last: {:?}\n{}",
                self.seen.last(),
                self.bridge.stderr()
            );
            let message = self.get.next_event().expect("the stream goes on");
            if !["start", "progress"].contains(&message.event.as_str()) {
                self.seen.push(message);
            }
        }
    }
}

fn number(message: &Message) -> Option<usize> {
    let (number, rest) = (message.event == "message").then(|| message.data.split_once(' '))??;
    rest.starts_with("word").then(|| number.parse().ok())?
}

fn text(number: usize) -> String {
    format!("{number} word {}", "y".repeat(number % 97))
}

/// A program that logs all the time, and opens its log again when it is told to, by a file `reopen` that it removes.
struct Logger {
    written: Arc<AtomicUsize>,
    ends: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Logger {
    fn start(path: &Path) -> Self {
        let written = Arc::<AtomicUsize>::default();
        let ends = Arc::<AtomicBool>::default();
        let open = |path: &Path| OpenOptions::new().append(true).create(true).open(path).unwrap();
        let (path, mut file) = (path.to_owned(), open(path));
        let (count, end, reopen) = (Arc::clone(&written), Arc::clone(&ends), path.with_file_name("reopen"));
        let thread = thread::spawn(move || {
            for number in 1.. {
                if end.load(Ordering::SeqCst) {
                    return;
                }
                if reopen.exists() {
                    file = open(&path);
                    fs::remove_file(&reopen).unwrap();
                }
                file.write_all(format!("{}\n", text(number)).as_bytes()).unwrap();
                count.store(number, Ordering::SeqCst);
                if number % 20 == 0 {
                    thread::sleep(Duration::from_millis(1)); // some ten thousand lines a second: load, not a full disk
                }
            }
        });
        Self { written, ends, thread }
    }

    fn written(&self) -> usize {
        self.written.load(Ordering::SeqCst)
    }

    fn end(self) -> usize {
        self.ends.store(true, Ordering::SeqCst);
        self.thread.join().unwrap();
        self.written.load(Ordering::SeqCst)
    }
}

/// Has logrotate rotate a file under load, again and again. Gives what came, and how many lines were written.
fn rotate(directory: &Path, options: &str, polls: bool) -> (Vec<Message>, usize) {
    let (log, config, state) = (directory.join("app.log"), directory.join("logrotate.conf"), directory.join("state"));
    let logger = Logger::start(&log);
    let reopen = directory.join("reopen");
    let tell = format!("postrotate\ntouch {0}; while [ -e {0} ]; do sleep 0.01; done\nendscript", reopen.display());
    let tell = if options.contains("copytruncate") { String::new() } else { tell };
    let options = options.replace(',', "\n");
    fs::write(&config, format!("\"{}\" {{\n{options}\nrotate 1000\n{tell}\n}}\n", log.display())).unwrap();
    let mut watched = Watched::of(&log, polls);
    for _ in 0..scale(3, 30) {
        // The daemon is never more than one rotation behind: it finds what one has left.
        watched.see(logger.written() + 1);
        let output = program("logrotate").arg("-f").arg("-s").arg(&state).arg(&config).output().expect("logrotate (tests/install)");
        assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        let second = seconds();
        watched.see(logger.written() + 1);
        while options.contains("dateext") && seconds() == second {
            thread::sleep(Duration::from_millis(20)); // names are made of seconds
        }
    }
    let written = logger.end();
    watched.see(written);
    thread::sleep(Duration::from_millis(1300)); // whatever is doubled may come with the next look
    let seen = watched.seen;
    let all = watched.bridge.get("/events?tail=all&follow=0").rest();
    assert_eq!(all.len(), seen.len(), "more has come: {:?}", all.last());
    (seen, written)
}

fn seconds() -> u64 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()
}

/// Every line once, in order, without a gap.
fn assert_exact(seen: &[Message], written: usize, expected: impl Fn(usize) -> String) {
    for (index, message) in seen.iter().enumerate() {
        assert_eq!(
            (message.event.as_str(), message.data.as_str()),
            ("message", expected(index + 1).as_str()),
            "at {index} of {}",
            seen.len()
        );
    }
    assert_eq!(seen.len(), written);
}

/// logrotate moves the file away and makes a new one; the logger goes on with the old one until `postrotate` tells it. Nothing may be lost, not even
/// when the old file is compressed and removed at once.
#[test]
fn logrotate_creates() {
    let variants =
        ["create", "create,dateext,dateformat -%Y%m%d-%s", "nocreate", "create,compress,delaycompress", "create,compress"];
    in_parallel(&variants, |options, polls| {
        let directory = tempfile::tempdir().unwrap();
        let (seen, written) = rotate(directory.path(), options, polls);
        assert_exact(&seen, written, text);
    });
}

/// logrotate copies the file and cuts it. What is written between the two is in no file, and may be lost where a gap says so; every line that is
/// still in a file at the end, or in one that logrotate has compressed later, must have come. Each truncation is a gap. Where the copy ends inside a line,
/// so does the last event before the gap.
#[test]
fn logrotate_copies_and_truncates() {
    let variants = ["copytruncate", "copytruncate,dateext,dateformat -%Y%m%d-%s", "copytruncate,compress,delaycompress"];
    in_parallel(&variants, |options, polls| {
        let directory = tempfile::tempdir().unwrap();
        let (seen, written) = rotate(directory.path(), options, polls);
        let mut come = vec![false; written + 1];
        let mut newest = 0;
        let mut gaps = 0; // since the newest line
        for (index, message) in seen.iter().enumerate() {
            if message.event == "gap" {
                assert!(
                    message.data.contains(r#""reason":"truncated""#) || message.data.contains(r#""reason":"overwritten""#),
                    "{message:?}"
                );
                gaps += 1;
                continue;
            }
            let is_cut = seen.get(index + 1).is_some_and(|next| next.event == "gap");
            let number = match number(message).filter(|number| text(*number) == message.data) {
                Some(number) => number,
                None if is_cut && text(newest + 1).starts_with(&message.data) => continue,
                None => panic!("after line {newest} came {message:?}"),
            };
            assert!(number > newest, "line {number} came after line {newest}");
            assert!(number == newest + 1 || gaps > 0, "no gap between lines {newest} and {number}");
            (newest, gaps) = (number, 0);
            come[number] = true;
        }
        for number in on_disk(directory.path()) {
            assert!(come[number], "line {number} of {written} is in a file, and has not come");
        }
        let gaps = seen.iter().filter(|message| message.event == "gap").count();
        assert_eq!(gaps, scale(3, 30), "gaps, and truncations");
    });
}

/// The numbers of the lines of all files of a log.
fn on_disk(directory: &Path) -> Vec<usize> {
    let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let logs = files.filter(|path| path.file_name().unwrap().display().to_string().starts_with("app.log"));
    let contents = logs.flat_map(|path| match path.extension() {
        Some(extension) if extension == "gz" => Command::new("gzip").arg("-dc").arg(path).output().unwrap().stdout,
        _ => fs::read(path).unwrap(),
    });
    let contents = String::from_utf8(contents.collect()).unwrap();
    let numbered = contents.lines().filter_map(|line| Some((line, line.split_once(" word ")?.0.parse().ok()?)));
    numbered.filter(|(line, number)| *line == text(*number)).map(|(_, number)| number).collect()
}

/// Runs each variant with and without watching, some at a time.
fn in_parallel(variants: &[&str], run: impl Fn(&str, bool) + Sync) {
    let all: Vec<_> = variants.iter().flat_map(|variant| [(*variant, false), (*variant, true)]).collect();
    for some in all.chunks(4) {
        thread::scope(|scope| {
            let runs: Vec<_> = some.iter().map(|(variant, polls)| scope.spawn(|| run(variant, *polls))).collect();
            let failed: Vec<_> =
                runs.into_iter().zip(some).filter_map(|(run, variant)| run.join().err().map(|_| variant)).collect();
            assert!(failed.is_empty(), "failed (options of logrotate, polling): {failed:?}");
        });
    }
}

/// nginx with all its files in one directory, listening on a socket in it; ended on drop.
struct Nginx {
    child: Child,
    directory: PathBuf,
}

impl Nginx {
    fn start(directory: &Path) -> Self {
        let here = directory.display();
        let temporary =
            ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|kind| format!("{kind}_temp_path {here}/{kind};")).concat();
        let config = format!(
            "daemon off; worker_processes 1; user root root; pid {here}/nginx.pid; events {{}}\n\
             http {{ log_format uri '$request_uri'; access_log {here}/access.log uri; {temporary} keepalive_requests 1000000;\n\
             server {{ listen unix:{here}/socket; location / {{ return 204; }} }} }}\n"
        );
        fs::write(directory.join("nginx.conf"), config).unwrap();
        let child = program("nginx")
            .args(["-e", &format!("{here}/error.log"), "-c", &format!("{here}/nginx.conf"), "-p", &format!("{here}")])
            .stdin(Stdio::null())
            .spawn()
            .expect("nginx (tests/install)");
        let nginx = Self { child, directory: directory.to_owned() };
        let deadline = Instant::now() + PATIENCE;
        while UnixStream::connect(directory.join("socket")).is_err() {
            assert!(Instant::now() < deadline, "nginx does not listen: {}", nginx.errors());
            thread::sleep(Duration::from_millis(5)); // it says nothing when it is ready
        }
        nginx
    }

    fn errors(&self) -> String {
        fs::read_to_string(self.directory.join("error.log")).unwrap_or_default()
    }

    fn signal(&self, name: &str) {
        assert!(Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap().success());
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.signal("TERM"); // it ends its workers; killed, it would leave them
        let _ = self.child.wait();
    }
}

/// Asks for `/1`, `/2`, ... on one connection, as fast as they are answered, until it is told to end.
fn requests(directory: &Path, asked: Arc<AtomicUsize>, ends: Arc<AtomicBool>) {
    let mut socket = BufReader::new(UnixStream::connect(directory.join("socket")).unwrap());
    socket.get_ref().set_read_timeout(Some(PATIENCE)).unwrap();
    for number in 1.. {
        if ends.load(Ordering::SeqCst) {
            return;
        }
        write!(socket.get_mut(), "GET /{number} HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            assert!(socket.read_line(&mut line).unwrap() > 0, "nginx goes on");
        }
        asked.store(number, Ordering::SeqCst);
        if number % 10 == 0 {
            thread::sleep(Duration::from_millis(1)); // load, not a benchmark
        }
    }
}

/// As nginx's own manual says: move the file, send USR1. The workers go on with the old one for a moment.
#[test]
fn nginx_writes_its_access_log_and_is_told_to_open_it_again() {
    in_parallel(&["access.log"], |name, polls| {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join(name);
        let nginx = Nginx::start(directory.path());
        let mut watched = Watched::of(&log, polls);
        let (asked, ends) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let client = {
            let (directory, asked, ends) = (directory.path().to_owned(), Arc::clone(&asked), Arc::clone(&ends));
            thread::spawn(move || requests(&directory, asked, ends))
        };
        let see = |watched: &mut Watched, wanted: usize| {
            let deadline = Instant::now() + PATIENCE;
            while watched.seen.len() < wanted {
                assert!(Instant::now() < deadline, "{} of {wanted} lines came; nginx said: {}", watched.seen.len(), nginx.errors());
                let message = watched.get.next_event().expect("the stream goes on");
                if message.event != "start" {
                    watched.seen.push(message);
                }
            }
        };
        for rotation in 1..=scale(4, 40) {
            see(&mut watched, asked.load(Ordering::SeqCst) + 20);
            fs::rename(&log, directory.path().join(format!("{name}.{rotation}"))).unwrap();
            nginx.signal("USR1");
            see(&mut watched, asked.load(Ordering::SeqCst) + 20);
        }
        ends.store(true, Ordering::SeqCst);
        client.join().unwrap();
        let asked = asked.load(Ordering::SeqCst);
        see(&mut watched, asked);
        assert_exact(&watched.seen, asked, |number| format!("/{number}"));
        let all = watched.bridge.get("/events?tail=all&follow=0").rest();
        assert_eq!(all.len(), asked);
    });
}
