//! What the service manager hears while the daemon runs: what it does, in words, and that it gets on.
//!
//! The watchdog is fed by the loop that also accepts connections, so a loop that is stuck feeds nobody; and only as long as no thread is stuck that
//! reads a source or writes streams.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{Interval, MissedTickBehavior, interval};
use tracing::error;

use super::supervisor;
use crate::channel::{Channels, State};
use crate::http::slots::Slots;
use crate::pulse::Pulses;

/// How often what is told may change.
const STATUS: Duration = Duration::from_secs(5);

/// What the service manager is told.
#[derive(Debug)]
pub struct Supervision {
    pulses: Pulses,
    /// How long somebody may be busy, if there is a watchdog; and when to feed it.
    watchdog: Option<(Duration, Interval)>,
    status: Interval,
    addresses: Vec<SocketAddr>,
    /// What was told last.
    said: String,
    /// It was said that somebody is stuck.
    is_stuck: bool,
}

/// Something is to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// That it gets on.
    Life,
    /// What it does.
    Status,
}

impl Supervision {
    /// Of those who are looked after by these pulses. Needs the runtime.
    pub fn new(pulses: Pulses, addresses: Vec<SocketAddr>) -> Self {
        let watchdog = sd_notify::watchdog_enabled().filter(|_| supervisor::is_there());
        let every = |period: Duration| {
            let mut interval = interval(period.max(Duration::from_millis(1)));
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            interval
        };
        Self {
            pulses,
            watchdog: watchdog.map(|limit| (limit, every(limit / 2))),
            status: every(STATUS),
            addresses,
            said: String::new(),
            is_stuck: false,
        }
    }

    /// Waits until something is to be told; for ever where nobody listens.
    pub async fn due(&mut self) -> Due {
        if !supervisor::is_there() {
            return std::future::pending().await;
        }
        let watchdog = async {
            match &mut self.watchdog {
                Some((_, interval)) => interval.tick().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = watchdog => Due::Life,
            _ = self.status.tick() => Due::Status,
        }
    }

    /// Everything is there. With this the start is over, or a reload.
    pub fn ready(&mut self, channels: &Channels, slots: &Slots) {
        self.said = self.status(channels, slots);
        supervisor::tell(&[NotifyState::Ready, NotifyState::Status(&self.said)]);
    }

    /// Tells what is due.
    pub fn tell(&mut self, due: Due, channels: &Channels, slots: &Slots) {
        match due {
            Due::Life => self.feed(),
            Due::Status => {
                let status = self.status(channels, slots);
                if status != self.said {
                    supervisor::tell(&[NotifyState::Status(&status)]);
                    self.said = status;
                }
            }
        }
    }

    fn feed(&mut self) {
        let Some((limit, _)) = &self.watchdog else { return };
        match self.pulses.stuck(*limit) {
            None => {
                self.is_stuck = false;
                supervisor::tell(&[NotifyState::Watchdog]);
            }
            Some(name) => {
                if !std::mem::replace(&mut self.is_stuck, true) {
                    error!("'{name}' has been stuck for {} s; the watchdog is not fed", limit.as_secs());
                }
            }
        }
    }

    /// Goes on feeding while the daemon stops, which has a deadline of its own: for ever.
    pub async fn go_on_feeding(&mut self) {
        loop {
            if self.due().await == Due::Life {
                supervisor::tell(&[NotifyState::Watchdog]);
            }
        }
    }

    /// `3 channels (1 waiting), serving 12 clients on http://127.0.0.1:8080/`
    fn status(&self, channels: &Channels, slots: &Slots) -> String {
        let channels = channels.status().channels;
        let count = |state| channels.iter().filter(|channel| channel.state == state).count();
        let states = [(State::Waiting, "waiting"), (State::Failing, "failing"), (State::Ended, "ended")];
        let states = states.map(|(state, what)| (count(state), what));
        let states: Vec<_> = states.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        let mut text = counted(channels.len(), "channel");
        if !states.is_empty() {
            let _ = write!(text, " ({})", states.join(", "));
        }
        let addresses: Vec<_> = self.addresses.iter().map(|address| format!("http://{address}/")).collect();
        let _ = write!(text, ", serving {} on {}", counted(slots.used(), "client"), addresses.join(" and "));
        text
    }
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// It is reading its configuration again.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => supervisor::tell(&[NotifyState::Reloading, now, NotifyState::Status("reading the configuration again")]),
        Err(_) => supervisor::tell(&[NotifyState::Reloading]),
    }
}

/// It stops, and that may take so long.
pub fn stopping(within: Duration, status: &str) {
    let within = u32::try_from(within.as_micros()).unwrap_or(u32::MAX);
    supervisor::tell(&[NotifyState::Stopping, NotifyState::ExtendTimeoutUsec(within), NotifyState::Status(status)]);
}
