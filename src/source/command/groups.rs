//! The process groups of all commands that run now: whoever ends the daemon ends them, and nobody's exit status is lost.
//!
//! The number of a group is that of its leader, and the kernel gives it to nobody else as long as a process of the group is there (setpgid(2)).
//! Each group is known from before its command can exit until it is seen to be empty, so a signal never reaches strangers.
//!
//! Where the daemon is the init of a container, or a subreaper ([`Groups::adopt_orphans`]), processes whose parents have died become its children, and stay as
//! zombies until they are waited for. A leader is waited for by its own [`Run`] alone; all others here.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Child;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::{Pid, getpgid};
use tracing::debug;

use super::Exit;
use super::run::{Bell, Run};
use super::spawn::NotStarted;

/// All groups. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Groups(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    running: BTreeMap<u32, Group>,
    is_stopping: bool,
    /// The commands that are not started any more, by their places.
    retired: BTreeSet<usize>,
    orphans: Orphans,
    /// How the last run of each command ended, by its place.
    exits: BTreeMap<usize, Exit>,
}

/// Whether children that are no leaders are waited for: all children of the process must be those of one [`Groups`] then.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Orphans {
    #[default]
    Left,
    Adopted,
}

#[derive(Debug)]
struct Group {
    leader: Leader,
    /// The place of its command.
    place: usize,
    /// Rung when a child of the daemon has changed.
    bell: Bell,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leader {
    /// It runs, or is a zombie.
    There,
    /// It has been waited for.
    Gone,
}

impl Groups {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Whoever panicked under it was starting a process: what is known is still true.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the process the parent of its commands' orphans, and waits for them from now on, and for all others that come to it.
    pub fn adopt_orphans(&self) {
        self.lock().orphans = Orphans::Adopted;
        if let Err(error) = prctl::set_child_subreaper(true) {
            debug!("the orphans of commands go to init: {}", error.desc());
        }
    }

    /// Starts a process that leads a group of its own; `None` if the daemon stops. Under the lock, so that its end cannot be seen before it is known,
    /// and no other process is started that would inherit what is not marked yet as to be closed.
    pub(super) fn start(
        &self,
        place: usize,
        bell: &Bell,
        run: impl FnOnce() -> Result<Run, NotStarted>,
    ) -> Option<Result<Run, NotStarted>> {
        let mut state = self.lock();
        if state.is_stopping || state.retired.contains(&place) {
            return None;
        }
        let started = run();
        if let Ok(run) = &started {
            state.running.insert(run.process(), Group { leader: Leader::There, place, bell: bell.clone() });
        }
        Some(started)
    }

    /// How a leader has exited, if it has.
    ///
    /// # Errors
    /// Somebody else has waited for it.
    pub(super) fn look_at(&self, child: &mut Child) -> std::io::Result<Option<Exit>> {
        let mut state = self.lock();
        let status = child.try_wait()?;
        if status.is_some() {
            if let Some(group) = state.running.get_mut(&child.id()) {
                group.leader = Leader::Gone;
            }
            state.reap_orphans();
        }
        Ok(status.map(Exit::from))
    }

    /// Whether there is somebody in a group whose leader has been waited for.
    pub(super) fn is_there(&self, process: u32) -> bool {
        let _state = self.lock();
        let group = id(process);
        // Those of the group that are our children now are orphans: nobody else waits for them.
        while let Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)) | Err(Errno::EINVAL) =
            waitpid(Pid::from_raw(-group.as_raw()), Some(WaitPidFlag::WNOHANG))
        {}
        killpg(group, None) != Err(Errno::ESRCH)
    }

    /// Sends a group a signal. One that is stopped goes on, so that it can follow.
    pub(super) fn signal_one(&self, process: u32, signal: Signal) {
        if let Some(group) = self.lock().running.get(&process) {
            send(process, group.leader, signal);
            send(process, group.leader, Signal::SIGCONT);
        }
    }

    /// A group is empty, or nothing more can be done.
    pub(super) fn forget(&self, process: u32) {
        self.lock().running.remove(&process);
    }

    /// A group is not read any more: it ends.
    pub(super) fn give_up(&self, process: u32) {
        self.signal_one(process, Signal::SIGKILL);
        self.forget(process);
    }

    /// Passes a signal on to all groups.
    pub fn pass_on(&self, signal: Signal) {
        let state = self.lock();
        debug!("passing {signal} on to {} commands", state.running.len());
        state.running.iter().for_each(|(process, group)| send(*process, group.leader, signal));
    }

    /// The daemon stops because of this signal: it is passed on, and no command is started any more.
    pub fn stop(&self, signal: Signal) {
        self.lock().is_stopping = true;
        self.pass_on(signal);
        self.pass_on(Signal::SIGCONT);
    }

    /// One command is not wanted any more: it is sent TERM, and not started again.
    pub fn retire(&self, place: usize) {
        let mut state = self.lock();
        state.retired.insert(place);
        for (process, group) in state.running.iter().filter(|(_, group)| group.place == place) {
            send(*process, group.leader, Signal::SIGTERM);
            send(*process, group.leader, Signal::SIGCONT);
        }
    }

    /// Nothing stays behind, whatever it does: all groups are sent KILL, and no command is started any more.
    pub fn kill(&self) {
        self.lock().is_stopping = true;
        self.pass_on(Signal::SIGKILL);
    }

    /// Whether a command is not started any more, because the daemon stops or it is not wanted.
    pub(super) fn is_over(&self, place: usize) -> bool {
        let state = self.lock();
        state.is_stopping || state.retired.contains(&place)
    }

    /// How many commands run now.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lock().running.len()
    }

    /// A child of the daemon may have changed (SIGCHLD): whoever waits for one looks, and orphans are waited for.
    pub fn look(&self) {
        let state = self.lock();
        state.running.values().for_each(|group| group.bell.ring());
        state.reap_orphans();
    }

    pub(super) fn note_exit(&self, place: usize, exit: Exit) {
        self.lock().exits.insert(place, exit);
    }

    /// The exit code of all commands: the first that is not 0, in the order of their places; else that of one that was killed, if any still runs; else 0.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        let state = self.lock();
        let killed = (!state.running.is_empty()).then_some(Exit::Signal(Signal::SIGKILL as i32));
        let ends = state.exits.values().copied().chain(killed);
        let first = ends.map(Exit::number).find(|number| *number != 0).unwrap_or(0);
        u8::try_from(first).unwrap_or(u8::MAX)
    }
}

impl State {
    /// Waits for children that have exited and are no leaders. A leader that has exited stands in the way of what the kernel would name next, until
    /// its run has waited for it and calls this again.
    fn reap_orphans(&self) {
        if self.orphans == Orphans::Left {
            return;
        }
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        while let Ok(WaitStatus::Exited(process, _) | WaitStatus::Signaled(process, ..)) = waitid(Id::All, flags) {
            let is_leader = u32::try_from(process.as_raw())
                .is_ok_and(|process| self.running.get(&process).is_some_and(|group| group.leader == Leader::There));
            if is_leader || waitpid(process, Some(WaitPidFlag::WNOHANG)) == Err(Errno::ECHILD) {
                return;
            }
            debug!("waited for the orphan {process}");
        }
    }
}

fn id(process: u32) -> Pid {
    Pid::from_raw(i32::try_from(process).expect("the kernel's process numbers are below 2^22"))
}

/// Sends a group a signal, and its leader, should it have gone to another one. As long as nobody has waited for it, its number is its own.
fn send(process: u32, leader: Leader, signal: Signal) {
    match killpg(id(process), signal) {
        Ok(()) | Err(Errno::ESRCH) => {}
        Err(error) => debug!("could not send {signal} to the group {process}: {}", error.desc()),
    }
    let has_left = || getpgid(Some(id(process))).is_ok_and(|group| group != id(process));
    if leader == Leader::There
        && has_left()
        && let Err(error) = kill(id(process), signal)
    {
        debug!("could not send {signal} to {process}: {}", error.desc());
    }
}
