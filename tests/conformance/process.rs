//! Child processes of the matrix: they end with the test, and what they complain of is kept.

use std::{
    fs::File,
    io::{self, Read, Seek},
    os::unix::process::CommandExt,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

/// The last bytes of a complaint that are worth printing.
const COMPLAINT: u64 = 2000;

/// A process with all its children, killed when dropped.
pub(crate) struct Process {
    child: Child,
    /// Its standard error, in a file without a name.
    complaints: File,
}

impl Process {
    /// Starts `command` in a process group of its own, with its standard input and output piped.
    pub(crate) fn start(command: &mut Command) -> io::Result<Self> {
        let complaints = tempfile::tempfile()?;
        let child = command
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(complaints.try_clone()?)
            .spawn()
            .map_err(|cause| io::Error::other(format!("could not start {}: {cause}", command.get_program().display())))?;
        Ok(Self { child, complaints })
    }

    /// Its standard input and output, once.
    pub(crate) fn pipes(&mut self) -> (ChildStdin, ChildStdout) {
        let pipes = self.child.stdin.take().zip(self.child.stdout.take());
        pipes.expect("the pipes of a process are taken once")
    }

    /// Waits for its end; true if it ended well.
    pub(crate) fn wait(&mut self) -> io::Result<bool> {
        self.child.wait().map(|status| status.success())
    }

    /// The end of what it wrote to standard error.
    pub(crate) fn complaint(&mut self) -> String {
        let mut text = Vec::new();
        let length = self.complaints.metadata().map_or(0, |meta| meta.len());
        let start = io::SeekFrom::Start(length.saturating_sub(COMPLAINT));
        let read = self.complaints.seek(start).and_then(|_| self.complaints.read_to_end(&mut text));
        match read {
            Ok(_) if text.is_empty() => "it said nothing".to_owned(),
            Ok(_) => format!("it said: {}", String::from_utf8_lossy(&text).trim()),
            Err(cause) => format!("what it said cannot be read: {cause}"),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A browser is many processes. Its group has the number of the first, which is ours until it has been waited for.
        if let Ok(None) = self.child.try_wait() {
            let group = format!("-{}", self.child.id());
            let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}
