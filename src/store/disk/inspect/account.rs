//! Whether all numbers are accounted for, as the next start asks.

use std::thread;
use std::time::Duration;

use super::super::life;
use super::{Finding, Holding, Inspection, Tell, What};

/// How often, and after which pause, a daemon is given the time to note what it has forgotten.
const NOTING: usize = 10;
const PAUSE: Duration = Duration::from_millis(50);

impl Inspection {
    /// Looks whether all numbers are accounted for, by what all channels together hold: every record has been looked at, and all could be read.
    pub fn account(&self, all: &Holding, tell: &mut Tell<'_>) {
        let finding = |what| Finding { path: self.root.clone(), offset: None, what };
        let told = (all.gone + all.events + all.lost).saturating_sub(all.unsafe_events);
        let missing = self.synced.unwrap_or(0).saturating_sub(told);
        let unknown = || missing.saturating_sub(life::uncounted(&*self.volume, &self.root).count);
        // What a daemon is just forgetting is noted when its files are gone.
        for _ in 0..NOTING {
            if unknown() > 0 {
                thread::sleep(PAUSE);
            }
        }
        if unknown() > 0 {
            tell(finding(What::Unaccounted(unknown())));
        }
        let lost = all.between.saturating_sub(life::missing(&*self.volume, &self.root));
        if lost > 0 {
            tell(finding(What::Lost(lost)));
        }
    }
}
