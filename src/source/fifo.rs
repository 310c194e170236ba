//! A named pipe: writers come and go for ever.
//!
//! It is opened for reading and writing, so that it has a writer in any case and never ends (fifo(7)). The price is that nobody tells when a
//! writer dies inside a line; the pipe then falls idle, and the line is ended by whoever frames it. A pipe that is removed and made again is noticed
//! within a second: what waits in the old one is read first, and it is kept open until its last writers are quiet.

pub mod keeper;
pub mod taken;

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::stat::Mode;
use nix::unistd;
use tracing::{debug, info, warn};

use super::identity::Identity;
use super::retry::Retry;
use super::{FileKey, Loss, News, PathKey, Paths, Ready, Sink, SourceKey, State, Step, Stop, reason, timeout, wait};
use crate::event::{Age, ChannelName};
use keeper::{Keeper, Kept};
use taken::{Mark, Taken};

/// Bytes asked of one read.
const BLOCK: usize = 64 * 1024;

/// What the kernel is asked to hold for writers (pipe(7)): a burst that comes while the daemon is stopped blocks nobody.
const CAPACITY: usize = 1 << 20;

/// How often the path is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// How long a pipe without writers rests that may only be read.
const REST: Duration = Duration::from_millis(50);

/// How long the rest of a line is read for at the end.
const FINISHING: Duration = Duration::from_millis(50);

/// How long a pipe whose path leads elsewhere is kept after its last bytes.
const QUIET: Duration = Duration::from_secs(5);

/// Whether a pipe that is not there is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Make {
    /// With these rights: `fifo:PATH`.
    Missing(u32),
    /// Somebody else will.
    Never,
}

/// A followed pipe.
#[derive(Debug)]
pub struct Fifo {
    path: PathBuf,
    make: Make,
    /// The pipes that are read, oldest first.
    pipes: Vec<Pipe>,
    block: Box<[u8]>,
    stop: Stop,
    /// When to look at the path again.
    look_at: Instant,
    retry: Retry,
    state: State,
    next_key: u64,
    keeper: Keeper,
    /// The mark of what was taken, if anything survives the daemon.
    taken: Option<Taken>,
    /// Somebody before us was killed who had taken something.
    has_lost: bool,
}

/// One pipe behind the path.
#[derive(Debug)]
struct Pipe {
    key: FileKey,
    fd: OwnedFd,
    identity: Identity,
    /// When the path was seen to lead elsewhere.
    left_at: Option<Instant>,
    /// When it gave bytes last.
    spoke_at: Instant,
    /// Until when it is not waited for: it may only be read, and has no writer, so a wait for it would be over at once.
    rests_until: Option<Instant>,
}

/// The one path that a [`Fifo`] follows.
const PATH: PathKey = PathKey(0);

impl Fifo {
    /// A pipe that has not been opened yet.
    #[must_use]
    pub fn new(path: PathBuf, make: Make, stop: Stop) -> Self {
        Self {
            path,
            make,
            pipes: Vec::new(),
            block: vec![0; BLOCK].into(),
            stop,
            look_at: Instant::now(),
            retry: Retry::default(),
            state: State::Reading,
            next_key: 0,
            keeper: Keeper::nobody(),
            taken: None,
            has_lost: false,
        }
    }

    /// Pipes that are opened are kept open by somebody else as well.
    #[must_use]
    pub fn kept_by(mut self, keeper: Keeper) -> Self {
        self.keeper = keeper;
        self
    }

    /// Marks that it has taken something. Who was killed before may have `had_owed` something.
    #[must_use]
    pub fn marking(mut self, mark: Arc<Mark>, had_owed: bool) -> Self {
        (self.taken, self.has_lost) = (Some(Taken::new(mark, had_owed)), had_owed);
        self
    }

    /// Goes on with a pipe that somebody has kept open: what waits in it is read first, whether the path leads to it or elsewhere.
    ///
    /// # Errors
    /// It cannot be used.
    pub fn go_on_with(&mut self, pipe: File) -> io::Result<()> {
        let now = Instant::now();
        let flags = OFlag::from_bits_truncate(fcntl(&pipe, FcntlArg::F_GETFL)?);
        fcntl(&pipe, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        let key = self.new_key();
        let pipe = Pipe::of(pipe, &self.path, key, now)?;
        let leads_here = fs::metadata(&self.path).is_ok_and(|found| Identity::of(&found) == pipe.identity);
        match self.pipes.last_mut() {
            // Of several the path leads to one.
            Some(last) if leads_here => {
                last.left_at.get_or_insert(now);
                self.pipes.push(pipe);
            }
            Some(_) => self.pipes.insert(0, Pipe { left_at: Some(now), ..pipe }),
            None => self.pipes.push(pipe),
        }
        Ok(())
    }

    /// Opens the pipe, or says why that must wait.
    pub fn first_look(&mut self, channel: ChannelName, news: &mut Sink<'_>) {
        news(News::Followed { source: SourceKey::default(), path: PATH, channel });
        if std::mem::take(&mut self.has_lost) {
            news(News::Lost { path: PATH, loss: Loss::Crash, position: None });
        }
        self.look(Instant::now(), news);
    }

    /// Reads the unfinished line of a pipe to its end, and nothing behind it: that is for whoever reads it next. A writer that is inside the line
    /// has 50 ms for its rest.
    pub fn finish_line(&mut self, file: FileKey, news: &mut Sink<'_>) {
        let Some(pipe) = self.pipes.iter().find(|pipe| pipe.key == file) else { return };
        let (mut rest, deadline) = (Vec::new(), Instant::now() + FINISHING);
        let mut byte = [0];
        while rest.last() != Some(&b'\n') && Instant::now() < deadline {
            match unistd::read(&pipe.fd, &mut byte) {
                Ok(1) => rest.extend(byte),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) if pipe.has_more_until(deadline) => {}
                _ => break,
            }
        }
        if !rest.is_empty() {
            news(News::Bytes { path: PATH, file, bytes: &rest, age: Age::New, mark: None });
        }
    }

    fn new_key(&mut self) -> FileKey {
        self.next_key += 1;
        FileKey(self.next_key)
    }

    /// Deletes the pipe, if the path still leads to the one that was read.
    pub fn remove(&self) {
        let is_ours = |pipe: &Pipe| fs::symlink_metadata(&self.path).is_ok_and(|found| Identity::of(&found) == pipe.identity);
        if self.pipes.iter().any(is_ours)
            && let Err(error) = fs::remove_file(&self.path)
        {
            warn!("could not remove '{}': {}", self.path.display(), reason(&error));
        }
    }

    fn look(&mut self, now: Instant, news: &mut Sink<'_>) {
        self.look_at = now + LOOK;
        if !self.retry.is_due(now) {
            return;
        }
        match self.reopen(now, news) {
            Ok(()) => {
                self.retry.reset();
                self.tell(State::Reading, news);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.tell(State::Absent, news),
            Err(error) => {
                self.retry.put_off(now);
                self.tell(State::Failing(reason(&error)), news);
            }
        }
    }

    /// Opens what the path leads to, if that is not open already.
    fn reopen(&mut self, now: Instant, news: &mut Sink<'_>) -> io::Result<()> {
        let found = match fs::metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.make_pipe().and_then(|()| fs::metadata(&self.path)),
            found => found,
        };
        let identity = match &found {
            Ok(found) => Some(Identity::of(found)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(_) => return found.map(drop), // nothing is known of what the path leads to
        };
        if self.pipes.last().is_some_and(|pipe| pipe.left_at.is_none() && Some(pipe.identity) == identity) {
            return Ok(());
        }
        self.leave(now, news)?;
        if let Some(at) = self.pipes.iter().position(|pipe| Some(pipe.identity) == identity) {
            let back = self.pipes.remove(at);
            self.pipes.push(Pipe { left_at: None, ..back });
            return Ok(());
        }
        if !found?.file_type().is_fifo() {
            return Err(io::Error::other("it is not a named pipe"));
        }
        let key = self.new_key();
        let pipe = Pipe::open(&self.path, key, now)?;
        debug!("opened the pipe '{}'", self.path.display());
        self.keeper.tell(Kept::Open(pipe.identity, pipe.fd.as_fd()));
        self.pipes.push(pipe);
        Ok(())
    }

    /// The path leads elsewhere: what waits in the pipe is read before the next one is.
    fn leave(&mut self, now: Instant, news: &mut Sink<'_>) -> io::Result<()> {
        let Some(pipe) = self.pipes.last_mut().filter(|pipe| pipe.left_at.is_none()) else { return Ok(()) };
        pipe.left_at = Some(now);
        if let Some(taken) = &mut self.taken {
            taken.note();
        }
        // Not for ever: a writer that keeps up would never let it end. The rest is read beside the new one.
        let mut reads = 0;
        while reads <= CAPACITY / BLOCK && pipe.read(&mut self.block, news)? > 0 {
            reads += 1;
        }
        Ok(())
    }

    fn make_pipe(&self) -> io::Result<()> {
        let Make::Missing(rights) = self.make else { return Err(io::ErrorKind::NotFound.into()) };
        if fs::symlink_metadata(&self.path).is_ok() {
            return Err(io::Error::other("it is a link that leads to nothing"));
        }
        unistd::mkfifo(&self.path, Mode::from_bits_truncate(rights))?;
        // The rights are those that were asked for, whatever the umask takes.
        fs::set_permissions(&self.path, Permissions::from_mode(rights))
    }

    fn drop_quiet(&mut self, now: Instant, news: &mut Sink<'_>) {
        let is_over = |pipe: &Pipe| pipe.left_at.is_some_and(|left| now >= left.max(pipe.spoke_at) + QUIET);
        for over in self.pipes.extract_if(.., |pipe| is_over(pipe)) {
            self.keeper.tell(Kept::Over(over.identity));
            news(News::Over { path: PATH, file: over.key, position: None });
        }
    }

    fn tell(&mut self, state: State, news: &mut Sink<'_>) {
        if self.state == state {
            return;
        }
        let path = self.path.display();
        match &state {
            State::Absent => info!("waiting for '{path}': no such pipe yet"),
            State::Failing(reason) => warn!("could not open '{path}': {reason}; trying again"),
            _ => info!("reading '{path}'"),
        }
        self.state = state.clone();
        news(News::State { path: PATH, state });
    }
}

impl Paths for Fifo {
    fn step(&mut self, until: Option<Instant>, news: &mut Sink<'_>) -> io::Result<Step> {
        let now = Instant::now();
        self.pipes.iter_mut().for_each(|pipe| pipe.rests_until = pipe.rests_until.filter(|rest| *rest > now));
        let rests = self.pipes.iter().filter_map(|pipe| pipe.rests_until);
        let until = until.into_iter().chain([self.look_at]).chain(rests).min();
        let fds: Vec<_> = self.pipes.iter().filter(|pipe| pipe.rests_until.is_none()).map(|pipe| pipe.fd.as_fd()).collect();
        match wait(&fds, &self.stop, until)? {
            Ready::Stopped => return Ok(Step::Stopped),
            Ready::Bytes => {
                if let Some(taken) = &mut self.taken {
                    taken.note();
                }
                for pipe in &mut self.pipes {
                    if let Err(error) = pipe.read(&mut self.block, news) {
                        warn!("could not read '{}': {}", self.path.display(), reason(&error));
                    }
                }
            }
            Ready::Quiet => {}
        }
        let now = Instant::now();
        if self.look_at <= now {
            self.look(now, news);
            self.drop_quiet(now, news);
        }
        Ok(Step::Again)
    }

    fn position_behind(&mut self, _: PathKey, _: FileKey, _: usize) -> Option<&str> {
        None
    }

    fn owes(&self) -> bool {
        self.taken.as_ref().is_some_and(Taken::owes)
    }

    fn settle(&mut self) {
        if let Some(taken) = &mut self.taken {
            taken.settle();
        }
    }
}

impl Pipe {
    fn open(path: &Path, key: FileKey, now: Instant) -> io::Result<Self> {
        let open = |writes: bool| {
            let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
            OpenOptions::new().read(true).write(writes).custom_flags(flags.bits()).open(path)
        };
        let file = match open(true) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => open(false)?,
            opened => opened?,
        };
        Self::of(file, path, key, now)
    }

    fn of(file: File, path: &Path, key: FileKey, now: Instant) -> io::Result<Self> {
        let metadata = file.metadata()?;
        if !metadata.file_type().is_fifo() {
            return Err(io::Error::other("it is not a named pipe"));
        }
        let capacity = i32::try_from(CAPACITY).unwrap_or(i32::MAX);
        if let Err(error) = fcntl(&file, FcntlArg::F_SETPIPE_SZ(capacity)) {
            debug!("the pipe '{}' keeps its size: {}", path.display(), error.desc());
        }
        Ok(Self { key, fd: file.into(), identity: Identity::of(&metadata), left_at: None, spoke_at: now, rests_until: None })
    }

    /// Waits for bytes; false if none come in time.
    fn has_more_until(&self, deadline: Instant) -> bool {
        let mut polled = [PollFd::new(self.fd.as_fd(), PollFlags::POLLIN)];
        matches!(poll(&mut polled, timeout(Some(deadline))), Ok(1) | Err(Errno::EINTR))
    }

    /// Reads a block, if there is one.
    fn read(&mut self, block: &mut [u8], news: &mut Sink<'_>) -> io::Result<usize> {
        match unistd::read(&self.fd, block) {
            Ok(0) => {
                self.rests_until = Some(Instant::now() + REST);
                Ok(0)
            }
            Err(Errno::EAGAIN | Errno::EINTR) => Ok(0),
            Ok(count) => {
                self.spoke_at = Instant::now();
                news(News::Bytes { path: PATH, file: self.key, bytes: &block[..count], age: Age::New, mark: None });
                Ok(count)
            }
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::Barrier;
    use std::thread;

    /// What is read behind `begun` at the end, where `rest` is written so long after.
    fn finished(begun: &str, rest: &str, after: Duration) -> (String, String) {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("pipe");
        unistd::mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
        let mut writer = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        writer.write_all(begun.as_bytes()).unwrap();
        let mut fifo = Fifo::new(path, Make::Never, Stop::new().unwrap());
        let (mut got, mut file) = (Vec::new(), None);
        fifo.first_look("in".parse().unwrap(), &mut |_| {});
        while got.len() < begun.len() {
            let take = &mut |news: News<'_>| {
                if let News::Bytes { bytes, file: of, .. } = news {
                    got.extend_from_slice(bytes);
                    file = Some(of);
                }
            };
            fifo.step(None, take).unwrap();
        }
        let both = Barrier::new(2);
        thread::scope(|scope| {
            scope.spawn(|| {
                both.wait();
                thread::sleep(after); // a writer's time is the subject
                writer.write_all(rest.as_bytes()).unwrap();
            });
            both.wait();
            fifo.finish_line(file.unwrap(), &mut |news| {
                if let News::Bytes { bytes, .. } = news {
                    got.extend_from_slice(bytes);
                }
            });
        });
        let mut left = vec![0; 100];
        let count = unistd::read(&fifo.pipes[0].fd, &mut left).unwrap_or(0);
        left.truncate(count);
        (String::from_utf8(got).unwrap(), String::from_utf8(left).unwrap())
    }

    #[test]
    fn a_writer_inside_a_line_has_a_moment_for_its_rest() {
        let expected = ("whole\nhalf\n".to_owned(), "next\n".to_owned());
        assert_eq!(finished("whole\nha", "lf\nnext\n", FINISHING / 10), expected);
    }

    #[test]
    fn nobody_waits_for_a_rest_that_does_not_come() {
        let (got, left) = finished("whole\nha", "lf\n", 4 * FINISHING);
        assert_eq!((got.as_str(), left.as_str()), ("whole\nha", "lf\n"), "it is the next run's");
    }
}
