//! What the kernel is made to refuse: small file systems in a namespace of the test's own, calls that strace answers, rights taken away.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use tempfile::TempDir;

use crate::harness::{Bridge, Collected, command};

/// A mount namespace of its own, with a small file system in memory; both end on drop. Nobody else sees what is mounted.
pub struct Room {
    above: TempDir,
    holder: Child,
    /// Closed, it lets the holder go.
    _door: ChildStdin,
    in_user_namespace: bool,
}

impl Room {
    /// One with `size` bytes of room at [`Self::disk`].
    pub fn new(size: u64) -> Self {
        let above = tempfile::tempdir().unwrap();
        fs::create_dir(above.path().join("disk")).unwrap();
        let mount =
            format!("mount -t tmpfs -o size={size},mode=755 tmpfs '{}/disk' && echo mounted && read end", above.path().display());
        let mut refused = String::new();
        for namespaces in [&["--mount"][..], &["--user", "--map-root-user", "--mount"]] {
            let mut unshare = Command::new("unshare");
            unshare
                .args(namespaces)
                .args(["bash", "-c", &mount])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
            let mut holder = unshare.spawn().expect("unshare (tests/install)");
            let mut said = BufReader::new(holder.stdout.take().unwrap());
            let errors = Collected::of(holder.stderr.take().unwrap());
            let door = holder.stdin.take().unwrap();
            let mut line = String::new();
            said.read_line(&mut line).unwrap(); // it has mounted, or has ended
            if line == "mounted\n" {
                return Self { above, holder, _door: door, in_user_namespace: namespaces.len() > 1 };
            }
            refused.push_str(&errors.whole());
            holder.wait().unwrap();
        }
        panic!("this machine allows no mounts in a namespace (unshare --mount, with or without --user): {refused}");
    }

    /// The directory that lies on the small file system, by its name in the room.
    pub fn disk(&self) -> PathBuf {
        self.above.path().join("disk")
    }

    /// A directory in the room as everybody sees it.
    pub fn seen(&self, path: &Path) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{}", self.holder.id(), path.display()))
    }

    /// A command line that runs in the room what is added to it.
    pub fn enter(&self) -> Command {
        let mut nsenter = Command::new("nsenter");
        nsenter.args(["--target", &self.holder.id().to_string(), "--mount"]);
        if self.in_user_namespace {
            nsenter.args(["--user", "--preserve-credentials"]);
        }
        nsenter
    }

    /// Runs a shell's command in the room.
    #[track_caller]
    pub fn run(&self, script: &str) {
        let output = self.enter().args(["sh", "-ec", script]).output().expect("nsenter (tests/install)");
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Starts a daemon in the room, with its state on the small file system.
    pub fn start(&self, port: u16, more: &[&str]) -> Bridge {
        let state = self.disk().join("state");
        let daemon = command(&[&["--port", &port.to_string(), "--state-dir", state.to_str().unwrap()], more].concat());
        let mut inside = self.enter();
        inside.arg(daemon.get_program()).args(daemon.get_args());
        Bridge::spawn(inside)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// Some calls of a daemon fail: `answers` as strace's option `inject` takes them. Calls are counted for each thread.
pub fn answered(daemon: &Command, answers: &[&str]) -> Command {
    let calls: Vec<_> = answers.iter().filter_map(|answer| answer.split(':').next()).collect();
    let mut strace = traced(&calls, Path::new("/dev/null"));
    answers.iter().for_each(|answer| _ = strace.args(["-e", &format!("inject={answer}")]));
    strace.arg(daemon.get_program()).args(daemon.get_args());
    strace
}

/// These calls of a daemon are written to a file, a line for each.
pub fn watched(daemon: &Command, calls: &[&str], to: &Path) -> Command {
    let mut strace = traced(calls, to);
    strace.arg(daemon.get_program()).args(daemon.get_args());
    strace
}

fn traced(calls: &[&str], to: &Path) -> Command {
    let works = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).status();
    assert!(works.expect("strace (tests/install)").success(), "this machine does not allow tracing (strace)");
    let mut strace = Command::new("strace");
    // The daemon remains the test's child, so that it gets the signals; no other call is stopped.
    strace.args(["-D", "-f", "--seccomp-bpf", "-qq", "-o", to.to_str().unwrap(), "-e", &format!("trace={}", calls.join(","))]);
    strace
}

/// A daemon without root's right to read and write everything.
pub fn unprivileged(daemon: &Command) -> Command {
    let mut plain = Command::new("setpriv");
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        plain.args(["--bounding-set", "-dac_override,-dac_read_search"]);
    }
    plain.arg(daemon.get_program()).args(daemon.get_args());
    plain
}

/// Sets what everybody may do with a file or a directory.
pub fn allow(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}
