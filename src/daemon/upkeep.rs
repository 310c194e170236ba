//! The state directory: taken at the start, looked after while the daemon runs, safe at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tracing::{info, warn};

use super::exit::Fatal;
use crate::channel::{Channels, Counted, Stored};
use crate::clock::now;
use crate::config::state::State;
use crate::event::ChannelName;
use crate::http::archived::loss_of_hole;
use crate::metrics::Metrics;
use crate::store::disk::archive::{Archive, Report};
use crate::store::disk::layout::{LIFE, SYNCED, UNCOUNTED};
use crate::store::disk::life::Uncounted;
use crate::store::disk::lock::{Lock, NotLocked};
use crate::store::disk::log::Log;
use crate::store::disk::retention::LetGo;
use crate::store::disk::volume::{Kernel, Volume};
use crate::store::{Chore, Gone, History};

/// How often what has been written is made safe, and the directory is looked at.
const EVERY: Duration = Duration::from_secs(1);

/// Of how many channels it is said that their files are gone: somebody may remove all of them.
const MOST_SAID: usize = 16;

/// Files of the history that are open for a moment, by whoever asks, reads, syncs or repairs.
const MOMENTARY: usize = 8;

/// How long somebody else may have the directory who is about to end, and how often it is asked for meanwhile.
const PATIENCE: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(10);

/// A state directory that is ours as long as this is there.
#[derive(Debug)]
pub struct Kept {
    /// What is in it.
    pub history: Arc<History>,
    directory: PathBuf,
    lock: Lock,
}

impl Kept {
    /// Takes a state directory, and says what was found in it.
    ///
    /// # Errors
    /// Somebody else has it, or it cannot be made, read or written, or a later version has written it.
    pub fn open(state: &State, metrics: &Metrics) -> Result<(Self, Report), Fatal> {
        let directory = state.directory.clone();
        let lock = take(&directory).map_err(|why| Fatal::not_locked(&directory, &why))?;
        let (history, report) =
            History::open(&directory, state.sync, state.keep, now()).map_err(|why| Fatal::not_opened(&directory, &why))?;
        say(&report, &directory);
        metrics.stored_damage.add((report.repairs.damaged.len() + report.lost.len()) as u64);
        Ok((Self { history: Arc::new(history), directory, lock }, report))
    }

    /// Looks after the history until the daemon stops; then makes all of it safe.
    pub fn look_after(mut self, channels: &Channels) {
        let mut due = Instant::now() + EVERY;
        loop {
            match self.history.wait(due) {
                Chore::LetGo(gone, forgotten) => self.let_go(channels, &gone, forgotten),
                Chore::Look => {
                    self.look();
                    due = Instant::now() + EVERY;
                }
                Chore::Stop => return self.history.sync(),
            }
        }
    }

    fn let_go(&self, channels: &Channels, gone: &[LetGo], forgotten: Uncounted) {
        self.history.remove(gone, forgotten);
        for gone in gone {
            let is_empty = self.history.look(|archive| archive.log(&gone.channel).is_some_and(|log| !log.has_events()));
            // Of what is still followed, the source's position is kept.
            if is_empty && channels.retire_unfed(&gone.channel) {
                self.history.forget(&gone.channel);
            }
        }
    }

    fn look(&mut self) {
        let was_there = self.history.look(Archive::is_there);
        if self.history.check(now()) && !was_there {
            self.say_gone();
        }
        self.history.sync_in_time();
    }
}

impl Kept {
    /// Something that makes the directory ours had gone, and is there again.
    fn say_gone(&mut self) {
        let place = self.directory.display();
        if self.lock.is_of(&self.directory) {
            return warn!("'{LIFE}' in the state directory '{place}' had gone or was another; it was written again");
        }
        warn!("the state directory '{place}' has gone, and with it what was stored; it was begun again");
        match Lock::take(&self.directory) {
            Ok(lock) => self.lock = lock,
            Err(why) => warn!("could not lock the state directory '{place}': {why}"),
        }
    }
}

/// How many descriptors the history may take.
pub fn descriptors() -> usize {
    2 * Kernel.most_open() + MOMENTARY
}

/// Takes the lock of a directory; waits for a moment if somebody has it, who may be about to end. It is asked for again and again, because `flock`
/// waits for ever or not at all.
fn take(directory: &Path) -> Result<Lock, NotLocked> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match Lock::take(directory) {
            Err(NotLocked::InUse(_)) if Instant::now() < deadline => thread::sleep(PAUSE),
            taken => return taken,
        }
    }
}

/// Tells the channels what was stored of them.
pub fn restore(channels: &Channels, history: &History, report: &Report) {
    let (newest, stored) = history.look(|archive| {
        let stored = archive.logs().filter_map(|(name, log)| Some((name.clone(), stored(log)?)));
        (archive.newest(), stored.collect::<BTreeMap<ChannelName, Stored>>())
    });
    channels.go_on(newest, report.floor, &stored);
}

/// What a log has of its channel; nothing if it never had an event.
fn stored(log: &Log) -> Option<Stored> {
    let last = log.latest().or(log.last_stored()).filter(|_| log.total() > 0)?;
    let losses = log.holes().map(|hole| loss_of_hole(&hole, Counted::Exactly)).collect();
    Some(Stored { published: log.total(), last, old_through: log.old_through(), archived: log.last_stored(), losses })
}

/// Says what was found.
fn say(report: &Report, directory: &Path) {
    let place = directory.display();
    let repairs = &report.repairs;
    if repairs.cut > 0 {
        info!("history in '{place}': {} bytes at the end had not been written to their end, and are cut", repairs.cut);
    }
    for path in &repairs.small {
        warn!("history in '{place}': '{}' was missing or not as it was written; {}", path.display(), without(path));
    }
    for (path, why) in &repairs.unreadable {
        warn!("history in '{place}': could not use '{}': {why}; what is in it is missing", path.display());
    }
    for (path, why) in &repairs.unwritten {
        warn!("history in '{place}': could not write '{}': {why}; the next start finds it as it was", path.display());
    }
    let is_unreadable = |aside: &Path| repairs.unreadable.iter().any(|(path, _)| aside.with_extension("") == *path);
    let what = if report.is_ahead { "set aside" } else { "damaged; what is good in it is kept" };
    for path in repairs.damaged.iter().filter(|path| !is_unreadable(path)) {
        warn!("history in '{place}': {what}, the file is now '{}'", path.display());
    }
    if report.is_ahead {
        warn!(
            "history in '{place}' is from a time that lies more than an hour ahead of the clock; it is set aside, and numbering begins anew"
        );
    }
    for (channel, count) in &report.lost {
        warn!("history in '{place}': {count} events of the channel '{channel}' are missing between others; clients are told");
    }
    if let Some(above) = report.doubtful_above {
        let missing = report.missing;
        warn!(
            "history in '{place}': {missing} events behind {above} are missing: a power cut took them, they could not be written, or files \
             were deleted or damaged; clients who were there before are told"
        );
    }
}

/// Says and counts what somebody removes while the daemon runs: once for a channel, and not of more than can be read.
#[derive(Debug, Default)]
pub struct Lost(Mutex<BTreeSet<ChannelName>>);

impl Lost {
    /// A file has gone that was not let go.
    pub fn note(&self, gone: &Gone<'_>, metrics: &Metrics) {
        let Gone::Lost(segment, _) = gone else { return };
        metrics.stored_damage.add(1);
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if said.len() < MOST_SAID && said.insert(segment.channel.clone()) {
            let (path, count) = (segment.path.display(), segment.count);
            warn!("'{path}' was removed, and {count} events of the channel '{}' with it; clients are told", segment.channel);
        }
    }
}

/// What is done without one of the small files.
fn without(path: &Path) -> &'static str {
    match path.file_name().and_then(|name| name.to_str()) {
        Some(SYNCED) => "everything was looked through",
        Some(UNCOUNTED) => "clients may be told of a gap where none is",
        _ => "the beginning of the numbering is taken from the segments",
    }
}
