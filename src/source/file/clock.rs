//! The clock with which files are stamped.
//!
//! The kernel stamps files with a clock of its own that runs in steps (`CLOCK_REALTIME_COARSE` of `clock_gettime(2)`). A step is at most 10 ms long, but it is
//! made by a timer: on a machine that is busy, above all a virtual one, several come late together, and the clock has been seen 46 ms behind the one that
//! programs read. So it is asked how late it is; a fixed allowance would let files appear to be older than a look that did not find them.

use std::time::{Duration, SystemTime};

use nix::time::{ClockId, clock_gettime};

/// The longest step of that clock (`CONFIG_HZ=100`), and so the least by which it may be behind.
pub const CLOCK_STEP: Duration = Duration::from_millis(10);

/// The time that a file system may write as the present: no file of this machine is stamped with an older one from now on.
#[must_use]
pub fn stamp() -> SystemTime {
    let usual = SystemTime::now() - CLOCK_STEP;
    let Ok(kernel) = clock_gettime(ClockId::CLOCK_REALTIME_COARSE) else { return usual };
    usual.min(SystemTime::UNIX_EPOCH + Duration::from(kernel))
}

#[cfg(test)]
mod tests {
    use super::super::identity::born;
    use super::*;
    use std::fs::File;

    #[test]
    fn nothing_is_stamped_with_an_older_time() {
        let root = tempfile::tempdir().unwrap();
        for number in 0..1000 {
            let before = stamp();
            let metadata = File::create(root.path().join(number.to_string())).unwrap().metadata().unwrap();
            assert!(born(&metadata) >= before && metadata.modified().unwrap() >= before);
            assert!(before <= SystemTime::now() - CLOCK_STEP);
        }
    }
}
