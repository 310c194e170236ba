//! Files that are written and rotated under load, by one thread, which therefore knows what must come of it.
//!
//! Nothing is ever in no file: whoever copies and truncates writes nothing in between. A rotation is made where a line ends, and at least one step of
//! the kernel's clock behind the one before: files that were finished in one step cannot be put in order.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::harness::Random;
use crate::seen::abridged;

/// Longer than a step of the clock with which the kernel stamps files.
const CLOCK_STEP: Duration = Duration::from_millis(12);

/// Generations of a file that are left. More may be made while a daemon is down on a machine that is busy with something else: whoever says what has been
/// seen ([`Writer::is_seen`]) loses none of those that have not been.
const GENERATIONS: usize = 60;

/// What many generations begin with.
const HEAD: &str = "time,level,host,program,process,thread,and the message of the line as it came";

/// Some rotations a second, in bursts of lines for each.
pub const RARELY: usize = 30;

/// How a file is rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    Never,
    /// To `.1`, and what is there one further.
    Shift,
    /// To a name of its own.
    Dated,
    /// Copied to `.1`, and cut.
    Copy,
}

/// One file that grows.
pub struct Log {
    /// The channel that it feeds.
    pub channel: String,
    path: PathBuf,
    rotation: Rotation,
    file: File,
    rotations: usize,
    /// How many lines it has been given.
    lines: usize,
    /// How many it had been given when each of the generations that are left was finished, oldest first.
    ends: VecDeque<usize>,
}

impl Log {
    pub fn new(channel: &str, path: &Path, rotation: Rotation) -> Self {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        Self {
            channel: channel.to_owned(),
            path: path.to_owned(),
            rotation,
            file: opened(path),
            rotations: 0,
            lines: 0,
            ends: VecDeque::new(),
        }
    }

    fn numbered(&self, number: usize) -> PathBuf {
        PathBuf::from(format!("{}.{number}", self.path.display()))
    }

    /// Moves all generations one further.
    fn shift(&self) {
        for number in (1..GENERATIONS).rev() {
            let _ = fs::rename(self.numbered(number), self.numbered(number + 1)); // which need not be there
        }
    }

    /// Rotates, unless that lets a generation go of which not all lines are among those that have been `seen`.
    fn rotate(&mut self, seen: usize) {
        if self.ends.len() >= GENERATIONS - 2 && self.ends.front().is_some_and(|end| *end > seen) {
            return;
        }
        self.ends.push_back(self.lines);
        if self.ends.len() >= GENERATIONS - 1 {
            self.ends.pop_front();
        }
        self.rotations += 1;
        match self.rotation {
            Rotation::Never => return,
            Rotation::Shift => {
                self.shift();
                fs::rename(&self.path, self.numbered(1)).unwrap();
                self.file = opened(&self.path);
            }
            Rotation::Dated => {
                fs::rename(&self.path, self.numbered(20_260_000 + self.rotations)).unwrap();
                let _ = fs::remove_file(self.numbered((20_260_000 + self.rotations).saturating_sub(GENERATIONS)));
                self.file = opened(&self.path);
            }
            Rotation::Copy => {
                self.shift();
                fs::copy(&self.path, self.numbered(1)).unwrap();
                self.file.set_len(0).unwrap();
            }
        }
        thread::sleep(CLOCK_STEP); // of the kernel's clock
    }
}

impl Log {
    fn write_head(&mut self, written: &Mutex<Written>) -> u64 {
        self.lines += 1;
        self.file.write_all(format!("{HEAD}\n").as_bytes()).unwrap();
        written.lock().unwrap().get_mut(&self.channel).unwrap().push(abridged(HEAD));
        HEAD.len() as u64 + 1
    }
}

fn opened(path: &Path) -> File {
    OpenOptions::new().append(true).create(true).open(path).unwrap()
}

/// Less than `most` characters that repeat nowhere: by their bytes a place in a file is found again.
fn filler(random: &mut Random, most: usize) -> String {
    let length = random.below(most);
    (0..length.div_ceil(8)).map(|_| format!("{:08x}", random.below(1 << 31))).collect::<String>()[..length].to_owned()
}

/// A line as it is written, without its end; and what becomes of it.
fn line(random: &mut Random, channel: &str, number: usize) -> (Vec<u8>, String) {
    let text = match random.below(400) {
        0..4 => return (vec![], String::new()),
        4..10 => {
            return (vec![b'a' + u8::try_from(number % 26).unwrap()], char::from(b'a' + u8::try_from(number % 26).unwrap()).into());
        }
        10..13 => return (format!("{number}\0\rx").into_bytes(), format!("{number}\u{fffd}\nx")),
        13..15 => format!("{channel} {number} {}", filler(random, 100_000)),
        15..40 => format!("{channel} {number} {}", filler(random, 5000)),
        _ => format!("{channel} {number} {}", filler(random, 80)),
    };
    (text.clone().into_bytes(), text)
}

/// What was written to each channel, abridged, in order.
type Written = BTreeMap<String, Vec<String>>;

/// The thread that writes; it rotates nothing until it is told how often, as what was rotated before the first look of a daemon is nobody's. It ends
/// on drop.
pub struct Writer {
    written: Arc<Mutex<Written>>,
    bytes: Arc<AtomicU64>,
    /// One rotation in so many bursts; none at all for 0.
    rarity: Arc<AtomicUsize>,
    /// How many lines of each file have been seen; all that are ever written, if nobody says.
    seen: Arc<AtomicUsize>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub fn start(seed: u64, mut logs: Vec<Log>) -> Self {
        let written = logs.iter().map(|log| (log.channel.clone(), Vec::new())).collect();
        let mut writer = Self {
            written: Arc::new(Mutex::new(written)),
            bytes: Arc::default(),
            rarity: Arc::default(),
            seen: Arc::new(usize::MAX.into()),
            ends: Arc::default(),
            thread: None,
        };
        let (written, bytes) = (Arc::clone(&writer.written), Arc::clone(&writer.bytes));
        let (rarity, seen, ends) = (Arc::clone(&writer.rarity), Arc::clone(&writer.seen), Arc::clone(&writer.ends));
        let mut random = Random::new(seed);
        writer.thread = Some(thread::spawn(move || {
            while !ends.load(Ordering::SeqCst) {
                let which = random.below(logs.len());
                let written_now = burst(&mut random, &mut logs[which], &written);
                bytes.fetch_add(written_now, Ordering::SeqCst);
                let rarity = rarity.load(Ordering::SeqCst);
                if rarity > 0 && random.below(rarity) == 0 {
                    let which = random.below(logs.len());
                    let seen = seen.load(Ordering::SeqCst);
                    logs[which].rotate(seen);
                    bytes.fetch_add(begin_alike(&mut random, &mut logs[which], &written, seen), Ordering::SeqCst);
                }
                let pause = if random.below(20) == 0 { 30 } else { random.below(4) };
                thread::sleep(Duration::from_millis(pause as u64)); // load, not a full disk
            }
        }));
        writer
    }

    /// From now on a file is rotated once in so many bursts.
    pub fn rotate_once_in(&self, bursts: usize) {
        self.rarity.store(bursts, Ordering::SeqCst);
    }

    /// From now on nothing is let go but what is among the first `lines` of its file.
    pub fn is_seen(&self, lines: usize) {
        self.seen.store(lines, Ordering::SeqCst);
    }

    /// The bytes written so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::SeqCst)
    }

    /// Stops, and gives what was written.
    pub fn end(mut self) -> Written {
        self.stop();
        std::mem::take(&mut self.written.lock().unwrap())
    }

    fn stop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking(), "the writer failed");
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Generations that begin alike, as those of a program do that writes a head into each; some have nothing else. Of a file that is copied and truncated
/// nobody could tell such contents apart.
fn begin_alike(random: &mut Random, log: &mut Log, written: &Mutex<Written>, seen: usize) -> u64 {
    if log.rotation != Rotation::Shift || random.below(2) == 0 {
        return 0;
    }
    let mut bytes = log.write_head(written);
    if random.below(3) == 0 {
        log.rotate(seen);
        // Two that have nothing else are the same to whoever finds them later.
        bytes += log.write_head(written) + burst(random, log, written);
    }
    bytes
}

/// Some lines at once, now and then in two pieces with a pause between; gives how many bytes.
fn burst(random: &mut Random, log: &mut Log, written: &Mutex<Written>) -> u64 {
    let (mut text, mut expected) = (Vec::new(), Vec::new());
    for _ in 0..=random.below(60) {
        log.lines += 1;
        let (bytes, data) = line(random, &log.channel, log.lines);
        text.extend(bytes);
        text.push(b'\n');
        expected.push(abridged(&data));
    }
    let cut = if random.below(4) == 0 { random.below(text.len()) } else { text.len() };
    log.file.write_all(&text[..cut]).unwrap();
    if cut < text.len() {
        thread::sleep(Duration::from_millis(random.below(15) as u64)); // the line is unfinished
        log.file.write_all(&text[cut..]).unwrap();
    }
    written.lock().unwrap().get_mut(&log.channel).unwrap().extend(expected);
    text.len() as u64
}
