//! How a run comes to its end: what is to be done when, so that nothing is left behind and nobody waits for ever. Pure: the world comes in as
//! [`Facts`] and goes out as an [`Act`].
//!
//! | what is so | what is done |
//! | --- | --- |
//! | the command runs | wait |
//! | the daemon stops (it has passed a signal on) | wait for the grace, then KILL |
//! | the command has exited, others of its group write | wait until they are silent for [`SILENCE`], for the grace at most |
//! | the command has exited, others of its group are there | TERM, wait for the grace, then KILL, wait for [`AFTER_KILL`], let go |
//! | nobody of the group is there, somebody else holds a pipe | wait for [`HELD`], let go |
//! | nobody is there, nothing is open | over |

use std::time::{Duration, Instant};

/// How long the rest of a group must have written nothing before it is ended: `>(tee FILE)` of a shell outlives the command that feeds it.
const SILENCE: Duration = Duration::from_millis(200);

/// How long KILL may take. A process that waits for a device that does not answer takes longer.
const AFTER_KILL: Duration = Duration::from_secs(1);

/// How long a pipe is read that only processes outside the group hold.
const HELD: Duration = Duration::from_secs(1);

/// How often the group is looked at, of whose end nobody tells.
const LOOK: Duration = Duration::from_millis(10);

/// Who of a group is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// The command itself; others are not asked for.
    Leader,
    /// It has exited, and others are there.
    Others,
    /// Nobody.
    Nobody,
}

/// How a run is at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Who of its group is there.
    pub who: Who,
    /// Whether a pipe or the terminal is open.
    pub is_open: bool,
    /// Whether the daemon stops.
    pub is_stopping: bool,
    /// When something was read last.
    pub spoke_at: Instant,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Nothing, until something happens or it is this time.
    Wait(Option<Instant>),
    /// The group is sent TERM.
    Terminate,
    /// The group is sent KILL.
    Kill,
    /// What is open is closed, and who is left is left.
    LetGo,
    /// Nothing any more.
    Over,
}

/// What has been seen and done of a run so far.
#[derive(Debug, Clone, Copy)]
pub struct Leaving {
    grace: Duration,
    stopping_at: Option<Instant>,
    exited_at: Option<Instant>,
    terminated_at: Option<Instant>,
    killed_at: Option<Instant>,
    /// Since when nobody of the group is there.
    alone_at: Option<Instant>,
}

impl Leaving {
    /// Of a run that has just begun; a group has this `grace` between TERM and KILL.
    #[must_use]
    pub fn new(grace: Duration) -> Self {
        Self { grace, stopping_at: None, exited_at: None, terminated_at: None, killed_at: None, alone_at: None }
    }

    /// What is to be done now. What it says is taken as done.
    pub fn next(&mut self, now: Instant, facts: &Facts) -> Act {
        if facts.is_stopping {
            self.stopping_at.get_or_insert(now);
        }
        if facts.who == Who::Leader {
            return self.before_the_exit(now);
        }
        let exited = *self.exited_at.get_or_insert(now);
        match (facts.who, facts.is_open) {
            (Who::Others | Who::Leader, is_open) => self.end_others(now, exited, facts.spoke_at, is_open),
            (Who::Nobody, false) => Act::Over,
            (Who::Nobody, true) => {
                let until = *self.alone_at.get_or_insert(now) + HELD;
                if now >= until { Act::LetGo } else { Act::Wait(Some(until)) }
            }
        }
    }

    fn before_the_exit(&mut self, now: Instant) -> Act {
        match self.stopping_at.map(|at| at + self.grace) {
            Some(until) if now >= until && self.killed_at.is_none() => self.kill(now),
            Some(until) if self.killed_at.is_none() => Act::Wait(Some(until)),
            _ => Act::Wait(None),
        }
    }

    fn end_others(&mut self, now: Instant, exited: Instant, spoke_at: Instant, is_open: bool) -> Act {
        if let Some(killed) = self.killed_at {
            // KILL before the exit was for the whole group as well.
            let until = killed.max(exited) + AFTER_KILL;
            return if now >= until { Act::LetGo } else { Act::Wait(Some(until.min(now + LOOK))) };
        }
        let last = self.stopping_at.map(|at| at + self.grace);
        if last.is_some_and(|last| now >= last) {
            return self.kill(now);
        }
        let Some(terminated) = self.terminated_at else {
            let until = (spoke_at.max(exited) + SILENCE).min(exited + self.grace);
            if is_open && now < until {
                return Act::Wait(Some(until.min(now + LOOK)));
            }
            self.terminated_at = Some(now);
            return Act::Terminate;
        };
        let until = last.map_or(terminated + self.grace, |last| last.min(terminated + self.grace));
        if now >= until { self.kill(now) } else { Act::Wait(Some(until.min(now + LOOK))) }
    }

    fn kill(&mut self, now: Instant) -> Act {
        self.killed_at = Some(now);
        Act::Kill
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GRACE: Duration = Duration::from_secs(10);

    /// Plays a run to its end: `facts` says how the world is after so many milliseconds, given what was done. All that was done, and when.
    fn play(mut facts: impl FnMut(u64, &[(u64, Act)]) -> Facts) -> Vec<(u64, Act)> {
        let start = Instant::now();
        let mut leaving = Leaving::new(GRACE);
        let mut done = Vec::new();
        let mut now = 0;
        while now < 120_000 {
            match leaving.next(start + Duration::from_millis(now), &facts(now, &done)) {
                Act::Wait(until) => {
                    let until = until.map_or(u64::MAX, |until| u64::try_from((until - start).as_millis()).unwrap());
                    assert!(until > now, "a wait that is over at once at {now} ms");
                    now = until.min(now + 100); // the world is looked at now and then in any case
                }
                act => {
                    done.push((now, act));
                    if matches!(act, Act::Over | Act::LetGo) {
                        break;
                    }
                }
            }
        }
        done
    }

    /// Nothing was written since before the play.
    fn facts(who: Who, is_open: bool) -> Facts {
        let spoke_at = Instant::now().checked_sub(Duration::from_secs(1)).expect("a test runs a second after the boot");
        Facts { who, is_open, is_stopping: false, spoke_at }
    }

    fn others_if(there: bool) -> Who {
        if there { Who::Others } else { Who::Nobody }
    }

    fn was(done: &[(u64, Act)], act: Act) -> bool {
        done.iter().any(|(_, done)| *done == act)
    }

    #[test]
    fn a_command_that_leaves_nothing_is_over_at_once() {
        assert_eq!(play(|now, _| if now < 500 { facts(Who::Leader, true) } else { facts(Who::Nobody, false) }), [(500, Act::Over)]);
    }

    #[test]
    fn others_of_the_group_are_terminated_and_then_killed() {
        let stubborn = play(|_, done| facts(others_if(!was(done, Act::Kill)), true));
        assert_eq!(stubborn[..2], [(200, Act::Terminate), (10_200, Act::Kill)]);
        let obedient = play(|_, done| facts(others_if(!was(done, Act::Terminate)), !was(done, Act::Terminate)));
        assert_eq!(obedient, [(200, Act::Terminate), (200, Act::Over)]);
        let silent = play(|_, done| facts(others_if(!was(done, Act::Terminate)), false));
        assert_eq!(silent, [(0, Act::Terminate), (0, Act::Over)], "who cannot write is not waited for");
    }

    #[test]
    fn who_cannot_be_killed_is_left() {
        assert_eq!(play(|_, _| facts(Who::Others, true)), [(200, Act::Terminate), (10_200, Act::Kill), (11_200, Act::LetGo)]);
    }

    #[test]
    fn a_pipe_that_somebody_else_holds_is_let_go() {
        assert_eq!(play(|_, _| facts(Who::Nobody, true)), [(1000, Act::LetGo)]);
    }

    #[test]
    fn a_stop_kills_after_the_grace() {
        let mut stopping = facts(Who::Leader, true);
        stopping.is_stopping = true;
        let done = play(|_, done| {
            let is_killed = was(done, Act::Kill);
            Facts { who: if is_killed { Who::Nobody } else { Who::Leader }, is_open: !is_killed, ..stopping }
        });
        assert_eq!(done, [(10_000, Act::Kill), (10_000, Act::Over)]);
    }

    #[test]
    fn who_writes_is_not_interrupted_before_the_grace() {
        let start = Instant::now();
        let done = play(|now, done| Facts {
            spoke_at: start + Duration::from_millis(now),
            ..facts(others_if(!was(done, Act::Terminate)), true)
        });
        assert_eq!(done[0], (10_000, Act::Terminate));
    }

    proptest! {
        /// Whatever the others do, a run whose command has exited is over within two graces and what KILL may take; and while others are
        /// there none is left that was sent no TERM and no KILL.
        #[test]
        fn no_run_lasts_for_ever(changes in prop::collection::vec((0..40_000_u64, any::<bool>(), any::<bool>(), any::<bool>()), 0..20)) {
            let mut changes = changes;
            changes.sort_unstable();
            let start = Instant::now();
            let mut is_stopping = false;
            let done = play(|now, _| {
                let at = changes.iter().rev().find(|(at, ..)| *at <= now);
                let (_, others, open, stop) = at.copied().unwrap_or((0, true, true, false));
                is_stopping |= stop;
                Facts {
                    who: others_if(others),
                    is_open: open, is_stopping, spoke_at: start + Duration::from_millis(now) }
            });
            let (at, last) = *done.last().unwrap();
            prop_assert!(matches!(last, Act::Over | Act::LetGo), "{done:?}");
            prop_assert!(at <= 2 * 10_000 + 2 * 1000 + 200, "{done:?}");
            prop_assert!(done.iter().filter(|(_, act)| *act == Act::Kill).count() <= 1, "{done:?}");
        }
    }
}
