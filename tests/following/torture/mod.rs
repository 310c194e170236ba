//! Numbered lines through every rotation.
//!
//! A [`Scene`] writes lines that carry their number, does to their file what programs do, and notes what must come of it: which lines must arrive,
//! which may be lost because no byte of them is left anywhere, and where a `gap` may or must stand. The oracle ([`Scene::judge`]): every number once, in
//! order, or a gap exactly at the place of the loss; nothing doubled, nothing changed.
//!
//! When the operating system makes loss unavoidable:
//! - A truncation destroys what was not read before it, unless a copy beside the file (`NAME.*`, `NAME-*`) holds it. Wherever anything of the
//!   content before it has come, it is a gap, whether or not something was lost: nobody can know. A content that came and went between two looks
//!   never was, and no gap tells of it.
//! - What is written between the copy and the truncation is in no copy.
//! - A file that was made and unlinked between two looks never was. So here each file that will be deleted, or that its path leaves for a place
//!   that is not beside it, has been seen by the daemon before; from then on its descriptor keeps every byte.
//!
//! Everything else must arrive. Files that were finished in one step of the kernel's clock cannot be put in order, so there is at least one step between
//! two rotations.
//!
//! Each case runs with and without watching, and with and without a daemon that is stopped (SIGSTOP) before the event and goes on after it.

mod cases;
mod judge;
mod scene;
mod several;

use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::Duration;

use scene::{Scene, Setting};

use crate::harness::{how_to_repeat, scale, seed};

/// Longer than a step of the clock with which the kernel stamps files.
const CLOCK_STEP: Duration = Duration::from_millis(12);

/// How many daemons run at once.
const BRIDGES: usize = 8;

/// One of the ways to run a case.
#[derive(Debug, Clone, Copy)]
struct Mode {
    polls: bool,
    stops: bool,
}

const MODES: [Mode; 4] = [
    Mode { polls: false, stops: false },
    Mode { polls: false, stops: true },
    Mode { polls: true, stops: false },
    Mode { polls: true, stops: true },
];

/// A place among the daemons that run at once.
struct Turn;

/// How many run.
static RUNNING: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

impl Turn {
    fn take() -> Self {
        let running = RUNNING.0.lock().unwrap();
        *RUNNING.1.wait_while(running, |running| *running >= BRIDGES).unwrap() += 1;
        Self
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *RUNNING.0.lock().unwrap() -= 1;
        RUNNING.1.notify_one();
    }
}

/// What happens to the file in one round: the daemon may be stopped in it, and what is unread then is on disk.
type Event = fn(&mut Scene);

/// Whether the daemon must have seen the file before the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    /// It must: without it nothing would be left of the file.
    Seen,
    /// It need not: everything can be found.
    Any,
}

/// Runs a case in every mode.
fn torture(setting: Setting, before: Before, event: Event) {
    let seed = seed();
    let run = move |mode, seed| {
        let _turn = Turn::take();
        let mut scene = Scene::begin(mode, setting, seed);
        for _ in 0..scale(2, 50) {
            round(&mut scene, before, event);
        }
        scene.judge();
    };
    thread::scope(|scope| {
        // What fails says its thread's name.
        let in_mode = |(mode, seed)| {
            thread::Builder::new().name(format!("{mode:?}, seed {seed}")).spawn_scoped(scope, move || run(mode, seed)).unwrap()
        };
        let runs: Vec<_> = MODES.into_iter().zip(seed..).map(in_mode).collect();
        let failed: Vec<_> = runs.into_iter().zip(MODES).filter_map(|(run, mode)| run.join().err().map(|_| mode)).collect();
        assert!(failed.is_empty(), "failed in {failed:?}; {}", how_to_repeat(seed));
    });
}

fn round(scene: &mut Scene, before: Before, event: Event) {
    scene.write();
    if before == Before::Seen || scene.random.below(2) == 0 {
        scene.see();
    }
    scene.stop();
    if scene.random.below(2) == 0 {
        scene.write();
    }
    event(scene);
    scene.write();
    scene.go_on();
    if scene.random.below(2) == 0 {
        scene.see();
    }
}
