//! SIGHUP: the configuration is read again, and what can change while the daemon runs changes.
//!
//! A configuration that cannot be run changes nothing. What needs another start is named in one line.

use nix::sys::signal::Signal;
use tracing::{error, info, warn};

use super::exit::Fatal;
use super::signals::PassOn;
use super::sources::Changes;
use super::start::attend_to_children;
use super::telemetry;
use super::{Daemon, places, supervision};
use crate::config::told::{Read, Told};
use crate::config::world::World;
use crate::config::{Config, Logging};
use crate::http::SPARE_CONNECTIONS;
use crate::http::rules::Rules;

/// What the daemon runs by that is settled at the start.
#[derive(Debug)]
pub struct Settled {
    config: Vec<(&'static str, String)>,
    format: crate::config::layer::LogFormat,
}

impl Settled {
    /// That of a configuration.
    pub fn of(config: &Config, logging: Logging) -> Self {
        let said = |name, value: &dyn std::fmt::Debug| (name, format!("{value:?}"));
        let config = vec![
            said("port and listen", &config.listen),
            said("state-dir, sync, keep-size and keep-age", &config.state),
            said("rotate-wait and poll", &config.following),
            said("write-timeout", &config.write_timeout),
            said("exit-on-eof", &config.at_eof),
            said("tee", &config.tee),
        ];
        Self { config, format: logging.format }
    }

    /// What differs, by name.
    fn differing(&self, other: &Self) -> Vec<String> {
        let pairs = self.config.iter().zip(&other.config);
        let format = (self.format != other.format).then(|| "log-format".to_owned());
        pairs.filter(|(own, other)| own != other).map(|((name, _), _)| (*name).to_owned()).chain(format).collect()
    }
}

/// The rules of a configuration, under the title of the daemon that listens on this port.
pub fn rules(config: &Config, port: u16) -> Rules {
    Rules {
        hosts: config.hosts.clone(),
        origins: config.origins.clone(),
        title: config.title.on(port),
        tail: config.tail,
        heartbeat: config.heartbeat,
        retry: config.retry,
    }
}

impl Daemon {
    /// A hangup: the configuration is read again, if there is one; else commands may have a use for it. Gives the signal if it is the end: the terminal
    /// is gone.
    pub(super) fn hear_hangup(&mut self) -> Result<Option<Signal>, Fatal> {
        match self.told.clone() {
            Some(told) => self.reload(&told)?,
            None if self.has_terminal => return Ok(Some(Signal::SIGHUP)),
            None if self.groups.count() > 0 => self.groups.pass_on(Signal::SIGHUP),
            None => info!("nothing to reload: there is no configuration file"),
        }
        Ok(None)
    }

    fn reload(&mut self, told: &Told) -> Result<(), Fatal> {
        supervision::reloading();
        let reloaded = self.read_again(told);
        self.supervision.ready(&self.site.channels, &self.slots);
        reloaded
    }

    fn read_again(&mut self, told: &Told) -> Result<(), Fatal> {
        let world = World { listeners: self.inherited.clone(), ..World::look() };
        let Read { layer, config } = match told.read(&world) {
            Ok(read) => read,
            Err((error, _)) => {
                error!("could not reload: {}; going on as before", Fatal::from(error).line());
                return Ok(());
            }
        };
        let logging = Logging::of(&layer);
        telemetry::change(logging);
        let settled = Settled::of(&config, logging);
        let mut put_off = self.settled.differing(&settled);
        self.site.house.change(rules(&config, self.port));
        self.retry = config.retry;
        self.make_room(config.max_clients);
        self.site.channels.set_history(config.history);
        self.attend_to_commands(&config)?;
        let changes = self.sources.change(config.feeds, &mut self.tasks)?;
        put_off.extend(changes.put_off.iter().cloned());
        info!("reloaded: {}", said(&changes));
        if !put_off.is_empty() {
            warn!("another start is needed for: {}", put_off.join(", "));
        }
        Ok(())
    }

    /// So many clients from now on, as far as there are descriptors for them. Connections that were let in stay.
    fn make_room(&mut self, wanted: usize) {
        let limit = places(wanted, self.room.files);
        self.slots.set_limit(limit);
        let more = (limit + SPARE_CONNECTIONS).saturating_sub(self.room.admitted);
        self.room.admission.add_permits(more);
        self.room.admitted += more;
    }

    /// Where there were no commands before, somebody must hear of their ends now.
    fn attend_to_commands(&mut self, config: &Config) -> Result<(), Fatal> {
        if self.grace.is_none() && config.grace().is_some() {
            attend_to_children(&self.groups, PassOn::ToCommands, &mut self.tasks)?;
        }
        self.grace = self.grace.max(config.grace());
        Ok(())
    }
}

fn said(changes: &Changes) -> String {
    let Changes { added, removed, changed, .. } = changes;
    match (added, removed, changed) {
        (0, 0, 0) => "the same sources".to_owned(),
        _ => format!("{added} sources added, {removed} removed, {changed} changed"),
    }
}
