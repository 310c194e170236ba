//! A kernel that refuses, or keeps silent.
//!
//! Nobody else on the machine may notice, and no test may be left out because of what a container is not allowed. So there are two ways to each: the
//! real thing, which wants rights that few containers have (user namespaces, mounts), and strace, which answers some calls of the daemon in the
//! kernel's place and wants only that one process may trace another. A test goes all ways that the machine has, and fails where it has none.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::harness::{Bridge, command};
use crate::sources::{Ground, shell, start};

/// What a daemon's user has only so many of.
#[derive(Debug, Clone, Copy)]
pub enum Limit {
    Instances(u32),
    Watches(u32),
}

/// How a daemon meets with a limit of inotify.
#[derive(Debug, Clone, Copy)]
pub enum Limiting {
    /// Its user, in a namespace of its own, has no more.
    Namespace,
    /// Its further calls fail as they do for a user who has no more.
    Answers,
}

impl Limiting {
    pub fn ways() -> Vec<Self> {
        let mut unshare = Command::new("unshare");
        unshare.args(["--user", "--map-root-user", "test", "-w", "/proc/sys/user/max_inotify_watches"]);
        let ways = [(works(&mut unshare), Self::Namespace), (can_answer(), Self::Answers)];
        let ways: Vec<_> = ways.into_iter().filter(|(is_there, _)| *is_there).map(|(_, way)| way).collect();
        assert!(!ways.is_empty(), "this machine allows neither user namespaces (unshare --user) nor tracing (strace)");
        ways
    }

    pub fn start(self, limit: Limit, sources: &[String]) -> Bridge {
        match self {
            Self::Namespace => in_a_namespace(limit, sources),
            Self::Answers => match limit {
                Limit::Instances(count) => answered(&[format!("inotify_init1:error=EMFILE:when={}+", count + 1)], sources),
                Limit::Watches(count) => answered(&[format!("inotify_add_watch:error=ENOSPC:when={}+", count + 1)], sources),
            },
        }
    }
}

fn in_a_namespace(limit: Limit, sources: &[String]) -> Bridge {
    let (file, count) = match limit {
        Limit::Instances(count) => ("max_inotify_instances", count),
        Limit::Watches(count) => ("max_inotify_watches", count),
    };
    let inside = format!("echo {count} >/proc/sys/user/{file} && exec sse-bridge --port 0 \"$@\"");
    let mut command = shell("exec unshare --user --map-root-user bash -c \"$@\"");
    command.args(["bash", &inside, "bash"]).args(sources);
    Bridge::spawn(command)
}

/// A file system that gives no hints of what happens on its far side.
pub enum Silence {
    /// It lies in another process.
    Mounted(Mounted),
    /// It is a usual one, but the kernel's answers are those of one in another process: what it is called, and watches that never tell.
    Answers,
}

impl Silence {
    pub fn ways() -> Vec<Self> {
        let answers = can_answer().then_some(Self::Answers);
        let ways: Vec<_> = Mounted::new().map(Self::Mounted).into_iter().chain(answers).collect();
        assert!(!ways.is_empty(), "this machine allows neither a file system in a process (/dev/fuse) nor tracing (strace)");
        ways
    }

    /// A directory on it.
    pub fn ground(&self) -> Ground {
        match self {
            Self::Mounted(mounted) => Ground::on(&mounted.near()),
            Self::Answers => Ground::new(),
        }
    }

    /// The same directory on the far side.
    pub fn far(&self, ground: &Ground) -> PathBuf {
        match self {
            Self::Mounted(mounted) => mounted.far().join(ground.root().file_name().unwrap()),
            Self::Answers => ground.root().to_owned(),
        }
    }

    pub fn start(&self, sources: &[String]) -> Bridge {
        match self {
            Self::Mounted(_) => start(sources),
            Self::Answers => {
                let kind: String = FUSE.to_ne_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
                answered(&["inotify_add_watch:retval=1".to_owned(), format!("fstatfs:poke_exit=@arg2={kind}")], sources)
            }
        }
    }
}

/// How the kernel calls file systems in other processes (statfs(2)), in the first word of its answer.
const FUSE: usize = 0x6573_5546;

/// A directory that is seen at another place through a process; unmounted on drop.
pub struct Mounted {
    house: Ground,
}

impl Mounted {
    /// None if this machine does not allow it.
    fn new() -> Option<Self> {
        let mounted = Self { house: Ground::new() };
        fs::create_dir(mounted.far()).unwrap();
        fs::create_dir(mounted.near()).unwrap();
        works(Command::new("bindfs").arg(mounted.far()).arg(mounted.near())).then_some(mounted)
    }

    fn far(&self) -> PathBuf {
        self.house.root().join("far")
    }

    fn near(&self) -> PathBuf {
        self.house.root().join("near")
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Whoever has it open, also after a failure.
        let _ = Command::new("umount").arg("--lazy").arg(self.near()).stderr(Stdio::null()).status();
    }
}

/// A directory in memory that may be written to.
pub fn memory() -> PathBuf {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let fields = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let mut places: Vec<_> = fields.filter(|fields| fields[2] == "tmpfs").map(|fields| PathBuf::from(fields[1])).collect();
    places.sort_by_key(|path| path != Path::new("/dev/shm")); // made for this; others have purposes of their own
    let place = places.into_iter().find(|path| !path.starts_with("/sys") && tempfile::tempdir_in(path).is_ok());
    place.expect("a tmpfs that may be written to, as /dev/shm is nearly everywhere")
}

/// Whether one process may trace another.
fn can_answer() -> bool {
    works(Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]))
}

/// A daemon some of whose calls strace answers (its option `inject`).
fn answered(answers: &[String], sources: &[String]) -> Bridge {
    let calls: Vec<_> = answers.iter().filter_map(|answer| answer.split(':').next()).collect();
    let mut strace = Command::new("strace");
    // The daemon remains the test's child, so that it gets the signals; no other call is stopped; nothing is written.
    strace.args(["-D", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", "-e", &format!("trace={}", calls.join(","))]);
    answers.iter().for_each(|answer| _ = strace.args(["-e", &format!("inject={answer}")]));
    let daemon = command(&["--port", "0"]);
    strace.arg(daemon.get_program()).args(daemon.get_args()).args(sources);
    Bridge::spawn(strace)
}

/// Whether this machine allows what a program does.
fn works(command: &mut Command) -> bool {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} (tests/install): {error}"));
    if !output.status.success() {
        println!("not allowed here: {command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    output.status.success()
}
