//! What the daemon does for its commands beside reading them: it passes signals on, waits for orphans, and leaves nothing behind.

use std::time::Duration;

use tracing::info;

use super::signals::{Other, Others};
use super::tasks::Done;
use crate::source::command::Groups;

/// However the daemon ends, also by an error at its start or by a second signal: commands end with it.
pub struct NothingStays(pub Groups);

impl Drop for NothingStays {
    fn drop(&mut self) {
        self.0.kill();
    }
}

/// Does what signals ask for that are the commands' business.
pub async fn attend(mut signals: Others, groups: Groups) -> Done {
    loop {
        match signals.next().await {
            Other::Child => groups.look(),
            Other::Pass(signal) => groups.pass_on(signal),
        }
    }
}

/// Whether the process is the first of a container: orphans become its children.
pub fn is_init() -> bool {
    std::process::id() == 1
}

/// Whoever stops the daemon should know what it waits for.
pub fn say_who_is_waited_for(commands: usize, grace: Duration) {
    let they = match commands {
        0 => return,
        1 => "a command".to_owned(),
        count => format!("{count} commands"),
    };
    info!("waiting for {they} to end; killed after {grace:?}, or by another signal at once");
}
