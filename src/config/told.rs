//! All that the daemon has been told, so that it can be asked again: what files say may have changed.

use clap::ArgMatches;

use super::cli::Arguments;
use super::layer::Layer;
use super::world::World;
use super::{Config, ConfigError, Logging};

/// The arguments, and through them what variables and files say.
#[derive(Debug, Clone)]
pub struct Told {
    arguments: Arguments,
    matches: ArgMatches,
}

/// What has been told, whole.
#[derive(Debug)]
pub struct Read {
    /// As it was said.
    pub layer: Layer,
    /// What it means.
    pub config: Config,
}

impl Told {
    /// By these arguments, of which these are the matches.
    #[must_use]
    pub fn new(arguments: Arguments, matches: ArgMatches) -> Self {
        Self { arguments, matches }
    }

    /// Reads all of it, and how an error of it is to be written.
    ///
    /// # Errors
    /// A file cannot be read, or something makes no sense.
    pub fn read(&self, world: &World) -> Result<Read, (ConfigError, Logging)> {
        let layer = self
            .arguments
            .layer(&self.matches, &world.variables)
            .map_err(|error| (error, Logging::of(&self.arguments.clone().into_layer())))?;
        let config = Config::check(&layer, world).map_err(|error| (error, Logging::of(&layer)))?;
        Ok(Read { layer, config })
    }
}
