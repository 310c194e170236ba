//! A service manager as far as the daemon knows one: it hears what is said, keeps descriptors by their names, and passes them to the next run.
//!
//! It is a slow one: what it is to let go it closes only when somebody waits for that (`BARRIER=1`), and after a while.

use std::collections::BTreeMap;
use std::fs;
use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use tempfile::TempDir;

use crate::harness::{Bridge, command, eventually};

/// How long it takes to let go.
const BUSY: Duration = Duration::from_millis(200);

/// What it is told when nobody needs it any more.
const END: &str = "END";

pub struct Manager {
    root: TempDir,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    said: Vec<String>,
    kept: BTreeMap<String, OwnedFd>,
    /// What it was told to let go, and has not come to.
    over: Vec<OwnedFd>,
}

impl Manager {
    pub fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(root.path().join("notify")).unwrap();
        let state: Arc<Mutex<State>> = Arc::default();
        let into = Arc::clone(&state);
        thread::spawn(move || while hear(&socket, &into) {});
        Self { root, state }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Starts the daemon with this configuration, and with all that is kept.
    pub fn start(&self, text: &str) -> Bridge {
        Bridge::spawn_as(self.command(text))
    }

    /// The same, before it runs. Sockets go to it as standard input and output, from where the shell moves them; pipes are opened again.
    pub fn command(&self, text: &str) -> Command {
        fs::write(self.path("x.toml"), text).unwrap();
        let state = self.state.lock().unwrap();
        let is_pipe = |kept: &OwnedFd| fs::metadata(number_of(kept)).unwrap().file_type().is_fifo();
        let (pipes, sockets): (Vec<_>, Vec<_>) = state.kept.iter().partition(|(_, kept)| is_pipe(kept));
        assert!(sockets.len() <= 2, "more than this can pass: {sockets:?}");
        let names: Vec<_> = sockets.iter().chain(&pipes).map(|(name, _)| name.as_str()).collect();
        let moved = (0..sockets.len()).map(|from| format!("{}<&{from}", 3 + from));
        let opened = pipes.iter().enumerate().map(|(n, (_, pipe))| format!("{}<>{}", 3 + sockets.len() + n, number_of(pipe)));
        let moves = moved.chain(opened).collect::<Vec<_>>().join(" ");
        let daemon = command(&[]);
        let mut shell = Command::new("sh");
        shell
            .args(["-c", &format!("exec {moves} </dev/null >/dev/null; export LISTEN_PID=$$; exec \"$0\" \"$@\"")])
            .arg(daemon.get_program())
            .args(["--config".as_ref(), self.path("x.toml").as_os_str()])
            .env("STATE_DIRECTORY", self.path("state"))
            .env("NOTIFY_SOCKET", self.path("notify"));
        if !names.is_empty() {
            shell.env("LISTEN_FDS", names.len().to_string()).env("LISTEN_FDNAMES", names.join(":"));
        }
        let mut sockets = sockets.iter().map(|(_, kept)| Stdio::from(kept.try_clone().unwrap()));
        shell.stdin(sockets.next().unwrap_or_else(Stdio::null)).stdout(sockets.next().unwrap_or_else(Stdio::null));
        shell
    }

    /// Has this to pass, as a socket unit does.
    pub fn hold(&self, name: &str, descriptor: impl Into<OwnedFd>) {
        self.state.lock().unwrap().kept.insert(name.to_owned(), descriptor.into());
    }

    /// All that was said, a message an entry.
    pub fn said(&self) -> Vec<String> {
        self.state.lock().unwrap().said.clone()
    }

    /// Waits until something was said.
    pub fn wait_for(&self, text: &str) -> String {
        let said = eventually(text, || self.said(), |said| said.iter().any(|message| message.contains(text)));
        said.into_iter().find(|message| message.contains(text)).unwrap()
    }

    /// The names of what is kept.
    pub fn kept(&self) -> Vec<String> {
        self.state.lock().unwrap().kept.keys().cloned().collect()
    }

    /// Waits until so many are kept, and gives their names.
    pub fn wait_for_kept(&self, count: usize) -> Vec<String> {
        eventually("what is kept", || self.kept(), |kept| kept.len() == count)
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        let _ = UnixDatagram::unbound().and_then(|socket| socket.send_to(END.as_bytes(), self.path("notify")));
    }
}

/// Where a descriptor of this process can be opened again.
fn number_of(descriptor: &OwnedFd) -> String {
    format!("/proc/{}/fd/{}", std::process::id(), descriptor.as_raw_fd())
}

/// Takes one message; false at the end.
fn hear(socket: &UnixDatagram, state: &Mutex<State>) -> bool {
    let (message, descriptors) = received(socket);
    let value = |key: &str| message.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).map(str::to_owned);
    let name = value("FDNAME").unwrap_or_default();
    let is_barrier = value("BARRIER").is_some();
    let mut now = state.lock().unwrap();
    now.said.push(message.clone());
    if value("FDSTOREREMOVE").is_some() {
        let over = now.kept.remove(&name);
        now.over.extend(over);
    } else if value("FDSTORE").is_some() {
        now.kept.extend(descriptors.into_iter().map(|descriptor| (name.clone(), descriptor)));
    } else if is_barrier {
        drop(now);
        thread::sleep(BUSY); // it is a slow one; nothing is guessed by this
        state.lock().unwrap().over.clear();
    }
    message != END // and with the message a barrier is closed
}

fn received(socket: &UnixDatagram) -> (String, Vec<OwnedFd>) {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let (mut bytes, mut ancillary) = ([0; 4096], RecvAncillaryBuffer::new(&mut space));
    let got = recvmsg(socket, &mut [IoSliceMut::new(&mut bytes)], &mut ancillary, RecvFlags::CMSG_CLOEXEC).unwrap();
    let mut descriptors = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(passed) = message {
            descriptors.extend(passed);
        }
    }
    (String::from_utf8_lossy(&bytes[..got.bytes]).into_owned(), descriptors)
}
