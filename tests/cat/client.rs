//! A client under test.

use std::io::{self, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{Collected, PATIENCE, Random, command};

/// A `sse-bridge cat` that runs; killed on drop.
pub struct Cat {
    child: Child,
    /// Whether the reader stands still.
    is_still: Arc<AtomicBool>,
    pub out: Collected,
    pub err: Collected,
}

impl Cat {
    /// Starts it with these arguments.
    pub fn start(arguments: &[&str]) -> Self {
        let mut all = vec!["cat"];
        all.extend(arguments);
        Self::spawn(command(&all))
    }

    pub fn spawn(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (out, err) = (Collected::of(child.stdout.take().unwrap()), Collected::of(child.stderr.take().unwrap()));
        Self { child, is_still: Arc::default(), out, err }
    }

    /// Starts it with a reader that takes its time.
    pub fn start_slow(arguments: &[&str], seed: u64) -> Self {
        let mut all = vec!["cat"];
        all.extend(arguments);
        let mut child = command(&all).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let is_still = Arc::<AtomicBool>::default();
        let slow = Slow { from: child.stdout.take().unwrap(), random: Random::new(seed), is_still: Arc::clone(&is_still) };
        let (out, err) = (Collected::of(slow), Collected::of(child.stderr.take().unwrap()));
        Self { child, is_still, out, err }
    }

    /// Has a slow reader take nothing more until the client has ended.
    pub fn hold(&self) {
        self.is_still.store(true, Ordering::Relaxed);
    }

    /// Starts it with a reader that takes so many bytes and then no more, stops it when it can write nothing more, and gives what the reader has then.
    pub fn stop_half_way(arguments: &[&str], bytes: usize) -> Vec<u8> {
        let mut all = vec!["cat"];
        all.extend(arguments);
        let mut child = command(&all).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (mut stdout, err) = (child.stdout.take().unwrap(), Collected::of(child.stderr.take().unwrap()));
        let mut taken = vec![0; bytes];
        stdout.read_exact(&mut taken).unwrap_or_else(|error| panic!("{error}; it said:\n{}", err.text()));
        // The pipe is full: so much was written, and it stays so.
        let written = || {
            let io = std::fs::read_to_string(format!("/proc/{}/io", child.id())).unwrap();
            io.lines().find_map(|line| line.strip_prefix("wchar: ")).unwrap().parse::<usize>().unwrap()
        };
        crate::harness::eventually("a full pipe", written, |count| *count >= bytes + 60_000);
        let sent = Command::new("kill").args(["-s", "TERM", &child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        assert_eq!(child.wait().unwrap().code(), Some(143), "{}", err.text());
        stdout.read_to_end(&mut taken).unwrap();
        taken
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.pid().to_string()]).status().unwrap();
        assert!(sent.success(), "could not send {name}");
    }

    /// Waits until it has ended; gives its exit code, -N for signal N.
    pub fn wait(&mut self) -> i32 {
        use std::os::unix::process::ExitStatusExt;
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().unwrap_or_else(|| -status.signal().unwrap());
            }
            assert!(Instant::now() < deadline, "cat still runs after {PATIENCE:?}; it said:\n{}", self.err.text());
            thread::sleep(Duration::from_millis(2)); // waitpid has no time limit; nothing is guessed by this
        }
    }

    /// Waits until it has ended; gives its exit code, and all of both outputs.
    pub fn end(mut self) -> (i32, String, String) {
        let code = self.wait();
        (code, self.out.whole(), self.err.whole())
    }

    /// Stops it by this signal; gives all that it has written.
    pub fn stop(mut self, signal: &str, code: i32) -> Vec<u8> {
        self.signal(signal);
        let ended = self.wait();
        self.is_still.store(false, Ordering::Relaxed);
        self.out.whole();
        let out = self.out.bytes();
        // One that has only just been started does not hear signals yet, and has done nothing.
        let is_early = ended == 128 - code && out.is_empty();
        assert!(ended == code || is_early, "{ended} after {signal}:\n{}", self.err.whole());
        out
    }

    /// Its resident memory, in bytes.
    pub fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }
}

impl Drop for Cat {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- cat said:\n{}---", self.err.text());
        }
    }
}

/// Takes little at a time, and sometimes nothing for a while.
struct Slow {
    from: ChildStdout,
    random: Random,
    is_still: Arc<AtomicBool>,
}

impl Read for Slow {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let pause = if self.random.below(200) == 0 { 300 } else { 0 };
        thread::sleep(Duration::from_millis(pause)); // this is its pace
        while self.is_still.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(5)); // it stands still
        }
        let most = 1 + self.random.below(9000);
        let room = into.len().min(most);
        self.from.read(&mut into[..room])
    }
}
