//! The processes of a browser: they start together and end together.
//!
//! A browser is many processes, and some of them leave their parent. So they are one process group, led by a shell that ends
//! the group when its standard input ends: also when the test itself is killed. And the test adopts those whose parent is gone
//! (`PR_SET_CHILD_SUBREAPER` of prctl(2)), so that it can wait for every one: when [`Processes`] is dropped none is left, not
//! even as a zombie, and then their home is removed. The few that leave even the group are known by their home.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader, Read},
    mem,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    sys::{
        prctl,
        signal::{Signal, kill, killpg},
        wait::waitpid,
    },
    unistd::{Pid, getpgid},
};
use tempfile::TempDir;

/// The leader of the group: it starts what its arguments say and waits for the end of its standard input.
const LEADER: &str = r#""$@" </dev/null 2>&1 & exec >/dev/null 2>&1; read -r end; kill -KILL 0"#;

/// How long a browser may take to end by itself.
const FAREWELL: Duration = Duration::from_secs(3);

/// A program with all its processes, and a directory in which it may do as it likes.
pub(crate) struct Processes {
    leader: Child,
    output: Mutex<Output>,
    /// Processes that are not in the group.
    strays: Mutex<BTreeSet<Pid>>,
    home: TempDir,
}

struct Output {
    lines: Receiver<String>,
    /// Those that have been read.
    seen: Vec<String>,
}

impl Processes {
    /// Starts a program in a new home; the arguments are made for that.
    pub(crate) fn start(program: &str, arguments: impl FnOnce(&Path) -> Vec<String>) -> Self {
        prctl::set_child_subreaper(true).expect("Linux has subreapers");
        let home = TempDir::new().expect("there is room for a directory");
        let mut leader = Command::new("sh")
            .args(["-c", LEADER, "sh", program])
            .args(arguments(home.path()))
            .envs(["HOME", "TMPDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"].map(|name| (name, home.path())))
            .env_remove("DISPLAY")
            .env_remove("WAYLAND_DISPLAY")
            // The screen of a Firefox without one: a click on what lies below it goes nowhere.
            .envs([("MOZ_HEADLESS_WIDTH", "1600"), ("MOZ_HEADLESS_HEIGHT", "1200")])
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("there is a shell");
        let lines = lines(leader.stdout.take().expect("it is piped"));
        Self { leader, output: Mutex::new(Output { lines, seen: Vec::new() }), strays: Mutex::default(), home }
    }

    /// What follows `mark` in a line of output, once there is one.
    pub(crate) fn wait_for(&self, mark: &str, patience: Duration) -> String {
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let problem = match output.lines.recv_timeout(left) {
                Ok(line) => {
                    if let Some((_, rest)) = line.split_once(mark) {
                        return rest.trim().to_owned();
                    }
                    output.seen.push(line);
                    continue;
                }
                Err(RecvTimeoutError::Timeout) => format!("does not say `{mark}` within {patience:?}"),
                Err(RecvTimeoutError::Disconnected) => "has ended".to_owned(),
            };
            panic!("the browser {problem}; it has printed:\n{}", output.end());
        }
    }

    /// What the program has printed last, for people.
    pub(crate) fn printed(&self) -> String {
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        while let Ok(line) = output.lines.try_recv() {
            output.seen.push(line);
        }
        output.end()
    }

    /// Lets the program end as it likes, once it has been asked to, for a few seconds.
    pub(crate) fn farewell(&self, ask: impl FnOnce()) {
        self.note_strays(); // as long as they are known by their home
        ask();
        let output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        let deadline = Instant::now() + FAREWELL;
        while output.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())).is_ok() {}
    }

    /// Keeps the processes that have this home and are not in the group.
    fn note_strays(&self) {
        let home = format!("HOME={}", self.home().display());
        let is_ours = |id: &Pid| {
            let environment = fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == home.as_bytes())
        };
        let ids = fs::read_dir("/proc").into_iter().flatten().flatten();
        let ids = ids.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).map(Pid::from_raw);
        let strays = ids.filter(|id| getpgid(Some(*id)).is_ok_and(|group| group != self.group()) && is_ours(id));
        self.strays.lock().unwrap_or_else(PoisonError::into_inner).extend(strays);
    }

    /// The id of the process group.
    pub(crate) fn group(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.leader.id()).expect("an id of a process is positive"))
    }

    /// The home of the program.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        self.note_strays();
        let strays = mem::take(&mut *self.strays.lock().unwrap_or_else(PoisonError::into_inner));
        // Nobody has been waited for: these ids still name them.
        let _ = killpg(self.group(), Signal::SIGKILL);
        // Each one becomes ours, at the latest when its parent, which was ours, is waited for.
        wait_for_all(Pid::from_raw(-self.group().as_raw()));
        for stray in strays {
            let _ = kill(stray, Signal::SIGKILL);
            wait_for_all(stray);
        }
    }
}

/// Waits for a child, or for all in a group.
fn wait_for_all(which: Pid) {
    while matches!(waitpid(which, None), Ok(_) | Err(Errno::EINTR)) {}
}

impl Output {
    /// The last lines: as much as people read.
    fn end(&self) -> String {
        self.seen[self.seen.len().saturating_sub(40)..].join("\n")
    }
}

/// The lines of what is printed, read to the end so that the program can always write; they end with the last process.
fn lines(output: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            let _ = sender.send(String::from_utf8_lossy(&line).into_owned());
        }
    });
    lines
}
