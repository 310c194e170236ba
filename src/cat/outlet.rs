//! Where lines go: standard output or a command's input, written by a thread of its own, because a write can neither be cancelled nor timed.
//!
//! Who writes waits until the reader has taken everything, and reads nothing from the network meanwhile: a slow reader slows the stream, and nothing
//! piles up here. Pipes are asked before each write, and given no more than they take at once (pipe(7): up to `PIPE_BUF` bytes go whole or not at all).
//! So at a stop it is known to the byte what the reader has. The event that is being written is then completed, if that takes less than [`GRACE`].

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::block::Block;

/// How long a reader that stands still may hold up a stop.
pub const GRACE: Duration = Duration::from_secs(1);

/// The most bytes of a write to what may stand still, and to a file.
const PIECE: (usize, usize) = (4096, 64 << 10);

/// How much of a block was taken.
#[derive(Debug)]
pub enum Taken {
    /// Everything.
    All,
    /// So many bytes, because it was time to stop.
    Stopped(usize),
    /// So many bytes, because nobody reads any more.
    Gone(usize),
    /// So many bytes, because writing has failed.
    Failed(usize, io::Error),
}

/// The way to the thread that writes. Cheap to clone; the thread ends when the last is dropped.
#[derive(Debug, Clone)]
pub struct Outlet {
    orders: mpsc::Sender<Order>,
    bell: Arc<Bell>,
    /// Cancelled when the reader has left.
    gone: CancellationToken,
}

/// Something to be written, and who waits for it.
#[derive(Debug)]
struct Order {
    block: Block,
    done: oneshot::Sender<(Block, Taken)>,
}

/// Wakes the thread.
#[derive(Debug)]
struct Bell {
    event: EventFd,
    is_stopping: AtomicBool,
}

impl Bell {
    fn ring(&self) {
        // Fails only if it was rung 2^64 times and not heard.
        let _ = self.event.write(1);
    }
}

impl Outlet {
    /// Starts the thread that writes to `out`.
    pub fn start(out: OwnedFd) -> io::Result<Self> {
        let event = EventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        let bell = Arc::new(Bell { event, is_stopping: AtomicBool::new(false) });
        let (orders, receiver) = mpsc::channel(1);
        let gone = CancellationToken::new();
        let out = File::from(out);
        let is_file = out.metadata().is_ok_and(|found| found.is_file());
        let piece = if is_file { PIECE.1 } else { PIECE.0 };
        let writer = Writer { out, piece, orders: receiver, bell: Arc::clone(&bell), gone: gone.clone(), deadline: None };
        thread::Builder::new().name("output".to_owned()).spawn(move || writer.run())?;
        Ok(Self { orders, bell, gone })
    }

    /// Has a block written, and waits until it is, or as much of it as can be.
    pub async fn put(&self, block: Block) -> (Block, Taken) {
        let (done, taken) = oneshot::channel();
        if let Err(mpsc::error::SendError(order)) = self.orders.send(Order { block, done }).await {
            return (order.block, Taken::Gone(0));
        }
        self.bell.ring();
        // The thread has ended between two orders.
        taken.await.unwrap_or((Block::default(), Taken::Gone(0)))
    }

    /// Has the thread write no more than the event that it is writing.
    pub fn stop(&self) {
        self.bell.is_stopping.store(true, Ordering::Relaxed);
        self.bell.ring();
    }

    /// Waits until the reader has left.
    pub async fn gone(&self) {
        self.gone.cancelled().await;
    }

    /// Ends the output: whoever reads it sees the end.
    pub fn close(self) {
        let Self { orders, bell, .. } = self;
        drop(orders);
        bell.ring();
    }
}

/// What the thread has.
struct Writer {
    out: File,
    piece: usize,
    orders: mpsc::Receiver<Order>,
    bell: Arc<Bell>,
    gone: CancellationToken,
    /// Until when the event at hand may be completed, once it is time to stop.
    deadline: Option<Instant>,
}

/// Why a wait is over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Woken {
    /// The output takes something.
    Room,
    /// Nobody reads it any more.
    Gone,
    /// Somebody rang, or the time is up.
    Rung,
}

impl Writer {
    fn run(mut self) {
        loop {
            match self.orders.try_recv() {
                Ok(Order { block, done }) => {
                    let taken = self.write(&block);
                    let is_gone = matches!(taken, Taken::Gone(_));
                    // Nobody listens only when everything is over.
                    let _ = done.send((block, taken));
                    if is_gone {
                        return self.gone.cancel();
                    }
                }
                Err(mpsc::error::TryRecvError::Empty) => {
                    if self.wait(PollFlags::empty()) == Woken::Gone {
                        return self.gone.cancel();
                    }
                }
                Err(mpsc::error::TryRecvError::Disconnected) => return,
            }
        }
    }

    fn write(&mut self, block: &Block) -> Taken {
        let mut taken = 0;
        while taken < block.bytes.len() {
            let mut end = block.bytes.len();
            if self.is_stopping() {
                end = block.end_behind(taken);
                if block.is_end(taken) || self.is_late() {
                    return Taken::Stopped(taken);
                }
            }
            match self.wait(PollFlags::POLLOUT) {
                Woken::Room => {}
                Woken::Gone => return Taken::Gone(taken),
                Woken::Rung => continue,
            }
            let end = end.min(taken + self.piece);
            match self.out.write(&block.bytes[taken..end]) {
                Ok(count) => taken += count,
                Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Taken::Gone(taken),
                Err(error) => return Taken::Failed(taken, error),
            }
        }
        Taken::All
    }

    /// Whether it is time to stop; from the first look on the grace runs.
    fn is_stopping(&mut self) -> bool {
        let is_stopping = self.bell.is_stopping.load(Ordering::Relaxed);
        if is_stopping && self.deadline.is_none() {
            self.deadline = Some(Instant::now() + GRACE);
        }
        is_stopping
    }

    fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// Waits until the output is ready for `what`, its reader has left, or somebody rings.
    fn wait(&mut self, what: PollFlags) -> Woken {
        let timeout = match self.deadline.filter(|_| !what.is_empty()) {
            Some(deadline) => PollTimeout::try_from(deadline.saturating_duration_since(Instant::now())).unwrap_or(PollTimeout::MAX),
            None => PollTimeout::NONE,
        };
        let mut polled = [PollFd::new(self.out.as_fd(), what), PollFd::new(self.bell.event.as_fd(), PollFlags::POLLIN)];
        match poll(&mut polled, timeout) {
            Ok(_) => {}
            Err(Errno::EINTR) => return Woken::Rung,
            // Without a way to wait the write itself waits, and says what is wrong.
            Err(_) => return Woken::Room,
        }
        let [out, bell] = polled.map(|polled| polled.revents().unwrap_or(PollFlags::empty()));
        if !bell.is_empty() {
            let _ = self.bell.event.read();
        }
        match () {
            () if out.intersects(PollFlags::POLLERR | PollFlags::POLLHUP) => Woken::Gone,
            () if out.intersects(PollFlags::POLLOUT | PollFlags::POLLNVAL) => Woken::Room,
            () => Woken::Rung,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::fd::AsRawFd;

    fn block(events: &[Vec<u8>]) -> Block {
        let mut block = Block::default();
        for (number, output) in events.iter().enumerate() {
            block.bytes.extend_from_slice(output);
            block.end(number.to_string().as_bytes());
        }
        block
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
    }

    #[test]
    fn everything_is_written_to_a_reader_who_takes_it() {
        let (mut reader, writer) = io::pipe().unwrap();
        let outlet = Outlet::start(writer.into()).unwrap();
        let bytes = b"0123456789\n".repeat(50_000);
        let reading = thread::spawn(move || {
            let mut all = Vec::new();
            reader.read_to_end(&mut all).map(|_| all)
        });
        let (_, taken) = runtime().block_on(outlet.put(block(std::slice::from_ref(&bytes))));
        assert!(matches!(taken, Taken::All), "{taken:?}");
        outlet.close();
        assert_eq!(reading.join().unwrap().unwrap(), bytes);
    }

    #[test]
    fn a_stop_is_heard_while_the_reader_stands_still_and_the_count_is_exact() {
        let (mut reader, writer) = io::pipe().unwrap();
        let outlet = Outlet::start(writer.into()).unwrap();
        let whole = block(&[vec![b'a'; 10_000], vec![b'b'; 300_000], vec![b'c'; 10]]);
        let stopper = outlet.clone();
        let stopping = thread::spawn(move || {
            thread::sleep(Duration::from_millis(50)); // until the pipe is full, most likely; any moment will do
            stopper.stop();
        });
        let (_, taken) = runtime().block_on(outlet.put(whole));
        let Taken::Stopped(count) = taken else { panic!("{taken:?}") };
        stopping.join().unwrap();
        outlet.close();
        let mut all = Vec::new();
        reader.read_to_end(&mut all).unwrap();
        assert_eq!(all.len(), count, "what was counted is what the reader finds");
    }

    #[test]
    fn who_leaves_is_noticed_also_when_nothing_is_written() {
        let (reader, writer) = io::pipe().unwrap();
        assert!(reader.as_raw_fd() > 2);
        let outlet = Outlet::start(writer.into()).unwrap();
        drop(reader);
        runtime().block_on(outlet.gone());
        let (_, taken) = runtime().block_on(outlet.put(block(&[vec![b'a']])));
        assert!(matches!(taken, Taken::Gone(0)), "{taken:?}");
    }
}
